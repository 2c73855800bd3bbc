"""Linear probes: planted numbers, scikit-learn's probes, the controls."""

import dataclasses
import tempfile
import types

import jax
import numpy as np
import published_text
import tiny_text
from absl.testing import absltest, parameterized
from primelens.analyses import linear
from primelens.lens import claims as claims_lib
from primelens.lens import figures, results
from primelens.studies.text import probes, program
from primelens.tasks import characters
from sklearn import linear_model, metrics, model_selection, pipeline, preprocessing

FITTED = 300
probe = jax.jit(probes.probe, static_argnums=(4, 5))


def scaled(alpha=1.0):
  """Returns scikit-learn's ridge regression of standardised features."""
  scaler = preprocessing.StandardScaler()
  return pipeline.make_pipeline(scaler, linear_model.Ridge(alpha))


class ProbeTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.x_NxD = rng.normal(size=(500, 6)).astype(np.float32)
    plain_N = self.x_NxD @ rng.normal(size=6)
    label_NxF = np.column_stack([plain_N, *rng.normal(size=(2, 500))])
    self.label_NxF = (label_NxF / label_NxF.std(0)).astype(np.float32)
    self.there_N = rng.random(500) < 0.8
    has_N = np.flatnonzero(self.there_N)
    self.order_KxN = np.tile(np.arange(500), (19, 1))
    for order_N in self.order_KxN:
      order_N[has_N] = rng.permutation(has_N)
    groups = probes.Groups(((0,),), (1,), ((2,),))
    self.found = probe(self.x_NxD, self.label_NxF, self.there_N, self.order_KxN, FITTED, groups)

  def rows(self):
    """Returns the rows that are there, fitted and scored."""
    at_N = np.flatnonzero(self.there_N)
    return at_N[at_N < FITTED], at_N[at_N >= FITTED]

  def test_a_line_is_found_and_random_labels_are_not(self):
    self.assertGreater(float(self.found.r2_P[0]), 0.9999)
    self.assertLess(float(self.found.null_PxK.max()), 0.1)
    self.assertLess(float(self.found.pair), 0.05)
    self.assertLess(float(self.found.classes_P[0]), 0.05)

  def test_is_scikit_learns(self):
    fit_N, score_N = self.rows()
    y_N = self.label_NxF[:, 0] + self.label_NxF[:, 1]
    groups = probes.Groups(((0,),), (0,), ((0,),))
    found = probe(self.x_NxD, y_N[:, None], self.there_N, self.order_KxN[:2], FITTED, groups)
    z_NxD = preprocessing.StandardScaler().fit(self.x_NxD[fit_N])
    z_NxD = z_NxD.transform(self.x_NxD)
    inner = model_selection.GridSearchCV(
      linear_model.Ridge(),
      {"alpha": list(linear.ALPHAS_R)},
      cv=model_selection.KFold(linear.FOLDS),
      scoring="neg_mean_squared_error",
    ).fit(z_NxD[fit_N], y_N[fit_N])
    alpha = inner.best_params_["alpha"]
    self.assertAlmostEqual(float(found.alpha_P[0]), alpha, places=4)
    guess_N = inner.predict(z_NxD[score_N])
    expected = metrics.r2_score(y_N[score_N], guess_N)
    self.assertAlmostEqual(float(found.r2_P[0]), expected, places=5)
    for order_N, r2 in zip(self.order_KxN, found.null_PxK[0], strict=False):
      other_N = y_N[order_N]
      peer = linear_model.Ridge(alpha).fit(z_NxD[fit_N], other_N[fit_N])
      expected = metrics.r2_score(other_N[score_N], peer.predict(z_NxD[score_N]))
      self.assertAlmostEqual(float(r2), expected, places=4)
    value_D = np.linalg.svd(z_NxD[fit_N] - z_NxD[fit_N].mean(0))[1] ** 2
    freedom = np.sum(value_D / (value_D + alpha)) / len(fit_N)
    self.assertAlmostEqual(float(found.freedom_P[0]), freedom, places=5)

  def test_rows_that_are_not_there_count_for_nothing(self):
    x_NxD, label_NxF = self.x_NxD.copy(), self.label_NxF.copy()
    x_NxD[~self.there_N], label_NxF[~self.there_N] = 7, -9
    groups = probes.Groups(((0,),), (1,), ((2,),))
    found = probe(x_NxD, label_NxF, self.there_N, self.order_KxN, FITTED, groups)
    for one, other in zip(found, self.found, strict=True):
      np.testing.assert_allclose(one, other, atol=2e-5)


