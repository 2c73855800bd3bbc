"""How right are the networks, beside a constant answer?

The published study reports squared errors of answers divided by 2000, and no constant beside them.
A small error can be that of a network that answers with the mean of what it saw. Here every loss is
set beside that of a constant: the mean of the train answers, or their frequencies. Skill is
1 - loss / the constant's loss: 1 is no error, 0 is a constant. Four parts of the data are answered:
rows that a network was trained on, rows that chose its parameters (select), the 1,000 of them that
the source scored, and pairs of operands that nobody has seen (fresh).
"""

import math

import numpy as np
import xarray as xr
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.text import program, states
from primelens.studies.text.states import ROWS

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)
ACCURACY = float(PUBLISHED["valid_select_accuracy"].source.partition(",")[0])
EPOCH = 141  # steps of 128 through 18,000 prompts
# Squared errors of answers / 2000 in epochs 1..10: of train, with dropout, and of select, without.
# Those of `valid` were not kept.
LOSSES = {
  "sum": {
    "train": "0.08959 0.003159 0.00197 0.00145 0.001135 0.0009112 0.0007868 0.0006496 0.0006078"
    " 0.0005245",
    "select": "0.001126 0.000332 0.0003275 0.0002181 0.0004182 0.0003294 0.0004269 0.0002234"
    " 0.0002523 0.0002799",
  },
  "modk": {
    "train": "0.1007 0.001848 0.001081 0.0007481 0.0005786 0.0004623 0.0004044 0.0003742 0.0003675"
    " 0.0003524",
    "select": "0.0003467 0.0002283 0.0001995 0.0002271 0.0001946 0.0002828 0.000295 0.0002428"
    " 0.0005249 0.0002058",
  },
}

# --- the result -----------------------------------------------------------------------------------

CURVES = ("train", "select")
SKILLS = {
  "part": "rows that are answered",
  "rows": "how many rows",
  "seeds": "how many networks",
  "unit": "unit of the loss",
  "loss": "loss, median over seeds",
  "constant": "loss of the constant answer",
  "skill": "skill (1: no error, 0: a constant)",
  "excludes_zero": "the interval is on one side of 0",
  "untrained": "skill of untrained networks, median",
}


def measure(run) -> xr.Dataset:
  """Returns losses and hits of every network on every part, and of untrained networks."""
  parts, fresh_S = states.part_rows(run), program.untrained_S(run)
  mine = {name: states.scored(run, part) for name, part in parts.items()}
  theirs = {}
  for name, part in parts.items():
    some = states.Part(part.token_NxT[:ROWS], part.answer_N[:ROWS], part.train_N)
    theirs[name] = states.scored(run, some, fresh_S)
  stacked = lambda found: np.stack([np.stack([*one["measure"].values()]) for one in found.values()])
  skills = [{"part": name} | states.skill(run, mine[name], theirs[name]) for name in parts]
  step_C, curve_VxSxC = curves(run)
  task = run.experiment.task
  loss_unit = "answers² / 2000²" if run.regression else "nats"
  variables = {
    **results.with_untrained("value", "part measure seed", stacked(mine), stacked(theirs), "value"),
    "rows": results.variable("part", [row["rows"] for row in skills], "rows that are answered"),
    "truth": results.variable("example", parts["select"].answer_N, "right answer"),
    "answer": results.variable("seed example", mine["select"]["answer_SxN"], "answer"),
    "error": results.variable(
      "seed example", mine["select"]["answer_SxN"] - parts["select"].answer_N, "answer - truth"
    ),
    "loss": results.variable("curve seed step", curve_VxSxC, "loss", loss_unit),
    **results.rows("skills", skills, SKILLS),
  }
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "part": list(parts),
    "measure": list(mine["select"]["measure"]),
    "curve": list(CURVES),
    "step": results.variable("step", step_C, "step"),
  }
  return results.dataset(
    variables,
    coords,
    question=task.question,
    regression=run.regression,
    scale=float(task.scale),
    as_published=program.as_published(run.experiment),
  )


def curves(run) -> tuple[np.ndarray, np.ndarray]:
  """Returns the logged steps C and losses VxSxC; none without a log.

  Train is the mean since the row before, with dropout; select is NaN at steps
  where nobody evaluated.
  """
  seeds = run.experiment.fit.seeds
  log = run.metrics()
  unit = "mse" if run.regression else "nll_nats"
  curve_VxSxC = np.full((len(CURVES), seeds, len(log)), np.nan)
  for c, row in enumerate(log):
    for v, part in enumerate(CURVES):
      logged = row.get(f"{part}/{unit}") or [None] * seeds
      curve_VxSxC[v, :, c] = [np.nan if x is None else x for x in logged]
  return np.array([row["step"] for row in log], int), curve_VxSxC


