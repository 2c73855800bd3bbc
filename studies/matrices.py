"""The weight matrices of our models, by role and layer, as PyTorch stores them.

Every network of `models/` has the trunk's leaves; heads, which are an axis in
our parameters, are joined, so that a matrix is one that the literature means.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from primelens.analyses import trees

LEAST = 16  # a smaller side has no spectrum to speak of
_INTO = ("query", "key", "value")  # LxDxHxDh


class Matrix(NamedTuple):
  """One matrix of every member, outputs by inputs; `layer` is -1 outside the
  blocks."""

  name: str
  role: str
  layer: int
  weight_SxNxD: np.ndarray


def of(params_S: Any) -> list[Matrix]:
  """Returns the matrices with two sides of 16 or more, blocks first.

  Queries, keys and values are (heads times width) x D, the projection back is
  D x (heads times width); tables of an embedding are E x D.
  """
  found: list[Matrix] = []
  leaves = zip(trees.names(params_S), jax.tree.leaves(params_S), strict=True)
  for path, leaf in leaves:
    found += _leaf(path, np.asarray(leaf))
  large = [m for m in found if min(m.weight_SxNxD.shape[1:]) >= LEAST]
  return sorted(large, key=lambda m: (m.layer < 0, m.layer))


def _leaf(path: str, leaf: np.ndarray) -> Iterator[Matrix]:
  """Yields the matrices of one leaf of a population's parameters."""
  parts = path.split("/")
  if parts[-1] == "bias" or "norm" in path or leaf.ndim < 3:
    return
  if parts[0] == "blocks":
    role = parts[-2]
    if role in _INTO:  # SxLxDxHxDh
      joined = leaf.reshape(*leaf.shape[:3], -1)
    else:  # SxLxHxDhxD, or SxLxFxD
      joined = leaf.reshape(*leaf.shape[:2], -1, leaf.shape[-1])
    for layer in range(leaf.shape[1]):
      weight_SxNxD = joined[:, layer].swapaxes(1, 2)
      yield Matrix(f"{role}/{layer}", role, layer, weight_SxNxD)
  elif leaf.ndim == 3:
    table = parts[-1] == "embedding"
    weight_SxNxD = leaf if table else leaf.swapaxes(1, 2)
    name = parts[0] if len(parts) == 2 else "/".join(parts[:-1])
    yield Matrix(name, parts[0], -1, weight_SxNxD)
