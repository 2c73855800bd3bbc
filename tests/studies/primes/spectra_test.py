"""Claims on the spectrum of one weight matrix, beside its controls, and the source's table."""

import math

import drawn
import primes_results as made
from absl.testing import absltest, parameterized
from primelens.lens import claims, study
from primelens.studies.primes import language_models, program, spectra

OPEN, NOT_RUN, NOT = "needs more compute", "not run", "not reproduced"
YES, ARTEFACT = "reproduced", "reproduced, but an artefact"
KERNEL = program.KERNEL
STUDY = study.find("primes")


def verdict(name, runs):
  return made.verdict(spectra, name, runs)


def kernels(primes=20.0, shuffled=20.0, chaos=50.0, wide=51.0, quality=30.0):
  """Returns plan A, and the runs with a mismatched kernel, by their ranks."""
  where = {
    "kernel": (primes, {}),
    "kernel_shuffled": (shuffled, {"sequence": "shuffled"}),
    "kernel_logistic": (chaos, {"sequence": "logistic"}),
    "kernel_wide": (wide, {"embedding_std": 1.0}),
    "both": (51.0, {"sequence": "logistic", "embedding_std": 1.0}),
  }
  runs = {"a": made.run(spectra=made.spectra())}
  for name, (rank, change) in where.items():
    small = rank < 40
    found = made.spectra(rank, 25.0 if small else 2.3, quality=quality if small else 1.75)
    runs[name] = made.run(spectra=found, **KERNEL | change)
  return runs


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("spectra.rank", {}, ARTEFACT),
    ("spectra.rank", {"shuffled": 51.0}, YES),
    ("spectra.rank", {"primes": 51.0}, NOT),
    ("spectra.ratio", {}, ARTEFACT),
    ("spectra.ratio", {"primes": 51.0}, NOT),
    ("spectra.symmetry", {}, ARTEFACT),
    ("spectra.symmetry", {"shuffled": 51.0}, YES),
    ("spectra.symmetry", {"quality": 2.0}, NOT),
    ("spectra.chaos", {}, ARTEFACT),
    ("spectra.chaos", {"wide": 20.0}, YES),
    ("spectra.chaos", {"primes": 51.0}, NOT),
    ("spectra.distance", {}, ARTEFACT),
    ("spectra.spacings", {}, ARTEFACT),
  )
  def test_decided_by_controls(self, name, change, expected):
    self.assertEqual(verdict(name, kernels(**change))["status"], expected)

  @parameterized.parameters(
    ("spectra.rank", "keeps 100 % of the effective rank of noise."),
    # 20, 50 and 51 of 51.4.
    ("spectra.rank", "brings it to 39 % for prime gaps and 39 % for the same gaps shuffled."),
    ("spectra.rank", "have an effect on the answer keep 97 to 97 %, over all networks."),
    ("spectra.ratio", "is 25.0 times the mean (noise 2.3; at most 64 in a matrix of this size);"),
    ("spectra.ratio", "With exact gradients the largest is 2.3 times the mean."),
    ("spectra.distance", "is 0.900 for untrained networks and 0.900 for trained ones (medians"),
    ("spectra.distance", "noise of their own scale it is 0.040 (noise itself 0.040)."),
    ("spectra.spacings", "are 0.090 from GOE and 0.250 from Poisson before training, 0.090 and"),
    ("spectra.spacings", "a mean ratio of neighbouring spacings of 0.530 "),
    ("spectra.symmetry", "is 1.75 for noise, 1.75 with exact gradients, and with a mismatched"),
    ("spectra.symmetry", "kernel 30.0 for prime gaps and 30.0 for shuffled ones:"),
    ("spectra.chaos", "started from embeddings 50 times as large"),
    (
      "spectra.chaos",
      "(standard deviation 0.02) the first query matrix keeps 39 % of the effective",
    ),
    ("spectra.chaos", "for prime gaps and 97 % for chaos; from the control's start (1.0) 99 % for"),
    ("spectra.chaos", "From that start prime gaps leave no fingerprint either,"),
  )
  def test_what_it_says(self, name, words):
    self.assertIn(words, verdict(name, kernels())["because"])

  def test_a_control_that_differs_is_no_fault_of_the_start(self):
    said = verdict("spectra.chaos", kernels(wide=20.0))["because"]
    self.assertTrue(said.endswith("(1.0) 39 % for prime gaps and 99 % for chaos."), said)

  def test_a_flat_bulk_and_one_outlier(self):
    found = verdict("spectra.ratio", kernels())["numbers"]
    # Without the outlier the bulk of equal values has the full rank, 63.
    self.assertAlmostEqual(found["rank_without"], 63 / made.RANK)
    self.assertAlmostEqual(found["ratio"], 25.0)

  def test_training_that_changes_distance_or_spacings(self):
    runs = kernels()
    runs["a"] = made.run(spectra=made.spectra(start={"ks": 0.2, "ks_goe": 0.4}))
    for name in ("spectra.distance", "spectra.spacings"):
      self.assertEqual(verdict(name, runs)["status"], YES)
    runs["a"] = made.run(spectra=made.spectra(end={"ks": 0.2, "ks_goe": 0.4}))
    for name in ("spectra.distance", "spectra.spacings"):
      self.assertEqual(verdict(name, runs)["status"], NOT)

  def test_noise_has_no_full_rank(self):
    found = verdict("spectra.baseline", {})
    self.assertEqual(found["status"], NOT)
    # From docs/sources/primes.md, section 4.2: 205.8 to 206.6.
    self.assertBetween(found["numbers"]["rank"], 205.7, 206.6)
    self.assertIn(f"an effective rank of {found['numbers']['rank']:.1f} (s.d. ", found["because"])

  @parameterized.parameters((0.001, 0.001, ARTEFACT), (0.2, 0.001, NOT))
  def test_flows(self, own, plain, expected):
    runs = {
      "a": made.run(spectra=made.spectra(distance=plain)),
      "flows": made.run(spectra=made.spectra(distance=own), flows=4),
    }
    found = verdict("spectra.flows", runs)
    self.assertEqual(found["status"], expected)
    for words in (f"at most {100 * own:.2f} % of their size", f"at most {100 * plain:.2f} %. In"):
      self.assertIn(words, found["because"])

  def test_flows_that_alone_stay(self):
    runs = {
      "a": made.run(spectra=made.spectra(distance=0.3)),
      "flows": made.run(spectra=made.spectra(distance=0.001), flows=4),
    }
    self.assertEqual(verdict("spectra.flows", runs)["status"], YES)

  def test_few_members_decide_nothing(self):
    runs = kernels()
    runs["a"] = made.run(spectra=made.spectra(), seeds=2)
    self.assertEqual(verdict("spectra.rank", runs)["status"], NOT_RUN)

  def test_of_two_sizes_the_larger_decides(self):
    runs = kernels()
    runs["large"] = made.run(spectra=made.spectra(end={"ks": 0.2}), primes=2000)
    self.assertEqual(verdict("spectra.distance", runs)["status"], NOT)

  def test_nothing_at_hand(self):
    rows = claims.ledger(STUDY.claims, made.results_of({})).rows
    self.assertLen(rows, 14)
    for row in rows:
      if row["id"] != "spectra.baseline":  # needs no network
        self.assertEqual(row["status"], NOT_RUN, row["id"])

  def test_language_models_are_decided_by_their_weights(self):
    row = made.verdict(language_models, "spectra.language", {})
    self.assertEqual((row["status"], row["command"]), (NOT_RUN, "analyze.py --weights=published"))
    self.assertEqual(row["reported"], "effective rank 38 to 199 of 256, mean 151")


