"""What does a line read of x + y, where, and how much of it is owed to training?

The published study fitted one ridge regression of x + y to the final states of the network, scored
it on the same rows, and took its R2 for what the network has learned. It did so at the last
character, and at every position of the padded rows, where one position holds another character in
every row. It plotted the numbers of networks that answer modulo k as those of the residue; they
were those of x + y.

Here a ridge regression is fitted to the states of every level, at the character of every role (the
tens digit of x, the "?"), and scored on pairs of operands that nobody has seen; its penalty is
chosen by inner folds of the rows fitted. Targets are x + y and, where sums modulo k are asked for,
the cosine and sine of the residue's angle 2 pi (x + y) / k. Four controls show what a probe reads
without any training: untrained networks, the characters themselves, permuted labels, and control
tasks, which are random labels of pairs or of values of the target (Hewitt and Liang 2019). The
published probes are repeated with untrained networks beside them, over folds, and with the
characters alone.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import erasure, linear, statistics
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.models import encoder
from primelens.studies.text import program, states
from primelens.tasks import characters
from primelens.tasks import text as text_lib

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)
SELECT = (states.ROWS, states.SHORT_SELECT)  # rows of the select part that were fitted and scored

# --- fresh prompts, and what is probed of them ----------------------------------------------------

LEAST = 50  # rows of each part that a role needs


class Groups(NamedTuple):
  """Columns of what is probed; each group has a penalty of its own.

  Of every target, of the random label of every pair, and of that of every target's values.
  """

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


def targets(prompts: text_lib.Text) -> dict[str, np.ndarray]:
  """Returns what is probed, NxF each: x + y, and the residue r of sums modulo k.

  Of the residue cos and sin of 2 pi r / k: as a number it means nothing.
  """
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


def fresh_rows(run) -> Rows:
  """Returns the fresh prompts of a run; roles that few rows have are left out."""
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


# --- probes of all networks, levels and roles, in one program -------------------------------------

# Networks, levels and roles go by `lax.map`, one at a time: only one network's states are in
# memory, and a batch of Cholesky factors may lock a CPU up.
CHUNK = 200  # rows of one forward pass: they stay in a processor's cache
MEMORY = 2e9  # bytes of states; levels that are more take another pass


class Probe(NamedTuple):
  """R2 on rows not fitted, and of what penalty."""

  r2_P: Any  # of every target
  null_PxK: Any  # of permuted labels
  pair: Any  # of random labels of pairs
  classes_P: Any  # of random labels of the target's values
  alpha_P: Any  # the penalty chosen
  freedom_P: Any  # parameters that it leaves free, per row


def probe(x_NxD, label_NxF, there_N, order_KxN, fitted: int, groups) -> Probe:
  """Returns a probe of one representation, traced.

  Features in deviations of the first `fitted` rows, alpha by inner folds of
  them, scored on the others; rows that are not `there_N` count for nothing.
  Permuted labels are further columns of the same ridge, at the same alpha.
  """
  weight_N, scored_N = there_N[:fitted].astype(x_NxD.dtype), there_N[fitted:]
  z_NxD = linear.scaler(x_NxD[:fitted], weight_N)(x_NxD)
  error_RxF = linear.target_errors(z_NxD[:fitted], label_NxF[:fitted], weight_N, linear.ALPHAS_R)

  def alpha(columns):
    error_R = error_RxF[:, columns].mean(1)
    return jnp.asarray(linear.ALPHAS_R, x_NxD.dtype)[jnp.argmin(error_R)]

  def score(y_NxF, alpha, **options):
    fit = linear.ridge(z_NxD[:fitted], y_NxF[:fitted], alpha, weight_N, **options)
    guess_NxF = fit.predict(z_NxD[fitted:])
    return linear.r2_scored(y_NxF[fitted:], guess_NxF, scored_N)

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
  freedom = lambda alpha: linear.degrees_of_freedom(z_NxD[:fitted], alpha, weight_N)
  return Probe(
    r2_P=jnp.stack([own(columns) for columns in groups.target_P]),
    null_PxK=jnp.stack([null(columns) for columns in groups.target_P]),
    pair=own(groups.pair),
    classes_P=jnp.stack([own(columns) for columns in groups.classes_P]),
    alpha_P=alpha_P,
    freedom_P=jnp.stack([freedom(alpha) for alpha in alpha_P]) / weight_N.sum(),
  )


@functools.lru_cache(maxsize=32)
def _program(model: states.Model, fitted: int, groups: Groups):
  return jax.jit(functools.partial(_networks, model.config, fitted, groups))


def networks(run, rows: Rows, params_S, *, permuted=True) -> Probe:
  """Returns the probes of every network, level and role, SxExRx....

  Without those of permuted labels, if so asked.
  """
  model = run.experiment.model
  names = states.levels(run)
  size = 4 * rows.at_NxR.size * model.trunk.width  # bytes of a level
  step = max(1, int(MEMORY // size))
  compiled = _program(states.Model(model), rows.fitted, rows.groups)
  order_RxKxN = rows.order_RxKxN[:, : None if permuted else 0]
  found = [
    jax.device_get(
      compiled(
        params_S,
        level_E,
        _chunks(rows.token_NxT),
        _chunks(np.maximum(rows.at_NxR, 0)),
        rows.label_NxF,
        (rows.at_NxR >= 0).T,
        order_RxKxN,
      )
    )
    for level_E in _in_steps(len(names), step)
  ]
  return jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *found)


def of_characters(rows: Rows) -> Probe:
  """Returns the probes of one-hot characters, without a network, Rx...; none of permuted labels."""
  x_NxD = one_hot(rows.token_NxT)
  x_NxD = x_NxD[:, x_NxD[: rows.fitted].std(0) > 0]
  compiled = jax.jit(functools.partial(_of_characters, rows.fitted, rows.groups))
  there_RxN, order_RxKxN = (rows.at_NxR >= 0).T, rows.order_RxKxN[:, :0]
  return jax.device_get(compiled(x_NxD, rows.label_NxF, there_RxN, order_RxKxN))


def one_hot(token_NxT) -> np.ndarray:
  """Returns an indicator of every character at every position, NxD."""
  found_NxTxV = token_NxT[..., None] == np.arange(characters.VOCABULARY)
  return found_NxTxV.reshape(len(token_NxT), -1).astype(np.float32)


def _in_steps(count: int, step: int) -> Iterator[np.ndarray]:
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


def _of_characters(fitted, groups, x_NxD, label_NxF, there_RxN, order_RxKxN):
  cell = lambda role: probe(x_NxD, label_NxF, role[0], role[1], fitted, groups)
  return jax.lax.map(cell, (there_RxN, order_RxKxN))


# --- the published probes, and checks of them -----------------------------------------------------

# Ridge regressions of x + y with penalty 1, in float64 on the host.


def published_probes(run, params_S=None) -> dict[str, np.ndarray]:
  """Returns R2 of every network by probe, S, and by position, SxT.

  `pooled_` is the last character's and `positions_` that of every position, in sample, by the
  number of rows; `cv` is the last one's over folds, `cv_scaled` that of standardised states,
  `full` over folds of the rows of full length alone, by position.
  """
  token_NxT, sum_N = select_rows(run)
  state_SxNxTxD = states.over_members(final, run, token_NxT, params_S)
  last_N = characters.lengths(token_NxT) - 1
  pooled_SxNxD = state_SxNxTxD[:, np.arange(len(last_N)), last_N]
  full_N = np.flatnonzero(last_N == token_NxT.shape[1] - 1)
  found = {
    "cv": over_folds(pooled_SxNxD, sum_N),
    "cv_scaled": over_folds(pooled_SxNxD, sum_N, scale=True),
    "full": _at_positions(over_folds, state_SxNxTxD[:, full_N], sum_N[full_N]),
  }
  for count in SELECT:
    found[f"pooled_{count}"] = in_sample(pooled_SxNxD[:, :count], sum_N[:count])
    found[f"positions_{count}"] = _at_positions(in_sample, state_SxNxTxD[:, :count], sum_N[:count])
  return found


def characters_as_published(run) -> dict[str, float]:
  """Returns R2 of one-hot characters, without a network.

  Over folds, and in sample where digits are aligned by zeros in front.
  """
  token_NxT, sum_N = select_rows(run)
  row_N = run.prompts.select_N[: states.ROWS]
  lines = characters.prompts(
    run.prompts.x_N[row_N].tolist(), run.prompts.y_N[row_N].tolist(), width=3
  )
  hot = lambda token_NxT: one_hot(token_NxT)[None]
  return {
    "inputs_cv": float(over_folds(hot(token_NxT), sum_N)[0]),
    "inputs_aligned": float(in_sample(hot(characters.encode(lines)), sum_N)[0]),
  }


def select_rows(run) -> tuple[np.ndarray, np.ndarray]:
  """Returns tokens and x + y of the select rows."""
  prompts, row_N = run.prompts, run.prompts.select_N[: states.ROWS]
  sum_N = (prompts.x_N + prompts.y_N)[row_N]
  return prompts.token_NxT[row_N], sum_N.astype(float)


def final(model: encoder.Config, params, token_BxT):
  """Returns the final states of one member, BxTxD; filler has states too."""
  return encoder.states(model, params, token_BxT)[0]


def in_sample(x_SxNxD, y_N) -> np.ndarray:
  """Returns R2 of a ridge regression with penalty 1 on the rows it was fitted to, S."""
  moments = erasure.moments(x_SxNxD, y_N[:, None])
  kernel_SxDx1 = erasure.ridge(moments)
  bias_Sx1 = erasure.intercept(moments, kernel_SxDx1)
  return erasure.r2(moments, kernel_SxDx1, bias_Sx1)[..., 0]


def over_folds(x_SxNxD, y_N, *, scale: bool = False) -> np.ndarray:
  """Returns R2 of all predictions of ridge regressions with penalty 1, S.

  Each is made by the other folds, as scikit-learn's `cross_val_predict` does it; `scale` has
  features in deviations of the rows fitted.
  """
  x_SxNxD = np.asarray(x_SxNxD, float)
  guess_SxN = np.empty(x_SxNxD.shape[:2])
  for scored_N in states.folds(len(y_N)):
    fitted_N = np.setdiff1d(np.arange(len(y_N)), scored_N)
    fitted_SxNxD, scored_SxNxD = x_SxNxD[:, fitted_N], x_SxNxD[:, scored_N]
    if scale:
      deviation_Sx1xD = fitted_SxNxD.std(1, keepdims=True)
      deviation_Sx1xD = np.where(deviation_Sx1xD > 1e-12, deviation_Sx1xD, 1)
      fitted_SxNxD = fitted_SxNxD / deviation_Sx1xD
      scored_SxNxD = scored_SxNxD / deviation_Sx1xD
    moments = erasure.moments(fitted_SxNxD, y_N[fitted_N, None])
    kernel_SxDx1 = erasure.ridge(moments)
    bias_Sx1 = erasure.intercept(moments, kernel_SxDx1)
    guess_SxN[:, scored_N] = (scored_SxNxD @ kernel_SxDx1)[..., 0] + bias_Sx1
  return linear.r2(y_N[None], guess_SxN, axis=-1)


def _at_positions(score, state_SxNxTxD, y_N) -> np.ndarray:
  """Returns the score at every position, SxT.

  One at a time: in float64 all of them at once would be large.
  """
  positions = range(state_SxNxTxD.shape[2])
  return np.stack([score(state_SxNxTxD[:, :, t], y_N) for t in positions], -1)


# --- the result -----------------------------------------------------------------------------------


def measure(run) -> xr.Dataset:
  """Returns linear probes of every network at every level and role, with their controls."""
  rows, fresh_S = fresh_rows(run), program.untrained_S(run)
  mine = networks(run, rows, run.params_S)
  null = networks(run, rows, fresh_S, permuted=False)
  variables = {**on_fresh_pairs(rows, mine, null), **on_select(run, fresh_S)}
  coords = coordinates(run) | {
    "level": list(states.levels(run)),
    "role": results.variable("role", list(rows.roles), "role of the character"),
    "target": list(rows.targets),
  }
  return results.dataset(
    variables,
    coords,
    question=run.experiment.task.question,
    as_published=program.as_published(run.experiment),
  )


def coordinates(run) -> dict[str, Any]:
  """Returns the coordinates of the published probes."""
  position_T = np.arange(run.prompts.token_NxT.shape[1])
  return {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "row_count": results.variable("row_count", SELECT, "select rows fitted and scored, at most"),
    "scaling": ["as they are", "z-scored"],
    "digits": ["as in the prompt, over folds", "aligned, in sample"],
    "position": results.variable("position", position_T, "position in the padded row"),
  }


def on_fresh_pairs(rows: Rows, mine: Probe, null: Probe) -> dict[str, xr.Variable]:
  """Returns the probes of every level and role, scored on pairs that nobody has seen."""
  characters_R = of_characters(rows)
  count_R = np.sum(rows.at_NxR[: rows.fitted] >= 0, axis=0)
  cell, each = "seed level role target", results.variable
  fresh = "R² on pairs not seen"
  return {
    **results.with_untrained("r2", cell, mine.r2_P, null.r2_P, fresh),
    "characters_r2": each("role target", characters_R.r2_P, f"{fresh}, characters alone"),
    "permuted_r2": each(f"{cell} permutation", mine.null_PxK, f"{fresh}, permuted labels"),
    "values_r2": each(
      cell, mine.classes_P, "R² of random labels of the target's values, on pairs not seen"
    ),
    "pairs_r2": each("seed level role", mine.pair, "R² of random labels of pairs"),
    "p": each(
      cell, corrected(mine), "p against the largest R² of permuted labels over levels and roles"
    ),
    "alpha": each(cell, mine.alpha_P, "penalty of the ridge regression"),
    "freedom": each(cell, mine.freedom_P, "free parameters of the regression per row fitted"),
    "fitted_rows": each("role", count_R, "rows fitted, those that have the role"),
  }


def corrected(mine: Probe) -> np.ndarray:
  """Returns p by the maximum over levels and roles of permuted labels, SxExRxP."""
  count = mine.r2_P.shape[-1]
  return np.stack(
    [_corrected(mine.r2_P[..., p], mine.null_PxK[..., p, :]) for p in range(count)], -1
  )


def _corrected(r2_SxExR, null_SxExRxK) -> np.ndarray:
  found = []
  for r2_ExR, null_ExRxK in zip(r2_SxExR, null_SxExRxK, strict=True):
    null_KxV = np.moveaxis(null_ExRxK, -1, 0).reshape(null_ExRxK.shape[-1], -1)
    p_V = statistics.max_t(r2_ExR.ravel(), null_KxV)
    found.append(np.reshape(p_V, r2_ExR.shape))
  return np.stack(found)


def on_select(run, fresh_S) -> dict[str, xr.Variable]:
  """Returns the published probes of trained and of untrained networks, and of the characters."""
  old = [published_probes(run), published_probes(run, fresh_S)]
  of = lambda *keys: [np.stack([each[key] for key in keys]) for each in old]
  in_sample, positions = (
    of(*(f"{name}_{count}" for count in SELECT)) for name in ("pooled", "positions")
  )
  folds = of("cv", "cv_scaled")
  pair = lambda name, dims, its, said: results.with_untrained(name, dims, its[0], its[1], said)
  full = [each["full"] for each in old]
  its = list(characters_as_published(run).values())
  return {
    **pair("last_r2", "row_count seed", in_sample, "R² in sample, last character"),
    **pair("position_r2", "row_count seed position", positions, "R² in sample, by position"),
    **pair("folds_r2", "scaling seed", folds, "R² over 5 folds, last character"),
    **pair("full_r2", "seed position", full, "R² over 5 folds of rows of full length"),
    "digits_r2": results.variable("digits", its, "R² of the characters alone"),
  }


def numbers(found) -> dict:
  """Returns the values by seed of the keys in published.csv; none of a run of another kind."""
  if not found.as_published:
    return {}
  mine, null = _by_key(found, ""), _by_key(found, "untrained_")
  values = {key: numbers_lib.Own(value, null[key]) for key, value in mine.items()}
  for key, value in zip(("inputs_cv", "inputs_aligned"), found.digits_r2.values, strict=True):
    values[key] = numbers_lib.Own(np.full(found.sizes["seed"], value))
  named = {f"{found.question}_{key}": value for key, value in values.items()}
  return {key: value for key, value in named.items() if key in PUBLISHED}


def _by_key(found: xr.Dataset, prefix: str) -> dict[str, np.ndarray]:
  """Returns the values by network of the published probes, as published.csv names them."""
  last, position, folds, full = (
    found[f"{prefix}{name}"] for name in ("last_r2", "position_r2", "folds_r2", "full_r2")
  )
  values = {"cv": folds.sel(scaling="as they are"), "cv_scaled": folds.sel(scaling="z-scored")}
  for t in found.position.values:
    values[f"full_{t}"] = full.sel(position=t)
  for n in found.row_count.values:
    values[f"pooled_{n}"] = last.sel(row_count=n)
    for t in found.position.values:
      values[f"positions_{n}_{t}"] = position.sel(row_count=n, position=t)
  return {key: value.values for key, value in values.items()}


def cells(found: xr.Dataset) -> Iterator[dict]:
  """Yields a record per target, level and role.

  `error_ratio` is the squared error over that of the same probe of an untrained network;
  `selectivity` is R2 less that of random labels of the target's values, `pair_labels` R2 of random
  labels of pairs, which no line can know; `p` is the median over networks.
  """
  for target in found.target.values:
    for level in found.level.values:
      for role in found.role.values:
        one = found.sel(target=target, level=level, role=role)
        r2_S, untrained_V = one.r2.values, one.untrained_r2.values
        yield {
          "target": str(target),
          "level": str(level),
          "role": str(role),
          "rows": int(one.fitted_rows),
          **numbers_lib.cells(r2_S),
          "untrained": float(np.median(untrained_V)),
          "untrained_maximum": float(untrained_V.max()),
          "characters": float(one.characters_r2),
          "error_ratio": _ratio(1 - r2_S, 1 - untrained_V),
          "permuted": float(one.permuted_r2.values.mean()),
          "p": float(np.median(one.p)),
          "selectivity": float(np.median(r2_S - one.values_r2.values)),
          "pair_labels": float(np.median(one.pairs_r2)),
          "alpha": float(np.median(one.alpha)),
          "freedom": float(np.median(one.freedom)),
        }


def _ratio(error_S, untrained_V) -> float:
  """Returns the median error of networks over that of untrained ones; NaN
  where the latter is rounding."""
  least = np.median(untrained_V)
  return float(np.median(error_S) / least) if least > 1e-6 else float("nan")


# --- figures and tables ---------------------------------------------------------------------------

LAST = {"level": "final", "role": "?"}  # the state that the answer is read from
LOOKS = {
  network: {"color": draw.COLOUR_OF[network], "label": draw.NETWORKS[network]}
  for network in ("trained", "untrained")
}


def figures(runs) -> dict:
  """Returns the final states of all runs on one page, and a page for each run."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  return pages | ({"all runs": _compared(runs)} if len(runs) > 1 else {})


