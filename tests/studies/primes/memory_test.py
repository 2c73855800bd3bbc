"""What is remembered of gaps: errors of a population against plain numpy, answers without a network
by hand and by other libraries, the source's detector, and claims on hand-made results."""

import dataclasses
import functools
import json
import math
import tempfile
import types
from pathlib import Path

import drawn
import jax
import numpy as np
import primes_results as made
import tiny_primes
import xarray as xr
from absl.testing import absltest, parameterized
from primelens.lens import results
from primelens.models import checkpoints, indices
from primelens.studies.primes import memory, program
from primelens.tasks import primes
from sklearn import linear_model

CONFIG = dict(task={"primes": 1500, "held_out": "random"}, fit_options={"seeds": 3})


@functools.cache
def untrained():
  return tiny_primes.run(tiny_primes.experiment(**CONFIG))


@functools.cache
def forward():
  """Returns the answers of one member to all gaps, compiled."""
  model = untrained().experiment.model
  row_N = np.arange(1499)
  return jax.jit(lambda params: indices.apply(model, params, row_N)[0])


def answers(run, params_S, row_N):
  """Returns the answers SxN in gap units, one member after the other."""
  params_S = jax.device_get(params_S)
  z_SxN = [forward()(jax.tree.map(lambda x, s=s: x[s], params_S)) for s in range(3)]
  return run.data.mean + run.data.deviation * np.array(z_SxN, float)[:, row_N]


class MemoryTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.run_ = untrained()
    cls.found = memory.measure(cls.run_)

  def record(self, part, predictor):
    """Returns the errors of a predictor on a part, with the ends of their intervals."""
    one = self.found.sel(part=part, predictor=predictor)
    row = {"rows": int(one["rows"])}
    for name in ("mae", "z_mse"):
      row[name] = float(one[name])
      row |= {f"{name}_{end}": float(one[f"{name}_interval"].sel(end=end)) for end in results.ENDS}
    return row

  def parts(self):
    """Returns the rows of every part: a tenth of 1499 is held out."""
    gaps = self.run_.data
    self.assertEqual((len(gaps.train_N), len(gaps.held_N)), (1350, 149))
    return {"last trained": gaps.train_N[350:], "trained": gaps.train_N, "held out": gaps.held_N}

  def test_errors_of_networks(self):
    for part, row_N in self.parts().items():
      true_N = self.run_.data.gap_N[row_N]
      error_SxN = answers(self.run_, self.run_.params_S, row_N) - true_N
      found = self.record(part, "network")
      self.assertEqual(found["rows"], len(row_N))
      mae_S = np.abs(error_SxN).mean(1)
      self.assertAlmostEqual(found["mae"], mae_S.mean(), places=4)
      square_S = np.mean((error_SxN / self.run_.data.deviation) ** 2, axis=1)
      self.assertAlmostEqual(found["z_mse"], square_S.mean(), places=4)
      # t with two degrees of freedom: 4.302653.
      reach = 4.302653 * mae_S.std(ddof=1) / np.sqrt(3)
      width = found["mae_high"] - found["mae_low"]
      self.assertAlmostEqual(width, 2 * reach, places=3)

  def test_errors_of_constants(self):
    gap_N = np.float64(self.run_.data.gap_N)
    trained_N = gap_N[self.run_.data.train_N]
    for part, row_N in self.parts().items():
      for name, value in (("mean", trained_N.mean()), ("median", np.median(trained_N))):
        found = self.record(part, name)
        mae = np.abs(gap_N[row_N] - value).mean()
        self.assertAlmostEqual(found["mae"], mae, places=9)
        self.assertTrue(np.isnan(found["mae_low"]))  # one answer, no members
    # The mean of what the z-scores are of: their squares are 1 on average.
    self.assertAlmostEqual(self.record("trained", "mean")["z_mse"], 1)

  def test_an_untrained_network_is_its_own_null(self):
    for part in self.parts():
      network, fresh = (self.record(part, name) for name in ("network", "untrained"))
      self.assertEqual(network["mae"], fresh["mae"])

  def test_shown_answers_are_the_last_trained(self):
    row_N = self.run_.data.train_N[350:550]
    np.testing.assert_array_equal(self.found.gap, self.run_.data.gap_N[row_N])
    np.testing.assert_allclose(
      self.found.answer, answers(self.run_, self.run_.params_S, row_N), atol=1e-4
    )

  def test_what_the_run_is(self):
    expected = {
      "sequence": "primes",
      "primes": 1500,
      "embedding": "learned",
      "held_out": "random",
      "flows": 1,
      "kernel": False,
      "epoch_steps": 43,  # 1350 / 32
    }
    self.assertEqual({name: self.found.attrs[name] for name in expected}, expected)
    self.assertEqual(self.found.sizes["seed"], 3)

  def test_without_snapshots_there_are_no_curves(self):
    self.assertEqual(self.found["step"].shape, (0,))
    self.assertEqual(self.found["loss"].shape, (3, 3, 0))
    self.assertEqual(self.found["says"].shape, (3, 0))

  def test_stored_read_and_drawn(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "memory", self.found, provenance={})
    back, _ = results.read(folder, "memory")
    xr.testing.assert_identical(back, self.found)
    pages = memory.figures({"a": back, "b": back})
    for name in set(pages) - {"b"}:  # which is the page of a
      drawn.assert_inside(self, pages[name].figure())


