"""Sections of the report on binned networks: perplexities, memory effect."""

import math

from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.studies.zeros import published_binned as source


def perplexity(tables) -> page.Markup:
  """Returns the predictors of tokens, by run, and the published ones."""
  note = page.tag(
    "p",
    "The published study's first networks read spacings as 256 tokens. A"
    " perplexity P of tokens is an NLL of ln(P / 64) nats per spacing, so they"
    " compare with all others. The entropy of the marginal was called the"
    " theoretical minimum; it is one for spacings in random order alone.",
  )
  caption = "predictors on one scale, and what later spacings give away."
  runs = report_ledger.each(tables, "perplexity", caption, _predictors)
  rows = [(name, page.number(value, digits=2), _nats(value)) for name, value in source.NETWORKS]
  rows += [
    ("entropy of the marginal", page.number(value, digits=2), _nats(value))
    for value in source.FLOORS
  ]
  reported = page.table(
    ("published", "perplexity", "NLL"),
    rows,
    caption="As reported, no intervals; the banks read the future. NLL in nats per spacing.",
  )
  return page.join([note, runs, reported])


def _nats(value: float) -> str:
  return page.number(math.log(value / 64), digits=3, signed=True)


def _predictors(result) -> page.Markup:
  rows = sorted(result.table, key=lambda row: row["nll_nats"])
  table = page.table(
    ("predictor", "perplexity", "NLL", "interval", "model minus it"),
    [
      (
        row["predictor"],
        page.number(row["perplexity"], digits=1),
        page.number(row["nll_nats"]),
        page.interval(row["low"], row["high"], signed=False),
        _paired(row),
      )
      for row in rows
    ],
    caption=f"NLL in nats per spacing of {result.scored:,} tokens of test. The"
    f" marginal of train has {result.floor:.1f} on train itself, as published.",
    marked=[i for i, row in enumerate(rows) if row is result.table[0]],
  )
  leak = page.table(
    ("spacings before", "leak"),
    [
      (
        page.number(int(position)),
        page.bounded(result.leak_SxP[:, p].mean(), result.leak_low_P[p], result.leak_high_P[p]),
      )
      for p, position in enumerate(result.position_P)
    ],
    caption="How much lower the NLL of a spacing is when the window goes on"
    f" behind it, nats, {result.windows:,} windows; 0 without a leak.",
    text=(),
  )
  return page.join([table, page.details("What the window gives away", leak)])


def _paired(row):
  if "model_minus_nats" not in row:
    return ""
  ends = (row[f"model_minus_{end}"] for end in ("nats", "low", "high"))
  return page.bounded(*ends)


def memory_effect(tables) -> page.Markup:
  """Returns the arms of every run beside the published plateaus."""
  note = page.tag(
    "p",
    "The published plateau is the mean of 11 values of one unaveraged form"
    " factor, the resonance of the mean spacing among them; one run each gave"
    + "".join(f" {value} ({arm.replace('_', ' ')})," for arm, value in source.PLATEAUS.items())
    + f" with a placebo {source.PLACEBO_NORM:.0f} long beside a memory of"
    f" {source.MEMORY_NORM}. Here every arm is drawn again with other keys;"
    " placebos have the memory's length, and a constant bias has its marginal."
    " The plateau that means something lies behind the Heisenberg time, and is"
    " 1 for the zeros and for independent spacings alike: it is the ramp and"
    " the number variance that tell them apart.",
  )
  caption = "form factors by arm, both plateaus, number variance."
  return page.join([note, report_ledger.each(tables, "memory_effect", caption, _arms)])


def _arms(result) -> page.Markup:
  bounded = lambda row, key, **style: page.bounded(
    row[key], row[f"{key}_low"], row[f"{key}_high"], **{"digits": 3} | style
  )
  rows = [
    (
      row["arm"].replace("_", " "),
      page.number(row["memory_norm"], digits=2),
      page.number(row["mean_spacing"], digits=3),
      bounded(row, "plateau", signed=False),
      bounded(row, "plateau_change"),
      bounded(row, "slope_change"),
      bounded(row, "variance_10_change"),
      f"{row['distance']:.4f} ± {row['distance_error']:.4f}",
      f"{row['published_plateau']:.2f} ± {row['published_spread']:.2f}",
      f"{row['gain_percent_low']:+.0f} … {row['gain_percent_high']:+.0f}",
    )
    for row in result.arms
  ]
  null_P = result.published_null_P
  return page.table(
    (
      "arm",
      "norm",
      "mean",
      "plateau",
      "change",
      "slope of the ramp, change",
      "Σ²(10), change",
      "distance of K from the zeros'",
      "plateau as published",
      "gain as published, %",
    ),
    rows,
    caption=f"{result.trajectories:,} trajectories of {result.tokens:,} tokens,"
    " drawn again; changes from the amnesiac, paired. Zeros: plateau"
    f" {result.real_plateau:.3f}, slope {result.real_slope:.3f},"
    f" {result.real_blocks:,} blocks. Independent spacings: plateau as"
    f" published {null_P.mean():.2f} ± {null_P.std(ddof=1):.2f}. Gains are the"
    " lowest and highest over repeats.",
  )
