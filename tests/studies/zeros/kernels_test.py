import dataclasses
import functools
import tempfile

import jax.numpy as jnp
import numpy as np
import scipy.special
import scipy.stats
import tiny_study
from absl.testing import absltest
from primelens.analyses import kernel_fits
from primelens.analyses import kernels as kernels_lib
from primelens.lens import legacy
from primelens.models import binned
from primelens.studies.zeros import kernels

T = 40
D_TxT = np.arange(T)[:, None] - np.arange(T)
# By head: one wave, one decay, one head that looks at nothing.
CONTENT_HxTxT = np.stack([np.cos(0.9 * D_TxT), 2 * np.exp(-0.1 * D_TxT.clip(0)), 0.0 * D_TxT])
POSITION_HxTxT = 0.5 * np.stack([0.0 * D_TxT, np.sin(0.5 * D_TxT), 0 * D_TxT])


def _at_right_angles(value_T):
  """Returns queries and keys whose products are zero.

  (Of tensors that are zero everywhere one call in some returns NaN, compiled by
  jax 0.12.0.1 for CPUs; no network has such.)
  """
  axis_2xDh = jnp.asarray([[1.0, 1.0, 0, 0], [0, 0, 1.0, 1.0]])
  each_2xTxDh = jnp.einsum("t,xd->xtd", value_T, axis_2xDh)
  return jnp.broadcast_to(each_2xTxDh[:, None, None, :, None], (2, 1, 1, len(value_T), 3, 4))


def _planted(params, x_BxT, *, edits=None, sites=()):
  """A network of one layer whose scores are planted functions of distance."""
  del sites
  ones_BxTx1 = jnp.ones((*x_BxT.shape, 1))
  if edits:
    ones_BxTx1 = edits["embed"](ones_BxTx1, None)
  content = ones_BxTx1[0, 0, 0]
  position = params["positions"]["embedding"][0, 0]
  row_T = jnp.sin(jnp.arange(T) * 7.0)  # constants of a row: softmax's own
  score_HxTxT = (
    content * jnp.asarray(CONTENT_HxTxT, jnp.float32)
    + position * jnp.asarray(POSITION_HxTxT, jnp.float32)
    + 30 * row_T[None, :, None]
  )
  # Weights that look at nothing, whatever the scores.
  weight_TxT = jnp.tril(jnp.ones((T, T))) / jnp.arange(1, T + 1)[:, None]
  query, key = _at_right_angles(params["scale"] * x_BxT[0])
  batch = lambda x: jnp.broadcast_to(x[None, None], (1, len(x_BxT), *x.shape))
  return None, {
    "attention/scores": batch(score_HxTxT) * params["scale"],
    "attention/pattern": batch(jnp.broadcast_to(weight_TxT[None], (3, T, T)) * params["share"]),
    "attention/query": query,
    "attention/key": key,
  }


def _params(scale: float, share: float):
  return {
    "positions": {"embedding": jnp.ones((2, T, 4))},
    "scale": jnp.array([scale, 2 * scale]),
    "share": jnp.array([share, share]),
  }


def _model(memory="none", window=T):
  model = tiny_study.tiny_model(memory)
  trunk = dataclasses.replace(model.trunk, max_positions=window + 2)
  return dataclasses.replace(model, window=window, trunk=trunk)


def _centred_means(score_HxTxT):
  """Mean by distance of scores centred over the keys that may be read."""
  found = np.array(score_HxTxT, np.float64)
  for i in range(found.shape[-1]):
    row = found[..., i, : i + 1]
    found[..., i, : i + 1] = row - row.mean(-1, keepdims=True)
  distances = range(1, found.shape[-1])
  diagonal = lambda d: np.diagonal(found, -d, axis1=-2, axis2=-1)
  return np.stack([diagonal(d).mean(-1) for d in distances], axis=-1)


@functools.cache
def _result():
  run = tiny_study.handmade(
    _planted,
    _params(1.0, 1.0),
    tiny_study.ar([-0.4], 6000),
    model=_model(),
    changed={"kernels.published_windows": 12, "kernels.restarts": 6},
    fresh_S=_params(0.0, 1.0),
  )
  return kernels.run(run)


