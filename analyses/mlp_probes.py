"""Probes with hidden layers: many networks' states in one program.

`depth` times (linear, relu), then linear; AdamW (optax's); the parameters of the epoch
with the lowest loss on the select rows, whichever rows these are. Source:
docs/sources/text.md, section 4.5.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from primelens.analyses import linear as linear_lib
from primelens.analyses import precision

TOGETHER = 5  # networks at a time: more are no faster on a few cores


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
  """A probe's size and training; `classes` is 0 for a regression."""

  width: int = 128
  depth: int = 1
  epochs: int = 200
  patience: int = 20  # epochs without a better one before it stops
  batch: int = 128
  rate: float = 1e-3
  decay: float = 1e-4
  classes: int = 0


class Probe(NamedTuple):
  """Layers of `kernel` and `bias`, and the units of input and target."""

  layers: Any
  x: linear_lib.Scaler
  y: linear_lib.Scaler | None


class Fit(NamedTuple):
  """Probes stacked over S, the select loss and epoch (1, 2, ...) chosen."""

  probe_S: Probe
  loss_S: jax.Array
  epoch_S: jax.Array


class _Rows(NamedTuple):
  """Standardised inputs and targets of the rows fitted and selected by."""

  x_NxD: jax.Array
  y_N: jax.Array
  select_x_NxD: jax.Array
  select_y_N: jax.Array


class _State(NamedTuple):
  layers: Any
  moments: Any  # the optimizer's state
  best: Any
  loss: jax.Array
  epoch: jax.Array
  passed: jax.Array  # epochs so far, of which `epoch` had the lowest loss


def size(name: str) -> dict[str, int]:
  """Returns width and depth of a name such as "128x2"."""
  width, _, depth = name.partition("x")
  return {"width": int(width), "depth": int(depth)}


@functools.partial(jax.jit, static_argnums=0)
def fit(config: Config, x_SxNxD, y_SxN, fit_N, select_N, keys_S) -> Fit:
  """Returns one probe per network, fitted to the rows `fit_N`.

  Inputs and targets are in deviations of those rows. Other rows than `fit_N`
  and `select_N` are never looked at. Columns that do not vary count for
  nothing, so that fewer features may be filled up with zeros. A probe stops
  after `patience` epochs without a better select loss; probes are trained
  TOGETHER, and a group ends with its last.
  """

  def one(network):
    x_NxD, y_N, key = network
    x_NxD = precision.wide(x_NxD)
    x = linear_lib.scaler(x_NxD[fit_N])
    y = None if config.classes else linear_lib.scaler(y_N[fit_N][:, None])
    scaled_N = y(y_N[:, None])[:, 0] if y else y_N
    z_NxD = x(x_NxD)
    rows = _Rows(z_NxD[fit_N], scaled_N[fit_N], z_NxD[select_N], scaled_N[select_N])
    varies_D = jnp.any(rows.x_NxD != rows.x_NxD[:1], axis=0)
    layers = _init(config, key, varies_D)
    state = jax.lax.while_loop(
      lambda state: (state.passed < config.epochs) & (state.passed - state.epoch < config.patience),
      lambda state: _epoch(config, state, rows, key),
      _begin(config, layers),
    )
    return Fit(Probe(state.best, x, y), state.loss, state.epoch)

  return _in_groups(one, (x_SxNxD, y_SxN, keys_S))