def _compared(runs) -> draw.Page:
  both = results.across({run: _medians(found) for run, found in runs.items()}, "r2")
  both = both.reindex(role=[role for role in characters.ROLES if role in both.role.values])
  panels = [
    draw.together(
      _in_order(both.role.values),
      draw.curves(
        both.sel(target=target),
        "r2",
        x="role",
        colour="run",
        dash="network",
        names=draw.NETWORKS,
        title=f"Final states, {target}, pairs not seen: median over networks",
      ),
    )
    for target in both.target.values
  ]
  return draw.page(*panels, heights=[3.4] * len(panels))


def _medians(found: xr.Dataset) -> xr.Dataset:
  """Returns the final states' median R2 over networks, trained and untrained, by role."""
  final = found.sel(level="final")
  parts = [final.r2.median("seed"), final.untrained_r2.median("untrained")]
  r2 = xr.concat(parts, xr.Variable("network", ["trained", "untrained"]))
  r2.attrs = found.r2.attrs
  return xr.Dataset({"r2": r2}, {"role": found.role})


def _page(run: str, found: xr.Dataset) -> draw.Page:
  rows = [
    panels
    for target in found.target.values
    for panels in (_maps(found, target), _by_role(run, found, target))
  ]
  heights = [2.7, 3.2] * found.sizes["target"]
  return draw.page(*rows, (_by_position(found), _last(found)), heights=[*heights, 3.4])


