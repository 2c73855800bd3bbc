import dataclasses
import pathlib
import tempfile
from unittest import mock

import drawn
import jax
import numpy as np
import tiny_waves
import xarray as xr
from absl.testing import absltest
from primelens.lens import results
from primelens.models import checkpoints
from primelens.studies.zeros import prime_places, stretches
from primelens.tasks import primes


class PartsTest(absltest.TestCase):
  """By predictions that are the truth, or say nothing."""

  def setUp(self):
    super().setUp()
    self.run_ = tiny_waves.run(context_windows=1_100, contexts=(8, 2))
    self.stretch = stretches.of_test(self.run_, 1_100)
    self.prime_Q = primes.below(50)

  def test_contexts_are_places_of_the_windows(self):
    value_N = self.stretch.value_N

    def told(run, window_NxT1):
      # The truth at the place with 8 spacings before it, nothing elsewhere.
      mean_SxNxT = np.ones((2, len(window_NxT1), run.experiment.model.window))
      start = int(self.stretch.start_N[0])
      mean_SxNxT[0, :, 7] = value_N[start + 8 :][: len(window_NxT1)]
      return mean_SxNxT

    with mock.patch.object(prime_places, "everywhere", told):
      found = prime_places.contexts(self.run_, self.stretch, self.prime_Q)
    self.assertEqual(found["context_T"].tolist(), [8, 2])
    stands = found["stands_TxQ"].sum(-1)
    self.assertGreaterEqual(stands.min(), 12)
    np.testing.assert_array_equal(found["known_SxTxQ"].sum(-1), [[stands[0], 0], [0, 0]])
    np.testing.assert_allclose(found["beside_SxT"], [[stands[0], 0], [0, 0]])
    np.testing.assert_allclose(found["r2_SxT"][0, 0], 1)

  def test_a_prime_is_learned_when_it_is_known_to_stay(self):
    workdir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="run")))
    for step in (10, 20, 30):
      checkpoints.write_snapshot(workdir / "snapshots", step, self.run_.params_S)
    run = dataclasses.replace(self.run_, workdir=workdir)
    truth_1xN = self.stretch.truth_N[None]
    nothing_1xN = np.ones_like(truth_1xN)
    # One seed knows all at first and forgets, the other learns in the end.
    answers = [
      np.stack(rows)
      for rows in ((truth_1xN, nothing_1xN), (nothing_1xN, nothing_1xN), (nothing_1xN, truth_1xN))
    ]
    with mock.patch.object(
      prime_places.scoring, "predictions", side_effect=[(None, a) for a in answers]
    ):
      found = prime_places.snapshots(run, self.stretch, self.prime_Q)
    stands = int(np.isfinite(found["first_SxQ"][1]).sum())
    self.assertGreaterEqual(stands, 12)
    self.assertEqual(found["step_C"].tolist(), [10, 20, 30])
    np.testing.assert_array_equal(found["known_SxCxQ"].sum(-1), [[stands, 0, 0], [0, 0, stands]])
    np.testing.assert_allclose(found["beside_SxC"], [[stands, 0, 0], [0, 0, stands]])
    self.assertTrue(np.isnan(found["first_SxQ"][0]).all())
    self.assertEqual(np.nanmin(found["first_SxQ"][1]), 30)
    self.assertGreaterEqual(found["stands_Q"].sum(), stands)

  def test_a_head_that_is_kept_costs_nothing(self):
    # A network whose heads say nothing: no gain can go with them.
    params_S = jax.tree.map(np.asarray, self.run_.params_S)
    out = params_S["blocks"]["attention"]["out"]
    out["kernel"] = 0 * out["kernel"]
    silent = dataclasses.replace(self.run_, params_S=params_S)
    stretch = stretches.of_test(silent, 144)
    found = prime_places.heads(silent, stretch, primes.below(20))
    np.testing.assert_allclose(found["lost_SxLxHxQ"], 0, atol=1e-6)


class PrimePlacesTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    run = tiny_waves.run(spacings=900)
    folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="run"))
    for step, factor in ((10, 1.0), (20, 1.5)):
      params_S = jax.tree.map(lambda leaf, factor=factor: factor * np.asarray(leaf), run.params_S)
      checkpoints.write_snapshot(pathlib.Path(folder) / "snapshots", step, params_S)
    cls.run_ = dataclasses.replace(run, workdir=pathlib.Path(folder))
    cls.found = prime_places.measure(cls.run_)

  def test_a_network_equal_to_its_fresh_self_reads_the_same(self):
    found = self.found
    np.testing.assert_allclose(found.state_share.mean("seed"), found.untrained_share)
    np.testing.assert_array_equal(found.state_max_t.values, found.untrained_max_t.values)

  def test_dimensions(self):
    sizes = {"seed": 2, "untrained": 2, "layer": 2, "head": 2, "prime": 15, "context": 2, "step": 2}
    self.assertEqual(dict(self.found.sizes), sizes)
    self.assertEqual(self.found.context.values.tolist(), [2, 8])
    self.assertEqual(self.found.step.values.tolist(), [10, 20])
    self.assertEqual(self.found.known_by_context.dims, ("seed", "context", "prime"))
    self.assertEqual(self.found.head_gain.dims, ("seed", "layer", "head", "prime"))

  def test_without_snapshots_and_contexts(self):
    run = tiny_waves.run(spacings=144, context_windows=0)
    found = prime_places.measure(run)
    self.assertEqual((found.sizes["context"], found.sizes["step"]), (0, 0))
    self.assertTrue(np.isnan(found.first_step).all())
    (figure,) = [page.figure() for page in prime_places.figures({"e0": found}).values()]
    drawn.assert_inside(self, figure)
    said = [text.get_text() for part in figure.subfigs for axes in part.axes for text in axes.texts]
    self.assertIn("not read by context", said)
    self.assertIn("no snapshots", said)
    when, where = prime_places.tables({"e0": found})
    self.assertEmpty(when.rows)
    self.assertNotEmpty(where.rows)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "prime_places", self.found, provenance={})
    back, _ = results.read(folder, "prime_places")
    xr.testing.assert_identical(back, self.found)

  def test_figures(self):
    self.assertEqual(set(prime_places.figures({"e0": self.found})), {"e0"})
    pages = prime_places.figures({"e0": self.found, "again": self.found})
    self.assertEqual(set(pages), {"e0", "again", "all runs"})
    for name in ("e0", "all runs"):
      drawn.assert_inside(self, pages[name].figure())

  def test_tables(self):
    when, where = prime_places.tables({"e0": self.found})
    names = [row["predictions"] for row in when.rows]
    expected = ["2 spacings in sight", "AR(2)", "8 spacings in sight", "AR(8)"]
    self.assertEqual(names, [*expected, "step 10", "step 20"])
    stands = int(self.found.stands_by_context.isel(context=1, prime=slice(10)).sum())
    known = self.found.filter_known.isel(context=1, prime=slice(10)).sum()
    self.assertEqual(when.rows[3]["primes below 30"], f"{int(known)} of {stands}")
    self.assertIn("of 40 windows", when.caption)
    names = [row["what"] for row in where.rows]
    self.assertLen(names, 2 * 2 + 2 * 2)
    self.assertEqual(names[0], "states after layer 0")
    self.assertEqual(names[-1], "change made by head 1.1")
    gain = float(self.found.head_gain.sel({"layer": 1, "head": 1}).mean())
    self.assertAlmostEqual(where.rows[-1]["gain that goes with it"], gain)


if __name__ == "__main__":
  absltest.main()
