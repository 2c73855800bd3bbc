"""Directions removed as published, and through the network's own readout.

All in float64 on the host, from the moments of the select rows' final states
at the last character. Source: arithmetic spec, sections 4.2, 4.4 and 5.2.
"""

import numpy as np
from primelens.analyses import erasure
from primelens.studies.text import answers, folds, states

FEW, ROWS = 1024, answers.ROWS  # select rows of the two published scripts
STEPS_R = (1, 2, 3, 4, 6, 8, 10, 12, 15)  # directions removed one by one
RANDOM = 50
SEED = 0  # of the random directions


def measures(run) -> dict[str, np.ndarray]:
  """Returns a number per member for every key of the reported table."""
  text, row_N = run.prompts, run.prompts.select_N[:ROWS]
  state_SxNxD = states.over_members(states.pooled, run, text.token_NxT[row_N])
  state_SxNxD = state_SxNxD.astype(np.float64)
  # What the direction is fitted to, and what the readout is for.
  target_Nx2 = np.stack([text.x_N[row_N] + text.y_N[row_N], text.answer_N[row_N]], -1)
  found = refits(state_SxNxD, target_Nx2)
  if run.regression:
    head = readout(run)
    found |= own(state_SxNxD, target_Nx2, *head)
  return found | iterated(state_SxNxD, target_Nx2)


def readout(run) -> tuple[np.ndarray, np.ndarray]:
  """Returns the networks' readout SxDx1 and bias Sx1 in raw units."""
  head, scale = run.params_S["readout"], float(run.experiment.task.scale)
  raw = lambda name: np.asarray(head[name], np.float64) * scale
  return raw("kernel"), raw("bias")


def refits(state_SxNxD, target_Nx2) -> dict[str, np.ndarray]:
  """Returns errors of a ridge regression before and after the sum's direction
  is removed, fitted anew each time to the rows it is scored on."""
  found: dict[str, np.ndarray] = {}
  for name, rows in (("few", FEW), ("all", ROWS)):
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
  random_Dx1 = np.random.default_rng(SEED).standard_normal((width, 1))
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
  rng = np.random.default_rng(SEED)
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


def iterated(state_SxNxD, target_Nx2) -> dict[str, np.ndarray]:
  """Returns R2 of the sum over folds after one direction more and more is
  removed, and after LEACE.

  Directions are ridge regressions (alpha 1, raw states) on all rows, also
  those that a fold is scored on, as the recomputed numbers are.
  """
  sum_Nx1 = target_Nx2[:, :1]
  every = erasure.moments(state_SxNxD, sum_Nx1)
  fitted, scored = moments_of_folds(state_SxNxD, sum_Nx1)
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


def moments_of_folds(state_SxNxD, target_NxF):
  """Returns moments of the rows fitted and of those scored, with a leading axis
  of the `folds`.

  They have one size: the last row of a fold that has one more is in none.
  """
  size = len(target_NxF) // folds.COUNT
  fold_FOLDSxN = np.stack([scored_N[:size] for scored_N in folds.rows(len(target_NxF))])
  rest = [np.delete(fold_FOLDSxN, i, 0).ravel() for i in range(folds.COUNT)]
  of = lambda index_FOLDSxN: erasure.moments(
    np.moveaxis(state_SxNxD[:, index_FOLDSxN], 1, 0), target_NxF[index_FOLDSxN][:, None]
  )
  return of(np.stack(rest)), of(fold_FOLDSxN)


def held_out(fitted, scored, eraser: erasure.Eraser) -> np.ndarray:
  """Returns R2 of the first target on erased states, the mean over folds."""
  fitted = erasure.without(fitted, eraser)
  scored = erasure.without(scored, eraser)
  kernel_DxF = erasure.ridge(fitted)
  bias_F = erasure.intercept(fitted, kernel_DxF)
  return erasure.r2(scored, kernel_DxF, bias_F)[..., 0].mean(0)
