"""What does removing an attention head cost, done right and as published?

The published script set channels 32h to 32h + 31 of the attention's output to zero, after the
projection, where every head contributes: no head was removed. Its effects were read as those of
heads, and a few heads as the core of the network.

Here each head is removed at its own output, which is set to zero, or to its mean over select. The
published slice of channels is kept beside it under its own name. The same removals on untrained
networks are the null. Heads are also removed together, those first whose single removal costs least
on select. Head numbers do not carry over from seed to seed.
"""

import dataclasses
import math
import textwrap

import numpy as np
import xarray as xr
from primelens.analyses import ablation, statistics
from primelens.lens import claims, numbers, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.studies.zeros import program, scoring
from primelens.tasks import checks

# --- published ------------------------------------------------------------------------------------

BASELINE = 0.11613  # NLL in nats of E4, seed 7, on the first half of the tail
PERCENT = numbers.records(__file__, "residual_slices")  # of the baseline, by layer and slice
# Change of the NLL in nats when residual channels 32h..32h+31 of a layer are set to zero.
NATS_LxH = tuple(
  tuple(round(BASELINE * row[name] / 100, 4) for name in row if name != "layer") for row in PERCENT
)


@dataclasses.dataclass(kw_only=True)
class Settings:
  """`windows` of select rank the heads, as many of test are scored; the `top` are listed."""

  windows: checks.Count = 256
  top: checks.Count = 20
  sweep_batch: checks.Count = 4  # (seed, removal) pairs in memory at a time

  def __post_init__(self):
    checks.fields(self)


obstacle = program.no_mixtures


# --- the result -----------------------------------------------------------------------------------

NATS = "nats per spacing"
CHANGE = "change of the NLL"
REMOVALS = ("zero", "mean", "residual_slice_as_published")
FILLS = ("zero", "mean")  # what heads that are removed together say


def measure(run) -> xr.Dataset:
  """Returns the change of the NLL when heads are removed, one by one and together.

  Of untrained networks, too. The gap is the effect of the published slice minus that of the head
  it is said to remove, in each network, with its interval over blocks of data: heads are not the
  same by number in other seeds.
  """
  settings, trunk = run.settings.heads, run.experiment.model.trunk
  test, start_N = run.batches("test", settings.windows)
  select, _ = run.batches("select", settings.windows)
  rows = ablation.removals(trunk.layers, trunk.heads)
  bundle_S = scoring.head_bundle(run, run.params_S, select, rows)
  fresh_S = scoring.head_bundle(run, run.untrained_S(), select, rows)
  singles = 1 + 3 * trunk.layers * trunk.heads
  alone = {name: row[:singles] for name, row in rows.items()}
  trained = scoring.head_sweep(run, bundle_S, rows, test)
  untrained = scoring.head_sweep(run, fresh_S, alone, test)
  rank = "rank by what the mean instead costs on select, 0 the least"
  variables = {
    **_changes(run, trained, untrained, start_N),
    "rank_on_select": results.variable("seed layer head", np.asarray(bundle_S["rank_LxH"]), rank),
    "intact_nll": results.variable(
      "seed", trained[:, 0].mean(-1), "NLL on test of the intact network", NATS
    ),
  }
  coords = {
    "removal": results.variable("removal", list(REMOVALS), "what is removed"),
    "fill": results.variable("fill", list(FILLS), "what removed heads say"),
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "untrained": results.variable("untrained", run.seed_S, "seed of the untrained network"),
    "layer": results.variable("layer", np.arange(trunk.layers), "layer"),
    "head": results.variable("head", np.arange(trunk.heads), "head"),
    "removed": results.variable(
      "removed",
      ablation.removal_counts(trunk.layers * trunk.heads),
      "heads removed together, least important first",
    ),
  }
  return results.dataset(variables, coords, windows=len(start_N), top=settings.top)


