"""The zeros study's training program: series and spacing model meet here."""

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import autoregression
from primelens.models import auxiliary
from primelens.models import fit
from primelens.models import spacing
from primelens.tasks import windows


def skip_start(
  series: windows.Series, model: spacing.Config
) -> dict[str, jax.Array]:
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
    covariance = autoregression.autocovariance(residual_N, model.skip_order)
    filters.append(autoregression.yule_walker(covariance))
  kernel_JxQxQ = np.stack([f.coefficient_QxQ for f in filters])
  return {
    "kernel": jnp.asarray(kernel_JxQxQ, jnp.float32),
    "log_scale": jnp.asarray(0.5 * np.log(filters[-1].variance_Q), jnp.float32),
  }


def build(experiment, series: windows.Series):
  """Returns the fit's program, its data and its select batch."""
  model, settings = experiment.model, experiment.fit
  first, last = series.drawn
  rows = settings.batch_size + model.extra_rows
  skip = None
  if model.skip_order:
    skip = skip_start(series, model)

  def init(key):
    params = spacing.init(model, key)
    return params | {"skip": skip} if skip else params

  def draw(data, key):
    return windows.draw(
      data["value_N"],
      key,
      rows,
      first=first,
      last=last,
      window=series.window,
      stride=series.stride,
    )

  program = fit.Program(
    init=init,
    draw=draw,
    loss=lambda *args: auxiliary.loss(model, *args),
    evaluate=evaluation(model),
  )
  starts_N = windows.starts(
    series,
    "select",
    settings.evaluate_windows,
    min_context=scored_context(model, 1),
  )
  select = windows.take(series.value_N, starts_N, series.window)
  return program, {"value_N": series.value_N}, select


def data_name(task, series: windows.Series) -> str:
  """Returns what a run is trained and scored on, and how it is split.

  "2,001,051 spacings of zeros, published_tail".
  """
  source = task.kind if task.kind == "zeros" else task.ensemble
  return f"{len(series.value_N):,} spacings of {source}, {task.split}"


def scored_context(model: spacing.Config, min_context: int) -> int:
  """Returns how many spacings stand behind the first scored position."""
  return model.window if model.memory == "postfix" else min_context


def evaluation(model: spacing.Config):
  """Returns `evaluate(params, windows, key) -> nll`, in chunks of 64 windows.

  Where evaluation permutes the slot ids (the published runs' noisy way), the
  key draws one permutation for the whole pass.
  """
  apply_fn = spacing.bind(model)

  def evaluate(params, window_NxT1, key):
    options = {}
    if model.memory != "none" and model.eval_slot_ids == "permute_per_batch":
      options["slot_order_M"] = jax.random.permutation(key, model.slots)
    one = lambda row: spacing.score(apply_fn, params, row[None], **options)
    return jnp.mean(jax.lax.map(one, window_NxT1, batch_size=64))

  return evaluate