def _maps(found: xr.Dataset, target: str) -> tuple[draw.Panel, draw.Panel]:
  """Returns the R2 of every level and role, of trained and of untrained networks."""
  look = {"rows": "level", "columns": "role", "written": None, "limits": (0, 1), "tilted": True}
  one = found.sel(target=target)
  mine = one[["r2"]].median("seed", keep_attrs=True)
  null = one[["untrained_r2"]].median("untrained", keep_attrs=True)
  return (
    draw.heat(mine, "r2", title=f"R² of {target}, trained, median", xlabel="", ylabel="", **look),
    draw.heat(
      null, "untrained_r2", title=f"R² of {target}, untrained, median", xlabel="", ylabel="", **look
    ),
  )


def _by_role(run: str, found: xr.Dataset, target: str) -> draw.Panel:
  """Returns the final states' R2 by role, beside what needs no training."""
  one = found.sel(target=target, level="final")
  alone = {"color": draw.ORANGE, "ls": ":", "label": "characters alone"}
  title = f"{run}: final states, {target}, pairs not seen"
  return draw.together(
    _in_order(one.role.values),
    draw.curves(one, "untrained_r2", x="role", thin="untrained", style=LOOKS["untrained"]),
    draw.curves(one, "characters_r2", x="role", style=alone),
    draw.curves(one, "r2", x="role", thin="seed", style=LOOKS["trained"], title=title),
  )


