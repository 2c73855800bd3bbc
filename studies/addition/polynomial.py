"""How far do polynomials of the digits' components describe the network?

The published notebook fitted the MLP's input z, its activations h and the logits by least squares,
on all pairs. The 15 features, called Poly2 here, are the monomials up to degree 2 of the first two
principal components of both digits. A high R² was read as the function that the network computes,
and logits were simulated from the fitted z and h through the MLP path alone.

A high R² is not a function. Here every fit is made twice, on all pairs and on the train pairs to be
scored on the test pairs, and has the accuracy and the cross-entropy of the logits that the network
makes of the fitted values, with and without its direct path. The same is done for linear
components, for the published symmetric features and those that were left out, for polynomials of
the digits themselves, for any f(a) + g(b), for Poly2 of random functions of the digit, and in
untrained networks. PC1 rises with the digit; its sign is arbitrary, and with the other one every
odd power of PC1 changes sign.
"""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import fourier
from primelens.analyses import linear as linear_lib
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.addition import network, program

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)

obstacle = program.plain


def _source(key: str) -> str:
  """Returns what the source says of a number."""
  return PUBLISHED[key].source


# --- which fits -----------------------------------------------------------------------------------

FEATURES = tuple(fourier.monomial_names(("p1a", "p1b", "p2a", "p2b"), 2))
SUMS = tuple(fourier.monomial_names(("s1", "s2"), 2))
TARGETS = {"pre": "z", "post": "h", "logit": "logits"}
DESIGNS = {
  "poly2": "Poly2, 15 monomials of PC1, PC2 of a and b",
  "linear": "PC1, PC2 of a and b, linear",
  "sums": "s1, s2 and their squares: 5 features, published as symmetric",
  "symmetric6": "those 5 and (p1a - p1b)^2",
  "symmetric7": "those 6 and (p1a - p1b)(p2a - p2b)",
  "symmetric8": "all 8 quadratics that swapping a and b leaves alone",
  "raw_quadratic": "quadratic in the digits a, b: 6 monomials",
  "raw_quartic": "quartic in the digits a, b: 15 monomials",
  "additive": "any f(a) + g(b)",
  "random_poly2": "Poly2 of two random functions of the digit, mean of draws",
}
PATHS = {"full": "with the direct path r_mid W_U", "mlp": "MLP path alone, as published"}
# Items of docs/sources/addition.md. Every fit that the source did not make is a control, A63.
_ITEM = {
  "pre_poly2": "A46",
  "pre_linear": "A49",
  "post_poly2": "A52",
  "logit_poly2": "A56",
  "logit_sums": "A58",
} | {f"pre_{name}": "A50" for name in DESIGNS if name.startswith("s")}
_SIMULATED_ITEM = {"pre_poly2": "A51", "pre_linear": "A49", "pre_sums": "A50", "post_poly2": "A53"}
FITS = {
  f"{target}_{name}": network.Fit(_ITEM.get(f"{target}_{name}", "A63"), TARGETS[target], words)
  for target in TARGETS
  for name, words in DESIGNS.items()
}
# Their r2_overall and held-out R2 are those of the logits.
SIMULATED = {
  f"{target}_{name}_{path}": network.Fit(
    _SIMULATED_ITEM.get(f"{target}_{name}", "A63"),
    f"logits from the fitted {TARGETS[target]}, {PATHS[path]}",
    words,
  )
  for target in ("pre", "post")
  for name, words in DESIGNS.items()
  for path in PATHS
} | {"exact_mlp": network.Fit("A51", f"logits, {PATHS['mlp']}", "exact z")}


# --- designs, fits, and the logits that they give -------------------------------------------------


def designs(score_Px2, random_RxPx2) -> jax.Array:
  """Returns the DESIGNS of a member, stacked: VxNxQ.

  `random_RxPx2` are the draws of two random functions of the digit, whose
  designs are the last R. Narrow designs are filled up with columns of zeros,
  which least squares leaves out.
  """
  P = len(score_Px2)
  pair_Nx4 = fourier.pair_features(score_Px2)
  symmetric_Nx9 = fourier.symmetric_features(pair_Nx4)
  raw_Nx2 = fourier.pair_features(jnp.linspace(-1, 1, P)[:, None])
  one_Nx1 = jnp.ones((P * P, 1))
  poly = lambda x_Px2: fourier.monomials(fourier.pair_features(x_Px2), 2)
  every = [
    poly(score_Px2),
    jnp.concatenate([one_Nx1, pair_Nx4], 1),
    fourier.sum_features(pair_Nx4),
    *(symmetric_Nx9[:, : 1 + count] for count in (6, 7, 8)),
    *(fourier.monomials(raw_Nx2, degree) for degree in (2, 4)),
    fourier.additive_design(P),
  ]
  random_RxNxQ = jax.vmap(poly)(random_RxPx2)
  width = max(design.shape[1] for design in every)
  filled = lambda x: jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, width - x.shape[-1])])
  fixed_VxNxQ = jnp.stack([filled(design_NxQ) for design_NxQ in every])
  return jnp.concatenate([fixed_VxNxQ, filled(random_RxNxQ)])


def scores(read: network.Network, member, design_VxNxQ) -> dict:
  """Returns the measures of every one of FITS for `named_scores`, traced.

  The logits of a fit are those that the network makes of it, with its direct
  path.
  """

  def hidden(design_NxQ, value_NxF, rectify):
    logits = lambda x_NxF: network.readout(read, _post(x_NxF, rectify))
    return network.fit_scores(design_NxQ, value_NxF, member, logits)

  def each(design_NxQ):
    logit = network.fit_scores(design_NxQ, read.logit_NxV, member, lambda x_NxV: x_NxV)
    return _of_both(read, functools.partial(hidden, design_NxQ)), logit

  both_V, logit_V = jax.lax.map(each, design_VxNxQ)
  return {"hidden": both_V, "logit": logit_V}