def _changes(run, trained, untrained, start_N) -> dict:
  """Returns the changes from NLL SxRxN, with the intervals of their means over seeds."""
  trunk = run.experiment.model.trunk
  grid = (trunk.layers, trunk.heads)
  end = 1 + 3 * trunk.layers * trunk.heads
  change = lambda nll: nll[:, 1:] - nll[:, :1]
  cut = lambda x, modes: np.stack(np.split(x, modes, axis=1))
  single = cut(change(trained[:, :end]), 3)
  null = cut(change(untrained), 3).mean(-1)
  joint = cut(trained[:, end:] - trained[:, :1], 2)
  over = lambda delta: scoring.interval(run, np.moveaxis(delta, 1, 0), start_N)
  one, many = over(single), over(joint)
  block = scoring.block_windows(run, start_N)
  gap = statistics.block_interval(single[2] - single[0], block=block)
  shape = lambda x: x.reshape(*x.shape[:-1], *grid)
  delta_VxSxLxH, joint_PxSxR = shape(single.mean(-1)), joint.mean(-1)
  mean_delta = statistics.Interval(delta_VxSxLxH.mean(1), shape(one.low), shape(one.high))
  mean_joint = statistics.Interval(joint_PxSxR.mean(1), many.low, many.high)
  slice_gap = statistics.Interval(shape(gap.estimate), shape(gap.low), shape(gap.high))
  over_seeds = f"{CHANGE}, mean over seeds"
  return {
    **results.with_untrained(
      "delta", "removal seed layer head", delta_VxSxLxH, shape(null), CHANGE, NATS
    ),
    **results.with_interval("mean_delta", "removal layer head", mean_delta, over_seeds, NATS),
    **results.with_interval(
      "slice_gap", "seed layer head", slice_gap, "published slice minus head set to zero", NATS
    ),
    "joint": results.variable("fill seed removed", joint_PxSxR, CHANGE, NATS),
    **results.with_interval("mean_joint", "fill removed", mean_joint, over_seeds, NATS),
  }


# --- figures and tables ---------------------------------------------------------------------------

LINEAR = 1e-3  # nats: smaller effects are drawn on a linear scale
ANNOTATED = 64  # cells: more numbers than that cannot be read
TITLES = {
  "zero": "head output set to zero",
  "mean": "head output set to its mean",
  "residual_slice_as_published": "residual channels set to zero (as published)",
}
ROWS = {
  "zero": "zero",
  "mean": "mean",
  "residual_slice_as_published": "residual slice",
}


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares them."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  joint = results.across(runs, "mean_joint")
  single = results.across(runs, "delta", "untrained_delta")
  single = single.assign_coords(removal=[ROWS[key] for key in single.removal.values])
  maps, most = _side_by_side(runs), max(found.sizes["layer"] for found in runs.values())
  shared = draw.page(
    (
      draw.curves(
        joint,
        "mean_joint",
        x="removed",
        colour="run",
        dash="fill",
        names=TITLES,
        symlog=1,
        title="Joint removal (bands: 95 %)",
      ),
      draw.together(
        draw.strips(single, "delta", y="removal", colour="run", null="untrained_delta"),
        _decades(single, "Every head and seed, alone"),
      ),
    ),
    *maps,
    heights=[4.2, *[1.6 + 0.3 * most] * len(maps)],
  )
  return {"all runs": shared} | pages


def _page(run: str, found: xr.Dataset) -> draw.Page:
  stacked = found.sizes["head"] > 4
  maps = _maps(run, found, stacked)
  rows = list(maps) if stacked else [maps]
  height = 0.9 + 0.3 * found.sizes["layer"] + (0 if stacked else 1.1)
  return draw.page(*rows, (_joint(found), _singles(found)), heights=[*[height] * len(rows), 4.2])


def _maps(run: str, found: xr.Dataset, stacked: bool) -> tuple[draw.Panel, ...]:
  """Returns the maps; the scale is the largest effect of all of them."""
  most = max(float(np.abs(found.mean_delta).max()), 1e-6)
  last = found.removal.values[-1]
  panels = []
  for key in found.removal.values:
    title = f"{run}: {CHANGE}, {TITLES[key]}"
    title = title if stacked else textwrap.fill(title, 28)
    panels.append(_map(found, key, most, bar=stacked or key == last, title=title))
  return tuple(panels)


def _map(found: xr.Dataset, key: str, most: float, *, bar: bool, title: str) -> draw.Panel:
  """Returns the effects of one removal by layer and head, on a scale that ends at `most`."""
  names = {
    "layer": [f"L{layer}" for layer in found.layer.values],
    "head": [f"H{head}" for head in found["head"].values],
  }
  one = found[["mean_delta", "mean_delta_interval"]].sel(removal=key)
  heat = draw.heat(
    one.assign_coords(names),
    "mean_delta",
    rows="layer",
    columns="head",
    written=None,
    centred=True,
    limits=(-most, most),
    bar=bar,
    title=title,
    xlabel="* 95 % interval excludes 0",
    ylabel="",
  )
  return draw.together(heat, _cells(one, most))


