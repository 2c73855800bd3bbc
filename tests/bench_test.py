"""What the benches share: turns, the peer's process, rows, our training."""

import sys
import tempfile
from pathlib import Path
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import one
from absl.testing import absltest
from primelens import tasks
from primelens.models import fit, pair_table
from primelens.studies.addition import program

sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))
import addition
import probes
import side_by_side

PEER = """
import json, sys
hello = {"versions": {"peer": "1"}, "given": sys.argv[1:]}
print(json.dumps(hello), flush=True)
for line in sys.stdin:
  if line == "0\\n":
    sys.exit()
  print(json.dumps({"seconds": 0.5 * int(line)}), flush=True)
"""


class AlternateTest(absltest.TestCase):
  def test_turns_and_medians(self):
    calls = []

    def timed(name, seconds):
      def one(steps):
        calls.append((name, steps))
        return steps * next(seconds)

      return one

    taken = side_by_side.alternate(
      {
        "fast": timed("fast", iter([0.25, 0.125, 8, 0.5])),
        "slow": timed("slow", iter([3, 3, 2, 4])),
      },
      rounds=3,
      seconds=1,
    )
    self.assertEqual(taken, {"fast": 0.5, "slow": 3})
    turn = [("fast", 4), ("slow", 1)]  # a second each, at least one step
    self.assertEqual(calls, [("fast", 1), ("slow", 1), *3 * turn])


class RowTest(absltest.TestCase):
  def row(self, peer):
    return side_by_side.row(
      "name",
      "seconds",
      0.5,
      peer,
      peer_name="Peer",
      devices=2,
      versions={"peer": "1"},
      compile_seconds=3,
    )

  def test_ratio_is_the_speed_up_over_the_peer(self):
    found = self.row(4.0)
    self.assertEqual(found["ratio"], 8)
    self.assertEqual(found["versions"], {"jax": jax.__version__, "peer": "1"})
    kind = jax.devices()[0].device_kind
    self.assertEqual(found["device"], f"2 x {kind}")
    self.assertEqual(found["compile_seconds"], 3)

  def test_no_peer_no_ratio(self):
    found = self.row(None)
    self.assertIsNone(found["peer"])
    self.assertIsNone(found["ratio"])


class PeerTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    (folder / "fake_peer.py").write_text(PEER)
    self.enterContext(mock.patch.object(side_by_side, "FOLDER", folder))

  def test_conversation(self):
    script = (sys.executable, "fake_peer.py", 10, "{}")
    with side_by_side.peer(*script) as (timed, hello):
      self.assertEqual(hello, {"versions": {"peer": "1"}, "given": ["10", "{}"]})
      self.assertEqual(timed(3), 1.5)
      self.assertEqual(timed(1), 0.5)

  def test_a_peer_that_stops_is_named(self):
    with self.assertRaisesRegex(SystemExit, "fake_peer.py"):
      with side_by_side.peer(sys.executable, "fake_peer.py") as (timed, _):
        timed(0)

  def test_without_an_environment_there_is_no_peer(self):
    with side_by_side.peer("no/python", "fake_peer.py") as (timed, hello):
      self.assertIsNone(timed)
      self.assertEqual(hello, {})


class TrainingTest(absltest.TestCase):
  def test_calls_go_on_from_each_other(self):
    program = fit.Program(
      init=lambda data, key: {"w": jnp.zeros(())},
      draw=lambda data, key, step: data,
      loss=lambda params, batch, key, step: (
        (params["w"] - batch["target"]) ** 2,
        {"number": step.astype(jnp.float32)},
      ),
      evaluate=lambda params, batch, key: jnp.zeros(()),
    )
    config = fit.Config(steps=10, seeds=2)
    data = {"target": jnp.ones(())}
    training = side_by_side.Training(program, config, data, jax.devices()[:1])
    for steps, mean in ((2, 0.5), (3, 3.0)):
      self.assertGreater(training.timed(steps), 0)
      self.assertEqual(training.metrics_S["number"].tolist(), [mean, mean])


class AdditionTest(absltest.TestCase):
  def start(self, tables: bool):
    """Returns [train, test] losses of 598/999 before its first step."""
    config = addition.experiment(10, seeds=2)
    pairs = tasks.load(config.task)
    built, data, _ = program.build(config, pairs, tables=tables)
    key = jax.random.key(0)
    own = one.seed(built, data, 0)
    params, batch = built.init(own, key), built.draw(own, key, 0)
    train, metrics = jax.jit(built.loss)(params, batch, key, 0)
    return np.array([train, metrics["test/nll_nats"]])

  def test_both_paths_start_as_published_and_are_two(self):
    expected = [3.003721, 3.005199]  # docs/sources/addition.md, section 2
    np.testing.assert_allclose(self.start(True), expected, atol=1e-6)
    unused = mock.Mock(side_effect=AssertionError("the tables were used"))
    with (
      mock.patch.object(pair_table, "logits", unused),
      mock.patch.object(pair_table, "all_logits", unused),
    ):
      np.testing.assert_allclose(self.start(False), expected, atol=1e-6)

  def test_starts_that_differ_stop_the_bench(self):
    addition.agree("same", [3.003721, 3.005199], [3.0037215, 3.005199])
    with self.assertRaisesRegex(SystemExit, "one: .* the peer's"):
      addition.agree("one", [3.003721, 3.005199], [3.003721, 3.005209])


class ProbesTest(absltest.TestCase):
  def test_all_sides_solve_the_same(self):
    rng = np.random.default_rng(0)
    state_NxD = rng.normal(size=(probes.ROWS, 3)).astype(np.float32)
    noise_NxK = rng.normal(size=(probes.ROWS, 2))
    label_NxK = (state_NxD @ np.ones((3, 2)) + noise_NxK).astype(np.float32)
    ours_K = np.asarray(probes.ours(state_NxD[None], label_NxK))[0]
    self.assertBetween(ours_K.min(), 0.6, 0.9)  # three parts of four
    for peer in (probes.one_by_one, probes.together):
      np.testing.assert_allclose(peer(state_NxD, label_NxK), ours_K, atol=1e-5)


if __name__ == "__main__":
  absltest.main()
