import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import form_factors, sine_process, statistics
from primelens.tasks import surrogates

BLOCK = 64
TAU_Q = np.arange(0.05, 2, 1 / 64)


def _surmise(rng, shape):
  """Spacings of density (32 / pi^2) s^2 exp(-4 s^2 / pi): a 3-vector's
  length."""
  return np.linalg.norm(rng.normal(size=(*shape, 3)), axis=-1) * np.sqrt(np.pi / 8)


def _surmise_phi(tau_Q):
  """Characteristic function of the surmise, by Gauss-Legendre quadrature."""
  node_N, weight_N = np.polynomial.legendre.leggauss(400)
  s_N = 4 * (node_N + 1)
  density_N = 32 / np.pi**2 * s_N**2 * np.exp(-4 / np.pi * s_N**2)
  wave_QxN = np.exp(2j * np.pi * np.asarray(tau_Q)[:, None] * s_N)
  return 4 * wave_QxN @ (density_N * weight_N)


class BlocksTest(parameterized.TestCase):
  def test_cut_by_hand(self):
    found_RxN = form_factors.cut([1.0, 2, 3, 4, 5, 6, 7, 8, 9], 4)
    np.testing.assert_array_equal(found_RxN, [[1, 3, 6, 10], [5, 11, 18, 26]])
    for block in (3, 5):
      with self.assertRaisesRegex(ValueError, f"block={block} must be 4"):
        form_factors.cut(np.ones(9), block)
    with self.assertRaisesRegex(ValueError, "finite"):
      form_factors.cut([1.0, np.nan] * 9, 4)

  @parameterized.parameters("poisson", "gue")
  def test_curve_is_the_ensemble_within_its_errors(self, ensemble):
    if ensemble == "gue":  # Haar unitary matrices: K = min(tau, 1)
      gap_RxN = surrogates.cue_spacings(0, matrices=500, size=BLOCK)
    else:
      gap_RxN = np.random.default_rng(0).exponential(size=(500, BLOCK))
    k_RxQ = form_factors.blocks(gap_RxN.reshape(-1), TAU_Q, BLOCK)
    self.assertEqual(k_RxQ.shape, (500, len(TAU_Q)))
    found = statistics.seed_interval(k_RxQ)
    expected_Q = sine_process.form_factor(TAU_Q, ensemble)
    # One value is exponential: its spread is its mean.
    z_Q = (found.estimate / expected_Q - 1) * np.sqrt(500)
    self.assertLess(np.abs(z_Q).max(), 4.5)
    self.assertBetween(np.mean(z_Q**2), 0.5, 1.8)
    relative_Q = found.standard_error / expected_Q
    self.assertAlmostEqual(relative_Q.mean(), 1 / np.sqrt(500), delta=0.01)
    self._ramp_and_plateau(k_RxQ, ensemble)

  def _ramp_and_plateau(self, k_RxQ, ensemble):
    line = form_factors.ramp(k_RxQ, TAU_Q, (0.05, 0.5))
    intercept, slope = {"gue": (0, 1), "poisson": (1, 0)}[ensemble]
    for found_R, expected in (
      (line.intercept_R, intercept),
      (line.slope_R, slope),
      (form_factors.plateau(k_RxQ, TAU_Q), 1),
    ):
      found = statistics.seed_interval(found_R)
      self.assertLess(found.standard_error, 0.2)
      gap = found.estimate - expected
      self.assertLess(np.abs(gap), 4 * found.standard_error)
    ramp_Q, flat_Q = (sine_process.form_factor(TAU_Q, n) for n in ("gue", "poisson"))
    apart = np.mean((ramp_Q - flat_Q) ** 2)
    for name, reference_Q in (("gue", ramp_Q), ("poisson", flat_Q)):
      found = form_factors.squared_distance(k_RxQ, reference_Q)
      gap = found.estimate - (0.0 if name == ensemble else apart)
      self.assertLess(np.abs(gap), 4 * found.standard_error, name)

  def test_ramp_and_plateau_of_straight_lines(self):
    tau_Q = np.linspace(0, 2, 41)
    k_RxQ = np.array([[0.3], [0.1]]) + np.array([[2.0], [1.0]]) * tau_Q
    line = form_factors.ramp(k_RxQ, tau_Q)
    np.testing.assert_allclose(line.intercept_R, [0.3, 0.1])
    np.testing.assert_allclose(line.slope_R, [2, 1])
    np.testing.assert_allclose(form_factors.plateau(k_RxQ, tau_Q), [3.3, 1.6])
    with self.assertRaisesRegex(ValueError, "needs 2 values"):
      form_factors.ramp(k_RxQ, tau_Q, (0.01, 0.06))

  def test_squared_distance_is_the_sum_over_pairs(self):
    rng = np.random.default_rng(0)
    k_RxQ, reference_Q = rng.normal(size=(5, 3)), rng.normal(size=3)
    gap_RxQ = k_RxQ - reference_Q
    pairs = lambda rows: np.mean([gap_RxQ[r] * gap_RxQ[s] for r in rows for s in rows if r != s])
    found = form_factors.squared_distance(k_RxQ, reference_Q)
    self.assertAlmostEqual(found.estimate, pairs(range(5)))
    left = [pairs([r for r in range(5) if r != out]) for out in range(5)]
    error = np.sqrt(4 / 5 * np.sum((left - np.mean(left)) ** 2))
    self.assertAlmostEqual(found.standard_error, error)
    with self.assertRaisesRegex(ValueError, "3 blocks"):
      form_factors.squared_distance(k_RxQ[:2], reference_Q)

  def test_number_variance_of_rows(self):
    gap_RxN = np.random.default_rng(0).exponential(size=(20, 2000))
    found_RxQ = form_factors.number_variance(gap_RxN, [1.0, 4.0])
    error_Q = statistics.seed_interval(found_RxQ).standard_error
    np.testing.assert_array_less(np.abs(found_RxQ.mean(0) - [1, 4]), 4 * error_Q)


