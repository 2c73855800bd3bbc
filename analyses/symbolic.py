"""Symbolic regression: the front of short formulas, on the host.

A backend proposes formulas; counting, refitting, scoring and the choice of the
front are ours, so that two backends share one table.
"""

import keyword
from collections.abc import Sequence

import numpy as np
from primelens.analyses import (
  counts,
  expressions,
  linear,
  pruning,
  simplification,
  symbolic_operon,
  symbolic_pysr,
)

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
  `complexity` (`expressions.complexity`), `train_mse` and `test_mse` over all
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
  trees = [pruning.refit(expressions.parse(text), *train) for text in formulas]
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
  texts, version = symbolic_operon.formulas(
    feature_NxQ, target_N[::step], names=tuple(some | waves), seed=seed, **settings
  )
  restore = {prefix + name: ("sinc", name) for name in some}
  trees = [expressions.substitute(expressions.parse(text), restore) for text in (*texts, *start)]
  if beam:
    trees = pruning.shorten(trees, some, target_N[::step], beam=beam, maximum=maximum)
  return [pruning.refit(tree, column_N, target_N) for tree in trees], version


def _pysr(column_N, target_N, *, seed, **settings):
  texts, version = symbolic_pysr.formulas(
    np.stack(list(column_N.values()), axis=1),
    target_N,
    names=tuple(column_N),
    seed=seed,
    **settings,
  )
  return [expressions.parse(text) for text in texts], version


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


def _record(tree: expressions.Tree, train, test) -> dict:
  tree = simplification.simplify(tree)
  test_mse = pruning.mse(tree, *test)
  return {
    "expression": expressions.text(tree, digits=4),
    "exact": expressions.text(tree),
    "sympy": expressions.sympy_text(tree),
    "complexity": expressions.complexity(tree),
    "train_mse": pruning.mse(tree, *train),
    "test_mse": test_mse,
    "test_r2": float(linear.explained(test_mse, np.var(test[1] - test[1][:1]))),
  }
