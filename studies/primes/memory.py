"""What is remembered of the gaps between primes, beside constants and neighbours?

The source gave a network the number of a gap as its one token, and took a small error on gaps that
it was trained on for knowledge of the primes.

Here errors of trained and of left-out gaps are measured without dropout, in gap units and as mean
squares of z-scores, beside untrained networks and answers that need no network: the mean and the
median of the trained gaps, a line in the logarithm of the prime, the mean of the trained gaps
nearby and, where a network sees a context, least squares on the same tokens. A table that holds one
vector for each gap remembers shuffled gaps as well, and says nothing of gaps that it has not seen.
The source's detector of a sudden understanding is run at every snapshot. Source:
docs/sources/primes.md, sections 2, 3, 6.1 and 6.5.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from primelens.analyses import statistics
from primelens.lens import claims, page, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.primes import program
from primelens.tasks import primes

PUBLISHED = numbers_lib.published(__file__)
SHOWN = 200  # gaps of the figure, as published
LAST, HELD = "last trained", "held out"  # parts: the last 1000 trained gaps, as published
CURVES = ("trained, with dropout", "trained", "held out")
CURVE_SHADES = (draw.SKY, draw.BLUE, draw.ORANGE)

# --- answers that need no network -----------------------------------------------------------------

# All are made of trained gaps alone, in gap units. Source: docs/sources/primes.md, section 6.5.
NEAR = 10  # trained gaps on either side of a local mean


def answers(gaps: primes.Gaps, row_N) -> dict[str, np.ndarray]:
  """Returns every predictor's answers to the rows, N each.

  The mean and the median of the trained gaps; a line in ln p; the mean of the
  20 trained gaps next to a row, itself left out; and, where there is a
  context, least squares on all that its tokens say.
  """
  trained_N = gaps.gap_N[gaps.train_N].astype(float)
  ones_N = np.ones(len(row_N))
  found = {
    "mean": trained_N.mean() * ones_N,
    "median": np.median(trained_N) * ones_N,
    "line in ln p": _line(gaps, row_N),
    "local mean": local_mean(gaps, row_N),
  }
  if gaps.config.context:
    found["least squares"] = _least_squares(gaps, row_N)
  return found


def _line(gaps: primes.Gaps, row_N) -> np.ndarray:
  """Returns the line in ln(what stands before the gap) that fits best."""
  size_N = np.log(np.maximum(gaps.prime_N, 2).astype(float))
  design = lambda rows: np.stack([np.ones(len(rows)), size_N[rows]], axis=1)
  trained_N = gaps.train_N
  coefficient_2, *_ = np.linalg.lstsq(design(trained_N), gaps.gap_N[trained_N], rcond=None)
  return design(row_N) @ coefficient_2


def local_mean(gaps: primes.Gaps, row_N) -> np.ndarray:
  """Returns the mean of up to NEAR trained gaps on either side of each row."""
  trained_N = gaps.train_N
  total_N = np.concatenate([[0.0], np.cumsum(gaps.gap_N[trained_N])])
  left_N = np.searchsorted(trained_N, row_N, side="left")
  right_N = np.searchsorted(trained_N, row_N, side="right")
  low_N = np.maximum(left_N - NEAR, 0)
  high_N = np.minimum(right_N + NEAR, len(trained_N))
  near_N = total_N[high_N] - total_N[low_N]
  own_N = total_N[right_N] - total_N[left_N]
  count_N = (high_N - low_N) - (right_N - left_N)
  return (near_N - own_N) / count_N


def _least_squares(gaps: primes.Gaps, row_N) -> np.ndarray:
  """Returns the line in all features of a context that fits best."""
  token_NxF = primes.tokens(gaps).astype(float)
  length = gaps.config.context

  def design(rows):
    at_BxT = rows[:, None] - length + np.arange(length)[None]
    said_BxF = token_NxF[at_BxT].reshape(len(rows), -1)
    return np.concatenate([np.ones((len(rows), 1)), said_BxF], axis=1)

  design_NxF = design(gaps.train_N)
  answer_N = gaps.gap_N[gaps.train_N].astype(float)
  weight_F, *_ = np.linalg.lstsq(design_NxF, answer_N, rcond=None)
  return design(row_N) @ weight_F


# --- the source's detector of "grokking", which only watched --------------------------------------

# From docs/sources/primes.md, section 3. It says yes where two of three hold. Two of them have no
# meaning for primes: logarithms of z-scores, and a Fourier transform over gaps in random order.
BEFORE = 20  # epochs that a loss is compared with
FALL, LEAST = 0.3, 0.01  # relative and absolute
CORRELATED = 0.9
PEAK = 5.0  # times the mean amplitude
ITEMS = 1000  # trained gaps, drawn at random
NAMES = ("drop", "logarithms", "waves")


def drop(loss_N: np.ndarray) -> bool:
  """Returns whether the last loss is 30 %, and by .01, below the mean of the
  20 before it."""
  if len(loss_N) <= BEFORE:
    return False
  before = float(np.mean(loss_N[-BEFORE - 1 : -1]))
  fall = before - float(loss_N[-1])
  return fall >= FALL * before and fall > LEAST


def logarithms(answer_N: np.ndarray, target_N: np.ndarray) -> bool:
  """Returns whether the logarithms of the sizes of answers and targets, both
  z-scores, are correlated above .9."""
  size = lambda z: np.log(np.abs(np.asarray(z, float)) + 1e-6)
  a_N, b_N = size(answer_N), size(target_N)
  if not (a_N.std() and b_N.std()):
    return False
  return bool(np.corrcoef(a_N, b_N)[0, 1] > CORRELATED)


def waves(answer_N: np.ndarray) -> bool:
  """Returns whether the largest amplitude of the answers' differences, in the
  order given, is above five times the mean."""
  amplitude_Q = np.abs(np.fft.rfft(np.diff(np.asarray(answer_N, float))))
  return bool(amplitude_Q.max() > PEAK * amplitude_Q.mean())


def held(loss_N, answer_N, target_N) -> Mapping[str, bool]:
  """Returns which of the three hold after the epoch of the last loss."""
  return {
    "drop": drop(loss_N),
    "logarithms": logarithms(answer_N, target_N),
    "waves": waves(answer_N),
  }


def watched(run, step_C, params_of, loss_of) -> list[dict]:
  """Returns a record per snapshot and member: which hold, and the verdict.

  `params_of(step)` are the parameters, `loss_of(step)` the losses per epoch up
  to a step, SxN. Answers are with dropout, as in the source.
  """
  rng = np.random.default_rng(run.settings.seed)
  trained_N = run.gaps.train_N
  row_N = rng.permutation(trained_N)[:ITEMS]
  records = []
  for step in step_C:
    answer_SxN = run.predicted(params_of(step), row_N, dropout=True)
    pairs = zip(answer_SxN, loss_of(step), strict=True)
    for member, (answer_N, loss_N) in enumerate(pairs):
      found = held(loss_N, answer_N, run.gaps.target_N[row_N])
      says = sum(found.values()) >= 2
      records.append({"step": int(step), "member": member, **found, "says": says})
  return records


# --- the result -----------------------------------------------------------------------------------


def measure(run) -> xr.Dataset:
  """Returns the errors of every predictor on every part, answers to the last trained gaps, errors
  at the snapshots and what the detector says there."""
  gaps, parts = run.gaps, {name: row_N for name, row_N in rows(run.gaps).items() if len(row_N)}
  fresh_S = run.untrained_S()
  errors: dict[str, dict[str, dict[str, statistics.Interval]]] = {}
  for name, row_N in parts.items():
    errors[name] = {}
    networks = {"network": run.params_S, "untrained": fresh_S}
    for kind, params_S in networks.items():
      answer_SxN = unscaled(gaps, run.predicted(params_S, row_N))
      errors[name][kind] = _errors(gaps, row_N, answer_SxN)
    for kind, answer_N in answers(gaps, row_N).items():
      errors[name][kind] = _errors(gaps, row_N, answer_N[None])
  last_N = parts[LAST][:SHOWN]
  found, step_C = program.curves(run), np.array(run.snapshot_steps(), int)
  nothing = np.full(found["logged_SxC"].shape, np.nan)
  loss = [found[f"{name}_SxC"] for name in ("logged", "trained", "held")]
  mae = [nothing, found["trained_mae_SxC"], found["held_mae_SxC"]]
  epoch, log = program.epoch_steps(run.experiment), program.history(run)
  make = results.variable
  variables = {
    "rows": make("part", [len(row_N) for row_N in parts.values()], "gaps that are answered"),
    **_with_interval("mae", errors, "mean absolute error", "gap units"),
    **_with_interval("z_mse", errors, "mean squared error of z-scores"),
    "gap": make("example", gaps.gap_N[last_N].astype(float), "gap"),
    "answer": make(
      "seed example", unscaled(gaps, run.predicted(run.params_S, last_N)), "answer", "gap units"
    ),
    "loss": make("curve seed step", loss, "mean squared error of z-scores"),
    "loss_mae": make("curve seed step", mae, "mean absolute error", "gap units"),
    "logged_loss": make(
      "seed logged", log["loss_SxN"], "mean squared error of z-scores, with dropout"
    ),
    "rate": make("seed logged", log["rate_SxN"], "learning rate"),
    **_detected(run, step_C),
  }
  coords = {
    "part": make("part", list(parts), "gaps"),
    "predictor": make("predictor", list(errors[LAST]), "what answers"),
    "curve": make("curve", list(CURVES), "gaps"),
    "condition": list(NAMES),
    "step": make("step", step_C, "step"),
    "epoch": make("step", step_C / epoch, "epoch"),
    "logged": make("logged", log["step_N"] / epoch, "epoch"),
  }
  return program.dataset(
    run,
    variables,
    coords,
    epoch_steps=epoch,
    mean=gaps.mean,
    deviation=gaps.deviation,
  )


def _with_interval(name: str, errors: Mapping, said: str, unit: str = "") -> dict:
  """Returns an error of every part and predictor, with its interval over networks."""
  each = [[its[name] for its in kinds.values()] for kinds in errors.values()]
  ends = (
    np.array([[float(getattr(one, end)) for one in kinds] for kinds in each])
    for end in ("estimate", "low", "high")
  )
  return results.with_interval(name, "part predictor", statistics.Interval(*ends), said, unit)


def _errors(gaps, row_N, answer_SxN) -> dict[str, statistics.Interval]:
  """Returns the errors of answers on some rows, with their intervals over networks."""
  error_SxN = answer_SxN - gaps.gap_N[row_N][None]
  mae_S = np.abs(error_SxN).mean(1)
  square_S = ((error_SxN / gaps.deviation) ** 2).mean(1)
  return {
    "mae": statistics.seed_interval(mae_S),
    "z_mse": statistics.seed_interval(square_S),
  }


def _detected(run, step_C) -> dict[str, xr.Variable]:
  """Returns which conditions of the detector hold at the snapshots, and where two do."""
  steps = step_C.tolist()
  records = watched(
    run,
    steps,
    lambda step: program.snapshot(run, step),
    lambda step: program.logged(run, step),
  )
  shape = (len(steps), run.experiment.fit.seeds)
  hold = lambda name: np.array([row[name] for row in records], bool).reshape(shape).T
  said = "condition of the detector holds"
  return {
    "holds": results.variable("condition seed step", [hold(name) for name in NAMES], said),
    "says": results.variable("seed step", hold("says"), "the detector says yes"),
  }


def rows(gaps) -> dict[str, np.ndarray]:
  """Returns the parts: the last trained gaps as published, all, held out."""
  return {
    "last trained": gaps.train_N[-program.LAST :],
    "trained": gaps.train_N,
    "held out": gaps.held_N,
  }


def unscaled(gaps, z_SxN) -> np.ndarray:
  """Returns z-scores as gaps."""
  return gaps.mean + gaps.deviation * np.asarray(z_SxN, float)


def numbers(found: xr.Dataset) -> dict[str, numbers_lib.Own]:
  """Returns the error of the last trained gaps over that of the better constant.

  Of a run with enough networks to decide a claim.
  """
  key = f"{found.population.partition(', ')[0]}/mae"
  null = program.constant(found, LAST)
  if key not in PUBLISHED or found.sizes["seed"] < program.SEEDS or not null:
    return {}
  own, fresh = (program.error(found, LAST, kind) / null for kind in ("network", "untrained"))
  return {key: numbers_lib.Own([own], [fresh])}


# --- figures, tables, the line of the summary -----------------------------------------------------


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one with every run in a row."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  return {"all runs": _overview(runs)} | pages


def _overview(runs) -> draw.Page:
  rows = overview(runs)
  kept = [row for row in rows if np.isfinite(row["held"])]  # few runs leave gaps out
  text = {"ylabel": "squared error of z-scores, with dropout"}
  panels: list[draw.Panel | tuple[draw.Panel, ...]] = [
    (
      _each_run(rows, "error", "Trained (dashed: a constant)", "absolute error over a constant's"),
      _each_run(kept, "held", "Left out (dashed: a constant)", "squared error of z-scores"),
    ),
    _over_training(
      {run: (found.logged, found.logged_loss) for run, found in runs.items()},
      runs,
      title="Gaps that are trained on, over training: median over networks",
      **text,
    ),
  ]
  held = {run: (found.epoch, found.loss.sel(curve=HELD)) for run, found in runs.items()}
  if any(np.isfinite(value.values).any() for _, value in held.values()):
    title = "Gaps that are left out, over training: median over networks"
    text["ylabel"] = "squared error of z-scores"
    panels.append(_over_training(held, runs, title=title, **text))
  return draw.page(*panels, heights=[1.4 + 0.26 * len(rows), *[4.0] * (len(panels) - 1)])


def _over_training(curves: Mapping, runs: Mapping, **text) -> draw.Panel:
  """Returns a line of each run that has one; 1 is a constant answer.

  Each in its colour, or, of more runs than there are colours, the source's plans in theirs and all
  others grey. `curves` are (epoch, value by seed and epoch) of each run.
  """
  known = {run: both for run, both in curves.items() if np.isfinite(both[1].values).any()}
  if not known:
    return draw.empty("no run has errors over training")
  few = len(known) <= len(draw.COLOURS)
  names = {run: run if few else runs[run].population for run in known}
  told = [name for name in names.values() if few or name in program.PLANS]
  shade = dict(zip(dict.fromkeys(told), draw.COLOURS, strict=False))

  def panel(axes):
    labels = set()
    for run, (epoch, value) in known.items():
      name = names[run] if names[run] in shade else "other runs"
      look = {"color": shade.get(name, "#BBBBBB"), "lw": 1.6 if name in shade else 0.8}
      label = None if name in labels else name
      labels.add(name)
      middle = value.median("seed")
      axes.plot(epoch, middle, label=label, zorder=2 + (name in shade), **look)
    axes.axhline(1, color="black", lw=0.9, ls="--", label="a constant answer to trained gaps")
    axes.set(yscale="log", xlabel="epoch", **text)

  return panel


def _each_run(rows: list[dict], key: str, title: str, words: str) -> draw.Panel:
  """Returns one number of every run in a row; 1 is a constant answer."""
  value_N = np.array([row[key] for row in rows])
  known_N = value_N[np.isfinite(value_N)]
  if not known_N.size:
    return draw.empty("no gaps were left out")

  def panel(axes):
    axes.plot(value_N, np.arange(len(rows)), "o", color=draw.BLUE)
    axes.axvline(1, color=draw.GREY, lw=0.9, ls="--")
    axes.set_yticks(range(len(rows)), [row["run"] for row in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set(title=title, xlabel=words)
    if 0 < known_N.min() < known_N.max() / 5:
      axes.set_xscale("log")

  return panel


def overview(runs) -> list[dict]:
  """Returns each run's error of trained gaps over a constant's, and of gaps left out; NaN: none."""
  records = []
  for run, found in runs.items():
    own, null = program.error(found, LAST, "network"), program.constant(found, LAST)
    share = own / null if null else np.nan  # a constant sequence
    records.append({"run": run, "error": share, "held": left_out(found)})
  return records


def left_out(found: xr.Dataset) -> float:
  """Returns the squared error of gaps left out, in variances; NaN for none."""
  try:
    return program.error(found, HELD, "network", "z_mse")
  except claims.Missing:
    return np.nan


def _page(run: str, found: xr.Dataset) -> draw.Page:
  first = found.isel(seed=0)
  errors = draw.rows(
    found,
    "mae",
    x="part",
    colour="predictor",
    colours=SHADES,
    title="Mean absolute error (bars: 95 % over networks)",
  )
  return draw.page(
    _gaps(run, found),
    (
      draw.scatter(first, x="gap", y="answer", diagonal=True, title="Answers of the first network"),
      _training(found),
    ),
    (_absolute(found), _rate(found)),
    errors,
    heights=[2.6, 3.3, 3.3, 1.6 + 0.75 * found.sizes["part"]],
  )


SHADES = {  # of what answers; networks have theirs everywhere
  "network": draw.COLOUR_OF["trained"],
  "untrained": draw.COLOUR_OF["untrained"],
  "mean": draw.ORANGE,
  "median": draw.GREEN,
  "line in ln p": draw.PURPLE,
  "local mean": draw.AMBER,
  "least squares": draw.SKY,
}


def _gaps(run: str, found: xr.Dataset) -> draw.Panel:
  """Returns the published view: gaps in a row, and the first network's answers."""

  def panel(axes):
    axes.plot(found["gap"].values, color=draw.GREY, lw=0.9, label="gap")
    axes.plot(found["answer"].values[0], color=draw.BLUE, lw=0.9, label="first network")
    title = f"{run}: the last trained gaps"
    axes.set(title=title, xlabel="place in the row", ylabel="gap (difference of primes)")

  return panel


