"""Are forms of queries and keys symmetric, and do memory vectors hold frequencies?

Published: a score of one network against Gaussian pairs of matrices, and Fourier peaks of memory
vectors that were matched to multiples of ln p and later tested against Gaussian vectors. Both were
counted as refuted. Both are repeated here for every head, seed and slot, beside untrained networks
and corrected for their number.

H = W_q W_kᵀ of a head is symmetric at 0, antisymmetric without bound, and near 1 where queries and
keys are independent (1 - 1 / D on average). Scale cancels, so Gaussian pairs of the same shape are
the whole null. Memory vectors were said to hold ln p as frequencies along their width, an axis
whose order no network knows.
"""

import dataclasses

import numpy as np
import xarray as xr
from primelens.analyses import kernels, spectra
from primelens.analyses import slots as slots_lib
from primelens.lens import claims, numbers, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.studies.zeros import program
from primelens.tasks import checks

# --- published ------------------------------------------------------------------------------------

(FORM,) = numbers.records(__file__, "forms")  # asymmetry, its z, and rotation of one network
SLOTS = numbers.records(__file__, "slots")  # means over slots, set beside single vectors


@dataclasses.dataclass(kw_only=True)
class Settings:
  """Queries against keys, and Fourier peaks of the memory vectors."""

  draws: checks.Several = 1000  # Gaussian pairs, at least; 40 a head at least
  slot_draws: checks.Several = 1000  # as published
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


# --- forms of queries and keys, and the test of the memory vectors --------------------------------


def forms(params_S):
  """Returns query and key kernels SxLxHxDxDh of a population."""
  attention = params_S["blocks"]["attention"]
  return (
    np.moveaxis(np.asarray(attention[role]["kernel"], np.float64), 2, 3)
    for role in ("query", "key")
  )


def _networks(run):
  return ("trained", run.params_S), ("untrained", run.untrained_S())


def _of_seeds(run, network: str, found) -> list[dict]:
  """Returns a record for each seed, over its heads."""
  return [
    {"network": network, "seed": int(run.seed_S[s])}
    | {"asymmetry": float(found.asymmetry[s].mean())}
    | {"lowest": float(found.asymmetry[s].min())}
    | {"rotation": float(np.median(found.rotation[s]))}
    for s in range(len(found.asymmetry))
  ]


def _of_bank(run, settings) -> list[dict]:
  """Returns the same of a memory bank's own queries and keys, if it has any."""
  rows = []
  for network, params_S in _networks(run):
    memory = params_S.get("memory", {})
    if not {"query", "key"} <= set(memory):
      continue
    found = kernels.symmetry(memory["query"]["kernel"], memory["key"]["kernel"])
    width = memory["query"]["kernel"].shape[-1]
    null = kernels.symmetry_null(width, width, min(settings.draws, 200))
    test = kernels.symmetry_against_null(found.asymmetry, null.asymmetry)
    rows += [
      {"network": network, "seed": int(run.seed_S[s]), "width": width}
      | {"asymmetry": float(found.asymmetry[s])}
      | {"rotation": float(found.rotation[s])}
      | {"z": float(test.z[s]), "p": float(test.p[s])}
      for s in range(len(test.p))
    ]
  return rows


def _of_slots(run, settings) -> tuple[list[dict], list]:
  """Returns the test of the memory vectors, seed by seed, Holm over seeds; and their frequencies.

  As published, and beside as many Gaussian vectors as there are slots.
  """
  rows, frequencies = [], []
  for network, params_S in _networks(run):
    content = params_S.get("memory", {}).get("content")
    if content is None:
      continue
    found = []
    for s, slot_MxD in enumerate(np.asarray(content, np.float64)):
      options = dict(draws=settings.slot_draws, seed=settings.seed + s)
      tested = slots_lib.frequency_test(slot_MxD, **options)
      theirs = slots_lib.frequency_test_as_published(slot_MxD, **options)
      frequencies.append(slots_lib.dominant(slot_MxD)[1])
      row = {"network": network, "seed": int(run.seed_S[s])}
      row["slots"] = len(slot_MxD)
      row |= tested._asdict()
      row |= {f"{k}_as_published": v for k, v in theirs._asdict().items()}
      found.append(row)
    holm_S = spectra.holm([row["p"] for row in found])
    for row, p in zip(found, holm_S, strict=True):
      row["p_holm"] = float(p)
    rows += found
  return rows, frequencies


# --- the result -----------------------------------------------------------------------------------

