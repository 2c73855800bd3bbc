"""The zeros study's trial: published claims on order, masks, heads and pi."""

from primelens.lens.claims import Claim
from primelens.studies.zeros import (
  published,
)
from primelens.studies.zeros import verdicts_networks as networks

REPOSITORY = published.REPOSITORY

CLAIMS = (
)
