import dataclasses
import functools
import os
import tempfile
import types

from absl.testing import absltest
from absl.testing import parameterized
import adder
import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import plots
from primelens.analyses import plots_fourier
from primelens.analyses import results
from primelens.configs import addition_p113
from primelens.models import tokens
from primelens.studies.addition import fourier
from primelens.studies.addition import fourier_logits
from primelens.studies.addition import fourier_neurons
from primelens.studies.addition import fourier_weights
from primelens.studies.addition import network
from primelens.studies.addition import progress_measures
from primelens.studies.addition import tables

P, KEYS, SCALE = 11, (2, 5), {2: 30.0, 5: 40.0}


def _angle(k):
  return 2 * np.pi * k / P


def waves(noise=0.0) -> tuple[network.Network, network.Member]:
  """Returns a network by hand and its labels.

  Neurons 2j and 2j + 1 are cos and sin of w_k (a + b), and W_L makes
  sum_k SCALE_k cos(w_k (a + b - c)) of them; the last neuron is dead. E has a
  cosine and a sine of each key frequency, twice as large for the second.
  `noise` is added to the direct path: a function of the input alone.
  """
  a_N, b_N = np.divmod(np.arange(P * P), P)
  c_V = np.arange(P)
  post, readout, digit = [], [], []
  for scale, k in enumerate(KEYS, 1):
    for wave in (np.cos, np.sin):
      post.append(wave(_angle(k) * (a_N + b_N)))
      readout.append(SCALE[k] * wave(_angle(k) * c_V))
      digit.append(scale * wave(_angle(k) * c_V))
  post.append(np.zeros(P * P))
  readout.append(np.ones(P))
  digit.append(np.zeros(P))
  post_NxF, readout_VxF, embedding_PxD = (
    jnp.asarray(np.stack(x, 1), jnp.float32) for x in (post, readout, digit)
  )
  mid_NxD = jnp.asarray(noise * np.cos(np.outer(a_N * b_N, [1, 2, 3, 4, 5])))
  unembed_DxV = jnp.ones((5, P))
  read = network.Network(
    embedding_PxD=embedding_PxD,
    readout_VxF=readout_VxF,
    unembed_DxV=unembed_DxV,
    mid_NxD=jnp.asarray(mid_NxD, jnp.float32),
    pre_NxF=post_NxF,
    post_NxF=post_NxF,
    logit_NxV=post_NxF @ readout_VxF.T
    + jnp.asarray(mid_NxD, jnp.float32) @ unembed_DxV,
    pattern_NxHxT=jnp.full((P * P, 1, 3), 1 / 3),
  )
  row_N = np.random.default_rng(0).permutation(P * P)
  member = network.Member(
    label_N=jnp.asarray((a_N + b_N) % P),
    train_N=jnp.asarray(row_N[:40]),
    test_N=jnp.asarray(row_N[40:]),
  )
  return read, member


