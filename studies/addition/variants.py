"""Interventions on the vectors of the two digits, at `embed` (A17, A17').

A subspace is removed, or all but it. What takes the place of the removed part
is an argument: the mean over digits (the source's), nothing, or other digits.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import principal, subspace
from primelens.studies.addition import network

RANK = 2  # the largest subspace; smaller ones are filled up with zeros
BY = ("mean", "zero", "resample")


def edit_digits(directions_DxK, replacement, *, keep=False):
  """Returns the edit of "embed" that removes a subspace of both operands.

  e - R (e - replacement), with R the projector onto the columns' span, or,
  with `keep` (which may be traced), onto what is orthogonal to it. The
  replacement, broadcast to Bx2xD, is the mean over digits, zero, or other
  digits' vectors: mean-, zero-, resample-ablation. "=" is left alone.
  """

  def edit(x_BxTxD, layer):
    digit_Bx2xD = x_BxTxD[:, :2]
    other_Bx2xD = jnp.broadcast_to(replacement, digit_Bx2xD.shape)
    gone_Bx2xD = removed(digit_Bx2xD - other_Bx2xD, directions_DxK, keep)
    return x_BxTxD.at[:, :2].set(digit_Bx2xD - gone_Bx2xD)

  return edit


def removed(x, directions_DxK, keep):
  """Returns the part of `x` (...xD) that an intervention takes away."""
  inside = subspace.keep(x, directions_DxK)
  return jnp.where(keep, x - inside, inside)


def keep_first(embedding_PxD):
  """Returns the edit that leaves the digits their first component alone.

  mean + ((e - mean) . v1) v1 at both operands (A17).
  """
  found = principal.pca(embedding_PxD)
  return edit_digits(found.direction_QxD[:1].T, found.mean_D, keep=True)


class Variant(NamedTuple):
  """One way to intervene.

  `span` is "components" (those numbered in `component`, from 0), "space"
  (random directions of all D) or "digits" (random directions within the span
  of the centred digits' vectors); `rank` directions are kept or removed.
  """

  item: str
  words: str
  keep: bool
  span: str = "components"
  component: tuple[int, ...] = ()
  rank: int = 1
  by: str = "mean"

  @property
  def random(self) -> bool:
    """Whether it is drawn several times."""
    return self.span != "components" or self.by == "resample"


def named(digits: int) -> dict[str, Variant]:
  """Returns all variants by name, for a number of digits (A17, A17')."""
  found = {
    "full": Variant("A17", "nothing removed", False),
    "keep_pc1": Variant("A17", "PC1 alone kept", True, component=(0,)),
    "keep_pc12": Variant("A17'", "PC1 and PC2 kept", True, component=(0, 1)),
  }
  for number in range(min(6, digits - 1)):
    found[f"remove_pc{number + 1}"] = Variant(
      "A17'", f"PC{number + 1} removed", False, component=(number,)
    )
  for span, where in (("space", "any"), ("digits", "in the digits' span")):
    for name, words, keep, rank in (
      ("remove_line", "random line removed", False, 1),
      ("remove_plane", "random plane removed", False, 2),
      ("keep_line", "random line kept", True, 1),
      ("keep_plane", "random plane kept", True, 2),
    ):
      found[f"{name}_{span}"] = Variant("A17'", f"{words}, {where}", keep, span, rank=rank)
  for base in ("keep_pc1", "keep_pc12", "remove_pc1", "remove_pc2"):
    for by, words in (("zero", "zero"), ("resample", "other digits'")):
      variant = found[base]
      found[f"{base}_{by}"] = variant._replace(
        item="A17'", words=f"{variant.words}, {words} for the rest", by=by
      )
  return found


class Intervention(NamedTuple):
  """A variant as arrays, so that a stack of them is an axis R.

  The directions are `component_QxK` in the member's own principal components
  plus `direction_DxK`.
  """

  component_QxK: jax.Array
  direction_DxK: jax.Array
  keep: jax.Array
  by: jax.Array
  key: jax.Array


def stack(
  variants: Mapping[str, Variant], digits: int, width: int, draws: int, seed
) -> tuple[Intervention, list[str]]:
  """Returns all interventions, a leading R, and the variant of each.

  A random variant is drawn `draws` times, every draw from its own key, which
  is split from `seed`.
  """
  name_R = [
    name for name, variant in variants.items() for _ in range(draws if variant.random else 1)
  ]
  every = [variants[name] for name in name_R]
  component_key_R, space_key_R, by_key_R = jax.random.split(jax.random.key(seed), (3, len(every)))
  normal = lambda key_R, size: jax.vmap(lambda key: jax.random.normal(key, (size, RANK)))(key_R)
  # Centred vectors of P digits span P - 1 dimensions, the first components.
  count, span = min(digits, width), min(digits - 1, width)
  fixed_RxQxK = np.zeros((len(every), count, RANK), np.float32)
  drawn_RxQxK, drawn_RxDxK = (
    np.zeros((len(every), size, RANK), np.float32) for size in (count, width)
  )
  for row, variant in enumerate(every):
    for column, number in enumerate(variant.component):
      fixed_RxQxK[row, number, column] = 1
    drawn_RxQxK[row, :span, : variant.rank] = variant.span == "digits"
    drawn_RxDxK[row, :, : variant.rank] = variant.span == "space"
  interventions = Intervention(
    component_QxK=jnp.asarray(fixed_RxQxK) + drawn_RxQxK * normal(component_key_R, count),
    direction_DxK=jnp.asarray(drawn_RxDxK) * normal(space_key_R, width),
    keep=jnp.array([variant.keep for variant in every]),
    by=jnp.array([BY.index(variant.by) for variant in every]),
    key=by_key_R,
  )
  return interventions, name_R


def score(model, stacked, intervention: Intervention, token_Nx3) -> dict[str, jax.Array]:
  """Returns what one intervention on one member leaves, traced.

  `stacked` is (params, member). Accuracy and cross-entropy of all pairs, and
  the share of the digits' variance about their mean that it removes.
  """
  params, member = stacked
  embedding_PxD = params["embedding"]["embedding"][:-1]
  found = principal.pca(embedding_PxD)
  within_DxK = network.exact(found.direction_QxD.T, intervention.component_QxK)
  directions_DxK = within_DxK + intervention.direction_DxK
  digit_Nx2 = token_Nx3[:, :2]
  # Each operand's column is shuffled on its own.
  other_Nx2 = jax.random.permutation(intervention.key, digit_Nx2, axis=0, independent=True)
  mean_Nx2xD = jnp.broadcast_to(found.mean_D, (*digit_Nx2.shape, len(found.mean_D)))
  replacement_Nx2xD = jnp.stack([mean_Nx2xD, jnp.zeros_like(mean_Nx2xD), embedding_PxD[other_Nx2]])[
    intervention.by
  ]
  edit = edit_digits(directions_DxK, replacement_Nx2xD, keep=intervention.keep)
  read = network.read(model, params, token_Nx3, {"embed": edit})
  centred_PxD = embedding_PxD - found.mean_D[None]
  gone_PxD = removed(centred_PxD, directions_DxK, intervention.keep)
  return {
    "accuracy": network.accuracy(read.logit_NxV, member.label_N),
    "nll_nats": network.nll(read.logit_NxV, member.label_N),
    "removed_share": jnp.sum(gone_PxD**2) / jnp.sum(centred_PxD**2),
  }
