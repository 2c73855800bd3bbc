"""Directions removed: published numbers, scikit-learn, whole runs."""

import dataclasses
import tempfile

import drawn
import numpy as np
import published_text
import tiny_text
from absl.testing import absltest, parameterized
from primelens.analyses import erasure
from primelens.lens import claims as claims_lib
from primelens.lens import results, tables
from primelens.studies.text import causal, program, states
from sklearn import linear_model, model_selection, pipeline, preprocessing


class PublishedTest(absltest.TestCase):
  """The published network (docs/sources/text.md, section 5.2)."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    run = published_text.run()
    old = causal.as_published(run)
    cls.value = {f"sum_{key}": value_S for key, value_S in old.items()}

  def test_recomputed_numbers(self):
    for key, entry in causal.PUBLISHED.items():
      if key.startswith("sum") and key != "sum_leace_r2":
        self.assertAlmostEqual(self.value[key][0], entry.recomputed, delta=entry.tolerance, msg=key)

  def test_exact_erasure_leaves_nothing_on_its_own_rows(self):
    # The recomputed .012 is rounding: without covariance R2 is 0.
    self.assertLess(abs(self.value["sum_leace_r2"][0]), 1e-9)


class RefitTest(absltest.TestCase):
  def test_is_scikit_learns(self):
    rng = np.random.default_rng(0)
    state_NxD = rng.standard_normal((1500, 8)) @ rng.standard_normal((8, 8))
    sum_N = state_NxD @ rng.standard_normal(8) + rng.standard_normal(1500)
    target_Nx2 = np.stack([sum_N, sum_N**2], -1)
    found = causal.refits(state_NxD[None], target_Nx2)
    few = causal.SELECT_ROWS["few"]
    x_NxD = state_NxD[:few]
    ridge = linear_model.Ridge().fit(x_NxD, sum_N[:few])
    unit_D = ridge.coef_ / np.linalg.norm(ridge.coef_)
    for name, left_NxD in (("before", x_NxD), ("after", x_NxD - np.outer(x_NxD @ unit_D, unit_D))):
      again = linear_model.Ridge().fit(left_NxD, target_Nx2[:few, 1])
      error_N = again.predict(left_NxD) - target_Nx2[:few, 1]
      np.testing.assert_allclose(found[f"few_{name}"], [np.mean(error_N**2)])

  def test_folds_are_scikit_learns(self):
    rng = np.random.default_rng(1)
    state_NxD = rng.standard_normal((100, 5))
    target_Nx1 = state_NxD @ np.ones((5, 1)) + rng.standard_normal((100, 1))
    parts = states.moments_of_folds(state_NxD[None], target_Nx1)
    none = erasure.Eraser(np.zeros(5), np.zeros((5, 1)), np.zeros((5, 1)))
    expected = model_selection.cross_val_score(
      linear_model.Ridge(),
      state_NxD,
      target_Nx1,
      cv=model_selection.KFold(5, shuffle=True, random_state=0),
    )
    np.testing.assert_allclose(causal.held_out(*parts, none), [expected.mean()])


class DirectionsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    rng = np.random.default_rng(0)
    mixed_DxD = rng.standard_normal((5, 5))
    cls.x_NxD = rng.standard_normal((120, 5)) @ mixed_DxD + 1
    cls.y_Nx1 = cls.x_NxD @ np.ones((5, 1)) + rng.standard_normal((120, 1))
    cls.fit = erasure.moments(cls.x_NxD[None, :60], cls.y_Nx1[:60])
    cls.test = erasure.moments(cls.x_NxD[None, 60:], cls.y_Nx1[60:])

  def test_new_probes_are_scikit_learns(self):
    direction_1xKxD = erasure.null_space(self.fit, 2)
    basis_DxK = direction_1xKxD[0].T
    parts = [np.zeros((5, 2)), basis_DxK * [1, 0], basis_DxK]
    found = causal._reread(self.fit, self.test, np.stack(parts)[None])
    for r, part_DxK in enumerate(parts):
      left_NxD = self.x_NxD - self.x_NxD @ part_DxK @ part_DxK.T
      peer = linear_model.Ridge().fit(left_NxD[:60], self.y_Nx1[:60])
      expected = peer.score(left_NxD[60:], self.y_Nx1[60:])
      self.assertAlmostEqual(found[0, r], expected, places=6)

  def test_ladder(self):
    found = causal.lines(self.fit)
    x_NxD, y_N = self.x_NxD[:60], self.y_Nx1[:60, 0]
    for alpha in (0.01, 10.0):
      read, _ = found[causal.named("ridge, standardised", alpha)]
      peer = pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.Ridge(alpha=alpha)
      ).fit(x_NxD, y_N)
      mapped_D = peer[1].coef_ / peer[0].scale_
      np.testing.assert_allclose(read[0, :, 0], mapped_D / np.linalg.norm(mapped_D), rtol=1e-6)
      read, write = found[causal.named("leace", alpha)]
      left_NxD = x_NxD - (x_NxD - x_NxD.mean(0)) @ read[0] @ write[0].T
      np.testing.assert_allclose((y_N - y_N.mean()) @ (left_NxD - left_NxD.mean(0)), 0, atol=1e-8)
    first, _ = found["first component"]
    _, _, right = np.linalg.svd(x_NxD - x_NxD.mean(0))
    self.assertAlmostEqual(abs(first[0, :, 0] @ right[0]), 1, places=6)


class RunTest(parameterized.TestCase):
  @parameterized.parameters(("sum", 1, {}), ("modk", 97, {"layout": "aligned", "operands": 100}))
  def test_is_stored_and_drawn(self, question, outputs, task):
    config = tiny_text.experiment(question, outputs=outputs, task=task)
    many = dataclasses.replace(config.analyses, permutations=19)
    found = causal.measure(tiny_text.run(dataclasses.replace(config, analyses=many)))
    self.assertEqual(found.sizes["interventions"], found.sizes["target"] * 4 * 5)
    rows = tables.rows(found, "interventions")
    probed = claims_lib.row(rows, target="sum", level="final", subspace="leace")
    self.assertEqual((probed["rows"], probed["draws"]), (200, 1))
    self.assertBetween(probed["p"], 0.05, 1)
    skill_S = found.skill.sel(target="sum", level="final", subspace="leace")
    self.assertAlmostEqual(probed["skill"].estimate, float(skill_S.mean()))
    # What was fitted cannot be read again; what it took was there before.
    r2 = found.iterated_r2
    self.assertGreater(r2.isel(step=0).min(), r2.isel(step=-1).max())
    with tempfile.TemporaryDirectory() as folder:
      results.write(folder, "causal", found, provenance={})
      again, _ = results.read(folder, "causal")
    self.assertTrue(again.identical(found))
    values = causal.numbers(again)
    if outputs == 1:
      expected = {key for key in causal.PUBLISHED if key.startswith("sum")}
      self.assertEqual(set(values), expected)
      before, after = values["sum_few_before"], values["sum_few_after"]
      np.testing.assert_array_equal(values["sum_few_delta"], after - before)
    else:
      self.assertEqual(values, {})
    single = again.isel(seed=[0])
    for runs in ({"a": again}, {"a": again, "b": single}):
      for table in causal.tables(runs):
        self.assertLen(table.text().splitlines(), 2 + len(table.rows))
      self.assertIn("intact", causal.line(runs))
    pages = drawn.one_and_all(self, causal.figures, {"a": again, "b": single})
    self.bars(again, pages["a"])

  def bars(self, found, figure):
    """The published bars: a readout fitted anew, without a random direction, without the sum's."""
    (axes,) = drawn.panels(figure, "as published")
    height = [bar.get_height() for bar in axes.patches]
    error = found.refit_error.sel(select_rows=found.select_rows[-1])
    intact, without = error.sel(refitted="intact"), error.isel(refitted=1)
    expected = [np.median(x) for x in (intact, intact + found.refit_random, without)]
    np.testing.assert_allclose(height, expected)
    published = [line for line in axes.get_lines() if line.get_marker() == "x"]
    if found.regression:
      np.testing.assert_allclose(published[0].get_ydata(), [321.73, 324.40, 1158.81])
      (axes,) = drawn.panels(figure, "own readout")
      names = [label.get_text() for label in axes.get_yticklabels()]
      place = names.index(causal.OWN["mean_readout"])
      middle = [line for line in axes.get_lines() if line.get_markersize() == 5][place]
      value_S = found.own_error.sel(taken="mean_readout")
      self.assertAlmostEqual(middle.get_xdata()[0], float(np.median(value_S)))
    else:
      self.assertEmpty(published)