def _in_order(names) -> draw.Panel:
  """Returns what comes first: the names below the axis in this order, also where a line lacks one,
  tilted lest they touch."""

  def panel(axes):
    axes.plot([*map(str, names)], np.full(len(names), np.nan))
    axes.set_xticks(range(len(names)), [*map(str, names)], **draw.TILT)

  return panel


def _by_position(found: xr.Dataset) -> draw.Panel:
  """Returns the probes as published, by position in the padded rows."""
  one = found.sel(row_count=SELECT[0])
  folds = {"color": draw.GREEN, "label": "trained, over folds of full rows"}
  in_sample = {
    network: look | {"label": f"{network}, in sample"} for network, look in LOOKS.items()
  }
  look = {"ylabel": "R²", "title": "x + y as published, by position in the padded row"}
  return draw.together(
    draw.curves(
      one, "untrained_position_r2", x="position", thin="untrained", style=in_sample["untrained"]
    ),
    draw.curves(one, "full_r2", x="position", thin="seed", style=folds),
    draw.curves(one, "position_r2", x="position", thin="seed", style=in_sample["trained"], **look),
  )


def _last(found: xr.Dataset) -> draw.Panel:
  one = found.sel(row_count=SELECT[0])
  groups = {"trained": one.last_r2, "untrained": one.untrained_last_r2}
  return draw.dots(groups, title="Last character, in sample", xlabel="R² of x + y")


