import dataclasses
import functools
import re
import tempfile

import drawn
import jax
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.lens import results, tables
from primelens.models import spacing
from primelens.studies.zeros import hermiticity

S = 3


@functools.cache
def _init(memory):
  model = tiny_study.tiny_model(memory)
  return jax.jit(jax.vmap(lambda key: spacing.init(model, key)))


@functools.cache
def _drawn(memory, seed):
  return jax.device_get(_init(memory)(jax.random.split(jax.random.key(seed), S)))


def _run(memory="postfix", seed=0, change=None):
  model = tiny_study.tiny_model(memory)
  params_S, fresh_S = (jax.tree.map(np.copy, _drawn(memory, k)) for k in (seed, seed + 1))
  if change:
    params_S = change(params_S)
  run = tiny_study.handmade(
    spacing.bind(model), params_S, tiny_study.ar([-0.4], 1000), model=model, fresh_S=fresh_S
  )
  return run


def _symmetric(params_S):
  """Head 1 of layer 0 gets its queries as keys, in every seed."""
  attention = params_S["blocks"]["attention"]
  attention["key"]["kernel"][:, 0, :, 1] = attention["query"]["kernel"][:, 0, :, 1]
  return params_S


def _sinusoid(params_S):
  wave_D = np.cos(2 * np.pi * 3 * np.arange(8) / 8).astype(np.float32)
  params_S["memory"]["content"] = np.tile(wave_D, (S, 2, 1))
  return params_S


class HermiticityTest(absltest.TestCase):
  def test_scores_are_those_of_every_head(self):
    run = _run()
    result = hermiticity.measure(run)
    self.assertEqual(result.asymmetry.shape, (S, 2, 2))
    attention = run.params_S["blocks"]["attention"]
    query, key = (np.asarray(attention[role]["kernel"], np.float64) for role in ("query", "key"))
    form = query[2, 1, :, 0] @ key[2, 1, :, 0].T
    expected = np.linalg.norm(form - form.T) / np.linalg.norm(form + form.T)
    self.assertAlmostEqual(float(result.asymmetry[2, 1, 0]), expected)

  def test_a_head_made_symmetric_is_found_and_no_other(self):
    result = hermiticity.measure(_run(change=_symmetric))
    np.testing.assert_allclose(result.asymmetry[:, 0, 1], np.zeros(S), atol=1e-6)
    self.assertEqual(result.draws, 40 * 12)
    np.testing.assert_allclose(result.p[:, 0, 1], 1 / 481)
    self.assertTrue((result.p_holm[:, 0, 1] < 0.05).all())
    others = np.delete(result.p_holm.values.reshape(S, 4), 1, axis=1)
    self.assertTrue((others > 0.05).all())

  def test_slots_that_hold_a_frequency(self):
    found = hermiticity.measure(_run(change=_sinusoid))
    rows = tables.rows(found, "slots")
    for row, frequency_M in zip(rows, found.frequency.values.tolist(), strict=True):
      if row["network"] == "untrained":
        self.assertGreater(row["p"], 0.02)
        continue
      # Two waves of 8 numbers: the largest possible |FFT|, 8 / 2.
      self.assertAlmostEqual(row["statistic"], 4, places=5)
      self.assertEqual(frequency_M, [3, 3])
      self.assertLess(row["p_holm"], 0.2)
    self.assertEqual([row["network"] for row in rows], ["trained"] * S + ["untrained"] * S)
    self.assertEqual([row["seed"] for row in rows[:S]], found.seed.values.tolist())

  def test_records_of_seeds_are_over_their_heads(self):
    found = hermiticity.measure(_run())
    rows = tables.rows(found, "networks")
    self.assertLen(rows, 2 * S)
    value_H = found.asymmetry.values[1].ravel()
    self.assertAlmostEqual(rows[1]["asymmetry"], value_H.mean())
    self.assertEqual(rows[1]["lowest"], value_H.min())
    self.assertEqual(rows[S]["lowest"], found.untrained_asymmetry.values[0].min())

  def test_a_model_without_memory_says_so(self):
    result = hermiticity.measure(_run("none"))
    for name in ("slots", "bank"):
      self.assertEqual(tables.rows(result, name), [])
    self.assertEqual(result.slot_obstacle, "the model has no memory vectors.")

  def test_a_bank_has_projections_of_its_own(self):
    rng = np.random.default_rng(0)
    query = rng.normal(size=(S, 16, 16))

    def memory(key):
      parts = {"query": query, "key": key}
      return {name: {"kernel": np.float32(x)} for name, x in parts.items()}

    run = _run()
    other = rng.normal(size=query.shape)
    run = dataclasses.replace(
      run,
      params_S=run.params_S | {"memory": memory(query)},
      fresh_S=run.fresh_S | {"memory": memory(other)},
    )
    rows = tables.rows(hermiticity.measure(run), "bank")
    self.assertLen(rows, 2 * S)
    for row in rows:
      if row["network"] == "trained":
        self.assertAlmostEqual(row["asymmetry"], 0, places=5)
        self.assertEqual(row["p"], 1 / (1 + 40))
      else:
        self.assertAlmostEqual(row["asymmetry"], 1 - 1 / 16, delta=0.2)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    for memory in ("postfix", "none"):
      result = hermiticity.measure(_run(memory))
      results.write(folder, "hermiticity", result, provenance={})
      back, _ = results.read(folder, "hermiticity")
      xr.testing.assert_identical(back, result)


