"""What do memory slots do and hold?

The published diagnostics removed one memory slot at a time, on random windows, each pass under
another random order of the slot ids, and held every reading against a threshold of their own.

Here the ids are fixed, slots are also removed together, contents and ids are each switched off,
which the source planned and never reported, and the same readings are taken of the networks before
training: a threshold that these keep says nothing about what was learned. One measurement is
repeated with the same weights, to show how far it scatters. Every number is about the spacing after
a full window, the only target that no model has in its input.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Annotated, Any

import jax
import numpy as np
import scipy.special
import xarray as xr
from primelens.analyses import rollout, statistics, sweeps, trees
from primelens.analyses import slots as slots_lib
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.models import mixture as mixture_lib
from primelens.models import spacing
from primelens.studies.zeros import program, scoring
from primelens.tasks import checks, windows

# --- published ------------------------------------------------------------------------------------

# Diagnostics of one network, once and again with the same weights, and of another one.
NETWORKS = ("E4, seed 7", "the same weights again", "E5, seed 7")
READINGS = {  # by the names of `readings`, one value for each network
  row["reading"]: tuple(row[network] for network in NETWORKS)
  for row in numbers_lib.records(__file__, "readings")
}
BASE = numbers_lib.records(__file__, "nll")  # NLL on random windows, and its scatter by window
_QUARTERS = numbers_lib.records(__file__, "quarters")
QUARTERS = {  # mean and standard deviation of the NLL of random windows of each quarter of test
  network: [(row["mean"], row["sd"]) for row in _QUARTERS if row["network"] == network]
  for network in NETWORKS
}
QUARTER_WINDOWS = 100
# Increase of the NLL of E3, trained with fixed ids, under permuted ones, relative to its own NLL.
E3_PERMUTED = {row["seed"]: row["increase"] for row in numbers_lib.records(__file__, "e3_permuted")}
NAMES = ("SIGN", "NORM", "TORUS", "SYMBOL", "FLOOR", "TOEPLITZ", "PRIME-CAP")

# Thresholds of the source's diagnostics, and of its success criteria where it had no other
# (docs/sources/zeros.md, sections 4.13 and 6.9).
SINGLE = 0.02  # nats, of a slot that counts as functional
CORRELATION = 0.7
COSINE = 0.5
EFFECT_ENTROPY = 1.5  # of ln 8
SLOPE = 0.5
VARIATION = 0.1  # to 0.3
PERMUTED = 0.1  # of |NLL|
CONTENT_ONLY = 0.3  # of |NLL|
RANK = 0.5  # of M
CENTRES = 10  # positions; the code asked for a tenth of the window, 25.6


@dataclasses.dataclass(kw_only=True)
class Settings:
  """Diagnostics of memory slots; sizes as published where it had them."""

  windows: checks.Several = 512  # evenly over test, for every removal
  draws: checks.Number = 16  # joint removals of each count, all where there are fewer
  random_windows: checks.Count = 500  # as published
  remeasurements: checks.Number = 1000
  blocks: checks.Several = 8
  block_windows: checks.Several = 256
  quarter_windows: checks.Several = 100  # as published
  gradient_batches: checks.Several = 20
  gradient_batch: checks.Count = 32
  attention_windows: checks.Count = 50
  rollouts: checks.Count = 100
  horizons: Annotated[tuple[checks.Number, ...], checks.Items(2, 1_000)] = (1, 10, 50, 200)
  sweep_batch: checks.Count = 4  # (seed, change) pairs in memory at a time
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


def obstacle(experiment) -> str:
  """Returns why a run has no slots to diagnose, or ""."""
  other = program.no_mixtures(experiment)
  if other or experiment.model.memory != "none":
    return other
  return "it has no memory slots (model.memory='none')."


# --- a network with its memory changed ------------------------------------------------------------


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
    change_R,
    data=(window_NxT1,),
    batch_size=settings.slots.sweep_batch,
  )
  return tuple(np.asarray(x, np.float64) for x in found)


def last_nll(run, params_S, window_NxT1) -> np.ndarray:
  """Returns the NLL in nats of the last target of each window, SxN."""
  mixture = scoring.mixtures(run, window_NxT1, params_S)
  return scoring.nll(mixture, window_NxT1)[..., -1]


# --- gradients, attention, rollouts, quarters of the data -----------------------------------------


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
    params_S, training_orders(run, count), window_RxBxT1
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
  found = _attention(run.apply, settings.evaluation.batch, rows, columns)(params_S, window_NxT1)
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
  rolled_SxNxQ = _rollout(run.apply, horizon)(params_S, known_NxQ[:, :length])
  truth_SxNxQ = np.broadcast_to(known_NxQ[:, length:], rolled_SxNxQ.shape)
  return rollout.step_error(rolled_SxNxQ, truth_SxNxQ).mean(1)


def slope(run, error_SxQ) -> np.ndarray:
  """Returns the growth of the rollout errors with the horizon, by seed."""
  return rollout.log_log_slope_as_published(error_SxQ, run.settings.slots.horizons)


def quarters(run) -> np.ndarray:
  """Returns random windows of each quarter of test, 4xNxT+1, as published."""
  settings = run.settings.slots
  start_N = windows.starts(run.series, "test", min_context=run.series.window)
  rng = np.random.default_rng([settings.seed, 3])
  chosen = [
    np.sort(rng.choice(part_N, settings.quarter_windows)) for part_N in np.array_split(start_N, 4)
  ]
  take = lambda part_N: windows.take(run.series.value_N, part_N, run.series.window)
  return np.stack([take(part_N) for part_N in chosen])


# --- what is measured of trained and of untrained networks ----------------------------------------


def _measured(run, params_S, keep_ExM) -> dict:
  """Returns every array of some networks by its name in the result, and what
  the table needs beside them."""
  error_SxQ = rollout_errors(run, params_S)  # every step
  horizon_Q = np.asarray(run.settings.slots.horizons)
  return {
    **_changed(run, params_S, keep_ExM),
    **_random(run, params_S),
    **_weights(run, params_S),
    **_blocks(run, params_S),
    "attention_SxMxT": attention(run, params_S),
    "error_SxQ": error_SxQ[:, horizon_Q - 1],
    "slope_S": slope(run, error_SxQ),
  }


def _changed(run, params_S, keep_ExM) -> dict:
  """Returns what removals, other orders, and half a token change, paired over
  windows that lie evenly on test."""
  settings, model = run.settings.slots, run.experiment.model
  orders = run.settings.evaluation.permutations
  window_NxT1, _ = drawn(run, settings.windows)
  one_1xM = np.ones((1, model.slots))
  parts = [changes(keep_ExM), changes(one_1xM, content=0)]
  ids = has_ids(model)
  if ids:
    order_VxM = spacing.slot_orders(model.slots, orders, first_seed=settings.seed)
    every_VxM = np.repeat(one_1xM, orders, axis=0)
    parts.append(changes(one_1xM, ids=0))
    parts.append(changes(every_VxM, order_RxM=order_VxM))
  nll, mean = nll_and_mean(run, params_S, joined(*parts), window_NxT1)
  count, slots = len(keep_ExM), model.slots
  delta = nll - nll[:, :1]
  single = slice(1, 1 + slots)
  nothing_S = np.full(len(nll), np.nan)
  summed = slots_lib.sums_as_published(delta[:, single].mean(-1), keep_ExM)
  mean_R = delta[:, :count].mean(-1)
  again = lambda value: slots_lib.remeasured(
    value, settings.random_windows, draws=settings.remeasurements, seed=settings.seed
  )
  return {
    "removals_SxExN": delta[:, :count],
    "delta_SxE": mean_R,
    "joint_SxR": slots_lib.by_count(mean_R, keep_ExM),
    "sum_as_published_SxR": slots_lib.by_count(summed, keep_ExM),
    "effect_SxM": np.sqrt(np.mean((mean[:, single] - mean[:, :1]) ** 2, axis=-1)),
    "intact_S": nll[:, 0].mean(-1),
    "content_zeroed_S": delta[:, count].mean(-1),
    "ids_off_S": delta[:, count + 1].mean(-1) if ids else nothing_S,
    "order_SxV": delta[:, count + 2 :].mean(-1),
    "remeasured_nll_SxN": again(nll[:, 0]),
    "remeasured_single_SxN": again(delta[:, single]).max(1),
  }


def _random(run, params_S) -> dict:
  """Returns single removals as published: on random windows, and where ids
  permute in training under another order in every pass."""
  settings, model = run.settings.slots, run.experiment.model
  window_NxT1, _ = drawn(run, settings.random_windows, settings.seed)
  keep_ExM = np.concatenate([np.ones((1, model.slots)), 1 - np.eye(model.slots)])
  change_R = changes(keep_ExM, order_RxM=training_orders(run, len(keep_ExM)))
  nll, _ = nll_and_mean(run, params_S, change_R, window_NxT1)
  single_SxM = (nll[:, 1:] - nll[:, :1]).mean(-1)
  return {"single_as_published_SxM": single_SxM}


def _weights(run, params_S) -> dict:
  """Returns cosines, gradients and readout weights of the slots."""
  token_SxMxD = leaf(params_S, CONTENT)
  if has_ids(run.experiment.model):
    token_SxMxD = token_SxMxD + leaf(params_S, IDS)
  logit_SxM = leaf(params_S, READOUT)
  gradient_SxRxMxD = gradients(run, params_S)
  each = lambda f, x: np.array([f(part) for part in x])
  return {
    "cosine_SxMxM": each(lambda x: slots_lib.cosines(x.T), token_SxMxD),
    "gradient_SxRxMxD": gradient_SxRxMxD,
    "gradient_correlation_SxMxM": each(slots_lib.gradient_correlation, gradient_SxRxMxD),
    "readout_SxM": np.full(token_SxMxD.shape[:2], np.nan)
    if logit_SxM is None
    else scipy.special.softmax(logit_SxM, axis=-1),
  }


def _blocks(run, params_S) -> dict:
  """Returns the NLL of blocks of test, with errors: neighbouring windows, and the source's
  quarters."""
  settings = run.settings.slots
  count = settings.blocks * settings.block_windows
  window_NxT1, start_N = drawn(run, count)
  nll_SxN = last_nll(run, params_S, window_NxT1)
  split = lambda nll_N: nll_N.reshape(settings.blocks, -1)
  near = min(scoring.block_windows(run, start_N), settings.block_windows // 4)
  found = [slots_lib.blocks(split(nll_N), block=max(1, near)) for nll_N in nll_SxN]
  quarter_PxNxT1 = quarters(run)
  nll_SxPxN = last_nll(run, params_S, quarter_PxNxT1.reshape(-1, quarter_PxNxT1.shape[-1])).reshape(
    len(nll_SxN), *quarter_PxNxT1.shape[:2]
  )
  apart = np.sqrt(nll_SxPxN.shape[-1])  # windows drawn apart: no blocks
  return {
    "block_nll_SxP": np.array([one.mean_P for one in found]),
    "block_error_SxP": np.array([one.error_P for one in found]),
    "quarter_nll_Sx4": nll_SxPxN.mean(-1),
    "quarter_error_Sx4": nll_SxPxN.std(-1, ddof=1) / apart,
  }


# --- the readings, each with a threshold of the source --------------------------------------------


@dataclasses.dataclass(frozen=True)
class Reading:
  """One number per network; `rule` ("> 0.02") is the source's, or ""."""

  letter: str
  name: str
  unit: str
  rule: str
  value: Callable[[dict[str, Any]], np.ndarray]


