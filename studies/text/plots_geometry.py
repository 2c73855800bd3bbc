"""Figure of the states' geometry: the first plane, and its components."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style

DOTS = 2000  # more points than that cannot be seen


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns one member's planes, coloured by the sum, the prompt's length, and
  the residue where one is asked for; below them every member's components."""
  panels = _panels(result)
  columns = 2 if len(panels) <= 4 else 3
  rows = -(-len(panels) // columns)
  figure = style.new(3.2 * rows + 3.0)
  upper, lower = style.parts(figure, (3.2 * rows, 3.0))
  grid = upper.subplots(rows, columns, squeeze=False)
  for ax in grid.flat[len(panels) :]:
    ax.set_axis_off()
  for ax, panel in zip(grid.flat, panels, strict=False):
    _scatter(upper, ax, *panel)
  shares, sums, circles = lower.subplots(1, 3)
  for ax, name, title in (
    (shares, "share", "Share of variance"),
    (sums, "sum_r2", "Squared correlation with x + y"),
  ):
    _components(ax, result, name, title)
  _circles(circles, result)
  return figure


def _panels(result) -> list[tuple]:
  """Returns plane, colours and words of every scatter."""
  by_sum = (np.asarray(result.sum_N), "x + y", "viridis")
  turns_N = np.asarray(result.angle_N) / (2 * np.pi)
  by_turn = (turns_N, "residue / k", "hsv")
  asked = result.question == "modk"
  by_length = (np.asarray(result.length_N), "characters", "plasma")
  first = ("First member", "PC1", "PC2")
  panels = [(result.plane_Nx2, *by, *first) for by in (by_sum, by_length)]
  if asked:
    panels.append((result.plane_Nx2, *by_turn, *first))
    words = ("Regressed angle", "cos", "sin")
    panels.append((result.wave_Nx2, *by_turn, *words))
  if len(result.tsne_Bx2):
    for colours in (by_sum, by_turn)[: 1 + asked]:
      panels.append((result.tsne_Bx2, *colours, "t-SNE", "1", "2"))
  return panels


def _scatter(part, ax, plane_Nx2, value_N, name, colours, title, x, y) -> None:
  plane_Nx2 = np.asarray(plane_Nx2, float)[:DOTS]
  value_N = value_N[: len(plane_Nx2)]
  dots = ax.scatter(*plane_Nx2.T, c=value_N, cmap=colours, s=3)
  part.colorbar(dots, ax=ax).set_label(name)
  ax.set(title=title, xlabel=x, ylabel=y)


def _components(ax, result, name: str, title: str) -> None:
  for field, colour, label in (
    (f"untrained_{name}_VxQ", style.GREY, "untrained"),
    (f"{name}_SxQ", style.BLUE, "members"),
  ):
    value_SxQ = np.asarray(getattr(result, field), float)
    at_Q = np.arange(1, value_SxQ.shape[1] + 1)
    style.curves(ax, at_Q, value_SxQ, colour=colour, label=label)
  ax.xaxis.set_major_locator(style.locator(5, integer=True))
  ax.set(title=title, xlabel="component", ylim=(-0.03, 1.03))
  ax.legend()


def _circles(ax, result) -> None:
  """Draws how much of cos and sin of the residue's angle is in the plane, and
  in all of the states; or what PC1 has of the sum and of the length."""
  names, title = {"PC1_r2": "x + y", "PC1_by_length": "length"}, "PC1 explained"
  if result.question == "modk":
    names = {"circularity_r2": "plane", "fourier_r2": "states"}
    title = "Residue's circle"
  rows = [
    row for row in result.measures if row["rows"] == "fresh pairs" and row["measure"] in names
  ]
  for at, row in enumerate(rows):
    value_S = np.asarray(row["values"], float)
    ax.bar(at, np.median(value_S), 0.6, color=style.SKY)
    ax.plot(np.full(len(value_S), at), value_S, "o", ms=3, color=style.BLUE)
    ax.hlines(row["untrained"], at - 0.4, at + 0.4, color=style.GREY, lw=1.8)
  ax.axhline(0, color="black", lw=0.8)
  words = [f"{row['pooling']}\n{names[row['measure']]}" for row in rows]
  ax.set_xticks(range(len(rows)), words, fontsize=7.5)
  ax.set(title=title, ylabel="R²")