def named_scores(found: dict) -> dict:
  """Returns measures of every member by their fit, from `scores` over S."""
  measures: dict[str, dict] = {}
  for at, target in enumerate(("pre", "post")):
    one_SxV = {name: x_SxVx2[:, :, at] for name, x_SxVx2 in found["hidden"].items()}
    measures |= _by_design(one_SxV, f"{target}_{{}}")
  return measures | _by_design(found["logit"], "logit_{}")


def simulations(read: network.Network, member, design_VxNxQ) -> dict:
  """Returns what the SIMULATED logits are worth, traced (A49-A51, A53), for
  `named_simulations`.

  L^ = relu(fit of z) W_L^T or (fit of h) W_L^T, with r_mid W_U and without.
  """
  exact_NxV = network.readout(read, read.post_NxF, skip=False)
  direct_NxV = network.direct(read)
  both_NxF = jnp.concatenate([read.pre_NxF, read.post_NxF], axis=1)

  def logits(design_NxQ, rows=None):
    fit = linear_lib.fit(design_NxQ, both_NxF, rows)
    pre_NxF, post_NxF = jnp.split(fit.prediction_NxF, 2, axis=1)
    every = [
      network.readout(read, value_NxF, skip=False) + on * direct_NxV
      for value_NxF in (jax.nn.relu(pre_NxF), post_NxF)
      for on in (1, 0)  # in the order of PATHS
    ]
    return jnp.stack(every)

  def each(design_NxQ):
    inside_4xNxV = logits(design_NxQ)
    outside_4xNxV = logits(design_NxQ, member.train_N)
    judge = functools.partial(judged, read, member)
    return jax.vmap(judge)(inside_4xNxV, outside_4xNxV)

  return {
    "paths": jax.lax.map(each, design_VxNxQ),
    "exact_mlp": judged(read, member, exact_NxV, exact_NxV),
  }


def named_simulations(found: dict) -> dict:
  """Returns measures by their fit, from `simulations` over S."""
  measures = {"exact_mlp": found["exact_mlp"]}
  kinds = itertools.product(("pre", "post"), PATHS)
  for at, (target, path) in enumerate(kinds):
    one_SxV = {name: x_SxVx4[:, :, at] for name, x_SxVx4 in found["paths"].items()}
    measures |= _by_design(one_SxV, f"{target}_{{}}_{path}")
  return measures


def judged(read: network.Network, member, logit_NxV, outside_NxV) -> dict:
  """Returns the measures of simulated logits against the network's own.

  `outside_NxV` are those of the fit on the train pairs, judged on the test
  pairs.
  """
  test_N, label_N = member.test_N, member.label_N
  outside_NxV = outside_NxV[test_N]
  held = linear_lib.summary(linear_lib.r2_columns(read.logit_NxV[test_N], outside_NxV))
  return {
    "r2_overall": linear_lib.r2_overall(read.logit_NxV, logit_NxV),
    "heldout_mean": held.mean,
    "heldout_median": held.median,
    "accuracy": network.accuracy(logit_NxV, label_N),
    "nll_nats": network.nll(logit_NxV, label_N),
    "test_accuracy": network.accuracy(outside_NxV, label_N[test_N]),
    "test_nll_nats": network.nll(outside_NxV, label_N[test_N]),
  }


def _of_both(read, measure):
  """Returns `measure(value_NxF, rectify)` of z and of h, stacked."""
  value_2xNxF = jnp.stack([read.pre_NxF, read.post_NxF])
  return jax.vmap(measure)(value_2xNxF, jnp.array([True, False]))


def _post(value_NxF, rectify):
  """Returns the MLP activations of fitted z, which are rectified, or of h."""
  return jnp.where(rectify, jax.nn.relu(value_NxF), value_NxF)


def _by_design(measure_SxV: dict, form: str) -> dict:
  """Returns the measures by design, random draws averaged."""
  *fixed, random = DESIGNS
  take = lambda at: {name: x_SxV[:, at] for name, x_SxV in measure_SxV.items()}
  draws = {name: x_SxV[:, len(fixed) :].mean(1) for name, x_SxV in measure_SxV.items()}
  named = {form.format(name): take(at) for at, name in enumerate(fixed)}
  return named | {form.format(random): draws}


# --- coefficients of neurons, and of the best logit -----------------------------------------------

# Neurons by their correlation r with a + b: low <= r < high (A47).
GROUPS = {
  "all neurons": (-2.0, 2.0),
  "r >= 0.9": (0.9, 2.0),
  "0.5 <= r < 0.9": (0.5, 0.9),
  "-0.9 <= r < -0.5": (-0.9, -0.5),
  "r < -0.9": (-2.0, -0.9),
}
NEURONS = ("strongest neuron at (0, 0)", "second neuron at (0, 0)")
ROWS = (*GROUPS, *NEURONS)


