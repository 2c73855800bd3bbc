import tempfile

import drawn
import jax
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.analyses import ablation
from primelens.lens import figures, results, tables
from primelens.models import spacing, transformer
from primelens.studies.zeros import program, pruned

T, CONTEXT, L, H, S = tiny_study.T, 8, 2, 2, 2
PHI = 0.7
RANK = np.array([[[0, 1], [2, 3]], [[3, 2], [1, 0]]])
SETTINGS = pruned.Settings(kept=(0.25, 0.5), draws=3, ratio=0.4)


def _arms(rank=RANK, its=SETTINGS):
  return pruned.all_arms(its, rank, np.array([0.1, 0.3], np.float32))


def _pick(arms, **where):
  match = lambda arm: all(arm.record[k] == v for k, v in where.items())
  return [arm for arm in arms if match(arm)]


class ArmsTest(parameterized.TestCase):
  @parameterized.parameters(((13 / 48,), 48, [13]), ((13 / 48, 0.5), 8, [2, 4]), ((0.01,), 4, [1]))
  def test_shares_become_heads(self, shares, total, expected):
    self.assertEqual(pruned.head_counts(shares, total), expected)

  @parameterized.parameters(
    (6, (1, 2), (4, 5)), (4, (1, 2), (0, 3)), (3, (1,), (2,)), (2, (1,), (0,))
  )
  def test_middle_layers_and_others(self, layers, middle, others):
    self.assertEqual(pruned.middle(layers), middle)
    self.assertEqual(pruned.others(layers), others)

  def test_one_layer_has_no_middle(self):
    arms = _arms(np.arange(4).reshape(1, 1, 4)[[0, 0]])
    self.assertEqual({arm.what.partition(",")[0] for arm in arms}, {"network", "heads", "weights"})

  def test_the_costliest_heads_stay(self):
    [arm] = _pick(_arms(), choice="costliest on select", kept=1.0, start="scratch")
    expected = [[[0, 0], [0, 1]], [[1, 0], [0, 0]]]
    np.testing.assert_array_equal(arm.heads_SxLxH, expected)

  def test_random_heads_are_as_many_and_differ_by_draw_and_seed(self):
    rank = np.tile(np.arange(48).reshape(6, 8), (2, 1, 1))
    arms = _pick(_arms(rank), choice="random", what="heads", start="trained")
    few = [arm for arm in arms if arm.kept == 12]
    self.assertEqual([arm.draw for arm in few], [0, 1, 2])
    for arm in few:
      np.testing.assert_array_equal(arm.heads_SxLxH.sum((1, 2)), [12, 12])
    choices = [m.tobytes() for arm in few for m in arm.heads_SxLxH]
    self.assertLen(set(choices), 6)
    again = _pick(_arms(rank), choice="random", what="heads", start="trained")
    np.testing.assert_array_equal(again[1].heads_SxLxH, arms[1].heads_SxLxH)

  def test_weights_go_at_the_ratio_of_select_and_at_the_published_one(self):
    arms = [arm for arm in _arms() if arm.what.startswith("weights")]
    found = {(arm.what, arm.rule): arm.ratio_S.tolist() for arm in arms}
    self.assertLen(arms, 2 * (1 + 3))
    for rule in ("magnitude", "random"):
      ratio_S = found["weights, ratio of select", rule]
      np.testing.assert_allclose(ratio_S, [0.1, 0.3])
      ratio_S = found["weights, published ratio", rule]
      np.testing.assert_allclose(ratio_S, [0.4, 0.4])


