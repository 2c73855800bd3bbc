import tempfile

import drawn
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.analyses import statistics
from primelens.lens import results, tables
from primelens.models import spacing
from primelens.studies.zeros import anchors, program, scoring
from primelens.tasks import windows

PHI, SCALE, COUNT = -0.6, 0.2, 140_000
ENTROPY = 0.5 * (np.log(2 * np.pi * SCALE**2) + 1)
ONE_1 = np.ones(1, np.float32)
FRESH_S = {"phi": 0 * ONE_1, "mean": ONE_1, "scale": ONE_1}


def first_order(params, x_BxT, **_):
  """A Gaussian AR(1) with the given coefficient, mean and scale."""
  mean_BxT = params["mean"] + params["phi"] * (x_BxT - 1)
  return tiny_study.gaussian(mean_BxT, params["scale"]), {}


def _run(params_S, value_N, split=windows.published_tail, window=None):
  model = tiny_study.tiny_model()
  model.window = window or tiny_study.T
  return tiny_study.handmade(
    first_order,
    {name: np.array(value, np.float32) for name, value in params_S.items()},
    value_N,
    model=model,
    fresh_S=FRESH_S,
    splits=split(len(value_N), window=model.window, gap=50),
    changed={"evaluation.windows": 100, "bootstrap.samples": 200, "bootstrap.block": 100},
  )


def rows(found) -> dict[str, dict]:
  """Returns every predictor's numbers by its name."""
  columns = {
    "nll": "loss",
    "r2": "r2",
    "parameters": "parameters",
    "minus": "model_minus",
  }
  each = tables.records(found, columns, "predictor")
  return dict(zip(found.predictor.values.tolist(), each, strict=True))


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
    cls.found = anchors.measure(cls.run_)
    cls.rows = rows(cls.found)

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
    for row in list(self.rows.values())[1:]:
      self.assertLess(row["nll"].low, row["nll"].estimate)
      self.assertGreater(row["nll"].high, row["nll"].estimate)
      self.assertTrue(np.isfinite([row["r2"], *row["minus"][:3]]).all())

  def test_anchors_reach_the_entropy_of_the_process(self):
    index_M = scoring.targets(self.run_, self.run_.batches("test", 100)[1])
    noise_M = self.value_N[index_M] - 1 - PHI * (self.value_N[index_M - 1] - 1)
    best = tiny_study.normal_nll(noise_M, SCALE).mean()
    self.assertAlmostEqual(best, ENTROPY, delta=0.05)
    for name in ("AR(3)", "AR(16)", "AR(64)"):
      self.assertAlmostEqual(self.rows[name]["nll"].estimate, best, delta=0.003)
      self.assertAlmostEqual(self.rows[name]["r2"], PHI**2, delta=0.05)
    constant = self.rows["constant Gaussian"]["nll"].estimate
    lost = -0.5 * np.log(1 - PHI**2)  # what one lag tells
    self.assertAlmostEqual(constant - best, lost, delta=0.05)
    self.assertAlmostEqual(self.rows["marginal (KDE)"]["nll"].estimate, constant, delta=0.01)

  def test_the_untrained_network_is_scored_too(self):
    index_M = scoring.targets(self.run_, self.run_.batches("test", 100)[1])
    expected = tiny_study.normal_nll(self.value_N[index_M] - 1).mean()
    row = self.rows["untrained network"]
    self.assertAlmostEqual(row["nll"].estimate, expected, places=5)

  def test_model_and_anchors_are_scored_on_the_same_positions(self):
    # The second seed is the constant Gaussian, so on the same positions it
    # scores exactly as that anchor does.
    constant = self.rows["constant Gaussian"]
    self.assertAlmostEqual(float(self.found.nll[1]), constant["nll"].estimate, places=5)
    self.assertEqual(self.found.scored, 100 * 9)
    self.assertEqual(self.found.min_context, 8)

  def test_differences_are_paired(self):
    model = self.rows["model (handmade)"]["nll"].estimate
    self.assertAlmostEqual(model, float(self.found.nll.mean()), places=6)
    for row in list(self.rows.values())[1:]:
      self.assertAlmostEqual(row["minus"].estimate, model - row["nll"].estimate, places=6)

  def test_blocks_of_height_average_to_the_table(self):
    block_ExP, height_P = self.found.loss_by_height.values, self.found.height.values
    self.assertEqual(block_ExP.shape, (len(self.rows), len(height_P)))
    self.assertTrue((np.diff(height_P) > 0).all())
    sizes_P = [len(part) for part in np.array_split(range(100), 8)]
    np.testing.assert_allclose(block_ExP @ sizes_P / 100, self.found.loss.values, rtol=1e-6)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "anchors", self.found, provenance={})
    back, _ = results.read(folder, "anchors")
    xr.testing.assert_identical(back, self.found)

  def test_the_figure(self):
    page = anchors.figures({"handmade": self.found})["handmade"].figure()
    drawn.assert_inside(self, page)


