"""What is fitted to the curves of the analysis `kernels`: a record each."""

import numpy as np
import threadpoolctl
from primelens.analyses import kernel_fits, regression
from primelens.analyses import kernels as kernels_lib

FLASH_REACH = 16  # distances of the published Flash kernel
FLASH_HEADS = 16  # it was chosen from


def reach(distances: int) -> int:
  """Returns up to which distance a curve is fitted: half of the window, where
  every distance has as many pairs, as published (127 of 255)."""
  return min(distances, max((distances + 1) // 2 - 1, 12))


def heads(index_VxSxLxHxQ, untrained_SxLxHxQ, **options) -> tuple[dict, ...]:
  """Returns a record of every head's curve, trained and untrained.

  The families chosen by AIC, BIC and held-out skill with their R2 and skill,
  R2 of the published families, the monotone null, the published "physics"
  score, and how the curves of positions alone and of content alone correlate
  with the intact one and how far they spread (trained networks).
  """
  most = reach(index_VxSxLxHxQ.shape[-1])
  distance_Q = np.arange(1, most + 1)
  intact, positions, content = index_VxSxLxHxQ[..., :most]
  rows = []
  both = {"trained": intact, "untrained": untrained_SxLxHxQ[..., :most]}
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    for network, curve_SxLxHxQ in both.items():
      for s, l, h in np.ndindex(curve_SxLxHxQ.shape[:3]):
        curve_Q = curve_SxLxHxQ[s, l, h]
        row = {"network": network, "seed": s, "layer": l, "head": h}
        row |= _chosen(kernel_fits.fits(distance_Q, curve_Q, **options))
        row["spread"] = float(curve_Q.std())
        row["physics_score_as_published"] = float(kernels_lib.physics_score_as_published(curve_Q))
        if network == "trained":
          for name, other in (("positions", positions), ("content", content)):
            found = regression.pearson(other[s, l, h], curve_Q)
            row[f"{name}_correlation"] = float(found)
            row[f"{name}_spread"] = float(other[s, l, h].std())
        rows.append(row)
  return tuple(rows)


def _chosen(found) -> dict:
  aic, bic, skill = (kernel_fits.winner(found, by) for by in ("aic", "bic", "skill"))
  monotone = found[kernel_fits.MONOTONE]
  return {
    "aic": aic.family,
    "bic": bic.family,
    "held_out": skill.family,
    "r2": bic.r2,
    "skill": bic.skill,
    "r2_stretched": found[kernel_fits.STRETCHED].r2,
    "r2_wave": found[kernel_fits.WAVE].r2,
    "r2_sinc": found["sinc"].r2,
    "monotone_r2": monotone.r2,
    "monotone_skill": monotone.skill,
  }


def kernels(networks, kernel_PxSx59, distance_59, **options):
  """Returns every family fitted to the published kernel of each network.

  `dip` is how far the fitted curve falls below its highest value beyond the
  first bin's middle, at that middle, as a share of it: what the data show of
  a dip at short distance. Uniform attention is the same for every seed.
  """
  rows = []
  first = distance_59[0]
  for network, kernel_Sx59 in zip(networks, kernel_PxSx59, strict=True):
    each_Sx59 = kernel_Sx59[:1] if network == "uniform" else kernel_Sx59
    for s, kernel_59 in enumerate(each_Sx59):
      if np.isfinite(kernel_59).sum() < kernel_fits.LEAST:
        continue
      with threadpoolctl.threadpool_limits(1, user_api="blas"):
        found = kernel_fits.fits(distance_59, kernel_59, **options)
      for name, fit in found.items():
        row = {"network": network, "seed": s, "family": name}
        row |= fit._asdict() | {"dip": float("nan")}
        if name == kernel_fits.STRETCHED:
          beyond = np.linspace(first, distance_59[-1], 1000)
          curve = kernel_fits.predict(fit, beyond)
          row["dip"] = float(1 - curve[0] / curve.max())
        rows.append(row)
  return tuple(rows)


def ripples(networks, unmasked, keys: int, **options) -> tuple[dict, ...]:
  """Returns sinc^2 fitted to every head's unmasked kernel over its maximum.

  As published, on d = 1 .. 16: scale sinc^2(d / wavelength) + offset. `peak`
  is the largest weight and `peak_distance` where, `uniform` 1 / keys.
  """
  family = {kernel_fits.SINC2: kernel_fits.FAMILIES[kernel_fits.SINC2]}
  rows = []
  for network, curve_SxLxHxQ in zip(networks, unmasked, strict=False):
    near_SxLxHxQ = curve_SxLxHxQ[..., :FLASH_REACH]
    distance_Q = 1 + np.arange(near_SxLxHxQ.shape[-1])
    for s, l, h in np.ndindex(near_SxLxHxQ.shape[:3]):
      curve_Q = near_SxLxHxQ[s, l, h]
      with threadpoolctl.threadpool_limits(1, user_api="blas"):
        fit = kernel_fits.fits(distance_Q, curve_Q / curve_Q.max(), families=family, **options)[
          kernel_fits.SINC2
        ]
      rows.append(
        {"network": network, "seed": s, "layer": l, "head": h}
        | {"peak": float(curve_Q.max()), "uniform": 1 / keys}
        | {"peak_distance": int(distance_Q[curve_Q.argmax()])}
        | {"scale": fit.amplitudes[0], "offset": fit.amplitudes[1]}
        | {"wavelength": np.pi / fit.rates[0], "r2": fit.r2}
      )
  return tuple(rows)


def noise_r2(*, draws: int = 50, seed: int = 0) -> np.ndarray:
  """Returns R2 of sinc^2 on 16 points of noise, the best of 16 heads: R.

  Of as many heads as the published kernel was chosen from, none of which has
  any form. The heads are drawn from `4 * draws` fits.
  """
  family = {kernel_fits.SINC2: kernel_fits.FAMILIES[kernel_fits.SINC2]}
  rng = np.random.default_rng(seed)
  distance_Q = 1.0 + np.arange(FLASH_REACH)
  noise_ExQ = rng.normal(size=(4 * draws, FLASH_REACH))
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    r2_E = [
      kernel_fits.fits(distance_Q, noise_Q, families=family, restarts=8)[kernel_fits.SINC2].r2
      for noise_Q in noise_ExQ
    ]
  return rng.choice(r2_E, (draws, FLASH_HEADS)).max(1)
