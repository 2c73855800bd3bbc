"""Analysis `fourier_probes`: is the residue, or a digit, a wave in the states?

Every frequency of the residue and of the sum's last digits is probed at "?",
at every level: fitted to fresh pairs, scored on others, beside permuted labels
and untrained networks; directions are removed through the network's own
readout. The published probes, fitted and scored on the same rows, and their
controls stand beside it. Source: arithmetic spec, sections 4.4, 5.3, 6.5.
"""

import dataclasses

import numpy as np
from primelens.analyses import ridge, statistics
from primelens.studies.text import answers, causal_scores, fourier_probes_reported, scale, states
from primelens.studies.text import fourier_probes_parts as parts
from primelens.studies.text import fourier_probes_published as published
from primelens.studies.text import fourier_probes_records as records
from primelens.studies.text import fourier_probes_removed as removed
from primelens.studies.text.causal_rows import Rows

REPORTED = fourier_probes_reported.REPORTED
ROWS = 4000  # fresh pairs to fit, and as many to score, at most
obstacle = scale.obstacle


@dataclasses.dataclass(frozen=True)
class Result:
  """Waves in the states of every member at "?": found, removed, as published.

  `r2_SxExQ` is R2 on fresh pairs of frequency n (`frequency_Q`) of the residue,
  the mean of cos and sin, at every level (`levels`); `z` in deviations of
  permuted labels, `p` of the largest of all frequencies, `threshold` the R2
  that has a p of .05; V are untrained networks. `digit_r2_SxExM` is the mean
  over all frequencies of (x + y) mod `modulus_M`, with its p.

  `intact_S` is the skill, `left` that without the directions of the best
  frequencies of the final states, at their mean, by ridge and by LEACE; of R
  permuted labels and K random subspaces of that rank; `matched` with those
  scaled to move states as far as the probed ones. `removed_best_SxF` are the
  frequencies.

  Of the select rows, P counts Fourier pairs: `r2_as_published_SxP` fitted and
  scored alike, `null_r2_SxRxP` the same of permuted labels, `cv_r2` over folds,
  `held_out_r2_SxP` on fresh pairs. `delta` is the harm of removing the probe's
  directions, a new readout fitted (residue, squared error): as published in
  coordinates of other states, beside those of the states themselves; `permuted`
  the whole pipeline with permuted labels, `random` subspaces of that rank (a
  draw, or the mean of draws). `small_` are R2 of residues modulo
  `small_modulus_6` by 1..3 pairs: with constant columns at 1, without, folds.
  """

  table: tuple[dict, ...]
  found: tuple[dict, ...]
  digits: tuple[dict, ...]
  removed: tuple[dict, ...]
  levels: tuple[dict, ...]
  frequency_Q: np.ndarray
  r2_SxExQ: np.ndarray
  z_SxExQ: np.ndarray
  p_SxExQ: np.ndarray
  threshold_SxExQ: np.ndarray
  alpha_SxExQ: np.ndarray
  untrained_r2_VxExQ: np.ndarray
  modulus_M: np.ndarray
  digit_r2_SxExM: np.ndarray
  digit_p_SxExM: np.ndarray
  untrained_digit_r2_VxExM: np.ndarray
  removed_best_SxF: np.ndarray
  intact_S: np.ndarray
  left_Sx2: np.ndarray
  left_permuted_Sx2xR: np.ndarray
  left_random_SxK: np.ndarray
  matched_permuted_Sx2xR: np.ndarray
  matched_random_SxK: np.ndarray
  r2_as_published_SxP: np.ndarray
  null_r2_SxRxP: np.ndarray
  cv_r2_SxP: np.ndarray
  cv_r2_SxQ: np.ndarray
  held_out_r2_SxP: np.ndarray
  delta_as_published_SxP: np.ndarray
  delta_permuted_as_published_SxRxP: np.ndarray
  delta_random_as_published_SxP: np.ndarray
  delta_SxP: np.ndarray
  delta_permuted_SxRxP: np.ndarray
  delta_random_SxP: np.ndarray
  base_error_S: np.ndarray
  base_r2_S: np.ndarray
  degrees_S: np.ndarray
  small_modulus_6: np.ndarray
  small_r2_as_published_Sx6x3: np.ndarray
  small_r2_Sx6x3: np.ndarray
  small_cv_r2_Sx6x3: np.ndarray
  modulus: int
  regression: bool


