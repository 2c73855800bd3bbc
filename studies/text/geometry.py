"""Analysis `geometry`: principal components of the states, and circles in them.

Scalers, components and maps are fitted to fresh pairs and scored on others;
beside it everything on the select rows, fitted and scored alike, as published.
UMAP, an option of the source, is left out: it needs another library. Source:
arithmetic spec, section 4.8.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import ridge
from primelens.lens import numbers as reported_lib
from primelens.lens.numbers import Reported
from primelens.models import encoder
from primelens.studies.text import answers, answers_reported, reported, states
from primelens.studies.text import geometry_parts as parts
from primelens.tasks import characters

POOLINGS = ("last", "mean", "first")  # character, of all, character
ROWS = 4000  # of each part of the fresh pairs
TSNE_ROWS, PERPLEXITY = 2000, 30
HELD_OUT, ALIKE = "fresh pairs", "select rows"
REPORTED = {
  "sum_pc1_correlation": Reported(
    "4.8",
    "sum, |correlation| of PC1 with x + y",
    "not reported",
    0.50,
    0.005,
    "Of states as they are: of z-scored ones, which the source draws, 0.47.",
  ),
  "sum_pc1_r2_as_published": Reported(
    "4.8",
    "sum, R2 of PC1's scores taken for x + y",
    "drawn alone",
    -5.8,
    0.05,
    "Scores are no sums: about -mean^2 / variance, whatever the network.",
  ),
}


@dataclasses.dataclass(frozen=True)
class Result:
  """The first components of z-scored states, their sums and circles.

  `measures` has a record per rows, pooling and measure. `share_SxQ` are shares
  of the variance and `sum_r2_SxQ` squared correlations with x + y of the
  components of the last character's state, on fresh pairs; `untrained_` those
  of V fresh networks. `PC1_by_length` is how much of PC1 the number of
  characters explains. Of the first member's N scored rows: `plane_Nx2` are PC1
  and PC2, `wave_Nx2` the regressed cos and sin of the residue's angle (NaN
  without residues), `tsne_Bx2` the t-SNE of the first B rows (none unless
  asked for), whose circularity is `tsne_circularity`.
  """

  table: tuple[dict, ...]
  measures: tuple[dict, ...]
  share_SxQ: np.ndarray
  sum_r2_SxQ: np.ndarray
  untrained_share_VxQ: np.ndarray
  untrained_sum_r2_VxQ: np.ndarray
  sum_N: np.ndarray
  length_N: np.ndarray
  angle_N: np.ndarray
  plane_Nx2: np.ndarray
  wave_Nx2: np.ndarray
  tsne_Bx2: np.ndarray
  tsne_circularity: float
  question: str


class Rows(NamedTuple):
  """Prompts and which of them are fitted and scored; the angle is 2 pi
  residue / k, NaN where no residue is asked for."""

  token_NxT: np.ndarray
  sum_N: np.ndarray
  angle_N: np.ndarray
  fitted_N: np.ndarray
  scored_N: np.ndarray
  alphas_R: tuple[float, ...]


def run(run) -> Result:
  """Returns the geometry of every member's pooled states."""
  rows = {HELD_OUT: fresh_pairs(run), ALIKE: select_rows(run)}
  networks = {"members": run.params_S, "untrained": answers.untrained_S(run)}
  found = {
    (whose, name): measured(run, some, params_S)
    for whose, params_S in networks.items()
    for name, some in rows.items()
  }
  mine, null = (found[whose, HELD_OUT]["last"] for whose in networks)
  first, scored_N = rows[HELD_OUT], rows[HELD_OUT].scored_N
  angle_N = first.angle_N[scored_N]
  tsne_Bx2, circularity = _tsne(run, mine["state_NxD"], angle_N)
  return Result(
    table=_table(run, *(found[whose, ALIKE]["last"] for whose in networks)),
    measures=tuple(_records(found)),
    share_SxQ=mine["share_SxQ"],
    sum_r2_SxQ=mine["sum_r2_SxQ"],
    untrained_share_VxQ=null["share_SxQ"],
    untrained_sum_r2_VxQ=null["sum_r2_SxQ"],
    sum_N=first.sum_N[scored_N],
    length_N=characters.lengths(first.token_NxT[scored_N]),
    angle_N=angle_N,
    plane_Nx2=mine["plane_Nx2"],
    wave_Nx2=mine["wave_Nx2"],
    tsne_Bx2=tsne_Bx2,
    tsne_circularity=circularity,
    question=run.experiment.task.question,
  )


