import numpy as np
from absl.testing import absltest
from primelens.tasks import mersenne


def twister(seed: int, count: int) -> list[int]:
  """Returns words of MT19937 as its authors wrote it, in plain Python."""
  state = [seed]
  for i in range(1, 624):
    before = state[-1] ^ (state[-1] >> 30)
    state.append((1812433253 * before + i) & 0xFFFFFFFF)
  words = []
  while len(words) < count:
    for i in range(624):
      mixed = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7FFFFFFF)
      twist = 0x9908B0DF if mixed & 1 else 0
      state[i] = state[(i + 397) % 624] ^ (mixed >> 1) ^ twist
    for y in state:
      y ^= y >> 11
      y ^= (y << 7) & 0x9D2C5680
      y ^= (y << 15) & 0xEFC60000
      words.append(y ^ (y >> 18))
  return words[:count]


class MersenneTest(absltest.TestCase):
  def test_words_are_the_twisters(self):
    for seed in (0, 598, 999):
      np.testing.assert_array_equal(mersenne.words(seed, 1500), twister(seed, 1500))

  def test_permutation(self):
    words = twister(7, 9)
    left, expected = list(range(10)), []
    for word in words:  # draw from what is left, the front taking its place
      j = word % len(left)
      left[0], left[j] = left[j], left[0]
      expected.append(left.pop(0))
    found = mersenne.permutation(7, 10)
    np.testing.assert_array_equal(found, expected + left)
    np.testing.assert_array_equal(mersenne.permutation(7, 1), [0])

  def test_normals_by_hand(self):
    [first, second] = mersenne.normals(3, [(4, 4), (2, 8)])
    self.assertEqual((first.shape, second.shape), ((4, 4), (2, 8)))
    u = [w % 2**24 / 2**24 for w in twister(3, 32)][16:]
    radius = np.sqrt(-2 * np.log(1 - np.array(u[:8])))
    angle = 2 * np.pi * np.array(u[8:])
    expected = [radius * np.cos(angle), radius * np.sin(angle)]
    np.testing.assert_allclose(second, expected, atol=1e-5)

  def test_normals_are_normal(self):
    [x] = mersenne.normals(0, [(100_000, 16)])
    self.assertAlmostEqual(x.mean(), 0, delta=0.004)
    self.assertAlmostEqual(x.std(), 1, delta=0.004)
    self.assertAlmostEqual((x**4).mean(), 3, delta=0.03)
    self.assertEqual(x.dtype, np.float32)

  def test_a_size_that_torch_fills_otherwise_is_refused(self):
    with self.assertRaisesRegex(ValueError, r"\(3, 5\) has 15 numbers"):
      mersenne.normals(0, [(16,), (3, 5)])


if __name__ == "__main__":
  absltest.main()
