"""What was reported on the polynomial fits of plain addition.

Keys with a "/" name a fit and its measure, or a group and its feature.
"""

import math

from primelens.lens import numbers as reported
from primelens.lens.numbers import Reported
from primelens.studies.addition import ranks, tables

_NONE = "not reported"
_COUNT = "a count is not portable between programs"


def _smooth(item, quantity, recomputed, source=_NONE, remark=""):
  return Reported(item, quantity, source, recomputed, remark=remark)


def _rounded(item, quantity, recomputed, step, source=_NONE, remark=""):
  """A number known to a multiple of `step`, beside what drift may do."""
  tolerance = reported.SMOOTH + step / 2
  return Reported(item, quantity, source, recomputed, tolerance, remark)


def _share(item, quantity, recomputed, source=_NONE, remark=""):
  return Reported(item, quantity, source, recomputed, tables.KEEP, remark)


def _count(item, quantity, recomputed, source=_NONE, remark=_COUNT):
  return Reported(item, quantity, source, recomputed, math.inf, remark)


_PRE = {
  "pre_poly2/r2_mean": _smooth("A46", "R2, z on Poly2, mean", 0.9981, "0.998"),
  "pre_poly2/r2_median": _smooth("A46", "R2, z on Poly2, median", 0.9985),
  "pre_poly2/r2_min": _smooth("A46", "R2, z on Poly2, smallest", 0.9944, "above 0.99"),
  "pre_poly2/above_99": _count("A46", "neurons with R2 above .99, z on Poly2", 512, "all"),
  "pre_poly2/above_999": _count("A46", "neurons with R2 above .999, z on Poly2", 70),
  "pre_poly2/heldout_mean": _smooth(
    "A63", "R2, z on Poly2, fitted on train, test pairs, mean", 0.996
  ),
  "pre_poly2/heldout_median": _smooth(
    "A63", "R2, z on Poly2, fitted on train, test pairs, median", 0.998
  ),
  "pre_linear/r2_mean": _smooth("A49", "R2, z on linear PCs, mean", 0.7493, "0.75"),
  "pre_linear/r2_median": _smooth("A49", "R2, z on linear PCs, median", 0.781),
  "pre_linear/above_90": _count("A49", "neurons with R2 above .9, z on linear PCs", 70),
  "pre_linear/above_99": _count("A49", "neurons with R2 above .99, z on linear PCs", 0),
  "pre_linear_mlp/r2_overall": _rounded(
    "A49", "R2, logits from z on linear PCs, MLP alone", 0.790, 0.001
  ),
  "pre_linear_mlp/accuracy": _share(
    "A49", "accuracy, logits from z on linear PCs, MLP alone", 0.70
  ),
  "pre_sums/r2_mean": _smooth("A50", "R2, z on 5 symmetric features, mean", 0.9790, "0.98"),
  "pre_sums/r2_min": _smooth("A50", "R2, z on 5 symmetric features, smallest", 0.946),
  "pre_sums/above_95": _count(
    "A50", "neurons with R2 above .95, z on 5 symmetric features", 510, "most"
  ),
  "pre_sums/above_99": _count("A50", "neurons with R2 above .99, z on 5 symmetric features", 0),
  "pre_symmetric6/r2_mean": _smooth("A50", "R2, z on 6 symmetric features, mean", 0.9890),
  "pre_symmetric7/r2_mean": _smooth("A50", "R2, z on 7 symmetric features, mean", 0.9981),
  "pre_symmetric8/r2_mean": _smooth("A50", "R2, z on all 8 symmetric features, mean", 0.9981),
  "pre_sums_mlp/r2_overall": _smooth(
    "A50", "R2, logits from z on 5 symmetric features, MLP alone", 0.955
  ),
  "pre_sums_mlp/accuracy": _share(
    "A50", "accuracy, logits from z on 5 symmetric features, MLP alone", 0.74
  ),
}
_SIMULATED = {
  "pre_poly2_mlp/r2_overall": _smooth(
    "A51", "R2, logits from z on Poly2, MLP alone", 0.9873, "0.988"
  ),
  "simulated_mse": Reported(
    "A51",
    "squared error of the logits from z on Poly2, MLP alone",
    _NONE,
    166.0,
    66.0,
    "the tolerance is that of R2, .005, times the variance of the logits",
  ),
  "pre_poly2_mlp/accuracy": _share("A51", "accuracy, logits from z on Poly2, MLP alone", 1.00),
  "pre_poly2_mlp/nll_nats": _smooth(
    "A51", "cross-entropy, logits from z on Poly2, MLP alone", 0.0049
  ),
  "exact_nll": Reported("A51", "cross-entropy of the network", _NONE, 3.3e-8, 3e-8),
  "exact_mlp/r2_overall": _smooth("A51", "R2, logits of the exact MLP path alone", 0.9891),
  "pre_poly2_full/r2_overall": _smooth(
    "A51", "R2, logits from z on Poly2, with the direct path", 0.9982
  ),
  "simulated_mlp_r2": _smooth(
    "A51", "R2 against the exact MLP path, logits from z on Poly2", 0.9980
  ),
  "post_poly2/r2_mean": _smooth("A52", "R2, h on Poly2, mean", 0.9737, "0.975"),
  "post_poly2/r2_median": _smooth("A52", "R2, h on Poly2, median", 0.976),
  "post_poly2/r2_min": _rounded("A52", "R2, h on Poly2, smallest", 0.37, 0.01),
  "post_poly2/above_95": _count("A52", "neurons with R2 above .95, h on Poly2", 509),
  "post_poly2/above_99": _count("A52", "neurons with R2 above .99, h on Poly2", 28),
  "dead": _count("A52", "neurons whose h is always zero", 2),
  "post_poly2_mlp/r2_overall": _smooth(
    "A53", "R2, logits from h on Poly2, MLP alone", 0.9662, "0.966"
  ),
  "post_poly2_mlp/accuracy": _share("A53", "accuracy, logits from h on Poly2, MLP alone", 0.69),
  "post_poly2_mlp/nll_nats": _rounded(
    "A53", "cross-entropy, logits from h on Poly2, MLP alone", 2.37, 0.01
  ),
}
_LOGIT = {
  "logit_poly2/r2_mean": _smooth("A56", "R2, logits on Poly2, mean", 0.9765, "0.975"),
  "logit_poly2/r2_min": _smooth("A56", "R2, logits on Poly2, smallest", 0.9629, "above 0.96"),
  "logit_poly2/r2_max": _smooth("A56", "R2, logits on Poly2, best logit", 0.9911, "0.9906"),
  "best_logit": _count("A56", "logit with the best R2 on Poly2", 2, "2"),
  "worst_logit": _count("A56", "logit with the smallest R2 on Poly2", 12),
  "logit_poly2/accuracy": _share("A56", "accuracy of the logits fitted by Poly2", 0.73),
  "best_sums/r2": _smooth("A58", "R2, best logit on 5 symmetric features", 0.9695),
  "best_sums/drop": _smooth(
    "A58", "R2 lost from Poly2 to 5 symmetric features, best logit", 0.0216
  ),
} | {
  f"best_sums/{name}": _rounded("A58", f"coefficient of {name}, best logit, 5 features", value, 0.1)
  for name, value in {
    "1": -5.6,
    "s1": -8.8,
    "s2": 1.6,
    "s1 s1": 8.7,
    "s1 s2": -3.3,
    "s2 s2": -2.8,
  }.items()
}
_MAGNITUDE = {
  "1": 1.65,
  "p1a": 1.22,
  "p1b": 1.22,
  "p2a": 0.73,
  "p2b": 0.73,
  "p1a p1a": 0.18,
  "p1a p1b": 0.48,
  "p1a p2a": 0.13,
  "p1a p2b": 0.13,
  "p1b p1b": 0.18,
  "p1b p2a": None,
  "p1b p2b": None,
  "p2a p2a": 0.10,
  "p2a p2b": 0.03,
  "p2b p2b": 0.10,
}
_GROUPS = {"r >= 0.9": 23, "0.5 <= r < 0.9": 219, "-0.9 <= r < -0.5": 181, "r < -0.9": 0}
_SIGN = "PC1 rises with the digit here; its sign is arbitrary"
_WORDS = {"p1a": "opposite signs", "p2a": "negative", "p1a p1b": "negative"}
_COEFFICIENT = (
  {
    f"magnitude/{name}": _rounded("A47", f"mean |coefficient| of {name}", value, 0.01)
    for name, value in _MAGNITUDE.items()
  }
  | {
    f"size/{group}": _count("A47", f"neurons with {group}", value)
    for group, value in _GROUPS.items()
  }
  | {
    f"mean/{group}/{name}": Reported(
      "A47",
      f"mean coefficient of {name}, {group}",
      _WORDS[name],
      None,
      remark=_SIGN if name == "p1a" else "",
    )
    for group in ("all neurons", *_GROUPS)
    for name in _WORDS
  }
  | {
    "spread": Reported(
      "A48", "deviation / |mean| of a coefficient, r >= 0.9, median", "large", None
    ),
    "neuron/1": _count("A48", "strongest neuron at (0, 0)", 357, "357"),
    "neuron/2": _count("A48", "second strongest neuron at (0, 0)", 184, "184"),
  }
)
_CONTROL = {
  "pre_raw_quartic/r2_mean": _smooth("A63", "R2, z on the quartic in a, b, mean", 0.9984),
  "pre_raw_quadratic/r2_mean": _smooth("A63", "R2, z on the quadratic in a, b, mean", 0.981),
  "pre_additive/r2_mean": _smooth("A63", "R2, z on f(a) + g(b), mean", 0.758),
  "pre_random_poly2/r2_mean": Reported(
    "A63", "R2, z on Poly2 of random functions, mean", _NONE, None
  ),
  "untrained/pre_poly2/r2_mean": _smooth("A63", "R2, z on Poly2, mean, untrained", 0.606),
  "untrained/pre_poly2/heldout_mean": _smooth(
    "A63", "R2, z on Poly2, test pairs, mean, untrained", 0.394
  ),
  "untrained/pre_additive/r2_mean": _smooth("A63", "R2, z on f(a) + g(b), mean, untrained", 1.000),
  "untrained/logit_poly2/r2_mean": _smooth("A63", "R2, logits on Poly2, mean, untrained", 0.579),
}
REPORTED = _PRE | _SIMULATED | _LOGIT | _COEFFICIENT | ranks.REPORTED | _CONTROL
