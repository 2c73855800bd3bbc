"""Figure of the embedding: components against the digit, and their plane."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style

PANELS = 5


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns PC1, PC2 against the digit, their plane, the scree, and the plane
  over training where there are snapshots."""
  trained = len(result.step_C) > 0
  figure = style.new(7.4 if trained else 5.6)
  upper, lower = style.parts(figure, (5.4, 2.0 if trained else 0.01))
  axes = upper.subplots(2, 2)
  score_SxPxQ = np.asarray(result.score_SxPxQ)
  digit_P = np.arange(score_SxPxQ.shape[1])
  for component, ax in ((0, axes[0, 0]), (1, axes[0, 1])):
    style.curves(
      ax,
      digit_P,
      score_SxPxQ[..., component],
      colour=style.colour(component),
      label="median of the seeds",
    )
    ax.set(title=f"PC{component + 1}", xlabel="digit", ylabel="score")
  _plane(axes[1, 0], score_SxPxQ, result.shown)
  _scree(axes[1, 1], result)
  if trained:
    _training(lower, result)
  return figure


def _named(ax, plane_Px2) -> None:
  """Writes every digit, or marks both ends where there are many."""
  count = len(plane_Px2)
  for digit in range(count) if count <= 20 else (0, count - 1):
    ax.annotate(str(digit), plane_Px2[digit], fontsize=8.5)


def _plane(ax, score_SxPxQ, shown: int) -> None:
  for score_PxQ in score_SxPxQ:
    ax.plot(*score_PxQ[:, :2].T, color=style.GREY, lw=0.5, alpha=0.4)
  shown_Px2 = score_SxPxQ[shown][:, :2]
  ax.plot(*shown_Px2.T, color=style.BLUE, lw=1.2)
  _named(ax, shown_Px2)
  ax.set(title="The plane, one member marked", xlabel="PC1", ylabel="PC2")


def _training(part, result) -> None:
  """Draws the plane at a few steps, evenly spaced in the logarithm."""
  wanted = np.geomspace(result.step_C[0], result.step_C[-1], PANELS)
  chosen = [int(np.abs(result.step_C - step).argmin()) for step in wanted]
  for ax, at in zip(part.subplots(1, PANELS, sharex=True, sharey=True), chosen, strict=True):
    plane_Px2 = np.asarray(result.plane_CxPx2)[at]
    ax.plot(*plane_Px2.T, color=style.BLUE, lw=0.9, marker="o", ms=2)
    _named(ax, plane_Px2)
    ax.set_title(f"step {result.step_C[at]:,}")


def _scree(ax, result) -> None:
  for name, share_SxR, colour in (
    ("trained", result.share_SxR, style.BLUE),
    ("untrained", result.untrained_share_SxR, style.GREY),
  ):
    share_SxR = np.asarray(share_SxR)[:, :10]
    at_R = np.arange(1, share_SxR.shape[1] + 1)
    style.curves(ax, at_R, share_SxR.cumsum(1), colour=colour, label=name)
  ax.set(title="Share of variance, cumulative", xlabel="components", ylabel="share", ylim=(0, 1.03))
  ax.legend()
