import dataclasses

import jax
from absl.testing import absltest, parameterized
from primelens.configs import (
  addition_p10,
  text_sum,
  zeros_bank,
  zeros_binned,
  zeros_guided,
  zeros_leak,
)
from primelens.lens import cli, experiment
from primelens.models import optimizer
from primelens.studies.zeros import program

CONFIGS = cli.shipped_configs()
# Every config, with its argument where it takes one.
NAMES = (
  *CONFIGS,
  *(f"zeros_prefix:{variant}" for variant in ("v0", "v1", "e1", "e2")),
  "zeros_postfix_e5:e5.5",
  *(f"zeros_bank:{mode}" for mode in zeros_bank.MODES),
  *(f"zeros_flash:{mode}" for mode in zeros_bank.MODES),
  *(f"zeros_long:{mode}" for mode in zeros_bank.MODES),
  *(f"zeros_leak:{variant}" for variant in zeros_leak.VARIANTS),
  *(f"zeros_binned:{name}" for name in zeros_binned.MODELS),
  *(f"zeros_binned:{name}" for name in zeros_binned.CONTROLS),
  *(f"zeros_guided:{variant}" for variant in zeros_guided.GUIDES),
  *(f"addition_p10:{variant}" for variant in addition_p10.VARIANTS),
  "addition_p113:32",
  *(f"text_sum:{variant}" for variant in text_sum.VARIANTS),
  "text_imported:modk",
  "text_learned:53,1000,20000",
)
# Parameters of the published networks. v0 has no slot ids (8 x 256 fewer than
# E1), v1 four heads of 256 weights and a bias.
PARAMETERS = {
  "zeros_e0": 4_794_136,
  "zeros_prefix": 4_800_280,
  "zeros_prefix:e1": 4_800_280,
  "zeros_prefix:e2": 4_800_280,
  "zeros_prefix:v0": 4_800_280 - 2048,
  "zeros_prefix:v1": 4_800_280 + 4 * 257,
  "zeros_postfix_e3": 4_802_336,
  "zeros_postfix_e4": 4_804_392,
  "zeros_postfix_e5": 4_804_392,
  "zeros_postfix_e5:e5.5": 4_804_392,
  "zeros_baseline": 4_797_464,
  "zeros_bank": 4_801_560,
  "zeros_bank:leaky_as_published": 4_801_560,
  "zeros_bank:none": 4_797_464,
  "zeros_flash": 4_733_976,
  "zeros_flash:leaky_as_published": 4_733_976,
  "zeros_flash:none": 4_733_976 - 8 * 256,
}
# The published hyper-parameters, by family of training scripts.
CAUSAL = {
  "fit.batch_size": 512,
  "fit.evaluate_every": 500,
  "fit.optimizer.rate": 3e-4,
  "fit.optimizer.beta1": 0.9,
  "fit.optimizer.beta2": 0.95,
  "fit.optimizer.weight_decay": 0.01,
  "fit.optimizer.warmup": 1500,
  "fit.optimizer.schedule": "cosine",
  "fit.optimizer.end_rate": 0.0,
  "fit.optimizer.floor_rate": 1e-5,
  "fit.optimizer.clip": 1.0,
  "model.entropy": 0.005,
  "model.weight_floor": 1e-10,
  "model.floor": "add",
  "task.split": "published_tail",
  "task.window": 255,
  "task.stride": 256,
}
POSTFIX = {
  "fit.steps": 20_000,
  "fit.batch_size": 512,
  "fit.evaluate_every": 500,
  "fit.optimizer.rate": 3e-4,
  "fit.optimizer.beta2": 0.999,
  "fit.optimizer.weight_decay": 0.1,
  "fit.optimizer.warmup": 0,
  "fit.optimizer.end_rate": 3e-5,
  "fit.optimizer.clip": 1.0,
  "fit.optimizer.slow_pattern": "memory/.*",
  "fit.optimizer.slow_factor": 0.3,
  "model.memory": "postfix",
  "model.slots": 8,
  "model.entropy": 0.005,
  "model.weight_floor": 1e-8,
  "model.floor": "clamp",
  "task.split": "published_tail",
  "task.window": 256,
  "task.stride": 1,
}
SLOW = {
  "model.memory": "prefix",
  "fit.optimizer.slow_pattern": "memory/.*",
  "fit.optimizer.slow_factor": 0.3,
}
HYPER = {
  "zeros_e0": CAUSAL | {"fit.steps": 20_000, "model.memory": "none"},
  "zeros_prefix:v0": CAUSAL | SLOW | {"fit.steps": 10_000, "model.slot_ids": "off"},
  "zeros_prefix:v1": CAUSAL | SLOW | {"fit.steps": 10_000, "model.auxiliary": "window_statistics"},
  "zeros_prefix:e1": CAUSAL
  | SLOW
  | {
    "fit.steps": 20_000,
    "model.drift_weight": 0.01,
    "model.drift_every": 20,
    "model.drift_horizon": 10,
    "model.drift_batch": 16,
    "model.drift_context": 10,
  },
  "zeros_prefix:e2": CAUSAL
  | SLOW
  | {
    "fit.steps": 20_000,
    "model.drift_weight": 0.1,
    "model.drift_every": 10,
    "model.drift_horizon": 20,
    "model.drift_batch": 32,
  },
  "zeros_postfix_e3": POSTFIX
  | {
    "model.slot_ids": "fixed",
    "model.eval_slot_ids": "fixed",
    "model.auxiliary": "none",
    "model.orthogonality_ramp": (),
  },
  "zeros_postfix_e4": POSTFIX
  | {
    "model.slot_ids": "permute_per_batch",
    "model.auxiliary": "mean",
    "model.auxiliary_ramp": ((500, 1e-3), (3000, 1e-2)),
    "model.orthogonality_ramp": (),
  },
  "zeros_postfix_e5": POSTFIX
  | {
    "model.slot_ids": "permute_per_batch",
    "model.auxiliary": "diagonal",
    "model.orthogonality_ramp": ((500, 1e-3), (5000, 1e-2)),
    "model.permutation_warmup": 0,
    "fit.patience": 10_000,
  },
  "zeros_postfix_e5:e5.5": POSTFIX | {"model.permutation_warmup": 2000},
}
TRUNK = {  # of every published network
  "width": 256,
  "layers": 6,
  "heads": 8,
  "hidden": 1024,
  "positions": "learned",
  "mask": "causal",
  "norm": "pre",
  "norm_bias": False,
  "norm_eps": 1e-5,
  "bias": False,
  "activation": "gelu",
  "dropout": 0.1,
  "embed_dropout": 0.1,
  "init_std": 0.02,
}


