"""How far is the network from what anyone can predict without it, and what do guides add?

An anchor is a prediction that needs no network: a constant, the density of all spacings, linear
filters of the last p spacings fitted on train by least squares or on the spacings just before. It
may look back over the whole sequence; only the scored spacings are shared with the network. A
network that is behind an anchor has nothing to teach about what the anchor already knows. The
published networks were compared with none.

A network that reads what it is to predict makes no prediction: all later inputs of every window are
replaced, and what that moves is measured on the trained network. Such a network has no rank.

A guided network is told causal guesses of the next spacing, or the height. Networks that differ in
their guides alone show what each guide contributes; least squares of the same guides, their last
errors and the last spacings says how much of that is linear.

Published values are quoted as reported; they were selected and reported on the same tail, one seed
a row. Rows that are scored on other positions compare only roughly: E0, E1, E2, v0 and v1 average
over positions with few spacings behind them too. The filters beside them were computed apart from
this code, with numpy. The study's later headline is left out: it is on other zeros, by a network
whose attention mask lets the future in.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.special
import xarray as xr
from primelens.analyses import anchors, statistics, sweeps, trees
from primelens.analyses import linear as linear_lib
from primelens.lens import claims, numbers, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.models import spacing, transformer
from primelens.studies.zeros import guides, program, scoring

# --- published ------------------------------------------------------------------------------------

NETWORKS = numbers.records(__file__, "networks")  # trained on Odlyzko's 2,001,052 zeros
FILTERS = numbers.records(__file__, "filters")  # in float64, on the same zeros
E0, E4 = (next(row for row in NETWORKS if row["name"].startswith(name)) for name in ("E0", "E4"))
AR24 = next(row for row in FILTERS if row["name"] == "AR(24)")
ADAPTIVE_128 = next(row for row in FILTERS if row["name"].startswith("adaptive AR(128)"))
# E3 by seed as one note prints it, with a minus sign; the study's own later files have none.
SIGN_ERROR = "E3 -0.3286, -0.3397, -0.3453; E0 -0.561; E4 +0.194"

# --- predictors without a network -----------------------------------------------------------------

ORDERS = (3, 16, 24, 64, 256)
BLOCKS = 8
RECENT = 100_000


def _all(run, index_N, select_N) -> list[anchors.Anchor]:
  """Returns every anchor, scored at `index_N`.

  Those fitted once use the whole published train part on the published split
  (as the published comparison would), and the train split elsewhere.
  """
  value_N, splits = run.series.value_N, run.series.splits
  train = splits.get("train_published", splits["train"])
  own = splits["train"]
  fitted = [
    anchors.constant(value_N, train, index_N),
    anchors.marginal(value_N, train, index_N),
    *anchors.autoregressive(value_N, train, index_N, ORDERS),
    anchors.windowed(value_N, train, select_N, index_N, _inside(run)),
  ]
  for last, name in ((own[1], "the model's train"), (train[1], "train")):
    if last - RECENT > train[0]:
      near = (last - RECENT, last)
      (anchor,) = anchors.autoregressive(value_N, near, index_N, (64,))
      name = f"AR(64), last {RECENT:,} of {name}"
      fitted.append(dataclasses.replace(anchor, name=name))
    if own == train:
      break
  if index_N.min() >= 20_000:
    fitted.append(anchors.adaptive(value_N, index_N))
  return fitted + guides.linear_anchors(run, index_N, select_N)


def _inside(run) -> tuple[int, ...]:
  """Returns the orders of filters that see no more than a model always does."""
  context = program.scored_context(run.experiment.model, run.settings.evaluation.min_context)
  return tuple(range(8, min(context, 128) + 1, 8)) or (context,)


# --- does the network read what it is to predict? -------------------------------------------------


def reads_ahead(run, window_NxT1, nll_SxNxU, mean_SxNxU) -> dict[str, float]:
  """Returns how far scored predictions move when later inputs are replaced.

  `ahead_spacings` is the largest change of a predicted mean, in mean spacings,
  `ahead_nats` that of an NLL in nats; both are exactly 0 where no scored
  prediction reads ahead. NLL and means are those of the windows as they are.
  In window n all from a position on is taken from window n - 1; the position
  goes through those behind a scored prediction. Empty for a single window.
  """
  count, length, scored = len(window_NxT1), window_NxT1.shape[1] - 1, mean_SxNxU.shape[-1]
  if count < 2:
    return {}
  last_U = length - scored + np.arange(scored)  # the last input before a target
  first_P = last_U[1:]
  if not len(first_P):
    return {"ahead_spacings": 0.0, "ahead_nats": 0.0}
  first_N = first_P[np.arange(count) % len(first_P)]
  later_NxT1 = np.arange(length + 1)[None] >= first_N[:, None]
  later = later_NxT1.reshape(later_NxT1.shape + (1,) * (window_NxT1.ndim - 2))
  replaced = np.where(later, np.roll(window_NxT1, 1, axis=0), window_NxT1)
  changed_SxNxU = scoring.predictions(run, replaced)

  def largest(before_SxNxU, after_SxNxU, kept_NxU) -> float:
    change_SxNxU = np.abs(after_SxNxU - before_SxNxU)
    return float(np.max(change_SxNxU, where=kept_NxU[None], initial=0.0))

  before_NxU = last_U[None] < first_N[:, None]
  same_NxU = last_U[None] + 1 < first_N[:, None]  # the target is as it was
  return {
    "ahead_spacings": largest(mean_SxNxU, changed_SxNxU[1], before_NxU),
    "ahead_nats": largest(nll_SxNxU, changed_SxNxU[0], same_NxU),
  }


# --- the result -----------------------------------------------------------------------------------

NATS = "nats per spacing"


def measure(run) -> xr.Dataset:
  """Returns the NLL of the network and of every anchor on the same spacings of test.

  `loss` is that of a predictor, the network first; `model_minus` how far the network is below it,
  paired over windows. `permuted_nll` is the network under seeded permutations of its slot ids, and
  `ensemble_nll` their average density, on `permuted_windows` windows.
  """
  evaluation = run.settings.evaluation
  window_NxT1, start_N = run.batches("test", evaluation.windows)
  index_NxU = scoring.targets(run, start_N)
  _, select_start_N = run.batches("select", evaluation.select_windows)
  select_N = scoring.targets(run, select_start_N).ravel()
  nll_SxN, row, ahead = _model(run, f"model ({run.name})", window_NxT1, start_N)
  fresh_SxN, fresh, _ = _model(run, "untrained network", window_NxT1, start_N, run.untrained_S())
  rows = [row, fresh | {"model_minus": scoring.interval(run, nll_SxN - fresh_SxN, start_N)}]
  by_window = [nll_SxN.mean(0), fresh_SxN.mean(0)]
  for anchor in _all(run, index_NxU.ravel(), select_N):
    nll_N = anchor.nll_N.reshape(index_NxU.shape).mean(1)
    by_window.append(nll_N)
    rows.append(
      {
        "name": anchor.name,
        "parameters": anchor.parameters,
        "loss": scoring.interval(run, nll_N[None], start_N),
        "r2": anchors.r2(anchor, run.series.value_N),
        "model_minus": scoring.interval(run, nll_SxN - nll_N[None], start_N),
      }
    )
  edges = np.array_split(np.arange(len(start_N)), min(BLOCKS, len(start_N)))
  heights = run.series.ordinate_N
  first = [start_N[part[0]] for part in edges]
  height_P = np.array(first if heights is None else heights[first], float)
  said = "index of the block's first spacing" if heights is None else "height of the first zero"
  by_height = [[nll_N[part].mean() for part in edges] for nll_N in by_window]
  orders, permuted = _permuted(run)
  variables = {
    **_columns(rows),
    "nll": results.variable("seed", nll_SxN.mean(1), "NLL of the network", NATS),
    "loss_by_height": results.variable("predictor height", by_height, "NLL", NATS),
    **permuted,
  }
  coords = {
    "predictor": results.variable("predictor", [each["name"] for each in rows], "predictor"),
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "height": results.variable("height", height_P, said),
  }
  return results.dataset(
    variables,
    coords,
    permuted_windows=orders,
    memory=program.memory_name(run.experiment.model),
    told=program.card(run.experiment)["told"],
    scored=int(index_NxU.size),
    min_context=int(window_NxT1.shape[1] - index_NxU.shape[1]),
    split="test",
    data=program.data_name(run.experiment.task, run.series),
    **ahead,
  )


def _columns(rows: list[dict]) -> dict[str, xr.Variable]:
  """Returns the columns of the table of predictors; NaN where one has no number."""
  nothing = statistics.Interval(np.nan, np.nan, np.nan)
  over = lambda key: statistics.Interval(
    *np.array([row.get(key, nothing)[:3] for row in rows], np.float64).T
  )
  spread = [row.get("seed_standard_error", np.nan) for row in rows]
  return {
    **results.with_interval("loss", "predictor", over("loss"), "NLL", NATS),
    **results.with_interval(
      "model_minus", "predictor", over("model_minus"), "NLL of the network minus that", NATS
    ),
    "parameters": results.variable(
      "predictor", [int(row["parameters"]) for row in rows], "parameters"
    ),
    "r2": results.variable("predictor", [row["r2"] for row in rows], "R² of the mean"),
    "seed_standard_error": results.variable(
      "predictor", spread, "standard error of the mean over seeds", NATS
    ),
  }


def _permuted(run) -> tuple[int, dict[str, xr.Variable]]:
  """Returns how many windows were scored under seeded slot orders, and the NLL there."""
  model, evaluation = run.experiment.model, run.settings.evaluation
  seeds = trees.length(run.params_S)
  nll_SxR, ensemble_S, count = np.zeros((seeds, 0)), np.full(seeds, np.nan), 0
  if model.memory != "none" and model.has_slot_ids:
    there = len(run.batches("test")[1])
    count = min(there, evaluation.permutation_windows)
    window_NxT1, _ = run.batches("test", count)
    nll_SxRxN = sweeps.over(
      scoring.order_score(run.apply, evaluation.batch),
      run.params_S,
      spacing.slot_orders(model.slots, evaluation.permutations),
      data=(window_NxT1,),
      batch_size=4,
    )
    nll_SxRxN = np.asarray(nll_SxRxN, np.float64)
    orders = nll_SxRxN.shape[1]
    density = scipy.special.logsumexp(-nll_SxRxN, axis=1) - np.log(orders)
    nll_SxR, ensemble_S = nll_SxRxN.mean(-1), -density.mean(-1)
  return count, {
    "permuted_nll": results.variable("seed order", nll_SxR, "NLL under an order of slot ids", NATS),
    "ensemble_nll": results.variable("seed", ensemble_S, "NLL of the orders' mean density", NATS),
  }


def _model(run, name: str, window_NxT1, start_N, params_S=None):
  """Returns a network's NLL by window, SxN, its row, and how far it reads ahead."""
  nll_SxNxU, mean_SxNxU = scoring.predictions(run, window_NxT1, params_S)
  nll_SxN = nll_SxNxU.mean(-1)
  truth_NxU = scoring.spacings(window_NxT1)[:, -mean_SxNxU.shape[-1] :]
  error = np.mean((mean_SxNxU - truth_NxU[None]) ** 2)
  seeds = statistics.seed_interval(nll_SxN.mean(1))
  row: dict[str, Any] = {
    "name": name,
    "parameters": transformer.parameter_count(run.params_S) // len(nll_SxN),
    "loss": scoring.interval(run, nll_SxN, start_N),
    "r2": float(linear_lib.explained(error, truth_NxU.var())),
    "seed_standard_error": float(seeds.standard_error),
  }
  if params_S is not None:
    return nll_SxN, row, {}
  ahead = reads_ahead(run, window_NxT1, nll_SxNxU, mean_SxNxU)
  if any(ahead.values()):
    row["name"] += ", reads its target"
  return nll_SxN, row, ahead


