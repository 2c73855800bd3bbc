import functools
import os
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import sweeps, trees


def _params_S(seeds=3):
  w_Sx4 = np.random.default_rng(0).normal(size=(seeds, 4)).astype(np.float32)
  return {"w": w_Sx4, "b": np.full(seeds, 2, np.float32)}


def _scaled(params, strength):
  return {"w": params["w"] * strength, "b": params["b"]}


def _mse(params, x_N):
  return jnp.mean((params["w"] - x_N) ** 2) + params["b"]


class SweepsTest(parameterized.TestCase):
  @parameterized.parameters(None, 1, 2, 5, 100)
  def test_equals_the_loop(self, batch_size):
    params_S, keep_R = _params_S(), np.array([0.0, 0.3, 0.5, 1.0], np.float32)
    x_N = np.arange(4, dtype=np.float32)
    score_SxR = sweeps.over(
      _mse, params_S, keep_R, transform=_scaled, data=(x_N,), batch_size=batch_size
    )
    one = jax.jit(lambda params, keep: _mse(_scaled(params, keep), x_N))
    expected = [[one(params, keep) for keep in keep_R] for params in trees.unstack(params_S)]
    self.assertEqual(score_SxR.shape, (3, 4))
    np.testing.assert_allclose(score_SxR, expected, rtol=1e-6)

  @parameterized.parameters(None, 4)
  def test_pytrees_of_strengths_and_scores(self, batch_size):
    params_S = _params_S()
    strengths_R = {
      "keep_LxH": np.arange(20, dtype=np.float32).reshape(5, 2, 2),
      "key": jax.random.split(jax.random.key(1), 5),
    }

    def score(params, strength):
      noise = jax.random.normal(strength["key"], (7,))
      return {"sum": params["w"].sum() + strength["keep_LxH"].sum(), "each_N": noise * params["b"]}

    result = sweeps.over(score, params_S, strengths_R, batch_size=batch_size)
    self.assertEqual(result["sum"].shape, (3, 5))
    self.assertEqual(result["each_N"].shape, (3, 5, 7))
    expected = (
      np.asarray(params_S["w"]).sum(1)[:, None] + np.arange(20.0).reshape(5, 4).sum(1)[None, :]
    )
    np.testing.assert_allclose(result["sum"], expected, rtol=1e-5)
    alone = 2 * jax.random.normal(strengths_R["key"][3], (7,))
    np.testing.assert_allclose(np.asarray(result["each_N"])[1, 3], alone, rtol=1e-6)

  def test_the_same_sweep_compiles_once(self):
    traces = []

    def score(params, strength):
      traces.append(1)
      return params["w"].sum() * strength

    for seeds_value in (1.0, 2.0):
      params_S = jax.tree.map(lambda x, v=seeds_value: x * v, _params_S())
      sweeps.over(score, params_S, np.ones(2, np.float32))
    self.assertLen(traces, 1)
    sweeps.over(score, params_S, np.ones(3, np.float32))
    self.assertLen(traces, 2)

  def test_data_is_an_argument_not_a_constant(self):
    # The same program serves other data: nothing was folded into it.
    params_S, one = _params_S(), np.ones(1, np.float32)
    first, second = (
      sweeps.over(_mse, params_S, one, transform=_scaled, data=(x_N,))
      for x_N in (np.zeros(4, np.float32), np.full(4, 10, np.float32))
    )
    first, second = np.asarray(first), np.asarray(second)
    expected = np.mean((params_S["w"] - 10) ** 2, 1) + params_S["b"]
    np.testing.assert_allclose(second[:, 0], expected, rtol=1e-6)
    self.assertGreater(np.min(second - first), 10)

  def test_bad_axes_are_refused(self):
    score = lambda params, strength: params["w"].sum() * strength
    with self.assertRaisesRegex(ValueError, "leaf '' has the shape"):
      sweeps.over(score, _params_S(), np.float32(1))
    ragged = {"w": np.ones((2, 4)), "b": np.ones(3)}
    with self.assertRaisesRegex(ValueError, "'w'"):
      sweeps.over(score, ragged, np.ones(2))
    with self.assertRaisesRegex(ValueError, "batch_size .* got 0"):
      sweeps.over(score, _params_S(), np.ones(2), batch_size=0)

  def test_sharded_seeds_give_the_same_and_stay_sharded(self):
    program = """
      import jax, jax.numpy as jnp, numpy as np
      from primelens.analyses import masking, sweeps
      mesh = jax.make_mesh((2,), ("seed",))
      spec = jax.sharding.PartitionSpec("seed")
      w_S = jnp.arange(12.0).reshape(4, 3)
      put_S = jax.device_put(w_S, jax.sharding.NamedSharding(mesh, spec))
      score = lambda w, strength: jnp.sum(w) * strength
      keep_R = jnp.arange(5.0)
      for batch_size in (None, 8):
        out = sweeps.over(score, put_S, keep_R, batch_size=batch_size)
        expected = np.outer(np.asarray(w_S).sum(1), np.arange(5.0))
        np.testing.assert_allclose(out, expected)
        assert len(out.sharding.device_set) == 2, out.sharding
        assert not out.sharding.is_fully_replicated, out.sharding
      mask = lambda w, keep: masking.magnitude(w, keep, where=True)
      half_R = jnp.array([0.34, 1.0])
      out = sweeps.over(jnp.sum, put_S, half_R, transform=mask)
      np.testing.assert_allclose(out, [[2, 3], [5, 12], [8, 21], [11, 30]])
    """
    flags = "--xla_force_host_platform_device_count=2"
    done = subprocess.run(
      [sys.executable, "-c", textwrap.dedent(program)],
      env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
      capture_output=True,
      text=True,
      timeout=120,
    )
    self.assertEqual(done.returncode, 0, done.stderr)

  def test_importing_the_analyses_stays_light(self):
    modules = ("trees", "sweeps", "masking", "ablation", "linear", "statistics")
    program = "import sys\n" + "".join(f"import primelens.analyses.{name}\n" for name in modules)
    program += (
      "heavy = {'flax', 'matplotlib', 'sklearn', 'pysr', 'optax'}\n"
      "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    run = functools.partial(subprocess.run, capture_output=True, text=True)
    done = run([sys.executable, "-c", program], timeout=120)
    self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
  absltest.main()
