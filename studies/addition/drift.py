"""Remarks on how far rounding alone moves a number.

The reference network was trained twelve times from its start, each shaken by
half a unit in the last place (addition_p10:drift).
"""

from collections.abc import Mapping

from primelens.studies.addition.tables import Reported


def remarked(
  reported: Mapping[str, Reported],
  twins: Mapping[str, tuple[float, float]],
) -> dict[str, Reported]:
  """Returns the same, with the range of the twins in the remarks of some.

  Raises `KeyError` for a range of a number that nobody reported.
  """
  found = dict(reported)
  for key, (low, high) in twins.items():
    words = f"Float drift: twins {low:g} to {high:g}."
    before = found[key].remark
    remark = f"{before}. {words}" if before else words
    found[key] = found[key]._replace(remark=remark)
  return found
