"""Has the network learned the sine kernel's predictor?

The published study planned to ask this, and did not. It also called a perplexity below the entropy
of the marginal distribution one below the theoretical minimum.

The exact conditional law of the next spacing under the sine process knows all that random matrices
know of it, from the last k spacings. What any predictor of zeros reaches beyond it is the waves of
the primes, which a filter fitted on zeros can use. Here both are scored like the network, on the
same spacings of test: the R² of the true spacings, the NLL, and how much of the network's mean an
affine image of a predictor explains. Fresh networks are the null of the last; they hold their
fitted filter where a model starts at one. Also shown is what a predictor adds to AR(64), a filter
of 64 lags fitted on zeros, and the R² that it reaches on CUE (exact for the linear ones).
"""

import dataclasses
from typing import Annotated, Any

import numpy as np
import xarray as xr
from primelens.analyses import anchors, autoregression, sine_process, statistics
from primelens.analyses import linear as linear_lib
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.studies.zeros import program, scoring
from primelens.tasks import checks, surrogates, windows

# --- published, and settings ----------------------------------------------------------------------

PERPLEXITY, FLOOR = 83.3, 105.2  # of a network, and the "theoretical minimum"

FILTER = 64  # taps: the filter the network's mean is set beside
REPEL = ("cue", "gue")  # surrogates with a sine process to compare with


@dataclasses.dataclass(kw_only=True)
class Settings:
  """`lags` are those of the exact predictor, `orders` those of linear ones.

  Scored are about `samples` spacings; what is reached on CUE is measured on `cue_matrices` of
  `cue_size` levels.
  """

  samples: checks.Count = 6_000
  lags: Annotated[tuple[Annotated[int, checks.Range(1, 64)], ...], checks.Items(1, 64)] = (1, 3, 5)
  orders: Annotated[tuple[checks.Order, ...], checks.Items(1, 64)] = (3, 20)
  cue_matrices: checks.Number = 30
  cue_size: checks.Order = 200
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
    checks.at_least(self, max(self.lags) + 1, "cue_size")


def obstacle(experiment) -> str:
  """Returns why a run has no mixtures, or no sine kernel beside it, or ""."""
  task = experiment.task
  if program.no_mixtures(experiment):
    return program.no_mixtures(experiment)
  if task.kind == "zeros" or task.ensemble in REPEL:
    return ""
  return f"{task.ensemble} spacings do not repel as the sine process does"


# --- the network, and predictors beside it --------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Guess:
  """One predictor at the scored spacings: its mean, its NLL, its note."""

  name: str
  mean_N: np.ndarray
  nll_N: np.ndarray
  r2_on_cue: float = np.nan
  knows: str = ""


def _network(run, window_NxT1, params_S=None):
  """Returns a network's means and NLL of every scored spacing, SxN each."""
  nll_SxNxU, mean_SxNxU = scoring.predictions(run, window_NxT1, params_S)
  flat = lambda x: x.reshape(len(x), -1)
  return flat(mean_SxNxU), flat(nll_SxNxU)


def _sine(value_N, index_N, settings):
  """Yields the exact predictors of the sine process from the last k lags."""
  spacing_RxN = surrogates.cue_spacings(
    settings.seed, matrices=settings.cue_matrices, size=settings.cue_size
  )
  for k in settings.lags:
    lag_NxQ = linear_lib.lag_matrix(value_N, index_N, k)
    cue_NxQ, cue_N = _rows(spacing_RxN, k)
    yield _Guess(
      f"sine process, {k} lag{'s' * (k > 1)}",
      sine_process.next_mean(lag_NxQ),
      -sine_process.next_log_density(lag_NxQ, value_N[index_N]),
      float(linear_lib.r2(cue_N, sine_process.next_mean(cue_NxQ))),
      "the sine kernel",
    )


def _rows(spacing_RxN, lags: int):
  """Returns the lags within matrices, most recent first, and what follows."""
  count = spacing_RxN.shape[1] - lags
  lag = [spacing_RxN[:, lags - q : lags - q + count] for q in range(1, lags + 1)]
  return np.stack(lag, -1).reshape(-1, lags), spacing_RxN[:, lags:].ravel()


def _linear_cue(value_N, index_N, settings):
  """Yields the best linear predictors of the sine process, exact too."""
  filters = autoregression.of_sine_process(max(settings.orders))
  for order in settings.orders:
    phi_Q, variance = filters.order(order)
    guess_N = autoregression.predict(value_N - 1, phi_Q, index_N)
    error_N = value_N[index_N] - 1 - guess_N
    yield _Guess(
      f"linear, {order} lags, of the sine process",
      1 + guess_N,
      autoregression.gaussian_nll(error_N, variance),
      float(filters.r2_Q[order - 1]),
      "the sine kernel's covariances",
    )


