import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from jitted import Jitted
from primelens.models import pair_table as pair_table_lib
from primelens.models import tokens
from primelens.tasks import addition

MODEL = tokens.Config()
TOKEN_Nx3 = np.asarray(addition.load(addition.Config()).token_Nx3)
pair_table = Jitted(pair_table_lib)
# Scores of several units, so that attention is far from an average.
PARAMS = jax.jit(lambda key: jax.tree.map(lambda x: 3 * x, tokens.init(MODEL, key)))(
  jax.random.key(0)
)
ROW_N = np.array([3, 99, 41, 40, 0, 77])


class PairTableTest(parameterized.TestCase):
  def test_equals_the_generic_forward(self):
    sites = ("residual/mid", "attention/pattern")
    forward = jax.jit(functools.partial(tokens.apply, MODEL, sites=sites))
    expected, site = jax.device_get(forward(PARAMS, TOKEN_Nx3))
    scale = np.abs(expected).max()
    hot_NxE = jax.jit(lambda token_NxT: pair_table_lib.one_hot(token_NxT, 10))(TOKEN_Nx3[:, :2])
    close = lambda a, b, by: np.testing.assert_allclose(a, b, atol=2e-6 * by)
    close(pair_table.logits(PARAMS, hot_NxE), expected, scale)
    close(pair_table.all_logits(PARAMS), expected, scale)
    close(pair_table.all_logits(PARAMS, ROW_N), expected[ROW_N], scale)
    mid = site["residual/mid"][0, :, -1]
    close(pair_table.residual(PARAMS, hot_NxE), mid, np.abs(mid).max())
    # The test means something: the heads attend differently to inputs.
    pattern = site["attention/pattern"][0, :, :, -1]
    self.assertGreater(pattern[..., 0].std(axis=0).min(), 0.05)

  def test_gradients_equal_the_generic_ones(self):
    label_N = np.arange(100) % 20

    def by_table(params):
      hot = pair_table_lib.one_hot(TOKEN_Nx3[ROW_N, :2], 10)
      logit = pair_table_lib.logits(params, hot)
      return tokens.margin_nll(logit, label_N[ROW_N]).mean()

    def by_sequence(params):
      logit, _ = tokens.apply(MODEL, params, TOKEN_Nx3[ROW_N])
      return tokens.margin_nll(logit, label_N[ROW_N]).mean()

    ours, expected = (jax.jit(jax.grad(f))(PARAMS) for f in (by_table, by_sequence))
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
      np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(b).max())

  def test_large_scores_do_not_overflow(self):
    params = jax.tree.map(lambda x: 6 * np.asarray(x), PARAMS)
    logit_NxV = pair_table.all_logits(params)
    self.assertTrue(np.isfinite(logit_NxV).all())

  @parameterized.parameters(
    {"layers": 2},
    {"norm": "pre"},
    {"final_norm": True},
    {"bias": True},
    {"positions": "rotary"},
    {"mask": "full"},
    {"activation": "gelu"},
    {"dropout": 0.1},
    {"dtype": "bfloat16"},
  )
  def test_supports_no_other_trunk(self, **change):
    self.assertTrue(pair_table_lib.supports(tokens.plain_trunk()))
    self.assertFalse(pair_table_lib.supports(tokens.plain_trunk(**change)))


_margin_nll = jax.jit(tokens.margin_nll)


class MarginTest(parameterized.TestCase):
  @parameterized.parameters(0.0, 5.0, 20.0, 60.0)
  def test_exact_where_log_softmax_is_not(self, gap):
    logit_NxV = np.float32([[gap, 0.0, -1.0]])
    found = _margin_nll(logit_NxV, np.array([0]))
    expected = np.log1p(np.exp(-gap) + np.exp(-1.0 - gap))
    np.testing.assert_allclose(found, [expected], rtol=1e-5)

  def test_gradient_keeps_its_digits(self):
    # d/dl_y = -(1 - p_y), which plain log-softmax rounds to 0 at a gap of 20.
    gap = 20.0
    loss = lambda own: tokens.margin_nll(jnp.array([[own, 0.0, 0.0]]), jnp.array([0]))[0]
    found = jax.jit(jax.grad(loss))(np.float32(gap))
    expected = -1 / (1 + np.exp(gap) / 2)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


if __name__ == "__main__":
  absltest.main()
