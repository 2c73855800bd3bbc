"""The controller against its description in plain Python, and logged rates.

From docs/sources/primes.md, section 3.
"""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.configs import primes as primes_configs
from primelens.models import optimizer

EPOCHS = 300
# The rate column of the logs: the first epoch that ran at a rate.
LOGGED = {
  "a": {
    **{0: 1e-4, 30: 1e-4, 31: 7e-5, 34: 7e-5, 50: 7e-5, 62: 6.77e-5},
    **{80: 7.32e-5, 100: 7.74e-5, 130: 7.22e-5, 160: 7.3e-5, 191: 7.66e-5},
    **{220: 7.66e-5, 260: 7.55e-5, 300: 9.32e-5, 315: 6.52e-5, 324: 6.52e-5},
  },
  "b": {
    **{0: 1e-4, 20: 1e-4, 30: 1e-4, 31: 8.77e-5, 48: 8.77e-5, 60: 9.03e-5},
    **{80: 9.5e-5, 100: 9.9e-5, 113: 1.03e-4, 120: 1.03e-4, 132: 1.03e-4},
    **{133: 8.12e-5, 150: 8.12e-5, 153: 6.73e-5, 160: 6.73e-5},
  },
  "c": {
    **{0: 1e-4, 20: 1e-4, 31: 9.5e-5, 50: 9.5e-5, 67: 9.5e-5, 75: 9.07e-5},
    **{100: 8.84e-5, 125: 8.84e-5, 150: 8.17e-5, 175: 8.75e-5, 200: 8.75e-5},
    **{225: 8.88e-5, 270: 8.88e-5, 290: 8.88e-5, 291: 7.79e-5, 319: 7.79e-5},
  },
}


def window(loss_N) -> float:
  """Returns std / mean of the last fifty losses."""
  last = np.array(loss_N[-50:])
  return last.std() / last.mean()


def progress(loss_N) -> float:
  """Returns the progress in the description's words."""
  if len(loss_N) < 50:
    return 0.0
  before = loss_N[-100:-50] if len(loss_N) >= 100 else loss_N[:50]
  return (np.mean(before) - np.mean(loss_N[-50:])) / np.mean(before)


def plain(loss_N, uniform_N, rate):
  """Returns rate, cooldown and epoch of the last change after every epoch."""
  cooldown, fired, found = 30, -100, []
  for epoch, u in enumerate(uniform_N):
    past = loss_N[: epoch + 1]
    if len(past) < 50:
      cooldown = 30
    else:
      cv = window(past)
      target = 20
      if cv < 0.03:
        target = 100
      elif cv < 0.08:
        target = 50
      elif cv < 0.15:
        target = 30
      cooldown = int(0.3 * target + 0.7 * cooldown)
    if epoch >= 30 and epoch - fired >= cooldown:
      made = progress(past)
      reach = 0.1 if made > 0.05 else 0.2 if made > 0.01 else 0.4
      new = min(max(rate * (1 - reach + 2 * reach * u), 1e-6), 5e-4)
      rate = min(max(new, 0.7 * rate), 1.3 * rate)
      fired = epoch
    found.append((rate, cooldown, fired))
  return [np.array(column) for column in zip(*found, strict=True)]


@jax.jit
def walk(loss_N, key, rate=1e-4):
  """Returns the states after every epoch."""
  keys = jax.random.split(key, len(loss_N))

  def one(state, given):
    state = optimizer.walk_epoch(state, *given)
    return state, (state.rate, state.cooldown, state.fired)

  return jax.lax.scan(one, optimizer.walk_start(rate), (loss_N, keys))[1]


def losses(seed: int) -> np.ndarray:
  """Returns losses whose trend and noise change every fifty epochs or so."""
  rng = np.random.default_rng(seed)
  pieces = rng.integers(20, 80, 20)
  noise_N = np.repeat(rng.choice([0.005, 0.02, 0.05, 0.1, 0.3], 20), pieces)
  slope_N = np.repeat(rng.choice([-0.01, -0.001, 0.0, 0.003], 20), pieces)
  trend_N = np.exp(np.cumsum(slope_N)[:EPOCHS])
  noisy_N = np.exp(noise_N[:EPOCHS] * rng.normal(size=EPOCHS))
  return (trend_N * noisy_N).astype(np.float32)


def state(loss_N, cooldown=30, epochs=None):
  """Returns a controller that has seen these losses."""
  count = len(loss_N)
  padded_Q = np.concatenate([np.zeros(100), loss_N])[-100:]
  return optimizer.walk_start(1e-4)._replace(
    loss_Q=np.float32(padded_Q),
    cooldown=np.int32(cooldown),
    epochs=np.int32(count if epochs is None else epochs),
  )


