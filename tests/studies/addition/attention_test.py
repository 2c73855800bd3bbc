import dataclasses
import functools
import math
import tempfile

import adder
import adder_cards
import drawn
import jax
import jitted
import numpy as np
import xarray as xr
from absl.testing import absltest, parameterized
from primelens.configs import addition as addition_configs
from primelens.lens import claims, results
from primelens.models import tokens
from primelens.studies.addition import attention, network

P, CLASSES, SLOPE = 10, 20, 0.3
MODEL = tokens.Config(
  vocabulary=P + 1, classes=CLASSES, trunk=tokens.plain_trunk(width=8, heads=2, hidden=4)
)
jitted_attention = jitted.Jitted(attention)
A_N, B_N = np.divmod(np.arange(P * P), P)


def handmade():
  """Returns the params of a network whose attention is known.

  Only "=" has a query; its score to digit d is SLOPE d in head 0 and 0 in head
  1, to itself 0. Head 0 reads the digits into z_0, and head 1, which always
  gives 1/3 to each, into z_1 = (a + b) / 3. The logits 3 c z_1 - c^2 / 2 are
  largest at c = a + b.
  """
  shapes = jax.eval_shape(lambda key: tokens.init(MODEL, key), jax.random.key(0))
  params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
  block, c_V = params["blocks"], np.arange(CLASSES)
  params["embedding"]["embedding"][:P, 0] = np.arange(P)
  params["embedding"]["embedding"][P, 1] = 1
  heads, mlp = block["attention"], block["mlp"]
  heads["query"]["kernel"][0, 1, 0, 0] = 2.0  # = sqrt(Dh), which scores divide by
  heads["key"]["kernel"][0, 0, 0, 0] = SLOPE
  for head in range(2):
    heads["value"]["kernel"][0, 0, head, 0] = 1.0
    heads["out"]["kernel"][0, head, 0, 2 + head] = 1.0
    mlp["up"]["kernel"][0, 2 + head, head] = 1.0
  mlp["down"]["kernel"][0, 1, 4] = 3.0
  params["unembed"]["kernel"][4] = c_V
  params["unembed"]["kernel"][1] = -(c_V**2) / 2
  return params


def _pattern() -> np.ndarray:
  """The pattern of head 0 in closed form, Nx3."""
  power_3xN = np.exp(SLOPE * np.stack([A_N, B_N, 0 * A_N]))
  return (power_3xN / power_3xN.sum(0)).T


class HandmadeTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.params = handmade()
    run = adder.trained()
    cls.token_Nx3 = run.pairs.token_Nx3
    cls.member = jax.tree.map(lambda x: np.asarray(x)[0], network.members(run.pairs))
    measure = jax.jit(lambda *data: attention.readings(MODEL, *data))
    found = measure(cls.params, cls.member, cls.token_Nx3)
    cls.found = jax.device_get(found)

  def _replaced(self, pattern_NxHxT):
    replaced = jax.jit(functools.partial(attention.replaced, MODEL))
    return replaced(self.params, self.token_Nx3, pattern_NxHxT)

  def test_patterns_and_their_averages(self):
    pattern_Nx3 = _pattern()
    np.testing.assert_allclose(self.found["pattern"][:, 0], pattern_Nx3, atol=1e-6)
    np.testing.assert_allclose(self.found["pattern"][:, 1], 1 / 3, atol=1e-6)
    np.testing.assert_allclose(self.found["mean"][0], pattern_Nx3.mean(0), atol=1e-6)
    np.testing.assert_allclose(self.found["deviation"][0], pattern_Nx3.std(0), atol=1e-6)

  def test_scores_by_digit(self):
    expected = np.zeros((2, 2, P))
    expected[0] = SLOPE * np.arange(P)
    np.testing.assert_allclose(self.found["score"], expected, atol=1e-5)

  def test_z_is_additive_once_attention_is_fixed(self):
    at = {name: v for v, name in enumerate(attention.EDITS)}
    design = list(attention.DESIGNS).index("additive")
    least_V = self.found["fit"]["r2_min"][design]
    most_V = self.found["fit"]["r2_max"][design]
    # Head 0 mixes a and b; head 1 is additive anyway.
    self.assertLess(least_V[at["intact"]], 0.99)
    self.assertAlmostEqual(most_V[at["intact"]], 1, places=5)
    for name in ("frozen", "half", "uniform"):
      self.assertAlmostEqual(least_V[at[name]], 1, places=5)

  def test_accuracy_under_each_pattern(self):
    accuracy_V = dict(zip(attention.EDITS, self.found["effect"]["all/accuracy"], strict=True))
    for name in ("intact", "frozen", "uniform", "resampled"):
      self.assertEqual(accuracy_V[name], 1)  # head 1 stays at thirds
    # (1/2, 1/2, 0) makes 1.5 (a + b) of a + b: right at 0, and at 1 by a tie.
    c_V, sum_N = np.arange(CLASSES), A_N + B_N
    logit_NxV = np.outer(1.5 * sum_N, c_V) - c_V**2 / 2
    right = np.mean(logit_NxV.argmax(1) == sum_N)
    self.assertAlmostEqual(accuracy_V["half"], right, places=6)
    self.assertLess(right, 0.1)

  def test_single_heads(self):
    np.testing.assert_array_equal(self.found["fixed"], [1, 1])
    np.testing.assert_array_equal(self.found["moving"], [1, 1])

  def test_an_edit_that_does_nothing(self):
    read = jax.jit(functools.partial(network.read, MODEL))(self.params, self.token_Nx3)
    same = self._replaced(read.pattern_NxHxT)
    np.testing.assert_array_equal(same.logit_NxV, read.logit_NxV)
    np.testing.assert_array_equal(same.pre_NxF, read.pre_NxF)

  def test_attending_to_a_alone_reads_a(self):
    pattern_NxHxT = np.zeros((P * P, 2, 3), np.float32)
    pattern_NxHxT[:, 0, 0] = pattern_NxHxT[:, 1, 1] = 1
    pre_NxF = self._replaced(pattern_NxHxT).pre_NxF
    np.testing.assert_allclose(pre_NxF[:, 0], A_N, atol=1e-5)
    np.testing.assert_allclose(pre_NxF[:, 1], B_N, atol=1e-5)


class PartsTest(absltest.TestCase):
  def test_asymmetry_compares_mirrored_inputs(self):
    a, b = np.indices((P, P))
    pattern_PxPx1x3 = np.zeros((P, P, 1, 3), np.float32)
    pattern_PxPx1x3[..., 0, 0] = (a > b) + 0.5 * (a == b)
    pattern_PxPx1x3[..., 0, 1] = (b > a) + 0.5 * (a == b)
    mirrored = lambda x: jitted_attention.asymmetry(x.reshape(-1, 1, 3))
    np.testing.assert_array_equal(mirrored(pattern_PxPx1x3), [0])
    pattern_PxPx1x3[3, 7, 0, 0] = 0.25
    np.testing.assert_array_equal(mirrored(pattern_PxPx1x3), [0.25])

  def test_resampled_patterns_are_all_patterns_and_nobody_keeps_its_own(self):
    pattern_NxHxT = np.broadcast_to(np.arange(7.0)[:, None, None], (7, 2, 3))
    found = jitted_attention.replacements(pattern_NxHxT, jax.random.key(3))
    given_N = np.asarray(found)[-1, :, 0, 0]
    np.testing.assert_array_equal(np.sort(given_N), np.arange(7))
    self.assertFalse(np.any(given_N == np.arange(7)))

  def test_by_head_freezes_one_or_all_others(self):
    pattern_NxHxT = np.random.default_rng(0).random((6, 3, 3))
    mean_HxT = pattern_NxHxT.mean(0)
    fixed, moving = map(np.asarray, jitted_attention.by_head(pattern_NxHxT))
    for head in range(3):
      for other in range(3):
        own_NxT = np.broadcast_to(mean_HxT[other], (6, 3))
        free_NxT = pattern_NxHxT[:, other]
        one, rest = (own_NxT, free_NxT) if other == head else (free_NxT, own_NxT)
        np.testing.assert_allclose(fixed[head, :, other], one, rtol=1e-6)
        np.testing.assert_allclose(moving[head, :, other], rest, rtol=1e-6)

  def test_largest_wave(self):
    wave = lambda k: np.cos(2 * np.pi * k * np.arange(11) / 11 + 1)
    score_SxHxP = np.stack([[2 + wave(3), wave(1) + 2 * wave(4)]])
    wave_SxH = jitted_attention.largest_wave(score_SxHxP)
    np.testing.assert_allclose(wave_SxH, [[1, 0.8]], atol=1e-5)

  def test_shifted_logits_have_the_means_of_the_others(self):
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 9, 4))
    moved = np.asarray(jax.jit(network.shifted)(one, other))
    np.testing.assert_allclose(moved.mean(0), other.mean(0), atol=1e-6)
    gap = moved - one
    np.testing.assert_allclose(gap, gap[:1] + 0 * gap, atol=1e-6)


class TrainedTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.found = attention.measure(adder.trained())
    cls.row = adder_cards.records("attention", cls.found)

  def _fit(self, fit, measure):
    return float(self.found.fit_value.sel(network="trained", fit=fit, measure=measure)[0])

  def test_recomputed_numbers(self):
    """All but those that rounding moves: head 0 and single scores."""
    self.assertEqual(adder.unexplained("attention", self.row.values()), [])
    agreeing = [row for row in self.row.values() if row["agrees"]]
    self.assertGreater(len(agreeing), 15)

  def test_scores_and_patterns_agree(self):
    # alpha_a / alpha_b = exp(score_a - score_b), head by head.
    score = self.found.score.isel(seed=0)
    pattern = self.found.pattern
    ratio = np.log(pattern.sel(target="a") / pattern.sel(target="b"))
    of_a = score.sel(operand="a", drop=True).rename(digit="a")
    of_b = score.sel(operand="b", drop=True).rename(digit="b")
    np.testing.assert_allclose(ratio, of_a - of_b, atol=1e-4)

  def test_curvature_comes_from_attention(self):
    self.assertLess(self._fit("intact/additive", "r2_mean"), 0.8)
    self.assertGreater(self._fit("intact/poly2", "r2_mean"), 0.99)
    for edit in ("frozen", "half", "uniform"):
      for design in ("all", "additive"):
        fit = f"{edit}/{design}"
        self.assertAlmostEqual(self._fit(fit, "r2_min"), 1, places=4)
        self.assertAlmostEqual(self._fit(fit, "heldout_median"), 1, places=4)
        # The fitted values are z: they are worth what z is.
        accuracy = self.row[f"{edit}_all/accuracy"]["here"]
        self.assertAlmostEqual(self._fit(fit, "accuracy"), accuracy)

  def test_every_row_is_listed(self):
    plain = [key for key in attention.PUBLISHED if not key.startswith(attention.MODULAR)]
    self.assertEqual(set(self.row), set(plain))
    self.assertEqual(self.found["fit"].values.tolist(), list(attention.FITS))

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "attention", self.found, provenance={})
    back, _ = results.read(folder, "attention")
    xr.testing.assert_identical(back, self.found)

  def test_figures(self):
    control = self.found.assign_attrs(population="P = 10, permuted labels", reference=-1)
    self.assertEqual(list(attention.figures({"both": self.found})), ["both", "both, heads"])
    pages = attention.figures({"both": self.found, "control": control})
    # A control has no page of its own.
    self.assertEqual(list(pages), ["all runs", "both", "both, heads"])
    for page in pages.values():
      drawn.assert_inside(self, page.figure())

  def test_one_member_is_drawn(self):
    figure = attention.figures({"one": self.found.isel(seed=slice(1))})["one"].figure()
    drawn.assert_inside(self, figure)
    self.assertLen(figure.subfigs[0].axes[0].lines, 2)  # a and b, no thin lines

  def test_page_of_heads(self):
    maps, costs = attention.figures({"run": self.found})["run, heads"].figure().subfigs
    shown = [axes.images[0].get_array() for axes in maps.axes]
    np.testing.assert_array_equal(shown[0], self.found["mean_attention"][0])
    np.testing.assert_array_equal(shown[1], self.found["deviation"][0])
    # One input's attention adds up to 1 in every head.
    np.testing.assert_allclose(shown[2].sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(shown[2], self.found["pattern"].sel(a=0, b=5))
    loss = [line.get_xdata() for line in costs.axes[0].lines if line.get_markersize() == 2.5]
    np.testing.assert_array_equal(loss[0], self.found["nll"].sel(edit="intact"))

  def test_heads_and_edits_are_tables(self):
    _, heads, edits = attention.tables({"run": self.found})
    for head, row in enumerate(heads.rows):
      self.assertAlmostEqual(row["to a"], self.row[f"head{head}_a"]["here"], places=6)
      self.assertAlmostEqual(row["to a, deviation"], self.row[f"head{head}_deviation"]["here"])
      self.assertAlmostEqual(row["to a"] + row["to b"] + row["to ="], 1, places=5)
    asymmetry = max(row["asymmetry"] for row in heads.rows)
    self.assertAlmostEqual(asymmetry, self.row["asymmetry"]["here"], places=6)
    self.assertLen(edits.rows, len(attention.EDITS))
    self.assertAlmostEqual(
      edits.rows[0]["loss, least"], self.row["intact_all/nll_nats"]["here"], places=9
    )

  def test_fits_are_a_table(self):
    fits, *_ = attention.tables({"run": self.found})
    row = next(row for row in fits.rows if row["fit"] == "z, attention as trained on Poly2")
    self.assertEqual(row["run"], "run")
    self.assertEqual(row["R², the source's network"], self._fit("intact/poly2", "r2_mean"))


class ModularTest(absltest.TestCase):
  def test_modular_rows_claim_no_number_of_the_plain_network(self):
    keys = [key for key in attention.PUBLISHED if key.startswith(attention.MODULAR)]
    self.assertIn("modular/head0_wave", keys)
    self.assertNotIn("modular/head0_score_last", keys)
    self.assertNotIn("head0_wave", attention.PUBLISHED)
    for key in keys:
      self.assertIsNone(attention.PUBLISHED[key].recomputed)
      self.assertEqual(attention.PUBLISHED[key].tolerance, math.inf)

  def test_numbers_of_a_modular_run_are_told_apart(self):
    base = addition_configs.get_config("p53,2")
    trunk = tokens.plain_trunk(width=8, heads=2, hidden=4)
    config = dataclasses.replace(
      base,
      task=dataclasses.replace(base.task, digits=11),
      model=dataclasses.replace(base.model, vocabulary=12, classes=11, trunk=trunk),
    )
    found = attention.measure(adder.handmade(config))
    keys = found["quantity"].values.tolist()
    self.assertTrue(all(key.startswith(attention.MODULAR) for key in keys), keys)
    self.assertEqual(found.reference, -1)
    # Untrained members are their own null, and a wave is a share.
    wave = found["number"].sel(quantity="modular/head1_wave")
    np.testing.assert_array_equal(wave.sel(network="trained"), wave.sel(network="untrained"))
    self.assertTrue(((wave > 0) & (wave <= 1)).all())


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters((0.60, "not reproduced"), (0.99, "reproduced"))
  def test_average_attention(self, frozen, status):
    found = adder_cards.numbers(
      intact_all__accuracy=1.0, frozen_all__accuracy=frozen, half_all__accuracy=frozen
    )
    row = adder_cards.row(attention, "attention.average", {"attention": found})
    self.assertEqual(row["status"], status)
    self.assertIn("frozen attention has to cost less than 0.05 of accuracy", row["because"])
    self.assertIn(f"its mean over inputs {frozen:g} (median {frozen:g}, ", row["because"])

  def test_without_runs_it_is_open(self):
    (row,) = claims.ledger(attention.CLAIMS, claims.Results({})).rows
    self.assertEqual(row["status"], "not run")
    self.assertEqual(row["command"], "analyze.py --workdir=RUN --only=attention")


if __name__ == "__main__":
  absltest.main()
