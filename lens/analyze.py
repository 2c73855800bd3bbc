"""analyze: run directories in; results, figures, ledger and report out."""

import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr
from absl import flags
from primelens.lens import claims, cli, plugins, report, runs, sources, study, weights
from primelens.lens import experiment as experiment_lib
from primelens.lens import results as results_lib
from primelens.lens import tables as tables_lib
from primelens.tasks import files

USAGE = """
Reads trained runs and writes results, figures, the ledger and the report.

  analyze.py --workdir=runs/demo/e0 --only=anchors,masking,heads
  analyze.py --workdir=runs/demo/e0,runs/demo/postfix --only=claims,report
  analyze.py --workdir=runs/e4 --only=formula --set symbolic.backend=pysr
  analyze.py --weights=model.safetensors --only=spectra --set pattern=q_proj
  analyze.py --workdir=runs/zeros_leak
  analyze.py --workdir=runs/zeros_leak --missing
  analyze.py --workdir=runs/demo/e0 --only=./my_question.py
  analyze.py --list

A folder of runs stands for all of them. With several run directories, `claims`
and `report` compare them and are written to their common parent. --only also
takes a Python file of yours that asks one question, with a function measure(run);
it is run.
"""
COMPARISONS = {
  "numbers": "Every number of the source beside those of the networks here, printed and as CSV.",
  "claims": "The ledger: every published claim with its verdict.",
  "report": "One self-contained HTML page of everything there is.",
}


def _flags() -> flags.FlagValues:
  values = flags.FlagValues()
  flags.DEFINE_multi_string(
    "workdir", [], "Run directories, comma-separated, or a flag for each.", flag_values=values
  )
  flags.DEFINE_multi_string(
    "only", [], "Analyses to run, comma-separated; all by default.", flag_values=values
  )
  flags.DEFINE_multi_string(
    "set", [], "Change an analysis setting, as in --set masking.windows=512.", flag_values=values
  )
  flags.DEFINE_bool(
    "missing",
    False,
    "Run only analyses whose result is not stored, or is of another checkpoint than the newest.",
    flag_values=values,
  )
  flags.DEFINE_string(
    "source",
    "",
    "The file that a run's config.json names, its zeros or its published network, where that is "
    "not in the run directory and the manifest does not know it.",
    flag_values=values,
  )
  flags.DEFINE_string("weights", "", weights.ABOUT + weights.HOW, flag_values=values)
  cli.define_plugin(values)
  flags.DEFINE_bool("list", False, "List the analyses.", flag_values=values)
  return values


def listing() -> str:
  """Returns the questions of every study, a line each."""
  lines = []
  for name in study.names():
    its = study.find(name)
    lines.append(f"{name}:")
    rows = {key: each.about for key, each in its.slices.items()}
    lines += [f"  {key:<18}{about}" for key, about in (rows | comparisons(its)).items()]
  return "\n".join([*lines, "--weights:", f"  {'spectra':<18}{weights.ABOUT}"])


def comparisons(its: study.Study) -> dict[str, str]:
  """Returns what a study's runs are compared by, with a line about each."""
  lacking = () if its.numbers else ("numbers",)
  return {k: about for k, about in COMPARISONS.items() if k not in lacking}


def chosen(only: list[str], its: study.Study) -> list[str]:
  """Returns the names to run, in the study's order.

  Raises `ValueError` listing the valid ones for an unknown name.
  """
  known = [*its.slices, *comparisons(its)]
  unknown = sorted(set(only) - set(known))
  if unknown:
    raise ValueError(f"No analysis {unknown[0]!r}; valid: {', '.join(known)}.")
  return [name for name in known if name in only or not only]


def extended(its: study.Study, only: list[str]) -> tuple[study.Study, list[str]]:
  """Returns the study with the questions of the user's own, and the names of all that are wanted.

  Those are of plugins, and the files that --only names.
  """
  files_of = [word for word in only if word.endswith(".py")]
  more = [study.slice_of(module, name) for name, module in plugins.questions().items()]
  more += [study.slice_from(file) for file in files_of]
  names = [Path(word).stem if word in files_of else word for word in only]
  return its.with_slices(more), names


