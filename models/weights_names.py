"""What the names of published tensors say: role, layer, fused projections."""

import re
from typing import NamedTuple

# How a name ends, without ".weight"; the first that fits decides.
ROLES = (
  # Llama, Mistral, Qwen, OLMo, Gemma, OPT, BART
  ("q_proj", "query"),
  ("k_proj", "key"),
  ("v_proj", "value"),
  ("o_proj", "out"),
  ("out_proj", "out"),
  ("gate_proj", "gate"),
  ("up_proj", "up"),
  ("down_proj", "down"),
  ("fc1", "up"),
  ("fc2", "down"),
  ("embed_tokens", "embedding"),
  ("embed_positions", "embedding"),
  ("lm_head", "readout"),
  # GPT-2
  ("attn.c_proj", "out"),
  ("mlp.c_fc", "up"),
  ("mlp.c_proj", "down"),
  ("wte", "embedding"),
  ("wpe", "embedding"),
  # GPT-NeoX (Pythia) and BLOOM
  ("dense_h_to_4h", "up"),
  ("dense_4h_to_h", "down"),
  ("attention.dense", "out"),
  ("embed_in", "embedding"),
  ("embed_out", "readout"),
  ("word_embeddings", "embedding"),
  # BERT
  ("query", "query"),
  ("key", "key"),
  ("value", "value"),
  ("attention.output.dense", "out"),
  ("intermediate.dense", "up"),
  ("output.dense", "down"),
  ("position_embeddings", "embedding"),
  ("token_type_embeddings", "embedding"),
  # T5
  ("Attention.q", "query"),
  ("Attention.k", "key"),
  ("Attention.v", "value"),
  ("Attention.o", "out"),
  ("Dense.wi", "up"),
  ("Dense.wi_0", "gate"),
  ("Dense.wi_1", "up"),
  ("Dense.wo", "down"),
  ("shared", "embedding"),
  # PyTorch's encoder layer
  ("linear1", "up"),
  ("linear2", "down"),
)
FUSED_ROLES = ("query", "key", "value")
# Patterns of the source (spec 4.3), in its order.
PUBLISHED_PATTERNS = ("q_proj", "c_attn", "query_key_value")
_LAYER = re.compile(r"(?:^|[./])(?:layers?|h|(?:res)?blocks?)[./]([0-9]{1,9})(?=[./])")


class Fused(NamedTuple):
  """How query, key and value lie in one matrix.

  `layout` is "columns" or "rows" (thirds), or "heads" (rows, for each head
  its query, key and value); `rule` says so in words.
  """

  ending: str
  layout: str
  rule: str


FUSED = (
  Fused("c_attn", "columns", "c_attn (GPT-2, in x 3 out): the columns are [query | key | value]"),
  Fused(
    "query_key_value",
    "heads",
    "query_key_value (GPT-NeoX, BLOOM): the rows of each head are its [query,"
    " key, value], each of the head's width",
  ),
  Fused("in_proj_weight", "rows", "in_proj_weight (PyTorch): the rows are [query | key | value]"),
)


def _ends(name: str, ending: str) -> bool:
  """Whether a name ends in these whole words, ".weight" aside."""
  name = name.removesuffix(".weight")
  before = name[: -len(ending)][-1:]
  # "self_attention.dense" and "SelfAttention.q" end in words, "swo" not.
  inside = before.isalnum() and not ending[0].isupper()
  return name.endswith(ending) and not inside


def role(name: str) -> str:
  """Returns what a tensor does, by its name; "other" where no rule fits.

  "query+key+value" is a fused projection as a whole.
  """
  if fused(name):
    return "+".join(FUSED_ROLES)
  return next((its for end, its in ROLES if _ends(name, end)), "other")


def layer(name: str) -> int | None:
  """Returns the number after the first "layers", "h" or "blocks", or None."""
  found = _LAYER.search(name)
  return int(found[1]) if found else None


def fused(name: str) -> Fused | None:
  """Returns the rule of a fused projection, or None for any other name."""
  return next((one for one in FUSED if _ends(name, one.ending)), None)


def obstacle(its: Fused, shape: tuple[int, ...], heads: int | None) -> str:
  """Returns why a fused matrix cannot be split by its rule, or ""."""
  rows, columns = shape
  if its.layout == "columns" and columns != 3 * rows:
    return f"it is {rows} x {columns}, not in x 3 in"
  if its.layout != "columns" and rows != 3 * columns:
    return f"it is {rows} x {columns}, not 3 in x in"
  if its.layout == "heads":
    if not heads:
      return "no config.json beside the weights says how many heads there are"
    if rows % (3 * heads):
      return f"{rows} rows are not 3 x {heads} heads"
  return ""


def split(whole, its: Fused, part: int, heads: int | None):
  """Returns query, key or value (part 0, 1, 2) of a fused matrix."""
  rows, columns = whole.shape
  if its.layout == "columns":
    each = columns // 3
    return whole[:, part * each : (part + 1) * each]
  if its.layout == "rows":
    each = rows // 3
    return whole[part * each : (part + 1) * each]
  whole_Hx3xDhxD = whole.reshape(heads, 3, -1, columns)
  return whole_Hx3xDhxD[:, part].reshape(-1, columns)


def natural(name: str) -> list:
  """Returns the sorting key by which layer 2 comes before layer 10."""
  parts = re.split(r"([0-9]+)", name)  # every second one is digits
  value = lambda digits: (len(digits.lstrip("0")), digits.lstrip("0"), digits)
  return [value(p) if i % 2 else p for i, p in enumerate(parts)]
