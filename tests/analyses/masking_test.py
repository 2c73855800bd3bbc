import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import masking, trees


def _params(seed=0):
  normal = np.random.default_rng(seed).normal
  params = {"big": 3 * normal(size=(20, 30)), "small": normal(size=400), "gain": normal(size=7)}
  return jax.tree.map(np.float32, params)


PARAMS = _params()
WHERE = trees.select(PARAMS, "big|small")
WEIGHT_N = np.concatenate([np.ravel(PARAMS[name]) for name in ("big", "small")])
SIZE_N = np.abs(WEIGHT_N.astype(np.float64))
# Compiled whole, each once for every fraction.
_magnitude, _published, _random = [
  jax.jit(functools.partial(function, where=WHERE))
  for function in (masking.magnitude, masking.magnitude_as_published, masking.random)
]
_random_like, _noise_like = [
  jax.jit(functools.partial(function, where=WHERE))
  for function in (masking.random_like, masking.noise_like)
]


def _kept(masked):
  return {name: int(np.count_nonzero(masked[name])) for name in ("big", "small")}


class MaskingTest(parameterized.TestCase):
  @parameterized.parameters(0.0, 0.001, 0.25, 0.3333, 0.7, 0.9995, 1.0)
  def test_global_magnitude_equals_a_sort(self, keep):
    count = round(keep * SIZE_N.size)
    threshold = np.sort(SIZE_N)[::-1][count - 1] if count else np.inf
    masked = _magnitude(PARAMS, keep)
    for name in ("big", "small"):
      old = np.asarray(PARAMS[name])
      expected = np.where(np.abs(old) >= threshold, old, 0)
      np.testing.assert_array_equal(masked[name], expected)
    self.assertEqual(sum(_kept(masked).values()), count)

  def test_leaf_scope_keeps_the_same_fraction_everywhere(self):
    by_leaf = functools.partial(masking.magnitude, where=WHERE, scope="leaf")
    masked = jax.jit(by_leaf)(PARAMS, 0.25)
    self.assertEqual(_kept(masked), {"big": 150, "small": 100})
    old, new = np.abs(PARAMS["small"]), np.asarray(masked["small"])
    self.assertGreater(old[new != 0].min(), old[new == 0].max())
    # The larger leaf keeps more under one ranking.
    both = _kept(_magnitude(PARAMS, 0.25))
    self.assertGreater(both["big"], 200)

  def test_ties_are_kept_in_order_and_counted_exactly(self):
    params = {"w": np.float32([1.0, -1.0, 2.0, 1.0, 1.0, -0.0])}
    magnitude = jax.jit(functools.partial(masking.magnitude, where=trees.select(params, "w")))
    masked = magnitude(params, 0.5)
    np.testing.assert_array_equal(masked["w"], [1, -1, 2, 0, 0, 0])
    coarse = {"w": np.random.default_rng(0).normal(size=999).astype(jnp.bfloat16)}
    masked = magnitude(coarse, 0.6)
    self.assertEqual(np.count_nonzero(masked["w"]), round(0.6 * 999))

  def test_nan_and_infinity_are_never_hidden(self):
    params = {"w": np.float32([1.0, np.nan, -np.inf, 2.0])}
    magnitude = functools.partial(masking.magnitude, where=trees.select(params, "w"))
    masked = jax.jit(magnitude)(params, 0.5)
    np.testing.assert_array_equal(masked["w"], [0, np.nan, -np.inf, 0])

  def test_both_ends_are_exact_beyond_float32_counts(self):
    # 2^24 + 1 is no float32: keep * n alone would round it.
    size = 2**24 + 1
    self.assertEqual(int(masking._count(1.0, size)), size)
    self.assertEqual(int(masking._count(0.0, size)), 0)

  def test_the_smallest_integer_is_the_largest_in_size(self):
    least_V = {"int8": -128, "int16": -(2**15), "int32": -(2**31)}
    weights_V = {kind: np.array([3, least, -5, 0], kind) for kind, least in least_V.items()}

    @jax.jit
    def masked(weights_V):
      where = {"w": True}
      half = {
        kind: masking.magnitude_as_published({"w": weights}, 0.5, where=where)["w"]
        for kind, weights in weights_V.items()
      }
      quarter = {
        kind: masking.magnitude({"w": weights}, 0.25, where=where)["w"]
        for kind, weights in weights_V.items()
      }
      unsigned = {"w": jnp.array([3, 255, 0], jnp.uint8)}
      return half, quarter, masking.magnitude(unsigned, 1 / 3, where=where)["w"]

    half_V, quarter_V, unsigned = masked(weights_V)
    for kind, least in least_V.items():
      np.testing.assert_array_equal(quarter_V[kind], np.array([0, least, 0, 0], kind))
      np.testing.assert_array_equal(half_V[kind], np.array([0, least, -5, 0], kind))
    np.testing.assert_array_equal(unsigned, np.array([0, 255, 0], np.uint8))

  def test_an_empty_leaf_changes_nothing(self):
    params = {"w": np.float32([1.0, -3, 2, 0]), "none": np.zeros((0, 4), np.float32)}
    for where in (trees.select(params, ".*"), trees.select(params, "none")):

      @jax.jit
      def every(params, key, where=where):
        masked_C = [
          masking.magnitude(params, 0.5, where=where, scope=scope) for scope in ("global", "leaf")
        ]
        others = (
          masking.magnitude_as_published(params, 0.5, where=where),
          masking.random(params, 0.5, where=where, key=key),
          masking.random_like(params, masked_C[-1], where=where, key=key),
        )
        noisy = masking.noise_like(params, masked_C[-1], where=where, key=key)
        return masked_C, noisy, masking.survival(params, masked_C[-1], where=where), others

      masked_C, noisy, survival, _ = every(params, jax.random.key(0))
      for masked in masked_C:
        expected = [0, -3, 2, 0] if where["w"] else [1, -3, 2, 0]
        np.testing.assert_array_equal(masked["w"], expected)
        self.assertEqual(masked["none"].shape, (0, 4))
      self.assertTrue(np.isfinite(noisy["w"]).all())
      self.assertTrue(np.isnan(survival["none"]))
    self.assertEqual(int(masking.count({})), 0)
    self.assertEqual(int(masking.count(masking.everything(params))), 4)

  def test_another_scope_is_refused(self):
    with self.assertRaisesRegex(ValueError, "'global' or 'leaf', got 'row'"):
      masking.magnitude(PARAMS, 0.5, where=WHERE, scope="row")

  @parameterized.parameters(0.0, 0.1, 0.35, 0.6, 0.9, 0.95, 1.0)
  def test_published_rule_equals_numpy_quantile(self, ratio):
    threshold = np.quantile(SIZE_N, ratio)
    masked = _published(PARAMS, ratio)
    for name in ("big", "small"):
      old = np.asarray(PARAMS[name])
      expected = np.where(np.abs(old) >= threshold, old, 0)
      np.testing.assert_array_equal(masked[name], expected)

  def test_published_rule_differs_by_one_weight_at_most(self):
    for ratio in np.arange(0.05, 1.0, 0.05):
      published = _published(PARAMS, ratio)
      masked = _magnitude(PARAMS, 1 - ratio)
      gap = sum(_kept(published).values()) - sum(_kept(masked).values())
      self.assertLessEqual(abs(gap), 1)

  def test_random_masks_are_nested_uniform_and_differ_by_key(self):
    masks = [_random(PARAMS, keep, key=jax.random.key(3)) for keep in (0.2, 0.5, 0.8)]
    self.assertEqual(_kept(masks[0]), {"big": 120, "small": 80})
    for fewer, more in zip(masks, masks[1:], strict=False):
      lost = (np.asarray(fewer["big"]) != 0) & (np.asarray(more["big"]) == 0)
      self.assertFalse(lost.any())
    draw = lambda key: masking.random(PARAMS, 0.5, where=WHERE, key=key)
    many = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(0), 400))
    often = np.mean(np.asarray(many["small"]) != 0, axis=0)
    # 400 positions, 400 keys: each is kept half of the time, sd 0.025.
    self.assertLess(np.abs(often - 0.5).max(), 5 * 0.025)
    self.assertAlmostEqual(often.std(), 0.025, delta=0.004)

  def test_leaves_of_one_shape_draw_on_their_own(self):
    params = {"a": np.ones(100, np.float32), "b": np.ones(100, np.float32)}
    where = trees.select(params, ".")

    @jax.jit
    def both(key):
      half = masking.random(params, 0.5, where=where, key=key)
      return half, masking.noise_like(jax.tree.map(jnp.asarray, params), half, where=where, key=key)

    for pair in both(jax.random.key(0)):
      self.assertFalse(np.array_equal(pair["a"], pair["b"]))

  def test_random_like_removes_as_many_per_leaf(self):
    params = PARAMS | {"small": np.concatenate([np.zeros(40, np.float32), PARAMS["small"][40:]])}
    masked = _magnitude(params, 0.4)
    control = _random_like(params, masked, key=jax.random.key(1))
    self.assertEqual(_kept(control), _kept(masked))
    self.assertNotEqual(_kept(masked)["big"], 240)
    self.assertFalse(np.array_equal(control["big"], masked["big"]))
    kept = np.asarray(control["big"])
    np.testing.assert_array_equal(kept[kept != 0], np.asarray(PARAMS["big"])[kept != 0])
    same = _random_like(params, params, key=jax.random.key(1))
    jax.tree.map(np.testing.assert_array_equal, same, params)

  def test_noise_has_the_norm_of_what_was_removed(self):
    masked = _magnitude(PARAMS, 0.4)
    noisy = _noise_like(PARAMS, masked, key=jax.random.key(2))
    for name in ("big", "small"):
      added = (np.asarray(noisy[name]) - PARAMS[name]).astype(np.float64)
      removed = (np.asarray(masked[name]) - PARAMS[name]).astype(np.float64)
      np.testing.assert_allclose(np.linalg.norm(added), np.linalg.norm(removed), rtol=1e-5)
      # Spread evenly, unlike what was removed: kurtosis of a Gaussian, 3.
      kurtosis = np.mean(added**4) / np.mean(added**2) ** 2
      self.assertAlmostEqual(kurtosis, 3, delta=0.9)
    np.testing.assert_array_equal(noisy["gain"], PARAMS["gain"])
    same = _noise_like(PARAMS, PARAMS, key=jax.random.key(2))
    jax.tree.map(np.testing.assert_array_equal, same, PARAMS)

  def test_survival_counts_what_is_left(self):
    masked = _magnitude(PARAMS, 0.4)
    survival = jax.jit(functools.partial(masking.survival, where=WHERE))(PARAMS, masked)
    kept = _kept(masked)
    self.assertEqual(list(survival), ["big", "small"])
    self.assertAlmostEqual(float(survival["big"]), kept["big"] / 600, places=6)
    self.assertAlmostEqual(float(survival["small"]), kept["small"] / 400, places=6)

  def test_controls_vmap_over_strengths_seeds_and_keys(self):
    params_S = jax.tree.map(lambda *leaf_S: np.stack(leaf_S), _params(1), _params(2))
    keep_R = np.float32([0.2, 0.7])
    key_R = jax.random.split(jax.random.key(9), 2)

    small = trees.select(PARAMS, "small")

    @jax.jit
    def both(params, keep, key):
      masked = masking.magnitude(params, keep, where=small)
      return (
        masking.random_like(params, masked, where=small, key=key),
        masking.noise_like(params, masked, where=small, key=key),
      )

    grid = jax.vmap(jax.vmap(both, (None, 0, 0)), (0, None, None))
    swept = grid(params_S, keep_R, key_R)
    alone = both(_params(2), keep_R[1], key_R[1])
    at = jax.tree.map(lambda leaf: np.asarray(leaf)[1, 1], swept)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), at, alone)


if __name__ == "__main__":
  absltest.main()
