"""Which primes does a network know, and do their waves follow the law?

The published study said that its network had learned the primes, and looked for their frequencies
in vectors of the memory. What can be predicted of a sequence of zeros is a sum of waves at the
logarithms of primes, with amplitudes 2 |sin(δ ln p / 2)| / (π √p), δ the mean gap. Here a network's
predicted means, those of filters and those of the explicit formula are projected on these waves
along the heights.

By the waves in where the next zero is put, Landau's theorem makes the law exact for the truth at
every prime, large ones too, and what is left of a wave in the errors says what was predicted of it.
A line in the predictions alone proves nothing: a filter that knows the sine kernel and no primes
passes on the waves of its inputs, with max-T p-values as small as anyone's. A prime whose wave
stands out in the truth counts as known where less than a third of it is left by predictions that
explain more than the sine kernel's filter does: its line is gone from the errors. That says nothing
of how: a filter too short to tell the prime from its neighbours can do it. As errors that are small
everywhere leave little of any wave, the same is counted at frequencies beside the primes and off
all lines. Who tells primes apart is read off the response to waves in the input, in the section on
implied spectra.

Two controls are read alike: waves planted at the logarithms of composites, and networks trained on
spacings of random matrices or on shuffled ones. A symbolic search looks for the law of the
amplitudes.

Source: docs/sources/zeros.md, section 7.1.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import xarray as xr
from primelens.analyses import formulas as formulas_lib
from primelens.analyses import known_primes, prime_lines, statistics
from primelens.analyses import prime_waves as waves_lib
from primelens.analyses import symbolic as symbolic_lib
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.models import transformer
from primelens.studies.zeros import guides, program, stretches
from primelens.tasks import checks, primes


@dataclasses.dataclass(kw_only=True)
class Settings:
  """Waves of primes in a network's predictions and in its parts.

  Of this slice, and of `prime_response` and `prime_places`, which read the same zeros.
  """

  spacings: Annotated[int, checks.Range(10, 100_000_000)] = (
    20_000  # scored, one after another, from the start of test
  )
  limit: Annotated[int, checks.Range(10, 1_000_000)] = 3_000  # primes below
  draws: Annotated[int, checks.Range(20, 1_000_000)] = (
    40  # sets of frequencies beside the primes; fewer than 20 have no p below 0.05
  )
  part_spacings: Annotated[int, checks.Range(10, 100_000_000)] = (
    4_000  # read without each head and in layers
  )
  contexts: tuple[checks.Number, ...] = (2, 4, 8, 16, 32, 64, 128, 256, 512)
  context_windows: checks.Amount = 8_000  # a spacing apart; as many per context
  orders: Annotated[tuple[checks.Order, ...], checks.Items(1, 64)] = (
    3,
    24,
    64,
  )  # of filters fitted on train
  explicit: tuple[Annotated[int, checks.Range(4, 10_000_000)], ...] = (
    100,
    1_000,
    10_000,
  )  # X of the formula
  response_windows: checks.Count = 256  # whose derivatives make the response
  response_limit: Annotated[int, checks.Range(4, 1_000_000)] = 100  # prime powers up to
  planted: Annotated[int, checks.Range(0, 100_000)] = (
    20  # composites with a wave, the positive control
  )
  symbolic: bool = True  # search for the law of the amplitudes
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
    if self.context_windows == 1:
      raise checks.FieldError("context_windows=1 must be 0, or 2 or more.")


obstacle = stretches.no_zeros


# --- what runs have in common that differ in their memory alone -----------------------------------

# What a memory brings with it: its own fields, its places and losses; a mask for its slots and a
# rate of its own are undone.
_MEMORY = (
  "memory",
  "slots",
  "slot_ids",
  "eval_slot_ids",
  "slot_content",
  "permutation_warmup",
  "slot_keep",
  "diversity",
  "auxiliary",
  "auxiliary_ramp",
  "orthogonality_ramp",
  "mask_slots",
  "rotary_start",
  "max_positions",
)
# Seeds, and where and how often things are kept.
_BOOKS = ("seeds", "first_seed", "dispatch", "cache", "checkpoint_every", "snapshot_every")


def plan(run) -> str:
  """Returns what two runs have in common that differ in their memory alone.

  In words, and as a digest of all of the config, and of what is read, but the
  fields of memory, the seeds, and what changes no number.
  """
  dump = dataclasses.asdict(run.experiment)
  model, trunk, fit = dump["model"], dump["model"]["trunk"], dump["fit"]
  if trunk["mask"] in transformer.SLOT_MASKS:
    trunk["mask"] = "causal"
  if fit["optimizer"]["slow_pattern"].startswith("memory/"):
    fit["optimizer"] |= {"slow_pattern": "", "slow_factor": 1.0}
  read = run.settings.prime_waves
  parts = {key: dump[key] for key in ("task", "model", "fit")}
  parts["read"] = (read.spacings, read.limit, read.seed)
  parts["context"] = run.settings.evaluation.min_context
  without = json.dumps(_without(parts, _MEMORY + _BOOKS), sort_keys=True)
  digest = hashlib.sha256(without.encode()).hexdigest()[:12]
  inputs = "residuals" if model.get("residual") else "spacings"
  return (
    f"{model['kind']} network, {model['window']} {inputs}, "
    f"{trunk['positions']} positions, {trunk['layers']} layers of "
    f"{trunk['width']} with {trunk['heads']} heads, {fit['steps']:,} steps of "
    f"{fit['batch_size']} windows ({digest})"
  )


def _without(value, names):
  """Returns nested dicts without the fields of these names."""
  if not isinstance(value, dict):
    return value
  return {key: _without(each, names) for key, each in value.items() if key not in names}


def trained_on(experiment) -> str:
  """Returns what a run's networks have learned from."""
  task = experiment.task
  return task.kind if task.kind == "zeros" else task.ensemble


