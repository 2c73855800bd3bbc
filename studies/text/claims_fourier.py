"""Claims on waves of the residue, beside permuted labels and rows not seen."""

import numpy as np
from primelens.lens import claims as trial
from primelens.lens.claims import Verdict, verdict
from primelens.studies.text.claims_parts import SEEDS, cells, named, of

PAIRS = 6  # of the probes that the source compares over sizes
_mean = lambda value: float(np.mean(np.asarray(value, float)))


def residue(results) -> Verdict:
  """In-sample R2 beside permuted labels; every frequency on rows not seen."""
  found = of(results, "fourier_probes", "modk")
  own = _mean(found.r2_as_published_SxP[:, PAIRS - 1])
  null = _mean(found.null_r2_SxRxP[..., PAIRS - 1])
  held_out = _mean(found.held_out_r2_SxP[:, PAIRS - 1])
  counts, frequencies = _significant(found), len(found.frequency_Q)
  because = (
    f"{PAIRS} frequencies have R2 {own:.3f} in sample and {null:.3f} with "
    f"permuted labels, {held_out:.3f} on pairs not seen; of all {frequencies} "
    f"frequencies {', '.join(map(str, counts))} are above chance in our "
    f"networks.{_control(results)}"
  )
  numbers = {"r2": own, "permuted": null, "held_out": held_out}
  return verdict(own > 0.02, because, numbers, artefact=max(counts) == 0 and held_out < 0.02)


def _significant(found) -> list[int]:
  """Returns how many frequencies every member has at the last level."""
  return (np.asarray(found.p_SxExQ)[:, -1] <= 0.05).sum(-1).tolist()


def _control(results) -> str:
  """Returns what the same probes find in networks that do answer."""
  said = []
  for name, table in results.items():
    found = table.get("fourier_probes")
    if found is not None and not found.regression and min(found.intact_S) > 0.5:
      best = float(np.median(np.asarray(found.r2_SxExQ)[:, -1].max(-1)))
      some = ", ".join(map(str, _significant(found)))
      said.append(
        f" In {name}, which answers modulo {found.modulus}, they find {some} "
        f"of {len(found.frequency_Q)}, the best with R2 {best:.2f}."
      )
  return "".join(said)


def excess(results) -> Verdict:
  """The harm of the probe's directions, beside that of permuted labels'."""
  found = of(results, "fourier_probes", "modk")
  at = lambda name: _mean(np.asarray(getattr(found, name))[..., PAIRS - 1])
  own, random, permuted = (
    at("delta_as_published_SxP"),
    at("delta_random_as_published_SxP"),
    at("delta_permuted_as_published_SxRxP"),
  )
  because = (
    f"without the directions of {PAIRS} frequencies a readout fitted anew "
    f"loses {own:.2f}, without random ones {random:.2f}; the same with "
    f"permuted labels throughout loses {permuted:.2f}."
  )
  numbers = {"probe": own, "random": random, "permuted": permuted}
  return verdict(own > random, because, numbers, artefact=permuted > own / 2)


def small(results) -> Verdict:
  """R2 of the residue modulo 2 and 3, with and without constant columns."""
  found = of(results, "fourier_probes", "modk")
  at = lambda value: _mean(np.asarray(value)[:, 0, 1])  # modulo 2, two pairs
  own, plain, folds = (
    at(found.small_r2_as_published_Sx6x3),
    at(found.small_r2_Sx6x3),
    at(found.small_cv_r2_Sx6x3),
  )
  because = (
    f"modulo 2 two pairs have R2 {own:.2f} with the constant column cos 2 pi m "
    f"counted as 1, {plain:.3f} without it, {folds:.3f} over folds."
  )
  numbers = {"as_published": own, "without": plain, "folds": folds}
  return verdict(own > 0.2, because, numbers, artefact=plain < own / 2)


def sizes(results) -> Verdict:
  """The skill of every size of the grid that is at hand."""
  found = cells(results)
  if len(found) < 2:
    raise trial.Missing(f"scale of two sizes with {SEEDS} members", analysis="scale")
  said = ", ".join(f"{row['cell']} {row['skill']:.3f}" for row in found)
  better = [row["cell"] for row in found if row["skill_low"] > 0]
  because = f"skill by size: {said}; better than a constant: {', '.join(better) or 'none'}."
  numbers = {row["cell"]: row["skill"] for row in found}
  return verdict(bool(better), because, numbers)


CLAIMS = (
  named(
    "fourier.residue",
    "0.4, 5.3, 6.5",
    "The residue is encoded by waves of a few frequencies.",
    "R2 0.04, fitted and scored on the same rows",
    residue,
  ),
  named(
    "fourier.excess",
    "0.6, 5.3, 6.5",
    "Removing the waves' directions does more harm than random ones.",
    "0.75 to 1.52 more squared error",
    excess,
  ),
  named(
    "fourier.small",
    "0.5, 5.3",
    "The residue modulo 2 and 3 is encoded best.",
    "R2 0.28 and 0.20 beside 0.04",
    small,
  ),
  named(
    "scale.skill",
    "0.1, 5.5, 6.6",
    "Larger networks learn the sums modulo 97.",
    "nine networks of 0.5 to 19 million parameters, no constant beside them",
    sizes,
  ),
)
