import tempfile

import drawn
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.analyses import ablation, statistics
from primelens.lens import figures, results
from primelens.models import spacing, transformer
from primelens.studies.zeros import heads, scoring

T, CONTEXT = tiny_study.T, 8
L, H, DH = 2, 2, 2
ZERO, MEAN, SLICE = range(3)
LOW, HIGH = range(2)
PHI, SCALE = 0.7, 0.2


def one_head(params, x_BxT, *, edits=None, sites=()):
  """A model in which only head 0 of layer 1 matters.

  Its output is (s, s) at each position and its projection writes the first
  number to channel 3 of the residual, which is in the slice of head 1. All
  other heads say something too, but write nothing. The mean is
  1 + gain (channel 3 - 1).
  """
  edits = edits or {}
  projection_HxDhxD = jnp.zeros((H, DH, H * DH)).at[0, 0, 3].set(1.0)
  record, stream_BxTxD = [], 0.0
  for layer in range(L):
    head_BxTxHxDh = jnp.broadcast_to(x_BxT[..., None, None], (*x_BxT.shape, H, DH))
    record.append(head_BxTxHxDh)
    edit = edits.get("attention/head", lambda x, _: x)
    head_BxTxHxDh = edit(head_BxTxHxDh, layer)
    out_BxTxD = jnp.einsum("bthd,hde->bte", head_BxTxHxDh, layer * projection_HxDhxD)
    out_BxTxD = edits.get("attention/out", lambda x, _: x)(out_BxTxD, layer)
    stream_BxTxD = stream_BxTxD + out_BxTxD
  mean_BxT = 1 + params["gain"] * (stream_BxTxD[..., 3] - 1)
  activations = {"attention/head": jnp.stack(record)} if sites else {}
  return tiny_study.gaussian(mean_BxT, SCALE), activations


class RemovalsTest(absltest.TestCase):
  def test_layout(self):
    rows = ablation.removals(2, 3)
    count_R = [0, 1, 2, 3, 4, 5, 6]
    self.assertLen(rows["count"], 1 + 3 * 6 + 2 * 7)
    ones_2x3 = np.ones((2, 3))
    for r, (layer, head) in enumerate(np.ndindex(2, 3)):
      without_2x3 = ones_2x3.copy()
      without_2x3[layer, head] = 0
      for mode in (ZERO, MEAN, SLICE):
        at = 1 + 6 * mode + r
        changed, kept = ("keep_LxH", "slice_LxH")[:: -1 if mode == SLICE else 1]
        np.testing.assert_array_equal(rows[changed][at], without_2x3)
        np.testing.assert_array_equal(rows[kept][at], ones_2x3)
        self.assertEqual(rows["use_mean"][at], mode == MEAN)
        self.assertEqual(rows["count"][at], 0)
    joint = slice(19, None)
    np.testing.assert_array_equal(rows["count"][joint], count_R + count_R)
    np.testing.assert_array_equal(rows["use_mean"][joint], [0] * 7 + [1] * 7)
    for name in ("keep_LxH", "slice_LxH"):
      self.assertTrue((rows[name][joint] == 1).all())
      self.assertTrue((rows[name][0] == 1).all())

  def test_joint_counts_of_many_heads(self):
    count_R = ablation.removal_counts(48)
    self.assertEqual((count_R[0], count_R[-1], len(count_R)), (0, 48, 17))
    self.assertTrue((np.diff(count_R) == 3).all())


class OneHeadTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    value_N = tiny_study.ar([PHI], 2000, scale=SCALE)
    cls.run_ = tiny_study.handmade(
      one_head,
      {"gain": jnp.array([PHI, 0.5 * PHI])},
      value_N,
      fresh_S={"gain": jnp.zeros(2)},
      changed={"heads.windows": 20, "bootstrap.samples": 200},
    )
    cls.found = heads.measure(cls.run_)
    cls.test_NxT1, _ = cls.run_.batches("test", 20)
    select_NxT1, _ = cls.run_.batches("select", 20)
    cls.mean = select_NxT1[:, :T].astype(np.float64).mean()

  def _nll(self, gain, instead=None):
    """The NLL when what the head says is replaced by a number, or is not."""
    seen_NxU = self.test_NxT1[:, CONTEXT - 1 : T].astype(np.float64)
    seen_NxU = seen_NxU if instead is None else instead
    error_NxU = self.test_NxT1[:, CONTEXT:] - 1 - gain * (seen_NxU - 1)
    return tiny_study.normal_nll(error_NxU, SCALE).mean()

  def test_only_the_one_head_matters(self):
    delta_VxSxLxH = self.found.delta.values
    self.assertEqual(delta_VxSxLxH.shape, (3, 2, L, H))
    for s, gain in enumerate((PHI, 0.5 * PHI)):
      intact = self._nll(gain)
      self.assertAlmostEqual(float(self.found.intact_nll[s]), intact, places=5)
      expected_VxLxH = np.zeros((3, L, H))
      expected_VxLxH[ZERO, 1, 0] = self._nll(gain, 0.0) - intact
      expected_VxLxH[MEAN, 1, 0] = self._nll(gain, self.mean) - intact
      # The published slice blames head 1, which writes nothing.
      expected_VxLxH[SLICE, 1, 1] = self._nll(gain, 0.0) - intact
      self.assertGreater(expected_VxLxH.max(axis=(1, 2)).min(), 0.1)
      np.testing.assert_allclose(delta_VxSxLxH[:, s], expected_VxLxH, rtol=1e-4, atol=1e-5)

  def test_intervals(self):
    delta_VxSxLxH = self.found.delta.values
    mean_VxLxH = self.found.mean_delta.values
    np.testing.assert_array_equal(mean_VxLxH, delta_VxSxLxH.mean(1))
    low_VxLxH, high_VxLxH = np.moveaxis(self.found.mean_delta_interval.values, -1, 0)
    self.assertTrue((low_VxLxH <= mean_VxLxH + 1e-9).all())
    self.assertTrue((high_VxLxH >= mean_VxLxH - 1e-9).all())
    # Two seeds: at least t = tan(0.475 pi) times half their distance.
    seeds = np.tan(0.475 * np.pi) * np.ptp(delta_VxSxLxH[ZERO, :, 1, 0]) / 2
    reach = high_VxLxH[ZERO, 1, 0] - mean_VxLxH[ZERO, 1, 0]
    self.assertBetween(reach, seeds, 1.05 * seeds)
    width_LxH = (high_VxLxH - low_VxLxH)[ZERO]
    np.testing.assert_array_equal(width_LxH > 1e-6, [[0, 0], [1, 0]])

  def test_the_published_slice_is_not_the_head_in_each_network(self):
    # The slice blames head 1 for what removing head 0 costs: apart in both.
    low_SxLxH, high_SxLxH = np.moveaxis(self.found.slice_gap_interval.values, -1, 0)
    np.testing.assert_array_equal(low_SxLxH > 0.01, [[[0, 0], [0, 1]]] * 2)
    np.testing.assert_array_equal(high_SxLxH < -0.01, [[[0, 0], [1, 0]]] * 2)
    np.testing.assert_allclose(low_SxLxH[:, 0], 0, atol=1e-6)
    zero, _, published = self.found.delta.values
    np.testing.assert_allclose(self.found.slice_gap, published - zero, atol=1e-9)

  def test_joint_removal_takes_the_cheapest_first(self):
    found = self.found
    np.testing.assert_array_equal(found.removed, range(L * H + 1))
    rank_SxLxH = found.rank_on_select.values
    np.testing.assert_array_equal(rank_SxLxH[:, 1, 0], 3)
    for ranks_LxH in rank_SxLxH:
      np.testing.assert_array_equal(np.sort(ranks_LxH.ravel()), range(L * H))
    joint_PxSxR = found.joint.values
    np.testing.assert_allclose(joint_PxSxR[..., :4], 0, atol=1e-5)
    np.testing.assert_allclose(
      joint_PxSxR[..., 4], found.delta.values[[ZERO, MEAN], :, 1, 0], rtol=1e-5
    )
    np.testing.assert_allclose(found.mean_joint, joint_PxSxR.mean(1))
    np.testing.assert_allclose(
      found.mean_joint_interval.values[:, 4, LOW],
      found.mean_delta_interval.values[[ZERO, MEAN], 1, 0, LOW],
      rtol=1e-4,
    )

  def test_untrained_networks_are_the_null(self):
    null_VxSxLxH = self.found.untrained_delta.values
    self.assertEqual(null_VxSxLxH.shape, (3, 2, L, H))
    np.testing.assert_allclose(null_VxSxLxH, 0, atol=1e-6)  # gain 0

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "heads", self.found, provenance={})
    back, _ = results.read(folder, "heads")
    xr.testing.assert_identical(back, self.found)


