"""Formulas as trees: parse, print, simplify, refit, shorten; closed forms of the next spacing.

A tree is a number, a variable's name, or (operator, tree, ...). Formulas are
written as published: `^` is a power and sinc(x) = sin(pi x) / (pi x), 1 at 0.

Genetic programming multiplies every variable by a constant and wraps laws in
spare nodes; this walks from the formulas it found down to the shortest ones.

Column k of a lag matrix is s_-k, the k-th spacing before the target, which is
a network's mean or the truth.
"""

import ast
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import scipy.optimize
from primelens.analyses import linear, statistics

# --- trees ----------------------------------------------------------------------------------------


Tree = float | str | tuple

BINARY: dict[str, Callable] = {
  "+": np.add,
  "-": np.subtract,
  "*": np.multiply,
  "/": np.divide,
  "^": np.power,
}
UNARY: dict[str, Callable] = {
  "sin": np.sin,
  "cos": np.cos,
  "exp": np.exp,
  "log": np.log,
  "sqrt": np.sqrt,
  "abs": np.abs,
  "sinc": np.sinc,
  "neg": np.negative,
}
FUNCTIONS = UNARY | BINARY
LONGEST = 10_000  # characters of a formula; the best ones have some thirty nodes
WEIGHTS = {"sin": 3, "cos": 3, "exp": 2, "log": 2, "sqrt": 2, "sinc": 4, "^": 2}

_AST = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "^"}
# Derivatives, one for each argument, from the arguments and the value.
_SLOPES: dict[str, tuple[Callable, ...]] = {
  "+": (lambda a, b, y: 1.0, lambda a, b, y: 1.0),
  "-": (lambda a, b, y: 1.0, lambda a, b, y: -1.0),
  "*": (lambda a, b, y: b, lambda a, b, y: a),
  "/": (lambda a, b, y: 1 / b, lambda a, b, y: -y / b),
  "^": (lambda a, b, y: b * np.power(a, b - 1), lambda a, b, y: y * np.log(a)),
  "sin": (lambda a, y: np.cos(a),),
  "cos": (lambda a, y: -np.sin(a),),
  "exp": (lambda a, y: y,),
  "log": (lambda a, y: 1 / a,),
  "sqrt": (lambda a, y: 0.5 / y,),
  "abs": (lambda a, y: np.sign(a),),
  "sinc": (lambda a, y: np.where(a == 0, 0.0, (np.cos(np.pi * a) - y) / np.where(a == 0, 1.0, a)),),
  "neg": (lambda a, y: -1.0,),
}
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "^": 4}


def parse(text: str) -> Tree:
  """Returns the tree of a formula such as `3.11/(s1 + s2 + s3)`.

  Only numbers, names, + - * / ^ (or **) and the functions of `UNARY` are
  allowed; anything else is a ValueError that names it. The text may be from
  elsewhere: nothing of it is run, and one that is too long or too deep is refused.
  """
  if not isinstance(text, str) or len(text) > LONGEST:
    raise ValueError(f"A formula is a text of at most {LONGEST:,} characters.")
  try:
    return _tree(ast.parse(text.replace("^", "**"), mode="eval").body)
  except (SyntaxError, RecursionError, MemoryError, OverflowError) as error:
    raise ValueError(f"{_start(text)} is not a formula.") from error


def _start(text: str) -> str:
  return repr(text if len(text) < 100 else text[:100] + "...")


def _tree(node: ast.expr) -> Tree:
  match node:
    case ast.Constant(value=int() | float() as value):
      return float(value)
    case ast.Name(id=name):
      return name
    case ast.UnaryOp(op=ast.USub(), operand=inner):
      child = _tree(inner)
      return -child if isinstance(child, float) else ("neg", child)
    case ast.BinOp(left=left, op=op, right=right) if type(op) in _AST:
      return (_AST[type(op)], _tree(left), _tree(right))
    case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]):
      if name in UNARY:
        return (name, _tree(inner))
  raise ValueError(
    f"{_start(ast.unparse(node))}: formulas hold numbers, names, + - * / ^ and {', '.join(UNARY)}."
  )


