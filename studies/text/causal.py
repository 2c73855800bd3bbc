"""Does a network's answer run through the direction in which the sum is read?

The published test removes a direction and fits a new readout to what is left. In that readout the
answer can still be found, so the test says nothing of the network. Here directions are fitted on
one half of fresh pairs, and removed or exchanged on the other half. The answer is the network's
own: it is read by its own readout or, at an earlier level, by all layers that remain. Three
controls have the same rank and move the states as far: directions of permuted labels, fitted in the
same way, random directions, and the first principal component. Skill is 1 - loss / the loss of a
constant answer: 1 is no error, 0 is a constant.

How a direction is fitted decides what its removal does: the penalty and the scale of the features
turn the direction of a ridge regression. LEACE's eraser, which leaves no covariance with the sum,
does not depend on them (docs/sources/text.md, sections 4.2, 4.4, 5.2 and 6).
"""

from collections.abc import Iterator, Mapping

import jax
import numpy as np
import xarray as xr
from primelens.analyses import erasure, linear, statistics
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.text import program, removal, states
from primelens.studies.text.removal import Rows

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)

# --- as published, and by the network's own readout: float64, from moments of the select rows -----

SELECT_ROWS = {"few": 1024, "all": states.ROWS}  # of the two published scripts
STEPS_R = (1, 2, 3, 4, 6, 8, 10, 12, 15)  # directions removed one by one
RANDOM = 50  # directions
RANDOM_SEED = 0


def as_published(run) -> dict[str, np.ndarray]:
  """Returns a number per member for every key of the reported table."""
  text, row_N = run.prompts, run.prompts.select_N[: states.ROWS]
  state_SxNxD = states.over_members(states.pooled, run, text.token_NxT[row_N])
  state_SxNxD = state_SxNxD.astype(np.float64)
  # What the direction is fitted to, and what the readout is for.
  target_Nx2 = np.stack([text.x_N[row_N] + text.y_N[row_N], text.answer_N[row_N]], -1)
  found = refits(state_SxNxD, target_Nx2)
  if run.regression:
    head = readout(run)
    found |= own(state_SxNxD, target_Nx2, *head)
  return found | one_by_one(state_SxNxD, target_Nx2)


def readout(run) -> tuple[np.ndarray, np.ndarray]:
  """Returns the networks' readout SxDx1 and bias Sx1 in raw units."""
  head, scale = run.params_S["readout"], float(run.experiment.task.scale)
  raw = lambda name: np.asarray(head[name], np.float64) * scale
  return raw("kernel"), raw("bias")


def refits(state_SxNxD, target_Nx2) -> dict[str, np.ndarray]:
  """Returns errors of a ridge regression before and after the sum's direction
  is removed, fitted anew each time to the rows it is scored on."""
  found: dict[str, np.ndarray] = {}
  for name, rows in SELECT_ROWS.items():
    moments = erasure.moments(state_SxNxD[:, :rows], target_Nx2[:rows])
    before, after = _refit(moments), _refit(_without(moments, _sum(moments)))
    found |= {
      f"{name}_before": before["error"],
      f"{name}_after": after["error"],
      f"{name}_delta": after["error"] - before["error"],
      f"{name}_r2_before": before["r2"],
      f"{name}_r2_after": after["r2"],
    }
  width = state_SxNxD.shape[-1]
  random_Dx1 = np.random.default_rng(RANDOM_SEED).standard_normal((width, 1))
  random = _refit(_without(moments, random_Dx1))
  found["all_random"] = random["error"] - before["error"]
  return found | {"all_excess": found["all_delta"] - found["all_random"]}


def _refit(moments: erasure.Moments) -> dict[str, np.ndarray]:
  """Returns error and R2 on its own rows of a ridge regression for the second
  target."""
  kernel_DxF = erasure.ridge(moments)
  bias_F = erasure.intercept(moments, kernel_DxF)
  return {
    "error": erasure.squared_error(moments, kernel_DxF, bias_F)[..., 1],
    "r2": erasure.r2(moments, kernel_DxF, bias_F)[..., 1],
  }


def _sum(moments: erasure.Moments) -> np.ndarray:
  """Returns the ridge direction of the first target, the sum, DxK = Dx1."""
  return erasure.ridge(moments)[..., :1]


def _without(moments, direction_Dx1) -> erasure.Moments:
  eraser = erasure.directions(moments.mean_D, direction_Dx1)
  return erasure.without(moments, eraser)


