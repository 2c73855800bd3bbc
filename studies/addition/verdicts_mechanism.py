"""Verdicts on how plain addition is said to be done."""

from primelens.lens.claims import Verdict
from primelens.studies.addition import evidence


