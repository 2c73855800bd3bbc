"""Analysis `masking`: progressive magnitude masks and what they must beat.

Published: a global threshold on |w|, the best ratio read off the data it is
reported on. Here the ratio is chosen on select and reported on test, beside
masks and noise of the same size and a two-parameter recalibration.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import masking, sweeps, trees
from primelens.models import mixture as mixture_lib
from primelens.models import spacing
from primelens.studies.zeros import recalibration, scoring

VARIANTS = ("magnitude", "per tensor", "random", "noise", "recalibrated")


@dataclasses.dataclass(frozen=True)
class Result:
  """NLL in nats on test under masks of ratio R (removed fraction).

  `nll_VxSxR` holds the variants of `variants` in order: the published global
  magnitude mask, magnitude per tensor, a random mask of the same size per
  tensor, Gaussian noise of the removed norm, and the magnitude mask after a
  recalibration (scale factor and mean shift) fitted on select.
  `delta_VxR` with `low`, `high` is the change from the intact model, paired
  over windows. `summary` compares the best masked with the recalibrated
  intact model, ratio chosen on select.
  """

  ratio_R: np.ndarray
  nll_VxSxR: np.ndarray
  select_nll_SxR: np.ndarray
  delta_VxR: np.ndarray
  delta_low_VxR: np.ndarray
  delta_high_VxR: np.ndarray
  log_scale_SxR: np.ndarray
  shift_SxR: np.ndarray
  survival_ExR: np.ndarray
  variants: tuple[dict, ...]
  tensors: tuple[dict, ...]
  summary: tuple[dict, ...]
  selected: int
  left_out: int
  windows: int


@functools.cache
def _score(apply_fn, min_context: int, batch: int):
  """Returns `f(bundle, test, select) -> NLL by window`, recalibrated too.

  The bundle holds the edited params and whether to fit the recalibration,
  which only the magnitude mask needs: no other edit pays for it.
  """
  predict = scoring.predict(apply_fn, min_context, batch)

  def score(bundle, test_NxT1, select_NxT1):
    test = predict(bundle["params"], test_NxT1)
    y = scoring.truth(test, test_NxT1)
    nll_N = -mixture_lib.log_density(test, y).mean(1)

    def recalibrated():
      select = predict(bundle["params"], select_NxT1)
      y_select = scoring.truth(select, select_NxT1)
      theta = recalibration.fit(select, y_select)
      after = mixture_lib.recalibrate(test, theta[0], theta[1])
      return {
        "recalibrated_N": -mixture_lib.log_density(after, y).mean(1),
        "select": -mixture_lib.log_density(select, y_select).mean(),
        "theta_2": theta,
      }

    nothing = {
      "recalibrated_N": jnp.zeros_like(nll_N),
      "select": jnp.zeros(()),
      "theta_2": jnp.zeros(2),
    }
    more = jax.lax.cond(bundle["recalibrate"], recalibrated, lambda: nothing)
    return {"nll_N": nll_N} | more

  return score


def magnitude(params, strength, scope="global"):
  """Returns the params under the magnitude mask of a removed ratio."""
  where = trees.select(params, spacing.MASKED)
  keep = 1 - strength["ratio"]
  return masking.magnitude(params, keep, where=where, scope=scope)


def _like(make):
  def edit(params, strength):
    masked = magnitude(params, strength)
    where = trees.select(params, spacing.MASKED)
    return make(params, masked, where=where, key=strength["key"])

  return edit


_EDITS = (
  magnitude,
  functools.partial(magnitude, scope="leaf"),
  _like(masking.random_like),
  _like(masking.noise_like),
)


def edited(params, strength):
  """Returns what the score gets: params under edit number `variant`."""
  return {
    "params": jax.lax.switch(strength["variant"], _EDITS, params, strength),
    "recalibrate": strength["variant"] == 0,
  }


def run(run) -> Result:
  """Returns the masking curves of a run with their controls."""
  settings, evaluation = run.settings.masking, run.settings.evaluation
  test, start_N = run.batches("test", settings.windows)
  select, _ = run.batches("select", evaluation.select_windows)
  ratio_R = np.asarray(settings.ratios, np.float32)
  keys_R = jax.random.split(jax.random.key(settings.seed), len(ratio_R))
  edits, ratios = len(_EDITS), len(ratio_R)
  nll = sweeps.over(
    _score(run.apply, evaluation.min_context, evaluation.batch),
    run.params_S,
    {
      "variant": jnp.repeat(jnp.arange(edits), ratios),
      "ratio": jnp.tile(jnp.asarray(ratio_R), edits),
      "key": jnp.tile(keys_R, edits),
    },
    transform=edited,
    data=(jnp.asarray(test), jnp.asarray(select)),
    batch_size=trees.length(run.params_S),  # one edit at a time, of all seeds
  )
  grid = lambda leaf: np.asarray(leaf).reshape(leaf.shape[0], edits, ratios, *leaf.shape[2:])
  found = {name: grid(leaf) for name, leaf in nll.items()}
  main = {name: leaf[:, 0] for name, leaf in found.items()}
  by_edit = np.moveaxis(found["nll_N"], 1, 0)
  nll_VxSxRxN = np.concatenate([by_edit, main["recalibrated_N"][None]])
  nll_VxSxRxN = nll_VxSxRxN.astype(np.float64)
  return _result(run, ratio_R, nll_VxSxRxN, main, start_N)


def _result(run, ratio_R, nll_VxSxRxN, main, start_N) -> Result:
  """Returns the curves, their paired intervals and the summary."""
  intact_SxN = nll_VxSxRxN[0][:, np.argmin(ratio_R)]
  delta = nll_VxSxRxN - intact_SxN[None, :, None]
  interval = scoring.interval(run, np.moveaxis(delta, 1, 0), start_N)
  survival_ExR, tensors, selected = _survival(run.params_S, ratio_R)
  total = sum(leaf.size for leaf in jax.tree.leaves(run.params_S))
  seeds = nll_VxSxRxN.shape[1]
  return Result(
    ratio_R=ratio_R,
    nll_VxSxR=nll_VxSxRxN.mean(-1),
    select_nll_SxR=main["select"],
    delta_VxR=interval.estimate,
    delta_low_VxR=interval.low,
    delta_high_VxR=interval.high,
    log_scale_SxR=main["theta_2"][..., 0],
    shift_SxR=main["theta_2"][..., 1],
    survival_ExR=survival_ExR,
    variants=tuple({"variant": name} for name in VARIANTS),
    tensors=tensors,
    summary=_summary(run, ratio_R, nll_VxSxRxN, main["select"], start_N),
    selected=selected,
    left_out=total // seeds - selected,
    windows=len(start_N),
  )


def _survival(params_S, ratio_R):
  """Returns what each tensor keeps at each ratio, averaged over seeds."""

  def kept(params, ratio):
    masked = magnitude(params, {"ratio": ratio})
    where = trees.select(params, spacing.MASKED)
    return masking.survival(params, masked, where=where)

  kept_SxR = sweeps.over(kept, params_S, jnp.asarray(ratio_R))
  one = jax.tree.map(lambda leaf: leaf[0], params_S)
  chosen = trees.selected(one, trees.select(one, spacing.MASKED))
  sizes = {name: int(leaf.size) for name, leaf in chosen.items()}
  tensors = tuple({"tensor": k, "size": size} for k, size in sizes.items())
  survival = [np.asarray(kept_SxR[name]).mean(0) for name in chosen]
  return np.array(survival), tensors, sum(sizes.values())


def _summary(run, ratio_R, nll_VxSxRxN, select_SxR, start_N):
  """Returns the comparison the claim stands or falls with.

  One row per seed and one for all: the ratio that is best on select, its gain
  on test, the gain of recalibrating the intact model, and their difference.
  Negative numbers are improvements.
  """
  intact = int(np.argmin(ratio_R))
  best_S = np.argmin(select_SxR, axis=1)
  at_best = lambda v: np.stack([nll_VxSxRxN[v][s, r] for s, r in enumerate(best_S)])
  masked_SxN, base_SxN = at_best(0), nll_VxSxRxN[0][:, intact]
  recalibrated_SxN = nll_VxSxRxN[4][:, intact]
  rows = []
  for name, pick in [("all", slice(None))] + [
    (str(seed), slice(s, s + 1)) for s, seed in enumerate(run.seed_S)
  ]:
    row = {
      "seed": name,
      "ratio_chosen_on_select": float(ratio_R[best_S[pick]].mean()),
      "intact_nll_nats": float(base_SxN[pick].mean()),
    }
    for label, change in (
      ("masking_gain", masked_SxN - base_SxN),
      ("recalibration_gain", recalibrated_SxN - base_SxN),
      ("masking_minus_recalibration", masked_SxN - recalibrated_SxN),
    ):
      interval = scoring.interval(run, change[pick], start_N)
      row[f"{label}_nats"] = float(interval.estimate)
      row[f"{label}_low"] = float(interval.low)
      row[f"{label}_high"] = float(interval.high)
    rows.append(row)
  return tuple(rows)
