import functools
import itertools
import math
import tempfile
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest
from primelens.analyses import symbolic_operon
from primelens.lens import legacy
from primelens.studies.zeros import formula, pairs

SHAPE = 8.0  # of independent gamma spacings, mean 1 and variance 1 / 8
BIAS = 1.06  # the mean of a model that expects too much
SLOPE = 0.3


def biased(params, x_BxT, **_):
  """Expects bias (1 + slope (s1 - 1))."""
  mean_BxT = params["bias"] * (1 + SLOPE * (x_BxT - 1))
  return tiny_study.gaussian(mean_BxT, 0.4), {}


def quick():
  """Returns a patch: symbolic regression of a second, not of minutes."""
  search = functools.partial(
    symbolic_operon.formulas, population=60, generations=4, restarts=1, threads=1
  )
  return mock.patch.object(symbolic_operon, "formulas", search)


class FormulaTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    value_N = np.random.default_rng(0).gamma(SHAPE, 1 / SHAPE, 100_000)
    cls.run_ = tiny_study.handmade(
      biased,
      {"bias": jnp.array([BIAS - 0.1, BIAS + 0.1])},
      value_N,
      changed={
        "formula.samples": 9000,
        "formula.cue_matrices": 120,
        "formula.cue_size": 60,
        "symbolic.samples": 300,
        "bootstrap.block": 100,
        "bootstrap.samples": 400,
      },
    )
    with quick():
      cls.result = formula.run(cls.run_)

  def _closed(self, family: str) -> dict[str, dict]:
    return {row["target"]: row for row in self.result.closed if row["family"] == family}

  def test_every_target_has_every_closed_form(self):
    targets = ["model", "model seed 3", "model seed 4", "truth", "CUE"]
    targets.append("shuffled")
    families = {row["family"] for row in self.result.closed}
    for k in range(1, 9):
      self.assertIn(f"c / sum of {k} lags", families)
      self.assertIn(f"affine in {k} lags", families)
    self.assertLessEqual({"mean", "c / (s1 + b)"}, families)
    for family in families:
      self.assertEqual(list(self._closed(family)), targets, family)

  def test_the_constant_of_independent_spacings(self):
    # y and S = s1 + .. + sk independent, S gamma of shape 8 k:
    # c = E[1 / S] / E[1 / S^2] = (8 k - 2) / 8 = k - 1 / 4. No pi for k = 3.
    for target in ("truth", "shuffled"):
      for k in range(1, 9):
        row = self._closed(f"c / sum of {k} lags")[target]
        self.assertAlmostEqual(row["c"], k - 0.25, delta=0.012 * k)
        self.assertLess(row["low"], row["c"])
        self.assertGreater(row["high"], row["c"])
        self.assertLess(row["high"] - row["low"], 0.08 * k)
      row = self._closed("c / sum of 3 lags")[target]
      self.assertLess(row["high"], math.pi)

  def test_the_constant_by_height(self):
    rows = self.result.heights
    self.assertLen(rows, formula.STRETCHES)
    self.assertEqual((rows[0]["first"], rows[-1]["last"]), (3, 99_999))
    for before, after in itertools.pairwise(rows):
      self.assertEqual(before["last"] + 1, after["first"])
    for row in rows:  # a tenth of the rows each
      self.assertAlmostEqual(row["c"], 2.75, delta=0.05)
      self.assertLess(row["low"], row["c"])
      self.assertGreater(row["high"], row["c"])

  def test_a_mean_too_large_gives_a_constant_too_large(self):
    # y = bias (1 - slope + slope s1) and E[s1 / S] = 1 / k by symmetry.
    for k in (3, 4):
      inverse, square = (8 / (8 * k - 1), 64 / ((8 * k - 1) * (8 * k - 2)))
      c = ((1 - SLOPE) * inverse + SLOPE / k) / square
      rows = self._closed(f"c / sum of {k} lags")
      for target, factor in (
        ("model", BIAS),
        ("model seed 3", BIAS - 0.1),
        ("model seed 4", BIAS + 0.1),
      ):
        self.assertAlmostEqual(rows[target]["mean_target"], factor, places=2)
        self.assertAlmostEqual(rows[target]["c"], factor * c, delta=0.02)

  def test_cue_repels(self):
    # Anticorrelated unit-mean spacings: c between independence (3 - 2 var)
    # and a constant sum (3).
    row = self._closed("c / sum of 3 lags")["CUE"]
    self.assertBetween(row["c"], 3 - 2 * 0.18, 3.0)
    self.assertGreater(row["test_correlation"], 0.25)
    affine = self._closed("affine in 3 lags")
    self.assertGreater(affine["CUE"]["test_r2"], 0.1)
    for target in ("truth", "shuffled"):
      self.assertLess(affine[target]["test_r2"], 0.02)

  def test_fronts(self):
    front = self.result.front
    self.assertEqual(
      {(row["target"], row["null"]) for row in front},
      {("model", False), ("truth", False), ("CUE", False), ("model", True)},
    )
    for target in ("truth", "CUE"):
      rows = [row for row in front if row["target"] == target]
      complexity = [row["complexity"] for row in rows]
      mse = [row["train_mse"] for row in rows]
      self.assertEqual(complexity, sorted(set(complexity)))
      self.assertEqual(mse, sorted(mse, reverse=True))
    best = lambda name: max(r["test_r2"] for r in front if r["target"] == name)
    self.assertGreater(best("CUE"), 0.05)
    self.assertLess(best("truth"), 0.02)

  def test_published_forms_are_refitted(self):
    rows = [row for row in self.result.published if row["target"] == "truth"]
    self.assertIn("3.1055553/(s1 + s2 + s3)", [r["published"] for r in rows])
    three = next(r for r in rows if r["complexity"] == 7)
    closed = self._closed("c / sum of 3 lags")["truth"]
    self.assertAlmostEqual(three["train_mse"], closed["train_mse"], places=6)

  def test_constants_of_select_are_scored_on_test(self):
    value_N = self.run_.series.value_N.astype(np.float64)
    sums, targets = [], []
    for split in ("select", "test"):
      rows = pairs.of(self.run_, split, 9000, 8)
      first, last = self.run_.series.splits[split]
      self.assertBetween(rows.index_N.min(), first, last)
      self.assertBetween(rows.index_N.max(), first, last - 1)
      sums.append(sum(value_N[rows.index_N - q] for q in (1, 2, 3)))
      targets.append(value_N[rows.index_N])
    c = np.mean(targets[0] / sums[0]) / np.mean(1 / sums[0] ** 2)
    row = self._closed("c / sum of 3 lags")["truth"]
    self.assertAlmostEqual(row["c"], c, places=6)
    self.assertAlmostEqual(row["test_mse"], np.mean((targets[1] - c / sums[1]) ** 2), places=6)

  def test_samples(self):
    self.assertAlmostEqual(self.result.train_samples, 9000, delta=20)
    self.assertAlmostEqual(self.result.test_samples, 9000, delta=20)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "formula", self.result, provenance={})
    back, _ = legacy.read(folder, "formula", formula.Result)
    self.assertEqual(back.published, self.result.published)
    self.assertLen(back.closed, len(self.result.closed))
    jax.tree.map(np.testing.assert_array_equal, vars(back), vars(self.result))


