"""Claims on the memory bank and Flash, beside what their window told them."""

from primelens.lens import claims as trial
from primelens.lens.claims import Claim, Verdict, verdict
from primelens.studies.zeros import leak, published
from primelens.studies.zeros import leak_evidence as evidence
from primelens.studies.zeros import verdicts_networks as networks
from primelens.studies.zeros.leak_evidence import BLIND, LEAKY, NONE, bounded


def headline(results) -> Verdict:
  """The leak decides: it is in the mask, which has no size."""
  found = [*evidence.trios(results, **evidence.Q3), *evidence.trios(results, **evidence.FLASH)]
  numbers: dict[str, float] = {}
  parts, better, leaks = [], [], []
  for trio in found:
    leaky = trio.results[LEAKY]
    gain, own = evidence.gains(trio), evidence.told(leaky)
    better.append(gain[f"{LEAKY}, all"]["high"] < 0)
    leaks.append(own["low"] > 0)
    numbers |= {
      f"{trio.said}: NLL, all positions": float(leaky.all_SxN.mean()),
      f"{trio.said}: NLL, last position": float(leaky.last_SxN.mean()),
      f"{trio.said}: leak": own["nats"],
    }
    every, last = (gain[f"{LEAKY}, {where}"] for where in ("all", "last"))
    parts.append(
      f"{trio.said}: {leaky.all_SxN.mean():+.3f} nats over all positions,"
      f" {bounded(every)} from the same network without memory; hiding the"
      f" inputs behind each target costs {bounded(own)}, and at the last"
      f" position, whose target is in no input, it is {bounded(last)} from the"
      " one without"
    )
  because = (
    "; ".join(parts) + ". The published evaluation scored only positions whose"
    " target the slots had read. The mask is the same at any size, so the"
    " published numbers are no NLL of a prediction; how much of them is the"
    " leak takes runs of that size."
  )
  told = all(better) and all(leaks)
  if not told and not _big(results, found):
    return networks.undecided(because, numbers)
  return verdict(all(better), because, numbers, artefact=all(leaks))


def _big(results, found) -> bool:
  names = [name for trio in found for name in trio.names]
  return set(networks.published_size(results, names)) == set(names)


def memory(results) -> Verdict:
  """Slots must help where they tell nothing that is to be predicted."""
  found = evidence.trios(results)
  numbers: dict[str, float] = {}
  parts, leaky, blind = [], [], []
  for trio in found:
    gains = evidence.gains(trio)
    numbers |= {f"{trio.said}: {k}": row["nats"] for k, row in gains.items()}
    leaky.append(gains[f"{LEAKY}, all"]["high"] < 0)
    blind.append(gains[f"{BLIND}, all"]["high"] < 0)
    own, control = (gains[f"{mode}, all"] for mode in (LEAKY, BLIND))
    parts.append(f"{trio.said}: leaky slots {bounded(own)} nats, blind slots {bounded(control)}")
  because = (
    "Change of the NLL over all positions from the same network without slots: "
    + "; ".join(parts)
    + f". Blind slots help in {sum(blind)} of {len(blind)} settings, leaky"
    f" ones in {sum(leaky)}."
  )
  artefact = all(leaky) and not all(blind)
  if not artefact and not _big(results, found):
    return networks.undecided(because, numbers)
  return verdict(all(leaky), because, numbers, artefact=artefact)


