import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.studies.addition import network, program, readout_frequencies

CLASSES = 20
CLASS = np.arange(CLASSES)


def _normal(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _sinusoids(count, inputs=60):
  """Logits of exactly `count` waves each, and their argmax.

  Their frequencies have no common divisor with 20: no shorter period, no ties.
  """
  rng = np.random.default_rng(count)
  logit_NxV = np.zeros((inputs, CLASSES))
  for row in logit_NxV:
    for at, k in enumerate(rng.permutation([1, 3, 7, 9])[:count]):
      phase = rng.uniform(0, 2 * np.pi)
      row += (10 - at) * np.cos(2 * np.pi * k * CLASS / CLASSES + phase)
  return logit_NxV.astype(np.float32), logit_NxV.argmax(1)


def _network(**changes):
  """A made network of 4 inputs, 6 neurons, 3 dimensions."""
  made = network.Network(
    embedding_PxD=_normal(2, 3),
    readout_VxF=_normal(CLASSES, 6, seed=1),
    unembed_DxV=_normal(3, CLASSES, seed=2),
    bias_V=np.zeros(CLASSES, np.float32),
    mid_NxD=_normal(4, 3, seed=3),
    pre_NxF=_normal(4, 6, seed=4),
    post_NxF=np.abs(_normal(4, 6, seed=5)),
    logit_NxV=_normal(4, CLASSES, seed=6),
    pattern_NxHxT=np.ones((4, 1, 3), np.float32),
  )
  return made._replace(**changes)


sparsity = jax.jit(
  lambda logit_NxV, label_N: readout_frequencies.sparsity(
    logit_NxV, label_N, program.Settings(random_directions=3)
  )
)


of_neurons = jax.jit(readout_frequencies.of_neurons)


class SparsityTest(parameterized.TestCase):
  @parameterized.parameters(2, 4)
  def test_as_many_frequencies_as_waves_are_enough(self, count):
    found = sparsity(*_sinusoids(count))
    np.testing.assert_array_equal(found["accuracy"][count - 1 :], 1)
    self.assertTrue(np.all(found["accuracy"][: count - 1] < 1))
    self.assertEqual(float(found["needed"]), count)
    # The same holds of any phases, and of no random planes.
    self.assertEqual(float(found["needed_shuffled"]), count)
    self.assertGreater(float(found["needed_planes"]), count)
    # Without a constant the published one keeps one more.
    np.testing.assert_array_equal(found["accuracy_as_published"][:-1], found["accuracy"][1:])

  def test_equals_numpy(self):
    # A strong wave without a shorter period, lest maxima be equal by symmetry.
    logit_NxV = _normal(60, CLASSES) + _sinusoids(1)[0]
    label_N = np.arange(60) % CLASSES
    found = sparsity(logit_NxV, label_N)
    transform_NxQ = np.fft.rfft(logit_NxV.astype(float))
    for count in range(1, 11):
      keep_NxQ = np.zeros(transform_NxQ.shape)
      keep_NxQ[:, 0] = 1
      for row, size_Q in zip(keep_NxQ, np.abs(transform_NxQ), strict=True):
        row[1 + np.argsort(-size_Q[1:])[:count]] = 1
      rebuilt_NxV = np.fft.irfft(transform_NxQ * keep_NxQ, n=CLASSES)
      guess_N = rebuilt_NxV.argmax(1)
      log_N = np.log(np.exp(rebuilt_NxV).sum(1))
      nll = np.mean(log_N - rebuilt_NxV[np.arange(60), label_N])
      own = np.mean(guess_N == logit_NxV.argmax(1))
      at = count - 1
      for name, expected in (
        ("accuracy", np.mean(guess_N == label_N)),
        ("agreement", own),
        ("nll_nats", nll),
      ):
        np.testing.assert_allclose(found[name][at], expected, rtol=1e-5)

  def test_published_reconstruction_of_one_input(self):
    waves = [
      size * np.cos(2 * np.pi * k * CLASS / CLASSES)
      for size, k in ((4, 1), (3, 5), (2, 7), (1, 3), (0.5, 8))
    ]
    found = readout_frequencies.as_published(sum(waves).astype(np.float32))
    # Four of five are kept where three are asked for.
    squares = np.array([16, 9, 4, 1, 0.25])
    self.assertEqual(int(found["published_kept_3"]), 4)
    np.testing.assert_allclose(
      found["published_variance_3"], squares[:4].sum() / squares.sum(), 1e-5
    )
    self.assertEqual(int(found["published_argmax_3"]), 0)
    self.assertEqual(int(found["published_kept_6"]), 5)


class NeuronsTest(absltest.TestCase):
  def test_spectra_of_known_columns(self):
    peak_F = [1, 2, 2, 5, 10, 0]
    size_F = [1, 2, 4, 1, 3, 2]
    readout_VxF = np.stack(
      [
        size * np.cos(2 * np.pi * k * CLASS / CLASSES)
        for size, k in zip(size_F, peak_F, strict=True)
      ],
      axis=1,
    )
    on, off = np.float32(1), np.float32(-1)
    full_1xF = np.array([[on, on, off, off, on, off]])
    reduced_1xF = np.array([[off, on, on, on, on, off]])
    full = _network(readout_VxF=readout_VxF, pre_NxF=full_1xF)
    reduced = _network(pre_NxF=reduced_1xF)
    label_N = jnp.array([0, 1, 1, 2])
    found = of_neurons(full, reduced, label_N, jnp.array([0, 1, 3]))
    count_Q = np.bincount(peak_F, minlength=11)
    np.testing.assert_array_equal(found["peak_count"], count_Q)
    # Off in the full network: columns 2 (4 at frequency 2) and 3 (1 at 5).
    off_Q, on_Q = np.zeros(11), np.zeros(11)
    off_Q[[2, 5]] = np.array([4, 1]) * CLASSES / 2 / 2
    on_Q[1] = CLASSES / 2
    np.testing.assert_allclose(found["flipped"], [off_Q, on_Q], atol=1e-4)
    readout_Q = np.abs(np.fft.rfft(readout_VxF, axis=0))
    for name, expected in (
      ("readout_norm", np.linalg.norm(readout_Q, axis=1)),
      # Fewer than 30 neurons: all are the most active.
      ("active", np.tile(readout_Q.mean(1), (3, 1))),
    ):
      np.testing.assert_allclose(found[name], expected, atol=1e-4)
    correlation_F = [np.corrcoef(full.post_NxF[:, f], label_N)[0, 1] for f in range(6)]
    np.testing.assert_array_equal(found["order"], np.argsort(-np.array(correlation_F)))

  def test_most_active_are_averaged(self):
    readout_VxF = _normal(CLASSES, 40)
    post_NxF = np.abs(_normal(4, 40, seed=1))
    made = _network(readout_VxF=readout_VxF, post_NxF=post_NxF, pre_NxF=post_NxF - 1)
    found = of_neurons(made, made, jnp.arange(4), jnp.array([0, 2, 3]))
    size_QxF = np.abs(np.fft.rfft(readout_VxF, axis=0))
    top_F = np.argsort(-post_NxF[2])[:30]
    np.testing.assert_allclose(found["active"][1], size_QxF[:, top_F].mean(1), rtol=1e-4)
    np.testing.assert_array_equal(found["flipped"], np.zeros((2, 11)))

  def test_ranks(self):
    rank_1xQ = readout_frequencies.ranks(jnp.array([[3.0, 5.0, 4.0]]))
    np.testing.assert_array_equal(rank_1xQ, [[1, 2, 0]])


if __name__ == "__main__":
  absltest.main()
