"""Analysis `operators`: what Toeplitz matrices of a kernel can and cannot say.

No data and no network are read, so any run gives the same result.
"""

import dataclasses

import numpy as np
import threadpoolctl
from primelens.analyses import ensembles, spacings, spectra_nulls, statistics, toeplitz
from primelens.tasks import surrogates

DENSITIES = (0.05, 0.25, 0.5, 1.0)
# As published: off the diagonal, whole distances.
KERNELS = {
  "published kernel": toeplitz.stretched_as_published,
  "published kernel, times cos": toeplitz.alternating_as_published,
  "sine kernel, density 1": toeplitz.sine_kernel,
}
HALF = "sine kernel, density 1/2"
NONE = "no kernel: the disorder alone"
PROCESS = "sine process: levels drawn"
REFERENCES = ("Poisson", "GOE", "GUE")
PUBLISHED_SEED = 42  # of the disorder


@dataclasses.dataclass(frozen=True)
class Result:
  """Level statistics of matrices made of kernels, of ensembles and of draws.

  `spectra` has a row per kind of levels: the published measures of one matrix
  (share of spacings below 1/2, variance, not unfolded, and the verdict), and
  the mean r-ratio and variance of locally unfolded spacings over draws with
  their intervals. `process` has the spacings of the sine process: variance,
  correlation of neighbours, r-ratio. `value_PxN` are the eigenvalues of the
  sine kernel at density_P, falling; `density_VxQ` the densities of spacings at
  spacing_Q of the sine process, of the published kernel with disorder, and
  what the GUE and independent levels have.
  """

  spectra: tuple[dict, ...]
  process: tuple[dict, ...]
  density_P: np.ndarray
  value_PxN: np.ndarray
  largest_off_diagonal: float
  spacing_Q: np.ndarray
  density_VxQ: np.ndarray
  size: int


def run(run) -> Result:
  """Returns the level statistics of operators made of kernels."""
  settings = run.settings.operators
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    return _result(settings)


def _result(settings) -> Result:
  size = settings.size
  rows = []
  gaps: dict[str, np.ndarray] = {}
  for name, disorder, draw in _kinds(settings):
    found = [draw(seed) for seed in range(settings.draws)]
    rows.append(_spectrum(name, disorder, found))
    gaps.setdefault(name, np.concatenate(list(map(_unfolded, found))))
  draws = toeplitz.sine_process(
    settings.seed, samples=settings.samples, size=settings.sites, density=settings.density
  )
  gaps[PROCESS] = np.concatenate([np.diff(level_N) for level_N in draws])
  # Drawn spacings are multiples of the density: edges between them.
  width = max(1, round(0.125 / settings.density))
  edge_B = settings.density * (0.5 + np.arange(0, 3 / settings.density + width, width))
  middle_Q = (edge_B[1:] + edge_B[:-1]) / 2
  shown = (gaps[PROCESS], gaps["published kernel"])
  laws = [np.diff(ensembles.spacing_cdf(edge_B, e)) for e in ("gue", "poisson")]
  identity_NxN = toeplitz.matrix(toeplitz.sine_kernel, size)
  return Result(
    spectra=tuple(rows),
    process=(_process(draws),),
    density_P=np.array(DENSITIES),
    value_PxN=np.stack([_eigenvalues(rho, size) for rho in DENSITIES]),
    largest_off_diagonal=float(np.abs(identity_NxN - np.eye(size)).max()),
    spacing_Q=middle_Q,
    density_VxQ=np.stack(
      [
        *(np.histogram(g, edge_B)[0] / len(g) / np.diff(edge_B) for g in shown),
        *(share_Q / np.diff(edge_B) for share_Q in laws),
      ]
    ),
    size=size,
  )


def _eigenvalues(density: float, size: int) -> np.ndarray:
  matrix_NxN = toeplitz.matrix(_sine(density), size)
  return np.linalg.eigvalsh(matrix_NxN)[::-1]


def _sine(density: float):
  return lambda distance: toeplitz.sine_kernel(distance, density)


def _diagonal(size: int, seed: int) -> np.ndarray:
  """Returns the disorder; the first is the published one."""
  if seed == 0:
    return np.random.RandomState(PUBLISHED_SEED).normal(size=size)
  return np.random.default_rng(seed).normal(size=size)


def _kinds(settings):
  """Yields every kind of levels: name, disorder, and a draw by its seed."""
  size = settings.size
  kernels = KERNELS | {HALF: _sine(0.5)}
  for disorder in settings.disorders:
    for name, kernel in kernels.items():
      yield (
        name,
        disorder,
        lambda seed, kernel=kernel, disorder=disorder: toeplitz.levels(
          kernel, disorder * _diagonal(size, seed)
        ),
      )
  yield NONE, 1.0, lambda seed: np.sort(_diagonal(size, seed))
  rng = lambda seed: np.random.default_rng([settings.seed, seed])
  references = (
    lambda seed: np.sort(rng(seed).uniform(size=size)),
    lambda seed: spectra_nulls.goe_null(size, 1, seed=seed)[0],
    lambda seed: surrogates.gue_eigenvalues(rng(seed), size),
  )
  for name, draw in zip(REFERENCES, references, strict=True):
    yield name, np.nan, draw


def _unfolded(level_N) -> np.ndarray:
  return toeplitz.central_spacings(level_N)


def _spectrum(name: str, disorder: float, draws) -> dict:
  raw_N = toeplitz.central_spacings_as_published(draws[0])
  share = toeplitz.small_share(raw_N)
  row = {
    "levels": name,
    "disorder": float(disorder),
    "small_share_as_published": share,
    "variance_as_published": float(raw_N.var()),
    "verdict_as_published": toeplitz.verdict_as_published(share),
  }
  central = [spacings.central(level_N, toeplitz.CENTRAL) for level_N in draws]
  ratio_R = np.array([spacings.r_ratio(level_N) for level_N in central])
  variance_R = np.array([_unfolded(level_N).var() for level_N in draws])
  return row | _bounded("r_ratio", ratio_R) | _bounded("variance", variance_R)


def _bounded(name: str, value_R) -> dict:
  found = statistics.seed_interval(value_R)
  return {
    name: float(found.estimate),
    f"{name}_low": float(found.low),
    f"{name}_high": float(found.high),
  }


def _process(draws) -> dict:
  """Returns the statistics of the sine process's spacings, over draws."""
  gaps = [np.diff(level_N) - 1 for level_N in draws]
  variance_R = np.array([np.mean(gap_N**2) for gap_N in gaps])
  beside_R = np.array([np.mean(g[1:] * g[:-1]) for g in gaps])
  ratio_R = np.array([spacings.r_ratio(level_N) for level_N in draws])
  scale = variance_R.mean()
  return (
    {"levels": PROCESS, "spacings": sum(map(len, gaps))}
    | _bounded("variance", variance_R)
    | _bounded("neighbours", beside_R / scale)
    | _bounded("r_ratio", ratio_R)
  )
