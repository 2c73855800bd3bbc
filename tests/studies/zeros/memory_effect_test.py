import tempfile

import drawn
import matplotlib
import numpy as np
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from handmade_binned import handmade, model
from primelens.analyses import statistics
from primelens.lens import results
from primelens.studies.zeros import memory_effect

ARTEFACT, NOT = "reproduced, but an artefact", "not reproduced"
OPEN, NOT_RUN = "needs more compute", "not run"
LARGE, SMALL = 853_120, 55_000
NAMES = memory_effect.NAMES
BIAS, PLACEBO = "constant bias, same marginal", "placebo, same norm"


class MemoryEffectTest(absltest.TestCase):
  def test_memories_do_nothing_to_a_network_without_a_head(self):
    found = memory_effect.measure(handmade(model(), blank=True))
    self.assertEqual(found.arm.values.tolist(), list(NAMES))
    np.testing.assert_array_equal(found.plateau_change, 0)
    np.testing.assert_array_equal(found.gain, 0)
    np.testing.assert_allclose(found.mean_spacing, 2.0, atol=0.15)
    self.assertEqual(found.plateau_by_repeat.dims, ("arm", "seed", "repeat"))
    self.assertEqual(found.plateau_by_repeat.shape, (len(NAMES), 2, 2))
    self.assertEqual(found.null_as_published.shape, (40,))
    np.testing.assert_allclose(found.plateau_by_repeat.mean(("seed", "repeat")), found.plateau)

    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "memory_effect", found, provenance={})
    xr.testing.assert_identical(results.read(folder, "memory_effect")[0], found)

  def test_changes_are_from_the_amnesiac_and_paired(self):
    found = memory_effect.measure(handmade(model(), blank=False))
    for name in ("plateau", "slope", "variance_10"):
      gap = found[name] - found[name].sel(arm="amnesiac")
      np.testing.assert_allclose(found[f"{name}_change"], gap, atol=1e-9)
      ends = found[f"{name}_change_interval"].sel(arm=list(NAMES[1:]))
      self.assertTrue((ends.sel(end="low") < ends.sel(end="high")).all())
    self.assertTrue((found.lowest_gain <= found.gain).all())
    self.assertTrue((found.gain <= found.highest_gain).all())

  def test_arms(self):
    run = handmade(model(), blank=False)
    token, memory_SxVxD = memory_effect.trajectories(run, run.params_S)
    by_name = {name: token[:, v] for v, name in enumerate(NAMES)}
    self.assertEqual(token.shape, (2, len(NAMES), 2, 4, 64))
    plain = by_name["amnesiac"]
    self.assertFalse(np.array_equal(plain[:, 0], plain[:, 1]))
    for name in NAMES[1:]:
      self.assertFalse(np.array_equal(plain, by_name[name]), name)
    norm_SxV = np.linalg.norm(memory_SxVxD, axis=-1)
    np.testing.assert_allclose(norm_SxV[:, 0], 0)
    np.testing.assert_allclose(norm_SxV[:, -1], 4 * 8**0.5, rtol=1e-5)

  def test_memories_of_a_recurrent_network_begin_at_its_own(self):
    run = handmade(model("rmt"), blank=False, seeds=1)
    memory_SxVxD = memory_effect._sources(run, run.params_S)
    self.assertEqual(memory_SxVxD.shape, (1, 6, 8))
    start_SxD = run.params_S["memory"]["start"]
    np.testing.assert_array_equal(memory_SxVxD[:, 0], start_SxD)


def by_hand(change=None, width=0.02, spread=0.26):
  """Returns arms whose plateaus change as said, `width` to either side.

  The published plateau of independent spacings scatters by `spread`.
  """
  change_V = np.array([(change or {}).get(name, 0.0) for name in NAMES])
  arms, zero_V = len(NAMES), np.zeros(len(NAMES))
  tau_Q = np.arange(0.1, 2.01, 0.1)
  each = lambda value: results.variable("arm", np.broadcast_to(value, arms), "of the arm")
  variables = {
    "memory_norm": each(np.arange(float(arms))),
    "mean_spacing": each(1.0),
    "distance": each(0.1),
    "distance_error": each(0.01),
    "mean_as_published": each(0.9),
    "spread_as_published": each(spread),
    "gain": each(5.0),
    "lowest_gain": each(-40.0),
    "highest_gain": each(70.0),
    "k": results.variable("arm tau", np.minimum(tau_Q, 1) + np.zeros((arms, 1)), "K"),
    "real_k": results.variable("tau", np.minimum(tau_Q, 1), "K of the zeros"),
    "renewal_k": results.variable("tau", np.ones_like(tau_Q), "K of independent spacings"),
    "plateau_by_repeat": results.variable("arm seed repeat", np.ones((arms, 2, 3)), "plateau"),
    "plateau_as_published": results.variable(
      "arm seed repeat", np.full((arms, 2, 3), 0.9), "plateau as published"
    ),
    "null_as_published": results.variable(
      "draw", 0.87 + spread * np.array([-1.0, 0.0, 1.0]), "plateau of independent spacings"
    ),
    "number_variance": results.variable("arm length", np.full((arms, 2), 0.5), "variance"),
    "real_number_variance": results.variable("length", [0.4, 0.5], "variance of the zeros"),
    "norm": results.variable("seed", [1.0, 1.0], "norm"),
  }
  for name, value_V in (
    ("plateau", 1 + change_V),
    ("plateau_change", change_V),
    ("slope", 1 + zero_V),
    ("slope_change", zero_V),
    ("variance_10", 0.5 + zero_V),
    ("variance_10_change", zero_V),
  ):
    interval = statistics.Interval(value_V, value_V - width, value_V + width)
    variables |= results.with_interval(name, "arm", interval, name.replace("_", " "))
  coords = {
    "arm": list(NAMES),
    "seed": [0, 1],
    "tau": results.variable("tau", tau_Q, "τ", "1: Heisenberg time"),
    "length": results.variable("length", [1.0, 10.0], "length L", "mean spacings"),
  }
  words = {"real_plateau": 1.0, "real_slope": 1.0, "real_blocks": 390}
  words |= {"variant": "gpt", "trajectories": 50, "tokens": 512}
  return results.dataset(variables, coords, **words)


