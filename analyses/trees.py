"""Leaves of a parameter pytree, chosen by name; seeds, stacked and unstacked.

A leaf is named by its slash path (`blocks/mlp/up/kernel`), the same for dicts,
lists, tuples and NamedTuples.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def names(params: Any) -> list[str]:
  """Returns the slash path of every leaf, in leaf order.

  Raises ValueError if two leaves have one name, as {"a/b": x, "a": {"b": y}}.
  """
  paths = jax.tree_util.tree_flatten_with_path(params)[0]
  found = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in paths]
  if len(set(found)) < len(found):
    twice = next(name for name in found if found.count(name) > 1)
    raise ValueError(f"two leaves are named {twice!r}; rename one of them.")
  return found


def select(params: Any, pattern: str) -> Any:
  """Returns a bool tree: does the leaf's slash path fully match `pattern`?

  A regular expression on names, never the rank of an array: with blocks stacked
  on a leading L axis, a norm's gain is a matrix too. It is the calling program's
  own and has no limit of time: what a user types goes through `tasks/patterns.py`.

  Raises ValueError, listing the leaves, if the pattern matches none.
  """
  try:
    matcher = re.compile(pattern)
  except re.error as error:
    raise ValueError(f"{pattern!r} is not a regular expression: {error}.") from None
  paths = names(params)
  hits = [matcher.fullmatch(path) is not None for path in paths]
  if not any(hits):
    raise ValueError(f"{pattern!r} matches no leaf of {', '.join(paths)}.")
  return jax.tree.unflatten(jax.tree.structure(params), hits)


def flags(params: Any, where: Any) -> list[bool]:
  """Returns `where` as one bool per leaf of `params`, in leaf order.

  Raises ValueError if the two trees differ in structure.
  """
  if not _alike(params, where):
    raise ValueError(
      f"where has the leaves {names(where)}, params has {names(params)};"
      " make where with trees.select on params of the same structure."
    )
  return [bool(flag) for flag in jax.tree.leaves(where)]


def selected(params: Any, where: Any) -> dict[str, Any]:
  """Returns the selected leaves by name."""
  leaves = zip(names(params), jax.tree.leaves(params), flags(params, where), strict=True)
  return {name: leaf for name, leaf, flag in leaves if flag}


def replace(params: Any, where: Any, update: Callable[[str, Any], Any]) -> Any:
  """Returns `params` with each selected leaf replaced by `update(name, leaf)`.

  The others are passed on as they are.
  """
  leaves, treedef = jax.tree.flatten(params)
  chosen = zip(names(params), leaves, flags(params, where), strict=True)
  new = [update(name, leaf) if flag else leaf for name, leaf, flag in chosen]
  return jax.tree.unflatten(treedef, new)


def size(params: Any, where: Any = None) -> int:
  """Returns how many numbers the (selected) leaves hold."""
  leaves = jax.tree.leaves(params) if where is None else selected(params, where).values()
  return sum(int(np.prod(jnp.shape(leaf))) for leaf in leaves)


def stack(members: Sequence[Any]) -> Any:
  """Returns one pytree whose leaves have the members on a leading S axis.

  Raises ValueError if there are none, or their structures or shapes differ.
  """
  if not members:
    raise ValueError("stack needs at least one member, got none.")
  first = names(members[0])
  for index, member in enumerate(members):
    if not _alike(member, members[0]):
      raise ValueError(f"member {index} has the leaves {names(member)}, member 0 has {first}.")
  return jax.tree.map(lambda *leaf_S: jnp.stack(leaf_S), *members)


def length(params_S: Any) -> int:
  """Returns the length of the leading axis that all leaves share.

  Raises ValueError, naming the leaf, if one has no or another leading axis.
  """
  shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(params_S)]
  if not shapes:
    raise ValueError("a stacked pytree needs at least one leaf, got none.")
  for name, shape in zip(names(params_S), shapes, strict=True):
    if not shape or shape[0] != (shapes[0] or (None,))[0]:
      raise ValueError(
        f"leaf {name!r} has the shape {shape}; every leaf needs the same"
        f" leading axis, and {names(params_S)[0]!r} has the shape {shapes[0]}."
      )
  return shapes[0][0]


def unstack(params_S: Any) -> list[Any]:
  """Returns the members of a stacked pytree, the inverse of `stack`."""
  return [
    jax.tree.map(lambda leaf_S, index=index: leaf_S[index], params_S)
    for index in range(length(params_S))
  ]


def _alike(a, b) -> bool:
  left: Any = jax.tree.structure(a)  # the stubs hide its comparison
  return left == jax.tree.structure(b)
