"""Which spectrum does a network's response imply: can the operator be read off it?

The published study took coefficients of short filters, and a constant of three spacings, for the
operator behind the zeros. What can be predicted of a sequence of zeros is a sum of waves at the
logarithms of primes, so that an operator read off a network has to have these lines.

Here predictors are read by their response H to waves in the input. 1/|1 − H|² is the spectrum of
zeros that a predictor of white errors believes in, and a prime is resolved where its peak is higher
than all between the primes. A network is read by the derivatives of its last predictions over
windows from all of the stretch, a filter by its coefficients at the same targets. How many primes
would be resolved if peaks fell anywhere is counted beside them, and fresh networks are read too.

Source: docs/sources/zeros.md, section 7.1.
"""

import numpy as np
import xarray as xr
from primelens.analyses import anchors, autoregression, prime_lines, wave_response
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.studies.zeros import program, scoring, stretches
from primelens.tasks import primes, windows

LOWEST = 0.35  # frequency; ln 2 is 0.69
ADAPTIVE, WINDOW = 256, 20_000  # as the anchors' adaptive filter
FILTERED = 512  # places at which a filter is read, which costs no derivatives

obstacle = stretches.no_zeros


# --- the result -----------------------------------------------------------------------------------

PEAKS = {
  "name": "predictor",
  "kind": "kind of predictor",
  "seed": "place of the network among the seeds, -1 of others",
  "inputs": "spacings that it reads",
  "width": "resolution: frequencies closer than this are one",
  "apart": "primes that its inputs can tell from their neighbours",
  "resolved": "of these, primes whose peak is higher than all between primes",
  "chance": "how many would be resolved if peaks fell anywhere",
  "which": "the primes resolved",
}


def measure(run) -> xr.Dataset:
  """Returns the implied spectra of networks and filters, and which primes have a peak in them.

  By the settings of `prime_waves`: both are of the same zeros.
  """
  settings, length = run.settings.prime_waves, run.experiment.model.window
  stretch = stretches.of_test(run, settings.spacings)
  last = int(stretch.index_N[-1]) - length
  first = int(stretch.start_N[0])
  spread = lambda count: np.linspace(first, last, min(count, last - first + 1)).astype(int)
  start_N = spread(settings.response_windows)
  limit = settings.response_limit
  prime_Q = primes.below(limit)
  power_E = np.concatenate([prime_Q, prime_lines.powers(prime_Q, limit)])
  narrow = 2 * np.pi / np.ptp(stretch.ordinate_N[start_N[0] : start_N[0] + max(length, ADAPTIVE)])
  frequency_F = wave_response.grid(LOWEST, np.log(limit) + narrow, narrow)
  spectrum_E, peaks = [], []
  readings = [
    *_networks(run, stretch, start_N),
    *_filters(run, stretch, spread(max(FILTERED, len(start_N)))),
  ]
  for record, jacobian_MxT, first_N in readings:
    lags = jacobian_MxT.shape[1]
    target_N = first_N + length
    height_MxT = stretch.ordinate_N[target_N[:, None] - np.arange(lags, 0, -1)]
    response_F = wave_response.response(
      jacobian_MxT, height_MxT, stretch.ordinate_N[target_N], frequency_F
    )
    spectrum_E.append(wave_response.spectrum(response_F))
    width = wave_response.resolution(height_MxT) if lags > 1 else np.inf
    found = _peaks(spectrum_E[-1], frequency_F, prime_Q, power_E, width)
    peaks.append(record | {"inputs": lags} | found)
  line_Q = primes.below(settings.limit)
  line_Q = line_Q[np.log(line_Q) < frequency_F[-1]]
  variables = {
    "spectrum": results.variable(
      "predictor frequency", np.array(spectrum_E), "implied spectrum 1/|1 − H|²", "nats"
    ),
    "line": results.variable("prime", np.log(line_Q), "frequency ln p"),
    **results.rows("predictor", peaks, PEAKS),
  }
  coords = {
    "frequency": results.variable("frequency", frequency_F, "frequency"),
    "prime": results.variable("prime", line_Q, "prime p"),
  }
  return results.dataset(variables, coords)


