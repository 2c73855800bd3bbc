"""Is the answer the same wherever the sum is the same?

As published, the operands of all rows are moved to (x + d, y - d), whether or not they stay in
range, and the squared error over d looks like a V. Beside it are the rows that stay in range with
the same digit counts. A change of the answer means little by itself, since any change of characters
changes it: here it is set beside the change under a matched shift that breaks the sum by as much,
(x + d, y). A ratio of 0 is an invariant answer, a ratio of 1 one that does not know the sum.
Matched shifts also exist for (y, x), the swap, and for (x + k, y) of sums modulo k
(docs/sources/text.md, sections 4.3, 5.7 and 6.9).
"""

import functools
from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr
from primelens.analyses import statistics
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.text import program, states
from primelens.tasks import rewritten

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)
PUBLISHED_R = (-5, -2, -1, 0, 1, 2, 5)
FARTHER_R = (-50, -20, -10, 10, 20, 50)  # recomputed ones beside them
NEAR = (-2, -1, 1, 2)  # shifts of the published plot beside 0

# --- losses and changes under shifts --------------------------------------------------------------

SHIFTS_R = (1, 5, 10, 50, 100)
ROWS = 2000  # of the fresh prompts; a quarter for untrained networks
OFF = 10  # how far a shift by about the modulus misses it


def deltas() -> tuple[int, ...]:
  """Returns the shifts of the published rows, rising."""
  return tuple(sorted((*PUBLISHED_R, *FARTHER_R)))


def as_published(run) -> dict[str, np.ndarray]:
  """Returns losses and changes at every shift, SxR; `outside` counts rows, R.

  The loss is about the answer to the rows as they were.
  """
  text, row_N = run.prompts, run.prompts.select_N[: states.ROWS]
  x_N, y_N = text.x_N[row_N].astype(int), text.y_N[row_N].astype(int)
  truth_N, config = text.answer_N[row_N], text.config
  # As long as two operands that left their range can make it.
  said = functools.partial(outputs, run, text, row_N, length=text.token_NxT.shape[1] + 2)
  clean_SxNxV = said(x_N, y_N)
  found: dict[str, list] = {}
  for d in deltas():
    fits_N = rewritten.in_range(config, x_N + d, y_N - d)
    x_fits_N = rewritten.in_range(config, x_N + d)
    moved_SxNxV = said(x_N + d, y_N - d)
    broken_SxNxV = said(x_N + d, y_N)
    loss_SxN = losses(run, moved_SxNxV, truth_N)
    signed_SxN = _numbers(broken_SxNxV - clean_SxNxV)
    for name, value in (
      ("all", loss_SxN.mean(-1)),
      ("in_range", loss_SxN[:, fits_N].mean(-1)),
      ("outside", np.sum(~fits_N)),
      ("kept", change(clean_SxNxV, moved_SxNxV, fits_N)),
      ("broken", change(clean_SxNxV, broken_SxNxV, x_fits_N)),
      ("signed", signed_SxN[:, x_fits_N].mean(-1)),
    ):
      found.setdefault(name, []).append(value)
  return {name: np.stack(values, -1) for name, values in found.items()}


def outputs(run, prompts, row_N, x_N, y_N, params_S=None, length=0):
  """Returns what networks say of rows with other operands, SxNxV: raw numbers,
  or probabilities."""
  token_NxT = rewritten.tokens(prompts, row_N, x_N, y_N, length)
  output_SxNxV = states.over_members(states.outputs, run, token_NxT, params_S)
  output_SxNxV = output_SxNxV.astype(np.float64)
  if run.regression:
    return output_SxNxV * run.experiment.task.scale
  raised_SxNxV = np.exp(output_SxNxV - output_SxNxV.max(-1, keepdims=True))
  return raised_SxNxV / raised_SxNxV.sum(-1, keepdims=True)


