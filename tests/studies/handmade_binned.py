"""Tiny networks on binned spacings, and runs around fresh ones."""

import jax
import numpy as np
import tiny_study
from primelens.models import binned


def model(variant: str = "gpt", **changes) -> binned.Config:
  """Returns a model of one layer and width 8."""
  bank = variant.startswith("bank")
  options = dict(width=8, layers=1, heads=2, hidden=16, max_positions=tiny_study.T + 1)
  options |= dict(dropout=0.0, embed_dropout=0.0, init_std=0.5)
  trunk = (binned.encoder_trunk if bank else binned.plain_trunk)(**options | changes)
  return binned.Config(window=tiny_study.T, variant=variant, segment=8, trunk=trunk)


_MADE: dict = {}  # passes and fresh networks by the model and their number


def _fresh(config: binned.Config, seeds: int):
  key = repr((config, seeds))
  if key not in _MADE:
    keys_S = jax.random.split(jax.random.key(0), seeds)
    init = jax.jit(jax.vmap(lambda key: binned.init(config, key)))
    _MADE[key] = binned.bind(config), jax.device_get(init(keys_S))
  return _MADE[key]


def handmade(config: binned.Config, *, blank: bool, seeds: int = 2):
  """Returns a run around fresh networks; to blank ones all bins are alike."""
  apply_fn, params_S = _fresh(config, seeds)
  if blank:
    zeros_like = np.zeros_like(params_S["embedding"]["embedding"])
    params_S = params_S | {"embedding": {"embedding": zeros_like}}
  return tiny_study.handmade(
    apply_fn,
    params_S,
    np.clip(tiny_study.ar([0.7], 3000), 0.02, 3.9),
    model=config,
    fresh_S=params_S,
  )
