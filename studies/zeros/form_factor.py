"""How rigid are the spacings far apart, and what is the peak at tau = 1?

The published form factors were single values on a coarse grid of tau (Heisenberg time 2π there, 1
here), which scatter as much as their mean. A low value was read as spectral rigidity, and a high
one at the Heisenberg time as a spike that withstands jitter of the spacings.

Here the sequence is cut into blocks and errors are over blocks. No network is read: the run's test
split is set beside control sequences of the same length. These are unitary matrices (CUE), draws
from the split's spacings (renewal), independent levels (Poisson), and the split shuffled. Rigidity
is a form factor that starts at 0 with slope 1, and a number variance that hardly grows. Spacings
without correlations start at their variance, and their number variance grows in proportion to the
length L of the window. The published window of tau lies inside the ramp, where both are below 1.
The published values are computed again beside their scatter over shuffles of the data, and the peak
on a grid that resolves it.
"""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import threadpoolctl
import xarray as xr
from primelens.analyses import form_factors, resonance, sine_process, statistics
from primelens.lens import claims, numbers, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.studies.zeros import program
from primelens.tasks import binned, checks, surrogates

# --- published ------------------------------------------------------------------------------------

SCALING = numbers.records(__file__, "scaling")  # plateau by number of spacings
JITTER = numbers.records(__file__, "jitter")  # height by part of a bin; one is missing there
HEIGHT = {row["part_of_bin"]: row["height"] for row in JITTER}
NULL_TEST = {row["sequence"]: row["value"] for row in numbers.records(__file__, "null_test")}
BACKGROUND = 17  # times the height of what is around the spike
# The published 3 < tau < 5.5, in Heisenberg units: inside the ramp.
WINDOW = (3 / (2 * np.pi), 5.5 / (2 * np.pi))
PARTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of a bin, the widths of a jitter


@dataclasses.dataclass(kw_only=True)
class Settings:
  """Form factors and number variances of the spacings themselves."""

  block: Annotated[int, checks.Range(8, 10_000_000)] = 512  # spacings; tau is resolved to 2 / block
  tau_step: Annotated[float, checks.Range(1e-6, 0.125)] = 1 / 128
  lengths: tuple[Annotated[float, checks.Range(0, 1e7, "(]")], ...] = (
    0.25,
    0.5,
    1,
    2,
    4,
    8,
    16,
    32,
    64,
  )
  draws: checks.Several = 8  # shuffles and jitters
  offsets: checks.Several = 32  # of the published grid, each with its own jitter
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
    if max(self.lengths, default=0) > self.block / 4:
      raise checks.FieldError(
        f"lengths={checks.brief(self.lengths)} must be at most {self.block / 4:g}, a quarter of"
        " a block."
      )


# --- the data and its control sequences -----------------------------------------------------------

SEQUENCES = ("test", "CUE", "renewal", "Poisson", "shuffled")
_ROWS = 16  # blocks in a row of the number variance


