"""Results of gue, prime_lines and predictors by hand, as claims read them."""

from types import SimpleNamespace

import numpy as np

LIMIT_Q = np.array([-0.3084, -0.0772, -0.0331])


def gue(lag1=-0.349, error=0.0005, slope=-0.8, slope_error=0.05, z=(-115, -91)):
  """Returns correlations of the zeros, by height and beside references."""
  excess = lag1 / LIMIT_Q[0] - 1
  zeros = {"lag1": lag1, "variance": 0.166, "variance_error": 2e-4}
  for lag, value in ((1, excess), (2, -0.03), (3, 0.0)):
    zeros |= {f"lag{lag}_excess": value, f"lag{lag}_excess_error": 0.002}
  tail = {"variance_excess": -0.069}
  fits = [
    {"form": form, "first": -0.28, "first_error": 0.01}
    | {"statistic": "lag 1", "second": slope, "second_error": slope_error}
    for form in ("a + b/ln^2", "a + b/ln")
  ]
  berry = {"slope": 0.01, "high": -0.345, "low": -0.35, "bin_error": 0.002}
  berry |= {"p": 0.75, "supported": False}
  return SimpleNamespace(
    references=(
      {"sequence": "zeros", "variance_excess": -0.077} | zeros,
      {"sequence": "zeros, last tenth"} | tail,
      {"sequence": "GUE, unfolded as_published", "lag1": -0.291},
    ),
    limit_Q=LIMIT_Q,
    limit_variance=0.18,
    fits=tuple(fits),
    berry=tuple({"sequence": s} | berry for s in ("zeros, last tenth", "zeros")),
    shuffles=tuple(
      {"sequence": name, "z": value, "spacings": 1000}
      for name, value in zip(("zeros", "CUE"), z, strict=True)
    ),
    correlation_PxQ=np.array([[-0.41, -0.1, 0.0], [lag1, -0.08, -0.03]]),
    error_PxQ=np.full((2, 3), error),
    height_P=np.array([500.0, 8e5]),
  )


def prime_lines(found=90, correlation=0.989):
  """Returns the lines of 430 primes in two stretches."""
  row = {"max_t": found, "primes": 430, "correlation": correlation}
  row |= {"share_above_composites": 0.28}
  return SimpleNamespace(
    summary=(row, row | {"max_t": found + 9}),
    overall=({"quantity": "slope", "mean": 0.77}, {"quantity": "correlation", "mean": correlation}),
    nulls=({"null": "CUE at these heights", "largest": 0.02},),
    prime_Q=np.array([2, 2999]),
    amplitude_PxQ=np.array([[0.08, 0.01], [0.12, 0.01]]),
    spacings=20_000,
  )


def predictors(model=-0.56, explains=0.12, marginal=0.51, sine=0.42):
  """Returns a network beside the sine process's predictor and filters."""
  rows = []
  for name, nll, r2, part in (
    ("model (e0)", model, 0.86, 1.0),
    ("sine process, 3 lags", sine, 0.18, explains),
    ("marginal (KDE)", marginal, 0.0, 0.0),
    ("AR(64)", 0.03, 0.62, 0.66),
  ):
    row = {"name": name, "nll_nats": nll, "r2": r2, "explains": part}
    ends = (("low", -0.01), ("high", 0.01))
    row |= {end: nll + by for end, by in ends}
    for key in ("r2", "explains"):
      row |= {f"{key}_{end}": row[key] + by for end, by in ends}
    rows.append(row)
  return SimpleNamespace(table=tuple(rows))


def table() -> dict:
  """Returns all three, by analysis."""
  return {"gue": gue(), "prime_lines": prime_lines(), "predictors": predictors()}
