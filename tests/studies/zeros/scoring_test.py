import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens.studies.zeros import scoring

T, CONTEXT = tiny_study.T, 8


def repeat(params, x_BxT, **_):
  """Expects every spacing to be the one before it, give or take `scale`."""
  return tiny_study.gaussian(x_BxT, params["scale"]), {}


def repeat_last(params, x_BxT, **_):
  """The same once per window, as postfix models predict."""
  return tiny_study.gaussian(x_BxT[:, -1:], params["scale"]), {}


def _run(apply_fn=repeat, **options):
  value_N = tiny_study.ar([0.5], 1200)
  params_S = {"scale": np.array([0.5, 2.0], np.float32)}
  return tiny_study.handmade(apply_fn, params_S, value_N, **options)


def _scored(run, count):
  window_NxT1, start_N = run.batches("test", count)
  nll_SxNxU = scoring.nll(scoring.mixtures(run, window_NxT1), window_NxT1)
  return nll_SxNxU.mean(-1), window_NxT1, start_N


class ScoreTest(absltest.TestCase):
  def test_nll_is_that_of_the_scored_positions(self):
    run = _run()
    nll_SxN, _, start_N = _scored(run, 0)
    error_N = np.diff(run.series.value_N)
    for n, start in enumerate(start_N):
      scored = slice(start + CONTEXT - 1, start + T)  # s[i] - s[i - 1] at i - 1
      for s, scale in enumerate((0.5, 2.0)):
        expected = tiny_study.normal_nll(error_N[scored], scale).mean()
        self.assertAlmostEqual(nll_SxN[s, n], expected, places=5)

  def test_targets_are_the_spacings_that_are_scored(self):
    run = _run()
    nll_SxN, window_NxT1, start_N = _scored(run, 5)
    index_NxU = scoring.targets(run, start_N)
    self.assertEqual(index_NxU.shape, (5, T - CONTEXT + 1))
    value_N = run.series.value_N
    np.testing.assert_array_equal(value_N[index_NxU], window_NxT1[:, CONTEXT:])
    error_NxU = value_N[index_NxU] - value_N[index_NxU - 1]
    expected_N = tiny_study.normal_nll(error_NxU, 0.5).mean(1)
    np.testing.assert_allclose(nll_SxN[0], expected_N, rtol=1e-5)

  def test_a_postfix_model_is_scored_once_per_window(self):
    run = _run(repeat_last, model=tiny_study.tiny_model("postfix"))
    nll_SxN, window_NxT1, start_N = _scored(run, 0)
    index_NxU = scoring.targets(run, start_N)
    np.testing.assert_array_equal(index_NxU, start_N[:, None] + T)
    np.testing.assert_array_equal(np.diff(start_N), 1)  # disjoint targets
    error_N = window_NxT1[:, T] - window_NxT1[:, T - 1]
    expected_N = tiny_study.normal_nll(error_N, 2.0)
    np.testing.assert_allclose(nll_SxN[1], expected_N, rtol=1e-5)

  def test_no_spacing_is_scored_twice_and_none_before_the_split(self):
    run = _run()
    start_N = run.batches("test")[1]
    index_M = scoring.targets(run, start_N).ravel()
    np.testing.assert_array_equal(np.diff(index_M), 1)
    self.assertEqual(index_M[0], run.series.splits["test"][0] + CONTEXT)

  def test_mixtures_are_those_behind_the_nll(self):
    run = _run()
    window_NxT1, _ = run.batches("test", 4)
    mean_SxNxUxK = np.asarray(scoring.mixtures(run, window_NxT1).mean)
    self.assertEqual(mean_SxNxUxK.shape, (2, 4, T - CONTEXT + 1, 1))
    np.testing.assert_array_equal(mean_SxNxUxK[0, ..., 0], window_NxT1[:, CONTEXT - 1 : T])


class BlockTest(parameterized.TestCase):
  @parameterized.parameters(
    (1000, 129, 300, 8),  # ceil(1000 / 129)
    (1000, 1000, 300, 1),
    (1000, 1, 8000, 1000),
    (1000, 1, 400, 100),  # at least four blocks
    (1000, 5000, 300, 1),
    (1000, 129, 3, 1),
    (1000, 129, 1, 1),
  )
  def test_windows_of_a_block(self, block, step, count, expected):
    run = _run(changed={"bootstrap.block": block})
    start_N = 77 + step * np.arange(count)
    self.assertEqual(scoring.block_windows(run, start_N), expected)


class IntervalTest(absltest.TestCase):
  def _width(self, value_SxN, block: int):
    run = _run(changed={"bootstrap.block": block, "bootstrap.samples": 2000})
    interval = scoring.interval(run, value_SxN, np.arange(value_SxN.shape[1]))
    self.assertAlmostEqual(float(interval.estimate), value_SxN.mean())
    self.assertLess(interval.low, interval.estimate)
    self.assertGreater(interval.high, interval.estimate)
    return float(interval.high - interval.low)

  def test_width_for_independent_windows(self):
    value_SxN = np.random.default_rng(0).normal(size=(1, 2000))
    expected = 2 * 1.96 / np.sqrt(2000)
    self.assertAlmostEqual(self._width(value_SxN, 1), expected, delta=0.1 * expected)

  def test_blocks_see_dependence(self):
    value_SxN = np.repeat(np.random.default_rng(0).normal(size=(1, 200)), 10, 1)
    expected = 2 * 1.96 / np.sqrt(200)
    self.assertAlmostEqual(self._width(value_SxN, 50), expected, delta=0.25 * expected)
    self.assertLess(self._width(value_SxN, 1), 0.5 * expected)

  def test_seeds_count_too(self):
    seed_Sx1 = np.random.default_rng(0).normal(size=(40, 1))
    value_SxN = seed_Sx1 + np.zeros((1, 50))
    expected = 2 * 1.96 * seed_Sx1.std() / np.sqrt(40)
    self.assertAlmostEqual(self._width(value_SxN, 1), expected, delta=0.1 * expected)


if __name__ == "__main__":
  absltest.main()
