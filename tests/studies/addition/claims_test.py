import types

import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import claims as trial
from primelens.lens import numbers as reported
from primelens.studies.addition import claims, evidence

MEMBERS = 6


def numbers(population, **value):
  """A result whose table has a value, or one for every member, by key."""
  rows = []
  for key, number in value.items():
    value_S = np.broadcast_to(np.asarray(number, float), MEMBERS)
    rows.append(
      {
        "key": key.replace("__", "/"),
        "population": population,
        "ours": float(value_S[0]),
        "values": value_S.tolist(),
        "untrained": 0.1,
      }
    )
  return types.SimpleNamespace(table=tuple(rows))


def progress(population, boundary=None, **curve):
  """A progress result with two snapshots, at steps 1,000 and 10,000."""
  step_C = np.array([1000, 10_000])
  shape = (MEMBERS, 2)
  curves = {name.replace("__", "/"): value for name, value in curve.items()}
  boundary = boundary or {}
  return types.SimpleNamespace(
    population=population,
    modular=population.startswith("modulo") and int(population.split(",")[0].split()[1]) % 2 == 1,
    key_SxQ=np.zeros((MEMBERS, 3), bool),
    step_C=step_C,
    curves=tuple({"name": name} for name in curves),
    curve_VxSxC=np.array([np.broadcast_to(value, shape) for value in curves.values()]),
    phases=tuple(
      {"boundary": name, **reported.spread(np.broadcast_to(value, MEMBERS))}
      for name, value in boundary.items()
    ),
    boundary_ExS=np.array([np.broadcast_to(value, MEMBERS) for value in boundary.values()]),
  )


PLAIN = "P = 10, published"


def decide(id, **analyses):
  """The verdict on one claim, given results of one run."""
  (claim,) = (claim for claim in claims.CLAIMS if claim.id == id)
  (row,) = trial.ledger((claim,), {"run": analyses}).rows
  return row


class LedgerTest(absltest.TestCase):
  def test_without_runs_everything_is_open(self):
    for row in trial.ledger(claims.CLAIMS, {}).rows:
      self.assertEqual(row["status"], "not run", row["id"])
      self.assertRegex(row["command"], r"^analyze.py --workdir=RUN --only=[a-z_]+$")

  def test_ids_are_unique(self):
    ids = [claim.id for claim in claims.CLAIMS]
    self.assertLen(set(ids), len(ids))

  def test_other_populations_decide_nothing(self):
    for its in ("P = 10, permuted labels", "P = 10, other steps", "P = 12, other digits"):
      row = decide("probe.sum", probe=numbers(its, r2=1, untrained_r2=1))
      self.assertEqual(row["status"], "not run")


class LearningTest(parameterized.TestCase):
  @parameterized.parameters(
    ([1, 1, 1, 1, 1, 1], "reproduced"), ([1, 1, 1, 1, 0.9, 0.6], "not reproduced")
  )
  def test_all_pairs_for_most_members(self, accuracy_S, status):
    last = np.stack([np.zeros(MEMBERS), accuracy_S], axis=1)
    found = progress(
      PLAIN, test__accuracy=last, test__mirrored_accuracy=last, test__lone_accuracy=last
    )
    row = decide("learning.all", progress=found)
    self.assertEqual(row["status"], status)

  @parameterized.parameters(
    (100, 4000, "reproduced"), (100, 300, "not reproduced"), (100, np.nan, "not reproduced")
  )
  def test_delay_of_the_twins(self, memorised, formed, status):
    found = progress("P = 10, shaken by rounding", dict(memorised=memorised, formed=formed))
    with np.errstate(all="ignore"):
      row = decide("learning.delay", progress=found)
    self.assertEqual(row["status"], status)

  def test_a_probe_that_reads_untrained_networks_shows_nothing(self):
    for untrained, status in ((0.9997, "reproduced, but an artefact"), (0.3, "reproduced")):
      found = numbers(PLAIN, r2=0.999, untrained_r2=untrained)
      self.assertEqual(decide("probe.sum", probe=found)["status"], status)

  def test_arc_is_asked_of_members_that_generalise(self):
    accuracy_S = np.array([1, 1, 1, 1, 1, 0.5])
    last = np.stack([accuracy_S, accuracy_S], axis=1)
    embedding = numbers(
      PLAIN, pc12_share=[0.99] * 5 + [0.5], pc1_linear_r2=0.99, pc2_quadratic_r2=0.99
    )
    row = decide(
      "embedding.arc", embedding=embedding, progress=progress(PLAIN, test__accuracy=last)
    )
    self.assertEqual(row["status"], "reproduced")


