"""Fourier probes: is the residue, or a digit, a wave in the states?

If a network encodes (x + y) mod k as a wave, then a linear probe of its states finds the cosine and
the sine of 2 pi n (x + y) / k for some frequency n. The published study fitted and scored such
probes on the same rows; its probes are repeated in the slice fourier_published. Here every
frequency of the residue and of the sum's last digits is probed at the last character, at every
level: fitted on some fresh pairs of operands, scored on others. Two controls show what a probe
finds where there is no wave: permuted labels and untrained networks. The directions of the best
frequencies are also removed from the final states, and the network's own readout shows what that
costs. Skill is 1 - loss / the loss of a constant answer. Two controls are removed in the same way:
directions of probes fitted to permuted labels, and random directions. They are removed whole, and
scaled so that states move as far as without the probed directions.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import erasure, fourier, linear, statistics
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import results
from primelens.lens import tables as tables_lib
from primelens.studies.text import program, removal, states

obstacle = program.without_residues

ROWS = 4000  # fresh pairs to fit, and as many to score, at most
DIGITS_M = (2, 5, 10, 100)  # moduli of the sum's last digits
FLAT = 1e-6  # a column that varies less is no target
LEVEL = 0.05
REMOVED = 6  # frequencies whose directions are removed
ROUNDING = 1e-6  # of an R2
_exact = lambda a, b: jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)

# --- every frequency ------------------------------------------------------------------------------
# A frequency n of modulus m is the pair cos, sin of 2 pi n (x + y) / m; all of all moduli are
# columns of one ridge regression, and so are they of permuted labels. Networks, levels and
# permutations go by `lax.map`, one at a time: on a CPU two batched Cholesky factors in one program
# may wait for each other for ever, as batched singular values do (`decompositions.svd`).


class Targets(NamedTuple):
  """Waves of every label, VxF, cos and sin in turn; whether columns vary, F;
  the frequency of every pair, Q."""

  wave_VxF: np.ndarray
  keep_F: np.ndarray
  frequency_Q: np.ndarray


class Prepared(NamedTuple):
  """Standardised states of the rows fitted and of others, the deviations they
  are in, and (gram + alpha I)^-1 of every one of ALPHAS_R."""

  fitted_NxD: jax.Array
  scored_NxD: jax.Array
  deviation_D: jax.Array
  gram_DxD: jax.Array
  inverse_RxDxD: jax.Array


def targets(fitted_N, scored_N, moduli) -> Targets:
  """Returns all frequencies 1..m // 2 of every modulus, of labels 0..max, from
  the labels of both parts of the rows; a column is kept that varies in both."""
  label_V = np.arange(max(fitted_N.max(), scored_N.max()) + 1)
  wave_VxF = np.concatenate([fourier.label_waves(label_V % m, m, m // 2) for m in moduli], axis=1)
  varies = lambda label_N: wave_VxF[label_N].astype(float).var(0) >= FLAT
  frequency_Q = np.concatenate([np.arange(1, m // 2 + 1) for m in moduli])
  return Targets(wave_VxF, varies(fitted_N) & varies(scored_N), frequency_Q)


def permutations(rows: int, count: int, seed) -> np.ndarray:
  """Returns random orders of some rows, RxN."""
  rng = np.random.default_rng(seed)
  return rng.permuted(np.tile(np.arange(rows), (count, 1)), axis=1)


def pairs(value_F, keep_F) -> jax.Array:
  """Returns the mean of every pair's columns that are kept, Q; NaN for a pair
  without one."""
  keep_F = jnp.asarray(keep_F)
  value_Qx2 = jnp.where(keep_F, value_F, 0).reshape(-1, 2)
  count_Q = keep_F.reshape(-1, 2).sum(1)
  total_Q = value_Qx2.sum(1)
  return jnp.where(count_Q > 0, total_Q / jnp.maximum(count_Q, 1), jnp.nan)


def prepared(fitted_NxD, scored_NxD) -> Prepared:
  """Returns both parts in deviations of the rows fitted, for `fit`."""
  scale = linear.scaler(fitted_NxD)
  z_NxD = scale(fitted_NxD)
  gram_DxD, one_DxD = _exact(z_NxD.T, z_NxD), jnp.eye(z_NxD.shape[1])
  inverse_RxDxD = jax.lax.map(
    lambda alpha: linear.ridge_solved(gram_DxD, one_DxD, alpha),
    jnp.asarray(linear.ALPHAS_R, z_NxD.dtype),
  )
  scored_NxD = scale(scored_NxD)
  return Prepared(z_NxD, scored_NxD, scale.deviation_D, gram_DxD, inverse_RxDxD)


def fit(given: Prepared, y_NxF, place_F) -> tuple[jax.Array, jax.Array]:
  """Returns the ridge regression's kernel DxF and R2 of every column on the
  rows fitted, F; NaN for one that does not vary. `place_F` are the columns' own
  alphas, by their place in ALPHAS_R."""
  y_NxF = y_NxF - y_NxF.mean(0)[None]
  cross_DxF = _exact(given.fitted_NxD.T, y_NxF)
  kernel_RxDxF = _exact(given.inverse_RxDxD, cross_DxF[None])
  kernel_DxF = jnp.take_along_axis(kernel_RxDxF, place_F[None, None], 0)[0]
  seen_DxF = 2 * cross_DxF - _exact(given.gram_DxD, kernel_DxF)
  variance_F = jnp.mean(y_NxF**2, 0)
  known_F = jnp.sum(kernel_DxF * seen_DxF, 0) / len(y_NxF)
  return kernel_DxF, linear.explained(variance_F - known_F, variance_F)


def held_out(given: Prepared, fitted_NxF, scored_NxF, place_F) -> jax.Array:
  """Returns R2 of every column on the rows not fitted, F."""
  kernel_DxF, _ = fit(given, fitted_NxF, place_F)
  guess_NxF = fitted_NxF.mean(0)[None] + _exact(given.scored_NxD, kernel_DxF)
  return linear.r2_scored(scored_NxF, guess_NxF)


def alphas(fitted_NxD, y_NxF, keep_F) -> jax.Array:
  """Returns the alpha of every pair, at both of its columns, F: the place in
  ALPHAS_R of that with the largest R2 over inner folds of the rows fitted.

  Folds are neighbours and have one size; rows that are left over are in none.
  """
  size = len(fitted_NxD) // linear.FOLDS
  fold_ExN = np.arange(size * linear.FOLDS).reshape(linear.FOLDS, size)
  rest_ExN = np.stack([np.delete(fold_ExN, e, 0).ravel() for e in range(linear.FOLDS)])

  def one(rows):
    rest_N, fold_N = rows
    given = prepared(fitted_NxD[rest_N], fitted_NxD[fold_N])

    def score(place):
      place_F = jnp.full(y_NxF.shape[1], place)
      r2_F = held_out(given, y_NxF[rest_N], y_NxF[fold_N], place_F)
      return pairs(r2_F, keep_F)

    return jax.lax.map(score, jnp.arange(len(linear.ALPHAS_R)))

  r2_RxQ = jax.lax.map(one, (rest_ExN, fold_ExN)).mean(0)
  return jnp.repeat(jnp.argmax(jnp.nan_to_num(r2_RxQ), 0), 2)


def over_levels(fitted_SxNxExD, scored_SxNxExD, targets, labels, orders):
  """Returns `probe_all` of every network and level, as numpy arrays."""
  both = (np.moveaxis(x, 2, 1) for x in (fitted_SxNxExD, scored_SxNxExD))
  waves = (targets.wave_VxF, targets.keep_F)
  return jax.device_get(probe_all(*both, *waves, labels, orders))


@jax.jit
def probe_all(fitted_SxExNxD, scored_SxExNxD, wave_VxF, keep_F, labels, orders):
  """Returns R2 of every network, level and frequency, `r2_SxExQ`, with
  permuted labels `null_SxExRxQ`, and the alphas `place_SxExF`.

  `labels` are those of the rows fitted and scored, `orders` permutations RxN
  of each; there may be none. Permuted labels have the alphas of the labels.
  """
  fitted_N, scored_N = labels

  def one(parts):
    fitted_NxD, scored_NxD = parts
    place_F = alphas(fitted_NxD, wave_VxF[fitted_N], keep_F)
    both = prepared(fitted_NxD, scored_NxD)

    def score(labels):
      mine_NxF, other_NxF = (wave_VxF[label_N] for label_N in labels)
      r2_F = held_out(both, mine_NxF, other_NxF, place_F)
      return pairs(r2_F, keep_F)

    shuffled = (fitted_N[orders[0]], scored_N[orders[1]])
    return {
      "r2_SxExQ": score(labels),
      "null_SxExRxQ": jax.lax.map(score, shuffled),
      "place_SxExF": place_F,
    }

  level = lambda parts_E: jax.lax.map(one, parts_E)
  return jax.lax.map(level, (fitted_SxExNxD, scored_SxExNxD))


def max_t(r2_Q, null_RxQ) -> dict[str, np.ndarray]:
  """Returns `z`, `p` and `threshold` of every frequency, Q.

  z is in deviations of the frequency's own permutations. p is that of the
  largest of all frequencies (`statistics.max_t`), each in deviations of
  permutations and labels as they are, which treats both alike. An R2 above the
  threshold has so large a z as LEVEL of the permutations have somewhere. A
  frequency whose R2 never changes, of states that are all the same, has z = 0.
  """
  true_Q, null_RxQ = np.asarray(r2_Q, float), np.asarray(null_RxQ, float)
  every_RxQ = np.concatenate([true_Q[None], null_RxQ])
  t_RxQ = _deviations(every_RxQ, every_RxQ)
  null_z_RxQ = _deviations(null_RxQ, null_RxQ)
  top = np.quantile(null_z_RxQ.max(1), 1 - LEVEL)
  return {
    "z": _deviations(true_Q[None], null_RxQ)[0],
    "p": statistics.max_t(t_RxQ[0], t_RxQ[1:]),
    "threshold": null_RxQ.mean(0) + top * null_RxQ.std(0),
  }


def worth(r2_SxExQ, null_SxExRxQ) -> dict[str, np.ndarray]:
  """Returns `max_t` of every network and level, SxExQ."""
  networks, levels, frequencies = r2_SxExQ.shape
  found = [
    max_t(r2_Q, null_RxQ)
    for r2_Q, null_RxQ in zip(
      r2_SxExQ.reshape(-1, frequencies),
      null_SxExRxQ.reshape(networks * levels, -1, frequencies),
      strict=True,
    )
  ]
  return {name: np.stack([one[name] for one in found]).reshape(r2_SxExQ.shape) for name in found[0]}


def _deviations(value_RxQ, null_RxQ) -> np.ndarray:
  spread_Q = null_RxQ.std(0)
  varies_Q = spread_Q > ROUNDING
  gap_RxQ = (value_RxQ - null_RxQ.mean(0)) / np.where(varies_Q, spread_Q, 1)
  return np.where(varies_Q, gap_RxQ, 0)


# --- directions removed ---------------------------------------------------------------------------


@functools.partial(jax.jit, static_argnames="draws")
def subspaces(
  state_SxNxD, wave_VxF, keep_F, place_SxF, sum_N, order_RxN, key, *, draws
) -> tuple[erasure.Subspaces, jax.Array]:
  """Returns the directions of the REMOVED best frequencies of every network's
  fitted rows, in the order of `erasure.VARIANTS`, S first, and which
  frequencies those of the labels are, SxQ.

  The best have the largest R2 on these rows, for permuted labels as well.
  `ridge` is the span of the probe's coefficients over the features' deviations,
  which are those of raw states; `leace` what leaves no covariance with them.
  """
  count = min(REMOVED, wave_VxF.shape[1] // 2)

  def one(member):
    state_NxD, place_F = member
    given = prepared(state_NxD, state_NxD[:1])
    gap_NxD = state_NxD - state_NxD.mean(0)[None]
    gram_DxD = _exact(gap_NxD.T, gap_NxD)

    best = lambda order_N: _directions(
      given, gap_NxD, gram_DxD, wave_VxF[sum_N[order_N]], keep_F, place_F, count
    )
    shape = (draws, state_NxD.shape[1], 2 * count)
    order = jnp.concatenate([jnp.arange(len(sum_N))[None], order_RxN])
    found, best_RxQ = jax.lax.map(best, order)
    random = jax.lax.map(linear.basis, jax.random.normal(key, shape))
    read_RxDxK, write_RxDxK = (
      jnp.concatenate([r[:1], e[:1], r[1:], e[1:], random])
      for r, e in zip(found["ridge"], found["leace"], strict=True)
    )
    removed_R = jax.lax.map(
      lambda both: erasure.removed(gram_DxD, *both), (read_RxDxK, write_RxDxK)
    )
    like_R = jnp.asarray([0, 1, 0, 1, 0])[erasure.variants_of(len(order_RxN), draws)]
    ratio_R = removed_R[like_R] / jnp.where(removed_R > 0, removed_R, jnp.inf)
    joined = erasure.Subspaces(read_RxDxK, write_RxDxK, jnp.sqrt(ratio_R), removed_R)
    return joined, best_RxQ[0]

  return jax.lax.map(one, (state_SxNxD, place_SxF))


def _directions(
  given: Prepared, gap_NxD, gram_DxD, y_NxF, keep_F, place_F, count: int
) -> tuple[dict, jax.Array]:
  """Returns read and write of `ridge` and `leace`, of `count` frequencies."""
  kernel_DxF, r2_F = fit(given, y_NxF, place_F)
  best_Q = jax.lax.top_k(jnp.nan_to_num(pairs(r2_F, keep_F)), count)[1]
  column_K = (2 * best_Q[:, None] + jnp.arange(2)[None]).ravel()
  some = lambda x_NxF: jnp.where(keep_F[None], x_NxF, 0)[:, column_K]
  ridge_DxK = linear.basis(some(kernel_DxF) / given.deviation_D[:, None])
  cross_DxK = _exact(gap_NxD.T, some(y_NxF))
  leace = erasure.whitened(gram_DxD, cross_DxK, erasure.ALPHA)
  return {"ridge": (ridge_DxK, ridge_DxK), "leace": leace}, best_Q


WAYS = {"whole": removal.REMOVED, "scaled": removal.MATCHED}
SUBSPACES = ("ridge", "leace")


def without(run, rows, targets, sum_N, place_SxExF) -> dict:
  """Returns the removed frequencies, and the skill that is left without the subspace, without
  those of permuted labels and random ones; what goes with each kind of them, by network."""
  settings = run.settings
  count = 2 * (run.experiment.task.modulus // 2)
  order_RxN = permutations(len(sum_N), settings.permutations, [settings.seed, 5])
  found, best_SxQ = subspaces(
    rows.fit_SxNxExD[:, :, -1],
    targets.wave_VxF[:, :count],
    targets.keep_F[:count],
    place_SxExF[:, -1, :count],
    sum_N,
    order_RxN,
    jax.random.key(settings.seed),
    draws=settings.random_directions,
  )
  bundle = rows.bundle(found.read_RxDxK, found.write_RxDxK, found.strength_R)
  kind_R = erasure.variants_of(settings.permutations, settings.random_directions)
  index_R = np.arange(len(kind_R))
  measured = removal.over(removal.by_readout, bundle, index_R, rows.target_N)
  skill_WxSxR = np.stack([rows.skill(measured["loss"][..., place]) for place in WAYS.values()])
  permuted_R = (kind_R == 2) | (kind_R == 3)
  shape = (*skill_WxSxR.shape[:2], len(SUBSPACES), settings.permutations)
  best_SxF = np.sort(targets.frequency_Q[np.asarray(best_SxQ)], -1)
  skill = "skill (1: no error, 0: a constant)"
  return {
    "removed_frequency": results.variable("seed place", best_SxF, "frequency removed"),
    "intact": results.variable("seed", rows.skill(rows.intact_loss_S), skill),
    "left": results.variable("seed subspace", skill_WxSxR[0, :, :2], "skill left"),
    "left_permuted": results.variable(
      "way seed subspace permutation",
      skill_WxSxR[..., permuted_R].reshape(shape),
      "skill left without a subspace of permuted labels",
    ),
    "left_random": results.variable(
      "way seed draw", skill_WxSxR[..., kind_R == 4], "skill left without a random subspace"
    ),
    **kinds_removed(run, rows, kind_R, measured, np.asarray(found.removed_R, float)),
  }


def kinds_removed(run, rows, kind_R, measured, share_SxR) -> dict:
  """Returns a place for every kind of subspace, removed whole and scaled to move states as far as
  the probed one; of each network the mean over draws.

  p is how often one of the draws leaves as little as the probed one of its kind (`ridge` for
  random ones).
  """
  unit = "answers² / 2000²" if run.regression else "nats"
  kinds, by_seed = [], []
  for way, place in WAYS.items():
    for v, variant in enumerate(erasure.VARIANTS):
      if v < 2 and way == "scaled":
        continue  # the probed ones are as they are
      at_R = kind_R == v
      loss_SxR = measured["loss"][:, at_R, place]
      skill_SxR, p_S = rows.skill(loss_SxR), np.full(len(loss_SxR), np.nan)
      if v >= 2:
        probed_S = rows.skill(measured["loss"][..., WAYS["whole"]])[:, v % 2]
        p_S = statistics.permutation_p(probed_S, skill_SxR.T, tail="less")
      kinds.append({"subspace": variant, "way": way, "draws": loss_SxR.shape[1]})
      accuracy_SxR = measured["accuracy"][:, at_R, place]
      means = (x_SxR.mean(1) for x_SxR in (skill_SxR, loss_SxR, accuracy_SxR, share_SxR[:, at_R]))
      by_seed.append([*means, p_S])
  meanings = {
    "subspace": "subspace",
    "way": "removed whole, or scaled to move states as far as the probed one",
    "draws": "subspaces drawn",
  }
  skill_RxS, loss_RxS, accuracy_RxS, share_RxS, p_RxS = np.swapaxes(by_seed, 0, 1)
  named = lambda value, meaning, unit="": results.variable("removal seed", value, meaning, unit)
  right_S = np.full(len(rows.intact_loss_S), np.nan)  # numbers are not classes
  if not run.regression and rows.output_SxNxV.shape[-1] > 1:
    right_S = (rows.output_SxNxV.argmax(-1) == rows.target_N).mean(1)
  return {
    **results.rows("removal", kinds, meanings),
    "left_mean": named(skill_RxS, "skill left, mean of draws"),
    "left_loss": named(loss_RxS, "loss, mean of draws", unit),
    "left_accuracy": named(accuracy_RxS, "accuracy, mean of draws"),
    "removed_share": named(share_RxS, "share of the variance that is removed, mean of draws"),
    "left_p": named(p_RxS, "p: how often a draw leaves as little as the probed one"),
    "intact_loss": results.variable("seed", rows.intact_loss_S, "loss of the intact network", unit),
    "intact_accuracy": results.variable("seed", right_S, "accuracy of the intact network"),
  }


# --- the result -----------------------------------------------------------------------------------


def measure(run) -> xr.Dataset:
  """Returns R2 of every frequency and of digits, and what removing the best ones costs."""
  few, settings = fewer(run), run.settings
  rows, prompts = removal.Rows(few), few.probes()
  sum_N = prompts.x_N + prompts.y_N
  sums = sum_N[prompts.train_N], sum_N[prompts.test_N]
  moduli = (run.experiment.task.modulus, *DIGITS_M)
  waves = targets(*sums, moduli)
  orders = [
    permutations(len(part_N), settings.permutations, [settings.seed, i])
    for i, part_N in enumerate(sums)
  ]
  trained = over_levels(rows.fit_SxNxExD, rows.test_SxNxExD, waves, sums, orders)
  fresh_S = program.untrained_S(few)
  fitted_VxNxExD, scored_VxNxExD = (
    states.over_members(removal.read, few, prompts.token_NxT[row_N], fresh_S)["state"]
    for row_N in (prompts.train_N, prompts.test_N)
  )
  none = [order_RxN[:0] for order_RxN in orders]
  untrained = over_levels(fitted_VxNxExD, scored_VxNxExD, waves, sums, none)

  # Arrays hold the frequencies of all moduli, one after another, along their last axis.
  ends = np.cumsum([m // 2 for m in moduli])[:-1]
  cut = lambda x_Q: np.split(x_Q, ends, axis=-1)
  variables = {
    **residues(waves, trained, untrained, cut),
    **digits(waves, trained, untrained, cut),
    **without(few, rows, waves, sums[0], trained["place_SxExF"]),
  }
  wave = "frequency n of cos, sin 2πn(x + y)/k"
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "level": list(states.levels(run)),
    "frequency": results.variable("frequency", cut(waves.frequency_Q)[0], wave),
    "modulus": results.variable("modulus", DIGITS_M, "modulus m of (x + y) mod m"),
    "subspace": list(SUBSPACES),
    "way": list(WAYS),
  }
  return results.dataset(
    variables,
    coords,
    residue=moduli[0],
    regression=run.regression,
    as_published=program.as_published(run.experiment) and run.regression,
    pairs_scored=len(rows.target_N),
    scale=float(run.experiment.task.scale),
  )


def fewer(run):
  """Returns the run with no more than ROWS fresh pairs in each part."""
  rows = min(run.settings.probe_rows, 2 * ROWS)
  settings = dataclasses.replace(run.settings, probe_rows=rows)
  experiment = dataclasses.replace(run.experiment, analyses=settings)
  return dataclasses.replace(run, experiment=experiment)


def residues(waves: Targets, trained, untrained, cut) -> dict:
  """Returns every frequency of the residue, on pairs that the probe was not fitted to."""
  r2, null = cut(trained["r2_SxExQ"])[0], cut(trained["null_SxExRxQ"])[0]
  found = worth(r2, null)
  # Cosine and sine have one alpha.
  alpha = np.array(linear.ALPHAS_R)[trained["place_SxExF"][..., ::2]]
  many = 1 + np.arange(r2.shape[-1])
  of_trained = "seed level frequency"
  return {
    **results.with_untrained(
      "r2", of_trained, r2, cut(untrained["r2_SxExQ"])[0], "R² on fresh pairs"
    ),
    "z": results.variable(of_trained, found["z"], "R² in deviations of permuted labels"),
    "p": results.variable(of_trained, found["p"], "p of the largest of all frequencies"),
    "threshold": results.variable(of_trained, found["threshold"], f"R² where p = {LEVEL}"),
    "alpha": results.variable(of_trained, cut(alpha)[0], "ridge penalty"),
    "first_r2": results.variable(
      of_trained, np.cumsum(r2, -1) / many, "R² on fresh pairs, mean of frequencies 1..n"
    ),
  }


def digits(waves: Targets, trained, untrained, cut) -> dict:
  """Returns the last digits of the sum: the mean over all frequencies of each modulus, and the
  best one."""
  r2, null, fresh, weight, frequency = (
    cut(x)[1:]
    for x in (
      trained["r2_SxExQ"],
      trained["null_SxExRxQ"],
      untrained["r2_SxExQ"],
      waves.keep_F.reshape(-1, 2).sum(1),
      waves.frequency_Q,
    )
  )
  stack = lambda f, *of: np.stack([f(*one) for one in zip(*of, strict=True)], -1)
  mean = lambda x: stack(lambda value, w: np.average(value, -1, w), x, weight)
  p = statistics.permutation_p(mean(r2), np.moveaxis(mean(null), 2, 0))
  best = stack(lambda value, n: n[value.argmax(-1)], r2, frequency)
  best_r2 = stack(lambda value: value.max(-1), r2)
  best_p = stack(lambda value, draws: worth(value, draws)["p"].min(-1), r2, null)
  of_trained = "seed level modulus"
  meaning = "R² on fresh pairs of all frequencies, mean of cosines and sines"
  return {
    **results.with_untrained("digit_r2", of_trained, mean(r2), mean(fresh), meaning),
    "digit_p": results.variable(of_trained, p, "p by permuted labels"),
    "digit_best": results.variable(of_trained, best, "best frequency"),
    "digit_best_r2": results.variable(of_trained, best_r2, "R² of the best frequency"),
    "digit_best_p": results.variable(of_trained, best_p, "p of the best frequency"),
  }


def numbers(found) -> dict:
  """Returns the values by seed of the keys in published.csv."""
  if not found.as_published:
    return {}
  best = lambda name: found[name].isel(level=-1).max("frequency").values
  return {"held_out_r2_best": numbers_lib.Own(best("r2"), best("untrained_r2"))}


# --- figures and tables ---------------------------------------------------------------------------

MANY = 12  # frequencies that are written out
BAR = {"ls": "--", "marker": "", "lw": 1.3, "color": draw.PURPLE}


def figures(runs) -> dict:
  """Returns the frequencies of all runs on one page, and a page for each run."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) == 1:
    return pages
  last = {run: found.isel(level=-1) for run, found in runs.items()}
  curves = draw.curves(
    results.across(last, "r2"),
    "r2",
    x="frequency",
    colour="run",
    thin="seed",
    title="Residue in the final states, fresh pairs (thin: seeds, thick: median)",
  )
  digit_r2 = results.across(last, "digit_r2")
  bars = draw.bars(digit_r2, "digit_r2", x="modulus", colour="run", title="Digits, final states")
  return pages | {"all runs": draw.page(curves, bars, heights=[3.4, 3.2])}


