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

LEAD = ("answers", "causal", "probes")  # what says most: its figure and sentences come first

GLOSSARY = {
  "prompt": "A sum as the network reads it, a character at a time, as in 103 + 40 = ?",
  "skill": "1 - loss / loss of the best constant answer on train: 1 is no error, 0 is that"
  " constant. Of numbers the loss is the squared error and the constant the train mean; of classes"
  " they are the negative log-likelihood (NLL) and the frequencies of train.",
  "fresh pairs": "Pairs of numbers of which the network has seen neither order.",
  "select": "Rows held back in training that choose a network's parameters; what is reported is"
  " scored on fresh pairs.",
  "state": "The vector of a character inside the network, after the block that is named.",
  "role": "What a character is in its prompt: a digit of one number, the plus, the question mark.",
  "readout": "The last linear map, from the last character's state to the answer. The network's own"
  " is the trained one; one fitted anew says what can be found, not what is used.",
  "probe": "A regression from states to a number; what it finds, the network need not use.",
  "permuted labels": "The control of a probe whose targets are exchanged at random.",
  "LEACE": "A projection of states after which no linear regression finds a number in them.",
  "residue": "The remainder of x + y divided by the modulus, 97 as published.",
  "donor": "Another prompt, whose states, or a head's output, are put in place of a prompt's own.",
  "exact": "Of an answer: right after rounding to a whole number.",
}
