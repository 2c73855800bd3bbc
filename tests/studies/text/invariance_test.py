"""Shifted operands: published numbers, networks blind to order or digits."""

import dataclasses
import tempfile
from unittest import mock

import drawn
import jax
import numpy as np
import published_text
import tiny_text
from absl.testing import absltest, parameterized
from primelens.lens import claims as claims_lib
from primelens.lens import results, tables
from primelens.studies.text import invariance, program

ALIGNED = {"layout": "aligned", "operands": 100}


class ChangeTest(absltest.TestCase):
  def test_numbers_and_classes(self):
    clean_1xNx1 = np.array([[[1.0], [2], [50]]])
    other_1xNx1 = np.array([[[4.0], [6], [0]]])
    row_N = np.array([True, True, False])
    found_S = invariance.change(clean_1xNx1, other_1xNx1, row_N)
    np.testing.assert_allclose(found_S, [np.sqrt((9 + 16) / 2)])
    p_1xNx2 = np.array([[[0.9, 0.1], [0.5, 0.5], [0, 1]]])
    q_1xNx2 = np.array([[[0.6, 0.4], [0.4, 0.6], [1, 0]]])
    found_S = invariance.change(p_1xNx2, q_1xNx2, row_N)
    np.testing.assert_allclose(found_S, [(0.3 + 0.1) / 2])
    none_S = invariance.change(p_1xNx2, q_1xNx2, np.zeros(3, bool))
    self.assertTrue(np.isnan(none_S).all())

  def test_symmetries_keep_the_answer_and_matches_do_not(self):
    rng = np.random.default_rng(0)
    x_N, y_N = rng.integers(200, 800, (2, 50))
    for question in ("sum", "modk"):
      config = tiny_text.experiment(question).task
      answer = lambda x, y, q=question: (x + y) % (97 if q == "modk" else 10**6)
      found = invariance.changed(config, x_N, y_N, 0)
      self.assertEqual("(x + 97, y)" in found, question == "modk")
      for name, (kept, broken) in found.items():
        np.testing.assert_array_equal(answer(*kept), answer(x_N, y_N), name)
        if name != "(y, x)":
          self.assertTrue(np.all(answer(*broken) != answer(x_N, y_N)), name)
      x_moved_N = found["(x + d, y - d), d = 50"][0][0] - x_N
      np.testing.assert_array_equal(np.unique(x_moved_N), [-50, 50])


class PublishedTest(absltest.TestCase):
  def test_recomputed_numbers(self):
    run = published_text.run()
    with (
      mock.patch.object(invariance, "PUBLISHED_R", (-1, 0, 1)),
      mock.patch.object(invariance, "FARTHER_R", (50,)),
    ):
      old = invariance.as_published(run)
      value = {
        f"sum_{key}_{d}": np.ravel(each[..., r])[0]
        for key, each in old.items()
        for r, d in enumerate(invariance.deltas())
      }
    known = {key: entry for key, entry in invariance.PUBLISHED.items() if key in value}
    # Errors of all rows, of those in range, and how many are not; changes.
    self.assertLen(known, 3 * 3 + 1 + 2 * 3)
    for key, entry in known.items():
      self.assertAlmostEqual(value[key], entry.recomputed, delta=entry.tolerance, msg=key)


class BlindTest(absltest.TestCase):
  def without(self, run, name):
    """The run with one table of its networks at zero."""
    params_S = run.params_S | {name: jax.tree.map(np.zeros_like, run.params_S[name])}
    return dataclasses.replace(run, params_S=params_S)

  def test_order(self):
    # Without positions the operands' order is nothing to the network.
    run = tiny_text.run(tiny_text.experiment("sum", task=ALIGNED))
    blind = self.without(run, "positions")
    found = invariance.symmetries(blind, blind.params_S, 60)
    swap, shift = found["(y, x)"], found["(x + d, y - d), d = 5"]
    self.assertLess(swap["ratio"].max(), 1e-3)
    self.assertGreater(swap["broken"].min(), 1)
    self.assertGreater(shift["ratio"].min(), 0.1)
    seeing = invariance.symmetries(run, run.params_S, 60)
    self.assertGreater(seeing["(y, x)"]["ratio"].min(), 0.1)

  def test_characters(self):
    # Without characters nothing changes, and there is nothing to divide by.
    run = tiny_text.run(tiny_text.experiment("sum", task=ALIGNED))
    blind = self.without(run, "embedding")
    found = invariance.symmetries(blind, blind.params_S, 60)
    for one in found.values():
      np.testing.assert_array_equal(one["kept"], 0)
      self.assertTrue(np.isnan(one["ratio"]).all())