def coefficients(read: network.Network, member, pair_Nx4, sum_N) -> dict:
  """Returns the coefficients on Poly2 by group, and of the best logit, traced.

  `pair_Nx4` are the principal scores of a and b (`fourier.pair_features`), `sum_N`
  is a + b. Statistics of a group without neurons are NaN. Of the logits: R2
  each (A56), the best one's coefficients (A57), and the same logit on the
  features published as symmetric (A58).
  """
  design_NxQ, sums_Nx6 = (fourier.monomials(pair_Nx4, 2), fourier.sum_features(pair_Nx4))
  target = _Parts(read.pre_NxF, read.post_NxF, read.logit_NxV)
  both = jnp.concatenate(target, axis=1)
  poly = linear_lib.fit(design_NxQ, both)
  sums = linear_lib.fit(sums_Nx6, both)
  prediction = _parts(read, poly.prediction_NxF)
  coefficient = _parts(read, poly.coefficient_QxF)
  r2 = _parts(read, _r2(both, poly.prediction_NxF))
  sums_r2 = _parts(read, _r2(both, sums.prediction_NxF))
  weight_ExF, neuron_2 = _rows(read, sum_N)
  mean, deviation, magnitude = _statistics(coefficient.pre, weight_ExF)
  outside = linear_lib.fit(design_NxQ, read.logit_NxV, member.train_N)
  best = jnp.nanargmax(r2.logit)
  without = lambda post_NxF: network.readout(read, post_NxF, skip=False)
  return {
    "mean_ExQ": mean,
    "deviation_ExQ": deviation,
    "magnitude_ExQ": magnitude,
    "size_E": weight_ExF.sum(1),
    "neuron_2": neuron_2,
    "pre_r2_F": r2.pre,
    "post_r2_F": r2.post,
    "sums_r2_F": sums_r2.pre,
    "simulated_pre_NxV": without(jax.nn.relu(prediction.pre)),
    "simulated_post_NxV": without(prediction.post),
    "mlp_NxV": without(read.post_NxF),
    "logit_r2_V": r2.logit,
    "logit_heldout_V": _r2(read.logit_NxV[member.test_N], outside.prediction_NxF[member.test_N]),
    "best": best,
    "worst": jnp.nanargmin(r2.logit),
    "best_r2": r2.logit[best],
    "best_Q": coefficient.logit[:, best],
    "best_sums_6": _parts(read, sums.coefficient_QxF).logit[:, best],
    "best_sums_r2": sums_r2.logit[best],
  }


def coefficient_values(found: dict) -> dict:
  """Returns the published numbers among them, from `coefficients` of every member."""
  mean, high = found["mean_ExQ"], list(GROUPS).index("r >= 0.9")
  at = lambda name: FEATURES.index(name)
  spread_SxQ = found["deviation_ExQ"][:, high] / abs(mean[:, high])
  value = {f"magnitude/{name}": found["magnitude_ExQ"][:, 0, q] for q, name in enumerate(FEATURES)}
  for row, group in enumerate(GROUPS):
    value[f"size/{group}"] = found["size_E"][:, row]
    for name in ("p1a", "p2a", "p1a p1b"):
      value[f"mean/{group}/{name}"] = mean[:, row, at(name)]
  value |= {f"neuron/{place + 1}": found["neuron_2"][:, place] for place in range(2)}
  value |= {f"best_sums/{name}": found["best_sums_6"][:, q] for q, name in enumerate(SUMS)}
  return value | {
    # Of the features but the constant; NaN where the group is empty.
    "spread": np.median(spread_SxQ[:, 1:], axis=1),
    "best_logit": found["best"],
    "worst_logit": found["worst"],
    "best_sums/r2": found["best_sums_r2"],
    "best_sums/drop": found["best_r2"] - found["best_sums_r2"],
  }


class _Parts(NamedTuple):
  """What belongs to z, to h and to the logits."""

  pre: jax.Array
  post: jax.Array
  logit: jax.Array


def _parts(read: network.Network, both) -> _Parts:
  """Returns the columns of z, h and the logits, which were fitted at once."""
  hidden = read.pre_NxF.shape[1]
  return _Parts(*jnp.split(both, [hidden, 2 * hidden], axis=-1))


def _r2(truth_NxF, prediction_NxF):
  return linear_lib.r2_columns(truth_NxF, prediction_NxF)


def _rows(read: network.Network, sum_N):
  """Returns which neurons are in each of ROWS, and the two strongest.

  Groups by r(h, a + b), 0 for a neuron that never varies (A11); the two by
  their contribution sum_k |W_L[k, i] h_i| at (0, 0), the first pair (A38).
  """
  r_F = linear_lib.pearson(read.post_NxF, sum_N)
  group_ExF = [(low <= r_F) & (r_F < high) for low, high in GROUPS.values()]
  share_F = jnp.abs(read.readout_VxF).sum(0) * read.post_NxF[0]
  _, neuron_2 = jax.lax.top_k(share_F, 2)
  single_2xF = jax.nn.one_hot(neuron_2, len(share_F))
  weight_ExF = jnp.concatenate([jnp.stack(group_ExF) * 1.0, single_2xF])
  return weight_ExF, neuron_2


def _statistics(coefficient_QxF, weight_ExF):
  """Returns mean, standard deviation and mean absolute value by row: ExQ."""
  share_ExF = weight_ExF / weight_ExF.sum(1, keepdims=True)
  mean_ExQ = network.exact(share_ExF, coefficient_QxF.T)
  far_ExQxF = coefficient_QxF[None] - mean_ExQ[:, :, None]
  variance_ExQ = jnp.sum(share_ExF[:, None] * far_ExQxF**2, axis=2)
  magnitude_ExQ = network.exact(share_ExF, jnp.abs(coefficient_QxF).T)
  return mean_ExQ, jnp.sqrt(variance_ExQ), magnitude_ExQ


# --- one network ----------------------------------------------------------------------------------


