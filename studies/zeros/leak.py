"""What is a network told of its targets by its own window?

The slots of the published memory bank read the whole window, later spacings included, and every
position reads the slots: from the second layer on, all positions but the last are told their target
(`leaky_as_published`). Its headline is the loss over those positions.

Here the same targets are scored with the whole window in sight and with the inputs behind the
position hidden. The leak is the difference: the context is equal, and the future is all that
differs. It is exactly 0 where no output reads later inputs. A network trained on whole windows may
lose more by hiding them than it was told, so the distance from the same network without memory is
shown as well. The last position of the windows has its target in no input, so its loss is free of
the leak.

Blind slots read slots alone. A leaky network's NLL anywhere else on this page is no NLL of a
prediction. Its checkpoint, as every one, was chosen by the NLL over all positions of select.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import linear, statistics, sweeps, trees
from primelens.lens import claims, numbers, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.models import mixture as mixture_lib
from primelens.models import spacing, transformer
from primelens.studies.zeros import program, scoring
from primelens.tasks import checks

# --- published ------------------------------------------------------------------------------------

# Over positions whose target the slots had read; one seed each.
BASELINE, Q3, FLASH = (row["nll"] for row in numbers.records(__file__, "headline"))


@dataclasses.dataclass(kw_only=True)
class Settings:
  """What a window tells a network of its own targets."""

  windows: checks.Count = 512
  pattern_windows: checks.Count = 64  # whose attention to the slots is averaged

  def __post_init__(self):
    checks.fields(self)


def obstacle(experiment) -> str:
  """Returns why a run cannot be read so, or ""."""
  if experiment.model.kind == "spacing":
    return ""
  kind = experiment.model.kind
  return f"model.kind={kind!r} is not 'spacing', the only one read here"


# --- the same targets with the future hidden ------------------------------------------------------

HIDDEN = -1e30  # a score whose softmax is 0
ALL, LAST = "all positions", "last position"
PLACES = {"all": ALL, "last": LAST}
OWN, BLIND, UNTRAINED = "as trained", "memory blind", "untrained network"
_PATTERN = "attention/pattern"


@functools.cache
def _score(apply_fn, slots: int, batch: int):
  """Returns `f(params, visible, windows) -> NLL and mean`, each NxU.

  The window's inputs from number `visible` on are hidden from every query, in
  every layer. Outputs up to there are those of a window that ends there.
  """

  def score(params, visible, window_NxT1):
    def hide(scores_BxHxTxT, _):
      seen_T = jnp.arange(scores_BxHxTxT.shape[-1]) < slots + visible
      return jnp.where(seen_T[None, None, None], scores_BxHxTxT, HIDDEN)

    def one(row_T1):
      mixture, _ = apply_fn(params, row_T1[None, :-1], edits={"attention/scores": hide})
      truth_1xU = row_T1[None, -mixture.mean.shape[1] :]
      nll_1xU = -mixture_lib.log_density(mixture, truth_1xU)
      return {"nll": nll_1xU[0], "mean": mixture_lib.mean(mixture)[0]}

    return jax.lax.map(one, window_NxT1, batch_size=batch)

  return score


@functools.cache
def _mass(apply_fn, slots: int, batch: int):
  """Returns `f(params, windows) -> LxH`, the attention of data to slots."""

  def mass(params, window_NxT1):
    def one(row_T1):
      _, seen = apply_fn(params, row_T1[None, :-1], sites=(_PATTERN,))
      pattern_LxHxTxT = seen[_PATTERN][:, 0]
      return pattern_LxHxTxT[:, :, slots:, :slots].sum(-1).mean(-1)

    return jax.lax.map(one, window_NxT1, batch_size=batch).mean(0)

  return jax.jit(jax.vmap(mass, (0, None)))


def positions(model: spacing.Config) -> np.ndarray:
  """Returns the positions at which a future may be told: the quarters of the
  window and its last, or the last alone where no other is predicted."""
  last = model.window - 1
  if model.memory == "postfix":
    return np.array([last])
  return np.unique([last // 4, last // 2, 3 * last // 4, last])


def uniform_mass(slots: int, window: int) -> float:
  """Returns the mean over t < T of M / (M + t + 1): equal attention to the M
  slots and to the inputs up to t."""
  return float(np.mean(slots / (slots + np.arange(1, window + 1))))


def _evaluated(run, visible_R, windows, *, params_S=None, apply_fn=None):
  """Returns NLL and mean of every target, SxRxNxU, R inputs in sight."""
  model = run.experiment.model
  slots = 0 if model.memory == "none" else model.slots
  found = sweeps.over(
    _score(apply_fn or run.apply, slots, run.settings.evaluation.batch),
    run.params_S if params_S is None else params_S,
    jnp.asarray(visible_R),
    data=(jnp.asarray(windows),),
    batch_size=trees.length(run.params_S),
  )
  return {name: np.asarray(leaf, np.float64) for name, leaf in found.items()}


def _blind(run):
  """Returns the forward pass in which a bank's slots read slots alone."""
  model = run.experiment.model
  trunk = dataclasses.replace(model.trunk, mask="memory_blind")
  model = dataclasses.replace(model, trunk=trunk)
  return program.bind(dataclasses.replace(run.experiment, model=model))


