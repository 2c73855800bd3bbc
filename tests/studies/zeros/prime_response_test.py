import tempfile

import drawn
import numpy as np
import tiny_waves
import wave_results
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.lens import results
from primelens.studies.zeros import prime_response

REPRODUCED, NOT = "reproduced", "not reproduced"
OPEN, NOT_RUN = "needs more compute", "not run"


class PrimeResponseTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.found = prime_response.measure(tiny_waves.run())

  def test_who_is_read(self):
    kinds = self.found.predictor_kind.values.tolist()
    self.assertEqual(kinds, [*["network"] * 2, *["untrained"] * 2, "kernel", "filter"])
    names = self.found.predictor_name.values.tolist()
    self.assertEqual(names[-2:], ["3 lags of the sine kernel", "AR(3)"])
    self.assertEqual(self.found.predictor_seed.values.tolist(), [0, 1, 0, 1, -1, -1])
    self.assertEqual(self.found.predictor_inputs.values.tolist(), [16] * 4 + [3] * 2)
    self.assertEqual(self.found.spectrum.shape, (6, self.found.sizes["frequency"]))

  def test_a_network_equal_to_its_fresh_self_reads_the_same(self):
    spectrum_PxF = self.found.spectrum.values
    np.testing.assert_array_equal(spectrum_PxF[:2], spectrum_PxF[2:4])

  def test_a_filter_has_the_spectrum_of_its_coefficients(self):
    # 1 / |1 - sum_q phi_q exp(-i w q d)|^2 where spacings are their mean d, as these nearly are.
    run = tiny_waves.run()
    train_N = run.series.value_N[slice(*run.series.bounds("train"))].astype(np.float64) - 1
    lag_NxQ = np.stack([train_N[3 - q : len(train_N) - q] for q in (1, 2, 3)], 1)
    phi_Q = np.linalg.lstsq(lag_NxQ, train_N[3:], rcond=None)[0]
    gap = np.diff(run.series.ordinate_N).mean()
    low_F = self.found.frequency.values[:200]
    turn_FxQ = np.exp(-1j * np.outer(low_F, gap * np.arange(1, 4)))
    expected_F = -2 * np.log(np.abs(1 - turn_FxQ @ phi_Q))
    np.testing.assert_allclose(self.found.spectrum.values[5, :200], expected_F, atol=0.1)

  def test_primes_are_where_their_lines_are(self):
    self.assertEqual(self.found.prime.values[:4].tolist(), [2, 3, 5, 7])
    np.testing.assert_allclose(self.found.line, np.log(self.found.prime))

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "prime_response", self.found, provenance={})
    back, _ = results.read(folder, "prime_response")
    xr.testing.assert_identical(back, self.found)

  def test_figures(self):
    self.assertEqual(set(prime_response.figures({"e0": self.found})), {"e0"})
    pages = prime_response.figures({"e0": self.found, "again": self.found})
    self.assertEqual(set(pages), {"e0", "again", "all runs"})
    for name in ("e0", "all runs"):
      drawn.assert_inside(self, pages[name].figure())

  def test_table(self):
    (table,) = prime_response.tables({"e0": self.found})
    self.assertLen(table.rows, 6)
    self.assertEqual(table.rows[-1]["response of"], "AR(3)")
    self.assertEqual(table.rows[-1]["inputs"], 3)


class ClaimsTest(parameterized.TestCase):
  def status(self, runs):
    return zeros_cards.status(prime_response, "waves.operator", **runs)

  def test_of_networks_that_tell_four_primes_of_nine_apart(self):
    self.assertEqual(self.status(wave_results.runs()), NOT)

  @parameterized.parameters((5, -0.5, REPRODUCED), (4, -0.5, NOT), (5, -0.8, NOT))
  def test_an_operator_has_half_of_the_lines_and_their_power(self, resolved, power, status):
    runs = wave_results.changed(wave_results.runs(), "waves", resolved=resolved, power=power)
    self.assertEqual(self.status(runs), status)

  def test_the_formula_stands_beside_it(self):
    row = zeros_cards.row(prime_response, "waves.operator", **wave_results.runs())
    self.assertIn("0.880 (1,000), 0.940 (10,000) with primes up to the number", row["because"])
    self.assertIn("p^(-0.50 ± 0.01)", row["because"])

  def test_too_few_lines_decide_nothing(self):
    for changed in ({"fitted": False}, {"apart": 0, "resolved": 0}):
      runs = wave_results.runs()
      for name in ("waves", "waves_memory"):
        runs = wave_results.changed(runs, name, **changed)
      row = zeros_cards.row(prime_response, "waves.operator", **runs)
      self.assertEqual(row["status"], OPEN)
      self.assertIn("too few lines, or inputs too short", row["because"])

  def test_small_networks_decide_nothing_about_published_ones(self):
    self.assertEqual(self.status(wave_results.runs(size=zeros_cards.SMALL)), OPEN)

  def test_other_data_and_networks_that_read_their_targets_decide_nothing(self):
    self.assertEqual(self.status(wave_results.runs(told=True)), NOT_RUN)
    self.assertEqual(self.status(wave_results.runs(data="99,999 spacings of zeros")), NOT_RUN)

  def test_it_needs_both_results_of_a_run(self):
    self.assertEqual(self.status({}), NOT_RUN)
    for name in ("prime_waves", "prime_response"):
      runs = {run: (card, dict(tables)) for run, (card, tables) in wave_results.runs().items()}
      for _, tables in runs.values():
        del tables[name]
      row = zeros_cards.row(prime_response, "waves.operator", **runs)
      self.assertEqual(row["status"], NOT_RUN)
      self.assertIn(name, row["because"])


if __name__ == "__main__":
  absltest.main()
