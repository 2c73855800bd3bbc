"""What do probes with hidden layers read from the states, beyond a line?

The published study fitted small networks to the final states at the last character, and read the
residue modulo 97 with an R2 of 0.4 where a line reads nothing. It chose the epoch of a probe on the
rows that it was scored on, and had few controls.

Here the epoch is chosen on rows of its own, and a probe is scored once, on pairs of operands that
nobody has seen; the published protocol is repeated beside it. Controls are the same probes of
untrained networks, of the digits, of the operands and of their sum, and probes of permuted labels.

A probe may do the arithmetic itself. With A, B, C the sums of the hundreds, tens and units digits
of x and y, x + y = 100 A + 10 B + C, so that the residue modulo k is that of
u = (100 mod k) A + (10 mod k) B + (1 mod k) C. A u with few wraps is nearly linear in the digits,
and a regression on u alone does the wrapping: it is measured how well a line reads the sums of
digits and u, and what u alone, by its nearest neighbours, says of the residue.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import linear as linear_lib
from primelens.analyses import mlp_probes
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.text import program, states

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)
PROBE = "256x2"  # that of the claim
HELD_OUT, SPLIT_SEED = 0.2, 0  # its split of the select rows

# --- what is read, and on which rows --------------------------------------------------------------

COUNT = 4000  # rows of each part of the fresh pairs
INNER = 0.2  # share of the rows fitted by which the epoch is chosen
READS = ("shuffled", "states", "untrained", "digits", "(x, y)", "x + y")


class Rows(NamedTuple):
  """What is read of some rows, and which of them serve what.

  `x_SxNxD` are the readings of READS, `reads_S` the name of each, `pair_Nx2`
  the operands; a label of `label_SxN` is the truth `label_N` but in the rows
  that "shuffled" permutes.
  The epoch of a probe is chosen on `select_N`, and it is scored on `score_N`.
  """

  x_SxNxD: np.ndarray
  reads_S: tuple[str, ...]
  pair_Nx2: np.ndarray
  label_N: np.ndarray
  label_SxN: np.ndarray
  fit_N: np.ndarray
  select_N: np.ndarray
  score_N: np.ndarray
  alphas_R: tuple[float, ...]


def labels(prompts) -> np.ndarray:
  """Returns what probes are asked for: the residue of modk, else x + y."""
  if prompts.config.question == "modk":
    return prompts.answer_N
  return prompts.x_N + prompts.y_N


def fresh_pairs(run) -> Rows:
  """Returns COUNT fresh pairs to fit and as many to score.

  The last INNER of the former choose the epoch, and all of the former the ridge's penalty.
  """
  probes = run.probes()
  train_N, score_N = probes.train_N[:COUNT], probes.test_N[:COUNT]
  at_N = np.concatenate([train_N, score_N])
  cut, end = int(len(train_N) * (1 - INNER)), len(train_N)
  parts = np.arange(cut), np.arange(cut, end), np.arange(end, len(at_N))
  return _rows(run, probes, at_N, parts, np.arange(end), linear_lib.ALPHAS_R)


def select_rows(run) -> Rows:
  """Returns the select rows, split 80/20 as published.

  The epoch is chosen on the rows that are scored, also that of the shuffled labels, whose select
  rows are true.
  """
  at_N = run.prompts.select_N[: states.ROWS]
  fit_N, score_N = published_split(
    labels(run.prompts)[at_N], run.experiment.task.question == "modk"
  )
  parts = fit_N, score_N, score_N
  return _rows(run, run.prompts, at_N, parts, fit_N, (1.0,))


def published_split(label_N, stratified: bool):
  """Returns train and test rows of the source.

  With labels in proportion where `stratified`; where a label is too rare for that, without.
  """
  from sklearn import model_selection

  rows = len(label_N)
  held_out = int(np.ceil(HELD_OUT * rows))
  count_V = np.unique(label_N, return_counts=True)[1]
  fits = count_V.min() >= 2 and len(count_V) <= held_out
  return model_selection.train_test_split(
    np.arange(rows),
    test_size=HELD_OUT,
    random_state=SPLIT_SEED,
    stratify=label_N if stratified and fits else None,
  )


def _rows(run, prompts, at_N, parts, permuted_N, alphas_R) -> Rows:
  read = readings(run, prompts, at_N)
  width = max(x_SxNxD.shape[-1] for x_SxNxD in read.values())
  # Features that do not vary count for nothing.
  filled = lambda x_SxNxD: np.pad(x_SxNxD, ((0, 0), (0, 0), (0, width - x_SxNxD.shape[-1])))
  reads_S = tuple(name for name, x in read.items() for _ in x)
  label_N = labels(prompts)[at_N]
  label_SxN = np.tile(label_N, (len(reads_S), 1))
  rng = np.random.default_rng(run.settings.seed)
  for s in np.flatnonzero(np.array(reads_S) == "shuffled"):
    label_SxN[s, permuted_N] = rng.permutation(label_N[permuted_N])
  x_SxNxD = np.concatenate([filled(x) for x in read.values()])
  pair_Nx2 = np.column_stack([prompts.x_N, prompts.y_N])[at_N].astype(int)
  fit_N, select_N, score_N = parts
  return Rows(
    x_SxNxD=x_SxNxD,
    reads_S=reads_S,
    pair_Nx2=pair_Nx2,
    label_N=label_N,
    label_SxN=label_SxN,
    fit_N=fit_N,
    select_N=select_N,
    score_N=score_N,
    alphas_R=alphas_R,
  )


def readings(run, prompts, at_N) -> dict[str, np.ndarray]:
  """Returns the features of READS, SxNxD.

  "shuffled" are the members' pooled states, members again and again where they
  are fewer than the untrained ones: a single permutation is a weak null, since
  states vary along few directions. What needs no network is there once.
  """
  pooled = lambda *networks: states.over_members(
    states.pooled, run, prompts.token_NxT[at_N], *networks
  )
  x_N, y_N = prompts.x_N[at_N].astype(int), prompts.y_N[at_N].astype(int)
  plain = lambda *columns: np.column_stack(columns)[None].astype(np.float32)
  mine_SxNxD, fresh_SxNxD = pooled(), pooled(program.untrained_S(run))
  found = (
    mine_SxNxD[np.arange(len(fresh_SxNxD)) % len(mine_SxNxD)],
    mine_SxNxD,
    fresh_SxNxD,
    plain(one_hot(x_N), one_hot(y_N)),
    plain(x_N, y_N),
    plain(x_N + y_N),
  )
  return dict(zip(READS, found, strict=True))


def places(x_N) -> np.ndarray:
  """Returns hundreds, tens and units of numbers below 1000, Nx3."""
  return np.stack([x_N // 100, x_N // 10 % 10, x_N % 10], -1)


def one_hot(x_N) -> np.ndarray:
  """Returns an indicator for each of ten digits in three places, Nx30."""
  digit_Nx3 = places(x_N)
  return (digit_Nx3[..., None] == np.arange(10)).reshape(len(x_N), -1)


# --- the probes -----------------------------------------------------------------------------------


@jax.jit
def _ridge(x_SxNxD, label_SxN, fitted_N, alphas_R):
  """Returns the guesses of ridge regressions of standardised readings, SxN."""
  one = lambda both: linear_lib.held_out(both[0], both[1][:, None], fitted_N, alphas_R)[0][:, 0]
  # One at a time: a batch of Cholesky factors may lock a CPU up.
  return jax.lax.map(one, (x_SxNxD, label_SxN))


def linear(rows: Rows) -> dict:
  """Returns the ridge regression's guesses SxN."""
  fitted_N = np.zeros(len(rows.label_N), bool)
  fitted_N[rows.fit_N] = True
  if not set(rows.select_N) & set(rows.score_N):
    fitted_N[rows.select_N] = True
  guess_SxN = _ridge(rows.x_SxNxD, _float(rows.label_SxN), fitted_N, np.array(rows.alphas_R))
  return {"guess_SxN": np.asarray(guess_SxN), "epoch_S": None}


