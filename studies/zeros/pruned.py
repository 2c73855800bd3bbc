"""What remains of a network after heads, layers or weights are removed and it is trained again?

The study planned to prune to the critical heads and train again, and did not: its core of heads, a
quarter of the network, was read off single removals, as the heads' share of the whole network.

Here heads are ranked on select by what replacing them by their mean costs, the rest is removed for
good, the numbers that remain are counted, and what remains is trained again from its weights and
from scratch for equally many steps. As many random heads, other layers and random masks are the
controls, and so is the intact network trained as long: training again alone changes the NLL. Few
steps favour a start from trained weights.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import ablation, masking, sweeps, trees
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.models import spacing
from primelens.studies.zeros import program, scoring
from primelens.tasks import checks

# --- published ------------------------------------------------------------------------------------

PARAMETERS = 4_802_336  # of E4, seed 7
PUBLISHED_HEADS, KEPT = 48, 13  # heads of the published networks, and of their core
HEAD_SIZE = 4 * 256 * 32  # numbers of a head of the published networks: 4 D Dh


@dataclasses.dataclass(kw_only=True)
class Settings(program.Retraining):
  """Heads, layers and weights removed, and training again."""

  kept: Annotated[tuple[checks.Share, ...], checks.Items(0, 1_000)] = (
    13 / 48,
    0.5,
  )  # shares of the heads
  ratio: checks.Share = 0.4  # of the weights removed, beside the best on select
  draws: Annotated[int, checks.Range(1, 1_000)] = 2  # random choices of the same size
  named: tuple[str, ...] = ()  # heads that alone are kept in an arm of their own: L0.H2, L0.H3, ...


obstacle = program.no_mixtures


# --- what each arm removes and where it starts ----------------------------------------------------

# Every weight of a head, and its axis of the heads within a layer.
HEADS = (
  (r"blocks/attention/query/kernel", 1),
  (r"blocks/attention/key/kernel", 1),
  (r"blocks/attention/value/kernel", 1),
  (r"blocks/attention/out/kernel", 0),
)
LAYERS = r"blocks/.*"
RULES = ("none", "magnitude", "random")
CHOSEN, NAMED = "costliest on select", "named heads"


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
    for choice, number, keep_SxLxH in _choices(settings, rank_SxLxH, kept):
      for start in ("trained", "scratch"):
        its = full | {"heads_SxLxH": keep_SxLxH}
        arms.append(Arm("heads", choice, start, number, float(kept), **its))
  arms += _named_heads(settings.named, full)
  return arms + _layers(full, layers) + _weights(settings, full, ratio_S)


def _named_heads(named, full: dict) -> list[Arm]:
  """Returns the arms that keep the heads of these names alone, no other head."""
  if not named:
    return []
  _, layers, heads = full["heads_SxLxH"].shape
  there = {f"L{l}.H{h}": (l, h) for l in range(layers) for h in range(heads)}
  unknown = [name for name in named if name not in there]
  if unknown:
    raise ValueError(f"pruned.named has no head {unknown[0]!r}; valid: {', '.join(there)}.")
  keep_SxLxH = np.zeros_like(full["heads_SxLxH"])
  for name in named:
    layer, head = there[name]
    keep_SxLxH[:, layer, head] = 1
  its, kept = full | {"heads_SxLxH": keep_SxLxH}, float(len(set(named)))
  return [Arm(NAMED, ", ".join(named), start, 0, kept, **its) for start in ("trained", "scratch")]


def _choices(settings, rank_SxLxH, kept: int):
  """Yields the chosen heads and the random ones, drawn for each seed."""
  total = rank_SxLxH[0].size
  keep = lambda rank: (rank >= total - kept).astype(np.float32)
  yield CHOSEN, 0, keep(rank_SxLxH)
  for number in range(settings.draws):
    rng = np.random.default_rng([settings.seed, kept, number])
    rank = [rng.permutation(total) for _ in rank_SxLxH]
    yield "random", number, keep(np.reshape(rank, rank_SxLxH.shape))


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
    Arm(what, rule, "trained", number, float(1 - ratio.mean()), **its)
    for what, ratio in ratios
    for rule, draws in (("magnitude", 1), ("random", settings.draws))
    for number in range(draws)
    for its in [full | {"rule": rule, "ratio_S": ratio}]
  ]


def mask(params, arm):
  """Returns the mask of one arm for one member.

  `arm` has heads_LxH, layers_L, rule (a number), ratio and key.
  """
  keep = masking.heads(params, arm["heads_LxH"], kernels=HEADS)
  keep = masking.both(keep, masking.layers(params, arm["layers_L"], pattern=LAYERS))
  where = trees.select(params, spacing.MASKED)
  masked = scoring.magnitude(params, {"ratio": arm["ratio"]})
  drawn = lambda: masking.random_like(params, masked, where=where, key=arm["key"])
  ways = (lambda: params, lambda: masked, drawn)
  kept = jax.lax.switch(arm["rule"], ways)
  return masking.both(keep, masking.unchanged(params, kept))


# --- what is removed, and training again ----------------------------------------------------------


def best_ratio(run, window_NxT1) -> np.ndarray:
  """Returns, by seed, the removed fraction above 0 that is best on select."""
  evaluation = run.settings.evaluation
  ratio_R = np.array([r for r in run.settings.masking.ratios if r], np.float32)
  if not len(ratio_R):
    return np.full(trees.length(run.params_S), run.settings.pruned.ratio)
  score = scoring.window_score(run.apply, evaluation.min_context, evaluation.batch)
  nll = sweeps.over(
    score,
    run.params_S,
    {"ratio": jnp.asarray(ratio_R)},
    transform=scoring.magnitude,
    data=(window_NxT1,),
    batch_size=trees.length(run.params_S),
  )
  return ratio_R[np.asarray(nll).mean(-1).argmin(1)]


def ranks(run, window_NxT1) -> np.ndarray:
  """Returns the rank of each head by its mean-ablation cost, SxLxH."""
  trunk = run.experiment.model.trunk
  rows = ablation.removals(trunk.layers, trunk.heads)
  return np.asarray(scoring.head_bundle(run, run.params_S, window_NxT1, rows)["rank_LxH"])


def _member(run):
  """Returns `f(bundle, arm, data, test) -> NLL before and after, numbers`."""
  settings, evaluation = run.settings.pruned, run.settings.evaluation
  its, data = program.retraining(run, settings)
  optimizer = program.retraining_optimizer(run, settings)
  nll = scoring.window_score(run.apply, evaluation.min_context, evaluation.batch)

  def member(bundle, arm, data, test_NxT1):
    own = {name: leaf[arm["row"]] for name, leaf in bundle["arms"].items()}
    keep = mask(bundle["trained"], arm | own)
    start = jax.tree.map(
      lambda fresh, trained: jnp.where(arm["scratch"], fresh, trained),
      bundle["fresh"],
      bundle["trained"],
    )
    params, frozen = program.retrain(
      its, optimizer, start, keep, data, bundle["key"], settings.steps
    )
    return {
      "before_N": nll(masking.both(start, keep), test_NxT1),
      "after_N": nll(params, test_NxT1),
      "parameters": masking.count(keep),
      "frozen": frozen,
    }

  return member, data


def _bundle(run, arms, keys_S):
  """Returns what each member brings: its params, and its rows of the arms."""
  stack = lambda name: np.stack([getattr(arm, name) for arm in arms], 1)
  draw_R = jnp.array([arm.draw for arm in arms])
  keys_SxR = jax.vmap(lambda key: jax.vmap(lambda number: jax.random.fold_in(key, number))(draw_R))(
    keys_S
  )
  return {
    "trained": run.params_S,
    "fresh": run.untrained_S(),
    "key": keys_S,
    "arms": {
      "heads_LxH": jnp.asarray(stack("heads_SxLxH")),
      "ratio": jnp.asarray(stack("ratio_S")),
      "key": keys_SxR,
    },
  }


def _rows(arms) -> dict:
  """Returns what all members share of each arm, stacked along R."""
  rule = [RULES.index(arm.rule) for arm in arms]
  return {
    "row": jnp.arange(len(arms)),
    "layers_L": jnp.asarray(np.stack([arm.layers_L for arm in arms])),
    "rule": jnp.array(rule),
    "scratch": jnp.array([arm.start == "scratch" for arm in arms]),
  }


# --- paired differences between the arms ----------------------------------------------------------


class Losses:
  """The NLL of every arm before and after training, SxN, draws averaged."""

  def __init__(self, arms, before_SxRxN, after_SxRxN):
    self.arms = arms
    self.nll = {"before": before_SxRxN, "after": after_SxRxN}

  def of(self, when: str, **where) -> np.ndarray:
    """Returns the mean over the arms whose records have these values."""
    rows = [
      r
      for r, arm in enumerate(self.arms)
      if all(arm.record[name] == value for name, value in where.items())
    ]
    return self.nll[when][:, rows].mean(1)

  def values(self, name: str) -> list:
    """Returns the values that arms have of a record's entry, in order."""
    return list(dict.fromkeys(arm.record[name] for arm in self.arms))


