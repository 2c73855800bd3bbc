"""Linear probes of x + y as published, and the checks made of them.

Ridge regressions with alpha 1 of the final states of the select rows, by their
place in the padded row: in float64, on the host. Source: arithmetic spec,
sections 4.1 and 5.1.
"""

import numpy as np
from primelens.analyses import erasure, regression
from primelens.models import encoder
from primelens.studies.text import answers, folds, probes_parts, states
from primelens.tasks import characters

ROWS, SHORT = answers.ROWS, answers.SHORT_SELECT


def measures(run, params_S=None) -> dict[str, np.ndarray]:
  """Returns R2 of every network: pooled and by position, S and SxT, in sample
  of ROWS and SHORT rows; `cv` over folds, `cv_scaled` of standardised states,
  `full` over folds of the rows of full length alone."""
  token_NxT, sum_N = rows(run)
  state_SxNxTxD = states.over_members(final, run, token_NxT, params_S)
  last_N = characters.lengths(token_NxT) - 1
  pooled_SxNxD = state_SxNxTxD[:, np.arange(len(last_N)), last_N]
  full_N = np.flatnonzero(last_N == token_NxT.shape[1] - 1)
  found = {
    "cv": over_folds(pooled_SxNxD, sum_N),
    "cv_scaled": over_folds(pooled_SxNxD, sum_N, scale=True),
    "full": _by_position(over_folds, state_SxNxTxD[:, full_N], sum_N[full_N]),
  }
  for count in (ROWS, SHORT):
    found[f"pooled_{count}"] = in_sample(pooled_SxNxD[:, :count], sum_N[:count])
    found[f"positions_{count}"] = _by_position(in_sample, state_SxNxTxD[:, :count], sum_N[:count])
  return found


def inputs(run) -> dict[str, float]:
  """Returns R2 of the characters at every position, without a network: over
  folds, and in sample where digits are aligned by zeros in front."""
  token_NxT, sum_N = rows(run)
  row_N = run.prompts.select_N[:ROWS]
  lines = characters.prompts(
    run.prompts.x_N[row_N].tolist(), run.prompts.y_N[row_N].tolist(), width=3
  )
  one_hot = lambda token_NxT: probes_parts.one_hot(token_NxT)[None]
  return {
    "inputs_cv": float(over_folds(one_hot(token_NxT), sum_N)[0]),
    "inputs_aligned": float(in_sample(one_hot(characters.encode(lines)), sum_N)[0]),
  }


def rows(run) -> tuple[np.ndarray, np.ndarray]:
  """Returns tokens and x + y of the select rows."""
  prompts, row_N = run.prompts, run.prompts.select_N[:ROWS]
  sum_N = (prompts.x_N + prompts.y_N)[row_N]
  return prompts.token_NxT[row_N], sum_N.astype(float)


def final(model: encoder.Config, params, token_BxT):
  """Returns the final states of one member, BxTxD; filler has states too."""
  return encoder.states(model, params, token_BxT)[0]


def in_sample(x_SxNxD, y_N) -> np.ndarray:
  """Returns R2 of a ridge regression (alpha 1) on the rows it was fitted to,
  S."""
  moments = erasure.moments(x_SxNxD, y_N[:, None])
  kernel_SxDx1 = erasure.ridge(moments)
  bias_Sx1 = erasure.intercept(moments, kernel_SxDx1)
  return erasure.r2(moments, kernel_SxDx1, bias_Sx1)[..., 0]


def over_folds(x_SxNxD, y_N, *, scale: bool = False) -> np.ndarray:
  """Returns R2 of all predictions of ridge regressions (alpha 1), each made by
  the other `folds`, S: scikit-learn's `cross_val_predict`.

  `scale` has features in deviations of the rows fitted.
  """
  x_SxNxD = np.asarray(x_SxNxD, float)
  guess_SxN = np.empty(x_SxNxD.shape[:2])
  for scored_N in folds.rows(len(y_N)):
    fitted_N = np.setdiff1d(np.arange(len(y_N)), scored_N)
    fitted_SxNxD, scored_SxNxD = x_SxNxD[:, fitted_N], x_SxNxD[:, scored_N]
    if scale:
      deviation_Sx1xD = fitted_SxNxD.std(1, keepdims=True)
      deviation_Sx1xD = np.where(deviation_Sx1xD > 1e-12, deviation_Sx1xD, 1)
      fitted_SxNxD = fitted_SxNxD / deviation_Sx1xD
      scored_SxNxD = scored_SxNxD / deviation_Sx1xD
    moments = erasure.moments(fitted_SxNxD, y_N[fitted_N, None])
    kernel_SxDx1 = erasure.ridge(moments)
    bias_Sx1 = erasure.intercept(moments, kernel_SxDx1)
    guess_SxN[:, scored_N] = (scored_SxNxD @ kernel_SxDx1)[..., 0] + bias_Sx1
  return regression.r2(y_N[None], guess_SxN, axis=-1)


def _by_position(score, state_SxNxTxD, y_N) -> np.ndarray:
  """Returns the score at every position, SxT, one at a time: in float64 all
  of them at once would be large."""
  positions = range(state_SxNxTxD.shape[2])
  return np.stack([score(state_SxNxTxD[:, :, t], y_N) for t in positions], -1)