cooldown_of = jax.jit(optimizer.walk_cooldown)
progress_of = jax.jit(optimizer.walk_progress)


class WalkTest(parameterized.TestCase):
  @parameterized.parameters(*range(12))
  def test_is_the_plain_one(self, seed):
    loss_N, key = losses(seed), jax.random.key(seed)
    rate_N, cooldown_N, fired_N = walk(loss_N, key)
    keys = jax.random.split(key, EPOCHS)
    uniform_N = np.asarray(jax.vmap(jax.random.uniform)(keys), float)
    expected = plain(loss_N.astype(float), uniform_N, 1e-4)
    np.testing.assert_array_equal(cooldown_N, expected[1])
    np.testing.assert_array_equal(fired_N, expected[2])
    np.testing.assert_allclose(rate_N, expected[0], rtol=1e-5)
    self.assertGreater(len(set(expected[2].tolist())), 3)

  def test_the_cases_above_cover_all_branches(self):
    cvs = {50: [], 100: []}
    for seed in range(12):
      loss_N = losses(seed)
      for epoch in range(50, EPOCHS):
        past = loss_N[:epoch]
        cvs[50].append(np.digitize(window(past), [0.03, 0.08, 0.15]))
        cvs[100].append(np.digitize(progress(past), [0.01, 0.05]))
    self.assertEqual(set(map(int, cvs[50])), {0, 1, 2, 3})
    self.assertEqual(set(map(int, cvs[100])), {0, 1, 2})

  def test_nothing_before_epoch_30_and_a_change_at_it(self):
    for seed in range(5):
      rate_N, cooldown_N, fired_N = walk(losses(seed), jax.random.key(seed))
      np.testing.assert_array_equal(rate_N[:30], np.float32(1e-4))
      np.testing.assert_array_equal(fired_N[:30], -100)
      np.testing.assert_array_equal(cooldown_N[:49], 30)
      self.assertEqual(int(fired_N[30]), 30)
      self.assertNotEqual(float(rate_N[30]), np.float32(1e-4))

  def test_logged_changes_of_losses_that_vary_much(self):
    # Plans A and B fired at 30, 52, 72 and 92: a target of 20 throughout.
    loss_N = np.where(np.arange(112) % 2, 0.5, 1.5).astype(np.float32)
    _, _, fired_N = walk(loss_N, jax.random.key(0))
    changes = [*dict.fromkeys(np.asarray(fired_N).tolist())]
    self.assertEqual(changes, [-100, 30, 52, 72, 92])

  @parameterized.parameters(4.9e-4, 1.1e-6)
  def test_bounds(self, rate):
    # Losses that do not fall have the widest steps, U(.6, 1.4), cut at 30 %.
    loss_N = np.where(np.arange(2000) % 2, 0.5, 1.5).astype(np.float32)
    rate_N = np.asarray(walk(loss_N, jax.random.key(1), rate)[0], float)
    bound = 5e-4 if rate > 1e-4 else 1e-6
    self.assertGreaterEqual(rate_N.min(), 1e-6 * (1 - 1e-6))
    self.assertLessEqual(rate_N.max(), 5e-4 * (1 + 1e-6))
    self.assertLess(np.abs(rate_N / bound - 1).min(), 1e-6)  # it is met
    ratio_N = rate_N[1:] / rate_N[:-1]
    self.assertAlmostEqual(ratio_N.min(), 0.7, places=5)
    self.assertAlmostEqual(ratio_N.max(), 1.3, places=5)


class CooldownTest(parameterized.TestCase):
  @parameterized.parameters(
    (0.3, 97, 20),
    (0.3, 30, 20),
    (0.1, 20, 27),
    (0.1, 97, 30),
    (0.05, 20, 47),
    (0.05, 97, 50),
    (0.01, 20, 97),
    (0.01, 30, 97),
  )
  def test_resting_values(self, spread, start, expected):
    # 1 +- spread in turn has a std / mean of spread.
    loss_N = 1 + spread * np.where(np.arange(100) % 2, 1, -1)
    cooldown = start
    for _ in range(40):
      cooldown = int(cooldown_of(state(loss_N, cooldown)))
    self.assertEqual(cooldown, expected)

  @parameterized.parameters(1, 49)
  def test_it_is_30_until_there_are_fifty_losses(self, count):
    self.assertEqual(int(cooldown_of(state(np.ones(count), 97))), 30)

  def test_older_losses_do_not_count(self):
    loss_N = np.append(np.tile([1.0, 9.0], 25), np.ones(50))
    self.assertEqual(int(cooldown_of(state(loss_N, 100))), 100)


