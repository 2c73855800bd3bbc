"""Principal components of W_L's columns against sinusoids (`readout`).

Items A54 and A55 of the addition spec.
"""

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import principal, sinusoids

FREQUENCIES = (1, 1, 2, 2)  # those PCs 1-4 were compared with
PERIOD_K = np.arange(40, 301) / 10  # tried; longer ones are not seen to turn
DRAWS = 200  # random curves for each component
CHANCE = 0.95  # the quantile of their similarities


def measure(readout_VxF, key) -> dict:
  """Returns shares, components 1-4 and their sinusoids of one member.

  `similarity` is with the better of sin and cos of the frequency named
  (A55), `free` the same with free phase, `period` the best real period.
  `chance` are the 95 % quantiles that random curves as smooth as the component
  (`sinusoids.smooth_curves`) reach with the first and with the last.
  """
  found = principal.pca(readout_VxF.T)
  direction_4xV = _signed(found.direction_QxD[: len(FREQUENCIES)])
  key_4 = jax.random.split(key, len(FREQUENCIES))
  matches = jax.vmap(_matches)(direction_4xV, jnp.array(FREQUENCIES), key_4)
  return matches | {"share": found.share_Q, "direction": direction_4xV}


def _matches(curve_V, frequency, key) -> dict:
  whole = sinusoids.better_wave(curve_V, frequency)
  real = sinusoids.best_period(curve_V, PERIOD_K)
  curve_RxV = sinusoids.smooth_curves(
    key, DRAWS, len(curve_V), sinusoids.neighbour_correlation(curve_V)
  )
  chance_R, chance_period_R = jax.vmap(
    lambda x_V: (
      sinusoids.better_wave(x_V, frequency).similarity,
      sinusoids.best_period(x_V, PERIOD_K).similarity,
    )
  )(curve_RxV)
  return {
    "similarity": whole.similarity,
    "wave": whole.wave_V,
    "free": sinusoids.free_wave(curve_V, frequency).similarity,
    "period": real.period,
    "period_similarity": real.similarity,
    "period_wave": real.wave_V,
    "chance_similarity": jnp.quantile(chance_R, CHANCE),
    "chance_period": jnp.quantile(chance_period_R, CHANCE),
  }


def _signed(direction_4xV):
  """Signs: positive at class 0, the second component at the middle class."""
  middle = direction_4xV.shape[1] // 2 - 1
  anchor_4 = direction_4xV[:, 0].at[1].set(direction_4xV[1, middle])
  return direction_4xV * jnp.where(anchor_4 < 0, -1, 1)[:, None]
