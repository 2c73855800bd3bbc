"""The zeros study's part of the report."""

from primelens.studies.study import Report
from primelens.studies.zeros import published
from primelens.studies.zeros import report_losses
from primelens.studies.zeros import report_readings
from primelens.studies.zeros import report_summary

REPORT = Report(
  title="Transformers on the zeros of zeta, on trial",
  about="Small transformers were trained to predict the spacings between zeros"
  " of the Riemann zeta function, and what they had learned was read out of"
  f" their weights, in {published.STUDY}. This page repeats those readings on"
  " networks trained here, puts every network beside linear filters and"
  " null models on the same spacings, and says of every claim what remains."
  " Losses are negative log-likelihoods (NLL) in nats per spacing, lower is"
  " better, and changes of a loss are in nats. Intervals are 95 %, over seeds"
  " and blocks of data.",
  sections={
    "losses": ("Models and anchors", report_losses.runs),
    "comparison": ("All models in one table", report_losses.comparison),
    "masking": ("Removing weights", report_readings.masking),
    "heads": ("Removing attention heads", report_readings.heads),
    "formula": ("Short formulas", report_readings.formula),
    "linear": ("The linear operator", report_readings.linear),
  },
  summary=report_summary.lines,
)
