"""Gaussian mixtures: head, log-density, moments, CDF, CRPS, sampling.

A density over one real number with K components,
p(y) = sum_k w_k N(y; mean_k, scale_k^2). Weights are kept as logarithms, so a
component may be off (log weight -inf) without spoiling a gradient.
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

MIN_SCALE = 1e-4
_HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))
_UNIT = float(np.log(np.e - 1))  # softplus(_UNIT) = 1


class Mixture(NamedTuple):
  """Log weights, means and scales of Gaussian mixtures, each ...xK."""

  log_weight: jax.Array
  mean: jax.Array
  scale: jax.Array


def _scale(raw, scale_max, unit_scale):
  if scale_max is not None:
    return MIN_SCALE + (scale_max - MIN_SCALE) * jax.nn.sigmoid(raw)
  return jax.nn.softplus(raw + _UNIT if unit_scale else raw) + MIN_SCALE


def from_raw(
  raw,
  *,
  mean: Literal["positive", "raw"] = "positive",
  scale_max: float | None = None,
  unit_scale: bool = False,
) -> Mixture:
  """Returns the mixtures of raw numbers ...x3K, [logits | means | scales].

  w = softmax(a); mean = softplus(b), or b itself; scale = softplus(c) + 1e-4,
  or with `scale_max` 1e-4 + (scale_max - 1e-4) sigmoid(c). `unit_scale` shifts
  c so that c = 0 means scale 1. Raises `ValueError` for another `mean` or a
  last axis that is no multiple of 3. Source: heads of the published study's
  two model families.
  """
  if mean not in ("positive", "raw"):
    raise ValueError(f"mean={mean!r} is not one of positive, raw.")
  if raw.shape[-1] % 3:
    raise ValueError(f"Last axis {raw.shape[-1]} is not a multiple of 3.")
  logit, centre, width = jnp.split(raw, 3, axis=-1)
  return Mixture(
    jax.nn.log_softmax(logit, axis=-1),
    jax.nn.softplus(centre) if mean == "positive" else centre,
    _scale(width, scale_max, unit_scale),
  )


def _floored(log_weight, scale, weight_floor, floor):
  """Returns the published epsilon variants of log weight and scale."""
  if floor == "add":
    return jnp.log(jnp.exp(log_weight) + weight_floor), scale
  if floor == "clamp":
    log_floor = float(np.log(weight_floor))
    return jnp.maximum(log_weight, log_floor), jnp.maximum(scale, weight_floor)
  raise ValueError(f"floor={floor!r} is not one of add, clamp.")


def log_density(
  mixture: Mixture, y, *, weight_floor: float = 0.0, floor: Literal["add", "clamp"] = "add"
):
  """Returns log p(y) in nats, one number per mixture.

  log sum_k exp(log w_k - ln(2 pi)/2 - ln scale_k - ((y - mean_k)/scale_k)^2/2).
  `weight_floor` > 0 gives the published variants: log(w + 1e-10) ("add"), and
  w >= 1e-8 with scale >= 1e-8 ("clamp"). Finite with finite gradients while
  some component has weight; `y` has the mixture's shape without K.
  """
  log_weight, mean, scale = mixture
  if weight_floor:
    log_weight, scale = _floored(log_weight, scale, weight_floor, floor)
  z = (y[..., None] - mean) / scale
  log_normal = -_HALF_LOG_2PI - jnp.log(scale) - 0.5 * z**2
  return jax.nn.logsumexp(log_weight + log_normal, axis=-1)


def mean(mixture: Mixture):
  """Returns the mean, sum_k w_k mean_k."""
  return jnp.sum(jnp.exp(mixture.log_weight) * mixture.mean, axis=-1)


def variance(mixture: Mixture):
  """Returns the variance, sum_k w_k (scale_k^2 + (mean_k - mean)^2)."""
  gap = mixture.mean - mean(mixture)[..., None]
  second = mixture.scale**2 + gap**2
  return jnp.sum(jnp.exp(mixture.log_weight) * second, axis=-1)


def cdf(mixture: Mixture, y):
  """Returns P(Y <= y), sum_k w_k Phi((y - mean_k)/scale_k): the PIT of y.

  At most 1, which weights in float32 may exceed by rounding.
  """
  z = (y[..., None] - mixture.mean) / mixture.scale
  weight = jnp.exp(mixture.log_weight)
  return jnp.minimum(jnp.sum(weight * jax.scipy.special.ndtr(z), axis=-1), 1)


def _absolute(gap, scale):
  """Returns E|gap + scale Z| for standard normal Z."""
  z = gap / scale
  density = jnp.exp(-0.5 * z**2 - _HALF_LOG_2PI)
  return 2 * scale * density + gap * jax.scipy.special.erf(z / np.sqrt(2))


def crps(mixture: Mixture, y):
  """Returns the continuous ranked probability score, in units of y.

  E|Y - y| - E|Y - Y'|/2 in closed form, with A(m, s) = E|m + s Z|:
  sum_k w_k A(y - mean_k, scale_k)
  - sum_kl w_k w_l A(mean_k - mean_l, (scale_k^2 + scale_l^2)^(1/2)) / 2.
  Source: Grimit, Gneiting, Berrocal, Johnson (2006).
  """
  weight = jnp.exp(mixture.log_weight)
  first = weight * _absolute(y[..., None] - mixture.mean, mixture.scale)
  pair = lambda f, x: f(x[..., :, None], x[..., None, :])
  spread = _absolute(pair(jnp.subtract, mixture.mean), pair(jnp.hypot, mixture.scale))
  second = pair(jnp.multiply, weight) * spread
  return jnp.sum(first, axis=-1) - 0.5 * jnp.sum(second, axis=(-2, -1))


def entropy(mixture: Mixture):
  """Returns the entropy of the weights in nats, -sum_k w_k ln w_k.

  A component without weight adds nothing, to the value and to the gradient.
  """
  on = mixture.log_weight > -jnp.inf
  log_weight = jnp.where(on, mixture.log_weight, 0.0)
  weight = jnp.where(on, jnp.exp(log_weight), 0.0)
  return -jnp.sum(weight * log_weight, axis=-1)


def sample(key, mixture: Mixture, count: int):
  """Returns `count` independent draws per mixture, leading axis the draws."""
  key_component, key_normal = jax.random.split(key)
  shape = (count, *mixture.mean.shape[:-1])
  component = jax.random.categorical(key_component, mixture.log_weight, shape=shape)
  pick = lambda leaf: jnp.take_along_axis(
    jnp.broadcast_to(leaf, (count, *leaf.shape)), component[..., None], axis=-1
  )[..., 0]
  normal = jax.random.normal(key_normal, shape, mixture.mean.dtype)
  return pick(mixture.mean) + pick(mixture.scale) * normal


def recalibrate(mixture: Mixture, log_scale, shift) -> Mixture:
  """Returns the mixture with scales times exp(log_scale), means + shift."""
  return mixture._replace(mean=mixture.mean + shift, scale=mixture.scale * jnp.exp(log_scale))


def recalibration(mixture: Mixture, y, *, steps: int = 12):
  """Returns (log scale factor, mean shift), the pair with the lowest NLL: what edits have to beat.

  argmin over (a, b) of -mean log p(y) with every scale times e^a and every
  mean plus b, from (0, 0) by damped Newton steps, at most half a unit along
  each axis. A step that does not lower the NLL is not taken.
  """

  def nll(theta_2):
    after = recalibrate(mixture, theta_2[0], theta_2[1])
    return -log_density(after, y).mean()

  def improve(_, theta_2):
    gradient_2 = jax.grad(nll)(theta_2)
    value_2, vector_2x2 = jnp.linalg.eigh(jax.hessian(nll)(theta_2))
    curvature_2 = jnp.maximum(jnp.abs(value_2), 1e-3)
    # Clipped along the axes of the curvature: where one is nearly flat, a
    # step clipped afterwards would point elsewhere.
    along_2 = (vector_2x2.T @ gradient_2) / curvature_2
    step_2 = vector_2x2 @ jnp.clip(along_2, -0.5, 0.5)
    tries_4 = jnp.array([1.0, 0.5, 0.25, 0.0625])
    guesses_4x2 = theta_2[None] - tries_4[:, None] * step_2[None]
    nll_4 = jax.lax.map(nll, guesses_4x2)
    best = jnp.argmin(nll_4)
    return jnp.where(nll_4[best] < nll(theta_2), guesses_4x2[best], theta_2)

  return jax.lax.fori_loop(0, steps, improve, jnp.zeros(2))
