"""Does a memory put order into what a network generates?

Published was a running mean of last states, added to the logits of a network that never saw a
memory ("elephant"): it raised a plateau of the form factor, and noise ("placebo") lowered it. That
plateau is the mean of 11 values of one unaveraged form factor, the resonance of the mean spacing
among them, and each arm was run once; the placebo was ten times as long as the memory.

Here the same arms are drawn again with other keys, from the same contexts, so that arms are paired.
Placebos have the memory's length, memories come from other places too, and a constant bias has the
memory's marginal. The plateau that means something lies behind the Heisenberg time, and is 1 for
the zeros and for independent spacings alike: it is the ramp and the number variance that tell them
apart (docs/sources/zeros.md, sections 4.9 and 6.5).
"""

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import form_factors, slots, statistics, sweeps, trees
from primelens.lens import claims, numbers, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.models import binned_generation
from primelens.studies.zeros import program
from primelens.tasks import binned as task
from primelens.tasks import checks

# --- published ------------------------------------------------------------------------------------

# One plateau each, of 50 trajectories of 512 tokens.
PLATEAUS = {row["arm"]: row["plateau"] for row in numbers.records(__file__, "plateaus")}
RECURRENT = {row["network"]: row["plateau"] for row in numbers.records(__file__, "recurrent")}
PLACEBO_NORM, MEMORY_NORM = 45.25, 4.65  # 4 sqrt(128); the elephant's log
# The plateau of zeros by their number.
SCALING = [row["plateau"] for row in numbers.records(__file__, "scaling", "form_factor")]


@dataclasses.dataclass(kw_only=True)
class Settings:
  """Trajectories drawn with and without a memory."""

  warm_up: checks.Number = 50  # windows a memory has read
  context: checks.Number = 64  # tokens before a trajectory
  tokens: Annotated[int, checks.Range(8, 10_000_000)] = 512  # of a trajectory
  trajectories: checks.Several = 50
  repeats: checks.Number = 10  # of all trajectories, with other keys
  sweep_batch: checks.Count = 1  # (seed, arm, repeat) triples in memory at a time
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


def obstacle(experiment) -> str:
  """Returns why a run's model cannot be generated from so, or ""."""
  other = program.no_tokens(experiment)
  if other or experiment.model.variant in ("gpt", "rmt"):
    return other
  return "its memory is a bank, not a vector that a sequence leaves behind."


# --- the arms: which memory goes where ------------------------------------------------------------

EMPTY, SELECT, TEST, LOW, SHUFFLED, LARGE = range(6)  # where memories are from
PLAIN, TARGET = "amnesiac", "elephant"  # the constant bias has the marginal of the second
PLACEBO, PUBLISHED_PLACEBO = "placebo, same norm", "placebo_as_published"
BIAS = "constant bias, same marginal"


class Arm(NamedTuple):
  """Which memory, and whether it moves, is random, is redrawn, or biased."""

  name: str
  source: int
  moves: int = 0
  drawn: int = 0
  redrawn: int = 0
  biased: int = 0


ARMS = (
  Arm(PLAIN, EMPTY),
  Arm(TARGET, SELECT, moves=1),
  Arm("elephant_as_published", TEST, moves=1),
  Arm("memory fixed", SELECT),
  Arm("memory of another height", LOW),
  Arm("memory of shuffled spacings", SHUFFLED),
  Arm(PLACEBO, SELECT, drawn=1, redrawn=1),
  Arm("placebo, same norm, fixed", SELECT, drawn=1),
  Arm(PUBLISHED_PLACEBO, LARGE, drawn=1, redrawn=1),
)
BIASED = Arm(BIAS, EMPTY, biased=1)
NAMES = tuple(arm.name for arm in (*ARMS, BIASED))


def _rows(run, start: int, count: int) -> np.ndarray:
  """Returns neighbouring windows of tokens from an index on, NxT."""
  length = binned_generation.window_of(run.experiment.model)
  value_N = run.series.value_N[start : start + count * length]
  return np.asarray(task.encode(value_N)).reshape(-1, length)


