import dataclasses
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest
from primelens.lens import legacy
from primelens.models import spacing
from primelens.studies.zeros import hermiticity

S = 3


def _run(memory="postfix", seed=0, change=None):
  model = tiny_study.tiny_model(memory)
  draw = jax.vmap(lambda key: spacing.init(model, key))
  params_S, fresh_S = (draw(jax.random.split(jax.random.key(k), S)) for k in (seed, seed + 1))
  if change:
    params_S = change(params_S)
  run = tiny_study.handmade(
    spacing.bind(model), params_S, tiny_study.ar([-0.4], 1000), model=model, fresh_S=fresh_S
  )
  return run


def _symmetric(params_S):
  """Head 1 of layer 0 gets its queries as keys, in every seed."""
  attention = params_S["blocks"]["attention"]
  query = attention["query"]["kernel"]
  key = attention["key"]["kernel"].at[:, 0, :, 1].set(query[:, 0, :, 1])
  attention["key"]["kernel"] = key
  return params_S


def _sinusoid(params_S):
  wave_D = jnp.cos(2 * np.pi * 3 * jnp.arange(8) / 8)
  content = jnp.broadcast_to(wave_D[None, None], (S, 2, 8))
  params_S["memory"]["content"] = content
  return params_S


class HermiticityTest(absltest.TestCase):
  def test_scores_are_those_of_every_head(self):
    run = _run()
    result = hermiticity.run(run)
    self.assertEqual(result.asymmetry_SxLxH.shape, (S, 2, 2))
    attention = run.params_S["blocks"]["attention"]
    query, key = (np.asarray(attention[role]["kernel"], np.float64) for role in ("query", "key"))
    form = query[2, 1, :, 0] @ key[2, 1, :, 0].T
    expected = np.linalg.norm(form - form.T) / np.linalg.norm(form + form.T)
    self.assertAlmostEqual(result.asymmetry_SxLxH[2, 1, 0], expected)

  def test_a_head_made_symmetric_is_found_and_no_other(self):
    result = hermiticity.run(_run(change=_symmetric))
    np.testing.assert_allclose(result.asymmetry_SxLxH[:, 0, 1], np.zeros(S), atol=1e-6)
    self.assertEqual(result.draws, 40 * 12)
    np.testing.assert_allclose(result.p_SxLxH[:, 0, 1], 1 / 481)
    self.assertTrue((result.p_holm_SxLxH[:, 0, 1] < 0.05).all())
    others = np.delete(result.p_holm_SxLxH.reshape(S, 4), 1, axis=1)
    self.assertTrue((others > 0.05).all())

  def test_slots_that_hold_a_frequency(self):
    found = hermiticity.run(_run(change=_sinusoid))
    trained = [row for row in found.slots if row["network"] == "trained"]
    for row in trained:
      # Two waves of 8 numbers: the largest possible |FFT|, 8 / 2.
      self.assertAlmostEqual(row["statistic"], 4, places=5)
      self.assertEqual(row["frequencies"], [3, 3])
      self.assertLess(row["p_holm"], 0.2)
    plain = [row["p"] for row in found.slots if row["network"] == "untrained"]
    self.assertGreater(min(plain), 0.02)

  def test_a_model_without_memory_says_so(self):
    result = hermiticity.run(_run("none"))
    self.assertEqual((result.slots, result.bank), ((), ()))
    self.assertEqual(result.slot_obstacle, "the model has no memory vectors.")

  def test_a_bank_has_projections_of_its_own(self):
    rng = np.random.default_rng(0)
    query = rng.normal(size=(S, 16, 16))

    def memory(key):
      parts = {"query": query, "key": key}
      return {name: {"kernel": jnp.asarray(x)} for name, x in parts.items()}

    run = _run()
    other = rng.normal(size=query.shape)
    run = dataclasses.replace(
      run,
      params_S=run.params_S | {"memory": memory(query)},
      fresh_S=run.fresh_S | {"memory": memory(other)},
    )
    rows = hermiticity.run(run).bank
    self.assertLen(rows, 2 * S)
    for row in rows:
      if row["network"] == "trained":
        self.assertAlmostEqual(row["asymmetry"], 0, places=5)
        self.assertEqual(row["p"], 1 / (1 + 40))
      else:
        self.assertAlmostEqual(row["asymmetry"], 1 - 1 / 16, delta=0.2)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    result = hermiticity.run(_run())
    legacy.write(folder, "hermiticity", result, provenance={})
    back, _ = legacy.read(folder, "hermiticity", hermiticity.Result)
    jax.tree.map(np.testing.assert_array_equal, vars(back), vars(result))


if __name__ == "__main__":
  absltest.main()
