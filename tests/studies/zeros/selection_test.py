import tempfile

import drawn
import jax.numpy as jnp
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.analyses import statistics
from primelens.lens import claims, experiment, results
from primelens.models import spacing
from primelens.studies.zeros import program, selection
from primelens.tasks import windows

PHI, SCALE, COUNT, T = -0.6, 0.2, 60_000, tiny_study.T
BIASES, WINDOWS, ORDERS = (0.0, 0.2), 400, 8


def slotted(params, x_BxT, slot_order_M=None, **_):
  """Biased by `params["bias"]` where slot 1 comes first."""
  off = params["bias"] * (0 if slot_order_M is None else slot_order_M[0])
  return tiny_study.gaussian(1 + PHI * (x_BxT[:, -1:] - 1) + off, SCALE), {}


class SelectionTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.run_ = tiny_study.handmade(
      slotted,
      {"bias": jnp.asarray(BIASES)},
      tiny_study.ar([PHI], COUNT, scale=SCALE),
      model=tiny_study.tiny_model("postfix"),
      splits=windows.published_tail(COUNT, window=T, gap=50),
      changed={"selection.windows": WINDOWS, "evaluation.permutations": ORDERS},
    )
    cls.found = selection.measure(cls.run_)

  def test_fixed_against_permuted_ids(self):
    found, series = self.found, self.run_.series
    first = series.splits["test"][0]
    value_N = series.value_N[first : first + T + WINDOWS].astype(np.float64)
    error_N = value_N[T:] - 1 - PHI * (value_N[T - 1 : -1] - 1)
    orders = spacing.slot_orders(2, ORDERS)[:, 0]
    self.assertEqual(found.permuted_nll.sizes, {"seed": 2, "order": ORDERS})
    np.testing.assert_array_equal(found.seed, [3, 4])
    for s, bias in enumerate(BIASES):
      row = found.isel(seed=s)
      of = lambda off: tiny_study.normal_nll(error_N - off, SCALE).mean()
      by_order = np.array([of(bias * order) for order in orders])
      self.assertAlmostEqual(float(row.fixed_nll), of(0.0), places=4)
      np.testing.assert_allclose(row.permuted_nll, by_order, atol=1e-4)
      self.assertAlmostEqual(float(row.permuted_mean), by_order.mean(), places=4)
      for p in (5, 50, 95):
        found_p = float(row.permuted_percentile.sel(percentile=p))
        self.assertAlmostEqual(found_p, np.percentile(by_order, p), places=4)
      change = by_order.mean() - of(0.0)
      self.assertAlmostEqual(float(row.change), change, places=4)
      low, high = row.change_interval.values
      self.assertTrue(low <= float(row.change) <= high)
    self.assertEqual(found.windows, WINDOWS)
    self.assertEqual(float(found.luck[0]), 0)
    self.assertLess(found.luck[1], -0.01)

  def test_expected_minimum(self):
    self.assertAlmostEqual(selection.expected_minimum([3.0, 1.0, 2.0], 1), 2.0)
    # Two draws of {1, 2}: 1 but for one case in four.
    self.assertAlmostEqual(selection.expected_minimum([1.0, 2.0], 2), 1.25)
    value_R = np.random.default_rng(0).normal(size=50)
    draws = np.random.default_rng(1).choice(value_R, (20_000, 20))
    expected = draws.min(1).mean()
    self.assertAlmostEqual(selection.expected_minimum(value_R, 20), expected, delta=0.02)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "selection", self.found, provenance={})
    back, _ = results.read(folder, "selection")
    xr.testing.assert_identical(back, self.found)

  def test_networks_without_slot_ids_are_not_read(self):
    for memory, obstacle in (("none", "no memory slots with ids"), ("postfix", "")):
      said = selection.obstacle(tiny_study.get_config(memory))
      self.assertIn(obstacle, said)
      self.assertEqual(bool(said), bool(obstacle))
    config = tiny_study.get_config("prefix")
    self.assertEqual(selection.obstacle(config), "")
    config.model.slot_ids = "off"
    self.assertIn("no memory slots with ids", selection.obstacle(config))


class SettingTest(absltest.TestCase):
  def test_its_earlier_name_in_a_config_is_read(self):
    data = experiment.to_dict(tiny_study.get_config())
    del data["analyses"]["selection"]
    data["analyses"]["calibration"]["golden"] = 320
    found = experiment.from_dict(data).analyses
    self.assertEqual(found.selection.windows, 320)
    self.assertFalse(hasattr(found.calibration, "golden"))
    self.assertEqual(data["analyses"]["calibration"]["golden"], 320)  # left as it was

  def test_an_unknown_name_is_refused_as_ever(self):
    data = experiment.to_dict(tiny_study.get_config())
    data["analyses"]["calibration"]["silver"] = 320
    with self.assertRaisesRegex(ValueError, "Unknown field analyses.calibration.silver"):
      experiment.from_dict(data)


