import dataclasses
import os
import tempfile
from types import SimpleNamespace
from unittest import mock

import drawn
import jax
import numpy as np
import tiny_study
import tiny_waves
from absl.testing import absltest
from primelens.configs import zeros_long
from primelens.lens import legacy
from primelens.models import optimizer
from primelens.studies.zeros import guides, prime_waves, prime_waves_layers, report_prime_waves
from primelens.studies.zeros import prime_waves_known as known_lib
from primelens.studies.zeros import prime_waves_predictors as predictors
from primelens.studies.zeros import prime_waves_reading as reading
from primelens.tasks import primes, surrogates, zeros, zeros_computed


class ReadingTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.height_N = 1e6 + np.cumsum(rng.uniform(0.3, 0.7, 6_000))
    self.prime_Q = primes.below(30)
    phase_NxQ = self.height_N[:, None] * np.log(self.prime_Q) + self.prime_Q
    self.wave_NxQ = np.cos(phase_NxQ) / self.prime_Q

  def _read(self, *means):
    truth_N = 1 + 1e-3 * self.wave_NxQ.sum(1)
    return reading.read(
      np.array(means),
      truth_N,
      self.height_N,
      self.prime_Q,
      line_A=guides.lines(30),
      floor=0.0,
      draws=20,
      seed=0,
    )

  def test_gain_and_what_is_left_of_a_prediction_by_halves(self):
    # All of every wave; half; the first five primes alone.
    found = self._read(
      *(
        1 + 1e-3 * self.wave_NxQ @ weight_Q
        for weight_Q in (np.ones(10), np.full(10, 0.5), np.arange(10) < 5)
      )
    )
    known = found.knowledge
    np.testing.assert_allclose(known.gain_ExQ[0], 1, atol=1e-6)
    np.testing.assert_allclose(known.gain_ExQ[1], 0.5, atol=1e-3)
    np.testing.assert_allclose(known.left_ExQ[1], 0.5, atol=1e-3)
    np.testing.assert_allclose(known.gain_ExQ[2, :5], 1, atol=0.15)
    np.testing.assert_allclose(known.left_ExQ[2, 5:], 1, atol=0.3)
    self.assertTrue((found.max_t_ExQ[2, :5] < 0.05).all())
    self.assertTrue((found.max_t_ExQ[2, 5:] > 0.05).all())
    np.testing.assert_allclose(found.line_ExQ[0], 1e-3 / self.prime_Q, rtol=0.2)

  def test_record_of_a_prediction(self):
    mean_N = 1 + 1e-3 * self.wave_NxQ[:, :4].sum(1)
    found = self._read(mean_N)
    law_Q = 1e-3 / self.prime_Q
    row = reading.record(found, 0, mean_N, law_Q, self.prime_Q)
    self.assertEqual((row["found"], row["known"], row["stands"]), (4, 4, 10))
    self.assertEqual(row["beyond"], 4 - row["beside"])
    self.assertEqual(row["cutoff"], 19)  # 4 of the 8 primes to 19
    whole = np.sum(1 / self.prime_Q**2.0)
    share = np.sum(1 / self.prime_Q[:4] ** 2.0) / whole
    self.assertAlmostEqual(row["r2"], share, delta=0.02)

  def test_half_known_to(self):
    stands_Q = self.prime_Q > 2
    every_Q = np.ones(10, bool)
    for known, expected in (
      ((), 0),
      ((3,), 5),  # one of two
      ((2,), 0),  # does not stand out
      ((7,), 0),  # one of three
      ((3, 5, 11), 17),  # 3 of the 6 to 17
    ):
      known_Q = np.isin(self.prime_Q, known)
      found = known_lib.cutoff(known_Q, stands_Q, self.prime_Q)
      self.assertEqual(found, expected, known)
    self.assertEqual(known_lib.cutoff(every_Q, every_Q, self.prime_Q), 29)

  def test_nothing_is_found_where_nothing_is_judged(self):
    mean_N = 1 + 1e-3 * self.wave_NxQ.sum(1)
    found = self._read(mean_N)
    blind = found._replace(max_t_ExQ=np.full_like(found.max_t_ExQ, np.nan))
    law_Q = 1e-3 / self.prime_Q
    row = reading.record(blind, 0, mean_N, law_Q, self.prime_Q)
    self.assertEqual((row["judged"], row["found"]), (0, 0))