def _training(found: xr.Dataset) -> draw.Panel:
  """Returns squared errors at the snapshots; 1 is a constant answer to trained gaps."""
  return _at_snapshots(
    found, "loss", 1.0, title="Squared error (thin: each network)", yscale="log", zero=False
  )


def _absolute(found: xr.Dataset) -> draw.Panel:
  """Returns absolute errors at the snapshots, in gap units."""
  return _at_snapshots(
    found, "loss_mae", program.constant(found, LAST), title="Absolute error (thin: each network)"
  )


def _at_snapshots(found: xr.Dataset, name: str, constant: float, **look) -> draw.Panel:
  """Returns an error at the snapshots, of the gaps that it is known of; thin: each network."""
  both = found[[name]].swap_dims(step="epoch")
  known = [i for i in range(len(CURVES)) if np.isfinite(found[name].values[i]).any()]
  if not known:
    return draw.empty("no snapshots")
  panels = [
    draw.curves(
      both.isel(curve=i),
      name,
      x="epoch",
      thin="seed",
      style={"color": CURVE_SHADES[i], "label": CURVES[i]},
      **look,
    )
    for i in known
  ]
  return draw.together(draw.level(constant, "a constant answer to trained gaps"), *panels)


def _rate(found: xr.Dataset) -> draw.Panel:
  """Returns the learning rate of every network; a random walk gives each its own."""
  if not np.isfinite(found.rate.values).any():
    return draw.empty("the learning rate was not logged")
  title = "Learning rate (thin: each network, thick: median)"
  return draw.curves(found, "rate", x="logged", thin="seed", style={"marker": ""}, title=title)


