"""Strict flags for every test: no silent broadcasting across ranks."""

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
