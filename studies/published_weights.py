"""Are spectra of published weights more than noise of their shape and scale?

`analyze.py --weights=PATH_OR_ID` reads every matrix of a file, by role and layer, and the corner of
256 x 256 that the source of the study `primes` read of language models.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import threadpoolctl
import xarray as xr
from primelens.analyses import spectra, spectra_report
from primelens.lens import figures as draw
from primelens.lens import results
from primelens.lens import tables as tables_lib
from primelens.models import weights
from primelens.studies import spectra as shared
from primelens.studies.primes import language_models
from primelens.tasks import checks, files, patterns

MODELS = language_models.MODELS
STORED = 512  # singular values kept of a matrix


@dataclasses.dataclass(kw_only=True)
class Settings:
  """Which matrices, and how they are measured; `--set pattern=q_proj`.

  `pattern` is a regular expression found in a tensor's name. `mode`
  "corner_as_published" measures nothing but the 256 x 256 corner of the
  source. The p-values are not below 2 / (draws + 1). The null "shuffled" keeps
  the law of the entries and costs a decomposition a draw, seconds of a large
  matrix; "gaussian" costs next to nothing, and takes heavy tails for structure.
  """

  pattern: Annotated[str, patterns.Pattern()] = ""
  mode: Literal["whole", "corner_as_published"] = "whole"
  draws: checks.Number = 99
  seed: checks.Seed = 0
  levels: bool = True
  symmetry: bool = False
  null: Literal["shuffled", "gaussian"] = "shuffled"

  def __post_init__(self):
    checks.fields(self)


def check(name: str, source: weights.Source, settings: Settings) -> None:
  """Raises `ValueError` saying why weights have no corner as published, where it is asked for."""
  if settings.mode == "whole" or weights.corner_as_published(source):
    return
  reason = weights.why_no_corner(source)
  raise ValueError(f"{name} has no corner as published: {reason}.")


# --- the result -----------------------------------------------------------------------------------

ABOUT = {
  "tensor": "tensor, or the part of it that is the matrix",
  "role": "what the matrix does",
  "layer": "layer of the matrix; -1 outside the layers",
  "stored_as": "type of number in the file",
  "file_name": "file",
  "sha256": "sha256 of the tensor",
  "rows": "rows of the matrix",
  "columns": "columns of the matrix",
}
NO_LAYER = -1


def measure(
  name: str,
  source: weights.Source,
  plan: weights.Plan,
  settings: Settings,
  digest_of: dict[str, str],
  advance: Callable[[int, str], None] = lambda count, note: None,
) -> xr.Dataset:
  """Returns the spectra of the planned matrices, or of the published corner.

  Along `matrix` lie the keys of `spectra_report.measure`; `singular` are the singular values of
  each, falling, at most 512 of them, evenly spaced by rank, and NaN behind a shorter spectrum. The
  attribute `corner` names the matrix whose published corner has the three `corner_` numbers: empty
  and NaN where there is none, and `no_corner` says why. Other attributes say how fused matrices
  were split (rules), which tensors are no matrix (skipped), and which are the same twice
  (duplicates).

  `digest_of` has the sha256 of every tensor; `advance` is told of every matrix
  that is done. Raises `ValueError` for entries that are not finite, or where
  the source's patterns find no corner.
  """
  corner, values = weights.corner_as_published(source) or ("", None)
  rows = []
  # More threads wait for each other on a busy machine, and help little.
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    if settings.mode == "whole":
      for part in plan.parts:
        rows.append(_row(source, part, settings, digest_of, len(plan.parts)))
        advance(1, part.name)
    else:
      check(name, source, settings)
      rows.append(_corner_row(corner, values, settings))
  twice = weights.duplicates(source, digest_of)
  records = [record for record, _ in rows]
  matrices = spectra.corrected(records)
  layers = [NO_LAYER if row["layer"] is None else row["layer"] for row in matrices]
  singular_ExK = padded([singular_K for _, singular_K in rows])
  variables = {
    "tensor": results.variable("matrix", [row["tensor"] for row in matrices], ABOUT["tensor"]),
    "layer": results.variable("matrix", layers, ABOUT["layer"]),
    **shared.variables(matrices, "matrix", (len(matrices),), {"tensor", "layer", "draws"}),
    "singular": results.variable("matrix place", singular_ExK, "singular value"),
  }
  for key in ABOUT.keys() & variables.keys():
    variables[key].attrs["long_name"] = ABOUT[key]
  corner_numbers: dict[str, Any] = _corner_numbers(values)
  return results.dataset(
    variables,
    weights=files.shown(name),
    commit=source.commit,
    mode=settings.mode,
    draws=settings.draws,
    null=settings.null,
    tensors=len(source.tensors),
    bytes=source.bytes,
    rules="; ".join(plan.rules),
    skipped=plan.left_out,
    duplicates=files.shown("; ".join(" = ".join(group) for group in twice)),
    corner=files.shown(corner),
    no_corner="" if corner else files.shown(weights.why_no_corner(source)),
    **corner_numbers,
  )


def rows_of(found: xr.Dataset) -> list[dict]:
  """Returns a record for each matrix; a layer is None outside the layers."""
  names = [str(name) for name, each in found.data_vars.items() if each.dims == ("matrix",)]
  columns = {name: found[name].values.tolist() for name in names}
  records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
  return [row | {"layer": None if row["layer"] == NO_LAYER else row["layer"]} for row in records]


def _row(source: weights.Source, part: weights.Part, settings, digest_of, tests: int):
  tensor = part.tensor
  record = {
    "tensor": files.shown(part.name),
    "role": part.role,
    "layer": part.layer,
    "stored_as": tensor.dtype,
    "file_name": files.shown(source.name(tensor.path)),
    "sha256": digest_of[tensor.name],
  }
  measured, singular_K = _measured(weights.read_matrix(part), settings, tests)
  return record | measured, singular_K


def _corner_row(name, values, settings):
  record = {"tensor": files.shown(name), "role": "corner", "layer": None}
  measured, singular_K = _measured(values, settings, 1)
  return record | measured, singular_K


def _measured(weight_NxD, settings, tests: int) -> tuple[dict, np.ndarray]:
  """Returns the record and the singular values that are kept."""
  singular_K = spectra_report.singular_values(weight_NxD)
  record = spectra_report.measure(
    weight_NxD,
    singular_K=singular_K,
    draws=settings.draws,
    seed=settings.seed,
    levels=settings.levels,
    symmetry=settings.symmetry,
    null=settings.null,
    tests=tests,
    keep_draws=True,
  )
  return record, spaced(singular_K)


def _corner_numbers(values) -> dict[str, Any]:
  """Returns the source's three numbers of its corner; NaN without one."""
  names = ("corner_effective_rank", "corner_max_to_mean", "corner_ks")
  if values is None:
    return dict.fromkeys(names, np.nan)
  singular_K = spectra.singular_values(values)
  found = (
    spectra.effective_rank(singular_K),
    spectra.max_to_mean(singular_K),
    spectra.ks_unit_as_published(singular_K),
  )
  return {name: float(v) for name, v in zip(names, found, strict=True)}