def provenance(run: study.Run, command: list[str], seconds: float) -> dict:
  """Returns where a result comes from."""
  return {
    "run": run.name,
    "checkpoint_step": run.step,
    "revision": runs.revision(),
    "versions": runs.versions(),
    "data": study.find(run.experiment.study).data_name(run.experiment.task, run.data),
    "data_hash": run.manifest["data_hash"],
    "seeds": run.seed_S.tolist(),
    "frozen_seeds": list(run.frozen),
    "settings": runs.settings_of(run),
    "command": command,
    "seconds": round(seconds, 2),
  }


def analyse(run: study.Run, its: study.Study, name: str, command: list[str]) -> Path:
  """Returns the JSON of one slice of one run; its tables and figures are written beside it."""
  each = its.slices[name]
  began = time.monotonic()
  found = each.measure(run)
  if not isinstance(found, xr.Dataset):
    raise ValueError(f"{name}: measure(run) gives a {type(found).__name__}, not an xarray.Dataset.")
  seconds = time.monotonic() - began
  mine = {run.name: found}
  tables = each.tables(mine) if each.tables else []
  path = results_lib.write(
    run.workdir / "results",
    name,
    found,
    provenance=provenance(run, command, seconds),
    tables={f"{name}.{table.name}" if table.name else name: table.csv() for table in tables},
  )
  draw(each, mine, run.workdir / "figures")
  return path


def draw(each: study.Slice, found: dict[str, xr.Dataset], folder: Path) -> list[Path]:
  """Returns the figures of a slice's pages, written: of a run `<slice>.png`, of what it compares
  `<slice>.<page>.png`."""
  from primelens.lens import figures  # starts matplotlib: not for --help

  written = []
  pages = each.figures(found) if each.figures else {}
  for page, drawn in pages.items():
    if page in found and len(found) > 1:
      continue  # it is there: the run has it
    place = folder / study.figure_name(each.name, "" if page in found else page)
    written.append(results_lib.write_figure(place, figures.png(drawn)))
  return written


def stored(
  workdirs: list[Path], its: study.Study
) -> tuple[dict[str, dict[str, results_lib.Stored]], list[str]]:
  """Returns every stored result of the runs, `{run: {slice: Stored}}`, and of
  each that cannot be read a line that says why and what makes it again."""
  tables: dict[str, dict[str, results_lib.Stored]] = {}
  damaged: list[str] = []
  for workdir in workdirs:
    tables[files.name_of(workdir)] = dict(_stored(workdir, its, damaged))
  return tables, damaged


def _stored(
  workdir: Path, its: study.Study, damaged: list[str]
) -> Iterator[tuple[str, results_lib.Stored]]:
  recorded = runs.read_manifest(workdir)
  latest = runs.latest_step(workdir)
  for name in its.slices:
    try:
      result, origin = results_lib.read(workdir / "results", name)
    except FileNotFoundError:
      continue
    except ValueError as error:
      again = "" if "--only=" in str(error) else f"; run analyze.py --only={name}"
      damaged.append(f"{error}{again} --workdir={workdir}")
      continue
    stale = (origin.get("checkpoint_step"), origin.get("revision")) != (
      latest,
      recorded["revision"],
    )
    figure = workdir / "figures" / study.figure_name(name)
    yield name, results_lib.Stored(result, origin, stale, figure)


def cards(
  its: study.Study, workdirs: list[Path], tables: dict[str, dict[str, results_lib.Stored]]
) -> dict[str, dict[str, Any]]:
  """Returns the card of every run; its seeds are those that were read."""
  found = {}
  for workdir in workdirs:
    run, experiment = files.name_of(workdir), runs.read_experiment(workdir)
    origins = [item.provenance for item in tables[run].values()]
    read = [len(origin.get("seeds", ())) for origin in origins]
    seeds = max(read, default=experiment.fit.seeds)
    data = next((origin["data"] for origin in origins if "data" in origin), "")
    found[run] = study.card(its, experiment, runs.read_manifest(workdir), seeds, data)
  return found