def losses(run, said_SxNxV, truth_N) -> np.ndarray:
  """Returns squared errors, or nats, SxN."""
  if run.regression:
    return (said_SxNxV[..., 0] - truth_N) ** 2
  own_SxN = said_SxNxV[:, np.arange(len(truth_N)), truth_N]
  return -np.log(np.maximum(own_SxN, np.finfo(np.float32).tiny))


def change(clean_SxNxV, other_SxNxV, row_N) -> np.ndarray:
  """Returns the root mean square change of numbers over some rows, or the mean
  total variation of probabilities, S; NaN without rows."""
  gap_SxNxV = (other_SxNxV - clean_SxNxV)[:, row_N]
  if not gap_SxNxV.shape[1]:
    return np.full(len(gap_SxNxV), np.nan)
  if gap_SxNxV.shape[-1] == 1:
    return np.sqrt(np.mean(gap_SxNxV[..., 0] ** 2, -1))
  return 0.5 * np.abs(gap_SxNxV).sum(-1).mean(-1)


def _numbers(gap_SxNxV) -> np.ndarray:
  """Returns changes of numbers, SxN; those of classes have no sign."""
  if gap_SxNxV.shape[-1] == 1:
    return gap_SxNxV[..., 0]
  return np.full(gap_SxNxV.shape[:2], np.nan)


def symmetries(run, params_S, rows: int) -> dict[str, dict]:
  """Returns every symmetry with its matched shift, on fresh test rows.

  `kept` and `broken` are the changes S under both, on the rows that have both
  in range with the same digit counts; `same` the share of equal classes.
  """
  prompts = run.probes()
  row_N = prompts.test_N[:rows]
  x_N = prompts.x_N[row_N].astype(int)
  y_N = prompts.y_N[row_N].astype(int)
  said = functools.partial(outputs, run, prompts, row_N, params_S=params_S)
  clean_SxNxV, found = said(x_N, y_N), {}
  named = changed(prompts.config, x_N, y_N, run.settings.seed)
  for name, (kept, broken) in named.items():
    fits_N = alike(prompts.config, x_N, y_N, kept, broken)
    # Rows that do not fit are read as they are, and left out.
    kept_SxNxV, broken_SxNxV = (
      said(np.where(fits_N, new_x_N, x_N), np.where(fits_N, new_y_N, y_N))
      for new_x_N, new_y_N in (kept, broken)
    )
    kept_S = change(clean_SxNxV, kept_SxNxV, fits_N)
    broken_S = change(clean_SxNxV, broken_SxNxV, fits_N)
    found[name] = {
      "rows": int(fits_N.sum()),
      "kept": kept_S,
      "broken": broken_S,
      "ratio": kept_S / np.where(broken_S > 0, broken_S, np.nan),
      "same": _same(clean_SxNxV, kept_SxNxV, fits_N),
      "same_broken": _same(clean_SxNxV, broken_SxNxV, fits_N),
    }
  return found


def changed(config, x_N, y_N, seed: int) -> dict[str, tuple]:
  """Returns the operands of every symmetry and of the shift matched to it.

  The match moves x alone: (x + d, y), (y, y) for the swap. d goes up in half
  of the rows, drawn, and down in the others. A shift by the modulus is matched
  by one that misses it by OFF, to either side.
  """
  rng = np.random.default_rng(seed)
  sign_N = rng.choice([-1, 1], len(x_N))
  found = {
    f"(x + d, y - d), d = {d}": ((x_N + d * sign_N, y_N - d * sign_N), (x_N + d * sign_N, y_N))
    for d in SHIFTS_R
    if d < config.operands
  }
  found["(y, x)"] = ((y_N, x_N), (y_N, y_N))
  if config.question == "modk" and config.modulus < config.operands:
    k = config.modulus
    miss_N = k + OFF * rng.choice([-1, 1], len(x_N))
    found[f"(x + {k}, y)"] = ((x_N + k * sign_N, y_N), (x_N + miss_N * sign_N, y_N))
  return found