def nonlinear(rows: Rows, settings, size: str, classes: int) -> dict:
  """Returns the guesses SxN of probes with hidden layers, and their epochs.

  Of the most likely class where there are `classes`.
  """
  config = mlp_probes.Config(
    **mlp_probes.size(size),
    epochs=settings.mlp_epochs,
    patience=settings.mlp_patience,
    classes=classes,
  )
  label_SxN = rows.label_SxN if classes else _float(rows.label_SxN)
  keys_S = jax.random.split(jax.random.key(settings.seed), len(label_SxN))
  found = mlp_probes.fit(config, rows.x_SxNxD, label_SxN, rows.fit_N, rows.select_N, keys_S)
  guess_SxN = mlp_probes.predict(found.probe_S, rows.x_SxNxD)
  return {"guess_SxN": np.asarray(guess_SxN), "epoch_S": np.asarray(found.epoch_S)}


def r2(guess_SxN, truth_SxN) -> np.ndarray:
  """Returns R2 of every network's guesses, S, in float64."""
  return linear_lib.r2(np.asarray(truth_SxN, float), np.asarray(guess_SxN, float), axis=-1)


def accuracy(guess_SxN, truth_SxN) -> np.ndarray:
  """Returns the share of right classes, S."""
  return np.mean(guess_SxN == truth_SxN, axis=-1)


