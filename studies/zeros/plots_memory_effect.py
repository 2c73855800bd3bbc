"""The figure of `memory_effect`: form factors and plateaus by arm."""

import numpy as np
from primelens.studies import plots_style as style

DRAWN = (  # arms whose curves are shown; the others would lie on them
  "amnesiac",
  "elephant",
  "placebo, same norm",
  "placebo_as_published",
  "constant bias, same marginal",
)


@style.styled
def figure(result):
  """Returns the figure: K(tau), both plateaus, and the number variance."""
  figure = style.new(8.6)
  above, below = style.parts(figure, (1, 1.15))
  curves, variance = above.subplots(1, 2)
  plateaus, published = below.subplots(1, 2)
  _curves(curves, result)
  _variance(variance, result)
  _plateaus(plateaus, result)
  _published(published, result)
  return figure


def _shown(result):
  """Yields index, name and style of the arms whose curves are drawn."""
  names = [row["arm"] for row in result.arms]
  for number, name in enumerate(n for n in DRAWN if n in names):
    look = {"color": style.colour(number), "ls": style.DASHES[number % len(style.DASHES)]}
    yield names.index(name), name.replace("_", " "), look


def _curves(axes, result):
  axes.plot(result.tau_Q, result.real_k_Q, color="black", lw=1.2, label="zeros")
  axes.plot(
    result.tau_Q, result.renewal_k_Q, color=style.GREY, lw=1.2, label="independent spacings"
  )
  for v, name, look in _shown(result):
    axes.plot(result.tau_Q, result.k_VxQ[v], lw=1.0, label=name, **look)
  axes.set_title("Form factor of what is generated")
  axes.set_xlabel("τ (1: Heisenberg time)")
  axes.set_ylabel("K(τ)")
  axes.set_ylim(-0.05, 2.6)  # the resonance at 1 may go on
  axes.legend(loc="upper left")


def _variance(axes, result):
  axes.plot(result.length_E, result.real_variance_E, color="black", marker="o", ms=4, label="zeros")
  for v, _, look in _shown(result):
    axes.plot(result.length_E, result.variance_VxE[v], marker="o", ms=3, **look)
  axes.set_xscale("log")
  axes.set_xticks(result.length_E, [f"{x:g}" for x in result.length_E])
  axes.set_xticks([], minor=True)
  axes.set_title("Number variance, same colours")
  axes.set_xlabel("length L (mean spacings)")
  axes.set_ylabel("Σ²(L)")
  axes.legend(loc="best")


def _plateaus(axes, result):
  rows = result.arms[::-1]
  column = lambda key: [row[key] for row in rows]
  at = np.arange(len(rows))
  style.whiskers(
    axes, column("plateau"), column("plateau_low"), column("plateau_high"), at, colour=style.BLUE
  )
  axes.axvline(result.real_plateau, color="black", lw=1, label="zeros")
  axes.axvline(1, color=style.GREY, lw=1, ls=":", label="1, GUE and Poisson")
  axes.set_yticks(at, [row["arm"].replace("_", " ") for row in rows])
  axes.set_title("Plateau, 1.2 < τ < 1.8")
  axes.set_xlabel("mean K (95 %)")
  axes.legend(loc="best")


def _published(axes, result):
  arms = len(result.arms)
  for v in range(arms):
    value = result.published_VxSxR[v].ravel()
    axes.plot(value, np.full(len(value), arms - 1 - v), ".", color=style.ORANGE)
  null_P = result.published_null_P
  low, high = np.quantile(null_P, [0.025, 0.975])
  axes.axvspan(low, high, color=style.GREY, alpha=0.15, lw=0)
  axes.axvline(null_P.mean(), color=style.GREY, lw=1, label="independent spacings")
  axes.set_yticks(np.arange(arms), [""] * arms)
  axes.set_ylim(-0.6, arms - 0.4)
  axes.set_title("Plateau as published")
  axes.set_xlabel("mean of 11 values of K")
  axes.legend(loc="best")
