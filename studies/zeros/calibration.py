"""Are the predicted densities those of the spacings?

A predicted density is calibrated where the share of spacings below its p-quantile is p. The
probability integral transform (PIT) then is uniform: mean 0.5, standard deviation 0.2887. Conformal
intervals are widened by what held-back scores ask for, so that their coverage is right whoever
predicts: it is the width that tells predictors apart.

The published procedure fed 128 spacings to a POSTFIX network of 256, which moves its memory slots
to positions where no slot ever was in training. It read quantiles off 1,000 draws and halved rows
of the tail at random. Here PIT, central intervals, continuous ranked probability score (CRPS) and
conformal intervals are those of the network, of its recalibration by two numbers that are fitted on
select, of the untrained network and of linear filters, on the same spacings; the published short
window is read too, under its own name.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import anchors, calibration, statistics
from primelens.lens import claims, numbers, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.models import mixture as mixture_lib
from primelens.studies.zeros import program, scoring
from primelens.tasks import checks, windows

# --- published ------------------------------------------------------------------------------------

DENSITIES = numbers.records(__file__, "densities")  # one step ahead, CRPS by draws
E0 = claims.row(DENSITIES, network="E0")
(CONFORMAL,) = numbers.records(__file__, "conformal")  # E4, 128 spacings fed to a network of 256


@dataclasses.dataclass(kw_only=True)
class Settings:
  """`samples` are scored spacings; draws, halves and alpha are as published."""

  samples: checks.Several = 10_000
  written: checks.Count = 200  # windows whose last predicted density is stored: π, μ and σ
  crps_draws: checks.Several = 100
  quantile_draws: checks.Several = 1000
  alpha: checks.Inside = 0.1
  seed: checks.Seed = 42  # of the draws and of the split in halves

  def __post_init__(self):
    checks.fields(self)


obstacle = program.no_mixtures


# --- densities of the network, its variants and its anchors ---------------------------------------

PUBLISHED_CONTEXT = 128
INTERVAL = (0.1, 0.9)  # the central 80 %, as published
RECALIBRATED, UNTRAINED = "recalibrated on select", "untrained network"
SHORT = "short_window_as_published"
WHOLE = "whole window, otherwise as published"


class Forecast(NamedTuple):
  """Mixtures SxNxUxK of the spacings y_NxU, windows from start_N on."""

  mixture: mixture_lib.Mixture
  y_NxU: np.ndarray
  start_N: np.ndarray


def short(window: int) -> int:
  """Returns the published context of 128, or half of a shorter window."""
  return min(PUBLISHED_CONTEXT, (window + 1) // 2)


def make(run, split: str, theta_S=None):
  """Returns the forecasts of a split by predictor, and the recalibration.

  The network's own come first. The recalibration, log scale factors S and
  mean shifts S, is the given one or else fitted here. Evenly spread windows
  hold about `calibration.samples` scored spacings.
  """
  window_NxT1, start_N = _windows(run, split)
  own = scoring.mixtures(run, window_NxT1)
  y_NxU = np.asarray(scoring.truth(own, window_NxT1))
  theta_S = _fitted(own, y_NxU) if theta_S is None else theta_S
  fresh = scoring.mixtures(run, window_NxT1, run.untrained_S())
  found = {
    f"model ({run.name})": own,
    RECALIBRATED: _recalibrated(own, *theta_S),
    UNTRAINED: fresh,
    **_gaussian(run, scoring.targets(run, start_N)),
  }
  made = {k: Forecast(m, y_NxU, start_N) for k, m in found.items()}
  length = short(run.series.window)
  cut_NxT1 = window_NxT1[:, -length - 1 :]
  made[SHORT] = Forecast(last(run, cut_NxT1), cut_NxT1[:, -1:], start_N)
  return made, theta_S


def last(run, window_NxT1) -> mixture_lib.Mixture:
  """Returns the mixtures of the last spacing of windows of any length."""
  each = scoring.predict(run.apply, window_NxT1.shape[1] - 1, run.settings.evaluation.batch)
  return scoring.over_seeds(each)(run.params_S, window_NxT1)


_recalibrated = jax.jit(jax.vmap(mixture_lib.recalibrate))


@jax.jit
def _fitted(mixture, y_NxU):
  theta_Sx2 = jax.vmap(lambda m: mixture_lib.recalibration(m, y_NxU))(mixture)
  return theta_Sx2[:, 0], theta_Sx2[:, 1]


def _windows(run, split: str):
  model, evaluation = run.experiment.model, run.settings.evaluation
  context = program.scored_context(model, evaluation.min_context)
  each = run.series.window - context + 1
  there = len(windows.starts(run.series, split, min_context=context))
  return run.batches(split, min(there, -(-run.settings.calibration.samples // each)))


GAUSSIAN = "constant Gaussian"
ADAPTIVE = "adaptive AR(256)"


def _gaussian(run, index_NxU) -> dict[str, mixture_lib.Mixture]:
  """Returns the Gaussian anchors at these positions, one component, one seed.

  They see the whole past; fitted on train, or on the spacings before a block.
  """
  value_N, train = run.series.value_N, run.series.splits["train"]
  index_N = index_NxU.ravel()
  found = [
    anchors.constant(value_N, train, index_N),
    *anchors.autoregressive(value_N, train, index_N, (64,)),
  ]
  if index_N.min() >= 20_000:
    adaptive = anchors.adaptive(value_N, index_N)
    name = f"adaptive AR({adaptive.parameters - 1})"
    found.append(dataclasses.replace(adaptive, name=name))
  shape = (1, *index_NxU.shape, 1)
  shaped = lambda x_N: jax.device_put(np.asarray(x_N, np.float32).reshape(shape))
  return {
    anchor.name: mixture_lib.Mixture(
      shaped(np.zeros(shape)), shaped(anchor.prediction_N), shaped(anchor.scale_N)
    )
    for anchor in found
  }


class Reading(NamedTuple):
  """What is read off a forecast, each SxNxU, float64."""

  pit: Any
  nll: Any
  crps: Any
  mean: Any
  variance: Any
  low: Any
  high: Any

  @property
  def interval(self) -> calibration.Interval:
    """The central 80 % intervals, quantiles of the exact mixture."""
    return calibration.Interval(self.low, self.high)


def read(forecast: Forecast) -> Reading:
  """Returns PIT, NLL, CRPS, moments and 80 % intervals of a forecast."""
  found = _read(forecast.mixture, forecast.y_NxU)
  return Reading(*(np.asarray(x, np.float64) for x in found))


@jax.jit
def _read(mixture, y_NxU):
  y = jnp.broadcast_to(y_NxU[None], mixture.mean.shape[:-1])
  cdf = lambda at: mixture_lib.cdf(mixture, at)
  return Reading(
    pit=jnp.clip(cdf(y), 0, 1),  # weights sum to 1 up to rounding
    nll=-mixture_lib.log_density(mixture, y),
    crps=mixture_lib.crps(mixture, y),
    mean=mixture_lib.mean(mixture),
    variance=mixture_lib.variance(mixture),
    low=_quantile(mixture, cdf, INTERVAL[0]),
    high=_quantile(mixture, cdf, INTERVAL[1]),
  )


def _quantile(mixture, cdf, level: float):
  """A mixture's quantile lies between those of its components."""
  each = mixture.mean + jax.scipy.special.ndtri(level) * mixture.scale
  return calibration.quantile(cdf, level, each.min(-1), each.max(-1))