def made(variant="gpt", size=SMALL, seeds=5, **options):
  """Returns the card and the result of a run of one kind of memory."""
  card = zeros_cards.card(f"binned {variant}", size, seeds, kind="binned")
  return card, {"memory_effect": by_hand(**options)}


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    # The published measure scatters by its own difference: size is no matter.
    ("elephant", "gpt", NOT, {}),
    ("elephant", "gpt", NOT, {"size": LARGE}),
    ("elephant", "gpt", OPEN, {"spread": 0.05}),
    ("elephant", "gpt", OPEN, {"change": {"elephant": 0.2}}),
    ("elephant", "gpt", "reproduced", {"size": LARGE, "change": {"elephant": 0.2}}),
    ("elephant", "gpt", ARTEFACT, {"size": LARGE, "change": {"elephant": 0.2, BIAS: 0.19}}),
    ("elephant", "rmt", NOT_RUN, {}),
    ("recurrent", "rmt", OPEN, {}),
    ("recurrent", "rmt", NOT, {"size": LARGE}),
    ("recurrent", "rmt", OPEN, {"size": LARGE, "seeds": 2}),
    ("recurrent", "rmt", "reproduced", {"size": LARGE, "change": {"elephant": 0.2}}),
    ("recurrent", "rmt", ARTEFACT, {"size": LARGE, "change": {"elephant": 0.2, PLACEBO: 0.2}}),
    ("recurrent", "gpt", NOT_RUN, {}),
  )
  def test_status(self, claim, variant, status, options):
    row = zeros_cards.row(memory_effect, f"memory.{claim}", demo=made(variant, **options))
    self.assertEqual(row["status"], status, row["because"])

  def test_every_claim_needs_a_run_on_the_published_data(self):
    card, table = made("gpt")
    others = {"demo": (card | {"data": "others"}, table)}
    zeros_cards.assert_not_run(self, memory_effect, {}, others)

  def test_the_published_difference_in_its_own_spreads(self):
    row = zeros_cards.row(memory_effect, "memory.elephant", demo=made())
    # (0.8415 - 0.5163) / (sqrt 2 x 0.26), docs/sources/zeros.md, section 4.9: about 0.9.
    self.assertAlmostEqual(row["numbers"]["in its spreads"], 0.884, places=3)
    self.assertIn("from -40 % to +70 % with the memory", row["because"])
    self.assertIn("memory +0.000 [-0.020, +0.020]", row["because"])

  def test_published_percentages_follow_from_the_plateaus(self):
    elephant, recurrent = memory_effect.CLAIMS
    self.assertIn("by 63 %, a placebo lowers it by 18 %", elephant.statement)
    self.assertIn("amnesiac 0.5163, memory 0.8415, placebo 0.4242", elephant.reported)
    self.assertIn("0.85 with a context of 1,024, 1.72 with memory", recurrent.reported)
    row = zeros_cards.row(memory_effect, "memory.recurrent", demo=made("rmt"))
    self.assertIn("real zeros gave 1.58 to 4.57, by their number", row["because"])


class ShownTest(absltest.TestCase):
  def test_figures(self):
    found = by_hand(change={"elephant": 0.5}, spread=0.5)
    self.assertEqual(set(memory_effect.figures({"e0": found})), {"e0"})
    pages = memory_effect.figures({"e0": found, "e1": by_hand()})
    self.assertEqual(set(pages), {"all runs", "e0", "e1"})
    for page in pages.values():
      figure = page.figure()
      drawn.assert_inside(self, figure)
      for axes in figure.findobj(matplotlib.axes.Axes):
        self.assertNotEmpty(axes.get_xlabel())

  def test_plateaus_show_every_repeat(self):
    found = by_hand()
    found.plateau_by_repeat[1] = [[0.9, 1.0, 1.1], [0.8, 0.95, 1.05]]
    axes = memory_effect.figures({"e0": found})["e0"].figure().subfigs[1].axes[0]
    drawn_xN = [line.get_xdata() for line in axes.lines if line.get_marker() == "."]
    np.testing.assert_array_equal(drawn_xN[1], found.plateau_by_repeat[1].values.ravel())

  def test_arms(self):
    table, recurrent = memory_effect.tables({"demo": by_hand({"elephant": 0.1})})
    cells = [dict(zip(table.columns(), row, strict=True)) for row in table.cells()]
    row = cells[NAMES.index("elephant")]
    self.assertEqual((row["arm"], row["norm"], row["mean"]), ("elephant", "1.00", "1.000"))
    self.assertEqual(row["plateau"], "1.100 [1.080, 1.120]")
    self.assertEqual(row["change"], "+0.100 [+0.080, +0.120]")
    self.assertEqual((row["lowest gain, %"], row["highest gain, %"]), ("-40", "+70"))
    published = {each["arm"]: each["published"] for each in cells}
    self.assertEqual(published["elephant as published"], "0.8415")
    self.assertEqual(published["elephant"], "–")
    self.assertIn("390 blocks", table.caption)
    self.assertIn("a placebo 45 long beside a memory of 4.65", table.caption)
    self.assertIn(["RMT", "1.72"], recurrent.cells())


if __name__ == "__main__":
  absltest.main()
