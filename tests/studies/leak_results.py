"""Results of the leak written by hand: twelve runs, as its claims read them."""

import itertools
from types import SimpleNamespace

import numpy as np
from primelens.studies.zeros import leak as leak_lib
from primelens.studies.zeros import published
from zeros_results import anchors

BIG, SMALL = 4_801_560, 60_000
MODES = ("leaky_as_published", "memory_blind", "none")
N = 40


def row(value, width=0.01, **names):
  """A change with an interval of `width` to either side."""
  return names | {"nats": value, "low": value - width, "high": value + width}


def leak(
  mode="leaky_as_published",
  residual=False,
  positions="learned",
  *,
  every=-0.6,
  last=0.4,
  told=1.0,
  cost=2.0,
  mass=0.5,
  seeds=5,
):
  """A result: NLL over all positions and at the last, and the leak."""
  rng = np.random.default_rng(0)
  noise_SxN = 1e-3 * rng.normal(size=(seeds, N))
  changes = [row(told, change="leak"), row(last - every, change="last minus all")]
  if mode != "none":
    for where in (leak_lib.ALL, leak_lib.LAST):
      changes.append(row(cost, change=f"blind minus as trained, {where}"))
  scores = [
    row(nll, evaluated=leak_lib.OWN, where=where, r2=0.8, correlation=0.9)
    for where, nll in ((leak_lib.ALL, every), (leak_lib.LAST, last))
  ]
  setting = {"mode": mode, "residual": residual, "positions": positions}
  setting |= {"window": 256, "layers": 6, "width": 256, "steps": 20_000}
  heads = (seeds, 6, 8) if mode != "none" else (seeds, 0, 0)
  return SimpleNamespace(
    position_R=np.array([3, 7]),
    full_SxR=np.full((seeds, 2), every),
    cut_SxR=np.full((seeds, 2), every + told),
    leak_R=np.array([told, 0.0]),
    leak_low_R=np.array([told - 0.01, 0.0]),
    leak_high_R=np.array([told + 0.01, 0.0]),
    all_SxN=every + noise_SxN,
    last_SxN=last + 2 * noise_SxN,
    mass_SxLxH=np.full(heads, mass),
    untrained_mass_SxLxH=np.full(heads, 0.1),
    scores=tuple(scores),
    changes=tuple(changes),
    setting=(setting | {"seeds": seeds},),
    block=4,
  )


def runs(*, data=published.DATA, parameters=BIG, seeds=5, losses=None, **options):
  """The twelve runs; `losses` maps modes to NLL over all and at the last."""
  losses = losses or {
    "leaky_as_published": (-0.6, 0.4),
    "memory_blind": (0.4, 0.4),
    "none": (0.4, 0.4),
  }
  found = {}
  for mode, residual, positions in itertools.product(MODES, (False, True), ("learned", "rotary")):
    every, last = losses[mode]
    told = options.get("told", 1.0) if mode == MODES[0] else 0.0
    found[f"{mode}-{residual}-{positions}"] = {
      "anchors": anchors(
        "none" if mode == "none" else f"bank_{mode}", parameters, seeds, data=data
      ),
      "leak": leak(
        mode, residual, positions, every=every, last=last, seeds=seeds, **options | {"told": told}
      ),
    }
  return found
