"""The figure of `perplexity`: predictors on one scale, and the leak."""

import numpy as np
from primelens.studies import plots_style as style


@style.styled
def figure(result):
  """Returns the figure: perplexities beside the floor, and the leak."""
  figure = style.new(4.6)
  predictors, leak = figure.subplots(1, 2, width_ratios=(1.5, 1))
  _predictors(predictors, result)
  _leak(leak, result)
  return figure


def _predictors(axes, result):
  rows = sorted(result.table, key=lambda row: -row["nll_nats"])
  at = np.arange(len(rows))
  column = lambda key: [row[key] for row in rows]
  style.whiskers(axes, column("nll_nats"), column("low"), column("high"), at, colour=style.BLUE)
  axes.set_yticks(at, [f"{row['predictor']}  {row['perplexity']:.1f}" for row in rows])
  axes.set_title("Perplexity (left) as an NLL (95 %)")
  axes.set_xlabel(f"NLL ({style.NATS})")


def _leak(axes, result):
  style.curves(
    axes,
    result.position_P,
    result.leak_SxP,
    colour=style.ORANGE,
    label=result.variant.replace("_", " "),
    low_R=result.leak_low_P,
    high_R=result.leak_high_P,
  )
  axes.axhline(0, color="black", lw=0.8)
  low, high = axes.get_ylim()  # rounding is no leak
  axes.set_ylim(min(low, -0.01), max(high, 0.01))
  axes.set_title("What later spacings\ngive away")
  axes.set_xlabel("spacings before it")
  axes.set_ylabel(f"change of NLL, cut off ({style.NATS})")
  axes.legend(loc="best")