def _member(model, params, member, token_Nx3, *, random_RxPx2) -> dict:
  """Returns fits and coefficients of one member, traced.

  `random_RxPx2` are draws of two random functions of the digit, the matched
  null of the two principal scores.
  """
  read = network.read(model, params, token_Nx3)
  found = linear_lib.oriented(linear_lib.pca(read.embedding_PxD))
  score_Px2 = found.score_NxQ[:, :2]
  design_VxNxQ = designs(score_Px2, random_RxPx2)
  sum_N = token_Nx3[:, :2].sum(1)
  coefficient = coefficients(read, member, fourier.pair_features(score_Px2), sum_N * 1.0)
  simulated_NxV = coefficient["simulated_pre_NxV"]
  return {
    "fits": scores(read, member, design_VxNxQ),
    "simulated": simulations(read, member, design_VxNxQ),
    "coefficient": coefficient,
    "logit_NxV": read.logit_NxV,
    "value": {
      "simulated_mse": jnp.mean((read.logit_NxV - simulated_NxV) ** 2),
      "simulated_mlp_r2": linear_lib.r2_overall(coefficient["mlp_NxV"], simulated_NxV),
      "exact_nll": network.nll(read.logit_NxV, member.label_N),
      "dead": jnp.sum(jnp.all(read.post_NxF == 0, axis=0)),
    },
  }


def _named(found: dict) -> dict:
  """Returns what `_member` gave of every member, with its fits by name."""
  return found | {
    "fits": named_scores(found["fits"]),
    "simulated": named_simulations(found["simulated"]),
  }


def _values(found: dict) -> dict:
  """Returns every number that may have been published, by its key."""
  value = {
    f"{fit}/{measure}": x_S
    for fits_of in (found["fits"], found["simulated"])
    for fit, measures in fits_of.items()
    for measure, x_S in measures.items()
  }
  return value | found["value"] | coefficient_values(found["coefficient"])


# --- the result -----------------------------------------------------------------------------------

# R² per neuron: its words, and its colour.
NEURON_FITS = {
  "pre": ("z on Poly2", draw.BLUE),
  "sums": ("z on 5 symmetric features", draw.PURPLE),
  "post": ("h on Poly2", draw.ORANGE),
}
# Pairs and logits of one network: its own, and those that fits simulate through the MLP path.
SOURCES = {
  "network": "logit_NxV",
  "MLP alone": "mlp_NxV",
  "ReLU of z on Poly2": "simulated_pre_NxV",
  "h on Poly2": "simulated_post_NxV",
}


def measure(run) -> xr.Dataset:
  """Returns fits, coefficients and simulated logits of every network; fits of untrained ones."""
  rng = np.random.default_rng(run.settings.seed)
  digits = run.experiment.task.digits
  draws = rng.normal(size=(run.settings.random_directions, digits, 2))
  each = functools.partial(_member, random_RxPx2=np.float32(draws))
  found, null = map(_named, network.beside(each, run))
  every = lambda its: its["fits"] | its["simulated"]
  coefficient = found["coefficient"]
  at = program.drawn(run.experiment)
  logit_ExNxV = np.stack(
    [(found | coefficient)[source][at] for source in SOURCES.values()]  # of one network
  )
  variables = {
    **_published(found, null),
    **network.fits(FITS | SIMULATED, every(found), every(null)),
    "coefficient": results.variable(
      "seed group feature", coefficient["mean_ExQ"], "mean coefficient of z on Poly2"
    ),
    "coefficient_deviation": results.variable(
      "seed group feature", coefficient["deviation_ExQ"], "standard deviation over neurons"
    ),
    "coefficient_magnitude": results.variable(
      "seed group feature", coefficient["magnitude_ExQ"], "mean absolute coefficient"
    ),
    "group_size": results.variable("seed group", coefficient["size_E"], "neurons of the group"),
    "best_coefficient": results.variable(
      "seed feature", coefficient["best_Q"], "coefficient of the best fitted logit on Poly2"
    ),
    "best_sums_coefficient": results.variable(
      "seed sum_feature",
      coefficient["best_sums_6"],
      "coefficient of the same logit on 5 symmetric features",
    ),
    "logit_r2": results.variable(
      "seed logit", coefficient["logit_r2_V"], "R² of the logit on Poly2, all pairs"
    ),
    "logit_heldout_r2": results.variable(
      "seed logit",
      coefficient["logit_heldout_V"],
      "R² of the logit on Poly2: fitted on train, scored on test",
    ),
    **{
      f"{name}_r2": results.variable("seed neuron", coefficient[f"{name}_r2_F"], f"R² of {words}")
      for name, (words, _) in NEURON_FITS.items()
    },
    "logits": results.variable("source pair logit", logit_ExNxV, "logit"),
  }
  digit = np.arange(digits)
  coords = {
    "group": results.variable("group", list(ROWS), "neurons"),
    "feature": results.variable("feature", list(FEATURES), "feature of Poly2"),
    "sum_feature": results.variable("sum_feature", list(SUMS), "symmetric feature"),
    "logit": results.variable("logit", np.arange(logit_ExNxV.shape[2]), "logit k"),
    "neuron": results.variable("neuron", np.arange(coefficient["pre_r2_F"].shape[1]), "neuron"),
    "source": results.variable("source", list(SOURCES), "where the logits are from"),
    "pair": results.variable("pair", [f"{a} + {b}" for a in digit for b in digit], "a + b"),
  }
  return program.dataset(run, variables, coords)


numbers = numbers_lib.of  # by the keys of published.csv


def _published(found: dict, null: dict) -> dict:
  """Returns the numbers that were published; those of "untrained/..." are of untrained networks."""
  value_S, null_S = _values(found), _values(null)
  value_S |= {f"untrained/{key}": x_S for key, x_S in null_S.items()}
  return numbers_lib.stored({key: value_S[key] for key in PUBLISHED if key in value_S}, null_S)


# --- figures and tables ---------------------------------------------------------------------------

