"""What anyone can predict without a network: the anchors of every NLL table.

All anchors take the flat sequence of unit-mean spacings, learn from a stretch
that is named, and score one prediction per index in `index_N`, the positions
shared with a network. They run on the host in float64.
"""

import dataclasses

import numpy as np
import threadpoolctl
from primelens.analyses import autoregression, linear

LEAST_SQUARES, YULE_WALKER = METHODS = ("least_squares", "yule_walker")


@dataclasses.dataclass(frozen=True)
class Anchor:
  """One-step predictions of spacings (mean 1) and their NLL in nats.

  `scale_N` are the standard deviations of Gaussian anchors, None of others.
  """

  name: str
  parameters: int
  index_N: np.ndarray
  nll_N: np.ndarray
  prediction_N: np.ndarray
  scale_N: np.ndarray | None = None

  @property
  def nll(self) -> float:
    """Mean NLL over the scored spacings, nats per spacing."""
    return float(np.mean(self.nll_N))


def r2(anchor: Anchor, value_N) -> float:
  """Returns `linear.r2` of the prediction of the scored spacings."""
  truth_N = np.asarray(value_N, np.float64)[anchor.index_N]
  return float(linear.r2(truth_N, anchor.prediction_N))


def constant(value_N, train: tuple[int, int], index_N) -> Anchor:
  """Returns the i.i.d. Gaussian with the mean and variance of `train`."""
  value_N, index_N = _checked(value_N, train, index_N)
  mean, variance = value_N[slice(*train)].mean(), value_N[slice(*train)].var()
  nll_N = autoregression.gaussian_nll(value_N[index_N] - mean, variance)
  guess_N = np.full(len(index_N), mean)
  scale_N = np.full(len(index_N), np.sqrt(variance))
  return Anchor("constant Gaussian", 2, index_N, nll_N, guess_N, scale_N)


def marginal(value_N, train: tuple[int, int], index_N) -> Anchor:
  """Returns the i.i.d. anchor: a Gaussian kernel density of `train`."""
  value_N, index_N = _checked(value_N, train, index_N)
  train_N = value_N[slice(*train)]
  nll_N = -log_density(train_N, value_N[index_N])
  guess_N = np.full(len(index_N), train_N.mean())
  return Anchor("marginal (KDE)", 0, index_N, nll_N, guess_N)


def log_density(sample_N, at_N) -> np.ndarray:
  """Returns ln of the Gaussian kernel density of `sample_N` at `at_N`.

  Scott's bandwidth h = std n^(-1/5); the sample is spread linearly over a grid
  of step h / 40 and smoothed there, so millions of points cost one histogram.
  Beyond the grid (8 h past the sample) only the nearest extreme point counts.
  """
  sample_N, at_N = np.asarray(sample_N, float), np.asarray(at_N, float)
  width = np.std(sample_N, ddof=1) * len(sample_N) ** -0.2
  step, reach = width / 40, 320
  origin = sample_N.min() - reach * step
  place_N = (sample_N - origin) / step
  size = int(place_N.max()) + reach + 2
  left_N = place_N.astype(np.int64)
  share_N = place_N - left_N
  mass = np.bincount(left_N, 1 - share_N, size)
  mass += np.bincount(left_N + 1, share_N, size)
  kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / 40) ** 2)
  scale = len(sample_N) * width * np.sqrt(2 * np.pi)
  density = np.convolve(mass, kernel, mode="same") / scale
  grid = origin + step * np.arange(size)
  inner_N = np.interp(at_N, grid, density, left=0, right=0)
  nearest_N = np.clip(at_N, sample_N.min(), sample_N.max())
  outer_N = -0.5 * ((at_N - nearest_N) / width) ** 2 - np.log(scale)
  with np.errstate(divide="ignore"):
    return np.maximum(np.log(inner_N), outer_N)


def filters(value_N, train: tuple[int, int], order: int, *, method: str = LEAST_SQUARES):
  """Returns the filters of s - 1 fitted on the stretch `train`, up to an order.

  `.order(p)` has the coefficients, most recent lag first, and the variance of
  the errors. By least squares, the best of its class: an anchor is not to be
  beaten by a network for want of a better fit. All orders have the same
  targets, those with `order` spacings of the stretch behind them. By
  Yule-Walker where a source fitted so: its taper weakens long filters of these
  sequences, but its filters are stable. Raises ValueError for another `method`,
  or a stretch too short.
  """
  _check_method(method)
  residual_N = np.asarray(value_N[slice(*train)], np.float64) - 1
  if method == YULE_WALKER:
    return autoregression.fitted(residual_N, order)
  return autoregression.least_squares(residual_N, order, len(residual_N), order)


