"""A fresh network on computed zeros, for the analysis of prime waves."""

import dataclasses

import jax
import tiny_study
from primelens.models import fit, spacing
from primelens.tasks import zeros, zeros_computed

FIRST, COUNT = 1_900_001, 3_000


def run(**changed):
  """Returns a fresh network on 3,000 zeros from number 1,900,001 on."""
  ordinate_N = zeros_computed.compute(FIRST, COUNT)
  model = tiny_study.tiny_model()
  keys_S = fit.seed_keys(fit.Config(seeds=2, first_seed=3))
  init = lambda key: spacing.init(model, key)
  run = tiny_study.handmade(
    spacing.bind(model),
    jax.vmap(init)(keys_S),
    zeros.spacings(ordinate_N),
    model=model,
    splits={"train": (0, 1500), "select": (1550, 1700), "test": (1750, 2999)},
    changed={f"prime_waves.{name}": value for name, value in changed.items()},
    fresh_S=jax.vmap(init)(keys_S),
  )
  task = zeros.Config(window=model.window, source="computed", limit=COUNT)
  return dataclasses.replace(
    run,
    experiment=dataclasses.replace(run.experiment, task=task),
    data=dataclasses.replace(run.data, ordinate_N=ordinate_N[:-1]),
  )
