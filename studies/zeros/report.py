"""The zeros study's part of the report."""

from primelens.lens.legacy import Report
from primelens.studies.zeros import (
  published,
  report_summary,
)

SECTIONS = {
}
_MARKED = ("losses", "comparison", "contributions", "leak")
_OF_DATA = ("gue", "prime_lines")


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
  sections=SECTIONS,
  summary=report_summary.lines,
)
