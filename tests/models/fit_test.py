"""One seed's step, populations, freezing and the host's calendar."""

import dataclasses
import functools
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import tiny_fit
from absl.testing import absltest, parameterized
from primelens.models import fit, optimizer

TARGET = np.array([1.0, -2.0, 0.5], np.float32)
CONFIG = fit.Config(
  steps=12,
  batch_size=4,
  seeds=3,
  dispatch=4,
  optimizer=optimizer.Config(rate=0.1, schedule="constant"),
)


NONE = 99  # no seed of a population


@functools.cache
def regression(kind="loss"):
  """Returns a linear regression whose bad seed (of the data) blows up at one step."""

  def init(data, key):
    first = jax.random.fold_in(jax.random.key(data["bad_seed"]), 0)
    bad = (jax.random.key_data(key) == jax.random.key_data(first)).all()
    return {"w": jax.random.normal(key, (3,)), "bad": 10.0 * bad}

  def draw(data, key, step):
    x_BxD = jax.random.normal(key, (CONFIG.batch_size, 3))
    hit_B = jnp.full(CONFIG.batch_size, step == data["bad_step"])
    return x_BxD, x_BxD @ data["target"], hit_B

  def loss(params, batch, key, step):
    x_BxD, y_B, hit_B = batch
    value = jnp.mean((x_BxD @ params["w"] - y_B) ** 2)
    value += 0.1 * jax.random.normal(key) * params["w"].sum()  # noise by key
    hit = (params["bad"] > 5) & hit_B[0]
    if kind == "loss":
      value = jnp.where(hit, jnp.nan, value)
    else:  # a finite loss whose gradient is not: sqrt at 0
      inside = jnp.where(hit, 0.0 * params["w"][0], 1.0)
      value += jnp.sqrt(inside) - 1.0
    return value, {"w0": params["w"][0]}

  def evaluate(params, select, key):
    return jnp.sum((params["w"] - select["target"]) ** 2)

  return fit.Program(init, draw, loss, evaluate)


def data(bad_seed=NONE, bad_step=7):
  return {"target": TARGET, "bad_seed": np.int32(bad_seed), "bad_step": np.int32(bad_step)}


COMPILED: dict = {}  # what starts and what advances a population, by program and optimizer


def population(program, config=CONFIG, stops=(4, 8, 12), **bad):
  """Returns the state and the mean metrics of every dispatch."""
  transform = optimizer.build(config.optimizer, config.steps)
  start = lambda data, keys_S: fit.init(program, transform, data, keys_S)
  both = (jax.jit(start), fit.advance(program, transform))
  start, run = COMPILED.setdefault((program, repr(config.optimizer), config.steps), both)
  keys_S = fit.seed_keys(config)
  given = data(**bad)
  state_S, means, step = start(given, keys_S), [], 0
  for stop in stops:
    state_S, mean_S = run(state_S, given, keys_S, np.int32(step), np.int32(stop))
    means.append(jax.device_get(mean_S))
    step = stop
  return jax.device_get(state_S), means


def same(a, b):
  jax.tree.map(np.testing.assert_array_equal, a, b)


def seed(tree_S, i):
  return jax.tree.map(lambda leaf: leaf[i], tree_S)


