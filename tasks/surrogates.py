"""Sequences with known statistics, to compare the zeros with.

Random matrices come as rows, one matrix each: numbers from different matrices
are independent, so correlations belong within a row. A `Series` lays the rows
end to end, which spoils lag k at one in size / k positions.
"""

import dataclasses
import hashlib
import json
from typing import Literal

import numpy as np
import scipy.linalg
import threadpoolctl
from primelens.tasks import checks, primes, windows, zeros

RESAMPLED = ("shuffled", "renewal")  # made from the spacings of `base`


@dataclasses.dataclass(kw_only=True)
class Config:
  """Which ensemble, how long, and how it is split and cut."""

  kind: Literal["surrogate"] = "surrogate"
  ensemble: Literal["cue", "gue", "poisson", "shuffled", "renewal", "prime_gaps"] = "cue"
  seed: checks.Seed = 0
  count: checks.Amount = 200_000  # spacings; 0 = as many as `base` has
  size: checks.Order = 128  # of the random matrices (cue, gue)
  split: Literal["contiguous", "published_tail"] = "contiguous"
  gap: checks.Amount = 1000
  window: checks.Number = 256
  stride: checks.Count = 1
  base: zeros.Config = dataclasses.field(default_factory=zeros.Config)

  def __post_init__(self):
    checks.fields(self)
    if self.count == 0 and self.ensemble not in RESAMPLED:
      raise ValueError(f"count 0: {self.ensemble} needs a number of spacings.")


def load(config: Config) -> windows.Series:
  """Returns a surrogate sequence of mean spacing 1, without heights.

  Raises ValueError for a bad config and what `zeros.load` raises for `base`.
  """
  config = dataclasses.replace(config)  # fields may have been set since
  value_N = ENSEMBLES[config.ensemble](config).astype(np.float32)
  split = windows.SPLITS[config.split]
  return windows.Series(
    value_N=value_N,
    splits=split(len(value_N), window=config.window, gap=config.gap),
    window=config.window,
    stride=config.stride,
    data_hash=_recipe_hash(config),
  )


def _recipe_hash(config: Config) -> str:
  """Hash of what determines the sequence.

  Not of its values: a seeded draw is the same data on every machine, though
  LAPACK rounds its last bits differently.
  """
  recipe: list[str | int] = [config.ensemble, config.seed, config.count]
  if config.ensemble in MATRICES:
    recipe.append(config.size)
  if config.ensemble in RESAMPLED:
    recipe.append(zeros.load(config.base).data_hash)
  return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()


def cue_phases(rng: np.random.Generator, size: int) -> np.ndarray:
  """Returns the sorted eigenphases_N in [-pi, pi) of one Haar unitary matrix.

  Exact: independent Verblunsky coefficients a_k, |a_k|^2 ~ Beta(1, N - 1 - k)
  with uniform phases and |a_{N-1}| = 1, are those of the spectral measure of
  a Haar unitary (Killip and Nenciu 2004), whose Hessenberg form is G_jk =
  -conj(a_{j-1}) a_k r_j ... r_{k-1} for j <= k and G_{k+1,k} = r_k, with r^2
  = 1 - |a|^2. The Cayley transform i (1 - G) / (1 + G) = tan(phase / 2) is
  Hermitian, several times cheaper than the eigenvalues of G.
  """
  square_N = np.append(rng.beta(1, np.arange(size - 1, 0, -1)), 1.0)
  phase_N = rng.uniform(0, 2 * np.pi, size)
  a_N = np.sqrt(square_N) * np.exp(1j * phase_N)
  r_N = np.sqrt(1 - square_N[:-1])
  product_N = np.append(1.0, np.cumprod(r_N))
  left_N = -np.append(-1.0, a_N[:-1].conj()) / product_N
  unitary_NxN = np.triu(left_N[:, None] * (a_N * product_N)[None, :])
  unitary_NxN += np.diag(r_N, -1)
  one_NxN = np.eye(size)
  cayley_NxN = 1j * (2 * np.linalg.inv(one_NxN + unitary_NxN) - one_NxN)
  return 2 * np.arctan(np.linalg.eigvalsh(cayley_NxN))


def cue_spacings(seed: int, *, matrices: int, size: int) -> np.ndarray:
  """Returns eigenphase spacing_RxN of R Haar unitary matrices, mean exactly 1.

  s_n = (N / 2 pi) (phase_{n+1} - phase_n), around the whole circle, so a row
  is cyclic; it begins at a random eigenvalue, which makes it stationary (the
  gap over a fixed angle is larger than the others). Raises ValueError if
  `matrices` or `size` is below 1.
  """
  _check_size(matrices, size, smallest=1)
  rng = np.random.default_rng(seed)
  # BLAS threads on matrices this small spin more than they work: 4 to 8 times
  # slower on two busy cores.
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    phase_RxN = np.stack([cue_phases(rng, size) for _ in range(matrices)])
  around_Rx1 = phase_RxN[:, :1] + 2 * np.pi
  step_RxN = np.diff(phase_RxN, axis=1, append=around_Rx1)
  turn_R = rng.integers(0, size, matrices)
  turned_RxN = (np.arange(size)[None, :] + turn_R[:, None]) % size
  spacing_RxN = size / (2 * np.pi) * step_RxN
  return np.take_along_axis(spacing_RxN, turned_RxN, axis=1)


