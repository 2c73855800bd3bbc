"""Which modules of a study have questions, and which have claims alone."""

import tempfile
from pathlib import Path

from absl.testing import absltest, parameterized
from primelens.lens import glossary, study

ASKS = '"""Why?"""\nCLAIMS = []\ndef measure(run):\n  pass\n'
CLAIMS = '"""Words."""\nCLAIMS = []\n'
HELPS = '"""Words."""\ndef measured(run):\n  return run\n'


class ModulesTest(parameterized.TestCase):
  @parameterized.parameters((ASKS, "Why?", False), (CLAIMS, None, True), (HELPS, None, False))
  def test_kinds(self, text, question, trial):
    path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "mine.py"
    path.write_text(text)
    self.assertEqual(study.is_slice(path), question)
    self.assertEqual(study.is_trial(path), trial)

  def test_claims_that_no_run_decides_are_on_trial(self):
    its = study.find("primes")
    self.assertNotIn("language_models", its.slices)
    self.assertIn("spectra.language", [claim.id for claim in its.claims])


class WordsTest(parameterized.TestCase):
  """What leads a study's report is there, and its words are explained in sentences."""

  @parameterized.parameters("zeros", "addition", "text", "primes")
  def test_what_leads(self, name):
    its = study.find(name)
    self.assertNotEmpty(its.lead)
    for key in its.lead:
      self.assertIsNotNone(its.slices[key].line, key)
      self.assertIsNotNone(its.slices[key].figures, key)
    self.assertEqual([each.name for each in its.leading()][: len(its.lead)], list(its.lead))
    self.assertCountEqual([each.name for each in its.leading()], its.slices)

  @parameterized.parameters("zeros", "addition", "text", "primes")
  def test_terms_are_explained_and_used(self, name):
    its = study.find(name)
    said = " ".join([its.about, *(f"{each.about} {each.text}" for each in its.slices.values())])
    said += " ".join(f"{claim.statement} {claim.reported}" for claim in its.claims)
    terms = glossary.Terms(its.glossary)
    seen: set[str] = set()
    terms.linked(said + " ".join(its.glossary.values()), seen)
    self.assertNotEmpty(seen)
    for term, sentence in its.glossary.items():
      self.assertRegex(sentence, r"^[A-Z0-9].*[.?]$", term)
    ids = [glossary.target(term) for term in terms.all]
    self.assertLen(set(ids), len(ids))


if __name__ == "__main__":
  absltest.main()
