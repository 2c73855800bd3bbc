import dataclasses

import adder
import adder_cards
import jax
import numpy as np
import one
from absl.testing import absltest, parameterized
from primelens import tasks
from primelens.configs import addition as addition_configs
from primelens.lens import claims, results
from primelens.lens import experiment as experiment_lib
from primelens.models import fit as fit_lib
from primelens.models import optimizer
from primelens.studies.addition import program


def losses_after(config, steps):
  """Returns [train, test] of the only member after each number of steps.

  The test pairs, of which every step of a run measures the loss, are asked at the end alone.
  """
  pairs = tasks.load(config.task)
  built, data, _ = program.build(config, pairs)
  train = built.loss
  built = built._replace(loss=lambda *args: (train(*args)[0], {}))
  update = optimizer.build(config.fit.optimizer, config.fit.steps)
  keys_S = fit_lib.seed_keys(config.fit)
  state_S = fit_lib.init(built, update, data, keys_S)
  advance = fit_lib.advance(built, update)
  score = jax.jit(program.losses(config.model))
  batch = one.seed(built, jax.device_get(data), 0)
  batch.pop("start", None)
  found, done = [], 0
  for step in steps:
    state_S, _ = advance(state_S, data, keys_S, np.int32(done), np.int32(step))
    done = step
    params = jax.tree.map(lambda leaf_S: leaf_S[0], jax.device_get(state_S.params))
    found.append([float(loss) for loss in score(params, batch)])
  return found


class PublishedCurvesTest(absltest.TestCase):
  """The source's epoch e: train loss before update e + 1, test loss after."""

  def test_first_200_epochs_of_modular_addition(self):
    before99, after99, before199, after199 = losses_after(
      addition_configs.get_config("p113"), (99, 100, 199, 200)
    )
    # From docs/sources/addition.md, section 3: an independent rerun, and the
    # notebook's own log, which differ from each other by float drift. The train
    # loss of epoch 199 falls fast: six starts shaken by half a unit in the last
    # place span 0.0328 to 0.0361 with the jax 0.12 of the tests, 10.5 % above
    # the rerun, and 0.0327 to 0.0349 with jax 0.10, hence its tolerance.
    np.testing.assert_allclose(before99[0], 2.94748, rtol=2e-3)
    np.testing.assert_allclose(after99[1], 7.5559, rtol=2e-3)
    np.testing.assert_allclose(before199[0], 0.03266, rtol=0.11)
    np.testing.assert_allclose(after199[1], 20.21, rtol=0.01)

  def test_first_100_epochs_of_plain_addition(self):
    config = adder.experiment(((598, 999),))
    ((train, _), (_, test)) = losses_after(config, (99, 100))
    np.testing.assert_allclose(test, 2.25, atol=0.006)
    self.assertLess(train, 0.05)


