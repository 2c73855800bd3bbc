"""Linear probes of fresh prompts: targets, roles, controls; one program.

Networks, levels and roles go by `lax.map`, one at a time: the states of one
network are in memory, and a batch of Cholesky factors may lock a CPU up.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import ridge
from primelens.studies.text import states
from primelens.tasks import characters
from primelens.tasks import text as text_lib

CHUNK = 200  # rows of one forward pass: they stay in a processor's cache
MEMORY = 2e9  # bytes of states; levels that are more take another pass
LEAST = 50  # rows of each part that a role needs


class Groups(NamedTuple):
  """Columns of what is probed: of every target, of the label of every pair,
  of the label of every target's classes; each has an alpha of its own."""

  target_P: tuple[tuple[int, ...], ...]
  pair: tuple[int, ...]
  classes_P: tuple[tuple[int, ...], ...]


class Rows(NamedTuple):
  """Fresh prompts, the fitted ones first, and what is probed of them.

  `at_NxR` are the roles' positions, -1 where a row has none, `order_RxKxN`
  permutes the rows that have the role.
  """

  token_NxT: np.ndarray
  fitted: int
  roles: tuple[str, ...]
  at_NxR: np.ndarray
  targets: tuple[str, ...]
  label_NxF: np.ndarray
  groups: Groups
  order_RxKxN: np.ndarray


class Probe(NamedTuple):
  """R2 on rows not fitted, with permuted labels, of random labels of pairs and
  of classes; the alpha chosen, and parameters it leaves free per row."""

  r2_P: Any
  null_PxK: Any
  pair: Any
  classes_P: Any
  alpha_P: Any
  freedom_P: Any


def targets(prompts: text_lib.Text) -> dict[str, np.ndarray]:
  """Returns what is probed, NxF each: x + y, and cos and sin of 2 pi r / k for
  the residue r of sums modulo k, a number of which means nothing."""
  sum_N = (prompts.x_N + prompts.y_N).astype(float)
  found = {"x + y": sum_N[:, None]}
  if prompts.config.question == "modk":
    angle_N = 2 * np.pi / prompts.config.modulus * sum_N
    found["residue"] = np.stack([np.cos(angle_N), np.sin(angle_N)], -1)
  return found


def labels(prompts: text_lib.Text, seed: int) -> tuple[np.ndarray, Groups]:
  """Returns targets and random labels NxF, standardised, and their columns.

  A control task (Hewitt and Liang 2019) has a fixed random label for every
  pair (x, y), or for every value of the target: of x + y, of the residue.
  """
  config, rng = prompts.config, np.random.default_rng([seed, 2])
  found, sum_N = targets(prompts), prompts.x_N + prompts.y_N
  drawn_VxV = rng.standard_normal((config.operands, config.operands))
  columns = [*found.values(), drawn_VxV[prompts.x_N, prompts.y_N][:, None]]
  for name in found:
    count = config.modulus if name == "residue" else 2 * config.operands - 1
    columns.append(rng.standard_normal(count)[sum_N % count][:, None])
  ends = np.cumsum([column_NxF.shape[1] for column_NxF in columns])
  places = [
    tuple(range(end - column_NxF.shape[1], end))
    for column_NxF, end in zip(columns, ends, strict=True)
  ]
  label_NxF = np.concatenate(columns, axis=1)
  label_NxF = (label_NxF - label_NxF.mean(0)) / label_NxF.std(0)
  n = len(found)
  groups = Groups(tuple(places[:n]), places[n], tuple(places[n + 1 :]))
  return label_NxF.astype(np.float32), groups


def rows(run) -> Rows:
  """Returns the fresh prompts of a run; roles that few rows have are left
  out."""
  prompts, settings = run.probes(), run.settings
  row_N = np.concatenate([prompts.train_N, prompts.test_N])
  fitted = len(prompts.train_N)
  at_NxR = characters.roles(prompts.token_NxT[row_N])
  there_NxR = at_NxR >= 0
  enough_R = (there_NxR[:fitted].sum(0) >= LEAST) & (there_NxR[fitted:].sum(0) >= LEAST)
  role_R = np.flatnonzero(enough_R)
  label_NxF, groups = labels(prompts, settings.seed)
  return Rows(
    token_NxT=prompts.token_NxT[row_N],
    fitted=fitted,
    roles=tuple(characters.ROLES[r] for r in role_R),
    at_NxR=at_NxR[:, role_R],
    targets=tuple(targets(prompts)),
    label_NxF=label_NxF[row_N],
    groups=groups,
    order_RxKxN=orders(there_NxR[:, role_R], settings),
  )


def orders(there_NxR, settings) -> np.ndarray:
  """Returns permutations among the rows that have a role, RxKxN."""
  rng = np.random.default_rng([settings.seed, 3])
  rows, roles = there_NxR.shape
  order_RxKxN = np.empty((roles, settings.permutations, rows), np.int32)
  order_RxKxN[:] = np.arange(rows)
  for r in range(roles):
    has_N = np.flatnonzero(there_NxR[:, r])
    at_KxN = np.tile(has_N, (settings.permutations, 1))
    order_RxKxN[r][:, has_N] = rng.permuted(at_KxN, axis=1)
  return order_RxKxN