class ContrastsTest(absltest.TestCase):
  def test_differences_of_losses_by_hand(self):
    arms = _arms()
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, S, len(arms), 5))
    losses = pruned.Losses(arms, before, after)
    at = lambda **where: [i for i, arm in enumerate(arms) if arm in _pick_same(arms, where)]
    run = tiny_study.handmade(None, {"a": np.zeros(S, np.float32)}, tiny_study.ar([0], 600))
    rows = pruned.all_contrasts(run, arms, before, after, np.arange(0, 50, 10))
    found = {(r["what"], r["kept"], r["contrast"]): r["nats"] for r in rows}
    self.assertLen(found, len(rows))
    [chosen] = at(choice="costliest on select", kept=2.0, start="trained")
    drawn = at(choice="random", kept=2.0, start="trained", what="heads")
    self.assertLen(drawn, 3)
    self.assertAlmostEqual(
      found["heads", 2.0, "chosen minus random, retrained"],
      after[:, chosen].mean() - after[:, drawn].mean(),
    )
    self.assertAlmostEqual(
      found["heads", 2.0, "retrained minus intact trained on"],
      after[:, chosen].mean() - after[:, 0].mean(),
    )
    self.assertAlmostEqual(
      found["heads", 2.0, "removed minus intact"], before[:, chosen].mean() - before[:, 0].mean()
    )
    [middle], [others] = (at(what="layers", choice=choice) for choice in ("middle", "others"))
    self.assertAlmostEqual(
      found["layers", 1.0, "middle minus others, retrained"],
      (after[:, middle] - after[:, others]).mean(),
    )
    np.testing.assert_array_equal(losses.of("after", what="network"), after[:, 0])


def _pick_same(arms, where):
  """Returns a container that finds an arm by identity."""
  picked = {id(arm) for arm in _pick(arms, **where)}

  class Same:
    def __contains__(self, arm):
      return id(arm) in picked

  return Same()


def noisy(params, x_BxT, **_):
  """Mean 1 + (sum of weights)(s - 1): of two weights, one is noise."""
  weight = params["input"]["kernel"].sum()
  return tiny_study.gaussian(1 + weight * (x_BxT - 1), 0.2), {}


class ChoiceTest(absltest.TestCase):
  def test_ratio_is_the_best_on_select(self):
    # Without the small weight the predictor is the truth, without both it
    # knows nothing; in the other seed the small weight is half of the truth.
    weight_SxM = np.array([[PHI, 0.5], [0.3, 0.4]], np.float32)
    value_N = tiny_study.ar([PHI], 2000)
    run = tiny_study.handmade(
      noisy,
      {"input": {"kernel": weight_SxM}},
      value_N,
      changed={"masking.ratios": (0.0, 0.25, 0.5, 1.0)},
    )
    select_NxT1, _ = run.batches("select")
    np.testing.assert_allclose(pruned.best_ratio(run, select_NxT1), [0.5, 0.25])


class RunTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.model = tiny_study.tiny_model()
    cls.model.trunk.init_std = 0.5
    init = jax.jit(jax.vmap(lambda key: spacing.init(cls.model, key)))
    cls.params_S, fresh_S = (init(jax.random.split(jax.random.key(k), S)) for k in (0, 1))
    cls.run_ = tiny_study.handmade(
      spacing.bind(cls.model),
      cls.params_S,
      tiny_study.ar([PHI], 2400),
      model=cls.model,
      fresh_S=fresh_S,
    )
    cls.found = pruned.measure(cls.run_)
    cls.arms = tables.rows(cls.found, "arms")
    cls.test_NxT1, _ = cls.run_.batches("test", cls.found.windows)

  def _row(self, **where):
    match = lambda row: all(row[k] == v for k, v in where.items())
    return [r for r, row in enumerate(self.arms) if match(row)]

  def test_removal_equals_the_edit_of_activations(self):
    its = self.run_.settings.pruned
    arms = pruned.all_arms(its, self.found["rank"].values, self.found.ratio.values)

    @jax.jit
    def edited(params, keep_LxH):
      edits = {"attention/head": ablation.zero_heads(keep_LxH)}
      return spacing.score(
        self.run_.apply, params, self.test_NxT1, min_context=CONTEXT, edits=edits
      ).mean()

    rows = self._row(what="heads", start="trained") + [0]
    self.assertLen(rows, 3)
    for r in rows:
      for s in range(S):
        params = jax.tree.map(lambda leaf, s=s: np.asarray(leaf)[s], self.params_S)
        expected = edited(params, arms[r].heads_SxLxH[s])
        self.assertAlmostEqual(float(self.found.before[s, r]), float(expected), places=4)
    self.assertGreater(np.ptp(self.found.before.values[0, rows]), 1e-3)

  def test_numbers_that_remain(self):
    total = transformer.parameter_count(self.params_S) // S
    self.assertEqual(self.found.removed_head, 4 * 8 * 4)
    kept = lambda **where: self.found.parameters.values[:, self._row(**where)]
    self.assertTrue((kept(what="network") == total).all())
    heads = kept(what="heads", kept=1.0)
    self.assertTrue((heads == total - 3 * 128).all())
    # A layer: two norms' gains, four attention matrices, the MLP.
    layer = 2 * 8 + 4 * 8 * 8 + 2 * 8 * 16
    self.assertTrue((kept(what="layers") == total - layer).all())
    attention = kept(what="attention of layers")
    self.assertTrue((attention == total - 4 * 8 * 8).all())
    masked = 2 * (4 * 64 + 256) + 8 + 8 * 6 + 8 * (T + 2)
    weights = kept(what="weights, published ratio")
    np.testing.assert_allclose(weights, total - 0.4 * masked, atol=1)

  def test_training_helps_and_scratch_starts_elsewhere(self):
    before_SxR = self.found.before.values
    change_SxR = self.found.after.values - before_SxR
    self.assertLess(change_SxR[:, 0].max(), 0)  # from random weights
    trained, scratch = (
      before_SxR[:, self._row(choice="costliest on select", start=start)]
      for start in ("trained", "scratch")
    )
    self.assertTrue((np.abs(trained - scratch) > 1e-4).all())
    self.assertTrue((self.found.frozen_step == -1).all())

  def test_rows_hold_the_means_of_the_arrays(self):
    for r, row in enumerate(self.arms):
      after = row["after"]
      self.assertAlmostEqual(after.estimate, self.found.after.values[:, r].mean())
      self.assertAlmostEqual(row["before"], self.found.before.values[:, r].mean())
      self.assertLessEqual(after.low, after.estimate)
      self.assertGreaterEqual(after.high, after.estimate)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "pruned", self.found, provenance={})
    back, _ = results.read(folder, "pruned")
    xr.testing.assert_identical(back, self.found)


