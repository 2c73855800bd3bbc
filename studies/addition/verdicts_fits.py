"""Verdicts on polynomial fits, and on what neurons write to the logits."""

from primelens.lens.claims import Verdict
from primelens.studies.addition import evidence
