import dataclasses
import functools
import re
import tempfile

import drawn
import jax.numpy as jnp
import numpy as np
import scipy.special
import scipy.stats
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.analyses import kernels as kernels_lib
from primelens.analyses import statistics
from primelens.lens import results, tables
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
  return kernels.measure(run)


def _records(name, *keys):
  """Returns the records of the result by the values of some columns."""
  return {tuple(row[key] for key in keys): row for row in tables.rows(_result(), name)}


class KernelsTest(absltest.TestCase):
  def test_curves_are_the_planted_ones_centred_in_their_rows(self):
    found = _result()
    content = _centred_means(CONTENT_HxTxT)
    position = _centred_means(POSITION_HxTxT)
    for name, expected in (
      ("score", content + position),
      ("score_positions", position),
      ("score_content", content),
    ):
      np.testing.assert_allclose(found[name][0, 0], expected, atol=1e-4)
      np.testing.assert_allclose(found[name][1, 0], 2 * expected, atol=1e-4)
    self.assertEqual(found.seed.values.tolist(), [3, 4])
    np.testing.assert_array_equal(found.distance, np.arange(1, T))
    np.testing.assert_allclose(found.untrained_score, 0, atol=1e-5)

  def test_curves_that_no_window_changes_have_no_interval(self):
    found = _result()
    for end in results.ENDS:
      np.testing.assert_allclose(found.score_interval.sel(end=end), found.score, atol=1e-4)

  def test_heads_are_recognised(self):
    rows = _records("heads", "network", "seed", "head")
    self.assertLen(rows, 2 * 2 * 3)
    wave = rows["trained", 3, 0]
    self.assertEqual(wave["aic"], kernels_lib.WAVE)
    self.assertGreater(wave["r2_wave"], 0.95)
    self.assertLess(wave["monotone_r2"], 0.5)
    self.assertAlmostEqual(wave["content_correlation"], 1, places=4)
    self.assertLess(wave["positions_spread"], 1e-5 * wave["spread"])
    mixed = rows["trained", 4, 1]
    self.assertLess(mixed["content_correlation"], 0.999)
    self.assertGreater(mixed["positions_spread"], 0.1 * mixed["spread"])
    self.assertTrue(np.isnan(rows["untrained", 3, 0]["content_correlation"]))

  def test_the_published_kernel_of_attention_to_nothing_is_uniform(self):
    result = _result()
    trained, untrained, uniform = result.kernel.values
    np.testing.assert_allclose(trained, uniform, rtol=1e-5)
    np.testing.assert_allclose(untrained, uniform, rtol=1e-5)
    known = np.isfinite(uniform[0])
    np.testing.assert_array_equal(known, result["count"] > 5)
    self.assertEqual(result["count"].sum(), 12 * 30)
    np.testing.assert_allclose(result.mean_kernel, trained.mean(0))
    low, high = (result.mean_kernel_interval.sel(end=end).values[known] for end in results.ENDS)
    self.assertTrue((low <= uniform[0][known] + 1e-9).all())
    self.assertTrue((high >= uniform[0][known] - 1e-9).all())
    # The exact curve of the draw, at whole distances.
    d = result.kernel_distance.values[known].round().clip(1, T - 1)
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
    rows = _records("fits", "network", "seed", "family")
    families = [*kernels_lib.FAMILIES, kernels_lib.MONOTONE]
    self.assertLen(rows, (2 + 2 + 1) * len(families))
    for family in families:
      uniform = rows["uniform", 3, family]["r2"]
      for network in ("trained", "untrained"):
        self.assertAlmostEqual(rows[network, 4, family]["r2"], uniform, places=3)

  def test_silent_queries_have_the_uniform_flash_kernel(self):
    result = _result()
    self.assertEqual(result.all_keys, T)
    np.testing.assert_allclose(result.unmasked, 1 / T, rtol=1e-6)
    for row in tables.rows(result, "ripples"):
      self.assertAlmostEqual(row["peak"], row["uniform"], places=6)
      self.assertLess(abs(row["r2"]), 1)
    self.assertBetween(np.median(result.noise_r2), 0.2, 0.6)

  def test_fits_keep_the_curves_they_describe(self):
    found = _result()
    known = np.isfinite(found.mean_kernel.values)
    distance, curve = found.kernel_distance.values[known], found.kernel.values[0, 0][known]
    row = _records("fits", "network", "seed", "family")["trained", 3, kernels_lib.STRETCHED]
    a, b, e = (row[f"amplitude_{i}"] for i in (1, 2, 3))
    fitted = (a * distance + b) * np.exp(-row["rate_1"] * np.sqrt(distance)) + e
    r2 = 1 - np.sum((curve - fitted) ** 2) / np.sum((curve - curve.mean()) ** 2)
    self.assertAlmostEqual(row["r2"], r2, places=6)
    self.assertTrue(np.isnan(row["rate_2"]))

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "kernels", _result(), provenance={})
    back, _ = results.read(folder, "kernels")
    xr.testing.assert_identical(back, _result())


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
    result, plain = kernels.measure(run), _result()
    self.assertEqual(result.all_keys, T + 2)
    for name in ("score", "score_positions", "score_content", "unfolded", "kernel"):
      np.testing.assert_allclose(result[name], plain[name], atol=1e-4)
    np.testing.assert_allclose(result.unmasked, 1 / (T + 2), rtol=1e-6)

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


