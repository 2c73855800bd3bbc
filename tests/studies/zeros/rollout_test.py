import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest
from primelens.lens import legacy
from primelens.studies.zeros import rolling, rollout, scoring
from primelens.tasks import windows

PHI, SCALE, COUNT, T = -0.6, 0.2, 30_000, tiny_study.T
DRAWS, STARTS, HORIZON = 60, 40, 30


def first_order(params, x_BxT, **_):
  """A Gaussian AR(1) with the given coefficient."""
  return tiny_study.gaussian(1 + params["phi"] * (x_BxT - 1), SCALE), {}


def once(params, x_BxT, **_):
  """The same, predicting once per window as postfix models do."""
  return first_order(params, x_BxT[:, -1:])


def _run(apply_fn, memory="none", **changed):
  value_N = tiny_study.ar([PHI], COUNT, scale=SCALE)
  settings = {"starts": STARTS, "horizon": HORIZON, "draws": DRAWS, "rows": 5}
  settings |= changed
  return tiny_study.handmade(
    apply_fn,
    {"phi": jnp.array([PHI, 0.0])},
    value_N,
    model=tiny_study.tiny_model(memory),
    splits=windows.published_tail(COUNT, window=T, gap=50),
    changed={f"rollout.{name}": value for name, value in settings.items()},
    fresh_S={"phi": jnp.array([0.5])},
  )


def _decay(newest_N, phi: float, steps: int):
  """The AR(1) fed back: r phi, r phi^2, ..."""
  return 1 + newest_N[:, None] * phi ** np.arange(1, steps + 1)


class RolloutTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.run_ = _run(first_order)
    cls.result = rollout.run(cls.run_)
    value_N = cls.run_.series.value_N.astype(np.float64)
    first, last = cls.run_.series.splits["test"]
    cls.start_N = np.linspace(first, last - T - HORIZON, STARTS).round()
    cls.start_N = cls.start_N.astype(int)
    cls.newest_N = value_N[cls.start_N + T - 1] - 1
    at_NxQ = cls.start_N[:, None] + T + np.arange(HORIZON)
    cls.truth_NxQ = value_N[at_NxQ]
    cls.names = [row["name"] for row in cls.result.table]

  def _row(self, name):
    return self.names.index(name)

  def test_mean_rollout_and_anchors_are_the_closed_form(self):
    for name, phis in (
      ("model (handmade)", (PHI, 0.0)),
      ("untrained network", (0.5,)),
      ("constant 1", (0.0,)),
    ):
      gaps = [np.cumsum(_decay(self.newest_N, phi, HORIZON) - self.truth_NxQ, 1) for phi in phis]
      error_R = np.abs(gaps).mean((0, 1))[self.result.horizon_R - 1]
      row = self._row(name)
      np.testing.assert_allclose(self.result.error_ExR[row], error_R, rtol=1e-4)
      step_Q = np.abs([np.diff(gap, prepend=0) for gap in gaps]).mean((0, 1))
      np.testing.assert_allclose(self.result.step_ExQ[row], step_Q, rtol=1e-4)
    np.testing.assert_array_equal(self.result.horizon_R, [1, 10, 25])
    self.assertEqual(self.result.at, HORIZON)

  def test_fitted_filters_find_the_process(self):
    # AR(3) on 27,000 values of an AR(1): within a few hundredths of it.
    known = np.cumsum(_decay(self.newest_N, PHI, HORIZON) - self.truth_NxQ, 1)
    error_R = np.abs(known).mean(0)[self.result.horizon_R - 1]
    for name in ("AR(3)", "adaptive AR(256)"):
      row = self.result.error_ExR[self._row(name)]
      np.testing.assert_allclose(row, error_R, atol=0.05)

  def test_model_minus_is_paired(self):
    row = self.result.table[self._row("constant 1")]
    gap_N = np.zeros(STARTS)
    for phi in (PHI, 0.0):
      gap_N += np.abs((_decay(self.newest_N, phi, HORIZON) - self.truth_NxQ).sum(1))
    minus_N = gap_N / 2 - np.abs((1 - self.truth_NxQ).sum(1))
    self.assertAlmostEqual(row["model_minus"], minus_N.mean(), places=4)
    self.assertLess(row["model_minus_low"], row["model_minus"])
    self.assertLess(row["model_minus"], row["model_minus_high"])
    zero = self.result.table[0]
    self.assertEqual(zero["model_minus_low"], zero["model_minus_high"])

  def test_sampled_futures_spread_as_the_process_does(self):
    # Var of a sum of h steps: sigma^2 sum_{j=1..h} ((1 - phi^j)/(1 - phi))^2.
    for s, phi in enumerate((PHI, 0.0)):
      for h, spread in zip(self.result.horizon_R, self.result.spread_SxR[s], strict=True):
        gain_J = (1 - phi ** np.arange(1, h + 1)) / (1 - phi)
        expected = SCALE * np.sqrt((gain_J**2).sum())
        # The mean of 40 standard deviations of 60 draws.
        self.assertAlmostEqual(spread, expected, delta=0.06 * expected)
    np.testing.assert_allclose(
      self.result.truth_spread_R, np.cumsum(self.truth_NxQ, 1).std(0)[self.result.horizon_R - 1]
    )

  def test_mean_and_median_of_draws_approach_the_mean_rollout(self):
    base = self.result.error_ExR[0]
    for name in ("model, mean of draws", "model, median of draws"):
      np.testing.assert_allclose(self.result.error_ExR[self._row(name)], base, atol=0.06)
    single = self.result.error_ExR[self._row("model, single draws")]
    self.assertTrue((single > base).all())

  def test_clamped_draws_drift(self):
    row = self._row("model, draws clamped as published")
    self.assertGreater(self.result.error_ExR[row, -1], 2 * self.result.error_ExR[0, -1])

  def test_published_protocols_on_their_rows(self):
    value_N = self.run_.series.value_N.astype(np.float64)
    first, last = self.run_.series.splits["test"]
    row_Nx256 = value_N[first:last].reshape(-1, 256)
    state = np.random.RandomState(42)
    drawn = row_Nx256[state.choice(len(row_Nx256), size=5, replace=False)]
    records = {(r["protocol"], r["predictor"], r["horizon"]): r for r in self.result.protocols}
    for protocol, rows, context in (
      ("cumulative_seed_42_as_published", drawn, 128),
      ("cumulative_first_rows_as_published", row_Nx256[:5], 128),
      ("cumulative_short_context_as_published", row_Nx256[:5], 10),
    ):
      truth = rows[:, context : context + 100]
      errors = [
        np.abs((_decay(rows[:, context - 1] - 1, phi, 100) - truth).sum(1)) for phi in (PHI, 0.0)
      ]
      row = records[protocol, "model (handmade)", 100]
      self.assertAlmostEqual(row["error"], np.mean(errors), places=3)
      self.assertEqual(row["context"], min(context, T))
      one = records[protocol, "constant 1", 100]
      self.assertAlmostEqual(one["error"], errors[1].mean(), places=5)
      gap = np.mean(errors) - errors[1].mean()
      self.assertAlmostEqual(one["model_minus"], gap, places=3)
    steps = [np.abs(_decay(drawn[:, 3] - 1, phi, 4) - drawn[:, 4:8]) for phi in (PHI, 0.0)]
    name = "per_step_growing_context_as_published"
    row = records[name, "model (handmade)", 4]
    self.assertAlmostEqual(row["error"], np.mean(steps), places=5)
    self.assertEqual(row["context"], 4)
    self.assertIn((name, "model, median of draws", 4), records)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "rollout", self.result, provenance={})
    back, _ = legacy.read(folder, "rollout", rollout.Result)
    jax.tree.map(np.testing.assert_array_equal, vars(back), vars(self.result))


