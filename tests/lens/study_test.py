"""Which modules of a study have questions, and which have claims alone."""

import tempfile
from pathlib import Path

from absl.testing import absltest, parameterized
from primelens.lens import study

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


if __name__ == "__main__":
  absltest.main()
