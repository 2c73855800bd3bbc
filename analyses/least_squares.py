"""Least squares for many targets at once, traced: vmap over seeds, snapshots.

`regression` is the host's float64 fit of one target, with its errors.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from primelens.analyses import decompositions, precision, regression

HIGHEST = jax.lax.Precision.HIGHEST
THRESHOLDS_V = (0.9, 0.95, 0.99, 0.999)


class Fit(NamedTuple):
  """Coefficients of the features and their prediction on every row."""

  coefficient_QxF: jax.Array
  prediction_NxF: jax.Array


class Summary(NamedTuple):
  """R2 over the targets that have one, and how many exceed THRESHOLDS_V."""

  mean: jax.Array
  median: jax.Array
  minimum: jax.Array
  maximum: jax.Array
  above_V: jax.Array


def fit(feature_NxQ, target_NxF, rows=None) -> Fit:
  """Returns the fit that minimises |target - feature . coefficient|^2.

  No intercept is added: the designs of `features` have theirs. `rows` (an
  index) are the rows fitted, by default all; the prediction covers every row,
  so that the others are held out. Columns are brought to unit norm first;
  where the design lacks rank the shortest solution in that scale is meant,
  and the prediction is unique all the same.
  """
  feature_NxQ, target_NxF = precision.wide(feature_NxQ), precision.wide(target_NxF)
  fitted = slice(None) if rows is None else rows
  x_NxQ, y_NxF = feature_NxQ[fitted], target_NxF[fitted]
  norm_Q = jnp.linalg.norm(x_NxQ, axis=0)
  norm_Q = jnp.where(norm_Q > 0, norm_Q, 1)
  scaled_QxF = decompositions.solve(x_NxQ / norm_Q[None], y_NxF)
  coefficient_QxF = scaled_QxF / norm_Q[:, None]
  prediction_NxF = jnp.matmul(feature_NxQ, coefficient_QxF, precision=HIGHEST)
  return Fit(coefficient_QxF, prediction_NxF)


def fit_shortest(feature_NxQ, target_NxF, rows=None, tolerance=None) -> Fit:
  """Returns the fit with an intercept and the shortest coefficients.

  Features and targets about their means over the fitted rows, the features in
  their own scale, as scikit-learn's LinearRegression: where there are more of
  them than rows, the prediction of other rows depends on that, and on which
  singular values count as zero (`tolerance`, see `decompositions.solve`). The
  intercept is in the prediction and not among the coefficients.
  """
  feature_NxQ, target_NxF = precision.wide(feature_NxQ), precision.wide(target_NxF)
  fitted = slice(None) if rows is None else rows
  x_NxQ, y_NxF = feature_NxQ[fitted], target_NxF[fitted]
  x_Q, y_F = x_NxQ.mean(0), y_NxF.mean(0)
  coefficient_QxF = decompositions.solve(x_NxQ - x_Q[None], y_NxF - y_F[None], tolerance)
  prediction_NxF = jnp.matmul(feature_NxQ - x_Q[None], coefficient_QxF, precision=HIGHEST)
  return Fit(coefficient_QxF, prediction_NxF + y_F[None])


def r2_columns(truth_NxF, prediction_NxF) -> jax.Array:
  """Returns R2 of each column; NaN for a constant one (`regression.explained`)."""
  return regression.r2(jnp.asarray(truth_NxF), jnp.asarray(prediction_NxF), axis=0)


def r2_overall(truth_NxF, prediction_NxF) -> jax.Array:
  """Returns one R2 of all entries together, about their global mean."""
  return regression.r2(jnp.asarray(truth_NxF), jnp.asarray(prediction_NxF))


def summary(r2_F) -> Summary:
  """Returns the mean, median, range and counts of R2, NaN columns left out."""
  r2_F = precision.wide(r2_F)
  threshold_V = jnp.array(THRESHOLDS_V, r2_F.dtype)
  return Summary(
    mean=jnp.nanmean(r2_F),
    median=jnp.nanmedian(r2_F),
    minimum=jnp.nanmin(r2_F),
    maximum=jnp.nanmax(r2_F),
    above_V=jnp.sum(r2_F[None] > threshold_V[:, None], axis=1),
  )
