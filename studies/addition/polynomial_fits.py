"""Polynomial fits of z, h and the logits, and the logits that they give.

Items A46, A49-A53 and A56 of the addition spec, and the controls of A63. The
base features p1a, p1b, p2a, p2b are the first two principal scores of the two
digits; Poly2 are their 15 monomials up to degree 2.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
from primelens.analyses import features, least_squares
from primelens.studies.addition import fits, network

FEATURES = tuple(features.monomial_names(("p1a", "p1b", "p2a", "p2b"), 2))
SUMS = tuple(features.monomial_names(("s1", "s2"), 2))
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
# Where the source made the fit; every other one is a control, A63.
_ITEM = {
  "pre_poly2": "A46",
  "pre_linear": "A49",
  "post_poly2": "A52",
  "logit_poly2": "A56",
  "logit_sums": "A58",
} | {f"pre_{name}": "A50" for name in DESIGNS if name.startswith("s")}
_SIMULATED_ITEM = {"pre_poly2": "A51", "pre_linear": "A49", "pre_sums": "A50", "post_poly2": "A53"}
FITS = {
  f"{target}_{name}": fits.Fit(_ITEM.get(f"{target}_{name}", "A63"), TARGETS[target], words)
  for target in TARGETS
  for name, words in DESIGNS.items()
}
# Their r2_overall and held-out R2 are those of the logits.
SIMULATED = {
  f"{target}_{name}_{path}": fits.Fit(
    _SIMULATED_ITEM.get(f"{target}_{name}", "A63"),
    f"logits from the fitted {TARGETS[target]}, {PATHS[path]}",
    words,
  )
  for target in ("pre", "post")
  for name, words in DESIGNS.items()
  for path in PATHS
} | {"exact_mlp": fits.Fit("A51", f"logits, {PATHS['mlp']}", "exact z")}


def designs(score_Px2, random_RxPx2) -> jax.Array:
  """Returns the DESIGNS of a member, stacked: VxNxQ.

  `random_RxPx2` are the draws of two random functions of the digit, whose
  designs are the last R. Narrow designs are filled up with columns of zeros,
  which least squares leaves out.
  """
  P = len(score_Px2)
  pair_Nx4 = features.pairs(score_Px2)
  symmetric_Nx9 = features.symmetric(pair_Nx4)
  raw_Nx2 = features.pairs(jnp.linspace(-1, 1, P)[:, None])
  one_Nx1 = jnp.ones((P * P, 1))
  poly = lambda x_Px2: features.monomials(features.pairs(x_Px2), 2)
  every = [
    poly(score_Px2),
    jnp.concatenate([one_Nx1, pair_Nx4], 1),
    features.sums(pair_Nx4),
    *(symmetric_Nx9[:, : 1 + count] for count in (6, 7, 8)),
    *(features.monomials(raw_Nx2, degree) for degree in (2, 4)),
    features.additive(P),
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
    return fits.score(design_NxQ, value_NxF, member, logits)

  def each(design_NxQ):
    logit = fits.score(design_NxQ, read.logit_NxV, member, lambda x_NxV: x_NxV)
    return _of_both(read, functools.partial(hidden, design_NxQ)), logit

  both_V, logit_V = jax.lax.map(each, design_VxNxQ)
  return {"hidden": both_V, "logit": logit_V}


def named_scores(found: dict) -> dict:
  """Returns measures of every member by their fit, from `scores` over S."""
  measures: dict[str, dict] = {}
  for at, target in enumerate(("pre", "post")):
    one_SxV = {name: x_SxVx2[:, :, at] for name, x_SxVx2 in found["hidden"].items()}
    measures |= _named(one_SxV, f"{target}_{{}}")
  return measures | _named(found["logit"], "logit_{}")


def simulations(read: network.Network, member, design_VxNxQ) -> dict:
  """Returns what the SIMULATED logits are worth, traced (A49-A51, A53), for
  `named_simulations`.

  L^ = relu(fit of z) W_L^T or (fit of h) W_L^T, with r_mid W_U and without.
  """
  exact_NxV = network.readout(read, read.post_NxF, skip=False)
  direct_NxV = network.direct(read)
  both_NxF = jnp.concatenate([read.pre_NxF, read.post_NxF], axis=1)

  def logits(design_NxQ, rows=None):
    fit = least_squares.fit(design_NxQ, both_NxF, rows)
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
    measures |= _named(one_SxV, f"{target}_{{}}_{path}")
  return measures


def judged(read: network.Network, member, logit_NxV, outside_NxV) -> dict:
  """Returns the measures of simulated logits against the network's own.

  `outside_NxV` are those of the fit on the train pairs, judged on the test
  pairs.
  """
  test_N, label_N = member.test_N, member.label_N
  outside_NxV = outside_NxV[test_N]
  held = least_squares.summary(least_squares.r2_columns(read.logit_NxV[test_N], outside_NxV))
  return {
    "r2_overall": least_squares.r2_overall(read.logit_NxV, logit_NxV),
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


def _named(measure_SxV: dict, form: str) -> dict:
  """Returns the measures by design, random draws averaged."""
  *fixed, random = DESIGNS
  take = lambda at: {name: x_SxV[:, at] for name, x_SxV in measure_SxV.items()}
  draws = {name: x_SxV[:, len(fixed) :].mean(1) for name, x_SxV in measure_SxV.items()}
  named = {form.format(name): take(at) for at, name in enumerate(fixed)}
  return named | {form.format(random): draws}