def text(tree: Tree, *, digits: int | None = None) -> str:
  """Returns the formula, numbers exact or rounded to significant `digits`."""
  return _text(tree, digits, "^", {})


def sympy_text(tree: Tree) -> str:
  """Returns the formula exactly, in sympy's words: ** and sinc(pi*x).

  Names are written Symbol('x'): sympy reads E, I, S, beta and many others as
  constants or functions of its own.
  """
  functions = {"sinc": "sinc(pi*({}))", "abs": "Abs({})"}
  return _text(tree, None, "**", functions, "Symbol('{}')")


def _text(tree: Tree, digits: int | None, power: str, functions, variable: str = "{}") -> str:
  if isinstance(tree, float):
    return repr(tree) if digits is None else f"{tree:.{digits}g}"
  if isinstance(tree, str):
    return variable.format(tree)
  name, *children = tree
  words = [_text(child, digits, power, functions, variable) for child in children]
  if name in UNARY and name != "neg":
    return functions.get(name, name + "({})").format(words[0])
  if name == "neg":
    return f"-{_wrap(children[0], words[0], 4)}"
  rank = _PRECEDENCE[name]
  # Left to right for equal ranks, so only the right side needs the brackets
  # of (a - (b - c)); a power keeps both, its direction being a convention.
  left = _wrap(children[0], words[0], rank + (name == "^"))
  right = _wrap(children[1], words[1], rank + (name not in "+*"))
  sign = {"+": " + ", "-": " - ", "^": power}.get(name, name)
  return left + sign + right


def _wrap(tree: Tree, word: str, rank: int) -> str:
  if isinstance(tree, tuple):
    own = _PRECEDENCE.get(tree[0], 9)
  else:
    own = 0 if word.startswith("-") else 9
  return f"({word})" if own < rank else word


def evaluate(tree: Tree, column_N: dict[str, np.ndarray]):
  """Returns the values of the formula, with NaN or inf where it has none.

  Raises ValueError for a name that `column_N` does not hold.
  """
  with np.errstate(all="ignore"):
    return _evaluate(tree, map(np.float64, constants(tree)), column_N)


def _evaluate(tree: Tree, numbers, column_N):
  """Returns the values of a tree with other numbers, left to right."""
  if isinstance(tree, float):
    return next(numbers)
  if isinstance(tree, str):
    if tree not in column_N:
      raise ValueError(f"{tree!r} is not one of {sorted(column_N)}.")
    return column_N[tree]
  children = [_evaluate(child, numbers, column_N) for child in tree[1:]]
  return FUNCTIONS[tree[0]](*children)


def complexity(tree: Tree) -> int:
  """Returns the nodes of the tree, weighted as in the published search.

  sin and cos 3, exp, log, sqrt and ^ 2, sinc 4, everything else 1, a number
  with its sign included.
  """
  if not isinstance(tree, tuple):
    return 1
  return WEIGHTS.get(tree[0], 1) + sum(map(complexity, tree[1:]))


def constants(tree: Tree) -> tuple[float, ...]:
  """Returns the numbers of the formula, left to right."""
  return tuple(_constants(tree))


def _constants(tree: Tree) -> Iterator[float]:
  if isinstance(tree, float):
    yield tree
  elif isinstance(tree, tuple):
    for child in tree[1:]:
      yield from _constants(child)


def with_constants(tree: Tree, value_Q) -> Tree:
  """Returns the tree with its numbers replaced, left to right."""
  return _filled(tree, iter(value_Q))


def _filled(tree: Tree, values) -> Tree:
  if isinstance(tree, float):
    return float(next(values))
  if isinstance(tree, str):
    return tree
  return (tree[0], *[_filled(child, values) for child in tree[1:]])


def gradients(tree: Tree, column_N: dict[str, np.ndarray]):
  """Returns the values and their derivatives by each number: (N, QxN)."""
  with np.errstate(all="ignore"):
    return _dual(tree, np.array(constants(tree)), column_N)


