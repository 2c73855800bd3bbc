"""Fourier probes and removed subspaces as published, with their controls.

In float64 on the host, of the select rows' final states at the last character:
fitted and scored on the same rows, with alpha 1. A readout without a subspace
is the ridge regression whose kernel is orthogonal to it. Source: arithmetic
spec, sections 4.4 and 5.3.
"""

import numpy as np
from primelens.analyses import erasure
from primelens.studies.text import answers, causal_published, states

ROWS = answers.ROWS
MOST = 12  # pairs of a probe
SMALL, SMALL_PAIRS = (2, 3, 4, 5, 7, 8), 3
FLAT = 1e-6  # a column that varies less is no target
SEED = 0  # of the random directions, plus the number of pairs
_diagonal = lambda x_FxF: np.diagonal(x_FxF, axis1=-2, axis2=-1)
_turned = lambda x: np.swapaxes(x, -1, -2)


def measures(run) -> dict[str, np.ndarray]:
  """Returns probes, removals and small moduli of every member, S first."""
  prompts, settings = run.prompts, run.settings
  row_N = prompts.select_N[:ROWS]
  label_N = prompts.answer_N[row_N]
  state_SxNxD = states.over_members(states.pooled, run, prompts.token_NxT[row_N])
  state_SxNxD = state_SxNxD.astype(float)
  rng = np.random.default_rng(settings.seed)
  order_RxN = np.stack([rng.permutation(len(row_N)) for _ in range(settings.permutations)])
  modulus = prompts.config.modulus
  count = pairs(modulus, state_SxNxD.shape[-1])
  wave_NxF = waves(label_N, modulus, count)
  return (
    probes(state_SxNxD, wave_NxF, order_RxN)
    | over_folds(state_SxNxD, label_N, modulus, count)
    | removals(state_SxNxD, wave_NxF, label_N.astype(float), order_RxN, settings.random_directions)
    | small_moduli(state_SxNxD, label_N)
  )


