"""Probes with hidden layers: products, steps written out, rows never looked at."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from primelens.analyses import mlp_probes
from sklearn import linear_model

ROWS = 600
FIT_N, SELECT_N = np.arange(300), np.arange(300, 400)
SCORE_N = np.arange(400, ROWS)
CONFIG = mlp_probes.Config(width=32, epochs=60, batch=32, rate=1e-2)


def pairs(networks: int):
  """Returns pairs of numbers and their products, of several networks."""
  rng = np.random.default_rng(0)
  x_SxNx2 = rng.normal(size=(networks, ROWS, 2)).astype(np.float32)
  return x_SxNx2, 5 + 3 * x_SxNx2.prod(-1)


def keys(networks: int):
  return jax.random.split(jax.random.key(1), networks)


def fit(config, x_SxNxD, y_SxN):
  found = keys(len(x_SxNxD))
  return mlp_probes.fit(config, x_SxNxD, y_SxN, FIT_N, SELECT_N, found)


def r2(truth_N, guess_N):
  return 1 - np.mean((truth_N - guess_N) ** 2) / np.var(truth_N)


def same(one, other) -> bool:
  equal = jax.tree.map(lambda a, b: np.array_equal(a, b), one, other)
  return all(jax.tree.leaves(equal))


class RegressionTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.x_SxNx2, cls.y_SxN = pairs(7)  # two groups
    cls.found = fit(CONFIG, cls.x_SxNx2, cls.y_SxN)
    cls.guess_SxN = np.asarray(mlp_probes.predict(cls.found.probe_S, cls.x_SxNx2))

  def test_reads_a_product_that_a_line_cannot(self):
    for x_Nx2, y_N, guess_N in zip(self.x_SxNx2, self.y_SxN, self.guess_SxN, strict=True):
      self.assertGreater(r2(y_N[SCORE_N], guess_N[SCORE_N]), 0.95)
      line = linear_model.Ridge(1.0).fit(x_Nx2[FIT_N], y_N[FIT_N])
      self.assertLess(line.score(x_Nx2[SCORE_N], y_N[SCORE_N]), 0.1)

  def test_networks_do_not_touch_each_other(self):
    alone = mlp_probes.fit(CONFIG, self.x_SxNx2[6:], self.y_SxN[6:], FIT_N, SELECT_N, keys(7)[6:])
    np.testing.assert_array_equal(alone.epoch_S, np.asarray(self.found.epoch_S)[6:])
    guess_1xN = np.asarray(mlp_probes.predict(alone.probe_S, self.x_SxNx2[6:]))
    np.testing.assert_allclose(guess_1xN[0], self.guess_SxN[6], atol=0.05)

  def test_rows_to_score_are_never_looked_at(self):
    x_SxNx2, y_SxN = self.x_SxNx2.copy(), self.y_SxN.copy()
    x_SxNx2[:, SCORE_N], y_SxN[:, SCORE_N] = 1e6, -1e6
    found = fit(CONFIG, x_SxNx2, y_SxN)
    self.assertTrue(same(found, self.found))

  def test_rows_to_select_by_choose_the_epoch_alone(self):
    # Opposite numbers there: every step away from the mean makes it worse.
    y_SxN = self.y_SxN.copy()
    y_SxN[:, SELECT_N] = 10 - y_SxN[:, SELECT_N]
    found = jax.device_get(fit(CONFIG, self.x_SxNx2, y_SxN))
    self.assertLess(max(found.epoch_S), np.min(self.found.epoch_S))
    s = int(np.argmin(found.epoch_S))
    cut = dataclasses.replace(CONFIG, epochs=int(found.epoch_S[s]))
    then = fit(cut, self.x_SxNx2, self.y_SxN)
    # The parameters of that epoch, whatever came later.
    own = jax.tree.map(lambda leaf: np.asarray(leaf)[s], (found.probe_S, then.probe_S))
    self.assertTrue(same(own[0].layers, own[1].layers))

  def test_loss_is_that_of_the_select_rows(self):
    deviation_S = self.y_SxN[:, FIT_N].std(1)
    gap_SxN = (self.guess_SxN - self.y_SxN)[:, SELECT_N]
    loss_S = np.mean(gap_SxN**2, 1) / deviation_S**2
    np.testing.assert_allclose(self.found.loss_S, loss_S, rtol=1e-3)

  def test_permuted_numbers_are_unreadable(self):
    rng = np.random.default_rng(2)
    y_SxN = rng.permuted(self.y_SxN, axis=1)
    found = fit(CONFIG, self.x_SxNx2, y_SxN)
    guess_SxN = mlp_probes.predict(found.probe_S, self.x_SxNx2)
    for y_N, guess_N in zip(y_SxN, np.asarray(guess_SxN), strict=True):
      self.assertLess(r2(y_N[SCORE_N], guess_N[SCORE_N]), 0.05)


class StepsTest(absltest.TestCase):
  def test_patience_ends_it(self):
    x_SxNx2, y_SxN = pairs(1)
    y_SxN = np.random.default_rng(3).permuted(y_SxN, axis=1)
    found = [fit(dataclasses.replace(CONFIG, patience=p), x_SxNx2, y_SxN) for p in (1, 20)]
    # With patience 1 it is the first minimum, else the lowest.
    self.assertLess(found[0].epoch_S[0], found[1].epoch_S[0])
    self.assertGreater(found[0].loss_S[0], found[1].loss_S[0])

  def test_steps_are_those_of_the_paper_on_adamw(self):
    # One batch, filled up: an epoch is a step over all rows.
    config = mlp_probes.Config(width=8, depth=2, epochs=5, batch=400)
    config = dataclasses.replace(config, decay=0.3, rate=3e-3)
    x_1xNx2, y_1xN = pairs(1)
    start = dataclasses.replace(config, rate=0.0, epochs=1)
    every = (x_1xNx2, y_1xN, FIT_N, FIT_N, keys(1))
    begun, found = (mlp_probes.fit(c, *every) for c in (start, config))
    first = lambda tree: jax.tree.map(lambda leaf: np.asarray(leaf)[0], tree)
    self.assertEqual(found.epoch_S[0], 5)
    layers, probe = first(begun.probe_S.layers), first(found.probe_S)
    scaled = jax.jit(type(probe.x).__call__)
    z_Nx2 = scaled(probe.x, x_1xNx2[0, FIT_N])
    z_N = np.asarray(scaled(probe.y, y_1xN[0, FIT_N][:, None]))[:, 0]
    self.assertAlmostEqual(float(z_N.std()), 1, places=5)

    def loss(layers):
      return jnp.mean((mlp_probes.outputs(layers, z_Nx2)[:, 0] - z_N) ** 2)

    gradient = jax.jit(jax.grad(loss))
    mean = square = jax.tree.map(np.zeros_like, layers)
    for t in range(1, 6):
      slope = jax.device_get(gradient(layers))
      mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, slope)
      square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, square, slope)

      def moved(p, m, v, t=t):
        step = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return p - 3e-3 * (step + 0.3 * p)

      layers = jax.tree.map(moved, layers, mean, square)
    for own, peer in zip(jax.tree.leaves(probe.layers), jax.tree.leaves(layers), strict=True):
      np.testing.assert_allclose(own, peer, atol=2e-5)

  def test_columns_of_zeros_count_for_nothing(self):
    x_1xNx2, y_1xN = pairs(1)
    config = mlp_probes.Config(width=64, epochs=1, rate=0.0)
    x_1xNxD = np.pad(x_1xNx2, ((0, 0), (0, 0), (0, 30)))
    kernel = fit(config, x_1xNxD, y_1xN).probe_S.layers[0]["kernel"]
    self.assertAlmostEqual(np.abs(np.asarray(kernel)).max(), 2**-0.5, delta=0.01)

  def test_classes(self):
    rng = np.random.default_rng(4)
    label_1xN = rng.integers(0, 3, (1, ROWS))
    centre_3x2 = np.array([[0, 4], [4, 0], [-4, -4]])
    noise = rng.normal(size=(1, ROWS, 2))
    x_1xNx2 = (centre_3x2[label_1xN] + 0.3 * noise).astype(np.float32)
    config = dataclasses.replace(CONFIG, classes=3, epochs=20)
    found = fit(config, x_1xNx2, label_1xN)
    guess_1xN = mlp_probes.predict(found.probe_S, x_1xNx2)
    np.testing.assert_array_equal(guess_1xN, label_1xN)
    self.assertLess(found.loss_S[0], 0.01)


if __name__ == "__main__":
  absltest.main()
