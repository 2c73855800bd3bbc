"""Guided predictors in the zeros study: their program."""

import jax
import jax.numpy as jnp
from primelens.models import fit, guided
from primelens.studies.zeros import guides
from primelens.tasks import windows

COLUMNS = "column_NxJ1"  # of the data: spacings beside their guides
_OF_HEIGHTS = ("waves", "height")


bind = guided.bind


def check(experiment) -> None:
  """Raises `ValueError` for a guide made of heights that the task lacks."""
  if experiment.model.kind != "guided" or experiment.task.kind == "zeros":
    return
  for name in experiment.model.guides:
    if guided.parsed(name)[0] in _OF_HEIGHTS:
      raise ValueError(
        f"model.guides: {name!r} needs heights, which task.kind="
        f"{experiment.task.kind!r} has not; adaptive and ar:ORDER do not."
      )


def loss(model: guided.Config, params, window_BxT1xJ1, key, step):
  """Returns the mean NLL of all positions, in nats."""
  del step
  apply_fn = guided.bind(model)
  nll = guided.score(apply_fn, params, window_BxT1xJ1, dropout_key=key).mean()
  return nll, {"nll_nats": nll}


def _evaluation(model: guided.Config):
  """Returns `evaluate(params, select, key) -> nll`, 64 windows at a time."""
  apply_fn = guided.bind(model)

  def evaluate(params, select, key):
    del key
    one = lambda row: guided.score(apply_fn, params, row[None])
    window_NxT1xJ1 = select["window_NxT1xJ1"]
    return jnp.mean(jax.lax.map(one, window_NxT1xJ1, batch_size=64))

  return evaluate


def build(experiment, series: windows.Series):
  """Returns the fit's program, its data and its select batch."""
  model, settings = experiment.model, experiment.fit
  first, last = guides.drawn(series, model.guides)
  column_NxJ1, log_scale_J = guides.columns(series, model.guides)

  def init(data, key):
    scales = {"log_scale": data["log_scale_J"]}
    return guided.init(model, key) | {"guides": scales}

  def draw(data, key, step):
    one = lambda column_N: windows.draw(
      column_N,
      key,  # the same windows of every column
      settings.batch_size,
      first=first,
      last=last,
      window=series.window,
      stride=series.stride,
    )
    return jax.vmap(one, in_axes=1, out_axes=2)(data[COLUMNS])

  program = fit.Program(
    init=init, draw=draw, loss=lambda *args: loss(model, *args), evaluate=_evaluation(model)
  )
  data = {COLUMNS: column_NxJ1, "log_scale_J": log_scale_J}
  starts_N = windows.starts(series, "select", settings.evaluate_windows)
  select = windows.take(column_NxJ1, starts_N, series.window)
  return program, data, {"window_NxT1xJ1": select}
