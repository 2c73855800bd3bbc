"""The figure of `kernels`: attention by distance."""

import numpy as np
from primelens.studies import plots_style as style

SHOWN = 6  # heads whose curves are told apart
_STRETCHED = "stretched exponential with linear term"


@style.styled
def figure(result):
  """Returns the figure: heads by distance, the published kernel, families."""
  figure = style.new(10.2)
  (index, unfolded), (kernel, parts), (families, flash) = figure.subplots(3, 2)
  _index(index, result)
  _unfolded(unfolded, result)
  _kernel(kernel, result)
  _parts(parts, result)
  _families(families, result)
  _flash(flash, result)
  return figure


def _shown(result) -> list[tuple[int, int]]:
  """Returns the heads of seed 0 whose scores vary most by distance."""
  spread_LxH = result.index_VxSxLxHxQ[0, 0].std(-1)
  order = np.argsort(-spread_LxH, axis=None)[:SHOWN]
  heads = spread_LxH.shape[1]
  return [(int(at) // heads, int(at) % heads) for at in order]


def _index(axes, result):
  most = max(1, (len(result.distance_Q) + 1) // 2)
  distance = result.distance_Q[:most]
  for number, (l, h) in enumerate(_shown(result)):
    cut = lambda curve, l=l, h=h: curve[0, l, h, :most]
    colour = style.colour(number)
    axes.plot(distance, cut(result.index_VxSxLxHxQ[0]), color=colour, lw=1.3, label=f"L{l}.H{h}")
    axes.fill_between(
      distance,
      cut(result.index_low_SxLxHxQ),
      cut(result.index_high_SxLxHxQ),
      color=colour,
      alpha=0.2,
      lw=0,
    )
  fresh = result.untrained_SxLxHxQ[0, ..., :most].reshape(-1, most)
  axes.plot(distance, fresh.T, color=style.GREY, lw=0.6, alpha=0.6)
  axes.plot([], [], color=style.GREY, lw=0.6, label="untrained, all heads")
  low, high = axes.get_ylim()
  axes.set_ylim(low, high + 0.4 * (high - low))  # room for the legend
  axes.set_title("Scores before the softmax,\ncentred by row (seed 0)")
  axes.set_xlabel("index distance d")
  axes.set_ylabel("mean score (no unit)")
  axes.legend(loc="upper right", ncols=2, fontsize=7.5)


def _unfolded(axes, result):
  for number, (l, h) in enumerate(_shown(result)):
    axes.plot(
      result.unfolded_K,
      result.unfolded_SxLxHxK[0, l, h],
      color=style.colour(number),
      lw=1.3,
      marker="o",
      ms=2.5,
    )
  fresh = result.untrained_unfolded_SxLxHxK[0]
  fresh = fresh.reshape(-1, fresh.shape[-1])
  axes.plot(result.unfolded_K, fresh.T, color=style.GREY, lw=0.6, alpha=0.6)
  axes.set_title("The same heads by unfolded distance")
  axes.set_xlabel("sum of the spacings between")
  axes.set_ylabel("mean score (no unit)")


def _kernel(axes, result):
  distance, (trained, untrained, uniform) = (result.kernel_distance_59, result.kernel_PxSx59)
  axes.fill_between(
    distance, result.kernel_low_59, result.kernel_high_59, color=style.BLUE, alpha=0.2, lw=0
  )
  for curves, colour, label in (
    (trained, style.BLUE, "trained"),
    (untrained, style.GREY, "untrained"),
    (uniform[:1], style.ORANGE, "uniform attention, 1 / (i + 1)"),
  ):
    said = [r2 for r2 in _r2(result, label.split(",")[0].split()[0])]
    text = f"{label}: R² {min(said):.3f}" if said else label
    axes.plot(distance, np.transpose(curves), color=colour, lw=1.3)
    axes.plot([], [], color=colour, lw=1.3, label=text)
  axes.set_title("Weights after the softmax, all layers\nand heads (as published)")
  axes.set_xlabel("sum of the spacings between (59 bins)")
  axes.set_ylabel("mean weight")
  axes.legend(loc="best", title="(a d + b) exp(-c √d) + e")


def _r2(result, network: str) -> list[float]:
  return [
    row["r2"] for row in result.fits if row["network"] == network and row["family"] == _STRETCHED
  ]


def _parts(axes, result):
  """Draws what remains of one head without content, and without positions."""
  most = max(1, (len(result.distance_Q) + 1) // 2)
  l, h = _shown(result)[0]
  for v, (name, colour) in enumerate(
    (("intact", "black"), ("positions alone", style.ORANGE), ("content alone", style.BLUE))
  ):
    axes.plot(
      result.distance_Q[:most],
      result.index_VxSxLxHxQ[v, 0, l, h, :most],
      color=colour,
      lw=1.4,
      label=name,
    )
  axes.set_title(f"L{l}.H{h}: positions and content apart")
  axes.set_xlabel("index distance d")
  axes.set_ylabel("mean score (no unit)")
  axes.legend(loc="best")


def _families(axes, result):
  """Draws how many heads each family wins by BIC, trained and untrained."""
  rows = result.heads
  names = list(dict.fromkeys(row["family"] for row in result.fits))
  names += [row["bic"] for row in rows if row["bic"] not in names]
  names = [name for name in dict.fromkeys(names) if "isotonic" not in name]
  place = np.arange(len(names))
  for shift, (network, colour) in enumerate((("trained", style.BLUE), ("untrained", style.GREY))):
    found = [row["bic"] for row in rows if row["network"] == network]
    count = [found.count(name) for name in names]
    axes.barh(place + 0.2 - 0.4 * shift, count, 0.38, color=colour, label=network)
  labels = [name.replace(" with", "\nwith") for name in names]
  axes.set_yticks(place, labels, fontsize=8)
  axes.invert_yaxis()
  axes.xaxis.set_major_locator(style.locator(6, integer=True))
  axes.set_xlabel("heads of all seeds")
  axes.set_title("Family chosen by BIC")
  axes.legend(loc="best")


def _flash(axes, result):
  """Draws the unmasked kernels over 1 / keys, which they average."""
  reach = min(16, len(result.distance_Q))
  near = result.unmasked_SxLxHxQ[..., :reach].reshape(-1, reach)
  distance = result.distance_Q[:reach]
  axes.plot(distance, near.T * result.keys, color=style.BLUE, lw=0.7, alpha=0.7)
  axes.axhline(1, color="black", lw=0.9, ls=":")
  axes.set_ylim(0, max(2.0, 1.1 * float(np.max(near)) * result.keys))
  axes.set_title("Softmax over all keys, no mask\n(as published)")
  axes.set_xlabel("index distance d")
  axes.set_ylabel(f"weight over 1 / {result.keys}")
