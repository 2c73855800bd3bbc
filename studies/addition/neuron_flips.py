"""Neurons on in full and off with PC1 alone, or the reverse: A35 of the spec.

"True" and "predicted" are the rows of W_L of the label and of the prediction
with PC1 alone, which in the source are 0 and 3 at (0, 0).
"""

import jax.numpy as jnp
import numpy as np
from primelens.lens.numbers import Reported
from primelens.studies.addition import neuron_changes

_NUMBER = np.inf  # counts are not portable
_NOT_ASKED = "not asked"
_SIDES = {"off": "off in the full network", "on": "on in the full network"}
_FLIPS = {
  "flips": ("25", 54, "neurons that flip at (0, 0)"),
  "flips_off": ("24", 52, "flips at (0, 0), off in the full network"),
  "flips_on": ("1", 2, "flips at (0, 0), on in the full network"),
}
REPORTED = {
  **{
    key: Reported("A35", words, source, number, _NUMBER)
    for key, (source, number, words) in _FLIPS.items()
  },
  "flips_true": Reported(
    "A35", "flips' part of the change of the true logit, (0, 0)",
    "raise it", 20.5, 2.1,
  ),
  "flips_predicted": Reported(
    "A35", "flips' part of the change of the predicted logit, (0, 0)",
    "lower it", -2.1, 0.21,
  ),
  "change_true": Reported(
    "A35", "change of the true logit, (0, 0)", _NOT_ASKED, 309, 31
  ),
  "direct_true": Reported(
    "A35", "part of the direct path in it", _NOT_ASKED, 9, _NUMBER,
    "Recomputed: 309 less the MLP's 300.",
  ),
  "flips_share": Reported(
    "A35", "share of the flips in the change of the true logit, (0, 0)",
    _NOT_ASKED, 0.07, 0.02,
  ),
  "flips_share_failing": Reported(
    "A35", "the same, changes of all failing inputs summed", _NOT_ASKED, None
  ),
  **{
    f"{side}_{row}_{what}": Reported(
      "A35", f"W_L of the {row} class, flips {words}: {what}",
      "the right sign" if what == "right" else "described", None,
      remark="right: share of the flips that favour the true class by it.",
    )
    for side, words in _SIDES.items()
    for row in ("true", "predicted")
    for what in ("mean", "std", "right")
  },
}  # fmt: skip


def measure(pair: neuron_changes.Pair, label_N) -> dict:
  """Returns the numbers of the flips, as `value`."""
  full, reduced = pair.full, pair.reduced
  guess_N = jnp.argmax(reduced.logit_NxV, axis=-1)
  was_NxF, is_NxF = reduced.pre_NxF > 0, full.pre_NxF > 0
  # Every neuron's part of the change of each input's true logit.
  change_NxF = full.post_NxF - reduced.post_NxF
  part_NxF = full.readout_VxF[label_N] * change_NxF
  row_N = jnp.arange(len(label_N))
  of_true_N = (full.logit_NxV - reduced.logit_NxV)[row_N, label_N]
  flipped_N = jnp.sum(part_NxF, axis=1, where=was_NxF != is_NxF)
  true_F, predicted_F = (full.readout_VxF[at[0]] for at in (label_N, guess_N))
  flip_F = was_NxF[0] != is_NxF[0]
  off_F, on_F = was_NxF[0] & ~is_NxF[0], is_NxF[0] & ~was_NxF[0]
  found = {
    "flips": flip_F.sum(),
    "flips_off": off_F.sum(),
    "flips_on": on_F.sum(),
    "flips_true": flipped_N[0],
    "flips_predicted": jnp.sum(predicted_F * change_NxF[0], where=flip_F),
    "change_true": of_true_N[0],
    "direct_true": of_true_N[0] - part_NxF[0].sum(),
    "flips_share": flipped_N[0] / of_true_N[0],
    "flips_share_failing": jnp.sum(flipped_N, where=pair.failing_N)
    / jnp.sum(of_true_N, where=pair.failing_N),
  }
  # Turning off a neuron whose row is negative raises that logit.
  for side, side_F, sign in (("off", off_F, -1), ("on", on_F, 1)):
    for name, row_F, right in (("true", true_F, sign), ("predicted", predicted_F, -sign)):
      found[f"{side}_{name}_mean"] = jnp.mean(row_F, where=side_F)
      found[f"{side}_{name}_std"] = jnp.std(row_F, where=side_F)
      found[f"{side}_{name}_right"] = jnp.mean(right * row_F > 0, where=side_F)
  return {"value": found}
