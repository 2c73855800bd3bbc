import tempfile

import drawn
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.lens import claims, results, tables
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
    cls.found = operators.measure(run)

  def _row(self, name, disorder):
    return claims.row(tables.rows(self.found, "spectra"), levels=name, disorder=disorder)

  def _ratio(self, name, disorder) -> float:
    return self._row(name, disorder)["r_ratio"].estimate

  def test_disorder_decides_and_not_the_kernel(self):
    # The r-ratio of independent levels is 2 ln 2 - 1 (Atas et al. 2013).
    poisson = 2 * np.log(2) - 1
    for name in operators.KERNELS:
      self.assertGreater(self._row(name, 1.0)["small_share_as_published"], 0.3)
      self.assertAlmostEqual(self._ratio(name, 1.0), poisson, delta=0.035)
    self.assertAlmostEqual(self._ratio(operators.NONE, 1.0), poisson, delta=0.035)
    weak = self._row("published kernel", 0.01)
    self.assertGreater(weak["r_ratio"].low, poisson + 0.03)

  def test_the_sine_kernel_is_the_noise_alone(self):
    self.assertLess(self.found.largest_off_diagonal, 2e-16)
    noise = self._row(operators.NONE, 1.0)
    for disorder in (1.0, 0.01):
      row = self._row("sine kernel, density 1", disorder)
      share = "small_share_as_published"
      self.assertAlmostEqual(row[share], noise[share], places=6)
      self.assertAlmostEqual(row["r_ratio"].estimate, noise["r_ratio"].estimate, places=6)

  def test_both_published_kernels_have_the_same_levels(self):
    for disorder in (1.0, 0.01):
      plain = self._ratio("published kernel", disorder)
      other = self._ratio("published kernel, times cos", disorder)
      self.assertAlmostEqual(plain, other, places=6)

  def test_references(self):
    for name, ratio in (("Poisson", 0.3863), ("GOE", 0.5307), ("GUE", 0.5996)):
      (row,) = (r for r in tables.rows(self.found, "spectra") if r["levels"] == name)
      self.assertAlmostEqual(row["r_ratio"].estimate, ratio, delta=0.03)
      self.assertTrue(np.isnan(row["disorder"]))
      self.assertEqual(operators.LIMITS[name], ratio)

  def test_drawn_levels_follow_the_gue(self):
    (row,) = tables.rows(self.found, "process")
    # docs/sources/zeros.md, section 4.14.
    self.assertAlmostEqual(row["variance"].estimate, 0.180, delta=0.01)
    self.assertAlmostEqual(row["neighbours"].estimate, -0.311, delta=0.04)
    self.assertAlmostEqual(row["r_ratio"].estimate, 0.5996, delta=0.012)
    of = lambda name: self.found.spacing_density.sel(law=name).values
    gap = lambda name: np.abs(of("sine process") - of(name)).mean()
    self.assertLess(gap("GUE"), gap("independent") / 5)

  def test_eigenvalues_are_a_projection(self):
    for density in self.found.density.values:
      value_N = self.found.eigenvalue.sel(density=density).values
      self.assertAlmostEqual(value_N.sum(), density * SIZE)
      between = np.sum((value_N > 0.01) & (value_N < 0.99))
      self.assertLess(between, 0.05 * SIZE)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "operators", self.found, provenance={})
    back, _ = results.read(folder, "operators")
    xr.testing.assert_identical(back, self.found)