def _page(run: str, found: xr.Dataset) -> draw.Page:
  last = found.isel(level=-1)
  bar = last[["threshold"]].median("seed", keep_attrs=True)
  permuted = BAR | {"label": f"permuted labels, the best of all: p = {LEVEL}"}
  frequencies = draw.together(
    draw.curves(bar, "threshold", x="frequency", style=permuted),
    draw.curves(last, "untrained_r2", x="frequency", thin="untrained", style=_look("untrained")),
    draw.curves(
      last,
      "r2",
      x="frequency",
      thin="seed",
      style=_look("trained"),
      title=f"{run}: residue mod {found.residue} in the final states, fresh pairs",
    ),
  )
  of_digits = draw.bars(
    last,
    "digit_r2",
    x="modulus",
    null="untrained_digit_r2",
    p="digit_p",
    title="Digits, final states (grey: untrained)",
  )
  by_level = draw.heat(
    found[["r2"]].median("seed", keep_attrs=True),
    "r2",
    rows="level",
    columns="frequency",
    title="Every frequency by level, median",
  )
  return draw.page(
    frequencies, (of_digits, _left(found)), (by_level, _first(last)), heights=[3.4, 3.4, 3.2]
  )


def _look(network: str) -> dict:
  return {"color": draw.COLOUR_OF[network], "label": network}