ASYMMETRY, ROTATION = "|H - Hᵀ| / |H + Hᵀ|, H = W_q W_kᵀ", "max |Im| / mean |Re| of the eigenvalues"
_NETWORK = {"network": "network", "seed": "seed"}
OF_SEEDS = _NETWORK | {
  "asymmetry": "asymmetry, mean of all heads",
  "lowest": "lowest asymmetry of all heads",
  "rotation": f"{ROTATION}, median of all heads",
}
OF_BANK = _NETWORK | {
  "width": "width of the projections",
  "asymmetry": "asymmetry of the bank's own queries and keys",
  "rotation": ROTATION,
  "z": "distance from Gaussian pairs [standard deviations]",
  "p": "share of Gaussian pairs that are as symmetric",
}
_TEST = {
  "statistic": "mean over slots of the largest |FFT|",
  "null": "mean of the Gaussian draws",
  "null_sd": "standard deviation of the Gaussian draws",
  "z": "distance from the draws [standard deviations]",
  "p": "share of draws that are as large",
}
OF_SLOTS = _NETWORK | {"slots": "memory vectors"} | _TEST
OF_SLOTS |= {f"{key}_as_published": f"{said}, single vectors" for key, said in _TEST.items()}
OF_SLOTS |= {"p_holm": "p, corrected over seeds"}


def measure(run) -> xr.Dataset:
  """Returns the symmetry of a run's heads, of a bank's projections, and the test of its slots.

  `p` is one-sided, against `draws` Gaussian pairs of the same shape; `p_holm` is corrected over all
  heads and seeds. Untrained networks have the seeds of the trained ones.
  """
  settings = run.settings.hermiticity
  trained = kernels.symmetry(*forms(run.params_S))
  fresh = kernels.symmetry(*forms(run.untrained_S()))
  trunk = run.experiment.model.trunk
  # Holm's smallest p is heads / (draws + 1).
  draws = max(settings.draws, 40 * trained.asymmetry.size)
  null = kernels.symmetry_null(trunk.width, trunk.width // trunk.heads, draws, settings.seed)
  test = kernels.symmetry_against_null(trained.asymmetry, null.asymmetry)
  slots, frequencies = _of_slots(run, settings)
  of_seeds = _of_seeds(run, "trained", trained) + _of_seeds(run, "untrained", fresh)

  by_head, beside = "seed layer head", "beside Gaussian pairs"
  frequency = np.array(frequencies, int).reshape(len(slots), -1) if slots else np.zeros((0, 0), int)
  variables = {
    **results.with_untrained("asymmetry", by_head, trained.asymmetry, fresh.asymmetry, ASYMMETRY),
    "rotation": results.variable(by_head, trained.rotation, ROTATION),
    "z": results.variable(by_head, test.z, f"asymmetry {beside}", "standard deviations"),
    "p": results.variable(by_head, test.p, f"p of the asymmetry {beside}"),
    "p_holm": results.variable(
      by_head, spectra.holm(test.p), f"p of the asymmetry {beside}, corrected over all heads"
    ),
    "frequency": results.variable(
      "slots slot", frequency, "frequency of the largest |FFT|", "turns per width"
    ),
    **results.rows("networks", of_seeds, OF_SEEDS),
    **results.rows("bank", _of_bank(run, settings), OF_BANK),
    **results.rows("slots", slots, OF_SLOTS),
  }
  layers, heads = trained.asymmetry.shape[1:]
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "untrained": results.variable("untrained", run.seed_S, "seed of the untrained network"),
    "layer": results.variable("layer", np.arange(layers), "layer"),
    "head": results.variable("head", np.arange(heads), "head"),
  }
  return results.dataset(
    variables,
    coords,
    null_mean=float(null.asymmetry.mean()),
    null_sd=float(null.asymmetry.std(ddof=1)),
    null_rotation=float(np.median(null.rotation)),
    draws=draws,
    slot_obstacle="" if slots else "the model has no memory vectors.",
  )


