"""Results of prime_waves and prime_response by hand, as their claims read them."""

import numpy as np
import zeros_cards
from primelens.lens import results
from primelens.studies.zeros import prime_response, prime_waves

STANDS = 420  # primes whose wave stands out


def waves(
  trained_on="zeros", known=300, power=-0.5, fresh=100, beside=0.0, plan="5,000 steps", fitted=True
):
  """Returns the waves of three networks beside filters that know little."""
  rows = [  # name, kind, primes known, frequencies beside them, lines found, R2
    *((f"network, seed {s}", "network", known + s, beside, 29, 0.5) for s in range(3)),
    ("untrained, seed 0", "untrained", fresh, 26.0, 28, 0.5),
    ("3 lags of the sine kernel", "kernel", 0, 0.0, 29, 0.5),
    ("AR(64)", "filter", 8, 59.0, 27, 0.5),
    ("adaptive AR(256)", "adaptive", 420, 0.0, 27, 0.5),
    ("explicit formula, primes to 1,000", "formula", 119, 0.0, 0, 0.88),
    ("explicit formula, primes to 10,000", "formula", 400, 0.0, 0, 0.94),
  ]
  names, kinds, known_E, beside_E, found_E, r2_E = map(list, zip(*rows, strict=True))
  law = {"power": power, "power_error": 0.01, "factor": 0.31, "found": 26}
  law |= {"expression": "0.31/sqrt(p)", "test_r2": 0.99, "complexity": 5}
  law |= {"exact": f"0.31*p^({power})", "train_mse": 1e-6}
  formulas = [
    {"name": kind, "kind": kind, "given": given} | law | {"near": prime_waves.near(law)}
    for kind, given in (("truth", "p"), ("truth", "p, x"), ("network", "p"))
  ]
  each = lambda value: results.variable("prediction", value, "")
  return results.dataset(
    {
      "kind": each(kinds),
      "known": each(known_E),
      "beside": each(beside_E),
      "beyond": each(np.subtract(known_E, beside_E)),
      "found": each(found_E),
      "r2": each(r2_E),
      "stands_out": results.variable("prime", np.arange(430) < STANDS, ""),
      **results.rows("formula", formulas if fitted else [], prime_waves.FORMULA),
    },
    {"prediction": names},
    trained_on=trained_on,
    plan=plan,
    spacings=20_000,
  )


def response(resolved=4, apart=9):
  """Returns which primes one network resolves, by its response."""
  peak = {"name": "network", "kind": "network", "seed": 0, "inputs": 64, "width": 0.1}
  peak |= {"apart": apart, "resolved": resolved, "chance": 0.5}
  peak |= {"which": "2 3 5 7" if resolved else ""}
  return results.dataset(results.rows("predictor", [peak], prime_response.PEAKS))


def tables(resolved=4, apart=9, **changed):
  """Returns the results of one run."""
  return {"prime_waves": waves(**changed), "prime_response": response(resolved, apart)}


def runs(**card):
  """Returns a network on zeros, one with memory, and both controls: cards and results."""

  def control(kind):
    own = {"data": f"500,000 spacings of {kind}, contiguous", "task.ensemble": kind}
    return zeros_cards.card("none", **own), tables(0, trained_on=kind, known=0)

  return {
    "waves": (zeros_cards.card("none", **card), tables()),
    "waves_memory": (zeros_cards.card("postfix", **card), tables(known=10)),
    "waves_cue": control("cue"),
    "waves_shuffled": control("shuffled"),
  }


def changed(runs, name, card=None, **options):
  """Returns runs of which one has other results, or another card."""
  was, _ = runs.get(name, runs["waves"])
  return runs | {name: (was | (card or {}), tables(**options))}