def _dual(tree: Tree, number_Q: np.ndarray, column_N):
  """Returns values and derivatives of a tree with other numbers, (N, QxN)."""
  rows = next(iter(column_N.values())).shape
  value_N, slopes = _dual_node(tree, iter(number_Q), column_N)
  slope_QxN = np.empty((len(slopes), *rows))
  for row_N, slope in zip(slope_QxN, slopes, strict=True):
    row_N[...] = slope
  return np.broadcast_to(value_N, rows), slope_QxN


def _dual_node(tree: Tree, numbers, column_N) -> tuple:
  if isinstance(tree, float):
    return next(numbers), (np.float64(1),)
  if isinstance(tree, str):
    return column_N[tree], ()
  name, *children = tree
  parts = [_dual_node(child, numbers, column_N) for child in children]
  value = [part[0] for part in parts]
  out = FUNCTIONS[name](*value)
  slopes = []
  for by, (_, inner) in zip(_SLOPES[name], parts, strict=True):
    if inner:  # the argument has numbers
      factor = by(*value, out)
      slopes += [factor * slope for slope in inner]
  return out, slopes


def substitute(tree: Tree, replacement: Mapping[str, Tree]) -> Tree:
  """Returns the tree with variables replaced by trees."""
  if isinstance(tree, str):
    return replacement.get(tree, tree)
  if isinstance(tree, float):
    return tree
  return (tree[0], *[substitute(child, replacement) for child in tree[1:]])


def prunings(tree: Tree) -> list[Tree]:
  """Returns every tree with one operator replaced by one of its arguments."""
  if not isinstance(tree, tuple):
    return []
  name, *children = tree
  smaller = list(children)
  for place, child in enumerate(children):
    for other in prunings(child):
      rest = list(children)
      rest[place] = other
      smaller.append((name, *rest))
  return smaller


# --- a standard order -----------------------------------------------------------------------------


def simplify(tree: Tree) -> Tree:
  """Returns a tree in a standard order, equal where the given one has values.

  Constant arithmetic is done, like terms of a sum are joined, positive terms
  come first, a number stands first in a product, and exp(a - log x) is
  exp(a) / x. The result is never longer.
  """
  if not isinstance(tree, tuple):
    return tree
  tree = (tree[0], *[simplify(child) for child in tree[1:]])
  if all(isinstance(child, float) for child in tree[1:]):
    return float(evaluate(tree, {}))
  return _sum(tree) if tree[0] in ("+", "-", "neg") else _other(tree)


def _other(tree: tuple) -> Tree:
  match tree:
    case ("exp", ("log", x)):
      return x
    case ("exp", ("neg", ("log", x))):
      return ("/", 1.0, x)
    case ("exp", ("-", a, ("log", x))):
      return ("/", simplify(("exp", a)), x)
    case ("exp", ("+", a, ("log", x)) | ("+", ("log", x), a)):
      return _product(("*", simplify(("exp", a)), x))
  return _product(tree)


def _product(tree: tuple) -> Tree:
  if tree[0] == "*" and isinstance(tree[2], float):
    tree = ("*", tree[2], tree[1])
  match tree:
    case ("/" | "^", x, 1.0) | ("*", 1.0, x):
      return x
    case ("*", -1.0, x):
      return ("neg", x)
    case ("*", float() as a, ("*", float() as b, x)):
      return _product(("*", a * b, x))
    case ("*", x, y) if not isinstance(x, float):
      return ("*", *sorted((x, y), key=_word))
  return tree


def _sum(tree: tuple) -> Tree:
  factors: dict[Tree | None, float] = {}
  for factor, term in _terms(tree, 1.0):
    factors[term] = factors.get(term, 0.0) + factor
  number = factors.pop(None, 0.0)
  # A negative head costs a node unless it has a number to carry the sign.
  place = lambda row: (row[0] < 0, row[0] == -1, _word(row[1]))
  rows = sorted([(f, term) for term, f in factors.items() if f], key=place)
  leads = not rows or rows[0][0] < 0
  if number or not rows:
    rows.insert(0 if leads else len(rows), (number, None))
  total = _product(("*", rows[0][0], rows[0][1])) if rows[0][1] else number
  for factor, term in rows[1:]:
    size = _product(("*", abs(factor), term)) if term else abs(factor)
    total = ("-" if factor < 0 else "+", total, size)
  return total


