"""The zeros study's trial: published claims on order, masks, heads and pi."""

from primelens.lens.claims import Claim
from primelens.studies.zeros import (
  claims_binned,
  claims_forecasts,
  claims_form_factor,
  claims_gue,
  claims_hermiticity,
  claims_kernels,
  claims_leak,
  claims_operators,
  claims_prime_waves,
  claims_pruned,
  claims_slots,
  published,
)
from primelens.studies.zeros import verdicts_networks as networks

REPOSITORY = published.REPOSITORY

CLAIMS = (
  Claim(
    id="anchors.e4",
    statement="POSTFIX E4 has learned the operator behind the spacings.",
    source=f"{REPOSITORY}, operator-extraction results",
    reported="NLL 0.188 nats, no linear anchor",
    test=networks.anchored,
  ),
  Claim(
    id="models.sign",
    statement="POSTFIX E3 (-0.345) is 10 % better than prefix memory E2 "
    "(-0.384), and E4 better still.",
    source=f"{REPOSITORY}, e3_summary and its successors",
    reported="E3 -0.3286, -0.3397, -0.3453; E0 -0.561; E4 +0.194",
    test=networks.order_of_models,
  ),
  *claims_slots.CLAIMS,
  *claims_pruned.CLAIMS,
  *claims_forecasts.CLAIMS,
  *claims_form_factor.CLAIMS,
  *claims_operators.CLAIMS,
  *claims_leak.CLAIMS,
  *claims_kernels.CLAIMS,
  *claims_hermiticity.CLAIMS,
  *claims_gue.CLAIMS,
  *claims_prime_waves.CLAIMS,
  *claims_binned.CLAIMS,
)
