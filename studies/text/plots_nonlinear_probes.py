"""Figure of nonlinear probes: what each reads from what, and digit sums."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style

LEAST = -0.25  # lower scores are drawn there
WORDS = {
  "states": "states",
  "untrained": "states, untrained",
  "shuffled": "states, permuted labels",
  "digits": "digits, no network",
  "(x, y)": "(x, y), no network",
  "x + y": "x + y, no network",
}
COLOURS = dict(zip(WORDS, style.COLOURS, strict=False)) | {"untrained": style.GREY}


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns a row of panels per target, fresh pairs beside the published
  protocol, and below them the digit sums."""
  targets = list(dict.fromkeys(row["target"] for row in result.probes))
  figure = style.new(3.1 * len(targets) + 3.7)
  *upper, lower = style.parts(figure, (3.6, *[3.1] * (len(targets) - 1), 3.2))
  for part, target in zip(upper, targets, strict=True):
    panels = part.subplots(1, 2, sharey=True)
    for ax, rows, title in (
      (panels[0], result.probes, "fresh pairs"),
      (panels[1], result.probes_as_published, "as published"),
    ):
      _probes(ax, [row for row in rows if row["target"] == target])
      ax.set_title(f"Probes of {target}, {title}")
  _legend(upper[0], panels[0])
  ax = lower.subplots()
  _digits(ax, result)
  _legend(lower, ax)
  return figure


def _legend(part, ax) -> None:
  """Writes every label of a panel once, below its part of the figure."""
  handles, labels = ax.get_legend_handles_labels()
  found = dict(zip(labels, handles, strict=True))
  place = {"loc": "outside lower center", "ncols": 4}
  part.legend(found.values(), found.keys(), fontsize=7.5, **place)


def _networks(ax, at, row, colour, **kw) -> None:
  """Draws every network's score as a dot and their median as a bar."""
  value_S = np.maximum(np.asarray(row["values"], float), LEAST)
  ax.plot(np.full(len(value_S), at), value_S, "o", ms=3, color=colour, **kw)
  median = np.median(value_S)
  ax.hlines(median, at - 0.06, at + 0.06, color=colour, lw=1.8)


def _probes(ax, rows) -> None:
  probes = list(dict.fromkeys(row["probe"] for row in rows))
  for number, (reads, words) in enumerate(WORDS.items()):
    shift = (number - (len(WORDS) - 1) / 2) * 0.13
    for row in rows:
      if row["reads"] == reads:
        at = probes.index(row["probe"]) + shift
        _networks(ax, at, row, COLOURS[reads], alpha=0.7, label=words)
  constant = rows[0]["constant"]
  ax.axhline(constant, color="black", lw=0.8, ls="--", label="a constant")
  ax.set_xticks(range(len(probes)), probes)
  accuracy = rows[0]["measure"] == "accuracy"
  ax.set(xlabel="probe", ylabel="accuracy" if accuracy else "R²")
  most = max(0.02, *(max(row["values"]) for row in rows))
  if not accuracy:
    ax.set_ylim(LEAST - 0.05, 1.05)
  else:
    ax.set_ylim(-0.02 * most, 1.1 * max(most, constant))


def _digits(ax, result) -> None:
  rows = result.digit_sums
  targets = list(dict.fromkeys(row["target"] for row in rows))
  kinds = (("fresh pairs", "full"), ("folds", "none"))
  count = 0
  for reads in ("states", "untrained", "digits"):
    for name, filled in kinds:
      label = f"{WORDS[reads]}, {name}"
      for row in rows:
        if (row["reads"], row["rows"]) == (reads, name):
          at = targets.index(row["target"]) + (count - 2.5) * 0.13
          kw = {"fillstyle": filled, "label": label, "alpha": 0.7}
          _networks(ax, at, row, COLOURS[reads], **kw)
      count += 1
  ax.axhline(0, color="black", lw=0.8)
  ax.set_xticks(range(len(targets)), targets)
  ax.set(
    title=f"Digit sums; u = {result.weights}",
    xlabel="regressed",
    ylabel="R²",
    ylim=(LEAST - 0.05, 1.05),
  )
