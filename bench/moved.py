"""Where fields of results went: read by `same_numbers.py` when two revisions are compared.

`{"slice/field": function of {slice: Dataset}}`, with the names of the older revision; the function
gives the old field again. That of records gives a list of dicts.
"""

from collections.abc import Callable, Mapping
from typing import Any

import xarray as xr

MOVED: dict[str, Callable[[Mapping[str, xr.Dataset]], Any]] = {}
