"""Sections of the report on readings: masks, heads, formulas, linear parts."""

import numpy as np
from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.studies.zeros import published, report_formulas


def masking(tables) -> page.Markup:
  """Returns the masks: all models in one table, then every run's curves."""
  note = page.tag(
    "p",
    "The published masks removed the smallest weights of one network by one"
    " global threshold, at the ratio that was best on the data reported, and"
    " the gain was read as a core of knowledge. Here the ratio is chosen on"
    " select and reported on test, beside random masks, noise of the same norm"
    " and a recalibration of two numbers. The reading holds only where masking"
    " beats recalibration: last column below 0.",
  )
  curves = report_ledger.each(
    tables,
    "masking",
    "NLL by fraction of weights removed, with controls, and what survives.",
    _curves,
  )
  return page.join([note, _masks(tables), curves])


def _masks(tables) -> page.Markup:
  """Returns the published cross-model table with our runs below it."""
  rows = [
    (
      row["model"],
      page.badge("published", "odd"),
      page.number(row["intact"], digits=3),
      f"{row['ratio']:.2f}",
      "the data reported",
      f"{row['best'] - row['intact']:+.3f}",
      "–",
      "–",
    )
    for row in published.MASKING_MODELS
  ]
  ours = [
    (run, row)
    for run, table in tables.items()
    if "masking" in table
    for row in table["masking"].result.summary
  ]
  rows += [_mask_row(run, row) for run, row in ours]
  return page.table(
    (
      "model",
      "from",
      "intact NLL",
      "ratio",
      "chosen on",
      "masking",
      "recalibration alone",
      "masking minus recalibration",
    ),
    rows,
    caption="Change of the NLL in nats per spacing; below 0 is better."
    " Published: no intervals, no controls.",
    text=(0, 1, 4),
    marked=[
      len(published.MASKING_MODELS) + i for i, (_, row) in enumerate(ours) if row["seed"] == "all"
    ],
  )


def _mask_row(run, row):
  seed = "all seeds" if row["seed"] == "all" else f"seed {row['seed']}"
  change = lambda key: page.bounded(*(row[f"{key}_{end}"] for end in ("nats", "low", "high")))
  return (
    f"{run}, {seed}",
    page.badge("this page", "good"),
    page.number(row["intact_nll_nats"]),
    f"{row['ratio_chosen_on_select']:.2f}",
    "select",
    change("masking_gain"),
    change("recalibration_gain"),
    change("masking_minus_recalibration"),
  )


def _curves(result) -> page.Markup:
  """Returns the change by ratio and variant, with the published curve."""
  reported = dict(published.MASKING_E4)
  names = [row["variant"] for row in result.variants]
  rows = []
  for r, ratio in enumerate(result.ratio_R):
    nll = reported.get(round(float(ratio), 6))
    row = [f"{ratio:g}"]
    for v in range(len(names)):
      ends = result.delta_low_VxR[v, r], result.delta_high_VxR[v, r]
      row.append(page.bounded(result.delta_VxR[v, r], *ends))
    change = None if nll is None else nll - reported[0.0]
    rows.append((*row, page.number(change, signed=True)))
  table = page.table(
    ("removed", *names, "published E4, seed 7"),
    rows,
    caption=f"Change of the NLL in nats on {result.windows:,} windows of test."
    f" Masks choose among {result.selected:,} weights and leave"
    f" {result.left_out:,} alone.",
    text=(),
  )
  return page.details("Change by fraction removed", table)


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
