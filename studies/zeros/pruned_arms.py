"""The arms of analysis `pruned`: what each removes and where it starts."""

from typing import Any, NamedTuple

import jax
import numpy as np
from primelens.analyses import masking as masking_lib
from primelens.analyses import trees, weight_masks
from primelens.models import spacing
from primelens.studies.zeros import scoring

# Every weight of a head, and its axis of the heads within a layer.
HEADS = (
  (r"blocks/attention/query/kernel", 1),
  (r"blocks/attention/key/kernel", 1),
  (r"blocks/attention/value/kernel", 1),
  (r"blocks/attention/out/kernel", 0),
)
LAYERS = r"blocks/.*"
RULES = ("none", "magnitude", "random")


class Arm(NamedTuple):
  """One way to prune: `choice` of `what` (`kept` of it stays), the start.

  `heads_SxLxH` and `layers_L` say what stays; `rule` and `ratio_S` which
  weights go beside that, the removed fraction by seed.
  """

  what: str
  choice: str
  start: str
  draw: int
  kept: float
  heads_SxLxH: np.ndarray
  layers_L: np.ndarray
  rule: str
  ratio_S: np.ndarray

  @property
  def record(self) -> dict:
    """What the stored result says of the arm."""
    names = ("what", "choice", "start", "draw", "kept")
    return {name: getattr(self, name) for name in names}


def middle(layers: int) -> tuple[int, ...]:
  """Returns layers 1 and 2 of a deep network, layer 1 of a shallow one."""
  return (1, 2) if layers > 3 else (1,) if layers > 1 else ()


def others(layers: int) -> tuple[int, ...]:
  """Returns as many layers beside the middle ones, the last that there are."""
  left = [l for l in range(layers) if l not in middle(layers)]
  return tuple(left[len(left) - len(middle(layers)) :])


def head_counts(shares, total: int) -> list[int]:
  """Returns how many of `total` heads each share keeps, at least one."""
  return sorted({max(1, round(share * total)) for share in shares})


def all_arms(settings, rank_SxLxH, ratio_S) -> list[Arm]:
  """Returns all arms, the intact network first.

  `rank_SxLxH` is 0 at the head whose removal costs least, `ratio_S` the
  removed fraction of weights that is best on select.
  """
  seeds, layers, heads = rank_SxLxH.shape
  full: dict[str, Any] = dict(
    heads_SxLxH=np.ones((seeds, layers, heads), np.float32),
    layers_L=np.ones(layers, np.float32),
    rule="none",
    ratio_S=np.zeros(seeds, np.float32),
  )
  arms = [Arm("network", "intact", "trained", 0, 1.0, **full)]
  for kept in head_counts(settings.kept, layers * heads):
    for choice, draw, keep_SxLxH in _choices(settings, rank_SxLxH, kept):
      for start in ("trained", "scratch"):
        its = full | {"heads_SxLxH": keep_SxLxH}
        arms.append(Arm("heads", choice, start, draw, float(kept), **its))
  return arms + _layers(full, layers) + _weights(settings, full, ratio_S)


def _choices(settings, rank_SxLxH, kept: int):
  """Yields the chosen heads and the random ones, drawn for each seed."""
  total = rank_SxLxH[0].size
  keep = lambda rank: (rank >= total - kept).astype(np.float32)
  yield "costliest on select", 0, keep(rank_SxLxH)
  for draw in range(settings.draws):
    rng = np.random.default_rng([settings.seed, kept, draw])
    rank = [rng.permutation(total) for _ in rank_SxLxH]
    yield "random", draw, keep(np.reshape(rank, rank_SxLxH.shape))


def _layers(full: dict, layers: int) -> list[Arm]:
  arms = []
  for choice, gone in (("middle", middle(layers)), ("others", others(layers))):
    if gone:
      kept = float(layers - len(gone))
      keep_L = np.ones(layers, np.float32)
      keep_L[list(gone)] = 0
      heads = full["heads_SxLxH"] * keep_L[None, :, None]
      for what, its in (
        ("attention of layers", {"heads_SxLxH": heads}),
        ("layers", {"layers_L": keep_L}),
      ):
        arms.append(Arm(what, choice, "trained", 0, kept, **(full | its)))
  return arms


def _weights(settings, full: dict, ratio_S) -> list[Arm]:
  """Returns the masks at the best ratio on select and at the published one."""
  ratios = (
    ("weights, ratio of select", np.asarray(ratio_S, np.float32)),
    ("weights, published ratio", np.full_like(ratio_S, settings.ratio)),
  )
  return [
    Arm(what, rule, "trained", draw, float(1 - ratio.mean()), **its)
    for what, ratio in ratios
    for rule, draws in (("magnitude", 1), ("random", settings.draws))
    for draw in range(draws)
    for its in [full | {"rule": rule, "ratio_S": ratio}]
  ]


def mask(params, arm):
  """Returns the mask of one arm for one member.

  `arm` has heads_LxH, layers_L, rule (a number), ratio and key.
  """
  keep = weight_masks.heads(params, arm["heads_LxH"], kernels=HEADS)
  keep = weight_masks.both(keep, weight_masks.layers(params, arm["layers_L"], pattern=LAYERS))
  where = trees.select(params, spacing.MASKED)
  masked = scoring.magnitude(params, {"ratio": arm["ratio"]})
  drawn = lambda: masking_lib.random_like(params, masked, where=where, key=arm["key"])
  ways = (lambda: params, lambda: masked, drawn)
  kept = jax.lax.switch(arm["rule"], ways)
  return weight_masks.both(keep, weight_masks.unchanged(params, kept))
