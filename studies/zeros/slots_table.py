"""The readings of the slot diagnostics, each beside its null and a threshold.

Thresholds are the source's own (zeta spec, sections 4.13 and 6.9): those of
its diagnostics, and of its success criteria where it had no other.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from primelens.analyses import slot_diagnostics, statistics

SINGLE = 0.02  # nats, of a slot that counts as functional
CORRELATION = 0.7
COSINE = 0.5
EFFECT_ENTROPY = 1.5  # of ln 8
SLOPE = 0.5
VARIATION = 0.1  # to 0.3
PERMUTED = 0.1  # of |NLL|
CONTENT_ONLY = 0.3  # of |NLL|
RANK = 0.5  # of M


@dataclasses.dataclass(frozen=True)
class Reading:
  """One number per network; `rule` ("> 0.02") is the source's, or ""."""

  letter: str
  name: str
  unit: str
  rule: str
  value: Callable[[dict[str, Any]], np.ndarray]


def readings(slots: int, window: int) -> tuple[Reading, ...]:
  """Returns all readings of M slots behind T spacings, A to K.

  The source's threshold of E was for 8 slots, whose entropy is at most ln 8;
  it is scaled by ln M / ln 8 here.
  """
  return (*_removed(slots), *_alike(slots), *_data(window), *_ranks(slots))


def _removed(slots: int) -> tuple[Reading, ...]:
  """Returns the readings of slots, contents or ids that are taken away."""
  one, share = f"> {SINGLE}", "ids off / |NLL|, as published"
  summed = "sum of single removals, as published"
  return (
    Reading(
      "A", "largest single removal", _NATS, one, lambda m: m["delta_SxE"][:, 1 : 1 + slots].max(1)
    ),
    Reading(
      "A",
      "largest single removal, as published",
      _NATS,
      one,
      lambda m: m["single_as_published_SxM"].max(1),
    ),
    Reading("A'", "all slots removed", _NATS, "", lambda m: m["joint_SxR"][:, -1]),
    Reading("A'", summed, _NATS, "", lambda m: m["sum_as_published_SxR"][:, -1]),
    Reading("ID-only", "contents zeroed", _NATS, f">= {SINGLE}", lambda m: m["content_zeroed_S"]),
    Reading("content-only", "ids off", _NATS, "", lambda m: m["ids_off_S"]),
    Reading(
      "content-only",
      share,
      "",
      f"<= {CONTENT_ONLY}",
      lambda m: m["ids_off_S"] / np.abs(m["intact_S"]),
    ),
    Reading("J", "ids in another order", _NATS, "", _order),
    Reading(
      "J",
      "ids in another order / |NLL|, as published",
      "",
      f"< {PERMUTED}",
      lambda m: _order(m) / np.abs(m["intact_S"]),
    ),
  )


def _alike(slots: int) -> tuple[Reading, ...]:
  """Returns the readings of how slots differ in what they hold and do."""
  entropy = EFFECT_ENTROPY * math.log(slots) / math.log(8)
  mean = slot_diagnostics.off_diagonal
  uniformity = "readout: entropy / ln M, as published"
  return (
    Reading("B", "mean cosine of slots", "", f"< {COSINE}", lambda m: mean(m["cosine_SxMxM"])),
    Reading(
      "C",
      "mean |correlation| of gradients",
      "",
      f"< {CORRELATION}",
      lambda m: mean(np.abs(m["gradient_correlation_SxMxM"])),
    ),
    Reading(
      "D",
      "readout: exp(entropy) / M",
      "",
      "",
      lambda m: slot_diagnostics.uniformity(m["readout_SxM"]),
    ),
    Reading(
      "D", uniformity, "", "", lambda m: slot_diagnostics.uniformity_as_published(m["readout_SxM"])
    ),
    Reading(
      "E",
      "entropy of effects",
      "nats",
      f"> {entropy:.3g}",
      lambda m: slot_diagnostics.entropy(m["effect_SxM"]),
    ),
  )


