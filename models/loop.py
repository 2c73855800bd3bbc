"""The host side of a fit: dispatch, evaluate, log, save, resume."""

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from jax.sharding import NamedSharding, PartitionSpec
from primelens.models import checkpoints as checkpoints_lib
from primelens.models import fit
from primelens.models import optimizer as optimizer_lib
from primelens.tasks import files

_DIGITS = 16  # of the sha256 of a row of metrics.jsonl


class Outcome(NamedTuple):
  """How a fit ended: `reason` is finished, interrupted, frozen or patience."""

  state_S: fit.FitState
  step: int
  reason: str


class Metrics:
  """metrics.jsonl: one row per logged step, each with its digest.

  Rows after the step that a fit goes on from are cut.
  """

  def __init__(self, path: Path, *, resume_step: int):
    self._path = Path(path)
    rows = [row for row in read_metrics(path) if row["step"] <= resume_step]
    last = rows[-1]["step"] if rows else 0
    if last < resume_step:  # a row is on the disk before its checkpoint is
      logging.warning("%s lacks the rows from step %d to %d.", path, last, resume_step)
    files.write(self._path, "".join(map(_line, rows)).encode())

  def write(self, step: int, values: dict, *, sync: bool = False) -> dict:
    """Appends a row, with `sync` onto the disk; arrays become lists, non-finite numbers null."""
    row = {"step": step} | {name: _plain(v) for name, v in values.items()}
    with files.naming(self._path), self._path.open("a") as file:
      file.write(_line(row))
      if sync:
        file.flush()
        os.fsync(file.fileno())
    return row


def _line(row: dict) -> str:
  return json.dumps(files.seal(row, digits=_DIGITS)) + "\n"


def _plain(value):
  rounded = np.asarray(value, np.float64)
  if rounded.ndim:
    return [_plain(item) for item in rounded]
  return float(f"{rounded:.7g}") if np.isfinite(rounded) else None


def _split_name(metric: str) -> str:
  """Returns the metric's name; one without a split is of the train split."""
  return metric if "/" in metric else f"train/{metric}"


def read_metrics(path: Path) -> list[dict]:
  """Returns the rows of metrics.jsonl.

  A torn last line, which a killed process was writing, is left out. So are damaged rows, and the
  log says how many and which. Rows of earlier revisions have no digest and are taken as they are.
  """
  content = files.read(path) if Path(path).exists() else b""
  *lines, _torn = content.split(b"\n")
  digested = any(b'"sha256"' in line for line in lines)
  rows = [_row(line, digested) for line in lines]
  damaged = [str(number) for number, row in enumerate(rows, start=1) if row is None]
  if damaged:
    shown = ", ".join(damaged[:10]) + (", ..." if len(damaged) > 10 else "")
    logging.warning(
      "%s: %d of %d rows are damaged and left out (lines %s).",
      files.shown(path),
      len(damaged),
      len(lines),
      shown,
    )
  if lines and not digested:
    checkpoints_lib.undigested(Path(path).absolute().parent)
  return [row for row in rows if row is not None]


def _row(line: bytes, digested: bool) -> dict | None:
  """Returns what a line holds, None where it is damaged."""
  try:
    row = json.loads(line)
    row = files.unseal(row, digits=_DIGITS) if digested else row
  except (ValueError, AttributeError, RecursionError):  # no JSON, no object, another digest
    return None
  return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


def abstract(program: fit.Program, config: fit.Config, optimizer, data, mesh):
  """Returns shapes, dtypes and shardings of a population, to restore into."""
  build = lambda data, keys: fit.init(program, optimizer, data, keys)
  shapes = jax.eval_shape(build, data, fit.seed_keys(config))
  place = NamedSharding(mesh, PartitionSpec("seed"))
  as_shape = lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place)
  return jax.tree.map(as_shape, shapes)


def read_state(directory: Path, program: fit.Program, config: fit.Config, data):
  """Returns the newest (step, state) of a run directory, or None.

  Reads only; an unreadable newest checkpoint falls back to the one before it.
  """
  folder = Path(directory) / "checkpoints"
  if not folder.is_dir():
    return None
  optimizer = optimizer_lib.build(config.optimizer, config.steps)
  shapes = abstract(program, config, optimizer, data, fit.mesh(config.seeds))
  checkpoints = checkpoints_lib.Checkpoints(folder)
  try:
    return checkpoints.restore(shapes)
  finally:
    checkpoints.close()


