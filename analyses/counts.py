"""Whole numbers of arguments: how many, and seeds."""

import operator


def whole(least: int = 0, **values) -> None:
  """Raises ValueError, naming it, for a value that is no whole number from
  `least` on; True and False count nothing.

  Example:
    counts.whole(1, draws=draws)
    counts.whole(seed=seed)
  """
  for name, value in values.items():
    try:
      number = operator.index(value)
    except TypeError:
      number = least - 1
    if isinstance(value, bool) or number < least:
      raise ValueError(f"{name}={value!r} must be a whole number of at least {least}.")
