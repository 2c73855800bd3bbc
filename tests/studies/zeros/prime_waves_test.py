import functools
import sys
import tempfile
from types import SimpleNamespace
from unittest import mock

import drawn
import numpy as np
import sympy
import tiny_waves
import wave_results
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.analyses import prime_lines, symbolic
from primelens.analyses import prime_waves as waves_lib
from primelens.configs import zeros_small
from primelens.lens import claims, results
from primelens.models import optimizer
from primelens.studies.zeros import prime_waves
from primelens.tasks import primes

HEIGHT = 1.1e6


class FormulasTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.prime_Q = primes.below(3_000)
    law_Q = prime_lines.law(cls.prime_Q, HEIGHT)
    rng = np.random.default_rng(0)
    noisy_ExQ = law_Q * rng.normal(1, 0.005, (3, len(law_Q)))
    # Lines are found at the first eighty primes; of the last row at ten.
    found_E = np.array([80, 80, 10])
    read = SimpleNamespace(
      amplitude_ExQ=noisy_ExQ,
      max_t_ExQ=np.where(np.arange(len(law_Q)) < found_E[:, None], 0.02, 0.5),
    )
    settings = SimpleNamespace(symbolic=True, seed=0)

    def formulas(kinds):
      return prime_waves.formulas(read, kinds, kinds, cls.prime_Q, HEIGHT, settings)

    # Of the other two no formula is looked at: each is told apart by its kind.
    short = functools.partial(symbolic.search, restarts=1, population=20, generations=1)
    with mock.patch.object(symbolic, "search", short):
      rest = formulas(("", "network", "adaptive"))
    cls.rows = formulas(("truth",)) + rest

  def _rows(self, kind: str, given: str = "p") -> list:
    return [r for r in self.rows if (r["kind"], r["given"]) == (kind, given)]

  def test_the_power_and_the_factor(self):
    for kind in ("truth", "network"):
      row = self._rows(kind)[0]
      self.assertEqual(row["found"], 80)
      self.assertAlmostEqual(row["power"], -0.5, delta=0.002)
      self.assertAlmostEqual(row["factor"], 1 / np.pi, delta=0.004)
      self.assertBetween(row["power_error"], 1e-4, 2e-3)
      self.assertTrue(row["near"])

  def test_too_few_lines_are_not_searched(self):
    self.assertEqual(self._rows("adaptive"), [])

  def _at(self, row, **value) -> float:
    return float(sympy.sympify(row["sympy"]).subs(value))

  def test_given_p_the_search_goes_on_as_one_over_its_root(self):
    best = max(self._rows("truth"), key=lambda row: row["test_r2"])
    value = self._at(best, p=2_999)
    self.assertAlmostEqual(value * np.pi * 2_999**0.5, 1, delta=0.05)

  def test_given_p_and_x_it_finds_the_sine_as_well(self):
    best = max(self._rows("truth", "p, x"), key=lambda row: row["test_r2"])
    # Far beyond the primes that it has seen, on to where the sine falls.
    for p in (997, 2_999):
      x = waves_lib.mean_spacing(HEIGHT) * np.log(p)
      (law,) = prime_lines.law([p], HEIGHT)
      self.assertAlmostEqual(self._at(best, p=p, x=x) / law, 1, delta=0.05)


class FallsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("0.31*p^(-0.5)", True),
    ("0.3183/sqrt(p) + 1e-6", True),
    ("1/(3.14*sqrt(p) + 0.1)", True),
    ("0.31*p^(-0.4)", False),
    ("0.01", False),
    ("sin(p)", False),
  )
  def test_a_formula_is_parsed(self, text, falls):
    self.assertEqual(prime_waves.falls({"exact": text}), falls)

  @parameterized.parameters(
    "__import__('os').getcwd()",
    "print(p)",
    "p.real",
    "q",
    "(lambda: 1)()",
    "p if p else p",
    "",
    "(" * 300,
  )
  def test_nothing_else_is(self, text):
    with self.assertRaises(ValueError):
      prime_waves.falls({"exact": text, "sympy": "p"})

  def test_the_text_for_sympy_is_not_read(self):
    with mock.patch.dict(sys.modules, {"sympy": None}):
      self.assertTrue(prime_waves.falls({"exact": "1/sqrt(p)", "sympy": "exit()"}))