class PlanTest(absltest.TestCase):
  def _plan(self, mode, **fit_changes):
    experiment = zeros_long.get_config(mode)
    for name, value in fit_changes.items():
      setattr(experiment.fit, name, value)
    run = SimpleNamespace(experiment=experiment, settings=experiment.analyses)
    return prime_waves.plan(run)

  def test_is_one_with_memory_and_without(self):
    self.assertEqual(self._plan("none"), self._plan("memory_blind"))
    self.assertEqual(self._plan("none", seeds=7), self._plan("none"))

  def test_does_not_depend_on_what_changes_no_number(self):
    experiment = zeros_long.get_config("none")
    experiment.task.cache = "elsewhere"
    experiment.analyses.prime_waves.symbolic = False
    experiment.analyses.prime_waves.context_windows = 0
    run = SimpleNamespace(experiment=experiment, settings=experiment.analyses)
    self.assertEqual(prime_waves.plan(run), self._plan("none"))

  def test_a_mask_a_slow_trunk_and_another_context_are_other_plans(self):
    plan = self._plan("none")
    for change in (
      lambda e: setattr(e.model.trunk, "mask", "full"),
      lambda e: setattr(e.fit.optimizer, "slow_pattern", "blocks/.*"),
      lambda e: setattr(e.analyses.evaluation, "min_context", 8),
    ):
      experiment = zeros_long.get_config("none")
      change(experiment)
      run = SimpleNamespace(experiment=experiment, settings=experiment.analyses)
      self.assertNotEqual(prime_waves.plan(run), plan)

  def test_is_another_with_another_optimizer_or_other_data(self):
    plan = self._plan("none")
    self.assertNotEqual(self._plan("none", steps=11), plan)
    slow = optimizer.Config(rate=1e-4)
    self.assertNotEqual(self._plan("none", optimizer=slow), plan)
    run = SimpleNamespace(experiment=zeros_long.get_config("none"))
    run.settings = run.experiment.analyses
    run.experiment.task.recent = 1_000
    self.assertNotEqual(prime_waves.plan(run), plan)


class PredictorsTest(absltest.TestCase):
  def test_the_explicit_formula_knows_where_it_is(self):
    ordinate_N = zeros_computed.compute(tiny_waves.FIRST, 2_001)
    index_N = np.arange(700, 1_700)
    value_N = np.diff(zeros.unfold(ordinate_N))
    mean_N, variance = predictors.by_formula(value_N, ordinate_N[:-1], index_N, 1_000)
    truth_N = value_N[index_N]
    # Zeta spec 7.1: 0.8817 with primes to 1,000, on 4,000 zeros.
    r2 = 1 - np.mean((mean_N - truth_N) ** 2) / truth_N.var()
    self.assertAlmostEqual(r2, 0.882, delta=0.02)
    # Of the errors before it: nothing that is scored changes the variance.
    value_N[700:] = 9
    _, again = predictors.by_formula(value_N, ordinate_N[:-1], index_N, 1_000)
    self.assertEqual(variance, again)
    left = variance / np.mean((mean_N - truth_N) ** 2)
    self.assertAlmostEqual(left, 1, delta=0.15)

  def test_a_control_is_read_on_zeros(self):
    cache = self.enterContext(tempfile.TemporaryDirectory())
    self.enterContext(mock.patch.dict(os.environ, PRIMELENS_CACHE=cache))
    run = tiny_waves.run()
    task = surrogates.Config(ensemble="cue", window=run.experiment.model.window)
    run = dataclasses.replace(run, experiment=dataclasses.replace(run.experiment, task=task))
    stretch = predictors.stretch(run, 100)
    self.assertEqual(zeros.number(stretch.ordinate_N[:20_000]), tiny_waves.FIRST - 21_000)
    np.testing.assert_allclose(
      stretch.truth_N,
      np.diff(zeros.unfold(stretch.ordinate_N))[stretch.index_NxU.ravel()],
      atol=1e-6,
    )

  def test_parts_are_the_first_windows(self):
    stretch = predictors.stretch(tiny_waves.run(), 144)
    each = stretch.index_NxU.shape[1]
    part = stretch.part(each + 1)
    self.assertLen(part.truth_N, 2 * each)
    np.testing.assert_array_equal(part.truth_N, stretch.truth_N[: 2 * each])
    # Consecutive: windows leave nothing out.
    self.assertEqual(set(np.diff(stretch.index_NxU.ravel())), {1})


class PrimeWavesTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.run_ = tiny_waves.run(symbolic=False, spacings=900)
    cls.result = prime_waves.run(cls.run_)

  def test_rows_are_who_predicts(self):
    kinds = [row["kind"] for row in self.result.table]
    self.assertEqual(
      kinds,
      ["truth", *["network"] * 2, *["untrained"] * 2] + ["kernel", "filter", "formula", "planted"],
    )
    self.assertLen(self.result.amplitude_ExQ, len(kinds) - 1)

  def test_the_truth_has_all_of_its_waves(self):
    np.testing.assert_allclose(self.result.gain_ExQ[0], 1, atol=1e-6)
    np.testing.assert_allclose(self.result.left_ExQ[0], 0, atol=1e-6)
    self.assertEqual(self.result.table[0]["known"], self.result.stands_Q.sum())
    self.assertGreaterEqual(self.result.stands_Q.sum(), 12)

  def test_planted_waves_are_found(self):
    self.assertEqual(self.result.table[-1]["found"], 3)
    self.assertEqual(self.result.table[-1]["elsewhere"], 0)

  def test_a_network_equal_to_its_fresh_self_reads_the_same(self):
    np.testing.assert_array_equal(self.result.amplitude_ExQ[1:3], self.result.amplitude_ExQ[3:5])
    np.testing.assert_allclose(self.result.state_SxLxQ.mean(0), self.result.untrained_LxQ)
    self.assertEqual(self.result.state_max_t_SxLxQ.shape, (2, 2, 15))
    np.testing.assert_array_equal(self.result.state_max_t_SxLxQ, self.result.untrained_max_t_SxLxQ)
    self.assertEqual(self.result.head_max_t_SxLxHxQ.shape, (2, 2, 2, 15))

  def test_shapes(self):
    self.assertEqual(self.result.head_SxLxHxQ.shape, (2, 2, 2, 15))
    self.assertEqual(self.result.context_T.tolist(), [2, 8])
    self.assertEqual(self.result.context_known_SxTxQ.shape, (2, 2, 15))
    self.assertEqual(self.result.step_C.shape, (0,))
    names = [row["name"] for row in self.result.peaks]
    self.assertEqual(names[-2:], ["3 lags of the sine kernel", "AR(3)"])
    self.assertEqual(self.result.spectrum_PxF.shape, (6, len(self.result.frequency_F)))

  def test_a_head_that_is_kept_costs_nothing(self):
    # A network whose heads say nothing: no gain can go with them.
    params_S = jax.tree.map(lambda leaf: leaf, self.run_.params_S)
    out = params_S["blocks"]["attention"]["out"]
    out["kernel"] = 0 * out["kernel"]
    silent = dataclasses.replace(self.run_, params_S=params_S)
    stretch = predictors.stretch(silent, 144)
    found = prime_waves_layers.heads(silent, stretch, primes.below(20))
    np.testing.assert_allclose(found["head_SxLxHxQ"], 0, atol=1e-6)

  def test_stored_drawn_and_shown(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "prime_waves", self.result, provenance={})
    back, _ = legacy.read(folder, "prime_waves", prime_waves.Result)
    drawn.assert_inside(self, legacy.drawing("zeros", "prime_waves")(back))
    page = str(report_prime_waves._waves(back))
    self.assertIn("explicit formula, primes to 10", page)
    self.assertIn("of 3 waves planted at composites 3 are found", page)
    self.assertIn("8 spacings in sight", page)

  def test_spacings_that_are_neither_zeros_nor_a_control_are_named(self):
    experiment = tiny_study.get_config()
    self.assertIn("poisson", prime_waves.obstacle(experiment))
    experiment.task.ensemble = "cue"
    self.assertEqual(prime_waves.obstacle(experiment), "")


if __name__ == "__main__":
  absltest.main()
