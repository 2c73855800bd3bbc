"""What PC1 alone says: the spec's error map has the spec's numbers."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from primelens.studies.addition import ablated, ablated_fits, network

A_PxP, B_PxP = np.indices((10, 10))
SUM_PxP = A_PxP + B_PxP
LABEL_N = SUM_PxP.ravel()
# The spec's components of the recomputed network (A5, A7), by digit.
PC1_P = [-2.07, -1.87, -1.42, -0.86, -0.30, 0.27, 0.84, 1.43, 1.89, 2.09]
PC2_P = [1.41, 0.58, -0.24, -0.74, -0.94, -1.04, -0.77, -0.25, 0.59, 1.40]


def _member(test_N=(2, 57, 40, 99)):
  test_N = np.array(test_N)
  train_N = np.setdiff1d(np.arange(100), test_N)
  return network.Member(*map(jnp.asarray, (LABEL_N, train_N, test_N)))


class AblatedTest(absltest.TestCase):
  def test_the_recomputed_map_has_the_recomputed_numbers(self):
    found = ablated.failures(
      jnp.asarray(ablated.ERROR_MAP), jnp.asarray((SUM_PxP + ablated.ERROR_MAP).ravel())
    )
    for name, value in found.items():
      entry = ablated.REPORTED[name]
      np.testing.assert_allclose(value, entry.recomputed, atol=5e-3)

  def test_asymmetry_and_signs_are_seen(self):
    error_PxP = np.zeros((10, 10), int)
    error_PxP[0, 3] = 2
    found = ablated.failures(jnp.asarray(error_PxP), jnp.asarray(LABEL_N))
    self.assertEqual(found["failures"], 1)
    for name, value in (
      ("failure_symmetry", 0.98),
      ("error_symmetry", 0.98),
      ("zero_fails", 1 / 16),
      ("zero_positive", 1 / 17),
      ("nine_negative", 0),
      ("map_agreement", np.sum(ablated.ERROR_MAP == error_PxP)),
    ):
      np.testing.assert_allclose(found[name], value, rtol=1e-6)

  def test_the_direct_path_is_what_the_mlp_does_not_say(self):
    hot_NxV = np.eye(20, dtype=np.float32)[LABEL_N]
    read = network.Network(
      embedding_PxD=jnp.zeros((10, 20)),
      readout_VxF=jnp.eye(20),
      unembed_DxV=jnp.eye(20),
      bias_V=jnp.zeros(20),
      mid_NxD=jnp.asarray(np.roll(hot_NxV, 1, axis=1)),
      pre_NxF=jnp.zeros((100, 20)),
      post_NxF=jnp.asarray(3 * hot_NxV),
      logit_NxV=jnp.asarray(3 * hot_NxV + np.roll(hot_NxV, 1, axis=1)),
      pattern_NxHxT=jnp.zeros((100, 4, 3)),
    )
    found = ablated.direct_path(read, jnp.asarray(LABEL_N))
    rest = np.exp([3.0, 1.0])
    self.assertEqual(found["mlp_accuracy"], 1)
    self.assertEqual(found["direct_accuracy"], 0)
    for name, wanted in (
      ("full_nll_nats", np.log(rest.sum() + 18) - 3),
      ("mlp_nll_nats", np.log(rest[0] + 19) - 3),
      ("direct_nll_nats", np.log(rest[1] + 19)),
      # 1 - sum of squares left / about the mean .2: 1 / (9 + 1 - 20 * .04)
      ("mlp_r2", 1 - 1 / 9.2),
    ):
      np.testing.assert_allclose(found[name], wanted, rtol=1e-5)

  def test_logits_are_described_as_a_table_describes_them(self):
    full_NxV, cut_NxV = np.random.default_rng(0).normal(size=(2, 100, 20))
    said_N = cut_NxV.argmax(1)
    found = ablated.differences(*map(jnp.asarray, (full_NxV, cut_NxV, LABEL_N, said_N)))
    row_N = np.arange(100)
    wanted = full_NxV - cut_NxV
    np.testing.assert_allclose(found["boost_true"], wanted[row_N, LABEL_N], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
      found["boost_predicted"], wanted[row_N, said_N], rtol=1e-5, atol=1e-6
    )
    mask_N = row_N % 3 == 0
    x_N = wanted[row_N, LABEL_N]
    kept = x_N[mask_N]
    np.testing.assert_allclose(
      ablated.describe(jnp.asarray(x_N), jnp.asarray(mask_N)),
      [
        34,
        kept.mean(),
        kept.std(ddof=1),
        kept.min(),
        *np.quantile(kept, [0.25, 0.5, 0.75]),
        kept.max(),
      ],
      rtol=1e-4,
    )


class FitsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    scores_PxQ = np.stack([PC1_P, PC2_P], 1)
    turn_DxQ = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 2)))[0]
    cls.embedding_PxD = jnp.asarray(scores_PxQ @ turn_DxQ.T, jnp.float32)
    cls.said_N = (SUM_PxP + ablated.ERROR_MAP).ravel()
    cls.readings = staticmethod(jax.jit(ablated_fits.readings))
    cls.found = jax.device_get(cls.readings(cls.embedding_PxD, jnp.asarray(cls.said_N), _member()))

  def test_the_recomputed_map_has_the_recomputed_fits(self):
    for name, entry in ablated_fits.REPORTED.items():
      if entry.recomputed is not None:
        # A24, A25: the components are given to two digits.
        np.testing.assert_allclose(
          self.found["value"][name], entry.recomputed, atol=6e-4, err_msg=name
        )

  def test_equals_numpy_in_and_out_of_sample(self):
    design = {
      "prediction_quadratic": (A_PxP, B_PxP, A_PxP**2, A_PxP * B_PxP, B_PxP**2),
      "prediction_squares": (SUM_PxP, A_PxP**2, B_PxP**2),
      "error_quartic": [A_PxP**p * B_PxP**q for p in range(5) for q in range(5 - p) if p + q],
    }
    member = _member()
    for key, columns in design.items():
      x_NxQ = np.stack([np.ones(100), *(c.ravel() for c in columns)], 1)
      of_error = key.startswith("error")
      target_N = LABEL_N - self.said_N if of_error else self.said_N
      for rows, mean, prefix in (
        (np.arange(100), "r2_mean", ""),
        (np.asarray(member.train_N), "heldout_mean", "test_"),
      ):
        weight_Q = np.linalg.lstsq(x_NxQ[rows], target_N[rows], rcond=None)[0]
        fit_N, scored = x_NxQ @ weight_Q, slice(None)
        if prefix:
          scored = np.asarray(member.test_N)
        left, about = (target_N - fit_N)[scored], target_N[scored]
        r2 = 1 - np.sum(left**2) / np.sum((about - about.mean()) ** 2)
        found = self.found["fits"][key]
        np.testing.assert_allclose(found[mean], r2, atol=2e-4)
        guess_N = self.said_N + fit_N if of_error else fit_N
        right = np.mean((np.round(guess_N) == LABEL_N)[scored])
        np.testing.assert_allclose(found[f"{prefix}says_truth"], right, atol=1e-6)

  def test_residuals_are_those_of_the_plane(self):
    x_NxQ = np.stack([np.ones(100), A_PxP.ravel(), B_PxP.ravel()], 1)
    weight_Q = np.linalg.lstsq(x_NxQ, self.said_N, rcond=None)[0]
    np.testing.assert_allclose(
      self.found["residual"].ravel(), self.said_N - x_NxQ @ weight_Q, atol=1e-4
    )

  def test_a_perfect_and_a_constant_prediction(self):
    right = self.readings(self.embedding_PxD, jnp.asarray(LABEL_N), _member())
    np.testing.assert_allclose(right["value"]["sum_slope"], 1, atol=1e-5)
    np.testing.assert_allclose(right["value"]["identity_r2"], 1, atol=1e-6)
    self.assertEqual(right["fits"]["prediction_sum"]["says_truth"], 1)
    constant = self.readings(self.embedding_PxD, jnp.full(100, 7, jnp.int32), _member())
    self.assertTrue(np.isnan(constant["fits"]["prediction_sum"]["r2_mean"]))
    self.assertEqual(constant["fits"]["prediction_sum"]["says_prediction"], 1)


if __name__ == "__main__":
  absltest.main()
