"""Binned predictors in the zeros study: their program, their cost."""

import jax
import jax.numpy as jnp
from primelens.lens.study import Cost
from primelens.models import binned, fit, transformer
from primelens.tasks import windows

_OBSTACLES = {
  "binned": "its model gives 256 bins and no mixtures (model.kind='binned').",
  "guided": "its model reads guides beside spacings (model.kind='guided').",
}


def obstacle(experiment) -> str:
  """Returns why a run of a binned or guided model is not read by an analysis of
  mixtures that spacings alone lead to, or ""."""
  return _OBSTACLES.get(experiment.model.kind, "")


def others(experiment) -> str:
  """Returns why a run of another model is not read by an analysis of binned
  ones, or ""."""
  if experiment.model.kind == "binned":
    return ""
  return "its model has no tokens: train a configs/zeros_binned.py."


bind = binned.bind


def loss(model: binned.Config, params, window_BxT1, key, step):
  """Returns the cross-entropy of all positions, as a density in nats."""
  del step
  apply_fn = binned.bind(model)
  nll = binned.score(apply_fn, params, window_BxT1, dropout_key=key).mean()
  return nll, {"nll_nats": nll}


def _evaluation(model: binned.Config):
  """Returns `evaluate(params, select, key) -> nll`, 64 windows at a time."""
  apply_fn = binned.bind(model)

  def evaluate(params, select, key):
    del key
    one = lambda row: binned.score(apply_fn, params, row[None])
    return jnp.mean(jax.lax.map(one, select["window_NxT1"], batch_size=64))

  return evaluate


def build(experiment, series: windows.Series):
  """Returns the fit's program, its data and its select batch."""
  model, settings = experiment.model, experiment.fit
  first, last = series.drawn

  def draw(data, key, step):
    return windows.draw(
      data["value_N"],
      key,
      settings.batch_size,
      first=first,
      last=last,
      window=series.window,
      stride=series.stride,
    )

  program = fit.Program(
    init=lambda data, key: binned.init(model, key),
    draw=draw,
    loss=lambda *args: loss(model, *args),
    evaluate=_evaluation(model),
  )
  starts_N = windows.starts(series, "select", settings.evaluate_windows)
  select = windows.take(series.value_N, starts_N, series.window)
  return program, {"value_N": series.value_N}, {"window_NxT1": select}


def cost(experiment) -> Cost:
  """Returns the cost of one step of one seed, as an estimate.

  FLOP: forward, and twice for the backward pass, of the matrices and of the
  logits; bytes: params, best params, moments and gradient, and what the
  backward pass keeps of every token.
  """
  model, batch = experiment.model, experiment.fit.batch_size
  trunk, tokens = model.trunk, batch * model.window
  start = lambda key: binned.init(model, key)
  shapes = jax.eval_shape(start, jax.random.key(0))
  count = transformer.parameter_count(shapes)
  weights = trunk.layers * 2 * trunk.width * (2 * trunk.width + trunk.hidden)
  attention = trunk.layers * trunk.width * model.length
  logits = 256 * trunk.width
  patterns = trunk.heads * model.length if trunk.dropout else 0
  kept = trunk.layers * (10 * trunk.width + 2 * trunk.hidden + patterns)
  size = 2 if trunk.dtype == "bfloat16" else 4
  return Cost(
    parameters=count,
    targets=tokens,
    flop=6.0 * tokens * (weights + attention + logits),
    memory_bytes=20.0 * count + size * (tokens // experiment.fit.accumulation) * (kept + 2 * 256),
  )
