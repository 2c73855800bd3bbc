"""Likelihoods of binned spacings: what a perplexity is worth in nats.

A probability p of a bin of width w is a density p / w on it, so a perplexity
is an NLL in nats per spacing, -ln w off its logarithm: binned networks compare
with mixtures. On the host, in float64.
"""

from typing import Any

import numpy as np
import scipy.special
from primelens.analyses import anchors, autoregression


def density_nll(token_nll: Any, width: float) -> Any:
  """Returns the NLL of the density, ln w - ln p, in nats per spacing."""
  return token_nll + np.log(width)


def perplexity(nll: Any, width: float) -> Any:
  """Returns exp(mean -ln p) of tokens whose density has this mean NLL."""
  return np.exp(nll - np.log(width))


def marginal_nll(train_N: Any, token_N: Any, classes: int) -> np.ndarray:
  """Returns -ln p of each token by its frequency in `train_N`, in nats.

  p = (count + 1/2) / (N + classes / 2), so that no token is impossible
  (Krichevsky and Trofimov 1981); the mean's exponential is the published
  entropy floor. Raises ValueError for tokens outside 0..classes - 1.
  """
  train_N, token_N = (np.asarray(x).ravel() for x in (train_N, token_N))
  both = np.concatenate([train_N, token_N])
  if not len(both) or both.min() < 0 or both.max() >= classes:
    raise ValueError(f"tokens must lie in 0..{classes - 1}.")
  count_V = np.bincount(train_N, minlength=classes) + 0.5
  return -np.log(count_V / count_V.sum())[token_N]


def gaussian_nll(mean_N, scale: float, token_N, edge_E) -> np.ndarray:
  """Returns -ln P(bin) of each token under N(mean, scale^2), in nats.

  Bins lie between neighbours of `edge_E`; the outer two take what is beyond
  them. ln(Phi(b) - Phi(a)) by the smaller tail, so that far bins keep their
  digits.
  """
  edge_E = np.asarray(edge_E, np.float64)
  edge_E = np.concatenate([[-np.inf], edge_E[1:-1], [np.inf]])
  low_N = (edge_E[token_N] - mean_N) / scale
  high_N = (edge_E[np.asarray(token_N) + 1] - mean_N) / scale
  flip_N = low_N > 0  # Phi(b) - Phi(a) = Phi(-a) - Phi(-b)
  a_N = np.where(flip_N, -high_N, low_N)
  b_N = np.where(flip_N, -low_N, high_N)
  top_N, below_N = scipy.special.log_ndtr(b_N), scipy.special.log_ndtr(a_N)
  return -(top_N + np.log1p(-np.exp(below_N - top_N)))


def autoregressive_nll(
  value_N, train: tuple[int, int], index_N, token_N, edge_E, order: int
) -> np.ndarray:
  """Returns -ln p of the tokens at `index_N` by a linear filter, in nats.

  The Gaussian anchor `anchors.autoregressive` fitted on the stretch `train`:
  `order` coefficients and a variance.
  """
  phi_Q, variance = anchors.filters(value_N, train, order).order(order)
  mean_N = 1 + autoregression.predict(np.asarray(value_N, np.float64) - 1, phi_Q, index_N)
  return gaussian_nll(mean_N, variance**0.5, token_N, edge_E)
