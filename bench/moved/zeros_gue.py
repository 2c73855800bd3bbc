"""Where the fields of gue went."""

from primelens.lens import tables


def _rows(name):
  return lambda new: tables.rows(new["gue"], name)


MAP = {
  "gue/height_P": lambda new: new["gue"].height.values,
  "gue/count_P": lambda new: new["gue"].spacings.values,
  "gue/variance_P": lambda new: new["gue"].variance.values,
  "gue/variance_error_P": lambda new: new["gue"].variance_error.values,
  "gue/correlation_PxQ": lambda new: new["gue"].correlation.values,
  "gue/error_PxQ": lambda new: new["gue"].correlation_error.values,
  "gue/size_P": lambda new: new["gue"].cue_size.values,
  "gue/leading_variance_P": lambda new: new["gue"].leading_variance.values,
  "gue/limit_variance": lambda new: new["gue"].limit_variance,
  "gue/limit_Q": lambda new: new["gue"].exact.values,
  **{
    f"gue/{name}": _rows(name) for name in ("fits", "references", "berry", "shuffles", "prime_lags")
  },
}
