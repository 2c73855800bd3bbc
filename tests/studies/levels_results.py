"""Results of `form_factor` and `operators` written by hand, not measured."""

import numpy as np
from primelens.studies.zeros import form_factor as form_factor_lib
from primelens.studies.zeros import form_factor_published as measures
from primelens.studies.zeros import operators as operators_lib

KEYS = ("ramp_intercept", "ramp_slope", "plateau", "window")
DISTANCES = ("squared_distance_gue", "squared_distance_renewal")


def _sequence(name, value, blocks=390):
  row = {"sequence": name, "spacings": 199_936, "blocks": blocks}
  row |= {"enough_blocks": blocks >= 400, "mean": 1.0, "variance": 0.1675}
  for key in (*KEYS, *DISTANCES):
    row |= {key: value, f"{key}_low": value - 0.05, f"{key}_high": value + 0.05}
  return row


def form_factor(window=0.66, shuffled=0.6, peak=1400.0, kept=0.1, plateau=0.5, near=0.0):
  """The zeros' mean on the window and that of their shuffle, their peak, what
  jitter leaves, the plateau without the resonance, and how far our published
  plateaus are from the reported ones."""
  names = form_factor_lib.SEQUENCES
  means = dict.fromkeys(names, 0.3) | {"test": window, "shuffled": shuffled}
  tau_Q, tau_T = np.linspace(0.05, 2, 40), 1 + np.linspace(-1e-5, 1e-5, 21)
  resonance_VxT = np.full((len(names), 21), 1.5)
  resonance_VxT[0, 10] = peak
  return form_factor_lib.Result(
    tau_Q=tau_Q,
    form_factor_VxQ=np.tile(np.minimum(tau_Q, 1), (len(names), 1)),
    error_VxQ=np.full((len(names), 40), 0.05),
    renewal_Q=np.full(40, 0.7),
    gue_Q=np.minimum(tau_Q, 1),
    length_E=np.array([1.0, 8.0]),
    number_variance_VxE=np.array([[0.3, 0.4 + v] for v in range(len(names))]),
    number_variance_error_VxE=np.full((len(names), 2), 0.01),
    gue_number_variance_E=np.array([0.34, 0.55]),
    sequences=tuple(_sequence(name, means[name]) for name in names),
    plateaus=tuple(
      {"measure": measure, "sequence": name, "value": 0.7} | {"shuffled_mean": 0.65, "spread": 0.19}
      for measure in ("elephant", "scaling", "null test")
      for name in names
    ),
    scaling=tuple(
      {"spacings": count, "reported": reported}
      | {"binned_as_published": reported + near}
      | {"binned_resonance": 20.0, "binned_without_resonance": 0.6}
      | {"plateau": 5.0, "resonance": 120.0, "without_resonance": plateau}
      for count, reported in zip(measures.COUNTS, measures.PLATEAUS, strict=True)
    ),
    jitter=tuple(_jitter(part, peak, kept) for part in measures.PARTS),
    resonance_tau_T=tau_T,
    resonance_VxT=resonance_VxT,
    resonance_jittered_T=np.full(21, 30.0),
    resonance_expected_T=np.full(21, 31.0),
    block=512,
  )


def _jitter(part, peak, kept):
  left = kept if part else 1.0
  reported = measures.REPORTED.get(part, np.nan)
  row = {"part_of_bin": part, "peak": left * peak, "retention": left}
  row |= {"at_peak": left * peak, "at_peak_error": 1.0}
  row |= {"expected": left * peak, "expected_retention": 0.9 * left}
  row |= {"peak_as_published": 11.3, "ratio_as_published": 17.0}
  row |= {"retention_as_published": 2.5}
  row |= {"lowest_by_offset": 0.7, "highest_by_offset": 4.6}
  row |= {"reported_peak": reported}
  return row | {"reported_retention": reported / measures.REPORTED[0.0]}


def operators(verdict="Poisson", noise="Poisson"):
  """What the published measure says of the kernel, and of noise alone."""
  kinds = [(name, 1.0) for name in operators_lib.KERNELS]
  kinds += [(name, 0.01) for name in operators_lib.KERNELS]
  kinds += [(operators_lib.NONE, 1.0)]
  kinds += [(name, np.nan) for name in operators_lib.REFERENCES]
  bounded = lambda key, value: {key: value, f"{key}_low": value - 0.01, f"{key}_high": value + 0.01}
  spectra = tuple(
    {"levels": name, "disorder": disorder, "small_share_as_published": 0.4}
    | {"variance_as_published": 1.0}
    | {"verdict_as_published": noise if "alone" in name else verdict}
    | bounded("r_ratio", 0.49 if disorder < 1 else 0.387)
    | bounded("variance", 0.9)
    for name, disorder in kinds
  )
  process = {"levels": operators_lib.PROCESS, "spacings": 7600}
  process |= bounded("variance", 0.18) | bounded("neighbours", -0.311)
  return operators_lib.Result(
    spectra=spectra,
    process=(process | bounded("r_ratio", 0.6),),
    density_P=np.array([0.25, 0.5]),
    value_PxN=np.repeat([[1.0, 1, 0, 0], [1, 0, 0, 0]], 10, axis=1),
    largest_off_diagonal=1.4e-16,
    spacing_Q=np.linspace(0.05, 2.95, 30),
    density_VxQ=np.full((4, 30), 0.3),
    size=40,
  )


def table():
  """Returns `{analysis: Result}` of one run."""
  return {"form_factor": form_factor(), "operators": operators()}
