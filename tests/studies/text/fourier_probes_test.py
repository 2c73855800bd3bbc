"""Fourier probes of states made by hand, beside scikit-learn's ridge; tiny runs to the end."""

import functools
import tempfile

import drawn
import jax
import numpy as np
import tiny_text
from absl.testing import absltest, parameterized
from primelens.analyses import linear
from primelens.lens import results
from primelens.studies.text import fourier_probes
from sklearn import linear_model, metrics, preprocessing

K, PLANTED = 97, (5, 17)


def wave(label_N, n, modulus=K):
  """cos and sin of 2 pi n r / m, as docs/sources/text.md writes them."""
  angle_N = 2 * np.pi * n * label_N / modulus
  return np.stack([np.cos(angle_N), np.sin(angle_N)], -1)


def labels(rows, seed=0):
  rng = np.random.default_rng(seed)
  return tuple(rng.integers(0, 1999, rows) for _ in range(2))


def measured(state, label, moduli, permutations=39):
  """Returns the targets and the probes of states SxNxD of both fourier_probes."""
  targets = fourier_probes.targets(*label, moduli)
  orders = [
    fourier_probes.permutations(len(part_N), permutations, i) for i, part_N in enumerate(label)
  ]
  states = [np.float32(x)[:, :, None] for x in state]
  return targets, fourier_probes.over_levels(*states, targets, label, orders)


class PlantedTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    rng = np.random.default_rng(1)
    cls.label = labels(500)
    mix_FxD = rng.normal(size=(4, 20)) * np.logspace(-2, 2, 20)
    waves = [np.concatenate([wave(label_N, n) for n in PLANTED], 1) for label_N in cls.label]
    noise = lambda: rng.normal(size=(500, 20)) * np.logspace(-2, 2, 20)
    # The first network has the waves, the second noise alone.
    cls.state = [np.stack([w @ mix_FxD + noise(), noise()]) for w in waves]
    cls.targets, cls.probed = measured(cls.state, cls.label, (K, 10))
    r2, null = (cls.probed[name][..., : K // 2] for name in ("r2_SxExQ", "null_SxExRxQ"))
    cls.r2_SxQ, cls.worth = r2[:, 0], fourier_probes.worth(r2, null)

  def test_planted_frequencies_are_found_and_no_other(self):
    p_SxQ, z_SxQ = self.worth["p"][:, 0], self.worth["z"][:, 0]
    at = np.array(PLANTED) - 1
    self.assertEqual(set(np.flatnonzero(p_SxQ[0] <= 0.05)), set(at))
    np.testing.assert_allclose(p_SxQ[0, at], 1 / 40)
    self.assertGreater(self.r2_SxQ[0, at].min(), 0.7)
    self.assertGreater(z_SxQ[0, at].min(), 30)
    others_Q = np.delete(self.r2_SxQ[0], at)
    self.assertLess(others_Q.max(), 0.05)
    above_Q = self.r2_SxQ[0] > self.worth["threshold"][0, 0]
    self.assertEqual(set(np.flatnonzero(above_Q)), set(at))

  def test_noise_has_nothing(self):
    self.assertGreater(self.worth["p"][1].min(), 0.05)
    self.assertLess(self.r2_SxQ[1].max(), 0.02)
    np.testing.assert_allclose(self.worth["z"][1].mean(), 0, atol=0.5)

  def test_digits_are_other_frequencies(self):
    digits_SxQ = self.probed["r2_SxExQ"][:, 0, K // 2 :]
    self.assertEqual(digits_SxQ.shape, (2, 5))
    self.assertLess(digits_SxQ.max(), 0.05)
    np.testing.assert_array_equal(self.targets.frequency_Q[K // 2 :], range(1, 6))

  def test_r2_is_scikit_learns(self):
    fitted_NxD, scored_NxD = (np.float32(x[0]) for x in self.state)
    scale = preprocessing.StandardScaler().fit(fitted_NxD.astype(float))
    z, t = (scale.transform(x) for x in (fitted_NxD, scored_NxD))
    for n in (1, 5, 40):
      y, truth = (wave(label_N, n) for label_N in self.label)
      score = []
      for alpha in linear.ALPHAS_R:
        total = 0
        for fold_N in np.split(np.arange(500), linear.FOLDS):
          rest_N = np.delete(np.arange(500), fold_N)
          inner = preprocessing.StandardScaler().fit(z[rest_N])
          one = linear_model.Ridge(alpha=alpha).fit(inner.transform(z[rest_N]), y[rest_N])
          guess = one.predict(inner.transform(z[fold_N]))
          total += metrics.r2_score(y[fold_N], guess)
        score.append(total)
      place = int(np.argmax(score))
      self.assertEqual(self.probed["place_SxExF"][0, 0, 2 * n - 2], place)
      probe = linear_model.Ridge(alpha=linear.ALPHAS_R[place]).fit(z, y)
      r2 = metrics.r2_score(truth, probe.predict(t))
      self.assertAlmostEqual(self.r2_SxQ[0, n - 1], r2, delta=1e-4)

  def test_directions_are_of_raw_states(self):
    # Features differ 10,000 times in size: a direction of standardised states
    # is no direction of raw ones.
    place_SxF = np.full((2, 2 * (K // 2)), linear.ALPHAS_R.index(1.0))
    count = 2 * (K // 2)
    found, best_SxQ = fourier_probes.subspaces(
      np.float32(self.state[0]),
      self.targets.wave_VxF[:, :count],
      self.targets.keep_F[:count],
      place_SxF,
      self.label[0],
      fourier_probes.permutations(500, 3, 0),
      jax.random.key(0),
      draws=2,
    )
    best_Q = np.asarray(best_SxQ)[0] + 1
    self.assertEqual(set(best_Q[:2]), set(PLANTED))
    self.assertEqual(found.read_RxDxK.shape, (2, 2 + 6 + 2, 20, 12))
    scale = preprocessing.StandardScaler().fit(self.state[0][0])
    z_NxD = scale.transform(self.state[0][0])
    y_NxK = np.concatenate([wave(self.label[0], n) for n in best_Q], 1)
    coef_KxD = linear_model.Ridge(alpha=1.0).fit(z_NxD, y_NxK).coef_
    basis_DxK, _ = np.linalg.qr((coef_KxD / scale.scale_).T)
    ours_DxK = np.asarray(found.read_RxDxK)[0, 0]
    np.testing.assert_allclose(ours_DxK @ ours_DxK.T, basis_DxK @ basis_DxK.T, atol=2e-3)
    gap_NxD = self.state[0][0] - self.state[0][0].mean(0)
    share = np.sum((gap_NxD @ basis_DxK) ** 2) / np.sum(gap_NxD**2)
    self.assertAlmostEqual(float(found.removed_R[0, 0]), share, delta=1e-3)
    # The oblique one leaves no covariance with the waves.
    read_DxK = np.asarray(found.read_RxDxK)[0, 1]
    write_DxK = np.asarray(found.write_RxDxK)[0, 1]
    left_NxD = gap_NxD - gap_NxD @ read_DxK @ write_DxK.T
    correlated = lambda x_NxD: np.max(
      np.abs((y_NxK - y_NxK.mean(0)).T @ (x_NxD / gap_NxD.std(0))) / len(y_NxK)
    )
    self.assertGreater(correlated(gap_NxD), 0.3)
    self.assertLess(correlated(left_NxD), 1e-2)


class TargetsTest(parameterized.TestCase):
  @parameterized.parameters(2, 8, 10, 97)
  def test_only_the_sine_of_half_the_modulus_is_dropped(self, modulus):
    targets = fourier_probes.targets(*labels(300), (modulus,))
    self.assertLen(targets.keep_F, 2 * (modulus // 2))
    dropped = np.flatnonzero(~targets.keep_F)
    even = modulus % 2 == 0
    np.testing.assert_array_equal(dropped, [modulus - 1] if even else [])
    value_F = np.arange(len(targets.keep_F), dtype=np.float32)
    mean_Q = np.asarray(jax.jit(fourier_probes.pairs)(value_F, targets.keep_F))
    expected_Q = value_F[::2] + 0.5
    expected_Q[-1] -= 0.5 * even
    np.testing.assert_allclose(mean_Q, expected_Q)

  def test_an_even_modulus_is_probed(self):
    rng = np.random.default_rng(2)
    label = labels(200, seed=3)
    state = [
      np.where(label_N % 2, 1.0, -1.0)[None, :, None] + 0.1 * rng.normal(size=6)
      for label_N in label
    ]
    targets, probed = measured(state, label, (4,), permutations=3)
    self.assertTrue(np.isfinite(probed["null_SxExRxQ"]).all())
    self.assertGreater(probed["r2_SxExQ"][0, 0, 1], 0.99)
    self.assertLess(probed["r2_SxExQ"][0, 0, 0], 0.05)
    np.testing.assert_array_equal(targets.frequency_Q, [1, 2])


class MaxTest(absltest.TestCase):
  def test_by_hand(self):
    null_RxQ = np.array([[0.0, 1], [2, 3], [0, 3], [2, 1]])
    found = fourier_probes.max_t(np.array([9.0, 2]), null_RxQ)
    np.testing.assert_allclose(found["z"], [8, 0])  # deviation 1, means 1, 2
    self.assertAlmostEqual(found["p"][0], 1 / 5)
    # About equal: 0 of the second; every permutation but one has more.
    self.assertGreater(found["p"][1], 0.5)
    np.testing.assert_allclose(found["threshold"], [2, 3])

  def test_states_all_the_same_are_worth_nothing(self):
    found = fourier_probes.max_t(np.full(3, -0.01), np.full((9, 3), -0.01))
    np.testing.assert_array_equal(found["z"], 0)
    np.testing.assert_array_equal(found["p"], 1)

  def test_p_of_noise_is_uniform(self):
    rng = np.random.default_rng(0)
    label = labels(150, seed=1)
    state = [rng.normal(size=(40, 150, 5)) for _ in label]
    _, probed = measured(state, label, (23,), permutations=19)
    found = fourier_probes.worth(probed["r2_SxExQ"], probed["null_SxExRxQ"])
    p_S = found["p"].min(-1)[:, 0]
    self.assertBetween(p_S.mean(), 0.38, 0.67)  # of uniform 1/20..1: 0.525
    self.assertLessEqual(np.mean(p_S <= 0.05), 0.15)

  def test_permutations(self):
    order_RxN = fourier_probes.permutations(7, 50, 0)
    np.testing.assert_array_equal(np.sort(order_RxN), [range(7)] * 50)
    self.assertLess(np.mean(order_RxN == np.arange(7)), 0.3)


@functools.cache
def small(modulus, outputs):
  """Returns what is measured of a tiny run of two networks that answer modulo a number."""
  config = tiny_text.experiment("modk", outputs=outputs, task={"modulus": modulus})
  return fourier_probes.measure(tiny_text.run(config))


class RunTest(parameterized.TestCase):
  def test_a_sum_has_no_residues(self):
    self.assertIn("'sum'", fourier_probes.obstacle(tiny_text.experiment()))
    self.assertEqual(fourier_probes.obstacle(tiny_text.experiment("modk")), "")

  @parameterized.parameters((97, 1), (97, 97), (6, 6))
  def test_is_stored_and_drawn(self, modulus, outputs):
    found = small(modulus, outputs)
    sizes = {"seed": 2, "level": 4, "frequency": modulus // 2}
    self.assertEqual(dict(found.r2.sizes), sizes)
    # 16 features and 200 rows: nothing is there to be found.
    self.assertLess(float(found.r2.max()), 0.1)
    self.assertEqual(fourier_probes.numbers(found), {})  # too small for the source's numbers
    np.testing.assert_allclose(
      found.first_r2.isel(frequency=-1), found.r2.mean("frequency"), rtol=1e-5
    )
    frequencies, digits, chosen, removed = fourier_probes.tables({"tiny": found})
    words = [list(map(int, row["frequencies"].split(", "))) for row in chosen.rows]
    self.assertEqual(words, found.removed_frequency.values.tolist())
    self.assertLen(frequencies.rows, 2 * 4)
    self.assertLen(digits.rows, 4 * 4)
    self.assertLen(removed.rows, 8)
    for row in removed.rows:
      self.assertEqual(row["rank"], 2 * min(6, modulus // 2))
      self.assertEqual(np.isfinite(row["accuracy"]), outputs > 1)
      self.assertEqual(np.isfinite(row["p"]), "permuted" in row["subspace"] or row["draws"] == 3)
    ridge_row = removed.rows[0]
    self.assertAlmostEqual(
      ridge_row["mean"].estimate, float(found.left.sel(subspace="ridge").mean())
    )
    with tempfile.TemporaryDirectory() as folder:
      results.write(folder, "fourier_probes", found, provenance={})
      again, _ = results.read(folder, "fourier_probes")
    self.assertTrue(again.identical(found))
    fewer = again.isel(seed=[0], frequency=slice(0, 2))
    drawn.one_and_all(self, fourier_probes.figures, {"a": again, "b": fewer})
    for runs in ({"a": again}, {"a": again, "b": fewer}):
      pages = fourier_probes.figures(runs)
      self.assertEqual(set(pages) - set(runs), {"all runs"} if len(runs) > 1 else set())
      for table in fourier_probes.tables(runs):
        self.assertLen(table.text().splitlines(), 2 + len(table.rows))

  def test_numbers_are_of_the_final_states(self):
    found = small(97, 1).assign_attrs(as_published=True)
    (own,) = fourier_probes.numbers(found).values()
    np.testing.assert_array_equal(own.value_S, found.r2.values[:, -1].max(-1))
    np.testing.assert_array_equal(own.untrained_S, found.untrained_r2.values[:, -1].max(-1))


if __name__ == "__main__":
  absltest.main()
