"""The figure of `anchors`: model and anchors, overall and by height."""

import numpy as np
from primelens.studies import plots_style as style


@style.styled
def figure(result):
  """Returns the figure: NLL sorted with intervals, and NLL by height block."""
  rows = len(result.table)
  upper, lower = 1.2 + 0.28 * rows, 3.4
  figure = style.new(upper + lower)
  top, bottom = style.parts(figure, [upper, lower])
  _ranked(top.subplots(), result)
  _by_height(bottom.subplots(), result)
  return figure


def _label(row) -> str:
  count = row.get("parameters")
  return row["name"] + (f"  ({count:,})" if count else "")


def _ranked(axes, result):
  """Draws a point and an interval per predictor, the best on top."""
  order = sorted(range(len(result.table)), key=lambda e: -result.table[e]["nll_nats"])
  for place, e in enumerate(order):
    row, mine = result.table[e], e == 0
    colour = style.BLUE if mine else style.GREY
    value, low, high = ([row[key]] for key in ("nll_nats", "low", "high"))
    style.whiskers(axes, value, low, high, [place], colour=colour)
    if mine:
      axes.axhspan(place - 0.5, place + 0.5, color=style.BLUE, alpha=0.08, lw=0)
      ticks = np.full(len(result.nll_S), float(place))
      axes.plot(result.nll_S, ticks, "|", color=colour, ms=11, mew=1)
    axes.annotate(
      f"{row['nll_nats']:+.3f}",
      (1.01, place),
      xycoords=("axes fraction", "data"),
      va="center",
      color=colour,
      fontweight="bold" if mine else "normal",
    )
  names = [_label(result.table[e]) for e in order]
  axes.set_yticks(range(len(order)), names)
  axes.get_yticklabels()[order.index(0)].set_fontweight("bold")
  axes.set_ylim(-0.6, len(order) - 0.4)
  axes.set_xlabel(f"NLL ({style.NATS}); further left is better")
  axes.set_title(
    f"Model and anchors on the same {result.scored:,} spacings of"
    f" {result.split}\n(bars: 95 % interval; strokes: seeds;"
    " in brackets: number of parameters)"
  )


def _by_height(axes, result):
  """Draws the NLL of every predictor by block of height."""
  last = np.asarray(result.block_nll_ExP)[:, -1]
  for e in np.argsort(-last):
    mine = e == 0
    axes.plot(
      result.height_P,
      result.block_nll_ExP[e],
      color=style.BLUE if mine else style.colour(1 + (e - 1) % 6),
      ls="-" if mine else style.DASHES[(e - 1) // 6 + 1],
      lw=2.6 if mine else 1.3,
      marker="o",
      ms=5 if mine else 3,
      zorder=3 if mine else 2,
      label=result.table[e]["name"],
    )
  index = np.array_equal(result.height_P, np.round(result.height_P))
  axes.set_xlabel(
    "index of the block's first spacing" if index else "height t of the block's first zero"
  )
  axes.set_ylabel(f"NLL ({style.NATS})")
  axes.set_title("By height: the sequence is not stationary")
  axes.xaxis.set_major_formatter("{x:,.0f}")
  axes.xaxis.set_major_locator(style.locator(5))
  axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