# --- figures --------------------------------------------------------------------------------------


def figures(runs) -> dict:
  """Returns a page for each run: all predictors by their loss, and by height."""
  return {run: _page(found) for run, found in runs.items()}


def _page(found: xr.Dataset) -> draw.Page:
  return draw.page(
    _ranked(found), _by_height(found), heights=[1.2 + 0.28 * found.sizes["predictor"], 3.8]
  )


def _ranked(found: xr.Dataset) -> draw.Panel:
  """Returns a point and an interval for each predictor, the best on top.

  The axis holds all estimates. That of few untrained networks has an interval wider than all of
  them together: an arrow says that it goes on.
  """

  def panel(axes):
    order = np.argsort(-found.loss.values, kind="stable")
    shown = np.append(found.loss.values, found.nll.values)
    least, most = shown.min() - 0.2 * np.ptp(shown), shown.max() + 0.2 * np.ptp(shown)
    axes.set_xlim(least, most)
    for place, e in enumerate(order.tolist()):
      its, mine = tables_lib.interval(found.isel(predictor=e), "loss"), e == 0
      colour = draw.BLUE if mine else draw.GREY
      axes.plot([its.low, its.high], [place, place], color=colour, lw=1.8)
      for end, mark, beyond in ((least, "<", its.low < least), (most, ">", its.high > most)):
        if beyond:
          axes.plot(end, place, mark, ms=6, color=colour, clip_on=False)
      axes.plot(its.estimate, place, "o", ms=5, color=colour)
      if mine:
        axes.axhspan(place - 0.5, place + 0.5, color=colour, alpha=0.08, lw=0)
        axes.plot(found.nll, np.full(found.sizes["seed"], place), "|", color=colour, ms=11)
      place_of = {"xycoords": ("axes fraction", "data"), "va": "center", "color": colour}
      axes.annotate(f"{its.estimate:+.3f}", (1.03, place), **place_of)
    axes.set_yticks(range(len(order)), [_label(found.isel(predictor=e)) for e in order])
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set(
      xlabel=f"NLL ({NATS}); further left is better",
      title=f"Network and anchors on the same {found.scored:,} spacings of {found.split}\n"
      "(bars: 95 %; arrows: it goes on; strokes: seeds; in brackets: parameters)",
    )

  return panel


