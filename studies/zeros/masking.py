"""Does a network's knowledge sit in a part of its weights?

The published masks removed the smallest weights of one network by one global threshold, at the
ratio that was best on the data reported, and the gain was read as a core of knowledge.

Here the ratio is chosen on select and reported on test, beside a threshold of each tensor, random
masks of the same size, Gaussian noise of the removed norm, and a recalibration: a factor of every
scale and a shift of every mean, fitted on select. The reading holds only where masking gains more
than recalibrating the intact network.
"""

import dataclasses
import functools
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import masking, statistics, sweeps, trees
from primelens.lens import claims, numbers, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.models import mixture as mixture_lib
from primelens.models import spacing
from primelens.studies.zeros import program, scoring
from primelens.tasks import checks

# --- published ------------------------------------------------------------------------------------

E4 = numbers.records(__file__, "e4_seed7")  # fraction of weights removed, NLL; one seed
INTACT, BEST = E4[0], min(E4, key=lambda row: row["nll"])
NETWORKS = numbers.records(__file__, "models")  # ratios chosen on the data that is reported


@dataclasses.dataclass(kw_only=True)
class Settings:
  """`ratios` are the fractions of weights removed, `windows` those of test that are scored."""

  ratios: Annotated[tuple[checks.Share, ...], checks.Items(1, 1_000)] = tuple(
    row["ratio"] for row in E4
  )
  windows: checks.Count = 256
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
    if 0 not in self.ratios:
      raise checks.FieldError(f"ratios={checks.brief(self.ratios)} must hold 0, the intact model.")


obstacle = program.no_mixtures


# --- the edits, and the score of an edited network ------------------------------------------------


def _like(make):
  """Returns an edit that is as large as the magnitude mask of the same ratio."""

  def edit(params, strength):
    masked = scoring.magnitude(params, strength)
    where = trees.select(params, spacing.MASKED)
    return make(params, masked, where=where, key=strength["key"])

  return edit


EDITS = {
  "magnitude": scoring.magnitude,
  "per tensor": functools.partial(scoring.magnitude, scope="leaf"),
  "random": _like(masking.random_like),
  "noise": _like(masking.noise_like),
}
NAMES = {
  "magnitude": "magnitude, global (as published)",
  "per tensor": "magnitude, per tensor",
  "random": "random, same size",
  "noise": "noise, same norm",
  "recalibrated": "magnitude and recalibration",
}


def edited(params, strength):
  """Returns what is scored: params under edit number `variant`, and whether to recalibrate them.

  Only the magnitude mask needs the recalibration: no other edit pays for it.
  """
  return {
    "params": jax.lax.switch(strength["variant"], list(EDITS.values()), params, strength),
    "recalibrate": strength["variant"] == 0,
  }


@functools.cache
def _score(apply_fn, min_context: int, batch: int):
  """Returns `f(edited, test, select)`: the NLL by window of test, recalibrated on select too."""
  predict = scoring.predict(apply_fn, min_context, batch)

  def score(bundle, test_NxT1, select_NxT1):
    test = predict(bundle["params"], test_NxT1)
    y = scoring.truth(test, test_NxT1)
    nll_N = -mixture_lib.log_density(test, y).mean(1)

    def recalibrated():
      select = predict(bundle["params"], select_NxT1)
      y_select = scoring.truth(select, select_NxT1)
      theta_2 = mixture_lib.recalibration(select, y_select)
      after = mixture_lib.recalibrate(test, theta_2[0], theta_2[1])
      return {
        "recalibrated_N": -mixture_lib.log_density(after, y).mean(1),
        "select": -mixture_lib.log_density(select, y_select).mean(),
        "theta_2": theta_2,
      }

    nothing = {
      "recalibrated_N": jnp.zeros_like(nll_N),
      "select": jnp.zeros(()),
      "theta_2": jnp.zeros(2),
    }
    more = jax.lax.cond(bundle["recalibrate"], recalibrated, lambda: nothing)
    return {"nll_N": nll_N} | more

  return score


def _survival(params, ratio):
  """Returns the fraction of each tensor that the global mask keeps."""
  where = trees.select(params, spacing.MASKED)
  return masking.survival(params, scoring.magnitude(params, {"ratio": ratio}), where=where)


# --- the result -----------------------------------------------------------------------------------

NATS = "nats per spacing"


