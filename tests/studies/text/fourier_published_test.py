"""Fourier probes as published beside scikit-learn; claims by results made up for them."""

import tempfile

import drawn
import numpy as np
import tiny_text
from absl.testing import absltest, parameterized
from primelens.lens import claims as claims_lib
from primelens.lens import results
from primelens.studies.text import fourier_published, program
from sklearn import linear_model, metrics, model_selection, pipeline, preprocessing

ROWS, WIDTH, PAIRS = 200, 30, 3


def probe():
  return pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge(alpha=1.0))


def refit(state_NxD, label_N, direction_DxF=None):
  """From docs/sources/text.md, section 4.4: QR, projection, a new ridge, its squared error."""
  if direction_DxF is not None:
    basis_DxF, _ = np.linalg.qr(direction_DxF)
    state_NxD = state_NxD - state_NxD @ basis_DxF @ basis_DxF.T
  fit = linear_model.Ridge(alpha=1.0).fit(state_NxD, label_N)
  return metrics.mean_squared_error(label_N, fit.predict(state_NxD))


class PublishedTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    rng = np.random.default_rng(0)
    size_D = np.logspace(-1, 1, WIDTH)
    cls.state_SxNxD = 2 + size_D * rng.normal(size=(2, ROWS, WIDTH))
    cls.label_N = rng.integers(0, 97, ROWS)
    cls.order_RxN = np.stack([rng.permutation(ROWS) for _ in range(40)])
    cls.wave_NxF = fourier_published.waves(cls.label_N, 97, PAIRS)
    cls.probes = fourier_published.probes(cls.state_SxNxD, cls.wave_NxF, cls.order_RxN)
    cls.removals = fourier_published.removals(
      cls.state_SxNxD, cls.wave_NxF, cls.label_N.astype(float), cls.order_RxN, 5
    )

  def test_r2_is_scikit_learns(self):
    for s, x in enumerate(self.state_SxNxD):
      for n in range(1, PAIRS + 1):
        y = self.wave_NxF[:, : 2 * n]
        r2 = metrics.r2_score(y, probe().fit(x, y).predict(x))
        ours = self.probes["r2_as_published_SxP"][s, n - 1]
        self.assertAlmostEqual(ours, r2, places=10)
        y = y[self.order_RxN[1]]
        r2 = metrics.r2_score(y, probe().fit(x, y).predict(x))
        ours = self.probes["null_r2_SxRxP"][s, 1, n - 1]
        self.assertAlmostEqual(ours, r2, places=10)

  def test_degrees_of_freedom_are_the_hat_matrix_trace(self):
    z = preprocessing.StandardScaler().fit_transform(self.state_SxNxD[0])
    hat = z @ np.linalg.inv(z.T @ z + np.eye(WIDTH)) @ z.T
    self.assertAlmostEqual(self.probes["degrees_S"][0], np.trace(hat))

  def test_folds_are_scikit_learns(self):
    found = fourier_published.over_folds(self.state_SxNxD, self.label_N, 97, PAIRS)
    folds = model_selection.KFold(5, shuffle=True, random_state=0)
    score = lambda y: model_selection.cross_val_score(
      probe(), self.state_SxNxD[1], y, cv=folds, scoring="r2"
    ).mean()
    for n in range(1, PAIRS + 1):
      r2 = score(self.wave_NxF[:, : 2 * n])
      self.assertAlmostEqual(found["cv_r2_SxP"][1, n - 1], r2)
    self.assertEqual(found["cv_r2_SxQ"].shape, (2, 48))
    r2 = score(fourier_published.waves(self.label_N, 97, 48)[:, -2:])
    self.assertAlmostEqual(found["cv_r2_SxQ"][1, -1], r2)
    r2 = score(fourier_published.waves(self.label_N, 5, 2))
    self.assertAlmostEqual(found["small_cv_r2_Sx6x3"][1, 3, 1], r2)
    r2 = score(np.cos(np.pi * self.label_N))  # k' = 2: all that varies
    self.assertAlmostEqual(found["small_cv_r2_Sx6x3"][1, 0, 0], r2)

  def test_harm_is_that_of_qr_and_refitting(self):
    every_N = np.arange(ROWS)
    for s, x in enumerate(self.state_SxNxD):
      scale = preprocessing.StandardScaler().fit(x)
      for r, order_N in ((None, every_N), (7, self.order_RxN[7])):
        y, label_N = self.wave_NxF[order_N], self.label_N[order_N]
        base = refit(x, label_N)
        for n in range(1, PAIRS + 1):
          fit = linear_model.Ridge(alpha=1.0)
          coef = fit.fit(scale.transform(x), y[:, : 2 * n]).coef_.T
          for name, direction_DxF in (("_as_published", coef), ("", coef / scale.scale_[:, None])):
            harm = refit(x, label_N, direction_DxF) - base
            whose = f"delta{name}_SxP", f"delta_permuted{name}_SxRxP"
            mine = self.removals[whose[0]][s] if r is None else self.removals[whose[1]][s, r]
            self.assertAlmostEqual(mine[n - 1], harm, places=7)

  def test_random_directions_are_the_sources(self):
    x, base = self.state_SxNxD[0], refit(self.state_SxNxD[0], self.label_N)
    self.assertAlmostEqual(self.removals["base_error_S"][0], base)
    self.assertAlmostEqual(self.removals["base_r2_S"][0], 1 - base / self.label_N.var())
    for n in range(1, PAIRS + 1):
      normal = np.random.default_rng(n).standard_normal((WIDTH, 2 * n))
      harm = refit(x, self.label_N, normal) - base
      ours = self.removals["delta_random_as_published_SxP"][0, n - 1]
      self.assertAlmostEqual(ours, harm)

  def test_noise_is_like_its_permutations(self):
    for ending in ("_as_published", ""):
      name = f"delta{ending}_SxP"
      null = self.removals[f"delta_permuted{ending}_SxRxP"]
      z = (self.removals[name] - null.mean(1)) / null.std(1)
      self.assertLess(np.abs(z).max(), 3)
      # More than random directions, for these were fitted.
      random_SxP = self.removals["delta_random_SxP"]
      self.assertTrue(np.all(null.mean(1) > random_SxP))
      self.assertTrue(np.all(null.mean(1)[:, 0] > 3 * random_SxP[:, 0]))
    r2 = self.probes["r2_as_published_SxP"]
    self.assertGreater(r2.min(), 0.08)  # about WIDTH / ROWS
    null = self.probes["null_r2_SxRxP"]
    self.assertLess(np.abs((r2 - null.mean(1)) / null.std(1)).max(), 3)