def _terms(tree: Tree, sign: float) -> list[tuple[float, Tree | None]]:
  match tree:
    case ("+", left, right):
      return _terms(left, sign) + _terms(right, sign)
    case ("-", left, right):
      return _terms(left, sign) + _terms(right, -sign)
    case ("neg", inner):
      return _terms(inner, -sign)
    case ("*", float() as factor, inner):
      return [(sign * factor, inner)]
    case float():
      return [(sign * tree, None)]
  return [(sign, tree)]


def _word(tree: Tree) -> str:
  return text(shape(tree))


def shape(tree: Tree) -> Tree:
  """Returns the tree with every number 0, to compare structures."""
  if isinstance(tree, tuple):
    return (tree[0], *map(shape, tree[1:]))
  return 0.0 if isinstance(tree, float) else tree


# --- refitting and shortening ---------------------------------------------------------------------


def mse(tree: Tree, column_N, target_N) -> float:
  """Returns the mean squared error, inf where the formula has no value."""
  return _loss(tree, map(np.float64, constants(tree)), column_N, target_N)


def _loss(tree: Tree, numbers, column_N, target_N) -> float:
  with np.errstate(all="ignore"):
    error_N = target_N - _evaluate(tree, numbers, column_N)
    loss = float(np.mean(np.square(error_N)))
  return loss if np.isfinite(loss) else np.inf


def refit(tree: Tree, column_N, target_N, *, steps: int = 60) -> Tree:
  """Returns the tree with its numbers moved to a least-squares minimum.

  Levenberg-Marquardt from the present numbers: (J'J + d diag J'J) step = J'e,
  d a tenth after a gain and tenfold after a loss. The tree comes back
  unchanged if nothing better is found. (MINPACK's last digits change from call
  to call in one process, and a search that must repeat cannot use it.)
  """
  number_Q = np.array(constants(tree))
  loss, damping = _loss(tree, iter(number_Q), column_N, target_N), 1e-3
  if not 0 < len(number_Q) < len(target_N) or not np.isfinite(loss):
    return tree
  normal = _normal(tree, number_Q, column_N, target_N)
  for _ in range(steps):
    step_Q = _step(*normal, damping)
    if step_Q is None:
      break
    moved_Q = number_Q + step_Q
    gain = loss - _loss(tree, iter(moved_Q), column_N, target_N)
    if gain > 0:
      number_Q, loss = moved_Q, loss - gain
      damping = max(damping / 10, 1e-12)
    else:
      damping *= 10
    if damping > 1e6 or 0 < gain < 1e-9 * loss:
      break
    if gain > 0:
      normal = _normal(tree, number_Q, column_N, target_N)
  return with_constants(tree, number_Q)


def _normal(tree, number_Q, column_N, target_N) -> tuple[np.ndarray, np.ndarray]:
  """Returns J'J and J'e of the normal equations."""
  with np.errstate(all="ignore"):
    value_N, slope_QxN = _dual(tree, number_Q, column_N)
    return slope_QxN @ slope_QxN.T, slope_QxN @ (target_N - value_N)


def _step(gram_QxQ, moment_Q, damping: float):
  """Returns the damped Gauss-Newton step, None where it has no value."""
  with np.errstate(all="ignore"):
    scale_Q = np.diag(gram_QxQ) + 1e-12 * np.trace(gram_QxQ) + 1e-300
    damped_QxQ = gram_QxQ + damping * np.diag(scale_Q)
  if not (np.isfinite(damped_QxQ).all() and np.isfinite(moment_Q).all()):
    return None
  try:
    return np.linalg.solve(damped_QxQ, moment_Q)
  except np.linalg.LinAlgError:
    return None