def measure(run) -> xr.Dataset:
  """Returns the NLL on test by edit, seed and ratio; the gain of masking; what survives."""
  settings, evaluation = run.settings.masking, run.settings.evaluation
  test_NxT1, start_N = run.batches("test", settings.windows)
  select_NxT1, _ = run.batches("select", evaluation.select_windows)
  ratio_R = np.asarray(settings.ratios, np.float32)
  edits, ratios, seeds = len(EDITS), len(ratio_R), trees.length(run.params_S)
  keys_R = jax.random.split(jax.random.key(settings.seed), ratios)
  scored = sweeps.over(
    _score(run.apply, evaluation.min_context, evaluation.batch),
    run.params_S,
    {
      "variant": jnp.repeat(jnp.arange(edits), ratios),
      "ratio": jnp.tile(jnp.asarray(ratio_R), edits),
      "key": jnp.tile(keys_R, edits),
    },
    transform=edited,
    data=(test_NxT1, select_NxT1),
    batch_size=seeds,  # one edit at a time, of all seeds
  )
  grid = lambda leaf: np.asarray(leaf).reshape(seeds, edits, ratios, *leaf.shape[2:])
  found = {name: grid(leaf) for name, leaf in scored.items()}
  nll_SxVxRxN = np.concatenate([found["nll_N"], found["recalibrated_N"][:, :1]], axis=1)
  nll_SxVxRxN = nll_SxVxRxN.astype(np.float64)
  select_SxR, theta_SxRx2 = found["select"][:, 0], found["theta_2"][:, 0]

  kept_SxR = sweeps.over(_survival, run.params_S, jnp.asarray(ratio_R))
  one = jax.eval_shape(lambda: jax.tree.map(lambda leaf: leaf[0], run.params_S))
  sizes = {
    name: int(leaf.size)
    for name, leaf in trees.selected(one, trees.select(one, spacing.MASKED)).items()
  }
  survival_ExR = np.array([np.asarray(kept_SxR[name]).mean(0) for name in sizes])
  total = sum(leaf.size for leaf in jax.tree.leaves(one))

  variables = {
    "nll": results.variable("seed variant ratio", nll_SxVxRxN.mean(-1), "NLL on test", NATS),
    "select_nll": results.variable("seed ratio", select_SxR, "NLL on select, magnitude mask", NATS),
    "log_scale": results.variable("seed ratio", theta_SxRx2[..., 0], "fitted log scale factor"),
    "mean_shift": results.variable(
      "seed ratio", theta_SxRx2[..., 1], "fitted shift of the means", "mean spacings"
    ),
    "survival": results.variable(
      "tensor ratio", survival_ExR, "fraction of each tensor that survives"
    ),
    "size": results.variable("tensor", list(sizes.values()), "size of the tensor", "weights"),
    **_changes(run, nll_SxVxRxN, ratio_R, start_N),
    **_gains(run, nll_SxVxRxN, ratio_R, select_SxR, start_N),
  }
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "variant": results.variable("variant", list(NAMES), "edit"),
    "ratio": results.variable("ratio", ratio_R, "fraction of weights removed"),
    "tensor": results.variable("tensor", list(sizes), "tensor"),
    "members": results.variable("members", ["all", *map(str, run.seed_S)], "seeds"),
  }
  return results.dataset(
    variables,
    coords,
    selected=sum(sizes.values()),
    left_out=total - sum(sizes.values()),
    windows=len(start_N),
  )


def _changes(run, nll_SxVxRxN, ratio_R, start_N) -> dict:
  """Returns the change of the NLL from the intact network, paired over windows."""
  intact_SxN = nll_SxVxRxN[:, 0, np.argmin(ratio_R)]
  delta_SxVxRxN = nll_SxVxRxN - intact_SxN[:, None, None]
  interval = scoring.interval(run, delta_SxVxRxN, start_N)
  said = "change of the NLL from the intact network"
  return results.with_interval("delta", "variant ratio", interval, said, NATS)


GAINS = {
  "masking": "masking at the ratio chosen on select",
  "recalibration": "recalibration alone",
  "masking_minus_recalibration": "masking minus recalibration",
}