def draws(forecast: Forecast, count: int, seed: int) -> np.ndarray:
  """Returns `count` draws of every prediction, R before SxNxU."""
  keys_R = jax.random.split(jax.random.key(seed), count)
  return np.asarray(_draws(forecast.mixture, keys_R))


@jax.jit
def _draws(mixture, keys_R):
  # One by one: the counters of a million draws at once are folded into the
  # program, which takes seconds to compile.
  return jax.lax.map(lambda key: mixture_lib.sample(key, mixture, 1)[0], keys_R)


# --- conformal intervals, right and as published --------------------------------------------------

TO_TEST = "select to test"
HALVES = "halves of test"
ROWS = "halves of rows, as published"


def conformal(run, select, test, y_select, y_test) -> list[dict]:
  """Returns one record per predictor and way of calibrating its intervals.

  `select` and `test` are readings by predictor, `y_...` their true spacings
  and starts. Ways: scores of select, coverage on test (the heights differ, so
  nothing is promised); random halves of test (exchangeable, but for windows
  that depend on their neighbours); and as published.
  """
  alpha = run.settings.calibration.alpha
  found = []
  for name, reading in test.items():
    y_NxU, start_N = y_test[name]
    there = np.broadcast_to(y_NxU, reading.low.shape)
    score = calibration.conformal_scores(reading.interval, there)
    y_select_NxU, _ = y_select[name]
    before = calibration.conformal_scores(select[name].interval, y_select_NxU)
    by_S = [calibration.conformal_adjustment(x, alpha) for x in before]
    found.append(_widened(run, name, TO_TEST, by_S, reading.interval, there, start_N))
    first_N, second_N = _halves(len(start_N), run.settings.calibration.seed)
    by_S = [calibration.conformal_adjustment(x[first_N], alpha) for x in score]
    half = calibration.Interval(*(x[:, second_N] for x in reading.interval))
    found.append(_widened(run, name, HALVES, by_S, half, there[:, second_N], start_N[second_N]))
  return [*found, *_as_published(run)]