class SmallTest(absltest.TestCase):
  def test_constant_columns_count_as_one(self):
    rng = np.random.default_rng(0)
    state_SxNxD = rng.normal(size=(1, 300, 12))
    label_N = rng.integers(0, 97, 300)
    found = fourier_published.small_moduli(state_SxNxD, label_N)
    old, new = (found[name][0] for name in ("small_r2_as_published_Sx6x3", "small_r2_Sx6x3"))
    x = preprocessing.StandardScaler().fit_transform(state_SxNxD[0])
    for m, modulus in enumerate(fourier_published.SMALL):
      theta_N = 2 * np.pi * (label_N % modulus) / modulus
      for n in (1, 2, 3):
        y = np.stack([f(i * theta_N) for i in range(1, n + 1) for f in (np.cos, np.sin)], 1)
        fit = linear_model.Ridge(alpha=1.0).fit(x, y)
        r2_F = metrics.r2_score(y, fit.predict(x), multioutput="raw_values")
        self.assertAlmostEqual(old[m, n - 1], r2_F.mean(), places=7)
        kept = r2_F[y.var(0) > 1e-6].mean()
        self.assertAlmostEqual(new[m, n - 1], kept, places=7)
    # Residue mod 2: parity, its rounding twice, and a constant.
    np.testing.assert_allclose(old[0, 1], (3 * new[0, 0] + 1) / 4)
    np.testing.assert_allclose(old[0, 2], (5 * new[0, 0] + 1) / 6)
    self.assertGreater(old[0, 1] - new[0, 1], 0.2)

  def test_columns_of_the_spec(self):
    wave_NxF = fourier_published.waves(np.arange(97), 2, 2)
    variance_F = wave_NxF.var(0)
    self.assertAlmostEqual(variance_F[0], 1, delta=1e-3)
    self.assertEqual(variance_F[2], 0)
    self.assertTrue(np.all((variance_F[[1, 3]] > 0) & (variance_F[[1, 3]] < 1e-30)))