_SHORT = {
  "poly2": "Poly2 (15)",
  "linear": "linear PCs",
  "sums": "symmetric, 5",
  "symmetric6": "symmetric, 6",
  "symmetric7": "symmetric, 7",
  "symmetric8": "symmetric, 8",
  "raw_quadratic": "quadratic in a, b",
  "raw_quartic": "quartic in a, b",
  "additive": "f(a) + g(b)",
  "random_poly2": "Poly2, random f, g",
}
_COLOUR = {"pre": draw.BLUE, "post": draw.ORANGE, "logit": draw.GREEN}
_FLOOR = -0.05  # held-out R2 below are drawn at the edge
_BINS = np.linspace(0.8, 1, 51)  # of R2 per neuron; what is below is in the first
# Fits that are compared between runs.
_COMPARED = {
  "pre_poly2": "z on Poly2",
  "pre_raw_quartic": "z on a quartic in a, b",
  "pre_random_poly2": "z on Poly2 of random f, g",
  "post_poly2": "h on Poly2",
  "logit_poly2": "logits on Poly2",
}


def figures(runs) -> dict:
  """Returns two pages for each run of the source's setting, and one that compares all runs.

  The second one of a run has the coefficients: of groups of neurons, of two neurons, of a logit.
  """
  main = program.main(runs)
  pages = {run: _page(run, found) for run, found in main.items()}
  pages |= {f"{run}, coefficients": _details(run, found) for run, found in main.items()}
  return pages | ({"all runs": _compared(runs)} if len(runs) > 1 else {})


def _compared(runs) -> draw.Page:
  """Returns R² and accuracy of the same fits in all runs, the controls too."""
  every = results.across(runs, "fit_value").sel(network="trained", fit=list(_COMPARED))
  every = every.assign_coords(fit=list(_COMPARED.values()))
  panel = lambda measure, **text: draw.strips(
    every.sel(measure=measure), "fit_value", y="fit", colour="run", **text
  )
  r2 = panel("r2_median", xlabel="R², median over columns", title="R² of fits in all runs")
  worth = panel("accuracy", xlabel="accuracy, all pairs", title="Accuracy of the logits they give")
  return draw.page((r2, worth), heights=[1.6 + 0.16 * len(_COMPARED) * (2 + len(runs))])


def _page(run: str, found: xr.Dataset) -> draw.Page:
  r2 = _fits(found, "r2_median", "heldout_median", xlabel="R², median over columns")
  worth = _fits(found, "accuracy", "test_accuracy", xlabel="accuracy of the logits it gives")
  one = found.isel(seed=program.shown(found))
  seed = int(one["seed"])
  first = draw.compared(
    found.isel(pair=0),
    "logits",
    x="logit",
    each="source",
    zero=False,
    style={"zorder": 2, "marker": ""},
    title=f"Logits at {found['pair'].values[0]}, seed {seed}",
  )
  return draw.page(
    (
      draw.together(r2, lambda axes: axes.set_title(f"{run}: what fits explain")),
      draw.together(worth, lambda axes: axes.set(title="Sums they get right", yticklabels=[])),
    ),
    _logits(found),
    (_neurons(found), _histogram(found)),
    (first, _simulated(found, f"All simulated logits, seed {seed}")),
    heights=[4.5, 3.2, 3.5, 3.9],
  )


FEATURE = "feature of Poly2 (p1a: PC1 of a, p2b: PC2 of b; 1: the constant)"


def _details(run: str, found: xr.Dataset) -> draw.Page:
  """Returns the coefficients of one network: of groups of neurons, of two neurons, of a logit."""
  one = found.isel(seed=program.shown(found))
  seed, best = int(one["seed"]), int(_trained(one, "best_logit"))
  sums = draw.bars(
    one[["best_sums_coefficient"]],
    "best_sums_coefficient",
    x="sum_feature",
    ylabel="coefficient",
    xlabel="symmetric feature (s1: p1a + p1b, s2: p2a + p2b)",
    title=f"Logit {best} on 5 symmetric features",
  )
  logit = draw.bars(
    one[["best_coefficient"]],
    "best_coefficient",
    x="feature",
    ylabel="coefficient",
    xlabel="feature of Poly2",
    title=f"Logit {best}, which Poly2 fits best",
  )
  return draw.page(
    _coefficients(one, f"{run}, seed {seed}: coefficients of z on Poly2"),
    _groups(one, f"Mean coefficients of z on Poly2 by group of neurons, seed {seed}"),
    _two_neurons(one, f"Coefficients of the two neurons that add most at (0, 0), seed {seed}"),
    (draw.together(logit, _upright), sums),
    heights=[3.5, 3.0, 3.5, 3.4],
  )


def _upright(axes) -> None:
  """Turns names of features that would touch."""
  axes.tick_params(axis="x", rotation=90, labelsize=7.5)


def _sizes(one: xr.Dataset) -> dict[str, int]:
  return dict(zip(ROWS, one["group_size"].values.astype(int).tolist(), strict=True))


def _groups(one: xr.Dataset, title: str) -> draw.Panel:
  """Returns the mean coefficients of those groups that have neurons (A47)."""
  size = _sizes(one)
  there = [group for group in GROUPS if size[group]]
  names = [f"{group} ({size[group]})" for group in there]
  its = one[["coefficient"]].sel(group=there).assign_coords(group=names)
  words = "neurons, by r of h with a + b"
  text = {"xlabel": FEATURE, "ylabel": words, "title": title}
  look = {"centred": True, "written": ".2f", "most": len(FEATURES), "tilted": True}
  return draw.heat(its, "coefficient", rows="group", columns="feature", **look, **text)


