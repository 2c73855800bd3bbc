"""Rollouts: predictions fed back as if they were true, and their errors.

A predictor is a callable `step(x_BxW, last, key) -> next_B`: what it expects,
or draws, to come after position `last` of the W spacings it is shown.
"""

import jax
import jax.numpy as jnp
import numpy as np

FILL = 1.0  # stands at positions that are not known yet: the mean spacing


def roll(step, context_BxT, horizon: int, *, window: int = 0, key=None):
  """Returns `horizon` predictions in a row, each seen by the next ones: BxQ.

  The context grows until it fills `window` positions and slides from there
  on; with window 0 it has length T throughout. Positions behind `last` hold
  `FILL`, which a causal predictor does not see. One scan; `step` gets its own
  part of `key`, or None without one (a deterministic rollout).
  Raises ValueError for an empty context or horizon, or a window below T.
  """
  length = context_BxT.shape[1]
  window = window or length
  if not 1 <= length <= window or horizon < 1:
    raise ValueError(
      f"a context of {length} spacings, window={window} and horizon={horizon}"
      " need 1 <= context <= window and horizon >= 1."
    )
  free = ((0, 0), (0, window - length))
  start_BxW = jnp.pad(context_BxT, free, constant_values=FILL)

  def one(carry, key):
    x_BxW, known = carry
    next_B = step(x_BxW, known - 1, key)
    full = known == window
    x_BxW = jnp.where(full, jnp.roll(x_BxW, -1, axis=1), x_BxW)
    at = jnp.minimum(known, window - 1)
    x_BxW = x_BxW.at[:, at].set(next_B.astype(x_BxW.dtype))
    return (x_BxW, jnp.minimum(known + 1, window)), next_B

  keys_Q = None if key is None else jax.random.split(key, horizon)
  carry = (start_BxW, jnp.asarray(length))
  _, rolled_QxB = jax.lax.scan(one, carry, keys_Q, length=horizon)
  return rolled_QxB.T


def clamped_as_published(residual, low: float = 0.0, high: float = 10.0):
  """Returns the residual draw r = s - 1 as the published sampler leaves it.

  It clips draws to [0, 10], meant for spacings: every negative residual, about
  half of them, becomes 0. Source: docs/sources/zeros.md, sections 2.4 and 2.6.
  """
  return jnp.clip(residual, low, high)


def linear(coefficient_Q, residual_NxQ, horizon: int) -> np.ndarray:
  """Returns the deterministic rollout of r_n = sum_k phi_k r_{n-k}, NxQ.

  The last axis of `residual_NxQ` is time, the newest value last, and holds at
  least as many values as the filter has taps; the filter is one for all (Q) or
  one per row (NxQ), nearest lag first. On the host in float64.
  Raises ValueError if there are fewer values than taps.
  """
  phi = np.asarray(coefficient_Q, np.float64)
  past_NxQ = np.asarray(residual_NxQ, np.float64)
  taps = phi.shape[-1]
  if past_NxQ.shape[-1] < taps:
    raise ValueError(f"{past_NxQ.shape[-1]} values are too few for a filter of {taps} taps.")
  recent_NxQ = past_NxQ[:, ::-1][:, :taps]  # nearest lag first
  rolled_NxQ = np.empty((len(past_NxQ), horizon))
  for q in range(horizon):
    next_N = (recent_NxQ * phi).sum(-1)
    recent_NxQ = np.column_stack([next_N, recent_NxQ[:, :-1]])
    rolled_NxQ[:, q] = next_N
  return rolled_NxQ


def cumulative_error(rolled_NxQ, truth_NxQ, horizon_R) -> np.ndarray:
  """Returns Err@h = |sum_{q<=h} rolled - sum_{q<=h} true| of each start: ...xR.

  How far, in mean spacings, the h-th zero ahead is missed. This is the one
  convention of this library; the published numbers with the context at their
  source have it too (docs/sources/zeros.md, section 4.12). The last axes are starts and
  steps. Raises ValueError for a horizon that was not rolled.
  """
  gap = _gap(rolled_NxQ, truth_NxQ)
  at_R = _steps(horizon_R, gap.shape[-1])
  return np.abs(np.cumsum(gap, axis=-1)[..., at_R])


def step_error(rolled_NxQ, truth_NxQ) -> np.ndarray:
  """Returns |rolled - true| of each start and step: ...xQ.

  Its mean over starts at one step is the published error at exactly step h of
  the POSTFIX diagnostics (docs/sources/zeros.md, section 4.12).
  """
  return np.abs(_gap(rolled_NxQ, truth_NxQ))


def per_step_error_as_published(rolled_NxQ, truth_NxQ) -> np.ndarray:
  """Returns the mean of |rolled - true| over the steps of each start.

  The published error of E0 and the prefix models "at" horizon h, with context
  and horizon both h: a predictor of the constant 1 has the mean absolute
  deviation of a spacing, whatever h (docs/sources/zeros.md, section 4.12).
  """
  return step_error(rolled_NxQ, truth_NxQ).mean(-1)


def log_log_slope_as_published(error_Q, horizon_R) -> np.ndarray:
  """Returns the slope of ln error on ln h, errors at exactly step h: ....

  Least squares over the horizons, the published growth of the error of the
  POSTFIX diagnostics; it is near 0 wherever a predictor has become a constant.
  Raises ValueError for fewer than two horizons or one that was not rolled.
  """
  error_Q = np.asarray(error_Q, np.float64)
  at_R = _steps(horizon_R, error_Q.shape[-1])
  if len(at_R) < 2:
    raise ValueError(f"a slope needs two horizons or more, got {len(at_R)}.")
  log_R = np.log(1.0 + at_R)
  log_R = log_R - log_R.mean()
  return (np.log(error_Q[..., at_R]) * log_R).sum(-1) / (log_R**2).sum()


def _gap(rolled_NxQ, truth_NxQ) -> np.ndarray:
  rolled, truth = (np.asarray(x, np.float64) for x in (rolled_NxQ, truth_NxQ))
  if rolled.shape[-2:] != truth.shape[-2:]:
    raise ValueError(
      f"rolled {rolled.shape} and true spacings {truth.shape} must have the same starts and steps."
    )
  return rolled - truth


def _steps(horizon_R, rolled: int) -> np.ndarray:
  """Returns the positions of horizons among the rolled steps."""
  horizon_R = np.asarray(horizon_R, int)
  if horizon_R.size and not 1 <= horizon_R.min() <= horizon_R.max() <= rolled:
    raise ValueError(f"horizons {horizon_R.tolist()} must lie in 1..{rolled}, the rolled steps.")
  return horizon_R - 1
