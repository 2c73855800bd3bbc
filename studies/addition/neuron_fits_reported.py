"""What was reported of A31-A34 of the addition spec, and the fits' names."""

import numpy as np
from primelens.lens.numbers import Reported
from primelens.studies.addition.fits import Fit

LINEAR = 0.99  # R2 of z above which a neuron counts as linear (A32)
SUM_FITS = ("pre_reduced", "post_reduced", "pre_full", "post_full")
CHANGE_FITS = ("change_linear", "change_quadratic")
_SUM, _OWN = "a + b", "PC2(a), PC2(b)"
FITS = {
  "pre_reduced": Fit("A31", "z, PC1 alone", _SUM),
  "post_reduced": Fit("A32", "h, PC1 alone", _SUM),
  "pre_full": Fit("A33", "z", _SUM),
  "post_full": Fit("A33", "h", _SUM),
  "pre_full_random": Fit("A33", "z", "g(a) + g(b), one g drawn at random, mean over draws"),
  "pre_full_quadratic": Fit("A33", "z", "a + b and (a + b)^2"),
  "change_linear": Fit("A34", "change of z", _OWN),
  "change_quadratic": Fit("A34", "change of z", f"{_OWN}, to degree 2"),
  "change_random": Fit("A34", "change of z", "g(a), g(b), one g drawn at random, mean over draws"),
  "change_raw_linear": Fit("A34", "change of z", "a, b"),
  "change_raw_quadratic": Fit("A34", "change of z", "a, b, to degree 2"),
  "change_additive": Fit("A34", "change of z", "f(a) + g(b)"),
}
_COUNT = np.inf  # not portable
_NOT_ASKED = "not asked"
_COLUMNS = {  # measure of fits.score: words, tolerance
  "r2_mean": ("mean", 0.005),
  "r2_median": ("median", 0.005),
  "r2_max": ("largest", 0.005),
  "above_90": ("neurons above .9", _COUNT),
  "above_95": ("neurons above .95", _COUNT),
  "above_99": ("neurons above .99", _COUNT),
}
NUMBERS = {  # fit: source, and the recomputed numbers
  "pre_reduced": (
    "many very linear",
    {"r2_mean": 0.668, "r2_median": 0.705, "r2_max": 0.992}
    | {"above_90": 70, "above_95": 41, "above_99": 41},
  ),
  "post_reduced": (
    "none above .9",
    {"r2_mean": 0.526, "r2_median": 0.508, "r2_max": 0.862, "above_90": 0},
  ),
  "pre_full": ("as with PC1 alone", {"r2_mean": 0.677, "above_90": 70, "above_99": 40}),
  "post_full": ("none above .9", {"r2_mean": 0.531, "above_90": 0}),
  "change_linear": (
    "very good",
    {"r2_mean": 0.851, "r2_median": 0.947, "above_90": 359, "above_99": 10},
  ),
  "change_quadratic": (
    "slightly better",
    {"r2_mean": 0.857, "r2_median": 0.952, "above_90": 359, "above_99": 90},
  ),
}
REPORTED = {
  f"{fit}_{measure}": Reported(
    FITS[fit].item,
    f"R2, {FITS[fit].target} on {FITS[fit].design}: {_COLUMNS[measure][0]}",
    source,
    number,
    _COLUMNS[measure][1],
  )
  for fit, (source, numbers) in NUMBERS.items()
  for measure, number in numbers.items()
} | {
  f"drop_{name}": Reported(
    item, f"R2 of z less R2 of h on a + b, {words}", "a large drop", None
  )
  for item, name, words in (
    ("A32", "reduced_mean", "PC1 alone: mean"),
    ("A32", "reduced_median", "PC1 alone: median"),
    ("A33", "full_mean", "mean"),
    ("A33", "full_median", "median"),
  )
} | {
  "linear_post": Reported(
    "A32", f"R2 of h on a + b, mean of neurons with {LINEAR} for z, PC1 alone",
    "well below", None,
  ),
} | {
  f"weighted_{name}": Reported(
    FITS[name].item,
    f"R2, {FITS[name].target} on {FITS[name].design}: weighted by contribution",
    _NOT_ASKED, None,
  )
  for name in (*SUM_FITS, *CHANGE_FITS)
}  # fmt: skip
