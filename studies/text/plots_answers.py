"""Figure of the answers: losses beside a constant's, and the errors."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style

BINS = 40
DOTS = 4000  # more points than that cannot be seen


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns losses over training and skill by part above; below, answers
  against the truth with their residuals, or the counts of the classes."""
  figure = style.new(6.4)
  upper, lower = style.parts(figure, (3.2, 3.2))
  training, skill = upper.subplots(1, 2)
  _training(training, result)
  _skill(skill, result)
  if result.regression:
    parity, histogram, against = lower.subplots(1, 3)
    _parity(parity, result)
    _histogram(histogram, result)
    _against(against, result)
  else:
    _classes(lower, result)
  return figure


def _unit(result) -> str:
  return "scaled squared error" if result.regression else "NLL (nats)"


def _constant(result) -> float:
  """Returns the constant answer's loss on select, in the curves' unit."""
  row = next(row for row in result.skills if row["part"] == "select")
  return row["constant"] / (result.scale**2 if result.regression else 1)


def _training(ax, result) -> None:
  step_C = np.asarray(result.step_C)
  for v, name in enumerate(("train, with dropout", "select")):
    curve_SxC = np.asarray(result.curve_VxSxC[v], float)
    known_C = np.isfinite(curve_SxC).all(0)
    if known_C.any():
      style.curves(ax, step_C[known_C], curve_SxC[:, known_C], colour=style.colour(v), label=name)
  if result.history:
    step_R = [row["step"] for row in result.history]
    for v, name in enumerate(("train", "select")):
      value_R = [row[name] for row in result.history]
      label = f"{name}, published"
      ax.plot(step_R, value_R, color=style.colour(v), ls=":", label=label)
  label = "constant, select"
  ax.axhline(_constant(result), color="black", lw=0.9, ls="--", label=label)
  ax.set(title="Losses over training", xlabel="step", ylabel=_unit(result), yscale="log")
  ax.legend()


def _skill(ax, result) -> None:
  """Draws 1 - loss / loss of a constant, with every member as a point."""
  for at, row in enumerate(result.skills):
    value, low, high = (np.array([row[name]]) for name in ("skill", "skill_low", "skill_high"))
    style.whiskers(ax, value, low, high, [-at], colour=style.BLUE)
    text = f"{row['skill']:+.4f}"
    ax.annotate(
      text,
      (row["skill"], -at),
      xytext=(0, 7),
      textcoords="offset points",
      ha="center",
      fontsize=8.5,
    )
  names = [f"{row['part']}\n{row['rows']:,} rows" for row in result.skills]
  ax.set_yticks(-np.arange(len(names)), names)
  ax.axvline(0, color="black", lw=0.8)
  least = min(0.0, *(row["skill_low"] for row in result.skills))
  edge = 0.1 * (1 - least)
  ax.set(
    title="Skill: 1 - loss / constant's loss",
    xlabel="skill (1: no error, 0: a constant)",
    xlim=(least - edge, 1 + edge),
    ylim=(-len(names) + 0.4, 0.6),
  )
  ax.xaxis.set_major_locator(style.locator(6))


def _shown(result):
  """Returns the first member's answers and the truth, not too many."""
  truth_N = np.asarray(result.truth_N, float)[:DOTS]
  return np.asarray(result.answer_SxN, float)[0, :DOTS], truth_N


def _parity(ax, result) -> None:
  answer_N, truth_N = _shown(result)
  ax.plot(truth_N, answer_N, "o", ms=1.6, alpha=0.4, color=style.BLUE)
  ends = [truth_N.min(), truth_N.max()]
  ax.plot(ends, ends, color="black", lw=0.8)
  ax.set(title="First member, select", xlabel="truth", ylabel="answer")


def _histogram(ax, result) -> None:
  """Draws every member's residuals on common bins."""
  answer_SxN = np.asarray(result.answer_SxN, float)
  error_SxN = answer_SxN - np.asarray(result.truth_N, float)
  edges = np.histogram_bin_edges(error_SxN, BINS)
  for s, error_N in enumerate(error_SxN):
    width = 0.7 if s else 1.6
    ax.hist(error_N, edges, histtype="step", lw=width, color=style.BLUE)
  ax.axvline(0, color="black", lw=0.8)
  ax.set(title="Residuals", xlabel="answer - truth", ylabel="rows")


def _against(ax, result) -> None:
  answer_N, truth_N = _shown(result)
  error_N = answer_N - truth_N
  ax.plot(truth_N, error_N, "o", ms=1.6, alpha=0.4, color=style.BLUE)
  ax.axhline(0, color="black", lw=0.8)
  ax.set(title="Residual and truth", xlabel="truth", ylabel="answer - truth")


def _classes(part, result) -> None:
  """Draws how often the first member gave which class, and hits by part."""
  counts, hits = part.subplots(1, 2)
  answer_N, truth_N = _shown(result)
  most = int(max(answer_N.max(), truth_N.max())) + 1
  edges = np.linspace(-0.5, most - 0.5, min(most, BINS) + 1)
  count_VxV, _, _ = np.histogram2d(answer_N, truth_N, (edges, edges))
  extent = (edges[0], edges[-1], edges[0], edges[-1])
  image = style.heat_map(counts, count_VxV, extent=extent, aspect="auto")
  part.colorbar(image, ax=counts).set_label("rows")
  counts.set(title="First member, select", xlabel="truth", ylabel="answer")
  rows = [row for row in result.measures if "accuracy" in row["measure"]]
  names = list(dict.fromkeys(row["part"] for row in rows))
  for number, measure in enumerate(("accuracy", "majority_accuracy")):
    value = [row["median"] for row in rows if row["measure"] == measure]
    label = measure.replace("_", " ")
    colour = style.colour(number)
    hits.plot(range(len(names)), value, "o", color=colour, label=label)
  hits.set_xticks(range(len(names)), names)
  hits.set(title="Accuracy", xlabel="part", ylabel="accuracy", ylim=(0, 1.05))
  hits.legend()
