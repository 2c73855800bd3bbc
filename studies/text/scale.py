"""Do larger networks learn the sums modulo 97, and what do their probes show?

The published study trained nine networks of 2, 4 or 6 layers of width 128, 256 or 512, and found
that in-sample R2 of Fourier probes grows with the width; no error of a constant answer was set
beside theirs. Each run is one size of that grid. Its answers are set beside a constant: skill is
1 - loss / the constant's loss. In-sample R2 grows with the width for labels that mean nothing, too:
every R2 is set beside that of permuted labels, of untrained networks, over five folds of the same
rows, and on fresh pairs of operands. The harm of removing the probe's directions, with a readout
fitted anew, is set beside that of permuted labels and of random directions. Circularity is how much
of the residue's circle is in the plane of the first two principal components.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import fourier, linear, statistics
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.models import transformer
from primelens.studies.text import program, states
from primelens.tasks import text as tasks_text

obstacle = program.without_residues

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)
# 1 - error / that of the train mean on the same rows: 1.9121e-4. Computed of the source's errors;
# it reports none.
SKILLS = {
  "L2_D128": -0.012,
  "L2_D256": -0.100,
  "L2_D512": -0.179,
  "L4_D128": -0.018,
  "L4_D256": -0.009,
  "L4_D512": -0.012,
  "L6_D128": -0.044,
  "L6_D256": -0.008,
  "L6_D512": -0.026,
}
MEASURES = (
  "best_scaled_mse",
  "r2_1",
  "r2_3",
  "r2_6",
  "r2_12",
  "delta_probe",
  "delta_random",
  "excess",
)


def grid() -> list[dict]:
  """Returns the published grid, a record for each size, by its parameters."""
  rows = [
    {
      "cell": cell,
      "parameters": int(PUBLISHED[f"{cell}_parameters"].recomputed or 0),
      "skill": skill,
    }
    | {name: float(PUBLISHED[f"{cell}_{name}"].source) for name in MEASURES}
    for cell, skill in SKILLS.items()
  ]
  return sorted(rows, key=lambda row: row["parameters"])


# --- probes and removals, traced: all networks in one program -------------------------------------
# Networks and permutations go by `lax.map`, one at a time: on a CPU two batched Cholesky factors in
# one program may wait for each other for ever, as batched singular values do
# (`decompositions.svd`).

ROWS = 1000  # of select
PAIRS_Q = (1, 3, 6, 12)  # Fourier pairs of a probe
REMOVED = 6  # pairs whose directions are removed
FRESH = 4000  # rows to fit and as many to score a held-out probe


def macro(r2_F) -> jax.Array:
  """Returns the mean R2 of the first PAIRS_Q pairs, Q; columns that do not
  vary have none (NaN) and are left out."""
  return jnp.stack([jnp.nanmean(r2_F[..., : 2 * n], -1) for n in PAIRS_Q], -1)


@jax.jit
def in_sample(state_SxNxD, wave_NxF):
  """Returns the in-sample R2 of every network, SxQ."""

  def one(state_NxD):
    z_NxD = linear.scaler(state_NxD)(state_NxD)
    guess_NxF = linear.ridge(z_NxD, wave_NxF).predict(z_NxD)
    return macro(linear.r2_scored(wave_NxF, guess_NxF))

  return jax.lax.map(one, state_SxNxD)


@jax.jit
def probed(state_SxNxD, wave_NxF, permuted_RxN):
  """Returns R2 in-sample, with permuted labels, and over folds."""
  rows, columns = wave_NxF.shape
  fold_N = states.fold_of(rows)
  null_NxRF = jnp.moveaxis(wave_NxF[permuted_RxN], 0, 1).reshape(rows, -1)

  def one(state_NxD):
    z_NxD = linear.scaler(state_NxD)(state_NxD)
    null = linear.r2_scored(null_NxRF, linear.ridge(z_NxD, null_NxRF).predict(z_NxD))
    guess_NxF = linear.cross_predicted(state_NxD, wave_NxF, fold_N=fold_N)
    own_NxF = linear.ridge(z_NxD, wave_NxF).predict(z_NxD)
    return {
      "r2_SxQ": macro(linear.r2_scored(wave_NxF, own_NxF)),
      "null_r2_SxRxQ": macro(null.reshape(-1, columns)),
      "cv_r2_SxQ": macro(linear.fold_r2(wave_NxF, guess_NxF, fold_N)),
    }

  return jax.lax.map(one, state_SxNxD)


def harm(z_NxD, residue_N, direction_DxF) -> tuple[jax.Array, jax.Array]:
  """Returns how much a refitted ridge readout of the residue loses when the
  directions' span is removed (squared error, in-sample), and the share of
  variance that went."""
  kept_NxD = linear.project_out(z_NxD, direction_DxF)
  error = lambda x_NxD: linear.mean_squared_error(
    residue_N[:, None], linear.ridge(x_NxD, residue_N[:, None]).predict(x_NxD)
  )
  share = 1 - jnp.sum(kept_NxD**2) / jnp.sum(z_NxD**2)
  return error(kept_NxD) - error(z_NxD), share


@jax.jit
def removed(state_SxNxD, wave_NxF, residue_N, permuted_RxN, direction_KxDxF):
  """Returns the harm of the probe's directions, of random ones, and of the
  whole pipeline with permuted labels."""
  wave_NxF = wave_NxF[:, : 2 * REMOVED]

  def one(state_NxD):
    z_NxD = linear.scaler(state_NxD)(state_NxD)

    def probe(order_N):
      kernel_DxF = linear.ridge(z_NxD, wave_NxF[order_N]).kernel_DxF
      return harm(z_NxD, residue_N[order_N], kernel_DxF)

    random = lambda direction_DxF: harm(z_NxD, residue_N, direction_DxF)
    delta, share = probe(jnp.arange(len(residue_N)))
    random_K, random_share_K = jax.lax.map(random, direction_KxDxF)
    permuted_R, permuted_share_R = jax.lax.map(probe, permuted_RxN)
    return {
      "delta_S": delta,
      "delta_random_SxK": random_K,
      "delta_permuted_SxR": permuted_R,
      "removed_S": share,
      "removed_random_SxK": random_share_K,
      "removed_permuted_SxR": permuted_share_R,
    }

  return jax.lax.map(one, state_SxNxD)


def held_out(probes, pooled) -> np.ndarray:
  """Returns R2 on fresh pairs of a probe fitted on other fresh pairs, SxQ;
  `pooled(token_NxT)` are the members' states."""
  fit_N, score_N = probes.train_N[:FRESH], probes.test_N[:FRESH]
  row_N = np.concatenate([fit_N, score_N])
  residue_N, modulus = probes.answer_N[row_N], probes.config.modulus
  wave_NxF = fourier.label_waves(residue_N, modulus, max(PAIRS_Q))
  fitted_N = np.arange(len(row_N)) < len(fit_N)
  state_SxNxD = pooled(probes.token_NxT[row_N])
  return np.asarray(_held_out(state_SxNxD, wave_NxF, fitted_N))


