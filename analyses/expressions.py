"""Formulas as trees: parse, print, evaluate, count, simplify.

A tree is a number, a variable's name, or (operator, tree, ...). Formulas are
written as published: `^` is a power and sinc(x) = sin(pi x) / (pi x), 1 at 0.
"""

import ast
from collections.abc import Callable, Mapping

import numpy as np

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
LONGEST = 10_000  # characters of a formula; the best ones have some thirty nodes
WEIGHTS = {"sin": 3, "cos": 3, "exp": 2, "log": 2, "sqrt": 2, "sinc": 4, "^": 2}

_AST = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "^"}
# Derivatives by each argument, from the arguments and the value.
_SLOPES: dict[str, Callable] = {
  "+": lambda a, b, y: (1.0, 1.0),
  "-": lambda a, b, y: (1.0, -1.0),
  "*": lambda a, b, y: (b, a),
  "/": lambda a, b, y: (1 / b, -y / b),
  "^": lambda a, b, y: (b * np.power(a, b - 1), y * np.log(a)),
  "sin": lambda a, y: (np.cos(a),),
  "cos": lambda a, y: (-np.sin(a),),
  "exp": lambda a, y: (y,),
  "log": lambda a, y: (1 / a,),
  "sqrt": lambda a, y: (0.5 / y,),
  "abs": lambda a, y: (np.sign(a),),
  "sinc": lambda a, y: (np.where(a == 0, 0.0, (np.cos(np.pi * a) - y) / np.where(a == 0, 1.0, a)),),
  "neg": lambda a, y: (-1.0,),
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
    return _evaluate(tree, column_N)


def _evaluate(tree: Tree, column_N):
  if isinstance(tree, float):
    return np.float64(tree)
  if isinstance(tree, str):
    if tree not in column_N:
      raise ValueError(f"{tree!r} is not one of {sorted(column_N)}.")
    return column_N[tree]
  children = [_evaluate(child, column_N) for child in tree[1:]]
  return (UNARY | BINARY)[tree[0]](*children)


def complexity(tree: Tree) -> int:
  """Returns the nodes of the tree, weighted as in the published search.

  sin and cos 3, exp, log, sqrt and ^ 2, sinc 4, everything else 1, a number
  with its sign included.
  """
  if not isinstance(tree, tuple):
    return 1
  return WEIGHTS.get(tree[0], 1) + sum(complexity(c) for c in tree[1:])


def constants(tree: Tree) -> tuple[float, ...]:
  """Returns the numbers of the formula, left to right."""
  if isinstance(tree, float):
    return (tree,)
  if isinstance(tree, str):
    return ()
  return sum((constants(child) for child in tree[1:]), ())


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
    value_N, slopes = _dual(tree, column_N)
  rows = next(iter(column_N.values())).shape
  slope_QxN = [np.broadcast_to(slope, rows) for slope in slopes]
  return np.broadcast_to(value_N, rows), np.array(slope_QxN)


def _dual(tree: Tree, column_N):
  if isinstance(tree, float):
    return np.float64(tree), [np.float64(1)]
  if isinstance(tree, str):
    return column_N[tree], []
  parts = [_dual(child, column_N) for child in tree[1:]]
  value = [part[0] for part in parts]
  out = (UNARY | BINARY)[tree[0]](*value)
  chain = _SLOPES[tree[0]](*value, out)
  return out, [
    factor * slope for factor, (_, slopes) in zip(chain, parts, strict=True) for slope in slopes
  ]


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