class CurvesTest(absltest.TestCase):
  def test_errors_at_the_snapshots(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    run = dataclasses.replace(untrained(), workdir=folder)
    rows, saved = [], {}
    for step in (0, 43, 86):
      larger = lambda x, step=step: np.asarray(x) * np.float32(1 + step / 43)
      saved[step] = jax.tree.map(larger, run.params_S)
      checkpoints.write_snapshot(folder / "snapshots", step, saved[step])
      if step:
        rows.append({"step": step, "train/mse": [1.0, 2.0, step]})
    rows[0]["train/rate"] = [0.5, 0.5, 0.5]
    rows.append({"step": 60, "eval/mse": [0.0, 0.0, 0.0]})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text(lines)
    found, gaps = program.curves(run), run.data
    np.testing.assert_array_equal(found["step_C"], [0, 43, 86])
    np.testing.assert_array_equal(
      found["logged_SxC"], [[np.nan, 1, 1], [np.nan, 2, 2], [np.nan, 43, 86]]
    )
    log = program.history(run)
    np.testing.assert_array_equal(log["step_N"], [43, 86, 60])
    np.testing.assert_array_equal(log["loss_SxN"][2], [43, 86, np.nan])
    np.testing.assert_array_equal(log["rate_SxN"][0], [0.5, np.nan, np.nan])
    for name, row_N in (
      ("trained", gaps.train_N),  # fewer than are drawn at most
      ("held", gaps.held_N),
    ):
      for c, params_S in enumerate(saved.values()):
        error_SxN = answers(run, params_S, row_N) - gaps.gap_N[row_N]
        square_S = np.mean((error_SxN / gaps.deviation) ** 2, axis=1)
        np.testing.assert_allclose(found[f"{name}_SxC"][:, c], square_S, rtol=1e-4)


class DetectorTest(parameterized.TestCase):
  @parameterized.parameters(
    (20, 0.69, True),  # .31 below the mean 1
    (20, 0.71, False),
    (19, 0.10, False),  # too few epochs before it
  )
  def test_drop_below_the_epochs_before(self, before, last, expected):
    loss_N = np.append(np.ones(before), last)
    self.assertEqual(memory.drop(loss_N), expected)

  def test_drop_in_absolute_terms(self):
    self.assertFalse(memory.drop(0.02 * np.append(np.ones(20), 0.6)))
    self.assertTrue(memory.drop(0.03 * np.append(np.ones(20), 0.6)))

  def test_only_the_last_twenty_count(self):
    loss_N = np.concatenate([[100.0] * 5, np.ones(20), [0.9]])
    self.assertFalse(memory.drop(loss_N))

  def test_sizes_not_signs(self):
    target_N = np.random.default_rng(0).normal(size=500)
    self.assertTrue(memory.logarithms(-target_N, target_N))
    other_N = np.random.default_rng(1).normal(size=500)
    self.assertFalse(memory.logarithms(other_N, target_N))
    self.assertFalse(memory.logarithms(np.ones(500), target_N))

  def test_one_frequency(self):
    time_N = np.arange(1000)
    self.assertTrue(memory.waves(np.sin(2 * np.pi * time_N / 10)))
    # White noise, differenced: no amplitude is five times the mean.
    self.assertFalse(memory.waves(np.random.default_rng(0).normal(size=1000)))

  def test_two_of_three(self):
    target_N = np.random.default_rng(0).normal(size=1200)
    gaps = types.SimpleNamespace(train_N=np.arange(1200), target_N=target_N)

    def predicted(answer, row_N, *, dropout):
      self.assertTrue(dropout)
      return answer[None][:, row_N]

    run = types.SimpleNamespace(
      settings=types.SimpleNamespace(seed=0), gaps=gaps, predicted=predicted
    )
    losses = {10: np.ones((1, 5)), 30: np.append(np.ones(20), 0.5)[None]}
    answers = {10: target_N, 30: target_N}
    rows = memory.watched(run, (10, 30), answers.get, losses.get)
    self.assertEqual([row["logarithms"] for row in rows], [True, True])
    self.assertEqual([row["drop"] for row in rows], [False, True])
    self.assertEqual([row["says"] for row in rows], [False, True])


def load(**options):
  return primes.load(primes.Config(**{"primes": 1500} | options))


class PredictorsTest(parameterized.TestCase):
  @parameterized.parameters("none", "random", "tail")
  def test_constants_are_of_trained_gaps(self, held_out):
    gaps = load(held_out=held_out)
    row_N = gaps.held_N if held_out != "none" else gaps.train_N[-7:]
    found = memory.answers(gaps, row_N)
    self.assertEqual(set(found), {"mean", "median", "line in ln p", "local mean"})
    trained_N = np.diff(primes.first(1500))[gaps.train_N]
    for name, value in (("mean", trained_N.mean()), ("median", np.median(trained_N))):
      np.testing.assert_allclose(found[name], np.full(len(row_N), value))

  @parameterized.parameters("none", "random", "tail")
  def test_line_is_that_of_polyfit(self, held_out):
    gaps = load(held_out=held_out)
    prime_N = primes.first(1500)
    size_N, gap_N = np.log(prime_N[:-1]), np.diff(prime_N)
    line = np.polyfit(size_N[gaps.train_N], gap_N[gaps.train_N], 1)
    row_N = np.arange(1499)
    found = memory.answers(gaps, row_N)["line in ln p"]
    np.testing.assert_allclose(found, np.polyval(line, size_N), rtol=1e-9)
    # A gap near x is ln x on average: a slope of 1.
    self.assertAlmostEqual(line[0], 1, delta=0.15)

  @parameterized.parameters("none", "random", "tail")
  def test_local_mean_leaves_itself_out(self, held_out):
    gaps = load(held_out=held_out)
    trained = gaps.train_N.tolist()
    for row in (0, 1, 9, 700, 701, 1488, 1497, 1498):
      before = [i for i in trained if i < row][-memory.NEAR :]
      after = [i for i in trained if i > row][: memory.NEAR]
      expected = gaps.gap_N[before + after].mean()
      found = memory.local_mean(gaps, np.array([row]))
      np.testing.assert_allclose(found, [expected], rtol=1e-9)

  def test_no_answer_depends_on_its_own_gap(self):
    # The mean, the median and the line do, as 1 of 1499.
    gaps = load()
    changed_N = gaps.gap_N.copy()
    changed_N[800] += 1000
    other = primes.Gaps(**{**vars(gaps), "gap_N": changed_N})
    row_N = np.array([800, 805])
    before, after = (memory.local_mean(g, row_N) for g in (gaps, other))
    self.assertEqual(before[0], after[0])
    self.assertAlmostEqual(after[1] - before[1], 1000 / 20)

  @parameterized.parameters((), (3,), (3, 5))
  def test_least_squares_is_that_of_sklearn(self, *moduli):
    gaps = load(context=4, moduli=moduli, held_out="tail")
    after_N = gaps.prime_N + gaps.gap_N

    def features(row):
      found = []
      for i in range(row - 4, row):
        hot = [float(after_N[i] % m == j) for m in moduli for j in range(m)]
        found += [gaps.gap_N[i], *hot]
      return found

    of = lambda row_N: np.array([features(row) for row in row_N])
    model = linear_model.LinearRegression()
    model.fit(of(gaps.train_N), gaps.gap_N[gaps.train_N])
    found = memory.answers(gaps, gaps.held_N)["least squares"]
    expected = model.predict(of(gaps.held_N))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


OPEN, NOT_RUN, NOT = "needs more compute", "not run", "not reproduced"
YES, ARTEFACT = "reproduced", "reproduced, but an artefact"


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters((1.0, 1.1, ARTEFACT), (1.0, 0.5, YES), (7.0, 1.1, NOT))
  def test_primes(self, mae, held, expected):
    runs = {
      "a": made.run(made.memory(mae)),
      "shuffled": made.run(made.memory(1.1), sequence="shuffled"),
      "random": made.run(made.memory(held=held), held_out="random"),
      "tail": made.run(made.memory(held=1.2), held_out="tail"),
    }
    found = made.verdict(memory, "memory.primes", runs)
    self.assertEqual(found["status"], expected)
    for words in (
      f"the last 10 trained gaps are answered with a mean absolute error of {mae:.2f} (gap units),",
      "ones of 1.10, where the better constant has 8.00:",
      f"squared errors of {held:.2f} (drawn at random) and 1.20 (the last tenth) variances",
    ):
      self.assertIn(words, found["because"])
    del runs["tail"]
    self.assertEqual(made.verdict(memory, "memory.primes", runs)["status"], NOT_RUN)

  def test_constants_of_gaps_left_out(self):
    left_out = {"random": made.memory(held=1.1), "tail": made.memory(held=1.2)}
    for found, mean in zip(left_out.values(), (1.01, 1.28), strict=True):
      found["z_mse"].loc[{"part": "held out", "predictor": "mean"}] = mean
    runs = {way: made.run(found, held_out=way) for way, found in left_out.items()}
    runs |= {"a": made.run(made.memory())}
    runs |= {"shuffled": made.run(made.memory(), sequence="shuffled")}
    said = made.verdict(memory, "memory.primes", runs)["because"]
    self.assertTrue(said.endswith("the mean of the trained gaps has 1.01 and 1.28."), said)
    said = made.verdict(memory, "memory.detector", runs)["because"]
    self.assertIn(
      "a squared error of 1.10 variances of the trained gaps, whose mean has 1.01", said
    )

  @parameterized.parameters((2, 1.1, ARTEFACT), (2, 0.5, YES), (0, 1.1, NOT))
  def test_detector(self, fires, held, expected):
    runs = {
      "a": made.run(made.memory(fires=fires)),
      "shuffled": made.run(made.memory(fires=3), sequence="shuffled"),
      "random": made.run(made.memory(held=held), held_out="random"),
    }
    found = made.verdict(memory, "memory.detector", runs)
    self.assertEqual(found["status"], expected)
    # Of four networks and four snapshots; the fixture lets two conditions hold at all of them.
    for words in (
      f"it fires at {fires} of 16 snapshots (those of all 4 networks;",
      f"a falling loss at {fires}, logarithms at 16, a peak at 16)",
      "shuffled at 3 of 16.",
    ):
      self.assertIn(words, found["because"])
    self.assertEqual("nothing is generalised" in found["because"], held > 1)

  @parameterized.parameters((3.0, NOT), (7.5, YES))
  def test_sinusoid(self, mae, expected):
    where = {"embedding": "sinusoidal", "accumulation": 2}
    runs = {"few": made.run(made.memory(mae, **where), **where)}
    found = made.verdict(memory, "memory.sinusoid", runs)
    self.assertEqual(found["status"], expected)
    self.assertIn(
      f"on the last 10 trained gaps, in gap units, is {mae:.2f} in a run of 1,000 primes, where the"
      " better of mean and median has 8.00 (source: 3.97 against 10.0).",
      found["because"],
    )
    self.assertEqual("The network remembers" in found["because"], expected == NOT)
    self.assertNotIn("32,768", found["because"])
    plan = {"embedding": "sinusoidal", "primes": 32768}
    runs["c"] = made.run(made.memory(7.9, **plan), **plan)
    found = made.verdict(memory, "memory.sinusoid", runs)
    self.assertIn("a run of 32,768 primes,", found["because"])
    self.assertTrue(found["because"].endswith(" the error is 7.90 against 8.00."))

  @parameterized.parameters((0.9, 0.95, YES), (0.96, 0.95, NOT), (1.1, 1.2, NOT))
  def test_later(self, own, line, expected):
    where = {"embedding": "context", "context": 8, "held_out": "tail"}
    where |= {"order": "shuffled", "accumulation": 2}
    runs = {"context": made.run(made.memory(held=own, line=line, **where), **where)}
    self.assertEqual(made.verdict(memory, "memory.later", runs)["status"], expected)

  def test_the_published_size_alone_decides(self):
    runs = {"a": made.run(made.memory(0.75)), "b": made.run(made.memory(1.2), accumulation=1)}
    found = made.verdict(memory, "memory.batch", runs)
    self.assertEqual(found["status"], OPEN)
    words = "error of 1.20 gap units on the last 10 trained gaps, plan A of 0.75."
    self.assertIn(words, found["because"])

  def test_nothing_at_hand(self):
    for claim in memory.CLAIMS:
      self.assertEqual(made.verdict(memory, claim.id, {})["status"], NOT_RUN, claim.id)
    row = made.verdict(memory, "memory.batch", {})
    self.assertIn("It needs memory of a run accumulation 1.", row["because"])


class ShownTest(absltest.TestCase):
  def runs(self):
    return {"a": made.memory(0.8), "held": made.memory(held=1.07, held_out="random")}

  def test_figures(self):
    pages = memory.figures(self.runs())
    self.assertEqual(set(pages), {"all runs", "a", "held"})
    for page in pages.values():
      drawn.assert_inside(self, page.figure())

  def test_every_run_in_a_row(self):
    found = {row["run"]: row for row in memory.overview(self.runs())}
    self.assertAlmostEqual(found["a"]["error"], 0.1)
    self.assertAlmostEqual(found["held"]["held"], 1.07)
    self.assertTrue(math.isnan(found["a"]["held"]))
    (row,) = memory.overview({"still": made.memory(0.1, constant=0.0)})
    self.assertTrue(math.isnan(row["error"]))

  def test_line(self):
    self.assertEqual(
      memory.line(self.runs()),
      "Mean absolute error of the last trained gaps, over that of a constant: a 0.1; held 0.125."
      " Squared error of gaps left out, over the variance of trained ones: held 1.07.",
    )

  def test_line_of_many_runs_names_the_plans(self):
    many = {f"run {number}": made.memory(0.8) for number in range(memory.NAMED)}
    other = made.memory(2.0).assign_attrs(population="another")
    found = memory.line(many | {"other": other})
    plan = many["run 0"].population
    self.assertIn(f"over that of a constant: {'; '.join([f'{plan} 0.1'] * memory.NAMED)}; ", found)
    self.assertIn("; others 0.25 to 0.25.", found)

  def test_every_run_over_training(self):
    (axes,) = drawn.panels(memory.figures(self.runs())["all runs"].figure(), "are trained on")
    lines = {line.get_label(): line for line in axes.get_lines()}
    self.assertEqual(set(lines), {"a", "held", "a constant answer to trained gaps"})
    # The median of four networks that start from 1, 2, 3, 4.
    np.testing.assert_allclose(lines["a"].get_ydata(), 2.5 / np.arange(1, made.LOGGED + 1))
    np.testing.assert_allclose(lines["a"].get_xdata(), np.arange(made.LOGGED) / 4)

  def test_of_many_runs_the_plans_alone_have_a_colour(self):
    runs = {f"other{i}": made.memory(population=f"plan A with flows {i}") for i in range(8)}
    runs |= {"a": made.memory(), "a again": made.memory(), "b": made.memory(population="plan B")}
    (axes,) = drawn.panels(memory.figures(runs)["all runs"].figure(), "are trained on")
    labels = [text for text in axes.get_legend_handles_labels()[1]]
    self.assertEqual(
      sorted(labels), ["a constant answer to trained gaps", "other runs", "plan A", "plan B"]
    )
    self.assertLen({line.get_color() for line in axes.get_lines()}, 4)

  def test_the_rate_and_the_absolute_errors_over_training(self):
    page = memory.figures({"a": made.memory()})["a"]
    (axes,) = drawn.panels(page.figure(), "Learning rate")
    rate_N = 2.5e-3 / np.arange(1, made.LOGGED + 1)
    np.testing.assert_allclose(axes.get_lines()[-2].get_ydata(), rate_N)
    (axes,) = drawn.panels(page.figure(), "Absolute error")
    labels = axes.get_legend_handles_labels()[1]
    self.assertEqual(labels, ["a constant answer to trained gaps", "trained", "held out"])
    old = made.memory()
    old["rate"] = np.nan * old.rate
    page = memory.figures({"a": old})["a"]
    self.assertEmpty(drawn.panels(page.figure(), "Learning rate"))

  def test_the_published_table_says_why_it_is_empty(self):
    runs = {"a": made.memory(0.8, seeds=2)}
    (table,) = (each for each in memory.tables(runs) if each.name == "published")
    rows = {row["plan"]: row for row in table.rows}
    self.assertEqual(set(rows), set(program.PLANS))
    self.assertAlmostEqual(rows["plan A"]["share here"], 0.1)
    self.assertAlmostEqual(rows["plan A"]["source, share"], 0.03926)
    self.assertEqual(rows["plan A"]["remark"], "2 of 3 networks: too few to decide a claim")
    self.assertIsNone(rows["plan B"]["share here"])
    self.assertEqual(rows["plan B"]["remark"], "no run of this plan is read here")
    (table,) = (each for each in memory.tables(self.runs()) if each.name == "published")
    self.assertEqual([row["remark"] for row in table.rows[:2]], ["", ""])

  def test_tables(self):
    runs, _, errors, detector = memory.tables(self.runs())
    self.assertEqual([row["run"] for row in runs.rows], ["a", "held"])
    self.assertEqual([row["held_out"] for row in runs.rows], ["none", "random"])
    self.assertLen(errors.rows, 4 + 8)
    self.assertEqual(errors.cells()[0][4], "0.8 [0.79, 0.81]")
    self.assertEqual(detector.rows[0]["fires"], 1)
    self.assertEqual(detector.rows[0]["logarithms"], 4 * made.SNAPSHOTS)

  def test_numbers_are_shares_of_a_constant(self):
    self.assertAlmostEqual(memory.numbers(made.memory(0.8))["plan A/mae"].value_S[0], 0.1)
    self.assertEqual(memory.numbers(made.memory(0.8, seeds=2)), {})
    # From docs/sources/primes.md, section 6.1: its sinusoid on chaos answers as a constant does.
    chaos = memory.PUBLISHED["chaos with sinusoids/mae"]
    self.assertAlmostEqual(float(chaos.source) / chaos.null, 1.0, places=3)
    self.assertEqual(memory.PUBLISHED["plan A/mae"].shown(), "0.03926 (0.3926 of 10)")


if __name__ == "__main__":
  absltest.main()
