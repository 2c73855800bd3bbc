"""What is left without parts of the digits' vectors, or without the direct path?

The published notebook replaced the vectors of both digits by their first principal component alone
(PC1), called this the removal of the second, and read the fall of accuracy as the need for it. It
then looked at the errors of that network: which inputs fail, how far its prediction is off, which
logits were lost, and whether polynomials of the second component (PC2) explain the error. It also
dropped the direct path, by which the residual stream reaches the logits beside the MLP.

Here single components are removed, too, and random directions of all of the width and of the
digits' span; the mean over digits, zero or other digits take the place of what is removed. Every
fit of the prediction, and of its error, is beside controls that do not know the components. "The
prediction" is the class that the network with PC1 alone gives, "the boost" the logit of the full
network less that with PC1 alone. The items A17 to A27 of docs/sources/addition.md are measured.
"""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import fourier, linear, sweeps
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.addition import network, program

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)
# The recomputed map of the error, row a = 0 first: an independent check.
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
LINES = {"thirds": (2 / 3, 3.0), "identity": (1.0, 0.0)}  # slope, constant; compared, not fitted

obstacle = program.plain

# --- interventions on the vectors of both digits --------------------------------------------------

# A subspace is removed, or all but it. What takes the place of the removed part is an argument.

RANK = 2  # the largest subspace; smaller ones are filled up with zeros
BY = ("mean", "zero", "resample")
BATCH = 96  # (member, intervention) pairs at a time, which bounds the memory


class Variant(NamedTuple):
  """One way to intervene.

  `span` is "components" (those numbered in `component`, from 0), "space"
  (random directions of all D) or "digits" (random directions within the span
  of the centred digits' vectors); `rank` directions are kept or removed.
  """

  item: str
  words: str
  keep: bool
  span: str = "components"
  component: tuple[int, ...] = ()
  rank: int = 1
  by: str = "mean"

  @property
  def random(self) -> bool:
    """Whether it is drawn several times."""
    return self.span != "components" or self.by == "resample"


def variants(digits: int) -> dict[str, Variant]:
  """Returns all variants by name, for a number of digits (A17, A17')."""
  found = {
    "full": Variant("A17", "nothing removed", False),
    "keep_pc1": Variant("A17", "PC1 alone kept", True, component=(0,)),
    "keep_pc12": Variant("A17'", "PC1 and PC2 kept", True, component=(0, 1)),
  }
  for number in range(min(6, digits - 1)):
    found[f"remove_pc{number + 1}"] = Variant(
      "A17'", f"PC{number + 1} removed", False, component=(number,)
    )
  for span, where in (("space", "any"), ("digits", "in the digits' span")):
    for name, words, keep, rank in (
      ("remove_line", "random line removed", False, 1),
      ("remove_plane", "random plane removed", False, 2),
      ("keep_line", "random line kept", True, 1),
      ("keep_plane", "random plane kept", True, 2),
    ):
      found[f"{name}_{span}"] = Variant("A17'", f"{words}, {where}", keep, span, rank=rank)
  for base in ("keep_pc1", "keep_pc12", "remove_pc1", "remove_pc2"):
    for by, words in (("zero", "zero"), ("resample", "other digits'")):
      variant = found[base]
      found[f"{base}_{by}"] = variant._replace(
        item="A17'", words=f"{variant.words}, {words} for the rest", by=by
      )
  return found


class Intervention(NamedTuple):
  """A variant as arrays, so that a stack of them is an axis R.

  The directions are `component_QxK` in the member's own principal components
  plus `direction_DxK`.
  """

  component_QxK: jax.Array | np.ndarray
  direction_DxK: jax.Array | np.ndarray
  keep: jax.Array | np.ndarray
  by: jax.Array | np.ndarray
  key: jax.Array


def stack(
  named: Mapping[str, Variant], digits: int, width: int, draws: int, seed
) -> tuple[Intervention, list[str]]:
  """Returns all interventions, a leading R, and the variant of each.

  A random variant is drawn `draws` times, every draw from its own key, which
  is split from `seed`.
  """
  name_R = [name for name, variant in named.items() for _ in range(draws if variant.random else 1)]
  every = [named[name] for name in name_R]
  component_key_R, space_key_R, by_key_R = jax.random.split(jax.random.key(seed), (3, len(every)))
  # Centred vectors of P digits span P - 1 dimensions, the first components.
  count, span = min(digits, width), min(digits - 1, width)
  fixed_RxQxK = np.zeros((len(every), count, RANK), np.float32)
  drawn_RxQxK, drawn_RxDxK = (
    np.zeros((len(every), size, RANK), np.float32) for size in (count, width)
  )
  for row, variant in enumerate(every):
    for column, number in enumerate(variant.component):
      fixed_RxQxK[row, number, column] = 1
    drawn_RxQxK[row, :span, : variant.rank] = variant.span == "digits"
    drawn_RxDxK[row, :, : variant.rank] = variant.span == "space"
  interventions = Intervention(
    component_QxK=fixed_RxQxK + drawn_RxQxK * np.asarray(_normal(component_key_R, count)),
    direction_DxK=drawn_RxDxK * np.asarray(_normal(space_key_R, width)),
    keep=np.array([variant.keep for variant in every]),
    by=np.array([BY.index(variant.by) for variant in every], np.int32),
    key=by_key_R,
  )
  return interventions, name_R