def _float(label_SxN) -> np.ndarray:
  return np.asarray(label_SxN, np.float32)


# --- sums of digits -------------------------------------------------------------------------------

# Regressed on the states; and the residue by its nearest neighbours in one of these.
TARGETS = ("x + y", "hundreds", "tens", "units", "u")
RESIDUES = {"residue by u": "u", "residue by x + y": "x + y"}
MEASURED = (*TARGETS, *RESIDUES)
NEIGHBOURS = 60  # rows whose mean residue is the guess
LARGEST = 18  # sum of two digits


class Rounds(NamedTuple):
  """Which rows are fitted in every round K, and their inner folds."""

  fitted_KxN: np.ndarray
  inner_KxN: np.ndarray


def digit_weights(modulus: int) -> tuple[int, int, int]:
  """Returns what a hundred, a ten and a unit count for in u."""
  return 100 % modulus, 10 % modulus, 1 % modulus


def digit_targets(x_N, y_N, modulus: int) -> np.ndarray:
  """Returns the columns of TARGETS, NxF."""
  sum_Nx3 = places(x_N) + places(y_N)
  u_N = sum_Nx3 @ np.array(digit_weights(modulus))
  return np.column_stack([x_N + y_N, sum_Nx3, u_N]).astype(np.float32)


def in_turn(rows: int) -> Rounds:
  """Returns five rounds, each without one of `states.folds`.

  Inner folds are those of scikit-learn's `KFold(5)` among the rows fitted.
  """
  return _rounds(states.fold_of(rows)[None] != np.arange(states.FOLDS)[:, None])


def at_once(fitted_N) -> Rounds:
  """Returns the one round that fits the rows of a bool."""
  return _rounds(np.asarray(fitted_N)[None])


_folds_K = jax.jit(jax.vmap(linear_lib.folds))


def _rounds(fitted_KxN) -> Rounds:
  inner_KxN = np.asarray(_folds_K(fitted_KxN))
  return Rounds(fitted_KxN, inner_KxN)


def digit_r2(state_SxNxD, target_NxF, residue_N, rounds: Rounds, alphas_R):
  """Returns R2 of MEASURED on rows not fitted, of all rounds together, SxF.

  Targets by a ridge regression of standardised states, the residue by the
  mean of the NEIGHBOURS nearest in a regressed u (or x + y). What a row fitted
  has for its own u comes from a regression without it.
  """
  return np.asarray(_digit_r2(state_SxNxD, target_NxF, residue_N, rounds, tuple(alphas_R)))


