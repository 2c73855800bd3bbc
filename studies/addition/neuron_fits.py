"""z, h and their changes, fitted neuron by neuron: A31-A34 of the spec.

In full and with PC1 alone kept of each digit's vector. What the fits of h and
z are worth is read from the logits they give, direct path included.
"""

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import features, least_squares, principal
from primelens.studies.addition import fits, network, neuron_changes, neuron_correlations
from primelens.studies.addition.neuron_fits_reported import CHANGE_FITS, LINEAR, NUMBERS, SUM_FITS


def measure(pair: neuron_changes.Pair, member, token_Nx3, weight_F, draw_RxP) -> dict:
  """Returns all fits, R2 of each neuron, and their numbers.

  `draw_RxP` are random functions of a digit, for the controls.
  """
  full, reduced = pair.full, pair.reduced
  design = _designs(full.embedding_PxD, token_Nx3)
  random_RxNx2 = jax.vmap(lambda g_P: features.pairs(g_P[:, None]))(draw_RxP)
  fitted = _sum_fits(pair, member, design, random_RxNx2)
  fitted |= _change_fits(pair, member, design, random_RxNx2)
  target_NxF = jnp.concatenate(_sum_targets(pair), axis=1)
  sum_r2_4xF = _r2(design["sum"], target_NxF).reshape(4, -1)
  # An empty column more fits nothing more.
  line_NxQ, bow_NxQ = design["own_linear"], design["own_quadratic"]
  short = bow_NxQ.shape[1] - line_NxQ.shape[1]
  own_2xNxQ = jnp.stack([jnp.pad(line_NxQ, ((0, 0), (0, short))), bow_NxQ])
  change_r2_2xF = jax.vmap(_r2, (0, None))(own_2xNxQ, full.pre_NxF - reduced.pre_NxF)
  r2 = dict(zip(SUM_FITS, sum_r2_4xF, strict=True))
  r2 |= dict(zip(CHANGE_FITS, change_r2_2xF, strict=True))
  return {
    "fits": fitted,
    "sum_r2": sum_r2_4xF,
    "change_r2": change_r2_2xF,
    "value": _values(fitted, r2, weight_F),
  }


def score_all(score, designs, *extra) -> dict:
  """Returns `score(design_NxQ, *extra)` of all designs, by name, traced once.

  `designs` are pairs of a name and NxQ, filled up with empty columns, which
  fit nothing; each of `extra` has an entry per design. Scores of designs with
  the same name are averaged.
  """
  names = [name for name, _ in designs]
  width = max(x_NxQ.shape[1] for _, x_NxQ in designs)
  fill = lambda x_NxQ: jnp.pad(x_NxQ, ((0, 0), (0, width - x_NxQ.shape[1])))
  stacked_RxNxQ = jnp.stack([fill(x_NxQ) for _, x_NxQ in designs])
  found = jax.vmap(score)(stacked_RxNxQ, *(jnp.stack(x) for x in extra))
  rows_of = {name: np.flatnonzero([other == name for other in names]) for name in names}
  mean = lambda x_R, row_R: x_R[row_R].astype(jnp.float32).mean(0)
  return {
    name: {measure: mean(x_R, row_R) for measure, x_R in found.items()}
    for name, row_R in rows_of.items()
  }


def _sum_targets(pair: neuron_changes.Pair) -> tuple:
  """z and h with PC1 alone, z and h in full: those of SUM_FITS."""
  full, reduced = pair.full, pair.reduced
  return reduced.pre_NxF, reduced.post_NxF, full.pre_NxF, full.post_NxF