def _label(one: xr.Dataset) -> str:
  count = int(one.parameters)
  return one.predictor.item() + (f"  ({count:,})" if count else "")


def _by_height(found: xr.Dataset) -> draw.Panel:
  """Returns the loss of every predictor by block of height, the network first."""
  names = found.predictor.values.tolist()
  colours = {name: draw.GREEN for name in names if name.startswith(ADAPTIVE)}
  colours |= {name: draw.ORANGE for name in names if name.startswith(LINEAR)}

  def frame(axes):
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="x", nbins=5)

  return draw.named(
    found,
    "loss_by_height",
    x="height",
    each="predictor",
    colours=colours,
    frame=frame,
    title="By height, lower is better (blue: the network, thick;\n"
    "green: filter fitted again along the way; dashed: the others)",
  )


# --- tables and lines -----------------------------------------------------------------------------

TOLD = "reads its target"
GUIDED, NOTHING = "guided by ", "guided by nothing"
ADAPTIVE, LINEAR = "adaptive AR", guides.LINEAR


def tables(runs) -> list[tables_lib.Table]:
  """Returns all networks in one table, the anchors of every run, and what guides contribute."""
  found = [_comparison(runs), _predictors(runs)]
  guided = {run: each for run, each in runs.items() if each.memory.startswith(GUIDED)}
  found += [_contributions(guided)] if guided else []
  permuted = {run: each for run, each in runs.items() if each.sizes.get("order")}
  return [*found, _orders(permuted)] if permuted else found


