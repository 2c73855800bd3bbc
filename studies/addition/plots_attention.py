"""Figure of attention: scores by digit, maps, and what fixing it costs."""

from typing import Any

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style

MANY = 20  # digits, beyond which lines are thin and not numbered


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns scores by digit and maps to a and b of every head, and edits."""
  figure = style.new(8.6)
  parts: Any = figure.subfigures(2, 1, height_ratios=[3.1, 1.25])
  upper, lower = parts
  heads = len(result.pattern_Hx3xPxP)
  axes = upper.subplots(3, heads, squeeze=False)
  for head in range(heads):
    _scores(axes[0, head], result, head)
    for row in range(2):
      image = _map(axes[row + 1, head], result.pattern_Hx3xPxP[head, row])
  axes[0, 0].set_ylabel("score")
  low, high = axes[0, 0].get_ylim()
  axes[0, 0].set_ylim(low, high + 0.3 * (high - low))  # room for the legend
  axes[0, 0].legend(loc="upper center", ncols=2)
  for row, name in enumerate("ab"):
    axes[row + 1, 0].set_ylabel(f"attention to {name}\na")
  upper.colorbar(image, ax=axes[1:], location="right", shrink=0.7, label="attention")
  left, right = lower.subplots(1, 2)
  _edits(left, result)
  _heads(right, result)
  return figure


def _scores(ax, result, head: int) -> None:
  """Draws the scores of all members thin, those of one member thick.

  Heads of different members are different heads: no median over them.
  """
  score_SxPx2 = np.moveaxis(np.asarray(result.score_SxHx2xP)[:, head], 1, 2)
  digit_P = np.arange(score_SxPx2.shape[1])
  if len(score_SxPx2) > 1:
    others = np.delete(score_SxPx2[..., 0], result.shown, axis=0)
    ax.plot(digit_P, others.T, color=style.GREY, lw=0.4, alpha=0.45)
  own_Px2 = score_SxPx2[result.shown]
  width = 1.8 if len(digit_P) <= MANY else 0.9
  ax.plot(digit_P, own_Px2[:, 0], color=style.BLUE, lw=width, label="to a")
  dashes = (0, (2, 2))
  ax.plot(digit_P, own_Px2[:, 1], color=style.ORANGE, lw=width, ls=dashes, label="to b")
  equal = result.mean_SxHx3[result.shown, head, 2]
  ax.set(title=f"Head {head} ({100 * equal:.1f} % to =)", xlabel="digit")


def _map(ax, value_PxP):
  image = style.heat_map(ax, value_PxP, vmin=0, vmax=1)
  ax.set_xlabel("b")
  if len(value_PxP) <= MANY:
    ax.set(xticks=range(0, len(value_PxP), 3), yticks=range(0, len(value_PxP), 3))
  return image


def _edits(ax, result) -> None:
  """Draws accuracy and the additive share of z under every pattern."""
  at_V = np.arange(len(result.edits))
  for value_SxV, colour, label, shift in (
    (result.accuracy_SxV, style.BLUE, "accuracy", -0.12),
    (result.additive_SxV, style.GREEN, "R² of z on f(a) + g(b)", 0.12),
  ):
    _strip(ax, at_V + shift, value_SxV, colour, label)
  ax.set(
    title="Attention replaced",
    xticks=at_V,
    xticklabels=[row["edit"] for row in result.edits],
    ylim=(-0.03, 1.32),
    yticks=np.linspace(0, 1, 5),
  )
  ax.legend(loc="upper center", ncols=2)


def _heads(ax, result) -> None:
  """Draws accuracy with one head frozen, and with all others frozen."""
  at_H = np.arange(result.fixed_accuracy_SxH.shape[1])
  for value_SxH, colour, label, shift in (
    (result.fixed_accuracy_SxH, style.BLUE, "this head frozen", -0.12),
    (result.moving_accuracy_SxH, style.PURPLE, "all others frozen", 0.12),
  ):
    _strip(ax, at_H + shift, value_SxH, colour, label)
  ax.set(
    title="Heads frozen at their mean: accuracy",
    xlabel="head",
    xticks=at_H,
    ylim=(-0.03, 1.32),
    yticks=np.linspace(0, 1, 5),
  )
  ax.legend(loc="upper center", ncols=2)


def _strip(ax, at_V, value_SxV, colour, label: str) -> None:
  """Draws members as small points, their median as a bar."""
  value_SxV = np.asarray(value_SxV)
  for value_V in value_SxV:
    ax.plot(at_V, value_V, "o", ms=3, color=colour, alpha=0.5, mew=0)
  median_V = np.median(value_SxV, axis=0)
  ax.hlines(median_V, at_V - 0.1, at_V + 0.1, color=colour, lw=2.4, label=label)