# Names of readings that claims and published.csv speak of.
SINGLE_PUBLISHED = "largest single removal, as published"
ORDER_PUBLISHED = "ids in another order / |NLL|, as published"
COSINES = "mean cosine of slots"
GRADIENTS = "mean |correlation| of gradients"
EFFECTS = "entropy of effects"
BLOCKS_PUBLISHED = "sd / mean of 4 blocks, as published"
SD_OF_CENTRES = "sd of the slots' centres"
RANK_PUBLISHED = "r90 of batches x slots / M, as published"


def readings(slots: int, window: int) -> tuple[Reading, ...]:
  """Returns all readings of M slots behind T spacings, A to K.

  The source's threshold of E was for 8 slots, whose entropy is at most ln 8;
  it is scaled by ln M / ln 8 here.
  """
  single = slice(1, 1 + slots)
  least = EFFECT_ENTROPY * math.log(slots) / math.log(8)
  mean = slots_lib.off_diagonal
  mean_rank = slots_lib.gradient_rank
  batch_rank = slots_lib.gradient_rank_as_published
  rank = lambda f, i: lambda m: np.array([f(g)[i] for g in m["gradient_SxRxMxD"]], float)
  part = lambda f: lambda m: rank(f, 0)(m) / slots
  relative = lambda value_S, m: value_S / np.abs(m["intact_S"])
  one = f"> {SINGLE}"
  rows: list[tuple[str, str, str, str, Callable]] = [
    # Slots, contents or ids that are taken away.
    ("A", "largest single removal", "nats", one, lambda m: m["delta_SxE"][:, single].max(1)),
    ("A", SINGLE_PUBLISHED, "nats", one, lambda m: m["single_as_published_SxM"].max(1)),
    ("A'", "all slots removed", "nats", "", lambda m: m["joint_SxR"][:, -1]),
    (
      "A'",
      "sum of single removals, as published",
      "nats",
      "",
      lambda m: m["sum_as_published_SxR"][:, -1],
    ),
    ("ID-only", "contents zeroed", "nats", f">= {SINGLE}", lambda m: m["content_zeroed_S"]),
    ("content-only", "ids off", "nats", "", lambda m: m["ids_off_S"]),
    (
      "content-only",
      "ids off / |NLL|, as published",
      "",
      f"<= {CONTENT_ONLY}",
      lambda m: relative(m["ids_off_S"], m),
    ),
    ("J", "ids in another order", "nats", "", _order),
    ("J", ORDER_PUBLISHED, "", f"< {PERMUTED}", lambda m: relative(_order(m), m)),
    # How slots differ in what they hold and do.
    ("B", COSINES, "", f"< {COSINE}", lambda m: mean(m["cosine_SxMxM"])),
    (
      "C",
      GRADIENTS,
      "",
      f"< {CORRELATION}",
      lambda m: mean(np.abs(m["gradient_correlation_SxMxM"])),
    ),
    (
      "D",
      "readout: exp(entropy) / M",
      "",
      "",
      lambda m: slots_lib.uniformity(m["readout_SxM"]),
    ),
    (
      "D",
      "readout: entropy / ln M, as published",
      "",
      "",
      lambda m: slots_lib.uniformity_as_published(m["readout_SxM"]),
    ),
    ("E", EFFECTS, "nats", f"> {least:.3g}", lambda m: slots_lib.entropy(m["effect_SxM"])),
    # Along the data: rollouts, blocks, attention.
    ("G", "slope of ln error on ln h, as published", "", f"< {SLOPE}", lambda m: m["slope_S"]),
    (
      "H",
      "sd of blocks beyond noise",
      "nats",
      "",
      lambda m: beyond_noise(m["block_nll_SxP"], m["block_error_SxP"]),
    ),
    (
      "H",
      BLOCKS_PUBLISHED,
      "",
      f"< {VARIATION}",
      lambda m: slots_lib.variation_as_published(m["quarter_nll_Sx4"]),
    ),
    (
      "I",
      SD_OF_CENTRES,
      "positions",
      f"> {0.1 * window:g}",
      lambda m: slots_lib.centre_of_mass(m["attention_SxMxT"]).std(1),
    ),
    # Ranks of the slots' gradients: of their mean, and as published.
    ("K", "r90 of the mean gradient / M", "", "", part(mean_rank)),
    ("K", RANK_PUBLISHED, "", f"> {RANK}", part(batch_rank)),
    ("K", "effective rank of the mean gradient", "", "", rank(mean_rank, 1)),
    ("K", "effective rank as published", "", "", rank(batch_rank, 1)),
  ]
  return tuple(Reading(*row) for row in rows)


