"""Which principal components have the states, and are there circles in them?

The published study drew the final states at the last character in the plane of their first two
principal components, coloured by the sum, and, for sums modulo k, by the residue. It called the
first component that of the sum; its "PC1 R2" took the component's scores for sums, and no number
was kept.

Here features are scaled, and components and maps fitted, on fresh pairs of operands; shares and
correlations are those of other fresh pairs. Beside them all is repeated on the select rows, fitted
and scored alike, as published. Measured are the first components' squared correlation with x + y,
how much of the first one the number of characters explains, and, where sums modulo k are asked for,
R2 of the cosine and sine of the residue's angle, by an affine map of the plane (circularity) and by
a ridge regression of all of the state. Untrained networks are the control, and there are three
poolings: the last character's state, the mean over all characters, and the first one's. The
source's UMAP is left out: it needs another library.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import linear
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.models import encoder
from primelens.studies.text import program, states
from primelens.tasks import characters

PUBLISHED = numbers_lib.published(__file__)

# --- which rows, and their states -----------------------------------------------------------------

POOLINGS = ("last", "mean", "first")  # character, of all, character
COUNT = 4000  # rows of each part of the fresh pairs
TSNE_ROWS, PERPLEXITY = 2000, 30
HELD_OUT, ALIKE = "fresh pairs", "select rows"


class Rows(NamedTuple):
  """Prompts, and which of them are fitted and scored.

  The angle is 2 pi residue / k, NaN where no residue is asked for.
  """

  token_NxT: np.ndarray
  sum_N: np.ndarray
  angle_N: np.ndarray
  fitted_N: np.ndarray
  scored_N: np.ndarray
  alphas_R: tuple[float, ...]


def fresh_pairs(run) -> Rows:
  """Returns COUNT fresh pairs to fit and as many to score."""
  probes = run.probes()
  halves = probes.train_N[:COUNT], probes.test_N[:COUNT]
  scored_N = np.repeat([False, True], [len(half) for half in halves])
  at_N = np.concatenate(halves)
  return _rows(probes, at_N, ~scored_N, scored_N, linear.ALPHAS_R)


def select_rows(run) -> Rows:
  """Returns the select rows, all fitted and all scored."""
  at_N = run.prompts.select_N[: states.ROWS]
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


# --- measures -------------------------------------------------------------------------------------

MEASURES = (
  "PC1_r2",  # squared correlation with x + y
  "PC2_r2",
  "PC3_r2",
  "PC4_r2",
  "PC1_by_length",  # share of its variance between prompts of different length
  "PC1_share",  # of the variance of all components
  "PC1_correlation_unscaled",  # |correlation| with x + y, of states as they are
  "PC1_r2_as_published",  # of its scores taken for x + y
  "circularity_r2",  # of the residue's circle, by an affine map of PC1 and PC2
  "circularity_r2_rows_fitted",
  "fourier_r2",  # of the residue's circle, by a ridge regression of the state
  "fourier_r2_rows_fitted",
)


def measured(run, rows: Rows, params_S) -> dict[str, dict]:
  """Returns the measures S of networks, and what is drawn, per pooling."""
  state_SxNxPxD = states.over_members(pooled, run, rows.token_NxT, params_S)
  return {
    name: of_states(np.asarray(state_SxNxPxD[:, :, p], float), rows)
    for p, name in enumerate(POOLINGS)
  }


def of_states(state_SxNxD, rows: Rows) -> dict:
  """Returns the measures of one pooling, S each, and what is drawn of the first network."""
  fitted_N, scored_N = rows.fitted_N, rows.scored_N
  z_SxNxD = linear.standardised(state_SxNxD, fitted_N)
  found, raw = (linear.plane(z_SxNxD, fitted_N), linear.plane(state_SxNxD, fitted_N))
  sum_N = rows.sum_N[scored_N]
  score_SxNxQ = found.score_SxNxQ[:, scored_N]
  sum_r2_SxQ = squared_correlation(score_SxNxQ, sum_N)
  raw_r2_SxQ = squared_correlation(raw.score_SxNxQ[:, scored_N], sum_N)
  value = {f"PC{q + 1}_r2": sum_r2_SxQ[:, q] for q in range(linear.COMPONENTS)}
  length_N = characters.lengths(rows.token_NxT[scored_N])
  value |= {
    "PC1_by_length": between(score_SxNxQ[..., 0], length_N),
    "PC1_share": found.share_SxQ[:, 0],
    "PC1_correlation_unscaled": np.sqrt(raw_r2_SxQ[:, 0]),
  }
  if fitted_N.all():  # the published rows
    score_SxNx1 = score_SxNxQ[..., :1]
    value["PC1_r2_as_published"] = linear.r2_mean(sum_N[:, None], score_SxNx1)
  wave_SxNx2 = np.full((*state_SxNxD.shape[:2], 2), np.nan)
  if np.isfinite(rows.angle_N).all():
    circle_Nx2 = linear.circle(rows.angle_N)
    guess_SxNx2 = linear.affine(found.score_SxNxQ[..., :2], circle_Nx2, fitted_N)
    wave_SxNx2 = np.asarray(
      _regressed(
        state_SxNxD.astype(np.float32),
        circle_Nx2.astype(np.float32),
        fitted_N,
        np.array(rows.alphas_R),
      )
    )
    for name, wave in (("circularity", guess_SxNx2), ("fourier", wave_SxNx2)):
      score = lambda at_N, wave=wave: linear.r2_mean(circle_Nx2[at_N], wave[:, at_N])
      value[f"{name}_r2"] = score(scored_N)
      if not fitted_N.all():
        value[f"{name}_r2_rows_fitted"] = score(fitted_N)
  return {
    "value": value,
    "share_SxQ": found.share_SxQ[:, : linear.COMPONENTS],
    "sum_r2_SxQ": sum_r2_SxQ,
    "plane_Nx2": score_SxNxQ[0, :, :2],
    "wave_Nx2": wave_SxNx2[0, scored_N],
    "state_NxD": z_SxNxD[0, scored_N],
  }


@jax.jit
def _regressed(state_SxNxD, target_Nx2, fitted_N, alphas_R):
  """Returns the ridge regression of targets on z-scored states, SxNx2."""
  one = lambda state_NxD: linear.held_out(state_NxD, target_Nx2, fitted_N, alphas_R)[0]
  # One network at a time: a batch of Cholesky factors may lock a CPU up.
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
  circle_Bx2, every_B = linear.circle(angle_B), np.ones(len(angle_B), bool)
  guess_1xBx2 = linear.affine(embedded_Bx2[None], circle_Bx2, every_B)
  return embedded_Bx2, float(linear.r2_mean(circle_Bx2, guess_1xBx2)[0])


def squared_correlation(score_SxNxQ, value_N) -> np.ndarray:
  """Returns r^2 of every score with a number, SxQ; 0 for a flat score."""
  value_N = (value_N - value_N.mean()) / value_N.std()
  centred = score_SxNxQ - score_SxNxQ.mean(1, keepdims=True)
  deviation_SxQ = centred.std(1)
  product_SxQ = np.einsum("snq,n->sq", centred, value_N) / len(value_N)
  flat_SxQ = deviation_SxQ < 1e-9
  return np.where(flat_SxQ, 0, product_SxQ / np.where(flat_SxQ, 1, deviation_SxQ)) ** 2


def between(score_SxN, kind_N) -> np.ndarray:
  """Returns the share of a score's variance that is between kinds of rows, S.

  NaN for a flat score.
  """
  kind_V, at_N, count_V = np.unique(kind_N, return_inverse=True, return_counts=True)
  is_NxV = at_N[:, None] == np.arange(len(kind_V))
  centred_SxN = score_SxN - score_SxN.mean(1, keepdims=True)
  mean_SxV = centred_SxN @ is_NxV / count_V
  total_S = np.mean(centred_SxN**2, 1)
  share_S = mean_SxV**2 @ count_V / len(kind_N)
  return np.where(total_S > 0, share_S / np.where(total_S > 0, total_S, 1), np.nan)


# --- the result -----------------------------------------------------------------------------------


def measure(run) -> xr.Dataset:
  """Returns components, their sums and circles, of every network's states and of untrained ones."""
  rows = {HELD_OUT: fresh_pairs(run), ALIKE: select_rows(run)}
  found = {name: measured(run, some, run.params_S) for name, some in rows.items()}
  fresh_S = program.untrained_S(run)
  untrained = {name: measured(run, some, fresh_S) for name, some in rows.items()}
  known = {key for by in found.values() for key in by["last"]["value"]}
  measures = [key for key in MEASURES if key in known]
  mine, null = found[HELD_OUT]["last"], untrained[HELD_OUT]["last"]
  both = results.with_untrained
  value, fresh = (_stacked(each, measures) for each in (found, untrained))
  share, correlated = "share of the variance", "squared correlation with x + y"
  by_component = lambda name, key, said: both(name, "seed component", mine[key], null[key], said)
  variables = {
    **both("value", "scored pooling measure seed", value, fresh, "value"),
    **by_component("share", "share_SxQ", share),
    **by_component("sum_r2", "sum_r2_SxQ", correlated),
  }
  drawn, circularity = _first_network(run, rows[HELD_OUT], mine)
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "scored": list(rows),
    "pooling": results.variable("pooling", list(POOLINGS), "which characters' states"),
    "measure": measures,
    "component": results.variable(
      "component", 1 + np.arange(linear.COMPONENTS), "principal component"
    ),
  }
  return results.dataset(
    variables | drawn,
    coords,
    question=run.experiment.task.question,
    as_published=program.as_published(run.experiment),
    tsne_circularity=circularity,
  )