class RowsTest(parameterized.TestCase):
  def test_targets_of_residues_are_a_circle(self):
    prompts = tiny_text.run(tiny_text.experiment("modk")).prompts
    found = probes.targets(prompts)
    self.assertEqual(list(found), ["x + y", "residue"])
    turn_N = np.arctan2(*found["residue"].T[::-1]) / (2 * np.pi) * 97
    np.testing.assert_array_equal(np.round(turn_N) % 97, prompts.answer_N)

  def test_random_labels_are_of_pairs_and_of_values(self):
    config = tiny_text.experiment("sum", task={"operands": 12})
    prompts = tiny_text.run(config).prompts
    label_NxF, groups = probes.labels(prompts, 0)
    sum_N = prompts.x_N + prompts.y_N
    pair_N = prompts.x_N * 12 + prompts.y_N
    for columns, kind_N in ((groups.pair, pair_N), (groups.classes_P[0], sum_N)):
      value_N = label_NxF[:, columns[0]]
      kinds = {kind: set(value_N[kind_N == kind]) for kind in set(kind_N)}
      self.assertTrue(all(len(values) == 1 for values in kinds.values()))
      self.assertGreater(len(set.union(*kinds.values())), 15)

  def test_roles_that_few_rows_have_are_left_out(self):
    rows = probes.fresh_rows(tiny_text.run(tiny_text.experiment("sum")))
    self.assertIn("x-hundreds", rows.roles)
    self.assertNotIn("modulus", rows.roles)
    with_modulus = probes.fresh_rows(tiny_text.run(tiny_text.experiment("modk")))
    self.assertIn("modulus", with_modulus.roles)

  def test_permutations_stay_among_rows_that_have_the_role(self):
    there_NxR = np.random.default_rng(1).random((40, 3)) < 0.5
    settings = types.SimpleNamespace(permutations=4, seed=0)
    order_RxKxN = probes.orders(there_NxR, settings)
    for r, k in np.ndindex(3, 4):
      order_N, has_N = order_RxKxN[r, k], there_NxR[:, r]
      self.assertEqual(sorted(order_N), list(range(40)))
      np.testing.assert_array_equal(order_N[~has_N], np.flatnonzero(~has_N))
      self.assertTrue(np.any(order_N != np.arange(40)))


class PublishedProbesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(2)
    self.x_SxNxD = rng.normal(size=(2, 103, 5)) * np.arange(1, 6) + 3
    self.y_N = self.x_SxNxD[0].sum(1) + rng.normal(size=103)

  def test_in_sample_is_scikit_learns(self):
    found_S = probes.in_sample(self.x_SxNxD, self.y_N)
    for x_NxD, found in zip(self.x_SxNxD, found_S, strict=True):
      peer = linear_model.Ridge(1.0).fit(x_NxD, self.y_N)
      self.assertAlmostEqual(found, peer.score(x_NxD, self.y_N))

  def test_over_folds_is_scikit_learns(self):
    folds = model_selection.KFold(5, shuffle=True, random_state=0)
    for scale, peer in ((False, linear_model.Ridge(1.0)), (True, scaled())):
      found_S = probes.over_folds(self.x_SxNxD, self.y_N, scale=scale)
      for x_NxD, found in zip(self.x_SxNxD, found_S, strict=True):
        guess_N = model_selection.cross_val_predict(peer, x_NxD, self.y_N, cv=folds)
        self.assertAlmostEqual(found, metrics.r2_score(self.y_N, guess_N))

  def test_one_hot(self):
    found_NxD = probes.one_hot(characters.encode(["1+2", "9"]))
    self.assertEqual(found_NxD.shape, (2, 3 * characters.VOCABULARY))
    np.testing.assert_array_equal(found_NxD.sum(1), [3, 3])


class RunTest(parameterized.TestCase):
  @parameterized.parameters(("sum", ["x + y"]), ("modk", ["x + y", "residue"]))
  def test_is_stored_and_drawn(self, question, targets):
    run = tiny_text.run(tiny_text.experiment(question))
    result = probes.measure(run)
    self.assertEqual(list(result.target.values), targets)
    self.assertEqual(result.sizes["seed"], 2)
    self.assertEmpty(probes.numbers(result))
    rows = list(probes.cells(result))
    self.assertLen(rows, len(targets) * result.sizes["level"] * result.sizes["role"])
    for row in rows:
      # Random labels are not known: of values of the target, and of pairs.
      self.assertLess(row["median"] - row["selectivity"], 0.2)
      self.assertLess(row["pair_labels"], 0.2)
      self.assertBetween(row["p"], 0.1, 1)  # nine permutations
    with tempfile.TemporaryDirectory() as folder:
      results.write(folder, "probes", result, provenance={})
      again, _ = results.read(folder, "probes")
    self.assertEqual(list(map(repr, probes.cells(again))), list(map(repr, rows)))
    self.assertEqual(list(probes.figures({"one": again})), ["one"])
    pages = probes.figures({"one": again, "two": again})
    self.assertEqual(list(pages), ["one", "two", "all runs"])
    for name in ("one", "all runs"):
      self.assertStartsWith(figures.png(pages[name]), b"\x89PNG")
    table, published = probes.tables({"one": again, "two": again})
    self.assertLen(table.rows, 2 * len(rows))
    self.assertLen(published.rows, 2 * 6)

  def test_members_in_a_batch_are_members_alone(self):
    run = tiny_text.run(tiny_text.experiment("sum"))
    rows = probes.fresh_rows(run)
    both = probes.networks(run, rows, run.params_S, permuted=False)
    twice_S = jax.tree.map(lambda leaf: np.asarray(leaf)[[0, 0]], run.params_S)
    alone = probes.networks(run, rows, twice_S, permuted=False)
    np.testing.assert_allclose(both.r2_P[:1], alone.r2_P[:1], atol=1e-4)
    self.assertGreater(np.abs(both.r2_P[1] - both.r2_P[0]).max(), 1e-2)


