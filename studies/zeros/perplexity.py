"""How good is the perplexity of a binned network, and does it leak?

The published study's first networks read spacings as 256 tokens. The entropy of the marginal was
called the theoretical minimum of their perplexity. It is one for spacings in random order alone:
filters of a few coefficients are below it.

Here a perplexity P of tokens is an NLL of ln(P / 64) nats per spacing, so that networks, the
marginal and filters are on one scale, on the same tokens. A network that reads the future is better
in a window that holds it than in one that ends before. The leak of a spacing is how much lower its
NLL is when the window goes on behind it (docs/sources/zeros.md, sections 2.7, 5.12 and 6.9).
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import perplexity, statistics
from primelens.lens import claims, numbers, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.models import binned
from primelens.studies.zeros import program, scoring
from primelens.tasks import binned as task
from primelens.tasks import checks

# --- published ------------------------------------------------------------------------------------

NETWORKS = numbers.records(__file__, "networks")  # as reported, no intervals; the banks read ahead
FLOORS = numbers.records(__file__, "floors")  # the entropy of the marginal
PERPLEXITY = {row["network"]: row["perplexity"] for row in NETWORKS}
README = PERPLEXITY["SpacingGPT, 2 million zeros (README)"]
PAPER = PERPLEXITY["SpacingGPT, 2 million zeros (paper draft)"]
BANK = PERPLEXITY["MemoryBank, 2 million zeros"]


@dataclasses.dataclass(kw_only=True)
class Settings:
  """Where windows end, so that a leak shows."""

  windows: checks.Count = 512
  positions: checks.Number = 4  # ends of windows, evenly spread

  def __post_init__(self):
    checks.fields(self)


obstacle = program.no_tokens


# --- the network beside the marginal and filters --------------------------------------------------

ORDERS = (1, 3, 24, 64)
EDGE_E = np.arange(task.BINS + 1) * task.WIDTH


def _anchors(run, index_NxU):
  """Returns {name: NLL in nats per spacing of every token, NxU}, and the published floor."""
  series = run.series
  token_N = np.asarray(task.encode(series.value_N))
  train = series.splits.get("train_published", series.splits["train"])
  own_N = token_N[slice(*train)]
  index_N = index_NxU.ravel()
  scored_N = token_N[index_N]
  found = {
    "all bins alike": np.full(len(index_N), np.log(task.BINS)),
    "marginal of train": perplexity.marginal_nll(own_N, scored_N, task.BINS),
  }
  for order in ORDERS:
    nll_N = perplexity.autoregressive_nll(series.value_N, train, index_N, scored_N, EDGE_E, order)
    found[f"AR({order})"] = nll_N
  floor = perplexity.marginal_nll(own_N, own_N, task.BINS).mean()
  shape = index_NxU.shape
  density = lambda nll_N: perplexity.density_nll(nll_N, task.WIDTH)
  nats = {name: density(x).reshape(shape) for name, x in found.items()}
  return nats, float(np.exp(floor))


def _beside(run, nll_SxN, model_SxN, start_N) -> tuple[tuple, tuple]:
  """Returns the NLL of a predictor, by window in nats per spacing, and how far the model is below.

  Each with the ends of its interval; the second paired, and NaN for the model itself.
  """
  own = scoring.interval(run, nll_SxN, start_N)[:3]
  if model_SxN is nll_SxN:
    return own, (np.nan,) * 3
  return own, scoring.interval(run, model_SxN - nll_SxN, start_N)[:3]


# --- what the rest of a window gives away ---------------------------------------------------------


@functools.cache
def _cut(apply_fn, position: int, batch: int):
  """Returns `f(params, windows) -> NLL of the spacing at position + 1`, of
  whole windows and of windows that end at it, Nx2."""

  def each(params, window_NxT1):
    def one(row):
      score = lambda row: binned.score(apply_fn, params, row[None])[0]
      return jnp.stack([score(row)[position], score(row[: position + 2])[-1]])

    return jax.lax.map(one, window_NxT1, batch_size=batch)

  return jax.jit(jax.vmap(each, (0, None)))


def _leaks(run):
  """Returns where windows are cut, and the NLL whole and cut, SxPxNx2."""
  settings, model = run.settings.perplexity, run.experiment.model
  there = len(run.batches("test")[1])
  window_NxT1, start_N = run.batches("test", min(there, settings.windows))
  ends_P = np.linspace(0, model.window - 1, settings.positions + 1)[1:]
  # Before the last spacing but one: the next input is the target, and no more.
  ends_P = np.unique([*ends_P.astype(int), max(model.window - 2, 0)])
  batch = run.settings.evaluation.batch
  found = [_cut(run.apply, int(end), batch)(run.params_S, window_NxT1) for end in ends_P]
  return ends_P, np.stack(found, axis=1).astype(np.float64), start_N


# --- the result -----------------------------------------------------------------------------------

NATS = "nats per spacing"
MODEL, UNTRAINED = "network", "untrained network"


def measure(run) -> xr.Dataset:
  """Returns the perplexities of a run's networks and of anchors on its test split, and its leak."""
  window_NxT1, start_N = run.batches("test", run.settings.evaluation.windows)
  index_NxU = scoring.targets(run, start_N)
  nll = lambda params_S: scoring.predictions(run, window_NxT1, params_S)[0]
  model_SxN = nll(None).mean(-1)
  anchors, floor = _anchors(run, index_NxU)
  by_name = {MODEL: model_SxN, UNTRAINED: nll(run.untrained_S()).mean(-1)}
  for name, nll_NxU in anchors.items():
    by_name[name] = np.broadcast_to(nll_NxU.mean(-1)[None], model_SxN.shape)
  pairs = [_beside(run, nll_SxN, model_SxN, start_N) for nll_SxN in by_name.values()]
  own, below = (
    statistics.Interval(*np.array(each, np.float64).T) for each in zip(*pairs, strict=True)
  )
  worth = statistics.Interval(*(perplexity.perplexity(end, task.WIDTH) for end in own[:3]))
  ends_P, cut_SxPxNx2, cut_start_N = _leaks(run)
  leak_SxPxN = cut_SxPxNx2[..., 1] - cut_SxPxNx2[..., 0]
  found = scoring.interval(run, leak_SxPxN, cut_start_N)
  leak_SxP = leak_SxPxN.mean(-1)
  leak = statistics.Interval(leak_SxP.mean(0), found.low, found.high)
  said = "change of NLL when the window is cut off"
  last_S = cut_SxPxNx2[:, -1, :, 1].mean(-1)
  variables = {
    **results.with_interval("nll", "predictor", own, "NLL on test", NATS),
    **results.with_interval("perplexity", "predictor", worth, "perplexity of tokens"),
    **results.with_interval(
      "network_minus", "predictor", below, "NLL of the network minus the predictor's", NATS
    ),
    "network_nll": results.variable("seed", model_SxN.mean(1), "NLL on test", NATS),
    **results.with_interval("leak", "position", leak, f"{said}, mean of seeds", NATS),
    "leak_of_seeds": results.variable("seed position", leak_SxP, said, NATS),
    "last_nll": results.variable("seed", last_S, "NLL of the last spacing of a window", NATS),
  }
  coords = {
    "predictor": results.variable("predictor", list(by_name), "predictor"),
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "position": results.variable("position", ends_P + 1, "spacings of the window before it"),
  }
  return results.dataset(
    variables,
    coords,
    network=run.name,
    floor=floor,
    variant=run.experiment.model.variant,
    scored=int(index_NxU.size),
    windows=len(cut_start_N),
  )


