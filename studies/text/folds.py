"""The one rule by which rows come to folds, for every R2 over folds of this study.

scikit-learn's `KFold(5, shuffle=True, random_state=0)`: with it numbers that the
source's text has over folds repeat to the last digit.
"""

import numpy as np
from primelens.analyses import ridge

COUNT = ridge.FOLDS
SEED = 0


def rows(count: int) -> list[np.ndarray]:
  """Returns the rows of every fold; the first have one more where 5 does not
  divide them."""
  return np.array_split(np.random.RandomState(SEED).permutation(count), COUNT)


def numbers(count: int) -> np.ndarray:
  """Returns the fold 0..4 of every row, N."""
  fold_N = np.empty(count, int)
  for fold, scored_N in enumerate(rows(count)):
    fold_N[scored_N] = fold
  return fold_N