def alike(config, x_N, y_N, *pairs) -> np.ndarray:
  """Returns where all pairs are in range with the digit counts of the rows."""
  fits_N = np.ones(len(x_N), bool)
  for new_x_N, new_y_N in pairs:
    fits_N &= rewritten.alike(config, x_N, new_x_N)
    fits_N &= rewritten.alike(config, y_N, new_y_N)
  return fits_N


def _same(clean_SxNxV, other_SxNxV, row_N) -> np.ndarray:
  """Returns the share of rows with the same best class, S; NaN for numbers."""
  if clean_SxNxV.shape[-1] == 1 or not row_N.any():
    return np.full(len(clean_SxNxV), np.nan)
  best = lambda said_SxNxV: said_SxNxV[:, row_N].argmax(-1)
  return np.mean(best(clean_SxNxV) == best(other_SxNxV), -1)


# --- the result -----------------------------------------------------------------------------------

CHANGES = {  # of the rows as published: the old name, the variable and its meaning
  "all": ("loss", "loss of all rows, as published"),
  "in_range": ("loss_in_range", "loss of rows that stay in range"),
  "kept": ("kept", "change of the answer under (x + d, y - d), rows in range"),
  "broken": ("broken", "change of the answer under (x + d, y), rows in range"),
  "signed": ("signed", "mean change of the answer under (x + d, y), rows in range"),
}
SYMMETRIES = {
  "symmetry": "operands that keep the sum",
  "rows": "rows that stay in range with the same digit counts",
  "ratio": "change over that with the sum changed as much, mean over seeds",
  "ratio_min": "smallest ratio of a network",
  "ratio_max": "largest ratio of a network",
  "ratio_untrained": "ratio of untrained networks, median",
  "kept": "change of the answer where the sum stays, median over seeds",
  "broken": "change of the answer where the sum changes, median over seeds",
  "same": "share of rows with the same class where the sum stays, median over seeds",
  "same_broken": "share of rows with the same class where the sum changes, median over seeds",
}


def measure(run) -> xr.Dataset:
  """Returns losses and changes of the answer when operands change, of every network.

  Changes of numbers are root mean squares, of classes total variations. The losses are about the
  answer to the rows as they were.
  """
  old = as_published(run)
  found = symmetries(run, run.params_S, ROWS)
  null = symmetries(run, program.untrained_S(run), ROWS // 4)
  columns = lambda some, name: np.stack([one[name] for one in some.values()], -1)
  loss_unit, unit = ("answers²", "answers") if run.regression else ("nats", "")
  units = dict.fromkeys(CHANGES, unit) | dict.fromkeys(("all", "in_range"), loss_unit)
  ratio = "change over that with the sum changed as much"
  variables = {
    name: results.variable("seed delta", old[key], meaning, units[key])
    for key, (name, meaning) in CHANGES.items()
  }
  variables |= {
    "outside": results.variable("delta", old["outside"], "rows that leave their range"),
    **results.with_untrained(
      "ratio", "seed symmetry", columns(found, "ratio"), columns(null, "ratio"), ratio
    ),
    "change_kept": results.variable(
      "seed symmetry", columns(found, "kept"), "change of the answer where the sum stays", unit
    ),
    "change_broken": results.variable(
      "seed symmetry", columns(found, "broken"), "change of the answer where the sum changes", unit
    ),
    **results.rows("symmetries", _records(found, null), SYMMETRIES),
  }
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "delta": results.variable("delta", np.array(deltas()), "d"),
    "symmetry": results.variable("symmetry", list(found), "operands that keep the sum"),
  }
  task = run.experiment.task
  return results.dataset(
    variables,
    coords,
    question=task.question,
    regression=run.regression,
    published_prompts=(task.layout, task.operands) == ("published", 1000),
  )