# --- figures and tables ---------------------------------------------------------------------------


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares their networks."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  nll = results.across(runs, "nll").sel(predictor=[MODEL, UNTRAINED, "marginal of train", "AR(24)"])
  leak = results.across(runs, "leak")
  shared = draw.page(
    (
      draw.rows(nll, "nll", x="predictor", colour="run", title="NLL on test (95 %)"),
      draw.together(
        draw.curves(
          leak, "leak", x="position", colour="run", title="What later spacings give away"
        ),
        _at_least(0.01),
      ),
    ),
    heights=[3.8],
  )
  return {"all runs": shared} | pages


def _page(run: str, found: xr.Dataset) -> draw.Page:
  ranked = found.sortby("nll")
  names = [
    f"{name}  {value:.1f}"
    for name, value in zip(ranked.predictor.values, ranked.perplexity.values, strict=True)
  ]
  predictors = draw.rows(
    ranked,
    "nll",
    x="predictor",
    labels=names,
    form="+.3f",
    title=f"{run}: perplexity (left) as an NLL (95 %)",
  )
  return draw.page((predictors, _leak(found)), heights=[1.6 + 0.4 * found.sizes["predictor"]])


def _leak(found: xr.Dataset) -> draw.Panel:
  """Returns the leak of the mean over seeds with its interval, and of each seed."""
  name = found.variant.replace("_", " ")
  each = draw.curves(
    found,
    "leak_of_seeds",
    x="position",
    colour="seed",
    style={"color": draw.BLUE, "lw": 0.6, "alpha": 0.55, "marker": "", "label": None},
  )
  mean = draw.curves(
    found,
    "leak",
    x="position",
    style={"color": draw.BLUE, "label": f"{name}, mean of {found.sizes['seed']} seeds"},
    title="What later spacings\ngive away",
  )
  return draw.together(each, mean, _at_least(0.01))


