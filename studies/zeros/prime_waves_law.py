"""Short formulas for the amplitudes of waves against their primes.

The law is (2 / pi) sin(x / 2) / sqrt p, x = d ln p and d the mean gap. It is
searched for twice: amplitudes of the truth given p and x, where a search must
find all of it; and amplitudes over 2 |sin(x / 2)|, which comes from taking
differences over a gap, given p alone, where it must find 1 / (pi sqrt p).
"""

import numpy as np
from primelens.analyses import expressions, prime_waves, symbolic
from primelens.studies.zeros import prime_waves_reading as reading

LEAST = 12  # primes found, for a search
SHORT = 10  # the longest formula kept, given p alone
WHOLE, SEEDS = 16, 4  # the same given p and x, and its searches


def formulas(read, table, prime_Q, height: float, settings) -> tuple[dict, ...]:
  """Returns a record of every short formula, and of the fitted power.

  For the truth, networks and the adaptive filter with enough primes found
  (lines of fixed filters are an echo): shown every other one of these, tested
  on all other primes, most of them larger. `given` has the features' names.
  `power` and `factor` are of the fit factor p^power (the law: -1/2 and 1/pi)
  to the amplitudes over 2 |sin| at the primes found, with the power's standard
  error.
  """
  if not settings.symbolic:
    return ()
  p_Q = np.asarray(prime_Q, np.float64)
  x_Q = prime_waves.mean_spacing(height) * np.log(p_Q)
  rows = []
  for e, row in enumerate(table[: len(read.max_t_ExQ)]):
    found_Q = read.max_t_ExQ[e] < reading.LEVEL
    wanted = row["kind"] in ("truth", "network", "adaptive")
    if not wanted or found_Q.sum() < LEAST:
      continue
    size_Q = read.amplitude_ExQ[e]
    bare_Q = size_Q / (2 * np.abs(np.sin(x_Q / 2)))
    origin = {"name": row["name"], "kind": row["kind"]}
    origin |= {"found": int(found_Q.sum())}
    origin |= _power(p_Q[found_Q], bare_Q[found_Q])
    shown_Q = np.zeros(len(p_Q), bool)
    shown_Q[np.flatnonzero(found_Q)[::2]] = True
    seeds = range(settings.seed, settings.seed + SEEDS)
    fronts = {"p": _search({"p": p_Q}, bare_Q, shown_Q, SHORT, seeds[:1])}
    if row["kind"] == "truth":
      both = {"p": p_Q, "x": x_Q}
      fronts["p, x"] = _search(both, size_Q, shown_Q, WHOLE, seeds)
    rows += [
      origin | {"given": given} | record for given, front in fronts.items() for record in front
    ]
  return tuple(rows)


def _power(p_Q, size_Q) -> dict[str, float]:
  (power, level), covariance = np.polyfit(np.log(p_Q), np.log(size_Q), 1, cov=True)
  error = np.sqrt(covariance[0, 0])
  factor = np.exp(level)
  return {"power": float(power), "power_error": float(error), "factor": float(factor)}


def _search(features, size_Q, shown_Q, longest: int, seeds) -> list[dict]:
  """Returns the front of the searches with some seeds, on the primes shown."""
  feature_QxF = np.stack(list(features.values()), 1)
  records = [
    record
    for seed in seeds
    for record in symbolic.search(
      feature_QxF[shown_Q],
      size_Q[shown_Q],
      names=tuple(features),
      test_feature_NxQ=feature_QxF[~shown_Q],
      test_target_N=size_Q[~shown_Q],
      seed=seed,
    )
  ]
  front = symbolic.front(records, variance=float(np.var(size_Q[shown_Q])))
  return [record for record in front if record["complexity"] <= longest]


def best(rows) -> dict:
  """Returns the formula with the least BIC on the primes it was shown."""
  shown = rows[0]["found"] / 2
  bic = lambda row: shown * np.log(row["train_mse"]) + row["complexity"] * np.log(shown)
  return min(rows, key=bic)


def falls(row) -> bool:
  """Returns whether a formula of p goes on as 1 / sqrt(p), from 1,000 to 4,000
  within a tenth.

  The formula is that of a stored result: it is parsed, never evaluated as code. Raises
  `ValueError` for a text that is none.
  """
  tree = expressions.parse(row["exact"])
  at = lambda p: float(expressions.evaluate(tree, {"p": np.array(float(p))}))
  return bool(abs(2 * at(4_000) / at(1_000) - 1) < 0.1)


def near(row) -> bool:
  """Returns whether a power of p that is well known is the law's."""
  error = row["power_error"]
  return bool(abs(row["power"] + 0.5) < max(0.02, 3 * error) and error < 0.03)
