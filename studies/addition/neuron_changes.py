"""What do neurons do differently when the digits keep PC1 alone?

The published study compared the network in full with itself, each digit's vector reduced to its
first principal component, on the inputs that then fail: which neurons change most (A29, A30 of
docs/sources/addition.md), which are strongest at (0, 0) (A38), how well a + b fits z and h
(A31-A33), how well the second component fits the change of z (A34), and which neurons flip on or
off at (0, 0), said to implement a correction (A35).

All of this is repeated for every network, and for untrained ones of the same seeds. Neurons are
copies in blocks, and a block changes as one: of the variance of the changes the share between
blocks is given. Fits carry the accuracy and the loss of the logits that their fitted values give,
and have controls: random functions of a digit, the digits themselves, any sum f(a) + g(b). Of the
change of the true logit at (0, 0) the share of the flips is given; the rest is that of neurons that
are active with and without the edit, and of the direct path. In the figures thin lines are networks
and thick ones their median.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import fourier, linear, slots
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.addition import network, program

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)

obstacle = program.plain


# --- mean changes, and the strongest neurons at (0, 0) --------------------------------------------

GROUPS = ("all failing inputs", "failing, a = 0", "failing, a = P - 1")
ALIKE = 0.99  # cosine of two columns of W_in that are copies
LISTED, STRONG = 5, 20  # neurons whose changes are numbers, neurons compared in shape
TOP = 10  # neurons whose changes are listed
ACTIVE = 6  # neurons listed by their contribution at (0, 0)
FOLLOWS = 0.9  # cosine of contributions of one shape


def mean_changes(pair: network.Pair, member, up_DxF, r_F, rank_F) -> dict:
  """Returns mean changes of z and h, and the strongest neurons at (0, 0)."""
  change_2xNxF = jnp.stack(
    [pair.full.pre_NxF - pair.reduced.pre_NxF, pair.full.post_NxF - pair.reduced.post_NxF]
  )
  mean_2x3xF = _grouped(change_2xNxF, pair.failing_N)
  size_F = jnp.sum(jnp.abs(change_2xNxF[1]) * pair.failing_N[:, None], axis=0)
  value = _most_changed(size_F, pair.failing_N, r_F)
  length_F = jnp.linalg.norm(up_DxF, axis=0)
  per_weight_2xF = mean_2x3xF[:, 0] / jnp.where(length_F > 0, length_F, 1)[None]
  value |= {
    "delta_pre_blocks": between(per_weight_2xF[0], rank_F),
    "delta_post_blocks": between(per_weight_2xF[1], rank_F),
  }
  strongest = _strongest(pair.full, member.label_N)
  value |= strongest.pop("value")
  size_F = size_F / jnp.maximum(pair.failing_N.sum(), 1)
  return {"change": mean_2x3xF, "change_size": size_F, "value": value, **strongest}


def _grouped(change_2xNxF, failing_N):
  """Mean change over each of GROUPS, 0 for an empty one (A29, A30)."""
  rows = len(failing_N)
  digits = int(rows**0.5)
  a_N = np.arange(rows) // digits
  group_3xN = jnp.stack(
    [failing_N, failing_N & (a_N == 0), failing_N & (a_N == digits - 1)]
  ).astype(change_2xNxF.dtype)
  total = jnp.einsum("gn,cnf->cgf", group_3xN, change_2xNxF, precision="highest")
  return total / jnp.maximum(group_3xN.sum(1), 1)[None, :, None]


def _most_changed(size_F, failing_N, r_F) -> dict:
  """The neurons whose h changes most on failing inputs (A29), by their sum of |change|."""
  order_F = jnp.argsort(-size_F, stable=True)
  found = {f"delta_post_{rank}": order_F[rank] for rank in range(LISTED)}
  found |= {f"delta_post_{rank}_r": r_F[order_F[rank]] for rank in (2, 4)}
  return found | {"failing": failing_N.sum()}


def between(x_F, rank_F):
  """Returns the share of the variance that lies between groups.

  Over the members of groups of two or more; NaN where there are none.
  """
  count = len(x_F)
  of_FxR = (rank_F[:, None] == jnp.arange(count)[None]).astype(x_F.dtype)
  size_R = of_FxR.sum(0)
  copied_F = size_R[rank_F] > 1
  middle_R = network.exact(x_F, of_FxR) / jnp.maximum(size_R, 1)
  middle_F = middle_R[rank_F]
  total = jnp.sum((x_F - jnp.mean(x_F, where=copied_F)) ** 2, where=copied_F)
  return 1 - jnp.sum((x_F - middle_F) ** 2, where=copied_F) / total


def _strongest(full: network.Network, label_N) -> dict:
  """Neurons ranked by sum over classes |W_L h| at (0, 0), and what the first ones add (A38)."""
  part_VxF = full.readout_VxF * full.post_NxF[:1]
  strength_F = jnp.abs(part_VxF).sum(0)
  order_F = jnp.argsort(-strength_F, stable=True)[:STRONG]
  part_VxR = part_VxF[:, order_F]
  cosine_R = slots.cosines(part_VxR)[0]
  odd = jnp.argmin(cosine_R)
  listed = range(ACTIVE)
  value = {
    **{f"active_{rank}": order_F[rank] for rank in listed},
    **{f"active_{rank}_strength": strength_F[order_F[rank]] for rank in listed},
    "active": jnp.sum(full.post_NxF[0] > 0),
    "same_direction": jnp.sum(cosine_R > 0),
    "same_shape": jnp.sum(cosine_R > FOLLOWS),
    "outlier": order_F[odd],
    "outlier_peak": jnp.argmax(part_VxR[:, odd]),
    "outlier_true": part_VxR[label_N[0], odd],
  }
  return {"value": value, "strong": order_F[:ACTIVE], "part": part_VxR[:, :ACTIVE].T}


# --- neurons that flip ----------------------------------------------------------------------------


def flip_numbers(pair: network.Pair, label_N) -> dict:
  """Returns the numbers of the flips, as `value` (A35).

  On in full and off with PC1 alone, or the reverse. "True" and "predicted" are the rows of W_L of
  the label and of the prediction with PC1 alone, which in the source are 0 and 3 at (0, 0).
  """
  full, reduced = pair.full, pair.reduced
  guess_N = jnp.argmax(reduced.logit_NxV, axis=-1)
  was_NxF, is_NxF = reduced.pre_NxF > 0, full.pre_NxF > 0
  # Every neuron's part of the change of each input's true logit.
  change_NxF = full.post_NxF - reduced.post_NxF
  part_NxF = full.readout_VxF[label_N] * change_NxF
  row_N = jnp.arange(len(label_N))
  of_true_N = (full.logit_NxV - reduced.logit_NxV)[row_N, label_N]
  flipped_N = jnp.sum(part_NxF, axis=1, where=was_NxF != is_NxF)
  true_F, predicted_F = (full.readout_VxF[at[0]] for at in (label_N, guess_N))
  flip_F = was_NxF[0] != is_NxF[0]
  off_F, on_F = was_NxF[0] & ~is_NxF[0], is_NxF[0] & ~was_NxF[0]
  found = {
    "flips": flip_F.sum(),
    "flips_off": off_F.sum(),
    "flips_on": on_F.sum(),
    "flips_true": flipped_N[0],
    "flips_predicted": jnp.sum(predicted_F * change_NxF[0], where=flip_F),
    "change_true": of_true_N[0],
    "direct_true": of_true_N[0] - part_NxF[0].sum(),
    "flips_share": flipped_N[0] / of_true_N[0],
    "flips_share_failing": jnp.sum(flipped_N, where=pair.failing_N)
    / jnp.sum(of_true_N, where=pair.failing_N),
  }
  # Turning off a neuron whose row is negative raises that logit.
  for side, side_F, sign in (("off", off_F, -1), ("on", on_F, 1)):
    for name, row_F, right in (("true", true_F, sign), ("predicted", predicted_F, -sign)):
      found[f"{side}_{name}_mean"] = jnp.mean(row_F, where=side_F)
      found[f"{side}_{name}_std"] = jnp.std(row_F, where=side_F)
      found[f"{side}_{name}_right"] = jnp.mean(right * row_F > 0, where=side_F)
  return {"value": found}


# --- z, h and their changes, fitted neuron by neuron ----------------------------------------------

LINEAR = 0.99  # R2 of z above which a neuron counts as linear (A32)
SUM_FITS = ("pre_reduced", "post_reduced", "pre_full", "post_full")
CHANGE_FITS = ("change_linear", "change_quadratic")
_SUM, _OWN = "a + b", "PC2(a), PC2(b)"
_DRAWN = "one g drawn at random, mean over draws"
FITS = {
  "pre_reduced": network.Fit("A31", "z, PC1 alone", _SUM),
  "post_reduced": network.Fit("A32", "h, PC1 alone", _SUM),
  "pre_full": network.Fit("A33", "z", _SUM),
  "post_full": network.Fit("A33", "h", _SUM),
  "pre_full_random": network.Fit("A33", "z", f"g(a) + g(b), {_DRAWN}"),
  "pre_full_quadratic": network.Fit("A33", "z", "a + b and (a + b)^2"),
  "change_linear": network.Fit("A34", "change of z", _OWN),
  "change_quadratic": network.Fit("A34", "change of z", f"{_OWN}, to degree 2"),
  "change_random": network.Fit("A34", "change of z", f"g(a), g(b), {_DRAWN}"),
  "change_raw_linear": network.Fit("A34", "change of z", "a, b"),
  "change_raw_quadratic": network.Fit("A34", "change of z", "a, b, to degree 2"),
  "change_additive": network.Fit("A34", "change of z", "f(a) + g(b)"),
}
# Measures of fits that are among the numbers.
NUMBERS = {
  "pre_reduced": ("r2_mean", "r2_median", "r2_max", "above_90", "above_95", "above_99"),
  "post_reduced": ("r2_mean", "r2_median", "r2_max", "above_90"),
  "pre_full": ("r2_mean", "above_90", "above_99"),
  "post_full": ("r2_mean", "above_90"),
  "change_linear": ("r2_mean", "r2_median", "above_90", "above_99"),
  "change_quadratic": ("r2_mean", "r2_median", "above_90", "above_99"),
}


def neuron_fits(pair: network.Pair, member, token_Nx3, weight_F, draw_RxP) -> dict:
  """Returns all fits, R2 of each neuron, and their numbers (A31-A34).

  In full and with PC1 alone kept of each digit's vector. What the fits of h and z are worth is read
  from the logits they give, direct path included. `draw_RxP` are random functions of a digit, for
  the controls.
  """
  full, reduced = pair.full, pair.reduced
  design = _designs(full.embedding_PxD, token_Nx3)
  random_RxNx2 = jax.vmap(lambda g_P: fourier.pair_features(g_P[:, None]))(draw_RxP)
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


def _sum_targets(pair: network.Pair) -> tuple:
  """z and h with PC1 alone, z and h in full: those of SUM_FITS."""
  full, reduced = pair.full, pair.reduced
  return reduced.pre_NxF, reduced.post_NxF, full.pre_NxF, full.post_NxF


def _sum_fits(pair, member, design, random_RxNx2) -> dict:
  """A31-A33: z and h on the sum, and on what else could do as well."""
  target_4xNxF = jnp.stack(_sum_targets(pair))
  designs = [(name, design["sum"]) for name in SUM_FITS]
  designs.append(("pre_full_quadratic", design["sum_quadratic"]))
  designs += [
    ("pre_full_random", fourier.monomials(x_Nx2.sum(1, keepdims=True), 1)) for x_Nx2 in random_RxNx2
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

    return network.fit_scores(design_NxQ, target_4xNxF[at], member, logits)

  return network.score_all(score, designs, jnp.array(source))


def _change_fits(pair, member, design, random_RxNx2) -> dict:
  """A34: the change of z on PC2, and on what else could do as well."""
  before_NxF = pair.reduced.pre_NxF
  designs = [
    (f"change_{prefix}{name}", design[f"{of}_{name}"])
    for prefix, of in (("", "own"), ("raw_", "raw"))
    for name in ("linear", "quadratic")
  ]
  designs.append(("change_additive", design["additive"]))
  designs += [("change_random", fourier.monomials(x_Nx2, 1)) for x_Nx2 in random_RxNx2]
  logits = lambda change_NxF: network.readout(pair.full, jnp.maximum(before_NxF + change_NxF, 0))
  change_NxF = pair.full.pre_NxF - before_NxF
  score = lambda design_NxQ: network.fit_scores(design_NxQ, change_NxF, member, logits)
  return network.score_all(score, designs)


def _designs(embedding_PxD, token_Nx3) -> dict:
  """Designs of A31-A34 and of their controls, by name."""
  sum_N = network.sums(token_Nx3)
  digits = len(embedding_PxD)
  scaled_Nx1 = (sum_N / (digits - 1) - 1)[:, None]
  score_PxQ = linear.oriented(linear.pca(embedding_PxD)).score_NxQ
  second_Nx2 = fourier.pair_features(score_PxQ[:, 1:2])
  raw_Nx2 = fourier.pair_features(jnp.linspace(-1, 1, digits)[:, None])
  return {
    "sum": fourier.monomials(scaled_Nx1, 1),
    "sum_quadratic": fourier.monomials(scaled_Nx1, 2),
    "own_linear": fourier.monomials(second_Nx2, 1),
    "own_quadratic": fourier.monomials(second_Nx2, 2),
    "raw_linear": fourier.monomials(raw_Nx2, 1),
    "raw_quadratic": fourier.monomials(raw_Nx2, 2),
    "additive": fourier.additive_design(digits),
  }


def _r2(design_NxQ, target_NxF):
  """R2 of each neuron, NaN for one that does not vary."""
  fit = linear.fit(design_NxQ, target_NxF)
  return linear.r2_columns(target_NxF, fit.prediction_NxF)


def _values(fitted, r2, weight_F) -> dict:
  """The numbers of the table."""
  value = {
    f"{fit}_{measure}": fitted[fit][measure]
    for fit, measures in NUMBERS.items()
    for measure in measures
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


# --- the result -----------------------------------------------------------------------------------

SITES = {"z": "z, before the ReLU", "h": "h, behind the ReLU"}


def of_member(model, params, member, token_Nx3, *, draw_RxP) -> dict:
  """Returns all of one member; `draw_RxP` as in `neuron_fits`."""
  pair = network.pair(model, params, member, token_Nx3)
  up_DxF = params["blocks"]["mlp"]["up"]["kernel"][0]
  r_F = network.correlation(pair.full, token_Nx3)
  weight_F = network.contributions(pair.full)
  rank_F = slots.copies(up_DxF, weight_F, ALIKE).rank_F
  changes = mean_changes(pair, member, up_DxF, r_F, rank_F)
  flipped = flip_numbers(pair, member.label_N)
  fitted = neuron_fits(pair, member, token_Nx3, weight_F, draw_RxP)
  value = changes["value"] | flipped["value"] | fitted["value"]
  return {**changes, **fitted, "value": value, "r": r_F}


def measure(run) -> xr.Dataset:
  """Returns changes, flips and fits of every network, and the numbers of untrained ones."""
  settings = run.settings
  draw_RxP = draws(run.pairs.digits, settings.random_directions, settings.seed)
  found, fresh = network.beside(functools.partial(of_member, draw_RxP=draw_RxP), run)
  one = results.variable
  variables = {
    **numbers_lib.stored(found["value"], fresh["value"]),
    **network.fits(FITS, found["fits"], fresh["fits"]),
    "r": one("seed neuron", found["r"], "correlation of h with a + b"),
    "change": one(
      "seed site group neuron", found["change"], "mean change, in full less with PC1 alone"
    ),
    "change_size": one(
      "seed neuron", found["change_size"], "mean |change of h| over failing inputs"
    ),
    "strong": one("seed place", found["strong"], "neurons that add most to the logits at (0, 0)"),
    "part": one("seed place logit", found["part"], "part of the logit at (0, 0)"),
    "sum_r2": one("seed sum_fit neuron", found["sum_r2"], "R² of each neuron on a + b"),
    "change_r2": one(
      "seed change_fit neuron", found["change_r2"], "R² of the change of z of each neuron on PC2"
    ),
  }
  coords = {
    "neuron": one("neuron", np.arange(variables["r"].sizes["neuron"]), "neuron"),
    "place": one("place", 1 + np.arange(variables["strong"].sizes["place"]), "place at (0, 0)"),
    "logit": one("logit", np.arange(variables["part"].sizes["logit"]), "logit"),
    "site": list(SITES),
    "group": list(GROUPS),
    "sum_fit": list(SUM_FITS),
    "change_fit": list(CHANGE_FITS),
  }
  return program.dataset(run, variables, coords)


numbers = numbers_lib.of  # by the keys of published.csv


# --- figures and tables ---------------------------------------------------------------------------

LEVELS = np.linspace(0, 1, 101)  # of R2
BINS = np.linspace(0, 1, 41)
# Numbers drawn for all runs: what they are, and their unit.
SHARED = {
  "failing": ("Inputs that fail with PC1 alone", "inputs"),
  "flips_share": ("Share of the flips in the change of the true logit at (0, 0)", "share"),
  "weighted_change_linear": ("Change of z on PC2 of a and b, weighted by contribution", "R²"),
}


def figures(runs) -> dict:
  """Returns two pages for each run of the source's setting and, of several runs, one of all.

  The second one of a run has what the ReLU costs each neuron's fit, and what neurons add at (0, 0).
  """
  pages = {run: _page(run, found) for run, found in program.main(runs).items()}
  pages |= {f"{run}, ReLU": _relu(run, found) for run, found in program.main(runs).items()}
  if len(runs) < 2:
    return pages
  return {"all runs": program.compared(runs, SHARED)} | pages


def _page(run: str, found: xr.Dataset) -> draw.Page:
  rows = [tuple(_change(run, found, site, group) for group in GROUPS) for site in SITES]
  fits = (_sum_curves(run, found), _change_counts(found))
  return draw.page(*rows, fits, heights=[3.1, 3.1, 3.6])


def _change(run: str, found: xr.Dataset, site: str, group: str) -> draw.Panel:
  """Returns the mean change of each neuron of the network that is drawn, by rising r."""
  its = found.isel(seed=program.shown(found)).sel(site=site, group=group)
  order_F = np.argsort(its["r"].values, kind="stable")
  r_F, change_F = its["r"].values[order_F], its["change"].values[order_F]

  def bars(axes):
    for words, some_F, colour in (
      ("r of 0 or more", r_F >= 0, draw.BLUE),
      ("r below 0", ~(r_F >= 0), draw.ORANGE),
    ):
      at_F = np.flatnonzero(some_F)
      axes.vlines(at_F, 0, change_F[at_F], color=colour, lw=0.5)
      axes.plot([], [], color=colour, lw=2, label=words)
    axes.axhline(0, color="black", lw=0.8)
    whose = f"{run}, seed {int(its['seed'])}:\n" if group == GROUPS[0] else ""
    axes.set(title=f"{whose}{site}, {group}", xlabel="neuron, by rising r")
    axes.set_ylabel(f"mean change of {site}\n(in full less PC1 alone)")

  return bars


def above(found: xr.Dataset) -> xr.Dataset:
  """Returns how many neurons have an R² on a + b above a level; one that does not vary has none."""
  r2_SxFitsxF = found["sum_r2"].transpose("seed", "sum_fit", "neuron").values
  count = (r2_SxFitsxF[..., None] > LEVELS).sum(2)
  shape = (len(count), 2, 2, len(LEVELS))  # SUM_FITS: PC1 alone and in full, of both z and h
  return results.dataset(
    {"count": results.variable("seed digits site level", count.reshape(shape), "neurons")},
    {
      "digits": ["PC1 alone", "in full"],
      "site": list(SITES),
      "level": results.variable("level", LEVELS, "R² of at least"),
    },
  )


def _sum_curves(run: str, found: xr.Dataset) -> draw.Panel:
  """Returns R² on a + b: what the ReLU costs, in full and with PC1 alone."""
  its = above(found).isel(digits=[1, 0])
  look = {"colour": "site", "dash": "digits", "thin": "seed", "names": SITES, "zero": False}
  return draw.together(
    draw.level(0.9, "R² = 0.9", along="x", color=draw.GREY, ls=":"),
    draw.curves(
      its, "count", x="level", style={"marker": ""}, title=f"{run}: neurons fitted on a + b", **look
    ),
  )


def _change_counts(found: xr.Dataset) -> draw.Panel:
  """Returns R² of the change of z on PC2 (A34), all networks; below 0 in the first bin."""

  def histograms(axes):
    for name, colour in zip(CHANGE_FITS, (draw.BLUE, draw.ORANGE), strict=True):
      r2 = found["change_r2"].sel(change_fit=name).values.astype(float).ravel()
      known = np.clip(r2[np.isfinite(r2)], 0, 1)
      label = name.removeprefix("change_")
      axes.hist(known, BINS, histtype="step", lw=1.5, color=colour, label=label)
    axes.set(
      title="Change of z, fitted on PC2 of a and b", xlabel="R²", ylabel="neurons, all networks"
    )

  return histograms


def _relu(run: str, found: xr.Dataset) -> draw.Page:
  costs = (
    _drops(found, "reduced", f"{run}: the ReLU's cost, PC1 alone"),
    _drops(found, "full", "The ReLU's cost, in full"),
  )
  return draw.page(costs, _parts(found), heights=[3.0, 3.4])


def drops(found: xr.Dataset, name: str) -> np.ndarray:
  """Returns R² of z less R² of h on a + b, SxF: PC1 alone ("reduced") or in "full" (A32, A33)."""
  of = lambda site: found["sum_r2"].sel(sum_fit=f"{site}_{name}").transpose("seed", "neuron").values
  return of("pre") - of("post")


def _drops(found: xr.Dataset, name: str, title: str) -> draw.Panel:
  its = results.dataset(
    {"drop": results.variable("seed neuron", drops(found, name), "R² of z less R² of h, on a + b")}
  )
  middle = numbers_lib.median(drops(found, name).ravel())
  marked = draw.level(middle, f"median {middle:.2f}", along="x", color=draw.ORANGE)
  count = f"neurons of {found.sizes['seed']} networks"
  return draw.together(marked, draw.histogram(its, "drop", title=title, ylabel=count))


def _parts(found: xr.Dataset) -> draw.Panel:
  """Returns what the strongest neurons of one network add to each logit at (0, 0) (A38)."""
  own = found.isel(seed=program.shown(found))
  names = [f"neuron {neuron}" for neuron in own["strong"].values.tolist()]
  its = own[["part"]].assign_coords(place=names)
  title = f"Neurons that add most to the logits at (0, 0), seed {own['seed'].item()}"
  return draw.curves(its, "part", x="logit", colour="place", title=title)


def tables(runs) -> list[tables_lib.Table]:
  """Returns the fits, and the neurons that change most, of runs of the source's setting."""
  main = program.main(runs)
  changed = tables_lib.Table(
    f"The {TOP} neurons whose h changes most where the digits keep PC1 alone, of the network that"
    " is drawn: means over the inputs that then fail, change being in full less with PC1 alone.",
    tables_lib.by_run(main, changed_rows),
    name="changed",
  )
  return [network.fit_table(main), changed]


