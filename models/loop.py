"""The host side of a fit: dispatch, evaluate, log, save, resume."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from primelens.models import checkpoints as checkpoints_lib
from primelens.models import fit
from primelens.models import optimizer as optimizer_lib


class Outcome(NamedTuple):
  """How a fit ended: `reason` is finished, interrupted, frozen or patience."""

  state_S: fit.FitState
  step: int
  reason: str


class Metrics:
  """metrics.jsonl: one row per logged step, rows after a resume point cut."""

  def __init__(self, path: Path, *, resume_step: int):
    self._path = Path(path)
    rows = [row for row in read_metrics(path) if row["step"] <= resume_step]
    temporary = self._path.with_suffix(".tmp")
    temporary.write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.replace(temporary, self._path)

  def write(self, step: int, values: dict) -> dict:
    """Appends a row; arrays become lists, non-finite numbers null."""
    row = {"step": step} | {name: _plain(v) for name, v in values.items()}
    with self._path.open("a") as file:
      file.write(json.dumps(row) + "\n")
    return row


def _plain(value):
  rounded = np.asarray(value, np.float64)
  if rounded.ndim:
    return [_plain(item) for item in rounded]
  return float(f"{rounded:.7g}") if np.isfinite(rounded) else None


def _split_name(metric: str) -> str:
  """Returns the metric's name; one without a split is of the train split."""
  return metric if "/" in metric else f"train/{metric}"


def read_metrics(path: Path) -> list[dict]:
  """Returns the rows of metrics.jsonl; a torn last line is left out."""
  rows = []
  lines = Path(path).read_text().splitlines() if Path(path).exists() else []
  for line in lines:
    try:
      rows.append(json.loads(line))
    except json.JSONDecodeError:  # the line a killed process was writing
      break
  return rows


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

  def start(self, data) -> tuple[int, fit.FitState]:
    """Returns the step and state to go on from: restored, or fresh."""
    shapes = abstract(self.program, self.config, self.optimizer, data, self.mesh)
    restored = self.checkpoints.restore(shapes, discard=True)
    if restored is not None:
      return restored
    build = jax.jit(lambda data, keys: fit.init(self.program, self.optimizer, data, keys))
    return 0, fit.shard(build(data, self.keys_S), self.mesh, "seed")

  def run(self, data, select, *, progress: Callable, stopped: Callable):
    """Returns the `Outcome` of training up to `config.steps`.

    `data` and `select` are those of the program; `progress(step, row)` is told
    after each dispatch, and `stopped()` is asked whether to save and leave.
    """
    data = fit.place(self.program, data, self.mesh)
    select = fit.place(self.program, select, self.mesh)
    step, state_S = self.start(data)
    metrics = Metrics(self.directory / "metrics.jsonl", resume_step=step)
    advance = fit.advance(self.program, self.optimizer, self.mesh)
    evaluate = fit.evaluator(self.program, self.mesh)
    reason = self._over(step, state_S)
    began, first = time.monotonic(), step
    while reason is None:
      stop = fit.next_stop(self.config, step)
      state_S, means = advance(state_S, data, self.keys_S, jnp.int32(step), jnp.int32(stop))
      step, row = stop, {_split_name(k): v for k, v in means.items()}
      if fit.due(step, self.config.evaluate_every, self.config.steps):
        state_S, score_S = evaluate(state_S, select, self.keys_S, step)
        row[f"select/{self.program.unit}"] = score_S
      row["frozen_step"] = state_S.frozen_step
      row["seconds_per_step"] = (time.monotonic() - began) / (step - first)
      reason = self._over(step, state_S)
      if reason is None and stopped():
        reason = "interrupted"
      progress(step, metrics.write(step, row))
      self._save(step, state_S, force=reason is not None)
    self.checkpoints.close()
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

  def _save(self, step: int, state_S, *, force: bool) -> None:
    config = self.config
    if fit.due(step, config.snapshot_every, config.steps):
      params_S = jax.device_get(state_S.params)
      folder = self.directory / "snapshots"
      checkpoints_lib.write_snapshot(folder, step, params_S)
    if force or fit.due(step, config.checkpoint_every, config.steps):
      self.checkpoints.save(step, state_S)
