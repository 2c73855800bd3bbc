"""Panels and pages: the only file that imports matplotlib, and without pyplot.

A panel is a function of axes. Panels of this file are fed with a Dataset and names of its
variables; axes are labelled with the variables' meanings and units, and a variable `x` whose
interval `x_interval` is there is drawn with it. A page is made of rows of panels. Pyplot's global
state would outlive a figure.
"""

import contextlib
import contextvars
import dataclasses
import functools
import io
import os
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from primelens.lens import results, tables

DPI = 130
WIDTH = 9.2  # inches: 1196 pixels
BELOW = 38  # points from axes to the legend below them: ticks and a label stand between
# Okabe and Ito's palette, told apart with every common colour blindness.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, AMBER, SKY, GREY = "#B0559A", "#C98500", "#4FA3D9", "#6B6B6B"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, GREY)
DASHES = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
MARKERS, HATCHES = "osD^", ("", "//", "..", "xx")
# What the dimension `network` names: which network was read, or which control replaced it.
NETWORKS = {
  "trained": "trained",
  "untrained": "untrained",
  "permuted": "trained, labels permuted",
  "random": "trained, random directions",
}
TILT = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}  # of names below an axis
COLOUR_OF = {"trained": BLUE, "untrained": GREY, "permuted": PURPLE, "random": AMBER}
RC: Any = {
  "axes.axisbelow": True,
  "axes.edgecolor": "#555555",
  "axes.grid": True,
  "axes.labelsize": 9.5,
  "axes.spines.right": False,
  "axes.spines.top": False,
  "axes.titlelocation": "left",
  "axes.titlesize": 10,
  "axes.titleweight": "bold",
  "figure.facecolor": "white",
  "figure.titlesize": 11,
  "font.family": "DejaVu Sans",
  "font.size": 9.5,
  "grid.color": "#E4E4E4",
  "grid.linewidth": 0.7,
  "legend.fontsize": 8.5,
  "legend.frameon": False,
  "xtick.labelsize": 9,
  "ytick.labelsize": 9,
}

Panel = Callable[[Any], None]  # draws on the axes that it is given


class Look(NamedTuple):
  """How one of several things is drawn: as a line, dots or a bar."""

  colour: str
  dash: Any
  marker: str
  hatch: str


_order: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar("order", default=())


@contextlib.contextmanager
def ordered(runs: Iterable[str]) -> Iterator[None]:
  """Within it each of these runs looks the same in every figure, whatever runs a figure has."""
  before = _order.set(tuple(runs))
  try:
    yield
  finally:
    _order.reset(before)


def look_of(dim: str | None, place: int, key: Any = None) -> Look:
  """Returns how the value `key` of a dimension, the one at `place`, is drawn.

  What COLOUR_OF names has its colour. Runs have that of their place among those that are
  `ordered`, and none is grey, as untrained networks are. Where colours run out, dashes, markers and
  hatches change.
  """
  if dim == "network" and key in COLOUR_OF:
    return Look(COLOUR_OF[key], DASHES[0], MARKERS[0], HATCHES[0])
  colours: tuple[str, ...] = COLOURS
  if dim == "run":
    colours = COLOURS[:-1]
    place = _order.get().index(key) if key in _order.get() else place
  turn = place // len(colours) % len(DASHES)
  return Look(colours[place % len(colours)], DASHES[turn], MARKERS[turn], HATCHES[turn])


def styled(draw: Callable) -> Callable:
  """Returns `draw` under this style, whatever the user's own style is."""

  @functools.wraps(draw)
  def inside(*args, **kwargs):
    import matplotlib

    with matplotlib.rc_context():
      matplotlib.rcdefaults()
      matplotlib.rcParams.update(RC)
      return draw(*args, **kwargs)

  return inside


