import dataclasses
import functools
import tempfile
from pathlib import Path

import adder
import adder_cards
import drawn
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.configs import addition as addition_configs
from primelens.lens import results
from primelens.models import checkpoints, tokens
from primelens.studies.addition import network, program, progress


def with_snapshots(run, params_CxS) -> object:
  """Returns the run in a folder that has snapshots of the params."""
  workdir = Path(tempfile.mkdtemp())
  for step, params_S in params_CxS.items():
    checkpoints.write_snapshot(workdir / "snapshots", step, params_S)
  return dataclasses.replace(run, workdir=workdir)


class PlainTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    run = adder.trained()
    cls.run_ = with_snapshots(run, {100: run.untrained_S(), 10_000: run.params_S})
    cls.found = progress.measure(cls.run_)

  def test_last_snapshot_has_the_recomputed_numbers(self):
    last = self.found["value"].isel(seed=0, step=1)
    for name, expected, tolerance in (
      ("train/accuracy", 1, 0),
      ("test/accuracy", 1, 0),
      ("pre_poly2_r2", 0.9981, 0.005),
      ("pre_sums_r2", 0.9790, 0.005),
      ("post_poly2_r2", 0.9737, 0.005),
      ("readout_two_share", 0.9814, 0.005),
      ("keep_pc1_accuracy", 0.39, 0.03),
      ("frozen_accuracy", 0.60, 0.03),
    ):
      np.testing.assert_allclose(last.sel(curve=name), expected, atol=tolerance)

  def test_first_snapshot_is_untrained(self):
    first = self.found["value"].isel(seed=0, step=0)
    # From docs/sources/addition.md, section 7: random init z on Poly2 .606, additive 1.000, and the
    # initial losses of section 2.
    np.testing.assert_allclose(first.sel(curve="pre_poly2_r2"), 0.606, atol=0.005)
    np.testing.assert_allclose(first.sel(curve="pre_additive_r2"), 1, atol=0.0005)
    np.testing.assert_allclose(first.sel(curve="train/nll_nats"), 3.003721, atol=2e-6)
    np.testing.assert_allclose(first.sel(curve="test/nll_nats"), 3.005199, atol=2e-6)

  def test_axes_and_members(self):
    self.assertEqual(self.found["value"].dims, ("curve", "seed", "step"))
    self.assertEqual(self.found["value"].shape[1:], (2, 2))
    np.testing.assert_array_equal(self.found["step"], [100, 10_000])
    self.assertEqual(self.found["similarity"].shape, (2, 2, 0))
    self.assertEqual(self.found.population, "P = 10, published")
    self.assertFalse(self.found.modular)
    # The second network was never trained.
    self.assertGreater(float(self.found["value"].sel(curve="test/nll_nats")[1, 1]), 2.9)

  def test_is_stored_and_drawn(self):
    with tempfile.TemporaryDirectory() as folder:
      results.write(folder, "progress", self.found, provenance={})
      stored, _ = results.read(folder, "progress")
    self.assertTrue(stored.identical(self.found))
    for found in (stored, stored.isel(seed=[0])):
      (page,) = progress.figures({"run": found}).values()
      drawn.assert_inside(self, page.figure())

  def test_runs_are_compared(self):
    pages = progress.figures({"one": self.found, "two": self.found.isel(seed=[1])})
    self.assertEqual(list(pages), ["one", "two", "all runs"])
    drawn.assert_inside(self, pages["all runs"].figure())

  def test_without_snapshots_it_is_said(self):
    with self.assertRaisesRegex(ValueError, "no snapshots; train with"):
      progress.measure(adder.trained())


class ChunksTest(absltest.TestCase):
  def test_chunks_give_every_snapshot_in_order(self):
    run = adder.handmade(adder.experiment())
    scaled = {
      step: jax.tree.map(lambda x, s=step: s * np.asarray(x), run.params_S)
      for step in (1, 2, 3, 5, 8)
    }
    run = with_snapshots(run, scaled)
    run.experiment.analyses.snapshot_batch = 2
    norm = lambda model, params, member, token_Nx3, extra: (
      extra * jnp.abs(params["unembed"]["kernel"]).sum()
    )
    found_SxC = network.over_snapshots(norm, run, np.array([1.0, -1.0]))
    relative = found_SxC / np.abs(found_SxC[:, :1])
    expected = np.outer([1, -1], [1, 2, 3, 5, 8])
    np.testing.assert_allclose(relative, expected, rtol=1e-5)

  def test_batches_give_every_member_in_order(self):
    run = adder.handmade(adder.experiment(((598, 999), (1, 999), (1, 1))))
    run.experiment.analyses.member_batch = 2
    measure = lambda model, params, member, token_Nx3: {
      "last": member.test_N[-1],
      "largest": jnp.abs(params["unembed"]["kernel"]).max(),
    }
    found = network.over_members(measure, run)
    np.testing.assert_array_equal(found["last"], run.pairs.test_SxN[:, -1])
    unembed_SxDxV = np.asarray(run.params_S["unembed"]["kernel"])
    largest_S = np.abs(unembed_SxDxV).max((1, 2))
    np.testing.assert_array_equal(found["largest"], largest_S)


