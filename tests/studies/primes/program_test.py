"""What a step of the primes study draws, weighs and learns from."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import one
import tiny_primes
from absl.testing import absltest, parameterized
from primelens import tasks
from primelens.lens import experiment as experiment_lib
from primelens.models import indices, optimizer
from primelens.studies.primes import program
from primelens.tasks import primes

STEPS = 4  # of an epoch of 101 gaps in steps of 32
KEY = jax.random.key(0)
ALL_N = np.arange(101)


DRAWS = {}  # compiled, by the words of the config


def batches(config, steps, key=KEY):
  """Returns the batches of some steps."""
  if repr(config) not in DRAWS:
    made, inputs, _ = program.build(config, tasks.load(config.task))
    DRAWS[repr(config)] = functools.partial(jax.jit(made.draw), inputs)
  return [jax.device_get(DRAWS[repr(config)](key, step)) for step in steps]


def drawn(config, epoch, key=KEY):
  """Returns the rows of an epoch that have a weight, in order."""
  cycle = -(-program.trained_rows(config.task) // 32)
  found = batches(config, range(epoch * cycle, (epoch + 1) * cycle), key)
  return np.concatenate([b["input"][b["weight_B"] > 0] for b in found])


class OrderTest(parameterized.TestCase):
  def test_fixed_order_takes_consecutive_slices(self):
    config = tiny_primes.experiment()
    found = batches(config, range(STEPS + 1))
    for step in range(3):
      first = 32 * step
      np.testing.assert_array_equal(found[step]["input"], np.arange(first, first + 32))
      np.testing.assert_array_equal(found[step]["weight_B"], 1)
    np.testing.assert_array_equal(found[3]["input"][:5], np.arange(96, 101))
    jax.tree.map(np.testing.assert_array_equal, found[4], found[0])
    np.testing.assert_array_equal(drawn(config, 0), np.arange(101))
    np.testing.assert_array_equal(drawn(config, 7), np.arange(101))

  def test_shuffled_order_takes_every_gap_once_an_epoch(self):
    config = tiny_primes.experiment(task={"order": "shuffled"})
    first, second = drawn(config, 0), drawn(config, 1)
    for row_N in (first, second):
      np.testing.assert_array_equal(np.sort(row_N), np.arange(101))
    self.assertLess(np.mean(first == second), 0.1)
    self.assertLess(np.mean(first == np.arange(101)), 0.1)
    # All members see one order, another seed of the task another.
    other = drawn(config, 0, jax.random.key(1))
    np.testing.assert_array_equal(first, other)
    config.task.seed = 1
    self.assertLess(np.mean(first == drawn(config, 0)), 0.1)

  @parameterized.product(held_out=("random", "tail"), order=("fixed", "shuffled"))
  def test_held_out_gaps_are_never_drawn(self, held_out, order):
    task = {"held_out": held_out, "order": order}
    config = tiny_primes.experiment(task=task)
    data = tasks.load(config.task)
    self.assertLen(data.held_N, 10)
    for epoch in (0, 1):
      np.testing.assert_array_equal(np.sort(drawn(config, epoch)), np.sort(data.train_N))
    for batch in batches(config, range(STEPS)):  # nor is what has no weight
      self.assertEmpty(set(batch["input"].tolist()) & set(data.held_N.tolist()))

  def test_targets_are_the_z_scores_of_their_rows(self):
    config = tiny_primes.experiment(task={"order": "shuffled"})
    target_N = tasks.load(config.task).target_N
    for batch in batches(config, range(STEPS)):
      np.testing.assert_array_equal(batch["target_B"], target_N[batch["input"]])

  def test_a_context_is_of_the_gaps_before(self):
    task = {"context": 3, "moduli": (3,), "held_out": "tail"}
    config = tiny_primes.experiment(task=task)
    gaps = tasks.load(config.task)
    token_NxF = primes.tokens(gaps)
    batch = batches(config, [1])[0]
    for place in (0, 31):
      row = 3 + 32 + place
      np.testing.assert_array_equal(batch["input"][place], token_NxF[row - 3 : row])
      self.assertEqual(batch["target_B"][place], gaps.target_N[row])


@functools.cache
def untrained():
  return tiny_primes.run()


class ShortStepTest(absltest.TestCase):
  """The last step has 3 of 16 parts, the last of them half a part.

  As published, 3 of 16 with 63 of 256 rows in the last (docs/sources/primes.md, section 3).
  """

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.run_ = untrained()
    cls.params = tiny_primes.member(cls.run_)

  def part(self, params, row_B):
    """Returns the mean squared error of the rows of a part."""
    config, target_N = self.run_.experiment, self.run_.data.target_N
    answer_B, _ = indices.apply(config.model, params, row_B)
    return jnp.mean((answer_B - jnp.asarray(target_N)[row_B]) ** 2)

  def test_weights(self):
    weight_B = batches(self.run_.experiment, [3])[0]["weight_B"]
    expected = np.append([1, 1, 1, 1, 2], np.zeros(27))
    np.testing.assert_array_equal(weight_B, expected)

  def test_gradient_is_that_of_its_parts_over_sixteen(self):
    made = self.run_.program
    rows = ([96, 97], [98, 99], [100, 100])  # the mean of one row, twice
    of_part = jax.jit(jax.value_and_grad(self.part))
    values, grads = zip(*(of_part(self.params, np.array(row_B)) for row_B in rows), strict=True)
    value = float(sum(values))
    expected = jax.tree.map(lambda *parts: np.sum(parts, axis=0) / 16, *grads)
    (batch,) = batches(self.run_.experiment, [3])
    of = jax.jit(optimizer.gradients_in_parts(made.loss, 16))
    (loss, _), found = of(self.params, batch, KEY, 3)
    self.assertAlmostEqual(float(loss), value / 16, places=6)
    close = functools.partial(np.testing.assert_allclose, atol=1e-7)
    jax.tree.map(close, found, expected)

  def test_logged_loss_is_the_mean_over_parts(self):
    loss = jax.jit(self.run_.program.loss)
    logged = []
    for step, batch in enumerate(batches(self.run_.experiment, range(STEPS))):
      logged.append(float(loss(self.params, batch, KEY, step)[1]["mse"]))
    answer_N = self.run_.predicted(self.run_.params_S, ALL_N)[0]
    square_N = (answer_N - self.run_.data.target_N) ** 2
    starts = range(0, 101, 2)
    mean = np.mean([square_N[start : start + 2].mean() for start in starts])
    self.assertAlmostEqual(np.mean(logged), mean, places=5)


class ProgramTest(parameterized.TestCase):
  def test_evaluation_is_the_mean_over_evenly_spaced_trained_gaps(self):
    run = untrained()
    self.assertEqual(run.program.unit, "mse")
    config = tiny_primes.experiment(fit_options={"evaluate_windows": 11})
    _, _, select = program.build(config, run.data)
    row_N = np.arange(0, 101, 10)
    np.testing.assert_array_equal(select["input"], row_N)
    evaluate = jax.jit(run.program.evaluate)
    score = evaluate(tiny_primes.member(run, 1), select, KEY)
    answer_N = run.predicted(run.params_S, ALL_N)[1]
    error_B = (answer_N - run.data.target_N)[row_N]
    self.assertAlmostEqual(float(score), np.mean(error_B**2), places=5)

  def test_selected_gaps_are_trained_on(self):
    config = tiny_primes.experiment(
      task={"held_out": "random"}, fit_options={"evaluate_windows": 1000}
    )
    data = tasks.load(config.task)
    _, _, select = program.build(config, data)
    np.testing.assert_array_equal(select["input"], data.train_N)
    np.testing.assert_array_equal(select["target_B"], data.target_N[data.train_N])

  def test_answers_come_in_order_whatever_the_batch(self):
    config = tiny_primes.experiment(task={"context": 3})
    config.analyses.batch = 7
    run = tiny_primes.run(config)
    row_N = np.arange(3, 90)
    found_SxN = run.predicted(run.params_S, row_N)
    self.assertEqual(found_SxN.shape, (2, 87))
    at_NxT = row_N[:, None] + np.arange(-3, 0)
    token_NxTxF = primes.tokens(run.data)[at_NxT]
    alone_N, _ = jax.jit(run.apply)(tiny_primes.member(run, 1), token_NxTxF)
    np.testing.assert_allclose(found_SxN[1], alone_N, atol=1e-6)

  @parameterized.product(held_out=("none", "random", "tail"), context=(0, 7), primes_=(100, 1234))
  def test_counts_are_those_of_the_data(self, held_out, context, primes_):
    task = {"held_out": held_out, "context": context, "primes": primes_}
    config = tiny_primes.experiment(task=task)
    trained = len(tasks.load(config.task).train_N)
    self.assertEqual(program.trained_rows(config.task), trained)
    self.assertEqual(program.epoch_steps(config), int(np.ceil(trained / 32)))

  def test_cost_counts_the_parameters(self):
    for name, expected in (("a", 260_779_777), ("c", 4_779_777)):
      config = one.config(f"primes:published_{name}")
      cost = program.cost(config)
      self.assertEqual((cost.parameters, cost.targets), (expected, 4096))

  def test_config_is_rebuilt_from_json(self):
    config = tiny_primes.experiment(task={"context": 3, "moduli": (3, 5)})
    self.assertEqual(experiment_lib.check(config), config)


class CheckTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"task": {"context": 3}}, {"features": 2}, "but a token of context has 1"),
    ({}, {"indices": 101}, "model.indices=101 is less than task.primes=102"),
    ({}, {"embedding": "context", "features": 1}, "task.context=0 and model.em"),
  )
  def test_models_that_do_not_fit(self, options, changes, said):
    config = tiny_primes.experiment(**options)
    model = dataclasses.replace(config.model, **changes)
    with self.assertRaisesRegex(ValueError, said):
      program.check(dataclasses.replace(config, model=model))

  def test_fits_that_do_not_fit(self):
    walk = optimizer.Config(schedule="random_walk", cycle=5)
    config = tiny_primes.experiment()
    fit = dataclasses.replace(config.fit, optimizer=walk)
    with self.assertRaisesRegex(ValueError, "cycle=5, but an epoch has 4 steps"):
      program.check(dataclasses.replace(config, fit=fit))

  def test_parts_of_other_studies(self):
    config = tiny_primes.experiment()
    other = one.config("addition:p10_published")
    for room in ("task", "model"):
      mixed = dataclasses.replace(config, **{room: getattr(other, room)})
      with self.assertRaisesRegex(ValueError, f"{room}.kind=.* is not '"):
        program.check(mixed)


if __name__ == "__main__":
  absltest.main()
