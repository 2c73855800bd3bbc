"""Checks that every config makes of its own fields: their types, choices and ranges.

An annotation says what a field may be, so that its range is written with it:

  rate: Annotated[float, checks.Range(0, 1e38)] = 3e-4
  ratios: tuple[checks.Share, ...] = (0.0, 0.5)

`fields(self)`, called by `__post_init__`, holds a config to them. An upper end is no law of
nature: it is beyond what memory and time could ever mean, so that a mistyped number is refused
before anything is allocated for it.
"""

import dataclasses
import functools
import math
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

LONGEST = 10_000  # items of a tuple


class FieldError(ValueError):
  """A field is off; the message begins with the field's name, as in "rate=-1 must be ..."."""


@dataclasses.dataclass(frozen=True)
class Range:
  """A number from `least` to `most`; "(" and ")" in `ends` leave an end out. Always finite."""

  least: float
  most: float
  ends: Literal["[]", "[)", "(]", "()"] = "[]"

  def complaint(self, value: float) -> str:
    """Returns what is wrong with a number, in words, or ""."""
    above = value > self.least if self.ends[0] == "(" else value >= self.least
    under = value < self.most if self.ends[1] == ")" else value <= self.most
    if above and under and -math.inf < value < math.inf:  # a NaN is none of these
      return ""
    low = "above" if self.ends[0] == "(" else "at least"
    high = "below" if self.ends[1] == ")" else "at most"
    return f"must be {low} {_number(self.least)} and {high} {_number(self.most)}"


@dataclasses.dataclass(frozen=True)
class Items:
  """A tuple of `least` to `most` items."""

  least: int
  most: int

  def complaint(self, value: tuple) -> str:
    """Returns what is wrong with a tuple, in words, or ""."""
    if self.least <= len(value) <= self.most:
      return ""
    return f"has {len(value):,} items; it must have at least {self.least} and at most {self.most:,}"


Seed = Annotated[int, Range(0, 2**31 - 1)]
Count = Annotated[int, Range(1, 100_000_000)]  # of rows, windows, spacings
Several = Annotated[int, Range(2, 100_000_000)]  # of what has a mean and a deviation
Amount = Annotated[int, Range(0, 100_000_000)]  # where 0 has a meaning of its own
Number = Annotated[int, Range(1, 1_000_000)]  # of draws, of inputs of a window, of units of a layer
Order = Annotated[int, Range(1, 10_000)]  # of a filter; a side of a dense matrix
Steps = Annotated[int, Range(0, 1_000_000_000)]  # of training; 0: never, or none
Rate = Annotated[float, Range(0, 1e38)]  # of learning; one that makes a loss infinite is allowed
Share = Annotated[float, Range(0, 1)]
Inside = Annotated[float, Range(0, 1, "()")]  # a share that leaves both parts something
Weight = Annotated[float, Range(0, 1e6)]  # of a term in a loss


def fields(config: Any) -> None:
  """Raises `FieldError`, naming the field and what it may be, where one is not as annotated.

  A dataclass in a field has made its own checks. A whole number passes as a float, a bool as no
  number.
  """
  for name, parts in _of_class(config.__class__):
    value = getattr(config, name)
    complaint = _complaint(parts, value)
    if complaint:
      raise FieldError(f"{name}={brief(value)} {complaint}.")


def at_least(config: Any, least: int, *names: str) -> None:
  """Raises `FieldError` naming the first field below what other fields ask for."""
  for name in names:
    value = getattr(config, name)
    if value < least:
      raise FieldError(f"{name}={brief(value)} must be at least {_number(least)}.")


def base(annotation: Any) -> Any:
  """Returns an annotation without what `Annotated` adds to it."""
  return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def brief(value: Any) -> str:
  """Returns a value as a line may show it: short, whatever it is."""
  try:
    text = repr(value)
  except Exception as error:  # nested too deeply, a number of 5000 digits, a repr of the user's
    return f"<{type(value).__name__} without a text: {type(error).__name__}>"
  return text if len(text) <= 100 else text[:97] + "..."


class _Parts(NamedTuple):
  """An annotation, taken apart."""

  kind: Any  # without what `Annotated` adds to it
  rules: tuple[Any, ...]  # what `Annotated` adds
  origin: Any  # Literal, tuple, or None
  items: tuple[Any, ...]  # the choices of a Literal; of a tuple the parts of its items, and ...


def _parts(annotation: Any) -> _Parts:
  kind = base(annotation)
  origin, items = get_origin(kind), get_args(kind)
  if origin is tuple:
    items = tuple(item if item is Ellipsis else _parts(item) for item in items)
  rules = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
  return _Parts(kind, rules, origin, items)


@functools.cache  # to take annotations apart takes longer than to look at values
def _of_class(cls: type) -> tuple[tuple[str, _Parts], ...]:
  """Returns the fields of a config's class, and their annotations taken apart."""
  return tuple((field.name, _parts(field.type)) for field in dataclasses.fields(cls))


def _complaint(parts: _Parts, value: Any) -> str:
  """Returns what is wrong with a value, in words, or ""."""
  found = _of_kind(parts, value)
  return found or next(filter(None, (rule.complaint(value) for rule in parts.rules)), "")


def _of_kind(parts: _Parts, value: Any) -> str:
  """Returns what is wrong with a value's type, or with the items of a tuple."""
  kind, choices = parts.kind, parts.items
  if kind is Any:
    return ""
  if parts.origin is Literal:
    known = type(value) in set(map(type, choices)) and value in choices
    return "" if known else f"is not one of {', '.join(map(str, choices))}"
  if parts.origin is tuple:
    return _of_tuple(parts.items, value)
  same = type(value) is kind or (kind is float and isinstance(value, int | float))
  if not same and dataclasses.is_dataclass(kind):
    same = isinstance(value, kind)  # type: ignore[arg-type]
  if same and not (isinstance(value, bool) and kind is not bool):
    return ""
  return f"is not of type {kind.__name__}"


def _of_tuple(items: tuple, value: Any) -> str:
  """Returns what is wrong with a tuple; `items` are the parts of its items' annotations."""
  if not isinstance(value, tuple):
    return "is not of type tuple"
  if items[-1] is Ellipsis:
    longest = Items(0, LONGEST).complaint(value)
    if longest:
      return longest
    items = items[:1] * len(value)
  if len(items) != len(value):
    return f"has {len(value):,} items; it must have {len(items)}"
  for parts, item in zip(items, value, strict=True):
    found = _complaint(parts, item)
    if found:
      return f"has {brief(item)}, which {found}"
  return ""


def _number(value: float) -> str:
  return f"{value:,}" if isinstance(value, int) else f"{value:g}"
