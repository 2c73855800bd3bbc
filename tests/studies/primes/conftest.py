"""Programs here are compiled once and run briefly: compile them quickly."""

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def quick_compile():
  """Leaves optimizations out: compiling tiny programs takes all the time."""
  jax.config.update("jax_disable_most_optimizations", True)
  yield
  jax.config.update("jax_disable_most_optimizations", True)