def own(state_SxNxD, target_Nx2, kernel_SxDx1, bias_Sx1):
  """Returns squared errors by the network's own readout of states without a
  direction, which is replaced by its mean."""
  moments = erasure.moments(state_SxNxD, target_Nx2[:, 1:])
  sums = erasure.moments(state_SxNxD, target_Nx2[:, :1])
  sum_SxDx1, mean_SxD = _sum(sums), moments.mean_D
  value_SxD, vector_SxDxD = np.linalg.eigh(moments.gram_DxD)

  def error(eraser):
    changed = erasure.readout(eraser, kernel_SxDx1, bias_Sx1)
    return erasure.squared_error(moments, *changed)[..., 0]

  mean = lambda direction_Dx1: error(erasure.directions(mean_SxD, direction_Dx1))
  zero = erasure.directions(np.zeros_like(mean_SxD), sum_SxDx1)
  rng = np.random.default_rng(RANDOM_SEED)
  random_RxD = rng.standard_normal((RANDOM, state_SxNxD.shape[-1]))
  random_RxS = mean(random_RxD[:, None, :, None])
  unit = lambda x_SxDx1: x_SxDx1 / np.linalg.norm(x_SxDx1, axis=1)[:, None]
  cosine_SxDx1 = unit(sum_SxDx1) * unit(kernel_SxDx1)
  variance = moments.total_FxF[0, 0] / moments.rows
  return {
    "base": erasure.squared_error(moments, kernel_SxDx1, bias_Sx1)[..., 0],
    "constant": np.full(len(mean_SxD), variance),
    "mean_sum": mean(sum_SxDx1),
    "zero_sum": error(zero),
    "mean_readout": mean(kernel_SxDx1),
    "mean_pc1": mean(vector_SxDxD[..., -1:]),
    "random_mean": random_RxS.mean(0),
    "random_deviation": random_RxS.std(0),
    "cosine": cosine_SxDx1.sum((1, 2)),
    "leace_own": error(erasure.leace(sums)),
  }


def one_by_one(state_SxNxD, target_Nx2) -> dict[str, np.ndarray]:
  """Returns R2 of the sum over folds after one direction more and more is
  removed, and after LEACE.

  Directions are ridge regressions (alpha 1, raw states) on all rows, also
  those that a fold is scored on, as the recomputed numbers are.
  """
  sum_Nx1 = target_Nx2[:, :1]
  every = erasure.moments(state_SxNxD, sum_Nx1)
  fitted, scored = states.moments_of_folds(state_SxNxD, sum_Nx1)
  direction_SxRxD = erasure.null_space(every, max(STEPS_R))
  basis_SxDxR = np.swapaxes(direction_SxRxD, -1, -2)
  found = {}
  for step in STEPS_R:
    some = basis_SxDxR[..., :step]
    eraser = erasure.Eraser(every.mean_D, some, some)
    found[f"iterated_{step}"] = held_out(fitted, scored, eraser)
  eraser = erasure.leace(every)
  left = erasure.without(every, eraser)
  kernel_SxDx1 = erasure.ridge(left)
  bias_Sx1 = erasure.intercept(left, kernel_SxDx1)
  return found | {
    "leace_r2": erasure.r2(left, kernel_SxDx1, bias_Sx1)[..., 0],
    "leace_held_out": held_out(fitted, scored, eraser),
  }


def held_out(fitted, scored, eraser: erasure.Eraser) -> np.ndarray:
  """Returns R2 of the first target on erased states, the mean over folds."""
  fitted = erasure.without(fitted, eraser)
  scored = erasure.without(scored, eraser)
  kernel_DxF = erasure.ridge(fitted)
  bias_F = erasure.intercept(fitted, kernel_DxF)
  return erasure.r2(scored, kernel_DxF, bias_F)[..., 0].mean(0)


# --- subspaces of every level, removed or exchanged -----------------------------------------------

LEVEL_ROWS = 300  # test rows that run through the remaining layers
LEVEL_DRAWS = 3  # permutations, and random subspaces, before the last level
PROBED = {0: 2, 1: 3}  # a subspace, and that of its permuted labels
ENOUGH = 19  # draws, for a p-value of 0.05


def interventions(run, rows: Rows, name: str) -> dict[str, np.ndarray]:
  """Returns what subspaces of one target do: `skill`, `moved`, `removed` and
  more, SxExV each, means over draws; `p` SxExV of the probed ones."""
  settings, y_NxF = run.settings, rows.feature_NxF[name]
  rng = np.random.default_rng(settings.seed)
  count = max(settings.permutations, LEVEL_DRAWS)
  order_RxN = np.stack([rng.permutation(len(y_NxF)) for _ in range(count)])
  state_SxExNxD = np.moveaxis(rows.fit_SxNxExD, 2, 1)
  key = jax.random.key(settings.seed)
  last = erasure.probed_population(
    state_SxExNxD[:, -1:],
    y_NxF,
    order_RxN[: settings.permutations],
    draws=settings.random_directions,
    key=key,
  )
  early = erasure.probed_population(
    state_SxExNxD[:, :-1], y_NxF, order_RxN[:LEVEL_DRAWS], draws=LEVEL_DRAWS, key=key
  )
  found = [
    by_subspace(
      _before(run, rows, early),
      early,
      rows,
      LEVEL_ROWS,
      erasure.variants_of(LEVEL_DRAWS, LEVEL_DRAWS),
    ),
    by_subspace(
      _last(rows, last),
      last,
      rows,
      None,
      erasure.variants_of(settings.permutations, settings.random_directions),
    ),
  ]
  joined = {key: np.concatenate([one[key] for one in found], 1) for key in found[0]}
  return joined | {"rank": last.read_RxDxK.shape[-1]}


def _last(rows: Rows, found) -> dict[str, np.ndarray]:
  """Returns the measures of all subspaces of the final states, by what is
  done, SxExRx3 with E = 1."""
  bundle = rows.bundle(found.read_RxDxK[:, 0], found.write_RxDxK[:, 0], found.strength_R[:, 0])
  index_R = np.arange(found.strength_R.shape[-1])
  measured = removal.over(removal.by_readout, bundle, index_R, rows.target_N)
  return {name: x_SxRx3[:, None] for name, x_SxRx3 in measured.items()}


