import numpy as np
from absl.testing import absltest
from primelens.analyses import kernels


class SymmetryTest(absltest.TestCase):
  def test_symmetric_and_antisymmetric_forms(self):
    rng = np.random.default_rng(0)
    query = rng.normal(size=(8, 3))
    self.assertAlmostEqual(kernels.symmetry(query, query).asymmetry, 0)
    # [q0 q1][-k1 k0]^T is antisymmetric: q0 k1^T - its transpose.
    a, b = rng.normal(size=(2, 8))
    turned = kernels.symmetry(np.stack([a, b], 1), np.stack([b, -a], 1))
    self.assertGreater(turned.asymmetry, 1e6)

  def test_antisymmetry_is_infinite_and_rotates(self):
    query, key = np.eye(2), np.array([[0.0, -1.0], [1.0, 0.0]])
    found = kernels.symmetry(query, key)
    self.assertEqual(found.asymmetry, np.inf)
    self.assertEqual(found.rotation, np.inf)
    self.assertEqual(kernels.symmetry(query, query).rotation, 0)

  def test_both_numbers_by_way_of_the_whole_matrix(self):
    rng = np.random.default_rng(1)
    query, key = rng.normal(size=(2, 4, 10, 3))
    found = kernels.symmetry(query, key)
    for head in range(4):
      form = query[head] @ key[head].T
      expected = np.linalg.norm(form - form.T) / np.linalg.norm(form + form.T)
      self.assertAlmostEqual(found.asymmetry[head], expected)
      value = np.linalg.eigvals(form)
      value = value[np.argsort(-abs(value))][:3]  # the rank is 3
      expected = abs(value.imag).max() / abs(value.real).mean()
      self.assertAlmostEqual(found.rotation[head], expected, places=6)

  def test_scale_changes_nothing(self):
    query, key = np.random.default_rng(2).normal(size=(2, 16, 4))
    np.testing.assert_allclose(
      kernels.symmetry(query, key), kernels.symmetry(0.02 * query, 7 * key)
    )

  def test_shapes_are_checked(self):
    with self.assertRaisesRegex(ValueError, "one shape"):
      kernels.symmetry(np.ones((4, 2)), np.ones((4, 3)))
    with self.assertRaisesRegex(ValueError, "a draw and sides of 1"):
      kernels.symmetry_null(0, 2)


class NullTest(absltest.TestCase):
  def test_independent_factors_are_about_1(self):
    null = kernels.symmetry_null(128, 128, draws=40)
    # E tr(HH) = D K beside E|H|^2 = D^2 K: about 1 - 1 / D.
    self.assertAlmostEqual(null.asymmetry.mean(), 1 - 1 / 128, delta=0.004)
    # Entries of H and H^T decorrelate: the spread is that of one correlation.
    self.assertAlmostEqual(null.asymmetry.std(), 1 / 128, delta=0.004)
    # The source's 0.994, z = 0.19 of one model of this size, is such a draw.
    test = kernels.symmetry_against_null(0.994, null.asymmetry)
    self.assertLess(abs(test.z), 1.5)
    self.assertGreater(test.p, 0.05)

  def test_p_is_uniform_for_gaussian_pairs_and_small_for_symmetric_ones(self):
    null = kernels.symmetry_null(32, 8, draws=200, seed=0)
    other = kernels.symmetry_null(32, 8, draws=200, seed=1)
    test = kernels.symmetry_against_null(other.asymmetry, null.asymmetry)
    self.assertAlmostEqual(test.p.mean(), 0.5, delta=0.1)
    self.assertAlmostEqual(np.mean(test.p <= 0.1), 0.1, delta=0.07)
    rng = np.random.default_rng(3)
    query = rng.normal(size=(32, 8))
    key = query + 0.5 * rng.normal(size=(32, 8))
    score = kernels.symmetry(query, key).asymmetry
    test = kernels.symmetry_against_null(score, null.asymmetry)
    self.assertEqual(test.p, 1 / 201)
    self.assertLess(test.z, -5)


if __name__ == "__main__":
  absltest.main()
