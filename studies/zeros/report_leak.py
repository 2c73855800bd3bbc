"""The report on the leak: all runs in one table, then each run's positions."""

from primelens.lens import claims as trial
from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.studies.zeros import leak as leak_lib
from primelens.studies.zeros import leak_evidence as evidence

NOTE = (
  "The slots of the published memory bank read the whole window, later"
  " spacings included, and every position reads the slots: from the second"
  " layer on, all positions but the last are told their target"
  " (leaky_as_published). Blind slots read slots alone; none has no slots. The"
  " leak is the change of the NLL of the same targets when the inputs behind"
  " them are hidden, at equal context; a network trained on whole windows may"
  " lose more by that than it was told, so its distance from the same network"
  " without memory stands beside it. The last position of our windows has its"
  " target in no input, so its NLL is free of it. A leaky network's NLL"
  " anywhere else on this page is no NLL of a prediction. Its checkpoint, as"
  " every one, was chosen by the NLL over all positions of select."
)


def leak(tables) -> page.Markup:
  """Returns the joint table of all runs, then what each was told."""
  caption = "loss by position, the leak, and attention to the slots."
  runs = report_ledger.each(tables, "leak", caption, _positions)
  return page.join([page.tag("p", NOTE), _joint(tables), runs])


def _joint(tables) -> page.Markup:
  """Returns one row per run: mask, input, positions, losses and leak."""
  found = {run: table["leak"].result for run, table in tables.items() if "leak" in table}
  if not found:
    return page.join([])
  return page.table(
    (
      "run",
      "slots",
      "reads",
      "positions",
      "NLL, all positions",
      "NLL, last position",
      "leak",
      "R², all",
      "R², last",
      "minus no memory, all",
      "minus no memory, last",
      "blind slots cost, all",
      "blind slots cost, last",
    ),
    [_row(run, result, found) for run, result in found.items()],
    caption="NLL and its changes in nats per spacing on test; 95 % intervals"
    " over seeds and blocks.",
    text=(0, 1, 2, 3),
    marked=[
      i for i, result in enumerate(found.values()) if result.setting[0]["mode"] == evidence.LEAKY
    ],
  )


def _row(run, result, found):
  setting = result.setting[0]
  own = {row["where"]: row for row in result.scores if row["evaluated"] == leak_lib.OWN}
  every, last = own[leak_lib.ALL], own[leak_lib.LAST]
  return (
    run,
    setting["mode"],
    "s - 1" if setting["residual"] else "s",
    setting["positions"],
    *(_bounded(row, signed=False) for row in (every, last)),
    _bounded(evidence.told(result)),
    *(page.number(row["r2"], digits=3) for row in (every, last)),
    *(_beside(result, found, where) for where in ("all", "last")),
    *(_cost(result, where) for where in (leak_lib.ALL, leak_lib.LAST)),
  )


def _bounded(row, **style) -> page.Markup:
  ends = row["nats"], row["low"], row["high"]
  return page.bounded(*ends, **{"digits": 3} | style)


def _beside(result, found, where: str):
  """Returns the distance from the same network without memory, "–" without
  one."""
  none = evidence.companion(result, found, evidence.NONE)
  if none is None or none is result:
    return "–"
  return _bounded(evidence.difference(result, none, where))


def _cost(result, where: str):
  """Returns what it costs to keep a bank's slots blind, "–" without one."""
  change = f"blind minus as trained, {where}"
  try:
    return _bounded(trial.row(result.changes, change=change))
  except trial.Missing:
    return "–"


def _positions(result) -> page.Markup:
  """Returns the NLL at each position, whole and cut, and every score."""
  head = ("position", "whole window", "window ends there", "leak")
  positions = page.table(
    head,
    [
      (
        page.number(int(t)),
        *(
          page.number(float(nll_SxR[:, r].mean())) for nll_SxR in (result.full_SxR, result.cut_SxR)
        ),
        page.bounded(
          *(end_R[r] for end_R in (result.leak_R, result.leak_low_R, result.leak_high_R))
        ),
      )
      for r, t in enumerate(result.position_R)
    ],
    caption=f"NLL in nats of the same targets on {result.all_SxN.shape[1]:,}"
    " windows of test, mean over seeds.",
    text=(),
  )
  scores = page.table(
    ("network", "scored at", "NLL", "R²", "correlation"),
    [
      (
        row["evaluated"],
        row["where"],
        _bounded(row, signed=False),
        page.number(row["r2"], digits=3),
        page.number(row["correlation"], digits=3),
      )
      for row in result.scores
    ],
    caption="NLL in nats, and R² and correlation of the mean with the truth.",
    text=(0, 1),
  )
  return page.join([positions, page.details("All scores", scores)])