def runs():
  """Returns plan A, one with a mismatched kernel, and one with gaps left out."""
  front, kernel = "plan A", "plan A, mismatched kernel"
  left_out = {"held_out": "random", "population": "plan A with held_out random"}
  found = made.spectra(made.RANK / 2, 4 * made.RATIO, quality=17.5, population=kernel, **KERNEL)
  return {
    "a": made.run(made.memory(0.8), made.spectra(), population=front),
    "kernel": made.run(
      made.memory(0.4, population=kernel, **KERNEL), found, population=kernel, **KERNEL
    ),
    "held": made.run(made.memory(held=1.07, **left_out), **left_out),
  }


class NumbersTest(absltest.TestCase):
  def row(self, key):
    rows = [row for row in STUDY.numbers(made.results_of(runs())) if row["key"] == key]
    self.assertLen(rows, 1)
    return rows[0]

  def test_shares_of_the_null(self):
    found = self.row("plan A/effective_rank")
    self.assertEqual(found["source"], f"{44.13 / 206.0:.4g} (44.13 of 206)")
    self.assertAlmostEqual(found["median"], 1.0)
    self.assertAlmostEqual(found["untrained"], 1.0)
    self.assertAlmostEqual(found["mismatched"], 0.5)
    self.assertEqual((found["population"], found["runs"]), ("plan A", "a"))
    self.assertAlmostEqual(self.row("plan A/mae")["median"], 0.1)
    self.assertAlmostEqual(self.row("plan A/mae")["mismatched"], 0.05)
    self.assertAlmostEqual(self.row("plan A/quality")["mismatched"], 10.0)
    self.assertEqual(self.row("plan A/ks")["source"], "0.9258")

  def test_the_spec_with_a_mismatched_kernel(self):
    name = "plan A, mismatched kernel"
    first = self.row(f"{name}/toy_s1")
    # A bulk of ones and a value that is 4 times as much over the mean.
    ratio = 4 * made.RATIO
    self.assertAlmostEqual(first["median"], ratio * 63 / (64 - ratio))
    self.assertEqual((first["source"], first["runs"]), ("21.3", "kernel"))
    self.assertEqual(self.row(f"{name}/toy_s2")["median"], 1.0)

  def test_every_number_of_the_source(self):
    found = spectra.PUBLISHED
    self.assertLen(found, 5 * 6 + 5 * 5)
    self.assertTrue(all(math.isfinite(float(its.source)) for its in found.values()))

  def test_few_members_are_beside_no_number(self):
    self.assertEqual(spectra.numbers(made.spectra().isel(seed=[0, 1])), {})