def made_up(question="sum", skill=0.0, moved=0.99, random=0.99, r2=0.99, delta=0.0):
  """Returns a result of five seeds with what the claims read of it."""
  before, after = (300.0, 1600.0) if question == "sum" else (700.0, 700.0 + delta)
  pair = lambda first, second: np.tile(np.array([first, second])[None, :, None], (2, 1, 5))
  at = lambda level, subspace, skill, moved: {
    "target": "sum",
    "level": level,
    "subspace": subspace,
    "skill": skill,
    "skill_low": skill - 0.01,
    "skill_high": skill + 0.01,
    "moved": moved,
    "moved_low": moved - 0.01,
    "moved_high": moved + 0.01,
    "p": 0.08,
    "p_moved": 0.01,
  }
  records = [
    at("final", "leace", skill, moved),
    at("final", "leace, permuted", 0.6, 0.0),
    at("final", "random", random, 0.0),
    at("final", "ridge", 0.3, 0.8),
    at("block 1", "leace", 0.9, 0.3),
  ]
  names = [*causal.OWN, "leace_r2", "leace_held_out", "cosine", "all_random"]
  old = dict.fromkeys(names, np.zeros(5)) | {
    f"iterated_{step}": np.zeros(5) for step in causal.STEPS_R
  }
  for rows in causal.SELECT_ROWS:
    for name in ("before", "after", "r2_before", "r2_after"):
      old[f"{rows}_{name}"] = np.zeros(5)
  variables = causal._of_select(old) | {
    "refit_error": results.variable("select_rows refitted seed", pair(before, after), "error"),
    "refit_r2": results.variable("select_rows refitted seed", pair(0.04, r2), "R2"),
    **results.rows("interventions", records, causal.INTERVENTIONS),
  }
  coords = {
    "select_rows": list(causal.SELECT_ROWS.values()),
    "taken": list(causal.OWN),
    "published_step": list(causal.STEPS_R),
  }
  return results.dataset(variables, coords, question=question, published_prompts=True)


