"""The figure of `linear`: coefficients by lag, and their sum by order."""

import numpy as np
from primelens.studies import plots_style as style


@style.styled
def figure(result):
  """Returns the figure: regressions, Jacobian, sums and R² by order."""
  figure = style.new(7)
  (lags, jacobian), (sums, fits) = figure.subplots(2, 2)
  _lags(lags, result)
  _jacobian(jacobian, result)
  _orders(sums, result, "sum", "sum of the coefficients")
  style.wide(sums, [value for row in result.sums for value in _sums(row)])
  sums.set_title("The sum depends on the order")
  sums.axhline(-1, color="black", lw=0.8, ls=":")
  _orders(fits, result, "r2", "R² of the regression, in sample")
  fits.set_title("How much the last p lags explain")
  fits.legend(loc="best")
  return figure


def _sums(row) -> tuple[float, float]:
  return row["truth_sum"], row["model_sum"]


def _lags(axes, result):
  """Draws the regressions of the truth and of the model's mean."""
  lag_Q = 1 + np.arange(len(result.truth_Q))
  style.whiskers(
    axes,
    result.truth_Q,
    result.truth_low_Q,
    result.truth_high_Q,
    lag_Q,
    colour="black",
    vertical=True,
    ms=4,
    label="truth",
    zorder=4,
  )
  style.curves(
    axes,
    lag_Q,
    result.model_SxQ,
    colour=style.BLUE,
    label="model mean",
    low_R=result.model_low_Q,
    high_R=result.model_high_Q,
  )
  _lag_axis(axes)
  axes.set_title(
    f"Least squares on {len(lag_Q)} lags, {result.samples:,} spacings"
    "\n(bars, band: 95 %; thin: seeds)"
  )
  axes.legend(loc="best")


def _jacobian(axes, result):
  """Draws the derivative by each lag, every other input held as it is.

  On its own scale: a regression on few lags also carries the lags left out.
  """
  lag_Q = 1 + np.arange(result.jacobian_SxQ.shape[1])
  style.curves(axes, lag_Q, result.jacobian_SxQ, colour=style.ORANGE, label="model")
  _lag_axis(axes)
  axes.set_title("Mean derivative of the model's mean,\nother inputs held")


def _lag_axis(axes):
  axes.axhline(0, color="black", lw=0.8)
  axes.xaxis.set_major_locator(style.locator(10, integer=True))
  axes.set_xlabel("lag (spacings back)")
  axes.set_ylabel("coefficient of s - 1 (no unit)")


def _orders(axes, result, key: str, label: str):
  order = [row["order"] for row in result.sums]
  place = range(len(order))
  for who, colour in (("truth", "black"), ("model", style.BLUE)):
    value = [row[f"{who}_{key}"] for row in result.sums]
    axes.plot(place, value, "o-", color=colour, lw=1.6, ms=4.5, label=who)
  axes.set_xticks(place, [str(p) for p in order])
  axes.set_xlabel("order p (number of lags)")
  axes.set_ylabel(label)
