import tempfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens import tasks
from primelens.lens import analyze, runs
from primelens.lens import experiment as experiment_lib
from primelens.models import checkpoints, fit
from primelens.models import optimizer as optimizer_lib
from primelens.studies.zeros import anchors, program, scoring

T, CONTEXT = tiny_study.T, 8


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
  return anchors.reads_ahead(run, window_NxT1, *found), window_NxT1


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
    code, out, err = tiny_study.call(analyze.main, f"--workdir={workdir}", "--only=anchors,report")
    self.assertEqual(code, 0, err)
    (line,) = [line for line in out.splitlines() if line.startswith("NLL of the networks")]
    self.assertRegex(line, "no prediction, as it reads its target")
    self.assertNotRegex(line.partition(" Published networks")[0], "ahead of|behind AR")
    table = (workdir / "results" / "anchors.predictors.csv").read_text()
    self.assertIn("model (told), reads its target", table)
    page = (workdir / "report.html").read_text()
    self.assertIn("The network of told predicts nothing: it reads its target", page)


if __name__ == "__main__":
  absltest.main()
