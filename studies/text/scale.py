"""Analysis `scale`: one cell of the grid of sizes, and what its probes show.

In-sample R2 of Fourier probes grows with the width, and so does that of
permuted labels: every number stands beside the same pipeline on permuted
labels, and on rows it never saw. Source: arithmetic spec, sections 4.6, 5.5.
"""

import dataclasses
from collections.abc import Mapping

import jax
import numpy as np
from primelens.analyses import statistics
from primelens.models import transformer
from primelens.studies.text import answers, geometry_parts, reported, scale_reported, states
from primelens.studies.text import scale_parts as parts
from primelens.tasks import text as tasks_text

REPORTED = scale_reported.REPORTED
PAIRS_Q = parts.PAIRS_Q


@dataclasses.dataclass(frozen=True)
class Result:
  """One size: accuracy, Fourier probes and the removal of their directions.

  `r2_SxQ` are in-sample, macro over the columns of PAIRS_Q pairs, of z-scored
  states with alpha 1; `null_r2_SxRxQ` with permuted labels, `cv_r2_SxQ` over 5
  folds of the same rows, `held_out_r2_SxQ` on fresh pairs with alpha by inner
  folds, `untrained_r2_ExQ` in-sample of fresh networks. `delta_S` is the harm
  to a refitted ridge readout of the residue (in-sample squared error) when the
  directions of REMOVED pairs go, `delta_random_SxK` of random subspaces of that
  rank, `delta_permuted_SxR` the whole pipeline with permuted labels; `removed`
  are the shares of variance that go. `cell` has one record.
  """

  table: tuple[dict, ...]
  cell: tuple[dict, ...]
  pairs_Q: np.ndarray
  r2_SxQ: np.ndarray
  null_r2_SxRxQ: np.ndarray
  cv_r2_SxQ: np.ndarray
  held_out_r2_SxQ: np.ndarray
  untrained_r2_ExQ: np.ndarray
  delta_S: np.ndarray
  delta_random_SxK: np.ndarray
  delta_permuted_SxR: np.ndarray
  removed_S: np.ndarray
  removed_random_SxK: np.ndarray
  removed_permuted_SxR: np.ndarray


def obstacle(experiment) -> str:
  """Returns why a run is no cell of the grid, or ""."""
  if experiment.task.question != "modk":
    return f"question={experiment.task.question!r} has no residues"
  return ""


def run(run) -> Result:
  """Returns one size's probes with their controls."""
  text, settings = run.prompts, run.settings
  fresh_S = answers.untrained_S(run)
  row_N = text.select_N[: scale_reported.ROWS]
  token_NxT, residue_N = text.token_NxT[row_N], text.answer_N[row_N]
  pooled = lambda token_NxT, *networks: states.over_members(
    states.pooled, run, token_NxT, *networks
  )
  state_SxNxD = pooled(token_NxT)
  rng = np.random.default_rng(settings.seed)
  permuted_RxN = np.stack([rng.permutation(len(row_N)) for _ in range(settings.permutations)])
  shape = (settings.random_directions, state_SxNxD.shape[-1])
  direction_KxDxF = rng.standard_normal((*shape, 2 * parts.REMOVED))
  modulus = run.experiment.task.modulus
  wave_NxF = parts.waves(residue_N, modulus, max(PAIRS_Q))
  probed = jax.device_get(parts.probed(state_SxNxD, wave_NxF, permuted_RxN))
  removed = jax.device_get(
    parts.removed(
      state_SxNxD,
      wave_NxF,
      residue_N.astype(np.float32),
      permuted_RxN,
      direction_KxDxF.astype(np.float32),
    )
  )
  untrained_VxNxD = pooled(token_NxT, fresh_S)
  untrained = parts.in_sample(untrained_VxNxD, wave_NxF)
  result = Result(
    table=(),
    cell=(),
    pairs_Q=np.array(PAIRS_Q),
    held_out_r2_SxQ=parts.held_out(run.probes(), pooled),
    untrained_r2_ExQ=np.asarray(untrained),
    **probed | removed,
  )
  part = _select(run)
  mine, theirs = answers.scored(run, part), answers.scored(run, part, fresh_S)
  size = _size(run)
  return dataclasses.replace(
    result,
    cell=(
      size
      | answers.skill(run, mine, theirs)
      | _probes(result)
      | _circles(state_SxNxD, untrained_VxNxD, residue_N, modulus),
    ),
    table=_table(run, size, mine["measure"], result),
  )


def _circles(state_SxNxD, untrained_VxNxD, residue_N, modulus) -> dict:
  """Returns the columns of the residue's circle in the first plane (4.8)."""
  angle_N = 2 * np.pi * residue_N / modulus
  own_S, fresh_V = (geometry_parts.circularity(x, angle_N) for x in (state_SxNxD, untrained_VxNxD))
  fresh = {"untrained_circularity": float(np.median(fresh_V))}
  return _mean("circularity", own_S) | fresh