# --- claims, figures and tables, on results by hand -----------------------------------------------


def _fits(r2, slope):
  amplitudes = {
    kernels_lib.STRETCHED: {"amplitude_2": 0.03, "amplitude_3": 0.006},
    kernels_lib.MONOTONE: {},
  }
  return [
    {"network": network, "seed": seed, "family": family, "r2": value}
    | {"skill": 0.9, "dip": 0.036, "rate_1": 0.85, "amplitude_1": slope[network], **more}
    for network, value in r2.items()
    for seed in range(1 if network == "uniform" else 2)
    for family, more in amplitudes.items()
  ]


def _head(network, head, score, r2, monotone, family):
  return {
    "network": network,
    "seed": 0,
    "layer": 0,
    "head": head,
    **dict.fromkeys(("aic", "bic", "held_out"), family),
    "r2": r2,
    "skill": 0.8,
    "r2_wave": r2,
    "r2_sinc": r2,
    "r2_stretched": monotone - 0.01,
    "monotone_r2": monotone,
    "monotone_skill": 0.7,
    "physics_score_as_published": score,
    "positions_correlation": 0.25,
    "content_correlation": 0.75,
  }


def _ripple(network, r2, scale=0.102):
  return {"network": network, "r2": r2, "scale": scale, "offset": 0.939} | {
    "wavelength": 2.533,
    "peak": 0.005,
    "uniform": 1 / 264,
    "seed": 0,
    "layer": 1,
    "head": 2,
    "peak_distance": 1,
  }