def made_up(*targets, last=0.998, other=0.95, untrained=0.9, p=0.01):
  """Returns a result with some numbers, for claims: five networks, two roles."""
  levels, roles, seeds = ["embeddings", "final"], ["x-tens", "?"], 5
  shape = (seeds, len(levels), len(roles), len(targets))
  r2 = np.full(shape, other) + np.linspace(-1e-3, 1e-3, seeds)[:, None, None, None]
  r2[:, :, 1] += last - other
  cell, each = "seed level role target", results.variable
  full = lambda value, *more: np.full(shape + more, value)
  variables = {
    "r2": each(cell, r2, "R2"),
    "untrained_r2": each("untrained level role target", full(untrained), "R2"),
    "characters_r2": each("role target", np.full(shape[2:], 0.91), "R2"),
    "permuted_r2": each(f"{cell} permutation", full(0.0, 3), "R2"),
    "values_r2": each(cell, full(0.08), "R2"),
    "pairs_r2": each("seed level role", np.zeros(shape[:-1]), "R2"),
    "p": each(cell, full(p), "p"),
    "alpha": each(cell, full(1.0), "alpha"),
    "freedom": each(cell, full(0.1), "freedom"),
    "fitted_rows": each("role", [200, 200], "rows"),
  }
  return results.dataset(variables, {"level": levels, "role": roles, "target": list(targets)})


def decided(claim, question, found):
  """Returns the status of a claim and its reason, from one run's result."""
  card = {"question": question, "as_published": True, "seeds": program.SEEDS}
  tables = claims_lib.Results({"run": {"probes": found}}, {"run": card})
  (row,) = (
    row for row in claims_lib.ledger(tuple(probes.CLAIMS), tables).rows if row["id"] == claim
  )
  return row["status"], row["because"]


YES, ARTEFACT, NOT = "reproduced", "reproduced, but an artefact", "not reproduced"


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(({}, YES), (dict(last=0.9), NOT), (dict(untrained=0.995), ARTEFACT))
  def test_sum(self, values, expected):
    status, because = decided("probes.sum", "sum", made_up("x + y", **values))
    self.assertEqual(status, expected, because)
    self.assertIn("random labels of the sums 0.08", because)

  @parameterized.parameters(({}, ARTEFACT), (dict(untrained=0.1), YES), (dict(other=0.2), NOT))
  def test_everywhere(self, values, expected):
    status, because = decided("probes.everywhere", "sum", made_up("x + y", **values))
    self.assertEqual(status, expected, because)

  @parameterized.parameters(
    (dict(last=-0.01), NOT), (dict(last=0.5), YES), (dict(last=0.5, p=0.3), NOT)
  )
  def test_residue(self, values, expected):
    found = made_up("x + y", "residue", **values)
    status, because = decided("probes.residue", "modk", found)
    self.assertEqual(status, expected, because)

  def test_what_was_reported(self):
    reported = [claim.reported for claim in probes.CLAIMS]
    self.assertEqual(reported[0], "R2 0.998, fitted and scored on the same rows")
    self.assertEqual(reported[1], "R2 0.88 to 0.95, fitted and scored on the same rows")
    self.assertEqual(reported[2], "a plot of R2 0.63 titled as the residue's")


class PublishedTest(absltest.TestCase):
  def test_reported_numbers(self):
    run = published_text.run()
    settings = dataclasses.replace(run.settings, untrained=1)
    experiment = dataclasses.replace(run.experiment, analyses=settings)
    run = dataclasses.replace(run, experiment=experiment)
    found = results.dataset(
      probes.on_select(run, run.params_S),
      probes.coordinates(run),
      question="sum",
      as_published=True,
    )
    values = probes.numbers(found)
    self.assertLen(values, 31)
    for key, value in values.items():
      entry = probes.PUBLISHED[key]
      self.assertAlmostEqual(value.value_S[0], entry.recomputed, delta=entry.tolerance, msg=key)


if __name__ == "__main__":
  absltest.main()