def _gains(run, nll_SxVxRxN, ratio_R, select_SxR, start_N) -> dict:
  """Returns masking at the ratio that is best on select, beside recalibrating the intact network.

  Of all seeds, then of each; below 0 is better.
  """
  intact, best_S = int(np.argmin(ratio_R)), np.argmin(select_SxR, axis=1)
  seeds = np.arange(len(best_S))
  masked_SxN, base_SxN = nll_SxVxRxN[seeds, 0, best_S], nll_SxVxRxN[:, 0, intact]
  recalibrated_SxN = nll_SxVxRxN[:, -1, intact]
  picks = [slice(None), *(slice(s, s + 1) for s in seeds)]
  chosen = [float(ratio_R[best_S[pick]].mean()) for pick in picks]
  level = [float(base_SxN[pick].mean()) for pick in picks]
  found = {
    "chosen_ratio": results.variable("members", chosen, "ratio chosen on select"),
    "intact_nll": results.variable("members", level, "NLL on test of the intact network", NATS),
  }
  changes = (masked_SxN - base_SxN, recalibrated_SxN - base_SxN, masked_SxN - recalibrated_SxN)
  for (name, said), change_SxN in zip(GAINS.items(), changes, strict=True):
    each = [scoring.interval(run, change_SxN[pick], start_N)[:3] for pick in picks]
    interval = statistics.Interval(*np.array(each, np.float64).T)
    found |= results.with_interval(name, "members", interval, said, NATS)
  return found


BROKEN = 0.1  # of the intact network's |NLL|: a mask that changes it by more breaks the network


def breaks(found: xr.Dataset, variant: str = "magnitude") -> statistics.Interval:
  """Returns the fraction removed at which the change of the NLL first exceeds `BROKEN`.

  Of the mean over seeds, linear between the ratios; its ends are where the ends of the change's
  interval exceed it. 1 where it does not up to the largest ratio.
  """
  limit = BROKEN * abs(float(found.intact_nll.sel(members="all")))
  one = found[["delta", "delta_interval"]].sel(variant=variant).sortby("ratio")
  low_R, high_R = one.delta_interval.sel(end=list(results.ENDS)).transpose("end", "ratio").values
  cross = lambda change_R: _crossing(one.ratio.values.astype(float), change_R, limit)
  return statistics.Interval(cross(one.delta.values), cross(high_R), cross(low_R))


def _crossing(ratio_R, change_R, limit: float) -> float:
  above = np.flatnonzero(change_R > limit)
  if not above.size:
    return 1.0
  last = int(above[0])
  first = max(last - 1, 0)
  return float(np.interp(limit, change_R[[first, last]], ratio_R[[first, last]]))


# --- figures, tables, the line of the summary -----------------------------------------------------


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares them."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  gain = _of_masks(results.across(runs, "chosen_ratio", *GAINS).sel(members="all"))
  delta = results.across(runs, "delta").sel(variant=["magnitude", "recalibrated"])
  where = [breaks(found)[:3] for found in runs.values()]
  broken = results.dataset(
    results.with_interval(
      "breaks", "run", statistics.Interval(*np.array(where).T), "fraction of weights removed"
    ),
    {"run": results.variable("run", list(runs), "run")},
  )
  shared = draw.page(
    (
      draw.whiskers(gain, list(GAINS), colour="run", title="Change at the ratio chosen on select"),
      draw.curves(
        delta,
        "delta",
        x="ratio",
        colour="run",
        dash="variant",
        names=NAMES,
        title="By ratio (bands: 95 %)",
      ),
    ),
    draw.rows(
      broken,
      "breaks",
      x="run",
      form=".2f",
      xlim=(0, 1.02),
      title=f"Where magnitude masks break a network: the NLL has risen by {100 * BROKEN:.0f} %"
      " (bars: 95 %)",
    ),
    heights=[3.6, 1.3 + 0.35 * len(runs)],
  )
  return {"all runs": shared} | pages


def _of_masks(gain: xr.Dataset) -> xr.Dataset:
  """Returns the changes without those of a mask where none was chosen."""
  of_mask = [str(name) for name in gain.data_vars if str(name).startswith("masking")]
  return gain.assign({name: gain[name].where(gain.chosen_ratio > 0) for name in of_mask})