_HOLDS: dict[str, Callable] = {
  ">": np.greater,
  ">=": np.greater_equal,
  "<": np.less,
  "<=": np.less_equal,
}


def _order(m) -> np.ndarray:
  order_SxV = m["order_SxV"]
  alone_S = np.full(len(order_SxV), np.nan)
  return order_SxV.mean(1) if order_SxV.shape[1] else alone_S


def beyond_noise(mean_SxP, error_SxP) -> np.ndarray:
  """Returns sqrt(sd^2 - noise^2) of each seed's blocks, 0 where noise is more:
  the scatter that finite blocks do not explain."""
  found = [slots_lib.homogeneity(*each) for each in zip(mean_SxP, error_SxP, strict=True)]
  return np.array([max(b.sd**2 - b.noise**2, 0.0) ** 0.5 for b in found])


def met(rule: str, value_S) -> int:
  """Returns how many seeds keep the source's rule, -1 without a rule or value.

  Raises ValueError for a rule that is no comparison with a number.
  """
  if not rule or not np.isfinite(value_S).any():
    return -1
  sign, _, number = rule.partition(" ")
  if sign not in _HOLDS:
    raise ValueError(f"rule {rule!r} does not begin with {', '.join(_HOLDS)}.")
  return int(_HOLDS[sign](value_S, float(number)).sum())


