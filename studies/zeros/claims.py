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
  claims_pruned,
  claims_slots,
  published,
)
from primelens.studies.zeros import verdicts_formulas as formulas
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
  Claim(
    id="heads.method",
    statement="Zeroing channels 32h..32h+31 of the attention output removes head h.",
    source=f"{REPOSITORY}, scripts/attention_ablation.py",
    reported="48 'head' effects, L0.H3 +0.1235 nats",
    test=networks.slices,
  ),
  Claim(
    id="heads.core",
    statement="Heads L0.H2, L0.H3 and L0.H5 are the core; about 13 heads, "
    "a quarter of the model, suffice.",
    source=f"{REPOSITORY}, results/attention_ablation.json",
    reported="L0.H3 +0.1235, L0.H2 +0.0748, L0.H5 +0.0370 nats; never jointly removed",
    test=networks.core,
  ),
  Claim(
    id="heads.noise_layers",
    statement="Layers 1 and 2 are noise: removing their heads improves the model.",
    source=f"{REPOSITORY}, results/attention_ablation.json",
    reported="L2 slices down to -0.0604 nats",
    test=networks.noise_layers,
  ),
  Claim(
    id="formula.pi",
    statement="Spacings obey s_n (s_{n-1} + s_{n-2} + s_{n-3}) = pi.",
    source=f"{REPOSITORY}, operator-extraction results (later withdrawn there)",
    reported="c = 3.1056 on the mean of one model",
    test=formulas.pi,
  ),
  Claim(
    id="formula.four",
    statement="The sum of four spacings tends to pi.",
    source=f"{REPOSITORY}, operator-extraction results",
    reported="four spacings -> pi",
    test=formulas.four,
  ),
  Claim(
    id="formula.operator",
    statement="c / (s1 + s2 + s3) is the operator; it explains 38 % of the variance.",
    source=f"{REPOSITORY}, symbolic distillation",
    reported="correlation with the truth 0.382",
    test=formulas.better_than_linear,
  ),
  Claim(
    id="linear.operator",
    statement="The model's linear operator is (-0.45, -0.28, -0.16), with sum near -1: rigidity.",
    source=f"{REPOSITORY}, linear operator AR(3)",
    reported="-0.4467, -0.2819, -0.1586, sum -0.887",
    test=formulas.operator,
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
  *claims_binned.CLAIMS,
)
