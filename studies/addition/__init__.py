"""One-layer transformers that add, on trial.

One-layer transformers without norms or biases were trained on all sums of two digits, plain or
modular, and the algorithm they had found was read out of their weights. This page repeats those
readings on networks trained here, over seeds and training checkpoints, puts controls beside every
number, and says of every claim what remains. Item numbers (A17, B24) are those of
docs/sources/addition.md.
"""

ORDER = (
  "progress",
  "embedding",
  "probe",
  "neurons",
  "neuron_changes",
  "subspace",
  "polynomial",
  "dimensions",
  "readout",
  "attention",
  "fourier",
  "spectra",
)