def _orders(runs) -> tables_lib.Table:
  """Returns what the order of slot ids is worth, of runs whose ids may be permuted."""
  windows = tables_lib.distinct(f"{found.permuted_windows:,}" for found in runs.values())
  rows = [
    {
      "run": run,
      "seed": seed,
      "orders": one.sizes["order"],
      "mean": float(one.permuted_nll.mean()),
      "deviation": float(one.permuted_nll.std(ddof=1)),
      "mean density": float(one.ensemble_nll),
    }
    for run, found in runs.items()
    for seed, one in ((seed, found.sel(seed=seed)) for seed in found.seed.values.tolist())
  ]
  return tables_lib.Table(
    f"NLL in nats per spacing under random orders of the slot ids, on {windows} windows of test:"
    " mean and standard deviation over orders, and the NLL of the mean of their densities.",
    rows,
    dict.fromkeys(("mean", "deviation", "mean density"), "+.4f"),
    "orders",
  )


def seeds(found: xr.Dataset) -> str:
  """Returns how many networks a run has, and what its intervals are over."""
  count = found.sizes["seed"]
  return f"{count} seeds" if count > 1 else "1 seed: the interval is over data alone"


def standing(found: xr.Dataset) -> str:
  """Returns whether the network is ahead of one anchor, by the paired interval."""
  if program.reads_target(found.attrs):
    return TOLD
  paired = tables_lib.interval(found, "model_minus")
  if np.isnan(paired.estimate):
    return ""
  if paired.high < 0:
    return "ahead"
  return "behind" if paired.low > 0 else "undecided"


