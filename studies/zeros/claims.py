"""The zeros study's trial: published claims on order, masks, heads and pi."""

from primelens.lens.claims import Claim
from primelens.studies.zeros import (
  claims_prime_waves,
  published,
)
from primelens.studies.zeros import verdicts_networks as networks

REPOSITORY = published.REPOSITORY

CLAIMS = (
  *claims_prime_waves.CLAIMS,
)
