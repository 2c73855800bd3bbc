"""Where and when does a network know primes: head, layer, context, training step?

The published study looked for the primes' frequencies in vectors of the memory. Here they are
looked for in what a network predicts, and in its parts.

By context and by training, a prime whose wave stands out in the true spacings counts as known where
less than a third of its wave is left in the errors, as in the section on which primes a network
knows. The same is counted at frequencies beside the primes and off all lines, for errors that are
small everywhere leave little of any wave; a filter that sees as many spacings is counted too.

By head, a head is replaced by its mean output: the gain of a prime's wave that goes with it is
measured, and the change of the predictions is tested for lines. By layer, the share of the variance
of the states that is a wave at ln p is read beside that of fresh networks. A state or a head passes
on waves of its inputs: a line is no knowledge.

Source: docs/sources/zeros.md, section 7.1.
"""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import (
  ablation,
  anchors,
  autoregression,
  known_primes,
  line_nulls,
  prime_lines,
  sweeps,
  trees,
)
from primelens.lens import figures as draw
from primelens.lens import page, results
from primelens.lens import tables as tables_lib
from primelens.models import mixture as mixture_lib
from primelens.models import spacing
from primelens.studies.zeros import guides, program, scoring, stretches
from primelens.tasks import primes, windows

obstacle = stretches.no_zeros


# --- by context and by training -------------------------------------------------------------------


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
    "stands_TxQ": stands_TxQ,
    "known_SxTxQ": known_ExTxQ[:-1],
    "beside_SxT": beside_ExT[:-1],
    "r2_SxT": r2_ExT[:-1],
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
  return known_primes.knowledge(
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
  return np.asarray(over(run.params_S, window_NxT1), np.float64)


def snapshots(run, stretch, prime_Q) -> dict[str, Any]:
  """Returns the primes known at every snapshot, and when each came to stay.

  On all of the stretch: on a short one small errors pass for knowledge.
  """
  step_C = np.array(run.snapshot_steps(), np.int64)
  seeds = trees.length(run.params_S)
  window_NxT1 = stretch.windows(stretch.value_N)
  each = []
  for step in step_C:
    params_S = run.snapshot(int(step))
    _, mean_SxNxU = scoring.predictions(run, window_NxT1, params_S)
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
    "stands_Q": each[0].stands_Q if each else np.zeros(len(prime_Q), bool),
    "known_SxCxQ": known_SxCxQ,
    "beside_SxC": beside_SxC,
    "r2_SxC": r2_SxC,
    "first_SxQ": first_SxQ,
  }


# --- by head and by layer -------------------------------------------------------------------------

_RESIDUAL = ("residual/post",)


@functools.cache
def _without(apply_fn, min_context: int, batch: int):
  """Returns `f(bundle, removal, windows) -> mean NxU` without some heads."""

  def mean(bundle, removal, window_NxT1):
    edits = {"attention/head": ablation.mean_heads(removal["keep_LxH"], bundle["mean_LxHxDh"])}

    def one(row):
      mixture = spacing.predict(
        apply_fn, bundle["params"], row[None], min_context=min_context, edits=edits
      )
      return mixture_lib.mean(mixture)[0]

    return jax.lax.map(one, window_NxT1, batch_size=batch)

  return mean