def _peaks(spectrum_F, frequency_F, prime_Q, power_E, width) -> dict:
  """Returns how many primes stand apart, and which of them have a peak."""
  if not np.isfinite(width):
    none = {"apart": 0, "resolved": 0, "chance": 0.0, "which": ""}
    return {"width": float(width)} | none
  found = wave_response.peaks(
    spectrum_F, frequency_F, np.log(prime_Q), np.log(power_E), width=width
  )
  return {
    "width": float(width),
    "apart": int(found.apart_Q.sum()),
    "resolved": int(found.above_Q.sum()),
    "chance": found.chance,
    "which": " ".join(str(p) for p in prime_Q[found.above_Q]),
  }


def _networks(run, stretch, start_N):
  """Yields a record, derivatives MxT and starts of every network."""
  window_NxT1 = windows.take(stretch.value_N, start_N, run.experiment.model.window)
  for kind, params_S in (("network", None), ("untrained", run.untrained_S())):
    for s, one in enumerate(scoring.jacobians(run, window_NxT1, params_S)):
      name = f"{kind} ({run.name}), seed {s}"
      yield {"name": name, "kind": kind, "seed": s}, one, start_N


def _filters(run, stretch, start_N):
  """Yields the same of every filter, whose derivatives are its coefficients."""
  for name, kind, phi_Q in _coefficients(run, stretch, int(start_N[0])):
    jacobian_MxT = np.tile(phi_Q[::-1], (len(start_N), 1))
    yield {"name": name, "kind": kind, "seed": -1}, jacobian_MxT, start_N


def _coefficients(run, stretch, first: int):
  """Yields name, kind and coefficients of filters, most recent lag first."""
  orders = run.settings.prime_waves.orders
  residual_N = stretch.value_N.astype(np.float64) - 1
  kernel = autoregression.of_sine_process(max(orders))
  fitted = anchors.filters(stretch.value_N, stretch.train, max(orders))
  for order in orders:
    yield f"{order} lags of the sine kernel", "kernel", kernel.order(order)[0]
  for order in orders:
    yield f"AR({order})", "filter", fitted.order(order)[0]
  if first >= WINDOW:
    # Least squares, as the anchor has it, balances coefficients in thousands
    # against each other, and a response to one wave alone says nothing.
    near = autoregression.fitted(residual_N[first - WINDOW : first], ADAPTIVE)
    name = f"AR({ADAPTIVE}) on the {WINDOW:,} before, Yule-Walker"
    yield name, "adaptive", near.order(ADAPTIVE)[0]


# --- figures and tables ---------------------------------------------------------------------------

COLOURS = {
  "network": draw.BLUE,
  "kernel": draw.PURPLE,
  "filter": draw.ORANGE,
  "adaptive": draw.AMBER,
}
NAMED = (2, 3, 5, 7, 11, 13, 17, 23, 31, 43, 61, 83)  # primes that have room for their number


def figures(runs) -> dict:
  """Returns the spectra of each run and, of several, the first network of each."""
  title = "The spectrum of zeros that a predictor implies by its response\n"
  pages = {}
  for run, found in runs.items():
    lines = _lines(found)
    pages[run] = draw.page(_spectra(found, lines, f"{run}. {title}"), heights=[4.6])
  if len(runs) < 2:
    return pages
  first = next(iter(runs.values()))
  lines = []
  for i, (run, found) in enumerate(runs.items()):
    (at, *_) = np.flatnonzero(found.predictor_kind.values == "network")
    shown = draw.look_of("run", i, run)
    look = {"color": shown.colour, "ls": shown.dash, "alpha": 0.9, "label": run}
    lines.append((found, at, look))
  panel = _spectra(first, lines, f"First network of each run. {title}")
  return pages | {"all runs": draw.page(panel, heights=[4.6])}


def _lines(found: xr.Dataset) -> list[tuple]:
  """Returns the networks, and the longest filter of each kind, with how they are drawn."""
  names, kinds = found.predictor_name.values.tolist(), found.predictor_kind.values.tolist()
  of = lambda kind: [e for e, its in enumerate(kinds) if its == kind]
  chosen = [*of("network"), *of("kernel")[-1:], *(of("adaptive") or of("filter"))[-1:]]
  several = len(of("network")) > 1
  lines = []
  for place, e in enumerate(chosen):
    first = place == 0 or kinds[e] != "network"
    label = f"{names[e]} (paler: other seeds)" if several and place == 0 else names[e]
    look = {"color": COLOURS[kinds[e]], "alpha": 0.9 if first else 0.5}
    lines.append((found, e, look | {"label": label if first else None}))
  return lines