def _before(run, rows: Rows, found) -> dict[str, np.ndarray]:
  """Returns the measures of all subspaces of the earlier levels, run through
  the remaining layers, SxExRx3; NaN where nobody looked (REMOVED)."""
  levels, count = found.strength_R.shape[1:]
  few = slice(LEVEL_ROWS)
  bundle = {
    "params": run.params_S,
    "state_ExNxD": np.moveaxis(rows.test_SxNxExD[:, few, :-1], 2, 1),
    "mean_ExD": rows.mean_SxExD[:, :-1].astype(np.float32),
    "output_NxV": rows.output_SxNxV[:, few],
    "read_ExRxDxK": found.read_RxDxK,
    "write_ExRxDxK": found.write_RxDxK,
    "strength_ExR": found.strength_R,
  }
  shape = (levels, count, 2)
  level_R, index_R, way_R = np.indices(shape).reshape(3, -1)
  cells = {"level": level_R, "index": index_R, "way": way_R + removal.MATCHED}
  measured = removal.over(
    removal.by_network(run.apply, run.experiment.model.trunk.layers),
    bundle,
    cells,
    rows.token_NxT[few],
    rows.target_N[few],
  )
  empty = ((0, 0), (0, 0), (0, 0), (1, 0))
  return {
    name: np.pad(x_SxR.reshape(-1, *shape), empty, constant_values=np.nan)
    for name, x_SxR in measured.items()
  }


def by_subspace(measured, found, rows, count, kind_R) -> dict[str, np.ndarray]:
  """Returns means over the draws of every kind of subspace, SxExV each.

  `measured` are SxExRx3, scored on the first `count` rows. `p` is how often a
  subspace of permuted labels, scaled to move states as far, does as much
  damage, `p_moved` how often one goes as far towards the donor, unscaled.
  """
  taken = {
    "skill": rows.skill(measured["loss"][..., removal.MATCHED], count),
    "skill_unscaled": rows.skill(measured["loss"][..., removal.REMOVED], count),
    "accuracy": measured["accuracy"][..., removal.MATCHED],
    "moved": measured["moved"][..., removal.EXCHANGED],
    "donor_skill": rows.skill(measured["donor_loss"][..., removal.EXCHANGED], count),
    "donor_accuracy": measured["donor_accuracy"][..., removal.EXCHANGED],
    "removed": np.asarray(found.removed_R, float),
    "strength": np.asarray(found.strength_R, float),
  }
  many = range(len(erasure.VARIANTS))
  means = {
    name: np.stack([x[..., kind_R == v].mean(-1) for v in many], -1) for name, x in taken.items()
  }
  draws_V = np.bincount(kind_R, minlength=len(many))
  rows_V = np.full(len(many), len(rows.target_N[:count]))
  spread = lambda count_V: np.broadcast_to(count_V, means["skill"].shape)
  return means | {
    "p": _against(taken["skill"], kind_R, "less"),
    "p_moved": _against(taken["moved"], kind_R, "greater"),
    "draws": spread(draws_V),
    "rows": spread(rows_V),
  }


def _against(value_SxExR, kind_R, tail) -> np.ndarray:
  """Returns p-values SxExV of the probed subspaces; NaN for the others, where
  there are less than ENOUGH draws, and where a network never changes."""
  shape = (*value_SxExR.shape[:-1], len(erasure.VARIANTS))
  p_SxExV = np.full(shape, np.nan)
  for v, null in PROBED.items():
    null_RxSxE = np.moveaxis(value_SxExR[..., kind_R == null], -1, 0)
    known = np.isfinite(value_SxExR[..., v]).all() & np.isfinite(null_RxSxE).all()
    if known and len(null_RxSxE) >= ENOUGH:
      p_SxExV[..., v] = statistics.permutation_p(value_SxExR[..., v], null_RxSxE, tail=tail)
  return p_SxExV


# --- single directions of the final states: one by one, and by their fit --------------------------

COUNT = 15  # directions removed one by one
NULLS = 3  # permutations removed one by one
LADDERS = ("ridge", "ridge, standardised", "leace")


def iterated(run, rows: Rows) -> dict[str, np.ndarray]:
  """Returns R2 of a new probe on test rows and the skill of the own readout,
  SxR, after 0..COUNT directions of the sum; `null` with permuted ones."""
  y_Nx1 = rows.feature_NxF["sum"]
  fit = erasure.moments(rows.fit_SxNxExD[:, :, -1], y_Nx1)
  test = erasure.moments(rows.test_SxNxExD[:, :, -1], rows.sum_Nx1)
  rng, null = np.random.default_rng(run.settings.seed), []
  for _ in range(NULLS):
    y_Nx1 = rng.permutation(y_Nx1)
    wrong = erasure.moments(rows.fit_SxNxExD[:, :, -1], y_Nx1)
    null.append(_reread(fit, test, _first(wrong)))
  basis_SxRxDxK = _first(fit)
  found = removal.over(
    removal.by_readout,
    rows.bundle(basis_SxRxDxK, basis_SxRxDxK),
    np.arange(COUNT + 1),
    rows.target_N,
  )
  return {
    "r2": _reread(fit, test, basis_SxRxDxK),
    "null": np.mean(null, 0),
    "skill": rows.skill(found["loss"][..., removal.REMOVED]),
  }


