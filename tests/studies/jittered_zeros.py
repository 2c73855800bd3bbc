"""Zeros where they are expected, and jitter: what can be predicted is known.

Spacings are 1 + e_{n+1} - e_n with independent e, of which an AR(p) leaves
(p + 2) / (p + 1) e^2, and who knows where the last zero is leaves e^2.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import scipy.special
import tiny_study
from primelens.tasks import zeros

NOISE, SCALE = 0.12, 0.4
COUNT, SPACINGS = 10_000, 900  # 9 targets to a window
SETTINGS = {
  "yardstick.stretches": 4,
  "yardstick.spacings": SPACINGS,
  "yardstick.computed": (),
  "yardstick.past": 800,
  "yardstick.orders": (2, 6),
  "yardstick.adaptive": 10,
  "yardstick.kernel": 3,
  "yardstick.exact": 1,
  "yardstick.explicit": (4,),
  "yardstick.errors": 800,
  "bootstrap.samples": 100,
}


def last_lag(params, x_BxT, **_):
  """A network that knows one lag and is too unsure."""
  return tiny_study.gaussian(1 + params["w"] * (x_BxT - 1), SCALE), {}


def ordinates(first: int, noise_N) -> np.ndarray:
  """Zeros where they are expected, u_n = n - 11/8, and noise."""
  u_N = first + np.arange(len(noise_N)) - 1.375 + noise_N
  return 2 * np.pi * np.exp(1 + scipy.special.lambertw(u_N / np.e).real)


def run(**changed):
  """A run on jittered zeros, from number 10 on."""
  noise_N = np.random.default_rng(0).normal(0, NOISE, COUNT + 1)
  ordinate_N = ordinates(10, noise_N)
  made = tiny_study.handmade(
    last_lag,
    {"w": jnp.array([-0.5, -0.5])},
    zeros.spacings(ordinate_N),
    fresh_S={"w": jnp.array([0.0, 0.0])},
    changed=SETTINGS | {f"yardstick.{k}": v for k, v in changed.items()},
  )
  data = dataclasses.replace(made.data, ordinate_N=ordinate_N[:-1])
  return dataclasses.replace(made, data=data)
