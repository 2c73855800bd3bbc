"""The primes study's training program: gaps and one-token models meet here."""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from primelens.lens import study
from primelens.lens.study import Cost
from primelens.models import fit, indices, transformer
from primelens.tasks import primes

LAST = 1000  # trained gaps that the published error is measured on


class Run(study.Run):
  """A population of one-token models on gaps."""

  @property
  def gaps(self) -> primes.Gaps:
    """The gaps and who is trained on them."""
    return self.data

  @functools.cached_property
  def _answers(self) -> dict[bool, Callable]:  # compiled once for all snapshots
    return {dropout: answers(self.experiment, dropout=dropout) for dropout in (False, True)}

  def predicted(self, params_S, row_N, *, dropout: bool = False) -> np.ndarray:
    """Returns every member's answers to the rows, SxN, in z-scores.

    In blocks of `batch` rows, the last one filled up, so that any number of
    rows is one program; dropout is that of the settings' seed.
    """
    size, row_N = self.settings.batch, np.asarray(row_N)
    filled_N = np.pad(row_N, (0, -len(row_N) % size), mode="edge")
    keys = jax.random.split(jax.random.key(self.settings.seed), len(filled_N) // size)
    run = self._answers[dropout]
    blocks = zip(filled_N.reshape(-1, size), keys, strict=True)
    parts = [run(params_S, self.inputs, row_B, key) for row_B, key in blocks]
    return np.concatenate(parts, axis=1)[:, : len(row_N)]


def check(experiment) -> None:
  """Raises `ValueError` where task, model and fit do not go together."""
  task, model, settings = experiment.task, experiment.model, experiment.fit
  study.check_kinds(experiment, task=primes.Config, model=indices.Config)
  if bool(task.context) != (model.embedding == "context"):
    raise ValueError(
      f"task.context={task.context} and model.embedding={model.embedding!r}: "
      "a context is embedded as 'context', an index otherwise."
    )
  features = 1 + sum(task.moduli) if task.context else 0
  if model.features != features:
    raise ValueError(f"model.features={model.features}, but a token of context has {features}.")
  if model.indices < task.primes and not task.context:
    raise ValueError(f"model.indices={model.indices} is less than task.primes={task.primes}.")
  cycle, wanted = settings.optimizer.cycle, epoch_steps(experiment)
  if cycle and cycle != wanted:
    raise ValueError(f"fit.optimizer.cycle={cycle}, but an epoch has {wanted} steps.")


def trained_rows(task: primes.Config) -> int:
  """Returns how many gaps are trained on."""
  rows = task.primes - 1 - task.context
  if task.held_out == "none":
    return rows
  return rows - max(1, int(rows * task.held_fraction))


def epoch_steps(experiment) -> int:
  """Returns the steps of an epoch; the last of them may be short."""
  return math.ceil(trained_rows(experiment.task) / experiment.fit.batch_size)


def build(experiment, data: primes.Gaps):
  """Returns the fit's program, its data and its select batch.

  A step takes the next slice of the trained gaps, in order or in that of a
  fresh permutation per epoch (of the task's seed, the same for all members).
  What is short of a slice weighs as in gradient accumulation: each part is the
  mean of its rows, and missing parts count as 0 (spec 3). The best parameters
  are those with the lowest error without dropout on evenly spaced trained
  gaps: nothing is selected on held-out ones.
  """
  model, settings = experiment.model, experiment.fit
  arrays = {"target_N": data.target_N, "train_N": data.train_N}
  if data.config.context:
    arrays["token_NxF"] = primes.tokens(data)
  inputs = {name: jnp.asarray(value) for name, value in arrays.items()}
  count = min(settings.evaluate_windows, len(data.train_N))
  at_B = np.linspace(0, len(data.train_N) - 1, count).astype(int)
  row_B = data.train_N[at_B]
  select = asked(experiment.task, inputs, jnp.asarray(row_B))

  def loss(params, batch, key, step):
    answer_B, _ = indices.apply(model, params, batch["input"], dropout_key=key)
    square_B = (answer_B - batch["target_B"]) ** 2
    error = jnp.mean(batch["weight_B"] * square_B)
    return error, {"mse": error * share}

  # Undoes the parts that the last step of an epoch lacks, so that the mean
  # over an epoch is that of its parts.
  part = settings.batch_size // settings.accumulation
  parts = math.ceil(len(data.train_N) / part)
  share = epoch_steps(experiment) * settings.accumulation / parts
  program = fit.Program(
    init=lambda data, key: indices.init(model, key),
    draw=functools.partial(_draw, experiment, epoch_steps(experiment)),
    loss=loss,
    evaluate=functools.partial(_evaluate, model),
    unit="mse",
  )
  return program, inputs, select


def asked(task: primes.Config, data, row_B) -> dict:
  """Returns the model's inputs for rows, and the answers to them."""
  inputs = row_B
  if task.context:
    at_BxT = row_B[:, None] - task.context + jnp.arange(task.context)[None]
    inputs = data["token_NxF"][at_BxT]
  return {"input": inputs, "target_B": data["target_N"][row_B]}


def _draw(experiment, cycle: int, data, key, step):
  """Returns the step's slice; `weight_B` makes means of its parts of it."""
  task, settings = experiment.task, experiment.fit
  train_N = data["train_N"]
  count, size = len(train_N), settings.batch_size
  if task.order == "shuffled":
    epoch_key = jax.random.fold_in(jax.random.key(task.seed), step // cycle)
    train_N = jax.random.permutation(epoch_key, train_N)
  slot_B = step % cycle * size + jnp.arange(size)
  there_B = slot_B < count
  row_B = train_N[jnp.minimum(slot_B, count - 1)]
  part = size // settings.accumulation
  there_PxB = there_B.reshape(settings.accumulation, part)
  found_P = jnp.maximum(there_PxB.sum(1), 1)
  weight_PxB = jnp.where(there_PxB, part / found_P[:, None], 0.0)
  batch = asked(task, data, row_B)
  return batch | {"weight_B": weight_PxB.reshape(-1)}


def _evaluate(model, params, select, key):
  """Returns the mean squared error without dropout, in z-scores."""
  del key
  answer_B, _ = indices.apply(model, params, select["input"])
  return jnp.mean((answer_B - select["target_B"]) ** 2)


def answers(experiment, *, dropout: bool = False) -> Callable:
  """Returns `f(params_S, data, row_B, key) -> answer_SxB`."""
  model, task = experiment.model, experiment.task

  def member(params, data, row_B, key):
    inputs = asked(task, data, row_B)["input"]
    return indices.apply(model, params, inputs, dropout_key=key if dropout else None)[0]

  return jax.jit(jax.vmap(member, in_axes=(0, None, None, None)))


def bind(experiment):
  """Returns the forward pass of the analyses."""
  return indices.bind(experiment.model)


def cost(experiment) -> Cost:
  """Returns the cost of one step of one seed, as an estimate.

  Six operations for every weight outside the table, and a dense AdamW update,
  which touches the whole table at every step.
  """
  model, settings = experiment.model, experiment.fit
  start = lambda key: indices.init(model, key)
  shapes = jax.eval_shape(start, jax.random.key(0))
  parameters = transformer.parameter_count(shapes)
  table = transformer.parameter_count(shapes.pop("embedding", {}))
  rows, trunk = settings.batch_size, model.trunk
  length = max(experiment.task.context, 1)
  flop = 6.0 * (parameters - table) * rows * length + 12.0 * table
  part = rows // settings.accumulation
  kept = 4.0 * part * length * trunk.layers * (10 * trunk.width + 2 * trunk.hidden)
  said = 4.0 * experiment.task.primes * model.features  # of the context, shared by all seeds
  return Cost(parameters, rows, flop, 20.0 * parameters + kept + said / settings.seeds)
