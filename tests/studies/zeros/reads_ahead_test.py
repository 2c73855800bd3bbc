import dataclasses
import tempfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import report_examples as examples
import tiny_study
import zeros_results
from absl.testing import absltest, parameterized
from primelens import tasks
from primelens.lens import analyze, report, runs
from primelens.lens import claims as trial
from primelens.lens import experiment as experiment_lib
from primelens.models import checkpoints, fit
from primelens.models import optimizer as optimizer_lib
from primelens.studies.zeros import program, published, reads_ahead, report_losses, scoring
from primelens.studies.zeros.report import REPORT

T, CONTEXT = tiny_study.T, 8
LEAKY = "bank_leaky_as_published"


def following(x_BxT):
  """Returns the input behind each input, the last one its own."""
  return jnp.concatenate([x_BxT[:, 1:], x_BxT[:, -1:]], axis=1)


def passing(mean, scale):
  """Returns a forward pass of one Gaussian, from functions of the spacings."""

  def apply_fn(params, x_BxT, **_):
    found = tiny_study.gaussian(params["one"] * mean(x_BxT), 1.0)
    return found._replace(scale=found.scale * scale(x_BxT)[..., None]), {}

  return apply_fn


def moved(mean, scale=jnp.ones_like, count: int = 30):
  """Returns what is measured of a pass, and the windows it is measured on."""
  run = tiny_study.handmade(
    passing(mean, scale),
    {"one": jnp.ones(2)},
    tiny_study.ar([0.3], 3000),
    changed={"evaluation.min_context": CONTEXT},
  )
  window_NxT1, _ = run.batches("test", count)
  found = scoring.predictions(run, window_NxT1)
  return reads_ahead.measured(run, window_NxT1, *found), window_NxT1


class MeasuredTest(parameterized.TestCase):
  def test_a_network_that_gives_its_target_moves_as_far_as_the_targets_do(self):
    found, window_NxT1 = moved(following)
    # In window n all from p on is that of window n - 1; p takes turns.
    first_N = CONTEXT + np.arange(30) % (T - CONTEXT)
    apart_NxT1 = np.abs(np.roll(window_NxT1, 1, axis=0) - window_NxT1)
    expected = apart_NxT1[np.arange(30), first_N].max()
    self.assertAlmostEqual(found["ahead_spacings"], expected, places=6)

  def test_the_past_moves_nothing_at_all(self):
    past = lambda x_BxT: jnp.cumsum(x_BxT, 1) / jnp.arange(1, T + 1)[None]
    found, _ = moved(past, scale=lambda x_BxT: 0.5 + x_BxT**2)
    self.assertEqual(found, {"ahead_spacings": 0.0, "ahead_nats": 0.0})

  def test_a_width_that_knows_the_rest_of_the_window(self):
    found, _ = moved(jnp.ones_like, scale=lambda x_BxT: 1 + 0 * x_BxT + x_BxT[:, -1:] ** 2)
    self.assertEqual(found["ahead_spacings"], 0.0)
    self.assertGreater(found["ahead_nats"], 0.01)

  def test_one_window_has_no_other_to_take_inputs_from(self):
    self.assertEqual(moved(following, count=1)[0], {})