SETTING = ("primes", *program.PLAN_A, "batch_size")


def tables(runs) -> list[tables_lib.Table]:
  """Returns what the runs are, the published errors beside theirs, their errors, and what the
  detector says."""
  settings = [
    {"run": run} | {name: found.attrs[name] for name in SETTING} | {"seeds": found.sizes["seed"]}
    for run, found in runs.items()
  ]
  return [
    tables_lib.Table("The runs.", settings, name="runs"),
    tables_lib.Table(
      "The published table: mean absolute error of the last trained gaps, over that of the better"
      f" constant, by plan. {program.SEEDS} networks decide a claim.",
      [row for plan in MAE for row in _published_rows(plan, runs)],
      {"networks": "d"},
      name="published",
    ),
    tables_lib.Table(
      "Errors in gap units, and mean squares of z-scores; networks with their 95 % interval over"
      " seeds.",
      tables_lib.by_run(runs, _error_rows),
      name="errors",
    ),
    tables_lib.Table(
      "At how many snapshots of all seeds the detector of the source fires, and each of its"
      " conditions holds; it fires where two do.",
      [{"run": run} | _fired(found) for run, found in runs.items()],
      name="detector",
    ),
  ]


def _published_rows(plan: str, runs) -> list[dict]:
  """Returns the source's error of a plan beside that of every run of it, and why there is none."""
  entry = PUBLISHED[f"{plan}/mae"]
  first = {"plan": plan, "source": MAE[plan], "source, share": MAE[plan] / (entry.null or 1)}
  rows = []
  for run, found in program.of_plan(plan, runs).items():
    null = program.constant(found, LAST)
    own, fresh = (program.error(found, LAST, kind) for kind in ("network", "untrained"))
    rows.append(
      first
      | program.about(run, found)
      | {"share here": own / null if null else None}
      | {"untrained": fresh / null if null else None}
      | {"remark": program.why_undecided(found)}
    )
  return rows or [first | program.NO_RUN]


