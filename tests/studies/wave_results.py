"""Results of prime_waves by hand, as its claims read them."""

from types import SimpleNamespace

import numpy as np
from primelens.studies.zeros import published
from zeros_results import BIG, anchors


def _row(name, kind, known=0, beside=0, **numbers):
  row = {"name": name, "kind": kind, "nll_nats": 0.0, "r2": 0.5}
  row |= {"known": known, "beside": beside, "beyond": known - beside}
  return row | {"stands": 420} | numbers


def prime_waves(
  trained_on="zeros",
  memory="none",
  known=300,
  resolved=4,
  power=-0.5,
  fresh=100,
  beside=0,
  plan="5,000 steps",
):
  """Returns the waves of one network beside filters that know little."""
  which = "2 3 5 7" if resolved else ""
  peak = {"kind": "network", "resolved": resolved, "which": which}
  peak |= {"chance": 0.5, "apart": 9}
  law = {"power": power, "power_error": 0.01, "factor": 0.31, "found": 26}
  law |= {"expression": "0.31/sqrt(p)", "test_r2": 0.99, "complexity": 5}
  law |= {"exact": f"0.31*p^({power})", "train_mse": 1e-6}
  return SimpleNamespace(
    trained_on=trained_on,
    memory=memory,
    plan=plan,
    prime_Q=np.array([2, 3, 5, 7]),
    spacings=20_000,
    table=(
      *(_row("network", "network", known=known + s, beside=beside, found=29) for s in range(3)),
      _row("untrained", "untrained", known=fresh, beside=26, found=28),
      _row("3 lags of the sine kernel", "kernel", known=0, found=29),
      _row("AR(64)", "filter", known=8, beside=59, found=27),
      _row("adaptive AR(256)", "adaptive", known=420, found=27),
      _row("explicit formula, primes to 1,000", "formula", r2=0.88, known=119),
      _row("explicit formula, primes to 10,000", "formula", r2=0.94, known=400),
    ),
    peaks=(peak,),
    formulas=tuple(
      {"kind": kind, "given": given} | law
      for kind, given in (("truth", "p"), ("truth", "p, x"), ("network", "p"))
    ),
  )


def runs(data=published.DATA, parameters=BIG) -> dict:
  """Returns a network on zeros, one with memory, and both controls."""
  on = lambda data: anchors("none", parameters=parameters, data=data)
  control = lambda kind: {
    "anchors": on(f"500,000 spacings of {kind}, contiguous"),
    "prime_waves": prime_waves(kind, known=0, resolved=0),
  }
  memory = prime_waves(memory="postfix", known=10)
  return {
    "waves": {"anchors": on(data), "prime_waves": prime_waves()},
    "waves_memory": {"anchors": on(data), "prime_waves": memory},
    "waves_cue": control("cue"),
    "waves_shuffled": control("shuffled"),
  }
