"""The control every edit of a network has to beat: two fitted numbers."""

import jax
import jax.numpy as jnp
from primelens.models import mixture as mixture_lib


def fit(mixture: mixture_lib.Mixture, y, *, steps: int = 12):
  """Returns (log scale factor, mean shift), the pair with the lowest NLL.

  argmin over (a, b) of -mean log p(y) with every scale times e^a and every
  mean plus b, from (0, 0) by damped Newton steps, at most half a unit along
  each axis. A step that does not lower the NLL is not taken.
  """

  def nll(theta_2):
    after = mixture_lib.recalibrate(mixture, theta_2[0], theta_2[1])
    return -mixture_lib.log_density(after, y).mean()

  def improve(_, theta_2):
    gradient_2 = jax.grad(nll)(theta_2)
    value_2, vector_2x2 = jnp.linalg.eigh(jax.hessian(nll)(theta_2))
    curvature_2 = jnp.maximum(jnp.abs(value_2), 1e-3)
    # Clipped along the axes of the curvature: where one is nearly flat, a
    # step clipped afterwards would point elsewhere.
    along_2 = (vector_2x2.T @ gradient_2) / curvature_2
    step_2 = vector_2x2 @ jnp.clip(along_2, -0.5, 0.5)
    tries_4 = jnp.array([1.0, 0.5, 0.25, 0.0625])
    guesses_4x2 = theta_2[None] - tries_4[:, None] * step_2[None]
    nll_4 = jax.lax.map(nll, guesses_4x2)
    best = jnp.argmin(nll_4)
    return jnp.where(nll_4[best] < nll(theta_2), guesses_4x2[best], theta_2)

  return jax.lax.fori_loop(0, steps, improve, jnp.zeros(2))
