"""Figure of the spectra of published weights, by layer and role."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style

MOST = 6  # spectra drawn


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns effective rank, outliers and max/mean of every matrix by layer,
  beside noise of its shape, and a few spectra beside the edge of noise."""
  figure = style.new(8.4)
  first, last = style.parts(figure, (1, 1))
  rank, outliers = first.subplots(1, 2)
  ratio, spectra = last.subplots(1, 2)
  over = lambda record: record["effective_rank"] / record["effective_rank_null"]
  above = lambda record: record["max_to_mean"] / record["max_to_mean_null"]
  _by_layer(rank, result.matrices, over)
  rank.axhline(1, color="black", lw=0.8)
  rank.set(title="Effective rank exp H(s), over noise's", ylabel="1 = noise")
  _by_layer(outliers, result.matrices, lambda record: record["outliers"])
  outliers.set_yscale("symlog", linthresh=1)
  outliers.set_ylim(bottom=-0.3)
  outliers.yaxis.set_major_formatter("{x:g}")
  outliers.set(title="Singular values above noise", ylabel="outliers")
  _by_layer(ratio, result.matrices, above)
  ratio.axhline(1, color="black", lw=0.8)
  ratio.set_yscale("log")
  ratio.set(title="Max / mean, over noise's", ylabel="1 = noise")
  _spectra(spectra, result)
  handles, labels = rank.get_legend_handles_labels()
  figure.legend(handles, labels, loc="outside lower center", ncols=8)
  figure.suptitle(f"{_short(result.weights, 80)} ({result.mode})")
  return figure


def _by_layer(ax, records, value) -> None:
  """Draws a line per role; matrices outside the layers stand left of them."""
  layered = sorted({r["layer"] for r in records} - {None})
  left = min(layered, default=1) - 1.5
  roles = list(dict.fromkeys(record["role"] for record in records))
  for number, role in enumerate(roles):
    its = [record for record in records if record["role"] == role]
    x_E = [left if r["layer"] is None else r["layer"] for r in its]
    y_E = [value(record) for record in its]
    ax.plot(
      x_E,
      y_E,
      color=style.colour(number),
      ls="" if None in [r["layer"] for r in its] else "-",
      lw=1.1,
      marker="osD^"[number // len(style.COLOURS) % 4],
      ms=3.5,
      label=role,
    )
  shown = layered[:: 1 + len(layered) // 10]
  ax.set_xticks([left, *shown], ["none", *map(str, shown)])
  ax.set_xlabel("layer")


def _spectra(ax, result) -> None:
  """Draws spectra from the lowest to the highest effective rank over noise's,
  in units of the edge of noise."""
  over_E = np.array([r["effective_rank"] / r["effective_rank_null"] for r in result.matrices])
  count = min(MOST, len(over_E))
  chosen = np.argsort(over_E)[np.linspace(0, len(over_E) - 1, count).astype(int)]
  for number, e in enumerate(chosen):
    value_K = np.asarray(result.singular_ExK[e], float)
    edge = result.matrices[e]["edge"] or np.nan  # 0 of half a rank or less
    value_K = value_K[np.isfinite(value_K)] / edge
    ax.plot(
      np.linspace(0, 1, len(value_K)),
      np.where(value_K > 1e-6, value_K, np.nan),
      color=style.colour(number),
      lw=1.2,
      label=_short(result.matrices[e]["tensor"]),
    )
  ax.axhline(1, color="black", lw=0.8, ls="--")
  ax.set_yscale("log")
  ax.set(
    title="From the lowest rank over noise's to the highest",
    xlabel="share of the singular values",
    ylabel="s / edge of noise",
  )
  ax.legend(fontsize=6.5)


def _short(name: str, most: int = 36) -> str:
  """Returns the end of a name as a label; a dollar sign in it is no formula."""
  end = name if len(name) <= most else "…" + name[1 - most :]
  return end.replace("$", r"\$")
