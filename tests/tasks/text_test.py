"""The prompts' task: published pairs and labels, splits, fresh pairs."""

import functools

import numpy as np
from absl.testing import absltest, parameterized
from primelens import tasks
from primelens.tasks import characters, text

DISJOINT = dict(split="disjoint")


@functools.cache
def load(**options) -> text.Text:
  return text.load(text.Config(**options))


def pairs(data, row_N) -> list[tuple[int, int]]:
  return [(int(x), int(y)) for x, y in zip(data.x_N[row_N], data.y_N[row_N], strict=True)]


def unordered(data, row_N) -> set[tuple[int, ...]]:
  return {tuple(sorted(pair)) for pair in pairs(data, row_N)}


def shown(data) -> np.ndarray:
  """Returns the sum that stands in every row."""
  lines = characters.decode(data.token_NxT)
  return np.array([int(line.rpartition("= ")[2]) for line in lines])


class PublishedTest(absltest.TestCase):
  """From docs/sources/text.md, sections 1.1, 1.2 and 1.5."""

  def test_first_pairs(self):
    data = tasks.load(text.Config())
    self.assertEqual(data.splits, {"train": 18000, "select": 2000, "test": 0})
    self.assertEqual(pairs(data, data.train_N[:4]), [(473, 216), (511, 572), (755, 415), (950, 31)])
    self.assertEqual(
      pairs(data, data.select_N[:4]), [(233, 347), (394, 856), (704, 901), (986, 711)]
    )
    self.assertEqual(characters.decode(data.token_NxT[:2]), ["473 + 216 = ?", "511 + 572 = ?"])
    np.testing.assert_array_equal(data.answer_N, data.x_N + data.y_N)

  def test_lengths(self):
    data = load()
    length_N = characters.lengths(data.token_NxT[data.select_N])
    lengths, count = np.unique(length_N, return_counts=True)
    self.assertEqual(
      dict(zip(lengths.tolist(), count.tolist(), strict=True)), {10: 2, 11: 54, 12: 351, 13: 1593}
    )
    longer = load(question="modk")
    np.testing.assert_array_equal(
      characters.lengths(longer.token_NxT[longer.select_N]), length_N + 9
    )

  def test_labels_of_sums(self):
    data = load()
    train_N, select_N = (data.answer_N[data.train_N], data.answer_N[data.select_N])
    self.assertAlmostEqual(train_N.mean(), 995.306, delta=5e-4)
    self.assertAlmostEqual(train_N.var(), 166505.9, delta=0.05)
    self.assertAlmostEqual(select_N.mean(), 990.36, delta=5e-3)
    self.assertAlmostEqual(select_N.var(), 170171.7, delta=0.05)
    self.assertEqual((select_N.min(), select_N.max()), (54, 1964))

  def test_labels_of_residues(self):
    data = load(question="modk")
    train_N, select_N = (data.answer_N[data.train_N], data.answer_N[data.select_N])
    np.testing.assert_array_equal(data.answer_N, (data.x_N + data.y_N) % 97)
    self.assertAlmostEqual(train_N.mean(), 47.681, delta=5e-4)
    self.assertAlmostEqual(train_N.var(), 780.779, delta=5e-4)
    self.assertEqual(select_N.mean(), 46.9375)  # 46.938 in docs/sources/text.md, section 1.5
    self.assertAlmostEqual(select_N.var(), 764.275, delta=5e-4)
    count = np.bincount(select_N)
    self.assertEqual((len(count), count.min(), count.max()), (97, 11, 32))

  def test_labels_of_shown_sums(self):
    data = load(question="valid")
    self.assertAlmostEqual(data.answer_N[data.train_N].mean(), 0.4978, delta=5e-5)
    self.assertAlmostEqual(data.answer_N[data.select_N].mean(), 0.5195)
    self.assertEqual(data.answer_N.sum(), 10_000)
    excess_N = shown(data) - data.x_N - data.y_N
    self.assertEqual(set(excess_N[data.answer_N == 1].tolist()), {0})
    self.assertEqual(set(excess_N[data.answer_N == 0].tolist()), {1, 2, 3, 4})

  def test_leakage(self):
    data = load()
    train = set(pairs(data, data.train_N))
    self.assertLen(train, 17834)
    seen = [pair for pair in pairs(data, data.select_N) if pair in train]
    self.assertLen(seen, 52)
    either = [(x, y) for x, y in pairs(data, data.select_N) if (x, y) in train or (y, x) in train]
    self.assertLen(either, 77)
    short = set(pairs(data, data.train_N[:9000]))
    few = pairs(data, data.select_N[:1000])
    self.assertLen([pair for pair in few if pair in short], 13)
    self.assertLen([p for p in few if p in short or p[::-1] in short], 22)

  def test_another_count_has_other_pairs(self):
    x_N, y_N = text.draw(2000, 1)
    np.testing.assert_array_equal(x_N, load().x_N[:2000])
    self.assertTrue(np.any(y_N != load().y_N[:2000]))