def gue_eigenvalues(rng: np.random.Generator, size: int) -> np.ndarray:
  """Returns the sorted eigenvalues_N of one GUE matrix, E|h_jk|^2 = 1.

  Exact, from its tridiagonal form: diagonal N(0, 1), off-diagonal
  chi_{2k} / sqrt 2 for k = N - 1, ..., 1 (Dumitriu and Edelman 2002).
  """
  diagonal_N = rng.normal(size=size)
  beside_N = np.sqrt(rng.chisquare(2 * np.arange(size - 1, 0, -1)) / 2)
  return scipy.linalg.eigvalsh_tridiagonal(diagonal_N, beside_N)


def semicircle_counts(value: np.ndarray, size: int) -> np.ndarray:
  """Returns N F(x / R), the expected eigenvalues below x, R = 2 sqrt N.

  F(y) = 1/2 + (y sqrt(1 - y^2) + arcsin y) / pi on [-1, 1]. The radius must
  be that of the matrices' normalisation; a wrong one bends the unfolding
  (the published -0.291 for the lag-1 correlation came from such a mismatch).
  """
  y = np.clip(value / (2 * np.sqrt(size)), -1, 1)
  return size * (0.5 + (y * np.sqrt(1 - y**2) + np.arcsin(y)) / np.pi)


def gue_spacings(seed: int, *, matrices: int, size: int) -> np.ndarray:
  """Returns unfolded spacing_RxN from the central half of R GUE spectra.

  N = size // 2 spacings per matrix, unfolded by the semicircle law; the edges
  are left out, where it fails. Raises ValueError if `matrices` is below 1 or
  `size` below 4.
  """
  _check_size(matrices, size, smallest=4)
  rng = np.random.default_rng(seed)
  value_RxN = np.stack([gue_eigenvalues(rng, size) for _ in range(matrices)])
  first = (size - size // 2) // 2
  middle_RxN = value_RxN[:, first : first + size // 2 + 1]
  return np.diff(semicircle_counts(middle_RxN, size), axis=1)


def _check_size(matrices: int, size: int, *, smallest: int) -> None:
  if matrices < 1 or size < smallest:
    raise ValueError(f"{matrices} matrices of size {size}: at least 1 of size {smallest}.")


def poisson(seed: int, *, count: int) -> np.ndarray:
  """Returns independent spacings_N of density exp(-s): no repulsion at all."""
  return np.random.default_rng(seed).exponential(size=count)


def shuffled(seed: int, value_N: np.ndarray) -> np.ndarray:
  """Returns the same spacings_N in random order: marginal kept, order gone."""
  return np.random.default_rng(seed).permutation(value_N)


def renewal(seed: int, value_N: np.ndarray, *, count: int) -> np.ndarray:
  """Returns independent draws_N, with replacement, from the given spacings."""
  return np.random.default_rng(seed).choice(value_N, count)


def prime_gaps(*, count: int) -> np.ndarray:
  """Returns spacings_N of the first primes, (q - p) / ln p with q next to p.

  Primes have the density 1 / ln p, so the mean tends to 1. No seed has a say.
  """
  prime_N = primes.first(count + 1).astype(np.float64)
  return np.diff(prime_N) / np.log(prime_N[:-1])


MATRICES = {"cue": (cue_spacings, lambda size: size), "gue": (gue_spacings, lambda size: size // 2)}


def _matrix_sequence(config: Config) -> np.ndarray:
  """Rows of matrix spacings end to end, cut to `count`."""
  rows, length = MATRICES[config.ensemble]
  matrices = -(-config.count // max(length(config.size), 1))
  spacing_RxN = rows(config.seed, matrices=matrices, size=config.size)
  return spacing_RxN.reshape(-1)[: config.count]


def _poisson_sequence(config: Config) -> np.ndarray:
  return poisson(config.seed, count=config.count)


def _shuffled_sequence(config: Config) -> np.ndarray:
  value_N = zeros.load(config.base).value_N
  if config.count > len(value_N):
    raise ValueError(f"count {config.count} exceeds {len(value_N)} spacings.")
  return shuffled(config.seed, value_N)[: config.count or None]


def _renewal_sequence(config: Config) -> np.ndarray:
  value_N = zeros.load(config.base).value_N
  count = config.count or len(value_N)
  return renewal(config.seed, value_N, count=count)


def _prime_sequence(config: Config) -> np.ndarray:
  return prime_gaps(count=config.count)


ENSEMBLES = {
  "cue": _matrix_sequence,
  "gue": _matrix_sequence,
  "poisson": _poisson_sequence,
  "shuffled": _shuffled_sequence,
  "renewal": _renewal_sequence,
  "prime_gaps": _prime_sequence,
}
