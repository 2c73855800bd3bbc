"""Refitting and shortening of formulas, on the host.

Genetic programming multiplies every variable by a constant and wraps laws in
spare nodes; this walks from the formulas it found down to the shortest ones.
"""

import numpy as np
from primelens.analyses import expressions
from primelens.analyses import simplification
import scipy.optimize


def mse(tree: expressions.Tree, column_N, target_N) -> float:
  """Returns the mean squared error, inf where the formula has no value."""
  with np.errstate(all="ignore"):
    error_N = target_N - expressions.evaluate(tree, column_N)
    loss = float(np.mean(np.square(error_N)))
  return loss if np.isfinite(loss) else np.inf


def refit(
  tree: expressions.Tree, column_N, target_N, *, calls: int = 60
) -> expressions.Tree:
  """Returns the tree with its numbers moved to a least-squares minimum.

  Levenberg-Marquardt from the present numbers; the tree comes back unchanged
  if that finds nothing better.
  """
  start_Q = np.array(expressions.constants(tree))
  if not 0 < len(start_Q) < len(target_N):
    return tree

  before = mse(tree, column_N, target_N)
  if not np.isfinite(before):
    return tree
  moved = lambda value_Q: expressions.with_constants(tree, value_Q)

  def error(value_Q):
    return expressions.evaluate(moved(value_Q), column_N) - target_N

  def slope(value_Q):
    return expressions.gradients(moved(value_Q), column_N)[1].T

  with np.errstate(all="ignore"):
    try:
      fit = scipy.optimize.least_squares(
        error, start_Q, slope, method="lm", max_nfev=calls
      )
    except ValueError:  # A derivative that is not finite at the start.
      return tree
  after = mse(moved(fit.x), column_N, target_N)
  return moved(fit.x) if after < before else tree


def shorten(
  trees, column_N, target_N, *, beam: int, maximum: int
) -> list[expressions.Tree]:
  """Returns the trees and their refitted prunings, the `beam` best per size.

  From the largest size down, every tree kept at a size loses each of its
  operators in turn; what is left is refitted and competes at its own size.
  Trees above `maximum` nodes (weighted) are pruned only. One structure is
  fitted once, so the work is bounded and repeatable.
  """
  kept: dict[int, list] = {}
  seen: set = set()

  def add(tree):
    tree = simplification.simplify(tree)
    shape = simplification.shape(tree)
    if shape in seen:
      return
    seen.add(shape)
    # A structure worth keeping is near its minimum after a few steps.
    tree = refit(tree, column_N, target_N, calls=12)
    tree = simplification.simplify(tree)
    loss = mse(tree, column_N, target_N)
    if np.isfinite(loss):
      rows = kept.setdefault(expressions.complexity(tree), [])
      rows.append((loss, expressions.text(tree), tree))
      rows.sort(key=lambda row: row[:2])
      del rows[beam:]

  add(float(np.mean(target_N)))
  for tree in trees:
    add(tree)
  for size in range(max(kept), 1, -1):
    for _, _, tree in list(kept.get(size, ())):
      for smaller in expressions.prunings(tree):
        add(smaller)
  return [
    row[2] for size, rows in kept.items() if size <= maximum for row in rows
  ]
