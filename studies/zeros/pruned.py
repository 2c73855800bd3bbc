"""Analysis `pruned`: heads, layers and weights removed, and trained again.

Planned in the published study and never done: its core of 13 heads, a quarter
of the network, was read off single removals. Here the rest is removed for
good, the numbers that remain are counted, and what remains is trained again
from its weights and from scratch, beside random choices of the same size and
the intact network trained as long.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import ablation, sweeps, trees, weight_masks
from primelens.studies.zeros import (
  program,
  pruned_arms,
  pruned_contrasts,
  scoring,
)


@dataclasses.dataclass(frozen=True)
class Result:
  """NLL in nats on test of networks of which a part was removed.

  `before_SxR` is that of the start of each arm R, `after_SxR` after `steps`
  more steps with the removed part held at 0; `parameters_SxR` are the numbers
  that remain. `arms` says what each removes, with its mean and interval;
  `contrasts` are paired differences, below 0 is better. `frozen_SxR` is the
  step of a loss that was not finite, -1 for none. `removed_head` is 4 D Dh,
  what each removed head takes away.
  """

  before_SxR: np.ndarray
  after_SxR: np.ndarray
  parameters_SxR: np.ndarray
  frozen_SxR: np.ndarray
  ratio_S: np.ndarray
  rank_SxLxH: np.ndarray
  arms: tuple[dict, ...]
  contrasts: tuple[dict, ...]
  removed_head: int
  steps: int
  batch_size: int
  windows: int


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
    data=(jnp.asarray(window_NxT1),),
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
    keep = pruned_arms.mask(bundle["trained"], arm | own)
    start = jax.tree.map(
      lambda fresh, trained: jnp.where(arm["scratch"], fresh, trained),
      bundle["fresh"],
      bundle["trained"],
    )
    params, frozen = program.retrain(
      its, optimizer, start, keep, data, bundle["key"], settings.steps
    )
    return {
      "before_N": nll(weight_masks.both(start, keep), test_NxT1),
      "after_N": nll(params, test_NxT1),
      "parameters": weight_masks.count(keep),
      "frozen": frozen,
    }

  return member, data


def _bundle(run, arms, keys_S):
  """Returns what each member brings: its params, and its rows of the arms."""
  stack = lambda name: np.stack([getattr(arm, name) for arm in arms], 1)
  draw_R = jnp.array([arm.draw for arm in arms])
  keys_SxR = jax.vmap(lambda key: jax.vmap(lambda draw: jax.random.fold_in(key, draw))(draw_R))(
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
  rule = [pruned_arms.RULES.index(arm.rule) for arm in arms]
  return {
    "row": jnp.arange(len(arms)),
    "layers_L": jnp.asarray(np.stack([arm.layers_L for arm in arms])),
    "rule": jnp.array(rule),
    "scratch": jnp.array([arm.start == "scratch" for arm in arms]),
  }


def run(run) -> Result:
  """Returns what pruning costs, and what training again gives back."""
  settings, evaluation = run.settings.pruned, run.settings.evaluation
  test, start_N = run.batches("test", settings.windows)
  select, _ = run.batches("select", evaluation.select_windows)
  rank_SxLxH, ratio_S = ranks(run, select), best_ratio(run, select)
  arms = pruned_arms.all_arms(settings, rank_SxLxH, ratio_S)
  member, data = _member(run)
  seeds = trees.length(run.params_S)
  found = sweeps.over(
    member,
    _bundle(run, arms, program.retraining_keys(run, settings.seed)),
    _rows(arms),
    data=(data, jnp.asarray(test)),
    batch_size=seeds * settings.arms_at_once,
  )
  found = {name: np.asarray(leaf) for name, leaf in found.items()}
  before, after = (found[name].astype(np.float64) for name in ("before_N", "after_N"))
  trunk = run.experiment.model.trunk
  return Result(
    before_SxR=before.mean(-1),
    after_SxR=after.mean(-1),
    parameters_SxR=found["parameters"],
    frozen_SxR=found["frozen"],
    ratio_S=ratio_S,
    rank_SxLxH=rank_SxLxH,
    arms=_records(run, arms, before, after, found["parameters"], start_N),
    contrasts=pruned_contrasts.all_contrasts(run, arms, before, after, start_N),
    removed_head=weight_masks.head_size(trunk.width, trunk.head_width),
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
        "before_nats": float(before_SxRxN[:, r].mean()),
        "after_nats": after["nats"],
        "after_low": after["low"],
        "after_high": after["high"],
      }
    )
  return tuple(rows)