def all_contrasts(run, arms, before_SxRxN, after_SxRxN, start_N):
  """Returns every paired difference of interest as a record, in nats."""
  losses = Losses(arms, before_SxRxN, after_SxRxN)
  named = [*_of_network(losses), *_of_heads(losses), *_of_parts(losses)]
  return tuple(
    scoring.contrast(run, minuend - base, start_N, **names) for names, minuend, base in named
  )


def _named(what: str, kept: float, contrast: str) -> dict:
  return {"what": what, "kept": kept, "contrast": contrast}


def _of_network(losses: Losses) -> Iterator:
  yield (
    _named("network", 1.0, "trained on minus intact"),
    losses.of("after", what="network"),
    losses.of("before", what="network"),
  )


def _beside_intact(losses: Losses, what: str, kept: float, where) -> Iterator:
  """Yields what the removal costs, at once and with training."""
  yield (
    _named(what, kept, "removed minus intact"),
    losses.of("before", **where),
    losses.of("before", what="network"),
  )
  yield (
    _named(what, kept, "retrained minus intact trained on"),
    losses.of("after", **where),
    losses.of("after", what="network"),
  )


def _of_heads(losses: Losses) -> Iterator:
  kept_heads = {a.kept for a in losses.arms if a.what == "heads"}
  for kept in sorted(kept_heads):
    its = {"what": "heads", "kept": kept, "start": "trained"}
    scratch = its | {"start": "scratch"}
    yield from _beside_intact(losses, "heads", kept, its | {"choice": CHOSEN})
    for when, place, label in (
      ("before", its, "chosen minus random, removed"),
      ("after", its, "chosen minus random, retrained"),
      ("after", scratch, "chosen minus random, from scratch"),
    ):
      yield (
        _named("heads", kept, label),
        losses.of(when, choice=CHOSEN, **place),
        losses.of(when, choice="random", **place),
      )
    yield (
      _named("heads", kept, "retrained minus from scratch"),
      losses.of("after", choice=CHOSEN, **its),
      losses.of("after", choice=CHOSEN, **scratch),
    )


