"""The figure of `hermiticity`: symmetric forms, and memory vectors."""

import numpy as np
from primelens.studies import plots_style as style


@style.styled
def figure(result):
  """Returns the figure: asymmetry, rotation, slots."""
  figure = style.new(3.9)
  forms, slots = figure.subplots(1, 2, width_ratios=(3, 2))
  _forms(forms, result)
  _slots(slots, result)
  return figure


def _forms(axes, result):
  jitter = np.random.default_rng(0)
  low, high = (result.null_mean + sign * 1.96 * result.null_sd for sign in (-1, 1))
  axes.axvspan(low, high, color=style.SKY, alpha=0.25, lw=0)
  axes.axvline(result.null_mean, color=style.SKY, lw=1.2)
  axes.axvline(0, color="black", lw=0.9, ls=":")
  both = (
    ("trained", result.asymmetry_SxLxH, style.BLUE),
    ("untrained", result.untrained_SxLxH, style.GREY),
  )
  for place, (_, value, colour) in enumerate(both):
    flat = np.asarray(value).ravel()
    axes.plot(
      flat,
      -place + jitter.uniform(-0.25, 0.25, flat.size),
      "o",
      ms=4,
      alpha=0.7,
      mew=0,
      color=colour,
    )
  axes.set_yticks([0, -1], [name for name, _, _ in both])
  axes.set_ylim(-1.6, 0.6)
  axes.set_xlim(left=-0.05)
  axes.set_xlabel("|H - Hᵀ| / |H + Hᵀ|, H = W_q W_kᵀ")
  axes.set_title("Every head and seed (0: symmetric; band: 95 % of\nGaussian pairs)")


def _slots(axes, result):
  if not result.slots:
    style.note(axes, result.slot_obstacle or "no memory vectors")
    return
  for number, row in enumerate(result.slots):
    colour = style.BLUE if row["network"] == "trained" else style.GREY
    ends = [row["null"] + sign * 1.96 * row["null_sd"] for sign in (-1, 1)]
    axes.plot(ends, [-number] * 2, color=style.SKY, lw=5, alpha=0.4)
    axes.plot([row["statistic"]], [-number], "o", ms=5, color=colour)
  labels = [f"{row['network']}, seed {row['seed']}" for row in result.slots]
  axes.set_yticks(-np.arange(len(labels)), labels, fontsize=8)
  axes.set_xlabel("mean dominant |FFT| of the slots")
  axes.set_title("Memory vectors (bar: 95 % of\nGaussian slots)")
