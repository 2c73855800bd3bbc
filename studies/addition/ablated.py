"""What one member says with PC1 alone kept, or without its direct path.

Items A18-A21 of the addition spec, and A22-A27 through `ablated_fits`.
"Prediction" is the class that the ablated network gives, "boost" the full
logit less the ablated one.
"""

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import features, least_squares
from primelens.lens.numbers import Reported
from primelens.studies.addition import ablated_fits, network, variants
from primelens.studies.addition.tables import KEEP

# Logits and losses at the floor repeat less well than shares do.
LOGIT, LOSS = 0.05, 0.5  # of the number
NOT_DONE = "not done"
# A21's recomputed error map, row a = 0 first: an independent check.
ERROR_MAP = np.array(
  [
    [3, 2, 1, 1, 1, 1, 1, 1, 1, 0],
    [2, 1, 0, 0, 0, 0, 0, 1, 0, -1],
    [1, 0, -1, -1, -1, -1, 0, 0, 0, -1],
    [1, 0, -1, -2, -2, -1, 0, 0, 0, -1],
    [1, 0, -1, -2, -2, 0, 1, 0, 0, -1],
    [1, 0, -1, -1, 0, 1, 2, 1, 0, -1],
    [1, 0, 0, 0, 1, 2, 2, 1, 0, -1],
    [1, 1, 0, 0, 0, 1, 1, 0, 0, -1],
    [1, 0, 0, 0, 0, 0, 0, 0, -1, -2],
    [0, -1, -1, -1, -1, -1, -1, -1, -2, -3],
  ]
)
STATISTICS = ("count", "mean", "std", "min", "25%", "50%", "75%", "max")
COLUMNS = ("boost_true", "boost_predicted", "full_logit", "ablated_logit")
GROUPS = ("all", "failed", "right")


def about(item, quantity, source, number, part) -> Reported:
  """Returns what was reported, with a part of the number as tolerance."""
  return Reported(item, quantity, source, number, part * abs(number))


REPORTED = {
  "failures": Reported(
    "A18", "inputs that fail with PC1 alone", "58, from the accuracy", 61, 100 * KEEP
  ),
  "failure_symmetry": Reported(
    "A18", "share of (a, b) that fail as (b, a) does", "symmetric", 1.0, KEEP
  ),
  "zero_fails": Reported(
    "A18", "share of (0, 1)...(0, 8) and mirrored that fail", "all", 1.0, KEEP
  ),
  "mixed_right": Reported("A18", "share of (0, 9), (9, 0) that succeed", "both", 1.0, KEEP),
  "full_nll_nats": about("A19", "loss, nothing removed", "small", 3.3e-8, LOSS),
  "mlp_accuracy": Reported("A19", "accuracy, no direct path", "no drop", 1.0, KEEP),
  "mlp_nll_nats": about(
    "A19", "loss, no direct path", "a few orders of magnitude up, still small", 8.9e-5, LOSS
  ),
  "mlp_r2": Reported("A19", "R2 of the full logits by those without direct path", NOT_DONE, 0.989),
  "direct_accuracy": Reported("A19", "accuracy, direct path alone", NOT_DONE, None),
  "direct_nll_nats": Reported("A19", "loss, direct path alone", NOT_DONE, None),
  "boost_mean": about("A20", "boost at the label, mean", NOT_DONE, 32.2, LOGIT),
  "boost_sd": about("A20", "boost at the label, sd", NOT_DONE, 62.4, LOGIT),
  "boost_min": about("A20", "boost at the label, smallest", "negative", -113, LOGIT),
  "boost_max": about("A20", "boost at the label, largest", "huge", 309, LOGIT),
  "boost_first": about("A20", "boost at (0, 0)", "huge", 309, LOGIT),
  "boost_last": about("A20", "boost at (9, 9)", "huge", 306, LOGIT),
  "boost_centre": about("A20", "boost at (4, 4)", "moderate", 69, LOGIT),
  "first_prediction": Reported("A21", "prediction at (0, 0)", "3", 3, 0),
  "last_prediction": Reported("A21", "prediction at (9, 9)", "15", 15, 0),
  "largest_error": Reported("A21", "largest |error|", "3", 3, 0),
  "error_mean": Reported("A21", "error, mean", NOT_DONE, -0.02, KEEP),
  "error_sd": Reported("A21", "error, sd", NOT_DONE, 1.05, KEEP),
  "error_symmetry": Reported(
    "A21", "share of equal errors at (a, b), (b, a)", "symmetric", 1.0, KEEP
  ),
  "zero_positive": Reported("A21", "share of errors > 0 where one digit is 0", "all", 1.0, KEEP),
  "nine_negative": Reported("A21", "share of errors < 0 where one digit is 9", "all", 1.0, KEEP),
  "low_interior": Reported(
    "A21",
    "mean error, digits 1-8, sum < 9",
    "under-predicts",
    -0.5,
    0.1,
    "Recomputed: from the recomputed map. Tolerance: three of its 28 cells.",
  ),
  "high_interior": Reported(
    "A21",
    "mean error, digits 1-8, sum > 9",
    "over-predicts",
    0.43,
    0.1,
    "Recomputed: from the recomputed map. Tolerance: three of its 28 cells.",
  ),
  "map_agreement": Reported(
    "A21", "cells equal to the recomputed error map, of 100", NOT_DONE, 100, 100 * KEEP
  ),
}


