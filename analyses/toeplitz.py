"""Operators made of a kernel of the distance, and the levels they give.

A kernel K(x - y) of a determinantal process is no Hamiltonian: its matrix is a
projection, with eigenvalues near 0 and 1, and the levels are the points that
the process draws. A Toeplitz matrix with a random diagonal is an electron on a
disordered line, whose levels are independent for any kernel of short range.
Source: docs/sources/zeros.md, section 4.6; Hough et al. 2006; Slepian 1978.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.signal
from primelens.analyses import spacings

Kernel = Callable[[np.ndarray], np.ndarray]
CENTRAL = (0.2, 0.8)  # the published part of the spectrum
COUPLING = 10.0
_SMALL = 0.5
# Shares of small spacings up to which the published verdict says so.
_VERDICTS = ((0.18, "GUE"), (0.25, "near GUE"), (0.35, "transition"))


def sine_kernel(distance: Any, density: float = 1.0) -> np.ndarray:
  """Returns sin(pi rho d) / (pi d), rho at d = 0.

  The kernel of GUE levels of density rho. At rho = 1 and whole d it is the
  identity, so that rho must be below 1 on a lattice.
  """
  return density * np.sinc(density * np.asarray(distance, np.float64))


def stretched_as_published(distance: Any) -> np.ndarray:
  """Returns (0.127 d + 0.062) exp(-1.16 sqrt d), the published kernel "K2"."""
  d = np.asarray(distance, np.float64)
  return (0.127 * d + 0.062) * np.exp(-1.16 * np.sqrt(d))


def alternating_as_published(distance: Any) -> np.ndarray:
  """Returns the published kernel times cos(pi d).

  On a lattice it has the levels of `stretched_as_published`: every other basis
  vector changes its sign, and nothing else.
  """
  distance = np.asarray(distance, np.float64)
  return stretched_as_published(distance) * np.cos(np.pi * distance)


def matrix(kernel: Kernel, size: int) -> np.ndarray:
  """Returns K(|i - j|), NxN."""
  return scipy.linalg.toeplitz(kernel(np.arange(size, dtype=np.float64)))


def levels(kernel: Kernel, diagonal_N: Any, coupling: float = COUPLING) -> np.ndarray:
  """Returns the rising eigenvalues of c K(|i - j|) with another diagonal.

  The published matrices: the diagonal is replaced by disorder.
  """
  diagonal_N = np.asarray(diagonal_N, np.float64)
  matrix_NxN = coupling * matrix(kernel, len(diagonal_N))
  np.fill_diagonal(matrix_NxN, diagonal_N)
  return np.linalg.eigvalsh(matrix_NxN)


def central_spacings(level_N: Any) -> np.ndarray:
  """Returns the spacings of the central 60 %, over their local mean.

  Of 21 spacings (`spacings.unfold`, "local"): the density of such operators
  has edges that no polynomial follows. It takes about 1 / 21 off a variance.
  """
  level_N = spacings.unfold(spacings.central(level_N, CENTRAL), "local")
  return np.diff(level_N)


def central_spacings_as_published(level_N: Any) -> np.ndarray:
  """Returns the spacings of the central 60 % over their mean, not unfolded."""
  spacing_N = np.diff(spacings.central(level_N, CENTRAL))
  return spacing_N / spacing_N.mean()


def small_share(spacing_N: Any) -> float:
  """Returns the share of spacings below 0.5.

  1 - e^(-1/2) = .393 of independent levels; .178 of the GOE's surmise, .112 of
  the GUE's.
  """
  return float(np.mean(np.asarray(spacing_N) < _SMALL))


def verdict_as_published(share: float) -> str:
  """Returns what the published script says of `small_share`."""
  for limit, name in _VERDICTS:
    if share < limit:
      return name
  return "Poisson"


def slepian(size: int, density: float) -> tuple[np.ndarray, np.ndarray]:
  """Returns the largest eigenvalues and eigenvectors of the sine kernel.

  value_E falling and vector_NxE of the matrix sin(pi rho (i - j)) /
  (pi (i - j)): the discrete prolate spheroidal sequences. About rho N of them
  are near 1, of the order of ln N lie between, and those left out are below
  1e-6.

  Raises ValueError unless 0 < rho < 1 and rho N >= 1.
  """
  if not (0 < density < 1 and density * size >= 1):
    raise ValueError(f"density={density} must lie in 0..1 and give 1 point of {size} or more.")
  most = int(density * size + 6 + 4 * np.log(size))
  vector_ExN, value_E = scipy.signal.windows.dpss(
    size, density * size / 2, min(most, size), return_ratios=True
  )
  return np.clip(value_E, 0, 1), vector_ExN.T


def sine_process(
  seed: int, *, samples: int, size: int = 2048, density: float = 1 / 16
) -> tuple[np.ndarray, ...]:
  """Returns draws of the sine process on 1 .. `size`, levels of mean spacing 1.

  Every eigenvector is kept with the chance of its eigenvalue; those kept span
  a projection, whose points are drawn one by one from what the others leave
  (Hough et al. 2006, algorithm 18). The spacings follow the GUE's as density
  goes to 0; they are multiples of it. What is drawn is the endless process seen
  through a window, without edges.

  Raises ValueError as `slepian` does.
  """
  rng = np.random.default_rng(seed)
  value_E, vector_NxE = slepian(size, density)
  return tuple(
    density * _draw(rng, vector_NxE[:, rng.random(len(value_E)) < value_E]) for _ in range(samples)
  )


def _draw(rng, basis_NxE):
  """Returns the sorted points of a projection process.

  left_N is the squared length of what remains of every site's row of the basis
  once the rows of the sites taken are projected out (Gram and Schmidt).
  """
  size, count = basis_NxE.shape
  left_N = np.sum(basis_NxE**2, axis=1)
  taken_NxE = np.zeros((size, count))
  place_E = np.empty(count, int)
  for e in range(count):
    chance_N = np.maximum(left_N, 0)
    place = rng.choice(size, p=chance_N / chance_N.sum())
    row_N = basis_NxE @ basis_NxE[place]
    row_N -= taken_NxE[:, :e] @ taken_NxE[place, :e]
    taken_NxE[:, e] = row_N / np.sqrt(row_N[place])
    left_N -= taken_NxE[:, e] ** 2
    left_N[place] = 0
    place_E[e] = place
  return np.sort(place_E)