def _stacked(found, measures) -> np.ndarray:
  """Returns the values by rows, pooling and measure; NaN where a measure is not of these rows."""
  some = next(iter(found[HELD_OUT]["last"]["value"].values()))
  none_S = np.full(len(some), np.nan)
  return np.array(
    [
      [[by[pooling]["value"].get(key, none_S) for key in measures] for pooling in POOLINGS]
      for by in found.values()
    ]
  )


def _first_network(run, rows: Rows, mine) -> tuple[dict[str, xr.Variable], float]:
  """Returns what is drawn of the first network's states, and the circularity of their t-SNE."""
  scored_N = rows.scored_N
  angle_N = rows.angle_N[scored_N]
  tsne_Bx2, circularity = _tsne(run, mine["state_NxD"], angle_N)
  of = lambda value, meaning, unit="": results.variable("example", value, meaning, unit)
  embedded = lambda value, meaning: results.variable("embedded", value, meaning)
  return {
    "answer": of(rows.sum_N[scored_N], "x + y"),
    "length": of(characters.lengths(rows.token_NxT[scored_N]), "length", "characters"),
    "angle": of(angle_N, "angle of the residue", "radians"),
    "pc1": of(mine["plane_Nx2"][:, 0], "PC1"),
    "pc2": of(mine["plane_Nx2"][:, 1], "PC2"),
    "cos": of(mine["wave_Nx2"][:, 0], "regressed cos of the angle"),
    "sin": of(mine["wave_Nx2"][:, 1], "regressed sin of the angle"),
    "tsne_1": embedded(tsne_Bx2[:, 0], "t-SNE 1"),
    "tsne_2": embedded(tsne_Bx2[:, 1], "t-SNE 2"),
  }, circularity


