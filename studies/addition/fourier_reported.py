"""What was reported about modular addition, P = 113.

The source's numbers are those its stored run printed; nobody else has made
that run, so nothing is recomputed. That run's key frequencies (8, 19, 41, 54)
need not be ours: which ones grow depends on rounding.
"""

import math

from primelens.lens.numbers import Reported

_KEYS = "key frequencies"


def _told(item: str, quantity: str, source: str = "", remark: str = ""):
  return Reported(item, quantity, source, None, math.inf, remark)


_EMBEDDING = {
  "singular_large": _told("B5", "singular values of E above 0.1 of the largest", "about 8"),
  "gaussian_large": _told("B5", "the same of a Gaussian matrix"),
  "singular_share": _told("B5", "share of 8 singular values in E's squares"),
  "gaussian_share": _told("B5", "the same of a Gaussian matrix"),
  "basis_error": _told("B7", "largest |F F^T - 1|", "shown as the identity"),
  "embedding_keys": _told("B9", f"{_KEYS} of F E", "a handful"),
  "embedding_key_share": _told("B9", "share of E's squares at key frequencies"),
  "keys_shared": _told("B9", "key frequencies of both F E and W_logit, share of those of either"),
  "gram_off": _told("B10", "largest cosine of two key rows of F E", "near diagonal"),
  "gram_ratio": _told("B10", "smaller norm over larger, sine and cosine of a key", "equal norms"),
  "interference": _told(
    "B11", "largest mean cosine of the keys away from 0", "unique maximum at 0"
  ),
  "interference_as_published": _told("B11", "the same of 17, 25, 32, 47", "unique maximum at 0"),
}
_NEURONS = {
  "product_share": _told(
    "B12",
    "share of one frequency, cos a cos b and cos a",
    "drawn for 47",
    "of the strongest key; a closed form: 1",
  ),
  "neuron0_share": _told("B13", "largest share of one frequency, neuron 0"),
  "neuron5_share": _told("B13", "largest share of one frequency, neuron 5"),
  "gaussian_neuron_share": _told("B13", "the same of a Gaussian map"),
  "share_median": _told("B15", "largest share, median of the neurons", "high"),
  "clustered": _told("B15", "share of neurons above 0.85", "nearly all"),
  "cluster_median": _told("B15", "largest share, median of the clustered", "0.974 to 0.976 (54)"),
  "cluster_next": _told("B15", "second largest share, median of the clustered", "about 1e-4"),
  "cluster_sizes": _told("B17", f"neurons in clusters of {_KEYS}"),
  "cluster_own_readout": _told(
    "B17", "own share of a cluster's W_logit F^T squares", "only its own"
  ),
  "input_share": _told(
    "B19",
    "share of sin cos and cos sin in the input map",
    "only these",
    "mean over key frequencies that have a cluster",
  ),
  "input_share_as_published": _told("B19", "the same of the published direction", "only these"),
  "energy_key_share": _told("B26", "share of the neurons' energy in blocks of the keys"),
}
# The norms that the stored plot of that run shows, sine and cosine.
_NORMS = {
  8: ("17.00", "17.01"),
  19: ("18.22", "18.22"),
  41: ("20.61", "20.18"),
  54: ("17.16", "17.20"),
}
_READOUT = {
  "readout_keys": _told("B16", f"{_KEYS} of W_logit", "4: 8, 19, 41, 54"),
  **{
    f"readout_{wave}_{k}": _told(
      "B16", f"norm of W_logit at {wave} {k}", norm, "if it is a key here"
    )
    for k, norms in _NORMS.items()
    for wave, norm in zip(("sine", "cosine"), norms, strict=True)
  },
  "readout_key_least": _told("B16", "smallest norm of a key's wave", "17.00"),
  "readout_other_largest": _told("B16", "largest norm of any other", "< 0.55"),
  "direction_cluster": _told(
    "B18",
    "share of the sine direction on its own cluster",
    "",
    "mean over key frequencies that have a cluster",
  ),
  "direction_cluster_as_published": _told("B18", "the same with F in the place of F^T"),
  "direction_cosine": _told("B18", "|cosine| of the two directions"),
}
_ELSEWHERE = "the source's constants, another run's: a control"
_LOGITS = {
  "logit_norm": _told("B24", "norm of the logits", "21740.7"),
  "all_nll": _told("B24", "cross-entropy, all pairs", "1.7025e-7"),
  "train_nll": _told("5", "cross-entropy, train pairs", "9.454e-8"),
  "test_nll": _told("5", "cross-entropy, test pairs", "2.027e-7"),
  "all_accuracy": _told("B24", "accuracy, all pairs"),
  "key_similarity": _told("B24", "cosine with the keys' cubes together"),
  "key_similarity_least": _told("B24", "smallest cosine with a key's cube"),
  "residual": _told("B24", "residual fraction without the keys' cubes"),
  "residual_all": _told("B25", "residual fraction without any cube"),
  "fitted_nll": _told("B24", "cross-entropy of the keys' cubes, all pairs"),
  "fitted_accuracy": _told(
    "B24", "accuracy of the keys' cubes, all pairs", "", "0 or 1: they depend on a + b - c alone"
  ),
  "table_accuracy": _told(
    "B24",
    "accuracy of all cubes fitted to a table of the train pairs",
    "",
    "1: cubes of any network that fits its train pairs name the right class",
  ),
  "random_cube": _told("B24", "|cosine| with a random cube", "0.0011"),
  "random_logits": _told("B24", "largest cosine of random logits and a cube"),
  "residual_as_published": _told("B24", "residual fraction of 17, 25, 32, 47", "1.000", _ELSEWHERE),
  "fitted_nll_as_published": _told("B24", "cross-entropy of 17, 25, 32, 47", "4.7274", _ELSEWHERE),
  **{
    f"coefficient_{k}": _told("B24", f"coefficient of the cube of {k}", value, _ELSEWHERE)
    for k, value in zip((17, 25, 32, 47), ("-0.025", "-0.013", "0.052", "0.001"), strict=True)
  },
}
_RESTRICTED = {
  "restricted": _told("B27", "restricted loss as published once, test"),
  "restricted_shifted": _told(
    "B27", "restricted loss with class means, test", "1.15e-7, an older run"
  ),
  "restricted_skip": _told("B27", "restricted loss with direct path, test"),
  "restricted_heldout": _told(
    "B27",
    "the same, its waves averaged over test pairs alone",
    "",
    "the published waves average the train pairs too",
  ),
  "restricted_shifted_as_published": _told(
    "B27", "restricted loss of 17, 25, 32, 47, test", "", _ELSEWHERE
  ),
  "restricted_shifted_other": _told("B27", "restricted loss of as many other frequencies, test"),
  "excluded": _told("B29", "excluded loss as published once, train"),
  "excluded_skip": _told("B29", "excluded loss with direct path, train"),
  "excluded_skip_as_published": _told(
    "B29", "excluded loss of 17, 25, 32, 47, train", "", _ELSEWHERE
  ),
  "excluded_skip_other": _told("B29", "excluded loss of as many other frequencies, train"),
}
REPORTED = {**_EMBEDDING, **_READOUT, **_NEURONS, **_LOGITS, **_RESTRICTED}
