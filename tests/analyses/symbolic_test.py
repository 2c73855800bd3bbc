import contextlib
import functools
import os
import subprocess
import sys
import tempfile
import time
import types
from unittest import mock

import numpy as np
import sympy
from absl.testing import absltest, parameterized
from primelens.analyses import formulas, symbolic

NAMES = ("s1", "s2", "s3", "s4", "s5")
SMALL = dict(restarts=2, generations=6, population=100, rows=200)


def _features(count: int, seed: int) -> np.ndarray:
  return np.random.default_rng(seed).gamma(6, 1 / 6, (count, len(NAMES)))


def _law(feature_NxQ) -> np.ndarray:
  return 3.1 / feature_NxQ[:, :3].sum(axis=1)


def _data(law=_law, noise: float = 0.0, count: int = 600) -> dict:
  train, test = _features(count, 0), _features(300, 1)
  rng = np.random.default_rng(2)
  target_N, test_N = (law(x) + rng.normal(0, noise, len(x)) for x in (train, test))
  return dict(
    feature_NxQ=train, target_N=target_N, names=NAMES, test_feature_NxQ=test, test_target_N=test_N
  )


@functools.cache
def _noisy_front() -> list[dict]:
  """Returns the front of a small search in `_data(noise=0.2)`."""
  return symbolic.search(**_data(noise=0.2), seed=0, **SMALL)


@functools.cache
def _alone() -> list[dict]:
  """Returns another front of the same data, of one thread."""
  return symbolic.search(**_data(noise=0.2), seed=3, **SMALL, threads=1)


class NamesTest(parameterized.TestCase):
  @parameterized.parameters(
    (("s1", "s2", "s1", "s4", "s5"), "two columns are named 's1'"),
    (("s1", "s2", "s 3", "s4", "s5"), "'s 3' is no name for a feature"),
    (("s1", "s2", "lambda", "s4", "s5"), "'lambda' is no name for a feature"),
  )
  def test_bad_names_are_refused(self, names, message):
    data = _data() | {"names": names}
    for search in (
      lambda: symbolic.search(**data, seed=0),
      lambda: symbolic.refitted(("s2",), **data),
    ):
      with self.assertRaisesRegex(ValueError, message):
        search()

  def test_a_column_named_as_the_sinc_of_another_is_kept(self):
    names = ("x", "sinc_x", "s3", "s4", "s5")
    data = _data(lambda x: x[:, 1] + 2 * x[:, 0]) | {"names": names}
    last = symbolic.search(**data, seed=0, **SMALL)[-1]
    self.assertLess(last["test_mse"], 1e-9)
    self.assertIn("sinc_x", last["expression"])

  def test_a_constant_target_has_no_r2(self):
    data = _data() | {"test_target_N": np.full(300, 0.1)}
    (row,) = symbolic.refitted(("2.0",), **data)
    self.assertTrue(np.isnan(row["test_r2"]))


