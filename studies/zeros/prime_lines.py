"""Analysis `prime_lines`: are there waves at the logarithms of primes?

Published: "spikes at m ln p", a hundred candidates without a correction. Here
the same is asked of stretches of spacings at several heights, corrected over
all frequencies, beside frequencies that are no prime's, shuffled spacings, and
CUE spacings laid at the same heights. It is the control of every reading of a
network: what is not in the spacings cannot be in their predictions.
"""

import dataclasses

import numpy as np
from primelens.analyses import line_nulls, prime_lines, statistics
from primelens.studies.zeros import guides, program
from primelens.tasks import primes, surrogates, zeros

LEVEL = 0.05
POWERS = 12  # of primes, in the table

obstacle = program.no_heights


@dataclasses.dataclass(frozen=True)
class Result:
  """Amplitudes at ln p of P stretches, against what chance gives.

  `amplitude_PxQ` at the primes `prime_Q` with `law_PxQ` of the explicit formula
  and p-values corrected over all Q (`max_t_PxQ`, `bh_PxQ`, shuffled spacings);
  `composite_PxE` at ln m of the composites `composite_E` that are no power.
  `nulls` counts the primes above the largest of every null, `powers` has lines
  at ln p^m, `summary` a row per stretch, and `overall` means over stretches.
  """

  height_P: np.ndarray
  prime_Q: np.ndarray
  amplitude_PxQ: np.ndarray
  law_PxQ: np.ndarray
  max_t_PxQ: np.ndarray
  bh_PxQ: np.ndarray
  composite_E: np.ndarray
  composite_PxE: np.ndarray
  nulls: tuple[dict, ...]
  powers: tuple[dict, ...]
  summary: tuple[dict, ...]
  overall: tuple[dict, ...]
  spacings: int


