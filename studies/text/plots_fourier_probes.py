"""Figure of the Fourier probes: by frequency, as published, and removed."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns R2 of every frequency and of digits on fresh pairs, what removing
  the best does, and the published curves beside their nulls."""
  figure = style.new(9.6)
  first, middle, last = style.parts(figure, (1, 1, 1))
  _frequencies(first.subplots(1, 1), result)
  digits, left = middle.subplots(1, 2)
  _digits(digits, result)
  _left(left, result)
  r2, harm, small = last.subplots(1, 3)
  _pairs(r2, result)
  _harm(harm, result)
  _small(small, result)
  return figure


def _frequencies(ax, result) -> None:
  at_Q = np.asarray(result.frequency_Q)
  for value_SxExQ, colour, label in (
    (result.untrained_r2_VxExQ, style.GREY, "untrained"),
    (result.r2_SxExQ, style.BLUE, "members"),
  ):
    style.curves(ax, at_Q, value_SxExQ[:, -1], colour=colour, label=label)
  bar_Q = np.median(result.threshold_SxExQ[:, -1], axis=0)
  words = "permuted labels, the best of all: p = .05"
  ax.plot(at_Q, bar_Q, color=style.ORANGE, lw=1.3, ls="--", label=words)
  ax.axhline(0, color="black", lw=0.8)
  ax.xaxis.set_major_locator(style.locator(12, integer=True))
  ax.set(
    title=f"Residue mod {result.modulus} in the final states, fresh pairs",
    xlabel="frequency n of cos, sin 2πn(x + y)/k",
    ylabel="R²",
  )
  ax.legend()


def _digits(ax, result) -> None:
  for m in range(len(result.modulus_M)):
    value_S = np.asarray(result.digit_r2_SxExM)[:, -1, m]
    null = np.median(np.asarray(result.untrained_digit_r2_VxExM)[:, -1, m])
    p = np.median(np.asarray(result.digit_p_SxExM)[:, -1, m])
    ax.bar(m, np.median(value_S), 0.6, color=style.SKY)
    ax.plot(np.full(len(value_S), m), value_S, "o", ms=3, color=style.BLUE)
    ax.hlines(null, m - 0.4, m + 0.4, color=style.GREY, lw=1.8)
    ax.annotate(
      f"p = {p:.2g}",
      (m, max(value_S.max(), null, 0)),
      (0, 4),
      textcoords="offset points",
      ha="center",
      fontsize=8,
    )
  low, high = ax.get_ylim()
  ax.set_ylim(low, high + 0.12 * (high - low))
  ax.axhline(0, color="black", lw=0.8)
  ax.set_xticks(range(len(result.modulus_M)), map(str, result.modulus_M))
  ax.set(
    title="Digits, final states (grey: untrained)",
    xlabel="(x + y) mod m, all frequencies",
    ylabel="R², mean of columns",
  )


def _left(ax, result) -> None:
  left_Sx2, null, matched = (
    np.asarray(value)
    for value in (result.left_Sx2, result.left_permuted_Sx2xR, result.matched_permuted_Sx2xR)
  )
  values = (
    ("intact", result.intact_S, style.GREEN),
    ("ridge", left_Sx2[:, 0], style.BLUE),
    ("ridge,\npermuted", null[:, 0], style.GREY),
    ("same,\nscaled", matched[:, 0], style.GREY),
    ("LEACE", left_Sx2[:, 1], style.BLUE),
    ("LEACE,\npermuted", null[:, 1], style.GREY),
    ("same,\nscaled", matched[:, 1], style.GREY),
    ("random", result.left_random_SxK, style.AMBER),
    ("same,\nscaled", result.matched_random_SxK, style.AMBER),
  )
  for at, (_, value, colour) in enumerate(values):
    value_R = np.asarray(value, float).ravel()
    jitter_R = np.random.default_rng(at).uniform(-0.2, 0.2, value_R.size)
    ax.plot(at + jitter_R, value_R, "o", ms=3, alpha=0.5, mew=0, color=colour)
    median = np.median(value_R)
    ax.plot([at - 0.3, at + 0.3], [median, median], color=colour, lw=2.2)
  ax.axhline(0, color="black", lw=0.8)
  style.wide(ax, np.concatenate([np.ravel(value) for _, value, _ in values]))
  words = [name for name, _, _ in values]
  ax.set_xticks(range(len(values)), words, fontsize=6.5)
  count = np.asarray(result.removed_best_SxF).shape[1]
  ax.set(title=f"{count} frequencies at their mean, own readout", ylabel="skill left")


def _pairs(ax, result) -> None:
  at_P = np.arange(1, np.asarray(result.cv_r2_SxP).shape[1] + 1)
  null = np.asarray(result.null_r2_SxRxP, float)
  low_P, high_P = np.quantile(null, (0.025, 0.975), axis=(0, 1))
  for value_SxP, colour, label, band in (
    (result.r2_as_published_SxP, style.BLUE, "as published", {}),
    (null.mean(1), style.GREY, "permuted labels", {"low_R": low_P, "high_R": high_P}),
    (result.cv_r2_SxP, style.GREEN, "5 folds", {}),
    (result.held_out_r2_SxP, style.ORANGE, "fresh pairs", {}),
  ):
    style.curves(ax, at_P, value_SxP, colour=colour, label=label, **band)
  ax.axhline(0, color="black", lw=0.8)
  ax.xaxis.set_major_locator(style.locator(6, integer=True))
  ax.set(title="First n frequencies", xlabel="Fourier pairs", ylabel="R², mean of columns")
  ax.legend(fontsize=7.5)


def _harm(ax, result) -> None:
  rank_P = 2 * np.arange(1, np.asarray(result.delta_SxP).shape[1] + 1)
  permuted = np.asarray(result.delta_permuted_as_published_SxRxP)
  random_SxP = result.delta_random_as_published_SxP
  corrected = np.asarray(result.delta_SxP)
  for value_SxP, colour, label in (
    (result.delta_as_published_SxP, style.BLUE, "probe, as published"),
    (corrected, style.SKY, "probe, raw coordinates"),
    (permuted.mean(1), style.GREY, "permuted labels, as published"),
    (random_SxP, style.AMBER, "random, as published"),
  ):
    style.curves(ax, rank_P, value_SxP, colour=colour, label=label)
  ax.axhline(0, color="black", lw=0.8)
  ax.set(title="Directions removed, refitted", xlabel="rank", ylabel="change of the squared error")
  low, high = ax.get_ylim()
  ax.set_ylim(low, high + 0.35 * (high - low))  # room for the legend
  ax.legend(fontsize=7.5, loc="upper left")


def _small(ax, result) -> None:
  for value, colour, label, dash in (
    (result.small_r2_as_published_Sx6x3, style.BLUE, "as published", "-"),
    (result.small_r2_Sx6x3, style.GREEN, "constants dropped", "--"),
    (result.small_cv_r2_Sx6x3, style.ORANGE, "same, 5 folds", ":"),
  ):
    median_6x3 = np.median(np.asarray(value, float), axis=0)
    for pairs, marker in enumerate("os^"):
      ax.plot(
        range(len(median_6x3)),
        median_6x3[:, pairs],
        color=colour,
        marker=marker,
        ms=3.5,
        lw=1.1,
        ls=dash,
        label=label if not pairs else None,
      )
  ax.axhline(0, color="black", lw=0.8)
  ax.set_xticks(range(len(result.small_modulus_6)), map(str, result.small_modulus_6))
  ax.set(title="Residue mod k'", xlabel="k' (○ 1, □ 2, △ 3 pairs)", ylabel="R², median member")
  ax.legend(fontsize=7.5)
