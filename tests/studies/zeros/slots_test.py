import dataclasses
import functools
import tempfile

import drawn
import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.analyses import slots as slots_lib
from primelens.analyses import statistics
from primelens.lens import figures, results, tables
from primelens.models import mixture as mixture_lib
from primelens.models import spacing
from primelens.studies.zeros import slots

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
  content_SxMxD = np.tile(gain_Sx1x1, (1, M, D))
  ids_SxMxD = np.zeros((seeds, M, D), np.float32)
  ids_SxMxD[:, 0, 0] = first_id
  readout_SxM = np.log(np.array([[0.5, 0.25, 0.25]] * seeds, np.float32))
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
    cls.found = slots.measure(cls.run_)
    cls.test_NxT1, _ = cls.run_.batches("test", 40)

  def _nll(self, gain):
    seen_N, next_N = self.test_NxT1[:, -2:].T.astype(np.float64)
    return tiny_study.normal_nll(next_N - 1 - gain * (seen_N - 1), SCALE).mean()

  def _row(self, name):
    (row,) = (row for row in tables.rows(self.found, "readings") if row["reading"] == name)
    return row | {"value": row["value"].estimate}

  def test_no_slot_alone_is_missed_but_all_of_them_are(self):
    found = self.found
    delta_SxE, joint_SxR = found.delta.values, found.joint.values
    self.assertEqual(found.keep.shape, (2**M, M))
    np.testing.assert_allclose(delta_SxE[:, :-1], 0, atol=1e-6)
    for s, gain in enumerate((PHI, 0.5 * PHI)):
      expected = self._nll(0.0) - self._nll(gain)
      self.assertGreater(expected, 0.05)
      self.assertAlmostEqual(delta_SxE[s, -1], expected, places=4)
      self.assertAlmostEqual(joint_SxR[s, -1], expected, places=4)
    np.testing.assert_allclose(found.sum_as_published, 0, atol=1e-5)
    # Two seeds have t = tan(0.475 pi) and a standard error of half their distance.
    seeds = np.tan(0.475 * np.pi) * np.ptp(delta_SxE[:, -1]) / 2
    for name in ("mean_joint", "mean_delta"):
      low, high = found[f"{name}_interval"].values[-1]
      self.assertBetween((high - low) / 2, seeds, 1.2 * seeds)
      self.assertAlmostEqual((high + low) / 2, delta_SxE[:, -1].mean(), places=6)
      self.assertAlmostEqual(float(found[name][-1]), delta_SxE[:, -1].mean(), places=6)
    np.testing.assert_allclose(found.untrained_delta, 0, atol=1e-6)

  def test_contents_zeroed_are_all_slots_removed_here(self):
    row = self._row("contents zeroed")
    self.assertAlmostEqual(row["value"], float(self.found.delta[:, -1].mean()), places=5)
    self.assertEqual((row["met"], row["untrained_met"], row["seeds"]), (2, 0, 2))

  def test_alike_in_content_and_without_effects(self):
    np.testing.assert_allclose(self.found.cosine, 1, rtol=1e-6)
    self.assertEqual(self._row("mean cosine of slots")["met"], 0)
    np.testing.assert_allclose(self.found.effect, 0, atol=1e-6)

  def test_readout(self):
    # 0.5, 0.25, 0.25: 1.5 ln 2 nats, 2^1.5 slots.
    row = self._row("readout: exp(entropy) / M")
    self.assertAlmostEqual(row["value"], 2**1.5 / 3, places=6)
    row = self._row("readout: entropy / ln M, as published")
    self.assertAlmostEqual(row["value"], 1.5 * np.log(2) / np.log(3), places=6)

  def test_centres_of_one_hot_attention(self):
    np.testing.assert_array_equal(self.found.attention.sum("position"), 0.5)
    self.assertEqual(self.found.position.values.tolist(), list(range(-T, 0)))
    row = self._row("sd of the slots' centres")
    self.assertAlmostEqual(row["value"], np.std([0, 2, 4]), places=6)
    self.assertEqual(row["rule"], "> 1.6")  # a tenth of 16

  def test_measured_again_is_measured_as_widely_as_windows_vary(self):
    nll_SxN = slots.last_nll(self.run_, self.run_.params_S, self.test_NxT1)
    draws_SxR = self.found.remeasured_nll.values
    expected_S = nll_SxN.std(1) / np.sqrt(self.found.random_windows)
    np.testing.assert_allclose(draws_SxR.std(1), expected_S, rtol=0.5)
    np.testing.assert_allclose(self.found.remeasured_single, 0, atol=1e-6)

  def test_rollout_errors_are_those_of_the_process(self):
    # One step: the noise alone. Four steps of AR(1): variance sum phi^2k.
    noise = SCALE * np.sqrt(2 / np.pi)
    four = noise * np.sqrt(sum(PHI ** (2 * k) for k in range(4)))
    error_SxQ = self.found.rollout_error.values
    np.testing.assert_allclose(error_SxQ[0], [noise, four], rtol=0.12)
    slope_S = np.log(error_SxQ[:, 1] / error_SxQ[:, 0])
    self.assertAlmostEqual(
      self._row("slope of ln error on ln h, as published")["value"], (slope_S / np.log(4)).mean()
    )

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "slots", self.found, provenance={})
    back, _ = results.read(folder, "slots")
    xr.testing.assert_identical(back, self.found)