@functools.partial(jax.jit, static_argnums=4)
def _digit_r2(state_SxNxD, target_NxF, residue_N, rounds, alphas_R):
  residue_N = jnp.asarray(residue_N, jnp.float32)
  at_F = jnp.array([TARGETS.index(name) for name in RESIDUES.values()])

  def one(state_NxD):
    def held_out(fitted_N, inner_N):
      guess_NxF = _nested(state_NxD, target_NxF, fitted_N, inner_N, alphas_R)
      near = lambda at_N: nearest_mean(at_N, residue_N, fitted_N)
      near_FxN = jax.vmap(near)(guess_NxF[:, at_F].T)
      return jnp.concatenate([guess_NxF, near_FxN.T], axis=1)

    guess_KxNxF = jax.lax.map(lambda both: held_out(*both), tuple(rounds))
    left_KxN = ~rounds.fitted_KxN
    guess_NxF = jnp.sum(jnp.where(left_KxN[..., None], guess_KxNxF, 0), axis=0)
    again_NxF = jnp.repeat(residue_N[:, None], len(RESIDUES), axis=1)
    truth_NxF = jnp.concatenate([target_NxF, again_NxF], axis=1)
    return linear_lib.r2_scored(truth_NxF, guess_NxF, jnp.any(left_KxN, axis=0))

  return jax.lax.map(one, state_SxNxD)


def _nested(state_NxD, target_NxF, fitted_N, inner_N, alphas_R):
  """Returns regressed targets NxF.

  Of rows left out by all rows fitted, of rows fitted by those of the other inner folds.
  """
  weight_N = jnp.asarray(fitted_N, state_NxD.dtype)
  z_NxD = linear_lib.scaler(state_NxD, weight_N)(state_NxD)
  error_R = linear_lib.inner_errors(z_NxD, target_NxF, weight_N, alphas_R)
  alpha = jnp.asarray(alphas_R)[jnp.argmin(error_R)]

  def without(fold):
    some_N = weight_N * (inner_N != fold)
    x_NxD = linear_lib.scaler(state_NxD, some_N)(state_NxD)
    return linear_lib.ridge(x_NxD, target_NxF, alpha, some_N).predict(x_NxD)

  inner_FOLDSxNxF = jax.lax.map(without, jnp.arange(linear_lib.FOLDS))
  own_NxF = inner_FOLDSxNxF[inner_N, jnp.arange(len(state_NxD))]
  guess_NxF = linear_lib.ridge(z_NxD, target_NxF, alpha, weight_N).predict(z_NxD)
  return jnp.where(fitted_N[:, None], own_NxF, guess_NxF)


def nearest_mean(at_N, value_N, fitted_N, count: int = NEIGHBOURS):
  """Returns the mean value of the `count` fitted rows nearest in `at_N`, N.

  In one dimension they are neighbours in rising order: the window begins at
  the first place whose next window is not nearer, which the middles of its
  two ends tell. All fitted rows where they are not more than `count`.
  """
  count = min(count, len(at_N) - 1)
  far_N = jnp.where(fitted_N, at_N, jnp.inf)
  order_N = jnp.argsort(far_N)
  rising_N, weight_N = far_N[order_N], jnp.asarray(fitted_N, float)[order_N]
  middle = (rising_N[:-count] + rising_N[count:]) / 2
  first_N = jnp.searchsorted(middle, at_N)
  # About the mean, lest a long sum drown its parts.
  centre = jnp.mean(value_N, where=fitted_N)
  total = lambda x_N: jnp.pad(jnp.cumsum(x_N), (1, 0))
  window = lambda sum_N: sum_N[first_N + count] - sum_N[first_N]
  summed_N = window(total((value_N[order_N] - centre) * weight_N))
  return centre + summed_N / jnp.maximum(window(total(weight_N)), 1)


def read_digits(rows: Rows, modulus: int, scored: str) -> np.ndarray:
  """Returns R2 of MEASURED of the readings of DIGIT_READS, in their order, SxF.

  Of fresh pairs with penalties by inner folds, scored once; of select rows over folds with
  penalty 1.
  """
  fresh = scored == "fresh pairs"
  count, alphas_R = len(rows.pair_Nx2), linear_lib.ALPHAS_R if fresh else (1.0,)
  scored_N = np.isin(np.arange(count), rows.score_N)
  rounds = at_once(~scored_N) if fresh else in_turn(count)
  at_S = np.flatnonzero(np.isin(rows.reads_S, DIGIT_READS))
  x_N, y_N = rows.pair_Nx2.T
  target_NxF = digit_targets(x_N, y_N, modulus)
  return digit_r2(rows.x_SxNxD[at_S], target_NxF, (x_N + y_N) % modulus, rounds, alphas_R)


