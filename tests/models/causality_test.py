import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import experiment
from primelens.models import (
  attention,
  binned,
  causality,
  encoder,
  guided,
  indices,
  spacing,
  tokens,
  transformer,
)

LEAKY_BANK = "bank_leaky_as_published"
MASKS = ("causal", "full", "leaky_as_published", "memory_blind")
T = causality.LENGTH
NEED = "needs|is for the slots|is not one of"
STEPS = np.arange(T)


def trunk(**changes) -> transformer.Config:
  """Returns a trunk of one layer and width 8 that drops nothing."""
  options = dict(width=8, layers=1, heads=2, hidden=8, dropout=0.0, embed_dropout=0.0)
  return transformer.Config(**options | changes)


def reads_ahead(mask: str, length: int, slots: int, memory: str) -> bool:
  """Returns whether a data position is reached from a later one: by the powers
  of the mask, an account of it that runs no network."""
  front = slots if memory in ("prefix", "bank") else 0
  back = slots if memory == "postfix" else 0
  size = front + length + back
  step = attention.table(mask, size, slots if mask in transformer.SLOT_MASKS else 0)
  reach = np.linalg.matrix_power(step.astype(int), 2) > 0  # of two layers or more
  data = slice(front, front + length)
  if memory == "postfix":  # answers once, behind the whole window
    return False
  return bool(np.triu(reach[data, data], 1).any())


def spacing_model(memory, mask, positions="learned", **changes) -> spacing.Config:
  """Returns a spacing predictor over T spacings, with two slots if it has any."""
  front = dict(mask_slots=2, rotary_start=2) if memory == "bank" else {}
  # What slots have read is read by others a layer later.
  its = trunk(mask=mask, positions=positions, layers=2 if front else 1, **front)
  return spacing.Config(window=T, memory=memory, slots=2, trunk=its, **changes)


def causal_models(mask):
  """Yields calls that make a model of every kind that predicts spacings, and
  whether all of it but what its name says may read ahead under the mask."""
  residual = {"residual": True, "mean": "raw"}
  for memory in ("none", "prefix", "postfix", "bank"):
    bank = memory == "bank"
    ahead = not bank and mask not in transformer.SLOT_MASKS and reads_ahead(mask, T, 2, memory)
    make = functools.partial(spacing_model, memory, mask)
    yield make, bank, ahead
    if mask in ("causal", "memory_blind"):  # the others are told, or asked as this one is
      for positions in ("sinusoidal", "rotary", "none"):
        yield functools.partial(make, positions), bank, ahead
      for changes in ({"skip_order": 3, "skip_filters": 2}, residual):
        yield functools.partial(make, **changes), bank, ahead
  names = ("height", "ar:3")
  yield lambda: guided.Config(window=T, guides=names, trunk=trunk(mask=mask)), False, mask == "full"
  for variant, segment in (("gpt", T), ("rmt", 3), ("rmt", T), ("bank", T), (LEAKY_BANK, T)):
    make = functools.partial(binned.Config, window=T, variant=variant, segment=segment, slots=2)
    yield (lambda make=make: make(trunk=trunk(mask=mask))), False, mask == "full"


class SweepTest(parameterized.TestCase):
  """Every combination predicts or is refused, as an account of its mask that
  runs no network says."""

  def test_predictors_of_spacings(self):
    asked = 0
    for mask in MASKS:
      for make, bank, ahead in causal_models(mask):
        if bank != (mask in transformer.SLOT_MASKS):
          with self.assertRaisesRegex(ValueError, NEED):
            make()
          continue
        config = make()
        reading = experiment.READINGS[config.kind](config)
        self.assertEqual(causality.leak(reading) is not None, ahead, config)
        asked += 1
    self.assertEqual(asked, 4 * (6 + 1) + 2 * 6)

  def test_models_that_answer_once_may_read_their_whole_prompt(self):
    makes = (
      lambda trunk: tokens.Config(trunk=trunk),
      lambda trunk: encoder.Config(trunk=trunk),
      lambda trunk: indices.Config(trunk=trunk),
      lambda trunk: indices.Config(embedding="context", features=16, trunk=trunk),
    )
    for make in makes:
      for mask in ("causal", "full"):
        config = make(trunk(mask=mask))
        reading = experiment.READINGS[config.kind](config)
        self.assertIsNone(causality.leak(reading))
        inputs = reading.draw(np.random.default_rng(0), 2)
        self.assertEqual(list(reading.last_U), [inputs.shape[1] - 1])
        params = jax.eval_shape(reading.init, jax.random.key(0))
        output = jax.eval_shape(reading.apply, params, inputs, jax.random.key(0))
        self.assertEqual(output.shape[:2], (2, 1))
      for mask in transformer.SLOT_MASKS:
        with self.assertRaisesRegex(ValueError, NEED):
          make(trunk(mask=mask))

  def test_slots_of_no_bank_are_refused(self):
    for memory in ("none", "prefix", "postfix"):
      with self.assertRaisesRegex(ValueError, "trunk.mask_slots=2 is for the slots"):
        spacing.Config(memory=memory, trunk=trunk(mask_slots=2))

  def test_every_model_says_what_its_outputs_may_read(self):
    self.assertEqual(experiment.READINGS.keys(), experiment.MODELS.keys())