def _sources(run, params_S):
  """Returns the memories of every seed, SxVxD, by their origin V."""
  settings, model = run.settings.memory_effect, run.experiment.model
  length = settings.warm_up * binned_generation.window_of(model)
  test, low = run.series.bounds("test")[0], run.series.bounds("train")[0]
  # The last of select: near the test split, and none of it.
  select = max(low, run.series.bounds("select")[1] - length)
  rows = [_rows(run, at, settings.warm_up) for at in (select, test, low)]
  rng = np.random.default_rng([settings.seed, 1])
  rows.append(rng.permutation(rows[0].ravel()).reshape(rows[0].shape))
  width = model.trunk.width

  def memories(params, token_VxWxT):
    warm = lambda token: binned_generation.warmed(model, params, token)
    warmed_VxD = jax.lax.map(warm, token_VxWxT)
    empty_D = binned_generation.empty(model, params)
    # As long as the published placebo, 4 N(0, 1)^D; its direction is drawn.
    large_D = jnp.full(width, 4.0)
    return jnp.concatenate([empty_D[None], warmed_VxD, large_D[None]])

  each = jax.jit(jax.vmap(memories, (0, None)))
  return each(params_S, np.stack(rows))


def _plans(arms, repeats: int, seed: int) -> dict[str, np.ndarray | jax.Array]:
  """Returns the plan of every arm and repeat, stacked along V R.

  A repeat has the same key in every arm.
  """
  keys_R = jax.random.split(jax.random.key(seed), repeats)
  fields = {
    name: np.repeat([getattr(arm, name) for arm in arms], repeats) for name in Arm._fields[1:]
  }
  return fields | {"key": jnp.tile(keys_R, len(arms))}


_GENERATORS: dict[tuple[str, int], Callable] = {}


def _generator(model, length: int) -> Callable:
  """Returns `f(bundle, plan, contexts) -> tokens NxG`, the same object for
  equal models, so that it is compiled once."""

  def generated(bundle, plan, context_NxK):
    own = {
      "memory_D": bundle["memory_VxD"][plan["source"]],
      "bias_V": plan["biased"] * bundle["bias_V"],
      **{name: plan[name] for name in ("moves", "drawn", "redrawn", "key")},
    }
    return binned_generation.generate(model, bundle["params"], own, context_NxK, length)

  return _GENERATORS.setdefault((repr(model), length), generated)


def trajectories(run, params_S) -> tuple[np.ndarray, np.ndarray]:
  """Returns the tokens of every arm, SxVxRxNxG, and the memories, SxVxD.

  All arms start at the same contexts with the same keys, so they are paired.
  """
  settings, model = run.settings.memory_effect, run.experiment.model
  seeds, repeats = trees.length(params_S), settings.repeats
  start = run.series.bounds("test")[0]
  rows_NxT = _rows(run, start, settings.trajectories)
  # A recurrent network is given a whole segment.
  context = None if model.variant == "rmt" else settings.context
  context_NxK = rows_NxT[:, :context]
  memory_SxVxD = _sources(run, params_S)
  bundle_S = {
    "params": params_S,
    "memory_VxD": memory_SxVxD,
    "bias_V": np.zeros((seeds, task.BINS), np.float32),
  }
  generated = _generator(model, settings.tokens)

  def sweep(arms, bundle_S):
    token = sweeps.over(
      generated,
      bundle_S,
      _plans(arms, repeats, settings.seed),
      data=(context_NxK,),
      batch_size=settings.sweep_batch,
    )
    return np.asarray(token).reshape(seeds, len(arms), repeats, *token.shape[2:])

  token = sweep(ARMS, bundle_S)
  target, plain = token[:, NAMES.index(TARGET)], token[:, 0]
  bias_SxV = [slots.matched_bias(target[s], plain[s], task.BINS) for s in range(seeds)]
  bundle_S["bias_V"] = np.stack(bias_SxV).astype(np.float32)
  biased = sweep((BIASED,), bundle_S)
  return np.concatenate([token, biased], axis=1), np.asarray(memory_SxVxD)


# --- statistics of trajectories -------------------------------------------------------------------

TAU_Q = np.round(np.arange(0.02, 2.001, 0.02), 2)
NULL_DRAWS = 40
LENGTH_Q = (1.0, 2.0, 5.0, 10.0, 20.0)