def _side_by_side(runs) -> list[tuple[draw.Panel, ...]]:
  """Returns rows of the maps of all runs on one scale, two in a row."""
  most = max(max(float(np.abs(found.mean_delta[0]).max()) for found in runs.values()), 1e-6)
  maps = [
    _map(found, REMOVALS[0], most, bar=True, title=f"{run}: {CHANGE},\n{TITLES[REMOVALS[0]]}")
    for run, found in runs.items()
  ]
  return [tuple(maps[i : i + 2]) for i in range(0, len(maps), 2)]


def _cells(one: xr.Dataset, most: float) -> draw.Panel:
  """Returns the numbers of a map, with a star where the interval excludes 0."""
  value_LxH, ends = one.mean_delta.values, one.mean_delta_interval
  star_LxH = ((ends.sel(end="low") > 0) | (ends.sel(end="high") < 0)).values

  def draw_cells(axes):
    if value_LxH.size > ANNOTATED:
      return
    for (layer, head), value in np.ndenumerate(value_LxH):
      text = f"{value:+.4f}{'*' if star_LxH[layer, head] else ''}"
      ink = "white" if abs(value) > 0.6 * most else "black"
      axes.text(head, layer, text, ha="center", va="center", fontsize=8, color=ink)

  return draw_cells


def _joint(found: xr.Dataset) -> draw.Panel:
  """Returns what removing the least important heads together costs."""
  thin = {"lw": 0.6, "alpha": 0.55, "marker": "", "label": None}
  each = [found.sel(seed=seed) for seed in found.seed.values if found.sizes["seed"] > 1]
  look = {"x": "removed", "colour": "fill"}
  return draw.together(
    *(draw.curves(one, "joint", style=thin, **look) for one in each),
    draw.curves(
      found,
      "mean_joint",
      names=TITLES,
      symlog=1,
      title="Joint removal (order chosen on select;\nthin: seeds, bands: 95 %)",
      **look,
    ),
  )


def _singles(found: xr.Dataset) -> draw.Panel:
  """Returns every single effect beside those of untrained networks."""
  groups = {}
  for key in found.removal.values:
    groups[ROWS[key]] = found.delta.sel(removal=key)
    groups[f"untrained, {ROWS[key]}"] = found.untrained_delta.sel(removal=key)
  return draw.together(draw.dots(groups), _decades(found, "Every head and seed, alone"))


def _decades(found: xr.Dataset, title: str) -> draw.Panel:
  """Returns the axis of effects: linear within a thousandth, beyond it logarithmic.

  Its ticks are 0 and the powers of ten that the effects reach, without those so near to 0 that
  their labels would touch.
  """
  both = (found.delta.values, found.untrained_delta.values)
  most = max(float(np.nanmax(np.abs(effect))) for effect in both)
  top = max(math.ceil(math.log10(max(most, LINEAR))), -2)
  first = -3 if top <= -2 else -2
  ticks = [10.0**power for power in range(first, top + 1)]
  ticks = [-tick for tick in reversed(ticks)] + [0.0, *ticks]

  def scale(axes):
    axes.set_xscale("symlog", linthresh=LINEAR)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=8)
    axes.set(xlabel=f"{CHANGE} (nats; linear within {LINEAR:g})", title=title)

  return scale