@jax.jit
def _held_out(state_SxNxD, wave_NxF, fitted_N):
  def one(state_NxD):
    guess_NxF, _ = linear.held_out(state_NxD, wave_NxF, fitted_N)
    return macro(linear.r2_scored(wave_NxF, guess_NxF, ~fitted_N))

  return jax.lax.map(one, state_SxNxD)


# --- the result -----------------------------------------------------------------------------------


def measure(run) -> xr.Dataset:
  """Returns one size's answers and probes with their controls."""
  prompts, settings, task = run.prompts, run.settings, run.experiment.task
  fresh_S = program.untrained_S(run)
  row_N = prompts.select_N[:ROWS]
  token_NxT, residue_N = prompts.token_NxT[row_N], prompts.answer_N[row_N]
  pooled = lambda token_NxT, *networks: states.over_members(
    states.pooled, run, token_NxT, *networks
  )
  state_SxNxD = pooled(token_NxT)
  rng = np.random.default_rng(settings.seed)
  permuted_RxN = np.stack([rng.permutation(len(row_N)) for _ in range(settings.permutations)])
  shape = (settings.random_directions, state_SxNxD.shape[-1])
  direction_KxDxF = rng.standard_normal((*shape, 2 * REMOVED))
  wave_NxF = fourier.label_waves(residue_N, task.modulus, max(PAIRS_Q))
  found = jax.device_get(probed(state_SxNxD, wave_NxF, permuted_RxN))
  gone = jax.device_get(
    removed(
      state_SxNxD,
      wave_NxF,
      residue_N.astype(np.float32),
      permuted_RxN,
      direction_KxDxF.astype(np.float32),
    )
  )
  untrained_VxNxD = pooled(token_NxT, fresh_S)
  angle_N = 2 * np.pi * residue_N / task.modulus
  probes = found | {
    "untrained_r2_VxQ": np.asarray(in_sample(untrained_VxNxD, wave_NxF)),
    "held_out_r2_SxQ": held_out(run.probes(), pooled),
    "circularity_S": linear.circularity(state_SxNxD, angle_N),
    "untrained_circularity_V": linear.circularity(untrained_VxNxD, angle_N),
  }
  part = states.part_rows(run)["select"]
  mine, theirs = states.scored(run, part), states.scored(run, part, fresh_S)
  trunk = run.experiment.model.trunk
  member = jax.tree.map(lambda leaf_S: leaf_S[0], jax.device_get(run.params_S))
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "pairs": results.variable("pairs", PAIRS_Q, "Fourier pairs"),
  }
  return results.dataset(
    labelled(probes, gone) | answered(run, mine, theirs),
    coords,
    cell=f"L{trunk.layers}_D{trunk.width}",
    layers=trunk.layers,
    width=trunk.width,
    parameters=transformer.parameter_count(member),
    probe_rows=len(row_N),
    answered_rows=len(part.answer_N),
    regression=run.regression,
    scale=float(task.scale),
    in_grid=in_grid(run),
  )


