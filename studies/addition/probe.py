"""Analysis `probe`: the sum read from the MLP by a linear probe (A10).

512 features and 70 pairs: the probe interpolates what it is fitted on. Its
company says what the score is worth: an untrained network, the pairs alone,
the mean, and sums permuted (no relation left) or relabelled (another function
of the sum).
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import features, least_squares, statistics
from primelens.lens import numbers as reported
from primelens.lens.numbers import Reported
from primelens.studies.addition import network, tables, untrained

HELD_OUT, SPLIT_SEED = 0.3, 42  # the published split
CONTROLS = 199  # targets of each control: p is at least 1 / 200
_LIMIT = "Directions of h that are no more than float32 rounding left out."
REPORTED = {
  "mse": Reported("A10", "probe, held-out MSE", "almost perfect", None, remark=_LIMIT),
  "r2": Reported("A10", "probe, held-out R2", "almost perfect", None, remark=_LIMIT),
  "mse_as_published": Reported(
    "A10",
    "probe, held-out MSE, directions of rounding included",
    "almost perfect",
    0.0159,
    remark="The recomputed number's own limit of small directions is unknown,"
    " and what rounding adds through them is arbitrary.",
  ),
  "r2_as_published": Reported(
    "A10", "probe, held-out R2, directions of rounding included", "almost perfect", 0.9990
  ),
  "untrained_r2": Reported(
    "A10", "probe of the untrained network, held-out R2", "not asked", 0.9997
  ),
  "accuracy": Reported("A10", "probe, held-out accuracy of the rounded sum", "not asked", None),
  "own_r2": Reported("A10", "probe fitted on train pairs, R2 on test pairs", "not asked", None),
  "mean_mse": Reported("A10", "MSE of the mean", "the baseline", None),
  "permuted_r2": Reported("A10", "probe of permuted sums, held-out R2, mean", "not asked", None),
  "relabelled_r2": Reported(
    "A10", "probe of relabelled sums, held-out R2, mean", "not asked", None
  ),
  "selectivity": Reported(
    "A10",
    "selectivity: accuracy less that on relabelled sums",
    "not asked",
    None,
    remark="R2 of relabelled sums says how much of any function of the sum the same probe reads.",
  ),
}
PROBES = {
  "hidden": ("h, all neurons", "published"),
  "hidden_own": ("h, all neurons", "the network's own"),
  "additive": ("one indicator per a and per b", "published"),
  "additive_own": ("one indicator per a and per b", "the network's own"),
  "mean": ("the mean of the fitted sums", "published"),
  "permuted": ("h, sums permuted over pairs, mean", "published"),
  "relabelled": ("h, values of the sum permuted, mean", "published"),
}
# Singular values below this share of the largest count as zero. Those of h
# end in the rounding of float32, near 1e-5. The last limit is LAPACK's own
# (scipy.linalg.lstsq), and lets all of it in: taken as the published one.
TOLERANCES_R = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1.2e-7)
MEASURES = ("mse", "r2", "accuracy")


@dataclasses.dataclass(frozen=True)
class Result:
  """Scores of the probe and of its company, all on held-out pairs.

  `probes` has a record per row of PROBES. `truth_N` are the held-out sums of
  the published split, `prediction_SxN` the probe's, `untrained_SxN` those of
  the same seeds before training. `permuted_r2_SxK` is R2 with the sums
  permuted over pairs, `p_S` the chance of the probe's R2 among them.
  `ladder_r2_SxR` is the probe's R2 with the directions of h above each of
  `tolerance_R` alone.
  """

  table: tuple[dict, ...]
  probes: tuple[dict, ...]
  truth_N: np.ndarray
  prediction_SxN: np.ndarray
  untrained_SxN: np.ndarray
  permuted_r2_SxK: np.ndarray
  tolerance_R: np.ndarray
  ladder_r2_SxR: np.ndarray
  p_S: np.ndarray


def published_split(rows: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns train and test rows of the source, on the host.

  scikit-learn's `train_test_split(test_size=0.3, random_state=42)`: the first
  rows of one permutation are the test.
  """
  order_N = np.random.RandomState(SPLIT_SEED).permutation(rows)
  held_out = math.ceil(HELD_OUT * rows)
  return order_N[held_out:], order_N[:held_out]


