"""Training a population: many seeds, one program; the loop on the host.

One seed's `step` is written; S seeds come by vmap, sharded over the mesh. The
data live on the device, a step draws its windows by index, and the host works
only between dispatches. Seed i alone and seed i in a batch draw the same keys.
"""

import contextlib
import dataclasses
import functools
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import logging
from jax.sharding import NamedSharding, PartitionSpec
from primelens.models import checkpoints as checkpoints_lib
from primelens.models import optimizer as optimizer_lib
from primelens.tasks import checks, files

# --- the pure step --------------------------------------------------------------------------------


@dataclasses.dataclass(kw_only=True)
class Config:
  """How a population is trained; every period counts steps, 0 means never."""

  steps: Annotated[int, checks.Range(1, 1_000_000_000)] = 20000
  batch_size: Annotated[int, checks.Range(1, 10_000_000)] = 512
  accumulation: Annotated[int, checks.Range(1, 10_000_000)] = (
    1  # parts that a step's batch goes through in
  )
  seeds: Annotated[int, checks.Range(1, 100_000)] = 1
  first_seed: checks.Seed = 0
  dispatch: checks.Number = 50  # steps between two looks of the host
  evaluate_every: checks.Steps = 500
  evaluate_windows: checks.Count = 512
  checkpoint_every: checks.Steps = 500
  snapshot_every: checks.Steps = 0
  patience: checks.Steps = 0  # stop when no seed improved for so many steps
  optimizer: optimizer_lib.Config = dataclasses.field(default_factory=optimizer_lib.Config)

  def __post_init__(self):
    checks.fields(self)
    if self.batch_size % self.accumulation:
      raise checks.FieldError(
        f"batch_size={self.batch_size} does not divide into accumulation={self.accumulation} parts."
      )
    if self.first_seed + self.seeds > 2**31:
      raise checks.FieldError(
        f"first_seed={self.first_seed} and seeds={self.seeds} reach beyond seed {2**31 - 1}."
      )


class FitState(NamedTuple):
  """One seed's training state; a population stacks it along S."""

  params: Any
  opt_state: Any
  best_params: Any
  best_score: jax.Array
  best_step: jax.Array
  frozen_step: jax.Array  # -1 while alive; the step whose loss was not finite


class Program(NamedTuple):
  """What a fit needs of a task and a model, as pure functions.

  `init(data, key) -> params`, `draw(data, key, step) -> batch`,
  `loss(params, batch, key, step) -> (loss, metrics)`,
  `evaluate(params, batch, key) -> score` (a scalar, in `unit`; less is better).

  Data and the evaluated batch are dicts of arrays. Entries named in `per_seed`
  have a leading seed axis, and each seed sees its own row; all others are
  shared. A step's batch goes through in `parts`, whose losses are averaged.
  """

  init: Callable
  draw: Callable
  loss: Callable
  evaluate: Callable
  per_seed: tuple[str, ...] = ()
  unit: str = "nll_nats"
  parts: int = 1


def seed_axes(program: Program, data: dict) -> dict:
  """Returns the vmapped axis of every entry: 0 per seed, None if shared."""
  return {name: 0 if name in program.per_seed else None for name in data}


def keys_of(seed_S) -> jax.Array:
  """Returns one key per seed, S; a seed's key depends on it alone."""
  return jax.vmap(jax.random.key)(jnp.asarray(seed_S))


def seed_keys(config: Config) -> jax.Array:
  """Returns the keys of a fit's seeds, S."""
  return keys_of(config.first_seed + jnp.arange(config.seeds))


def fresh(program: Program, data, keys_S):
  """Returns the population's parameters before the first step."""
  start = lambda data, key: program.init(data, jax.random.fold_in(key, 0))
  axes = (seed_axes(program, data), 0)
  return jax.jit(jax.vmap(start, axes))(data, keys_S)