def _statistics(spacing_RxNxG):
  rows = spacing_RxNxG.reshape(-1, spacing_RxNxG.shape[-1])
  return slots.trajectory_statistics(rows, TAU_Q, LENGTH_Q)


def _real(run, tokens: int):
  """Returns the statistics of the test split, in rows as long as the trajectories."""
  first, last = run.series.bounds("test")
  value_N = run.series.value_N[first:last].astype(np.float64)
  whole = len(value_N) // tokens * tokens
  rows_NxG = value_N[:whole].reshape(-1, tokens)
  return slots.trajectory_statistics(rows_NxG, TAU_Q, LENGTH_Q)


def _renewal(run) -> np.ndarray:
  value_N = run.series.value_N[slice(*run.series.bounds("test"))]
  value_N = value_N / value_N.mean(dtype=np.float64)
  return form_factors.renewal(form_factors.characteristic(value_N, TAU_Q))


def _null(run) -> np.ndarray:
  """Returns the published plateau of independent spacings, as many as the
  published run had, `NULL_DRAWS` times."""
  value_N = run.series.value_N[slice(*run.series.bounds("test"))]
  rng = np.random.default_rng([run.settings.memory_effect.seed, 2])
  one = lambda: slots.plateau_as_published(rng.choice(value_N, slots.PUBLISHED_TRAJECTORY))
  return np.array([one() for _ in range(NULL_DRAWS)])


_AT = LENGTH_Q.index(10.0)
STATISTICS = {
  "plateau": (lambda x: x.plateau_N, "mean K on 1.2 < τ < 1.8"),
  "slope": (lambda x: x.slope_N, "slope of the ramp"),
  "variance_10": (lambda x: x.variance_NxQ[:, _AT], "number variance in 10 mean spacings"),
}


def _changes(by_arm) -> dict[str, xr.Variable]:
  """Returns every arm's statistics, and their change by the arm, with their intervals."""
  found: dict[str, xr.Variable] = {}
  for key, (column, meaning) in STATISTICS.items():
    own = [np.stack([column(x) for x in its]) for its in by_arm]
    change = [each - own[0] for each in own]
    for name, values, said in (
      (key, own, meaning),
      (f"{key}_change", change, f"{meaning}, change from {PLAIN}"),
    ):
      # A trajectory is a block of its own.
      each = [statistics.seed_block_interval(value, block=1)[:3] for value in values]
      interval = statistics.Interval(*np.array(each, np.float64).T)
      found |= results.with_interval(name, "arm", interval, said)
  return found


def _distance(its, real) -> tuple[float, float]:
  """Returns the mean squared distance of K from the real one on the ramp, and its error."""
  ramp_Q = TAU_Q < 1
  real_Q = real.k_NxQ.mean(0)[ramp_Q]
  near = [form_factors.squared_distance(x.k_NxQ[:, ramp_Q], real_Q) for x in its]
  over = statistics.seed_interval([x.estimate for x in near])
  # What seeds scatter by holds the noise of each one's trajectories.
  error = (near[0] if len(near) == 1 else over).standard_error
  return float(over.estimate), float(error)


def _published(own_SxR, base_SxR) -> dict[str, float]:
  """Returns the published plateau, its spread over repeats, its "gain"."""
  gain = slots.gain_percent_as_published(own_SxR, base_SxR)
  spread = lambda x: float(x.std(1, ddof=1).mean()) if x.shape[1] > 1 else 0.0
  return {
    "mean_as_published": float(own_SxR.mean()),
    "spread_as_published": spread(own_SxR),
    "gain": float(np.median(gain)),
    "lowest_gain": float(gain.min()),
    "highest_gain": float(gain.max()),
  }


# --- the result -----------------------------------------------------------------------------------

BY_ARM = {
  "memory_norm": ("norm of the memory, mean of seeds", ""),
  "mean_spacing": ("mean spacing", ""),
  "distance": ("mean squared distance of K from the zeros', τ < 1", ""),
  "distance_error": ("mean squared distance of K from the zeros', standard error", ""),
  "mean_as_published": ("plateau as published, mean of seeds and repeats", ""),
  "spread_as_published": ("plateau as published, standard deviation over repeats", ""),
  "gain": ("gain as published, median of repeats", "%"),
  "lowest_gain": ("gain as published, lowest of repeats", "%"),
  "highest_gain": ("gain as published, highest of repeats", "%"),
}


