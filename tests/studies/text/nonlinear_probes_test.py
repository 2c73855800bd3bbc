"""Nonlinear probes: scikit-learn's folds and neighbours, rows held out."""

import dataclasses
import tempfile

import jax
import numpy as np
import published_text
import tiny_text
from absl.testing import absltest, parameterized
from primelens.lens import claims as claims_lib
from primelens.lens import figures, results
from primelens.studies.text import nonlinear_probes as probes
from primelens.studies.text import program
from sklearn import linear_model, metrics, model_selection, neighbors, pipeline, preprocessing

nearest_mean = jax.jit(probes.nearest_mean, static_argnums=3)


def tiny(question="modk", **task):
  """Returns a tiny run whose probes are small and brief."""
  config = tiny_text.experiment(question, task=task)
  brief = dict(mlp_sizes=("8x1",), mlp_epochs=3, untrained=3)
  settings = dataclasses.replace(config.analyses, **brief)
  return tiny_text.run(dataclasses.replace(config, analyses=settings))


def probe():
  """Returns scikit-learn's ridge regression of standardised features."""
  scaler = preprocessing.StandardScaler()
  return pipeline.make_pipeline(scaler, linear_model.Ridge(1.0))


class DigitsTest(parameterized.TestCase):
  def test_weights(self):
    self.assertEqual(probes.digit_weights(97), (3, 10, 1))
    self.assertEqual(probes.digit_weights(9), (1, 1, 1))
    self.assertEqual(probes.digit_weights(11), (1, 10, 1))

  @parameterized.parameters(2, 59, 97)
  def test_u_has_the_residue_of_the_sum(self, modulus):
    x_N, y_N = np.random.default_rng(0).integers(0, 1000, (2, 50))
    target_NxF = probes.digit_targets(x_N, y_N, modulus)
    u_N = target_NxF[:, probes.TARGETS.index("u")].astype(int)
    np.testing.assert_array_equal(u_N % modulus, (x_N + y_N) % modulus)
    sum_N = target_NxF[:, 1:4] @ [100, 10, 1]
    np.testing.assert_array_equal(sum_N, x_N + y_N)

  @parameterized.parameters(60, 7, 400)
  def test_neighbours_are_scikit_learns(self, count):
    rng = np.random.default_rng(count)
    at_N, value_N = rng.normal(size=(2, 300)).astype(np.float32)
    fitted_N = rng.random(300) < 0.6
    found_N = nearest_mean(at_N, value_N, fitted_N, count)
    few = min(count, int(fitted_N.sum()))
    peer = neighbors.KNeighborsRegressor(few)
    peer.fit(at_N[fitted_N][:, None], value_N[fitted_N])
    np.testing.assert_allclose(found_N, peer.predict(at_N[:, None]), atol=2e-5)

  def test_folds_are_scikit_learns(self):
    rounds = probes.in_turn(203)
    kept = model_selection.KFold(5, shuffle=True, random_state=0)
    for k, (fit_N, _) in enumerate(kept.split(np.zeros(203))):
      np.testing.assert_array_equal(np.flatnonzero(rounds.fitted_KxN[k]), np.sort(fit_N))
      inner = model_selection.KFold(5).split(fit_N)
      for fold, (_, left) in enumerate(inner):
        self.assertEqual(set(rounds.inner_KxN[k, fit_N[left]]), {fold})

  def test_nested_regression_is_scikit_learns(self):
    rng = np.random.default_rng(1)
    x_N, y_N = rng.integers(0, 1000, (2, 320))
    target_NxF = probes.digit_targets(x_N, y_N, 97)
    residue_N = (x_N + y_N) % 97
    mixed = np.column_stack([target_NxF[:, -1:] / 60, rng.normal(size=320)])
    state_NxD = (mixed @ rng.normal(size=(2, 5))).astype(np.float32)
    state_NxD += 0.2 * rng.normal(size=(320, 5)).astype(np.float32)
    rounds = probes.in_turn(320)
    found_SxF = probes.digit_r2(state_NxD[None], target_NxF, residue_N, rounds, (1.0,))
    found = dict(zip(probes.MEASURED, found_SxF[0], strict=True))
    u_N, guess_N, near_N = target_NxF[:, -1], np.zeros(320), np.zeros(320)
    for fitted_N in rounds.fitted_KxN:
      fit_N, left_N = np.flatnonzero(fitted_N), np.flatnonzero(~fitted_N)
      own = model_selection.cross_val_predict(probe(), state_NxD[fit_N], u_N[fit_N], cv=5)
      fit = probe().fit(state_NxD[fit_N], u_N[fit_N])
      guess_N[left_N] = fit.predict(state_NxD[left_N])
      near = neighbors.KNeighborsRegressor(60)
      near.fit(own[:, None], residue_N[fit_N])
      near_N[left_N] = near.predict(guess_N[left_N][:, None])
    self.assertAlmostEqual(found["u"], metrics.r2_score(u_N, guess_N), places=4)
    self.assertAlmostEqual(found["residue by u"], metrics.r2_score(residue_N, near_N), delta=1e-3)
    self.assertGreater(found["residue by u"], 0.3)


class ProtocolTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.run_ = tiny(modulus=7)
    cls.fresh = probes.fresh_pairs(cls.run_)
    cls.published = probes.select_rows(cls.run_)

  def test_published_split_keeps_residues_in_proportion(self):
    label_N = np.random.default_rng(0).integers(0, 7, 500)
    fit_N, score_N = probes.published_split(label_N, True)
    self.assertEqual((len(fit_N), len(score_N)), (400, 100))
    self.assertEqual(set(fit_N) | set(score_N), set(range(500)))
    count_V, held_V = (np.bincount(x) for x in (label_N, label_N[score_N]))
    np.testing.assert_allclose(held_V, 0.2 * count_V, atol=1)

  def test_fresh_pairs_have_three_parts(self):
    rows = self.fresh
    parts_ = [set(x) for x in (rows.fit_N, rows.select_N, rows.score_N)]
    self.assertEqual([len(x) for x in parts_], [160, 40, 200])
    self.assertLen(set.union(*parts_), 400)
    np.testing.assert_array_equal(rows.label_N, rows.pair_Nx2.sum(1) % 7)

  def test_labels_are_permuted_in_their_reading_alone(self):
    for rows, permuted_N in ((self.fresh, np.arange(200)), (self.published, self.published.fit_N)):
      shuffled_S = np.array(rows.reads_S) == "shuffled"
      self.assertEqual(sum(shuffled_S), 3)  # two members, one of them twice
      for label_N, is_so in zip(rows.label_SxN, shuffled_S, strict=True):
        changed_N = np.flatnonzero(label_N != rows.label_N)
        self.assertEqual(len(changed_N) > 10, is_so)
        self.assertTrue(set(changed_N) <= set(permuted_N))
        self.assertEqual(sorted(label_N), sorted(rows.label_N))

  def test_labels_to_score_are_never_looked_at(self):
    rows = self.fresh
    wrong_SxN = rows.label_SxN.copy()
    wrong_SxN[:, rows.score_N] = 6 - wrong_SxN[:, rows.score_N]
    wrong, settings = rows._replace(label_SxN=wrong_SxN), self.run_.settings
    for classes in (0, 7):
      found, again = (
        probes.nonlinear(some, settings, "8x1", classes)["guess_SxN"] for some in (rows, wrong)
      )
      np.testing.assert_array_equal(found, again)
    found, again = (probes.linear(x)["guess_SxN"] for x in (rows, wrong))
    np.testing.assert_array_equal(found, again)

  def test_published_epoch_is_chosen_on_the_rows_scored(self):
    np.testing.assert_array_equal(self.published.select_N, self.published.score_N)

  def test_what_needs_no_network(self):
    hot_NxD = probes.one_hot(np.array([7, 305]))
    expected = [[0, 10, 27], [3, 10, 25]]
    np.testing.assert_array_equal([np.flatnonzero(row) for row in hot_NxD], expected)


