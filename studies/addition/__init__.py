"""Study `addition`: a + b and (a + b) mod P, one layer, grokking."""

from primelens.lens.legacy import Analysis, Study
from primelens.studies import spectra as spectra_lib
from primelens.studies.addition import (
  claims,
  numbers,
  program,
  report,
  spectra,
)

ORDER = ("progress", "embedding", "probe", "neurons", "neuron_changes", "readout")


def _one_layer(experiment) -> str:
  if experiment.task.kind != "addition":
    return f"it is about sums, and task.kind is {experiment.task.kind!r}."
  layers = experiment.model.trunk.layers
  return "" if layers == 1 else f"it reads one layer, and here are {layers}."


# Fewer digits have no four components beside their mean, and no held-out sums.
LEAST = 5


def _plain(experiment) -> str:
  task = experiment.task
  if task.kind != "addition":
    return _one_layer(experiment)
  if task.modular:
    return "it is about plain addition, and task.modular is true."
  if task.digits < LEAST:
    return f"it reads {LEAST} digits or more, and task.digits is {task.digits}."
  return _one_layer(experiment)


ORDER = ("subspace", "attention")
ANALYSES = {
  ),
  ),
  "spectra": Analysis(
    spectra.run,
    spectra_lib.Result,
    "Every weight matrix beside noise, over training (primes spec 7.4).",
  ),
}
ORDER = ("polynomial", "dimensions")
ORDER = ("fourier",)
STUDY = Study(
  settings=program.Settings,
  analyses=ANALYSES,
  claims=claims.CLAIMS,
  check=program.check,
  build=program.build,
  bind=program.bind,
  cost=program.cost,
  report=report.REPORT,
  run=program.Run,
  members=program.members,
  numbers=numbers.joined,
  number_columns=numbers.COLUMNS,
)
