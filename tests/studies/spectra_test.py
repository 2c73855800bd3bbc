"""Spectra of a small population with a known outlier, and its matrices: each does to a vector what
its module does."""

import dataclasses
import functools
import pathlib
import tempfile

import drawn
import jax
import numpy as np
import tiny_primes
import xarray as xr
from absl.testing import absltest, parameterized
from primelens.lens import results
from primelens.models import checkpoints, indices, transformer
from primelens.studies import spectra
from primelens.studies.primes import spectra as primes_spectra

MEMBERS, LAYERS, WIDTH, HIDDEN, HEADS = 2, 2, 16, 24, 4
SITES = {  # role: where its vectors are, before and after
  "query": ("residual/pre", "attention/query"),
  "key": ("residual/pre", "attention/key"),
  "value": ("residual/pre", "attention/value"),
  "out": ("attention/head", "attention/out"),
  "up": ("residual/mid", "mlp/pre"),
  "down": ("mlp/post", "mlp/out"),
}


def config(**changes) -> indices.Config:
  trunk = indices.one_token_trunk(
    width=WIDTH, layers=LAYERS, heads=HEADS, hidden=HIDDEN, norm="none"
  )
  options = dict(indices=40, head=(20, 4), trunk=trunk)
  return indices.Config(**options | changes)


def random_params(model: indices.Config):
  """Returns params in which no layer or member is like another."""
  start = functools.partial(indices.init, model)
  shapes = jax.eval_shape(start, jax.random.key(0))
  rng = np.random.default_rng(0)
  draw = lambda leaf: np.float32(rng.normal(size=(MEMBERS, *leaf.shape)) / 4)
  return jax.tree.map(draw, shapes)


@functools.cache
def population():
  return random_params(config())


