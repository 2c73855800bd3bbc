"""Analysis `predictors`: has the network learned the sine kernel's predictor?

The exact conditional law of the next spacing under the sine process knows all
that random matrices know; what the zeros have beyond it is the prime waves,
which a filter fitted on zeros can use. Which of the two is the network like?
"""

import dataclasses

import numpy as np
from primelens.analyses import anchors, autoregression, regression, sine_predictor
from primelens.studies.zeros import program, scoring
from primelens.tasks import surrogates, windows

FILTER = 64  # taps: the filter the network's mean is set beside
REPEL = ("cue", "gue")  # surrogates with a sine process to compare with


@dataclasses.dataclass(frozen=True)
class Result:
  """Predictors of the same spacings of test, all but the network fixed.

  `table` has R2 of the truth and the NLL in nats with intervals (blocks of
  data; for the network seeds too), `r2_on_cue` what a predictor reaches on CUE
  (exact for the linear ones), and how far a predictor's affine image explains
  the network's mean: `explains`, with the same of fresh networks and of what a
  filter fitted on zeros leaves over (`beyond_filter`).
  """

  table: tuple[dict, ...]
  scored: int
  split: str


@dataclasses.dataclass(frozen=True)
class _Guess:
  """One predictor at the scored spacings: its mean, its NLL, its note."""

  name: str
  mean_N: np.ndarray
  nll_N: np.ndarray
  r2_on_cue: float = np.nan
  knows: str = ""


def obstacle(experiment) -> str:
  """Returns why a run has no mixtures, or no sine kernel beside it, or ""."""
  task = experiment.task
  if program.no_mixtures(experiment):
    return program.no_mixtures(experiment)
  if task.kind == "zeros" or task.ensemble in REPEL:
    return ""
  return f"{task.ensemble} spacings do not repel as the sine process does"


def run(run) -> Result:
  """Returns every predictor of the run's test split, beside the network."""
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
    {"name": "untrained network", "knows": "nothing"} | scored(fresh_SxN, fresh_nll_SxN),
  ]
  beside_N = guesses[-1].mean_N
  for guess in guesses:
    row = {"name": guess.name, "knows": guess.knows}
    row |= scored(guess.mean_N[None], guess.nll_N[None])
    row |= _explained(mean_SxN, guess.mean_N, beside_N, over)
    untrained = [_affine(one, guess.mean_N[:, None])[1] for one in fresh_SxN]
    row |= {"explains_untrained": float(np.mean(untrained))}
    rows.append(row | {"r2_on_cue": guess.r2_on_cue})
  keys = dict.fromkeys(key for row in reversed(rows) for key in row)
  table = tuple({key: row.get(key, np.nan) for key in keys} for row in rows)
  return Result(table, len(index_N), "test")


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
    lag_NxQ = regression.lag_matrix(value_N, index_N, k)
    cue_NxQ, cue_N = _rows(spacing_RxN, k)
    yield _Guess(
      f"sine process, {k} lag{'s' * (k > 1)}",
      sine_predictor.mean(lag_NxQ),
      -sine_predictor.log_density(lag_NxQ, value_N[index_N]),
      float(regression.r2(cue_N, sine_predictor.mean(cue_NxQ))),
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
    "r2": 1 - float(error.estimate),
    "r2_low": 1 - float(error.high),
    "r2_high": 1 - float(error.low),
    "nll_nats": float(nll.estimate),
    "low": float(nll.low),
    "high": float(nll.high),
  }


def _explained(mean_SxN, guess_N, beside_N, over) -> dict:
  """Returns how much of the network's mean a predictor explains.

  R2 of the affine fit, and what it adds to that of the filter `beside_N`.
  """
  known, added = [], []
  for mean_N in mean_SxN:
    left_N, _ = _affine(mean_N, guess_N[:, None])
    variance_N = np.full(len(mean_N), mean_N.var())
    known.append(regression.explained(left_N**2, variance_N))
    _, alone = _affine(mean_N, beside_N[:, None])
    _, both = _affine(mean_N, np.stack([beside_N, guess_N], 1))
    added.append(both - alone)
  known_SxN = np.array(known)
  # A network that always says the same has nothing to explain.
  varies = np.isfinite(known_SxN).all()
  ends = over(known_SxN)[:3] if varies else np.full(3, np.nan)
  keys = ("explains", "explains_low", "explains_high")
  found = {key: float(end) for key, end in zip(keys, ends, strict=True)}
  return found | {"beyond_filter": float(np.mean(added))}


def _affine(y_N, x_NxV):
  """Returns what the affine fit of y leaves, and its R2."""
  if np.ptp(x_NxV, axis=0).max() == 0:
    left_N = y_N - y_N.mean()
    return left_N, float(regression.r2(y_N, y_N - left_N))
  fit = regression.ols(x_NxV, y_N)
  return y_N - fit.predict(x_NxV), fit.r2
