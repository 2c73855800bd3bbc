import dataclasses
import tempfile
import types

import numpy as np
import tiny_study
from absl.testing import absltest
from primelens.lens import claims as trial
from primelens.lens import legacy
from primelens.studies.zeros import claims_gue, gue, program, published, report_gue

LIMIT = -0.30837  # lag 1 of the sine process
SLOPE = -3.0


def _planted(count=120_000, seed=0):
  """Spacings whose lag 1 is LIMIT + SLOPE / ln^2(g / 2 pi), and heights."""
  height_N = np.geomspace(1e3, 1e6, count)
  rho_N = LIMIT + SLOPE / np.log(height_N / (2 * np.pi)) ** 2
  theta_N = (1 - np.sqrt(1 - 4 * rho_N**2)) / (2 * rho_N)
  noise = np.random.default_rng(seed).normal(size=count + 1)
  value_N = noise[1:] + theta_N * noise[:-1]
  return 1 + 0.4 * value_N / np.sqrt(1 + theta_N**2), height_N


def _run(value_N, height_N, **changed):
  run = tiny_study.handmade(None, None, value_N, changed=changed)
  data = dataclasses.replace(run.data, ordinate_N=height_N)
  return dataclasses.replace(run, data=data)


class GueTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.value_N, cls.height_N = _planted()
    changed = {"gue.blocks": 8, "gue.stretch": 200, "bootstrap.block": 500}
    cls.result = gue.run(_run(cls.value_N, cls.height_N, **changed))

  def test_blocks_hold_all_spacings_and_their_moments(self):
    self.assertEqual(self.result.count_P.sum(), len(self.value_N))
    self.assertLen(self.result.count_P, 8)
    first = self.result.count_P[0]
    part_N = self.value_N[:first].astype(np.float32).astype(float)
    self.assertAlmostEqual(self.result.variance_P[0], part_N.var())
    found = np.corrcoef(part_N[1:], part_N[:-1])[0, 1]
    self.assertAlmostEqual(self.result.correlation_PxQ[0, 0], found, delta=1e-3)
    # Geometric heights, blocks of equal ratio: a middle of the same.
    ratio_P = self.result.height_P[1:] / self.result.height_P[:-1]
    np.testing.assert_allclose(ratio_P, 1e3 ** (1 / 8), rtol=1e-3)

  def test_a_planted_drift_with_height_is_found(self):
    fit = trial.row(self.result.fits, statistic="lag 1", form="a + b/ln^2")
    self.assertLess(abs(fit["second"] - SLOPE), 4 * fit["second_error"])
    self.assertLess(fit["second"], -5 * fit["second_error"])
    self.assertLess(abs(fit["first"]), 4 * fit["first_error"])
    self.assertLess(fit["chi2"], 25)
    flat = trial.row(self.result.fits, statistic="variance", form="a + b/ln^2")
    self.assertLess(abs(flat["second"]), 4 * flat["second_error"])

  def test_references(self):
    rows = {row["sequence"]: row for row in self.result.references}
    exact = rows["sine process, exact"]
    self.assertAlmostEqual(exact["variance"], 0.1799938776, places=8)
    self.assertEqual(exact["lag1_excess"], 0)
    zeros = rows["zeros"]
    self.assertAlmostEqual(zeros["lag1_excess"], zeros["lag1"] / exact["lag1"] - 1)
    tail = self.value_N[-len(self.value_N) // 10 :]
    self.assertEqual(rows["zeros, last tenth"]["spacings"], len(tail))
    thirds = [r for n, r in rows.items() if "third" in n]
    self.assertEqual(sum(r["spacings"] for r in thirds), len(tail))
    for name in ("CUE", "GUE"):
      off = rows[name]["lag1"] - exact["lag1"]
      self.assertLess(abs(off), 4 * rows[name]["lag1_error"] + 0.02)

  def test_published_recipes(self):
    zeros, cue = self.result.shuffles
    self.assertEqual(zeros["spacings"], 200)
    self.assertLess(max(zeros["z"], cue["z"]), -2)
    self.assertEqual(self.result.prime_lags[-1]["lag"], 34)
    self.assertLen(self.result.berry, 2)

  def test_stored_drawn_and_shown(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "gue", self.result, provenance={})
    back, _ = legacy.read(folder, "gue", gue.Result)
    self.assertEqual(
      [axes.get_title(loc="left") for axes in legacy.drawing("zeros", "gue")(back).axes][1],
      "Neighbouring spacings, by height",
    )
    text = report_gue._gue(back)
    self.assertIn("sine process, exact", text)
    self.assertIn("-0.0167", text)

  def test_sequences_without_heights_are_left_out(self):
    task = types.SimpleNamespace(kind="surrogate")
    experiment = types.SimpleNamespace(task=task)
    self.assertIn("no heights", program.no_heights(experiment))
    task.kind = "zeros"
    self.assertEqual(program.no_heights(experiment), "")

  def test_verdicts(self):
    table = {"anchors": types.SimpleNamespace(data=published.DATA), "gue": self.result}
    status = lambda test: test({"run": table}).status
    self.assertEqual(status(claims_gue.stronger), "reproduced, but an artefact")
    self.assertEqual(status(claims_gue.intrinsic), "not reproduced")
    self.assertEqual(status(claims_gue.shuffled), "reproduced, but an artefact")

  def test_a_flat_sequence_has_no_drift(self):
    noise = np.random.default_rng(3).normal(size=20_001)
    value_N = 1 + 0.3 * (noise[1:] - noise[:-1] / 2)
    result = gue.run(_run(value_N, np.geomspace(1e3, 1e6, 20_000)))
    table = {"anchors": types.SimpleNamespace(data=published.DATA)}
    found = claims_gue.intrinsic({"run": table | {"gue": result}})
    self.assertEqual(found.status, "reproduced")
    found = claims_gue.stronger({"run": table | {"gue": result}})
    self.assertEqual(found.status, "reproduced")  # -0.4: 30 % over -0.308


if __name__ == "__main__":
  absltest.main()
