"""Analysis `memory_effect`: does a memory put order into what is generated?

Published: a running mean of last states, added to the logits of a network
that never saw a memory ("elephant"), raised a plateau of the form factor, and
noise ("placebo") lowered it. Here the same arms, ten times, with placebos of
the memory's own norm, memories of other origin, and a constant bias of the
same marginal. Source: zeta spec, sections 4.9 and 6.5.
"""

import dataclasses

import numpy as np
from primelens.analyses import form_factors, memory_effect, statistics
from primelens.studies.zeros.memory_effect_arms import ARMS, BIASED, NAMES, SELECT, trajectories
from primelens.tasks import binned as task

TAU_Q = np.round(np.arange(0.02, 2.001, 0.02), 2)
NULL_DRAWS = 40
LENGTH_Q = (1.0, 2.0, 5.0, 10.0, 20.0)


@dataclasses.dataclass(frozen=True)
class Result:
  """Form factors of what S networks generate in V arms (`arms`), R times.

  `k_VxQ` is the mean over seeds, repeats and trajectories at `tau_Q`,
  `real_k_Q` of the test split, `renewal_k_Q` of independent spacings with its
  marginal. `plateau_VxSxR` is the mean of K on 1.2 < tau < 1.8,
  `published_VxSxR` the published plateau of every repeat, and
  `published_null_P` that of independent spacings. Records of `arms`
  have intervals over seeds and trajectories; `distance` is the mean squared
  distance of K from the real one on the ramp, `variance` are number variances
  at `length_E`.
  """

  arms: tuple[dict, ...]
  tau_Q: np.ndarray
  k_VxQ: np.ndarray
  real_k_Q: np.ndarray
  renewal_k_Q: np.ndarray
  plateau_VxSxR: np.ndarray
  published_VxSxR: np.ndarray
  published_null_P: np.ndarray
  variance_VxE: np.ndarray
  real_variance_E: np.ndarray
  length_E: np.ndarray
  real_plateau: float
  real_slope: float
  real_blocks: int
  norm_S: np.ndarray
  variant: str
  trajectories: int
  tokens: int


def run(run) -> Result:
  """Returns the statistics of every arm beside the zeros' own."""
  settings = run.settings.memory_effect
  token, memory_SxVxD = trajectories(run, run.params_S)
  spacing = task.decode(token.astype(np.float64))
  real = _real(run, settings.tokens)
  arms = [[_statistics(one) for one in seed] for seed in spacing]  # S, V
  by_arm = list(zip(*arms, strict=True))
  published = np.array(
    [[[memory_effect.plateau_as_published(x) for x in one] for one in seed] for seed in spacing]
  )
  norm_SxV = np.linalg.norm(memory_SxVxD, axis=-1)
  plateau = lambda one: one.plateau_N.reshape(settings.repeats, -1).mean(1)
  base = by_arm[0]
  rows = [
    _record(name, its, base, real)
    | {"memory_norm": float(norm_SxV[:, arm.source].mean())}
    | _published(published[:, v], published[:, 0])
    for v, (name, arm, its) in enumerate(zip(NAMES, (*ARMS, BIASED), by_arm, strict=True))
  ]
  stack = lambda f: np.array([[f(one) for one in its] for its in by_arm])
  return Result(
    arms=tuple(rows),
    tau_Q=TAU_Q,
    k_VxQ=stack(lambda one: one.k_NxQ.mean(0)).mean(1),
    renewal_k_Q=_renewal(run),
    plateau_VxSxR=stack(plateau),
    published_VxSxR=np.moveaxis(published, 1, 0),
    published_null_P=_null(run),
    variance_VxE=stack(lambda one: one.variance_NxQ.mean(0)).mean(1),
    length_E=np.array(LENGTH_Q),
    real_k_Q=real.k_NxQ.mean(0),
    real_variance_E=real.variance_NxQ.mean(0),
    real_plateau=float(real.plateau_N.mean()),
    real_slope=float(real.slope_N.mean()),
    real_blocks=len(real.plateau_N),
    norm_S=norm_SxV[:, SELECT],
    variant=run.experiment.model.variant,
    trajectories=settings.trajectories,
    tokens=settings.tokens,
  )


def _statistics(spacing_RxNxG):
  rows = spacing_RxNxG.reshape(-1, spacing_RxNxG.shape[-1])
  return memory_effect.statistics(rows, TAU_Q, LENGTH_Q)


def _real(run, tokens: int):
  """Returns the statistics of the test split, in rows as long as ours."""
  first, last = run.series.bounds("test")
  value_N = run.series.value_N[first:last].astype(np.float64)
  whole = len(value_N) // tokens * tokens
  rows_NxG = value_N[:whole].reshape(-1, tokens)
  return memory_effect.statistics(rows_NxG, TAU_Q, LENGTH_Q)


def _renewal(run) -> np.ndarray:
  value_N = run.series.value_N[slice(*run.series.bounds("test"))]
  value_N = value_N / value_N.mean(dtype=np.float64)
  return form_factors.renewal(form_factors.characteristic(value_N, TAU_Q))


def _null(run) -> np.ndarray:
  """Returns the published plateau of independent spacings, as many as the
  published run had, `NULL_DRAWS` times."""
  value_N = run.series.value_N[slice(*run.series.bounds("test"))]
  rng = np.random.default_rng([run.settings.memory_effect.seed, 2])
  one = lambda: memory_effect.plateau_as_published(rng.choice(value_N, memory_effect.PUBLISHED_RUN))
  return np.array([one() for _ in range(NULL_DRAWS)])


def _record(name: str, its, base, real) -> dict:
  """Returns an arm's record: statistics, and their change by the arm."""
  row = {"arm": name, "mean_spacing": float(np.mean([x.mean for x in its]))}
  at = LENGTH_Q.index(10.0)
  columns = {
    "plateau": lambda x: x.plateau_N,
    "slope": lambda x: x.slope_N,
    "variance_10": lambda x: x.variance_NxQ[:, at],
  }
  for key, column in columns.items():
    own = np.stack([column(x) for x in its])
    change = own - np.stack([column(x) for x in base])
    for label, value in ((key, own), (f"{key}_change", change)):
      # A trajectory is a block of its own.
      found = statistics.seed_block_interval(value, block=1)
      row[label] = float(found.estimate)
      row[f"{label}_low"], row[f"{label}_high"] = map(float, (found.low, found.high))
  ramp_Q = TAU_Q < 1
  real_Q = real.k_NxQ.mean(0)[ramp_Q]
  near = [form_factors.squared_distance(x.k_NxQ[:, ramp_Q], real_Q) for x in its]
  over = statistics.seed_interval([x.estimate for x in near])
  row["distance"] = float(over.estimate)
  # What seeds scatter by holds the noise of each one's trajectories.
  row["distance_error"] = float((near[0] if len(near) == 1 else over).standard_error)
  return row


def _published(own_SxR, base_SxR) -> dict:
  """Returns the published plateau, its spread over repeats, its "gain"."""
  gain = memory_effect.gain_percent_as_published(own_SxR, base_SxR)
  spread = lambda x: float(x.std(1, ddof=1).mean()) if x.shape[1] > 1 else 0.0
  return {
    "published_plateau": float(own_SxR.mean()),
    "published_spread": spread(own_SxR),
    "gain_percent_as_published": float(np.median(gain)),
    "gain_percent_low": float(gain.min()),
    "gain_percent_high": float(gain.max()),
  }
