"""Transformers that read sums, on trial.

Small encoders were trained to answer sums written out in characters, as a number, modulo 97, or as
right or wrong, and probes, removed directions and attention were taken for the algorithm inside.
This page repeats those readings on the published network and on networks trained here, with
held-out pairs, untrained networks, permuted labels and the network's own readout beside them. Item
numbers are sections of docs/sources/text.md.
"""

ORDER = (
  "answers",
  "probes",
  "nonlinear_probes",
  "fourier_probes",
  "fourier_published",
  "geometry",
  "causal",
  "patching",
  "invariance",
  "heads",
  "scale",
)
