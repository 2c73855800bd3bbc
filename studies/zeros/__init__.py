"""Study `zeros`: spacings of the Riemann zeta zeros."""

from primelens.lens.legacy import Analysis, Study
from primelens.studies.zeros import (
  anchors,
  calibration,
  claims,
  curriculum,
  form_factor,
  formula,
  gue,
  heads,
  hermiticity,
  kernels,
  leak,
  linear,
  memory_effect,
  memory_effect_arms,
  operators,
  perplexity,
  predictors,
  prime_lines,
  program,
  pruned,
  report,
  rollout,
  settings,
  slots,
)

# In this order, then what has not moved to the new form yet.
ORDER = ("masking", "prime_waves", "prime_response", "prime_places", "yardstick")
ANALYSES = {
  "anchors": Analysis(
    anchors.run, anchors.Result, "The model beside KDE, AR(p) and adaptive filters, same positions."
  ),
  "heads": Analysis(
    heads.run,
    heads.Result,
    "Every head removed: zero, mean, and the published residual slice.",
    program.no_mixtures,
  ),
  "formula": Analysis(
    formula.run,
    formula.Result,
    "Closed forms and symbolic regression of the model, the truth, CUE.",
    program.no_mixtures,
  ),
  "linear": Analysis(
    linear.run,
    linear.Result,
    "The linear operator of the model beside OLS on the truth.",
    program.no_mixtures,
  ),
  "leak": Analysis(
    leak.run,
    leak.Result,
    "What a window tells a network of its own targets, equal context.",
    obstacle=leak.obstacle,
  ),
  "rollout": Analysis(
    rollout.run,
    rollout.Result,
    "Predictions fed back, beside constant, AR(p) and adaptive filters.",
    program.no_mixtures,
  ),
  "calibration": Analysis(
    calibration.run,
    calibration.Result,
    "PIT, intervals, CRPS, conformal prediction; the golden batch.",
    program.no_mixtures,
  ),
  "gue": Analysis(
    gue.run,
    gue.Result,
    "Correlations of the zeros by height beside exact references.",
    program.no_heights,
  ),
  "prime_lines": Analysis(
    prime_lines.run,
    prime_lines.Result,
    "Waves at the logarithms of primes, beside frequencies of none.",
    prime_lines.obstacle,
  ),
  "predictors": Analysis(
    predictors.run,
    predictors.Result,
    "The sine kernel's exact predictor beside filters and the model.",
    predictors.obstacle,
  ),
  "form_factor": Analysis(
    form_factor.run,
    form_factor.Result,
    "Form factor, number variance and the peak at tau = 1, beside twins.",
  ),
  "operators": Analysis(
    operators.run,
    operators.Result,
    "Matrices made of a kernel, with and without disorder; drawn levels.",
  ),
  "perplexity": Analysis(
    perplexity.run,
    perplexity.Result,
    "Binned networks beside marginal and filters, and what they leak.",
    program.no_tokens,
  ),
  "memory_effect": Analysis(
    memory_effect.run,
    memory_effect.Result,
    "Trajectories drawn with memories, placebos and neither.",
    memory_effect_arms.obstacle,
  ),
  "kernels": Analysis(
    kernels.run,
    kernels.Result,
    "Attention by distance: every head, by many families, and as published.",
    kernels.obstacle,
  ),
  "hermiticity": Analysis(
    hermiticity.run,
    hermiticity.Result,
    "Queries against keys, memory vectors against ln p, with their nulls.",
  ),
  "slots": Analysis(
    slots.run,
    slots.Result,
    "Memory slots removed, alike, read and permuted, beside untrained ones.",
    slots.obstacle,
  ),
  "pruned": Analysis(
    pruned.run,
    pruned.Result,
    "Heads, layers and weights removed, counted, and trained again.",
    program.no_mixtures,
  ),
  "curriculum": Analysis(
    curriculum.run,
    curriculum.Result,
    "Students of a masked teacher, beside no teacher and other teachers.",
    program.no_mixtures,
  ),
}
CLAIMS = claims.CLAIMS
STUDY = Study(
  settings=settings.Settings,
  analyses=ANALYSES,
  claims=CLAIMS,
  check=program.check,
  build=program.build,
  bind=program.bind,
  cost=program.cost,
  report=report.REPORT,
  run=program.Run,
  first=("anchors",),  # the ledger tells runs apart by them
)
