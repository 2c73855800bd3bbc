"""Monte Carlo nulls of spectra: noise of the same shape and scale, seeded.

Draws are an axis R of one call. They are a host loop: each is an eigenvalue
problem of LAPACK, which a vmap would loop over too, in float32. A null depends
on the shape alone, so it is kept: hundreds of matrices of a language model
share a few shapes. Scale is the caller's (`spectra.bulk_std`).
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.linalg
import threadpoolctl
from primelens.analyses import counts, spectra, statistics

Metric = Callable[[np.ndarray, tuple[int, int]], np.ndarray]
# Of singular values ...xK and the matrix's shape, all free of its scale.
METRICS: dict[str, Metric] = {
  "effective_rank": lambda s_xK, shape: spectra.effective_rank(s_xK),
  "effective_rank_squares": lambda s_xK, shape: spectra.effective_rank(s_xK, 2),
  "stable_rank": lambda s_xK, shape: spectra.stable_rank(s_xK),
  "max_to_mean": lambda s_xK, shape: spectra.max_to_mean(s_xK),
  "ks_matched": spectra.ks_matched,
  "outliers": spectra.outliers,
}


# The key of a record's numbers and null draws by metric, see `corrected`.
DRAWS = "draws of nulls"


class AgainstNull(NamedTuple):
  """A number, the mean and std of its null draws, and its two-sided p.

  NaN where the number or a draw is: of a matrix of zeros, say.
  """

  observed: float
  null: float
  null_sd: float
  p: float


@functools.lru_cache(maxsize=64)
def singular_null(
  shape: tuple[int, int],
  draws: int = 200,
  seed: int = 0,
  law: Literal["gaussian", "uniform"] = "gaussian",
) -> np.ndarray:
  """Returns the singular values of R iid unit-variance N x D matrices: RxK.

  Falling, read only. "gaussian" is exact in law, from the bidiagonal form of
  N >= D: diagonal chi_N, ..., chi_{N-D+1}, beside it chi_{D-1}, ..., chi_1
  (Dumitriu and Edelman 2002), and as accurate as `gram`. "uniform" (Xavier's)
  decomposes whole matrices: milliseconds a draw up to K = 256. The law hardly
  matters: effective ranks of uniform entries lie half of their std higher.

  Raises ValueError if a side or the draws are below 1, or for another law.
  """
  _check(draws, *shape)
  rng = np.random.default_rng(seed)
  if law == "uniform":
    sample = lambda: rng.uniform(-np.sqrt(3), np.sqrt(3), shape)
    return _frozen(_decomposed(sample, draws))
  if law != "gaussian":
    raise ValueError(f"law must be 'gaussian' or 'uniform', got {law!r}.")
  short, long = sorted(shape)
  main_RxK = rng.chisquare(long - np.arange(short), (draws, short))
  beside_RxK = rng.chisquare(np.arange(short - 1, 0, -1), (draws, short - 1))
  # B^T B of the bidiagonal B.
  next_RxK = np.sqrt(main_RxK[:, :-1] * beside_RxK)
  main_RxK[:, 1:] += beside_RxK
  return _frozen(np.sqrt(np.maximum(_tridiagonal(main_RxK, next_RxK), 0)))


def shuffled_null(weight_NxD: Any, draws: int = 99, seed: int = 0) -> np.ndarray:
  """Returns the singular values of R shuffles of the matrix's entries: RxK.

  It keeps the law of the entries, whose heavy tail is an outlier by itself,
  and costs a whole decomposition a draw: 2 ms of 128 x 128, 8 ms of 256 x 256,
  0.1 s of 384 x 1536. By the Gram route: values below 1.5e-8 s_1 are rounding.

  Raises ValueError for what is no N x D matrix, or no draws.
  """
  values = lambda shuffled_NxD: spectra.singular_values(shuffled_NxD, method="gram")
  return over_shuffles(values, weight_NxD, draws, seed)


def over_shuffles(measure: Callable, weight_NxD: Any, draws: int, seed: int = 0) -> np.ndarray:
  """Returns `measure` of R shuffles of the matrix's entries, stacked.

  One seed has the same shuffles whatever is measured.

  Raises ValueError for what is no N x D matrix, or no draws.
  """
  weight_NxD = spectra.checked(weight_NxD)
  if weight_NxD.ndim != 2:
    raise ValueError(f"one N x D matrix is shuffled, got {weight_NxD.shape}.")
  _check(draws, 1)
  rng = np.random.default_rng(seed)
  shuffle = lambda: rng.permutation(weight_NxD.ravel()).reshape(weight_NxD.shape)
  with threadpoolctl.threadpool_limits(1, user_api="blas"):  # as `_decomposed`
    return np.stack([measure(shuffle()) for _ in range(draws)])


@functools.lru_cache(maxsize=64)
def goe_null(size: int, draws: int = 200, seed: int = 0) -> np.ndarray:
  """Returns the rising eigenvalues of R GOE matrices: RxN, N = `size`.

  Off-diagonal variance 1, on it 2: the tridiagonal form has the diagonal
  N(0, 2), beside it chi_{N-1}, ..., chi_1 (Dumitriu and Edelman 2002). Read
  only.

  Raises ValueError if the size or the draws are below 1.
  """
  _check(draws, size)
  rng = np.random.default_rng(seed)
  main_RxN = np.sqrt(2) * rng.normal(size=(draws, size))
  beside_RxN = np.sqrt(rng.chisquare(np.arange(size - 1, 0, -1), (draws, size - 1)))
  return _frozen(_tridiagonal(main_RxN, beside_RxN)[:, ::-1])


@functools.lru_cache(maxsize=64)
def radius_null(size: int, draws: int = 99, seed: int = 0) -> np.ndarray:
  """Returns `spectra.eigenvalue_radius` of R normal size x size matrices: R.

  In units of their `spectra.bulk_std`. Read only.

  Raises ValueError if the size or the draws are below 1.
  """
  _check(draws, size)
  rng = np.random.default_rng(seed)

  def radius():
    weight_NxN = rng.normal(size=(size, size))
    singular_N = spectra.singular_values(weight_NxN)
    std = spectra.bulk_std(singular_N, weight_NxN.shape)
    return float(spectra.eigenvalue_radius(weight_NxN, std))

  with threadpoolctl.threadpool_limits(1, user_api="blas"):  # as `_decomposed`
    return _frozen(np.array([radius() for _ in range(draws)]))


def against_null(
  singular_K: Any,
  shape: tuple[int, int],
  *,
  draws: int = 200,
  seed: int = 0,
  metrics: Mapping[str, Metric] = METRICS,
  null_RxK: Any = None,
) -> dict[str, AgainstNull]:
  """Returns every metric of one N x D matrix beside its null.

  `null_RxK` are other draws, of `shuffled_null` say, in place of
  `singular_null`'s. The p cannot fall below 2 / (R + 1), see `corrected`.
  """
  if null_RxK is None:
    null_RxK = singular_null(tuple(shape), draws, seed)
  return {
    name: compare(metric(np.asarray(singular_K), shape), metric(null_RxK, shape))
    for name, metric in metrics.items()
  }


def compare(observed: Any, null_R: Any) -> AgainstNull:
  """Returns the number beside its null draws, p by `permutation_p`.

  Draws equal to the number but for rounding are ties.
  """
  observed, null_R = float(observed), np.asarray(null_R, np.float64)
  tie_R = np.isclose(null_R, observed, rtol=1e-9, atol=0)
  null_R = np.where(tie_R, observed, null_R)
  p = np.nan
  if np.isfinite(observed) and np.isfinite(null_R).all():
    p = float(statistics.permutation_p(observed, null_R, tail="two-sided"))
  spread = null_R.std(ddof=1) if len(null_R) > 1 else np.nan
  return AgainstNull(observed, float(null_R.mean()), float(spread), p)


def holm(p_V: Any) -> np.ndarray:
  """Returns adjusted p-values that control the chance of any false finding.

  `p_(i)' = max_{j <= i} min(1, (V - j + 1) p_(j))` over all entries of any
  shape, whatever their dependence (Holm 1979).

  Raises ValueError if an entry is outside 0..1.
  """
  p_V = np.asarray(p_V, np.float64)
  if not np.all((p_V >= 0) & (p_V <= 1)):
    raise ValueError("p-values lie in 0..1 and are not NaN.")
  order_V = np.argsort(p_V, axis=None)
  factor_V = np.arange(p_V.size, 0, -1)
  adjusted_V = np.empty(p_V.size)
  scaled_V = np.minimum(1, factor_V * p_V.ravel()[order_V])
  adjusted_V[order_V] = np.maximum.accumulate(scaled_V)
  return adjusted_V.reshape(p_V.shape)


def needed(tests: int, level: float = 0.05) -> int:
  """Returns the draws R that one finding among V tests takes at a level.

  By `holm`, and by the false discovery rate: 2 V / (R + 1) <= level.
  """
  return int(np.ceil(2 * tests / level)) - 1


def corrected(records: list[dict], *, seed: int = 0) -> list[dict]:
  """Returns the records with every p-value corrected across the matrices.

  Beside `m_p`: `m_p_bh` for the false discovery rate, by Benjamini and
  Hochberg; `m_p_any` for the chance of any false finding. NaN where a matrix
  has no p. Where all records have draws of their own (`DRAWS`, which are taken
  out), `m_p_any` is by max-T over draws of all matrices together, so that it
  falls to 1 / (R + 1) whatever their number; else it is `holm`'s, which one
  finding among V reaches with `needed(V)` draws, as the rate does.
  """
  drawn_E = [record.get(DRAWS) for record in records]
  records = [{k: v for k, v in record.items() if k != DRAWS} for record in records]
  names = dict.fromkeys(key for r in records for key in r if key[-2:] == "_p")
  for name in names:
    p_E = np.array([record.get(name, np.nan) for record in records])
    at_V = np.flatnonzero(np.isfinite(p_E))
    adjusted = {"bh": np.zeros(0), "any": np.zeros(0)}
    if len(at_V):
      adjusted = {"bh": statistics.benjamini_hochberg(p_E[at_V])}
      both = [(drawn_E[at] or {}).get(name[:-2]) for at in at_V]
      joint = all(found is not None for found in both)
      adjusted["any"] = _max_t(both, seed) if joint else holm(p_E[at_V])
    for way, value_V in adjusted.items():
      found = dict(zip(at_V.tolist(), value_V, strict=True))
      for at, record in enumerate(records):
        if name in record:
          record[f"{name}_{way}"] = float(found.get(at, np.nan))
  return records


def _max_t(both, seed: int) -> np.ndarray:
  """Returns adjusted p-values V from each matrix's number and its draws.

  In deviations of the draws and the number together, which treats all alike.
  Draws of several matrices are paired at random: shuffles of independent
  matrices are independent.
  """
  rng = np.random.default_rng([seed, 1])
  count = min(len(null_R) for _, null_R in both)
  each_Vx1R = np.array(
    [np.append(observed, rng.permutation(null_R)[:count]) for observed, null_R in both]
  )
  gap_Vx1R = each_Vx1R - each_Vx1R.mean(1, keepdims=True)
  spread_Vx1 = each_Vx1R.std(1, keepdims=True)
  t_Vx1R = np.where(spread_Vx1 > 0, gap_Vx1R / np.where(spread_Vx1 > 0, spread_Vx1, 1), 0)
  return statistics.max_t(t_Vx1R[:, 0], t_Vx1R[:, 1:].T, tail="two-sided")


def _decomposed(sample, draws):
  """Returns the singular values of R samples: RxK."""
  # One thread: on matrices this small more of them wait for each other.
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    return np.stack([spectra.singular_values(sample()) for _ in range(draws)])


def _tridiagonal(main_RxK, beside_RxK):
  """Returns the falling eigenvalues of R symmetric tridiagonal matrices."""
  values = lambda main_K, beside_K: scipy.linalg.eigvalsh_tridiagonal(
    main_K, beside_K, lapack_driver="sterf"
  )
  pairs = zip(main_RxK, beside_RxK, strict=True)
  return np.stack([values(*pair) for pair in pairs])[:, ::-1]


def _frozen(array):
  """Returns the array, which callers share, as one that cannot be changed."""
  array.flags.writeable = False
  return array


def _check(draws, *sides):
  counts.whole(draws=draws)
  if min(draws, *sides) < 1:
    raise ValueError(f"need 1 draw and sides of 1, got {draws} and {sides}.")