class TransformerTest(absltest.TestCase):
  """The edits of the analysis against head removal by weights."""

  def test_zero_equals_the_output_kernel_without_the_head(self):
    model = tiny_study.tiny_model()
    model.trunk.init_std = 0.5
    keys_S = jax.random.split(jax.random.key(0), 2)
    params_S = jax.jit(jax.vmap(lambda key: spacing.init(model, key)))(keys_S)
    apply_fn = spacing.bind(model)
    run = tiny_study.handmade(apply_fn, params_S, tiny_study.ar([PHI], 600), model=model)
    rows = ablation.removals(L, H)
    test_NxT1, _ = run.batches("test", 3)
    bundle_S = {
      "params": params_S,
      "mean_LxHxDh": np.zeros((2, L, H, 4), np.float32),
      "rank_LxH": np.zeros((2, L, H), np.int32),
    }
    some = {name: row[: 1 + L * H] for name, row in rows.items()}
    nll_SxRxN = scoring.head_sweep(run, bundle_S, some, test_NxT1)

    @jax.jit
    def by_weights(params, keep_LxH):
      params = ablation.heads(params, keep_LxH, kernels=transformer.HEAD_OUTPUTS)
      return spacing.score(apply_fn, params, test_NxT1, min_context=CONTEXT)

    for s in range(2):
      params = jax.tree.map(lambda leaf, s=s: np.asarray(leaf)[s], params_S)
      for r, keep_LxH in enumerate(np.asarray(some["keep_LxH"])):
        expected_N = np.asarray(by_weights(params, keep_LxH)).mean(-1)
        np.testing.assert_allclose(nll_SxRxN[s, r], expected_N, rtol=1e-5)
    apart_SxRxN = np.abs(nll_SxRxN[:, 1:] - nll_SxRxN[:, :1])
    self.assertGreater(apart_SxRxN.max(), 1e-3)


def made(delta, gap, joint, removed, *, untrained=None, reach=0.01, joint_reach=0.005):
  """A result of these changes VxSxLxH and PxSxR; intervals reach so far to either side."""
  delta, joint = np.asarray(delta, float), np.asarray(joint, float)
  _, seeds, layers, count = delta.shape
  around = lambda value, by: statistics.Interval(value, value - by, value + by)
  variables = {
    "delta": results.variable("removal seed layer head", delta, heads.CHANGE, heads.NATS),
    **results.with_interval(
      "mean_delta", "removal layer head", around(delta.mean(1), reach), heads.CHANGE, heads.NATS
    ),
    **results.with_interval("slice_gap", "seed layer head", gap, "gap", heads.NATS),
    "untrained_delta": results.variable(
      "removal untrained layer head",
      0.01 * delta if untrained is None else untrained,
      heads.CHANGE,
      heads.NATS,
    ),
    "joint": results.variable("fill seed removed", joint, heads.CHANGE, heads.NATS),
    **results.with_interval(
      "mean_joint", "fill removed", around(joint.mean(1), joint_reach), heads.CHANGE, heads.NATS
    ),
    "rank_on_select": results.variable("seed layer head", np.zeros(delta.shape[1:], int), "rank"),
    "intact_nll": results.variable("seed", np.linspace(0.24, 0.26, seeds), "NLL", heads.NATS),
  }
  coords = {
    "removal": list(heads.REMOVALS),
    "fill": list(heads.FILLS),
    "seed": np.arange(seeds),
    "untrained": np.arange(seeds),
    "layer": np.arange(layers),
    "head": np.arange(count),
    "removed": results.variable("removed", removed, "heads removed together"),
  }
  return results.dataset(variables, coords, windows=55, top=3)


