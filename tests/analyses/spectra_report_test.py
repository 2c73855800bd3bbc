import jax.numpy as jnp
import numpy as np
import scipy.stats
import threadpoolctl
from absl.testing import absltest, parameterized
from primelens.analyses import spectra, spectra_report

BOUND = np.sqrt(6 / 1024)
BESIDE = ("_null", "_null_sd", "_p")
SIZES = {"rows", "columns", "std", "bulk_std", "largest", "edge", "draws"}
METRICS = {*spectra.METRICS, "ks_unit_as_published", "radius"}
LEVELS = {"r_ratio", "number_variance", "form_factor", "ks_goe", "ks_gue", "ks_poisson"}
UNFOLDINGS = {
  f"ks_{law}_{way}" for law in ("goe", "gue", "poisson") for way in ("local", "law", "spread")
}


def setUpModule():
  # The matrices here are small: more threads would wait for each other.
  limit = threadpoolctl.threadpool_limits(1, user_api="blas")
  absltest.unittest.addModuleCleanup(limit.restore_original_limits)


def _noise(shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape)


class MeasureTest(parameterized.TestCase):
  def test_published_model_of_plan_a(self):
    # From docs/sources/primes.md, section 6.2: untouched noise and one outlier.
    rng = np.random.default_rng(0)
    start = rng.uniform(-BOUND, BOUND, (256, 256))
    direction_D = rng.normal(size=256)
    direction_D *= 13.66 / 2 / np.linalg.norm(direction_D)
    weight = start + rng.choice([-1.0, 1.0], (256, 1)) * direction_D
    found = spectra_report.measure(weight, start=start, symmetry=True, draws=20)
    for key, value, delta in (
      ("effective_rank", 43.9, 0.4),
      ("max_to_mean", 106.9, 0.5),
      ("effective_rank_null", 206, 0.3),
      ("max_to_mean_null", 2.33, 0.03),
      ("symmetry_inter", 13.66, 0.03),
      ("symmetry_inter_null", 0.142, 0.003),
      ("outliers", 1, 0),
      ("moved_outliers", 1, 0),
      ("rows", 256, 0),
      ("ks_matched", 0.012, 0.006),
      ("moved_effective_rank", 1, 1e-6),
      ("bulk_std", BOUND / np.sqrt(3), 0.001),
      ("edge", 1.41, 0.03),
    ):
      self.assertAlmostEqual(found[key], value, delta=delta, msg=key)
    self.assertAlmostEqual(found["distance"], 13.66 / 2 * 16 / np.linalg.norm(start))
    # An outlier shows in every metric but the bulk's and the spacings'.
    for key in ("effective_rank", "stable_rank", "max_to_mean", "radius"):
      self.assertLess(found[f"{key}_p"], 0.1, key)
    for key in ("ks_matched", "r_ratio", "ks_goe", "number_variance"):
      self.assertGreater(found[f"{key}_p"], 0.02, key)

  def test_keys_of_a_square_matrix(self):
    found = spectra_report.measure(_noise((64, 64)), draws=9)
    beside = {key + end for key in METRICS | LEVELS for end in BESIDE}
    beside |= {
      key + end
      for key in METRICS - {"ks_unit_as_published"}
      for end in ("_gaussian", "_p_gaussian")
    }
    self.assertEqual(set(found), SIZES | METRICS | LEVELS | UNFOLDINGS | beside | {"levels_of"})
    self.assertEqual(found["draws"], 9)
    normal = spectra_report.measure(_noise((64, 64)), draws=9, null="gaussian", levels=False)
    for key in METRICS - {"ks_unit_as_published"}:
      self.assertEqual(found[f"{key}_gaussian"], normal[f"{key}_null"])
      self.assertEqual(found[f"{key}_p_gaussian"], normal[f"{key}_p"])
    self.assertEqual(found["levels_of"], "symmetrised")
    self.assertLess(found["ks_poisson_spread"], 0.1)  # all unfoldings agree
    for value in found.values():
      self.assertIn(type(value), (int, float, str))

  @parameterized.parameters(((300, 40),), ((40, 300),))
  def test_a_rectangle_has_levels_of_singular_values(self, shape):
    found = spectra_report.measure(0.1 * _noise(shape), draws=50)
    self.assertEqual(found["levels_of"], "singular")
    self.assertNotIn("radius", found)
    self.assertGreater(found["r_ratio_p"], 0.01)
    self.assertAlmostEqual(found["r_ratio_null"], 0.53, delta=0.02)
    self.assertLess(found["ks_poisson_spread"], 0.1)  # all unfoldings agree
    self.assertEqual((found["rows"], found["columns"]), shape)

  def test_numbers_are_those_of_the_tools(self):
    weight = 0.1 * _noise((540, 500))  # beyond the exact decomposition
    found = spectra_report.measure(weight, draws=5, levels=False)
    value_K = np.linalg.svd(weight, compute_uv=False)
    self.assertAlmostEqual(found["largest"], value_K[0])
    self.assertAlmostEqual(found["std"], np.sqrt(np.mean(weight**2)))
    share_K = value_K / value_K.sum()
    expected = np.exp(scipy.stats.entropy(share_K))
    self.assertAlmostEqual(found["effective_rank"], expected)
    again = spectra_report.measure(weight, draws=5, levels=False, singular_K=value_K)
    for key in found:
      np.testing.assert_allclose(again[key], found[key], rtol=1e-6)

  @parameterized.parameters("uniform", "shuffled")
  def test_other_nulls(self, null):
    weight = _noise((48, 48)) * 0.05
    options = dict(draws=60, levels=False)
    found = spectra_report.measure(weight, null=null, **options)
    plain = spectra_report.measure(weight, null="gaussian", **options)
    for name in ("effective_rank", "ks_unit_as_published"):
      self.assertNotEqual(found[f"{name}_null"], plain[f"{name}_null"])
      gap = found[f"{name}_null"] - plain[f"{name}_null"]
      self.assertLess(abs(gap), 2 * plain[f"{name}_null_sd"] + 0.005)

  @parameterized.parameters(3, 5)
  def test_heavy_tails_are_no_structure(self, freedom):
    # Independent entries, Student's t: the level is 2 of 40 two-sided draws.
    draws, matrices = 39, 60
    rng = np.random.default_rng(freedom)
    rejected: dict = {}
    for _ in range(matrices):
      weight = rng.standard_t(freedom, (24, 24))
      found = spectra_report.measure(weight, draws=draws, levels=False)
      for key in (*spectra.METRICS, "radius"):
        for way in ("", "_gaussian"):
          rejected.setdefault(key + way, []).append(found[f"{key}_p{way}"] <= 0.05)
    share = {key: np.mean(each) for key, each in rejected.items()}
    for key in (*spectra.METRICS, "radius"):
      self.assertLess(share[key], 0.15, key)  # 9 of 60: one in 1,000 where it is 5 %
    if freedom == 3:
      self.assertGreater(share["max_to_mean_gaussian"], 0.5)

  def test_a_planted_matrix_of_low_rank_is_found(self):
    rng = np.random.default_rng(0)
    noise = rng.standard_t(5, (64, 48))
    left, right = rng.normal(size=(64, 2)), rng.normal(size=(2, 48))
    weight = noise + 0.7 * left @ right
    found = spectra_report.measure(weight, draws=39, levels=False)
    for key in ("effective_rank_squares", "stable_rank", "max_to_mean"):
      self.assertEqual(found[f"{key}_p"], 2 / 40, key)

  def test_no_p_has_a_floor_but_the_draws(self):
    direction = np.random.default_rng(1).normal(size=24)
    sign = np.random.default_rng(2).choice([-1.0, 1.0], (24, 1))
    weight = 0.1 * _noise((24, 24)) + sign * direction
    for null in ("shuffled", "gaussian"):
      found = spectra_report.measure(weight, draws=99, levels=False, symmetry=True, null=null)
      for key in ("symmetry_quality", "symmetry_inter", "radius", "max_to_mean"):
        self.assertEqual(found[f"{key}_p"], 2 / 100, (null, key))

  def test_one_of_many_tests_is_reached_by_holm(self):
    weight = _noise((24, 24)) + np.random.default_rng(2).choice([-1, 1], (24, 1)) * 2
    options = dict(draws=9, null="gaussian", levels=False)
    found = spectra_report.measure(weight, tests=50, **options)
    noise = [{"max_to_mean_p": 0.5}] * 49
    (first, *_) = spectra.corrected([found, *noise])
    self.assertAlmostEqual(first["max_to_mean_p_any"], 0.05)
    self.assertAlmostEqual(first["max_to_mean_p_bh"], 0.05)
    self.assertEqual(spectra_report.measure(weight, **options)["max_to_mean_p"], 2 / 10)

  def test_noise_moved_by_noise(self):
    start = _noise((64, 48))
    step = _noise((64, 48), 1)
    found = spectra_report.measure(start + step, start=start, draws=100, levels=False)
    self.assertAlmostEqual(found["distance"], np.linalg.norm(step) / np.linalg.norm(start))
    value_K = spectra.singular_values(step)
    expected = spectra.effective_rank(value_K)
    self.assertAlmostEqual(found["moved_effective_rank"], expected, places=5)
    self.assertGreater(found["moved_effective_rank_p"], 0.02)

  def test_matrices_without_noise(self):
    zeros = np.zeros((40, 40))
    found = spectra_report.measure(zeros, start=zeros, symmetry=True, draws=5)
    for key in ("effective_rank", "radius", "symmetry_quality", "distance"):
      self.assertTrue(np.isnan(found[key]), key)
    self.assertTrue(np.isnan(found["effective_rank_p"]))
    self.assertNotIn("r_ratio", found)
    low = _noise((600, 3)) @ _noise((3, 600), 1)
    found = spectra_report.measure(low, draws=5)
    self.assertEqual((found["outliers"], found["bulk_std"]), (3, 0))
    self.assertNotIn("r_ratio", found)
    skew = _noise((40, 40))
    found = spectra_report.measure(skew - skew.T, draws=5)
    self.assertNotIn("r_ratio", found)  # (W + W^T) / 2 is zero

  @parameterized.parameters(((64, 1),), ((1, 64),), ((1, 1),))
  def test_vectors_have_nothing_to_find(self, shape):
    found = spectra_report.measure(_noise(shape), draws=19)
    for name in spectra.METRICS:
      self.assertEqual(found[f"{name}_p"], 1, name)

  def test_other_number_formats(self):
    weight = jnp.asarray(_noise((40, 33)), jnp.bfloat16)
    found = spectra_report.measure(weight, start=0.5 * weight, draws=5)
    self.assertAlmostEqual(found["distance"], 1)
    exact = spectra_report.measure(np.float64(weight), draws=5)
    self.assertAlmostEqual(found["effective_rank"], exact["effective_rank"])

  def test_refuses(self):
    for bad in (np.ones((2, 3, 4)), np.ones(4), [[np.nan, 1]]):
      with self.assertRaises(ValueError):
        spectra_report.measure(bad)
    with self.assertRaisesRegex(ValueError, "shuffled, gaussian, uniform"):
      spectra_report.measure(np.eye(3), null="cauchy")
    with self.assertRaisesRegex(ValueError, "its start"):
      spectra_report.measure(np.eye(3), start=np.eye(2))


class MatricesOfTest(absltest.TestCase):
  params = {
    "bias": np.ones(3),
    "blocks": {"kernel": jnp.arange(24.0).reshape(2, 3, 4)},
    "head": np.ones((5, 2)),
  }

  def test_paths(self):
    found = dict(spectra_report.matrices_of(self.params))
    self.assertEqual(list(found), ["blocks/kernel/0", "blocks/kernel/1", "head"])
    np.testing.assert_array_equal(found["blocks/kernel/1"], np.arange(12, 24).reshape(3, 4))

  def test_split(self):
    whole = lambda path, leaf: [(f"{path}!", leaf.reshape(-1, leaf.shape[-1]))]
    found = dict(spectra_report.matrices_of(self.params, whole))
    self.assertEqual(found["blocks/kernel!"].shape, (6, 4))
    self.assertEqual(list(found), ["blocks/kernel!", "head!"])


if __name__ == "__main__":
  absltest.main()