def rows(mine: dict, null: dict, model) -> tuple[dict, ...]:
  """Returns every reading: trained, its interval over seeds, untrained.

  `met` of `seeds` networks keep the source's rule, `untrained_met` untrained
  ones. `standing` is "above" or "below" where the paired difference from the
  untrained networks has an interval clear of 0, "not apart" elsewhere; "" with
  one seed or without a value.
  """
  table = []
  for reading in readings(model.slots, model.window):
    value_S, null_S = reading.value(mine), reading.value(null)
    interval = statistics.seed_interval(value_S)
    apart = statistics.seed_interval(value_S - null_S)
    table.append(
      {
        "letter": reading.letter,
        "reading": reading.name,
        "unit": reading.unit,
        "value": float(interval.estimate),
        "value_low": float(interval.low),
        "value_high": float(interval.high),
        "untrained": float(null_S.mean()),
        "standing": _standing(float(apart.low), float(apart.high)),
        "rule": reading.rule,
        "met": met(reading.rule, value_S),
        "untrained_met": met(reading.rule, null_S),
        "seeds": len(value_S),
      }
    )
  return tuple(table)


def _standing(low: float, high: float) -> str:
  if math.isnan(low):
    return ""
  return "above" if low > 0 else "below" if high < 0 else "not apart"


# --- the result -----------------------------------------------------------------------------------

NATS = "nats per spacing"
CHANGE = "change of the NLL"
READING = {
  "letter": "diagnostic",
  "reading": "reading",
  "unit": "unit of the reading",
  "value": "mean of the trained networks",
  "untrained": "mean of the untrained networks",
  "standing": "where the trained networks are, from the untrained ones",
  "rule": "threshold of the source",
  "met": "trained networks that keep the rule, -1 without one",
  "untrained_met": "untrained networks that keep the rule, -1 without one",
  "seeds": "networks",
}


def measure(run) -> xr.Dataset:
  """Returns the diagnostics of a run's networks and of untrained ones."""
  settings, model = run.settings.slots, run.experiment.model
  keep_ExM = slots_lib.removals(model.slots, draws=settings.draws, seed=settings.seed)
  mine = _measured(run, run.params_S, keep_ExM)
  null = _measured(run, run.untrained_S(), keep_ExM)
  removals = mine.pop("removals_SxExN")
  null.pop("removals_SxExN")
  _, start_N = drawn(run, settings.windows)
  change = scoring.interval(run, removals, start_N)
  by_count = slots_lib.by_count(np.moveaxis(removals, 1, -1), keep_ExM)
  joint = scoring.interval(run, np.moveaxis(by_count, -1, 1), start_N)
  variables = {
    "keep": results.variable("removal slot", keep_ExM, "1 where a slot stays"),
    "delta": results.variable("seed removal", mine["delta_SxE"], f"{CHANGE}, slots removed", NATS),
    "untrained_delta": results.variable(
      "seed removal", null["delta_SxE"], f"{CHANGE}, slots removed, untrained networks", NATS
    ),
    **results.with_interval(
      "mean_delta", "removal", change, f"{CHANGE}, slots removed, mean over seeds", NATS
    ),
    "joint": results.variable(
      "seed count", mine["joint_SxR"], f"{CHANGE}, mean over choices of the slots", NATS
    ),
    **results.with_interval(
      "mean_joint", "count", joint, f"{CHANGE}, mean over choices of the slots and seeds", NATS
    ),
    "sum_as_published": results.variable(
      "seed count", mine["sum_as_published_SxR"], "sum of the changes of single removals", NATS
    ),
    "single_as_published": results.variable(
      "seed slot",
      mine["single_as_published_SxM"],
      f"{CHANGE}, one slot removed, random windows, ids ordered as in training",
      NATS,
    ),
    "order_delta": results.variable(
      "seed order", mine["order_SxV"], f"{CHANGE}, ids in another fixed order", NATS
    ),
    "remeasured_nll": results.variable(
      "seed repeat", mine["remeasured_nll_SxN"], "NLL measured again", NATS
    ),
    "remeasured_single": results.variable(
      "seed repeat",
      mine["remeasured_single_SxN"],
      f"largest {CHANGE} of single removals, measured again",
      NATS,
    ),
    "effect": results.variable(
      "seed slot",
      mine["effect_SxM"],
      "root mean square change of the prediction, one slot removed",
      "mean spacings",
    ),
    "readout": results.variable("seed slot", mine["readout_SxM"], "weight of the readout"),
    "cosine": results.variable("seed slot other", mine["cosine_SxMxM"], "cosine of two slots"),
    "gradient_correlation": results.variable(
      "seed slot other",
      mine["gradient_correlation_SxMxM"],
      "correlation of the gradients of two slots",
    ),
    "attention": results.variable(
      "seed slot position", mine["attention_SxMxT"], "attention in the last layer, mean over heads"
    ),
    "untrained_attention": results.variable(
      "seed slot position",
      null["attention_SxMxT"],
      "attention in the last layer, mean over heads, untrained networks",
    ),
    "rollout_error": results.variable(
      "seed horizon", mine["error_SxQ"], "mean |rolled - true|", "mean spacings"
    ),
    "block_nll": results.variable(
      "seed block", mine["block_nll_SxP"], "NLL of neighbouring windows", NATS
    ),
    "block_error": results.variable(
      "seed block", mine["block_error_SxP"], "standard error of the NLL of a block", NATS
    ),
    "quarter_nll": results.variable(
      "seed quarter", mine["quarter_nll_Sx4"], "NLL of random windows", NATS
    ),
    "quarter_error": results.variable(
      "seed quarter", mine["quarter_error_Sx4"], "standard error of the NLL of a quarter", NATS
    ),
    **results.rows("readings", rows(mine, null, model), READING),
  }
  return results.dataset(
    variables,
    _coordinates(run, variables),
    memory=model.memory,
    permuted=model.slot_ids == "permute_per_batch",
    windows=settings.windows,
    random_windows=settings.random_windows,
  )


