"""What a study offers under a name."""

from collections.abc import Callable
import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Analysis:
  """`run(run) -> result` of class `result`, drawn by the function of the same
  name in `analyses/plots.py`; `about` is its line in `analyze.py --list`."""

  run: Callable[[Any], Any]
  result: type
  about: str