class NamedTest(absltest.TestCase):
  def test_named_heads_alone_are_kept(self):
    rank = np.tile(np.arange(8).reshape(2, 4), (3, 1, 1))
    ratio_S = np.zeros(3, np.float32)
    plain = pruned.all_arms(pruned.Settings(), rank, ratio_S)
    settings = pruned.Settings(named=("L0.H2", "L1.H3"))
    arms = pruned.all_arms(settings, rank, ratio_S)
    self.assertLen(arms, len(plain) + 2)
    named = [arm for arm in arms if arm.what == pruned.NAMED]
    self.assertEqual([arm.start for arm in named], ["trained", "scratch"])
    for arm in named:
      kept = np.zeros((2, 4))
      kept[0, 2] = kept[1, 3] = 1
      np.testing.assert_array_equal(arm.heads_SxLxH, np.tile(kept, (3, 1, 1)))
      self.assertEqual((arm.kept, arm.choice), (2.0, "L0.H2, L1.H3"))
    with self.assertRaisesRegex(ValueError, "no head 'L2.H0'; valid: L0.H0, L0.H1"):
      pruned.all_arms(pruned.Settings(named=("L2.H0",)), rank, ratio_S)

  def test_named_heads_are_set_beside_the_intact_network(self):
    rank = np.arange(8).reshape(1, 2, 4)
    settings = pruned.Settings(named=("L0.H2",))
    arms = pruned.all_arms(settings, rank, np.zeros(1, np.float32))
    nll_SxRxN = np.zeros((1, len(arms), 4))
    at = [arm.what == pruned.NAMED and arm.start == "trained" for arm in arms]
    nll_SxRxN[:, at] = 0.5
    losses = pruned.Losses(arms, nll_SxRxN, nll_SxRxN)
    found = {
      names["contrast"]: float((one - base).mean())
      for names, one, base in pruned._of_parts(losses)
      if names["what"] == pruned.NAMED
    }
    self.assertEqual(found, {"removed minus intact": 0.5, "retrained minus intact trained on": 0.5})


class SettingsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"kept": (1.5,)}, "has 1.5, which must be at least 0 and at most 1"),
    ({"draws": 0}, "draws=0 must be at least 1"),
  )
  def test_what_is_wrong_is_named(self, change, message):
    with self.assertRaisesRegex(ValueError, message):
      pruned.Settings(**change)


def _arm(what, choice, kept, parameters, after, start="trained", draw=0):
  row = {"what": what, "choice": choice, "start": start, "draw": draw}
  row |= {"kept": kept, "parameters": parameters, "before": after + 0.5}
  return row | {"after": after, "after_low": after - 0.02, "after_high": after + 0.02}