def in_grid(run) -> bool:
  """Returns whether a run is a cell of the published grid, or would be one at another size."""
  task, trunk = run.experiment.task, run.experiment.model.trunk
  sizes = (trunk.heads, trunk.hidden) == (4, 4 * trunk.width)
  return task == tasks_text.Config(question="modk") and sizes and run.regression


def labelled(probes, gone) -> dict:
  """Returns the arrays of probes and removals with their dimensions and meanings."""
  name, both, error = results.variable, results.with_untrained, "residue²"
  harm, share = "change of the squared error", "share of the variance removed"
  return {
    **both(
      "r2",
      "seed pairs",
      probes["r2_SxQ"],
      probes["untrained_r2_VxQ"],
      "R² in sample, mean of cosines and sines",
    ),
    "null_r2": name(
      "seed permutation pairs", probes["null_r2_SxRxQ"], "R² in sample of permuted labels"
    ),
    "cv_r2": name("seed pairs", probes["cv_r2_SxQ"], "R² over 5 folds, mean of cosines and sines"),
    "held_out_r2": name(
      "seed pairs", probes["held_out_r2_SxQ"], "R² on fresh pairs, mean of cosines and sines"
    ),
    **both(
      "circularity",
      "seed",
      probes["circularity_S"],
      probes["untrained_circularity_V"],
      "R² of the residue's circle",
    ),
    "harm": name("seed", gone["delta_S"], harm, error),
    "random_harm": name("seed draw", gone["delta_random_SxK"], f"{harm}, random directions", error),
    "permuted_harm": name(
      "seed permutation", gone["delta_permuted_SxR"], f"{harm}, permuted labels", error
    ),
    "share": name("seed", gone["removed_S"], share),
    "random_share": name("seed draw", gone["removed_random_SxK"], f"{share}, random directions"),
    "permuted_share": name(
      "seed permutation", gone["removed_permuted_SxR"], f"{share}, permuted labels"
    ),
  }


def answered(run, mine, theirs) -> dict:
  """Returns the losses and skills on the rows that the networks were chosen on."""
  unit = "answers²" if run.regression else "nats"
  found = states.skill(run, mine, theirs)
  mean = tables_lib.Interval(*(found[key] for key in ("skill", "skill_low", "skill_high")))
  name, skill = results.variable, "skill (1: no error, 0: a constant)"
  return {
    "loss": name("seed", mine["loss_SxN"].mean(-1), "loss on select", unit),
    "constant": name("", found["constant"], "loss of the constant answer", unit),
    **results.with_untrained(
      "skill", "seed", mine["measure"]["skill"], theirs["measure"]["skill"], skill
    ),
    **results.with_interval("mean_skill", "", mean, f"{skill}, mean over seeds"),
  }