def _page(run: str, found: xr.Dataset) -> draw.Page:
  near = round(max(0.1, -1.25 * float(found.delta.min())), 2)  # never hides an improvement
  look = {"x": "ratio", "colour": "variant", "names": NAMES}
  each = {"x": "ratio", "thin": "seed", "zero": False}
  sizes = [
    f"{name} ({size:,})"
    for name, size in zip(found.tensor.values, found["size"].values, strict=True)
  ]
  kept = found.assign_coords(tensor=results.variable("tensor", sizes, "tensor (weights)"))
  return draw.page(
    (
      draw.curves(
        found,
        "nll",
        thin="seed",
        symlog=2,
        zero=False,
        title=f"{run} on {found.windows:,} windows of test (thin: seeds, thick: median)",
        **look,
      ),
      draw.curves(
        _one_band(found),
        "delta",
        ylim=(-near, near),
        title=f"Within {near:g} nats (band: 95 %, of the first)",
        **look,
      ),
    ),
    (
      draw.curves(
        found,
        "select_nll",
        title="The ratio of the global\nmask is chosen here",
        ylabel="NLL on select (nats)",
        **each,
      ),
      draw.curves(
        found,
        "log_scale",
        title="What recalibration then fits:\nfactor of every scale",
        ylabel="logarithm of the factor",
        **each,
      ),
      draw.curves(
        found,
        "mean_shift",
        title="What recalibration then fits:\nshift of every mean",
        ylabel="shift (mean spacings)",
        **each,
      ),
    ),
    draw.heat(
      kept,
      "survival",
      rows="tensor",
      columns="ratio",
      limits=(0, 1),
      title="Fraction of each tensor that survives the global magnitude mask",
    ),
    heights=[4.2, 3, 1.2 + 0.26 * found.sizes["tensor"]],
  )


def _one_band(found: xr.Dataset) -> xr.Dataset:
  """Returns the changes with the interval of the magnitude mask alone: five bands hide each
  other, and the table has all."""
  mine = found.variant == "magnitude"
  return found.assign(delta_interval=found.delta_interval.where(mine))


def tables(runs) -> list[tables_lib.Table]:
  """Returns published networks with those of all runs below, then the curves of all runs."""
  columns = {
    "seeds": "members",
    "ratio": "chosen_ratio",
    "intact NLL": "intact_nll",
    "masking": "masking",
    "recalibration alone": "recalibration",
    "masking minus recalibration": "masking_minus_recalibration",
  }
  rows = [
    {
      "network": f"{row['model']} (published)",
      "seeds": "",
      "scored on": "the tail",
      "ratio": row["ratio"],
      "intact NLL": row["intact"],
      "masking": row["best"] - row["intact"],
    }
    for row in NETWORKS
  ]
  for run, found in runs.items():
    for row in tables_lib.records(found, columns, "members"):
      its = {"network": run, "seeds": row["seeds"]}
      its |= {"scored on": f"{found.windows:,} windows of test"}
      rows.append(its | (row if row["ratio"] else _without_mask(row)))
  formats = {"ratio": ".2f"} | dict.fromkeys(list(columns)[2:], "+.3f")
  return [
    tables_lib.Table(
      "Change of the NLL in nats per spacing; below 0 is better. A mask shows a core of knowledge"
      " only where the last column is below 0. Ratios of published networks were chosen on the data"
      " that is reported, without intervals or controls. Ratio 0: no mask lowers the NLL on select."
      " The NLL of networks trained here is that of these windows; that on all of test is in the"
      " section on anchors.",
      rows,
      formats,
      "chosen",
    ),
    _curves(runs),
    _breaking(runs),
  ]


def _breaking(runs) -> tables_lib.Table:
  """Returns where masks break the published networks and those of all runs."""
  edits = ("magnitude", "per tensor", "random", "noise")
  rows = [
    {"network": f"{row['model']} (published)", "magnitude": row["breaks"]} for row in NETWORKS
  ]
  rows += [
    {"network": run} | {edit: breaks(found, edit) for edit in edits} for run, found in runs.items()
  ]
  return tables_lib.Table(
    "Fraction of weights removed at which a network breaks: the change of its NLL first exceeds"
    f" {100 * BROKEN:.0f} % of |NLL| of the intact network, mean over seeds, linear between the"
    " ratios; in brackets where the ends of the change's 95 % interval do. 1: not up to the largest"
    " ratio. Published ones have no interval, and come from a grid of ratios.",
    rows,
    dict.fromkeys(edits, ".2f"),
    "breaks",
  )


def _without_mask(row: dict) -> dict:
  """Returns the row of a network for which no mask was chosen: none has a change."""
  return row | {"masking": None, "masking minus recalibration": None}


def _curves(runs) -> tables_lib.Table:
  reported = {np.float32(row["ratio"]): row["nll"] - INTACT["nll"] for row in E4}
  rows = [
    {"network": run, "removed": float(ratio)}
    | {
      name: tables_lib.interval(found, "delta", variant=name, ratio=ratio)
      for name in found.variant.values.tolist()
    }
    | {"published E4, seed 7": reported.get(ratio)}
    for run, found in runs.items()
    for ratio in found.ratio.values
  ]
  found = next(iter(runs.values()))
  windows = tables_lib.distinct(f"{each.windows:,}" for each in runs.values())
  return tables_lib.Table(
    f"Change of the NLL by fraction removed, in nats per spacing, on {windows} windows of test."
    f" Masks choose among {found.selected:,} weights and leave {found.left_out:,} alone.",
    rows,
    {"removed": ".2f", **dict.fromkeys([*NAMES, "published E4, seed 7"], "+.4f")},
    "curves",
  )


