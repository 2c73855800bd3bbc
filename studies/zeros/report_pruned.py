"""Sections of the report on pruning and on the curriculum."""

from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.studies.zeros import claims_pruned, published

STARTS = {"trained": "its weights", "scratch": "scratch"}


def pruned(tables) -> page.Markup:
  """Returns what pruning and training again did to every run."""
  total = published.E4["parameters"]
  removed = claims_pruned.HEADS - claims_pruned.KEPT
  left = claims_pruned.remaining(total, removed, claims_pruned.HEAD_SIZE)
  note = page.tag(
    "p",
    "The study planned to prune to the critical heads and train again, and did"
    f" not. Its core of 1.2 M parameters is {claims_pruned.KEPT} of"
    f" {claims_pruned.HEADS} heads' share of the whole network; a head of it"
    f" has {claims_pruned.HEAD_SIZE:,} numbers, so that {left:,} of {total:,}"
    " remain. Here heads are ranked on select by what replacing them by their"
    " mean costs, the rest is removed for good, and what remains is trained"
    " again from its weights and from scratch for equally many steps. As many"
    " random heads, other layers and random masks stand beside it, and the"
    " intact network trained as long: training again alone changes the NLL."
    " Few steps favour a start from trained weights.",
  )
  caption = "NLL before and after training again, and paired differences."
  return page.join([note, report_ledger.each(tables, "pruned", caption, _pruned)])


def _pruned(result) -> page.Markup:
  arms = page.table(
    ("removed from", "what stays", "kept", "start", "parameters", "NLL before", "NLL after"),
    [_arm(row) for row in result.arms],
    caption=f"NLL in nats on {result.windows:,} windows of test, after"
    f" {result.steps:,} steps of {result.batch_size} windows; a row per random"
    " draw.",
    text=(0, 1, 3),
    marked=[0],
  )
  return page.join([_differences(result), page.details("Every arm", arms)])


def _arm(row):
  after = (row[f"after_{key}"] for key in ("nats", "low", "high"))
  return (
    row["what"],
    row["choice"],
    f"{row['kept']:g}" if row["what"] == "heads" else f"{row['kept']:.2f}",
    STARTS[row["start"]],
    page.number(round(row["parameters"])),
    page.number(row["before_nats"]),
    page.bounded(*after, signed=False),
  )


def _differences(result) -> page.Markup:
  return page.table(
    ("removed from", "kept", "difference", "nats"),
    [
      (
        row["what"],
        f"{row['kept']:g}" if row["what"] == "heads" else f"{row['kept']:.2f}",
        row["contrast"],
        page.bounded(row["nats"], row["low"], row["high"]),
      )
      for row in result.contrasts
    ],
    caption="Paired differences of the NLL in nats on test, mean over random"
    " draws, interval over seeds and blocks; below 0 is better.",
    text=(0, 2),
  )


def curriculum(tables) -> page.Markup:
  """Returns the students of every run's network."""
  note = page.tag(
    "p",
    "The study planned, and never ran, a curriculum: the teacher's small"
    " weights are masked, 0.8 of them at first and none at the end, while a"
    " student minimises a mix of NLL and KL from the teacher. It distils"
    " something of its own only where it beats the same student without a"
    " teacher, with the whole teacher, and with an untrained one.",
  )
  caption = "students by the way they were taught."
  return page.join([note, report_ledger.each(tables, "curriculum", caption, _curriculum)])


def _curriculum(result) -> page.Markup:
  sizes = {row["student"]: row["parameters"] for row in result.students}
  bounded = lambda row, **style: page.bounded(row["nats"], row["low"], row["high"], **style)
  losses = page.table(
    ("student", "taught by", "parameters", "NLL"),
    [
      (
        row["student"],
        row["arm"],
        page.number(sizes.get(row["student"])),
        bounded(row, signed=False),
      )
      for row in result.table
    ],
    caption=f"NLL in nats on {result.windows:,} windows of test, after"
    f" {result.steps:,} steps of {result.batch_size} windows.",
    text=(0, 1),
  )
  differences = page.table(
    ("student", "difference", "change"),
    [(row["student"], row["contrast"], bounded(row)) for row in result.contrasts],
    caption="The curriculum beside each other way: paired differences in nats,"
    " interval over seeds and blocks; below 0 is better.",
    text=(0, 1),
  )
  return page.join([losses, differences])
