"""The figure of `calibration`: coverage, PIT, and conformal intervals."""

import numpy as np
from primelens.studies import plots_style as style


@style.styled
def figure(result):
  """Returns the figure: reliability, PIT histogram, conformal coverage."""
  lower = 1.3 + 0.2 * len(result.conformal)
  figure = style.new(4 + lower)
  top, bottom = style.parts(figure, [4, lower])
  coverage, density = top.subplots(1, 2)
  _coverage(coverage, result)
  _density(density, result)
  held, widths = bottom.subplots(1, 2, sharey=True)
  _conformal(held, widths, result)
  return figure


def _line(e: int) -> dict:
  return {
    "color": style.BLUE if e == 0 else style.colour(1 + (e - 1) % 6),
    "ls": "-" if e == 0 else style.DASHES[(e - 1) // 6 + 1],
    "lw": 2.4 if e == 0 else 1.4,
  }


def _coverage(axes, result):
  """Draws coverage minus the nominal level, the model's with its band."""
  level_V = result.level_V
  for e in range(len(result.table)):
    axes.plot(level_V, result.coverage_ExV[e] - level_V, **_line(e))
  axes.fill_between(
    level_V,
    result.coverage_low_ExV[0] - level_V,
    result.coverage_high_ExV[0] - level_V,
    **{"color": style.BLUE, "alpha": 0.16, "lw": 0},
  )
  axes.axhline(0, color="black", lw=0.8)
  axes.set_xlabel("nominal level of the central interval")
  axes.set_ylabel("coverage minus level")
  axes.set_title("Reliability (below 0: too sure)")


def _density(axes, result):
  """Draws the PIT's histogram as a curve, one per predictor."""
  bins = result.density_ExP.shape[1]
  centre_P = (0.5 + np.arange(bins)) / bins
  for e, row in enumerate(result.table):
    axes.plot(centre_P, result.density_ExP[e], label=row["name"], **_line(e))
  axes.axhline(1, color="black", lw=0.8)
  axes.set_ylim(0, min(5, 1.05 * float(result.density_ExP.max())))
  axes.set_xlabel("PIT, F(y)")
  axes.set_ylabel("density (calibrated: 1)")
  axes.set_title("Probability integral transform")
  axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def _conformal(axes, widths, result):
  """Draws raw and conformal coverage, and the width paid for it."""
  rows = result.conformal
  place = np.arange(len(rows))[::-1]
  for key, colour in (("raw_coverage", style.GREY), ("coverage", style.BLUE)):
    value, low, high = ([row[f"{key}{end}"] for row in rows] for end in ("", "_low", "_high"))
    style.whiskers(axes, value, low, high, place, colour=colour, ms=4, label=key.replace("_", " "))
  axes.axvline(1 - rows[0]["alpha"], color="black", lw=0.8, ls=":")
  names = [f"{row['predictor']}: {row['way']}" for row in rows]
  axes.set_yticks(place, names, fontsize=8)
  axes.set_xlim(-0.02, 1.02)
  axes.set_xlabel("coverage on test (bars: 95 %)")
  axes.set_title("Coverage; grey: raw 80 %")
  for key, colour in (("raw_width", style.GREY), ("width", style.BLUE)):
    widths.plot([row[key] for row in rows], place, "o", color=colour, ms=4.5)
  widths.set_xlim(left=0)
  widths.set_xlabel("mean width of the intervals (spacings)")
  widths.set_title("Width; blue: conformal")
