"""HTML of the report: escaped tags, tables, figures, one self-contained page.

A plain string is text and is escaped; only what these functions return is
markup, so tags are balanced by construction.
"""

import base64
import html
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from primelens.studies import report_style


class Markup(str):
  """HTML that is already escaped."""


def tag(name: str, *children: Any, **attributes: Any) -> Markup:
  """Returns an element; `class_` is written class, `aria_label` aria-label."""
  written = "".join(
    f' {_attribute(key)}="{html.escape(str(value))}"' for key, value in attributes.items() if value
  )
  return Markup(f"<{name}{written}>{join(children)}</{name}>")


def _attribute(key: str) -> str:
  return key.rstrip("_").replace("_", "-")


def join(children: Iterable[Any]) -> Markup:
  """Returns the children one after the other, text escaped."""
  return Markup(
    "".join(child if isinstance(child, Markup) else html.escape(str(child)) for child in children)
  )


def number(value: Any, *, digits: int = 4, signed: bool = False) -> str:
  """Returns a number as it is shown; "–" where there is none."""
  if value is None or (isinstance(value, float) and math.isnan(value)):
    return "–"
  if isinstance(value, int):
    return f"{value:,}"
  return f"{value:{'+' if signed else ''}z.{digits}f}"  # z: no -0.000


def short(value) -> str:
  """Returns a number with four digits, or all before the point; "–" where
  there is none."""
  value = float(value)
  if not math.isfinite(value):
    return "–"
  return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def span(low, high) -> str:
  """Returns a range, or "–"."""
  if not (math.isfinite(float(low)) and math.isfinite(float(high))):
    return "–"
  return f"{short(low)} … {short(high)}"


def interval(low: Any, high: Any, *, digits: int = 4, signed: bool = True) -> str:
  """Returns [low, high], or "–"; unsigned for a loss, signed for a change."""
  if "–" in (number(low), number(high)):
    return "–"
  ends = (number(float(x), digits=digits, signed=signed) for x in (low, high))
  return f"[{', '.join(ends)}]"


def bounded(value: Any, low: Any, high: Any, **style: Any) -> Markup:
  """Returns a change with its interval below it, for a cell."""
  style = {"signed": True} | style
  shown = number(value if value is None else float(value), **style)
  return join([shown, " ", tag("small", interval(low, high, **style))])


def table(
  head: Sequence[Any],
  rows: Iterable[Sequence[Any]],
  *,
  caption: str,
  text: Sequence[int] = (0,),
  marked: Sequence[int] = (),
) -> Markup:
  """Returns a table that scrolls in its own box, its caption above it.

  The columns `text` hold words, the others numbers; the rows `marked` stand
  out.
  """
  cells = lambda name, row: [
    tag(name, cell, class_=_kind(cell) if i in text else "n") for i, cell in enumerate(row)
  ]
  body = [
    tag("tr", *cells("td", row), class_="marked" if i in marked else "")
    for i, row in enumerate(rows)
  ]
  inside = tag(
    "table", tag("thead", tag("tr", *cells("th", head))), tag("tbody", *body), aria_label=caption
  )
  scroll = tag("div", inside, class_="scroll", tabindex="0")
  return tag("div", tag("p", caption, class_="caption"), scroll, class_="table")


def _kind(cell: Any) -> str:
  """Returns the class of a cell of words: sentences want a wider column."""
  words = html.unescape(re.sub("<[^>]*>", "", cell))
  return "long" if len(words) > 24 else ""


def details(summary: str, *children: Any) -> Markup:
  """Returns a part that opens on a click."""
  return tag("details", tag("summary", summary), *children)


def badge(text: str, kind: str) -> Markup:
  """Returns a label with the colour of its kind."""
  return tag("span", text, class_=f"badge {kind}")


def figure(path: Path, caption: str) -> Markup:
  """Returns a PNG in the page itself; a click shows it in full size."""
  if not Path(path).is_file():
    return tag("p", f"The figure {Path(path).name} is missing.", class_="none")
  data = base64.b64encode(Path(path).read_bytes()).decode()
  image = Markup(f'<img alt="{html.escape(caption)}" src="data:image/png;base64,{data}">')
  label = "full size on and off: " + caption
  box = Markup(f'<input type="checkbox" aria-label="{html.escape(label)}">')
  hint = tag("figcaption", caption, tag("span", " Tap to enlarge.", class_="tap"))
  return tag("figure", tag("label", box, tag("span", image)), hint)


def section(key: str, title: str, *children: Any) -> Markup:
  """Returns a section that the contents list can point to."""
  return tag("section", tag("h2", title), *children, id=key)


def page(title: str, *children: Any) -> str:
  """Returns the document, with nothing to be fetched from anywhere."""
  name = tag("title", title)
  style = Markup(f"<style>{report_style.CSS}</style>")
  return (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f"{name}{style}</head>\n{tag('body', tag('main', *children))}</html>\n"
  )
