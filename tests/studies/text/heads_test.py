"""Heads: attention in closed form, removals by weights, paths by hand."""

import dataclasses
import functools
import tempfile

import drawn
import jax
import numpy as np
import published_text
import tiny_text
from absl.testing import absltest, parameterized
from primelens.analyses import ablation
from primelens.lens import claims as claims_lib
from primelens.lens import results, tables
from primelens.models import encoder, transformer
from primelens.studies.text import heads, program, states
from primelens.tasks import characters

CLASSES, ROLES = characters.CLASSES, characters.ROLES


def changed(run, role, change):
  """Returns the run with the kernels and biases of an attention role changed,
  every leaf with the axes S, L first."""
  blocks = run.params_S["blocks"]
  attention = blocks["attention"]
  leaves = jax.tree.map(lambda leaf: change(np.asarray(leaf)), attention[role])
  blocks = blocks | {"attention": attention | {role: leaves}}
  return dataclasses.replace(run, params_S=run.params_S | {"blocks": blocks})


def zeroed(leaf, at):
  """Returns the array with zeros at an index."""
  leaf = leaf.copy()
  leaf[at] = 0
  return leaf


def classifier():
  """A tiny run that answers with a class of 97."""
  return tiny_text.run(tiny_text.experiment("modk", outputs=97))


class ReadingTest(absltest.TestCase):
  def test_without_queries_attention_is_uniform(self):
    run = changed(tiny_text.run(), "query", np.zeros_like)
    token_NxT = characters.encode(["103 + 40 = ?", "5 + 7 = ?"])
    found = heads.reading(run, token_NxT, run.params_S)
    share_NxV = np.array([[3, 2, 1, 0, 6], [1, 1, 1, 0, 6]])
    share_NxV = share_NxV / np.array([[12], [9]])
    shape = (2, 2, 4, len(CLASSES))
    np.testing.assert_allclose(found["mass"], np.broadcast_to(share_NxV.mean(0), shape), atol=1e-6)
    entropy = (np.log(12) + np.log(9)) / 2
    np.testing.assert_allclose(found["entropy"], entropy, rtol=1e-5)
    uniform_V, uniform_entropy = heads.uniform(token_NxT)
    np.testing.assert_allclose(uniform_V, share_NxV.mean(0))
    self.assertAlmostEqual(uniform_entropy, entropy)
    # Positions that only the longer row has are of that row alone; the second
    # row has no hundreds.
    sweep_TxV = found["sweep_as_published"][0, 0]
    np.testing.assert_allclose(sweep_TxV[10], share_NxV[0], atol=1e-6)
    np.testing.assert_allclose(sweep_TxV[2], share_NxV.mean(0), atol=1e-6)
    sweep_ExV = found["sweep"][0, 1]
    at = ROLES.index
    np.testing.assert_allclose(sweep_ExV[at("x-hundreds")], share_NxV[0], atol=1e-6)
    np.testing.assert_allclose(sweep_ExV[at("?")], share_NxV.mean(0), atol=1e-6)
    self.assertTrue(np.isnan(sweep_ExV[at("y-hundreds")]).all())
    self.assertTrue(np.isnan(sweep_ExV[at("modulus")]).all())

  def test_masses_are_of_the_pattern_at_the_last_character(self):
    run = classifier()
    token_NxT = run.prompts.token_NxT[run.prompts.select_N]
    found = heads.reading(run, token_NxT, run.params_S)
    first = jax.tree.map(lambda leaf: np.asarray(leaf)[0], run.params_S)
    sites = ("attention/pattern",)
    states_of = functools.partial(encoder.states, run.experiment.model, sites=sites)
    _, record = jax.jit(states_of)(first, token_NxT)
    pattern_LxNxHxTxT = np.asarray(record["attention/pattern"])
    class_NxT = characters.classes(token_NxT)
    mass, entropy = np.zeros((2, 4, 5)), np.zeros((2, 4))
    for n, class_T in enumerate(class_NxT):
      last = int((class_T >= 0).sum()) - 1
      read_LxHxT = pattern_LxNxHxTxT[:, n, :, last]
      for v in range(5):
        mass[..., v] += read_LxHxT[..., class_T == v].sum(-1) / len(token_NxT)
      power = np.where(read_LxHxT > 0, read_LxHxT, 1)
      entropy -= (read_LxHxT * np.log(power)).sum(-1) / len(token_NxT)
    np.testing.assert_allclose(found["mass"][0], mass, atol=1e-6)
    np.testing.assert_allclose(found["entropy"][0], entropy, atol=1e-5)
    np.testing.assert_allclose(found["sweep"][0, :, ROLES.index("?")], mass.mean(1), atol=1e-6)
    self.assertGreater(mass[..., CLASSES.index("modulus")].min(), 0.05)

  def test_as_published_is_of_the_first_thousand(self):
    run = tiny_text.run(tiny_text.experiment(task=dict(count=1200)))
    token_NxT = run.prompts.token_NxT
    found = heads.reading(run, token_NxT, run.params_S)
    few = heads.reading(run, token_NxT[:1000], run.params_S)
    for name in ("mass", "entropy"):
      np.testing.assert_allclose(found[f"{name}_as_published"], few[name], atol=1e-6)
      self.assertGreater(np.abs(found[name] - few[name]).max(), 1e-5)

  def test_scores(self):
    found = heads.scores(np.array([[0.25, 0.25, 0.25, 0, 0.25], [3, 1, 0, 0, 0]]), 0)
    np.testing.assert_allclose(found["copy"], (0.5, 4))
    np.testing.assert_allclose(found["balance"], (0, 2))
    expected = -0.75 * np.log(0.75) - 0.25 * np.log(0.25)
    np.testing.assert_allclose(found["class_entropy"], (np.log(4), expected))


class CausalTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.run_ = tiny_text.run()
    cls.row_N = cls.run_.prompts.select_N
    cls.found = heads.causal(cls.run_, cls.row_N, cls.run_.params_S)

  def loss(self, params_S):
    text = self.run_.prompts
    token_NxT = text.token_NxT[self.row_N]
    output_SxNxV = states.over_members(states.outputs, self.run_, token_NxT, params_S)
    guess_SxN = 2000 * output_SxNxV.astype(np.float64)[..., 0]
    return np.mean((guess_SxN - text.answer_N[self.row_N]) ** 2, -1)

  def test_intact_is_the_squared_error(self):
    np.testing.assert_allclose(self.found["intact"], self.loss(self.run_.params_S), rtol=1e-5)

  def test_mean_everywhere_is_a_head_without_weights_and_a_bias(self):
    # x W_o + b with x its mean: no W_o of that head, b + mean W_o.
    text, params_S = self.run_.prompts, self.run_.params_S
    token_NxT = text.token_NxT[self.row_N]
    say = functools.partial(self.run_.apply, sites=("attention/head",))
    _, record = jax.jit(jax.vmap(say, (0, None)))(params_S, token_NxT)
    head_SxLxNxTxHxDh = np.asarray(record["attention/head"])
    mean_SxLxHxDh = head_SxLxNxTxHxDh[:, :, token_NxT != 0].mean(2)
    kernel = np.asarray(params_S["blocks"]["attention"]["out"]["kernel"])
    cut = jax.jit(
      jax.vmap(functools.partial(ablation.heads, kernels=transformer.HEAD_OUTPUTS), (0, None))
    )
    for layer, head in ((0, 1), (1, 3)):
      keep_LxH = ablation.without(2, 4, [(layer, head)])
      cut_S = cut(params_S, keep_LxH)
      said_SxD = np.einsum("sj,sjd->sd", mean_SxLxHxDh[:, layer, head], kernel[:, layer, head])
      out = cut_S["blocks"]["attention"]["out"]
      bias = np.array(out["bias"])
      bias[:, layer] += said_SxD
      blocks = cut_S["blocks"]
      attention = blocks["attention"] | {"out": out | {"bias": bias}}
      cut_S = cut_S | {"blocks": blocks | {"attention": attention}}
      change_S = self.loss(cut_S) - self.loss(params_S)
      np.testing.assert_allclose(
        self.found["delta"][0, :, layer, head], change_S, atol=2e-6 * self.found["intact"].max()
      )

  def test_of_the_last_layer_the_last_character_matters(self):
    # The same mean, all over or at the last character alone: equally harmful.
    bundle_S = {"params": self.run_.params_S, "mean_PxLxHxDh": np.ones((2, 2, 2, 4, 4), np.float32)}
    removal = {
      "keep_LxH": np.stack([ablation.without(2, 4, [(1, 2)])] * 2),
      "at": np.array([heads.EVERYWHERE, heads.LAST]),
    }
    score = heads.loss_without(self.run_.apply)
    text = self.run_.prompts
    target_N = (text.answer_N[self.row_N] / 2000).astype(np.float32)
    found_SxR = heads._over(score, bundle_S, removal, text.token_NxT[self.row_N], target_N)
    np.testing.assert_allclose(found_SxR[:, 0], found_SxR[:, 1], rtol=1e-5)
    self.assertGreater(np.ptp(self.found["delta"][1]), 0)

  def test_a_head_that_says_one_thing_loses_nothing(self):
    run = changed(self.run_, "value", lambda leaf: zeroed(leaf, np.s_[:, :, ..., 2, :]))
    found = heads.causal(run, self.row_N, run.params_S)
    tiny = 1e-6 * found["intact"].max()
    np.testing.assert_allclose(found["delta"][..., 2], 0, atol=tiny)
    np.testing.assert_allclose(found["path"][..., 2], 0, atol=1e-6)
    self.assertGreater(np.abs(found["delta"][..., 1]).min(), tiny)