def _two_neurons(one: xr.Dataset, title: str) -> draw.Panel:
  """Returns the coefficients of two neurons, side by side (A48)."""
  names = [f"neuron {number}" for number in _strongest(one)]
  its = one[["coefficient"]].sel(group=list(NEURONS)).assign_coords(group=names)
  text = {"xlabel": FEATURE, "ylabel": "coefficient", "title": title}
  bars = draw.bars(its, "coefficient", x="feature", colour="group", **text)
  return draw.together(
    bars, lambda axes: axes.set_xticks(range(len(FEATURES)), FEATURES, **draw.TILT)
  )


def _strongest(one: xr.Dataset) -> list[int]:
  """Returns the numbers of NEURONS."""
  return [int(_trained(one, f"neuron/{place + 1}")) for place in range(len(NEURONS))]


def _fits(found: xr.Dataset, inside: str, outside: str, **text) -> draw.Panel:
  """Returns every fit's measure: dots on all pairs, rings on test pairs, ticks untrained."""

  def panel(axes):
    for t, (target, words) in enumerate(TARGETS.items()):
      value = found["fit_value"].sel(fit=[f"{target}_{design}" for design in DESIGNS])
      at_M = 0.25 * (1 - t) - np.arange(len(DESIGNS))
      colour = _COLOUR[target]
      for name, face in ((inside, colour), (outside, "white")):
        own = value.sel(network="trained", measure=name).transpose("seed", "fit").values
        said = f"{words}, all pairs (large: median)"
        _dots(axes, own, at_M, colour, face, said if name == inside else None)
      null_M = value.sel(network="untrained", measure=inside).median("seed").values
      axes.plot(np.maximum(null_M, _FLOOR), at_M, "|", color=draw.GREY, ms=6, mew=1.4)
    axes.plot(
      [], [], "o", mec=draw.GREY, mfc="white", ms=5, label="fitted on train, scored on test pairs"
    )
    axes.plot([], [], "|", color=draw.GREY, ms=6, mew=1.4, label="untrained, all pairs, median")
    axes.set_yticks(-np.arange(len(DESIGNS)), [_SHORT[design] for design in DESIGNS])
    axes.set(xlim=(_FLOOR - 0.01, 1.03), **text)

  return panel


def _dots(axes, value_SxM, at_M, colour: str, face: str, label: str | None) -> None:
  """Draws seeds as small dots, their median as a large one."""
  shown_SxM = np.maximum(value_SxM, _FLOOR)
  edge = {"ls": "", "marker": "o", "mec": colour, "mfc": face}
  if len(value_SxM) > 1:
    place_SxM = np.broadcast_to(at_M, shown_SxM.shape)
    axes.plot(shown_SxM, place_SxM, ms=2.2, alpha=0.4, mew=0.5, **edge)
  axes.plot(np.median(shown_SxM, axis=0), at_M, ms=5, mew=1.2, label=label, **edge)


def _coefficients(one: xr.Dataset, title: str) -> draw.Panel:
  """Returns the coefficients of z by feature, over all neurons (A47)."""
  every, *_ = GROUPS
  its = one.sel(group=every)

  def panel(axes):
    at = np.arange(len(FEATURES))
    bar = {"yerr": its["coefficient_deviation"].values, "error_kw": {"lw": 0.8, "capsize": 2}}
    said = f"mean of {_sizes(one)[every]} neurons (lines: ± deviation)"
    axes.bar(at, its["coefficient"].values, 0.7, color=draw.SKY, label=said, **bar)
    look = {"color": draw.ORANGE, "ms": 4, "label": "mean absolute value"}
    axes.plot(at, its["coefficient_magnitude"].values, "D", **look)
    axes.axhline(0, color="black", lw=0.8)
    axes.set_xticks(at, FEATURES, **draw.TILT)
    axes.set(title=title, xlabel=FEATURE, ylabel="coefficient")

  return panel


def _logits(found: xr.Dataset) -> draw.Panel:
  """Returns R² of every logit on Poly2, in and out of sample (A56)."""
  inside_SxV = found["logit_r2"].values.astype(float)
  outside_SxV = found["logit_heldout_r2"].values.astype(float)

  def panel(axes):
    at_V = found["logit"].values
    look = {"color": draw.GREEN, "alpha": 0.45, "label": "all pairs, median"}
    axes.bar(at_V, np.median(inside_SxV, axis=0), **look)
    axes.plot(at_V, inside_SxV.T, ".", color=draw.GREEN, ms=3)
    axes.plot([], [], ".", color=draw.GREEN, ms=5, label="all pairs, each network")
    ring = {
      "mec": draw.GREEN,
      "mfc": "white",
      "label": "fitted on train pairs, scored on test pairs, median",
    }
    axes.plot(at_V, np.median(outside_SxV, axis=0), "o", **ring)
    low = np.nanquantile(np.concatenate([inside_SxV, outside_SxV]), 0.05)
    axes.set(
      title="Logits on Poly2",
      xlabel=results.label(found["logit"]),
      ylabel="R²",
      ylim=(max(0, min(0.9, low - 0.02)), 1.005),
    )
    axes.xaxis.get_major_locator().set_params(integer=True)

  return panel


def _neurons(found: xr.Dataset) -> draw.Panel:
  """Returns R² of each neuron against that of z on Poly2 (A50, A52)."""
  pre = found["pre_r2"].values.ravel()

  def panel(axes):
    for name in ("sums", "post"):
      words, colour = NEURON_FITS[name]
      axes.plot(pre, found[f"{name}_r2"].values.ravel(), ".", color=colour, ms=2.5, alpha=0.5)
      axes.plot([], [], ".", color=colour, ms=9, label=words)
    axes.set(title="Each neuron of all networks", xlabel="R² of z on Poly2", ylabel="R²")
    axes.set_ylim(-0.02, 1.02)

  return panel


