"""The figure of `yardstick`: R2 and NLL by height, networks on top."""

import numpy as np
from matplotlib import colors
from matplotlib import lines as mpl_lines
from primelens.studies import plots_style as style

_HUES = {
  "constant": style.GREY,
  "untrained": style.GREY,
  "kernel": style.PURPLE,
  "filter": style.AMBER,
  "adaptive": style.GREEN,
  "formula": style.BLUE,
}
# What is worse than these is drawn as an arrow at the edge.
_LEAST_R2, _MOST_NLL, _MOST_EXCESS = -0.15, 1.0, 2.5


@style.styled
def figure(result):
  """Returns the figure: R², NLL, and the network's excess, by height."""
  figure = style.new(8.8)
  (r2, loss), (excess, left) = figure.subplots(2, 2)
  lines = _lines(result.table)
  for rows, look in lines.values():
    ends = ("r2_low", "r2_high")
    _line(r2, rows, "r2", ends, look, (_LEAST_R2, 1.0))
    ends = ("low", "high")
    _line(loss, rows, "nll_nats", ends, look, (-np.inf, _MOST_NLL))
    if rows[0]["kind"] != "network":
      rows = [row | {"seen": row["excess_seen"]} for row in rows]
      ends = ("excess_low", "excess_high")
      limits = (-_MOST_EXCESS, _MOST_EXCESS)
      _line(excess, rows, "excess_nats", ends, look, limits)
  r2.set_ylabel("R² of the next spacing")
  r2.set_title("How much is predicted")
  loss.set_ylabel(f"NLL ({style.NATS})")
  loss.set_title("Likelihood")
  excess.axhline(0, color="black", lw=0.9)
  excess.set_ylabel(f"network − predictor ({style.NATS})")
  excess.set_title("The network's NLL above each (below 0: better)")
  for axes in (r2, loss, excess):
    axes.set_xscale("log")
    axes.set_xlabel("height of the zeros")
    axes.margins(x=0.08, y=0.06)
  left.set_axis_off()
  left.legend(*_key(lines), loc="center left")
  return figure


def _lines(table) -> dict:
  """Returns every predictor's rows by height, and how it is drawn."""
  found: dict = {}
  for row in table:
    found.setdefault(row["name"], []).append(row)
  of_kind: dict = {}
  for name, rows in found.items():
    of_kind.setdefault(rows[0]["kind"], []).append(name)
  looks = {
    name: _look(kind, i, len(names))
    for kind, names in of_kind.items()
    for i, name in enumerate(names)
  }
  # The network last: on top.
  order = sorted(found, key=lambda name: found[name][0]["kind"] == "network")
  return {name: (found[name], looks[name]) for name in order}


def _look(kind: str, i: int, count: int) -> dict:
  """Returns the colour and the dashes of the i-th predictor of a kind."""
  if kind == "network":
    return {"color": style.ORANGE, "lw": 2.4, "ls": "-", "ms": 7, "zorder": 5}
  hue = np.array(colors.to_rgb(_HUES[kind]))
  pale = 0.55 * (1 - (i + 1) / count)  # the last of its kind is the strongest
  dash = style.DASHES[2] if kind == "untrained" else "-"
  ink = tuple(hue + pale * (1 - hue))
  return {"color": ink, "lw": 1.3, "ls": dash, "ms": 4.5, "zorder": 3}


def _line(axes, rows, key: str, ends, look, limits):
  """Draws one predictor; hollow where it is seen, arrows at the limits."""
  rows = sorted(rows, key=lambda row: row["height"])
  x_P = np.array([row["height"] for row in rows])
  true_P, *end_VxP = (np.array([row[one] for row in rows], float) for one in (key, *ends))
  y_P, low_P, high_P = (np.clip(v, *limits) for v in (true_P, *end_VxP))
  line = {k: look[k] for k in ("color", "lw", "ls", "zorder")}
  axes.plot(x_P, y_P, **line)
  beyond_P = y_P != true_P
  seen_P = np.array([row["seen"] for row in rows], bool)
  for seen in (False, True):
    here_P = ~beyond_P & (seen_P == seen)
    if here_P.any():
      style.whiskers(
        axes,
        y_P[here_P],
        low_P[here_P],
        high_P[here_P],
        x_P[here_P],
        colour=look["color"],
        vertical=True,
        ms=look["ms"],
        zorder=look["zorder"],
        lw=1.1,
        mfc="white" if seen else look["color"],
      )
  for p in np.flatnonzero(beyond_P):
    x, y, true = x_P[p], y_P[p], true_P[p]
    mark = {"marker": "v" if true < y else "^", "ms": look["ms"] + 2}
    mark |= {"mfc": "white" if seen_P[p] else look["color"]}
    axes.plot([x], [y], color=look["color"], zorder=look["zorder"], **mark)
    if rows[0]["kind"] == "network":
      _say(axes, f"{true:.1f}", x, y, below=true < y)


def _say(axes, text: str, x: float, y: float, *, below: bool):
  """Writes where the network is that left the panel, inside of its arrow."""
  axes.annotate(
    text,
    (x, y),
    (0, 8 if below else -8),
    textcoords="offset points",
    ha="center",
    va="bottom" if below else "top",
    fontsize=8,
    color=style.ORANGE,
    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    zorder=6,
  )


def _key(lines):
  """Returns handles and names of the legend, the network's first."""
  handles = [
    mpl_lines.Line2D([], [], color=look["color"], lw=look["lw"], ls=look["ls"])
    for _, look in lines.values()
  ]
  names = list(lines)
  hollow, arrow = (
    mpl_lines.Line2D([], [], color=style.GREY, ls="none", marker=mark, mfc=fill)
    for mark, fill in (("o", "white"), ("^", style.GREY))
  )
  return (
    [*handles[::-1], hollow, arrow],
    [
      *names[::-1],
      "hollow: heights of its train or select split",
      "arrow: beyond the panel, see the table",
    ],
  )
