"""The published network as a run, where its checkpoint is at hand.

It is named by PRIMELENS_REG_SUM, or lies in `../shared/reference` beside the
checkout; it is no part of the repository, and tests that need it are skipped
without it.
"""

import dataclasses
import functools
import os
import unittest
from pathlib import Path

import tiny_text
from primelens.configs import text as text_configs

NAME = "reg_sum_published_checkpoint.npz"
_ROOT = Path(__file__).parents[2]


def checkpoint() -> Path:
  """Returns the path of the checkpoint; skips the test where there is none."""
  beside = _ROOT.parent / "shared" / "reference" / NAME
  path = Path(os.environ.get("PRIMELENS_REG_SUM", beside))
  if not path.exists():
    raise unittest.SkipTest(f"{NAME} is not at hand; see PRIMELENS_REG_SUM.")
  return path


@functools.cache
def run():
  """Returns the published network as a run, its weights read afresh."""
  config = text_configs.get_config("imported")
  model = dataclasses.replace(config.model, checkpoint=str(checkpoint()))
  analyses = dataclasses.replace(config.analyses, batch=200)  # stays in a processor's cache
  return tiny_text.run(dataclasses.replace(config, model=model, analyses=analyses))
