"""Are spectra of published weights more than noise of their shape and scale?"""

from primelens.studies.plots_weights import figure
from primelens.studies.primes.language_models import MODELS
from primelens.studies.weights_spectra import Result, Settings, check, run
from primelens.studies.weights_summary import beside, lines, sizes, table

__all__ = [
  "MODELS",
  "Result",
  "Settings",
  "beside",
  "check",
  "figure",
  "lines",
  "run",
  "sizes",
  "table",
]