def numbers(found) -> dict:
  """Returns the values by seed of the keys in published.csv; none of other prompts or sizes."""
  if not found.as_published:
    return {}
  values = {
    f"{found.question}_{part}_{name}": found.value.sel(part=part, measure=name).values
    for part in found.part.values
    for name in found.measure.values
  }
  select = found.loss.sel(curve="select").dropna("step", how="all")
  if select.size and found.regression:
    values[f"{found.question}_best_scaled_mse"] = select.min("step").values
  return {key: value for key, value in values.items() if key in PUBLISHED}


# --- figures, tables, the line of the summary -----------------------------------------------------


BINS = 40  # of classes, at most
GOOD = 0.99  # skill of a network that answers with the sum
SHARES = {"accuracy": "right answers", "majority_accuracy": "the most frequent answer"}
NAMES = {"train": "train, with dropout", "select": "select"}
PARTS = {"select_1000": "select, few"}
FEW = 6  # runs that a sentence describes


def figures(runs) -> dict:
  """Returns the skill of all runs on one page, and a page for each run."""
  skill = results.across({run: _by_part(found) for run, found in runs.items()}, "skill")
  title = "Skill: 1 - loss / loss of the constant answer"
  shared = draw.rows(skill, "skill", x="part", colour="run", title=title)
  pages = {run: _page(run, found) for run, found in runs.items()}
  return pages | ({"all runs": draw.page(shared, heights=[3.4])} if len(runs) > 1 else {})


def _by_part(found: xr.Dataset) -> xr.Dataset:
  """Returns the skills along the parts."""
  named = {"skills_skill": "skill", "skills_skill_interval": "skill_interval"}
  skills = found[list(named)].rename(named | {"skills": "part"})
  return skills.assign_coords(part=_parts(found.skills_part))


def _parts(name_R: xr.DataArray) -> list[str]:
  """Returns the names of parts as they are shown."""
  return [PARTS.get(name, name) for name in name_R.values.tolist()]


def _page(run: str, found: xr.Dataset) -> draw.Page:
  parts = [
    f"{part} ({rows:,} rows)"
    for part, rows in zip(_parts(found.part), found.rows.values, strict=True)
  ]
  skill = draw.rows(
    _by_part(found),
    "skill",
    x="part",
    labels=parts,
    title=f"{run}: skill on each part (bars: 95 %)",
  )
  below = _answers(found) if found.regression else _classes(found)
  return draw.page((_training(found), skill), below, heights=[3.6, 3.4])


def _constant(found: xr.Dataset) -> float:
  """Returns the constant answer's loss on select, in the unit of the logged losses."""
  constant = found.skills_constant.values[list(found.part.values).index("select")]
  return float(constant) / (found.scale**2 if found.regression else 1)


def _training(found: xr.Dataset) -> draw.Panel:
  panels = [draw.level(_constant(found), "constant answer, select")]
  published = LOSSES.get(found.question, {}) if found.as_published else {}
  for part, losses in published.items():
    loss = [float(number) for number in losses.split()]
    colour = draw.COLOURS[CURVES.index(part)]
    panels.append(draw.line(EPOCH * (1 + np.arange(len(loss))), loss, f"{part}, published", colour))
  look = {"thin": "seed", "zero": False, "yscale": "log", "title": "Losses over training"}
  return draw.together(
    *panels, draw.curves(found, "loss", x="step", colour="curve", names=NAMES, **look)
  )


def _answers(found: xr.Dataset) -> tuple[draw.Panel, ...]:
  first = found.isel(seed=0)
  return (
    draw.scatter(first, x="truth", y="answer", diagonal=True, title="Answers of the first network"),
    draw.histogram(found, "error", each="seed", title="Errors (thick: first network)"),
    draw.scatter(first, x="truth", y="error", title="First network's errors"),
  )


def _classes(found: xr.Dataset) -> tuple[draw.Panel, ...]:
  """Returns how often the first seed gave which class, and the share of right answers by part."""
  answer_N, truth_N = found.answer.values[0], found.truth.values
  most = int(max(answer_N.max(), truth_N.max())) + 1
  width = math.ceil(most / BINS)
  first = np.arange(0, most, width)
  edges = np.append(first, first[-1] + width) - 0.5
  count, _, _ = np.histogram2d(answer_N, truth_N, (edges, edges))
  cells = f", {width} to a cell" if width > 1 else ""
  counted = results.dataset(
    {"count": results.variable("given right", count, "rows of select")},
    {
      "given": results.variable("given", first, f"class that is answered{cells}"),
      "right": results.variable("right", first, f"right class{cells}"),
    },
  )
  share = found.value.sel(measure=list(SHARES)).median("seed")
  share = share.assign_coords(measure=list(SHARES.values()), part=_parts(found.part))
  share.attrs = {"long_name": "share of the rows"}
  return (
    draw.heat(
      counted,
      "count",
      rows="given",
      columns="right",
      written=".0f",
      title="First network, select rows",
    ),
    draw.bars(
      share.to_dataset(name="share"),
      "share",
      x="part",
      colour="measure",
      title="Right answers, and the most frequent answer",
    ),
  )


