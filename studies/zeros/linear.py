"""What is the network's linear operator, beside the truth's own?

The published 'extracted operator' is a least-squares fit to the true residuals s - 1: the network
played no part in it. The sum of its coefficients was read as rigidity; that sum depends on the
order of the fit.

Here the same regression is made of the truth and of the network's mean, on the same spacings of
test and by order. The network's Jacobian is a second route: the mean derivative of its mean by each
lag. The Jacobian holds all other inputs, the regressions leave out the older ones, so the two
differ where those matter. Linear predictors fitted on select and scored on test say how much of the
truth, and of the network, is linear.
"""

import dataclasses
from typing import Annotated

import numpy as np
import xarray as xr
from primelens.analyses import linear as linear_lib
from primelens.analyses import statistics
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.studies.zeros import program, scoring
from primelens.tasks import checks

# --- published ------------------------------------------------------------------------------------

# Least squares of the true residuals, presented as the network's operator.
OPERATOR = (-0.4467, -0.2819, -0.1586)
OPERATOR_SUM = -0.8872


@dataclasses.dataclass(kw_only=True)
class Settings:
  """`long_order` lags are regressed on, over about `samples` spacings."""

  long_order: Annotated[int, checks.Range(3, 10_000)] = 20
  jacobian_windows: checks.Count = 256
  samples: checks.Count = 20000

  def __post_init__(self):
    checks.fields(self)


obstacle = program.no_mixtures


# --- regressions and derivatives ------------------------------------------------------------------


def jacobian(run, split: str, windows: int, lags: int) -> np.ndarray:
  """Returns the mean of d mean / d s over windows, last lags first: SxQ."""
  window_NxT1, _ = run.batches(split, windows)
  return scoring.jacobians(run, window_NxT1).mean(1)[:, ::-1][:, :lags]


ORDERS = (1, 2, 3, 5, 10, 20)  # numbers of lags, up to `long_order`


def _by_order(x_NxQ, y_N, mean_SxN, orders) -> dict:
  """Returns coefficients, their sum and R2 by number of lags.

  Of the network the means over seeds.
  """
  coefficient = np.full((2, len(orders), x_NxQ.shape[1]), np.nan)
  total, r2 = np.empty((2, len(orders))), np.empty((2, len(orders)))
  for i, p in enumerate(orders):
    fit = lambda target, p=p: linear_lib.ols(x_NxQ[:, :p], target, intercept=False)
    truth = fit(y_N)
    models = [fit(mean_N - 1) for mean_N in mean_SxN]
    total[:, i] = (
      float(truth.coefficient_Q.sum()),
      float(np.mean([m.coefficient_Q.sum() for m in models])),
    )
    r2[:, i] = truth.r2, float(np.mean([m.r2 for m in models]))
    for k in range(p):
      coefficient[0, i, k] = float(truth.coefficient_Q[k])
      coefficient[1, i, k] = float(np.mean([m.coefficient_Q[k] for m in models]))
  by_lag = "coefficient of s - 1, of the network the mean over seeds"
  return {
    "coefficient": results.variable("regressed order lag", coefficient, by_lag),
    "coefficient_sum": results.variable("regressed order", total, "sum of the coefficients"),
    "r2": results.variable("regressed order", r2, "R² of the regression, in sample"),
  }


def _scores(run, pairs: scoring.Pairs, order: int) -> list[dict]:
  """Returns R2 and correlation with the truth of held-out predictors.

  Linear predictors are fitted on select and scored on test: OLS of the truth,
  the linear part of the model's mean, and the model's mean itself.
  """
  samples = run.settings.linear.samples
  train = scoring.pairs(run, "select", samples, order)
  rows = []
  for p in (3, order):
    x = train.lag_NxQ[:, :p] - 1
    fits = {"OLS of the truth": linear_lib.ols(x, train.truth_N - 1)}
    mean_N = train.mean_SxN.mean(0) - 1
    fits["linear part of the model"] = linear_lib.ols(x, mean_N)
    for name, fit in fits.items():
      guess_N = 1 + fit.predict(pairs.lag_NxQ[:, :p] - 1)
      scores = linear_lib.scores(pairs.truth_N, guess_N)
      rows.append({"predictor": f"{name}, {p} lags"} | scores)
  scores = linear_lib.scores(pairs.truth_N, pairs.mean_SxN.mean(0))
  rows.append({"predictor": "model mean (average of seeds)"} | scores)
  return rows


# --- the result -----------------------------------------------------------------------------------

SCORES = {
  "predictor": "predictor of the truth",
  "mse": "squared error [mean spacings²]",
  "r2": "R² on test",
  "correlation": "correlation with the truth",
}


