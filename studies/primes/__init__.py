"""Study `primes`: gaps by index, and the spectra of what learned them."""

from primelens.lens.legacy import Analysis, Study
from primelens.studies import spectra as spectra_lib
from primelens.studies.primes import claims, memory, numbers, program, report, settings, spectra

ANALYSES: dict[str, Analysis] = {
  "memory": Analysis(
    memory.run, memory.Result, "Errors of trained and held-out gaps beside constants (2, 3, 6.1)."
  ),
  "spectra": Analysis(
    spectra.run,
    spectra_lib.Result,
    "Every weight matrix beside noise and its start (4, 6.2-6.5, 7.3).",
  ),
}
STUDY = Study(
  settings=settings.Settings,
  analyses=ANALYSES,
  claims=claims.CLAIMS,
  check=program.check,
  build=program.build,
  bind=program.bind,
  cost=program.cost,
  report=report.REPORT,
  run=program.Run,
  numbers=numbers.joined,
  number_columns=numbers.COLUMNS,
)
