"""One-layer transformers that add, on trial.

One-layer transformers without norms or biases were trained on a part of the sums of two digits, or
of two numbers below 113 modulo 113, and the algorithm they had found was read out of their weights.
This page repeats those readings on networks trained here, over seeds and training checkpoints, puts
controls beside every number, and says of every claim what remains. Item numbers (A17, B24) are
those of docs/sources/addition.md.
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

LEAD = ("progress", "probe", "fourier")  # what says most: its figure and sentences come first

GLOSSARY = {
  "P": "The modulus, or the number of digits: numbers from 0 to P - 1 are added.",
  "plain addition": "The answer to (a, b) is a + b, one of 2P classes.",
  "modular addition": "The answer to (a, b) is the remainder of a + b divided by P.",
  "member": "One network of a run: the same training from another start, or on another split.",
  "train pairs": "The pairs (a, b) that a network is fitted on; test pairs are all others.",
  "mirrored": "Of a test pair (a, b): the pair (b, a) is a train pair.",
  "to generalise": "To answer all test pairs rightly.",
  "grokking": "Test pairs are answered rightly long after the train pairs are.",
  "the source's network": "The network of the notebook trained again here from its published start"
  " on its published pairs.",
  "z": "What enters the neurons of the MLP, before the ReLU.",
  "h": "What the neurons of the MLP give, after the ReLU.",
  "W_L": "The map from neurons to logits, its column f what neuron f adds to every class.",
  "PC1": "The first principal component of the digits' vectors; PC2 is the second.",
  "Poly2": "All 15 monomials up to degree 2 of the first two components of both digits.",
  "direct path": "The way from the residual stream to the logits past the MLP.",
  "frozen": "Of attention: replaced by its mean over inputs, so that it depends on none.",
  "key frequencies": "Those at which the map from neurons to logits is large: more than a tenth of"
  " the largest.",
  "restricted loss": "The loss of the waves at the key frequencies alone.",
  "excluded loss": "The loss of the network without these waves.",
  "effective rank": "The exponential of the entropy of a matrix's singular values, as shares of"
  " their sum.",
  "permuted labels": "The control with the answers exchanged at random: there is nothing to learn"
  " but the train pairs.",
}
