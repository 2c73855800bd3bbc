"""Study `text`: character-level sums, their probes and causal tests."""

from primelens.studies.study import Analysis
from primelens.studies.study import Report
from primelens.studies.study import Study
from primelens.studies.text import program
from primelens.studies.text import settings

ANALYSES: dict[str, Analysis] = {}
STUDY = Study(
  settings=settings.Settings,
  analyses=ANALYSES,
  claims=(),
  check=program.check,
  build=program.build,
  bind=program.bind,
  cost=program.cost,
  report=Report(
    title="Transformers that read sums, on trial",
    about="",
    sections={},
    summary=lambda tables, ledger: [],
  ),
  run=program.Run,
)
