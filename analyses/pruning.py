"""Refitting and shortening of formulas, on the host.

Genetic programming multiplies every variable by a constant and wraps laws in
spare nodes; this walks from the formulas it found down to the shortest ones.
"""

import numpy as np
from primelens.analyses import expressions, simplification


def mse(tree: expressions.Tree, column_N, target_N) -> float:
  """Returns the mean squared error, inf where the formula has no value."""
  with np.errstate(all="ignore"):
    error_N = target_N - expressions.evaluate(tree, column_N)
    loss = float(np.mean(np.square(error_N)))
  return loss if np.isfinite(loss) else np.inf


def refit(tree: expressions.Tree, column_N, target_N, *, steps: int = 60) -> expressions.Tree:
  """Returns the tree with its numbers moved to a least-squares minimum.

  Levenberg-Marquardt from the present numbers: (J'J + d diag J'J) step = J'e,
  d a tenth after a gain and tenfold after a loss. The tree comes back
  unchanged if nothing better is found. (MINPACK's last digits change from call
  to call in one process, and a search that must repeat cannot use it.)
  """
  number_Q = np.array(expressions.constants(tree))
  loss, damping = mse(tree, column_N, target_N), 1e-3
  if not 0 < len(number_Q) < len(target_N) or not np.isfinite(loss):
    return tree
  for _ in range(steps):
    step_Q = _step(tree, column_N, target_N, damping)
    if step_Q is None:
      break
    moved = expressions.with_constants(tree, number_Q + step_Q)
    gain = loss - mse(moved, column_N, target_N)
    if gain > 0:
      tree, number_Q, loss = moved, number_Q + step_Q, loss - gain
      damping = max(damping / 10, 1e-12)
    else:
      damping *= 10
    if damping > 1e6 or 0 < gain < 1e-9 * loss:
      break
  return tree


def _step(tree, column_N, target_N, damping: float):
  """Returns the damped Gauss-Newton step, None where it has no value."""
  with np.errstate(all="ignore"):
    value_N, slope_QxN = expressions.gradients(tree, column_N)
    gram_QxQ = slope_QxN @ slope_QxN.T
    moment_Q = slope_QxN @ (target_N - value_N)
    scale_Q = np.diag(gram_QxQ) + 1e-12 * np.trace(gram_QxQ) + 1e-300
    damped_QxQ = gram_QxQ + damping * np.diag(scale_Q)
  if not (np.isfinite(damped_QxQ).all() and np.isfinite(moment_Q).all()):
    return None
  try:
    return np.linalg.solve(damped_QxQ, moment_Q)
  except np.linalg.LinAlgError:
    return None


def shorten(trees, column_N, target_N, *, beam: int, maximum: int) -> list[expressions.Tree]:
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
    form = simplification.shape(tree)
    if form in seen:
      return
    seen.add(form)
    # A structure worth keeping is near its minimum after a few steps.
    tree = refit(tree, column_N, target_N, steps=12)
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
  return [row[2] for size, rows in kept.items() if size <= maximum for row in rows]
