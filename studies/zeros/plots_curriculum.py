"""The figure of `curriculum`: students by the way they were taught."""

import numpy as np
from primelens.studies import plots_style as style


@style.styled
def figure(result):
  """Returns the figure: NLL by student, KL from the teacher, differences."""
  height = 1.2 + 0.27 * len(result.contrasts)
  figure = style.new(3.9 + height)
  top, bottom = style.parts(figure, [3.9, height])
  losses, kl = top.subplots(1, 2)
  _losses(losses, result)
  _kl(kl, result)
  top.legend(*losses.get_legend_handles_labels(), loc="outside lower center", ncols=4)
  _contrasts(bottom.subplots(), result.contrasts)
  return figure


def _bounded(rows) -> list[list[float]]:
  """Returns estimates, lower and upper ends."""
  return [[row[key] for row in rows] for key in ("nats", "low", "high")]


def _students(axes, result):
  names = [row["student"].replace(", ", "\n") for row in result.students]
  axes.set_xticks(range(len(names)), names)


def _losses(axes, result):
  """Draws the NLL of each student and way, beside teacher and filter."""
  names = [row["student"] for row in result.students]
  ways = [row["arm"] for row in result.arms]
  rows = {(row["student"], row["arm"]): row for row in result.table}
  for r, way in enumerate(ways):
    found = [rows[name, way] for name in names]
    place = np.arange(len(names)) + 0.15 * (r - (len(ways) - 1) / 2)
    value, low, high = _bounded(found)
    colour = style.colour(r)
    style.whiskers(axes, value, low, high, place, colour=colour, vertical=True, label=way)
  anchors = [row for row in result.table if row["student"] not in names]
  for dashes, row in zip(style.DASHES[1:], anchors, strict=False):
    axes.axhline(row["nats"], color="black", lw=1, ls=dashes, label=row["student"])
  _students(axes, result)
  axes.set_ylabel(f"NLL on test ({style.NATS})")
  axes.set_title(f"Students after {result.steps} steps (bars: 95 %)")


def _kl(axes, result):
  """Draws how far each student is from the whole teacher, seeds as points."""
  for r in range(len(result.arms)):
    for v, kl_SxR in enumerate(np.asarray(result.kl_VxSxR, float)):
      place = v + 0.15 * (r - (len(result.arms) - 1) / 2)
      axes.plot(np.full(len(kl_SxR), place), kl_SxR[:, r], "o", color=style.colour(r), ms=4.5)
  _students(axes, result)
  axes.set_ylim(bottom=0)
  axes.set_ylabel(f"KL ({style.NATS})")
  axes.set_title("KL from the whole teacher (a point per seed)")


def _contrasts(axes, rows):
  place = [-at for at in range(len(rows))]
  value, low, high = _bounded(rows)
  style.whiskers(axes, value, low, high, place, colour=style.GREEN, ms=4)
  labels = [f"{row['student']}: {row['contrast']}" for row in rows]
  axes.set_yticks(place, labels, fontsize=8)
  axes.axvline(0, color="black", lw=0.8)
  axes.set_xlabel(f"difference of the NLL ({style.NATS}; below 0: better)")
  axes.set_title("The curriculum beside the other ways (bars: 95 %)")
