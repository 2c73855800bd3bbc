"""Where is the sum: can states of two prompts with the same sum be exchanged?

The source names this experiment and never did it. Here the states of a donor, another prompt, are
put in place of a prompt's own, at one level and one role of characters at a time. A donor has the
same sum, (x + d, y - d), or another one, (x + d, y). Donors are in range and have the same digit
counts, so that every character has its place. What a patch does is measured by what the whole
donor does: the answer goes a share of the way to the donor's, and it is disturbed by a share of the
change between prompt and donor. States that hold nothing but the sum are not disturbed by a donor
of the same sum, and go all the way to a donor's of another sum (docs/sources/text.md, section 6).
"""

import functools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import patching, statistics, sweeps
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.models import encoder
from primelens.studies.text import program, states
from primelens.tasks import characters, rewritten

ROWS = 400  # patched; a quarter of them for untrained networks
DONORS = ("same sum", "another sum")
EQUAL, UNEQUAL = 0, 1
EVERYWHERE = "every position"  # beside the roles: the donor's whole level

# --- prompts and their donors ---------------------------------------------------------------------


class Pairs(NamedTuple):
  """Prompts and their donors: tokens, answers, positions of the roles."""

  clean_NxT: np.ndarray
  donor_PxNxT: np.ndarray
  answer_N: np.ndarray
  goal_N: np.ndarray  # the answer of donors with another sum
  role_NxR: np.ndarray
  shift_N: np.ndarray