class PermutationTest(absltest.TestCase):
  """A network whose mean is off by the first slot's id, times `shift`."""

  def _run(self, memory="postfix"):
    def by_order(params, x_BxT, *, slot_order_M=None, **_):
      first = 0 if slot_order_M is None else slot_order_M[0]
      mean_Bx1 = x_BxT[:, -1:] + params["shift"] * first
      return tiny_study.gaussian(mean_Bx1, SCALE), {}

    shift_S = {"shift": np.array([0.1, 0.4], np.float32)}
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
    found = anchors.measure(run)
    window_NxT1, _ = run.batches("test", 20)
    step_N = np.diff(window_NxT1[:, -2:].astype(np.float64))[:, 0]
    first_R = spacing.slot_orders(2, 12)[:, 0]
    self.assertEqual(set(first_R), {0, 1})
    for s, shift in enumerate((0.1, 0.4)):
      nll_RxN = np.stack([tiny_study.normal_nll(step_N - shift * f, SCALE) for f in first_R])
      np.testing.assert_allclose(found.permuted_nll.values[s], nll_RxN.mean(1), rtol=1e-5)
      expected = -np.log(np.exp(-nll_RxN).mean(0)).mean()
      self.assertAlmostEqual(float(found.ensemble_nll[s]), expected, places=5)
    self.assertEqual(found.permuted_windows, 20)
    (*_, orders) = anchors.tables({"run": found})
    for s, row in enumerate(orders.rows):
      self.assertAlmostEqual(row["mean"], float(found.permuted_nll.values[s].mean()))
      self.assertAlmostEqual(row["deviation"], float(np.std(found.permuted_nll.values[s], ddof=1)))

  def test_the_table_has_the_fixed_order(self):
    run = self._run()
    window_NxT1, _ = run.batches("test", 30)
    step_N = np.diff(window_NxT1[:, -2:].astype(np.float64))[:, 0]
    expected = tiny_study.normal_nll(step_N, SCALE).mean()
    np.testing.assert_allclose(anchors.measure(run).nll.values, expected, rtol=1e-5)

  def test_a_network_without_slots_has_none(self):
    found = anchors.measure(self._run("none"))
    self.assertEqual(found.permuted_nll.shape, (2, 0))
    self.assertTrue(np.isnan(found.ensemble_nll).all())


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
    params_S = FRESH_S
    run = tiny_study.handmade(
      first_order,
      params_S,
      value_N,
      model=model,
      splits=splits,
      fresh_S=params_S,
      changed={"evaluation.min_context": 24},
    )
    found = rows(anchors.measure(run))
    chosen = found["AR(24) inside the window"]
    self.assertLess(found["AR(16)"]["nll"].estimate, chosen["nll"].estimate)
    self.assertLess(found["AR(3)"]["nll"].estimate, chosen["nll"].estimate)

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
    found = rows(anchors.measure(run))
    row = found["constant Gaussian"]
    for end in row["minus"][:3]:
      self.assertAlmostEqual(end, 0, places=5)
    self.assertFalse([name for name in found if "adaptive" in name])


def by_hand(nll=0.2, ar24=0.124, seeds=5, memory="postfix", width=0.01, run="e4", **attrs):
  """A result whose intervals are `width` to either side."""
  losses = {f"model ({run})": nll, "untrained network": 0.9, "AR(24)": ar24, "AR(64)": -0.045}
  value = np.array(list(losses.values()))
  ends = lambda value: statistics.Interval(value, value - width, value + width)
  minus = np.append(np.nan, nll - value[1:])
  variables = {
    **results.with_interval("loss", "predictor", ends(value), "NLL", "nats"),
    **results.with_interval("model_minus", "predictor", ends(minus), "minus", "nats"),
    "parameters": results.variable("predictor", [45_000, 45_000, 24, 64], "parameters"),
    "r2": results.variable("predictor", [0.1, 0.0, 0.2, 0.3], "R2"),
    "nll": results.variable("seed", np.full(seeds, nll), "NLL", "nats"),
    "loss_by_height": results.variable(
      "predictor height", value[:, None] + [0, 0.1], "NLL", "nats"
    ),
  }
  coords = {"predictor": list(losses), "seed": np.arange(seeds), "height": [10.0, 20.0]}
  words = {"memory": memory, "scored": 900, "min_context": 8, "split": "test", "told": False}
  return results.dataset(variables, coords, **words | attrs)