def joined(results: Mapping[str, Mapping]) -> tuple[dict, ...]:
  """Returns the cells of several runs, a record each, by their parameters.

  `results` are `{run: {analysis: Result}}`; runs without this analysis are
  left out.
  """
  cells = (
    {"run": name} | row
    for name, found in results.items()
    if "scale" in found
    for row in found["scale"].cell
  )
  return tuple(sorted(cells, key=lambda row: (row["parameters"], row["run"])))


def _select(run) -> answers.Part:
  """Returns the rows that the members were chosen on."""
  text = run.prompts
  row_N = text.select_N[: answers.ROWS]
  token_NxT, answer_N = text.token_NxT[row_N], text.answer_N[row_N]
  return answers.Part(token_NxT, answer_N, text.answer_N[text.train_N])


def _size(run) -> dict:
  trunk = run.experiment.model.trunk
  member = jax.tree.map(lambda leaf: leaf[0], run.params_S)
  return {
    "cell": f"L{trunk.layers}_D{trunk.width}",
    "layers": trunk.layers,
    "width": trunk.width,
    "parameters": transformer.parameter_count(member),
    "probe_rows": min(len(run.prompts.select_N), scale_reported.ROWS),
  }


def _probes(result: Result) -> dict:
  """Returns the probes' columns: means over members with 95 % intervals."""
  row: dict[str, float] = {}
  for q, pairs in enumerate(PAIRS_Q):
    null_SxR = result.null_r2_SxRxQ[..., q]
    for name, value_S in (
      ("r2", result.r2_SxQ[:, q]),
      ("cv_r2", result.cv_r2_SxQ[:, q]),
      ("held_out_r2", result.held_out_r2_SxQ[:, q]),
    ):
      row |= _mean(f"{name}_{pairs}", value_S)
    row |= {
      f"null_r2_{pairs}": float(null_SxR.mean()),
      f"null_r2_{pairs}_deviation": float(null_SxR.std(1).mean()),
      f"r2_{pairs}_p": _p(result.r2_SxQ[:, q], null_SxR),
      f"untrained_r2_{pairs}": float(np.median(result.untrained_r2_ExQ[:, q])),
    }
  random_S = result.delta_random_SxK.mean(1)
  return row | {
    **_mean("delta_probe", result.delta_S),
    **_mean("delta_random", random_S),
    **_mean("excess", result.delta_S - random_S),
    "delta_permuted": float(result.delta_permuted_SxR.mean()),
    "delta_permuted_deviation": float(result.delta_permuted_SxR.std(1).mean()),
    "delta_p": _p(result.delta_S, result.delta_permuted_SxR),
    "removed": float(result.removed_S.mean()),
    "removed_random": float(result.removed_random_SxK.mean()),
    "removed_permuted": float(result.removed_permuted_SxR.mean()),
  }


def _mean(name: str, value_S) -> dict:
  found = statistics.seed_interval(value_S)
  ends = {f"{name}_low": float(found.low), f"{name}_high": float(found.high)}
  return {name: float(found.estimate)} | ends


def _p(value_S, null_SxR) -> float:
  """Returns the median over members of p, against each one's own null."""
  return float(np.median(statistics.permutation_p(value_S, null_SxR.T)))


def _table(run, size: Mapping, measure: Mapping, result: Result):
  """Returns the cell's reported numbers beside the members'."""
  task, trunk = run.experiment.task, run.experiment.model.trunk
  sizes = (trunk.heads, trunk.hidden) == (4, 4 * trunk.width)
  plain = task == tasks_text.Config(question="modk")
  if not (plain and sizes and run.regression):
    return ()
  random_S = result.delta_random_SxK.mean(1)
  value_S = {
    "parameters": np.full(len(random_S), size["parameters"]),
    "best_scaled_mse": measure["scaled_mse"],
    "skill": measure["skill"],
    "delta_probe": result.delta_S,
    "delta_random": random_S,
    "excess": result.delta_S - random_S,
    "delta_permuted": result.delta_permuted_SxR.mean(1),
  }
  for q, pairs in enumerate(PAIRS_Q):
    value_S[f"r2_{pairs}"] = result.r2_SxQ[:, q]
    value_S[f"null_r2_{pairs}"] = result.null_r2_SxRxQ[..., q].mean(1)
    value_S[f"cv_r2_{pairs}"] = result.cv_r2_SxQ[:, q]
  known_S = {f"{size['cell']}_{name}": x for name, x in value_S.items()}
  known_S = {key: x for key, x in known_S.items() if key in REPORTED}
  return reported.rows(run, REPORTED, known_S)