def distinct(workdirs: list[Path]) -> list[Path]:
  """Returns the directories, refusing two of one name: results of several
  runs are told apart by it."""
  names = [files.name_of(workdir) for workdir in workdirs]
  for name in names:
    if names.count(name) > 1:
      raise ValueError(f"Two run directories are called {name!r}; rename one to compare them.")
  return workdirs


def study_of(workdirs: list[Path]) -> study.Study:
  """Returns the study of all the runs; raises `ValueError` if they differ."""
  names = {str(path): runs.read_experiment(path).study for path in workdirs}
  if len(set(names.values())) > 1:
    said = ", ".join(f"{path} is of {name!r}" for path, name in names.items())
    raise ValueError(f"Runs of one study are compared; {said}.")
  return study.find(next(iter(names.values())))


def parent(workdirs: list[Path]) -> Path:
  """Returns where comparisons go: the run itself, or the common parent."""
  if len(workdirs) == 1:
    return workdirs[0]
  return Path(os.path.commonpath([path.resolve() for path in workdirs]))


class Judged(NamedTuple):
  """Runs and what is said of their claims: every stored result, with a line on each that is
  damaged; the results as the claims' tests get them; the ledger."""

  tables: dict[str, dict[str, results_lib.Stored]]
  damaged: list[str]
  results: claims.Results
  ledger: claims.Ledger


def judged(its: study.Study, workdirs: list[Path]) -> Judged:
  """Returns the claims of a study, decided on the stored results of runs."""
  tables, damaged = stored(workdirs, its)
  for line in damaged:
    cli.say(f"left out: {line}", error=True)
  plain = claims.Results(
    {run: {name: item.result for name, item in table.items()} for run, table in tables.items()},
    cards(its, workdirs, tables),
  )
  ledger = claims.ledger(its.claims, plain, unread(its, workdirs, tables))
  return Judged(tables, damaged, plain, ledger)


def compare(its: study.Study, workdirs: list[Path], names: list[str], command) -> list[Path]:
  """Returns the files of the ledger and the report over several runs."""
  tables, damaged, plain, ledger = judged(its, workdirs)
  written = []
  folder = parent(workdirs)
  origin = {
    "runs": [files.name_of(path) for path in workdirs],
    "revision": runs.revision(),
    "command": command,
  }
  target = folder / "results" if len(workdirs) == 1 else folder
  keep = lambda name, rows: written.append(
    results_lib.write(
      target,
      name,
      results_lib.dataset({}, rows=list(rows)),
      provenance=origin,
      tables={name: results_lib.table(rows)},
    )
  )
  if "numbers" in names and its.numbers:
    numbers = its.numbers(plain)
    cli.say(tables_lib.aligned(numbers, its.number_columns))
    keep("numbers", numbers)
  if "claims" in names:
    keep("claims", ledger.rows)
  if "report" in names:
    if len(workdirs) > 1:
      written += _draw_comparisons(its, plain, folder)
    path = folder / "report.html"
    written.append(report.write(path, its, tables, ledger, plain, damaged))
    cli.say("\n".join(report.first_lines(its, tables, ledger, damaged)))
  return written


def _draw_comparisons(its: study.Study, results: claims.Results, folder: Path) -> list[Path]:
  """Returns the figures that compare runs; a fault in one costs that one."""
  from primelens.lens import figures  # starts matplotlib: not for --help

  written = []
  for name, each in its.slices.items():
    found = {run: table[name] for run, table in results.items() if name in table}
    if len(found) < 2 or each.figures is None:
      continue
    try:
      with figures.ordered(results):
        written += draw(each, found, folder / "figures")
    except Exception as error:
      cli.say(f"no figure of {name} for all runs: {type(error).__name__}: {error}", error=True)
  return written


def unread(its: study.Study, workdirs: list[Path], tables) -> dict[str, dict[str, str]]:
  """Returns `{slice: {run: directory}}` of what could be run and was not."""
  experiments = {files.name_of(path): (path, runs.read_experiment(path)) for path in workdirs}
  return {
    name: {
      run: str(path)
      for run, (path, experiment) in experiments.items()
      if name not in tables[run] and not each.obstacle(experiment)
    }
    for name, each in its.slices.items()
  }