class SurrogatesTest(absltest.TestCase):
  def test_shuffled_is_select_in_random_order(self):
    run = tiny_study.handmade(biased, {}, tiny_study.ar([0.9], 20_000))
    _, shuffled = formula._surrogates(run)
    self.assertEqual(shuffled.name, "shuffled")
    first, last = run.series.splits["select"]
    own_N = set(run.series.value_N[first:last].astype(np.float64))
    for target_N, lag_NxQ in (
      (shuffled.train_N, shuffled.train_lag_NxQ),
      (shuffled.test_N, shuffled.test_lag_NxQ),
    ):
      self.assertContainsSubset(set(target_N), own_N)
      correlation = np.corrcoef(target_N, lag_NxQ[:, 0])[0, 1]
      self.assertLess(abs(correlation), 5 / np.sqrt(len(target_N)))


class RowsTest(absltest.TestCase):
  def test_lags_stay_within_a_matrix_and_halves_apart(self):
    spacing_RxN = 100.0 * np.arange(6)[:, None] + np.arange(12)[None] + 1
    target = formula._rows("CUE", spacing_RxN, 5)
    for part, lag_NxQ, value_N in (
      ((0, 1, 2), target.train_lag_NxQ, target.train_N),
      ((3, 4, 5), target.test_lag_NxQ, target.test_N),
    ):
      self.assertEqual(lag_NxQ.shape, (3 * 4, 8))
      self.assertEqual(set(value_N // 100), set(part))
      np.testing.assert_array_equal(lag_NxQ, value_N[:, None] - np.arange(1, 9)[None])


if __name__ == "__main__":
  absltest.main()
