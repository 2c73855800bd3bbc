"""Transformers on the zeros of zeta, on trial.

Small transformers were trained to predict the spacings between zeros of the Riemann zeta function,
and what they had learned was read out of their weights, in the published study (repository
nanoGPT-RH, revision 412851f). This page repeats those readings on networks trained here, puts every
network beside linear filters and null models on the same spacings, and says of every claim what
remains. Losses are negative log-likelihoods (NLL) in nats per spacing, lower is better, and changes
of a loss are in nats. Intervals are 95 %, over seeds (Student's t) and blocks of data, whose noise
all seeds share. Those of one seed, and of formulas, are over blocks of data alone: they say nothing
of other seeds.
"""

ORDER = (
  "prime_waves",
  "prime_response",
  "prime_places",
  "anchors",
  "masking",
  "heads",
  "pruned",
  "curriculum",
  "formula",
  "linear",
  "rollout",
  "calibration",
  "selection",
  "leak",
  "form_factor",
  "operators",
  "kernels",
  "hermiticity",
  "slots",
  "gue",
  "prime_lines",
  "yardstick",
  "predictors",
  "perplexity",
  "memory_effect",
)