def _histogram(found: xr.Dataset) -> draw.Panel:
  """Returns the counts of R² over neurons of all seeds (A46, A50, A52)."""

  def panel(axes):
    for name, (words, colour) in NEURON_FITS.items():
      value = found[f"{name}_r2"].values.astype(float).ravel()
      known = np.clip(value[np.isfinite(value)], _BINS[0], _BINS[-1])
      axes.hist(known, _BINS, histtype="step", lw=1.5, color=colour, label=words)
    axes.set(
      title="R² per neuron",
      xlabel=f"R² (below {_BINS[0]:g}: in the first bin)",
      ylabel="neurons of all networks",
    )

  return panel


def _simulated(found: xr.Dataset, title: str) -> draw.Panel:
  """Returns all simulated logits against the network's own (A51)."""
  own = found["logits"].sel(source="network").values.ravel()

  def panel(axes):
    for i, source in enumerate(SOURCES):
      if i > 1:  # colours are those of the curves beside
        value = found["logits"].sel(source=source).values.ravel()
        look = {"color": draw.COLOURS[i], "ls": "", "marker": "."}
        axes.plot(own, value, ms=2, alpha=0.5, **look)
        axes.plot([], [], ms=8, label=source, **look)
    ends = [own.min(), own.max()]
    axes.plot(ends, ends, color="black", lw=0.8, label="equal")
    axes.set(title=title, xlabel="logit of the network", ylabel="simulated logit")

  return panel


def tables(runs) -> list[tables_lib.Table]:
  """Returns fits, simulated logits and coefficients of the runs of the source's setting."""
  main = program.main(runs)
  every = functools.partial(tables_lib.by_run, main)
  return [
    network.fit_table({run: found.sel(fit=list(FITS)) for run, found in main.items()}),
    tables_lib.Table(
      "Logits that are simulated from fitted z or h: one R² of all logits (of the source's own"
      " network, and the median and the range over seeds); R² held out, the mean over logits, and"
      " test accuracy are of fits on train pairs; loss in nats.",
      every(_simulated_rows),
      name="simulated",
    ),
    tables_lib.Table(
      "Coefficients of z on Poly2 by group of neurons (r: correlation of h with a + b), of the"
      " source's own network, else of the first seed: mean, standard deviation and mean absolute"
      " value over neurons.",
      every(coefficient_rows),
      name="coefficients",
    ),
    tables_lib.Table(
      "The logit that Poly2 fits best, of the same network: its coefficients on Poly2 and on the 5"
      " features published as symmetric, by falling magnitude.",
      every(best_logit_rows),
      name="best_logit",
    ),
  ]


def _simulated_rows(found: xr.Dataset):
  for key in SIMULATED:
    one = found.sel(fit=key)
    get = lambda name, network="trained", one=one: (
      one["fit_value"].sel(network=network, measure=name).values
    )
    r2 = numbers_lib.spread(get("r2_overall"))
    yield {
      "item": one["fit_item"].item(),
      "logits": f"{one['fit_target'].item()}; fit on {one['fit_design'].item()}",
      "R², the source's network": program.own(found, get("r2_overall")),
      "R²": r2["median"],
      "R² least": r2["minimum"],
      "R² largest": r2["maximum"],
      "R² held out": numbers_lib.median(get("heldout_mean")),
      "accuracy": numbers_lib.median(get("accuracy")),
      "loss": numbers_lib.median(get("nll_nats")),
      "test accuracy": numbers_lib.median(get("test_accuracy")),
      "R² untrained": numbers_lib.median(get("r2_overall", "untrained")),
    }


def coefficient_rows(found: xr.Dataset) -> list[dict]:
  """Returns a record per group of neurons and feature, of the network that is drawn (A47, A48)."""
  one = found.isel(seed=program.shown(found))
  numbered = zip(NEURONS, _strongest(one), strict=True)
  names = [*GROUPS, *(f"{words}: {number}" for words, number in numbered)]
  return [
    {
      "group": name,
      "neurons": int(its["group_size"]),
      "feature": feature,
      "mean": float(its["coefficient"].sel(feature=feature)),
      "deviation": float(its["coefficient_deviation"].sel(feature=feature)),
      "magnitude": float(its["coefficient_magnitude"].sel(feature=feature)),
    }
    for name, row in zip(names, ROWS, strict=True)
    for its in [one.sel(group=row)]
    for feature in FEATURES
  ]


def best_logit_rows(found: xr.Dataset) -> list[dict]:
  """Returns the best logit's coefficients by falling magnitude (A57, A58)."""
  one = found.isel(seed=program.shown(found))
  rows = []
  for design, names, value in (
    ("poly2", FEATURES, one["best_coefficient"].values),
    ("sums", SUMS, one["best_sums_coefficient"].values),
  ):
    rows += [
      {
        "logit": int(_trained(one, "best_logit")),
        "design": design,
        "feature": names[q],
        "coefficient": float(value[q]),
      }
      for q in np.argsort(-np.abs(value), kind="stable")
    ]
  return rows


def _trained(one: xr.Dataset, key: str) -> float:
  return one["number"].sel(network="trained", quantity=key).item()


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
CLOSE = 0.005  # R2 this close is the same
RIGHT = 0.95  # accuracy below which fitted logits are not the function
# R2 above which a fit is said to hold: of z, of the logits, of simulated logits.
QUADRATIC, SMOOTH, SIMULATES = 0.9, 0.8, 0.95


