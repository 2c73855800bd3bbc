import dataclasses
import functools
import os
import tempfile
import types

import adder
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from primelens.configs import addition as addition_configs
from primelens.lens import figures, legacy
from primelens.models import tokens
from primelens.studies.addition import fourier, network, plots_fourier, progress_measures, tables

P, KEYS, SCALE = 11, (2, 5), {2: 30.0, 5: 40.0}


def small(seeds=2, digits=P):
  """Returns an untrained modular run of small networks."""
  config = addition_configs.get_config(f"p113,{seeds}")
  task = dataclasses.replace(config.task, digits=digits)
  model = dataclasses.replace(
    config.model,
    vocabulary=digits + 1,
    classes=digits,
    torch_seeds=(),
    trunk=tokens.plain_trunk(width=16, heads=2, hidden=24),
  )
  config = dataclasses.replace(config, task=task, model=model)
  return adder.handmade(config)


class RunTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.population = small()
    cls.result = fourier.run(cls.population)

  def test_untrained_equals_its_own_null(self):
    for row in self.result.table:
      np.testing.assert_allclose(row["median"], row["untrained"], rtol=1e-5)
    np.testing.assert_array_equal(
      self.result.readout_norm_SxQ, self.result.untrained_readout_norm_SxQ
    )

  def test_same_losses_and_keys_as_over_training(self):
    """The one-off losses are those of analysis `progress`."""
    key_SxQ = jax.vmap(functools.partial(progress_measures.key_frequencies, threshold=0.1))(
      self.population.params_S
    )
    np.testing.assert_array_equal(self.result.key_SxQ, key_SxQ)
    each = functools.partial(progress_measures.modular, self.population.experiment.model)
    curves = jax.jit(jax.vmap(each, (0, 0, None, 0)))(
      self.population.params_S,
      network.members(self.population.pairs),
      jnp.asarray(self.population.pairs.token_Nx3),
      key_SxQ,
    )
    value = {row["key"]: row["values"] for row in self.result.table}
    for key, name in (
      ("restricted_shifted", "test/restricted_nll_nats"),
      ("excluded_skip", "train/excluded_nll_nats"),
      ("residual_all", "residual_fraction"),
      ("key_similarity", "key_similarity"),
      ("test_nll", "test/nll_nats"),
    ):
      np.testing.assert_allclose(value[key], curves[name], rtol=1e-4)

  def test_a_record_per_member_and_key(self):
    self.assertLen(self.result.frequencies, int(self.result.key_SxQ.sum()))
    for row in self.result.frequencies:
      k, s = row["frequency"], row["member"]
      sine, cosine = row["readout_sine"], row["readout_cosine"]
      self.assertAlmostEqual(np.hypot(sine, cosine), self.result.readout_norm_SxQ[s, k], places=5)

  def test_is_stored_and_drawn(self):
    with tempfile.TemporaryDirectory() as folder:
      legacy.write(folder, "fourier", self.result, provenance={})
      stored, _ = legacy.read(folder, "fourier", fourier.Result)
      path = os.path.join(folder, "fourier.png")
      figures.save(plots_fourier.figure(stored), path)
      self.assertGreater(os.path.getsize(path), 10_000)

  def test_one_member_is_drawn(self):
    one = {
      field.name: getattr(self.result, field.name)[:1]
      for field in dataclasses.fields(self.result)
      if "_Sx" in field.name
    }
    figure = plots_fourier.figure(dataclasses.replace(self.result, **one))
    # Trained, untrained and the marks; no thin lines of single members.
    self.assertLen(figure.axes[0].lines, 3)

  def test_even_and_plain_are_refused(self):
    task = self.population.experiment.task
    for changed in ({"digits": 10}, {"modular": False}):
      experiment = types.SimpleNamespace(task=dataclasses.replace(task, **changed))
      with self.assertRaisesRegex(ValueError, "an odd task.digits"):
        fourier.run(types.SimpleNamespace(experiment=experiment))


class ReferenceTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.config = addition_configs.get_config("p113")

  def _at(self, config):
    return tables.reference(types.SimpleNamespace(experiment=config))

  def test_the_published_networks(self):
    self.assertEqual(self._at(self.config), 0)
    plain = adder.experiment(((1, 1), (598, 999)))
    self.assertEqual(self._at(plain), 1)

  def test_any_other_is_none(self):
    replace = dataclasses.replace
    config = self.config
    for changed in (
      addition_configs.get_config("p113,2"),
      replace(config, model=replace(config.model, torch_order="new")),
      replace(config, model=replace(config.model, torch_jitter=1e-8)),
      replace(config, task=replace(config.task, split_seeds=(599,))),
      replace(config, task=replace(config.task, labels="permuted")),
    ):
      self.assertIsNone(self._at(changed))


if __name__ == "__main__":
  absltest.main()
