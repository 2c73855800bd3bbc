"""Strict flags for every test: no silent broadcasting across ranks."""

import atexit
import gc
import importlib.util
import mmap
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

# Most of the suite is compilation: to compile fusions by MLIR, and in parallel, takes three to four
# times as long as without. XLA reads this when it starts; children inherit it.
COMPILER = ("--xla_cpu_use_fusion_emitters=false", "--xla_cpu_parallel_codegen_split_count=1")


def known(flags: tuple[str, ...]) -> list[str]:
  """Returns the flags that the XLA of this environment has: another one would end the process.

  The name of a flag is a string of its own, which ends with a zero; names of flags that are no more
  are left in lists.
  """
  folder = Path(importlib.util.find_spec("jaxlib").origin).parent
  library = max(folder.glob("*.so"), key=lambda path: path.stat().st_size)
  with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
    name = lambda flag: flag.removeprefix("--").partition("=")[0].encode() + b"\0"
    return [flag for flag in flags if content.find(name(flag)) >= 0]


# As many processes run as there are cores: threads of linear algebra would wait for each other.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
  os.environ.setdefault(_name, "1")  # read when numpy is imported, and inherited by children

CACHE = "PRIMELENS_TESTS_CACHE"
if CACHE not in os.environ:  # the first process: the others inherit all this
  os.environ["XLA_FLAGS"] = " ".join([*os.environ.get("XLA_FLAGS", "").split(), *known(COMPILER)])
  os.environ[CACHE] = tempfile.mkdtemp(prefix="primelens-tests-")
  atexit.register(shutil.rmtree, os.environ[CACHE], ignore_errors=True)

import jax  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))  # what all folders share
jax.config.update("jax_numpy_rank_promotion", "raise")
# What is compiled here runs briefly, so it is optimised little, and the processes of one run of the
# suite share what they have compiled.
COMPILED: dict[str, Any] = {
  "jax_disable_most_optimizations": True,
  "jax_compilation_cache_dir": os.environ[CACHE],
  "jax_persistent_cache_min_compile_time_secs": 0.05,
  "jax_persistent_cache_min_entry_size_bytes": 0,
}
for _name, _value in COMPILED.items():
  jax.config.update(_name, _value)
  os.environ[_name.upper()] = str(int(_value) if isinstance(_value, bool) else _value)  # children


# Files of half a minute and more, which are handed out first: the last ones then end together.
LONG = (
  "train_test",
  "end_to_end_test",
  "outside_test",
  "fit_kill_test",
  "bad_inputs_test",
  "fit_devices_test",
  "frozen_test",
  "hostile_test",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
  """Puts the long files first."""
  items.sort(key=lambda item: item.path.stem not in LONG)


def pytest_collection_finish() -> None:
  """Keeps what is imported out of every later collection of garbage, which come less often."""
  gc.collect()
  gc.freeze()
  gc.set_threshold(10_000, 10, 10)


MAPS = 20_000  # a process may have 65,530 on Linux


def maps() -> int:
  """Returns how many memory maps this process holds; more than it may where nobody counts them."""
  try:
    return Path("/proc/self/maps").read_bytes().count(b"\n")
  except OSError:
    return MAPS + 1


@pytest.fixture(autouse=True, scope="module")
def fresh_programs():
  """Drops the compiled programs after a file with which they have become many.

  Each one holds memory maps; the suite compiles more than a process may have, and XLA then aborts.
  Until then, a file finds what others have compiled.
  """
  yield
  if maps() > MAPS:
    jax.clear_caches()
    gc.collect()
