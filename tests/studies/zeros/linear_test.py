import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest
from primelens.lens import legacy
from primelens.models import spacing
from primelens.studies.zeros import linear

PHI = np.array([-0.45, -0.28, -0.16])  # about the published operator
SCALE = 0.2


def _skip_only(phi_Q):
  """A spacing model whose transformer is silent: the linear skip alone."""
  model = tiny_study.tiny_model(skip_order=len(phi_Q))
  params = spacing.init(model, jax.random.key(0))
  params["head"]["kernel"] = jnp.zeros_like(params["head"]["kernel"])
  kernel_QxQ = np.zeros((len(phi_Q), len(phi_Q)))
  for q in range(len(phi_Q)):
    kernel_QxQ[q, : q + 1] = phi_Q[: q + 1]
  params["skip"]["kernel"] = jnp.asarray(kernel_QxQ[None], jnp.float32)
  return model, params


def _run(value_N, filters):
  models, params = zip(*map(_skip_only, filters), strict=True)
  params_S = jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)
  return tiny_study.handmade(
    spacing.bind(models[0]),
    params_S,
    value_N,
    model=models[0],
    changed={
      "linear.long_order": 5,
      "linear.samples": 10_000,  # more than there are: all
      "bootstrap.block": 50,
      "bootstrap.samples": 800,
    },
  )


class LinearTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.value_N = tiny_study.ar(PHI, 30_000, scale=SCALE)
    cls.filters = (PHI, np.array([0.3, 0.0, -0.5]))  # two seeds
    cls.run_ = _run(cls.value_N, cls.filters)
    cls.result = linear.run(cls.run_)

  def test_jacobian_is_the_filter_of_the_skip(self):
    expected_SxQ = np.pad(self.filters, ((0, 0), (0, 2)))
    np.testing.assert_allclose(self.result.jacobian_SxQ, expected_SxQ, atol=1e-6)

  def test_ols_of_the_model_mean_is_its_filter(self):
    expected_SxQ = np.pad(self.filters, ((0, 0), (0, 2)))
    np.testing.assert_allclose(self.result.model_SxQ, expected_SxQ, atol=1e-5)
    self.assertTrue((self.result.model_low_Q <= self.result.model_SxQ.min(0) + 1e-5).all())
    self.assertTrue((self.result.model_high_Q >= self.result.model_SxQ.max(0) - 1e-5).all())

  def test_ols_of_the_truth_is_that_of_numpy_and_near_the_plant(self):
    first, last = self.run_.series.splits["test"]
    self.assertGreater(self.result.samples, last - first - 2 * tiny_study.T)
    residual_N = self.value_N.astype(np.float64) - 1
    index_N = first + 8 + np.arange(self.result.samples)
    x_NxQ = np.stack([residual_N[index_N - q] for q in range(1, 6)], axis=1)
    expected_Q, *_ = np.linalg.lstsq(x_NxQ, residual_N[index_N], rcond=None)
    error = 1 / np.sqrt(self.result.samples)  # of one coefficient, at most
    np.testing.assert_allclose(self.result.truth_Q, expected_Q, rtol=1e-8)
    np.testing.assert_allclose(self.result.truth_Q, np.pad(PHI, (0, 2)), atol=4 * error)
    width_Q = self.result.truth_high_Q - self.result.truth_low_Q
    np.testing.assert_array_less(width_Q, 6 * error)
    np.testing.assert_array_less(2 * error, width_Q)
    for bound, sign in ((self.result.truth_low_Q, 1), (self.result.truth_high_Q, -1)):
      self.assertTrue((sign * (self.result.truth_Q - bound) > 0).all())

  def test_sums_by_order(self):
    rows = {row["order"]: row for row in self.result.sums}
    self.assertEqual(list(rows), [1, 2, 3, 5])
    five = rows[5]
    self.assertAlmostEqual(five["truth_sum"], self.result.truth_Q.sum())
    self.assertAlmostEqual(five["truth_lag2"], self.result.truth_Q[1])
    sums = [filter_Q.sum() for filter_Q in self.filters]
    for order in (3, 5):
      self.assertAlmostEqual(rows[order]["model_sum"], np.mean(sums), places=4)
      self.assertAlmostEqual(rows[order]["model_r2"], 1, places=6)
    self.assertAlmostEqual(rows[3]["model_lag1"], (0.3 + PHI[0]) / 2, places=4)
    self.assertLess(rows[1]["model_r2"], 0.99)
    # One lag of an AR(3) sees its first autocorrelation.
    r_N = self.value_N.astype(np.float64) - 1
    lag1 = np.mean(r_N[1:] * r_N[:-1]) / np.mean(r_N**2)
    self.assertAlmostEqual(rows[1]["truth_sum"], lag1, delta=0.06)

  def _rows(self, split: str, lags: int):
    """Every scored row of a split: 1, the lags before it, and the residual."""
    first, last = self.run_.series.splits[split]
    step = tiny_study.T - 7
    count = len(range(first, last - tiny_study.T, step)) * step
    index_N = first + 8 + np.arange(count)
    residual_N = self.value_N.astype(np.float64) - 1
    columns = [residual_N[index_N - q] for q in range(1, lags + 1)]
    x_NxP = np.stack([np.ones(count), *columns], axis=1)
    return x_NxP, residual_N[index_N]

  def test_scores_are_of_test_and_fits_of_select(self):
    scores = {row["predictor"]: row for row in self.result.scores}
    for lags in (3, 5):
      beta_P, *_ = np.linalg.lstsq(*self._rows("select", lags), rcond=None)
      x_NxP, truth_N = self._rows("test", lags)
      error_N = truth_N - x_NxP @ beta_P
      expected = 1 - np.mean(error_N**2) / np.var(truth_N)
      row = scores[f"OLS of the truth, {lags} lags"]
      self.assertAlmostEqual(row["r2"], expected, places=10)

  def test_scores_are_near_what_is_possible(self):
    scores = {row["predictor"]: row for row in self.result.scores}
    variance = np.var(self.value_N[slice(*self.run_.series.splits["test"])])
    possible = 1 - SCALE**2 / variance  # of anyone who knows PHI
    for name in ("OLS of the truth, 3 lags", "OLS of the truth, 5 lags"):
      self.assertAlmostEqual(scores[name]["r2"], possible, delta=0.02)
    # A filter is its own linear part.
    model = scores["model mean (average of seeds)"]
    part = scores["linear part of the model, 5 lags"]
    self.assertAlmostEqual(model["r2"], part["r2"], places=4)
    self.assertLess(model["r2"], possible - 0.05)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "linear", self.result, provenance={})
    back, _ = legacy.read(folder, "linear", linear.Result)
    jax.tree.map(np.testing.assert_array_equal, vars(back), vars(self.result))


class PostfixTest(absltest.TestCase):
  def test_jacobian_of_a_model_that_predicts_once(self):
    weight_T = np.linspace(-1, 1, tiny_study.T).astype(np.float32)

    def last(params, x_BxT, **_):
      mean_Bx1 = 1 + (x_BxT - 1) @ params["w"][:, None]
      return tiny_study.gaussian(mean_Bx1, SCALE), {}

    run = tiny_study.handmade(
      last,
      {"w": jnp.asarray(weight_T)[None]},
      tiny_study.ar(PHI, 1000),
      model=tiny_study.tiny_model("postfix"),
    )
    found_SxQ = linear.jacobian(run, "test", 4, 4)
    np.testing.assert_allclose(found_SxQ[0], weight_T[::-1][:4], rtol=1e-6)


if __name__ == "__main__":
  absltest.main()
