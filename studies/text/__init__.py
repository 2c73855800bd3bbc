"""Study `text`: character-level sums, their probes and causal tests."""

from primelens.lens.legacy import Analysis, Study
from primelens.studies.text import (
  answers,
  causal,
  claims,
  fourier_probes,
  geometry,
  heads_text,
  invariance,
  nonlinear_probes,
  numbers,
  patching,
  probes,
  program,
  report,
  scale,
  settings,
)

ANALYSES: dict[str, Analysis] = {
  "answers": Analysis(
    answers.run, answers.Result, "Errors and skill beside a constant answer (1.6, 3)."
  ),
  "probes": Analysis(
    probes.run, probes.Result, "Linear probes by level and role, with their controls (4.1, 5.1)."
  ),
  "nonlinear_probes": Analysis(
    nonlinear_probes.run,
    nonlinear_probes.Result,
    "Probes with hidden layers, and sums of digits (4.5, 5.4).",
  ),
  "fourier_probes": Analysis(
    fourier_probes.run,
    fourier_probes.Result,
    "Every frequency of residue and digits, with nulls (4.4, 5.3, 6.5).",
    fourier_probes.obstacle,
  ),
  "geometry": Analysis(
    geometry.run, geometry.Result, "Principal components of the states, and circles in them (4.8)."
  ),
  "causal": Analysis(
    causal.run, causal.Result, "Directions removed, by the network's own readout (4.2, 4.4, 5.2)."
  ),
  "patching": Analysis(
    patching.run, patching.Result, "States of another prompt put in place, by level and position."
  ),
  "invariance": Analysis(
    invariance.run,
    invariance.Result,
    "Shifts that keep the sum beside those that do not (4.3, 5.7).",
  ),
  "heads_text": Analysis(
    heads_text.run, heads_text.Result, "What heads attend to, and what they are worth (4.7, 5.6)."
  ),
  "scale": Analysis(
    scale.run,
    scale.Result,
    "One cell of the grid of sizes, with its nulls (4.6, 5.5).",
    scale.obstacle,
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
