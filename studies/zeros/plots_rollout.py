"""The figure of `rollout`: errors by horizon and step, spread of futures."""

import numpy as np
from matplotlib import ticker
from primelens.studies import plots_style as style

HIDDEN = ("model, mean of draws", "model, median of draws")


@style.styled
def figure(result):
  """Returns the figure: Err@h, the error of a step, the spread of futures."""
  figure = style.new(7.4)
  top, bottom = style.parts(figure, [4, 3.4])
  _sums(top.subplots(), result)
  steps, spread = bottom.subplots(1, 2)
  _steps(steps, result)
  _spread(spread, result)
  return figure


def _shown(result):
  """Yields number, name and line style of the predictors worth a line."""
  names = [row["name"] for row in result.table]
  shown = [e for e, name in enumerate(names) if name not in HIDDEN]
  for place, e in enumerate(shown):
    mine = e == 0
    yield (
      e,
      names[e],
      {
        "color": style.BLUE if mine else style.colour(1 + (place - 1) % 6),
        "ls": "-" if mine else style.DASHES[(place - 1) // 6 + 1],
        "lw": 2.6 if mine else 1.4,
        "zorder": 3 if mine else 2,
      },
    )


def _sums(axes, result):
  """Draws the error of the sum by horizon, with the model's band."""
  horizon_R = result.horizon_R
  for e, name, line in _shown(result):
    axes.plot(horizon_R, result.error_ExR[e], marker="o", ms=4, label=name, **line)
  low, high = result.error_low_ExR[0], result.error_high_ExR[0]
  axes.fill_between(horizon_R, low, high, color=style.BLUE, alpha=0.16, lw=0)
  _horizons(axes, horizon_R)
  axes.set_yscale("log")
  axes.yaxis.set_major_formatter("{x:g}")
  axes.yaxis.set_minor_formatter(ticker.NullFormatter())
  axes.set_yticks([0.05, 0.1, 0.2, 0.5, 1, 2, 5])
  axes.set_ylabel("|error of the sum|, mean spacings")
  axes.set_title(
    f"Where the h-th zero ahead is missed by: {result.starts} starts on test,"
    f"\ncontext {result.context}, predictions fed back (band: 95 %)"
  )
  axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def _steps(axes, result):
  """Draws the mean error of single steps, in bins of a few steps."""
  step_Q = 1 + np.arange(result.step_ExQ.shape[1])
  parts = np.array_split(step_Q, min(20, len(step_Q)))
  for e, _, line in _shown(result):
    mean = [result.step_ExQ[e][part - 1].mean() for part in parts]
    axes.plot([part.mean() for part in parts], mean, **line)
  axes.set_xlabel("step (spacings ahead)")
  axes.set_ylabel("|prediction - spacing|")
  constant = [row["name"] for row in result.table].index("constant 1")
  axes.set_ylim(0, 2 * float(result.step_ExQ[constant].mean()))
  axes.set_title("Error of a single step")


def _spread(axes, result):
  """Draws the spread of sampled futures beside that of the true sums."""
  style.curves(
    axes,
    result.horizon_R,
    result.spread_SxR,
    colour=style.BLUE,
    label=f"futures of one start ({result.draws} draws)",
  )
  axes.plot(
    result.horizon_R,
    result.truth_spread_R,
    "o-",
    color="black",
    lw=1.6,
    ms=3.5,
    label="truth, over starts",
  )
  _horizons(axes, result.horizon_R)
  axes.set_ylim(bottom=0)
  axes.set_ylabel("standard deviation, mean spacings")
  axes.set_title("Spread of the sum of h spacings")
  axes.legend(loc="best")


def _horizons(axes, horizon_R):
  axes.set_xscale("log")
  axes.set_xticks(horizon_R, [str(h) for h in horizon_R])
  axes.minorticks_off()
  axes.set_xlabel("horizon h (spacings ahead)")