class KernelsTest(absltest.TestCase):
  def test_curves_are_the_planted_ones_centred_in_their_rows(self):
    found = _result().index_VxSxLxHxQ
    content = _centred_means(CONTENT_HxTxT)
    position = _centred_means(POSITION_HxTxT)
    for v, expected in enumerate((content + position, position, content)):
      np.testing.assert_allclose(found[v, 0, 0], expected, atol=1e-4)
      np.testing.assert_allclose(found[v, 1, 0], 2 * expected, atol=1e-4)
    self.assertEqual(kernels.VARIANTS[1], "positions alone")
    np.testing.assert_allclose(_result().untrained_SxLxHxQ, 0, atol=1e-5)

  def test_curves_that_no_window_changes_have_no_interval(self):
    result = _result()
    for end in (result.index_low_SxLxHxQ, result.index_high_SxLxHxQ):
      np.testing.assert_allclose(end, result.index_VxSxLxHxQ[0], atol=1e-4)

  def test_heads_are_recognised(self):
    rows = {(row["network"], row["seed"], row["head"]): row for row in _result().heads}
    self.assertLen(rows, 2 * 2 * 3)
    wave = rows["trained", 0, 0]
    self.assertEqual(wave["aic"], kernel_fits.WAVE)
    self.assertGreater(wave["r2_wave"], 0.95)
    self.assertLess(wave["monotone_r2"], 0.5)
    self.assertAlmostEqual(wave["content_correlation"], 1, places=4)
    self.assertLess(wave["positions_spread"], 1e-5 * wave["spread"])
    mixed = rows["trained", 1, 1]
    self.assertLess(mixed["content_correlation"], 0.999)
    self.assertGreater(mixed["positions_spread"], 0.1 * mixed["spread"])
    self.assertNotIn("content_correlation", rows["untrained", 0, 0])

  def test_the_published_kernel_of_attention_to_nothing_is_uniform(self):
    result = _result()
    trained, untrained, uniform = result.kernel_PxSx59
    np.testing.assert_allclose(trained, uniform, rtol=1e-5)
    np.testing.assert_allclose(untrained, uniform, rtol=1e-5)
    known = np.isfinite(uniform[0])
    np.testing.assert_array_equal(known, result.kernel_count_59 > 5)
    self.assertEqual(result.kernel_count_59.sum(), 12 * 30)
    low, high = result.kernel_low_59[known], result.kernel_high_59[known]
    self.assertTrue((low <= uniform[0][known] + 1e-9).all())
    self.assertTrue((high >= uniform[0][known] - 1e-9).all())
    # The exact curve of the draw, at whole distances.
    d = result.kernel_distance_59[known].round().clip(1, T - 1)
    exact = kernels_lib.uniform_expected(d, T)
    np.testing.assert_allclose(uniform[0][known], exact, rtol=0.25)

  def test_the_kernels_interval_by_hand(self):
    # One bin. Two seeds of equal windows: the means 2 and 4, without any noise.
    distance_NxP = np.full((5, 6), kernels_lib.PUBLISHED_EDGES[:2].mean())
    weight_SxNxP = np.array([2.0, 4.0])[:, None, None] * np.ones((1, 5, 6))
    low, high = (x[0] for x in kernels.kernel_interval(distance_NxP, weight_SxNxP))
    reach = np.tan(0.475 * np.pi)  # t of one degree, times a standard error of 1
    np.testing.assert_allclose((low, high), (3 - reach, 3 + reach))
    # One seed: the windows' own means scatter.
    mean_N = np.array([1.0, 2.0, 4.0, 4.0, 9.0])
    one_1xNxP = np.repeat(mean_N[None, :, None], 6, 2)
    low, high = (x[0] for x in kernels.kernel_interval(distance_NxP, one_1xNxP))
    reach = scipy.stats.t.ppf(0.975, 6) * scipy.stats.sem(mean_N)
    np.testing.assert_allclose((low, high), (4 - reach, 4 + reach))

  def test_fits_of_equal_curves_are_equal(self):
    rows = {(row["network"], row["seed"], row["family"]): row for row in _result().fits}
    families = [*kernel_fits.FAMILIES, kernel_fits.MONOTONE]
    self.assertLen(rows, (2 + 2 + 1) * len(families))
    for family in families:
      uniform = rows["uniform", 0, family]["r2"]
      for network in ("trained", "untrained"):
        self.assertAlmostEqual(rows[network, 1, family]["r2"], uniform, places=3)

  def test_silent_queries_have_the_uniform_flash_kernel(self):
    result = _result()
    self.assertEqual(result.keys, T)
    np.testing.assert_allclose(result.unmasked_SxLxHxQ, 1 / T, rtol=1e-6)
    for row in result.ripples:
      self.assertAlmostEqual(row["peak"], row["uniform"], places=6)
      self.assertLess(abs(row["r2"]), 1)
    self.assertBetween(np.median(result.noise_r2_R), 0.2, 0.6)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "kernels", _result(), provenance={})
    back, _ = legacy.read(folder, "kernels", kernels.Result)
    np.testing.assert_array_equal(back.kernel_PxSx59, _result().kernel_PxSx59)
    np.testing.assert_equal(back.heads, _result().heads)  # for which a NaN is a NaN


