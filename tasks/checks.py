"""Checks that every config makes of its own fields on construction."""

import dataclasses
from typing import get_args


def literals(config) -> None:
  """Raises `ValueError` naming the choices if a Literal field is off."""
  for field in dataclasses.fields(config):
    choices = get_args(field.type) if "Literal" in str(field.type) else ()
    value = getattr(config, field.name)
    if choices and value not in choices:
      raise ValueError(f"{field.name}={value!r} is not one of {', '.join(map(str, choices))}.")


def at_least(config, least: int, *names: str) -> None:
  """Raises `ValueError` naming the first of the fields that is below."""
  for name in names:
    value = getattr(config, name)
    if value < least:
      raise ValueError(f"{name}={value} must be at least {least}.")
