"""What the diagnostics of memory slots measure of networks, all seeds at once.

Every number is about the spacing after a full window, the only target that no
model has in its input.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import rollout, sweeps, trees
from primelens.models import mixture as mixture_lib
from primelens.models import spacing
from primelens.studies.zeros import scoring
from primelens.tasks import windows

CONTENT, IDS, READOUT = "memory/content", "memory/slot_id", "memory/readout"


def has_ids(model: spacing.Config) -> bool:
  """Does the model read slot ids where it is evaluated?"""
  return model.has_slot_ids and model.eval_slot_ids != "off"


def drawn(run, count: int, seed: int | None = None):
  """Returns windows of test and their starts, evenly spread or at random."""
  context = run.series.window  # of which the last target alone is scored
  return run.batches("test", count, seed, min_context=context)


def leaf(params_S, name: str):
  """Returns a leaf of the memory as float64, or None where there is none."""
  names = dict(zip(trees.names(params_S), jax.tree.leaves(params_S), strict=True))
  return np.asarray(names[name], np.float64) if name in names else None


def _with(params, name: str, update):
  where = trees.select(params, name)
  return trees.replace(params, where, lambda _, leaf: update(leaf))


def changes(keep_RxM, *, order_RxM=None, content=1.0, ids=1.0) -> dict:
  """Returns changes of the memory stacked along R, as `nll_and_mean` reads
  them: which slots stay, the order of the ids, and what multiplies contents
  and ids."""
  keep_RxM = np.asarray(keep_RxM, np.float32)
  rows, slots = keep_RxM.shape
  if order_RxM is None:
    order_RxM = np.tile(np.arange(slots), (rows, 1))
  return {
    "keep_M": keep_RxM,
    "order_M": np.asarray(order_RxM, np.int32),
    "content": np.full(rows, content, np.float32),
    "ids": np.full(rows, ids, np.float32),
  }


def joined(*parts: dict) -> dict:
  """Returns the changes one after the other."""
  return jax.tree.map(lambda *rows: np.concatenate(rows), *parts)


def _options(change, ids: bool) -> dict:
  order_M = change["order_M"] if ids else None
  return {"slot_keep_M": change["keep_M"], "slot_order_M": order_M}


@functools.cache
def _score(apply_fn, batch: int, ids: bool):
  """Returns `f(params, change, windows) -> (nll_N, mean_N)`."""

  def score(params, change, window_NxT1):
    params = _with(params, CONTENT, lambda leaf: leaf * change["content"])
    if ids:
      params = _with(params, IDS, lambda leaf: leaf * change["ids"])

    def one(row):
      mixture, _ = apply_fn(params, row[None, :-1], **_options(change, ids))
      last = jax.tree.map(lambda leaf: leaf[:, -1], mixture)
      nll = -mixture_lib.log_density(last, row[-1:])
      return nll[0], mixture_lib.mean(last)[0]

    return jax.lax.map(one, window_NxT1, batch_size=batch)

  return score


def nll_and_mean(run, params_S, change_R, window_NxT1):
  """Returns NLL in nats and predicted mean of each window, SxRxN each."""
  model, settings = run.experiment.model, run.settings
  found = sweeps.over(
    _score(run.apply, settings.evaluation.batch, has_ids(model)),
    params_S,
    jax.tree.map(jnp.asarray, change_R),
    data=(jnp.asarray(window_NxT1),),
    batch_size=settings.slots.sweep_batch,
  )
  return tuple(np.asarray(x, np.float64) for x in found)


@functools.cache
def _gradients(apply_fn, ids: bool):
  def loss(content_MxD, params, order_M, window_BxT1):
    params = _with(params, CONTENT, lambda _: content_MxD)
    options = {"slot_order_M": order_M if ids else None}
    mixture, _ = apply_fn(params, window_BxT1[:, :-1], **options)
    last = jax.tree.map(lambda leaf: leaf[:, -1], mixture)
    return -mixture_lib.log_density(last, window_BxT1[:, -1]).mean()

  def one(params, order_RxM, window_RxBxT1):
    chosen = trees.selected(params, trees.select(params, CONTENT))
    each = lambda batch: jax.grad(loss)(chosen[CONTENT], params, *batch)
    return jax.lax.map(each, (order_RxM, window_RxBxT1))

  return jax.jit(jax.vmap(one, (0, None, None)))


def gradients(run, params_S) -> np.ndarray:
  """Returns the gradient of the NLL by the slot contents, batch by batch:
  SxRxMxD. Ids are in the order of training: permuted where they were."""
  model, settings = run.experiment.model, run.settings.slots
  count = settings.gradient_batches
  window_NxT1, _ = drawn(run, count * settings.gradient_batch, settings.seed)
  rng = np.random.default_rng([settings.seed, 1])
  window_RxBxT1 = rng.permutation(window_NxT1).reshape(count, settings.gradient_batch, -1)
  found = _gradients(run.apply, has_ids(model))(
    params_S, jnp.asarray(training_orders(run, count)), jnp.asarray(window_RxBxT1)
  )
  return np.asarray(found, np.float64)


def training_orders(run, count: int) -> np.ndarray:
  """Returns slot orders as training passes have them, RxM."""
  model = run.experiment.model
  if model.slot_ids != "permute_per_batch":
    return np.tile(np.arange(model.slots), (count, 1))
  return spacing.slot_orders(model.slots, count, first_seed=run.settings.slots.seed)


@functools.cache
def _attention(apply_fn, batch: int, rows: tuple, columns: tuple):
  def mean(params, window_NxT1):
    def one(row):
      _, activations = apply_fn(params, row[None, :-1], sites=("attention/pattern",))
      last_HxExE = activations["attention/pattern"][-1, 0]
      return last_HxExE.mean(0)[slice(*rows), slice(*columns)]

    return jax.lax.map(one, window_NxT1, batch_size=batch).mean(0)

  return jax.jit(jax.vmap(mean, (0, None)))


def attention(run, params_S) -> np.ndarray:
  """Returns what the slots read of the data in the last layer, SxMxT.

  Averaged over heads and windows, as published; a row sums to the part that
  is not spent on slots.
  """
  model, settings = run.experiment.model, run.settings
  length, slots = model.window, model.slots
  rows, columns = (0, slots), (slots, slots + length)
  if model.memory == "postfix":
    rows, columns = (length, slots + length), (0, length)
  window_NxT1, _ = drawn(run, settings.slots.attention_windows, settings.slots.seed)
  found = _attention(run.apply, settings.evaluation.batch, rows, columns)(
    params_S, jnp.asarray(window_NxT1)
  )
  return np.asarray(found, np.float64)


@functools.cache
def _rollout(apply_fn, horizon: int):
  def rolled(params, context_NxT):
    def step(x_NxT, last, key):
      del last, key  # the context is full from the start
      mixture, _ = apply_fn(params, x_NxT)
      return mixture_lib.mean(mixture)[:, -1]

    return rollout.roll(step, context_NxT, horizon)

  return jax.jit(jax.vmap(rolled, (0, None)))


def rollout_errors(run, params_S) -> np.ndarray:
  """Returns the mean |rolled - true| at each step of mean rollouts, SxQ.

  Raises `ValueError` where the test split is shorter than window + horizon.
  """
  settings, length = run.settings.slots, run.experiment.model.window
  first, last = run.series.bounds("test")
  horizon = max(settings.horizons)
  room = last - length - horizon
  if room < first:
    raise ValueError(
      f"slots.horizons={settings.horizons} needs a test split of "
      f"{length + horizon} spacings; it has {last - first}."
    )
  rng = np.random.default_rng([settings.seed, 2])
  start_N = np.sort(rng.integers(first, room + 1, settings.rollouts))
  known_NxQ = windows.take(run.series.value_N, start_N, length + horizon - 1)
  rolled_SxNxQ = _rollout(run.apply, horizon)(params_S, jnp.asarray(known_NxQ[:, :length]))
  truth_SxNxQ = np.broadcast_to(known_NxQ[:, length:], rolled_SxNxQ.shape)
  return rollout.step_error(rolled_SxNxQ, truth_SxNxQ).mean(1)


def last_nll(run, params_S, window_NxT1) -> np.ndarray:
  """Returns the NLL in nats of the last target of each window, SxN."""
  mixture = scoring.mixtures(run, window_NxT1, params_S)
  return scoring.nll(mixture, window_NxT1)[..., -1]


def quarters(run) -> np.ndarray:
  """Returns random windows of each quarter of test, 4xNxT+1, as published."""
  settings = run.settings.slots
  start_N = windows.starts(run.series, "test", min_context=run.series.window)
  rng = np.random.default_rng([settings.seed, 3])
  drawn = [
    np.sort(rng.choice(part_N, settings.quarter_windows)) for part_N in np.array_split(start_N, 4)
  ]
  take = lambda part_N: windows.take(run.series.value_N, part_N, run.series.window)
  return np.stack([take(part_N) for part_N in drawn])


def slope(run, error_SxQ) -> np.ndarray:
  """Returns the growth of the rollout errors with the horizon, by seed."""
  return rollout.log_log_slope_as_published(error_SxQ, run.settings.slots.horizons)