class PlanTest(absltest.TestCase):
  def _plan(self, mode, **fit_changes):
    experiment = zeros_small.get_config(f"long_{mode}")
    for name, value in fit_changes.items():
      setattr(experiment.fit, name, value)
    run = SimpleNamespace(experiment=experiment, settings=experiment.analyses)
    return prime_waves.plan(run)

  def test_is_one_with_memory_and_without(self):
    self.assertEqual(self._plan("none"), self._plan("memory_blind"))
    self.assertEqual(self._plan("none", seeds=7), self._plan("none"))

  def test_does_not_depend_on_what_changes_no_number(self):
    experiment = zeros_small.get_config("long_none")
    experiment.task.cache = "elsewhere"
    experiment.analyses.prime_waves.symbolic = False
    experiment.analyses.prime_waves.context_windows = 0
    run = SimpleNamespace(experiment=experiment, settings=experiment.analyses)
    self.assertEqual(prime_waves.plan(run), self._plan("none"))

  def test_a_mask_a_slow_trunk_and_another_context_are_other_plans(self):
    plan = self._plan("none")
    for change in (
      lambda e: setattr(e.model.trunk, "mask", "full"),
      lambda e: setattr(e.fit.optimizer, "slow_pattern", "blocks/.*"),
      lambda e: setattr(e.analyses.evaluation, "min_context", 8),
    ):
      experiment = zeros_small.get_config("long_none")
      change(experiment)
      run = SimpleNamespace(experiment=experiment, settings=experiment.analyses)
      self.assertNotEqual(prime_waves.plan(run), plan)

  def test_is_another_with_another_optimizer_or_other_data(self):
    plan = self._plan("none")
    self.assertNotEqual(self._plan("none", steps=11), plan)
    slow = optimizer.Config(rate=1e-4)
    self.assertNotEqual(self._plan("none", optimizer=slow), plan)
    run = SimpleNamespace(experiment=zeros_small.get_config("long_none"))
    run.settings = run.experiment.analyses
    run.experiment.task.recent = 1_000
    self.assertNotEqual(prime_waves.plan(run), plan)


class PrimeWavesTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.found = prime_waves.measure(tiny_waves.run(symbolic=False, spacings=900))

  def test_predictions_are_who_predicts(self):
    kinds = self.found.kind.values.tolist()
    networks = [*["network"] * 2, *["untrained"] * 2]
    self.assertEqual(kinds, ["truth", *networks, "kernel", "filter", "formula"])
    self.assertEqual(self.found.member.values.tolist(), [-1, 0, 1, 0, 1, -1, -1, -1])
    self.assertEqual(self.found.amplitude.shape, (len(kinds), 15))

  def test_the_truth_has_all_of_its_waves(self):
    truth = self.found.isel(prediction=0)
    np.testing.assert_allclose(truth.gain, 1, atol=1e-6)
    np.testing.assert_allclose(truth.left, 0, atol=1e-6)
    self.assertEqual(int(truth.known), int(self.found.stands_out.sum()))
    self.assertGreaterEqual(int(self.found.stands_out.sum()), 12)
    self.assertTrue(np.isnan(truth.nll))

  def test_planted_waves_are_found(self):
    found = self.found
    self.assertEqual((found.planted, found.planted_found, found.planted_elsewhere), (3, 3, 0))

  def test_a_network_equal_to_its_fresh_self_reads_the_same(self):
    amplitude_ExQ = self.found.amplitude.values
    np.testing.assert_array_equal(amplitude_ExQ[1:3], amplitude_ExQ[3:5])

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "prime_waves", self.found, provenance={})
    back, _ = results.read(folder, "prime_waves")
    xr.testing.assert_identical(back, self.found)

  def test_figures(self):
    self.assertEqual(set(prime_waves.figures({"e0": self.found})), {"e0"})
    pages = prime_waves.figures({"e0": self.found, "again": self.found})
    self.assertEqual(set(pages), {"e0", "again", "all runs"})
    for name in ("e0", "all runs"):
      drawn.assert_inside(self, pages[name].figure())

  def test_tables(self):
    predictions, planted, law = prime_waves.tables({"e0": self.found})
    names = [row["predictions"] for row in predictions.rows]
    self.assertIn("explicit formula, primes to 10", names)
    self.assertLen(names, 8)
    self.assertIn("networks trained on zeros", predictions.caption)
    stands = int(self.found.stands_out.sum())
    self.assertIn(f"at frequencies beside it: {stands} can.", predictions.caption)
    self.assertEqual(planted.rows, [{"run": "e0", "planted": 3, "found": 3, "elsewhere": 0}])
    self.assertEmpty(law.rows)

  def test_formulas_are_shown(self):
    _, _, law = prime_waves.tables(
      {"e0": wave_results.waves().assign_attrs(planted=0, height=1.0).pipe(_with_null)}
    )
    self.assertLen(law.rows, 3)
    self.assertEqual(law.rows[0]["formula"], "0.31/sqrt(p)")

  def test_without_a_control(self):
    found = prime_waves.measure(tiny_waves.run(symbolic=False, planted=0))
    self.assertEqual(found.planted, 0)
    _, planted, _ = prime_waves.tables({"e0": found})
    self.assertEmpty(planted.rows)