def spaced(singular_K: np.ndarray) -> np.ndarray:
  """Returns at most 512 of the values, evenly spaced, both ends among them."""
  count = min(STORED, len(singular_K))
  at = np.round(np.linspace(0, len(singular_K) - 1, count)).astype(int)
  return singular_K[at]


def padded(rows: list[np.ndarray]) -> np.ndarray:
  """Returns the rows as one array, NaN behind the shorter ones."""
  table_ExK = np.full((len(rows), max(map(len, rows))), np.nan)
  for place_K, row_K in zip(table_ExK, rows, strict=True):
    place_K[: len(row_K)] = row_K
  return table_ExK


# --- what a terminal shows ------------------------------------------------------------------------

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


def sizes(name: str, source: weights.Source, plan: weights.Plan) -> str:
  """Returns one line of how much there is to read."""
  largest = max((part.tensor for part in plan.parts), key=lambda t: t.bytes)
  return (
    f"{name}: {len(source.files)} files, {source.bytes / 1e6:,.1f} MB,"
    f" {len(source.tensors)} tensors; {len(plan.parts)} matrices, the largest"
    f" {largest.name} of {largest.bytes / 1e6:,.1f} MB"
  )


def lines(result: xr.Dataset) -> list[str]:
  """Returns the numbers by role beside noise, and what a reader must know."""
  text = [f"{result.weights}: {result.sizes['matrix']} matrices ({result.mode})"]
  text += [f"split by {rule}" for rule in result.rules.split("; ") if rule]
  text += [f"no matrices: {result.skipped}"] if result.skipped else []
  if result.duplicates:
    text.append(f"warning: the same bytes: {result.duplicates}")
  text += ["", tables_lib.aligned(*by_role(rows_of(result))), ""]
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
  records, rows = rows_of(result), []
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
  text.append(tables_lib.aligned(rows, list(rows[0])))
  return [*text, *_least(result), ""]


