"""The figure of `formula`: fronts of formulas, and the constant c by lags."""

import math
import re

import numpy as np
from primelens.studies import plots_style as style

SUM = re.compile(r"c / sum of (\d+) lags?")


@style.styled
def figure(result):
  """Returns the figure: fronts with their null, c against k, c at k = 3."""
  figure = style.new(7.6)
  top, bottom = style.parts(figure, [1.1, 1])
  colours = _colours(result)
  _fronts(top.subplots(), result, colours)
  against, three = bottom.subplots(1, 2)
  table = constants(result)
  _against(against, table, colours)
  _three(three, table, colours)
  return figure


def constants(result) -> dict[str, dict[int, dict]]:
  """Returns the records of the family c / (sum of k lags), by target and k."""
  table: dict[str, dict[int, dict]] = {}
  for row in result.closed:
    match = SUM.fullmatch(row["family"])
    if match:
      table.setdefault(row["target"], {})[int(match[1])] = row
  return table


def _colours(result) -> dict[str, str]:
  """Returns a colour per target; all seeds of the model share one."""
  names = dict.fromkeys(row["target"] for row in result.closed + result.front)
  fixed = {"truth": "black", "CUE": style.GREEN, "shuffled": style.ORANGE}
  others = iter(style.COLOURS[3:] * len(names))
  return {
    name: style.BLUE if name.startswith("model") else fixed.get(name) or next(others)
    for name in names
  }


def _fronts(axes, result, colours):
  groups: dict[tuple[str, bool], list[dict]] = {}
  for row in result.front:
    groups.setdefault((row["target"], bool(row["null"])), []).append(row)
  if not groups:
    style.note(axes, "no symbolic regression in this result")
    return
  for (target, null), rows in groups.items():
    rows = sorted(rows, key=lambda row: row["complexity"])
    axes.step(
      [row["complexity"] for row in rows],
      [row["test_mse"] for row in rows],
      where="post",
      color=colours[target],
      ls=style.DASHES[2] if null else "-",
      lw=1.2 if null else 1.8,
      marker="x" if null else "o",
      ms=4,
      label=f"{target}, permuted (null)" if null else target,
    )
  loss = [row["test_mse"] for row in result.front]
  least, most = np.nanquantile(loss, (0, 0.9))
  axes.set_ylim(0.9 * least, 1.15 * most + 1e-9)  # some formulas fail badly
  axes.set_xlabel("complexity (nodes, weighted)")
  axes.set_ylabel("squared error, held out (spacings²)")
  axes.xaxis.set_major_locator(style.locator(12, integer=True))
  backends = ", ".join(dict.fromkeys(row["backend"] for row in result.front))
  axes.set_title(f"Symbolic regression: Pareto fronts ({backends})")
  axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def _against(axes, table, colours):
  """Draws c by number of lags, between the lines c = k and c = pi."""
  if not table:
    style.note(axes, "no family c / (sum of k lags)")
    return
  for number, (target, by_lag) in enumerate(table.items()):
    lag = np.array(sorted(by_lag))
    c, low, high = (_column(by_lag, lag, key) for key in _INTERVAL)
    shift = 0.07 * (number - (len(table) - 1) / 2)
    style.whiskers(
      axes,
      c,
      low,
      high,
      lag + shift,
      colour=colours[target],
      vertical=True,
      ms=3,
      lw=1,
      capsize=0,
      label=_shared_label(target),
    )
  axes.plot([1, lag.max()], [1, lag.max()], color=style.GREY, lw=0.9, ls=":")
  axes.axhline(math.pi, color=style.PURPLE, lw=1)
  axes.annotate(
    "π",
    (1, math.pi),
    xycoords=("axes fraction", "data"),
    ha="right",
    va="bottom",
    color=style.PURPLE,
  )
  axes.set_xlabel("number of lags k (dotted: c = k; blue: model and its seeds)")
  axes.set_ylabel("c in c / (s₁ + … + s_k)")
  axes.set_title("The constant follows k")
  axes.legend(loc="upper left")


_INTERVAL = ("c", "low", "high")


def _shared_label(target: str) -> str | None:
  """Returns the legend's text: one for all seeds, which share a colour."""
  return None if target.startswith("model seed") else target


def _column(by_lag, lags, key):
  return np.array([by_lag[lag][key] for lag in lags], float)


def _three(axes, table, colours):
  """Draws c of three lags for every target, beside pi and 3."""
  rows = {name: by_lag[3] for name, by_lag in table.items() if 3 in by_lag}
  if not rows:
    style.note(axes, "no family c / (sum of 3 lags)")
    return
  for place, (target, row) in enumerate(rows.items()):
    c, low, high = ([row[key]] for key in _INTERVAL)
    style.whiskers(axes, c, low, high, [-place], colour=colours[target])
  axes.set_yticks([-place for place in range(len(rows))], list(rows))
  axes.set_ylim(0.6 - len(rows), 0.6)
  for value, text in ((3, "3"), (math.pi, "π")):
    axes.axvline(value, color=style.PURPLE, lw=1, ls="-" if text == "π" else ":")
    axes.annotate(
      text,
      (value, 1),
      xycoords=("data", "axes fraction"),
      xytext=(3, -2),
      textcoords="offset points",
      va="top",
      color=style.PURPLE,
    )
  axes.set_xlabel("c in c / (s₁ + s₂ + s₃)  (bars: 95 %)")
  axes.set_title("Three lags: is the constant π?")
