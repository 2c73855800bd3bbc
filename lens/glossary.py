"""Words of a page: those of every page and a study's own, linked where a text uses them first."""

import re
from collections.abc import Mapping

from primelens.lens import page

COMMON = {
  "run": "Networks trained alike from several random starts; its folder has this name.",
  "seed": "One network of a run; another seed is the same training from another random start.",
  "95 % interval": "The two numbers in brackets behind a number. It is over seeds, rows or blocks"
  " of data, as the section says.",
  "null": "What the same measurement gives where there is nothing to find, as in untrained"
  " networks or shuffled data.",
  "untrained network": "A network at its random start, before the first step of training.",
  "reproduced": "The networks here show what was claimed, and no control shows it as well.",
  "reproduced, but an artefact": "The networks here show what was claimed, and so does a control"
  " of which it cannot be true.",
  "not reproduced": "The networks that can decide the claim were read, and do not show it.",
  "needs more compute": "The networks read here are too small, or too few, to decide the claim.",
  "not run": "The analysis that decides the claim was not run, which is no verdict; the claim names"
  " the command.",
  "does not apply": "The networks read here lack what the claim is about, which is no verdict.",
  "failed": "The test of the claim ended in an error of primelens, which is no verdict.",
  "stale": "A result made from another checkpoint, or by another revision of the code, than the"
  " run's latest.",
  "NPZ": "The file beside a result's CSV files that holds all of its arrays.",
}


class Terms:
  """The terms of a study: `{term: sentence}`, those of every page among them.

  A study's own are linked; the others are words that every reader knows well enough to read on.
  """

  def __init__(self, own: Mapping[str, str]):
    self.own = dict(own)
    self.all = {**COMMON, **self.own}
    longest = sorted(self.own, key=len, reverse=True)
    words = "|".join(map(_either_case, longest))
    self._pattern = re.compile(rf"(?<![\w-])({words})(?=s?(?![\w-]))") if words else None

  def linked(self, text: str, seen: set[str]) -> page.Markup:
    """Returns a text with each term that is not in `seen` linked once; `seen` is added to."""
    if self._pattern is None:
      return page.join([text])
    parts, at = [], 0
    for found in self._pattern.finditer(text):
      term = self._term(found[0])
      if term in seen:
        continue
      seen.add(term)
      parts += [text[at : found.start()], page.link(found[0], target(term), class_="term")]
      at = found.end()
    return page.join([*parts, text[at:]])

  def _term(self, said: str) -> str:
    """Returns the term that a text says, maybe at the beginning of a sentence."""
    return said if said in self.own else said[0].lower() + said[1:]

  def section(self) -> page.Markup:
    """Returns all terms in the order of the alphabet, each with its sentence."""
    rows = []
    for term in sorted(self.all, key=str.casefold):
      rows += [page.tag("dt", term, id=target(term)), page.tag("dd", self.all[term])]
    return page.tag("dl", *rows)


def _either_case(term: str) -> str:
  """Returns a pattern of a term; the small first letter of a word may be a capital."""
  first, rest = term[:1], re.escape(term[1:])
  return f"[{first}{first.upper()}]{rest}" if rest and first.islower() else re.escape(term)


def target(term: str) -> str:
  """Returns the id of a term on the page."""
  return f"term-{page.slug(term)}"
