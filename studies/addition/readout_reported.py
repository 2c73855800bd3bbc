"""What was reported about the readout: items A36-A45, A54, A55.

Curves and spectra may drift by 5 % of their largest entry; which frequency has
which rank either agrees or does not.
"""

import math
from collections.abc import Sequence

from primelens.lens.numbers import Reported
from primelens.studies.addition import tables

_EXACT = 0.5  # whole numbers
_CURVE = 0.05  # of the largest entry
_TWO_DIGITS = 0.01  # printed with two decimals


def _series(
  key: str,
  item: str,
  quantity: str,
  source: str,
  values: Sequence[float | None],
  tolerance: float = _EXACT,
  first: int = 1,
) -> dict[str, Reported]:
  """Entries `key_1`, `key_2`, ...; the quantity's {} is their number."""
  return {
    f"{key}_{at}": Reported(item, quantity.format(at), source, value, tolerance)
    for at, value in enumerate(values, first)
  }


def _curve(key, item, quantity, source, values, first=0):
  tolerance = _CURVE * max(map(abs, values))
  return _series(key, item, quantity, source, values, tolerance, first)


_CHANGE = (
  300,
  173,
  56,
  -54,
  -165,
  -271,
  -209,
  -162,
  -96,
  -173,
  -30,
  108,
  247,
  299,
  128,
  133,
  -2,
  -85,
  -176,
  0,
)
_EMBEDDING_NORM = (1.53, 10.66, 4.29, 2.73, 2.23, 2.17)
_READOUT_NORM = (0.7, 40.3, 43.1, 27.1, 9.2, 15.1, 9.8, 3.8, 7.7, 6.5, 3.7)
_ACCURACY = (0.22, 0.52, 0.48, 0.38, 0.53, 0.46, 0.56, 0.93, 1.0, 1.0)