def line(runs) -> str:
  """Returns a sentence of what masks and recalibration change."""
  return f"Masks: {'; '.join(f'{run}: {_sentence(found)}' for run, found in runs.items())}."


NONE_CHOSEN = "no mask lowers the NLL on select, so that none is chosen"


def _sentence(found: xr.Dataset) -> str:
  gain = {name: _gain(found, name) for name in GAINS}
  where = f"on {found.windows:,} windows of test"
  if not _ratio(found):
    changed = f"recalibration changes the NLL {where} by {gain['recalibration']:+.3f} nats"
    return f"{NONE_CHOSEN}; {changed}"
  return (
    f"the mask chosen on select ({_ratio(found):.2f} removed) changes the NLL {where} by"
    f" {gain['masking']:+.3f} nats, recalibration alone by {gain['recalibration']:+.3f}, mask"
    f" minus recalibration {gain['masking_minus_recalibration']:+.3f}"
  )


def _ratio(found: xr.Dataset) -> float:
  return float(found.chosen_ratio.sel(members="all"))


def _gain(found: xr.Dataset, name: str) -> statistics.Interval:
  return tables_lib.interval(found, name, members="all")


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()


@CLAIMS.add(
  "masking.knowledge_core",
  f"Removing the {100 * BEST['ratio']:.0f} % smallest weights improves the model: its knowledge "
  f"sits in {100 - 100 * BEST['ratio']:.0f} % of the weights.",
  reported=f"{INTACT['nll']:.4f} -> {BEST['nll']:.4f} nats at ratio {BEST['ratio']:g}, one seed,"
  " chosen on the data reported",
  source=f"{program.REPOSITORY}, results/masking_E4_s7.json",
)
def knowledge_core(results):
  """Returns the verdict: masking has to beat the recalibration of the intact network, on test."""
  found = program.on_published(results).where(memory="postfix").of("masking")
  big = program.published_size(results, found)
  run = next(iter(big), next(iter(found)))
  gain = {name: _gain(found[run], name) for name in GAINS}
  because = (
    f"{run}: masking at the ratio chosen on select changes the test NLL by "
    f"{gain['masking']:+.4f} nats, recalibrating two numbers by "
    f"{gain['recalibration']:+.4f}, masking minus recalibration "
    f"{gain['masking_minus_recalibration']:+.4f}."
  )
  values = {
    "run": run,
    "ratio_chosen_on_select": _ratio(found[run]),
    "masking_gain_nats": gain["masking"].estimate,
    "recalibration_gain_nats": gain["recalibration"].estimate,
    "masking_minus_recalibration_nats": gain["masking_minus_recalibration"].estimate,
  }
  if not _ratio(found[run]):
    because = (
      f"{run}: {NONE_CHOSEN}; recalibrating two numbers changes the test NLL by"
      f" {gain['recalibration']:+.4f} nats."
    )
    values = {name: values[name] for name in values if not name.startswith("masking")}
  return claims.verdict(
    gain["masking"].high < 0,
    because,
    values,
    artefact=gain["masking_minus_recalibration"].high >= 0,
    undecided=program.undecided(big),
  )


@CLAIMS.add(
  "masking.every_model",
  "Masking improves every POSTFIX model.",
  reported=", ".join(f"{row['model']} {row['best'] - row['intact']:+.3f}" for row in NETWORKS)
  + " nats",
  source=f"{program.REPOSITORY}, cross-model table",
)
def every_model(results):
  """Returns the verdict of POSTFIX networks of the published size; others are shown with them."""
  found = program.on_published(results).of("masking")
  gain = {run: _gain(each, "masking") for run, each in found.items()}
  because = "; ".join(
    f"{run} {gain[run]:+.4f} nats at ratio {_ratio(each):.2f}"
    if _ratio(each)
    else f"{run}: {NONE_CHOSEN}"
    for run, each in found.items()
  )
  postfix = [run for run in found if results.cards[run]["memory"] == "postfix"]
  big = program.published_size(results, postfix)
  return claims.verdict(
    all(gain[run].high < 0 for run in big),
    because + ".",
    {run: one.estimate for run, one in gain.items() if _ratio(found[run])},
    undecided=program.undecided(big),
  )
