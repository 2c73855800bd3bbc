"""Analysis `attention`: what "=" attends to, and what comes of fixing it.

Items A59, A60 and, modular, B1-B3 of the addition spec.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import features, fourier
from primelens.models import tokens
from primelens.studies.addition import (
  attention_edits,
  attention_reported,
  effects,
  fits,
  network,
  tables,
  untrained,
)
from primelens.studies.addition.attention_reported import DESIGNS, EDITS

REPORTED = attention_reported.REPORTED


@dataclasses.dataclass(frozen=True)
class Result:
  """Attention of "=" to a, b and "=", by head, as it is and replaced.

  `edits` names the rows V of `accuracy_SxV`, `nll_SxV` and `additive_SxV`
  (mean R2 of z on f(a) + g(b)). `score_SxHx2xP` are the scores to a and to b
  by their digit. `fixed_accuracy_SxH` is with one head frozen,
  `moving_accuracy_SxH` with all heads but one. The maps are the reference
  member's, else the first's.
  """

  table: tuple[dict, ...]
  fits: tuple[dict, ...]
  edits: tuple[dict, ...]
  mean_SxHx3: np.ndarray
  deviation_SxHx3: np.ndarray
  asymmetry_SxH: np.ndarray
  score_SxHx2xP: np.ndarray
  accuracy_SxV: np.ndarray
  nll_SxV: np.ndarray
  additive_SxV: np.ndarray
  fixed_accuracy_SxH: np.ndarray
  moving_accuracy_SxH: np.ndarray
  pattern_Hx3xPxP: np.ndarray
  shown: int


def scores(model, params, token_Nx3):
  """Returns the scores of "=" to a and to b by their digit, Hx2xP (A59).

  The query is the same for every input, and a score depends on one digit: the
  inputs (d, d) have them all. On these P inputs alone.
  """
  digits = int(len(token_Nx3) ** 0.5)
  twins_Px3 = token_Nx3[:: digits + 1]
  _, site = tokens.apply(model, params, twins_Px3, sites=("attention/scores",))
  score_PxHx2 = site["attention/scores"][0][:, :, -1, :2]
  return jnp.transpose(score_PxHx2, (1, 2, 0))


def asymmetry(pattern_NxHxT):
  """Returns max |alpha_a(a, b) - alpha_b(b, a)| of every head (A59)."""
  digits = int(len(pattern_NxHxT) ** 0.5)
  pattern_PxPxHxT = features.grid(pattern_NxHxT, digits)
  mirrored_PxPxH = pattern_PxPxHxT[..., 1].swapaxes(0, 1)
  return jnp.abs(pattern_PxPxHxT[..., 0] - mirrored_PxPxH).max((0, 1))


def measure(model, params, member, token_Nx3, seed: int = 0):
  """Returns patterns, scores, and edits with their fits, of one member.

  `seed` draws whose pattern an input gets when patterns are resampled.
  """
  read = network.read(model, params, token_Nx3)
  pattern_NxHxT = read.pattern_NxHxT
  attended = functools.partial(attention_edits.replaced, model, params, token_Nx3)
  edit_VxNxHxT = attention_edits.replacements(pattern_NxHxT, jax.random.key(seed))
  head = attention_edits.by_head(pattern_NxHxT)
  effect_R = jax.lax.map(
    lambda x: effects.of_logits(read, attended(x).logit_NxV, member),
    jnp.concatenate([edit_VxNxHxT, *head]),
  )
  edits, heads = len(EDITS), len(head[0])
  fixed, moving = jnp.split(effect_R["all/accuracy"][edits:], [heads])
  return {
    "mean": pattern_NxHxT.mean(0),
    "deviation": pattern_NxHxT.std(0),
    "asymmetry": asymmetry(pattern_NxHxT),
    "score": scores(model, params, token_Nx3),
    "effect": {name: value[:edits] for name, value in effect_R.items()},
    "fit": attention_edits.fitted(read, attended, member, edit_VxNxHxT),
    "fixed": fixed,
    "moving": moving,
    "pattern": pattern_NxHxT,
  }


def values(found) -> dict:
  """Returns the numbers of the table, of every member."""
  score_SxHx2xP = found["score"]
  value = {
    "asymmetry": found["asymmetry"].max(1),
    "score_gap": np.abs(np.diff(score_SxHx2xP, axis=2)).max((1, 2, 3)),
    "frozen_all_r2_min": found["fit"]["r2_min"][:, 0, 1],
  }
  wave_SxH = np.asarray(largest_wave(score_SxHx2xP[:, :, 0]))
  for head in range(score_SxHx2xP.shape[1]):
    own_SxP = score_SxHx2xP[:, head, 0]
    value |= {
      f"head{head}_{name}": found["mean"][:, head, at]
      for at, name in enumerate(("a", "b", "equal"))
    }
    value |= {
      f"head{head}_deviation": found["deviation"][:, head, 0],
      f"head{head}_score_first": own_SxP[:, 0],
      f"head{head}_score_last": own_SxP[:, -1],
      f"head{head}_score_least": own_SxP.min(1),
      f"head{head}_wave": wave_SxH[:, head],
      f"head{head}_fixed_accuracy": found["fixed"][:, head],
      f"head{head}_moving_accuracy": found["moving"][:, head],
    }
  for at, edit in enumerate(EDITS):
    for name in effects.MEASURES:
      value[f"{edit}_{name}"] = found["effect"][name][:, at]
  return value


def largest_wave(score_SxHxP):
  """Returns the largest share of one frequency in the scores' variance."""
  basis_PxP = fourier.basis(score_SxHxP.shape[-1])
  coefficient = fourier.transform_1d(basis_PxP, score_SxHxP, axis=-1)
  norms = jax.vmap(jax.vmap(fourier.frequency_norms))
  energy_SxHxQ = norms(coefficient[..., None])[..., 1:] ** 2
  total_SxH = energy_SxHxQ.sum(-1)
  return energy_SxHxQ.max(-1) / jnp.where(total_SxH > 0, total_SxH, 1)


