"""Analysis `causal`: answers without the sum's direction, and with another's.

The published test removes a direction and fits a new readout, in which the
answer is still to be found: it says nothing of the network. Here directions
are fitted on the fit part, removed or exchanged on the test part, and the
answer is the network's own, through its readout or all layers that remain,
beside subspaces of permuted labels that have the rank and move states as far.
Source: arithmetic spec, sections 4.2, 4.4, 5.2 and 6.
"""

import dataclasses

import jax
import numpy as np
from primelens.analyses import ridge
from primelens.studies.text import causal_directions as directions
from primelens.studies.text import causal_published as published
from primelens.studies.text import causal_records as records
from primelens.studies.text import causal_reported, states
from primelens.studies.text import causal_scores as scores
from primelens.studies.text import causal_subspaces as subspaces
from primelens.studies.text.causal_rows import Rows

REPORTED = causal_reported.REPORTED
LEVEL_ROWS = 300  # test rows that run through the remaining layers
LEVEL_DRAWS = 3  # permutations, and random subspaces, before the last level


@dataclasses.dataclass(frozen=True)
class Result:
  """Skill on test rows without subspaces, and what exchanging them does.

  Axes: P what is probed (`targets`), E the levels, V `subspaces.VARIANTS`.
  `skill_PxSxExV` is 1 - loss / that of a constant answer, with the subspace at
  its mean, of permuted labels and random ones scaled to move states as far as
  the probed one; `moved_PxSxExV` is the share of the way to the next row's
  answer with its component in place, unscaled; `removed_PxSxExV` the share of
  variance in the subspace. Draws are means. `intact_S` is the skill as it is.

  R counts directions of the sum removed one by one: `iterated_SxR` is R2 of a
  new probe on test rows, `iterated_null_SxR` with directions of permuted
  labels, `iterated_skill_SxR` the skill of the own readout;
  `iterated_as_published_SxM` is R2 over folds of the select rows after
  `step_M`. `ladder_skill_KxSxQ` is the skill without one direction fitted with
  `alpha_Q`, K: `ladders`.
  """

  table: tuple[dict, ...]
  interventions: tuple[dict, ...]
  directions: tuple[dict, ...]
  targets: tuple[dict, ...]
  levels: tuple[dict, ...]
  variants: tuple[dict, ...]
  ladders: tuple[dict, ...]
  intact_S: np.ndarray
  skill_PxSxExV: np.ndarray
  moved_PxSxExV: np.ndarray
  removed_PxSxExV: np.ndarray
  iterated_SxR: np.ndarray
  iterated_null_SxR: np.ndarray
  iterated_skill_SxR: np.ndarray
  step_M: np.ndarray
  iterated_as_published_SxM: np.ndarray
  alpha_Q: np.ndarray
  ladder_skill_KxSxQ: np.ndarray
  unit: str


def run(run) -> Result:
  """Returns the causal tests of every member."""
  rows = Rows(run)
  old = published.measure(run)
  by_target = {name: interventions(run, rows, name) for name in rows.feature_NxF}
  stacked = lambda key: np.stack([one[key] for one in by_target.values()])
  steps = directions.iterated(run, rows)
  lines = directions.ladder(run, rows)
  named = lambda key, names: tuple({key: name} for name in names)
  return Result(
    table=records.table(run, REPORTED, old),
    interventions=tuple(records.interventions(by_target, states.levels(run))),
    directions=tuple(directions.records(lines)),
    targets=named("target", by_target),
    levels=named("level", states.levels(run)),
    variants=named("variant", subspaces.VARIANTS),
    ladders=named("ladder", directions.LADDERS),
    intact_S=rows.skill(rows.intact_loss_S),
    skill_PxSxExV=stacked("skill"),
    moved_PxSxExV=stacked("moved"),
    removed_PxSxExV=stacked("removed"),
    iterated_SxR=steps["r2"],
    iterated_null_SxR=steps["null"],
    iterated_skill_SxR=steps["skill"],
    step_M=np.array(published.STEPS_R),
    iterated_as_published_SxM=np.stack([old[f"iterated_{step}"] for step in published.STEPS_R], -1),
    alpha_Q=np.array(ridge.ALPHAS_R),
    ladder_skill_KxSxQ=np.stack(
      [
        np.stack([lines[directions.named(name, a)]["skill"] for a in ridge.ALPHAS_R], -1)
        for name in directions.LADDERS
      ]
    ),
    unit="mse" if run.regression else "nll_nats",
  )


