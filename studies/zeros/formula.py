"""Is there a short formula for the next spacing, and is its constant pi?

The published formula says that a spacing is pi over the sum of the three before it. It was fitted
to the mean of one network, on one stretch, and its constant was read as pi. The network's
predictions are too large on average where spacings average 1, and the constant is too large by the
same factor. The study later withdrew it: on the true spacings it found another constant.

Three spacings with mean 1 sum to 3 on average, so that c near 3 is what any such sequence gives,
and with k lags c follows k. Here every formula is fitted on a stretch of select and scored on a
stretch of test, and the same is asked of the truth, of simulated CUE spacings and of shuffled ones.
Fronts of symbolic regression are set beside the front of permuted targets. The study planned to try
series of sinc and of Bessel functions of the last spacing, and to call a formula found where its R2
is above 0.95: both are done here, held out.
"""

import dataclasses
import math
import re
from typing import Annotated

import numpy as np
import scipy.special
import xarray as xr
from primelens.analyses import formulas, sine_process, statistics, symbolic
from primelens.analyses import linear as linear_lib
from primelens.lens import claims, numbers, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.studies.zeros import program, scoring
from primelens.tasks import checks, surrogates

# --- published ------------------------------------------------------------------------------------

PI_CONSTANT = 3.1055553  # c of three lags on the mean of E4, seed 7
PI_REFITTED = 3.1084  # the same, refitted by the study
TRUTH_REFITTED = 2.83  # refitted by the study on the true spacings
MEAN_PREDICTION = 1.062  # mean of E4's predictions; the truth's is 1
CORRELATION = 0.382  # of the formula with the truth
# Least squares of the truth on all zeros, computed apart: c of c / (s1 + .. + sk), correlation.
ALL_ZEROS = numbers.records(__file__, "all_zeros")


@dataclasses.dataclass(kw_only=True)
class Settings:
  """Closed-form families; the settings `symbolic` are those of the search for formulas."""

  samples: checks.Count = 20000
  cue_matrices: checks.Several = 200
  cue_size: Annotated[int, checks.Range(9, 10_000)] = 200
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


obstacle = program.no_mixtures


# --- targets: what formulas are fitted to ---------------------------------------------------------

LAGS = 8
STRETCHES = 10


@dataclasses.dataclass(frozen=True)
class Target:
  """One target's rows: lags and values of a train and a test stretch."""

  name: str
  train_lag_NxQ: np.ndarray
  train_N: np.ndarray
  test_lag_NxQ: np.ndarray
  test_N: np.ndarray
  block: int


def _of_run(run) -> list[Target]:
  """Returns the model's mean, seed by seed and averaged, and the truth."""
  samples = run.settings.formula.samples
  train = scoring.pairs(run, "select", samples, LAGS)
  test = scoring.pairs(run, "test", samples, LAGS)
  block = scoring.rows_per_block(run, train.index_N)
  target = lambda name, a_N, b_N: Target(name, train.lag_NxQ, a_N, test.lag_NxQ, b_N, block)
  seeds = [
    target(f"model seed {seed}", a_N, b_N)
    for seed, a_N, b_N in zip(run.seed_S, train.mean_SxN, test.mean_SxN, strict=True)
  ]
  average = (train.mean_SxN.mean(0), test.mean_SxN.mean(0))
  return [target("model", *average), *seeds, target("truth", train.truth_N, test.truth_N)]


def _of_rows(name: str, spacing_RxN, block: int) -> Target:
  """Returns a target of many short sequences, half of them for testing."""
  inside = np.arange(LAGS, spacing_RxN.shape[1])
  lags = lambda part: np.concatenate([linear_lib.lag_matrix(row, inside, LAGS) for row in part])
  half = len(spacing_RxN) // 2
  first, second = spacing_RxN[:half], spacing_RxN[half:]
  flat = lambda part: part[:, LAGS:].ravel()
  return Target(name, lags(first), flat(first), lags(second), flat(second), block)


def _surrogates(run) -> list[Target]:
  """Returns CUE spacings, and the run's own spacings in random order."""
  settings, series = run.settings.formula, run.series
  first, last = series.bounds("select")
  rows = (last - first) // settings.cue_size
  if rows < 2:
    raise ValueError(
      f"formula.cue_size={settings.cue_size} must be at most half the "
      f"{last - first} spacings of the select split."
    )
  cue_RxN = surrogates.cue_spacings(
    settings.seed, matrices=settings.cue_matrices, size=settings.cue_size
  )
  rng = np.random.default_rng(settings.seed)
  value_N = series.value_N[first : first + rows * settings.cue_size]
  shuffled = rng.permutation(value_N.astype(np.float64))
  block = run.settings.bootstrap.block
  return [_of_rows("CUE", cue_RxN, block), _of_rows("shuffled", shuffled.reshape(rows, -1), block)]


# --- formulas -------------------------------------------------------------------------------------


