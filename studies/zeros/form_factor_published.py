"""Published measures of the form factor, beside their spread, and the peak."""

import numpy as np
from primelens.analyses import form_factors, resonance
from primelens.tasks import binned, surrogates

# Numbers of spacings whose plateau was published, and parts of a bin.
COUNTS = (512, 1024, 4096, 16384, 100_000, 199_936)
PARTS = (0.0, 0.25, 0.5, 0.75, 1.0)
# Heights by part of a bin, as published; one is missing there.
REPORTED = {0.0: 11.28, 0.25: 12.65, 0.5: 39.81, 1.0: 51.67}
PLATEAUS = (1.58, 2.06, 3.71, 4.57, 2.16, 2.37)


def middles(spacing_N) -> np.ndarray:
  """Returns the middles of the published bins, float64."""
  return binned.decode(np.asarray(binned.encode(spacing_N)))


def measures(twins, all_N, settings) -> dict:
  """Returns the fields of a result that concern published measures.

  `twins` are sequences of equal length by name, the first the data; `all_N`
  the whole sequence from its first spacing, whose plateaus were published.
  """
  test_N = twins["test"]
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
  return dict(
    plateaus=tuple(_plateaus(twins, seeds)),
    scaling=tuple(scaling(all_N)),
    jitter=tuple(
      _jitter(part, jittered[part], expected[part], plain_T)
      | _coarse(test_N, part, settings.seed, settings.offsets)
      for part in PARTS
    ),
    resonance_tau_T=tau_T,
    resonance_VxT=np.stack([resonance.curve(value_N, tau_T) for value_N in twins.values()]),
    resonance_jittered_T=jittered[1.0].mean(0),
    resonance_expected_T=expected[1.0],
  )


def _plateaus(twins, seeds):
  """Yields every published plateau of every sequence.

  `spread` is the standard deviation over shuffles of the data: what one value
  is worth.
  """
  orders = [surrogates.shuffled(each, twins["test"]) for each in seeds]
  for measure in form_factors.PLATEAUS_AS_PUBLISHED:
    value = lambda value_N, measure=measure: form_factors.plateau_as_published(value_N, measure)
    null_R = np.array([value(order_N) for order_N in orders])
    for name, value_N in twins.items():
      yield {
        "measure": measure,
        "sequence": name,
        "value": value(value_N),
        "shuffled_mean": float(null_R.mean()),
        "spread": float(null_R.std(ddof=1)),
      }


def scaling(all_N):
  """Yields the published plateau (tau > 2) by number of spacings.

  Of the published bins, and of the spacings themselves with the points of the
  grid that hold the resonance left out: it is one of 28.
  """
  tau_Q, low, _ = form_factors.PLATEAUS_AS_PUBLISHED["scaling"]
  tau_Q = tau_Q[tau_Q > low]
  for count, reported in zip(COUNTS, PLATEAUS, strict=True):
    if count > len(all_N):
      return
    head_N = np.asarray(all_N[:count], np.float64)
    k_Q = form_factors.form_factor_as_published(head_N, tau_Q)
    binned_Q = form_factors.form_factor_as_published(middles(head_N), tau_Q)
    yield {
      "spacings": count,
      "reported": reported,
      "binned_as_published": float(binned_Q.mean()),
      "binned_resonance": float(binned_Q[-1]),
      "binned_without_resonance": float(binned_Q[:-1].mean()),
      "plateau": float(k_Q.mean()),
      "resonance": float(k_Q[-1]),
      "without_resonance": float(k_Q[:-1].mean()),
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
    "reported_peak": REPORTED.get(part, np.nan),
    "reported_retention": REPORTED.get(part, np.nan) / REPORTED[0.0],
  }