class PathsTest(parameterized.TestCase):
  def test_tables_and_sequence_give_the_same_losses(self):
    config = addition_configs.get_config("p10_jax")
    pairs = tasks.load(config.task)
    built, data, _ = program.build(config, pairs)
    params_S = fit_lib.fresh(built, data, fit_lib.seed_keys(config.fit))
    params = jax.tree.map(lambda leaf_S: 2 * leaf_S[3], jax.device_get(params_S))
    batch = one.seed(built, jax.device_get(data), 3)
    generic = dataclasses.replace(config.model.trunk, dropout=1e-9)
    slow = dataclasses.replace(config.model, trunk=generic)
    by_table = jax.jit(program.losses(config.model))(params, batch)
    by_sequence = jax.jit(program.losses(slow))(params, batch)
    np.testing.assert_allclose(by_table, by_sequence, rtol=1e-4)

  def test_members_have_their_own_split_labels_and_start(self):
    config = addition_configs.get_config("p10_permuted")
    _, data, _ = program.build(config, tasks.load(config.task))
    data = jax.device_get(data)
    first, second = (data["label_N"][i] for i in (0, 2))
    self.assertTrue((np.sort(first) == np.sort(second)).all())
    self.assertGreater((first != second).mean(), 0.5)
    start = data["start"]["unembed"]["kernel"]
    np.testing.assert_array_equal(start[0], start[3])  # both init 999
    self.assertGreater(np.abs(start[0] - start[1]).max(), 0.1)

  def test_drift_shakes_the_published_start_by_a_rounding(self):
    config = addition_configs.get_config("p10_drift")
    built, data, _ = program.build(config, tasks.load(config.task))
    params_S = fit_lib.fresh(built, data, fit_lib.seed_keys(config.fit))
    kernel_S = np.asarray(params_S["unembed"]["kernel"])
    start = np.asarray(data["start"]["unembed"]["kernel"])[0]
    ratio_S = np.abs(kernel_S / start[None] - 1)
    self.assertLess(ratio_S.max(), 6 * addition_configs.ROUNDING)
    self.assertGreater((kernel_S[0] != kernel_S[1]).mean(), 0.2)

  def test_two_layers_modulo_97_are_a_config_away(self):
    config = addition_configs.get_config("p113")
    trunk = dataclasses.replace(config.model.trunk, layers=2)
    config = dataclasses.replace(
      config,
      task=dataclasses.replace(config.task, digits=97),
      model=dataclasses.replace(
        config.model, vocabulary=98, classes=97, trunk=trunk, torch_seeds=()
      ),
    )
    experiment_lib.check(config)
    start, end = losses_after(config, (0, 3))
    # A guess costs ln 97 = 4.5747; three steps of the whole batch improve it.
    np.testing.assert_allclose(start, np.log(97), atol=0.05)
    self.assertLess(end[0], start[0])

  def test_without_tables_the_test_loss_is_measured_at_evaluations_alone(self):
    measured = {}
    for name in ("p113", "p97"):
      config = addition_configs.get_config(name)
      built, data, select = program.build(config, tasks.load(config.task))
      key = jax.random.key(0)
      own = one.seed(built, data, 0)
      params, batch = built.init(own, key), built.draw(own, key, 0)
      measured[name] = sorted(jax.eval_shape(built.loss, params, batch, key, 0)[1])
    self.assertEqual(measured, {"p113": ["nll_nats", "test/nll_nats"], "p97": ["nll_nats"]})
    self.assertEqual(config.fit.evaluate_every, config.fit.dispatch)
    rows = one.seed(built, select, 0)
    test = {**rows, "train_N": rows["train_N"][:1]}  # another train split: the same number
    np.testing.assert_allclose(
      built.evaluate(params, rows, key), built.evaluate(params, test, key), rtol=1e-6
    )
    self.assertNotAlmostEqual(
      float(built.evaluate(params, rows, key)),
      float(built.loss(params, batch, key, 0)[0]),
      places=6,
    )