# --- the result -----------------------------------------------------------------------------------

PROTOCOLS = ("fresh pairs", "as published")
SCORED = ("fresh pairs", "folds")  # how sums of digits are scored
RIDGE = "ridge"
# Readings by the prefix of their variables, and the dimension that they go along.
PREFIX = {"states": "", "untrained": "untrained_", "shuffled": "permuted_"}
ALONG = {"states": "seed", "untrained": "untrained", "shuffled": "permutation"}
PLAIN = ("digits", "(x, y)", "x + y")  # what needs no network is read once
DIGIT_READS = ("states", "untrained", "digits")
WORDS = {
  "states": "states",
  "untrained": "states, untrained",
  "shuffled": "states, permuted labels",
  "digits": "digits, no network",
  "(x, y)": "(x, y), no network",
  "x + y": "x + y, no network",
}
MEANINGS = {
  "score": "R² or accuracy on rows not fitted",
  "fitted_score": "R² or accuracy on the rows fitted",
  "epoch": "epoch chosen",
}


def measure(run) -> xr.Dataset:
  """Returns the scores of nonlinear probes of every reading, and of sums of digits."""
  task = run.experiment.task
  rows = dict(zip(PROTOCOLS, (fresh_pairs(run), select_rows(run)), strict=True))
  targets, sizes = asked(run), [RIDGE, *dict.fromkeys(run.settings.mlp_sizes)]
  reads_S = rows[PROTOCOLS[0]].reads_S
  shape = (len(PROTOCOLS), len(targets), len(sizes), len(reads_S))
  found = {key: np.full(shape, np.nan) for key in MEANINGS}
  for p, protocol in enumerate(PROTOCOLS):
    for t, classes in enumerate(targets.values()):
      for s, size in enumerate(sizes):
        if _is_read(size, classes):
          for key, value_S in probed(run, rows[protocol], size, classes).items():
            found[key][p, t, s] = value_S
  constant = [[constant_score(rows[name], n) for n in targets.values()] for name in PROTOCOLS]
  digits = [
    read_digits(rows[protocol], task.modulus, scored)
    for protocol, scored in zip(PROTOCOLS, SCORED, strict=True)
  ]
  variables = {
    **_by_reading(found, reads_S),
    **_of_digits(np.stack(digits), reads_S),
    "constant": results.variable("protocol target", constant, "score of a constant"),
    "rows_fitted": results.variable(
      "protocol", [len(rows[name].fit_N) for name in PROTOCOLS], "rows fitted"
    ),
    "classes": results.variable(
      "target", list(targets.values()), "classes of an accuracy; 0 of an R²"
    ),
  }
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "protocol": list(PROTOCOLS),
    "target": list(targets),
    "probe": results.variable("probe", sizes, "probe: width x hidden layers"),
    "plain": list(PLAIN),
    "scored": list(SCORED),
    "regressed": results.variable("regressed", list(MEASURED), "what is regressed"),
  }
  weights = zip(digit_weights(task.modulus), TARGETS[1:4], strict=True)
  return results.dataset(
    variables,
    coords,
    question=task.question,
    modulus=task.modulus,
    as_published=program.as_published(run.experiment),
    weights=" + ".join(f"{weight} {name}" for weight, name in weights),
  )


def asked(run) -> dict[str, int]:
  """Returns what probes are asked for, with the number of classes: 0 for a number.

  The residue is asked for as a number and as a class.
  """
  task = run.experiment.task
  if task.question != "modk":
    return {"x + y": 0}
  if not run.settings.mlp_sizes:
    return {"residue": 0}
  return {"residue": 0, f"residue, {task.modulus} classes": task.modulus}


def _is_read(size: str, classes: int) -> bool:
  """Returns whether there is such a probe: a ridge regression reads numbers alone."""
  return size != RIDGE or not classes