def _leak(run, position_R, cut_SxRxNxU, start_N) -> dict:
  """Returns the NLL at each position, cut and whole, and their differences.

  `leak_SxN` is the mean over the positions that have a future in the window.
  """
  at_R = position_R - position_R[-1] - 1  # from the end, as outputs are
  pick = lambda nll_RxSxN: np.moveaxis(np.stack(nll_RxSxN), 0, 1)
  cut_SxRxN = pick([cut_SxRxNxU[:, r, :, at] for r, at in enumerate(at_R)])
  full_SxRxN = pick([cut_SxRxNxU[:, -1, :, at] for at in at_R])
  leak_SxRxN = cut_SxRxN - full_SxRxN
  interval = scoring.interval(run, leak_SxRxN, start_N)
  return {
    "full_SxR": full_SxRxN.mean(-1),
    "cut_SxR": cut_SxRxN.mean(-1),
    "leak_R": interval.estimate,
    "leak_low_R": interval.low,
    "leak_high_R": interval.high,
    "leak_SxN": leak_SxRxN[:, : max(1, len(at_R) - 1)].mean(1),
  }


def _masses(run) -> dict:
  """Returns the attention to the slots, trained, fresh and uniform."""
  model, settings = run.experiment.model, run.settings
  if model.memory not in ("prefix", "bank"):
    nothing = np.zeros((trees.length(run.params_S), 0, 0))
    return {"mass_SxLxH": nothing, "untrained_mass_SxLxH": nothing, "uniform_mass": 0.0}
  count = min(settings.leak.pattern_windows, settings.leak.windows)
  windows = jnp.asarray(run.batches("test", count, min_context=1)[0])
  mass = _mass(run.apply, model.slots, settings.evaluation.batch)
  return {
    "mass_SxLxH": np.asarray(mass(run.params_S, windows)),
    "untrained_mass_SxLxH": np.asarray(mass(run.untrained_S(), windows)),
    "uniform_mass": uniform_mass(model.slots, model.window),
  }


def _scores(run, found, windows, start_N) -> tuple[dict, ...]:
  """Returns a record for each network and each place it is scored at."""
  rows = []
  for evaluated, of in found.items():
    for where, at in ((ALL, slice(None)), (LAST, slice(-1, None))):
      nll_SxN = of["nll"][..., at].mean(-1)
      mean_SxNxU = of["mean"][..., at]
      truth_NxU = windows[:, -of["mean"].shape[-1] :][:, at]
      each = [linear.scores(truth_NxU.ravel(), mean_NxU.ravel()) for mean_NxU in mean_SxNxU]
      rows.append(
        {"evaluated": evaluated, "where": where}
        | _bounded(run, nll_SxN, start_N)
        | {name: float(np.mean([row[name] for row in each])) for name in ("r2", "correlation")}
      )
  return tuple(rows)