# --- the positive control: waves at composites ----------------------------------------------------


def planted(stretch, settings) -> dict[str, int]:
  """Returns how many planted waves are found, and how many lines where none is.

  Spacings in random order, at the same heights, with waves of the size that
  the law gives primes there at composites' logarithms; read as everything else
  is, at the frequencies of all composites that are no power.
  """
  if not settings.planted:
    return {"planted": 0}
  prime_Q = primes.below(settings.limit)
  every_E = prime_lines.composites(prime_Q, settings.limit - 1)
  chosen_Q = every_E[: settings.planted]
  rng = np.random.default_rng(settings.seed)
  mean_N = prime_lines.planted(
    rng.permutation(stretch.truth_N),
    stretch.height_N,
    np.log(chosen_Q),
    prime_lines.law(chosen_Q, float(stretch.height_N.mean())),
    seed=settings.seed,
  )
  read = known_primes.read(
    mean_N[None],
    mean_N,
    stretch.height_N,
    every_E,
    line_A=np.log(chosen_Q),
    floor=stretch.floor,
    draws=settings.draws,
    seed=settings.seed,
  )
  found_E = read.max_t_ExQ[0] < known_primes.LEVEL
  return {
    "planted": len(chosen_Q),
    "planted_found": int(found_E[: len(chosen_Q)].sum()),
    "planted_elsewhere": int(found_E[len(chosen_Q) :].sum()),
  }


# --- short formulas for the amplitudes ------------------------------------------------------------

# The law is (2 / pi) sin(x / 2) / sqrt p, x = d ln p and d the mean gap. It is searched for twice:
# amplitudes of the truth given p and x, where a search must find all of it; and amplitudes over
# 2 |sin(x / 2)|, which comes from taking differences over a gap, given p alone, where it must find
# 1 / (pi sqrt p).
LEAST = 12  # primes found, for a search
SHORT = 10  # the longest formula kept, given p alone
WHOLE, SEEDS = 16, 4  # the same given p and x, and its searches


