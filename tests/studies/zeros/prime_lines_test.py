import dataclasses
import tempfile

import drawn
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.analyses import statistics
from primelens.lens import results
from primelens.lens import tables as tables_lib
from primelens.studies.zeros import prime_lines
from primelens.tasks import primes

COUNT = 6_000
HEIGHT = 1e5


def _run(waves: float, seed=0):
  """Noise, and `waves` times the law's wave at every prime below 50."""
  rng = np.random.default_rng(seed)
  gap = 2 * np.pi / np.log(HEIGHT / (2 * np.pi))
  height_N = HEIGHT + np.cumsum(gap * rng.uniform(0.5, 1.5, COUNT))
  value_N = 1 + rng.normal(0, 0.2, COUNT)
  for p in primes.below(50):
    size = 2 * abs(np.sin(gap * np.log(p) / 2)) / (np.pi * p**0.5)
    value_N += waves * size * np.cos(height_N * np.log(p) + p)
  run = tiny_study.handmade(
    None, None, value_N, changed={"prime_lines.spacings": 2_500, "prime_lines.draws": 60}
  )
  data = dataclasses.replace(run.data, ordinate_N=height_N)
  return dataclasses.replace(run, data=data)


def status(found, card=None) -> str:
  """Returns the status of the claim; of a small run, as it is on the data alone."""
  card = card or zeros_cards.card(size=zeros_cards.SMALL)
  return zeros_cards.status(prime_lines, "primes.spikes", run=(card, {"prime_lines": found}))


class PrimeLinesTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.found = prime_lines.measure(_run(1.0))

  def test_planted_waves_are_found_in_every_stretch(self):
    found = self.found
    self.assertEqual(found.amplitude.shape, (2, 15))
    np.testing.assert_array_equal(found.prime, primes.below(50))
    np.testing.assert_allclose(found.amplitude, found.law, atol=0.02)
    self.assertTrue((found.p_max_t < 0.05).all())
    self.assertEqual((found.max_t.values.tolist(), found.primes.values.tolist()), ([15] * 2,) * 2)
    np.testing.assert_allclose(found.slope, 1, atol=0.05)
    self.assertTrue((found.correlation > 0.9).all())

  def test_overall_means_are_those_of_the_stretches(self):
    for quantity in ("slope", "correlation", "max_t"):
      its = tables_lib.interval(self.found, "overall", quantity=quantity)
      self.assertAlmostEqual(its.estimate, float(self.found[quantity].mean()))
      # Two stretches: t = tan(0.475 pi) times half their distance.
      reach = np.tan(0.475 * np.pi) * np.ptp(self.found[quantity].values) / 2
      self.assertAlmostEqual(its.high - its.estimate, reach, places=6)

  def test_no_waves_no_lines(self):
    found = prime_lines.measure(_run(0.0, seed=1))
    self.assertLessEqual(int((found.p_max_t < 0.05).sum()), 1)
    self.assertLessEqual(int(found.bh.sum()), 2)

  def test_nulls_know_no_primes(self):
    nulls = tables_lib.rows(self.found, "nulls")
    self.assertLen({row["null"] for row in nulls}, 5)
    for row in nulls:
      self.assertGreater(row["largest"], row["median"])
      if row["null"] in ("shuffled spacings", "CUE at these heights"):
        # Rayleigh: median 2 sigma sqrt(ln 2 / n), sigma of the spacings.
        self.assertBetween(row["median"], 0.003, 0.016)
    # Of the composites below 50 that are no power, 6 is the first.
    self.assertEqual(self.found.composite[0], 6)
    first = tables_lib.rows(self.found, "powers")[0]
    self.assertEqual((first["power"], first["exponent"]), (4, 2))

  def test_stretches_do_not_overlap_and_the_last_ends_the_sequence(self):
    self.assertEqual(self.found.spacings, 2_500)
    self.assertEqual(self.found.sizes["height"], 2)
    gap = 2 * np.pi / np.log(HEIGHT / (2 * np.pi))
    self.assertGreater(np.diff(self.found.height)[0], 1_700 * gap)

  def test_stored_and_shown(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "prime_lines", self.found, provenance={})
    back, _ = results.read(folder, "prime_lines")
    xr.testing.assert_identical(back, self.found)
    stretches, *_ = prime_lines.tables({"e0": back})
    self.assertIn("15 of 15", stretches.text())
    figure = prime_lines.figures({"e0": back})["e0"].figure()
    drawn.assert_inside(self, figure)
    titles = [axes.get_title(loc="left") for part in figure.subfigs for axes in part.axes]
    self.assertIn("The law at every height", titles)

  def test_verdict(self):
    self.assertEqual(status(self.found), "reproduced")
    # Nothing found in one stretch.
    none = self.found.assign(max_t=self.found.max_t.copy(data=[0, 15]))
    self.assertEqual(status(none), "not reproduced")


