"""Figure of removed and exchanged directions: by level, one by one, by fit."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style

COLOURS = (style.ORANGE, style.BLUE, style.AMBER, style.SKY, style.GREY)


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns skill without a subspace and the share of the way that another
  row's goes, by level, for every target; then directions removed one by one,
  and what the fit of a direction decides."""
  targets = [row["target"] for row in result.targets]
  figure = style.new(2.9 * (len(targets) + 1))
  upper, lower = style.parts(figure, (len(targets), 1))
  panels = upper.subplots(len(targets), 2, squeeze=False, sharex=True)
  for p, target in enumerate(targets):
    _levels(panels[p, 0], result, result.skill_PxSxExV[p], f"{target}: at its mean")
    _levels(panels[p, 1], result, result.moved_PxSxExV[p], f"{target}: exchanged")
    intact = float(np.median(result.intact_S))
    panels[p, 0].axhline(intact, color="black", lw=0.9, ls="--")
    panels[p, 0].set_ylabel("skill of the own answer")
    style.wide(panels[p, 0], result.skill_PxSxExV[p])
    panels[p, 1].set_ylabel("share of the way")
  panels[0, 0].legend(loc="best", fontsize=7.5)
  iterated, ladder = lower.subplots(1, 2)
  _iterated(iterated, result)
  _ladder(ladder, result)
  return figure


def _levels(ax, result, value_SxExV, title: str) -> None:
  names = [row["level"] for row in result.levels]
  for v, row in enumerate(result.variants):
    style.curves(
      ax,
      np.arange(len(names)),
      np.asarray(value_SxExV)[..., v],
      colour=COLOURS[v],
      label=row["variant"],
    )
  ax.axhline(0, color="black", lw=0.8)
  ax.set_xticks(range(len(names)), names)
  ax.set_title(title)


def _iterated(ax, result) -> None:
  step_R = np.arange(result.iterated_SxR.shape[1])
  for value_SxR, colour, label in (
    (result.iterated_null_SxR, style.GREY, "R2, new probe, permuted"),
    (result.iterated_SxR, style.BLUE, "R2, new probe"),
    (result.iterated_skill_SxR, style.ORANGE, "skill, own readout"),
  ):
    style.curves(ax, step_R, value_SxR, colour=colour, label=label)
  style.curves(
    ax, result.step_M, result.iterated_as_published_SxM, colour=style.SKY, label="R2, as published"
  )
  style.wide(ax, result.iterated_skill_SxR)
  ax.set(title="The sum's directions, one by one", xlabel="directions removed")
  ax.legend(fontsize=7.5)


def _ladder(ax, result) -> None:
  for k, row in enumerate(result.ladders):
    style.curves(
      ax, result.alpha_Q, result.ladder_skill_KxSxQ[k], colour=style.colour(k), label=row["ladder"]
    )
  ax.axhline(0, color="black", lw=0.8)
  ax.set_xscale("log")
  style.wide(ax, result.ladder_skill_KxSxQ)
  ax.set(
    title="One direction of the sum, by its fit", xlabel="penalty", ylabel="skill of the own answer"
  )
  ax.legend(fontsize=7.5)