def measure(run) -> xr.Dataset:
  """Returns the coefficients of r_n on its last lags, residuals r = s - 1, all on test.

  The truth's with their block-bootstrap interval; the network's by seed, and their mean with its
  interval over seeds and blocks (of one seed, blocks alone).
  """
  settings, bootstrap = run.settings.linear, run.settings.bootstrap
  order = settings.long_order
  if order > run.series.window:
    raise ValueError(
      f"linear.long_order={order} is more than the {run.series.window} spacings of a window, and"
      f" has no derivative there: choose 3 to {run.series.window}."
    )
  pairs = scoring.pairs(run, "test", settings.samples, order)
  x_NxQ, y_N = pairs.lag_NxQ - 1, pairs.truth_N - 1
  block = scoring.rows_per_block(run, pairs.index_N)
  draws, seed = bootstrap.samples // 4, bootstrap.seed
  draw_RxQ = linear_lib.bootstrap(x_NxQ, y_N, block=block, draws=draws, seed=seed, intercept=False)
  low_Q, high_Q = statistics.percentiles(draw_RxQ)
  term_SxNxQ = np.stack([linear_lib.terms(x_NxQ, m - 1) for m in pairs.mean_SxN])
  model = statistics.seed_block_interval(np.moveaxis(term_SxNxQ, 1, -1), block=block)
  truth_Q = linear_lib.ols(x_NxQ, y_N, intercept=False).coefficient_Q
  model_SxQ = term_SxNxQ.mean(1)
  orders = [p for p in ORDERS if p <= order]
  lags = "coefficient of s - 1"
  variables = {
    **results.with_interval(
      "truth", "lag", statistics.Interval(truth_Q, low_Q, high_Q), f"{lags}, least squares"
    ),
    "model": results.variable("seed lag", model_SxQ, f"{lags}, least squares"),
    **results.with_interval(
      "mean_model",
      "lag",
      statistics.Interval(model_SxQ.mean(0), model.low, model.high),
      f"{lags}, least squares",
    ),
    "jacobian": results.variable(
      "seed lag",
      jacobian(run, "test", settings.jacobian_windows, order),
      "mean derivative of the predicted mean by a lag",
    ),
    **_by_order(x_NxQ, y_N, pairs.mean_SxN, orders),
    **results.rows("scores", _scores(run, pairs, order), SCORES),
  }
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "lag": results.variable("lag", 1 + np.arange(order), "lag (spacings back)"),
    "order": results.variable("order", orders, "order p (number of lags)"),
    "regressed": results.variable("regressed", ["truth", "model"], "what is regressed on its lags"),
  }
  return results.dataset(variables, coords, samples=len(y_N))


# --- figures and tables ---------------------------------------------------------------------------

NAMES = {"truth": "truth", "model": "network's mean"}
STYLES = {
  "truth": {"color": "black", "label": NAMES["truth"]},
  "model": {"color": draw.BLUE, "label": NAMES["model"]},
}
RIGID = "-1, read as rigidity"


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares them."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  both = results.across(runs, "mean_model", "coefficient_sum")
  shared = draw.page(
    (
      draw.curves(
        both,
        "mean_model",
        x="lag",
        colour="run",
        symlog=1,
        title="Least squares of the networks' means\n(bands: 95 %)",
      ),
      draw.together(
        draw.level(-1, RIGID, ls=":"),
        draw.curves(
          both,
          "coefficient_sum",
          x="order",
          colour="run",
          dash="regressed",
          names=NAMES,
          zero=False,
          symlog=1,
          title="The sum depends on the order",
        ),
      ),
    ),
    heights=[4.2],
  )
  return {"all runs": shared} | pages


def _page(run: str, found: xr.Dataset) -> draw.Page:
  sums = _by_key(found, "coefficient_sum", symlog=1, title="The sum depends on the order")
  fits = _by_key(found, "r2", title="How much the last p lags explain")
  derivative = draw.curves(
    found,
    "jacobian",
    x="lag",
    thin="seed",
    style={"color": draw.BLUE, "label": "network (thin: seeds, thick: median)"},
    title="Mean derivative of the network's mean,\nother inputs held",
  )
  return draw.page(
    (_lags(run, found), derivative),
    (draw.together(draw.level(-1, RIGID, ls=":"), sums), fits),
    heights=[4, 3.8],
  )


def _by_key(found: xr.Dataset, name: str, **look) -> draw.Panel:
  """Returns a variable of the truth and of the network by order."""
  return draw.together(
    *(
      draw.curves(found.sel(regressed=key), name, x="order", style=style, zero=False, **look)
      for key, style in STYLES.items()
    )
  )