def _arms_by_hand(heads: int) -> list[dict]:
  kept = max(1, round(heads * 13 / 48))
  rows = [_arm("network", "intact", 1.0, 4_794_136.0, 0.2)]
  for start in ("trained", "scratch"):
    rows.append(_arm("heads", pruned.CHOSEN, kept, 3_647_256.0, 0.3, start))
    for draw in (0, 1):
      rows.append(_arm("heads", "random", kept, 3_647_256.0, 0.4, start, draw))
  for what in ("attention of layers", "layers"):
    for choice in ("middle", "others"):
      rows.append(_arm(what, choice, 4.0, 4_000_000.0, 0.35))
  for rule in ("magnitude", "random"):
    rows.append(_arm("weights, published ratio", rule, 0.6, 2_880_000.0, 0.25))
  return rows


def by_hand(heads=0.1, scratch=-0.05, random=-0.1, layers=0.15, mask=0.05, control=-0.1, deep=True):
  """Differences in nats: `heads`, `layers` and `mask` from the intact network
  trained as long; from scratch, from random heads and masks."""
  arms = [arm for arm in _arms_by_hand(48) if deep or "layers" not in arm["what"]]
  kept = arms[1]["kept"]
  differences = [
    ("network", 1.0, "trained on minus intact", -0.01),
    ("heads", kept, "removed minus intact", 0.6),
    ("heads", kept, "retrained minus intact trained on", heads),
    ("heads", kept, "chosen minus random, retrained", random),
    ("heads", kept, "retrained minus from scratch", scratch),
    ("attention of layers", 4.0, "retrained minus intact trained on", layers),
    ("layers", 4.0, "retrained minus intact trained on", layers),
    ("layers", 4.0, "middle minus others, retrained", -0.02),
    ("attention of layers", 4.0, "middle minus others, retrained", -0.02),
  ]
  for what in ("weights, ratio of select", "weights, published ratio"):
    differences += [
      (what, 0.6, "retrained minus intact trained on", mask),
      (what, 0.6, "magnitude minus random, retrained", control),
    ]
  contrasts = [
    {"what": what, "kept": k, "contrast": name, "seeds": 2}
    | {"nats": x, "nats_low": x - 0.01, "nats_high": x + 0.01}
    for what, k, name, x in differences
    if deep or "layers" not in what
  ]
  rank = np.tile(np.arange(48).reshape(6, 8), (2, 1, 1))
  variables = {
    "frozen_step": results.variable("seed arms", np.full((2, len(arms)), -1), "step"),
    "rank": results.variable("seed layer head", rank, "rank"),
    **results.rows("arms", arms, pruned.ARM),
    **results.rows("contrasts", contrasts, pruned.CONTRAST),
  }
  return results.dataset(variables, removed_head=32_768, steps=100, batch_size=16, windows=55)


REPRODUCED, ARTEFACT = "reproduced", "reproduced, but an artefact"
NOT, OPEN, NOT_RUN = "not reproduced", "needs more compute", "not run"
SMALL = {"size": zeros_cards.SMALL}