def measure(run) -> xr.Dataset:
  """Returns the statistics of what networks generate in every arm, beside the zeros' own."""
  settings = run.settings.memory_effect
  token, memory_SxVxD = trajectories(run, run.params_S)
  spacing = task.decode(token.astype(np.float64))
  real = _real(run, settings.tokens)
  arms = [[_statistics(one) for one in seed] for seed in spacing]  # S, V
  by_arm = list(zip(*arms, strict=True))
  published = np.array(
    [[[slots.plateau_as_published(x) for x in one] for one in seed] for seed in spacing]
  )
  norm_SxV = np.linalg.norm(memory_SxVxD, axis=-1)
  plateau = lambda one: one.plateau_N.reshape(settings.repeats, -1).mean(1)
  stack = lambda f: np.array([[f(one) for one in its] for its in by_arm])
  rows = []
  for v, (arm, its) in enumerate(zip((*ARMS, BIASED), by_arm, strict=True)):
    distance, error = _distance(its, real)
    rows.append(
      {
        "memory_norm": float(norm_SxV[:, arm.source].mean()),
        "mean_spacing": float(np.mean([x.mean for x in its])),
        "distance": distance,
        "distance_error": error,
        **_published(published[:, v], published[:, 0]),
      }
    )
  k, variance = "form factor K", "number variance Σ²"
  variables = {
    **_changes(by_arm),
    **{
      name: results.variable("arm", [row[name] for row in rows], *said)
      for name, said in BY_ARM.items()
    },
    "k": results.variable(
      "arm tau", stack(lambda one: one.k_NxQ.mean(0)).mean(1), f"{k}, mean of trajectories"
    ),
    "real_k": results.variable("tau", real.k_NxQ.mean(0), f"{k} of the zeros"),
    "renewal_k": results.variable("tau", _renewal(run), f"{k} of independent spacings, exact"),
    "plateau_by_repeat": results.variable(
      "arm seed repeat", stack(plateau), "mean K on 1.2 < τ < 1.8"
    ),
    "plateau_as_published": results.variable(
      "arm seed repeat", np.moveaxis(published, 1, 0), "plateau as published, mean of 11 values"
    ),
    "null_as_published": results.variable(
      "draw", _null(run), "plateau as published, independent spacings"
    ),
    "number_variance": results.variable(
      "arm length",
      stack(lambda one: one.variance_NxQ.mean(0)).mean(1),
      f"{variance}, mean of trajectories",
    ),
    "real_number_variance": results.variable(
      "length", real.variance_NxQ.mean(0), f"{variance} of the zeros"
    ),
    "norm": results.variable("seed", norm_SxV[:, SELECT], "norm of the memory of select"),
  }
  coords = {
    "arm": results.variable("arm", list(NAMES), "arm"),
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "tau": results.variable("tau", TAU_Q, "τ", "1: Heisenberg time"),
    "length": results.variable("length", np.array(LENGTH_Q), "length L", "mean spacings"),
  }
  return results.dataset(
    variables,
    coords,
    real_plateau=float(real.plateau_N.mean()),
    real_slope=float(real.slope_N.mean()),
    real_blocks=len(real.plateau_N),
    variant=run.experiment.model.variant,
    trajectories=settings.trajectories,
    tokens=settings.tokens,
  )


# --- figures and tables ---------------------------------------------------------------------------

SHOWN = (PLAIN, TARGET, PLACEBO, PUBLISHED_PLACEBO, BIAS)  # the other curves would lie on them


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares what their arms change."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  names = ("plateau_change", "variance_10_change")
  change = _named(results.across(runs, *names).drop_sel(arm=PLAIN))
  look = {"x": "arm", "colour": "run"}
  text: dict[str, Any] = {"yticklabels": []}
  shared = draw.page(
    (
      draw.rows(change, names[0], title="Change of the plateau (95 %)", **look),
      draw.rows(change, names[1], title="Change of the number variance (95 %)", **look, **text),
    ),
    heights=[4.4],
  )
  return {"all runs": shared} | pages


