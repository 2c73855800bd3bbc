import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens.lens import legacy
from primelens.models import spacing
from primelens.studies.zeros import anchors, scoring
from primelens.tasks import windows

PHI, SCALE, COUNT = -0.6, 0.2, 140_000
ENTROPY = 0.5 * (np.log(2 * np.pi * SCALE**2) + 1)


def first_order(params, x_BxT, **_):
  """A Gaussian AR(1) with the given coefficient, mean and scale."""
  mean_BxT = params["mean"] + params["phi"] * (x_BxT - 1)
  return tiny_study.gaussian(mean_BxT, params["scale"]), {}


def _run(params_S, value_N, split=windows.published_tail, window=None):
  model = tiny_study.tiny_model()
  model.window = window or tiny_study.T
  return tiny_study.handmade(
    first_order,
    {name: jnp.array(value) for name, value in params_S.items()},
    value_N,
    model=model,
    fresh_S={"phi": jnp.zeros(1), "mean": jnp.ones(1), "scale": jnp.ones(1)},
    splits=split(len(value_N), window=model.window, gap=50),
    changed={"evaluation.windows": 100, "bootstrap.samples": 200, "bootstrap.block": 100},
  )


class AnchorsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.value_N = tiny_study.ar([PHI], COUNT, scale=SCALE)
    train_N = cls.value_N[
      slice(*windows.published_tail(COUNT, window=16)["train_published"])
    ].astype(np.float64)
    # Seed 3 knows the process, seed 4 only mean and variance of train.
    cls.run_ = _run(
      {"phi": [PHI, 0.0], "mean": [1.0, train_N.mean()], "scale": [SCALE, train_N.std()]},
      cls.value_N,
    )
    cls.result = anchors.run(cls.run_)
    cls.rows = {row["name"]: row for row in cls.result.table}

  def _named(self, pattern: str) -> dict:
    [row] = [row for name, row in self.rows.items() if pattern in name]
    return row

  def test_every_required_anchor_is_there(self):
    names = list(self.rows)
    self.assertEqual(names[:2], ["model (handmade)", "untrained network"])
    for name in ("marginal (KDE)", "AR(3)", "AR(16)", "AR(64)", "AR(256)"):
      self.assertIn(name, names)
    self._named("inside the window")
    self._named("adaptive AR(256), least squares, W=20,000")
    self._named("last 100,000 of the model's train")
    self._named("last 100,000 of train")
    for row in self.result.table[1:]:
      self.assertTrue({"nll_nats", "low", "high", "r2", "model_minus_nats"} <= set(row))
      self.assertLess(row["low"], row["nll_nats"])
      self.assertGreater(row["high"], row["nll_nats"])

  def test_anchors_reach_the_entropy_of_the_process(self):
    index_M = scoring.targets(self.run_, self.run_.batches("test", 100)[1])
    noise_M = self.value_N[index_M] - 1 - PHI * (self.value_N[index_M - 1] - 1)
    best = tiny_study.normal_nll(noise_M, SCALE).mean()
    self.assertAlmostEqual(best, ENTROPY, delta=0.05)
    for name in ("AR(3)", "AR(16)", "AR(64)"):
      self.assertAlmostEqual(self.rows[name]["nll_nats"], best, delta=0.003)
      self.assertAlmostEqual(self.rows[name]["r2"], PHI**2, delta=0.05)
    constant = self.rows["constant Gaussian"]["nll_nats"]
    lost = -0.5 * np.log(1 - PHI**2)  # what one lag tells
    self.assertAlmostEqual(constant - best, lost, delta=0.05)
    self.assertAlmostEqual(self.rows["marginal (KDE)"]["nll_nats"], constant, delta=0.01)

  def test_the_untrained_network_is_scored_too(self):
    index_M = scoring.targets(self.run_, self.run_.batches("test", 100)[1])
    expected = tiny_study.normal_nll(self.value_N[index_M] - 1).mean()
    row = self.rows["untrained network"]
    self.assertAlmostEqual(row["nll_nats"], expected, places=5)

  def test_model_and_anchors_are_scored_on_the_same_positions(self):
    # The second seed is the constant Gaussian, so on the same positions it
    # scores exactly as that anchor does.
    constant = self.rows["constant Gaussian"]
    self.assertAlmostEqual(self.result.nll_S[1], constant["nll_nats"], places=5)
    self.assertEqual(self.result.scored, 100 * 9)
    self.assertEqual(self.result.min_context, 8)

  def test_differences_are_paired(self):
    model = self.rows["model (handmade)"]["nll_nats"]
    self.assertAlmostEqual(model, self.result.nll_S.mean(), places=6)
    for row in self.result.table[1:]:
      self.assertAlmostEqual(row["model_minus_nats"], model - row["nll_nats"], places=6)

  def test_blocks_of_height_average_to_the_table(self):
    result = self.result
    self.assertEqual(result.block_nll_ExP.shape, (len(result.table), len(result.height_P)))
    self.assertTrue((np.diff(result.height_P) > 0).all())
    sizes_P = [len(part) for part in np.array_split(range(100), 8)]
    np.testing.assert_allclose(
      result.block_nll_ExP @ sizes_P / 100, [row["nll_nats"] for row in result.table], rtol=1e-6
    )

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "anchors", self.result, provenance={})
    back, _ = legacy.read(folder, "anchors", anchors.Result)
    jax.tree.map(np.testing.assert_array_equal, vars(back), vars(self.result))


