"""16-bit and integer arrays are counted in float32 at least, everywhere."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import (
  divergences,
  erasure,
  fourier,
  kernels,
  linear,
  mlp_probes,
  patching,
  precision,
  slots,
  spectra,
)

RNG = np.random.default_rng(0)
# Whole numbers that every type below holds exactly, so that only the
# arithmetic can differ.
X_NxD, Y_NxF = RNG.integers(-9, 10, (40, 6)), RNG.integers(-9, 10, (40, 2))
SQUARE_DxD, CUBE_NxP = RNG.integers(-9, 10, (6, 6)), RNG.integers(-9, 10, (49, 7))
TRIL_TxT = np.tril(RNG.integers(1, 10, (5, 5)))
PROBE = mlp_probes.Config(width=4, depth=1, epochs=2)
FITTED_N = np.arange(40) < 30

# Calls that take the conversion of the arrays and return an array.
CALLS = {
  "linear.ridge": lambda of: linear.ridge(of(X_NxD), of(Y_NxF)).predict(of(X_NxD)),
  "linear.scaler": lambda of: linear.scaler(of(X_NxD))(of(X_NxD)),
  "linear.held_out": lambda of: linear.held_out(of(X_NxD), of(Y_NxF), FITTED_N, (1.0, 10.0))[0],
  "linear.cross_predicted": lambda of: linear.cross_predicted(of(X_NxD), of(Y_NxF)),
  "linear.r2_scored": lambda of: linear.r2_scored(of(Y_NxF), of(X_NxD[:, :2]), FITTED_N),
  "linear.fold_r2": lambda of: linear.fold_r2(of(Y_NxF), of(X_NxD[:, :2])),
  "linear.degrees_of_freedom": lambda of: linear.degrees_of_freedom(of(X_NxD), 1.0),
  "linear.mean_squared_error": lambda of: linear.mean_squared_error(of(X_NxD), of(-X_NxD)),
  "linear.ridge_solved": lambda of: linear.ridge_solved(of(5 * np.eye(6)), of(SQUARE_DxD), 1.0),
  "linear.gram_rounding": lambda of: linear.gram_rounding(of(5 * np.eye(6))),
  "linear.fit": lambda of: linear.fit(of(X_NxD), of(Y_NxF)).prediction_NxF,
  "linear.fit_shortest": lambda of: linear.fit_shortest(of(X_NxD), of(Y_NxF)).prediction_NxF,
  "linear.r2_columns": lambda of: linear.r2_columns(of(Y_NxF), of(X_NxD[:, :2])),
  "linear.r2_overall": lambda of: linear.r2_overall(of(Y_NxF), of(X_NxD[:, :2])),
  "linear.summary": lambda of: linear.summary(of(Y_NxF[:, 0])).mean,
  "linear.r2": lambda of: linear.r2(of(Y_NxF), of(X_NxD[:, :2])),
  "linear.pearson": lambda of: linear.pearson(of(X_NxD), of(Y_NxF[:, 0])),
  "linear.ols": lambda of: linear.ols(of(X_NxD), of(Y_NxF[:, 0])).coefficient_Q,
  "linear.scores": lambda of: linear.scores(of(Y_NxF[:, 0]), of(X_NxD[:, 0]))["r2"],
  "linear.svd": lambda of: linear.svd(of(X_NxD)).value_Q,
  "linear.solve": lambda of: linear.solve(of(X_NxD), of(Y_NxF)),
  "linear.oriented": lambda of: linear.oriented(linear.pca(of(X_NxD))).score_NxQ,
  "erasure.moments": lambda of: erasure.moments(of(X_NxD), of(Y_NxF)).gram_DxD,
  "erasure.span": lambda of: np.abs(erasure.span(of(SQUARE_DxD[:, :2]))),
  "erasure.whitened": lambda of: erasure.whitened(of(4 * np.eye(6)), of(SQUARE_DxD[:, :2]))[1],
  "erasure.removed": lambda of: erasure.removed(of(4 * np.eye(6)), *[of(SQUARE_DxD[:, :2])] * 2),
  "features.monomials": lambda of: fourier.monomials(of(X_NxD[:, :2]), 3),
  "features.sums": lambda of: fourier.sum_features(of(X_NxD[:, :4])),
  "features.symmetric": lambda of: fourier.symmetric_features(of(X_NxD[:, :4])),
  "fourier.transform_2d": lambda of: fourier.transform_2d(fourier.basis(7), of(CUBE_NxP[:7])),
  "fourier.frequency_norms": lambda of: fourier.frequency_norms(of(CUBE_NxP[:7])),
  "fourier.keep_sum_waves": lambda of: fourier.keep_sum_waves(of(CUBE_NxP), np.ones(4)),
  "fourier.neuron_frequency_energy": lambda of: fourier.neuron_frequency_energy(
    of(CUBE_NxP.reshape(7, 7, 7))
  ),
  "fourier.cosine_cube_coefficients": lambda of: (
    fourier.cosine_cube_coefficients(of(CUBE_NxP)).similarity_Q
  ),
  "fourier.rfft_magnitude": lambda of: fourier.rfft_magnitude(of(CUBE_NxP)),
  "fourier.top_frequencies": lambda of: fourier.top_frequencies_reconstruct(of(CUBE_NxP), 1),
  "duplicates.cosines": lambda of: slots.cosines(of(X_NxD)),
  "duplicates.effective_number": lambda of: slots.effective_number(of(TRIL_TxT[-1])),
  "sinusoids.free_wave": lambda of: fourier.free_wave(of(X_NxD[:, 0]), 3).wave_V,
  "sinusoids.neighbours": lambda of: fourier.neighbour_correlation(of(X_NxD[:, 0])),
  "kernels.centred": lambda of: kernels.centred(of(TRIL_TxT)),
  "kernels.by_index": lambda of: kernels.by_index(of(TRIL_TxT)),
  "kernels.unmasked": lambda of: kernels.unmasked_as_published(
    of(TRIL_TxT[:, None]), of(TRIL_TxT[:, None])
  ),
  "divergences": lambda of: divergences.kullback_leibler(
    of(-TRIL_TxT[-1]), of(-TRIL_TxT[-1][::-1]), of(np.ones(5))
  ),
  "patching.slope": lambda of: patching.slope(of(X_NxD), of(X_NxD * 0), of(X_NxD - 1)),
  "patching.moved": lambda of: patching.moved(
    of(X_NxD[0]), of(X_NxD[1]), of(X_NxD[2] + 3), np.ones(6, np.float32)
  ),
  "mlp_probes.fit": lambda of: (
    mlp_probes.fit(
      PROBE,
      of(X_NxD)[None],
      of(Y_NxF[:, 0])[None],
      np.arange(30),
      np.arange(30, 40),
      jax.random.split(jax.random.key(0), 1),
    ).loss_S
  ),
  "spectra.singular_values": lambda of: spectra.singular_values(of(SQUARE_DxD)),
  "spectra.gram": lambda of: spectra.singular_values(of(SQUARE_DxD), method="gram"),
  "spectra.eigenvalue_radius": lambda of: spectra.eigenvalue_radius(of(SQUARE_DxD)),
  "spectra.distance": lambda of: spectra.distance(of(SQUARE_DxD), of(-SQUARE_DxD)),
  "spectra_nulls.shuffled_null": lambda of: spectra.shuffled_null(of(SQUARE_DxD), 3),
}
KINDS = (jnp.bfloat16, jnp.float16, jnp.int8, jnp.int32)


# Those that are counted on the host; the others are traced, the five types in one program.
HOST = (
  "linear.ols",
  "linear.scores",
  "erasure.moments",
  "erasure.span",
  "spectra.singular_values",
  "spectra.gram",
  "spectra.eigenvalue_radius",
  "spectra.distance",
  "spectra_nulls.shuffled_null",
)


class EverywhereTest(parameterized.TestCase):
  @parameterized.parameters(*CALLS)
  def test_equals_float32(self, name):
    of = lambda kind: lambda x: jnp.asarray(np.asarray(x, kind))
    every = lambda: [CALLS[name](of(kind)) for kind in (jnp.float32, *KINDS)]
    expected, *found_K = every() if name in HOST else jax.jit(every)()
    for kind, found in zip(KINDS, found_K, strict=True):
      found, of_float32 = np.asarray(found, float), np.asarray(expected, float)
      np.testing.assert_allclose(
        found, of_float32, rtol=1e-4, atol=1e-4, err_msg=f"{name} of {kind.__name__}"
      )

  def test_projections_are_returned_in_their_own_type(self):
    direction_DxK = np.eye(6)[:, :1]

    @jax.jit
    def both(x_NxD):
      return (
        linear.project_out(x_NxD, direction_DxK),
        erasure.erase(x_NxD, jnp.zeros((1, 6)), direction_DxK, direction_DxK),
      )

    for kind in KINDS:
      own = kind if jnp.issubdtype(kind, jnp.floating) else jnp.float32
      for found in both(np.asarray(X_NxD, kind)):
        self.assertEqual(found.dtype, own)
        found = np.asarray(found)
        np.testing.assert_array_equal(found[:, 0], 0)
        np.testing.assert_array_equal(found[:, 1:], X_NxD[:, 1:])


class PrecisionTest(absltest.TestCase):
  def test_types(self):
    of = lambda x: precision.at_least_float32(x).dtype
    for kind in (jnp.bfloat16, jnp.float16, jnp.float8_e4m3fn, jnp.float32):
      self.assertEqual(of(jnp.ones(2, kind)), jnp.float32)
      self.assertEqual(of(np.ones(2, kind)), np.float32)
    self.assertEqual(of(jnp.arange(3)), jnp.float32)
    for exact in (np.arange(3), [1.0], 2.5, np.ones(2, bool), np.ones(2)):
      self.assertEqual(of(exact), np.float64)

  def test_epsilon(self):
    self.assertEqual(precision.epsilon(np.ones(2, jnp.bfloat16)), 2.0**-7)
    self.assertEqual(precision.epsilon(np.ones(2, np.float32)), 2.0**-23)
    self.assertEqual(precision.epsilon(np.arange(2)), 2.0**-52)


if __name__ == "__main__":
  absltest.main()