def _changes(run, found, leak_SxN, start_N) -> tuple[dict, ...]:
  """Returns paired differences: the leak, and what hiding it costs."""
  own = found[OWN]["nll"]
  changes = {"leak": leak_SxN, "last minus all": own[..., -1] - own.mean(-1)}
  if BLIND in found:
    change = found[BLIND]["nll"] - own
    changes[f"blind minus as trained, {ALL}"] = change.mean(-1)
    changes[f"blind minus as trained, {LAST}"] = change[..., -1]
  return tuple(
    {"change": name} | _bounded(run, value_SxN, start_N) for name, value_SxN in changes.items()
  )


def _bounded(run, value_SxN, start_N) -> dict[str, float]:
  interval = scoring.interval(run, value_SxN, start_N)
  names = ("nats", "nats_low", "nats_high")
  return {name: float(x) for name, x in zip(names, interval[:3], strict=True)}


# --- the result -----------------------------------------------------------------------------------

NATS = "nats per spacing"
SCORES = {
  "evaluated": "network",
  "where": "scored at",
  "nats": f"NLL on test [{NATS}]",
  "r2": "R² of the mean",
  "correlation": "correlation of the mean with the truth",
}
CHANGES = {"change": "change", "nats": f"change of the NLL on test [{NATS}]"}


def measure(run) -> xr.Dataset:
  """Returns the NLL of a run on test with the window in sight, and with its future hidden.

  `leak` is `ends_there` minus `whole`, paired over windows. `nll` is by position: as trained, of a
  bank also with slots that read slots alone, and of untrained networks. `changes` are paired
  differences. `mass` is the attention of data positions to the slots in front of them; a network
  without such slots has no layer there.
  """
  model, settings = run.experiment.model, run.settings.leak
  windows, start_N = run.batches("test", settings.windows, min_context=1)
  position_R = positions(model)
  cut = _evaluated(run, position_R + 1, windows)
  # The last of the cuts leaves the whole window in sight.
  found = {OWN: {name: leaf[:, -1] for name, leaf in cut.items()}}
  whole = [model.window]
  if model.memory == "bank":
    blind = _evaluated(run, whole, windows, apply_fn=_blind(run))
    found[BLIND] = {name: leaf[:, 0] for name, leaf in blind.items()}
  fresh = _evaluated(run, whole, windows, params_S=run.untrained_S())
  found[UNTRAINED] = {name: leaf[:, 0] for name, leaf in fresh.items()}
  own_SxNxU = found[OWN]["nll"]
  leak = _leak(run, position_R, cut["nll"], start_N)
  mass = _masses(run)
  layers, heads = mass["mass_SxLxH"].shape[1:]
  by_position_VxSxT = np.stack([leaf["nll"].mean(1) for leaf in found.values()])
  every = by_position_VxSxT.shape[2]

  told = statistics.Interval(leak["leak_R"], leak["leak_low_R"], leak["leak_high_R"])
  said = "change of the NLL when later inputs are hidden"
  share = "attention of data positions to the slots"
  variables = {
    "whole": results.variable("seed cut", leak["full_SxR"], "NLL, whole window in sight", NATS),
    "ends_there": results.variable("seed cut", leak["cut_SxR"], "NLL, window ends there", NATS),
    **results.with_interval("leak", "cut", told, said, NATS),
    "nll": results.variable(
      "evaluated seed position", by_position_VxSxT, "NLL of the next spacing", NATS
    ),
    "all_nll": results.variable("seed window", own_SxNxU.mean(-1), f"NLL, {ALL}", NATS),
    "last_nll": results.variable("seed window", own_SxNxU[..., -1], f"NLL, {LAST}", NATS),
    **results.with_untrained(
      "mass", "seed layer head", mass["mass_SxLxH"], mass["untrained_mass_SxLxH"], share
    ),
    **results.rows("scores", _scores(run, found, windows, start_N), SCORES),
    **results.rows("changes", _changes(run, found, leak["leak_SxN"], start_N), CHANGES),
  }
  position_T = position_R[-1] + 1 - every + np.arange(every)
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "untrained": results.variable("untrained", run.seed_S, "seed of the untrained network"),
    "cut": results.variable("cut", position_R, "position t of the window"),
    "position": results.variable("position", position_T, "position t of the window"),
    "window": results.variable("window", start_N, "first spacing of the window"),
    "evaluated": results.variable("evaluated", list(found), "network"),
    "layer": results.variable("layer", np.arange(layers), "layer"),
    "head": results.variable("head", np.arange(heads), "head"),
  }
  return results.dataset(
    variables,
    coords,
    uniform_mass=mass["uniform_mass"],
    block=scoring.block_windows(run, start_N),
    **_setting(run),
  )