# --- pages ----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Page:
  """Rows of panels, one below the other; `heights` are in inches. Drawn when asked for."""

  rows: tuple[Panel | tuple[Panel, ...], ...]
  heights: tuple[float, ...]

  @styled
  def figure(self):
    """Returns the figure, laid out without overlap."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, sum(self.heights)), layout="constrained")
    ratios = list(self.heights)
    made: Any = figure.subfigures(len(self.rows), 1, height_ratios=ratios)
    parts = np.atleast_1d(made)
    for part, row in zip(parts, self.rows, strict=True):
      panels = row if isinstance(row, tuple) else (row,)
      axes = np.atleast_1d(part.subplots(1, len(panels)))
      for each, draw in zip(axes, panels, strict=True):
        draw(each)
        _plain_logarithms(each)
        _thin_ticks(each, WIDTH / len(panels))
        _fold_title(each, WIDTH / len(panels))
      _legends(part, axes)
    return figure


def page(*rows: Panel | tuple[Panel, ...], heights: Sequence[float]) -> Page:
  """Returns a page; raises `ValueError` where there is not a height for each row."""
  if len(rows) != len(heights):
    raise ValueError(f"{len(rows)} rows of panels have {len(heights)} heights.")
  return Page(rows, tuple(heights))


def _fold_title(axes, width: float) -> None:
  """Breaks a title that is wider than its panel, which has `width` inches with all beside it."""
  title = axes.get_title(loc="left")
  bold = functools.partial(_inches, size=RC["axes.titlesize"], weight=RC["axes.titleweight"])
  if max(map(bold, title.split("\n"))) < width - 2:
    return
  ticks = (_inches(label.get_text(), label.get_fontsize()) for label in axes.get_yticklabels())
  room = width - max(ticks, default=0) - (0.5 if axes.get_ylabel() else 0.3)
  lines = []
  for line in title.split("\n"):
    first, *rest = line.split(" ")
    lines.append(first)
    for word in rest:
      longer = f"{lines[-1]} {word}"
      lines[-1:] = [longer] if bold(longer) <= room else [lines[-1], word]
  axes.set_title("\n".join(lines), loc="left")


def _thin_ticks(axes, width: float) -> None:
  """Takes fewer ticks below a panel of `width` inches where their labels would touch.

  Names that are all shown stay.
  """
  from matplotlib import ticker

  labels = [label for label in axes.get_xticklabels() if label.get_text()]
  if len(labels) < 3 or labels[0].get_rotation():
    return
  size = labels[0].get_fontsize()
  beside = max((_inches(one.get_text(), size) for one in axes.get_yticklabels()), default=0)
  bars = sum(image.colorbar is not None for image in axes.images)
  room = width - beside - (0.5 if axes.get_ylabel() else 0.3) - bars
  most = max(2, int(room / (max(_inches(one.get_text(), size) for one in labels) + 0.12)))
  places, locator = axes.get_xticks(), axes.xaxis.get_major_locator()
  if isinstance(locator, ticker.AutoLocator) and most < len(labels):
    locator.set_params(nbins=most - 1)
  elif isinstance(locator, ticker.FixedLocator) and most < len(labels) == len(places):
    if np.diff(places).min() > 1:
      kept = slice(None, None, -(-len(labels) // most))
      axes.set_xticks(places[kept], [one.get_text() for one in labels[kept]], fontsize=size)


@functools.cache
def _inches(text: str, size: float, weight: str = "normal") -> float:
  """Returns how wide a line of text is, without drawing it."""
  from matplotlib import font_manager, textpath

  if not text.strip():  # matplotlib has no path of nothing
    return 0.0
  font = font_manager.FontProperties(family=RC["font.family"], weight=weight)
  return textpath.TextPath((0, 0), text, size=size, prop=font).get_extents().width / 72


def _legends(part, axes) -> None:
  """Puts legends below the panels, where they hide nothing.

  One for the row where a panel has the labels of all others.
  """
  each = [one.get_legend_handles_labels() for one in axes if one.get_legend() is None]
  if not any(labels for _, labels in each):
    return
  handles, labels = max(each, key=lambda one: len(one[1]))
  if all(set(others) <= set(labels) for _, others in each):
    widest = max(map(len, labels))
    columns = max(1, min(4, len(labels), 100 // max(widest + 6, 1)))
    part.legend(handles, labels, loc="outside lower center", ncols=columns)
    return
  from matplotlib import transforms

  for one, (handles, labels) in zip(axes, each, strict=False):
    if labels:
      # Below the label of the axis, by a length: a share of the height would change with it.
      down = transforms.ScaledTranslation(0, -BELOW / 72, one.figure.dpi_scale_trans)
      place = {"bbox_to_anchor": (0, 0), "bbox_transform": one.transAxes + down}
      one.legend(handles, labels, loc="upper left", borderaxespad=0, **place)


def png(drawn: Any) -> bytes:
  """Returns the content of a PNG file of a page, or of a figure of matplotlib.

  The same figure gives the same bytes: no date and no program version in it.
  """
  import matplotlib
  from matplotlib import image
  from matplotlib.backends import backend_agg

  figure = drawn.figure() if isinstance(drawn, Page) else drawn
  buffer = io.BytesIO()
  with matplotlib.rc_context():  # ticks are made only now; a matplotlibrc may lie in any folder
    matplotlib.rcdefaults()
    figure.set_dpi(DPI)
    canvas = backend_agg.FigureCanvasAgg(figure)
    canvas.draw()  # once: `savefig` draws a second time, to lay out what is laid out by drawing
  about: Any = {"Software": None}
  image.imsave(buffer, canvas.buffer_rgba(), format="png", dpi=DPI, metadata=about)
  return buffer.getvalue()


def save(drawn: Any, path: str | os.PathLike) -> Path:
  """Writes the PNG and returns its path."""
  path = Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(png(drawn))
  return path


# --- panels ---------------------------------------------------------------------------------------


def _with_ends(found: xr.Dataset, *names: str) -> xr.Dataset:
  ends = [f"{name}_interval" for name in names if f"{name}_interval" in found]
  return found[[*names, *ends]]


def _wrapped(array: xr.DataArray) -> str:
  return textwrap.fill(results.label(array), 36)


def _each(found: xr.Dataset, dim: str | None) -> Iterator[tuple[Any, xr.Dataset]]:
  """Yields (value, part) for each value along a dimension; (None, all) where none is named."""
  if dim is None:
    yield None, found
    return
  for value in found[dim].values:
    yield value.item(), found.sel({dim: value})


def together(*panels: Panel) -> Panel:
  """Returns panels drawn on the same axes, one over the other; the last one names the axes."""

  def draw(axes):
    for panel in panels:
      panel(axes)

  return draw


def empty(text: str) -> Panel:
  """Returns a panel that says why there is nothing to see."""

  def draw(axes):
    axes.text(0.5, 0.5, text, ha="center", va="center", color=GREY, transform=axes.transAxes)
    axes.set_axis_off()

  return draw


def line(x, y, label: str | None, colour: str, **style) -> Panel:
  """Returns a line of numbers that are no variable: published ones."""
  style = {"color": colour, "ls": ":", "lw": 1.5, "label": label} | style

  def draw(axes):
    axes.plot(x, y, **style)

  return draw


def level(value: float, label: str | None = None, *, along: Any = "y", **style) -> Panel:
  """Returns a line at one value: a constant, a threshold."""
  style = {"color": "black", "lw": 0.9, "ls": "--"} | style

  def draw(axes):
    (axes.axhline if along == "y" else axes.axvline)(value, label=label, **style)

  return draw


def log_x(values) -> Panel:
  """Returns what makes the x axis logarithmic, with ticks at 1, 2 and 5, for values that span it.

  Fewer where they would touch. It stays linear where the values span too little for such ticks.
  """
  low, high = float(np.min(values)), float(np.max(values))
  for each in ((1, 2, 5), (1, 3), (1,)):
    steps = [step * 10.0**k for k in range(-3, 16) for step in each]
    ticks = [tick for tick in steps if low <= tick <= high]
    if len(ticks) < 10:
      break

  def draw(axes):
    if len(ticks) > 1:
      axes.set_xscale("log")
      axes.minorticks_off()
      axes.set_xticks(ticks, [f"{tick:,g}" if tick < 1e5 else f"{tick:.0e}" for tick in ticks])

  return draw


def curves(
  found: xr.Dataset,
  name: str,
  *,
  x: Any,
  colour: Any = None,
  dash: Any = None,
  thin: Any = None,
  names: Any = None,
  style: Any = None,
  symlog: Any = None,
  zero: Any = True,
  **text,
) -> Panel:
  """Returns lines of a variable over the coordinate `x`, with a band where it has an interval.

  `colour` and `dash` are dimensions that lines differ by, `names` the words of the legend for
  their values. Along the dimension `thin` every line is drawn thin, and their median thick.
  `symlog` makes the y axis logarithmic beyond that value where lines go far.
  """
  both, words = _with_ends(found, name), names or {}
  text = {"xlabel": results.label(found[x]), "ylabel": _wrapped(found[name])} | text

  def draw(axes):
    for i, (one, group) in enumerate(_each(both, colour)):
      for j, (_, part) in enumerate(_each(group, dash)):
        label = words.get(one, one) if j == 0 else None
        its = look_of(colour, i, one)
        line = {"color": its.colour, "ls": its.dash, "marker": its.marker, "lw": 1.8}
        line |= {"ls": DASHES[j % len(DASHES)]} if dash else {}
        line |= {"label": label} | (style or {})
        _curve(axes, part.dropna(x, how="all", subset=[name]), name, x, thin, line)
    for j, (other, _) in enumerate(_each(both, dash) if dash else ()):
      axes.plot([], [], color="black", ls=DASHES[j % len(DASHES)], label=words.get(other, other))
    if zero:
      axes.axhline(0, color="black", lw=0.8)
    if found[x].dtype.kind == "i" and axes.get_xscale() == "linear":
      axes.xaxis.get_major_locator().set_params(integer=True)
    if symlog and np.abs(axes.get_ylim()).max() > 5 * symlog:
      axes.set_yscale("symlog", linthresh=symlog)
      axes.yaxis.set_major_formatter("{x:g}")
    axes.set(**text)

  return draw


def compared(
  found: xr.Dataset, name: str, *, x: Any, each: Any, style: Any = None, colours: Any = None, **text
) -> Panel:
  """Returns a line for each value of the dimension `each`: the first one thick, with its band.

  The others are thin, without bands, and told apart by colours and dashes; `colours` are those of
  some values, which no other line then has as long as there are enough.
  """
  panels = []
  fixed = dict(colours or {})
  free = [shade for shade in COLOURS[1:] if shade not in fixed.values()] or COLOURS[1:]
  place = {key: i for i, key in enumerate(k for k in found[each].values[1:] if k not in fixed)}
  for i, (key, part) in enumerate(_each(_with_ends(found, name), each)):
    look: dict[str, Any] = {"color": BLUE, "lw": 2.6, "zorder": 3}
    if i:
      k = place.get(key, 0)
      dash = DASHES[1 + k // len(free) % (len(DASHES) - 1)]
      look = {"color": fixed.get(key, free[k % len(free)]), "lw": 1.4, "ls": dash}
      part = part[[name]]
    look |= style or {}
    panels.append(curves(part, name, x=x, names={None: key}, style=look, **text))
  return together(*panels)


def _curve(axes, part: xr.Dataset, name: str, x: str, thin: str | None, look: dict) -> None:
  if thin:
    thread = look | {"lw": 0.6, "alpha": 0.55, "marker": "", "label": None}
    if part.sizes[thin] > 1:
      axes.plot(part[x], part[name].transpose(x, thin), **thread)
    part = part.median(thin)
  axes.plot(part[x], part[name], **{"marker": "o", "ms": 3.5} | look)
  if f"{name}_interval" in part:
    ends = part[f"{name}_interval"].transpose(results.END, x)
    low, high = ends.sel({results.END: list(results.ENDS)}).values
    axes.fill_between(part[x], low, high, color=look["color"], alpha=0.16, lw=0)


def bars(
  found: xr.Dataset,
  name: str,
  *,
  x: Any,
  colour: Any = None,
  null: Any = None,
  p: Any = None,
  **text,
) -> Panel:
  """Returns a bar for each value of `x`: the median of all else, which is drawn as dots.

  Beside each other for each value of the dimension `colour`. The median of the variable `null` is a
  grey line; p-values are written above.
  """
  text = {"xlabel": results.label(found[x]), "ylabel": _wrapped(found[name])} | text

  def draw(axes):
    count = found.sizes[colour] if colour else 1
    for k, (key, group) in enumerate(_each(found, colour)):
      for i, (_, part) in enumerate(_each(group, x)):
        at = i + 0.7 * (k + 0.5) / count - 0.35
        value = part[name].values.ravel()
        value = value[np.isfinite(value)]
        its = look_of(colour, k, key)
        shade = {"color": its.colour if colour else SKY, "hatch": its.hatch, "edgecolor": "white"}
        middle = np.median(value) if value.size else np.nan
        axes.bar(at, middle, 0.6 / count, lw=0, label=key if i == 0 else None, **shade)
        if value.size > 1:
          axes.plot(np.full(value.size, at), value, "o", ms=3, color=BLUE)
    for i, (_, part) in enumerate(_each(found, x)):
      top = max(0, np.nanmax(part[name].values, initial=0))
      if null is not None:
        line = float(part[null].median())
        axes.hlines(line, i - 0.4, i + 0.4, color=GREY, lw=1.8)
        top = max(top, line)
      if p is not None:
        place = {"textcoords": "offset points", "ha": "center", "fontsize": 8}
        axes.annotate(f"p = {float(part[p].median()):.2g}", (i, top), (0, 4), **place)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.12 * (high - low))
    axes.axhline(0, color="black", lw=0.8)
    axes.set_xticks(range(found.sizes[x]), [f"{value}" for value in found[x].values])
    axes.set(**text)

  return draw


def dots(groups: Mapping[str, xr.DataArray], **text) -> Panel:
  """Returns a row of dots for each named group of values, with their median as a line.

  What COLOUR_OF names has its colour, as "untrained" and "the sum, untrained".
  """
  text = {"xlabel": results.label(next(iter(groups.values())))} | text

  def draw(axes):
    for i, (name, group) in enumerate(groups.items()):
      value, colour = group.values.ravel(), COLOUR_OF.get(name.rpartition(", ")[2], BLUE)
      value = value[np.isfinite(value)]
      jitter = np.random.default_rng(i).uniform(-0.2, 0.2, value.size)
      axes.plot(value, i + jitter, "o", ms=3, alpha=0.5, mew=0, color=colour)
      if value.size:
        axes.vlines(np.median(value), i - 0.3, i + 0.3, color=colour, lw=2.2)
    axes.axvline(0, color="black", lw=0.8)
    axes.set_yticks(range(len(groups)), list(groups), fontsize=8)
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set(**text)

  return draw


def strips(
  found: xr.Dataset,
  name: str,
  *,
  y: Any,
  colour: Any = None,
  colours: Any = None,
  null: Any = None,
  **text,
) -> Panel:
  """Returns a row of dots for each value of `y`, the median larger.

  Below each other for each value of the dimension `colour`, in `colours` if these are given.
  Values of the variable `null` are grey ticks.
  """
  text = {"xlabel": _wrapped(found[name])} | text
  count = found.sizes[colour] if colour else 1
  height = 0.5 if count < 3 else 0.8  # of a row

  def draw(axes):
    for i, (_, part) in enumerate(_each(found, y)):
      for k, (key, group) in enumerate(_each(part, colour)):
        at = i + height * ((k + 0.5) / count - 0.5)
        its = look_of(colour, k, key)
        shade, mark = colours[key] if colours else its.colour, its.marker
        if null is not None:
          value = _known(group[null])
          tick = {"ms": 7, "color": GREY, "label": None if i or k else "untrained"}
          axes.plot(value, np.full(value.size, at), "|", **tick)
        value = _known(group[name])
        if value.size > 1:
          axes.plot(value, np.full(value.size, at), mark, ms=2.5, alpha=0.5, color=shade)
        label = ("trained" if key is None else key) if i == 0 else None
        middle = [np.median(value)] if value.size else []
        axes.plot(middle, [at] * len(middle), mark, ms=5, color=shade, label=label)
    names = [str(value) for value in found[y].values]
    axes.set_yticks(range(len(names)), names, fontsize=8 if len(names) <= 16 else 6)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set(**text)

  return draw


def _known(array: xr.DataArray) -> np.ndarray:
  value = array.values.ravel()
  return value[np.isfinite(value)]


def whiskers(
  found: xr.Dataset, names: Sequence[str], *, colour: Any = None, zero: Any = True, **text
) -> Panel:
  """Returns variables with their intervals, one below the other.

  In a colour for each value of the dimension `colour`.
  """
  text = {"xlabel": found[names[0]].attrs.get("units", "")} | text
  count = found.sizes[colour] if colour else 1

  def draw(axes):
    for i, (key, part) in enumerate(_each(found, colour)):
      down = 0.5 * (i + 0.5) / count - 0.25
      for j, name in enumerate(names):
        its = tables.interval(part, name)
        _whisker(axes, its, j + down, look_of(colour, i, key), label=key if j == 0 else None)
    if zero:
      axes.axvline(0, color="black", lw=0.8)
    axes.set_yticks(range(len(names)), [found[name].attrs["long_name"] for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set(**text)

  return draw


def _whisker(axes, its, at: float, shown: Look, label: str | None) -> None:
  look = {"color": shown.colour, "lw": 1.8}
  axes.plot([its.low, its.high], [at, at], **look)
  # A line of one point: the legend has it as a line with a dot.
  axes.plot(its.estimate, at, marker=shown.marker, ms=5, label=label, **look)


def rows(
  found: xr.Dataset,
  name: str,
  *,
  x: Any,
  colour: Any = None,
  colours: Any = None,
  form: Any = "+.4f",
  labels: Any = None,
  **text,
) -> Panel:
  """Returns a variable with its interval, a row for each value of `x`, its number written above.

  In a colour for each value of the dimension `colour`: that of `colours`, if these are given.
  """
  text = {"xlabel": results.label(found[name])} | text
  count = found.sizes[colour] if colour else 1

  def draw(axes):
    for i, (key, group) in enumerate(_each(_with_ends(found, name), colour)):
      down = 0.6 * (i + 0.5) / count - 0.3 if count > 1 else 0.0
      for j, (_, part) in enumerate(_each(group, x)):
        value = part[name].item()
        its = tables.Interval(value, value, value)
        if f"{name}_interval" in part:
          its = tables.interval(part, name)
        shown = look_of(colour, i, key)
        shown = shown._replace(colour=colours[key]) if colours else shown
        _whisker(axes, its, j + down, shown, label=key if j == 0 else None)
        if count == 1 and np.isfinite(value):
          clear = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # of the line at 0
          place = {"textcoords": "offset points", "ha": "center", "fontsize": 8.5, "bbox": clear}
          axes.annotate(format(value, form), (value, j), (0, 7), **place)
    axes.axvline(0, color="black", lw=0.8)
    axes.set_yticks(range(found.sizes[x]), list(labels or map(str, found[x].values)))
    axes.set_ylim(found.sizes[x] - 0.4, -0.6)
    axes.set(**text)

  return draw


def heat(
  found: xr.Dataset,
  name: str,
  *,
  rows: Any,
  columns: Any,
  written: Any = "z.2f",  # no -0.00
  most: Any = 12,
  centred: Any = False,
  limits: Any = None,
  bar: Any = True,
  unit: Any = None,
  tilted: Any = False,
  **text,
) -> Panel:
  """Returns a matrix as colours, its numbers written in where there are not too many.

  `centred` puts 0 in the middle of the scale; `written` is the format of the numbers, for `most`
  columns or less. Without numbers a colour bar is drawn, but for `bar` False; `unit` is
  its label where the variable has no unit. `tilted` are the names of columns that are too long to
  stand side by side.
  """
  named = "title" in text  # the title is not the variable's own words
  text = {
    "xlabel": results.label(found[columns]),
    "ylabel": results.label(found[rows]),
    "title": results.label(found[name]),
  } | text

  def draw(axes):
    value = found[name].transpose(rows, columns).values.astype(float)
    known = value[np.isfinite(value)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    if centred:
      high = max(abs(low), abs(high), 1e-12)
      low = -high
    low, high = limits or (low, high)
    image = axes.imshow(
      value, cmap="RdBu_r" if centred else "cividis", aspect="auto", vmin=low, vmax=high
    )
    axes.grid(visible=False)
    small = value.shape[0] <= 24 and value.shape[1] <= most
    if written and small:
      for (i, j), one in np.ndenumerate(value):
        if np.isfinite(one):
          middle = abs((one - low) / (high - low or 1) - 0.5)
          dark = middle > 0.3 if centred else (one - low) < 0.55 * (high - low)
          ink = "white" if dark else "black"
          axes.text(j, i, format(one, written), ha="center", va="center", fontsize=7.5, color=ink)
    elif bar:
      said = _wrapped(found[name]) if named else found[name].attrs.get("units") or None
      axes.figure.colorbar(image, ax=axes, label=unit or said)
    _ticks(axes.set_yticks, found[rows].values)
    _ticks(axes.set_xticks, found[columns].values, **(TILT if tilted else {}))
    axes.set(**text)

  return draw


def _ticks(place: Callable, values: np.ndarray, **look) -> None:
  step = max(1, -(-len(values) // 16))
  words = [f"{one:g}" if np.issubdtype(values.dtype, np.number) else str(one) for one in values]
  place(range(0, len(values), step), words[::step], fontsize=8, **look)


def scatter(
  found: xr.Dataset,
  *,
  x: Any,
  y: Any,
  colour: Any = None,
  shades: Any = "viridis",
  most: Any = 4000,
  diagonal: Any = False,
  **text,
) -> Panel:
  """Returns points of two variables, at most `most`; `colour` is a third one, shown as `shades`.

  Of matplotlib's; those of an angle go round ("twilight").
  """
  text = {"xlabel": _wrapped(found[x]), "ylabel": _wrapped(found[y])} | text

  def draw(axes):
    x_N, y_N = (found[name].values.ravel()[:most] for name in (x, y))
    if colour is None:
      look = {"ms": 1.6, "alpha": 0.4} if len(x_N) > 500 else {"ms": 3, "alpha": 0.6}
      axes.plot(x_N, y_N, "o", mew=0, color=BLUE, **look)
    else:
      shade = found[colour].values.ravel()[:most]
      dots = axes.scatter(x_N, y_N, c=shade, s=4, lw=0, cmap=shades)
      axes.figure.colorbar(dots, ax=axes, label=_wrapped(found[colour]))
    if diagonal:
      ends = [np.min(x_N), np.max(x_N)]
      axes.plot(ends, ends, color="black", lw=0.8)
    axes.set(**text)

  return draw


def histogram(found: xr.Dataset, name: str, *, each: Any = None, bins: Any = 40, **text):
  """Returns the counts of a variable's values; a line for each value of the dimension `each`."""
  text = {"xlabel": _wrapped(found[name]), "ylabel": "count"} | text

  def draw(axes):
    value = found[name].values.astype(float)
    edges = np.histogram_bin_edges(value[np.isfinite(value)], bins)
    for i, (_, part) in enumerate(_each(found[[name]], each)):
      one = part[name].values.astype(float).ravel()
      width = 0.7 if i else 1.6
      axes.hist(one[np.isfinite(one)], edges, histtype="step", lw=width, color=BLUE)
    axes.axvline(0, color="black", lw=0.8)
    axes.set(**text)

  return draw


