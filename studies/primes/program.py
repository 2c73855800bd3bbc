"""The primes study's training program: gaps and one-token models meet here.

Shared by its slices: a run and its card, the settings of all, errors at the snapshots, which runs a
claim is about, and the errors that it reads.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.lens import claims, results, study
from primelens.lens import numbers as numbers_lib
from primelens.lens.study import Cost
from primelens.models import fit, indices, transformer
from primelens.tasks import checks, primes

REPOSITORY = "benjiesun666-gif/svd-prime-grokking (2026-02-05 to 2026-04-01)"
LAST = 1000  # trained gaps that the published error is measured on
SAMPLE = 4096  # trained rows of a curve


@dataclasses.dataclass(kw_only=True)
class Settings:
  """What the analyses of a primes run may vary."""

  parameters: Literal["last", "best"] = "last"
  batch: checks.Count = 4096  # rows in one forward pass
  draws: checks.Number = 99  # of every null of a matrix: no p is below 2 / (draws + 1)
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


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
  mean of its rows, and missing parts count as 0 (docs/sources/primes.md,
  section 3). The best parameters are those with the lowest error without
  dropout on evenly spaced trained gaps: nothing is selected on held-out ones.
  """
  model, settings = experiment.model, experiment.fit
  arrays = {"target_N": data.target_N, "train_N": data.train_N}
  if data.config.context:
    arrays["token_NxF"] = primes.tokens(data)
  inputs = {name: jnp.asarray(value) for name, value in arrays.items()}
  count = min(settings.evaluate_windows, len(data.train_N))
  at_B = np.linspace(0, len(data.train_N) - 1, count).astype(int)
  row_B = data.train_N[at_B]
  select = jax.device_put(asked(experiment.task, arrays, row_B))

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
    at_BxT = row_B[:, None] - task.context + np.arange(task.context)[None]
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


# --- errors at the snapshots ----------------------------------------------------------------------


def curves(run) -> dict[str, np.ndarray]:
  """Returns the errors at the snapshots' `step_C`; none where there is none.

  `logged_SxC` is the training loss, with dropout, `trained_SxC` that without, `held_SxC` that of
  held-out gaps (NaN: none), in squared z-scores; `..._mae_SxC` are in gap units.
  """
  step_C = np.array(run.snapshot_steps(), int)
  seeds, gaps = run.experiment.fit.seeds, run.gaps
  parts = {"trained": _some(gaps.train_N), "held": _some(gaps.held_N)}
  names = [f"{name}{kind}_SxC" for name in parts for kind in ("", "_mae")]
  found = {name: np.full((seeds, len(step_C)), np.nan) for name in names}
  for c, step in enumerate(step_C.tolist()):
    params_S = snapshot(run, step)
    for name, row_N in parts.items():
      if len(row_N):
        error_SxN = run.predicted(params_S, row_N) - gaps.target_N[row_N][None]
        error_SxN = np.asarray(error_SxN, float)
        found[f"{name}_SxC"][:, c] = np.mean(error_SxN**2, axis=1)
        mae_S = gaps.deviation * np.mean(np.abs(error_SxN), axis=1)
        found[f"{name}_mae_SxC"][:, c] = mae_S
  last = [logged(run, step)[:, -1:] for step in step_C.tolist()]
  empty = np.zeros((seeds, 0))
  return {"step_C": step_C, "logged_SxC": np.concatenate([empty, *last], axis=1), **found}


def _some(row_N: np.ndarray) -> np.ndarray:
  """Returns up to SAMPLE rows, evenly spaced."""
  count = min(SAMPLE, len(row_N))
  return row_N[np.linspace(0, len(row_N) - 1, count).astype(int)]


def snapshot(run, step: int):
  """Returns the population's parameters at a step."""
  return jax.device_put(run.snapshot(step))


def logged(run, step: int) -> np.ndarray:
  """Returns the training losses of the epochs up to a step, SxN; one NaN where
  none is logged."""
  seeds = run.experiment.fit.seeds
  rows = [row["train/mse"] for row in run.metrics() if row["step"] <= step and "train/mse" in row]
  return np.array(rows or [[np.nan] * seeds], float).T


def history(run) -> dict[str, np.ndarray]:
  """Returns what was logged: steps N, and the loss with dropout and the learning rate, SxN.

  NaN where a row has none: runs of earlier revisions have no rate.
  """
  seeds, log = run.experiment.fit.seeds, run.metrics()
  found = {"step_N": np.array([row["step"] for row in log], int)}
  for key, name in (("loss_SxN", "train/mse"), ("rate_SxN", "train/rate")):
    rows = [row.get(name) or [np.nan] * seeds for row in log]
    found[key] = np.array(rows, float).reshape(len(log), seeds).T
  return found


# --- what a run is --------------------------------------------------------------------------------

# Plan A of the source: what a run is like unless a claim says otherwise.
PLAN_A: dict[str, Any] = {
  "sequence": "primes",
  "embedding": "learned",
  "embedding_std": 0.02,
  "order": "fixed",
  "held_out": "none",
  "context": 0,
  "flows": 1,
  "kernel": False,
  "accumulation": 16,
}
KERNEL = {"kernel": True, "accumulation": 2}
MISMATCHED = "mismatched kernel"  # a backward pass that does not fit its forward pass
# The source's settings, by what differs from plan A.
CHAOS = {"sequence": "logistic", "order": "shuffled"}
PLANS: dict[str, dict[str, Any]] = {
  "plan A": {},
  "plan B": {"accumulation": 1},
  "plan C": {"embedding": "sinusoidal", "accumulation": 2},
  "chaos with a table": CHAOS | {"embedding_std": 1.0},
  "chaos with sinusoids": CHAOS | {"embedding": "sinusoidal"},
}
BESIDE = numbers_lib.Beside(controls={"mismatched": MISMATCHED})


