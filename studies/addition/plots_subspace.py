"""Figure of interventions on digits: accuracies, and what PC1 alone says."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style

_LARGEST = 20  # digits whose cells are written out


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns accuracy per variant, and three maps of the network with PC1."""
  figure = style.new(8.4)
  upper, lower = style.parts(figure, (1.55, 1))
  left, right = upper.subplots(1, 2, width_ratios=(1.7, 1))
  _variants(left, result)
  _shares(right, result)
  lower.suptitle("The network with PC1 of both digits alone", fontsize=10)
  for ax, panel in zip(lower.subplots(1, 3), (_failures, _errors, _boosts), strict=True):
    panel(lower, ax, result)
  return figure


def _draws(result, record) -> np.ndarray:
  """The accuracies of a variant's draws, SxR."""
  rows = slice(record["first"], record["first"] + record["count"])
  return np.asarray(result.accuracy_SxR, float)[:, rows]


def _variants(ax, result) -> None:
  """Accuracy of every variant: draws pale, members' means, their median."""
  for row, record in enumerate(result.variants):
    draw_SxR = _draws(result, record)
    value_S = draw_SxR.mean(1)
    if record["count"] > 1:
      ax.plot([draw_SxR.min(), draw_SxR.max()], [row, row], color=style.SKY, lw=4, alpha=0.35)
    ax.plot(value_S, np.full(len(value_S), row), "o", color=style.BLUE, ms=2.5)
    ax.plot(np.median(value_S), row, "|", color=style.ORANGE, ms=10, mew=2.2)
    ax.plot(record["accuracy_untrained"], row, "x", color=style.GREY, ms=4, mew=1)
  ax.set(
    title="Accuracy, all pairs",
    xlabel="dots: members; bar: median; band: all draws; x: untrained",
    xlim=(-0.03, 1.03),
    ylim=(len(result.variants) - 0.4, -0.6),
  )
  ax.set_yticks(
    range(len(result.variants)), [record["words"] for record in result.variants], fontsize=8
  )


def _shares(ax, result) -> None:
  """Accuracy against the share of variance that one intervention removes."""
  share_SxR = np.asarray(result.removed_share_SxR, float)[result.shown]
  accuracy_R = np.asarray(result.accuracy_SxR, float)[result.shown]
  for (span, marker, colour), label in zip(
    (("components", "D", style.ORANGE), ("space", "s", style.GREY), ("digits", "o", style.BLUE)),
    ("components", "random, any", "random, in the span"),
    strict=True,
  ):
    rows = [
      np.arange(record["first"], record["first"] + record["count"])
      for record in result.variants
      if record["span"] == span and record["by"] == "mean"
    ]
    row_R = np.concatenate(rows) if rows else np.zeros(0, int)
    ax.plot(
      share_SxR[row_R], accuracy_R[row_R], marker, color=colour, ms=4, alpha=0.7, ls="", label=label
    )
  ax.set(
    title="… against what is removed",
    xlabel="share of digits' variance removed",
    ylabel="accuracy, member shown",
    ylim=(-0.03, 1.05),
  )
  ax.legend(loc="upper right", fontsize=8, handletextpad=0.1)


def _failures(figure, ax, result) -> None:
  share_PxP = (np.asarray(result.error_SxPxP) != 0).mean(0)
  image = style.heat_map(ax, share_PxP, colours="Greys", vmin=0, vmax=1)
  _axes(figure, ax, image, "Share of members that fail")


def _errors(figure, ax, result) -> None:
  error_PxP = np.asarray(result.error_SxPxP)[result.shown]
  image = style.diverging_map(ax, error_PxP)
  _axes(figure, ax, image, "Prediction less label")
  if len(error_PxP) > _LARGEST:
    return
  strong = np.abs(error_PxP) > 0.6 * np.abs(error_PxP).max()
  for (a, b), error in np.ndenumerate(error_PxP):
    ax.text(
      b,
      a,
      f"{error:d}".replace("-", "−"),
      ha="center",
      va="center",
      fontsize=7.5,
      color="white" if strong[a, b] else "black",
    )


def _boosts(figure, ax, result) -> None:
  boost_PxP = np.asarray(result.boost_SxPxP, float)[result.shown]
  image = style.diverging_map(ax, boost_PxP)
  _axes(figure, ax, image, "Label's logit, full less ablated")


def _axes(figure, ax, image, title: str) -> None:
  ax.set(xlabel="b", ylabel="a")
  ax.set_title(title, fontsize=9)
  for axis in (ax.xaxis, ax.yaxis):
    axis.set_major_locator(style.locator(6, integer=True))
  figure.colorbar(image, ax=ax, shrink=0.75)