def _in_groups(one, networks):
  """Returns `one` of every network: vmapped over TOGETHER, groups in turn."""
  count = len(jax.tree.leaves(networks)[0])
  groups = -(-count // TOGETHER)
  width = -(-count // groups)
  at_S = jnp.arange(groups * width) % count  # the last group is filled up
  split = lambda x: x[at_S].reshape(groups, width, *x.shape[1:])
  joined = lambda x: x.reshape(groups * width, *x.shape[2:])[:count]
  found = jax.lax.map(jax.vmap(one), jax.tree.map(split, networks))
  return jax.tree.map(joined, found)


@jax.jit
def predict(probe_S: Probe, x_SxNxD) -> jax.Array:
  """Returns every probe's numbers SxN in the targets' own unit, or its most
  likely classes SxN."""

  def one(probe, x_NxD):
    out_NxF = outputs(probe.layers, probe.x(x_NxD))
    if probe.y is None:
      return jnp.argmax(out_NxF, axis=-1)
    return out_NxF[:, 0] * probe.y.deviation_D + probe.y.mean_D

  return jax.vmap(one)(probe_S, x_SxNxD)


def outputs(layers, z_NxD) -> jax.Array:
  """Returns what the layers make of standardised inputs, NxF."""
  for layer in layers[:-1]:
    z_NxD = jax.nn.relu(z_NxD @ layer["kernel"] + layer["bias"][None])
  return z_NxD @ layers[-1]["kernel"] + layers[-1]["bias"][None]


def _init(config: Config, key, varies_D):
  """Returns layers ~ U(+-1 / sqrt fan-in), as PyTorch starts them."""
  sizes = (len(varies_D), *[config.width] * config.depth, config.classes or 1)
  shapes = list(zip(sizes[:-1], sizes[1:], strict=True))
  # One draw for all of them, which compiles much faster than one for each.
  total = sum((d + 1) * f for d, f in shapes)
  drawn = jax.random.uniform(key, (total,), minval=-1, maxval=1)
  layers: list[dict[str, jax.Array]] = []
  at = 0
  for d, f in shapes:
    fan_in = d if layers else jnp.maximum(varies_D.sum(), 1)
    bound = jnp.asarray(fan_in, jnp.float32) ** -0.5
    block = bound * drawn[at : at + (d + 1) * f].reshape(d + 1, f)
    layers.append({"kernel": block[:-1], "bias": block[-1]})
    at += (d + 1) * f
  return layers


def _begin(config: Config, layers) -> _State:
  none = jnp.zeros((), int)
  return _State(layers, _adamw(config).init(layers), layers, jnp.asarray(jnp.inf), none, none)


def _adamw(config: Config):
  """Returns the optimizer; every parameter decays."""
  import optax  # not needed by who imports the library for its other parts

  return optax.adamw(config.rate, weight_decay=config.decay)


def _loss(config: Config, layers, x_NxD, y_N, weight_N):
  """Returns the mean over rows of squared error or nats."""
  out_NxF = outputs(layers, x_NxD)
  if config.classes:
    log_NxF = jax.nn.log_softmax(out_NxF)
    loss_N = -jnp.take_along_axis(log_NxF, y_N[:, None], axis=1)[:, 0]
  else:
    loss_N = (out_NxF[:, 0] - y_N) ** 2
  return jnp.sum(weight_N * loss_N) / jnp.sum(weight_N)


def _epoch(config: Config, state: _State, rows: _Rows, key) -> _State:
  """Returns the state after one pass over the rows in a new order."""
  count, passed = len(rows.x_NxD), state.passed + 1
  steps = -(-count // config.batch)
  filler = steps * config.batch - count  # of the last batch, of no weight
  order_N = jnp.argsort(jax.random.bits(jax.random.fold_in(key, passed), (count,)))
  at_TxB = jnp.pad(order_N, (0, filler)).reshape(steps, -1)
  weight_TxB = jnp.pad(jnp.ones(count), (0, filler)).reshape(steps, -1)

  optimizer = _adamw(config)

  def step(state, batch):
    at_B, weight_B = batch
    gradient = jax.grad(_loss, 1)(config, state.layers, rows.x_NxD[at_B], rows.y_N[at_B], weight_B)
    update, moments = optimizer.update(gradient, state.moments, state.layers)
    layers = jax.tree.map(jnp.add, state.layers, update)
    return state._replace(layers=layers, moments=moments), None

  state, _ = jax.lax.scan(step, state, (at_TxB, weight_TxB))
  every_N = jnp.ones(len(rows.select_y_N))
  loss = _loss(config, state.layers, rows.select_x_NxD, rows.select_y_N, every_N)
  better = loss < state.loss
  keep = lambda new, old: jnp.where(better, new, old)
  return state._replace(
    best=jax.tree.map(keep, state.layers, state.best),
    loss=keep(loss, state.loss),
    epoch=keep(passed, state.epoch),
    passed=passed,
  )