def _setting(run) -> dict:
  """Returns what tells the runs of one comparison apart."""
  model, fit = run.experiment.model, run.experiment.fit
  trunk = model.trunk
  total = transformer.parameter_count(run.params_S)
  return {
    "mode": trunk.mask if model.memory == "bank" else model.memory,
    "residual": model.residual,
    "positions": trunk.positions,
    "window_length": model.window,
    "layers": trunk.layers,
    "width": trunk.width,
    "steps": fit.steps,
    "parameters": total // trees.length(run.params_S),
  }


# --- runs that differ in what their slots read ----------------------------------------------------

LEAKY, NONE = "leaky_as_published", "none"  # and "memory_blind"
MODES = {LEAKY: "bank_leaky_as_published", "memory_blind": "bank_memory_blind", NONE: "none"}
_LEARNED, _ROTARY = "learned", "rotary"
# What networks that are compared have in common: of a result, and of a run's card. A bank has slots
# and a mask for them that a network without memory has not.
ALIKE = {
  "residual": "model.residual",
  "positions": "model.trunk.positions",
  "window_length": "model.window",
  "layers": "model.trunk.layers",
  "width": "model.trunk.width",
  "steps": "fit.steps",
}


def _without_memory(found: xr.Dataset, runs: Mapping[str, xr.Dataset]) -> xr.Dataset | None:
  """Returns the first of the runs that differs in having no memory alone, or None."""
  wanted = {name: found.attrs[name] for name in ALIKE} | {"mode": NONE}
  for other in runs.values():
    same = all(other.attrs[name] == value for name, value in wanted.items())
    if same and other.all_nll.shape == found.all_nll.shape:
      return other
  return None


def _difference(a: xr.Dataset, b: xr.Dataset, where: str) -> statistics.Interval:
  """Returns the mean of a minus b over seeds and windows; `where` is "all" or "last"."""
  change_SxN = a[f"{where}_nll"].values - b[f"{where}_nll"].values
  return statistics.seed_block_interval(change_SxN, block=a.block)


def _change(found: xr.Dataset, name: str) -> statistics.Interval:
  """Returns one of the paired differences; raises `claims.Inapplicable` for none."""
  return claims.row(tables_lib.rows(found, "changes"), change=name)["nats"]


def _cost(where: str) -> str:
  return f"blind minus as trained, {where}"


# --- figures and tables ---------------------------------------------------------------------------

