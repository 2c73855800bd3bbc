"""Sections of the report on readings: masks, heads, formulas, linear parts."""

import numpy as np
from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.studies.zeros import published, report_formulas


def heads(tables) -> page.Markup:
  """Returns the head maps of every run and the published one in nats."""
  note = page.tag(
    "p",
    "The published script zeroed channels 32h to 32h + 31 of the attention's"
    " output, after the projection, where every head contributes: no head was"
    " removed. Here a head is removed at its own output, to zero and to its"
    " mean, and the published slice is kept beside it. The same on untrained"
    " networks is the null. Head numbers do not carry over from seed to seed.",
  )
  caption = "change of the NLL by head, joint removal, and the null."
  maps = report_ledger.each(tables, "heads", caption, _head_tables)
  table = page.table(
    ("layer", *(f"slice {h}" for h in range(8))),
    [
      (f"L{l}", *(page.number(x, signed=True) for x in row))
      for l, row in enumerate(published.HEADS_NATS_LxH)
    ],
    caption="Published 'head' effects of E4, seed 7, in nats: change from"
    f" {published.HEADS_BASELINE} on the first half of the tail, one seed, no"
    " intervals. They are effects of residual slices.",
    text=(),
  )
  return page.join([note, maps, page.tag("h3", "As published"), table])


def _head_tables(result) -> page.Markup:
  table = page.table(
    (
      "removal",
      "costliest head",
      "change",
      "heads with intervals clear of 0",
      "largest change, untrained",
    ),
    [_mode(result, v) for v in range(len(result.modes))],
    caption=f"Changes of the NLL in nats on {result.windows:,} windows of test,"
    f" mean over seeds; intact {float(np.mean(result.intact_S)):.4f}.",
    text=(0, 1),
  )
  names = [row["mode"].replace("_", " ") for row in result.modes]
  joint = page.table(
    ("heads removed", *names[: len(result.joint_PxSxR)]),
    [(page.number(int(count)), *_joint(result, r)) for r, count in enumerate(result.count_R)],
    caption="Joint removal, cheapest heads on select first, change in nats.",
    text=(),
  )
  return page.join([table, page.details("Joint removal", joint)])


def _mode(result, v):
  mean_LxH = result.delta_VxSxLxH[v].mean(0)
  l, h = np.unravel_index(np.argmax(mean_LxH), mean_LxH.shape)
  low_LxH, high_LxH = result.delta_low_VxLxH[v], result.delta_high_VxLxH[v]
  clear = int(np.sum((low_LxH > 0) | (high_LxH < 0)))
  null = float(np.abs(result.untrained_VxSxLxH[v]).max())
  return (
    result.modes[v]["mode"].replace("_", " "),
    f"L{l}.H{h}",
    page.bounded(mean_LxH[l, h], low_LxH[l, h], high_LxH[l, h]),
    f"{clear} of {mean_LxH.size}",
    page.number(null),
  )


def _joint(result, r):
  for p, joint_SxR in enumerate(result.joint_PxSxR):
    ends = result.joint_low_PxR[p, r], result.joint_high_PxR[p, r]
    yield page.bounded(joint_SxR[:, r].mean(), *ends)


def formula(tables) -> page.Markup:
  """Returns the formulas of every run and the published front."""
  caption = "fronts with their null, and c of c / (sum of k lags)."
  runs = report_ledger.each(tables, "formula", caption, report_formulas.formula)
  return page.join([report_formulas.PI, runs, report_formulas.published_front()])


def linear(tables) -> page.Markup:
  """Returns the linear operators of every run beside the published one."""
  caption = "coefficients by lag, their sum and R² by order."
  runs = report_ledger.each(tables, "linear", caption, report_formulas.linear)
  return page.join([report_formulas.OPERATOR, runs])
