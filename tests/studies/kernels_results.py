"""Results of `kernels` and `hermiticity` written by hand, as claims and report
read them."""

from types import SimpleNamespace

import numpy as np
from primelens.analyses import kernel_fits

NETWORKS = ("trained", "untrained", "uniform")


def _fits(r2, slope):
  amplitudes = {kernel_fits.STRETCHED: (0.03, 0.006), kernel_fits.MONOTONE: ()}
  return tuple(
    {"network": network, "seed": seed, "family": family, "r2": value}
    | {"skill": 0.9, "dip": 0.036, "rates": (0.85,)}
    | {"amplitudes": (slope[network], *more)}
    for network, value in r2.items()
    for seed in range(1 if network == "uniform" else 2)
    for family, more in amplitudes.items()
  )


def _head(network, head, score, r2, monotone, family):
  return {
    "network": network,
    "seed": 0,
    "layer": 0,
    "head": head,
    **dict.fromkeys(("aic", "bic", "held_out"), family),
    "r2": r2,
    "skill": 0.8,
    "r2_wave": r2,
    "r2_sinc": r2,
    "r2_stretched": monotone - 0.01,
    "monotone_r2": monotone,
    "monotone_skill": 0.7,
    "physics_score_as_published": score,
    "positions_correlation": 0.25,
    "content_correlation": 0.75,
  }


def _ripple(network, r2, scale=0.102):
  return {"network": network, "r2": r2, "scale": scale, "offset": 0.939} | {
    "wavelength": 2.533,
    "peak": 0.005,
    "uniform": 1 / 264,
    "seed": 0,
    "layer": 1,
    "head": 2,
    "peak_distance": 1,
  }


def _curves(shift):
  curve = np.linspace(0.03, 0.006, 59)
  scores = np.linspace(1, 0, 12) * np.ones((2, 1, 2, 12))
  near = np.where(np.arange(8) < 3, -1.0, 0.5) * np.ones((2, 1, 2, 8))
  return {
    "index_VxSxLxHxQ": np.stack([scores, 0.5 * scores, 0.4 * scores]),
    "index_low_SxLxHxQ": scores - 0.1,
    "index_high_SxLxHxQ": scores + 0.1,
    "untrained_SxLxHxQ": 0.01 * scores,
    "distance_Q": np.arange(1, 13),
    "unfolded_SxLxHxK": near,
    "untrained_unfolded_SxLxHxK": 0 * near,
    "unfolded_K": 0.125 + 0.25 * np.arange(8),
    "kernel_PxSx59": np.tile(curve, (3, 2, 1)) + shift * np.array([1.0, 0.0, 0.0])[:, None, None],
    "kernel_low_59": curve + shift - 0.001,
    "kernel_high_59": curve + shift + 0.001,
    "kernel_distance_59": 100 / 59 * (0.5 + np.arange(59)),
    "kernel_count_59": np.full(59, 20),
    "unmasked_SxLxHxQ": np.full((2, 1, 2, 12), 1 / 264),
  }


def kernels(
  trained=0.98,
  untrained=0.98,
  uniform=0.974,
  slope=0.05,
  uniform_slope=0.024,
  wave=0.9999,
  monotone=0.5,
  sinc2=0.85,
  shift=0.0,
):
  """Two seeds of one layer with two heads; 12 distances."""
  slopes = (slope, uniform_slope, uniform_slope)
  return SimpleNamespace(
    **_curves(shift),
    noise_r2_R=np.full(5, 0.32),
    heads=(
      _head("trained", 0, 28.5, wave, monotone, kernel_fits.WAVE),
      _head("trained", 1, 12.0, 0.5, 0.4, "exponential"),
      _head("untrained", 0, 41.25, 0.2, 0.1, kernel_fits.CONSTANT),
    ),
    fits=_fits(
      dict(zip(NETWORKS, (trained, untrained, uniform), strict=True)),
      dict(zip(NETWORKS, slopes, strict=True)),
    ),
    ripples=(
      _ripple("trained", sinc2),
      _ripple("trained", 0.99, scale=-0.3),
      _ripple("untrained", 0.6),
    ),
    keys=264,
    windows=55,
    published_windows=44,
  )


def hermiticity(symmetric=0, p=0.4, fresh_p=0.5, slots=True):
  """Two seeds of 2 x 2 heads, of which `symmetric` are below the null."""
  p_holm = np.ones(8)
  p_holm[:symmetric] = 0.01
  shape = (2, 2, 2)
  rows = tuple(
    {"network": network, "seed": seed, "slots": 8, "statistic": 0.408}
    | {"null": 0.427, "null_sd": 0.02, "p": value, "p_holm": value}
    | {"p_as_published": 0.6}
    for network, value in (("trained", p), ("untrained", fresh_p))
    for seed in range(2)
  )
  return SimpleNamespace(
    asymmetry_SxLxH=np.linspace(0.9, 1.0, 8).reshape(shape),
    rotation_SxLxH=np.full(shape, 2.78),
    untrained_SxLxH=np.full(shape, 0.99),
    p_holm_SxLxH=p_holm.reshape(shape),
    null_mean=0.97,
    null_sd=0.04,
    null_rotation=1.5,
    draws=1000,
    bank=(),
    slots=rows if slots else (),
    slot_obstacle="" if slots else "the model has no memory vectors.",
  )


def table():
  """Both analyses of one run, for tests that need every analysis."""
  return {"kernels": kernels(), "hermiticity": hermiticity()}