class CheckTest(absltest.TestCase):
  def test_names_the_field_and_what_is_valid(self):
    config = spacing.Config(window=T, trunk=trunk(mask="full"))
    with self.assertRaises(ValueError) as caught:
      causality.check(config, spacing.reading)
    self.assertEqual(
      str(caught.exception),
      "model.trunk.mask='full' lets the network read what it is to predict: output 0 changes with"
      " input 1 (model.kind='spacing', memory='none'). Valid here: causal.",
    )

  def test_a_training_pass_is_asked_too(self):
    # With dropout the attention goes by its pattern, whose mask is another.
    config = spacing.Config(window=T, trunk=trunk(dropout=0.1))
    self.assertTrue(spacing.reading(config).drops)
    causality.check(config, spacing.reading)

  def test_what_is_asked_is_small_and_has_the_structure(self):
    big = spacing.Config(
      memory="bank",
      slots=8,
      trunk=transformer.Config(
        mask="memory_blind", mask_slots=8, positions="rotary", rotary_start=8, dtype="bfloat16"
      ),
    )
    small = causality.small(big.trunk, T)
    self.assertEqual((small.width, small.layers, small.heads, small.dtype), (8, 3, 2, "float32"))
    for name in ("mask", "positions", "norm", "bias", "activation", "final_norm"):
      self.assertEqual(getattr(small, name), getattr(big.trunk, name))
    self.assertLess(
      transformer.parameter_count(
        causality.random_params(spacing.reading(big).init, np.random.default_rng(0))
      ),
      5000,
    )


def planted(apply, last_U=range(T), drops=False) -> causality.Reading:
  """Returns a reading of a hand-written pass of one weight over spacings."""
  return causality.Reading(
    init=lambda key: {"weight": jnp.zeros(())},
    draw=lambda rng, rows: causality.spacings(rng, rows, T),
    apply=lambda params, x, key: apply(params["weight"], x, key),
    last_U=last_U,
    drops=drops,
  )


class PlantedTest(parameterized.TestCase):
  """Leaks written by hand, found where they are and nowhere else."""

  def test_a_mean_over_the_future(self):
    found = causality.leak(planted(lambda w, x, _: x + w * x.mean(1, keepdims=True)))
    self.assertEqual(found, causality.Leak(0, 1))

  def test_a_mean_over_the_past_is_none(self):
    past = lambda w, x, _: w * jnp.cumsum(x, 1) / (1 + STEPS)[None]
    self.assertIsNone(causality.leak(planted(past)))

  def test_one_output_that_reads_its_target(self):
    one = lambda w, x, _: x.at[:, 3].add(w * x[:, 4])
    self.assertEqual(causality.leak(planted(one)), causality.Leak(3, 4))

  def test_a_trace_of_the_future_beyond_the_last_place_of_float16(self):
    self.assertIsNotNone(causality.leak(planted(lambda w, x, _: x + 1e-6 * w * x[:, -1:])))

  def test_a_gate_that_starts_closed_hides_nothing(self):
    # The weight starts at 0, where no gradient of the future is seen.
    gated = lambda w, x, _: x + w * x[:, ::-1]
    self.assertIsNotNone(causality.leak(planted(gated)))

  def test_a_leak_in_training_alone(self):
    def trained(w, x, key):
      return x if key is None else x + w * x.mean(1, keepdims=True)

    self.assertIsNone(causality.leak(planted(trained)))
    self.assertIsNotNone(causality.leak(planted(trained, drops=True)))

  def test_one_answer_behind_the_window_may_read_all_of_it(self):
    answer = lambda w, x, _: w * x.sum(1, keepdims=True)
    self.assertIsNone(causality.leak(planted(answer, last_U=causality.once())))
    self.assertIsNotNone(causality.leak(planted(answer, last_U=(T - 2,))))

  def test_integers_have_no_gradient_and_are_replaced(self):
    table = jnp.asarray(np.random.default_rng(0).normal(size=8), jnp.float32)
    for ahead, expected in ((0, None), (1, causality.Leak(0, 1))):
      look = lambda w, x, _, ahead=ahead: table[jnp.roll(x, -ahead, 1)]
      draw = lambda rng, rows: rng.integers(0, 8, (rows, T))
      self.assertEqual(causality.leak(planted(look)._replace(draw=draw)), expected)

  def test_outputs_that_are_not_finite_prove_nothing(self):
    with self.assertRaisesRegex(ValueError, "not finite"):
      causality.leak(planted(lambda w, x, _: x * jnp.inf))


class SmallTest(absltest.TestCase):
  def test_a_kernel_of_a_gpu_is_replaced(self):
    small = causality.small(dataclasses.replace(trunk(), implementation="cudnn"), T)
    self.assertEqual(small.implementation, "auto")


if __name__ == "__main__":
  absltest.main()