def _sequences(test_N, block: int, seed: int) -> dict[str, np.ndarray]:
  """Returns every sequence by its name, spacings of equal number.

  A unitary matrix has as many levels as a block: blocks are independent.
  """
  count = len(test_N)
  cue_RxN = surrogates.cue_spacings(seed, matrices=-(-count // block), size=block)
  found = (
    test_N,
    cue_RxN.reshape(-1)[:count],
    surrogates.renewal(seed, test_N, count=count),
    surrogates.poisson(seed, count=count),
    surrogates.shuffled(seed, test_N),
  )
  return dict(zip(SEQUENCES, found, strict=True))


def _rows(name: str, value_N, settings) -> np.ndarray:
  """Returns long rows of spacings; those of matrices end with the matrix."""
  blocks = len(value_N) // settings.block
  # At least two rows, for an error.
  width = 1 if name == "CUE" else min(_ROWS, blocks // 2)
  size = width * settings.block
  rows = len(value_N) // size
  return value_N[: rows * size].reshape(rows, size)


def _intervals(k_RxQ, tau_Q, references) -> dict[str, statistics.Interval]:
  """Returns the numbers of one sequence, each with its interval over blocks."""
  line = form_factors.ramp(k_RxQ, tau_Q)
  means = {
    "ramp_intercept": line.intercept_R,
    "ramp_slope": line.slope_R,
    "plateau": form_factors.plateau(k_RxQ, tau_Q),
    "published_window": form_factors.plateau(k_RxQ, tau_Q, WINDOW),
  }
  found = {key: statistics.seed_interval(x_R) for key, x_R in means.items()}
  for key, reference_Q in references.items():
    distance = form_factors.squared_distance(k_RxQ, reference_Q)
    found[f"squared_distance_{key}"] = distance
  return found


# --- the published measures, and their spread -----------------------------------------------------


def middles(spacing_N) -> np.ndarray:
  """Returns the middles of the published bins, float64."""
  return binned.decode(np.asarray(binned.encode(spacing_N)))


def _plateaus(sequences, seeds) -> dict[str, xr.Variable]:
  """Returns every published plateau of every sequence.

  The spread is the standard deviation over shuffles of the data: what one value
  is worth.
  """
  orders = [surrogates.shuffled(each, sequences["test"]) for each in seeds]
  measures = list(form_factors.PLATEAUS_AS_PUBLISHED)
  value_MxV, null_MxR = [], []
  for measure in measures:
    value = lambda value_N, measure=measure: form_factors.plateau_as_published(value_N, measure)
    null_MxR.append(np.array([value(order_N) for order_N in orders]))
    value_MxV.append([value(value_N) for value_N in sequences.values()])
  said = "plateau as published"
  mean, spread = "mean over shuffles", "standard deviation over shuffles"
  return {
    "single_plateau": results.variable("measure sequence", value_MxV, f"{said}, one value"),
    "shuffled_plateau": results.variable(
      "measure", [float(null_R.mean()) for null_R in null_MxR], f"{said}, {mean}"
    ),
    "plateau_spread": results.variable(
      "measure", [float(null_R.std(ddof=1)) for null_R in null_MxR], f"{said}, {spread}"
    ),
  }


def scaling(all_N) -> Iterator[dict]:
  """Yields the published plateau (tau > 2) by number of spacings.

  Of the published bins, and of the spacings themselves with the points of the
  grid that hold the resonance left out: it is one of 28.
  """
  tau_Q, low, _ = form_factors.PLATEAUS_AS_PUBLISHED["scaling"]
  tau_Q = tau_Q[tau_Q > low]
  for row in SCALING:
    count = row["spacings"]
    if count > len(all_N):
      return
    head_N = np.asarray(all_N[:count], np.float64)
    k_Q = form_factors.form_factor_as_published(head_N, tau_Q)
    binned_Q = form_factors.form_factor_as_published(middles(head_N), tau_Q)
    yield {
      "spacings": count,
      "reported": row["plateau"],
      "binned_as_published": float(binned_Q.mean()),
      "binned_resonance": float(binned_Q[-1]),
      "binned_without_resonance": float(binned_Q[:-1].mean()),
      "plateau": float(k_Q.mean()),
      "resonance": float(k_Q[-1]),
      "without_resonance": float(k_Q[:-1].mean()),
    }


PLATEAU_28 = "plateau of 28 points"
SCALED = {
  "spacings": "spacings from the first",
  "reported": f"{PLATEAU_28}, published",
  "binned_as_published": f"{PLATEAU_28}, spacings in published bins",
  "binned_resonance": "the point at tau = 1, spacings in published bins",
  "binned_without_resonance": f"{PLATEAU_28} without that at tau = 1, spacings in published bins",
  "plateau": PLATEAU_28,
  "resonance": "the point at tau = 1",
  "without_resonance": f"{PLATEAU_28} without that at tau = 1",
}


# --- the peak at tau = 1, and what jitter leaves of it --------------------------------------------


def _peak(sequences, settings) -> dict[str, xr.Variable]:
  """Returns the unaveraged form factors around tau = 1, and a record for each width of a jitter."""
  test_N = sequences["test"]
  tau_T = resonance.grid(len(test_N))
  seeds = range(settings.seed, settings.seed + settings.draws)
  curves = lambda part: np.stack(
    [
      resonance.curve(resonance.jittered(test_N, part * resonance.BIN, each), tau_T)
      for each in seeds
    ]
  )
  jittered = {part: curves(part) for part in PARTS[1:]}
  plain_T = resonance.curve(test_N, tau_T)
  jittered[0.0] = plain_T[None]
  expected = {part: resonance.expected(test_N, tau_T, part * resonance.BIN) for part in PARTS}
  records = [
    _jitter(part, jittered[part], expected[part], plain_T)
    | _coarse(test_N, part, settings.seed, settings.offsets)
    for part in PARTS
  ]
  said = "|sum of waves|² / N of the whole sequence"
  each_VxT = np.stack([resonance.curve(value_N, tau_T) for value_N in sequences.values()])
  return {
    "resonance": results.variable("sequence fine_tau", each_VxT, said),
    "resonance_jittered": results.variable(
      "fine_tau", jittered[1.0].mean(0), f"{said}, jittered by a bin, mean of draws"
    ),
    "resonance_expected": results.variable(
      "fine_tau", expected[1.0], f"{said}, jittered by a bin, exact mean"
    ),
    **results.rows("jitter", records, JITTERED),
  }


def _jitter(part: float, k_RxT, expected_T, plain_T) -> dict:
  """Returns what a jitter leaves of the peak, on the fine grid.

  `at_peak` is the mean K where the peak was, `expected` the same exactly.
  """
  top = int(np.argmax(plain_T))
  heights = k_RxT.max(1)
  draws = len(k_RxT)
  spread = k_RxT[:, top].std(ddof=1) if draws > 1 else 0.0
  return {
    "part_of_bin": part,
    "peak": float(heights.mean()),
    "retention": float(heights.mean() / plain_T[top]),
    "at_peak": float(k_RxT[:, top].mean()),
    "at_peak_error": float(spread / np.sqrt(draws)),
    "expected": float(expected_T[top]),
    "expected_retention": float(expected_T[top] / plain_T[top]),
  }


def _coarse(test_N, part: float, seed: int, offsets: int) -> dict:
  """Returns the published measure, and its range over offsets of its grid.

  Every draw has its own jitter and its own offset, a random part of a step.
  """
  middle_N = middles(test_N)
  moved = lambda each: resonance.jittered_as_published(middle_N, part, each)
  found = resonance.spike_as_published(moved(seed))
  start = resonance.peak_as_published(middle_N)
  offset_R = np.random.default_rng(seed).random(offsets)
  peak_R = [
    resonance.peak_as_published(moved(seed + r), offset) for r, offset in enumerate(offset_R)
  ]
  return {
    "peak_as_published": found.peak,
    "ratio_as_published": found.ratio,
    "retention_as_published": found.peak / start,
    "lowest_by_offset": float(min(peak_R) / start),
    "highest_by_offset": float(max(peak_R) / start),
    "reported_peak": HEIGHT.get(part, np.nan),
    "reported_retention": HEIGHT.get(part, np.nan) / HEIGHT[0.0],
  }


JITTERED = {
  "part_of_bin": "width of the jitter [published bins]",
  "peak": "highest K around tau = 1, mean of draws",
  "retention": "highest K over that without jitter",
  "at_peak": "K where the peak was, mean of draws",
  "at_peak_error": "K where the peak was, standard error over draws",
  "expected": "K where the peak was, exact mean",
  "expected_retention": "K where the peak was over that without jitter, exact mean",
  "peak_as_published": "height on the published grid",
  "ratio_as_published": "height over background on the published grid",
  "retention_as_published": "height over that without jitter, published grid",
  "lowest_by_offset": "height over that without jitter, lowest of the grid's offsets",
  "highest_by_offset": "height over that without jitter, highest of the grid's offsets",
  "reported_peak": "height, published",
  "reported_retention": "height over that without jitter, published",
}


# --- the result -----------------------------------------------------------------------------------

INTERVALS = {
  "ramp_intercept": "ramp at tau 0",
  "ramp_slope": "slope of the ramp",
  "published_window": "mean K on the published window of tau",
  "plateau": "mean K on 1.2 < tau < 1.8",
  "squared_distance_gue": "squared distance of K from the GUE",
  "squared_distance_renewal": "squared distance of K from independent spacings",
}
_ERROR = "standard error"


def measure(run) -> xr.Dataset:
  """Returns the form factors of a run's test split and of its control sequences."""
  # The products are small: more threads would wait for each other.
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    return _measured(run)


def _measured(run) -> xr.Dataset:
  settings = run.settings.form_factor
  first, last = run.series.bounds("test")
  test_N = run.series.value_N[first:last].astype(np.float64)
  sequences = _sequences(test_N, settings.block, settings.seed)
  tau_Q = settings.tau_step * np.arange(1, round(2 / settings.tau_step) + 1)
  tau_Q = tau_Q[tau_Q >= 2 / settings.block]
  length_E = np.array(settings.lengths)
  curves = [form_factors.blocks(value_N, tau_Q, settings.block) for value_N in sequences.values()]
  counts = [
    statistics.seed_interval(form_factors.number_variance(_rows(name, value_N, settings), length_E))
    for name, value_N in sequences.items()
  ]
  phi_Q = form_factors.characteristic(test_N, tau_Q)
  references = {
    "gue": sine_process.form_factor(tau_Q, "gue"),
    "renewal": form_factors.renewal(phi_Q),
  }
  error_VxQ = np.stack([statistics.seed_interval(k_RxQ).standard_error for k_RxQ in curves])
  k, count = "form factor K", "variance of the number of levels in a window"
  variables = {
    "form_factor": results.variable(
      "sequence tau", np.stack([k_RxQ.mean(0) for k_RxQ in curves]), f"{k}, mean over blocks"
    ),
    "form_factor_error": results.variable("sequence tau", error_VxQ, f"{k}, {_ERROR} over blocks"),
    "renewal": results.variable("tau", references["renewal"], f"{k}, independent spacings, exact"),
    "gue": results.variable("tau", references["gue"], f"{k}, GUE"),
    "number_variance": results.variable(
      "sequence length", np.stack([c.estimate for c in counts]), count
    ),
    "number_variance_error": results.variable(
      "sequence length", np.stack([c.standard_error for c in counts]), f"{count}, {_ERROR}"
    ),
    "gue_number_variance": results.variable(
      "length", sine_process.number_variance(length_E, "gue"), f"{count}, GUE, exact"
    ),
    **_by_sequence(sequences, curves, tau_Q, references),
    **_plateaus(sequences, range(settings.seed, settings.seed + settings.draws)),
    **results.rows("scaling", scaling(run.series.value_N), SCALED),
    **_peak(sequences, settings),
  }
  measures = list(form_factors.PLATEAUS_AS_PUBLISHED)
  coords = {
    "sequence": results.variable("sequence", list(sequences), "sequence"),
    "tau": results.variable("tau", tau_Q, "tau", "Heisenberg units"),
    "fine_tau": results.variable(
      "fine_tau", resonance.grid(len(test_N)), "tau on the fine grid", "Heisenberg units"
    ),
    "length": results.variable("length", length_E, "length L of the window", "mean spacings"),
    "measure": results.variable("measure", measures, "published measure"),
  }
  return results.dataset(variables, coords, block=settings.block)


def _by_sequence(sequences, curves, tau_Q, references) -> dict[str, xr.Variable]:
  """Returns a sequence's numbers along `sequence`, with their intervals over blocks."""
  blocks = [len(k_RxQ) for k_RxQ in curves]
  enough = [count >= form_factors.ENOUGH for count in blocks]
  each = lambda f: [f(value_N) for value_N in sequences.values()]
  found = {
    "spacings": results.variable("sequence", each(len), "number of spacings"),
    "blocks": results.variable("sequence", blocks, "number of blocks"),
    "enough_blocks": results.variable("sequence", enough, "whether the blocks are enough"),
    "mean_spacing": results.variable(
      "sequence", each(lambda value_N: float(value_N.mean())), "mean spacing"
    ),
    "spacing_variance": results.variable(
      "sequence", each(lambda value_N: float(value_N.var())), "variance of the spacings"
    ),
  }
  every = [_intervals(k_RxQ, tau_Q, references) for k_RxQ in curves]
  for name, said in INTERVALS.items():
    ends = np.array([row[name][:3] for row in every], np.float64).T
    found |= results.with_interval(name, "sequence", statistics.Interval(*ends), said)
  return found


# --- figures and tables ---------------------------------------------------------------------------

COLOURS = {
  "test": "black",
  "CUE": draw.BLUE,
  "renewal": draw.AMBER,
  "Poisson": draw.GREY,
  "shuffled": draw.ORANGE,
}
_AVERAGED = 4  # neighbouring tau, in the curves drawn
LOWEST = 1e-2  # drawn around the peak


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares their test splits."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  both = results.across({run: _drawn(found) for run, found in runs.items()}, "k", "counts")
  test = both.sel(sequence="test")
  look = {"style": {"marker": "", "lw": 1.1}, "zero": False}
  shared = draw.page(
    (
      draw.curves(test, "k", x="tau", colour="run", title="Form factor of the test split", **look),
      draw.curves(
        test,
        "counts",
        x="length",
        colour="run",
        title="Number variance of the test split",
        zero=False,
        xscale="log",
        yscale="log",
      ),
    ),
    heights=[3.8],
  )
  return {"all runs": shared} | pages


def _page(run: str, found: xr.Dataset) -> draw.Page:
  return draw.page(
    (_form_factors(run, found), _number_variances(found)),
    (_around_the_peak(found), _what_jitter_leaves(found)),
    heights=[4.2, 4.2],
  )


def _drawn(found: xr.Dataset) -> xr.Dataset:
  """Returns form factors, some neighbouring tau to a point, and number variances as `counts`.

  With one standard error to either side: neighbouring tau are not independent, so the error is that
  of one of them.
  """
  width = _AVERAGED if found.sizes["tau"] > 40 else 1
  curves = found[["form_factor", "form_factor_error"]]
  pooled = curves.coarsen(tau=width, boundary="trim").mean(keep_attrs=True)
  pooled["tau"] = pooled.tau.assign_attrs(found.tau.attrs)
  k = _with_errors("k", pooled, "form_factor")
  return xr.merge([k, _with_errors("counts", found, "number_variance")])


def _with_errors(new: str, found: xr.Dataset, name: str) -> xr.Dataset:
  """Returns a variable under a new name, with one standard error to either side."""
  value, error = found[name], found[f"{name}_error"]
  meaning = f"{value.attrs['long_name']}, ± 1 {_ERROR}"
  ends = xr.concat([value - error, value + error], xr.Variable(results.END, list(results.ENDS)))
  return xr.Dataset({new: value.assign_attrs(long_name=meaning), f"{new}_interval": ends})


def _sequence_curves(found: xr.Dataset, name: str, x: str, names, **look) -> list[draw.Panel]:
  """Returns a curve of each of some sequences, in the sequence's colour."""
  style, text = look.pop("style"), look
  return [
    draw.curves(
      found.sel(sequence=each),
      name,
      x=x,
      zero=False,
      style={"color": COLOURS[each], "label": each} | style,
      **text,
    )
    for each in names
  ]


def _form_factors(run: str, found: xr.Dataset) -> draw.Panel:
  names = [name for name in SEQUENCES if name != "renewal"]  # which is as the shuffled
  blocks = int(found.blocks.sel(sequence="test"))
  return draw.together(
    draw.line(found.tau, found.gue, "GUE", draw.BLUE, lw=1),
    draw.line(found.tau, found.renewal, "independent spacings, exact", draw.ORANGE, lw=1),
    *_sequence_curves(
      _drawn(found),
      "k",
      "tau",
      names,
      style={"marker": "", "lw": 1.1},
      title=f"{run}: form factor, {blocks} blocks of {found.block}",
      ylim=(0, 2.3),
    ),
  )


def _number_variances(found: xr.Dataset) -> draw.Panel:
  return draw.together(
    draw.line(found.length, found.gue_number_variance, "GUE, exact", draw.BLUE, lw=1.2),
    *_sequence_curves(
      _drawn(found),
      "counts",
      "length",
      SEQUENCES,
      style={"lw": 1.2},
      title="Number variance",
      xscale="log",
      yscale="log",
    ),
    functools.partial(_plain_ticks, values=found.length.values),
  )


def _plain_ticks(axes, values) -> None:
  """Makes ticks at these values of x, and writes those of y as numbers, not as powers."""
  axes.set_xticks(values, [f"{value:g}" for value in values])
  axes.minorticks_off()
  axes.yaxis.set_major_formatter("{x:g}")


def _around_the_peak(found: xr.Dataset) -> draw.Panel:
  count = int(found.spacings.sel(sequence="test"))
  curves: dict[str, tuple[Any, dict[str, Any]]] = {
    "test": (found.resonance.sel(sequence="test"), {"color": COLOURS["test"], "lw": 1.3}),
    "shuffled": (
      found.resonance.sel(sequence="shuffled"),
      {"color": COLOURS["shuffled"], "lw": 1.3},
    ),
    "jittered by a bin": (found.resonance_jittered, {"color": draw.GREEN, "lw": 1.6}),
    "jittered by a bin, exact mean": (
      found.resonance_expected,
      {"color": draw.PURPLE, "ls": "--"},
    ),
  }

  def panel(axes):
    place_T = (found.fine_tau.values - 1) * count
    for label, (value, look) in curves.items():
      axes.plot(place_T, np.maximum(value.values, LOWEST), label=label, **look)
    axes.set(
      yscale="log",
      title=f"The whole sequence around tau = 1, N = {count:,}",
      xlabel="(tau - 1) N",
      ylabel="|sum of waves|² / N",
    )

  return panel


def _what_jitter_leaves(found: xr.Dataset) -> draw.Panel:
  def panel(axes):
    part = found.jitter_part_of_bin.values
    axes.fill_between(
      part,
      found.jitter_lowest_by_offset.values,
      found.jitter_highest_by_offset.values,
      color=draw.GREY,
      alpha=0.2,
      lw=0,
      label="published grid: range over its offsets",
    )
    reported = found.jitter_reported_retention.values
    known = np.isfinite(reported)
    axes.plot(part[known], reported[known], "s", color=draw.ORANGE, label="published")
    axes.plot(
      part, found.jitter_retention.values, "o-", color="black", label="fine grid, highest value"
    )
    exact = found.jitter_expected_retention.values
    axes.plot(part, exact, "--", color=draw.PURPLE, label="expected where the peak was, exact")
    axes.axhline(1, color="black", lw=0.8, ls=":")
    axes.set(
      yscale="log",
      title="What jitter of the spacings leaves",
      xlabel=results.label(found.jitter_part_of_bin),
      ylabel="height over height without jitter",
    )
    axes.set_ylim(bottom=exact.min() / 20)

  return panel


def tables(runs) -> list[tables_lib.Table]:
  """Returns ramps and plateaus, the peak, and the published measures, of all runs."""
  return [
    _ramps(runs),
    _jitters(runs),
    _scalings(runs),
    _counts(runs),
    _singles(runs),
  ]


def _ramps(runs) -> tables_lib.Table:
  window = f"tau {WINDOW[0]:.2f} to {WINDOW[1]:.2f}"
  columns = {
    "sequence": "sequence",
    "blocks": "blocks",
    "mean spacing": "mean_spacing",
    "variance": "spacing_variance",
    "ramp at tau 0": "ramp_intercept",
    "ramp's slope": "ramp_slope",
    window: "published_window",
    "tau 1.2 to 1.8": "plateau",
    "squared distance, GUE": "squared_distance_gue",
  }
  rows = tables_lib.by_run(runs, lambda found: tables_lib.records(found, columns, "sequence"))
  few = any(not found.enough_blocks.values.all() for found in runs.values())
  said = f" There are fewer than the {form_factors.ENOUGH} blocks asked for." if few else ""
  blocks = tables_lib.distinct(f"{found.block:,}" for found in runs.values())
  return tables_lib.Table(
    f"Form factor over blocks of {blocks} spacings, 95 % intervals over blocks. GUE: 0, 1, 0.68, 1,"
    f" 0. At finite height zeros have lines of the primes on top.{said}",
    rows,
    {"mean spacing": ".4f", "variance": ".4f"} | dict.fromkeys(list(columns)[4:], ".3f"),
    "sequences",
  )


def _jitters(runs) -> tables_lib.Table:
  formats = {"jitter (bins)": "g", "left": ".3f", "left, exact": ".3f"}
  return tables_lib.of_runs(
    runs,
    "jitter",
    "The peak at tau = 1 on a grid that resolves it, and on the published one, whose step is 150"
    " widths of the peak; 'left' is the height over the height without jitter.",
    formats | {"published grid: left": ".2f", "as published": ".2f"},
    {
      "jitter (bins)": "part_of_bin",
      "highest": "peak",
      "left": "retention",
      "left, exact": "expected_retention",
      "published grid: left": "retention_as_published",
      "lowest of its offsets": "lowest_by_offset",
      "highest of its offsets": "highest_by_offset",
      "as published": "reported_retention",
    },
  )


def _scalings(runs) -> tables_lib.Table:
  plateaus = {
    "as published": "reported",
    "binned, computed here": "binned_as_published",
    "binned, without tau = 1": "binned_without_resonance",
    "not binned: K(1)": "resonance",
    "not binned, without tau = 1": "without_resonance",
  }
  return tables_lib.of_runs(
    runs,
    "scaling",
    "The published plateau (28 points, published tau > 2) by number of spacings from the first: one"
    " of the points is the resonance.",
    dict.fromkeys(plateaus, ".2f"),
    {"spacings": "spacings"} | plateaus,
  )


def _counts(runs) -> tables_lib.Table:
  rows = [
    {"run": run, "L": float(length)}
    | {
      name: tables_lib.interval(drawn, "counts", sequence=name, length=length)
      for name in found.sequence.values.tolist()
    }
    | {"GUE, exact": float(found.gue_number_variance.sel(length=length))}
    for run, found in runs.items()
    for drawn in [_drawn(found)]
    for length in found.length.values
  ]
  return tables_lib.Table(
    "Number variance: variance of the number of levels in a window of length L, with one standard"
    " error over stretches to either side.",
    rows,
    {"L": "g"} | dict.fromkeys([*SEQUENCES, "GUE, exact"], ".3f"),
    "number_variance",
  )


def _singles(runs) -> tables_lib.Table:
  rows = [
    {
      "run": run,
      "measure": measure,
      "sequence": name,
      "value": float(one.single_plateau.sel(sequence=name)),
      "shuffled, mean": float(one.shuffled_plateau),
      "spread": float(one.plateau_spread),
    }
    for run, found in runs.items()
    for measure in found.measure.values.tolist()
    for one in [found.sel(measure=measure)]
    for name in found.sequence.values.tolist()
  ]
  return tables_lib.Table(
    "Published plateaus: single values as published; spread: standard deviation over shuffles of"
    " the data.",
    rows,
    dict.fromkeys(("value", "shuffled, mean", "spread"), ".3f"),
    "plateaus",
  )


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
_BELOW = 100 * (1 - NULL_TEST["zeros"] / NULL_TEST["Poisson"])
_KEPT = HEIGHT[1.0] / HEIGHT[0.0]
_JITTER_TEST = f"{program.REPOSITORY}, jitter test"


def _first(results) -> xr.Dataset:
  """Returns the result of any run on the published data: no network is read."""
  return program.on_published(results, told=True).first("form_factor")


def _said(found: xr.Dataset, name: str, sequence: str) -> str:
  """Returns a number of a sequence with its interval."""
  return format(tables_lib.interval(found, name, sequence=sequence), ".3f")


@CLAIMS.add(
  "form_factor.suppression",
  f"The form factor of the zeros is suppressed by {_BELOW:.0f} % below Poisson: spectral rigidity.",
  reported="3 < tau < 5.5: " + ", ".join(f"{name} {value}" for name, value in NULL_TEST.items()),
  source=f"{program.REPOSITORY}, null test of the form factor",
)
def suppression(results):
  """Returns the verdict: low in the window, and not by the marginal alone."""
  found = _first(results)
  single = found.sel(measure="null test")
  value, spread = float(single.single_plateau.sel(sequence="test")), float(single.plateau_spread)
  furthest = found.isel(length=-1)
  length = float(furthest.length)
  counts = {name: float(furthest.number_variance.sel(sequence=name)) for name in SEQUENCES}
  because = (
    "on the published window, 3 to 5.5 there, which is tau "
    f"{WINDOW[0]:.2f} to {WINDOW[1]:.2f} in units of the Heisenberg time, the form factor of the "
    f"zeros is {_said(found, 'published_window', 'test')} over "
    f"{int(found.blocks.sel(sequence='test'))} blocks, the same spacings shuffled "
    f"{_said(found, 'published_window', 'shuffled')}: the low value comes with the distribution of "
    "single spacings. One unaveraged value, as published, is "
    f"{value:.2f} here and scatters by {spread:.2f}. "
    "Rigidity is seen elsewhere: the ramp starts at "
    f"{_said(found, 'ramp_intercept', 'test')}, shuffled at "
    f"{_said(found, 'ramp_intercept', 'shuffled')}, and the variance of the count in "
    f"windows of {length:g} is {counts['test']:.2f} against "
    f"{counts['shuffled']:.2f}."
  )
  own = tables_lib.interval(found, "published_window", sequence="test")
  null = tables_lib.interval(found, "published_window", sequence="shuffled")
  values = {
    "window": own.estimate,
    "window, shuffled": null.estimate,
    "published measure": value,
    "its spread": spread,
    "ramp intercept": float(found.ramp_intercept.sel(sequence="test")),
    "ramp intercept, shuffled": float(found.ramp_intercept.sel(sequence="shuffled")),
    "number variance": counts["test"],
    "number variance, shuffled": counts["shuffled"],
  }
  return claims.verdict(own.high < 1, because, values, artefact=null.high < 1)


@CLAIMS.add(
  "form_factor.spike",
  "The form factor of the zeros has a real spike at tau = 2 pi.",
  reported=f"height {HEIGHT[0.0]}, {BACKGROUND} times the background",
  source=_JITTER_TEST,
)
def spike(results):
  """Returns the verdict: the peak must stand far above that of shuffled spacings."""
  found = _first(results)
  own, null = (float(found.resonance.sel(sequence=name).max()) for name in ("test", "shuffled"))
  because = (
    f"on a grid that resolves it the peak is {own:,.0f}, with the spacings "
    f"shuffled {null:.1f}. Levels that stay near n add up in step there, and "
    "unfolded zeros do, as S(t), by which their count departs from its mean, stays small; "
    f"the published {HEIGHT[0.0]} is "
    "what a grid met whose step is 150 widths of the peak, of spacings rounded "
    "to bins."
  )
  return claims.verdict(own > 10 * null, because, {"peak": own, "peak, shuffled": null})


@CLAIMS.add(
  "form_factor.jitter",
  f"The spike withstands jitter of the spacings: {100 * _KEPT:.0f} % of it is retained.",
  reported=" -> ".join(f"{height}" for height in HEIGHT.values()) + " at 0, 1/4, 1/2 and 1 bin",
  source=_JITTER_TEST,
)
def retention(results):
  """Returns the verdict: jitter must not raise what it puts out of step."""
  rows = tables_lib.rows(_first(results), "jitter")
  none, full = (claims.row(rows, part_of_bin=part) for part in (0.0, 1.0))
  because = (
    "with the spacings jittered by a whole bin the peak keeps "
    f"{full['retention']:.3f} of its height (exact mean at its place "
    f"{full['expected_retention']:.3f}): jitters add up along the sequence. "
    "The published grid, moved within one step, gives "
    f"{none['lowest_by_offset']:.2f} to {none['highest_by_offset']:.2f} times "
    "the published height without any jitter and "
    f"{full['lowest_by_offset']:.2f} to {full['highest_by_offset']:.2f} with "
    f"it: {_KEPT:.2f} is where its points fell."
  )
  values = {
    "retention": full["retention"],
    "expected retention": full["expected_retention"],
    "published grid without jitter, highest": none["highest_by_offset"],
    "published grid, lowest": full["lowest_by_offset"],
    "published grid, highest": full["highest_by_offset"],
  }
  return claims.verdict(full["retention"] > 0.7, because, values)


@CLAIMS.add(
  "form_factor.scaling",
  "The plateau of the form factor grows with the number of zeros.",
  reported=", ".join(f"{row['plateau']:.2f}" for row in SCALING)
  + f" at {SCALING[0]['spacings']:,} to {SCALING[-1]['spacings']:,} spacings",
  source=f"{program.REPOSITORY}, scaling of the form factor",
)
def growth(results):
  """Returns the verdict: growth must be that of a plateau, not of one resonant point."""
  rows = tables_lib.rows(_first(results), "scaling")
  last, rest = rows[-1], [row["without_resonance"] for row in rows]
  binned_rest = [row["binned_without_resonance"] for row in rows]
  repeated = [row["binned_as_published"] for row in rows]
  because = (
    "the published numbers come back ("
    + ", ".join(f"{value:.2f}" for value in repeated)
    + f"), but one of the 28 values of tau is the resonance: left out, "
    f"{min(binned_rest):.2f} to {max(binned_rest):.2f} remain, without growth, and of "
    f"spacings that are not rounded {min(rest):.2f} to {max(rest):.2f}, while "
    f"that one point reaches {last['resonance']:,.0f} at "
    f"{last['spacings']:,} spacings. The window lies in the ramp."
  )
  values = {f"{row['spacings']}": row["binned_as_published"] for row in rows}
  values |= {f"{row['spacings']}, without tau = 1": row["without_resonance"] for row in rows}
  close = [abs(row["binned_as_published"] - row["reported"]) < 0.02 for row in rows]
  return claims.verdict(all(close), because, values, artefact=max(rest) < 2)
