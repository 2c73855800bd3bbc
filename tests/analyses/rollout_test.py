import jax
import jax.numpy as jnp
import numpy as np
import scipy.signal
from absl.testing import absltest, parameterized
from primelens.analyses import rollout
from primelens.tasks import zeros

PUBLISHED = np.array([-0.4467, -0.2819, -0.1586])


def _sum_of_two(x_BxW, last, key):
  """Fibonacci: the last two known values, wherever they stand."""
  del key
  take = lambda at: jax.lax.dynamic_index_in_dim(x_BxW, at, 1, keepdims=False)
  return take(last) + take(last - 1)


class RollTest(parameterized.TestCase):
  @parameterized.parameters(0, 2, 3, 5, 40)
  def test_every_window_continues_the_same_recursion(self, window):
    context_BxT = jnp.array([[1.0, 1.0], [2.0, 1.0]])  # Fibonacci and Lucas
    rolled_BxQ = rollout.roll(_sum_of_two, context_BxT, 8, window=window)
    np.testing.assert_array_equal(
      rolled_BxQ, [[2, 3, 5, 8, 13, 21, 34, 55], [3, 4, 7, 11, 18, 29, 47, 76]]
    )

  def test_a_full_window_slides_and_a_longer_one_grows(self):
    seen = []

    def step(x_BxW, last, key):
      del key
      jax.debug.callback(lambda *a: seen.append(a), x_BxW, last, ordered=True)
      return x_BxW.max(1) + 1

    rollout.roll(step, jnp.array([[5.0, 6.0]]), 3, window=3)
    jax.effects_barrier()
    self.assertEqual([int(last) for _, last in seen], [1, 2, 2])
    inputs = [x.tolist() for x, _ in seen]
    self.assertEqual(inputs, [[[5, 6, 1]], [[5, 6, 7]], [[6, 7, 8]]])

  def test_each_step_draws_with_its_own_key(self):
    draw = lambda x, last, key: jax.random.normal(key, x.shape[:1])
    context_BxT = jnp.zeros((3, 2))
    rolled = rollout.roll(draw, context_BxT, 400, key=jax.random.key(1))
    again = rollout.roll(draw, context_BxT, 400, key=jax.random.key(1))
    np.testing.assert_array_equal(rolled, again)
    self.assertLess(np.abs(np.corrcoef(rolled[0, 1:], rolled[0, :-1])[0, 1]), 0.2)
    self.assertAlmostEqual(float(rolled.std()), 1.0, delta=0.1)

  @parameterized.parameters((0, 5, 0), (4, 0, 0), (4, 5, 3))
  def test_bad_sizes_are_refused(self, length, horizon, window):
    with self.assertRaisesRegex(ValueError, "1 <= context <= window"):
      rollout.roll(_sum_of_two, jnp.ones((1, length)), horizon, window=window)

  def test_seeds_are_an_axis(self):
    step = lambda scale, x: scale * x[:, -1]
    one = lambda scale: rollout.roll(lambda x, last, key: step(scale, x), jnp.ones((1, 2)), 3)
    rolled_SxBxQ = jax.jit(jax.vmap(one))(jnp.array([2.0, 3.0]))
    np.testing.assert_array_equal(rolled_SxBxQ[:, 0], [[2, 4, 8], [3, 9, 27]])

  def test_the_published_clamp_destroys_negative_residuals(self):
    draw_N = 0.4 * jax.random.normal(jax.random.key(0), (100_000,))
    kept_N = rollout.clamped_as_published(draw_N)
    self.assertAlmostEqual(float((kept_N == 0).mean()), 0.5, delta=0.01)
    # E max(r, 0) = sigma / sqrt(2 pi): a drift of every step.
    drift = 0.4 / np.sqrt(2 * np.pi)
    self.assertAlmostEqual(float(kept_N.mean()), drift, delta=0.002)