def _named(found: xr.Dataset) -> xr.Dataset:
  """Returns a result with its arms named in words."""
  names = [name.replace("_", " ") for name in found.arm.values.tolist()]
  return found.assign_coords(arm=results.variable("arm", names, "arm"))


def _page(run: str, found: xr.Dataset) -> draw.Page:
  curves = _named(found[["k", "number_variance"]].sel(arm=[a for a in SHOWN if a in found.arm]))
  look = {"colour": "arm", "zero": False}
  k = draw.together(
    draw.line(found.tau, found.real_k, "zeros", "black", ls="-", lw=1.2),
    draw.line(found.tau, found.renewal_k, "independent spacings", draw.GREY, ls="-", lw=1.2),
    draw.curves(
      curves,
      "k",
      x="tau",
      style={"marker": "", "lw": 1.0},
      title=f"{run}: form factor of what is generated",
      ylabel="form factor K(τ)",
      ylim=(-0.05, 2.6),  # the resonance at 1 may go on
      **look,
    ),
  )
  lengths = found.length.values
  variance = draw.together(
    draw.line(
      lengths, found.real_number_variance, "zeros", "black", ls="-", lw=1.5, marker="o", ms=4
    ),
    draw.curves(
      curves,
      "number_variance",
      x="length",
      style={"lw": 1.2, "ms": 3},
      title="Number variance",
      ylabel="number variance Σ²(L)",
      xscale="log",
      **look,
    ),
    _ticks(lengths),
  )
  return draw.page(
    (k, variance), (_plateaus(found), _as_published(found)), heights=[4.6, 2.2 + 0.28 * len(NAMES)]
  )


def _ticks(values) -> draw.Panel:
  """Returns ticks at these values of x alone."""

  def panel(axes):
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.set_xticks([], minor=True)

  return panel


def _plateaus(found: xr.Dataset) -> draw.Panel:
  ends, each = found.plateau_interval.values, found.plateau_by_repeat.transpose("arm", ...).values
  held = [ends[np.isfinite(ends)], found.plateau.values, each.ravel(), [found.real_plateau, 1.0]]
  low, high = (f(np.concatenate(held)) for f in (np.min, np.max))
  room = 0.1 * (high - low) + 0.01

  def repeats(axes):
    for v, one in enumerate(each.reshape(len(each), -1)):
      label = None if v else "a repeat of a network"
      axes.plot(one, np.full(len(one), v + 0.15), ".", color=draw.BLUE, ms=4, label=label)

  return draw.together(
    repeats,
    draw.level(found.real_plateau, "zeros", along="x", ls="-", lw=1),
    draw.level(1, "1, GUE and Poisson", along="x", color=draw.GREY, ls=":", lw=1),
    draw.rows(
      _named(found),
      "plateau",
      x="arm",
      form=".3f",
      title="Plateau, 1.2 < τ < 1.8 (95 %)",
      xlim=(low - room, high + room),
    ),
  )


def _as_published(found: xr.Dataset) -> draw.Panel:
  null_P = found.null_as_published.values
  low, high = np.quantile(null_P, [0.025, 0.975])

  arms = found.arm.values.tolist()
  published = {arms.index(arm): value for arm, value in PLATEAUS.items() if arm in arms}

  def panel(axes):
    axes.axvspan(low, high, color=draw.GREY, alpha=0.15, lw=0, label="95 % of independent spacings")
    axes.axvline(null_P.mean(), color=draw.GREY, lw=1, label="independent spacings, mean")
    for v in range(len(arms)):
      value = found.plateau_as_published.isel(arm=v).values.ravel()
      label = "a repeat of a network" if v == 0 else None
      axes.plot(value, np.full(len(value), v), ".", color=draw.BLUE, label=label)
    axes.plot(
      list(published.values()),
      list(published),
      "D",
      ms=5,
      mfc="none",
      mec="black",
      label="published",
    )
    axes.set_yticks(range(len(arms)), [""] * len(arms))
    axes.set_ylim(len(arms) - 0.4, -0.6)
    axes.set(title="Plateau as published", xlabel="mean of 11 values of K")

  return panel


