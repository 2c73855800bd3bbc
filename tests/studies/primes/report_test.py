import math
import pathlib

import primes_results as made
from absl.testing import absltest
from primelens.lens import claims as trial
from primelens.lens import legacy, report
from primelens.studies.primes import claims, evidence, numbers
from primelens.studies.primes import report as report_lib


def results():
  """Returns plan A, a shuffled one and one with a mismatched kernel."""
  return {
    "a": {"memory": made.memory(0.8), "spectra": made.spectra()},
    "kernel": {
      "memory": made.memory(0.4, **evidence.KERNEL),
      "spectra": made.spectra(made.RANK / 2, 4 * made.RATIO, quality=17.5),
    },
    "held": {"memory": made.memory(held=1.07, held_out="random")},
  }


def tables():
  absent = pathlib.Path("absent.png")
  store = lambda result: report.Stored(result, {}, False, absent)
  return {
    run: {name: store(result) for name, result in table.items()} for run, table in results().items()
  }


def row(model, quantity):
  found = numbers.joined(results())
  wanted = numbers.QUANTITIES[quantity]
  return trial.row(found, model=model, quantity=wanted)


class NumbersTest(absltest.TestCase):
  def test_shares_of_the_null(self):
    found = row("plan A", "effective_rank")
    self.assertAlmostEqual(found["published_share"], 44.13 / 206.0)
    self.assertAlmostEqual(found["share"], 1.0)
    self.assertAlmostEqual(found["mismatched_share"], 0.5)
    self.assertEqual(found["runs"], "a")
    self.assertAlmostEqual(row("plan A", "mae")["share"], 0.1)
    self.assertAlmostEqual(row("plan A", "quality")["mismatched_share"], 10.0)

  def test_the_published_constant_of_chaos(self):
    # Spec 6.1: its sinusoid answers as a constant does.
    found = row("chaos, sinusoid", "mae")
    self.assertAlmostEqual(found["published_share"], 1.0, places=3)

  def test_the_spec_with_a_mismatched_kernel(self):
    found = numbers.joined(results())
    name = "mismatched kernel, primes"
    first = trial.row(found, model=name, quantity="s1")
    # A bulk of ones and a value that is 4 times as much over the mean.
    ratio = 4 * made.RATIO
    self.assertAlmostEqual(first["median"], ratio * 63 / (64 - ratio))
    self.assertEqual(first["published"], 21.3)
    second = trial.row(found, model=name, quantity="s2")
    self.assertEqual((second["median"], second["runs"]), (1.0, "kernel"))

  def test_absent_runs_are_nan(self):
    found = row("plan B", "max_to_mean")
    self.assertTrue(math.isnan(found["share"]))
    self.assertEqual(found["runs"], "")

  def test_every_number_of_the_source(self):
    found = numbers.joined({})
    self.assertLen(found, 5 * 7 + 5 * 5)
    for record in found:
      self.assertLessEqual(set(numbers.COLUMNS), set(record))
    self.assertAlmostEqual(found[0]["published"], 0.3926)


class ReportTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.ledger = trial.ledger(claims.CLAIMS, results())

  def test_five_lines(self):
    lines = report_lib.REPORT.summary(tables(), self.ledger)
    self.assertLen(lines, 5)
    self.assertIn("a 0.8 of 8", lines[0])
    self.assertIn("held 1.07", lines[1])
    self.assertNotIn("a ", lines[1].partition(":")[2])
    self.assertIn("kernel 9.2 (noise 2.3)", lines[2])

  def test_page(self):
    html = report.html(legacy.presented(report_lib.REPORT), tables(), self.ledger)
    for words in (
      "The published table",
      "Every matrix (2)",
      "Plan C, with fixed sinusoids, fails.",
      "Errors (3)",
    ):
      self.assertIn(words, html)

  def test_every_run_in_a_row(self):
    found = {row["run"]: row for row in report_lib.overview(results())}
    self.assertAlmostEqual(found["a"]["error"], 0.1)
    self.assertAlmostEqual(found["kernel"]["query"], 0.5)
    self.assertAlmostEqual(found["a"]["live"], 50.0 / made.RANK)
    self.assertAlmostEqual(found["held"]["held"], 1.07)
    self.assertTrue(math.isnan(found["held"]["query"]))
    still = {"still": {"memory": made.memory(0.1, constant=0.0)}}
    (row,) = report_lib.overview(still)
    self.assertTrue(math.isnan(row["error"]))

  def test_page_of_nothing(self):
    html = report.html(legacy.presented(report_lib.REPORT), {}, trial.ledger(claims.CLAIMS, {}))
    self.assertIn("analyze.py --only=memory", html)


if __name__ == "__main__":
  absltest.main()