NAME_GAP = 0.062  # of the height of a panel, between names at the ends of lines


def named(
  found: xr.Dataset,
  name: str,
  *,
  x: Any,
  each: Any,
  colours: Any = None,
  style: Any = None,
  frame: Any = None,
  ends: Any = True,
  **text,
) -> Panel:
  """Returns a line for each value of the dimension `each`, its name at its right end.

  For more lines than colours tell apart. The first line is thick, with its band; those of `colours`
  ({value: colour}) are coloured, the others grey. The panel `frame` sets scales and limits before
  the names are placed; `ends` False leaves them out, for a panel beside one that has them.
  """
  shades = {found[each].values[0].item(): BLUE} | dict(colours or {})
  text = {"xlabel": results.label(found[x]), "ylabel": _wrapped(found[name])} | text

  def draw(axes):
    places = []
    for i, (key, part) in enumerate(_each(_with_ends(found, name), each)):
      look = {
        "color": shades.get(key, GREY),
        "lw": 1.6 if key in shades else 0.9,
        "label": f"_{key}",
      }
      look |= {} if key in shades else {"ls": DASHES[1]}
      look |= {"zorder": 3 if key in shades else 2} | dict(style or {})
      look |= {} if i else {"lw": 2.6, "zorder": 4}
      _curve(axes, part if i == 0 else part[[name]], name, x, None, look)
      known = part[name].dropna(x)
      if known.size:
        places.append((float(known[x][-1]), float(known[-1]), key, look["color"], i == 0))
    axes.set(**text)
    if frame:
      frame(axes)
    if ends:
      _names_at_ends(axes, places)

  return draw


