"""Analysis `invariance`: what the answer does when the sum stays.

As published: operands moved to either side over all rows, whether or not they
stay in range. Beside it: rows that stay in range with the same digit counts,
and the change of the answer over that under a shift that breaks the sum by as
much. Source: arithmetic spec, sections 4.3, 5.7 and 6.9.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping

import numpy as np
from primelens.analyses import statistics
from primelens.studies.text import answers, invariance_reported, reported, rewritten, states

REPORTED = invariance_reported.REPORTED
PUBLISHED_R = (-5, -2, -1, 0, 1, 2, 5)
FARTHER_R = (-50, -20, -10, 10, 20, 50)  # the recomputed ones beside them
SHIFTS_R = (1, 5, 10, 50, 100)
ROWS = 2000  # of the fresh prompts; a quarter for untrained networks
OFF = 10  # how far a shift by about the modulus misses it


@dataclasses.dataclass(frozen=True)
class Result:
  """Losses under published shifts, and changes of the answer under pairs.

  `loss_as_published_SxR` is of all select rows at `delta_R`, `in_range_SxR`
  of those whose operands stay in range, of which `outside_R` do not;
  `kept_SxR` and `broken_SxR` are root mean square changes of the answer under
  (x + d, y - d) and (x + d, y), `signed_SxR` the mean change under the latter,
  all of rows in range. Losses are raw squared errors or nats.

  `symmetries` has a record per symmetry E: the change of the answer where it
  should stay over that under a matched change of the sum (`ratio_SxE`; of
  untrained networks V `untrained_ratio_VxE`), `kept_SxE` and `broken_SxE` in
  themselves. Changes of numbers are root mean squares, of classes total
  variations.
  """

  table: tuple[dict, ...]
  symmetries: tuple[dict, ...]
  delta_R: np.ndarray
  outside_R: np.ndarray
  loss_as_published_SxR: np.ndarray
  in_range_SxR: np.ndarray
  kept_SxR: np.ndarray
  broken_SxR: np.ndarray
  signed_SxR: np.ndarray
  ratio_SxE: np.ndarray
  kept_SxE: np.ndarray
  broken_SxE: np.ndarray
  untrained_ratio_VxE: np.ndarray
  unit: str


def run(run) -> Result:
  """Returns how the answers of every member change with the operands."""
  old = as_published(run)
  found = symmetries(run, run.params_S, ROWS)
  null = symmetries(run, answers.untrained_S(run), ROWS // 4)
  columns = lambda some, name: np.stack([one[name] for one in some.values()], -1)
  return Result(
    table=_table(run, old),
    symmetries=tuple(_records(found, null)),
    delta_R=np.array(deltas()),
    outside_R=old["outside"],
    loss_as_published_SxR=old["all"],
    in_range_SxR=old["in_range"],
    kept_SxR=old["kept"],
    broken_SxR=old["broken"],
    signed_SxR=old["signed"],
    ratio_SxE=columns(found, "ratio"),
    kept_SxE=columns(found, "kept"),
    broken_SxE=columns(found, "broken"),
    untrained_ratio_VxE=columns(null, "ratio"),
    unit="raw" if run.regression else "nats",
  )


def deltas() -> tuple[int, ...]:
  """Returns the shifts of the published rows, rising."""
  return tuple(sorted((*PUBLISHED_R, *FARTHER_R)))


def as_published(run) -> dict[str, np.ndarray]:
  """Returns losses and changes at every shift, SxR; `outside` counts rows, R.

  The loss is about the answer to the rows as they were.
  """
  text, row_N = run.prompts, run.prompts.select_N[: answers.ROWS]
  x_N, y_N = text.x_N[row_N].astype(int), text.y_N[row_N].astype(int)
  truth_N, config = text.answer_N[row_N], text.config
  # As long as two operands that left their range can make it.
  said = functools.partial(outputs, run, text, row_N, length=text.token_NxT.shape[1] + 2)
  clean_SxNxV = said(x_N, y_N)
  found: dict[str, list] = {}
  for d in deltas():
    fits_N = rewritten.in_range(config, x_N + d, y_N - d)
    x_fits_N = rewritten.in_range(config, x_N + d)
    moved_SxNxV = said(x_N + d, y_N - d)
    broken_SxNxV = said(x_N + d, y_N)
    loss_SxN = losses(run, moved_SxNxV, truth_N)
    signed_SxN = _numbers(broken_SxNxV - clean_SxNxV)
    for name, value in (
      ("all", loss_SxN.mean(-1)),
      ("in_range", loss_SxN[:, fits_N].mean(-1)),
      ("outside", np.sum(~fits_N)),
      ("kept", change(clean_SxNxV, moved_SxNxV, fits_N)),
      ("broken", change(clean_SxNxV, broken_SxNxV, x_fits_N)),
      ("signed", signed_SxN[:, x_fits_N].mean(-1)),
    ):
      found.setdefault(name, []).append(value)
  return {name: np.stack(values, -1) for name, values in found.items()}


def outputs(run, prompts, row_N, x_N, y_N, params_S=None, length=0):
  """Returns what networks say of rows with other operands, SxNxV: raw numbers,
  or probabilities."""
  token_NxT = rewritten.tokens(prompts, row_N, x_N, y_N, length)
  output_SxNxV = states.over_members(states.outputs, run, token_NxT, params_S)
  output_SxNxV = output_SxNxV.astype(np.float64)
  if run.regression:
    return output_SxNxV * run.experiment.task.scale
  raised_SxNxV = np.exp(output_SxNxV - output_SxNxV.max(-1, keepdims=True))
  return raised_SxNxV / raised_SxNxV.sum(-1, keepdims=True)


def losses(run, said_SxNxV, truth_N) -> np.ndarray:
  """Returns squared errors, or nats, SxN."""
  if run.regression:
    return (said_SxNxV[..., 0] - truth_N) ** 2
  own_SxN = said_SxNxV[:, np.arange(len(truth_N)), truth_N]
  return -np.log(np.maximum(own_SxN, np.finfo(np.float32).tiny))


def change(clean_SxNxV, other_SxNxV, row_N) -> np.ndarray:
  """Returns the root mean square change of numbers over some rows, or the mean
  total variation of probabilities, S; NaN without rows."""
  gap_SxNxV = (other_SxNxV - clean_SxNxV)[:, row_N]
  if not gap_SxNxV.shape[1]:
    return np.full(len(gap_SxNxV), np.nan)
  if gap_SxNxV.shape[-1] == 1:
    return np.sqrt(np.mean(gap_SxNxV[..., 0] ** 2, -1))
  return 0.5 * np.abs(gap_SxNxV).sum(-1).mean(-1)


def _numbers(gap_SxNxV) -> np.ndarray:
  """Returns changes of numbers, SxN; those of classes have no sign."""
  if gap_SxNxV.shape[-1] == 1:
    return gap_SxNxV[..., 0]
  return np.full(gap_SxNxV.shape[:2], np.nan)


def symmetries(run, params_S, rows: int) -> dict[str, dict]:
  """Returns every symmetry with its matched shift, on fresh test rows.

  `kept` and `broken` are the changes S under both, on the rows that have both
  in range with the same digit counts; `same` the share of equal classes.
  """
  prompts = run.probes()
  row_N = prompts.test_N[:rows]
  x_N = prompts.x_N[row_N].astype(int)
  y_N = prompts.y_N[row_N].astype(int)
  said = functools.partial(outputs, run, prompts, row_N, params_S=params_S)
  clean_SxNxV, found = said(x_N, y_N), {}
  named = changed(prompts.config, x_N, y_N, run.settings.seed)
  for name, (kept, broken) in named.items():
    fits_N = alike(prompts.config, x_N, y_N, kept, broken)
    # Rows that do not fit are read as they are, and left out.
    kept_SxNxV, broken_SxNxV = (
      said(np.where(fits_N, new_x_N, x_N), np.where(fits_N, new_y_N, y_N))
      for new_x_N, new_y_N in (kept, broken)
    )
    kept_S = change(clean_SxNxV, kept_SxNxV, fits_N)
    broken_S = change(clean_SxNxV, broken_SxNxV, fits_N)
    found[name] = {
      "rows": int(fits_N.sum()),
      "kept": kept_S,
      "broken": broken_S,
      "ratio": kept_S / np.where(broken_S > 0, broken_S, np.nan),
      "same": _same(clean_SxNxV, kept_SxNxV, fits_N),
      "same_broken": _same(clean_SxNxV, broken_SxNxV, fits_N),
    }
  return found


def changed(config, x_N, y_N, seed: int) -> dict[str, tuple]:
  """Returns the operands of every symmetry and of the shift matched to it.

  The match moves x alone: (x + d, y), (y, y) for the swap. d goes up in half
  of the rows, drawn, and down in the others. A shift by the modulus is matched
  by one that misses it by OFF, to either side.
  """
  rng = np.random.default_rng(seed)
  sign_N = rng.choice([-1, 1], len(x_N))
  found = {
    f"(x + d, y - d), d = {d}": ((x_N + d * sign_N, y_N - d * sign_N), (x_N + d * sign_N, y_N))
    for d in SHIFTS_R
    if d < config.operands
  }
  found["(y, x)"] = ((y_N, x_N), (y_N, y_N))
  if config.question == "modk" and config.modulus < config.operands:
    k = config.modulus
    miss_N = k + OFF * rng.choice([-1, 1], len(x_N))
    found[f"(x + {k}, y)"] = ((x_N + k * sign_N, y_N), (x_N + miss_N * sign_N, y_N))
  return found


def alike(config, x_N, y_N, *pairs) -> np.ndarray:
  """Returns where all pairs are in range with the digit counts of the rows."""
  fits_N = np.ones(len(x_N), bool)
  for new_x_N, new_y_N in pairs:
    fits_N &= rewritten.alike(config, x_N, new_x_N)
    fits_N &= rewritten.alike(config, y_N, new_y_N)
  return fits_N


def _same(clean_SxNxV, other_SxNxV, row_N) -> np.ndarray:
  """Returns the share of rows with the same best class, S; NaN for numbers."""
  if clean_SxNxV.shape[-1] == 1 or not row_N.any():
    return np.full(len(clean_SxNxV), np.nan)
  best = lambda said_SxNxV: said_SxNxV[:, row_N].argmax(-1)
  return np.mean(best(clean_SxNxV) == best(other_SxNxV), -1)


def _records(found: Mapping, null: Mapping) -> Iterator[dict]:
  """Yields a record per symmetry, the ratio with its interval over seeds."""
  for name, one in found.items():
    mean = statistics.seed_interval(one["ratio"])
    yield {
      "symmetry": name,
      "rows": one["rows"],
      "ratio": float(mean.estimate),
      "ratio_low": float(mean.low),
      "ratio_high": float(mean.high),
      "ratio_min": float(one["ratio"].min()),
      "ratio_max": float(one["ratio"].max()),
      "ratio_untrained": float(np.median(null[name]["ratio"])),
      **{key: float(np.median(one[key])) for key in ("kept", "broken", "same", "same_broken")},
    }


def _table(run, old: Mapping) -> tuple[dict, ...]:
  """Returns the reported numbers beside ours, of published prompts alone."""
  task = run.experiment.task
  if (task.layout, task.operands) != ("published", 1000) or not run.regression:
    return ()
  members = run.experiment.fit.seeds
  found = {}
  for r, d in enumerate(deltas()):
    for name, value in old.items():
      value_S = np.broadcast_to(value[..., r], (members,))
      found[f"{task.question}_{name}_{d}"] = value_S
  known = {key: value_S for key, value_S in found.items() if key in REPORTED}
  return reported.rows(run, REPORTED, known)
