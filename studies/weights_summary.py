"""What a terminal shows of the spectra of published weights."""

import math
from collections.abc import Sequence

import numpy as np
from primelens.analyses import spectra_nulls
from primelens.lens import tables as listing
from primelens.models import weights, weights_matrices
from primelens.studies.primes import language_models

LEVEL = 0.05
NULLS = {
  "shuffled": "their own entries, shuffled",
  "gaussian": "normal noise of their shape and scale",
}
# Medians by role, each beside that of noise; the short names are the columns.
SHOWN = {
  "rank": "effective_rank",
  "rank²": "effective_rank_squares",
  "stable": "stable_rank",
  "max/mean": "max_to_mean",
  "ks": "ks_matched",
}
BARE = ("outliers", "r_ratio")  # medians whose noise is known: 0 and .53


def sizes(name: str, source: weights.Source, plan: weights_matrices.Plan) -> str:
  """Returns one line of how much there is to read."""
  largest = max((part.tensor for part in plan.parts), key=lambda t: t.bytes)
  return (
    f"{name}: {len(source.files)} files, {source.bytes / 1e6:,.1f} MB,"
    f" {len(source.tensors)} tensors; {len(plan.parts)} matrices, the largest"
    f" {largest.name} of {largest.bytes / 1e6:,.1f} MB"
  )


def lines(result) -> list[str]:
  """Returns the numbers by role beside noise, and what a reader must know."""
  text = [f"{result.weights}: {len(result.matrices)} matrices ({result.mode})"]
  text += [f"split by {rule}" for rule in result.rules.split("; ") if rule]
  text += [f"no matrices: {result.skipped}"] if result.skipped else []
  if result.duplicates:
    text.append(f"warning: the same bytes: {result.duplicates}")
  text += ["", listing.aligned(*by_role(result.matrices)), ""]
  text += _significance(result)
  return text + _corner(result)


def by_role(records) -> tuple[list[dict], list[str]]:
  """Returns the medians by role, "metric / null" for what noise would have."""
  rows = []
  for role in dict.fromkeys(record["role"] for record in records):
    its = [record for record in records if record["role"] == role]
    row: dict = {"role": role, "matrices": str(len(its))}
    for short, name in SHOWN.items():
      row[short] = _median(its, name)
      row[f"{short} of noise"] = _median(its, f"{name}_null")
    rows.append(row | {name: _median(its, name) for name in BARE})
  return rows, list(rows[0])


def _median(records, name: str) -> float:
  values = [r[name] for r in records if np.isfinite(r.get(name, np.nan))]
  return float(np.median(values)) if values else np.nan


def _significance(result) -> list[str]:
  """Returns how many matrices differ from noise, by each correction."""
  records, rows = result.matrices, []
  for name in (*SHOWN.values(), *BARE):
    known = [r for r in records if np.isfinite(r.get(f"{name}_p", np.nan))]
    if known:
      rows.append(
        {
          "metric": name,
          "matrices": str(len(known)),
          "p ≤ .05": _below(known, f"{name}_p"),
          "false discovery rate": _below(known, f"{name}_p_bh"),
          "any false finding": _below(known, f"{name}_p_any"),
        }
      )
  if not rows:
    return []
  text = [f"Differ from {NULLS[result.null]}:"]
  text.append(listing.aligned(rows, list(rows[0])))
  return [*text, *_least(result), ""]


def _least(result) -> list[str]:
  """Returns what so many draws cannot show."""
  least, count = 2 / (result.draws + 1), len(result.matrices)
  text = []
  if least > LEVEL:
    text.append(f"p is not below 2 / {result.draws + 1}: take --set draws=39 or more.")
  enough = spectra_nulls.needed(count, LEVEL)
  if result.draws < enough:
    found = math.ceil(count * least / LEVEL)
    text.append(
      f"By the false discovery rate at {LEVEL} with {result.draws} draws, no fewer than {found}"
      f" of {count} matrices can differ; a single one takes --set draws={enough}."
    )
  return text


def _below(records, name: str) -> str:
  return str(sum(record[name] <= LEVEL for record in records))


def _corner(result) -> list[str]:
  """Returns the three numbers of the corner beside the published, if any."""
  if not result.corner:
    return ["No corner as published: its name patterns find no matrix here."]
  its = language_models.published(result.weights)
  said = f"The published 256 x 256 corner, of {result.corner}:"
  return [said, table(beside(its, result))]


def beside(its: language_models.Published | None, result) -> list[dict]:
  """Returns a model's published corner, ours, and noise, as rows."""
  names = ("effective_rank", "max_to_mean", "ks")
  rows = [("ours", [getattr(result, f"corner_{name}") for name in names])]
  if its is not None:
    rows.insert(0, ("published", [getattr(its, name) for name in names]))
  return [
    {"model": result.weights, "numbers": who} | dict(zip(names, values, strict=True))
    for who, values in rows
  ]


def table(rows: Sequence[dict]) -> str:
  """Returns rows of `beside` as text."""
  return listing.aligned(rows, list(rows[0]))