def by_hand(found=90, correlation=0.989):
  """The lines of two of 430 primes in two stretches."""
  each = {"correlation": [correlation] * 2, "slope": [0.76, 0.78], "primes": [430] * 2}
  each |= {"max_t": [found, found + 9], "bh": [200, 210], "above_composites": [120] * 2}
  each |= {"share_above_composites": [0.28] * 2}
  nulls = [
    {"height": height, "null": null, "lines": 430, "median": 0.008, "largest": largest}
    | {"primes_above": 100}
    for height in (1e4, 1e6)
    for null, largest in (("composites", 0.03), ("CUE at these heights", 0.02))
  ]
  power = {"height": 1e6, "power": 8, "prime": 2, "exponent": 3, "max_t": 0.01}
  means = np.array([correlation, 0.77, found + 4.5, 205, 120])
  amplitude = np.array([[0.08, 0.01], [0.12, 0.01]])
  variables = {
    "amplitude": results.variable("height prime", amplitude, "amplitude"),
    "law": results.variable("height prime", amplitude, "law"),
    "p_max_t": results.variable("height prime", [[0.01, 0.5], [0.01, 0.5]], "p"),
    "p_bh": results.variable("height prime", [[0.01, 0.02], [0.01, 0.02]], "p"),
    "composite_amplitude": results.variable("height composite", [[0.01], [0.02]], "amplitude"),
    **{name: results.variable("height", value, name) for name, value in each.items()},
    **results.rows("nulls", nulls, prime_lines.NULL_COLUMNS),
    **results.rows("powers", [power | {"amplitude": 0.02, "law": 0.02}], prime_lines.POWER_COLUMNS),
    **results.with_interval(
      "overall", "quantity", statistics.Interval(means, means - 0.1, means + 0.1), "mean"
    ),
  }
  coords = {
    "height": results.variable("height", [1e4, 1e6], "height"),
    "prime": [2, 2999],
    "composite": [6],
    "quantity": list(prime_lines.OVERALL),
  }
  return results.dataset(variables, coords, spacings=20_000)


class ClaimTest(parameterized.TestCase):
  @parameterized.parameters(
    ({}, "reproduced"),
    ({"found": 0}, "not reproduced"),
    ({"correlation": 0.8}, "not reproduced"),
  )
  def test_status(self, values, expected):
    self.assertEqual(status(by_hand(**values)), expected)
    self.assertEqual(status(by_hand(**values), zeros_cards.card(told=True)), expected)

  def test_other_data_decide_nothing(self):
    card = zeros_cards.card(data="2,001,051 spacings of shuffled, published_tail")
    self.assertEqual(status(by_hand(), card), "not run")

  def test_the_sentence_has_the_numbers(self):
    run = (zeros_cards.card(), {"prime_lines": by_hand()})
    row = zeros_cards.row(prime_lines, "primes.spikes", run=run)
    self.assertIn(
      "all primes below 3,000, 90 of 430, 99 of 430 stand out in 2 stretches of 20,000 spacings;"
      " amplitudes correlate with the explicit formula's law at 0.989 (slope 0.77), up to 0.120,"
      " where CUE at the same heights reaches 0.020.",
      row["because"],
    )
    self.assertEqual(row["numbers"]["least found"], 90)
    self.assertAlmostEqual(row["numbers"]["above all composites, mean share"], 0.28)
    self.assertIn("over 100 candidates", row["reported"])


class ShownTest(absltest.TestCase):
  def test_different_sequences_are_compared_and_equal_ones_are_not(self):
    same, other = by_hand(), by_hand(50)
    self.assertEqual(set(prime_lines.figures({"a": same, "b": same})), {"a", "b"})
    pages = prime_lines.figures({"a": same, "b": other})
    self.assertEqual(set(pages), {"all runs", "a", "b"})
    for page in pages.values():
      drawn.assert_inside(self, page.figure())

  def test_primes_are_drawn_by_how_surely_they_are_found(self):
    lines, *_ = prime_lines.figures({"a": by_hand()})["a"].figure().subfigs[0].axes
    of = {line.get_label(): line.get_xdata() for line in lines.lines}
    sure, likely, none = (key for key in of if key.startswith("primes"))
    self.assertEqual((list(of[sure]), list(of[likely]), list(of[none])), ([2], [2999], []))

  def test_tables(self):
    same = by_hand()
    stretches, nulls, powers = prime_lines.tables({"a": same, "b": same})
    first = dict(zip(stretches.columns(), stretches.cells()[0], strict=True))
    self.assertEqual(first["run"], "a (and 1 more)")
    self.assertEqual(first["height"], "10,000")
    self.assertEqual(first["max-T < 0.05"], "90 of 430")
    self.assertIn("20,000 spacings", stretches.caption)
    self.assertLen(nulls.rows, 4)
    self.assertEqual(powers.rows[0]["power"], "2^3")


if __name__ == "__main__":
  absltest.main()
