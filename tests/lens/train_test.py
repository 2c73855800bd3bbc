import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens import tasks
from primelens.lens import cli, runs, study, train
from primelens.models import checkpoints, fit
from primelens.tasks import files

CONFIG = tiny_study.__file__
MAIN = "import sys; from primelens.lens import train; sys.exit(train.main())"


def last_params(workdir: Path):
  """Returns the newest parameters of a run by name."""

  def last(settings):
    settings.parameters = "last"
    return settings

  leaves = jax.tree_util.tree_leaves_with_path(runs.load(workdir, last).params_S)
  return {jax.tree_util.keystr(path): np.asarray(x) for path, x in leaves}


def truncate(folder: Path) -> None:
  """Cuts every file of a checkpoint to half its length."""
  for path in folder.rglob("*"):
    if path.is_file():
      path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


class CommandCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.workdir = self.folder / "run"

  def copy(self) -> Path:
    shutil.copytree(tiny_study.trained(), self.workdir)
    return self.workdir

  def assert_refused(self, result, message: str, before) -> None:
    """One line on stderr with the message, exit code 2, nothing written."""
    code, out, err = result
    self.assertEqual((code, out), (2, ""), err)
    self.assertRegex(err, f"^error: .*{message}")
    self.assertEqual(err.count("\n"), 1, err)
    self.assertEqual(tiny_study.files(self.folder), before)

  def assert_as_untouched(self):
    """The run is what it is where nothing was damaged, bit for bit."""
    whole = tiny_study.trained()
    rows, again = (fit.read_metrics(f / "metrics.jsonl") for f in (whole, self.workdir))
    for row in (*rows, *again):
      row.pop("seconds_per_step")
    self.assertEqual(again, rows)
    expected = last_params(whole)
    for name, leaf in last_params(self.workdir).items():
      self.assertEqual(leaf.tobytes(), expected[name].tobytes(), name)
    for step in (10, 20):
      name = f"snapshots/step_{step:08d}.safetensors"
      self.assertEqual((self.workdir / name).read_bytes(), (whole / name).read_bytes())


class BadFlagsTest(CommandCase):
  @parameterized.parameters(
    ("--config.fit.seed=3", "No field 'seed' in 'fit.seed'; valid.* seeds, "),
    ("--config.fit.seeds=two", "fit.seeds='two' is not a int"),
    ("--config.fit.seeds", "'fit.seeds' is not of the form a.b=value"),
    ("--config.model.memory=both", "'both' is not one of none, prefix, postf"),
    ("--config.model.trunk.dtype=int8", "not one of float32, bfloat16"),
    ("--config.task.ensemble=goe", "'goe' is not one of cue, gue"),
    ("--config.task.split=half", "'half' is not one of contiguous, pu"),
    ("--config.model.window=12", "task.window=16 and model.window=12 must ag"),
    ("--config.model.auxiliary=mean", "auxiliary='mean' needs memory='postfi"),
    ("--config.model.trunk.heads=3", "width=8 is not a multiple of heads=3"),
    ("--config.model.trunk.heads=0", "heads=0 must be at least 1"),
    ("--config.model.trunk.layers=0", "layers=0 must be at least 1"),
    ("--config.model.components=0", "components=0 must be at least 1"),
    ("--config.model.skip_order=17", "skip_order=17 exceeds window=16"),
    ("--config.model.trunk.max_positions=9", "16 positions do not fit max_po"),
    ("--config.fit.steps=0", "fit.steps=0 must be at least 1"),
    ("--config.fit.evaluate_every=-1", "fit.evaluate_every=-1 must be at least 0"),
    ("--config.fit.evaluate_windows=999", "has 22 disjoint windows, not 999"),
    ("--config.task.count=100", "100 spacings are too few"),
    ("--config.analyses.masking.ratios=0.5", "masking.ratios=.* hold 0, the"),
    ("--config=zeros_e9", "No config 'zeros_e9'; a file, or one of addition"),
    ("--config=/no/such.py", "No config '/no/such.py'; a file, or one of ad"),
    ("--config=zeros_published:e9", "'e9' is not one of e0, v0, v1, e1, e2"),
    ("--config=", "--config is missing; a file, or one of addition, "),
    ("--workdir=", "--workdir is missing"),
    ("--wrokdir=x", "Unknown command line flag 'wrokdir'.*workdir"),
    ("--config.fit.accumulation=3", "batch_size=8 does not divide into accumulation=3 parts"),
    (
      "--config.fit.first_seed=2147483647",
      "first_seed=2147483647 and seeds=2 reach beyond seed 2147483647",
    ),
    ("--dry_run=maybe", "dry_run"),
    ("run", "Unexpected argument 'run'"),
  )
  def test_refused(self, flag, message):
    result = tiny_study.train(self.workdir, flag)
    self.assert_refused(result, message, {})
    self.assertFalse(self.workdir.exists())

  @parameterized.product(
    flags=(
      ("mask=full",),
      ("mask=leaky_as_published", "mask_slots=3"),
      ("mask=memory_blind", "mask_slots=3"),
      ("mask=leaky_as_published", "mask_slots=3", "memory=prefix"),
      ("mask=memory_blind", "mask_slots=3", "memory=prefix"),
      ("mask_slots=3",),
    ),
    dry_run=(True, False),
  )
  def test_a_network_that_would_read_its_target(self, flags, dry_run):
    where = lambda flag: "model." if flag.startswith("memory=") else "model.trunk."
    changes = [f"--config.{where(flag)}{flag}" for flag in flags]
    if dry_run:
      changes.append("--dry_run")
    message = "trunk.mask(_slots)?=.* (Valid here: causal|without them take )"
    self.assert_refused(tiny_study.train(self.workdir, *changes), message, {})
    self.assertFalse(self.workdir.exists())

  def test_a_missing_or_broken_data_file(self):
    bad = self.folder / "zeros.txt"
    bad.write_text("14.13\n21.02\ntwenty-five\n")
    before = tiny_study.files(self.folder)
    flags = (
      "--config=zeros_published:e0",
      "--config.task.source=text",
      f"--config.task.cache={self.folder / 'cache'}",
    )
    for path, message in ((self.folder / "none.txt", "none.txt"), (bad, "zeros.txt, line 3")):
      result = tiny_study.train(self.workdir, *flags, f"--config.task.path={path}")
      self.assert_refused(result, message, before)


