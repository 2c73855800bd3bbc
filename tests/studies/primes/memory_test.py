"""Errors of an untrained population against plain numpy."""

import dataclasses
import functools
import json
import tempfile
from pathlib import Path

import jax
import numpy as np
import tiny_primes
from absl.testing import absltest
from primelens.models import checkpoints, indices
from primelens.studies.primes import memory

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
  z_SxN = [forward()(jax.tree.map(lambda x, s=s: x[s], params_S)) for s in range(3)]
  return run.data.mean + run.data.deviation * np.array(z_SxN, float)[:, row_N]


class MemoryTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.run_ = untrained()
    cls.result = memory.run(cls.run_)

  def record(self, part, predictor):
    found = [
      record
      for record in self.result.errors
      if (record["part"], record["predictor"]) == (part, predictor)
    ]
    self.assertLen(found, 1)
    return found[0]

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
    np.testing.assert_array_equal(self.result.gap_N, self.run_.data.gap_N[row_N])
    np.testing.assert_allclose(
      self.result.answer_SxN, answers(self.run_, self.run_.params_S, row_N), atol=1e-4
    )

  def test_setting(self):
    (found,) = self.result.setting
    expected = {
      "sequence": "primes",
      "primes": 1500,
      "embedding": "learned",
      "held_out": "random",
      "flows": 1,
      "kernel": False,
      "seeds": 3,
    }
    self.assertEqual({name: found[name] for name in expected}, expected)
    self.assertEqual(self.result.epoch_steps, 43)  # 1350 / 32

  def test_without_snapshots_there_are_no_curves(self):
    self.assertEqual(self.result.step_C.shape, (0,))
    self.assertEqual(self.result.logged_SxC.shape, (3, 0))
    self.assertEqual(self.result.trained_SxC.shape, (3, 0))


class CurvesTest(absltest.TestCase):
  def test_errors_at_the_snapshots(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    run = dataclasses.replace(untrained(), workdir=folder)
    rows, saved = [], {}
    for step in (0, 43, 86):
      saved[step] = jax.tree.map(lambda x, step=step: x * (1 + step / 43), run.params_S)
      checkpoints.write_snapshot(folder / "snapshots", step, saved[step])
      if step:
        rows.append({"step": step, "train/mse": [1.0, 2.0, step]})
    rows.append({"step": 60, "eval/mse": [0.0, 0.0, 0.0]})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text(lines)
    found, gaps = memory.curves(run), run.data
    np.testing.assert_array_equal(found["step_C"], [0, 43, 86])
    np.testing.assert_array_equal(
      found["logged_SxC"], [[np.nan, 1, 1], [np.nan, 2, 2], [np.nan, 43, 86]]
    )
    for name, row_N in (
      ("trained", gaps.train_N),  # fewer than are drawn at most
      ("held", gaps.held_N),
    ):
      for c, params_S in enumerate(saved.values()):
        error_SxN = answers(run, params_S, row_N) - gaps.gap_N[row_N]
        square_S = np.mean((error_SxN / gaps.deviation) ** 2, axis=1)
        np.testing.assert_allclose(found[f"{name}_SxC"][:, c], square_S, rtol=1e-4)


if __name__ == "__main__":
  absltest.main()
