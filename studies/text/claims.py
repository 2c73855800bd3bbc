"""The text study's trial: what the source said of its networks, with tests.

Here are the claims on answers; `CLAIMS` has those of the other
files too. Source: arithmetic spec, sections 0 and 6.
"""

from collections.abc import Mapping

from primelens.lens import claims as trial
from primelens.lens.claims import Verdict
from primelens.studies.text.claims_parts import named, of

GOOD = 0.99  # skill of a network that answers with the sum


def fresh(found) -> Mapping:
  """Returns the record of the skill on pairs that nobody has seen."""
  return trial.row(found.skills, part="fresh")


def measure(found, name: str) -> float:
  """Returns the median over members of a measure on fresh pairs."""
  return trial.row(found.measures, part="fresh", measure=name)["median"]


def _interval(row) -> str:
  ends = (row["skill"], row["skill_low"], row["skill_high"])
  return "{:.4f} [{:.4f}, {:.4f}]".format(*ends)


def _numbers(row) -> dict[str, float]:
  return {k: row[k] for k in ("skill", "skill_low", "skill_high")}


def sums(results) -> Verdict:
  """Sums as numbers: a good regression, and how many are right."""
  found = of(results, "answers", "sum")
  row, exact = fresh(found), measure(found, "exact")
  rmse = measure(found, "rmse")
  holds = row["skill_low"] > GOOD
  because = (
    f"on fresh pairs skill is {_interval(row)}, the root of the squared error "
    f"{rmse:.1f}, and {100 * exact:.1f} % of the answers are right after "
    "rounding: a size is learned, not addition to the last digit."
  )
  numbers = _numbers(row) | {"exact": exact, "rmse": rmse}
  return trial.verdict(holds, because, numbers)


def residues(results) -> Verdict:
  """Sums modulo 97 as scaled numbers, against a constant."""
  row = fresh(of(results, "answers", "modk"))
  holds = row["skill_low"] > 0
  than = "better" if holds else "no better"
  because = f"on fresh pairs skill is {_interval(row)}: {than} than the mean of the train answers."
  return trial.verdict(holds, because, _numbers(row))


def validity(results) -> Verdict:
  """Right or wrong sums, against the more frequent answer."""
  found = of(results, "answers", "valid")
  row, accuracy = fresh(found), measure(found, "accuracy")
  holds = row["skill_low"] > 0
  because = (
    f"on fresh pairs accuracy is {accuracy:.3f}, skill {_interval(row)} "
    "against the frequencies of the train answers."
  )
  return trial.verdict(holds, because, _numbers(row) | {"accuracy": accuracy})


CLAIMS = (
  named(
    "answers.sum",
    "1.6, 3",
    "An encoder learns the sums of three-digit numbers.",
    "squared error of answers / 2000 of 2.2e-4 on 2,000 rows",
    sums,
  ),
  named(
    "answers.modk",
    "1.6, 3",
    "An encoder learns the sums modulo 97.",
    "squared error of answers / 2000 of 1.9e-4, no constant beside it",
    residues,
  ),
  named(
    "answers.valid",
    "3",
    "An encoder learns whether a shown sum is right.",
    "accuracy 0.529, the best of ten epochs; dropped by the source",
    validity,
  ),
)