class OrderTest(absltest.TestCase):
  def test_permuted_ids_shift_the_mean_as_often_as_the_order_has_it(self):
    # Id 0 shifts the mean by 0.3 where it stands at slot 0.
    params_S = _memory([0.0], first_id=0.3)
    run = tiny_study.handmade(
      any_slot_will_do, params_S, np.ones(600), model=MODEL, changed={"evaluation.permutations": 12}
    )
    keep_ExM = slots_lib.removals(M, draws=3, seed=0)
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
    self.model = dataclasses.replace(MODEL, trunk=_spread(MODEL.trunk))
    self.params_S, self.run_ = _fresh(self.model)
    self.test_NxT1, _ = self.run_.batches("test", 4)
    self.keep_M = np.array([1, 0, 1], np.float32)
    self.order_M = np.array([2, 0, 1])

  def _direct(self, model, **options):
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[0], self.params_S)

    @jax.jit
    def last(params, window_NxT1):
      mixture, _ = spacing.bind(model)(params, window_NxT1[:, :-1], **options)
      mixture = jax.tree.map(lambda leaf: leaf[:, -1], mixture)
      nll_N = -mixture_lib.log_density(mixture, window_NxT1[:, -1])
      return nll_N, mixture_lib.mean(mixture)

    return last(params, self.test_NxT1)

  def test_every_change(self):
    one_1xM = np.ones((1, M))
    change_R = slots.joined(
      slots.changes(self.keep_M[None]),
      slots.changes(one_1xM, content=0),
      slots.changes(one_1xM, ids=0),
      slots.changes(one_1xM, order_RxM=self.order_M[None]),
    )
    found = slots.nll_and_mean(self.run_, self.params_S, change_R, self.test_NxT1)
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
    gradient_SxRxMxD = slots.gradients(self.run_, self.params_S)
    window_NxT1, _ = self.run_.batches("test", 8, 0)
    direction = np.random.default_rng(0).normal(size=(M, 8))
    order_VxM = slots.training_orders(self.run_, 2)
    # One order for both batches, so that their mean is that of the windows.
    run = dataclasses.replace(
      self.run_,
      experiment=dataclasses.replace(
        self.run_.experiment, model=dataclasses.replace(self.model, slot_ids="fixed")
      ),
    )
    self.assertTrue((order_VxM != np.arange(M)).any())
    fixed_SxRxMxD = slots.gradients(run, self.params_S)
    self.assertGreater(np.abs(fixed_SxRxMxD - gradient_SxRxMxD).max(), 1e-6)

    @jax.jit
    def loss(step):
      params = jax.tree.map(lambda leaf: leaf[0], self.params_S)
      memory = params["memory"]
      moved = memory["content"] + step * direction
      params = params | {"memory": memory | {"content": moved}}
      return spacing.score(spacing.bind(self.model), params, window_NxT1).mean()

    slope = (float(loss(1e-2)) - float(loss(-1e-2))) / 2e-2
    found = np.sum(fixed_SxRxMxD[0].mean(0) * direction)
    np.testing.assert_allclose(found, slope, rtol=2e-2)

  def test_slots_behind_the_data_read_it(self):
    attention_SxMxT = slots.attention(self.run_, self.params_S)
    self.assertEqual(attention_SxMxT.shape, (2, M, T))
    mass_SxM = attention_SxMxT.sum(-1)
    self.assertBetween(mass_SxM.min(), 0.3, 1.0)
    self.assertLess(mass_SxM.max(), 1.0)

  def test_slots_in_front_do_not(self):
    model = dataclasses.replace(self.model, memory="prefix", slot_ids="off", eval_slot_ids="off")
    params_S, run = _fresh(model)
    np.testing.assert_array_equal(slots.attention(run, params_S), 0)
    self.assertFalse(slots.has_ids(model))
    self.assertIsNone(slots.leaf(params_S, slots.READOUT))