def _predictors(runs) -> tables_lib.Table:
  rows: list[dict[str, Any]] = []
  for run, found in runs.items():
    told = bool(program.reads_target(found.attrs))
    order = np.argsort(found.loss.values, kind="stable").tolist()
    order.sort(key=lambda e, told=told: told and e == 0)  # what is no prediction has no rank
    for e in order:
      one = found.isel(predictor=e)
      rows.append(
        {
          "run": run,
          "predictor": one.predictor.item(),
          "parameters": int(one.parameters) or None,
          "NLL": tables_lib.interval(one, "loss"),
          "R²": float(one.r2),
          "network minus anchor": tables_lib.interval(one, "model_minus") if e else None,
          "the network is": standing(one) or None,
        }
      )
  said = "; ".join(
    f"{run}: {found.scored:,} spacings of {found.split} with at least {found.min_context} before"
    f" each, {seeds(found)}, by seed {', '.join(f'{x:.4f}' for x in found.nll.values)}"
    for run, found in runs.items()
  )
  return tables_lib.Table(
    f"NLL in nats per spacing of networks and anchors, best first. {said}.",
    rows,
    {"NLL": ".4f", "network minus anchor": "+.4f", "R²": ".3f"},
    "predictors",
  )


def _comparison(runs) -> tables_lib.Table:
  """Returns published networks, linear filters and the runs, by NLL; those that are told last.

  Of the runs those on the published zeros: a loss on another sequence has no place among these.
  """
  runs = _on_published(runs)
  cautions = {run: program.reads_target(found.attrs) for run, found in runs.items()}
  here = [
    {
      "predictor": found.predictor.values[0],
      "NLL": tables_lib.interval(found.isel(predictor=0), "loss"),
      "from": TOLD if cautions[run] else "this page",
      "parameters": int(found.parameters[0]),
      "scored on": f"{found.split}, {found.scored:,} spacings with at least {found.min_context}"
      f" before them, {seeds(found)}{f'; {cautions[run]}' if cautions[run] else ''}",
    }
    for run, found in runs.items()
  ]
  others = [
    {
      "predictor": row["name"],
      "NLL": row["nll_nats"],
      "from": origin,
      "parameters": row["parameters"],
      "scored on": row["remark"],
    }
    for origin, published in (("published", NETWORKS), ("linear filter", FILTERS))
    for row in published
  ]
  value = lambda row: row["NLL"] if isinstance(row["NLL"], float) else row["NLL"].estimate
  rows = sorted(others + here, key=lambda row: (row["from"] == TOLD, value(row)))
  return tables_lib.Table(
    "NLL in nats per spacing, best first, behind them networks that read their targets. Published"
    " networks came without intervals.",
    rows,
    {"NLL": ".3f"},
    "comparison",
  )


