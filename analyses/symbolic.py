"""Symbolic regression: the front of short formulas, by pyoperon or PySR, on the host.

PySR starts Julia when it is imported, and fetches it where it is missing, so
the import stands inside one function and is tried in a child process first.

A backend proposes formulas; counting, refitting, scoring and the choice of the
front are those of primelens, so that two backends share one table.
"""

import importlib.metadata
import keyword
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence

import numpy as np
from primelens.analyses import counts, linear
from primelens.analyses import formulas as formulas_lib

# --- pyoperon -------------------------------------------------------------------------------------


ARITHMETIC = "add,sub,mul,div,constant,variable"
SYMBOLS = ARITHMETIC + ",pow,sin,cos,exp,log,sqrt,abs"


def operon_formulas(
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


# --- PySR -----------------------------------------------------------------------------------------


# The published search; batching off because it had none, serial and
# deterministic because a search that cannot be repeated is no evidence.
PYSR_AS_PUBLISHED = {
  "binary_operators": ["+", "-", "*", "/", "^"],
  "unary_operators": ["sin", "cos", "exp", "log", "sqrt", "abs", "sinc"],
  "complexity_of_operators": {"sin": 3, "cos": 3, "exp": 2, "log": 2, "sqrt": 2, "sinc": 4, "^": 2},
  "maxsize": 30,
  "niterations": 100,
  "populations": 20,
  "population_size": 50,
  "ncycles_per_iteration": 500,
  "weight_optimize": 0.001,
  "adaptive_parsimony_scaling": 1000.0,
  "parsimony": 0.0025,
  "turbo": True,
  "early_stop_condition": ("stop(loss, complexity) = (loss < 1e-6) && (complexity < 12)"),
  "batching": False,
  "parallelism": "serial",
  "deterministic": True,
}


def pysr_formulas(
  feature_NxQ, target_N, *, names: tuple[str, ...], seed: int, seconds: int = 900, **settings
) -> tuple[tuple[str, ...], str]:
  """Returns every formula of PySR's hall of fame, and its version.

  The search ends after `seconds`; `settings` replace entries of `PYSR_AS_PUBLISHED`.
  Raises ValueError, in one line, where Julia cannot be started.
  """
  if "pysr" not in sys.modules:
    preflight()
  import pysr
  import sympy

  with tempfile.TemporaryDirectory() as folder:
    search = pysr.PySRRegressor(
      **(PYSR_AS_PUBLISHED | settings),
      timeout_in_seconds=seconds,
      random_state=seed,
      extra_sympy_mappings={"sinc": lambda x: sympy.sinc(sympy.pi * x)},
      progress=False,
      verbosity=0,
      output_directory=folder,
    )
    features = np.ascontiguousarray(feature_NxQ, np.float64)
    search.fit(features, np.asarray(target_N), variable_names=list(names))
    return tuple(map(str, search.equations_["equation"])), pysr.__version__


def preflight(seconds: float = 900) -> None:
  """Raises ValueError unless a child process can `import pysr`.

  The first start downloads and compiles packages, hence the long limit; a
  child that hangs or crashes inside Julia leaves this process unharmed.
  """
  # "-P": not a pysr.py of the folder that the command is called in, which may be another's run.
  command = [sys.executable, "-P", "-c", "import pysr"]
  try:
    child = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
  except subprocess.TimeoutExpired:
    raise ValueError(_refusal(f"no answer in {seconds:g} s")) from None
  if child.returncode:
    lines = child.stderr.strip().splitlines()
    last = lines[-1] if lines else f"exit code {child.returncode}"
    raise ValueError(_refusal(last))


def _refusal(reason: str) -> str:
  return (
    "symbolic.backend=pysr needs Julia, which could not be started here"
    f" ({reason}); use symbolic.backend=pyoperon"
  )


# --- the front ------------------------------------------------------------------------------------


BACKENDS = ("pyoperon", "pysr")


def search(
  feature_NxQ,
  target_N,
  *,
  names: Sequence[str],
  test_feature_NxQ,
  test_target_N,
  seed: int,
  backend: str = "pyoperon",
  rows: int = 1_000,
  beam: int = 2,
  maximum: int = 30,
  start: Sequence[str] = (),
  **settings,
) -> tuple[dict, ...]:
  """Returns the front of formulas y = f(features), shortest first.

  A record holds `expression` (4 digits), `exact` and `sympy` (all digits),
  `complexity` (`formulas.complexity`), `train_mse` and `test_mse` over all
  rows given, `test_r2`, `backend`, `version` and `seed`; no other formula is
  both as short and as good on the training rows. pyoperon searches and is
  pruned on at most `rows` evenly spaced rows, with sinc of every feature as a
  further feature since it has no such operator; PySR takes every row and its
  formulas as they are. Formulas in `start` join pyoperon's before pruning.
  `settings` go to the backend.
  Raises ValueError for an unknown backend, mismatched shapes, two equal names,
  or a name that a formula cannot hold.
  """
  counts.whole(seed=seed)
  counts.whole(1, rows=rows)
  if backend not in BACKENDS:
    raise ValueError(f"symbolic.backend={backend} is not one of {', '.join(BACKENDS)}.")
  train = _columns(feature_NxQ, target_N, names)
  test = _columns(test_feature_NxQ, test_target_N, names)
  propose = _operon if backend == "pyoperon" else _pysr
  if backend == "pyoperon":
    settings |= {"rows": rows, "beam": beam, "maximum": maximum}
    settings["start"] = tuple(start)
  trees, version = propose(*train, seed=seed, **settings)
  origin = {"backend": backend, "version": version, "seed": seed}
  records = [_record(tree, train, test) | origin for tree in trees]
  return front(records, variance=float(np.var(target_N)))


def null_front(feature_NxQ, target_N, *, test_target_N, seed: int, **options):
  """Returns the front of the same search on permuted targets.

  What noise with the target's own distribution would score; options are those
  of `search`.
  """
  counts.whole(seed=seed)
  shuffle = np.random.default_rng(seed).permutation
  return search(
    feature_NxQ, shuffle(target_N), test_target_N=shuffle(test_target_N), seed=seed, **options
  )


def refitted(
  formulas: Sequence[str],
  feature_NxQ,
  target_N,
  *,
  names: Sequence[str],
  test_feature_NxQ,
  test_target_N,
) -> tuple[dict, ...]:
  """Returns a record for each given formula, its numbers refitted.

  For published forms: same keys as `search`, less those of a backend.
  """
  train = _columns(feature_NxQ, target_N, names)
  test = _columns(test_feature_NxQ, test_target_N, names)
  trees = [formulas_lib.refit(formulas_lib.parse(text), *train) for text in formulas]
  return tuple(_record(tree, train, test) for tree in trees)


def front(records: Sequence[dict], *, variance: float) -> tuple[dict, ...]:
  """Returns the records that no shorter or equally short one matches.

  By `complexity` against `train_mse`; a gain counts from 1e-6 of the loss, and
  a loss below 1e-12 of the target's `variance` is exact: nothing beats it.
  """
  best, kept = np.inf, []
  for record in sorted(records, key=_rank):
    if record["train_mse"] < best * (1 - 1e-6) and best > 1e-12 * variance:
      best = record["train_mse"]
      kept.append(record)
  return tuple(kept)


def _rank(record: dict):
  return record["complexity"], record["train_mse"], record["exact"]


def _operon(column_N, target_N, *, seed, rows: int, beam: int, maximum: int, start, **settings):
  step = -(-len(target_N) // rows)
  some = {name: value[::step] for name, value in column_N.items()}
  # Operon has no sinc: it sees the values, and the name is undone afterwards.
  prefix = "sinc_"
  while any(prefix + name in some for name in some):
    prefix = "_" + prefix
  waves = {prefix + name: np.sinc(value) for name, value in some.items()}
  feature_NxQ = np.stack(list((some | waves).values()), axis=1)
  texts, version = operon_formulas(
    feature_NxQ, target_N[::step], names=tuple(some | waves), seed=seed, **settings
  )
  restore = {prefix + name: ("sinc", name) for name in some}
  trees = [formulas_lib.substitute(formulas_lib.parse(text), restore) for text in (*texts, *start)]
  if beam:
    trees = formulas_lib.shorten(trees, some, target_N[::step], beam=beam, maximum=maximum)
  return [formulas_lib.refit(tree, column_N, target_N) for tree in trees], version


def _pysr(column_N, target_N, *, seed, **settings):
  texts, version = pysr_formulas(
    np.stack(list(column_N.values()), axis=1),
    target_N,
    names=tuple(column_N),
    seed=seed,
    **settings,
  )
  return [formulas_lib.parse(text) for text in texts], version


def _columns(feature_NxQ, target_N, names):
  feature_NxQ = np.asarray(feature_NxQ, np.float64)
  target_N = np.asarray(target_N, np.float64)
  if feature_NxQ.shape != (len(target_N), len(names)):
    raise ValueError(
      f"features {feature_NxQ.shape} do not fit {len(target_N)} targets and"
      f" the names {', '.join(names)}."
    )
  for at, name in enumerate(names):
    if name in names[:at]:
      raise ValueError(f"two columns are named {name!r}: every feature needs a name of its own.")
    if not name.isidentifier() or keyword.iskeyword(name):
      raise ValueError(f"{name!r} is no name for a feature: use letters, digits and _.")
  return dict(zip(names, feature_NxQ.T, strict=True)), target_N


def _record(tree: formulas_lib.Tree, train, test) -> dict:
  tree = formulas_lib.simplify(tree)
  test_mse = formulas_lib.mse(tree, *test)
  return {
    "expression": formulas_lib.text(tree, digits=4),
    "exact": formulas_lib.text(tree),
    "sympy": formulas_lib.sympy_text(tree),
    "complexity": formulas_lib.complexity(tree),
    "train_mse": formulas_lib.mse(tree, *train),
    "test_mse": test_mse,
    "test_r2": float(linear.explained(test_mse, np.var(test[1] - test[1][:1]))),
  }
