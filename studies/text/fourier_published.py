"""What do the published probes of a few frequencies show once they have controls?

The published study fitted linear probes to the cosine and the sine of the first 1 to 12 frequencies
of (x + y) mod k, and scored them on the same 2,000 rows of select. It removed the directions of the
probes from the final states, fitted a new readout of the residue, and read its larger error as harm
to the computation. It also probed the residue modulo 2 to 8. Here all of this is repeated on the
same rows, with ridge regressions of penalty 1. Three controls are added. The same probes are
fitted to permuted labels. They are scored over five folds, so that no row is scored by a probe that
was fitted to it. Their directions are removed in the coordinates of the states as well: the source
took the coefficients of standardised states for directions of raw ones. Random directions are the
source's own control. Moduli whose cosine is constant are scored with that column, which the source
counted as R2 = 1, and without it. What all frequencies show on fresh pairs is in the slice
fourier_probes.
"""

import functools

import numpy as np
import xarray as xr
from primelens.analyses import erasure
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.text import program, states

obstacle = program.without_residues

PUBLISHED = numbers_lib.published(__file__)
ROWS = states.ROWS
MOST = 12  # pairs of a probe
SMALL, SMALL_PAIRS = (2, 3, 4, 5, 7, 8), 3
FLAT = 1e-6  # a column that varies less is no target
SEED = 0  # of the random directions, plus the number of pairs
_diagonal = lambda x_FxF: np.diagonal(x_FxF, axis1=-2, axis2=-1)
_turned = lambda x: np.swapaxes(x, -1, -2)

# --- probes as published, in float64 on the host --------------------------------------------------


