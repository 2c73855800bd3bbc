import jax
import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import fourier

# One program each: traced, and quicker than op by op.
transform_2d = jax.jit(fourier.transform_2d)
keep_sum_waves = jax.jit(fourier.keep_sum_waves)
remove_sum_waves = jax.jit(fourier.remove_sum_waves)
neuron_frequency_energy = jax.jit(fourier.neuron_frequency_energy)
cosine_cube_coefficients = jax.jit(fourier.cosine_cube_coefficients)
cosine_cube_approximation = jax.jit(fourier.cosine_cube_approximation)
top_frequencies_reconstruct = jax.jit(fourier.top_frequencies_reconstruct)
top_frequencies_as_published = jax.jit(fourier.top_frequencies_as_published)
frequency_norms = jax.jit(fourier.frequency_norms, static_argnums=1)
transform_1d = jax.jit(fourier.transform_1d, static_argnums=2)
key_frequencies = jax.jit(fourier.key_frequencies)

SIZES = ((1,), (2,), (5,), (6,), (10,), (13,))


def _normal(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _cubes(P):
  """Every cos(w_k (a + b - c)) / |.| written out, k = 0..P // 2."""
  a, b, c = np.indices((P, P, P))
  cubes = [np.cos(2 * np.pi * k / P * (a + b - c)) for k in range(P // 2 + 1)]
  return np.array([cube / np.linalg.norm(cube) for cube in cubes])


def _explicit_part(h_NxF, keep, P):
  """sum_k (u_k . h) u_k + (v_k . h) v_k, wave by wave."""
  a, b = np.divmod(np.arange(P * P), P)
  part_NxF = np.zeros_like(h_NxF, np.float64)
  for k in keep:
    for wave in (np.cos, np.sin):
      u_N = wave(2 * np.pi * k * (a + b) / P)
      if np.linalg.norm(u_N) > 1e-6:
        u_N /= np.linalg.norm(u_N)
        part_NxF += np.outer(u_N, u_N @ h_NxF)
  return part_NxF


def _mask(keep, P):
  return np.isin(np.arange(P // 2 + 1), keep)


class BasisTest(parameterized.TestCase):
  @parameterized.parameters(*SIZES)
  def test_orthonormal(self, P):
    rows = fourier.basis(P)
    self.assertEqual(rows.dtype, np.float64)
    np.testing.assert_allclose(rows @ rows.T, np.eye(P), atol=1e-14)

  def test_rows(self):
    n = np.arange(7)
    rows = fourier.basis(7)
    np.testing.assert_allclose(rows[0], np.full(7, 7**-0.5))
    sine, cosine = (f(2 * np.pi * 3 * n / 7) for f in (np.sin, np.cos))
    np.testing.assert_allclose(rows[5], sine * (2 / 7) ** 0.5, atol=1e-14)
    np.testing.assert_allclose(rows[6], cosine * (2 / 7) ** 0.5, atol=1e-14)

  def test_even_ends_with_the_alternating_vector(self):
    alternating = [0.5, -0.5, 0.5, -0.5]
    np.testing.assert_allclose(fourier.basis(4)[-1], alternating)

  def test_nothing_is_refused(self):
    with self.assertRaisesRegex(ValueError, "P must be at least 1, got 0"):
      fourier.basis(0)

  @parameterized.parameters(*SIZES)
  def test_sum_waves(self, P):
    u_QxN, v_QxN = fourier.sum_waves(P)
    a, b = np.divmod(np.arange(P * P), P)
    for k in range(P // 2 + 1):
      for wave_N, f in ((u_QxN[k], np.cos), (v_QxN[k], np.sin)):
        expected_N = f(2 * np.pi * k * (a + b) / P)
        norm = np.linalg.norm(expected_N)
        expected_N = expected_N / norm if norm > 1e-6 else 0 * expected_N
        np.testing.assert_allclose(wave_N, expected_N, atol=1e-12)


class TransformTest(parameterized.TestCase):
  @parameterized.product(P=(9, 10), axis=(0, 1, -1))
  def test_parseval_along_any_axis(self, P, axis):
    x = _normal(P, P, P)
    coefficient = transform_1d(fourier.basis(P), x, axis)
    np.testing.assert_allclose(
      np.linalg.norm(coefficient, axis=axis), np.linalg.norm(x, axis=axis), rtol=1e-5
    )

  def test_1d_replaces_the_axis(self):
    rows, x = fourier.basis(7), _normal(3, 7, 2)
    expected = np.einsum("qp,ipj->iqj", rows, x)
    found = transform_1d(rows, x, 1)
    np.testing.assert_allclose(found, expected, atol=1e-6)

  def test_2d_is_f_x_f_transposed(self):
    rows, x = fourier.basis(5), _normal(5, 5, 4)
    expected = [rows @ x[..., f] @ rows.T for f in range(4)]
    found = transform_2d(rows, x)
    np.testing.assert_allclose(found, np.moveaxis(expected, 0, -1), atol=1e-6)

  def test_integers_are_not_truncated(self):
    found = transform_1d(fourier.basis(5), np.arange(5, dtype=np.int32))
    np.testing.assert_allclose(found, fourier.basis(5) @ np.arange(5), 1e-5)

  @parameterized.parameters(9, 10)
  def test_norms_are_those_of_the_complex_transform(self, P):
    x = _normal(P, 4)
    # |rfft|^2 counts both signs of a frequency once; P is its normalisation.
    twice = np.where(2 * np.arange(P // 2 + 1) % P == 0, 1, 2)
    expected = np.linalg.norm(np.fft.rfft(x, axis=0), axis=1)
    coefficient_PxF = transform_1d(fourier.basis(P), x)
    for axis, given in ((0, coefficient_PxF), (1, np.asarray(coefficient_PxF).T)):
      norm_Q = frequency_norms(given, axis)
      np.testing.assert_allclose(norm_Q, expected * (twice / P) ** 0.5, 1e-5)

  @parameterized.parameters(
    ([0.0, 5, 0.6, 0.4], 0.1, [False, True, True, False]),
    ([99.0, 5, 0.6, 0.4], 0.1, [False, True, True, False]),
    ([0.0, 5, 0.6, 0.4], 0.5, [False, True, False, False]),
    ([1.0, 0, 0, 0], 0.1, [False] * 4),
  )
  def test_key_frequencies(self, norm_Q, threshold, expected):
    mask_Q = key_frequencies(np.float32(norm_Q), threshold)
    np.testing.assert_array_equal(mask_Q, expected)

  def test_key_frequencies_of_planted_waves(self):
    n = np.arange(113)[:, None]
    wave = lambda k: np.cos(2 * np.pi * k * n / 113 + _normal(1, 8, seed=k))
    weight_PxF = 3 + sum(wave(k) for k in (8, 19, 41, 54))
    weight_PxF += 0.1 * _normal(113, 8)
    coefficient = transform_1d(fourier.basis(113), weight_PxF)
    mask_Q = key_frequencies(frequency_norms(coefficient))
    np.testing.assert_array_equal(np.flatnonzero(mask_Q), [8, 19, 41, 54])


class SumWavesTest(parameterized.TestCase):
  @parameterized.parameters((7, (1, 3)), (7, ()), (10, (2, 5)))
  def test_equal_the_explicit_projection(self, P, keep):
    h_NxF = 2 + _normal(P * P, 3)
    part_NxF, mean_F = _explicit_part(h_NxF, keep, P), h_NxF.mean(0)
    kept_NxF = keep_sum_waves(h_NxF, _mask(keep, P))
    np.testing.assert_allclose(kept_NxF, mean_F + part_NxF, atol=3e-6)
    left_NxF = remove_sum_waves(h_NxF, _mask(keep, P))
    np.testing.assert_allclose(left_NxF, h_NxF - part_NxF, atol=3e-6)

  @parameterized.parameters(9, 10)
  def test_all_frequencies_keep_the_function_of_the_sum(self, P):
    sum_N = np.add.outer(np.arange(P), np.arange(P)).ravel() % P
    h_NxF = _normal(P * P, 2)
    mean_PxF = np.array([h_NxF[sum_N == s].mean(0) for s in range(P)])
    everything_Q = np.ones(P // 2 + 1, bool)
    kept_NxF = keep_sum_waves(h_NxF, everything_Q)
    np.testing.assert_allclose(kept_NxF, mean_PxF[sum_N], atol=1e-6)
    pure_NxF = mean_PxF[sum_N]
    left_NxF = remove_sum_waves(pure_NxF, everything_Q)
    np.testing.assert_allclose(
      left_NxF, np.broadcast_to(pure_NxF.mean(0), pure_NxF.shape), atol=1e-6
    )

  def test_vmaps_over_snapshots(self):
    h_CxNxF, mask_CxQ = _normal(3, 49, 2), np.eye(3, 4, k=1, dtype=bool)
    many = jax.vmap(remove_sum_waves)(h_CxNxF, mask_CxQ)
    one = remove_sum_waves(h_CxNxF[2], mask_CxQ[2])
    np.testing.assert_allclose(np.asarray(many)[2], one, atol=1e-6)

  def test_wrong_shapes_are_refused(self):
    with self.assertRaisesRegex(ValueError, "need 49 rows for P=7"):
      keep_sum_waves(np.ones((50, 2)), np.ones(4))
    with self.assertRaisesRegex(ValueError, "need a mask of 4 frequencies"):
      keep_sum_waves(np.ones((49, 2)), np.ones(3))


class NeuronTest(parameterized.TestCase):
  @parameterized.parameters(7, 10)
  def test_planted_neurons_have_all_their_energy_at_one_frequency(self, P):
    a, b = np.indices((P, P))
    w = 2 * np.pi * 2 / P
    linear = 4 + 3 * np.cos(w * a + 1) - np.sin(w * b)
    product = np.cos(w * a + 0.3) * np.cos(w * b + 2) + linear
    two = np.cos(w * a) + 2 * np.cos(w / 2 * b)  # energies 1 to 4
    dead = np.zeros((P, P))
    h_PxPxF = np.stack([linear, product, two, dead], -1)
    share_QxF = np.array(neuron_frequency_energy(h_PxPxF))
    expected_QxF = np.zeros((P // 2 + 1, 4))
    expected_QxF[2] = [1, 1, 0.2, 0]
    expected_QxF[1, 2] = 0.8
    np.testing.assert_allclose(share_QxF, expected_QxF, atol=1e-5)

  @parameterized.parameters(7, 10)
  def test_alternating_and_mixed_products(self, P):
    a, b = np.indices((P, P))
    cosine = lambda k, x: np.cos(2 * np.pi * k * x / P)
    mixed = cosine(1, a) * cosine(2, b)
    last = cosine(P // 2, a) * cosine(P // 2, b)
    share_QxF = np.asarray(neuron_frequency_energy(np.stack([mixed, last], -1)))
    np.testing.assert_allclose(share_QxF[:, 0], 0 * share_QxF[:, 0], atol=1e-5)
    self.assertAlmostEqual(float(share_QxF[P // 2, 1]), 1, places=5)


class CosineCubeTest(parameterized.TestCase):
  @parameterized.parameters((5, True), (5, False), (6, True), (9, False))
  def test_diagonal_sums_equal_the_dense_cubes(self, P, flat):
    logit = _normal(P, P, P)
    expected_Q = np.einsum("qabc,abc->q", _cubes(P), logit)
    given = logit.reshape(P * P, P) if flat else logit
    cube = cosine_cube_coefficients(given)
    np.testing.assert_allclose(cube.coefficient_Q, expected_Q, atol=1e-5)
    norm = np.linalg.norm(logit)
    np.testing.assert_allclose(cube.norm, norm, rtol=1e-6)
    np.testing.assert_allclose(cube.similarity_Q, expected_Q / norm, atol=1e-6)

  @parameterized.parameters(5, 6)
  def test_a_cube_has_its_own_coefficient_alone(self, P):
    found = jax.vmap(cosine_cube_coefficients)(_cubes(P))
    for value_QxQ in (found.coefficient_Q, found.similarity_Q):
      np.testing.assert_allclose(value_QxQ, np.eye(P // 2 + 1), atol=1e-6)

  @parameterized.product(P=(5, 6), keep=((1, 2), (0, 1)))
  def test_approximation_equals_the_dense_sum(self, P, keep):
    cubes, logit = _cubes(P), _normal(P, P, P, seed=1)
    logit += 4 * cubes[1] - 5 * cubes[2]
    kept = [k for k in keep if k > 0]
    dense = sum(np.vdot(cubes[k], logit) * cubes[k] for k in kept)
    fitted, fraction = cosine_cube_approximation(logit, _mask(keep, P))
    np.testing.assert_allclose(fitted, dense, atol=1e-5)
    left = np.linalg.norm(logit - dense) / np.linalg.norm(logit)
    np.testing.assert_allclose(fraction, left, rtol=1e-5)

  def test_nothing_is_left_of_planted_logits(self):
    cubes = _cubes(9)
    logit_NxC = (3 * cubes[1] + cubes[4]).reshape(81, 9)
    both_Q = _mask((1, 4), 9)
    fitted, fraction = cosine_cube_approximation(logit_NxC, both_Q)
    np.testing.assert_allclose(fitted, logit_NxC, atol=1e-6)
    self.assertLess(fraction, 1e-6)
    _, one = cosine_cube_approximation(logit_NxC, _mask((1,), 9))
    self.assertAlmostEqual(float(one), 10**-0.5, places=6)

  def test_vmaps_over_snapshots(self):
    logit_CxNxP = _normal(4, 25, 5)
    many = jax.vmap(cosine_cube_coefficients)(logit_CxNxP)
    one = cosine_cube_coefficients(logit_CxNxP[3])
    np.testing.assert_allclose(np.asarray(many.similarity_Q)[3], one.similarity_Q, 1e-5)

  def test_other_classes_are_refused(self):
    with self.assertRaisesRegex(ValueError, r"got \(100, 20\)"):
      cosine_cube_coefficients(np.ones((100, 20)))


class TopFrequenciesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    n = np.arange(20)
    wave = lambda k, phase: np.cos(2 * np.pi * k * n / 20 + phase)
    # By falling magnitude; the constant's (20 c) is set by each test.
    self.waves = [5 * wave(2, 0), 3 * wave(7, 1), 2 * wave(1, 2), wave(10, 0)]

  def test_magnitudes(self):
    magnitude = jax.jit(fourier.rfft_magnitude, static_argnames="axis")
    magnitude_Q = magnitude(3 + sum(self.waves))
    expected_Q = np.zeros(11)
    expected_Q[[0, 2, 7, 1, 10]] = [60, 50, 30, 20, 20]
    np.testing.assert_allclose(magnitude_Q, expected_Q, atol=1e-4)
    magnitude_QxF = np.asarray(magnitude(np.stack(self.waves, 1), axis=0))
    np.testing.assert_array_equal(magnitude_QxF.argmax(0), [2, 7, 1, 10])

  @parameterized.product(count=(0, 1, 2, 3, 4), constant=(0.01, 100.0))
  def test_exactly_count_beside_the_constant(self, count, constant):
    waves = [*self.waves[:3], 0.5 * self.waves[3]]
    found = top_frequencies_reconstruct(constant + sum(waves), count)
    expected = constant + sum(waves[:count]) + np.zeros(20)
    np.testing.assert_allclose(found, expected, atol=2e-5)

  @parameterized.parameters((0.01, 2), (2.1, 1), (100.0, 1), (1.25, 2))
  def test_published_keeps_one_more_if_the_constant_is_small(self, c, kept):
    # Magnitudes 50, 30, 20, 10 against 20 c.
    waves = [*self.waves[:3], 0.5 * self.waves[3]]
    found = top_frequencies_as_published(c + sum(waves), 1)
    np.testing.assert_allclose(found, c + sum(waves[:kept]), atol=2e-5)

  def test_rows_choose_their_own(self):
    rows = np.stack([self.waves[1] + 0.1 * self.waves[0], self.waves[0]])
    found = top_frequencies_reconstruct(rows, 1)
    np.testing.assert_allclose(found, self.waves[1::-1], atol=2e-5)
    reconstruct = jax.vmap(top_frequencies_reconstruct, in_axes=(None, 0))
    found_RxN = reconstruct(rows, np.arange(3))
    np.testing.assert_allclose(np.asarray(found_RxN)[2], rows, atol=2e-5)


class LabelsTest(parameterized.TestCase):
  @parameterized.parameters(2, 10, 97)
  def test_are_cos_and_sin_in_turn(self, modulus):
    label_N = np.arange(3 * modulus)
    angle_N = 2 * np.pi * label_N / modulus
    columns = [wave(n * angle_N) for n in range(1, 13) for wave in (np.cos, np.sin)]
    found = fourier.label_waves(label_N, modulus, 12)
    self.assertEqual(found.dtype, np.float32)
    np.testing.assert_allclose(found, np.stack(columns, axis=1), atol=1e-6)


if __name__ == "__main__":
  absltest.main()