def _first(moments: erasure.Moments) -> np.ndarray:
  """Returns the first 0..COUNT directions, the others zero, SxRxDxK."""
  direction_SxKxD = erasure.null_space(moments, COUNT)
  basis_Sx1xDxK = np.swapaxes(direction_SxKxD, -1, -2)[:, None]
  kept_RxK = np.tri(COUNT + 1, COUNT, -1)
  return basis_Sx1xDxK * kept_RxK[:, None]


def _reread(fit, test, basis_SxRxDxK) -> np.ndarray:
  """Returns R2 on the test rows of probes fitted to what is left, SxR."""
  wide = lambda moments: erasure.Moments(
    moments.rows, *(np.asarray(x)[:, None] for x in moments[1:])
  )
  fit, test = wide(fit), wide(test)
  eraser = erasure.Eraser(fit.mean_D, basis_SxRxDxK, basis_SxRxDxK)
  fit, test = erasure.without(fit, eraser), erasure.without(test, eraser)
  kernel_DxF = erasure.ridge(fit)
  return erasure.r2(test, kernel_DxF, erasure.intercept(fit, kernel_DxF))[..., 0]


def ladder(run, rows: Rows) -> dict[str, dict]:
  """Returns single directions by name, what they are and what goes with them:
  the sum's with every penalty, the first component, the readout's."""
  fit = erasure.moments(rows.fit_SxNxExD[:, :, -1], rows.feature_NxF["sum"])
  named = lines(fit)
  if run.regression:
    named["readout"] = _orthogonal(rows.head_SxDxV.astype(float))
  read_SxRxDx1, write_SxRxDx1 = (
    np.stack([pair[i] for pair in named.values()], 1) for i in range(2)
  )
  measured = removal.over(
    removal.by_readout,
    rows.bundle(read_SxRxDx1, write_SxRxDx1),
    np.arange(len(named)),
    rows.target_N,
  )
  total_S = np.trace(fit.gram_DxD, axis1=-2, axis2=-1)
  head_SxDxV = rows.head_SxDxV if run.regression else None
  found = {}
  for r, (name, (read_SxDx1, write_SxDx1)) in enumerate(named.items()):
    inside_S = _square(read_SxDx1, fit.gram_DxD)
    found[name] = {
      "removed": inside_S * np.sum(write_SxDx1**2, (1, 2)) / total_S,
      "cosine": _cosine(read_SxDx1, head_SxDxV),
      "skill": rows.skill(measured["loss"][:, r, removal.REMOVED]),
      "accuracy": measured["accuracy"][:, r, removal.REMOVED],
      "moved": measured["moved"][:, r, removal.EXCHANGED],
    }
  return found


def lines(fit: erasure.Moments) -> dict[str, tuple]:
  """Returns read and write SxDx1 of every direction, by name.

  The ridge's with every penalty, also of standardised states and mapped back
  to raw ones, and the oblique eraser with the ridge's metric; and the first
  component.
  """
  deviation_SxD = np.sqrt(np.diagonal(fit.gram_DxD, axis1=-2, axis2=-1) / fit.rows)
  scale_SxD = np.where(deviation_SxD > 1e-9, deviation_SxD, 1)
  standard = fit._replace(
    gram_DxD=fit.gram_DxD / (scale_SxD[:, None] * scale_SxD[..., None]),
    cross_DxF=fit.cross_DxF / scale_SxD[..., None],
  )
  found = {}
  for alpha in linear.ALPHAS_R:
    kernel_SxDx1 = erasure.ridge(fit, alpha)
    mapped_SxDx1 = erasure.ridge(standard, alpha) / scale_SxD[..., None]
    size_Sx1x1 = np.sum(fit.cross_DxF * kernel_SxDx1, (1, 2), keepdims=True)
    oblique = (kernel_SxDx1 / np.maximum(size_Sx1x1, 1e-30), fit.cross_DxF)
    pairs = (_orthogonal(kernel_SxDx1), _orthogonal(mapped_SxDx1), oblique)
    for name, pair in zip(LADDERS, pairs, strict=True):
      found[named(name, alpha)] = pair
  _, vector_SxDxD = np.linalg.eigh(fit.gram_DxD)
  return found | {"first component": _orthogonal(vector_SxDxD[..., -1:])}


def named(ladder: str, alpha: float) -> str:
  """Returns the name of a ladder's direction with one penalty."""
  return f"{ladder}, alpha {alpha:g}"


def _orthogonal(direction_SxDx1) -> tuple:
  size_Sx1x1 = np.linalg.norm(direction_SxDx1, axis=1, keepdims=True)
  unit_SxDx1 = direction_SxDx1 / np.where(size_Sx1x1 > 0, size_Sx1x1, 1)
  return unit_SxDx1, unit_SxDx1


def _square(read_SxDx1, gram_SxDxD) -> np.ndarray:
  return np.sum(read_SxDx1 * (gram_SxDxD @ read_SxDx1), (1, 2))