class RenewalTest(parameterized.TestCase):
  @parameterized.parameters(1, 2)
  def test_gamma_spacings_have_a_closed_form(self, shape):
    # phi = (1 - i t / k)^-k, t = 2 pi tau: K = 1, and (t^2 + 8) / (t^2 + 16).
    t_Q = 2 * np.pi * TAU_Q
    expected_Q = np.ones_like(t_Q)
    if shape == 2:
      expected_Q = (t_Q**2 + 8) / (t_Q**2 + 16)
    found_Q = form_factors.renewal((1 - 1j * t_Q / shape) ** -shape)
    np.testing.assert_allclose(found_Q, expected_Q, rtol=1e-12)

  def test_simulated_renewal_is_its_formula(self):
    gap_N = np.random.default_rng(3).gamma(2, 0.5, 600 * BLOCK)
    t_Q = 2 * np.pi * TAU_Q
    phi_Q = form_factors.characteristic(gap_N, TAU_Q)
    np.testing.assert_allclose(phi_Q, (1 - 0.5j * t_Q) ** -2, atol=0.02)
    k_RxQ = form_factors.blocks(gap_N, TAU_Q, BLOCK)
    found = statistics.seed_interval(k_RxQ)
    expected_Q = form_factors.renewal(phi_Q)
    z_Q = (found.estimate / expected_Q - 1) * np.sqrt(600)
    self.assertLess(np.abs(z_Q).max(), 4.5)
    self.assertBetween(np.mean(z_Q**2), 0.5, 1.8)


class AsPublishedTest(parameterized.TestCase):
  def test_grids(self):
    # docs/sources/zeros.md, section 4.8: 11 points above 4, with 2 pi; 14 in 3 .. 5.5.
    counts = {"elephant": 11, "scaling": 28, "null test": 14}
    for name, (tau_Q, low, high) in form_factors.PLATEAUS_AS_PUBLISHED.items():
      self.assertEqual(np.sum((tau_Q > low) & (tau_Q < high)), counts[name])
      self.assertAlmostEqual(tau_Q[-1], 2 * np.pi)
    with self.assertRaisesRegex(ValueError, "elephant, scaling, null test"):
      form_factors.plateau_as_published(np.ones(9), "ramp")

  def test_unconnected_by_hand(self):
    found_Q = form_factors.unconnected([0.0, 1, 2, 3], [0.25, 0.5, 1])
    np.testing.assert_allclose(found_Q, [0, 0, 4], atol=1e-12)
    found_Q = form_factors.form_factor_as_published([1.0, 1, 1], [np.pi / 2])
    np.testing.assert_allclose(found_Q, 0, atol=1e-12)

  @parameterized.parameters(
    # docs/sources/zeros.md, sections 4.9 (c, f) and 6.6: mean and spread of iid sequences.
    ("null test", "poisson", (1.00, 1.05), (0.24, 0.33)),
    ("null test", "surmise", (0.62, 0.68), (0.16, 0.21)),
    ("elephant", "surmise", (0.84, 0.90), (0.24, 0.29)),
  )
  def test_spread_of_the_published_plateaus(self, measure, law, mean, spread):
    rng = np.random.default_rng(0)
    if law == "poisson":
      gap_RxN = rng.exponential(size=(400, 2000))
    else:
      gap_RxN = _surmise(rng, (400, 2000))
    found_R = [form_factors.plateau_as_published(gap_N, measure) for gap_N in gap_RxN]
    self.assertBetween(np.mean(found_R), *mean)
    self.assertBetween(np.std(found_R), *spread)

  def test_expected_plateaus(self):
    expected = {}
    for name, (tau_Q, low, high) in form_factors.PLATEAUS_AS_PUBLISHED.items():
      turn_Q = tau_Q[(tau_Q > low) & (tau_Q < high)] / (2 * np.pi)
      expected[name] = form_factors.renewal(_surmise_phi(turn_Q)).mean()
      if name == "null test":  # in the ramp of the GUE
        gue = sine_process.form_factor(turn_Q, "gue").mean()
        self.assertAlmostEqual(gue, 0.65, delta=0.005)
    self.assertBetween(expected["null test"], 0.635, 0.67)
    # 0.87 was simulated.
    self.assertAlmostEqual(expected["elephant"], 0.87, delta=0.025)

  def test_error_against_the_ramp_is_mostly_that_of_one_value(self):
    # E (K - tau)^2 = 1 + (1 - tau)^2 for exponential K of mean 1: 4 / 3.
    gap_RxN = np.random.default_rng(0).exponential(size=(300, 4000))
    found_R = [form_factors.gue_error_as_published(row) for row in gap_RxN]
    self.assertAlmostEqual(np.mean(found_R), 4 / 3, delta=0.1)


if __name__ == "__main__":
  absltest.main()
