"""The figure of `prime_waves`: the spectrum a network implies, and the law."""

import numpy as np
from primelens.studies import plots_style as style

KINDS = {
  "network": (style.BLUE, "networks"),
  "untrained": (style.GREY, "untrained"),
  "kernel": (style.PURPLE, "sine kernel"),
  "filter": (style.ORANGE, "filters fitted on train"),
  "adaptive": (style.AMBER, "adaptive filter"),
  "formula": (style.GREEN, "explicit formula"),
}
_SHOWN = 40  # primes of the map of heads
_LEVEL = 0.05


@style.styled
def figure(result):
  """Returns the figure: spectra, amplitudes, what is known, heads, training."""
  figure = style.new(20)
  top, middle, low = style.parts(figure, (1.15, 1, 3.9))
  _spectra(top.subplots(1, 1), result)
  amplitudes, left = middle.subplots(1, 2)
  _amplitudes(amplitudes, result)
  _left(left, result)
  axes = low.subplot_mosaic(
    [["known", "lines"], ["context", "steps"], ["order", "states"], ["heads", "heads"]]
  )
  stands, judged = int(result.stands_Q.sum()), result.table[0]["judged"]
  title = "Primes known against the loss (crosses: beside)"
  _scores(axes["known"], result, ("known", "beside"), stands, title)
  title = "Lines found: an echo of the inputs too"
  _scores(axes["lines"], result, ("found",), judged, title)
  _context(axes["context"], result)
  _steps(axes["steps"], result)
  _training(axes["order"], result)
  _states(axes["states"], result)
  _heads(axes["heads"], result)
  return figure


def _spectra(axes, result):
  """Draws the implied spectra of networks and of the longest filters."""
  rows = list(result.peaks)
  of = lambda kind: [e for e, row in enumerate(rows) if row["kind"] == kind]
  chosen = [("network", e) for e in of("network")]
  chosen += [("kernel", e) for e in of("kernel")[-1:]]
  longest = of("adaptive") or of("filter")
  chosen += [(rows[e]["kind"], e) for e in longest[-1:]]
  for place, (kind, e) in enumerate(chosen):
    colour, _ = KINDS[kind]
    first = place == 0 or kind != "network"
    axes.plot(
      result.frequency_F,
      result.spectrum_PxF[e] / np.log(10),
      color=colour,
      lw=1.1,
      alpha=0.9 if first else 0.5,
      label=rows[e]["name"] if first else None,
    )
  for prime in result.prime_Q[np.log(result.prime_Q) < result.frequency_F[-1]]:
    axes.axvline(np.log(prime), color=style.SKY, lw=0.6, zorder=0)
  low, high = axes.get_ylim()
  for prime in (2, 3, 5, 7, 11, 13, 17, 23, 31, 43, 61, 83):
    if np.log(prime) < result.frequency_F[-1]:
      axes.annotate(str(prime), (np.log(prime), high), ha="center", va="bottom", size=8)
  axes.set_ylim(low, high)
  axes.set_xlim(result.frequency_F[0], result.frequency_F[-1])
  axes.set_xlabel("frequency (lines: ln p)")
  axes.set_ylabel("log₁₀ of 1/|1 − H|²")
  axes.set_title("The spectrum of zeros that a predictor implies by its response\n")
  axes.legend(loc="lower right")


def _amplitudes(axes, result):
  shown = [("truth", style.GREY), ("network", style.BLUE)]
  for kind, colour in shown:
    for e in _rows(result, kind)[:1]:
      axes.plot(
        result.prime_Q,
        result.amplitude_ExQ[e],
        ".",
        color=colour,
        ms=3.5,
        label=result.table[e]["name"],
      )
  axes.plot(
    result.prime_Q, result.law_Q, color=style.ORANGE, lw=1.3, label="2 |sin(δ ln p / 2)| / (π √p)"
  )
  axes.set_xscale("log")
  axes.set_yscale("log")
  axes.set_xlabel("prime p")
  axes.set_ylabel("amplitude (spacings)")
  axes.set_title("Waves in where the next zeros are put")
  axes.legend(loc="lower left")


def _left(axes, result):
  """Draws what is left of the truth's waves, smoothed over primes."""
  for kind, (colour, label) in KINDS.items():
    rows = _rows(result, kind)
    rows = rows[-1:] if kind in ("filter", "adaptive", "kernel") else rows
    for k, e in enumerate(rows):
      name = label if kind in ("network", "untrained") else None
      axes.plot(
        result.prime_Q,
        _smooth(result.left_ExQ[e]),
        color=colour,
        lw=1.2,
        ls=style.DASHES[k % 4] if kind == "formula" else "-",
        label=(name or result.table[e]["name"]) if k == 0 or not name else None,
      )
  axes.axhline(1 / 3, color="black", lw=0.7, ls=":")
  axes.set_xscale("log")
  axes.set_ylim(0, 2.2)  # with room for the legend
  axes.set_xlabel("prime p")
  axes.set_ylabel("share of the wave left in the errors")
  axes.set_title("What is not predicted (dotted: a third)")
  axes.legend(loc="upper right", fontsize=6.5)


def _smooth(value_Q, width: int = 9) -> np.ndarray:
  """Returns running medians, of fewer neighbours at the ends."""
  half = width // 2
  return np.array(
    [
      np.median(value_Q[max(0, i - min(half, i)) : i + min(half, i) + 1])
      for i in range(len(value_Q))
    ]
  )