def _closed(run, target: Target) -> list[dict]:
  """Returns the closed forms of one target."""
  bootstrap = run.settings.bootstrap
  rows = formulas.closed_forms(
    target.train_lag_NxQ,
    target.train_N,
    target.test_lag_NxQ,
    target.test_N,
    block=target.block,
    draws=bootstrap.samples // 4,
    seed=bootstrap.seed,
  )
  its = {"target": target.name, "mean_target": float(target.train_N.mean())}
  return [its | row | {"c_low": row["low"], "c_high": row["high"]} for row in rows]


def _front(run, target: Target, *, null: bool = False) -> list[dict]:
  """Returns the Pareto front of one target, or of its permutation."""
  settings = run.settings.symbolic
  some = slice(None, None, max(1, len(target.train_N) // settings.samples))
  lags = settings.lags
  search = symbolic.null_front if null else symbolic.search
  rows = search(
    target.train_lag_NxQ[some, :lags],
    target.train_N[some],
    names=tuple(f"s{k + 1}" for k in range(lags)),
    test_feature_NxQ=target.test_lag_NxQ[:, :lags],
    test_target_N=target.test_N,
    seed=settings.seed,
    backend=settings.backend,
    **({"seconds": settings.seconds} if settings.seconds else {}),
  )
  return [{"target": target.name, "null": null} | row for row in rows]


def _refitted(run, target: Target) -> list[dict]:
  """Returns the published formulas, their numbers refitted to one target."""
  lags = run.settings.symbolic.lags
  rows = symbolic.refitted(
    [formula for _, _, formula in formulas.PUBLISHED_FORM],
    target.train_lag_NxQ[:, :lags],
    target.train_N,
    names=tuple(f"s{k + 1}" for k in range(lags)),
    test_feature_NxQ=target.test_lag_NxQ[:, :lags],
    test_target_N=target.test_N,
  )
  return [
    {"target": target.name, "published": formula, "published_mse": mse} | row
    for row, (_, mse, formula) in zip(rows, formulas.PUBLISHED_FORM, strict=True)
  ]


def _heights(run) -> list[dict]:
  """Returns c of three lags on every stretch, with its interval."""
  bootstrap, series = run.settings.bootstrap, run.series
  value_N = series.value_N.astype(np.float64)
  records = []
  for index_N in np.array_split(np.arange(3, len(value_N)), STRETCHES):
    lag_NxQ = linear_lib.lag_matrix(value_N, index_N, 3)
    target_N = value_N[index_N]
    draw_RxQ = formulas.reciprocal_draws(
      lag_NxQ, target_N, block=bootstrap.block, draws=bootstrap.samples // 4, seed=bootstrap.seed
    )
    low_Q, high_Q = statistics.percentiles(draw_RxQ)
    records.append(
      {
        "first": int(index_N[0]),
        "last": int(index_N[-1]),
        "c": float(formulas.reciprocal(lag_NxQ, target_N)[2]),
        "c_low": float(low_Q[2]),
        "c_high": float(high_Q[2]),
        "mean_target": float(target_N.mean()),
      }
    )
  return records


# --- the prediction by the sum of three, series of sinc and Bessel functions ----------------------

SUMS = 20  # bins of the sum of three lags, with as many rows each
TERMS = 5  # a_k of a series
SHIFTS = np.round(np.arange(0, 2.01, 0.05), 2)  # of which the best on the fitted rows is taken
SERIES_OF = {
  "sinc": lambda z: np.sinc(z / np.pi),  # sin(z) / z
  "Bessel J0": scipy.special.j0,
}


def _by_sum(target: Target) -> list[dict]:
  """Returns the mean of a target by the sum of its three lags, held out, and c over that sum."""
  sum_N = target.test_lag_NxQ[:, :3].sum(1)
  c = float(formulas.reciprocal(target.train_lag_NxQ[:, :3], target.train_N)[2])
  order_N = np.argsort(sum_N, kind="stable")
  rows = []
  for part in np.array_split(order_N, min(SUMS, len(order_N))):
    value, reach = target.test_N[part], 0.0
    if len(part) > 1:
      reach = 1.96 * value.std(ddof=1) / math.sqrt(len(part))
    middle, mean = float(sum_N[part].mean()), float(value.mean())
    row = {"target": target.name, "sum": middle, "rows": len(part), "formula": c / middle}
    rows.append(row | {"mean": mean, "mean_low": mean - reach, "mean_high": mean + reach})
  return rows


def _design(family: str, lag_NxQ, shift: float) -> np.ndarray:
  """Returns the columns f(π k (s_j - μ)) of a series, k = 1..TERMS, the lags of each k together."""
  function = SERIES_OF[family]
  columns = [function(np.pi * k * (lag_NxQ - shift)) for k in range(1, TERMS + 1)]
  return np.concatenate(columns, 1)


def _series(target: Target) -> list[dict]:
  """Returns s = 1 + sum of a_k f(π k (s_j - μ)), by least squares of the a_k of one and 3 lags.

  μ is the best of a grid on the fitted rows; all are scored on the others.
  """
  rows = []
  for family in SERIES_OF:
    for lags in (1, 3):
      train_NxQ, test_NxQ = target.train_lag_NxQ[:, :lags], target.test_lag_NxQ[:, :lags]
      fits = []
      for shift in SHIFTS.tolist():
        design_NxE = _design(family, train_NxQ, shift)
        a_E, *_ = np.linalg.lstsq(design_NxE, target.train_N - 1, rcond=None)
        fits.append((linear_lib.scores(target.train_N, 1 + design_NxE @ a_E), shift, a_E))
      fitted, shift, a_E = min(fits, key=lambda fit: fit[0]["mse"])
      held_out = linear_lib.scores(target.test_N, 1 + _design(family, test_NxQ, shift) @ a_E)
      rows.append(
        {"target": target.name, "family": family, "lags": lags, "shift": shift}
        | {"coefficients": " ".join(f"{a:.4g}" for a in a_E)}
        | {f"train_{key}": fitted[key] for key in ("mse", "r2")}
        | {f"test_{key}": held_out[key] for key in ("mse", "r2")}
      )
  return rows


def sine_constants(lags: int) -> np.ndarray:
  """Returns c of c / (s1 + ... + sk) for the sine process, k = 1..lags, to second order.

  Least squares has c = E[s0 / S] / E[1 / S²]. With S = k (1 + e) and moments to second order,
  c = k (1 + v / k² - w / k) / (1 + 3 v / k²), v the variance of S and w its covariance with s0:
  numbers of the sine kernel, whose R2 is 1 - sinc², with no π of their own. Rough for k = 1.
  """
  c_Q = sine_process.spacing_moments(lags).autocovariance_Q
  found = []
  for k in range(1, lags + 1):
    between = np.arange(1, k)
    v = k * c_Q[0] + 2 * np.sum((k - between) * c_Q[between])
    w = c_Q[1 : k + 1].sum()
    found.append(k * (1 + v / k**2 - w / k) / (1 + 3 * v / k**2))
  return np.array(found)


# --- the result -----------------------------------------------------------------------------------

_WRITTEN = {
  "expression": "formula, four digits of each number",
  "exact": "formula, all digits",
  "complexity": "complexity (nodes, weighted)",
  "train_mse": "squared error, fitted [spacings²]",
}
_HELD_OUT = {
  "test_mse": "squared error, held out [spacings²]",
  "test_r2": "R², held out",
}
CLOSED = {
  "target": "what is predicted",
  "family": "closed form",
  "lags": "number of lags",
  "c": "first constant of the form",
  "mean_target": "mean of the target [mean spacings]",
  **_WRITTEN,
  "train_r2": "R², fitted",
  "train_correlation": "correlation, fitted",
  **_HELD_OUT,
  "test_correlation": "correlation, held out",
}
FRONT = {
  "target": "what is predicted",
  "null": "whether the targets are permuted",
  **_WRITTEN,
  **_HELD_OUT,
  "sympy": "formula as sympy reads it",
  "backend": "program that proposed the formula",
  "version": "its version",
  "seed": "its seed",
}
REFITTED = {
  "target": "what is predicted",
  "published": "formula as published",
  "published_mse": "squared error as published, of another network's mean [spacings²]",
  **_WRITTEN,
  **_HELD_OUT,
  "sympy": "formula as sympy reads it",
}
BY_SUM = {
  "target": "what is predicted",
  "sum": "sum of the last three spacings, mean of a bin [mean spacings]",
  "mean": "mean of the next spacing there [mean spacings]",
  "formula": "c over that sum [mean spacings]",
  "rows": "rows of the bin",
}
SERIES = {
  "target": "what is predicted",
  "family": "function of the series",
  "lags": "number of lags",
  "shift": "μ, the best of a grid on the fitted rows [mean spacings]",
  "coefficients": "a_k, the lags of each k together",
  "train_mse": "squared error, fitted [spacings²]",
  "train_r2": "R², fitted",
  **_HELD_OUT,
}
HEIGHTS = {
  "first": "number of the first spacing",
  "last": "number of the last spacing",
  "c": "c of c / (s1 + s2 + s3)",
  "mean_target": "mean spacing of the stretch [mean spacings]",
}


def measure(run) -> xr.Dataset:
  """Returns closed forms, fronts of symbolic regression and refitted published formulas.

  A row of `closed` for each target and closed form, its constant with a block-bootstrap interval
  where it has one. Fronts are held-out error against one count of complexity for all.
  `heights` has c of three lags, of the truth alone, on stretches of equal length from the lowest
  spacing to the highest.
  """
  own, surrogate = _of_run(run), _surrogates(run)
  closed = [row for t in own + surrogate for row in _closed(run, t)]
  by_name = {target.name: target for target in own + surrogate}
  front = [row for name in ("model", "truth", "CUE") for row in _front(run, by_name[name])]
  front += _front(run, by_name["model"], null=True)
  refitted = [row for name in ("model", "truth") for row in _refitted(run, by_name[name])]
  shown = [by_name[name] for name in SHOWN]
  return results.dataset(
    {
      **results.rows("closed", closed, CLOSED),
      **results.rows("front", front, FRONT),
      **results.rows("refitted", refitted, REFITTED),
      **results.rows("heights", _heights(run), HEIGHTS),
      **results.rows("by_sum", [row for t in shown for row in _by_sum(t)], BY_SUM),
      **results.rows("series", [row for t in shown for row in _series(t)], SERIES),
      "sine_c": results.variable(
        "k", sine_constants(LAGS), "c of the sine process, to second order in moments of spacings"
      ),
    },
    {"k": results.variable("k", np.arange(1, LAGS + 1), "number of lags")},
    train_samples=len(own[0].train_N),
    test_samples=len(own[0].test_N),
  )


_SUM = re.compile(r"c / sum of (\d+) lags?")


def constants(found: xr.Dataset) -> xr.Dataset:
  """Returns c of the family c / (sum of k lags), with its interval, by target and k.

  NaN where a target lacks a number of lags; without any dimension where there is no such form.
  """
  named: dict[tuple[str, int], statistics.Interval] = {}
  for row in tables_lib.rows(found, "closed"):
    match = _SUM.fullmatch(row["family"])
    if match:
      named[row["target"], int(match[1])] = row["c"]
  if not named:
    return xr.Dataset()
  targets = list(dict.fromkeys(target for target, _ in named))
  lags = list(dict.fromkeys(k for _, k in named))
  nothing = statistics.Interval(np.nan, np.nan, np.nan)
  c = [[named.get((target, k), nothing)[:3] for k in lags] for target in targets]
  interval = statistics.Interval(*np.moveaxis(np.array(c), -1, 0))
  return results.dataset(
    results.with_interval("c", "target lags", interval, "c of c / (s1 + … + sk)"),
    {
      "target": results.variable("target", targets, "what is predicted"),
      "lags": results.variable("lags", lags, "number of lags k"),
    },
  )


# --- figures, tables, the line of the summary -----------------------------------------------------

SHOWN = ("model", "truth", "CUE", "shuffled")
WORDS = {
  "model": "network's mean",
  "truth": "true spacings",
  "CUE": "random matrices (CUE)",
  "shuffled": "shuffled spacings",
}
CRITERION, HALF = 0.95, 0.5  # R² that the study planned to reach, and more than which of variance
NEAR_PI = 0.05  # how near c had to be to π
_COLOUR_OF = {"truth": "black", "CUE": draw.GREEN, "shuffled": draw.ORANGE}


def _colour(target: str) -> str:
  """Returns the colour of a target; all seeds of the network share one."""
  return draw.BLUE if target.startswith("model") else _COLOUR_OF.get(target, draw.GREY)


def _word(target: str) -> str:
  """Returns a target in words; of a seed the network's."""
  return WORDS.get(target, target.replace("model", "network,"))


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares them."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  each = {run: constants(found) for run, found in runs.items()}
  if len(runs) < 2 or not all("c" in one for one in each.values()):
    return pages
  shown = {run: one.sel(target=[t for t in SHOWN if t in one.target]) for run, one in each.items()}
  both = results.across(shown, "c")
  against = draw.curves(
    both.sel(target="model"),
    "c",
    x="lags",
    colour="run",
    zero=False,
    title="The constant follows k:\nthe networks' means",
  )
  panels = [draw.together(_diagonal(both), _pi(), against)]
  if 3 in both.lags:
    panels.append(_three(both, colour="run"))
  return {"all runs": draw.page(tuple(panels), heights=[4.4])} | pages


def _page(run: str, found: xr.Dataset) -> draw.Page:
  table = constants(found)
  return draw.page(
    (_explained(run, found), _sums(found)),
    _fronts(found),
    (_against(table, found), _three(table)),
    heights=[4.2, 4, 3.4 + 0.1 * table.sizes.get("target", 0)],
  )


def _best(rows: list[dict], target: str) -> dict | None:
  """Returns the row of a target that is best on the rows it was fitted to, None without one."""
  its = [row for row in rows if row["target"] == target and not row.get("null")]
  return min(its, key=lambda row: row["train_mse"]) if its else None


def _forms(found: xr.Dataset) -> dict[str, list[dict]]:
  """Returns the rows of every kind of formula, by its name."""
  closed = tables_lib.rows(found, "closed")
  family = lambda name: [row for row in closed if row["family"] == name]
  series = tables_lib.rows(found, "series")
  forms = {"π's form, c / (s1 + s2 + s3)": family("c / sum of 3 lags")}
  forms |= {f"linear in {k} lags": family(f"affine in {k} lags") for k in (3, LAGS)}
  for name in SERIES_OF:
    for lags in (1, 3):
      key = f"series of {name}, {lags} lag{'s' * (lags > 1)}"
      forms[key] = [r for r in series if (r["family"], r["lags"]) == (name, lags)]
  forms["symbolic regression, 5 lags"] = tables_lib.rows(found, "front")
  return {name: rows for name, rows in forms.items() if rows}


def _explained(run: str, found: xr.Dataset) -> draw.Panel:
  """Returns the held-out R² of every kind of formula, beside the planned criterion."""
  forms = _forms(found)

  def panel(axes):
    low = 0.0
    for i, target in enumerate(SHOWN):
      best = [_best(rows, target) for rows in forms.values()]
      value = np.array([row["test_r2"] if row else np.nan for row in best])
      place = np.arange(len(value)) + 0.14 * (i - 1.5)
      axes.plot(value, place, "o", ms=5, color=_colour(target), label=WORDS[target])
      low = min([low, *value[value > -0.5]])  # what fails by more is in the table
    axes.axvline(CRITERION, color="black", lw=1, ls="--", label=f"criterion, {CRITERION:g}")
    axes.axvline(HALF, color="black", lw=1, ls=":", label=f"half, {HALF:g}")
    axes.axvline(0, color="black", lw=0.8)
    axes.set_yticks(range(len(forms)), list(forms), fontsize=8)
    axes.set(
      ylim=(len(forms) - 0.4, -0.6),
      xlim=(low - 0.03, 1.02),
      xlabel="R², fitted on one stretch, scored on another",
      title=f"{run}: how much does\na formula explain?",
    )

  return panel


def _sums(found: xr.Dataset) -> draw.Panel:
  """Returns the mean of the next spacing by the sum of the last three, beside c over it."""
  rows = tables_lib.rows(found, "by_sum")

  def panel(axes):
    for target in SHOWN:
      its = [row for row in rows if row["target"] == target]
      x = [row["sum"] for row in its]
      mean = [row["mean"].estimate for row in its]
      reach = [row["mean"].high - row["mean"].estimate for row in its]
      look = {"fmt": "o", "ms": 3, "lw": 1, "color": _colour(target), "label": WORDS[target]}
      axes.errorbar(x, mean, reach, **look)
      if target in ("model", "truth"):
        axes.plot(x, [row["formula"] for row in its], "--", lw=1, color=_colour(target))
    axes.axvline(math.pi, color=draw.PURPLE, lw=0.9, ls=":", label="π")
    axes.set(
      xlabel="sum of the last three spacings (mean spacings)",
      ylabel="mean of the next spacing",
      title="The next spacing by the sum of three\n(dashed: c / sum; bars: 95 %)",
    )

  return panel


def _groups(found: xr.Dataset) -> dict[str, list[dict]]:
  """Returns the rows of each front, by its name, in order of complexity."""
  groups: dict[str, list[dict]] = {}
  for row in tables_lib.rows(found, "front"):
    name = f"{row['target']}, permuted (null)" if row["null"] else row["target"]
    groups.setdefault(name, []).append(row)
  return {name: sorted(rows, key=lambda row: row["complexity"]) for name, rows in groups.items()}


def _fronts(found: xr.Dataset) -> draw.Panel:
  """Returns the fronts of formulas beside that of permuted targets."""
  groups = _groups(found)
  if not groups:
    return draw.empty("no symbolic regression in this result")
  lines = []
  for rows in groups.values():
    null = rows[0]["null"]
    look = {"ls": draw.DASHES[2], "lw": 1.2} if null else {"ls": "-", "lw": 1.8}
    lines.append(
      draw.line(
        [row["complexity"] for row in rows],
        [row["test_mse"] for row in rows],
        f"{WORDS[rows[0]['target']]}, permuted" if null else WORDS[rows[0]["target"]],
        _colour(rows[0]["target"]),
        drawstyle="steps-post",
        marker="x" if null else "o",
        ms=4,
        **look,
      )
    )
  least, most = np.nanquantile(found.front_test_mse, (0, 0.9))
  backends = tables_lib.distinct(found.front_backend.values.tolist())

  def frame(axes):
    axes.set_ylim(0.9 * least, 1.15 * most + 1e-9)  # some formulas fail badly
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel(results.label(found.front_complexity))
    axes.set_ylabel(results.label(found.front_test_mse))
    axes.set_title(
      f"Symbolic regression ({backends}): the least error of formulas of each length\n"
      "(crosses: of permuted targets, where there is nothing to find)"
    )

  return draw.together(*lines, frame)


def _pi(along: str = "y") -> draw.Panel:
  return draw.level(math.pi, "π", along=along, color=draw.PURPLE, ls="-")


def _diagonal(table: xr.Dataset) -> draw.Panel:
  """Returns the line on which the constant is the number of lags."""
  ends = [1, max(1, int(table.lags.max()))]
  return draw.line(ends, ends, "c = k", draw.GREY, lw=0.9)


def _against(table: xr.Dataset, found: xr.Dataset) -> draw.Panel:
  """Returns c by number of lags, beside the lines c = k and c = pi."""
  if "c" not in table:
    return draw.empty("no family c / (sum of k lags)")
  curves = []
  for target in table.target.values.tolist():
    label = None if target.startswith("model seed") else WORDS[target]
    style = {"color": _colour(target), "label": label, "lw": 1.0}
    one = table.sel(target=target)
    title = "The constant follows k\n(blue: the networks' mean, and each seed)"
    curves.append(draw.curves(one, "c", x="lags", zero=False, style=style, title=title))
  look = {"ls": "none", "marker": "x", "ms": 6}
  sine = draw.line(found.k[1:], found.sine_c[1:], "sine kernel, 2nd order", draw.AMBER, **look)
  return draw.together(_diagonal(table), _pi(), *curves, sine)


def _three(table: xr.Dataset, **look) -> draw.Panel:
  """Returns c of three lags for every target, beside pi and 3."""
  if "c" not in table or 3 not in table.lags:
    return draw.empty("no family c / (sum of 3 lags)")
  three = table.sel(lags=3, drop=True)
  ends = np.array([*three.c_interval.values.ravel(), 3, math.pi])
  low, high = np.nanmin(ends), np.nanmax(ends)
  reach = 0.08 * (high - low)
  return draw.together(
    _pi("x"),
    draw.level(3, "3", along="x", color=draw.PURPLE, ls=":"),
    draw.rows(
      three,
      "c",
      x="target",
      form=".3f",
      labels=[_word(target) for target in three.target.values.tolist()],
      xlim=(low - reach, high + reach),
      xlabel="c of c / (s1 + s2 + s3) (bars: 95 %)",
      title="Three lags: is the constant π?",
      **look,
    ),
  )


def tables(runs) -> list[tables_lib.Table]:
  """Returns the constants, fronts and closed forms of all runs, and what was published."""
  mse = dict.fromkeys(("published_mse", "test_r2", "train_r2"), ".3f")
  mse |= dict.fromkeys(("train_mse", "test_mse"), ".4f")
  mse |= dict.fromkeys(("train_correlation", "test_correlation", "mean_target"), ".3f")
  heights = tables_lib.of_runs(
    runs,
    "heights",
    "The constant of three lags on the true spacings by height, with its interval; no network takes"
    " part.",
    {"c": ".3f", "mean_target": ".3f"},
  )
  refitted = tables_lib.of_runs(
    runs,
    "refitted",
    "The published formulas with their numbers refitted to each target; squared errors in squared"
    " spacings. The published errors are those of another network's mean.",
    mse,
  )
  closed = tables_lib.of_runs(
    runs,
    "closed",
    "All closed forms: fitted on select, held out on test; CUE and shuffled spacings are halved.",
    mse,
  )
  return [
    _criteria(runs),
    _published_constant(),
    _constants(runs),
    _conservation(runs),
    _series_table(runs),
    _sinc(runs),
    heights,
    _front_table(runs, mse),
    dataclasses.replace(refitted, hidden=("exact", "sympy")),
    dataclasses.replace(closed, hidden=("exact", "c")),
    _published_front(),
  ]


def _criteria(runs) -> tables_lib.Table:
  """Returns the criteria of success that the study planned, and whether they are met."""
  rows = []
  for run, found in runs.items():
    every = [row for group in _forms(found).values() for row in group]
    for target, limit, said in (
      ("model", CRITERION, f"a formula explains the network's mean, R² > {CRITERION:g}"),
      ("model", HALF, f"a formula explains more than {100 * HALF:.0f} % of the network's mean"),
      ("truth", HALF, f"a formula explains more than {100 * HALF:.0f} % of the true spacings"),
    ):
      best = _best(every, target)
      if best:
        what = best.get("expression") or f"series of {best['family']}, {best['lags']} lags"
        row = {"criterion": said, "here": best["test_r2"], "by": what}
        rows.append({"run": run} | row | {"met": bool(best["test_r2"] > limit)})
    three = _family(found, "c / sum of 3 lags")
    for target in ("model", "truth") if three else ():
      off = abs(three[target]["c"].estimate / math.pi - 1)
      said = f"c of three lags is within {100 * NEAR_PI:.0f} % of π, {WORDS[target]}"
      row = {"criterion": said, "here": three[target]["c"].estimate, "by": "least squares"}
      rows.append({"run": run} | row | {"met": bool(off < NEAR_PI)})
  return tables_lib.Table(
    "The criteria of success that the study planned. R² is held out, of the formula with the least"
    " error on the rows it was fitted to.",
    rows,
    {"here": ".3f"},
    "criteria",
  )


def _conservation(runs) -> tables_lib.Table:
  """Returns the next spacing by the sum of three lags, beside what c over the sum says."""
  rows = []
  for run, found in runs.items():
    its = tables_lib.rows(found, "by_sum")
    of = {name: [row for row in its if row["target"] == name] for name in ("model", "truth")}
    for guess, true in zip(of["model"], of["truth"], strict=True):
      rows.append(
        {"run": run, "sum of three": true["sum"], "π / sum": math.pi / true["sum"]}
        | {"true next spacing": true["mean"], "its c / sum": true["formula"]}
        | {"network's mean": guess["mean"], "c / sum of the network": guess["formula"]}
      )
  return tables_lib.Table(
    "Is s (s1 + s2 + s3) conserved? The next spacing by the sum of the three before it, in bins of"
    " equal numbers of rows of test, with 95 % intervals that take the rows as independent; beside"
    " c / sum, its c fitted on select.",
    rows,
    dict.fromkeys(("sum of three", "π / sum", "true next spacing", "its c / sum"), ".3f")
    | dict.fromkeys(("network's mean", "c / sum of the network"), ".3f"),
    "conservation",
  )


def _series_table(runs) -> tables_lib.Table:
  return tables_lib.of_runs(
    runs,
    "series",
    f"s = 1 + sum over k = 1..{TERMS} of a_k f(π k (s_j - μ)), the a_k of every lag j by least"
    " squares, μ the best of a grid: fitted on select, held out on test; CUE and shuffled spacings"
    " are halved. sinc is sin(z) / z.",
    {"μ": ".2f"} | dict.fromkeys(("R², fitted", "R², held out"), ".3f"),
    {
      "of": "target",
      "f": "family",
      "lags": "lags",
      "μ": "shift",
      "R², fitted": "train_r2",
      "R², held out": "test_r2",
      "a_k": "coefficients",
    },
  )


def _sinc(runs) -> tables_lib.Table:
  """Returns how often symbolic regression takes sinc, and what it gains."""
  rows = []
  for run, found in runs.items():
    for name, group in _groups(found).items():
      least = {True: math.nan, False: math.nan}
      for has in least:
        errors = [row["test_mse"] for row in group if _has_sinc(row) == has]
        least[has] = min(errors, default=math.nan)
      count = sum(map(_has_sinc, group))
      rows.append(
        {"run": run, "front of": name, "formulas": len(group), "with sinc": count}
        | {"least error with sinc": least[True], "without": least[False]}
      )
  return tables_lib.Table(
    "Does sinc appear? It is offered to the search as one of its functions. Formulas of each front,"
    " how many of them use it, and the least held-out error of either kind, in squared spacings.",
    rows,
    dict.fromkeys(("least error with sinc", "without"), ".4f"),
    "sinc",
  )


def _published_constant() -> tables_lib.Table:
  values = {
    "c of c / (s1 + s2 + s3) on the mean of E4, seed 7": PI_CONSTANT,
    "the same, refitted by the study": PI_REFITTED,
    "refitted by the study on the true spacings": TRUTH_REFITTED,
    "mean of E4's predictions, where spacings average 1": MEAN_PREDICTION,
    "correlation of the formula with the truth": CORRELATION,
  }
  rows = [{"as published": name, "value": str(value)} for name, value in values.items()]
  return tables_lib.Table(
    "The published formula, which the study withdrew later.", rows, {}, "published_constant"
  )


def _constants(runs) -> tables_lib.Table:
  """Returns c by number of lags and target, beside what was computed apart."""
  reference = {row["lags"]: row["c"] for row in ALL_ZEROS}
  rows = []
  for run, found in runs.items():
    table = constants(found)
    for k in sorted(table.lags.values.tolist()) if "c" in table else []:
      row = {"run": run, "lags k": k}
      for target in SHOWN:
        if target in table.target:
          row[target] = tables_lib.interval(table, "c", target=target, lags=k)
      published = str(PI_CONSTANT) if k == 3 else ""
      sine = float(found.sine_c.sel(k=k)) if k > 1 else None
      row |= {"sine kernel, 2nd order": sine}
      rows.append(row | {"truth, all zeros": reference.get(k), "published": published})
  return tables_lib.Table(
    "c of c / (s1 + … + sk), least squares, with its interval. The column 'truth, all zeros' was"
    f" computed apart on all zeros; π is {math.pi:.4f}. The sine kernel's c follows, to second"
    " order, from the exact variance and correlations of its spacings: it is what the kernel of the"
    " pair correlation 1 - sinc² predicts.",
    rows,
    dict.fromkeys((*SHOWN, "truth, all zeros", "sine kernel, 2nd order"), ".3f"),
    "constants",
  )


def _front_table(runs, formats) -> tables_lib.Table:
  columns = ("complexity", "expression", "train_mse", "test_mse", "backend")
  rows = [
    {"run": run, "front of": name} | {column: row[column] for column in columns}
    for run, found in runs.items()
    for name, group in _groups(found).items()
    for row in group
  ]
  return tables_lib.Table(
    "Fronts of symbolic regression, the permuted one as null; squared errors in squared spacings.",
    rows,
    formats,
    "front",
  )


def _published_front() -> tables_lib.Table:
  rows = [
    {"complexity": count, "formula": form, "loss": loss}
    for count, loss, form in formulas.PUBLISHED_FORM
  ]
  return tables_lib.Table(
    "Published front, complexity by another count: target the mean of E4, seed 7; loss in squared"
    " spacings on the data it was fitted to.",
    rows,
    {"loss": ".3f"},
    "published_front",
  )


def line(runs) -> str:
  """Returns a sentence of c of three lags: every model's, and the controls of the first run."""
  found = {run: _family(each, "c / sum of 3 lags") for run, each in runs.items()}
  said = [f"{rows['model']['c']:.3f} in {run}" for run, rows in found.items()]
  first = next(iter(found.values()))
  said += [f"{first[name]['c']:.3f} in {WORDS[name]}" for name in SHOWN[1:] if name in first]
  fronts = [_groups(each) for each in runs.values()]
  rows = [row for groups in fronts for group in groups.values() for row in group]
  sinc = {null: [r for r in rows if r["null"] == null and _has_sinc(r)] for null in (False, True)}
  count = {null: sum(bool(row["null"]) == null for row in rows) for null in (False, True)}
  return (
    "The constant that was taken for pi, c of c / (s1 + s2 + s3), is"
    f" {', '.join(said)}; pi is {math.pi:.3f}. Symbolic regression was offered sinc, which is in"
    f" {len(sinc[False])} of its {count[False]} formulas, and in {len(sinc[True])} of"
    f" {count[True]} of permuted targets."
  )


def _has_sinc(row: dict) -> bool:
  return "sinc" in row["expression"]


def _family(found: xr.Dataset, family: str) -> dict[str, dict]:
  """Returns the rows of one closed form by target."""
  rows = tables_lib.rows(found, "closed")
  return {row["target"]: row for row in rows if row["family"] == family}


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()


def _closed_form(results, family: str) -> dict[str, dict]:
  """Returns the rows of one closed form, of the first run that has them: any decides."""
  return _family(program.on_published(results, told=True).first("formula"), family)


@CLAIMS.add(
  "formula.pi",
  "Spacings obey s_n (s_{n-1} + s_{n-2} + s_{n-3}) = pi.",
  reported=f"c = {PI_CONSTANT:.4f} on the mean of one model",
  source=f"{program.REPOSITORY}, operator-extraction results (later withdrawn there)",
)
def pi(results):
  """Returns the verdict: c of c/(s1 + s2 + s3) for the truth, CUE and shuffled data."""
  rows = _closed_form(results, "c / sum of 3 lags")
  values = {f"c, {target}": row["c"].estimate for target, row in rows.items()}
  text = "; ".join(
    f"{target} {row['c']:.3f} with mean {row['mean_target']:.3f}" for target, row in rows.items()
  )
  by_height = program.on_published(results, told=True).first("formula").heights_c.values.tolist()
  holds = rows["truth"]["c"].low <= math.pi <= rows["truth"]["c"].high
  because = (
    f"Least-squares c: {text}. Three spacings sum to 3 on average, "
    "and the more that sum varies the further c falls below 3: least for the "
    "truth and CUE, most for shuffled spacings. A model whose mean is too "
    "large by a factor gives a c too large by that factor. On "
    f"{len(by_height)} stretches by height the truth's c is "
    f"{min(by_height):.3f} to {max(by_height):.3f}."
  )
  return claims.verdict(holds, because, values)


@CLAIMS.add(
  "formula.four",
  "The sum of four spacings tends to pi.",
  reported="four spacings -> pi",
  source=f"{program.REPOSITORY}, operator-extraction results",
)
def four(results):
  """Returns the verdict: c of four lags is near 4 - 0.05, not pi."""
  c = _closed_form(results, "c / sum of 4 lags")["truth"]["c"]
  because = f"For four lags the truth gives c = {c:.3f}: it follows the number of lags."
  return claims.verdict(c.low <= math.pi <= c.high, because, {"c, truth, 4 lags": c.estimate})


@CLAIMS.add(
  "formula.operator",
  f"c / (s1 + s2 + s3) is the operator; it explains {100 * CORRELATION:.0f} % of the variance.",
  reported=f"correlation with the truth {CORRELATION}",
  source=f"{program.REPOSITORY}, symbolic distillation",
)
def better_than_linear(results):
  """Returns the verdict: the product form against AR(3), both fitted on select, scored on test."""
  product = _closed_form(results, "c / sum of 3 lags")["truth"]
  linear = program.on_published(results, told=True).first("linear")
  scores = {row["predictor"]: row for row in tables_lib.rows(linear, "scores")}
  three = scores["OLS of the truth, 3 lags"]
  because = (
    f"On the truth, held out: c/(s1+s2+s3) explains R2 "
    f"{product['test_r2']:.3f} (correlation "
    f"{product['test_correlation']:.3f}), three linear coefficients "
    f"{three['r2']:.3f}. {CORRELATION} was a correlation, so {CORRELATION**2:.2f} of the variance."
  )
  values = {"R2, c/(s1+s2+s3)": product["test_r2"], "R2, AR(3)": three["r2"]}
  return claims.verdict(product["test_r2"] > three["r2"], because, values)