class RunTest(parameterized.TestCase):
  @parameterized.parameters(("sum", 1), ("modk", 2))
  def test_is_stored_and_drawn(self, question, targets):
    result = probes.measure(tiny(question))
    rows = list(probes.probe_cells(result))
    count = 1 + targets  # the ridge reads numbers alone
    self.assertLen(rows, 2 * count * len(probes.READS))
    self.assertEqual(result.weights, "3 hundreds + 10 tens + 1 units")
    self.assertEmpty(probes.numbers(result))
    fresh = {
      (row["probe"], row["target"], row["reads"]): row
      for row in rows
      if row["rows"] == "fresh pairs"
    }
    if question == "sum":
      for reads in ("digits", "(x, y)", "x + y"):
        row = fresh["ridge", "x + y", reads]
        self.assertAlmostEqual(row["median"], 1, places=3)
        self.assertIsNone(row["epoch"])
    else:
      row = fresh["8x1", "residue, 97 classes", "states"]
      self.assertEqual(row["measure"], "accuracy")
      self.assertLess(row["maximum"], 0.1)
    sums = {
      (row["reads"], row["target"]): row["median"]
      for row in probes.digit_cells(result)
      if row["rows"] == "fresh pairs"
    }
    self.assertAlmostEqual(sums["digits", "u"], 1, places=3)
    self.assertLess(sums["states", "u"], 0.99)
    with tempfile.TemporaryDirectory() as folder:
      results.write(folder, "nonlinear_probes", result, provenance={})
      again, _ = results.read(folder, "nonlinear_probes")
    self.assertEqual(list(map(repr, probes.probe_cells(again))), list(map(repr, rows)))
    self.assertEqual(list(probes.figures({"one": again})), ["one"])
    pages = probes.figures({"one": again, "two": again})
    self.assertEqual(list(pages), ["one", "two", "all runs"])
    for name in ("one", "all runs"):
      self.assertStartsWith(figures.png(pages[name]), b"\x89PNG")
    self.assertLen(pages["one"].rows, targets + 1)
    table, digits = probes.tables({"one": again, "two": again})
    self.assertLen(table.rows, 2 * len(rows))
    self.assertLen(digits.rows, 2 * 2 * len(probes.DIGIT_READS) * len(probes.MEASURED))


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    (0.4, "reproduced"), (0.05, "reproduced, but an artefact"), (0.005, "not reproduced")
  )
  def test_residue(self, mine, expected):
    value = {"states": mine, "untrained": 0.04, "shuffled": -0.01}
    spread = np.linspace(-0.01, 0.01, 5)
    variables = {
      "classes": results.variable("target", [0], "classes"),
      "constant": results.variable("protocol target", [[0.0]], "constant"),
      "rows_fitted": results.variable("protocol", [160], "rows"),
    }
    for name, prefix in probes.PREFIX.items():
      for key in probes.MEANINGS:
        its = (value[name] + spread)[None, None, None]
        dims = f"protocol target probe {probes.ALONG[name]}"
        variables[f"{prefix}{key}"] = results.variable(dims, its, key)
    for key in probes.MEANINGS:
      its = np.array([0.06, 0, 0])[None, None, None]
      variables[f"plain_{key}"] = results.variable("protocol target probe plain", its, key)
    for prefix, dims in (
      ("", "scored seed"),
      ("untrained_", "scored untrained"),
      ("plain_", "scored"),
    ):
      its = np.full((1, 5, 1) if prefix != "plain_" else (1, 1), 0.8)
      variables[f"{prefix}digit_r2"] = results.variable(f"{dims} regressed", its, "R2")
    coords = {
      "protocol": ["fresh pairs"],
      "target": ["residue"],
      "probe": [probes.PROBE],
      "plain": list(probes.PLAIN),
      "scored": ["fresh pairs"],
      "regressed": ["u"],
    }
    weights = "3 hundreds + 10 tens + 1 units"
    found = results.dataset(variables, coords, weights=weights, modulus=97)
    card = {"question": "modk", "as_published": True, "seeds": program.SEEDS}
    tables = claims_lib.Results({"run": {"nonlinear_probes": found}}, {"run": card})
    (row,) = claims_lib.ledger(tuple(probes.CLAIMS), tables).rows
    self.assertEqual(row["status"], expected, row["because"])
    self.assertStartsWith(row["reported"], "R2 0.41 of a 256x2 probe")
    self.assertIn("of untrained networks 0.030 to 0.050 (least and largest)", row["because"])
    self.assertIn(f"u = {weights}, in sums of the two operands' digits", row["because"])
    self.assertIn("passes the modulus at most 2 times", row["because"])  # 18 * 14 = 2 * 97 + 58


class PublishedTest(absltest.TestCase):
  def test_reported_numbers(self):
    run = published_text.run()
    settings = dataclasses.replace(run.settings, mlp_sizes=(), untrained=1, probe_rows=400)
    experiment = dataclasses.replace(run.experiment, analyses=settings)
    run = dataclasses.replace(run, experiment=experiment)
    values = probes.numbers(probes.measure(run))
    self.assertLen(values, 1 + len(probes.MEASURED))
    for key, value in values.items():
      entry = probes.PUBLISHED[key]
      self.assertAlmostEqual(value.value_S[0], entry.recomputed, delta=entry.tolerance, msg=key)


if __name__ == "__main__":
  absltest.main()
