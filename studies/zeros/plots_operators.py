"""The figure of `operators`: r-ratios, spacings, and the projection's step."""

import numpy as np
from primelens.studies import plots_style as style

_LIMITS = (("Poisson", 0.3863), ("GOE", 0.5307), ("GUE", 0.5996))


@style.styled
def figure(result):
  """Returns the figure: what kernels with disorder give, and what draws do."""
  figure = style.new(7)
  upper, lower = style.parts(figure, (1.25, 1))
  _ratios(upper.subplots(), result)
  spacings, step = lower.subplots(1, 2)
  _spacings(spacings, result)
  _step(step, result)
  return figure


def _ratios(axes, result):
  """Draws the r-ratio of every kind of levels with its interval."""
  rows = [*result.spectra, *result.process]
  names = []
  for at, row in enumerate(rows):
    disorder = row.get("disorder", np.nan)
    shown = f", disorder {disorder:g}" if np.isfinite(disorder) else ""
    names.append(row["levels"] + shown)
    style.whiskers(
      axes,
      [row["r_ratio"]],
      [row["r_ratio_low"]],
      [row["r_ratio_high"]],
      [at],
      colour=style.ORANGE if shown else style.BLUE,
    )
  axes.set_yticks(range(len(rows)), names, fontsize=7.5)
  axes.invert_yaxis()
  for name, value in _LIMITS:
    axes.axvline(value, color="black", lw=0.9, ls=":")
    axes.annotate(
      name, (value, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=7.5
    )
  axes.set_title("Neighbouring spacings, central 60 %\n")
  axes.set_xlabel("mean of smaller over larger spacing (no unfolding)")


def _spacings(axes, result):
  names = ("sine process", "published kernel, disorder 1", "GUE", "independent")
  colours = (style.BLUE, style.ORANGE, style.BLUE, style.ORANGE)
  for v, (name, colour) in enumerate(zip(names, colours, strict=True)):
    drawn = v < 2
    axes.plot(
      result.spacing_Q,
      result.density_VxQ[v],
      "o" if drawn else ":",
      color=colour,
      ms=3.5,
      lw=1.2,
      label=name,
    )
  axes.set_title("Spacings, locally unfolded")
  axes.set_xlabel("spacing (mean 1)")
  axes.set_ylabel("density")
  axes.legend(loc="upper right", fontsize=7.5)


def _step(axes, result):
  share_N = (1 + np.arange(result.size)) / result.size
  for p, density in enumerate(result.density_P):
    axes.plot(
      share_N, result.value_PxN[p], color=style.colour(p), lw=1.4, label=f"density {density:g}"
    )
  axes.set_title("Eigenvalues of the sine kernel alone")
  axes.set_xlabel("rank / size")
  axes.set_ylabel("eigenvalue")
  axes.legend(loc="center right", fontsize=7.5)
