import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import tiny_study
from absl.testing import absltest, parameterized
from primelens.lens import results
from primelens.models import spacing
from primelens.studies.zeros import program
from primelens.tasks import windows

T = tiny_study.T
TRAIN = (100, 1100)


def _series(value_N, **options):
  splits = {"train": TRAIN, "select": (1200, 1400), "test": (1500, 1700)}
  return windows.Series(
    value_N=np.asarray(value_N, np.float32), splits=splits, window=T, data_hash="", **options
  )


def _experiment(memory="none", batch_size=8, **options):
  experiment = tiny_study.get_config()
  experiment.model = tiny_study.tiny_model(memory, **options)
  experiment.fit.batch_size = batch_size
  return experiment


class SkipStartTest(parameterized.TestCase):
  @parameterized.parameters(
    (1, 0, 0, [(100, 1100)]),
    (1, 0, 300, [(100, 800)]),
    (2, 0, 0, [(100, 600), (600, 1100)]),
    (3, 200, 50, [(450, 650), (650, 850), (850, 1050)]),
  )
  def test_rows_solve_the_toeplitz_equations(self, filters, stretch, lead, stretches):
    value_N = tiny_study.ar([-0.5, 0.2], 1700)
    model = tiny_study.tiny_model(
      skip_order=6, skip_filters=filters, skip_stretch=stretch, skip_lead=lead
    )
    skip = program.skip_start(_series(value_N), model)
    kernel_JxQxQ = np.asarray(skip["kernel"])
    self.assertEqual(kernel_JxQxQ.shape, (filters, 6, 6))
    for j, (first, last) in enumerate(stretches):
      r_N = value_N[first:last].astype(np.float64) - 1
      c_Q = [r_N[k:] @ r_N[: len(r_N) - k] / len(r_N) for k in range(7)]
      variance_Q = []
      for q in range(1, 7):
        phi_Q = scipy.linalg.solve_toeplitz(c_Q[:q], c_Q[1 : q + 1])
        row_Q = np.pad(phi_Q, (0, 6 - q))
        np.testing.assert_allclose(kernel_JxQxQ[j, q - 1], row_Q, rtol=1e-4, atol=1e-6)
        variance_Q.append(c_Q[0] - phi_Q @ c_Q[1 : q + 1])
    np.testing.assert_allclose(skip["log_scale"], 0.5 * np.log(variance_Q), rtol=1e-5)

  def test_the_fresh_parameters_hold_it(self):
    experiment = _experiment(skip_order=4)
    series = _series(tiny_study.ar([0.5], 1700))
    built, data, _ = program.build(experiment, series)
    params = jax.jit(built.init)(data, jax.random.key(0))
    expected = program.skip_start(series, experiment.model)
    jax.tree.map(np.testing.assert_array_equal, params["skip"], expected)

  def test_filters_that_do_not_fit_are_refused(self):
    model = tiny_study.tiny_model(skip_order=4, skip_filters=4, skip_stretch=300)
    with self.assertRaisesRegex(
      ValueError, "4 filters of 300 spacings do not fit the 1000 of the train"
    ):
      program.skip_start(_series(np.ones(1700)), model)


class DrawTest(parameterized.TestCase):
  @parameterized.parameters(
    ({}, range(100, 1100 - T)),
    ({"stride": 64}, range(100, 1100 - T, 64)),
    ({"recent": 50}, range(1050, 1100 - T)),
  )
  def test_windows_come_from_the_drawn_range(self, options, expected):
    series = _series(np.arange(1700), **options)  # a value names its index
    built, data, _ = program.build(_experiment(batch_size=4000), series)
    batch_BxT1 = np.asarray(jax.jit(built.draw)(data, jax.random.key(1), 0))
    start_B = batch_BxT1[:, 0].astype(int)
    np.testing.assert_array_equal(batch_BxT1, start_B[:, None] + np.arange(T + 1)[None])
    self.assertTrue(set(start_B) <= set(expected))
    self.assertGreater(len(set(start_B)) / len(expected), 0.95)
    first, last = series.drawn
    self.assertBetween(start_B.min(), first, first + 64)
    self.assertBetween(start_B.max() + T, last - 64, last - 1)

  def test_the_drift_loss_gets_rows_of_its_own(self):
    series = _series(np.arange(1700))
    experiment = _experiment(drift_weight=0.1, drift_batch=5, drift_context=8, drift_horizon=8)
    built, data, _ = program.build(experiment, series)
    batch = jax.eval_shape(built.draw, data, jax.random.key(0), 0)
    self.assertEqual(batch.shape, (13, T + 1))

  @parameterized.parameters(("none", T), ("postfix", 1))
  def test_select_windows_score_disjoint_targets(self, memory, step):
    series = _series(np.arange(1700))
    _, _, select = program.build(_experiment(memory), series)
    select_NxT1 = np.asarray(select["window_NxT1"])
    self.assertEqual(select_NxT1.shape, (8, T + 1))
    self.assertGreaterEqual(select_NxT1.min(), 1200)
    self.assertLess(select_NxT1.max(), 1400)
    self.assertGreaterEqual(np.diff(select_NxT1[:, 0]).min(), step)