def numbers(found) -> dict:
  """Returns the values by seed of the keys in published.csv; none of a run of another kind."""
  keys = {
    f"{found.question}_pc1_correlation": "PC1_correlation_unscaled",
    f"{found.question}_pc1_r2_as_published": "PC1_r2_as_published",
  }
  if not found.as_published:
    return {}
  one = found.sel(scored=ALIKE, pooling="last")
  of = lambda name: one[["value", "untrained_value"]].sel(measure=name)
  return {
    key: numbers_lib.Own(of(name).value.values, of(name).untrained_value.values)
    for key, name in keys.items()
    if key in PUBLISHED
  }


def _is_of(measure: str, scored: str) -> bool:
  """Returns whether a measure is one of these rows: some are of rows fitted, or as published."""
  if measure.endswith("_rows_fitted"):
    return scored == HELD_OUT
  return scored == ALIKE or not measure.endswith("_as_published")


def cells(found: xr.Dataset) -> Iterator[dict]:
  """Yields a record per rows, pooling and measure."""
  for scored in found.scored.values:
    for pooling in found.pooling.values:
      for measure in found.measure.values:
        if _is_of(str(measure), scored):
          one = found.sel(scored=scored, pooling=pooling, measure=measure)
          yield {
            "rows": str(scored),
            "pooling": str(pooling),
            "measure": str(measure),
            **numbers_lib.cells(one.value.values),
            "untrained": float(np.median(one.untrained_value)),
          }


