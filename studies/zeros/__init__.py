"""Study `zeros`: spacings of the Riemann zeta zeros."""

from primelens.studies.study import Analysis
from primelens.studies.study import Study
from primelens.studies.zeros import anchors
from primelens.studies.zeros import claims
from primelens.studies.zeros import cost
from primelens.studies.zeros import formula
from primelens.studies.zeros import heads
from primelens.studies.zeros import linear
from primelens.studies.zeros import masking
from primelens.studies.zeros import program
from primelens.studies.zeros import report
from primelens.studies.zeros import settings

ANALYSES = {
  "anchors": Analysis(
    anchors.run,
    anchors.Result,
    "The model beside KDE, AR(p) and adaptive filters, same positions.",
  ),
  "masking": Analysis(
    masking.run,
    masking.Result,
    "Magnitude masks beside random masks, noise and recalibration.",
  ),
  "heads": Analysis(
    heads.run,
    heads.Result,
    "Every head removed: zero, mean, and the published residual slice.",
  ),
  "formula": Analysis(
    formula.run,
    formula.Result,
    "Closed forms and symbolic regression of the model, the truth, CUE.",
  ),
  "linear": Analysis(
    linear.run,
    linear.Result,
    "The linear operator of the model beside OLS on the truth.",
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
  cost=cost.step,
  report=report.REPORT,
  run=program.Run,
  first=("anchors",),  # the ledger tells runs apart by them
)
