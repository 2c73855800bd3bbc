"""What nonlinear probes read, on which rows, and how they score."""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from primelens.analyses import mlp_probes, regression, ridge
from primelens.lens import numbers as reported_lib
from primelens.studies.text import answers, nonlinear_probes_digits, states

ROWS = 4000  # of each part of the fresh pairs
INNER = 0.2  # share of the rows fitted by which the epoch is chosen
HELD_OUT, SPLIT_SEED = 0.2, 0  # the published split
PROTOCOLS = ("fresh pairs", "as published")
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
  """Returns ROWS fresh pairs to fit and as many to score; the last INNER of
  the former choose the epoch, and all of the former the ridge's alpha."""
  probes = run.probes()
  train_N, score_N = probes.train_N[:ROWS], probes.test_N[:ROWS]
  at_N = np.concatenate([train_N, score_N])
  cut, end = int(len(train_N) * (1 - INNER)), len(train_N)
  parts = np.arange(cut), np.arange(cut, end), np.arange(end, len(at_N))
  return _rows(run, probes, at_N, parts, np.arange(end), ridge.ALPHAS_R)


def as_published(run) -> Rows:
  """Returns the select rows, split 80/20; the epoch is chosen on the rows that
  are scored, also that of the shuffled labels, whose select rows are true."""
  at_N = run.prompts.select_N[: answers.ROWS]
  fit_N, score_N = published_split(
    labels(run.prompts)[at_N], run.experiment.task.question == "modk"
  )
  parts = fit_N, score_N, score_N
  return _rows(run, run.prompts, at_N, parts, fit_N, (1.0,))


def published_split(label_N, stratified: bool):
  """Returns train and test rows of the source, with labels in proportion
  where `stratified`; where a label is too rare for that, without."""
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
  mine_SxNxD, fresh_SxNxD = pooled(), pooled(answers.untrained_S(run))
  found = (
    mine_SxNxD[np.arange(len(fresh_SxNxD)) % len(mine_SxNxD)],
    mine_SxNxD,
    fresh_SxNxD,
    plain(one_hot(x_N), one_hot(y_N)),
    plain(x_N, y_N),
    plain(x_N + y_N),
  )
  return dict(zip(READS, found, strict=True))


def one_hot(x_N) -> np.ndarray:
  """Returns an indicator for each of ten digits in three places, Nx30."""
  digit_Nx3 = nonlinear_probes_digits.digits(x_N)
  return (digit_Nx3[..., None] == np.arange(10)).reshape(len(x_N), -1)


@jax.jit
def _ridge(x_SxNxD, label_SxN, fitted_N, alphas_R):
  one = lambda both: ridge.held_out(both[0], both[1][:, None], fitted_N, alphas_R)[0][:, 0]
  # Members in turn: see `scale_parts`.
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
  """Returns the guesses SxN of probes with hidden layers, and their epochs;
  of the most likely class where there are `classes`."""
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


def scored(rows: Rows, found: dict, about: dict, classes: int):
  """Yields a record per reading of `found`: R2 or accuracy on the rows scored,
  against the truth, and on the rows fitted, against the labels they had."""
  score = accuracy if classes else r2
  at_N, fit_N = rows.score_N, rows.fit_N
  guess_SxN, truth_N = found["guess_SxN"], rows.label_N[at_N]
  score_S = score(guess_SxN[:, at_N], truth_N[None])
  fit_S = score(guess_SxN[:, fit_N], rows.label_SxN[:, fit_N])
  # What a constant has: the most frequent class of the rows fitted.
  common = np.bincount(rows.label_N[fit_N]).argmax()
  constant = float(np.mean(truth_N == common)) if classes else 0.0
  for name in READS:
    of_S = np.flatnonzero(np.array(rows.reads_S) == name)
    epoch_S = found["epoch_S"]
    yield about | {
      "reads": name,
      "measure": "accuracy" if classes else "R2",
      **reported_lib.spread(score_S[of_S]),
      "constant": constant,
      "on_rows_fitted": float(np.median(fit_S[of_S])),
      "epoch": None if epoch_S is None else int(np.median(epoch_S[of_S])),
      "values": score_S[of_S].tolist(),
    }


def probed(run, protocol: str, rows: Rows) -> Iterator[dict]:
  """Yields the records of every probe and reading."""
  modk = run.experiment.task.question == "modk"
  target = "residue" if modk else "x + y"
  about = {"rows": protocol, "fitted": len(rows.fit_N)}
  line = {"probe": "ridge", "target": target}
  yield from scored(rows, linear(rows), about | line, 0)
  for size in run.settings.mlp_sizes:
    kinds = (0, run.experiment.task.modulus) if modk else (0,)
    for classes in kinds:
      asked = f"{target}, {classes} classes" if classes else target
      found = nonlinear(rows, run.settings, size, classes)
      named = {"probe": size, "target": asked}
      yield from scored(rows, found, about | named, classes)


def r2(guess_SxN, truth_SxN) -> np.ndarray:
  """Returns R2 of every network's guesses, S, in float64."""
  return regression.r2(np.asarray(truth_SxN, float), np.asarray(guess_SxN, float), axis=-1)


def accuracy(guess_SxN, truth_SxN) -> np.ndarray:
  """Returns the share of right classes, S."""
  return np.mean(guess_SxN == truth_SxN, axis=-1)


def _float(label_SxN) -> np.ndarray:
  return np.asarray(label_SxN, np.float32)
