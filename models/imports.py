"""Published PyTorch networks and initial weights in the layout of primelens.

The names are those of the source's state dict: `tok`, `pos`, `enc.layers.i`
(PyTorch's encoder layer), `ln`, `readout`.
"""

import os
from typing import Any, Literal

import numpy as np
from primelens.models import encoder
from primelens.tasks import arrays, mersenne

# --- initial weights of the published adder -------------------------------------------------------


Order = Literal["new", "old"]
# The order in which TransformerLens registered a block's weights, and so drew
# them; it changed between its versions. The layout here, axes in the same order.
_BLOCK: dict[Order, tuple[str, ...]] = {
  "new": ("query", "out", "key", "value", "up", "down"),
  "old": ("query", "key", "value", "out", "up", "down"),
}


def initial_adder(
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
  that is none, and for a width that the heads do not divide. Source:
  docs/sources/addition.md, section 2.
  """
  if order not in _BLOCK:
    raise ValueError(f"order={order!r} is not one of {', '.join(_BLOCK)}.")
  shapes = _adder_shapes(width, heads, hidden)
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


def _adder_shapes(width: int, heads: int, hidden: int) -> dict[str, tuple[int, ...]]:
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


# --- checkpoints read from NPZ --------------------------------------------------------------------


_LAYER = "enc.layers.{}."
_NORMS = {"norm_attention": "norm1", "norm_mlp": "norm2"}
_MLP = {"up": "linear1", "down": "linear2"}


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
  """Returns the arrays of an NPZ by name; raises as `arrays.read`."""
  return arrays.read(path)


def text_encoder(state: dict[str, np.ndarray], heads: int) -> tuple[encoder.Config, dict[str, Any]]:
  """Returns the config and params of a published text encoder.

  The number of heads is not in a state dict. Raises `ValueError` naming an
  array that is missing, left over or of another shape, or that is not finite.
  """
  config = _config(state, heads)
  wanted = _shapes(config)
  _compare(wanted, state)
  layers = [_layer(state, i, config.trunk) for i in range(config.trunk.layers)]
  params = {
    "embedding": {"embedding": state["tok.weight"]},
    "positions": {"embedding": state["pos.weight"]},
    "blocks": _stack(layers),
    "final_norm": _norm(state, "ln"),
    "readout": _linear(state, "readout"),
  }
  return config, params


def _config(state, heads: int) -> encoder.Config:
  """Returns the config that the arrays' shapes speak of."""
  for name in ("tok.weight", "pos.weight", "readout.weight"):
    if name not in state or np.ndim(state[name]) != 2:
      raise ValueError(f"The checkpoint has no matrix {name!r}.")
  first = _LAYER.format(0) + "linear1.weight"
  if first not in state:
    raise ValueError(f"The checkpoint has no {first!r}.")
  numbers = {name.split(".")[2] for name in state if name.startswith("enc.layers.")}
  vocabulary, width = state["tok.weight"].shape
  return encoder.Config(
    vocabulary=vocabulary,
    outputs=len(state["readout.weight"]),
    trunk=encoder.encoder_trunk(
      width=width,
      layers=len(numbers),
      heads=heads,
      hidden=len(state[first]),
      max_positions=len(state["pos.weight"]),
    ),
  )


def _shapes(config: encoder.Config) -> dict[str, tuple[int, ...]]:
  """Returns the shape of every array of the state dict."""
  trunk = config.trunk
  width, hidden = trunk.width, trunk.hidden
  layer = {
    "self_attn.in_proj_weight": (3 * width, width),
    "self_attn.in_proj_bias": (3 * width,),
    "self_attn.out_proj.weight": (width, width),
    "self_attn.out_proj.bias": (width,),
    "linear1.weight": (hidden, width),
    "linear1.bias": (hidden,),
    "linear2.weight": (width, hidden),
    "linear2.bias": (width,),
    **{f"{norm}.{part}": (width,) for norm in _NORMS.values() for part in ("weight", "bias")},
  }
  return {
    "tok.weight": (config.vocabulary, width),
    "pos.weight": (trunk.max_positions, width),
    **{
      _LAYER.format(i) + name: shape for i in range(trunk.layers) for name, shape in layer.items()
    },
    "ln.weight": (width,),
    "ln.bias": (width,),
    "readout.weight": (config.outputs, width),
    "readout.bias": (config.outputs,),
  }


def _compare(wanted, state) -> None:
  """Raises `ValueError` at the first array that is not as it should be."""
  for name in (*wanted, *state):
    if name not in wanted:
      raise ValueError(f"The checkpoint has {name!r}, which no encoder has.")
    if name not in state:
      raise ValueError(f"The checkpoint has no {name!r}.")
    shape = np.shape(state[name])
    if shape != wanted[name]:
      raise ValueError(f"{name!r} of the checkpoint has the shape {shape}, not {wanted[name]}.")
    if np.asarray(state[name]).dtype.kind not in "fiu":
      raise ValueError(f"{name!r} of the checkpoint is of type {state[name].dtype}, no numbers.")
    if not np.isfinite(state[name]).all():
      raise ValueError(f"{name!r} of the checkpoint is not finite.")


def _linear(state, name: str) -> dict:
  """PyTorch's linear map is out x in; the one here is in x out."""
  return {"kernel": state[f"{name}.weight"].T, "bias": state[f"{name}.bias"]}


def _norm(state, name: str) -> dict:
  return {"scale": state[f"{name}.weight"], "bias": state[f"{name}.bias"]}


def _layer(state, number: int, trunk) -> dict:
  """Returns the params of one block; its in-projection is q, k, v, packed."""
  at = _LAYER.format(number)
  width, heads, each = trunk.width, trunk.heads, trunk.head_width
  attention = f"{at}self_attn."
  kernels = np.split(state[f"{attention}in_proj_weight"], 3)
  biases = np.split(state[f"{attention}in_proj_bias"], 3)
  found: dict[str, dict] = {
    role: {"kernel": kernel.T.reshape(width, heads, each), "bias": bias.reshape(heads, each)}
    for role, kernel, bias in zip(("query", "key", "value"), kernels, biases, strict=True)
  }
  out = _linear(state, f"{attention}out_proj")
  found["out"] = out | {"kernel": out["kernel"].reshape(heads, each, width)}
  return {
    "attention": found,
    "mlp": {role: _linear(state, at + name) for role, name in _MLP.items()},
    **{role: _norm(state, at + name) for role, name in _NORMS.items()},
  }


def _stack(layers: list[dict]) -> dict:
  """Returns the blocks with a leading L on every leaf."""
  if isinstance(layers[0], dict):
    return {name: _stack([one[name] for one in layers]) for name in layers[0]}
  return np.stack(layers)
