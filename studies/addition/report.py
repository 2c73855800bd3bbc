"""The addition study's part of the report."""

from primelens.studies.study import Report

REPORT = Report(
  title="One-layer transformers that add, on trial",
  about="One-layer transformers without norms or biases were trained on all"
  " sums of two digits, plain or modular, and the algorithm they had found was"
  " read out of their weights. This page repeats those readings on networks"
  " trained here, over seeds and training checkpoints, puts controls beside"
  " every number, and says of every claim what remains.",
  sections={},
  summary=lambda tables, ledger: [],
)
