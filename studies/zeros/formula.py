"""Is there a short formula for the next spacing, and is its constant pi?

The published formula says that a spacing is pi over the sum of the three before it. It was fitted
to the mean of one network, on one stretch, and its constant was read as pi. The network's
predictions are too large on average where spacings average 1, and the constant is too large by the
same factor. The study later withdrew it: on the true spacings it found another constant.

Three spacings with mean 1 sum to 3 on average, so that c near 3 is what any such sequence gives,
and with k lags c follows k. Here every formula is fitted on a stretch of select and scored on a
stretch of test, and the same is asked of the truth, of simulated CUE spacings and of shuffled ones.
Fronts of symbolic regression are set beside the front of permuted targets.
"""

import dataclasses
import math
import re
from typing import Annotated

import numpy as np
import xarray as xr
from primelens.analyses import formulas, statistics, symbolic
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
  return results.dataset(
    {
      **results.rows("closed", closed, CLOSED),
      **results.rows("front", front, FRONT),
      **results.rows("refitted", refitted, REFITTED),
      **results.rows("heights", _heights(run), HEIGHTS),
    },
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
_COLOUR_OF = {"truth": "black", "CUE": draw.GREEN, "shuffled": draw.ORANGE}


def _colour(target: str) -> str:
  """Returns the colour of a target; all seeds of the network share one."""
  return draw.BLUE if target.startswith("model") else _COLOUR_OF.get(target, draw.GREY)


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
    _fronts(run, found),
    (_against(table), _three(table)),
    heights=[4, 3.4 + 0.1 * table.sizes.get("target", 0)],
  )


def _groups(found: xr.Dataset) -> dict[str, list[dict]]:
  """Returns the rows of each front, by its name, in order of complexity."""
  groups: dict[str, list[dict]] = {}
  for row in tables_lib.rows(found, "front"):
    name = f"{row['target']}, permuted (null)" if row["null"] else row["target"]
    groups.setdefault(name, []).append(row)
  return {name: sorted(rows, key=lambda row: row["complexity"]) for name, rows in groups.items()}


def _fronts(run: str, found: xr.Dataset) -> draw.Panel:
  """Returns the fronts of formulas beside that of permuted targets."""
  groups = _groups(found)
  if not groups:
    return draw.empty("no symbolic regression in this result")
  lines = []
  for name, rows in groups.items():
    null = rows[0]["null"]
    look = {"ls": draw.DASHES[2], "lw": 1.2} if null else {"ls": "-", "lw": 1.8}
    lines.append(
      draw.line(
        [row["complexity"] for row in rows],
        [row["test_mse"] for row in rows],
        name,
        _colour(rows[0]["target"]),
        drawstyle="steps-post",
        marker="x" if null else "o",
        ms=4,
        **look,
      )
    )
  least, most = np.nanquantile(found.front_test_mse, (0, 0.9))
  backends = ", ".join(dict.fromkeys(found.front_backend.values.tolist()))

  def frame(axes):
    axes.set_ylim(0.9 * least, 1.15 * most + 1e-9)  # some formulas fail badly
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel(results.label(found.front_complexity))
    axes.set_ylabel(results.label(found.front_test_mse))
    axes.set_title(f"{run}: Pareto fronts of symbolic regression ({backends})")

  return draw.together(*lines, frame)


def _pi(along: str = "y") -> draw.Panel:
  return draw.level(math.pi, "π", along=along, color=draw.PURPLE, ls="-")


def _diagonal(table: xr.Dataset) -> draw.Panel:
  """Returns the line on which the constant is the number of lags."""
  ends = [1, max(1, int(table.lags.max()))]
  return draw.line(ends, ends, "c = k", draw.GREY, lw=0.9)


def _against(table: xr.Dataset) -> draw.Panel:
  """Returns c by number of lags, beside the lines c = k and c = pi."""
  if "c" not in table:
    return draw.empty("no family c / (sum of k lags)")
  curves = []
  for target in table.target.values.tolist():
    label = None if target.startswith("model seed") else target
    style = {"color": _colour(target), "label": label, "lw": 1.0}
    one = table.sel(target=target)
    title = "The constant follows k\n(blue: the networks' mean, and each seed)"
    curves.append(draw.curves(one, "c", x="lags", zero=False, style=style, title=title))
  return draw.together(_diagonal(table), _pi(), *curves)


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
    _published_constant(),
    _constants(runs),
    heights,
    _front_table(runs, mse),
    dataclasses.replace(refitted, hidden=("exact", "sympy")),
    dataclasses.replace(closed, hidden=("exact", "c")),
    _published_front(),
  ]


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
      rows.append(row | {"truth, all zeros": reference.get(k), "published": published})
  return tables_lib.Table(
    "c of c / (s1 + … + sk), least squares, with its interval. The column 'truth, all zeros' was"
    f" computed apart on all zeros; π is {math.pi:.4f}.",
    rows,
    dict.fromkeys((*SHOWN, "truth, all zeros"), ".3f"),
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
  said = [f"{run} {rows['model']['c']:.3f}" for run, rows in found.items()]
  first = next(iter(found.values()))
  said += [f"{name} {first[name]['c']:.3f}" for name in SHOWN[1:] if name in first]
  return (
    "The constant that was taken for pi, c of c / (s1 + s2 + s3) by least squares, is"
    f" {', '.join(said)}; pi is {math.pi:.3f}."
  )


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
