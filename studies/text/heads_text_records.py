"""Records of the heads: scores of the masses, and the reported numbers."""

from collections.abc import Iterator, Mapping

import numpy as np
from primelens.analyses import statistics
from primelens.studies.text import answers_reported, heads_text_reported, reported
from primelens.tasks import characters

CLASSES = characters.CLASSES
REPORTED = heads_text_reported.REPORTED
WAYS = ("everywhere", "last")  # where a head says its mean
PATHS = ("all", "direct")  # by which a donor's output gets to the answer


def uniform(token_NxT) -> tuple[np.ndarray, float]:
  """Returns the masses V and the entropy of uniform attention."""
  class_NxT = characters.classes(token_NxT)
  length_N = characters.lengths(token_NxT)
  share_V = [np.mean((class_NxT == v).sum(1) / length_N) for v in range(len(CLASSES))]
  return np.array(share_V), float(np.log(length_N).mean())


def scores(mass_V, entropy) -> dict[str, np.ndarray]:
  """Returns the scores of mean masses ...xV, each without the V.

  copy = x + y, balance = |x - y|, class_entropy = -sum p ln p of the masses
  over their sum: of the mean, which is not the attention's own (entropy).
  """
  mass_V = np.asarray(mass_V, np.float64)
  p_V = mass_V / mass_V.sum(-1, keepdims=True)
  found = {name: mass_V[..., v] for v, name in enumerate(CLASSES)}
  return found | {
    "copy": found["x"] + found["y"],
    "balance": np.abs(found["x"] - found["y"]),
    "class_entropy": -np.sum(p_V * np.log(np.where(p_V > 0, p_V, 1)), -1),
    "entropy": np.asarray(entropy),
  }


def heads(share, untrained, level, effect, null) -> Iterator[dict]:
  """Yields a record per layer and head: its share of attention by class and
  its scores, beside uniform attention and untrained heads of the layer."""
  for layer, head in np.ndindex(share["copy"].shape[1:]):
    row: dict[str, float] = {"layer": layer, "head": head}
    for name in share:
      row |= _columns(name, share[name][:, layer, head])
      row[f"{name}_uniform"] = float(level[name])
      row[f"{name}_untrained"] = float(np.median(untrained[name][:, layer]))
    for kind, names in (("delta", WAYS), ("path", PATHS)):
      for p, name in enumerate(names):
        value_S = effect[kind][p, :, layer, head]
        row |= _columns(f"{kind}_{name}", value_S, interval=True)
        row[f"{kind}_{name}_untrained"] = float(np.median(null[kind][p, :, layer]))
    yield row


def _columns(name: str, value_S, *, interval: bool = False) -> dict:
  found = {
    name: float(np.median(value_S)),
    f"{name}_min": float(value_S.min()),
    f"{name}_max": float(value_S.max()),
  }
  if interval:
    mean = statistics.seed_interval(value_S)
    found[f"{name}_low"] = float(mean.low)
    found[f"{name}_high"] = float(mean.high)
  return found


def layers(copy_SxLxH, untrained_RxLxH, uniform_copy) -> Iterator[dict]:
  """Yields a record per layer: attention on the operands over all heads and
  members, whose order is no one's, and over untrained ones."""
  for layer in range(copy_SxLxH.shape[1]):
    row = {"layer": layer, "copy_uniform": float(uniform_copy)}
    for name, copy in (("", copy_SxLxH), ("untrained_", untrained_RxLxH)):
      copy = copy[:, layer]
      row |= {
        f"{name}copy_min": float(copy.min()),
        f"{name}copy_median": float(np.median(copy)),
        f"{name}copy_max": float(copy.max()),
        f"{name}above_uniform": float(np.mean(copy > uniform_copy)),
      }
    yield row


def table(run, mine: Mapping, token_NxT) -> tuple[dict, ...]:
  """Returns the reported numbers beside ours; heads by number only for the
  imported network, as others have another order."""
  task, trunk = run.experiment.task, run.experiment.model.trunk
  if not answers_reported.as_published(run) or task.question == "valid":
    return ()
  found = scores(mine["mass_as_published"], mine["entropy_as_published"])
  question, copy_SxH = task.question, found["copy"][:, -1]
  value_S = {f"{question}_least_copy": copy_SxH.min(1), f"{question}_most_copy": copy_SxH.max(1)}
  level = scores(*uniform(token_NxT[: heads_text_reported.ROWS]))
  for name, value in level.items():
    value_S[f"{question}_uniform_{name}"] = np.repeat(value, len(copy_SxH))
  if run.experiment.model.checkpoint:
    for name, value_SxLxH in found.items():
      for layer, head in np.ndindex(trunk.layers, trunk.heads):
        key = f"{question}_l{layer}h{head}_{name}"
        value_S[key] = value_SxLxH[:, layer, head]
  known_S = {key: value for key, value in value_S.items() if key in REPORTED}
  return reported.rows(run, REPORTED, known_S)