def probed(run, rows: Rows, size: str, classes: int) -> dict[str, np.ndarray]:
  """Returns the scores of one probe of every reading, S, and the epochs chosen.

  R2 or accuracy: on the rows scored against the truth, on those fitted against the labels that
  they had.
  """
  guessed = linear(rows) if size == RIDGE else nonlinear(rows, run.settings, size, classes)
  score = accuracy if classes else r2
  at_N, fit_N, guess_SxN = rows.score_N, rows.fit_N, guessed["guess_SxN"]
  found = {
    "score": score(guess_SxN[:, at_N], rows.label_N[at_N][None]),
    "fitted_score": score(guess_SxN[:, fit_N], rows.label_SxN[:, fit_N]),
  }
  return found if size == RIDGE else found | {"epoch": guessed["epoch_S"]}


def constant_score(rows: Rows, classes: int) -> float:
  """Returns what a constant scores: the most frequent class of the rows fitted, or 0."""
  common = np.bincount(rows.label_N[rows.fit_N]).argmax()
  return float(np.mean(rows.label_N[rows.score_N] == common)) if classes else 0.0


def _by_reading(found, reads_S) -> dict[str, xr.Variable]:
  """Returns the scores of all readings, each along a dimension of its own."""
  dims, reads_S = "protocol target probe {}", np.array(reads_S)
  variables = {}
  for key, value in found.items():
    for name, prefix in PREFIX.items():
      meaning = MEANINGS[key] + WORDS[name].removeprefix("states")
      its = results.variable(dims.format(ALONG[name]), value[..., reads_S == name], meaning)
      variables[f"{prefix}{key}"] = its
    plain = value[..., np.isin(reads_S, PLAIN)]
    meaning = f"{MEANINGS[key]}, without a network"
    variables[f"plain_{key}"] = results.variable(dims.format("plain"), plain, meaning)
  return variables


def _of_digits(r2_KxSxF, reads_S) -> dict[str, xr.Variable]:
  """Returns R2 of sums of digits, of every reading."""
  its_S = np.array([name for name in reads_S if name in DIGIT_READS])
  mine, null, digits = (r2_KxSxF[:, its_S == name] for name in DIGIT_READS)
  meaning = "R² on rows not fitted"
  return {
    **results.with_untrained("digit_r2", "scored seed regressed", mine, null, meaning),
    "plain_digit_r2": results.variable(
      "scored regressed", digits[:, 0], f"{meaning}, of one-hot digits: what the neighbours leave"
    ),
  }


def of_reading(found: xr.Dataset, key: str, reads: str) -> np.ndarray:
  """Returns the values of `score`, `fitted_score`, `epoch` or `digit_r2` of one reading, S."""
  if reads in PREFIX:
    return found[f"{PREFIX[reads]}{key}"].values
  plain = found[f"plain_{key}"]
  return np.atleast_1d((plain.sel(plain=reads) if "plain" in plain.dims else plain).values)


def numbers(found) -> dict:
  """Returns the values by network of the keys in published.csv; none of a run of another kind."""
  if not found.as_published:
    return {}
  values = {}
  for one in _each_probe(found.sel(protocol="as published")):
    start = f"{one['probe'].item()}_{one.target.item()}_"
    untrained_V = of_reading(one, "score", "untrained")
    for reads in READS:
      value_S = of_reading(one, "score", reads)[: found.sizes["seed"]]
      null_V = untrained_V if reads == "states" else None
      values[start + reads] = numbers_lib.Own(value_S, null_V)
  for name in MEASURED:
    one = found.sel(scored="folds", regressed=name)
    its = numbers_lib.Own(one.digit_r2.values, one.untrained_digit_r2.values)
    values[f"{found.question}_folds_{name}"] = its
  return {key: value for key, value in values.items() if key in PUBLISHED}


def _each_probe(found: xr.Dataset) -> Iterator[xr.Dataset]:
  """Yields what there is of every probe and target."""
  for probe in found["probe"].values:
    for target in found.target.values:
      one = found.sel(probe=probe, target=target)
      if _is_read(probe, int(one.classes)):
        yield one