_LOGITS = {
  **_curve("change", "A36", "W_L Δh at (0,0), full minus PC1 alone, class {}", "a cosine", _CHANGE),
  "change_period": Reported("A36", "best real period of W_L Δh at (0,0), classes", "", 13, 1.0),
  "change_free": Reported("A36", "similarity of W_L Δh with period 20, free phase", "", None),
  "change_similarity": Reported("A36", "similarity of W_L Δh with its best real period", "", None),
  "dip": Reported("A37", "class of the smallest full logit at (0,0)", "9", None),
  "last_logit": Reported("A37", "largest |logit| of class 19 at (0,0), full and PC1", "0", None),
  "shape_correlation": Reported(
    "A39", "correlation of the logits at (0,0) and (9,9)", "drawn", None
  ),
  "mirror_correlation": Reported(
    "A39", "correlation of the logits at (0,0) and at (9,9) read from class 18 down", "drawn", None
  ),
}
_SPECTRA = {
  **_series(
    "logit_low_order",
    "A40",
    "frequency of rank {}, logits at (0,0)",
    "1, 2, 3 dominate",
    (1, 2, 4, 3, 6, 8),
  ),
  **_series(
    "logit_low_size",
    "A40",
    "|rfft| of rank {}, logits at (0,0)",
    "",
    (1616, 1197, 701, 582),
    _CURVE * 1616,
  ),
  **_series(
    "logit_middle_order",
    "A40",
    "frequency of rank {}, logits at (4,4)",
    "1, 2, 3 dominate",
    (1, 3, 2, 5),
  ),
  **_series(
    "accuracy",
    "A41",
    "accuracy with exactly {} frequencies beside the constant",
    "",
    _ACCURACY,
    tables.KEEP,
  ),
  **_series(
    "nll_nats",
    "A41",
    "cross-entropy with exactly {} frequencies beside the constant",
    "",
    (None,) * len(_ACCURACY),
  ),
  "needed": Reported("A41", "frequencies with which all inputs keep their argmax", "", 9, _EXACT),
  "needed_shuffled": Reported(
    "A41", "the same, logits with the same spectra and random phases", "", None
  ),
  "needed_planes": Reported("A41", "the same, random planes instead of frequencies", "", None),
  "published_variance_3": Reported(
    "A41", "variance explained at (0,0), published K = 3", "", 0.820
  ),
  "published_argmax_3": Reported("A41", "argmax at (0,0), published K = 3", "wrong", 1, _EXACT),
  "published_variance_6": Reported(
    "A41", "variance explained at (0,0), published K = 6", "", 0.952
  ),
  "published_argmax_6": Reported("A41", "argmax at (0,0), published K = 6", "right", 0, _EXACT),
  "published_kept_6": Reported(
    "A41", "frequencies kept beside the constant, K = 6", "6", 7, _EXACT
  ),
  "published_variance_7": Reported(
    "A41", "variance explained at (0,0), published K = 7", "", 0.981
  ),
  "published_argmax_7": Reported("A41", "argmax at (0,0), published K = 7", "", 1, _EXACT),
}
_NEURONS = {
  **_series(
    "peak_count",
    "A42",
    "neurons whose W_L column peaks at frequency {}",
    "1, 2, 3 strong everywhere",
    (181, 329, 2),
    math.inf,
  ),
  "peak_184": Reported("A42", "peak frequency of neuron 184", "2", 2, _EXACT),
  "peak_357": Reported("A42", "peak frequency of neuron 357", "1", 1, _EXACT),
  **_curve(
    "embedding_norm",
    "A43",
    "norm of W_E at frequency {} of 10 digits",
    "1, then 2",
    _EMBEDDING_NORM,
  ),
  **_curve("readout_norm", "A43", "norm of W_L at frequency {} of 20 classes", "", _READOUT_NORM),
  **_series(
    "active_low_order", "A44", "frequency of rank {}, 30 most active at (0,0)", "", (1, 2, 3, 4, 5)
  ),
  **_series(
    "active_middle_order",
    "A44",
    "frequency of rank {}, 30 most active at (4,4)",
    "",
    (2, 1, 3, 5, 6),
  ),
  **_series(
    "off_order",
    "A45",
    "frequency of rank {}, neurons that turn off at (0,0)",
    "not illuminating",
    (1, 2, 3, 5, 8),
  ),
  **_series(
    "on_order",
    "A45",
    "frequency of rank {}, neurons that turn on at (0,0)",
    "not illuminating",
    (None,) * 5,
  ),
}
_COMPONENTS = {
  "pc1_share": Reported("A54", "share of W_L's variance, PC1", "", 0.8476),
  "pc2_share": Reported("A54", "share of W_L's variance, PC2", "", 0.1338),
  "pc12_share": Reported("A54", "share of W_L's variance, PC1 + PC2", "0.983", 0.9814),
  **_series(
    "similarity",
    "A55",
    "similarity of PC{} with the better of sin, cos k = 1, 1, 2, 2",
    "likely sin, cos k = 1",
    (0.52, 0.82, 0.33, 0.06),
    _TWO_DIGITS,
  ),
  **_series(
    "chance_similarity",
    "A55",
    "95 % of random curves as smooth as PC{} reach at most",
    "",
    (None,) * 4,
  ),
  **_series(
    "free", "A55", "similarity of PC{} with period 20, 20, 10, 10, free phase", "", (None,) * 4
  ),
  **_series("period", "A55", "best real period of PC{}", "", (13,), 1.0),
  **_series("period", "A55", "best real period of PC{}", "", (None,) * 3, first=2),
  **_series(
    "period_similarity", "A55", "similarity of PC{} with its best real period", "", (None,) * 4
  ),
  **_series(
    "chance_period",
    "A55",
    "95 % of random curves as smooth as PC{} reach at most, best period",
    "",
    (None,) * 4,
  ),
  "pc2_peak": Reported("A55", "class of the largest entry of PC2", "", 9, _EXACT),
}
REPORTED = _LOGITS | _SPECTRA | _NEURONS | _COMPONENTS
