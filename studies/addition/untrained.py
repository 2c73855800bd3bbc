"""A measure of every member and of the same member before training."""

import jax
import numpy as np
from primelens.studies.addition import network


def beside(measure, run):
  """Returns `measure` of the run's members, and of their untrained selves.

  Two pytrees of numpy arrays with a leading S, as `network.over_members`
  gives, from one compiled program.
  """
  pair_Sx2 = jax.tree.map(
    lambda *leaves: np.stack(jax.device_get(leaves), axis=1), run.params_S, run.untrained_S()
  )

  def each(model, params_2, member, token_Nx3):
    one = lambda params: measure(model, params, member, token_Nx3)
    return jax.lax.map(one, params_2)

  found = network.over_members(each, run, pair_Sx2)
  its = lambda at: jax.tree.map(lambda x: x[:, at], found)
  return its(0), its(1)
