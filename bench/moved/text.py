"""The study `text`: its analyses became slices."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from primelens.lens import numbers as numbers_lib
from primelens.lens import study, tables
from primelens.studies import text
from primelens.studies.text import (
  answers,
  fourier_probes,
  geometry,
  nonlinear_probes,
  probes,
  scale,
)

from moved import addition

# --- answers --------------------------------------------------------------------------------------


def _curve(new):
  found = new["answers"]
  losses = {
    part: [float(number) for number in line.split()]
    for part, line in answers.LOSSES.get(found.question, {}).items()
  }
  if not losses or not found.regression:
    return []
  pairs = zip(losses["train"], losses["select"], strict=True)
  return [
    {"step": (i + 1) * answers.EPOCH, "train": train, "select": select}
    for i, (train, select) in enumerate(pairs)
  ]


def _measures(new):
  rows = answers.tables({"run": new["answers"]})[1].rows
  return [{key: value for key, value in tables.flat(row).items() if key != "run"} for row in rows]


ANSWERS = {
  "answers/skills": lambda new: [tables.flat(row) for row in tables.rows(new["answers"], "skills")],
  "answers/measures": _measures,
  "answers/history": _curve,
  "answers/value_PxExS": lambda new: new["answers"].value.values,
  "answers/untrained_PxExR": lambda new: new["answers"].untrained_value.values,
  "answers/truth_N": lambda new: new["answers"].truth.values,
  "answers/answer_SxN": lambda new: new["answers"].answer.values,
  "answers/step_C": lambda new: new["answers"].step.values,
  "answers/curve_VxSxC": lambda new: new["answers"].loss.values,
  "answers/question": lambda new: new["answers"].question,
  "answers/regression": lambda new: new["answers"].regression,
  "answers/scale": lambda new: new["answers"].scale,
}

# --- causal, patching, invariance, heads ----------------------------------------------------------


def _rows(found, name, **renamed):
  """Returns the old records: intervals as two more columns, old names where they changed."""
  prefix = f"{name}_"
  columns = {}
  for key in map(str, found.data_vars):
    if found[key].dims[:1] != (name,) or not key.startswith(prefix):
      continue
    short = key.removeprefix(prefix)
    if short.endswith("_interval"):
      short = short.removesuffix("_interval")
      columns[f"{short}_low"] = found[key].values[:, 0].tolist()
      columns[f"{short}_high"] = found[key].values[:, 1].tolist()
    else:
      columns[short] = found[key].values.tolist()
  columns = {renamed.get(key, key): value for key, value in columns.items()}
  return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _named(found, dim, key):
  return [{key: str(value)} for value in found[dim].values]


CAUSAL = {
  "causal/interventions": lambda new: _rows(new["causal"], "interventions"),
  "causal/directions": lambda new: _rows(new["causal"], "directions"),
  "causal/targets": lambda new: _named(new["causal"], "target", "target"),
  "causal/levels": lambda new: _named(new["causal"], "level", "level"),
  "causal/variants": lambda new: _named(new["causal"], "subspace", "variant"),
  "causal/ladders": lambda new: _named(new["causal"], "fit", "ladder"),
  "causal/intact_S": lambda new: new["causal"].intact.values,
  "causal/skill_PxSxExV": lambda new: new["causal"].skill.values,
  "causal/moved_PxSxExV": lambda new: new["causal"].moved.values,
  "causal/removed_PxSxExV": lambda new: new["causal"].removed.values,
  "causal/iterated_SxR": lambda new: new["causal"].iterated_r2.values,
  "causal/iterated_null_SxR": lambda new: new["causal"].iterated_null_r2.values,
  "causal/iterated_skill_SxR": lambda new: new["causal"].iterated_skill.values,
  "causal/step_M": lambda new: new["causal"].published_step.values,
  "causal/iterated_as_published_SxM": lambda new: new["causal"].iterated_as_published.values,
  "causal/alpha_Q": lambda new: new["causal"].penalty.values,
  "causal/ladder_skill_KxSxQ": lambda new: new["causal"].ladder_skill.values,
  "causal/unit": lambda new: "mse" if new["causal"].regression else "nll_nats",
}
CAUSAL |= {
  "patching/effects": lambda new: _rows(new["patching"], "effects"),
  "patching/levels": lambda new: _named(new["patching"], "level", "level"),
  "patching/roles": lambda new: _named(new["patching"], "role", "role"),
  "patching/moved_SxExR": lambda new: new["patching"].moved.values,
  "patching/disturbed_PxSxExR": lambda new: new["patching"].disturbed.values,
  "patching/untrained_moved_VxExR": lambda new: new["patching"].untrained_moved.values,
  "patching/untrained_disturbed_PxVxExR": lambda new: new["patching"].untrained_disturbed.values,
  # patching/shift_N, which was shown nowhere, is no longer stored.
  "patching/regression": lambda new: bool(new["patching"].regression),
}
CAUSAL |= {
  "invariance/symmetries": lambda new: _rows(new["invariance"], "symmetries"),
  "invariance/delta_R": lambda new: new["invariance"].delta.values,
  "invariance/outside_R": lambda new: new["invariance"].outside.values,
  "invariance/loss_as_published_SxR": lambda new: new["invariance"].loss.values,
  "invariance/in_range_SxR": lambda new: new["invariance"].loss_in_range.values,
  "invariance/kept_SxR": lambda new: new["invariance"].kept.values,
  "invariance/broken_SxR": lambda new: new["invariance"].broken.values,
  "invariance/signed_SxR": lambda new: new["invariance"].signed.values,
  "invariance/ratio_SxE": lambda new: new["invariance"].ratio.values,
  "invariance/kept_SxE": lambda new: new["invariance"].change_kept.values,
  "invariance/broken_SxE": lambda new: new["invariance"].change_broken.values,
  "invariance/untrained_ratio_VxE": lambda new: new["invariance"].untrained_ratio.values,
  "invariance/unit": lambda new: "raw" if new["invariance"].regression else "nats",
}
CAUSAL |= {
  "heads_text/heads": lambda new: _rows(new["heads"], "heads"),
  "heads_text/layers": lambda new: _rows(new["heads"], "layers"),
  "heads_text/classes": lambda new: _named(new["heads"], "class", "class"),
  "heads_text/roles": lambda new: _named(new["heads"], "role", "role"),
  "heads_text/mass_SxLxHxV": lambda new: new["heads"].mass.values,
  "heads_text/mass_as_published_SxLxHxV": lambda new: new["heads"].mass_as_published.values,
  "heads_text/uniform_V": lambda new: new["heads"].uniform_mass.values,
  "heads_text/entropy_SxLxH": lambda new: new["heads"].entropy.values,
  "heads_text/uniform_entropy": lambda new: new["heads"].uniform_entropy,
  "heads_text/sweep_SxLxExV": lambda new: new["heads"].sweep.values,
  "heads_text/sweep_as_published_SxLxTxV": lambda new: new["heads"].sweep_as_published.values,
  "heads_text/delta_PxSxLxH": lambda new: new["heads"].delta.values,
  "heads_text/path_PxSxLxH": lambda new: new["heads"].moved.values,
  "heads_text/intact_S": lambda new: new["heads"].intact.values,
  "heads_text/untrained_mass_RxLxHxV": lambda new: new["heads"].untrained_mass.values,
  "heads_text/untrained_entropy_RxLxH": lambda new: new["heads"].untrained_entropy.values,
  "heads_text/untrained_delta_PxRxLxH": lambda new: new["heads"].untrained_delta.values,
  "heads_text/untrained_path_PxRxLxH": lambda new: new["heads"].untrained_moved.values,
  "heads_text/pattern_LxHxTxT": lambda new: new["heads"].pattern.values[0],
  "heads_text/line": lambda new: new["heads"].line.values[0].item(),
  "heads_text/unit": lambda new: "raw mse" if new["heads"].regression else "nll_nats",
  "heads_text/constant": lambda new: new["heads"].constant,
}

# --- fourier_probes, fourier_published, scale -----------------------------------------------------

WAVES, PUBLISHED = "fourier_probes", "fourier_published"
_UNITS = {"answers²": "raw mse", "nats": "nll_nats"}  # of scale
_REMOVED_UNITS = {"answers²": "raw squared error", "nats": "nll_nats"}


def _found(new):
  found = new[WAVES]
  place = {int(seed): s for s, seed in enumerate(found.seed.values)}
  rows = []
  for row in fourier_probes.best_frequencies(found):
    row = dict(row)
    row["member"] = place[row.pop("seed")]
    rows.append(row)
  return rows


def _digits(new):
  found = new[WAVES]
  rows = []
  for row in fourier_probes.best_digits(found):
    at = found.digit_r2.sel(level=row["level"], modulus=row["modulus"]).values
    rows.append(tables.flat(row) | {"values": at.tolist()})
  return rows


def _removed(new):
  found = new[WAVES]
  return [
    tables.flat(row) | {"unit": _REMOVED_UNITS[row["unit"]], "values": value_S.tolist()}
    for row, value_S in zip(
      fourier_probes.removed_kinds(found), found.left_mean.values, strict=True
    )
  ]


def _cell(new):
  found = new["scale"]
  row = tables.flat(scale.size(found)) | {"probe_rows": found.probe_rows}
  row["unit"] = _UNITS[row["unit"]]
  for one in scale.by_pairs(found):
    pairs = one["pairs"]
    for name in ("r2", "cv_r2", "held_out_r2"):
      row |= tables.flat({f"{name}_{pairs}": one[name]})
    row |= {
      f"null_r2_{pairs}": one["null_r2"],
      f"null_r2_{pairs}_deviation": one["deviation"],
      f"r2_{pairs}_p": one["p"],
      f"untrained_r2_{pairs}": one["untrained_r2"],
    }
  probe, random, excess, permuted = scale.directions(found)
  return [
    row
    | tables.flat(
      {"delta_probe": probe["harm"], "delta_random": random["harm"], "excess": excess["harm"]}
    )
    | {
      "delta_permuted": permuted["harm"],
      "delta_permuted_deviation": permuted["deviation"],
      "delta_p": probe["p"],
      "removed": probe["share"],
      "removed_random": random["share"],
      "removed_permuted": permuted["share"],
    }
  ]


def _of(name, variable):
  return lambda new: new[name][variable].values


def _harm(variable, coordinates):
  return lambda new: new[PUBLISHED][variable].sel(coordinates=coordinates).values


def _small(columns):
  return lambda new: new[PUBLISHED].small_r2.sel(columns=columns).values


def _held_out(new):
  count = new[PUBLISHED].sizes["pairs"]
  return new[WAVES].first_r2.isel(level=-1).values[:, :count]


_OF_PROBES = {
  "frequency_Q": "frequency",
  "r2_SxExQ": "r2",
  "z_SxExQ": "z",
  "p_SxExQ": "p",
  "threshold_SxExQ": "threshold",
  "alpha_SxExQ": "alpha",
  "untrained_r2_VxExQ": "untrained_r2",
  "modulus_M": "modulus",
  "digit_r2_SxExM": "digit_r2",
  "digit_p_SxExM": "digit_p",
  "untrained_digit_r2_VxExM": "untrained_digit_r2",
  "removed_best_SxF": "removed_frequency",
  "intact_S": "intact",
  "left_Sx2": "left",
}
_OF_PUBLISHED = {
  "r2_as_published_SxP": "r2",
  "null_r2_SxRxP": "null_r2",
  "cv_r2_SxP": "cv_r2",
  "cv_r2_SxQ": "one_cv_r2",
  "delta_random_as_published_SxP": "random_harm",
  "delta_random_SxP": "mean_random_harm",
  "base_error_S": "base_error",
  "base_r2_S": "base_r2",
  "degrees_S": "degrees",
  "small_modulus_6": "small_modulus",
}
_SCALE = {
  "pairs_Q": "pairs",
  "r2_SxQ": "r2",
  "null_r2_SxRxQ": "null_r2",
  "cv_r2_SxQ": "cv_r2",
  "held_out_r2_SxQ": "held_out_r2",
  "untrained_r2_ExQ": "untrained_r2",
  "delta_S": "harm",
  "delta_random_SxK": "random_harm",
  "delta_permuted_SxR": "permuted_harm",
  "removed_S": "share",
  "removed_random_SxK": "random_share",
  "removed_permuted_SxR": "permuted_share",
}
_WAY = {"left": "whole", "matched": "scaled"}

FOURIER = {
  **{f"fourier_probes/{old}": _of(WAVES, its) for old, its in _OF_PROBES.items()},
  **{f"fourier_probes/{old}": _of(PUBLISHED, its) for old, its in _OF_PUBLISHED.items()},
  **{f"scale/{old}": _of("scale", its) for old, its in _SCALE.items()},
  **{
    f"fourier_probes/{old}_permuted_Sx2xR": lambda new, way=way: (
      new[WAVES].left_permuted.sel(way=way).values
    )
    for old, way in _WAY.items()
  },
  **{
    f"fourier_probes/{old}_random_SxK": lambda new, way=way: (
      new[WAVES].left_random.sel(way=way).values
    )
    for old, way in _WAY.items()
  },
  "fourier_probes/delta_as_published_SxP": _harm("harm", "as published"),
  "fourier_probes/delta_SxP": _harm("harm", "raw states"),
  "fourier_probes/delta_permuted_as_published_SxRxP": _harm("permuted_harm", "as published"),
  "fourier_probes/delta_permuted_SxRxP": _harm("permuted_harm", "raw states"),
  "fourier_probes/small_r2_as_published_Sx6x3": _small("as published"),
  "fourier_probes/small_r2_Sx6x3": _small("constants dropped"),
  "fourier_probes/small_cv_r2_Sx6x3": _small("5 folds"),
  "fourier_probes/held_out_r2_SxP": _held_out,
  "fourier_probes/modulus": lambda new: new[WAVES].residue,
  "fourier_probes/regression": lambda new: new[WAVES].regression,
  "fourier_probes/levels": lambda new: [{"level": str(x)} for x in new[WAVES].level.values],
  "fourier_probes/found": _found,
  "fourier_probes/digits": _digits,
  "fourier_probes/removed": _removed,
  "scale/cell": _cell,
}

# --- probes, nonlinear_probes, geometry -----------------------------------------------------------

TARGETS_FIRST = lambda found, name: np.moveaxis(found[name].values, -1, 0)
NAMES = lambda found, key: [{key: str(value)} for value in found[key].values]


def linear_records(found):
  for row in probes.cells(found):
    row = tables.flat(row)
    yield {{"characters": "inputs"}.get(key, key): value for key, value in row.items()}


def nonlinear_records(found, protocol):
  for row in nonlinear_probes.probe_cells(found):
    if row["rows"] == protocol:
      one = found.sel(protocol=protocol, probe=row["probe"], target=row["target"])
      values = nonlinear_probes.of_reading(one, "score", row["reads"])
      yield tables.flat(row) | {"values": values.tolist()}


def digit_records(found):
  for row in nonlinear_probes.digit_cells(found):
    one = found.sel(scored=row["rows"], regressed=row["target"])
    values = nonlinear_probes.of_reading(one, "digit_r2", row["reads"])
    yield tables.flat(row) | {"values": values.tolist()}


def geometry_records(found):
  for row in geometry.cells(found):
    where = {"scored": row["rows"], "pooling": row["pooling"], "measure": row["measure"]}
    yield tables.flat(row) | {"values": found.value.sel(where).values.tolist()}


def both(found, *names):
  return np.stack([found[name].values for name in names], -1)


PROBES = {
  "probes": lambda x: list(linear_records(x)),
  "targets": lambda x: NAMES(x, "target"),
  "levels": lambda x: NAMES(x, "level"),
  "roles": lambda x: NAMES(x, "role"),
  "r2_PxSxExR": lambda x: TARGETS_FIRST(x, "r2"),
  "untrained_PxVxExR": lambda x: TARGETS_FIRST(x, "untrained_r2"),
  "inputs_PxR": lambda x: x.characters_r2.values.T,
  "positions_SxT": lambda x: x.position_r2.sel(row_count=2000).values,
  "positions_untrained_VxT": lambda x: x.untrained_position_r2.sel(row_count=2000).values,
  "full_SxT": lambda x: x.full_r2.values,
  "full_untrained_VxT": lambda x: x.untrained_full_r2.values,
  "pooled_S": lambda x: x.last_r2.sel(row_count=2000).values,
  "pooled_untrained_V": lambda x: x.untrained_last_r2.sel(row_count=2000).values,
  "question": lambda x: x.question,
}
NONLINEAR = {
  "probes": lambda x: list(nonlinear_records(x, "fresh pairs")),
  "probes_as_published": lambda x: list(nonlinear_records(x, "as published")),
  "digit_sums": lambda x: list(digit_records(x)),
  "question": lambda x: x.question,
  "modulus": lambda x: x.modulus,
  "weights": lambda x: x.weights,
}
GEOMETRY = {
  "measures": lambda x: list(geometry_records(x)),
  "share_SxQ": lambda x: x.share.values,
  "sum_r2_SxQ": lambda x: x.sum_r2.values,
  "untrained_share_VxQ": lambda x: x.untrained_share.values,
  "untrained_sum_r2_VxQ": lambda x: x.untrained_sum_r2.values,
  "sum_N": lambda x: x.answer.values,
  "length_N": lambda x: x.length.values,
  "angle_N": lambda x: x.angle.values,
  "plane_Nx2": lambda x: both(x, "pc1", "pc2"),
  "wave_Nx2": lambda x: both(x, "cos", "sin"),
  "tsne_Bx2": lambda x: both(x, "tsne_1", "tsne_2"),
  "tsne_circularity": lambda x: x.tsne_circularity,
  "question": lambda x: x.question,
}
LINES = {
  f"{name}/{field}": lambda new, name=name, make=make: make(new[name])
  for name, fields in (
    ("probes", PROBES),
    ("nonlinear_probes", NONLINEAR),
    ("geometry", GEOMETRY),
  )
  for field, make in fields.items()
}

# --- the published numbers beside ours ------------------------------------------------------------

TABLES = {
  "answers": ("answers",),
  "probes": ("probes",),
  "nonlinear_probes": ("nonlinear_probes",),
  "geometry": ("geometry",),
  "causal": ("causal",),
  "invariance": ("invariance",),
  "heads_text": ("heads",),
  "fourier_probes": ("fourier_published", "fourier_probes"),
  "scale": ("scale",),
}


def _table(names: tuple[str, ...]):
  """Returns the old records of published numbers, of what `numbers(found)` gives now."""

  def make(new):
    its, config = study.find("text"), new["config"]
    imported = bool(config["model"]["checkpoint"])
    rows = []
    for name in names:
      values = its.slices[name].numbers(new[name])
      for key, entry in numbers_lib.published(text.__file__, name).items():
        if key in values:
          own = values[key]
          own = own if isinstance(own, numbers_lib.Own) else numbers_lib.Own(own)
          value_S = np.asarray(own.value_S, float)
          row = addition.row(entry, value_S, own.untrained_S, 0 if imported else None)
          rows.append({"key": key, "population": _population(config)} | row)
    return rows

  return make


def _population(config: Mapping) -> str:
  task, trunk = config["task"], config["model"]["trunk"]
  if config["model"]["checkpoint"]:
    return f"{task['question']}, imported"
  size = f"L{trunk['layers']} D{trunk['width']}"
  return f"{task['question']}, {size}, {task['layout']}, {task['split']} split"


MAP: dict[str, Callable[[Mapping], Any]] = {
  **ANSWERS,
  **CAUSAL,
  **FOURIER,
  **LINES,
  **{f"{old}/table": _table(names) for old, names in TABLES.items()},
}
