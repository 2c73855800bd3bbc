import dataclasses
import pathlib
import tempfile

import jax
import numpy as np
import tiny_primes
from absl.testing import absltest
from primelens.lens import legacy
from primelens.models import checkpoints
from primelens.studies import matrices, spectra
from primelens.studies.primes import spectra as primes_spectra

SEEDS = 2


def tiny():
  """Returns an untrained population of one layer of width 32."""
  config = tiny_primes.experiment(width=32, heads=4, hidden=48)
  config.analyses.draws = 40
  return tiny_primes.run(config)


def moved(run, size=4.0):
  """Returns the run with a large outlier in the first value matrix."""
  params_S = jax.tree.map(np.array, run.params_S)
  kernel = params_S["blocks"]["attention"]["value"]["kernel"]  # SxLxDxHxDh
  rng = np.random.default_rng(0)
  sign = lambda *shape: rng.choice([-1.0, 1.0], shape)
  one = sign(kernel.shape[2], 1, 1) * sign(*kernel.shape[3:])
  kernel[:, 0] += size * one / np.linalg.norm(one)
  return dataclasses.replace(run, params_S=params_S)


class SpectraTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(cls.folder.cleanup)
    cls.start = dataclasses.replace(tiny(), workdir=pathlib.Path(cls.folder.name))
    cls.run_ = moved(cls.start)
    for step, its in ((10, cls.start), (20, cls.run_)):
      folder = cls.run_.workdir / "snapshots"
      checkpoints.write_snapshot(folder, step, its.params_S)
    cls.result = primes_spectra.run(cls.run_)

  def records(self, **where):
    return [
      row for row in self.result.record if all(row[key] == value for key, value in where.items())
    ]

  def test_every_matrix_of_every_member(self):
    names = [row["matrix"] for row in self.result.matrix]
    self.assertIn("query/0", names)
    self.assertIn("embedding", names)
    self.assertLen(self.result.record, SEEDS * len(names))

  def test_the_outlier_is_found_where_it_is(self):
    for row in self.records(matrix="value/0"):
      self.assertEqual(row["outliers"], 1)
      self.assertLess(row["max_to_mean_p"], 0.05)
      self.assertLessEqual(row["max_to_mean_p"], row["max_to_mean_p_bh"])
      # Found among all matrices with 40 draws: by `holm` 1 of 20 would take 799.
      self.assertEqual(row["max_to_mean_p_any"], 1 / 41)
      # What was added: one direction of length 4.
      self.assertAlmostEqual(row["moved_effective_rank"], 1, places=4)
    for row in self.records(matrix="query/0"):
      self.assertEqual(row["distance"], 0)

  def test_what_has_no_effect_is_marked(self):
    self.assertFalse(any(row["live"] for row in self.records(role="query")))
    self.assertFalse(any(row["live"] for row in self.records(role="key")))
    self.assertTrue(all(row["live"] for row in self.records(role="value")))

  def test_curves_over_the_snapshots(self):
    at = [row["matrix"] for row in self.result.matrix].index("value/0")
    distance_SxC = self.result.distance_SxCxE[..., at]
    np.testing.assert_array_equal(distance_SxC[:, 0], 0)
    weight_SxNxD = matrices.of(self.start.params_S)[at].weight_SxNxD
    size_S = np.linalg.norm(weight_SxNxD, axis=(1, 2))
    np.testing.assert_allclose(distance_SxC[:, 1], 4 / size_S, rtol=1e-5)
    names = [row["name"] for row in self.result.curves]
    rank_SxC = self.result.curve_VxSxCxE[names.index("effective_rank")][..., at]
    singular_SxK = np.linalg.svd(weight_SxNxD, compute_uv=False)
    share_SxK = singular_SxK / singular_SxK.sum(1, keepdims=True)
    entropy_S = -np.sum(share_SxK * np.log(share_SxK), axis=1)
    np.testing.assert_allclose(rank_SxC[:, 0], np.exp(entropy_S), rtol=1e-5)
    self.assertTrue((rank_SxC[:, 1] < rank_SxC[:, 0]).all())

  def test_published_numbers_are_of_the_first_queries(self):
    start, end = (
      [row for row in self.result.published if row["when"] == when] for when in ("start", "end")
    )
    self.assertLen(end, SEEDS)
    for before, after in zip(start, end, strict=True):
      self.assertEqual(before | {"when": "end"}, after)  # untouched here

  def test_stored_read_and_drawn(self):
    with tempfile.TemporaryDirectory() as folder:
      legacy.write(folder, "spectra", self.result, provenance={})
      again, _ = legacy.read(folder, "spectra", spectra.Result)
      legacy.drawing("zeros", "spectra")(again).canvas.draw()
    np.testing.assert_array_equal(again.curve_VxSxCxE, self.result.curve_VxSxCxE)

  def test_without_snapshots(self):
    found = primes_spectra.run(tiny())
    self.assertEqual(found.curve_VxSxCxE.shape[2], 0)
    legacy.drawing("zeros", "spectra")(found).canvas.draw()


if __name__ == "__main__":
  absltest.main()