def probe_cells(found: xr.Dataset) -> Iterator[dict]:
  """Yields a record per protocol, probe, target and reading.

  `constant` is what a constant scores, `on_rows_fitted` the median score there, `epoch` the median
  one chosen.
  """
  for protocol in found.protocol.values:
    for one in _each_probe(found.sel(protocol=protocol)):
      for reads in READS:
        epoch_S = of_reading(one, "epoch", reads)
        yield {
          "rows": str(protocol),
          "fitted": int(one.rows_fitted),
          "probe": one["probe"].item(),
          "target": one.target.item(),
          "reads": reads,
          "measure": "accuracy" if one.classes else "R2",
          **numbers_lib.cells(of_reading(one, "score", reads)),
          "constant": float(one.constant),
          "on_rows_fitted": float(np.median(of_reading(one, "fitted_score", reads))),
          "epoch": None if np.isnan(epoch_S).all() else int(np.median(epoch_S)),
        }


def digit_cells(found: xr.Dataset) -> Iterator[dict]:
  """Yields a record per way of scoring, reading and sum of digits."""
  for scored in found.scored.values:
    for reads in DIGIT_READS:
      for name in found.regressed.values:
        one = found.sel(scored=scored, regressed=name)
        about = {"rows": str(scored), "reads": reads, "target": str(name), "measure": "R2"}
        yield about | numbers_lib.cells(of_reading(one, "digit_r2", reads))


# --- figures and tables ---------------------------------------------------------------------------

LEAST = -0.25  # lower scores are drawn there
SHADES = (draw.BLUE, draw.GREY, draw.PURPLE, draw.ORANGE, draw.AMBER, draw.SKY)
COLOURS = dict(zip(WORDS.values(), SHADES, strict=True))