def measure(model, params, member, token_Nx3) -> dict:
  """Returns all readings of one member, traced."""
  read = network.read(model, params, token_Nx3)
  edits = {"embed": variants.keep_first(read.embedding_PxD)}
  ablated = network.read(model, params, token_Nx3, edits)
  digits = len(read.embedding_PxD)
  prediction_N = jnp.argmax(ablated.logit_NxV, axis=-1)
  error_N = prediction_N - member.label_N
  difference = differences(read.logit_NxV, ablated.logit_NxV, member.label_N, prediction_N)
  found = ablated_fits.readings(read.embedding_PxD, prediction_N, member)
  value = (
    failures(features.grid(error_N, digits), prediction_N)
    | direct_path(read, member.label_N)
    | boosts(features.grid(difference["boost_true"], digits))
    | found.pop("value")
  )
  return found | {
    "value": value,
    "prediction": features.grid(prediction_N, digits),
    "error": features.grid(error_N, digits),
    "label": member.label_N,
    "difference": difference,
    "statistics": statistics(difference, error_N),
  }


def failures(error_PxP, prediction_N) -> dict:
  """Returns how many and which inputs fail, and the error's shape (A18, A21).

  The error is the prediction less the label.
  """
  digits, failed_PxP = len(error_PxP), error_PxP != 0
  a_PxP, b_PxP = jnp.indices(error_PxP.shape)
  low = jnp.minimum(a_PxP, b_PxP) == 0
  high = jnp.maximum(a_PxP, b_PxP) == digits - 1
  mixed = low & high  # (0, 9) and (9, 0)
  inner, sum_PxP = ~low & ~high, a_PxP + b_PxP
  share = lambda true_PxP, where: jnp.mean(true_PxP, where=where)
  value = {
    "failures": failed_PxP.sum(),
    "failure_symmetry": jnp.mean(failed_PxP == failed_PxP.T),
    "zero_fails": share(failed_PxP, low & ~mixed & (sum_PxP > 0)),
    "mixed_right": share(~failed_PxP, mixed),
    "first_prediction": prediction_N[0],
    "last_prediction": prediction_N[-1],
    "largest_error": jnp.abs(error_PxP).max(),
    "error_mean": error_PxP.mean(),
    "error_sd": error_PxP.std(),
    "error_symmetry": jnp.mean(error_PxP == error_PxP.T),
    "zero_positive": share(error_PxP > 0, low & ~mixed),
    "nine_negative": share(error_PxP < 0, high & ~mixed),
    "low_interior": share(error_PxP, inner & (sum_PxP < digits - 1)),
    "high_interior": share(error_PxP, inner & (sum_PxP > digits - 1)),
  }
  if error_PxP.shape == ERROR_MAP.shape:
    value["map_agreement"] = jnp.sum(error_PxP == ERROR_MAP)
  return value


def direct_path(read: network.Network, label_N) -> dict:
  """Returns what the MLP says without the direct path r_mid W_U (A19).

  And, the complement, what the direct path says alone.
  """
  mlp_NxV = network.readout(read, read.post_NxF, skip=False)
  direct_NxV = network.direct(read)
  return {
    "full_nll_nats": network.nll(read.logit_NxV, label_N),
    "mlp_accuracy": network.accuracy(mlp_NxV, label_N),
    "mlp_nll_nats": network.nll(mlp_NxV, label_N),
    "mlp_r2": least_squares.r2_overall(read.logit_NxV, mlp_NxV),
    "direct_accuracy": network.accuracy(direct_NxV, label_N),
    "direct_nll_nats": network.nll(direct_NxV, label_N),
  }


def differences(full_NxV, ablated_NxV, label_N, prediction_N) -> dict:
  """Returns the COLUMNS of A20, each N."""
  at = lambda logit_NxV, class_N: jnp.take_along_axis(logit_NxV, class_N[:, None], axis=1)[:, 0]
  return {
    "boost_true": at(full_NxV - ablated_NxV, label_N),
    "boost_predicted": at(full_NxV - ablated_NxV, prediction_N),
    "full_logit": at(full_NxV, label_N),
    "ablated_logit": at(ablated_NxV, label_N),
  }


def boosts(boost_PxP) -> dict:
  """Returns the numbers that the source gives of the boost at the label."""
  centre = (len(boost_PxP) - 1) // 2
  return {
    "boost_mean": boost_PxP.mean(),
    "boost_sd": boost_PxP.std(ddof=1),
    "boost_min": boost_PxP.min(),
    "boost_max": boost_PxP.max(),
    "boost_first": boost_PxP[0, 0],
    "boost_last": boost_PxP[-1, -1],
    "boost_centre": boost_PxP[centre, centre],
  }


def statistics(difference, error_N) -> dict:
  """Returns the STATISTICS of each of GROUPS and COLUMNS (A20)."""
  mask_RxN = jnp.stack([error_N == error_N, error_N != 0, error_N == 0])
  column_QxN = jnp.stack([difference[name] for name in COLUMNS])
  over_Q = jax.vmap(describe, (0, None))
  value_RxQxV = jax.vmap(over_Q, (None, 0))(column_QxN, mask_RxN)
  return {
    group: dict(zip(COLUMNS, value_QxV, strict=True))
    for group, value_QxV in zip(GROUPS, value_RxQxV, strict=True)
  }


def describe(x_N, mask_N) -> jax.Array:
  """Returns the STATISTICS of the rows of a mask, as pandas' describe()."""
  kept_N = jnp.where(mask_N, x_N, jnp.nan)
  quantile_Q = jnp.nanquantile(kept_N, jnp.linspace(0, 1, 5))
  moments = (mask_N.sum(), jnp.nanmean(kept_N), jnp.nanstd(kept_N, ddof=1))
  return jnp.concatenate([jnp.stack(moments), quantile_Q])