def _at_least(reach: float) -> draw.Panel:
  """Returns limits of an axis that hold `reach` to either side of 0: rounding is no leak."""

  def panel(axes):
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -reach), max(high, reach))

  return panel


def tables(runs) -> list[tables_lib.Table]:
  """Returns the predictors of all runs, what windows give away, and the published networks."""
  columns = {
    "predictor": "predictor",
    "perplexity": "perplexity",
    "NLL": "nll",
    "network minus it": "network_minus",
  }
  rows = tables_lib.by_run(
    runs, lambda found: tables_lib.records(found.sortby("nll"), columns, "predictor")
  )
  scored = tables_lib.distinct(f"{found.scored:,}" for found in runs.values())
  floors = tables_lib.distinct(f"{found.floor:.1f}" for found in runs.values())
  return [
    tables_lib.Table(
      f"NLL in nats per spacing of {scored} tokens of test, 95 % intervals. The marginal of train"
      f" has a perplexity of {floors} on train itself, as published.",
      rows,
      {"perplexity": ".1f", "NLL": ".4f", "network minus it": "+.4f"},
      "predictors",
    ),
    _leak_table(runs),
    _seeds_table(runs, scored),
    _published(),
  ]


def _seeds_table(runs, scored: str) -> tables_lib.Table:
  columns = {"seed": "seed", "NLL": "network_nll", "last spacing of a window": "last_nll"}
  rows = tables_lib.by_run(runs, lambda found: tables_lib.records(found, columns, "seed"))
  return tables_lib.Table(
    f"Each network: NLL in nats per spacing of all {scored} tokens of test that are scored, and of"
    " the last one of a window, behind which there is nothing to read ahead.",
    rows,
    {"seed": "d", "NLL": ".4f", "last spacing of a window": ".4f"},
    "seeds",
  )


def _leak_table(runs) -> tables_lib.Table:
  columns = {"spacings before": "position", "leak": "leak"}
  rows = tables_lib.by_run(runs, lambda found: tables_lib.records(found, columns, "position"))
  windows = tables_lib.distinct(f"{found.windows:,}" for found in runs.values())
  return tables_lib.Table(
    "What the window gives away: how much lower the NLL of a spacing is when the window goes on"
    f" behind it, in nats, on {windows} windows; 0 without a leak.",
    rows,
    {"leak": "+.4f"},
    "leak",
  )


def _published() -> tables_lib.Table:
  rows = [{"published": row["network"], "perplexity": row["perplexity"]} for row in NETWORKS]
  rows += [
    {"published": f"entropy of the marginal ({row['source']})", "perplexity": row["perplexity"]}
    for row in FLOORS
  ]
  return tables_lib.Table(
    "As reported, no intervals; the banks read the future. NLL in nats per spacing.",
    [row | {"NLL": float(np.log(row["perplexity"] * task.WIDTH))} for row in rows],
    {"perplexity": ".2f", "NLL": "+.3f"},
    "published",
  )


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
SEEN = 1e-3  # nats; less is no reason for a perplexity
AR24 = 0.124  # nats per spacing, of 24 coefficients fitted on train