class BindTest(absltest.TestCase):
  def test_permuting_slot_ids_are_fixed_for_analyses(self):
    experiment = tiny_study.get_config("postfix")
    experiment.model.trunk.init_std = 0.5
    params = jax.jit(lambda key: spacing.init(experiment.model, key))(jax.random.key(0))
    input_BxT = tiny_study.ar([0.5], 2 * T).reshape(2, T)
    found = {}
    for mode in ("permute_per_batch", "fixed", "off"):
      experiment.model.eval_slot_ids = mode
      mixture, _ = jax.jit(program.bind(experiment))(params, input_BxT)
      found[mode] = np.asarray(mixture.mean)
    np.testing.assert_array_equal(found["permute_per_batch"], found["fixed"])
    self.assertGreater(np.abs(found["off"] - found["fixed"]).max(), 1e-4)


class EvaluationTest(absltest.TestCase):
  def _nll(self, model):
    model.trunk.init_std = 0.5
    params = jax.jit(lambda key: spacing.init(model, key))(jax.random.key(0))
    window_NxT1 = tiny_study.ar([0.5], 10 * (T + 1)).reshape(10, T + 1)
    evaluate = jax.jit(program.evaluation(model))
    keys = [jax.random.key(k) for k in (0, 0, *range(1, 8))]
    nll_K = [float(evaluate(params, {"window_NxT1": window_NxT1}, key)) for key in keys]
    order = {"slot_order_M": np.arange(model.slots)} if model.memory != "none" else {}
    plain = jax.jit(
      lambda params: spacing.score(spacing.bind(model), params, jnp.asarray(window_NxT1), **order)
    )
    return nll_K, float(np.mean(plain(params)))

  def test_is_the_mean_nll(self):
    nll_K, plain = self._nll(tiny_study.tiny_model())
    np.testing.assert_allclose(nll_K, plain, rtol=1e-6)

  def test_fixed_ids_do_not_depend_on_the_key(self):
    model = tiny_study.tiny_model("postfix", slot_ids="permute_per_batch")
    nll_K, plain = self._nll(model)
    np.testing.assert_allclose(nll_K, plain, rtol=1e-6)

  def test_permuted_ids_do(self):
    model = tiny_study.tiny_model("postfix", eval_slot_ids="permute_per_batch")
    nll_K, plain = self._nll(model)
    self.assertEqual(nll_K[0], nll_K[1])
    # Two slots have two orders; one of them is the fixed one.
    self.assertLen({round(nll, 5) for nll in nll_K}, 2)
    self.assertLess(min(abs(nll - plain) for nll in nll_K), 1e-5)


class ContextTest(absltest.TestCase):
  def test_postfix_models_always_have_the_whole_window(self):
    plain, postfix = map(tiny_study.tiny_model, ("none", "postfix"))
    self.assertEqual(program.scored_context(plain, 5), 5)
    self.assertEqual(program.scored_context(postfix, 5), T)


class OfDataTest(absltest.TestCase):
  def test_equal_results_come_once(self):
    made = lambda value: results.dataset({"x": results.variable("row", [value, np.nan], "x")}, n=1)
    other = made(2.0)
    found = program.of_data({"a": made(1.0), "b": other, "c": made(1.0), "d": made(1.0)})
    self.assertEqual(list(found), ["a (and 2 more)", "b"])
    self.assertIs(found["b"], other)


if __name__ == "__main__":
  absltest.main()
