"""The figure of `leak`: losses by position, the leak, attention to slots."""

import numpy as np
from primelens.studies import plots_style as style


@style.styled
def figure(result):
  """Returns the figure: NLL by position, cut minus full, attention mass."""
  slots = result.mass_SxLxH.size > 0
  figure = style.new(7.4 if slots else 3.9)
  top = figure
  if slots:
    top, bottom = style.parts(figure, [3.9, 3.5])
    _mass(bottom.subplots(1, 1), result)
  curves, leak = top.subplots(1, 2)
  _curves(curves, result)
  _leak(leak, result)
  return figure


def _curves(axes, result):
  """Draws the NLL by position, beside that of windows that end there."""
  every = result.nll_VxSxT.shape[2]
  t_T = result.position_R[-1] + 1 - every + np.arange(every)
  looks = {
    "as trained": (style.ORANGE, "whole window in sight"),
    "memory blind": (style.BLUE, "the same weights, slots kept blind"),
  }
  for row, nll_SxT in zip(result.evaluated, result.nll_VxSxT, strict=True):
    if row["evaluated"] in looks:
      colour, label = looks[row["evaluated"]]
      style.curves(axes, t_T, nll_SxT, colour=colour, label=label)
      axes.lines[-1].set_markersize(2.5)
  for cut_R in result.cut_SxR:
    axes.plot(result.position_R, cut_R, "D", color="black", ms=4.5, mfc="none")
  axes.plot([], [], "D", color="black", mfc="none", label="window ends there")
  axes.set_xlabel("position t of the window")
  axes.set_ylabel(f"NLL of the next spacing ({style.NATS})")
  axes.set_title("Loss by position (thin: seeds)")
  low, high = axes.get_ylim()
  axes.set_ylim(low, high + 0.35 * (high - low))  # room for the legend
  axes.legend(loc="upper right")


def _leak(axes, result):
  """Draws what the future in the window tells, with intervals."""
  place_R = np.arange(len(result.position_R))
  ends = result.leak_low_R, result.leak_high_R
  style.whiskers(axes, result.leak_R, *ends, place_R, colour=style.ORANGE, vertical=True)
  axes.axhline(0, color="black", lw=0.8)
  axes.set_xticks(place_R, [str(t) for t in result.position_R])
  axes.set_xlim(-0.5, len(place_R) - 0.5)
  axes.set_xlabel("position t of the window")
  axes.set_ylabel("change of the NLL when\nlater inputs are hidden (nats)")
  axes.set_title("The leak, equal context (bars: 95 %)")


def _mass(axes, result):
  """Draws the attention to the slots of every head, by layer."""
  _, layers, heads = result.mass_SxLxH.shape
  place = np.arange(layers * heads)
  for mass_SxLxH, colour, label, shift in (
    (result.mass_SxLxH, style.ORANGE, "trained", -0.12),
    (result.untrained_mass_SxLxH, style.GREY, "untrained", 0.12),
  ):
    flat_SxE = np.asarray(mass_SxLxH, float).reshape(len(mass_SxLxH), -1)
    for s, mass_E in enumerate(flat_SxE):
      name = label if s == 0 else None
      axes.plot(place + shift, mass_E, "o", color=colour, ms=4, label=name)
  axes.axhline(result.uniform_mass, color="black", lw=0.9, ls=":", label="uniform")
  for l in range(1, layers):
    axes.axvline(l * heads - 0.5, color="#555555", lw=0.6)
  step = -(-len(place) // 24)
  names = [f"L{l}.H{h}" for l in range(layers) for h in range(heads)]
  axes.set_xticks(place[::step], names[::step])
  axes.set_ylim(-0.03, 1.03)
  axes.set_xlabel("layer and head")
  axes.set_ylabel("share of attention")
  axes.set_title("Attention of data positions to the slots (points: seeds)")
  axes.legend(loc="best", ncols=3)