def by_hand(middle=0.01, joint=0.5, apart=True, layers=6, seeds=5):
  """A result of layers x 8 heads; layers 1 and 2 change the NLL by `middle`.

  `joint` is what removing many heads together costs; `apart` says whether the
  published slices and the removals differ by more than their noise.
  """
  delta = np.full((3, seeds, layers, 8), 0.02)
  delta[:, :, 1:3] = middle
  delta[0] += 0.001 * np.arange(8)
  delta[2] += 0.1 if apart else 0.0
  count_R = np.arange(0, layers * 8 + 1, 3)
  joint_R = np.where(count_R >= 3 * layers * 8 // 4 - 3, joint, 0.0)
  gap = delta[2] - delta[0]
  interval = statistics.Interval(gap, gap - 0.05, gap + 0.05)
  return made(delta, interval, np.tile(joint_R, (2, seeds, 1)), count_R)


REPRODUCED, NOT = "reproduced", "not reproduced"
OPEN, NOT_RUN = "needs more compute", "not run"
E4, SMALL = zeros_cards.card(), zeros_cards.card(size=zeros_cards.SMALL)
FEW, E0 = zeros_cards.card(seeds=3), zeros_cards.card("none")


class ClaimsTest(parameterized.TestCase):
  def row(self, claim, card, **changed):
    runs = {"e4": (card, {"heads": by_hand(**changed)})}
    return zeros_cards.row(heads, f"heads.{claim}", **runs)

  @parameterized.parameters(
    # The published hook removes no head.
    ("method", E4, {}, NOT),
    ("method", SMALL, {}, NOT),
    ("method", E0, {}, NOT),
    ("method", E4, {"apart": False}, OPEN),
    # A core of 13 heads.
    ("core", E4, {"joint": 0.5}, NOT),
    ("core", E4, {"joint": 0.0}, REPRODUCED),
    ("core", SMALL, {"joint": 0.0}, OPEN),
    ("core", FEW, {"joint": 0.0}, OPEN),
    ("core", E0, {"joint": 0.0}, NOT_RUN),
    ("noise_layers", E4, {"middle": -0.05}, REPRODUCED),
    ("noise_layers", E4, {"middle": 0.01}, NOT),
    ("noise_layers", SMALL, {"middle": -0.05}, OPEN),
    ("noise_layers", E4, {"layers": 1}, NOT_RUN),
    ("noise_layers", E0, {"middle": -0.05}, NOT_RUN),
    # Other data, and networks that read their targets, decide nothing.
    ("method", zeros_cards.card(data="something else"), {}, NOT_RUN),
    ("core", zeros_cards.card(told=True), {}, NOT_RUN),
  )
  def test_status(self, claim, card, changed, status):
    row = self.row(claim, card, **changed)
    self.assertEqual(row["status"], status, row["because"])
    self.assertTrue(row["because"])

  def test_numbers_behind_the_core(self):
    row = self.row("core", E4, joint=0.5)
    # 13 of 48 are said to suffice; the grid has 36 of the other 35.
    self.assertEqual(row["numbers"]["e4: heads removed together"], 36)
    self.assertAlmostEqual(row["numbers"]["e4: change of NLL"], 0.5)
    self.assertEqual(
      row["because"],
      "e4: removing the 36 of 48 heads that cost least on select changes the test NLL by +0.5000"
      " nats [+0.4950, +0.5050]. Head indices do not carry over seeds.",
    )
    small = self.row("core", SMALL, joint=0.5)
    said = "No run of the published size with 5 seeds is at hand. What the small models say: "
    self.assertEqual(small["because"], said + row["because"])

  def test_correlation_of_the_two_removals(self):
    found = by_hand()
    zero, _, published = found.delta.mean("seed").values
    expected = np.corrcoef(zero.ravel(), published.ravel())[0, 1]
    row = self.row("method", E4)
    self.assertAlmostEqual(row["numbers"]["e4: correlation"], expected)
    count = found.sizes["seed"] * 6 * 8
    self.assertEqual(row["numbers"]["e4: heads whose two effects differ"], count)
    self.assertIn(f"for {count} of {count} heads of 5 networks they differ", row["because"])

  def test_what_was_reported(self):
    reported = [claim.reported for claim in heads.CLAIMS]
    self.assertEqual(
      reported,
      [
        "48 'head' effects, L0.H3 +0.1235 nats",
        "L0.H3 +0.1235, L0.H2 +0.0748, L0.H5 +0.0370 nats; never jointly removed",
        "L2 slices down to -0.0604 nats",
      ],
    )
    # The study also gives the losses themselves, after removal.
    for layer, head, loss in ((0, 3, 0.23959), (0, 5, 0.15314), (2, 1, 0.05568)):
      change = loss - heads.BASELINE
      self.assertAlmostEqual(heads.NATS_LxH[layer][head], change, delta=1e-4)


def small(seeds=2, layers=2, count=4, removals=3):
  """A small result as figures and tables show it."""
  single = np.linspace(-0.1, 2.0, 3 * seeds * layers * count).reshape(3, seeds, layers, count)
  gap = single[2] - single[0]
  interval = statistics.Interval(gap, gap - 0.01, gap + 0.01)
  removed = np.arange(removals)
  joint = np.ones((2, seeds, removals))  # to zero and to the mean
  return made(single, interval, joint, removed, untrained=0.001 * single, joint_reach=0.5)


class ShownTest(absltest.TestCase):
  def pages(self, **runs):
    return {name: page.figure() for name, page in heads.figures(runs).items()}

  def texts(self, found):
    return [text.get_text() for text in self.pages(e0=found)["e0"].findobj(matplotlib.text.Text)]

  def test_figures(self):
    self.assertEqual(set(heads.figures({"e0": small()})), {"e0"})
    least = small(seeds=1, layers=1, count=1, removals=1)
    pages = self.pages(e0=small(), e4=by_hand(), least=least)
    self.assertEqual(set(pages), {"all runs", "e0", "e4", "least"})
    self.assertStartsWith(figures.png(pages["e0"]), b"\x89PNG")
    for figure in pages.values():
      drawn.assert_inside(self, figure)
    maps = [axes for axes in pages["all runs"].findobj(matplotlib.axes.Axes) if axes.images]
    self.assertLen(maps, 3)  # of three runs, on one scale
    self.assertLen({image.get_clim() for axes in maps for image in axes.images}, 1)
    np.testing.assert_allclose(maps[1].images[0].get_array(), by_hand().mean_delta[0])
    for axes in pages["e0"].findobj(matplotlib.axes.Axes):
      if axes.get_title(loc="left") and not axes.images:
        self.assertIn("nats", axes.get_xlabel() + axes.get_ylabel())

  def test_maps_have_numbers_and_stars_where_the_interval_excludes_zero(self):
    found = small()
    found.mean_delta_interval[0, 0, 0, LOW] = -9.0
    texts, mean = self.texts(found), found.mean_delta.values
    self.assertIn(f"{mean[0, 0, 1]:+.4f}*", texts)
    self.assertIn(f"{mean[0, 0, 0]:+.4f}", texts)
    self.assertNotIn(f"{mean[0, 0, 0]:+.4f}*", texts)

  def test_maps_share_a_scale_centred_on_zero(self):
    figure = self.pages(e0=small())["e0"]
    maps = [axes for axes in figure.findobj(matplotlib.axes.Axes) if axes.images]
    self.assertLen(maps, 3)
    ((low, high),) = {image.get_clim() for axes in maps for image in axes.images}
    self.assertEqual(low, -high)

  def test_large_maps_are_drawn_without_numbers(self):
    texts = self.texts(small(layers=9, count=8))
    self.assertFalse([text for text in texts if text.endswith("*")])

  def test_tables(self):
    single, costliest, joint, published = heads.tables({"e0": small()})
    order = np.argsort(-small().mean_delta.sel(removal="zero").values.ravel())[:3]
    names = [f"L{e // 4}.H{e % 4}" for e in order]
    self.assertEqual([row["head"] for row in costliest.rows], names)
    self.assertEqual([row["place"] for row in costliest.rows], [1, 2, 3])
    want = small().mean_delta.sel(removal="zero").values
    first = dict(zip(single.columns(), single.cells()[0], strict=True))
    self.assertEqual(first["costliest head"], "L1.H3")
    self.assertStartsWith(first["change"], f"{want[1, 3]:+.4f} [")
    self.assertEqual(first["heads with intervals clear of 0"], "8 of 8")
    self.assertIn("on 55 windows", single.caption)
    self.assertEqual(
      joint.cells()[0], ["e0", "0", "+1.0000 [+0.5000, +1.5000]", "+1.0000 [+0.5000, +1.5000]"]
    )
    self.assertLen(published.rows, 6)
    self.assertEqual(published.cells()[0][4], "+0.1235")


if __name__ == "__main__":
  absltest.main()
