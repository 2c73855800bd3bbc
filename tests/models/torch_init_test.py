import jax
import numpy as np
import scipy.special
from absl.testing import absltest, parameterized
from primelens.models import imports, transformer
from primelens.tasks import addition, mersenne

MODULAR = dict(digits=113, modular=True, train_fraction=0.3)


def forward(params, token_Nx3):
  """Returns the logits at "=" in plain numpy, float64, position by position."""
  params = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
  layer = jax.tree.map(lambda x: x[0], params["blocks"])
  kernel = {k: v["kernel"] for k, v in layer["attention"].items()}
  place_TxD = params["positions"]["embedding"][None]
  x_NxTxD = params["embedding"]["embedding"][token_Nx3] + place_TxD
  q, k, v = (
    np.einsum("ntd,dhk->nthk", x_NxTxD, kernel[name]) for name in ("query", "key", "value")
  )
  score_NxHxT = np.einsum("nhk,nthk->nht", q[:, -1], k) / np.sqrt(32)
  pattern_NxHxT = scipy.special.softmax(score_NxHxT, axis=-1)
  head = np.einsum("nht,nthk->nhk", pattern_NxHxT, v)
  mid = x_NxTxD[:, -1] + np.einsum("nhk,hkd->nd", head, kernel["out"])
  mlp = {k: v["kernel"] for k, v in layer["mlp"].items()}
  post = mid + np.maximum(mid @ mlp["up"], 0) @ mlp["down"]
  return post @ params["unembed"]["kernel"]


class InitTest(parameterized.TestCase):
  # From docs/sources/addition.md, section 2; the source printed 4.7350 / 4.7333.
  @parameterized.parameters(
    ({}, "new", 3.003721, 3.005199, 200_960),
    (MODULAR, "old", 4.734958, 4.733274, 226_048),
    (MODULAR, "new", 4.735886, 4.732981, 226_048),
  )
  def test_initial_losses(self, task, order, train, test, count):
    data = addition.load(addition.Config(**task))
    params = imports.initial_adder(
      999, vocabulary=data.digits + 1, classes=data.classes, order=order
    )
    self.assertEqual(transformer.parameter_count(params), count)
    logit_NxV = forward(params, data.token_Nx3)
    log_NxV = scipy.special.log_softmax(logit_NxV, axis=1)
    nll_N = -np.take_along_axis(log_NxV, data.label_SxN[0][:, None], 1)[:, 0]
    self.assertAlmostEqual(nll_N[data.train_SxN[0]].mean(), train, delta=6e-7)
    self.assertAlmostEqual(nll_N[data.test_SxN[0]].mean(), test, delta=6e-7)

  def test_scale_and_layers(self):
    params = imports.initial_adder(1, vocabulary=98, classes=97, layers=2)
    kernel = params["blocks"]["attention"]["query"]["kernel"]
    self.assertEqual(kernel.shape, (2, 128, 4, 32))
    for leaf in jax.tree.leaves(params):
      self.assertAlmostEqual(leaf.std(), 0.0707107, delta=0.004)
      self.assertEqual(leaf.dtype, np.float32)
    self.assertGreater(np.abs(kernel[0] - kernel[1]).max(), 0.1)

  def test_blocks_follow_each_other_in_the_stream(self):
    width, block = 128, 4 * 128**2 + 2 * 128 * 512
    start = (98 + 3) * width  # after W_E and W_pos
    count = start + 2 * block + width * 97
    [stream] = mersenne.normals(1, [(count,)])
    params = imports.initial_adder(1, vocabulary=98, classes=97, layers=2)
    attention = params["blocks"]["attention"]
    for layer in range(2):
      query, out = np.split(stream[start + layer * block :][: 2 * width**2], 2)
      for head in range(4):
        part = query.reshape(4, width, 32)[head]
        found = attention["query"]["kernel"][layer, :, head]
        np.testing.assert_allclose(found, part * 0.8 / width**0.5, rtol=1e-6)
      found = attention["out"]["kernel"][layer].reshape(-1)
      np.testing.assert_allclose(found, out * 0.8 / width**0.5, rtol=1e-6)
    last = stream[-width * 97 :].reshape(width, 97) * 0.8 / width**0.5
    np.testing.assert_allclose(params["unembed"]["kernel"], last, rtol=1e-6)

  def test_heads_that_do_not_divide_the_width(self):
    with self.assertRaisesRegex(ValueError, "width=128 is not a multiple"):
      imports.initial_adder(0, vocabulary=11, classes=20, heads=3)

  def test_unknown_order(self):
    with self.assertRaisesRegex(ValueError, "'x' is not one of new, old"):
      imports.initial_adder(0, vocabulary=11, classes=20, order="x")


if __name__ == "__main__":
  absltest.main()
