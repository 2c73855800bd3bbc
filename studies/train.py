"""train: a config and a work directory in, a run directory out."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from absl import flags
from primelens import tasks
from primelens.models import fit, loop, optimizer
from primelens.studies import cli, cost, registry, runs
from primelens.studies import experiment as experiment_lib
from primelens.tasks import files

USAGE = """
Trains a population of networks and writes a run directory.

  train.py --config=configs/zeros_demo_e0.py --workdir=runs/demo/e0
  train.py --config=configs/zeros_postfix_e4.py --dry_run
  train.py --config=zeros_e0 --workdir=runs/e0 --config.fit.seeds=8

The same command resumes. A directory used with another task, model or fit is
refused. Ctrl-C saves. Exit codes: 0 done, 2 wrong input, 3 every seed's loss
was not finite, 130 interrupted.
"""
LOG_SECONDS = 5.0
SHOWN = ("nll_nats", "mse", "accuracy")  # of the metrics, in a log line


def _flags() -> flags.FlagValues:
  values = flags.FlagValues()
  flags.DEFINE_string(
    "config",
    None,
    "Experiment: a Python file with get_config(), which is run, or the name of a shipped one; "
    "FILE:ARGUMENT passes an argument, --config.a.b=VALUE changes a field.",
    flag_values=values,
  )
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
  """Progress of a fit: a bar on a terminal, a line every few seconds else.

  `begin()` is called once, when the first steps are done: a run that has
  nothing left to do stays as it is.
  """

  def __init__(self, steps: int, begin: Callable[[], None] = lambda: None):
    self._bar, self._begin = cli.progress(), begin
    self._steps, self._last = steps, -LOG_SECONDS
    if self._bar is not None:
      self._task = self._bar.add_task("training", total=steps, note="")
      self._bar.start()

  def __call__(self, step: int, row: dict) -> None:
    self._begin()
    self._begin = lambda: None
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
  parts = []
  for name, found in row.items():
    shown = name.partition("/")[2] in SHOWN
    values = [v for v in found if v is not None] if shown else []
    if values:
      median = np.median(values)
      small = 0 < abs(median) < 1e-3
      parts.append(f"{name} {median:{'+.1e' if small else '+.4f'}}")
  return "  ".join(parts)


def _interruptible() -> tuple:
  """Returns a function that says whether to save and leave, and its undo."""
  caught: list[int] = []
  old = {
    number: signal.signal(number, lambda signum, _: caught.append(signum))
    for number in (signal.SIGINT, signal.SIGTERM)
  }
  undo = lambda: [signal.signal(number, f) for number, f in old.items()]
  return (lambda: bool(caught)), undo


def trace(program, settings: fit.Config, data, select) -> None:
  """Runs a step on shapes alone, so that what cannot work is refused before
  anything is written. Raises what the program raises."""

  def step(data, select, key):
    params = program.init(data, key)
    optimizer.build(settings.optimizer, settings.steps).init(params)
    program.loss(params, program.draw(data, key, 0), key, 0)
    program.evaluate(params, select, key)

  data, select = (fit.seed_of(program, each, 0) for each in (data, select))
  jax.eval_shape(step, data, select, jax.random.key(0))


def train(experiment, workdir: Path, command: list[str]) -> int:
  """Returns the exit code of training a run in its directory."""
  cost.refuse(experiment)
  loaded = tasks.load(experiment.task)
  build = registry.STUDIES[experiment.study].build
  program, data, select = build(experiment, loaded)
  trace(program, experiment.fit, data, select)
  runs.prepare(workdir, experiment, loaded, command)
  reporter = Reporter(experiment.fit.steps, begin=lambda: runs.resumed(workdir, command))
  stopped, undo = _interruptible()
  try:
    outcome = loop.Fit(program, experiment.fit, workdir).run(
      data, select, progress=reporter, stopped=stopped
    )
  finally:
    undo()
    reporter.close()
  return _conclude(outcome, experiment, workdir, program.unit)


def _conclude(outcome, experiment, workdir: Path, unit: str) -> int:
  """Says how the fit ended, and returns the exit code."""
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
  try:
    jax.distributed.initialize()
  except RuntimeError as error:
    raise ValueError(f"--distributed: {error}") from error


def _main(argv: list[str]) -> int:
  plain, overrides = cli.split_overrides(argv)
  values = _flags()
  if not cli.parse(values, plain, USAGE):
    return 0
  if not values.config:
    names = ", ".join(cli.shipped_configs())
    raise ValueError(f"--config is missing; a file, or one of {names}.")
  config = cli.load_config(values.config, experiment_lib.Experiment)
  experiment = experiment_lib.check(cli.assign(config, overrides))
  cli.use_cores(experiment.fit.seeds)
  if values.distributed:
    _join()
  cli.devices()
  if values.compilation_cache:
    jax.config.update("jax_compilation_cache_dir", values.compilation_cache)
  if values.dry_run:
    cli.say(cost.table(experiment))
    return 0
  if not values.workdir:
    raise ValueError("--workdir is missing: name the run directory.")
  command = [os.path.basename(argv[0]), *argv[1:]]
  return train(experiment, files.home(values.workdir), command)


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code; the entry point of `primelens-train`."""
  return cli.run(_main, list(sys.argv if argv is None else argv))