def by_hand(
  trained=0.98,
  untrained=0.98,
  uniform=0.974,
  slope=0.05,
  uniform_slope=0.024,
  wave=0.9999,
  monotone=0.5,
  sinc2=0.85,
  shift=0.0,
):
  """Two seeds of one layer with two heads; 12 distances."""
  curve = np.linspace(0.03, 0.006, 59)
  scores = np.linspace(1, 0, 12) * np.ones((2, 1, 2, 12))
  near = np.where(np.arange(8) < 3, -1.0, 0.5) * np.ones((2, 1, 2, 8))
  shifted = np.tile(curve, (3, 2, 1)) + shift * np.array([1.0, 0.0, 0.0])[:, None, None]
  by_head, sums = "seed layer head distance", "seed layer head unfolded_distance"
  around = lambda value, by: statistics.Interval(value, value - by, value + by)
  slopes = (slope, uniform_slope, uniform_slope)
  heads = [
    _head("trained", 0, 28.5, wave, monotone, kernels_lib.WAVE),
    _head("trained", 1, 12.0, 0.5, 0.4, "exponential"),
    _head("untrained", 0, 41.25, 0.2, 0.1, kernels_lib.CONSTANT),
  ]
  fits = _fits(
    dict(zip(kernels.NETWORKS, (trained, untrained, uniform), strict=True)),
    dict(zip(kernels.NETWORKS, slopes, strict=True)),
  )
  ripples = [
    _ripple("trained", sinc2),
    _ripple("trained", 0.99, scale=-0.3),
    _ripple("untrained", 0.6),
  ]
  variables = {
    **results.with_interval("score", by_head, around(scores, 0.1), "score"),
    "score_positions": results.variable(by_head, 0.5 * scores, "positions alone"),
    "score_content": results.variable(by_head, 0.4 * scores, "content alone"),
    "untrained_score": results.variable(
      by_head.replace("seed", "untrained"), 0.01 * scores, "untrained"
    ),
    "unfolded": results.variable(sums, near, "score"),
    "untrained_unfolded": results.variable(sums.replace("seed", "untrained"), 0 * near, "score"),
    "kernel": results.variable("attention seed kernel_distance", shifted, "weight"),
    **results.with_interval("mean_kernel", "kernel_distance", around(curve + shift, 0.001), "mean"),
    "count": results.variable("kernel_distance", np.full(59, 20), "pairs"),
    "unmasked": results.variable(by_head, np.full((2, 1, 2, 12), 1 / 264), "weight"),
    "noise_r2": results.variable("draw", np.full(5, 0.32), "R²"),
    **results.rows("heads", heads, kernels.HEADS),
    **results.rows("fits", fits, kernels.FITS),
    **results.rows("ripples", ripples, kernels.RIPPLES),
  }
  coords = {
    "seed": results.variable("seed", [0, 1], "seed"),
    "untrained": results.variable("untrained", [0, 1], "seed"),
    "layer": [0],
    "head": [0, 1],
    "distance": results.variable("distance", np.arange(1, 13), "index distance d"),
    "unfolded_distance": 0.125 + 0.25 * np.arange(8),
    "attention": list(kernels.NETWORKS),
    "kernel_distance": 100 / 59 * (0.5 + np.arange(59)),
  }
  return results.dataset(variables, coords, all_keys=264, windows=55, published_windows=44)


BIG, SMALL = zeros_cards.card(), zeros_cards.card(size=zeros_cards.SMALL)
REPRODUCED, ARTEFACT = "reproduced", "reproduced, but an artefact"
NOT, OPEN, NOT_RUN = "not reproduced", "needs more compute", "not run"


class ClaimsTest(parameterized.TestCase):
  def row(self, claim, card=BIG, **options):
    found = {"kernels": by_hand(**options)}
    return zeros_cards.row(kernels, f"kernels.{claim}", e4=(card, found))

  @parameterized.parameters(
    # Attention to nothing has the family too, whatever the size of a network.
    ("stretched", BIG, {}, ARTEFACT),
    ("stretched", SMALL, {}, ARTEFACT),
    ("stretched", BIG, {"uniform": 0.5}, ARTEFACT),
    ("stretched", BIG, {"uniform": 0.5, "untrained": 0.5}, REPRODUCED),
    ("stretched", BIG, {"trained": 0.6}, NOT),
    ("stretched", BIG, {"trained": np.nan}, NOT),  # a constant curve
    ("repulsion", SMALL, {}, ARTEFACT),
    ("repulsion", BIG, {"uniform_slope": -0.01}, REPRODUCED),
    ("repulsion", BIG, {"slope": -0.01}, NOT),
    # The head that the published score chooses.
    ("physics_head", BIG, {}, REPRODUCED),
    ("physics_head", BIG, {"monotone": 0.995}, ARTEFACT),
    ("physics_head", BIG, {"wave": 0.95}, NOT),
    ("physics_head", BIG, {"wave": np.nan}, NOT),
    ("physics_head", SMALL, {}, OPEN),
    ("flash", BIG, {}, ARTEFACT),
    ("flash", BIG, {"sinc2": 0.5}, NOT),
    ("flash", BIG, {"sinc2": np.nan}, NOT),
    ("flash", SMALL, {}, OPEN),
  )
  def test_status(self, claim, card, options, status):
    row = self.row(claim, card, **options)
    self.assertEqual(row["status"], status, row["because"])
    self.assertTrue(row["because"])

  def test_every_claim_needs_a_run_on_the_published_data(self):
    found = {"kernels": by_hand()}
    other = zeros_cards.card(data="1 spacing of cue")
    told = zeros_cards.card(told=True)
    several = ({}, {"e4": (BIG, {})}, {"cue": (other, found)}, {"bank": (told, found)})
    zeros_cards.assert_not_run(self, kernels, *several)

  def test_the_head_is_that_of_the_highest_score(self):
    row = self.row("physics_head")
    self.assertEqual(row["numbers"]["e4: score"], 28.5)
    self.assertEqual(row["numbers"]["e4: score, untrained"], 41.25)
    self.assertIn("L0.H0 (28.5; untrained heads reach 41.2)", row["because"])

  def test_a_ripple_upside_down_is_no_sinc(self):
    row = self.row("flash")
    self.assertEqual(row["numbers"]["e4: R2"], 0.85)
    ratio = row["numbers"]["e4: highest peak over 1 / keys"]
    self.assertAlmostEqual(ratio, 0.005 * 264)

  def test_scores_at_short_distance_are_shown(self):
    row = self.row("repulsion")
    self.assertAlmostEqual(row["numbers"]["e4: scores below 0.75, trained"], -1.5)
    self.assertEqual(row["numbers"]["e4: scores below 0.75, untrained"], 0)

  def test_a_curve_without_an_r2_counts_as_nothing_or_not_at_all(self):
    self.assertEqual(self.row("stretched", trained=np.nan)["numbers"]["e4: R2, trained"], 0)
    self.assertTrue(np.isnan(self.row("flash", sinc2=np.nan)["numbers"]["e4: R2"]))
    winners = _table("winners", e4=by_hand(wave=np.nan))
    self.assertEqual(winners[0][-1], "0.500")  # of the other head
    flash = _table("flash", e4=by_hand(sinc2=np.nan))
    self.assertEqual(flash[0][4], "0.990")


