import numpy as np
from absl.testing import absltest, parameterized
from primelens.studies.text import states
from sklearn import model_selection


class FoldsTest(parameterized.TestCase):
  @parameterized.parameters(5, 13, 200)
  def test_are_scikit_learns_shuffled(self, count):
    kept = model_selection.KFold(5, shuffle=True, random_state=0)
    fold_N = states.fold_of(count)
    for number, (_, scored_N) in enumerate(kept.split(np.arange(count))):
      np.testing.assert_array_equal(np.flatnonzero(fold_N == number), scored_N)
      np.testing.assert_array_equal(np.sort(states.folds(count)[number]), scored_N)


if __name__ == "__main__":
  absltest.main()
