"""The probed subspace removed from the final states, by the own readout."""

from collections.abc import Iterator

import jax
import numpy as np
from primelens.analyses import statistics
from primelens.lens import numbers as reported_lib
from primelens.studies.text import causal_scores as scores
from primelens.studies.text import causal_subspaces as subspaces
from primelens.studies.text import fourier_probes_parts as parts

WAYS = {"whole": scores.REMOVED, "scaled": scores.MATCHED}


def measures(run, rows, targets, sum_N, place_SxExF) -> dict[str, np.ndarray]:
  """Returns what is left of the skill without the subspace, without those of
  permuted labels and random ones, and of all of them, one after another,
  `loss` and `accuracy` SxRx3 and `share` SxR; `kind` is the place in VARIANTS.
  """
  settings = run.settings
  count = 2 * (run.experiment.task.modulus // 2)
  order_RxN = parts.permutations(len(sum_N), settings.permutations, [settings.seed, 5])
  found, best_SxQ = parts.subspaces(
    rows.fit_SxNxExD[:, :, -1],
    targets.wave_VxF[:, :count],
    targets.keep_F[:count],
    place_SxExF[:, -1, :count],
    sum_N,
    order_RxN,
    jax.random.key(settings.seed),
    draws=settings.random_directions,
  )
  bundle = rows.bundle(found.read_RxDxK, found.write_RxDxK, found.strength_R)
  kind_R = subspaces.kinds(settings.permutations, settings.random_directions)
  index_R = np.arange(len(kind_R))
  measured = scores.over(scores.by_readout, bundle, index_R, rows.target_N)
  whole_SxR, scaled_SxR = (rows.skill(measured["loss"][..., place]) for place in WAYS.values())
  split = lambda x_SxR: x_SxR[:, (kind_R == 2) | (kind_R == 3)].reshape(len(x_SxR), 2, -1)
  best_SxF = targets.frequency_Q[np.asarray(best_SxQ)]
  return {
    "removed_best_SxF": np.sort(best_SxF, -1),
    "intact_S": rows.skill(rows.intact_loss_S),
    "left_Sx2": whole_SxR[:, :2],
    "left_permuted_Sx2xR": split(whole_SxR),
    "left_random_SxK": whole_SxR[:, kind_R == 4],
    "matched_permuted_Sx2xR": split(scaled_SxR),
    "matched_random_SxK": scaled_SxR[:, kind_R == 4],
    "kind": kind_R,
    "share": np.asarray(found.removed_R, float),
    "loss": measured["loss"],
    "accuracy": measured["accuracy"],
    "rank": 2 * best_SxF.shape[1],
  }


def records(run, rows, gone) -> Iterator[dict]:
  """Yields a record per variant, removed whole and scaled to move states as
  far as the probed one; draws are means, and p is how often one of the draws
  leaves as little as the probed one of its kind (`ridge` for random ones)."""
  scale = float(run.experiment.task.scale) ** 2 if run.regression else 1.0
  for way, place in WAYS.items():
    for v, variant in enumerate(subspaces.VARIANTS):
      if v < 2 and way == "scaled":
        continue  # the probed ones are as they are
      at_R = gone["kind"] == v
      loss_SxR = gone["loss"][:, at_R, place]
      skill_SxR, p = rows.skill(loss_SxR), np.nan
      if v >= 2:
        probed_S = gone["left_Sx2"][:, v % 2]
        p = float(np.median(_p(probed_S, skill_SxR)))
      mean = lambda x_SxR: float(np.median(x_SxR.mean(1)))
      yield {
        "subspace": variant,
        "removed": way,
        "rank": gone["rank"],
        "draws": loss_SxR.shape[1],
        "rows": len(rows.target_N),
        "intact_skill": float(np.median(gone["intact_S"])),
        **reported_lib.spread(skill_SxR.mean(1)),
        "p": p,
        "loss": mean(loss_SxR) * scale,
        "intact_loss": float(np.median(rows.intact_loss_S)) * scale,
        "accuracy": mean(gone["accuracy"][:, at_R, place]),
        "intact_accuracy": _accuracy(rows),
        "share": mean(gone["share"][:, at_R]),
        "unit": "raw squared error" if run.regression else "nll_nats",
        "values": skill_SxR.mean(1).tolist(),
      }


def _p(probed_S, null_SxR) -> np.ndarray:
  return statistics.permutation_p(probed_S, null_SxR.T, tail="less")


def _accuracy(rows) -> float:
  """Returns the median member's accuracy; NaN for numbers."""
  if rows.output_SxNxV.shape[-1] == 1:
    return float("nan")
  right_SxN = rows.output_SxNxV.argmax(-1) == rows.target_N
  return float(np.median(right_SxN.mean(1)))