def missing(workdir: Path, names: list[str]) -> list[str]:
  """Returns those names whose result is not stored, is damaged, or is of another checkpoint than
  the newest one."""
  latest = runs.latest_step(workdir)
  return [name for name in names if _step_read(workdir, name) != latest]


def _step_read(workdir: Path, name: str) -> int | None:
  """Returns the step of the checkpoint that a stored result was made of; None without one."""
  try:
    _, origin = results_lib.read(workdir / "results", name)
  except (FileNotFoundError, ValueError):
    return None
  return origin.get("checkpoint_step")


def possible(its: study.Study, names: list[str], workdir: Path) -> list[str]:
  """Returns the names that a run can be read by, comparisons included.

  The others are said, with the reason. Raises `ValueError` where none is left.
  """
  experiment, rest, reasons = runs.read_experiment(workdir), [], []
  for name in names:
    known = its.slices.get(name)
    obstacle = known.obstacle(experiment) if known else ""
    if obstacle:
      reasons.append(f"{workdir} is not read by {name!r}: {obstacle}")
    else:
      rest.append(name)
  if not rest:
    raise ValueError(reasons[0])
  for reason in reasons:
    cli.say(reason, error=True)
  return rest


def _main(argv: list[str]) -> int:
  values = _flags()
  if not cli.parse(values, argv, lambda: USAGE):
    return 0
  command = [os.path.basename(argv[0]), *argv[1:]]
  plugins.use(values.plugin)
  named, only = cli.folders(values.workdir), cli.words(values.only, "--only")
  if values.list:
    cli.say(listing())
  elif values["weights"].present:
    weights.main(values.weights, only, named, values.set, command)
  else:
    return _read_runs(named, only, values, command)
  return 0


def _read_runs(
  named: list[Path], only: list[str], values: flags.FlagValues, command: list[str]
) -> int:
  changes, source = values.set, values.source
  if values.missing and changes:
    raise ValueError("--missing keeps stored results, whatever their settings: leave out --set.")
  if not named:
    raise ValueError("--workdir is missing: name one or more run directories.")
  workdirs = distinct([path for folder in named for path in runs.below(folder)])
  for workdir in workdirs:
    files.check_folder(workdir)
  its, only = extended(study_of(workdirs), only)
  names = chosen(only, its)
  if source and not any(sources.names_file(runs.read_experiment(path)) for path in workdirs):
    raise ValueError("--source is not needed: no run names a file.")
  overrides = lambda settings: experiment_lib.validated(
    cli.assign(experiment_lib.of_study(settings, its), changes)
  )
  cli.use_cores(math.gcd(*map(runs.seeds_of, workdirs)))
  cli.devices()
  wanted_of = {}
  for workdir in workdirs:  # all of them are there, before one is read
    overrides(runs.read_experiment(workdir).analyses)
    able = possible(its, names, workdir)
    wanted_of[workdir] = [name for name in able if name in its.slices]
    if values.missing:
      wanted_of[workdir] = missing(workdir, wanted_of[workdir])
  code = 0
  for workdir, wanted in wanted_of.items():
    if wanted:
      run = runs.load(workdir, overrides, source=source)
      code = max(code, _analyse_all(run, its, wanted, command))
  for path in compare(its, workdirs, names, command):
    cli.say(f"wrote {path}")
  return code


def _analyse_all(run: study.Run, its: study.Study, names: list[str], command: list[str]) -> int:
  """Returns the exit code; what goes wrong in one analysis does not cost the others."""
  code = 0
  for number, name in enumerate(names, start=1):
    began = time.monotonic()
    line = f"[{number}/{len(names)}] {run.name}: {name}"
    cli.say(f"{line} ...", error=True)
    try:
      analyse(run, its, name, command)
    except Exception as error:
      if isinstance(error, OSError) and error.errno in cli.FULL:
        raise
      code = max(code, cli.ended(error, f"{run.name}: {name}: "))
    else:
      cli.say(f"{line} took {time.monotonic() - began:.1f} s", error=True)
  return code


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code; the entry point of `primelens-analyze`."""
  return cli.run(_main, list(sys.argv if argv is None else argv))