def fresh_pairs(run) -> Rows:
  """Returns ROWS fresh pairs to fit and as many to score."""
  probes = run.probes()
  halves = probes.train_N[:ROWS], probes.test_N[:ROWS]
  scored_N = np.repeat([False, True], [len(half) for half in halves])
  at_N = np.concatenate(halves)
  return _rows(probes, at_N, ~scored_N, scored_N, ridge.ALPHAS_R)


def select_rows(run) -> Rows:
  """Returns the select rows, all fitted and all scored."""
  at_N = run.prompts.select_N[: answers.ROWS]
  every_N = np.ones(len(at_N), bool)
  return _rows(run.prompts, at_N, every_N, every_N, (1.0,))


def _rows(prompts, at_N, fitted_N, scored_N, alphas_R) -> Rows:
  angle_N = np.full(len(at_N), np.nan)
  if prompts.config.question == "modk":
    angle_N = 2 * np.pi * prompts.answer_N[at_N] / prompts.config.modulus
  sum_N = (prompts.x_N + prompts.y_N)[at_N].astype(float)
  token_NxT = prompts.token_NxT[at_N]
  return Rows(token_NxT, sum_N, angle_N, fitted_N, scored_N, alphas_R)


def pooled(model, params, token_BxT) -> jax.Array:
  """Returns one member's final states in every one of POOLINGS, BxPxD."""
  final_BxTxD, _ = encoder.states(model, params, token_BxT)
  keep_BxTx1 = encoder.keep(token_BxT)[..., None]
  return jnp.stack(
    [
      encoder.pooled(final_BxTxD, token_BxT),
      jnp.mean(final_BxTxD, axis=1, where=keep_BxTx1),
      final_BxTxD[:, 0],
    ],
    axis=1,
  )


def measured(run, rows: Rows, params_S) -> dict[str, dict]:
  """Returns the measures S of networks, and what is drawn, per pooling."""
  state_SxNxPxD = states.over_members(pooled, run, rows.token_NxT, params_S)
  return {
    name: _measured(np.asarray(state_SxNxPxD[:, :, p], float), rows)
    for p, name in enumerate(POOLINGS)
  }