def tables(runs) -> list[tables_lib.Table]:
  """Returns the probes of every level and role, and the published probes, of all runs."""
  return [
    tables_lib.Table(
      "Probes by target, level and role, on pairs not seen: median over networks, range, and mean"
      " with its 95 % interval. error_ratio: squared error over that of untrained networks."
      " selectivity: R2 less that of random labels of the target's values. p: against the largest"
      " R2 of permuted labels over all levels and roles.",
      tables_lib.by_run(runs, cells),
      name="probes",
    ),
    tables_lib.Table(
      "x + y at the last character of select rows, as published and with checks.",
      tables_lib.by_run(runs, _published_rows),
      name="as_published",
    ),
  ]


def _published_rows(found: xr.Dataset) -> Iterator[dict]:
  for dim, name, words in (
    ("row_count", "last_r2", "in sample, {} rows at most"),
    ("scaling", "folds_r2", "over 5 folds, states {}"),
  ):
    for value in found[dim].values:
      mine, null = (found[key].sel({dim: value}).values for key in (name, f"untrained_{name}"))
      row = {"probe": words.format(value)} | numbers_lib.cells(mine)
      yield row | {"untrained": float(np.median(null))}
  for digits in found.digits.values:
    yield {
      "probe": f"characters alone, {digits}",
      "median": float(found.digits_r2.sel(digits=digits)),
    }