def tables(runs) -> list[tables_lib.Table]:
  """Returns the removals of all runs, one by one and together, then the published effects."""
  windows = tables_lib.distinct(f"{found.windows:,}" for found in runs.values())
  intact = {run: float(found.intact_nll.mean()) for run, found in runs.items()}
  single = [
    {"run": run} | _single(found, key) | {"intact NLL": intact[run]}
    for run, found in runs.items()
    for key in REMOVALS
  ]
  joint = [
    {"run": run, "heads removed": int(count)}
    | {
      key: tables_lib.interval(found, "mean_joint", fill=key, removed=count)
      for key in found.fill.values.tolist()
    }
    for run, found in runs.items()
    for count in found.removed.values
  ]
  published = [
    {"layer": f"L{layer}"} | {f"slice {h}": value for h, value in enumerate(row)}
    for layer, row in enumerate(NATS_LxH)
  ]
  changed = {"change": "+.4f", "largest change, untrained": ".4f"}
  return [
    tables_lib.Table(
      f"Changes of the NLL in nats per spacing on {windows} windows of test, mean over seeds. Of"
      " each removal the costliest head, how many heads have an interval clear of 0, and the"
      " largest change of any head of an untrained network. The NLL of the intact networks is in"
      " the section on anchors.",
      single,
      changed,
      "single",
      hidden=("intact NLL",),  # of fewer spacings than that of the anchors: in the CSV alone
    ),
    _costliest(runs),
    tables_lib.Table(
      "Joint removal, cheapest heads on select first: change of the NLL in nats per spacing, on"
      f" {windows} windows of test.",
      joint,
      dict.fromkeys(FILLS, "+.4f"),
      "joint",
    ),
    tables_lib.Table(
      f"Published 'head' effects of E4, seed 7, in nats: change from {BASELINE} on the first half"
      " of the tail, one seed, no intervals. They are effects of residual slices.",
      published,
      {f"slice {h}": "+.4f" for h in range(len(NATS_LxH[0]))},
      "published",
    ),
  ]


def _costliest(runs) -> tables_lib.Table:
  """Returns the heads whose removal costs most, the costliest of each run first."""
  rows = []
  for run, found in runs.items():
    cost = found.mean_delta.sel(removal="zero")
    order_E = np.argsort(-cost.values.ravel(), kind="stable")[: found.top]
    null = float(np.abs(found.untrained_delta.sel(removal="zero")).max())
    for place, e in enumerate(order_E.tolist(), start=1):
      layer, head = (int(i) for i in np.unravel_index(e, cost.shape))
      at = {"layer": found.layer.values[layer], "head": found["head"].values[head]}
      effect = {
        ROWS[key]: tables_lib.interval(found, "mean_delta", removal=key, **at) for key in REMOVALS
      }
      rows.append(
        {"run": run, "place": place, "head": f"L{at['layer']}.H{at['head']}"}
        | effect
        | {
          "mean rank on select": float(found.rank_on_select.sel(at).mean()),
          "largest change, untrained": null,
        }
      )
  count = tables_lib.distinct(str(found.top) for found in runs.values())
  windows = tables_lib.distinct(f"{found.windows:,}" for found in runs.values())
  return tables_lib.Table(
    f"The costliest heads, at most {count} of a run (--set heads.top=...), by what setting their"
    f" output to zero changes: NLL in nats per spacing on {windows} windows of test, mean over"
    " seeds. The rank on select"
    " is 0 for the head that costs least there, mean over seeds.",
    rows,
    dict.fromkeys(ROWS.values(), "+.4f")
    | {"mean rank on select": ".1f", "largest change, untrained": ".4f"},
    "costliest",
  )


def _single(found: xr.Dataset, key: str) -> dict:
  one = found.sel(removal=key)
  mean_LxH = one.mean_delta.values
  layer, head = np.unravel_index(np.argmax(mean_LxH), mean_LxH.shape)
  low_LxH, high_LxH = one.mean_delta_interval.transpose("end", ...).values
  clear = int(np.sum((low_LxH > 0) | (high_LxH < 0)))
  return {
    "removal": key.replace("_", " "),
    "costliest head": f"L{layer}.H{head}",
    "change": tables_lib.interval(one, "mean_delta", layer=layer, head=head),
    "heads with intervals clear of 0": f"{clear} of {mean_LxH.size}",
    "largest change, untrained": float(np.abs(one.untrained_delta).max()),
  }


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
SEEN = 1e-4  # nats: more than float32 can make of two equal losses


