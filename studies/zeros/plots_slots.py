"""The figure of `slots`: removals, their noise, attention, blocks of data."""

import numpy as np
from primelens.studies import plots_style as style


@style.styled
def figure(result):
  """Returns the figure: removal together, single slots, reading, blocks."""
  figure = style.new(7.6)
  (joint, single), (reading, blocks) = figure.subplots(2, 2)
  _joint(joint, result)
  _single(single, result)
  _reading(reading, result)
  _blocks(blocks, result)
  return figure


def _joint(axes, result):
  """Draws what k slots removed together cost, beside the published sum."""
  count_R = np.arange(result.joint_SxR.shape[1])
  style.curves(
    axes,
    count_R,
    result.joint_SxR,
    colour=style.BLUE,
    label="together",
    low_R=result.joint_low_R,
    high_R=result.joint_high_R,
  )
  style.curves(
    axes,
    count_R,
    result.sum_as_published_SxR,
    colour=style.ORANGE,
    label="sum of single ones (as published)",
  )
  axes.axhline(0, color="black", lw=0.8)
  axes.xaxis.set_major_locator(style.locator(9, integer=True))
  axes.set(
    title="Slots removed",
    xlabel="slots removed, mean over choices",
    ylabel=f"change of the NLL ({style.NATS})",
  )
  axes.legend(loc="best")


def _single(axes, result):
  """Draws the largest single effect of every seed, measured again and again,
  beside the untrained networks' and the published threshold."""
  slots = result.keep_ExM.shape[1]
  draws = np.asarray(result.remeasured_single_SxN, float)
  low, middle, high = np.quantile(draws, (0.025, 0.5, 0.975), axis=1)
  place = np.arange(len(draws))
  style.whiskers(
    axes,
    middle,
    low,
    high,
    place,
    colour=style.BLUE,
    vertical=True,
    label=f"{result.random_windows} windows, again and again (95 %)",
  )
  single_SxM = result.delta_SxE[:, 1 : 1 + slots]
  null_SxM = result.untrained_SxE[:, 1 : 1 + slots]
  axes.plot(place - 0.2, null_SxM.max(1), "s", color=style.GREY, ms=5)
  axes.plot([], [], "s", color=style.GREY, ms=5, label="untrained")
  for s, effect_M in enumerate(single_SxM):
    axes.plot(np.full(slots, s + 0.2), effect_M, "_", color="black", ms=9)
  axes.plot([], [], "_", color="black", ms=9, label="every slot")
  axes.axhline(0.02, color=style.ORANGE, lw=1.2, ls="--", label="threshold")
  axes.axhline(0, color="black", lw=0.8)
  axes.set_xticks(place)
  axes.set_xlim(-0.6, len(draws) - 0.4)
  axes.set(
    title="One slot removed: the largest change",
    xlabel="seed",
    ylabel=f"change of the NLL ({style.NATS})",
  )
  axes.legend(loc="best", fontsize=7.5)


def _reading(axes, result):
  """Draws where the slots of the first seed look, beside untrained ones."""
  trained_MxT = np.asarray(result.attention_SxMxT[0], float)
  null_MxT = np.asarray(result.untrained_attention_SxMxT[0], float)
  if not trained_MxT.sum():
    style.note(axes, "These slots read no data.")
    return
  position_T = np.arange(trained_MxT.shape[1]) - trained_MxT.shape[1]
  for m, weight_T in enumerate(trained_MxT):
    label = f"slot {m}" if len(trained_MxT) <= 8 else None
    axes.plot(position_T, weight_T, lw=1, color=style.colour(m), label=label)
  mean_T = null_MxT.mean(0)
  axes.plot(position_T, mean_T, "--", color="black", lw=1.2, label="untrained")
  axes.set(
    title="Attention of the slots, last layer (first seed)",
    xlabel="position before the predicted spacing",
    ylabel="weight, mean over heads",
  )
  axes.legend(loc="upper left", fontsize=7.5, ncols=2)


def _blocks(axes, result):
  """Draws the NLL along test, with the scatter that windows alone explain."""
  for s, nll_P in enumerate(np.asarray(result.block_nll_SxP, float)):
    error_P = 1.96 * result.block_error_SxP[s]
    place_P = (np.arange(len(nll_P)) + 0.5) / len(nll_P) + 0.006 * s
    ends = nll_P - error_P, nll_P + error_P
    style.whiskers(
      axes,
      nll_P,
      *ends,
      place_P,
      colour=style.colour(s),
      vertical=True,
      label=f"seed {s}" if len(result.block_nll_SxP) <= 7 else None,
    )
  quarter_P = np.asarray(result.quarter_nll_Sx4[0], float)
  place_P = (np.arange(len(quarter_P)) + 0.5) / len(quarter_P)
  axes.plot(place_P, quarter_P, "D", color="black", ms=4, label="quarters as published, seed 0")
  axes.set(
    title="Blocks of test (95 %)", xlabel="part of the test split", ylabel=f"NLL ({style.NATS})"
  )
  axes.legend(loc="best", fontsize=7.5)