def controls(sum_N, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns `count` permuted and `count` relabelled sums, NxR each.

  Permuted: the sums of all pairs shuffled over pairs. Relabelled: a shuffle
  of the values that the sum can take.
  """
  rng = np.random.default_rng(seed)
  permuted = [rng.permutation(sum_N) for _ in range(count)]
  value_V, at_N = np.unique(sum_N, return_inverse=True)
  relabelled = [rng.permutation(value_V)[at_N] for _ in range(count)]
  return np.stack(permuted, 1), np.stack(relabelled, 1)


def measure(model, params, member, token_Nx3, *, permuted_NxR, relabelled_NxR):
  """Returns the scores of one member's probes, and what is drawn of them."""
  post_NxF = network.read(model, params, token_Nx3).post_NxF
  sum_N = (token_Nx3[:, 0] + token_Nx3[:, 1]).astype(jnp.float32)
  sum_Nx1 = sum_N[:, None]
  train_N, test_N = published_split(len(token_Nx3))
  pair_Nx2P = features.additive(math.isqrt(len(token_Nx3)))
  every_NxR = jnp.concatenate([sum_Nx1, permuted_NxR, relabelled_NxR], axis=1)
  published, own = (train_N, test_N), (member.train_N, member.test_N)
  score, prediction_NxR = _probe(post_NxF, every_NxR, *published)
  count = permuted_NxR.shape[1]
  part = lambda start, stop: {k: v[start:stop] for k, v in score.items()}
  of_pairs = lambda rows: _probe(pair_Nx2P, sum_Nx1, *rows)[0]
  found = {
    "hidden": part(0, 1),
    "hidden_own": _probe(post_NxF, sum_Nx1, *own)[0],
    "additive": of_pairs(published),
    "additive_own": of_pairs(own),
    "mean": _scores(sum_Nx1[test_N], jnp.broadcast_to(sum_Nx1[train_N].mean(), (len(test_N), 1))),
    "permuted": part(1, 1 + count),
    "relabelled": part(1 + count, None),
  }
  cut = lambda tolerance: _probe(post_NxF, sum_Nx1, *published, tolerance)[0]
  ladder = jax.vmap(cut)(jnp.array(TOLERANCES_R))
  return {
    "score": jax.tree.map(jnp.mean, found),
    "ladder": jax.tree.map(lambda x_Rx1: x_Rx1[:, 0], ladder),
    "permuted_r2": found["permuted"]["r2"],
    "prediction": prediction_NxR[:, 0],
  }


def _probe(design_NxQ, target_NxR, train_N, test_N, tolerance=None):
  """Returns the scores on held-out rows and the predictions of those rows."""
  fit = least_squares.fit_shortest(design_NxQ, target_NxR, train_N, tolerance)
  prediction_NxR = fit.prediction_NxF[test_N]
  return _scores(target_NxR[test_N], prediction_NxR), prediction_NxR


def _scores(truth_NxR, prediction_NxR) -> dict:
  right_NxR = jnp.round(prediction_NxR) == truth_NxR
  return {
    "mse": jnp.mean((truth_NxR - prediction_NxR) ** 2, axis=0),
    "r2": least_squares.r2_columns(truth_NxR, prediction_NxR),
    "accuracy": jnp.mean(right_NxR, axis=0),
  }


def run(run) -> Result:
  """Returns the probe of every member beside its anchors and controls."""
  token_Nx3 = np.asarray(run.pairs.token_Nx3)
  sum_N = (token_Nx3[:, 0] + token_Nx3[:, 1]).astype(np.float32)
  permuted_NxR, relabelled_NxR = controls(sum_N, CONTROLS, run.settings.seed)
  probes = functools.partial(measure, permuted_NxR=permuted_NxR, relabelled_NxR=relabelled_NxR)
  found, null = untrained.beside(probes, run)
  value_S = _values(found, null["score"])
  untrained_S = _values(null, null["score"])
  return Result(
    table=tables.rows(run, REPORTED, value_S, untrained_S),
    probes=_records(found["score"], null["score"], tables.reference(run)),
    truth_N=sum_N[published_split(len(sum_N))[1]],
    prediction_SxN=found["prediction"],
    untrained_SxN=null["prediction"],
    permuted_r2_SxK=found["permuted_r2"],
    tolerance_R=np.array(TOLERANCES_R),
    ladder_r2_SxR=found["ladder"]["r2"],
    p_S=statistics.permutation_p(found["score"]["hidden"]["r2"], found["permuted_r2"].T),
  )


def _values(found, null) -> dict[str, np.ndarray]:
  """Returns the numbers of the table, each of every member."""
  score, ladder = found["score"], found["ladder"]
  return {
    **score["hidden"],
    "mse_as_published": ladder["mse"][:, -1],
    "r2_as_published": ladder["r2"][:, -1],
    "untrained_r2": null["hidden"]["r2"],
    "own_r2": score["hidden_own"]["r2"],
    "mean_mse": score["mean"]["mse"],
    "permuted_r2": score["permuted"]["r2"],
    "relabelled_r2": score["relabelled"]["r2"],
    "selectivity": score["hidden"]["accuracy"] - score["relabelled"]["accuracy"],
  }


def _records(score, null, at: int | None) -> tuple[dict, ...]:
  """Returns a record per probe: median, range, the reference's, untrained."""
  rows = []
  for name, (features_, split) in PROBES.items():
    row: dict = {"probe": name, "features": features_, "split": split}
    for key in MEASURES:
      row |= reported.columns(key, score[name][key], null[name][key], at)
    rows.append(row)
  return tuple(rows)
