import types

import wave_results
from absl.testing import absltest
from primelens.lens import claims as trial
from primelens.studies.zeros import claims_prime_waves as claims
from primelens.studies.zeros import prime_waves_law as law
from zeros_results import SMALL

REPRODUCED, NOT = "reproduced", "not reproduced"
OPEN, NOT_RUN = "needs more compute", "not run"


def _statuses(results) -> dict[str, str]:
  ledger = trial.ledger(claims.CLAIMS, results)
  return {row["id"]: row["status"] for row in ledger.rows}


class ClaimsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.runs = wave_results.runs()

  def test_a_network_that_tells_primes_apart(self):
    found = _statuses(self.runs)
    self.assertEqual(found["waves.primes"], REPRODUCED)
    self.assertEqual(found["waves.controls"], REPRODUCED)
    self.assertEqual(found["waves.law"], REPRODUCED)
    self.assertEqual(found["waves.memory"], NOT)
    self.assertEqual(found["waves.operator"], NOT)

  def test_a_band_without_peaks_is_not_the_primes(self):
    one = wave_results.prime_waves(resolved=1)
    self.runs["waves"]["prime_waves"] = one
    del self.runs["waves_memory"]
    found = _statuses(self.runs)
    self.assertEqual(found["waves.primes"], NOT)
    self.assertEqual(found["waves.memory"], NOT_RUN)

  def test_a_control_that_knows_primes_condemns_the_reading(self):
    echo = wave_results.prime_waves("cue", known=40, resolved=0)
    self.runs["waves_cue"]["prime_waves"] = echo
    self.assertEqual(_statuses(self.runs)["waves.controls"], NOT)

  def test_another_power_is_not_the_law(self):
    steep = wave_results.prime_waves(power=-0.8)
    self.runs["waves"]["prime_waves"] = steep
    self.assertEqual(_statuses(self.runs)["waves.law"], NOT)

  def test_a_network_like_its_fresh_self_has_learned_nothing(self):
    for known in (300, 299, 99):
      self.runs["waves"]["prime_waves"] = wave_results.prime_waves(known=known, fresh=301)
      del self.runs["waves_memory"]
      self.assertEqual(_statuses(self.runs)["waves.primes"], NOT)
      self.runs = wave_results.runs()

  def test_a_network_behind_a_filter_of_its_own_data_neither(self):
    few = wave_results.prime_waves(known=11, fresh=0)
    self.runs["waves"]["prime_waves"] = few
    del self.runs["waves_memory"]
    self.assertEqual(_statuses(self.runs)["waves.primes"], NOT)

  def test_what_passes_beside_the_primes_as_well_is_no_knowledge(self):
    # As many of one as of the other, where no other predictor knows any.
    close = wave_results.prime_waves(known=71, beside=70.75, fresh=0)
    self.runs["waves"]["prime_waves"] = close
    del self.runs["waves_memory"]
    self.assertEqual(_statuses(self.runs)["waves.primes"], NOT)

  def test_an_operator_has_half_of_the_lines_and_their_power(self):
    for resolved, power, status in ((5, -0.5, REPRODUCED), (4, -0.5, NOT), (5, -0.8, NOT)):
      self.runs["waves"]["prime_waves"] = wave_results.prime_waves(resolved=resolved, power=power)
      self.assertEqual(_statuses(self.runs)["waves.operator"], status)

  def test_what_was_told_is_not_known(self):
    for name in ("waves", "waves_memory"):
      own = vars(self.runs[name]["anchors"]) | {"memory": "bank_leaky_as_published"}
      self.runs[name]["anchors"] = types.SimpleNamespace(**own)
    self.assertEqual(_statuses(self.runs)["waves.primes"], NOT_RUN)

  def test_a_big_run_licenses_no_verdict_on_small_ones(self):
    small = wave_results.runs(parameters=SMALL)["waves_memory"]
    self.runs["waves_memory"] = small | {
      "prime_waves": wave_results.prime_waves(memory="postfix", known=400)
    }
    found = _statuses(self.runs)
    self.assertEqual(found["waves.primes"], REPRODUCED)  # of the big one
    self.assertEqual(found["waves.memory"], OPEN)

  def test_a_power_that_is_hardly_known_is_none(self):
    row = {"power": -0.8, "power_error": 0.11}
    self.assertFalse(law.near(row))

  def test_controls_without_a_network_that_resolves_primes_are_open(self):
    for name in ("waves", "waves_memory"):
      blind = wave_results.prime_waves(known=0, resolved=0)
      self.runs[name]["prime_waves"] = blind
    self.assertEqual(_statuses(self.runs)["waves.controls"], OPEN)

  def test_memory_is_compared_with_the_same_run_without(self):
    memory = lambda known, **of: wave_results.prime_waves(memory="postfix", known=known, **of)
    for known, status in ((310, REPRODUCED), (301, OPEN), (290, NOT)):
      self.runs["waves_memory"]["prime_waves"] = memory(known)
      self.assertEqual(_statuses(self.runs)["waves.memory"], status)
    # A second run without memory counts beside the first, not instead of it.
    self.runs["waves_memory"]["prime_waves"] = memory(330)
    self.runs["waves_again"] = dict(self.runs["waves"])
    again = wave_results.prime_waves(known=320)
    self.runs["waves_again"]["prime_waves"] = again
    row = trial.row(trial.ledger(claims.CLAIMS, self.runs).rows, id="waves.memory")
    self.assertEqual(row["numbers"]["without"], (301 + 321) / 2)
    del self.runs["waves_again"]
    self.runs["waves_memory"]["prime_waves"] = memory(310, plan="10 steps")
    self.assertEqual(_statuses(self.runs)["waves.memory"], NOT_RUN)

  def test_small_networks_decide_nothing_about_published_ones(self):
    found = _statuses(wave_results.runs(parameters=SMALL))
    for claim in ("waves.primes", "waves.memory", "waves.operator"):
      self.assertEqual(found[claim], OPEN)
    self.assertEqual(found["waves.controls"], REPRODUCED)

  def test_nothing_run_decides_nothing(self):
    self.assertEqual(set(_statuses({}).values()), {NOT_RUN})


if __name__ == "__main__":
  absltest.main()