def one_head(params_S):
  """Returns the parameters of the first layers alone, whose heads are taken for one."""
  blocks = jax.tree.map(lambda leaf: np.asarray(leaf)[:, :1], params_S["blocks"])
  wide = blocks["attention"] | {
    role: {
      "kernel": blocks["attention"][role]["kernel"].reshape(2, 1, 16, 1, 16),
      "bias": blocks["attention"][role]["bias"].reshape(2, 1, 1, 16),
    }
    for role in ("query", "key", "value")
  }
  out = blocks["attention"]["out"]
  wide["out"] = out | {"kernel": out["kernel"].reshape(2, 1, 1, 16, 16)}
  return params_S | {"blocks": blocks | {"attention": wide}}


class PathTest(absltest.TestCase):
  def test_one_head_alone_is_the_whole_way(self):
    # One layer and one head, rows of one length: at "?" nothing else differs.
    task = dict(layout="aligned", split="disjoint", count=400)
    config = tiny_text.experiment(task=task, layers=1, heads=1)
    run = tiny_text.run(config, one_head(tiny_text.run().params_S))
    found = heads.causal(run, run.prompts.select_N, run.params_S)
    self.assertEqual(found["path"].shape, (2, 2, 1, 1))
    np.testing.assert_allclose(found["path"], 1, atol=1e-4)

  def test_direct_path_leaves_later_heads_alone(self):
    run = tiny_text.run()
    found = heads.causal(run, run.prompts.select_N, run.params_S)
    all_SxLxH, direct_SxLxH = found["path"]
    np.testing.assert_array_equal(all_SxLxH[:, 1], direct_SxLxH[:, 1])
    self.assertGreater(np.abs(all_SxLxH - direct_SxLxH)[:, 0].max(), 1e-4)
    # Without later heads there is no other path.
    mute = changed(run, "out", lambda leaf: zeroed(leaf, np.s_[:, 1]))
    found = heads.causal(mute, run.prompts.select_N, mute.params_S)
    all_SxLxH, direct_SxLxH = found["path"]
    np.testing.assert_allclose(all_SxLxH, direct_SxLxH, atol=1e-5)
    np.testing.assert_allclose(all_SxLxH[:, 1], 0, atol=1e-6)
    self.assertGreater(np.abs(all_SxLxH[:, 0]).max(), 1e-3)


