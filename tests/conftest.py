"""Strict flags for every test: no silent broadcasting across ranks."""

import gc
import sys
from pathlib import Path

import jax
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # what all folders share
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(autouse=True, scope="module")
def fresh_programs():
  """Drops a file's compiled programs when its tests are done.

  Each one holds memory maps, of which a process may have 65,530 on Linux; the
  suite compiles more, and XLA then aborts.
  """
  yield
  jax.clear_caches()
  gc.collect()
