"""Sections of the report that set the zeros beside random matrices."""

from primelens.lens import ledger as report_ledger
from primelens.lens import page

_PUBLISHED = (
  ("reported for the zeros", -0.34, -0.08, -0.03),
  ("reported as GUE theory", -0.27, -0.06, -0.025),
  ("reported of 250 or 500 matrices", -0.29137, -0.05774, -0.01770),
)
_GUE = page.tag(
  "p",
  "The published comparison took -0.27 for GUE at lag 1, which is the value of"
  " GOE, and unfolded its own matrices with a radius of 2 where their"
  " normalisation has √2, which gave -0.291. The reference here is exact"
  " (Fredholm determinants of the sine kernel). Height was said to play no"
  " part, on files in which ln γ changes by 0.1; here it runs from 14 to the"
  " last zero of the table. Errors are standard errors over blocks.",
)
_LINES = page.tag(
  "p",
  "By the explicit formula the residual of a spacing holds a wave of frequency"
  " ln p for every prime. The published list of spikes at m ln p had a hundred"
  " candidates and no correction. Here p-values are corrected over all primes"
  " tested, and composites that are no prime power, random frequencies,"
  " frequencies beside the primes, shuffled spacings and CUE spacings laid at"
  " the same heights stand beside them. The law replaces a gap by its mean, so"
  " that it is too large at large p.",
)
_PREDICTORS = page.tag(
  "p",
  "The exact conditional mean of the next spacing under the sine process knows"
  " all that random matrices know of it, from the last k spacings. What any"
  " predictor of zeros reaches beyond it is the waves of the primes. The right"
  " columns say how much of the network's mean an affine image of a predictor"
  " explains, of fresh networks as a null (they hold their fitted filter where"
  " a model starts at one), and what it adds to AR(64) fitted on zeros.",
)


def _once(tables, name: str, caption: str, body) -> page.Markup:
  """Returns an analysis of the data alone for the first run that has it."""
  found = {run: t for run, t in tables.items() if name in t}
  first = dict(list(found.items())[:1]) or dict(list(tables.items())[:1])
  return report_ledger.each(first, name, caption, body)


def gue(tables) -> page.Markup:
  """Returns the zeros' correlations by height, once: all runs share them."""
  caption = "variance and correlations of spacings by height."
  return page.join([_GUE, _once(tables, "gue", caption, _gue)])


def _gue(result) -> page.Markup:
  references = page.table(
    (
      "sequence",
      "spacings",
      "variance",
      "lag 1",
      "lag 2",
      "lag 3",
      "lag 1 above the sine process",
      "KS distance to the surmise",
    ),
    [_reference(row) for row in result.references]
    + [
      (f"published: {name}", "–", "–", *(page.number(x) for x in lags))
      + (page.number(100 * (lags[0] / result.limit_Q[0] - 1), digits=1) + " %",)
      + ("–",)
      for name, *lags in _PUBLISHED
    ],
    caption="Correlations of spacings with standard errors.",
  )
  return page.join(
    [
      references,
      page.details("Regressions on the height", _fits(result)),
      page.details("As published", _recipes(result)),
    ]
  )


def _reference(row):
  error = lambda key: page.join(
    [page.number(row[key]), " ", page.tag("small", f"± {page.number(row[f'{key}_error'])}")]
  )
  return (
    row["sequence"],
    page.number(row["spacings"]) if row["spacings"] else "–",
    *(error(key) for key in ("variance", "lag1", "lag2", "lag3")),
    f"{100 * row['lag1_excess']:.1f} ± {100 * row['lag1_excess_error']:.1f} %",
    page.number(row["ks_surmise"]),
  )


def _fits(result) -> page.Markup:
  value = lambda row, key: f"{row[key]:+.4f} ± {row[key + '_error']:.4f}"
  return page.table(
    ("statistic", "form", "first", "second", "χ²", "blocks − 2"),
    [
      (
        row["statistic"],
        row["form"],
        value(row, "first"),
        value(row, "second"),
        page.number(row["chi2"], digits=1),
        str(row["freedom"]),
      )
      for row in result.fits
    ],
    caption="What is above the sine process, regressed on powers of"
    f" 1/ln(γ/2π) over {len(result.height_P)} blocks. With an intercept a it"
    " is extrapolated to infinite height: how far depends on the form.",
    text=(0, 1),
  )


