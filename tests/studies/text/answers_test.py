"""Answers beside a constant: closed forms, scikit-learn, hand-made logs."""

import dataclasses
import json
import math
import tempfile
from pathlib import Path

import numpy as np
import published_text
import tiny_text
from absl.testing import absltest, parameterized
from matplotlib import axes as axes_lib
from primelens.lens import claims, figures, results
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.text import answers, program, states
from sklearn import metrics

FIXTURE = Path(__file__).parents[2] / "fixtures" / "encoder_state.npz"


def saying(run, value):
  """Returns the run with networks that say one number, whatever is asked."""
  kernel, bias = (np.asarray(run.params_S["readout"][name]) for name in ("kernel", "bias"))
  readout = {"kernel": np.zeros_like(kernel), "bias": np.full_like(bias, value)}
  return dataclasses.replace(run, params_S=run.params_S | {"readout": readout})


class MeasuresTest(absltest.TestCase):
  def test_numbers(self):
    guess_SxN = np.array([[1.0, 2.4, 5.0, 6.6], [2.0, 2.0, 2.0, 2.0]])
    truth_N = np.array([1, 2, 3, 6])
    found = states.numbers(guess_SxN, truth_N, 4.0, 10.0)["measure"]
    # Errors 0, .4, 2, .6 and 1, 0, -1, -4; about 4: 9, 4, 1, 4.
    for name, expected in {
      "mse": (1.13, 4.5),
      "scaled_mse": (0.0113, 0.045),
      "constant_mse": (4.5, 4.5),
      "constant_scaled_mse": (0.045, 0.045),
      "skill": (1 - 1.13 / 4.5, 0),
      "rmse": (math.sqrt(1.13), math.sqrt(4.5)),
      "mae": (0.75, 1.5),
      "bias": (0.75, -1),
      "exact": (0.5, 0.25),
      "correlation": (np.corrcoef(guess_SxN[0], truth_N)[0, 1], np.nan),
      "answer_mean": (3.75, 2),
      "answer_deviation": (guess_SxN[0].std(), 0),
    }.items():
      np.testing.assert_allclose(found[name], expected, atol=1e-12, err_msg=name)

  def test_classes_are_scikit_learns(self):
    rng = np.random.default_rng(0)
    score_SxNxV = 3 * rng.normal(size=(2, 60, 4))
    score_SxNxV[1] = 700.0  # equal and large: the NLL is that of a guess
    label_N, train_N = rng.integers(0, 4, 60), rng.integers(0, 3, 97)
    found = states.classes(score_SxNxV, label_N, train_N)["measure"]
    power_NxV = np.exp(score_SxNxV[0])
    share_NxV = power_NxV / power_NxV.sum(1, keepdims=True)
    nll = metrics.log_loss(label_N, share_NxV, labels=range(4))
    np.testing.assert_allclose(found["nll_nats"], [nll, math.log(4)])
    hit = metrics.accuracy_score(label_N, share_NxV.argmax(1))
    self.assertAlmostEqual(found["accuracy"][0], hit)
    # A class that train never has is counted once.
    count_V = np.bincount(train_N, minlength=4) + 1
    self.assertEqual(count_V[3], 1)
    constant_NxV = np.tile(count_V / count_V.sum(), (60, 1))
    constant = metrics.log_loss(label_N, constant_NxV, labels=range(4))
    np.testing.assert_allclose(found["constant_nll_nats"], constant)
    np.testing.assert_allclose(found["skill"][0], 1 - nll / constant)
    self.assertAlmostEqual(found["majority_accuracy"][0], np.bincount(label_N).max() / 60)
    self.assertAlmostEqual(found["constant_accuracy"][0], np.mean(label_N == count_V.argmax()))

  def test_interval_of_the_skill_is_the_bootstraps(self):
    rng = np.random.default_rng(1)
    constant_N = rng.chisquare(3, 400)
    loss_1xN = 0.4 * constant_N[None] * rng.uniform(0.5, 1.5, (1, 400))
    found = states.skill_interval(loss_1xN, constant_N)
    row_RxN = rng.integers(0, 400, (4000, 400))
    skill_R = 1 - loss_1xN[0][row_RxN].mean(1) / constant_N[row_RxN].mean(1)
    low, high = np.quantile(skill_R, (0.025, 0.975))
    skill = 1 - loss_1xN.mean() / constant_N.mean()
    self.assertAlmostEqual(float(found.estimate), skill)
    self.assertAlmostEqual(float(found.low), low, delta=0.1 * (high - low))
    self.assertAlmostEqual(float(found.high), high, delta=0.1 * (high - low))
    # Pairing: a loss that is half the constant's has no spread at all.
    half = states.skill_interval(constant_N[None] / 2, constant_N)
    np.testing.assert_allclose((half.low, half.high), 0.5, atol=1e-12)

  def test_interval_over_seeds_is_students_where_rows_do_not_matter(self):
    constant_N = np.random.default_rng(1).chisquare(3, 400)
    loss_SxN = np.array([0.1, 0.9])[:, None] * constant_N
    found = states.skill_interval(loss_SxN, constant_N)
    # Skills of 0.9 and 0.1 on every row: t = 12.7 times a standard error of 0.4.
    reach = 0.4 * np.tan(0.475 * np.pi)
    np.testing.assert_allclose(
      (found.low, found.estimate, found.high), (0.5 - reach, 0.5, 0.5 + reach)
    )


