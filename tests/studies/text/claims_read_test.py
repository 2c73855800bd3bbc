"""Claims on probes, waves and interventions, by results made up for them."""

from types import SimpleNamespace

import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import claims as trial
from primelens.studies.text import claims

NOT_RUN, NOT = "not run", "not reproduced"
YES, ARTEFACT = "reproduced", "reproduced, but an artefact"


def spread(value, half=0.01, **more):
  found = {"mean": value, "mean_low": value - half, "mean_high": value + half}
  found |= {"minimum": value - half, "maximum": value + half}
  return found | {"median": value} | more


def answers(question):
  row = {"part": "fresh", "skill": 0.0, "skill_low": -0.1, "skill_high": 0.1}
  values = {"exact": 0.02, "rmse": 21.0, "accuracy": 0.51}
  return SimpleNamespace(
    question=question,
    table=({},),
    regression=True,
    answer_SxN=np.zeros((5, 3)),
    skills=(row,),
    measures=tuple(
      {"part": "fresh", "measure": name, "median": value} for name, value in values.items()
    ),
  )


def decided(name, question="sum", **analyses):
  """Returns status and reason of a claim, from one run's results."""
  run = {"answers": answers(question)} | {
    key: SimpleNamespace(**value) for key, value in analyses.items()
  }
  rows = trial.ledger(claims.CLAIMS, {"run": run}).rows
  row = next(row for row in rows if row["id"] == name)
  return row["status"], row["because"]


def probes(target="x + y", last=0.998, other=0.95, untrained=0.9, p=0.01):
  roles = ("x-tens", "?")
  return tuple(
    spread(
      last if role == "?" else other,
      half=0.001,
      target=which,
      level=level,
      role=role,
      untrained=untrained,
      inputs=0.91,
      selectivity=0.9,
      error_ratio=0.02,
      p=p,
    )
    for which in {target, "x + y"}
    for level in ("embeddings", "final")
    for role in roles
  )


class ProbeClaimsTest(parameterized.TestCase):
  @parameterized.parameters((dict(), YES), (dict(last=0.9), NOT), (dict(untrained=0.995), ARTEFACT))
  def test_sum(self, values, expected):
    status, because = decided("probes.sum", probes={"probes": probes(**values)})
    self.assertEqual(status, expected, because)

  @parameterized.parameters((dict(), ARTEFACT), (dict(untrained=0.1), YES), (dict(other=0.2), NOT))
  def test_everywhere(self, values, expected):
    found = {"probes": probes(**values)}
    status, because = decided("probes.everywhere", probes=found)
    self.assertEqual(status, expected, because)

  @parameterized.parameters(
    (dict(last=-0.01), NOT), (dict(last=0.5), YES), (dict(last=0.5, p=0.3), NOT)
  )
  def test_residue(self, values, expected):
    found = {"probes": probes(target="residue", **values)}
    status, because = decided("probes.residue", "modk", probes=found)
    self.assertEqual(status, expected, because)

  @parameterized.parameters((0.4, YES), (0.05, ARTEFACT), (0.005, NOT))
  def test_nonlinear(self, mine, expected):
    values = {"states": mine, "untrained": 0.04, "shuffled": -0.01}
    about = {"probe": "256x2", "target": "residue"}
    found = {
      "probes": tuple(
        spread(value, reads=reads, **about) for reads, value in (values | {"digits": 0.06}).items()
      ),
      "digit_sums": tuple(
        spread(0.8, rows="fresh pairs", reads=reads, target="u") for reads in values
      ),
      "weights": "3 hundreds + 10 tens + 1 units",
    }
    status, because = decided("nonlinear.residue", "modk", nonlinear_probes=found)
    self.assertEqual(status, expected, because)

  @parameterized.parameters((0.2, NOT), (0.9, YES))
  def test_first_component(self, shared, expected):
    values = {"PC1_r2": shared, "PC1_by_length": 0.98, "PC2_r2": 0.7}
    measures = tuple(
      spread(value, rows="fresh pairs", pooling="last", measure=measure, untrained=0.2)
      for measure, value in values.items()
    )
    status, because = decided("geometry.pc1", geometry={"measures": measures})
    self.assertEqual(status, expected, because)


def waves(r2=0.04, null=0.04, held_out=-0.03, p=1.0, delta=1.5, permuted=1.6):
  pairs = lambda value: np.full((5, 12), value)
  return {
    "regression": True,
    "r2_as_published_SxP": pairs(r2),
    "null_r2_SxRxP": np.full((5, 3, 12), null),
    "held_out_r2_SxP": pairs(held_out),
    "frequency_Q": np.arange(1, 49),
    "p_SxExQ": np.full((5, 4, 48), p),
    "delta_as_published_SxP": pairs(delta),
    "delta_random_as_published_SxP": pairs(0.3),
    "delta_permuted_as_published_SxRxP": np.full((5, 3, 12), permuted),
    "small_r2_as_published_Sx6x3": np.full((5, 6, 3), 0.28),
    "small_r2_Sx6x3": np.full((5, 6, 3), r2),
    "small_cv_r2_Sx6x3": np.full((5, 6, 3), held_out),
  }


class FourierClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("fourier.residue", dict(), ARTEFACT),
    ("fourier.residue", dict(r2=0.9, held_out=0.9, p=0.01), YES),
    ("fourier.residue", dict(r2=0.001), NOT),
    ("fourier.excess", dict(), ARTEFACT),
    ("fourier.excess", dict(permuted=0.1), YES),
    ("fourier.excess", dict(delta=0.2), NOT),
    ("fourier.small", dict(), ARTEFACT),
    ("fourier.small", dict(r2=0.27), YES),
  )
  def test_permuted_labels_decide(self, name, values, expected):
    found = {"fourier_probes": waves(**values)}
    status, because = decided(name, "modk", **found)
    self.assertEqual(status, expected, because)

  def test_sizes_need_two_and_a_constant(self):
    cell = lambda name, low, seeds: {
      "cell": name,
      "seeds": seeds,
      "skill": low + 0.1,
      "skill_low": low,
    }
    for lows, seeds, expected in (
      ((-0.2,), 5, NOT_RUN),
      ((-0.2, -0.3), 5, NOT),
      ((-0.2, 0.3), 5, YES),
      ((-0.2, 0.3), 1, NOT_RUN),
    ):
      row = {"width": 1, "r2_6": 0, "null_r2_6": 0, "held_out_r2_6": 0}
      results = {
        f"run{i}": {"scale": SimpleNamespace(cell=(cell(f"L2_D{i}", low, seeds) | row,))}
        for i, low in enumerate(lows)
      }
      rows = trial.ledger(claims.CLAIMS, results).rows
      status = {row["id"]: row["status"] for row in rows}["scale.skill"]
      self.assertEqual(status, expected)


def reported(**values):
  return tuple({"key": key, "values": [x] * 5} for key, x in values.items())


def causal(skill=0.0, moved=0.99, random=0.99, r2=0.99, delta=0.0):
  level = lambda level, subspace, skill, moved: {
    "target": "sum",
    "level": level,
    "subspace": subspace,
    "skill": skill,
    "skill_low": skill - 0.01,
    "skill_high": skill + 0.01,
    "moved": moved,
    "moved_low": moved - 0.01,
    "p": 0.08,
    "p_moved": 0.01,
  }
  return {
    "table": reported(
      sum_few_before=300.0,
      sum_few_after=1600.0,
      sum_few_r2_after=r2,
      modk_few_delta=delta,
      modk_few_r2_before=0.04,
    ),
    "interventions": (
      level("final", "leace", skill, moved),
      level("final", "leace, permuted", 0.6, 0.0),
      level("final", "random", random, 0.0),
      level("final", "ridge", 0.3, 0.8),
      level("block 1", "leace", 0.9, 0.3),
    ),
  }


class CausalClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("causal.refit", "sum", dict(), ARTEFACT),
    ("causal.refit", "sum", dict(r2=0.1), YES),
    ("causal.own", "sum", dict(), YES),
    ("causal.own", "sum", dict(skill=0.9), NOT),
    ("causal.own", "sum", dict(random=0.2), NOT),
    ("causal.own", "sum", dict(moved=0.3), NOT),
    ("causal.modk", "modk", dict(), ARTEFACT),
    ("causal.modk", "modk", dict(delta=50.0), NOT),
  )
  def test_the_own_readout_decides(self, name, question, values, expected):
    status, because = decided(name, question, causal=causal(**values))
    self.assertEqual(status, expected, because)

  @parameterized.parameters((0.1, 1.0, YES), (0.8, 1.0, NOT), (0.1, 0.1, NOT))
  def test_exchanged_states(self, late, early, expected):
    rows = tuple(
      {"level": level, "role": role, "disturbed_equal": value, "moved": 1.0}
      for level, role, value in (("block 2", "?", late), ("embeddings", "x-hundreds", early))
    )
    status, because = decided("patching.sums", patching={"effects": rows})
    self.assertEqual(status, expected, because)

  @parameterized.parameters((6000.0, 850.0, ARTEFACT), (6000.0, 6000.0, YES), (860.0, 850.0, NOT))
  def test_shifts_on_rows_in_range(self, every, inside, expected):
    delta_R = np.array([-2, -1, 0, 1, 2, 50])
    loss = lambda value: np.where(delta_R == 0, 870.0, value) * np.ones((5, 1))
    found = {
      "delta_R": delta_R,
      "outside_R": np.array([11, 8, 0, 4, 11, 150]),
      "loss_as_published_SxR": loss(every),
      "in_range_SxR": loss(inside),
      "symmetries": (
        {"symmetry": "(x + d, y - d), d = 50", "ratio": 0.4},
        {"symmetry": "(y, x)", "ratio": 0.1},
      ),
    }
    status, because = decided("invariance.shift", invariance=found)
    self.assertEqual(status, expected, because)
    self.assertIn("0.40 at 50", because)

  def test_without_results_everything_is_open(self):
    rows = trial.ledger(claims.CLAIMS, {}).rows
    self.assertEqual({row["status"] for row in rows}, {NOT_RUN})
    self.assertLen({row["id"] for row in rows}, len(claims.CLAIMS))


if __name__ == "__main__":
  absltest.main()
