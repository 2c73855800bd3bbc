"""Where the fields of the study `primes` went, and those of `spectra`, which addition has too."""

import math

from primelens.studies import published_weights, spectra
from primelens.studies.primes import memory, program
from primelens.studies.primes import spectra as primes_spectra

# --- memory ---------------------------------------------------------------------------------------


def _setting(new):
  found = new["memory"]
  words = {key: found.attrs[key] for key in found.attrs if key in SETTING}
  return [words | {"seeds": found.sizes["seed"]}]


SETTING = (
  "sequence",
  "primes",
  "embedding",
  "embedding_std",
  "order",
  "held_out",
  "context",
  "flows",
  "kernel",
  "batch_size",
  "accumulation",
  "width",
  "layers",
  "steps",
)


def _errors(new):
  found = new["memory"]
  rows = []
  for part in found["part"].values.tolist():
    for kind in found["predictor"].values.tolist():
      row = {"part": part, "predictor": kind, "rows": int(found["rows"].sel(part=part))}
      for name in ("mae", "z_mse"):
        row[name] = program.error(found, part, kind, name)
        row[f"{name}_low"], row[f"{name}_high"] = program.error_interval(found, part, kind, name)
      rows.append(row)
  return rows


def _detected(new):
  found = new["memory"]
  return [
    {"step": step, "member": s, "says": bool(found["says"].values[s, c])}
    | {name: bool(found["holds"].values[k, s, c]) for k, name in enumerate(memory.NAMES)}
    for c, step in enumerate(found["step"].values.tolist())
    for s in range(found.sizes["seed"])
  ]


def _curve(name, curve):
  return lambda new: new["memory"][name].sel(curve=curve).values


MAP = {
  "memory/setting": _setting,
  "memory/errors": _errors,
  "memory/detected": _detected,
  "memory/gap_N": lambda new: new["memory"]["gap"].values,
  "memory/answer_SxN": lambda new: new["memory"]["answer"].values,
  "memory/step_C": lambda new: new["memory"]["step"].values,
  "memory/logged_SxC": _curve("loss", "trained, with dropout"),
  "memory/trained_SxC": _curve("loss", "trained"),
  "memory/held_SxC": _curve("loss", "held out"),
  "memory/trained_mae_SxC": _curve("loss_mae", "trained"),
  "memory/held_mae_SxC": _curve("loss_mae", "held out"),
  "memory/epoch_steps": lambda new: new["memory"].attrs["epoch_steps"],
  "memory/mean": lambda new: new["memory"].attrs["mean"],
  "memory/deviation": lambda new: new["memory"].attrs["deviation"],
}

# --- spectra --------------------------------------------------------------------------------------


def _about(found, e):
  row = {key: found[key].values[e].item() for key in spectra.ABOUT}
  return {"matrix": found["matrix"].values[e].item()} | row


def _record(new):
  found = new["spectra"]
  keys = [str(key) for key, each in found.data_vars.items() if each.dims == ("matrix", "seed")]
  return [
    _about(found, e)
    | {"member": s, "draws": found.attrs["draws"]}
    | {key: found[key].values[e, s].item() for key in keys}
    for e in range(found.sizes["matrix"])
    for s in range(found.sizes["seed"])
  ]


def _published(new):
  found = new["spectra"]
  return [
    {"when": when, "member": s}
    | {
      key: found[f"as_published_{key}"].values[w, s].item()
      for key in spectra.AS_PUBLISHED
      if key != "ks_gue"  # came later
    }
    for w, when in enumerate(spectra.WHEN)
    for s in range(found.sizes["seed"])
  ]


def _population(new):
  its = new["spectra"].attrs
  if "sequence" in its:
    return f"{its['sequence']}, {its['primes']:,} primes"
  return its["population"]


def _variable(name):
  return lambda new: new["spectra"][name].values


MAP |= {
  "spectra/record": _record,
  "spectra/published": _published,
  "spectra/matrix": lambda new: [
    _about(new["spectra"], e) for e in range(new["spectra"].sizes["matrix"])
  ],
  "spectra/curves": lambda new: [{"name": name} for name in new["spectra"]["metric"].values],
  "spectra/step_C": _variable("step"),
  "spectra/curve_VxSxCxE": _variable("metric_value"),
  "spectra/distance_SxCxE": _variable("distance_then"),
  "spectra/null_VxE": _variable("metric_null"),
  "spectra/train_SxC": _variable("train"),
  "spectra/test_SxC": _variable("test"),
  "spectra/score": lambda new: new["spectra"].attrs["score"],
  "spectra/singular_SxExK": _variable("singular"),
  "spectra/start_singular_SxExK": _variable("start_singular"),
  "spectra/population": _population,
}

# --- spectra of published weights -----------------------------------------------------------------


MAP |= {
  "spectra/matrices": lambda new: [
    row | {"draws": new["spectra"].attrs["draws"], "file": row.get("file_name")}
    for row in published_weights.rows_of(new["spectra"])
  ],
  "spectra/singular_ExK": _variable("singular"),
}

# --- the source's table: rows of the old one by quantity, of which the last plan's was kept -------

# Key in published.csv, and name of the plan there.
_OLD = {
  "mean absolute error of the last trained": ("chaos with sinusoids/mae", "chaos, sinusoid"),
  "distance from unit noise": ("chaos with sinusoids/ks", "chaos, sinusoid"),
  "distance of two clusters": ("chaos with sinusoids/inter_cluster", "chaos, sinusoid"),
  "balance of two clusters": ("chaos with sinusoids/balance", "chaos, sinusoid"),
  "quality of two clusters": ("chaos with sinusoids/quality", "chaos, sinusoid"),
  "effective rank": ("toy_effective_rank", "mismatched kernel, chaos, wide"),
  "largest over mean": ("toy_max_to_mean", "mismatched kernel, chaos, wide"),
  "s1": ("toy_s1", "mismatched kernel, chaos, wide"),
  "s2": ("toy_s2", "mismatched kernel, chaos, wide"),
  "value s1": ("toy_value_s1", "mismatched kernel, chaos, wide"),
}
_SPREAD = ("median", "minimum", "maximum", "mean", "mean_low", "mean_high")


def _number(quantity):
  key, model = _OLD[quantity]
  toy = key.startswith("toy")
  key = f"chaos with a table, mismatched kernel/{key}" if toy else key
  entry = (memory.PUBLISHED | primes_spectra.PUBLISHED)[key]

  def row(new):
    rows = {its["key"]: its for its in new["numbers"].attrs["rows"]}
    its = rows.get(key, dict.fromkeys(_SPREAD, math.nan) | {"mismatched": math.nan, "runs": ""})
    number = float(entry.source)
    return {
      "model": model,
      "quantity": quantity,
      "published": number,
      "published_share": math.nan if toy else number / (entry.null or 1),
      "share": math.nan if toy else its["median"],
      **{name: its[name] for name in _SPREAD},
      "mismatched_share": its["mismatched"],
      "runs": its["runs"],
    }

  return row


MAP |= {f"numbers/rows/ None {quantity}": _number(quantity) for quantity in _OLD}
