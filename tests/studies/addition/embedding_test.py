"""The embedding: components of the reference network, what is drawn, and the claim on the arc."""

import dataclasses
import tempfile
from pathlib import Path

import adder
import adder_cards
import drawn
import numpy as np
from absl.testing import absltest
from primelens.lens import figures, results
from primelens.lens import numbers as numbers_lib
from primelens.models import checkpoints
from primelens.studies.addition import embedding


class RunTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    run = adder.trained()
    workdir = Path(tempfile.mkdtemp())
    for step, params_S in {100: run.untrained_S(), 10_000: run.params_S}.items():
      checkpoints.write_snapshot(workdir / "snapshots", step, params_S)
    cls.found = embedding.measure(dataclasses.replace(run, workdir=workdir))

  def test_the_recomputed_numbers_of_the_reference_network(self):
    own = embedding.numbers(self.found)
    self.assertEqual(set(own), set(embedding.PUBLISHED))
    rows = [
      {"key": key} | numbers_lib.row(entry, *own[key], self.found.reference)
      for key, entry in embedding.PUBLISHED.items()
    ]
    self.assertEqual(adder.unexplained("embedding", rows), [])
    self.assertGreater(sum(row["agrees"] for row in rows), 3)

  def test_over_training_ends_where_the_components_are(self):
    plane_CxPx2 = self.found["plane"].values
    score_PxQ = self.found["score"].values[self.found.reference]
    np.testing.assert_allclose(plane_CxPx2[-1], score_PxQ[:, :2], atol=1e-4)
    self.assertLess(np.abs(plane_CxPx2[0]).max(), 1)

  def test_shares_are_those_of_the_vectors(self):
    vector_PxD = np.asarray(self.found["vector"].values, np.float64)
    value_Q = np.linalg.svd(vector_PxD - vector_PxD.mean(0), compute_uv=False)
    share_R = self.found["share"].sel(network="trained").values[0]
    np.testing.assert_allclose(share_R[:4], (value_Q**2 / np.sum(value_Q**2))[:4], atol=1e-5)
    # The second network was never trained.
    trained_R, untrained_R = self.found["share"].isel(seed=1).values
    np.testing.assert_allclose(trained_R, untrained_R, atol=1e-6)

  def test_is_stored_and_drawn(self):
    with tempfile.TemporaryDirectory() as folder:
      results.write(folder, "embedding", self.found, provenance={})
      stored, _ = results.read(folder, "embedding")
    self.assertTrue(stored.identical(self.found))
    without = stored.isel(step=slice(0))
    for found in (stored, without, stored.isel(seed=[0])):
      pages = embedding.figures({"run": found})
      self.assertEqual(list(pages), ["run", "run, vectors"])
      for page in pages.values():
        drawn.assert_inside(self, page.figure())

  def test_three_components_and_the_vectors_are_drawn(self):
    made = drawn.Made(embedding.figures({"run": self.found.isel(seed=[0])}))
    third = made["run"].subfigs[0].axes[2]
    np.testing.assert_array_equal(
      third.lines[0].get_ydata(), self.found["score"].sel(component=3)[0]
    )
    levels = [line.get_ydata()[0] for line in made["run"].subfigs[1].axes[1].lines[:2]]
    self.assertEqual(levels, [0.9, 0.95])
    all_, one = made["run, vectors"].subfigs
    np.testing.assert_array_equal(all_.axes[0].images[0].get_array(), self.found["vector"])
    ends_Dx2 = np.array(one.axes[0].collections[0].get_segments())[:, :, 1]
    np.testing.assert_array_equal(ends_Dx2[:, 1], self.found["vector"].sel(digit=7))
    self.assertEqual(one.axes[0].get_title(loc="left"), "The vector of digit 7")

  def test_controls_are_on_the_page_that_compares_alone(self):
    control = self.found.assign_attrs(population="P = 10, permuted labels", reference=-1)
    pages = embedding.figures({"own": self.found, "permuted": control})
    self.assertEqual(list(pages), ["own", "own, vectors", "all runs"])
    self.assertIsInstance(pages["all runs"], figures.Page)
    drawn.assert_inside(self, pages["all runs"].figure())
    self.assertIn("permuted", embedding.figures({"permuted": control}))


class ClaimsTest(absltest.TestCase):
  def test_arc_is_asked_of_members_that_generalise(self):
    accuracy_S = np.array([1, 1, 1, 1, 1, 0.5])
    last = np.stack([accuracy_S, accuracy_S], axis=1)
    arc = adder_cards.numbers(
      pc12_share=[0.99] * 5 + [0.5], pc1_linear_r2=0.99, pc2_quadratic_r2=0.99
    )
    progress = adder_cards.progress(test__accuracy=last)
    row = adder_cards.row(embedding, "embedding.arc", {"embedding": arc, "progress": progress})
    self.assertEqual(row["status"], "reproduced")
    said = "5 of 5 members that generalise meet the claim (90 % must): wanted are a share of PC1"
    self.assertStartsWith(row["because"], said)
    self.assertIn("the share is 0.99 (median 0.99, 0.5 to 0.99)", row["because"])
    self.assertIn("over all 6 members, generalising or not.", row["because"])

  def test_without_runs_it_is_open(self):
    adder_cards.assert_not_run(self, embedding)

  def test_statement_has_the_published_numbers(self):
    (claim,) = embedding.CLAIMS
    self.assertIn("99.4 % of the variance", claim.statement)
    self.assertEqual(claim.reported, "PC1 73 %, PC1 + PC2 99.4 %")


class NumbersTest(absltest.TestCase):
  def test_a_number_by_network_and_untrained(self):
    found = adder_cards.numbers(pc1_share=0.7, untrained=0.2)
    (own,) = embedding.numbers(found).values()
    self.assertIsInstance(own, numbers_lib.Own)
    self.assertEqual((own.value_S[0], own.untrained_S[0]), (0.7, 0.2))


if __name__ == "__main__":
  absltest.main()
