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
  that is none. Source: addition spec, section 2.
  """
  if order not in _BLOCK:
    raise ValueError(f"order={order!r} is not one of {', '.join(_BLOCK)}.")
  head_width = width // heads
  into = (heads, width, head_width)
  shapes = {
    "query": into,
    "key": into,
    "value": into,
    "out": (heads, head_width, width),
    "up": (width, hidden),
    "down": (hidden, width),
  }
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
  embedding_VxD, positions_TxD, *inner, unembed_DxC = scaled
  found = dict(zip(block, inner, strict=True))
  stack = lambda name: np.stack([found[l, name] for l in range(layers)])
  # HxDxDh there, DxHxDh here.
  project = lambda name: {"kernel": stack(name).swapaxes(1, 2)}
  return {
    "embedding": {"embedding": embedding_VxD},
    "positions": {"embedding": positions_TxD},
    "blocks": {
      "attention": {name: project(name) for name in ("query", "key", "value")}
      | {"out": {"kernel": stack("out")}},
      "mlp": {name: {"kernel": stack(name)} for name in ("up", "down")},
    },
    "unembed": {"kernel": unembed_DxC},
  }
