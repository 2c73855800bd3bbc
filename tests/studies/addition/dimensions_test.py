"""Ranks of a network made by hand and of the reference network, with known answers."""

import tempfile

import adder
import drawn
import jax
import numpy as np
import xarray as xr
from absl.testing import absltest
from primelens.lens import numbers as numbers_lib
from primelens.lens import results
from primelens.studies.addition import dimensions, network, program

N = 36


class RanksTest(absltest.TestCase):
  def test_shares_and_dimensions(self):
    wave_N = np.where(np.arange(N) % 2, 1.0, -1.0)
    slow_N = np.where(np.arange(N) % 4 < 2, 1.0, -1.0)
    x_5, y_5 = np.eye(5)[:2]
    pre_NxF = 3 + np.outer(wave_N, np.sqrt(3) * x_5) + np.outer(slow_N, y_5)
    logit_NxV = np.ones((N, 4)) * 2 + np.outer(wave_N, [1, -1, 0, 0])
    noise = lambda *shape: np.random.default_rng(2).normal(size=shape)
    arrays = {
      "embedding_PxD": noise(6, 8),
      "readout_VxF": noise(4, 5),
      "unembed_DxV": noise(8, 4),
      "bias_V": np.zeros(4),
      "mid_NxD": noise(N, 8),
      "pre_NxF": pre_NxF,
      "post_NxF": noise(N, 5),
      "logit_NxV": logit_NxV,
      "pattern_NxHxT": noise(N, 1, 3),
    }
    read = network.Network(**{k: np.asarray(v, np.float32) for k, v in arrays.items()})
    up_DxF = np.zeros((8, 5))
    up_DxF[[3, 4], [0, 1]] = 4.0, 0.5
    params = {"blocks": {"mlp": {"up": {"kernel": up_DxF[None]}}}}
    found = jax.jit(dimensions.ranks)(params, read)
    at = list(dimensions.SPACES).index
    share_PxR = np.asarray(found["share_PxR"])
    np.testing.assert_allclose(share_PxR[at("pre"), :3], [0.75, 0.25, 0], atol=1e-6)
    np.testing.assert_allclose(share_PxR[at("logit"), :2], [1, 0], atol=1e-6)
    # Squares: 16 of the constant and 2 of the wave, per input.
    np.testing.assert_allclose(share_PxR[at("logit_uncentred"), :2], [16 / 18, 2 / 18], atol=1e-6)
    dimensions_P = np.asarray(found["dimensions_P"])
    self.assertEqual(dimensions_P[at("pre")], 2)
    self.assertEqual(dimensions_P[at("logit")], 1)
    np.testing.assert_allclose(found["up_R"][:3], [4, 0.5, 0], atol=1e-6)


class ReferenceTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.found = dimensions.measure(adder.trained())

  def test_numbers_agree_or_drift(self):
    """As those of `polynomial_test`: twelve trainings of the same network have a range."""
    self.assertLen(dimensions.PUBLISHED, 24)
    own = dimensions.numbers(self.found)
    rows = [
      {"key": key} | numbers_lib.row(entry, *own[key], self.found.reference)
      for key, entry in dimensions.PUBLISHED.items()
    ]
    self.assertEqual(adder.unexplained("dimensions", rows), [])

  def test_numbers_are_those_that_were_published(self):
    self.assertEqual(set(dimensions.numbers(self.found)), set(dimensions.PUBLISHED))

  def test_singular_values_of_the_input_weights_equal_numpy(self):
    up_SxDxF = np.asarray(adder.trained().params_S["blocks"]["mlp"]["up"]["kernel"])[:, 0]
    want_SxR = np.linalg.svd(np.float64(up_SxDxF), compute_uv=False)[:, : dimensions.COMPONENTS]
    found = self.found.up_value.sel(network="trained").values
    np.testing.assert_allclose(found, want_SxR, rtol=1e-4)

  def test_result_is_stored_and_read(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "dimensions", self.found, provenance={})
    again, _ = results.read(folder, "dimensions")
    xr.testing.assert_identical(again, self.found)

  def test_figures_and_table(self):
    control = self.found.assign_attrs(population=f"P = 10, {program.NO_DECAY}", reference=-1)
    pages = dimensions.figures({"own": self.found, "no_decay": control})
    self.assertEqual(set(pages), {"own", "all runs"})
    pages |= dimensions.figures({"one seed": self.found.isel(seed=slice(0, 1))})
    made = {name: page.figure() for name, page in pages.items()}
    for figure in made.values():
      drawn.assert_inside(self, figure)
    figure = made["own"]
    panels = [ax for part in figure.subfigs for ax in part.axes if ax.get_title(loc="left")]
    self.assertLen(panels, len(dimensions.SPACES) + 1)
    for axes, space in zip(panels, dimensions.SPACES, strict=False):
      one = self.found.sel(space=space)
      (line,) = [line for line in axes.lines if line.get_label() == "untrained"]
      share_R = one.share.sel(network="untrained").clip(min=1e-6).median("seed").values
      np.testing.assert_allclose(line.get_ydata(), share_R)
      count = one.dimensions.sel(network="trained").median().item()
      self.assertIn(f"{count:g} dimensions", axes.get_title(loc="left"))
    (table,) = dimensions.tables({"own": self.found, "no_decay": control})
    self.assertEqual({row["run"] for row in table.rows}, {"own"})
    self.assertEqual([row["activations"] for row in table.rows], list(dimensions.SPACES.values()))
    own = self.found.dimensions.sel(network="trained", space="pre").values
    self.assertEqual(table.rows[1]["dimensions, the source's network"], own[0])


if __name__ == "__main__":
  absltest.main()
