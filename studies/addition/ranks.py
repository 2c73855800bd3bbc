"""How many dimensions the activations of plain addition have (A61)."""

import math

import jax.numpy as jnp
import numpy as np
from primelens.analyses import decompositions, principal
from primelens.lens import numbers as reported
from primelens.lens.numbers import Reported
from primelens.studies.addition import network

COMPONENTS = 10  # shares kept
SMALLEST = 1e-3  # share of a component that counts as a dimension
SPACES = {
  "mid": "r_mid, centred",
  "pre": "z, centred",
  "post": "h, centred",
  "logit": "logits, centred",
  "logit_uncentred": "logits, not centred",
}
# Recomputed shares, and in how many dimensions the space was said to lie.
_RECOMPUTED = {
  "mid": ((0.863, 0.137), 2),
  "pre": ((0.858, 0.142), 2),
  "post": ((0.69, 0.22, 0.065, 0.014), 6),
  "logit": ((None,) * 4, None),
  "logit_uncentred": ((0.65, 0.21, 0.12, 0.017), 4),
}
_REMARK = {
  "logit": "the recomputed shares are those of the logits, not centred",
  "logit_uncentred": "the source of these shares does not say: not centred",
}
_NONE = "not reported"
_SHARES = {
  f"{space}_share/{k + 1}": Reported(
    "A61",
    f"share of component {k + 1}, {SPACES[space]}",
    _NONE,
    value,
    remark=_REMARK.get(space, ""),
  )
  for space, (shares, _) in _RECOMPUTED.items()
  for k, value in enumerate(shares)
}
_DIMENSIONS = {
  f"{space}_dimensions": Reported(
    "A61",
    f"components with a share above .001, {SPACES[space]}",
    _NONE,
    count,
    math.inf,
    "a count is not portable between programs",
  )
  for space, (_, count) in _RECOMPUTED.items()
}
_UP = {  # known to two decimals
  f"up_value/{k + 1}": Reported(
    "A61", f"singular value {k + 1} of W_in", _NONE, value, reported.SMOOTH + 0.005
  )
  for k, value in enumerate((4.25, 4.17, 0.12))
}
REPORTED = _SHARES | _DIMENSIONS | _UP


def measure(params, read: network.Network) -> dict:
  """Returns shares of squared singular values, traced.

  `share_PxR` has a row per space: of the activations less their mean over
  inputs, but for the logits as they are; zero beyond what a space has.
  `up_R` are the singular values of W_in; `dimensions_P` counts the shares
  above SMALLEST.
  """
  every = (
    (read.mid_NxD, True),
    (read.pre_NxF, True),
    (read.post_NxF, True),
    (read.logit_NxV, True),
    (read.logit_NxV, False),
  )
  shares = [principal.pca(x, centre=centre).share_Q for x, centre in every]
  first = lambda x_Q: jnp.pad(x_Q, (0, COMPONENTS))[:COMPONENTS]
  up_DxF = params["blocks"]["mlp"]["up"]["kernel"][0]
  return {
    "share_PxR": jnp.stack([first(share_Q) for share_Q in shares]),
    "dimensions_P": jnp.stack([jnp.sum(x_Q > SMALLEST) for x_Q in shares]),
    "up_R": first(decompositions.svd(up_DxF).value_Q),
  }


def values(found: dict) -> dict:
  """Returns the numbers of the table, from `measure` of every member."""
  value: dict[str, np.ndarray] = {}
  for at, space in enumerate(SPACES):
    share_SxR = found["share_PxR"][:, at]
    value |= {f"{space}_share/{k + 1}": share_SxR[:, k] for k in range(4)}
    value[f"{space}_dimensions"] = found["dimensions_P"][:, at]
  return value | {f"up_value/{k + 1}": found["up_R"][:, k] for k in range(3)}
