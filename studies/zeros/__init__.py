"""Study `zeros`: spacings of the Riemann zeta zeros."""

from primelens.lens.legacy import Analysis, Study
from primelens.studies.zeros import (
  claims,
  program,
  report,
  settings,
)

# In this order, then what has not moved to the new form yet.
ORDER = (
  "prime_waves",
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
  "prime_response",
  "prime_places",
  "yardstick",
  "predictors",
  "perplexity",
  "memory_effect",
)
ORDER = ("masking", "heads", "formula", "linear")
ORDER = ("masking", "gue", "prime_lines", "predictors")
ORDER = ("masking", "prime_waves", "prime_response", "prime_places", "yardstick")
ANALYSES = {
    program.no_mixtures,
  ),
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
)