def _cosine(read_SxDx1, head_SxDxV) -> np.ndarray:
  """Returns the cosine of a direction and the readout; NaN without one."""
  if head_SxDxV is None:
    return np.full(len(read_SxDx1), np.nan)
  unit, _ = _orthogonal(read_SxDx1)
  other, _ = _orthogonal(head_SxDxV.astype(float))
  return np.sum(unit * other, (1, 2))


# --- the result -----------------------------------------------------------------------------------

INTERVENTIONS = {
  "target": "what is probed",
  "level": "level",
  "subspace": "subspace",
  "rank": "directions of the subspace",
  "draws": "how many subspaces",
  "rows": "rows that are answered",
  "skill": "skill with the subspace at its mean, scaled to move states as far as the probed one",
  "skill_min": "smallest skill of a network",
  "skill_max": "largest skill of a network",
  "moved": "share of the way to the next row's answer with its component in place, unscaled",
  "moved_min": "smallest share of the way of a network",
  "moved_max": "largest share of the way of a network",
  "skill_unscaled": "skill with the subspace at its mean, unscaled, median over seeds",
  "accuracy": "accuracy with the subspace at its mean, scaled, median over seeds",
  "donor_skill": "skill about the next row's answer with its component in place, median over seeds",
  "donor_accuracy": "accuracy about the next row's answer with its component in place, median",
  "removed": "share of the variance in the subspace, median over seeds",
  "strength": "what the subspace is scaled by, median over seeds",
  "p": "how often permuted labels do as much damage, largest of the seeds",
  "p_moved": "how often permuted labels go as far to the next row's answer, largest of the seeds",
}
DIRECTIONS = {
  "direction": "direction",
  "skill": "skill without the direction",
  "skill_min": "smallest skill of a network",
  "skill_max": "largest skill of a network",
  "accuracy": "accuracy without the direction, median over seeds",
  "removed": "share of the variance along the direction, median over seeds",
  "cosine": "cosine of the direction and the readout's, median over seeds",
  "moved": "share of the way to the next row's answer with its component in place, median",
}
REFITTED = ("intact", "without the sum's direction")
OWN = {  # what is taken from the states that the own readout reads
  "base": "nothing",
  "constant": "everything: the rows' mean answer",
  "mean_sum": "the ridge direction of the sum, at its mean",
  "zero_sum": "the ridge direction of the sum, at zero",
  "mean_readout": "the readout's direction, at its mean",
  "mean_pc1": "the first component, at its mean",
  "random_mean": f"{RANDOM} random directions, at their mean",
  "random_deviation": f"{RANDOM} random directions, standard deviation",
  "leace_own": "the sum, by LEACE",
}


def measure(run) -> xr.Dataset:
  """Returns answers without subspaces and with another row's, of every network; and as published.

  Draws are means over subspaces of permuted labels, or over random ones.
  """
  rows = Rows(run)
  old = as_published(run)
  by_target = {name: interventions(run, rows, name) for name in rows.feature_NxF}
  steps, lines = iterated(run, rows), ladder(run, rows)
  levels = states.levels(run)
  stacked = lambda key: np.stack([one[key] for one in by_target.values()])
  skill_KxSxQ = [
    np.stack([lines[named(name, a)]["skill"] for a in linear.ALPHAS_R], -1) for name in LADDERS
  ]
  by_level = "target seed level subspace"
  variables = {
    "intact": results.variable("seed", rows.skill(rows.intact_loss_S), "skill as it is"),
    "skill": results.variable(by_level, stacked("skill"), "skill with the subspace at its mean"),
    "moved": results.variable(by_level, stacked("moved"), "share of the way to the other answer"),
    "removed": results.variable(
      by_level, stacked("removed"), "share of the variance in the subspace"
    ),
    "iterated_r2": results.variable("seed step", steps["r2"], "R² of a new probe"),
    "iterated_null_r2": results.variable(
      "seed step", steps["null"], "R² of a new probe, directions of permuted labels"
    ),
    "iterated_skill": results.variable("seed step", steps["skill"], "skill of the own readout"),
    "ladder_skill": results.variable(
      "fit seed penalty", np.stack(skill_KxSxQ), "skill without the direction"
    ),
    **_of_select(old),
    **results.rows("interventions", _interventions(by_target, levels), INTERVENTIONS),
    **results.rows("directions", _directions(lines), DIRECTIONS),
  }
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "target": results.variable("target", list(by_target), "what is probed"),
    "level": results.variable("level", list(levels), "level"),
    "subspace": results.variable("subspace", list(erasure.VARIANTS), "subspace"),
    "step": results.variable("step", np.arange(COUNT + 1), "directions removed"),
    "published_step": results.variable(
      "published_step", np.array(STEPS_R), "directions removed, as published"
    ),
    "fit": results.variable("fit", list(LADDERS), "fit of the direction"),
    "penalty": results.variable("penalty", np.array(linear.ALPHAS_R), "penalty"),
    "select_rows": results.variable("select_rows", list(SELECT_ROWS.values()), "rows of select"),
    "refitted": results.variable("refitted", list(REFITTED), "states"),
  }
  if run.regression:
    coords["taken"] = results.variable("taken", list(OWN), "what is taken away")
  task = run.experiment.task
  return results.dataset(
    variables,
    coords,
    question=task.question,
    regression=run.regression,
    published_prompts=(task.layout, task.operands) == ("published", 1000),
  )


