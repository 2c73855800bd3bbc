"""Every numeric field of every config has a range, and is held to it."""

import copy
import dataclasses
import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import one
from absl.testing import absltest
from primelens import tasks
from primelens.lens import cli, experiment, study
from primelens.models import fit
from primelens.studies import published_weights
from primelens.tasks import checks

ROOTS = (
  experiment.Experiment,
  fit.Config,
  published_weights.Settings,
  *(config for config, _ in tasks.kinds().values()),
  *experiment.MODELS.values(),
  *(study.find(name).settings for name in study.names()),
)
ODD = (math.nan, math.inf, -math.inf, -1e30, 1e30, -(10**30), 10**30, -1, 0, 0.5, True, None, "1")


def numeric(annotation: Any, ranged: bool = False) -> Iterator[bool]:
  """Yields, for every number in an annotation, whether a range is beside it."""
  if get_origin(annotation) is Annotated:
    kind, *rules = get_args(annotation)
    yield from numeric(kind, any(isinstance(rule, checks.Range) for rule in rules))
  elif get_origin(annotation) is tuple:
    for item in get_args(annotation):
      yield from numeric(item)
  elif annotation in (int, float):
    yield ranged


def configs(config: Any, where: str = "") -> Iterator[tuple[str, Any]]:
  """Yields every dataclass of a tree, with the path to it."""
  yield where, config
  for field in dataclasses.fields(config):
    value = getattr(config, field.name)
    if dataclasses.is_dataclass(value):
      yield from configs(value, f"{where}{field.name}.")


def reachable() -> set[type]:
  """Returns every dataclass that a config may be made of."""
  found: set[type] = set()
  rest = list(ROOTS)
  while rest:
    cls = rest.pop()
    if cls not in found:
      found.add(cls)
      rest += [f.type for f in dataclasses.fields(cls) if dataclasses.is_dataclass(f.type)]
  return found


class RangesTest(absltest.TestCase):
  def test_every_number_has_one(self):
    bare = [
      f"{cls.__module__}.{cls.__name__}.{field.name}"
      for cls in reachable()
      for field in dataclasses.fields(cls)
      if not all(numeric(field.type))
    ]
    self.assertEmpty(bare, "annotate with a checks.Range or a name for one")

  def test_nothing_but_the_known_kinds_of_fields(self):
    odd = [
      (cls, field.name)
      for cls in reachable() - {experiment.Experiment}
      for field in dataclasses.fields(cls)
      if not (
        get_origin(field.type) in (tuple, Literal, Annotated)
        or field.type in (bool, str)
        or dataclasses.is_dataclass(field.type)
      )
    ]
    self.assertEmpty(odd)

  def test_shipped_configs_are_made_of_these(self):
    known = reachable()
    for name in cli.shipped_configs():
      for where, config in configs(one.config(name)):
        self.assertIn(type(config), known, f"{name} {where}")

  def test_every_config_holds_its_fields_to_them(self):
    lax = []
    for cls in reachable() - {experiment.Experiment}:
      for field in dataclasses.fields(cls):
        ranges = list(numeric(field.type))
        if not ranges:
          continue
        plain = get_origin(checks.base(field.type)) is not tuple
        for value in ODD:
          try:
            made = cls(**{field.name: value if plain else (value,)})
          except ValueError:
            continue
          kept = getattr(made, field.name)
          inner = kept if plain else kept[0]
          most = 1e13 if isinstance(inner, int) and "float" not in str(field.type) else 1e38
          number = isinstance(inner, int | float) and not isinstance(inner, bool)
          if not (number and math.isfinite(inner) and abs(inner) <= most):
            lax.append((cls, field.name, value))
    self.assertEmpty(lax)

  def test_odd_numbers_in_shipped_configs_are_taken_or_refused_in_words(self):
    for name in ("zeros_small", "addition:p10_published", "text:sum", "primes:small_a"):
      config = one.config(name)
      for where, part in configs(config):
        for field in dataclasses.fields(part):
          if not list(numeric(field.type)):
            continue
          for text in ("nan", "-1e30", "1e30", "0", str(10**30)):
            try:
              experiment.check(cli.assign(copy.copy(config), [f"{where}{field.name}={text}"]))
            except ValueError as error:  # the published starts are those of one trunk
              self.assertRegex(str(error), rf"{field.name}|torch_seeds")


if __name__ == "__main__":
  absltest.main()