def shorten(trees, column_N, target_N, *, beam: int, maximum: int) -> list[Tree]:
  """Returns the trees and their refitted prunings, the `beam` best per size.

  From the largest size down, every tree kept at a size loses each of its
  operators in turn; what is left is refitted and competes at its own size.
  Trees above `maximum` nodes (weighted) are pruned only. One structure is
  fitted once, so the work is bounded and repeatable.
  """
  kept: dict[int, list] = {}
  seen: set = set()

  def add(tree):
    tree = simplify(tree)
    form = shape(tree)
    if form in seen:
      return
    seen.add(form)
    # A structure worth keeping is near its minimum after a few steps.
    tree = refit(tree, column_N, target_N, steps=12)
    tree = simplify(tree)
    loss = mse(tree, column_N, target_N)
    if np.isfinite(loss):
      rows = kept.setdefault(complexity(tree), [])
      rows.append((loss, text(tree), tree))
      rows.sort(key=lambda row: row[:2])
      del rows[beam:]

  add(float(np.mean(target_N)))
  for tree in trees:
    add(tree)
  for size in range(max(kept), 1, -1):
    for _, _, tree in list(kept.get(size, ())):
      for smaller in prunings(tree):
        add(smaller)
  return [row[2] for size, rows in kept.items() if size <= maximum for row in rows]


# --- closed forms of the next spacing -------------------------------------------------------------


# Complexity, loss and form of the published front, in units of spacings.
PUBLISHED_FORM = (
  (1, 0.158, "1.062"),
  (5, 0.135, "3.01/(s1 + 1.89)"),
  (7, 0.119, "3.1055553/(s1 + s2 + s3)"),
  (9, 0.115, "3.72/(s3 + s1/0.62 + s2)"),
  (11, 0.111, "2.65/(s1 + s2 + s3/(2.86 - s4))"),
  (17, 0.106, "2.20/(s1 + s2 + s3 + s4/(s3 - s5 + 2.47) - 1.27)"),
  (21, 0.102, "7.94/((s3 + s1)/1.14 + (s5 + s1 - s4)/2.74 + s4 + s2) - 0.89"),
)


def reciprocal(lag_NxQ, target_N) -> np.ndarray:
  """Returns the c of y = c / (s_-1 + ... + s_-k) for k = 1..Q, shape (Q,).

  Least squares: c_k = <y / S_k> / <1 / S_k^2>, S_k the sum of k lags. Several
  targets of the same rows may be stacked, YxN, and give YxQ.
  """
  inverse_NxQ = 1 / _sums(lag_NxQ)
  moment = np.asarray(target_N, np.float64) @ inverse_NxQ
  return moment / np.broadcast_to(np.sum(inverse_NxQ**2, axis=0), moment.shape)


def reciprocal_draws(lag_NxQ, target_N, *, block: int, draws: int, seed: int) -> np.ndarray:
  """Returns c of `reciprocal` in block-bootstrap samples of the rows: RxQ."""
  inverse_NxQ = 1 / _sums(lag_NxQ)
  target_N = np.asarray(target_N, np.float64)
  moment_BxQ = linear.block_sums(target_N[:, None] * inverse_NxQ, block)
  power_BxQ = linear.block_sums(inverse_NxQ**2, block)
  count_RxB = linear.block_counts(len(power_BxQ), draws, seed=seed)
  return (count_RxB @ moment_BxQ) / (count_RxB @ power_BxQ)


def shifted(lag_N, target_N) -> tuple[float, float]:
  """Returns (c, b) of y = c / (s_-1 + b), b in 0.001..1000 by a 1-D search.

  At given b the best c is <y x> / <x^2> with x = 1 / (s_-1 + b), which leaves
  <y^2> - <y x>^2 / <x^2> to minimise over ln b.
  """
  lag_N, target_N = np.asarray(lag_N, float), np.asarray(target_N, float)

  def loss(log_b):
    x_N = 1 / (lag_N + np.exp(log_b))
    return -((target_N @ x_N) ** 2) / (x_N @ x_N)

  limits = (np.log(1e-3), np.log(1e3))
  search = scipy.optimize.minimize_scalar(loss, bounds=limits, method="bounded")
  b = float(np.exp(search.x))
  x_N = 1 / (lag_N + b)
  return float(target_N @ x_N / (x_N @ x_N)), b


