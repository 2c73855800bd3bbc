"""Exchanged states: at the embeddings they are exchanged characters."""

import dataclasses
import tempfile
from unittest import mock

import drawn
import jax
import numpy as np
import tiny_text
from absl.testing import absltest, parameterized
from primelens.lens import claims as claims_lib
from primelens.lens import results
from primelens.studies.text import patching, program, states
from primelens.tasks import characters

MEASURES = jax.jit(patching.measures)
ALIGNED = {"layout": "aligned", "operands": 100}


class PairsTest(parameterized.TestCase):
  @parameterized.parameters(("sum", {}), ("modk", {}), ("sum", ALIGNED), ("modk", ALIGNED))
  def test_donors(self, question, task):
    run = tiny_text.run(tiny_text.experiment(question, task=task))
    found = patching.pairs(run.probes(), 50, 0)
    self.assertGreater(len(found.shift_N), 10)
    clean, equal, unequal = (
      characters.decode(token_NxT) for token_NxT in (found.clean_NxT, *found.donor_PxNxT)
    )
    for i, shift in enumerate(found.shift_N):
      x, y, rest = self.parsed(clean[i])
      self.assertEqual(self.parsed(equal[i]), (x + shift, y - shift, rest))
      self.assertEqual(self.parsed(unequal[i]), (x + shift, y, rest))
      self.assertLen({len(clean[i]), len(equal[i]), len(unequal[i])}, 1)
      modulus = 97 if question == "modk" else 10**9
      self.assertEqual(found.answer_N[i], (x + y) % modulus)
      self.assertEqual(found.goal_N[i], (x + y + shift) % modulus)
      self.assertNotEqual(found.goal_N[i], found.answer_N[i])
    # Every character has its place, and so every role.
    for donor_NxT in found.donor_PxNxT:
      np.testing.assert_array_equal(characters.roles(donor_NxT), characters.roles(found.clean_NxT))

  def parsed(self, line):
    """Returns the operands, and how the line goes on."""
    left, _, right = line.partition("+")
    digits = "".join(c for c in right.lstrip()[:3] if c.isdigit())
    return int(left), int(digits), right.lstrip()[len(digits) :]

  def test_shown_sum_stays(self):
    run = tiny_text.run(tiny_text.experiment("valid"))
    found = patching.pairs(run.probes(), 50, 0)
    # Right sums become wrong; wrong ones that stay wrong are left out.
    for clean, unequal, answer, goal in zip(
      characters.decode(found.clean_NxT),
      characters.decode(found.donor_PxNxT[patching.UNEQUAL]),
      found.answer_N,
      found.goal_N,
      strict=True,
    ):
      self.assertEqual(clean.partition("=")[2], unequal.partition("=")[2])
      for line, label in ((clean, answer), (unequal, goal)):
        left, _, shown = line.partition("=")
        total = sum(map(int, left.split("+")))
        self.assertEqual(label, total == int(shown))
      self.assertNotEqual(answer, goal)

  def test_no_donors_is_said(self):
    run = tiny_text.run()
    prompts = dataclasses.replace(run.probes(), test_N=np.arange(0))
    with self.assertRaisesRegex(ValueError, "no prompt"):
      patching.pairs(prompts, 50, 0)


class MeasuresTest(absltest.TestCase):
  def test_numbers_are_signed_towards_the_goal(self):
    value_N, gap_N = MEASURES(
      np.array([[3.0], [4.0]]), np.array([[1.0], [4.5]]), np.array([5, 5]), np.array([9, 2])
    )
    np.testing.assert_allclose(value_N, [3, -4])
    np.testing.assert_allclose(gap_N, [4, 0.25])

  def test_classes(self):
    p_NxV, clean_NxV = np.array([[0.5, 0.2, 0.3]]), np.array([[0.1, 0.2, 0.7]])
    value_N, gap_N = MEASURES(np.log(p_NxV), np.log(clean_NxV), np.array([0]), np.array([2]))
    np.testing.assert_allclose(value_N, np.log([0.3]), rtol=1e-5)
    np.testing.assert_allclose(gap_N, [0.4], rtol=1e-5)


class EffectsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.run_ = tiny_text.run()
    cls.pairs = patching.pairs(cls.run_.probes(), 40, 0)
    cls.moved_SxExR, cls.disturbed_PxSxExR = patching.effects(
      cls.run_, cls.pairs, cls.run_.params_S
    )
    cls.roles = patching.roles(cls.pairs)

  def test_whole_level_is_the_donor(self):
    np.testing.assert_allclose(self.moved_SxExR[..., -1], 1, atol=1e-4)
    np.testing.assert_allclose(self.disturbed_PxSxExR[patching.UNEQUAL, ..., -1], 1, atol=1e-4)
    # The same donor, at whatever level it is put.
    equal_SxE = self.disturbed_PxSxExR[patching.EQUAL, ..., -1]
    np.testing.assert_allclose(
      equal_SxE, np.broadcast_to(equal_SxE[:, :1], equal_SxE.shape), rtol=1e-3
    )

  def test_embeddings_are_characters(self):
    for role in ("x-hundreds", "x-units", "y-tens", "+"):
      at = self.roles.index(role)
      place_N = self.pairs.role_NxR[:, at]
      has_N = place_N >= 0
      for p, donor_NxT in enumerate(self.pairs.donor_PxNxT):
        token_NxT = self.pairs.clean_NxT.copy()
        row_N = np.flatnonzero(has_N)
        token_NxT[row_N, place_N[row_N]] = donor_NxT[row_N, place_N[row_N]]
        moved_S, disturbed_S = self.ratios(token_NxT, has_N)
        np.testing.assert_allclose(self.disturbed_PxSxExR[p, :, 0, at], disturbed_S, atol=1e-4)
        if p == patching.UNEQUAL:
          np.testing.assert_allclose(self.moved_SxExR[:, 0, at], moved_S, atol=1e-4)

  def ratios(self, token_NxT, has_N):
    """Effects of other tokens, by running them."""
    donor_NxT = self.pairs.donor_PxNxT[patching.UNEQUAL]
    patched, clean, donor = (
      states.over_members(states.outputs, self.run_, x)[:, has_N, 0]
      for x in (token_NxT, self.pairs.clean_NxT, donor_NxT)
    )
    square = lambda x_SxN: np.sqrt(np.mean(x_SxN**2, -1))
    return (
      np.mean(patched - clean, -1) / np.mean(donor - clean, -1),
      square(patched - clean) / square(donor - clean),
    )

  def test_after_the_last_block_one_character_is_read(self):
    question = self.roles.index("?")
    np.testing.assert_allclose(self.moved_SxExR[:, 2:, question], 1, atol=1e-4)
    others_SxExR = np.delete(self.moved_SxExR, [question, -1], axis=2)
    np.testing.assert_array_equal(others_SxExR[:, 2:], 0)
    # Between the blocks others are, too.
    self.assertGreater(np.abs(others_SxExR[:, 1]).max(), 0.01)


class RunTest(parameterized.TestCase):
  @parameterized.parameters(("sum", 1), ("modk", 97), ("valid", 2))
  def test_is_stored_and_drawn(self, question, outputs):
    task = {"operands": 100} if outputs == 97 else {}
    config = tiny_text.experiment(question, outputs=outputs, task=task)
    few = dataclasses.replace(config.analyses, untrained=1)
    config = dataclasses.replace(config, analyses=few)
    with mock.patch.object(patching, "ROWS", 40):
      found = patching.measure(tiny_text.run(config))
    self.assertEqual(found.regression, outputs == 1)
    self.assertEqual(found.sizes["effects"], found.sizes["level"] * found.sizes["role"])
    whole = found.moved.sel(role=patching.EVERYWHERE)
    np.testing.assert_allclose(whole, 1, atol=1e-3)
    with tempfile.TemporaryDirectory() as folder:
      results.write(folder, "patching", found, provenance={})
      again, _ = results.read(folder, "patching")
    self.assertTrue(again.identical(found))
    single = again.isel(seed=[0])
    drawn.one_and_all(self, patching.figures, {"a": again, "b": single})
    for runs in ({"a": again}, {"a": again, "b": single}):
      (table,) = patching.tables(runs)
      self.assertLen(table.rows, len(runs) * found.sizes["effects"])
      self.assertIn("every position", table.text())


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    (0.1, 1.0, "reproduced"), (0.8, 1.0, "not reproduced"), (0.1, 0.1, "not reproduced")
  )
  def test_exchanged_states(self, late, early, expected):
    rows = [
      {"level": level, "role": role, "moved": 1.0, "disturbed_equal": value}
      for level, role, value in (("block 2", "?", late), ("embeddings", "x-hundreds", early))
    ]
    ends = {f"{name}_{end}": 0.0 for name in patching.MEASURED for end in ("low", "high")}
    meanings = {name: name for name in ("level", "role", "moved", "disturbed_equal")}
    found = results.dataset(results.rows("effects", [row | ends for row in rows], meanings))
    for seeds, status in ((program.SEEDS, expected), (program.SEEDS - 1, "not run")):
      card = {"question": "sum", "as_published": True, "seeds": seeds}
      its = claims_lib.Results({"run": {"patching": found}}, {"run": card})
      (row,) = claims_lib.ledger(tuple(patching.CLAIMS), its).rows
      self.assertEqual((row["id"], row["status"]), ("patching.sums", status), row["because"])
      if status == expected:
        self.assertIn(f"changes {late:.2f} times as much as between", row["because"])
        self.assertIn("it goes 100 % of the way", row["because"])
        self.assertIn(f"it changes {early:.2f} times as much (means", row["because"])


if __name__ == "__main__":
  absltest.main()