def _recipes(result) -> page.Markup:
  berry = page.table(
    ("sequence", "intercept", "slope", "R²", "p", "one bin's error"),
    [("published, of 200 million", "-0.3379", "-0.0167", "0.524", "0.018", "–")]
    + [
      (row["sequence"], *(page.number(row[key]) for key in keys))
      for keys in [("intercept", "slope", "r2", "p", "bin_error")]
      for row in result.berry
    ],
    caption="Lag 1 in ten bins on 1 / ln(index + 1000 + half a bin).",
  )
  shuffles = page.table(
    ("sequence", "spacings", "lag 1", "z against shuffles"),
    [("published", "100,000", "–", "-102.85")]
    + [
      (
        row["sequence"],
        page.number(row["spacings"]),
        page.number(row["lag1"]),
        page.number(row["z"], digits=1),
      )
      for row in result.shuffles
    ],
    caption="z is about the correlation times the root of the length: CUE has"
    " nearly the same, without primes.",
  )
  lags = page.table(
    ("prime", "lag", "zeros", "CUE"),
    [
      (str(r["prime"]), str(r["lag"]), page.number(r["zeros"])) + (page.number(r["cue"]),)
      for r in result.prime_lags
    ],
    caption="Correlations at the lags round(10 ln p): spacings, not heights.",
    text=(),
  )
  return page.join([berry, shuffles, lags])


def prime_lines(tables) -> page.Markup:
  """Returns the lines of the primes, once: all runs share the zeros."""
  caption = "amplitudes at ln p with the law and the nulls."
  return page.join([_LINES, _once(tables, "prime_lines", caption, _lines)])


def _lines(result) -> page.Markup:
  summary = page.table(
    (
      "height",
      "correlation with the law",
      "slope",
      "max-T < 0.05",
      "BH < 0.05",
      "above all composites",
    ),
    [
      (
        page.number(row["height"], digits=0),
        page.number(row["correlation"], digits=3),
        page.number(row["slope"], digits=3),
        *(f"{row[key]} of {row['primes']}" for key in ("max_t", "bh", "above_composites")),
      )
      for row in result.summary
    ],
    caption=f"Lines in stretches of {result.spacings:,} spacings.",
    text=(),
  )
  nulls = page.table(
    ("height", "null", "lines", "median", "largest", "primes above it"),
    [
      (
        page.number(row["height"], digits=0),
        row["null"],
        page.number(row["lines"]),
        *(page.number(row[key]) for key in ("median", "largest")),
        str(row["primes_above"]),
      )
      for row in result.nulls
    ],
    caption="Amplitudes where no prime is.",
    text=(1,),
  )
  parts = page.details("Nulls", nulls), page.details("Powers", _powers(result))
  return page.join([summary, *parts])


def _powers(result) -> page.Markup:
  return page.table(
    ("height", "power", "amplitude", "law", "p, corrected"),
    [
      (
        page.number(row["height"], digits=0),
        f"{row['prime']}^{row['exponent']}",
        *(page.number(row[key]) for key in ("amplitude", "law", "max_t")),
      )
      for row in result.powers
    ],
    caption="Lines at powers of primes.",
    text=(1,),
  )


def predictors(tables) -> page.Markup:
  """Returns the predictors of every run."""
  caption = "R² of the truth, NLL, and R² of the network's mean."
  each = report_ledger.each(tables, "predictors", caption, _predictors)
  return page.join([_PREDICTORS, each])


def _predictors(result) -> page.Markup:
  bounded = lambda row, key, ends: page.bounded(
    row[key], *(row[end] for end in ends), digits=3, signed=False
  )
  return page.table(
    (
      "predictor",
      "knows",
      "R² of the truth",
      "R² on CUE",
      "NLL, nats",
      "R² of the network",
      "of a fresh one",
      "added to AR(64)",
    ),
    [
      (
        row["name"],
        row["knows"],
        bounded(row, "r2", ("r2_low", "r2_high")),
        page.number(row["r2_on_cue"], digits=3),
        page.bounded(row["nll_nats"], row["low"], row["high"], digits=3),
        bounded(row, "explains", ("explains_low", "explains_high")),
        *(page.number(row[key], digits=3) for key in ("explains_untrained", "beyond_filter")),
      )
      for row in sorted(result.table, key=lambda row: -row["r2"])
    ],
    caption=f"{result.scored:,} spacings of {result.split}.",
    text=(0, 1),
    marked=[
      i
      for i, row in enumerate(sorted(result.table, key=lambda r: -r["r2"]))
      if row["name"].startswith("model")
    ],
  )
