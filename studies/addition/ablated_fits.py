"""Fits of the prediction that PC1 alone gives, and of its error (A22-A27).

What a fit is worth is here how often it, rounded to a class, is the ablated
network's prediction, and how often it is the label: the targets are sums, not
logits, so there is no cross-entropy.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import features, least_squares, principal, regression
from primelens.lens import numbers as reported
from primelens.lens.numbers import Reported
from primelens.studies.addition import fits, tables
from primelens.studies.addition.tables import KEEP

LINES = {"thirds": (2 / 3, 3.0), "identity": (1.0, 0.0)}  # slope, constant
FITS = {
  "prediction_sum": fits.Fit("A22", "prediction", "a + b"),
  "prediction_digits": fits.Fit("A23", "prediction", "a, b"),
  "error_pc2": fits.Fit("A24", "truth - prediction", "PC2(a), PC2(b)"),
  "error_pc2_quadratic": fits.Fit("A25", "truth - prediction", "PC2(a), PC2(b) to degree 2"),
  "prediction_squares": fits.Fit("A26", "prediction", "a + b, a^2, b^2"),
  "prediction_quadratic": fits.Fit("A27", "prediction", "a, b to degree 2"),
  "prediction_additive": fits.Fit("A27", "prediction", "f(a) + g(b), one-hot: control"),
  "error_additive": fits.Fit("A25", "truth - prediction", "f(a) + g(b), one-hot: control"),
  "error_poly2": fits.Fit("A25", "truth - prediction", "PC1, PC2 of a, b to degree 2: control"),
  "error_quartic": fits.Fit("A25", "truth - prediction", "a, b to degree 4: control"),
}
FUNCTION = {
  "says_prediction": "share of pairs whose rounded fit is the prediction; for "
  "a fitted error, whose label less it is",
  "says_truth": "share of pairs whose rounded fit is the label; for a fitted "
  "error, whose prediction plus it is",
  "test_says_prediction": "the same, fitted on train, test pairs: prediction",
  "test_says_truth": "the same, fitted on train, test pairs: label",
}
REPORTED = {
  "sum_slope": Reported("A22", "slope on a + b", "not done", 0.8945),
  "sum_constant": Reported("A22", "constant", "not done", 0.929, KEEP),
  "sum_mse": Reported("A22", "mean squared error", "not done", 0.916, KEEP),
  "prediction_sum_r2": Reported("A22", "R2, prediction on a + b", "about 0.93", 0.9351),
  "thirds_r2": Reported(
    "A22",
    "R2 of the line 2/3 (a + b) + 3, not fitted",
    "compared",
    0.8744,
    remark="Recomputed: from the recomputed map.",
  ),
  "identity_r2": Reported(
    "A22",
    "R2 of the line a + b, not fitted",
    "compared",
    0.9221,
    remark="Recomputed: from the recomputed map.",
  ),
  "thirds_says_prediction": Reported(
    "A22", "share of predictions on 2/3 (a + b) + 3, rounded", "not done", None
  ),
  "identity_says_prediction": Reported(
    "A22", "share of predictions on a + b", "not done", 0.39, KEEP
  ),
  "slope_a": Reported("A23", "slope on a", "as A22", 0.8945),
  "slope_b": Reported("A23", "slope on b", "as A22", 0.8945),
  "prediction_digits_r2": Reported("A23", "R2, prediction on a, b", "about 0.93", 0.9351),
  "error_pc2_r2": Reported("A24", "R2, error on PC2", "failed", 0.0013),
  "error_pc2_quadratic_r2": Reported("A25", "R2, error on PC2 to degree 2", "failed", 0.0015),
  "prediction_squares_r2": Reported("A26", "R2, prediction on a + b, a^2, b^2", "no gain", 0.9352),
  "prediction_quadratic_r2": Reported(
    "A27", "R2, prediction on a, b to degree 2", "no gain", 0.9353
  ),
  **{
    f"{key}_r2": Reported(entry.item, f"R2, {entry.target} on {entry.design}", "not done", None)
    for key, entry in FITS.items()
    if "control" in entry.design
  },
}


def readings(embedding_PxD, prediction_N, member) -> dict:
  """Returns the fits of the ablated prediction and of its error (A22-A27).

  The scores of FITS, coefficients and given lines as "value", and what the
  fits of A23 and A27 leave.
  """
  digits = len(embedding_PxD)
  said_N = prediction_N.astype(jnp.float32)
  design_RxNxQ = designs(embedding_PxD)
  of_error_R = jnp.array([key.startswith("error") for key in FITS])
  each = lambda design_NxQ, of_error: _score(design_NxQ, of_error, said_N, member)
  # One program for all fits: a decomposition is slow to compile.
  scored_R, coefficient_RxQ, left_RxN = jax.vmap(each)(design_RxNxQ, of_error_R)
  scored, coefficient, left = {}, {}, {}
  for row, key in enumerate(FITS):
    scored[key] = jax.tree.map(lambda leaf_R, row=row: leaf_R[row], scored_R)
    coefficient[key], left[key] = coefficient_RxQ[row], left_RxN[row]
  sum_N = design_RxNxQ[list(FITS).index("prediction_sum"), :, 1]
  return {
    "fits": scored,
    "line": coefficient["prediction_sum"][:2],
    "residual": features.grid(left["prediction_digits"], digits),
    "quadratic_residual": features.grid(left["prediction_quadratic"], digits),
    "value": {
      "sum_constant": coefficient["prediction_sum"][0],
      "sum_slope": coefficient["prediction_sum"][1],
      "sum_mse": jnp.mean(left["prediction_sum"] ** 2),
      "slope_a": coefficient["prediction_digits"][1],
      "slope_b": coefficient["prediction_digits"][2],
      **_given_lines(said_N, sum_N),
      **{f"{key}_r2": scored[key]["r2_mean"] for key in FITS},
    },
  }


def designs(embedding_PxD) -> jax.Array:
  """Returns the designs of FITS, RxNxQ, filled up with columns of zeros."""
  digits = len(embedding_PxD)
  score_PxQ = principal.pca(embedding_PxD).score_NxQ[:, :2]
  pair_Nx2 = features.pairs(jnp.arange(digits, dtype=jnp.float32)[:, None])
  second_Nx2 = features.pairs(score_PxQ[:, 1:])
  sum_Nx1 = pair_Nx2.sum(1, keepdims=True)
  additive_NxQ = features.additive(digits)
  squares_NxQ = jnp.concatenate([features.monomials(sum_Nx1, 1), pair_Nx2**2], axis=1)
  scaled_Px1 = jnp.linspace(-1, 1, digits)[:, None]
  design = {
    "prediction_sum": features.monomials(sum_Nx1, 1),
    "prediction_digits": features.monomials(pair_Nx2, 1),
    "error_pc2": features.monomials(second_Nx2, 1),
    "error_pc2_quadratic": features.monomials(second_Nx2, 2),
    "prediction_squares": squares_NxQ,
    "prediction_quadratic": features.monomials(pair_Nx2, 2),
    "prediction_additive": additive_NxQ,
    "error_additive": additive_NxQ,
    "error_poly2": features.monomials(features.pairs(score_PxQ), 2),
    "error_quartic": features.monomials(features.pairs(scaled_Px1), 4),
  }
  widest = max(design_NxQ.shape[1] for design_NxQ in design.values())
  padded = lambda x_NxQ: jnp.pad(x_NxQ, ((0, 0), (0, widest - x_NxQ.shape[1])))
  return jnp.stack([padded(design[key]) for key in FITS])


def _score(design_NxQ, of_error, said_N, member):
  """Returns R2 in and out of sample with FUNCTION, the coefficients and what
  is left, of the fit of the prediction or of its error (traced flag)."""
  label_N, test_N = member.label_N, member.test_N
  target_N = jnp.where(of_error, label_N - said_N, said_N)
  target_Nx1 = target_N[:, None]
  found = fits.score(design_NxQ, target_Nx1, member)
  everything = least_squares.fit(design_NxQ, target_Nx1)
  outside = least_squares.fit(design_NxQ, target_Nx1, member.train_N)
  for prefix, fit, rows in (("", everything, slice(None)), ("test_", outside, test_N)):
    fit_N = fit.prediction_NxF[:, 0]
    prediction_N = jnp.where(of_error, label_N - fit_N, fit_N)
    truth_N = jnp.where(of_error, said_N + fit_N, fit_N)
    says = lambda guess_N, class_N, rows=rows: jnp.mean((jnp.round(guess_N) == class_N)[rows])
    found[f"{prefix}says_prediction"] = says(prediction_N, said_N)
    found[f"{prefix}says_truth"] = says(truth_N, label_N)
  left_N = target_N - everything.prediction_NxF[:, 0]
  return found, everything.coefficient_QxF[:, 0], left_N


def _given_lines(said_N, sum_N) -> dict:
  """Returns R2 of the lines that nobody fitted, and how often they round to
  the prediction (A22)."""
  value = {}
  for name, (slope, constant) in LINES.items():
    line_N = slope * sum_N + constant
    value[f"{name}_r2"] = regression.r2(said_N, line_N)
    value[f"{name}_says_prediction"] = jnp.mean(jnp.round(line_N) == said_N)
  return value


def records(
  run, found: Mapping[str, Mapping[str, np.ndarray]], null: Mapping[str, Mapping[str, np.ndarray]]
) -> tuple[dict, ...]:
  """Returns `fits.records` with the columns of FUNCTION, of ours and null."""
  at = tables.reference(run)
  rows = []
  for row in fits.records(run, FITS, found, null):
    key = row["fit"]
    for name in FUNCTION:
      row |= reported.columns(name, found[key][name], null[key][name], at)
    rows.append(row)
  return tuple(rows)