def first_layer(results) -> Verdict:
  """Layer 1 is where the data first read slots that have read the future."""
  found = evidence.find(results, mode=LEAKY, **evidence.FLASH)
  numbers: dict[str, float] = {}
  parts, reads, costs = [], [], []
  for name, result in found.items():
    own_L, fresh_L = (
      mass_SxLxH.mean((0, 2)) for mass_SxLxH in (result.mass_SxLxH, result.untrained_mass_SxLxH)
    )
    if len(own_L) < 2:
      continue
    change = f"blind minus as trained, {leak.ALL}"
    cost = trial.row(result.changes, change=change)
    last = trial.row(result.changes, change=f"blind minus as trained, {leak.LAST}")
    least = float(result.mass_SxLxH[:, 1].mean(0).min())
    numbers |= {
      f"{name}: attention of layer 1 to the slots": float(own_L[1]),
      f"{name}: the same, untrained": float(fresh_L[1]),
      f"{name}: least of its heads": least,
      f"{name}: cost of blind slots, all positions": cost["nats"],
      f"{name}: cost of blind slots, last position": last["nats"],
    }
    reads.append(own_L[1] > fresh_L[1])
    costs.append(cost["low"] > 0)
    parts.append(
      f"{name}: the heads of layer 1 spend {own_L[1]:.2f} of their attention on"
      f" the slots (untrained {fresh_L[1]:.2f}, layer 0 {own_L[0]:.2f}), and"
      f" blind slots cost the same weights {bounded(cost)} nats over all"
      f" positions and {bounded(last)} at the last"
    )
  if not parts:
    raise trial.Missing("leak of a leaky run with more than one layer", analysis="leak")
  because = (
    "In layer 0 the slots read the window, from layer 1 on the data read the"
    " slots: a layer all of whose heads are critical is what the leak makes. "
    + "; ".join(parts)
    + "."
  )
  if not networks.published_size(results, found):
    return networks.undecided(because, numbers)
  return verdict(all(reads), because, numbers, artefact=all(costs))


def factors(results) -> Verdict:
  """Residual inputs and rotary positions, one at a time, where none leaks."""
  numbers: dict[str, dict] = {}
  runs: set[str] = set()
  for factor in ("residual", "positions"):
    for mode in (LEAKY, BLIND, NONE):
      for where in ("all", "last"):
        key = f"{factor}, {mode}, {where}"
        numbers[key], used = evidence.effect(results, factor, mode, where)
        runs |= used
  said = "; ".join(f"{key} {bounded(row)}" for key, row in numbers.items())
  because = (
    "Change of the NLL in nats by residual inputs, and by rotary positions, at"
    f" the two settings of the other, in all positions and in the last: {said}."
    " The source changed both, the window, the entropy weight and the rate at"
    " once."
  )
  flat = {key: row["nats"] for key, row in numbers.items()}
  big = set(networks.published_size(results, sorted(runs))) == runs
  if not big:
    return networks.undecided(because, flat)
  better = lambda *keys: any(numbers[key]["high"] < 0 for key in keys)
  leaky = better(*(f"{f}, {LEAKY}, all" for f in ("residual", "positions")))
  free = better(
    *(f"{f}, {mode}, last" for f in ("residual", "positions") for mode in (LEAKY, BLIND, NONE))
  )
  return verdict(leaky or free, because, flat, artefact=not free)


CLAIMS = (
  Claim(
    id="leak.headline",
    statement="With a memory bank the NLL falls from -0.069 to -0.689 (Q3) and -0.712 (Flash).",
    source=f"{published.REPOSITORY}, headline table of the memory bank",
    reported="baseline -0.069, Q3 -0.689, Flash -0.712 nats; one seed each",
    test=headline,
  ),
  Claim(
    id="leak.memory",
    statement="A bank of memory slots improves the model.",
    source=f"{published.REPOSITORY}, train_memory_q3.py and its reports",
    reported="-0.069 without and -0.689 with slots, after the same steps",
    test=memory,
  ),
  Claim(
    id="leak.layer1",
    statement="Layer 1 of Flash is the operator: all its heads are critical.",
    source=f"{published.REPOSITORY}, results/ablation_flash.json",
    reported="removing L1.H2 takes the NLL from -0.581 to +1.231 nats, L1.H3 to +0.771",
    test=first_layer,
  ),
  Claim(
    id="leak.factors",
    statement="Residual inputs and rotary positions made the improvement from Q3 to Flash.",
    source=f"{published.REPOSITORY}, reports on Flash",
    reported="-0.689 to -0.712 nats; four factors changed at once",
    test=factors,
  ),
)