class EarlierRunTest(absltest.TestCase):
  """A run that was trained when nothing refused it is read, and marked."""

  def test_it_is_loaded_measured_and_marked(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    workdir, config = folder / "told", tiny_study.get_config()
    config.model.trunk.mask = "full"
    with self.assertRaisesRegex(ValueError, "Valid here: causal"):
      experiment_lib.check_causal(config)
    data = tasks.load(config.task)
    made, inputs, _ = program.build(config, data)
    with runs.writing(workdir, config, data, []) as begin:
      begin()
    optimizer = optimizer_lib.build(config.fit.optimizer, config.fit.steps)
    saved = checkpoints.Checkpoints(workdir / "checkpoints")
    saved.save(1, fit.init(made, optimizer, inputs, fit.seed_keys(config.fit)))
    saved.close()
    with tiny_study.quick_compile():
      code, out, err = tiny_study.call(
        analyze.main, f"--workdir={workdir}", "--only=anchors,report"
      )
    self.assertEqual(code, 0, err)
    (line,) = [line for line in out.splitlines() if line.startswith("Our models")]
    self.assertRegex(line, "no prediction, as it reads its target")
    self.assertNotRegex(line, "ahead of|behind AR")
    table = (workdir / "results" / "anchors.csv").read_text()
    self.assertIn("model (told), reads its target", table)


def told(**changes):
  """Returns anchors in which a network that reads its target has the least NLL."""
  result = examples.anchors_result(name="told", nll=-1.5)
  model, *rest = result.table
  model = model | {"ahead_spacings": 0.7, "ahead_nats": 2.5}
  return dataclasses.replace(result, table=(model, *rest), **changes)


class ReportTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    stored = lambda result: report.Stored(result, {}, False, Path("none.png"))
    self.honest, self.leaky = (
      examples.anchors_result(),
      dataclasses.replace(examples.anchors_result(name="bank", nll=-0.4), memory=LEAKY),
    )
    self.tables = {
      "told": {"anchors": stored(told())},
      "e0": {"anchors": stored(self.honest)},
      "bank": {"anchors": stored(self.leaky)},
    }

  def test_a_caution_says_what_was_measured_or_what_the_mask_is(self):
    self.assertEqual(reads_ahead.caution(self.honest), "")
    self.assertRegex(reads_ahead.caution(told()), "reads its target.* 0.7 mean .* 2.5 nats")
    self.assertRegex(reads_ahead.caution(self.leaky), "only the last position")
    self.assertEqual(set(reads_ahead.cautions(self.tables)), {"told", "bank"})

  def test_it_is_last_and_ahead_of_nothing(self):
    page = str(report_losses.runs({"told": self.tables["told"]}))
    self.assertLess(page.index("adaptive AR(256)"), page.index("model (told)"))
    self.assertNotIn(">ahead<", page)
    self.assertEqual(page.count(f">{report_losses.TOLD}<"), len(told().table))
    self.assertIn(">ahead<", str(report_losses.runs({"e0": self.tables["e0"]})))

  def test_no_network_is_ranked_by_what_it_was_told(self):
    page = str(report_losses.comparison(self.tables))
    worst = page.index("E3, POSTFIX, seed 1337")
    for run in ("told", "bank"):
      self.assertGreater(page.index(f"model ({run})"), worst)
    self.assertLess(page.index("model (e0)"), worst)

  def test_the_first_screen_and_every_section_that_reads_it_say_so(self):
    ledger = trial.Ledger(rows=())
    line = REPORT.summary(self.tables, ledger)[1]
    said = dict(part.split(": ", 1) for part in line.removeprefix("Our models: ").split("; "))
    self.assertIn("no prediction, as it reads its target", said["told"])
    self.assertNotIn("no prediction", said["e0"])
    _, masking = REPORT.sections["masking"]
    self.tables["told"]["masking"] = report.Stored(
      examples.masking_result(), {}, False, Path("none.png")
    )
    page = str(masking(self.tables))
    self.assertIn("No prediction is read here of told: it reads its target", page)
    self.assertNotIn("read here of bank", page)  # which has no result there


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"ahead_spacings": 0.0, "ahead_nats": 0.0}, "postfix", 1),
    ({}, "postfix", 1),  # a result of earlier code
    ({"ahead_spacings": 0.1, "ahead_nats": 0.0}, "postfix", 0),
    ({"ahead_spacings": 0.0, "ahead_nats": 0.1}, "postfix", 0),
    ({"ahead_spacings": 0.0, "ahead_nats": 0.0}, LEAKY, 0),
  )
  def test_claims_count_networks_that_predict(self, measured, memory, count):
    anchors = zeros_results.anchors(memory=memory)
    anchors.table = (anchors.table[0] | measured, *anchors.table[1:])
    tables = {"run": {"anchors": anchors}}
    self.assertLen(published.results(tables, "anchors", told=True), 1)
    self.assertIs(published.first(tables, "anchors"), anchors)
    if count:
      self.assertLen(published.results(tables, "anchors"), 1)
    else:
      with self.assertRaises(trial.Missing):
        published.results(tables, "anchors")


if __name__ == "__main__":
  absltest.main()
