"""Analysis `nonlinear_probes`: what hidden layers read beyond a line.

The epoch of a probe is chosen on rows of its own and the probe scored once, on
pairs nobody saw; the published protocol, which chooses and scores on the same
rows, stands beside it. Controls read untrained networks, the digits, the
operands and the sum, and permuted labels. What residues owe to sums of digits
is in `digit_sums`. Source: arithmetic spec, sections 4.5, 5.4 and 6.7.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
from primelens.analyses import ridge
from primelens.lens import numbers as reported_lib
from primelens.studies.text import answers_reported, nonlinear_probes_reported, reported
from primelens.studies.text import nonlinear_probes_digits as digits
from primelens.studies.text import nonlinear_probes_parts as parts

REPORTED = nonlinear_probes_reported.REPORTED
DIGIT_READS = ("states", "untrained", "digits")


@dataclasses.dataclass(frozen=True)
class Result:
  """Scores of probes and of digit sums, a record each.

  `probes` are of fresh pairs, `probes_as_published` of the select rows with
  the epoch chosen on the rows scored: `reads` is what a probe is given,
  `values` has a score per network, `constant` is what a constant scores,
  `on_rows_fitted` the median score there, `epoch` the median one chosen.

  `digit_sums` are R2 of linear regressions, and of the residue by the nearest
  neighbours in a regressed number: fitted to fresh pairs and scored on others,
  or over folds of the select rows. `digits` are the one-hot digits themselves:
  what the neighbours leave. `weights` are those of u.
  """

  table: tuple[dict, ...]
  probes: tuple[dict, ...]
  probes_as_published: tuple[dict, ...]
  digit_sums: tuple[dict, ...]
  question: str
  modulus: int
  weights: str


def run(run) -> Result:
  """Returns nonlinear probes of every member, with their controls."""
  task = run.experiment.task
  fresh, published = parts.fresh_pairs(run), parts.as_published(run)
  fresh_name, published_name = parts.PROTOCOLS
  old = tuple(parts.probed(run, published_name, published))
  sums = (
    *digit_sums(fresh, task.modulus, "fresh pairs"),
    *digit_sums(published, task.modulus, "folds"),
  )
  return Result(
    table=_table(run, old, sums),
    probes=tuple(parts.probed(run, fresh_name, fresh)),
    probes_as_published=old,
    digit_sums=sums,
    question=task.question,
    modulus=task.modulus,
    weights=" + ".join(
      f"{weight} {name}"
      for weight, name in zip(digits.weights(task.modulus), digits.TARGETS[1:4], strict=True)
    ),
  )


def digit_sums(rows: parts.Rows, modulus: int, name: str) -> Iterator[dict]:
  """Yields a record per reading and measure: of fresh pairs with alpha by inner
  folds, scored once, of select rows over folds with alpha 1."""
  once = name == "fresh pairs"
  count, alphas_R = len(rows.pair_Nx2), ridge.ALPHAS_R if once else (1.0,)
  scored_N = np.isin(np.arange(count), rows.score_N)
  rounds = digits.once(~scored_N) if once else digits.in_turn(count)
  at_S = np.flatnonzero(np.isin(rows.reads_S, DIGIT_READS))
  x_N, y_N = rows.pair_Nx2.T
  r2_SxF = digits.measure(
    rows.x_SxNxD[at_S], digits.targets(x_N, y_N, modulus), (x_N + y_N) % modulus, rounds, alphas_R
  )
  for reads in DIGIT_READS:
    of_S = np.array(rows.reads_S)[at_S] == reads
    for f, measured in enumerate(digits.MEASURED):
      yield {
        "rows": name,
        "reads": reads,
        "target": measured,
        "measure": "R2",
        **reported_lib.spread(r2_SxF[of_S, f]),
        "values": r2_SxF[of_S, f].tolist(),
      }


def _table(run, old, sums) -> tuple[dict, ...]:
  """Returns the reported numbers beside ours, of published prompts alone."""
  if not answers_reported.as_published(run):
    return ()
  question = run.experiment.task.question
  found: dict[str, dict[str, list]] = {}
  for row in old:
    key = nonlinear_probes_reported.key(row["probe"], row["target"], "")
    found.setdefault(key, {})[row["reads"]] = row["values"]
  value_S, untrained_S = {}, {}
  for start, by in found.items():
    for reads, values in by.items():
      value_S[start + reads] = values[: run.experiment.fit.seeds]
    untrained_S[start + "states"] = by["untrained"]
  for row in sums:
    if row["rows"] == "folds":
      key = nonlinear_probes_reported.digit_key(question, row["target"])
      mine = {"states": value_S, "untrained": untrained_S}.get(row["reads"])
      if mine is not None:
        mine[key] = row["values"]
  known = lambda found: {key: np.array(values) for key, values in found.items() if key in REPORTED}
  return reported.rows(run, REPORTED, known(value_S), known(untrained_S))