@CLAIMS.add(
  "heads.method",
  "Zeroing channels 32h..32h+31 of the attention output removes head h.",
  reported=f"{sum(map(len, NATS_LxH))} 'head' effects, L0.H3 {NATS_LxH[0][3]:+.4f} nats",
  source=f"{program.REPOSITORY}, scripts/attention_ablation.py",
)
def method(results):
  """Returns the verdict: the published slice against the removal of the head itself, by network."""
  found = program.on_published(results).of("heads")
  values: dict[str, float] = {}
  parts, apart = [], []
  for name, its in found.items():
    zero, _, published = its.delta.values.mean(1).reshape(3, -1)
    correlation = _correlation(zero, published)
    low, high = its.slice_gap_interval.transpose("end", ...).values
    differs = (low > SEEN) | (high < -SEEN)
    values |= {
      f"{name}: correlation": correlation,
      f"{name}: heads whose two effects differ": int(differs.sum()),
    }
    apart.append(bool(differs.any()))
    parts.append(
      f"{name}: the effects of the two removals correlate at "
      f"{correlation:.2f}, and for {int(differs.sum())} of {differs.size} heads "
      f"of {len(differs)} networks they differ, paired over windows"
    )
  return claims.Verdict(
    status="not reproduced" if all(apart) else "needs more compute",
    because="The published hook zeroes channels of the projection's output, "
    "to which every head contributes. " + "; ".join(parts) + ".",
    numbers=values,
  )


def _correlation(a, b) -> float:
  flat = np.ptp(a) == 0 or np.ptp(b) == 0
  return math.nan if flat else float(np.corrcoef(a, b)[0, 1])


@CLAIMS.add(
  "heads.core",
  "Heads L0.H2, L0.H3 and L0.H5 are the core; about 13 heads, a quarter of the model, suffice.",
  reported=", ".join(f"L0.H{h} {NATS_LxH[0][h]:+.4f}" for h in (3, 2, 5))
  + " nats; never jointly removed",
  source=f"{program.REPOSITORY}, results/attention_ablation.json",
)
def core(results):
  """Returns the verdict: the rest, removed together, must cost little."""
  found = program.on_published(results).where(memory="postfix").of("heads")
  values: dict[str, float] = {}
  parts, high = [], {}
  for name, its in found.items():
    joint_R = its.joint.sel(fill="zero").values.mean(0)
    total = its.sizes["layer"] * its.sizes["head"]
    count_R = its.removed.values
    at = int(np.searchsorted(count_R, round(35 / 48 * total)))
    low_R, high_R = its.mean_joint_interval.sel(fill="zero").transpose("end", ...).values
    high[name] = float(high_R[at])
    zero_SxLxH = its.delta.sel(removal="zero").values
    spread = zero_SxLxH.std(0, ddof=1).mean() if len(zero_SxLxH) > 1 else math.nan
    values |= {
      f"{name}: heads removed together": int(count_R[at]),
      f"{name}: change of NLL": float(joint_R[at]),
      f"{name}: spread of one head's effect over seeds": float(spread),
    }
    parts.append(
      f"{name}: removing the {int(count_R[at])} of {total} heads that "
      f"cost least on select changes the test NLL by {joint_R[at]:+.4f} nats "
      f"[{low_R[at]:+.4f}, {high_R[at]:+.4f}]"
    )
  because = "; ".join(parts) + ". Head indices do not carry over seeds."
  big = program.published_size(results, found)
  cheap = all(high[name] < 0.01 for name in big)
  return claims.verdict(cheap, because, values, undecided=program.undecided(big))


@CLAIMS.add(
  "heads.noise_layers",
  "Layers 1 and 2 are noise: removing their heads improves the model.",
  reported=f"L2 slices down to {min(NATS_LxH[2]):+.4f} nats",
  source=f"{program.REPOSITORY}, results/attention_ablation.json",
)
def noise_layers(results):
  """Returns the verdict: removing heads of layers 1 and 2 improves the model, or it does not."""
  found = {
    name: its
    for name, its in program.on_published(results).where(memory="postfix").of("heads").items()
    if its.sizes["layer"] > 1
  }
  if not found:
    raise claims.Missing("heads of a model with more than one layer", analysis="heads")
  values = {}
  for name, its in found.items():
    middle = slice(1, 3) if its.sizes["layer"] > 3 else slice(1, 2)
    for key, label in (
      ("zero", "head removed"),
      ("residual_slice_as_published", "published slice"),
    ):
      change = its.delta.sel(removal=key).values[:, middle].mean()
      values[f"{name}: mean change, {label}"] = float(change)
  because = "; ".join(f"{k} {v:+.4f} nats" for k, v in values.items()) + "."
  big = program.published_size(results, found)
  change = [values[f"{name}: mean change, head removed"] for name in big]
  improves = bool(change) and max(change) < 0
  return claims.verdict(improves, because, values, undecided=program.undecided(big))