def tables(runs) -> list[tables_lib.Table]:
  """Returns the arms of all runs beside the published plateaus, and the recurrent networks."""
  rows = [
    {
      "run": run,
      "arm": one.arm.item().replace("_", " "),
      "norm": float(one.memory_norm),
      "mean": float(one.mean_spacing),
      "plateau": tables_lib.interval(one, "plateau"),
      "change": tables_lib.interval(one, "plateau_change"),
      "slope of the ramp, change": tables_lib.interval(one, "slope_change"),
      "Σ²(10), change": tables_lib.interval(one, "variance_10_change"),
      "distance of K from the zeros'": float(one.distance),
      "its error": float(one.distance_error),
      "plateau as published": float(one.mean_as_published),
      "its spread": float(one.spread_as_published),
      "lowest gain, %": float(one.lowest_gain),
      "highest gain, %": float(one.highest_gain),
      "published": PLATEAUS.get(one.arm.item()),
    }
    for run, found in runs.items()
    for one in (found.isel(arm=v) for v in range(found.sizes["arm"]))
  ]
  formats = {"norm": ".2f", "mean": ".3f", "plateau": ".3f"}
  formats |= dict.fromkeys(("change", "slope of the ramp, change", "Σ²(10), change"), "+.3f")
  formats |= dict.fromkeys(("distance of K from the zeros'", "its error"), ".4f")
  formats |= dict.fromkeys(("plateau as published", "its spread"), ".2f")
  formats |= dict.fromkeys(("lowest gain, %", "highest gain, %"), "+.0f")
  return [
    tables_lib.Table(
      "Trajectories of every arm, drawn again; changes from the amnesiac, paired, with 95 %"
      f" intervals. {' '.join(_words(run, found) for run, found in runs.items())} Gains as"
      " published are the lowest and highest over repeats. The published plateaus are of one run"
      f" each, with a placebo {PLACEBO_NORM:.0f} long beside a memory of {MEMORY_NORM}.",
      rows,
      formats,
      "arms",
    ),
    tables_lib.Table(
      "Published plateaus of recurrent networks, of one run each.",
      [{"network": name, "plateau": value} for name, value in RECURRENT.items()],
      {"plateau": ".2f"},
      "recurrent",
    ),
  ]


def _words(run: str, found: xr.Dataset) -> str:
  null_P = found.null_as_published.values
  return (
    f"{run}: {found.trajectories:,} trajectories of {found.tokens:,} tokens; zeros: plateau"
    f" {found.real_plateau:.3f}, slope {found.real_slope:.3f}, {found.real_blocks:,} blocks;"
    f" independent spacings: plateau as published {null_P.mean():.2f} ± {null_P.std(ddof=1):.2f}."
  )


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
_PERCENT = {arm: 100 * (value / PLATEAUS[PLAIN] - 1) for arm, value in PLATEAUS.items()}
_WITHOUT, _WITH = RECURRENT.values()


def _scatter(found: xr.Dataset, gap: float) -> tuple[float, float]:
  """Returns the spread of the published plateau of independent spacings, and a
  published difference in units of the spread of a difference."""
  spread = float(found.null_as_published.values.std(ddof=1))
  return spread, abs(gap) / (2**0.5 * spread)


def _change(found: xr.Dataset, arm: str, name: str = "plateau_change") -> tables_lib.Interval:
  return tables_lib.interval(found, name, arm=arm)


def _gains(found: xr.Dataset, arm: str) -> tuple[float, float]:
  one = found.sel(arm=arm)
  return float(one.lowest_gain), float(one.highest_gain)


