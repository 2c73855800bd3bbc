"""Geometry: circles and lines by hand, scikit-learn, the published plane."""

import dataclasses
import functools
import tempfile
from unittest import mock

import jax
import numpy as np
import published_text
import tiny_text
from absl.testing import absltest, parameterized
from primelens.analyses import linear
from primelens.lens import claims as claims_lib
from primelens.lens import figures, results
from primelens.models import encoder
from primelens.studies.text import geometry, program
from primelens.tasks import characters

ROWS, WIDTH = 120, 6


def rows(sum_N, angle_N) -> geometry.Rows:
  """Returns rows of which the first two thirds are fitted."""
  fitted_N = np.arange(len(sum_N)) < 2 * len(sum_N) // 3
  nothing = np.zeros((len(sum_N), 0), int)
  return geometry.Rows(nothing, sum_N, angle_N, fitted_N, ~fitted_N, (0.01, 1.0))


class HandMadeTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.rng = np.random.default_rng(0)
    self.sum_N = self.rng.integers(0, 1999, ROWS).astype(float)
    self.angle_N = 2 * np.pi * self.rng.integers(0, 7, ROWS) / 7

  def measured(self, state_NxD, angle_N=None):
    angle_N = self.angle_N if angle_N is None else angle_N
    found = geometry.of_states(state_NxD[None], rows(self.sum_N, angle_N))
    return {name: value_S[0] for name, value_S in found["value"].items()}

  def test_circle(self):
    # Turned and stretched into six dimensions, off centre.
    circle_Nx2 = linear.circle(self.angle_N + 0.4)
    state_NxD = 3 + circle_Nx2 @ self.rng.normal(size=(2, WIDTH))
    found = self.measured(state_NxD)
    for name in ("circularity_r2", "circularity_r2_rows_fitted"):
      self.assertAlmostEqual(found[name], 1, places=6)
    for name in ("fourier_r2", "fourier_r2_rows_fitted"):
      self.assertAlmostEqual(found[name], 1, places=4)

  def test_line(self):
    state_NxD = np.outer(self.sum_N, self.rng.normal(size=WIDTH)) - 40
    found = self.measured(state_NxD)
    for name in ("PC1_r2", "PC1_share", "PC1_correlation_unscaled"):
      self.assertAlmostEqual(found[name], 1, places=6)
    self.assertEqual(found["PC2_r2"], 0)  # nothing is left

  def test_noise_is_no_circle_on_rows_held_out(self):
    state_NxD = self.rng.normal(size=(ROWS, 30))
    found = self.measured(state_NxD)
    self.assertGreater(found["fourier_r2_rows_fitted"], 0.1)
    self.assertGreater(found["circularity_r2_rows_fitted"], 0)
    for name in ("circularity_r2", "fourier_r2"):
      self.assertLess(found[name], 0.02)

  def test_without_residues_there_is_no_circle(self):
    state_NxD = self.rng.normal(size=(ROWS, WIDTH))
    found = self.measured(state_NxD, np.full(ROWS, np.nan))
    self.assertNotIn("circularity_r2", found)
    self.assertIn("PC4_r2", found)


class NumericsTest(absltest.TestCase):
  def test_squared_correlation(self):
    rng = np.random.default_rng(1)
    score_SxNxQ = rng.normal(size=(2, ROWS, 3)) * np.arange(1, 4) + 5
    value_N = rng.normal(size=ROWS) + score_SxNxQ[0, :, 0]
    found = geometry.squared_correlation(score_SxNxQ, value_N)
    for s, q in np.ndindex(found.shape):
      r = np.corrcoef(score_SxNxQ[s, :, q], value_N)[0, 1]
      self.assertAlmostEqual(found[s, q], r**2)

  def test_share_between_kinds(self):
    kind_N = np.array([9, 9, 4, 4])
    # Means 1 and 5 about 3, deviations 1 and 0 within; the rest is closed.
    score_SxN = np.array([[0.0, 2.0, 5.0, 5.0], [1, 1, 7, 7], [2, 2, 2, 2]])
    found_S = geometry.between(score_SxN, kind_N)
    np.testing.assert_allclose(found_S, [4 / 4.5, 1, np.nan])