def _measured(state_SxNxD, rows: Rows) -> dict:
  fitted_N, scored_N = rows.fitted_N, rows.scored_N
  z_SxNxD = parts.standardised(state_SxNxD, fitted_N)
  found, raw = (parts.plane(z_SxNxD, fitted_N), parts.plane(state_SxNxD, fitted_N))
  sum_N = rows.sum_N[scored_N]
  score_SxNxQ = found.score_SxNxQ[:, scored_N]
  sum_r2_SxQ = parts.squared_correlation(score_SxNxQ, sum_N)
  raw_r2_SxQ = parts.squared_correlation(raw.score_SxNxQ[:, scored_N], sum_N)
  value = {f"PC{q + 1}_r2": sum_r2_SxQ[:, q] for q in range(parts.COMPONENTS)}
  length_N = characters.lengths(rows.token_NxT[scored_N])
  value |= {
    "PC1_by_length": parts.between(score_SxNxQ[..., 0], length_N),
    "PC1_share": found.share_SxQ[:, 0],
    "PC1_correlation_unscaled": np.sqrt(raw_r2_SxQ[:, 0]),
  }
  if fitted_N.all():  # the published rows
    score_SxNx1 = score_SxNxQ[..., :1]
    value["PC1_r2_as_published"] = parts.r2(sum_N[:, None], score_SxNx1)
  wave_SxNx2 = np.full((*state_SxNxD.shape[:2], 2), np.nan)
  if np.isfinite(rows.angle_N).all():
    circle_Nx2 = parts.circle(rows.angle_N)
    guess_SxNx2 = parts.affine(found.score_SxNxQ[..., :2], circle_Nx2, fitted_N)
    wave_SxNx2 = np.asarray(
      _regressed(
        state_SxNxD.astype(np.float32),
        circle_Nx2.astype(np.float32),
        fitted_N,
        np.array(rows.alphas_R),
      )
    )
    for name, wave in (("circularity", guess_SxNx2), ("fourier", wave_SxNx2)):
      score = lambda at_N, wave=wave: parts.r2(circle_Nx2[at_N], wave[:, at_N])
      value[f"{name}_r2"] = score(scored_N)
      if not fitted_N.all():
        value[f"{name}_r2_rows_fitted"] = score(fitted_N)
  return {
    "value": value,
    "share_SxQ": found.share_SxQ[:, : parts.COMPONENTS],
    "sum_r2_SxQ": sum_r2_SxQ,
    "plane_Nx2": score_SxNxQ[0, :, :2],
    "wave_Nx2": wave_SxNx2[0, scored_N],
    "state_NxD": z_SxNxD[0, scored_N],
  }


@jax.jit
def _regressed(state_SxNxD, target_Nx2, fitted_N, alphas_R):
  """Returns the ridge regression of targets on z-scored states, SxNx2."""
  one = lambda state_NxD: ridge.held_out(state_NxD, target_Nx2, fitted_N, alphas_R)[0]
  # Members in turn: see `scale_parts`.
  return jax.lax.map(one, state_SxNxD)


def _tsne(run, state_NxD, angle_N) -> tuple[np.ndarray, float]:
  """Returns the t-SNE of the first rows and its in-sample circularity."""
  if not run.settings.tsne:
    return np.zeros((0, 2)), float("nan")
  from sklearn import manifold

  state_NxD = state_NxD[:TSNE_ROWS]
  embedded_Bx2 = manifold.TSNE(
    init="pca",
    learning_rate="auto",
    perplexity=min(PERPLEXITY, (len(state_NxD) - 1) / 3),
    random_state=run.settings.seed,
  ).fit_transform(state_NxD)
  embedded_Bx2, angle_B = embedded_Bx2.astype(float), angle_N[:TSNE_ROWS]
  if np.isnan(angle_B).any():
    return embedded_Bx2, float("nan")
  circle_Bx2, every_B = parts.circle(angle_B), np.ones(len(angle_B), bool)
  guess_1xBx2 = parts.affine(embedded_Bx2[None], circle_Bx2, every_B)
  return embedded_Bx2, float(parts.r2(circle_Bx2, guess_1xBx2)[0])


def _records(found) -> Iterator[dict]:
  """Yields a record per rows, pooling and measure."""
  for (whose, name), by in found.items():
    if whose == "untrained":
      continue
    for pooling, one in by.items():
      null = found["untrained", name][pooling]["value"]
      for measure, value_S in one["value"].items():
        yield {
          "rows": name,
          "pooling": pooling,
          "measure": measure,
          **reported_lib.spread(value_S),
          "untrained": float(np.median(null[measure])),
          "values": value_S.tolist(),
        }


def _table(run, mine, null) -> tuple[dict, ...]:
  """Returns the reported numbers beside ours, of published prompts alone."""
  if not answers_reported.as_published(run):
    return ()
  question = run.experiment.task.question
  keys = {
    f"{question}_pc1_correlation": "PC1_correlation_unscaled",
    f"{question}_pc1_r2_as_published": "PC1_r2_as_published",
  }
  of = lambda one: {key: one["value"][name] for key, name in keys.items() if key in REPORTED}
  return reported.rows(run, REPORTED, of(mine), of(null))
