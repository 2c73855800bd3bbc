"""Study `addition`: a + b and (a + b) mod P, one layer, grokking."""

from primelens.lens.legacy import Analysis, Study
from primelens.studies.addition import (
  attention,
  claims,
  embedding,
  fourier,
  neurons,
  numbers,
  polynomial,
  probe,
  program,
  progress,
  readout,
  report,
  subspace,
)


def _one_layer(experiment) -> str:
  if experiment.task.kind != "addition":
    return f"it is about sums, and task.kind is {experiment.task.kind!r}."
  layers = experiment.model.trunk.layers
  return "" if layers == 1 else f"it reads one layer, and here are {layers}."


# Fewer digits have no four components beside their mean, and no held-out sums.
LEAST = 5
# Fewer residues have no eight singular vectors to show.
LEAST_MODULAR = 9


def _plain(experiment) -> str:
  task = experiment.task
  if task.kind != "addition":
    return _one_layer(experiment)
  if task.modular:
    return "it is about plain addition, and task.modular is true."
  if task.digits < LEAST:
    return f"it reads {LEAST} digits or more, and task.digits is {task.digits}."
  return _one_layer(experiment)


def _modular(experiment) -> str:
  task = experiment.task
  if task.kind != "addition":
    return _one_layer(experiment)
  if not task.modular or task.digits % 2 == 0 or task.digits < LEAST_MODULAR:
    return f"it is about addition modulo an odd number of digits, {LEAST_MODULAR} or more."
  return _one_layer(experiment)


ANALYSES = {
  "embedding": Analysis(
    embedding.run, embedding.Result, "Principal components of the digits' vectors (A2-A9).", _plain
  ),
  "probe": Analysis(
    probe.run, probe.Result, "A linear probe of the sum beside its controls (A10).", _plain
  ),
  "neurons": Analysis(
    neurons.run,
    neurons.Result,
    "Single neurons: sum, copies, flips (A1, A11-A16, A28-A35, A38, A62).",
    _plain,
  ),
  "subspace": Analysis(
    subspace.run,
    subspace.Result,
    "Digits without components, logits without direct path (A17-A27).",
    _plain,
  ),
  "polynomial": Analysis(
    polynomial.run,
    polynomial.Result,
    "Polynomial fits and what they are worth (A46-A53, A56-A58, A61, A63).",
    _plain,
  ),
  "readout": Analysis(
    readout.run,
    readout.Result,
    "What neurons write, by frequency and component (A36-A45, A54, A55).",
    _plain,
  ),
  "attention": Analysis(
    attention.run,
    attention.Result,
    "Patterns, and the network with frozen ones (A59, A60, B1-B3).",
    _one_layer,
  ),
  "fourier": Analysis(
    fourier.run, fourier.Result, "Frequencies of embedding, neurons and logits (B4-B29).", _modular
  ),
  "progress": Analysis(
    progress.run,
    progress.Result,
    "Losses and measures at every snapshot, phases (A63, B22-B30).",
    _one_layer,
  ),
}
ORDER = ("spectra",)
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