def _left(found: xr.Dataset) -> draw.Panel:
  """Returns the skill left without each subspace, whole and scaled."""
  groups = {"intact": found.intact}
  for kind in SUBSPACES:
    null = found.left_permuted.sel(subspace=kind)
    groups |= {
      kind: found.left.sel(subspace=kind),
      f"{kind}, permuted labels": null.sel(way="whole"),
      f"{kind}, permuted, scaled": null.sel(way="scaled"),
    }
  groups |= {
    "random": found.left_random.sel(way="whole"),
    "random, scaled": found.left_random.sel(way="scaled"),
  }
  title = f"Best {found.sizes['place']} frequencies removed"
  return draw.together(draw.dots(groups, xlabel="skill left", title=title), _wide)


def _wide(axes) -> None:
  """Makes the axis of skill logarithmic beyond 1 where values go far."""
  if max(map(abs, axes.get_xlim())) > 30:
    axes.set_xscale("symlog", linthresh=1)
    axes.xaxis.set_major_formatter("{x:g}")


def _first(last: xr.Dataset) -> draw.Panel:
  """Returns the mean of the first frequencies, as the published probes are scored."""
  many = xr.DataArray(1 + np.arange(last.sizes["frequency"]), dims="frequency")
  fresh = last[["untrained_r2"]]
  fresh = fresh.assign(untrained_r2=(fresh.untrained_r2.cumsum("frequency") / many))
  fresh = fresh.assign_coords(frequency=last.frequency)
  fresh.untrained_r2.attrs = last.first_r2.attrs
  return draw.together(
    draw.curves(fresh, "untrained_r2", x="frequency", thin="untrained", style=_look("untrained")),
    draw.curves(
      last,
      "first_r2",
      x="frequency",
      thin="seed",
      style=_look("trained"),
      xlabel="number of frequencies n",
      ylabel="R², mean of frequencies 1..n",
      title="First frequencies, fresh pairs",
    ),
  )