def init(program: Program, optimizer, data, keys_S) -> FitState:
  """Returns the population's state before the first step."""

  def one(params):
    return FitState(
      params=params,
      opt_state=optimizer.init(params),
      best_params=params,
      best_score=jnp.array(jnp.inf, jnp.float32),  # strong types, as after a
      best_step=jnp.array(0, jnp.int32),  # step: or the second step compiles
      frozen_step=jnp.array(-1, jnp.int32),  # the program once more
    )

  return jax.vmap(one)(fresh(program, data, keys_S))


def _keep_where(alive, new, old):
  return jax.tree.map(lambda a, b: jnp.where(alive, a, b), new, old)


def step(program: Program, optimizer, state: FitState, data, key, number):
  """Returns the state after one step and its metrics, for one seed.

  A seed whose loss or gradient is not finite keeps its last good state and
  remembers the step; it stays frozen from then on.
  """
  key = jax.random.fold_in(jax.random.fold_in(key, 1), number)
  key_draw, key_loss = jax.random.split(key)
  batch = program.draw(data, key_draw, number)
  of = optimizer_lib.gradients_in_parts(program.loss, program.parts)
  (loss, metrics), grads = of(state.params, batch, key_loss, number)
  norm = optax.tree.norm(grads)
  updates, opt_state = optimizer.update(
    grads, state.opt_state, state.params, value=loss, key=jax.random.fold_in(key, 2)
  )
  params = optax.apply_updates(state.params, updates)
  finite = jnp.isfinite(loss) & jnp.isfinite(norm)
  alive = finite & (state.frozen_step < 0)
  failed = ~finite & (state.frozen_step < 0)
  state = state._replace(
    params=_keep_where(alive, params, state.params),
    opt_state=_keep_where(alive, opt_state, state.opt_state),
    frozen_step=jnp.where(failed, number, state.frozen_step),
  )
  return state, metrics | {"loss": loss, "gradient_norm": norm}


def _by_seed(grid: jax.sharding.Mesh | None):
  """Returns the placement of everything with a leading S, None without mesh.

  Outputs placed as inputs are: otherwise the next dispatch compiles again.
  """
  return NamedSharding(grid, PartitionSpec("seed")) if grid else None


def advance(program: Program, optimizer, grid=None) -> Callable:
  """Returns `run(state_S, data, keys_S, start, stop) -> (state_S, mean_S)`.

  One compiled program for any number of steps: the bounds are traced. The
  metrics are means over the steps of the dispatch. With a mesh `grid` the
  seeds stay split over it.
  """

  @functools.partial(jax.jit, out_shardings=_by_seed(grid))
  def run(state_S, data, keys_S, start, stop):
    each = jax.vmap(
      lambda state, data, key, number: step(program, optimizer, state, data, key, number),
      in_axes=(0, seed_axes(program, data), 0, None),
      spmd_axis_name="seed",
    )
    each = jax.jit(each, inline=True)  # traced once for the shapes and for the loop
    shapes = jax.eval_shape(each, state_S, data, keys_S, start)[1]
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    def body(number, carry):
      state_S, total = carry
      state_S, metrics = each(state_S, data, keys_S, number)
      return state_S, jax.tree.map(jnp.add, total, metrics)

    state_S, total = jax.lax.fori_loop(start, stop, body, (state_S, zeros))
    count = jnp.maximum(stop - start, 1)
    return state_S, jax.tree.map(lambda t: t / count, total)

  return run


def evaluator(program: Program, grid=None) -> Callable:
  """Returns `run(state_S, batch, keys_S, number) -> (state_S, score_S)`.

  A living seed with the lowest score so far keeps its parameters as the best.
  """

  def one(state, batch, key, number):
    key = jax.random.fold_in(jax.random.fold_in(key, 2), number)
    score = program.evaluate(state.params, batch, key)
    better = (score < state.best_score) & (state.frozen_step < 0)
    best = _keep_where(better, state.params, state.best_params)
    state = state._replace(
      best_params=best,
      best_score=jnp.where(better, score, state.best_score),
      best_step=jnp.where(better, number, state.best_step),
    )
    return state, score

  @functools.partial(jax.jit, out_shardings=_by_seed(grid))
  def run(state_S, batch, keys_S, number):
    axes = (0, seed_axes(program, batch), 0, None)
    return jax.vmap(one, in_axes=axes)(state_S, batch, keys_S, number)

  return run


