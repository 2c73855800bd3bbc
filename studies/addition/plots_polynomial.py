"""Figure of the polynomial fits: what they explain, and what they are worth."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style
from primelens.studies.addition import plots_simulated

_SHORT = {
  "poly2": "Poly2 (15)",
  "linear": "linear PCs",
  "sums": "symmetric, 5",
  "symmetric6": "symmetric, 6",
  "symmetric7": "symmetric, 7",
  "symmetric8": "symmetric, 8",
  "raw_quadratic": "quadratic in a, b",
  "raw_quartic": "quartic in a, b",
  "additive": "f(a) + g(b)",
  "random_poly2": "Poly2, random f, g",
}
_COLOUR = {"z": style.BLUE, "h": style.ORANGE, "logits": style.GREEN}
_FLOOR = -0.05  # held-out R2 below are drawn at the edge
_TINY = 1e-6  # shares are drawn down to ten times this


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns R2 beside accuracy per fit, coefficients, logits, ranks, and the
  logits that the fits simulate."""
  figure = style.new(11.6)
  top, bottom, last = style.parts(figure, [1.15, 1, 0.6])
  _fits(top.subplots(1, 2, sharey=True), result)
  axes = bottom.subplots(2, 2, width_ratios=[1.25, 1])
  _coefficients(axes[0, 0], result)
  _logits(axes[0, 1], result)
  _neurons(axes[1, 0], result)
  _spectra(axes[1, 1], result)
  plots_simulated.draw(last, result)
  return figure


def _fits(axes, result) -> None:
  """R2 in and out of sample to the left, accuracy to the right."""
  target = list(dict.fromkeys(row["target"] for row in result.fits))
  design = [row["fit"].split("_", 1)[1] for row in result.fits]
  names = list(dict.fromkeys(design))
  at_M = np.array(
    [
      -names.index(name) + 0.25 * (1 - target.index(row["target"]))
      for name, row in zip(design, result.fits, strict=True)
    ]
  )
  for left, inside, outside, title in (
    (axes[0], "r2_median", "heldout_median", "R², median over columns"),
    (axes[1], "accuracy", "test_accuracy", "accuracy of the logits it gives"),
  ):
    for part in target:
      here = [m for m, row in enumerate(result.fits) if row["target"] == part]
      for name, face in ((inside, _COLOUR[part]), (outside, "white")):
        value_SxM = np.asarray(getattr(result, f"{name}_SxM"), float)[:, here]
        _dots(left, value_SxM, at_M[here], _COLOUR[part], face)
      null = [result.fits[m][f"{inside}_untrained"] for m in here]
      left.plot(null, at_M[here], "|", color=style.GREY, ms=6, mew=1.4)
    left.set(title=title, xlim=(_FLOOR - 0.01, 1.03))
  axes[0].set_yticks(-np.arange(len(names)), [_SHORT.get(name, name) for name in names])
  _legend(axes[1], target)


def _dots(axes, value_SxM, at_M, colour, face) -> None:
  """Seeds as small dots, their median as a large one."""
  shown_SxM = np.maximum(value_SxM, _FLOOR)
  place_SxM = np.broadcast_to(at_M, shown_SxM.shape)
  edge = {"ls": "", "marker": "o", "mec": colour, "mfc": face}
  if len(value_SxM) > 1:
    axes.plot(shown_SxM, place_SxM, ms=2.2, alpha=0.4, mew=0.5, **edge)
  axes.plot(np.median(shown_SxM, axis=0), at_M, ms=5, mew=1.2, **edge)


def _legend(axes, target) -> None:
  for part in target:
    axes.plot([], [], "o", color=_COLOUR[part], ms=5, label=part)
  axes.plot([], [], "o", mec=style.GREY, mfc="white", ms=5, label="test pairs")
  axes.plot([], [], "|", color=style.GREY, ms=6, mew=1.4, label="untrained")
  axes.legend(loc="lower left", bbox_to_anchor=(0, 1.08), ncols=5, handletextpad=0.1)