def autoregressive(
  value_N,
  train: tuple[int, int],
  index_N,
  orders: tuple[int, ...],
  *,
  method: str = LEAST_SQUARES,
) -> tuple[Anchor, ...]:
  """Returns Gaussian AR(p) anchors fitted on `train`, one per order.

  The mean is 1 and the variance the fit's own, as `filters` has them.
  """
  value_N, index_N = _checked(value_N, train, index_N)
  fits = filters(value_N, train, max(orders), method=method)
  found = tuple(_filtered(value_N, index_N, fits, p) for p in orders)
  if method == LEAST_SQUARES:
    return found
  return tuple(dataclasses.replace(each, name=f"{each.name}, Yule-Walker") for each in found)


def windowed(
  value_N,
  train: tuple[int, int],
  select_N,
  index_N,
  orders: tuple[int, ...] = tuple(range(8, 129, 8)),
) -> Anchor:
  """Returns the AR(p) with the best NLL on the indices `select_N`.

  Where every scored spacing has max(orders) spacings before it inside a
  network's window, this is the best filter that stays inside the window.
  """
  value_N, index_N = _checked(value_N, train, index_N)
  fits = filters(value_N, train, max(orders))
  select_N = np.asarray(select_N)
  score = lambda p: _filtered(value_N, select_N, fits, p).nll
  best = min(orders, key=score)
  anchor = _filtered(value_N, index_N, fits, best)
  return dataclasses.replace(anchor, name=f"AR({best}) inside the window")


def adaptive(
  value_N,
  index_N,
  *,
  order: int = 256,
  window: int = 20_000,
  block: int = 5_000,
  method: str = LEAST_SQUARES,
) -> Anchor:
  """Returns the AR(order) refitted on the `window` spacings before each block.

  Blocks of `block` spacings start at the lowest index; only those that hold a
  scored spacing are fitted. sigma is that of the fit's own residuals inside the
  window, for least squares (no intercept) x (1 + p / (W - p)).
  Raises ValueError for another `method`, window <= 2 order, a short past.
  """
  _check_method(method)
  if window <= 2 * order:
    raise ValueError(f"window={window} must exceed twice the order {order}.")
  first, stop = int(np.min(index_N)), int(np.max(index_N)) + 1
  value_N, index_N = _checked(value_N, (first - window, stop), index_N)
  residual_N = value_N - 1
  guess_N, sigma_N = np.empty(len(index_N)), np.empty(len(index_N))
  block_N = (index_N - first) // block
  for number in np.unique(block_N):
    here = block_N == number
    start = first + int(number) * block
    # BLAS threads spin more than they work on systems of this size.
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
      stretch = (start - window, start)
      phi_Q, variance = filters(value_N, stretch, order, method=method).order(order)
    if method == YULE_WALKER:
      # The taper implied by 1/n makes the innovation variance too large here.
      variance = _residual_variance(residual_N[slice(*stretch)], phi_Q)
    guess_N[here] = autoregression.predict(residual_N, phi_Q, index_N[here])
    sigma_N[here] = np.sqrt(variance)
  error_N = residual_N[index_N] - guess_N
  nll_N = autoregression.gaussian_nll(error_N, sigma_N**2)
  name = f"adaptive AR({order}), {method.replace('_', ' ')}, W={window:,}"
  return Anchor(name, order + 1, index_N, nll_N, 1 + guess_N, sigma_N)


def _residual_variance(residual_W, phi_Q) -> float:
  inside_N = np.arange(len(phi_Q), len(residual_W))
  guess_N = autoregression.predict(residual_W, phi_Q, inside_N)
  return float(np.var(residual_W[inside_N] - guess_N))


def _filtered(value_N, index_N, fits, order: int) -> Anchor:
  phi_Q, variance = fits.order(order)
  guess_N = autoregression.predict(value_N - 1, phi_Q, index_N)
  error_N = value_N[index_N] - 1 - guess_N
  nll_N = autoregression.gaussian_nll(error_N, variance)
  scale_N = np.full(len(index_N), np.sqrt(variance))
  name = f"AR({order})"
  return Anchor(name, order + 1, index_N, nll_N, 1 + guess_N, scale_N)


def _check_method(method: str) -> None:
  if method not in METHODS:
    raise ValueError(f"method {method!r} is not one of {', '.join(METHODS)}.")


def _checked(value_N, train: tuple[int, int], index_N):
  value_N, index_N = np.asarray(value_N, np.float64), np.asarray(index_N)
  first, stop = train
  if not 0 <= first < stop <= len(value_N):
    raise ValueError(f"stretch {train} is not inside 0..{len(value_N)}.")
  if not len(index_N) or index_N.min() < 0 or index_N.max() >= len(value_N):
    raise ValueError(f"index_N must hold indices in 0..{len(value_N) - 1}.")
  return value_N, index_N
