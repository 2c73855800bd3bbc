import dataclasses
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens.analyses import slot_diagnostics
from primelens.lens import legacy
from primelens.models import mixture as mixture_lib
from primelens.models import spacing
from primelens.studies.zeros import slots
from primelens.studies.zeros import slots_measures as measures

T, M, D = tiny_study.T, 3, 4
PHI, SCALE = 0.7, 0.2
MODEL = dataclasses.replace(tiny_study.tiny_model("postfix", slot_ids="permute_per_batch"), slots=M)


def any_slot_will_do(params, x_BxT, *, edits=None, sites=(), slot_keep_M=None, slot_order_M=None):
  """A model whose mean is 1 + gain (s - 1), gain the largest first content of
  the slots that stay, plus what the id at slot 0 says."""
  memory = params["memory"]
  keep_M = jnp.ones(M) if slot_keep_M is None else slot_keep_M
  order_M = jnp.arange(M) if slot_order_M is None else slot_order_M
  gain = jnp.max(keep_M * memory["content"][:, 0])
  shift = memory["slot_id"][order_M][0, 0]
  mean_Bx1 = 1 + shift + gain * (x_BxT[:, -1:] - 1)
  slot_MxE = jnp.zeros((M, T + M)).at[jnp.arange(M), 2 * jnp.arange(M)].set(0.5)
  pattern_ExE = jnp.zeros((T + M, T + M)).at[T:].set(slot_MxE)
  shape = (2, len(x_BxT), 2, T + M, T + M)
  found = {"attention/pattern": jnp.broadcast_to(pattern_ExE, shape)}
  return tiny_study.gaussian(mean_Bx1, SCALE), found if sites else {}


def _memory(gain_S, first_id: float = 0.0):
  """Returns identical slots whose first content is the seed's gain."""
  seeds = len(gain_S)
  gain_Sx1x1 = np.asarray(gain_S, np.float32)[:, None, None]
  content_SxMxD = jnp.asarray(np.tile(gain_Sx1x1, (1, M, D)))
  ids_SxMxD = jnp.zeros((seeds, M, D)).at[:, 0, 0].set(first_id)
  readout_SxM = jnp.log(jnp.array([[0.5, 0.25, 0.25]] * seeds))
  memory = {"content": content_SxMxD, "slot_id": ids_SxMxD}
  return {"memory": memory | {"readout": readout_SxM}}


class AnySlotTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    value_N = tiny_study.ar([PHI], 20_000, scale=SCALE)
    cls.run_ = tiny_study.handmade(
      any_slot_will_do,
      _memory([PHI, 0.5 * PHI]),
      value_N,
      model=MODEL,
      fresh_S=_memory([0.0, 0.0]),
      changed={
        "slots.windows": 40,
        "slots.draws": 3,
        "slots.rollouts": 2000,
        "bootstrap.samples": 200,
      },
    )
    with tiny_study.quick_compile():
      cls.result = slots.run(cls.run_)
    cls.test_NxT1, _ = cls.run_.batches("test", 40)

  def _nll(self, gain):
    seen_N, next_N = self.test_NxT1[:, -2:].T.astype(np.float64)
    return tiny_study.normal_nll(next_N - 1 - gain * (seen_N - 1), SCALE).mean()

  def _row(self, name):
    (row,) = (row for row in self.result.table if row["reading"] == name)
    return row

  def test_no_slot_alone_is_missed_but_all_of_them_are(self):
    result = self.result
    self.assertLen(result.keep_ExM, 2**M)
    np.testing.assert_allclose(result.delta_SxE[:, :-1], 0, atol=1e-6)
    for s, gain in enumerate((PHI, 0.5 * PHI)):
      expected = self._nll(0.0) - self._nll(gain)
      self.assertGreater(expected, 0.05)
      self.assertAlmostEqual(result.delta_SxE[s, -1], expected, places=4)
      self.assertAlmostEqual(result.joint_SxR[s, -1], expected, places=4)
    np.testing.assert_allclose(result.sum_as_published_SxR, 0, atol=1e-5)
    # Two seeds have t = tan(0.475 pi) and a standard error of half their distance.
    seeds = np.tan(0.475 * np.pi) * np.ptp(result.delta_SxE[:, -1]) / 2
    for low, high in (
      (result.joint_low_R[-1], result.joint_high_R[-1]),
      (result.delta_low_E[-1], result.delta_high_E[-1]),
    ):
      self.assertBetween((high - low) / 2, seeds, 1.2 * seeds)
      self.assertAlmostEqual((high + low) / 2, result.delta_SxE[:, -1].mean(), places=6)
    np.testing.assert_allclose(result.untrained_SxE, 0, atol=1e-6)

  def test_contents_zeroed_are_all_slots_removed_here(self):
    row = self._row("contents zeroed")
    self.assertAlmostEqual(row["value"], self.result.delta_SxE[:, -1].mean(), places=5)
    self.assertEqual((row["met"], row["untrained_met"], row["seeds"]), (2, 0, 2))

  def test_alike_in_content_and_without_effects(self):
    cosine_SxMxM = self.result.cosine_SxMxM
    np.testing.assert_allclose(cosine_SxMxM, 1, rtol=1e-6)
    self.assertEqual(self._row("mean cosine of slots")["met"], 0)
    np.testing.assert_allclose(self.result.effect_SxM, 0, atol=1e-6)

  def test_readout(self):
    # 0.5, 0.25, 0.25: 1.5 ln 2 nats, 2^1.5 slots.
    row = self._row("readout: exp(entropy) / M")
    self.assertAlmostEqual(row["value"], 2**1.5 / 3, places=6)
    row = self._row("readout: entropy / ln M, as published")
    self.assertAlmostEqual(row["value"], 1.5 * np.log(2) / np.log(3), places=6)

  def test_centres_of_one_hot_attention(self):
    attention_SxMxT = self.result.attention_SxMxT
    np.testing.assert_array_equal(attention_SxMxT.sum(-1), 0.5)
    row = self._row("sd of the slots' centres")
    self.assertAlmostEqual(row["value"], np.std([0, 2, 4]), places=6)
    self.assertEqual(row["rule"], "> 1.6")  # a tenth of 16

  def test_measured_again_is_measured_as_widely_as_windows_vary(self):
    nll_SxN = measures.last_nll(self.run_, self.run_.params_S, self.test_NxT1)
    draws_SxR = self.result.remeasured_nll_SxN
    expected_S = nll_SxN.std(1) / np.sqrt(self.result.random_windows)
    np.testing.assert_allclose(draws_SxR.std(1), expected_S, rtol=0.5)
    np.testing.assert_allclose(self.result.remeasured_single_SxN, 0, atol=1e-6)

  def test_rollout_errors_are_those_of_the_process(self):
    # One step: the noise alone. Four steps of AR(1): variance sum phi^2k.
    noise = SCALE * np.sqrt(2 / np.pi)
    four = noise * np.sqrt(sum(PHI ** (2 * k) for k in range(4)))
    np.testing.assert_allclose(self.result.error_SxQ[0], [noise, four], rtol=0.12)
    slope_S = np.log(self.result.error_SxQ[:, 1] / self.result.error_SxQ[:, 0])
    self.assertAlmostEqual(
      self._row("slope of ln error on ln h, as published")["value"], (slope_S / np.log(4)).mean()
    )

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "slots", self.result, provenance={})
    back, _ = legacy.read(folder, "slots", slots.Result)
    jax.tree.map(np.testing.assert_array_equal, vars(back), vars(self.result))


class OrderTest(absltest.TestCase):
  def test_permuted_ids_shift_the_mean_as_often_as_the_order_has_it(self):
    # Id 0 shifts the mean by 0.3 where it stands at slot 0.
    params_S = _memory([0.0], first_id=0.3)
    run = tiny_study.handmade(
      any_slot_will_do, params_S, np.ones(600), model=MODEL, changed={"evaluation.permutations": 12}
    )
    keep_ExM = slot_diagnostics.removals(M, draws=3, seed=0)
    found = slots._changed(run, params_S, keep_ExM)
    first = tiny_study.normal_nll(0.3, SCALE) - tiny_study.normal_nll(0, SCALE)
    order_VxM = spacing.slot_orders(M, 12, first_seed=0)
    expected_R = np.where(order_VxM[:, 0] == 0, 0.0, -first)
    np.testing.assert_allclose(found["order_SxV"][0], expected_R, atol=1e-5)
    self.assertAlmostEqual(found["ids_off_S"][0], -first, places=5)