def _of_select(old: Mapping) -> dict:
  """Returns the variables of what was measured as published, on rows of select."""
  pair = lambda name: [
    [old[f"{rows}_{name}before"], old[f"{rows}_{name}after"]] for rows in SELECT_ROWS
  ]
  dims, unit = "select_rows refitted seed", "answers²"
  steps_SxM = np.stack([old[f"iterated_{step}"] for step in STEPS_R], -1)
  found = {
    "refit_error": results.variable(dims, pair(""), "squared error of a readout fitted anew", unit),
    "refit_r2": results.variable(dims, pair("r2_"), "R² of a readout fitted anew, same rows"),
    "refit_random": results.variable(
      "seed", old["all_random"], "change of the squared error without a random direction", unit
    ),
    "iterated_as_published": results.variable(
      "seed published_step", steps_SxM, "R² over 5 folds, as published"
    ),
    "leace_r2": results.variable("seed", old["leace_r2"], "R² after LEACE, on the rows fitted"),
    "leace_folds_r2": results.variable(
      "seed", old["leace_held_out"], "R² after LEACE, over 5 folds"
    ),
  }
  if "base" in old:  # the readout of numbers
    error = np.stack([old[name] for name in OWN])
    words = "squared error by the own readout"
    found["own_error"] = results.variable("taken seed", error, words, unit)
    words = "cosine of the sum's ridge direction and the readout's"
    found["cosine"] = results.variable("seed", old["cosine"], words)
  return found


def _interventions(by_target: Mapping, levels) -> Iterator[dict]:
  """Yields a record per target, level and subspace, over seeds."""
  for target, found in by_target.items():
    for e, level in enumerate(levels):
      for v, kind in enumerate(erasure.VARIANTS):
        of = lambda key, e=e, v=v, found=found: found[key][:, e, v]
        row = {"target": target, "level": level, "subspace": kind, "rank": found["rank"]}
        row |= {"draws": int(of("draws")[0]), "rows": int(of("rows")[0])}
        row |= _spread("skill", of("skill")) | _spread("moved", of("moved"))
        medians = list(INTERVENTIONS)[list(INTERVENTIONS).index("skill_unscaled") : -2]
        row |= {key: float(np.median(of(key))) for key in medians}
        yield row | {key: float(np.max(of(key))) for key in ("p", "p_moved")}


def _directions(found: Mapping[str, Mapping]) -> Iterator[dict]:
  """Yields a record per direction: medians, the skill with its interval."""
  for name, one in found.items():
    medians = {key: float(np.median(one[key])) for key in list(DIRECTIONS)[4:]}
    yield {"direction": name} | _spread("skill", one["skill"]) | medians


def _spread(name: str, value_S) -> dict[str, float]:
  mean = statistics.seed_interval(value_S)
  return {
    name: float(mean.estimate),
    f"{name}_low": float(mean.low),
    f"{name}_high": float(mean.high),
    f"{name}_min": float(value_S.min()),
    f"{name}_max": float(value_S.max()),
  }


def numbers(found) -> dict:
  """Returns the values by seed of the keys in published.csv, of published prompts alone."""
  if not found.published_prompts:
    return {}
  values = {}
  for name, rows in SELECT_ROWS.items():
    for key in ("error", "r2"):
      pair = found[f"refit_{key}"].sel(select_rows=rows)
      words = f"{name}_r2" if key == "r2" else name
      values[f"{words}_before"], values[f"{words}_after"] = pair.transpose("refitted", "seed")
    values[f"{name}_delta"] = values[f"{name}_after"] - values[f"{name}_before"]
  values["all_random"] = found.refit_random
  values["all_excess"] = values["all_delta"] - found.refit_random
  if "own_error" in found:
    values |= {key: found.own_error.sel(taken=key) for key in OWN} | {"cosine": found.cosine}
  steps = found.iterated_as_published
  values |= {f"iterated_{step}": steps.sel(published_step=step) for step in STEPS_R}
  values |= {"leace_r2": found.leace_r2, "leace_held_out": found.leace_folds_r2}
  named = {f"{found.question}_{key}": value.values for key, value in values.items()}
  return {key: value for key, value in named.items() if key in PUBLISHED}


# --- figures, tables, the line of the summary -----------------------------------------------------


def figures(runs) -> dict:
  """Returns what the sum's subspace is worth in all runs on one page, and a page for each run."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  final = {run: _of_sum(found) for run, found in runs.items()}
  first = next(iter(runs.values()))
  titles = {"skill": "The sum's subspace at its mean", "moved": "The sum's subspace exchanged"}
  panels = [
    draw.rows(
      results.across(final, name),
      name,
      x="subspace",
      colour="run",
      title=title,
      xlabel=f"{first[name].attrs['long_name']}, final states",
    )
    for name, title in titles.items()
  ]
  return pages | {"all runs": draw.page(tuple(panels), heights=[2.4 + 0.4 * len(runs)])}


def _of_sum(found: xr.Dataset) -> xr.Dataset:
  """Returns skill and share of the way, with intervals, without the sum's subspaces at the end."""
  at = (found.interventions_target == "sum") & (found.interventions_level == "final")
  names = {f"interventions_{name}": name for name in ("skill", "moved")}
  names |= {f"{key}_interval": f"{name}_interval" for key, name in names.items()}
  one = found[list(names)].isel(interventions=at.values)
  return one.rename(names | {"interventions": "subspace"}).assign_coords(subspace=found.subspace)