class RunTest(parameterized.TestCase):
  def test_a_sum_has_no_residues(self):
    self.assertIn("'sum'", fourier_published.obstacle(tiny_text.experiment()))

  @parameterized.parameters((97, 1), (6, 6))
  def test_is_stored_and_drawn(self, modulus, outputs):
    config = tiny_text.experiment("modk", outputs=outputs, task={"modulus": modulus})
    found = fourier_published.measure(tiny_text.run(config))
    self.assertEqual(found.sizes["pairs"], 2)
    self.assertEqual(found.sizes["frequency"], modulus // 2)
    self.assertGreater(float(found.r2.min()), 0.1)  # 16 features and 40 rows
    self.assertEqual(fourier_published.numbers(found), {})
    with tempfile.TemporaryDirectory() as folder:
      results.write(folder, "fourier_published", found, provenance={})
      again, _ = results.read(folder, "fourier_published")
    self.assertTrue(again.identical(found))
    both = {"a": again, "b": again.isel(seed=[0], pairs=[0])}
    drawn.one_and_all(self, fourier_published.figures, both)
    for runs in ({"a": again}, both):
      pages = fourier_published.figures(runs)
      self.assertEqual(set(pages) - set(runs), {"all runs"} if len(runs) > 1 else set())
      for table in fourier_published.tables(runs):
        self.assertLen(table.text().splitlines(), 2 + len(table.rows))

  def test_numbers_have_the_keys_of_the_source(self):
    found = made_up()
    values = fourier_published.numbers(found)
    self.assertEqual(set(values), set(fourier_published.PUBLISHED))
    self.assertEqual({len(value_S) for value_S in values.values()}, {5})
    np.testing.assert_allclose(values["excess_6"], 1.5 - 0.3)
    np.testing.assert_allclose(values["degrees_per_row"], 70 / 2000)

  def test_reported_excess_is_the_difference(self):
    value = {key: row.recomputed for key, row in fourier_published.PUBLISHED.items()}
    for n in range(1, 13):
      excess = value[f"delta_probe_{n}"] - value[f"delta_random_{n}"]
      self.assertAlmostEqual(value[f"excess_{n}"], excess, delta=1.1e-3)


NOT_RUN, NOT = "not run", "not reproduced"
YES, ARTEFACT = "reproduced", "reproduced, but an artefact"
CARD = {"question": "modk", "as_published": True, "seeds": program.SEEDS}


def made_up(r2=0.04, null=0.04, held_out=-0.03, delta=1.5, permuted=1.6):
  """Returns the published probes of five networks, the same number everywhere."""
  pairs = lambda value: np.full((5, 12), value)
  # Other numbers of three frequencies of the residue modulo 3.
  of_three = np.arange(18).reshape(6, 3) == 5
  small = lambda value: np.where(of_three, value / 2, np.full((5, 6, 3), value))
  arrays = {
    "r2_as_published_SxP": pairs(r2),
    "null_r2_SxRxP": np.full((5, 3, 12), null),
    "cv_r2_SxP": pairs(held_out),
    "cv_r2_SxQ": np.full((5, 48), held_out),
    "delta_as_published_SxP": pairs(delta),
    "delta_SxP": pairs(delta),
    "delta_permuted_as_published_SxRxP": np.full((5, 3, 12), permuted),
    "delta_permuted_SxRxP": np.full((5, 3, 12), permuted),
    "delta_random_as_published_SxP": pairs(0.3),
    "delta_random_SxP": pairs(0.3),
    "base_error_S": np.full(5, 750.0),
    "base_r2_S": np.full(5, 0.02),
    "degrees_S": np.full(5, 70.0),
    "small_r2_as_published_Sx6x3": small(0.28),
    "small_r2_Sx6x3": small(r2),
    "small_cv_r2_Sx6x3": small(held_out),
  }
  coords = {
    "pairs": 1 + np.arange(12),
    "coordinates": list(fourier_published.COORDINATES),
    "columns": list(fourier_published.COLUMNS),
    "small_modulus": list(fourier_published.SMALL),
    "small_pairs": [1, 2, 3],
  }
  variables = fourier_published.labelled(arrays)
  return results.dataset(variables, coords, as_published=True, rows=2000, residue=97)


def waves(r2=-0.03, p=1.0, regression=True, intact=-0.1):
  """Returns what claims read of every frequency of five networks."""
  variables = {
    "r2": results.variable("seed level frequency", np.full((5, 4, 48), r2), "R²"),
    "first_r2": results.variable("seed level frequency", np.full((5, 4, 48), r2), "R²"),
    "p": results.variable("seed level frequency", np.full((5, 4, 48), p), "p"),
    "intact": results.variable("seed", np.full(5, intact), "skill"),
  }
  coords = {"frequency": 1 + np.arange(48)}
  return results.dataset(variables, coords, regression=regression, residue=97)


def decided(claim, runs, cards=None):
  """Returns the row of a claim, from `{run: {slice: Dataset}}`."""
  its = claims_lib.Results(runs, cards or dict.fromkeys(runs, CARD))
  return claims_lib.row(claims_lib.ledger(tuple(fourier_published.CLAIMS), its).rows, id=claim)


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("fourier.residue", dict(), ARTEFACT),
    ("fourier.residue", dict(r2=0.9, held_out=0.9, p=0.01), YES),
    ("fourier.residue", dict(r2=0.001), NOT),
    ("fourier.excess", dict(), ARTEFACT),
    ("fourier.excess", dict(permuted=0.1), YES),
    ("fourier.excess", dict(delta=0.2), NOT),
    ("fourier.small", dict(), ARTEFACT),
    ("fourier.small", dict(r2=0.27), YES),
  )
  def test_permuted_labels_decide(self, name, values, expected):
    p = values.pop("p", 1.0)
    probes = waves(values.get("held_out", -0.03), p)
    run = {"fourier_published": made_up(**values), "fourier_probes": probes}
    row = decided(name, {"run": run})
    self.assertEqual(row["status"], expected, row["because"])

  def test_networks_that_answer_are_told_of(self):
    run = {"fourier_published": made_up(), "fourier_probes": waves()}
    answering = {"fourier_probes": waves(0.8, 0.01, regression=False, intact=0.9)}
    cards = {"run": CARD, "classes": CARD | {"as_published": False}}
    row = decided("fourier.residue", {"run": run, "classes": answering}, cards)
    self.assertIn(
      "above chance (p of 0.05 or less), of 48, is 0, 0, 0, 0, 0 in the 5 networks.", row["because"]
    )
    self.assertEndsWith(
      row["because"],
      " In networks that do answer, the same probes find (a number for each network, and in"
      " brackets the R2 of the best frequency, the median of the networks): 48, 48, 48, 48, 48 of"
      " 48 in classes (0.80).",
    )

  def test_numbers_have_their_unit_and_what_they_are_of(self):
    run = {"fourier_published": made_up(), "fourier_probes": waves()}
    because = decided("fourier.excess", {"run": run})["because"]
    self.assertIn("rises by 1.50 residue² without the directions of 6 frequencies", because)
    self.assertIn("by 0.30 without as many random directions", because)
    self.assertIn("fitted, it rises by 1.60 (means", because)
    because = decided("fourier.small", {"run": run})["because"]
    self.assertStartsWith(because, "modulo 2, two frequencies have R2 0.28 if the constant column")
    self.assertIn("do not vary 0.040, and -0.030 over folds", because)
    self.assertIn("Modulo 3, three have 0.14, 0.020 and -0.015 (means", because)

  def test_both_slices_are_of_one_run(self):
    runs = {"a": {"fourier_published": made_up()}, "b": {"fourier_probes": waves()}}
    self.assertEqual(decided("fourier.residue", runs)["status"], NOT_RUN)
    self.assertEqual(decided("fourier.excess", runs)["status"], ARTEFACT)
    few = {run: CARD | {"seeds": 4} for run in runs}
    self.assertEqual(decided("fourier.excess", runs, few)["status"], NOT_RUN)

  def test_what_was_reported(self):
    self.assertEqual(
      [(claim.id, claim.reported) for claim in fourier_published.CLAIMS],
      [
        ("fourier.residue", "R2 0.04, fitted and scored on the same rows"),
        ("fourier.excess", "0.75 to 1.52 more squared error"),
        ("fourier.small", "R2 0.28 and 0.20 beside 0.04"),
      ],
    )


if __name__ == "__main__":
  absltest.main()