def _behind_slots(params, x_BxT, *, edits=None, sites=()):
  """The same network behind two slots whose scores and weights are large."""
  ones_BxTx1 = jnp.ones((len(x_BxT), T + 2, 1))
  if edits:
    ones_BxTx1 = edits["embed"](ones_BxTx1, None)
  slot, content_BxTx1 = ones_BxTx1[0, 0, 0], ones_BxTx1[:, 2:]
  edits = {"embed": lambda ones, layer: content_BxTx1} if edits else None
  _, found = _planted(params, x_BxT, edits=edits, sites=sites)
  both, rows = ((2, 0), (2, 0)), ((0, 0),) * 3
  pad = lambda name: jnp.pad(found[name], (*rows, *both), constant_values=50.0)
  padded = {
    "attention/scores": pad("attention/scores") * slot,
    "attention/pattern": pad("attention/pattern"),
  }
  value_T2 = jnp.pad(params["scale"] * x_BxT[0], (2, 0), constant_values=50.0)
  padded["attention/query"], padded["attention/key"] = _at_right_angles(value_T2)
  return None, padded


class MemoryTest(absltest.TestCase):
  def test_slots_are_neither_edited_nor_among_the_distances(self):
    run = tiny_study.handmade(
      _behind_slots,
      _params(1.0, 1.0),
      tiny_study.ar([-0.4], 6000),
      model=_model("prefix"),
      changed={"kernels.published_windows": 12, "kernels.restarts": 1},
      fresh_S=_params(0.0, 1.0),
    )
    self.assertEqual(kernels.data_rows(run), slice(2, T + 2))
    result, plain = kernels.run(run), _result()
    self.assertEqual(result.keys, T + 2)
    for name in ("index_VxSxLxHxQ", "unfolded_SxLxHxK", "kernel_PxSx59"):
      np.testing.assert_allclose(getattr(result, name), getattr(plain, name), atol=1e-4)
    np.testing.assert_allclose(result.unmasked_SxLxHxQ, 1 / (T + 2), rtol=1e-6)

  def test_softmax_over_all_keys_in_numpy(self):
    rng = np.random.default_rng(0)
    query, key = rng.normal(size=(2, 12, 2, 4))
    expected = scipy.special.softmax(np.einsum("qhd,khd->hqk", query, key) / 2, axis=-1)
    found = kernels_lib.unmasked_as_published(query, key)
    np.testing.assert_allclose(found, expected, atol=1e-6)

  def test_obstacles_are_named(self):
    experiment = tiny_study.get_config()
    self.assertEqual(kernels.obstacle(experiment), "")
    short = dataclasses.replace(experiment.model, window=8)
    experiment = dataclasses.replace(experiment, model=short)
    self.assertIn("windows of 8", kernels.obstacle(experiment))
    experiment = dataclasses.replace(experiment, model=binned.Config(variant="rmt"))
    self.assertIn("segments", kernels.obstacle(experiment))


if __name__ == "__main__":
  absltest.main()