class PoolingTest(absltest.TestCase):
  def test_filler_is_in_no_pooling(self):
    run = tiny_text.run()
    model = run.experiment.model
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[0], run.params_S)
    short, long = "7 + 8 = ?", "123 + 456 = ?"
    token_2xT = characters.encode([short, long])
    found_2xPxD = jax.jit(functools.partial(geometry.pooled, model))(params, token_2xT)
    alone_1xT = characters.encode([short])
    final_1xTxD, _ = jax.jit(functools.partial(encoder.states, model))(params, alone_1xT)
    state_TxD = np.asarray(final_1xTxD)[0]
    expected_PxD = [state_TxD[-1], state_TxD.mean(0), state_TxD[0]]
    np.testing.assert_allclose(found_2xPxD[0], expected_PxD, atol=1e-5)


class RunTest(parameterized.TestCase):
  @parameterized.parameters("sum", "modk")
  def test_is_stored_and_drawn(self, question):
    config = tiny_text.experiment(question)
    settings = dataclasses.replace(config.analyses, tsne=True)
    run = tiny_text.run(dataclasses.replace(config, analyses=settings))
    with mock.patch.object(geometry, "TSNE_ROWS", 60):
      result = geometry.measure(run)
    self.assertEqual(result.sizes["example"], 200)
    self.assertEqual(result.sizes["embedded"], 60)
    self.assertEqual(np.isfinite(result.tsne_circularity), question == "modk")
    self.assertEmpty(geometry.numbers(result))
    self.assertEqual("fourier_r2" in result.measure.values, question == "modk")
    rows = list(geometry.cells(result))
    for row in rows:
      if row["measure"].endswith("as_published"):
        self.assertEqual(row["rows"], geometry.ALIKE)
        self.assertLess(row["maximum"], -2)
      if row["measure"].endswith("rows_fitted"):
        self.assertEqual(row["rows"], geometry.HELD_OUT)
      self.assertTrue(np.isfinite(row["median"]), row)
    with tempfile.TemporaryDirectory() as folder:
      results.write(folder, "geometry", result, provenance={})
      again, _ = results.read(folder, "geometry")
    self.assertEqual(list(map(repr, geometry.cells(again))), list(map(repr, rows)))
    bare = again.isel(embedded=slice(0))
    pages = geometry.figures({"one": again, "bare": bare})
    self.assertEqual(list(pages), ["one", "bare", "all runs"])
    for drawn in pages.values():
      self.assertStartsWith(figures.png(drawn), b"\x89PNG")
    self.assertLess(len(pages["bare"].rows), len(pages["one"].rows))
    self.assertEqual(list(geometry.figures({"one": bare})), ["one"])
    (table,) = geometry.tables({"one": again, "two": again})
    self.assertLen(table.rows, 2 * len(rows))


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters((0.2, "not reproduced"), (0.9, "reproduced"))
  def test_first_component(self, shared, expected):
    values = {"PC1_r2": shared, "PC1_by_length": 0.98, "PC2_r2": 0.7, "PC1_r2_as_published": -5.8}
    value = np.array([[list(values.values())]] * 2)[..., None]
    variables = {
      "value": results.variable("scored pooling measure seed", value + np.zeros(5), "value"),
      "untrained_value": results.variable(
        "scored pooling measure untrained", 0.2 + 0 * value, "value"
      ),
    }
    scored = [geometry.HELD_OUT, geometry.ALIKE]
    coords = {"scored": scored, "pooling": ["last"], "measure": list(values)}
    card = {"question": "sum", "as_published": True, "seeds": program.SEEDS}
    found = {"run": {"geometry": results.dataset(variables, coords)}}
    (row,) = claims_lib.ledger(
      tuple(geometry.CLAIMS), claims_lib.Results(found, {"run": card})
    ).rows
    self.assertEqual(row["status"], expected, row["because"])
    for words in (
      f"x + y explains {shared:.2f} of PC1's variance and the number of characters 0.98",
      "in untrained networks 0.20 and 0.20; x + y explains 0.70 of PC2's.",
      "PC1's scores have R2 -5.8, in untrained networks 0.2.",
    ):
      self.assertIn(words, row["because"])


class PublishedTest(absltest.TestCase):
  def test_reported_numbers(self):
    run = published_text.run()
    settings = dataclasses.replace(run.settings, untrained=1, probe_rows=400)
    experiment = dataclasses.replace(run.experiment, analyses=settings)
    run = dataclasses.replace(run, experiment=experiment)
    values = geometry.numbers(geometry.measure(run))
    self.assertEqual(set(values), set(geometry.PUBLISHED))
    for key, value in values.items():
      entry = geometry.PUBLISHED[key]
      self.assertAlmostEqual(value.value_S[0], entry.recomputed, delta=entry.tolerance, msg=key)


if __name__ == "__main__":
  absltest.main()
