"""The figure of `form_factor`: rigidity beside twins, and the peak at 1."""

import numpy as np
from primelens.studies import plots_style as style

_COLOURS = {
  "test": "black",
  "CUE": style.BLUE,
  "renewal": style.AMBER,
  "Poisson": style.GREY,
  "shuffled": style.ORANGE,
}
_AVERAGED = 4  # neighbouring tau, in the curves drawn


@style.styled
def figure(result):
  """Returns the figure: form factor, number variance, the peak, its jitter."""
  figure = style.new(7.4)
  (curves, counts), (peak, jitter) = figure.subplots(2, 2)
  _curves(curves, result)
  _counts(counts, result)
  _peak(peak, result)
  _jitter(jitter, result)
  return figure


def _names(result) -> list[str]:
  return [row["sequence"] for row in result.sequences]


def _curves(axes, result):
  """Draws the mean over blocks with its error, `_AVERAGED` tau to a point."""
  tau_Q = np.asarray(result.tau_Q)
  width = _AVERAGED if len(tau_Q) > 40 else 1
  count = len(tau_Q) // width * width
  pooled = lambda value_Q: np.reshape(value_Q[:count], (-1, width)).mean(1)
  axes.plot(tau_Q, result.gue_Q, color=style.BLUE, lw=1, ls=":", label="GUE")
  axes.plot(tau_Q, result.renewal_Q, color=style.ORANGE, lw=1, ls=":", label="independent, exact")
  for name, mean_Q, error_Q in zip(
    _names(result), result.form_factor_VxQ, result.error_VxQ, strict=True
  ):
    if name == "renewal":  # as the shuffled
      continue
    colour, mean_Q = _COLOURS[name], pooled(mean_Q)
    # Neighbouring tau are not independent: the error of one of them.
    reach_Q = pooled(error_Q)
    axes.plot(pooled(tau_Q), mean_Q, color=colour, lw=1.1, label=name)
    ends = mean_Q - reach_Q, mean_Q + reach_Q
    axes.fill_between(pooled(tau_Q), *ends, color=colour, alpha=0.15, lw=0)
  axes.set_ylim(0, 2.3)  # room for the legend
  blocks = result.sequences[0]["blocks"]
  axes.set_title(f"Form factor, {blocks} blocks of {result.block}")
  axes.set_xlabel("tau (Heisenberg units)")
  axes.set_ylabel("K(tau), ± 1 standard error")
  axes.legend(loc="upper center", ncols=3, columnspacing=1, fontsize=7.5)


def _counts(axes, result):
  length_E = np.asarray(result.length_E)
  for name, mean_E, error_E in zip(
    _names(result), result.number_variance_VxE, result.number_variance_error_VxE, strict=True
  ):
    colour = _COLOURS[name]
    axes.errorbar(
      length_E, mean_E, error_E, color=colour, marker="o", ms=3.5, lw=1.2, capsize=2, label=name
    )
  axes.plot(
    length_E, result.gue_number_variance_E, color=style.BLUE, ls=":", lw=1.2, label="GUE, exact"
  )
  axes.set_xscale("log")
  axes.set_yscale("log")
  axes.set_title("Number variance")
  axes.set_xlabel("length of the window L (mean spacings)")
  axes.set_ylabel("variance of the count")
  axes.legend(loc="upper left", fontsize=7.5)


def _peak(axes, result):
  count = result.sequences[0]["spacings"]
  place_T = (np.asarray(result.resonance_tau_T) - 1) * count
  lowest = 1e-2
  show = lambda value_T, colour, label, **kw: axes.plot(
    place_T, np.maximum(value_T, lowest), color=colour, label=label, **kw
  )
  for name, value_T in zip(_names(result), result.resonance_VxT, strict=True):
    if name in ("test", "shuffled"):
      show(value_T, _COLOURS[name], name, lw=1.3)
  show(result.resonance_jittered_T, style.GREEN, "jittered by a bin", lw=1.6)
  show(result.resonance_expected_T, style.PURPLE, "the same, exact", ls="--")
  axes.set_yscale("log")
  axes.set_title(f"The whole sequence around tau = 1, N = {count:,}")
  axes.set_xlabel("(tau - 1) N")
  axes.set_ylabel("|sum of waves|² / N")
  axes.legend(loc="upper right", fontsize=7.5)


def _jitter(axes, result):
  rows = result.jitter
  part = [row["part_of_bin"] for row in rows]
  values = lambda key: np.array([row[key] for row in rows], float)
  axes.fill_between(
    part,
    values("lowest_by_offset"),
    values("highest_by_offset"),
    color=style.GREY,
    alpha=0.2,
    lw=0,
    label="published grid: range over its offsets",
  )
  known = np.isfinite(values("reported_retention"))
  axes.plot(
    np.array(part)[known],
    values("reported_retention")[known],
    "s",
    color=style.ORANGE,
    label="published",
  )
  axes.plot(part, values("retention"), "o-", color="black", label="fine grid, highest")
  axes.plot(
    part,
    values("expected_retention"),
    "--",
    color=style.PURPLE,
    label="expected at the peak, exact",
  )
  axes.axhline(1, color="black", lw=0.8, ls=":")
  axes.set_yscale("log")
  axes.set_ylim(bottom=values("expected_retention").min() / 20)
  axes.set_title("What jitter of the spacings leaves of the peak")
  axes.set_xlabel("width of the jitter (published bins)")
  axes.set_ylabel("height over height without jitter")
  axes.legend(loc="lower left", fontsize=7.5)