class RunTest(parameterized.TestCase):
  def test_a_constant_has_no_skill(self):
    run = tiny_text.run()
    text = run.prompts
    mean = text.answer_N[text.train_N].mean()
    found = answers.measure(saying(run, mean / 2000))
    rows = tables_lib.rows(found, "skills")
    self.assertEqual([row["part"] for row in rows], ["train", "select", "select_1000", "fresh"])
    for row in rows:
      delta = 0.15 if row["part"] == "select_1000" else 1e-4
      self.assertAlmostEqual(row["skill"].estimate, 0, delta=delta)
    np.testing.assert_allclose(found.value.sel(part="train", measure="bias"), 0, atol=1e-3)
    self.assertEqual(answers.numbers(found), {})  # too small for the source's numbers
    np.testing.assert_allclose(found.answer, mean, rtol=1e-6)
    np.testing.assert_array_equal(found.truth, text.answer_N[text.select_N])
    np.testing.assert_array_equal(found.seed, run.seed_S)

  def test_parts(self):
    run = tiny_text.run(tiny_text.experiment(task=dict(count=3000, split="disjoint")))
    parts = states.part_rows(run)
    self.assertEqual(set(parts), {"train", "select", "fresh"})
    self.assertLen(parts["train"].answer_N, states.ROWS)
    self.assertLen(parts["fresh"].answer_N, 200)
    lines = lambda part: set(map(tuple, part.token_NxT.tolist()))
    self.assertEmpty(lines(parts["fresh"]) & lines(parts["train"]))
    self.assertEmpty(lines(parts["fresh"]) & lines(parts["select"]))

  def test_untrained_networks_are_no_imported_ones(self):
    config = tiny_text.experiment(seeds=1)
    model = dataclasses.replace(config.model, checkpoint=str(FIXTURE))
    run = tiny_text.run(dataclasses.replace(config, model=model))
    fresh_S = program.untrained_S(run)
    table_SxVxD = np.asarray(fresh_S["embedding"]["embedding"])
    self.assertLen(table_SxVxD, run.settings.untrained)
    own_VxD = np.asarray(run.params_S["embedding"]["embedding"][0])
    for one_VxD in table_SxVxD:
      self.assertGreater(np.abs(one_VxD - own_VxD).max(), 0.1)
    self.assertGreater(np.abs(table_SxVxD[0] - table_SxVxD[1]).max(), 0.1)
    np.testing.assert_array_equal(program.untrained_S(run)["embedding"]["embedding"], table_SxVxD)

  def test_curves_of_a_log(self):
    run = dataclasses.replace(tiny_text.run(), workdir=Path(tempfile.mkdtemp()))
    step_C, curve_VxSxC = answers.curves(run)
    self.assertEqual((len(step_C), curve_VxSxC.shape), (0, (2, 2, 0)))
    rows = (
      {"step": 47, "train/mse": [0.5, 0.25]},
      {"step": 141, "train/mse": [0.1, None], "select/mse": [0.2, 0.3]},
    )
    log = "".join(json.dumps(row) + "\n" for row in rows)
    (run.workdir / "metrics.jsonl").write_text(log + '{"step": 2')
    step_C, curve_VxSxC = answers.curves(run)
    self.assertEqual(step_C.tolist(), [47, 141])
    nan = np.nan
    np.testing.assert_array_equal(
      curve_VxSxC, [[[0.5, 0.1], [0.25, nan]], [[nan, 0.2], [nan, 0.3]]]
    )

  @parameterized.parameters(("sum", 1), ("modk", 97), ("valid", 2))
  def test_stored_and_drawn(self, question, outputs):
    run = tiny_text.run(tiny_text.experiment(question, outputs=outputs))
    few = dataclasses.replace(run.settings, untrained=2)
    config = dataclasses.replace(run.experiment, analyses=few)
    found = answers.measure(dataclasses.replace(run, experiment=config))
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "answers", found, provenance={})
    again, _ = results.read(folder, "answers")
    np.testing.assert_array_equal(again.value, found.value)
    (page,) = answers.figures({"a": again}).values()
    panels = [ax for ax in page.figure().axes if ax.get_title(loc="left")]
    self.assertLen(panels, 5 if outputs == 1 else 4)
    both = {"a": again, "b": again}
    pages = answers.figures(both)
    self.assertEqual(list(pages), ["a", "b", "all runs"])
    shared = pages["all runs"].figure()
    figures.png(shared)
    names = [label.get_text() for label in shared.findobj(axes_lib.Axes)[0].get_yticklabels()]
    shown = [answers.PARTS.get(name, name) for name in again.skills_part.values]
    self.assertEqual(names, shown)
    skills, measures = answers.tables(both)
    self.assertEqual({row["run"] for row in skills.rows}, {"a", "b"})
    median = {(r["part"], r["measure"]): r["median"] for r in measures.rows if r["run"] == "a"}
    self.assertEqual(
      median["fresh", "skill"], float(np.median(found.value.sel(part="fresh", measure="skill")))
    )
    skill = "Skill on fresh pairs (1: no error, 0: a constant): a"
    self.assertStartsWith(answers.line({"a": again}), f"{skill} ")
    self.assertIn("(2 seeds; ", answers.line({"a": again}))
    self.assertNotIn("seeds", answers.line({name: again for name in "abcdefg"}))