def interventions(run, rows: Rows, name: str) -> dict[str, np.ndarray]:
  """Returns what subspaces of one target do: `skill`, `moved`, `removed` and
  more, SxExV each, means over draws; `p` SxExV of the probed ones."""
  settings, y_NxF = run.settings, rows.feature_NxF[name]
  rng = np.random.default_rng(settings.seed)
  count = max(settings.permutations, LEVEL_DRAWS)
  order_RxN = np.stack([rng.permutation(len(y_NxF)) for _ in range(count)])
  state_SxExNxD = np.moveaxis(rows.fit_SxNxExD, 2, 1)
  key = jax.random.key(settings.seed)
  last = subspaces.population(
    state_SxExNxD[:, -1:],
    y_NxF,
    order_RxN[: settings.permutations],
    draws=settings.random_directions,
    key=key,
  )
  early = subspaces.population(
    state_SxExNxD[:, :-1], y_NxF, order_RxN[:LEVEL_DRAWS], draws=LEVEL_DRAWS, key=key
  )
  found = [
    records.by_variant(
      _before(run, rows, early), early, rows, LEVEL_ROWS, subspaces.kinds(LEVEL_DRAWS, LEVEL_DRAWS)
    ),
    records.by_variant(
      _last(rows, last),
      last,
      rows,
      None,
      subspaces.kinds(settings.permutations, settings.random_directions),
    ),
  ]
  joined = {key: np.concatenate([one[key] for one in found], 1) for key in found[0]}
  return joined | {"rank": last.read_RxDxK.shape[-1]}


def _last(rows: Rows, found) -> dict[str, np.ndarray]:
  """Returns the measures of all subspaces of the final states, by what is
  done, SxExRx3 with E = 1."""
  bundle = rows.bundle(found.read_RxDxK[:, 0], found.write_RxDxK[:, 0], found.strength_R[:, 0])
  index_R = np.arange(found.strength_R.shape[-1])
  measured = scores.over(scores.by_readout, bundle, index_R, rows.target_N)
  return {name: x_SxRx3[:, None] for name, x_SxRx3 in measured.items()}


def _before(run, rows: Rows, found) -> dict[str, np.ndarray]:
  """Returns the measures of all subspaces of the earlier levels, run through
  the remaining layers, SxExRx3; NaN where nobody looked (REMOVED)."""
  levels, count = found.strength_R.shape[1:]
  few = slice(LEVEL_ROWS)
  bundle = {
    "params": run.params_S,
    "state_ExNxD": np.moveaxis(rows.test_SxNxExD[:, few, :-1], 2, 1),
    "mean_ExD": rows.mean_SxExD[:, :-1].astype(np.float32),
    "output_NxV": rows.output_SxNxV[:, few],
    "read_ExRxDxK": found.read_RxDxK,
    "write_ExRxDxK": found.write_RxDxK,
    "strength_ExR": found.strength_R,
  }
  shape = (levels, count, 2)
  level_R, index_R, way_R = np.indices(shape).reshape(3, -1)
  cells = {"level": level_R, "index": index_R, "way": way_R + scores.MATCHED}
  measured = scores.over(
    scores.by_network(run.apply, run.experiment.model.trunk.layers),
    bundle,
    cells,
    rows.token_NxT[few],
    rows.target_N[few],
  )
  empty = ((0, 0), (0, 0), (0, 0), (1, 0))
  return {
    name: np.pad(x_SxR.reshape(-1, *shape), empty, constant_values=np.nan)
    for name, x_SxR in measured.items()
  }
