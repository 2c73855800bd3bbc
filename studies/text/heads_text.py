"""Analysis `heads_text`: what attention reads, and what the heads do.

Attention on the classes of characters is a description; beside it stand
uniform attention, untrained networks, and what happens to the answer when a
head says its mean. Source: arithmetic spec, sections 4.7, 5.6 and 6.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import sweeps
from primelens.studies.text import answers, heads_text_reported, program, states
from primelens.studies.text import heads_text_parts as parts
from primelens.studies.text import heads_text_records as records
from primelens.tasks import characters

REPORTED = heads_text_reported.REPORTED
PATCHED = 500  # rows that get a donor's output; of untrained networks


@dataclasses.dataclass(frozen=True)
class Result:
  """Attention from the last character, sweeps of all queries, causal effects.

  `mass_SxLxHxV` is attention on `classes` over the select rows,
  `mass_as_published_SxLxHxV` over the first thousand, `uniform_V` that of
  uniform attention; `entropy_SxLxH` is of the attention over positions.
  `sweep_SxLxExV` has the queries by role (E: `roles`; NaN where no row has
  it), `sweep_as_published_SxLxTxV` by position, mean over heads.

  `delta_PxSxLxH` is the change of the loss where a head says its mean, P:
  everywhere, or at the last character alone; `intact_S` is the loss in `unit`,
  `constant` that of a constant. `path_PxSxLxH` says how far a donor's output
  at the last character moves the answer towards the donor's, P: by all paths,
  or by the direct one. R are untrained networks, on the first PATCHED rows.
  `pattern_LxHxTxT` is of the first member on `line`.
  """

  table: tuple[dict, ...]
  heads: tuple[dict, ...]
  layers: tuple[dict, ...]
  classes: tuple[dict, ...]
  roles: tuple[dict, ...]
  mass_SxLxHxV: np.ndarray
  mass_as_published_SxLxHxV: np.ndarray
  uniform_V: np.ndarray
  entropy_SxLxH: np.ndarray
  uniform_entropy: float
  sweep_SxLxExV: np.ndarray
  sweep_as_published_SxLxTxV: np.ndarray
  delta_PxSxLxH: np.ndarray
  path_PxSxLxH: np.ndarray
  intact_S: np.ndarray
  untrained_mass_RxLxHxV: np.ndarray
  untrained_entropy_RxLxH: np.ndarray
  untrained_delta_PxRxLxH: np.ndarray
  untrained_path_PxRxLxH: np.ndarray
  pattern_LxHxTxT: np.ndarray
  line: str
  unit: str
  constant: float


def run(run) -> Result:
  """Returns the heads of every member, and those of fresh networks."""
  text, fresh_S = run.prompts, answers.untrained_S(run)
  row_N = text.select_N[: answers.ROWS]
  token_NxT = text.token_NxT[row_N]
  mine = reading(run, token_NxT, run.params_S)
  theirs = reading(run, token_NxT, fresh_S)
  effect = causal(run, row_N, run.params_S)
  null = causal(run, row_N[:PATCHED], fresh_S)
  uniform_V, uniform_entropy = records.uniform(token_NxT)
  constant, unit = _constant(run, row_N)
  first = jax.tree.map(lambda leaf: leaf[:1], run.params_S)
  pattern = states.over_members(parts.pattern, run, token_NxT[:1], first)
  share = records.scores(mine["mass"], mine["entropy"])
  untrained = records.scores(theirs["mass"], theirs["entropy"])
  level = records.scores(uniform_V, uniform_entropy)
  return Result(
    table=records.table(run, mine, token_NxT),
    heads=tuple(records.heads(share, untrained, level, effect, null)),
    layers=tuple(records.layers(share["copy"], untrained["copy"], level["copy"])),
    classes=tuple({"class": name} for name in characters.CLASSES),
    roles=tuple({"role": name} for name in characters.ROLES),
    mass_SxLxHxV=mine["mass"],
    mass_as_published_SxLxHxV=mine["mass_as_published"],
    uniform_V=uniform_V,
    entropy_SxLxH=mine["entropy"],
    uniform_entropy=uniform_entropy,
    sweep_SxLxExV=mine["sweep"],
    sweep_as_published_SxLxTxV=mine["sweep_as_published"],
    delta_PxSxLxH=effect["delta"],
    path_PxSxLxH=effect["path"],
    intact_S=effect["intact"],
    untrained_mass_RxLxHxV=theirs["mass"],
    untrained_entropy_RxLxH=theirs["entropy"],
    untrained_delta_PxRxLxH=null["delta"],
    untrained_path_PxRxLxH=null["path"],
    pattern_LxHxTxT=pattern[0, 0],
    line=characters.decode(token_NxT[:1])[0],
    unit=unit,
    constant=constant,
  )


def reading(run, token_NxT, params_S) -> dict[str, np.ndarray]:
  """Returns what the heads of networks read, means over the rows.

  As published is over the first thousand; the sweep by position is of the rows
  that have it, for all of them.
  """
  found = states.over_members(parts.reads, run, parts.with_classes(token_NxT), params_S)
  found = {name: np.asarray(x, np.float64) for name, x in found.items()}
  few = slice(heads_text_reported.ROWS)
  sweep_SxNxTxLxV = np.moveaxis(found["sweep"], 3, 2)
  place_T = np.arange(token_NxT.shape[1])
  last_N = characters.lengths(token_NxT) - 1
  place_NxT = np.where(place_T <= last_N[:, None], place_T, -1)
  return {
    "mass": found["mass"].mean(1),
    "entropy": found["entropy"].mean(1),
    "mass_as_published": found["mass"][:, few].mean(1),
    "entropy_as_published": found["entropy"][:, few].mean(1),
    "sweep": _where(sweep_SxNxTxLxV, characters.roles(token_NxT)),
    "sweep_as_published": _where(sweep_SxNxTxLxV, place_NxT),
  }


def _where(value_SxNxTxLxV, place_NxE) -> np.ndarray:
  """Returns the mean at given places over the rows that have them, SxLxExV;
  NaN where none has (-1)."""
  row_Nx1 = np.arange(len(place_NxE))[:, None]
  there_NxE = place_NxE >= 0
  value = value_SxNxTxLxV[:, row_Nx1, np.maximum(place_NxE, 0)]
  total_SxExLxV = np.einsum("snelv,ne->selv", value, there_NxE.astype(float))
  count_Ex1x1 = there_NxE.sum(0)[:, None, None]
  mean_SxExLxV = np.where(count_Ex1x1, total_SxExLxV / np.maximum(count_Ex1x1, 1), np.nan)
  return np.moveaxis(mean_SxExLxV, 1, 2)


def causal(run, row_N, params_S) -> dict[str, np.ndarray]:
  """Returns the loss and its changes where a head says its mean, and how far
  a donor's output moves the answer.

  `intact` S, `delta` and `path` PxSxLxH; losses in raw units or nats.
  """
  trunk, task = run.experiment.model.trunk, run.experiment.task
  grid = (trunk.layers, trunk.heads)
  token_NxT = run.prompts.token_NxT[row_N]
  target_N = program.targets(run.experiment.model, run.prompts)[row_N]
  bundle_S = {"params": params_S, "mean_PxLxHxDh": means(run, row_N, params_S)}
  loss = parts.loss_without(run.apply)
  rows = (token_NxT, target_N)
  loss_SxR = _over(loss, bundle_S, parts.removals(*grid), *rows)
  if run.regression:
    loss_SxR = loss_SxR * task.scale**2
  path_SxR = _over(parts.moved(run.apply), params_S, parts.paths(*grid), token_NxT[:PATCHED])
  every = trunk.layers * trunk.heads
  # The last layer's only path is the direct one.
  direct_SxR = np.concatenate(
    [path_SxR[:, every:], path_SxR[:, every - trunk.heads : every]], axis=1
  )
  delta_SxR = loss_SxR[:, 1:] - loss_SxR[:, :1]
  shape = lambda value_SxR: value_SxR.reshape(-1, *grid)
  return {
    "intact": loss_SxR[:, 0],
    "delta": np.stack([shape(delta_SxR[:, :every]), shape(delta_SxR[:, every:])]),
    "path": np.stack([shape(path_SxR[:, :every]), shape(direct_SxR)]),
  }


def _over(score, networks_S, cells_R, *data) -> np.ndarray:
  """Returns a score of every network and cell, one at a time, SxR."""
  found = sweeps.over(
    score,
    networks_S,
    jax.tree.map(jnp.asarray, cells_R),
    data=tuple(map(jnp.asarray, data)),
    batch_size=1,
  )
  return np.asarray(found, np.float64)


def means(run, row_N, params_S) -> jax.Array:
  """Returns the heads' mean outputs SxPxLxHxDh: over all characters, and over
  the last ones (P: everywhere, last)."""
  token_NxT = run.prompts.token_NxT[row_N]
  found = states.over_members(parts.said, run, token_NxT, params_S)
  count = characters.lengths(token_NxT).sum()
  everywhere = found["sum"].sum(1, dtype=np.float64) / count
  last = found["last"].mean(1, dtype=np.float64)
  return jnp.asarray(np.stack([everywhere, last], 1), jnp.float32)


def _constant(run, row_N) -> tuple[float, str]:
  """Returns the loss of a constant answer, and the unit of losses."""
  text = run.prompts
  train_N, truth_N = text.answer_N[text.train_N], text.answer_N[row_N]
  if run.regression:
    return float(np.mean((truth_N - train_N.mean()) ** 2)), "raw mse"
  blank_1xNxV = np.zeros((1, len(truth_N), run.experiment.model.outputs))
  found = answers.classes(blank_1xNxV, truth_N, train_N)
  return float(found["constant_N"].mean()), "nll_nats"