def _with_null(found: xr.Dataset) -> xr.Dataset:
  """Returns a result by hand with what its table of predictions shows beside the claims."""
  nothing = found.r2 * np.nan
  names = ("nll", "cutoff", "correlation", "slope")
  null = xr.DataArray(np.full((found.sizes["prediction"], 430), 0.5), dims=("prediction", "prime"))
  return found.assign({name: nothing for name in names} | {"max_t": null})


REPRODUCED, NOT = "reproduced", "not reproduced"
OPEN, NOT_RUN = "needs more compute", "not run"


def _statuses(runs) -> dict[str, str]:
  rows = claims.ledger(tuple(prime_waves.CLAIMS), zeros_cards.results(**runs)).rows
  return {row["id"]: row["status"] for row in rows}


class ClaimsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.runs = wave_results.runs()

  def change(self, name="waves", card=None, **options):
    self.runs = wave_results.changed(self.runs, name, card, **options)

  def test_a_network_that_tells_primes_apart(self):
    found = _statuses(self.runs)
    self.assertEqual(found["waves.primes"], REPRODUCED)
    self.assertEqual(found["waves.controls"], REPRODUCED)
    self.assertEqual(found["waves.law"], REPRODUCED)
    self.assertEqual(found["waves.memory"], NOT)

  def test_a_band_without_peaks_is_not_the_primes(self):
    self.change(resolved=1)
    del self.runs["waves_memory"]
    found = _statuses(self.runs)
    self.assertEqual(found["waves.primes"], NOT)
    self.assertEqual(found["waves.memory"], NOT_RUN)

  def test_a_control_that_knows_primes_condemns_the_reading(self):
    self.change("waves_cue", trained_on="cue", known=40, resolved=0)
    self.assertEqual(_statuses(self.runs)["waves.controls"], NOT)

  def test_another_power_is_not_the_law(self):
    self.change(power=-0.8)
    self.assertEqual(_statuses(self.runs)["waves.law"], NOT)

  def test_without_formulas_the_law_is_open(self):
    self.change(fitted=False)
    self.assertEqual(_statuses(self.runs)["waves.law"], OPEN)

  @parameterized.parameters(300, 299, 99)
  def test_a_network_like_its_fresh_self_has_learned_nothing(self, known):
    self.change(known=known, fresh=301)
    del self.runs["waves_memory"]
    self.assertEqual(_statuses(self.runs)["waves.primes"], NOT)

  def test_a_network_behind_a_filter_of_its_own_data_neither(self):
    self.change(known=11, fresh=0)
    del self.runs["waves_memory"]
    self.assertEqual(_statuses(self.runs)["waves.primes"], NOT)

  def test_what_passes_beside_the_primes_as_well_is_no_knowledge(self):
    # As many of one as of the other, where no other predictor knows any.
    self.change(known=71, beside=70.75, fresh=0)
    del self.runs["waves_memory"]
    self.assertEqual(_statuses(self.runs)["waves.primes"], NOT)

  def test_what_was_told_is_not_known(self):
    for name in ("waves", "waves_memory"):
      self.change(name, {"memory": "bank_leaky_as_published", "told": True})
    self.assertEqual(_statuses(self.runs)["waves.primes"], NOT_RUN)

  def test_what_anchors_has_seen_reading_ahead_is_not_known(self):
    ahead = xr.Dataset(attrs={"ahead_spacings": 0.1, "ahead_nats": 0.0})
    for name in ("waves", "waves_memory"):
      card, tables = self.runs[name]
      self.runs[name] = card, tables | {"anchors": ahead}
    self.assertEqual(_statuses(self.runs)["waves.primes"], NOT_RUN)

  def test_a_big_run_licenses_no_verdict_on_small_ones(self):
    self.change("waves_memory", {"size": zeros_cards.SMALL}, known=400)
    found = _statuses(self.runs)
    self.assertEqual(found["waves.primes"], REPRODUCED)  # of the big one
    self.assertEqual(found["waves.memory"], OPEN)

  def test_a_power_that_is_hardly_known_is_none(self):
    row = {"power": -0.8, "power_error": 0.11}
    self.assertFalse(prime_waves.near(row))

  def test_controls_without_a_network_that_resolves_primes_are_open(self):
    for name in ("waves", "waves_memory"):
      self.change(name, known=0, resolved=0)
    self.assertEqual(_statuses(self.runs)["waves.controls"], OPEN)

  def test_controls_stand_beside_networks_that_were_trained_alike(self):
    self.change("waves", {"fit.steps": 5000})
    self.change("waves_memory", known=0, resolved=0)
    row = zeros_cards.row(prime_waves, "waves.controls", **self.runs)
    self.assertEqual(row["status"], OPEN)
    self.assertNotIn("beyond, waves", row["numbers"])
    self.change("waves_memory", {"fit.steps": 5000})
    self.assertEqual(_statuses(self.runs)["waves.controls"], NOT_RUN)

  @parameterized.parameters((310, REPRODUCED), (301, OPEN), (290, NOT))
  def test_memory_is_compared_with_the_same_run_without(self, known, status):
    self.change("waves_memory", known=known)
    self.assertEqual(_statuses(self.runs)["waves.memory"], status)

  def test_a_second_run_without_memory_counts_beside_the_first(self):
    self.change("waves_memory", known=330)
    self.change("waves_again", known=320)
    row = zeros_cards.row(prime_waves, "waves.memory", **self.runs)
    self.assertEqual(row["numbers"]["without"], (301 + 321) / 2)

  def test_another_plan_is_not_compared(self):
    self.change("waves_memory", known=310, plan="10 steps")
    self.assertEqual(_statuses(self.runs)["waves.memory"], NOT_RUN)

  def test_small_networks_decide_nothing_about_published_ones(self):
    found = _statuses(wave_results.runs(size=zeros_cards.SMALL))
    for claim in ("waves.primes", "waves.memory"):
      self.assertEqual(found[claim], OPEN)
    self.assertEqual(found["waves.controls"], REPRODUCED)

  @parameterized.parameters(
    "200,000 spacings of cue, published_tail",
    "2,001,051 spacings of shuffled, published_tail",
    "2,001,051 spacings of zeros, contiguous",
    "99,999 spacings of zeros, published_tail",
  )
  def test_other_data_decide_no_claim(self, data):
    self.assertEqual(set(_statuses(wave_results.runs(data=data)).values()), {NOT_RUN})

  def test_nothing_run_decides_nothing(self):
    self.assertEqual(set(_statuses({}).values()), {NOT_RUN})

  def test_knowledge_of_the_primes_needs_the_response_of_the_run(self):
    card, tables = self.runs["waves"]
    self.runs["waves"] = card, {"prime_waves": tables["prime_waves"]}
    row = zeros_cards.row(prime_waves, "waves.primes", **self.runs)
    self.assertEqual(row["status"], NOT_RUN)
    self.assertIn("prime_response", row["because"])

  def test_every_claim_says_where_it_was_published(self):
    for claim in prime_waves.CLAIMS:
      for text in (claim.statement, claim.source, claim.reported):
        self.assertNotEmpty(text, claim.id)


if __name__ == "__main__":
  absltest.main()