def _of_parts(losses: Losses) -> Iterator:
  """Yields layers and weights beside others of the same size."""
  pairs = {"layers": ("middle", "others"), "weights": RULES[1:]}
  for arm in losses.arms:
    if arm.what == NAMED and arm.start == "trained":
      its = {"what": NAMED, "start": "trained"}
      yield from _beside_intact(losses, NAMED, arm.kept, its)
  for what in losses.values("what"):
    kind = what.removeprefix("attention of ").partition(",")[0]
    if kind not in pairs:
      continue
    chosen, other = pairs[kind]
    kept = next(a.kept for a in losses.arms if a.what == what)
    its = {"what": what, "choice": chosen}
    yield from _beside_intact(losses, what, kept, its)
    for when, done in (("before", "removed"), ("after", "retrained")):
      yield (
        _named(what, kept, f"{chosen} minus {other}, {done}"),
        losses.of(when, **its),
        losses.of(when, what=what, choice=other),
      )


# --- the result -----------------------------------------------------------------------------------

NATS = "nats per spacing"
ARM = {
  "what": "what is removed from",
  "choice": "what stays, or which layers go",
  "start": "where training again starts",
  "draw": "number of the random draw",
  "kept": "heads or layers, else the share, that stay",
  "parameters": "numbers that remain, mean over seeds",
  "before": f"NLL on test before training again [{NATS}]",
  "after": f"NLL on test after training again [{NATS}]",
}
CONTRAST = {
  "what": "what is removed from",
  "kept": "heads or layers, else the share, that stay",
  "contrast": "difference",
  "nats": f"difference of the NLL on test [{NATS}]",
  "seeds": "networks",
}


