"""A result of the slice `linear` by hand, which claims of two slices read."""

import numpy as np
from primelens.analyses import statistics
from primelens.lens import results
from primelens.studies.zeros import linear


def by_hand(lags=(-0.4467, -0.2819, -0.1586), r2=0.178, seeds=2, count=20, words=None):
  """Returns a result whose truth has these three coefficients, and zeros further back.

  `r2` is what three lags of the truth explain; `words` stand for its predictor.
  """
  truth_Q = np.append(lags, np.zeros(count - 3))
  around = lambda by: statistics.Interval(truth_Q, truth_Q - by, truth_Q + by)
  orders = [3, count] if count > 3 else [3]
  coefficient = np.full((2, len(orders), count), np.nan)
  for p, order in enumerate(orders):
    coefficient[0, p, :order] = truth_Q[:order]
    coefficient[1, p, :order] = -0.2
  total = [[sum(lags), -2.9], [-0.9, -2.5]]
  score = {"predictor": words or "OLS of the truth, 3 lags", "mse": 0.1, "r2": r2}
  scores = results.rows("scores", [score | {"correlation": 0.44}], linear.SCORES)
  variables = {
    **results.with_interval("truth", "lag", around(0.01), "coefficient"),
    **results.with_interval("mean_model", "lag", around(0.02), "coefficient"),
    "model": results.variable("seed lag", np.tile(truth_Q, (seeds, 1)), "coefficient"),
    "jacobian": results.variable("seed lag", np.tile(truth_Q, (seeds, 1)), "derivative"),
    "coefficient": results.variable("regressed order lag", coefficient, "coefficient"),
    "coefficient_sum": results.variable(
      "regressed order", np.array(total)[:, : len(orders)], "sum"
    ),
    "r2": results.variable("regressed order", [[0.2] * len(orders), [0.3] * len(orders)], "R2"),
    **scores,
  }
  coords = {
    "seed": np.arange(seeds),
    "lag": results.variable("lag", 1 + np.arange(count), "lag (spacings back)"),
    "order": results.variable("order", orders, "order p"),
    "regressed": ["truth", "model"],
  }
  return results.dataset(variables, coords, samples=7)
