"""Analysis `form_factor`: rigidity far apart, and the peak at tau = 1.

Of the spacings themselves, beside twins of equal length: no network is read.
Published were single values of an unaveraged form factor on a coarse grid; they
are made again here beside curves with errors.
"""

import dataclasses

import numpy as np
import threadpoolctl
from primelens.analyses import ensembles, form_factors, statistics
from primelens.studies.zeros import form_factor_published
from primelens.tasks import surrogates

SEQUENCES = ("test", "CUE", "renewal", "Poisson", "shuffled")
# The published 3 < tau < 5.5, in Heisenberg units: inside the ramp.
WINDOW = (3 / (2 * np.pi), 5.5 / (2 * np.pi))
_ROWS = 16  # blocks in a row of the number variance


@dataclasses.dataclass(frozen=True)
class Result:
  """Form factors and number variances of V sequences, and published measures.

  V: the run's test split, unitary matrices, draws from the split's spacings,
  independent levels, and the split shuffled. `form_factor_VxQ` is the mean over
  blocks at tau_Q in Heisenberg units with its standard error, `renewal_Q` the
  exact one of independent spacings like the split's, `gue_Q` the limit.
  `number_variance_VxE` is that of windows of length_E with its standard error.
  `sequences` has a row per V: ramp, plateau, mean on the published window,
  squared distances, each with its interval over blocks; `plateaus`, `scaling`
  and `jitter` are those of `form_factor_published`, and `resonance_VxT` the
  unaveraged form factor around tau = 1, at resonance_tau_T.
  """

  tau_Q: np.ndarray
  form_factor_VxQ: np.ndarray
  error_VxQ: np.ndarray
  renewal_Q: np.ndarray
  gue_Q: np.ndarray
  length_E: np.ndarray
  number_variance_VxE: np.ndarray
  number_variance_error_VxE: np.ndarray
  gue_number_variance_E: np.ndarray
  sequences: tuple[dict, ...]
  plateaus: tuple[dict, ...]
  scaling: tuple[dict, ...]
  jitter: tuple[dict, ...]
  resonance_tau_T: np.ndarray
  resonance_VxT: np.ndarray
  resonance_jittered_T: np.ndarray
  resonance_expected_T: np.ndarray
  block: int


def run(run) -> Result:
  """Returns the form factors of a run's test split and of its twins."""
  # The products are small: more threads would wait for each other.
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    return _result(run)


def _result(run) -> Result:
  settings = run.settings.form_factor
  first, last = run.series.bounds("test")
  test_N = run.series.value_N[first:last].astype(np.float64)
  twins = _twins(test_N, settings.block, settings.seed)
  tau_Q = settings.tau_step * np.arange(1, round(2 / settings.tau_step) + 1)
  tau_Q = tau_Q[tau_Q >= 2 / settings.block]
  length_E = np.array(settings.lengths)
  curves = [form_factors.blocks(value_N, tau_Q, settings.block) for value_N in twins.values()]
  counts = [
    statistics.seed_interval(form_factors.number_variance(_rows(name, value_N, settings), length_E))
    for name, value_N in twins.items()
  ]
  phi_Q = form_factors.characteristic(test_N, tau_Q)
  references = {"gue": ensembles.form_factor(tau_Q, "gue"), "renewal": form_factors.renewal(phi_Q)}
  published = form_factor_published.measures(twins, run.series.value_N, settings)
  return Result(
    tau_Q=tau_Q,
    form_factor_VxQ=np.stack([k_RxQ.mean(0) for k_RxQ in curves]),
    error_VxQ=np.stack([statistics.seed_interval(k_RxQ).standard_error for k_RxQ in curves]),
    renewal_Q=references["renewal"],
    gue_Q=references["gue"],
    length_E=length_E,
    number_variance_VxE=np.stack([c.estimate for c in counts]),
    number_variance_error_VxE=np.stack([c.standard_error for c in counts]),
    gue_number_variance_E=ensembles.number_variance(length_E, "gue"),
    sequences=tuple(
      _sequence(name, value_N, k_RxQ, tau_Q, references)
      for (name, value_N), k_RxQ in zip(twins.items(), curves, strict=True)
    ),
    block=settings.block,
    **published,
  )


def _twins(test_N, block: int, seed: int) -> dict[str, np.ndarray]:
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


def _sequence(name: str, value_N, k_RxQ, tau_Q, references) -> dict:
  """Returns a sequence's row, every number with its interval over blocks."""
  line = form_factors.ramp(k_RxQ, tau_Q)
  means = {
    "ramp_intercept": line.intercept_R,
    "ramp_slope": line.slope_R,
    "plateau": form_factors.plateau(k_RxQ, tau_Q),
    "window": form_factors.plateau(k_RxQ, tau_Q, WINDOW),
  }
  found = {key: statistics.seed_interval(x_R) for key, x_R in means.items()}
  for key, reference_Q in references.items():
    distance = form_factors.squared_distance(k_RxQ, reference_Q)
    found[f"squared_distance_{key}"] = distance
  row = {
    "sequence": name,
    "spacings": len(value_N),
    "blocks": len(k_RxQ),
    "enough_blocks": len(k_RxQ) >= form_factors.ENOUGH,
    "mean": float(value_N.mean()),
    "variance": float(value_N.var()),
  }
  for key, interval in found.items():
    row[key] = float(interval.estimate)
    row[f"{key}_low"] = float(interval.low)
    row[f"{key}_high"] = float(interval.high)
  return row
