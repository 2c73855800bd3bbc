"""Analysis `gue`: the zeros' correlations by height, beside exact references.

Published: lag correlations "20 to 50 % stronger than GUE", against -0.27, which
is the value of GOE, and "no dependence on height", over a stretch where ln g
changes by 0.1. Here the reference is exact, and the heights are all there are.
"""

import dataclasses

import numpy as np
from primelens.analyses import determinantal, spacing_correlations, spacings
from primelens.tasks import surrogates

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31)
SUB_BLOCKS = 20  # of a block of heights, at least, for its errors
TAIL = 10  # the published files held the last tenth
# Columns of powers of 1 / ln(g / 2 pi); the intercept is the value at infinity.
FORMS = {"a + b/ln": (0, 1), "a + b/ln^2": (0, 2), "b/ln + c/ln^2": (1, 2)}


@dataclasses.dataclass(frozen=True)
class Result:
  """Moments of spacings in P blocks of height, and references for them.

  `excess` is 1 less than a correlation over that of the sine process. `size_P`
  is the CUE size that matches the leading correction at a height, and
  `leading_variance_P` the variance it gives. `fits` regress what is above the
  sine process on powers of 1 / ln(g / 2 pi), with `limit` at infinite height
  where it is free. Records `berry`, `shuffles` and `prime_lags` follow the
  published recipes.
  """

  height_P: np.ndarray
  count_P: np.ndarray
  variance_P: np.ndarray
  variance_error_P: np.ndarray
  correlation_PxQ: np.ndarray
  error_PxQ: np.ndarray
  size_P: np.ndarray
  leading_variance_P: np.ndarray
  limit_variance: float
  limit_Q: np.ndarray
  fits: tuple[dict, ...]
  references: tuple[dict, ...]
  berry: tuple[dict, ...]
  shuffles: tuple[dict, ...]
  prime_lags: tuple[dict, ...]


def run(run) -> Result:
  """Returns the height study of all of a run's zeros, and the references."""
  settings, block = run.settings.gue, run.settings.bootstrap.block
  value_N = run.series.value_N.astype(np.float64)
  height_N = run.series.ordinate_N
  lags = settings.lags
  limit, term_Q = spacing_correlations.leading_terms(lags)
  cut = spacing_correlations.height_blocks(height_N, settings.blocks, settings.least)
  parts = [slice(*ends) for ends in zip(cut[:-1], cut[1:], strict=True)]
  found = [_moments(value_N[part], lags, block) for part in parts]
  middle_P = np.array([_middle(height_N[part]) for part in parts])
  size_P = spacing_correlations.zeta_size(middle_P)
  sample = _samples(settings)
  return Result(
    height_P=middle_P,
    count_P=np.array([one.number for one in found]),
    variance_P=np.array([one.variance for one in found]),
    variance_error_P=np.array([one.variance_error for one in found]),
    correlation_PxQ=np.array([one.correlation_Q for one in found]),
    error_PxQ=np.array([one.error_Q for one in found]),
    size_P=size_P,
    leading_variance_P=limit.variance + term_Q[0] / size_P**2,
    limit_variance=limit.variance,
    limit_Q=limit.correlation_Q,
    fits=_fits(found, height_N, parts, limit),
    references=_references(value_N, limit, lags, block, sample),
    berry=_berry(value_N),
    shuffles=_shuffles(value_N, settings, sample["CUE"]),
    prime_lags=_prime_lags(value_N, settings, sample["CUE"]),
  )