def formulas(read, names, kinds, prime_Q, height: float, settings) -> list[dict]:
  """Returns a record of every short formula, and of the fitted power.

  For the truth, networks and the adaptive filter with enough primes found
  (lines of fixed filters are an echo): shown every other one of these, tested
  on all other primes, most of them larger. `given` has the features' names.
  `power` and `factor` are of the fit factor p^power (the law: -1/2 and 1/pi)
  to the amplitudes over 2 |sin| at the primes found, with the power's standard
  error; `near` says whether the power is the law's.
  """
  if not settings.symbolic:
    return []
  p_Q = np.asarray(prime_Q, np.float64)
  x_Q = waves_lib.mean_spacing(height) * np.log(p_Q)
  rows = []
  for e, (name, kind) in enumerate(zip(names, kinds, strict=True)):
    found_Q = read.max_t_ExQ[e] < known_primes.LEVEL
    wanted = kind in ("truth", "network", "adaptive")
    if not wanted or found_Q.sum() < LEAST:
      continue
    size_Q = read.amplitude_ExQ[e]
    bare_Q = size_Q / (2 * np.abs(np.sin(x_Q / 2)))
    origin = {"name": name, "kind": kind}
    origin |= {"found": int(found_Q.sum())}
    origin |= _power(p_Q[found_Q], bare_Q[found_Q])
    shown_Q = np.zeros(len(p_Q), bool)
    shown_Q[np.flatnonzero(found_Q)[::2]] = True
    seeds = range(settings.seed, settings.seed + SEEDS)
    fronts = {"p": _search({"p": p_Q}, bare_Q, shown_Q, SHORT, seeds[:1])}
    if kind == "truth":
      both = {"p": p_Q, "x": x_Q}
      fronts["p, x"] = _search(both, size_Q, shown_Q, WHOLE, seeds)
    rows += [
      origin | {"given": given} | record for given, front in fronts.items() for record in front
    ]
  return [row | {"near": near(row)} for row in rows]


def _power(p_Q, size_Q) -> dict[str, float]:
  (power, level), covariance = np.polyfit(np.log(p_Q), np.log(size_Q), 1, cov=True)
  error = np.sqrt(covariance[0, 0])
  factor = np.exp(level)
  return {"power": float(power), "power_error": float(error), "factor": float(factor)}


def _search(features, size_Q, shown_Q, longest: int, seeds) -> list[dict]:
  """Returns the front of the searches with some seeds, on the primes shown."""
  feature_QxF = np.stack(list(features.values()), 1)
  records = [
    record
    for seed in seeds
    for record in symbolic_lib.search(
      feature_QxF[shown_Q],
      size_Q[shown_Q],
      names=tuple(features),
      test_feature_NxQ=feature_QxF[~shown_Q],
      test_target_N=size_Q[~shown_Q],
      seed=seed,
    )
  ]
  front = symbolic_lib.front(records, variance=float(np.var(size_Q[shown_Q])))
  return [record for record in front if record["complexity"] <= longest]


def best(rows) -> dict:
  """Returns the formula with the least BIC on the primes it was shown."""
  shown = rows[0]["found"] / 2
  bic = lambda row: shown * np.log(row["train_mse"]) + row["complexity"] * np.log(shown)
  return min(rows, key=bic)


def falls(row) -> bool:
  """Returns whether a formula of p goes on as 1 / sqrt(p), from 1,000 to 4,000
  within a tenth.

  The formula is that of a stored result: it is parsed, never evaluated as code. Raises
  `ValueError` for a text that is none.
  """
  tree = formulas_lib.parse(row["exact"])
  at = lambda p: float(formulas_lib.evaluate(tree, {"p": np.array(float(p))}))
  return bool(abs(2 * at(4_000) / at(1_000) - 1) < 0.1)


def near(row) -> bool:
  """Returns whether a power of p that is well known is the law's."""
  error = row["power_error"]
  return bool(abs(row["power"] + 0.5) < max(0.02, 3 * error) and error < 0.03)


# --- the result -----------------------------------------------------------------------------------

NATS = "nats per spacing"
WAVES = {
  "nll": ("NLL", NATS),
  "r2": ("R² of the next spacing", ""),
  "found": ("lines found in the predictions", "primes"),
  "known": ("primes known", "primes"),
  "beside": ("frequencies beside the primes that would pass for known", "primes"),
  "beyond": ("primes known, less the frequencies beside them", "primes"),
  "cutoff": ("half of the primes are known up to this one", ""),
  "correlation": ("correlation of the amplitudes with the law", ""),
  "slope": ("amplitudes over the law, least squares", ""),
}
FORMULA = {
  "name": "predictions",
  "kind": "kind of predictor",
  "found": "lines found, every other one shown to the search",
  "power": "fitted power of p; the law: -1/2",
  "power_error": "its standard error",
  "factor": "fitted factor; the law: 1/π",
  "given": "what the search is given",
  "expression": "formula",
  "exact": "formula, all digits",
  "sympy": "formula, as sympy writes it",
  "complexity": "length of the formula",
  "train_mse": "mean square error on the primes shown",
  "test_mse": "mean square error on all other primes",
  "test_r2": "R² on all other primes",
  "backend": "search",
  "version": "version of the search",
  "seed": "seed of the search",
  "near": "the fitted power is that of the law",
}