class SplitTest(parameterized.TestCase):
  @parameterized.parameters(
    dict(count=3000, operands=60, **DISJOINT),
    dict(pairs="all", operands=40, layout="aligned", **DISJOINT),
  )
  def test_no_unordered_pair_is_in_two_parts(self, **options):
    data = load(**options)
    parts = [unordered(data, data.rows(part)) for part in text.PARTS]
    total = set.union(*parts)
    self.assertEqual(sum(map(len, parts)), len(total))
    self.assertEqual(sum(data.splits.values()), len(data.x_N))
    for part, share in zip(parts, (0.8, 0.1, 0.1), strict=True):
      self.assertAlmostEqual(len(part) / len(total), share, delta=0.01)

  def test_all_pairs_are_all(self):
    data = load(pairs="all", operands=40, layout="aligned", **DISJOINT)
    every = {(x, y) for x in range(40) for y in range(40)}
    self.assertEqual(set(pairs(data, np.arange(len(data.x_N)))), every)
    self.assertEqual(characters.decode(data.token_NxT[-1:]), ["39+39=?"])

  @parameterized.parameters("sum", "modk", "valid")
  def test_fresh_pairs_are_new_and_none_is_twice(self, question):
    data = load(question=question, count=2000, operands=100)
    new = text.fresh(data, 1000, seed=3)
    self.assertEqual(new.splits, {"train": 500, "select": 0, "test": 500})
    row_N = np.arange(1000)
    self.assertLen(unordered(new, row_N), 1000)
    seen = unordered(data, np.concatenate([data.train_N, data.select_N]))
    self.assertEmpty(unordered(new, row_N) & seen)
    self.assertBetween(np.mean(new.x_N < new.y_N), 0.4, 0.6)  # both orders
    sum_N = new.x_N + new.y_N
    shown_N = shown(new) if question == "valid" else sum_N
    wanted = {"sum": sum_N, "modk": sum_N % 97, "valid": shown_N == sum_N}
    np.testing.assert_array_equal(new.answer_N, wanted[question])
    other = text.fresh(data, 1000, seed=4)
    self.assertNotEqual(other.data_hash, new.data_hash)

  def test_more_than_the_new_pairs_are_refused(self):
    data = load(pairs="all", operands=20, layout="aligned", **DISJOINT)
    left = len(unordered(data, data.test_N))
    self.assertEqual(left, 21)
    self.assertEqual(
      unordered(text.fresh(data, left, seed=0), np.arange(left)), unordered(data, data.test_N)
    )
    with self.assertRaisesRegex(ValueError, "22 new pairs .*, 21 are left"):
      text.fresh(data, left + 1, seed=0)


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    (dict(question="product"), "question='product' is not one of sum, modk"),
    (dict(modulus=1), "modulus=1 must be at least 2"),
    (dict(operands=1001), "operands=1001 must be at least 2 and at most 1,000"),
    (dict(count=19), "count=19 must be at least 20"),
    (dict(seed=-1), "seed=-1 must be at least 0"),
    (dict(scale=0.0), "scale=0.0 must be above 0"),
    (dict(pairs="all"), "pairs='all' needs split='disjoint'"),
    (dict(question="valid", layout="aligned"), "'valid' is written in layout='published'"),
  )
  def test_bad_ones_are_refused(self, options, message):
    with self.assertRaisesRegex(ValueError, message):
      text.Config(**options)

  def test_number_of_answers(self):
    for question, count in (("sum", 1999), ("modk", 97), ("valid", 2)):
      self.assertEqual(text.classes(text.Config(question=question)), count)
      self.assertLess(load(question=question).answer_N.max(), count)

  def test_hash_tells_data_apart(self):
    hashes = {
      load(count=100, seed=seed, question=question).data_hash
      for seed in (1, 2)
      for question in ("sum", "modk", "valid")
    }
    self.assertLen(hashes, 6)
    self.assertEqual(
      load(count=100, seed=1, question="sum").data_hash, text.load(text.Config(count=100)).data_hash
    )


if __name__ == "__main__":
  absltest.main()