def _records(found: Mapping, null: Mapping) -> Iterator[dict]:
  """Yields a record per symmetry, the ratio with its interval over seeds."""
  for name, one in found.items():
    mean = statistics.seed_interval(one["ratio"])
    yield {
      "symmetry": name,
      "rows": one["rows"],
      "ratio": float(mean.estimate),
      "ratio_low": float(mean.low),
      "ratio_high": float(mean.high),
      "ratio_min": float(one["ratio"].min()),
      "ratio_max": float(one["ratio"].max()),
      "ratio_untrained": float(np.median(null[name]["ratio"])),
      **{key: float(np.median(one[key])) for key in ("kept", "broken", "same", "same_broken")},
    }


def numbers(found) -> dict:
  """Returns the values by seed of the keys in published.csv, of published prompts alone."""
  if not (found.published_prompts and found.regression):
    return {}
  by_delta = {key: found[name] for key, (name, _) in CHANGES.items()}
  by_delta["outside"] = found.outside.broadcast_like(found.loss)
  values = {
    f"{found.question}_{key}_{d}": value.sel(delta=d).transpose("seed").values
    for d in found.delta.values.tolist()
    for key, value in by_delta.items()
  }
  return {key: value for key, value in values.items() if key in PUBLISHED}


# --- figures and tables ---------------------------------------------------------------------------