def measure(run) -> xr.Dataset:
  """Returns the waves in a run's predictions, beside those of others.

  Amplitudes are moduli of the waves in where the next zeros are put, for which the law is exact;
  `gain` is the share of the truth's wave predicted in phase (1: all) and `left` the modulus of what
  is left, in those of the truth, which stands out from the waves beside it at `stands_out`, the
  primes that are known or not. `line` are amplitudes of the predicted spacings themselves
  (docs/sources/zeros.md, section 7.1).
  """
  settings = run.settings.prime_waves
  prime_Q = primes.below(settings.limit)
  stretch = stretches.of_test(run, settings.spacings)
  names, kinds, members, mean_ExN, nll_E = _flat(stretches.on_test(run, stretch, settings))
  read = known_primes.read(
    mean_ExN,
    stretch.truth_N,
    stretch.height_N,
    prime_Q,
    line_A=guides.lines(settings.limit),
    floor=stretch.floor,
    draws=settings.draws,
    seed=settings.seed,
  )
  height = float(stretch.height_N.mean())
  law_Q = prime_lines.law(prime_Q, height)
  table = [
    {"nll": nll_E[e]} | known_primes.record(read, e, mean_N, law_Q, prime_Q)
    for e, mean_N in enumerate(mean_ExN)
  ]
  rows = formulas(read, names, kinds, prime_Q, height, settings)
  known, each = read.knowledge, "prediction prime"
  var = results.variable
  variables = {
    "kind": var("prediction", kinds, "kind of predictor"),
    "member": var("prediction", members, "place of the network among the seeds, -1 of others"),
    "law": var("prime", law_Q, "amplitude 2 |sin(δ ln p / 2)| / (π √p)", "mean spacings"),
    "stands_out": var("prime", known.stands_Q, "its wave stands out in the true spacings"),
    "amplitude": var(each, read.amplitude_ExQ, "amplitude of the wave", "mean spacings"),
    "gain": var(each, known.gain_ExQ, "share of the wave predicted in phase"),
    "left": var(each, known.left_ExQ, "share of the wave left in the errors"),
    "line": var(each, read.line_ExQ, "amplitude in the predicted spacings", "mean spacings"),
    "max_t": var(each, read.max_t_ExQ, "max-T p-value of the line"),
    **results.rows("formula", rows, FORMULA),
  }
  for name, (said, unit) in WAVES.items():
    variables[name] = var("prediction", [row[name] for row in table], said, unit)
  coords = {
    "prediction": var("prediction", names, "predictions"),
    "prime": var("prime", prime_Q, "prime p"),
  }
  return results.dataset(
    variables,
    coords,
    trained_on=trained_on(run.experiment),
    plan=plan(run),
    height=height,
    spacings=len(stretch.truth_N),
    **planted(stretch, settings),
  )


def _flat(guesses: list[stretches.Guess]):
  """Returns names, kinds, places among the seeds, means ExN and NLL of all sequences."""
  names, kinds, members, means, nlls = [], [], [], [], []
  for guess in guesses:
    network = guess.kind in ("network", "untrained")
    for s, (mean_N, nll_N) in enumerate(zip(guess.mean_SxN, guess.nll_SxN, strict=True)):
      names.append(f"{guess.name}, seed {s}" if network else guess.name)
      kinds.append(guess.kind)
      members.append(s if network else -1)
      means.append(mean_N)
      nlls.append(float(np.mean(nll_N)))
  return names, kinds, members, np.stack(means), nlls


# --- figures --------------------------------------------------------------------------------------

KINDS = {
  "network": (draw.BLUE, "networks"),
  "untrained": (draw.GREY, "untrained"),
  "kernel": (draw.PURPLE, "sine kernel"),
  "filter": (draw.ORANGE, "filters fitted on train"),
  "adaptive": (draw.AMBER, "adaptive filter"),
  "formula": (draw.GREEN, "explicit formula"),
}
SMOOTH = 9  # primes of a running median