def by_hand(symmetric=0, p=0.4, fresh_p=0.5, slots=True):
  """Two seeds of 2 x 2 heads, of which `symmetric` are below the null."""
  p_holm = np.ones(8)
  p_holm[:symmetric] = 0.01
  shape, dims = (2, 2, 2), "seed layer head"
  rows = [
    {"network": network, "seed": seed, "slots": 8, "statistic": 0.408}
    | {"null": 0.427, "null_sd": 0.02, "p": value, "p_holm": value}
    | {"p_as_published": 0.6}
    for network, value in (("trained", p), ("untrained", fresh_p))
    for seed in range(2)
  ]
  variables = {
    "asymmetry": results.variable(dims, np.linspace(0.9, 1.0, 8).reshape(shape), "asymmetry"),
    "rotation": results.variable(dims, np.full(shape, 2.78), "rotation"),
    "untrained_asymmetry": results.variable("untrained layer head", np.full(shape, 0.99), "same"),
    "p_holm": results.variable(dims, p_holm.reshape(shape), "p"),
    **results.rows(
      "networks",
      [
        {"network": network, "seed": 0, "asymmetry": 0.95, "lowest": 0.9, "rotation": 2.78}
        for network in ("trained", "untrained")
      ],
      hermiticity.OF_SEEDS,
    ),
    **results.rows("bank", [], hermiticity.OF_BANK),
    **results.rows("slots", rows if slots else [], hermiticity.OF_SLOTS),
  }
  coords = {"seed": [0, 1], "untrained": [0, 1], "layer": [0, 1], "head": [0, 1]}
  return results.dataset(
    variables,
    coords,
    null_mean=0.97,
    null_sd=0.04,
    null_rotation=1.5,
    draws=1000,
    slot_obstacle="" if slots else "the model has no memory vectors.",
  )


BIG, SMALL = zeros_cards.card(), zeros_cards.card(size=zeros_cards.SMALL)
NOT, NOT_RUN = "not reproduced", "not run"


class ClaimsTest(parameterized.TestCase):
  def row(self, claim, card, found):
    return zeros_cards.row(hermiticity, f"hermiticity.{claim}", e4=(card, {"hermiticity": found}))

  @parameterized.parameters(
    # The source's own asymmetry is what independent factors have.
    ("emerges", SMALL, {}, NOT),
    ("emerges", BIG, {"symmetric": 1}, NOT),
    ("emerges", BIG, {"symmetric": 8}, "reproduced"),
    ("ln_primes", SMALL, {}, NOT),
    ("ln_primes", BIG, {"p": 0.01}, "needs more compute"),
    ("ln_primes", BIG, {"p": 0.01, "fresh_p": 0.01}, "reproduced, but an artefact"),
    ("ln_primes", BIG, {"slots": False}, NOT_RUN),
  )
  def test_status(self, claim, card, options, status):
    row = self.row(claim, card, by_hand(**options))
    self.assertEqual(row["status"], status, row["because"])
    self.assertTrue(row["because"])

  def test_every_claim_needs_a_run_on_the_published_data(self):
    found = {"hermiticity": by_hand()}
    other = zeros_cards.card(data="1 spacing of cue")
    several = ({}, {"e4": (BIG, {})}, {"cue": (other, found)})
    zeros_cards.assert_not_run(self, hermiticity, *several)

  def test_what_was_reported(self):
    first, second = hermiticity.CLAIMS
    self.assertEqual(first.reported, "asymmetry 0.994, z = 0.19 of one network")
    self.assertEqual(second.reported, "p = 0.60 and 0.368; amplitude 0.408 against 0.427 +- 0.054")


class ShownTest(absltest.TestCase):
  def table(self, name, found):
    (made,) = (each for each in hermiticity.tables({"e0": found}) if each.name == name)
    return made

  def test_heads_below_the_published_one(self):
    reported, own = self.table("forms", by_hand(1)).cells()
    self.assertEqual(reported[1], "0.994")
    self.assertEqual(
      own, ["e0", "0.950", "0.900 … 1.000", "0.990", "0.970 ± 0.040", "1 of 8", "2.78 (1.50)"]
    )

  def test_forms_of_each_network(self):
    trained, untrained = self.table("networks", by_hand()).cells()
    self.assertEqual(trained, ["e0", "trained", "0", "0.950", "0.900", "2.780"])
    self.assertEqual(untrained[1], "untrained")

  def test_slots_beside_their_null(self):
    first, *_ = self.table("memory_vectors", by_hand()).cells()
    self.assertEqual(
      first,
      ["e0", "trained, seed 0", "8", "0.408", "0.427 ± 0.020", "0.400", "0.400", "0.600"],
    )

  def test_a_model_without_memory_says_so(self):
    table = self.table("memory_vectors", by_hand(slots=False))
    self.assertIn("e0: the model has no memory vectors.", table.html())
    figure = hermiticity.figures({"e0": by_hand(slots=False)})["e0"].figure()
    texts = [text.get_text() for part in figure.subfigs for a in part.axes for text in a.texts]
    self.assertIn("the model has no memory vectors.", texts)

  def test_no_percentages(self):
    text = "".join(table.html() for table in hermiticity.tables({"e0": by_hand()}))
    self.assertNotIn("%", re.sub("<[^>]*>", "", text))

  def test_figures(self):
    for found in (by_hand(), by_hand(slots=False)):
      pages = hermiticity.figures({"e0": found, "e4": by_hand(8)})
      self.assertEqual(set(pages), {"all runs", "e0", "e4"})
      for page in pages.values():
        drawn.assert_inside(self, page.figure())
    self.assertEqual(set(hermiticity.figures({"e0": by_hand()})), {"e0"})


if __name__ == "__main__":
  absltest.main()
