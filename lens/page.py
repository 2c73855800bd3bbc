"""HTML of the report: escaped tags, tables, figures, one self-contained page.

A plain string is text and is escaped; only what these functions return is
markup, so tags are balanced by construction. Texts may be from elsewhere: the
page runs no script and fetches nothing, and control characters are written out.
"""

import base64
import html
import math
import os
import re
import urllib.parse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from primelens.lens import page_style as report_style
from primelens.tasks import files

PNG = b"\x89PNG\r\n\x1a\n"
LARGEST = 1 << 25  # bytes of a figure; those drawn here have some hundred thousand
# Nothing is fetched and no script is run, whatever a text of a run holds.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class Markup(str):
  """HTML that is already escaped."""


def escaped(value: Any) -> str:
  """Returns a text as HTML shows it, without control characters but for ends of lines."""
  return html.escape(files.shown(value, keep="\n"))


def tag(name: str, *children: Any, **attributes: Any) -> Markup:
  """Returns an element; `class_` is written class, `aria_label` aria-label."""
  written = "".join(
    f' {_attribute(key)}="{escaped(value)}"' for key, value in attributes.items() if value
  )
  return Markup(f"<{name}{written}>{join(children)}</{name}>")


def _attribute(key: str) -> str:
  return key.rstrip("_").replace("_", "-")


def join(children: Iterable[Any]) -> Markup:
  """Returns the children one after the other, text escaped."""
  return Markup(
    "".join(child if isinstance(child, Markup) else escaped(child) for child in children)
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
  markup = isinstance(cell, Markup)
  words = html.unescape(re.sub("<[^>]*>", "", cell)) if markup else str(cell)
  return "long" if len(words) > 24 else ""


def link(text: Any, target: str, **attributes: Any) -> Markup:
  """Returns a link to a part of this page: its id, `target`."""
  return tag("a", text, href=f"#{target}", **attributes)


def slug(text: str) -> str:
  """Returns a text as an id: letters, digits, points, and - for all else.

  >>> slug("reproduced, but an artefact"), slug("masking.core")
  ('reproduced-but-an-artefact', 'masking.core')
  """
  return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-")


def files_beside(paths: Iterable[Path], folder: Path) -> Markup:
  """Returns links to files by their place as seen from the folder of the page, name by name.

  A folder may be called anything: its name is never read as the address of a scheme.
  """
  links = []
  for path in paths:
    place = Path(os.path.relpath(path, folder)).as_posix()
    links.append(tag("a", Path(path).name, href="./" + urllib.parse.quote(place)))
  return join(_between(links, " "))


def _between(items: Sequence[Any], separator: str) -> list[Any]:
  """Returns the items with a separator between each two."""
  return [part for item in items for part in (separator, item)][1:]


def details(summary: str, *children: Any) -> Markup:
  """Returns a part that opens on a click."""
  return tag("details", tag("summary", summary), *children)


def radio(name: str, id: str, *, checked: bool = False) -> Markup:
  """Returns one of the buttons `name` of which one is chosen; it wants a label around it."""
  mark = " checked" if checked else ""
  return Markup(f'<input type="radio" name="{escaped(name)}" id="{escaped(id)}"{mark}>')


def badge(text: str, kind: str) -> Markup:
  """Returns a label with the colour of its kind."""
  return tag("span", text, class_=f"badge {kind}")


def figure(path: Path, caption: str, *notes: Any, class_: str = "") -> Markup:
  """Returns a PNG of a run in the page itself; a click shows it in full size.

  `path` is that of a file in a folder of the run. What is no PNG, or lies elsewhere, is not shown.
  `notes` stand behind the caption.
  """
  path = Path(path)
  if not path.is_file():
    return tag("p", f"The figure {path.name} is missing.", class_="none")
  content = _png(path)
  if not content:
    return tag("p", f"The figure {path.name} is no PNG file of this run.", class_="none")
  data = base64.b64encode(content).decode()
  image = Markup(f'<img alt="{escaped(caption)}" src="data:image/png;base64,{data}">')
  label = "full size on and off: " + caption
  box = Markup(f'<input type="checkbox" aria-label="{escaped(label)}">')
  hint = tag("figcaption", caption, tag("span", " Tap to enlarge.", class_="tap"), *notes)
  return tag("figure", tag("label", box, tag("span", image)), hint, class_=class_)


def _png(path: Path) -> bytes:
  """Returns the content of a PNG, and nothing of a file that is none, too large or elsewhere."""
  if not files.inside(path.parent.parent, path):
    return b""
  try:
    content = files.read(path, limit=LARGEST)
  except ValueError:
    return b""
  return content if content.startswith(PNG) else b""


def section(key: str, title: str, *children: Any) -> Markup:
  """Returns a section that the contents list can point to."""
  return tag("section", tag("h2", title), *children, id=key)


def page(title: str, *children: Any) -> str:
  """Returns the document, with nothing to be fetched from anywhere."""
  name = tag("title", title)
  style = Markup(f"<style>{report_style.CSS}</style>")
  policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
  return (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    f"{policy}"
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f"{name}{style}</head>\n{tag('body', tag('main', *children))}</html>\n"
  )