def _mask(keys):
  return jnp.asarray(np.isin(np.arange(P // 2 + 1), keys))


class HandBuiltTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.read, cls.member = waves()
    program = functools.partial(
      fourier.of_network, threshold=0.1, seed=0, draws=3
    )
    cls.found = jax.device_get(jax.jit(program)(cls.read, cls.member))
    cls.value = cls.found["value"]

  def test_key_frequencies_are_those_planted(self):
    for name in ("key", "embedding_key"):
      np.testing.assert_array_equal(np.flatnonzero(self.found[name]), KEYS)
    self.assertEqual(self.value["readout_keys"], 2)
    self.assertEqual(self.value["embedding_keys"], 2)
    self.assertEqual(self.value["keys_shared"], 1)

  def test_norms_in_closed_form(self):
    # A wave of amplitude A has the coefficient A sqrt(P / 2).
    readout_P, embedding_P = np.zeros(P), np.zeros(P)
    for scale, k in enumerate(KEYS, 1):
      for row in (2 * k - 1, 2 * k):
        readout_P[row] = SCALE[k] * (P / 2) ** 0.5
        embedding_P[row] = scale * (P / 2) ** 0.5
    readout_P[0] = P**0.5  # the dead neuron's row of ones
    np.testing.assert_allclose(self.found["readout_row"], readout_P, atol=1e-4)
    np.testing.assert_allclose(
      self.found["embedding_row"], embedding_P, atol=1e-5
    )
    np.testing.assert_allclose(
      self.found["gram"], np.diag(embedding_P**2), atol=1e-4
    )
    least = SCALE[2] * (P / 2) ** 0.5
    self.assertAlmostEqual(self.value["readout_key_least"], least, places=3)
    self.assertLess(self.value["readout_other_largest"], 1e-4)
    self.assertLess(self.value["gram_off"], 1e-5)
    self.assertAlmostEqual(self.value["gram_ratio"], 1, places=5)
    self.assertAlmostEqual(self.value["embedding_key_share"], 1, places=5)

  def test_singular_values(self):
    sizes = np.repeat([2, 1], 2) * (P / 2) ** 0.5
    np.testing.assert_allclose(self.found["singular"], [*sizes, 0], atol=1e-5)
    self.assertEqual(self.value["singular_large"], 4)
    self.assertEqual(self.value["gaussian_large"], 5)

  def test_cosines_add_at_zero_alone(self):
    d = np.arange(P)
    expected_P = (np.cos(_angle(2) * d) + np.cos(_angle(5) * d)) / 2
    np.testing.assert_allclose(self.found["cosine"], expected_P, atol=1e-5)
    self.assertAlmostEqual(
      self.value["interference"], expected_P[1:].max(), places=5
    )

  def test_neurons_belong_to_their_frequency(self):
    share_QxF = np.zeros((P // 2 + 1, 5))
    share_QxF[2, :2] = share_QxF[5, 2:4] = 1
    np.testing.assert_allclose(self.found["share"], share_QxF, atol=1e-5)
    self.assertAlmostEqual(self.value["clustered"], 4 / 5, places=5)
    self.assertEqual(self.value["cluster_sizes"], 4)
    self.assertAlmostEqual(self.value["cluster_median"], 1, places=5)
    self.assertAlmostEqual(self.value["cluster_own_readout"], 1, places=5)
    self.assertAlmostEqual(self.value["energy_key_share"], 1, places=5)
    own_QxQ = np.zeros((P // 2 + 1, P // 2 + 1))
    for k in KEYS:  # sine and cosine together
      own_QxQ[k, k] = SCALE[k] * P**0.5
    np.testing.assert_allclose(
      self.found["cluster_readout"], own_QxQ, atol=1e-3
    )

  def test_spectra_of_a_sum_have_four_terms(self):
    # cos(x + y) = cos x cos y - sin x sin y: P / 2 on the diagonal.
    expected_PxP = np.zeros((P, P))
    expected_PxP[4, 4], expected_PxP[3, 3] = P / 2, -P / 2
    np.testing.assert_allclose(
      self.found["spectrum"][0], expected_PxP, atol=1e-4
    )
    energy_PxP = np.zeros((P, P))
    for k in KEYS:
      # All four entries: the sine neuron has the mixed ones.
      energy_PxP[2 * k - 1 : 2 * k + 1, 2 * k - 1 : 2 * k + 1] = P / 2
    np.testing.assert_allclose(self.found["energy"], energy_PxP, atol=1e-4)

  def test_direction_reads_the_sine_of_the_sum(self):
    row = SCALE[2] * (P / 2) ** 0.5
    np.testing.assert_allclose(
      self.found["direction"][2], [0, row, 0, 0, 0], atol=1e-4
    )
    self.assertAlmostEqual(self.value["direction_cluster"], 1, places=5)
    self.assertAlmostEqual(self.value["input_share"], 1, places=5)
    a, b = np.indices((P, P))
    strongest = SCALE[5] * (P / 2) ** 0.5 * np.sin(_angle(5) * (a + b))
    np.testing.assert_allclose(self.found["input"], strongest, atol=1e-3)

  def test_published_direction_multiplies_by_the_other_side(self):
    weight_FxV = np.asarray(self.read.readout_VxF).T
    right_FxV, wrong_FxV = weight_FxV @ _basis().T, weight_FxV @ _basis()
    cosines, clusters = [], []
    for k in KEYS:
      right_F, wrong_F = right_FxV[:, 2 * k - 1], wrong_FxV[:, 2 * k - 1]
      norms = np.linalg.norm(right_F) * np.linalg.norm(wrong_F)
      cosines.append(abs(right_F @ wrong_F) / norms)
      own = slice(0, 2) if k == 2 else slice(2, 4)
      clusters.append((wrong_F[own] ** 2).sum() / (wrong_F**2).sum())
      np.testing.assert_allclose(
        self.found["direction_as_published"][k], wrong_F, atol=1e-3
      )
    np.testing.assert_allclose(
      self.value["direction_cosine"], np.mean(cosines), rtol=1e-3
    )
    np.testing.assert_allclose(
      self.value["direction_cluster_as_published"],
      np.mean(clusters),
      rtol=1e-3,
    )

  def test_cubes_in_closed_form(self):
    norm = np.hypot(*SCALE.values())
    similarity_Q = np.zeros(P // 2 + 1)
    similarity_Q[list(KEYS)] = np.array(list(SCALE.values())) / norm
    np.testing.assert_allclose(
      self.found["similarity"], similarity_Q, atol=1e-5
    )
    self.assertAlmostEqual(
      self.value["logit_norm"] / (norm * (P**3 / 2) ** 0.5), 1, places=5
    )
    self.assertAlmostEqual(self.value["key_similarity"], 1, places=5)
    self.assertAlmostEqual(self.value["key_similarity_least"], 0.6, places=5)
    self.assertLess(self.value["residual"], 1e-5)
    np.testing.assert_allclose(
      self.value["fitted_nll"], self.value["all_nll"], rtol=1e-3
    )

  def test_cubes_of_a_table_of_the_train_pairs_name_the_class(self):
    self.assertAlmostEqual(self.value["table_accuracy"], 1, places=6)

  def test_a_random_cube_has_a_cosine_of_the_order_of_one_over_its_size(self):
    # Deviation P^-1.5 = 0.027.
    for name in ("random_cube", "random_logits"):
      self.assertLess(self.value[name], 5 * P**-1.5)
      self.assertGreater(self.value[name], 0)

  def test_restricted_keeps_and_excluded_removes_everything(self):
    for name in (
      *("restricted", "restricted_shifted", "restricted_skip"),
      "restricted_heldout",
    ):
      np.testing.assert_allclose(
        self.value[name], self.value["test_nll"], rtol=1e-3
      )
    for name in ("excluded", "excluded_skip"):
      self.assertAlmostEqual(self.value[name], np.log(P), places=4)

  def test_other_frequencies_keep_and_remove_nothing(self):
    self.assertAlmostEqual(
      self.value["restricted_shifted_other"], np.log(P), places=4
    )
    np.testing.assert_allclose(
      self.value["excluded_skip_other"], self.value["train_nll"], rtol=1e-3
    )

  def test_published_constants_are_no_frequencies_of_a_small_ring(self):
    self.assertAlmostEqual(self.value["residual_as_published"], 1, places=5)
    self.assertAlmostEqual(
      self.value["fitted_nll_as_published"], np.log(P), places=5
    )


def _basis():
  n = np.arange(P)
  rows = [np.full(P, P**-0.5)]
  for k in range(1, P // 2 + 1):
    rows += [(2 / P) ** 0.5 * wave(_angle(k) * n) for wave in (np.sin, np.cos)]
  return np.stack(rows)


class PartsTest(parameterized.TestCase):
  def test_direct_path_and_class_means(self):
    read, _ = waves(noise=3.0)
    keys_Q = _mask(KEYS)
    direct_NxV = read.mid_NxD @ read.unembed_DxV
    wave_NxV = read.logit_NxV - direct_NxV
    at = dict(rtol=0, atol=1e-3)
    np.testing.assert_allclose(
      fourier_logits.restricted(read, keys_Q), wave_NxV, **at
    )
    np.testing.assert_allclose(
      fourier_logits.restricted(read, keys_Q, skip=True), read.logit_NxV, **at
    )
    np.testing.assert_allclose(
      fourier_logits.restricted(read, keys_Q, like=read.logit_NxV),
      wave_NxV + direct_NxV.mean(0)[None],
      **at,
    )
    np.testing.assert_allclose(
      fourier_logits.excluded(read, keys_Q), direct_NxV, **at
    )
    np.testing.assert_allclose(
      fourier_logits.excluded(read, keys_Q, skip=False), 0 * direct_NxV, **at
    )

  def test_waves_of_a_table_of_the_train_pairs(self):
    """What it knows of test pairs is nothing, but its waves tell the class."""
    read, member = waves()
    post_NxF = jnp.zeros((P * P, P))
    train_N = member.train_N
    post_NxF = post_NxF.at[train_N, member.label_N[train_N]].set(1)
    table = read._replace(
      mid_NxD=0 * read.mid_NxD,
      post_NxF=post_NxF,
      readout_VxF=90 * jnp.eye(P),
      logit_NxV=90 * post_NxF,
    )
    all_Q = jnp.ones(P // 2 + 1, bool)
    found = fourier_logits.losses(table, member, all_Q)
    self.assertLess(found["restricted"], 0.01)
    self.assertAlmostEqual(found["restricted_heldout"], np.log(P), places=5)

  def test_averages_over_rows_of_equal_sum(self):
    post_NxF = jnp.asarray(np.arange(25.0)[:, None])
    # Rows (0, 1), (1, 0), (4, 2) have the sum 1; (0, 2) alone has 2.
    seen_NxF = fourier_logits.seen_on(post_NxF, jnp.asarray([1, 5, 22, 2]))
    seen_PxP = np.asarray(seen_NxF).reshape(5, 5)
    np.testing.assert_allclose(seen_PxP[0], [0, 28 / 3, 2, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(seen_PxP[3, 3], 28 / 3, rtol=1e-6)

  @parameterized.parameters(0, 1, 2)
  def test_other_frequencies_are_as_many_and_others(self, seed):
    key_Q = _mask(KEYS)
    other_Q = fourier_logits.other_frequencies(jax.random.key(seed), key_Q)
    self.assertEqual(int(other_Q.sum()), 2)
    self.assertFalse(np.any(other_Q & key_Q) or other_Q[0])

  def test_other_frequencies_where_few_are_free(self):
    key_Q = jnp.asarray([False, True, True, True, True, False])
    other_Q = fourier_logits.other_frequencies(jax.random.key(0), key_Q)
    np.testing.assert_array_equal(np.flatnonzero(other_Q), [5])

  def test_cluster_boundary(self):
    share_QxF = jnp.asarray([[0, 0, 0], [0.86, 0.84, 0.1], [0.1, 0.1, 0.9]])
    np.testing.assert_array_equal(
      fourier_neurons.clusters(share_QxF),
      [[0, 0, 0], [1, 0, 0], [0, 0, 1]],
    )

  def test_rows_of_the_basis(self):
    np.testing.assert_array_equal(
      fourier_weights.row_frequency(7), [0, 1, 1, 2, 2, 3, 3]
    )


def small(seeds=2, digits=P):
  """Returns an untrained modular run of small networks."""
  config = addition_p113.get_config(str(seeds))
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
    key_SxQ = jax.vmap(
      functools.partial(progress_measures.key_frequencies, threshold=0.1)
    )(self.population.params_S)
    np.testing.assert_array_equal(self.result.key_SxQ, key_SxQ)
    each = functools.partial(
      progress_measures.modular, self.population.experiment.model
    )
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
      self.assertAlmostEqual(
        np.hypot(sine, cosine), self.result.readout_norm_SxQ[s, k], places=5
      )

  def test_is_stored_and_drawn(self):
    with tempfile.TemporaryDirectory() as folder:
      results.write(folder, "fourier", self.result, provenance={})
      stored, _ = results.read(folder, "fourier", fourier.Result)
      path = os.path.join(folder, "fourier.png")
      plots.save(plots_fourier.figure(stored), path)
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
      experiment = types.SimpleNamespace(
        task=dataclasses.replace(task, **changed)
      )
      with self.assertRaisesRegex(ValueError, "an odd task.digits"):
        fourier.run(types.SimpleNamespace(experiment=experiment))


class ReferenceTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.config = addition_p113.get_config()

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
      addition_p113.get_config("2"),
      replace(config, model=replace(config.model, torch_order="new")),
      replace(config, model=replace(config.model, torch_jitter=1e-8)),
      replace(config, task=replace(config.task, split_seeds=(599,))),
      replace(config, task=replace(config.task, labels="permuted")),
    ):
      self.assertIsNone(self._at(changed))


if __name__ == "__main__":
  absltest.main()