def _spread(trunk):
  return dataclasses.replace(trunk, init_std=0.5, max_positions=T + M)


def _fresh(model):
  """Returns parameters of two seeds and a run around them."""
  keys_S = jax.random.split(jax.random.key(0), 2)
  params_S = jax.jit(jax.vmap(lambda key: spacing.init(model, key)))(keys_S)
  run = tiny_study.handmade(
    spacing.bind(model),
    params_S,
    tiny_study.ar([PHI], 2000),
    model=model,
    fresh_S=params_S,
    changed={"slots.windows": 8},
  )
  return params_S, run


class TableTest(parameterized.TestCase):
  @parameterized.parameters(("> 0.02", 1), (">= 0.02", 2), ("< 0.02", 1), ("<= 0.02", 2), ("", -1))
  def test_rules(self, rule, count):
    value_S = np.array([0.01, 0.02, 0.03])
    self.assertEqual(slots.met(rule, value_S), count)

  def test_no_value_keeps_no_rule(self):
    self.assertEqual(slots.met("> 0", np.full(2, np.nan)), -1)
    with self.assertRaisesRegex(ValueError, "does not begin with >, >="):
      slots.met("about 3", np.ones(1))

  def test_noise_is_taken_off_the_scatter(self):
    mean_SxP = np.array([[0.0, 1.0, 2.0], [0.0, 0.1, 0.2]])
    error_SxP = np.full((2, 3), 0.6)  # variances 1 and 0.01, less 0.36
    found_S = slots.beyond_noise(mean_SxP, error_SxP)
    np.testing.assert_allclose(found_S, [0.8, 0])

  def test_the_threshold_of_eight_slots_is_scaled(self):
    rule = {r.letter: r.rule for r in slots.readings(8, 256)}
    self.assertEqual((rule["E"], rule["I"]), ("> 1.5", "> 25.6"))
    rule = {r.letter: r.rule for r in slots.readings(2, 128)}
    self.assertEqual((rule["E"], rule["I"]), ("> 0.5", "> 12.8"))

  def test_names_of_readings_are_unique(self):
    names = [reading.name for reading in slots.readings(8, 256)]
    self.assertLen(set(names), len(names))

  def test_obstacle(self):
    get = tiny_study.get_config
    self.assertEqual(slots.obstacle(get("postfix")), "")
    self.assertIn("no memory slots", slots.obstacle(get("none")))


def readings(count=8, window=256, seeds=2, **changed):
  """Every reading at 0.25, untrained 0.5; `changed` maps a row's letter to
  what its rows have instead."""
  table = []
  for reading in slots.readings(count, window):
    row = {"letter": reading.letter, "reading": reading.name}
    row |= {"unit": reading.unit, "rule": reading.rule, "standing": "below"}
    row |= {"value": 0.25, "value_low": 0.125, "value_high": 0.375, "untrained": 0.5}
    met = seeds if reading.rule else -1
    row |= {"met": met, "untrained_met": met, "seeds": seeds}
    table.append(row | changed.get(reading.letter, {}))
  return table