def line(runs) -> str:
  """Returns a sentence of how well the sum is read from the last state, trained or not."""
  said = []
  for run, found in runs.items():
    row = claims.row(cells(found), target="x + y", **LAST)
    said.append(f"{run} {row['median']:.3f}, untrained {row['untrained']:.3f}")
  return (
    "R² of a linear probe of the last character's state for x + y, on pairs not seen, median over"
    f" networks: {'; '.join(said)}."
  )


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
WELL = 0.99  # R2 of a sum that is decoded
MUCH = 0.5  # R2 of untrained networks that makes a reading theirs


def _source(key: str) -> float:
  return float(PUBLISHED[key].source)


_POSITIONS = [_source(key) for key in PUBLISHED if key.startswith(f"sum_positions_{SELECT[0]}_")]


@CLAIMS.add(
  "probes.sum",
  "The sum is linearly decodable from the last character's state.",
  reported=f"R2 {_source(f'sum_pooled_{SELECT[0]}'):.3f}, fitted and scored on the same rows",
  source=program.claimed("sections 5.1, 6.1"),
)
def sums(results):
  """Returns the verdict on x + y at the last character."""
  found = program.published_runs(results, "sum").first("probes")
  row = claims.row(cells(found), target="x + y", **LAST)
  because = (
    f"on pairs not seen R2 is {row['mean']:.3f}; untrained networks have {row['untrained']:.2f},"
    f" the characters alone {row['characters']:.2f}, random labels of the sums"
    f" {row['median'] - row['selectivity']:.2f}. The answer is a linear readout of the same state,"
    " so that this follows from a good answer."
  )
  values = {"mean": row["mean"].estimate, "untrained": row["untrained"]}
  values |= {"inputs": row["characters"], "error_ratio": row["error_ratio"]}
  holds = row["mean"].low > WELL
  return claims.verdict(holds, because, values, artefact=row["untrained"] > WELL)