def numbers(found) -> dict:
  """Returns the values by seed of the keys in published.csv."""
  if not found.in_grid:
    return {}
  random_S = found.random_harm.values.mean(1)
  values = {
    "parameters": np.full(len(random_S), found.parameters),
    "best_scaled_mse": found.loss.values / found.scale**2,
    "skill": found.skill.values,
    "delta_probe": found.harm.values,
    "delta_random": random_S,
    "excess": found.harm.values - random_S,
    "delta_permuted": found.permuted_harm.values.mean(1),
  }
  for q, pairs in enumerate(PAIRS_Q):
    values[f"r2_{pairs}"] = found.r2.values[:, q]
    values[f"null_r2_{pairs}"] = found.null_r2.values[..., q].mean(1)
    values[f"cv_r2_{pairs}"] = found.cv_r2.values[:, q]
  values = {f"{found.cell}_{name}": value for name, value in values.items()}
  return {key: value for key, value in values.items() if key in PUBLISHED}


# --- records of one size --------------------------------------------------------------------------


def cell(found: xr.Dataset) -> str | None:
  """Returns the cell of the published grid that a run is, if it is one."""
  return found.cell if found.in_grid else None


def size(found: xr.Dataset) -> dict:
  """Returns the record of a size: its answers, and the circle in its states."""
  skill = tables_lib.interval(found, "mean_skill")
  return {
    "cell": cell(found),
    "layers": found.layers,
    "width": found.width,
    "parameters": found.parameters,
    "seeds": found.sizes["seed"],
    "rows": found.answered_rows,
    "unit": found.loss.units,
    "loss": float(np.median(found.loss)),
    "constant": float(found.constant),
    "skill": skill,
    "excludes_zero": skill.low > 0 or skill.high < 0,
    "untrained": float(np.median(found.untrained_skill)),
    "circularity": _mean(found.circularity.values),
    "untrained_circularity": float(np.median(found.untrained_circularity)),
  }


def by_pairs(found: xr.Dataset) -> list[dict]:
  """Returns a record for each number of pairs: means over seeds with 95 % intervals."""
  rows = []
  for q, pairs in enumerate(PAIRS_Q):
    r2_S, null_SxR = found.r2.values[:, q], found.null_r2.values[..., q]
    rows.append(
      {
        "cell": cell(found),
        "pairs": pairs,
        "rows": found.probe_rows,
        "r2": _mean(r2_S),
        "null_r2": float(null_SxR.mean()),
        "deviation": float(null_SxR.std(1).mean()),
        "p": _p(r2_S, null_SxR),
        "untrained_r2": float(np.median(found.untrained_r2.values[:, q])),
        "cv_r2": _mean(found.cv_r2.values[:, q]),
        "held_out_r2": _mean(found.held_out_r2.values[:, q]),
      }
    )
  return rows


def directions(found: xr.Dataset) -> list[dict]:
  """Returns a record for each kind of directions that are removed."""
  harm_S, permuted_SxR = found.harm.values, found.permuted_harm.values
  random_S = found.random_harm.values.mean(1)
  probe = {"harm": _mean(harm_S), "p": _p(harm_S, permuted_SxR)}
  permuted = {"harm": float(permuted_SxR.mean()), "deviation": float(permuted_SxR.std(1).mean())}
  share = lambda name: {"share": float(found[name].values.mean())}
  return [
    {"cell": cell(found), "directions": "probe"} | probe | share("share"),
    {"cell": cell(found), "directions": "random", "harm": _mean(random_S)} | share("random_share"),
    {"cell": cell(found), "directions": "probe - random", "harm": _mean(harm_S - random_S)},
    {"cell": cell(found), "directions": "permuted labels"} | permuted | share("permuted_share"),
  ]


def _mean(value_S) -> tables_lib.Interval:
  found = statistics.seed_interval(value_S)
  return tables_lib.Interval(float(found.estimate), float(found.low), float(found.high))


def _p(value_S, null_SxR) -> float:
  """Returns the median over seeds of p, against each one's own null."""
  return float(np.median(statistics.permutation_p(value_S, null_SxR.T)))


# --- figures and tables ---------------------------------------------------------------------------

SIX = 6  # pairs that sizes are compared by