def _lags(run: str, found: xr.Dataset) -> draw.Panel:
  """Returns the regressions of the truth and of the network's mean."""
  thin = {"lw": 0.6, "alpha": 0.55, "marker": "", "color": draw.BLUE, "label": None}
  each = [found.sel(seed=seed) for seed in found.seed.values if found.sizes["seed"] > 1]
  title = (
    f"{run}: least squares on {found.sizes['lag']} lags,\n"
    f"{found.samples:,} spacings (thin: seeds, bands: 95 %)"
  )
  styles = {"mean_model": STYLES["model"], "truth": STYLES["truth"]}
  return draw.together(
    *(draw.curves(one, "model", x="lag", style=thin) for one in each),
    *(
      draw.curves(found, name, x="lag", style=style, title=title) for name, style in styles.items()
    ),
  )


def tables(runs) -> list[tables_lib.Table]:
  """Returns three lags beside the published ones, sums, scores and all lags, of all runs."""
  samples = tables_lib.distinct(f"{found.samples:,}" for found in runs.values())
  three = [_three("published", "truth", OPERATOR)]
  for run, found in runs.items():
    three += [
      _three(run, key, found.coefficient.sel(regressed=key, order=3).values[:3].tolist())
      for key in found.regressed.values.tolist()
    ]
  columns = {f"{word}, {key}": (name, key) for word, name in _SUMS for key in ("truth", "model")}
  sums = [
    {"run": run, "order": int(order)}
    | {
      column: found[name].sel(regressed=key, order=order).item()
      for column, (name, key) in columns.items()
    }
    for run, found in runs.items()
    for order in found.order.values
  ]
  lags = tables_lib.by_run(runs, _by_lag)
  return [
    tables_lib.Table(
      "Coefficients of s - 1 on its last three lags, least squares without a constant,"
      f" {samples} spacings of test.",
      three,
      dict.fromkeys(("lag 1", "lag 2", "lag 3", "sum"), "+.4f"),
      "three_lags",
    ),
    tables_lib.Table(
      "The sum of the coefficients depends on the order. R² in sample.",
      sums,
      dict.fromkeys(columns, ".3f"),
      "sums",
    ),
    tables_lib.of_runs(
      runs,
      "scores",
      "Linear predictors fitted on select, all scored on test.",
      {"mse": ".4f", "r2": ".3f", "correlation": ".3f"},
    ),
    tables_lib.Table(
      "Coefficients by lag: of the model the mean over seeds with its interval, of the Jacobian the"
      " median.",
      lags,
      dict.fromkeys(("truth", "model", "Jacobian"), "+.4f"),
      "lags",
    ),
  ]


_SUMS = (("sum", "coefficient_sum"), ("R²", "r2"))


def _three(run: str, key: str, lags) -> dict:
  named = {f"lag {k}": value for k, value in enumerate(lags, 1)}
  return {"run": run, "regression of": key} | named | {"sum": sum(lags)}


def _by_lag(found: xr.Dataset) -> list[dict]:
  columns = {"lag": "lag", "truth": "truth", "model": "mean_model", "Jacobian": "median"}
  return tables_lib.records(found.assign(median=found.jacobian.median("seed")), columns, "lag")


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()


@CLAIMS.add(
  "linear.operator",
  f"The model's linear operator is ({', '.join(f'{lag:.2f}' for lag in OPERATOR)}), with sum near"
  " -1: rigidity.",
  reported=f"{', '.join(map(str, OPERATOR))}, sum {OPERATOR_SUM:.3f}",
  source=f"{program.REPOSITORY}, linear operator AR(3)",
)
def operator(results):
  """Returns the verdict: AR(3) of the truth alone has the published coefficients."""
  found = program.on_published(results, told=True).first("linear")
  truth, model = found.sel(regressed="truth"), found.sel(regressed="model")
  longest = int(found.order.max())
  truth_Q = truth.coefficient.sel(order=3).values[:3].tolist()
  gaps = [abs(a - b) for a, b in zip(truth_Q, OPERATOR, strict=True)]
  close = max(gaps) < 0.05
  three, long = (float(truth.coefficient_sum.sel(order=order)) for order in (3, longest))
  values = {f"truth, lag {k}": truth_Q[k - 1] for k in (1, 2, 3)} | {
    "sum, 3 lags": three,
    f"sum, {longest} lags": long,
    "model, sum of 3 lags": float(model.coefficient_sum.sel(order=3)),
  }
  because = (
    "Least squares of the true residuals alone, no network, gives "
    + ", ".join(f"{value:.3f}" for value in truth_Q)
    + f"; their sum is {three:.3f} with 3 lags and {long:.3f} with {longest}: it depends on the "
    "order and is no constant."
  )
  return claims.verdict(close, because, values, artefact=True)