class RunTest(parameterized.TestCase):
  @parameterized.parameters(("sum", 1, {}), ("modk", 97, ALIGNED), ("valid", 2, {}))
  def test_is_stored_and_drawn(self, question, outputs, task):
    config = tiny_text.experiment(question, outputs=outputs, task=task)
    few = dataclasses.replace(config.analyses, untrained=1)
    run = tiny_text.run(dataclasses.replace(config, analyses=few))
    with (
      mock.patch.object(invariance, "FARTHER_R", (-50, 50)),
      mock.patch.object(invariance, "SHIFTS_R", (5, 100)),  # 100 is beyond the aligned operands
    ):
      found = invariance.measure(run)
    self.assertEqual(found.loss.attrs["units"], "answers²" if outputs == 1 else "nats")
    at_zero = found.sel(delta=0)
    self.assertEqual(at_zero.outside, 0)
    np.testing.assert_array_equal(at_zero.kept, 0)
    np.testing.assert_allclose(at_zero.loss_in_range, at_zero.loss)
    rows = {row["symmetry"]: row for row in tables.rows(found, "symmetries")}
    self.assertEqual("(x + 97, y)" in rows, question == "modk")
    self.assertEqual(np.isfinite(rows["(y, x)"]["same"]), outputs > 1, rows["(y, x)"])
    with tempfile.TemporaryDirectory() as folder:
      results.write(folder, "invariance", found, provenance={})
      again, _ = results.read(folder, "invariance")
    self.assertTrue(again.identical(found))
    values = invariance.numbers(again)
    self.assertEqual("sum_outside_-5" in values, outputs == 1)
    for value in values.values():
      self.assertLen(value, 2)
    single = again.isel(seed=[0])
    pages = drawn.one_and_all(self, invariance.figures, {"a": again, "b": single})
    drawn.assert_inside(self, pages["a"])
    (axes,) = drawn.panels(pages["a"], "Operands changed")
    middle = [line.get_xdata()[0] for line in axes.get_lines() if line.get_markersize() == 5]
    medians = [again[name].median("seed") for name in ("change_kept", "change_broken")]
    np.testing.assert_allclose(middle, np.stack(medians, -1).ravel())
    for runs in ({"a": again}, {"a": again, "b": single}):
      for table in invariance.tables(runs):
        self.assertLen(table.text().splitlines(), 2 + len(table.rows))


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    (6000.0, 850.0, "reproduced, but an artefact"),
    (6000.0, 6000.0, "reproduced"),
    (860.0, 850.0, "not reproduced"),
  )
  def test_shifts_on_rows_in_range(self, every, inside, expected):
    delta_R = np.array([-2, -1, 0, 1, 2, 50])
    loss = lambda value: results.variable(
      "seed delta", np.where(delta_R == 0, 870.0, value) * np.ones((5, 1)), "loss"
    )
    records = [
      {"symmetry": name, "ratio": ratio, "ratio_low": ratio, "ratio_high": ratio}
      for name, ratio in (("(x + d, y - d), d = 50", 0.4), ("(y, x)", 0.1))
    ]
    variables = {
      "outside": results.variable("delta", [11, 8, 0, 4, 11, 150], "rows"),
      "loss": loss(every),
      "loss_in_range": loss(inside),
      **results.rows("symmetries", records, {"symmetry": "symmetry", "ratio": "ratio"}),
    }
    found = results.dataset(variables, {"delta": delta_R})
    card = {"question": "sum", "as_published": True, "seeds": program.SEEDS}
    its = claims_lib.Results({"run": {"invariance": found}}, {"run": card})
    (row,) = claims_lib.ledger(tuple(invariance.CLAIMS), its).rows
    self.assertEqual(row["status"], expected, row["because"])
    self.assertStartsWith(
      row["because"], "averaged over d of -2, -1, 1 and 2, the squared error is"
    )
    self.assertIn(f"{every / 870:.1f} times that at 0 over all rows", row["because"])
    self.assertIn(f"{inside / 870:.2f} times over rows in range", row["because"])
    self.assertIn("11 of 2,000 rows leave the range", row["because"])
    # The rows that leave the range make the V where the others have none.
    self.assertEqual("make the V" in row["because"], "artefact" in expected)
    self.assertIn("under (x + d, y), is 0.40 at 50 (means", row["because"])
    self.assertIn("872 at 0, about 7,000 at -1 (recomputed; no numbers", row["reported"])


if __name__ == "__main__":
  absltest.main()