def _at(config, name: str):
  for part in name.split("."):
    config = getattr(config, part)
  return config


class ConfigsTest(parameterized.TestCase):
  @parameterized.parameters(*NAMES)
  def test_is_valid(self, name):
    config = cli.load_config(name)
    self.assertEqual(experiment.check(config), config)
    trunk, model = config.model.trunk, config.model
    if model.kind != "spacing":
      return
    slots = model.slots if model.memory != "none" else 0
    self.assertGreaterEqual(trunk.max_positions, model.window + slots)

  @parameterized.parameters(*CONFIGS)
  def test_header_has_a_command_that_trains_it(self, name):
    text = CONFIGS[name].read_text()
    docstring = text.split('"""')[1]
    self.assertRegex(
      docstring,
      rf"\n  python train.py --config=(configs/)?{name}(\.py)?(:\S+)? "
      r"--workdir=runs/\S+( \\)?\n",
    )
    self.assertRegex(docstring, "(minute|hours)")

  @parameterized.parameters(*PARAMETERS.items())
  def test_number_of_parameters(self, name, expected):
    config = cli.load_config(name)
    self.assertEqual(program.parameters(config.model), expected)

  @parameterized.parameters(*HYPER)
  def test_hyper_parameters_as_published(self, name):
    config = cli.load_config(name)
    found = {field: _at(config, field) for field in HYPER[name]}
    self.assertEqual(found, HYPER[name])
    trunk = {field: getattr(config.model.trunk, field) for field in TRUNK}
    self.assertEqual(trunk, TRUNK)
    self.assertEqual(config.model.components, 8)
    self.assertEqual(config.model.skip_order, 0)  # no head start

  @parameterized.parameters("zeros_prefix", "zeros_postfix_e5", "zeros_bank", "zeros_flash")
  def test_unknown_variants_are_refused(self, name):
    with self.assertRaisesRegex(ValueError, "'e9' is not one of .*e"):
      cli.load_config(f"{name}:e9")

  @parameterized.parameters("zeros_demo_e0", "zeros_demo_postfix")
  def test_the_demo_is_small_and_has_two_seeds(self, name):
    config = cli.load_config(name)
    self.assertLess(program.parameters(config.model), 120_000)
    self.assertGreaterEqual(config.fit.seeds, 2)
    self.assertEqual(config.task.split, "published_tail")
    self.assertEqual(config.task.limit, 0)  # all zeros

  def test_all_published_networks_are_here(self):
    self.assertContainsSubset(
      {"zeros_e0", "zeros_prefix", "zeros_postfix_e3", "zeros_postfix_e4"}
      | {"zeros_postfix_e5", "zeros_demo_e0", "zeros_demo_postfix"},
      set(CONFIGS),
    )

  @parameterized.parameters("zeros_e0", "zeros_postfix_e4")
  def test_bfloat16_is_an_option(self, name):
    config = cli.assign(cli.load_config(name), ["model.trunk.dtype=bfloat16"])
    checked = experiment.check(config)
    self.assertEqual(checked.model.trunk.dtype, "bfloat16")


class RateTest(absltest.TestCase):
  def test_published_schedules(self):
    rate = {}
    for name in ("zeros_e0", "zeros_postfix_e3"):
      config = cli.load_config(name).fit
      schedule = optimizer.schedule(config.optimizer, config.optimizer.rate, config.steps)
      rate[name] = [float(schedule(s)) for s in (0, 749, 1500, 10_750, 20_000)]
    # Warm-up over 1,500 steps, cosine to 0 but never below 1e-5.
    for found, expected in zip(rate["zeros_e0"], (2e-7, 1.5e-4, 3e-4, 1.5e-4, 1e-5), strict=True):
      self.assertAlmostEqual(found, expected, delta=1e-3 * expected)
    # No warm-up, cosine from 3e-4 to 3e-5.
    self.assertAlmostEqual(rate["zeros_postfix_e3"][0], 3e-4, delta=1e-9)
    self.assertAlmostEqual(rate["zeros_postfix_e3"][-1], 3e-5, delta=1e-9)

  def test_the_memory_of_postfix_learns_at_three_tenths(self):
    config = cli.load_config("zeros_postfix_e3").fit.optimizer
    config = dataclasses.replace(config, weight_decay=0.0)
    tx = optimizer.build(config, 100)
    params = {"memory": {"content": 1.0}, "head": {"bias": 1.0}}
    params = jax.tree.map(jax.numpy.asarray, params)
    updates, _ = tx.update(jax.tree.map(jax.numpy.ones_like, params), tx.init(params), params)
    ratio = updates["memory"]["content"] / updates["head"]["bias"]
    self.assertAlmostEqual(float(ratio), 0.3, places=5)


if __name__ == "__main__":
  absltest.main()