E4, E0 = zeros_cards.card(), zeros_cards.card("none")
SMALL, FEW = zeros_cards.card(size=zeros_cards.SMALL), zeros_cards.card(seeds=4)
READS = {"ahead_spacings": 0.7, "ahead_nats": 2.5}


def read(card=E4, **found):
  return card, {"anchors": by_hand(**found)}


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    (0.124, "coefficients is ahead of it, so the number is no evidence", "not reproduced"),
    (0.18, "is not ahead of it, nor the network: the interval holds", "needs more compute"),
    (0.2, "is not ahead of it: the network is.", "reproduced"),
  )
  def test_the_verdict_on_e4_says_what_it_found(self, ar24, said, status):
    row = zeros_cards.row(anchors, "anchors.e4", e4=read(ar24=ar24))
    self.assertIn(said, row["because"])
    self.assertIn(f"AR(24) {ar24:+.3f} [{ar24 - 0.01:+.3f}", row["because"])
    self.assertEqual(row["status"], status)

  @parameterized.parameters(
    ({"e4": read(), "e0": read(E0, nll=-0.5)}, "not reproduced"),
    ({"e4": read(nll=-0.6), "e0": read(E0, nll=-0.5)}, "reproduced"),
    ({"e4": read(SMALL), "e0": read(E0, nll=-0.5)}, "needs more compute"),
    ({"e4": read(FEW), "e0": read(E0, nll=-0.5)}, "needs more compute"),
    ({"e4": read()}, "not run"),
    # A small run beside the big ones decides nothing.
    ({"e4": read(), "e0": read(E0, nll=-0.5), "tiny": read(SMALL, nll=-0.9)}, "not reproduced"),
  )
  def test_postfix_against_no_memory(self, runs, status):
    self.assertEqual(zeros_cards.status(anchors, "models.sign", **runs), status)

  @parameterized.parameters(
    ({"ahead_spacings": 0.0, "ahead_nats": 0.0}, E4, True),
    ({}, E4, True),  # a single window, where nothing is measured
    ({"ahead_spacings": 0.1, "ahead_nats": 0.0}, E4, False),
    ({"ahead_spacings": 0.0, "ahead_nats": 0.1}, E4, False),
    ({}, zeros_cards.card("bank_leaky_as_published", told=True), False),
    ({}, zeros_cards.card(data="other spacings"), None),
  )
  def test_claims_count_networks_that_predict(self, measured, card, counts):
    results = zeros_cards.results(run=read(card, **measured))
    self.assertEqual(set(program.on_published(results)), {"run"} if counts else set())
    told = set() if counts is None else {"run"}
    self.assertEqual(set(program.on_published(results, told=True)), told)


