"""Programs here are compiled once and run briefly: compile them quickly."""

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def quick_compile(request):
  training = request.module.__name__.endswith("program_test")
  jax.config.update("jax_disable_most_optimizations", not training)
  yield
  jax.config.update("jax_disable_most_optimizations", True)