def _sum_fits(pair, member, design, random_RxNx2) -> dict:
  """A31-A33: z and h on the sum, and on what else could do as well."""
  target_4xNxF = jnp.stack(_sum_targets(pair))
  designs = [(name, design["sum"]) for name in SUM_FITS]
  designs.append(("pre_full_quadratic", design["sum_quadratic"]))
  designs += [
    ("pre_full_random", features.monomials(x_Nx2.sum(1, keepdims=True), 1))
    for x_Nx2 in random_RxNx2
  ]
  source = [SUM_FITS.index(name) for name in SUM_FITS]
  source += [SUM_FITS.index("pre_full")] * (len(designs) - len(source))
  # One after the other the four networks' direct paths.
  direct_4xNxV = jnp.stack(
    [
      network.exact(part.mid_NxD, part.unembed_DxV)
      for part in (pair.reduced, pair.reduced, pair.full, pair.full)
    ]
  )

  def score(design_NxQ, at):
    def logits(x_NxF):
      # What is fitted to h may be negative, and stays so.
      post_NxF = jnp.where(at % 2 == 1, x_NxF, jnp.maximum(x_NxF, 0))
      return direct_4xNxV[at] + network.readout(pair.full, post_NxF, skip=False)

    return fits.score(design_NxQ, target_4xNxF[at], member, logits)

  return score_all(score, designs, jnp.array(source))


def _change_fits(pair, member, design, random_RxNx2) -> dict:
  """A34: the change of z on PC2, and on what else could do as well."""
  before_NxF = pair.reduced.pre_NxF
  designs = [
    (f"change_{prefix}{name}", design[f"{of}_{name}"])
    for prefix, of in (("", "own"), ("raw_", "raw"))
    for name in ("linear", "quadratic")
  ]
  designs.append(("change_additive", design["additive"]))
  designs += [("change_random", features.monomials(x_Nx2, 1)) for x_Nx2 in random_RxNx2]
  logits = lambda change_NxF: network.readout(pair.full, jnp.maximum(before_NxF + change_NxF, 0))
  change_NxF = pair.full.pre_NxF - before_NxF
  return score_all(lambda design_NxQ: fits.score(design_NxQ, change_NxF, member, logits), designs)


def _designs(embedding_PxD, token_Nx3) -> dict:
  """Designs of A31-A34 and of their controls, by name."""
  sum_N = neuron_correlations.sums(token_Nx3)
  digits = len(embedding_PxD)
  scaled_Nx1 = (sum_N / (digits - 1) - 1)[:, None]
  score_PxQ = principal.oriented(principal.pca(embedding_PxD)).score_NxQ
  second_Nx2 = features.pairs(score_PxQ[:, 1:2])
  raw_Nx2 = features.pairs(jnp.linspace(-1, 1, digits)[:, None])
  return {
    "sum": features.monomials(scaled_Nx1, 1),
    "sum_quadratic": features.monomials(scaled_Nx1, 2),
    "own_linear": features.monomials(second_Nx2, 1),
    "own_quadratic": features.monomials(second_Nx2, 2),
    "raw_linear": features.monomials(raw_Nx2, 1),
    "raw_quadratic": features.monomials(raw_Nx2, 2),
    "additive": features.additive(digits),
  }


def _r2(design_NxQ, target_NxF):
  """R2 of each neuron, NaN for one that does not vary."""
  fit = least_squares.fit(design_NxQ, target_NxF)
  return least_squares.r2_columns(target_NxF, fit.prediction_NxF)


def _values(fitted, r2, weight_F) -> dict:
  """The numbers of the table."""
  value = {
    f"{fit}_{measure}": fitted[fit][measure]
    for fit, (_, numbers) in NUMBERS.items()
    for measure in numbers
  }
  for name in ("reduced", "full"):
    drop_F = r2[f"pre_{name}"] - r2[f"post_{name}"]
    value[f"drop_{name}_mean"] = jnp.nanmean(drop_F)
    value[f"drop_{name}_median"] = jnp.nanmedian(drop_F)
  linear_F = r2["pre_reduced"] > LINEAR
  value["linear_post"] = jnp.nanmean(jnp.where(linear_F, r2["post_reduced"], jnp.nan))
  for name, r2_F in r2.items():
    known_F = jnp.isfinite(r2_F)
    total = jnp.sum(weight_F, where=known_F)
    value[f"weighted_{name}"] = jnp.sum(weight_F * jnp.where(known_F, r2_F, 0)) / total
  return value


def draws(digits: int, count: int, seed: int):
  """Returns `count` random functions of a digit, normal: RxP."""
  return jax.random.normal(jax.random.key(seed), (count, digits))