def closed_forms(
  lag_NxQ,
  target_N,
  test_lag_NxQ,
  test_target_N,
  *,
  block: int = 1_000,
  draws: int = 400,
  seed: int = 0,
) -> tuple[dict, ...]:
  """Returns a record per form: fitted on one stretch, scored on another.

  Families: `mean`, `c / sum of k lags`, `affine in k lags` for k = 1..Q and
  `c / (s1 + b)`. `c` is the first constant (of an affine form, its intercept);
  `low` and `high` bound it (95 %, block bootstrap of the training rows) where
  the form is c / sum, else NaN. MSE in squared spacings, `test_r2` about the
  test mean. The two stretches must be disjoint.
  Raises ValueError if shapes disagree or a spacing is not positive.
  """
  train = _checked(lag_NxQ, target_N)
  test = _checked(test_lag_NxQ, test_target_N)
  draw_RxQ = reciprocal_draws(*train, block=block, draws=draws, seed=seed)
  bounds = list(zip(*statistics.percentiles(draw_RxQ), strict=True))
  records = []
  for family, lags, tree in _forms(*train):
    inside = family.startswith("c / sum")
    low, high = bounds[lags - 1] if inside else (np.nan, np.nan)
    head = {"family": family, "lags": lags, "c": constants(tree)[0]}
    head |= {"low": float(low), "high": float(high)}
    records.append(head | _scored(tree, train, test))
  return tuple(records)


def _forms(lag_NxQ, target_N):
  """Yields (family, number of lags, tree) of every fitted form."""
  names = [f"s{k}" for k in range(1, lag_NxQ.shape[1] + 1)]
  yield "mean", 0, float(np.mean(target_N))
  for k, c in enumerate(reciprocal(lag_NxQ, target_N), 1):
    yield f"c / sum of {k} lags", k, ("/", float(c), _total(names[:k]))
  c, b = shifted(lag_NxQ[:, 0], target_N)
  yield "c / (s1 + b)", 1, ("/", c, ("+", "s1", b))
  for k in range(1, len(names) + 1):
    fit = linear.ols(lag_NxQ[:, :k], target_N)
    slopes = zip(fit.coefficient_Q, names, strict=False)
    terms = [("*", float(slope), name) for slope, name in slopes]
    yield f"affine in {k} lags", k, _total([fit.intercept, *terms])


def _scored(tree, train, test) -> dict:
  fitted = linear.scores(train[1], _values(tree, train[0]))
  held_out = linear.scores(test[1], _values(tree, test[0]))
  standard = simplify(tree)
  return {
    "expression": text(standard, digits=4),
    "exact": text(standard),
    "complexity": complexity(standard),
    "train_mse": fitted["mse"],
    "train_r2": fitted["r2"],
    "train_correlation": fitted["correlation"],
    "test_mse": held_out["mse"],
    "test_r2": held_out["r2"],
    "test_correlation": held_out["correlation"],
  }


def _values(tree, lag_NxQ) -> np.ndarray:
  columns = {f"s{k}": column for k, column in enumerate(lag_NxQ.T, 1)}
  return evaluate(tree, columns)


def _total(trees: list):
  total = trees[0]
  for tree in trees[1:]:
    total = ("+", total, tree)
  return total


def _sums(lag_NxQ) -> np.ndarray:
  return np.cumsum(np.asarray(lag_NxQ, np.float64), axis=1)


def _checked(lag_NxQ, target_N):
  lag_NxQ = np.asarray(lag_NxQ, np.float64)
  target_N = np.asarray(target_N, np.float64)
  if lag_NxQ.ndim != 2 or target_N.shape != lag_NxQ.shape[:1]:
    raise ValueError(f"need lags NxQ and targets N, got {lag_NxQ.shape} and {target_N.shape}.")
  if not np.all(lag_NxQ > 0):
    raise ValueError(f"spacings must be positive, found {lag_NxQ.min()}.")
  return lag_NxQ, target_N