def _error_rows(found: xr.Dataset) -> list[dict]:
  return [
    {"part": part, "answers": kind, "rows": int(found["rows"].sel(part=part))}
    | {
      head: _error(found, part, kind, name)
      for head, name in (("absolute error", "mae"), ("z-scores squared", "z_mse"))
    }
    for part in found["part"].values.tolist()
    for kind in found["predictor"].values.tolist()
  ]


def _error(found: xr.Dataset, part: str, kind: str, name: str):
  """Returns an error with its interval; answers that need no network have none."""
  its = tables_lib.interval(found, name, part=part, predictor=kind)
  return its if np.isfinite(its.low) else its.estimate


def _fired(found: xr.Dataset) -> dict:
  counted = {name: int(found["holds"].sel(condition=name).sum()) for name in NAMES}
  return {"snapshots": found["says"].size, "fires": int(found["says"].sum())} | counted


NAMED = 6  # runs that a sentence names, at most


def line(runs) -> str:
  """Returns sentences on the errors of trained gaps, of many runs those of the source's plans, and
  on those of gaps left out."""
  records = overview(runs)
  few = len(runs) <= NAMED
  names = {run: run if few else found.population for run, found in runs.items()}
  shown = [r for r in records if few or names[r["run"]] in program.PLANS]
  said = [f"{names[r['run']]} {page.short(r['error'])}" for r in shown]
  others = np.array([r["error"] for r in records if r not in shown])
  others = others[np.isfinite(others)]
  if others.size:
    said.append(f"others {page.short(others.min())} to {page.short(others.max())}")
  held = [f"{r['run']} {page.short(r['held'])}" for r in records if np.isfinite(r["held"])]
  return (
    "Mean absolute error of the last trained gaps, over that of a constant:"
    f" {'; '.join(said)}. Squared error of gaps left out, over the variance of trained ones:"
    f" {'; '.join(held) or 'none'}."
  )


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
MAE = program.reported(PUBLISHED, "mae")
UNSEEN = 0.95  # variances: gaps left out with as large a squared error are not known


