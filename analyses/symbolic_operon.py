"""The pyoperon backend of symbolic regression, the one file that imports it."""

import importlib.metadata
import time
import warnings

import numpy as np

ARITHMETIC = "add,sub,mul,div,constant,variable"
SYMBOLS = ARITHMETIC + ",pow,sin,cos,exp,log,sqrt,abs"


def formulas(
  feature_NxQ,
  target_N,
  *,
  names: tuple[str, ...],
  seed: int,
  population: int = 300,
  generations: int = 25,
  restarts: int = 4,
  max_length: int = 20,
  iterations: int = 3,
  threads: int = 2,
  seconds: int = 60,
) -> tuple[tuple[str, ...], str]:
  """Returns every formula on the NSGA-II fronts, and pyoperon's version.

  Objectives are R2 (with a linear rescaling) and length. Every other restart
  has arithmetic only: the full set drowns laws such as c / (a + b + c).
  The result depends on the seed, not on the threads; only a search that
  `seconds` cut short, which warns, cannot be repeated. pyoperon's own choice
  of one model is never used.
  """
  found: list[str] = []
  for restart in range(restarts):
    found += _front(
      feature_NxQ,
      target_N,
      names,
      allowed_symbols=ARITHMETIC if restart % 2 else SYMBOLS,
      seconds=max(1, seconds // restarts),
      population_size=population,
      generations=generations,
      max_evaluations=2**31,
      max_length=max_length,
      optimizer_iterations=iterations,
      n_threads=threads,
      random_state=_seed(seed, restart),
    )
  return tuple(dict.fromkeys(found)), importlib.metadata.version("pyoperon")


def _front(feature_NxQ, target_N, names, *, seconds: int, **settings):
  import pyoperon
  from pyoperon import sklearn

  search = sklearn.SymbolicRegressor(
    objectives=["r2", "length"], uncertainty=[1.0], max_time=seconds, **settings
  )
  began = time.monotonic()
  with warnings.catch_warnings():
    # Tangles that overflow are expected during a search.
    warnings.simplefilter("ignore", RuntimeWarning)
    search.fit(feature_NxQ, target_N)
  done, asked = search.stats_["generations"], settings["generations"]
  if done < asked and time.monotonic() - began > 0.9 * seconds:
    warnings.warn(
      f"symbolic search stopped after {seconds} s in generation {done} of"
      f" {asked}: a repeat may find other formulas.",
      stacklevel=3,
    )
  words = dict(zip(search.variables_, names, strict=True))
  write = pyoperon.InfixFormatter.Format
  return [write(row["tree"], words, 17) for row in search.pareto_front_]


def _seed(seed: int, restart: int) -> int:
  state = np.random.SeedSequence([seed, restart]).generate_state(1)
  return int(state[0])
