import copy
import functools
import tempfile

import drawn
import jax
import matplotlib
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
import zeros_linear
from absl.testing import absltest, parameterized
from primelens.lens import figures, results, tables
from primelens.models import spacing
from primelens.studies.zeros import linear

PHI = np.array([-0.45, -0.28, -0.16])  # about the published operator
SCALE = 0.2


@functools.cache
def _fresh(order: int):
  """Returns a spacing model with a skip, and fresh parameters."""
  model = tiny_study.tiny_model(skip_order=order)
  init = jax.jit(lambda key: spacing.init(model, key))
  return model, jax.device_get(init(jax.random.key(0)))


def _skip_only(phi_Q):
  """A spacing model whose transformer is silent: the linear skip alone."""
  model, params = copy.deepcopy(_fresh(len(phi_Q)))
  params["head"]["kernel"] = np.zeros_like(params["head"]["kernel"])
  kernel_QxQ = np.zeros((len(phi_Q), len(phi_Q)))
  for q in range(len(phi_Q)):
    kernel_QxQ[q, : q + 1] = phi_Q[: q + 1]
  params["skip"]["kernel"] = np.float32(kernel_QxQ[None])
  return model, params


def _run(value_N, filters):
  models, params = zip(*map(_skip_only, filters), strict=True)
  params_S = jax.tree.map(lambda *leaves: np.stack(leaves), *params)
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
    cls.found = linear.measure(cls.run_)

  def test_more_lags_than_a_window_has_are_refused(self):
    run = _run(self.value_N, self.filters)
    run.settings.linear.long_order = tiny_study.T + 1
    with self.assertRaisesRegex(ValueError, "long_order=17 is more than the 16 .* choose 3 to 16"):
      linear.measure(run)

  def test_jacobian_is_the_filter_of_the_skip(self):
    expected_SxQ = np.pad(self.filters, ((0, 0), (0, 2)))
    np.testing.assert_allclose(self.found.jacobian, expected_SxQ, atol=1e-6)

  def test_ols_of_the_model_mean_is_its_filter(self):
    expected_SxQ = np.pad(self.filters, ((0, 0), (0, 2)))
    np.testing.assert_allclose(self.found.model, expected_SxQ, atol=1e-5)
    low_Q, high_Q = self.found.mean_model_interval.values.T
    model_SxQ = self.found.model.values
    np.testing.assert_array_equal(self.found.mean_model, model_SxQ.mean(0))
    self.assertTrue((low_Q <= model_SxQ.min(0) + 1e-5).all())
    self.assertTrue((high_Q >= model_SxQ.max(0) - 1e-5).all())

  def test_ols_of_the_truth_is_that_of_numpy_and_near_the_plant(self):
    first, last = self.run_.series.splits["test"]
    self.assertGreater(self.found.samples, last - first - 2 * tiny_study.T)
    residual_N = self.value_N.astype(np.float64) - 1
    index_N = first + 8 + np.arange(self.found.samples)
    x_NxQ = np.stack([residual_N[index_N - q] for q in range(1, 6)], axis=1)
    expected_Q, *_ = np.linalg.lstsq(x_NxQ, residual_N[index_N], rcond=None)
    error = 1 / np.sqrt(self.found.samples)  # of one coefficient, at most
    np.testing.assert_allclose(self.found.truth, expected_Q, rtol=1e-8)
    np.testing.assert_allclose(self.found.truth, np.pad(PHI, (0, 2)), atol=4 * error)
    low_Q, high_Q = self.found.truth_interval.values.T
    width_Q = high_Q - low_Q
    np.testing.assert_array_less(width_Q, 6 * error)
    np.testing.assert_array_less(2 * error, width_Q)
    for bound, sign in ((low_Q, 1), (high_Q, -1)):
      self.assertTrue((sign * (self.found.truth.values - bound) > 0).all())

  def test_sums_by_order(self):
    found = self.found
    self.assertEqual(found.order.values.tolist(), [1, 2, 3, 5])
    truth, model = found.sel(regressed="truth"), found.sel(regressed="model")
    self.assertAlmostEqual(float(truth.coefficient_sum.sel(order=5)), float(found.truth.sum()))
    np.testing.assert_allclose(truth.coefficient.sel(order=5), found.truth)
    sums = [filter_Q.sum() for filter_Q in self.filters]
    for order in (3, 5):
      one = model.sel(order=order)
      self.assertAlmostEqual(float(one.coefficient_sum), np.mean(sums), places=4)
      self.assertAlmostEqual(float(one.r2), 1, places=6)
      self.assertEqual(int(np.isfinite(one.coefficient).sum()), order)
    first = float(model.coefficient.sel(order=3, lag=1))
    self.assertAlmostEqual(first, (0.3 + PHI[0]) / 2, places=4)
    self.assertLess(float(model.r2.sel(order=1)), 0.99)
    # One lag of an AR(3) sees its first autocorrelation.
    r_N = self.value_N.astype(np.float64) - 1
    lag1 = np.mean(r_N[1:] * r_N[:-1]) / np.mean(r_N**2)
    self.assertAlmostEqual(float(truth.coefficient_sum.sel(order=1)), lag1, delta=0.06)

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
    scores = {row["predictor"]: row for row in tables.rows(self.found, "scores")}
    for lags in (3, 5):
      beta_P, *_ = np.linalg.lstsq(*self._rows("select", lags), rcond=None)
      x_NxP, truth_N = self._rows("test", lags)
      error_N = truth_N - x_NxP @ beta_P
      expected = 1 - np.mean(error_N**2) / np.var(truth_N)
      row = scores[f"OLS of the truth, {lags} lags"]
      self.assertAlmostEqual(row["r2"], expected, places=10)

  def test_scores_are_near_what_is_possible(self):
    scores = {row["predictor"]: row for row in tables.rows(self.found, "scores")}
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
    results.write(folder, "linear", self.found, provenance={})
    back, _ = results.read(folder, "linear")
    xr.testing.assert_identical(back, self.found)


