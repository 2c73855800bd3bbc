"""What was reported of shifted operands: arithmetic spec, section 5.7."""

from primelens.lens.numbers import Reported

PLOT = "a plot"
_NEVER = "not reported"
DELTAS_R = (-5, -2, -1, 0, 1, 2, 5)
# Squared errors at DELTAS_R, over all rows and over those in range, and half of
# the last digit; for sums .03 more, by which float32 outputs of two libraries
# move them.
_ERRORS = {
  "sum": ((12503, 8342, 7037, 872, 4840, 8353, 12299), (744, 807, 836, 872, 826, 755, 716), 0.53),
  "modk": (
    (821.0, 800.7, 802.6, 778.5, 793.5, 810.5, 837.8),
    (787.3, 779.1, 781.2, 778.5, 776.6, 777.1, 789.2),
    0.05,
  ),
}
_OUTSIDE = (21, 11, 8, 0, 4, 11, 20)
_FARTHER = ((-50, 619), (-20, 797), (-10, 781), (10, 733), (20, 755), (50, 654))
# d, change under (x + d, y - d), under (x + d, y), mean change of the latter.
_CHANGES = (
  (1, 12.8, 8.9, (0.99, 0.005)),
  (5, 22.0, 17.3, (5.48, 0.005)),
  (50, 24.7, 55.0, (51.7, 0.05)),
)


def _rows() -> dict[str, Reported]:
  """Returns all rows, tolerances half of the last digit."""
  found = {}
  for question, (every, inside, half) in _ERRORS.items():
    for d, all_rows, in_range in zip(DELTAS_R, every, inside, strict=True):
      words = f"{question}, squared error at (x + d, y - d), d = {d}"
      found[f"{question}_all_{d}"] = Reported("5.7", f"{words}, all rows", PLOT, all_rows, half)
      found[f"{question}_in_range_{d}"] = Reported(
        "5.7", f"{words}, rows in range", _NEVER, in_range, half
      )
  for d, count in zip(DELTAS_R, _OUTSIDE, strict=True):
    found[f"sum_outside_{d}"] = Reported(
      "5.7", f"sum, rows out of range, d = {d}", _NEVER, count, 0
    )
  for d, error in _FARTHER:
    words = f"sum, squared error at (x + d, y - d), d = {d}, rows in range"
    found[f"sum_in_range_{d}"] = Reported("5.7", words, _NEVER, error, 0.53)
  for d, kept, broken, (signed, half) in _CHANGES:
    for name, words, value, tolerance in (
      ("kept", "root mean square change, (x + d, y - d)", kept, 0.05),
      ("broken", "root mean square change, (x + d, y)", broken, 0.05),
      ("signed", "mean change, (x + d, y)", signed, half),
    ):
      found[f"sum_{name}_{d}"] = Reported("5.7", f"sum, {words}, d = {d}", _NEVER, value, tolerance)
  return found


REPORTED = _rows()
