import sys
from types import SimpleNamespace
from unittest import mock

import numpy as np
import sympy
from absl.testing import absltest, parameterized
from primelens.analyses import prime_lines, prime_waves
from primelens.studies.zeros import prime_waves_law
from primelens.tasks import primes

HEIGHT = 1.1e6


class FormulasTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.prime_Q = primes.below(3_000)
    law_Q = prime_lines.law(cls.prime_Q, HEIGHT)
    rng = np.random.default_rng(0)
    noisy_ExQ = law_Q * rng.normal(1, 0.005, (3, len(law_Q)))
    # Lines are found at the first eighty primes; of the last row at ten.
    found_E = np.array([80, 80, 10])
    read = SimpleNamespace(
      amplitude_ExQ=noisy_ExQ,
      max_t_ExQ=np.where(np.arange(len(law_Q)) < found_E[:, None], 0.02, 0.5),
    )
    table = [{"name": k, "kind": k} for k in ("truth", "network", "adaptive")]
    settings = SimpleNamespace(symbolic=True, seed=0)
    cls.rows = prime_waves_law.formulas(read, table, cls.prime_Q, HEIGHT, settings)

  def _rows(self, kind: str, given: str = "p") -> list:
    return [r for r in self.rows if (r["kind"], r["given"]) == (kind, given)]

  def test_the_power_and_the_factor(self):
    for kind in ("truth", "network"):
      row = self._rows(kind)[0]
      self.assertEqual(row["found"], 80)
      self.assertAlmostEqual(row["power"], -0.5, delta=0.002)
      self.assertAlmostEqual(row["factor"], 1 / np.pi, delta=0.004)
      self.assertBetween(row["power_error"], 1e-4, 2e-3)

  def test_too_few_lines_are_not_searched(self):
    self.assertEqual(self._rows("adaptive"), [])

  def _at(self, row, **value) -> float:
    return float(sympy.sympify(row["sympy"]).subs(value))

  def test_given_p_the_search_goes_on_as_one_over_its_root(self):
    best = max(self._rows("truth"), key=lambda row: row["test_r2"])
    value = self._at(best, p=2_999)
    self.assertAlmostEqual(value * np.pi * 2_999**0.5, 1, delta=0.05)

  def test_given_p_and_x_it_finds_the_sine_as_well(self):
    best = max(self._rows("truth", "p, x"), key=lambda row: row["test_r2"])
    # Far beyond the primes that it has seen, on to where the sine falls.
    for p in (997, 2_999):
      x = prime_waves.mean_spacing(HEIGHT) * np.log(p)
      (law,) = prime_lines.law([p], HEIGHT)
      self.assertAlmostEqual(self._at(best, p=p, x=x) / law, 1, delta=0.05)


class FallsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("0.31*p^(-0.5)", True),
    ("0.3183/sqrt(p) + 1e-6", True),
    ("1/(3.14*sqrt(p) + 0.1)", True),
    ("0.31*p^(-0.4)", False),
    ("0.01", False),
    ("sin(p)", False),
  )
  def test_a_formula_is_parsed(self, text, falls):
    self.assertEqual(prime_waves_law.falls({"exact": text}), falls)

  @parameterized.parameters(
    "__import__('os').getcwd()",
    "print(p)",
    "p.real",
    "q",
    "(lambda: 1)()",
    "p if p else p",
    "",
    "(" * 300,
  )
  def test_nothing_else_is(self, text):
    with self.assertRaises(ValueError):
      prime_waves_law.falls({"exact": text, "sympy": "p"})

  def test_the_text_for_sympy_is_not_read(self):
    with mock.patch.dict(sys.modules, {"sympy": None}):
      self.assertTrue(prime_waves_law.falls({"exact": "1/sqrt(p)", "sympy": "exit()"}))


if __name__ == "__main__":
  absltest.main()
