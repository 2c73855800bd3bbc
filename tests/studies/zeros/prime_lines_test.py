import dataclasses
import tempfile
import types

import numpy as np
import tiny_study
from absl.testing import absltest
from primelens.lens import legacy
from primelens.studies.zeros import claims_gue, prime_lines, published, report_gue
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


class PrimeLinesTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.result = prime_lines.run(_run(1.0))

  def test_planted_waves_are_found_in_every_stretch(self):
    self.assertEqual(self.result.amplitude_PxQ.shape, (2, 15))
    np.testing.assert_allclose(self.result.amplitude_PxQ, self.result.law_PxQ, atol=0.02)
    self.assertTrue((self.result.max_t_PxQ < 0.05).all())
    for row in self.result.summary:
      self.assertEqual((row["max_t"], row["primes"]), (15, 15))
      self.assertAlmostEqual(row["slope"], 1, delta=0.05)
      self.assertGreater(row["correlation"], 0.9)

  def test_no_waves_no_lines(self):
    result = prime_lines.run(_run(0.0, seed=1))
    self.assertLessEqual(np.sum(result.max_t_PxQ < 0.05), 1)
    self.assertLessEqual(sum(row["bh"] for row in result.summary), 2)

  def test_nulls_know_no_primes(self):
    names = {row["null"] for row in self.result.nulls}
    self.assertLen(names, 5)
    for row in self.result.nulls:
      self.assertGreater(row["largest"], row["median"])
      if row["null"] in ("shuffled spacings", "CUE at these heights"):
        # Rayleigh: median 2 sigma sqrt(ln 2 / n), sigma of the spacings.
        self.assertBetween(row["median"], 0.003, 0.016)
    # Of the composites below 50 that are no power, 6 is the first.
    self.assertEqual(self.result.composite_E[0], 6)
    self.assertEqual(self.result.powers[0]["power"], 4)
    self.assertEqual(self.result.powers[0]["exponent"], 2)

  def test_stretches_do_not_overlap_and_the_last_ends_the_sequence(self):
    self.assertEqual(self.result.spacings, 2_500)
    self.assertEqual(self.result.height_P.shape, (2,))
    gap = 2 * np.pi / np.log(HEIGHT / (2 * np.pi))
    self.assertGreater(np.diff(self.result.height_P)[0], 1_700 * gap)

  def test_stored_drawn_and_shown(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "prime_lines", self.result, provenance={})
    back, _ = legacy.read(folder, "prime_lines", prime_lines.Result)
    titles = [a.get_title(loc="left") for a in legacy.drawing("zeros", "prime_lines")(back).axes]
    self.assertIn("The law at every height", titles)
    self.assertIn("15 of 15", report_gue._lines(back))

  def test_verdict(self):
    table = {"anchors": types.SimpleNamespace(data=published.DATA)}
    of = lambda result: claims_gue.spikes({"run": table | {"prime_lines": result}})
    self.assertEqual(of(self.result).status, "reproduced")
    # Nothing found in one stretch.
    empty = dict(self.result.summary[0]) | {"max_t": 0}
    none = dataclasses.replace(self.result, summary=(empty, self.result.summary[1]))
    self.assertEqual(of(none).status, "not reproduced")


if __name__ == "__main__":
  absltest.main()