class PopulationTest(absltest.TestCase):
  def test_seed_alone_equals_seed_in_a_batch(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    ends = {}
    for name, change in {"three": {"seeds": 3}, "second": {"seeds": 1, "first_seed": 1}}.items():
      config = dataclasses.replace(tiny_fit.CONFIG, steps=10, evaluate_every=0, **change)
      ends[name] = jax.device_get(tiny_fit.run(config, folder / name).state_S.params)
    alone, batch = (
      tiny_fit.named(seed(ends[name], i)) for name, i in (("second", 0), ("three", 1))
    )
    other = tiny_fit.named(seed(ends["three"], 2))
    for name in alone:
      np.testing.assert_allclose(alone[name], batch[name], atol=1e-5, err_msg=name)
    gap = alone["head/kernel"] - other["head/kernel"]
    self.assertGreater(np.abs(gap).max(), 1e-2)

  def test_step_is_adamw_on_the_drawn_batch(self):
    # One seed, one step, by hand: same keys, plain numpy.
    program = regression()
    state, means = population(program, dataclasses.replace(CONFIG, seeds=1), [1])

    @jax.jit
    def drawn(keys_S):
      key = keys_S[0]
      start = program.init(data(), jax.random.fold_in(key, 0))["w"]
      folded = jax.random.fold_in(jax.random.fold_in(key, 1), 0)
      key_draw, key_loss = jax.random.split(folded)
      return start, *program.draw(data(), key_draw, 0)[:2], jax.random.normal(key_loss)

    w, x, y, normal = map(np.float64, drawn(fit.seed_keys(CONFIG)))
    noise = 0.1 * normal
    gradient = 2 * x.T @ (x @ w - y) / len(y) + noise
    norm = np.linalg.norm(gradient)
    gradient /= max(norm, 1.0)  # clipping
    step = gradient / (np.abs(gradient) + 1e-8) + 0.01 * w
    np.testing.assert_allclose(state.params["w"][0], w - 0.1 * step, rtol=1e-5)
    np.testing.assert_allclose(means[0]["gradient_norm"], norm, rtol=1e-5)
    loss = np.mean((x @ w - y) ** 2) + noise * w.sum()
    np.testing.assert_allclose(means[0]["loss"], loss, rtol=1e-5)

  def test_dispatch_length_changes_nothing(self):
    program = regression()
    by_four, means = population(program)
    at_once, mean = population(program, stops=[12])
    same(by_four, at_once)
    average = np.mean([m["loss"] for m in means], axis=0)
    np.testing.assert_allclose(average, mean[0]["loss"], rtol=1e-5)

  def test_it_learns(self):
    config = dataclasses.replace(CONFIG, seeds=2, steps=300)
    config.optimizer = optimizer.Config(rate=0.1, weight_decay=0.0)
    state, _ = population(regression(), config, stops=[300])
    np.testing.assert_allclose(state.params["w"][0], TARGET, atol=0.15)


class FrozenTest(parameterized.TestCase):
  @parameterized.parameters("loss", "gradient")
  def test_bad_seed_stays_at_its_last_good_state(self, kind):
    program = regression(kind)
    state, means = population(program, bad_seed=1)
    np.testing.assert_array_equal(state.frozen_step, [-1, 7, -1])
    until, _ = population(program, stops=[7], bad_seed=1)
    np.testing.assert_array_equal(until.frozen_step, [-1, -1, -1])
    same(seed(state.params, 1), seed(until.params, 1))
    same(seed(state.opt_state, 1), seed(until.opt_state, 1))
    well, _ = population(regression())
    for i in (0, 2):  # the others never notice
      same(seed(state.params["w"], i), seed(well.params["w"], i))
    if kind == "loss":
      finite = np.isfinite(means[1]["loss"])
      np.testing.assert_array_equal(finite, [True, False, True])

  def test_it_stays_frozen_though_its_loss_recovers(self):
    state, _ = population(regression(), stops=[12], bad_seed=0, bad_step=0)
    np.testing.assert_array_equal(state.frozen_step, [0, -1, -1])
    fresh, _ = population(regression(), stops=[], bad_seed=0)
    same(seed(state.params, 0), seed(fresh.params, 0))


class PerSeedTest(absltest.TestCase):
  def test_each_seed_learns_its_own_target(self):
    own_S = np.float32([TARGET, -TARGET, 2 * TARGET])
    program = fit.Program(
      init=lambda data, key: {"w": 0.5 * data["target"]},
      draw=lambda data, key, step: data["target"] * data["scale"],
      loss=lambda params, batch, key, step: (
        jnp.sum((params["w"] - batch) ** 2),
        {"first": batch[0]},
      ),
      evaluate=lambda params, select, key: jnp.sum((params["w"] - select["target"]) ** 2),
      per_seed=("target",),
    )
    shared = {"target": own_S, "scale": np.float32(3)}
    config = dataclasses.replace(CONFIG, seeds=3)
    transform = optimizer.build(config.optimizer, config.steps)
    keys_S = fit.seed_keys(config)
    start = lambda data, keys_S: fit.init(program, transform, data, keys_S)
    state_S = jax.jit(start)(shared, keys_S)
    np.testing.assert_allclose(state_S.params["w"], 0.5 * own_S, rtol=1e-6)
    run = fit.advance(program, transform)
    state_S, mean_S = run(state_S, shared, keys_S, np.int32(0), np.int32(1))
    np.testing.assert_allclose(mean_S["first"], 3 * own_S[:, 0], rtol=1e-6)
    before_S = state_S.params["w"]
    state_S, nll_S = fit.evaluator(program)(state_S, shared, keys_S, 1)
    expected = np.sum((np.asarray(before_S) - np.asarray(own_S)) ** 2, axis=1)
    np.testing.assert_allclose(nll_S, expected, rtol=1e-5)


class EvaluatorTest(absltest.TestCase):
  def test_keeps_the_best_of_each_living_seed(self):
    program = regression()
    state, _ = population(program, stops=[4], bad_seed=1, bad_step=2)
    keys_S, run = fit.seed_keys(CONFIG), fit.evaluator(program)
    first, nll_S = run(state, data(), keys_S, 4)
    expected = np.sum((state.params["w"] - TARGET) ** 2, axis=1)
    np.testing.assert_allclose(nll_S, expected, rtol=1e-5)
    np.testing.assert_array_equal(first.best_step, [4, 0, 4])
    self.assertEqual(first.best_score[1], np.inf)  # frozen before
    worse_w = state.params["w"].copy()
    worse_w[0] = TARGET + 10
    worse_w[2] = TARGET
    params = state.params | {"w": worse_w}
    second, _ = run(first._replace(params=params), data(), keys_S, 8)
    np.testing.assert_array_equal(second.best_step, [4, 0, 8])
    same(seed(second.best_params["w"], 0), seed(first.params["w"], 0))
    same(seed(second.best_params["w"], 2), TARGET)


class CalendarTest(parameterized.TestCase):
  def test_stops_at_every_period_and_at_the_end(self):
    config = fit.Config(
      steps=20, dispatch=6, evaluate_every=5, checkpoint_every=0, snapshot_every=8
    )
    step, seen = 0, []
    while step < config.steps:
      step = fit.next_stop(config, step)
      seen.append(step)
    self.assertEqual(seen, [5, 6, 8, 10, 12, 15, 16, 18, 20])
    due = [s for s in seen if fit.due(s, config.evaluate_every, 20)]
    self.assertEqual(due, [5, 10, 15, 20])
    self.assertEqual([s for s in seen if fit.due(s, 8, 20)], [8, 16, 20])
    self.assertFalse(any(fit.due(s, 0, 20) for s in seen))

  @parameterized.parameters("steps", "batch_size", "seeds", "dispatch")
  def test_counts_must_be_positive(self, name):
    with self.assertRaisesRegex(ValueError, f"{name}=0 must be at least 1"):
      fit.Config(**{name: 0})

  def test_parts_and_seeds_must_come_out_even(self):
    with self.assertRaisesRegex(ValueError, "batch_size=8 does not divide into accumulation=3"):
      fit.Config(batch_size=8, accumulation=3)
    fit.Config(first_seed=2**31 - 2, seeds=2)
    with self.assertRaisesRegex(ValueError, "seeds=3 reach beyond seed 2147483647"):
      fit.Config(first_seed=2**31 - 2, seeds=3)

  @parameterized.parameters(
    (8, 8, (8, 1)), (4, 8, (4, 2)), (6, 8, (2, 4)), (3, 8, (1, 8)), (9, 1, (1, 1))
  )
  def test_mesh_shape(self, seeds, devices, expected):
    stand_ins = np.array([jax.devices()[0]] * devices)
    grid = fit.mesh(seeds, stand_ins[:1] if devices == 1 else stand_ins)
    self.assertEqual(tuple(grid.shape.values()), expected)


if __name__ == "__main__":
  absltest.main()