def by_hand(luck=0.0, seeds=1, orders=2):
  """A result of our choice; half of the orders are `luck` better than their mean."""
  permuted_SxR = np.tile([0.2 + luck, 0.2 - luck], (seeds, orders // 2))
  variables = {
    "fixed_nll": results.variable("seed", [0.19] * seeds, "NLL", "nats"),
    "permuted_nll": results.variable("seed order", permuted_SxR, "NLL", "nats"),
    "permuted_mean": results.variable("seed", [0.2] * seeds, "NLL", "nats"),
    "permuted_percentile": results.variable(
      "seed percentile", np.percentile(permuted_SxR, (5, 50, 95), axis=1).T, "NLL", "nats"
    ),
    "luck": results.variable("seed", [-abs(luck)] * seeds, "luck", "nats"),
    **results.with_interval(
      "change",
      "seed",
      statistics.Interval(*np.tile([[0.01], [0.005], [0.015]], seeds)),
      "change",
      "nats",
    ),
  }
  coords = {"seed": np.arange(seeds), "order": np.arange(orders), "percentile": [5, 50, 95]}
  return results.dataset(variables, coords, windows=640)


E4, SMALL = zeros_cards.card(), zeros_cards.card(size=zeros_cards.SMALL)


class ClaimsTest(parameterized.TestCase):
  def row(self, **runs):
    return zeros_cards.row(selection, "selection.permuted", **runs)

  @parameterized.parameters(
    (E4, {"selection": by_hand()}, "reproduced"),
    (E4, {"selection": by_hand(luck=-0.02)}, "reproduced, but an artefact"),
    (SMALL, {"selection": by_hand(luck=-0.02)}, "needs more compute"),
    (E4, {}, "not run"),  # a run without slot ids has no such result
    (zeros_cards.card(data="another"), {"selection": by_hand()}, "not run"),
  )
  def test_status(self, card, found, status):
    row = self.row(a=(card, found))
    self.assertEqual(row["status"], status, row["because"])

  def test_nothing_decides_nothing(self):
    (row,) = claims.ledger(tuple(selection.CLAIMS), zeros_cards.results()).rows
    self.assertEqual(row["status"], "not run")
    self.assertIn(f"on {program.DATA}", row["because"])

  def test_what_it_says(self):
    row = self.row(demo=(SMALL, {"selection": by_hand(luck=-0.0125)}))
    self.assertIn("demo: the lowest of 20 orders is -0.0125 to -0.0125 nats", row["because"])
    self.assertIn("permuted minus fixed ids +0.0100 to +0.0100", row["because"])
    self.assertIn("No run of the published size", row["because"])
    self.assertEqual(row["numbers"], {"demo: luck": -0.0125, "demo: permuted": 0.01})
    self.assertEqual(row["statement"], "E4 reaches 0.1942 nats, the best of its evaluations.")
    self.assertEqual(row["reported"], "0.1942 at step 10,000, slot ids permuted at random")


class ShownTest(parameterized.TestCase):
  @parameterized.parameters({}, dict(luck=-0.02, seeds=5, orders=8))
  def test_figures(self, **options):
    found = by_hand(**options)
    self.assertEqual(set(selection.figures({"e4": found})), {"e4"})
    pages = selection.figures({"e4": found, "e5": by_hand(0.01, orders=4)})
    self.assertEqual(set(pages), {"all runs", "e4", "e5"})
    for page in pages.values():
      drawn.assert_inside(self, page.figure())

  def test_dots_are_the_results_numbers(self):
    found = by_hand(-0.02)
    figure = selection.figures({"e4": found})["e4"].figure()
    (axes,) = figure.subfigs[0].axes
    shown = [np.round(line.get_xdata(), 9).tolist() for line in axes.lines]
    self.assertIn([0.18, 0.22], shown)  # the permuted ids
    self.assertIn([0.2], shown)  # their median
    self.assertIn([0.19], shown)  # the fixed ids

  def test_table(self):
    (table,) = selection.tables({"e4": by_hand(-0.0125)})
    shown = dict(zip(table.columns(), table.cells()[0], strict=True))
    self.assertEqual(shown["fixed ids"], "0.1900")
    self.assertEqual(shown["permuted ids"], "0.2000")
    self.assertEqual(shown["permuted minus fixed"], "+0.0100 [+0.0050, +0.0150]")
    self.assertEqual(shown["lowest of 20 minus mean"], "-0.0125")
    self.assertEqual(shown["50th percentile"], "0.2000")
    self.assertIn("first 640 sliding windows of test, 2 orders", table.caption)
    self.assertNotIn("%", table.text())


if __name__ == "__main__":
  absltest.main()
