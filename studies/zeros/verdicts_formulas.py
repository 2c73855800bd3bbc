"""Verdicts on formulas and filters: any run decides a claim on the data."""

import math

from primelens.lens.claims import Verdict
from primelens.studies.zeros import published


def _closed(results, family: str) -> dict:
  """Returns the rows of one closed form by target."""
  rows = published.first(results, "formula").closed
  return {row["target"]: row for row in rows if row["family"] == family}


def pi(results) -> Verdict:
  """c of c/(s1 + s2 + s3) for the truth, CUE and shuffled data."""
  rows = _closed(results, "c / sum of 3 lags")
  numbers = {f"c, {target}": row["c"] for target, row in rows.items()}
  text = "; ".join(
    f"{target} {row['c']:.3f} [{row['low']:.3f}, {row['high']:.3f}] with mean "
    f"{row['mean_target']:.3f}"
    for target, row in rows.items()
  )
  by_height = [row["c"] for row in published.first(results, "formula").heights]
  holds = rows["truth"]["low"] <= math.pi <= rows["truth"]["high"]
  return Verdict(
    status="reproduced" if holds else "not reproduced",
    because=f"Least-squares c: {text}. Three spacings sum to 3 on average, "
    "and the more that sum varies the further c falls below 3: least for the "
    "truth and CUE, most for shuffled spacings. A model whose mean is too "
    "large by a factor gives a c too large by that factor. On "
    f"{len(by_height)} stretches by height the truth's c is "
    f"{min(by_height):.3f} to {max(by_height):.3f}.",
    numbers=numbers,
  )


def four(results) -> Verdict:
  """c of four lags: near 4 - 0.05, not pi."""
  row = _closed(results, "c / sum of 4 lags")["truth"]
  holds = row["low"] <= math.pi <= row["high"]
  return Verdict(
    status="reproduced" if holds else "not reproduced",
    because=f"For four lags the truth gives c = {row['c']:.3f} "
    f"[{row['low']:.3f}, {row['high']:.3f}]: it follows the number of lags.",
    numbers={"c, truth, 4 lags": row["c"]},
  )


def better_than_linear(results) -> Verdict:
  """The product form against AR(3), both fitted on select, scored on test."""
  product = _closed(results, "c / sum of 3 lags")["truth"]
  scores = {r["predictor"]: r for r in published.first(results, "linear").scores}
  linear = scores["OLS of the truth, 3 lags"]
  wins = product["test_r2"] > linear["r2"]
  return Verdict(
    status="reproduced" if wins else "not reproduced",
    because=f"On the truth, held out: c/(s1+s2+s3) explains R2 "
    f"{product['test_r2']:.3f} (correlation "
    f"{product['test_correlation']:.3f}), three linear coefficients "
    f"{linear['r2']:.3f}. 0.382 was a correlation, so 0.15 of the variance.",
    numbers={"R2, c/(s1+s2+s3)": product["test_r2"], "R2, AR(3)": linear["r2"]},
  )


def operator(results) -> Verdict:
  """AR(3) of the truth alone has the published coefficients."""
  by_order = {r["order"]: r for r in published.first(results, "linear").sums}
  three, longest = by_order[3], by_order[max(by_order)]
  ours = [three[f"truth_lag{k}"] for k in (1, 2, 3)]
  gaps = [abs(a - b) for a, b in zip(ours, published.OPERATOR, strict=True)]
  close = max(gaps) < 0.05
  numbers = {f"truth, lag {k}": ours[k - 1] for k in (1, 2, 3)} | {
    "sum, 3 lags": three["truth_sum"],
    f"sum, {longest['order']} lags": longest["truth_sum"],
    "model, sum of 3 lags": three["model_sum"],
  }
  return Verdict(
    status="reproduced, but an artefact" if close else "not reproduced",
    because="Least squares of the true residuals alone, no network, gives "
    + ", ".join(f"{value:.3f}" for value in ours)
    + f"; their sum is {three['truth_sum']:.3f} with 3 lags and "
    f"{longest['truth_sum']:.3f} with {longest['order']}: it depends on the "
    "order and is no constant.",
    numbers=numbers,
  )