class OperonTest(parameterized.TestCase):
  def test_recovers_a_law_exactly(self):
    front = symbolic.search(**_data(), seed=0)
    last = front[-1]
    self.assertEqual(last["expression"], "3.1/(s1 + s2 + s3)")
    self.assertEqual(last["complexity"], 7)
    self.assertLess(last["train_mse"], 1e-20)
    self.assertLess(last["test_mse"], 1e-20)
    self.assertAlmostEqual(last["test_r2"], 1)

  def test_recovers_sinc_which_operon_lacks(self):
    data = _data(lambda x: np.sinc(x[:, 1]) - x[:, 0])
    last = symbolic.search(**data, seed=0, **SMALL)[-1]
    self.assertEqual(last["expression"], "sinc(s2) - s1")
    self.assertEqual(last["complexity"], 7)
    value = sympy.sympify(last["sympy"]).subs({"s1": 0, "s2": 0.5})
    self.assertAlmostEqual(float(value), 2 / np.pi)

  @parameterized.parameters(1, 2)
  def test_seed_repeats_whatever_the_threads(self, threads):
    data = _data(noise=0.2)
    again = symbolic.search(**data, seed=3, **SMALL, threads=threads)
    self.assertEqual(_alone(), again)

  def test_other_seeds_search_elsewhere(self):
    data = _data(noise=0.2)
    fronts = [symbolic.search(**data, seed=seed, **SMALL, beam=0) for seed in (3, 4)]
    exact = [{row["exact"] for row in front} for front in fronts]
    self.assertNotEqual(*exact)

  def test_records_hold_what_their_formula_scores(self):
    data, front = _data(noise=0.2), _noisy_front()
    symbols = sympy.symbols(NAMES)
    for row in front:
      formula = sympy.lambdify(symbols, sympy.sympify(row["sympy"]), "numpy")
      for split, x, y in (
        ("train_mse", data["feature_NxQ"], data["target_N"]),
        ("test_mse", data["test_feature_NxQ"], data["test_target_N"]),
      ):
        expected = np.mean((y - formula(*x.T)) ** 2)
        self.assertAlmostEqual(row[split], expected)
      tree = formulas.parse(row["exact"])
      self.assertEqual(row["complexity"], formulas.complexity(tree))
      self.assertEqual((row["backend"], row["seed"]), ("pyoperon", 0))
      self.assertRegex(row["version"], r"^\d+\.\d+")

  def test_front_is_sorted_and_starts_with_the_mean(self):
    data, front = _data(noise=0.2), _noisy_front()
    self.assertGreater(len(front), 2)
    self.assertAlmostEqual(float(front[0]["exact"]), data["target_N"].mean())
    size = [row["complexity"] for row in front]
    loss = [row["train_mse"] for row in front]
    self.assertEqual(size, sorted(set(size)))
    self.assertEqual(loss, sorted(set(loss), reverse=True))
    self.assertLessEqual(max(size), 30)

  def test_given_formulas_join_the_search(self):
    front = symbolic.search(
      **_data(),
      seed=0,
      start=("1/(s1 + s2 + s3)",),
      restarts=1,
      generations=1,
      population=20,
      rows=100,
    )
    self.assertEqual(front[-1]["expression"], "3.1/(s1 + s2 + s3)")

  def test_seconds_bound_the_search_and_say_so(self):
    began = time.monotonic()
    with self.assertWarnsRegex(UserWarning, "stopped after 1 s in generation"):
      symbolic.search(
        **_data(noise=0.2), seed=0, seconds=2, restarts=2, generations=10**6, beam=0, rows=100
      )
    self.assertLess(time.monotonic() - began, 30)

  def test_noise_scores_no_better_than_its_variance(self):
    data = _data(noise=0.2)
    found = _noisy_front()[-1]
    null = symbolic.null_front(**data, seed=0, **SMALL)[-1]
    power = np.var(data["test_target_N"])
    self.assertLess(found["test_mse"], 0.7 * power)
    self.assertGreater(null["test_mse"], 0.95 * power)

  def test_wrong_input_is_refused(self):
    data = _data()
    with self.assertRaisesRegex(
      ValueError, "symbolic.backend=gplearn is not one of pyoperon, pysr"
    ):
      symbolic.search(**data, seed=0, backend="gplearn")
    with self.assertRaisesRegex(ValueError, "do not fit 600 targets and"):
      symbolic.search(**data | {"names": ("s1",)}, seed=0)


class FrontTest(absltest.TestCase):
  def test_hand_made_front(self):
    rows = [
      {"complexity": size, "train_mse": loss, "exact": name}
      for name, size, loss in [
        ("worse and longer", 5, 0.9),
        ("mean", 1, 1.0),
        ("good", 3, 0.5),
        ("as short, worse", 3, 0.6),
        ("a gain in rounding only", 4, 0.5 * (1 - 1e-9)),
        ("exact", 7, 1e-14),
        ("more than exact", 9, 1e-30),
      ]
    ]
    kept = [row["exact"] for row in symbolic.front(rows, variance=1.0)]
    self.assertEqual(kept, ["mean", "good", "exact"])

  def test_a_formula_without_test_values_is_inf_not_lost(self):
    data = _data()
    data["test_feature_NxQ"][0, 0] = -1.0
    [row] = symbolic.refitted(("0.5*log(s1) + 1",), **data)
    self.assertEqual(row["test_mse"], np.inf)
    self.assertTrue(np.isfinite(row["train_mse"]))

  def test_refitted_published_forms(self):
    forms = ("2/(s1 + s2 + s3)", "0.7")
    law, mean = symbolic.refitted(forms, **_data())
    self.assertEqual(law["expression"], "3.1/(s1 + s2 + s3)")
    target_N = _data()["target_N"]
    self.assertAlmostEqual(mean["train_mse"], np.var(target_N))