class MatricesTest(parameterized.TestCase):
  def by_name(self, params_S=None):
    found = spectra.matrices_of(params_S or population())
    return {matrix.name: matrix for matrix in found}

  def test_names_in_order(self):
    roles = ("down", "key", "out", "query", "up", "value")
    names = [matrix.name for matrix in spectra.matrices_of(population())]
    blocks = 2 * len(roles)
    self.assertEqual(sorted(names[:blocks]), sorted(f"{r}/{i}" for r in roles for i in (0, 1)))
    self.assertTrue(all(n.endswith("/0") for n in names[: len(roles)]))
    # The head is 16 -> 20 -> 4 -> 1: a side of 4 is too short.
    self.assertCountEqual(names[blocks:], ["embedding", "head/0"])

  def test_shapes_are_outputs_by_inputs(self):
    shapes = {n: m.weight_SxNxD.shape[1:] for n, m in self.by_name().items()}
    for role in ("query", "key", "value", "out"):
      self.assertEqual(shapes[f"{role}/1"], (WIDTH, WIDTH))
    self.assertEqual(shapes["up/0"], (HIDDEN, WIDTH))
    self.assertEqual(shapes["down/0"], (WIDTH, HIDDEN))
    self.assertEqual(shapes["embedding"], (40, WIDTH))
    self.assertEqual(shapes["head/0"], (20, WIDTH))

  def test_roles_and_layers(self):
    for name, matrix in self.by_name().items():
      self.assertLen(matrix.weight_SxNxD, MEMBERS)
      if name in ("embedding", "head/0"):
        self.assertEqual((matrix.role, matrix.layer), (name.split("/")[0], -1))
      else:
        self.assertEqual(f"{matrix.role}/{matrix.layer}", name)

  def test_a_matrix_does_what_its_module_does(self):
    found, trunk = self.by_name(), config().trunk
    x_BxTxD = np.random.default_rng(1).normal(size=(5, 1, WIDTH))
    sites = tuple({site for pair in SITES.values() for site in pair})
    run = jax.jit(functools.partial(transformer.apply, trunk, sites=sites))
    for member in range(MEMBERS):
      params = jax.tree.map(lambda x, s=member: x[s], population())
      record = jax.device_get(run(params, np.float32(x_BxTxD))[1])
      for role, (before, after) in SITES.items():
        part = "mlp" if role in ("up", "down") else "attention"
        for layer in range(LAYERS):
          x_BxN, y_BxN = (
            np.float64(record[site][layer]).reshape(5, -1) for site in (before, after)
          )
          bias = params["blocks"][part][role]["bias"][layer].reshape(-1)
          weight_NxD = found[f"{role}/{layer}"].weight_SxNxD[member]
          np.testing.assert_allclose(x_BxN @ weight_NxD.T + bias, y_BxN, rtol=1e-4, atol=1e-4)

  def test_outside_the_blocks(self):
    found = self.by_name()
    for member in range(MEMBERS):
      params = jax.tree.map(lambda x, s=member: x[s], population())
      np.testing.assert_array_equal(
        found["embedding"].weight_SxNxD[member], params["embedding"]["embedding"]
      )
      np.testing.assert_array_equal(
        found["head/0"].weight_SxNxD[member], params["head"]["0"]["kernel"].T
      )

  def test_rows_of_a_query_are_its_heads_in_turn(self):
    weight_SxNxD = self.by_name()["query/1"].weight_SxNxD
    kernel = population()["blocks"]["attention"]["query"]["kernel"]
    for head in range(HEADS):
      for place in range(WIDTH // HEADS):
        row = head * (WIDTH // HEADS) + place
        np.testing.assert_array_equal(weight_SxNxD[:, row], kernel[:, 1, :, head, place])

  def test_a_short_side_is_left_out(self):
    # A context of three features is embedded by a 16 x 3 matrix.
    params_S = random_params(config(embedding="context", features=3))
    self.assertNotIn("embedding", self.by_name(params_S))

  def test_flows(self):
    trunk = indices.flow_trunk(width=16, layers=2, heads=2, hidden=24)
    model = indices.Config(indices=40, flows=2, head=(4,), trunk=trunk)
    found = self.by_name(random_params(model))
    self.assertEqual(found["embedding"].weight_SxNxD.shape, (MEMBERS, 40, 32))
    self.assertLen(found, 2 * 6 + 1)  # mixers of eight rows are left out


SEEDS = 2


def tiny(draws=40):
  """Returns an untrained population of one layer of width 32."""
  config = tiny_primes.experiment(width=32, heads=4, hidden=48)
  config.analyses.draws = draws
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
    cls.found = primes_spectra.measure(cls.run_)
    results.write(cls.folder.name, "spectra", cls.found, provenance={})
    cls.again, _ = results.read(cls.folder.name, "spectra")
    cls.levels = spectra.levels_page("a", cls.again).figure()

  def of(self, name):
    """Returns the numbers of a matrix, by key, for each member."""
    one = self.found.sel(matrix=name)
    keys = [key for key, each in self.found.data_vars.items() if each.dims == ("matrix", "seed")]
    return [{key: one[key].values[s].item() for key in keys} for s in range(SEEDS)]

  def test_every_matrix_of_every_member(self):
    names = self.found["matrix"].values
    self.assertIn("query/0", names)
    self.assertIn("embedding", names)
    self.assertEqual(self.found["effective_rank"].shape, (len(names), SEEDS))
    for name, each in self.found.data_vars.items():
      self.assertIn("long_name", each.attrs, name)

  def test_the_outlier_is_found_where_it_is(self):
    for row in self.of("value/0"):
      self.assertEqual(row["outliers"], 1)
      self.assertLess(row["max_to_mean_p"], 0.05)
      self.assertLessEqual(row["max_to_mean_p"], row["max_to_mean_p_bh"])
      # Found among all matrices with 40 draws: by `holm` 1 of 20 would take 799.
      self.assertEqual(row["max_to_mean_p_any"], 1 / 41)
      # What was added: one direction of length 4.
      self.assertAlmostEqual(row["moved_effective_rank"], 1, places=4)
    for row in self.of("query/0"):
      self.assertEqual(row["distance"], 0)

  def test_numbers_of_some_matrices_are_absent_elsewhere(self):
    # Two clusters are of queries alone.
    found = self.found["symmetry_quality"]
    self.assertTrue(np.isfinite(found.sel(matrix="query/0")).all())
    self.assertTrue(np.isnan(found.sel(matrix="value/0")).all())
    self.assertEqual(self.found["levels_of"].sel(matrix="value/0").values[0], "symmetrised")

  def test_what_has_no_effect_is_marked(self):
    for role, live in (("query", False), ("key", False), ("value", True)):
      its = spectra.of_matrices(self.found, role=role)
      self.assertEqual(its["live"].values.tolist(), [live])

  def test_curves_over_the_snapshots(self):
    at = self.found["matrix"].values.tolist().index("value/0")
    distance_SxC = self.found["distance_then"].values[..., at]
    np.testing.assert_array_equal(distance_SxC[:, 0], 0)
    weight_SxNxD = spectra.matrices_of(self.start.params_S)[at].weight_SxNxD
    size_S = np.linalg.norm(weight_SxNxD, axis=(1, 2))
    np.testing.assert_allclose(distance_SxC[:, 1], 4 / size_S, rtol=1e-5)
    rank_SxC = self.found["metric_value"].sel(metric="effective_rank").values[..., at]
    singular_SxK = np.linalg.svd(weight_SxNxD, compute_uv=False)
    share_SxK = singular_SxK / singular_SxK.sum(1, keepdims=True)
    entropy_S = -np.sum(share_SxK * np.log(share_SxK), axis=1)
    np.testing.assert_allclose(rank_SxC[:, 0], np.exp(entropy_S), rtol=1e-5)
    self.assertTrue((rank_SxC[:, 1] < rank_SxC[:, 0]).all())

  def test_published_numbers_are_of_the_first_queries(self):
    for name in spectra.AS_PUBLISHED:
      value_WxS = self.found[f"as_published_{name}"].values
      self.assertEqual(value_WxS.shape, (2, SEEDS))
      np.testing.assert_array_equal(value_WxS[0], value_WxS[1])  # untouched here

  def test_stored_read_and_drawn(self):
    xr.testing.assert_identical(self.again, self.found)
    drawn.assert_inside(self, spectra.page("a", self.again).figure())
    drawn.assert_inside(self, self.levels)

  def test_spacings_are_those_of_the_symmetric_part(self):
    query = self.run_.params_S["blocks"]["attention"]["query"]["kernel"][1, 0]  # DxHxDh
    weight_NxN = np.float64(query).reshape(32, 32).T
    level_N = np.linalg.eigvalsh((weight_NxN + weight_NxN.T) / 2)[4:27]
    gap_N = np.diff(level_N) / np.diff(level_N).mean()
    found = self.found["as_published_spacing"].sel(when="end").values[1]
    np.testing.assert_allclose(found, gap_N, rtol=1e-6)

  def test_distance_from_each_law(self):
    spacing_N = np.sort(self.found["as_published_spacing"].sel(when="end").values[0])
    laws = {
      "goe": 1 - np.exp(-np.pi / 4 * spacing_N**2),
      "poisson": 1 - np.exp(-spacing_N),
    }
    rank_N = np.arange(len(spacing_N) + 1) / len(spacing_N)
    for law, cdf_N in laws.items():
      far = max(np.abs(cdf_N - rank_N[1:]).max(), np.abs(cdf_N - rank_N[:-1]).max())
      stored = self.found[f"as_published_ks_{law}"].sel(when="end").values[0]
      self.assertAlmostEqual(stored, far, places=6)
    start, end, law, published, every = [ax for part in self.levels.subfigs for ax in part.axes]
    for axes, when in ((start, "start"), (end, "end")):
      height_B = [bar.get_height() for bar in axes.patches]
      gap_N = self.found["as_published_spacing"].sel(when=when).values.ravel()
      want_B = np.histogram(gap_N, spectra.GAP_EDGES)[0] / gap_N.size * 8
      np.testing.assert_allclose(height_B, want_B)
    # The densities of the laws are drawn bin by bin.
    (goe,) = [line for line in end.lines if line.get_label().startswith("GOE")]
    middle_B = (spectra.GAP_EDGES[1:] + spectra.GAP_EDGES[:-1]) / 2
    density_B = np.pi / 2 * middle_B * np.exp(-np.pi / 4 * middle_B**2)
    np.testing.assert_allclose(goe.get_ydata(), density_B, atol=0.01)
    self.assertEqual([tick.get_text() for tick in law.get_yticklabels()], list(spectra.SHORT))
    self.assertEqual([tick.get_text() for tick in published.get_yticklabels()], ["GOE"])
    names = [tick.get_text() for tick in every.get_yticklabels()]
    rows = spectra.level_table({"a": self.found}).rows
    self.assertEqual(names, [row["matrix"] for row in rows])
    row = rows[names.index("value/0")]
    gue_S = self.found["ks_gue"].sel(matrix="value/0").values
    self.assertAlmostEqual(row["ks_gue"], np.median(gue_S))

  def test_every_matrix_is_a_row(self):
    rows = spectra.table({"a": self.found}).rows
    self.assertLen(rows, SEEDS * self.found.sizes["matrix"])
    self.assertEqual({row["run"] for row in rows}, {"a"})

  def test_attention_ranks_are_shares_of_noise(self):
    its = [m in ("query/0", "key/0", "value/0", "out/0") for m in self.found["matrix"].values]
    value_SxCxE = self.found["metric_value"].sel(metric="effective_rank").values
    share_SxCxE = value_SxCxE / self.found["metric_null"].sel(metric="effective_rank").values
    expected_SxC = share_SxCxE[..., its].mean(-1)
    np.testing.assert_allclose(spectra.attention_ranks(self.found), expected_SxC)

  def test_without_snapshots(self):
    found = primes_spectra.measure(tiny(draws=20))
    self.assertEqual(found["metric_value"].shape[2], 0)
    drawn.assert_inside(self, spectra.page("a", found).figure())
    drawn.assert_inside(self, spectra.over_training({"a": found}).figure())

  def test_every_number_has_a_meaning(self):
    for name in ("moved_outliers_p", "ks_goe_local", "max_to_mean_p_gaussian", "edge"):
      self.assertNotIn("_", spectra.meaning(name))


if __name__ == "__main__":
  absltest.main()
