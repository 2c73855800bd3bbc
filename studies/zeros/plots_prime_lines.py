"""The figure of `prime_lines`: amplitudes at primes, the law, and the nulls."""

import numpy as np
from primelens.studies import plots_style as style

LEVEL = 0.05


@style.styled
def figure(result):
  """Returns the figure: the highest stretch, and all against their nulls."""
  figure = style.new(7)
  (lines, law), (nulls, found) = figure.subplots(2, 2)
  _lines(lines, result)
  _law(law, result)
  _nulls(nulls, result)
  _found(found, result)
  return figure


def _lines(axes, result):
  """Draws the lines of the highest stretch over the composites' null."""
  axes.plot(
    result.composite_E,
    result.composite_PxE[-1],
    ".",
    color=style.GREY,
    ms=1.5,
    alpha=0.5,
    label="composites m",
    rasterized=True,
  )
  axes.plot(result.prime_Q, result.amplitude_PxQ[-1], ".", color=style.BLUE, ms=4, label="primes p")
  axes.plot(result.prime_Q, result.law_PxQ[-1], color=style.ORANGE, lw=1.2, label="law of S(t)")
  axes.set_xscale("log")
  axes.set_yscale("log")
  axes.set_ylim(2e-4, 0.3)
  axes.set_xlabel("number m; frequency ln m")
  axes.set_ylabel("amplitude (spacings)")
  axes.set_title(f"Waves in {result.spacings:,} spacings at {_at(result, -1)}")
  axes.legend(loc="lower left")


def _law(axes, result):
  for p in range(len(result.height_P)):
    axes.plot(
      result.law_PxQ[p],
      result.amplitude_PxQ[p],
      ".",
      color=style.colour(p),
      ms=3,
      label=_at(result, p),
    )
  top = float(result.law_PxQ.max())
  axes.plot([0, top], [0, top], color="black", lw=0.8)
  axes.set_xlabel("law 2 |sin(δ ln p / 2)| / (π √p)")
  axes.set_ylabel("measured amplitude (spacings)")
  axes.set_title("The law at every height")
  axes.legend(loc="best")


def _nulls(axes, result):
  """Draws the median and the largest amplitude of every null."""
  names = list(dict.fromkeys(row["null"] for row in result.nulls))
  at = lambda name: [row for row in result.nulls if row["null"] == name]
  for key, colour in (("median", style.GREY), ("largest", style.ORANGE)):
    for place, name in enumerate(names):
      value = [row[key] for row in at(name)]
      axes.plot(
        value,
        np.full(len(value), place),
        "o",
        color=colour,
        ms=4,
        label=f"{key} of the null" if not place else None,
      )
  share = np.quantile(result.amplitude_PxQ, [0.5, 1])
  for value, label in zip(share, ("median", "largest"), strict=True):
    axes.axvline(value, color=style.BLUE, lw=1, ls=style.DASHES[1])
    words = f"primes, {label} "
    axes.text(value, -0.75, words, color=style.BLUE, fontsize=7, ha="right")
  axes.set_yticks(range(len(names)), names)
  axes.set_ylim(-1, len(names) - 0.5)
  axes.set_xscale("log")
  axes.set_xlabel("amplitude (spacings)")
  axes.set_title("Frequencies and sequences without primes")
  axes.legend(loc="upper right")


def _found(axes, result):
  """Draws how many primes stand out, by height, by both corrections."""
  count = len(result.prime_Q)
  for label, p_PxQ, colour in (
    (f"any false: under {LEVEL:.0%}", result.max_t_PxQ, style.BLUE),
    (f"share of false: under {LEVEL:.0%}", result.bh_PxQ, style.GREEN),
  ):
    axes.plot(result.height_P, np.sum(p_PxQ < LEVEL, axis=1), "o-", color=colour, label=label)
  axes.set_ylim(0, count)
  axes.xaxis.set_major_formatter("{x:,.0f}")
  axes.xaxis.set_major_locator(style.locator(5))
  axes.set_xlabel("height of the stretch")
  axes.set_ylabel(f"primes found, of {count}")
  axes.set_title("Lines that stand out, corrected for all")
  axes.legend(loc="best")


def _at(result, p: int) -> str:
  return f"height {result.height_P[p]:,.0f}"
