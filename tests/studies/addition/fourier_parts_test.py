import hand_waves
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.studies.addition import fourier_logits, fourier_neurons, fourier_weights

P, KEYS = hand_waves.P, hand_waves.KEYS


class PartsTest(parameterized.TestCase):
  def test_direct_path_and_class_means(self):
    read, _ = hand_waves.waves(noise=3.0)
    keys_Q = hand_waves.mask(KEYS)
    direct_NxV = read.mid_NxD @ read.unembed_DxV
    wave_NxV = read.logit_NxV - direct_NxV
    at = dict(rtol=0, atol=1e-3)
    np.testing.assert_allclose(fourier_logits.restricted(read, keys_Q), wave_NxV, **at)
    np.testing.assert_allclose(
      fourier_logits.restricted(read, keys_Q, skip=True), read.logit_NxV, **at
    )
    np.testing.assert_allclose(
      fourier_logits.restricted(read, keys_Q, like=read.logit_NxV),
      wave_NxV + direct_NxV.mean(0)[None],
      **at,
    )
    np.testing.assert_allclose(fourier_logits.excluded(read, keys_Q), direct_NxV, **at)
    np.testing.assert_allclose(
      fourier_logits.excluded(read, keys_Q, skip=False), 0 * direct_NxV, **at
    )

  def test_waves_of_a_table_of_the_train_pairs(self):
    """What it knows of test pairs is nothing, but its waves tell the class."""
    read, member = hand_waves.waves()
    post_NxF = jnp.zeros((P * P, P))
    train_N = member.train_N
    post_NxF = post_NxF.at[train_N, member.label_N[train_N]].set(1)
    table = read._replace(
      mid_NxD=0 * read.mid_NxD,
      post_NxF=post_NxF,
      readout_VxF=90 * jnp.eye(P),
      logit_NxV=90 * post_NxF,
    )
    all_Q = jnp.ones(P // 2 + 1, bool)
    found = fourier_logits.losses(table, member, all_Q)
    self.assertLess(found["restricted"], 0.01)
    self.assertAlmostEqual(found["restricted_heldout"], np.log(P), places=5)

  def test_averages_over_rows_of_equal_sum(self):
    post_NxF = jnp.asarray(np.arange(25.0)[:, None])
    # Rows (0, 1), (1, 0), (4, 2) have the sum 1; (0, 2) alone has 2.
    seen_NxF = fourier_logits.seen_on(post_NxF, jnp.asarray([1, 5, 22, 2]))
    seen_PxP = np.asarray(seen_NxF).reshape(5, 5)
    np.testing.assert_allclose(seen_PxP[0], [0, 28 / 3, 2, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(seen_PxP[3, 3], 28 / 3, rtol=1e-6)

  @parameterized.parameters(0, 1, 2)
  def test_other_frequencies_are_as_many_and_others(self, seed):
    key_Q = hand_waves.mask(KEYS)
    other_Q = fourier_logits.other_frequencies(jax.random.key(seed), key_Q)
    self.assertEqual(int(other_Q.sum()), 2)
    self.assertFalse(np.any(other_Q & key_Q) or other_Q[0])

  def test_other_frequencies_where_few_are_free(self):
    key_Q = jnp.asarray([False, True, True, True, True, False])
    other_Q = fourier_logits.other_frequencies(jax.random.key(0), key_Q)
    np.testing.assert_array_equal(np.flatnonzero(other_Q), [5])

  def test_cluster_boundary(self):
    share_QxF = jnp.asarray([[0, 0, 0], [0.86, 0.84, 0.1], [0.1, 0.1, 0.9]])
    np.testing.assert_array_equal(
      fourier_neurons.clusters(share_QxF), [[0, 0, 0], [1, 0, 0], [0, 0, 1]]
    )

  def test_rows_of_the_basis(self):
    np.testing.assert_array_equal(fourier_weights.row_frequency(7), [0, 1, 1, 2, 2, 3, 3])


if __name__ == "__main__":
  absltest.main()