class Fit:
  """One run of a population in a directory; see `run`."""

  def __init__(self, program: fit.Program, config: fit.Config, directory: Path):
    self.config, self.directory = config, Path(directory)
    self.mesh = fit.mesh(config.seeds)
    draw = fit.split_batch(self.mesh, program.draw)
    self.program = program._replace(draw=draw, parts=config.accumulation)
    self.optimizer = optimizer_lib.build(config.optimizer, config.steps)
    self.keys_S = fit.shard(fit.seed_keys(config), self.mesh, "seed")
    self.checkpoints = checkpoints_lib.Checkpoints(self.directory / "checkpoints")

  def check(self, data, select) -> None:
    """Runs a step and an evaluation on shapes alone; raises what they raise.

    What cannot work is refused before anything is computed or written.
    """
    shapes = abstract(self.program, self.config, self.optimizer, data, self.mesh)
    step = jnp.int32(0)
    ahead = fit.advance(self.program, self.optimizer)
    jax.eval_shape(ahead, shapes, data, self.keys_S, step, step)
    if self.config.evaluate_every:
      jax.eval_shape(fit.evaluator(self.program), shapes, select, self.keys_S, step)

  def start(self, data) -> tuple[int, fit.FitState]:
    """Returns the step and state to go on from: restored, or fresh."""
    shapes = abstract(self.program, self.config, self.optimizer, data, self.mesh)
    restored = self.checkpoints.restore(shapes)
    if restored is not None:
      return restored
    build = jax.jit(lambda data, keys: fit.init(self.program, self.optimizer, data, keys))
    return 0, fit.shard(build(data, self.keys_S), self.mesh, "seed")

  def run(
    self, data, select, *, progress: Callable, stopped: Callable, begin: Callable = lambda: None
  ) -> Outcome:
    """Returns the `Outcome` of training up to `config.steps`.

    `data` and `select` are those of the program; `progress(step, row)` is told after each
    dispatch, and `stopped()` is asked whether to save and leave. `begin()` is called once, when
    the first steps are done and before anything is written, and makes the directory: what fails
    before leaves nothing, and a run that has nothing left to do stays as it is. Raises `OSError`
    where something cannot be written, and `ValueError` for a damaged directory.
    """
    try:
      outcome = self._run(data, select, progress, stopped, begin)
    except BaseException:
      with contextlib.suppress(Exception):  # the first error is the one to tell
        self.checkpoints.close()
      raise
    self.checkpoints.close()
    return outcome

  def _run(self, data, select, progress, stopped, begin) -> Outcome:
    data = fit.place(self.program, data, self.mesh)
    select = fit.place(self.program, select, self.mesh)
    step, state_S = self.start(data)
    metrics = None
    ahead = fit.advance(self.program, self.optimizer, self.mesh)
    evaluate = fit.evaluator(self.program, self.mesh)
    reason = self._over(step, state_S)
    began, first = time.monotonic(), step
    while reason is None:
      stop = fit.next_stop(self.config, step)
      state_S, means = ahead(state_S, data, self.keys_S, jnp.int32(step), jnp.int32(stop))
      step, row = stop, {_split_name(k): v for k, v in means.items()}
      if fit.due(step, self.config.evaluate_every, self.config.steps):
        state_S, score_S = evaluate(state_S, select, self.keys_S, step)
        row[f"select/{self.program.unit}"] = score_S
      row["frozen_step"] = state_S.frozen_step
      row["seconds_per_step"] = (time.monotonic() - began) / (step - first)
      reason = self._over(step, state_S)
      if reason is None and stopped():
        reason = "interrupted"
      if metrics is None:
        begin()
        self.checkpoints.open()  # before a row is written: it may make room on a full disk
        metrics = Metrics(self.directory / "metrics.jsonl", resume_step=first)
      saves = reason is not None or fit.due(step, self.config.checkpoint_every, self.config.steps)
      written = metrics.write(step, row, sync=saves)
      self.checkpoints.wait(block=False)  # a disk that is full is told soon
      if fit.due(step, self.config.snapshot_every, self.config.steps):
        params_S = jax.device_get(state_S.params)
        checkpoints_lib.write_snapshot(self.directory / "snapshots", step, params_S)
      if saves:
        self.checkpoints.save(step, state_S)
      progress(step, written)  # at last: after SIGHUP there is no terminal to write to
    return Outcome(state_S, step, reason)

  def _over(self, step: int, state_S) -> str | None:
    if np.all(np.asarray(state_S.frozen_step) >= 0):
      return "frozen"
    if step >= self.config.steps:
      return "finished"
    waited_S = step - np.asarray(state_S.best_step)
    if self.config.patience and np.all(waited_S >= self.config.patience):
      return "patience"
    return None