def _verdict(claim, its=None, **changes):
  card = zeros_cards.card(**(its or {}))
  return zeros_cards.row(pruned, f"pruned.{claim}", e4=(card, {"pruned": by_hand(**changes)}))


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    # Arithmetic: whatever a run shows.
    ("size", {}, {}, NOT),
    ("size", SMALL, {}, NOT),
    ("size", {"data": "other"}, {}, NOT_RUN),
    ("size", {"told": True}, {}, NOT_RUN),
    # As good as the intact network, and better than random heads.
    ("core", {}, {"heads": 0.1}, NOT),
    ("core", {}, {"heads": -0.02, "random": -0.1}, REPRODUCED),
    ("core", {}, {"heads": -0.02, "random": 0.0}, ARTEFACT),
    ("core", SMALL, {"heads": -0.02}, OPEN),
    ("core", {"seeds": 3}, {"heads": -0.02}, OPEN),
    ("core", {"memory": "none"}, {"heads": -0.02}, OPEN),
    ("layers", {}, {"layers": 0.15}, NOT),
    ("layers", {}, {"layers": -0.02}, REPRODUCED),
    ("layers", {}, {"deep": False}, NOT_RUN),
    ("mask", {}, {"mask": 0.05}, NOT),
    ("mask", {}, {"mask": -0.02}, REPRODUCED),
    ("mask", {}, {"mask": -0.02, "control": 0.0}, ARTEFACT),
  )
  def test_status(self, claim, its, changes, status):
    row = _verdict(claim, its, **changes)
    self.assertEqual(row["status"], status, row["because"])

  def test_nothing_decides_nothing(self):
    self.assertLen(pruned.CLAIMS, 4)
    for claim in pruned.CLAIMS:
      row = zeros_cards.row(pruned, claim.id, e4=(zeros_cards.card(), {}))
      self.assertEqual(row["status"], NOT_RUN)
      self.assertIn(f"on {program.DATA}", row["because"])

  def test_numbers_of_the_published_network(self):
    # docs/sources/zeros.md, sections 2.3 and 4.2: 4,802,336 less 35 heads of 4 * 256 * 32.
    row = _verdict("size")
    self.assertEqual(row["numbers"]["left with 13 of 48 heads"], 3_655_456)
    self.assertEqual(row["numbers"]["in 13 heads"], 425_984)
    self.assertIn("leaves 3,655,456, 76%", row["because"])
    self.assertIn("13 heads leave 3,647,256 of 4,794,136", row["because"])

  def test_open_verdicts_say_what_small_networks_show(self):
    row = _verdict("core", SMALL)
    self.assertIn("+0.1000 [+0.0900, +0.1100]", row["because"])
    self.assertIn("13 heads kept", row["because"])


class ShownTest(absltest.TestCase):
  def test_tables_show_the_stored_numbers(self):
    found = by_hand()
    found.frozen_step[1, 1] = 9
    contrasts, arms = pruned.tables({"e0": found})
    rows = tables.rows(found, "contrasts")
    for row, cells in zip(rows, contrasts.cells(), strict=True):
      self.assertEqual(cells[3], row["contrast"])
      self.assertEqual(cells[4], f"{row['nats']:+.4f}")
    cells = dict(zip(arms.columns(), arms.cells()[1], strict=True))
    self.assertEqual((cells["kept"], cells["start"]), ("13", "its weights"))
    self.assertEqual((cells["parameters"], cells["NLL before"]), ("3,647,256", "0.8000"))
    self.assertEqual(cells["NLL after"], "0.3000 [0.2800, 0.3200]")
    self.assertEqual(cells["stopped by a loss that was not finite"], "1 of 2")
    self.assertIn("3,655,456 of 4,802,336 remain", arms.caption)
    for table in (contrasts, arms):
      self.assertNotIn("%", table.html())

  def test_figures_show_every_arm_and_difference(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    found = by_hand()
    (page,) = pruned.figures({"e0": found}).values()
    figure = page.figure()
    figures.save(figure, f"{folder}/pruned.png")
    drawn.assert_inside(self, figure)
    arms, differences = (axes for part in figure.subfigs for axes in part.axes)
    rows = tables.rows(found, "arms")
    self.assertLen(arms.get_yticklabels(), len(pruned.grouped(rows)))
    self.assertLess(len(pruned.grouped(rows)), len(rows))  # draws together
    self.assertEqual(arms.get_yticklabels()[0].get_text(), "whole network, intact")
    texts = [text.get_text() for text in differences.texts]
    estimates = [row["nats"].estimate for row in tables.rows(found, "contrasts")]
    self.assertEqual(texts, [f"{value:+.4f}" for value in estimates])

  def test_runs_are_compared_where_they_were_pruned_alike(self):
    pages = pruned.figures({"e4": by_hand(), "e0": by_hand(heads=0.3, deep=False)})
    self.assertEqual(list(pages), ["all runs", "e4", "e0"])
    figure = pages["all runs"].figure()
    drawn.assert_inside(self, figure)
    ((axes,),) = (part.axes for part in figure.subfigs)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    self.assertEqual(labels[0], "whole network: trained on minus intact")
    self.assertEqual(labels[-1], "weights, published ratio: magnitude minus random, retrained")
    at = labels.index("13 heads kept: retrained minus intact trained on")
    self.assertLen(labels, 13)
    points = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    near = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "o"]
    found = [x for x, y in zip(points, near, strict=True) if abs(y - at) < 0.5]
    np.testing.assert_allclose(found, [0.1, 0.3])


if __name__ == "__main__":
  absltest.main()