def figures(runs) -> dict:
  """Returns a page for each run and, of several, what the networks of all runs know."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  looks = {run: draw.look_of("run", i, run) for i, run in enumerate(runs)}
  networks = {run: _of(found, "network") for run, found in runs.items()}
  known = [
    _against(found, ("known", "beside"), looks[run].colour, run) for run, found in networks.items()
  ]
  left = [
    _curve_left(found.isel(prediction=0), looks[run].colour, run, ls=looks[run].dash)
    for run, found in networks.items()
  ]
  title = "Primes known by networks (crosses: beside)"
  panels = (
    draw.together(*known, _frame("primes known", title)),
    draw.together(*left, _left_frame(runs.values())),
  )
  return pages | {"all runs": draw.page(panels, heights=[4.2])}


def _of(found: xr.Dataset, kind: str) -> xr.Dataset:
  """Returns the predictions of one kind."""
  return found.isel(prediction=found.kind.values == kind)


def _judged(found: xr.Dataset) -> int:
  """Returns how many primes have room beside them for a null off all lines."""
  return int((~np.isnan(found.max_t.values[0])).sum())


def _page(run: str, found: xr.Dataset) -> draw.Page:
  stands, judged = int(found.stands_out.sum()), _judged(found)
  panels = []
  for names, of, title in (
    (
      ("known", "beside"),
      stands,
      f"{run}: which primes does it know?\n(crosses: frequencies beside them, by chance)",
    ),
    (
      ("found",),
      judged,
      "Lines in the predictions prove nothing:\na filter that knows no primes has them",
    ),
  ):
    dots = [
      _against(_of(found, kind), names, colour, label)
      for kind, (colour, label) in KINDS.items()
      if kind in found.kind.values
    ]
    panels.append(draw.together(*dots, _frame(f"primes {names[0]}, of {of}", title)))
  return draw.page(tuple(panels), (_left(found), _amplitudes(run, found)), heights=[4.2, 4.6])


def _amplitudes(run: str, found: xr.Dataset) -> draw.Panel:
  look = {"ls": "none", "marker": ".", "ms": 3.5}
  dots = [
    draw.line(one.prime, one.amplitude, str(one.prediction.values), colour, **look)
    for one, colour in (
      (_of(found, "truth").isel(prediction=0), draw.GREY),
      (_of(found, "network").isel(prediction=0), draw.BLUE),
    )
  ]
  law = {"ls": "-", "lw": 1.3}
  said = "2 |sin(δ ln p / 2)| / (π √p)"

  def frame(axes):
    draw.log_x(found.prime.values)(axes)
    axes.set_yscale("log")
    axes.set(
      xlabel=results.label(found.prime),
      ylabel="amplitude of the wave\n(mean spacings)",
      title="Waves in where the next zeros are put",
    )

  return draw.together(*dots, draw.line(found.prime, found.law, said, draw.ORANGE, **law), frame)


def _left(found: xr.Dataset) -> draw.Panel:
  """Returns what is left of the truth's waves, smoothed over primes."""
  lines = []
  for kind, (colour, label) in KINDS.items():
    rows = _of(found, kind)
    if kind in ("filter", "adaptive", "kernel"):
      rows = rows.isel(prediction=slice(-1, None))
    alike = kind in ("network", "untrained")
    for k in range(rows.sizes["prediction"]):
      one = rows.isel(prediction=k)
      name = label if alike else str(one.prediction.values)
      dash = draw.DASHES[k % len(draw.DASHES)] if kind == "formula" else "-"
      lines.append(_curve_left(one, colour, None if alike and k else name, ls=dash))
  return draw.together(*lines, _left_frame([found]))


def _curve_left(one: xr.Dataset, colour: str, label, ls="-") -> draw.Panel:
  value_Q = known_primes.smooth(one.left.values, SMOOTH)
  return draw.line(one.prime, value_Q, label, colour, ls=ls, lw=1.2)


def _left_frame(runs):
  """Returns what names the axes of what is left, for the primes of these runs."""
  prime_Q = np.concatenate([found.prime.values for found in runs])

  def frame(axes):
    axes.axhline(known_primes.KNOWN, color="black", lw=0.7, ls=":", label="a third")
    draw.log_x(prime_Q)(axes)
    _, high = axes.get_ylim()
    axes.set(
      xlabel="prime p",
      ylabel="share of the wave left in the errors",
      title="What of each prime's wave is not predicted\n"
      f"(medians of {SMOOTH} neighbouring primes)",
      ylim=(0, min(high, 2.2)),
    )

  return frame


def _against(found: xr.Dataset, names, colour: str, label: str) -> draw.Panel:
  """Returns counts against the loss, the second name's as crosses."""

  def dots(axes):
    for name, mark in zip(names, "ox", strict=False):
      look = {"color": colour, "ms": 5, "label": label if mark == "o" else None}
      axes.plot(found.nll, found[name], mark, **look)

  return dots