def pairs(prompts, count: int, seed: int) -> Pairs:
  """Returns up to `count` prompts of the test part with donors of both kinds.

  d is drawn between 5 % and 30 % of the operands' range; prompts without such
  donors, or whose answer a donor of another sum shares, are left out. Raises
  `ValueError` where none is left.
  """
  config, row_N = prompts.config, prompts.test_N
  x_N, y_N = prompts.x_N[row_N], prompts.y_N[row_N]
  low, high = max(config.operands // 20, 1), max(3 * config.operands // 10, 1)
  rng = np.random.default_rng(seed)
  shift_N = rng.integers(low, high + 1, len(row_N))
  goal_N = rewritten.answers(prompts, row_N, x_N + shift_N, y_N)
  fits_N = (
    rewritten.alike(config, x_N, x_N + shift_N)
    & rewritten.alike(config, y_N, y_N - shift_N)
    & (goal_N != prompts.answer_N[row_N])
  )
  kept_N = np.flatnonzero(fits_N)[:count]
  if not kept_N.size:
    raise ValueError("no prompt of the test part has donors of both kinds.")
  row_N, shift_N = row_N[kept_N], shift_N[kept_N]
  x_N, y_N = x_N[kept_N], y_N[kept_N]
  written = functools.partial(rewritten.tokens, prompts, row_N)
  clean_NxT = written(x_N, y_N)
  role_NxR = characters.roles(clean_NxT)
  return Pairs(
    clean_NxT=clean_NxT,
    donor_PxNxT=np.stack([written(x_N + shift_N, y_N - shift_N), written(x_N + shift_N, y_N)]),
    answer_N=prompts.answer_N[row_N],
    goal_N=goal_N[kept_N],
    role_NxR=role_NxR[:, (role_NxR >= 0).any(0)],
    shift_N=shift_N,
  )


def roles(found: Pairs) -> tuple[str, ...]:
  """Returns the names of R: the roles that prompts have, and EVERYWHERE."""
  there_R = np.any(characters.roles(found.clean_NxT) >= 0, axis=0).tolist()
  known = zip(characters.ROLES, there_R, strict=True)
  return (*(name for name, there in known if there), EVERYWHERE)


# --- what a donor does ----------------------------------------------------------------------------


def effects(run, found: Pairs, params_S) -> tuple[np.ndarray, np.ndarray]:
  """Returns `moved` SxExR and `disturbed` PxSxExR of networks."""
  cells = cells_of(run.experiment.model.trunk.layers, found.role_NxR.shape[1])
  read = functools.partial(states.over_members, everything, run, params_S=params_S)
  clean, donors = read(found.clean_NxT), list(map(read, found.donor_PxNxT))
  for donor in donors:
    donor["state"] = np.moveaxis(donor["state"], 2, 1)  # ExN, to slice levels
  bundle_S = {
    "params": params_S,
    "state_PxExNxTxD": np.stack([donor["state"] for donor in donors], 1),
    "clean_NxV": clean["output"],
  }
  data = (found.clean_NxT, found.role_NxR, found.answer_N, found.goal_N)
  value_SxQxN, gap_SxQxN = jax.device_get(
    sweeps.over(
      patched(run.apply, run.experiment.model.trunk.layers),
      bundle_S,
      cells,
      data=data,
      batch_size=1,
    )
  )
  # What a patch does is measured by what the other prompt does.
  clean_SxN, _ = _measures_S(clean["output"], clean["output"], found.answer_N, found.goal_N)
  whole_SxN, apart_SxN = _measures_S(
    donors[UNEQUAL]["output"], clean["output"], found.answer_N, found.goal_N
  )
  return _ratios(
    run,
    cells,
    found.role_NxR,
    (value_SxQxN, gap_SxQxN),
    tuple(map(np.asarray, (clean_SxN, whole_SxN, apart_SxN))),
  )


def everything(model: encoder.Config, params, token_BxT) -> dict:
  """Returns a network's answers BxV and its states BxExTxD."""
  state_ExBxTxD = states.all_levels(model, params, token_BxT)
  pooled_BxD = encoder.pooled(state_ExBxTxD[-1], token_BxT)
  return {"output": encoder.readout(params, pooled_BxD), "state": jnp.moveaxis(state_ExBxTxD, 1, 0)}


def cells_of(layers: int, roles: int) -> dict[str, np.ndarray]:
  """Returns every patch, stacked: its donor P, level E and role R.

  After the last block the last character's state alone is read, so that the
  others (all but the last role and EVERYWHERE) are left out.
  """
  grid = np.argwhere(np.ones((len(DONORS), layers + 2, roles + 1)))
  donor_Q, level_Q, role_Q = grid[(grid[:, 1] < layers) | (grid[:, 2] >= roles - 1)].T
  return {"donor": donor_Q, "level": level_Q, "role": role_Q}


@functools.cache
def patched(apply, layers: int):
  """Returns `f(bundle, cell, token_NxT, role_NxR, answer_N, goal_N)`: the
  `measures` of the answers with one role's state at one level a donor's."""

  def score(bundle, cell, token_NxT, role_NxR, answer_N, goal_N):
    length, roles = token_NxT.shape[1], role_NxR.shape[1]
    one_N = jnp.take(role_NxR, jnp.minimum(cell["role"], roles - 1), axis=1)
    where_NxT = patching.at(one_N, length) | (cell["role"] == roles)
    donor_NxTxD = bundle["state_PxExNxTxD"][cell["donor"], cell["level"]]
    change = patching.replaced(donor_NxTxD, where_NxT)
    output_NxV, _ = apply(
      bundle["params"], token_NxT, edits=patching.edits(change, cell["level"], layers)
    )
    return measures(output_NxV, bundle["clean_NxV"], answer_N, goal_N)

  return score


def measures(output_NxV, clean_NxV, answer_N, goal_N):
  """Returns how much every row says of its goal, and how far it is from the
  clean answer, N each.

  The answer signed towards the goal, and its squared change; of classes, the
  log-probability of the goal, and half the sum of |p - p_clean|.
  """
  if output_NxV.shape[-1] == 1:
    sign_N = jnp.sign(goal_N - answer_N)
    gap_N = (output_NxV - clean_NxV)[:, 0] ** 2
    return output_NxV[:, 0] * sign_N, gap_N
  log_NxV = jax.nn.log_softmax(output_NxV)
  goal_Nx1 = goal_N.astype(jnp.int32)[:, None]
  apart_NxV = jax.nn.softmax(output_NxV) - jax.nn.softmax(clean_NxV)
  return (jnp.take_along_axis(log_NxV, goal_Nx1, axis=1)[:, 0], 0.5 * jnp.abs(apart_NxV).sum(-1))


_measures_S = jax.jit(jax.vmap(measures, (0, 0, None, None)))


def _ratios(run, cells: Mapping, role_NxR, patched_2xSxQxN, whole_3xSxN):
  """Returns `moved` SxExR and `disturbed` PxSxExR: ratios of means over the
  rows that have the role; 0 for what is not read."""
  value_SxQxN, gap_SxQxN = (np.asarray(x, float) for x in patched_2xSxQxN)
  clean_SxN, donor_SxN, apart_SxN = (np.asarray(x, float) for x in whole_3xSxN)
  there_NxR = np.column_stack([role_NxR >= 0, np.ones(len(role_NxR), bool)])
  there_QxN = there_NxR.T[cells["role"]].astype(float)
  mean_SxQ = lambda x_SxQxN: np.sum(x_SxQxN * there_QxN, -1)
  way_SxQ = mean_SxQ((donor_SxN - clean_SxN)[:, None])
  moved_SxQ = mean_SxQ(value_SxQxN - clean_SxN[:, None]) / way_SxQ
  disturbed_SxQ = mean_SxQ(gap_SxQxN) / mean_SxQ(apart_SxN[:, None])
  if run.regression:
    disturbed_SxQ = np.sqrt(disturbed_SxQ)
  shape = (len(DONORS), run.experiment.model.trunk.layers + 2)
  grids = np.zeros((2, len(clean_SxN), *shape, there_NxR.shape[1]))
  at = (cells["donor"], cells["level"], cells["role"])
  grids[0][:, *at], grids[1][:, *at] = moved_SxQ, disturbed_SxQ
  moved_PxSxExR, disturbed_PxSxExR = np.swapaxes(grids, 1, 2)
  return moved_PxSxExR[UNEQUAL], disturbed_PxSxExR


# --- the result -----------------------------------------------------------------------------------

EFFECTS = {
  "level": "level",
  "role": "characters whose states are a donor's",
  "rows": "rows that have such a character",
}
MEASURED = {
  "moved": "share of the way to the answer of a donor of another sum",
  "disturbed_equal": "share of the donor's change of the answer, donors of the same sum",
  "disturbed_unequal": "share of the donor's change of the answer, donors of another sum",
}
for _name, _words in MEASURED.items():
  EFFECTS |= {
    _name: f"{_words}, mean over seeds",
    f"{_name}_min": f"{_words}, smallest",
    f"{_name}_max": f"{_words}, largest",
    f"{_name}_untrained": f"{_words}, untrained networks, median",
  }


def measure(run) -> xr.Dataset:
  """Returns what donors' states do to the answers of every network, by level and role.

  `moved` is the mean of (patched - clean) over that of (donor - clean) with donors of another sum:
  of the answer, signed towards the donor's, or of the log-probability of the donor's answer.
  `disturbed` is the change of the answer with either kind of donor over that between prompts and
  donors of another sum: root mean squares, or total variation of the classes. NaN where no row has
  the role.
  """
  found = pairs(run.probes(), ROWS, run.settings.seed)
  few = max(1, len(found.shift_N) // 4)
  part = lambda x: x[:, :few] if x.ndim == 3 else x[:few]
  some = Pairs(*map(part, found))
  mine = effects(run, found, run.params_S)
  null = effects(run, some, program.untrained_S(run))
  levels, names = states.levels(run), roles(found)
  records = _records(levels, names, found.role_NxR, mine, null)
  way, change = (
    "share of the way to the donor's answer",
    "share of the donor's change of the answer",
  )
  variables = {
    **results.with_untrained("moved", "seed level role", mine[0], null[0], way),
    **results.with_untrained("disturbed", "donor seed level role", mine[1], null[1], change),
    **results.rows("effects", records, EFFECTS),
  }
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "level": results.variable("level", list(levels), "level"),
    "role": results.variable("role", list(names), "characters whose states are the donor's"),
    "donor": results.variable("donor", list(DONORS), "sum of the donor"),
  }
  return results.dataset(variables, coords, regression=run.regression)


def _records(levels, roles, role_NxR, mine, theirs) -> Iterator[dict]:
  """Yields a record per level and role, with intervals over seeds."""
  count_R = [*(role_NxR >= 0).sum(0), len(role_NxR)]
  named = lambda found: dict(zip(MEASURED, (found[0], *found[1]), strict=True))
  mine, theirs = named(mine), named(theirs)
  for e, level in enumerate(levels):
    for r, role in enumerate(roles):
      row = {"level": level, "role": role, "rows": int(count_R[r])}
      for name, value_SxExR in mine.items():
        value_S = value_SxExR[:, e, r]
        mean = statistics.seed_interval(value_S)
        row |= {
          name: float(mean.estimate),
          f"{name}_low": float(mean.low),
          f"{name}_high": float(mean.high),
          f"{name}_min": float(value_S.min()),
          f"{name}_max": float(value_S.max()),
          f"{name}_untrained": float(np.median(theirs[name][:, e, r])),
        }
      yield row


# --- figures and tables ---------------------------------------------------------------------------

MAPS = {
  "moved": "how far the answer goes to that of a donor of another sum (1: all the way)",
  "unequal": "disturbed by a donor of another sum (1: as by all of its states)",
  "equal": "disturbed by a donor of the same sum (1: as by all states of one of another sum)",
  "untrained_moved": "untrained, how far the answer goes to that of a donor of another sum",
  "untrained_equal": "untrained, disturbed by a donor of the same sum",
}
SHARES = {
  "moved": "share of the way to the donor's answer",
  "equal": "share of the donor's change of the answer",
}


def figures(runs) -> dict:
  """Returns what is exchanged at the last character of all runs, and a page for each run."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  last = {run: _last(found) for run, found in runs.items()}
  panels = [
    draw.rows(
      results.across(last, name), name, x="level", colour="run", title=title, xlabel=SHARES[name]
    )
    for name, title in (
      ("moved", "Last character: a donor of another sum"),
      ("equal", "Last character: a donor of the same sum"),
    )
  ]
  return pages | {"all runs": draw.page(tuple(panels), heights=[3.6])}


def _last(found: xr.Dataset) -> xr.Dataset:
  """Returns the effects, with intervals, at the last character by level."""
  at = found.effects_role == found.role.values[-2]
  names = {"effects_moved": "moved", "effects_disturbed_equal": "equal"}
  names |= {f"{key}_interval": f"{name}_interval" for key, name in names.items()}
  one = found[list(names)].isel(effects=at.values)
  return one.rename(names | {"effects": "level"}).assign_coords(level=found.level)


def _page(run: str, found: xr.Dataset) -> draw.Page:
  means = found[["moved", "disturbed", "untrained_moved", "untrained_disturbed"]]
  means = means.mean(["seed", "untrained"])
  for name, donor in (("equal", DONORS[EQUAL]), ("unequal", DONORS[UNEQUAL])):
    means[name] = means.disturbed.sel(donor=donor)
    means[f"untrained_{name}"] = means.untrained_disturbed.sel(donor=donor)
  look = {"rows": "level", "columns": "role", "centred": True, "limits": (-1, 1), "most": 16}
  text = {"xlabel": "", "tilted": True}
  panels = [
    draw.heat(means, name, title=f"{run}: {words}", **look, **text) for name, words in MAPS.items()
  ]
  return draw.page(*panels, heights=[2.4] * len(panels))


def tables(runs) -> list[tables_lib.Table]:
  """Returns the effects by level and role of all runs."""
  return [
    tables_lib.of_runs(
      runs,
      "effects",
      "What a donor's states do to the answer, as a share of what the whole donor does: means over"
      " seeds with their 95 % intervals. The donor has the same sum (equal) or another (unequal).",
      dict.fromkeys(MEASURED, ".3f"),
    )
  ]


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
WHOLE = 0.9  # share of the way that is nearly all of it


@CLAIMS.add(
  "patching.sums",
  "After the last block, states of prompts with the same sum can be exchanged.",
  reported="planned in the source's notes, never built",
  source=program.claimed("sections 0.9, 6"),
)
def exchanged(results):
  """Returns the verdict: late states hold the sum alone, early ones do not."""
  rows = tables_lib.rows(program.published_runs(results, "sum").first("patching"), "effects")
  late = claims.row(rows, level="block 2", role="?")
  early = claims.row(rows, level="embeddings", role="x-hundreds")
  moved = late["moved"].estimate
  apart = {"late": late["disturbed_equal"].estimate, "early": early["disturbed_equal"].estimate}
  because = (
    "with the last block's state at '?' taken from another prompt (a donor) of the same sum, the"
    f" answer changes {apart['late']:.2f} times as much as between the prompt and one of another"
    f" sum; from a donor of another sum it goes {100 * moved:.0f} % of the way to that donor's"
    " answer. In the embeddings, with the hundreds of x from a donor of the same sum, it changes"
    f" {apart['early']:.2f} times as much (means over networks)."
  )
  holds = apart["late"] < 0.25 and moved > WHOLE
  return claims.verdict(holds and apart["early"] > 0.5, because, apart)
