"""Figure of modular addition as waves: weights, neurons, logits."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style
from primelens.studies.addition import plots_waves


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns norms and cubes by frequency; clusters, a neuron, its spectrum;
  reference products and all neurons' energy; singular vectors and readout."""
  figure = style.new(14.6)
  upper, lower, *rest = style.parts(figure, [1, 1.15, 1.15, 1.05])
  axes = upper.subplots(1, 3)
  for ax, name, title in (
    (axes[0], "embedding_norm", "Embedding, F E"),
    (axes[1], "readout_norm", "Readout, W_logit Fᵀ"),
  ):
    value_SxQ = getattr(result, f"{name}_SxQ")
    _curves(ax, value_SxQ, style.BLUE, "trained")
    null_SxQ = getattr(result, f"untrained_{name}_SxQ")
    _curves(ax, null_SxQ, style.GREY, "untrained")
    _mark(ax, result, value_SxQ)
    ax.set(title=title, ylabel="norm")
  axes[0].legend(loc="upper left", ncols=2)
  _curves(axes[2], result.similarity_SxQ, style.BLUE, "trained")
  _mark(axes[2], result, result.similarity_SxQ)
  axes[2].set(title="Logits and cosine cubes", ylabel="cosine similarity")
  axes = lower.subplots(1, 3)
  _clusters(lower, axes[0], result)
  number = _loudest(result)
  _map(lower, axes[1], result.neuron_6xPxP[number], "activation")
  axes[1].set(title=f"Neuron {number}", xlabel="b", ylabel="a")
  _spectrum(lower, axes[2], result.neuron_6xPxP[number])
  axes[2].set_title(f"Its spectrum, neuron {number}")
  plots_waves.draw(rest[0], rest[1], result)
  return figure


def _curves(ax, value_SxQ, colour, label: str) -> None:
  """Draws members thin, their median thick; keys may differ by member."""
  value_SxQ = np.asarray(value_SxQ)[:, 1:]
  frequency_Q = 1 + np.arange(value_SxQ.shape[1])
  if len(value_SxQ) > 1:
    ax.plot(frequency_Q, value_SxQ.T, color=colour, lw=0.5, alpha=0.5)
  median_Q = np.median(value_SxQ, axis=0)
  ax.plot(frequency_Q, median_Q, color=colour, lw=1.6, label=label)
  ax.set_xlabel("frequency")


def _mark(ax, result, value_SxQ) -> None:
  """Marks the key frequencies of the member shown."""
  own_Q = np.asarray(value_SxQ)[result.shown]
  key = np.flatnonzero(result.key_SxQ[result.shown])
  ax.plot(key, own_Q[key], "o", ms=5, mfc="none", color=style.ORANGE)
  top = float(np.max(value_SxQ[:, 1:]))
  ax.set_ylim(min(0.0, float(np.min(value_SxQ[:, 1:]))) - 0.03 * top, 1.3 * top)
  if len(key) > 8:
    return
  for k in key:
    ax.annotate(
      str(k),
      (k, own_Q[k]),
      xytext=(0, 6),
      textcoords="offset points",
      ha="center",
      fontsize=7.5,
      color=style.ORANGE,
    )


def _clusters(figure, ax, result) -> None:
  """Draws shares of energy, neurons sorted by frequency, then by share."""
  share_QxF = np.asarray(result.share_SxQxF[result.shown])
  order_F = np.lexsort((-share_QxF.max(0), share_QxF.argmax(0)))
  scale = {"vmin": 0, "vmax": 1, "aspect": "auto"}
  image = style.heat_map(ax, share_QxF[:, order_F], colours="Greys", **scale)
  ax.set(title="Neurons' energy", xlabel="neuron, sorted", ylabel="frequency")
  figure.colorbar(image, ax=ax, location="bottom", shrink=0.85, label="share")


def _loudest(result) -> int:
  """Returns which of the stored neurons varies most."""
  return int(np.var(result.neuron_6xPxP, axis=(1, 2)).argmax())


def _map(figure, ax, value_PxP, label: str) -> None:
  """Draws a map of values that are never negative."""
  image = style.heat_map(ax, value_PxP, vmin=0)
  figure.colorbar(image, ax=ax, location="bottom", shrink=0.85, label=label)


def _spectrum(figure, ax, neuron_PxP) -> None:
  """Draws the norm of every pair of frequencies, the mean left out."""
  energy_QxQ = _pairs_of_frequencies(neuron_PxP)
  energy_QxQ[0, 0] = 0
  _map(figure, ax, np.sqrt(energy_QxQ), "norm")
  ax.set(xlabel="frequency of b", ylabel="frequency of a")


def _pairs_of_frequencies(neuron_PxP) -> np.ndarray:
  """Returns the energy of a map by frequency of a and of b, odd P."""
  complex_PxP = np.fft.fft2(neuron_PxP, norm="ortho")
  energy_PxP = np.abs(complex_PxP) ** 2
  half = len(energy_PxP) // 2 + 1
  folded_QxP = energy_PxP[:half].copy()
  folded_QxP[1:] += energy_PxP[:0:-1][: half - 1]
  folded_QxQ = folded_QxP[:, :half].copy()
  folded_QxQ[:, 1:] += folded_QxP[:, :0:-1][:, : half - 1]
  return folded_QxQ