def modular_losses(model, params, member, pair, keys):
  """Restricted and excluded loss by explicit waves, in numpy float64."""
  P = model.classes
  token_Nx3 = np.array([(a, b, P) for a in range(P) for b in range(P)])
  read = jax.jit(functools.partial(network.read, model))(params, token_Nx3)
  h, mid, W_L, W_U, L = (
    np.asarray(x, np.float64)
    for x in (read.post_NxF, read.mid_NxD, read.readout_VxF, read.unembed_DxV, read.logit_NxV)
  )
  total_N = token_Nx3[:, 0] + token_Nx3[:, 1]
  part = np.zeros_like(h)
  for k in keys:
    for wave in (np.cos, np.sin):
      u_N = wave(2 * np.pi * k * total_N / P)
      u_N /= np.linalg.norm(u_N)
      part += np.outer(u_N, u_N @ h)

  def loss(logit, row_N):
    label_N = total_N[row_N] % P
    top = logit[row_N].max(1, keepdims=True)
    log_sum = np.log(np.exp(logit[row_N] - top).sum(1)) + top[:, 0]
    return (log_sum - logit[row_N, label_N]).mean()

  restricted = (h.mean(0) + part) @ W_L.T
  restricted += (L - restricted).mean(0)
  excluded = (h - part) @ W_L.T + mid @ W_U
  train_N, test_N = (np.asarray(x) for x in (member.train_N, member.test_N))
  return loss(restricted, test_N), loss(excluded, train_N)


class MirroredTest(absltest.TestCase):
  def test_who_is_explained_by_commutativity(self):
    # Of 3 x 3 pairs, train has (0, 1), (1, 1), (0, 2); test (1, 0) right,
    # (2, 0) wrong, whose mirrors are known, and (2, 2) wrong, (1, 2) right,
    # (0, 0) right, whose mirrors are not: a diagonal pair is its own.
    label_N = np.array([a + b for a in range(3) for b in range(3)])
    logit_NxV = np.eye(6)[label_N]
    for wrong in (6, 8):
      logit_NxV[wrong] = np.eye(6)[5]
    read = network.Network(*[None] * len(network.Network._fields))._replace(
      embedding_PxD=np.zeros((3, 4)), logit_NxV=logit_NxV
    )
    member = network.Member(label_N, np.array([1, 4, 2]), np.array([3, 6, 8, 5, 0]))
    found = jax.jit(progress.mirrored)(read, member)
    self.assertEqual(float(found["test/mirrored_accuracy"]), 1 / 2)
    np.testing.assert_allclose(found["test/lone_accuracy"], 2 / 3, rtol=1e-6)