@functools.partial(jax.jit, static_argnums=1)
def _normal(key_R, size: int) -> jax.Array:
  """Returns standard normal numbers, Rx`size`xRANK."""
  return jax.vmap(lambda key: jax.random.normal(key, (size, RANK)))(key_R)


def score(model, stacked, intervention: Intervention, token_Nx3) -> dict[str, jax.Array]:
  """Returns what one intervention on one member leaves, traced.

  `stacked` is (params, member). Accuracy and cross-entropy of all pairs, and
  the share of the digits' variance about their mean that it removes.
  """
  params, member = stacked
  embedding_PxD = params["embedding"]["embedding"][:-1]
  found = linear.pca(embedding_PxD)
  within_DxK = network.exact(found.direction_QxD.T, intervention.component_QxK)
  directions_DxK = within_DxK + intervention.direction_DxK
  digit_Nx2 = token_Nx3[:, :2]
  # Each operand's column is shuffled on its own.
  other_Nx2 = jax.random.permutation(intervention.key, digit_Nx2, axis=0, independent=True)
  mean_Nx2xD = jnp.broadcast_to(found.mean_D, (*digit_Nx2.shape, len(found.mean_D)))
  replacement_Nx2xD = jnp.stack([mean_Nx2xD, jnp.zeros_like(mean_Nx2xD), embedding_PxD[other_Nx2]])[
    intervention.by
  ]
  edit = network.edit_digits(directions_DxK, replacement_Nx2xD, keep=intervention.keep)
  read = network.read(model, params, token_Nx3, {"embed": edit})
  centred_PxD = embedding_PxD - found.mean_D[None]
  gone_PxD = network.removed(centred_PxD, directions_DxK, intervention.keep)
  return {
    "accuracy": network.accuracy(read.logit_NxV, member.label_N),
    "nll_nats": network.nll(read.logit_NxV, member.label_N),
    "removed_share": jnp.sum(gone_PxD**2) / jnp.sum(centred_PxD**2),
  }


def _sweep(run, named):
  """Returns `score` of trained and of untrained members, SxR, and the variant of each R."""
  task, model = run.experiment.task, run.experiment.model
  settings = run.settings
  intervention_R, name_R = stack(
    named, task.digits, model.trunk.width, settings.random_directions, settings.seed
  )
  device = jax.devices()[0]  # as in `network.over_members`
  of_model = functools.partial(score, model)  # one, so that it is compiled once

  def over(params_S):
    stacked_S = (params_S, network.members(run.pairs))
    data = jax.device_put((stacked_S, intervention_R, run.pairs.token_Nx3), device)
    found = sweeps.over(of_model, *data[:2], batch_size=BATCH, data=data[2:])
    return jax.device_get(found)

  return over(run.params_S), over(run.untrained_S()), name_R


# --- the network with PC1 of both digits alone, and without its direct path -----------------------

STATISTICS = ("count", "mean", "std", "min", "25%", "50%", "75%", "max")
COLUMNS = ("boost_true", "boost_predicted", "full_logit", "ablated_logit")
GROUPS = ("all", "failed", "right")


