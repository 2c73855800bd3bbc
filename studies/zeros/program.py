"""The zeros study's training program: series and spacing model meet here."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import autoregression
from primelens.lens import study
from primelens.models import auxiliary, fit, spacing
from primelens.studies.zeros import binned, guided
from primelens.tasks import windows


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
    return self.inputs[guided.COLUMNS]

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
    (model, "model", ("spacing", "binned", "guided")),
  ):
    if part.kind not in kinds:
      raise ValueError(
        f"{room}.kind={part.kind!r} is not one of {', '.join(kinds)}, which study='zeros' knows."
      )
  if task.window != model.window:
    raise ValueError(f"task.window={task.window} and model.window={model.window} must agree.")
  guided.check(experiment)


def bind(experiment):
  """Returns the forward pass of the analyses.

  They fix the slot ids, or name an order, wherever ids may permute.
  """
  if experiment.model.kind == "binned":
    return binned.bind(experiment.model)
  if experiment.model.kind == "guided":
    return guided.bind(experiment.model)
  mode = experiment.model.eval_slot_ids
  fixed = "fixed" if mode == "permute_per_batch" else mode
  return spacing.bind(dataclasses.replace(experiment.model, eval_slot_ids=fixed))


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
    residual_N = series.value_N[start : start + stretch].astype(np.float64) - 1
    filters.append(autoregression.fitted(residual_N, model.skip_order))
  kernel_JxQxQ = np.stack([f.coefficient_QxQ for f in filters])
  return {
    "kernel": jnp.asarray(kernel_JxQxQ, jnp.float32),
    "log_scale": jnp.asarray(0.5 * np.log(filters[-1].variance_Q), jnp.float32),
  }


def build(experiment, series: windows.Series):
  """Returns the fit's program, its data and its select batch."""
  model, settings = experiment.model, experiment.fit
  if model.kind == "binned":
    return binned.build(experiment, series)
  if model.kind == "guided":
    return guided.build(experiment, series)
  first, last = series.drawn
  rows = settings.batch_size + model.extra_rows
  data: dict[str, Any] = {"value_N": series.value_N}
  if model.skip_order:
    data["skip"] = skip_start(series, model)

  def init(data, key):
    params = spacing.init(model, key)
    return params | {"skip": data["skip"]} if model.skip_order else params

  def draw(data, key, step):
    return windows.draw(
      data["value_N"], key, rows, first=first, last=last, window=series.window, stride=series.stride
    )

  program = fit.Program(
    init=init,
    draw=draw,
    loss=lambda *args: auxiliary.loss(model, *args),
    evaluate=evaluation(model),
  )
  starts_N = windows.starts(
    series, "select", settings.evaluate_windows, min_context=scored_context(model, 1)
  )
  select = windows.take(series.value_N, starts_N, series.window)
  return program, data, {"window_NxT1": select}


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


def scored_context(model: spacing.Config, min_context: int) -> int:
  """Returns how many spacings stand behind the first scored position."""
  return model.window if model.memory == "postfix" else min_context


def evaluation(model: spacing.Config):
  """Returns `evaluate(params, select, key) -> nll`, in chunks of 64 windows.

  Where evaluation permutes the slot ids (the published runs' noisy way), the
  key draws one permutation for the whole pass.
  """
  apply_fn = spacing.bind(model)

  def evaluate(params, select, key):
    options = {}
    if model.memory != "none" and model.eval_slot_ids == "permute_per_batch":
      options["slot_order_M"] = jax.random.permutation(key, model.slots)
    one = lambda row: spacing.score(apply_fn, params, row[None], **options)
    return jnp.mean(jax.lax.map(one, select["window_NxT1"], batch_size=64))

  return evaluate