def _contributions(runs) -> tables_lib.Table:
  told = {run for run, found in runs.items() if program.reads_target(found.attrs)}
  ranked = sorted(runs, key=lambda run: (run in told, float(runs[run].loss[0])))
  rows = []
  for run in ranked:
    found = runs[run]
    anchor, linear = (_last(found, name) for name in (ADAPTIVE, LINEAR))
    rows.append(
      {
        "run": run,
        "guides": found.memory.removeprefix(GUIDED),
        "parameters": int(found.parameters[0]),
        "NLL": tables_lib.interval(found.isel(predictor=0), "loss"),
        "R²": float(found.r2[0]),
        "minus untrained": tables_lib.interval(found.isel(predictor=1), "model_minus"),
        "minus no guides": _beside(found, runs),
        "least squares, R²": None if linear is None else float(linear.r2),
        "minus least squares": _minus(linear),
        "minus adaptive anchor": _minus(anchor),
        "it is": None if anchor is None else standing(anchor),
      }
    )
  changes = [name for name in rows[0] if name.startswith("minus")]
  return tables_lib.Table(
    "What each guide contributes: NLL and its changes in nats per spacing on test; 95 % intervals"
    " over seeds and blocks of data, of 'minus no guides' over seeds and blocks of heights. A row"
    " minus the network without guides is what its guides contribute; minus the untrained network,"
    " which is its last guess, is what training adds. To beat: the adaptive anchor.",
    rows,
    {"NLL": ".3f", "R²": ".3f", "least squares, R²": ".3f"} | dict.fromkeys(changes, "+.3f"),
    "guides",
  )


def _last(found: xr.Dataset, name: str) -> xr.Dataset | None:
  """Returns the last anchor of a name that begins so, None without one."""
  there = [e for e, each in enumerate(found.predictor.values) if str(each).startswith(name)]
  return found.isel(predictor=there[-1]) if there else None


def _minus(one: xr.Dataset | None) -> statistics.Interval | None:
  return None if one is None else tables_lib.interval(one, "model_minus")


def _beside(found: xr.Dataset, runs) -> statistics.Interval | None:
  """Returns the distance from the network without guides on the same spacings.

  None without one of as many seeds.
  """
  for other in runs.values():
    same = np.array_equal(other.height, found.height) and other.sizes["seed"] == found.sizes["seed"]
    if other.memory == NOTHING and same and other is not found:
      return _apart(found, other)
  return None


def _apart(found: xr.Dataset, other: xr.Dataset) -> statistics.Interval:
  """Returns the difference of two runs over seeds and blocks of heights.

  Windows are not stored: every seed's mean and every block's mean over seeds
  stand for them, so that all noise by height counts as shared.
  """
  change_S = found.nll.values - other.nll.values
  change_P = found.loss_by_height.values[0] - other.loss_by_height.values[0]
  value_SxP = change_S[:, None] + change_P - change_P.mean()
  return statistics.seed_block_interval(value_SxP, block=1)


def line(runs) -> str:
  """Returns who is behind which anchor: the networks of all runs, then the published ones.

  Runs on other sequences are named where there are no others: their losses cannot be ranked.
  """
  named = _on_published(runs) or runs
  best_first = sorted(named, key=lambda run: (_told(runs[run]), float(runs[run].loss[0])))
  said = [f"{run}: {_sentence(runs[run])}" for run in best_first[:NAMED]]
  if len(runs) > len(said):
    rest = len(runs) - len(said)
    said.append(f"{rest} more {'network is' if rest == 1 else 'networks are'} in the table")
  return (
    f"NLL of the networks trained here, in nats per spacing: {'; '.join(said)}."
    f" Published networks are behind linear filters: E4 with {E4['nll_nats']:+.3f} behind one of"
    f" {AR24['parameters']} coefficients ({AR24['nll_nats']:+.3f}), E0 with {E0['nll_nats']:+.3f}"
    f" behind an adaptive one of {ADAPTIVE_128['parameters']} ({ADAPTIVE_128['nll_nats']:+.3f})."
  )