def _table(name, **runs):
  """Returns the cells of one of the tables."""
  (found,) = (each for each in kernels.tables(runs) if each.name == name)
  return found.cells()


class TablesTest(absltest.TestCase):
  def test_runs_are_compared_by_their_kernels(self):
    runs = {"zeros": by_hand(), "shuffled": by_hand(shift=0.01)}
    (found,) = (each for each in kernels.tables(runs) if each.name == "between")
    self.assertEqual(found.columns(), ["run", "zeros", "shuffled", "untrained", "uniform"])
    spread = np.linspace(0.03, 0.006, 59).std()
    gap = f"{0.01 / spread:.3f}"
    self.assertEqual(found.cells()[0], ["zeros", "0.000", gap, "0.000", "0.000"])
    self.assertEqual(found.cells()[1], ["shuffled", gap, "0.000", gap, gap])

  def test_families_with_their_controls(self):
    rows = _table("family", e0=by_hand())
    self.assertEqual([row[1] for row in rows], list(kernels.NETWORKS))
    self.assertEqual(rows[2][2:4], ["0.974", "0.900"])
    self.assertEqual(rows[0][4], "(0.050 d + 0.030) exp(-0.85 √d) + 0.0060")
    rows = _table("winners", e0=by_hand())
    self.assertEqual(rows[0][:4], ["e0", "trained", "aic", "damped sinusoid 1; exponential 1"])
    rows = _table("published", e0=by_hand())
    self.assertEqual(rows[1][3], "0.9927")
    rows = _table("by_score", e0=by_hand())
    self.assertEqual(rows[0][:3], ["e0", "seed 0, L0.H0", "28.5"])
    self.assertIn("0.32", _table("flash", e0=by_hand())[0])

  def test_no_percentages(self):
    text = "".join(table.html() for table in kernels.tables({"e0": by_hand()}))
    self.assertNotIn("%", re.sub("<[^>]*>", "", text))


class FiguresTest(absltest.TestCase):
  def titles(self, figure):
    return [axes.get_title(loc="left") for part in figure.subfigs for axes in part.axes]

  def test_a_page_of_a_run(self):
    pages = {name: page.figure() for name, page in kernels.figures({"e0": by_hand()}).items()}
    self.assertEqual(set(pages), {"e0"})
    self.assertLen(self.titles(pages["e0"]), 6)
    self.assertTrue(all(self.titles(pages["e0"])))
    drawn.assert_inside(self, pages["e0"])

  def test_runs_are_compared(self):
    pages = kernels.figures({"zeros": by_hand(), "shuffled": by_hand(np.nan, shift=0.01)})
    self.assertEqual(set(pages), {"all runs", "zeros", "shuffled"})
    drawn.assert_inside(self, pages["all runs"].figure())


if __name__ == "__main__":
  absltest.main()