@CLAIMS.add(
  "memory.elephant",
  f"Memory raises the plateau of the form factor by {_PERCENT['elephant_as_published']:.0f} %, a"
  f" placebo lowers it by {-_PERCENT[PUBLISHED_PLACEBO]:.0f} %.",
  reported=f"amnesiac {PLATEAUS[PLAIN]}, memory {PLATEAUS['elephant_as_published']}, placebo"
  f" {PLATEAUS[PUBLISHED_PLACEBO]}; one run each",
  source=f"{program.REPOSITORY}, final_verdict.py and its log (deleted)",
)
def elephant(results):
  """Returns the verdict: the plateau's own scatter, then what each arm does to a better one.

  Whether a plateau can carry a claim is a matter of its own scatter, which needs no network; what
  a memory does to large networks needs large ones.
  """
  runs = program.of_binned(results, "gpt").of("memory_effect")
  run, found = next(iter(runs.items()))
  gap = PLATEAUS["elephant_as_published"] - PLATEAUS[PLAIN]
  spread, score = _scatter(found, gap)
  arms = {
    "memory": TARGET,
    "a placebo of its norm": PLACEBO,
    f"the placebo of norm {float(found.memory_norm.sel(arm=PUBLISHED_PLACEBO)):.0f}": (
      PUBLISHED_PLACEBO
    ),
    "a constant bias with the memory's marginal": BIAS,
  }
  memory, bias = _change(found, TARGET), _change(found, BIAS)
  changes = "; ".join(f"{said} {_change(found, arm):+.3f}" for said, arm in arms.items())
  gains = lambda arm: "{:+.0f} % to {:+.0f} %".format(*_gains(found, arm))
  because = (
    f"Independent spacings give {found.null_as_published.values.mean():.2f} with a "
    f"spread of {spread:.2f} for the published plateau (11 values of one K), "
    f"so a difference of {gap:.2f} is {score:.1f} standard deviations of one. "
    f"Of {run}, the published gain over repeats goes from {gains(TARGET)} "
    f"with the memory and from {gains(PLACEBO)} with a "
    "placebo of its norm. On 1.2 < tau < 1.8 the plateau changes, by arm: "
    f"{changes}. The number variance in 10 mean spacings changes by "
    f"{_change(found, TARGET, 'variance_10_change'):+.3f} with the memory and by "
    f"{_change(found, BIAS, 'variance_10_change'):+.3f} with the bias. The published "
    "placebo was ten times as long as the memory "
    f"({PLACEBO_NORM:.0f} against {MEMORY_NORM})."
  )
  values = {f"{said}: plateau": float(found.plateau.sel(arm=arm)) for said, arm in arms.items()}
  values |= {"spread of the published plateau": spread, "in its spreads": score}
  if memory.low <= 0 and score < 2:
    return claims.verdict(False, because, values)
  undecided = "" if program.large_binned(results, runs) else program.SMALL_BINNED
  same = memory.low <= bias.high
  return claims.verdict(memory.low > 0, because, values, artefact=same, undecided=undecided)


@CLAIMS.add(
  "memory.recurrent",
  "A recurrent memory raises the plateau by 103.5 %, a pure effect of memory.",
  reported=f"{_WITHOUT} with a context of 1,024, {_WITH} with memory; one run each",
  source=f"{program.REPOSITORY}, status note of 2025-12-28",
)
def recurrent(results):
  """Returns the verdict: a recurrent network's memory carried on, and held at its start."""
  runs = program.of_binned(results, "rmt").of("memory_effect")
  run, found = next(iter(runs.items()))
  own, noise = _change(found, TARGET), _change(found, PLACEBO)
  lowest, highest = _gains(found, TARGET)
  gap = _WITH - _WITHOUT
  spread, score = _scatter(found, gap)
  because = (
    f"{run}: carrying the memory on changes the plateau on 1.2 < tau < 1.8 "
    f"by {own:+.3f}, noise of its norm by {noise:+.3f}; the published "
    f"gain goes from {lowest:+.0f} % to "
    f"{highest:+.0f} % over repeats. The published plateau "
    f"scatters by {spread:.2f} for independent spacings, so the difference of "
    f"{gap:.2f} between two networks is {score:.1f} standard deviations, and "
    f"real zeros gave {min(SCALING):.2f} to {max(SCALING):.2f}, by their number."
  )
  values = {"plateau_change": own.estimate, "placebo": noise.estimate, "spread": spread}
  undecided = "" if program.large_binned(results, runs) else program.SMALL_BINNED
  same = own.low <= noise.high
  return claims.verdict(own.low > 0, because, values, artefact=same, undecided=undecided)