class FakeRegressor:
  """Stands for PySR, which cannot be had without Julia: records its use."""

  made: list = []

  def __init__(self, **settings):
    self.settings = settings
    self.made.append(self)

  def fit(self, feature_NxQ, target_N, variable_names):
    self.shapes = (feature_NxQ.shape, target_N.shape)
    self.names = variable_names
    equations = ["1.0", "3.1 / ((s1 + s2) + s3)", "sinc(s1) ^ 2.0"]
    self.equations_ = {"equation": equations}


class PysrTest(absltest.TestCase):
  def _child_sees(self, source: str):
    folder = self.enter_context(tempfile.TemporaryDirectory())
    with open(os.path.join(folder, "pysr.py"), "w") as file:
      file.write(source)
    environment = {"PYTHONPATH": folder}
    self.enter_context(mock.patch.dict(os.environ, environment))

  def test_published_settings_and_the_whole_hall_of_fame(self):
    fake = types.SimpleNamespace(PySRRegressor=FakeRegressor, __version__="9.9")
    with mock.patch.dict(sys.modules, {"pysr": fake}):
      front = symbolic.search(**_data(), seed=5, backend="pysr", seconds=60, populations=7)
    self.assertEqual([row["expression"] for row in front], ["1", "3.1/(s1 + s2 + s3)"])
    self.assertEqual([row["complexity"] for row in front], [1, 7])
    self.assertEqual([row["version"] for row in front], ["9.9", "9.9"])
    self.assertEqual({row["backend"] for row in front}, {"pysr"})
    made = FakeRegressor.made[-1]
    self.assertEqual(made.shapes, ((600, 5), (600,)))
    self.assertEqual(made.names, list(NAMES))
    expected = dict(
      niterations=100,
      populations=7,
      population_size=50,
      ncycles_per_iteration=500,
      weight_optimize=0.001,
      adaptive_parsimony_scaling=1000.0,
      parsimony=0.0025,
      timeout_in_seconds=60,
      turbo=True,
      maxsize=30,
      random_state=5,
    )
    self.assertEqual(made.settings | expected, made.settings)
    self.assertEqual(made.settings["complexity_of_operators"], formulas.WEIGHTS)
    wave = made.settings["extra_sympy_mappings"]["sinc"]
    self.assertAlmostEqual(float(wave(sympy.Float(0.5))), 2 / np.pi)
    self.assertFalse(os.path.exists(made.settings["output_directory"]))

  def test_no_julia_is_one_line(self):
    self._child_sees("raise OSError('cannot\\nreach julialang.org')")
    message = (
      r"^symbolic.backend=pysr needs Julia, which could not be started here"
      r" \(.*reach julialang.org\); use symbolic.backend=pyoperon$"
    )
    with mock.patch.dict(sys.modules):
      sys.modules.pop("pysr", None)
      with self.assertRaisesRegex(ValueError, message):
        symbolic.search(**_data(), seed=0, backend="pysr")
      self.assertNotIn("pysr", sys.modules)

  def test_a_start_that_hangs_or_crashes_is_refused(self):
    self._child_sees("import time; time.sleep(60)")
    with self.assertRaisesRegex(ValueError, r"\(no answer in 0.5 s\); use"):
      symbolic.preflight(seconds=0.5)
    self._child_sees("import os; os.abort()")
    with self.assertRaisesRegex(ValueError, r"\(exit code -6\); use"):
      symbolic.preflight()

  def test_a_module_in_the_folder_that_one_stands_in_is_not_started(self):
    self._child_sees("")
    folder = self.enter_context(tempfile.TemporaryDirectory())
    with open(os.path.join(folder, "pysr.py"), "w") as file:
      file.write("open('ran', 'w')")
    with contextlib.chdir(folder):
      symbolic.preflight()
    self.assertEqual(os.listdir(folder), ["pysr.py"])

  def test_a_good_start_passes(self):
    self._child_sees("")
    symbolic.preflight()

  def test_real_arguments_are_known_to_the_installed_pysr(self):
    # Read from its source: importing it would start Julia.
    spec = os.path.join(_site("pysr"), "sr.py")
    with open(spec) as file:
      source = file.read()
    for name in symbolic.PYSR_AS_PUBLISHED:
      self.assertIn(f"        {name}: ", source)


def _site(package: str) -> str:
  code = "import importlib.util as u; print(u.find_spec('%s').origin)"
  run = [sys.executable, "-c", code % package]
  origin = subprocess.run(run, capture_output=True, text=True, check=True)
  return os.path.dirname(origin.stdout.strip())


if __name__ == "__main__":
  absltest.main()