# --- figures and tables ---------------------------------------------------------------------------


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one with the heads of all."""
  pages = {run: _page(found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  panels = (
    draw.strips(
      results.across(runs, "asymmetry", "untrained_asymmetry"),
      "asymmetry",
      y="run",
      null="untrained_asymmetry",
      xlim=(-0.05, None),
      title="Every head and seed (0: symmetric, large: median)",
    ),
    draw.strips(
      results.across(runs, "rotation"), "rotation", y="run", title="Rotation of every head and seed"
    ),
  )
  return {"all runs": draw.page(panels, heights=[1.8 + 0.4 * len(runs)])} | pages


def _page(found: xr.Dataset) -> draw.Page:
  forms = draw.together(
    _band(found.null_mean, found.null_sd),
    draw.dots(
      {"trained": found.asymmetry, "untrained": found.untrained_asymmetry},
      title="Every head and seed (0: symmetric)",
      xlim=(-0.05, None),
    ),
  )
  rotation = draw.together(
    draw.level(found.null_rotation, "median of Gaussian pairs", along="x", color=draw.SKY),
    draw.dots({"trained": found.rotation}, title="How far eigenvalues turn"),
  )
  return draw.page((forms, rotation), _slots(found), heights=[3.0, _height(found)])


def _band(mean: float, sd: float) -> draw.Panel:
  """Returns where 95 % of the Gaussian pairs are."""

  def panel(axes):
    low, high = (mean + sign * 1.96 * sd for sign in (-1, 1))
    axes.axvspan(low, high, color=draw.SKY, alpha=0.25, lw=0, label="95 % of Gaussian pairs")
    axes.axvline(mean, color=draw.SKY, lw=1.2)

  return panel


def _height(found: xr.Dataset) -> float:
  return 1.6 + 0.25 * found.sizes["slots"]


def _slots(found: xr.Dataset) -> draw.Panel:
  """Returns the memory vectors of each network on the range of Gaussian ones."""
  rows = tables_lib.rows(found, "slots")
  if not rows:
    return draw.empty(found.slot_obstacle or "no memory vectors")

  def panel(axes):
    said = set()
    for place, row in enumerate(rows):
      network, label = row["network"], None if place else "95 % of as many Gaussian slots"
      ends = [row["null"] + sign * 1.96 * row["null_sd"] for sign in (-1, 1)]
      axes.plot(ends, [place] * 2, color=draw.SKY, lw=5, alpha=0.4, label=label)
      label = None if network in said else network
      said.add(network)
      axes.plot([row["statistic"]], [place], "o", color=draw.COLOUR_OF[network], label=label)
    names = [f"{row['network']}, seed {row['seed']}" for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set(xlabel=_TEST["statistic"], title="Memory vectors")

  return panel


def tables(runs) -> list[tables_lib.Table]:
  """Returns the symmetry of the heads of all runs, of banks, and the test of the slots."""
  made = [_forms_table(runs), _seeds_table(runs)]
  if any(found.sizes["bank"] for found in runs.values()):
    caption = "Queries and keys of a memory bank's own, beside Gaussian pairs."
    made.append(tables_lib.of_runs(runs, "bank", caption, {"seed": "d"}))
  return [*made, _slot_table(runs)]


def _forms_table(runs) -> tables_lib.Table:
  reported = {
    "run": f"published, {FORM['networks']} network, D = {FORM['width']}",
    "mean asymmetry": f"{FORM['asymmetry']:.3f}",
    "Gaussian pairs": f"z = {FORM['z']}",
    "symmetric after Holm": f"0 of {FORM['networks']}",
    "median rotation (Gaussian)": f"{FORM['rotation']}",
  }
  body = [
    {
      "run": run,
      "mean asymmetry": f"{float(found.asymmetry.mean()):.3f}",
      "range": f"{float(found.asymmetry.min()):.3f} … {float(found.asymmetry.max()):.3f}",
      "untrained": f"{float(found.untrained_asymmetry.mean()):.3f}",
      "Gaussian pairs": f"{found.null_mean:.3f} ± {found.null_sd:.3f}",
      "symmetric after Holm": f"{_symmetric(found)} of {found.p_holm.size}",
      "median rotation (Gaussian)": f"{float(found.rotation.median()):.2f}"
      f" ({found.null_rotation:.2f})",
    }
    for run, found in runs.items()
  ]
  columns = dict.fromkeys(body[0])
  return tables_lib.Table(
    "Asymmetry of all heads and seeds; rotation is max |Im| over mean |Re| of the eigenvalues.",
    [columns | reported, *body],
    name="forms",
  )


def _seeds_table(runs) -> tables_lib.Table:
  return tables_lib.of_runs(
    runs,
    "networks",
    "The forms of each network's heads, trained and untrained: asymmetry |H - Hᵀ| / |H + Hᵀ| (0:"
    " symmetric) and rotation max |Im| / mean |Re| of the eigenvalues (0: none).",
    {"seed": "d"} | dict.fromkeys(("asymmetry, mean", "lowest", "rotation, median"), ".3f"),
    {
      "network": "network",
      "seed": "seed",
      "asymmetry, mean": "asymmetry",
      "lowest": "lowest",
      "rotation, median": "rotation",
    },
  )


def _symmetric(found: xr.Dataset) -> int:
  """Returns how many heads are more symmetric than Gaussian pairs, corrected for their number."""
  return int((found.p_holm.values < 0.05).sum())


def _slot_table(runs) -> tables_lib.Table:
  reported = ", ".join(
    f"{row['statistic']} against {row['null']} ± {row['null_sd']} (p {_p(row)})" for row in SLOTS
  )
  body, without = [], []
  for run, found in runs.items():
    rows = tables_lib.rows(found, "slots")
    without += [] if rows else [f"{run}: {found.slot_obstacle}"]
    body += [
      {
        "run": run,
        "memory vectors": f"{row['network']}, seed {row['seed']}",
        "slots": row["slots"],
        "mean peak |FFT|": row["statistic"],
        "null of as many slots": f"{row['null']:.3f} ± {row['null_sd']:.3f}",
        "p": row["p"],
        "p, Holm": row["p_holm"],
        "p as published": row["p_as_published"],
      }
      for row in rows
    ]
  return tables_lib.Table(
    " ".join([f"Published: {reported}, both beside single vectors.", *without]),
    body,
    dict.fromkeys(("mean peak |FFT|", "p", "p, Holm", "p as published"), ".3f"),
    "memory_vectors",
  )


def _p(row) -> str:
  return f"{row['p']:.2f}" if round(row["p"], 2) == row["p"] else f"{row['p']}"


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()


@CLAIMS.add(
  "hermiticity.emerges",
  "A Hermitian operator emerges: the form of queries and keys becomes symmetric.",
  reported=f"asymmetry {FORM['asymmetry']}, z = {FORM['z']} of one network",
  source=f"{program.REPOSITORY}, Hermiticity test (refuted there)",
)
def emerges(results):
  """Returns the verdict: the symmetry of every head against Gaussian pairs."""
  runs = program.on_published(results).of("hermiticity")
  share = {name: float(np.mean(found.p_holm.values < 0.05)) for name, found in runs.items()}
  values = {f"{k}: share of heads below the null": v for k, v in share.items()}
  values |= {
    f"{name}: mean asymmetry": float(found.asymmetry.values.mean()) for name, found in runs.items()
  }
  because = (
    f"A symmetric form has 0; independent Gaussian factors of width {FORM['width']} have"
    f" 1 - 1/{FORM['width']} = {1 - 1 / FORM['width']:.3f} on average, and the source's network"
    f" {FORM['asymmetry']} (z = {FORM['z']}), which it counts as refuted. "
    + "; ".join(
      f"{name}: mean {found.asymmetry.values.mean():.3f} (Gaussian "
      f"{found.null_mean:.3f} ± {found.null_sd:.3f}), "
      f"{_symmetric(found)} of {found.p_holm.size} heads and seeds below it after correction,"
      f" the lowest at {found.asymmetry.values.min():.2f}"
      for name, found in runs.items()
    )
    + "."
  )
  return claims.verdict(max(share.values()) > 0.5, because, values)


@CLAIMS.add(
  "hermiticity.ln_primes",
  "Memory vectors hold the logarithms of primes as frequencies.",
  reported=f"p = {' and '.join(map(_p, SLOTS))}; amplitude {SLOTS[0]['statistic']} against"
  f" {SLOTS[0]['null']} +- {SLOTS[0]['null_sd']}",
  source=f"{program.REPOSITORY}, null test of the memory (refuted there)",
)
def ln_primes(results):
  """Returns the verdict: Fourier peaks of memory vectors beside as many Gaussian vectors."""
  runs = {
    name: tables_lib.rows(found, "slots")
    for name, found in program.on_published(results).of("hermiticity").items()
    if found.sizes["slots"]
  }
  if not runs:
    raise claims.Missing(f"memory vectors of a run on {program.DATA}", analysis="hermiticity")
  least = {
    network: {
      name: min(row["p_holm"] for row in rows if row["network"] == network)
      for name, rows in runs.items()
    }
    for network in ("trained", "untrained")
  }
  values = {
    f"{name}: p, {network}": p for network, each in least.items() for name, p in each.items()
  }
  because = (
    "The Fourier axis is the width of a vector, whose order no network knows. Published p "
    + " and ".join(f"{row['p']:.2f}" for row in SLOTS)
    + ", against single vectors where the statistic averages slots; with as many slots, corrected"
    " over seeds, "
    + "; ".join(f"{name} p = {p:.2f}" for name, p in least["trained"].items())
    + ". The match with ln p was of 100 and more candidates to frequencies scaled by 2 pi D / 10."
  )
  trained, fresh = (min(each.values()) < 0.05 for each in least.values())
  if trained and not fresh:  # a peak, of whatever frequency
    because += " There is a peak, and whether it is at ln p is not decided."
    return claims.Verdict(status="needs more compute", because=because, numbers=values)
  return claims.verdict(trained, because, values, artefact=fresh)
