"""Study `addition`: a + b and (a + b) mod P, one layer, grokking."""

from primelens.studies.addition import program
from primelens.studies.addition import report
from primelens.studies.addition import settings
from primelens.studies.study import Study

STUDY = Study(
  settings=settings.Settings,
  analyses={},
  claims=(),
  check=program.check,
  build=program.build,
  bind=program.bind,
  cost=program.cost,
  report=report.REPORT,
  run=program.Run,
)
