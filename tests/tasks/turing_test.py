import numpy as np
from absl.testing import absltest
from primelens.tasks import riemann_siegel, turing


def _between(first: int, last: int) -> np.ndarray:
  """One point in the middle of each Gram interval: the rule at its simplest."""
  point_N = riemann_siegel.gram(np.arange(first, last + 1))
  return (point_N[:-1] + point_N[1:]) / 2


def _sign(index: int) -> int:
  return 1 if index % 2 == 0 else -1


class ProveTest(absltest.TestCase):
  def test_blocks_needed_at_published_heights(self):
    # Brent, section 4: 4 blocks suffice up to 10^8, 1.
    self.assertEqual(turing.needed(1e8), 4)
    self.assertEqual(turing.needed(1e3), 1)

  def test_regular_zeros_are_counted(self):
    first, last = 10_000, 10_300
    proof = turing.prove(_between(first, last), first, last, sign=_sign(first))
    least = turing.needed(riemann_siegel.gram(last))
    self.assertEqual(proof.blocks, least)
    self.assertEqual((proof.first, proof.last), (first + least, last - least))
    # N(g_n) = n + 1, so the next zero is number n + 2.
    self.assertEqual(proof.number, first + least + 2)
    self.assertEqual(proof.start, least)

  def test_the_first_zeros_need_no_blocks_below(self):
    proof = turing.prove(_between(-1, 200), -1, 200, sign=-1)
    self.assertEqual((proof.first, proof.number, proof.start), (-1, 1, 0))

  def test_a_missing_pair_is_found(self):
    first, last = 10_000, 10_300
    whole_N = _between(first, last)
    for at in (50, 150, 240):
      with self.assertRaisesRegex(ValueError, "2 zeros are missing"):
        turing.prove(np.delete(whole_N, [at, at + 1]), first, last, sign=_sign(first))

  def test_a_surplus_pair_is_found(self):
    first, last = 10_000, 10_300
    whole_N = _between(first, last)
    more_N = np.sort(np.append(whole_N, whole_N[150] + [1e-3, 2e-3]))
    with self.assertRaisesRegex(ValueError, "2 zeros are surplus"):
      turing.prove(more_N, first, last, sign=_sign(first))

  def test_a_wrong_sign_has_no_proof(self):
    with self.assertRaisesRegex(ValueError, "fewer than 2 Gram blocks"):
      turing.prove(_between(10_000, 10_300), 10_000, 10_300, sign=-1)


if __name__ == "__main__":
  absltest.main()