class MechanismTest(parameterized.TestCase):
  @parameterized.parameters((0.45, 0.39, "reproduced, but an artefact"), (0.95, 0.39, "reproduced"))
  def test_a_drop_that_was_there_before_is_an_artefact(self, early, late, status):
    row = decide(
      "subspace.pc2",
      subspace=numbers(
        PLAIN,
        keep_pc1_accuracy=late,
        remove_pc2_accuracy=0.37,
        remove_line_space_accuracy=1.0,
        remove_line_digits_accuracy=0.8,
      ),
      progress=progress(PLAIN, keep_pc1_accuracy=[early, late]),
    )
    self.assertEqual(row["status"], status)

  @parameterized.parameters((0.60, "not reproduced"), (0.99, "reproduced"))
  def test_average_attention(self, frozen, status):
    found = numbers(
      PLAIN, intact_all__accuracy=1.0, frozen_all__accuracy=frozen, half_all__accuracy=frozen
    )
    row = decide("attention.average", attention=found)
    self.assertEqual(row["status"], status)

  @parameterized.parameters((0.73, "reproduced, but an artefact"), (1.0, "reproduced"))
  def test_high_r2_with_low_accuracy(self, accuracy, status):
    found = numbers(PLAIN, logit_poly2__r2_mean=0.976, logit_poly2__accuracy=accuracy)
    row = decide("polynomial.function", polynomial=found)
    self.assertEqual(row["status"], status)

  @parameterized.parameters((0.9981, "not reproduced"), (0.98, "reproduced"))
  def test_symmetry(self, symmetric, status):
    found = numbers(
      PLAIN, pre_poly2__r2_mean=0.9981, pre_sums__r2_mean=0.979, pre_symmetric8__r2_mean=symmetric
    )
    row = decide("polynomial.symmetry", polynomial=found)
    self.assertEqual(row["status"], status)

  @parameterized.parameters((9, "not reproduced"), (3, "reproduced"))
  def test_sparse(self, needed, status):
    found = numbers(PLAIN, needed=needed)
    self.assertEqual(decide("readout.sparse", readout=found)["status"], status)

  def test_few_members_decide_nothing(self):
    said = evidence.by_members([True] * 4, "x", {})
    self.assertEqual(said.status, "needs more compute")


class ModularTest(parameterized.TestCase):
  ITS = "modulo 113, published"

  @parameterized.parameters(
    ([900, 800, 1000, 700, 900, 950], 100, "reproduced"),
    ([900, 800, 1000, 700, 900, 950], 0, "reproduced, but an artefact"),
    ([900, -800, 1000, -700, 100, 50], 0, "not reproduced"),
    ([900] + [np.nan] * 5, [900] + [np.nan] * 5, "needs more compute"),
  )
  def test_lead_needs_an_interval_and_waves_of_test_pairs(self, lead_S, heldout_S, status):
    found = progress(self.ITS, dict(lead=lead_S, lead_heldout=heldout_S))
    row = decide("modular.lead", progress=found)
    self.assertEqual(row["status"], status)

  def test_a_lead_modulo_an_even_number_does_not_apply(self):
    its = "modulo 12, other digits and steps"
    even = progress(its, dict(memorised=[100] * 6))
    row = decide("modular.lead", progress=even)
    self.assertIn("boundary lead (modulo 12, other digits and steps has no freq", row["because"])
    self.assertNotIn("list", row["because"])
    # A population with frequencies is preferred to a larger one without.
    odd = progress("modulo 13, other digits", dict(lead=500, lead_heldout=100))
    (claim,) = (claim for claim in claims.CLAIMS if claim.id == "modular.lead")
    runs = {"even": {"progress": even}, "odd": {"progress": odd}}
    (row,) = trial.ledger((claim,), runs).rows
    self.assertEqual(row["status"], "reproduced")
    self.assertIn("modulo 13", row["because"])

  @parameterized.parameters(([0.01, 2.0], "reproduced"), ([0.01, 0.02], "not reproduced"))
  def test_excluded_loss_rises(self, excluded, status):
    found = progress(
      self.ITS, train__excluded_nll_nats=excluded, train__nll_nats=1e-7, test__accuracy=1.0
    )
    row = decide("modular.excluded", progress=found)
    self.assertEqual(row["status"], status)


if __name__ == "__main__":
  absltest.main()
