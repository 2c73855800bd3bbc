"""Study `zeros`: spacings of the Riemann zeta zeros."""

from primelens.lens.legacy import Analysis, Study
from primelens.studies.zeros import (
  claims,
  prime_waves,
  program,
  report,
  settings,
  yardstick,
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
ANALYSES = {
    program.no_mixtures,
  ),
  "prime_waves": Analysis(
    prime_waves.run,
    prime_waves.Result,
    "The primes whose waves a network has found, by head, layer and step.",
    prime_waves.obstacle,
  ),
  "yardstick": Analysis(
    yardstick.run,
    yardstick.Result,
    "How predictable the next zero is, by height: network, filters, primes.",
    yardstick.obstacle,
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
