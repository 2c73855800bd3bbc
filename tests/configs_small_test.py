"""Configs of the adders and of the readers of characters."""

import dataclasses

import jax
from absl.testing import absltest, parameterized
from primelens.lens import cli
from primelens.models import encoder, optimizer, tokens, transformer

ADDERS = {  # addition spec, section 2
  "addition_p10": 200_960,
  "addition_p113": 226_048,
}


class AddersTest(parameterized.TestCase):
  @parameterized.parameters(*ADDERS.items())
  def test_as_published(self, name, expected):
    config = cli.load_config(name)
    start = lambda key: tokens.init(config.model, key)
    shapes = jax.eval_shape(start, jax.random.key(0))
    self.assertEqual(transformer.parameter_count(shapes), expected)
    # Spec, section 3: AdamW, constant rate, no warm-up, no clipping.
    self.assertEqual(
      config.fit.optimizer,
      optimizer.Config(
        rate=1e-3, schedule="constant", beta1=0.9, beta2=0.98, eps=1e-8, weight_decay=1.0, clip=0.0
      ),
    )
    self.assertEqual(config.fit.snapshot_every, 100)

  def test_the_source_is_a_member(self):
    config = cli.load_config("addition_p10")
    self.assertEqual(config.fit.steps, 10_000)
    pairs = zip(config.task.split_seeds, config.model.torch_seeds, strict=True)
    self.assertIn((598, 999), set(pairs))
    self.assertGreaterEqual(config.fit.seeds, 11)
    self.assertEqual(cli.load_config("addition_p113").fit.steps, 25_000)

  @parameterized.parameters(
    ("addition_p10:e9", "'e9' is not one of published, "),
    ("addition_p113:many", "'many' is not a number of members"),
    ("addition_p53:0", "'0' is not a number of members"),
  )
  def test_unknown_variants_are_refused(self, name, message):
    with self.assertRaisesRegex(ValueError, message):
      cli.load_config(name)


class ReadersTest(parameterized.TestCase):
  @parameterized.parameters("text_sum", "text_sum:modk", "text_imported")
  def test_as_published(self, name):
    config = cli.load_config(name)
    start = lambda key: encoder.init(config.model, key)
    shapes = jax.eval_shape(start, jax.random.key(0))
    self.assertEqual(transformer.parameter_count(shapes), 333_569)
    trunk = config.model.trunk
    self.assertEqual((trunk.norm, trunk.dropout), ("post", 0.1))
    self.assertTrue(trunk.identical_layers)

  def test_fit_as_published(self):
    # Spec, section 3: ten epochs of 141 steps, AdamW without a schedule.
    fit = cli.load_config("text_sum").fit
    self.assertEqual((fit.steps, fit.batch_size), (1410, 128))
    self.assertGreaterEqual(fit.seeds, 5)
    found = dataclasses.replace(fit.optimizer, schedule="constant")
    self.assertEqual(found, fit.optimizer)
    self.assertEqual((found.rate, found.weight_decay), (2e-3, 0.01))
    self.assertEqual((found.beta1, found.beta2), (0.9, 0.999))
    self.assertEqual(found.clip, 0.0)

  @parameterized.parameters(
    ("text_sum:e9", "'e9' is not one of sum, modk"),
    ("text_imported:valid", "'valid' is not one of sum, modk"),
    ("text_learned:97,x,5", "is not k,operands,steps"),
  )
  def test_unknown_variants_are_refused(self, name, message):
    with self.assertRaisesRegex(ValueError, message):
      cli.load_config(name)


if __name__ == "__main__":
  absltest.main()
