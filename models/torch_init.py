"""The published adder's initial weights, in our layout, without PyTorch."""

from typing import Literal

import numpy as np
from primelens.tasks import mersenne

Order = Literal["new", "old"]
# The order in which TransformerLens registered a block's weights, and so drew
# them; it changed between its versions. Ours, axes in the same order.
_BLOCK: dict[Order, tuple[str, ...]] = {
  "new": ("query", "out", "key", "value", "up", "down"),
  "old": ("query", "key", "value", "out", "up", "down"),
}


def weights(
  seed: int,
  *,
  vocabulary: int,
  classes: int,
  order: Order = "new",
  layers: int = 1,
  width: int = 128,
  heads: int = 4,
  hidden: int = 512,
  positions: int = 3,
) -> dict:
  """Returns the params of `models.tokens` that a PyTorch seed starts from.

  All weights ~ N(0, (0.8 / sqrt D)^2), float32, drawn in the order of
  registration: W_E, W_pos, the blocks', W_U. Raises `ValueError` for an order
  that is none, and for a width that the heads do not divide. Source: addition
  spec, section 2.
  """
  if order not in _BLOCK:
    raise ValueError(f"order={order!r} is not one of {', '.join(_BLOCK)}.")
  shapes = _shapes(width, heads, hidden)
  block = [(layer, name) for layer in range(layers) for name in _BLOCK[order]]
  drawn = mersenne.normals(
    seed,
    [
      (vocabulary, width),
      (positions, width),
      *(shapes[name] for _, name in block),
      (width, classes),
    ],
  )
  scaled = [part * np.float32(0.8 / np.sqrt(width)) for part in drawn]
  embedding_VxD, positions_TxD, *inner, unembed_DxV = scaled
  found = dict(zip(block, inner, strict=True))
  stacked = {name: np.stack([found[layer, name] for layer in range(layers)]) for name in shapes}
  return {
    "embedding": {"embedding": embedding_VxD},
    "positions": {"embedding": positions_TxD},
    "blocks": _blocks(stacked),
    "unembed": {"kernel": unembed_DxV},
  }


def _shapes(width: int, heads: int, hidden: int) -> dict[str, tuple[int, ...]]:
  """Returns the shape of each weight of a block as TransformerLens has it."""
  if width % heads:
    raise ValueError(f"width={width} is not a multiple of heads={heads}.")
  into = (heads, width, width // heads)
  return {
    "query": into,
    "key": into,
    "value": into,
    "out": (heads, width // heads, width),
    "up": (width, hidden),
    "down": (hidden, width),
  }


def _blocks(stacked: dict[str, np.ndarray]) -> dict:
  """Returns the params of the blocks: LxHxDxDh there, LxDxHxDh here."""
  kernel = lambda name: {"kernel": stacked[name]}
  turned = lambda name: {"kernel": stacked[name].swapaxes(1, 2)}
  return {
    "attention": {name: turned(name) for name in ("query", "key", "value")}
    | {"out": kernel("out")},
    "mlp": {name: kernel(name) for name in ("up", "down")},
  }
