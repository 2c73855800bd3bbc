"""Pages of HTML as a test reads them."""

from html import parser

VOID = {"meta", "img", "input"}


class Reader(parser.HTMLParser):
  """Collects text, links, ids, buttons and tables, and fails on unbalanced tags.

  `cards` are the texts of the articles, `folded` what is inside of details that are closed.
  """

  def __init__(self, text):
    super().__init__()
    self.open, self.links, self.text, self.tables = [], [], [], []
    self.ids, self.buttons, self.cards, self.folded = [], [], [], []
    self.feed(text)
    self.close()
    assert not self.open, self.open

  def handle_starttag(self, tag, attrs):
    self.ids += [v for k, v in attrs if k == "id"]
    if tag == "input" and ("type", "radio") in attrs:
      self.buttons.append(dict(attrs))
    if tag == "article":
      self.cards.append((dict(attrs), []))
    self.links += [v for k, v in attrs if k in ("src", "href", "action")]
    if tag == "table":
      self.tables.append((dict(attrs).get("aria-label", ""), []))
    if tag == "tr":
      self.tables[-1][1].append([])
    if tag in ("td", "th"):
      self.tables[-1][1][-1].append("")
    if tag not in VOID:
      self.open.append(tag)

  def handle_endtag(self, tag):
    assert self.open.pop() == tag, tag

  def handle_data(self, data):
    if "style" not in self.open:
      self.text.append(data)
    if "article" in self.open:
      self.cards[-1][1].append(data)
    if "details" in self.open and "summary" not in self.open:
      self.folded.append(data)
    if {"td", "th"} & set(self.open):
      self.tables[-1][1][-1][-1] += data

  def table(self, start):
    (rows,) = (rows for label, rows in self.tables if label.startswith(start))
    return rows
