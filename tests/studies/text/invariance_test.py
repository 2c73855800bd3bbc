"""Shifted operands: published numbers, networks blind to order or digits."""

import dataclasses
import tempfile
from unittest import mock

import jax
import numpy as np
import published_text
import tiny_text
from absl.testing import absltest, parameterized
from primelens.lens import legacy, results
from primelens.studies.text import invariance, plots_invariance, rewritten
from primelens.tasks import characters

ALIGNED = {"layout": "aligned", "operands": 100}


class RewrittenTest(parameterized.TestCase):
  @parameterized.parameters("sum", "modk", "valid")
  def test_only_operands_change(self, question):
    prompts = tiny_text.run(tiny_text.experiment(question)).prompts
    row_N = np.array([3, 390])
    x_N, y_N = np.array([-3, 1002]), np.array([7, 0])
    found = characters.decode(rewritten.tokens(prompts, row_N, x_N, y_N))
    old = characters.decode(prompts.token_NxT[row_N])
    for i, row in enumerate(row_N):
      written = f"{prompts.x_N[row]} + {prompts.y_N[row]}"
      rest = old[i].removeprefix(written)
      self.assertEqual(found[i], f"{x_N[i]} + {y_N[i]}{rest}")
    # As they were they are what they were.
    same = rewritten.tokens(
      prompts, row_N, prompts.x_N[row_N], prompts.y_N[row_N], prompts.token_NxT.shape[1]
    )
    np.testing.assert_array_equal(same, prompts.token_NxT[row_N])
    np.testing.assert_array_equal(
      rewritten.answers(prompts, row_N, prompts.x_N[row_N], prompts.y_N[row_N]),
      prompts.answer_N[row_N],
    )

  def test_aligned(self):
    config = tiny_text.experiment("sum", task=ALIGNED)
    prompts = tiny_text.run(config).prompts
    found = rewritten.tokens(prompts, np.array([0]), [5], [0])
    self.assertEqual(characters.decode(found), ["05+00=?"])

  def test_digits_and_range(self):
    np.testing.assert_array_equal(
      rewritten.digits([-1, 0, 9, 10, 99, 100, 999, 1000]), [0, 1, 1, 2, 2, 3, 3, 4]
    )
    config = tiny_text.experiment().task
    old_N, new_N = np.array([9, 10, 998, 0]), np.array([10, 12, 1003, -5])
    np.testing.assert_array_equal(
      rewritten.alike(config, old_N, new_N), [False, True, False, False]
    )
    # With zeros in front all operands have the same digits.
    aligned = dataclasses.replace(config, layout="aligned")
    np.testing.assert_array_equal(
      rewritten.alike(aligned, old_N, new_N), [True, True, False, False]
    )


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
      found = invariance._table(run, invariance.as_published(run))
    # Errors of all rows, of those in range, and how many are not; changes.
    self.assertLen(found, 3 * 3 + 1 + 2 * 3)
    for row in found:
      self.assertTrue(row["agrees"], row)


class BlindTest(absltest.TestCase):
  def without(self, run, name):
    """The run with one table of its networks at zero."""
    params_S = run.params_S | {name: jax.tree.map(lambda leaf: 0 * leaf, run.params_S[name])}
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
    with mock.patch.object(invariance, "FARTHER_R", (-50, 50)):
      found = invariance.run(run)
    self.assertEqual(found.unit, "raw" if outputs == 1 else "nats")
    at_zero = list(found.delta_R).index(0)
    self.assertEqual(found.outside_R[at_zero], 0)
    np.testing.assert_array_equal(found.kept_SxR[:, at_zero], 0)
    np.testing.assert_allclose(
      found.in_range_SxR[:, at_zero], found.loss_as_published_SxR[:, at_zero]
    )
    rows = {row["symmetry"]: row for row in found.symmetries}
    self.assertEqual("(x + 97, y)" in rows, question == "modk")
    self.assertEqual(np.isfinite(rows["(y, x)"]["same"]), outputs > 1, rows["(y, x)"])
    with tempfile.TemporaryDirectory() as folder:
      legacy.write(folder, "invariance", found, provenance={})
      again, _ = legacy.read(folder, "invariance", invariance.Result)
    np.testing.assert_array_equal(again.ratio_SxE, found.ratio_SxE)
    first = {
      name: np.take(value, [0], results.axes(name).index("S"))
      for name, value in vars(again).items()
      if "S" in results.axes(name)
    }
    for shown in (again, dataclasses.replace(again, **first)):
      figure = plots_invariance.figure(shown)
      figure.canvas.draw()
      self.assertLen(figure.axes, 3)


if __name__ == "__main__":
  absltest.main()