def mesh(seeds: int, devices=None) -> jax.sharding.Mesh:
  """Returns the mesh ("seed", "data") over all devices.

  The seed axis takes the greatest common divisor of seeds and devices; what is
  left of the devices splits the batch.
  """
  devices = np.asarray(devices if devices is not None else jax.devices())
  along = math.gcd(seeds, devices.size)
  shape = (along, devices.size // along)
  return jax.sharding.Mesh(devices.reshape(shape), ("seed", "data"))


def shard(tree, grid: jax.sharding.Mesh, *axes):
  """Returns the tree placed on the mesh, leading axes split as named."""
  return jax.device_put(tree, NamedSharding(grid, PartitionSpec(*axes)))


def _own_axis(program: Program, name: str) -> tuple[str, ...]:
  """Returns the axes of the mesh over which an entry of the data is split."""
  return ("seed",) if name in program.per_seed else ()


def place(program: Program, data: dict, grid: jax.sharding.Mesh) -> dict:
  """Returns the data on the mesh: each seed's own beside it, the rest
  everywhere."""
  return {name: shard(value, grid, *_own_axis(program, name)) for name, value in data.items()}


def placed_shapes(program: Program, data: dict, grid: jax.sharding.Mesh) -> dict:
  """Returns shapes, dtypes and shardings of what `place` returns."""

  def shapes(name, value):
    placed = NamedSharding(grid, PartitionSpec(*_own_axis(program, name)))
    one = lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=placed)
    return jax.tree.map(one, jax.eval_shape(lambda value: value, value))

  return {name: shapes(name, value) for name, value in data.items()}


def split_batch(grid: jax.sharding.Mesh, draw: Callable) -> Callable:
  """Returns `draw` with its batch split over the mesh's data axis.

  The new one raises `ValueError` for rows that do not divide over the axis.
  """
  parts = grid.shape["data"]
  if parts == 1:
    return draw
  place = NamedSharding(grid, PartitionSpec("data"))

  def split(data, key, number):
    batch = draw(data, key, number)
    rows = jax.tree.leaves(batch)[0].shape[0]
    if rows % parts:
      raise ValueError(
        f"A batch of {rows} rows does not divide over {parts} devices: change "
        "fit.batch_size, or take as many seeds as devices."
      )
    return jax.lax.with_sharding_constraint(batch, place)

  return split