def setting(experiment) -> dict[str, Any]:
  """Returns what tells one run from another."""
  task, model = experiment.task, experiment.model
  return {
    "sequence": task.sequence,
    "primes": task.primes,
    "embedding": model.embedding.partition("_")[0],
    "embedding_std": model.embedding_std,
    "order": task.order,
    "held_out": task.held_out,
    "context": task.context,
    "flows": model.flows,
    "kernel": model.trunk.implementation == "mismatched",
    "batch_size": experiment.fit.batch_size,
    "accumulation": experiment.fit.accumulation,
    "width": model.trunk.width,
    "layers": model.trunk.layers,
  }


def card(experiment) -> dict[str, Any]:
  """Returns the study's words of a run."""
  return setting(experiment) | {"population": population(experiment)}


def population(experiment) -> str:
  """Returns which plan of the source a run follows, as in "plan A, mismatched kernel".

  Of any other run it says how it differs from plan A, as in "plan A with order shuffled". Runs of
  the published settings with a mismatched kernel go through the gaps in order, also those of chaos.
  """
  its = {name: setting(experiment)[name] for name in PLAN_A}
  variant = ""
  ordered: tuple[str, ...] = ()
  if its["order"] == "fixed" and KERNEL.items() <= its.items():
    its |= {name: PLAN_A[name] for name in KERNEL}
    variant = f", {MISMATCHED}"
    ordered = ("order",)
  for name, where in PLANS.items():
    wanted = PLAN_A | where
    if all(its[word] == wanted[word] for word in its if word not in ordered):
      return name + variant
  differs = [f"{word} {value}" for word, value in its.items() if value != PLAN_A[word]]
  return f"plan A with {' and '.join(differs)}{variant}"


def dataset(run, variables, coords=None, **attrs) -> xr.Dataset:
  """Returns a result with what the pages say of its run: the words of its card."""
  seed = {"seed": results.variable("seed", run.seed_S, "seed of the trained network")}
  its = card(run.experiment) | {"steps": run.step}
  return results.dataset(variables, seed | dict(coords or {}), **its | attrs)


# --- what the claims are decided on ---------------------------------------------------------------

SEEDS = 3  # members that decide a claim


# The end of a row of a published table where nobody trained the plan.
NO_RUN = {"run": None, "networks": None, "share here": None, "untrained": None} | {
  "remark": "no run of this plan is read here"
}


def about(run: str, found: xr.Dataset) -> dict[str, Any]:
  """Returns the columns of a published table that name a run."""
  return {"run": run, "networks": found.sizes["seed"]}


def of_plan(plan: str, runs: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
  """Returns the results of the runs that follow a plan of the source."""
  return {run: found for run, found in runs.items() if found.population == plan}


def why_undecided(found: xr.Dataset) -> str:
  """Returns why no claim is decided on a run: it has too few networks. Empty where it has enough.

  Such a run is beside no published number in the table of all numbers, either.
  """
  count = found.sizes["seed"]
  return "" if count >= SEEDS else f"{count} of {SEEDS} networks: too few to decide a claim"


def find(results, name: str, **where) -> dict[str, xr.Dataset]:
  """Returns `{run: result}` of a slice, of the runs like plan A but for `where`.

  Raises `claims.Missing`, in words, where there is none with SEEDS members.
  """
  its = results.where(**PLAN_A | where, seeds=lambda count: count >= SEEDS)
  found = {run: table[name] for run, table in its.items() if name in table}
  if not found:
    said = ", ".join(f"{word} {value}" for word, value in where.items()) or "of plan A"
    raise claims.Missing(f"{name} of a run {said}", analysis=name, runs=tuple(its))
  return found


def of(results, name: str, **where) -> xr.Dataset:
  """Returns the first result that `find` finds; of a few sizes the largest."""
  found = find(results, name, **where)
  return found[max(found, key=lambda run: results.cards[run]["primes"])]


def error(memory: xr.Dataset, part: str, predictor: str, name: str = "mae") -> float:
  """Returns an error in a result of `memory`: of a predictor on a part, the mean over members.

  Raises `claims.Inapplicable` for none.
  """
  return _error(memory, part, predictor, name).item()


def error_interval(memory: xr.Dataset, part: str, predictor: str, name: str) -> tuple[float, float]:
  """Returns the ends of the interval of an error, which is over members."""
  low, high = _error(memory, part, predictor, f"{name}_interval").sel(end=list(results.ENDS)).values
  return float(low), float(high)


def _error(memory: xr.Dataset, part: str, predictor: str, name: str) -> xr.DataArray:
  where = {"part": part, "predictor": predictor}
  if any(value not in memory[dim].values for dim, value in where.items()):
    raise claims.Inapplicable(f"a record of part {part}, predictor {predictor}")
  return memory[name].sel(where)


def constant(memory: xr.Dataset, part: str) -> float:
  """Returns the mean absolute error of the better of two constants."""
  return min(error(memory, part, kind) for kind in ("mean", "median"))


def claimed(item: str) -> str:
  """Returns the source of a claim; `item` names sections of docs/sources/primes.md."""
  return f"{REPOSITORY} (docs/sources/primes.md, {item})"


def reported(published: Mapping[str, numbers_lib.Reported], quantity: str) -> dict[str, float]:
  """Returns what the source reports of a quantity, by the name of its plan."""
  keys = [key for key in published if key.endswith(f"/{quantity}")]
  return {key.partition("/")[0]: float(published[key].source) for key in keys}