def _coordinates(run, variables) -> dict:
  """Returns the coordinates; those of blocks and quarters are their centres, of test as 0 to 1."""
  sizes: dict[Any, int] = {}
  for each in variables.values():
    sizes |= each.sizes
  number = lambda dim, said: results.variable(dim, np.arange(sizes[dim]), said)
  part = lambda dim, said: results.variable(
    dim, (np.arange(sizes[dim]) + 0.5) / sizes[dim], f"part of the test split, centre of a {said}"
  )
  return {
    "seed": results.variable("seed", run.seed_S, "seed of the network"),
    "removal": number("removal", "removal"),
    "slot": number("slot", "slot"),
    "other": number("other", "other slot"),
    "count": number("count", "slots removed"),
    "order": number("order", "order of the ids"),
    "repeat": number("repeat", "measurement"),
    "position": results.variable(
      "position",
      np.arange(sizes["position"]) - sizes["position"],
      "position before the predicted spacing",
      "spacings",
    ),
    "horizon": results.variable(
      "horizon", np.asarray(run.settings.slots.horizons), "steps rolled out", "spacings"
    ),
    "block": part("block", "block"),
    "quarter": part("quarter", "quarter"),
  }


# --- figures and tables ---------------------------------------------------------------------------

COMPARED = (  # readings in nats that one page compares over runs
  "largest single removal",
  "all slots removed",
  "contents zeroed",
  "ids off",
  "ids in another order",
)


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares them."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  joint = results.across(runs, "mean_joint")
  read = {
    run: found.assign_coords(readings=found.readings_reading.values).sel(readings=list(COMPARED))
    for run, found in runs.items()
  }
  values = results.across(read, "readings_value")
  shared = draw.page(
    (
      draw.curves(
        joint,
        "mean_joint",
        x="count",
        colour="run",
        title="Slots removed together (bands: 95 %)",
        ylabel=f"{CHANGE} ({NATS})",
      ),
      draw.rows(
        values,
        "readings_value",
        x="readings",
        colour="run",
        title="What is lost without them (bars: 95 %)",
        xlabel=f"{CHANGE} ({NATS})",
      ),
    ),
    heights=[3.9],
  )
  return {"all runs": shared} | pages


def _page(run: str, found: xr.Dataset) -> draw.Page:
  first = found.isel(seed=0)
  seed = int(first.seed)
  look = {"rows": "slot", "columns": "other", "limits": (-1, 1), "centred": True}
  matrices = (
    draw.heat(first, "cosine", title=f"Cosines of the slots, seed {seed}", **look),
    draw.heat(
      first, "gradient_correlation", title=f"Correlations of their gradients, seed {seed}", **look
    ),
  )
  rollouts = draw.curves(
    found,
    "rollout_error",
    x="horizon",
    thin="seed",
    zero=False,
    title="Predictions fed back (thin: seeds)",
    xscale="log",
    yscale="log",
  )
  steps = found.horizon.values

  def ticks(axes):
    axes.set_xticks(steps, [f"{step}" for step in steps])
    axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)

  effects = draw.bars(
    found, "effect", x="slot", title="Change of the prediction", ylabel="rms change (mean spacings)"
  )
  last: tuple[draw.Panel, ...] = (draw.together(rollouts, ticks), effects)
  if np.isfinite(found.readout).any():
    last += (draw.bars(found, "readout", x="slot", title="Weights of the readout"),)
  return draw.page(
    (_joint_panel(run, found), _single_panel(found)),
    (_by_slot_panel(found), _orders_panel(found)),
    (_attention_panel(first), _blocks_panel(found)),
    matrices,
    last,
    heights=[4.4, 3.8, 4.6 + 0.12 * min(found.sizes["slot"], 8), 3.4, 3.2],
  )


def _joint_panel(run: str, found: xr.Dataset) -> draw.Panel:
  """Draws what slots removed together cost, beside the published sum."""

  def seeds(axes):
    if found.sizes["seed"] > 1:
      line_RxS = found.joint.transpose("count", "seed")
      axes.plot(found["count"], line_RxS, color=draw.BLUE, lw=0.6, alpha=0.55)

  summed = draw.curves(
    found,
    "sum_as_published",
    x="count",
    thin="seed",
    style={"color": draw.ORANGE, "label": "sum of single ones (as published)"},
  )
  together = draw.curves(
    found,
    "mean_joint",
    x="count",
    style={"label": "together (thick: mean, band: 95 %)"},
    title=f"{run}: slots removed (thin: seeds)",
    xlabel="slots removed, mean over choices",
    ylabel=f"{CHANGE} ({NATS})",
  )
  return draw.together(seeds, summed, together)


def _single_panel(found: xr.Dataset) -> draw.Panel:
  """Draws the largest single effect of every seed, measured again and again, beside the untrained
  networks' and the published threshold."""

  def panel(axes):
    slots = found.sizes["slot"]
    single = slice(1, 1 + slots)
    draws = found.remeasured_single.transpose("seed", "repeat").values
    low, middle, high = np.quantile(draws, (0.025, 0.5, 0.975), axis=1)
    place = np.arange(len(draws))
    label = f"{found.random_windows} windows, again and again (95 %)"
    _whiskers(axes, place, middle, (low, high), color=draw.BLUE, label=label)
    null_SxM = found.untrained_delta.transpose("seed", "removal").values[:, single]
    axes.plot(place - 0.2, null_SxM.max(1), "s", color=draw.GREY, ms=5, label="untrained, largest")
    delta_SxM = found.delta.transpose("seed", "removal").values[:, single]
    for s, effect_M in enumerate(delta_SxM):
      said = None if s else "every slot"
      axes.plot(np.full(slots, s + 0.2), effect_M, "_", color="black", ms=9, label=said)
    axes.axhline(SINGLE, color=draw.ORANGE, lw=1.2, ls="--", label="threshold of the source")
    axes.axhline(0, color="black", lw=0.8)
    axes.set_xticks(place, [f"{seed}" for seed in found.seed.values])
    axes.set_xlim(-0.6, len(draws) - 0.4)
    axes.set(
      title="One slot removed: the largest change", xlabel="seed", ylabel=f"{CHANGE} ({NATS})"
    )

  return panel