def measure(run) -> xr.Dataset:
  """Returns what pruning costs, and what training again gives back."""
  settings, evaluation = run.settings.pruned, run.settings.evaluation
  test, start_N = run.batches("test", settings.windows)
  select, _ = run.batches("select", evaluation.select_windows)
  rank_SxLxH, ratio_S = ranks(run, select), best_ratio(run, select)
  arms = all_arms(settings, rank_SxLxH, ratio_S)
  member, data = _member(run)
  seeds = trees.length(run.params_S)
  found = sweeps.over(
    member,
    _bundle(run, arms, program.retraining_keys(run, settings.seed)),
    _rows(arms),
    data=(data, test),
    batch_size=seeds * settings.arms_at_once,
  )
  found = {name: np.asarray(leaf) for name, leaf in found.items()}
  before, after = (found[name].astype(np.float64) for name in ("before_N", "after_N"))
  trunk = run.experiment.model.trunk
  records = _records(run, arms, before, after, found["parameters"], start_N)
  contrasts = all_contrasts(run, arms, before, after, start_N)
  variables = {
    "before": results.variable(
      "seed arms", before.mean(-1), "NLL on test before training again", NATS
    ),
    "after": results.variable(
      "seed arms", after.mean(-1), "NLL on test after training again", NATS
    ),
    "parameters": results.variable("seed arms", found["parameters"], "numbers that remain"),
    "frozen_step": results.variable(
      "seed arms", found["frozen"], "step of a loss that was not finite, -1 for none"
    ),
    "ratio": results.variable("seed", ratio_S, "removed fraction of weights, best on select"),
    "rank": results.variable(
      "seed layer head", rank_SxLxH, "rank of the head on select, 0 costs least to remove"
    ),
    **results.rows("arms", records, ARM),
    **results.rows("contrasts", contrasts, CONTRAST),
  }
  _, layers, heads = rank_SxLxH.shape
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "layer": results.variable("layer", np.arange(layers), "layer"),
    "head": results.variable("head", np.arange(heads), "head"),
  }
  return results.dataset(
    variables,
    coords,
    removed_head=masking.head_size(trunk.width, trunk.head_width),
    steps=settings.steps,
    batch_size=settings.batch_size or run.experiment.fit.batch_size,
    windows=len(start_N),
  )


def _records(run, arms, before_SxRxN, after_SxRxN, parameters_SxR, start_N):
  """Returns a row per arm: the NLL after training, with its interval."""
  rows = []
  for r, arm in enumerate(arms):
    after = scoring.contrast(run, after_SxRxN[:, r], start_N)
    rows.append(
      arm.record
      | {
        "parameters": float(parameters_SxR[:, r].mean()),
        "before": float(before_SxRxN[:, r].mean()),
        "after": after["nats"],
        "after_low": after["nats_low"],
        "after_high": after["nats_high"],
      }
    )
  return rows


# --- figures and tables ---------------------------------------------------------------------------

