"""Analysis `hermiticity`: are forms of queries and keys symmetric, and do
memory vectors hold frequencies?

Published: a score of one network against Gaussian pairs (0.994, z = 0.19), and
Fourier peaks of memory vectors matched to multiples of ln p, later tested
against Gaussian vectors (p = 0.60). Both are repeated here for every head,
seed and slot, beside untrained networks and corrected for their number.
"""

import dataclasses

import numpy as np
from primelens.analyses import hermiticity, slot_frequencies, spectra_nulls


@dataclasses.dataclass(frozen=True)
class Result:
  """Symmetry of W_q W_k^T of every head, and of a memory bank's own.

  `asymmetry_SxLxH` is |H - H^T| / |H + H^T|: 0 symmetric, about 1 for
  independent factors. `z_SxLxH` and the one-sided `p_SxLxH` are against
  Gaussian pairs of the same shape (`null_mean`, `null_sd` of `draws`),
  `p_holm_SxLxH` is corrected over all heads and seeds. `rotation_SxLxH` is
  max|Im| / mean|Re| of the eigenvalues, `untrained_SxLxH` the asymmetry of
  untrained networks. `parts` are records of the heads by seed, of a memory
  bank's own projections and of the memory vectors, tested as published and
  beside as many Gaussian ones; where a model has none, `slot_obstacle` says so.
  """

  asymmetry_SxLxH: np.ndarray
  rotation_SxLxH: np.ndarray
  untrained_SxLxH: np.ndarray
  z_SxLxH: np.ndarray
  p_SxLxH: np.ndarray
  p_holm_SxLxH: np.ndarray
  null_mean: float
  null_sd: float
  null_rotation: float
  draws: int
  parts: tuple[dict, ...]
  slot_obstacle: str

  @property
  def bank(self) -> tuple[dict, ...]:
    """The records of a memory bank's projections."""
    return tuple(row for row in self.parts if row["part"] == "bank")

  @property
  def slots(self) -> tuple[dict, ...]:
    """The records of the memory vectors."""
    return tuple(row for row in self.parts if row["part"] == "slots")


def forms(params_S):
  """Returns query and key kernels SxLxHxDxDh of a population."""
  attention = params_S["blocks"]["attention"]
  return (
    np.moveaxis(np.asarray(attention[role]["kernel"], np.float64), 2, 3)
    for role in ("query", "key")
  )


def run(run) -> Result:
  """Returns the symmetry of a run's heads and the test of its slots."""
  settings = run.settings.hermiticity
  trained = hermiticity.symmetry(*forms(run.params_S))
  fresh = hermiticity.symmetry(*forms(run.untrained_S()))
  trunk = run.experiment.model.trunk
  # Holm's smallest p is heads / (draws + 1).
  draws = max(settings.draws, 40 * trained.asymmetry.size)
  null = hermiticity.null(trunk.width, trunk.width // trunk.heads, draws, settings.seed)
  test = hermiticity.against_null(trained.asymmetry, null.asymmetry)
  slots = _slots(run, settings)
  return Result(
    asymmetry_SxLxH=trained.asymmetry,
    rotation_SxLxH=trained.rotation,
    untrained_SxLxH=fresh.asymmetry,
    z_SxLxH=test.z,
    p_SxLxH=test.p,
    p_holm_SxLxH=spectra_nulls.holm(test.p),
    null_mean=float(null.asymmetry.mean()),
    null_sd=float(null.asymmetry.std(ddof=1)),
    null_rotation=float(np.median(null.rotation)),
    draws=draws,
    parts=(*_heads("trained", trained), *_heads("untrained", fresh), *_bank(run, settings), *slots),
    slot_obstacle="" if slots else "the model has no memory vectors.",
  )


def _heads(network: str, found) -> list[dict]:
  """Returns the heads of each seed in a record."""
  return [
    {"part": "heads", "network": network, "seed": s}
    | {"asymmetry": float(found.asymmetry[s].mean())}
    | {"lowest": float(found.asymmetry[s].min())}
    | {"rotation": float(np.median(found.rotation[s]))}
    for s in range(len(found.asymmetry))
  ]


def _bank(run, settings) -> tuple[dict, ...]:
  """Returns the same of a memory bank's own queries and keys, if it has any."""
  rows = []
  for network, params_S in _networks(run):
    memory = params_S.get("memory", {})
    if not {"query", "key"} <= set(memory):
      continue
    found = hermiticity.symmetry(memory["query"]["kernel"], memory["key"]["kernel"])
    width = memory["query"]["kernel"].shape[-1]
    null = hermiticity.null(width, width, min(settings.draws, 200))
    test = hermiticity.against_null(found.asymmetry, null.asymmetry)
    rows += [
      {"part": "bank", "network": network, "seed": s, "width": width}
      | {"asymmetry": float(found.asymmetry[s])}
      | {"rotation": float(found.rotation[s])}
      | {"z": float(test.z[s]), "p": float(test.p[s])}
      for s in range(len(test.p))
    ]
  return tuple(rows)


def _slots(run, settings) -> tuple[dict, ...]:
  """Returns the test of the memory vectors, seed by seed, Holm over seeds."""
  rows = []
  for network, params_S in _networks(run):
    content = params_S.get("memory", {}).get("content")
    if content is None:
      continue
    found = []
    for s, slot_MxD in enumerate(np.asarray(content, np.float64)):
      options = dict(draws=settings.slot_draws, seed=settings.seed + s)
      ours = slot_frequencies.test(slot_MxD, **options)
      theirs = slot_frequencies.test_as_published(slot_MxD, **options)
      frequency_M = slot_frequencies.dominant(slot_MxD)[1]
      row = {"part": "slots", "network": network, "seed": s}
      row["slots"] = len(slot_MxD)
      row |= ours._asdict()
      row |= {f"{k}_as_published": v for k, v in theirs._asdict().items()}
      found.append(row | {"frequencies": frequency_M.tolist()})
    holm_S = spectra_nulls.holm([row["p"] for row in found])
    for row, p in zip(found, holm_S, strict=True):
      row["p_holm"] = float(p)
    rows += found
  return tuple(rows)


def _networks(run):
  return ("trained", run.params_S), ("untrained", run.untrained_S())
