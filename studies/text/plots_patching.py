"""Figure of exchanged states: every level and role, donors of both kinds."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns maps of levels and roles, means over members: how far the answer
  follows a donor of another sum, and how much donors of both kinds disturb it;
  and the first of untrained networks."""
  equal_SxExR, unequal_SxExR = np.asarray(result.disturbed_PxSxExR, float)
  maps = (
    ("Follows a donor of another sum", result.moved_SxExR),
    ("Disturbed by a donor of another sum", unequal_SxExR),
    ("Disturbed by a donor of the same sum", equal_SxExR),
    ("Untrained: follows a donor of another sum", result.untrained_moved_VxExR),
  )
  figure = style.new(2.1 * len(maps) + 0.6)
  panels = figure.subplots(len(maps), 1, sharex=True)
  for ax, (title, value_SxExR) in zip(panels, maps, strict=True):
    image = _map(ax, np.asarray(value_SxExR, float).mean(0), result)
    ax.set_title(title)
  names = [row["role"] for row in result.roles]
  panels[-1].set_xticks(range(len(names)), names, rotation=30, ha="right")
  figure.colorbar(image, ax=list(panels), aspect=40).set_label(
    "share of what the whole prompt does"
  )
  return figure


def _map(ax, value_ExR, result):
  image = style.heat_map(
    ax, value_ExR, colours="RdBu_r", vmin=-1, vmax=1, aspect="auto", origin="upper"
  )
  ax.set_yticks(range(len(result.levels)), [row["level"] for row in result.levels])
  for e, r in np.ndindex(value_ExR.shape):
    value = value_ExR[e, r]
    if np.isfinite(value) and abs(value) >= 0.005:
      ax.text(
        r,
        e,
        f"{value:.2f}",
        ha="center",
        va="center",
        fontsize=7.5,
        color="white" if abs(value) > 0.6 else "black",
      )
  return image