STARTS = {"trained": draw.BLUE, "scratch": draw.ORANGE}
NAMES = {"trained": "from its weights", "scratch": "from scratch"}


def part(what: str, kept: float) -> str:
  """Returns in words what an arm keeps."""
  if what == "network":
    return "whole network"
  if what in ("heads", NAMED):
    return f"{kept:g} {what} kept"
  if "layers" in what:
    return f"{what} removed"
  return f"{kept:.2f} of the {what}"


def _label(row: Mapping) -> str:
  """Returns the name of a paired difference on an axis."""
  return f"{part(row['what'], row['kept'])}: {row['contrast']}"


def _label_of_runs(row: Mapping) -> str:
  """Returns the name under which runs are compared, whose shares of weights may differ."""
  what = row["what"]
  return f"{what}: {row['contrast']}" if what.startswith("weights") else _label(row)


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares their paired differences."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  both = scoring.contrasts_of(runs, _label_of_runs)
  panel = draw.rows(
    both,
    "contrasts_nats",
    x="contrasts",
    colour="run",
    title="Paired differences (bars: 95 %, seeds and blocks)",
    xlabel=f"difference of the NLL ({NATS}; below 0: better)",
  )
  return {"all runs": draw.page(panel, heights=[1.5 + 0.26 * both.sizes["contrasts"]])} | pages


def _page(run: str, found: xr.Dataset) -> draw.Page:
  groups = grouped(tables_lib.rows(found, "arms"))
  labels = [_label(row) for row in tables_lib.rows(found, "contrasts")]
  differences = draw.rows(
    found,
    "contrasts_nats",
    x="contrasts",
    labels=labels,
    title="Paired differences (bars: 95 %, seeds and blocks)",
    xlabel=f"difference of the NLL ({NATS}; below 0: better)",
  )
  return draw.page(
    _arms_panel(run, groups, found),
    differences,
    heights=[1.6 + 0.27 * len(groups), 1.3 + 0.3 * len(labels)],
  )


def grouped(arms) -> dict[tuple, list[dict]]:
  """Returns the rows of each arm, its random draws together."""
  groups: dict[tuple, list[dict]] = {}
  for row in arms:
    key = (row["what"], row["kept"], row["choice"], row["start"])
    groups.setdefault(key, []).append(row)
  return groups


def _arms_panel(run: str, groups, found: xr.Dataset) -> draw.Panel:
  """Draws the NLL before and after training; a point per random draw."""

  def panel(axes):
    labels, starts = [], set()
    for at, ((what, kept, choice, start), rows) in enumerate(groups.items()):
      place = at + (np.linspace(-0.15, 0.15, len(rows)) if len(rows) > 1 else np.zeros(1))
      axes.plot(
        [row["before"] for row in rows],
        place,
        "o",
        color=draw.GREY,
        mfc="white",
        ms=4.5,
        label=None if at else "before training",
      )
      after = [row["after"] for row in rows]
      value = np.array([each.estimate for each in after])
      ends = [value - [each.low for each in after], [each.high for each in after] - value]
      axes.errorbar(
        value,
        place,
        xerr=np.maximum(ends, 0),
        fmt="o",
        ms=4,
        lw=1.5,
        capsize=2.5,
        color=STARTS[start],
        label=None if start in starts else f"after {found.steps:,} steps {NAMES[start]}",
      )
      starts.add(start)
      labels.append(f"{part(what, kept)}, {choice}")
    intact = float(found.arms_after[0])
    axes.axvline(intact, color="black", lw=0.8, ls=":", label="intact, trained as long")
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set(
      title=f"{run}: pruned, and trained again (bars: 95 %)",
      xlabel=f"NLL on {found.windows:,} windows of test ({NATS})",
    )

  return panel


