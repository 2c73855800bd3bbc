import primes_results as made
from absl.testing import absltest, parameterized
from primelens.lens import claims as trial
from primelens.studies.primes import claims, evidence

OPEN, NOT_RUN, NOT = "needs more compute", "not run", "not reproduced"
YES, ARTEFACT = "reproduced", "reproduced, but an artefact"
KERNEL = evidence.KERNEL


def verdict(name, results):
  rows = trial.ledger(claims.CLAIMS, results).rows
  return next(row for row in rows if row["id"] == name)


def pair(memory, spectra=None):
  table = {"memory": memory}
  return table if spectra is None else table | {"spectra": spectra}


def kernels(primes=20.0, shuffled=20.0, chaos=50.0, wide=51.0, quality=30.0):
  """Returns plan A, and the runs with a mismatched kernel, by their ranks."""
  where = {
    "kernel": (primes, {}),
    "kernel_shuffled": (shuffled, {"sequence": "shuffled"}),
    "kernel_logistic": (chaos, {"sequence": "logistic"}),
    "kernel_wide": (wide, {"embedding_std": 1.0}),
    "both": (51.0, {"sequence": "logistic", "embedding_std": 1.0}),
  }
  results = {"a": pair(made.memory(), made.spectra())}
  for name, (rank, change) in where.items():
    small = rank < 40
    results[name] = pair(
      made.memory(**KERNEL | change),
      made.spectra(rank, 25.0 if small else 2.3, quality=quality if small else 1.75),
    )
  return results


class SpectraTest(parameterized.TestCase):
  @parameterized.parameters(
    ("spectra.rank", {}, ARTEFACT),
    ("spectra.rank", {"shuffled": 51.0}, YES),
    ("spectra.rank", {"primes": 51.0}, NOT),
    ("spectra.ratio", {}, ARTEFACT),
    ("spectra.ratio", {"primes": 51.0}, NOT),
    ("spectra.symmetry", {}, ARTEFACT),
    ("spectra.symmetry", {"shuffled": 51.0}, YES),
    ("spectra.symmetry", {"quality": 2.0}, NOT),
    ("spectra.chaos", {}, ARTEFACT),
    ("spectra.chaos", {"wide": 20.0}, YES),
    ("spectra.chaos", {"primes": 51.0}, NOT),
    ("spectra.distance", {}, ARTEFACT),
    ("spectra.spacings", {}, ARTEFACT),
  )
  def test_decided_by_controls(self, name, change, expected):
    self.assertEqual(verdict(name, kernels(**change))["status"], expected)

  def test_a_flat_bulk_and_one_outlier(self):
    found = verdict("spectra.ratio", kernels())["numbers"]
    # Without the outlier the bulk of equal values has the full rank, 63.
    self.assertAlmostEqual(found["rank_without"], 63 / made.RANK)
    self.assertAlmostEqual(found["ratio"], 25.0)

  def test_training_that_changes_distance_or_spacings(self):
    results = kernels()
    results["a"]["spectra"] = made.spectra(start={"ks": 0.2, "ks_goe": 0.4})
    for name in ("spectra.distance", "spectra.spacings"):
      self.assertEqual(verdict(name, results)["status"], YES)
    results["a"]["spectra"] = made.spectra(end={"ks": 0.2, "ks_goe": 0.4})
    for name in ("spectra.distance", "spectra.spacings"):
      self.assertEqual(verdict(name, results)["status"], NOT)

  def test_noise_has_no_full_rank(self):
    found = verdict("spectra.baseline", {})
    self.assertEqual(found["status"], NOT)
    # Spec 4.2: 205.8 to 206.6.
    self.assertBetween(found["numbers"]["rank"], 205.7, 206.6)

  @parameterized.parameters((0.001, 0.001, ARTEFACT), (0.2, 0.001, NOT))
  def test_flows(self, own, plain, expected):
    results = {
      "a": pair(made.memory(), made.spectra(distance=plain)),
      "flows": pair(made.memory(flows=4), made.spectra(distance=own)),
    }
    self.assertEqual(verdict("spectra.flows", results)["status"], expected)

  def test_flows_that_alone_stay(self):
    results = {
      "a": pair(made.memory(), made.spectra(distance=0.3)),
      "flows": pair(made.memory(flows=4), made.spectra(distance=0.001)),
    }
    self.assertEqual(verdict("spectra.flows", results)["status"], YES)


class MemoryTest(parameterized.TestCase):
  @parameterized.parameters((1.0, 1.1, ARTEFACT), (1.0, 0.5, YES), (7.0, 1.1, NOT))
  def test_primes(self, mae, held, expected):
    results = {
      "a": pair(made.memory(mae)),
      "shuffled": pair(made.memory(1.1, sequence="shuffled")),
      "random": pair(made.memory(held=held, held_out="random")),
      "tail": pair(made.memory(held=1.2, held_out="tail")),
    }
    self.assertEqual(verdict("memory.primes", results)["status"], expected)
    del results["tail"]
    self.assertEqual(verdict("memory.primes", results)["status"], NOT_RUN)

  @parameterized.parameters((2, 1.1, ARTEFACT), (2, 0.5, YES), (0, 1.1, NOT))
  def test_detector(self, fires, held, expected):
    results = {
      "a": pair(made.memory(fires=fires)),
      "shuffled": pair(made.memory(fires=3, sequence="shuffled")),
      "random": pair(made.memory(held=held, held_out="random")),
    }
    found = verdict("memory.detector", results)
    self.assertEqual(found["status"], expected)
    self.assertIn("at 3 with", found["because"])

  @parameterized.parameters((3.0, NOT), (7.5, YES))
  def test_sinusoid(self, mae, expected):
    where = {"embedding": "sinusoidal", "accumulation": 2}
    results = {"few": pair(made.memory(mae, **where))}
    found = verdict("memory.sinusoid", results)
    self.assertEqual(found["status"], expected)
    self.assertNotIn("32,768", found["because"])
    large = made.memory(7.9, embedding="sinusoidal", primes=32768)
    found = verdict("memory.sinusoid", results | {"c": pair(large)})
    self.assertIn("32,768 gaps", found["because"])

  @parameterized.parameters((0.9, 0.95, YES), (0.96, 0.95, NOT), (1.1, 1.2, NOT))
  def test_later(self, own, line, expected):
    where = {"embedding": "context", "context": 8, "held_out": "tail"}
    where |= {"order": "shuffled", "accumulation": 2}
    results = {"context": pair(made.memory(held=own, line=line, **where))}
    self.assertEqual(verdict("memory.later", results)["status"], expected)

  def test_the_published_size_alone_decides(self):
    results = {"a": pair(made.memory()), "b": pair(made.memory(accumulation=1))}
    self.assertEqual(verdict("memory.batch", results)["status"], OPEN)
    self.assertEqual(verdict("spectra.language", {})["status"], NOT_RUN)

  def test_few_members_decide_nothing(self):
    results = kernels()
    results["a"]["memory"] = made.memory(seeds=2)
    self.assertEqual(verdict("spectra.rank", results)["status"], NOT_RUN)

  def test_nothing_at_hand(self):
    for row in trial.ledger(claims.CLAIMS, {}).rows:
      if row["id"] != "spectra.baseline":  # needs no network
        self.assertEqual(row["status"], NOT_RUN, row["id"])


if __name__ == "__main__":
  absltest.main()
