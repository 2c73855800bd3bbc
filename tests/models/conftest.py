"""Shared by the tests below: their helpers, and compilations that are quick."""

import sys
from pathlib import Path

import jax
import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module", autouse=True)
def quick_compile():
  """Leaves optimizations out: compiling tiny programs takes all the time."""
  jax.config.update("jax_disable_most_optimizations", True)
  yield
  jax.config.update("jax_disable_most_optimizations", True)
