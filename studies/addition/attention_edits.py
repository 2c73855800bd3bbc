"""Patterns put in the place of a member's own, and what fits z then.

Item A60 of the addition spec: with fixed weights of attention z is exactly
f(a) + g(b), so whatever curvature z has comes from attention.
"""

import jax
import jax.numpy as jnp
from primelens.analyses import features, principal
from primelens.studies.addition import fits, network
from primelens.studies.addition.attention_reported import DESIGNS, EDITS


def replacements(pattern_NxHxT, key):
  """Returns the pattern under each of EDITS, VxNxHxT (A60).

  Resampled patterns are those of the next input in a cycle drawn with `key`,
  so that no input keeps its own.
  """
  order_N = jax.random.permutation(key, len(pattern_NxHxT))
  other_N = jnp.zeros_like(order_N).at[order_N].set(jnp.roll(order_N, 1))
  found = {
    "intact": pattern_NxHxT,
    "frozen": network.freeze(pattern_NxHxT, None),
    "half": jnp.array([0.5, 0.5, 0.0])[None, None],
    "uniform": jnp.full(3, 1 / 3)[None, None],
    "resampled": pattern_NxHxT[other_N],
  }
  shape = pattern_NxHxT.shape
  return jnp.stack([jnp.broadcast_to(found[name], shape) for name in EDITS])


def by_head(pattern_NxHxT):
  """Returns patterns with one head frozen, and with all others: HxNxHxT."""
  frozen_NxHxT = network.freeze(pattern_NxHxT, None)
  own_HxH = jnp.eye(pattern_NxHxT.shape[1], dtype=bool)[:, None, :, None]
  one, other = frozen_NxHxT[None], pattern_NxHxT[None]
  return jnp.where(own_HxH, one, other), jnp.where(own_HxH, other, one)


def replaced(model, params, token_Nx3, pattern_NxHxT) -> network.Network:
  """Returns a member whose "=" attends as told."""

  def edit(pattern_BxHxTxT, layer):
    return pattern_BxHxTxT.at[:, :, -1].set(pattern_NxHxT)

  return network.read(model, params, token_Nx3, {"attention/pattern": edit})


def designs(embedding_PxD) -> list[jax.Array]:
  """Returns the DESIGNS in their order, ExNxQ, the wide two and the others.

  All components are P - 1, the rank of P centred rows. Within a group they are
  filled up with columns of 0, which least squares does not see: one program
  then serves several designs, and narrow ones stay cheap.
  """
  digits = len(embedding_PxD)
  score_PxQ = principal.pca(embedding_PxD).score_NxQ[:, : digits - 1]
  two_NxQ = features.pairs(score_PxQ[:, :2])
  raw_NxQ = features.pairs(jnp.linspace(-1, 1, digits)[:, None])
  found = {
    "all": features.monomials(features.pairs(score_PxQ), 1),
    "additive": features.additive(digits),
    "linear": features.monomials(two_NxQ, 1),
    "poly2": features.monomials(two_NxQ, 2),
    "quartic": features.monomials(raw_NxQ, 4),
  }
  every = [found[name] for name in DESIGNS]
  return [_stacked(every[:2]), _stacked(every[2:])]


def _stacked(designs) -> jax.Array:
  widest = max(x_NxQ.shape[1] for x_NxQ in designs)
  filled = lambda x: jnp.pad(x, ((0, 0), (0, widest - x.shape[1])))
  return jnp.stack([filled(x_NxQ) for x_NxQ in designs])


def fitted(read: network.Network, attended, member, pattern_VxNxHxT):
  """Returns how well each design fits z under each pattern, ExV (A60).

  `attended(pattern_NxHxT)` is the network that attends so; the fitted z go
  through its ReLU, W_L and direct path. One decomposition of a design serves
  all patterns.
  """

  def seen(pattern_NxHxT):
    found = attended(pattern_NxHxT)
    return found.pre_NxF, found.mid_NxD

  def one(design_NxQ, pre_NxF, mid_NxD):
    edited = read._replace(mid_NxD=mid_NxD)
    worth = lambda z_NxF: network.readout(edited, jax.nn.relu(z_NxF))
    return fits.score(design_NxQ, pre_NxF, member, worth)

  seen_V = jax.lax.map(seen, pattern_VxNxHxT)
  over_V = jax.vmap(one, (None, 0, 0))
  each = lambda design_NxQ: over_V(design_NxQ, *seen_V)
  groups = [jax.lax.map(each, group_ExNxQ) for group_ExNxQ in designs(read.embedding_PxD)]
  return jax.tree.map(lambda *parts: jnp.concatenate(parts), *groups)