def _fitted(run, value_N, index_N):
  """Yields the marginal and filters fitted on the model's train split."""
  train = run.series.splits["train"]
  fits = [anchors.marginal(value_N, train, index_N)]
  if index_N.min() >= 20_000:
    fits.append(anchors.adaptive(value_N, index_N))
  orders = (*run.settings.predictors.orders, FILTER)
  fits += anchors.autoregressive(value_N, train, index_N, orders)
  for fit in fits:
    known = "the distribution" if fit.parameters == 0 else "the sequence"
    yield _Guess(fit.name, fit.prediction_N, fit.nll_N, knows=known)


def _scores(truth_N, mean_SxN, nll_SxN, over) -> dict:
  """Returns R2 and NLL of a predictor with their intervals."""
  error = over((mean_SxN - truth_N) ** 2 / truth_N.var())
  nll = over(nll_SxN)
  return {
    "r2": statistics.Interval(
      1 - float(error.estimate), 1 - float(error.high), 1 - float(error.low)
    ),
    "nll": nll,
  }


def _explained(mean_SxN, guess_N, beside_N, over) -> dict:
  """Returns how much of the network's mean a predictor explains.

  R2 of the affine fit, and what it adds to that of the filter `beside_N`.
  """
  known, added = [], []
  for mean_N in mean_SxN:
    left_N, _ = _affine(mean_N, guess_N[:, None])
    variance_N = np.full(len(mean_N), mean_N.var())
    known.append(linear_lib.explained(left_N**2, variance_N))
    _, alone = _affine(mean_N, beside_N[:, None])
    _, both = _affine(mean_N, np.stack([beside_N, guess_N], 1))
    added.append(both - alone)
  known_SxN = np.array(known)
  # A network that always says the same has nothing to explain.
  varies = np.isfinite(known_SxN).all()
  ends = over(known_SxN)[:3] if varies else np.full(3, np.nan)
  return {"explains": statistics.Interval(*ends), "beyond_filter": float(np.mean(added))}


def _affine(y_N, x_NxV):
  """Returns what the affine fit of y leaves, and its R2."""
  if np.ptp(x_NxV, axis=0).max() == 0:
    left_N = y_N - y_N.mean()
    return left_N, float(linear_lib.r2(y_N, y_N - left_N))
  fit = linear_lib.ols(x_NxV, y_N)
  return y_N - fit.predict(x_NxV), fit.r2


# --- the result -----------------------------------------------------------------------------------

NATS = "nats per spacing"
UNTRAINED = "untrained network"