def by_hand(permuted=True, seeds=2, count=4, blocks=3, positions=16, read=1.0, **changed):
  """Slots of which the first `count` removed together cost 0.1 nats each."""
  grid = np.random.default_rng(0)
  variable = lambda dims, value: results.variable(dims, value, "by hand", "nats")
  each = lambda value: np.zeros((seeds, 1)) + value
  joint_R = 0.1 * np.arange(count + 1)
  interval = statistics.Interval(joint_R, joint_R - 0.05, joint_R + 0.05)
  attention = np.full((seeds, count, positions), read / positions)
  variables = {
    "keep": variable("removal slot", np.concatenate([np.ones((1, count)), 1 - np.eye(count)])),
    "delta": variable("seed removal", grid.normal(0, 0.01, (seeds, count + 1))),
    "untrained_delta": variable("seed removal", grid.normal(0, 0.02, (seeds, count + 1))),
    "joint": variable("seed count", each(joint_R)),
    **results.with_interval("mean_joint", "count", interval, "by hand", "nats"),
    **results.with_interval(
      "mean_delta",
      "removal",
      statistics.Interval(*(np.arange(count + 1.0) + by for by in (0, -0.5, 0.5))),
      "by hand",
      "nats",
    ),
    "single_as_published": variable("seed slot", each(0.01 * np.arange(count))),
    "order_delta": variable("seed order", each(np.array([0.1, 0.3, 0.2]))),
    "sum_as_published": variable("seed count", each(0.5 * joint_R)),
    "remeasured_nll": variable("seed repeat", each(np.linspace(0.1, 0.3, 201))),
    "remeasured_single": variable("seed repeat", each(np.linspace(0, 0.02, 201))),
    "effect": variable("seed slot", each(1.0 + np.arange(count))),
    "readout": variable("seed slot", np.full((seeds, count), 1 / count)),
    "cosine": variable("seed slot other", np.tile(np.eye(count), (seeds, 1, 1))),
    "gradient_correlation": variable("seed slot other", np.tile(np.eye(count), (seeds, 1, 1))),
    "attention": variable("seed slot position", attention),
    "untrained_attention": variable("seed slot position", attention),
    "rollout_error": variable("seed horizon", each(np.array([0.1, 0.2]))),
    "block_nll": variable("seed block", each(0.1 * np.arange(blocks))),
    "block_error": variable("seed block", np.full((seeds, blocks), 0.05)),
    "quarter_nll": variable("seed quarter", np.full((seeds, 4), 0.2)),
    "quarter_error": variable("seed quarter", np.full((seeds, 4), 0.1)),
    **results.rows("readings", readings(count, positions, seeds, **changed), slots.READING),
  }
  coords = {"seed": 3 + np.arange(seeds), "slot": np.arange(count), "other": np.arange(count)}
  coords |= {"count": np.arange(count + 1), "position": np.arange(positions) - positions}
  coords |= {"horizon": [1, 4], "block": (np.arange(blocks) + 0.5) / blocks}
  coords |= {"quarter": (np.arange(4) + 0.5) / 4}
  return results.dataset(
    variables, coords, memory="postfix", permuted=permuted, windows=512, random_windows=500
  )


ARTEFACT, NOT = "reproduced, but an artefact", "not reproduced"
OPEN, NOT_RUN = "needs more compute", "not run"