class PostfixTest(absltest.TestCase):
  def test_jacobian_of_a_model_that_predicts_once(self):
    weight_T = np.linspace(-1, 1, tiny_study.T).astype(np.float32)

    def last(params, x_BxT, **_):
      mean_Bx1 = 1 + (x_BxT - 1) @ params["w"][:, None]
      return tiny_study.gaussian(mean_Bx1, SCALE), {}

    run = tiny_study.handmade(
      last,
      {"w": weight_T[None]},
      tiny_study.ar(PHI, 1000),
      model=tiny_study.tiny_model("postfix"),
    )
    found_SxQ = linear.jacobian(run, "test", 4, 4)
    np.testing.assert_allclose(found_SxQ[0], weight_T[::-1][:4], rtol=1e-6)


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    # The operator is the truth's own.
    (linear.OPERATOR, "reproduced, but an artefact"),
    ((-0.3, -0.2, -0.1), "not reproduced"),
  )
  def test_status(self, lags, status):
    for card in (zeros_cards.card("none", zeros_cards.SMALL), zeros_cards.card(told=True)):
      runs = {"e4": (card, {"linear": zeros_linear.by_hand(lags)})}
      row = zeros_cards.row(linear, "linear.operator", **runs)
      self.assertEqual(row["status"], status, row["because"])
    self.assertEqual(row["numbers"]["truth, lag 3"], lags[2])
    self.assertEqual(row["numbers"]["sum, 20 lags"], -2.9)
    self.assertEqual(row["numbers"]["model, sum of 3 lags"], -0.9)
    self.assertIn(f"their sum is {sum(lags):.3f} with 3 lags and -2.900 with 20", row["because"])

  def test_other_data_decide_nothing(self):
    runs = {"e4": (zeros_cards.card(data="other"), {"linear": zeros_linear.by_hand()})}
    self.assertEqual(zeros_cards.status(linear, "linear.operator", **runs), "not run")

  def test_what_was_reported(self):
    (claim,) = linear.CLAIMS
    self.assertEqual(claim.reported, "-0.4467, -0.2819, -0.1586, sum -0.887")
    said = "The model's linear operator is (-0.45, -0.28, -0.16), with sum near -1: rigidity."
    self.assertEqual(claim.statement, said)


class ShownTest(absltest.TestCase):
  def pages(self, **runs):
    return {name: page.figure() for name, page in linear.figures(runs).items()}

  def test_figures(self):
    one, least = zeros_linear.by_hand(), zeros_linear.by_hand(seeds=1, count=3)
    self.assertEqual(set(linear.figures({"e0": one})), {"e0"})
    pages = self.pages(e0=one, least=least)
    self.assertEqual(set(pages), {"all runs", "e0", "least"})
    for figure in pages.values():
      drawn.assert_inside(self, figure)
      for axes in figure.findobj(matplotlib.axes.Axes):
        self.assertNotEmpty(axes.get_xlabel())
        self.assertNotEmpty(axes.get_ylabel())

  def test_the_same_result_gives_the_same_bytes_whatever_the_style(self):
    page = lambda: figures.png(linear.figures({"e0": zeros_linear.by_hand()})["e0"])
    plain, before = page(), dict(matplotlib.rcParams)
    self.assertEqual(before, dict(matplotlib.rcParams))
    its = {"savefig.facecolor": "red", "xtick.labelsize": 20, "text.hinting": "none"}
    with matplotlib.rc_context(its):
      self.assertEqual(page(), plain)

  def test_tables_set_the_published_operator_beside_ours(self):
    found = zeros_linear.by_hand((-0.41, -0.31, -0.21))
    three, sums, scores, lags = linear.tables({"e0": found})
    self.assertEqual(
      three.cells()[:2],
      [
        ["published", "truth", "-0.4467", "-0.2819", "-0.1586", "-0.8872"],
        ["e0", "truth", "-0.4100", "-0.3100", "-0.2100", "-0.9300"],
      ],
    )
    self.assertEqual(sums.cells()[0], ["e0", "3", "-0.930", "-0.900", "0.200", "0.300"])
    self.assertIn("OLS of the truth, 3 lags", scores.cells()[0])
    self.assertEqual(lags.cells()[0][:3], ["e0", "1", "-0.4100 [-0.4200, -0.4000]"])
    self.assertLen(lags.rows, 20)


if __name__ == "__main__":
  absltest.main()
