"""Verdicts on polynomial fits, and on what neurons write to the logits."""

import numpy as np
from primelens.lens.claims import Verdict
from primelens.studies.addition import evidence, tables

CLOSE = 0.005  # R2 this close is the same


def quadratic(results) -> Verdict:
  """z is quadratic in the components: by attention, which freezing shows."""
  fits = evidence.result(results, "polynomial")
  attention = evidence.result(results, "attention")
  progress = evidence.result(results, "progress")
  poly, quartic = evidence.numbers(fits, "pre_poly2/r2_mean", "pre_raw_quartic/r2_mean")
  (frozen,) = evidence.numbers(attention, "frozen_all_r2_min")
  early_S = evidence.at(progress, "logit_poly2_r2", evidence.EARLY)
  late_S = evidence.at(progress, "logit_poly2_r2", int(progress.step_C[-1]))
  because = (
    f"R2 of z on Poly2 {poly}, on a quartic in the raw digits {quartic}; z is "
    "linear in the residual stream, and with attention frozen its worst "
    f"neuron has R2 {frozen} on linear components: the curvature is the "
    f"attention's; logits on Poly2 reach R2 {np.median(early_S):.3f} at step "
    f"{evidence.EARLY:,}, before the test pairs are known, and "
    f"{np.median(late_S):.3f} at the end"
  )
  linear = bool(np.nanmin(frozen.value_S) > 1 - CLOSE)
  numbers = evidence.behind(poly2=poly, raw_quartic=quartic, frozen_least=frozen)
  return evidence.by_members(poly.value_S > 0.9, because, numbers, artefact=linear)


def symmetry(results) -> Verdict:
  """The missing 2 % of the symmetric fit: features that were left out."""
  fits = evidence.result(results, "polynomial")
  poly, sums, symmetric = evidence.numbers(
    fits, "pre_poly2/r2_mean", "pre_sums/r2_mean", "pre_symmetric8/r2_mean"
  )
  incomplete_S = poly.value_S - symmetric.value_S > CLOSE
  because = (
    f"the published features give R2 {sums}, all eight symmetric quadratics "
    f"{symmetric}, all of Poly2 {poly}: what is missing depends on a - b"
  )
  numbers = evidence.behind(sums=sums, symmetric=symmetric, poly2=poly)
  return evidence.by_members(incomplete_S, because, numbers)


def function(results) -> Verdict:
  """A high R2 of the logits is not the function."""
  fits = evidence.result(results, "polynomial")
  r2, accuracy = evidence.numbers(fits, "logit_poly2/r2_mean", "logit_poly2/accuracy")
  because = f"R2 of the logits on Poly2 {r2}, accuracy of the fitted logits {accuracy}"
  numbers = evidence.behind(r2=r2, accuracy=accuracy)
  try:
    other = evidence.result(results, "polynomial", variant=tables.NO_DECAY)
    (without,) = evidence.numbers(other, "logit_poly2/r2_mean")
    memorised = evidence.result(results, "progress", variant=tables.NO_DECAY)
    test_S = evidence.curve(memorised, "test/accuracy")[:, -1]
    numbers["no_decay_r2"] = float(np.median(without.value_S))
    because += (
      f"; without weight decay R2 is {without} at a test accuracy of {np.median(test_S):.2f}"
    )
  except LookupError:
    pass
  wrong = bool(np.median(accuracy.value_S) < 0.95)
  return evidence.by_members(r2.value_S > 0.8, because, numbers, artefact=wrong)


def simulated(results) -> Verdict:
  """Logits from the ReLU of fitted z, without and with the direct path."""
  fits = evidence.result(results, "polynomial")
  r2, accuracy, exact, skip = evidence.numbers(
    fits,
    "pre_poly2_mlp/r2_overall",
    "pre_poly2_mlp/accuracy",
    "exact_mlp/r2_overall",
    "pre_poly2_full/r2_overall",
  )
  because = (
    f"R2 {r2} and accuracy {accuracy}; the exact MLP alone reaches R2 {exact}, "
    f"and with the direct path the fit reaches {skip}: the gap is the omitted "
    "direct path"
  )
  numbers = evidence.behind(r2=r2, accuracy=accuracy, exact_mlp=exact)
  return evidence.by_members(r2.value_S > 0.95, because, numbers)