def _halves(count: int, seed: int):
  """Returns the rows of both halves, each by height, drawn as published."""
  order_N = np.random.RandomState(seed).permutation(count)
  return np.sort(order_N[: count // 2]), np.sort(order_N[count // 2 :])


def _as_published(run) -> list[dict]:
  """Returns the published procedure with its context and with the whole one.

  Nothing where the tail is shorter than two rows.
  """
  window, settings = run.series.window, run.settings.calibration
  rows = scoring.rows(run)
  if len(rows.start_N) < 2:
    return []
  found = []
  for name, length in ((SHORT, short(window)), (WHOLE, min(window, scoring.ROW_WIDTH - 1))):
    row_NxT1 = rows.value_NxT[:, : length + 1]
    mixture = last(run, row_NxT1)
    y_Nx1 = row_NxT1[:, -1:].astype(np.float64)
    forecast = Forecast(mixture, y_Nx1, rows.start_N)
    sample_RxSxNx1 = draws(forecast, settings.quantile_draws, settings.seed)
    low, high = np.quantile(sample_RxSxNx1, INTERVAL, axis=0)
    there = np.broadcast_to(y_Nx1, low.shape)
    score = calibration.conformal_scores(calibration.Interval(low, high), there)
    first_N, second_N = _halves(len(rows.start_N), scoring.ROW_SEED)
    by_S = [
      calibration.conformal_adjustment_as_published(x[first_N], settings.alpha) for x in score
    ]
    half = calibration.Interval(low[:, second_N], high[:, second_N])
    start_N = rows.start_N[second_N]
    record = _widened(run, name, ROWS, by_S, half, there[:, second_N], start_N)
    found.append(record | {"context": length})
  return found


def _widened(run, name, way, by_S, interval, y_SxNxU, start_N) -> dict:
  """Returns coverage and width of intervals, raw and widened by seed."""
  by_Sx1x1 = np.asarray(by_S)[:, None, None]
  widened = interval.widened(by_Sx1x1)
  bounds = lambda key, value: _bounds(run, key, value, start_N)
  return {
    "predictor": name,
    "way": way,
    "adjustment": float(np.mean(by_S)),
    "raw_width": float(interval.width_N.mean()),
    "width": float(widened.width_N.mean()),
    "targets": int(y_SxNxU[0].size),
    **bounds("raw_coverage", interval.holds(y_SxNxU)),
    **bounds("coverage", widened.holds(y_SxNxU)),
  }


def _bounds(run, key: str, value_SxNxU, start_N, form=float) -> dict[str, float]:
  found = scoring.interval(run, value_SxNxU.mean(-1), start_N)
  ends = ("", found.estimate), ("_low", found.low), ("_high", found.high)
  return {f"{key}{end}": form(x) for end, x in ends}


# --- the result -----------------------------------------------------------------------------------

LEVELS = tuple(round(0.05 * i, 2) for i in range(1, 20))
BINS = 20
IDEAL_SPREAD = round(calibration.UNIFORM_STD, 4)
MEASURES = {
  "targets": "scored spacings",
  "nll": "NLL [nats per spacing]",
  "crps": "CRPS [mean spacings]",
  "crps_as_published": "CRPS by draws, as published [mean spacings]",
  "pit_mean": "mean of the PIT",
  "pit_std": "standard deviation of the PIT",
  "ks": "distance of the PIT's distribution from uniform",
  "ks_ideal": "distance that ideal PITs exceed once in 20 times",
  "bias": "mean error of the predicted mean [mean spacings]",
  "interval_width": "mean width of the central 80 % intervals [mean spacings]",
  "mean_of_means": "mean of the predicted means [mean spacings]",
  "mean_sigma": "mean predicted standard deviation [mean spacings]",
  "data_mean": "mean of the spacings [mean spacings]",
  "mse": "mean squared error of the predicted mean [mean spacings²]",
  "variance_of_means": "variance of the predicted means [mean spacings²]",
  "mean_variance": "mean predicted variance [mean spacings²]",
  "data_variance": "variance of the spacings [mean spacings²]",
}
WAYS = {
  "predictor": "predictor",
  "way": "where scores and coverage are from",
  "adjustment": "what each end is moved out by [mean spacings]",
  "raw_width": "mean width of the central 80 % intervals [mean spacings]",
  "width": "mean width of the widened intervals [mean spacings]",
  "targets": "scored spacings",
  "context": "spacings fed to the network, where not all",
  "raw_coverage": "coverage of the central 80 % intervals",
  "coverage": "coverage of the widened intervals",
}


def measure(run) -> xr.Dataset:
  """Returns the calibration of all predictors on test; all choices are made on select."""
  before, theta_S = make(run, "select")
  after, _ = make(run, "test", theta_S)
  select = {name: read(f) for name, f in before.items()}
  test = {name: read(f) for name, f in after.items()}
  truths = lambda made: {
    name: (np.asarray(f.y_NxU, np.float64), f.start_N) for name, f in made.items()
  }
  coverage = _coverage(run, test, after)
  rows = [_row(run, name, test[name], f) for name, f in after.items()]
  measures = results.rows("predictor", rows, MEASURES)
  widened = conformal(run, select, test, truths(before), truths(after))
  variables = {
    **{key.removeprefix("predictor_"): each for key, each in measures.items()},
    **results.with_interval(
      "coverage", "predictor level", coverage, "coverage of the central interval"
    ),
    "density": results.variable(
      "predictor pit",
      np.stack([_density(reading.pit) for reading in test.values()]),
      "density of the PIT (calibrated: 1)",
    ),
    "log_scale": results.variable("seed", np.asarray(theta_S[0]), "fitted log scale factor"),
    "mean_shift": results.variable(
      "seed", np.asarray(theta_S[1]), "fitted shift of the means", "mean spacings"
    ),
    **results.rows("conformal", widened, WAYS),
    **_written(next(iter(after.values())), run.settings.calibration.written),
  }
  centre_P = (0.5 + np.arange(BINS)) / BINS
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "predictor": results.variable("predictor", list(after), "predictor"),
    "level": results.variable("level", np.array(LEVELS), "nominal level of the central interval"),
    "pit": results.variable("pit", centre_P, "PIT, F(y)"),
  }
  return results.dataset(
    variables,
    coords,
    alpha=run.settings.calibration.alpha,
    samples=int(next(iter(after.values())).y_NxU.size),
    short_window=short(run.series.window),
  )


def _written(forecast: Forecast, count: int) -> dict[str, xr.Variable]:
  """Returns the network's densities of the last spacing of some windows, evenly spread."""
  there = len(forecast.start_N)
  pick_N = np.unique(np.linspace(0, there - 1, min(count, there)).round().astype(int))
  part = lambda leaf: np.asarray(leaf)[:, pick_N, -1].astype(np.float64)
  each, unit = "seed window component", "mean spacings"
  return {
    "pi": results.variable(each, np.exp(part(forecast.mixture.log_weight)), "weight π"),
    "mu": results.variable(each, part(forecast.mixture.mean), "mean μ", unit),
    "sigma": results.variable(each, part(forecast.mixture.scale), "standard deviation σ", unit),
    "spacing": results.variable("window", forecast.y_NxU[pick_N, -1], "true spacing", unit),
    "first": results.variable(
      "window", forecast.start_N[pick_N], "number of the first spacing of the window"
    ),
  }


def _coverage(run, test, after) -> statistics.Interval:
  """Returns the coverage of every central interval with its ends, ExV."""
  found = []
  for name, reading in test.items():
    inside_SxNxV = calibration.inside(reading.pit, LEVELS).mean(2)
    inside_SxVxN = np.moveaxis(inside_SxNxV, -1, 1)
    found.append(scoring.interval(run, inside_SxVxN, after[name].start_N))
  return statistics.Interval(*(np.stack(part) for part in zip(*found, strict=True)))


def _density(pit_SxNxU) -> np.ndarray:
  count_P, _ = np.histogram(pit_SxNxU, BINS, (0, 1))
  return count_P * BINS / pit_SxNxU.size


def _row(run, name: str, reading, forecast) -> dict:
  """Returns a predictor's row; the PIT's spread by that of its squares."""
  settings, y_NxU = run.settings.calibration, forecast.y_NxU
  pit = reading.pit
  flat = lambda x_SxNxU: x_SxNxU.reshape(len(x_SxNxU), -1)
  bounds = lambda key, value, f=float: _bounds(run, key, value, forecast.start_N, f)
  y_SxN = flat(np.broadcast_to(y_NxU, pit.shape))
  sharp = calibration.sharpness(flat(reading.mean), flat(reading.variance), y_SxN)
  sample = draws(forecast, settings.crps_draws, settings.seed)
  count = int(y_NxU.size)
  published = calibration.crps_as_published(sample.reshape(len(sample), -1), y_SxN.ravel())
  gap = (pit - pit.mean((1, 2), keepdims=True)) ** 2
  return {
    "name": name,
    "targets": count,
    **bounds("nll", reading.nll),
    **bounds("crps", reading.crps),
    "crps_as_published": float(published.mean()),
    **bounds("pit_mean", pit),
    **bounds("pit_std", gap, lambda x: float(np.sqrt(max(x, 0)))),
    "ks": float(np.mean(calibration.ks_distance(flat(pit)))),
    "ks_ideal": calibration.ks_ideal(count),
    **bounds("bias", reading.mean - y_NxU[None]),
    "interval_width": float(reading.interval.width_N.mean()),
    "mean_of_means": float(reading.mean.mean()),
    "mean_sigma": float(np.sqrt(reading.variance).mean()),
    "data_mean": float(np.mean(y_NxU)),
    **{k: float(x.mean()) for k, x in sharp.items() if k != "bias"},
  }


# --- figures and tables ---------------------------------------------------------------------------

NETWORK = "network"  # where runs are compared, whose networks have names of their own
BRIEF = {SHORT: "short window", WHOLE: "whole window", ROWS: "halves of rows"}
KINDS = {"raw": "central 80 % interval", "widened": "conformal interval"}


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares them."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  own = {run: _excess(found).isel(predictor=0, drop=True) for run, found in runs.items()}
  both = results.across(own, "excess", "density")
  named = {run: _named(found) for run, found in runs.items()}
  names = dict.fromkeys(name for found in named.values() for name in found.predictor.values)
  crps = draw.rows(
    results.across(named, "crps").sel(predictor=list(names)),
    "crps",
    x="predictor",
    colour="run",
    title="CRPS, each run on spacings of its own (bars: 95 %)",
  )
  excess = draw.curves(
    both, "excess", x="level", colour="run", title="Reliability of networks (below 0: too sure)"
  )
  density = draw.curves(both, "density", x="pit", colour="run", zero=False, title="PIT of networks")
  shared = draw.page(
    (excess, _pit(density)),
    crps,
    heights=[3.8, 1.4 + (0.2 + 0.12 * len(runs)) * len(names)],
  )
  return {"all runs": shared} | pages


def _named(found: xr.Dataset) -> xr.Dataset:
  """Returns the result with its network named as that of every other run."""
  names = [NETWORK, *found.predictor.values[1:]]
  return found.assign_coords(predictor=("predictor", names, found.predictor.attrs))


def _excess(found: xr.Dataset) -> xr.Dataset:
  """Returns the result with the coverage minus its nominal level."""
  excess = found.coverage - found.level
  ends = found.coverage_interval - found.level
  words = {"long_name": "coverage minus level"}
  return found.assign(excess=excess.assign_attrs(words), excess_interval=ends)


def _pit(panel) -> draw.Panel:
  """Returns a panel of densities with the line of a calibrated one."""
  calibrated = draw.level(1, "calibrated", ls="-", lw=0.8)
  return draw.together(calibrated, panel)


def _page(run: str, found: xr.Dataset) -> draw.Page:
  most = min(5, 1.05 * float(found.density.max()))
  names = [BRIEF.get(name, name) for name in found.predictor.values.tolist()]
  named = found.assign_coords(predictor=("predictor", names, found.predictor.attrs))
  look = {"each": "predictor", "colours": {UNTRAINED: draw.GREY, BRIEF[SHORT]: draw.SKY}}
  reliability = draw.compared(
    _excess(named),
    "excess",
    x="level",
    title=f"{run}: do intervals hold what they promise?\n"
    f"Below 0: too narrow. {found.samples:,} spacings (band: 95 %)",
    **look,
  )
  density = draw.compared(
    named,
    "density",
    x="pit",
    zero=False,
    style={"marker": ""},
    ylim=(0, most),
    title="Where spacings fall in the predicted density\n(F(y): share below; flat: calibrated)",
    **look,
  )
  held, widths = _widening(found)
  return draw.page(
    (reliability, _pit(density)),
    (held, widths),
    _examples(found),
    heights=[4.6, 1.5 + 0.24 * found.sizes["conformal"], 2.6],
  )


EXAMPLES = 4  # predicted densities that are drawn


def _examples(found: xr.Dataset) -> tuple[draw.Panel, ...]:
  """Returns the densities that one network predicts of a few spacings, and the spacings."""
  one = found.isel(seed=0)
  places = np.unique(np.linspace(0, found.sizes["window"] - 1, EXAMPLES).round().astype(int))
  x_Q = np.linspace(-0.2, 3, 400)

  def panel(place: int) -> draw.Panel:
    its = one.isel(window=place)
    z_QxK = (x_Q[:, None] - its.mu.values) / its.sigma.values
    each_QxK = np.exp(-0.5 * z_QxK**2) / (its.sigma.values * np.sqrt(2 * np.pi))
    density_Q = each_QxK @ its.pi.values

    def lines(axes):
      axes.plot(x_Q, density_Q, color=draw.BLUE, label="predicted density")
      axes.axvline(
        float(its.spacing), color="black", lw=1.2, ls="--", label="the spacing that came"
      )
      axes.set(
        xlabel="spacing (mean spacings)",
        ylabel="density" if place == places[0] else "",
        title=f"Window from\nspacing {int(its['first']):,}",
        ylim=(0, None),
      )

    return lines

  return tuple(panel(int(place)) for place in places)


def _widening(found: xr.Dataset) -> tuple[draw.Panel, draw.Panel]:
  """Returns panels of the coverage of intervals, raw and widened, and of the width paid for it."""
  brief = lambda words: BRIEF.get(words, words)
  names = [
    f"{brief(row['predictor'])}: {brief(row['way'])}" for row in tables_lib.rows(found, "conformal")
  ]
  both = xr.Dataset(
    {
      key: xr.concat([found[f"conformal_{raw}{key}"] for raw in ("raw_", "")], "kind")
      for key in ("coverage", "coverage_interval", "width")
    },
    {
      "kind": list(KINDS.values()),
      "conformal": np.arange(len(names)),
      results.END: found[results.END],
    },
  )
  wanted = 1 - found.alpha
  held = draw.together(
    draw.level(wanted, f"wanted, {wanted:g}", along="x", ls=":"),
    draw.rows(
      both,
      "coverage",
      x="conformal",
      colour="kind",
      labels=names,
      xlim=(-0.02, 1.02),
      xlabel="coverage on test (bars: 95 %)",
      title="Coverage of the intervals",
    ),
  )
  widths = draw.rows(
    both,
    "width",
    x="conformal",
    colour="kind",
    labels=[""] * len(names),
    xlabel="mean width (mean spacings)",
    title="Width of the intervals",
  )
  return held, widths


def tables(runs) -> list[tables_lib.Table]:
  """Returns densities, and conformal intervals, of published networks and of all runs."""
  return [_densities(runs), _moments(runs), _recalibration(runs), _conformal(runs)]


def _densities(runs) -> tables_lib.Table:
  columns = {
    "CRPS": "crps",
    "CRPS by draws": "crps_as_published",
    "PIT mean": "pit_mean",
    "PIT standard deviation": "pit_std",
    "distance from uniform": "ks",
    "ideal": "ks_ideal",
    "bias": "bias",
    "variance of means": "variance_of_means",
    "mean variance": "mean_variance",
    "squared error": "mse",
  }
  rows = [
    {"predictor": f"{row['network']} (published)", "CRPS": None, "CRPS by draws": row["crps"]}
    | {"PIT mean": row["pit_mean"], "PIT standard deviation": row["pit_std"], "bias": row["bias"]}
    for row in DENSITIES
  ]
  for run, found in runs.items():
    each = tables_lib.records(found, columns, "predictor")
    names = found.predictor.values.tolist()
    rows += [{"predictor": f"{run}: {name}"} | row for name, row in zip(names, each, strict=True)]
  samples = tables_lib.distinct(f"{found.samples:,}" for found in runs.values())
  digits = {"PIT mean": ".3f", "PIT standard deviation": ".3f"}
  digits |= {"distance from uniform": ".3f", "ideal": ".3f", "bias": "+.4f"}
  return tables_lib.Table(
    f"One step ahead on {samples} spacings of test; the CRPS in spacings. Ideal: the distance that"
    " a perfect forecaster exceeds once in 20 times. Where a density is calibrated its mean"
    " variance is its squared error.",
    rows,
    dict.fromkeys(columns, ".4f") | digits,
    "densities",
  )


def _moments(runs) -> tables_lib.Table:
  """Returns mu and sigma of each run's networks, trained and untrained, beside the spacings."""
  columns = {
    "mean of μ": "mean_of_means",
    "standard deviation of μ": "variance_of_means",
    "mean of σ": "mean_sigma",
    "root mean square error": "mse",
    "NLL": "nll",
  }
  roots = ("variance_of_means", "mse")
  scored = tables_lib.distinct(f"{found.samples:,}" for found in runs.values())
  rows = []
  for run, found in runs.items():
    own = found.predictor.values[0].item()
    for name in (each for each in (own, UNTRAINED, RECALIBRATED) if each in found.predictor):
      one = found.sel(predictor=name)
      value = lambda key, one=one: float(one[key]) ** 0.5 if key in roots else float(one[key])
      rows.append({"run": run, "network": name} | {said: value(k) for said, k in columns.items()})
    spread = float(found.data_variance[0]) ** 0.5
    truth = {"mean of μ": float(found.data_mean[0]), "standard deviation of μ": spread}
    rows.append({"run": run, "network": "the spacings themselves"} | truth)
  return tables_lib.Table(
    "What the networks predict: the mean μ and the standard deviation σ of the whole predicted"
    f" density, in mean spacings, over {scored} spacings of test and all seeds; the NLL of these,"
    " in nats per spacing."
    " A network that says the same of every spacing has 0 for the standard deviation of μ; σ is"
    " right where it is the root mean square error.",
    rows,
    dict.fromkeys(columns, ".3f"),
    "moments",
  )


def _recalibration(runs) -> tables_lib.Table:
  rows = [
    {
      "run": run,
      "seed": int(seed),
      "log of the scale factor": float(found.log_scale.sel(seed=seed)),
      "shift of the means": float(found.mean_shift.sel(seed=seed)),
    }
    for run, found in runs.items()
    for seed in found.seed.values
  ]
  return tables_lib.Table(
    "The recalibration, two numbers of each network fitted on select: the logarithm of the factor"
    " of every scale (above 0: the network is too sure) and the shift of every mean in mean"
    " spacings.",
    rows,
    {"seed": "d", "log of the scale factor": "+.3f", "shift of the means": "+.4f"},
    "recalibration",
  )


def _conformal(runs) -> tables_lib.Table:
  columns = {
    "raw coverage": "raw_coverage",
    "raw width": "raw_width",
    "widened by": "adjustment",
    "coverage": "coverage",
    "width": "width",
  }
  published = {"predictor": f"{CONFORMAL['network']} (published)", "scores": ROWS}
  rows = [published | {name: CONFORMAL[key] for name, key in columns.items()}]
  for run, found in runs.items():
    for row in tables_lib.rows(found, "conformal"):
      who = {"predictor": f"{run}: {row['predictor'].replace('_', ' ')}", "scores": row["way"]}
      rows.append(who | {name: row[key] for name, key in columns.items()})
  wanted = tables_lib.distinct(f"{1 - found.alpha:g}" for found in runs.values())
  return tables_lib.Table(
    f"Central 0.8 intervals widened to hold {wanted}, coverage and width on test.",
    rows,
    dict.fromkeys(columns, ".3f") | {"widened by": "+.3f"},
    "conformal",
  )


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()


@CLAIMS.add(
  "calibration.conformal",
  "Conformal calibration makes E4's intervals hold 0.9.",
  reported=f"q {CONFORMAL['adjustment']:.3f}, coverage 0.900 and {CONFORMAL['coverage']:.3f},"
  f" width {CONFORMAL['width']:.2f}",
  source=f"{program.REPOSITORY}, results/calibrator_E4.json",
)
def coverage_of_a_constant(results):
  """Returns the verdict: conformal coverage is promised to a constant density, too."""
  found = program.on_published(results, told=True).first("calibration")
  rows = tables_lib.rows(found, "conformal")
  row, own = claims.row(rows, predictor=GAUSSIAN, way=HALVES), rows[1]
  because = (
    "widened intervals reach their coverage with any predictor: the constant"
    f" Gaussian, that knows no past, has {row['coverage']:.3f} at a width of"
    f" {row['width']:.2f}, {own['predictor']} {own['coverage']:.3f} at"
    f" {own['width']:.2f}. E4's took a width of {CONFORMAL['width']:.2f}, more than"
    " the constant's, and missed the source's own limit of 1."
  )
  values = {
    "constant, coverage": row["coverage"].estimate,
    "constant, width": row["width"],
    "reported width": CONFORMAL["width"],
  }
  close = abs(row["coverage"].estimate - 0.9) < 0.03  # the published rule
  return claims.verdict(close, because, values, artefact=row["width"] < CONFORMAL["width"])


@CLAIMS.add(
  "calibration.raw",
  "E4's own intervals are far too narrow.",
  reported=f"the central 0.8 intervals hold {CONFORMAL['raw_coverage']:.3f} of the spacings",
  source=f"{program.REPOSITORY}, results/calibrator_E4.json",
)
def short_window(results):
  """Returns the verdict: raw coverage with the published short window and with the whole one."""
  found = program.on_published(results).where(memory="postfix").of("calibration")
  values: dict[str, float] = {}
  parts, caused = [], {}
  for name, result in found.items():
    rows = tables_lib.rows(result, "conformal")
    fed, whole = (claims.row(rows, predictor=who, way=ROWS) for who in (SHORT, WHOLE))
    raw, raw_whole = fed["raw_coverage"], whole["raw_coverage"]
    values |= {f"{name}: short window": raw.estimate, f"{name}: whole window": raw_whole.estimate}
    caused[name] = raw.high < raw_whole.low
    parts.append(
      f"{name}: {raw:.3f} when {fed['context']:.0f} spacings"
      f" are fed, {raw_whole:.3f} when {whole['context']:.0f} are"
    )
  because = (
    "Raw coverage of the central 0.8 intervals, "
    + "; ".join(parts)
    + ". The source fed 128 spacings to a network of 256, whose slots then"
    " stand where training never put them."
  )
  big = program.published_size(results, found)
  low = all(values[f"{name}: short window"] < 0.2 for name in big)  # of a nominal 0.8
  return claims.verdict(
    low,
    because,
    values,
    artefact=all(caused[name] for name in big),
    undecided=program.undecided(big),
  )


@CLAIMS.add(
  "calibration.e0",
  "E0's predicted densities are nearly calibrated.",
  reported=f"PIT mean {E0['pit_mean']:.3f}, standard deviation {E0['pit_std']:.3f}, CRPS"
  f" {E0['crps']:.4f}",
  source=f"{program.REPOSITORY}, reports/2M/eval_table.md",
)
def densities(results):
  """Returns the verdict: the PIT of networks without memory, beside a filter's."""
  found = program.on_published(results).where(memory="none").of("calibration")
  names = ("pit_mean", "pit_std", "crps")
  of = lambda result: {name: tables_lib.interval(result, name) for name in names}
  rows = {name: of(result.isel(predictor=0)) for name, result in found.items()}
  filters = next(iter(found.values()))
  if ADAPTIVE not in filters.predictor.values:
    raise claims.Inapplicable(f"a record of name {ADAPTIVE}")
  adaptive = of(filters.sel(predictor=ADAPTIVE))
  values = {ADAPTIVE + ", CRPS": adaptive["crps"].estimate}
  values |= {f"{name}: PIT mean": row["pit_mean"].estimate for name, row in rows.items()}
  because = (
    "of 199,000 ideal PITs the mean is within 0.001 of 0.5, so that the"
    f" source's own {E0['pit_mean']:.3f} is none of theirs. Here: "
    + "; ".join(
      f"{name} mean {row['pit_mean']:.3f}, standard deviation"
      f" {row['pit_std']:.3f}, CRPS {row['crps']:.4f}"
      for name, row in rows.items()
    )
    + f". The adaptive filter has {adaptive['pit_mean']:.3f},"
    f" {adaptive['pit_std']:.3f} and a CRPS of {adaptive['crps']:.4f};"
    f" E0 was reported at {E0['crps']:.4f}."
  )
  big = program.published_size(results, found)
  near = [
    abs(rows[name]["pit_mean"].estimate - 0.5) <= abs(E0["pit_mean"] - 0.5)
    and abs(rows[name]["pit_std"].estimate - IDEAL_SPREAD) <= abs(E0["pit_std"] - IDEAL_SPREAD)
    for name in big
  ]
  return claims.verdict(all(near), because, values, undecided=program.undecided(big))