def _last(found: xr.Dataset) -> str:
  """Returns the name of the gaps that the published error is measured on."""
  return f"the last {int(found['rows'].sel(part=LAST)):,} trained gaps"


@CLAIMS.add(
  "memory.primes",
  "A transformer learns the prime gaps.",
  reported=f"mean absolute error {MAE['plan A']:.2f} (A), {MAE['plan B']:.2f} (B)",
  source=program.claimed("section 6.1"),
)
def learned(results):
  """Returns the verdict: errors of trained, shuffled and left-out gaps."""
  found = program.of(results, "memory")
  own, null = program.error(found, LAST, "network"), program.constant(found, LAST)
  shuffled = program.of(results, "memory", sequence="shuffled")
  other = program.error(shuffled, LAST, "network")
  held, mean = (
    {
      way: program.error(program.of(results, "memory", held_out=way), HELD, kind, "z_mse")
      for way in ("random", "tail")
    }
    for kind in ("network", "mean")
  )
  because = (
    f"{_last(found)} are answered with a mean absolute error of {own:.2f} (gap units), shuffled"
    f" ones of {other:.2f}, where the better constant has {null:.2f}: the table holds one vector"
    f" per gap. Gaps left out have squared errors of {held['random']:.2f} (drawn at random) and"
    f" {held['tail']:.2f} (the last tenth) variances of the trained gaps; the mean of the trained"
    f" gaps has {mean['random']:.2f} and {mean['tail']:.2f}."
  )
  numbers = {"mae": own, "constant": null, "shuffled": other, **held}
  return claims.verdict(own < null / 2, because, numbers, artefact=min(held.values()) >= UNSEEN)