def tables(runs) -> list[tables_lib.Table]:
  """Returns the paired differences of all runs, then every arm."""
  said = "; ".join(
    f"{run}: {found.steps:,} steps of {found.batch_size} windows, scored on {found.windows:,}"
    for run, found in runs.items()
  )
  removed = PUBLISHED_HEADS - KEPT
  left = remaining(PARAMETERS, removed, HEAD_SIZE)
  return [
    tables_lib.Table(
      "Paired differences of the NLL in nats on the same windows of test, mean over random draws,"
      " interval over seeds and blocks; below 0 is better.",
      [
        {
          "run": run,
          "removed from": row["what"],
          "kept": _kept(row),
          "difference": row["contrast"],
          "nats": row["nats"],
        }
        for run, found in runs.items()
        for row in tables_lib.rows(found, "contrasts")
      ],
      {"nats": "+.4f"},
      "contrasts",
    ),
    tables_lib.Table(
      f"NLL in nats on windows of test, before and after training again; a row per random draw"
      f" ({said}). A head of the published networks has {HEAD_SIZE:,} numbers: without {removed} of"
      f" their {PUBLISHED_HEADS} heads {left:,} of {PARAMETERS:,} remain.",
      [
        {
          "run": run,
          "removed from": row["what"],
          "what stays": row["choice"],
          "kept": _kept(row),
          "start": {"trained": "its weights"}.get(row["start"], row["start"]),
          "parameters": round(row["parameters"]),
          "NLL before": row["before"],
          "NLL after": row["after"],
          "stopped by a loss that was not finite": f"{int((frozen_S >= 0).sum())}"
          f" of {len(frozen_S)}",
        }
        for run, found in runs.items()
        for row, frozen_S in zip(
          tables_lib.rows(found, "arms"),
          found.frozen_step.transpose("arms", "seed").values,
          strict=True,
        )
      ],
      {"NLL before": ".4f", "NLL after": ".4f"},
      "arms",
    ),
  ]


def _kept(row: Mapping) -> str:
  return f"{row['kept']:g}" if row["what"] in ("heads", NAMED) else f"{row['kept']:.2f}"


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
_SOURCE = f"{program.REPOSITORY}, results/attention_ablation.json"
SMALL = 0.01  # nats: what is left may be this much worse and still suffice
BESIDE_INTACT = "retrained minus intact trained on"


def remaining(total: int, removed: int, head_size: int) -> int:
  """Returns the parameters of a network of which heads were removed."""
  return total - removed * head_size


@CLAIMS.add(
  "pruned.size",
  "Thirteen heads are a core of 1.2 M parameters, 25 to 27 % of the model.",
  reported="1.2 M, 25-27 %, extrapolated from single effects",
  source=_SOURCE,
)
def size(results):
  """Returns the verdict: what is left when 35 of 48 heads go is arithmetic, for any run's sake."""
  found = program.on_published(results).of("pruned")
  total = PARAMETERS
  left = remaining(total, PUBLISHED_HEADS - KEPT, HEAD_SIZE)
  numbers = {
    "published network": total,
    "left with 13 of 48 heads": left,
    "in 13 heads": KEPT * HEAD_SIZE,
  }
  parts = []
  for name, result in found.items():
    arm = core_arm(result)
    whole = result.arms_parameters[0].item()
    numbers |= {f"{name}: whole": whole, f"{name}: left": arm["parameters"]}
    parts.append(f"{name}: {arm['kept']:.0f} heads leave {arm['parameters']:,.0f} of {whole:,.0f}")
  because = (
    f"a head holds {HEAD_SIZE:,} numbers, so that 13 hold "
    f"{KEPT * HEAD_SIZE:,} and removing the other 35 of {total:,} leaves "
    f"{left:,}, {left / total:.0%}: the MLPs stay. 13/48 of the whole network, "
    "1.3 M, is what the source's share amounts to. Counted after removal, " + "; ".join(parts) + "."
  )
  return claims.verdict(left < 0.3 * total, because, numbers)


def core_arm(found: xr.Dataset) -> dict:
  """Returns the record of the chosen heads whose share is nearest to 13 of 48."""
  heads = found["rank"].isel(seed=0).size
  rows = [row for row in tables_lib.rows(found, "arms") if row["what"] == "heads"]
  return min(rows, key=lambda row: abs(row["kept"] / heads - KEPT / PUBLISHED_HEADS))


