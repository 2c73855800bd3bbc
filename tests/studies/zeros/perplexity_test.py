import tempfile

import drawn
import matplotlib
import numpy as np
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from handmade_binned import handmade, model
from primelens.analyses import statistics
from primelens.lens import claims, results
from primelens.studies.zeros import perplexity, program

ARTEFACT, NOT = "reproduced, but an artefact", "not reproduced"
OPEN, NOT_RUN = "needs more compute", "not run"
LARGE, SMALL = 853_120, 55_000
LEAKY = "bank_leaky_as_published"


class PerplexityTest(absltest.TestCase):
  def test_of_a_network_to_which_all_bins_are_alike(self):
    found = perplexity.measure(handmade(model(), blank=True))
    self.assertEqual(found.network, "handmade")
    of = lambda name, key: float(found[key].sel(predictor=name))
    for name in (perplexity.MODEL, "all bins alike"):
      self.assertAlmostEqual(of(name, "perplexity"), 256, delta=0.01)
      self.assertAlmostEqual(of(name, "nll"), np.log(4), places=4)
    # s_n - 1 = 0.7 (s_{n-1} - 1) + 0.2 e_n, so that AR(1) has the density
    # N(0, 0.04), and the marginal N(0, 0.04 / 0.51).
    entropy = lambda variance: 0.5 * np.log(2 * np.pi * np.e * variance)
    filtered = of("AR(1)", "nll")
    self.assertAlmostEqual(filtered, entropy(0.04), delta=0.1)
    # Of 2,320 tokens 256 frequencies are known to a tenth of a nat.
    alone = of("marginal of train", "nll")
    self.assertBetween(alone, entropy(0.04 / 0.51), entropy(0.04 / 0.51) + 0.25)
    gap = of("AR(1)", "network_minus")
    self.assertAlmostEqual(gap, np.log(4) - filtered, places=4)
    self.assertTrue(np.isnan(of(perplexity.MODEL, "network_minus")))
    np.testing.assert_allclose(found.leak_of_seeds, 0, atol=1e-6)
    np.testing.assert_allclose(found.leak, 0, atol=1e-6)
    np.testing.assert_allclose(
      np.log(found.perplexity_interval / 64), found.nll_interval, atol=1e-9
    )

    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "perplexity", found, provenance={})
    xr.testing.assert_identical(results.read(folder, "perplexity")[0], found)

  def test_the_leak_of_a_bank(self):
    told = {}
    for variant in (LEAKY, "bank"):
      run = handmade(model(variant, init_std=3.0), blank=False)
      end_P, nll_SxPxNx2, _ = perplexity._leaks(run)
      self.assertEqual(list(end_P + 1), [15, 16])
      told[variant] = np.abs(np.diff(nll_SxPxNx2)).max((0, 2, 3))
    # At the end of the window nothing is left to read ahead of.
    np.testing.assert_allclose(told["bank"], 0, atol=1e-5)
    leaky_P = told[LEAKY]
    self.assertLess(leaky_P[1], 1e-5)
    self.assertGreater(leaky_P[0], 1e-4)

  def test_the_leak_is_what_cutting_off_costs(self):
    run = handmade(model(LEAKY, init_std=3.0), blank=False)
    found = perplexity.measure(run)
    _, nll_SxPxNx2, _ = perplexity._leaks(run)
    leak_SxP = (nll_SxPxNx2[..., 1] - nll_SxPxNx2[..., 0]).mean(-1)
    self.assertEqual(found.seed.values.tolist(), [3, 4])
    np.testing.assert_allclose(found.leak_of_seeds, leak_SxP)
    np.testing.assert_allclose(found.leak, leak_SxP.mean(0))
    self.assertTrue((found.leak_interval.sel(end="low") <= found.leak).all())
    self.assertTrue((found.leak_interval.sel(end="high") >= found.leak).all())


def by_hand(variant="gpt", model=84.1, width=1.5, leak=0.0, seeds=2):
  """Returns predictors around a network of some perplexity, and a leak."""
  names = [perplexity.MODEL, "marginal of train", "AR(24)", perplexity.UNTRAINED]
  value = np.array([model, 105.7, 72.5, 256.0])
  worth = statistics.Interval(value, value - width, value + width)
  nats = statistics.Interval(*(np.log(end / 64) for end in worth[:3]))
  below = np.array([np.nan, 0.1, 0.1, 0.1])
  leak_P = np.array([0.5 * leak, leak, 0.0])
  variables = {
    **results.with_interval("nll", "predictor", nats, "NLL on test", perplexity.NATS),
    **results.with_interval("perplexity", "predictor", worth, "perplexity"),
    **results.with_interval(
      "network_minus", "predictor", statistics.Interval(*[below] * 3), "below", perplexity.NATS
    ),
    "network_nll": results.variable("seed", np.full(seeds, nats.estimate[0]), "NLL on test"),
    **results.with_interval(
      "leak",
      "position",
      statistics.Interval(leak_P, 0.9 * leak_P, 1.1 * leak_P),
      "change of NLL",
      perplexity.NATS,
    ),
    "leak_of_seeds": results.variable(
      "seed position", np.tile(leak_P, (seeds, 1)), "change of NLL", perplexity.NATS
    ),
    "last_nll": results.variable("seed", np.full(seeds, 0.2), "NLL"),
  }
  position = results.variable("position", [32, 63, 64], "spacings of the window before it")
  coords = {"predictor": names, "seed": np.arange(seeds), "position": position}
  words = {"network": "hand", "floor": 105.2, "variant": variant, "scored": 1000, "windows": 16}
  return results.dataset(variables, coords, **words)


