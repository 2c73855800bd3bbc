"""Populations on several devices: eight simulated ones in a child process."""

import dataclasses
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tiny_fit
from absl.testing import absltest, parameterized


class DevicesTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    options = {
      "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8",
      "JAX_PLATFORMS": "cpu",
      "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # compiling takes all the time
      "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    subprocess.run(
      [sys.executable, tiny_fit.__file__, "devices", folder],
      env=os.environ | options,
      check=True,
      timeout=300,
    )
    cls.found = dict(np.load(folder / "params.npz"))
    config = dataclasses.replace(tiny_fit.CONFIG, seeds=3, steps=10)
    outcome = tiny_fit.run(config, folder / "here")
    cls.here = tiny_fit.named(outcome.state_S.params)

  @parameterized.parameters((8, (8, 1)), (2, (2, 4)))
  def test_mesh_splits_seeds_first_and_the_batch_with_the_rest(self, seeds, mesh):
    self.assertEqual(self.found["devices"], 8)
    self.assertEqual(tuple(self.found[f"{seeds}/mesh"]), mesh)
    held = self.found[f"{seeds}/held"]  # a device holds seeds / mesh[0]
    self.assertEqual(held[0], seeds // mesh[0])

  @parameterized.parameters(8, 2)
  def test_same_seeds_as_on_one_device_after_a_resume(self, seeds):
    np.testing.assert_array_equal(self.found[f"{seeds}/stops"], [5, 10])
    common = min(seeds, 3)
    for name, leaf_S in self.here.items():
      got_S = self.found[f"{seeds}/params/{name}"]
      self.assertEqual(got_S.shape, (seeds, *leaf_S.shape[1:]))
      np.testing.assert_allclose(got_S[:common], leaf_S[:common], atol=1e-5, err_msg=name)


if __name__ == "__main__":
  absltest.main()
