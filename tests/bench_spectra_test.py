"""The bench of spectra: both sides' numbers, and that a gap stops it."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from absl.testing import absltest
from safetensors import numpy as safetensors_numpy

sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))
import spectra


class SpectraTest(absltest.TestCase):
  def test_all_sides_have_the_known_numbers(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    path = str(folder / "model.safetensors")
    value_K = np.array([4, 2, 2, 2], np.float32)
    wide = np.zeros((4, 6), np.float32)
    wide[:, :4] = np.diag(value_K)
    safetensors_numpy.save_file({"a": wide, "b": wide.T.copy()}, path)
    share_K = value_K**2 / 28
    known = [4, 28 / 16, np.exp(-np.sum(share_K * np.log(share_K)))]
    sides = (spectra.ours(path), spectra.loop(path, "float32"))
    for found in sides:
      self.assertEqual(list(found), ["a", "b"])
      for numbers in found.values():
        np.testing.assert_allclose(numbers, known, rtol=1e-5)
    self.assertLess(spectra.agree("numpy", *sides), 1e-5)

  def test_numbers_that_differ_stop_the_bench(self):
    spectra.agree("one", {"a": [1.0, 2.0]}, {"a": [1.0, 2.00001]})
    with self.assertRaisesRegex(SystemExit, "one and ours differ by 1"):
      spectra.agree("one", {"a": [1.0, 2.0], "b": [1]}, {"a": [1.0, 1.0]})
    with self.assertRaisesRegex(SystemExit, "differ by nan"):
      spectra.agree("one", {"a": [np.nan]}, {"a": [1.0]})

  def test_written_noise_has_the_shapes_of_minilm(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    spectra.write(folder / "a", layers=1, vocabulary=16)
    shapes = [w.shape for w in safetensors_numpy.load_file(folder / "a").values()]
    self.assertCountEqual(shapes, [(16, 384), *4 * [(384, 384)], (1536, 384), (384, 1536)])


if __name__ == "__main__":
  absltest.main()
