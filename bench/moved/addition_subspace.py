"""Where the fields of the addition study's slice `subspace` went."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from primelens.lens import numbers
from primelens.studies.addition import program, subspace

from moved import addition

DRAWN = {"accuracy": "accuracy", "nll_nats": "nll", "removed_share": "removed_share"}
# Old names of the maps, and what a record of an input that fails has of them.
LOGITS = {
  "full_logit": "full_logit",
  "ablated_logit": "ablated_logit",
  "boost_true": "boost",
  "boost_predicted": "predicted_boost",
}


def _draws(old: str, network: str = "trained") -> Callable[[Mapping], np.ndarray]:
  """Returns what gives a measure of all draws of all variants, SxR."""

  def of(new):
    found = new["subspace"]
    names = found.variant.values.tolist()
    return np.concatenate([subspace.draws(found, DRAWN[old], n, network) for n in names], axis=1)

  return of


def _of(name: str) -> Callable[[Mapping], np.ndarray]:
  return lambda new: new["subspace"][name].values


def _at(found) -> int | None:
  return found.reference if found.reference >= 0 else None


def _variants(new) -> list[dict]:
  found, first, rows = new["subspace"], 0, []
  for name in found.variant.values.tolist():
    one = found.sel(variant=name)
    count = int(one.variant_draws)
    share_SxR = subspace.draws(found, "removed_share", name)
    row = {
      "variant": name,
      "item": one.variant_item.item(),
      "words": one.variant_words.item(),
      "span": one.variant_span.item(),
      "by": one.variant_by.item(),
      "first": first,
      "count": count,
      "removed_share": float(np.median(share_SxR.mean(1))),
    }
    for old in ("accuracy", "nll_nats"):
      own_SxR, null_SxR = (
        subspace.draws(found, DRAWN[old], name, of) for of in ("trained", "untrained")
      )
      row |= addition.columns(old, own_SxR.mean(1), null_SxR.mean(1), _at(found))
      row |= {
        f"{old}_low_draw": float(np.median(own_SxR.min(1))),
        f"{old}_high_draw": float(np.median(own_SxR.max(1))),
      }
    rows.append(row)
    first += count
  return rows


def _fits(new) -> list[dict]:
  found = new["subspace"]
  rows = addition.fits("subspace")(new)
  for row in rows:
    says = found.says.sel(fit=row["fit"])
    for name in says.said.values.tolist():
      own_S, null_S = (says.sel(network=n, said=name).values for n in numbers.NETWORKS)
      row |= addition.columns(name, own_S, null_S, _at(found))
  return rows


def _failures(new) -> list[dict]:
  own = new["subspace"].isel(seed=program.shown(new["subspace"]))
  return [
    {
      "a": a,
      "b": b,
      "truth": int(own.prediction[a, b] - own.error[a, b]),
      "prediction": int(own.prediction[a, b]),
      **{old: float(own[name][a, b]) for old, name in LOGITS.items()},
    }
    for a, b in np.argwhere(own.error.values != 0).tolist()
  ]


def _logits(new) -> list[dict]:
  found, rows = new["subspace"], []
  names = found.statistic.values.tolist()
  for group in found.group.values.tolist():
    for column in sorted(found.column.values.tolist()):  # as jax returned them
      value_SxV = found.logit.sel(group=group, column=column).values
      median_V = [numbers.median(value_S) for value_S in value_SxV.T]
      at = _at(found)
      ours_V = [math.nan] * len(names) if at is None else value_SxV[at].tolist()
      row = {"group": group, "column": column} | dict(zip(names, median_V, strict=True))
      rows.append(row | {f"{n}_ours": v for n, v in zip(names, ours_V, strict=True)})
  return rows


MAP = {
  "subspace/table": addition.table("subspace"),
  "subspace/variants": _variants,
  "subspace/fits": _fits,
  "subspace/failures": _failures,
  "subspace/logits": _logits,
  "subspace/shown": lambda new: program.shown(new["subspace"]),
  "subspace/accuracy_SxR": _draws("accuracy"),
  "subspace/nll_nats_SxR": _draws("nll_nats"),
  "subspace/removed_share_SxR": _draws("removed_share"),
  "subspace/untrained_accuracy_SxR": _draws("accuracy", "untrained"),
  "subspace/prediction_SxPxP": _of("prediction"),
  "subspace/error_SxPxP": _of("error"),
  "subspace/full_logit_SxPxP": _of("full_logit"),
  "subspace/ablated_logit_SxPxP": _of("ablated_logit"),
  "subspace/boost_SxPxP": _of("boost"),
  "subspace/predicted_boost_SxPxP": _of("predicted_boost"),
  "subspace/residual_SxPxP": _of("residual"),
  "subspace/quadratic_residual_SxPxP": _of("quadratic_residual"),
  "subspace/line_Sx2": _of("line"),
}
