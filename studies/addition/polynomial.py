"""Analysis `polynomial`: how far polynomials of the PCs describe the network.

Items A46-A53, A56-A58 and A61 of the addition spec, with the controls of A63.
A high R2 is not a function: beside each stands what the logits are worth that
the network makes of the fitted values.
"""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
from primelens.analyses import features, least_squares, principal
from primelens.studies.addition import (
  fits,
  network,
  polynomial_fits,
  polynomial_reported,
  ranks,
  tables,
  untrained,
)
from primelens.studies.addition import polynomial_coefficients as coefficients

REPORTED = polynomial_reported.REPORTED
DRAWN = ("r2_median", "heldout_median", "accuracy", "test_accuracy")


@dataclasses.dataclass(frozen=True)
class Result:
  """Fits on polynomials of the digits, their logits and their coefficients.

  `fits` has a record per target and design (`polynomial_fits.FITS`), with the
  logits that the whole network makes of it, `simulated` one per fit of z or h
  and path, whose R2 are those of the logits; M are the fits, in that order.

  `coefficients` has the reference member's (else the first's) statistics of
  each feature of Poly2 by group of neurons, and of the two strongest at
  (0, 0) (A47, A48); E are the groups, Q the features, NaN for a group without
  neurons. `best_logit` has that member's coefficients of its best fitted
  logit on Poly2 and on the features published as symmetric, by falling
  magnitude (A57, A58).

  `logit_r2_SxV` is R2 per logit (A56), the `_SxF` R2 per neuron of z on Poly2
  (A46) and on the published symmetric features (A50), and of h on Poly2
  (A52). The `_NxV` are one member's logits: its own, those of its MLP path,
  and those simulated through that path from z and h on Poly2 (A51, A53).
  `share_SxPxR` are shares of squared singular values of each of `spaces`, and
  `up_SxR` the singular values of W_in (A61).
  """

  table: tuple[dict, ...]
  fits: tuple[dict, ...]
  simulated: tuple[dict, ...]
  coefficients: tuple[dict, ...]
  best_logit: tuple[dict, ...]
  spaces: tuple[dict, ...]
  r2_median_SxM: np.ndarray
  heldout_median_SxM: np.ndarray
  accuracy_SxM: np.ndarray
  test_accuracy_SxM: np.ndarray
  coefficient_mean_SxExQ: np.ndarray
  coefficient_deviation_SxExQ: np.ndarray
  coefficient_magnitude_SxExQ: np.ndarray
  group_size_SxE: np.ndarray
  logit_r2_SxV: np.ndarray
  logit_heldout_r2_SxV: np.ndarray
  pre_r2_SxF: np.ndarray
  sums_r2_SxF: np.ndarray
  post_r2_SxF: np.ndarray
  logit_NxV: np.ndarray
  mlp_NxV: np.ndarray
  simulated_pre_NxV: np.ndarray
  simulated_post_NxV: np.ndarray
  share_SxPxR: np.ndarray
  untrained_share_SxPxR: np.ndarray
  up_SxR: np.ndarray
  untrained_up_SxR: np.ndarray


def measure(model, params, member, token_Nx3, *, random_RxPx2) -> dict:
  """Returns fits, coefficients and ranks of one member, traced.

  `random_RxPx2` are draws of two random functions of the digit, the matched
  null of the two principal scores.
  """
  read = network.read(model, params, token_Nx3)
  found = principal.oriented(principal.pca(read.embedding_PxD))
  score_Px2 = found.score_NxQ[:, :2]
  design_VxNxQ = polynomial_fits.designs(score_Px2, random_RxPx2)
  sum_N = token_Nx3[:, :2].sum(1)
  coefficient = coefficients.measure(read, member, features.pairs(score_Px2), sum_N * 1.0)
  simulated_NxV = coefficient["simulated_pre_NxV"]
  return {
    "fits": polynomial_fits.scores(read, member, design_VxNxQ),
    "simulated": polynomial_fits.simulations(read, member, design_VxNxQ),
    "coefficient": coefficient,
    "rank": ranks.measure(params, read),
    "logit_NxV": read.logit_NxV,
    "value": {
      "simulated_mse": jnp.mean((read.logit_NxV - simulated_NxV) ** 2),
      "simulated_mlp_r2": least_squares.r2_overall(coefficient["mlp_NxV"], simulated_NxV),
      "exact_nll": network.nll(read.logit_NxV, member.label_N),
      "dead": jnp.sum(jnp.all(read.post_NxF == 0, axis=0)),
    },
  }