def tables(runs) -> list[tables_lib.Table]:
  """Returns the frequencies, the digits, and the skill left without subspaces, of all runs."""
  of = functools.partial(tables_lib.by_run, runs)
  return [
    tables_lib.Table(
      "Frequencies of the residue by level and seed, on pairs that the probe was not fitted to."
      f" Significant are those with p of {LEVEL} or less, p of the largest of all frequencies.",
      of(best_frequencies),
      {"seed": "d", "best": "d"},
      name="frequencies",
    ),
    tables_lib.Table(
      "Digits of the sum by level: R2 on fresh pairs of all frequencies of a modulus, over seeds,"
      " and the best frequency of the best network.",
      of(best_digits),
      {"modulus": "d", "best": "d"},
      name="digits",
    ),
    tables_lib.Table(
      "Frequencies of the residue whose directions are removed from the final states: those with"
      " the largest R2 on the rows that their probes were fitted to.",
      of(removed_frequencies),
      {"seed": "d"},
      name="removed_frequencies",
    ),
    tables_lib.Table(
      "Skill left without a subspace of the final states: median, range and mean over seeds. p is"
      " how often a draw leaves as little as the probed subspace.",
      of(removed_kinds),
      name="removed",
    ),
  ]


def best_frequencies(found: xr.Dataset) -> list[dict]:
  """Returns a record for each level and seed: how many frequencies are there, and the best one.

  `untrained_best_r2` is the median over untrained networks of their best.
  """
  rows = []
  for level in found.level.values:
    untrained = found.untrained_r2.sel(level=level).values
    for seed in found.seed.values:
      one = found.sel(level=level, seed=seed)
      at = int(one.r2.values.argmax())
      there = one.frequency.values[one.p.values <= LEVEL]
      words = ", ".join(map(str, there[:MANY]))
      rows.append(
        {
          "level": str(level),
          "seed": int(seed),
          "frequencies": one.sizes["frequency"],
          "significant": len(there),
          "which": words + (", ..." if len(there) > MANY else ""),
          "best": int(one.frequency[at]),
          "best_r2": float(one.r2[at]),
          "best_z": float(one.z[at]),
          "best_p": float(one.p[at]),
          "mean_r2": float(one.r2.values.mean()),
          "alpha": float(one.alpha[at]),
          "untrained_best_r2": float(np.median(untrained.max(-1))),
        }
      )
  return rows