def _whiskers(axes, place, value, ends, **look) -> None:
  low, high = ends
  error = np.maximum([value - low, high - value], 0)
  axes.errorbar(place, value, yerr=error, fmt="o", ms=5, lw=1.5, capsize=2.5, **look)


def _by_slot_panel(found: xr.Dataset) -> draw.Panel:
  """Draws what removing each slot alone costs: mean over seeds, and each seed as published."""

  def panel(axes):
    place = np.arange(found.sizes["slot"])
    alone = found.isel(removal=slice(1, 1 + len(place)))
    low, high = alone.mean_delta_interval.transpose("end", "removal").values
    label = f"{found.windows:,} windows, mean of {found.sizes['seed']} networks (95 %)"
    _whiskers(axes, place, alone.mean_delta.values, (low, high), color=draw.BLUE, label=label)
    for s, single_M in enumerate(found.single_as_published.transpose("seed", "slot").values):
      said = None if s else f"{found.random_windows} random windows, each network, as published"
      axes.plot(place + 0.2, single_M, "D", color=draw.ORANGE, ms=4, mfc="none", label=said)
    axes.axhline(0, color="black", lw=0.8)
    axes.set_xticks(place)
    axes.set(title="One slot removed, by slot", xlabel="slot", ylabel=f"{CHANGE} ({NATS})")

  return panel


def _orders_panel(found: xr.Dataset) -> draw.Panel:
  """Draws what other orders of the slot ids change, a dot for each order."""
  if not found.sizes["order"]:
    return draw.empty("These slots have no ids to reorder.")
  groups = {f"seed {seed}": found.order_delta.sel(seed=seed) for seed in found.seed.values}
  count = found.sizes["order"]
  return draw.dots(groups, title=f"Slot ids in {count} other orders\n(a dot each; line: median)")


def _attention_panel(first: xr.Dataset) -> draw.Panel:
  """Draws where the slots of one network look, beside those of the untrained one."""
  if not float(first.attention.sum()):
    return draw.empty("These slots read no data.")

  def panel(axes):
    slots = first.sizes["slot"]
    for m in range(slots):
      label = f"slot {m}" if slots <= 8 else None
      colour = draw.COLOURS[m % len(draw.COLOURS)]
      axes.plot(first.position, first.attention.isel(slot=m), lw=1, color=colour, label=label)
    mean = first.untrained_attention.mean("slot")
    axes.plot(first.position, mean, "--", color="black", lw=1.2, label="untrained, mean of slots")
    axes.set(
      title=f"Attention of the slots, last layer, seed {int(first.seed)}",
      xlabel=results.label(first.position),
      ylabel="weight, mean over heads",
    )

  return panel


def _blocks_panel(found: xr.Dataset) -> draw.Panel:
  """Draws the NLL along test, with the scatter that windows alone explain."""

  def panel(axes):
    for s, seed in enumerate(found.seed.values):
      part = found.isel(seed=s)
      value, error = part.block_nll.values, 1.96 * part.block_error.values
      look = {"color": draw.COLOURS[s % len(draw.COLOURS)]}
      label = f"seed {seed}" if found.sizes["seed"] <= 7 else None
      place = found.block.values + 0.006 * s
      _whiskers(axes, place, value, (value - error, value + error), label=label, **look)
    first = found.isel(seed=0)
    label = f"quarters as published, seed {int(first.seed)}"
    value, error = first.quarter_nll.values, 1.96 * first.quarter_error.values
    ends = (value - error, value + error)
    _whiskers(axes, found.quarter.values, value, ends, color="black", mfc="white", label=label)
    axes.set(title="Blocks of test (95 %)", xlabel="part of the test split", ylabel=f"NLL ({NATS})")

  return panel


def tables(runs) -> list[tables_lib.Table]:
  """Returns every reading beside the published ones, removals together, and measurements again."""
  windows_said = tables_lib.distinct(f"{found.windows:,}" for found in runs.values())
  random_said = tables_lib.distinct(f"{found.random_windows}" for found in runs.values())
  first, again, _ = (row["nll"] for row in BASE)
  return [
    tables_lib.Table(
      "Mean over seeds, interval over seeds; the last columns as published. An untrained network"
      " that keeps the rule is its null.",
      [
        {"run": run} | _shown(row)
        for run, found in runs.items()
        for row in tables_lib.rows(found, "readings")
      ],
      dict.fromkeys(("trained", "untrained", *NETWORKS), ".4f"),
      "readings",
    ),
    tables_lib.Table(
      f"Slots removed together: change of the NLL in nats on {windows_said} windows of test, mean"
      " over choices of the slots, interval over seeds and blocks.",
      [
        {
          "run": run,
          "slots removed": int(count),
          "together": tables_lib.interval(found, "mean_joint", count=count),
          "sum of single ones, as published": float(found.sum_as_published.sel(count=count).mean()),
        }
        for run, found in runs.items()
        for count in found["count"].values
      ],
      dict.fromkeys(("together", "sum of single ones, as published"), "+.4f"),
      "joint",
    ),
    tables_lib.Table(
      f"The same weights measured again: {random_said} windows drawn again and again, in nats."
      f" The published measurements of one network gave {first:.3f} and {again:.3f} nats, where the"
      f" NLL of windows has a standard deviation of {BASE[0]['sd_of_windows']}.",
      [row for run, found in runs.items() for row in _again(run, found)],
      dict.fromkeys(("NLL, median and 95 % of measurements", "two differ by up to"), ".4f")
      | {"largest single change, median and 95 %": "+.4f", "seed": "d"},
      "again",
    ),
  ]


