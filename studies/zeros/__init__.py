"""Transformers on the zeros of zeta, on trial.

Small transformers were trained to predict the spacings between zeros of the Riemann zeta function,
and what they had learned was read out of their weights, in the published study (repository
nanoGPT-RH, revision 412851f). This page repeats those readings on networks trained here, puts every
network beside linear filters and null models on the same spacings, and says of every claim what
remains.

Losses are negative log-likelihoods (NLL) in nats per spacing, lower is better, and changes of a
loss are in nats. Intervals are 95 %, over seeds (Student's t) and blocks of data, whose noise
all seeds share. Those of one seed, and of formulas, are over blocks of data alone: they say nothing
of other seeds.
"""

ORDER = (
  "prime_waves",
  "prime_response",
  "prime_places",
  "anchors",
  "masking",
  "heads",
  "pruned",
  "curriculum",
  "formula",
  "linear",
  "rollout",
  "calibration",
  "selection",
  "leak",
  "form_factor",
  "operators",
  "kernels",
  "hermiticity",
  "slots",
  "gue",
  "prime_lines",
  "yardstick",
  "predictors",
  "perplexity",
  "memory_effect",
)

# What says most: its figure and sentences come first.
LEAD = ("anchors", "formula", "masking", "slots")

GLOSSARY = {
  "spacing": "The distance from one zero to the next, over the mean distance at that height.",
  "NLL": "Negative log-likelihood of a spacing under a predicted density, in nats; lower is better,"
  " and it may be below 0. A number of one network says on which spacings it is: the section on"
  " anchors scores all of test, others some windows of it.",
  "window": "Neighbouring spacings that a network reads at once, as many as its input holds.",
  "train": "The spacings that networks and filters are fitted on.",
  "select": "Spacings above train, on which every choice is made: checkpoints, ratios, ranks of"
  " heads. What is reported is never scored there.",
  "test": "The spacings that are scored and on which nothing was chosen.",
  "tail": "The last tenth of the 2,001,051 published spacings. The published networks were chosen"
  " and reported on it; here it is test.",
  "golden batch": "The first 640 sliding windows of the tail, on which the published study compared"
  " evaluations.",
  "POSTFIX": "A network that reads a whole window, then memory slots, and predicts one spacing from"
  " these; E3, E4 and E5 are published ones.",
  "slot": "A learned vector of the memory, read beside the spacings of a window.",
  "E0": "The published network without memory, trained to predict every next spacing.",
  "E4": "The published POSTFIX network of 4,802,336 parameters whose slot ids are permuted.",
  "Flash": "The later published network with a memory bank whose attention lets the future in.",
  "bank": "Memory slots that read the window and are read by every position; as published it lets"
  " later spacings in.",
  "anchor": "A prediction that needs no network, on the same spacings: a constant, the distribution"
  " of all spacings, linear filters.",
  "AR": "A linear filter of the last spacings; AR(24) has 24 coefficients. An adaptive one is"
  " fitted again on the spacings just before.",
  "mask": "A choice of weights that are set to 0, here the smallest ones. The ratio is the share"
  " that is removed.",
  "recalibration": "A factor of every predicted width and a shift of every mean, two numbers fitted"
  " on select. What it gains is no knowledge that a mask has found.",
  "known": "Of a prime: less than a third of its wave in the true spacings is left in the errors of"
  " the predictions. Frequencies beside the primes are counted alike, as the null.",
  "resolved": "Of a prime: the response to waves in the input has a peak there that is higher than"
  " all between the primes. It tells primes apart, which being known does not.",
  "stands out": "Of a prime: its wave in the true spacings is more than three times those beside"
  " it.",
  "explicit formula": "The sum of waves at the logarithms of primes that places the zeros; it"
  " predicts without a fitted number.",
  "CUE": "Random unitary matrices; spacings of their eigenvalues are like those of zeros and know"
  " no primes.",
  "GUE": "Random Hermitian matrices, whose eigenvalues have the same local statistics as zeros.",
  "reads its target": "A network whose output changes with inputs from its target on. Its NLL is"
  " that of no prediction, and it has no rank.",
  "published size": "At least 4,700,000 parameters and five seeds: what decides a claim about the"
  " published networks.",
}