class ShownTest(absltest.TestCase):
  def its(self):
    return {run: table["spectra"] for run, (_, table) in runs().items() if "spectra" in table}

  def test_figures(self):
    pages = spectra.figures(self.its())
    self.assertEqual(set(pages), {"all runs", "a", "kernel", "a, levels", "kernel, levels"})
    for page in pages.values():
      drawn.assert_inside(self, page.figure())

  def test_every_run_in_a_row(self):
    found = {row["run"]: row for row in spectra.overview(self.its())}
    self.assertAlmostEqual(found["kernel"]["query"], 0.5)
    self.assertAlmostEqual(found["a"]["live"], 50.0 / made.RANK)

  def test_line(self):
    self.assertEqual(
      spectra.line(self.its()),
      "Largest singular value over the mean, where not as noise: kernel 9.2 (noise 2.3).",
    )

  def test_every_matrix(self):
    plans, table, levels, published = spectra.tables(self.its())
    self.assertLen(table.rows, 2 * 2 * 3)
    # Five plans and six numbers; one run of plan A, none of the others.
    rows = [row for row in plans.rows if row["plan"] == "plan A"]
    self.assertLen(plans.rows, 5 * 6)
    self.assertEqual({row["run"] for row in rows}, {"a"})
    self.assertAlmostEqual(rows[0]["share here"], 1.0)
    self.assertAlmostEqual(rows[0]["untrained"], 1.0)
    self.assertAlmostEqual(rows[0]["source, share"], 44.13 / 206)
    self.assertEqual({row["remark"] for row in rows}, {""})
    others = [row["remark"] for row in plans.rows if row["plan"] != "plan A"]
    self.assertEqual(set(others), {"no run of this plan is read here"})
    self.assertNotIn("moved_effective_rank", table.columns())
    # Of the first matrix no levels are known.
    self.assertEqual([row["matrix"] for row in levels.rows], ["value/0"] * 2)
    self.assertAlmostEqual(levels.rows[0]["ks_gue"], 0.15)
    self.assertAlmostEqual(levels.rows[0]["(ks_gue)"], 0.16)
    rank = [row for row in published.rows if row["number"].startswith("effective rank")]
    self.assertEqual([row["end"] for row in rank], [made.RANK, made.RANK / 2])


if __name__ == "__main__":
  absltest.main()