def _spectra(found: xr.Dataset, lines, title: str) -> draw.Panel:
  def spectra(axes):
    for its, e, look in lines:
      axes.plot(its.frequency, its.spectrum.values[e] / np.log(10), lw=1.1, **look)
    for line in found.line.values:
      axes.axvline(line, color=draw.SKY, lw=0.6, zorder=0)
    axes.axvline(np.nan, color=draw.SKY, lw=0.6, label="primes, at ln p")
    low, high = axes.get_ylim()
    for prime, line in zip(found.prime.values.tolist(), found.line.values, strict=True):
      if prime in NAMED:
        axes.annotate(str(prime), (line, high), ha="center", va="bottom", size=8)
    axes.set_ylim(low, high)
    axes.set_xlim(found.frequency.values[0], found.frequency.values[-1])
    axes.set(xlabel="frequency (radians per height)", ylabel="log₁₀ of 1/|1 − H|²", title=title)

  return spectra


def tables(runs) -> list[tables_lib.Table]:
  """Returns the primes that each predictor resolves."""
  heads = {
    "name": "response of",
    "inputs": "inputs",
    "width": "resolution",
    "apart": "primes apart",
    "resolved": "resolved",
    "chance": "by chance",
    "which": "which",
  }
  rows = [
    {"run": run} | {head: row[name] for name, head in heads.items()}
    for run, found in runs.items()
    for row in tables_lib.rows(found, "predictor")
  ]
  for row in rows:
    row["which"] = row["which"] or tables_lib.NONE
  return [
    tables_lib.Table(
      "Primes whose peak in the implied spectrum is higher than all between primes, of those that"
      " the span of heights in sight can tell from their neighbours; and how many would be if peaks"
      " fell anywhere.",
      rows,
      {"resolution": ".3f", "by chance": ".1f"},
      "peaks",
    )
  ]


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()


@CLAIMS.add(
  "waves.operator",
  "The operator behind the zeros can be read off the network.",
  reported="linear (-0.45, -0.28, -0.16); pi over three spacings",
  source=f"{program.REPOSITORY}, operator-extraction results",
)
def operator(results):
  """Returns the verdict: an operator read off the network has the zeros' own spectrum.

  Which are lines at ln p with powers p^(-1/2): its response must resolve half or more of those that
  its window can tell apart, beyond chance, and the waves of every seed must follow the power.
  """
  chosen = program.on_published(results)
  found = chosen.of("prime_response")
  big = program.published_size(results, found)
  name = max(big or found, key=lambda run: _mean(found[run], "resolved"))
  resolved, chance, apart = (_mean(found[name], key) for key in ("resolved", "chance", "apart"))
  waves = chosen.without(set(chosen) - {name}).first("prime_waves")
  fits = [row for row in tables_lib.rows(waves, "formula") if row["kind"] == "network"]
  if not fits or not apart:
    because = f"{name} has too few lines, or inputs too short to tell primes apart."
    return claims.Verdict(status="needs more compute", because=because)
  follows = all(row["near"] for row in fits)
  kind = waves.kind.values
  r2 = float(np.mean(waves.r2.values[kind == "network"]))
  formulas = ", ".join(
    f"{float(one.r2):.3f} ({str(one.prediction.values).rpartition(' ')[2]})"
    for one in (waves.isel(prediction=e) for e in np.flatnonzero(kind == "formula"))
  )
  fit = fits[0]
  because = (
    f"the response of {name} resolves {resolved:.1f} (by chance {chance:.1f}) "
    f"of the {apart:.0f} primes that its inputs can tell apart, "
    f"its waves follow p^({fit['power']:.2f} ± {fit['power_error']:.2f}) (the law: -0.5), "
    f"and it explains R2 {r2:.3f} of the next "
    f"spacing; the explicit formula, which has no parameter, {formulas} with "
    "primes up to the number in brackets: what can be known of the next zero "
    "is waves of primes, not a short list of coefficients."
  )
  values = {"resolved": resolved, "apart": apart, "by chance": chance, "R2": r2}
  holds = follows and resolved - chance >= apart / 2
  return claims.verdict(bool(holds), because, values, undecided=program.undecided(big))


def _mean(found: xr.Dataset, key: str) -> float:
  """Returns the mean of a number over a run's networks."""
  return float(np.mean(found[f"predictor_{key}"].values[found.predictor_kind.values == "network"]))