def measure(run) -> xr.Dataset:
  """Returns every predictor of the run's test split, beside the network.

  The first predictor is the network, the second the mean over fresh networks. Intervals are over
  blocks of data; those of networks over seeds, too.
  """
  model, evaluation = run.experiment.model, run.settings.evaluation
  context = program.scored_context(model, evaluation.min_context)
  each = run.series.window - context + 1
  there = len(windows.starts(run.series, "test", min_context=context))
  count = min(there, -(-run.settings.predictors.samples // each))
  window_NxT1, start_N = run.batches("test", count)
  index_N = scoring.targets(run, start_N).ravel()
  value_N = run.series.value_N.astype(np.float64)
  truth_N = value_N[index_N]
  guesses = [
    *_sine(value_N, index_N, run.settings.predictors),
    *_linear_cue(value_N, index_N, run.settings.predictors),
    *_fitted(run, value_N, index_N),
  ]
  mean_SxN, nll_SxN = _network(run, window_NxT1)
  fresh_SxN, fresh_nll_SxN = _network(run, window_NxT1, run.untrained_S())
  shape = (len(start_N), each)
  over = lambda value_SxN: scoring.interval(
    run, value_SxN.reshape(len(value_SxN), *shape).mean(-1), start_N
  )
  scored = lambda mean, nll: _scores(truth_N, mean, nll, over)
  rows = [
    {"name": f"model ({run.name})", "knows": "what it has learned"} | scored(mean_SxN, nll_SxN),
    {"name": UNTRAINED, "knows": "nothing"} | scored(fresh_SxN, fresh_nll_SxN),
  ]
  beside_N = guesses[-1].mean_N
  for guess in guesses:
    row: dict[str, Any] = {"name": guess.name, "knows": guess.knows}
    row |= scored(guess.mean_N[None], guess.nll_N[None])
    row |= _explained(mean_SxN, guess.mean_N, beside_N, over)
    untrained = [_affine(one, guess.mean_N[:, None])[1] for one in fresh_SxN]
    row |= {"explains_untrained": float(np.mean(untrained))}
    rows.append(row | {"r2_on_cue": guess.r2_on_cue})
  return _dataset(rows, len(index_N))


def _dataset(rows: list[dict], scored: int) -> xr.Dataset:
  """Returns the records of all predictors, the network's in front, as a result."""
  unknown = statistics.Interval(np.nan, np.nan, np.nan)
  column = lambda key: np.array([row.get(key, np.nan) for row in rows])

  def bounded(name: str, meaning: str, unit: str = "") -> dict[str, xr.Variable]:
    each = [row.get(name, unknown)[:3] for row in rows]
    ends = statistics.Interval(*np.array(each, np.float64).T)
    return results.with_interval(name, "predictor", ends, meaning, unit)

  variables = {
    "knows": results.variable("predictor", column("knows"), "what the predictor knows"),
    **bounded("r2", "R² of the true spacings"),
    **bounded("nll", "NLL on test", NATS),
    **bounded("explains", "R² of the network's mean"),
    "explains_untrained": results.variable(
      "predictor", column("explains_untrained"), "R² of an untrained network's mean"
    ),
    "beyond_filter": results.variable(
      "predictor",
      column("beyond_filter"),
      f"R² of the network's mean that it adds to AR({FILTER})",
    ),
    "r2_on_cue": results.variable("predictor", column("r2_on_cue"), "R² on CUE"),
  }
  names = [row["name"] for row in rows]
  coords = {"predictor": results.variable("predictor", names, "predictor")}
  return results.dataset(variables, coords, scored=scored, split="test")


# --- figures and tables ---------------------------------------------------------------------------

ALL = {
  "r2": "R² of the truth",
  "nll": "NLL on test (left: better)",
  "explains": "R² of the network",
}


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares them."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  both = results.across({run: _alike(found) for run, found in runs.items()}, *ALL)
  names = [_short(name) for name in both.predictor.values.tolist()]
  panels: list[draw.Panel] = []
  for name, title in ALL.items():
    text = {"yticklabels": [], "ylabel": ""} if panels else {}
    look = {"x": "predictor", "colour": "run", "labels": names}
    panels.append(draw.rows(both, name, title=title, **look, **text))
  height = 1.6 + 0.36 * len(names) + 0.1 * len(runs)
  return {"all runs": draw.page(tuple(panels), heights=[height])} | pages


def _alike(found: xr.Dataset) -> xr.Dataset:
  """Returns the predictors, each once, with a name for the network that all runs share."""
  names = ["the network", *found.predictor.values.tolist()[1:]]
  return found.assign_coords(predictor=names).drop_duplicates("predictor")


def _short(name: str) -> str:
  return name.replace(", least squares, W=", "\nlast ")


def _page(run: str, found: xr.Dataset) -> draw.Page:
  """Returns all predictors, the best of the truth on top."""
  place = np.argsort(found.r2.values, kind="stable")
  network = place < 2
  found = found.isel(predictor=place)
  names = [_short(name) for name in found.predictor.values.tolist()]
  untrained = "the same, of an untrained network"
  truth = draw.together(
    _ticks(found, "r2_on_cue", "the same, on CUE", "black"),
    _bars(found, "r2", network, names, title=f"{run}: {ALL['r2']}"),
    # So that one legend says it for all three.
    lambda axes: axes.plot([], [], "|", ms=9, color=draw.GREY, label=untrained),
  )
  loss = _bars(found, "nll", network, title=ALL["nll"])
  model = draw.together(
    _ticks(found, "explains_untrained", untrained, draw.GREY),
    _bars(found, "explains", network, title=ALL["explains"]),
  )
  return draw.page((truth, loss, model), heights=[1.8 + 0.32 * len(names)])


def _bars(found: xr.Dataset, name: str, network_N, names=(), **text) -> draw.Panel:
  """Returns values with intervals, a row each; those of networks have a colour of their own."""

  def panel(axes):
    ends = found[f"{name}_interval"].transpose(results.END, "predictor").values
    value = found[name].values
    for mine, colour, label in (
      (network_N, draw.BLUE, "network"),
      (~network_N, draw.ORANGE, "other predictor, 95 %"),
    ):
      there = np.flatnonzero(mine & np.isfinite(value))
      reach = np.maximum([value[there] - ends[0, there], ends[1, there] - value[there]], 0)
      look = {"fmt": "o", "ms": 5, "lw": 1.5, "capsize": 2.5}
      axes.errorbar(value[there], there, xerr=reach, color=colour, label=label, **look)
    axes.axvline(0, color="black", lw=0.8)
    axes.set_yticks(range(len(value)), names or [""] * len(value), fontsize=8)
    axes.set(ylim=(-0.6, len(value) - 0.4), xlabel=results.label(found[name]), **text)

  return panel


def _ticks(found: xr.Dataset, name: str, label: str, colour: str) -> draw.Panel:
  def panel(axes):
    axes.plot(
      found[name], range(found.sizes["predictor"]), "|", color=colour, ms=9, label=label, zorder=3
    )

  return panel


def tables(runs) -> list[tables_lib.Table]:
  """Returns the predictors of all runs, those of each run by their R² of the truth."""
  columns = {
    "predictor": "predictor",
    "knows": "knows",
    "R² of the truth": "r2",
    "R² on CUE": "r2_on_cue",
    "NLL, nats": "nll",
    "R² of the network": "explains",
    "of a fresh one": "explains_untrained",
    f"added to AR({FILTER})": "beyond_filter",
  }
  rows = []
  for run, found in runs.items():
    place = np.argsort(-found.r2.values, kind="stable")
    each = tables_lib.records(found.isel(predictor=place), columns, "predictor")
    rows += [{"run": run} | row for row in each]
  scored = dict.fromkeys(f"{found.scored:,} spacings of {found.split}" for found in runs.values())
  formats = dict.fromkeys(list(columns)[2:], "z.3f") | {"NLL, nats": "+z.3f"}
  return [
    tables_lib.Table(
      f"Predictors of {', '.join(scored)}, with 95 % intervals.", rows, formats, "predictors"
    )
  ]


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
_COLUMNS = {"name": "predictor", "nll": "nll", "r2": "r2", "explains": "explains"}


def _records(found: xr.Dataset) -> list[dict]:
  """Returns name, NLL, R² and what is explained of the network, of every predictor."""
  return tables_lib.records(found, _COLUMNS, "predictor")


def _sine_process(rows: list[dict]) -> list[dict]:
  return [row for row in rows if row["name"].startswith("sine process")]


@CLAIMS.add(
  "losses.floor",
  "The perplexity is below its theoretical minimum.",
  reported=f"{PERPLEXITY} against a floor of {FLOOR}",
  source=f"{program.REPOSITORY}, README and paper draft",
)
def floor(results):
  """Returns the verdict: the entropy of the marginal bounds nothing that sees the past."""
  found = program.on_published(results, told=True).first("predictors")
  rows = _records(found)
  marginal = claims.row(rows, name="marginal (KDE)")["nll"]
  model, best = rows[0], _sine_process(rows)[-1]
  sine = best["nll"]
  because = (
    f"the marginal's entropy, {marginal.estimate:.3f} nats on {found.scored:,} spacings of test, is"
    " the least loss of predictors that do not look at the past. The exact law of random "
    f"matrices, which knows no zero, already has {sine:.3f} from "
    f"{best['name'].split(', ')[1]}; {model['name']} {model['nll'].estimate:.3f}."
  )
  values = {
    "marginal": marginal.estimate,
    "sine process": sine.estimate,
    "model": model["nll"].estimate,
  }
  below = min(model["nll"].high, sine.high) < marginal.low
  return claims.verdict(below, because, values, artefact=sine.high < marginal.low)


@CLAIMS.add(
  "predictors.sine",
  "What the network learned is the predictor of the sine kernel (a comparison that was planned).",
  reported="not reported",
  source=f"{program.REPOSITORY}, operator-extraction plan",
)
def sine_kernel(results):
  """Returns the verdict: whether the sine kernel's predictor explains the network's mean."""
  found = program.on_published(results).of("predictors")
  big = program.published_size(results, found)
  values: dict[str, float] = {}
  said, like = [], []
  for run, each in found.items():
    rows = _records(each)
    model = rows[0]
    best = max(_sine_process(rows), key=lambda row: row["explains"].estimate)
    fitted = claims.row(rows, name=f"AR({FILTER})")
    of_best, of_fitted = best["explains"].estimate, fitted["explains"].estimate
    said.append(
      f"{run} explains R² {model['r2']:.3f} of the truth, the {best['name']} {best['r2']:.3f}; of "
      f"the network's mean that explains {of_best:.3f} and AR({FILTER}) fitted on zeros "
      f"{of_fitted:.3f}"
    )
    values |= {
      f"{run}: of the mean, sine process": of_best,
      f"{run}: of the mean, AR({FILTER})": of_fitted,
      f"{run}: R2 of the truth": model["r2"].estimate,
    }
    if run in big:
      like.append(of_best > 0.9 and best["explains"].low > 0.8)
  because = "; ".join(said) + "."
  return claims.verdict(all(like), because, values, undecided=program.undecided(big))
