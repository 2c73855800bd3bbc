"""The figure of `heads`: maps of single removals, joint removal, the null."""

import math

import numpy as np
from primelens.studies import plots_style as style

LINEAR = 1e-3  # nats: smaller effects are drawn on a linear scale
ANNOTATED = 64  # cells: more numbers than that cannot be read
TITLES = {
  "zero": "head output set to zero",
  "mean": "head output set to its mean",
  "residual_slice_as_published": "residual channels zeroed (as published)",
}


@style.styled
def figure(result):
  """Returns the figure: a map per mode on one scale, joint removal, null."""
  modes, _, layers, heads = result.delta_VxSxLxH.shape
  stacked = heads > 4
  rows, columns = (modes, 1) if stacked else (1, modes)
  maps_height = rows * (0.75 + 0.3 * layers) + (0 if stacked else 0.8)
  figure = style.new(maps_height + 3.7)
  top, bottom = style.parts(figure, [maps_height, 3.7])
  _maps(top, top.subplots(rows, columns, squeeze=False).ravel(), result)
  joint, null = bottom.subplots(1, 2)
  _joint(joint, result)
  _null(null, result)
  return figure


def _mode(row) -> str:
  return TITLES.get(row["mode"], row["mode"])


def _maps(figure, panels, result):
  """Draws the maps; the scale is the largest effect of all of them."""
  mean_VxLxH = np.asarray(result.delta_VxSxLxH, float).mean(1)
  most = max(float(np.abs(mean_VxLxH).max()), 1e-6)
  for v, axes in enumerate(panels):
    scale = {"vmin": -most, "vmax": most, "aspect": "auto"}
    image = style.diverging_map(axes, mean_VxLxH[v], origin="upper", **scale)
    _cells(axes, mean_VxLxH[v], most, _excludes_zero(result, v))
    axes.set_title(_mode(result.modes[v]), fontsize=9)
    layers, heads = mean_VxLxH[v].shape
    axes.set_xticks(range(heads), [f"H{h}" for h in range(heads)])
    axes.set_yticks(range(layers), [f"L{l}" for l in range(layers)])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
  bar = figure.colorbar(image, ax=list(panels), aspect=25, pad=0.01)
  bar.set_label("change (nats)")
  figure.suptitle(
    f"Change of the NLL when one head is removed ({style.NATS}; * interval excludes 0)",
    fontweight="bold",
    fontsize=10,
  )


def _excludes_zero(result, v):
  return (result.delta_low_VxLxH[v] > 0) | (result.delta_high_VxLxH[v] < 0)


def _cells(axes, value_LxH, most, star_LxH):
  if value_LxH.size > ANNOTATED:
    return
  for (l, h), value in np.ndenumerate(value_LxH):
    axes.text(
      h,
      l,
      f"{value:+.4f}{'*' if star_LxH[l, h] else ''}",
      ha="center",
      va="center",
      fontsize=8.5,
      color="white" if abs(value) > 0.6 * most else "black",
    )


def _joint(axes, result):
  """Draws what removing the least important heads together costs."""
  joint = range(len(result.joint_PxSxR))  # by zero and by mean: no slices
  for v, row in zip(joint, result.modes, strict=False):
    style.curves(
      axes,
      result.count_R,
      result.joint_PxSxR[v],
      colour=style.colour(v),
      label=_mode(row),
      low_R=result.joint_low_PxR[v],
      high_R=result.joint_high_PxR[v],
    )
  style.wide(axes, result.joint_high_PxR)
  axes.axhline(0, color="black", lw=0.8)
  axes.xaxis.set_major_locator(style.locator(9, integer=True))
  axes.set_xlabel("heads removed together, least important first")
  axes.set_ylabel(f"change of the NLL ({style.NATS})")
  axes.set_title("Joint removal (order chosen on select)")
  axes.legend(loc="upper left")


def _null(axes, result):
  """Draws every single effect beside those of untrained networks."""
  places, names = [], []
  jitter = np.random.default_rng(0)
  axes.set_xscale("symlog", linthresh=LINEAR)
  both = (result.delta_VxSxLxH, result.untrained_VxSxLxH)
  for v in range(len(result.modes)):
    for kind, effects in enumerate(both):
      place = -(3 * v + kind)
      value = np.asarray(effects[v], float).ravel()
      axes.plot(
        value,
        place + jitter.uniform(-0.3, 0.3, value.size),
        "o",
        ms=3.5,
        alpha=0.6,
        mew=0,
        color=style.GREY if kind else style.colour(v),
      )
      places.append(place)
      mode = result.modes[v]["mode"].removesuffix("_as_published")
      names.append(("untrained, " if kind else "") + mode.replace("_", " "))
  axes.set_yticks(places, names, fontsize=8.5)
  ticks = _decades(both)
  axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=8)
  axes.axvline(0, color="black", lw=0.8)
  axes.set_xlabel(f"change of the NLL (nats; linear within {LINEAR})")
  axes.set_title("Every head and seed, trained and untrained")


def _decades(effects) -> list[float]:
  """Returns 0 and the powers of ten that the effects reach, without those so
  near to 0 that their labels would touch."""
  most = max(float(np.nanmax(np.abs(effect))) for effect in effects)
  top = max(math.ceil(math.log10(max(most, LINEAR))), -2)
  first = -3 if top <= -2 else -2
  ticks = [10.0**power for power in range(first, top + 1)]
  return [-tick for tick in reversed(ticks)] + [0.0, *ticks]
