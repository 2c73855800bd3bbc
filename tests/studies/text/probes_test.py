"""Linear probes: planted numbers, scikit-learn's probes, the controls."""

import dataclasses
import tempfile
import types

import jax
import numpy as np
import published_text
import tiny_text
from absl.testing import absltest, parameterized
from primelens.analyses import ridge
from primelens.lens import legacy
from primelens.studies.text import plots_probes, probes
from primelens.studies.text import probes_parts as parts
from primelens.studies.text import probes_published as published
from primelens.tasks import characters
from sklearn import linear_model, metrics, model_selection, pipeline, preprocessing

FITTED = 300


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
    groups = parts.Groups(((0,),), (1,), ((2,),))
    self.found = parts.probe(
      self.x_NxD, self.label_NxF, self.there_N, self.order_KxN, FITTED, groups
    )

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
    groups = parts.Groups(((0,),), (0,), ((0,),))
    found = parts.probe(self.x_NxD, y_N[:, None], self.there_N, self.order_KxN[:2], FITTED, groups)
    z_NxD = preprocessing.StandardScaler().fit(self.x_NxD[fit_N])
    z_NxD = z_NxD.transform(self.x_NxD)
    inner = model_selection.GridSearchCV(
      linear_model.Ridge(),
      {"alpha": list(ridge.ALPHAS_R)},
      cv=model_selection.KFold(ridge.FOLDS),
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
    groups = parts.Groups(((0,),), (1,), ((2,),))
    found = parts.probe(x_NxD, label_NxF, self.there_N, self.order_KxN, FITTED, groups)
    for one, other in zip(found, self.found, strict=True):
      np.testing.assert_allclose(one, other, atol=2e-5)


class RowsTest(parameterized.TestCase):
  def test_targets_of_residues_are_a_circle(self):
    prompts = tiny_text.run(tiny_text.experiment("modk")).prompts
    found = parts.targets(prompts)
    self.assertEqual(list(found), ["x + y", "residue"])
    turn_N = np.arctan2(*found["residue"].T[::-1]) / (2 * np.pi) * 97
    np.testing.assert_array_equal(np.round(turn_N) % 97, prompts.answer_N)

  def test_random_labels_are_of_pairs_and_of_values(self):
    config = tiny_text.experiment("sum", task={"operands": 12})
    prompts = tiny_text.run(config).prompts
    label_NxF, groups = parts.labels(prompts, 0)
    sum_N = prompts.x_N + prompts.y_N
    pair_N = prompts.x_N * 12 + prompts.y_N
    for columns, kind_N in ((groups.pair, pair_N), (groups.classes_P[0], sum_N)):
      value_N = label_NxF[:, columns[0]]
      kinds = {kind: set(value_N[kind_N == kind]) for kind in set(kind_N)}
      self.assertTrue(all(len(values) == 1 for values in kinds.values()))
      self.assertGreater(len(set.union(*kinds.values())), 15)

  def test_roles_that_few_rows_have_are_left_out(self):
    rows = parts.rows(tiny_text.run(tiny_text.experiment("sum")))
    self.assertIn("x-hundreds", rows.roles)
    self.assertNotIn("modulus", rows.roles)
    with_modulus = parts.rows(tiny_text.run(tiny_text.experiment("modk")))
    self.assertIn("modulus", with_modulus.roles)

  def test_permutations_stay_among_rows_that_have_the_role(self):
    there_NxR = np.random.default_rng(1).random((40, 3)) < 0.5
    settings = types.SimpleNamespace(permutations=4, seed=0)
    order_RxKxN = parts.orders(there_NxR, settings)
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
    found_S = published.in_sample(self.x_SxNxD, self.y_N)
    for x_NxD, found in zip(self.x_SxNxD, found_S, strict=True):
      peer = linear_model.Ridge(1.0).fit(x_NxD, self.y_N)
      self.assertAlmostEqual(found, peer.score(x_NxD, self.y_N))

  def test_over_folds_is_scikit_learns(self):
    folds = model_selection.KFold(5, shuffle=True, random_state=0)
    for scale, peer in ((False, linear_model.Ridge(1.0)), (True, scaled())):
      found_S = published.over_folds(self.x_SxNxD, self.y_N, scale=scale)
      for x_NxD, found in zip(self.x_SxNxD, found_S, strict=True):
        guess_N = model_selection.cross_val_predict(peer, x_NxD, self.y_N, cv=folds)
        self.assertAlmostEqual(found, metrics.r2_score(self.y_N, guess_N))

  def test_one_hot(self):
    found_NxD = parts.one_hot(characters.encode(["1+2", "9"]))
    self.assertEqual(found_NxD.shape, (2, 3 * characters.VOCABULARY))
    np.testing.assert_array_equal(found_NxD.sum(1), [3, 3])


class RunTest(parameterized.TestCase):
  @parameterized.parameters(("sum", 1), ("modk", 2))
  def test_is_stored_and_drawn(self, question, targets):
    run = tiny_text.run(tiny_text.experiment(question))
    result = probes.run(run)
    levels, roles = len(result.levels), len(result.roles)
    self.assertEqual(result.r2_PxSxExR.shape, (targets, 2, levels, roles))
    self.assertLen(result.probes, targets * levels * roles)
    self.assertEmpty(result.table)
    for row in result.probes:
      # Random labels are not known: of values of the target, and of pairs.
      self.assertLess(row["median"] - row["selectivity"], 0.2)
      self.assertLess(row["pair_labels"], 0.2)
      self.assertBetween(row["p"], 0.1, 1)  # nine permutations
    with tempfile.TemporaryDirectory() as folder:
      legacy.write(folder, "probes", result, provenance={})
      again, _ = legacy.read(folder, "probes", probes.Result)
    figure = plots_probes.figure(again)
    figure.canvas.draw()
    self.assertLen(figure.axes, 5 * targets + 2)

  def test_members_in_a_batch_are_members_alone(self):
    run = tiny_text.run(tiny_text.experiment("sum"))
    rows = parts.rows(run)
    both = parts.networks(run, rows, run.params_S, permuted=False)
    params_S = jax.tree.map(lambda leaf: leaf[:1], run.params_S)
    alone = parts.networks(run, rows, params_S, permuted=False)
    np.testing.assert_allclose(both.r2_P[:1], alone.r2_P, atol=1e-4)
    self.assertGreater(np.abs(both.r2_P[1] - both.r2_P[0]).max(), 1e-2)


class PublishedTest(absltest.TestCase):
  def test_reported_numbers(self):
    run = published_text.run()
    settings = dataclasses.replace(run.settings, untrained=1)
    experiment = dataclasses.replace(run.experiment, analyses=settings)
    run = dataclasses.replace(run, experiment=experiment)
    old = published.measure(run)
    table = probes._table(run, old, old)
    self.assertLen(table, 31)
    for row in table:
      self.assertTrue(row["agrees"], row)


if __name__ == "__main__":
  absltest.main()