@CLAIMS.add(
  "memory.sinusoid",
  "Plan C, with fixed sinusoids, fails.",
  reported=f"mean absolute error {MAE['plan C']:.2f}",
  source=program.claimed("section 6.1"),
)
def sinusoid(results):
  """Returns the verdict on the plan without a table, with as many weights per gap as published."""
  found = program.of(results, "memory", embedding="sinusoidal", accumulation=2)
  own, null = program.error(found, LAST, "network"), program.constant(found, LAST)
  said = ""
  try:
    large = program.of(results, "memory", embedding="sinusoidal")
    said = (
      f" In a run of {large.primes:,} primes, trained otherwise and with fewer weights for each,"
      f" the error is {program.error(large, LAST, 'network'):.2f} against"
      f" {program.constant(large, LAST):.2f}."
    )
  except claims.Missing:
    pass
  null_of_source = PUBLISHED["plan C/mae"].null
  fails = own > 0.8 * null
  kept = "" if fails else " The network remembers, with fewer weights than a table has."
  because = (
    f"the mean absolute error on {_last(found)}, in gap units, is {own:.2f} in a run of"
    f" {found.primes:,} primes, where the better of mean and median has {null:.2f} (source:"
    f" {MAE['plan C']:.2f} against {null_of_source:.1f}).{kept}{said}"
  )
  numbers = {"mae": own, "constant": null}
  return claims.verdict(fails, because, numbers)


