"""Section of the report on memory slots: every diagnostic beside its null."""

import numpy as np
from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.studies.zeros import published_slots as published

_NOTE = (
  "The published diagnostics removed one memory slot at a time, on 500 random"
  " windows, each pass under another random order of the slot ids, and held"
  " every reading against a threshold. Here the ids are fixed, slots are also"
  " removed together, contents and ids are each switched off, which the source"
  " planned and never reported, and the same readings are taken of the networks"
  " before training: a threshold that these keep says nothing about what was"
  " learned. Two measurements of the same published weights gave 0.172 and"
  " 0.203 nats."
)
_STANDING = {"": "–"}


def slots(tables) -> page.Markup:
  """Returns the slot diagnostics of every run, with the published ones."""
  caption = "slots removed, read and permuted, and the blocks of test."
  runs = report_ledger.each(tables, "slots", caption, _tables)
  return page.join([page.tag("p", _NOTE), runs])


def _tables(result) -> page.Markup:
  readings = page.table(
    (
      "",
      "reading",
      "unit",
      "trained",
      "untrained",
      "trained is",
      "source's rule",
      "seeds that keep it",
      "untrained ones",
      *published.NETWORKS,
    ),
    [_reading(row) for row in result.table],
    caption="Mean over seeds, interval over seeds; the last columns as"
    " published. An untrained network that keeps the rule is its null.",
    text=(0, 1, 2, 5, 6),
  )
  removed = page.table(
    ("slots removed", "together", "sum of single ones, as published"),
    _joint(result),
    caption=f"Change of the NLL in nats on {result.windows:,} windows of test,"
    " mean over choices of the slots, interval over seeds and blocks.",
    text=(),
  )
  return page.join(
    [
      readings,
      page.details("Slots removed together", removed),
      page.details("The same weights measured again", _again(result)),
    ]
  )


def _reading(row):
  of = lambda met: "–" if met < 0 else f"{met} of {row['seeds']}"
  reported = published.READINGS.get(row["reading"], (None, None, None))
  ends = row["low"], row["high"]
  return (
    row["letter"],
    row["reading"],
    row["unit"] or "–",
    page.bounded(row["value"], *ends, signed=False),
    page.number(row["untrained"]),
    _STANDING.get(row["standing"], row["standing"]),
    row["rule"] or "–",
    of(row["met"]),
    of(row["untrained_met"]),
    *(page.number(value) for value in reported),
  )


def _joint(result):
  for p, (low, high) in enumerate(zip(result.joint_low_R, result.joint_high_R, strict=True)):
    yield (
      page.number(p),
      page.bounded(result.joint_SxR[:, p].mean(), low, high),
      page.number(float(result.sum_as_published_SxR[:, p].mean()), signed=True),
    )


def _again(result) -> page.Markup:
  """Returns how far one measurement of the same weights is from the next."""
  rows = []
  for s, (nll_R, single_R) in enumerate(
    zip(result.remeasured_nll_SxN, result.remeasured_single_SxN, strict=True)
  ):
    ends = [tuple(np.quantile(draws_R, (0.025, 0.975))) for draws_R in (nll_R, single_R)]
    apart = 1.96 * 2**0.5 * float(nll_R.std())
    rows.append(
      (
        page.number(s),
        page.interval(*ends[0], signed=False),
        page.number(apart),
        page.interval(*ends[1]),
      )
    )
  return page.table(
    ("seed", "NLL, 95 % of measurements", "two differ by up to", "largest single change, 95 %"),
    rows,
    caption=f"{result.random_windows} windows drawn again and again, in nats.",
    text=(),
  )
