"""Training losses of the spacing predictors beside the NLL.

Mixture entropy, window-statistics and Q3-proxy auxiliary targets, slot
orthogonality, and the drift of short rollouts, as the published runs had them.
"""

import jax
import jax.numpy as jnp
from primelens.models import mixture as mixture_lib
from primelens.models import spacing


def ramp(schedule, step):
  """Returns the piecewise-linear weight from 0 at step 0; constant at the end.

  `schedule` holds (step, weight) knots; an empty one means 0.
  """
  if not schedule:
    return jnp.zeros(())
  steps = jnp.array([0.0, *(knot[0] for knot in schedule)])
  weights = jnp.array([0.0, *(knot[1] for knot in schedule)])
  return jnp.interp(jnp.asarray(step, jnp.float32), steps, weights)


def _quantile(x_BxT, q):
  return jnp.quantile(x_BxT, q, axis=-1)


def q3_proxies(x_BxT):
  """Returns the eight window statistics of the Q3 proxy as Bx8, z-scored.

  Mean - 1; log-std entropy ln(std sqrt(2 pi e)); largest step; 1 % quantile;
  mean |second difference|; |mean of first half - mean of second|; mean squared
  second difference; variance over blocks of 16 of the block variance. Standard
  deviations have ddof 1; columns are z-scored over the batch.
  """
  length = x_BxT.shape[1]
  second = jnp.diff(x_BxT, n=2)
  half = length // 2
  rows = x_BxT[:, : length // 16 * 16].reshape(x_BxT.shape[0], -1, 16)
  std_B = jnp.std(x_BxT, axis=1, ddof=1)
  raw = jnp.stack(
    [
      jnp.mean(x_BxT, axis=1) - 1,
      jnp.log(std_B * jnp.sqrt(2 * jnp.pi * jnp.e) + 1e-8),
      jnp.max(jnp.abs(jnp.diff(x_BxT)), axis=1),
      _quantile(x_BxT, 0.01),
      jnp.mean(jnp.abs(second), axis=1),
      jnp.abs(x_BxT[:, :half].mean(axis=1) - x_BxT[:, half:].mean(axis=1)),
      jnp.mean(second**2, axis=1),
      jnp.var(jnp.var(rows, axis=2, ddof=1), axis=1, ddof=1),
    ],
    axis=1,
  )
  centred = raw - raw.mean(axis=0, keepdims=True)
  return centred / (jnp.std(raw, axis=0, ddof=1, keepdims=True) + 1e-8)


def window_statistics(x_BxT):
  """Returns mean, std (ddof 1) and autocorrelations at lags 1 and 5, Bx4."""
  centred = x_BxT - x_BxT.mean(axis=1, keepdims=True)
  power_B = jnp.mean(centred**2, axis=1)
  lagged = [jnp.mean(centred[:, lag:] * centred[:, :-lag], axis=1) / power_B for lag in (1, 5)]
  std_B = jnp.std(x_BxT, axis=1, ddof=1)
  return jnp.stack([x_BxT.mean(axis=1), std_B, *lagged], axis=1)


def slot_loss(config: "spacing.Config", params, state_BxLxD, x_BxT):
  """Returns the mean squared error of the auxiliary heads on the slots."""
  head = params["auxiliary"]
  if config.auxiliary == "window_statistics":  # prefix slots 0..3
    slots_Bx4xD = state_BxLxD[:, :4].astype(jnp.float32)
    guess = jnp.einsum("bmd,md->bm", slots_Bx4xD, head["kernel"])
    return jnp.mean((guess + head["bias"][None] - window_statistics(x_BxT)) ** 2)
  slots_BxMxD = state_BxLxD[:, -config.slots :].astype(jnp.float32)
  guess_BxMx8 = slots_BxMxD @ head["kernel"] + head["bias"][None, None]
  if config.auxiliary == "mean":
    guess_Bx8 = guess_BxMx8.mean(axis=1)
  else:
    guess_Bx8 = jnp.diagonal(guess_BxMx8, axis1=1, axis2=2)
  return jnp.mean((guess_Bx8 - q3_proxies(x_BxT)) ** 2)


def orthogonality(content_MxD):
  """Returns sum_ij (G - I)_ij^2 of the cosine Gram matrix of the slots."""
  norm_M = jnp.linalg.norm(content_MxD, axis=1, keepdims=True)
  unit_MxD = content_MxD / jnp.maximum(norm_M, 1e-12)
  gram_MxM = unit_MxD @ unit_MxD.T
  return jnp.sum((gram_MxM - jnp.eye(gram_MxM.shape[0])) ** 2)


def diversity(content_MxD):
  """Returns the mean over all M^2 entries of (G - I)_ij^2, G as above.

  Source: the published memory bank (docs/sources/zeros.md, section 2.5).
  """
  return orthogonality(content_MxD) / content_MxD.shape[0] ** 2


def drift(apply_fn, params, window_BxT1, *, context, horizon):
  """Returns mean w_j |sum of predicted - sum of true spacings| over a rollout.

  The first `context` true spacings are followed by `horizon` fed-back mixture
  means (gradients stop at the feeding), w_j from 1/horizon to 1. As the fed
  values carry no gradient, one pass over the finished rollout has them all.
  """
  true_BxJ = window_BxT1[:, context : context + horizon]
  x_BxU = window_BxT1[:, : context + horizon - 1]

  def feed(j, x_BxU):
    mixture, _ = apply_fn(params, x_BxU)
    mean_BxU = mixture_lib.mean(mixture)
    return x_BxU.at[:, j].set(jax.lax.stop_gradient(mean_BxU[:, j - 1]))

  x_BxU = x_BxU.at[:, context:].set(1.0)
  for j in range(context, context + horizon - 1):
    x_BxU = feed(j, x_BxU)
  mixture, _ = apply_fn(params, x_BxU)
  guess_BxJ = mixture_lib.mean(mixture)[:, context - 1 :]
  gap_BxJ = jnp.abs(jnp.cumsum(guess_BxJ - true_BxJ, axis=1))
  weight_J = jnp.linspace(1 / horizon, 1.0, horizon)
  return jnp.mean(weight_J[None] * gap_BxJ)


def _slot_order(config: "spacing.Config", key, step):
  """Returns the permutation of the slot ids for this step, or None."""
  if config.memory == "none" or config.slot_ids != "permute_per_batch":
    return None
  drawn_M = jax.random.permutation(key, config.slots)
  warm = step < config.permutation_warmup
  return jnp.where(warm, jnp.arange(config.slots), drawn_M)


def loss(config: "spacing.Config", params, window_BxT1, key, step):
  """Returns the training loss and its parts, in nats.

  NLL - entropy weight * H(mixture weights) + auxiliary + orthogonality +
  diversity + drift, each with its published schedule. The last
  `config.extra_rows` rows of the batch feed the drift loss only.
  """
  key_drop, key_order = jax.random.split(key)
  main = window_BxT1[: window_BxT1.shape[0] - config.extra_rows]
  order_M = _slot_order(config, key_order, step)
  apply_fn = spacing.bind(config)
  x_BxT, y_BxT = main[:, :-1], main[:, 1:]
  mixture, activations = apply_fn(
    params,
    x_BxT,
    sites=("final",) if config.auxiliary != "none" else (),
    dropout_key=key_drop,
    slot_order_M=order_M,
  )
  y_BxU = y_BxT[:, -mixture.mean.shape[1] :]
  log_density_BxU = mixture_lib.log_density(
    mixture, y_BxU, weight_floor=config.weight_floor, floor=config.floor
  )
  nll = -log_density_BxU.mean()
  entropy = mixture_lib.entropy(mixture).mean()
  total = nll - config.entropy * entropy
  metrics = {"nll_nats": nll, "weight_entropy_nats": entropy}
  if config.auxiliary != "none":
    extra = slot_loss(config, params, activations["final"], x_BxT)
    metrics["auxiliary_mse"] = extra
    total += ramp(config.auxiliary_ramp, step) * extra
  if config.orthogonality_ramp:
    extra = orthogonality(params["memory"]["content"])
    metrics["orthogonality"] = extra
    total += ramp(config.orthogonality_ramp, step) * extra
  if config.memory == "bank":
    extra = diversity(params["memory"]["content"])
    metrics["diversity"] = extra
    total += config.diversity * extra
  if config.drift_weight:
    total += _drift_term(config, apply_fn, params, window_BxT1, step)
  return total, metrics


def _drift_term(config, apply_fn, params, window_BxT1, step):
  """Returns the weighted drift on every n-th step, 0 on the others."""
  value = lambda: (
    config.drift_weight
    * drift(
      apply_fn,
      params,
      window_BxT1[-config.drift_batch :],
      context=config.drift_context,
      horizon=config.drift_horizon,
    )
  )
  due = step % config.drift_every == 0
  return jax.lax.cond(due, value, lambda: jnp.zeros(()))