@CLAIMS.add(
  "memory.batch",
  "Plan B, with small batches, learns moderately.",
  reported=f"mean absolute error {MAE['plan B']:.2f}, best at epoch 48 of 161",
  source=program.claimed("section 6.1"),
)
def diverged(results):
  """Returns what plan B does without accumulation: nothing that decides the claim."""
  found = program.of(results, "memory", accumulation=1)
  own, plan_a = (
    program.error(run, LAST, "network") for run in (found, program.of(results, "memory"))
  )
  because = (
    f"here plan B ends with a mean absolute error of {own:.2f} gap units on {_last(found)}, plan A"
    f" of {plan_a:.2f}. In the source the norm of B's gradients grew to 3,300 after its best epoch,"
    " and B took 16 times as many steps an epoch as A, so that the batch is not all that differs;"
    " only the published size can show what the batch does."
  )
  numbers = {"b": own, "a": plan_a}
  return claims.Verdict(status="needs more compute", because=because, numbers=numbers)


@CLAIMS.add(
  "memory.detector",
  "Plan A groks: a sudden understanding is detected.",
  reported="11 events in plan A, none in B and C; three just after the rate fell",
  source=program.claimed("sections 3, 7.5"),
)
def grokked(results):
  """Returns the verdict of the source's detector on prime gaps and on the same gaps shuffled."""
  found = program.of(results, "memory")
  fired, shuffled = _fired(found), _fired(program.of(results, "memory", sequence="shuffled"))
  held = program.of(results, "memory", held_out="random")
  unseen, mean = (program.error(held, HELD, kind, "z_mse") for kind in ("network", "mean"))
  own, other = fired["fires"], shuffled["fires"]
  artefact = unseen >= UNSEEN
  because = (
    "the detector fires where two of three conditions hold: a falling loss, agreeing logarithms of"
    " sizes, and a peak in a Fourier transform over gaps in random order; the last two say nothing"
    f" of primes. With prime gaps it fires at {own} of {fired['snapshots']} snapshots (those of"
    f" all {found.sizes['seed']} networks; a falling loss at {fired['drop']}, logarithms at"
    f" {fired['logarithms']}, a peak at {fired['waves']}), with the same gaps shuffled at {other}"
    f" of {shuffled['snapshots']}. Gaps left out keep a squared error of {unseen:.2f} variances of"
    f" the trained gaps, whose mean has {mean:.2f}"
    f"{', so that nothing is generalised' if artefact else ''}."
  )
  numbers = {"primes": own, "shuffled": other, "held_out": unseen}
  return claims.verdict(own > 0, because, numbers, artefact=artefact)


@CLAIMS.add(
  "memory.later",
  "Of gaps and residues, later gaps can be told better than by least squares"
  " (a control added here; the source has no such setting).",
  reported="not reported",
  source=program.claimed("section 6.5"),
)
def later(results):
  """Returns the verdict on the only setting that can generalise: gaps before, later primes."""
  found = program.of(
    results,
    "memory",
    embedding="context",
    context=8,
    held_out="tail",
    order="shuffled",
    accumulation=2,
  )
  own = program.error(found, HELD, "network", "z_mse")
  low, high = program.error_interval(found, HELD, "network", "z_mse")
  line = program.error(found, HELD, "least squares", "z_mse")
  mean = program.error(found, HELD, "mean", "z_mse")
  because = (
    f"given eight gaps and residues, later gaps have a squared error of "
    f"{own:.3f} [{low:.3f}, {high:.3f}] "
    f"variances, the trained mean {mean:.3f}, least squares on the same "
    f"inputs {line:.3f}."
  )
  numbers = {"network": own, "mean": mean, "least_squares": line}
  return claims.verdict(high < min(mean, line), because, numbers)