class ModularTest(absltest.TestCase):
  def test_losses_equal_explicit_projections(self):
    P, keys = 7, (1, 3)
    model = tokens.Config(vocabulary=P + 1, classes=P)
    start = jax.jit(lambda key: jax.tree.map(lambda x: 2 * x, tokens.init(model, key)))
    params = start(jax.random.key(1))
    a_N, b_N = np.divmod(np.arange(P * P), P)
    row_N = np.random.default_rng(0).permutation(P * P)
    member = network.Member((a_N + b_N) % P, row_N[:20], row_N[20:])
    token_Nx3 = np.stack([a_N, b_N, np.full(P * P, P)], 1)
    key_Q = np.isin(np.arange(P // 2 + 1), np.array(keys))
    found = jax.jit(functools.partial(progress.modular, model))(params, member, token_Nx3, key_Q)
    restricted, excluded = modular_losses(model, params, member, None, keys)
    np.testing.assert_allclose(found["test/restricted_nll_nats"], restricted, rtol=1e-4)
    np.testing.assert_allclose(found["train/excluded_nll_nats"], excluded, rtol=1e-4)


class ModularRunTest(absltest.TestCase):
  """A small modular run, untrained and the same with larger weights."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    digits = 11
    config = addition_configs.get_config("p113,2")
    trunk = tokens.plain_trunk(width=16, heads=2, hidden=24)
    model = dataclasses.replace(
      config.model, vocabulary=digits + 1, classes=digits, torch_seeds=(), trunk=trunk
    )
    task = dataclasses.replace(config.task, digits=digits)
    run = adder.handmade(dataclasses.replace(config, task=task, model=model))
    larger_S = jax.tree.map(lambda x: 2 * np.asarray(x), run.params_S)
    cls.found = progress.measure(with_snapshots(run, {100: run.params_S, 200: larger_S}))

  def test_axes_and_key_frequencies(self):
    self.assertTrue(self.found.modular)
    self.assertEqual(self.found["similarity"].dims, ("seed", "step", "frequency"))
    self.assertEqual(self.found["similarity"].shape, (2, 2, 6))
    self.assertEqual(list(self.found["boundary"].values), list(progress.BOUNDARIES))
    key_SxQ, similarity_SxCxQ = self.found["key"].values, self.found["similarity"].values
    self.assertTrue(key_SxQ.any(1).all())
    together_SxC = np.sqrt((similarity_SxCxQ**2 * key_SxQ[:, None]).sum(-1))
    together = program.curve(self.found, "key_similarity")
    np.testing.assert_allclose(together, together_SxC, rtol=1e-4)

  def test_page_has_a_row_of_cosine_cubes(self):
    (page,) = progress.figures({"run": self.found}).values()
    figure = page.figure()
    drawn.assert_inside(self, figure)
    for axes, name in zip(figure.axes[-2:], ("coefficient", "similarity"), strict=True):
      drawn_QxC = sorted(tuple(line.get_ydata()) for line in axes.lines)
      stored_QxC = self.found[name].isel(seed=0).transpose("frequency", "step").values
      self.assertEqual(drawn_QxC, sorted(map(tuple, stored_QxC)))

  def test_coefficients_are_similarities_of_all_the_logits(self):
    # c_k = s_k |L|: one norm for all frequencies of a network at a step.
    ratio = self.found["coefficient"] / self.found["similarity"]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[..., :1], ratio.shape), rtol=1e-3)

  def test_ratio_of_losses_is_drawn(self):
    (page,) = progress.figures({"run": self.found.isel(seed=[0])}).values()
    (axes,) = [x for x in page.figure().axes if "Test loss over" in x.get_title(loc="left")]
    test_C, restricted_C = (
      program.curve(self.found, f"test/{name}")[0] for name in ("nll_nats", "restricted_nll_nats")
    )
    drawn_RxC = [line.get_ydata() for line in axes.lines]
    self.assertTrue(any(np.array_equal(y_C, test_C / restricted_C) for y_C in drawn_RxC))

  def test_plain_and_modular_runs_are_compared(self):
    formed = dict(formed=[300.0, 400.0, 500.0] + [np.nan] * 3)
    plain = adder_cards.progress(boundary=formed, test__accuracy=[0, 1], test__nll_nats=[3, 1])
    page = progress._compared({"plain": plain, "own": self.found})
    drawn.assert_inside(self, page.figure())


class PhasesTest(parameterized.TestCase):
  STEP_C = np.array([100, 200, 300, 400, 500])
  UNIFORM = 3.0

  def curves(self, test_C, restricted_C=None):
    found = {"test/nll_nats": np.array([test_C]), "train/accuracy": np.array([[0.5, 1, 0.9, 1, 1]])}
    if restricted_C is not None:
      found["test/restricted_nll_nats"] = np.array([restricted_C])
      held_out_C = [2, 2, 1, 0, 0]
      found["test/restricted_heldout_nll_nats"] = np.array([held_out_C])
    return found

  def test_boundaries_of_a_grokking_curve(self):
    curves = self.curves([4, 9, 2, 0.005, 0.001], [2, 1, 1, 0, 0])
    steps = progress.boundaries(self.STEP_C, curves, self.UNIFORM)
    found = {name: step_S[0] for name, step_S in steps.items()}
    self.assertEqual(
      found,
      {
        "memorised": 200,
        "peak": 200,
        "formed": 300,
        "cleaned": 400,
        "restricted": 200,
        "lead": 200,  # test loss below 1.5 from 400
        "lead_heldout": 100,
      },
    )

  def test_a_member_that_never_learns_has_no_boundary(self):
    steps = progress.boundaries(self.STEP_C, self.curves([4, 2, 5, 9, 12]), self.UNIFORM)
    self.assertTrue(np.isnan(steps["formed"]).all())
    self.assertTrue(np.isnan(steps["cleaned"]).all())
    self.assertEqual(steps["peak"], 500)  # still rising

  def test_a_dip_does_not_count(self):
    step_S = progress.for_good(self.STEP_C, np.array([[False, True, False, True, True]]))
    np.testing.assert_array_equal(step_S, [400])


def summarised(modular: bool):
  """Returns a result as the summary and the table read it."""
  its = "modulo 113, published" if modular else adder_cards.PLAIN
  found = adder_cards.progress(
    its,
    dict(formed=[200.0, 300.0] * 3, lead_heldout=[200.0, 300.0] * 3),
    test__accuracy=1,
    pre_additive_r2=1,
    frozen_accuracy=1,
  )
  key_SxQ = np.tile([False, True, False, True], (adder_cards.MEMBERS, 1))
  curves = progress.LOSSES | progress.PLAIN
  described = [curves[name] for name in found["curve"].values.tolist()]
  return found.assign(
    curve_title=results.variable("curve", [each.title for each in described], "the curve"),
    curve_item=results.variable("curve", [each.item for each in described], "item of the curve"),
    key=results.variable("seed frequency", key_SxQ, "key frequency"),
    boundary_meaning=results.variable("boundary", ["the circuit", "the lead"], "in words"),
  )


class SummaryTest(parameterized.TestCase):
  @parameterized.parameters(
    (False, "additive in a and b"), (True, "key frequencies 1, 3 / 1, 3 / 1, 3; the held-out")
  )
  def test_line(self, modular, mechanism):
    found = summarised(modular)
    said = progress.line({"run": found})
    self.assertStartsWith(said, "Networks that get all test pairs right: run 6 of 6 (median test")
    self.assertIn("median step (range): run 250 (200 … 300; 6 of 6 members)", said)
    self.assertIn(f"Mechanism: run: {'' if modular else 'z is 1.000 '}{mechanism}", said)

  def test_a_circuit_that_never_forms(self):
    found = summarised(True)
    found["boundary_step"][:] = np.nan
    self.assertIn("(range): run never.", progress.line({"run": found}))

  def test_a_control_has_no_mechanism(self):
    found = summarised(False).assign_attrs(population="P = 10, permuted labels")
    self.assertIn("Mechanism: no run of the published setting.", progress.line({"run": found}))

  def test_table_of_phases(self):
    table, ends = progress.tables({"run": summarised(True)})
    row = next(row for row in ends.rows if row["curve"] == "test accuracy")
    self.assertEqual((row["item"], row["last"]), ("B30", 1))
    self.assertEqual([row["boundary"] for row in table.rows], ["formed", "lead_heldout"])
    formed = table.rows[0]
    self.assertEqual((formed["median step"], formed["drawn by eye"]), (250, 13_300))
    self.assertEqual(formed["networks"], "6 of 6")
    self.assertIn("Snapshots are 1,000 steps apart", table.caption)
    plain, _ = progress.tables({"run": summarised(False)})
    self.assertIsNone(plain.rows[0]["drawn by eye"])


class LearningTest(parameterized.TestCase):
  @parameterized.parameters(
    ([1, 1, 1, 1, 1, 1], "reproduced"), ([1, 1, 1, 1, 0.9, 0.6], "not reproduced")
  )
  def test_all_pairs_for_most_members(self, accuracy_S, status):
    last = np.stack([np.zeros(adder_cards.MEMBERS), accuracy_S], axis=1)
    curves = dict(test__accuracy=last, test__mirrored_accuracy=last, test__lone_accuracy=last)
    found = adder_cards.progress(**curves)
    row = adder_cards.row(progress, "learning.all", {"progress": found})
    self.assertEqual(row["status"], status)
    self.assertNotIn("where both orders", row["because"])
    self.assertIn("all test pairs have to be right after training", row["because"])
    self.assertIn(f"({np.min(accuracy_S):.2f} to 1.00); on average", row["because"])
    own = adder_cards.row(progress, "learning.all", {"progress": found.assign_attrs(reference=5)})
    said = f"to 1.00), of the source's network {accuracy_S[5]:.2f}; on average"
    self.assertIn(said, own["because"])
    other = adder_cards.progress("P = 10, unordered pairs split", test__accuracy=1.0)
    row = adder_cards.row(progress, "learning.all", {"progress": found}, {"progress": other})
    said = "of the split, test accuracy is 1.00 in the median, and 6 of 6 networks get all right"
    self.assertIn(said, row["because"])

  @parameterized.parameters(
    (100, 4000, "reproduced"), (100, 300, "not reproduced"), (100, np.nan, "not reproduced")
  )
  def test_delay_of_the_shaken_starts(self, memorised, formed, status):
    found = adder_cards.progress(
      "P = 10, shaken by rounding", dict(memorised=memorised, formed=formed)
    )
    with np.errstate(all="ignore"):
      row = adder_cards.row(progress, "learning.delay", {"progress": found})
    self.assertEqual(row["status"], status)
    self.assertIn("has to be at least 5 times the first step", row["because"])
    self.assertIn("knows the train pairs by step 100 and", row["because"])
    self.assertIn(f"from step {formed:,.0f} on at the earliest", row["because"])

  def test_without_runs_everything_is_open(self):
    adder_cards.assert_not_run(self, progress)


class ModularClaimsTest(parameterized.TestCase):
  ITS = "modulo 113, published"

  @parameterized.parameters(
    ([900, 800, 1000, 700, 900, 950], 100, "reproduced"),
    ([900, 800, 1000, 700, 900, 950], 0, "reproduced, but an artefact"),
    ([900, -800, 1000, -700, 100, 50], 0, "not reproduced"),
    ([900] + [np.nan] * 5, [900] + [np.nan] * 5, "needs more compute"),
  )
  def test_lead_needs_an_interval_and_waves_of_test_pairs(self, lead_S, heldout_S, status):
    found = adder_cards.progress(self.ITS, dict(lead=lead_S, lead_heldout=heldout_S))
    row = adder_cards.row(progress, "modular.lead", {"progress": found})
    self.assertEqual(row["status"], status)
    said = "in 6 networks modulo 113, the restricted loss gets below half the loss of a guess (1.50"
    self.assertStartsWith(row["because"], said)
    self.assertIn(f"for good {np.nanmedian(lead_S):,.0f} steps before", row["because"])
    few = status == "needs more compute"
    self.assertIn(f"(median of {1 if few else 6} of 6 members", row["because"])
    self.assertEqual(row["because"].count("mean, 95 % interval: "), 0 if few else 2)

  def test_a_lead_modulo_an_even_number_does_not_apply(self):
    its = "modulo 12, other digits and steps"
    even = {"progress": adder_cards.progress(its, dict(memorised=[100] * 6))}
    row = adder_cards.row(progress, "modular.lead", even)
    self.assertIn("boundary lead (modulo 12, other digits and steps has no freq", row["because"])
    self.assertNotIn("list", row["because"])
    # A population with frequencies is preferred to a larger one without.
    odd = adder_cards.progress("modulo 13, other digits", dict(lead=500, lead_heldout=100))
    row = adder_cards.row(progress, "modular.lead", even, {"progress": odd})
    self.assertEqual(row["status"], "reproduced")
    said = "in 6 networks modulo 13 (the source: modulo 113; here other digits), the restricted"
    self.assertStartsWith(row["because"], said)
    self.assertIn("mean, 95 % interval: 500 to 500", row["because"])
    self.assertIn("mean, 95 % interval: 100 to 100", row["because"])

  @parameterized.parameters(([0.01, 2.0], "reproduced"), ([0.01, 0.02], "not reproduced"))
  def test_excluded_loss_rises(self, excluded, status):
    found = adder_cards.progress(
      self.ITS, train__excluded_nll_nats=excluded, train__nll_nats=1e-7, test__accuracy=1.0
    )
    row = adder_cards.row(progress, "modular.excluded", {"progress": found})
    self.assertEqual(row["status"], status)
    said = "in 6 networks modulo 113, the least excluded loss is 0.01 nats, at step 1,000, and it"
    self.assertStartsWith(row["because"], said)
    self.assertIn(
      f"ends at {excluded[1]:.3g} nats, where the train loss is 1e-07 n", row["because"]
    )

  @parameterized.parameters((13_000, "reproduced"), (9_000, "not reproduced"))
  def test_phases_drawn_by_eye(self, formed, status):
    found = adder_cards.progress(self.ITS, dict(peak=1500, formed=formed, cleaned=16_000))
    row = adder_cards.row(progress, "modular.phases", {"progress": found})
    self.assertEqual(row["status"], status)
    said = "medians of 6 networks modulo 113: test loss at its largest (memorisation ends) at step"
    self.assertStartsWith(row["because"], f"{said} 1,500 (by eye 1,500)")
    self.assertIn(
      "test loss below that of a guess, ln C, for good (the circuit is formed) at step"
      f" {formed:,} (by eye 13,300)",
      row["because"],
    )
    self.assertIn("within 20 % of the steps drawn by eye is wanted", row["because"])
    self.assertIn("circuit formation at 13,300", row["statement"])


if __name__ == "__main__":
  absltest.main()
