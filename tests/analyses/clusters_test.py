import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import spectra
from sklearn import cluster, decomposition


def _noise(size, bound, count):
  rng = np.random.default_rng(0)
  return rng.uniform(-bound, bound, (count, size, size))


class SymmetryTest(parameterized.TestCase):
  # From docs/sources/primes.md, section 6.4: quality, its tolerance, balance,
  # its tolerance; Xavier noise.
  @parameterized.parameters(
    (256, np.sqrt(6 / 1024), 12, 1.64, 0.03, 0.96, 0.05),
    (64, np.sqrt(6 / 256), 30, 1.77, 0.06, 0.85, 0.08),
  )
  def test_noise(self, size, bound, count, quality, near, balance, close):
    found = np.array([spectra.symmetry(weight) for weight in _noise(size, bound, count)])
    inter_R, balance_R, quality_R = found.T
    self.assertAlmostEqual(quality_R.mean(), quality, delta=near)
    self.assertAlmostEqual(balance_R.mean(), balance, delta=close)
    if size == 256:
      self.assertAlmostEqual(inter_R.mean(), 0.142, delta=0.002)

  def test_is_the_published_recipe(self):
    weight = _noise(50, 1.0, 1)[0, :, :20]
    score_Nx2 = decomposition.PCA(2).fit_transform(weight)
    means = cluster.KMeans(2, random_state=42, n_init=10).fit(score_Nx2)
    away_N = np.linalg.norm(score_Nx2 - means.cluster_centers_[means.labels_], axis=1)
    radius = np.mean([away_N[means.labels_ == k].mean() for k in (0, 1)])
    inter = np.linalg.norm(np.diff(means.cluster_centers_, axis=0))
    sizes_2 = np.bincount(means.labels_)
    found = spectra.symmetry(weight)
    self.assertAlmostEqual(found.inter, inter, places=6)
    self.assertAlmostEqual(found.quality, inter / radius, places=6)
    self.assertAlmostEqual(found.balance, 1 - abs(np.diff(sizes_2)[0]) / 50)

  def test_no_start_of_k_means_splits_better(self):
    rng = np.random.default_rng(3)
    for count in (2, 3, 7, 40, 200):
      point_Nx2 = rng.standard_t(4, (count, 2)) * [2, 1]
      label_N = spectra.two_means(point_Nx2)
      within = sum(
        np.sum((point_Nx2[label_N == one] - point_Nx2[label_N == one].mean(0)) ** 2)
        for one in (False, True)
      )
      means = cluster.KMeans(2, random_state=0, n_init=20).fit(point_Nx2)
      self.assertLessEqual(within, means.inertia_ * (1 + 1e-9), count)

  def test_two_heaps(self):
    rng = np.random.default_rng(0)
    sign_N = np.where(np.arange(40) < 10, -1, 1)
    weight = rng.normal(size=(40, 30)) * 1e-3
    weight[:, 4] += 5 * sign_N
    found = spectra.symmetry(weight + 7)
    self.assertAlmostEqual(found.inter, 10, places=2)
    self.assertAlmostEqual(found.balance, 0.5)
    self.assertGreater(found.quality, 1000)

  def test_one_outlier_gives_the_published_number(self):
    # From docs/sources/primes.md, section 6.2: Plan A's 13.66 is twice the size of the outlier.
    rng = np.random.default_rng(0)
    sign_Nx1 = rng.choice([-1.0, 1.0], (256, 1))
    direction_D = rng.normal(size=256)
    direction_D *= 13.66 / 2 / np.linalg.norm(direction_D)
    weight = _noise(256, np.sqrt(6 / 1024), 1)[0] + sign_Nx1 * direction_D
    self.assertAlmostEqual(spectra.symmetry(weight).inter, 13.66, delta=0.03)

  def test_null(self):
    null = spectra.symmetry_null((30, 20), 5, 1)
    self.assertEqual({len(value_R) for value_R in null.values()}, {5})
    self.assertGreater(np.ptp(null["quality"]), 0)
    self.assertIs(null, spectra.symmetry_null((30, 20), 5, 1))
    with self.assertRaisesRegex(ValueError, "draws=0 must be a whole number of at least 1"):
      spectra.symmetry_null((30, 20), 0)

  def test_without_a_value(self):
    self.assertTrue(np.isnan(spectra.symmetry(np.full((6, 4), 0.1))).all())
    for bad in (np.ones((1, 5)), np.ones((5, 1)), np.ones((2, 3, 4))):
      with self.assertRaisesRegex(ValueError, "2 x 2"):
        spectra.symmetry(bad)


if __name__ == "__main__":
  absltest.main()
