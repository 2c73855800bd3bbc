"""Configs of the memory bank, of Flash, and of the small ones on the leak."""

import dataclasses
import itertools

from absl.testing import absltest, parameterized
from primelens.configs import zeros_leak
from primelens.lens import cli
from primelens.studies.zeros import program

# Zeta spec, section 3.1; the run's value where one is documented.
FAMILY = {
  "fit.steps": 20_000,
  "fit.batch_size": 256,
  "fit.optimizer.rate": 3e-4,
  "fit.optimizer.beta1": 0.9,
  "fit.optimizer.beta2": 0.999,
  "fit.optimizer.warmup": 1500,
  "fit.optimizer.schedule": "cosine",
  "fit.optimizer.end_rate": 1e-5,
  "fit.optimizer.weight_decay": 0.1,
  "fit.optimizer.clip": 1.0,
  "model.entropy": 0.005,
  "model.components": 8,
  "model.weight_floor": 1e-10,
  "model.mean": "raw",
  "model.scale_max": 5.0,
  "model.residual": False,
  "model.trunk.width": 256,
  "model.trunk.layers": 6,
  "model.trunk.heads": 8,
  "model.trunk.hidden": 1024,
  "model.trunk.norm_bias": True,
  "model.trunk.bias": False,
  "model.trunk.dropout": 0.1,
  "model.trunk.embed_dropout": 0.1,
  "model.trunk.positions": "learned",
  "task.split": "published_tail",
  "task.window": 256,
  "task.stride": 256,
}
NONE = {"model.memory": "none", "model.trunk.mask": "causal"}
BANK = {
  "model.memory": "bank",
  "model.slots": 8,
  "model.slot_keep": 0.9,
  "model.diversity": 0.01,
  "model.trunk.mask_slots": 8,
  "fit.optimizer.slow_pattern": "memory/.*",
  "fit.optimizer.slow_factor": 0.1,
}
FLASH = {
  "fit.optimizer.rate": 4e-4,
  "model.entropy": 0.01,
  "model.scale_max": 10.0,
  "model.residual": True,
  "model.trunk.positions": "rotary",
  "task.window": 512,
  "task.stride": 512,
}
BLIND = BANK | {"model.trunk.mask": "memory_blind"}
LEAKY = BANK | {"model.trunk.mask": "leaky_as_published"}
ROTARY = {"model.trunk.rotary_start": 8}
PUBLISHED = {
  "zeros_baseline": FAMILY | NONE,
  "zeros_bank": FAMILY | BLIND,
  "zeros_bank:leaky_as_published": FAMILY | LEAKY,
  "zeros_bank:none": FAMILY | NONE,
  "zeros_flash": FAMILY | FLASH | BLIND | ROTARY,
  "zeros_flash:leaky_as_published": FAMILY | FLASH | LEAKY | ROTARY,
  "zeros_flash:none": FAMILY | FLASH | NONE,
}


def at(config, name: str):
  for part in name.split("."):
    config = getattr(config, part)
  return config


class PublishedTest(parameterized.TestCase):
  @parameterized.parameters(*PUBLISHED)
  def test_hyper_parameters(self, name):
    config = cli.load_config(name)
    found = {field: at(config, field) for field in PUBLISHED[name]}
    self.assertEqual(found, PUBLISHED[name])


class LeakTest(parameterized.TestCase):
  def test_twelve_variants_differ_in_mask_input_and_positions_alone(self):
    self.assertLen(set(zeros_leak.VARIANTS), 12)
    modes = ("leaky_as_published", "memory_blind", "none")
    for mode, reads, positions in itertools.product(
      modes, ("spacings", "residuals"), ("learned", "rotary")
    ):
      config = cli.load_config(f"zeros_leak:{mode},{reads},{positions}")
      model, trunk = config.model, config.model.trunk
      self.assertEqual(trunk.positions, positions)
      self.assertEqual(model.residual, reads == "residuals")
      self.assertEqual(trunk.mask if model.memory == "bank" else model.memory, mode)
      self.assertEqual(config.fit.seeds, 3)
      self.assertEqual(config.task.limit, 0)  # all zeros
      self.assertEqual((trunk.dropout, trunk.embed_dropout), (0, 0))
      same = dataclasses.replace(config.fit, optimizer=zeros_leak.get_config().fit.optimizer)
      self.assertEqual(same, zeros_leak.get_config().fit)
      self.assertLess(program.parameters(model), 70_000)

  def test_an_unknown_variant_is_refused(self):
    with self.assertRaisesRegex(ValueError, "'none,s,rotary' is not one of"):
      cli.load_config("zeros_leak:none,s,rotary")


if __name__ == "__main__":
  absltest.main()