def _decide(results, found, contrasts, said):
  """Returns the verdict on what suffices, by POSTFIX runs of published size.

  `contrasts(result)` gives the difference from the intact network trained as
  long, which must be below 0.01 nats, and from the control, which must be
  below 0: where it is not, anything else of that size does as well.
  """
  numbers, parts, pairs = {}, [], {}
  for name, result in found.items():
    cost, control = pairs[name] = contrasts(result)
    numbers[f"{name}: {cost['contrast']}"] = cost["nats"].estimate
    numbers[f"{name}: {control['contrast']}"] = control["nats"].estimate
    parts.append(
      f"{name}: {said(cost)}, {cost['contrast']} {cost['nats']:+.4f} nats; "
      f"{control['contrast']} {control['nats']:+.4f}"
    )
  because = ". ".join(parts) + "."
  postfix = [run for run in found if results.cards[run]["memory"] == "postfix"]
  big = program.published_size(results, postfix)
  return claims.verdict(
    all(pairs[name][0]["nats"].high < SMALL for name in big),
    because,
    numbers,
    artefact=any(pairs[name][1]["nats"].high >= 0 for name in big),
    undecided=program.undecided(big),
  )


def _contrast(found: xr.Dataset, **where) -> Mapping:
  return claims.row(tables_lib.rows(found, "contrasts"), **where)


@CLAIMS.add(
  "pruned.core",
  f"About {KEPT} of {PUBLISHED_HEADS} heads suffice: a network pruned to them and trained again is"
  " as good.",
  reported="not trained, not tested",
  source=f"{_SOURCE}; the retraining was planned",
)
def core(results):
  """Returns the verdict: the chosen heads alone, trained again, beside as many random ones."""

  def contrasts(found):
    its = {"what": "heads", "kept": core_arm(found)["kept"]}
    cost = _contrast(found, **its, contrast=BESIDE_INTACT)
    return cost, _contrast(found, **its, contrast="chosen minus random, retrained")

  found = program.on_published(results).of("pruned")
  return _decide(results, found, contrasts, lambda row: f"{row['kept']:.0f} heads kept")


@CLAIMS.add(
  "pruned.layers",
  "Layers 1 and 2 can be removed.",
  reported="single slices down to -0.0604 nats; never removed together",
  source=_SOURCE,
)
def layers(results):
  """Returns the verdict: the attention of layers 1 and 2 removed, beside that of other layers."""

  def contrasts(found):
    its = {"what": "attention of layers"}
    cost = _contrast(found, **its, contrast=BESIDE_INTACT)
    return cost, _contrast(found, **its, contrast="middle minus others, retrained")

  found = {
    name: result
    for name, result in program.on_published(results).of("pruned").items()
    if "layers" in result.arms_what.values
  }
  if not found:
    raise claims.Missing("pruned of a model with more than one layer", analysis="pruned")
  layers = lambda count: f"{count:.0f} {'layer' if round(count) == 1 else 'layers'}"
  said = lambda row: f"all but {layers(row['kept'])} without attention"
  return _decide(results, found, contrasts, said)


@CLAIMS.add(
  "pruned.mask",
  "Masking finds the knowledge core: with the 40 % smallest weights gone and the rest trained again"
  " the network is as good.",
  reported="-0.027 nats without retraining",
  source=f"{program.REPOSITORY}, results/masking_E4_s7.json; the retraining was not done",
)
def held_mask(results):
  """Returns the verdict: the published mask held while the rest trains, beside a random one."""

  def contrasts(found):
    its = {"what": "weights, published ratio"}
    cost = _contrast(found, **its, contrast=BESIDE_INTACT)
    return cost, _contrast(found, **its, contrast="magnitude minus random, retrained")

  said = lambda row: f"{row['kept']:.2f} of the weights kept"
  found = program.on_published(results).of("pruned")
  return _decide(results, found, contrasts, said)