def _shown(row) -> dict:
  """Returns a reading as a row of the table, beside the published networks."""
  of = lambda met: "–" if met < 0 else f"{met} of {row['seeds']}"
  reported = READINGS.get(row["reading"], (None,) * len(NETWORKS))
  return {
    "letter": row["letter"],
    "reading": row["reading"],
    "unit": row["unit"] or "–",
    "trained": row["value"],
    "untrained": row["untrained"],
    "trained is": row["standing"] or "–",
    "source's rule": row["rule"] or "–",
    "seeds that keep it": of(row["met"]),
    "untrained ones": of(row["untrained_met"]),
  } | dict(zip(NETWORKS, reported, strict=True))


def _again(run: str, found: xr.Dataset):
  """Yields how far one measurement of the same weights is from the next."""
  for s, seed in enumerate(found.seed.values):
    nll_R = found.remeasured_nll.isel(seed=s).values
    single_R = found.remeasured_single.isel(seed=s).values
    yield {
      "run": run,
      "seed": int(seed),
      "NLL, median and 95 % of measurements": _middle(nll_R),
      "two differ by up to": 1.96 * 2**0.5 * float(nll_R.std()),
      "largest single change, median and 95 %": _middle(single_R),
    }


def _middle(draws_R) -> statistics.Interval:
  """Returns the median of draws and the ends of the middle 95 % of them."""
  low, middle, high = np.quantile(draws_R, (0.025, 0.5, 0.975)).tolist()
  return statistics.Interval(middle, low, high)


def line(runs) -> str:
  """Returns a sentence of what the slots of every run are worth."""
  said = []
  for run, found in runs.items():
    one, every = _row(found, "largest single removal"), _row(found, "all slots removed")
    said.append(
      f"{run} {one['value']:+.4f} without the slot that matters most (untrained networks"
      f" {one['untrained']:+.4f}), {every['value']:+.4f} without all of them"
    )
  return (
    f"Removing memory slots changes the NLL, in nats per spacing, by: {'; '.join(said)}. The source"
    f" calls a slot functional from {SINGLE} on."
  )


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
_DIAGNOSTICS = f"{program.REPOSITORY}, results/E4_s7/postfix_diagnostics"
_SLOTS = 8  # of the published networks


def _row(found, name: str):
  """Returns the record of one reading; its value is the number alone."""
  row = claims.row(tables_lib.rows(found, "readings"), reading=name)
  return {**row, "value": row["value"].estimate}


def _of(row, key: str = "met") -> str:
  return f"{row[key]} of {row['seeds']}"


@CLAIMS.add(
  "slots.functional",
  "E4 is a success: its memory slots are functional.",
  reported="largest single removal {:+.4f} nats, the same weights again {:+.4f}, E5 {:+.4f}".format(
    *READINGS[SINGLE_PUBLISHED]
  ),
  source=f"{program.REPOSITORY}, docs/E4_SPEC.md and project map",
)
def functional(results):
  """Returns the verdict of the source's own criterion on its own numbers; others are shown."""
  found = program.on_published(results).of("slots")
  reported = READINGS[SINGLE_PUBLISHED]
  numbers: dict[str, float] = {"reported": max(reported)}
  parts = []
  for name, result in found.items():
    own = _row(result, "largest single removal")
    together = _row(result, "all slots removed")
    content = _row(result, "contents zeroed")
    numbers |= {
      f"{name}: largest single removal": own["value"],
      f"{name}: untrained": own["untrained"],
      f"{name}: all slots removed": together["value"],
      f"{name}: contents zeroed": content["value"],
    }
    parts.append(
      f"{name}: {own['value']:+.4f} nats ({_of(own)} seeds reach it, "
      f"{_of(own, 'untrained_met')} untrained), all slots together "
      f"{together['value']:+.4f}, contents zeroed {content['value']:+.4f}"
    )
  said = ", ".join(f"{value:+.4f}" for value in reported)
  missed = max(reported) < SINGLE
  return claims.Verdict(
    status="not reproduced" if missed else "needs more compute",
    because=f"The study's own criterion asks for {SINGLE} nats on"
    f" two of three seeds; its files have {said}, and no ID-only or"
    " content-only test, which the criterion asks for too. " + "; ".join(parts) + ".",
    numbers=numbers,
  )


@CLAIMS.add(
  "slots.specialised",
  "The slots specialise: they are unlike each other and their gradients have full rank.",
  reported=f"cosine {READINGS[COSINES][0]:.2f}, gradient correlation {READINGS[GRADIENTS][0]:.2f},"
  f" effect entropy {READINGS[EFFECTS][0]:.2f},"
  f" r90 {_SLOTS * READINGS[RANK_PUBLISHED][0]:.0f} for {_SLOTS} slots,"
  f" standard deviation of the centres {READINGS[SD_OF_CENTRES][0]:.1f} positions",
  source=_DIAGNOSTICS,
)
def specialised(results):
  """Returns the verdict of the source's readings of difference, and what untrained ones have."""
  found = program.on_published(results).of("slots")
  reported = READINGS[SD_OF_CENTRES]
  numbers: dict[str, float] = {"reported sd of centres": max(reported)}
  parts = []
  for name, result in found.items():
    rules = [_row(result, reading) for reading in (COSINES, GRADIENTS, EFFECTS, RANK_PUBLISHED)]
    own = _row(result, SD_OF_CENTRES)
    mean = _row(result, "r90 of the mean gradient / M")
    kept = sum(row["untrained_met"] == row["seeds"] for row in rules)
    numbers |= {
      f"{name}: rules that all untrained networks keep": kept,
      f"{name}: sd of centres": own["value"],
      f"{name}: r90 of the mean gradient / M": mean["value"],
    }
    parts.append(
      f"{name}: untrained networks keep {kept} of the {len(rules)} rules on"
      " cosines, gradients and effects; the slots' centres of attention have a"
      f" standard deviation of {own['value']:.2f} positions"
      f" ({own['untrained']:.2f} untrained)"
    )
  missed = max(reported) < CENTRES
  said = ", ".join(f"{value:.2f}" for value in reported)
  return claims.Verdict(
    status="not reproduced" if missed else "needs more compute",
    because="By the study's own reading of specialisation the slots look at"
    f" the same place: centres with standard deviations of {said} positions of"
    " 256, where it asks for"
    f" {CENTRES} or more. Gradient rows were batches times"
    " slots, so that a rank of 19 for 8 slots is noise of the batches, and"
    " effects of equal size (entropy near its largest, ln 8) say that no slot"
    " stands out. " + "; ".join(parts) + ".",
    numbers=numbers,
  )