class ShownTest(parameterized.TestCase):
  def test_predictors_are_sorted_and_every_number_is_written(self):
    figure = anchors.figures({"e4": by_hand()})["e4"].figure()
    drawn.assert_inside(self, figure)
    ranked, by_height = (axes for part in figure.subfigs for axes in part.axes)
    names = [label.get_text().split("  ")[0] for label in ranked.get_yticklabels()]
    self.assertEqual(names, ["untrained network", "model (e4)", "AR(24)", "AR(64)"])
    written = {text.get_text() for text in ranked.texts}
    self.assertEqual(written, {"+0.900", "+0.200", "+0.124", "-0.045"})
    self.assertIn("nats", ranked.get_xlabel() and by_height.get_ylabel())

  @parameterized.parameters((-0.05, "ahead"), (0.02, "behind"), (0.005, "undecided"))
  def test_standing_is_that_of_the_paired_interval(self, minus, expected):
    found = by_hand(nll=0.124 + minus)
    self.assertEqual(anchors.standing(found.sel(predictor="AR(24)")), expected)

  def table(self, name, **runs):
    (its,) = (each for each in anchors.tables(runs) if each.name == name)
    return its.rows

  def test_networks_are_ranked_among_published_ones_and_filters(self):
    rows = self.table("comparison", postfix=by_hand(0.15, run="postfix"))
    names = [row["predictor"] for row in rows]
    self.assertLen(rows, len(anchors.NETWORKS) + len(anchors.FILTERS) + 1)
    self.assertLess(names.index("AR(24)"), names.index("model (postfix)"))
    self.assertLess(names.index("model (postfix)"), names.index("E4, POSTFIX, seed 7"))
    found = {row["predictor"]: (row["NLL"], row["from"]) for row in rows}
    self.assertEqual(found["E4, POSTFIX, seed 7"], (0.188, "published"))
    self.assertEqual(found["AR(24)"], (0.1244, "linear filter"))
    self.assertEqual(found["model (postfix)"][1], "this page")

  def test_no_network_is_ranked_by_what_it_was_told(self):
    leaky = by_hand(-0.4, run="bank", told=True)
    runs = {"told": by_hand(-1.5, run="told", **READS), "bank": leaky, "e0": by_hand(run="e0")}
    names = [row["predictor"] for row in self.table("comparison", **runs)]
    self.assertEqual(set(names[-2:]), {"model (told)", "model (bank)"})
    self.assertLess(names.index("model (e0)"), names.index("E3, POSTFIX, seed 1337"))
    rows = self.table("predictors", told=runs["told"])
    self.assertEqual(rows[-1]["predictor"], "model (told)")
    self.assertEqual({row["the network is"] for row in rows}, {anchors.TOLD})
    honest = self.table("predictors", e0=by_hand())
    self.assertIn("behind", [row["the network is"] for row in honest])

  def test_a_caution_says_what_was_measured_or_what_the_mask_is(self):
    self.assertEqual(program.reads_target(by_hand().attrs), "")
    self.assertRegex(program.reads_target(READS), "reads its target.* 0.7 mean .* 2.5 nats")
    self.assertRegex(program.reads_target({"told": True}), "only the last position")

  def test_the_headline_is_true_of_the_published_numbers(self):
    self.assertLess(anchors.AR24["nll_nats"], anchors.E4["nll_nats"])
    self.assertLess(anchors.ADAPTIVE_128["nll_nats"], anchors.E0["nll_nats"])

  def test_the_summary_says_who_is_ahead_of_what(self):
    line = anchors.line({"e4": by_hand(), "told": by_hand(-1.5, **READS)})
    self.assertIn("E4 with +0.188 behind", line)
    self.assertIn("behind one of 24 coefficients (+0.124)", line)
    self.assertRegex(line, r"e4: \+0.200 \[\+0.190, \+0.210\] on [\d,]+ spacings of test \(5 s")
    self.assertIn("ahead of untrained network (+0.900), behind AR(24) (+0.124)", line)
    self.assertRegex(line, r"told: .*, no prediction, as it reads its target")
    told = line.partition("told:")[2].partition(" Published networks")[0]
    self.assertNotRegex(told, "ahead of|behind AR")

  def test_the_summary_names_the_best_of_many_networks(self):
    runs = {f"run{i}": by_hand(0.3 - 0.01 * i, run=f"run{i}") for i in range(5)}
    runs |= {"told": by_hand(-1.5, run="told", **READS)}
    line = anchors.line(runs)
    named = [run for run in runs if f"{run}:" in line]
    self.assertEqual(named, ["run2", "run3", "run4"])
    self.assertIn("3 more networks are in the table", line)

  def test_a_network_on_another_sequence_has_no_rank_among_those_on_zeros(self):
    gaps = by_hand(-2.0, run="gaps").assign_attrs(data="500,000 spacings of prime_gaps, contiguous")
    runs = {"e0": by_hand(run="e0"), "gaps": gaps}
    line = anchors.line(runs)
    self.assertNotIn("gaps:", line)
    self.assertIn("1 more network is in the table", line)
    self.assertIn("gaps: -2.000", anchors.line({"gaps": gaps}))
    names = [row["predictor"] for row in self.table("comparison", **runs)]
    self.assertIn("model (e0)", names)
    self.assertNotIn("model (gaps)", names)
    self.assertIn("model (gaps)", [row["predictor"] for row in self.table("predictors", **runs)])


if __name__ == "__main__":
  absltest.main()
