"""Figure of single neurons: correlations, maps, copies, what fits them."""

import numpy as np
from matplotlib import figure as mpl_figure
from primelens.studies import plots_style as style

_LEVELS_R = np.linspace(0, 1, 101)
_BINS = np.linspace(0, 1, 41)
_SHOWN = 12  # blocks, merged units
_ROW, _RANKED = 5, 100  # the row of W_L drawn, and of how many neurons (A28)


@style.styled
def figure(result) -> mpl_figure.Figure:
  """Returns, from above: neurons by correlation; maps of h and z of the three
  most correlated and the busiest; copies and changes; fits and weights."""
  figure = style.new(10.4)
  upper, middle, lower = style.parts(figure, (2.5, 3.1, 4.8))
  axes = upper.subplots(1, 3, width_ratios=(1.1, 1, 1))
  _correlations(axes[0], result)
  _activations(upper, axes[1], result)
  _readout(upper, axes[2], result)
  _maps(middle, result)
  axes = lower.subplots(2, 3)
  _sizes(axes[0, 0], result)
  _merged(axes[0, 1], result)
  _changes(axes[0, 2], result)
  _fits(axes[1, 0], result)
  _change_fits(axes[1, 1], result)
  _row(axes[1, 2], result)
  return figure


def _lines(ax, x_R, y_SxR, *, colour, label=None, **kw) -> None:
  """Seeds thin, their median thick, without marks: many points."""
  y_SxR = np.asarray(y_SxR, float)
  if len(y_SxR) > 1:
    ax.plot(x_R, y_SxR.T, color=colour, lw=0.5, alpha=0.5, **kw)
  middle_R = np.median(y_SxR, axis=0)
  ax.plot(x_R, middle_R, color=colour, lw=1.8, label=label, **kw)


def _order(result) -> np.ndarray:
  """The neurons of the member drawn, by rising correlation."""
  return np.argsort(np.asarray(result.r_SxF)[result.member], kind="stable")


def _correlations(ax, result) -> None:
  at_F = np.arange(np.shape(result.r_SxF)[1])
  for name, r_SxF, colour in (
    ("untrained", result.untrained_r_SxF, style.GREY),
    ("trained", result.r_SxF, style.BLUE),
  ):
    _lines(ax, at_F, np.sort(r_SxF, axis=1), colour=colour, label=name)
  for level in (-0.9, 0.9):
    ax.axhline(level, color=style.ORANGE, lw=0.8, ls="--")
  ax.set(title="Correlation with a + b", xlabel="neuron, sorted", ylabel="r", ylim=(-1.03, 1.03))
  ax.legend(loc="lower right")


def _bar(part, ax, image) -> None:
  part.colorbar(image, ax=ax, pad=0.02, aspect=25).ax.tick_params(labelsize=7.5)