def pairs(modulus: int, width: int) -> int:
  """Returns how many frequencies the largest probe has."""
  return max(1, min(MOST, width // 8, (modulus - 1) // 2))


def waves(label_N, modulus: int, count: int) -> np.ndarray:
  """Returns cos and sin of n theta, theta = 2 pi (label mod m) / m, n = 1..
  count, Nx2count; rounded as the source does, which makes targets of it."""
  theta_N = 2 * np.pi * (label_N % modulus) / modulus
  angle_NxQ = theta_N[:, None] * np.arange(1, count + 1)
  wave_NxQx2 = np.stack([np.cos(angle_NxQ), np.sin(angle_NxQ)], -1)
  return wave_NxQx2.reshape(len(label_N), 2 * count)


def standardised(state_SxNxD) -> tuple[np.ndarray, np.ndarray]:
  """Returns the states' deviations in units of the features' own, SxNxD and
  SxD; 1 for a feature that does not vary."""
  gap_SxNxD = state_SxNxD - state_SxNxD.mean(1, keepdims=True)
  size_SxD = gap_SxNxD.std(1)
  size_SxD = np.where(size_SxD > 1e-12, size_SxD, 1)
  return gap_SxNxD / size_SxD[:, None], size_SxD


def in_sample(state_SxNxD, wave_NxF) -> np.ndarray:
  """Returns R2 of ridge regressions on the rows fitted, SxF; 1 for a column
  that does not vary at all, as scikit-learn has it."""
  moments = erasure.moments(state_SxNxD, wave_NxF[None])
  kernel_SxDxF = erasure.ridge(moments)
  bias_SxF = erasure.intercept(moments, kernel_SxDxF)
  error_SxF = erasure.squared_error(moments, kernel_SxDxF, bias_SxF)
  variance_SxF = _diagonal(moments.total_FxF) / moments.rows
  varies_SxF = variance_SxF > 0
  ratio_SxF = error_SxF / np.where(varies_SxF, variance_SxF, 1)
  return np.where(varies_SxF, 1 - ratio_SxF, 1)


def macro(r2_F, keep_F=None) -> np.ndarray:
  """Returns the mean R2 of the first 1, 2, ... pairs of columns, Q; of those
  alone that are kept."""
  keep_F = np.ones(r2_F.shape[-1], bool) if keep_F is None else keep_F
  total_F = np.cumsum(np.where(keep_F, r2_F, 0), axis=-1)[..., 1::2]
  return total_F / np.maximum(np.cumsum(keep_F)[1::2], 1)


def probes(state_SxNxD, wave_NxF, order_RxN) -> dict[str, np.ndarray]:
  """Returns R2 of the first pairs, with permuted labels, and the degrees of
  freedom of a probe."""
  z_SxNxD, _ = standardised(state_SxNxD)
  null_NxRF = np.moveaxis(wave_NxF[order_RxN], 0, 1).reshape(len(wave_NxF), -1)
  null_SxRxF = in_sample(z_SxNxD, null_NxRF).reshape(len(z_SxNxD), len(order_RxN), -1)
  value_SxD = np.linalg.eigvalsh(_turned(z_SxNxD) @ z_SxNxD)
  return {
    "r2_as_published_SxP": macro(in_sample(z_SxNxD, wave_NxF)),
    "null_r2_SxRxP": macro(null_SxRxF),
    "degrees_S": np.sum(value_SxD / (value_SxD + 1), -1),
  }


def fold_r2(state_SxNxD, wave_NxF) -> np.ndarray:
  """Returns R2 of every column over folds, SxF, the mean of the folds' own:
  scikit-learn's `cross_val_score` of a shuffled `KFold`, states standardised
  by the rows fitted. A column that does not vary has none (NaN)."""
  fitted, scored = states.moments_of_folds(state_SxNxD, wave_NxF)
  size_D = np.sqrt(_diagonal(fitted.gram_DxD) / fitted.rows)
  size_D = np.where(size_D > 1e-12, size_D, 1)
  scaled = lambda found: found._replace(
    mean_D=found.mean_D / size_D,
    gram_DxD=found.gram_DxD / (size_D[..., None] * size_D[..., None, :]),
    cross_DxF=found.cross_DxF / size_D[..., None],
  )
  fitted, scored = scaled(fitted), scaled(scored)
  kernel_DxF = erasure.ridge(fitted)
  bias_F = erasure.intercept(fitted, kernel_DxF)
  return erasure.r2(scored, kernel_DxF, bias_F).mean(0)


def over_folds(state_SxNxD, label_N, modulus: int, count: int):
  """Returns R2 over folds of the first pairs, up to `count`, of every
  frequency alone, and of residues modulo SMALL, in a dict."""
  small = [waves(label_N, m, SMALL_PAIRS) for m in SMALL]
  columns = [waves(label_N, modulus, modulus // 2), *small]
  keep_F = np.concatenate(columns, axis=1).var(0) > FLAT
  r2_SxF = fold_r2(state_SxNxD, np.concatenate(columns, axis=1))
  r2_SxF = np.where(keep_F, r2_SxF, 0)
  ends = np.cumsum([wave_NxF.shape[1] for wave_NxF in columns])[:-1]
  first, *rest = zip(np.split(r2_SxF, ends, axis=1), np.split(keep_F, ends), strict=True)
  kept_Q = first[1].reshape(-1, 2).sum(1)
  total_SxQ = first[0].reshape(len(r2_SxF), -1, 2).sum(-1)
  return {
    "cv_r2_SxP": macro(*first)[:, :count],
    "cv_r2_SxQ": total_SxQ / np.maximum(kept_Q, 1),
    "small_cv_r2_Sx6x3": np.stack([macro(*one) for one in rest], 1),
  }


def small_moduli(state_SxNxD, label_N) -> dict[str, np.ndarray]:
  """Returns R2 of the first pairs of residues modulo SMALL: with constant
  columns at 1 as published, and without."""
  z_SxNxD, _ = standardised(state_SxNxD)
  waves_6 = [waves(label_N, modulus, SMALL_PAIRS) for modulus in SMALL]
  wave_NxF = np.concatenate(waves_6, axis=1)
  r2_SxF, keep_F = in_sample(z_SxNxD, wave_NxF), wave_NxF.var(0) > FLAT
  split = lambda x_F: np.split(x_F, len(SMALL), axis=-1)
  return {
    "small_r2_as_published_Sx6x3": np.stack([macro(r2_SxF) for r2_SxF in split(r2_SxF)], 1),
    "small_r2_Sx6x3": np.stack(list(map(macro, split(r2_SxF), split(keep_F))), 1),
  }


# --- directions removed, and a readout fitted anew -----------------------------------------------
# A readout without a subspace is the ridge regression whose kernel is orthogonal to it.


def removals(state_SxNxD, wave_NxF, label_N, order_RxN, draws: int) -> dict[str, np.ndarray]:
  """Returns the error of a ridge regression of the residue, and its harm when
  the probe's directions go and it is fitted anew.

  As published coefficients of standardised states are removed from raw ones;
  `delta` has them over the features' deviations, as raw states need.
  """
  z_SxNxD, size_SxD = standardised(state_SxNxD)
  permuted = label_N[order_RxN].T
  residues = np.concatenate([label_N[:, None], permuted], axis=1)
  raw = erasure.moments(state_SxNxD, residues[None])
  wave = np.concatenate([wave_NxF[None], wave_NxF[order_RxN]])
  rows, columns = wave_NxF.shape
  wave_NxRF = np.moveaxis(wave, 0, 1).reshape(rows, -1)
  kernel = erasure.ridge(erasure.moments(z_SxNxD, wave_NxRF[None]))
  seeds, width = size_SxD.shape
  kernel = np.moveaxis(kernel.reshape(seeds, width, -1, columns), 2, 1)
  found: dict[str, np.ndarray] = {}
  for name, said in (("_as_published", kernel), ("", kernel / size_SxD[:, None, :, None])):
    delta = harm(raw, said)
    found |= {f"delta{name}_SxP": delta[:, 0], f"delta_permuted{name}_SxRxP": delta[:, 1:]}
  true = raw._replace(
    target_F=raw.target_F[..., :1],
    cross_DxF=raw.cross_DxF[..., :1],
    total_FxF=raw.total_FxF[..., :1, :1],
  )
  base_S = harm_base(true)[:, 0]
  variance_S = true.total_FxF[..., 0, 0] / true.rows
  return found | {
    "delta_random_as_published_SxP": published_random(true, columns // 2),
    "delta_random_SxP": random(true, columns, draws),
    "base_error_S": base_S,
    "base_r2_S": 1 - base_S / variance_S,
  }


def harm_base(moments: erasure.Moments) -> np.ndarray:
  """Returns the squared error of ridge regressions on the rows fitted, F."""
  kernel_DxF = erasure.ridge(moments)
  bias_F = erasure.intercept(moments, kernel_DxF)
  return erasure.squared_error(moments, kernel_DxF, bias_F)


def harm(moments: erasure.Moments, direction_RxDxF) -> np.ndarray:
  """Returns what a refitted ridge regression loses without the span of the
  first 2, 4, ... directions, SxRxP; target r goes with directions r.

  The kernel k that minimises |y - x k|^2 + |k|^2 with V^T k = 0 is
  A^-1 (c - V (V^T A^-1 V)^-1 V^T A^-1 c), A = x^T x + I, c = x^T y, which is
  the ridge regression of states without that span.
  """
  cross_SxRxDx1 = _turned(moments.cross_DxF)[..., None]
  width = moments.gram_DxD.shape[-1]
  inverse = np.linalg.inv(moments.gram_DxD + np.eye(width))[:, None]
  size = np.linalg.norm(direction_RxDxF, axis=-2, keepdims=True)
  v_RxDxF = direction_RxDxF / np.where(size > 0, size, 1)
  inside_RxDxF, free_RxDx1 = inverse @ v_RxDxF, inverse @ cross_SxRxDx1
  between_RxFxF = _turned(v_RxDxF) @ inside_RxDxF
  said_RxFx1 = _turned(v_RxDxF) @ free_RxDx1
  gram = moments.gram_DxD[:, None]

  def explained(kernel_RxDx1):
    seen = 2 * cross_SxRxDx1 - gram @ kernel_RxDx1
    return np.sum(kernel_RxDx1 * seen, axis=(-2, -1))

  whole, found = explained(free_RxDx1), []
  for f in range(2, v_RxDxF.shape[-1] + 1, 2):
    # Directions may be zero or on a line.
    solve = np.linalg.pinv(between_RxFxF[..., :f, :f], 1e-12, hermitian=True)
    gone_RxDx1 = inside_RxDxF[..., :f] @ (solve @ said_RxFx1[..., :f, :])
    found.append(whole - explained(free_RxDx1 - gone_RxDx1))
  return np.stack(found, -1) / moments.rows


def published_random(moments, count: int) -> np.ndarray:
  """Returns the harm of one random subspace per number of pairs, SxP, drawn
  as the source does."""
  width, found = moments.gram_DxD.shape[-1], []
  for n in range(1, count + 1):
    rng = np.random.default_rng(SEED + n)
    drawn_DxF = rng.standard_normal((width, 2 * n))
    found.append(harm(moments, drawn_DxF[None, None])[:, 0, -1])
  return np.stack(found, -1)


def random(moments, columns: int, draws: int) -> np.ndarray:
  """Returns the mean harm of random subspaces, SxP."""
  width = moments.gram_DxD.shape[-1]
  rng = np.random.default_rng([SEED, 1])
  drawn_RxDxF = rng.standard_normal((draws, width, columns))
  return harm(moments, drawn_RxDxF[None]).mean(1)


# --- the result -----------------------------------------------------------------------------------

COORDINATES = {"as published": "_as_published", "raw states": ""}
COLUMNS = {"as published": "r2_as_published", "constants dropped": "r2", "5 folds": "cv_r2"}


def measure(run) -> xr.Dataset:
  """Returns the published probes and removals of every network, with their controls."""
  prompts, settings = run.prompts, run.settings
  row_N = prompts.select_N[:ROWS]
  label_N = prompts.answer_N[row_N]
  state_SxNxD = states.over_members(states.pooled, run, prompts.token_NxT[row_N])
  state_SxNxD = state_SxNxD.astype(float)
  rng = np.random.default_rng(settings.seed)
  order_RxN = np.stack([rng.permutation(len(row_N)) for _ in range(settings.permutations)])
  modulus = prompts.config.modulus
  count = pairs(modulus, state_SxNxD.shape[-1])
  wave_NxF = waves(label_N, modulus, count)
  found = (
    probes(state_SxNxD, wave_NxF, order_RxN)
    | over_folds(state_SxNxD, label_N, modulus, count)
    | removals(state_SxNxD, wave_NxF, label_N.astype(float), order_RxN, settings.random_directions)
    | small_moduli(state_SxNxD, label_N)
  )
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "pairs": results.variable("pairs", 1 + np.arange(count), "Fourier pairs"),
    "frequency": results.variable(
      "frequency", 1 + np.arange(modulus // 2), "frequency n of cos, sin 2πn(x + y)/k"
    ),
    "coordinates": list(COORDINATES),
    "columns": list(COLUMNS),
    "small_modulus": results.variable("small_modulus", SMALL, "modulus k'"),
    "small_pairs": results.variable("small_pairs", 1 + np.arange(SMALL_PAIRS), "Fourier pairs"),
  }
  return results.dataset(
    labelled(found),
    coords,
    residue=modulus,
    as_published=program.as_published(run.experiment) and run.regression,
    rows=len(row_N),
    random_directions=settings.random_directions,
  )


def labelled(found) -> dict:
  """Returns the arrays with their dimensions and meanings."""
  name = results.variable
  harm, error = "change of the squared error", "residue²"
  ways = COORDINATES.values()
  return {
    "r2": name(
      "seed pairs", found["r2_as_published_SxP"], "R² in sample, mean of cosines and sines"
    ),
    "null_r2": name(
      "seed permutation pairs",
      found["null_r2_SxRxP"],
      "R² in sample of permuted labels, mean of cosines and sines",
    ),
    "cv_r2": name("seed pairs", found["cv_r2_SxP"], "R² over 5 folds, mean of cosines and sines"),
    "one_cv_r2": name("seed frequency", found["cv_r2_SxQ"], "R² over 5 folds of one frequency"),
    "harm": name(
      "coordinates seed pairs", np.stack([found[f"delta{way}_SxP"] for way in ways]), harm, error
    ),
    "permuted_harm": name(
      "coordinates seed permutation pairs",
      np.stack([found[f"delta_permuted{way}_SxRxP"] for way in ways]),
      f"{harm}, permuted labels throughout",
      error,
    ),
    "random_harm": name(
      "seed pairs",
      found["delta_random_as_published_SxP"],
      f"{harm}, random directions that the source drew",
      error,
    ),
    "mean_random_harm": name(
      "seed pairs", found["delta_random_SxP"], f"{harm}, mean of random directions", error
    ),
    "base_error": name("seed", found["base_error_S"], "squared error of a ridge", error),
    "base_r2": name("seed", found["base_r2_S"], "R² of a ridge of the residue, in sample"),
    "degrees": name("seed", found["degrees_S"], "degrees of freedom of the probe"),
    "small_r2": name(
      "columns seed small_modulus small_pairs",
      np.stack([found[f"small_{column}_Sx6x3"] for column in COLUMNS.values()]),
      "R², mean of cosines and sines",
    ),
  }


def numbers(found) -> dict:
  """Returns the values by seed of the keys in published.csv."""
  if not found.as_published:
    return {}
  harm = found.harm.sel(coordinates="as published").values
  columns = {
    "r2": found.r2.values,
    "delta_probe": harm,
    "delta_random": found.random_harm.values,
    "excess": harm - found.random_harm.values,
    "null_r2": found.null_r2.values.mean(1),
    "null_r2_deviation": found.null_r2.values.std(1),
    "cv_r2": found.cv_r2.values,
    "delta_permuted": found.permuted_harm.sel(coordinates="as published").values.mean(1),
  }
  values = {
    f"{name}_{n}": value_SxP[:, p]
    for name, value_SxP in columns.items()
    for p, n in enumerate(found.pairs.values)
  }
  small = found.small_r2.sel(columns="as published")
  values |= {
    f"small_{m}_{n}": small.sel(small_modulus=m, small_pairs=n).values
    for m in found.small_modulus.values
    for n in found.small_pairs.values
  }
  values |= {name: found[name].values for name in ("base_error", "base_r2", "degrees")}
  values |= {
    "cv_r2_best": found.one_cv_r2.values.max(1),
    "degrees_per_row": found.degrees.values / found.attrs["rows"],
  }
  return {key: value for key, value in values.items() if key in PUBLISHED}


# --- figures and tables ---------------------------------------------------------------------------

SCORED = ("in sample", "permuted labels", "5 folds")
DIRECTIONS = ("probe", "permuted labels", "random")


def figures(runs) -> dict:
  """Returns the published curves of all runs on one page, and a page for each run."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) == 1:
    return pages
  both = results.across({run: _medians(found) for run, found in runs.items()}, "r2", "harm")
  look = {"x": "pairs", "colour": "run"}
  r2 = draw.curves(
    both, "r2", dash="scored", title="First n frequencies, medians over seeds", **look
  )
  harm = draw.curves(
    both, "harm", dash="directions", title="Directions removed, medians over seeds", **look
  )
  return pages | {"all runs": draw.page(r2, harm, heights=[3.4, 3.4])}


def _medians(found: xr.Dataset) -> xr.Dataset:
  """Returns the medians over seeds of what is compared; of permuted labels, of their means."""
  every = lambda arrays: np.stack([np.median(array, 0) for array in arrays])
  published = {"coordinates": "as published"}
  r2 = found.r2, found.null_r2.mean("permutation"), found.cv_r2
  harm = (
    found.harm.sel(published),
    found.permuted_harm.sel(published).mean("permutation"),
    found.random_harm,
  )
  coords = {"pairs": found.pairs, "scored": list(SCORED), "directions": list(DIRECTIONS)}
  variables = {
    "r2": results.variable("scored pairs", every(r2), "R², mean of cosines and sines"),
    "harm": results.variable(
      "directions pairs", every(harm), "change of the squared error", "residue²"
    ),
  }
  return xr.Dataset(variables, coords)


def _page(run: str, found: xr.Dataset) -> draw.Page:
  panels = (_first(run, found), _harm(found), _small(found))
  return draw.page(panels, heights=[4.4])


def _look(colour: str, label: str) -> dict:
  return {"thin": "seed", "style": {"color": colour, "label": label}}


def _first(run: str, found: xr.Dataset) -> draw.Panel:
  null = found[["null_r2"]].mean("permutation", keep_attrs=True)
  ends = np.quantile(found.null_r2, (0.025, 0.975), axis=(0, 1))
  null["null_r2_interval"] = results.variable("end pairs", ends, "95 % of the permutations")
  null = null.assign_coords(end=list(results.ENDS))
  text = {"ylabel": "R², mean of cosines and sines", "title": f"{run}: first n frequencies"}
  return draw.together(
    draw.curves(null, "null_r2", x="pairs", **_look(draw.PURPLE, "in sample, permuted labels")),
    draw.curves(found, "cv_r2", x="pairs", **_look(draw.GREEN, "5 folds")),
    draw.curves(found, "r2", x="pairs", **_look(draw.BLUE, "in sample, as published"), **text),
  )


def _harm(found: xr.Dataset) -> draw.Panel:
  published, raw = (found.sel(coordinates=key) for key in COORDINATES)
  mean = lambda part: part[["permuted_harm"]].mean("permutation", keep_attrs=True)
  permuted = {"x": "pairs", "name": "permuted_harm"}
  text = {"ylabel": results.label(found.harm), "title": "Directions removed, refitted"}
  return draw.together(
    draw.curves(mean(published), **permuted, **_look(draw.PURPLE, "permuted labels")),
    draw.curves(mean(raw), **permuted, **_look(draw.GREY, "permuted labels, raw states")),
    draw.curves(found, "random_harm", x="pairs", **_look(draw.AMBER, "random, as published")),
    draw.curves(
      found, "mean_random_harm", x="pairs", **_look(draw.ORANGE, "random, mean of draws")
    ),
    draw.curves(raw, "harm", x="pairs", **_look(draw.SKY, "probe, raw states")),
    draw.curves(published, "harm", x="pairs", **_look(draw.BLUE, "probe, as published"), **text),
  )


def _small(found: xr.Dataset) -> draw.Panel:
  return draw.curves(
    found[["small_r2"]].median("seed", keep_attrs=True),
    "small_r2",
    x="small_modulus",
    colour="columns",
    dash="small_pairs",
    names={n: f"{n} pair{'s' * (n > 1)}" for n in range(1, SMALL_PAIRS + 1)},
    title="Residue mod k', median",
  )


def tables(runs) -> list[tables_lib.Table]:
  """Returns the probes, their removal and the small moduli of all runs."""
  of = functools.partial(tables_lib.by_run, runs)
  return [
    tables_lib.Table(
      "R2 of the first frequencies, and what a refitted readout loses without the directions of"
      " the probe (change of the squared error, residue²): medians over seeds; with permuted"
      " labels, of the means over permutations.",
      of(by_pairs),
      {"pairs": "d"},
      name="pairs",
    ),
    tables_lib.Table(
      "R2 of the residue modulo k': medians over seeds. As published, constant columns count as 1.",
      of(by_modulus),
      name="small",
    ),
    tables_lib.Table(
      "A ridge regression of the residue on all states, in sample, and its degrees of freedom;"
      " the best of all frequencies over 5 folds: means over seeds with 95 % intervals.",
      of(of_ridge),
      name="ridge",
    ),
  ]


def by_pairs(found: xr.Dataset) -> list[dict]:
  """Returns a record for each number of pairs."""
  rows = []
  for n in found.pairs.values:
    one = found.sel(pairs=n)
    median = lambda array: float(np.median(array))
    row = {
      "pairs": int(n),
      "r2": median(one.r2),
      "r2, permuted": median(one.null_r2.mean("permutation")),
      "deviation of permuted": median(one.null_r2.std("permutation")),
      "r2, 5 folds": median(one.cv_r2),
    }
    for way in COORDINATES:
      at = one.sel(coordinates=way)
      row[f"harm, {way}"] = median(at.harm)
      row[f"permuted, {way}"] = median(at.permuted_harm.mean("permutation"))
    row |= {
      "random, as published": median(one.random_harm),
      "random, mean": median(one.mean_random_harm),
    }
    rows.append(row)
  return rows


def by_modulus(found: xr.Dataset) -> list[dict]:
  """Returns a record for each small modulus and number of pairs."""
  return [
    {"modulus": int(m), "pairs": int(n)}
    | {
      way: float(found.small_r2.sel(columns=way, small_modulus=m, small_pairs=n).median())
      for way in COLUMNS
    }
    for m in found.small_modulus.values
    for n in found.small_pairs.values
  ]


def of_ridge(found: xr.Dataset) -> list[dict]:
  """Returns one record: the ridge regression of the residue, and the best frequency."""
  mean = lambda value_S: numbers_lib.cells(value_S)["mean"]
  names = {"squared error": "base_error", "r2": "base_r2", "degrees of freedom": "degrees"}
  best = {"best of all frequencies, 5 folds": mean(found.one_cv_r2.values.max(1))}
  row = {words: mean(found[name].values) for words, name in names.items()}
  return [{"rows": found.attrs["rows"]} | row | best]


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
PAIRS = 6  # of the probes that the source compares over sizes
ABOVE = 0.05  # p of a frequency above chance
CONSTANT = (2, 3)  # moduli m of the claim; the last of m frequencies does not vary
_value = lambda key: PUBLISHED[key].recomputed
_excess = [_value(key) or 0.0 for key in PUBLISHED if key.startswith("excess_")]
_mean = lambda array: float(np.mean(np.asarray(array, float)))


def significant(probes: xr.Dataset) -> list[int]:
  """Returns how many frequencies every network has in its final states."""
  return (probes.p.isel(level=-1) <= ABOVE).sum("frequency").values.tolist()


def _both(results) -> tuple[xr.Dataset, xr.Dataset]:
  """Returns both slices of a run as published."""
  runs = program.published_runs(results, "modk")
  found, probes = runs.of("fourier_published"), runs.of("fourier_probes")
  for run in found:
    if run in probes:
      return found[run], probes[run]
  of = "fourier_published and fourier_probes of the same run"
  raise claims.Missing(of, analysis="fourier_published", runs=tuple(probes))


def _control(results) -> str:
  """Returns what the same probes find in networks that do answer."""
  said = []
  for name, probes in results.of("fourier_probes").items():
    if not probes.regression and probes.intact.min() > 0.5:
      best = float(np.median(probes.r2.isel(level=-1).max("frequency")))
      some = ", ".join(map(str, significant(probes)))
      said.append(f"{some} of {probes.sizes['frequency']} in {name} ({best:.2f})")
  if not said:
    return ""
  return (
    " In networks that do answer, the same probes find (a number for each network, and in brackets"
    f" the R2 of the best frequency, the median of the networks): {'; '.join(said)}."
  )


@CLAIMS.add(
  "fourier.residue",
  "The residue is encoded by waves of a few frequencies.",
  reported=f"R2 {_value(f'r2_{PAIRS}'):.2f}, fitted and scored on the same rows",
  source=program.claimed("sections 0.4, 5.3, 6.5"),
)
def residue(results):
  """Returns the verdict beside permuted labels, and beside every frequency on pairs not seen."""
  found, probes = _both(results)
  own, null = _mean(found.r2.sel(pairs=PAIRS)), _mean(found.null_r2.sel(pairs=PAIRS))
  held_out = _mean(probes.first_r2.isel(level=-1).sel(frequency=PAIRS))
  counts = significant(probes)
  because = (
    f"{PAIRS} frequencies have R2 {own:.3f} on the rows fitted, {null:.3f} there with permuted"
    f" labels, {held_out:.3f} on pairs not seen (means over networks). The number of frequencies"
    f" above chance (p of {ABOVE} or less), of {probes.sizes['frequency']}, is"
    f" {', '.join(map(str, counts))} in the {len(counts)} networks.{_control(results)}"
  )
  values = {"r2": own, "permuted": null, "held_out": held_out}
  return claims.verdict(own > 0.02, because, values, artefact=max(counts) == 0 and held_out < 0.02)


@CLAIMS.add(
  "fourier.excess",
  "Removing the waves' directions does more harm than random ones.",
  reported=f"{min(_excess):.2f} to {max(_excess):.2f} more squared error",
  source=program.claimed("sections 0.6, 5.3, 6.5"),
)
def excess(results):
  """Returns the verdict beside directions of probes that were fitted to permuted labels."""
  found = program.published_runs(results, "modk").first("fourier_published").sel(pairs=PAIRS)
  published = found.sel(coordinates="as published")
  own, random = _mean(published.harm), _mean(found.random_harm)
  permuted = _mean(published.permuted_harm)
  because = (
    f"the squared error of a readout fitted anew rises by {own:.2f} residue² without the directions"
    f" of {PAIRS} frequencies, and by {random:.2f} without as many random directions. With permuted"
    f" labels, to which directions and readout are fitted, it rises by {permuted:.2f} (means over"
    " networks)."
  )
  values = {"probe": own, "random": random, "permuted": permuted}
  return claims.verdict(own > random, because, values, artefact=permuted > own / 2)


@CLAIMS.add(
  "fourier.small",
  "The residue modulo 2 and 3 is encoded best.",
  reported=f"R2 {_value('small_2_2'):.2f} and {_value('small_3_3'):.2f} beside"
  f" {_value(f'r2_{PAIRS}'):.2f}",
  source=program.claimed("sections 0.5, 5.3"),
)
def small(results):
  """Returns the verdict beside the same probes without constant columns, and over folds."""
  found = program.published_runs(results, "modk").first("fourier_published")
  (own, plain, folds), (own_3, plain_3, folds_3) = (
    [_mean(found.small_r2.sel(small_modulus=m, small_pairs=m, columns=way)) for way in COLUMNS]
    for m in CONSTANT
  )
  because = (
    f"modulo 2, two frequencies have R2 {own:.2f} if the constant column, the cosine of whole"
    f" turns, is counted as R2 = 1; without columns that do not vary {plain:.3f}, and {folds:.3f}"
    " over folds, where no row is scored by a probe that was fitted to it. Modulo 3, three have"
    f" {own_3:.2f}, {plain_3:.3f} and {folds_3:.3f} (means over networks). The verdict is that of"
    " modulo 2."
  )
  values = {"as_published": own, "without": plain, "folds": folds}
  return claims.verdict(own > 0.2, because, values, artefact=plain < own / 2)
