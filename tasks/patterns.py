"""Regular expressions that a user gives, matched within a limit of time and memory."""

import dataclasses
import math
import re
import time
import warnings
from collections.abc import Sequence

import regex

SECONDS = 1.0  # for all names together, about
LENGTH = 500  # characters of a pattern
REPEATS = 10_000  # the product of all counts, as `regex` writes {n} out in memory


@dataclasses.dataclass(frozen=True)
class Pattern:
  """A rule for `checks.fields`: a text that is a regular expression."""

  def complaint(self, value: str) -> str:
    """Returns what is wrong with a pattern, in words, or ""."""
    try:
      compiled(value)
    except ValueError as error:
      return str(error).removesuffix(".")
    return ""


def compiled(pattern: str) -> regex.Pattern:
  """Returns a pattern, ready to match.

  Raises `ValueError`, beginning with "is", for what is no regular expression of Python's `re`,
  and for one whose size has no limit.
  """
  if len(pattern) > LENGTH:
    raise ValueError(f"is longer than the {LENGTH} characters of a regular expression.")
  try:
    with warnings.catch_warnings():  # of characters that may mean something else one day
      warnings.simplefilter("ignore")
      re.compile(pattern)  # what `regex` knows beyond it, recursion say, is left out
      counts = re.findall(r"\d+", "".join(re.findall(r"\{[^{}]*\}", pattern)))
      if math.prod(max(1, int(count)) for count in counts) > REPEATS:
        raise ValueError(f"is a regular expression that repeats over {REPEATS:,} times.")
      return regex.compile(pattern)
  except (re.error, regex.error, OverflowError, RecursionError) as error:
    reason = str(error) or type(error).__name__
    raise ValueError(f"is not a regular expression: {reason}.") from error


def matched(pattern: str, names: Sequence[str], *, anywhere: bool = False) -> list[bool]:
  """Returns which names the pattern matches in full, or anywhere within them.

  Raises `ValueError` as `compiled` does, and where the search takes over `SECONDS`: (a|a)*b needs
  2^n steps for n letters a.
  """
  try:
    found = compiled(pattern)
  except ValueError as error:
    raise ValueError(f"{pattern!r} {error}") from error
  match = found.search if anywhere else found.fullmatch
  end = time.monotonic() + SECONDS
  try:
    return [match(name, timeout=max(end - time.monotonic(), 1e-3)) is not None for name in names]
  except TimeoutError as error:
    raise ValueError(
      f"{pattern!r} takes over {SECONDS:g} s to match: write it without repeats of repeats."
    ) from error
