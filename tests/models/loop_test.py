"""The host side of a fit: outcomes, resume, metrics, snapshots."""

import dataclasses
import itertools
import json
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from primelens.models import checkpoints, fit, optimizer

CONFIG = fit.Config(
  steps=20,
  batch_size=4,
  seeds=2,
  dispatch=5,
  evaluate_every=5,
  checkpoint_every=10,
  optimizer=optimizer.Config(rate=0.1, warmup=2),
)


DATA = {"target": jnp.array([1.0, -2.0, 0.5])}


def program(bad_from=10**6, plateau=False):
  """Returns a small regression whose loss is NaN from one step on."""

  def draw(data, key, step):
    x_BxD = jax.random.normal(key, (4, 3))
    return x_BxD, x_BxD @ data["target"]

  def loss(params, batch, key, step):
    value = jnp.mean((batch[0] @ params["w"] - batch[1]) ** 2)
    return jnp.where(step >= bad_from, jnp.nan, value), {}

  def evaluate(params, select, key):
    error_D = params["w"] - select["target"]
    return jnp.float32(1) if plateau else jnp.sum(error_D**2)

  init = lambda data, key: {"w": jax.random.normal(key, (3,))}
  return fit.Program(init, draw, loss, evaluate)


def states_equal(a, b):
  a, b = jax.device_get((a, b))
  jax.tree.map(np.testing.assert_array_equal, a, b)


class LoopTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.root = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    cls.whole = cls.run_fit("whole")  # a run to the end, which all tests leave as it is

  @classmethod
  def run_fit(cls, name, tiny=None, *, stop_at=None, **change):
    folder, told = cls.root / name, []
    folder.mkdir(exist_ok=True)
    config = dataclasses.replace(CONFIG, **change)
    asked = itertools.count(5, 5)  # at steps 5, 10, ... of a fresh run
    outcome = fit.Fit(tiny or program(), config, folder).run(
      DATA,
      DATA,
      progress=lambda step, row: told.append((step, row)),
      stopped=lambda: next(asked) == stop_at,
    )
    return outcome, told

  @classmethod
  def rows(cls, name):
    rows = fit.read_metrics(cls.root / name / "metrics.jsonl")
    return [{k: v for k, v in r.items() if k != "seconds_per_step"} for r in rows]

  def test_finishes_and_tells_every_dispatch(self):
    outcome, told = self.whole
    self.assertEqual((outcome.step, outcome.reason), (20, "finished"))
    self.assertEqual([step for step, _ in told], [5, 10, 15, 20])
    row = told[-1][1]
    self.assertLen(row["select/nll_nats"], 2)
    self.assertLess(row["train/loss"][0], told[0][1]["train/loss"][0])
    self.assertEqual(row["frozen_step"], [-1, -1])
    again, told = self.run_fit("whole")
    self.assertEqual((again.step, again.reason, told), (20, "finished", []))
    states_equal(again.state_S, outcome.state_S)

  def test_rows_have_the_rate(self):
    _, told = self.whole
    # Of the last steps, 4, 9, 14 and 19; the warm-up ends at 2.
    expected = [0.05 * (1 + np.cos(np.pi * (step - 2) / 18)) for step in (4, 9, 14, 19)]
    for (_, row), rate in zip(told, expected, strict=True):
      np.testing.assert_allclose(row["train/rate"], [rate, rate], rtol=1e-5)
    walk = optimizer.Config(rate=0.1, schedule="random_walk", cycle=5)
    outcome, told = self.run_fit("walk", steps=160, optimizer=walk)
    rate_NxS = np.array([row["train/rate"] for _, row in told])
    np.testing.assert_allclose(rate_NxS[:30], 0.1)  # it changes at the end of epoch 30
    np.testing.assert_allclose(rate_NxS[-1], outcome.state_S.opt_state[-1].rate, rtol=1e-6)
    self.assertGreater(np.abs(rate_NxS[-1] - 0.1).min(), 1e-3)

  def test_interrupted_saves_and_resumes_bit_for_bit(self):
    whole, _ = self.whole
    for stop in (5, 10):  # off and on the checkpoint period
      name = f"stopped{stop}"
      first, _ = self.run_fit(name, stop_at=stop)
      self.assertEqual((first.step, first.reason), (stop, "interrupted"))
      saved = checkpoints.Checkpoints(self.root / name / "checkpoints")
      self.assertEqual(saved.steps(), [stop])
      saved.close()
      second, told = self.run_fit(name)
      self.assertEqual(told[0][0], stop + 5)
      states_equal(second.state_S, whole.state_S)
      self.assertEqual(self.rows(name), self.rows("whole"))

  def test_rows_behind_the_resume_point_and_a_torn_line_are_cut(self):
    self.run_fit("cut", stop_at=10)
    path = self.root / "cut" / "metrics.jsonl"
    with path.open("a") as file:
      file.write(json.dumps({"step": 15, "train/loss": [7.0]}) + "\n")
      file.write('{"step": 20, "train/lo')
    self.run_fit("cut")
    self.assertEqual(self.rows("cut"), self.rows("whole"))

  def test_damaged_rows_are_left_out_and_that_is_said(self):
    path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "metrics.jsonl"
    metrics = fit.Metrics(path, resume_step=0)
    rows = [metrics.write(step, {"train/loss": [1.5, 0.25]}) for step in (5, 10, 15, 20, 25)]
    lines = path.read_bytes().splitlines(keepends=True)
    self.assertEqual(json.loads(lines[0])["train/loss"], [1.5, 0.25])  # one reads them as JSON
    lines[1] = lines[1].replace(b"0.25", b"0.75")
    lines[2] = lines[2][:20] + b"\xff" + lines[2][21:]
    lines[3] = b"[]\n"
    path.write_bytes(b"".join(lines) + b'{"step": 30, "tra')
    with self.assertLogs(level="WARNING") as log:
      self.assertEqual(fit.read_metrics(path), [rows[0], rows[4]])
    [line] = log.output
    self.assertRegex(line, r"metrics.jsonl: 3 of 5 rows are damaged .*lines 2, 3, 4\)")

  def test_rows_that_a_checkpoint_ought_to_have_are_missed(self):
    path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "metrics.jsonl"
    fit.Metrics(path, resume_step=0).write(5, {})
    with self.assertLogs(level="WARNING") as log:
      fit.Metrics(path, resume_step=10)
    self.assertIn("lacks the rows from step 5 to 10", log.output[0])

  def test_rows_of_an_earlier_revision_are_read_and_get_digests(self):
    path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "metrics.jsonl"
    old = [{"step": 5, "train/loss": [1.0]}, {"step": 10, "train/loss": [None]}]
    path.write_text("".join(json.dumps(row) + "\n" for row in old))
    with self.assertLogs(level="WARNING") as log:
      self.assertEqual(fit.read_metrics(path), old)
      fit.Metrics(path, resume_step=10)
    self.assertLen(log.output, 1)
    self.assertIn("earlier revision, without digests", log.output[0])
    with self.assertNoLogs(level="WARNING"):
      self.assertEqual(fit.read_metrics(path), old)

  def test_nothing_is_written_before_the_first_steps_are_done(self):
    folder = self.root / "fresh"
    program_ = program()

    def begin():
      self.assertFalse(folder.exists())
      folder.mkdir()

    its = fit.Fit(program_, CONFIG, folder)
    its.check(DATA, DATA)
    its.run(DATA, DATA, progress=lambda *_: None, stopped=lambda: True, begin=begin)
    self.assertEqual(fit.read_metrics(folder / "metrics.jsonl")[-1]["step"], 5)

    def fails(params, batch, key, step):
      raise RuntimeError("as when there is no memory")

    its = fit.Fit(program_._replace(loss=fails), CONFIG, self.root / "none")
    with self.assertRaisesRegex(RuntimeError, "no memory"):
      its.run(DATA, DATA, progress=print, stopped=lambda: False, begin=self.fail)
    self.assertFalse((self.root / "none").exists())

  def test_what_cannot_work_is_refused_by_shapes_alone(self):
    for change, message in (
      ({"accumulation": 3}, "batch_size=4 does not divide into accumulation=3 parts"),
      ({"first_seed": 2**31 - 1}, "first_seed=2147483647 and seeds=2 reach beyond seed 2147483647"),
    ):
      with self.assertRaisesRegex(ValueError, message):
        config = dataclasses.replace(CONFIG, **change)
        fit.Fit(program(), config, self.root / "none").check(DATA, DATA)
    self.assertFalse((self.root / "none").exists())

  def test_stops_when_every_seed_is_frozen(self):
    outcome, told = self.run_fit("nan", program(bad_from=7))
    self.assertEqual((outcome.step, outcome.reason), (10, "frozen"))
    np.testing.assert_array_equal(outcome.state_S.frozen_step, [7, 7])
    self.assertIsNone(told[-1][1]["train/loss"][0])
    for leaf in jax.tree.leaves(outcome.state_S.params):
      self.assertTrue(np.isfinite(leaf).all())
    again, told = self.run_fit("nan", program(bad_from=7))
    self.assertEqual((again.reason, told), ("frozen", []))
    states_equal(again.state_S, outcome.state_S)

  def test_patience_counts_steps_since_the_last_best(self):
    outcome, _ = self.run_fit("flat", program(plateau=True), patience=10)
    self.assertEqual((outcome.step, outcome.reason), (15, "patience"))
    np.testing.assert_array_equal(outcome.state_S.best_step, [5, 5])
    outcome, _ = self.run_fit("falling", patience=10)
    self.assertEqual(outcome.reason, "finished")

  def test_snapshots_hold_the_params_and_best_is_one_of_them(self):
    outcome, told = self.run_fit("snaps", snapshot_every=5)
    folder = self.root / "snaps" / "snapshots"
    self.assertEqual(checkpoints.snapshot_steps(folder), [5, 10, 15, 20])
    like = outcome.state_S.params
    states_equal(checkpoints.read_snapshot(folder, 20, like), like)
    nll_CxS = np.array([row["select/nll_nats"] for _, row in told])
    best_S = 5 * (1 + nll_CxS.argmin(axis=0))
    np.testing.assert_array_equal(outcome.state_S.best_step, best_S)
    for s, step in enumerate(best_S):
      held = checkpoints.read_snapshot(folder, int(step), like)
      np.testing.assert_array_equal(held["w"][s], outcome.state_S.best_params["w"][s])

  def test_read_state_reads_only(self):
    outcome, _ = self.whole
    folder = self.root / "whole"
    before = sorted(str(p) for p in folder.rglob("*"))
    step, state_S = fit.read_state(folder, program(), CONFIG, DATA)
    self.assertEqual(step, 20)
    states_equal(state_S, outcome.state_S)
    self.assertEqual(sorted(str(p) for p in folder.rglob("*")), before)
    self.assertIsNone(fit.read_state(self.root / "no", program(), CONFIG, DATA))


if __name__ == "__main__":
  absltest.main()