def removed_frequencies(found: xr.Dataset) -> list[dict]:
  """Returns a record for each seed: which frequencies are removed."""
  return [
    {
      "seed": int(seed),
      "frequencies": ", ".join(map(str, found.removed_frequency.sel(seed=seed).values.tolist())),
    }
    for seed in found.seed.values
  ]


def best_digits(found: xr.Dataset) -> list[dict]:
  """Returns a record for each level and modulus, over seeds."""
  rows = []
  for level in found.level.values:
    for modulus in found.modulus.values:
      one = found.sel(level=level, modulus=modulus)
      at = int(one.digit_best_r2.values.argmax())
      rows.append(
        {
          "level": str(level),
          "modulus": int(modulus),
          "frequencies": int(modulus) // 2,
          **numbers_lib.cells(one.digit_r2.values),
          "p": float(np.median(one.digit_p)),
          "untrained": float(np.median(one.untrained_digit_r2)),
          "best": int(one.digit_best[at]),
          "best_r2": float(one.digit_best_r2[at]),
          "best_p": float(one.digit_best_p[at]),
        }
      )
  return rows


def removed_kinds(found: xr.Dataset) -> list[dict]:
  """Returns a record for each kind of subspace, over seeds; the loss of numbers in answers²."""
  scale = found.scale**2 if found.regression else 1.0
  rows = []
  for i in range(found.sizes["removal"]):
    one = found.isel(removal=i)
    median = lambda name, one=one: float(np.median(one[name]))
    rows.append(
      {
        "subspace": one.removal_subspace.item(),
        "removed": one.removal_way.item(),
        "rank": 2 * found.sizes["place"],
        "draws": one.removal_draws.item(),
        "rows": found.pairs_scored,
        "intact_skill": median("intact"),
        **numbers_lib.cells(one.left_mean.values),
        "p": median("left_p"),
        "loss": median("left_loss") * scale,
        "intact_loss": median("intact_loss") * scale,
        "accuracy": median("left_accuracy"),
        "intact_accuracy": median("intact_accuracy"),
        "share": median("removed_share"),
        "unit": "answers²" if found.regression else "nats",
      }
    )
  return rows
