"""What figures share that have not moved to `lens/figures.py` yet: bands, seeds as thin lines."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import figure as mpl_figure
from matplotlib import ticker
from primelens.lens.figures import (
  AMBER,
  BLUE,
  COLOURS,
  DASHES,
  GREEN,
  GREY,
  ORANGE,
  PURPLE,
  SKY,
  WIDTH,
  styled,
)

__all__ = [
  "AMBER",
  "BLUE",
  "COLOURS",
  "DASHES",
  "GREEN",
  "GREY",
  "ORANGE",
  "PURPLE",
  "SKY",
  "WIDTH",
  "styled",
]
NATS = "nats per spacing"


def new(height: float) -> mpl_figure.Figure:
  """Returns an empty figure of the common width, laid out without overlap."""
  return mpl_figure.Figure(figsize=(WIDTH, height), layout="constrained")


def colour(number: int) -> str:
  """Returns the colour of the series `number`; they repeat after seven."""
  return COLOURS[number % len(COLOURS)]


def curves(axes, x_R, y_SxR, *, colour, label, low_R=None, high_R=None):
  """Draws seeds as thin lines, and thick their median, or their mean with its
  interval as a band where that is given."""
  y_SxR = np.asarray(y_SxR, float)
  if len(y_SxR) > 1:
    axes.plot(x_R, y_SxR.T, color=colour, lw=0.6, alpha=0.55)
  middle_R = np.median(y_SxR, axis=0) if low_R is None else y_SxR.mean(0)
  axes.plot(x_R, middle_R, color=colour, lw=1.8, marker="o", ms=3.5, label=label)
  if low_R is not None:
    axes.fill_between(x_R, low_R, high_R, color=colour, alpha=0.16, lw=0)


def heat_map(axes, value, *, colours="viridis", **kw):
  """Draws a matrix, its first row at the bottom, and returns the image.

  Further arguments are those of `imshow`: `vmin`, `vmax`, `aspect`.
  """
  kw = {"origin": "lower", "interpolation": "nearest"} | kw
  image = axes.imshow(np.asarray(value), cmap=colours, **kw)
  axes.grid(visible=False)
  return image


def diverging_map(axes, value, **kw):
  """Draws a matrix on a scale centred at 0 and returns the image."""
  largest = max(float(np.abs(value).max()), 1e-12)
  scale = {"vmin": -largest, "vmax": largest}
  return heat_map(axes, value, colours="RdBu_r", **scale | kw)


def parts(figure: mpl_figure.Figure, height_ratios: Sequence[float]) -> np.ndarray:
  """Returns the subfigures of a figure, one below the other."""
  ratios = list(height_ratios)
  found: Any = figure.subfigures(len(ratios), 1, height_ratios=ratios)
  return found


def whiskers(axes, value, low, high, at, *, colour, vertical=False, **style):
  """Draws points with intervals, which need not be centred on them."""
  value, low, high = (np.asarray(x, float) for x in (value, low, high))
  error = np.maximum([value - low, high - value], 0)
  place = {"x": at, "y": value, "yerr": error}
  if not vertical:
    place = {"x": value, "y": at, "xerr": error}
  style = {"fmt": "o", "ms": 5, "lw": 1.5, "capsize": 2.5} | style
  axes.errorbar(**place, color=colour, **style)


def wide(axes, value, *, linear: float = 1.0) -> None:
  """Makes the y axis logarithmic beyond `linear` where values go far."""
  finite = np.asarray(value, float)
  finite = finite[np.isfinite(finite)]
  if finite.size and np.abs(finite).max() > 5 * linear:
    axes.set_yscale("symlog", linthresh=linear)
    axes.yaxis.set_major_formatter("{x:g}")


def note(axes, text: str) -> None:
  """Writes why a panel is empty."""
  axes.text(0.5, 0.5, text, ha="center", va="center", color=GREY, transform=axes.transAxes)
  axes.set_axis_off()


def locator(most: int, *, integer: bool = False) -> ticker.Locator:
  """Returns a choice of at most `most` round ticks."""
  return ticker.MaxNLocator(most, integer=integer)