def probe(x_NxD, label_NxF, there_N, order_KxN, fitted: int, groups) -> Probe:
  """Returns a probe of one representation, traced.

  Features in deviations of the first `fitted` rows, alpha by inner folds of
  them, scored on the others; rows that are not `there_N` count for nothing.
  Permuted labels are further columns of the same ridge, at the same alpha.
  """
  weight_N, scored_N = there_N[:fitted].astype(x_NxD.dtype), there_N[fitted:]
  z_NxD = ridge.scaler(x_NxD[:fitted], weight_N)(x_NxD)
  error_RxF = ridge.target_errors(z_NxD[:fitted], label_NxF[:fitted], weight_N, ridge.ALPHAS_R)

  def alpha(columns):
    error_R = error_RxF[:, columns].mean(1)
    return jnp.asarray(ridge.ALPHAS_R, x_NxD.dtype)[jnp.argmin(error_R)]

  def score(y_NxF, alpha, **options):
    fit = ridge.fit(z_NxD[:fitted], y_NxF[:fitted], alpha, weight_N, **options)
    guess_NxF = fit.predict(z_NxD[fitted:])
    return ridge.r2(y_NxF[fitted:], guess_NxF, scored_N)

  def own(columns):
    columns = np.array(columns)
    return score(label_NxF[:, columns], alpha(columns)).mean()

  def null(columns):
    if not len(order_KxN):
      return jnp.zeros(0)
    columns = np.array(columns)
    y_KxNxF = label_NxF[:, columns][order_KxN]
    y_NxKF = jnp.moveaxis(y_KxNxF, 0, 1).reshape(len(x_NxD), -1)
    r2_KF = score(y_NxKF, alpha(columns), refine=False)
    return r2_KF.reshape(len(order_KxN), -1).mean(1)

  alpha_P = jnp.stack([alpha(np.array(c)) for c in groups.target_P])
  freedom = lambda alpha: ridge.degrees_of_freedom(z_NxD[:fitted], alpha, weight_N)
  return Probe(
    r2_P=jnp.stack([own(columns) for columns in groups.target_P]),
    null_PxK=jnp.stack([null(columns) for columns in groups.target_P]),
    pair=own(groups.pair),
    classes_P=jnp.stack([own(columns) for columns in groups.classes_P]),
    alpha_P=alpha_P,
    freedom_P=jnp.stack([freedom(alpha) for alpha in alpha_P]) / weight_N.sum(),
  )


def networks(run, rows: Rows, params_S, *, permuted=True) -> Probe:
  """Returns the probes of every network, level and role, SxExRx...; without
  those of permuted labels, if so asked."""
  model = run.experiment.model
  names = states.levels(run)
  size = 4 * rows.at_NxR.size * model.trunk.width  # bytes of a level
  step = max(1, int(MEMORY // size))
  program = jax.jit(functools.partial(_networks, model, rows.fitted, rows.groups))
  order_RxKxN = rows.order_RxKxN[:, : None if permuted else 0]
  found = [
    jax.device_get(
      program(
        params_S,
        level_E,
        _chunks(rows.token_NxT),
        _chunks(np.maximum(rows.at_NxR, 0)),
        rows.label_NxF,
        (rows.at_NxR >= 0).T,
        order_RxKxN,
      )
    )
    for level_E in _parts(len(names), step)
  ]
  return jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *found)


def inputs(rows: Rows) -> Probe:
  """Returns the probes of the characters at every position, Rx..., without a
  network and without permuted labels."""
  x_NxD = one_hot(rows.token_NxT)
  x_NxD = x_NxD[:, x_NxD[: rows.fitted].std(0) > 0]
  program = jax.jit(functools.partial(_inputs, rows.fitted, rows.groups))
  there_RxN, order_RxKxN = (rows.at_NxR >= 0).T, rows.order_RxKxN[:, :0]
  return jax.device_get(program(x_NxD, rows.label_NxF, there_RxN, order_RxKxN))


def one_hot(token_NxT) -> np.ndarray:
  """Returns an indicator of every character at every position, NxD."""
  found_NxTxV = token_NxT[..., None] == np.arange(characters.VOCABULARY)
  return found_NxTxV.reshape(len(token_NxT), -1).astype(np.float32)


def _parts(count: int, step: int) -> Iterator[np.ndarray]:
  for start in range(0, count, step):
    yield np.arange(start, min(start + step, count))


def _chunks(x_NxR) -> np.ndarray:
  """Returns rows CHUNK by CHUNK; the last one is repeated to fill up."""
  short = -len(x_NxR) % CHUNK
  x_NxR = np.pad(x_NxR, ((0, short), (0, 0)), mode="edge")
  return x_NxR.reshape(-1, CHUNK, x_NxR.shape[1])


def _networks(
  model, fitted, groups, params_S, level_E, token_CxBxT, at_CxBxR, label_NxF, there_RxN, order_RxKxN
):
  """Returns the probes of networks at some levels, traced."""
  rows, roles = len(label_NxF), len(there_RxN)

  def chunk(params, token_BxT, at_BxR):
    state_ExBxTxD = states.all_levels(model, params, token_BxT)[level_E]
    return jnp.take_along_axis(state_ExBxTxD, at_BxR[None, ..., None], axis=2)

  def one(params):
    state_CxExBxRxD = jax.lax.map(lambda both: chunk(params, *both), (token_CxBxT, at_CxBxR))
    width = state_CxExBxRxD.shape[-1]

    def cell(place):
      e, r = place // roles, place % roles
      state_CxBxD = state_CxExBxRxD[:, e, :, r]
      x_NxD = state_CxBxD.reshape(-1, width)[:rows]
      return probe(x_NxD, label_NxF, there_RxN[r], order_RxKxN[r], fitted, groups)

    found = jax.lax.map(cell, jnp.arange(len(level_E) * roles))
    return jax.tree.map(lambda x: x.reshape(len(level_E), roles, *x.shape[1:]), found)

  return jax.lax.map(one, params_S)


def _inputs(fitted, groups, x_NxD, label_NxF, there_RxN, order_RxKxN):
  cell = lambda role: probe(x_NxD, label_NxF, role[0], role[1], fitted, groups)
  return jax.lax.map(cell, (there_RxN, order_RxKxN))
