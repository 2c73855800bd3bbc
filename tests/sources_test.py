"""Citations of docs/sources: whoever cites a section or a fact finds it there."""

import re
from pathlib import Path

from absl.testing import absltest, parameterized
from primelens.lens import study as study_lib

ROOT = Path(__file__).parent.parent
ROOMS = ("tasks", "models", "analyses", "lens", "studies", "configs", "bench", "tests", "docs")
HEADING = re.compile(r"^#{2,} (\d+(?:\.\w+)*)\.?(?=\s)", re.MULTILINE)
FACT = re.compile(r"^(?:\*\*|\| *)([A-Z]\d+'?)(?:\.\*\*| *\|)", re.MULTILINE)

# "docs/sources/zeros.md, sections 4.9 (c, f) and 6.6", "docs/sources/addition.md, A5 to A7".
PATH = r"docs/sources/(\w+)\.md`?"
NUMBER, NAME = r"\d+(?:\.(?:\d+|[A-Z]))*", r"[A-Z]\d+'?"
LETTERS = r"(?: \([a-z](?:, [a-z])*\))?"
JOINED = r"(?:, and |, | and | or | to |-)"
NUMBERS = rf"sections? {NUMBER}{LETTERS}(?:{JOINED}{NUMBER}{LETTERS})*"
NAMES = rf"(?:items? |facts? )?{NAME}(?:{JOINED}{NAME})*"
CITATION = re.compile(rf"{PATH}((?:{JOINED}(?:{NUMBERS}|{NAMES})(?!\w))*)")


def cited(text: str) -> list[tuple[str, str]]:
  """Returns study and place of each citation; lines of a docstring or comment are joined."""
  joined = re.sub(r"\s*\n\s*(?:# ?)?", " ", text)
  found = []
  for study, places in CITATION.findall(joined):
    places = re.sub(LETTERS.removesuffix("?"), "", places)
    found += [(study, place) for place in re.findall(rf"{NAME}|{NUMBER}", places) or [""]]
  return found


def places(text: str) -> set[str]:
  """Returns the numbers of the headings and the names of the facts of a source's description."""
  return {"", *HEADING.findall(text), *FACT.findall(text)}


class CitedTest(parameterized.TestCase):
  @parameterized.parameters(
    ("zeros.md, section 4.13.", "4.13"),
    ("zeros.md, sections 4.8 and 6.6: 11 points", "4.8 6.6"),
    ("zeros.md, sections 4.9 (c, f) and 6.6.", "4.9 6.6"),
    ("zeros.md, sections 2.7,\n  # 5.12 and 6.9).", "2.7 5.12 6.9"),
    ("zeros.md,\n  section 7.\n", "7"),
    ("zeros.md, section\n7.1. On 66,560 spacings", "7.1"),
    ("zeros.md`, section 7.1, reads them", "7.1"),
    ("zeros.md, A5, A7 to A9 and A17'.", "A5 A7 A9 A17'"),
    ("zeros.md, A31-A33, and section 3)", "A31 A33 3"),
    ("zeros.md, 430 primes, section 3", ""),
    ("zeros.md says so. Section 3", ""),
  )
  def test_what_is_cited(self, text, expected):
    found = cited(f"Source: docs/sources/{text}")
    self.assertEqual(found, [("zeros", place) for place in expected.split() or [""]])

  def test_what_is_there(self):
    text = (
      "# A title\n## 4 One\n### 4.13 Two\n### 4.A Three\n**A41.** It\n| B27 | it |\n**A17'.** It\n"
    )
    self.assertEqual(places(text), {"", "4", "4.13", "4.A", "A41", "B27", "A17'"})


class SourcesTest(absltest.TestCase):
  def test_every_citation_is_of_a_section_that_is_there(self):
    files = [p for room in ROOMS for kind in ("py", "md") for p in (ROOT / room).rglob(f"*.{kind}")]
    files += [*ROOT.glob("*.py"), *ROOT.glob("*.md")]
    described = {p.stem: places(p.read_text()) for p in (ROOT / "docs/sources").glob("*.md")}
    self.assertIn("zeros", described)
    missing, count = [], 0
    for file in sorted(set(files) - {Path(__file__)}):
      for study, place in cited(file.read_text()):
        count += 1
        if place not in described.get(study, ()):
          missing.append(f"{file.relative_to(ROOT)}: docs/sources/{study}.md, {place or 'no file'}")
    self.assertEmpty(missing, "\n" + "\n".join(missing))
    self.assertGreater(count, 50)

  def test_every_claim_names_a_section_that_is_there(self):
    described = {p.stem: places(p.read_text()) for p in (ROOT / "docs/sources").glob("*.md")}
    for name in study_lib.names():
      for claim in study_lib.find(name).claims:
        for source, place in cited(claim.source):
          self.assertIn(place, described[source], f"{claim.id}: {claim.source}")


if __name__ == "__main__":
  absltest.main()