def _activations(part, ax, result) -> None:
  """Inputs by sum, neurons by r; the scale ends at the 98th percentile."""
  row_N = np.argsort(np.asarray(result.sum_N), kind="stable")
  post_NxF = np.asarray(result.post_NxF)[row_N][:, _order(result)]
  high = max(np.percentile(post_NxF, 98), 1e-6)
  image = style.heat_map(ax, post_NxF, vmin=0, vmax=high, aspect="auto")
  _bar(part, ax, image)
  sum_N = np.asarray(result.sum_N)[row_N]
  value_V = np.unique(sum_N)[:: max(1, len(np.unique(sum_N)) // 6)]
  ax.set_yticks(np.searchsorted(sum_N, value_V), [f"{v:g}" for v in value_V])
  ax.set(title="h", xlabel="neuron, by r", ylabel="input, by a + b")


def _readout(part, ax, result) -> None:
  readout_VxF = np.asarray(result.readout_VxF)[:, _order(result)]
  high = max(np.percentile(np.abs(readout_VxF), 98), 1e-6)
  scale = {"vmin": -high, "vmax": high, "aspect": "auto"}
  _bar(part, ax, style.diverging_map(ax, readout_VxF, **scale))
  ax.set(title="$W_L$", xlabel="neuron, by r", ylabel="logit")


def _maps(part, result) -> None:
  """h above (from 0), z below (centred at 0); b across, a upward."""
  member = result.member
  neurons = [*result.top_Sx3[member], result.busiest_S[member]]
  digits = int(np.sqrt(len(result.sum_N)))
  axes = part.subplots(2, 4)
  for column, neuron in enumerate(map(int, neurons)):
    words = "most |r|" if column < 3 else "busiest"
    r = result.r_SxF[member][neuron]
    axes[0, column].set_title(f"{neuron}: {words}, r = {r:.2f}", fontsize=9)
    for row, (name, value_NxF) in enumerate((("h", result.post_NxF), ("z", result.pre_NxF))):
      ax = axes[row, column]
      value = np.asarray(value_NxF)[:, neuron].reshape(digits, digits)
      draw = style.diverging_map if row else style.heat_map
      low = {} if row else {"vmin": 0}
      _bar(part, ax, draw(ax, value, aspect="auto", **low))
      ax.yaxis.set_major_locator(style.locator(5, integer=True))
      ax.xaxis.set_major_locator(style.locator(5, integer=True))
      ax.tick_params(labelbottom=row == 1)
      if row:
        ax.set_xlabel("b")
      if not column:
        ax.set_ylabel(f"{name}: a")


def _sizes(ax, result) -> None:
  size_SxE = np.asarray(result.size_SxE)[:, :_SHOWN]
  at_E = np.arange(1, size_SxE.shape[1] + 1)
  style.curves(ax, at_E, size_SxE, colour=style.BLUE, label="neurons")
  ax.set(title="Copies (cos > .99)", xlabel="block, by size", ylabel="neurons")
  ax.xaxis.set_major_locator(style.locator(6, integer=True))
  ax.set_yscale("log")
  ax.yaxis.set_major_formatter("{x:g}")


def _merged(ax, result) -> None:
  for name, value_SxR, colour in (
    ("untrained", result.untrained_same_SxR, style.GREY),
    ("trained", result.merged_same_SxR, style.BLUE),
  ):
    value_SxR = np.asarray(value_SxR)[:, : _SHOWN + 4]
    at_R = np.arange(1, value_SxR.shape[1] + 1)
    style.curves(ax, at_R, value_SxR, colour=colour, label=name)
  ax.set(title="Blocks as units", xlabel="units kept", ylabel="same prediction", ylim=(-0.03, 1.05))
  ax.legend(loc="center right")


def _fits(ax, result) -> None:
  """R2 on a + b: what the ReLU costs, in full and with PC1 alone."""
  for row, name, dash in (
    (0, "z, PC1 alone", style.DASHES[2]),
    (1, "h, PC1 alone", style.DASHES[2]),
    (2, "z", style.DASHES[0]),
    (3, "h", style.DASHES[0]),
  ):
    r2_SxF = np.asarray(result.sum_r2_Sx4xF)[:, row]
    above_SxR = (r2_SxF[:, :, None] > _LEVELS_R).sum(1)  # NaN is above none
    colour = (style.BLUE, style.ORANGE)[row % 2]
    _lines(ax, _LEVELS_R, above_SxR, colour=colour, label=name, ls=dash)
  ax.axvline(0.9, color=style.GREY, lw=0.8, ls=":")
  ax.set(title="Fits on a + b", xlabel="R² of at least", ylabel="neurons")
  ax.legend(
    loc="lower left",
    fontsize=7.5,
    handlelength=1.6,
    frameon=True,
    framealpha=0.85,
    edgecolor="none",
  )


def _change_fits(ax, result) -> None:
  """R2 of the change of z on PC2 (A34), all members; below 0 in the first."""
  for row, name in enumerate(("linear", "quadratic")):
    r2 = np.asarray(result.change_r2_Sx2xF, float)[:, row].ravel()
    known = np.clip(r2[np.isfinite(r2)], 0, 1)
    colour = (style.BLUE, style.ORANGE)[row]
    ax.hist(known, _BINS, histtype="step", lw=1.5, color=colour, label=name)
  ax.set(title="Change of z on PC2", xlabel="R²", ylabel="neurons, all members")
  ax.legend(loc="upper left")


def _row(ax, result) -> None:
  """Weights of one logit from the neurons most correlated with a + b (A28)."""
  r_F = np.asarray(result.r_SxF)[result.member]
  ranked = np.argsort(-np.abs(r_F), kind="stable")[:_RANKED]
  row = min(_ROW, len(result.readout_VxF) - 1)
  weight = np.asarray(result.readout_VxF)[row, ranked]
  ax.hist(weight, 25, color=style.BLUE)
  ax.axvline(0, color=style.GREY, lw=0.8, ls=":")
  ax.set(
    title=f"$W_L$, logit {row}", xlabel="weight", ylabel=f"neurons, {len(ranked)} with most |r|"
  )


def _changes(ax, result) -> None:
  change_F = np.asarray(result.change_Sx2x3xF)[result.member, 1, 0]
  order_F = _order(result)
  r_F = np.asarray(result.r_SxF)[result.member][order_F]
  for positive, colour in ((True, style.BLUE), (False, style.ORANGE)):
    at_F = np.flatnonzero((r_F >= 0) == positive)
    ax.vlines(at_F, 0, change_F[order_F][at_F], color=colour, lw=0.5)
  ax.set(title="h less h of PC1 alone", xlabel="neuron, by r", ylabel="mean, failing inputs")
