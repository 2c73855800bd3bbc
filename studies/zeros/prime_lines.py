"""Are there waves at the logarithms of primes in the spacings?

By the explicit formula the residual of a spacing holds a wave of frequency ln p for every prime.
The published study listed spikes at m ln p among many candidates, without a correction for their
number.

Here the same is asked of stretches of spacings at several heights. p-values are corrected over all
primes tested. Beside the primes stand composites that are no prime power, random frequencies,
frequencies near the primes, shuffled spacings, and CUE spacings laid at the same heights. The law
replaces a gap by its mean, so that it is too large at large p. This is the control of every reading
of a network: what is not in the spacings cannot be in their predictions.
"""

import dataclasses
from typing import Annotated

import numpy as np
import xarray as xr
from primelens.analyses import line_nulls, prime_lines, statistics
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.studies.zeros import guides, program
from primelens.tasks import checks, primes, surrogates, zeros

# --- published, and settings ----------------------------------------------------------------------

CANDIDATES = 100  # that the published list had, at least

LEVEL = 0.05
POWERS = 12  # of primes, in the table


@dataclasses.dataclass(kw_only=True)
class Settings:
  """`stretches` of `spacings` each are read, at primes below `limit`.

  `draws` are the shuffles of a stretch, `cue_draws` the sequences of CUE matrices of `cue_size`
  levels.
  """

  stretches: checks.Number = 4
  spacings: Annotated[int, checks.Range(10, 100_000_000)] = 20_000
  limit: Annotated[int, checks.Range(10, 1_000_000)] = 3_000
  draws: Annotated[int, checks.Range(20, 1_000_000)] = 200
  cue_draws: checks.Number = 4
  cue_size: checks.Order = 200
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


obstacle = program.no_heights


# --- the lines of one stretch ---------------------------------------------------------------------


def _stretch(residual_N, height_N, numbers, settings) -> dict:
  """Returns the lines of one stretch and all its nulls."""
  prime_Q, composite_E = numbers
  log_Q = np.log(prime_Q)
  of = lambda frequency: prime_lines.amplitudes(residual_N, height_N, frequency)
  options = dict(draws=settings.draws, seed=settings.seed)
  shuffled_RxQ = line_nulls.shuffled(residual_N, height_N, log_Q, **options)
  found = line_nulls.lines(of(log_Q), shuffled_RxQ)
  height = float(height_N.mean())
  law_Q = prime_lines.law(prime_Q, height)
  power_E = prime_lines.powers(prime_Q, settings.limit - 1)
  composite = of(np.log(composite_E))
  nulls = {
    "composites": composite,
    "shuffled spacings": shuffled_RxQ,
    "CUE at these heights": _cue(height_N, log_Q, settings),
    **_off_the_lines(height_N, log_Q, of, settings),
  }
  return {
    "height": height,
    "amplitude_Q": found.amplitude_Q,
    "law_Q": law_Q,
    "max_t_Q": found.max_t_Q,
    "bh_Q": found.bh_Q,
    "composite_E": composite,
    "nulls": [_null_row(height, *pair, found.amplitude_Q) for pair in nulls.items()],
    "powers": _powers(height, prime_Q, power_E, of, shuffled_RxQ),
    "summary": _summary(height, found, law_Q, composite),
  }


def _off_the_lines(height_N, log_Q, of, settings) -> dict[str, np.ndarray]:
  """Returns amplitudes at random frequencies, and beside the primes."""
  line_A = guides.lines(settings.limit)
  below_A = line_A[line_A < np.log(settings.limit)]
  random_Q = line_nulls.elsewhere(below_A, height_N, len(log_Q), seed=settings.seed)
  beside_RxQ = line_nulls.beside(log_Q, line_A, height_N, draws=1, seed=settings.seed)
  beside_Q = beside_RxQ[~np.isnan(beside_RxQ)]
  found = {"random frequencies": of(random_Q)}
  return found | ({"beside the primes": of(beside_Q)} if len(beside_Q) else {})