def _frame(ylabel: str, title: str):
  return lambda axes: axes.set(
    xlabel=f"NLL on these spacings ({NATS}; left: better)", ylabel=ylabel, title=title
  )


# --- tables ---------------------------------------------------------------------------------------


def tables(runs) -> list[tables_lib.Table]:
  """Returns everyone's waves run by run, the planted control, and the short formulas."""
  return [
    *(_predictions(run, found, len(runs)) for run, found in runs.items()),
    tables_lib.Table(
      "Control: waves planted at composites, how many are found, and lines where none is.",
      [
        {
          "run": run,
          "planted": found.planted,
          "found": found.planted_found,
          "elsewhere": found.planted_elsewhere,
        }
        for run, found in runs.items()
        if found.planted
      ],
      name="planted",
    ),
    _law_table(runs),
  ]


def _predictions(run: str, found: xr.Dataset, runs: int) -> tables_lib.Table:
  heads = {
    "predictions": "prediction",
    "NLL, nats": "nll",
    "R²": "r2",
    "primes known": "known",
    "beside them": "beside",
    "half known to": "cutoff",
    "lines found": "found",
    "correlation with the law": "correlation",
    "slope": "slope",
  }
  formats = {"NLL, nats": ".4f", "beside them": ".0f"}
  return tables_lib.Table(
    f"{run}: {found.spacings:,} spacings from height {found.height:,.0f} on,"
    f" {found.sizes['prime']} primes; networks trained on {found.trained_on}."
    " A prime can be known if its wave in the true spacings is more than"
    f" {known_primes.STANDS:.0f} times those at frequencies beside it:"
    f" {int(found.stands_out.sum())} can. Beside them: how many of as many frequencies that belong"
    " to no prime would pass for known. Half known to: the largest prime up to which half of them"
    " are. Lines found: primes"
    f" whose wave is significant in the predictions themselves, of the {_judged(found)} with free"
    " frequencies near them to compare with. The law is the amplitude of their waves by the"
    " explicit formula, the slope the factor of the amplitudes over it.",
    tables_lib.records(found, heads, "prediction"),
    formats | dict.fromkeys(("R²", "correlation with the law", "slope"), ".3f"),
    "predictions" if runs == 1 else f"predictions {run}",
  )


def _law_table(runs) -> tables_lib.Table:
  table = tables_lib.of_runs(
    runs,
    "formula",
    "Short formulas for amplitudes. Given p: of the amplitude over 2 |sin(δ ln p / 2)|, whose law"
    " is p^(-1/2) / π = 0.318 p^(-0.5). Given p and x = δ ln p: of the amplitude itself, whose law"
    " is 0.637 sin(x / 2) / sqrt(p). A search is shown every other line; R² is of all other primes,"
    " most of them larger.",
    dict.fromkeys(("power of p", "its error", "factor", "R² elsewhere"), ".3f"),
    {
      "amplitudes of": "name",
      "lines": "found",
      "power of p": "power",
      "its error": "power_error",
      "factor": "factor",
      "given": "given",
      "formula": "expression",
      "R² elsewhere": "test_r2",
    },
  )
  return dataclasses.replace(table, name="law")


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
SEVERAL = 3  # primes with a peak of their own
_OURS = "primelens, docs/sources/zeros.md, section 7.1"


def _counts(found: xr.Dataset, kind: str, key: str) -> list[float]:
  return found[key].values[found.kind.values == kind].astype(float).tolist()


def _mean(found: xr.Dataset, key: str) -> float:
  """Returns the mean over a run's networks."""
  return float(np.mean(_counts(found, "network", key)))


def _peaks(results, run: str) -> xr.Dataset:
  """Returns the implied spectra of one run."""
  return results.without(set(results) - {run}).first("prime_response")


def _resolved(response: xr.Dataset, key: str) -> list[float]:
  """Returns a number of peaks of every network."""
  network_P = response.predictor_kind.values == "network"
  return response[f"predictor_{key}"].values[network_P].astype(float).tolist()


def _of_networks(results, names, holds: bool, because: str, values):
  """Returns a verdict that rests on these runs: open unless all are of the published size."""
  big = program.published_size(results, names)
  undecided = program.undecided(big if len(big) == len(names) else ())
  return claims.verdict(holds, because, values, undecided=undecided)


