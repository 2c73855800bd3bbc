"""Verdicts on modular addition: frequencies, cubes, phases."""

import numpy as np
from primelens.lens.claims import Verdict
from primelens.studies.addition import evidence


def _found(results, analysis: str):
  return evidence.result(results, analysis, of=evidence.MODULAR)


def constants(results) -> Verdict:
  """The published frequencies, on a network trained here."""
  found = _found(results, "fourier")
  residual, loss, own = evidence.numbers(
    found, "residual_as_published", "fitted_nll_as_published", "residual"
  )
  because = (
    f"with 17, 25, 32, 47 the cubes leave {residual} of the logits and a loss "
    f"of {loss} (a guess: {np.log(113):.2f}); with the frequencies found in "
    f"the network they leave {own}: they differ by start and must be found"
  )
  holds = bool((residual.value_S < 0.5).all())
  status = evidence.held(holds)
  numbers = evidence.behind(residual=residual, loss_nats=loss, own=own)
  return evidence.verdict(status, because, numbers)


def clusters(results) -> Verdict:
  """Every neuron at one frequency."""
  found = _found(results, "fourier")
  share, median, null = evidence.numbers(
    found, "clustered", "share_median", "gaussian_neuron_share"
  )
  because = (
    f"share of neurons with more than 0.85 of their energy at one frequency "
    f"{share}; the median neuron has {median}, a Gaussian map {null}"
  )
  holds = bool((share.value_S > 0.8).all())
  status = evidence.held(holds)
  numbers = evidence.behind(clustered=share, median=median, gaussian=null)
  return evidence.verdict(status, because, numbers)


def cubes(results) -> Verdict:
  """Logits as a sum of cosine cubes at few frequencies."""
  found = _found(results, "fourier")
  keys, residual, loss, full, random, held_out = evidence.numbers(
    found, "readout_keys", "residual", "fitted_nll", "all_nll", "random_cube", "restricted_heldout"
  )
  because = (
    f"{keys} key frequencies leave {residual} of the logits; their cubes alone "
    f"have a loss of {loss}, the network {full}; a random cube's cosine is "
    f"{random}; cubes are fitted to train pairs too, but waves of test pairs "
    f"alone give a restricted loss of {held_out}"
  )
  holds = bool(((residual.value_S < 0.5) & (loss.value_S < full.value_S + 1e-3)).all())
  status = evidence.held(holds)
  numbers = evidence.behind(keys=keys, residual=residual, fitted_nll=loss, all_nll=full)
  return evidence.verdict(status, because, numbers)
