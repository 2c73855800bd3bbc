import jax
import numpy as np
from absl.testing import absltest, parameterized
from jitted import Jitted
from primelens.analyses import fourier as fourier_lib
from sklearn import preprocessing

fourier = Jitted(fourier_lib)
SCORE_PxQ = np.random.default_rng(0).normal(size=(6, 2))


def _rank(x):
  x = np.asarray(x, np.float64)
  return np.linalg.matrix_rank(x / np.linalg.norm(x, axis=0), tol=1e-5)


class GridTest(absltest.TestCase):
  def test_row_is_a_p_plus_b(self):
    table = np.asarray(fourier.pair_grid(np.arange(18).reshape(9, 2), P=3))
    self.assertEqual(table.shape, (3, 3, 2))
    np.testing.assert_array_equal(table[2, 1], [14, 15])

  def test_other_counts_are_refused(self):
    with self.assertRaisesRegex(ValueError, "need 9 rows for P=3"):
      fourier.pair_grid(np.arange(10), P=3)


class PairsTest(absltest.TestCase):
  def test_columns_alternate_between_a_and_b(self):
    pair_NxQ = np.asarray(fourier.pair_features(SCORE_PxQ))
    for a in range(6):
      for b in range(6):
        (p1a, p2a), (p1b, p2b) = SCORE_PxQ[a], SCORE_PxQ[b]
        np.testing.assert_allclose(pair_NxQ[6 * a + b], [p1a, p1b, p2a, p2b], rtol=1e-6)

  def test_additive_spans_every_sum_of_two_functions(self):
    design_NxQ = np.asarray(fourier.additive_design(P=4))
    self.assertEqual(design_NxQ.shape, (16, 8))
    self.assertEqual(np.linalg.matrix_rank(design_NxQ), 7)
    f_P, g_P = np.random.default_rng(1).normal(size=(2, 4))
    found_N = design_NxQ @ np.concatenate([f_P, g_P])
    np.testing.assert_allclose(found_N, np.add.outer(f_P, g_P).ravel())


class MonomialsTest(parameterized.TestCase):
  @parameterized.parameters((4, 2, 15), (2, 4, 15), (2, 2, 6), (4, 1, 5))
  def test_equal_sklearn(self, count, degree, columns):
    x_NxQ = np.random.default_rng(0).normal(size=(9, count))
    peer = preprocessing.PolynomialFeatures(degree)
    found_NxQ = fourier.monomials(x_NxQ, degree=degree)
    self.assertEqual(found_NxQ.shape, (9, columns))
    np.testing.assert_allclose(found_NxQ, peer.fit_transform(x_NxQ), rtol=2e-5, atol=1e-6)

  def test_names_follow_the_columns(self):
    names = fourier_lib.monomial_names(("x", "y"), 2)
    self.assertEqual(names, ["1", "x", "y", "x x", "x y", "y y"])
    row_E = np.asarray(fourier.monomials(np.array([[2.0, 3.0]]), degree=2))[0]
    np.testing.assert_array_equal(row_E, [1, 2, 3, 4, 6, 9])

  def test_degree_zero_is_the_constant(self):
    found_NxQ = fourier.monomials(np.zeros((3, 2)), degree=0)
    np.testing.assert_array_equal(found_NxQ, np.ones((3, 1)))

  def test_negative_degree_is_refused(self):
    with self.assertRaisesRegex(ValueError, "degree must be 0 or more, got -1"):
      fourier.monomials(np.zeros((3, 2)), degree=-1)

  def test_vmaps_over_seeds(self):
    score_SxPxQ = np.random.default_rng(1).normal(size=(3, 6, 2))
    poly2 = jax.jit(lambda score: fourier_lib.monomials(fourier_lib.pair_features(score), 2))
    many_SxNxQ = np.asarray(jax.vmap(poly2)(score_SxPxQ))
    np.testing.assert_allclose(many_SxNxQ[1], poly2(score_SxPxQ[1]), rtol=1e-5)

  def test_the_scaled_quartic_spans_the_raw_one(self):
    P = 10
    a_N, b_N = np.divmod(np.arange(P * P), P)
    design_NxQ = fourier.monomials(
      fourier.pair_features(np.linspace(-1, 1, P, dtype=np.float32)[:, None]), degree=4
    )
    self.assertEqual(_rank(design_NxQ), 15)
    raw_N = 1.0 * a_N**4 - 3 * a_N * b_N**3 + b_N**2
    design_NxQ = np.asarray(design_NxQ, np.float64)
    fitted_N = design_NxQ @ np.linalg.lstsq(design_NxQ, raw_N)[0]
    np.testing.assert_allclose(fitted_N, raw_N, atol=1e-2)


class SymmetricTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.pair_NxQ = fourier.pair_features(SCORE_PxQ)
    self.poly2_NxQ = np.asarray(fourier.monomials(self.pair_NxQ, degree=2))

  def test_published_are_the_quadratics_of_the_sums(self):
    p1a, p1b, p2a, p2b = np.asarray(self.pair_NxQ).T
    s1, s2 = p1a + p1b, p2a + p2b
    columns = [s1**0, s1, s2, s1**2, s1 * s2, s2**2]
    found_NxQ = fourier.sum_features(self.pair_NxQ)
    np.testing.assert_allclose(found_NxQ, np.stack(columns, 1), 1e-5, 1e-5)

  def test_do_not_change_when_a_and_b_are_swapped(self):
    for design in (fourier.sum_features, fourier.symmetric_features):
      found = np.asarray(fourier.pair_grid(design(self.pair_NxQ), P=6))
      np.testing.assert_allclose(found, found.swapaxes(0, 1), atol=1e-6)

  def test_are_all_symmetric_quadratics(self):
    # The symmetric part of each of the 15 monomials, and nothing else.
    found_NxQ = np.asarray(fourier.symmetric_features(self.pair_NxQ))
    self.assertEqual(found_NxQ.shape, (36, 9))
    grid = self.poly2_NxQ.reshape(6, 6, 15)
    even_NxQ = (grid + grid.swapaxes(0, 1)).reshape(36, 15)
    both_NxQ = np.concatenate([found_NxQ, even_NxQ], axis=1)
    for design_NxQ in (found_NxQ, even_NxQ, both_NxQ):
      self.assertEqual(_rank(design_NxQ), 9)


if __name__ == "__main__":
  absltest.main()