def verdict(claim, size=zeros_cards.SMALL, its=None, **options):
  """Returns the ledger's row of a claim about one run."""
  card = zeros_cards.card(size=size, **(its or {}))
  return zeros_cards.row(slots, f"slots.{claim}", demo=(card, {"slots": by_hand(**options)}))


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("functional", NOT, {}),
    ("specialised", NOT, {}),
    ("blocks", NOT, {}),
    ("names", NOT, {}),
    ("permuted", ARTEFACT, {}),
    ("permuted", OPEN, {"J": {"met": 1}}),
    ("permuted", NOT, {"J": {"met": 1}, "size": zeros_cards.BIG}),
    ("permuted", NOT_RUN, {"permuted": False}),
    ("functional", NOT_RUN, {"its": {"data": "other"}}),
    ("names", NOT_RUN, {"its": {"data": "other"}}),
    ("names", NOT_RUN, {"its": {"told": True}}),
  )
  def test_status(self, claim, status, options):
    row = verdict(claim, **options)
    self.assertEqual(row["status"], status, row["because"])

  def test_every_claim_needs_a_run(self):
    self.assertLen(slots.CLAIMS, 5)
    for claim in slots.CLAIMS:
      self.assertEqual(zeros_cards.status(slots, claim.id), NOT_RUN)

  def test_the_summary_says_what_slots_are_worth(self):
    self.assertIn(
      "demo +0.2500 without the slot that matters most (untrained networks +0.5000), +0.2500"
      " without all of them. The source calls a slot functional from 0.02 on.",
      slots.line({"demo": by_hand()}),
    )

  def test_published_numbers_against_the_published_rules(self):
    # docs/sources/zeros.md, section 5.7: the largest of all single removals is 0.0058, asked for
    # 0.02.
    name = "largest single removal, as published"
    self.assertLess(max(slots.READINGS[name]), slots.SINGLE)
    row = verdict("functional", A={"untrained_met": 2, "met": 0})
    self.assertIn("+0.0058, +0.0021, +0.0041", row["because"])
    self.assertIn("0 of 2 seeds reach it, 2 of 2 untrained", row["because"])
    self.assertIn("demo: +0.2500 nats", row["because"])

  def test_what_was_reported_is_said_in_the_published_numbers(self):
    said = {claim.id: claim.reported for claim in slots.CLAIMS}
    self.assertEqual(
      said["slots.specialised"],
      "cosine 0.17, gradient correlation 0.30, effect entropy 1.97, r90 19 for 8 slots, standard"
      " deviation of the centres 4.3 positions",
    )
    self.assertEqual(
      said["slots.permuted"], "increase by 0.0103 and 0.0262 of the NLL (E4), -0.0080 (E5)"
    )
    self.assertEqual(said["slots.blocks"], "0.644, the same weights again 0.888, E5 0.279")

  def test_chance_in_the_published_blocks(self):
    numbers = verdict("blocks")["numbers"]
    for name, reported in zip(slots.NETWORKS, (0.644, 0.888, 0.279), strict=True):
      self.assertAlmostEqual(numbers[f"reported, {name}"], reported, places=3)
    # Standard errors 0.118, 0.079, 0.137, 0.109 about a mean of 0.275.
    chance = np.sqrt(np.mean(np.square([0.118, 0.0785, 0.137, 0.1095])))
    self.assertAlmostEqual(numbers["by chance alone, E4, seed 7"], chance / 0.275, places=2)

  def test_names_of_the_published_readings_are_those_of_the_table(self):
    names = {reading.name for reading in slots.readings(8, 256)}
    self.assertEqual(set(slots.READINGS) - names, set())

  def test_agreement_of_effects_over_seeds(self):
    found = by_hand()
    self.assertAlmostEqual(slots.agreement(found), 1)
    with_effects = lambda value: found.assign(effect=(("seed", "some"), np.array(value)))
    self.assertAlmostEqual(slots.agreement(with_effects([[1.0, 2.0], [2.0, 1.0]])), -1)
    self.assertTrue(np.isnan(slots.agreement(with_effects(np.ones((2, 3))))))


