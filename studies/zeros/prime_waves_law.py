"""Short formulas for the amplitudes of waves against their primes.

The law is (2 / pi) |sin(d ln p / 2)| / sqrt p, d the mean gap. The sine comes
from taking differences over a gap; what is left is the wave of S(t) itself, and
a search that is given p alone must find 1 / (pi sqrt p) by itself.
"""

import numpy as np
from primelens.analyses import prime_waves
from primelens.analyses import symbolic
from primelens.studies.zeros import prime_waves_reading as reading

NAMES = ("p",)
LEAST = 12  # primes found, for a search
SHORT = 10  # the longest formula kept


def formulas(read, table, prime_Q, height: float, settings) -> tuple[dict, ...]:
  """Returns a record of every short formula, and of the fitted power.

  For the truth, networks and filters with enough primes found: amplitudes of
  those over 2 |sin|, every other one held out. `power` and `factor` are of the
  fit factor p^power (the law: -1/2 and 1/pi), with the power's standard error.
  """
  if not settings.symbolic:
    return ()
  prime_Q = np.asarray(prime_Q, np.float64)
  gap = prime_waves.mean_spacing(height)
  turn_Q = 2 * np.abs(np.sin(gap * np.log(prime_Q) / 2))
  rows = []
  for e, row in enumerate(table[: len(read.amplitude_ExQ)]):
    found_Q = read.max_t_ExQ[e] < reading.LEVEL
    wanted = row["kind"] in ("truth", "network", "filter", "adaptive")
    if not wanted or found_Q.sum() < LEAST:
      continue
    p_Q, size_Q = prime_Q[found_Q], (read.amplitude_ExQ[e] / turn_Q)[found_Q]
    (power, level), covariance = np.polyfit(
      np.log(p_Q), np.log(size_Q), 1, cov=True
    )
    origin = {
      "name": row["name"],
      "kind": row["kind"],
      "found": int(found_Q.sum()),
      "power": float(power),
      "power_error": float(np.sqrt(covariance[0, 0])),
      "factor": float(np.exp(level)),
    }
    front = symbolic.search(
      p_Q[::2, None],
      size_Q[::2],
      names=NAMES,
      test_feature_NxQ=p_Q[1::2, None],
      test_target_N=size_Q[1::2],
      seed=settings.seed,
    )
    rows += [
      origin | record for record in front if record["complexity"] <= SHORT
    ]
  return tuple(rows)