class PopulationTest(parameterized.TestCase):
  @parameterized.parameters(
    ("published", "P = 10, published", 0),
    ("permuted", "P = 10, permuted labels", None),
    ("unordered", "P = 10, unordered pairs split", None),
    ("no_decay", "P = 10, no weight decay", None),
    ("drift", "P = 10, shaken by rounding", None),
    ("jax", "P = 10, published", None),
  )
  def test_populations_and_their_reference(self, variant, its, reference):
    config = addition_configs.get_config(f"p10_{variant}")
    self.assertEqual(program.population(config), its)
    self.assertEqual(program.reference(config), reference)

  def test_modular_population(self):
    config = addition_configs.get_config("p113")
    self.assertEqual(program.population(config), "modulo 113, published")
    self.assertEqual(program.reference(config), 0)

  def test_nothing_but_the_published_setting_is_published(self):
    base = addition_configs.get_config("p113")
    task = lambda **to: dataclasses.replace(base, task=dataclasses.replace(base.task, **to))
    fit = lambda **to: dataclasses.replace(base, fit=dataclasses.replace(base.fit, **to))
    faster = dataclasses.replace(base.fit.optimizer, rate=3e-3)
    wide = dataclasses.replace(base.model.trunk, width=64)
    biased = dataclasses.replace(base.model.trunk, bias=True)
    model = lambda trunk: dataclasses.replace(
      base, model=dataclasses.replace(base.model, trunk=trunk)
    )
    for config, its in (
      (task(digits=59), "modulo 59, other digits"),
      (task(train_fraction=0.5), "modulo 113, other train fraction"),
      (fit(steps=100), "modulo 113, other steps"),
      (fit(optimizer=faster), "modulo 113, other optimizer"),
      (model(wide), "modulo 113, other network"),
      (model(biased), "modulo 113, other network"),
      (addition_configs.get_config("p53"), "modulo 53, other digits, train fraction and steps"),
    ):
      self.assertEqual(program.population(config), its)
      self.assertIsNone(program.reference(config))
      self.assertTrue(program.is_setting(its))
    both = task(digits=59, labels="permuted")
    self.assertEqual(program.population(both), "modulo 59, permuted labels, other digits")
    self.assertFalse(program.is_setting("modulo 59, permuted labels, other digits"))

  def test_a_card_says_what_claims_ask_for(self):
    card = program.card(addition_configs.get_config("p113"))
    wanted = {"population": "modulo 113, published", "reference": 0}
    self.assertEqual(card, wanted | {"setting": True, "waves": True})
    self.assertFalse(program.card(addition_configs.get_config("p10_permuted"))["setting"])

  def test_controls_show_no_page_of_their_own(self):
    its = {
      run: results.dataset({}, population=population)
      for run, population in (("a", "P = 10, published"), ("b", "P = 10, permuted labels"))
    }
    self.assertEqual(list(program.main(its)), ["a"])
    self.assertEqual(list(program.main({"b": its["b"]})), ["b"])  # where there is no other

  def test_few_members_decide_nothing(self):
    said = program.by_members([True] * 4, "x", {})
    self.assertEqual(said.status, "needs more compute")
    self.assertEqual(said.because, "4 of 4 members meet the claim (90 % of 5 or more must): x.")

  def test_a_claim_reads_the_same_run_in_any_order_of_runs(self):
    of = lambda seeds, reference: results.dataset(
      {}, {"seed": np.arange(seeds)}, reference=reference
    )
    runs = {"jax": of(12, -1), "own": of(4, 0), "more": of(8, 0)}
    cards = dict.fromkeys(runs, {"population": "P = 10, published"})
    for order in (list(runs), list(runs)[::-1]):
      its = claims.Results({run: {"progress": runs[run]} for run in order}, cards)
      self.assertEqual(program.first(its, "progress").sizes["seed"], 8)

  def test_a_verdict_by_members_says_what_is_counted(self):
    said = program.by_members([True] * 9 + [False], "x", {}, whom="that learn")
    self.assertEqual(said.status, "reproduced")
    self.assertEqual(said.because, "9 of 10 that learn meet the claim (90 % must): x.")
    said = program.by_members([True] * 17 + [False] * 3, "x", {})
    self.assertEqual(said.status, "not reproduced")
    self.assertStartsWith(said.because, "17 of 20 members")

  @parameterized.parameters(
    (0, "0.9 (median 0.6, 0.3 to 0.9)", True),
    (-1, "0.6 in the median (0.3 to 0.9)", False),
  )
  def test_a_number_says_whose_it_is(self, reference, words, own):
    found = adder_cards.numbers(reference=reference, x=[0.9, 0.6, 0.6, 0.6, 0.6, 0.3])
    (number,) = program.numbers(found, "x")
    self.assertEqual((str(number), number.middle), (words, "0.6 in the median (0.3 to 0.9)"))
    said = program.verdict("reproduced", f"x is {number}", {}).because
    note = " Numbers before a median are of the source's network, trained again here."
    self.assertEqual(said, f"x is {words}." + note * own)
    one = program.numbers(found.isel(seed=[0]), "x")[0]
    self.assertEqual((str(one), one.middle), ("0.9", "0.9"))

  def test_networks_are_counted(self):
    found = adder_cards.numbers("modulo 53, other digits", x=1)
    self.assertEqual(program.networks(found), "6 networks modulo 53")
    self.assertEqual(program.networks(found.isel(seed=[0])), "1 network modulo 53")


class CheckTest(parameterized.TestCase):
  @parameterized.parameters(
    (dict(vocabulary=12), "model.vocabulary=12, but the task has 11."),
    (dict(classes=19), "model.classes=19, but the task has 20."),
    (dict(torch_seeds=(1, 2)), "model.torch_seeds names 2 starts"),
  )
  def test_what_does_not_go_together_is_named(self, change, message):
    config = addition_configs.get_config("p10_published")
    model = dataclasses.replace(config.model, **change)
    with self.assertRaisesRegex(ValueError, message):
      experiment_lib.check(dataclasses.replace(config, model=model))

  def test_every_member_needs_a_split(self):
    config = addition_configs.get_config("p10_published")
    fewer = dataclasses.replace(config.fit, seeds=3)
    with self.assertRaisesRegex(ValueError, "names 20 splits"):
      experiment_lib.check(dataclasses.replace(config, fit=fewer))


if __name__ == "__main__":
  absltest.main()