LABELS = {OWN: "whole window in sight", BLIND: "the same weights, slots kept blind"}


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares them."""
  pages = {run: _page(found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  each = {run: _summary(found) for run, found in runs.items()}
  height = 1.4 + 0.3 * len(runs)
  shared = draw.page(
    draw.rows(
      results.across(each, "nll"),
      "nll",
      x="run",
      colour="where",
      title="NLL by where it is scored (bars: 95 %)",
    ),
    draw.rows(
      results.across(each, "leak"),
      "leak",
      x="run",
      form="+z.3f",
      title="What hiding later inputs costs, mean of positions (bars: 95 %)",
    ),
    heights=[height + 0.3, height],
  )
  return {"all runs": shared} | pages


def _summary(found: xr.Dataset) -> xr.Dataset:
  """Returns the NLL as trained in two places, and the mean leak."""
  own = _own(found)
  nll = statistics.Interval(*np.array([own[where]["nats"][:3] for where in (ALL, LAST)]).T)
  leak = _change(found, "leak")
  variables = {
    **results.with_interval("nll", "where", nll, "NLL", NATS),
    **results.with_interval("leak", "", leak, "leak", NATS),
  }
  return results.dataset(variables, {"where": [ALL, LAST]})


def _own(found: xr.Dataset) -> dict[str, dict]:
  """Returns the scores of the networks as trained, by where they are scored."""
  rows = tables_lib.rows(found, "scores")
  return {row["where"]: row for row in rows if row["evaluated"] == OWN}


def _page(found: xr.Dataset) -> draw.Page:
  shown = [name for name in found.evaluated.values if name in LABELS]
  curves = draw.together(
    draw.curves(
      found.sel(evaluated=shown),
      "nll",
      x="position",
      colour="evaluated",
      thin="seed",
      names=LABELS,
      style={"ms": 2.5},
      zero=False,
      title="Loss by position (thin: seeds, thick: median)",
    ),
    _ends_there(found),
  )
  leak = draw.rows(
    found,
    "leak",
    x="cut",
    form="+z.3f",
    xlabel=f"change of the NLL when later\ninputs are hidden ({NATS})",
    ylabel=results.label(found.cut),
    title="The leak, equal context (bars: 95 %)",
  )
  if not found.mass.size:
    return draw.page((curves, leak), heights=[4.2])
  return draw.page((curves, leak), _mass_panel(found), heights=[4.2, 3.7])


def _ends_there(found: xr.Dataset) -> draw.Panel:
  """Returns the losses of windows that end at a position, seed by seed."""

  def panel(axes):
    for s, nll_R in enumerate(found.ends_there.values):
      label = None if s else "window ends there (seeds)"
      axes.plot(found.cut, nll_R, "D", color="black", ms=4.5, mfc="none", label=label)

  return panel


def _mass_panel(found: xr.Dataset) -> draw.Panel:
  """Returns the attention to the slots of every head, by layer."""
  _, layers, heads = found.mass.shape
  place = np.arange(layers * heads)

  def panel(axes):
    for name, colour, label, shift in (
      ("mass", draw.BLUE, "trained", -0.12),
      ("untrained_mass", draw.GREY, "untrained", 0.12),
    ):
      flat_SxE = found[name].values.reshape(found[name].shape[0], -1)
      for s, mass_E in enumerate(flat_SxE):
        axes.plot(place + shift, mass_E, "o", color=colour, ms=4, label=None if s else label)
    axes.axhline(found.uniform_mass, color="black", lw=0.9, ls=":", label="uniform")
    for layer in range(1, layers):
      axes.axvline(layer * heads - 0.5, color="#555555", lw=0.6)
    step = -(-len(place) // 12)
    names = [f"L{layer}.H{head}" for layer in range(layers) for head in range(heads)]
    axes.set_xticks(place[::step], names[::step])
    axes.set(
      ylim=(-0.03, 1.03),
      xlabel="layer and head",
      ylabel="share of attention",
      title="Attention of data positions to the slots (points: seeds)",
    )

  return panel


def tables(runs) -> list[tables_lib.Table]:
  """Returns all runs in one table, then what each was told and all of its scores."""
  windows = tables_lib.distinct(f"{found.sizes['window']:,}" for found in runs.values())
  return [
    tables_lib.Table(
      f"NLL and its changes in nats per spacing, of every spacing of {windows} windows of test that"
      " has one before it in its window: less is in sight than where anchors are compared. 95 %"
      " intervals over seeds and blocks.",
      [_row(run, found, runs) for run, found in runs.items()],
      dict.fromkeys((f"NLL, {ALL}", f"NLL, {LAST}", "R², all", "R², last"), ".3f")
      | dict.fromkeys(("leak", *map(_than_none, PLACES), *map(_blind_cost, PLACES)), "+.3f"),
      "modes",
    ),
    _cuts(runs),
    tables_lib.of_runs(
      runs,
      "scores",
      f"NLL in nats per spacing, and R² and correlation of the mean with the truth, on the same"
      f" {windows} windows.",
      dict.fromkeys(("nats", "r2", "correlation"), ".3f"),
    ),
  ]


def _than_none(where: str) -> str:
  return f"minus no memory, {where}"


def _blind_cost(where: str) -> str:
  return f"blind slots cost, {where}"


def _row(run: str, found: xr.Dataset, runs: Mapping[str, xr.Dataset]) -> dict:
  """Returns mask, input, positions, losses and leak of a run."""
  own, none = _own(found), _without_memory(found, runs)
  row = {
    "run": run,
    "slots": found.mode,
    "told its targets": found.mode == LEAKY,
    "reads": "s - 1" if found.residual else "s",
    "positions": found.positions,
    f"NLL, {ALL}": own[ALL]["nats"],
    f"NLL, {LAST}": own[LAST]["nats"],
    "leak": _change(found, "leak"),
    "R², all": own[ALL]["r2"],
    "R², last": own[LAST]["r2"],
  }
  for where in PLACES:
    beside = None if none is None or none is found else _difference(found, none, where)
    row[_than_none(where)] = beside
  changes = {each["change"]: each["nats"] for each in tables_lib.rows(found, "changes")}
  return row | {_blind_cost(where): changes.get(_cost(place)) for where, place in PLACES.items()}


def _cuts(runs) -> tables_lib.Table:
  """Returns the NLL at each position, whole and cut, of all runs."""
  windows = tables_lib.distinct(f"{found.sizes['window']:,}" for found in runs.values())
  return tables_lib.Table(
    f"NLL in nats per spacing of the same targets on {windows} windows of test, mean over seeds.",
    [
      {
        "run": run,
        "position": int(t),
        "whole window": float(found.whole.sel(cut=t).mean()),
        "window ends there": float(found.ends_there.sel(cut=t).mean()),
        "leak": tables_lib.interval(found, "leak", cut=t),
      }
      for run, found in runs.items()
      for t in found.cut.values
    ],
    dict.fromkeys(("whole window", "window ends there"), ".4f") | {"leak": "+.4f"},
    "cuts",
  )


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
SEEDS = 3  # that a run needs, to be compared
_Q3 = {"residual": False, "positions": _LEARNED}
_FLASH = {"residual": True, "positions": _ROTARY}


class Trio(NamedTuple):
  """Three runs that differ in what the slots may read, by mode, and their names."""

  results: Mapping[str, xr.Dataset]
  names: tuple[str, ...]

  @property
  def said(self) -> str:
    """What the trio reads and how it knows positions, in words."""
    leaky = self.results[LEAKY]
    reads = "residuals" if leaky.residual else "spacings"
    return f"{reads}, {leaky.positions} positions"

  def gains(self) -> dict[str, statistics.Interval]:
    """Returns what leaky and blind slots gain over none, in two places."""
    none = self.results[NONE]
    return {
      f"{mode}, {where}": _difference(self.results[mode], none, where)
      for mode in MODES
      if mode != NONE
      for where in PLACES
    }


def _find(results: claims.Results, mode: str, **where) -> dict[str, xr.Dataset]:
  """Returns `{run: Dataset}` on the published data of a mode and of such a setting.

  Raises `claims.Missing` where there is none with SEEDS seeds.
  """
  words = {ALIKE[name]: value for name, value in where.items()}
  chosen = program.on_published(results, told=True).where(memory=MODES[mode], **words)
  return chosen.where(f"with {SEEDS} seeds", seeds=lambda seeds: seeds >= SEEDS).of("leak")


def _trios(results: claims.Results, **where) -> list[Trio]:
  """Returns the sets of runs that differ in their mode alone.

  Raises `claims.Missing` where no leaky run has both others.
  """
  found = []
  for name, leaky in _find(results, LEAKY, **where).items():
    card = results.cards[name]
    same = {key: card[word] for key, word in ALIKE.items()}
    try:
      three = {LEAKY: (name, leaky)} | {
        mode: next(iter(_find(results, mode, **same).items())) for mode in MODES if mode != LEAKY
      }
    except claims.Missing:
      continue
    of = {mode: result for mode, (_, result) in three.items()}
    if len({result.all_nll.shape for result in of.values()}) == 1:
      found.append(Trio(of, tuple(run for run, _ in three.values())))
  if not found:
    raise claims.Missing(
      f"leak of runs on {program.DATA} that are leaky, blind and without memory, alike in all else",
      analysis="leak",
    )
  return found


def _big(results: claims.Results, names) -> bool:
  """Returns whether all runs are of the published size, with enough seeds."""
  return set(program.published_size(results, names)) == set(names)


def _undecided(decided: bool) -> str:
  return "" if decided else program.undecided([])


@CLAIMS.add(
  "leak.headline",
  f"With a memory bank the NLL falls from {BASELINE} to {Q3} (Q3) and {FLASH} (Flash).",
  reported=f"baseline {BASELINE}, Q3 {Q3}, Flash {FLASH} nats; one seed each",
  source=f"{program.REPOSITORY}, headline table of the memory bank",
)
def headline(results):
  """Returns the verdict; a leak decides at any size: it is in the mask, which has no size."""
  trios = [*_trios(results, **_Q3), *_trios(results, **_FLASH)]
  values: dict[str, float] = {}
  parts, better, leaks = [], [], []
  for trio in trios:
    leaky = trio.results[LEAKY]
    gain, own = trio.gains(), _change(leaky, "leak")
    better.append(gain[f"{LEAKY}, all"].high < 0)
    leaks.append(own.low > 0)
    every, last = float(leaky.all_nll.values.mean()), float(leaky.last_nll.values.mean())
    values |= {
      f"{trio.said}: NLL, all positions": every,
      f"{trio.said}: NLL, last position": last,
      f"{trio.said}: leak": float(own.estimate),
    }
    parts.append(
      f"{trio.said}: {every:+.3f} nats over all positions, {gain[f'{LEAKY}, all']:+.3f} from the"
      f" same network without memory; hiding the inputs from each target on costs {own:+.3f}, and"
      f" at the last position, whose target is in no input, it is {gain[f'{LEAKY}, last']:+.3f}"
      " from the one without"
    )
  because = (
    "; ".join(parts) + ". The published evaluation scored only positions whose"
    " target the slots had read. The mask is the same at any size, so the"
    " published numbers are no NLL of a prediction; how much of them is the"
    " leak takes runs of that size."
  )
  told = all(better) and all(leaks)
  decided = told or _big(results, [name for trio in trios for name in trio.names])
  return claims.verdict(
    all(better), because, values, artefact=all(leaks), undecided=_undecided(decided)
  )


@CLAIMS.add(
  "leak.memory",
  "A bank of memory slots improves the model.",
  reported=f"{BASELINE} without and {Q3} with slots, after the same steps",
  source=f"{program.REPOSITORY}, train_memory_q3.py and its reports",
)
def memory(results):
  """Returns the verdict: slots must help where they tell nothing that is to be predicted."""
  trios = _trios(results)
  values: dict[str, float] = {}
  parts, leaky, blind = [], [], []
  for trio in trios:
    gains = trio.gains()
    values |= {f"{trio.said}: {key}": float(gain.estimate) for key, gain in gains.items()}
    own, control = gains[f"{LEAKY}, all"], gains["memory_blind, all"]
    leaky.append(own.high < 0)
    blind.append(control.high < 0)
    parts.append(f"{trio.said}: leaky slots {own:+.3f} nats, blind slots {control:+.3f}")
  because = (
    "Change of the NLL over all positions from the same network without slots: "
    + "; ".join(parts)
    + f". Blind slots help in {sum(blind)} of {len(blind)} settings, leaky"
    f" ones in {sum(leaky)}."
  )
  artefact = all(leaky) and not all(blind)
  decided = artefact or _big(results, [name for trio in trios for name in trio.names])
  return claims.verdict(
    all(leaky), because, values, artefact=artefact, undecided=_undecided(decided)
  )


@CLAIMS.add(
  "leak.layer1",
  "Layer 1 of Flash is the operator: all its heads are critical.",
  reported="removing L1.H2 takes the NLL from -0.581 to +1.231 nats, L1.H3 to +0.771",
  source=f"{program.REPOSITORY}, results/ablation_flash.json",
)
def first_layer(results):
  """Returns the verdict: layer 1 is where data first read slots that have read the future."""
  runs = _find(results, LEAKY, **_FLASH)
  values: dict[str, float] = {}
  parts, reads, costs = [], [], []
  for name, found in runs.items():
    own_L, fresh_L = (found[key].values.mean((0, 2)) for key in ("mass", "untrained_mass"))
    if len(own_L) < 2:
      continue
    cost, last = _change(found, _cost(ALL)), _change(found, _cost(LAST))
    least = float(found.mass.values[:, 1].mean(0).min())
    values |= {
      f"{name}: attention of layer 1 to the slots": float(own_L[1]),
      f"{name}: the same, untrained": float(fresh_L[1]),
      f"{name}: least of its heads": least,
      f"{name}: cost of blind slots, all positions": float(cost.estimate),
      f"{name}: cost of blind slots, last position": float(last.estimate),
    }
    reads.append(own_L[1] > fresh_L[1])
    costs.append(cost.low > 0)
    parts.append(
      f"{name}: the heads of layer 1 spend {own_L[1]:.2f} of their attention on"
      f" the slots (untrained {fresh_L[1]:.2f}, layer 0 {own_L[0]:.2f}), and"
      f" blind slots cost the same weights {cost:+.3f} nats over all"
      f" positions and {last:+.3f} at the last"
    )
  if not parts:
    raise claims.Missing("leak of a leaky run with more than one layer", analysis="leak")
  because = (
    "In layer 0 the slots read the window, from layer 1 on the data read the"
    " slots: a layer all of whose heads are critical is what the leak makes. "
    + "; ".join(parts)
    + "."
  )
  undecided = program.undecided(program.published_size(results, runs))
  return claims.verdict(all(reads), because, values, artefact=all(costs), undecided=undecided)


@CLAIMS.add(
  "leak.factors",
  "Residual inputs and rotary positions made the improvement from Q3 to Flash.",
  reported=f"{Q3} to {FLASH} nats; four factors changed at once",
  source=f"{program.REPOSITORY}, reports on Flash",
)
def factors(results):
  """Returns the verdict: residual inputs and rotary positions, one at a time."""
  effects: dict[str, statistics.Interval] = {}
  runs: set[str] = set()
  for factor in LEVELS:
    for mode in MODES:
      for where in PLACES:
        key = f"{factor}, {mode}, {where}"
        effects[key], used = _effect(results, factor, mode, where)
        runs |= used
  said = "; ".join(f"{key} {effect:+.3f}" for key, effect in effects.items())
  because = (
    "Change of the NLL in nats by residual inputs, and by rotary positions, at"
    f" the two settings of the other, in all positions and in the last: {said}."
    " The source changed both, the window, the entropy weight and the rate at"
    " once."
  )
  values = {key: float(effect.estimate) for key, effect in effects.items()}
  better = lambda *keys: any(effects[key].high < 0 for key in keys)
  leaky = better(*(f"{factor}, {LEAKY}, all" for factor in LEVELS))
  free = better(*(f"{factor}, {mode}, last" for factor in LEVELS for mode in MODES))
  undecided = _undecided(_big(results, sorted(runs)))
  return claims.verdict(leaky or free, because, values, artefact=not free, undecided=undecided)


LEVELS: dict[str, tuple] = {"residual": (False, True), "positions": (_LEARNED, _ROTARY)}


def _effect(results: claims.Results, factor: str, mode: str, where: str):
  """Returns the change by one factor, the other at both its settings, and the runs it takes."""
  other = {"residual": "positions", "positions": "residual"}[factor]
  used, changes = set(), []
  for held in LEVELS[other]:
    pair = []
    for value in LEVELS[factor]:
      one = _find(results, mode, **{other: held, factor: value})
      name, found = next(iter(one.items()))
      used.add(name)
      pair.append(found)
    before, after = (found[f"{where}_nll"].values for found in pair)
    if before.shape != after.shape:
      raise claims.Missing("leak of runs on the same windows", analysis="leak")
    changes.append(after - before)
  effect = statistics.seed_block_interval(np.mean(changes, axis=0), block=pair[0].block)
  return effect, used