def tables(runs) -> list[tables_lib.Table]:
  """Returns the skills, and the median over seeds of every measure, of all runs."""
  measures = tables_lib.by_run(runs, _measures)
  return [
    tables_lib.of_runs(
      runs,
      "skills",
      "Skill by part: the mean over seeds, with its 95 % interval over seeds and rows. Of one"
      " network it is over rows alone.",
      {"skill": ".4f"},
    ),
    tables_lib.Table(
      "Every measure by part: the median over seeds, their range, and the mean with its 95 %"
      " interval.",
      measures,
      name="measures",
    ),
  ]


def _measures(found: xr.Dataset):
  for part in found.part.values:
    for name in found.measure.values:
      one = found.sel(part=part, measure=name)
      spread = numbers_lib.spread(one.value.values)
      untrained = float(np.median(one.untrained_value))
      row = {"part": str(part), "measure": str(name), "rows": int(one["rows"])}
      yield row | spread | {"untrained": untrained}


def line(runs) -> str:
  """Returns the skills of all runs, and of few what else is known of their answers."""
  tell = _sentence if len(runs) <= FEW else lambda found: f"{fresh(found):.4g}"
  said = [f"{run} {tell(found)}" for run, found in runs.items()]
  return f"Skill on fresh pairs (1: no error, 0: a constant): {'; '.join(said)}."


def _sentence(found: xr.Dataset) -> str:
  seeds = f"{found.sizes['seed']} seeds" if found.sizes["seed"] > 1 else "one seed"
  said = f"{fresh(found):.4g} ({seeds}; "
  if not found.regression:
    return f"{said}accuracy {100 * median(found, 'accuracy'):.1f} %)"
  exact = 100 * median(found, "exact")
  return f"{said}root of squared error {median(found, 'rmse'):.4g}, {exact:.1f} % exact)"


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()


def fresh(found: xr.Dataset) -> tables_lib.Interval:
  """Returns the skill on pairs that nobody has seen."""
  return tables_lib.interval(_by_part(found).assign_coords(part=found.part), "skill", part="fresh")


def median(found: xr.Dataset, name: str) -> float:
  """Returns the median over seeds of a measure on fresh pairs."""
  return float(np.median(found.value.sel(part="fresh", measure=name)))


def _numbers(skill: tables_lib.Interval) -> dict[str, float]:
  return {"skill": skill.estimate, "skill_low": skill.low, "skill_high": skill.high}


def _best(question: str) -> str:
  loss = min(float(number) for number in LOSSES[question]["select"].split())
  return f"{loss:.1e}".replace("e-0", "e-")


@CLAIMS.add(
  "answers.sum",
  "An encoder learns the sums of three-digit numbers.",
  reported=f"squared error of answers / 2000 of {_best('sum')} on {ROWS:,} rows",
  source=program.claimed("sections 1.6, 3"),
)
def sums(results):
  """Returns the verdict: a good regression, and how many are right."""
  found = program.published_runs(results, "sum").first("answers")
  skill, exact, rmse = fresh(found), median(found, "exact"), median(found, "rmse")
  because = (
    f"on fresh pairs skill is {skill:.4f}, the root of the squared error {rmse:.1f}, and"
    f" {100 * exact:.1f} % of the answers are right after rounding: a size is learned, not addition"
    " to the last digit."
  )
  values = _numbers(skill) | {"exact": exact, "rmse": rmse}
  return claims.verdict(skill.low > GOOD, because, values)


@CLAIMS.add(
  "answers.modk",
  "An encoder learns the sums modulo 97.",
  reported=f"squared error of answers / 2000 of {_best('modk')}, no constant beside it",
  source=program.claimed("sections 1.6, 3"),
)
def residues(results):
  """Returns the verdict against a constant answer."""
  skill = fresh(program.published_runs(results, "modk").first("answers"))
  than = "better" if skill.low > 0 else "no better"
  because = f"on fresh pairs skill is {skill:.4f}: {than} than the mean of the train answers."
  return claims.verdict(skill.low > 0, because, _numbers(skill))


@CLAIMS.add(
  "answers.valid",
  "An encoder learns whether a shown sum is right.",
  reported=f"accuracy {ACCURACY:.3f}, the best of ten epochs; dropped by the source",
  source=program.claimed("section 3"),
)
def validity(results):
  """Returns the verdict against the more frequent answer."""
  found = program.published_runs(results, "valid").first("answers")
  skill, accuracy = fresh(found), median(found, "accuracy")
  because = (
    f"on fresh pairs accuracy is {accuracy:.3f}, skill {skill:.4f} against the frequencies of the"
    " train answers."
  )
  return claims.verdict(skill.low > 0, because, _numbers(skill) | {"accuracy": accuracy})