def changed_rows(found: xr.Dataset) -> list[dict]:
  """Returns a record for each of the neurons whose h changes most on failing inputs (A29)."""
  own = found.isel(seed=program.shown(found))
  order_F = np.argsort(-own["change_size"].values, kind="stable")[:TOP]
  mean = own["change"].sel(group=GROUPS[0])
  return [
    {
      "place": place,
      "neuron": neuron,
      "mean |change of h|": float(own["change_size"][neuron]),
      "mean change of h": float(mean.sel(site="h", neuron=neuron)),
      "mean change of z": float(mean.sel(site="z", neuron=neuron)),
      "r with a + b": float(own["r"][neuron]),
    }
    for place, neuron in enumerate(order_F.tolist(), start=1)
  ]


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
CARRIED = 0.5  # of the change: more is most of it


@CLAIMS.add(
  "neurons.flips",
  "Neurons that flip on or off implement the correction at (0, 0).",
  reported=f"{PUBLISHED['flips'].source} flips, {PUBLISHED['flips_off'].source} off, which raise"
  " logit 0 and lower logit 3",
  source=f"{program.PLAIN_SOURCE} (A35)",
)
def flips(results):
  """Returns the verdict on the flips' share of the change that they are said to make."""
  found = program.first(results, "neuron_changes")
  share, count = program.numbers(found, "flips_share", "flips")
  because = (
    "neurons that flip where the digits keep PC1 alone have to carry a share above"
    f" {CARRIED:g} of the change that this edit makes to the true logit at (0, 0); their share is"
    f" {share}, with {count} such neurons; the rest comes from neurons active with and without the"
    " edit, and from the direct path"
  )
  values = program.behind(share=share, flips=count)
  return program.by_members(share.value_S > CARRIED, because, values)
