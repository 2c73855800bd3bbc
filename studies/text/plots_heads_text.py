"""Figure of the heads: what they read, and what their outputs do."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style

MAPS = 4  # heads whose attention is drawn


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns the last layer's attention on one prompt; attention on operands
  and causal effects of every head; and the classes read by every role."""
  figure = style.new(9.6)
  upper, middle, lower = style.parts(figure, (2.8, 3.4, 3.4))
  _maps(upper, result)
  copy, delta, path = middle.subplots(1, 3)
  _copy(copy, result)
  names = ("everywhere", "at the last character")
  _effect(delta, result.delta_PxSxLxH, names)
  unit = "nats" if result.unit == "nll_nats" else "raw squared error"
  delta.set_title("A head says its mean")
  delta.set_xlabel(f"change of the loss ({unit})")
  null_PxRxLxH = result.untrained_path_PxRxLxH
  _effect(path, result.path_PxSxLxH, ("all paths", "direct path"), null_PxRxLxH)
  path.set_title("A head says a donor's")
  path.set_xlabel("share of the way to its answer")
  _sweeps(lower, result)
  return figure


def _maps(part, result) -> None:
  """Draws the last layer's attention on the prompt, head by head."""
  length = len(result.line)
  pattern_HxTxT = np.asarray(result.pattern_LxHxTxT, float)[-1]
  pattern_HxTxT = pattern_HxTxT[:MAPS, :length, :length]
  panels = part.subplots(1, len(pattern_HxTxT), squeeze=False).ravel()
  for h, ax in enumerate(panels):
    image = style.heat_map(ax, pattern_HxTxT[h], origin="upper", vmin=0, vmax=pattern_HxTxT.max())
    names = [character.replace(" ", "·") for character in result.line]
    size = 8 if length <= 15 else 6
    ax.set_xticks(range(length), names, fontsize=size)
    ax.set_yticks(range(length), names, fontsize=size)
    ax.set_title(f"Last layer, head {h}")
    ax.set_xlabel("key")
  panels[0].set_ylabel("query")
  bar = part.colorbar(image, ax=list(panels), aspect=14, shrink=0.8)
  bar.set_label("attention")


def _names(layers: int, heads: int) -> list[str]:
  return [f"L{l} H{h}" for l in range(layers) for h in range(heads)]


def _flat(value_SxLxH) -> np.ndarray:
  value_SxLxH = np.asarray(value_SxLxH, float)
  return value_SxLxH.reshape(len(value_SxLxH), -1)


def _rows(ax, shape) -> np.ndarray:
  """Gives every head a row, the first one above and the legend below the last,
  and returns their places."""
  names = _names(*shape)
  at_R = -np.arange(len(names))
  ax.set_yticks(at_R, names, fontsize=8 if len(names) <= 12 else 6)
  ax.set_ylim(-1.3 * len(names) - 0.7, 0.7)
  return at_R


def _copy(ax, result) -> None:
  """Draws attention on both operands, members and untrained networks."""
  names = [row["class"] for row in result.classes]
  x, y = names.index("x"), names.index("y")
  for mass, colour, label, shift in (
    (result.untrained_mass_RxLxHxV, style.GREY, "untrained", -0.2),
    (result.mass_SxLxHxV, style.BLUE, "trained", 0.2),
  ):
    mass = np.asarray(mass, float)
    copy_SxR = _flat(mass[..., x] + mass[..., y])
    at_R = _rows(ax, mass.shape[1:3]) + shift
    for s, copy_R in enumerate(copy_SxR):
      ax.plot(copy_R, at_R, "o", ms=3.5, alpha=0.7, color=colour, label="" if s else label)
  level = float(result.uniform_V[x] + result.uniform_V[y])
  ax.axvline(level, color="black", lw=0.9, ls="--", label="uniform")
  ax.set(title="Attention on the operands", xlabel="x + y, from the last character", xlim=(0, 1))
  ax.legend(loc="lower center")


def _effect(ax, value_PxSxLxH, names, untrained_PxRxLxH=None) -> None:
  """Draws two effects of every head: members as points, the median larger,
  the first effect of untrained networks in grey."""
  value_PxSxLxH = np.asarray(value_PxSxLxH, float)
  at_R = _rows(ax, value_PxSxLxH.shape[2:])
  if untrained_PxRxLxH is not None:
    for r, value_R in enumerate(_flat(untrained_PxRxLxH[0])):
      label = "" if r else "untrained"
      ax.plot(value_R, at_R, "|", ms=6, color=style.GREY, label=label)
  for p, name in enumerate(names):
    value_SxR, shift = _flat(value_PxSxLxH[p]), 0.15 - 0.3 * p
    colour = style.colour(p)
    for value_R in value_SxR if len(value_SxR) > 1 else ():
      ax.plot(value_R, at_R + shift, "o", ms=2, color=colour, alpha=0.5)
    median_R = np.median(value_SxR, 0)
    ax.plot(median_R, at_R + shift, "o", ms=5, color=colour, label=name)
  ax.axvline(0, color="black", lw=0.8)
  ax.xaxis.set_major_locator(style.locator(5))
  ax.legend(loc="lower center")


def _sweeps(part, result) -> None:
  """Draws the classes read by the queries of every role, layer by layer."""
  mean_LxExV = np.asarray(result.sweep_SxLxExV, float).mean(0)
  there_E = np.isfinite(mean_LxExV).all((0, 2))
  shown = [v for v, share in enumerate(result.uniform_V) if share > 0]
  roles = [result.roles[e]["role"] for e in np.flatnonzero(there_E)]
  most = np.nanmax(mean_LxExV)
  panels = part.subplots(1, len(shown), squeeze=False).ravel()
  for ax, v in zip(panels, shown, strict=True):
    value_ExL = mean_LxExV[:, there_E, v].T
    image = style.heat_map(ax, value_ExL, origin="upper", vmin=0, vmax=most, aspect="auto")
    ax.set_yticks(range(len(roles)), roles, fontsize=8)
    ax.set_xticks(range(value_ExL.shape[1]))
    ax.set(title=f"On {result.classes[v]['class']}", xlabel="layer")
    if ax is not panels[0]:
      ax.set_yticklabels([])
  panels[0].set_ylabel("query")
  bar = part.colorbar(image, ax=list(panels), aspect=18)
  bar.set_label("attention, mean of heads")