def _fits(found) -> dict:
  """Returns the measures of every fit and member, by the names of FITS."""
  return {
    f"{edit}/{name}": {k: v[:, e, at] for k, v in found["fit"].items()}
    for at, edit in enumerate(EDITS)
    for e, name in enumerate(DESIGNS)
  }


def run(run) -> Result:
  """Returns attention and its replacements, of every member."""
  each = functools.partial(measure, seed=run.settings.seed)
  found, null = untrained.beside(each, run)
  reported = attention_reported.of(run.experiment.task.modular)
  keep = lambda value: {k: v for k, v in value.items() if k in reported}
  table = tables.rows(run, reported, keep(values(found)), keep(values(null)))
  shown = tables.reference(run) or 0
  digits = run.pairs.digits
  pattern_NxHxT = found["pattern"][shown]
  return Result(
    table=table,
    fits=fits.records(run, attention_reported.FITS, _fits(found), _fits(null)),
    edits=tuple({"edit": k, "pattern": v} for k, v in EDITS.items()),
    mean_SxHx3=found["mean"],
    deviation_SxHx3=found["deviation"],
    asymmetry_SxH=found["asymmetry"],
    score_SxHx2xP=found["score"],
    accuracy_SxV=found["effect"]["all/accuracy"],
    nll_SxV=found["effect"]["all/nll_nats"],
    additive_SxV=found["fit"]["r2_mean"][:, list(DESIGNS).index("additive")],
    fixed_accuracy_SxH=found["fixed"],
    moving_accuracy_SxH=found["moving"],
    pattern_Hx3xPxP=np.moveaxis(pattern_NxHxT, 0, 2).reshape(-1, 3, digits, digits),
    shown=shown,
  )