def _rows(result, kind: str) -> list[int]:
  count = len(result.amplitude_ExQ)
  return [e for e, row in enumerate(result.table[:count]) if row["kind"] == kind]


def _scores(axes, result, keys: tuple[str, ...], of: int, title: str):
  """Draws counts against the loss, the second key's as crosses."""
  for kind, (colour, label) in KINDS.items():
    rows = [result.table[e] for e in _rows(result, kind)]
    for key, mark in zip(keys, "ox", strict=False):
      axes.plot(
        [row["nll_nats"] for row in rows],
        [row[key] for row in rows],
        mark,
        color=colour,
        ms=5,
        label=label if rows and mark == "o" else None,
      )
  axes.set_xlabel(f"NLL ({style.NATS})")
  axes.set_ylabel(f"primes {keys[0]}, of {of}")
  axes.set_title(title)
  axes.legend(loc="best")


def _context(axes, result):
  if not len(result.context_T):
    style.note(axes, "not read by context")
    return
  network = {"colour": style.BLUE, "label": "network"}
  known_SxT = result.context_known_SxTxQ.sum(-1)
  style.curves(axes, result.context_T, known_SxT, **network)
  _beside(axes, result.context_T, result.context_beside_SxT, style.BLUE)
  axes.plot(
    result.context_T,
    result.filter_known_TxQ.sum(-1),
    "o-",
    color=style.ORANGE,
    ms=3.5,
    label="AR of that order",
  )
  _beside(axes, result.context_T, result.filter_beside_T[None], style.ORANGE)
  axes.set_xscale("log", base=2)
  axes.xaxis.set_major_formatter("{x:g}")
  axes.set_xlabel("spacings in sight")
  axes.set_ylabel(f"primes known, of {result.context_stands_TxQ.sum(-1).max()}")
  axes.set_title("By context (dashed: frequencies beside them)")
  axes.legend(loc="best")


def _steps(axes, result):
  if not len(result.step_C):
    style.note(axes, "no snapshots")
    return
  network = {"colour": style.BLUE, "label": "network"}
  style.curves(axes, result.step_C, result.known_SxCxQ.sum(-1), **network)
  _beside(axes, result.step_C, result.beside_SxC, style.BLUE)
  axes.set_xlabel("step")
  axes.set_ylabel(f"primes known, of {int(result.stands_Q.sum())}")
  axes.set_title("By training (dashed: frequencies beside them)")
  axes.legend(loc="best")


def _beside(axes, x_T, count_SxT, colour):
  axes.plot(x_T, np.mean(count_SxT, 0), "--", color=colour, lw=1.1)


def _training(axes, result):
  """Draws when each prime came to stay."""
  if not len(result.step_C):
    style.note(axes, "no snapshots")
    return
  for s, first_Q in enumerate(result.first_SxQ):
    axes.plot(
      result.prime_Q, first_Q, ".", color=style.colour(s), ms=3, alpha=0.7, label=f"seed {s}"
    )
  axes.set_xscale("log")
  axes.set_xlabel("prime p")
  axes.set_ylabel("known from step")
  axes.set_title("In which order primes are learned")
  axes.legend(loc="best")


def _states(axes, result):
  """Draws the share of each layer's variance at ln p, fresh ones dashed.

  Dots: lines above all of those beside the primes, in every seed.
  """
  for layer, share_Q in enumerate(result.state_SxLxQ.mean(0)):
    colour = style.colour(layer)
    for value_Q, dash, name in (
      (share_Q, "-", f"after layer {layer}"),
      (result.untrained_LxQ[layer], "--", "untrained" if not layer else None),
    ):
      axes.plot(result.prime_Q, _smooth(value_Q), dash, color=colour, lw=1.2, label=name)
    found_Q = (result.state_max_t_SxLxQ[:, layer] < _LEVEL).all(0)
    axes.plot(result.prime_Q[found_Q], share_Q[found_Q], "o", color=colour, ms=3)
  axes.set_xscale("log")
  axes.set_yscale("log")
  axes.set_xlabel("prime p")
  axes.set_ylabel("share of the variance")
  axes.set_title("Waves in the states of a layer")
  axes.legend(loc="best")


def _heads(axes, result):
  lost_SxLxHxQ = result.head_SxLxHxQ[..., :_SHOWN].mean(0)
  layers, heads, primes = lost_SxLxHxQ.shape
  image = style.diverging_map(axes, lost_SxLxHxQ.reshape(-1, primes), aspect="auto", origin="upper")
  # A dot: the head's change has a line there, in every seed.
  found_HxQ = (result.head_max_t_SxLxHxQ[..., :_SHOWN] < _LEVEL).all(0).reshape(-1, primes)
  y, x = np.nonzero(found_HxQ)
  axes.plot(x, y, ".", color="black", ms=2.5)
  names = [f"L{i}.H{j}" for i in range(layers) for j in range(heads)]
  step = -(-len(names) // 12)
  axes.set_yticks(range(0, len(names), step), names[::step])
  ticks = [q for q in (0, 4, 9, 14, 19, 24, 29, 34, 39) if q < primes]
  axes.set_xticks(ticks, [str(result.prime_Q[q]) for q in ticks])
  axes.set_xlabel("prime p")
  axes.set_title("Gain lost without a head (dots: a line in all seeds)")
  axes.figure.colorbar(image, ax=axes)
