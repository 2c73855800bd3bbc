import dataclasses
import functools
import tempfile
import types

import adder
import drawn
import hand_waves
import jax
import jax.numpy as jnp
import jitted
import numpy as np
import xarray as xr
from absl.testing import absltest, parameterized
from primelens.analyses import fourier as fourier_lib
from primelens.configs import addition as addition_configs
from primelens.lens import claims as trial
from primelens.lens import numbers as numbers_lib
from primelens.lens import results
from primelens.models import tokens
from primelens.studies.addition import fourier, network, program

_fourier, _network = jitted.Jitted(fourier), jitted.Jitted(network)
P, KEYS, SCALE = hand_waves.P, hand_waves.KEYS, hand_waves.SCALE


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


class HandBuiltTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.read, cls.member = hand_waves.waves()
    program = functools.partial(fourier.of_network, threshold=0.1, seed=0, draws=3)
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
    np.testing.assert_allclose(self.found["embedding_row"], embedding_P, atol=1e-5)
    np.testing.assert_allclose(self.found["gram"], np.diag(embedding_P**2), atol=1e-4)
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
    expected_P = (np.cos(hand_waves.angle(2) * d) + np.cos(hand_waves.angle(5) * d)) / 2
    np.testing.assert_allclose(self.found["cosine"], expected_P, atol=1e-5)
    self.assertAlmostEqual(self.value["interference"], expected_P[1:].max(), places=5)

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
    np.testing.assert_allclose(self.found["cluster_readout"], own_QxQ, atol=1e-3)

  def test_spectra_of_a_sum_have_four_terms(self):
    # cos(x + y) = cos x cos y - sin x sin y: P / 2 on the diagonal.
    expected_PxP = np.zeros((P, P))
    expected_PxP[4, 4], expected_PxP[3, 3] = P / 2, -P / 2
    np.testing.assert_allclose(self.found["spectrum"][0], expected_PxP, atol=1e-4)
    energy_PxP = np.zeros((P, P))
    for k in KEYS:
      # All four entries: the sine neuron has the mixed ones.
      energy_PxP[2 * k - 1 : 2 * k + 1, 2 * k - 1 : 2 * k + 1] = P / 2
    np.testing.assert_allclose(self.found["energy"], energy_PxP, atol=1e-4)

  def test_direction_reads_the_sine_of_the_sum(self):
    row = SCALE[2] * (P / 2) ** 0.5
    np.testing.assert_allclose(self.found["direction"][2], [0, row, 0, 0, 0], atol=1e-4)
    self.assertAlmostEqual(self.value["direction_cluster"], 1, places=5)
    self.assertAlmostEqual(self.value["input_share"], 1, places=5)
    a, b = np.indices((P, P))
    strongest = SCALE[5] * (P / 2) ** 0.5 * np.sin(hand_waves.angle(5) * (a + b))
    np.testing.assert_allclose(self.found["input"], strongest, atol=1e-3)

  def test_published_direction_multiplies_by_the_other_side(self):
    weight_FxV = np.asarray(self.read.readout_VxF).T
    right_FxV, wrong_FxV = (weight_FxV @ hand_waves.basis().T, weight_FxV @ hand_waves.basis())
    cosines, clusters = [], []
    for k in KEYS:
      right_F, wrong_F = right_FxV[:, 2 * k - 1], wrong_FxV[:, 2 * k - 1]
      norms = np.linalg.norm(right_F) * np.linalg.norm(wrong_F)
      cosines.append(abs(right_F @ wrong_F) / norms)
      own = slice(0, 2) if k == 2 else slice(2, 4)
      clusters.append((wrong_F[own] ** 2).sum() / (wrong_F**2).sum())
      np.testing.assert_allclose(self.found["direction_as_published"][k], wrong_F, atol=1e-3)
    np.testing.assert_allclose(self.value["direction_cosine"], np.mean(cosines), rtol=1e-3)
    np.testing.assert_allclose(
      self.value["direction_cluster_as_published"], np.mean(clusters), rtol=1e-3
    )

  def test_cubes_in_closed_form(self):
    norm = np.hypot(*SCALE.values())
    similarity_Q = np.zeros(P // 2 + 1)
    similarity_Q[list(KEYS)] = np.array(list(SCALE.values())) / norm
    np.testing.assert_allclose(self.found["similarity"], similarity_Q, atol=1e-5)
    self.assertAlmostEqual(self.value["logit_norm"] / (norm * (P**3 / 2) ** 0.5), 1, places=5)
    self.assertAlmostEqual(self.value["key_similarity"], 1, places=5)
    self.assertAlmostEqual(self.value["key_similarity_least"], 0.6, places=5)
    self.assertLess(self.value["residual"], 1e-5)
    np.testing.assert_allclose(self.value["fitted_nll"], self.value["all_nll"], rtol=1e-3)

  def test_cubes_of_a_table_of_the_train_pairs_name_the_class(self):
    self.assertAlmostEqual(self.value["table_accuracy"], 1, places=6)

  def test_a_random_cube_has_a_cosine_of_the_order_of_one_over_its_size(self):
    # Deviation P^-1.5 = 0.027.
    for name in ("random_cube", "random_logits"):
      self.assertLess(self.value[name], 5 * P**-1.5)
      self.assertGreater(self.value[name], 0)

  def test_restricted_keeps_and_excluded_removes_everything(self):
    for name in ("restricted", "restricted_shifted", "restricted_skip", "restricted_heldout"):
      np.testing.assert_allclose(self.value[name], self.value["test_nll"], rtol=1e-3)
    for name in ("excluded", "excluded_skip"):
      self.assertAlmostEqual(self.value[name], np.log(P), places=4)

  def test_other_frequencies_keep_and_remove_nothing(self):
    self.assertAlmostEqual(self.value["restricted_shifted_other"], np.log(P), places=4)
    np.testing.assert_allclose(
      self.value["excluded_skip_other"], self.value["train_nll"], rtol=1e-3
    )

  def test_published_constants_are_no_frequencies_of_a_small_ring(self):
    self.assertLess(P // 2, 47)  # so that no row may be named for all of 17, 25, 32, 47
    self.assertNotIn("residual_as_published", self.value)
    self.assertNotIn("fitted_nll_as_published", self.value)


class PartsTest(parameterized.TestCase):
  def test_direct_path_and_class_means(self):
    read, _ = hand_waves.waves(noise=3.0)
    keys_Q = hand_waves.mask(KEYS)
    direct_NxV = read.mid_NxD @ read.unembed_DxV
    wave_NxV = read.logit_NxV - direct_NxV
    at = dict(rtol=0, atol=1e-3)
    np.testing.assert_allclose(_network.restricted(read, keys_Q), wave_NxV, **at)
    np.testing.assert_allclose(_network.restricted(read, keys_Q, skip=True), read.logit_NxV, **at)
    np.testing.assert_allclose(
      _network.restricted(read, keys_Q, like=read.logit_NxV),
      wave_NxV + direct_NxV.mean(0)[None],
      **at,
    )
    np.testing.assert_allclose(_network.excluded(read, keys_Q), direct_NxV, **at)
    np.testing.assert_allclose(_network.excluded(read, keys_Q, skip=False), 0 * direct_NxV, **at)

  def test_waves_of_a_table_of_the_train_pairs(self):
    """What it knows of test pairs is nothing, but its waves tell the class."""
    read, member = hand_waves.waves()
    post_NxF = np.zeros((P * P, P))
    train_N = member.train_N
    post_NxF[train_N, member.label_N[train_N]] = 1
    table = read._replace(
      mid_NxD=0 * read.mid_NxD,
      post_NxF=post_NxF,
      readout_VxF=90 * np.eye(P),
      logit_NxV=90 * post_NxF,
    )
    all_Q = np.ones(P // 2 + 1, bool)
    found = _fourier.losses(table, member, all_Q)
    self.assertLess(found["restricted"], 0.01)
    self.assertAlmostEqual(found["restricted_heldout"], np.log(P), places=5)

  def test_averages_over_rows_of_equal_sum(self):
    post_NxF = np.arange(25.0)[:, None]
    # Rows (0, 1), (1, 0), (4, 2) have the sum 1; (0, 2) alone has 2.
    seen_NxF = _network.seen_on(post_NxF, np.array([1, 5, 22, 2]))
    seen_PxP = np.asarray(seen_NxF).reshape(5, 5)
    np.testing.assert_allclose(seen_PxP[0], [0, 28 / 3, 2, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(seen_PxP[3, 3], 28 / 3, rtol=1e-6)

  @parameterized.parameters(0, 1, 2)
  def test_other_frequencies_are_as_many_and_others(self, seed):
    key_Q = hand_waves.mask(KEYS)
    other_Q = _fourier.other_frequencies(jax.random.key(seed), key_Q)
    other_Q = np.asarray(other_Q)
    self.assertEqual(int(other_Q.sum()), 2)
    self.assertFalse(np.any(other_Q & key_Q) or other_Q[0])

  def test_other_frequencies_where_few_are_free(self):
    key_Q = np.array([False, True, True, True, True, False])
    other_Q = _fourier.other_frequencies(jax.random.key(0), key_Q)
    np.testing.assert_array_equal(np.flatnonzero(other_Q), [5])

  def test_cluster_boundary(self):
    share_QxF = np.array([[0, 0, 0], [0.86, 0.84, 0.1], [0.1, 0.1, 0.9]])
    np.testing.assert_array_equal(_fourier.clustered(share_QxF), [[0, 0, 0], [1, 0, 0], [0, 0, 1]])

  def test_rows_of_the_basis(self):
    np.testing.assert_array_equal(fourier.row_frequency(7), [0, 1, 1, 2, 2, 3, 3])


class RunTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.run_ = small()
    cls.found = fourier.measure(cls.run_)
    cls.made = drawn.Made(fourier.figures({"small": cls.found}))
    cls.number = fourier.numbers(cls.found)

  def test_untrained_equals_its_own_null(self):
    for key, (value_S, untrained_S) in self.number.items():
      medians = [numbers_lib.median(x) for x in (value_S, untrained_S)]
      np.testing.assert_allclose(*medians, rtol=1e-5, err_msg=key)
    norm = self.found.readout_norm
    np.testing.assert_array_equal(norm.sel(network="trained"), norm.sel(network="untrained"))

  def test_keys_are_where_weights_are_large(self):
    """By numpy's own transform, without a forward pass: as `progress` finds them."""
    params_S = self.run_.params_S
    out_SxFxD = np.asarray(params_S["blocks"]["mlp"]["down"]["kernel"])[:, 0]
    readout_SxFxV = out_SxFxD @ np.asarray(params_S["unembed"]["kernel"])
    size_SxQ = np.linalg.norm(np.abs(np.fft.rfft(readout_SxFxV, axis=2)), axis=1)[:, 1:]
    key_SxQ = size_SxQ > 0.1 * size_SxQ.max(1, keepdims=True)
    np.testing.assert_array_equal(self.found.key.values[:, 1:], key_SxQ)
    self.assertFalse(self.found.key.values[:, 0].any())

  def test_same_losses_as_over_training(self):
    """The one-off losses are those that `progress` measures at every snapshot."""

    def losses(params, member, token_Nx3, key_Q):
      read = network.read(self.run_.experiment.model, params, token_Nx3)
      at = lambda logit_NxV, row_N: network.nll(logit_NxV[row_N], member.label_N[row_N])
      kept_NxV = network.restricted(read, key_Q, like=read.logit_NxV)
      cube = fourier_lib.cosine_cube_coefficients(read.logit_NxV)
      every_Q = jnp.ones_like(key_Q)
      return {
        "restricted_shifted": at(kept_NxV, member.test_N),
        "restricted_heldout": network.restricted_heldout(read, member, key_Q),
        "excluded_skip": at(network.excluded(read, key_Q), member.train_N),
        "residual_all": fourier_lib.cosine_cube_approximation(read.logit_NxV, every_Q)[1],
        "key_similarity": jnp.linalg.norm(jnp.where(key_Q, cube.similarity_Q, 0)),
        "test_nll": network.losses(read, member)["test/nll_nats"],
      }

    pairs = self.run_.pairs
    data = (self.run_.params_S, network.members(pairs), pairs.token_Nx3)
    found = jax.jit(jax.vmap(losses, (0, 0, None, 0)))(*data, self.found.key.values)
    for key, value_S in found.items():
      np.testing.assert_allclose(self.number[key].value_S, value_S, rtol=1e-4, err_msg=key)

  def test_a_row_per_network_and_key(self):
    (table,) = fourier.tables({"small": self.found})
    self.assertLen(table.rows, int(self.found.key.sum()))
    for row in table.rows:
      sine, cosine = row["readout sine"], row["readout cosine"]
      norm = self.found.readout_norm.sel(
        network="trained", seed=row["seed"], frequency=row["frequency"]
      )
      self.assertAlmostEqual(np.hypot(sine, cosine), float(norm), places=5)
    self.assertEqual(table.name, "keys")
    self.assertIn("small: Rows of the source's frequencies 17, 25, 32, 47", table.caption)

  def test_every_number_was_reported(self):
    self.assertContainsSubset(self.number, fourier.PUBLISHED)
    missing = set(fourier.PUBLISHED) - set(self.number)
    # Frequencies that this modulus does not have.
    named = {key for key in fourier.PUBLISHED if key.startswith(("coefficient_", "readout_"))}
    self.assertEmpty(missing - named - set(fourier.WITH_PUBLISHED_KEYS))

  def test_is_stored_and_drawn(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "fourier", self.found, provenance={})
    back, _ = results.read(folder, "fourier")
    xr.testing.assert_identical(back, self.found)
    pages = fourier.figures({"small": back})
    others = {"small, weights", "small, neurons", "small, basis"}
    self.assertEqual(set(pages), {"small"} | others)
    for name in pages:
      drawn.assert_inside(self, self.made[name])

  def _panels(self, page, found=None):
    """Returns the panels of a page of the run, by title."""
    other = lambda: fourier.figures({"small": found})[page].figure()
    figure = self.made[page] if found is None else other()
    every = [ax for part in figure.subfigs for ax in part.axes]
    return {ax.get_title(loc="left"): ax for ax in every if ax.get_title(loc="left")}

  def test_weights_that_are_drawn(self):
    panels, one = self._panels("small, weights"), self.found.isel(seed=0)
    seed = one.seed.item()
    bars = panels[f"small, seed {seed}: embedding, F E"].containers
    height = np.array([bar.get_height() for group in bars for bar in group])
    row_P = one.embedding_row.values
    np.testing.assert_allclose(height, np.concatenate([row_P[1::2], row_P[2::2]]))
    (image,) = panels["Embedding in the basis, F E"].images
    np.testing.assert_allclose(np.linalg.norm(image.get_array(), axis=1), row_P, rtol=1e-5)
    for title, name in (
      ("Left singular vectors of E", "left"),
      ("Those of a Gaussian matrix", "gaussian_left"),
    ):
      last = panels[title].lines[-1].get_ydata()
      its_P = one[name].values[:, -1]
      np.testing.assert_allclose(np.diff(last), np.diff(its_P), atol=1e-6)
    (cosines,) = [ax for title, ax in panels.items() if title.startswith("Cosines of")]
    *keys, mean, _ = [line.get_ydata() for line in cosines.lines if len(line.get_ydata()) > 2] + [0]
    self.assertLen(keys, int(one.key.sum()))
    np.testing.assert_allclose(mean, np.mean(keys, axis=0), atol=1e-5)

  def test_neurons_that_are_drawn(self):
    panels, one = self._panels("small, neurons"), self.found.isel(seed=0)
    (image,) = panels["Neuron 4"].images
    np.testing.assert_array_equal(image.get_array(), one.activation.values[4])
    shares = panels["Each neuron's energy at its best frequency"]
    (line,) = [each for each in shares.lines if each.get_label().startswith("trained")]
    largest_SxF = np.sort(self.found.share.max("frequency").values, axis=1)[:, ::-1]
    np.testing.assert_allclose(line.get_ydata(), np.median(largest_SxF, axis=0))

  def test_clusters_that_are_drawn(self):
    size_Q = np.arange(self.found.sizes["frequency"])
    several = self.found.assign(cluster_size=self.found.cluster_size * 0 + size_Q)
    title = f"Neurons by the frequency they work at, seed {several.seed.values[0]}"
    sizes = self._panels("small, neurons", several)[title]
    height = [bar.get_height() for group in sizes.containers for bar in group]
    np.testing.assert_array_equal(height, size_Q)
    without = self.found.assign(cluster_size=self.found.cluster_size * 0)
    self.assertNotIn(title, self._panels("small, neurons", without))

  def test_basis_that_is_drawn(self):
    panels = self._panels("small, basis")
    basis, product, *_ = panels.values()
    (image,) = basis.images
    np.testing.assert_allclose(image.get_array(), hand_waves.basis(), atol=1e-12)
    (image,) = product.images
    np.testing.assert_allclose(image.get_array(), np.eye(hand_waves.P), atol=1e-12)

  def test_one_network_is_drawn(self):
    # Trained, untrained, zero and the marks; no thin lines of single networks.
    for count, lines in ((1, 4), (2, 8)):
      found = self.found.isel(seed=slice(count))
      figure = fourier.figures({"small": found})["small"].figure()
      self.assertLen(figure.subfigs[0].axes[0].lines, lines)

  def test_several_runs_are_compared(self):
    other = self.found.assign_attrs(population="modulo 11, permuted labels")
    runs = {"small": self.found, "permuted": other}
    pages = fourier.figures(runs)
    pages = {name: page for name, page in pages.items() if "," not in name}
    self.assertEqual(set(pages), {"small", "all runs"})  # a control has no page of its own
    figure = pages["all runs"].figure()
    drawn.assert_inside(self, figure)
    (axes,) = figure.axes
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    self.assertIn("residual fraction without the keys' cubes", labels)
    (table,) = fourier.tables(runs)
    self.assertEqual({row["run"] for row in table.rows}, {"small"})

  def test_even_and_plain_are_refused(self):
    task = self.run_.experiment.task
    for changed in ({"digits": 10}, {"modular": False}):
      experiment = dataclasses.replace(
        self.run_.experiment, task=dataclasses.replace(task, **changed)
      )
      self.assertNotEmpty(fourier.obstacle(experiment))
      with self.assertRaisesRegex(ValueError, "an odd task.digits"):
        fourier.measure(types.SimpleNamespace(experiment=experiment))
    self.assertEmpty(fourier.obstacle(self.run_.experiment))


class ReferenceTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.config = addition_configs.get_config("p113")

  def _at(self, config):
    return program.reference(config)

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


NETWORKS = 6


def by_hand(**value) -> xr.Dataset:
  """Returns a result that has a number, or one for every network, by key."""
  each = {key: np.broadcast_to(np.asarray(x, float), NETWORKS) for key, x in value.items()}
  null = dict.fromkeys(each, np.full(NETWORKS, 0.1))
  seeds = {"seed": np.arange(NETWORKS)}
  population = "modulo 113, published"
  return results.dataset(numbers_lib.stored(each, null), seeds, population=population, reference=0)


def decide(claim_id: str, found: xr.Dataset | None, **changed) -> dict:
  """Returns the ledger's row of one claim, given the result of one run."""
  card = {"population": "modulo 113, published", "setting": True, "waves": True}
  tables = {"run": {} if found is None else {"fourier": found}}
  (claim,) = (claim for claim in fourier.CLAIMS if claim.id == claim_id)
  its = trial.Results(tables, {"run": card | {"seeds": NETWORKS} | changed})
  return trial.ledger((claim,), its).rows[0]


class ClaimsTest(parameterized.TestCase):
  def test_without_runs_everything_is_open(self):
    for claim in fourier.CLAIMS:
      row = decide(claim.id, None)
      self.assertEqual(row["status"], "not run")
      self.assertEqual(row["command"], "analyze.py --workdir=RUN --only=fourier")

  def test_other_populations_decide_nothing(self):
    found = by_hand(residual_as_published=1.0, fitted_nll_as_published=4.7274, residual=0.1)
    for its in ("modulo 113, permuted labels", "modulo 53, other digits"):
      row = decide("modular.constants", found, population=its)
      self.assertEqual(row["status"], "not run")

  @parameterized.parameters((1.0, "not reproduced"), (0.1, "reproduced"))
  def test_published_constants(self, residual, status):
    row = decide(
      "modular.constants",
      by_hand(residual_as_published=residual, fitted_nll_as_published=4.7274, residual=0.1),
    )
    self.assertEqual(row["status"], status)
    self.assertEqual(row["statement"], "The key frequencies are 17, 25, 32 and 47.")
    self.assertIn("its stored run has 8, 19, 41, 54", row["reported"])
    self.assertStartsWith(
      row["because"], "in 6 networks modulo 113, cosine cubes at 17, 25, 32, 47"
    )
    share = f"leave a share of {residual:g} (median {residual:g}, {residual:g} to {residual:g})"
    self.assertIn(f"{share} of the logits' norm (below 0.5 is wanted)", row["because"])
    said = "a loss in nats of 4.73 (median 4.73, 4.73 to 4.73), where a guess has 4.73;"
    self.assertIn(said, row["because"])
    self.assertEqual("must be found" in row["because"], status == "not reproduced")

  @parameterized.parameters(
    (0.95, "reproduced"), ([0.95, 0.95, 0.95, 0.95, 0.95, 0.7], "not reproduced")
  )
  def test_neurons_at_one_frequency(self, share, status):
    found = by_hand(clustered=share, share_median=0.98, gaussian_neuron_share=0.05)
    row = decide("modular.clusters", found)
    self.assertEqual(row["status"], status)
    said = "in 6 networks modulo 113, the share of neurons with more than 0.85 of their energy"
    self.assertStartsWith(row["because"], said)
    self.assertIn(f"is 0.95 (median 0.95, {np.min(share):g} to 0.95)", row["because"])
    self.assertIn("where above 0.8 is wanted; the median neuron has 0.98", row["because"])
    self.assertIn("a map of Gaussian noise 0.05 in the median (0.05 to 0.05).", row["because"])
    self.assertEqual(row["statement"], "Most neurons work at one frequency each.")
    said = "nearly all neurons: frac above 0.85; members of the stored cluster 0.974 to 0.976"
    self.assertEqual(row["reported"], said)

  @parameterized.parameters(
    (0.1, 1e-4, "reproduced"), (0.6, 1e-4, "not reproduced"), (0.1, 0.5, "not reproduced")
  )
  def test_cubes_need_a_small_residual_and_a_comparable_loss(self, residual, loss, status):
    found = by_hand(
      readout_keys=5,
      residual=residual,
      fitted_nll=loss,
      all_nll=1e-7,
      random_cube=1e-3,
      restricted_heldout=1e-6,
    )
    row = decide("modular.cubes", found)
    self.assertEqual(row["status"], status)
    self.assertIn("in 6 networks modulo 113, cosine cubes at 5 (", row["because"])
    self.assertIn(f"leave a share of {residual:g} (", row["because"])
    self.assertIn(f"alone they have a loss in nats of {loss:g} (", row["because"])
    one = decide("modular.cubes", found.isel(seed=[0]))["because"]
    self.assertIn("in 1 network modulo 113, cosine cubes at 5 key frequencies", one)
    self.assertNotIn("median", one)


if __name__ == "__main__":
  absltest.main()