def heads(run, stretch, prime_Q) -> dict[str, Any]:
  """Returns the gain of each prime's wave that goes with a head.

  A head is replaced by its mean output, as in the analysis `heads`. The change
  of the predicted spacings is tested for lines as the predictions are.
  """
  settings, trunk = run.settings, run.experiment.model.trunk
  part = stretch.part(settings.prime_waves.part_spacings)
  evaluation = settings.evaluation
  window_NxT1 = part.windows(part.value_N)
  average = ablation.average_heads(run.apply, evaluation.batch)
  bundle_S = {"params": run.params_S, "mean_LxHxDh": average(run.params_S, window_NxT1)}
  keep_RxLxH = np.concatenate(
    [np.ones((1, trunk.layers, trunk.heads)), ablation.each_head(trunk.layers, trunk.heads)]
  ).astype(np.float32)
  mean_SxRxNxU = sweeps.over(
    _without(run.apply, evaluation.min_context, evaluation.batch),
    bundle_S,
    {"keep_LxH": keep_RxLxH},
    data=(window_NxT1,),
    batch_size=settings.heads.sweep_batch,
  )
  mean_SxRxNxU = np.asarray(mean_SxRxNxU, np.float64)
  seeds, removals = mean_SxRxNxU.shape[:2]
  mean_ExN = mean_SxRxNxU.reshape(seeds * removals, -1)
  each = known_primes.waves(mean_ExN, part.truth_N, part.height_N, np.log(prime_Q))
  gain_SxRxQ = each.gain_ExF.reshape(seeds, removals, -1)
  lost_SxRxQ = gain_SxRxQ[:, :1] - gain_SxRxQ[:, 1:]
  flat_SxRxN = mean_SxRxNxU.reshape(seeds, removals, -1)
  change_SxRxN = flat_SxRxN[:, :1] - flat_SxRxN[:, 1:]
  line = line_nulls.test(
    lambda w_F: prime_lines.amplitudes(change_SxRxN, part.height_N, w_F),
    np.log(prime_Q),
    _beside(run, part, prime_Q),
  )
  shape = (seeds, trunk.layers, trunk.heads, len(prime_Q))
  return {"lost_SxLxHxQ": lost_SxRxQ.reshape(shape), "max_t_SxLxHxQ": line.p.reshape(shape)}


def _beside(run, part, prime_Q) -> np.ndarray:
  """Returns the null frequencies of a part of the stretch."""
  settings = run.settings.prime_waves
  return line_nulls.beside(
    np.log(prime_Q),
    guides.lines(settings.limit),
    part.height_N,
    draws=settings.draws,
    seed=settings.seed,
  )


@functools.cache
def _states(apply_fn, last: int, batch: int):
  """Returns `f(params, windows)`: last states after every block, LxNxUxD."""

  def states(params, window_NxT1):
    def one(row):
      _, activations = apply_fn(params, row[None, :-1], sites=_RESIDUAL)
      return activations["residual/post"][:, 0, -last:]

    found = jax.lax.map(one, window_NxT1, batch_size=batch)
    return jnp.moveaxis(found, 0, 1)

  return jax.jit(states)


def states(run, stretch, prime_Q) -> dict[str, Any]:
  """Returns the share of the states' variance that is a wave at ln p.

  sum_d |a_d|^2 / 2 over sum_d var_d, of the states that the head would read if
  the network ended there: positions whose predictions are scored, or the slots
  behind the window, averaged as the head averages them. Fresh networks pass on
  the waves of their inputs: they are a null beside that of other frequencies.
  """
  part = stretch.part(run.settings.prime_waves.part_spacings)
  model = run.experiment.model
  behind = model.memory == "postfix"
  last = model.slots if behind else part.index_NxU.shape[1]
  each = _states(run.apply, last, run.settings.evaluation.batch)
  window_NxT1, log_Q = jnp.asarray(part.windows(part.value_N)), np.log(prime_Q)
  beside_RxQ = _beside(run, part, prime_Q)

  def shares(params) -> list[line_nulls.Tested]:
    state_LxNxUxD = each(params, window_NxT1)
    if behind:
      pool = jax.vmap(lambda x_NxMxD: spacing.slots_read(model, params, x_NxMxD))
      state_LxNxUxD = pool(state_LxNxUxD)
    state_LxNxUxD = np.asarray(state_LxNxUxD, np.float64)
    flat = lambda x_NxUxD: x_NxUxD.reshape(-1, x_NxUxD.shape[-1]).T
    return [
      line_nulls.test(
        functools.partial(_share, flat(state_NxUxD), part.height_N), log_Q, beside_RxQ
      )
      for state_NxUxD in state_LxNxUxD
    ]

  def over(params_S):
    params_S = jax.device_get(params_S)
    rows = [
      shares(jax.tree.map(lambda leaf, s=s: leaf[s], params_S))
      for s in range(trees.length(params_S))
    ]
    of = lambda key: np.array([[getattr(x, key) for x in row] for row in rows])
    return of("amplitude"), of("p")

  share_SxLxQ, p_SxLxQ = over(run.params_S)
  fresh_SxLxQ, fresh_p_SxLxQ = over(run.untrained_S())
  return {
    "share_SxLxQ": share_SxLxQ,
    "max_t_SxLxQ": p_SxLxQ,
    "untrained_LxQ": fresh_SxLxQ.mean(0),
    "untrained_max_t_SxLxQ": fresh_p_SxLxQ,
  }


