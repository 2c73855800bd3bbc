"""Figures of the grid of sizes: one cell with its nulls, and all cells."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns R2 of the Fourier probes against their number, and the harm of
  removing the probe's directions, both beside permuted labels."""
  figure = style.new(3.6)
  r2, harm = figure.subplots(1, 2)
  _r2(r2, result)
  _harm(harm, result)
  return figure


def _r2(ax, result) -> None:
  pairs_Q = np.asarray(result.pairs_Q)
  null = np.asarray(result.null_r2_SxRxQ, float)
  low_Q, high_Q = np.quantile(null, (0.025, 0.975), axis=(0, 1))
  null_SxQ = null.mean(1)
  for value_SxQ, colour, label, ends in (
    (result.r2_SxQ, style.BLUE, "in-sample", {}),
    (null_SxQ, style.GREY, "in-sample, permuted labels", {"low_R": low_Q, "high_R": high_Q}),
    (result.untrained_r2_ExQ, style.AMBER, "in-sample, untrained", {}),
    (result.cv_r2_SxQ, style.GREEN, "5 folds", {}),
    (result.held_out_r2_SxQ, style.ORANGE, "fresh pairs", {}),
  ):
    style.curves(ax, pairs_Q, value_SxQ, colour=colour, label=label, **ends)
  ax.axhline(0, color="black", lw=0.8)
  ax.set_xticks(pairs_Q)
  ax.set(
    title=f"Fourier probes, {result.cell[0]['cell'].replace('_', ' ')}",
    xlabel="frequencies",
    ylabel="R², mean of columns",
  )
  ax.legend()


def _harm(ax, result) -> None:
  names = ("probe", "permuted labels", "random subspace")
  values = (
    np.asarray(result.delta_S)[:, None],
    np.asarray(result.delta_permuted_SxR),
    np.asarray(result.delta_random_SxK),
  )
  for at, (value, colour) in enumerate(
    zip(values, (style.BLUE, style.GREY, style.GREEN), strict=True)
  ):
    value = value.ravel()
    jitter = np.random.default_rng(at).uniform(-0.2, 0.2, value.size)
    ax.plot(at + jitter, value, "o", ms=3, alpha=0.5, mew=0, color=colour)
    mean = value.mean()
    ax.plot([at - 0.3, at + 0.3], [mean, mean], color=colour, lw=2.2)
  ax.set_xticks(range(len(names)), names)
  ax.axhline(0, color="black", lw=0.8)
  ax.set(
    title="Twelve directions removed, readout refitted",
    xlabel="directions of",
    ylabel="change of the squared error",
  )


@style.styled
def cells(records, published=()) -> mpl_figure.Figure:
  """Returns skill, R2 and harm against the number of parameters, from the
  joined records of the cells and the published grid."""
  figure = style.new(3.6)
  skill, r2, harm = figure.subplots(1, 3)
  x_R = [row["parameters"] for row in records]
  of = lambda name: [row[name] for row in records]
  style.whiskers(
    skill,
    of("skill"),
    of("skill_low"),
    of("skill_high"),
    x_R,
    colour=style.BLUE,
    vertical=True,
    label="ours",
  )
  for ax, names in (
    (r2, ("r2_6", "null_r2_6", "held_out_r2_6", "circularity")),
    (harm, ("delta_probe", "delta_permuted", "delta_random")),
  ):
    for number, name in enumerate(names):
      colour = (style.BLUE, style.GREY, style.ORANGE, style.GREEN)[number]
      label = name.removesuffix("_6").replace("_", " ")
      ax.plot(x_R, of(name), "o-", ms=4, color=colour, label=label)
  for ax, name in ((skill, "skill"), (r2, "r2_6"), (harm, "delta_probe")):
    if published:
      ax.plot(
        [row["parameters"] for row in published],
        [row[name] for row in published],
        "x",
        color="black",
        label=f"published {name.removesuffix('_6').replace('_', ' ')}",
      )
    ax.axhline(0, color="black", lw=0.8)
    ax.set(xscale="log", xlabel="parameters")
    ax.legend(fontsize=7.5)
  skill.set(title="Skill", ylabel="1 - loss / constant's loss")
  r2.set(title="R² of 6 Fourier pairs", ylabel="R², mean of columns")
  harm.set(title="Directions removed", ylabel="change of the squared error")
  return figure