def _coefficients(axes, result) -> None:
  """Coefficients of z by feature: mean and deviation over neurons (A47)."""
  groups = list(dict.fromkeys(row["group"] for row in result.coefficients))
  names = [row["feature"] for row in result.coefficients if row["group"] == groups[0]]
  size = {row["group"]: row["neurons"] for row in result.coefficients}
  drawn = [group for group in groups[1:5] if size[group]]
  width = 0.8 / (1 + len(drawn))
  for place, group in enumerate([groups[0], *drawn]):
    rows = [row for row in result.coefficients if row["group"] == group]
    axes.bar(
      np.arange(len(rows)) + (place - len(drawn) / 2) * width,
      [row["mean"] for row in rows],
      width,
      yerr=[row["deviation"] for row in rows],
      color=style.GREY if not place else style.colour(place - 1),
      error_kw={"lw": 0.7, "ecolor": "#444444"},
      label=f"{group} ({size[group]})",
    )
  axes.set_xticks(np.arange(len(names)), names, rotation=90, fontsize=7.5)
  axes.set(title="Coefficients of z on Poly2, one member")
  low, high = axes.get_ylim()
  axes.set_ylim(low, high + 0.3 * (high - low))  # room for the legend
  axes.legend(fontsize=7, ncols=2, loc="upper right", handlelength=1, columnspacing=1)


def _logits(axes, result) -> None:
  """R2 of every logit on Poly2, in and out of sample (A56)."""
  inside_SxV = np.asarray(result.logit_r2_SxV, float)
  outside_SxV = np.asarray(result.logit_heldout_r2_SxV, float)
  at_V = np.arange(inside_SxV.shape[1])
  axes.bar(at_V, np.median(inside_SxV, axis=0), color=style.GREEN, alpha=0.45)
  axes.plot(at_V, inside_SxV.T, ".", color=style.GREEN, ms=3)
  axes.plot(at_V, np.median(outside_SxV, axis=0), "o", mec=style.GREEN, mfc="white")
  low = np.nanquantile(np.concatenate([inside_SxV, outside_SxV]), 0.05)
  axes.set(
    title="Logits on Poly2: R² (rings: test pairs)",
    xlabel="logit k",
    ylim=(max(0, min(0.9, low - 0.02)), 1.005),
  )
  axes.xaxis.set_major_locator(style.locator(10, integer=True))


def _neurons(axes, result) -> None:
  """R2 of each neuron against that of z on Poly2 (A50, A52)."""
  for name, value_SxF, colour in (
    ("z on 5 symmetric features", result.sums_r2_SxF, style.PURPLE),
    ("h on Poly2", result.post_r2_SxF, style.ORANGE),
  ):
    axes.plot(
      np.ravel(result.pre_r2_SxF),
      np.ravel(value_SxF),
      ".",
      color=colour,
      ms=2.5,
      alpha=0.5,
      label=name,
    )
  axes.set(
    title="Neurons of all members", xlabel="R² of z on Poly2", ylabel="R²", ylim=(-0.02, 1.02)
  )
  axes.legend(markerscale=3)


def _spectra(axes, result) -> None:
  """Shares of squared singular values (A61)."""
  share_SxPxR = np.asarray(result.share_SxPxR, float)
  null_PxR = np.median(np.asarray(result.untrained_share_SxPxR, float), axis=0)
  at_R = np.arange(1, share_SxPxR.shape[2] + 1)
  for place, row in enumerate(result.spaces):
    colour = style.colour(place)
    style.curves(
      axes, at_R, np.maximum(share_SxPxR[:, place], _TINY), colour=colour, label=row["space"]
    )
    null_R = np.maximum(null_PxR[place], _TINY)
    axes.plot(at_R, null_R, ":", color=colour, lw=1)
  axes.set(
    title="Ranks (dotted: untrained)",
    xlabel="component",
    ylabel="share of squares",
    yscale="log",
    ylim=(10 * _TINY, 1.5),
  )
  axes.legend(fontsize=7.5, loc="center left", bbox_to_anchor=(1, 0.5))
