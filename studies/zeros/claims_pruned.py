"""Claims on cores of heads and weights, and on the planned curriculum."""

from collections.abc import Mapping

from primelens.lens import claims as trial
from primelens.lens.claims import Claim, Verdict, verdict
from primelens.studies.zeros import published
from primelens.studies.zeros import verdicts_networks as networks

SMALL = 0.01  # nats: what is left may be this much worse and still suffice
HEADS, KEPT = 48, 13
HEAD_SIZE = 4 * 256 * 32  # of the published networks: 4 D Dh
BESIDE_INTACT = "retrained minus intact trained on"


def remaining(total: int, removed: int, head_size: int) -> int:
  """Returns the parameters of a network of which heads were removed."""
  return total - removed * head_size


def size(results) -> Verdict:
  """What is left when 35 of 48 heads go: arithmetic, for any run's sake."""
  found = published.results(results, "pruned")
  total = published.E4["parameters"]
  left = remaining(total, HEADS - KEPT, HEAD_SIZE)
  numbers = {
    "published network": total,
    "left with 13 of 48 heads": left,
    "in 13 heads": KEPT * HEAD_SIZE,
  }
  parts = []
  for name, result in found.items():
    arm = _heads(result)
    whole = result.arms[0]["parameters"]
    numbers |= {f"{name}: whole": whole, f"{name}: left": arm["parameters"]}
    parts.append(f"{name}: {arm['kept']:.0f} heads leave {arm['parameters']:,.0f} of {whole:,.0f}")
  because = (
    f"a head holds {HEAD_SIZE:,} numbers, so that 13 hold "
    f"{KEPT * HEAD_SIZE:,} and removing the other 35 of {total:,} leaves "
    f"{left:,}, {left / total:.0%}: the MLPs stay. 13/48 of the whole network, "
    "1.3 M, is what the source's share amounts to. Counted after removal, " + "; ".join(parts) + "."
  )
  return verdict(left < 0.3 * total, because, numbers)


def _heads(result) -> Mapping:
  """Returns the chosen heads' arm whose share is nearest to 13 of 48."""
  heads = result.rank_SxLxH[0].size
  rows = [row for row in result.arms if row["what"] == "heads"]
  return min(rows, key=lambda row: abs(row["kept"] / heads - KEPT / HEADS))


def _said(row) -> str:
  return f"{row['nats']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"


def _decide(results, found, contrasts, said) -> Verdict:
  """Returns the verdict on what suffices, by POSTFIX runs of published size.

  `contrasts(result)` gives the difference from the intact network trained as
  long, which must be below 0.01 nats, and from the control, which must be
  below 0: where it is not, anything else of that size does as well.
  """
  numbers, parts, pairs = {}, [], {}
  for name, result in found.items():
    cost, control = pairs[name] = contrasts(result)
    numbers[f"{name}: {cost['contrast']}"] = cost["nats"]
    numbers[f"{name}: {control['contrast']}"] = control["nats"]
    parts.append(
      f"{name}: {said(cost)}, {cost['contrast']} {_said(cost)} nats; "
      f"{control['contrast']} {_said(control)}"
    )
  because = ". ".join(parts) + "."
  postfix = [n for n in found if results[n]["anchors"].memory == "postfix"]
  big = networks.published_size(results, postfix)
  if not big:
    return networks.undecided(because, numbers)
  return verdict(
    all(pairs[name][0]["high"] < SMALL for name in big),
    because,
    numbers,
    artefact=any(pairs[name][1]["high"] >= 0 for name in big),
  )


def core(results) -> Verdict:
  """The chosen heads alone, trained again, beside as many random ones."""

  def contrasts(result):
    kept = _heads(result)["kept"]
    row = lambda name: trial.row(result.contrasts, what="heads", kept=kept, contrast=name)
    return row(BESIDE_INTACT), row("chosen minus random, retrained")

  found = published.results(results, "pruned")
  return _decide(results, found, contrasts, lambda row: f"{row['kept']:.0f} heads kept")


def layers(results) -> Verdict:
  """The attention of layers 1 and 2 removed, beside that of other layers."""

  def contrasts(result):
    row = lambda name: trial.row(result.contrasts, what="attention of layers", contrast=name)
    return row(BESIDE_INTACT), row("middle minus others, retrained")

  found = {
    name: result
    for name, result in published.results(results, "pruned").items()
    if any(row["what"] == "layers" for row in result.arms)
  }
  if not found:
    raise trial.Missing("pruned of a model with more than one layer", analysis="pruned")
  said = lambda row: f"all but {row['kept']:.0f} layers without attention"
  return _decide(results, found, contrasts, said)


def mask(results) -> Verdict:
  """The published mask held while the rest trains, beside a random one."""
  what = "weights, published ratio"

  def contrasts(result):
    row = lambda name: trial.row(result.contrasts, what=what, contrast=name)
    return row(BESIDE_INTACT), row("magnitude minus random, retrained")

  said = lambda row: f"{row['kept']:.2f} of the weights kept"
  found = published.results(results, "pruned")
  return _decide(results, found, contrasts, said)


def distils(results) -> Verdict:
  """The curriculum beside no teacher, the whole one and an untrained one."""
  found = published.results(results, "curriculum")
  others = ("no teacher", "whole teacher", "untrained teacher")
  numbers: dict[str, float] = {}
  parts, rows = [], {}
  for name, result in found.items():
    student = result.students[0]["student"]
    rows[name] = {
      other: trial.row(result.contrasts, student=student, contrast=f"curriculum minus {other}")
      for other in (*others, "the teacher itself")
    }
    numbers |= {f"{name}: minus {k}": r["nats"] for k, r in rows[name].items()}
    parts.append(
      f"{name}, {student}, curriculum minus "
      + ", minus ".join(f"{k} {_said(r)}" for k, r in rows[name].items())
      + " nats"
    )
  because = ". ".join(parts) + "."
  big = networks.published_size(results, found)
  if not big:
    return networks.undecided(because, numbers)
  below = lambda other: all(rows[name][other]["high"] < 0 for name in big)
  controls = all(below(other) for other in others[1:])
  return verdict(below("no teacher"), because, numbers, artefact=not controls)


_PRUNED = f"{published.REPOSITORY}, results/attention_ablation.json"

CLAIMS = (
  Claim(
    id="pruned.size",
    statement="Thirteen heads are a core of 1.2 M parameters, 25 to 27 % of the model.",
    source=_PRUNED,
    reported="1.2 M, 25-27 %, extrapolated from single effects",
    test=size,
  ),
  Claim(
    id="pruned.core",
    statement="About 13 of 48 heads suffice: a network pruned to them and "
    "trained again is as good.",
    source=f"{_PRUNED}; the retraining was planned",
    reported="not trained, not tested",
    test=core,
  ),
  Claim(
    id="pruned.layers",
    statement="Layers 1 and 2 can be removed.",
    source=_PRUNED,
    reported="single slices down to -0.0604 nats; never removed together",
    test=layers,
  ),
  Claim(
    id="pruned.mask",
    statement="Masking finds the knowledge core: with the 40 % smallest "
    "weights gone and the rest trained again the network is as good.",
    source=f"{published.REPOSITORY}, results/masking_E4_s7.json; the retraining was not done",
    reported="-0.027 nats without retraining",
    test=mask,
  ),
  Claim(
    id="curriculum.distils",
    statement="A curriculum of masked teachers, 0.8 to 0, distils the operator into a student.",
    source=f"{published.REPOSITORY}, docs/OPERATOR_EXTRACTION.md, a plan",
    reported="not implemented",
    test=distils,
  ),
)