def figures(runs) -> dict:
  """Returns the probes of the states of all runs on one page, and a page for each run."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  return pages | ({"all runs": _compared(runs)} if len(runs) > 1 else {})


def _compared(runs) -> draw.Page:
  fresh = {run: found.sel(protocol="fresh pairs") for run, found in runs.items()}
  both = results.across(fresh, "score", "untrained_score").clip(min=LEAST, keep_attrs=True)
  both = both.sel(probe=_in_order(found["probe"].values for found in runs.values()))
  panels = [
    draw.strips(
      both.sel(target=target),
      "score",
      y="probe",
      colour="run",
      null="untrained_score",
      title=f"Probes of {target}, fresh pairs",
    )
    for target in both.target.values
  ]
  return draw.page(*panels, heights=[3.4] * len(panels))


def _in_order(lists) -> list[str]:
  """Returns all names that are in the lists, in the order in which they first appear."""
  return list(dict.fromkeys(str(name) for names in lists for name in names))


def _page(run: str, found: xr.Dataset) -> draw.Page:
  rows = [
    tuple(_probes(run, found.sel(target=target, protocol=name)) for name in PROTOCOLS)
    for target in found.target.values
  ]
  digits = tuple(_digits(found, scored) for scored in SCORED)
  return draw.page(*rows, digits, heights=[4.2] * len(rows) + [4.2])


def _stacked(found: xr.Dataset, key: str, reads) -> xr.Dataset:
  """Returns the scores of some readings along one dimension; where one has fewer, NaN."""
  parts = []
  for name in reads:
    if name in PREFIX:
      parts.append(found[f"{PREFIX[name]}{key}"].rename({ALONG[name]: "network"}))
    else:
      plain = found[f"plain_{key}"]
      plain = plain.sel(plain=name, drop=True) if "plain" in plain.dims else plain
      parts.append(plain.expand_dims("network"))
  parts = [part.drop_vars("network", errors="ignore") for part in parts]
  count = max(part.sizes["network"] for part in parts)
  padded = [part.pad(network=(0, count - part.sizes["network"])) for part in parts]
  reading = xr.Variable("reading", [WORDS[name] for name in reads])
  value = xr.concat(padded, reading, coords="minimal", compat="override")
  value = value.clip(min=LEAST).rename(key)
  value.attrs = found[key].attrs
  return value.to_dataset()


def _probes(run: str, found: xr.Dataset) -> draw.Panel:
  accuracy = bool(found.classes)
  title = f"{run}: probes of {found.target.item()}, {found.protocol.item()}"
  look: dict = {} if accuracy else {"xlim": (LEAST - 0.05, 1.05)}
  look |= {"title": title, "xlabel": "accuracy" if accuracy else "R²"}
  look["ylabel"] = "probe: width x hidden layers"
  scores = _stacked(found, "score", WORDS)
  if accuracy:
    scores = scores.drop_sel(probe=RIDGE)
  return draw.together(
    draw.level(float(found.constant), "a constant", along="x"),
    draw.strips(scores, "score", y="probe", colour="reading", colours=COLOURS, **look),
  )


def _digits(found: xr.Dataset, scored: str) -> draw.Panel:
  its = _stacked(found.sel(scored=scored), "digit_r2", DIGIT_READS)
  title = f"Sums of digits, {scored}\nu = {found.weights}"
  look = {"xlim": (LEAST - 0.05, 1.05), "xlabel": "R²", "title": title}
  return draw.strips(its, "digit_r2", y="regressed", colour="reading", colours=COLOURS, **look)


def tables(runs) -> list[tables_lib.Table]:
  """Returns every probe and every sum of digits of all runs."""
  of_runs = functools.partial(tables_lib.by_run, runs)
  return [
    tables_lib.Table(
      "Probes: median over networks, range, and mean with its 95 % interval. As published, the"
      " epoch is chosen on the rows that are scored.",
      of_runs(probe_cells),
      name="probes",
    ),
    tables_lib.Table(
      "Linear regressions of sums of digits, and the residue by the nearest neighbours in a"
      " regressed number: on fresh pairs, and over 5 folds of the select rows.",
      of_runs(digit_cells),
      name="digit_sums",
    ),
  ]


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()


@CLAIMS.add(
  "nonlinear.residue",
  "A nonlinear probe reads the residue modulo 97 from the states.",
  reported=f"R2 {float(PUBLISHED[f'{PROBE}_residue_states'].source):.2f} of a {PROBE} probe, one"
  " network, scored on the rows it stopped by",
  source=program.claimed("sections 0.10, 5.4, 6.7"),
)
def residue(results):
  """Returns the verdict on a probe of two hidden layers, beside untrained states and digits."""
  found = program.published_runs(results, "modk").first("nonlinear_probes")
  rows, sums = list(probe_cells(found)), list(digit_cells(found))
  of_probe = {"rows": "fresh pairs", "probe": PROBE, "target": "residue"}
  reads = {
    name: claims.row(rows, reads=name, **of_probe)
    for name in ("states", "untrained", "shuffled", "digits")
  }
  u = {
    name: claims.row(sums, rows="fresh pairs", reads=name, target="u")
    for name in ("states", "untrained")
  }
  mine, null = reads["states"], reads["untrained"]
  wraps = LARGEST * sum(digit_weights(found.modulus)) // found.modulus
  because = (
    f"a {PROBE} probe (width x hidden layers) has R2 {mine['mean']:.3f} on pairs not seen (mean of"
    f" the networks), of untrained networks {null['minimum']:.3f} to {null['maximum']:.3f} (least"
    f" and largest), of permuted labels {reads['shuffled']['median']:.3f} (median), of the digits"
    f" alone {reads['digits']['median']:.3f}. The residue is that of u = {found.weights}, in sums"
    f" of the two operands' digits, which passes the modulus at most {wraps} times; a line reads u"
    f" with R2 {u['states']['median']:.2f}, in untrained networks {u['untrained']['median']:.2f}"
    " (medians), and the probe can do the rest."
  )
  values = {name: row["median"] for name, row in reads.items()}
  values |= {f"u_{name}": row["median"] for name, row in u.items()}
  control, low = max(null["maximum"], reads["digits"]["maximum"]), mine["mean"].low
  return claims.verdict(low > 0, because, values, artefact=control > low)
