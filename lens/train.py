"""train: a config and a work directory in, a run directory out.

What needs jax is imported in the functions that use it, so that `--help` answers at once.
"""

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from absl import flags
from primelens.lens import cli, plugins
from primelens.tasks import files

USAGE = """
Trains a population of networks and writes a run directory.

  train.py --config=zeros_demo:e0 --workdir=runs/demo/e0
  train.py --config=zeros_published:e4 --dry_run
  train.py --config=zeros_published:e0 --workdir=runs/e0 --config.fit.seeds=8
  train.py --config=zeros_bank:leak_all --workdir=runs/zeros_leak

FAMILY:all trains the variants of a family of configs, each in a folder of its own, and so does
FAMILY:GROUP_all for a part of them. Some take sizes: addition:p113,32 text:learned,97,1000,12000.
The same command resumes. A directory used with another task, model or fit, or
trained by another process, is refused. Ctrl-C saves, as SIGTERM and SIGHUP do; a
second Ctrl-C ends at once. Exit codes: 0 done, 2 wrong input, 3 every seed's
loss was not finite, 4 no space on the disk, 70 a fault of the program, 130
interrupted.
"""
LOG_SECONDS = 5.0
SHOWN = ("nll_nats", "mse", "accuracy")  # of the metrics, in a log line
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TWICE_SECONDS = 1.0  # wrappers and terminals pass one signal on twice within this


def _flags() -> flags.FlagValues:
  values = flags.FlagValues()
  flags.DEFINE_string(
    "config",
    None,
    "Experiment: a Python file with get_config(), which is run, or the name of a shipped one; "
    "FAMILY:VARIANT is one of a family, FAMILY:all trains its variants, --config.a.b=VALUE "
    "changes a field.",
    flag_values=values,
  )
  cli.define_plugin(values)
  flags.DEFINE_string("workdir", None, "Run directory.", flag_values=values)
  flags.DEFINE_bool(
    "dry_run",
    False,
    "Print parameters, memory, FLOP, steps and expected time; train nothing.",
    flag_values=values,
  )
  flags.DEFINE_bool(
    "distributed",
    False,
    "Call jax.distributed.initialize() first (SLURM, GKE, Cloud TPU).",
    flag_values=values,
  )
  flags.DEFINE_string(
    "compilation_cache", None, "Folder of JAX's persistent compilation cache.", flag_values=values
  )
  return values


class Reporter:
  """Progress of a fit: a bar on a terminal, a line every few seconds else."""

  def __init__(self, steps: int):
    self._bar = cli.progress()
    self._steps, self._last = steps, -LOG_SECONDS
    if self._bar is not None:
      self._task = self._bar.add_task("training", total=steps, note="")
      self._bar.start()

  def __call__(self, step: int, row: dict) -> None:
    note = summary(row)
    if self._bar is not None:
      self._bar.update(self._task, completed=step, note=note)
    elif self._due() or step == self._steps:
      remaining = (self._steps - step) * row["seconds_per_step"]
      cli.say(f"step {step}/{self._steps}  {note}  {remaining:.0f} s left", error=True)

  def _due(self) -> bool:
    now = time.monotonic()
    due = now - self._last >= LOG_SECONDS
    self._last = now if due else self._last
    return due

  def close(self) -> None:
    """Ends the bar."""
    if self._bar is not None:
      self._bar.stop()


def summary(row: dict) -> str:
  """Returns one line of a metrics row: the medians over seeds."""
  import numpy as np

  parts = []
  for name, found in row.items():
    shown = name.partition("/")[2] in SHOWN
    values = [v for v in found if v is not None] if shown else []
    if values:
      median = np.median(values)
      small = 0 < abs(median) < 1e-3
      parts.append(f"{name} {median:{'+.1e' if small else '+.4f'}}")
  return "  ".join(parts)


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
  """Yields a function that says whether a signal has asked to save and leave.

  A second one ends the process at once, also while the first steps are compiled or a long
  dispatch runs: then Python runs no handlers, but a thread reads what the system writes for each
  signal. Signals that are ignored (nohup) stay so; a thread that may not handle signals has none.
  """
  if threading.current_thread() is not threading.main_thread():
    yield lambda: False
    return
  reading, writing = os.pipe()
  os.set_blocking(writing, False)
  asked = threading.Event()
  watcher = threading.Thread(target=_watch, args=(reading, asked), daemon=True)
  watcher.start()
  woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
  heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
  before = {number: signal.signal(number, lambda *_: None) for number in heard}
  try:
    yield asked.is_set
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)
    signal.set_wakeup_fd(woken)
    os.close(writing)
    watcher.join()
    os.close(reading)