@CLAIMS.add(
  "slots.permuted",
  "Permuting the slot ids hardly changes the NLL: the network uses contents, not ids.",
  reported="increase by {:.4f} and {:.4f} of the NLL (E4), {:.4f} (E5)".format(
    *READINGS[ORDER_PUBLISHED]
  ),
  source=_DIAGNOSTICS,
)
def permuted(results):
  """Returns the verdict: invariance where ids are random in training, and only there."""
  found = {
    name: result
    for name, result in program.on_published(results).of("slots").items()
    if result.permuted
  }
  if not found:
    raise claims.Missing("slots of a run trained with permuted ids", analysis="slots")
  by_run = {name: _row(result, ORDER_PUBLISHED) for name, result in found.items()}
  numbers = {name: row["value"] for name, row in by_run.items()}
  low, high = min(E3_PERMUTED.values()), max(E3_PERMUTED.values())
  because = (
    "E4 drew another order of the ids in every training step, so that"
    " invariance is what it was trained for, and where evaluation permutes as"
    " well two random orders are compared. Of E3, trained with fixed ids, the"
    f" study's files have increases of {low:.2f} to {high:.2f} of the NLL."
    " Position embeddings and the triangular mask tell the slots apart in any"
    " order. "
    + "; ".join(
      f"{name}: {row['value']:+.3f} of the NLL, within the rule for {_of(row)} seeds"
      for name, row in by_run.items()
    )
    + "."
  )
  invariant = all(row["met"] == row["seeds"] for row in by_run.values())
  big = program.published_size(results, found)
  return claims.verdict(
    invariant,
    because,
    numbers,
    artefact=True,
    undecided="" if invariant else program.undecided(big),
  )


@CLAIMS.add(
  "slots.blocks",
  "The NLL is the same along the data: between blocks it varies by less than 0.1 to 0.3 of its"
  " mean.",
  reported="{:.3f}, the same weights again {:.3f}, E5 {:.3f}".format(*READINGS[BLOCKS_PUBLISHED]),
  source=f"{_DIAGNOSTICS}; asked for by its review",
)
def blocks(results):
  """Returns the verdict of the source's variation of blocks, and of what chance makes of none."""
  found = program.on_published(results).of("slots")
  numbers: dict[str, float] = {}
  said = []
  for name, quarters_4 in QUARTERS.items():
    mean_P, sd_P = np.array(quarters_4).T
    own = slots_lib.homogeneity(mean_P, sd_P / QUARTER_WINDOWS**0.5)
    variation = float(slots_lib.variation_as_published(mean_P))
    chance = own.noise / float(mean_P.mean())
    numbers |= {
      f"reported, {name}": variation,
      f"by chance alone, {name}": chance,
      f"p of equal blocks, {name}": own.p,
    }
    said.append(f"{variation:.3f} ({chance:.2f} by chance, p {own.p:.3f})")
  parts = []
  for name, result in found.items():
    row = _row(result, "sd of blocks beyond noise")
    numbers[f"{name}: sd beyond noise, nats"] = row["value"]
    parts.append(f"{name} {row['value']:.3f} ({row['untrained']:.3f} untrained)")
  kept = min(numbers[f"reported, {name}"] for name in NETWORKS)
  missed = kept > VARIATION
  return claims.Verdict(
    status="not reproduced" if missed else "needs more compute",
    because=f"The study measured {', '.join(said)}, above"
    f" {VARIATION} each time. Equal blocks would not be below it"
    " either: that is what the means of 100 windows scatter by chance, and"
    " where the mean NLL is near 0 the ratio has no bound. Standard deviation"
    f" of blocks beyond their noise, in nats: {'; '.join(parts)}.",
    numbers=numbers,
  )


@CLAIMS.add(
  "slots.names",
  f"The slots hold what they are called: {', '.join(NAMES)} and GOAL.",
  reported="names only",
  source=f"{program.REPOSITORY}, memory bank",
)
def names(results):
  """Returns the verdict: no loss and no input knows a slot's name."""
  found = program.on_published(results).of("slots")
  numbers = {
    f"{name}: agreement of slot effects over seeds": agreement(result)
    for name, result in found.items()
  }
  shown = "; ".join(f"{name} {value:+.2f}" for name, value in numbers.items())
  return claims.Verdict(
    status="not reproduced",
    because="The names are labels of rows. The bank's loss has the NLL and a"
    " diversity term, which is the same for the rows in any order; E4 compares"
    " the mean over slots with all eight statistics of the window, under ids in"
    " random order. Nothing in either ties a row to a name. Mean correlation"
    f" between seeds of the slots' effects, by position: {shown}.",
    numbers=numbers,
  )


def agreement(found: xr.Dataset) -> float:
  """Returns the mean correlation between seeds of the effects by slot."""
  effect_SxM = np.asarray(found.effect.values, np.float64)
  flat = effect_SxM.std(1).min() == 0
  if len(effect_SxM) < 2 or flat:
    return float("nan")
  return float(slots_lib.off_diagonal(np.corrcoef(effect_SxM)))
