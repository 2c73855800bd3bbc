"""A fresh network on computed zeros, for the analysis of prime waves."""

import dataclasses
import functools

import jax
import numpy as np
import tiny_study
from primelens.models import fit, spacing
from primelens.tasks import zeros, zeros_computed

FIRST, COUNT = 1_900_001, 3_000


@functools.cache
def _ordinates() -> np.ndarray:
  found_N = zeros_computed.compute(FIRST, COUNT)
  found_N.flags.writeable = False
  return found_N


@functools.cache
def _fresh():
  """Returns the parameters of two fresh networks."""
  keys_S = fit.seed_keys(fit.Config(seeds=2, first_seed=3))
  init = lambda key: spacing.init(tiny_study.tiny_model(), key)
  return jax.jit(jax.vmap(init))(keys_S)


def run(**changed):
  """Returns a fresh network on 3,000 zeros from number 1,900,001 on."""
  ordinate_N = _ordinates()
  model = tiny_study.tiny_model()
  params_S = _fresh()
  run = tiny_study.handmade(
    spacing.bind(model),
    params_S,
    zeros.spacings(ordinate_N),
    model=model,
    splits={"train": (0, 1500), "select": (1550, 1700), "test": (1750, 2999)},
    changed={f"prime_waves.{name}": value for name, value in changed.items()},
    fresh_S=params_S,
  )
  task = zeros.Config(window=model.window, source="computed", limit=COUNT)
  return dataclasses.replace(
    run,
    experiment=dataclasses.replace(run.experiment, task=task),
    data=dataclasses.replace(run.data, ordinate_N=ordinate_N[:-1]),
  )
