"""The published measures of a rollout, each on the rows it was made of.

Four definitions went by one name (zeta spec, section 4.12): the place of the
100th zero from contexts of 128 (or, before, of 10) spacings, on the first 100
rows of the tail or on 100 drawn ones; the mean error of a step, context and
horizon both h; and the error at exactly step h with its log-log slope, which
the rollouts of the analysis itself have (`step_ExQ`, `slope`).
"""

import numpy as np
from primelens.analyses import rollout
from primelens.studies.zeros import rolling, scoring

HORIZON = 100
CONTEXT, SHORT = 128, 10


def records(run) -> tuple[dict, ...]:
  """Returns one record per protocol and predictor, of rollouts on test."""
  rows = scoring.rows(run)
  limit = run.settings.rollout.rows
  drawn, first = (f(rows, limit) for f in (scoring.chosen, scoring.leading))
  cases = (
    ("cumulative_seed_42_as_published", drawn, CONTEXT),
    ("cumulative_first_rows_as_published", first, CONTEXT),
    ("cumulative_short_context_as_published", first, SHORT),
  )
  found = []
  for name, chosen, context in cases:
    found += _cumulative(run, name, chosen, context)
  if run.experiment.model.memory in ("none", "prefix"):
    for horizon in run.settings.rollout.growing:
      found += _growing(run, drawn, horizon)
  return tuple(found)


def _cumulative(run, name, rows, context: int) -> list[dict]:
  """Returns |sum of 100 predictions - sum of 100 spacings| by predictor.

  The network slides over a context of fixed length, at most its own window.
  """
  length = min(context, run.series.window)
  past_NxT = rows.value_NxT[:, context - length : context]
  truth_NxQ = rows.value_NxT[:, context : context + HORIZON]
  guesses = {
    f"model ({run.name})": rolling.rolled(run, run.params_S, past_NxT, HORIZON),
    "untrained network": rolling.rolled(run, run.untrained_S(), past_NxT, HORIZON),
  }
  for anchor, guess in rolling.anchors(run, rows.start_N + context, HORIZON).items():
    guesses[anchor] = guess[None, None]
  base, found = None, []
  for who, guess in guesses.items():
    error = rollout.cumulative_error(guess[:, 0], truth_NxQ, (HORIZON,))
    error_SxN = error[..., 0]
    base = error_SxN if base is None else base
    found.append(
      _record(run, name, who, error_SxN, rows)
      | {"context": length, "horizon": HORIZON}
      | _interval(run, "model_minus", base - error_SxN, rows)
    )
  return found


def _growing(run, rows, horizon: int) -> list[dict]:
  """Returns the mean |prediction - spacing| of a step; the context grows.

  Context h and horizon h, or what is left of the row; the mean rollout, the
  median of an ensemble, and the constant 1.
  """
  past_NxT = rows.value_NxT[:, :horizon]
  truth_NxQ = rows.value_NxT[:, horizon : 2 * horizon]
  past_NxT = past_NxT[:, -run.series.window :]
  steps = truth_NxQ.shape[1]
  room = min(run.series.window, past_NxT.shape[1] + steps)
  modes = (rolling.MEAN, *[rolling.DRAW] * run.settings.rollout.draws)
  found = rolling.rolled(run, run.params_S, past_NxT, steps, mode=modes, window=room)
  guesses = {
    f"model ({run.name})": found[:, 0],
    "model, median of draws": np.median(found[:, 1:], axis=1),
    "constant 1": np.ones((1, *truth_NxQ.shape)),
  }
  return [
    _record(
      run,
      "per_step_growing_context_as_published",
      who,
      rollout.per_step_error_as_published(guess, truth_NxQ),
      rows,
    )
    | {"context": past_NxT.shape[1], "horizon": steps}
    for who, guess in guesses.items()
  ]


def _record(run, protocol: str, who: str, error_SxN, rows) -> dict:
  return {"protocol": protocol, "predictor": who, "rows": len(rows.start_N)} | _interval(
    run, "error", error_SxN, rows
  )


def _interval(run, name: str, value_SxN, rows) -> dict[str, float]:
  found = scoring.interval(run, value_SxN, rows.start_N)
  return {
    name: float(found.estimate),
    f"{name}_low": float(found.low),
    f"{name}_high": float(found.high),
  }
