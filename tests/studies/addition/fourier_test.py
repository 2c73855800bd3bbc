import functools

import hand_waves
import jax
import numpy as np
from absl.testing import absltest
from primelens.studies.addition import fourier

P, KEYS, SCALE = hand_waves.P, hand_waves.KEYS, hand_waves.SCALE


class HandBuiltTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.read, cls.member = hand_waves.waves()
    program = functools.partial(fourier.of_network, threshold=0.1, seed=0, draws=3)
    cls.found = jax.device_get(jax.jit(program)(cls.read, cls.member))
    cls.value = cls.found["value"]

  def test_key_frequencies_are_those_planted(self):
    for name in ("key", "embedding_key"):
      np.testing.assert_array_equal(np.flatnonzero(self.found[name]), KEYS)
    self.assertEqual(self.value["readout_keys"], 2)
    self.assertEqual(self.value["embedding_keys"], 2)
    self.assertEqual(self.value["keys_shared"], 1)

  def test_norms_in_closed_form(self):
    # A wave of amplitude A has the coefficient A sqrt(P / 2).
    readout_P, embedding_P = np.zeros(P), np.zeros(P)
    for scale, k in enumerate(KEYS, 1):
      for row in (2 * k - 1, 2 * k):
        readout_P[row] = SCALE[k] * (P / 2) ** 0.5
        embedding_P[row] = scale * (P / 2) ** 0.5
    readout_P[0] = P**0.5  # the dead neuron's row of ones
    np.testing.assert_allclose(self.found["readout_row"], readout_P, atol=1e-4)
    np.testing.assert_allclose(self.found["embedding_row"], embedding_P, atol=1e-5)
    np.testing.assert_allclose(self.found["gram"], np.diag(embedding_P**2), atol=1e-4)
    least = SCALE[2] * (P / 2) ** 0.5
    self.assertAlmostEqual(self.value["readout_key_least"], least, places=3)
    self.assertLess(self.value["readout_other_largest"], 1e-4)
    self.assertLess(self.value["gram_off"], 1e-5)
    self.assertAlmostEqual(self.value["gram_ratio"], 1, places=5)
    self.assertAlmostEqual(self.value["embedding_key_share"], 1, places=5)

  def test_singular_values(self):
    sizes = np.repeat([2, 1], 2) * (P / 2) ** 0.5
    np.testing.assert_allclose(self.found["singular"], [*sizes, 0], atol=1e-5)
    self.assertEqual(self.value["singular_large"], 4)
    self.assertEqual(self.value["gaussian_large"], 5)

  def test_cosines_add_at_zero_alone(self):
    d = np.arange(P)
    expected_P = (np.cos(hand_waves.angle(2) * d) + np.cos(hand_waves.angle(5) * d)) / 2
    np.testing.assert_allclose(self.found["cosine"], expected_P, atol=1e-5)
    self.assertAlmostEqual(self.value["interference"], expected_P[1:].max(), places=5)

  def test_neurons_belong_to_their_frequency(self):
    share_QxF = np.zeros((P // 2 + 1, 5))
    share_QxF[2, :2] = share_QxF[5, 2:4] = 1
    np.testing.assert_allclose(self.found["share"], share_QxF, atol=1e-5)
    self.assertAlmostEqual(self.value["clustered"], 4 / 5, places=5)
    self.assertEqual(self.value["cluster_sizes"], 4)
    self.assertAlmostEqual(self.value["cluster_median"], 1, places=5)
    self.assertAlmostEqual(self.value["cluster_own_readout"], 1, places=5)
    self.assertAlmostEqual(self.value["energy_key_share"], 1, places=5)
    own_QxQ = np.zeros((P // 2 + 1, P // 2 + 1))
    for k in KEYS:  # sine and cosine together
      own_QxQ[k, k] = SCALE[k] * P**0.5
    np.testing.assert_allclose(self.found["cluster_readout"], own_QxQ, atol=1e-3)

  def test_spectra_of_a_sum_have_four_terms(self):
    # cos(x + y) = cos x cos y - sin x sin y: P / 2 on the diagonal.
    expected_PxP = np.zeros((P, P))
    expected_PxP[4, 4], expected_PxP[3, 3] = P / 2, -P / 2
    np.testing.assert_allclose(self.found["spectrum"][0], expected_PxP, atol=1e-4)
    energy_PxP = np.zeros((P, P))
    for k in KEYS:
      # All four entries: the sine neuron has the mixed ones.
      energy_PxP[2 * k - 1 : 2 * k + 1, 2 * k - 1 : 2 * k + 1] = P / 2
    np.testing.assert_allclose(self.found["energy"], energy_PxP, atol=1e-4)

  def test_direction_reads_the_sine_of_the_sum(self):
    row = SCALE[2] * (P / 2) ** 0.5
    np.testing.assert_allclose(self.found["direction"][2], [0, row, 0, 0, 0], atol=1e-4)
    self.assertAlmostEqual(self.value["direction_cluster"], 1, places=5)
    self.assertAlmostEqual(self.value["input_share"], 1, places=5)
    a, b = np.indices((P, P))
    strongest = SCALE[5] * (P / 2) ** 0.5 * np.sin(hand_waves.angle(5) * (a + b))
    np.testing.assert_allclose(self.found["input"], strongest, atol=1e-3)

  def test_published_direction_multiplies_by_the_other_side(self):
    weight_FxV = np.asarray(self.read.readout_VxF).T
    right_FxV, wrong_FxV = (weight_FxV @ hand_waves.basis().T, weight_FxV @ hand_waves.basis())
    cosines, clusters = [], []
    for k in KEYS:
      right_F, wrong_F = right_FxV[:, 2 * k - 1], wrong_FxV[:, 2 * k - 1]
      norms = np.linalg.norm(right_F) * np.linalg.norm(wrong_F)
      cosines.append(abs(right_F @ wrong_F) / norms)
      own = slice(0, 2) if k == 2 else slice(2, 4)
      clusters.append((wrong_F[own] ** 2).sum() / (wrong_F**2).sum())
      np.testing.assert_allclose(self.found["direction_as_published"][k], wrong_F, atol=1e-3)
    np.testing.assert_allclose(self.value["direction_cosine"], np.mean(cosines), rtol=1e-3)
    np.testing.assert_allclose(
      self.value["direction_cluster_as_published"], np.mean(clusters), rtol=1e-3
    )

  def test_cubes_in_closed_form(self):
    norm = np.hypot(*SCALE.values())
    similarity_Q = np.zeros(P // 2 + 1)
    similarity_Q[list(KEYS)] = np.array(list(SCALE.values())) / norm
    np.testing.assert_allclose(self.found["similarity"], similarity_Q, atol=1e-5)
    self.assertAlmostEqual(self.value["logit_norm"] / (norm * (P**3 / 2) ** 0.5), 1, places=5)
    self.assertAlmostEqual(self.value["key_similarity"], 1, places=5)
    self.assertAlmostEqual(self.value["key_similarity_least"], 0.6, places=5)
    self.assertLess(self.value["residual"], 1e-5)
    np.testing.assert_allclose(self.value["fitted_nll"], self.value["all_nll"], rtol=1e-3)

  def test_cubes_of_a_table_of_the_train_pairs_name_the_class(self):
    self.assertAlmostEqual(self.value["table_accuracy"], 1, places=6)

  def test_a_random_cube_has_a_cosine_of_the_order_of_one_over_its_size(self):
    # Deviation P^-1.5 = 0.027.
    for name in ("random_cube", "random_logits"):
      self.assertLess(self.value[name], 5 * P**-1.5)
      self.assertGreater(self.value[name], 0)

  def test_restricted_keeps_and_excluded_removes_everything(self):
    for name in ("restricted", "restricted_shifted", "restricted_skip", "restricted_heldout"):
      np.testing.assert_allclose(self.value[name], self.value["test_nll"], rtol=1e-3)
    for name in ("excluded", "excluded_skip"):
      self.assertAlmostEqual(self.value[name], np.log(P), places=4)

  def test_other_frequencies_keep_and_remove_nothing(self):
    self.assertAlmostEqual(self.value["restricted_shifted_other"], np.log(P), places=4)
    np.testing.assert_allclose(
      self.value["excluded_skip_other"], self.value["train_nll"], rtol=1e-3
    )

  def test_published_constants_are_no_frequencies_of_a_small_ring(self):
    self.assertLess(P // 2, 47)  # so that no row may be named for all of 17, 25, 32, 47
    self.assertNotIn("residual_as_published", self.value)
    self.assertNotIn("fitted_nll_as_published", self.value)


if __name__ == "__main__":
  absltest.main()
