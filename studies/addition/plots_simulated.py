"""Panels of the logits that polynomial fits simulate, and of R2 by neuron."""

import numpy as np
from primelens.studies import plots_style as style

_BINS = np.linspace(0.8, 1, 51)


def draw(part, result) -> None:
  """Draws R2 of all neurons, the logits at (0, 0), and all logits."""
  left, middle, right = part.subplots(1, 3)
  _histogram(left, result)
  _first(middle, result)
  _all(right, result)


def _histogram(ax, result) -> None:
  """R2 per neuron of all members (A46, A50, A52); below .8 in the first."""
  for name, value_SxF, colour in (
    ("z on Poly2", result.pre_r2_SxF, style.BLUE),
    ("z on 5 symmetric", result.sums_r2_SxF, style.PURPLE),
    ("h on Poly2", result.post_r2_SxF, style.ORANGE),
  ):
    value = np.ravel(np.asarray(value_SxF, float))
    known = np.clip(value[np.isfinite(value)], _BINS[0], _BINS[-1])
    ax.hist(known, _BINS, histtype="step", lw=1.5, color=colour, label=name)
  ax.set(title="R² per neuron", xlabel="R²", ylabel="neurons, all members")
  ax.legend(loc="upper left", fontsize=7.5)


def _simulated(result):
  """Returns name, logits NxV and colour of what stands beside the network."""
  return (
    ("MLP alone", result.mlp_NxV, style.GREY),
    ("ReLU of z on Poly2", result.simulated_pre_NxV, style.BLUE),
    ("h on Poly2", result.simulated_post_NxV, style.ORANGE),
  )


def _first(ax, result) -> None:
  """The logits at (0, 0), of the network and simulated (A51, A53)."""
  logit_V = np.asarray(result.logit_NxV)[0]
  at_V = np.arange(len(logit_V))
  ax.plot(at_V, logit_V, color="black", lw=2, label="network")
  for name, value_NxV, colour in _simulated(result):
    own_V = np.asarray(value_NxV)[0]
    ax.plot(at_V, own_V, color=colour, lw=1.2, ls="--", label=name)
  ax.xaxis.set_major_locator(style.locator(8, integer=True))
  ax.set(title="Logits at (0, 0)", xlabel="logit k", ylabel="logit")
  low, high = ax.get_ylim()
  ax.set_ylim(low, high + 0.4 * (high - low))  # room for the legend
  ax.legend(fontsize=7.5, loc="upper center", ncols=2, columnspacing=1)


def _all(ax, result) -> None:
  """All logits simulated against the network's own (A51)."""
  own = np.ravel(result.logit_NxV)
  for name, value_NxV, colour in _simulated(result)[1:]:
    value = np.ravel(value_NxV)
    ax.plot(own, value, ".", color=colour, ms=2, alpha=0.5, label=name)
  ends = [own.min(), own.max()]
  ax.plot(ends, ends, color="black", lw=0.8)
  ax.set(title="All logits", xlabel="network", ylabel="simulated")
  ax.legend(markerscale=4, fontsize=7.5, loc="upper left")