class TransformerTest(parameterized.TestCase):
  """The changes of the analysis against the options of the model."""

  def setUp(self):
    super().setUp()
    self.enterContext(tiny_study.quick_compile())
    self.model = dataclasses.replace(MODEL, trunk=_spread(MODEL.trunk))
    self.params_S, self.run_ = _fresh(self.model)
    self.test_NxT1, _ = self.run_.batches("test", 4)
    self.keep_M = np.array([1, 0, 1], np.float32)
    self.order_M = np.array([2, 0, 1])

  def _direct(self, model, **options):
    params = jax.tree.map(lambda leaf: leaf[0], self.params_S)
    apply_fn = jax.jit(lambda params, x: spacing.bind(model)(params, x, **options)[0])
    mixture = apply_fn(params, self.test_NxT1[:, :-1])
    mixture = jax.tree.map(lambda leaf: leaf[:, -1], mixture)
    nll_N = -mixture_lib.log_density(mixture, self.test_NxT1[:, -1])
    return nll_N, mixture_lib.mean(mixture)

  def test_every_change(self):
    one_1xM = np.ones((1, M))
    change_R = measures.joined(
      measures.changes(self.keep_M[None]),
      measures.changes(one_1xM, content=0),
      measures.changes(one_1xM, ids=0),
      measures.changes(one_1xM, order_RxM=self.order_M[None]),
    )
    found = measures.nll_and_mean(self.run_, self.params_S, change_R, self.test_NxT1)
    off = dataclasses.replace(self.model, eval_slot_ids="off")
    zeroed = dataclasses.replace(self.model, slot_content="zeroed")
    direct = (
      self._direct(self.model, slot_keep_M=self.keep_M),
      self._direct(zeroed),
      self._direct(off),
      self._direct(self.model, slot_order_M=self.order_M),
    )
    for r, expected in enumerate(direct):
      for quantity in (0, 1):
        np.testing.assert_allclose(found[quantity][0, r], expected[quantity], rtol=2e-5, atol=1e-6)
    self.assertGreater(np.ptp(found[0][0], axis=0).min(), 1e-4)

  def test_gradient_is_the_slope_along_any_direction(self):
    gradient_SxRxMxD = measures.gradients(self.run_, self.params_S)
    window_NxT1, _ = self.run_.batches("test", 8, 0)
    direction = np.random.default_rng(0).normal(size=(M, 8))
    order_VxM = measures.training_orders(self.run_, 2)
    # One order for both batches, so that their mean is that of the windows.
    run = dataclasses.replace(
      self.run_,
      experiment=dataclasses.replace(
        self.run_.experiment, model=dataclasses.replace(self.model, slot_ids="fixed")
      ),
    )
    self.assertTrue((order_VxM != np.arange(M)).any())
    fixed_SxRxMxD = measures.gradients(run, self.params_S)
    self.assertGreater(np.abs(fixed_SxRxMxD - gradient_SxRxMxD).max(), 1e-6)

    @jax.jit
    def loss(step):
      params = jax.tree.map(lambda leaf: leaf[0], self.params_S)
      memory = params["memory"]
      moved = memory["content"] + step * direction
      params = params | {"memory": memory | {"content": moved}}
      return spacing.score(spacing.bind(self.model), params, window_NxT1).mean()

    slope = (loss(1e-2) - loss(-1e-2)) / 2e-2
    found = np.sum(fixed_SxRxMxD[0].mean(0) * direction)
    np.testing.assert_allclose(found, slope, rtol=2e-2)

  def test_slots_behind_the_data_read_it(self):
    attention_SxMxT = measures.attention(self.run_, self.params_S)
    self.assertEqual(attention_SxMxT.shape, (2, M, T))
    mass_SxM = attention_SxMxT.sum(-1)
    self.assertBetween(mass_SxM.min(), 0.3, 1.0)
    self.assertLess(mass_SxM.max(), 1.0)

  def test_slots_in_front_do_not(self):
    model = dataclasses.replace(self.model, memory="prefix", slot_ids="off", eval_slot_ids="off")
    params_S, run = _fresh(model)
    np.testing.assert_array_equal(measures.attention(run, params_S), 0)
    self.assertFalse(measures.has_ids(model))
    self.assertIsNone(measures.leaf(params_S, measures.READOUT))


def _spread(trunk):
  return dataclasses.replace(trunk, init_std=0.5, max_positions=T + M)


def _fresh(model):
  """Returns parameters of two seeds and a run around them."""
  keys_S = jax.random.split(jax.random.key(0), 2)
  params_S = jax.vmap(lambda key: spacing.init(model, key))(keys_S)
  run = tiny_study.handmade(
    spacing.bind(model),
    params_S,
    tiny_study.ar([PHI], 2000),
    model=model,
    fresh_S=params_S,
    changed={"slots.windows": 8},
  )
  return params_S, run


if __name__ == "__main__":
  absltest.main()
