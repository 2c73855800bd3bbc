"""Sections of the report on forecasts: rollouts and calibration."""

from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.studies.zeros import golden
from primelens.studies.zeros import published_forecasts as published

_ROLLOUT = (
  "The published study fed predictions back and measured the error in four"
  " ways under one name: of the sum of 100 predictions, from contexts of 128 or"
  " of 10 spacings; of a single step, context and horizon alike; and at exactly"
  " step h. Here it is by how far the h-th zero ahead is missed, in mean"
  " spacings, from the network's own context, beside a constant and linear"
  " filters that are rolled alike; the published measures stand below. An error"
  " of a single step is near 0.33 for whoever predicts a constant."
)
_CALIBRATION = (
  "A predicted density is calibrated where the share of spacings below its"
  " p-quantile is p. The probability integral transform (PIT) then is uniform:"
  " mean 0.5, standard deviation 0.2887. Conformal intervals are widened by"
  " what held-back scores ask for, so that their coverage is right whoever"
  " predicts: it is the width that tells predictors apart. The published"
  " procedure fed 128 spacings to a network of 256, which moves its memory"
  " slots to positions they never had."
)


def rollout(tables) -> page.Markup:
  """Returns the rollouts of every run and the published ones."""
  caption = "error by horizon, by step, and the spread of sampled futures."
  runs = report_ledger.each(tables, "rollout", caption, _rollout)
  return page.join([page.tag("p", _ROLLOUT), runs, _published_rollouts()])


def _rollout(result) -> page.Markup:
  table = page.table(
    (
      "predictor",
      f"error of the sum of {result.at}",
      "model minus it",
      f"error of a step, 1 to {result.at}",
      "slope, as published",
    ),
    [
      (
        row["name"],
        _bounded(row, "error", signed=False),
        "" if row is result.table[0] else _bounded(row, "model_minus"),
        _bounded(row, "step", signed=False, digits=3),
        page.number(row["slope"], digits=3, signed=True),
      )
      for row in result.table
    ],
    caption=f"In mean spacings, {result.starts} starts on test, context"
    f" {result.context}; {result.draws} sampled futures of each start.",
    text=(0,),
  )
  protocols = page.table(
    ("measure", "predictor", "context", "horizon", "rows", "error"),
    [
      (
        row["protocol"].replace("_", " "),
        row["predictor"],
        *(str(row[key]) for key in ("context", "horizon", "rows")),
        _bounded(row, "error", signed=False),
      )
      for row in result.protocols
    ],
    caption="The published measures, each under its own name.",
    text=(0, 1),
  )
  return page.join([table, page.details("Published measures", protocols)])


def _published_rollouts() -> page.Markup:
  rows = [
    (name, *(page.number(x, digits=2) for x in errors))
    for name, errors in published.BY_HORIZON.items()
  ]
  rows += [
    (f"{name}, context 10", *"–––", page.number(x, digits=2))
    for name, x in published.SHORT_CONTEXT.items()
  ]
  drawn = (
    ("constant 1", published.CONSTANT),
    ("AR(3)", published.LINEAR),
    ("Flash, drawn rows", published.FLASH),
  )
  rows += [(name, *"–––", page.number(x, digits=3)) for name, x in drawn]
  table = page.table(
    ("published predictor", "h = 10", "25", "50", "100"),
    rows,
    caption="Published errors of the sum of h predictions, 100 rows of other"
    " zeros, context 128 where none is named, without intervals.",
    text=(0,),
  )
  return page.join([page.tag("h3", "As published"), table])


def calibration(tables) -> page.Markup:
  """Returns the calibration of every run beside the published numbers."""
  caption = "reliability, PIT, and conformal intervals."
  runs = report_ledger.each(tables, "calibration", caption, _calibration)
  return page.join([page.tag("p", _CALIBRATION), runs, _published_densities()])


def _calibration(result) -> page.Markup:
  densities = page.table(
    (
      "predictor",
      "CRPS",
      "PIT mean",
      "PIT standard deviation",
      "distance from uniform",
      "ideal",
      "bias",
      "variance of means",
      "mean variance",
      "squared error",
    ),
    [_density(row) for row in result.table],
    caption=f"One step ahead on {result.samples:,} spacings of test; the CRPS"
    " in spacings. Ideal: the distance that a perfect forecaster exceeds once"
    " in 20 times. Where a density is calibrated its mean variance is its"
    " squared error.",
    text=(0,),
  )
  conformal = page.table(
    ("predictor", "scores", "raw coverage", "raw width", "widened by", "coverage", "width"),
    [_conformal(row) for row in result.conformal],
    caption=f"Central 0.8 intervals widened to hold"
    f" {1 - result.conformal[0]['alpha']:g}, coverage and width on test.",
    text=(0, 1),
  )
  parts = [densities, page.details("Conformal intervals", conformal)]
  return page.join([*parts, _golden(result)])


def _density(row):
  return (
    row["name"],
    _bounded(row, "crps", signed=False),
    _bounded(row, "pit_mean", signed=False, digits=3),
    _bounded(row, "pit_std", signed=False, digits=3),
    page.number(row["ks"], digits=3),
    page.number(row["ks_ideal"], digits=3),
    _bounded(row, "bias"),
    *(page.number(row[key]) for key in ("variance_of_means", "mean_variance", "mse")),
  )


def _conformal(row):
  return (
    row["predictor"].replace("_", " "),
    row["way"],
    _bounded(row, "raw_coverage", signed=False, digits=3),
    page.number(row["raw_width"], digits=3),
    page.number(row["adjustment"], digits=3, signed=True),
    _bounded(row, "coverage", signed=False, digits=3),
    page.number(row["width"], digits=3),
  )


def _golden(result) -> page.Markup:
  rows = golden.records(result)
  if not rows:
    return page.join([])
  table = page.table(
    (
      "seed",
      "fixed ids",
      "permuted ids",
      "5th",
      "50th",
      "95th percentile",
      "permuted minus fixed",
      "lowest of 20 minus mean",
    ),
    [
      (
        str(seed),
        *(page.number(row[key]) for key in ("fixed_nats", "permuted_nats")),
        *(page.number(row[f"percentile_{p}"]) for p in (5, 50, 95)),
        page.bounded(*(row[f"change_{end}"] for end in ("nats", "low", "high"))),
        page.number(row["lowest_of_20"], signed=True),
      )
      for seed, row in enumerate(rows)
    ],
    caption=f"NLL in nats on the first {result.golden_windows:,} sliding"
    f" windows of test, {result.golden_nll_SxR.shape[1] - 1} orders of the slot"
    " ids; seeds counted from 0.",
    text=(),
  )
  return page.details("Golden batch", table)


def _published_densities() -> page.Markup:
  table = page.table(
    ("published network", "CRPS", "PIT mean", "PIT standard deviation"),
    [
      (name, *(page.number(x, digits=4) for x in values))
      for name, values in published.DENSITIES.items()
    ],
    caption="Published calibration, CRPS by draws; Q3 reads the future.",
    text=(0,),
  )
  return page.join([page.tag("h3", "As published"), table])


def _bounded(row, key: str, **style):
  style = {"signed": True} | style
  return page.bounded(row[key], row[f"{key}_low"], row[f"{key}_high"], **style)
