"""What networks and filters take for the spectrum of the zeros."""

import numpy as np
from primelens.analyses import anchors, autoregression, prime_lines, wave_response
from primelens.studies.zeros import scoring
from primelens.tasks import primes, windows

LOWEST = 0.35  # frequency; ln 2 is 0.69
ADAPTIVE, WINDOW = 256, 20_000  # as the anchors' adaptive filter
FILTERED = 512  # places at which a filter is read, which costs no derivatives


def spectra(run, stretch) -> dict:
  """Returns the implied spectra of networks and filters, and their peaks.

  A network is read by the derivatives of its last predictions over windows
  from all of the stretch, a filter by its coefficients at the same targets.
  """
  settings, length = run.settings.prime_waves, run.experiment.model.window
  last = int(stretch.index_NxU[-1, -1]) - length
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
  return {"frequency_F": frequency_F, "spectrum_PxF": np.array(spectrum_E), "peaks": tuple(peaks)}


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