@CLAIMS.add(
  "waves.primes",
  "The network has learned the primes.",
  reported="Fourier peaks of memory vectors at multiples of ln p",
  source=f"{program.REPOSITORY}, project notes",
)
def learned(results):
  """Returns the verdict: peaks of its own, and lines gone from its errors.

  By a tenth of all more than frequencies beside them and than others. Of the run whose networks
  know most, of published size if any is.
  """
  chosen = program.on_published(results)
  found = chosen.of("prime_waves")
  big = program.published_size(chosen, found)
  name = max(big or found, key=lambda run: _mean(found[run], "beyond"))
  zeros, response = found[name], _peaks(chosen, name)
  beyond, stands = _counts(zeros, "network", "beyond"), int(zeros.stands_out.sum())
  peaks, chance = _resolved(response, "resolved"), np.mean(_resolved(response, "chance"))
  others = {
    "fresh networks": _counts(zeros, "untrained", "beyond"),
    "filters fitted on train": _counts(zeros, "filter", "beyond"),
  }
  lines = _counts(zeros, "kernel", "found")
  which = response.predictor_which.values[response.predictor_kind.values == "network"].tolist()
  at_most = ", ".join(f"{name} {max(n):.0f}" for name, n in others.items())
  because = (
    f"less than a third of the wave is left in the errors of {name} at "
    f"{_mean(zeros, 'known'):.0f} of {stands:.0f} primes whose "
    f"wave stands out and at {_mean(zeros, 'beside'):.0f} of as many "
    f"frequencies beside them, a difference of {np.mean(beyond):.0f} (of"
    f" others at most: {at_most}). As peaks of its own response it has "
    f"{np.mean(peaks):.1f} ({which[0] or 'none'}; by chance {chance:.1f}); the "
    f"others are a band that "
    f"it does not tell apart. Lines in predictions are no evidence: a filter "
    f"that knows no primes has {np.mean(lines):.0f}, passed on from its inputs."
  )
  values = {"known": _mean(zeros, "known"), "resolved": float(np.mean(peaks))}
  values |= {"beyond those beside": float(np.mean(beyond))}
  values |= {f"beyond, {key}": max(value) for key, value in others.items()}
  values["lines of the sine kernel"] = float(np.mean(lines))
  most = max(0.0, *(max(value) for value in others.values()))
  ahead = min(beyond) > most + stands / 10
  holds = ahead and min(peaks) >= SEVERAL + chance
  return _of_networks(results, [name], bool(holds), because, values)


@CLAIMS.add(
  "waves.memory",
  "Memory is where the primes' frequencies are kept.",
  reported="later tested against noise: p 0.60",
  source=f"{program.REPOSITORY}, memory to ln p",
)
def memory(results):
  """Returns the verdict: primes known with slots and without, all else equal.

  More than frequencies beside them. Of the plans that were run both ways, the
  one whose networks know most. Holds where the seeds' intervals are disjoint in
  its favour; where they overlap nothing is decided.
  """
  # By plan and kind of memory: the runs, and what their networks know.
  plans: dict[str, dict[str, tuple]] = {}
  for name, found in program.on_published(results).of("prime_waves").items():
    known = _counts(found, "network", "beyond")
    kinds, its = plans.setdefault(found.plan, {}), results.cards[name]["memory"]
    names, every = kinds.get(its, ((), []))
    kinds[its] = (*names, name), [*every, *known]
  pairs = [
    {True: kinds[kind], False: kinds["none"]}
    for kinds in plans.values()
    for kind in kinds
    if kind != "none" and "none" in kinds
  ]
  if not pairs:
    what = "prime_waves of a run with memory and of the same one without"
    raise claims.Missing(what, analysis="prime_waves")
  pair = max(pairs, key=lambda pair: max(np.mean(n) for _, n in pair.values()))
  spread = {held: statistics.seed_interval(known) for held, (_, known) in pair.items()}
  said = "; ".join(
    f"{', '.join(pair[held][0])} ({'with' if held else 'without'} slots) knows"
    f" {spread[held].estimate:.0f} "
    f"[{spread[held].low:.0f}, {spread[held].high:.0f}]"
    for held in (True, False)
  )
  because = (
    f"of runs that differ in the memory alone, {said} more primes than frequencies beside them."
  )
  values = {"with memory": float(spread[True].estimate), "without": float(spread[False].estimate)}
  more = spread[True].low > spread[False].high
  less = spread[True].high < spread[False].low
  if not more and not less:
    text = f"{because} Their intervals do not tell them apart."
    return claims.Verdict(status="needs more compute", because=text, numbers=values)
  names = [name for names, _ in pair.values() for name in names]
  return _of_networks(results, names, bool(more), because, values)