def _moments(value_N, lags: int, block: int):
  short = max(2 * lags, len(value_N) // SUB_BLOCKS)
  return spacing_correlations.correlations(value_N, lags, block=min(block, short))


def _middle(height_N) -> float:
  """The height whose log density is the mean one of a block."""
  return float(2 * np.pi * np.exp(np.log(height_N / (2 * np.pi)).mean()))


def _samples(settings) -> dict[str, np.ndarray]:
  """Returns spacings RxN of CUE, and of GUE by both unfoldings."""
  matrices, size = settings.matrices, settings.size
  rng = np.random.default_rng(settings.seed)
  level = [surrogates.gue_eigenvalues(rng, size) for _ in range(matrices)]
  inner = slice(size // 10, size - size // 10)
  spaced = lambda scale: np.diff(
    surrogates.semicircle_counts(np.stack(level)[:, inner] * scale, size), axis=1
  )
  cue = surrogates.cue_spacings(settings.seed, matrices=matrices, size=size)
  # Published: (A + A^+) / (2 sqrt N), of radius sqrt 2, unfolded with radius 2.
  wrong = spaced(2**-0.5)
  return {"CUE": cue, "GUE": spaced(1.0), "GUE, unfolded as_published": wrong / wrong.mean()}


def _fits(found, height_N, parts, limit) -> tuple[dict, ...]:
  """Returns weighted regressions on powers of 1 / ln(g / 2 pi)."""
  turn = lambda part, power: np.mean(np.log(height_N[part] / (2 * np.pi)) ** -power)
  targets = {
    "variance": [(x.variance, x.variance_error) for x in found],
    "lag 1": [(x.correlation_Q[0], x.error_Q[0]) for x in found],
    "lag 2": [(x.correlation_Q[1], x.error_Q[1]) for x in found],
  }
  exact = (limit.variance, *limit.correlation_Q[:2])
  rows = []
  for (name, pairs), base in zip(targets.items(), exact, strict=True):
    y_P, error_P = np.array(pairs).T
    for form, powers in FORMS.items():
      if len(parts) <= len(powers):
        continue
      x_PxV = np.array([[turn(part, p) for p in powers] for part in parts])
      line = spacing_correlations.weighted_line(x_PxV, y_P - base, error_P)
      (first, second), (error, other) = line.coefficient_V, line.error_V
      rows.append(
        {
          "statistic": name,
          "form": form,
          "first": float(first),
          "first_error": float(error),
          "second": float(second),
          "second_error": float(other),
          "chi2": line.chi2,
          "freedom": line.freedom,
        }
      )
  return tuple(rows)


def _references(value_N, limit, lags: int, block: int, sample):
  """Returns a row per sequence: the zeros, their thirds, matrices, exact."""
  tail_N = value_N[-(len(value_N) // TAIL) :]
  sets = {"zeros": value_N, "zeros, last tenth": tail_N}
  thirds = np.array_split(tail_N, 3)
  sets |= {f"last tenth, third {i + 1}": x for i, x in enumerate(thirds)}
  rows = [_row(name, _moments(x, lags, block), limit, x) for name, x in sets.items()]
  for name, x in sample.items():
    found = spacing_correlations.correlations(x, lags)
    rows.append(_row(name, found, limit, x))
  exact = spacing_correlations.Correlations(
    0, 1.0, limit.variance, 0.0, limit.correlation_Q, np.zeros(lags)
  )
  return (_row("sine process, exact", exact, limit), *rows)


def _row(name: str, found, limit: determinantal.Moments, value=None) -> dict:
  row = {
    "sequence": name,
    "spacings": found.number,
    "variance": found.variance,
    "variance_error": found.variance_error,
    "variance_excess": found.variance / limit.variance - 1,
    "ks_surmise": np.nan,
  }
  if value is not None:
    row["ks_surmise"] = spacings.distances(np.ravel(value)).gue
  for k, rho in enumerate(found.correlation_Q[:3]):
    exact = limit.correlation_Q[k]
    row |= {
      f"lag{k + 1}": float(rho),
      f"lag{k + 1}_error": float(found.error_Q[k]),
      f"lag{k + 1}_excess": float(rho / exact - 1),
      f"lag{k + 1}_excess_error": float(found.error_Q[k] / abs(exact)),
    }
  return row


def _berry(value_N) -> tuple[dict, ...]:
  tail_N = value_N[-(len(value_N) // TAIL) :]
  published = spacing_correlations.berry_as_published
  return (
    {"sequence": "zeros, last tenth"} | published(tail_N),
    {"sequence": "zeros"} | published(value_N),
  )


def _shuffles(value_N, settings, cue_RxN) -> tuple[dict, ...]:
  """Returns z of lag 1 against shuffles: the zeros', and those of CUE."""
  count = min(settings.stretch, cue_RxN.size, len(value_N))
  rows = []
  for name, x_N in (("zeros", value_N[-count:]), ("CUE", cue_RxN.ravel()[:count])):
    z = spacing_correlations.shuffle_score(x_N, draws=settings.shuffles, seed=settings.seed)
    lag1 = float(np.corrcoef(x_N[:-1], x_N[1:])[0, 1])
    rows.append({"sequence": name, "spacings": count, "z": z, "lag1": lag1})
  return tuple(rows)


def _prime_lags(value_N, settings, cue_RxN) -> tuple[dict, ...]:
  count = min(settings.stretch, cue_RxN.size, len(value_N))
  both = [
    spacing_correlations.prime_lags_as_published(x_N, PRIMES)
    for x_N in (value_N[-count:], cue_RxN.ravel()[:count])
  ]
  (lag_Q, zeros_Q), (_, cue_Q) = both
  return tuple(
    {"prime": p, "lag": int(lag), "zeros": float(x), "cue": float(y)}
    for p, lag, x, y in zip(PRIMES, lag_Q, zeros_Q, cue_Q, strict=True)
  )
