"""The figure of the analysis `memory`: what networks on gaps answer."""

import numpy as np
from primelens.studies import plots_style as style

SHOWN = {
  "network": style.BLUE,
  "untrained": style.GREY,
  "mean": style.ORANGE,
  "median": style.AMBER,
  "line in ln p": style.GREEN,
  "local mean": style.PURPLE,
  "least squares": style.SKY,
}


@style.styled
def figure(result):
  """Returns answers beside gaps, errors over training and by predictor."""
  drawn = style.new(7.6)
  top, bottom = style.parts(drawn, (1.0, 1.2))
  _answers(top, result)
  left, right = bottom.subplots(1, 2, width_ratios=(1, 1.15))
  _curves(left, result)
  _errors(right, result)
  return drawn


def _answers(part, result) -> None:
  """Draws the published view: gaps in a row, and answers against gaps."""
  row, scatter = part.subplots(1, 2, width_ratios=(2.6, 1))
  gap_N, answer_SxN = np.asarray(result.gap_N), np.asarray(result.answer_SxN)
  at_N = np.arange(len(gap_N))
  row.plot(at_N, gap_N, color=style.GREY, lw=0.9, label="gap")
  row.plot(at_N, answer_SxN[0], color=style.BLUE, lw=0.9, label="network")
  row.set(title="Last trained gaps, first member", xlabel="gap", ylabel="size")
  row.legend(ncols=2, loc="upper right")
  scatter.plot(gap_N, answer_SxN[0], ".", ms=3, color=style.BLUE)
  ends = [gap_N.min(), gap_N.max()]
  scatter.plot(ends, ends, color=style.GREY, lw=0.8)
  scatter.set(title="Answer against gap", xlabel="gap", ylabel="answer")


def _curves(axes, result) -> None:
  """Draws squared errors at the snapshots; 1 is a constant answer."""
  epoch_C = np.asarray(result.step_C) / result.epoch_steps
  if not len(epoch_C):
    style.note(axes, "no snapshots")
    return
  for name, label, colour in (
    ("logged_SxC", "trained, with dropout", style.SKY),
    ("trained_SxC", "trained", style.BLUE),
    ("held_SxC", "held out", style.ORANGE),
  ):
    value_SxC = np.asarray(getattr(result, name), float)
    if np.isfinite(value_SxC).any():
      style.curves(axes, epoch_C, value_SxC, colour=colour, label=label)
  axes.axhline(1, color=style.GREY, lw=0.9, ls="--")
  axes.set(title="Squared error of z-scores (dashed: a constant)", xlabel="epoch", yscale="log")
  axes.legend()


def _errors(axes, result) -> None:
  """Draws the mean absolute error of every predictor, part by part."""
  parts = list(dict.fromkeys(row["part"] for row in result.errors))
  kinds = [k for k in SHOWN if any(r["predictor"] == k for r in result.errors)]
  for number, kind in enumerate(kinds):
    rows = [row for row in result.errors if row["predictor"] == kind]
    at = [parts.index(row["part"]) for row in rows]
    place = np.array(at) + 0.8 * (number / max(len(kinds) - 1, 1) - 0.5)
    value, low, high = (
      np.array([row[name] for row in rows]) for name in ("mae", "mae_low", "mae_high")
    )
    known = np.where(np.isfinite(low), low, value)
    upper = np.where(np.isfinite(high), high, value)
    style.whiskers(axes, value, known, upper, place, colour=SHOWN[kind], vertical=True, label=kind)
  axes.set_xticks(range(len(parts)), parts)
  axes.set(title="Mean absolute error", ylabel="gap units", ylim=(0, None))
  axes.legend(ncols=2)


@style.styled
def overview(records):
  """Returns every run in a row: its errors, and its first query matrix.

  `records` have `run`, `error` (of trained gaps over a constant's), `held`
  (squared error of gaps left out, NaN for none), and `query` and `live` (the
  effective ranks over that of noise; the lowest of the matrices that matter).
  """
  drawn = style.new(1.6 + 0.24 * len(records))
  panels = drawn.subplots(1, 3, sharey=True)
  at_N = np.arange(len(records))
  views = (
    ("Error over a constant's, trained", ("error",), (style.BLUE,)),
    ("Squared error, left out", ("held",), (style.ORANGE,)),
    ("Effective rank over noise", ("query", "live"), (style.GREY, style.GREEN)),
  )
  for axes, (title, names, colours) in zip(panels, views, strict=True):
    for name, colour in zip(names, colours, strict=True):
      value_N = np.array([record[name] for record in records], float)
      axes.plot(value_N, at_N, "o", color=colour, label=name)
    axes.axvline(1, color=style.GREY, lw=0.8, ls="--")
    axes.set_title(title, fontsize=9)
  panels[0].set_xscale("log")
  panels[0].set_yticks(at_N, [record["run"] for record in records])
  panels[0].invert_yaxis()
  panels[2].legend(loc="lower left")
  return drawn
