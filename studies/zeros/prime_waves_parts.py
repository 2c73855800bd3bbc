"""Which waves a network knows by context and by its training."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import anchors, autoregression, trees
from primelens.models import mixture as mixture_lib
from primelens.studies.zeros import guides, program, scoring
from primelens.studies.zeros import prime_waves_known as known_lib
from primelens.tasks import windows


def contexts(run, stretch, prime_Q) -> dict[str, Any]:
  """Returns which primes are known with so many spacings in sight.

  One prediction per context of every window, the windows one spacing apart:
  further apart the lines would have copies. A filter of the same order stands
  beside. Nothing for a network that answers once per window, or whose memory
  reads all of it.
  """
  settings, model = run.settings.prime_waves, run.experiment.model
  seeds = trees.length(run.params_S)
  context_T = np.array([t for t in settings.contexts if t <= model.window], np.int64)
  kind = program.memory_name(model)
  # Slots that read the window have told earlier positions their targets.
  told = kind.endswith("leaky_as_published") or kind == "postfix"
  if told or not settings.context_windows:
    context_T = context_T[:0]
  each = list(_contexts(run, stretch, context_T, prime_Q))
  # Networks first, the filter last.
  known_ExTxQ, beside_ExT, r2_ExT = _stacked(each, seeds + 1, prime_Q)
  stands_TxQ = np.zeros((len(each), len(prime_Q)), bool)
  for t, known in enumerate(each):
    stands_TxQ[t] = known.stands_Q
  return {
    "context_T": context_T,
    "context_stands_TxQ": stands_TxQ,
    "context_known_SxTxQ": known_ExTxQ[:-1],
    "context_beside_SxT": beside_ExT[:-1],
    "context_r2_SxT": r2_ExT[:-1],
    "filter_known_TxQ": known_ExTxQ[-1],
    "filter_beside_T": beside_ExT[-1],
    "filter_r2_T": r2_ExT[-1],
  }


def _contexts(run, stretch, context_T, prime_Q):
  """Yields what networks and a filter know with each context, S + 1 rows."""
  if not len(context_T):
    return
  start_N = _starts(run, stretch)
  window_NxT1 = windows.take(stretch.value_N, start_N, run.experiment.model.window)
  mean_SxNxT = everywhere(run, window_NxT1)
  residual_N = stretch.value_N.astype(np.float64) - 1
  filters = anchors.filters(stretch.value_N, stretch.train, int(context_T.max()))
  for context in context_T:
    index_N = start_N + context
    phi_Q, _ = filters.order(int(context))
    filter_N = 1 + autoregression.predict(residual_N, phi_Q, index_N)
    yield _knowledge(
      run,
      stretch.floor,
      np.concatenate([mean_SxNxT[:, :, context - 1], filter_N[None]]),
      stretch.value_N[index_N].astype(np.float64),
      stretch.ordinate_N[index_N],
      prime_Q,
    )


def _knowledge(run, floor: float, mean_ExN, truth_N, height_N, prime_Q):
  settings = run.settings.prime_waves
  return known_lib.knowledge(
    mean_ExN,
    truth_N,
    height_N,
    prime_Q,
    line_A=guides.lines(settings.limit),
    floor=floor,
    seed=settings.seed,
  )


def _stacked(each, rows: int, prime_Q):
  """Returns known_ExCxQ, beside_ExC, r2_ExC of what E rows know at C places."""
  shape = rows, len(each)
  known_ExCxQ = np.zeros((*shape, len(prime_Q)), bool)
  beside_ExC, r2_ExC = np.zeros(shape), np.zeros(shape)
  for c, known in enumerate(each):
    known_ExCxQ[:, c] = known.known_ExQ
    beside_ExC[:, c], r2_ExC[:, c] = known.beside_E, known.r2_E
  return known_ExCxQ, beside_ExC, r2_ExC


def _starts(run, stretch) -> np.ndarray:
  """Returns starts of windows, one after another from where the stretch is."""
  first, last = int(stretch.start_N[0]), len(stretch.value_N)
  if run.experiment.task.kind == "zeros":
    last = run.series.bounds("test")[1]
  last -= run.experiment.model.window
  count = run.settings.prime_waves.context_windows
  return np.arange(first, min(first + count, last))


def everywhere(run, window_NxT1) -> np.ndarray:
  """Returns the predicted means at every position, SxNxT."""
  each = scoring.predict(run.apply, 1, run.settings.evaluation.batch)
  over = jax.jit(jax.vmap(lambda *args: mixture_lib.mean(each(*args)), (0, None)))
  return np.asarray(over(run.params_S, jnp.asarray(window_NxT1)), np.float64)


def snapshots(run, stretch, prime_Q) -> dict[str, Any]:
  """Returns the primes known at every snapshot, and when each came to stay.

  On all of the stretch: on a short one small errors pass for knowledge.
  """
  step_C = np.array(run.snapshot_steps(), np.int64)
  seeds = trees.length(run.params_S)
  each = []
  for step in step_C:
    params_S = run.snapshot(int(step))
    _, mean_SxNxU = scoring.predictions(run, stretch.window_NxT1, params_S)
    each.append(
      _knowledge(
        run,
        stretch.floor,
        mean_SxNxU.reshape(seeds, -1),
        stretch.truth_N,
        stretch.height_N,
        prime_Q,
      )
    )
  known_SxCxQ, beside_SxC, r2_SxC = _stacked(each, seeds, prime_Q)
  # Known at this snapshot and at all after it.
  stays_SxCxQ = np.logical_and.accumulate(known_SxCxQ[:, ::-1], 1)[:, ::-1]
  first_SxQ = np.full((seeds, len(prime_Q)), np.nan)
  if len(step_C):
    ever_SxQ = stays_SxCxQ.any(1)
    first_SxQ[ever_SxQ] = step_C[stays_SxCxQ.argmax(1)][ever_SxQ]
  return {
    "step_C": step_C,
    "known_SxCxQ": known_SxCxQ,
    "beside_SxC": beside_SxC,
    "r2_SxC": r2_SxC,
    "first_SxQ": first_SxQ,
  }
