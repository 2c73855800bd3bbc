"""Figure of training: losses with phase lines, measures of the mechanism."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style

_PHASES = ("peak", "formed", "cleaned")
MOST = 0.9  # of the members: a phase line of fewer would mean little


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns losses (log) above, everything else below, phases as lines."""
  figure = style.new(6.8)
  upper, lower = figure.subplots(2, 1, sharex=True)
  for loss, ax in ((True, upper), (False, lower)):
    rows = [v for v, row in enumerate(result.curves) if row["loss"] == loss]
    for number, v in enumerate(rows):
      _curve(ax, result, v, number)
    _phase_lines(ax, result, named=loss)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
  floor = np.asarray(result.curve_VxSxC)[:2]
  upper.set_yscale("log")
  upper.set_ylim(max(floor[floor > 0].min() / 3, 1e-12), None)
  upper.axhline(result.uniform_nll, color=style.GREY, lw=0.8, ls=":")
  upper.set(title="Losses (dotted: a guess, ln C)", ylabel="nats")
  lower.set(
    title="Accuracy and measures of the mechanism",
    xlabel="training step",
    ylabel="share, R² or similarity",
    ylim=(-0.03, 1.05),
  )
  return figure


def _curve(ax, result, v: int, number: int) -> None:
  y_SxC = np.asarray(result.curve_VxSxC[v], float)
  dash = style.DASHES[number // len(style.COLOURS)]
  colour = style.colour(number)
  if len(y_SxC) > 1:
    ax.plot(result.step_C, y_SxC.T, color=colour, lw=0.4, alpha=0.35)
  ax.plot(
    result.step_C,
    np.median(y_SxC, axis=0),
    color=colour,
    lw=1.8,
    ls=dash,
    label=result.curves[v]["title"],
  )


def _phase_lines(ax, result, *, named: bool) -> None:
  """Draws the boundaries that most members reach, at their median."""
  rows = [
    row
    for row in result.phases
    if row["boundary"] in _PHASES and row["reached"] >= MOST * row["members"]
  ]
  for number, row in enumerate(rows):
    ax.axvline(row["median"], color=style.GREY, lw=0.9, ls="--")
    if named:
      ax.text(
        row["median"],
        1.0 - 0.05 * number,
        f" {row['boundary']}",
        transform=ax.get_xaxis_transform(),
        ha="left",
        va="top",
        fontsize=8,
        color=style.GREY,
      )
