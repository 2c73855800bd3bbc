"""Tables of the report on formulas and on the linear operator."""

import numpy as np
from primelens.analyses import closed_forms
from primelens.lens import page
from primelens.studies.zeros import published

PI = page.tag(
  "p",
  "The published formula says that a spacing is π over the sum of the three"
  f" before it; the constant was {published.PI_CONSTANT} on the mean of one"
  " network, whose predictions are"
  f" {published.MEAN_PREDICTION} on average where spacings average 1. The study"
  f" later withdrew it: on true spacings it found {published.TRUTH_REFITTED}."
  " Three unit-mean spacings sum to 3 on average, so c near 3 is what any such"
  " sequence gives, and with k lags c follows k. Formulas here are fitted on"
  " select and scored on test.",
)
OPERATOR = page.tag(
  "p",
  "The published 'extracted operator' is a least-squares fit to the true"
  " residuals s - 1: the network played no part in it. Its coefficients sum to"
  f" {published.OPERATOR_SUM}, which was read as -1 and rigidity; the sum"
  " depends on the order of the fit.",
)
_TARGETS = ("model", "truth", "CUE", "shuffled")


def formula(result) -> page.Markup:
  """Returns the constants, the fronts and all closed forms of a run."""
  every = page.details(f"All closed forms ({len(result.closed)})", _closed(result.closed))
  tables = [_constants(result), *_fronts(result), *_published(result)]
  return page.join([*tables, _heights(result.heights), every])


def _heights(records) -> page.Markup:
  """Returns c of three lags by stretch of the sequence."""
  rows = [(f"{r['first']:,} to {r['last']:,}", _constant(r), _mean(r)) for r in records]
  table = page.table(
    ("spacings", "c of 3 lags", "mean spacing"),
    rows,
    caption="The constant on the true spacings by height, with its interval;"
    " no network takes part.",
  )
  return page.details(f"The constant by height ({len(rows)} stretches)", table)


def _mean(record) -> str:
  return page.number(record["mean_target"], digits=3)


def _constants(result) -> page.Markup:
  """Returns c by number of lags and target, beside the reference."""
  found = {
    (row["target"], row["lags"]): row
    for row in result.closed
    if row["family"].startswith("c / sum")
  }
  reference = {k: c for k, c, _ in published.CONSTANTS}
  lags = sorted({k for _, k in found})
  rows = [
    (
      str(k),
      *(_constant(found.get((target, k))) for target in _TARGETS),
      page.number(reference.get(k), digits=3),
      str(published.PI_CONSTANT) if k == 3 else "–",
    )
    for k in lags
  ]
  return page.table(
    ("lags k", *_TARGETS, "truth, all zeros", "published"),
    rows,
    caption="c of c / (s1 + … + sk), least squares, with its interval. The"
    " sixth column was computed apart on all zeros; π is 3.1416.",
    text=(),
    marked=[i for i, k in enumerate(lags) if k == 3],
  )


def _constant(row) -> str:
  if row is None:
    return "–"
  c, low, high = row["c"], row["low"], row["high"]
  return page.bounded(c, low, high, digits=3, signed=False)


def _fronts(result):
  """Yields a table per front; that of the model is open."""
  groups: dict[tuple[str, bool], list] = {}
  for row in result.front:
    groups.setdefault((row["target"], bool(row["null"])), []).append(row)
  for (target, null), rows in groups.items():
    name = f"{target}, permuted (null)" if null else target
    backends = ", ".join(dict.fromkeys(row["backend"] for row in rows))
    table = page.table(
      ("complexity", "formula", "MSE, fitted", "MSE, held out"),
      [
        (
          page.number(row["complexity"]),
          page.tag("code", row["expression"]),
          page.number(row["train_mse"]),
          page.number(row["test_mse"]),
        )
        for row in sorted(rows, key=lambda row: row["complexity"])
      ],
      caption=f"Front of {name}, {backends}; MSE in squared spacings.",
      text=(1,),
    )
    main = target == "model" and not null
    yield table if main else page.details(f"Front of {name}", table)


def _published(result):
  """Yields the refitted table where there is one."""
  if result.published:
    yield _refitted(result.published)