def _share(state_DxN, height_N, frequency_F) -> np.ndarray:
  wave_DxF = prime_lines.coefficients(state_DxN, height_N, frequency_F)
  return np.sum(np.abs(wave_DxF) ** 2, 0) / 2 / state_DxN.var(1).sum()


# --- the result -----------------------------------------------------------------------------------


def measure(run) -> xr.Dataset:
  """Returns which primes are known by context and snapshot, and waves in heads and states.

  By the settings of `prime_waves`, on the same zeros. `contexts` and `steps` are empty for networks
  that cannot be read so; `first_step` is NaN for a prime that never comes to stay.
  """
  settings = run.settings.prime_waves
  prime_Q = primes.below(settings.limit)
  stretch = stretches.of_test(run, settings.spacings)
  by_context = contexts(run, stretch, prime_Q)
  by_step = snapshots(run, stretch, prime_Q)
  by_head, by_layer = heads(run, stretch, prime_Q), states(run, stretch, prime_Q)
  beside = "frequencies beside the primes that would pass for known"
  out = "its wave stands out in the true spacings"
  line = "max-T p-value of a line"
  lost = "gain of the wave that goes with the head"
  share = "share of the variance of the states"
  var = results.variable
  variables = {
    "stands_by_context": var("context prime", by_context["stands_TxQ"], out),
    "known_by_context": var("seed context prime", by_context["known_SxTxQ"], "prime is known"),
    "beside_by_context": var("seed context", by_context["beside_SxT"], beside),
    "r2_by_context": var("seed context", by_context["r2_SxT"], "R²"),
    "filter_known": var("context prime", by_context["filter_known_TxQ"], "a filter knows it"),
    "filter_beside": var("context", by_context["filter_beside_T"], f"{beside}, of a filter"),
    "filter_r2": var("context", by_context["filter_r2_T"], "R² of a filter"),
    "stands_out": var("prime", by_step["stands_Q"], out),
    "known_by_step": var("seed step prime", by_step["known_SxCxQ"], "prime is known"),
    "beside_by_step": var("seed step", by_step["beside_SxC"], beside),
    "r2_by_step": var("seed step", by_step["r2_SxC"], "R²"),
    "first_step": var("seed prime", by_step["first_SxQ"], "known from this step on", "steps"),
    "head_gain": var("seed layer head prime", by_head["lost_SxLxHxQ"], lost),
    "head_max_t": var("seed layer head prime", by_head["max_t_SxLxHxQ"], f"{line}, of its change"),
    "state_share": var("seed layer prime", by_layer["share_SxLxQ"], share),
    "state_max_t": var("seed layer prime", by_layer["max_t_SxLxQ"], line),
    "untrained_share": var("layer prime", by_layer["untrained_LxQ"], f"{share}, fresh networks"),
    "untrained_max_t": var(
      "untrained layer prime", by_layer["untrained_max_t_SxLxQ"], f"{line}, fresh networks"
    ),
  }
  trunk = run.experiment.model.trunk
  coords = {
    "seed": var("seed", run.seed_S, "seed of the trained network"),
    "untrained": var("untrained", run.seed_S, "seed of the fresh network"),
    "prime": var("prime", prime_Q, "prime p"),
    "context": var("context", by_context["context_T"], "spacings in sight"),
    "step": var("step", by_step["step_C"], "step of training"),
    "layer": var("layer", np.arange(trunk.layers), "layer"),
    "head": var("head", np.arange(trunk.heads), "head"),
  }
  return results.dataset(
    variables,
    coords,
    part_spacings=min(settings.part_spacings, len(stretch.truth_N)),
    context_windows=settings.context_windows,
  )