# --- figures and tables ---------------------------------------------------------------------------

DOTS = 2000  # more points than that cannot be seen
TURN = {"colour": "angle", "shades": "twilight"}  # goes round, and is told apart by all eyes
COMPARED = {
  "PC1_share": "PC1: share of the variance",
  "PC1_r2": "PC1: r² with x + y",
  "PC2_r2": "PC2: r² with x + y",
  "PC1_by_length": "PC1: explained by length",
  "circularity_r2": "residue's circle in the plane, R²",
  "fourier_r2": "residue's circle in the state, R²",
}


def figures(runs) -> dict:
  """Returns the components of all runs on one page, and a page for each run."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  return pages | ({"all runs": _compared(runs)} if len(runs) > 1 else {})


def _compared(runs) -> draw.Page:
  last = {
    run: found[["value", "untrained_value"]].sel(scored=HELD_OUT, pooling="last", drop=True)
    for run, found in runs.items()
  }
  both = results.across(last, "value", "untrained_value")
  names = [name for name in COMPARED if name in both.measure.values]
  both = both.sel(measure=names).assign_coords(measure=[COMPARED[name] for name in names])
  panel = draw.strips(
    both,
    "value",
    y="measure",
    colour="run",
    null="untrained_value",
    title="Last character's states, fresh pairs",
    xlabel="share, r² or R²",
  )
  return draw.page(panel, heights=[4.5])


def _page(run: str, found: xr.Dataset) -> draw.Page:
  first = lambda by: {"most": DOTS, "title": f"{run}: first network, by {by}"}
  rows: list[draw.Panel | tuple[draw.Panel, ...]] = [
    (
      draw.scatter(found, x="pc1", y="pc2", colour="answer", **first("sum")),
      draw.scatter(found, x="pc1", y="pc2", colour="length", shades="plasma", **first("length")),
    )
  ]
  if found.question == "modk":
    angle = {"most": DOTS, "title": "Angle by a regression of the state"}
    rows.append(
      (
        draw.scatter(found, x="pc1", y="pc2", **TURN, **first("residue")),
        draw.scatter(found, x="cos", y="sin", **TURN, **angle),
      )
    )
  if found.sizes["embedded"]:
    rows.append(_embedding(found))
  components = (
    _by_component(found, "share", "Share of variance"),
    _by_component(found, "sum_r2", "Correlation with x + y"),
    _circles(found),
  )
  return draw.page(*rows, components, heights=[3.3] * len(rows) + [3.3])


def _embedding(found: xr.Dataset) -> tuple[draw.Panel, ...]:
  """Returns the t-SNE of the first rows, coloured by the sum, and by the residue if it is asked."""
  some = found.isel(example=slice(found.sizes["embedded"]))
  look = {"x": "tsne_1", "y": "tsne_2", "most": DOTS}
  by_sum = draw.scatter(some, colour="answer", title="First network, t-SNE", **look)
  if found.question != "modk":
    return (by_sum,)
  title = f"t-SNE: circularity {found.tsne_circularity:.2f}"
  return by_sum, draw.scatter(some, title=title, **TURN, **look)


def _by_component(found: xr.Dataset, name: str, title: str) -> draw.Panel:
  look = lambda network: {"color": draw.COLOUR_OF[network], "label": draw.NETWORKS[network]}
  null, text = f"untrained_{name}", {"title": title, "ylim": (-0.03, 1.03)}
  return draw.together(
    draw.curves(found, null, x="component", thin="untrained", style=look("untrained")),
    draw.curves(found, name, x="component", thin="seed", style=look("trained"), **text),
  )


def _circles(found: xr.Dataset) -> draw.Panel:
  """Returns what is in the plane and in the whole state of the residue's circle, by pooling.

  Without residues, what PC1 has of the sum and of the length.
  """
  names, title = {"PC1_r2": "sum", "PC1_by_length": "length"}, "PC1 explained by"
  if found.question == "modk":
    names, title = {"circularity_r2": "PC1, 2", "fourier_r2": "state"}, "Residue's circle"
  fresh = found[["value", "untrained_value"]].sel(scored=HELD_OUT)
  parts, words = [], []
  for pooling in found.pooling.values:
    for name, word in names.items():
      parts.append(fresh.sel(pooling=pooling, measure=name, drop=True))
      words.append(f"{pooling}\n{word}")
  both = xr.concat(parts, xr.Variable("state", words))
  text = {"title": title, "xlabel": "characters (grey: untrained)", "ylabel": "R²"}
  bars = draw.bars(both, "value", x="state", null="untrained_value", **text)
  return draw.together(bars, lambda axes: axes.tick_params(axis="x", labelsize=7.5))


def tables(runs) -> list[tables_lib.Table]:
  """Returns every measure of all runs."""
  return [
    tables_lib.Table(
      "Components and circles by rows, pooling and measure: the median over networks, their range,"
      " and the mean with its 95 % interval. PC1_by_length: share of PC1's variance between prompts"
      " of different length.",
      tables_lib.by_run(runs, cells),
      name="measures",
    )
  ]


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
MUCH = 0.5  # of PC1's variance that makes it the sum's


@CLAIMS.add(
  "geometry.pc1",
  "The first principal component of the states is the sum's.",
  reported="drawn as 'PC1 R2'; no number was kept",
  source=program.claimed("section 4.8"),
)
def first_component(results):
  """Returns the verdict on PC1, beside the sum and beside the length of the prompt."""
  rows = list(cells(program.published_runs(results, "sum").first("geometry")))
  at = lambda measure: claims.row(rows, rows=HELD_OUT, pooling="last", measure=measure)
  sum_, length, second = at("PC1_r2"), at("PC1_by_length"), at("PC2_r2")
  plain = claims.row(rows, rows=ALIKE, pooling="last", measure="PC1_r2_as_published")
  because = (
    f"medians over networks: x + y explains {sum_['median']:.2f} of PC1's variance and the number"
    f" of characters {length['median']:.2f}, in untrained networks {sum_['untrained']:.2f} and"
    f" {length['untrained']:.2f}; x + y explains {second['median']:.2f} of PC2's. Taken for the sum"
    f" itself without a fit, as published, PC1's scores have R2 {plain['median']:.1f}, in untrained"
    f" networks {plain['untrained']:.1f}."
  )
  values = {"sum": sum_["median"], "length": length["median"]}
  return claims.verdict(sum_["median"] > MUCH, because, values)