@CLAIMS.add(
  "losses.bank",
  f"A memory bank lowers the perplexity to {BANK}, and"
  f" {PERPLEXITY['MemoryBank, 100 million zeros']} on 100 million zeros.",
  reported=f"{BANK} and {PERPLEXITY['MemoryBank, 100 million zeros']}, against {README} and"
  f" {PERPLEXITY['SpacingGPT, 100 million zeros']} without",
  source=f"{program.REPOSITORY}, README and project notes",
)
def bank(results):
  """Returns the verdict: the published mean leaks, which is a matter of the plan."""
  found = program.of_binned(results, "bank_leaky_as_published").of("perplexity")
  parts, values, leaks = [], {}, []
  for run, each in found.items():
    most = each.isel(position=int(np.argmax(each.leak.values)))
    its = tables_lib.interval(most, "leak")
    leaks.append(its.low > SEEN)
    values[f"{run}: leak"] = its.estimate
    count = results.cards[run]["seeds"]
    parts.append(
      f"{run} ({count} seed{'s' * (count > 1)}): after "
      f"{int(most.position)} spacings of the window the "
      f"rest of it lowers the NLL by {its.estimate:.4f} nats [{its.low:.4f}, {its.high:.4f}]"
    )
  for run, each in _causal_banks(results).items():
    values[f"{run}: leak"] = float(np.abs(each.leak_of_seeds).max())
    parts.append(f"{run}, whose mean is causal: {values[f'{run}: leak']:.4f}")
  filtered = _perplexity(next(iter(found.values())), "AR(24)").estimate
  values["AR(24): perplexity"] = filtered
  because = (
    "The query is a projection of the mean over all positions, those to be "
    "predicted among them. " + "; ".join(parts) + ". "
    f"A linear filter of 24 coefficients has the perplexity {filtered:.1f} on the same zeros,"
    f" below the published {BANK}."
  )
  undecided = "" if any(leaks) else program.SMALL_BINNED
  return claims.verdict(True, because, values, artefact=True, undecided=undecided)


def _causal_banks(results) -> dict[str, xr.Dataset]:
  try:
    return program.of_binned(results, "bank").of("perplexity")
  except claims.Missing:
    return {}


def _perplexity(found: xr.Dataset, predictor: str) -> tables_lib.Interval:
  return tables_lib.interval(found, "perplexity", predictor=predictor)


@CLAIMS.add(
  "losses.binned",
  f"The binned network has a perplexity of {README}, against {PAPER} without order.",
  reported=f"{README} (README); {PAPER}, at the limit {FLOORS[1]['perplexity']} (paper draft)",
  source=f"{program.REPOSITORY}, README and paper draft",
)
def baseline(results):
  """Returns the verdict on two published perplexities of one network, beside those measured."""
  found = program.of_binned(results, "gpt").of("perplexity")
  reached_by = {run: _perplexity(each, MODEL) for run, each in found.items()}
  marginal = _perplexity(next(iter(found.values())), "marginal of train").estimate
  said = "; ".join(f"{run}: {its:.1f}" for run, its in reached_by.items())
  # One network's interval says nothing of others.
  several = [run for run in reached_by if program.enough(results, run)]
  reached = any(reached_by[run].high <= README for run in several)
  because = (
    f"The source gives {README} and {PAPER} for one network. The marginal has "
    f"{marginal:.1f} on the tail, so {PAPER} is what a network "
    f"without any order would have. Here: {said}. In nats per spacing {README} "
    f"is {np.log(README * task.WIDTH):.3f}, behind AR(24) ({AR24})."
  )
  values = {run: its.estimate for run, its in reached_by.items()} | {"marginal": marginal}
  decided = reached or program.large_binned(results, found)
  undecided = "" if decided else program.SMALL_BINNED
  return claims.verdict(reached, because, values, undecided=undecided)
