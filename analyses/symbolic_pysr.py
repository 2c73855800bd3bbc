"""The PySR backend of symbolic regression, the one file that imports it.

PySR starts Julia when it is imported, and fetches it where it is missing, so
the import stands inside one function and is tried in a child process first.
"""

import subprocess
import sys
import tempfile

import numpy as np

# The published search; batching off because it had none, serial and
# deterministic because a search that cannot be repeated is no evidence.
PUBLISHED = {
  "binary_operators": ["+", "-", "*", "/", "^"],
  "unary_operators": ["sin", "cos", "exp", "log", "sqrt", "abs", "sinc"],
  "complexity_of_operators": {"sin": 3, "cos": 3, "exp": 2, "log": 2, "sqrt": 2, "sinc": 4, "^": 2},
  "maxsize": 30,
  "niterations": 100,
  "populations": 20,
  "population_size": 50,
  "ncycles_per_iteration": 500,
  "weight_optimize": 0.001,
  "adaptive_parsimony_scaling": 1000.0,
  "parsimony": 0.0025,
  "turbo": True,
  "early_stop_condition": ("stop(loss, complexity) = (loss < 1e-6) && (complexity < 12)"),
  "batching": False,
  "parallelism": "serial",
  "deterministic": True,
}


def formulas(
  feature_NxQ, target_N, *, names: tuple[str, ...], seed: int, seconds: int = 900, **settings
) -> tuple[tuple[str, ...], str]:
  """Returns every formula of PySR's hall of fame, and its version.

  The search ends after `seconds`; `settings` replace entries of `PUBLISHED`.
  Raises ValueError, in one line, where Julia cannot be started.
  """
  if "pysr" not in sys.modules:
    preflight()
  import pysr
  import sympy

  with tempfile.TemporaryDirectory() as folder:
    search = pysr.PySRRegressor(
      **(PUBLISHED | settings),
      timeout_in_seconds=seconds,
      random_state=seed,
      extra_sympy_mappings={"sinc": lambda x: sympy.sinc(sympy.pi * x)},
      progress=False,
      verbosity=0,
      output_directory=folder,
    )
    features = np.ascontiguousarray(feature_NxQ, np.float64)
    search.fit(features, np.asarray(target_N), variable_names=list(names))
    return tuple(map(str, search.equations_["equation"])), pysr.__version__


def preflight(seconds: float = 900) -> None:
  """Raises ValueError unless a child process can `import pysr`.

  The first start downloads and compiles packages, hence the long limit; a
  child that hangs or crashes inside Julia leaves this process unharmed.
  """
  # "-P": not a pysr.py of the folder that the command is called in, which may be another's run.
  command = [sys.executable, "-P", "-c", "import pysr"]
  try:
    child = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
  except subprocess.TimeoutExpired:
    raise ValueError(_refusal(f"no answer in {seconds:g} s")) from None
  if child.returncode:
    lines = child.stderr.strip().splitlines()
    last = lines[-1] if lines else f"exit code {child.returncode}"
    raise ValueError(_refusal(last))


def _refusal(reason: str) -> str:
  return (
    "symbolic.backend=pysr needs Julia, which could not be started here"
    f" ({reason}); use symbolic.backend=pyoperon"
  )