def _data(window: int) -> tuple[Reading, ...]:
  """Returns the readings along the data: rollouts, blocks, attention."""
  return (
    Reading(
      "G", "slope of ln error on ln h, as published", "", f"< {SLOPE}", lambda m: m["slope_S"]
    ),
    Reading(
      "H",
      "sd of blocks beyond noise",
      _NATS,
      "",
      lambda m: beyond_noise(m["block_nll_SxP"], m["block_error_SxP"]),
    ),
    Reading(
      "H",
      "sd / mean of 4 blocks, as published",
      "",
      f"< {VARIATION}",
      lambda m: slot_diagnostics.variation_as_published(m["quarter_nll_Sx4"]),
    ),
    Reading(
      "I",
      "sd of the slots' centres",
      "positions",
      f"> {0.1 * window:g}",
      lambda m: slot_diagnostics.centre_of_mass(m["attention_SxMxT"]).std(1),
    ),
  )


def _ranks(slots: int) -> tuple[Reading, ...]:
  """Returns the ranks of the slots' gradients, ours and as published."""
  mean = slot_diagnostics.gradient_rank
  batch = slot_diagnostics.gradient_rank_as_published
  rank = lambda f, i: lambda m: np.array([f(g)[i] for g in m[_GRADIENT]], float)
  part = lambda f: lambda m: rank(f, 0)(m) / slots
  published = "r90 of batches x slots / M, as published"
  return (
    Reading("K", "r90 of the mean gradient / M", "", "", part(mean)),
    Reading("K", published, "", f"> {RANK}", part(batch)),
    Reading("K", "effective rank of the mean gradient", "", "", rank(mean, 1)),
    Reading("K", "effective rank as published", "", "", rank(batch, 1)),
  )


_NATS, _GRADIENT = "nats", "gradient_SxRxMxD"
_HOLDS: dict[str, Callable] = {
  ">": np.greater,
  ">=": np.greater_equal,
  "<": np.less,
  "<=": np.less_equal,
}


def _order(m) -> np.ndarray:
  order_SxV = m["order_SxV"]
  alone_S = np.full(len(order_SxV), np.nan)
  return order_SxV.mean(1) if order_SxV.shape[1] else alone_S


def beyond_noise(mean_SxP, error_SxP) -> np.ndarray:
  """Returns sqrt(sd^2 - noise^2) of each seed's blocks, 0 where noise is more:
  the scatter that finite blocks do not explain."""
  found = [slot_diagnostics.homogeneity(*each) for each in zip(mean_SxP, error_SxP, strict=True)]
  return np.array([max(b.sd**2 - b.noise**2, 0.0) ** 0.5 for b in found])


def met(rule: str, value_S) -> int:
  """Returns how many seeds keep the source's rule, -1 without a rule or value.

  Raises ValueError for a rule that is no comparison with a number.
  """
  if not rule or not np.isfinite(value_S).any():
    return -1
  sign, _, number = rule.partition(" ")
  if sign not in _HOLDS:
    raise ValueError(f"rule {rule!r} does not begin with {', '.join(_HOLDS)}.")
  return int(_HOLDS[sign](value_S, float(number)).sum())


def rows(mine: dict, null: dict, model) -> tuple[dict, ...]:
  """Returns every reading: trained, its interval over seeds, untrained.

  `met` of `seeds` networks keep the source's rule, `untrained_met` untrained
  ones. `standing` is "above" or "below" where the paired difference from the
  untrained networks has an interval clear of 0, "not apart" elsewhere; "" with
  one seed or without a value.
  """
  table = []
  for reading in readings(model.slots, model.window):
    value_S, null_S = reading.value(mine), reading.value(null)
    interval = statistics.seed_interval(value_S)
    apart = statistics.seed_interval(value_S - null_S)
    table.append(
      {
        "letter": reading.letter,
        "reading": reading.name,
        "unit": reading.unit,
        "value": float(interval.estimate),
        "low": float(interval.low),
        "high": float(interval.high),
        "untrained": float(null_S.mean()),
        "standing": _standing(float(apart.low), float(apart.high)),
        "rule": reading.rule,
        "met": met(reading.rule, value_S),
        "untrained_met": met(reading.rule, null_S),
        "seeds": len(value_S),
      }
    )
  return tuple(table)


def _standing(low: float, high: float) -> str:
  if math.isnan(low):
    return ""
  return "above" if low > 0 else "below" if high < 0 else "not apart"