def _refitted(rows) -> page.Markup:
  """Returns the published formulas, their numbers refitted to each target."""
  return page.table(
    (
      "published formula",
      "published loss",
      "target",
      "refitted",
      "MSE, fitted",
      "MSE, held out",
      "R², held out",
    ),
    [
      (
        page.tag("code", row["published"]),
        page.number(row["published_mse"], digits=3),
        row["target"],
        page.tag("code", row["expression"]),
        page.number(row["train_mse"]),
        page.number(row["test_mse"]),
        page.number(row["test_r2"], digits=3),
      )
      for row in rows
    ],
    caption="The published formulas with their numbers refitted; MSE in squared"
    " spacings. The published losses are those of another network's mean.",
    text=(0, 2, 3),
  )


def _closed(rows) -> page.Markup:
  return page.table(
    (
      "target",
      "family",
      "formula",
      "mean of target",
      "MSE, fitted",
      "MSE, held out",
      "R², held out",
      "correlation",
    ),
    [
      (
        row["target"],
        row["family"],
        page.tag("code", row["expression"]),
        page.number(row["mean_target"], digits=3),
        page.number(row["train_mse"]),
        page.number(row["test_mse"]),
        page.number(row["test_r2"], digits=3),
        page.number(row["test_correlation"], digits=3),
      )
      for row in rows
    ],
    caption="Fitted on select, held out on test; CUE and shuffled spacings are halved.",
    text=(0, 1, 2),
  )


def published_front() -> page.Markup:
  """Returns the front as published, complexity by another count."""
  table = page.table(
    ("complexity", "formula", "loss"),
    [
      (str(count), page.tag("code", form), page.number(loss, digits=3))
      for count, loss, form in closed_forms.PUBLISHED
    ],
    caption="Published front: target the mean of E4, seed 7; loss in squared"
    " spacings on the data it was fitted to.",
    text=(1,),
  )
  return page.join([page.tag("h3", "As published"), table])


def linear(result) -> page.Markup:
  """Returns three lags beside the published ones, sums, scores, all lags."""
  parts = [_three_lags(result), _sums(result), _scores(result)]
  lags = page.details(f"All {len(result.truth_Q)} lags", _lags(result))
  return page.join([*parts, lags])


def _three_lags(result) -> page.Markup:
  rows = [("published (the truth's)", *published.OPERATOR)]
  for row in result.sums:
    if row["order"] == 3:
      keys = [f"lag{k}" for k in (1, 2, 3)]
      for who in ("truth", "model"):
        rows.append((who, *(row[f"{who}_{key}"] for key in keys)))
  return page.table(
    ("regression of", "lag 1", "lag 2", "lag 3", "sum"),
    [
      (name, *(page.number(float(x), signed=True) for x in (*lags, sum(lags))))
      for name, *lags in rows
    ],
    caption="Coefficients of s - 1 on its last three lags, least squares"
    f" without a constant, {result.samples:,} spacings of test.",
  )


def _sums(result) -> page.Markup:
  keys = ("truth_sum", "model_sum", "truth_r2", "model_r2")
  return page.table(
    ("order", "sum, truth", "sum, model", "R², truth", "R², model"),
    [
      (str(row["order"]), *(page.number(row[key], digits=3) for key in keys)) for row in result.sums
    ],
    caption="The sum of the coefficients depends on the order. R² in sample.",
    text=(),
  )


def _scores(result) -> page.Markup:
  return page.table(
    ("predictor of the truth", "R²", "correlation"),
    [
      (
        row["predictor"],
        page.number(row["r2"], digits=3),
        page.number(row["correlation"], digits=3),
      )
      for row in result.scores
    ],
    caption="Linear predictors fitted on select, all scored on test.",
  )


def _lags(result) -> page.Markup:
  model_Q = np.mean(result.model_SxQ, axis=0)
  jacobian_Q = np.median(result.jacobian_SxQ, axis=0)
  ends = lambda who, q: (getattr(result, f"{who}_low_Q")[q], getattr(result, f"{who}_high_Q")[q])
  return page.table(
    ("lag", "truth", "model", "Jacobian"),
    [
      (
        str(q + 1),
        page.bounded(result.truth_Q[q], *ends("truth", q)),
        page.bounded(model_Q[q], *ends("model", q)),
        page.number(float(jacobian_Q[q]), signed=True),
      )
      for q in range(len(result.truth_Q))
    ],
    caption="Coefficients by lag: of the model the mean over seeds with its"
    " interval, of the Jacobian the median. The Jacobian holds all other inputs,"
    " the regressions leave out the older ones, so the two differ where those"
    " matter.",
    text=(),
  )