def _training(card: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the words of a card that say what network was trained, and how."""
  return {name: word for name, word in card.items() if name.startswith(("model.", "fit."))}


@CLAIMS.add(
  "waves.controls",
  "Networks trained on CUE or shuffled spacings know no primes (a control added here).",
  reported="not reported",
  source=_OURS,
)
def controls(results):
  """Returns the verdict: networks trained on CUE or shuffled spacings must know no primes.

  Beside them stand networks that were trained alike on zeros: where those show nothing either, the
  controls say nothing.
  """
  said: list[str] = []
  values: dict[str, float] = {}
  # Of networks on zeros, and of controls.
  known: dict[bool, list] = {False: [], True: []}
  peaks: dict[bool, list] = {False: [], True: []}
  zeros = program.on_published(results).of("prime_waves")
  others: dict[str, xr.Dataset] = {}
  for kind in ("cue", "shuffled"):
    others |= results.where(f"trained on {kind}", task__ensemble=kind).of("prime_waves")
  trainings = [_training(results.cards[name]) for name in others]
  alike = {
    name: found for name, found in zeros.items() if _training(results.cards[name]) in trainings
  }
  if not alike:
    raise claims.Missing("a run on zeros that is trained as its controls", analysis="prime_waves")
  runs = [(name, found, False) for name, found in alike.items()]
  runs += [(name, found, True) for name, found in others.items()]
  for name, found, control in runs:
    response = _peaks(results, name)
    knows, lines = _mean(found, "beyond"), _mean(found, "found")
    resolved, chance = (float(np.mean(_resolved(response, key))) for key in ("resolved", "chance"))
    said.append(
      f"{name} knows {_mean(found, 'known'):.0f} primes (of frequencies beside"
      f" them {_mean(found, 'beside'):.0f}) and resolves {resolved:.1f} (by"
      f" chance {chance:.1f}), with {lines:.0f} lines in its predictions"
    )
    values |= {f"beyond, {name}": knows, f"resolved, {name}": resolved}
    known[control].append(knows)
    peaks[control].append(resolved - chance)
  because = f"read on the same zeros, {'; '.join(said)}."
  clean = max(known[True]) < 5 and max(peaks[True]) < 1
  if clean and max(known[False]) < 5 and max(peaks[False]) < 1:
    text = f"{because} Trained so on zeros, too, they show none beyond chance: nothing is shown."
    return claims.Verdict(status="needs more compute", because=text, numbers=values)
  return claims.verdict(clean, because, values)


@CLAIMS.add(
  "waves.law",
  "Symbolic regression of the waves' amplitudes finds 1/sqrt(p) (a control added here).",
  reported="not reported",
  source=_OURS,
)
def law(results):
  """Returns the verdict: a search that is given p alone finds 1 / sqrt(p)."""
  zeros = program.on_published(results).first("prime_waves")
  rows = tables_lib.rows(zeros, "formula")
  given = lambda names: [row for row in rows if row["kind"] == "truth" and row["given"] == names]
  alone, whole = given("p"), given("p, x")
  if not alone or not whole:
    because = "Too few primes are found for a search: it takes more spacings."
    return claims.Verdict(status="needs more compute", because=because)
  row, shortest, all_of_it = alone[0], best(alone), best(whole)
  nets = [r for r in rows if r["kind"] == "network"]
  said = f" Networks': power {nets[0]['power']:.2f} ± {nets[0]['power_error']:.2f}." if nets else ""
  because = (
    f"the waves of {zeros.spacings:,} true spacings at {row['found']} primes "
    f"follow {row['factor']:.3f} p^({row['power']:.3f} ± "
    f"{row['power_error']:.3f}) 2 sin(x / 2), x = δ ln p, the law being "
    f"0.318 p^(-0.5); with the sine divided out and p alone given the search "
    f"answers {shortest['expression']} (R2 {shortest['test_r2']:.3f} on all primes "
    f"that it was not shown), for the amplitudes themselves, given p and x, "
    f"{all_of_it['expression']} ({all_of_it['test_r2']:.3f}).{said}"
  )
  values = {"power": row["power"], "factor": row["factor"]}
  good = min(shortest["test_r2"], all_of_it["test_r2"]) > 0.9
  return claims.verdict(near(row) and falls(shortest) and good, because, values)
