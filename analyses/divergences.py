"""Divergences between densities, by quadrature."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import precision


class Grid(NamedTuple):
  """A quadrature: the integral of f is sum_g weight_g f(node_g)."""

  node_G: np.ndarray
  weight_G: np.ndarray


def grid(low: float, high: float, nodes: int) -> Grid:
  """Returns the Gauss-Legendre rule with `nodes` nodes on [low, high].

  Raises ValueError for an empty interval or no node.
  """
  if not low < high or nodes < 1:
    raise ValueError(f"got [{low}, {high}] and {nodes} nodes; need low < high and >= 1 node.")
  node_G, weight_G = np.polynomial.legendre.leggauss(nodes)
  half = (high - low) / 2
  return Grid((low + half * (node_G + 1)).astype(np.float32), (half * weight_G).astype(np.float32))


def kullback_leibler(log_p: Any, log_q: Any, weight_G: Any) -> jax.Array:
  """Returns KL(p || q) in nats of log densities ...xG on a grid, shape ...

  sum_g P_g (log p_g - log Z - log q_g), P_g = w_g p_g / Z, Z = sum_g w_g p_g:
  the divergence of p truncated to the interval, which is that of p itself
  where p has no mass outside. A peak of p between two nodes is one of weight
  1 at the nearest nodes, and never more.
  """
  log_p, log_q = precision.wide(log_p), precision.wide(log_q)
  log_weight_G = jnp.log(precision.wide(weight_G))
  joint = log_p + log_weight_G.reshape(*[1] * (log_p.ndim - 1), -1)
  log_z = jax.nn.logsumexp(joint, axis=-1, keepdims=True)
  return jnp.sum(jnp.exp(joint - log_z) * (log_p - log_z - log_q), axis=-1)