def _least(result) -> list[str]:
  """Returns what so many draws cannot show."""
  least, count = 2 / (result.draws + 1), result.sizes["matrix"]
  text = []
  if least > LEVEL:
    text.append(f"p is not below 2 / {result.draws + 1}: take --set draws=39 or more.")
  enough = spectra.needed(count, LEVEL)
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
    return [f"No corner as published: {result.no_corner}."]
  its = language_models.published(result.weights)
  said = f"The published 256 x 256 corner, of {result.corner}:"
  return [said, table(beside(its, result))]


CORNER = {
  "effective_rank": shared.MEANINGS["effective_rank"],
  "max_to_mean": shared.MEANINGS["max_to_mean"],
  "ks": shared.MEANINGS["ks_unit_as_published"],
}
WHO = ("published", "here")


def beside(its: language_models.Published | None, result: xr.Dataset) -> list[dict]:
  """Returns a model's published corner, and that of its weights, as rows."""
  rows = [("recomputed here", [result.attrs[f"corner_{name}"] for name in CORNER])]
  if its is not None:
    rows.insert(0, ("published", [getattr(its, name) for name in CORNER]))
  return [
    {"model": result.weights, "numbers": who} | dict(zip(CORNER, values, strict=True))
    for who, values in rows
  ]


def models(runs: Mapping[str, xr.Dataset]) -> xr.Dataset:
  """Returns the corners of all models of the source: published, and of those read here, by id.

  NaN for a model that was not read; `<name>_noise` are the means of noise of the corner's shape.
  """
  number = lambda found, name: found.attrs[f"corner_{name}"] if found is not None else np.nan
  here = [runs.get(its.model) for its in MODELS]
  null_RxK = spectra.singular_null((weights.CORNER, weights.CORNER))
  noise = {
    "effective_rank": spectra.effective_rank(null_RxK).mean(),
    "max_to_mean": spectra.max_to_mean(null_RxK).mean(),
  }
  variables = {
    name: results.variable(
      "who model",
      [[getattr(its, name) for its in MODELS], [number(found, name) for found in here]],
      said,
    )
    for name, said in CORNER.items()
  }
  variables |= {
    f"{name}_noise": results.variable("", value, f"{CORNER[name]}, of noise")
    for name, value in noise.items()
  }
  return results.dataset(variables, {"who": list(WHO), "model": [its.model for its in MODELS]})


def table(rows: Sequence[dict]) -> str:
  """Returns rows of `beside` as text."""
  return tables_lib.aligned(rows, list(rows[0]))


# --- figures and tables ---------------------------------------------------------------------------

MOST = 6  # spectra drawn
SHADES = {"published": "black", "here": draw.BLUE}


def of_models(found: xr.Dataset) -> draw.Page:
  """Returns one page of all models, as published: the three numbers of each one's corner, and the
  effective rank against the ratio."""
  names = {
    "effective_rank": "Effective rank",
    "max_to_mean": "Largest over mean",
    "ks": "Distance from noise",
  }
  its = found.assign_coords(model=[str(name).partition("/")[2] for name in found.model.values])
  panels: list[draw.Panel] = []
  for name, title in names.items():
    look = {"y": "model", "colour": "who", "colours": SHADES, "title": title}
    text: dict[str, Any] = {"xscale": "log"} if name == "max_to_mean" else {}
    if panels:
      text["yticklabels"] = []
    panel = draw.strips(its, name, **look, **text)
    if f"{name}_noise" in its:
      panel = draw.together(
        draw.level(float(its[f"{name}_noise"]), "noise of the same shape", along="x"), panel
      )
    panels.append(panel)
  size = weights.CORNER
  return draw.page(
    draw.heading(f"One corner of {size} x {size} of the first layer of every language model"),
    tuple(panels),
    _rank_and_ratio(its),
    heights=[0.4, 4.0, 3.8],
  )


def _rank_and_ratio(its: xr.Dataset) -> draw.Panel:
  """Returns the effective rank of every model against its largest singular value over the mean."""

  def panel(axes):
    for who, colour in SHADES.items():
      one = its.sel(who=who)
      look = {"ls": "", "marker": "x" if who == "published" else "o", "ms": 5}
      axes.plot(one.max_to_mean, one.effective_rank, color=colour, label=who, **look)
    first = its.sel(who="published")
    x_E, y_E = first.max_to_mean.values, first.effective_rank.values
    for name, x, y in zip(its.model.values, x_E, y_E, strict=True):
      beside = (np.abs(np.log10(x_E / x)) < 0.05) & (np.abs(y_E - y) < 8)  # names would touch
      place = {"textcoords": "offset points", "fontsize": 7.5, "va": "center"}
      axes.annotate(str(name), (x, y), (6, 5 * np.sign(y - y_E[beside].mean())), **place)
    axes.plot(
      float(its.max_to_mean_noise),
      float(its.effective_rank_noise),
      "D",
      color=draw.GREY,
      label="noise of the same shape",
    )
    axes.set(
      xscale="log",
      xlim=(2, 100),
      title="The larger one singular value, the smaller the rank",
      xlabel=CORNER["max_to_mean"],
      ylabel="effective rank",
    )

  return panel


