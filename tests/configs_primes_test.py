"""Configs of the primes study, and of addition modulo 97."""

import jax
from absl.testing import absltest, parameterized
from primelens.configs import primes_published, primes_small
from primelens.lens import cli, experiment
from primelens.models import indices, optimizer, tokens, transformer
from primelens.studies.primes import program

# Primes spec, section 3: rows of a step, parts, steps of an epoch, epochs.
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


def parameters(init, model) -> int:
  shapes = jax.eval_shape(lambda key: init(model, key), jax.random.key(0))
  return transformer.parameter_count(shapes)


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


class PublishedTest(parameterized.TestCase):
  @parameterized.parameters(*PLANS)
  def test_plans(self, plan):
    config = experiment.check(cli.load_config(f"primes_published:{plan}"))
    batch, parts, cycle, epochs, count = PLANS[plan]
    fit = config.fit
    self.assertEqual((fit.batch_size, fit.accumulation), (batch, parts))
    self.assertEqual(fit.batch_size // fit.accumulation, 256)
    self.assertEqual(program.epoch_steps(config), cycle)
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
    config = experiment.check(cli.load_config(f"primes_published:{plan}_replay"))
    cycle = PLANS[plan][2]
    events = tuple(EVENTS[plan].items())
    expected = optimizer_of(cycle, schedule="replay", events=events)
    self.assertEqual(config.fit.optimizer, expected)
    config.fit.optimizer = optimizer_of(cycle)
    self.assertEqual(config, cli.load_config(f"primes_published:{plan}"))

  @parameterized.parameters(("chaos_a", 1.0), ("chaos_c", 0.02))
  def test_chaos(self, variant, std):
    # Spec, section 7.1: shuffled, cosine to 1e-6, 300 epochs.
    config = experiment.check(cli.load_config(f"primes_published:{variant}"))
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
    # Spec, section 7.2.
    config = experiment.check(cli.load_config(f"primes_published:{variant}"))
    count = parameters(indices.init, config.model)
    self.assertEqual(count, 256_000_000 + 909_729)
    self.assertEqual(config.model.embedding_std, std)
    self.assertEqual(config.model.trunk.norm, "post")

  def test_all_variants_load(self):
    for variant in primes_published.VARIANTS:
      experiment.check(cli.load_config(f"primes_published:{variant}"))

  def test_unknown_variants_are_refused(self):
    for name in ("primes_published:d", "primes_small:d"):
      with self.assertRaisesRegex(ValueError, "'d' is not one of a, b, c"):
        cli.load_config(name)


class SmallTest(parameterized.TestCase):
  @parameterized.parameters(*primes_small.VARIANTS)
  def test_variants(self, variant):
    config = experiment.check(cli.load_config(f"primes_small:{variant}"))
    fit = config.fit
    self.assertGreaterEqual(fit.seeds, 3)
    self.assertEqual(fit.steps % program.epoch_steps(config), 0)
    self.assertEqual(fit.dispatch, program.epoch_steps(config))
    self.assertEqual(fit.optimizer.clip, 5.0)
    self.assertEqual(fit.optimizer.weight_decay, 0.01)
    # The random walk never leaves [1e-6, 5e-4].
    if fit.optimizer.schedule == "random_walk":
      self.assertLessEqual(fit.optimizer.rate, 5e-4)
    kernel = config.model.trunk.implementation == "mismatched"
    self.assertEqual(kernel, variant.startswith("kernel"))

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
    plan, other = (
      experiment.to_dict(cli.load_config(f"primes_small:{name}")) for name in ("a", variant)
    )
    for part in (plan, other):
      for name in ("sequence", "order", "held_out"):
        part["task"].pop(name)
      part["model"].pop("embedding_std")
    if not variant.startswith("held"):  # fewer rows make shorter epochs
      self.assertEqual(plan, other)
    self.assertEqual(plan["model"], other["model"])
    self.assertEqual(plan["task"], other["task"])

  def test_every_control_of_the_specification_is_there(self):
    # Section 6.5, (1) to (6), (8) to (11); (7) is every run's untrained null.
    tasks = [cli.load_config(f"primes_small:{name}").task for name in primes_small.VARIANTS]
    self.assertEqual(
      {task.sequence for task in tasks},
      {"primes", "shuffled", "cramer", "marginal", "gaussian", "constant"} | {"logistic"},
    )
    self.assertEqual({t.held_out for t in tasks}, {"none", "random", "tail"})
    self.assertTrue(any(task.context and task.moduli for task in tasks))


class Addition97Test(parameterized.TestCase):
  @parameterized.parameters(("addition_p97", 1), ("addition_p97:3", 3))
  def test_as_in_the_source(self, name, members):
    # Primes spec, section 7.4: width 128, two layers, four heads, MLP 512.
    config = experiment.check(cli.load_config(name))
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


if __name__ == "__main__":
  absltest.main()