def run(run) -> Result:
  """Returns the fits of every member, with their controls."""
  rng = np.random.default_rng(run.settings.seed)
  digits = run.experiment.task.digits
  draws = rng.normal(size=(run.settings.random_directions, digits, 2))
  each = functools.partial(measure, random_RxPx2=np.float32(draws))
  found, null = map(_named, untrained.beside(each, run))
  at = tables.reference(run) or 0
  return Result(
    table=_table(run, found, null),
    fits=fits.records(run, polynomial_fits.FITS, found["fits"], null["fits"]),
    simulated=fits.records(run, polynomial_fits.SIMULATED, found["simulated"], null["simulated"]),
    spaces=tuple({"space": words} for words in ranks.SPACES.values()),
    logit_NxV=found["logit_NxV"][at],
    share_SxPxR=found["rank"]["share_PxR"],
    untrained_share_SxPxR=null["rank"]["share_PxR"],
    up_SxR=found["rank"]["up_R"],
    untrained_up_SxR=null["rank"]["up_R"],
    **_drawn(found["fits"]),
    **_coefficients(found["coefficient"], at),
  )


def _named(found: dict) -> dict:
  """Returns what `measure` gave of every member, with its fits by name."""
  return found | {
    "fits": polynomial_fits.named_scores(found["fits"]),
    "simulated": polynomial_fits.named_simulations(found["simulated"]),
  }


def _drawn(measures: dict) -> dict:
  """Returns the measures that the figure shows, SxM each."""
  return {f"{name}_SxM": _stack(measures, name) for name in DRAWN}


def _stack(measures: dict, name: str) -> np.ndarray:
  """Returns one measure of all fits: SxM."""
  rows = [measures[fit][name] for fit in polynomial_fits.FITS]
  return np.stack(rows, axis=1)


def _coefficients(found: dict, at: int) -> dict:
  """Returns the fields of `Result` about coefficients; `at` is the member
  whose own are tabulated."""
  return {
    "coefficients": _statistics(found, at),
    "best_logit": _sorted(found, at),
    "coefficient_mean_SxExQ": found["mean_ExQ"],
    "coefficient_deviation_SxExQ": found["deviation_ExQ"],
    "coefficient_magnitude_SxExQ": found["magnitude_ExQ"],
    "group_size_SxE": found["size_E"],
    "logit_r2_SxV": found["logit_r2_V"],
    "logit_heldout_r2_SxV": found["logit_heldout_V"],
    "pre_r2_SxF": found["pre_r2_F"],
    "sums_r2_SxF": found["sums_r2_F"],
    "post_r2_SxF": found["post_r2_F"],
    "mlp_NxV": found["mlp_NxV"][at],
    "simulated_pre_NxV": found["simulated_pre_NxV"][at],
    "simulated_post_NxV": found["simulated_post_NxV"][at],
  }


def _statistics(found: dict, at: int) -> tuple[dict, ...]:
  """Returns a record per group of neurons and feature (A47, A48)."""
  names = list(coefficients.GROUPS) + [
    f"{words}: {int(neuron)}"
    for words, neuron in zip(coefficients.NEURONS, found["neuron_2"][at], strict=True)
  ]
  return tuple(
    {
      "group": name,
      "neurons": int(found["size_E"][at, row]),
      "feature": feature,
      "mean": float(found["mean_ExQ"][at, row, q]),
      "deviation": float(found["deviation_ExQ"][at, row, q]),
      "magnitude": float(found["magnitude_ExQ"][at, row, q]),
    }
    for row, name in enumerate(names)
    for q, feature in enumerate(polynomial_fits.FEATURES)
  )


def _sorted(found: dict, at: int) -> tuple[dict, ...]:
  """Returns the best logit's coefficients by falling magnitude (A57, A58)."""
  rows = []
  for design, names, value in (
    ("poly2", polynomial_fits.FEATURES, found["best_Q"][at]),
    ("sums", polynomial_fits.SUMS, found["best_sums_6"][at]),
  ):
    rows += [
      {
        "logit": int(found["best"][at]),
        "design": design,
        "feature": names[q],
        "coefficient": float(value[q]),
      }
      for q in np.argsort(-np.abs(value), kind="stable")
    ]
  return tuple(rows)


def _table(run, found: dict, null: dict) -> tuple[dict, ...]:
  """Returns the table; keys "untrained/..." are of the untrained networks."""
  value_S, null_S = _values(found), _values(null)
  value_S |= {f"untrained/{key}": x_S for key, x_S in null_S.items()}
  chosen = {key: value_S[key] for key in REPORTED}
  return tables.rows(run, REPORTED, chosen, null_S)


def _values(found: dict) -> dict:
  """Returns every number that a table may name, by its key."""
  value = {
    f"{fit}/{measure}": x_S
    for fits_of in (found["fits"], found["simulated"])
    for fit, measures in fits_of.items()
    for measure, x_S in measures.items()
  }
  return (
    value | found["value"] | coefficients.values(found["coefficient"]) | ranks.values(found["rank"])
  )