def stored(question="sum", skill=0.997, half=0.001, seeds=5):
  """Returns the results of a run as published, with this skill on fresh pairs."""
  of_both = [
    {"part": part, "skill": value, "skill_low": value - half, "skill_high": value + half}
    for part, value in (("train", 0.5), ("fresh", skill))
  ]
  values = {"exact": 0.02, "rmse": 21.0, "accuracy": 0.51}
  value = np.ones((2, 1, seeds)) * np.array([*values.values()])[:, None]
  found = results.dataset(
    {
      "value": results.variable("part measure seed", value, "value"),
      **results.rows("skills", of_both, {"part": "part", "skill": "skill"}),
    },
    {"part": ["train", "fresh"], "measure": list(values)},
    question=question,
  )
  card = {"question": question, "as_published": True, "seeds": seeds}
  return claims.Results({"run": {"answers": found}}, {"run": card})


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("answers.sum", dict(), "reproduced"),
    ("answers.sum", dict(skill=0.9), "not reproduced"),
    ("answers.sum", dict(half=0.01), "not reproduced"),
    ("answers.sum", dict(seeds=4), "not run"),
    ("answers.sum", dict(question="modk"), "not run"),
    ("answers.modk", dict(question="modk", skill=0.02), "reproduced"),
    ("answers.modk", dict(question="modk", skill=-0.02), "not reproduced"),
    ("answers.valid", dict(question="valid", skill=0.02, half=0.01), "reproduced"),
    ("answers.valid", dict(question="valid", skill=0.0), "not reproduced"),
  )
  def test_verdicts(self, name, options, status):
    rows = claims.ledger(tuple(answers.CLAIMS), stored(**options)).rows
    (row,) = (row for row in rows if row["id"] == name)
    self.assertEqual(row["status"], status, row["because"])

  def test_what_is_said_has_the_numbers(self):
    row = claims.ledger(tuple(answers.CLAIMS), stored()).rows[0]
    self.assertIn("skill is 0.9970 [0.9960, 0.9980]", row["because"])
    self.assertIn("2.0 % of the answers are right", row["because"])
    self.assertEqual(row["numbers"]["rmse"], 21.0)

  def test_only_runs_as_published_decide(self):
    found = stored()
    found.cards["run"]["as_published"] = False
    rows = claims.ledger(tuple(answers.CLAIMS), found).rows
    self.assertEqual({row["status"] for row in rows}, {"not run"})


