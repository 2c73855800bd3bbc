import tempfile

import drawn
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.analyses import form_factors, statistics
from primelens.lens import results, tables
from primelens.studies.zeros import form_factor
from primelens.tasks import surrogates

BLOCK = 32
CHANGED = {
  "form_factor.block": BLOCK,
  "form_factor.tau_step": 1 / 32,
  "form_factor.lengths": (0.5, 4.0),
  "form_factor.draws": 6,
  "form_factor.offsets": 4,
}


def _run(value_N):
  splits = {"train": (0, 100), "select": (100, 200), "test": (200, len(value_N))}
  return tiny_study.handmade(None, None, value_N, changed=CHANGED, splits=splits)


class FormFactorTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    # Levels of large unitary matrices, end to end: rigid, GUE spacings.
    gap_RxN = surrogates.cue_spacings(0, matrices=30, size=512)
    cls.run_ = _run(gap_RxN.reshape(-1))
    cls.found = form_factor.measure(cls.run_)

  def _of(self, name: str, key: str, end: str = "") -> float:
    """A number of a sequence, or an end of its interval."""
    if end:
      return float(self.found[f"{key}_interval"].sel(sequence=name, end=end))
    return float(self.found[key].sel(sequence=name))

  def test_every_sequence_has_the_length_of_the_test_split(self):
    first, last = self.run_.series.bounds("test")
    self.assertEqual(tuple(self.found.sequence.values), form_factor.SEQUENCES)
    np.testing.assert_array_equal(self.found.spacings, last - first)
    np.testing.assert_array_equal(self.found.blocks, (last - first) // BLOCK)
    np.testing.assert_array_equal(self.found.enough_blocks, self.found.blocks >= 400)
    variance = lambda name: self._of(name, "spacing_variance")
    self.assertAlmostEqual(variance("shuffled"), variance("test"))
    self.assertAlmostEqual(self._of("shuffled", "mean_spacing"), self._of("test", "mean_spacing"))

  def _within(self, name: str, key: str, expected: float):
    """Inside an interval twice as wide as that of 95 %."""
    reach = self._of(name, key, "high") - self._of(name, key, "low")
    self.assertLess(reach, 0.5, (name, key))
    self.assertLess(abs(self._of(name, key) - expected), reach, (name, key))

  def test_ramps_and_plateaus_are_those_of_the_ensembles(self):
    # The GUE rises from 0 with slope 1 (docs/sources/zeros.md, section 6.6: .65 on the
    # published window, taken on a logarithmic grid; .676 on an even one), independent
    # levels stay at 1, and shuffled ones near the variance, .18.
    for name in ("test", "CUE"):
      self._within(name, "ramp_intercept", 0.0)
      self._within(name, "published_window", np.mean(form_factor.WINDOW))
    for name in form_factor.SEQUENCES:
      if name != "renewal":
        self._within(name, "plateau", 1.0)
    self._within("Poisson", "ramp_intercept", 1.0)
    self._within("Poisson", "published_window", 1.0)
    for name in ("shuffled", "renewal"):
      self.assertGreater(self._of(name, "ramp_intercept", "low"), 0.0)
      self.assertLess(self._of(name, "published_window", "high"), 0.9)
    for name in ("test", "CUE"):
      self.assertLess(self._of(name, "squared_distance_gue", "low"), 0.0)
    self.assertGreater(self._of("Poisson", "squared_distance_gue", "low"), 0.1)
    self.assertLess(self._of("shuffled", "squared_distance_renewal", "low"), 0.0)
    self.assertGreater(self._of("test", "squared_distance_renewal", "low"), 0.0)

  def test_renewal_starts_at_the_variance(self):
    start = float(self.found.renewal[0])
    self.assertAlmostEqual(start, self._of("test", "spacing_variance"), delta=0.02)

  def test_number_variance(self):
    found = self.found
    for name, expected_E in (
      ("CUE", found.gue_number_variance),
      ("test", found.gue_number_variance),
      ("Poisson", [0.5, 4.0]),
    ):
      one = found.sel(sequence=name)
      # A row of one block loses about L / 32 to its own mean.
      error = float(one.number_variance_error.max())
      np.testing.assert_allclose(one.number_variance, expected_E, atol=4 * error + 0.03, rtol=0.1)
    far = found.number_variance.sel(length=4.0)
    self.assertGreater(far.sel(sequence="shuffled"), 1.5 * far.sel(sequence="test"))

  def test_jitter_leaves_what_is_expected(self):
    whole, *rest = rows = tables.rows(self.found, "jitter")
    self.assertEqual([row["part_of_bin"] for row in rows], list(form_factor.PARTS))
    self.assertAlmostEqual(whole["retention"], 1.0)
    self.assertAlmostEqual(whole["expected_retention"], 1.0)
    self.assertEqual(whole["peak"], float(self.found.resonance.sel(sequence="test").max()))
    left = [row["expected_retention"] for row in rows]
    self.assertEqual(left, sorted(left, reverse=True))
    for row in rest:
      gap = abs(row["at_peak"] - row["expected"])
      self.assertLess(gap, 5 * row["at_peak_error"] + 1e-9)
    tau_T = self.found.fine_tau.values
    np.testing.assert_allclose(np.ptp(np.diff(tau_T)), 0, atol=1e-12)
    self.assertEqual(tau_T[len(tau_T) // 2], 1.0)

  def test_published_measures_are_all_there(self):
    found = self.found
    self.assertEqual(found.measure.values.tolist(), ["elephant", "scaling", "null test"])
    self.assertEqual(found.single_plateau.shape, (3, len(form_factor.SEQUENCES)))
    first, last = self.run_.series.bounds("test")
    test_N = self.run_.series.value_N[first:last].astype(np.float64)
    value = found.single_plateau.sel(measure="scaling", sequence="test")
    self.assertAlmostEqual(float(value), form_factors.plateau_as_published(test_N, "scaling"))
    rows = tables.rows(found, "scaling")
    self.assertEqual([row["spacings"] for row in rows], [512, 1024, 4096])
    for row in rows:
      joined = 27 * row["without_resonance"] + row["resonance"]
      self.assertAlmostEqual(joined / 28, row["plateau"])

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "form_factor", self.found, provenance={})
    back, _ = results.read(folder, "form_factor")
    xr.testing.assert_identical(back, self.found)


def by_hand(window=0.66, shuffled=0.6, peak=1400.0, kept=0.1, plateau=0.5, near=0.0, scaled=True):
  """The zeros' mean on the window and that of their shuffle, their peak, what
  jitter leaves, the plateau without the resonance, and how far our published
  plateaus are from the reported ones."""
  names = form_factor.SEQUENCES
  count = len(names)
  mean_V = np.full(count, 0.3)
  mean_V[names.index("test")], mean_V[names.index("shuffled")] = window, shuffled
  tau_Q, tau_T = np.linspace(0.05, 2, 40), 1 + np.linspace(-1e-5, 1e-5, 21)
  resonance_VxT = np.full((count, 21), 1.5)
  resonance_VxT[0, 10] = peak
  scaling = [
    {"spacings": row["spacings"], "reported": row["plateau"]}
    | {"binned_as_published": row["plateau"] + near}
    | {"binned_resonance": 20.0, "binned_without_resonance": 0.6}
    | {"plateau": 5.0, "resonance": 120.0, "without_resonance": plateau}
    for row in form_factor.SCALING
  ]
  variables = {
    "form_factor": results.variable("sequence tau", np.tile(np.minimum(tau_Q, 1), (count, 1)), "K"),
    "form_factor_error": results.variable("sequence tau", np.full((count, 40), 0.05), "error"),
    "renewal": results.variable("tau", np.full(40, 0.7), "K, independent"),
    "gue": results.variable("tau", np.minimum(tau_Q, 1), "K, GUE"),
    "number_variance": results.variable(
      "sequence length", [[0.3, 0.4 + v] for v in range(count)], "variance"
    ),
    "number_variance_error": results.variable("sequence length", np.full((count, 2), 0.01), "se"),
    "gue_number_variance": results.variable("length", [0.34, 0.55], "variance, GUE"),
    "spacings": results.variable("sequence", [199_936] * count, "spacings"),
    "blocks": results.variable("sequence", [390] * count, "blocks"),
    "enough_blocks": results.variable("sequence", [False] * count, "enough"),
    "mean_spacing": results.variable("sequence", [1.0] * count, "mean spacing"),
    "spacing_variance": results.variable("sequence", [0.1675] * count, "variance"),
    "single_plateau": results.variable("measure sequence", np.full((3, count), 0.7), "plateau"),
    "shuffled_plateau": results.variable("measure", [0.65] * 3, "plateau, shuffled"),
    "plateau_spread": results.variable("measure", [0.19] * 3, "spread"),
    "resonance": results.variable("sequence fine_tau", resonance_VxT, "K"),
    "resonance_jittered": results.variable("fine_tau", np.full(21, 30.0), "K, jittered"),
    "resonance_expected": results.variable("fine_tau", np.full(21, 31.0), "K, expected"),
    **results.rows("scaling", scaling if scaled else [], form_factor.SCALED),
    **results.rows(
      "jitter", [_jitter(part, peak, kept) for part in form_factor.PARTS], form_factor.JITTERED
    ),
  }
  for name in form_factor.INTERVALS:
    interval = statistics.Interval(mean_V, mean_V - 0.05, mean_V + 0.05)
    variables |= results.with_interval(name, "sequence", interval, name)
  coords = {
    "sequence": list(names),
    "tau": results.variable("tau", tau_Q, "tau", "Heisenberg units"),
    "fine_tau": results.variable("fine_tau", tau_T, "tau", "Heisenberg units"),
    "length": results.variable("length", [1.0, 8.0], "length", "mean spacings"),
    "measure": ["elephant", "scaling", "null test"],
  }
  return results.dataset(variables, coords, block=512)


def _jitter(part, peak, kept):
  left = kept if part else 1.0
  reported = form_factor.HEIGHT.get(part, np.nan)
  row = {"part_of_bin": part, "peak": left * peak, "retention": left}
  row |= {"at_peak": left * peak, "at_peak_error": 1.0}
  row |= {"expected": left * peak, "expected_retention": 0.9 * left}
  row |= {"peak_as_published": 11.3, "ratio_as_published": 17.0}
  row |= {"retention_as_published": 2.5}
  row |= {"lowest_by_offset": 0.7, "highest_by_offset": 4.6}
  row |= {"reported_peak": reported}
  return row | {"reported_retention": reported / form_factor.HEIGHT[0.0]}


# These claims are on data alone: any run decides them.
SMALL = zeros_cards.card(size=zeros_cards.SMALL)


class ClaimsTest(parameterized.TestCase):
  def row(self, claim, card=SMALL, **values):
    runs = {"tiny": (card, {"form_factor": by_hand(**values)})}
    return zeros_cards.row(form_factor, f"form_factor.{claim}", **runs)

  @parameterized.parameters(
    ("suppression", {}, "reproduced, but an artefact"),
    ("suppression", {"shuffled": 1.0}, "reproduced"),
    ("suppression", {"window": 1.0}, "not reproduced"),
    ("spike", {}, "reproduced"),
    ("spike", {"peak": 9.0}, "not reproduced"),
    ("jitter", {}, "not reproduced"),
    ("jitter", {"kept": 0.9}, "reproduced"),
    ("scaling", {}, "reproduced, but an artefact"),
    ("scaling", {"plateau": 4.0}, "reproduced"),
    ("scaling", {"near": 0.5}, "not reproduced"),
  )
  def test_status(self, claim, values, status):
    row = self.row(claim, **values)
    self.assertEqual(row["status"], status, row["because"])
    other = zeros_cards.card(data="2,001,051 spacings of shuffled, published_tail")
    self.assertEqual(self.row(claim, other)["status"], "not run")
    # No network is read, so that one which reads its targets is as good.
    told = zeros_cards.card(told=True)
    self.assertEqual(self.row(claim, told, **values)["status"], status)

  def test_numbers_are_those_of_the_result(self):
    row = self.row("suppression")
    said = "tau 0.48 to 0.88 in units of the Heisenberg time, the form factor of the zeros is 0.660"
    self.assertIn(f"{said} [0.610, 0.710]", row["because"])
    self.assertIn("windows of 8 is 0.40 against 4.40", row["because"])
    row = self.row("jitter", kept=0.25)
    self.assertAlmostEqual(row["numbers"]["retention"], 0.25)
    self.assertIn("0.70 to 4.60 with it: 4.58 is where its points fell", row["because"])

  def test_published_numbers_are_written_once(self):
    suppression, spike, jitter, scaling = form_factor.CLAIMS
    self.assertIn("53 % below Poisson", suppression.statement)
    self.assertEqual(suppression.reported, "3 < tau < 5.5: Poisson 1.04, zeros 0.49, shuffled 0.41")
    self.assertEqual(spike.reported, "height 11.28, 17 times the background")
    self.assertIn("458 % of it", jitter.statement)
    self.assertStartsWith(jitter.reported, "11.28 -> 12.65 -> 39.81 -> 51.67 at 0, 1/4, 1/2 and 1")
    self.assertEndsWith(scaling.reported, "2.16, 2.37 at 512 to 199,936 spacings")


class ShownTest(absltest.TestCase):
  def test_figures(self):
    one, two = by_hand(), by_hand(0.4)
    self.assertEqual(set(form_factor.figures({"e0": one})), {"e0"})
    pages = form_factor.figures({"e0": one, "e1": two})
    self.assertEqual(set(pages), {"all runs", "e0", "e1"})
    for page in pages.values():
      figure = page.figure()
      drawn.assert_inside(self, figure)
      for axes in figure.findobj(match=lambda part: hasattr(part, "get_xlabel")):
        self.assertNotEmpty(axes.get_xlabel())

  def test_a_short_sequence(self):
    found = by_hand(scaled=False)
    drawn.assert_inside(self, form_factor.figures({"e0": found})["e0"].figure())
    scaling = form_factor.tables({"e0": found})[2]
    self.assertEmpty(scaling.rows)
    self.assertIn("None.", scaling.html())

  def test_curves_are_means_of_neighbouring_tau(self):
    one = by_hand()
    fine = one.isel(tau=np.arange(40).repeat(2)[:79])  # more than 40
    found = form_factor._drawn(fine.assign_coords(tau=np.linspace(0.05, 2, 79)))
    self.assertEqual(found.sizes["tau"], 19)
    expected = fine.form_factor.isel(sequence=0).values[:76].reshape(19, 4).mean(1)
    np.testing.assert_allclose(found.k.sel(sequence="test"), expected)

  def test_tables(self):
    made = form_factor.tables({"e0": by_hand()})
    cells = {
      table.name: [dict(zip(table.columns(), row, strict=True)) for row in table.cells()]
      for table in made
    }
    self.assertEqual(set(cells), {"sequences", "jitter", "scaling", "number_variance", "plateaus"})
    test = cells["sequences"][0]
    self.assertEqual(test["tau 0.48 to 0.88"], "0.660 [0.610, 0.710]")
    self.assertEqual(test["variance"], "0.1675")
    self.assertEqual(test["mean spacing"], "1.0000")
    self.assertIn("fewer than the 400 blocks", made[0].caption)
    self.assertIn("blocks of 512 spacings", made[0].caption)
    self.assertEqual(cells["jitter"][-1]["as published"], "4.58")  # 51.67 / 11.28
    self.assertEqual(cells["jitter"][3]["as published"], "–")
    reported = [row["as published"] for row in cells["scaling"]]
    self.assertEqual(reported, ["1.58", "2.06", "3.71", "4.57", "2.16", "2.37"])
    self.assertEqual(cells["number_variance"][1]["test"], "0.400 [0.390, 0.410]")
    self.assertEqual(cells["number_variance"][1]["GUE, exact"], "0.550")
    self.assertLen(cells["plateaus"], 3 * len(form_factor.SEQUENCES))
    self.assertEqual(cells["plateaus"][0]["spread"], "0.190")


if __name__ == "__main__":
  absltest.main()
