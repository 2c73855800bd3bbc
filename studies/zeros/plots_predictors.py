"""The figure of `predictors`: what each explains, of truth and network."""

import numpy as np
from primelens.studies import plots_style as style


@style.styled
def figure(result):
  """Returns the figure: R² of the truth, NLL, R² of the network's mean."""
  figure = style.new(1.4 + 0.32 * len(result.table))
  truth, loss, model = figure.subplots(1, 3, sharey=True)
  rows = sorted(result.table, key=lambda row: row["r2"])
  _bars(truth, rows, "r2", ("r2_low", "r2_high"))
  truth.plot(
    [row["r2_on_cue"] for row in rows],
    range(len(rows)),
    "|",
    color="black",
    ms=9,
    label="the same on CUE",
  )
  truth.set_yticks(range(len(rows)), [_name(row) for row in rows])
  truth.set_xlabel("R² of the true spacings")
  truth.set_title("Of the truth")
  truth.legend(loc="lower right")
  _bars(loss, rows, "nll_nats", ("low", "high"))
  loss.set_xlabel(f"NLL ({style.NATS})")
  loss.set_title("Likelihood")
  _bars(model, rows, "explains", ("explains_low", "explains_high"))
  model.plot(
    [row["explains_untrained"] for row in rows],
    range(len(rows)),
    "|",
    color=style.ORANGE,
    ms=9,
    label="of an untrained network",
  )
  model.set_xlabel("R² of the network's mean")
  model.set_title("Of the network")
  model.legend(loc="lower right")
  return figure


def _name(row) -> str:
  return row["name"].replace(", least squares, W=", "\nlast ")


def _bars(axes, rows, key: str, ends):
  """Draws values with intervals; a network's own rows stand out."""
  for place, row in enumerate(rows):
    value, low, high = (row[name] for name in (key, *ends))
    if np.isfinite(value):
      network = "network" in row["name"] or row["name"].startswith("model")
      colour = style.ORANGE if network else style.BLUE
      style.whiskers(axes, [value], [low], [high], [place], colour=colour)
  axes.axvline(0, color="black", lw=0.8)
