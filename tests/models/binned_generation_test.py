import functools

import jax
import numpy as np
import tiny_binned
from absl.testing import absltest, parameterized
from primelens.analyses import form_factors, slots
from primelens.models import binned
from primelens.models import binned_generation as generation
from primelens.tasks import binned as task

T, D = tiny_binned.T, tiny_binned.D
V = task.BINS


def plan(**changes):
  base = dict(moves=0, drawn=0, redrawn=0, key=jax.random.key(5))
  base |= dict(memory_D=np.zeros(D, np.float32), bias_V=np.zeros(V, np.float32))
  return base | changes


def sharp(variant: str):
  """A network that is sure of its next token: draws are the most likely."""
  config = tiny_binned.config(variant)
  params = tiny_binned.parameters(config)
  params["embedding"] = {"embedding": 60 * np.asarray(params["embedding"]["embedding"])}
  return config, params


@functools.cache
def program(variant: str, length: int):
  config = tiny_binned.config(variant)
  return jax.jit(lambda *args: generation.generate(config, *args, length))


def draw(variant, params, context_BxK, length, **changes):
  drawn_BxG = program(variant, length)(params, plan(**changes), context_BxK)
  return np.asarray(drawn_BxG)


@functools.cache
def reading(variant: str):
  """`f(params, tokens, memory)` -> the final states, and those after each block."""
  of = functools.partial(binned.states, tiny_binned.config(variant), sites=("residual/post",))
  return jax.jit(of)


