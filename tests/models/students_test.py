import jax
import numpy as np
import scipy.linalg
import scipy.special
from absl.testing import absltest, parameterized
from primelens.models import mixture as mixture_lib
from primelens.models import students

B, T, Q, H, K = 2, 9, 4, 5, 3


def _random(init):
  """Returns params of which no leaf has its trivial value."""
  shapes = jax.eval_shape(init, jax.random.key(0))
  rng = np.random.default_rng(0)
  draw = lambda leaf: np.float32(rng.normal(0, 0.4, leaf.shape))
  return jax.tree.map(draw, shapes)


def _mlp(key):
  return students.mlp_init(key, inputs=Q, hidden=H, components=K)


def _toeplitz(key):
  return students.toeplitz_init(key, taps=Q, components=K)


_apply_mlp, _apply_toeplitz = jax.jit(students.mlp), jax.jit(students.toeplitz)
STUDENTS = {"mlp": (_mlp, _apply_mlp), "toeplitz": (_toeplitz, _apply_toeplitz)}


def _spacings(seed=0):
  return np.random.default_rng(seed).gamma(6, 1 / 6, (B, T)).astype(np.float32)


def _lags(x_BxT):
  """The last Q of s - 1 at each position, newest first, 0 before the edge."""
  r_BxT = np.pad(x_BxT.astype(np.float64) - 1, ((0, 0), (Q, 0)))
  return np.stack([r_BxT[:, Q - q : Q - q + T] for q in range(Q)], axis=-1)


class StudentsTest(parameterized.TestCase):
  def test_lags(self):
    np.testing.assert_allclose(
      jax.jit(students.lags, static_argnums=1)(_spacings(), Q), _lags(_spacings()), atol=1e-6
    )

  def test_mlp_equals_numpy(self):
    params, x_BxT = jax.tree.map(np.asarray, _random(_mlp)), _spacings()
    pre = _lags(x_BxT) @ params["hidden"]["kernel"] + params["hidden"]["bias"]
    post = pre * scipy.special.ndtr(pre)  # the exact GELU
    raw = post @ params["head"]["kernel"] + params["head"]["bias"]
    mixture, activations = _apply_mlp(params, x_BxT)
    logit, mean, scale = np.split(np.asarray(raw, np.float64), 3, axis=-1)
    np.testing.assert_allclose(mixture.log_weight, scipy.special.log_softmax(logit, -1), atol=1e-5)
    np.testing.assert_allclose(mixture.mean, 1 + mean, atol=1e-5)
    np.testing.assert_allclose(mixture.scale, np.log1p(np.exp(scale)) + 1e-4, atol=1e-5)
    self.assertEqual(activations, {})

  def test_the_filter_is_a_lower_toeplitz_matrix(self):
    params, x_BxT = _random(_toeplitz), _spacings()
    column_T = np.zeros(T)
    column_T[:Q] = params["filter"]["kernel"]
    matrix_TxT = scipy.linalg.toeplitz(column_T, np.zeros(T))
    guess_BxT = (x_BxT.astype(np.float64) - 1) @ matrix_TxT.T
    mixture, _ = _apply_toeplitz(params, x_BxT)
    _, shift_K, raw_K = np.split(np.asarray(params["head"]["bias"]), 3)
    expected = 1 + guess_BxT[..., None] + shift_K
    np.testing.assert_allclose(mixture.mean, expected, atol=1e-5)
    for name in ("log_weight", "scale"):
      leaf = np.asarray(getattr(mixture, name))
      np.testing.assert_array_equal(leaf, np.broadcast_to(leaf[0, 0], leaf.shape), err_msg=name)
    np.testing.assert_allclose(
      np.asarray(mixture.scale)[0, 0], np.log1p(np.exp(raw_K)) + 1e-4, rtol=1e-5
    )

  @parameterized.parameters(*STUDENTS)
  def test_the_future_changes_nothing_before_it(self, name):
    init, apply = STUDENTS[name]
    params, x_BxT = _random(init), _spacings()
    other_BxT = np.concatenate([x_BxT[:, :6], _spacings(1)[:, 6:]], axis=1)
    before, after = (jax.device_get(apply(params, x)[0]) for x in (x_BxT, other_BxT))
    for one, two in zip(before, after, strict=True):
      np.testing.assert_array_equal(one[:, :6], two[:, :6])
    self.assertGreater(np.abs(before.mean - after.mean)[:, 6:].max(), 1e-3)

  @parameterized.parameters(*STUDENTS)
  def test_a_fresh_student_knows_the_marginal_roughly(self, name):
    init, apply = STUDENTS[name]
    mixture, _ = apply(jax.jit(init)(jax.random.key(0)), _spacings())
    mean, variance = (jax.jit(f)(mixture) for f in (mixture_lib.mean, mixture_lib.variance))
    np.testing.assert_allclose(mean, 1, atol=0.3)
    np.testing.assert_allclose(np.sqrt(variance), 0.4, atol=0.1)

  @parameterized.parameters(("mlp", (Q + 1) * H + (H + 1) * 3 * K), ("toeplitz", Q + 3 * K))
  def test_number_of_parameters(self, name, expected):
    shapes = jax.eval_shape(STUDENTS[name][0], jax.random.key(0))
    self.assertEqual(sum(s.size for s in jax.tree.leaves(shapes)), expected)


if __name__ == "__main__":
  absltest.main()