# --- figures --------------------------------------------------------------------------------------

SHOWN = 40  # primes of the map of heads
SMOOTH = 9  # primes of a running median


def figures(runs) -> dict:
  """Returns a page for each run and, of several, the primes known by context and by step."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  counts = {run: _counts(found) for run, found in runs.items()}
  panels = []
  for name, x, title in (
    ("by_context", "context", "Primes known by context"),
    ("by_step", "step", "Primes known by training"),
  ):
    read = {run: found for run, found in counts.items() if found.sizes[x]}
    panels.append(_compared(read, name, x, title))
  return pages | {"all runs": draw.page(tuple(panels), heights=[4.0])}


def _compared(counts, name: str, x: str, title: str) -> draw.Panel:
  if not counts:
    return draw.empty(f"no run is read by {x}")
  found = results.across(counts, name)
  panel = draw.curves(found, name, x=x, colour="run", thin="seed", zero=False, title=title)
  return draw.together(_powers_of_two, panel) if x == "context" else panel


def _counts(found: xr.Dataset) -> xr.Dataset:
  """Returns how many primes are known by context and by step."""
  said = {"long_name": "primes known"}
  return xr.Dataset(
    {
      name: found[f"known_{name}"].sum("prime").assign_attrs(said)
      for name in ("by_context", "by_step")
    }
  )


def _powers_of_two(axes) -> None:
  axes.set_xscale("log", base=2)
  axes.xaxis.set_major_formatter("{x:g}")


def _page(run: str, found: xr.Dataset) -> draw.Page:
  rows = found.sizes["layer"] * found.sizes["head"]
  return draw.page(
    (_context(run, found), _steps(found)),
    (_order(found), _layers(found)),
    _heads(found),
    heights=[4.0, 4.0, 1.6 + min(4.0, 0.24 * rows)],
  )


def _known(counts, name: str, x: str, colour: str, label: str, **text) -> draw.Panel:
  """Returns the primes known by context or step: seeds thin, their median thick."""
  look = {"color": colour, "label": label}
  return draw.curves(counts, name, x=x, thin="seed", zero=False, style=look, **text)


def _beside_line(found: xr.Dataset, name: str, x: str, colour: str, label: str) -> draw.Panel:
  """Returns the mean over seeds of the frequencies beside the primes, dashed."""
  count = found[name].mean("seed") if "seed" in found[name].dims else found[name]
  return draw.line(found[x], count, label, colour, ls="--", lw=1.1)


def _context(run: str, found: xr.Dataset) -> draw.Panel:
  if not found.sizes["context"]:
    return draw.empty("not read by context")
  of = int(found.stands_by_context.sum("prime").max())
  known = found.filter_known.sum("prime")
  return draw.together(
    _powers_of_two,
    draw.line(found.context, known, "AR of that order", draw.ORANGE, ls="-", marker="o", ms=3.5),
    _beside_line(found, "beside_by_context", "context", draw.BLUE, "network, beside the primes"),
    _beside_line(found, "filter_beside", "context", draw.ORANGE, "AR, beside the primes"),
    _known(
      _counts(found),
      "by_context",
      "context",
      draw.BLUE,
      "network",
      ylabel=f"primes known, of {of}",
      title=f"{run}: primes known by\nhow many spacings are in sight",
    ),
  )


def _steps(found: xr.Dataset) -> draw.Panel:
  if not found.sizes["step"]:
    return draw.empty("no snapshots")
  return draw.together(
    _beside_line(found, "beside_by_step", "step", draw.BLUE, "network, beside the primes"),
    _known(
      _counts(found),
      "by_step",
      "step",
      draw.BLUE,
      "network",
      ylabel=f"primes known, of {int(found.stands_out.sum())}",
      title="Primes known by training\n(thin: networks)",
    ),
  )


def _order(found: xr.Dataset) -> draw.Panel:
  """Returns when each prime came to stay."""
  if not found.sizes["step"]:
    return draw.empty("no snapshots")
  if np.isnan(found.first_step.values).all():
    return draw.empty("no prime is known at the last snapshot")
  look = {"ls": "none", "marker": ".", "ms": 3, "alpha": 0.7}

  def frame(axes):
    draw.log_x(found.prime.values)(axes)
    axes.set(
      xlabel=results.label(found.prime),
      ylabel="known from step",
      title="In which order primes are learned",
    )

  dots = [
    draw.line(found.prime, found.first_step.isel(seed=s), f"seed {seed}", _colour(s), **look)
    for s, seed in enumerate(found.seed.values)
  ]
  return draw.together(*dots, frame)


def _colour(number: int) -> str:
  return draw.COLOURS[number % len(draw.COLOURS)]


def _layers(found: xr.Dataset) -> draw.Panel:
  """Returns the share of each layer's variance at ln p, fresh ones dashed.

  Dots: lines above all of those beside the primes, in every seed.
  """
  prime_Q = found.prime.values
  panels = []
  for layer in found.layer.values.tolist():
    one, colour = found.sel(layer=layer), _colour(layer)
    share_Q = one.state_share.mean("seed").values
    smooth = known_primes.smooth(share_Q, SMOOTH)
    fresh = known_primes.smooth(one.untrained_share.values, SMOOTH)
    panels.append(draw.line(prime_Q, smooth, f"after layer {layer}", colour, ls="-", lw=1.2))
    panels.append(draw.line(prime_Q, fresh, None, colour, ls="--", lw=1.2))
    found_Q = (one.state_max_t < known_primes.LEVEL).all("seed").values
    dots = {"ls": "none", "marker": "o", "ms": 3}
    panels.append(draw.line(prime_Q[found_Q], share_Q[found_Q], None, colour, **dots))

  def frame(axes):
    draw.log_x(prime_Q)(axes)
    axes.set_yscale("log")
    axes.set(
      xlabel=results.label(found.prime),
      ylabel="share of the variance",
      title="Waves in the states (dashed: untrained;\ndots: a line in all seeds)",
    )

  return draw.together(*panels, frame)


def _heads(found: xr.Dataset) -> draw.Panel:
  """Returns a map of the gain that goes with each head; a dot is a line in every seed."""
  few = found.isel(prime=slice(SHOWN)).stack({"which": ("layer", "head")})
  names = [f"L{layer}.H{head}" for layer, head in few.which.values]
  few = few.drop_vars(["which", "layer", "head"]).assign_coords(
    which=results.variable("which", names, "head")
  )
  mean = few[["head_gain"]].mean("seed", keep_attrs=True)
  mean.head_gain.attrs["units"] = "share of the prime's wave"
  found_WxQ = (few.head_max_t < known_primes.LEVEL).all("seed").transpose("which", "prime").values
  image = draw.heat(
    mean,
    "head_gain",
    rows="which",
    columns="prime",
    written=None,
    centred=True,
    title="What each head contributes to predicting a prime's wave: lost without it\n"
    "(mean of the networks; dots: the head has a line of its own there in all of them)",
  )

  def dots(axes):
    y, x = np.nonzero(found_WxQ)
    axes.plot(x, y, ".", color="black", ms=2.5)

  return draw.together(image, dots)


# --- tables ---------------------------------------------------------------------------------------

BANDS = (30, 300, 1_000)  # primes below, between and above


def tables(runs) -> list[tables_lib.Table]:
  """Returns the primes known by context and snapshot, and those with a line by layer and head."""
  read = {f"{found.context_windows:,}" for found in runs.values() if found.sizes["context"]}
  by_context = ""
  if read:
    by_context = f" By context: of {_each(read)} windows, each one spacing after the last."
  parts = {f"{found.part_spacings:,}" for found in runs.values()}
  judged = {int((~np.isnan(found.state_max_t[0, 0])).sum()) for found in runs.values()}
  return [
    tables_lib.Table(
      "Primes known of those whose wave stands out, by size, and how many of as many frequencies"
      " off all lines would pass: means over seeds; R² and the prime up to which half are known,"
      f" by seed.{by_context}",
      tables_lib.by_run(runs, _when),
      name="when",
    ),
    tables_lib.Table(
      "Lines above all of the frequencies beside the primes (max-T over the"
      f" {_each(judged)} primes with room for such), of {_each(parts)} spacings; the gain is a mean"
      " over primes and seeds. A state or a head passes on waves of its inputs: a line is no"
      " knowledge. States are those that the head would read, of slots their weighted mean.",
      tables_lib.by_run(runs, _where),
      {"gain that goes with it": "z.3f"},
      "where",
    ),
  ]


def _each(values) -> str:
  return " or ".join(map(str, sorted(values)))


def _when(found: xr.Dataset) -> list[dict]:
  """Returns networks and the filter of that order by context, then networks by snapshot."""
  rows = []
  for context in found.context.values.tolist():
    one = found.sel(context=context)
    stands_Q = one.stands_by_context.values
    rows.append(
      _row(
        found,
        f"{context} spacings in sight",
        one.r2_by_context.values,
        one.known_by_context.values,
        stands_Q,
        one.beside_by_context.values,
      )
    )
    rows.append(
      _row(
        found,
        f"AR({context})",
        one.filter_r2.values[None],
        one.filter_known.values[None],
        stands_Q,
        one.filter_beside.values[None],
      )
    )
  for step in found.step.values.tolist():
    one = found.sel(step=step)
    rows.append(
      _row(
        found,
        f"step {step:,}",
        one.r2_by_step.values,
        one.known_by_step.values,
        one.stands_out.values,
        one.beside_by_step.values,
      )
    )
  return rows


def _row(found, name: str, r2_S, known_SxQ, stands_Q, beside_S) -> dict:
  """Returns what S predictors know, and how many frequencies beside it would pass."""
  prime_Q = found.prime.values
  edges = np.searchsorted(prime_Q, (0, *BANDS, np.inf))
  below, *rest = (f"{band:,}" for band in BANDS)
  between = [f"{a} to {b}" for a, b in itertools.pairwise((below, *rest))]
  heads = (f"primes below {below}", *between, f"above {rest[-1]}")
  bands = [slice(a, b) for a, b in itertools.pairwise(edges)]
  halves = [known_primes.cutoff(each, stands_Q, prime_Q) for each in known_SxQ]
  return {
    "predictions": name,
    "R²": ", ".join(page.number(r2, digits=3) for r2 in r2_S),
    **{
      head: f"{known_SxQ[:, band].sum(-1).mean():.0f} of {stands_Q[band].sum()}"
      for head, band in zip(heads, bands, strict=True)
    },
    "beside them": f"{np.mean(beside_S):.0f}",
    "half known to": ", ".join(f"{half:,}" for half in halves),
  }


def _where(found: xr.Dataset) -> list[dict]:
  """Returns the primes with a line of their own, by layer and by head."""
  lines = lambda p_SxQ: (p_SxQ.values < known_primes.LEVEL).sum(-1)
  counts = lambda n_S: ", ".join(str(n) for n in n_S)
  heads = ("what", "primes with a line, by seed", "gain that goes with it")
  rows: list[tuple] = []
  for layer in found.layer.values.tolist():
    one = found.sel(layer=layer)
    for name, p_SxQ in (
      (f"states after layer {layer}", one.state_max_t),
      ("the same, untrained", one.untrained_max_t),
    ):
      rows.append((name, counts(lines(p_SxQ)), None))
  for layer, head in itertools.product(found.layer.values.tolist(), found["head"].values.tolist()):
    one = found.sel({"layer": layer, "head": head})
    name = f"change made by head {layer}.{head}"
    rows.append((name, counts(lines(one.head_max_t)), float(one.head_gain.values.mean())))
  return [dict(zip(heads, row, strict=True)) for row in rows]
