"""Guided predictors: what they are told, how they weigh it, what they see."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
import scipy.stats
from absl.testing import absltest, parameterized
from primelens.models import guided, mixture, transformer

T, K, D = 9, 2, 8
KEY = jax.random.key(0)
NAMES = ("ar:3", "height", "adaptive")  # two guesses around the height
LOG_SCALE = np.array([-0.7, -1.2], np.float32)


def config(guides=NAMES, **options):
  return guided.Config(
    window=T,
    guides=guides,
    components=K,
    trunk=transformer.Config(
      width=D,
      layers=2,
      heads=2,
      hidden=16,
      max_positions=T,
      dropout=0.0,
      embed_dropout=0.0,
      init_std=0.5,
    ),
    **options,
  )


_INIT: dict = {}  # compiled once for equal configs


def parameters(its, log_scale=LOG_SCALE):
  start = jax.jit(lambda key: guided.init(its, key))
  fresh = _INIT.setdefault(repr(its), start)(KEY)
  return fresh | {"guides": {"log_scale": jnp.asarray(log_scale)}}


def rows(columns=4, seed=1, length=T):
  """Returns rows of a spacing and what guides say of the next, 2xTxJ1."""
  rng = np.random.default_rng(seed)
  row_BxTxJ1 = rng.normal(0, 0.4, (2, length, columns))
  row_BxTxJ1[..., 0] += 1
  return row_BxTxJ1.astype(np.float32)


_APPLY = jax.jit(lambda apply_fn, *args: apply_fn(*args), static_argnums=0)


def mixtures(its, params, x_BxTxJ1):
  found, _ = _APPLY(guided.bind(its), params, jnp.asarray(x_BxTxJ1))
  return mixture.Mixture(*(np.asarray(leaf) for leaf in found))


class MixtureTest(parameterized.TestCase):
  def test_by_hand(self):
    its, x = config(), rows()
    params = parameters(its)
    bias = np.array([0.3, -0.2, 0.5, -0.5, 0.1, -0.4, 0.2, -1.0], np.float32)
    params["head"] = {"kernel": np.zeros((D, 2 + 3 * K), np.float32), "bias": bias}
    found = mixtures(its, params, x)
    # The gate of the last guess is 1 + its raw number.
    centre = 1 + 0.3 * x[..., 1] + (1 - 0.2) * x[..., 3]
    unit = np.exp(-1.2)
    np.testing.assert_allclose(found.mean, centre[..., None] + unit * bias[4:6], rtol=1e-5)
    softplus = np.log1p((np.e - 1) * np.exp(bias[6:])) + 1e-4
    np.testing.assert_allclose(found.scale[0, 0], unit * softplus, rtol=1e-5)
    weight = scipy.special.softmax(bias[2:4])
    np.testing.assert_allclose(np.exp(found.log_weight[1, 3]), weight, rtol=1e-5)

  def test_a_closed_head_is_the_last_guess_with_its_own_scale(self):
    its, x = config(head_scale=0.0), rows()
    found = mixtures(its, parameters(its), x)
    np.testing.assert_allclose(found.mean, np.repeat(1 + x[..., 3:], K, axis=2), rtol=1e-6)
    np.testing.assert_allclose(found.scale, np.exp(-1.2), rtol=2e-4)

  def test_a_fresh_network_is_close_to_it(self):
    its, x = config(), rows()
    found = mixtures(its, parameters(its), x)
    away = (np.asarray(jax.jit(mixture.mean)(found)) - 1 - x[..., 3]) / np.exp(-1.2)
    self.assertBetween(np.abs(away).max(), 1e-4, 0.1)
    np.testing.assert_allclose(found.scale, np.exp(-1.2), rtol=0.1)

  @parameterized.parameters(((),), (("height",),))
  def test_without_a_guess_it_is_a_gaussian_around_1(self, guides):
    its = config(guides, head_scale=0.0)
    x = rows(1 + len(guides))
    found = mixtures(its, parameters(its, [-0.9]), x)
    np.testing.assert_allclose(found.mean, 1.0, rtol=1e-6)
    np.testing.assert_allclose(found.scale, np.exp(-0.9), rtol=2e-4)

  def test_score_is_the_nll_of_the_next_spacing(self):
    its, window = config(head_scale=0.0), rows(length=T + 1)
    score = jax.jit(lambda *of: guided.score(guided.bind(its), *of, min_context=4))
    found = np.asarray(score(parameters(its), window))
    self.assertEqual(found.shape, (2, T - 3))
    normal = scipy.stats.norm(1 + window[:, 3:-1, 3], np.exp(-1.2) + 1e-4)
    expected = -normal.logpdf(window[:, 4:, 0])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


class InputTest(absltest.TestCase):
  def test_told(self):
    its, x = config(), rows()
    expected = np.zeros((2, T, 6))
    for b, t in np.ndindex(2, T):
      before = x[b, t - 1, [1, 3]] if t else np.zeros(2)
      error = (x[b, t, 0] - 1 - before) / np.exp(LOG_SCALE)
      expected[b, t] = [x[b, t, 0], *error, *x[b, t, [1, 3]], x[b, t, 2]]
    found = jax.jit(lambda *of: guided.told(its, *of))(parameters(its), x)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)

  def test_every_guide_and_error_has_a_row_of_the_input(self):
    for guides in (NAMES, (), ("height",), ("ar:3",)):
      its = config(guides)
      params = jax.eval_shape(lambda key, its=its: guided.init(its, key), KEY)
      told = jax.eval_shape(
        lambda params, x, its=its: guided.told(its, params, x), params, rows(1 + len(guides))
      )
      self.assertEqual(told.shape[-1], len(params["input"]["kernel"]))


class FutureLeakTest(parameterized.TestCase):
  @parameterized.parameters(0, 1, 2, 3)
  def test_a_row_changes_nothing_before_it(self, column):
    # Column 0 is the row's spacing, the others guides of the next one.
    its, x = config(), rows()
    params, other = parameters(its), rows()
    other[:, 5, column] += 0.5
    one, two = (mixtures(its, params, each).mean for each in (x, other))
    np.testing.assert_array_equal(one[:, :5], two[:, :5])
    for t in range(5, T):
      self.assertGreater(np.abs(one - two)[:, t].max(), 1e-6)


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    ("adaptive", ("adaptive", 0)),
    ("height", ("height", 0)),
    ("ar:64", ("ar", 64)),
    ("waves:10000", ("waves", 10000)),
  )
  def test_names(self, name, expected):
    self.assertEqual(guided.parsed(name), expected)

  @parameterized.parameters(
    "ar", "ar:", "ar:0", "waves:2", "waves:x", "adaptive:3", "oracle", "ar:6:4"
  )
  def test_other_names_are_refused(self, name):
    message = f"^guides: '{name}' is not one of adaptive, ar:ORDER, .*height.$"
    with self.assertRaisesRegex(ValueError, message):
      guided.Config(guides=("height", name))

  def test_twice_is_refused(self):
    with self.assertRaisesRegex(ValueError, "name one twice"):
      guided.Config(guides=("ar:64", "ar:64"))

  def test_equal_configs_are_bound_alike(self):
    self.assertIs(guided.bind(config()), guided.bind(config()))
    self.assertIsNot(guided.bind(config()), guided.bind(config(())))

  def test_results_tell_them_apart(self):
    self.assertEqual(config().memory, "guided by ar:3, height, adaptive")
    self.assertEqual(config(()).memory, "guided by nothing")
    self.assertEqual(config().guesses, ("ar:3", "adaptive"))


if __name__ == "__main__":
  absltest.main()