def figures(runs) -> dict:
  """Returns a page for each run, and the sizes of the grid beside the published ones."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  grid_runs = {run: found for run, found in runs.items() if found.in_grid}
  if not grid_runs:
    return pages
  panels = (_skills(grid_runs), _r2(grid_runs), _harms(grid_runs))
  return pages | {"all runs": draw.page(panels, heights=[4.2])}


def by_size(runs) -> dict:
  """Returns the runs by their parameters."""
  order = sorted(runs, key=lambda run: (runs[run].parameters, run))
  return {run: runs[run] for run in order}


def _against(axes, runs, values, label: str, colour: str) -> None:
  """Draws intervals or numbers of all runs against their parameters."""
  x = [found.parameters for found in runs.values()]
  middle = [getattr(value, "estimate", value) for value in values]
  axes.plot(x, middle, "o-", ms=4, lw=1.2, color=colour, label=label)
  for at, value in zip(x, values, strict=True):
    if isinstance(value, tables_lib.Interval):
      axes.plot([at, at], [value.low, value.high], color=colour, lw=1.2)


def _beside(axes, name: str, **text) -> None:
  """Draws the published grid, and names the axes."""
  rows = grid()
  x, y = [row["parameters"] for row in rows], [row[name] for row in rows]
  axes.plot(x, y, "x", color="black", label="published")
  axes.axhline(0, color="black", lw=0.8)
  axes.set(xscale="log", xlabel="parameters of a network", **text)


def _skills(runs) -> draw.Panel:
  def panel(axes):
    ordered = by_size(runs)
    skills = [tables_lib.interval(found, "mean_skill") for found in ordered.values()]
    _against(axes, ordered, skills, "skill", draw.BLUE)
    _beside(axes, "skill", title="Skill on select", ylabel="1 - loss / constant's loss")

  return panel


def _r2(runs) -> draw.Panel:
  def panel(axes):
    ordered = by_size(runs)
    at = PAIRS_Q.index(SIX)
    rows = [by_pairs(found)[at] | size(found) for found in ordered.values()]
    for name, label, colour in (
      ("r2", "in sample", draw.BLUE),
      ("null_r2", "permuted labels", draw.PURPLE),
      ("held_out_r2", "fresh pairs", draw.ORANGE),
      ("circularity", "circularity", draw.GREEN),
    ):
      _against(axes, ordered, [row[name] for row in rows], label, colour)
    text = {"title": f"R² of {SIX} Fourier pairs", "ylabel": "R², mean of cosines and sines"}
    _beside(axes, f"r2_{SIX}", **text)

  return panel


def _harms(runs) -> draw.Panel:
  def panel(axes):
    ordered = by_size(runs)
    rows = [
      {row["directions"]: row["harm"] for row in directions(found)} for found in ordered.values()
    ]
    for name, colour in (
      ("probe", draw.BLUE),
      ("permuted labels", draw.PURPLE),
      ("random", draw.AMBER),
    ):
      _against(axes, ordered, [row[name] for row in rows], name, colour)
    text = {
      "title": f"{2 * REMOVED} directions removed",
      "ylabel": "change of squared error\n(residue²)",
    }
    _beside(axes, "delta_probe", **text)

  return panel


def _page(run: str, found: xr.Dataset) -> draw.Page:
  null = found[["null_r2"]].mean("permutation", keep_attrs=True)
  ends = np.quantile(found.null_r2, (0.025, 0.975), axis=(0, 1))
  null["null_r2_interval"] = results.variable("end pairs", ends, "95 % of the permutations")
  null = null.assign_coords(end=list(results.ENDS))
  curve = lambda part, name, colour, label, thin="seed", **text: draw.curves(
    part, name, x="pairs", thin=thin, style={"color": colour, "label": label}, **text
  )
  r2 = draw.together(
    curve(null, "null_r2", draw.PURPLE, "in sample, permuted labels"),
    curve(found, "untrained_r2", draw.GREY, "in sample, untrained networks", "untrained"),
    curve(found, "cv_r2", draw.GREEN, "5 folds"),
    curve(found, "held_out_r2", draw.ORANGE, "fresh pairs"),
    curve(
      found,
      "r2",
      draw.BLUE,
      "in sample",
      ylabel="R², mean of cosines and sines",
      title=f"{run}: Fourier probes, {found.cell.replace('_', ' ')}",
    ),
  )
  groups = {
    "probe": found.harm,
    "permuted labels": found.permuted_harm,
    "random": found.random_harm,
  }
  harm = draw.dots(
    groups,
    xlabel=results.label(found.harm),
    title=f"{2 * REMOVED} directions removed, readout refitted",
  )
  return draw.page((r2, harm), heights=[3.9])


def tables(runs) -> list[tables_lib.Table]:
  """Returns the sizes beside the published grid, their probes, and what removing them costs."""
  ordered = by_size(runs)
  published = [
    {
      "run": "published",
      "cell": row["cell"],
      "parameters": row["parameters"],
      "skill": row["skill"],
    }
    for row in grid()
  ]
  of = functools.partial(tables_lib.by_run, ordered)
  known = {row["cell"]: row for row in grid()}
  reported = lambda cell, name: known[cell][name] if cell in known else None
  probes = [
    row | {"published": reported(row["cell"], f"r2_{row['pairs']}")} for row in of(by_pairs)
  ]
  keys = {"probe": "delta_probe", "random": "delta_random", "probe - random": "excess"}
  gone = [
    row | {"published": reported(row["cell"], keys[row["directions"]])}
    if row["directions"] in keys
    else row
    for row in of(directions)
  ]
  return [
    tables_lib.Table(
      "Sizes by their parameters, and the published grid (runs of other tasks are no cell of it):"
      " skill on the rows that the networks were chosen on, mean over seeds with its 95 % interval;"
      " circularity is R2 of the residue's circle.",
      of(lambda found: [size(found)]) + published,
      {"skill": ".4f"},
      name="sizes",
    ),
    tables_lib.Table(
      "R2 of the first Fourier pairs: means over seeds with 95 % intervals. p, null and deviation"
      " are of permuted labels.",
      probes,
      name="probes",
    ),
    tables_lib.Table(
      f"Change of the squared error of a refitted readout without {2 * REMOVED} directions"
      " (residue²), p by permuted labels, and the share of the variance that goes.",
      gone,
      name="removed",
    ),
  ]


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
_published = lambda key: float(PUBLISHED[key].source)
_millions = [row["parameters"] / 1e6 for row in grid()]


def enough(results) -> tuple[list[xr.Dataset], tuple[str, ...]]:
  """Returns a run of each cell of the grid with enough seeds to decide a claim, and the runs that
  may have one."""
  runs = results.where(seeds=lambda count: count >= program.SEEDS)
  found = [table["scale"] for table in runs.values() if "scale" in table]
  return list({each.cell: each for each in found if each.in_grid}.values()), tuple(runs)


@CLAIMS.add(
  "scale.width",
  "What Fourier probes read of the residue grows with the width.",
  reported=f"R2 of six frequencies {_published('L2_D128_r2_6'):.3f} at width 128,"
  f" {_published('L2_D512_r2_6'):.3f} at 512, in sample",
  source=program.claimed("sections 5.5, 6.6"),
)
def width(results):
  """Returns the verdict beside permuted labels, and beside rows not seen."""
  (found, runs), at = enough(results), PAIRS_Q.index(SIX)
  cells = {each.width: by_pairs(each)[at] for each in found}
  if len(cells) < 2:
    of = f"scale of two widths with {program.SEEDS} members"
    raise claims.Missing(of, analysis="scale", runs=runs)
  narrow, wide = min(cells), max(cells)
  low, high = cells[narrow], cells[wide]
  gain = high["r2"].estimate - low["r2"].estimate
  null = high["null_r2"] - low["null_r2"]
  because = (
    f"from width {narrow} to {wide} in-sample R2 of six frequencies grows by {gain:.3f}, with"
    f" permuted labels by {null:.3f}; held out it is {low['held_out_r2'].estimate:.3f} and"
    f" {high['held_out_r2'].estimate:.3f}."
  )
  values = {"gain": gain, "gain_permuted": null}
  return claims.verdict(gain > 0, because, values, artefact=null > 0.5 * gain)


@CLAIMS.add(
  "scale.skill",
  "Larger networks learn the sums modulo 97.",
  reported=f"nine networks of {min(_millions):.1f} to {max(_millions):.0f} million parameters, no"
  " constant beside them",
  source=program.claimed("sections 0.1, 5.5, 6.6"),
)
def skill(results):
  """Returns the verdict beside a constant answer, of every size at hand."""
  found, runs = enough(results)
  if len(found) < 2:
    of = f"scale of two sizes with {program.SEEDS} members"
    raise claims.Missing(of, analysis="scale", runs=runs)
  skills = [(each.cell, tables_lib.interval(each, "mean_skill")) for each in found]
  said = ", ".join(f"{cell} {its.estimate:.3f}" for cell, its in skills)
  better = [cell for cell, its in skills if its.low > 0]
  because = f"skill by size: {said}; better than a constant: {', '.join(better) or 'none'}."
  values = {cell: its.estimate for cell, its in skills}
  return claims.verdict(bool(better), because, values)
