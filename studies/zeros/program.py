"""The zeros study's training program: series and spacing model meet here.

Shared by its slices: a run and its card, the published study, and which runs decide a claim.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import anchors, masking
from primelens.lens import claims, study
from primelens.lens.study import Cost
from primelens.models import auxiliary, binned, fit, guided, spacing, transformer
from primelens.models import optimizer as optimizer_lib
from primelens.studies.zeros import guides
from primelens.tasks import binned as binned_task
from primelens.tasks import checks, windows

# The published study; its numbers are quoted as reported, in nats per spacing. Where it gave a
# percentage of an NLL, the change is given in nats instead: an NLL has no natural zero, so that a
# percentage of it says nothing.
REPOSITORY = "nanoGPT-RH"
DATA = "2,001,051 spacings of zeros, published_tail"  # what its networks were trained and scored on
PUBLISHED_SIZE = 4_700_000  # parameters, at least, of a network that decides a claim about them
SEEDS = 5


# What makes, binds and scores each kind of model.
MODELS: dict[str, Any] = {"spacing": spacing, "binned": binned, "guided": guided}


@dataclasses.dataclass(kw_only=True)
class Evaluation:
  """Where models and anchors are scored."""

  windows: checks.Amount = 0  # windows of the test split; 0: all of them
  select_windows: checks.Count = 512  # windows of the select split, for every choice
  min_context: checks.Number = 128  # spacings behind a scored position, at least
  batch: checks.Count = 16  # windows in one forward pass
  permutations: checks.Number = 50  # seeded slot orders, where slots have ids
  permutation_windows: checks.Count = 512

  def __post_init__(self):
    checks.fields(self)


@dataclasses.dataclass(kw_only=True)
class Bootstrap:
  """Intervals."""

  block: checks.Count = 1000  # spacings
  samples: Annotated[int, checks.Range(20, 10_000_000)] = 1000
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


@dataclasses.dataclass(kw_only=True)
class Symbolic:
  """Symbolic regression of the predictions."""

  backend: Literal["pyoperon", "pysr"] = "pyoperon"
  lags: Annotated[int, checks.Range(5, 8)] = 5  # published formulas read 5, closed forms 8
  samples: checks.Count = 4000
  seconds: Annotated[int, checks.Range(0, 10_000_000)] = (
    0  # for one search; 0: the backend's own (pysr: 900)
  )
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


@dataclasses.dataclass(kw_only=True)
class Settings:
  """What every analysis reads; each slice adds its own."""

  parameters: Literal["best", "last"] = "best"
  evaluation: Evaluation = dataclasses.field(default_factory=Evaluation)
  bootstrap: Bootstrap = dataclasses.field(default_factory=Bootstrap)
  symbolic: Symbolic = dataclasses.field(default_factory=Symbolic)

  def __post_init__(self):
    checks.fields(self)


# Analysis settings of earlier revisions that have another name now.
renamed = {"calibration.golden": "selection.windows"}


class Run(study.Run):
  """A run on a sequence of spacings."""

  @property
  def series(self) -> windows.Series:
    """The sequence, its splits and how windows are cut."""
    return self.data

  @property
  def columns(self):
    """The spacings N, or Nx(1 + J) beside the guides of a guided model."""
    if self.experiment.model.kind != "guided":
      return self.series.value_N
    if self.inputs is None:
      raise ValueError(f"{self.workdir} came without its training program.")
    return self.inputs[COLUMNS]

  def batches(self, split: str, count: int = 0, seed=None, *, min_context: int = 0):
    """Returns windows NxT+1 of a split and their start indices, by height.

    Those of a guided model are NxT+1x(1 + J), the spacings in front.
    Windows score disjoint targets: those with `min_context` spacings behind
    them (0: the evaluation setting). `count` 0 takes all; a seed draws them
    at random without replacement.
    """
    context = min_context or self.settings.evaluation.min_context
    start_N = windows.starts(
      self.series,
      split,
      count or None,
      min_context=scored_context(self.experiment.model, context),
      seed=seed,
    )
    window_NxT1 = windows.take(self.columns, start_N, self.series.window)
    return window_NxT1, start_N


def check(experiment) -> None:
  """Raises `ValueError` where task and model disagree on the window."""
  task, model = experiment.task, experiment.model
  for part, room, kinds in (
    (task, "task", ("zeros", "surrogate", "binned")),
    (model, "model", tuple(MODELS)),
  ):
    if part.kind not in kinds:
      raise ValueError(
        f"{room}.kind={part.kind!r} is not one of {', '.join(kinds)}, which study='zeros' knows."
      )
  if task.window != model.window:
    raise ValueError(f"task.window={task.window} and model.window={model.window} must agree.")
  _check_guides(experiment)


def bind(experiment):
  """Returns the forward pass of the analyses.

  They fix the slot ids, or name an order, wherever ids may permute.
  """
  model = experiment.model
  if model.kind == "spacing" and model.eval_slot_ids == "permute_per_batch":
    model = dataclasses.replace(model, eval_slot_ids="fixed")
  return MODELS[model.kind].bind(model)


def skip_start(series: windows.Series, model: spacing.Config) -> dict[str, jax.Array]:
  """Returns the autoregressive skip fitted on the train split by Yule-Walker.

  Row q - 1 of a filter is the order-q filter of s - 1, so a position with q
  spacings behind it starts at a linear predictor that stays in the window.
  Filter j is fitted on the j-th of J neighbouring stretches: the prime
  frequencies drift with height, and a filter fitted over all heights is
  blurred. The stretches end `skip_lead` before the end of train, so that
  training meets what testing will: heights above every filter's.
  """
  first, last = series.bounds("train")
  last -= model.skip_lead
  stretch = model.skip_stretch or (last - first) // model.skip_filters
  begin = last - stretch * model.skip_filters
  if begin < first or not stretch:
    raise ValueError(
      f"{model.skip_filters} filters of {stretch} spacings do not fit the "
      f"{last - first} of the train split."
    )
  filters = []
  for start in range(begin, last, stretch):
    part = (start, start + stretch)
    filters.append(
      anchors.filters(series.value_N, part, model.skip_order, method=anchors.YULE_WALKER)
    )
  kernel_JxQxQ = np.stack([f.coefficient_QxQ for f in filters])
  return {
    "kernel": jnp.asarray(kernel_JxQxQ, jnp.float32),
    "log_scale": jnp.asarray(0.5 * np.log(filters[-1].variance_Q), jnp.float32),
  }


def prepared(experiment, series: windows.Series) -> study.Prepared | None:
  """Returns how the guides of a sequence are made: one of the waves takes minutes."""
  names = guides.of_model(experiment.model)
  if not names:
    return None

  def may_be(arrays) -> bool:
    there = set(arrays) == {COLUMNS, LOG_SCALES}
    return there and guides.may_be(series, names, arrays[COLUMNS], arrays[LOG_SCALES])

  return study.Prepared(functools.partial(_columns, series, names), may_be)


def _columns(series: windows.Series, names: tuple[str, ...]) -> dict[str, np.ndarray]:
  return dict(zip((COLUMNS, LOG_SCALES), guides.columns(series, names), strict=True))


def build(experiment, series: windows.Series, made: Mapping[str, np.ndarray] | None = None):
  """Returns the fit's program, its data and its select batch.

  A batch has windows BxT+1 of the spacings, x(1 + J) beside the guides of a guided model: those
  `made` before, as `prepared` says, or else made here.
  """
  model, settings = experiment.model, experiment.fit
  its, values, rows = MODELS[model.kind], "value_N", settings.batch_size
  first, last = series.drawn
  data: dict[str, Any] = {}
  told: Any = lambda data: {}  # the parameters that the train split gives
  loss = functools.partial(_loss, model)
  if model.kind == "guided":
    values = COLUMNS
    first, last = guides.drawn(series, model.guides)
    data = dict(made or _columns(series, model.guides))
    told = lambda data: {"guides": {"log_scale": data[LOG_SCALES]}}
  else:
    data["value_N"] = series.value_N
  if model.kind == "spacing":
    rows += model.extra_rows
    loss = functools.partial(auxiliary.loss, model)
    if model.skip_order:
      data["skip"] = skip_start(series, model)
      told = lambda data: {"skip": data["skip"]}

  def draw(data, key, step):
    return windows.draw(
      data[values], key, rows, first=first, last=last, window=series.window, stride=series.stride
    )

  program = fit.Program(
    init=lambda data, key: its.init(model, key) | told(data),
    draw=draw,
    loss=loss,
    evaluate=evaluation(model),
  )
  start_N = windows.starts(
    series, "select", settings.evaluate_windows, min_context=scored_context(model, 1)
  )
  return program, data, {"window_NxT1": windows.take(data[values], start_N, series.window)}


def _loss(model: binned.Config | guided.Config, params, window_BxT1, key, step):
  """Returns the mean NLL of all positions, as a density in nats."""
  del step
  its: Any = MODELS[model.kind]
  nll = its.score(its.bind(model), params, window_BxT1, dropout_key=key).mean()
  return nll, {"nll_nats": nll}


def evaluation(model):
  """Returns `evaluate(params, select, key) -> nll`, in chunks of 64 windows.

  Where evaluation permutes the slot ids (the published runs' noisy way), the
  key draws one permutation for the whole pass.
  """
  its, has_slots = MODELS[model.kind], model.kind == "spacing" and model.memory != "none"
  apply_fn = its.bind(model)

  def evaluate(params, select, key):
    options = {}
    if has_slots and model.eval_slot_ids == "permute_per_batch":
      options["slot_order_M"] = jax.random.permutation(key, model.slots)
    one = lambda row: its.score(apply_fn, params, row[None], **options)
    return jnp.mean(jax.lax.map(one, select["window_NxT1"], batch_size=64))

  return evaluate


def data_name(task, series: windows.Series) -> str:
  """Returns what a run is trained and scored on, and how it is split.

  "2,001,051 spacings of zeros, published_tail".
  """
  source = task.kind if task.kind == "zeros" else task.ensemble
  return f"{len(series.value_N):,} spacings of {source}, {task.split}"


def memory_name(model) -> str:
  """Returns the kind of memory, of a bank of slots with its mask."""
  bank = model.kind == "spacing" and model.memory == "bank"
  return f"bank_{model.trunk.mask}" if bank else model.memory


def card(experiment) -> dict[str, Any]:
  """Returns what the study says of a run: its kind of memory, and whether it is `told`.

  Told is a network whose mask lets its targets in.
  """
  memory = memory_name(experiment.model)
  return {"memory": memory, "told": memory.endswith("leaky_as_published")}


# --- which runs decide a claim --------------------------------------------------------------------


def on_published(results: claims.Results, *, told: bool = False) -> claims.Results:
  """Returns the results of runs on the published data: others decide no claim about the zeros.

  Networks that read their targets, by their mask or as `anchors` has measured it, are among them
  only where a claim is about them (`told`).
  """
  chosen = results.where(f"on {DATA}", data=DATA)
  if told:
    return chosen
  cards = results.cards
  return chosen.without([run for run in chosen if caution(cards[run], chosen[run])])


def caution(card: Mapping[str, Any], table: Mapping[str, Any]) -> str:
  """Returns why a run's network predicts nothing, or "": by its card, or as `anchors` measured."""
  measured = table["anchors"].attrs if "anchors" in table else {}
  return reads_target(measured) or reads_target(card)


def reads_target(words: Mapping[str, Any]) -> str:
  """Returns why a loss is no loss of predictions, "" where it is one.

  `words` are those of a card, or the attributes of the result of `anchors`.
  """
  spacings, nats = words.get("ahead_spacings", 0.0), words.get("ahead_nats", 0.0)
  if max(spacings, nats):
    return (
      "it reads its target: inputs from the target on, replaced, move a scored prediction by up to"
      f" {spacings:.2g} mean spacings and {nats:.2g} nats"
    )
  if words.get("told"):
    return "its mask lets the future in: only the last position of a window is free of it"
  return ""


def published_size(results: claims.Results, runs: Iterable[str]) -> list[str]:
  """Returns those runs whose networks are of the published size, with enough seeds to decide."""
  cards = results.cards
  return [run for run in runs if cards[run]["size"] >= PUBLISHED_SIZE and enough(results, run)]


def enough(results: claims.Results, run: str) -> bool:
  """Returns whether a run has enough seeds to decide a claim about its networks."""
  return results.cards[run]["seeds"] >= SEEDS


def undecided(big: Iterable[str]) -> str:
  """Returns why only smaller networks cannot decide, "" where one of published size is there."""
  if list(big):
    return ""
  return f"No run of the published size with {SEEDS} seeds is at hand. What the small models say:"


def of_data(runs: Mapping[str, Any]) -> dict[str, Any]:
  """Returns results that are of the data alone, equal ones once: `{"e0 (and 2 more)": Dataset}`."""
  groups: list[list[str]] = []
  for run, found in runs.items():
    same = next((group for group in groups if runs[group[0]].identical(found)), None)
    if same is None:
      groups.append([run])
    else:
      same.append(run)
  more = lambda group: f" (and {len(group) - 1} more)" if len(group) > 1 else ""
  return {f"{group[0]}{more(group)}": runs[group[0]] for group in groups}


def scored_context(model: spacing.Config, min_context: int) -> int:
  """Returns how many spacings stand behind the first scored position."""
  return model.window if model.memory == "postfix" else min_context


# --- networks on binned spacings ------------------------------------------------------------------


_OBSTACLES = {
  "binned": "its model gives 256 bins and no mixtures (model.kind='binned').",
  "guided": "its model reads guides beside spacings (model.kind='guided').",
}


def no_mixtures(experiment) -> str:
  """Returns why a run of a binned or guided model is not read by an analysis of
  mixtures that spacings alone lead to, or ""."""
  return _OBSTACLES.get(experiment.model.kind, "")


def no_tokens(experiment) -> str:
  """Returns why a run of another model is not read by an analysis of binned
  ones, or ""."""
  if experiment.model.kind == "binned":
    return ""
  return "its model has no tokens: train a configs/zeros_binned.py."


BINNED_SIZE = 800_000  # parameters, at least, of a binned network that decides a claim
SMALL_BINNED = (  # why others cannot
  "No network of the published size with enough seeds is at hand. What the small ones say:"
)


def of_binned(results: claims.Results, variant: str) -> claims.Results:
  """Returns the results on the published data of binned networks of one kind of memory.

  The leaky one too: the claims are about it.
  """
  return on_published(results, told=True).where(memory=f"binned {variant}")


def large_binned(results: claims.Results, runs: Iterable[str]) -> bool:
  """Returns whether one of the runs is of the published size, with enough seeds to decide."""
  cards = results.cards
  return any(cards[run]["size"] >= BINNED_SIZE and enough(results, run) for run in runs)


def no_heights(experiment) -> str:
  """Returns why a run's sequence has no heights, or ""."""
  kind = experiment.task.kind
  return "" if kind == "zeros" else f"task.kind={kind!r} has no heights"


# --- networks that are told guides ----------------------------------------------------------------


COLUMNS = "column_NxJ1"  # of the data: spacings beside their guides
LOG_SCALES = "log_scale_J"  # and the logarithms of the guesses' errors
_OF_HEIGHTS = ("waves", "height")


def _check_guides(experiment) -> None:
  """Raises `ValueError` for a guide made of heights that the task lacks."""
  if experiment.model.kind != "guided" or experiment.task.kind == "zeros":
    return
  for name in experiment.model.guides:
    if guided.parsed(name)[0] in _OF_HEIGHTS:
      raise ValueError(
        f"model.guides: {name!r} needs heights, which task.kind="
        f"{experiment.task.kind!r} has not; adaptive and ar:ORDER do not."
      )


# --- what a training step takes -------------------------------------------------------------------


def cost(experiment) -> Cost:
  """Returns the cost of one step of one seed, as an estimate."""
  model, batch_size = experiment.model, experiment.fit.batch_size
  count = parameters(model)
  return Cost(
    parameters=count,
    targets=batch_size * (1 if model.memory == "postfix" else model.window),
    flop=flop(model, batch_size),
    memory_bytes=20.0 * count + kept(model, batch_size // experiment.fit.accumulation),
  )


def parameters(model: spacing.Config | binned.Config | guided.Config) -> int:
  """Returns the number of parameters of one seed, without allocating them."""
  start = lambda key: MODELS[model.kind].init(model, key)
  shapes = jax.eval_shape(start, jax.random.key(0))
  return transformer.parameter_count(shapes)


def _lengths(model) -> tuple[int, int]:
  """Returns the positions of a window, slots among them, and how many of them attend together."""
  if model.kind == "binned":
    return model.window, model.length
  length = model.window + (model.slots if model.memory != "none" else 0)
  return length, length


def flop(model, batch_size: int) -> float:
  """Returns the FLOP of one training step of one seed, forward and backward.

  3 (forward, and twice for the backward pass) x 2 B L_seq (block weights +
  attention products); causal attention counted without its masked half.
  """
  trunk, (length, together) = model.trunk, _lengths(model)
  weights = trunk.layers * (4 * trunk.width**2 + 2 * trunk.width * trunk.hidden)
  keys = together / 2 if trunk.mask == "causal" else together
  attention = trunk.layers * 2 * trunk.width * keys
  read = 1 if model.memory == "postfix" else model.window
  outputs = binned_task.BINS if model.kind == "binned" else 3 * model.components
  head = outputs * trunk.width * read / length
  return 6.0 * batch_size * length * (weights + attention + head)


def kept(model, rows: int) -> float:
  """Returns the bytes that a backward pass over so many rows keeps, as an estimate.

  Per layer and token the activations, attention patterns included; of bins their logits, too.
  (Params, best params, two moments and the gradient are 20 bytes for each parameter beside it.)
  """
  trunk, (length, together) = model.trunk, _lengths(model)
  size = 2 if trunk.dtype == "bfloat16" else 4
  patterns = trunk.heads * together if trunk.dropout else 0
  values = trunk.layers * (10 * trunk.width + 2 * trunk.hidden + patterns)
  logits = 2 * binned_task.BINS if model.kind == "binned" else 0
  return float(size * rows * length * (values + logits))


# --- training again inside an analysis: one member from a start, under a mask ---------------------


@dataclasses.dataclass(kw_only=True)
class Retraining:
  """Settings of a slice that trains again: how long, on what, how fast, and on how much scored."""

  steps: Annotated[int, checks.Range(1, 1_000_000_000)] = 100
  batch_size: Annotated[int, checks.Range(0, 10_000_000)] = 0  # windows of a step; 0: the run's own
  rate: checks.Rate = 0.0  # peak of the run's own schedule; 0: its own peak
  windows: checks.Count = 256
  arms_at_once: checks.Number = 1  # of all seeds, in memory
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


def retraining_optimizer(run, settings, *, slow: bool = True):
  """Returns the run's own optimizer for `settings.steps` steps.

  Its peak rate is `settings.rate`, or the run's own where that is 0; it warms
  up for at most a tenth of the steps. Without `slow` all parameters learn at
  one rate: other networks have no such group.
  """
  own = run.experiment.fit.optimizer
  config = dataclasses.replace(
    own,
    rate=settings.rate or own.rate,
    warmup=min(own.warmup, settings.steps // 10),
    slow_pattern=own.slow_pattern if slow else "",
  )
  return optimizer_lib.build(config, settings.steps)


def retraining(run, settings, model=None):
  """Returns the training program of the run's model, or of another, and its
  data, drawn in batches of `settings.batch_size` windows (0: the run's own)."""
  own = run.experiment
  size = settings.batch_size or own.fit.batch_size
  experiment = dataclasses.replace(
    own,
    model=model or own.model,
    fit=dataclasses.replace(own.fit, batch_size=size, evaluate_windows=1),
  )
  made, data, _ = build(experiment, run.series)
  return made, jax.tree.map(jnp.asarray, data)


def retrain(program: fit.Program, optimizer, start: Any, keep: Any, data, key, steps: int):
  """Returns the params after `steps` steps and the step of the first loss that
  was not finite, -1 for none.

  What `keep` removes is 0 from the start and has no gradient, so that it is
  exactly 0 at the end. The last parameters are returned, not the best; after a
  loss that was not finite they are NaN, so that no mean takes them in.
  """

  def loss(params, batch, key, number):
    kept = masking.both(params, keep)
    return program.loss(kept, batch, key, number)

  first = masking.both(start, keep)
  its = program._replace(loss=loss, init=lambda data, key: first)
  state_1 = fit.init(its, optimizer, data, key[None])
  state = jax.tree.map(lambda leaf: leaf[0], state_1)
  body = lambda number, state: fit.step(its, optimizer, state, data, key, number)[0]
  state = jax.lax.fori_loop(0, steps, body, state)
  finite = state.frozen_step < 0
  params = jax.tree.map(lambda leaf: jnp.where(finite, leaf, jnp.nan), state.params)
  return params, state.frozen_step


def retraining_keys(run, seed: int) -> jax.Array:
  """Returns a key per member, by its own seed and the analysis's."""
  base = jax.random.key(seed)
  return jax.vmap(lambda s: jax.random.fold_in(base, s))(jnp.asarray(run.seed_S))