class DryRunTest(CommandCase):
  def test_says_what_a_run_costs_and_writes_nothing(self):
    code, out, err = tiny_study.call(
      train.main, "--config=zeros_published:e0", "--dry_run", f"--workdir={self.workdir}"
    )
    self.assertEqual((code, err), (0, ""))
    self.assertRegex(out, r"parameters per seed +4,794,136\n")
    self.assertRegex(out, r"steps +20,000\n")
    for name in ("FLOP in all", "memory", "expected time"):
      self.assertIn(name, out)
    self.assertFalse(self.workdir.exists())


class UsedDirectoryTest(CommandCase):
  def test_other_files(self):
    self.workdir.mkdir()
    (self.workdir / "thesis.tex").write_text("x")
    before = tiny_study.files(self.folder)
    result = tiny_study.train(self.workdir)
    self.assert_refused(result, "run is not empty and has no config", before)

  def test_a_file(self):
    self.workdir.write_text("x")
    before = tiny_study.files(self.folder)
    result = tiny_study.train(self.workdir)
    self.assert_refused(result, "run is a file; choose another", before)

  @parameterized.parameters(
    ("--config.fit.seeds=1", "another run .fit.seeds: 2 there, 1 here"),
    ("--config.task.seed=5", "another run .task.seed: 0 there, 5 here"),
    ("--config.model.slots=3", "another run .model.slots: 2 there, 3 here"),
  )
  def test_another_run(self, flag, message):
    self.copy()
    before = tiny_study.files(self.folder)
    self.assert_refused(tiny_study.train(self.workdir, flag), message, before)

  @parameterized.parameters(
    ("config.json", lambda x: x[: len(x) // 2], "config.json is not readable"),
    ("config.json", lambda x: b"[]", "config.json is not a JSON object"),
    ("config.json", lambda x: b"{}", "config.json: study=None is not one of"),
    ("config.json", lambda x: b"\xff", "config.json is not readable JSON"),
    (
      "config.json",
      lambda x: x.replace(b'"seeds": 2', b'"seeds": "2"'),
      "config.json: fit.seeds='2' is not of type int",
    ),
    ("manifest.json", lambda x: x[:40], "manifest.json is not readable JSON"),
    ("manifest.json", lambda x: b"{}", "manifest.json has no 'revision'"),
    ("manifest.json", None, "manifest.json"),
    (
      "manifest.json",
      lambda x: x.replace(b'"data_hash": "', b'"data_hash": "00'),
      "manifest.json: its content and its sha256 do not agree",
    ),
  )
  def test_a_broken_run(self, name, damage, message):
    path = self.copy() / name
    if damage is None:
      path.unlink()
    else:
      path.write_bytes(damage(path.read_bytes()))
    before = tiny_study.files(self.folder)
    self.assert_refused(tiny_study.train(self.workdir), message, before)

  def test_no_readable_checkpoint(self):
    self.copy()
    for step in ("10", "20"):
      truncate(self.workdir / "checkpoints" / step)
    before = tiny_study.files(self.folder)
    with self.assertNoLogs(level="WARNING"):
      result = tiny_study.train(self.workdir)
    self.assert_refused(result, "No readable checkpoint in .*step 20: .*step 10: ", before)


class ResumeTest(CommandCase):
  def test_a_finished_run_stays_as_it_is(self):
    self.copy()
    before = tiny_study.files(self.folder)
    code, out, _ = tiny_study.train(self.workdir)
    self.assertEqual(code, 0)
    self.assertIn("finished at step 20", out)
    self.assertEqual(tiny_study.files(self.folder), before)

  def test_analysis_settings_are_not_the_runs_identity(self):
    self.copy()
    flag = "--config.analyses.masking.windows=3"
    self.assertEqual(tiny_study.train(self.workdir, flag)[0], 0)

  def test_a_broken_checkpoint_and_a_torn_row_are_made_good(self):
    self.copy()
    truncate(self.workdir / "checkpoints" / "20")
    with (self.workdir / "metrics.jsonl").open("a") as file:
      file.write('{"step": 25, "train/nll')
    with self.assertLogs(level="WARNING") as logs:
      code, out, _ = tiny_study.train(self.workdir)
    self.assertLen(logs.output, 1)
    self.assertIn("Unreadable checkpoint (step 20", logs.output[0])
    self.assertEqual((code, out[:19]), (0, "finished at step 20"))
    self.assert_as_untouched()

  def test_a_directory_of_an_earlier_revision_goes_on_and_that_is_said_once(self):
    self.copy()
    manifest = self.workdir / "manifest.json"
    old = runs.read_manifest(self.workdir) | {"schema": 1}
    del old["config_sha256"]
    manifest.write_text(json.dumps(old))
    (self.workdir / "lock").unlink()
    metrics = self.workdir / "metrics.jsonl"
    metrics.write_text("".join(json.dumps(r) + "\n" for r in fit.read_metrics(metrics)))
    for step in ("10", "20"):
      (self.workdir / "checkpoints" / step / "digests.json").unlink()
    shutil.rmtree(self.workdir / "checkpoints" / "20" / "default")
    checkpoints.undigested.cache_clear()
    with self.assertLogs(level="WARNING") as logs:
      code, out, _ = tiny_study.train(self.workdir)
    self.assertEqual((code, out[:19]), (0, "finished at step 20"))
    said = [line for line in logs.output if "earlier revision, without digests" in line]
    self.assertLen(said, 1)
    self.assertLen(logs.output, 2)  # and that step 20 is unreadable
    self.assert_as_untouched()

  def test_in_a_thread_that_may_not_handle_signals(self):
    self.copy()
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
      code, out, err = thread.submit(tiny_study.train, self.workdir).result()
    self.assertEqual((code, out[:19]), (0, "finished at step 20"), err)


class FrozenTest(CommandCase):
  def test_when_no_seed_is_left(self):
    code, out, err = tiny_study.train(self.workdir, "--config.fit.optimizer.rate=1e38")
    self.assertEqual(code, 3)
    for seed in (3, 4):
      self.assertRegex(err, f"seed {seed}: loss not finite at step [0-9]+; kept")
    self.assertIn("frozen at step", out)
    experiment = runs.read_experiment(self.workdir)
    build = study.find(experiment.study).build
    program, data, _ = build(experiment, tasks.load(experiment.task))
    _, state_S = fit.read_state(self.workdir, program, experiment.fit, data)
    for leaf in jax.tree.leaves(state_S.params):
      self.assertTrue(np.isfinite(leaf).all())


# A shell starts what runs behind it with signals ignored, and children inherit that.
HEARD = (
  "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
  "signal.signal(signal.SIGTERM, signal.SIG_DFL); signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
)


class ChildCase(CommandCase):
  WRITES = True  # to the cache of compiled programs, which all tests share

  def start(self, script: str, *flags: str):
    """Returns a child process that runs a script with flags."""
    options = os.environ | {"JAX_PLATFORMS": "cpu"}
    if not self.WRITES:
      options["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "1e9"
    child = subprocess.Popen(
      [sys.executable, "-c", HEARD + script, *flags],
      env=options,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    self.addCleanup(child.kill)
    return child


class FullDiskTest(ChildCase):
  WRITES = False  # into the cache: files of this size, too
  # No file may be longer: to write one then fails as on a full disk.
  LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0})); "

  def test_is_one_line_and_when_there_is_room_the_command_goes_on(self):
    self.copy()
    shutil.rmtree(self.workdir / "checkpoints" / "20")
    flags = (f"--config={CONFIG}", f"--workdir={self.workdir}")
    saved = (self.workdir / "checkpoints" / "10").rglob("*")
    limit = max(path.stat().st_size for path in saved if path.is_file()) * 3 // 4
    child = self.start(self.LIMIT.format(limit) + MAIN, *flags)
    out, err = child.communicate()
    self.assertEqual(child.returncode, cli.NO_SPACE, err)
    *progress, last = err.splitlines()
    self.assertRegex(last, "error: .*checkpoints.*: File too large. Make room, then repeat")
    self.assertTrue(all(line.startswith("step ") for line in progress), err)
    self.assertEqual(runs.latest_step(self.workdir), 10)
    code, out, _ = tiny_study.train(self.workdir)
    self.assertEqual((code, out[:19]), (0, "finished at step 20"))
    self.assertEqual(sorted(os.listdir(self.workdir / "checkpoints")), ["10", "20"])
    self.assert_as_untouched()


class SignalTest(ChildCase):
  @parameterized.parameters(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
  def test_one_asks_to_save(self, number):
    self.addCleanup(signal.signal, number, signal.getsignal(number))
    handler = signal.default_int_handler
    signal.signal(number, handler)
    with train.interruptible() as stopped:
      self.assertFalse(stopped())
      os.kill(os.getpid(), number)
      os.kill(os.getpid(), number)  # as a wrapper or a closing terminal passes it on
      while not stopped():
        time.sleep(0.001)
    self.assertIs(signal.getsignal(number), handler)

  def test_what_is_ignored_stays_so(self):
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    self.addCleanup(signal.signal, signal.SIGHUP, handler)
    with train.interruptible():
      self.assertIs(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)

  def test_a_second_ctrl_c_ends_at_once_what_python_cannot_interrupt(self):
    script = (
      "import hashlib, os, signal, threading, time\n"
      "from primelens.lens import train\n"
      "def often():\n"
      "  while True:\n"
      "    os.kill(os.getpid(), signal.SIGINT)\n"
      "    time.sleep(0.1)\n"
      "with train.interruptible():\n"
      "  threading.Thread(target=often, daemon=True).start()\n"
      "  hashlib.pbkdf2_hmac('sha256', b'', b'', 200_000_000)\n"  # minutes, in C
    )
    child = self.start(script)
    _, err = child.communicate()
    self.assertEqual(child.returncode, cli.INTERRUPTED, err)
    self.assertRegex(err, "^saving after these steps; .*\nended; the same command goes on .*\n$")


class InterruptTest(ChildCase):
  """A child is really interrupted; the resumed run ends as an untouched one."""

  FLAGS = (
    "--config.fit.steps=90",
    "--config.fit.dispatch=1",
    "--config.fit.checkpoint_every=60",  # what an interruption saves is looked at
    "--config.fit.snapshot_every=60",
    "--config.fit.evaluate_every=30",
  )

  def child(self, workdir: Path):
    flags = (f"--config={CONFIG}", f"--workdir={workdir}", *self.FLAGS)
    return self.start(MAIN, *flags)

  def stopped(self, workdir: Path, number: int) -> int:
    """Sends a signal to a child at work; returns the step it saved."""
    before = runs.latest_step(workdir)
    metrics = workdir / "metrics.jsonl"
    at_work = lambda: metrics.exists() and len(fit.read_metrics(metrics)) > before
    child = self.child(workdir)
    end = time.monotonic() + 200
    while child.poll() is None and time.monotonic() < end and not at_work():
      time.sleep(0.005)
    child.send_signal(signal.SIGSTOP)
    with self.assertRaisesRegex(files.Held, f"process {child.pid} on .* since"):
      with files.locked(workdir / "lock"):  # as a second process would
        pass
    child.send_signal(number)
    child.send_signal(signal.SIGCONT)
    out, err = child.communicate(timeout=60)
    self.assertEqual(child.returncode, cli.INTERRUPTED, err)
    step = runs.latest_step(workdir)
    self.assertIn(f"interrupted at step {step};", out)
    self.assertEqual(fit.read_metrics(metrics)[-1]["step"], step)
    return step

  def test_saves_and_resumes(self):
    whole, stopped = self.folder / "whole", self.folder / "stopped"
    first = self.stopped(stopped, signal.SIGINT)
    second = self.stopped(stopped, signal.SIGHUP)
    self.assertTrue(0 < first < second < 90)
    both = "import sys; from primelens.lens import train\nfor workdir in sys.argv[1:3]:\n"
    both += "  train.main(['train.py', f'--workdir={workdir}', *sys.argv[3:]])"
    child = self.start(both, str(whole), str(stopped), f"--config={CONFIG}", *self.FLAGS)
    out, err = child.communicate(timeout=200)
    self.assertEqual(out.count("finished at step 90"), 2, err)
    expected = last_params(whole)
    for name, leaf in last_params(stopped).items():
      self.assertEqual(leaf.tobytes(), expected[name].tobytes(), name)


if __name__ == "__main__":
  absltest.main()