def run(run) -> Result:
  """Returns the lines of evenly spread stretches of a run's whole sequence."""
  settings = run.settings.prime_lines
  value_N, height_N = run.series.value_N, run.series.ordinate_N
  count = min(settings.spacings, len(value_N) // settings.stretches)
  # From the middle of the first part on: the lowest zeros are few and far.
  place = np.linspace(0, len(value_N) - count, settings.stretches + 1)[1:]
  prime_Q = primes.below(settings.limit)
  composite_E = prime_lines.composites(prime_Q, settings.limit - 1)
  found = [
    _stretch(
      value_N[first : first + count].astype(np.float64) - 1,
      height_N[first : first + count],
      (prime_Q, composite_E),
      settings,
    )
    for first in place.astype(int)
  ]
  stack = lambda key: np.array([one[key] for one in found])
  summary = tuple(one["summary"] for one in found)
  return Result(
    height_P=stack("height"),
    prime_Q=prime_Q,
    amplitude_PxQ=stack("amplitude_Q"),
    law_PxQ=stack("law_Q"),
    max_t_PxQ=stack("max_t_Q"),
    bh_PxQ=stack("bh_Q"),
    composite_E=composite_E,
    composite_PxE=stack("composite_E"),
    nulls=tuple(row for one in found for row in one["nulls"]),
    powers=tuple(row for one in found for row in one["powers"]),
    summary=summary,
    overall=_overall(summary),
    spacings=count,
  )


def _stretch(residual_N, height_N, numbers, settings) -> dict:
  """Returns the lines of one stretch and all its nulls."""
  prime_Q, composite_E = numbers
  log_Q = np.log(prime_Q)
  of = lambda frequency: prime_lines.amplitudes(residual_N, height_N, frequency)
  options = dict(draws=settings.draws, seed=settings.seed)
  shuffled_RxQ = line_nulls.shuffled(residual_N, height_N, log_Q, **options)
  found = line_nulls.lines(of(log_Q), shuffled_RxQ)
  height = float(height_N.mean())
  law_Q = prime_lines.law(prime_Q, height)
  power_E = prime_lines.powers(prime_Q, settings.limit - 1)
  composite = of(np.log(composite_E))
  nulls = {
    "composites": composite,
    "shuffled spacings": shuffled_RxQ,
    "CUE at these heights": _cue(height_N, log_Q, settings),
    **_off_the_lines(height_N, log_Q, of, settings),
  }
  return {
    "height": height,
    "amplitude_Q": found.amplitude_Q,
    "law_Q": law_Q,
    "max_t_Q": found.max_t_Q,
    "bh_Q": found.bh_Q,
    "composite_E": composite,
    "nulls": [_null_row(height, *pair, found.amplitude_Q) for pair in nulls.items()],
    "powers": _powers(height, prime_Q, power_E, of, shuffled_RxQ),
    "summary": _summary(height, found, law_Q, composite),
  }


def _off_the_lines(height_N, log_Q, of, settings) -> dict[str, np.ndarray]:
  """Returns amplitudes at random frequencies, and beside the primes."""
  line_A = guides.lines(settings.limit)
  below_A = line_A[line_A < np.log(settings.limit)]
  random_Q = line_nulls.elsewhere(below_A, height_N, len(log_Q), seed=settings.seed)
  beside_RxQ = line_nulls.beside(log_Q, line_A, height_N, draws=1, seed=settings.seed)
  beside_Q = beside_RxQ[~np.isnan(beside_RxQ)]
  found = {"random frequencies": of(random_Q)}
  return found | ({"beside the primes": of(beside_Q)} if len(beside_Q) else {})


def _cue(height_N, log_Q, settings) -> np.ndarray:
  """Returns the amplitudes of CUE spacings from the same first height: RxQ.

  They are laid along the zeros' own mean density, u -> g, so that only their
  arrangement differs.
  """
  count = len(height_N)
  matrices = -(-count // settings.cue_size)
  # Heights by unfolded height, a little further than the zeros reach.
  end = height_N[-1] + 0.05 * np.ptp(height_N)
  grid_N = np.linspace(height_N[0], end, 4 * count)
  unfolded_N = zeros.unfold(grid_N)
  rows = []
  for draw in range(settings.cue_draws):
    spacing_RxN = surrogates.cue_spacings(
      settings.seed + draw, matrices=matrices, size=settings.cue_size
    )
    spacing_N = spacing_RxN.ravel()[:count]
    place_N = unfolded_N[0] + np.append(0, np.cumsum(spacing_N[:-1]))
    other_N = np.interp(place_N, unfolded_N, grid_N)
    rows.append(prime_lines.amplitudes(spacing_N - 1, other_N, log_Q))
  return np.array(rows)


def _null_row(height: float, name: str, null, amplitude_Q) -> dict:
  return {
    "height": height,
    "null": name,
    "lines": int(null.size),
    "median": float(np.median(null)),
    "largest": float(null.max()),
    "primes_above": int(np.sum(amplitude_Q > null.max())),
  }


def _powers(height, prime_Q, power_E, of, shuffled_RxQ):
  """Returns the lines at the logarithms of the smallest powers p^m, m >= 2."""
  top_R = shuffled_RxQ.max(1)
  rows = []
  for power, amplitude in zip(power_E[:POWERS], of(np.log(power_E[:POWERS])), strict=True):
    prime = int(prime_Q[power % prime_Q == 0][0])
    exponent = int(np.round(np.log(power) / np.log(prime)))
    law = prime_lines.law([prime], height, power=exponent)[0]
    rows.append(
      {
        "height": height,
        "power": int(power),
        "prime": prime,
        "exponent": exponent,
        "amplitude": float(amplitude),
        "law": float(law),
        "max_t": float(statistics.permutation_p(amplitude, top_R)),
      }
    )
  return rows


def _summary(height, found, law_Q, composite) -> dict:
  amplitude_Q = found.amplitude_Q
  return {
    "height": height,
    "correlation": float(np.corrcoef(amplitude_Q, law_Q)[0, 1]),
    "slope": float(amplitude_Q @ law_Q / (law_Q @ law_Q)),
    "primes": len(amplitude_Q),
    "max_t": int(np.sum(found.max_t_Q < LEVEL)),
    "bh": int(np.sum(found.bh_Q < LEVEL)),
    "above_composites": int(np.sum(amplitude_Q > composite.max())),
    "share_above_composites": float(np.mean(amplitude_Q > composite.max())),
  }


def _overall(summary) -> tuple[dict, ...]:
  """Returns means over stretches with their t intervals."""
  rows = []
  for key in ("correlation", "slope", "max_t", "bh", "above_composites"):
    each = statistics.seed_interval([float(row[key]) for row in summary])
    rows.append(
      {
        "quantity": key,
        "mean": float(each.estimate),
        "low": float(each.low),
        "high": float(each.high),
      }
    )
  return tuple(rows)
