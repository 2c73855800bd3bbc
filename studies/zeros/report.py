"""The zeros study's part of the report."""

from primelens.lens import page
from primelens.lens.legacy import Report
from primelens.studies.zeros import (
  published,
  reads_ahead,
  report_binned,
  report_forecasts,
  report_gue,
  report_guided,
  report_hermiticity,
  report_kernels,
  report_leak,
  report_levels,
  report_losses,
  report_pruned,
  report_readings,
  report_slots,
  report_summary,
)

SECTIONS = {
  "losses": ("Models and anchors", report_losses.runs),
  "comparison": ("All models in one table", report_losses.comparison),
  "contributions": ("What each guide contributes", report_guided.contributions),
  "heads": ("Removing attention heads", report_readings.heads),
  "pruned": ("Pruned and trained again", report_pruned.pruned),
  "curriculum": ("A masked teacher's students", report_pruned.curriculum),
  "formula": ("Short formulas", report_readings.formula),
  "linear": ("The linear operator", report_readings.linear),
  "rollout": ("Predictions fed back", report_forecasts.rollout),
  "calibration": ("Are the densities right?", report_forecasts.calibration),
  "leak": ("What the window tells", report_leak.leak),
  "form_factor": ("Form factors", report_levels.form_factor),
  "operators": ("Operators made of kernels", report_levels.operators),
  "kernels": ("Attention by distance", report_kernels.kernels),
  "hermiticity": ("Symmetric forms", report_hermiticity.hermiticity),
  "slots": ("Memory slots", report_slots.slots),
  "gue": ("The zeros beside random matrices", report_gue.gue),
  "prime_lines": ("Waves of the primes", report_gue.prime_lines),
  "predictors": ("What the sine kernel predicts", report_gue.predictors),
  "perplexity": ("Binned networks", report_binned.perplexity),
  "memory_effect": ("Memory and placebo", report_binned.memory_effect),
}


# Which say nothing of a network's predictions, or mark those that are none.
_MARKED = ("losses", "comparison", "contributions", "leak", "perplexity")
_OF_DATA = ("form_factor", "operators", "gue", "prime_lines")


def _cautioned(name: str, part):
  """Returns a section behind a line on the networks that read their targets."""

  def section(tables) -> page.Markup:
    read = {run: table for run, table in tables.items() if name in table}
    said = [f"{run}: {caution}." for run, caution in reads_ahead.cautions(read).items()]
    lines = [page.tag("p", f"No prediction is read here of {line}") for line in said]
    return page.join([*lines, part(tables)])

  return part if name in (*_MARKED, *_OF_DATA) else section


REPORT = Report(
  title="Transformers on the zeros of zeta, on trial",
  about="Small transformers were trained to predict the spacings between zeros"
  " of the Riemann zeta function, and what they had learned was read out of"
  f" their weights, in {published.STUDY}. This page repeats those readings on"
  " networks trained here, puts every network beside linear filters and"
  " null models on the same spacings, and says of every claim what remains."
  " Losses are negative log-likelihoods (NLL) in nats per spacing, lower is"
  " better, and changes of a loss are in nats. Intervals are 95 %, over seeds"
  " (Student's t) and blocks of data, whose noise all seeds share. Those of one"
  " seed, and of formulas, are over blocks of data alone: they say nothing of"
  " other seeds.",
  sections={key: (title, _cautioned(key, part)) for key, (title, part) in SECTIONS.items()},
  summary=report_summary.lines,
)