class LinearTest(absltest.TestCase):
  def test_equals_a_filter_started_from_the_past(self):
    past_NxQ = np.random.default_rng(0).normal(size=(5, 9))
    rolled_NxQ = rollout.linear(PUBLISHED, past_NxQ, 12)
    denominator = np.append(1, -PUBLISHED)
    for past_Q, rolled_Q in zip(past_NxQ, rolled_NxQ, strict=True):
      state = scipy.signal.lfiltic([1], denominator, past_Q[::-1])
      expected_Q, _ = scipy.signal.lfilter([1], denominator, np.zeros(12), zi=state)
      np.testing.assert_allclose(rolled_Q, expected_Q, atol=1e-12)

  def test_one_filter_per_row(self):
    past_NxQ = np.array([[1.0, 2.0], [1.0, 2.0]])
    rolled_NxQ = rollout.linear([[0.5, 0.0], [0.0, -1.0]], past_NxQ, 3)
    np.testing.assert_allclose(rolled_NxQ, [[1, 0.5, 0.25], [-1, -2, 1]])

  def test_published_operator_is_a_short_transient(self):
    # Moduli of the roots .507, .559, .559 (docs/sources/zeros.md, section 4.5).
    moduli = np.sort(np.abs(np.roots(np.append(1, -PUBLISHED))))
    np.testing.assert_allclose(moduli, [0.507, 0.559, 0.559], atol=6e-4)
    rolled_NxQ = rollout.linear(PUBLISHED, np.ones((1, 3)), 100)
    self.assertLess(np.abs(rolled_NxQ[:, 20:]).max(), 1e-4)

  def test_too_short_a_past_is_refused(self):
    with self.assertRaisesRegex(ValueError, "too few for a filter of 3"):
      rollout.linear(PUBLISHED, np.ones((1, 2)), 5)


class ErrorTest(absltest.TestCase):
  rolled_NxQ = np.array([[1.0, 1.0, 1.0, 1.0], [2.0, 0.0, 2.0, 0.0]])
  truth_NxQ = np.array([[0.5, 1.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0]])

  def test_cumulative(self):
    error_NxR = rollout.cumulative_error(self.rolled_NxQ, self.truth_NxQ, (1, 2, 3, 4))
    np.testing.assert_allclose(error_NxR, [[0.5, 0.5, 0.5, 0.5], [1, 0, 1, 0]])

  def test_per_step_and_at_a_step(self):
    step_NxQ = rollout.step_error(self.rolled_NxQ, self.truth_NxQ)
    np.testing.assert_allclose(step_NxQ, [[0.5, 0, 1, 0], [1, 1, 1, 1]])
    mean_N = rollout.per_step_error_as_published(self.rolled_NxQ, self.truth_NxQ)
    np.testing.assert_allclose(mean_N, [0.375, 1.0])

  def test_slope_of_a_power_law(self):
    error_Q = 0.3 * np.arange(1, 201) ** 0.076
    slope = rollout.log_log_slope_as_published(error_Q, (1, 10, 50, 200))
    self.assertAlmostEqual(slope, 0.076, places=12)

  def test_slope_of_the_published_errors(self):
    # err@1/10/50/200 of E4_s7, .260/.333/.346/.398, slope 0.0760.
    error_Q = np.ones(200)
    error_Q[[0, 9, 49, 199]] = 0.260, 0.333, 0.346, 0.398
    slope = rollout.log_log_slope_as_published(error_Q, (1, 10, 50, 200))
    self.assertAlmostEqual(slope, 0.0760, delta=6e-4)

  def test_bad_horizons_and_shapes(self):
    with self.assertRaisesRegex(ValueError, r"must lie in 1\.\.4"):
      rollout.cumulative_error(self.rolled_NxQ, self.truth_NxQ, (5,))
    with self.assertRaisesRegex(ValueError, "same starts and steps"):
      rollout.step_error(self.rolled_NxQ, self.truth_NxQ[:, :3])
    with self.assertRaisesRegex(ValueError, "two horizons or more"):
      rollout.log_log_slope_as_published(np.ones(4), (1,))


class ZerosTest(absltest.TestCase):
  """Anchors on Odlyzko's table; protocol of docs/sources/zeros.md, sections 4.12 and 5.8."""

  def test_constant_and_linear_rollouts_have_the_published_errors(self):
    series = zeros.load(zeros.Config(split="published_tail"))
    first, last = series.splits["test"]
    row_Nx256 = series.value_N[first:last].astype(np.float64).reshape(-1, 256)
    truth_NxQ = row_Nx256[:, 128:228]
    rolled_NxQ = 1 + rollout.linear(PUBLISHED, row_Nx256[:, :128] - 1, 100)
    one_NxQ = np.ones_like(truth_NxQ)
    # Published on 100 rows of other zeros; standard error of 100 rows: 0.03.
    for guess_NxQ, published in ((one_NxQ, 0.354), (rolled_NxQ, 0.310)):
      error_Nx1 = rollout.cumulative_error(guess_NxQ, truth_NxQ, (100,))
      tolerance = 2 * error_Nx1.std() * np.sqrt(1 / 100 + 1 / len(error_Nx1))
      self.assertAlmostEqual(error_Nx1.mean(), published, delta=tolerance)
      # They lose nothing to each other step by step: 0.335 and 0.334.
      mean = rollout.per_step_error_as_published(guess_NxQ, truth_NxQ).mean()
      self.assertAlmostEqual(mean, 0.3345, delta=0.01)


if __name__ == "__main__":
  absltest.main()
