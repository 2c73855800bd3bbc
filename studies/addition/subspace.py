"""Analysis `subspace`: digits without components, logits without direct path.

Items A17-A27 of the addition spec: `variants` has the interventions (A17,
A17'), `ablated` the failures, the direct path, the logits and the errors
(A18-A21), `ablated_fits` the fits of the ablated prediction (A22-A27).
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import sweeps
from primelens.lens import numbers as reported
from primelens.lens.numbers import Reported
from primelens.studies.addition import ablated, ablated_fits, network, tables, untrained, variants
from primelens.studies.addition.tables import KEEP

BATCH = 96  # (member, intervention) pairs at a time, which bounds the memory
REPORTED = {
  "keep_pc1_accuracy": Reported("A17", "accuracy, PC1 alone kept", "0.42 of 1.00", 0.39, KEEP),
  "keep_pc12_accuracy": Reported("A17'", "accuracy, PC1 and PC2 kept", ablated.NOT_DONE, 1.0, KEEP),
  "keep_pc12_nll_nats": ablated.about(
    "A17'", "loss, PC1 and PC2 kept", ablated.NOT_DONE, 7.0e-8, ablated.LOSS
  ),
  **{
    f"remove_pc{number}_accuracy": Reported(
      "A17'", f"accuracy, PC{number} removed", ablated.NOT_DONE, recomputed, KEEP
    )
    for number, recomputed in enumerate((0.07, 0.37, 1, 1, 1, 1), start=1)
  },
  "remove_line_space_accuracy": Reported(
    "A17'",
    "accuracy, random direction removed",
    ablated.NOT_DONE,
    1.0,
    KEEP,
    "Of the whole width: it holds about 1 % of the digits' variance.",
  ),
  "remove_line_digits_accuracy": Reported(
    "A17'", "accuracy, random direction of the digits' span removed", ablated.NOT_DONE, None
  ),
  **ablated.REPORTED,
  **ablated_fits.REPORTED,
}


@dataclasses.dataclass(frozen=True)
class Result:
  """What interventions on the digits' vectors leave.

  `variants` has a record per variant, whose rows R of the arrays are `count`
  draws from `first`; accuracy and loss are of all pairs, `removed_share` of
  the digits' variance. The maps are of the network with PC1 alone: its
  prediction, prediction less label, the logits at the label of both networks,
  the boost (full less ablated) at the label and at the prediction, and what
  the fits of A23 and A27 leave; `line_Sx2` is constant and slope of A22's.
  `failures` lists the inputs that fail for the member `shown` (the reference
  one, else the first), `logits` describes A20's columns over all inputs,
  those that fail and those that do not.
  """

  table: tuple[dict, ...]
  variants: tuple[dict, ...]
  fits: tuple[dict, ...]
  failures: tuple[dict, ...]
  logits: tuple[dict, ...]
  shown: int
  accuracy_SxR: np.ndarray
  nll_nats_SxR: np.ndarray
  removed_share_SxR: np.ndarray
  untrained_accuracy_SxR: np.ndarray
  prediction_SxPxP: np.ndarray
  error_SxPxP: np.ndarray
  full_logit_SxPxP: np.ndarray
  ablated_logit_SxPxP: np.ndarray
  boost_SxPxP: np.ndarray
  predicted_boost_SxPxP: np.ndarray
  residual_SxPxP: np.ndarray
  quadratic_residual_SxPxP: np.ndarray
  line_Sx2: np.ndarray


def run(run) -> Result:
  """Returns every intervention on every member, and PC1 alone in detail."""
  named = variants.named(run.experiment.task.digits)
  kept, null_kept, name_R = _sweep(run, named)
  found, null = untrained.beside(ablated.measure, run)
  shown = tables.reference(run) or 0
  grid = lambda name: found["difference"][name].reshape(found["error"].shape)
  return Result(
    table=tables.rows(
      run,
      REPORTED,
      found["value"] | _values(kept, name_R),
      null["value"] | _values(null_kept, name_R),
    ),
    variants=_records(run, named, name_R, kept, null_kept),
    fits=ablated_fits.records(run, found["fits"], null["fits"]),
    failures=_failures(found, shown),
    logits=_logits(run, found["statistics"]),
    shown=shown,
    accuracy_SxR=kept["accuracy"],
    nll_nats_SxR=kept["nll_nats"],
    removed_share_SxR=kept["removed_share"],
    untrained_accuracy_SxR=null_kept["accuracy"],
    prediction_SxPxP=found["prediction"],
    error_SxPxP=found["error"],
    full_logit_SxPxP=grid("full_logit"),
    ablated_logit_SxPxP=grid("ablated_logit"),
    boost_SxPxP=grid("boost_true"),
    predicted_boost_SxPxP=grid("boost_predicted"),
    residual_SxPxP=found["residual"],
    quadratic_residual_SxPxP=found["quadratic_residual"],
    line_Sx2=found["line"],
  )


def _sweep(run, named):
  """Returns `variants.score` of the members and of their untrained null, SxR,
  and the variant of each R (A17, A17')."""
  task, model = run.experiment.task, run.experiment.model
  settings = run.settings
  intervention_R, name_R = variants.stack(
    named, task.digits, model.trunk.width, settings.random_directions, settings.seed
  )
  score = functools.partial(variants.score, model)
  token_Nx3 = jnp.asarray(run.pairs.token_Nx3)
  device = jax.devices()[0]  # as in `network.over_members`

  def over(params_S):
    stacked_S = (params_S, network.members(run.pairs))
    data = jax.device_put((stacked_S, intervention_R, token_Nx3), device)
    found = sweeps.over(score, *data[:2], batch_size=BATCH, data=data[2:])
    return jax.device_get(found)

  return over(run.params_S), over(run.untrained_S()), name_R


def _rows(name_R, name) -> slice:
  first = name_R.index(name)
  return slice(first, first + name_R.count(name))


def _values(kept, name_R) -> dict[str, np.ndarray]:
  """Returns what of the variants was reported, the mean over draws, S."""
  return {
    f"{name}_{measure}": kept[measure][:, _rows(name_R, name)].mean(1)
    for name in dict.fromkeys(name_R)
    for measure in ("accuracy", "nll_nats")
    if f"{name}_{measure}" in REPORTED
  }


def _records(run, named, name_R, kept, null) -> tuple[dict, ...]:
  """Returns a record per variant (A17, A17').

  Of the mean over draws: median and range over members, the reference
  member's, the median of the untrained; low and high draw: the median over
  members of the smallest and the largest draw.
  """
  at = tables.reference(run)
  records = []
  for name, variant in named.items():
    rows = _rows(name_R, name)
    record = {
      "variant": name,
      "item": variant.item,
      "words": variant.words,
      "span": variant.span,
      "by": variant.by,
      "first": rows.start,
      "count": rows.stop - rows.start,
      "removed_share": float(np.median(kept["removed_share"][:, rows].mean(1))),
    }
    for measure in ("accuracy", "nll_nats"):
      draw_SxR = kept[measure][:, rows]
      record |= reported.columns(measure, draw_SxR.mean(1), null[measure][:, rows].mean(1), at) | {
        f"{measure}_low_draw": float(np.median(draw_SxR.min(1))),
        f"{measure}_high_draw": float(np.median(draw_SxR.max(1))),
      }
    records.append(record)
  return tuple(records)


def _failures(found, shown: int) -> tuple[dict, ...]:
  """Returns a record per input that fails with PC1 alone (A18, A20)."""
  prediction_PxP, error_PxP = found["prediction"][shown], found["error"][shown]
  digits = len(error_PxP)
  return tuple(
    {
      "a": a,
      "b": b,
      "truth": int(prediction_PxP[a, b] - error_PxP[a, b]),
      "prediction": int(prediction_PxP[a, b]),
      **{name: float(x_SxN[shown, a * digits + b]) for name, x_SxN in found["difference"].items()},
    }
    for a, b in np.argwhere(error_PxP != 0).tolist()
  )


def _logits(run, statistics) -> tuple[dict, ...]:
  """Returns A20's describe(): a record per group and column.

  Medians over members, and the reference member's.
  """
  at = tables.reference(run)
  records = []
  for group, columns in statistics.items():
    for column, value_SxV in columns.items():
      median_V = [reported.median(value_S) for value_S in value_SxV.T]
      ours_V = [math.nan] * len(median_V) if at is None else value_SxV[at]
      records.append(
        {"group": group, "column": column}
        | dict(zip(ablated.STATISTICS, median_V, strict=True))
        | {
          f"{name}_ours": float(value)
          for name, value in zip(ablated.STATISTICS, ours_V, strict=True)
        }
      )
  return tuple(records)
