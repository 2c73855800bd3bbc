"""Figure of the linear probe: what it reads, and its company."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style

_WORDS = {
  "hidden": "h",
  "hidden_own": "h, train/test",
  "additive": "pairs",
  "additive_own": "pairs, train/test",
  "mean": "mean",
  "permuted": "permuted",
  "relabelled": "relabelled",
}


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns true against predicted sums, accuracies, R2 by directions kept."""
  figure = style.new(3.9)
  axes = figure.subplots(1, 3, width_ratios=(1, 1.25, 1))
  _sums(axes[0], result)
  _accuracies(axes[1], result)
  _ladder(axes[2], result)
  return figure


def _sums(ax, result) -> None:
  truth_N = np.asarray(result.truth_N)
  ends = np.array([truth_N.min() - 1, truth_N.max() + 1])
  beyond = 0
  ax.plot(ends, ends, color=style.GREY, lw=0.8)
  for prediction_SxN, colour, marker, label in (
    (result.untrained_SxN, style.AMBER, "x", "untrained"),
    (result.prediction_SxN, style.BLUE, ".", "trained"),
  ):
    prediction_SxN = np.asarray(prediction_SxN)
    x_SxN = np.broadcast_to(truth_N, prediction_SxN.shape)
    # One that is far off would leave no room for the others.
    shown_SxN = np.clip(prediction_SxN, *(ends + [-1, 1]))
    beyond += np.sum(shown_SxN != prediction_SxN)
    ax.plot(x_SxN.ravel(), shown_SxN.ravel(), marker, color=colour, ms=5, alpha=0.7, label=label)
  ax.set(title="Held-out pairs", xlabel="a + b", ylabel="probe")
  if beyond:
    ax.set_xlabel(f"a + b ({beyond} drawn at the edge)")
  ax.legend()


def _accuracies(ax, result) -> None:
  """Range over seeds as a line, the median as a point."""
  rows = [row for row in result.probes if row["probe"] in _WORDS]
  at_V = -np.arange(len(rows))
  take = lambda key: np.array([row[key] for row in rows])
  style.whiskers(
    ax,
    take("accuracy"),
    take("accuracy_min"),
    take("accuracy_max"),
    at_V,
    colour=style.BLUE,
    label="trained",
  )
  ax.plot(take("accuracy_untrained"), at_V - 0.25, "x", color=style.AMBER, label="untrained")
  ax.set_yticks(at_V, [_WORDS[row["probe"]] for row in rows])
  ax.set(title="Accuracy, rounded", xlabel="share of held-out pairs", xlim=(-0.04, 1.04))
  ax.legend(loc="center")


def _ladder(ax, result) -> None:
  """1 - R2, which tells .998 from .9998 and holds what is far off."""
  loss_SxR = np.maximum(1 - np.asarray(result.ladder_r2_SxR), 1e-7)
  style.curves(
    ax, np.asarray(result.tolerance_R), loss_SxR, colour=style.BLUE, label="median of the seeds"
  )
  low, high = np.log10([loss_SxR.min(), loss_SxR.max()])
  ax.set(
    title="Directions of h kept",
    xlabel="smallest / largest singular value",
    ylabel="1 - R², held-out pairs",
    xscale="log",
    yscale="log",
    # Whole decades: their ticks need no others between them.
    ylim=(10 ** np.floor(low), 10 ** np.ceil(high)),
  )
  ax.yaxis.set_minor_formatter("")
  ax.invert_xaxis()