@CLAIMS.add(
  "probes.everywhere",
  "The sum is at every position.",
  reported=f"R2 {min(_POSITIONS):.2f} to {max(_POSITIONS):.2f}, fitted and scored on the same rows",
  source=program.claimed("sections 5.1, 6.2"),
)
def everywhere(results):
  """Returns the verdict on x + y at every role of the final states."""
  found = program.published_runs(results, "sum").first("probes")
  rows = [row for row in cells(found) if (row["target"], row["level"]) == ("x + y", "final")]
  least = min(row["median"] for row in rows)
  untrained = float(np.median([row["untrained"] for row in rows]))
  alone = float(np.median([row["characters"] for row in rows]))
  because = (
    f"R2 on pairs not seen is at least {least:.2f} at every one of {len(rows)} roles; untrained"
    f" networks have {untrained:.2f} in the median over roles, the characters alone {alone:.2f}:"
    " attention in both directions mixes all characters without any training."
  )
  values = {"least": least, "untrained": untrained, "inputs": alone}
  return claims.verdict(least > MUCH, because, values, artefact=untrained > MUCH)


@CLAIMS.add(
  "probes.residue",
  "The residue is linearly decodable where sums modulo 97 are asked for.",
  reported=f"a plot of R2 {_source(f'modk_pooled_{SELECT[1]}'):.2f} titled as the residue's",
  source=program.claimed("sections 0.3, 4.1"),
)
def residue(results):
  """Returns the verdict on the residue's circle at the last character, beside x + y."""
  found = program.published_runs(results, "modk").first("probes")
  rows = list(cells(found))
  circle, sum_ = (claims.row(rows, target=name, **LAST) for name in ("residue", "x + y"))
  because = (
    "the probed number was x + y, not the residue: cos and sin of the residue's angle have R2"
    f" {circle['mean']:.3f} on pairs not seen, x + y {sum_['mean']:.3f} and in untrained networks"
    f" {sum_['untrained']:.2f}."
  )
  values = {"residue": circle["mean"].estimate, "sum": sum_["mean"].estimate}
  values |= {"sum_untrained": sum_["untrained"]}
  return claims.verdict(circle["mean"].low > 0 and circle["p"] <= 0.05, because, values)
