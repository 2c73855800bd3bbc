"""The eleven language models of the source: its three numbers of each, and its claim on them.

They are read by `analyze.py --weights=published`. The source took a corner of 256 x 256 of one
matrix each (docs/sources/primes.md, sections 4.3 and 5): noise of that shape has an effective rank
of 206, a max/mean of 2.3, and a KS that tells its standard deviation alone.
"""

from typing import NamedTuple

import numpy as np
from primelens.lens import claims
from primelens.lens import numbers as numbers_lib
from primelens.studies.primes import program

PUBLISHED = numbers_lib.published(__file__)


class Published(NamedTuple):
  """A model's Hugging Face id, and its numbers in the source."""

  model: str
  effective_rank: float
  max_to_mean: float
  ks: float


def _models() -> tuple[Published, ...]:
  names = dict.fromkeys(key.partition(" ")[0] for key in PUBLISHED)
  number = lambda name, field: float(PUBLISHED[f"{name} {field}"].source)
  return tuple(
    Published(name, *(number(name, field) for field in Published._fields[1:])) for name in names
  )


MODELS = _models()
RANKS = [its.effective_rank for its in MODELS]


def published(name: str) -> Published | None:
  """Returns the numbers of a model `owner/name[@revision]`, None for others."""
  model = name.partition("@")[0]
  return next((its for its in MODELS if its.model == model), None)


CLAIMS = claims.Claims()


@CLAIMS.add(
  "spectra.language",
  "Language models have less compressed spectra than networks trained on"
  " primes, and rank by structure.",
  reported=f"effective rank {min(RANKS):.0f} to {max(RANKS):.0f} of 256, mean {np.mean(RANKS):.0f}",
  source=program.claimed("sections 4.3, 6.4"),
)
def language(results):
  """Returns what the published ranks say beside noise; the weights are not at hand."""
  del results
  because = (
    "Their weights are published and are not fetched unasked. "
    "The source read one corner of 256 x 256 of the first layer; noise has an "
    "effective rank of 206 there, so that the ranks of eight of the eleven, "
    "157 to 199, are 76 to 97 % of it; and corners hold queries, transposed "
    "queries or a mix of queries, keys and values, by family."
  )
  command = "analyze.py --weights=published"
  return claims.Verdict(status="not run", because=because, command=command)
