import tempfile

import jax
import numpy as np
import tiny_study
from absl.testing import absltest
from primelens.lens import claims as trial
from primelens.lens import legacy
from primelens.studies.zeros import operators

SIZE = 300


class OperatorsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    run = tiny_study.handmade(
      None,
      None,
      np.ones(4000),
      changed={
        "operators.size": SIZE,
        "operators.draws": 8,
        "operators.disorders": (1.0, 0.01),
        "operators.samples": 40,
        "operators.sites": 1024,
        "operators.density": 1 / 8,
      },
    )
    cls.result = operators.run(run)

  def _row(self, name, disorder):
    return trial.row(self.result.spectra, levels=name, disorder=disorder)

  def test_disorder_decides_and_not_the_kernel(self):
    # The r-ratio of independent levels is 2 ln 2 - 1 (Atas et al. 2013).
    poisson = 2 * np.log(2) - 1
    noise = self._row(operators.NONE, 1.0)
    for name in operators.KERNELS:
      row = self._row(name, 1.0)
      self.assertGreater(row["small_share_as_published"], 0.3)
      self.assertAlmostEqual(row["r_ratio"], poisson, delta=0.035)
    self.assertAlmostEqual(noise["r_ratio"], poisson, delta=0.035)
    weak = self._row("published kernel", 0.01)
    self.assertGreater(weak["r_ratio_low"], poisson + 0.03)

  def test_the_sine_kernel_is_the_noise_alone(self):
    self.assertLess(self.result.largest_off_diagonal, 2e-16)
    noise = self._row(operators.NONE, 1.0)
    for disorder in (1.0, 0.01):
      row = self._row("sine kernel, density 1", disorder)
      for key in ("small_share_as_published", "r_ratio"):
        self.assertAlmostEqual(row[key], noise[key], places=6)

  def test_both_published_kernels_have_the_same_levels(self):
    for disorder in (1.0, 0.01):
      plain = self._row("published kernel", disorder)
      other = self._row("published kernel, times cos", disorder)
      self.assertAlmostEqual(plain["r_ratio"], other["r_ratio"], places=6)

  def test_references(self):
    for name, ratio in (("Poisson", 0.3863), ("GOE", 0.5307), ("GUE", 0.5996)):
      (row,) = (r for r in self.result.spectra if r["levels"] == name)
      self.assertAlmostEqual(row["r_ratio"], ratio, delta=0.03)
      self.assertTrue(np.isnan(row["disorder"]))

  def test_drawn_levels_follow_the_gue(self):
    (row,) = self.result.process
    # Zeta spec, section 4.14.
    self.assertAlmostEqual(row["variance"], 0.180, delta=0.01)
    self.assertAlmostEqual(row["neighbours"], -0.311, delta=0.04)
    self.assertAlmostEqual(row["r_ratio"], 0.5996, delta=0.012)
    drawn_Q, _, gue_Q, poisson_Q = self.result.density_VxQ
    gap = lambda law_Q: np.abs(drawn_Q - law_Q).mean()
    self.assertLess(gap(gue_Q), gap(poisson_Q) / 5)

  def test_eigenvalues_are_a_projection(self):
    for p, density in enumerate(self.result.density_P):
      value_N = self.result.value_PxN[p]
      self.assertAlmostEqual(value_N.sum(), density * SIZE)
      between = np.sum((value_N > 0.01) & (value_N < 0.99))
      self.assertLess(between, 0.05 * SIZE)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "operators", self.result, provenance={})
    back, _ = legacy.read(folder, "operators", operators.Result)
    jax.tree.map(np.testing.assert_array_equal, vars(back), vars(self.result))


if __name__ == "__main__":
  absltest.main()