def _watch(reading: int, asked: threading.Event) -> None:
  first = 0.0
  while numbers := os.read(reading, 1):
    if numbers[0] not in SIGNALS:
      continue
    if not asked.is_set():
      first = time.monotonic()
      asked.set()
      _say(b"saving after these steps; Ctrl-C again ends at once\n")
    # A terminal that closes sends SIGHUP more than once, and shells send it again.
    elif numbers[0] != signal.SIGHUP and time.monotonic() - first >= TWICE_SECONDS:
      cursor = b"\x1b[?25h" if os.isatty(2) else b""  # the bar has hidden it
      _say(cursor + b"ended; the same command goes on from the last checkpoint\n")
      os._exit(cli.INTERRUPTED)


def _say(text: bytes) -> None:
  with contextlib.suppress(OSError):  # the terminal may be gone
    os.write(2, text)


def train(experiment, workdir: Path, command: list[str]) -> int:
  """Returns the exit code of training a run in its directory."""
  from primelens.lens import cost, prepared, runs, study
  from primelens.lens import experiment as experiment_lib
  from primelens.models import fit

  cost.refuse(experiment)
  loaded = experiment_lib.load_data(experiment.task)
  of = study.find(experiment.study)
  arrays = prepared.find(workdir, of, experiment, loaded)
  program, data, select = of.built(experiment, loaded, arrays.arrays)
  its = fit.Fit(program, experiment.fit, workdir)
  with runs.writing(workdir, experiment, loaded, command) as begin:
    its.check(data, select)

    def begin_and_keep() -> None:
      begin()
      prepared.keep(workdir, loaded, arrays)

    with interruptible() as stopped:
      reporter = Reporter(experiment.fit.steps)
      try:
        outcome = its.run(data, select, progress=reporter, stopped=stopped, begin=begin_and_keep)
      finally:
        reporter.close()
  return _conclude(outcome, experiment, workdir, program.unit)


def _conclude(outcome, experiment, workdir: Path, unit: str) -> int:
  """Says how the fit ended, and returns the exit code."""
  import numpy as np

  first = experiment.fit.first_seed
  for i, step in enumerate(np.asarray(outcome.state_S.frozen_step)):
    if step >= 0:
      cli.say(
        f"seed {first + i}: loss not finite at step {step}; kept as it was before", error=True
      )
  best = [f"{v:.4g}" for v in np.asarray(outcome.state_S.best_score)]
  chosen = experiment.fit.evaluate_every
  said = f"best select/{unit} per seed {', '.join(best)}; " if chosen else ""
  cli.say(f"{outcome.reason} at step {outcome.step}; {said}{workdir}")
  codes = {"frozen": cli.ALL_FROZEN, "interrupted": cli.INTERRUPTED}
  return codes.get(outcome.reason, 0)


def _join() -> None:
  """Joins the other processes; raises `ValueError` where there are none to join."""
  import jax

  try:
    jax.distributed.initialize()
  except RuntimeError as error:
    raise ValueError(f"--distributed: {error}") from error


def _main(argv: list[str]) -> int:
  plain, overrides = cli.split_overrides(argv)
  values = _flags()
  usage = lambda: f"{USAGE}\nConfigs, FAMILY and VARIANTS:\n\n{cli.listed()}\n"
  if not cli.parse(values, plain, usage):
    return 0
  if not values.config:
    names = ", ".join(cli.shipped_configs())
    raise ValueError(f"--config is missing; a file, or one of {names}.")
  import jax
  from primelens.lens import cost
  from primelens.lens import experiment as experiment_lib

  plugins.use(values.plugin)
  configs = cli.load_configs(values.config, experiment_lib.Experiment)
  experiments = {
    variant: experiment_lib.check(cli.assign(config, overrides))
    for variant, config in configs.items()
  }
  cli.use_cores(math.gcd(*(experiment.fit.seeds for experiment in experiments.values())))
  if values.distributed:
    _join()
  cli.devices()
  if values.compilation_cache:
    jax.config.update("jax_compilation_cache_dir", values.compilation_cache)
  for experiment in experiments.values():
    experiment_lib.check_causal(experiment)
  if values.dry_run:
    tables = {variant: cost.table(experiment) for variant, experiment in experiments.items()}
    cli.say("\n\n".join(f"{variant}\n{table}".strip() for variant, table in tables.items()))
    return 0
  if not values.workdir:
    raise ValueError("--workdir is missing: name the run directory.")
  command = [os.path.basename(argv[0]), *argv[1:]]
  return _train_all(experiments, files.home(values.workdir), command)


def folder_of(workdir: Path, variant: str) -> Path:
  """Returns the run directory of a variant: a folder of its own, or the one named."""
  return workdir / variant.replace(",", "-") if variant else workdir


def _train_all(experiments, workdir: Path, command: list[str]) -> int:
  """Returns the exit code of training every variant; the first that is interrupted is the last."""
  code = 0
  for number, (variant, experiment) in enumerate(experiments.items(), start=1):
    folder = folder_of(workdir, variant)
    if variant:
      cli.say(f"[{number}/{len(experiments)}] {variant}: {folder}", error=True)
    code = max(code, train(experiment, folder, command))
    if code == cli.INTERRUPTED:
      break
  return code


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code; the entry point of `primelens-train`."""
  return cli.run(_main, list(sys.argv if argv is None else argv))
