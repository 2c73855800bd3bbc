"""Where the fields of polynomial went: to polynomial, and its ranks to dimensions."""

import numpy as np
import primelens.studies.addition
from primelens.lens import numbers
from primelens.studies.addition import dimensions, polynomial

from moved import addition


def _table(new):
  found, place = new["polynomial"], primelens.studies.addition.__file__
  known = numbers.published(place, "polynomial") | numbers.published(place, "dimensions")
  ranks = dimensions.numbers(new["dimensions"])
  values = numbers.of(found) | ranks
  fits = [key for key in known if key not in ranks]
  at = fits.index("pre_raw_quartic/r2_mean")  # the ranks stood before the controls
  order = [*fits[:at], *(key for key in known if key in ranks), *fits[at:]]
  reference = found.reference if found.reference >= 0 else None
  return [
    {"key": key, "population": found.population}
    | addition.row(known[key], values[key].value_S, values[key].untrained_S, reference)
    for key in order
  ]


def _measure(name):
  def drawn(new):
    its = new["polynomial"].fit_value.sel(network="trained", measure=name)
    its = its.sel(fit=list(polynomial.FITS)).transpose("seed", "fit")
    return its.values.astype(np.float32)

  return drawn


def _of(name):
  return lambda new: new["polynomial"][name].values


def _logits(source):
  return lambda new: new["polynomial"].logits.sel(source=source).values


def _rank(name, network):
  return lambda new: new["dimensions"][name].sel(network=network).values


MAP = {
  "polynomial/table": _table,
  "polynomial/fits": addition.fits("polynomial", polynomial.FITS.__contains__),
  "polynomial/simulated": addition.fits("polynomial", polynomial.SIMULATED.__contains__),
  "polynomial/coefficients": lambda new: polynomial.coefficient_rows(new["polynomial"]),
  "polynomial/best_logit": lambda new: polynomial.best_logit_rows(new["polynomial"]),
  "polynomial/spaces": lambda new: [{"space": words} for words in dimensions.SPACES.values()],
  "polynomial/coefficient_mean_SxExQ": _of("coefficient"),
  "polynomial/coefficient_deviation_SxExQ": _of("coefficient_deviation"),
  "polynomial/coefficient_magnitude_SxExQ": _of("coefficient_magnitude"),
  "polynomial/group_size_SxE": _of("group_size"),
  "polynomial/logit_r2_SxV": _of("logit_r2"),
  "polynomial/logit_heldout_r2_SxV": _of("logit_heldout_r2"),
  "polynomial/pre_r2_SxF": _of("pre_r2"),
  "polynomial/sums_r2_SxF": _of("sums_r2"),
  "polynomial/post_r2_SxF": _of("post_r2"),
  "polynomial/logit_NxV": _logits("network"),
  "polynomial/mlp_NxV": _logits("MLP alone"),
  "polynomial/simulated_pre_NxV": _logits("ReLU of z on Poly2"),
  "polynomial/simulated_post_NxV": _logits("h on Poly2"),
  "polynomial/share_SxPxR": _rank("share", "trained"),
  "polynomial/untrained_share_SxPxR": _rank("share", "untrained"),
  "polynomial/up_SxR": _rank("up_value", "trained"),
  "polynomial/untrained_up_SxR": _rank("up_value", "untrained"),
} | {
  f"polynomial/{name}_SxM": _measure(name)
  for name in ("r2_median", "heldout_median", "accuracy", "test_accuracy")
}
