"""Analysis `probes`: what a line reads of x + y, where, and what of it is owed
to training.

Ridge regressions of every level's states at every role of a character, alpha
by inner folds, scored on pairs nobody saw; beside them untrained networks, the
characters themselves, permuted labels and control tasks of random labels
(Hewitt and Liang 2019). The published probes, fitted and scored on the same
rows at raw positions, stand beside them. Source: arithmetic spec, sections
4.1, 5.1 and 6.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
from primelens.analyses import statistics
from primelens.lens import numbers as reported_lib
from primelens.studies.text import answers, answers_reported, probes_reported, reported, states
from primelens.studies.text import probes_parts as parts
from primelens.studies.text import probes_published as published

REPORTED = probes_reported.REPORTED


@dataclasses.dataclass(frozen=True)
class Result:
  """R2 on pairs nobody saw, and of the published probes.

  Axes: P `targets`, E `levels`, R `roles`, V untrained networks, T positions.
  `probes` has a record per target, level and role: `error_ratio` is the
  squared error over that of the same probe of an untrained network;
  `selectivity` is R2 less that of random labels of the target's values,
  `pair_labels` R2 of random labels of pairs, which no line can know;
  `p` is the median over members of p against permuted labels, by the maximum
  over all levels and roles; `freedom` the share of parameters per row.

  `positions_SxT` are R2 in sample at raw positions of the padded rows,
  `pooled_S` at the last character, `full_SxT` over folds of rows of full
  length; `_untrained` those of fresh networks.
  """

  table: tuple[dict, ...]
  probes: tuple[dict, ...]
  targets: tuple[dict, ...]
  levels: tuple[dict, ...]
  roles: tuple[dict, ...]
  r2_PxSxExR: np.ndarray
  untrained_PxVxExR: np.ndarray
  inputs_PxR: np.ndarray
  positions_SxT: np.ndarray
  positions_untrained_VxT: np.ndarray
  full_SxT: np.ndarray
  full_untrained_VxT: np.ndarray
  pooled_S: np.ndarray
  pooled_untrained_V: np.ndarray
  question: str


def run(run) -> Result:
  """Returns linear probes of every member, with their controls."""
  rows, fresh_S = parts.rows(run), answers.untrained_S(run)
  mine = parts.networks(run, rows, run.params_S)
  null = parts.networks(run, rows, fresh_S, permuted=False)
  inputs = parts.inputs(rows)
  old, old_null = published.measure(run), published.measure(run, fresh_S)
  named = lambda key, names: tuple({key: name} for name in names)
  last, places = f"pooled_{published.ROWS}", f"positions_{published.ROWS}"
  return Result(
    table=_table(run, old, old_null),
    probes=tuple(_records(run, rows, mine, null, inputs)),
    targets=named("target", rows.targets),
    levels=named("level", states.levels(run)),
    roles=named("role", rows.roles),
    r2_PxSxExR=np.moveaxis(mine.r2_P, -1, 0),
    untrained_PxVxExR=np.moveaxis(null.r2_P, -1, 0),
    inputs_PxR=inputs.r2_P.T,
    positions_SxT=old[places],
    positions_untrained_VxT=old_null[places],
    full_SxT=old["full"],
    full_untrained_VxT=old_null["full"],
    pooled_S=old[last],
    pooled_untrained_V=old_null[last],
    question=run.experiment.task.question,
  )


def _records(run, rows, mine, null, inputs) -> Iterator[dict]:
  """Yields a record per target, level and role."""
  p_PxSxExR = [_corrected(mine, p) for p in range(len(rows.targets))]
  for p, e, r in np.ndindex(len(rows.targets), len(states.levels(run)), len(rows.roles)):
    r2_S, fresh_V = mine.r2_P[:, e, r, p], null.r2_P[:, e, r, p]
    label_S, permuted_SxK = (mine.classes_P[:, e, r, p], mine.null_PxK[:, e, r, p])
    yield {
      "target": rows.targets[p],
      "level": states.levels(run)[e],
      "role": rows.roles[r],
      "rows": int(np.sum(rows.at_NxR[: rows.fitted, r] >= 0)),
      **reported_lib.spread(r2_S),
      "untrained": float(np.median(fresh_V)),
      "untrained_maximum": float(fresh_V.max()),
      "inputs": float(inputs.r2_P[r, p]),
      "error_ratio": _ratio(1 - r2_S, 1 - fresh_V),
      "permuted": float(permuted_SxK.mean()),
      "p": float(np.median(p_PxSxExR[p][:, e, r])),
      "selectivity": float(np.median(r2_S - label_S)),
      "pair_labels": float(np.median(mine.pair[:, e, r])),
      "alpha": float(np.median(mine.alpha_P[:, e, r, p])),
      "freedom": float(np.median(mine.freedom_P[:, e, r, p])),
    }


def _ratio(error_S, fresh_V) -> float:
  """Returns the median error of members over that of untrained networks; NaN
  where the latter is rounding."""
  least = np.median(fresh_V)
  return float(np.median(error_S) / least) if least > 1e-6 else float("nan")


def _corrected(mine, p: int) -> np.ndarray:
  """Returns p of every member, level and role against the maximum over levels
  and roles of permuted labels, SxExR."""
  r2_SxExR, null_SxExRxK = mine.r2_P[..., p], mine.null_PxK[..., p, :]
  found = []
  for r2_ExR, null_ExRxK in zip(r2_SxExR, null_SxExRxK, strict=True):
    null_KxV = np.moveaxis(null_ExRxK, -1, 0).reshape(null_ExRxK.shape[-1], -1)
    p_V = statistics.max_t(r2_ExR.ravel(), null_KxV)
    found.append(np.reshape(p_V, r2_ExR.shape))
  return np.stack(found)


def _table(run, old, old_null) -> tuple[dict, ...]:
  """Returns the reported numbers beside ours, of published prompts alone."""
  if not answers_reported.as_published(run):
    return ()
  question = run.experiment.task.question
  flat = lambda found: {
    f"{question}_{key}": value_S
    for name, value in found.items()
    for key, value_S in _columns(name, np.asarray(value))
    if f"{question}_{key}" in REPORTED
  }
  inputs = {
    name: np.full(run.experiment.fit.seeds, value) for name, value in published.inputs(run).items()
  }
  return reported.rows(run, REPORTED, flat(old | inputs), flat(old_null))


def _columns(name: str, value) -> Iterator[tuple[str, np.ndarray]]:
  """Yields a measure, or one per position."""
  if value.ndim == 1:
    yield name, value
  else:
    yield from ((f"{name}_{t}", value[:, t]) for t in range(value.shape[1]))
