"""Networks that remember prime gaps, on trial.

A small transformer was given the index of a prime gap as its one token, and the spectrum of one of
its weight matrices was taken for what it learned of the primes. This page repeats the training at
CPU size, with several members, beside shuffled, random and chaotic sequences and gaps left out, and
reads every matrix beside noise of its shape and scale, its own start, and a kernel with the
mismatch that makes the published fingerprint. Item numbers are sections of docs/sources/primes.md.
"""

ORDER = ("memory", "spectra")

LEAD = ("memory", "spectra")  # what says most: its figure and sentences come first

GLOSSARY = {
  "gap": "The distance from one prime to the next.",
  "plan": "One of the three trainings of the source, A (a table of indices), B (the same, small"
  " batches) and C (sinusoids), which differ in embedding and batch.",
  "trained gaps": "Those that a network is fitted on. The source scored the last thousand of them.",
  "left out": "Of gaps: never trained on. Only these can show any knowledge of the primes.",
  "constant": "The best single answer to all trained gaps, the error of which is to be beaten.",
  "context": "Earlier gaps and residues that a network is given beside the index of the gap.",
  "fingerprint": "What the source took for the mark of the primes in the first query matrix: a low"
  " effective rank, one large singular value, two clusters of rows.",
  "hyper-connections": "Several residual streams beside each other: every layer reads a learned"
  " weighted sum of them and adds to each. In those of the source, which are"
  " identity hyper-connections, the matrix that would mix the streams is the identity.",
  "noise": "Random matrices of the shape and scale of a weight matrix: the null of its spectrum.",
  "effective rank": "The exponential of the entropy of a matrix's singular values, as shares of"
  " their sum.",
  "exact gradients": "Those of the function that is computed. The source's kernel computed one"
  " function and the gradient of another.",
}