class ProgressTest(absltest.TestCase):
  def test_by_hand(self):
    falling = np.linspace(2, 1, 100)
    for loss_N, expected in (
      (falling[:49], 0.0),
      (falling[:50], 0.0),  # the first fifty are the last fifty
      (np.append(np.full(50, 2.0), np.ones(25)), 1 - 1.5 / 2),
      (np.append(np.full(50, 2.0), np.ones(50)), 0.5),
      ([9.0] * 30 + [2.0] * 50 + [3.0] * 50, -0.5),
    ):
      found = float(progress_of(state(loss_N)))
      self.assertAlmostEqual(found, expected, places=6)


class OptimizerTest(parameterized.TestCase):
  CYCLE = 3

  def population(self, members: int, steps: int):
    """Returns rates, last updates' ratios and the final state of members."""
    option = dict(rate=2e-4, clip=0.0, weight_decay=0.1)
    moving = optimizer.build(
      optimizer.Config(schedule="random_walk", cycle=self.CYCLE, **option), 9
    )
    still = optimizer.build(optimizer.Config(schedule="constant", **option), 9)
    params = {"w": jnp.array([1.0, -2.0])}

    def one(key):
      def step(carry, number):
        state, other = carry
        draw = jax.random.fold_in(key, number)
        grads = {"w": jax.random.normal(draw, (2,))}
        loss = jnp.float32(number)
        updates, state = moving.update(grads, state, params, value=loss, key=draw)
        plain, other = still.update(grads, other, params)
        return (state, other), (state[-1].rate, updates["w"] / plain["w"])

      start = (moving.init(params), still.init(params))
      return jax.lax.scan(step, start, jnp.arange(steps))

    keys = jax.random.split(jax.random.key(7), members)
    (state, _), (rate_SxN, ratio_SxNx2) = jax.jit(jax.vmap(one))(keys)
    return jax.device_get((state[-1], rate_SxN, ratio_SxNx2))

  def test_updates_follow_the_rate_and_members_have_their_own(self):
    walked, rate_SxN, ratio_SxNx2 = self.population(3, 60 * self.CYCLE)
    first = 31 * self.CYCLE  # steps until the end of epoch 30
    np.testing.assert_array_equal(rate_SxN[:, : first - 1], np.float32(2e-4))
    self.assertLen(set(rate_SxN[:, first - 1].tolist()), 3)
    ends_SxC = rate_SxN.reshape(3, 60, self.CYCLE)
    within = np.ptp(ends_SxC[:, 1:, :-1], axis=2)
    np.testing.assert_array_equal(within, 0)  # changes at the ends of epochs
    # An update has the rate from before it.
    before_SxN = np.insert(rate_SxN[:, :-1], 0, np.float32(2e-4), axis=1)
    expected = np.repeat(before_SxN[..., None] / 2e-4, 2, axis=2)
    np.testing.assert_allclose(ratio_SxNx2, expected, rtol=1e-5)
    # Epoch e has the losses 3e, 3e + 1, 3e + 2.
    np.testing.assert_array_equal(walked.epochs, 60)
    mean_N = 1.0 + self.CYCLE * np.arange(60)
    loss_Q = np.append(np.zeros(40), mean_N)
    np.testing.assert_allclose(walked.loss_Q, np.tile(loss_Q, (3, 1)))
    np.testing.assert_array_equal(walked.steps, 0)

  @parameterized.parameters("a", "b", "c")
  def test_replay_has_the_logged_rates(self, plan):
    config = primes_configs.get_config(f"published_{plan}_replay").fit
    of = jax.jit(optimizer.schedule(config.optimizer, 1e-4, config.steps))
    cycle = 3907 if plan == "b" else 245
    for epoch, expected in LOGGED[plan].items():
      for step in (epoch * cycle, (epoch + 1) * cycle - 1):
        self.assertAlmostEqual(float(of(step)), expected, delta=1e-10)

  @parameterized.parameters("random_walk", "replay")
  def test_epochs_need_their_steps(self, schedule):
    with self.assertRaisesRegex(ValueError, "cycle=0.*needs the steps of one"):
      optimizer.Config(schedule=schedule)

  def test_events_are_pairs(self):
    with self.assertRaisesRegex(ValueError, "has 1 items; it must have 2"):
      optimizer.Config(schedule="replay", cycle=1, events=((30.0,),))


if __name__ == "__main__":
  absltest.main()