class RunTest(absltest.TestCase):
  def test_stored_and_drawn(self):
    run = classifier()
    found = heads.measure(run)
    folder = tempfile.mkdtemp()
    results.write(folder, "heads", found, provenance={})
    again, _ = results.read(folder, "heads")
    self.assertTrue(again.identical(found))
    rows = tables.rows(again, "heads")
    self.assertLen(rows, 8)
    row = rows[5]
    self.assertEqual((row["layer"], row["head"]), (1, 1))
    copy_S = found.mass.sel({"class": ["x", "y"]}).isel(layer=1, head=1).sum("class")
    self.assertAlmostEqual(row["copy"], float(np.median(copy_S)))
    uniform = found.uniform_mass.sel({"class": ["x", "y"]}).sum()
    self.assertAlmostEqual(row["copy_uniform"], float(uniform))
    self.assertLen(again.untrained, 2)
    self.assertEqual(again.delta.attrs["units"], "nats")
    self.assertEqual(heads.numbers(again), {})  # too small for the source's numbers
    part = states.part_rows(run)["select"]
    scored = states.scored(run, part)
    np.testing.assert_allclose(again.constant, scored["constant_N"].mean())
    np.testing.assert_allclose(again.intact, scored["loss_SxN"].mean(-1), rtol=1e-5)
    single = again.isel(seed=[0], prompt=[0])
    for runs in ({"a": again}, {"a": again, "b": single}):
      for table in heads.tables(runs):
        self.assertLen(table.text().splitlines(), 2 + len(table.rows))
    self.assertEqual(list(heads.figures({"a": again})), ["a", "a, scores of heads", "a, attention"])
    self.maps(again, run, drawn.one_and_all(self, heads.figures, {"a": again, "b": single}))

  def maps(self, found, run, pages):
    """The maps show what is stored: every score of the first network, all attention."""
    figure = pages["a, scores of heads"]
    for words, value in (
      ("on modulus", found["mass"].sel({"class": "modulus"})),
      ("on the operands", found["mass"].sel({"class": ["x", "y"]}).sum("class")),
      ("over positions", found.entropy),
    ):
      (axes,) = drawn.panels(figure, words)
      np.testing.assert_allclose(axes.get_images()[0].get_array(), value[0], atol=1e-12)
    figure = pages["a, attention"]
    token_NxT = run.prompts.token_NxT[run.prompts.select_N[:3]]
    self.assertEqual(found.line.values.tolist(), characters.decode(token_NxT))
    # Three prompts, two layers; in row b L + l, head 2 is the third.
    axes = drawn.panels(figure, "Head 2")
    self.assertLen(axes, 3 * 2)
    length = len(found.line.values[2])
    shown = axes[2 * 2 + 1].get_images()[0].get_array()
    np.testing.assert_allclose(shown, found.pattern[2, 1, 2, :length, :length], atol=1e-7)
    np.testing.assert_allclose(shown.sum(1), 1, atol=1e-5)  # nothing is on what is cut off
    (axes,) = drawn.panels(pages["a"], "How far it is spread")
    grey = [line for line in axes.get_lines() if line.get_marker() == "|"]
    np.testing.assert_allclose(grey[5].get_xdata(), found.untrained_entropy[:, 1, 1])


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    (1.0, 900.0, "reproduced"), (0.5, 900.0, "not reproduced"), (1.0, -5.0, "not reproduced")
  )
  def test_heads_must_matter(self, above, harm, expected):
    layer = {"above_uniform": above, "copy_uniform": 0.45, "copy_median": 0.8}
    layer |= {"untrained_copy_median": 0.44}
    delta = np.zeros((2, 5, 2, 4))
    delta[0, :, 1, 2] = harm
    meanings = {name: name for name in layer}
    variables = {
      "delta": results.variable("where seed layer head", delta, "change of the loss"),
      **results.rows("layers", [dict.fromkeys(layer, 0.0), layer], meanings),
    }
    found = results.dataset(variables, {"where": list(heads.WAYS)})
    for seeds, status in ((program.SEEDS, expected), (program.SEEDS - 1, "not run")):
      card = {"question": "sum", "as_published": True, "seeds": seeds}
      its = claims_lib.Results({"run": {"heads": found}}, {"run": card})
      (row,) = claims_lib.ledger(tuple(heads.CLAIMS), its).rows
      self.assertEqual((row["id"], row["status"]), ("heads.copy", status), row["because"])
      if status == expected:
        self.assertStartsWith(row["because"], f"{100 * above:.0f} % of the last layer's heads")
        self.assertIn(
          "uniform attention does (0.450); the claim needs more than 90 %", row["because"]
        )
        self.assertIn("has 0.800, that of untrained networks 0.440.", row["because"])
        self.assertIn(f"by {max(harm, 0):,.0f} answers² (median", row["because"])
    self.assertEqual(row["reported"], "copy scores of 0.68 to 0.90")


class PublishedTest(absltest.TestCase):
  """The published network on a thousand rows (docs/sources/text.md, section 5.6)."""

  def test_numbers(self):
    run = published_text.run()
    token_NxT = run.prompts.token_NxT[run.prompts.select_N[:1000]]
    found = heads.reading(run, token_NxT, run.params_S)
    uniform_V, entropy = heads.uniform(token_NxT)
    dims = "seed layer head"
    variables = {
      "mass_as_published": results.variable(f"{dims} class", found["mass_as_published"], "mass"),
      "entropy_as_published": results.variable(dims, found["entropy_as_published"], "entropy"),
      "uniform_mass_as_published": results.variable("class", uniform_V, "uniform"),
    }
    its = results.dataset(
      variables,
      question="sum",
      as_published=True,
      imported=True,
      uniform_entropy_as_published=entropy,
    )
    values = heads.numbers(its)
    self.assertLen(values, 8 * 8 + 7 + 2)
    for key, value in values.items():
      entry = heads.PUBLISHED[key]
      self.assertAlmostEqual(value[0], entry.recomputed, delta=entry.tolerance, msg=key)

  def test_masses_reported_add_up(self):
    value = heads.PUBLISHED
    for question, classes in (
      ("sum", ("x", "y", "+", "others")),
      ("modk", ("x", "y", "+", "modulus", "others")),
    ):
      for layer, head in np.ndindex(2, 4):
        of = lambda name, at=f"{question}_l{layer}h{head}": value[f"{at}_{name}"].recomputed
        self.assertAlmostEqual(sum(map(of, classes)), 1, delta=2.5e-3)
        self.assertAlmostEqual(of("copy"), of("x") + of("y"), delta=1.5e-3)
        self.assertAlmostEqual(of("balance"), abs(of("x") - of("y")), delta=1.5e-3)


if __name__ == "__main__":
  absltest.main()
