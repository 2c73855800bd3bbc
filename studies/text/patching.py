"""Analysis `patching`: another prompt's states put in place, one at a time.

Donors have the same sum (x + d, y - d) or another one (x + d, y), are in range
and have the same digit counts, so that every character has its place. The
source names this experiment and never did it. Source: arithmetic spec,
section 6.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import patching, statistics, sweeps
from primelens.models import encoder
from primelens.studies.text import answers, rewritten, states
from primelens.tasks import characters

ROWS = 400  # patched; a quarter of them for untrained networks
DONORS = ("equal", "unequal")  # P: has the donor the prompt's sum?
EQUAL, UNEQUAL = 0, 1
EVERYWHERE = "every position"  # beside the roles: the donor's whole level


@dataclasses.dataclass(frozen=True)
class Result:
  """Effects by level E and role R, of members S and untrained networks V.

  `moved_SxExR` is the mean of (patched - clean) over that of (donor - clean)
  with donors of another sum: of the answer, signed towards the donor's, or of
  the log-probability of the donor's answer. `disturbed_PxSxExR` is the change
  of the answer, P with either kind of donor, over that between prompts and
  donors of another sum: root mean squares, or total variation of the classes.
  NaN where no row has the role.
  """

  effects: tuple[dict, ...]
  levels: tuple[dict, ...]
  roles: tuple[dict, ...]
  moved_SxExR: np.ndarray
  disturbed_PxSxExR: np.ndarray
  untrained_moved_VxExR: np.ndarray
  untrained_disturbed_PxVxExR: np.ndarray
  shift_N: np.ndarray
  regression: bool


class Pairs(NamedTuple):
  """Prompts and their donors: tokens, answers, positions of the roles."""

  clean_NxT: np.ndarray
  donor_PxNxT: np.ndarray
  answer_N: np.ndarray
  goal_N: np.ndarray  # the answer of donors with another sum
  role_NxR: np.ndarray
  shift_N: np.ndarray


def run(run) -> Result:
  """Returns what donors' states do to the answers of every member."""
  found = pairs(run.probes(), ROWS, run.settings.seed)
  few = max(1, len(found.shift_N) // 4)
  part = lambda x: x[:, :few] if x.ndim == 3 else x[:few]
  some = Pairs(*map(part, found))
  moved_SxExR, disturbed_PxSxExR = effects(run, found, run.params_S)
  null = effects(run, some, answers.untrained_S(run))
  names = roles(found)
  return Result(
    effects=tuple(
      _records(
        states.levels(run),
        names,
        found.role_NxR,
        {"moved": moved_SxExR, "disturbed": disturbed_PxSxExR},
        {"moved": null[0], "disturbed": null[1]},
      )
    ),
    levels=tuple({"level": name} for name in states.levels(run)),
    roles=tuple({"role": name} for name in names),
    moved_SxExR=moved_SxExR,
    disturbed_PxSxExR=disturbed_PxSxExR,
    untrained_moved_VxExR=null[0],
    untrained_disturbed_PxVxExR=null[1],
    shift_N=found.shift_N,
    regression=run.regression,
  )


def pairs(prompts, count: int, seed: int) -> Pairs:
  """Returns up to `count` prompts of the test part with donors of both kinds.

  d is drawn between 5 % and 30 % of the operands' range; prompts without such
  donors, or whose answer a donor of another sum shares, are left out. Raises
  `ValueError` where none is left.
  """
  config, row_N = prompts.config, prompts.test_N
  x_N, y_N = prompts.x_N[row_N], prompts.y_N[row_N]
  low, high = max(config.operands // 20, 1), max(3 * config.operands // 10, 1)
  rng = np.random.default_rng(seed)
  shift_N = rng.integers(low, high + 1, len(row_N))
  goal_N = rewritten.answers(prompts, row_N, x_N + shift_N, y_N)
  fits_N = (
    rewritten.alike(config, x_N, x_N + shift_N)
    & rewritten.alike(config, y_N, y_N - shift_N)
    & (goal_N != prompts.answer_N[row_N])
  )
  kept_N = np.flatnonzero(fits_N)[:count]
  if not kept_N.size:
    raise ValueError("no prompt of the test part has donors of both kinds.")
  row_N, shift_N = row_N[kept_N], shift_N[kept_N]
  x_N, y_N = x_N[kept_N], y_N[kept_N]
  written = functools.partial(rewritten.tokens, prompts, row_N)
  clean_NxT = written(x_N, y_N)
  role_NxR = characters.roles(clean_NxT)
  return Pairs(
    clean_NxT=clean_NxT,
    donor_PxNxT=np.stack([written(x_N + shift_N, y_N - shift_N), written(x_N + shift_N, y_N)]),
    answer_N=prompts.answer_N[row_N],
    goal_N=goal_N[kept_N],
    role_NxR=role_NxR[:, (role_NxR >= 0).any(0)],
    shift_N=shift_N,
  )


def roles(found: Pairs) -> tuple[str, ...]:
  """Returns the names of R: the roles that prompts have, and EVERYWHERE."""
  there_R = np.any(characters.roles(found.clean_NxT) >= 0, axis=0).tolist()
  known = zip(characters.ROLES, there_R, strict=True)
  return (*(name for name, there in known if there), EVERYWHERE)


def effects(run, found: Pairs, params_S) -> tuple[np.ndarray, np.ndarray]:
  """Returns `moved` SxExR and `disturbed` PxSxExR of networks."""
  cells = cells_of(run.experiment.model.trunk.layers, found.role_NxR.shape[1])
  read = functools.partial(states.over_members, everything, run, params_S=params_S)
  clean, donors = read(found.clean_NxT), list(map(read, found.donor_PxNxT))
  for donor in donors:
    donor["state"] = np.moveaxis(donor["state"], 2, 1)  # ExN, to slice levels
  bundle_S = {
    "params": params_S,
    "state_PxExNxTxD": np.stack([donor["state"] for donor in donors], 1),
    "clean_NxV": clean["output"],
  }
  data = (found.clean_NxT, found.role_NxR, found.answer_N, found.goal_N)
  value_SxQxN, gap_SxQxN = jax.device_get(
    sweeps.over(
      patched(run.apply, run.experiment.model.trunk.layers),
      jax.tree.map(jnp.asarray, bundle_S),
      jax.tree.map(jnp.asarray, cells),
      data=tuple(map(jnp.asarray, data)),
      batch_size=1,
    )
  )
  # What a patch does is measured by what the other prompt does.
  measured = jax.vmap(measures, (0, 0, None, None))
  clean_SxN, _ = measured(clean["output"], clean["output"], found.answer_N, found.goal_N)
  whole_SxN, apart_SxN = measured(
    donors[UNEQUAL]["output"], clean["output"], found.answer_N, found.goal_N
  )
  return _ratios(
    run,
    cells,
    found.role_NxR,
    (value_SxQxN, gap_SxQxN),
    tuple(map(np.asarray, (clean_SxN, whole_SxN, apart_SxN))),
  )


def everything(model: encoder.Config, params, token_BxT) -> dict:
  """Returns a network's answers BxV and its states BxExTxD."""
  state_ExBxTxD = states.all_levels(model, params, token_BxT)
  pooled_BxD = encoder.pooled(state_ExBxTxD[-1], token_BxT)
  return {"output": encoder.readout(params, pooled_BxD), "state": jnp.moveaxis(state_ExBxTxD, 1, 0)}


def cells_of(layers: int, roles: int) -> dict[str, np.ndarray]:
  """Returns every patch, stacked: its donor P, level E and role R.

  After the last block the last character's state alone is read, so that the
  others (all but the last role and EVERYWHERE) are left out.
  """
  grid = np.argwhere(np.ones((len(DONORS), layers + 2, roles + 1)))
  donor_Q, level_Q, role_Q = grid[(grid[:, 1] < layers) | (grid[:, 2] >= roles - 1)].T
  return {"donor": donor_Q, "level": level_Q, "role": role_Q}


@functools.cache
def patched(apply, layers: int):
  """Returns `f(bundle, cell, token_NxT, role_NxR, answer_N, goal_N)`: the
  `measures` of the answers with one role's state at one level a donor's."""

  def score(bundle, cell, token_NxT, role_NxR, answer_N, goal_N):
    length, roles = token_NxT.shape[1], role_NxR.shape[1]
    one_N = jnp.take(role_NxR, jnp.minimum(cell["role"], roles - 1), axis=1)
    where_NxT = patching.at(one_N, length) | (cell["role"] == roles)
    donor_NxTxD = bundle["state_PxExNxTxD"][cell["donor"], cell["level"]]
    change = patching.replaced(donor_NxTxD, where_NxT)
    output_NxV, _ = apply(
      bundle["params"], token_NxT, edits=patching.edits(change, cell["level"], layers)
    )
    return measures(output_NxV, bundle["clean_NxV"], answer_N, goal_N)

  return score


def measures(output_NxV, clean_NxV, answer_N, goal_N):
  """Returns how much every row says of its goal, and how far it is from the
  clean answer, N each.

  The answer signed towards the goal, and its squared change; of classes, the
  log-probability of the goal, and half the sum of |p - p_clean|.
  """
  if output_NxV.shape[-1] == 1:
    sign_N = jnp.sign(goal_N - answer_N)
    gap_N = (output_NxV - clean_NxV)[:, 0] ** 2
    return output_NxV[:, 0] * sign_N, gap_N
  log_NxV = jax.nn.log_softmax(output_NxV)
  goal_Nx1 = goal_N.astype(jnp.int32)[:, None]
  apart_NxV = jax.nn.softmax(output_NxV) - jax.nn.softmax(clean_NxV)
  return (jnp.take_along_axis(log_NxV, goal_Nx1, axis=1)[:, 0], 0.5 * jnp.abs(apart_NxV).sum(-1))


def _ratios(run, cells: Mapping, role_NxR, patched_2xSxQxN, whole_3xSxN):
  """Returns `moved` SxExR and `disturbed` PxSxExR: ratios of means over the
  rows that have the role; 0 for what is not read."""
  value_SxQxN, gap_SxQxN = (np.asarray(x, float) for x in patched_2xSxQxN)
  clean_SxN, donor_SxN, apart_SxN = (np.asarray(x, float) for x in whole_3xSxN)
  there_NxR = np.column_stack([role_NxR >= 0, np.ones(len(role_NxR), bool)])
  there_QxN = there_NxR.T[cells["role"]].astype(float)
  mean_SxQ = lambda x_SxQxN: np.sum(x_SxQxN * there_QxN, -1)
  way_SxQ = mean_SxQ((donor_SxN - clean_SxN)[:, None])
  moved_SxQ = mean_SxQ(value_SxQxN - clean_SxN[:, None]) / way_SxQ
  disturbed_SxQ = mean_SxQ(gap_SxQxN) / mean_SxQ(apart_SxN[:, None])
  if run.regression:
    disturbed_SxQ = np.sqrt(disturbed_SxQ)
  shape = (len(DONORS), run.experiment.model.trunk.layers + 2)
  grids = np.zeros((2, len(clean_SxN), *shape, there_NxR.shape[1]))
  at = (cells["donor"], cells["level"], cells["role"])
  grids[0][:, *at], grids[1][:, *at] = moved_SxQ, disturbed_SxQ
  moved_PxSxExR, disturbed_PxSxExR = np.swapaxes(grids, 1, 2)
  return moved_PxSxExR[UNEQUAL], disturbed_PxSxExR


def _records(levels, roles, role_NxR, mine, theirs) -> Iterator[dict]:
  """Yields a record per level and role, with intervals over seeds."""
  count_R = [*(role_NxR >= 0).sum(0), len(role_NxR)]
  named = lambda found: {
    "moved": found["moved"],
    "disturbed_equal": found["disturbed"][EQUAL],
    "disturbed_unequal": found["disturbed"][UNEQUAL],
  }
  mine, theirs = named(mine), named(theirs)
  for e, level in enumerate(levels):
    for r, role in enumerate(roles):
      row = {"level": level, "role": role, "rows": int(count_R[r])}
      for name, value_SxExR in mine.items():
        value_S = value_SxExR[:, e, r]
        mean = statistics.seed_interval(value_S)
        row |= {
          name: float(mean.estimate),
          f"{name}_low": float(mean.low),
          f"{name}_high": float(mean.high),
          f"{name}_min": float(value_S.min()),
          f"{name}_max": float(value_S.max()),
          f"{name}_untrained": float(np.median(theirs[name][:, e, r])),
        }
      yield row
