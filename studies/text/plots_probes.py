"""Figure of linear probes: R2 by level and role, and as published."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns per target the R2 of members and untrained networks by level and
  role, and of the final states; below, the published probes by position."""
  targets = [row["target"] for row in result.targets]
  figure = style.new(5.6 * len(targets) + 3.2)
  parts = style.parts(figure, (*[2.7, 2.9] * len(targets), 3.2))
  for p, target in enumerate(targets):
    maps = parts[2 * p].subplots(1, 2, sharey=True)
    _map(parts[2 * p], maps[0], result, result.r2_PxSxExR[p], target)
    fresh_VxExR = result.untrained_PxVxExR[p]
    _map(parts[2 * p], maps[1], result, fresh_VxExR, f"{target}, untrained")
    _by_role(parts[2 * p + 1].subplots(), result, p, target)
  _published(parts[-1].subplots(1, 2, width_ratios=(3, 1)), result)
  return figure


def _map(part, ax, result, r2_SxExR, title: str) -> None:
  """Draws the median R2 over networks, embeddings at the bottom."""
  r2_ExR = np.median(np.asarray(r2_SxExR, float), axis=0)
  image = style.heat_map(ax, r2_ExR, vmin=0, vmax=1, aspect="auto")
  part.colorbar(image, ax=ax).set_label("R²")
  roles = [row["role"] for row in result.roles]
  levels = [row["level"] for row in result.levels]
  ax.set_xticks(range(len(roles)), roles, rotation=60, fontsize=7.5)
  ax.set_yticks(range(len(levels)), levels)
  ax.grid(False)
  ax.set(title=title)


def _by_role(ax, result, p: int, target: str) -> None:
  """Draws the final states' R2 by role beside what needs no training."""
  roles = [row["role"] for row in result.roles]
  at_R = np.arange(len(roles))
  for r2_VxR, colour, label in (
    (result.untrained_PxVxExR[p][:, -1], style.GREY, "untrained"),
    (result.r2_PxSxExR[p][:, -1], style.BLUE, "members"),
  ):
    style.curves(ax, at_R, r2_VxR, colour=colour, label=label)
  inputs_R = np.asarray(result.inputs_PxR[p], float)
  ax.plot(at_R, inputs_R, ":", color=style.ORANGE, label="characters alone")
  ax.axhline(0, color="black", lw=0.8)
  ax.set_xticks(at_R, roles, rotation=30, fontsize=8)
  ax.set(title=f"Final states, {target}, pairs not seen", ylabel="R²")
  ax.legend()


def _published(panels, result) -> None:
  """Draws probes of x + y fitted and scored on the select rows."""
  by_position, pooled = panels
  positions = np.arange(np.shape(result.positions_SxT)[1])
  for r2_VxT, colour, label in (
    (result.positions_untrained_VxT, style.GREY, "untrained, in sample"),
    (result.full_SxT, style.GREEN, "members, over folds of full rows"),
    (result.positions_SxT, style.BLUE, "members, in sample"),
  ):
    style.curves(by_position, positions, r2_VxT, colour=colour, label=label)
  by_position.set(title="x + y as published, by raw position", xlabel="position", ylabel="R²")
  below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 3}
  by_position.legend(**below)
  for at, (value_S, colour) in enumerate(
    ((result.pooled_S, style.BLUE), (result.pooled_untrained_V, style.GREY))
  ):
    value_S = np.asarray(value_S, float)
    pooled.plot(np.full(len(value_S), at), value_S, "o", ms=4, color=colour)
    pooled.hlines(np.median(value_S), at - 0.2, at + 0.2, color=colour, lw=1.8)
  pooled.set_xticks(range(2), ["members", "untrained"])
  pooled.set(title="Last character, in sample", xlim=(-0.6, 1.6))