def tables(runs: Mapping[str, xr.Dataset]) -> list[tables_lib.Table]:
  """Returns every matrix of one file, with its whole record."""
  (found,) = runs.values()
  return [tables_lib.Table("Every matrix beside noise of its shape and scale.", rows_of(found))]


def figures(runs: Mapping[str, xr.Dataset]) -> dict[str, draw.Page]:
  """Returns effective rank, outliers and max/mean of every matrix by layer, beside noise of its
  shape, and a few spectra beside the edge of noise."""
  return {name: _page(found) for name, found in runs.items()}


def _page(found: xr.Dataset) -> draw.Page:
  records = rows_of(found)
  over = lambda record: record["effective_rank"] / record["effective_rank_null"]
  above = lambda record: record["max_to_mean"] / record["max_to_mean_null"]
  named = f"{_short(found.weights, 60)} ({found.mode})"
  noise: dict[str, Any] = {"ylabel": "1 = noise"}
  wide: dict[str, Any] = {"yscale": "log"} if max(map(above, records)) > 3 else {}
  one = draw.level(1, ls="-", lw=0.8)
  return draw.page(
    draw.heading(named),
    (
      draw.together(one, _by_layer(records, over, title="Effective rank over noise's", **noise)),
      _by_layer(
        records,
        lambda record: record["outliers"],
        title="Singular values above noise",
        ylabel="outliers",
        yscale="symlog",
      ),
    ),
    (
      draw.together(
        one,
        _by_layer(records, above, named=False, title="Max / mean, over noise's", **noise | wide),
      ),
      _spectra(found, records),
    ),
    heights=[0.4, 3.6, 4.4],
  )


def _by_layer(
  records: list[dict], value: Callable[[dict], float], named: bool = True, **text
) -> draw.Panel:
  """Returns a line per role, in the legend where it is `named`; matrices outside the layers stand
  left of them."""
  layered = sorted({r["layer"] for r in records} - {None})
  left = min(layered, default=1) - 1.5
  roles = list(dict.fromkeys(record["role"] for record in records))

  def panel(axes):
    for number, role in enumerate(roles):
      its = [record for record in records if record["role"] == role]
      axes.plot(
        [left if r["layer"] is None else r["layer"] for r in its],
        [value(record) for record in its],
        color=_colour(number),
        ls="" if None in [r["layer"] for r in its] else "-",
        lw=1.1,
        marker="osD^"[number // len(draw.COLOURS) % 4],
        ms=3.5,
        label=role if named else None,
      )
    shown = layered[:: 1 + len(layered) // 10]
    axes.set_xticks([left, *shown], ["none", *map(str, shown)])
    axes.set(xlabel="layer", **text)
    if text.get("yscale") == "symlog":
      axes.set_ylim(bottom=-0.3)
      axes.yaxis.set_major_formatter("{x:g}")

  return panel


def _spectra(found: xr.Dataset, records: list[dict]) -> draw.Panel:
  """Returns spectra from the lowest to the highest effective rank over noise's, in units of the
  edge of noise."""
  over_E = np.array([r["effective_rank"] / r["effective_rank_null"] for r in records])
  count = min(MOST, len(over_E))
  chosen = np.argsort(over_E)[np.linspace(0, len(over_E) - 1, count).astype(int)]

  def panel(axes):
    for number, e in enumerate(chosen):
      value_K = found["singular"].values[e].astype(float)
      edge = records[e]["edge"] or np.nan  # 0 of half a rank or less
      value_K = value_K[np.isfinite(value_K)] / edge
      axes.plot(
        np.linspace(0, 1, len(value_K)),
        np.where(value_K > 1e-6, value_K, np.nan),
        color=_colour(number),
        lw=1.2,
        label=_short(records[e]["tensor"]),
      )
    axes.axhline(1, color="black", lw=0.8, ls="--")
    axes.set(
      yscale="log",
      title="By rank over noise's, lowest first",
      xlabel="share of the singular values",
      ylabel="s / edge of noise",
    )

  return panel


def _colour(number: int) -> str:
  return draw.COLOURS[number % len(draw.COLOURS)]


def _short(name: str, most: int = 36) -> str:
  """Returns the end of a name as a label; a dollar sign in it is no formula."""
  end = name if len(name) <= most else "…" + name[1 - most :]
  return end.replace("$", r"\$")