def _cue(height_N, log_Q, settings) -> np.ndarray:
  """Returns the amplitudes of CUE spacings from the same first height: RxQ.

  They are laid along the zeros' own mean density, u -> g, so that only their
  arrangement differs.
  """
  count = len(height_N)
  matrices = -(-count // settings.cue_size)
  # Heights by unfolded height, a little further than the zeros reach.
  end = height_N[-1] + 0.05 * np.ptp(height_N)
  grid_N = np.linspace(height_N[0], end, 4 * count)
  unfolded_N = zeros.unfold(grid_N)
  rows = []
  for i in range(settings.cue_draws):
    spacing_RxN = surrogates.cue_spacings(
      settings.seed + i, matrices=matrices, size=settings.cue_size
    )
    spacing_N = spacing_RxN.ravel()[:count]
    place_N = unfolded_N[0] + np.append(0, np.cumsum(spacing_N[:-1]))
    other_N = np.interp(place_N, unfolded_N, grid_N)
    rows.append(prime_lines.amplitudes(spacing_N - 1, other_N, log_Q))
  return np.array(rows)


def _null_row(height: float, name: str, null, amplitude_Q) -> dict:
  return {
    "height": height,
    "null": name,
    "lines": int(null.size),
    "median": float(np.median(null)),
    "largest": float(null.max()),
    "primes_above": int(np.sum(amplitude_Q > null.max())),
  }


def _powers(height, prime_Q, power_E, of, shuffled_RxQ):
  """Returns the lines at the logarithms of the smallest powers p^m, m >= 2."""
  top_R = shuffled_RxQ.max(1)
  rows = []
  for power, amplitude in zip(power_E[:POWERS], of(np.log(power_E[:POWERS])), strict=True):
    prime = int(prime_Q[power % prime_Q == 0][0])
    exponent = int(np.round(np.log(power) / np.log(prime)))
    law = prime_lines.law([prime], height, power=exponent)[0]
    rows.append(
      {
        "height": height,
        "power": int(power),
        "prime": prime,
        "exponent": exponent,
        "amplitude": float(amplitude),
        "law": float(law),
        "max_t": float(statistics.permutation_p(amplitude, top_R)),
      }
    )
  return rows


def _summary(height, found, law_Q, composite) -> dict:
  amplitude_Q = found.amplitude_Q
  return {
    "height": height,
    "correlation": float(np.corrcoef(amplitude_Q, law_Q)[0, 1]),
    "slope": float(amplitude_Q @ law_Q / (law_Q @ law_Q)),
    "primes": len(amplitude_Q),
    "max_t": int(np.sum(found.max_t_Q < LEVEL)),
    "bh": int(np.sum(found.bh_Q < LEVEL)),
    "above_composites": int(np.sum(amplitude_Q > composite.max())),
    "share_above_composites": float(np.mean(amplitude_Q > composite.max())),
  }


# --- the result -----------------------------------------------------------------------------------

AMPLITUDE, UNIT = "amplitude of the wave", "mean spacings"
NULL_COLUMNS = {
  "height": "mean height of the stretch",
  "null": "frequencies or sequences without primes",
  "lines": "number of amplitudes",
  "median": f"median amplitude [{UNIT}]",
  "largest": f"largest amplitude [{UNIT}]",
  "primes_above": "primes above the largest amplitude",
}
POWER_COLUMNS = {
  "height": "mean height of the stretch",
  "power": "power of a prime",
  "prime": "prime",
  "exponent": "exponent",
  "amplitude": f"{AMPLITUDE} [{UNIT}]",
  "law": f"amplitude by the explicit formula [{UNIT}]",
  "max_t": "p-value, corrected over all primes",
}
OF_STRETCH = {
  "correlation": "correlation of amplitudes with the law",
  "slope": "slope of amplitudes on the law",
  "primes": "primes tested",
  "max_t": f"primes found, chance of any false one below {LEVEL}",
  "bh": f"primes found, share of false ones below {LEVEL}",
  "above_composites": "primes above all composites",
  "share_above_composites": "share of primes above all composites",
}
OVERALL = ("correlation", "slope", "max_t", "bh", "above_composites")


def measure(run) -> xr.Dataset:
  """Returns the lines of evenly spread stretches of a run's whole sequence, and their nulls.

  p-values are corrected over all primes, against shuffled spacings. Composites are those that are
  no prime power. `overall` are means over stretches.
  """
  settings = run.settings.prime_lines
  value_N, height_N = run.series.value_N, run.series.ordinate_N
  count = min(settings.spacings, len(value_N) // settings.stretches)
  # From the middle of the first part on: the lowest zeros are few and far.
  place = np.linspace(0, len(value_N) - count, settings.stretches + 1)[1:]
  prime_Q = primes.below(settings.limit)
  composite_E = prime_lines.composites(prime_Q, settings.limit - 1)
  found = [
    _stretch(
      value_N[first : first + count].astype(np.float64) - 1,
      height_N[first : first + count],
      (prime_Q, composite_E),
      settings,
    )
    for first in place.astype(int)
  ]
  stack = lambda key: np.array([one[key] for one in found])
  summary = [one["summary"] for one in found]
  each = lambda key: [row[key] for row in summary]
  variables = {
    "amplitude": results.variable("height prime", stack("amplitude_Q"), AMPLITUDE, UNIT),
    "law": results.variable(
      "height prime", stack("law_Q"), "amplitude by the explicit formula", UNIT
    ),
    "p_max_t": results.variable(
      "height prime", stack("max_t_Q"), "p-value, for the chance of any false finding"
    ),
    "p_bh": results.variable("height prime", stack("bh_Q"), "p-value, for the share of false ones"),
    "composite_amplitude": results.variable(
      "height composite", stack("composite_E"), f"{AMPLITUDE} at composites", UNIT
    ),
    **{key: results.variable("height", each(key), said) for key, said in OF_STRETCH.items()},
    **results.rows("nulls", [row for one in found for row in one["nulls"]], NULL_COLUMNS),
    **results.rows("powers", [row for one in found for row in one["powers"]], POWER_COLUMNS),
    **results.with_interval("overall", "quantity", _overall(summary), "mean over stretches"),
  }
  coords = {
    "height": results.variable("height", stack("height"), "mean height of the stretch"),
    "prime": results.variable("prime", prime_Q, "prime p; frequency ln p"),
    "composite": results.variable("composite", composite_E, "composite m; frequency ln m"),
    "quantity": results.variable("quantity", list(OVERALL), "what the mean is of"),
  }
  return results.dataset(variables, coords, spacings=count)


def _overall(summary) -> statistics.Interval:
  """Returns means over stretches with their t intervals."""
  each = [statistics.seed_interval([float(row[key]) for row in summary]) for key in OVERALL]
  return statistics.Interval(*np.array([one[:3] for one in each], np.float64).T)


# --- figures and tables ---------------------------------------------------------------------------

CORRECTIONS = {
  "max_t": (f"chance of any false one under {LEVEL:.0%}", draw.BLUE, "o-"),
  "bh": (f"share of false ones under {LEVEL:.0%}", draw.GREEN, "o--"),
}


def figures(runs) -> dict:
  """Returns a page for each run and, of different sequences, one that compares them."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  apart = program.of_data(runs)
  if len(apart) < 2:
    return pages
  both = results.across(apart, "max_t", "correlation")
  look = {"x": "height", "colour": "run"}
  panels = (
    draw.curves(both, "max_t", title="Primes found, by height", **look),
    draw.curves(both, "correlation", title="Amplitudes beside the law, by height", **look),
  )
  return {"all runs": draw.page(panels, heights=[3.8])} | pages


def _page(run: str, found: xr.Dataset) -> draw.Page:
  return draw.page(
    (_lines(run, found), _law(found)), (_nulls(found), _stand_out(found)), heights=[4.2, 4.0]
  )


def _lines(run: str, found: xr.Dataset) -> draw.Panel:
  """Returns the lines of the highest stretch over the composites' null."""
  last = found.isel(height=-1)

  def panel(axes):
    dots = {"color": draw.GREY, "ms": 1.5, "alpha": 0.5, "rasterized": True}
    axes.plot(last.composite, last.composite_amplitude, ".", label="composites m", **dots)
    sure, likely = (last[p].values < LEVEL for p in ("p_max_t", "p_bh"))
    for which, colour, said in (
      (sure, draw.BLUE, CORRECTIONS["max_t"][0]),
      (likely & ~sure, draw.GREEN, CORRECTIONS["bh"][0]),
      (~likely & ~sure, draw.PURPLE, "not found"),
    ):
      label = f"primes p, {int(which.sum())} {said}" if said == "not found" else None
      label = label or f"primes p, {int(which.sum())} found, {said}"
      axes.plot(last.prime[which], last.amplitude[which], ".", color=colour, ms=4, label=label)
    axes.plot(last.prime, last.law, color=draw.ORANGE, lw=1.2, label="law of S(t)")
    axes.set(
      xscale="log",
      yscale="log",
      ylim=(2e-4, 0.3),
      xlabel="number m; frequency ln m",
      ylabel=results.label(last.amplitude),
      title=f"{run}: {found.spacings:,} spacings at {_at(last)}",
    )
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")

  return panel


def _law(found: xr.Dataset) -> draw.Panel:
  def panel(axes):
    for p in range(found.sizes["height"]):
      one = found.isel(height=p)
      colour = draw.COLOURS[p % len(draw.COLOURS)]
      axes.plot(one.law, one.amplitude, ".", color=colour, ms=3, label=_at(one))
    top = float(found.law.max())
    axes.plot([0, top], [0, top], color="black", lw=0.8, label="equal")
    axes.set(
      xlabel=f"law 2 |sin(δ ln p / 2)| / (π √p) ({UNIT})",
      ylabel=results.label(found.amplitude),
      title="The law at every height",
    )

  return panel


def _nulls(found: xr.Dataset) -> draw.Panel:
  """Returns the median and the largest amplitude of every null."""
  rows = tables_lib.rows(found, "nulls")
  names = list(dict.fromkeys(row["null"] for row in rows))

  def panel(axes):
    for key, colour in (("median", draw.GREY), ("largest", draw.ORANGE)):
      for place, name in enumerate(names):
        value = [row[key] for row in rows if row["null"] == name]
        label = None if place else f"{key} of the null"
        axes.plot(value, np.full(len(value), place), "o", color=colour, ms=4, label=label)
    for share, label, dash in ((0.5, "median", 2), (1, "largest", 1)):
      value = np.quantile(found.amplitude, share)
      look = {"color": draw.BLUE, "lw": 1.2, "ls": draw.DASHES[dash]}
      axes.axvline(value, label=f"{label} of the primes", **look)
    axes.set_yticks(range(len(names)), names)
    axes.set(
      ylim=(-0.5, len(names) - 0.5),
      xscale="log",
      xlabel=results.label(found.amplitude),
      title="Frequencies and sequences without primes",
    )

  return panel


def _stand_out(found: xr.Dataset) -> draw.Panel:
  """Returns how many primes stand out, by height, by both corrections."""
  count = found.sizes["prime"]

  def panel(axes):
    for name, (label, colour, look) in CORRECTIONS.items():
      axes.plot(found.height, found[name], look, ms=4, color=colour, label=label)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="x", nbins=4)
    axes.set(
      ylim=(0, 1.05 * count),
      xlabel=results.label(found.height),
      ylabel=f"primes found, of {count}",
      title="Lines that stand out, corrected for all",
    )

  return panel


def _at(one: xr.Dataset) -> str:
  return f"height {float(one.height):,.0f}"


def tables(runs) -> list[tables_lib.Table]:
  """Returns the lines, the nulls and the powers, those of equal sequences once."""
  apart = program.of_data(runs)
  spacings = tables_lib.distinct(f"{each.spacings:,}" for each in apart.values())
  summary = []
  for run, found in apart.items():
    for one in (found.isel(height=p) for p in range(found.sizes["height"])):
      of_all = lambda key, one=one: f"{int(one[key])} of {int(one.primes)}"
      summary.append(
        {
          "run": run,
          "height": float(one.height),
          "correlation with the law": float(one.correlation),
          "slope": float(one.slope),
          f"max-T < {LEVEL}": of_all("max_t"),
          f"BH < {LEVEL}": of_all("bh"),
          "above all composites": of_all("above_composites"),
        }
      )
  powers = [
    {"run": run, "height": row["height"], "power": f"{row['prime']}^{row['exponent']}"}
    | {"amplitude": row["amplitude"], "law": row["law"], "p, corrected": row["max_t"]}
    for run, found in apart.items()
    for row in tables_lib.rows(found, "powers")
  ]
  height = {"height": ",.0f"}
  return [
    tables_lib.Table(
      f"Lines in stretches of {spacings} spacings.",
      summary,
      height | {"correlation with the law": ".3f", "slope": ".3f"},
      "stretches",
    ),
    tables_lib.of_runs(
      apart,
      "nulls",
      "Amplitudes where no prime is, in mean spacings.",
      height | {"median": ".4f", "largest": ".4f"},
    ),
    tables_lib.Table(
      "Lines at powers of primes; amplitudes in mean spacings.",
      powers,
      height | {"amplitude": ".4f", "law": ".4f", "p, corrected": ".4f"},
      "powers",
    ),
  ]


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()


@CLAIMS.add(
  "primes.spikes",
  "There are spikes at m ln p.",
  reported=f"over {CANDIDATES} candidates, not corrected for their number",
  source=f"{program.REPOSITORY}, project notes",
)
def spikes(results):
  """Returns the verdict: lines of primes, corrected, in every stretch."""
  found = program.on_published(results, told=True).first("prime_lines")
  each, primes = found.max_t.values.tolist(), found.primes.values.tolist()
  share = found.share_above_composites.values.tolist()
  heights = [f"{max_t} of {count}" for max_t, count in zip(each, primes, strict=True)]
  slope, match = (float(found.overall.sel(quantity=key)) for key in ("slope", "correlation"))
  nulls = tables_lib.rows(found, "nulls")
  cue = [row["largest"] for row in nulls if row["null"].startswith("CUE")]
  because = (
    f"corrected over all primes below {int(found.prime[-1]) + 1:,}, "
    f"{', '.join(heights)} stand out in {len(each)} stretches of "
    f"{found.spacings:,} spacings; amplitudes correlate with the explicit "
    f"formula's law at {match:.3f} (slope {slope:.2f}), up to "
    f"{found.amplitude.values.max():.3f}, where CUE at the same heights reaches "
    f"{max(cue):.3f}. They are waves along the heights, not at multiples of an "
    "index or in slots."
  )
  values = {
    "least found": min(each),
    "above all composites, mean share": sum(share) / len(share),
    "correlation with the law": match,
  }
  lawful = float(found.correlation.min()) > 0.9
  return claims.verdict(min(each) > 0 and lawful, because, values)
