"""True is no count and no seed, in any function that takes one."""

import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import (
  ablation,
  counts,
  erasure,
  kernels,
  line_nulls,
  linear,
  prime_lines,
  resonance,
  slots,
  spacings,
  spectra,
  symbolic,
)

X_NxD = np.random.default_rng(0).normal(size=(12, 3))
CALLS = {
  "draws": [
    lambda x: spectra.symmetry_null((4, 4), x),
    lambda x: kernels.symmetry_null(4, 2, x),
    lambda x: slots.frequency_test(X_NxD, draws=x),
    lambda x: slots.frequency_test_as_published(X_NxD, draws=x),
    lambda x: linear.bootstrap(X_NxD, X_NxD[:, 0], block=2, draws=x, seed=0),
    lambda x: linear.block_counts(3, x, seed=0),
    lambda x: spectra.singular_null((5, 5), x),
    lambda x: spectra.shuffled_null(X_NxD, x),
    lambda x: spectra.goe_null(5, x),
    lambda x: spectra.radius_null(5, x),
    lambda x: line_nulls.beside([1.0], [2.0], np.arange(9.0), draws=x, seed=0),
    lambda x: spacings.shuffle_score(X_NxD[:, 0], draws=x),
  ],
  "seed": [
    lambda x: spectra.symmetry_null((4, 4), 2, x),
    lambda x: kernels.symmetry_null(4, 2, 2, x),
    lambda x: linear.block_counts(3, 2, seed=x),
    lambda x: prime_lines.planted(X_NxD[:, 0], np.arange(12.0), [1.0], [1.0], seed=x),
    lambda x: resonance.jittered(X_NxD[:, 0], 0.1, x),
    lambda x: resonance.jittered_as_published(X_NxD[:, 0], 0.1, x),
    lambda x: kernels.pairs_as_published(3, 20, seed=x),
    lambda x: symbolic.search(
      X_NxD, X_NxD[:, 0], names="abc", test_feature_NxQ=X_NxD, test_target_N=X_NxD[:, 0], seed=x
    ),
  ],
  "count": [lambda x: erasure.null_space(erasure.moments(X_NxD, X_NxD[:, :1]), x)],
  "lags": [lambda x: linear.lag_matrix(X_NxD[:, 0], [5], x)],
  "block": [lambda x: linear.block_sums(X_NxD, x)],
  "layers": [lambda x: ablation.each_head(x, 2)],
  "size": [lambda x: spectra.corner(X_NxD, x)],
}


class CountsTest(parameterized.TestCase):
  @parameterized.parameters(*CALLS)
  def test_neither_a_bool_nor_a_fraction(self, name):
    for call in CALLS[name]:
      for bad in (True, 1.5, -2):
        with self.assertRaisesRegex(ValueError, f"{name}={bad!r} must be a whole number"):
          call(bad)

  def test_whole_numbers_of_any_library(self):
    counts.whole(1, draws=np.int64(1), rows=10**30)
    with self.assertRaisesRegex(ValueError, "draws=0 must be a whole number of at least 1"):
      counts.whole(1, draws=0)
    with self.assertRaisesRegex(ValueError, "seed=None must"):
      counts.whole(seed=None)


if __name__ == "__main__":
  absltest.main()
