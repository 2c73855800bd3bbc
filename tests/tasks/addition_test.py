import itertools

import numpy as np
from absl.testing import absltest, parameterized
from primelens import tasks
from primelens.tasks import addition, mersenne

# From docs/sources/addition.md, section 1.
TEST_PAIRS = "01 05 07 08 17 22 23 27 28 30 35 38 40 41 43 44 46 48 51 53 59 65 74 83 86 91 93 94"
PER_SUM = (1, 1, 3, 3, 3, 3, 6, 6, 4, 9, 6, 4, 5, 5, 3, 4, 3, 2, 1)
MODULAR = dict(digits=113, modular=True, train_fraction=0.3)


def pairs_of(row_N, digits):
  return [divmod(int(row), digits) for row in row_N]


class PublishedTest(absltest.TestCase):
  def test_the_28_test_pairs(self):
    data = tasks.load(addition.Config())
    found = sorted(pairs_of(data.test_SxN[0], 10))
    self.assertEqual(found, [(int(a), int(b)) for a, b in TEST_PAIRS.split()])
    self.assertEqual(data.splits, {"train": 72, "test": 28})
    counts = np.bincount(data.label_SxN[0][data.train_SxN[0]], minlength=19)
    self.assertEqual(tuple(counts), PER_SUM)
    train = set(pairs_of(data.train_SxN[0], 10))
    mirrored = [(a, b) for a, b in found if a != b and (b, a) in train]
    self.assertLen(mirrored, 22)
    self.assertLen([a for a, b in found if a == b], 2)

  def test_the_first_rows_of_113(self):
    data = addition.load(addition.Config(**MODULAR))
    self.assertEqual(data.splits, {"train": 3830, "test": 8939})
    self.assertEqual(
      pairs_of(data.train_SxN[0][:5], 113), [(21, 31), (30, 98), (47, 10), (86, 21), (99, 83)]
    )
    self.assertEqual(
      pairs_of(data.test_SxN[0][:5], 113), [(43, 40), (31, 42), (39, 63), (35, 61), (112, 102)]
    )
    self.assertEqual(data.classes, 113)

  def test_inputs_and_labels(self):
    for modular in (False, True):
      data = addition.load(addition.Config(digits=7, modular=modular))
      self.assertEqual(data.token_Nx3.shape, (49, 3))
      for row, (a, b, equal) in enumerate(data.token_Nx3):
        self.assertEqual((row, equal), (7 * a + b, 7))
        self.assertEqual(data.label_SxN[0, row], (a + b) % (7 if modular else 99))
      self.assertEqual(data.classes, 7 if modular else 14)
      self.assertEqual((data.vocabulary, data.modular), (8, modular))


class SplitTest(parameterized.TestCase):
  @parameterized.parameters("published", "unordered")
  def test_every_member_splits_all_pairs(self, split):
    config = addition.Config(split=split, split_seeds=(598, 1, 2))
    data = addition.load(config)
    for train_N, test_N in zip(data.train_SxN, data.test_SxN, strict=True):
      self.assertEqual(sorted([*train_N, *test_N]), list(range(100)))
    self.assertFalse((data.train_SxN[0] == data.train_SxN[1]).all())
    other = addition.load(addition.Config(split=split, split_seeds=(598, 1, 3)))
    self.assertNotEqual(data.data_hash, other.data_hash)
    self.assertEqual(data.data_hash, addition.load(config).data_hash)

  def test_unordered_pairs_stay_together(self):
    data = addition.load(addition.Config(split="unordered", split_seeds=tuple(range(20))))
    # floor(.72 x 10) = 7 of the diagonal, floor(.72 x 45) = 32 of the others.
    self.assertEqual(data.splits, {"train": 7 + 64, "test": 3 + 26})
    for train_N, test_N in zip(data.train_SxN, data.test_SxN, strict=True):
      sides = [{tuple(sorted(pair)) for pair in pairs_of(side, 10)} for side in (train_N, test_N)]
      self.assertEmpty(sides[0] & sides[1])
      self.assertLen(sides[0] | sides[1], 55)

  def test_the_seeds_of_the_two_kinds_of_unordered_pair(self):
    config = addition.Config(split="unordered", split_seeds=(3, 11))
    twins = list(itertools.combinations(range(10), 2))
    for seed, train_N in zip(config.split_seeds, addition.load(config).train_SxN, strict=True):
      same = {(a, a) for a in mersenne.permutation(seed, 10)[:7]}
      half = {twins[i] for i in mersenne.permutation(seed + 1, 45)[:32]}
      other = {(b, a) for a, b in half}
      self.assertEqual(set(pairs_of(train_N, 10)), same | half | other)

  def test_permuted_labels_are_the_same_labels_elsewhere(self):
    data = addition.load(addition.Config(labels="permuted", split_seeds=(598, 1)))
    true = addition.load(addition.Config()).label_SxN[0]
    for label_N in data.label_SxN:
      np.testing.assert_array_equal(np.sort(label_N), np.sort(true))
      self.assertLess((label_N == true).mean(), 0.3)
    self.assertFalse((data.label_SxN[0] == data.label_SxN[1]).all())

  def test_the_hash_covers_labels(self):
    options = ({}, {"labels": "permuted"}, {"modular": True})
    hashes = {addition.load(addition.Config(**o)).data_hash for o in options}
    self.assertLen(hashes, 3)

  @parameterized.parameters(
    ({"digits": 1}, "digits=1 must be at least 2"),
    ({"train_fraction": 1.0}, "train_fraction=1.0 must be above 0 and below 1"),
    ({"split": "random"}, "split='random' is not one of published, unordered"),
    ({"labels": "x"}, "labels='x' is not one of true, permuted"),
    ({"split_seeds": ()}, "has 0 items; it must have at least 1"),
    ({"split_seeds": (-1,)}, "has -1, which must be at least 0"),
  )
  def test_wrong_configs(self, options, message):
    with self.assertRaisesRegex(ValueError, message):
      addition.Config(**options)

  def test_an_empty_side(self):
    with self.assertRaisesRegex(ValueError, "leaves one side of 4 pairs empty"):
      addition.load(addition.Config(digits=2, train_fraction=0.1))


if __name__ == "__main__":
  absltest.main()