def first_alone(model, params, member, token_Nx3) -> dict:
  """Returns all readings of one member with PC1 alone, and without direct path, traced."""
  read = network.read(model, params, token_Nx3)
  edits = {"embed": network.keep_first(read.embedding_PxD)}
  ablated = network.read(model, params, token_Nx3, edits)
  digits = len(read.embedding_PxD)
  prediction_N = jnp.argmax(ablated.logit_NxV, axis=-1)
  error_N = prediction_N - member.label_N
  difference = differences(read.logit_NxV, ablated.logit_NxV, member.label_N, prediction_N)
  found = readings(read.embedding_PxD, prediction_N, member)
  value = (
    failures(fourier.pair_grid(error_N, digits), prediction_N)
    | direct_path(read, member.label_N)
    | boosts(fourier.pair_grid(difference["boost_true"], digits))
    | found.pop("value")
  )
  return found | {
    "value": value,
    "prediction": fourier.pair_grid(prediction_N, digits),
    "error": fourier.pair_grid(error_N, digits),
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
    "mlp_r2": linear.r2_overall(read.logit_NxV, mlp_NxV),
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


# --- fits of the prediction and of its error ------------------------------------------------------

# What a fit is worth is here how often it, rounded to a class, is the prediction of the network
# with PC1 alone, and how often it is the label: the targets are sums, not logits, so there is no
# cross-entropy.

FITS = {
  "prediction_sum": network.Fit("A22", "prediction", "a + b"),
  "prediction_digits": network.Fit("A23", "prediction", "a, b"),
  "error_pc2": network.Fit("A24", "truth - prediction", "PC2(a), PC2(b)"),
  "error_pc2_quadratic": network.Fit("A25", "truth - prediction", "PC2(a), PC2(b) to degree 2"),
  "prediction_squares": network.Fit("A26", "prediction", "a + b, a^2, b^2"),
  "prediction_quadratic": network.Fit("A27", "prediction", "a, b to degree 2"),
  "prediction_additive": network.Fit("A27", "prediction", "f(a) + g(b), one-hot: control"),
  "error_additive": network.Fit("A25", "truth - prediction", "f(a) + g(b), one-hot: control"),
  "error_poly2": network.Fit("A25", "truth - prediction", "PC1, PC2 of a, b to degree 2: control"),
  "error_quartic": network.Fit("A25", "truth - prediction", "a, b to degree 4: control"),
}
ERROR_FITS = ("error_pc2", "error_pc2_quadratic")  # whose fitted errors are drawn
FUNCTION = {
  "says_prediction": "share of pairs whose rounded fit is the prediction; for "
  "a fitted error, whose label less it is",
  "says_truth": "share of pairs whose rounded fit is the label; for a fitted "
  "error, whose prediction plus it is",
  "test_says_prediction": "the same, fitted on train, test pairs: prediction",
  "test_says_truth": "the same, fitted on train, test pairs: label",
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
  each = lambda design_NxQ, of_error: _fit_score(design_NxQ, of_error, said_N, member)
  # One program for all fits: a decomposition is slow to compile.
  scored_R, coefficient_RxQ, left_RxN = jax.vmap(each)(design_RxNxQ, of_error_R)
  scored, coefficient, left = {}, {}, {}
  for row, key in enumerate(FITS):
    scored[key] = jax.tree.map(lambda leaf_R, row=row: leaf_R[row], scored_R)
    coefficient[key], left[key] = coefficient_RxQ[row], left_RxN[row]
  sum_N = design_RxNxQ[list(FITS).index("prediction_sum"), :, 1]
  error_N = said_N - member.label_N
  # Targets are the label less the prediction: what is left of them changes sign.
  of_error = lambda key: fourier.pair_grid(error_N + left[key], digits)
  return {
    "fits": scored,
    "line": coefficient["prediction_sum"][:2],
    "residual": fourier.pair_grid(left["prediction_digits"], digits),
    "quadratic_residual": fourier.pair_grid(left["prediction_quadratic"], digits),
    "fitted_error": jnp.stack([of_error(key) for key in ERROR_FITS]),
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
  score_PxQ = linear.pca(embedding_PxD).score_NxQ[:, :2]
  pair_Nx2 = fourier.pair_features(jnp.arange(digits, dtype=jnp.float32)[:, None])
  second_Nx2 = fourier.pair_features(score_PxQ[:, 1:])
  sum_Nx1 = pair_Nx2.sum(1, keepdims=True)
  additive_NxQ = fourier.additive_design(digits)
  squares_NxQ = jnp.concatenate([fourier.monomials(sum_Nx1, 1), pair_Nx2**2], axis=1)
  scaled_Px1 = jnp.linspace(-1, 1, digits)[:, None]
  design = {
    "prediction_sum": fourier.monomials(sum_Nx1, 1),
    "prediction_digits": fourier.monomials(pair_Nx2, 1),
    "error_pc2": fourier.monomials(second_Nx2, 1),
    "error_pc2_quadratic": fourier.monomials(second_Nx2, 2),
    "prediction_squares": squares_NxQ,
    "prediction_quadratic": fourier.monomials(pair_Nx2, 2),
    "prediction_additive": additive_NxQ,
    "error_additive": additive_NxQ,
    "error_poly2": fourier.monomials(fourier.pair_features(score_PxQ), 2),
    "error_quartic": fourier.monomials(fourier.pair_features(scaled_Px1), 4),
  }
  widest = max(design_NxQ.shape[1] for design_NxQ in design.values())
  padded = lambda x_NxQ: jnp.pad(x_NxQ, ((0, 0), (0, widest - x_NxQ.shape[1])))
  return jnp.stack([padded(design[key]) for key in FITS])


def _fit_score(design_NxQ, of_error, said_N, member):
  """Returns R2 in and out of sample with FUNCTION, the coefficients and what
  is left, of the fit of the prediction or of its error (traced flag)."""
  label_N, test_N = member.label_N, member.test_N
  target_N = jnp.where(of_error, label_N - said_N, said_N)
  target_Nx1 = target_N[:, None]
  found = network.fit_scores(design_NxQ, target_Nx1, member)
  everything = linear.fit(design_NxQ, target_Nx1)
  outside = linear.fit(design_NxQ, target_Nx1, member.train_N)
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
    value[f"{name}_r2"] = linear.r2(said_N, line_N)
    value[f"{name}_says_prediction"] = jnp.mean(jnp.round(line_N) == said_N)
  return value


# --- the result -----------------------------------------------------------------------------------

SPANS = {"components": "components", "space": "random, any", "digits": "random, in the span"}


def measure(run) -> xr.Dataset:
  """Returns what every intervention leaves of every member, and PC1 alone in detail.

  The maps (a, b) are of the network with PC1 alone.
  """
  digits = run.experiment.task.digits
  named = variants(digits)
  kept, null_kept, name_R = _sweep(run, named)
  found, null = network.beside(first_alone, run)
  value_S = found["value"] | _values(kept, name_R)
  null_S = null["value"] | _values(null_kept, name_R)
  each = lambda field: [getattr(variant, field) for variant in named.values()]
  grid = lambda name: found["difference"][name].reshape(found["error"].shape)
  map_of = lambda value_SxPxP, *words: results.variable("seed a b", value_SxPxP, *words)
  digit = lambda name: results.variable(name, np.arange(digits), name)
  both = lambda name, *words: results.variable(
    "network variant seed draw",
    [_by_variant(one[name], name_R) for one in (kept, null_kept)],
    *words,
  )
  variables = {
    "accuracy": both("accuracy", "accuracy, all pairs"),
    "nll": both("nll_nats", "cross-entropy, all pairs", "nats"),
    "removed_share": both("removed_share", "share of the digits' variance that is removed"),
    "variant_item": xr.Variable("variant", each("item")),
    "variant_words": xr.Variable("variant", each("words")),
    "variant_span": xr.Variable("variant", each("span")),
    "variant_by": xr.Variable("variant", each("by")),
    "variant_draws": results.variable(
      "variant", [name_R.count(name) for name in named], "how often it is drawn"
    ),
    "prediction": map_of(found["prediction"], "prediction"),
    "error": map_of(found["error"], "prediction less label"),
    "full_logit": map_of(grid("full_logit"), "label's logit, full network"),
    "ablated_logit": map_of(grid("ablated_logit"), "label's logit, PC1 alone"),
    "boost": map_of(grid("boost_true"), "label's logit, full less PC1 alone"),
    "predicted_boost": map_of(grid("boost_predicted"), "prediction's logit, full less PC1 alone"),
    "residual": map_of(found["residual"], "prediction less its fit on a, b"),
    "quadratic_residual": map_of(
      found["quadratic_residual"], "prediction less its fit on a, b to degree 2"
    ),
    "fitted_error": results.variable(
      "seed error_fit a b", found["fitted_error"], "prediction less label, as fitted"
    ),
    "line": results.variable(
      "seed coefficient", found["line"], "coefficient of the prediction on a + b"
    ),
    "logit": results.variable(
      "group column seed statistic",
      [[found["statistics"][group][column] for column in COLUMNS] for group in GROUPS],
      "statistic of logits over inputs",
    ),
    "says": results.variable(
      "network fit said seed",
      [[[one["fits"][key][name] for name in FUNCTION] for key in FITS] for one in (found, null)],
      "share of pairs that a rounded fit says",
    ),
    **numbers_lib.stored(value_S, null_S),
    **network.fits(FITS, found["fits"], null["fits"]),
  }
  coords = {
    "variant": list(named),
    "a": digit("a"),
    "b": digit("b"),
    "coefficient": ["constant", "slope"],
    "error_fit": [FITS[key].design for key in ERROR_FITS],
    "group": list(GROUPS),
    "column": list(COLUMNS),
    "statistic": list(STATISTICS),
    "said": list(FUNCTION),
  }
  return program.dataset(run, variables, coords)


def _rows(name_R, name) -> slice:
  first = name_R.index(name)
  return slice(first, first + name_R.count(name))


def _values(kept, name_R) -> dict[str, np.ndarray]:
  """Returns what of the variants was reported, the mean over draws, S."""
  return {
    f"{name}_{measure}": kept[measure][:, _rows(name_R, name)].mean(1)
    for name in dict.fromkeys(name_R)
    for measure in ("accuracy", "nll_nats")
    if f"{name}_{measure}" in PUBLISHED
  }


def _by_variant(value_SxR: np.ndarray, name_R: list[str]) -> np.ndarray:
  """Returns the values by variant and draw, NaN where a variant has fewer draws than others."""
  names = list(dict.fromkeys(name_R))
  most = max(name_R.count(name) for name in names)
  found = np.full((len(names), len(value_SxR), most), np.nan, value_SxR.dtype)
  for at, name in enumerate(names):
    found[at, :, : name_R.count(name)] = value_SxR[:, _rows(name_R, name)]
  return found


def draws(found: xr.Dataset, name: str, variant: str, of: str = "trained") -> np.ndarray:
  """Returns a measure of one variant, SxR: of each member and each of its draws."""
  one = found.sel(network=of, variant=variant)
  return one[name].transpose("seed", "draw").values[:, : int(one.variant_draws)]


numbers = numbers_lib.of  # by the keys of published.csv


# --- figures and tables ---------------------------------------------------------------------------

FEW = 12  # digits whose errors are written out


def figures(runs) -> dict:
  """Returns two pages for each run of the source's setting and, of several runs, one of them all.

  The second one of a run has the logits of its network with PC1 alone, and what fits leave.
  """
  pages = {run: _page(run, found) for run, found in program.main(runs).items()}
  pages |= {f"{run}, PC1 alone": _alone(run, found) for run, found in program.main(runs).items()}
  if len(runs) < 2:
    return pages
  together = results.across({run: _by_words(found) for run, found in runs.items()}, "accuracy")
  title = "Accuracy of all pairs (small: networks, mean over draws; large: median)"
  shared = draw.strips(together, "accuracy", y="variant", colour="run", title=title)
  rows = together.sizes["variant"] * (0.2 + 0.06 * len(runs))
  return {"all runs": draw.page(draw.together(shared, _small_names), heights=[1.2 + rows])} | pages


def _by_words(found: xr.Dataset) -> xr.Dataset:
  """Returns each variant, in words, with its mean over draws and the range of all draws."""
  accuracy, by_network = found["accuracy"], found["accuracy"].mean("draw", keep_attrs=True)
  trained = accuracy.sel(network="trained", drop=True)
  many = found.variant_draws > 1
  return xr.Dataset(
    {
      "accuracy": by_network.sel(network="trained", drop=True),
      "untrained": by_network.sel(network="untrained", drop=True),
      "low": trained.min(("seed", "draw")).where(many),
      "high": trained.max(("seed", "draw")).where(many),
    }
  ).assign_coords(variant=found.variant_words.values)


def _small_names(axes) -> None:
  axes.tick_params(axis="y", labelsize=8)


def _page(run: str, found: xr.Dataset) -> draw.Page:
  own = found.isel(seed=program.shown(found))
  whole = {"rows": "a", "columns": "b", "written": None}
  centred = whole | {"centred": True}
  error = centred | {"written": ".0f" if found.sizes["a"] <= FEW else None}
  said = f"seed {own.seed.item()}, PC1 alone"
  return draw.page(
    (_accuracies(run, found), _removed(found)),
    (
      draw.heat(
        _failing(found),
        "share",
        limits=(0, 1),
        title="Share of networks\nthat fail, PC1 alone",
        **whole,
      ),
      draw.heat(own, "error", title=f"Prediction less label\n({said})", **error),
      draw.heat(own, "boost", title=f"Label's logit that is lost\n({said})", **centred),
    ),
    (
      _predictions(found),
      draw.heat(own, "residual", title="What a plane in a, b\nleaves of the prediction", **centred),
      draw.heat(
        own, "quadratic_residual", title="What a quadratic in a, b\nleaves of it", **centred
      ),
    ),
    heights=[5.9, 2.7, 3.5],
  )


def _alone(run: str, found: xr.Dataset) -> draw.Page:
  """Returns logits, errors and residuals of one network with PC1 alone, input by input."""
  own = found.isel(seed=program.shown(found))
  few = found.sizes["a"] <= FEW
  look = {"rows": "a", "columns": "b", "written": ".0f" if few else None, "centred": True}
  said = f"{run}, seed {own.seed.item()}"
  return draw.page(
    (
      draw.heat(own, "full_logit", title="Logit of the label,\nfull network", **look),
      draw.heat(own, "ablated_logit", title="Logit of the label,\nPC1 alone", **look),
    ),
    (
      draw.heat(own, "boost", title="Full less PC1 alone:\nlogit of the label", **look),
      draw.heat(
        own, "predicted_boost", title="Full less PC1 alone:\nlogit of the prediction", **look
      ),
    ),
    (
      _left(own, "residual", f"{said}:\nprediction fitted on a, b"),
      _left(own, "quadratic_residual", "Prediction fitted on\na, b to degree 2"),
      _errors(own),
    ),
    heights=[3.4, 3.4, 3.6],
  )


def _left(own: xr.Dataset, name: str, title: str) -> draw.Panel:
  """Returns what a fit leaves of the prediction, over the fitted value."""
  left_N = own[name].values.ravel()
  fitted_N = own["prediction"].values.ravel() - left_N
  text = {"title": title, "xlabel": "fitted prediction", "ylabel": "prediction less fit"}
  return draw.together(
    draw.level(0, lw=0.8, ls="-"),
    draw.line(fitted_N, left_N, None, draw.BLUE, ls="", marker="o", ms=4, alpha=0.6),
    lambda axes: axes.set(**text),
  )


def _errors(own: xr.Dataset) -> draw.Panel:
  """Returns the error as PC2 fits it, over the error: on the diagonal where PC2 explained it."""
  error = own["error"].values.ravel()
  ends = [error.min(), error.max()]
  panels = [draw.line(ends, ends, "explained in full", draw.GREY, ls="-")]
  looks = ((draw.BLUE, "o"), (draw.ORANGE, "x"))
  for design, (colour, marker) in zip(own["error_fit"].values, looks, strict=True):
    fitted = own["fitted_error"].sel(error_fit=design).values.ravel()
    label = f"fitted on {design}"
    panels.append(draw.line(error, fitted, label, colour, ls="", marker=marker, ms=4, alpha=0.6))

  def named(axes):
    text = {"xlabel": "prediction less label", "ylabel": "the same, fitted"}
    axes.set(title="Error fitted on PC2", **text)
    axes.xaxis.get_major_locator().set_params(integer=True)

  return draw.together(*panels, named)


def _accuracies(run: str, found: xr.Dataset) -> draw.Panel:
  """Returns the accuracy of every variant, above the range of all draws."""
  its = _by_words(found)

  def bands(axes):
    ends = zip(its.low.values, its.high.values, strict=True)
    for at, (low, high) in enumerate(ends):
      label = None if np.isfinite(its.low.values[:at]).any() else "trained, all draws"
      if np.isfinite(low):
        axes.plot([low, high], [at, at], color=draw.SKY, lw=5, alpha=0.35, label=label)

  strips = draw.strips(
    its,
    "accuracy",
    y="variant",
    null="untrained",
    title=f"{run}: accuracy without\nparts of the digits' vectors",
    xlabel="accuracy, all pairs (mean over draws)",
    xlim=(-0.03, 1.03),
  )
  return draw.together(bands, strips, _small_names)


def _removed(found: xr.Dataset) -> draw.Panel:
  """Returns accuracy against the share of variance that each draw removes, of one member."""
  own = found.isel(seed=program.shown(found)).sel(network="trained")
  looks = (("D", draw.ORANGE), ("s", draw.GREY), ("o", draw.BLUE))

  def points(axes):
    for (span, label), (marker, colour) in zip(SPANS.items(), looks, strict=True):
      part = own.sel(variant=(own.variant_span == span) & (own.variant_by == "mean"))
      axes.plot(
        part.removed_share.values.ravel(),
        part.accuracy.values.ravel(),
        marker,
        color=colour,
        ms=4,
        alpha=0.7,
        label=label,
      )
    axes.set(
      title=f"… against what is removed\n(seed {own.seed.item()})",
      xlabel="share of the digits' variance removed",
      ylabel="accuracy, all pairs",
      ylim=(-0.03, 1.05),
    )

  return points


def _failing(found: xr.Dataset) -> xr.Dataset:
  share = (found.error != 0).mean("seed")
  share.attrs = {"long_name": "share of networks that fail"}
  return share.to_dataset(name="share")


def _predictions(found: xr.Dataset) -> draw.Panel:
  """Returns the prediction of one member over a + b, with the fitted line and those compared."""
  own = found.isel(seed=program.shown(found))
  sums = (own.a + own.b).values
  ends = np.array([sums.min(), sums.max()])
  constant, slope = own.line.values
  lines = {
    f"fitted, {slope:.2f} (a + b) + {constant:.2f}": slope * ends + constant,
    "published, 2/3 (a + b) + 3": LINES["thirds"][0] * ends + LINES["thirds"][1],
    "a + b": ends,
  }
  looks = zip(lines.items(), (draw.ORANGE, draw.GREEN, draw.GREY), strict=True)
  dots = {"ls": "", "marker": "o", "ms": 3.5, "alpha": 0.5}

  def named(axes):
    title = f"Prediction\n(seed {own.seed.item()}, PC1 alone)"
    axes.set(title=title, xlabel="a + b", ylabel="prediction")
    for axis in (axes.xaxis, axes.yaxis):
      axis.get_major_locator().set_params(integer=True)

  return draw.together(
    draw.line(sums.ravel(), own.prediction.values.ravel(), None, draw.BLUE, **dots),
    *(draw.line(ends, y, label, colour, ls="-") for (label, y), colour in looks),
    named,
  )


def tables(runs) -> list[tables_lib.Table]:
  """Returns fits, interventions and logits of the runs of the source's setting."""
  main = program.main(runs)
  rows = functools.partial(tables_lib.by_run, main)
  return [
    network.fit_table(main),
    tables_lib.Table(
      "Interventions on both digits' vectors: mean over draws, then median and range over networks;"
      " loss in nats.",
      rows(_variant_rows),
      {"variance removed": ".3f"},
      name="variants",
    ),
    tables_lib.Table(
      "How often a fit, rounded to a class, is the prediction of the network with PC1 alone, and"
      " how often the label: medians over networks. A fitted error is taken from the label, or"
      " added to the prediction.",
      rows(_function_rows),
      name="functions",
    ),
    tables_lib.Table(
      "Inputs that fail with PC1 alone, of the network that is drawn. A boost is the logit of the"
      " full network less that with PC1 alone.",
      rows(_failure_rows),
      dict.fromkeys(LOGITS, ".1f"),
      name="failures",
    ),
    tables_lib.Table(
      "Logits of all inputs, of those that fail with PC1 alone, and of those that do not. A boost"
      " is the logit of the full network less that with PC1 alone, at the label (true) or at the"
      " prediction. Medians over networks.",
      rows(_logit_rows),
      name="logits",
    ),
  ]


def _variant_rows(found: xr.Dataset):
  for name in found["variant"].values.tolist():
    one = found.sel(variant=name)
    accuracy_S = draws(found, "accuracy", name).mean(1)
    spread = numbers_lib.spread(accuracy_S)
    yield {
      "item": one.variant_item.item(),
      "intervention": one.variant_words.item(),
      "accuracy, the source's network": program.own(found, accuracy_S),
      "accuracy": spread["median"],
      "accuracy, least": spread["minimum"],
      "accuracy, largest": spread["maximum"],
      "loss": numbers_lib.median(draws(found, "nll", name).mean(1)),
      "variance removed": float(np.median(draws(found, "removed_share", name).mean(1))),
      "draws": int(one.variant_draws),
    }


def _function_rows(found: xr.Dataset):
  for key, fit in FITS.items():
    says = found["says"].sel(fit=key)
    of = lambda said, network="trained", says=says: numbers_lib.median(
      says.sel(network=network, said=said).values
    )
    yield {
      "item": fit.item,
      "fit": f"{fit.target} on {fit.design}",
      "is the prediction": of("says_prediction"),
      "is the label": of("says_truth"),
      "is the prediction, held out": of("test_says_prediction"),
      "is the label, held out": of("test_says_truth"),
      "is the prediction, untrained": of("says_prediction", "untrained"),
    }


LOGITS = {
  "label's logit, full": "full_logit",
  "label's logit, PC1 alone": "ablated_logit",
  "label's boost": "boost",
  "prediction's boost": "predicted_boost",
}


def _failure_rows(found: xr.Dataset):
  own = found.isel(seed=program.shown(found))
  for a, b in np.argwhere(own["error"].values != 0).tolist():
    one = own.isel(a=a, b=b)
    row = {"seed": int(own["seed"]), "a": a, "b": b, "a + b": a + b}
    row["prediction"] = int(one["prediction"])
    yield row | {head: float(one[name]) for head, name in LOGITS.items()}


def _logit_rows(found: xr.Dataset):
  for group in GROUPS:
    for column in COLUMNS:
      value_VxS = found.logit.sel(group=group, column=column).transpose("statistic", "seed").values
      medians = map(numbers_lib.median, value_VxS)
      yield {"inputs": group, "column": column} | dict(zip(STATISTICS, medians, strict=True))


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
SAME = 0.1  # accuracies this close are the same, of 100 inputs
NEEDED = 0.6  # an accuracy below it without PC2: addition needs PC2
EXPLAINS = 0.1  # R² from which a fit explains a part of the errors
KEPT = 0.98  # an accuracy above it: none is lost
FALLEN, INTACT = PUBLISHED["keep_pc1_accuracy"].source.split(" of ")


@CLAIMS.add(
  "subspace.pc2",
  f"Without PC2 accuracy falls to {FALLEN}: PC2 is what addition needs beside PC1.",
  reported=f"{INTACT} -> {FALLEN}; the edit kept PC1 alone, so that all others went",
  source=f"{program.PLAIN_SOURCE} (A17)",
)
def second_component(results) -> claims.Verdict:
  """Returns the verdict: PC2 removed is a drop, but one that is there before generalisation."""
  found = program.first(results, "subspace")
  progress = program.first(results, "progress")
  keep, without, random, matched = program.numbers(
    found,
    "keep_pc1_accuracy",
    "remove_pc2_accuracy",
    "remove_line_space_accuracy",
    "remove_line_digits_accuracy",
  )
  early_S = program.at(progress, "keep_pc1_accuracy", program.EARLY)
  late_S = program.at(progress, "keep_pc1_accuracy", int(progress["step"].values[-1]))
  change = float(np.median(late_S - early_S))
  because = (
    f"accuracy has to fall below {NEEDED:g} where PC2 is removed; it is {without} there, with PC1"
    f" alone {keep}, with a random direction removed {random}, with one within the digits' span"
    f" {matched}; at step {program.EARLY:,}, when test pairs are not known yet, PC1 alone gives"
    f" {np.median(early_S):.2f} in the median, at the end {np.median(late_S):.2f}"
  )
  if abs(change) < SAME:
    because += ": the drop does not tell the solution that generalises from the one that does not"
  values = program.behind(
    keep_pc1=keep,
    without_pc2=without,
    random=random,
    random_of_digits=matched,
    change_since_early=change,
  )
  return program.by_members(without.value_S < NEEDED, because, values, artefact=abs(change) < SAME)


@CLAIMS.add(
  "subspace.correction",
  "PC2 is not a correction term: no polynomial of it explains the errors.",
  reported="linear and quadratic fits failed",
  source=f"{program.PLAIN_SOURCE} (A24-A27)",
)
def correction(results) -> claims.Verdict:
  """Returns the verdict on the source's own rejection: PC2 does not explain the errors."""
  found = program.first(results, "subspace")
  line, bow = program.numbers(found, "error_pc2_r2", "error_pc2_quadratic_r2")
  explained = int((bow.value_S >= EXPLAINS).sum())
  because = (
    f"R2 below {EXPLAINS:g} is wanted of a quadratic of PC2 of both digits, fitted to the error"
    f" with PC1 alone: it has {bow}, a linear fit {line}"
  )
  if explained:
    because += f"; in {explained} of {bow.value_S.size} members the quadratic does explain a part"
  values = program.behind(linear=line, quadratic=bow)
  return program.by_members(bow.value_S < EXPLAINS, because, values)


@CLAIMS.add(
  "subspace.direct",
  "Without the direct path no accuracy is lost: the MLP does the work.",
  reported="accuracy unchanged, loss up a few orders, still small",
  source=f"{program.PLAIN_SOURCE} (A19)",
)
def without_direct(results) -> claims.Verdict:
  """Returns the verdict: without the direct path the MLP alone still adds."""
  found = program.first(results, "subspace")
  accuracy, loss = program.numbers(found, "mlp_accuracy", "mlp_nll_nats")
  full = program.numbers(found, "full_nll_nats")[0]
  learned_S = program.generalises(program.first(results, "progress"))
  because = (
    f"an accuracy above {KEPT:g} without the direct path is wanted; it is {accuracy}, with a loss"
    f" in nats of {loss}, and with the direct path the loss is {full}, where medians and ranges are"
    f" over all {len(learned_S)} members, generalising or not"
  )
  values = program.behind(accuracy=accuracy, loss_nats=loss)
  holds_S = accuracy.value_S > KEPT
  return program.by_members(holds_S[learned_S], because, values, whom="members that generalise")