def _page(run: str, found: xr.Dataset) -> draw.Page:
  look = {"x": "level", "colour": "subspace", "thin": "seed"}
  rows = []
  for target in found.target.values:
    one = found.sel(target=target)
    intact = draw.level(float(np.median(found.intact)), "intact")
    title = f"{run}: subspace of {target} at its mean"
    skill = draw.curves(one, "skill", symlog=1, title=title, **look)
    moved = draw.curves(one, "moved", title=f"Subspace of {target} exchanged", **look)
    rows.append((draw.together(intact, skill), moved))
  rows.append((_one_by_one(found), _ladder(found)))
  heights = [3.5] * (len(rows) - 1) + [4.0]
  refitted = (_bars(run, found), _refit_r2(found))
  if "own_error" not in found:
    return draw.page(*rows, refitted, heights=[*heights, 3.2])
  return draw.page(*rows, refitted, _own(found), heights=[*heights, 3.2, 3.2])


BARS = ("nothing", "a random direction", "the sum's direction")  # that are taken away, as published


def refitted_errors(found: xr.Dataset) -> xr.Dataset:
  """Returns the errors of readouts fitted anew to all rows of select, by what was taken away."""
  intact, without = found.refit_error.isel(select_rows=-1).transpose("refitted", "seed").values
  error_KxS = [intact, intact + found.refit_random.values, without]
  words = "squared error of a readout fitted anew"
  unit = found.refit_error.attrs["units"]
  return results.dataset(
    {"error": results.variable("taken seed", error_KxS, words, unit)},
    {"taken": results.variable("taken", list(BARS), "what is taken from the states")},
  )


def _bars(run: str, found: xr.Dataset) -> draw.Panel:
  """Returns the published test: bars of the readout before, without a random direction, without
  the sum's."""
  rows = int(found.select_rows[-1])
  title = f"{run}: as published, {rows:,} rows (dots: networks)"
  bars = draw.bars(refitted_errors(found), "error", x="taken", title=title)
  published = [_source(f"{found.question}_all_{key}") for key in ("before", "random", "after")]
  known = [value for value in published if value is not None]
  if not found.published_prompts or len(known) < len(published):
    return bars
  before, random, after = known
  marks = {"ls": "", "marker": "x", "ms": 7, "lw": 0}
  return draw.together(
    draw.line(range(3), (before, before + random, after), "published network", "black", **marks),
    bars,
  )


def _source(key: str) -> float | None:
  """Returns a published number; None where there is none."""
  return float(PUBLISHED[key].source) if key in PUBLISHED else None


def _refit_r2(found: xr.Dataset) -> draw.Panel:
  named = [f"{rows:,} rows" for rows in found.select_rows.values]
  its = found[["refit_r2"]].assign_coords(select_rows=named)
  title = "What the readout fitted anew still finds"
  return draw.bars(its, "refit_r2", x="refitted", colour="select_rows", title=title)


def _own(found: xr.Dataset) -> draw.Panel:
  """Returns the errors by the network's own readout, by what is taken away."""
  its = found[["own_error"]].assign_coords(taken=[OWN[key] for key in found.taken.values])
  its = its.drop_sel(taken=OWN["random_deviation"])
  title = "Answers by the network's own readout, by what is taken from its states"
  return draw.strips(its, "own_error", y="taken", title=title, xscale="log")


def _one_by_one(found: xr.Dataset) -> draw.Panel:
  each = {
    "iterated_null_r2": (draw.GREY, "R², new probe, permuted labels"),
    "iterated_r2": (draw.BLUE, "R², new probe"),
    "iterated_as_published": (draw.SKY, "R² over folds, as published"),
    "iterated_skill": (draw.ORANGE, "skill, own readout"),
  }
  panels = []
  for name, (colour, words) in each.items():
    x = "published_step" if name == "iterated_as_published" else "step"
    text = {"title": "The sum's directions, one by one", "xlabel": "directions removed"}
    look = {"style": {"color": colour, "label": words}, "symlog": 1, "ylabel": "R², skill"}
    panels.append(draw.curves(found, name, x=x, thin="seed", **look, **text))
  return draw.together(*panels)


def _ladder(found: xr.Dataset) -> draw.Panel:
  title = "One direction of the sum, by its fit"
  look = {"thin": "seed", "symlog": 1, "xscale": "log", "title": title}
  return draw.curves(found, "ladder_skill", x="penalty", colour="fit", **look)