def _names_at_ends(axes, places: Sequence[tuple]) -> None:
  """Writes names beside the ends of lines, moved apart where they would touch."""
  limits = axes.get_xlim(), axes.get_ylim()  # asked for: only then are they what is drawn
  to_axes = axes.transData + axes.transAxes.inverted()
  ranked = sorted(places, key=lambda place: to_axes.transform(place[:2])[1])
  wanted = np.clip([to_axes.transform(place[:2])[1] for place in ranked], 0, 1)
  apart = spread(wanted, NAME_GAP)
  apart = apart - max(0.0, apart[-1] - 1) if len(apart) else apart
  for place, at in zip(ranked, apart, strict=True):
    right, height, key, colour, first = place
    axes.annotate(
      str(key),
      (right, np.clip(height, *sorted(limits[1]))),
      (1.04, at),
      xycoords="data",
      textcoords="axes fraction",
      va="center",
      fontsize=8,
      fontweight="bold" if first else "normal",
      color=colour,
      arrowprops={
        "arrowstyle": "-",
        "color": colour,
        "lw": 0.5,
        "shrinkA": 1,
        "shrinkB": 3,
        "relpos": (0, 0.5),
      },
      annotation_clip=False,
    )


def spread(wanted: Sequence[float], gap: float) -> np.ndarray:
  """Returns rising places at least `gap` apart, near the rising ones wanted, centred on them.

  >>> spread([0.5, 0.5, 0.9], 0.1).round(2).tolist()
  [0.45, 0.55, 0.9]
  """
  groups: list[tuple[float, int]] = []  # (centre, members) of runs that touch
  for one in wanted:
    centre, count = float(one), 1
    while groups and centre - groups[-1][0] < gap * (count + groups[-1][1]) / 2:
      other, more = groups.pop()
      centre, count = (centre * count + other * more) / (count + more), count + more
    groups.append((centre, count))
  each = [centre + gap * (np.arange(count) - (count - 1) / 2) for centre, count in groups]
  return np.concatenate(each) if each else np.zeros(0)


