"""Which waves a network knows by context and by its training."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import autoregression
from primelens.analyses import trees
from primelens.models import checkpoints
from primelens.models import mixture as mixture_lib
from primelens.studies.zeros import prime_waves_reading as reading
from primelens.studies.zeros import program
from primelens.studies.zeros import scoring
from primelens.tasks import windows


def contexts(run, stretch, prime_Q) -> dict[str, Any]:
  """Returns how many primes are known with so many spacings in sight.

  One prediction of every random window per context: at regular places the
  lines would have copies. A filter of the same order stands beside. Nothing
  for a network that answers once per window, or whose memory reads all of it.
  """
  settings, model = run.settings.prime_waves, run.experiment.model
  seeds = trees.length(run.params_S)
  context_T = np.array(
    [t for t in settings.contexts if t <= model.window], np.int64
  )
  kind = program.memory_name(model)
  # Slots that read the window have told earlier positions their targets.
  told = kind.endswith("leaky_as_published") or kind == "postfix"
  if told or not settings.context_windows:
    context_T = context_T[:0]
  found = {
    "context_T": context_T,
    "context_known_SxT": np.zeros((seeds, len(context_T)), np.int64),
    "context_r2_SxT": np.zeros((seeds, len(context_T))),
    "filter_known_T": np.zeros(len(context_T), np.int64),
  }
  if not len(context_T):
    return found
  start_N = _random(run, stretch, settings)
  window_NxT1 = windows.take(stretch.value_N, start_N, model.window)
  mean_SxNxT = everywhere(run, window_NxT1)
  residual_N = stretch.value_N.astype(np.float64) - 1
  train_N = residual_N[slice(*stretch.train)]
  filters = autoregression.fitted(train_N, int(context_T[-1]))
  for place, context in enumerate(context_T):
    index_N = start_N + context
    truth_N = stretch.value_N[index_N].astype(np.float64)
    phi_Q, _ = filters.order(int(context))
    filter_N = 1 + autoregression.predict(residual_N, phi_Q, index_N)
    mean_SxN = mean_SxNxT[:, :, context - 1]
    mean_ExN = np.concatenate([mean_SxN, filter_N[None]])
    _, _, left_ExQ = reading.waves(
      mean_ExN, truth_N, stretch.ordinate_N[index_N], prime_Q
    )
    r2_E = reading.r2(mean_ExN, truth_N)
    count_E = reading.known(left_ExQ, r2_E).sum(1)
    found["context_known_SxT"][:, place] = count_E[:-1]
    found["filter_known_T"][place] = count_E[-1]
    found["context_r2_SxT"][:, place] = r2_E[:-1]
  return found


def _random(run, stretch, settings) -> np.ndarray:
  """Returns starts of random windows where the stretch is, and above it."""
  length = run.experiment.model.window
  first, last = int(stretch.start_N[0]), len(stretch.value_N)
  if run.experiment.task.kind == "zeros":
    last = run.series.bounds("test")[1]
  every_N = np.arange(first, last - length)
  count = min(settings.context_windows, len(every_N))
  rng = np.random.default_rng(settings.seed)
  return np.sort(rng.choice(every_N, count, replace=False))


def everywhere(run, window_NxT1) -> np.ndarray:
  """Returns the predicted means at every position, SxNxT."""
  each = scoring.predict(run.apply, 1, run.settings.evaluation.batch)
  over = jax.jit(
    jax.vmap(lambda *args: mixture_lib.mean(each(*args)), (0, None))
  )
  return np.asarray(over(run.params_S, jnp.asarray(window_NxT1)), np.float64)


def snapshots(run, stretch, prime_Q) -> dict[str, Any]:
  """Returns the primes known at every snapshot, and when each came to stay."""
  folder = run.workdir / "snapshots"
  step_C = np.array(checkpoints.snapshot_steps(folder), np.int64)
  part = stretch.part(run.settings.prime_waves.part_spacings)
  seeds = trees.length(run.params_S)
  shape = (seeds, len(step_C))
  known_SxCxQ = np.zeros((*shape, len(prime_Q)), bool)
  r2_SxC = np.zeros(shape)
  for c, step in enumerate(step_C):
    params_S = checkpoints.read_snapshot(folder, int(step), run.params_S)
    _, mean_SxNxU = scoring.predictions(run, part.window_NxT1, params_S)
    mean_SxN = mean_SxNxU.reshape(seeds, -1)
    _, _, left_SxQ = reading.waves(
      mean_SxN, part.truth_N, part.height_N, prime_Q
    )
    r2_SxC[:, c] = reading.r2(mean_SxN, part.truth_N)
    known_SxCxQ[:, c] = reading.known(left_SxQ, r2_SxC[:, c])
  # Known at this snapshot and at all after it.
  stays_SxCxQ = np.logical_and.accumulate(known_SxCxQ[:, ::-1], 1)[:, ::-1]
  first_SxQ = np.full((seeds, len(prime_Q)), np.nan)
  if len(step_C):
    ever_SxQ = stays_SxCxQ.any(1)
    first_SxQ[ever_SxQ] = step_C[stays_SxCxQ.argmax(1)][ever_SxQ]
  return {
    "step_C": step_C,
    "known_SxC": known_SxCxQ.sum(-1),
    "r2_SxC": r2_SxC,
    "first_SxQ": first_SxQ,
  }
