"""Figure of shifted operands: the published curve, and matched changes."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns losses under shifts that keep the sum, as published and in range;
  and the change of the answer over that under a matched change of the sum."""
  figure = style.new(6.6)
  upper, lower = style.parts(figure, (3.2, 3.4))
  published, changes = upper.subplots(1, 2)
  _published(published, result)
  _changes(changes, result)
  _ratios(lower.subplots(1, 1), result)
  return figure


def _published(ax, result) -> None:
  for value_SxR, colour, label in (
    (result.loss_as_published_SxR, style.ORANGE, "all rows, as published"),
    (result.in_range_SxR, style.BLUE, "rows in range"),
  ):
    style.curves(ax, result.delta_R, value_SxR, colour=colour, label=label)
  ax.set_yscale("log")
  ax.set(
    title="Loss under (x + d, y - d)",
    xlabel="d",
    ylabel="squared error" if result.unit == "raw" else result.unit,
  )
  ax.legend()


def _changes(ax, result) -> None:
  """Draws changes of the answer of rows in range, d above 0."""
  up_R = np.asarray(result.delta_R) > 0
  for value_SxR, colour, label in (
    (result.kept_SxR, style.BLUE, "(x + d, y - d)"),
    (result.broken_SxR, style.ORANGE, "(x + d, y)"),
  ):
    style.curves(
      ax,
      np.asarray(result.delta_R)[up_R],
      np.asarray(value_SxR)[:, up_R],
      colour=colour,
      label=label,
    )
  ax.set_xscale("log")
  ax.set_yscale("log")
  ax.set(title="Change of the answer, rows in range", xlabel="d")
  ax.legend()


def _ratios(ax, result) -> None:
  names = [row["symmetry"] for row in result.symmetries]
  for value_SxE, colour, label, shift in (
    (result.untrained_ratio_VxE, style.GREY, "untrained", 0.15),
    (result.ratio_SxE, style.BLUE, "trained", -0.15),
  ):
    value_SxE = np.asarray(value_SxE, float)
    at_E = np.arange(len(names)) + shift
    for s, value_E in enumerate(value_SxE):
      ax.plot(at_E, value_E, "o", ms=4, alpha=0.7, color=colour, label="" if s else label)
  ax.axhline(1, color="black", lw=0.9, ls="--")
  ax.set_yscale("log")
  ax.set_xticks(range(len(names)), names, rotation=12, ha="right")
  ax.set(
    title="Symmetries, digit counts kept", ylabel="change over that with\nthe sum changed as much"
  )
  ax.legend()