class GreedyTest(parameterized.TestCase):
  """Against a plain loop over growing sequences."""

  def reader(self, config, params):
    """`f(tokens, memory) -> (final state, last block's)` at the last token."""
    rmt = int(config.variant == "rmt")
    window = config.segment if rmt else config.window
    # Compiled once: what is behind a causal network's position is unseen.
    states = functools.partial(reading(config.variant), params)

    def read(sequence, memory_D):
      seen = sequence[-window:]
      row = np.zeros((1, window), int)
      row[0, : len(seen)] = seen
      state, record = states(row, memory_D[None])
      last = len(seen) - 1
      post = np.asarray(record["residual/post"])[-1, 0, last + rmt]
      return np.asarray(state)[0, last], post

    return read, window

  def expected_rmt(self, config, params, context_K, length, memory_D, moves):
    read, window = self.reader(config, params)
    table_VxD = np.asarray(params["embedding"]["embedding"])
    kernel_DxD = np.asarray(params["memory"]["update"]["kernel"])
    segment, drawn = list(context_K[-window:]), []
    for _ in range(length):
      state_D, _ = read(segment, memory_D)
      drawn.append(int(np.argmax(table_VxD @ state_D)))
      if len(segment) < window:
        segment.append(drawn[-1])
        continue
      if moves:  # the segment is full: the next begins with what it foretold
        memory_D = 0.5 * memory_D + 0.5 * state_D @ kernel_DxD
      segment = [drawn[-1]]
    return drawn

  def expected_gpt(self, config, params, context_K, length, memory_D, moves):
    read, window = self.reader(config, params)
    table_VxD = np.asarray(params["embedding"]["embedding"])
    sequence, rounds = list(context_K), -(-length // window)
    for _ in range(rounds):
      for _ in range(-(-length // rounds)):
        state_D, _ = read(sequence, memory_D)
        bias_V = 0.1 * table_VxD @ memory_D
        sequence.append(int(np.argmax(table_VxD @ state_D + bias_V)))
      if moves:
        memory_D = 0.5 * memory_D + 0.5 * read(sequence, memory_D)[1]
    return sequence[len(context_K) : len(context_K) + length]

  @parameterized.parameters(("gpt", 0), ("gpt", 1), ("rmt", 0), ("rmt", 1))
  def test_window_and_memory(self, variant, moves):
    config, params = sharp(variant)
    context_BxK = np.array([[3, 60, 120, 7, 80, 64], [9, 200, 11, 70, 5, 33]])
    memory_D = np.random.default_rng(0).normal(0, 3, D).astype(np.float32)
    found_BxG = draw(variant, params, context_BxK, 20, memory_D=memory_D, moves=moves)
    self.assertEqual(found_BxG.shape, (2, 20))
    for b in range(2):
      by = self.expected_rmt if variant == "rmt" else self.expected_gpt
      expected = by(config, params, context_BxK[b], 20, memory_D, moves)
      np.testing.assert_array_equal(found_BxG[b], expected)

  def test_recurrent_networks_need_a_segment(self):
    with self.assertRaisesRegex(ValueError, "3 tokens .* no segment of 6"):
      draw("rmt", sharp("rmt")[1], np.zeros((2, 3), int), 8)


class MemoryTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.config = tiny_binned.config("gpt")
    cls.params = tiny_binned.parameters(cls.config)
    cls.context_BxK = np.full((2, 3), 60)

  def draw(self, **changes):
    return draw("gpt", self.params, self.context_BxK, 20, **changes)

  def test_no_memory_is_the_amnesiac(self):
    plain = self.draw()
    # However it is drawn or redrawn, a memory of norm 0 says nothing.
    np.testing.assert_array_equal(plain, self.draw(drawn=1, redrawn=1))
    large_D = np.full(D, 5.0, np.float32)
    self.assertFalse(np.array_equal(plain, self.draw(memory_D=large_D)))

  def test_random_directions_keep_the_norm(self):
    memory_BxD = np.float32([[3.0, 4.0] + [0.0] * (D - 2), [1.0] * D])
    found_BxD = jax.jit(generation._redrawn)(memory_BxD, jax.random.key(1))
    norm_B = np.linalg.norm(found_BxD, axis=1)
    np.testing.assert_allclose(norm_B, [5.0, D**0.5], rtol=1e-5)
    cosine_B = np.sum(found_BxD * memory_BxD, axis=1) / norm_B**2
    self.assertLess(np.abs(cosine_B).max(), 0.99)

  def test_warm_up_is_a_running_mean(self):
    token_WxT = np.random.default_rng(2).integers(0, V, (3, T))
    found_D = jax.jit(functools.partial(generation.warmed, self.config))(self.params, token_WxT)
    _, record = reading("gpt")(self.params, token_WxT)
    last_WxD = np.asarray(record["residual/post"])[-1, :, -1]
    # m <- m / 2 + h / 2 from 0, the newest window counts most.
    expected_D = np.array([1 / 8, 1 / 4, 1 / 2]) @ last_WxD
    np.testing.assert_allclose(found_D, expected_D, rtol=1e-4, atol=1e-6)


class RenewalTest(absltest.TestCase):
  def test_without_correlations_the_form_factor_is_that_of_a_renewal(self):
    params = tiny_binned.parameters(tiny_binned.config("gpt"))
    params["embedding"] = {"embedding": np.zeros((V, D), np.float32)}
    centre_V = task.decode(np.arange(V))
    # The surmise of the GUE as a bias: independent spacings of that law.
    p_V = centre_V**2 * np.exp(-4 * centre_V**2 / np.pi)
    p_V /= p_V.sum()
    bias_V = np.log(np.maximum(p_V, 1e-30)).astype(np.float32)
    token_NxG = draw("gpt", params, np.zeros((48, 4), int), 256, bias_V=bias_V)
    tau_Q = np.arange(0.1, 2.01, 0.05)
    found = slots.trajectory_statistics(task.decode(token_NxG), tau_Q, (4.0,))
    phi_Q = np.exp(2j * np.pi * tau_Q[:, None] * centre_V) @ p_V
    expected_Q = form_factors.renewal(phi_Q)
    error_Q = found.k_NxQ.std(0, ddof=1) / len(token_NxG) ** 0.5
    score_Q = (found.k_NxQ.mean(0) - expected_Q) / error_Q
    self.assertLess(np.abs(score_Q).max(), 4.5)
    self.assertBetween(np.mean(score_Q**2), 0.3, 2.0)


if __name__ == "__main__":
  absltest.main()