NAMED = 3  # runs, the best ones, that the summary names


def _on_published(runs: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
  """Returns the runs on the published zeros."""
  on = lambda found: found.attrs.get("data", program.DATA) == program.DATA
  return {run: found for run, found in runs.items() if on(found)}


def _told(found: xr.Dataset) -> bool:
  """Returns whether a network reads its target: its loss has no rank."""
  return bool(program.reads_target(found.attrs))


def _sentence(found: xr.Dataset) -> str:
  own = tables_lib.interval(found.isel(predictor=0), "loss")
  said = f"{own:+.3f} on {found.scored:,} spacings of {found.split} ({seeds(found)})"
  caution = program.reads_target(found.attrs)
  if caution:
    return f"{said}, no prediction, as {caution}"
  order = np.argsort(found.loss.values[1:], kind="stable") + 1
  stands = {e: standing(found.isel(predictor=e)) for e in order.tolist()}
  name = lambda e: f"{found.predictor.values[e]} ({float(found.loss[e]):+.3f})"
  ahead = [e for e, its in stands.items() if its == "ahead"]
  behind = [e for e, its in stands.items() if its == "behind"]
  if ahead:
    said += f", ahead of {name(ahead[0])}"
  if behind:
    said += f", behind {name(behind[-1])}"
  return said


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()


@CLAIMS.add(
  "anchors.e4",
  "POSTFIX E4 has learned the operator behind the spacings.",
  reported=f"NLL {E4['nll_nats']:.3f} nats, no linear anchor",
  source=f"{program.REPOSITORY}, operator-extraction results",
)
def anchored(results):
  """Returns the verdict: is the published E4 beyond a linear filter with few coefficients?"""
  found = program.on_published(results, told=True).first("anchors")
  short, long = (
    tables_lib.interval(found, "loss", predictor=name) for name in ("AR(24)", "AR(64)")
  )
  reported = E4["nll_nats"]
  open_ = ""
  if short.high < reported:
    said = "ahead of it, so the number is no evidence of an operator"
  elif reported < short.low:
    said = "not ahead of it: the network is"
  else:
    open_ = "The interval of the filter holds the reported number."
    said = "not ahead of it, nor the network: the interval holds its number"
  because = (
    "On the scored positions of the tail, Gaussian filters fitted on train have: AR(24)"
    f" {short:+.3f} nats, AR(64) {long:+.3f}; the reported E4 {reported:+.3f}. A linear filter with"
    f" 24 coefficients is {said}."
  )
  values = {"AR(24)": short.estimate, "AR(64)": long.estimate, "reported E4": reported}
  if open_:
    return claims.Verdict(status="needs more compute", because=because, numbers=values)
  return claims.verdict(reported < short.low, because, values)


@CLAIMS.add(
  "models.sign",
  "POSTFIX E3 (-0.345) is 10 % better than prefix memory E2 (-0.384), and E4 better still.",
  reported=SIGN_ERROR,
  source=f"{program.REPOSITORY}, e3_summary and its successors",
)
def order_of_models(results):
  """Returns the verdict: POSTFIX against the network without memory, both behind their anchors."""
  there = program.on_published(results)
  postfix, plain = (there.where(memory=memory).of("anchors") for memory in ("postfix", "none"))
  numbers_of = {f"{run}: NLL": float(each.nll.mean()) for run, each in (postfix | plain).items()}
  because = (
    "The study's own later files give E3 as +0.304, +0.340 and +0.394; only one note prints them"
    " with a minus sign, and E2 is truly -0.384. "
    + "; ".join(f"{name} {value:+.3f} nats" for name, value in numbers_of.items())
    + ", on the spacings of test on which anchors are scored."
  )
  big = [program.published_size(results, runs) for runs in (postfix, plain)]
  best = lambda runs: min(numbers_of[f"{run}: NLL"] for run in runs)
  return claims.verdict(
    all(big) and best(big[0]) < best(big[1]),
    because,
    numbers_of,
    undecided=program.undecided(big[0] if big[1] else []),
  )
