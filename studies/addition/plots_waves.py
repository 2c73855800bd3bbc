"""Panels of waves: reference products, energy, singular vectors, readout."""

import numpy as np
from primelens.studies import plots_style as style

_VECTORS = 4  # left singular vectors drawn
_SINGULAR = 30  # singular values drawn


def draw(upper, lower, result) -> None:
  """Draws what a neuron may be made of, and what the readout reads."""
  strongest = _strongest(result)
  _products(upper, result, strongest)
  axes = lower.subplots(1, 3)
  _singular(axes[0], result)
  _vectors(axes[1], result)
  image = style.diverging_map(axes[2], result.input_PxP)
  axes[2].set(title=f"h along sin of {strongest}", xlabel="b", ylabel="a")
  _bar(lower, axes[2], image, "value")


def _strongest(result) -> int:
  """Returns the key frequency with the largest norm in the readout."""
  norm_Q = np.asarray(result.readout_norm_SxQ)[result.shown]
  key_Q = np.asarray(result.key_SxQ)[result.shown]
  return int(np.where(key_Q, norm_Q, 0).argmax())


def _bar(part, ax, image, label: str) -> None:
  part.colorbar(image, ax=ax, location="bottom", shrink=0.85, label=label)


def _products(part, result, frequency: int) -> None:
  """The maps of one frequency that neurons are compared with (B12), and the
  energy of all neurons by pair of rows of the basis (B26)."""
  axes = part.subplots(1, 3)
  P = len(result.input_PxP)
  wave_P = np.cos(2 * np.pi * frequency * np.arange(P) / P)
  for ax, other_P, words in ((axes[0], wave_P, "cos a · cos b"), (axes[1], np.ones(P), "cos a")):
    image = style.diverging_map(ax, np.outer(wave_P, other_P))
    ax.set(title=f"{words}, frequency {frequency}", xlabel="b", ylabel="a")
    _bar(part, ax, image, "value")
  image = style.heat_map(axes[2], result.energy_PxP, vmin=0)
  axes[2].set(title="Energy of all neurons", xlabel="row of F, b", ylabel="row of F, a")
  _bar(part, axes[2], image, "norm over neurons")


def _singular(ax, result) -> None:
  """Singular values of E beside those of a Gaussian matrix (B5)."""
  for name, value_SxR, colour in (
    ("Gaussian", result.gaussian_SxR, style.GREY),
    ("trained", result.singular_SxR, style.BLUE),
  ):
    value_SxR = np.asarray(value_SxR)[:, :_SINGULAR]
    at_R = 1 + np.arange(value_SxR.shape[1])
    style.curves(ax, at_R, value_SxR, colour=colour, label=name)
  ax.set(title="Singular values of E", xlabel="component", ylabel="value")
  ax.legend()


def _vectors(ax, result) -> None:
  """The first left singular vectors of E, one above the other (B5)."""
  left_PxR = np.asarray(result.left_Px8)[:, :_VECTORS]
  step = 2.2 * float(np.abs(left_PxR).max())
  for r, left_P in enumerate(left_PxR.T):
    ax.plot(left_P - r * step, color=style.colour(r), lw=0.9)
  ax.set(
    title="Left singular vectors of E",
    xlabel="token",
    yticks=[-r * step for r in range(left_PxR.shape[1])],
    yticklabels=[str(1 + r) for r in range(left_PxR.shape[1])],
    ylabel="component",
  )