def _texts(figure) -> list[str]:
  return [text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text"))]


def _panels(figure):
  return [axes for part in figure.subfigs for axes in part.axes if axes.axison]


@functools.cache
def _page(**options):
  """Returns the figure of a run, the same for the same options."""
  return slots.figures({"e4": by_hand(**options)})["e4"].figure()


class FiguresTest(parameterized.TestCase):
  @parameterized.parameters(
    {}, {"seeds": 1, "count": 1, "blocks": 2}, {"seeds": 9, "count": 12}, {"read": 0.0}
  )
  def test_drawn_without_warnings_inside_the_figure(self, **options):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    figure = _page(**options)
    header = figures.save(figure, f"{folder}/x.png").read_bytes()
    self.assertEqual(header[:8], b"\x89PNG\r\n\x1a\n")
    drawn.assert_inside(self, figure)

  def test_losses_name_their_unit(self):
    panels = _panels(_page())
    self.assertLen(panels, 11)
    for axes in panels:
      self.assertNotEmpty(axes.get_xlabel())
      if "NLL" in axes.get_ylabel():
        self.assertIn("nats", axes.get_ylabel())

  def test_joint_and_published_sum_are_those_of_the_result(self):
    joint, *_ = _panels(_page(seeds=1))
    lines = {line.get_label(): line.get_ydata() for line in joint.lines}
    np.testing.assert_allclose(lines["together (thick: mean, band: 95 %)"], 0.1 * np.arange(5))
    label = "sum of single ones (as published)"
    np.testing.assert_allclose(lines[label], 0.05 * np.arange(5))

  def test_rollouts_are_marked_at_their_steps(self):
    *_, rollouts, _, _ = _panels(_page())
    self.assertEqual(rollouts.get_xscale(), "log")
    self.assertEqual([text.get_text() for text in rollouts.get_xticklabels()], ["1", "4"])

  def test_slots_that_read_no_data(self):
    self.assertIn("These slots read no data.", _texts(_page(read=0.0)))

  def test_networks_without_a_readout(self):
    found = by_hand()
    found = found.assign(readout=found.readout * np.nan)
    self.assertLen(_panels(slots.figures({"e2": found})["e2"].figure()), 10)

  def test_single_removals_and_orders_are_those_of_the_result(self):
    _, _, by_slot, orders, *_ = _panels(_page())
    points = [line.get_ydata() for line in by_slot.lines]
    self.assertTrue(any(np.array_equal(y, [1, 2, 3, 4]) for y in points))  # mean_delta, alone
    published = [line.get_ydata() for line in by_slot.lines if line.get_marker() == "D"]
    self.assertLen(published, 2)
    np.testing.assert_allclose(published[0], 0.01 * np.arange(4))
    np.testing.assert_allclose(orders.lines[0].get_xdata(), [0.1, 0.3, 0.2])

  def test_slots_without_ids(self):
    found = by_hand().isel(order=slice(0))
    self.assertIn(
      "These slots have no ids to reorder.", _texts(slots.figures({"e2": found})["e2"].figure())
    )

  def test_several_runs_are_compared(self):
    pages = slots.figures({"e4": by_hand(), "e2": by_hand(count=2)})
    self.assertEqual(list(pages), ["all runs", "e4", "e2"])
    figure = pages["all runs"].figure()
    drawn.assert_inside(self, figure)
    joint, lost = _panels(figure)
    lines = {line.get_label(): line.get_ydata() for line in joint.lines}
    np.testing.assert_allclose(lines["e4"], 0.1 * np.arange(5))
    np.testing.assert_allclose(lines["e2"], 0.1 * np.arange(3))
    names = [label.get_text() for label in lost.get_yticklabels()]
    self.assertEqual(names, list(slots.COMPARED))


class TablesTest(absltest.TestCase):
  def rows(self, number: int, **options):
    table = slots.tables({"demo": by_hand(**options)})[number]
    return [dict(zip(table.columns(), row, strict=True)) for row in table.cells()]

  def test_readings_stand_beside_the_published_ones(self):
    found = self.rows(0, B={"untrained_met": 1})
    (row,) = (row for row in found if row["reading"] == "mean cosine of slots")
    self.assertEqual(
      list(row.values()),
      ["demo", "B", "mean cosine of slots", "–", "0.2500 [0.1250, 0.3750]", "0.5000", "below"]
      + ["< 0.5", "2 of 2", "1 of 2", "0.1675", "0.1675", "0.2534"],
    )
    (row,) = (row for row in found if row["reading"] == "all slots removed")
    self.assertEqual((row["letter"], row["unit"], row["E4, seed 7"]), ("A'", "nats", "–"))
    self.assertEqual((row["source's rule"], row["seeds that keep it"]), ("–", "–"))

  def test_joint_removal_and_sums(self):
    row = self.rows(1)[-1]
    self.assertEqual(list(row.values()), ["demo", "4", "+0.4000 [+0.3500, +0.4500]", "+0.2000"])

  def test_one_measurement_and_the_next(self):
    # Uniform draws from 0.1 to 0.3: the middle 95 % of them.
    run, seed, nll, apart, single = self.rows(2)[0].values()
    self.assertEqual((run, seed), ("demo", "3"))
    self.assertEqual(nll, "0.2000 [0.1050, 0.2950]")
    self.assertEqual(apart, "0.1608")
    self.assertEqual(single, "+0.0100 [+0.0005, +0.0195]")
    caption = slots.tables({"demo": by_hand()})[2].caption
    self.assertIn("gave 0.172 and 0.203 nats", caption)

  def test_no_percentage_but_that_of_the_intervals(self):
    for table in slots.tables({"demo": by_hand()}):
      self.assertNotIn("%", table.html().replace("95 %", ""))


if __name__ == "__main__":
  absltest.main()
