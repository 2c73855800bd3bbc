"""Verdicts on modular addition: frequencies, cubes, phases."""

import numpy as np
from primelens.lens.claims import Verdict
from primelens.studies.addition import evidence


def _found(results, analysis: str):
  return evidence.result(results, analysis, of=evidence.MODULAR)