def next_stop(config: Config, number: int) -> int:
  """Returns the next step at which the host has something to do."""
  periods = (config.dispatch, config.evaluate_every, config.checkpoint_every, config.snapshot_every)
  stops = [(number // p + 1) * p for p in periods if p]
  return min([*stops, config.steps])


def due(number: int, period: int, last: int) -> bool:
  """Returns whether a period ends at this step, or the fit does."""
  return bool(period) and (number % period == 0 or number == last)


# --- the loop on the host -------------------------------------------------------------------------


_DIGITS = 16  # of the sha256 of a row of metrics.jsonl


class Outcome(NamedTuple):
  """How a fit ended: `reason` is finished, interrupted, frozen or patience."""

  state_S: FitState
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


def abstract(program: Program, config: Config, optimizer, data, mesh):
  """Returns shapes, dtypes and shardings of a population, to restore into."""
  build = lambda data, keys: init(program, optimizer, data, keys)
  shapes = jax.eval_shape(build, data, seed_keys(config))
  place = NamedSharding(mesh, PartitionSpec("seed"))
  as_shape = lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place)
  return jax.tree.map(as_shape, shapes)


def read_state(directory: Path, program: Program, config: Config, data):
  """Returns the newest (step, state) of a run directory, or None.

  Reads only; an unreadable newest checkpoint falls back to the one before it.
  """
  folder = Path(directory) / "checkpoints"
  if not folder.is_dir():
    return None
  optimizer = optimizer_lib.build(config.optimizer, config.steps)
  shapes = abstract(program, config, optimizer, data, mesh(config.seeds))
  checkpoints = checkpoints_lib.Checkpoints(folder)
  try:
    return checkpoints.restore(shapes)
  finally:
    checkpoints.close()


class Fit:
  """One run of a population in a directory; see `run`."""

  def __init__(self, program: Program, config: Config, directory: Path):
    self.config, self.directory = config, Path(directory)
    self.mesh = mesh(config.seeds)
    draw = split_batch(self.mesh, program.draw)
    self.program = program._replace(draw=draw, parts=config.accumulation)
    self.optimizer = optimizer_lib.build(config.optimizer, config.steps)
    self.keys_S = shard(seed_keys(config), self.mesh, "seed")
    self.checkpoints = checkpoints_lib.Checkpoints(self.directory / "checkpoints")
    self._ahead = advance(self.program, self.optimizer, self.mesh)
    self._evaluate = evaluator(self.program, self.mesh)

  def check(self, data, select) -> None:
    """Runs a step and an evaluation on shapes alone; raises what they raise.

    What cannot work is refused before anything is computed or written.
    """
    shapes = abstract(self.program, self.config, self.optimizer, data, self.mesh)
    step = jnp.int32(0)
    # Placed as `run` has them: what is traced here is not traced again there.
    data, select = (placed_shapes(self.program, each, self.mesh) for each in (data, select))
    jax.eval_shape(self._ahead, shapes, data, self.keys_S, step, step)
    if self.config.evaluate_every:
      jax.eval_shape(self._evaluate, shapes, select, self.keys_S, 0)

  def start(self, data) -> tuple[int, FitState]:
    """Returns the step and state to go on from: restored, or fresh."""
    shapes = abstract(self.program, self.config, self.optimizer, data, self.mesh)
    restored = self.checkpoints.restore(shapes)
    if restored is not None:
      return restored
    build = jax.jit(lambda data, keys: init(self.program, self.optimizer, data, keys))
    return 0, shard(build(data, self.keys_S), self.mesh, "seed")

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
    data = place(self.program, data, self.mesh)
    select = place(self.program, select, self.mesh)
    step, state_S = self.start(data)
    metrics = None
    ahead, evaluate = self._ahead, self._evaluate
    reason = self._over(step, state_S)
    began, first = time.monotonic(), step
    while reason is None:
      stop = next_stop(self.config, step)
      state_S, means = ahead(state_S, data, self.keys_S, jnp.int32(step), jnp.int32(stop))
      step, row = stop, {_split_name(k): v for k, v in means.items()}
      row["train/rate"] = self._rate(step, state_S)
      if due(step, self.config.evaluate_every, self.config.steps):
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
      saves = reason is not None or due(step, self.config.checkpoint_every, self.config.steps)
      written = metrics.write(step, row, sync=saves)
      self.checkpoints.wait(block=False)  # a disk that is full is told soon
      if due(step, self.config.snapshot_every, self.config.steps):
        params_S = jax.device_get(state_S.params)
        checkpoints_lib.write_snapshot(self.directory / "snapshots", step, params_S)
      if saves:
        self.checkpoints.save(step, state_S)
      progress(step, written)  # at last: after SIGHUP there is no terminal to write to
    return Outcome(state_S, step, reason)

  def _rate(self, step: int, state_S) -> np.ndarray:
    """Returns the rate of the last step for every seed, S; after a random walk that of the next."""
    its = optimizer_lib.rate_then(
      self.config.optimizer, self.config.steps, step - 1, state_S.opt_state
    )
    return np.broadcast_to(np.asarray(its), (self.config.seeds,))

  def _over(self, step: int, state_S) -> str | None:
    if np.all(np.asarray(state_S.frozen_step) >= 0):
      return "frozen"
    if step >= self.config.steps:
      return "finished"
    waited_S = step - np.asarray(state_S.best_step)
    if self.config.patience and np.all(waited_S >= self.config.patience):
      return "patience"
    return None
