"""Where fields of results went: read by `same_numbers.py` when two revisions are compared.

`MOVED` is `{"slice/field": function of {slice: Dataset}}`, with the names of the older revision;
the function gives the old field again. That of records gives a list of dicts; `config` is the run's
config.json. A module for each study, or slice, has its `MAP`.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

MOVED: dict[str, Callable[[Mapping], Any]] = {}
for _module in pkgutil.iter_modules(__path__):
  MOVED |= importlib.import_module(f"{__name__}.{_module.name}").MAP
