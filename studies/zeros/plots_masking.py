"""The figure of `masking`: masks of each size, beside their controls."""

import numpy as np
from primelens.studies import plots_style as style

ZOOM = 0.1  # nats: the size of every published masking effect


@style.styled
def figure(result):
  """Returns the figure: NLL by ratio, the change at close range, survival."""
  tensors = len(result.tensors)
  upper, lower = 4.0, 0.9 + 0.26 * tensors
  figure = style.new(upper + lower)
  top, bottom = style.parts(figure, [upper, lower])
  full, zoom = top.subplots(1, 2)
  _full(full, result)
  _zoom(zoom, result)
  lines = full.get_legend_handles_labels()
  top.legend(*lines, loc="outside lower center", ncols=3)
  _survival(bottom.subplots(), result)
  return figure


def _names(result) -> list[str]:
  titles = {
    "magnitude": "magnitude, global (as published)",
    "per tensor": "magnitude, per tensor",
    "random": "random, same size",
    "noise": "noise, same norm",
    "recalibrated": "magnitude + recalibration",
  }
  return [titles.get(row["variant"], row["variant"]) for row in result.variants]


def _full(axes, result):
  for v, name in enumerate(_names(result)):
    style.curves(axes, result.ratio_R, result.nll_VxSxR[v], colour=style.colour(v), label=name)
  style.wide(axes, result.nll_VxSxR, linear=2)
  axes.set_xlabel("fraction of weights removed")
  axes.set_ylabel(f"NLL ({style.NATS})")
  axes.set_title("Full range (thin: seeds; thick: median)")


def _zoom(axes, result):
  """Draws the paired change near 0; what lies far above it is cut off."""
  for v in range(len(result.variants)):
    axes.plot(
      result.ratio_R, result.delta_VxR[v], color=style.colour(v), lw=1.8, marker="o", ms=3.5
    )
    axes.fill_between(
      result.ratio_R,
      result.delta_low_VxR[v],
      result.delta_high_VxR[v],
      color=style.colour(v),
      alpha=0.16,
      lw=0,
    )
  axes.axhline(0, color="black", lw=0.8)
  gain = -float(np.nanmin(result.delta_VxR))
  zoom = round(max(ZOOM, 1.25 * gain), 2)  # never hides an improvement
  axes.set_ylim(-zoom, zoom)
  axes.set_xlabel("fraction of weights removed")
  axes.set_ylabel(f"change from intact ({style.NATS})")
  axes.set_title(f"Close up: within {zoom:g} nats (bands: 95 %)")


def _survival(axes, result):
  """Draws what each tensor keeps under the global mask."""
  kept_ExR = np.asarray(result.survival_ExR, float)
  table = {"colours": "cividis", "origin": "upper", "aspect": "auto"}
  image = style.heat_map(axes, kept_ExR, vmin=0, vmax=1, **table)
  names = [f"{row['tensor']} ({row['size']:,})" for row in result.tensors]
  axes.set_yticks(range(len(names)), names, fontsize=8)
  ratios = [f"{ratio:g}" for ratio in result.ratio_R]
  axes.set_xticks(range(len(ratios)), ratios)
  for (e, r), kept in np.ndenumerate(kept_ExR):
    axes.text(
      r,
      e,
      f"{kept:.2f}",
      ha="center",
      va="center",
      fontsize=7.5,
      color="black" if kept > 0.55 else "white",
    )
  axes.set_xlabel("fraction of weights removed (global magnitude mask)")
  axes.set_title("Fraction of each tensor that survives (size in brackets)")
  axes.figure.colorbar(image, ax=axes, pad=0.01, aspect=30)