def heading(text: str) -> Panel:
  """Returns a row that says what the panels below it show."""

  def draw(axes):
    axes.text(0, 0.4, text, va="center", weight="bold", transform=axes.transAxes)
    axes.set_axis_off()

  return draw


FEW_DECADES = 2.5  # of a logarithmic axis whose ticks are written as numbers


def _plain_logarithms(axes) -> None:
  """Writes the ticks of logarithmic axes that span little as 0.5, 1, 2, not as powers of ten."""
  from matplotlib import ticker

  for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
    if axis.get_scale() != "log" or isinstance(axis.get_major_locator(), ticker.FixedLocator):
      continue
    decades = abs(np.log10(high / low))
    if decades > FEW_DECADES or (high > 1e5 and decades > 1):  # long numbers, side by side
      continue
    steps = (1.0, 2.0, 5.0) if decades > 1 else (1.0, 2.0, 3.0, 5.0, 7.0)
    if decades > 0.5:
      axis.set_major_locator(ticker.LogLocator(subs=steps))
    else:
      axis.set_major_locator(ticker.MaxNLocator(5, steps=[1, 2, 5, 10]))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(ticker.NullFormatter())


def stems(found: xr.Dataset, name: str, *, x: Any, **text) -> Panel:
  """Returns a thin line from 0 for each value of `x`, where bars would be too many."""
  text = {"xlabel": results.label(found[x]), "ylabel": _wrapped(found[name])} | text

  def draw(axes):
    axes.vlines(found[x].values, 0, found[name].values, color=BLUE, lw=1.3)
    axes.axhline(0, color="black", lw=0.8)
    axes.set(**text)

  return draw