class PermutationTest(absltest.TestCase):
  """A network whose mean is off by the first slot's id, times `shift`."""

  def _run(self, memory="postfix"):
    def by_order(params, x_BxT, *, slot_order_M=None, **_):
      first = 0 if slot_order_M is None else slot_order_M[0]
      mean_Bx1 = x_BxT[:, -1:] + params["shift"] * first
      return tiny_study.gaussian(mean_Bx1, SCALE), {}

    shift_S = {"shift": jnp.array([0.1, 0.4])}
    return tiny_study.handmade(
      by_order,
      shift_S,
      tiny_study.ar([0.5], 3000),
      model=tiny_study.tiny_model(memory),
      fresh_S=shift_S,
      changed={
        "evaluation.windows": 30,
        "evaluation.permutations": 12,
        "evaluation.permutation_windows": 20,
      },
    )

  def test_nll_of_each_order_and_of_their_average_density(self):
    run = self._run()
    result = anchors.run(run)
    window_NxT1, _ = run.batches("test", 20)
    step_N = np.diff(window_NxT1[:, -2:].astype(np.float64))[:, 0]
    first_R = spacing.slot_orders(2, 12)[:, 0]
    self.assertEqual(set(first_R), {0, 1})
    for s, shift in enumerate((0.1, 0.4)):
      nll_RxN = np.stack([tiny_study.normal_nll(step_N - shift * f, SCALE) for f in first_R])
      np.testing.assert_allclose(result.permuted_nll_SxR[s], nll_RxN.mean(1), rtol=1e-5)
      expected = -np.log(np.exp(-nll_RxN).mean(0)).mean()
      self.assertAlmostEqual(result.ensemble_nll_S[s], expected, places=5)
    self.assertEqual(result.permuted_windows, 20)

  def test_the_table_has_the_fixed_order(self):
    run = self._run()
    window_NxT1, _ = run.batches("test", 30)
    step_N = np.diff(window_NxT1[:, -2:].astype(np.float64))[:, 0]
    expected = tiny_study.normal_nll(step_N, SCALE).mean()
    np.testing.assert_allclose(anchors.run(run).nll_S, expected, rtol=1e-5)

  def test_a_network_without_slots_has_none(self):
    result = anchors.run(self._run("none"))
    self.assertEqual(result.permuted_nll_SxR.shape, (2, 0))
    self.assertTrue(np.isnan(result.ensemble_nll_S).all())


class WindowTest(parameterized.TestCase):
  def test_the_order_is_chosen_on_select(self):
    # A season of 20 in train and select, which only the longest filter sees,
    # and noise in test, where that filter is the worst.
    value_N = tiny_study.ar([*[0.0] * 19, 0.9], 20_000)
    splits = windows.contiguous(20_000, window=64, gap=64)
    first, last = splits["test"]
    value_N[first:last] = 1 + np.random.default_rng(1).normal(0, value_N.std(), last - first)
    model = tiny_study.tiny_model()
    model.window = 64
    params_S = {"phi": jnp.zeros(1), "mean": jnp.ones(1), "scale": jnp.ones(1)}
    run = tiny_study.handmade(
      first_order,
      params_S,
      value_N,
      model=model,
      splits=splits,
      fresh_S=params_S,
      changed={"evaluation.min_context": 24},
    )
    rows = {row["name"]: row for row in anchors.run(run).table}
    chosen = rows["AR(24) inside the window"]
    self.assertLess(rows["AR(16)"]["nll_nats"], chosen["nll_nats"])
    self.assertLess(rows["AR(3)"]["nll_nats"], chosen["nll_nats"])

  @parameterized.parameters(
    ("none", 256, 128, tuple(range(8, 129, 8))),
    ("none", 256, 30, (8, 16, 24)),
    ("none", 16, 5, (5,)),
    ("postfix", 64, 5, tuple(range(8, 65, 8))),
    ("postfix", 256, 128, tuple(range(8, 129, 8))),
  )
  def test_orders_stay_inside(self, memory, window, context, expected):
    model = tiny_study.tiny_model(memory)
    model.window = window
    run = tiny_study.handmade(
      first_order, {}, np.ones(5000), model=model, changed={"evaluation.min_context": context}
    )
    self.assertEqual(anchors._inside(run), expected)


class SameSeedsTest(absltest.TestCase):
  def test_a_model_equal_to_an_anchor_differs_by_nothing(self):
    value_N = tiny_study.ar([PHI], 5000, scale=SCALE)
    splits = windows.contiguous(5000, window=16, gap=50)
    train_N = value_N[slice(*splits["train"])].astype(np.float64)
    run = _run(
      {"phi": [0.0], "mean": [train_N.mean()], "scale": [train_N.std()]},
      value_N,
      split=windows.contiguous,
    )
    run.settings.evaluation.windows = 20
    rows = {row["name"]: row for row in anchors.run(run).table}
    row = rows["constant Gaussian"]
    for name in ("model_minus_nats", "model_minus_low", "model_minus_high"):
      self.assertAlmostEqual(row[name], 0, places=5)
    self.assertFalse([name for name in rows if "adaptive" in name])


if __name__ == "__main__":
  absltest.main()
