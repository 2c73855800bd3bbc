"""Figure of the readout: spectra, logits, how many frequencies, components."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns the six panels, from the stored result alone.

  The reference member's (else the first's) spectra; every other panel shows
  the seeds thin and their median, or the first member where it says so.
  """
  figure = style.new(8.2)
  axes = figure.subplots(3, 2)
  _spectra(figure, axes[0, 0], result)
  _logits(axes[0, 1], result)
  _agreement(axes[1, 0], result)
  _loss(axes[1, 1], result)
  for component in range(2):
    _component(axes[2, component], result, component)
  return figure


def _spectra(figure, ax, result) -> None:
  """Every column's |rfft|, its largest 1, by falling correlation."""
  magnitude_QxF = np.asarray(result.magnitude_QxF)[:, result.order_F]
  largest_1xF = magnitude_QxF.max(0, keepdims=True)
  relative_QxF = magnitude_QxF / np.where(largest_1xF > 0, largest_1xF, 1)
  image = style.heat_map(ax, relative_QxF, aspect="auto", vmin=0, vmax=1)
  ax.yaxis.set_major_locator(style.locator(6, integer=True))
  ax.set(
    title="Spectrum of every neuron's W_L column",
    xlabel="neuron, by falling correlation with a + b",
    ylabel="frequency",
  )
  figure.colorbar(image, ax=ax, label="|rfft|, largest 1", pad=0.02)


def _logits(ax, result) -> None:
  class_V = np.arange(result.change_SxV.shape[1])
  for value_SxV, colour, label in (
    (result.logit_Sx3xV[:, 0], style.BLUE, "full"),
    (result.reduced_logit_Sx3xV[:, 0], style.ORANGE, "PC1 alone"),
    (result.change_SxV, style.GREY, "W_L Δh"),
  ):
    ax.plot(class_V, value_SxV[0], color=colour, lw=1.6, label=label)
  for at in (0, 3):
    ax.axvline(at, color=style.GREY, lw=0.8, ls=":")
  ax.xaxis.set_major_locator(style.locator(10, integer=True))
  ax.set(title="Logits at (0, 0), first member", xlabel="class (dotted: 0 and 3)", ylabel="logit")
  ax.legend()


def _agreement(ax, result) -> None:
  for value_SxR, colour, label in (
    (result.accuracy_SxR, style.BLUE, "right sum"),
    (result.shuffled_agreement_SxR, style.ORANGE, "own, random phases"),
    (result.plane_agreement_SxR, style.GREY, "own, random planes"),
  ):
    style.curves(ax, result.count_R, value_SxR, colour=colour, label=label)
  ax.plot(
    result.count_R,
    np.median(result.agreement_SxR, axis=0),
    color=style.GREEN,
    ls=style.DASHES[1],
    label="own argmax",
  )
  ax.set(
    title="Argmax from the largest frequencies",
    xlabel="frequencies beside the constant",
    ylabel="share of inputs",
    ylim=(0, 1.04),
  )
  ax.legend(
    loc="lower right", frameon=True, framealpha=0.85, edgecolor="none", handlelength=1.4, fontsize=8
  )


def _loss(ax, result) -> None:
  style.curves(
    ax, result.count_R, result.nll_nats_SxR, colour=style.BLUE, label="median of the seeds"
  )
  ax.set_yscale("log")
  classes = result.change_SxV.shape[1]
  ax.axhline(np.log(classes), color=style.GREY, ls="--", label="all classes alike")
  ax.set(
    title="Cross-entropy of the rebuilt logits",
    xlabel="frequencies beside the constant",
    ylabel="nats",
  )
  ax.legend()


def _component(ax, result, component: int) -> None:
  direction_V = result.direction_Sx4xV[0, component]
  class_V = np.arange(len(direction_V))
  similarity, chance = (
    value_Sx4[0, component] for value_Sx4 in (result.similarity_Sx4, result.chance_similarity_Sx4)
  )
  best, best_chance = (
    value_Sx4[0, component]
    for value_Sx4 in (result.period_similarity_Sx4, result.chance_period_Sx4)
  )
  period = result.period_Sx4[0, component]
  ax.bar(class_V, direction_V, color=style.SKY, width=0.7)
  for wave_V, colour, label in (
    (
      result.wave_Sx4xV[0, component],
      style.ORANGE,
      f"sin or cos k = 1: {similarity:.2f} (chance, 95 %: {chance:.2f})",
    ),
    (
      result.period_wave_Sx4xV[0, component],
      style.BLUE,
      f"period {period:.1f}: {best:.2f} (chance, 95 %: {best_chance:.2f})",
    ),
  ):
    ax.plot(class_V, wave_V, color=colour, lw=1.6, label=label)
  share = result.share_SxV[0, component]
  reach = np.abs(direction_V).max()
  ax.xaxis.set_major_locator(style.locator(10, integer=True))
  ax.set(
    title=f"PC{component + 1} of W_L's columns, {share:.0%}, first member",
    xlabel="class",
    ylabel="entry",
    ylim=(-1.15 * reach, 1.75 * reach),
  )
  ax.legend(loc="upper left")