def by_hand(verdict="Poisson", noise="Poisson"):
  """What the published measure says of the kernel, and of noise alone."""
  kinds = [(name, 1.0) for name in operators.KERNELS]
  kinds += [(name, 0.01) for name in operators.KERNELS]
  kinds += [(operators.NONE, 1.0)]
  kinds += [(name, np.nan) for name in operators.REFERENCES]
  bounded = lambda key, value: {key: value, f"{key}_low": value - 0.01, f"{key}_high": value + 0.01}
  spectra = [
    {"levels": name, "disorder": disorder, "small_share_as_published": 0.4}
    | {"variance_as_published": 1.0}
    | {"verdict_as_published": noise if "alone" in name else verdict}
    | bounded("r_ratio", 0.49 if disorder < 1 else 0.387)
    | bounded("variance", 0.9)
    for name, disorder in kinds
  ]
  process = {"levels": operators.PROCESS, "spacings": 7600}
  process |= bounded("variance", 0.18) | bounded("neighbours", -0.311) | bounded("r_ratio", 0.6)
  value_PxN = np.repeat([[1.0, 1, 0, 0], [1, 0, 0, 0]], 10, axis=1)
  variables = {
    **results.rows("spectra", spectra, operators.SPECTRUM),
    **results.rows("process", [process], operators.DRAWN),
    "eigenvalue": results.variable("density rank", value_PxN, "eigenvalue"),
    "spacing_density": results.variable("law spacing", np.full((4, 30), 0.3), "density"),
  }
  coords = {
    "density": results.variable("density", [0.25, 0.5], "points to a site"),
    "rank": results.variable("rank", (1 + np.arange(40)) / 40, "rank / size"),
    "law": ["sine process", "published kernel, disorder 1", "GUE", "independent"],
    "spacing": results.variable("spacing", np.linspace(0.05, 2.95, 30), "spacing (mean 1)"),
  }
  return results.dataset(variables, coords, matrix_size=40, largest_off_diagonal=1.4e-16)


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({}, "reproduced, but an artefact"),
    ({"noise": "GUE"}, "reproduced"),
    ({"verdict": "GUE"}, "not reproduced"),
  )
  def test_status(self, values, status):
    small = zeros_cards.card(size=zeros_cards.SMALL)  # the claim is on no network
    runs = {"tiny": (small, {"operators": by_hand(**values)})}
    row = zeros_cards.row(operators, "operators.toeplitz", **runs)
    self.assertEqual(row["status"], status, row["because"])
    self.assertIn("disorder of 0.01", row["because"])
    self.assertIn("r-ratio is 0.387 [0.377, 0.397], without any kernel", row["because"])
    self.assertIn("at most 1.4e-16", row["because"])

  def test_other_data_decide_nothing(self):
    runs = {"tiny": (zeros_cards.card(data="others"), {"operators": by_hand()})}
    self.assertEqual(zeros_cards.status(operators, "operators.toeplitz", **runs), "not run")

  def test_what_was_published(self):
    (claim,) = operators.CLAIMS
    self.assertEqual(claim.reported, "Poisson for all three kernels, N = 1000, disorder 1")


class ShownTest(absltest.TestCase):
  def test_figures(self):
    pages = operators.figures({"e0": by_hand()})
    self.assertEqual(set(pages), {"e0"})
    figure = pages["e0"].figure()
    drawn.assert_inside(self, figure)
    for axes in figure.findobj(match=lambda part: hasattr(part, "get_xlabel")):
      self.assertNotEmpty(axes.get_xlabel())

  def test_equal_results_are_shown_once(self):
    same = {"e0": by_hand(), "e1": by_hand()}
    self.assertEqual(set(operators.figures(same)), {"e0"})
    spectra, process = operators.tables(same)
    names = [row["levels"] for row in spectra.rows]
    self.assertEqual(names.count("published kernel, times cos"), 2)  # two disorders
    self.assertEqual({row["run"] for row in spectra.rows}, {"e0"})
    self.assertLen(process.rows, 1)
    other = same | {"e2": by_hand(verdict="GUE")}
    self.assertEqual(set(operators.figures(other)), {"e0", "e2"})

  def test_tables(self):
    spectra, process = operators.tables({"e0": by_hand()})
    cells = [dict(zip(spectra.columns(), row, strict=True)) for row in spectra.cells()]
    self.assertEqual(cells[0]["r-ratio"], "0.387 [0.377, 0.397]")
    self.assertEqual((cells[0]["disorder"], cells[-1]["disorder"]), ("1", "–"))
    self.assertIn("0.386 Poisson, 0.531 GOE, 0.600 GUE", spectra.caption)
    self.assertIn("-0.311 [-0.321, -0.301]", process.cells()[0])


if __name__ == "__main__":
  absltest.main()