def figures(runs) -> dict:
  """Returns the symmetries of all runs on one page, and a page for each run."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  ratios = results.across({run: _ratio(found) for run, found in runs.items()}, "ratio")
  title = "Change over that with the sum changed as much (95 % over seeds)"
  shared = draw.rows(ratios, "ratio", x="symmetry", colour="run", title=title)
  one = draw.level(1, along="x", ls="--")
  height = 1.6 + 0.45 * ratios.sizes["symmetry"]
  return pages | {"all runs": draw.page(draw.together(one, shared), heights=[height])}


def _ratio(found: xr.Dataset) -> xr.Dataset:
  """Returns the ratios with their intervals along the symmetries."""
  named = {"symmetries_ratio": "ratio", "symmetries_ratio_interval": "ratio_interval"}
  one = found[list(named)].rename(named | {"symmetries": "symmetry"})
  return one.assign_coords(symmetry=found.symmetry)


def _page(run: str, found: xr.Dataset) -> draw.Page:
  loss = {
    "loss": (draw.ORANGE, "all rows, as published"),
    "loss_in_range": (draw.BLUE, "rows in range"),
  }
  change = {"kept": (draw.BLUE, "(x + d, y - d)"), "broken": (draw.ORANGE, "(x + d, y)")}
  scale = {"xscale": "log", "yscale": "log"}
  up = found.isel(delta=found.delta.values > 0)
  changes = draw.strips(
    _changes(found),
    "change",
    y="symmetry",
    colour="sum",
    xscale="log",
    title="Operands changed, digit counts kept",
  )
  ratio = draw.strips(
    found,
    "ratio",
    y="symmetry",
    null="untrained_ratio",
    xscale="log",
    title="Change where the sum stays\nover that where it changes",
    xlabel="where the sum stays / where it changes",
    yticklabels=[],
  )
  return draw.page(
    (
      _lines(found, loss, "loss", yscale="log", title=f"{run}: loss under (x + d, y - d)"),
      _lines(
        up, change, "change of the answer", title="Change of the answer, rows in range", **scale
      ),
    ),
    (changes, draw.together(draw.level(1, "as if the sum did not count", along="x"), ratio)),
    heights=[3.6, 1.7 + 0.35 * found.sizes["symmetry"]],
  )


def _changes(found: xr.Dataset) -> xr.Dataset:
  """Returns the changes of the answer by whether the sum stays."""
  both = [found.change_kept, found.change_broken]
  change = xr.concat(both, xr.Variable("sum", ["the sum stays", "the sum changes"]))
  change.attrs = found.change_kept.attrs | {"long_name": "change of the answer"}
  return change.to_dataset(name="change")


def _lines(found: xr.Dataset, each: Mapping, words: str, **text) -> draw.Panel:
  """Returns variables over d in one panel; `each` has the colour and the name of one."""
  unit = found[next(iter(each))].attrs["units"]
  text |= {"ylabel": f"{words} ({unit})" if unit else words}
  look = {"x": "delta", "thin": "seed", "zero": False}
  panels = [
    draw.curves(found, name, style={"color": colour, "label": label}, **look, **text)
    for name, (colour, label) in each.items()
  ]
  return draw.together(*panels)


def tables(runs) -> list[tables_lib.Table]:
  """Returns the symmetries, and what shifts do to the rows as published, of all runs."""
  shifts = [
    {"run": run, "d": int(d)} | _at(found.sel(delta=d))
    for run, found in runs.items()
    for d in found.delta.values
  ]
  return [
    tables_lib.of_runs(
      runs,
      "symmetries",
      "Changes of the answer where the sum stays, over those with the sum changed as much: the mean"
      " over seeds with its 95 % interval; medians.",
      {"ratio": ".3f"},
    ),
    tables_lib.Table(
      "Rows of select with shifted operands, medians over seeds: losses under (x + d, y - d), and"
      " changes of the answer. Rows outside have operands out of range.",
      shifts,
      name="shifts",
    ),
  ]


def _at(one: xr.Dataset) -> dict:
  """Returns medians over seeds at one shift."""
  medians = {name: float(np.median(one[name])) for name, _ in CHANGES.values()}
  return {"rows outside": int(one.outside)} | {
    name.replace("_", " "): value for name, value in medians.items()
  }


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()


def _published(key: str) -> float:
  return float(PUBLISHED[f"sum_all_{key}"].recomputed or 0)


@CLAIMS.add(
  "invariance.shift",
  "The answer is not invariant under (x + d, y - d): the error is a V in d.",
  reported=f"a plot of squared errors of {_published('0'):.0f} at 0, about"
  f" {round(_published('-1'), -3):,.0f} at -1 (recomputed; no numbers were published)",
  source=program.claimed("sections 0.8, 5.7, 6.9"),
)
def shifts(results):
  """Returns the verdict on all rows, and on those whose operands are in range."""
  found = program.published_runs(results, "sum").first("invariance")
  delta_R = found.delta.values
  near_R = np.isin(delta_R, NEAR)
  rise = lambda loss_SxR: float(
    np.median(loss_SxR[:, near_R].mean(1) / loss_SxR[:, delta_R == 0][:, 0])
  )
  every, inside = rise(found.loss.values), rise(found.loss_in_range.values)
  outside = int(found.outside.values[near_R].max())
  ratio = {
    int(record["symmetry"].rpartition(" ")[2]): record["ratio"].estimate
    for record in tables_lib.rows(found, "symmetries")
    if record["symmetry"].startswith("(x + d")
  }
  said = ", ".join(f"{value:.2f} at {d}" for d, value in ratio.items())
  *few, last = map(str, NEAR)
  rises, stays = every > 1.5, inside < 1.5
  because = (
    f"averaged over d of {', '.join(few)} and {last}, the squared error is {every:.1f} times that"
    f" at 0 over all rows, and {inside:.2f} times over rows in range (medians of the networks). At"
    f" most {outside} of {states.ROWS:,} rows leave the range, with operands such as -1 and"
    f" 1000{', and make the V' if rises and stays else ''}. In range, the change of the answer"
    f" under (x + d, y - d), as a share of that under (x + d, y), is {said} (means over networks;"
    " 0: it depends on the sum alone; 1 or more: as if the sum did not count)."
  )
  values = {"all_rows": every, "in_range": inside}
  values |= {f"ratio_{d}": value for d, value in ratio.items()}
  return claims.verdict(rises, because, values, artefact=stays)
