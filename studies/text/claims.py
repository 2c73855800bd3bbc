"""The text study's trial: what the source said of its networks, with tests.

Here are the claims on answers, heads and width; `CLAIMS` has those of the other
files too. Source: arithmetic spec, sections 0 and 6.
"""

from collections.abc import Mapping

import numpy as np
from primelens.lens import claims as trial
from primelens.lens.claims import Verdict
from primelens.studies.text import claims_causal, claims_fourier, claims_probes
from primelens.studies.text import claims_parts as parts
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


def copying(results) -> Verdict:
  """Attention to the operands beside uniform, and what it is worth."""
  found = of(results, "heads_text", "sum")
  last = found.layers[-1]
  share = last["above_uniform"]
  worth_SxH = np.asarray(found.delta_PxSxLxH)[0, :, -1]
  harm = float(np.median(worth_SxH.max(1)))
  because = (
    f"{100 * share:.0f} % of the last layer's heads, over members, attend to "
    f"the operands more than uniform attention ({last['copy_uniform']:.3f}), "
    f"with {last['copy_median']:.3f} in the median, untrained ones "
    f"{last['untrained_copy_median']:.3f}; the most important of them, at its "
    f"mean, costs {harm:,.0f} in raw squared error. Attention describes; the "
    "cost decides."
  )
  names = ("above_uniform", "copy_median", "untrained_copy_median")
  numbers = {name: last[name] for name in names} | {"harm": harm}
  return trial.verdict(share > 0.9 and harm > 0, because, numbers)


def width(results) -> Verdict:
  """In-sample R2 over widths, beside permuted labels and held-out rows."""
  cells = {row["width"]: row for row in parts.cells(results)}
  if len(cells) < 2:
    what = f"scale of two widths with {parts.SEEDS} members"
    raise trial.Missing(what, analysis="scale")
  low, high = cells[min(cells)], cells[max(cells)]
  gain = high["r2_6"] - low["r2_6"]
  null = high["null_r2_6"] - low["null_r2_6"]
  because = (
    f"from width {low['width']} to {high['width']} in-sample R2 of six "
    f"frequencies grows by {gain:.3f}, with permuted labels by {null:.3f}; "
    f"held out it is {low['held_out_r2_6']:.3f} and "
    f"{high['held_out_r2_6']:.3f}."
  )
  numbers = {"gain": gain, "gain_permuted": null}
  return trial.verdict(gain > 0, because, numbers, artefact=null > 0.5 * gain)


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
  *claims_probes.CLAIMS,
  *claims_fourier.CLAIMS,
  *claims_causal.CLAIMS,
  named(
    "heads.copy",
    "5.6, 6.8",
    "Heads of the last layer copy the operands to the last character.",
    "copy scores of 0.68 to 0.90",
    copying,
  ),
  named(
    "scale.width",
    "5.5, 6.6",
    "What Fourier probes read of the residue grows with the width.",
    "R2 of six frequencies 0.065 at width 128, 0.153 at 512, in sample",
    width,
  ),
)
