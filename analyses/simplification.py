"""Equal and shorter formulas: a standard order for the trees of a search."""

from primelens.analyses import expressions


def simplify(tree: expressions.Tree) -> expressions.Tree:
  """Returns a tree in a standard order, equal where the given one has values.

  Constant arithmetic is done, like terms of a sum are joined, positive terms
  come first, a number stands first in a product, and exp(a - log x) is
  exp(a) / x. The result is never longer.
  """
  if not isinstance(tree, tuple):
    return tree
  tree = (tree[0], *[simplify(child) for child in tree[1:]])
  if all(isinstance(child, float) for child in tree[1:]):
    return float(expressions.evaluate(tree, {}))
  return _sum(tree) if tree[0] in ("+", "-", "neg") else _other(tree)


def _other(tree: tuple) -> expressions.Tree:
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


def _product(tree: tuple) -> expressions.Tree:
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


def _sum(tree: tuple) -> expressions.Tree:
  factors: dict[expressions.Tree | None, float] = {}
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


def _terms(tree: expressions.Tree, sign: float) -> list[tuple[float, expressions.Tree | None]]:
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


def _word(tree: expressions.Tree) -> str:
  return expressions.text(shape(tree))


def shape(tree: expressions.Tree) -> expressions.Tree:
  """Returns the tree with every number 0, to compare structures."""
  count = len(expressions.constants(tree))
  return expressions.with_constants(tree, [0.0] * count)
