"""Strict flags for every test: no silent broadcasting across ranks."""

import atexit
import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # what all folders share
jax.config.update("jax_numpy_rank_promotion", "raise")
# Most of the suite is compilation. What is compiled here runs briefly, so it is optimised little,
# and the processes of one run of the suite share what they have compiled.
CACHE = "PRIMELENS_TESTS_CACHE"
if CACHE not in os.environ:  # the first process: the others inherit it
  os.environ[CACHE] = tempfile.mkdtemp(prefix="primelens-tests-")
  atexit.register(shutil.rmtree, os.environ[CACHE], ignore_errors=True)
COMPILED: dict[str, Any] = {
  "jax_disable_most_optimizations": True,
  "jax_compilation_cache_dir": os.environ[CACHE],
  "jax_persistent_cache_min_compile_time_secs": 0.2,
  "jax_persistent_cache_min_entry_size_bytes": 0,
}
for _name, _value in COMPILED.items():
  jax.config.update(_name, _value)
  os.environ[_name.upper()] = str(int(_value) if isinstance(_value, bool) else _value)  # children


@pytest.fixture(autouse=True, scope="module")
def fresh_programs():
  """Drops a file's compiled programs when its tests are done.

  Each one holds memory maps, of which a process may have 65,530 on Linux; the
  suite compiles more, and XLA then aborts.
  """
  yield
  jax.clear_caches()
  gc.collect()