class PublishedTest(absltest.TestCase):
  """The published network (docs/sources/text.md, section 1.6)."""

  def test_numbers(self):
    run = published_text.run()
    # In one batch, as the numbers were made: the last digit hangs on how float32 sums. The squared
    # error of answers / 2000 is that of float64 (`encoder_test.plain`).
    few = program.Settings(probe_rows=400, untrained=1)
    config = dataclasses.replace(run.experiment, analyses=few)
    found = answers.measure(dataclasses.replace(run, experiment=config))
    values = answers.numbers(found)
    self.assertLen(values, 14)  # all but the log's
    for key, value_S in values.items():
      row = numbers_lib.row(answers.PUBLISHED[key], value_S, None, 0)
      self.assertTrue(row["agrees"], row)
    (fresh,) = (row for row in tables_lib.rows(found, "skills") if row["part"] == "fresh")
    self.assertBetween(fresh["skill"].low, 0.98, fresh["skill"].estimate)
    self.assertTrue(fresh["excludes_zero"])

  def test_constants_of_residues(self):
    run = tiny_text.run(tiny_text.experiment("modk", task=dict(count=20_000)))
    parts = states.part_rows(run)
    for name, raw, scaled in (("select", 764.83, 1.91207e-4), ("select_1000", 748.57, 1.87143e-4)):
      part, mean = parts[name], parts[name].train_N.mean()
      blank_1xN = np.zeros((1, len(part.answer_N)))
      found = states.numbers(blank_1xN, part.answer_N, mean, 2000.0)["measure"]
      np.testing.assert_allclose(found["constant_mse"], raw, atol=5e-3)
      np.testing.assert_allclose(found["constant_scaled_mse"], scaled, atol=5e-10)

  def test_majority_of_shown_sums(self):
    run = tiny_text.run(tiny_text.experiment("valid", task=dict(count=20_000)))
    part = states.part_rows(run)["select"]
    blank_1xNx2 = np.zeros((1, len(part.answer_N), 2))
    found = states.classes(blank_1xNx2, part.answer_N, part.train_N)["measure"]
    self.assertAlmostEqual(found["majority_accuracy"][0], 0.5195)
    # The majority of train is the minority here.
    self.assertAlmostEqual(found["constant_accuracy"][0], 0.4805)


if __name__ == "__main__":
  absltest.main()
