"""Figure of the embedding: components against the digit, and their plane."""

from matplotlib import figure as mpl_figure
import numpy as np
from primelens.analyses import plots_style as style


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns PC1, PC2 against the digit, their plane, and the scree."""
  figure = style.new(5.6)
  axes = figure.subplots(2, 2)
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
  _plane(axes[1, 0], score_SxPxQ, digit_P)
  _scree(axes[1, 1], result)
  return figure


def _plane(ax, score_SxPxQ, digit_P) -> None:
  ax.plot(*score_SxPxQ[..., :2].T, color=style.GREY, lw=0.5, alpha=0.4)
  first_PxQ = score_SxPxQ[0]
  ax.plot(*first_PxQ[:, :2].T, color=style.BLUE, lw=1.2)
  if len(digit_P) <= 20:
    for digit in digit_P:
      ax.annotate(str(digit), first_PxQ[digit, :2], fontsize=8.5)
  ax.set(title="The plane, first member marked", xlabel="PC1", ylabel="PC2")


def _scree(ax, result) -> None:
  for name, share_SxR, colour in (
    ("trained", result.share_SxR, style.BLUE),
    ("untrained", result.untrained_share_SxR, style.GREY),
  ):
    share_SxR = np.asarray(share_SxR)[:, :10]
    at_R = np.arange(1, share_SxR.shape[1] + 1)
    style.curves(ax, at_R, share_SxR.cumsum(1), colour=colour, label=name)
  ax.set(
    title="Share of variance, cumulative",
    xlabel="components",
    ylabel="share",
    ylim=(0, 1.03),
  )
  ax.legend()