def run(run) -> Result:
  """Returns the Fourier probes of every member, with their controls."""
  few, task, settings = fewer(run), run.experiment.task, run.settings
  rows, prompts = Rows(few), few.probes()
  sum_N = prompts.x_N + prompts.y_N
  sums = sum_N[prompts.train_N], sum_N[prompts.test_N]
  targets = parts.targets(*sums, (task.modulus, *parts.DIGITS_M))
  orders = [
    parts.permutations(len(part_N), settings.permutations, [settings.seed, i])
    for i, part_N in enumerate(sums)
  ]
  probed = parts.over_levels(rows.fit_SxNxExD, rows.test_SxNxExD, targets, sums, orders)
  fitted_VxNxExD, scored_VxNxExD = _untrained(few, prompts)
  untrained = parts.over_levels(
    fitted_VxNxExD, scored_VxNxExD, targets, sums, [o[:0] for o in orders]
  )
  scored = scores(targets, probed, untrained, task.modulus)
  old = published.measure(run)
  gone = removed.measure(few, rows, targets, sums[0], probed["place_SxExF"])
  held_SxQ = scored["r2_SxExQ"][:, -1, : old["cv_r2_SxP"].shape[1]]
  levels = states.levels(run)
  return Result(
    table=records.table(run, REPORTED, old, scored),
    found=tuple(records.found(levels, scored)),
    digits=tuple(records.digits(levels, scored)),
    removed=tuple(removed.records(run, rows, gone)),
    levels=tuple({"level": level} for level in levels),
    held_out_r2_SxP=np.cumsum(held_SxQ, 1) / np.arange(1, held_SxQ.shape[1] + 1),
    small_modulus_6=np.array(published.SMALL),
    modulus=task.modulus,
    regression=run.regression,
    **{name: value for name, value in scored.items() if name in _FIELDS},
    **{name: value for name, value in gone.items() if name in _FIELDS},
    **old,
  )


_FIELDS = {field.name for field in dataclasses.fields(Result)}


def fewer(run):
  """Returns the run with no more than ROWS fresh pairs in each part."""
  rows = min(run.settings.probe_rows, 2 * ROWS)
  settings = dataclasses.replace(run.settings, probe_rows=rows)
  experiment = dataclasses.replace(run.experiment, analyses=settings)
  return dataclasses.replace(run, experiment=experiment)


def _untrained(run, prompts):
  """Returns states of fresh networks, of the rows to fit and to score."""
  fresh_S = answers.untrained_S(run)
  for row_N in (prompts.train_N, prompts.test_N):
    token_NxT = prompts.token_NxT[row_N]
    read = states.over_members(causal_scores.read, run, token_NxT, fresh_S)
    yield read["state"]


def scores(targets, probed, untrained, modulus: int) -> dict[str, np.ndarray]:
  """Returns the residue's frequencies with what they are worth, and the mean
  over the frequencies of every modulus of digits."""
  r2, null = probed["r2_SxExQ"], probed["null_SxExRxQ"]
  fresh = untrained["r2_SxExQ"]
  ends = np.cumsum([m // 2 for m in (modulus, *parts.DIGITS_M)])
  first = slice(0, ends[0])
  found = parts.worth(r2[..., first], null[..., first])
  weight_Q = targets.keep_F.reshape(-1, 2).sum(1)
  macro = lambda value: np.stack(
    [
      np.average(value[..., a:b], -1, weight_Q[a:b])
      for a, b in zip(ends[:-1], ends[1:], strict=True)
    ],
    -1,
  )
  digits = [
    parts.worth(r2[..., a:b], null[..., a:b]) for a, b in zip(ends[:-1], ends[1:], strict=True)
  ]
  return {
    "frequency_Q": targets.frequency_Q[first],
    "r2_SxExQ": r2[..., first],
    **{f"{name}_SxExQ": value for name, value in found.items()},
    "alpha_SxExQ": np.array(ridge.ALPHAS_R)[probed["place_SxExF"][..., : 2 * ends[0] : 2]],
    "untrained_r2_VxExQ": fresh[..., first],
    "modulus_M": np.array(parts.DIGITS_M),
    "digit_r2_SxExM": macro(r2),
    "digit_p_SxExM": statistics.permutation_p(macro(r2), np.moveaxis(macro(null), 2, 0)),
    "untrained_digit_r2_VxExM": macro(fresh),
    "digit_best_p_SxExM": np.stack([one["p"].min(-1) for one in digits], -1),
    "digit_best_r2_SxExM": np.stack(
      [r2[..., a:b].max(-1) for a, b in zip(ends[:-1], ends[1:], strict=True)], -1
    ),
    "digit_best_SxExM": np.stack(
      [
        targets.frequency_Q[a + r2[..., a:b].argmax(-1)]
        for a, b in zip(ends[:-1], ends[1:], strict=True)
      ],
      -1,
    ),
  }
