"""Polynomial fits and ranks of networks made by hand, with known answers."""

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import least_squares
from primelens.studies.addition import network, polynomial_coefficients, polynomial_fits, ranks
from sklearn import preprocessing

P, N = 6, 36
A_N, B_N = np.divmod(np.arange(N), P)
SCORE_Px2 = np.random.default_rng(0).normal(size=(P, 2))
P1A, P1B = SCORE_Px2[A_N, 0], SCORE_Px2[B_N, 0]
P2A, P2B = SCORE_Px2[A_N, 1], SCORE_Px2[B_N, 1]
MIXED = np.random.default_rng(1).normal(size=15)
PAIR_Nx4 = np.stack([P1A, P1B, P2A, P2B], 1)
SPLIT = (np.arange(24), np.arange(24, N))


def _handmade(**arrays) -> network.Network:
  """A network of 5 neurons and 4 logits, of noise where nothing is said."""
  rng = np.random.default_rng(2)
  shapes = {
    "embedding_PxD": (P, 8),
    "readout_VxF": (4, 5),
    "unembed_DxV": (8, 4),
    "mid_NxD": (N, 8),
    "pre_NxF": (N, 5),
    "post_NxF": (N, 5),
    "logit_NxV": (N, 4),
    "pattern_NxHxT": (N, 1, 3),
  }
  made = {name: rng.normal(size=shape) for name, shape in shapes.items()}
  made["bias_V"] = np.zeros(4)
  return network.Network(**{k: jnp.asarray(v, jnp.float32) for k, v in (made | arrays).items()})


class DesignsTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("a quadratic", lambda poly_NxQ: poly_NxQ @ MIXED, "poly2", "linear"),
    ("linear", lambda _: 2 * P1A - P2B + 1, "linear", "raw_quadratic"),
    ("sums", lambda _: (P1A + P1B) * (P2A + P2B), "sums", "linear"),
    ("difference", lambda _: (P1A - P1B) ** 2, "symmetric6", "sums"),
    ("mixed difference", lambda _: (P1A - P1B) * (P2A - P2B), "symmetric7", "symmetric6"),
    ("second", lambda _: (P2A - P2B) ** 2, "symmetric8", "symmetric7"),
    ("product", lambda _: A_N * B_N + 3.0, "raw_quadratic", "additive"),
    ("fourth", lambda _: (A_N * B_N) ** 2.0, "raw_quartic", "raw_quadratic"),
    ("additive", lambda _: np.cosh(A_N) + np.sin(B_N), "additive", "linear"),
  )
  def test_what_each_design_can_say(self, make, exact, short):
    poly_NxQ = preprocessing.PolynomialFeatures(2).fit_transform(PAIR_Nx4)
    z_Nx1 = np.float32(make(poly_NxQ))[:, None]
    random_RxPx2 = jnp.zeros((1, P, 2))
    design = dict(
      zip(
        polynomial_fits.DESIGNS,
        polynomial_fits.designs(jnp.asarray(SCORE_Px2), random_RxPx2),
        strict=True,
      )
    )
    r2 = lambda name: float(
      least_squares.r2_columns(z_Nx1, least_squares.fit(design[name], z_Nx1).prediction_NxF)[0]
    )
    self.assertGreater(r2(exact), 1 - 1e-5)
    self.assertLess(r2(short), 0.99)

  def test_random_draws_are_the_last_designs(self):
    other_Px2 = np.random.default_rng(3).normal(size=(P, 2))
    found_VxNxQ = polynomial_fits.designs(jnp.asarray(SCORE_Px2), jnp.stack([SCORE_Px2, other_Px2]))
    self.assertLen(found_VxNxQ, len(polynomial_fits.DESIGNS) + 1)
    np.testing.assert_array_equal(found_VxNxQ[-2], found_VxNxQ[0])


class CoefficientsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    """Neurons 0 to 4 correlate with a + b 1, -1, .7, not at all, and 1."""
    super().setUpClass()
    rng = np.random.default_rng(4)
    sum_N = A_N + B_N
    cls.c_QxF = rng.normal(size=(15, 5))
    poly_NxQ = preprocessing.PolynomialFeatures(2).fit_transform(PAIR_Nx4)
    half_N = A_N - A_N.mean()
    cls.k_6 = np.array([13.0, -9.0, 1.5, 6.0, -2.0, -1.8])
    s_Nx2 = np.stack([P1A + P1B, P2A + P2B], 1)
    sums_Nx6 = preprocessing.PolynomialFeatures(2).fit_transform(s_Nx2)
    logit_NxV = rng.normal(size=(N, 4))
    logit_NxV[:, 2] = sums_Nx6 @ cls.k_6
    logit_NxV[:, 3] = 7.0  # never varies: has no R2
    read = _handmade(
      pre_NxF=poly_NxQ @ cls.c_QxF,
      post_NxF=np.stack([sum_N, 10.0 - sum_N, half_N + 3, np.zeros(N), 2 * sum_N + 1.0], 1),
      readout_VxF=np.array([[9, 1, 0, 9, 0], [0, -2, 3, 0, 0]] * 2),
      logit_NxV=logit_NxV,
    )
    member = network.Member(jnp.asarray(sum_N), *map(jnp.asarray, SPLIT))
    cls.found = polynomial_coefficients.measure(
      read, member, jnp.asarray(PAIR_Nx4, jnp.float32), jnp.asarray(sum_N * 1.0)
    )

  def _of(self, name, row):
    at = polynomial_coefficients.ROWS.index(row)
    return np.asarray(self.found[name])[at]

  def test_neurons_fall_into_their_groups(self):
    np.testing.assert_array_equal(self.found["size_E"], [5, 2, 1, 0, 1, 1, 1])

  def test_statistics_are_those_of_the_coefficients(self):
    high_Qx2 = self.c_QxF[:, [0, 4]]
    for name, want_Q in (
      ("mean_ExQ", high_Qx2.mean(1)),
      ("deviation_ExQ", high_Qx2.std(1)),
      ("magnitude_ExQ", np.abs(high_Qx2).mean(1)),
    ):
      with self.subTest(name):
        found_Q = self._of(name, "r >= 0.9")
        np.testing.assert_allclose(found_Q, want_Q, atol=2e-4)

  def test_a_group_without_neurons_has_none(self):
    self.assertTrue(np.isnan(self._of("mean_ExQ", "-0.9 <= r < -0.5")).all())

  def test_strongest_neurons_at_the_first_pair(self):
    # sum |W_L| h at (0, 0): 0, 6 * 10, 6 * .5, 0, 0.
    np.testing.assert_array_equal(self.found["neuron_2"], [1, 2])
    np.testing.assert_allclose(
      self._of("mean_ExQ", polynomial_coefficients.NEURONS[0]), self.c_QxF[:, 1], atol=2e-4
    )

  def test_best_logit_and_its_coefficients(self):
    self.assertEqual(int(self.found["best"]), 2)
    self.assertIn(int(self.found["worst"]), (0, 1))
    self.assertTrue(np.isnan(self.found["logit_r2_V"][3]))
    self.assertAlmostEqual(float(self.found["best_sums_r2"]), 1, places=5)
    np.testing.assert_allclose(self.found["best_sums_6"], self.k_6, rtol=1e-3)


class RanksTest(absltest.TestCase):
  def test_shares_and_dimensions(self):
    wave_N = np.where(np.arange(N) % 2, 1.0, -1.0)
    slow_N = np.where(np.arange(N) % 4 < 2, 1.0, -1.0)
    x_5, y_5 = np.eye(5)[:2]
    pre_NxF = 3 + np.outer(wave_N, np.sqrt(3) * x_5) + np.outer(slow_N, y_5)
    logit_NxV = np.ones((N, 4)) * 2 + np.outer(wave_N, [1, -1, 0, 0])
    read = _handmade(pre_NxF=pre_NxF, logit_NxV=logit_NxV)
    up_DxF = np.zeros((8, 5))
    up_DxF[[3, 4], [0, 1]] = 4.0, 0.5
    params = {"blocks": {"mlp": {"up": {"kernel": jnp.asarray(up_DxF)[None]}}}}
    found = ranks.measure(params, read)
    at = list(ranks.SPACES).index
    share_PxR = np.asarray(found["share_PxR"])
    np.testing.assert_allclose(share_PxR[at("pre"), :3], [0.75, 0.25, 0], atol=1e-6)
    np.testing.assert_allclose(share_PxR[at("logit"), :2], [1, 0], atol=1e-6)
    # Squares: 16 of the constant and 2 of the wave, per input.
    np.testing.assert_allclose(share_PxR[at("logit_uncentred"), :2], [16 / 18, 2 / 18], atol=1e-6)
    dimensions_P = np.asarray(found["dimensions_P"])
    self.assertEqual(dimensions_P[at("pre")], 2)
    self.assertEqual(dimensions_P[at("logit")], 1)
    np.testing.assert_allclose(found["up_R"][:3], [4, 0.5, 0], atol=1e-6)


if __name__ == "__main__":
  absltest.main()
