"""The figure of `linear`: coefficients by lag, and their sum by order."""

import numpy as np
from primelens.analyses import plots_style as style


@style.styled
def figure(result):
  """Returns the figure: the truth's, the model's and the Jacobian's lags."""
  figure = style.new(6.6)
  top, bottom = figure.subfigures(2, 1, height_ratios=[1.15, 1])
  _lags(top.subplots(), result)
  sums, fits = bottom.subplots(1, 2)
  _orders(sums, result, "sum", "sum of the coefficients")
  sums.set_title("The sum depends on the order of the regression")
  sums.axhline(-1, color="black", lw=0.8, ls=":")
  _orders(fits, result, "r2", "R² of the regression, in sample")
  fits.set_title("How much the last p lags explain")
  fits.legend(loc="best")
  return figure


def _lags(axes, result):
  lag_Q = 1 + np.arange(len(result.truth_Q))
  axes.axhline(0, color="black", lw=0.8)
  style.whiskers(
    *(axes, result.truth_Q, result.truth_low_Q, result.truth_high_Q, lag_Q),
    colour="black",
    vertical=True,
    label="truth (least squares)",
    zorder=4,
  )
  style.curves(
    *(axes, lag_Q, result.model_SxQ),
    colour=style.BLUE,
    label="model mean (least squares)",
    low_R=result.model_low_Q,
    high_R=result.model_high_Q,
  )
  style.curves(
    *(axes, lag_Q, result.jacobian_SxQ),
    colour=style.ORANGE,
    label="model (mean Jacobian)",
  )
  axes.xaxis.set_major_locator(style.locator(20, integer=True))
  axes.set_xlabel("lag (spacings back)")
  axes.set_ylabel("coefficient of s - 1 (no unit)")
  axes.set_title(
    f"Linear operator, {result.samples:,} spacings of test"
    " (bars, band: 95 %; thin: seeds)"
  )
  axes.legend(loc="best")


def _orders(axes, result, key: str, label: str):
  order = [row["order"] for row in result.sums]
  place = range(len(order))
  for who, colour in (("truth", "black"), ("model", style.BLUE)):
    value = [row[f"{who}_{key}"] for row in result.sums]
    axes.plot(place, value, "o-", color=colour, lw=1.6, ms=4.5, label=who)
  axes.set_xticks(place, [str(p) for p in order])
  axes.set_xlabel("order p (number of lags)")
  axes.set_ylabel(label)