def decided(claim, question, found):
  """Returns the status of a claim and its reason, from one run's results."""
  skills = [{"part": "fresh", "skill": 0.0, "skill_low": -0.1, "skill_high": 0.1}]
  meanings = {"part": "part", "skill": "skill"}
  answers = results.dataset(results.rows("skills", skills, meanings))
  card = {"question": question, "as_published": True, "seeds": program.SEEDS}
  its = claims_lib.Results({"run": {"causal": found, "answers": answers}}, {"run": card})
  rows = claims_lib.ledger(tuple(causal.CLAIMS), its).rows
  row = claims_lib.row(rows, id=claim)
  return row["status"], row["because"]


NOT, YES, ARTEFACT = "not reproduced", "reproduced", "reproduced, but an artefact"


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("causal.refit", "sum", dict(), ARTEFACT),
    ("causal.refit", "sum", dict(r2=0.1), YES),
    ("causal.own", "sum", dict(), YES),
    ("causal.own", "sum", dict(skill=0.9), NOT),
    ("causal.own", "sum", dict(random=0.2), NOT),
    ("causal.own", "sum", dict(moved=0.3), NOT),
    ("causal.modk", "modk", dict(), ARTEFACT),
    ("causal.modk", "modk", dict(delta=50.0), NOT),
  )
  def test_the_own_readout_decides(self, name, question, values, expected):
    status, because = decided(name, question, made_up(question, **values))
    self.assertEqual(status, expected, because)

  def test_every_number_is_said_to_be_of_something(self):
    _, because = decided("causal.own", "sum", made_up())
    for words in (
      "skill is 0.000 [-0.010, 0.010] without the direction that LEACE erases",
      "0.30 without the ridge probe's",
      "it is 0.990 (random ones) and 0.60 (permuted labels",
      "do as much damage with p 0.080)",
      "the answer goes 99.0 % of the way to that prompt's",
      "go as far with p 0.010), 30 % where it is exchanged after block 1",
    ):
      self.assertIn(words, because)

  def test_what_was_reported(self):
    reported = {claim.id: claim.reported for claim in causal.CLAIMS}
    self.assertIn("340.8 to 1649.2", reported["causal.refit"])
    self.assertEqual(reported["causal.modk"], "squared error 718.499 to 718.477")

  def test_without_results_everything_is_open(self):
    rows = claims_lib.ledger(tuple(causal.CLAIMS), claims_lib.Results({})).rows
    self.assertEqual({row["status"] for row in rows}, {"not run"})


if __name__ == "__main__":
  absltest.main()