class RollingTest(absltest.TestCase):
  def test_a_model_that_predicts_once_rolls_alike(self):
    run, postfix = _run(first_order), _run(once, "postfix")
    context_NxT = run.series.value_N[: 3 * T].reshape(3, T)
    everywhere, last = (rolling.rolled(r, r.params_S, context_NxT, 12) for r in (run, postfix))
    np.testing.assert_allclose(everywhere, last, rtol=1e-6)
    self.assertEqual(last.shape, (2, 1, 3, 12))

  def test_clamped_draws_have_a_mean_above_one(self):
    # A draw of scale sigma, clipped at s = 1: E max(r, 0) = sigma/sqrt(2 pi).
    run = _run(first_order)
    params_S = {"phi": jnp.zeros(1)}
    context_NxT = np.ones((200, T), np.float32)
    modes = (rolling.DRAW, rolling.CLAMPED)
    rolled = rolling.rolled(run, params_S, context_NxT, 50, mode=modes)
    mean_R = rolled[0].mean((1, 2))
    drift = SCALE / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(mean_R, [1, 1 + drift], atol=0.008)
    self.assertEqual(rolled[0, 1].min(), 1)

  def test_an_overflow_is_lost_and_not_a_failure(self):
    run = _run(first_order)
    params_S = {"phi": jnp.array([1e20])}
    rolled = rolling.rolled(run, params_S, np.full((1, T), 3, np.float32), 9)
    self.assertTrue(np.isfinite(rolled).all())
    self.assertEqual(rolled[0, 0, 0, -1], rolling.LOST)


class RowsTest(absltest.TestCase):
  def test_rows_are_those_of_the_published_tail(self):
    run = _run(first_order)
    rows = scoring.rows(run)
    first, last = run.series.splits["test"]
    np.testing.assert_array_equal(rows.value_NxT.ravel(), run.series.value_N[first:last])
    np.testing.assert_array_equal(np.diff(rows.start_N), 256)
    some, all_ = scoring.chosen(rows, 3), scoring.chosen(rows, 999)
    self.assertLen(some.start_N, 3)
    self.assertContainsSubset(some.start_N, all_.start_N)
    np.testing.assert_array_equal(all_.start_N, rows.start_N)
    np.testing.assert_array_equal(scoring.leading(rows, 2).start_N, rows.start_N[:2])

  def test_a_short_tail_has_no_row(self):
    run = tiny_study.handmade(first_order, {}, tiny_study.ar([PHI], 1000))
    with self.assertRaisesRegex(ValueError, "no row of 256"):
      scoring.rows(run)


if __name__ == "__main__":
  absltest.main()
