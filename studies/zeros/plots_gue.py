"""The figure of `gue`: variance and correlations by height, and references."""

import numpy as np
from primelens.studies import plots_style as style

_SHOWN = 3  # lags


@style.styled
def figure(result):
  """Returns the figure: variance, lag 1, its excess, published references."""
  figure = style.new(7)
  (variance, first), (more, rows) = figure.subplots(2, 2)
  _variance(variance, result)
  _lags(first, result, (0,))
  first.set_title("Neighbouring spacings, by height")
  _lags(more, result, range(1, min(_SHOWN, result.limit_Q.size)))
  more.set_title("Two and three spacings apart")
  _sequences(rows, result)
  return figure


def _variance(axes, result):
  error_P = 2 * result.variance_error_P
  ends = (result.variance_P - error_P, result.variance_P + error_P)
  style.whiskers(
    axes,
    result.variance_P,
    *ends,
    result.height_P,
    colour=style.BLUE,
    vertical=True,
    ms=3.5,
    label="zeros",
  )
  axes.plot(
    result.height_P,
    result.leading_variance_P,
    color=style.ORANGE,
    lw=1.4,
    ls=style.DASHES[1],
    label="matching CUE, leading term",
  )
  axes.axhline(result.limit_variance, color="black", lw=1, label="sine process, exact")
  low = min(result.variance_P.min(), result.limit_variance)
  axes.set_ylim(0.9 * low, 1.12 * result.limit_variance)
  _heights(axes)
  axes.set_ylabel("variance of spacings (mean 1)")
  axes.set_title("Variance, by height (bars: 2 errors)")
  axes.legend(loc="upper left", ncols=2)


def _lags(axes, result, lags):
  for lag in lags:
    rho_P, error_P = (result.correlation_PxQ[:, lag], 2 * result.error_PxQ[:, lag])
    colour = style.colour(lag)
    style.whiskers(
      axes,
      rho_P,
      rho_P - error_P,
      rho_P + error_P,
      result.height_P,
      colour=colour,
      vertical=True,
      ms=3.5,
      label=f"zeros, lag {lag + 1}",
    )
    axes.axhline(result.limit_Q[lag], color=colour, lw=1.2, ls=style.DASHES[1])
  axes.plot([], [], color="black", ls=style.DASHES[1], label="sine process")
  _heights(axes)
  axes.set_ylabel("correlation (no unit)")
  axes.legend(loc="best")


def _heights(axes):
  axes.set_xscale("log")
  axes.set_xlabel("height of the zeros")


def _sequences(axes, result):
  """Draws lag 1 of every sequence as an excess over the exact value."""
  rows = result.references[::-1]
  place = np.arange(len(rows))
  excess = 100 * np.array([row["lag1_excess"] for row in rows])
  error = 200 * np.array([row["lag1_excess_error"] for row in rows])
  style.whiskers(axes, excess, excess - error, excess + error, place, colour=style.BLUE)
  axes.axvline(0, color="black", lw=0.8)
  axes.set_yticks(place, [row["sequence"].replace(", ", "\n") for row in rows])
  axes.tick_params(axis="y", labelsize=7)
  axes.set_xlabel("lag 1 above that of the sine process (%)")
  axes.set_title("All sequences against the exact value")