def made(variant, size=SMALL, seeds=5, **options):
  """Returns the card and the result of a run of one kind of memory."""
  told = variant == LEAKY
  card = zeros_cards.card(f"binned {variant}", size, seeds, kind="binned", told=told)
  return card, {"perplexity": by_hand(variant, **options)}


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("bank", LEAKY, ARTEFACT, {"leak": 0.1}),
    ("bank", LEAKY, OPEN, {"leak": 1e-7}),
    ("bank", "bank", NOT_RUN, {"leak": 0.1}),
    ("binned", "gpt", OPEN, {"model": 84.1}),
    ("binned", "gpt", "reproduced", {"model": 70.0}),
    ("binned", "gpt", OPEN, {"model": 70.0, "seeds": 1}),
    ("binned", "gpt", NOT, {"model": 106.0, "size": LARGE}),
  )
  def test_status(self, claim, variant, status, options):
    row = zeros_cards.row(perplexity, f"losses.{claim}", demo=made(variant, **options))
    self.assertEqual(row["status"], status, row["because"])

  def test_every_claim_needs_a_run_on_the_published_data(self):
    card, table = made("gpt")
    others = {"demo": (card | {"data": "others"}, table)}
    zeros_cards.assert_not_run(self, perplexity, {}, others)

  def test_the_causal_bank_is_set_beside_the_leaky_one(self):
    runs = {"leaky": made(LEAKY, leak=0.2), "blind": made("bank")}
    row = zeros_cards.row(perplexity, "losses.bank", **runs)
    self.assertIn("leaky (5 seeds): after 63 spacings", row["because"])
    self.assertIn("0.2000 nats [0.1800, 0.2200]", row["because"])
    self.assertIn("blind, whose mean is causal: 0.0000", row["because"])
    self.assertIn("below the published 80.11", row["because"])
    self.assertEqual(row["numbers"]["AR(24): perplexity"], 72.5)

  def test_published_numbers_are_written_once(self):
    said = {claim.id: (claim.statement, claim.reported) for claim in perplexity.CLAIMS}
    self.assertIn("80.11, and 55.43 on 100 million", said["losses.bank"][0])
    self.assertEqual(said["losses.bank"][1], "80.11 and 55.43, against 83.3 and 66.6 without")
    self.assertIn("83.3, against 106.7", said["losses.binned"][0])
    self.assertIn("at the limit 106.5", said["losses.binned"][1])


class ShownTest(parameterized.TestCase):
  @parameterized.parameters({}, {"variant": LEAKY, "leak": 0.3, "seeds": 1})
  def test_figures(self, **options):
    found = by_hand(**options)
    self.assertEqual(set(perplexity.figures({"e0": found})), {"e0"})
    pages = perplexity.figures({"e0": found, "e1": by_hand(model=70.0)})
    self.assertEqual(set(pages), {"all runs", "e0", "e1"})
    for page in pages.values():
      figure = page.figure()
      drawn.assert_inside(self, figure)
      for axes in figure.findobj(matplotlib.axes.Axes):
        self.assertNotEmpty(axes.get_xlabel())
        if "NLL" in axes.get_ylabel() + axes.get_xlabel():
          self.assertIn("nats", axes.get_ylabel() + axes.get_xlabel())

  def test_rounding_is_no_leak(self):
    figure = perplexity.figures({"e0": by_hand(leak=1e-6)})["e0"].figure()
    low, high = figure.findobj(matplotlib.axes.Axes)[-1].get_ylim()
    self.assertLessEqual(low, -0.01)
    self.assertGreaterEqual(high, 0.01)

  def test_predictors_are_ranked(self):
    predictors, *_ = perplexity.tables({"demo": by_hand(), "other": by_hand()})
    cells = [dict(zip(predictors.columns(), row, strict=True)) for row in predictors.cells()]
    best, network, *_ = cells
    self.assertEqual(
      [row["predictor"] for row in cells[:4]],
      ["AR(24)", "network", "marginal of train", "untrained network"],
    )
    # ln(72.5 / 64) and ln(84.1 / 64)
    self.assertStartsWith(best["NLL"], "0.1247")
    self.assertStartsWith(best["perplexity"], "72.5 [71.0, 74.0]")
    self.assertStartsWith(network["NLL"], "0.2731")
    self.assertEqual(network["network minus it"], "–")
    self.assertEqual(cells[4]["run"], "other")
    self.assertIn("1,000 tokens", predictors.caption)
    self.assertIn("105.2 on train", predictors.caption)

  def test_leaks_and_published_networks(self):
    _, leaks, seeds, published = perplexity.tables({"demo": by_hand(leak=0.2)})
    self.assertEqual(leaks.cells()[1], ["demo", "63", "+0.2000 [+0.1800, +0.2200]"])
    self.assertIn("16 windows", leaks.caption)
    self.assertEqual(seeds.cells()[0], ["demo", "0", "0.2731", "0.2000"])  # ln(84.1 / 64)
    rows = {row[0]: row[1:] for row in published.cells()}
    # ln(83.3 / 64), ln(106.7 / 64)
    self.assertEqual(rows["SpacingGPT, 2 million zeros (README)"], ["83.30", "+0.264"])
    self.assertEqual(rows["SpacingGPT, 2 million zeros (paper draft)"], ["106.70", "+0.511"])
    self.assertEqual(rows["entropy of the marginal (README)"], ["105.20", "+0.497"])


class SharedTest(absltest.TestCase):
  def test_runs_are_named_where_one_is_missing(self):
    with self.assertRaisesRegex(claims.Missing, "memory 'binned gpt'"):
      program.of_binned(zeros_cards.results(demo=made("rmt")), "gpt").of("perplexity")


if __name__ == "__main__":
  absltest.main()
