"""Binned predictors of width 8 for the tests."""

import functools

import jax
from primelens.models import binned

T, D, SLOTS = 16, 8, 3
TRUNK = dict(
  width=D,
  layers=2,
  heads=2,
  hidden=16,
  max_positions=T + 1,
  dropout=0.0,
  embed_dropout=0.0,
  init_std=0.5,
)


def config(variant: str, segment: int = 6) -> binned.Config:
  """Returns a predictor of two layers over windows of 16 spacings."""
  bank = variant.startswith("bank")
  trunk = (binned.encoder_trunk if bank else binned.plain_trunk)(**TRUNK)
  return binned.Config(window=T, variant=variant, segment=segment, slots=SLOTS, trunk=trunk)


STARTS: dict = {}  # what draws the parameters of a config, compiled once


def parameters(config: binned.Config, seed: int = 0):
  """Returns fresh parameters."""
  start = jax.jit(functools.partial(binned.init, config))
  return STARTS.setdefault(repr(config), start)(jax.random.key(seed))