@CLAIMS.add(
  "polynomial.quadratic",
  "The MLP computes a quadratic polynomial of the digits' components.",
  reported=f"mean R2 {_source('pre_poly2/r2_mean')} over neurons, all"
  f" {_source('pre_poly2/r2_min')}",
  source=f"{program.PLAIN_SOURCE} (A46, A49, A60)",
)
def quadratic(results):
  """Returns the verdict: z is quadratic in the components by attention, which freezing shows."""
  fits = program.first(results, "polynomial")
  attention = program.first(results, "attention")
  progress = program.first(results, "progress")
  poly, quartic = program.numbers(fits, "pre_poly2/r2_mean", "pre_raw_quartic/r2_mean")
  (frozen,) = program.numbers(attention, "frozen_all_r2_min")
  early_S = program.at(progress, "logit_poly2_r2", program.EARLY)
  late_S = program.at(progress, "logit_poly2_r2", int(progress["step"].values[-1]))
  because = (
    f"R2 above {QUADRATIC:g} of z on Poly2 is wanted; it is {poly}, on a quartic in the raw digits"
    f" {quartic}; z is linear in the residual stream, and with attention frozen its worst neuron"
    f" has R2 {frozen} on a linear function of all components"
  )
  linear = bool(np.nanmin(frozen.value_S) > 1 - CLOSE)
  if linear:
    because += ": the curvature is the attention's"
  because += (
    f"; logits on Poly2 reach R2 {np.median(early_S):.3f} at step {program.EARLY:,}, before the"
    f" test pairs are known, and {np.median(late_S):.3f} at the end, both in the median"
  )
  numbers = program.behind(poly2=poly, raw_quartic=quartic, frozen_least=frozen)
  return program.by_members(poly.value_S > QUADRATIC, because, numbers, artefact=linear)


@CLAIMS.add(
  "polynomial.symmetry",
  "The network learned the symmetry in a and b, but not all the way.",
  reported=f"mean R2 {_source('pre_sums/r2_mean')} of five symmetric features, against"
  f" {_source('pre_poly2/r2_mean')}",
  source=f"{program.PLAIN_SOURCE} (A50)",
)
def symmetry(results):
  """Returns the verdict: what the symmetric fit misses are features that were left out."""
  fits = program.first(results, "polynomial")
  poly, sums, symmetric = program.numbers(
    fits, "pre_poly2/r2_mean", "pre_sums/r2_mean", "pre_symmetric8/r2_mean"
  )
  incomplete_S = poly.value_S - symmetric.value_S > CLOSE
  seen = "" if incomplete_S.any() else "the network is as symmetric as Poly2 can show; "
  because = (
    f"all of Poly2 has to fit z better than its symmetric features do, by more than {CLOSE:g} of"
    f" R2; five published features give R2 {sums}, all eight symmetric features up to degree 2"
    f" {symmetric}, all of Poly2 {poly}: {seen}what the five lack are squares and products of"
    " differences between the components of a and b, which are symmetric too"
  )
  numbers = program.behind(sums=sums, symmetric=symmetric, poly2=poly)
  return program.by_members(incomplete_S, because, numbers)


@CLAIMS.add(
  "polynomial.function",
  "The logits are quadratic in the digits' components.",
  reported=f"mean R2 {_source('logit_poly2/r2_mean')} over logits, best"
  f" {_source('logit_poly2/r2_max')}",
  source=f"{program.PLAIN_SOURCE} (A53, A56)",
)
def function(results):
  """Returns the verdict: a high R² of the logits is not the function."""
  fits = program.first(results, "polynomial")
  r2, accuracy = program.numbers(fits, "logit_poly2/r2_mean", "logit_poly2/accuracy")
  because = (
    f"R2 above {SMOOTH:g} of the logits on Poly2 is wanted; it is {r2}, and the fitted logits have"
    f" an accuracy of {accuracy}"
  )
  wrong = bool(np.median(accuracy.value_S) < RIGHT)
  reason = (
    f"a high R2 does not make the fit the function (accuracy of {RIGHT:g} is wanted for that)"
  )
  numbers = program.behind(r2=r2, accuracy=accuracy)
  try:
    other = program.first(results, "polynomial", variant=program.NO_DECAY)
    (without,) = program.numbers(other, "logit_poly2/r2_mean")
    memorised = program.first(results, "progress", variant=program.NO_DECAY)
    test_S = program.curve(memorised, "test/accuracy")[:, -1]
    numbers["no_decay_r2"] = float(np.median(without.value_S))
    because += (
      f"; without weight decay R2 is {without.middle} at a test accuracy of"
      f" {np.median(test_S):.2f} in the median"
    )
    if numbers["no_decay_r2"] > SMOOTH and np.median(test_S) < program.SURE:
      reason += ", and networks that memorise without weight decay have it too"
  except LookupError:
    pass
  if wrong:
    because += f": {reason}"
  return program.by_members(r2.value_S > SMOOTH, because, numbers, artefact=wrong)


@CLAIMS.add(
  "polynomial.simulated",
  "The ReLU of the fitted quadratics gives the logits.",
  reported=f"R2 {_source('pre_poly2_mlp/r2_overall')}",
  source=f"{program.PLAIN_SOURCE} (A51)",
)
def simulated(results):
  """Returns the verdict on logits from the ReLU of fitted z, without and with the direct path."""
  fits = program.first(results, "polynomial")
  r2, accuracy, exact, skip = program.numbers(
    fits,
    "pre_poly2_mlp/r2_overall",
    "pre_poly2_mlp/accuracy",
    "exact_mlp/r2_overall",
    "pre_poly2_full/r2_overall",
  )
  because = (
    f"R2 above {SIMULATES:g} of the logits is wanted; it is {r2}, with an accuracy of {accuracy};"
    f" the exact MLP alone reaches R2 {exact}, and with the direct path the fit reaches {skip}: the"
    " gap is the omitted direct path"
  )
  numbers = program.behind(r2=r2, accuracy=accuracy, exact_mlp=exact)
  return program.by_members(r2.value_S > SIMULATES, because, numbers)