def pairs(modulus: int, width: int) -> int:
  """Returns how many frequencies the largest probe has."""
  return max(1, min(MOST, width // 8, (modulus - 1) // 2))


def waves(label_N, modulus: int, count: int) -> np.ndarray:
  """Returns cos and sin of n theta, theta = 2 pi (label mod m) / m, n = 1..
  count, Nx2count; rounded as the source does, which makes targets of it."""
  theta_N = 2 * np.pi * (label_N % modulus) / modulus
  angle_NxQ = theta_N[:, None] * np.arange(1, count + 1)
  wave_NxQx2 = np.stack([np.cos(angle_NxQ), np.sin(angle_NxQ)], -1)
  return wave_NxQx2.reshape(len(label_N), 2 * count)


def standardised(state_SxNxD) -> tuple[np.ndarray, np.ndarray]:
  """Returns the states' deviations in units of the features' own, SxNxD and
  SxD; 1 for a feature that does not vary."""
  gap_SxNxD = state_SxNxD - state_SxNxD.mean(1, keepdims=True)
  size_SxD = gap_SxNxD.std(1)
  size_SxD = np.where(size_SxD > 1e-12, size_SxD, 1)
  return gap_SxNxD / size_SxD[:, None], size_SxD


def in_sample(state_SxNxD, wave_NxF) -> np.ndarray:
  """Returns R2 of ridge regressions on the rows fitted, SxF; 1 for a column
  that does not vary at all, as scikit-learn has it."""
  moments = erasure.moments(state_SxNxD, wave_NxF[None])
  kernel_SxDxF = erasure.ridge(moments)
  bias_SxF = erasure.intercept(moments, kernel_SxDxF)
  error_SxF = erasure.squared_error(moments, kernel_SxDxF, bias_SxF)
  variance_SxF = _diagonal(moments.total_FxF) / moments.rows
  varies_SxF = variance_SxF > 0
  ratio_SxF = error_SxF / np.where(varies_SxF, variance_SxF, 1)
  return np.where(varies_SxF, 1 - ratio_SxF, 1)


def macro(r2_F, keep_F=None) -> np.ndarray:
  """Returns the mean R2 of the first 1, 2, ... pairs of columns, Q; of those
  alone that are kept."""
  keep_F = np.ones(r2_F.shape[-1], bool) if keep_F is None else keep_F
  total_F = np.cumsum(np.where(keep_F, r2_F, 0), axis=-1)[..., 1::2]
  return total_F / np.maximum(np.cumsum(keep_F)[1::2], 1)


def probes(state_SxNxD, wave_NxF, order_RxN) -> dict[str, np.ndarray]:
  """Returns R2 of the first pairs, with permuted labels, and the degrees of
  freedom of a probe."""
  z_SxNxD, _ = standardised(state_SxNxD)
  null_NxRF = np.moveaxis(wave_NxF[order_RxN], 0, 1).reshape(len(wave_NxF), -1)
  null_SxRxF = in_sample(z_SxNxD, null_NxRF).reshape(len(z_SxNxD), len(order_RxN), -1)
  value_SxD = np.linalg.eigvalsh(_turned(z_SxNxD) @ z_SxNxD)
  return {
    "r2_as_published_SxP": macro(in_sample(z_SxNxD, wave_NxF)),
    "null_r2_SxRxP": macro(null_SxRxF),
    "degrees_S": np.sum(value_SxD / (value_SxD + 1), -1),
  }


def fold_r2(state_SxNxD, wave_NxF) -> np.ndarray:
  """Returns R2 of every column over folds, SxF, the mean of the folds' own:
  scikit-learn's `cross_val_score` of a shuffled `KFold`, states standardised
  by the rows fitted. A column that does not vary has none (NaN)."""
  fitted, scored = causal_published.moments_of_folds(state_SxNxD, wave_NxF)
  size_D = np.sqrt(_diagonal(fitted.gram_DxD) / fitted.rows)
  size_D = np.where(size_D > 1e-12, size_D, 1)
  scaled = lambda found: found._replace(
    mean_D=found.mean_D / size_D,
    gram_DxD=found.gram_DxD / (size_D[..., None] * size_D[..., None, :]),
    cross_DxF=found.cross_DxF / size_D[..., None],
  )
  fitted, scored = scaled(fitted), scaled(scored)
  kernel_DxF = erasure.ridge(fitted)
  bias_F = erasure.intercept(fitted, kernel_DxF)
  return erasure.r2(scored, kernel_DxF, bias_F).mean(0)


def over_folds(state_SxNxD, label_N, modulus: int, count: int):
  """Returns R2 over folds of the first pairs, up to `count`, of every
  frequency alone, and of residues modulo SMALL, in a dict."""
  small = [waves(label_N, m, SMALL_PAIRS) for m in SMALL]
  columns = [waves(label_N, modulus, modulus // 2), *small]
  keep_F = np.concatenate(columns, axis=1).var(0) > FLAT
  r2_SxF = fold_r2(state_SxNxD, np.concatenate(columns, axis=1))
  r2_SxF = np.where(keep_F, r2_SxF, 0)
  ends = np.cumsum([wave_NxF.shape[1] for wave_NxF in columns])[:-1]
  first, *rest = zip(np.split(r2_SxF, ends, axis=1), np.split(keep_F, ends), strict=True)
  kept_Q = first[1].reshape(-1, 2).sum(1)
  total_SxQ = first[0].reshape(len(r2_SxF), -1, 2).sum(-1)
  return {
    "cv_r2_SxP": macro(*first)[:, :count],
    "cv_r2_SxQ": total_SxQ / np.maximum(kept_Q, 1),
    "small_cv_r2_Sx6x3": np.stack([macro(*one) for one in rest], 1),
  }


def removals(state_SxNxD, wave_NxF, label_N, order_RxN, draws: int) -> dict[str, np.ndarray]:
  """Returns the error of a ridge regression of the residue, and its harm when
  the probe's directions go and it is fitted anew.

  As published coefficients of standardised states are removed from raw ones;
  `delta` has them over the features' deviations, as raw states need.
  """
  z_SxNxD, size_SxD = standardised(state_SxNxD)
  permuted = label_N[order_RxN].T
  residues = np.concatenate([label_N[:, None], permuted], axis=1)
  raw = erasure.moments(state_SxNxD, residues[None])
  wave = np.concatenate([wave_NxF[None], wave_NxF[order_RxN]])
  rows, columns = wave_NxF.shape
  wave_NxRF = np.moveaxis(wave, 0, 1).reshape(rows, -1)
  kernel = erasure.ridge(erasure.moments(z_SxNxD, wave_NxRF[None]))
  seeds, width = size_SxD.shape
  kernel = np.moveaxis(kernel.reshape(seeds, width, -1, columns), 2, 1)
  found: dict[str, np.ndarray] = {}
  for name, said in (("_as_published", kernel), ("", kernel / size_SxD[:, None, :, None])):
    delta = harm(raw, said)
    found |= {f"delta{name}_SxP": delta[:, 0], f"delta_permuted{name}_SxRxP": delta[:, 1:]}
  true = raw._replace(
    target_F=raw.target_F[..., :1],
    cross_DxF=raw.cross_DxF[..., :1],
    total_FxF=raw.total_FxF[..., :1, :1],
  )
  base_S = harm_base(true)[:, 0]
  variance_S = true.total_FxF[..., 0, 0] / true.rows
  return found | {
    "delta_random_as_published_SxP": published_random(true, columns // 2),
    "delta_random_SxP": random(true, columns, draws),
    "base_error_S": base_S,
    "base_r2_S": 1 - base_S / variance_S,
  }


def harm_base(moments: erasure.Moments) -> np.ndarray:
  """Returns the squared error of ridge regressions on the rows fitted, F."""
  kernel_DxF = erasure.ridge(moments)
  bias_F = erasure.intercept(moments, kernel_DxF)
  return erasure.squared_error(moments, kernel_DxF, bias_F)


def harm(moments: erasure.Moments, direction_RxDxF) -> np.ndarray:
  """Returns what a refitted ridge regression loses without the span of the
  first 2, 4, ... directions, SxRxP; target r goes with directions r.

  The kernel k that minimises |y - x k|^2 + |k|^2 with V^T k = 0 is
  A^-1 (c - V (V^T A^-1 V)^-1 V^T A^-1 c), A = x^T x + I, c = x^T y, which is
  the ridge regression of states without that span.
  """
  cross_SxRxDx1 = _turned(moments.cross_DxF)[..., None]
  width = moments.gram_DxD.shape[-1]
  inverse = np.linalg.inv(moments.gram_DxD + np.eye(width))[:, None]
  size = np.linalg.norm(direction_RxDxF, axis=-2, keepdims=True)
  v_RxDxF = direction_RxDxF / np.where(size > 0, size, 1)
  inside_RxDxF, free_RxDx1 = inverse @ v_RxDxF, inverse @ cross_SxRxDx1
  between_RxFxF = _turned(v_RxDxF) @ inside_RxDxF
  said_RxFx1 = _turned(v_RxDxF) @ free_RxDx1
  gram = moments.gram_DxD[:, None]

  def explained(kernel_RxDx1):
    seen = 2 * cross_SxRxDx1 - gram @ kernel_RxDx1
    return np.sum(kernel_RxDx1 * seen, axis=(-2, -1))

  whole, found = explained(free_RxDx1), []
  for f in range(2, v_RxDxF.shape[-1] + 1, 2):
    # Directions may be zero or on a line.
    solve = np.linalg.pinv(between_RxFxF[..., :f, :f], 1e-12, hermitian=True)
    gone_RxDx1 = inside_RxDxF[..., :f] @ (solve @ said_RxFx1[..., :f, :])
    found.append(whole - explained(free_RxDx1 - gone_RxDx1))
  return np.stack(found, -1) / moments.rows


def published_random(moments, count: int) -> np.ndarray:
  """Returns the harm of one random subspace per number of pairs, SxP, drawn
  as the source does."""
  width, found = moments.gram_DxD.shape[-1], []
  for n in range(1, count + 1):
    rng = np.random.default_rng(SEED + n)
    drawn_DxF = rng.standard_normal((width, 2 * n))
    found.append(harm(moments, drawn_DxF[None, None])[:, 0, -1])
  return np.stack(found, -1)


def random(moments, columns: int, draws: int) -> np.ndarray:
  """Returns the mean harm of random subspaces, SxP."""
  width = moments.gram_DxD.shape[-1]
  rng = np.random.default_rng([SEED, 1])
  drawn_RxDxF = rng.standard_normal((draws, width, columns))
  return harm(moments, drawn_RxDxF[None]).mean(1)


def small_moduli(state_SxNxD, label_N) -> dict[str, np.ndarray]:
  """Returns R2 of the first pairs of residues modulo SMALL: with constant
  columns at 1 as published, and without."""
  z_SxNxD, _ = standardised(state_SxNxD)
  waves_6 = [waves(label_N, modulus, SMALL_PAIRS) for modulus in SMALL]
  wave_NxF = np.concatenate(waves_6, axis=1)
  r2_SxF, keep_F = in_sample(z_SxNxD, wave_NxF), wave_NxF.var(0) > FLAT
  split = lambda x_F: np.split(x_F, len(SMALL), axis=-1)
  return {
    "small_r2_as_published_Sx6x3": np.stack([macro(r2_SxF) for r2_SxF in split(r2_SxF)], 1),
    "small_r2_Sx6x3": np.stack(list(map(macro, split(r2_SxF), split(keep_F))), 1),
  }