def tables(runs) -> list[tables_lib.Table]:
  """Returns what subspaces, and single directions, do in all runs."""
  taken = [
    {"run": run, "taken": OWN[key]} | numbers_lib.cells(found.own_error.sel(taken=key).values)
    for run, found in runs.items()
    if "own_error" in found
    for key in found.taken.values
  ]
  by_readout = tables_lib.Table(
    "Squared error of answers by the own readout on rows of select, by what is taken away: the"
    " median over seeds, their range, and the mean with its 95 % interval.",
    taken,
    name="taken",
  )
  return [
    tables_lib.of_runs(
      runs,
      "interventions",
      "Answers without a subspace, and with another row's component in it: means over seeds with"
      " their 95 % intervals, medians, and the largest p-value of the seeds.",
      {"skill": ".3f", "moved": ".3f"},
    ),
    tables_lib.of_runs(
      runs,
      "directions",
      "Skill of the own readout without a single direction of the final states.",
      {"skill": ".3f"},
    ),
  ] + ([by_readout] if taken else [])


def line(runs) -> str:
  """Returns a sentence for each run."""
  said = [f"{run} {_sentence(found)}" for run, found in runs.items()]
  return f"Skill without the direction that LEACE erases the sum by: {'; '.join(said)}."


def _sentence(found: xr.Dataset) -> str:
  left = tables_lib.interval(_of_sum(found), "skill", subspace="leace")
  return f"{left:.3f}, intact {float(np.median(found.intact)):.3f}"


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
STILL = 0.9  # R2 of a sum that is still there


def _reported(key: str, form: str = ".3f") -> str:
  return format(float(PUBLISHED[key].source), form)


def _medians(found, question: str, *names: str) -> list[float]:
  """Returns medians over seeds of published numbers."""
  values = numbers(found)
  return [float(np.median(values[f"{question}_few_{name}"])) for name in names]


@CLAIMS.add(
  "causal.refit",
  "Removing the sum's direction raises the error, so it is causal.",
  reported=f"squared error {_reported('sum_few_before', '.1f')} to"
  f" {_reported('sum_few_after', '.1f')}, a readout fitted anew each time",
  source=program.claimed("sections 0.7, 5.2, 6.3"),
)
def refit(results):
  """Returns the verdict on the published removal, after which a new readout is fitted."""
  found = program.published_runs(results, "sum").first("causal")
  before, after, r2 = _medians(found, "sum", "before", "after", "r2_after")
  because = (
    f"the squared error of a readout fitted anew rises from {before:,.0f} to {after:,.0f} in the"
    f" median of the networks here, but that readout still has R2 {r2:.3f} of the sum: the"
    " network's own answer is not in this test."
  )
  values = {"before": before, "after": after, "r2_after": r2}
  return claims.verdict(after > before, because, values, artefact=r2 > STILL)


@CLAIMS.add(
  "causal.own",
  "The network's answer runs through the sum's direction.",
  reported="concluded from the refitted readout; not tested through the network's own",
  source=program.claimed("sections 0.7, 5.2, 6.3"),
)
def own_answer(results):
  """Returns the verdict: the direction at its mean or exchanged, read by the own readout."""
  found = program.published_runs(results, "sum").first("causal")
  rows = tables_lib.rows(found, "interventions")
  at = lambda level, subspace: claims.row(rows, target="sum", level=level, subspace=subspace)
  line, null = at("final", "leace"), at("final", "leace, permuted")
  random, early = at("final", "random"), at("block 1", "leace")
  probe = at("final", "ridge")
  mean = lambda row, name: row[name].estimate
  because = (
    f"read by the network's own readout, skill is {line['skill']:.3f} without the direction that"
    f" LEACE erases and {mean(probe, 'skill'):.2f} without the ridge probe's; without directions"
    f" that move states as far it is {mean(random, 'skill'):.3f} (random ones) and"
    f" {mean(null, 'skill'):.2f} (permuted labels, which do as much damage with p {line['p']:.3f})."
    " With another prompt's component in its place the answer goes"
    f" {100 * mean(line, 'moved'):.1f} % of the way to that prompt's (permuted labels go as far"
    f" with p {line['p_moved']:.3f}), {100 * mean(early, 'moved'):.0f} % where it is exchanged"
    " after block 1. Skills and shares are means over networks, p the largest of the networks. In"
    " the final state, which the readout reads linearly, this is close to a definition."
  )
  holds = (
    line["skill"].high < 0.1
    and mean(random, "skill") > STILL
    and line["moved"].low > STILL
    and line["p_moved"] <= 0.05
  )
  values = {key: mean(line, key) for key in ("skill", "moved")}
  return claims.verdict(holds, because, values | {key: line[key] for key in ("p", "p_moved")})


@CLAIMS.add(
  "causal.modk",
  "The network of sums modulo 97 does not rely on the sum's direction.",
  reported=f"squared error {_reported('modk_few_before')} to {_reported('modk_few_after')}",
  source=program.claimed("sections 5.2, 6.4"),
)
def vacuous(results):
  """Returns the verdict on the sum's direction removed where nothing was learned."""
  known = program.published_runs(results, "modk")
  found, answers = known.first("causal"), known.first("answers")
  skill = claims.row(tables_lib.rows(answers, "skills"), part="fresh")["skill"]
  delta, r2 = _medians(found, "modk", "delta", "r2_before")
  because = (
    f"the error of a readout fitted anew changes by {delta:+.3f}, but the network's own skill is"
    f" {skill:.3f} and the readout's R2 {r2:.3f} in sample: there is no answer to rely on anything."
  )
  values = {"delta": delta, "skill": skill.estimate, "r2_before": r2}
  return claims.verdict(abs(delta) < 5, because, values, artefact=skill.low <= 0)
