"""The figure of `pruned`: what a removal costs, and what training returns."""

import numpy as np
from primelens.studies import plots_style as style

STARTS = {"trained": style.BLUE, "scratch": style.ORANGE}
NAMES = {"trained": "from its weights", "scratch": "from scratch"}


@style.styled
def figure(result):
  """Returns the figure: the NLL of every arm, and the paired differences."""
  groups = grouped(result.arms)
  upper, lower = 1.4 + 0.27 * len(groups), 1.3 + 0.23 * len(result.contrasts)
  figure = style.new(upper + lower)
  top, bottom = style.parts(figure, [upper, lower])
  _arms(top.subplots(), groups, result)
  _contrasts(bottom.subplots(), result.contrasts)
  return figure


def grouped(arms) -> dict[tuple, list[dict]]:
  """Returns the rows of each arm, its random draws together."""
  groups: dict[tuple, list[dict]] = {}
  for row in arms:
    key = (row["what"], row["kept"], row["choice"], row["start"])
    groups.setdefault(key, []).append(row)
  return groups


def part(what: str, kept: float) -> str:
  """Returns in words what an arm keeps."""
  if what == "network":
    return "whole network"
  if what == "heads":
    return f"{kept:g} heads kept"
  if "layers" in what:
    return f"{what} removed"
  return f"{kept:.2f} of the {what}"


def _arms(axes, groups, result):
  """Draws the NLL before and after training; a point per random draw."""
  labels = []
  for at, ((what, kept, choice, start), rows) in enumerate(groups.items()):
    colour, name = STARTS[start], NAMES[start]
    place = -(at + np.linspace(-0.15, 0.15, len(rows)))
    if len(rows) == 1:
      place = np.array([-at])
    low, high = ([row[f"after_{end}"] for row in rows] for end in ("low", "high"))
    axes.plot(
      [row["before_nats"] for row in rows],
      place,
      "o",
      color=style.GREY,
      mfc="white",
      ms=4.5,
      label="before training" if not at else None,
    )
    first = start not in [key[3] for key in list(groups)[:at]]
    style.whiskers(
      axes,
      [row["after_nats"] for row in rows],
      low,
      high,
      place,
      colour=colour,
      ms=4,
      label=f"after {result.steps} steps {name}" if first else None,
    )
    labels.append(f"{part(what, kept)}, {choice}")
  axes.set_yticks([-at for at in range(len(labels))], labels, fontsize=8)
  intact = result.arms[0]["after_nats"]
  axes.axvline(intact, color="black", lw=0.8, ls=":")
  axes.set_xlabel(f"NLL on test ({style.NATS}; dotted: intact, trained as long)")
  axes.set_title("Pruned, and trained again (bars: 95 %)")
  axes.legend(loc="best")


def _contrasts(axes, rows):
  value, low, high = ([row[k] for row in rows] for k in ("nats", "low", "high"))
  style.whiskers(axes, value, low, high, [-at for at in range(len(rows))], colour=style.GREEN, ms=4)
  labels = [f"{part(r['what'], r['kept'])}: {r['contrast']}" for r in rows]
  axes.set_yticks([-at for at in range(len(rows))], labels, fontsize=7.5)
  axes.axvline(0, color="black", lw=0.8)
  axes.set_xlabel(f"difference of the NLL ({style.NATS}; below 0: better)")
  axes.set_title("Paired differences (bars: 95 %, seeds and blocks)")
