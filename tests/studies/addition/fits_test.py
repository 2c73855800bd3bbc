import jax
import numpy as np
from absl.testing import absltest
from primelens.analyses import fourier
from primelens.lens import results
from primelens.studies.addition import network

P = 10
A_N, B_N = np.divmod(np.arange(P * P), P)
ROW_N = np.random.default_rng(0).permutation(P * P)
MEMBER = network.Member(label_N=A_N + B_N, train_N=ROW_N[:72], test_N=ROW_N[72:])

_scores = jax.jit(network.fit_scores, static_argnums=3)


class ScoreTest(absltest.TestCase):
  def test_what_is_in_the_design_fits_in_and_out_of_sample(self):
    # Logits -(c - a - b)^2 need a + b and its square, up to terms that all
    # classes share: they are of the span of the raw quadratic.
    code_Px1 = np.linspace(-1, 1, P)[:, None]
    raw_quadratic = jax.jit(lambda code: fourier.monomials(fourier.pair_features(code), 2))
    design_NxQ = raw_quadratic(code_Px1)
    class_V = np.arange(20)
    logit_NxV = -((class_V[None] - (A_N + B_N)[:, None]) ** 2.0)
    found = _scores(design_NxQ, logit_NxV.astype(np.float32), MEMBER, lambda x: x)
    for name in ("r2_mean", "r2_min", "heldout_mean", "heldout_median"):
      np.testing.assert_allclose(found[name], 1, atol=1e-4)
    self.assertEqual(float(found["accuracy"]), 1)
    self.assertEqual(float(found["test_accuracy"]), 1)
    # Two neighbours at distance 1 on each side: ln(1 + 2/e + 2/e^4 + ...),
    # except at the ends, where class -1 does not exist.
    inner = np.log(1 + 2 * sum(np.exp(-(k**2.0)) for k in range(1, 6)))
    self.assertLess(float(found["nll_nats"]), inner)
    self.assertGreater(float(found["nll_nats"]), 0.9 * inner)

  def test_noise_is_fitted_but_not_predicted(self):
    rng = np.random.default_rng(1)
    noise_NxF = rng.normal(size=(P * P, 40)).astype(np.float32)
    design_NxQ = rng.normal(size=(P * P, 15)).astype(np.float32)
    found = _scores(design_NxQ, noise_NxF, MEMBER)
    # E R2 of Q regressors without a constant, about the mean: near Q / N.
    np.testing.assert_allclose(found["r2_mean"], 0.15, atol=0.03)
    self.assertLess(float(found["heldout_mean"]), 0)
    self.assertNotIn("accuracy", found)

  def test_a_column_that_does_not_vary_is_left_out(self):
    design_NxQ = fourier.additive_design(P)
    target_NxF = np.stack([A_N, np.full(P * P, 3.0)], axis=1).astype(np.float32)
    found = _scores(design_NxQ, target_NxF, MEMBER)
    np.testing.assert_allclose(found["r2_mean"], 1, atol=1e-5)
    self.assertEqual(int(found["above_999"]), 1)


class StoredTest(absltest.TestCase):
  def test_members_are_summarised_and_the_published_network_stands_apart(self):
    named = {"one": network.Fit("A46", "z", "Poly2")}
    value = {"one": {"r2_mean": np.array([0.9, 0.5])}}
    null = {"one": {"r2_mean": np.array([0.1, 0.3])}}
    found = results.dataset(network.fits(named, value, null), reference=0)
    (row,) = network.fit_table({"run": found}).rows
    self.assertEqual((row["item"], row["fit"]), ("A46", "z on Poly2"))
    self.assertEqual(row["R², the source's network"], 0.9)
    self.assertAlmostEqual(row["R²"], 0.7)
    self.assertEqual((row["R² least"], row["R² largest"]), (0.5, 0.9))
    self.assertAlmostEqual(row["R² untrained"], 0.2)
    self.assertTrue(np.isnan(row["accuracy"]))
    with self.assertRaisesRegex(KeyError, "two"):
      network.fits(named, {"two": {}}, {})


if __name__ == "__main__":
  absltest.main()
