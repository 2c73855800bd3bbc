"""The families of configs: their names, what is published of them, and what they differ in."""

import ast
import copy
import dataclasses
import functools
import itertools

import jax
import one
from absl.testing import absltest, parameterized
from primelens.configs import primes, zeros_bank
from primelens.lens import cli, experiment
from primelens.models import encoder, indices, optimizer, tokens, transformer
from primelens.studies.primes import program as primes_program
from primelens.studies.zeros import program

CONFIGS = cli.shipped_configs()
FAMILIES = cli.families()
LISTED = tuple(f"{family}:{name}" for family, names in FAMILIES.items() for name in names)
GROUPS = tuple(name for name in LISTED if name.endswith((":all", "_all")))
VARIANTS = tuple(name for name in LISTED if name not in GROUPS)
# Every variant, also with the sizes it takes.
NAMES = (
  *VARIANTS,
  "addition:p113,32",
  "addition:p53,2",
  "addition:p97,3",
  "text:learned,53,1000,20000",
)
# Some names of earlier revisions.
EARLIER = {
  "zeros_demo_e0": "zeros_demo:e0",
  "configs/zeros_demo_postfix.py": "zeros_demo:postfix",
  "zeros_prefix": "zeros_published:e2",
  "zeros_prefix:v1": "zeros_published:v1",
  "zeros_postfix_e5:e5.5": "zeros_published:e5.5",
  "zeros_bank:none": "zeros_bank:baseline",
  "zeros_flash": "zeros_bank:flash_memory_blind",
  "zeros_leak:none,residuals,rotary": "zeros_bank:leak_none_residuals_rotary",
  "zeros_leak:all": "zeros_bank:leak_all",
  "zeros_long": "zeros_small:long_none",
  "zeros_guided:gpu_all": "zeros_guided:gpu_every",
  "addition_p10": "addition:p10_published",
  "addition_p10:published": "addition:p10_published",
  "addition_p113:32": "addition:p113,32",
  "text_sum:untied": "text:untied",
  "text_sum:all": "text:questions_all",
  "text_imported:sum": "text:imported",
  "text_learned:53,100,6000": "text:learned,53,100,6000",
  "text_scale:L4_D256": "text:scale_L4_D256",
  "primes_small:kernel_wide": "primes:small_kernel_wide",
  "primes_published:a_replay": "primes:published_a_replay",
}
# Parameters of the published networks. v0 has no slot ids (8 x 256 fewer than
# E1), v1 four heads of 256 weights and a bias.
PARAMETERS = {
  "zeros_published:e0": 4_794_136,
  "zeros_published:e1": 4_800_280,
  "zeros_published:e2": 4_800_280,
  "zeros_published:v0": 4_800_280 - 2048,
  "zeros_published:v1": 4_800_280 + 4 * 257,
  "zeros_published:e3": 4_802_336,
  "zeros_published:e4": 4_804_392,
  "zeros_published:e5": 4_804_392,
  "zeros_published:e5.5": 4_804_392,
  "zeros_bank:baseline": 4_797_464,
  "zeros_bank:memory_blind": 4_801_560,
  "zeros_bank:leaky_as_published": 4_801_560,
  "zeros_bank:flash_memory_blind": 4_733_976,
  "zeros_bank:flash_leaky_as_published": 4_733_976,
  "zeros_bank:flash_none": 4_733_976 - 8 * 256,
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
  "zeros_published:e0": CAUSAL | {"fit.steps": 20_000, "model.memory": "none"},
  "zeros_published:v0": CAUSAL | SLOW | {"fit.steps": 10_000, "model.slot_ids": "off"},
  "zeros_published:v1": CAUSAL
  | SLOW
  | {"fit.steps": 10_000, "model.auxiliary": "window_statistics"},
  "zeros_published:e1": CAUSAL
  | SLOW
  | {
    "fit.steps": 20_000,
    "model.drift_weight": 0.01,
    "model.drift_every": 20,
    "model.drift_horizon": 10,
    "model.drift_batch": 16,
    "model.drift_context": 10,
  },
  "zeros_published:e2": CAUSAL
  | SLOW
  | {
    "fit.steps": 20_000,
    "model.drift_weight": 0.1,
    "model.drift_every": 10,
    "model.drift_horizon": 20,
    "model.drift_batch": 32,
  },
  "zeros_published:e3": POSTFIX
  | {
    "model.slot_ids": "fixed",
    "model.eval_slot_ids": "fixed",
    "model.auxiliary": "none",
    "model.orthogonality_ramp": (),
  },
  "zeros_published:e4": POSTFIX
  | {
    "model.slot_ids": "permute_per_batch",
    "model.auxiliary": "mean",
    "model.auxiliary_ramp": ((500, 1e-3), (3000, 1e-2)),
    "model.orthogonality_ramp": (),
  },
  "zeros_published:e5": POSTFIX
  | {
    "model.slot_ids": "permute_per_batch",
    "model.auxiliary": "diagonal",
    "model.orthogonality_ramp": ((500, 1e-3), (5000, 1e-2)),
    "model.permutation_warmup": 0,
    "fit.patience": 10_000,
  },
  "zeros_published:e5.5": POSTFIX | {"model.permutation_warmup": 2000},
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
# docs/sources/zeros.md, section 3.1; the run's value where one is documented.
SECOND = {
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
BANKS = {
  "zeros_bank:baseline": SECOND | NONE,
  "zeros_bank": SECOND | BLIND,
  "zeros_bank:leaky_as_published": SECOND | LEAKY,
  "zeros_bank:flash_memory_blind": SECOND | FLASH | BLIND | ROTARY,
  "zeros_bank:flash_leaky_as_published": SECOND | FLASH | LEAKY | ROTARY,
  "zeros_bank:flash_none": SECOND | FLASH | NONE,
}
# From docs/sources/primes.md, section 3: rows of a step, parts, steps of an
# epoch, epochs, parameters.
PLANS = {
  "a": (4096, 16, 245, 325, 260_779_777),
  "b": (256, 1, 3907, 161, 260_779_777),
  "c": (4096, 16, 245, 320, 4_779_777),
}
EVENTS = {  # epoch: the new rate
  "a": {
    **{30: 7.00e-5, 52: 6.77e-5, 72: 7.32e-5, 92: 7.74e-5, 119: 7.22e-5},
    **{139: 7.34e-5, 159: 7.30e-5, 190: 7.66e-5, 237: 7.55e-5},
    **{284: 9.32e-5, 314: 6.52e-5},
  },
  "b": {
    **{30: 8.77e-5, 52: 9.03e-5, 72: 9.50e-5, 92: 9.90e-5, 112: 1.03e-4},
    **{132: 8.12e-5, 152: 6.73e-5},
  },
  "c": {
    **{30: 9.50e-5, 67: 9.07e-5, 97: 8.84e-5, 127: 8.17e-5, 174: 8.75e-5},
    **{221: 8.88e-5, 290: 7.79e-5},
  },
}


@functools.cache
def _module(family: str):
  return cli.plugins.run_file(CONFIGS[family], f"primelens_config_{family}")


@functools.cache
def _loaded(name: str) -> experiment.Experiment:
  family, _, variant = name.partition(":")
  return _module(family).get_config(*filter(None, [variant]))


def load(name: str) -> experiment.Experiment:
  """Returns a config as `cli.load_config` does, whose file is run once."""
  return copy.deepcopy(_loaded(name))


def at(config, name: str):
  for part in name.split("."):
    config = getattr(config, part)
  return config


def parameters(init, model) -> int:
  shapes = jax.eval_shape(lambda key: init(model, key), jax.random.key(0))
  return transformer.parameter_count(shapes)


class FamiliesTest(parameterized.TestCase):
  @parameterized.parameters(*NAMES)
  def test_is_valid(self, name):
    config = load(name)
    self.assertEqual(experiment.check(config), config)
    trunk, model = config.model.trunk, config.model
    if model.kind != "spacing":
      return
    slots = model.slots if model.memory != "none" else 0
    self.assertGreaterEqual(trunk.max_positions, model.window + slots)

  @parameterized.parameters(*CONFIGS)
  def test_what_help_lists_is_what_the_file_has(self, family):
    module = _module(family)
    expected = [*module.VARIANTS, *getattr(module, "GROUPS", {})]
    self.assertEqual(list(FAMILIES[family]), expected)
    self.assertLen(set(expected), len(expected))
    self.assertEqual(load(family), load(f"{family}:{expected[0]}"))
    for name in expected:
      self.assertIn(name, cli.listed())

  def test_no_variant_equals_another(self):
    configs = {name: load(name) for name in VARIANTS}
    same = [
      pair for pair in itertools.combinations(VARIANTS, 2) if configs[pair[0]] == configs[pair[1]]
    ]
    self.assertEmpty(same)

  @parameterized.parameters(*GROUPS, "zeros_demo:all", "zeros_binned:all")
  def test_groups_are_of_their_variants(self, name):
    family, _, group = name.partition(":")
    named = getattr(_module(family), "GROUPS", {}).get(group, FAMILIES[family])
    found = cli.load_configs(name)
    short = group.removesuffix("all")
    self.assertEqual(list(found), [variant.removeprefix(short) for variant in named])
    for variant, config in zip(named, found.values(), strict=True):
      self.assertEqual(config, load(f"{family}:{variant}"))

  def test_sizes_of_groups(self):
    sizes = {name: len(cli.load_configs(name)) for name in ("addition:p10_all", "primes:small_all")}
    self.assertEqual(sizes, {"addition:p10_all": 6, "primes:small_all": 24})
    self.assertEqual(
      list(cli.load_configs("zeros_small:all")), ["zeros", "shuffled", "cue", "primes"]
    )
    self.assertEqual(list(cli.load_configs("zeros_small:long_all")), ["none", "memory_blind"])
    self.assertNotIn("gpu", cli.load_configs("zeros_guided:all"))

  @parameterized.parameters(*CONFIGS)
  def test_header_has_a_command_that_trains_it(self, family):
    docstring = ast.get_docstring(ast.parse(CONFIGS[family].read_text()), clean=False)
    commands = [line for line in docstring.splitlines() if line.startswith("  python train.py")]
    self.assertNotEmpty(commands)
    for line in commands:
      self.assertRegex(line, rf"--config={family}:\S+ (--workdir=runs/\S+( \\)?|--dry_run)$")
      cli.load_configs(line.split("--config=")[1].split()[0])
    self.assertIn("--workdir=", commands[0])
    self.assertRegex(docstring, "(minute|hours)")

  @parameterized.parameters(
    *(f"{family}:e9" for family in CONFIGS), "addition:p10_drift,5", "text:sum,97,100,6000"
  )
  def test_unknown_variants_are_refused(self, name):
    family, _, variant = name.partition(":")
    known = ", ".join(_module(family).VARIANTS)
    with self.assertRaises(ValueError) as caught:
      one.config(name)
    self.assertEqual(str(caught.exception), f"{variant!r} is not one of {known}.")

  @parameterized.parameters(
    ("addition:p113,many", "'many' is not a number of members, as in p113,32"),
    ("addition:p53,0", "'0' is not a number of members"),
    ("addition:p97,", "'' is not a number of members"),
    ("text:learned,97,x,5", "is not K,OPERANDS,STEPS"),
    ("text:learned,", "is not K,OPERANDS,STEPS"),
  )
  def test_wrong_sizes_are_refused(self, name, message):
    with self.assertRaisesRegex(ValueError, message):
      one.config(name)

  @parameterized.parameters(*EARLIER.items())
  def test_a_name_of_an_earlier_revision_is_said_anew(self, old, new):
    with self.assertRaises(ValueError) as caught:
      cli.load_configs(old)
    expected = f"The config {old!r} of an earlier revision is called {new} now."
    self.assertEqual(str(caught.exception), expected)
    cli.load_configs(new)

  def test_every_name_of_an_earlier_revision_leads_somewhere(self):
    tree = ast.parse((CONFIGS["text"].parent / "__init__.py").read_text())
    (table,) = [node.value for node in tree.body if isinstance(node, ast.Assign)]
    earlier = ast.literal_eval(table)
    self.assertLen({name for name in earlier if ":" not in name}, 21)  # four files are there still
    for alone, pattern in earlier.values():
      family, _, variant = alone.partition(":")
      self.assertIn(variant, FAMILIES[family])
      self.assertIn(pattern.partition(":")[0], {"", *FAMILIES})

  def test_a_config_imports_few_rooms(self):
    # Settings of analyses are given by name, so that no slice is loaded to read a config.
    allowed = ("primelens.lens.experiment", "primelens.models.", "primelens.tasks.")
    for family, path in CONFIGS.items():
      imported = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
      }
      ours = {name for name in imported if name.startswith("primelens.")}
      extra = {name for name in ours if not name.startswith(allowed)}
      its = {"primelens.studies.primes.program"} if family == "primes" else set()
      shared = {"primelens.configs.zeros_bank", "primelens.configs.zeros_small"}
      self.assertEqual(extra - shared, its, family)


class ZerosTest(parameterized.TestCase):
  @parameterized.parameters(*PARAMETERS.items())
  def test_number_of_parameters(self, name, expected):
    self.assertEqual(program.parameters(load(name).model), expected)

  @parameterized.parameters(*HYPER)
  def test_hyper_parameters_as_published(self, name):
    config = load(name)
    found = {field: at(config, field) for field in HYPER[name]}
    self.assertEqual(found, HYPER[name])
    trunk = {field: getattr(config.model.trunk, field) for field in TRUNK}
    self.assertEqual(trunk, TRUNK)
    self.assertEqual(config.model.components, 8)
    self.assertEqual(config.model.skip_order, 0)  # no head start

  @parameterized.parameters(*BANKS)
  def test_hyper_parameters_of_banks(self, name):
    config = load(name)
    found = {field: at(config, field) for field in BANKS[name]}
    self.assertEqual(found, BANKS[name])

  @parameterized.parameters("zeros_demo:e0", "zeros_demo:postfix")
  def test_the_demo_is_small_and_has_two_seeds(self, name):
    config = load(name)
    self.assertLess(program.parameters(config.model), 120_000)
    self.assertGreaterEqual(config.fit.seeds, 2)
    self.assertEqual(config.task.split, "published_tail")
    self.assertEqual(config.task.limit, 0)  # all zeros

  def test_all_published_networks_are_here(self):
    self.assertEqual(
      FAMILIES["zeros_published"][:9], ("e0", "v0", "v1", "e1", "e2", "e3", "e4", "e5", "e5.5")
    )
    self.assertEqual(FAMILIES["zeros_demo"], ("e0", "postfix"))

  @parameterized.parameters("zeros_published:e0", "zeros_published:e4")
  def test_bfloat16_is_an_option(self, name):
    config = cli.assign(load(name), ["model.trunk.dtype=bfloat16"])
    checked = experiment.check(config)
    self.assertEqual(checked.model.trunk.dtype, "bfloat16")

  def test_twelve_of_the_leak_differ_in_mask_input_and_positions_alone(self):
    self.assertLen(set(zeros_bank.LEAK), 12)
    modes = ("leaky_as_published", "memory_blind", "none")
    for mode, reads, positions in itertools.product(
      modes, ("spacings", "residuals"), ("learned", "rotary")
    ):
      config = load(f"zeros_bank:leak_{mode}_{reads}_{positions}")
      model, trunk = config.model, config.model.trunk
      self.assertEqual(trunk.positions, positions)
      self.assertEqual(model.residual, reads == "residuals")
      self.assertEqual(trunk.mask if model.memory == "bank" else model.memory, mode)
      self.assertEqual(config.fit.seeds, 3)
      self.assertEqual(config.task.limit, 0)  # all zeros
      self.assertEqual((trunk.dropout, trunk.embed_dropout), (0, 0))
      other = load("zeros_bank:leak_leaky_as_published_spacings_learned").fit
      same = dataclasses.replace(config.fit, optimizer=other.optimizer)
      self.assertEqual(same, other)
      self.assertLess(program.parameters(model), 70_000)


class RateTest(absltest.TestCase):
  def test_published_schedules(self):
    rate = {}
    for name in ("e0", "e3"):
      config = load(f"zeros_published:{name}").fit
      schedule = optimizer.schedule(config.optimizer, config.optimizer.rate, config.steps)
      rate[name] = [float(schedule(s)) for s in (0, 749, 1500, 10_750, 20_000)]
    # Warm-up over 1,500 steps, cosine to 0 but never below 1e-5.
    for found, expected in zip(rate["e0"], (2e-7, 1.5e-4, 3e-4, 1.5e-4, 1e-5), strict=True):
      self.assertAlmostEqual(found, expected, delta=1e-3 * expected)
    # No warm-up, cosine from 3e-4 to 3e-5.
    self.assertAlmostEqual(rate["e3"][0], 3e-4, delta=1e-9)
    self.assertAlmostEqual(rate["e3"][-1], 3e-5, delta=1e-9)

  def test_the_memory_of_postfix_learns_at_three_tenths(self):
    config = load("zeros_published:e3").fit.optimizer
    config = dataclasses.replace(config, weight_decay=0.0)
    tx = optimizer.build(config, 100)
    params = {"memory": {"content": 1.0}, "head": {"bias": 1.0}}
    params = jax.tree.map(jax.numpy.asarray, params)
    updates, _ = tx.update(jax.tree.map(jax.numpy.ones_like, params), tx.init(params), params)
    ratio = updates["memory"]["content"] / updates["head"]["bias"]
    self.assertAlmostEqual(float(ratio), 0.3, places=5)


class AdditionTest(parameterized.TestCase):
  # From docs/sources/addition.md, section 2.
  @parameterized.parameters(("addition:p10_published", 200_960), ("addition:p113", 226_048))
  def test_as_published(self, name, expected):
    config = load(name)
    self.assertEqual(parameters(tokens.init, config.model), expected)
    # From docs/sources/addition.md, section 3: AdamW, constant rate, no warm-up, no clipping.
    self.assertEqual(
      config.fit.optimizer,
      optimizer.Config(
        rate=1e-3, schedule="constant", beta1=0.9, beta2=0.98, eps=1e-8, weight_decay=1.0, clip=0.0
      ),
    )
    self.assertEqual(config.fit.snapshot_every, 100)

  def test_the_source_is_a_member(self):
    config = load("addition:p10_published")
    self.assertEqual(config.fit.steps, 10_000)
    pairs = zip(config.task.split_seeds, config.model.torch_seeds, strict=True)
    self.assertIn((598, 999), set(pairs))
    self.assertGreaterEqual(config.fit.seeds, 11)
    self.assertEqual(load("addition:p113").fit.steps, 25_000)

  @parameterized.parameters(("addition:p97", 1), ("addition:p97,3", 3))
  def test_two_layers_as_in_the_source(self, name, members):
    # From docs/sources/primes.md, section 7.4: width 128, two layers, four heads, MLP 512.
    config = experiment.check(load(name))
    trunk = config.model.trunk
    self.assertEqual((trunk.width, trunk.layers), (128, 2))
    self.assertEqual((trunk.heads, trunk.hidden), (4, 512))
    self.assertEqual(trunk.activation, "relu")
    self.assertEqual((config.task.digits, config.task.modular), (97, True))
    self.assertEqual(config.fit.steps, 17_500)
    self.assertEqual(config.fit.seeds, members)
    self.assertLen(config.task.split_seeds, members)
    # No norms, no biases: tables of 98 and 97 rows, three positions, two
    # layers of four D x D and two D x F matrices.
    expected = (98 + 97 + 3) * 128 + 2 * (4 * 128 * 128 + 2 * 128 * 512)
    self.assertEqual(parameters(tokens.init, config.model), expected)


class TextTest(parameterized.TestCase):
  @parameterized.parameters("text:sum", "text:modk", "text:imported")
  def test_as_published(self, name):
    config = load(name)
    self.assertEqual(parameters(encoder.init, config.model), 333_569)
    trunk = config.model.trunk
    self.assertEqual((trunk.norm, trunk.dropout), ("post", 0.1))
    self.assertTrue(trunk.identical_layers)

  def test_fit_as_published(self):
    # From docs/sources/text.md, section 3: ten epochs of 141 steps, AdamW without a schedule.
    fit = load("text:sum").fit
    self.assertEqual((fit.steps, fit.batch_size), (1410, 128))
    self.assertGreaterEqual(fit.seeds, 5)
    found = dataclasses.replace(fit.optimizer, schedule="constant")
    self.assertEqual(found, fit.optimizer)
    self.assertEqual((found.rate, found.weight_decay), (2e-3, 0.01))
    self.assertEqual((found.beta1, found.beta2), (0.9, 0.999))
    self.assertEqual(found.clip, 0.0)


def optimizer_of(cycle: int, **changes) -> optimizer.Config:
  """Returns AdamW at 1e-4 with decay .01, torch's betas and a clip at 5."""
  options = dict(
    rate=1e-4,
    schedule="random_walk",
    cycle=cycle,
    warmup=0,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    weight_decay=0.01,
    clip=5.0,
    slow_pattern="",
  )
  return optimizer.Config(**options | changes)


class PrimesPublishedTest(parameterized.TestCase):
  @parameterized.parameters(*PLANS)
  def test_plans(self, plan):
    config = experiment.check(load(f"primes:published_{plan}"))
    batch, parts, cycle, epochs, count = PLANS[plan]
    fit = config.fit
    self.assertEqual((fit.batch_size, fit.accumulation), (batch, parts))
    self.assertEqual(fit.batch_size // fit.accumulation, 256)
    self.assertEqual(primes_program.epoch_steps(config), cycle)
    self.assertEqual(fit.steps, epochs * cycle)
    self.assertEqual(fit.optimizer, optimizer_of(cycle))
    self.assertEqual(parameters(indices.init, config.model), count)
    task = config.task
    self.assertEqual((task.primes, task.sequence), (1_000_000, "primes"))
    self.assertEqual((task.order, task.held_out), ("fixed", "none"))
    self.assertEqual(config.model.embedding_std, 0.02)
    self.assertEqual(config.model.trunk, indices.one_token_trunk())

  @parameterized.parameters(*PLANS)
  def test_replayed_plans_differ_in_their_rates_alone(self, plan):
    config = experiment.check(load(f"primes:published_{plan}_replay"))
    cycle = PLANS[plan][2]
    events = tuple(EVENTS[plan].items())
    expected = optimizer_of(cycle, schedule="replay", events=events)
    self.assertEqual(config.fit.optimizer, expected)
    config.fit.optimizer = optimizer_of(cycle)
    self.assertEqual(config, load(f"primes:published_{plan}"))

  @parameterized.parameters(("chaos_a", 1.0), ("chaos_c", 0.02))
  def test_chaos(self, variant, std):
    # From docs/sources/primes.md, section 7.1: shuffled, cosine to 1e-6, 300 epochs.
    config = experiment.check(load(f"primes:published_{variant}"))
    task, model = config.task, config.model
    self.assertEqual((task.sequence, task.order), ("logistic", "shuffled"))
    self.assertEqual(config.fit.steps, 300 * 245)
    expected = optimizer_of(0, schedule="cosine", end_rate=1e-6)
    self.assertEqual(config.fit.optimizer, expected)
    learned = model.embedding == "learned"
    self.assertEqual(learned, variant == "chaos_a")
    self.assertEqual(model.embedding_std, std)

  @parameterized.parameters(("flows", 0.02), ("flows_chaos", 1.0))
  def test_flows(self, variant, std):
    # From docs/sources/primes.md, section 7.2.
    config = experiment.check(load(f"primes:published_{variant}"))
    count = parameters(indices.init, config.model)
    self.assertEqual(count, 256_000_000 + 909_729)
    self.assertEqual(config.model.embedding_std, std)
    self.assertEqual(config.model.trunk.norm, "post")


class PrimesSmallTest(parameterized.TestCase):
  @parameterized.parameters(*primes.SMALL)
  def test_variants(self, variant):
    config = experiment.check(load(f"primes:{variant}"))
    fit = config.fit
    self.assertGreaterEqual(fit.seeds, 3)
    self.assertEqual(fit.steps % primes_program.epoch_steps(config), 0)
    self.assertEqual(fit.dispatch, primes_program.epoch_steps(config))
    self.assertEqual(fit.optimizer.clip, 5.0)
    self.assertEqual(fit.optimizer.weight_decay, 0.01)
    # The random walk never leaves [1e-6, 5e-4].
    if fit.optimizer.schedule == "random_walk":
      self.assertLessEqual(fit.optimizer.rate, 5e-4)
    kernel = config.model.trunk.implementation == "mismatched"
    self.assertEqual(kernel, variant.startswith("small_kernel"))

  @parameterized.parameters(
    "shuffled",
    "cramer",
    "marginal",
    "gaussian",
    "constant",
    "logistic",
    "wide",
    "mixed",
    "wide_mixed",
    "held_random",
    "held_tail",
  )
  def test_controls_are_plan_a_but_for_one_thing(self, variant):
    plan, other = (experiment.to_dict(load(f"primes:small_{name}")) for name in ("a", variant))
    for part in (plan, other):
      for name in ("sequence", "order", "held_out"):
        part["task"].pop(name)
      part["model"].pop("embedding_std")
    if not variant.startswith("held"):  # fewer rows make shorter epochs
      self.assertEqual(plan, other)
    self.assertEqual(plan["model"], other["model"])
    self.assertEqual(plan["task"], other["task"])

  def test_every_control_of_the_specification_is_there(self):
    # From docs/sources/primes.md, section 6.5, (1) to (6), (8) to (11); (7) is
    # every run's untrained null.
    tasks = [load(f"primes:{name}").task for name in primes.SMALL]
    self.assertEqual(
      {task.sequence for task in tasks},
      {"primes", "shuffled", "cramer", "marginal", "gaussian", "constant"} | {"logistic"},
    )
    self.assertEqual({t.held_out for t in tasks}, {"none", "random", "tail"})
    self.assertTrue(any(task.context and task.moduli for task in tasks))


if __name__ == "__main__":
  absltest.main()
