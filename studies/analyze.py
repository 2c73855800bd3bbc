"""analyze: run directories in; results, figures, ledger and report out."""

import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from absl import flags
from primelens.studies import cli, registry, report, runs, sources, study, trial, weights
from primelens.studies import experiment as experiment_lib
from primelens.studies import listing as listing_lib
from primelens.studies import results as results_lib
from primelens.tasks import files

USAGE = """
Reads trained runs and writes results, figures, the ledger and the report.

  analyze.py --workdir=runs/demo/e0 --only=anchors,masking,heads
  analyze.py --workdir=runs/demo/e0,runs/demo/postfix --only=claims,report
  analyze.py --workdir=runs/e4 --only=formula --set symbolic.backend=pysr
  analyze.py --weights=model.safetensors --only=spectra --set pattern=q_proj
  analyze.py --list

With several run directories, `claims` and `report` compare them and are
written to their common parent.
"""
COMPARISONS = {
  "numbers": "Every number of the source beside ours, printed and as CSV.",
  "claims": "The ledger: every published claim with our verdict.",
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
  flags.DEFINE_string(
    "source",
    "",
    "The file that a run's config.json names, its zeros or its published network, where that is "
    "not in the run directory and the manifest does not know it.",
    flag_values=values,
  )
  flags.DEFINE_string("weights", "", weights.ABOUT + weights.HOW, flag_values=values)
  flags.DEFINE_bool("list", False, "List the analyses.", flag_values=values)
  return values


def listing() -> str:
  """Returns the analyses of every study, a line each."""
  lines = []
  for name, its in registry.STUDIES.items():
    lines.append(f"{name}:")
    rows = {key: analysis.about for key, analysis in its.analyses.items()}
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
  known = [*its.analyses, *comparisons(its)]
  unknown = sorted(set(only) - set(known))
  if unknown:
    raise ValueError(f"No analysis {unknown[0]!r}; valid: {', '.join(known)}.")
  return [name for name in known if name in only or not only]


def provenance(run: study.Run, command: list[str], seconds: float) -> dict:
  """Returns where a result comes from."""
  return {
    "run": run.name,
    "checkpoint_step": run.step,
    "revision": runs.revision(),
    "versions": runs.versions(),
    "data_hash": run.manifest["data_hash"],
    "seeds": run.seed_S.tolist(),
    "frozen_seeds": list(run.frozen),
    "settings": runs.settings_of(run),
    "command": command,
    "seconds": round(seconds, 2),
  }


def analyse(run: study.Run, name: str, command: list[str]) -> Path:
  """Returns the JSON of one analysis of one run, figure drawn beside it."""
  from primelens.analyses import plots  # starts matplotlib: not for --help

  analysis = registry.STUDIES[run.experiment.study].analyses[name]
  began = time.monotonic()
  result = analysis.run(run)
  path = results_lib.write(
    run.workdir / "results",
    name,
    result,
    provenance=provenance(run, command, time.monotonic() - began),
  )
  figure = plots.png(getattr(plots, name)(result))
  results_lib.write_figure(run.workdir / "figures" / f"{name}.png", figure)
  return path


def stored(workdirs: list[Path]) -> tuple[dict[str, dict[str, report.Stored]], list[str]]:
  """Returns every stored result of the runs, `{run: {analysis: Stored}}`, and of
  each that cannot be read a line that says why and what makes it again."""
  tables: dict[str, dict[str, report.Stored]] = {}
  damaged: list[str] = []
  for workdir in workdirs:
    tables[files.name_of(workdir)] = dict(_stored(workdir, damaged))
  return tables, damaged


def _stored(workdir: Path, damaged: list[str]) -> Iterator[tuple[str, report.Stored]]:
  recorded = runs.read_manifest(workdir)
  latest = runs.latest_step(workdir)
  its = registry.STUDIES[runs.read_experiment(workdir).study]
  for name, analysis in its.analyses.items():
    try:
      result, origin = results_lib.read(workdir / "results", name, analysis.result)
    except FileNotFoundError:
      continue
    except ValueError as error:
      damaged.append(f"{error} --workdir={workdir}")
      continue
    stale = (origin.get("checkpoint_step"), origin.get("revision")) != (
      latest,
      recorded["revision"],
    )
    figure = workdir / "figures" / f"{name}.png"
    yield name, report.Stored(result, origin, stale, figure)


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
  return registry.STUDIES[next(iter(names.values()))]


def parent(workdirs: list[Path]) -> Path:
  """Returns where comparisons go: the run itself, or the common parent."""
  if len(workdirs) == 1:
    return workdirs[0]
  return Path(os.path.commonpath([path.resolve() for path in workdirs]))


def compare(its: study.Study, workdirs: list[Path], names: list[str], command) -> list[Path]:
  """Returns the files of the ledger and the report over several runs."""
  tables, damaged = stored(workdirs)
  for line in damaged:
    cli.say(f"left out: {line}", error=True)
  plain = {
    run: {name: item.result for name, item in table.items()} for run, table in tables.items()
  }
  ledger = trial.ledger(its.claims, plain, unread(its, workdirs, tables))
  written = []
  folder = parent(workdirs)
  origin = {
    "runs": [files.name_of(path) for path in workdirs],
    "revision": runs.revision(),
    "command": command,
  }
  target = folder / "results" if len(workdirs) == 1 else folder
  keep = lambda name, result: written.append(
    results_lib.write(target, name, result, provenance=origin)
  )
  if "numbers" in names and its.numbers:
    numbers = study.Numbers(rows=its.numbers(plain))
    cli.say(listing_lib.aligned(numbers.rows, its.number_columns))
    keep("numbers", numbers)
  if "claims" in names:
    keep("claims", ledger)
  if "report" in names:
    path = folder / "report.html"
    written.append(report.write(path, its.report, tables, ledger, damaged))
    cli.say("\n".join(report.first_lines(its.report, tables, ledger, damaged)))
  return written


def unread(its: study.Study, workdirs: list[Path], tables) -> dict[str, dict[str, str]]:
  """Returns `{analysis: {run: directory}}` of what could be run and was not."""
  experiments = {files.name_of(path): (path, runs.read_experiment(path)) for path in workdirs}
  return {
    name: {
      run: str(path)
      for run, (path, experiment) in experiments.items()
      if name not in tables[run] and not analysis.obstacle(experiment)
    }
    for name, analysis in its.analyses.items()
  }


def possible(its: study.Study, names: list[str], workdir: Path) -> list[str]:
  """Returns the names that a run can be read by, comparisons included.

  The others are said, with the reason. Raises `ValueError` where none is left.
  """
  experiment, rest, reasons = runs.read_experiment(workdir), [], []
  for name in names:
    known = its.analyses.get(name)
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


def _with_first(its: study.Study, names: list[str], workdir: Path) -> list[str]:
  """Returns the analyses of a run, those that a comparison cannot do without
  among them."""
  single = [name for name in names if name in its.analyses]
  lacking = [name for name in its.first if name not in single and not _readable(its, workdir, name)]
  return [*lacking, *single] if set(names) & set(COMPARISONS) else single


def _readable(its: study.Study, workdir: Path, name: str) -> bool:
  try:
    results_lib.read(workdir / "results", name, its.analyses[name].result)
  except (FileNotFoundError, ValueError):
    return False
  return True


def _main(argv: list[str]) -> int:
  values = _flags()
  if not cli.parse(values, argv, USAGE):
    return 0
  command = [os.path.basename(argv[0]), *argv[1:]]
  workdirs, only = cli.folders(values.workdir), cli.words(values.only, "--only")
  if values.list:
    cli.say(listing())
  elif values["weights"].present:
    weights.main(values.weights, only, workdirs, values.set, command)
  else:
    return _read_runs(workdirs, only, values.set, values.source, command)
  return 0


def _read_runs(
  workdirs: list[Path], only: list[str], changes: list[str], source: str, command: list[str]
) -> int:
  if not workdirs:
    raise ValueError("--workdir is missing: name one or more run directories.")
  distinct(workdirs)
  for workdir in workdirs:
    runs.check_there(workdir)  # or a folder of anything would be walked through
    files.check_folder(workdir)
  its = study_of(workdirs)
  names = chosen(only, its)
  if source and not any(sources.names_file(runs.read_experiment(path)) for path in workdirs):
    raise ValueError("--source is not needed: no run names a file.")
  overrides = lambda settings: experiment_lib.validated(cli.assign(settings, changes))
  cli.use_cores(math.gcd(*map(runs.seeds_of, workdirs)))
  cli.devices()
  wanted_of = {}
  for workdir in workdirs:  # all of them are there, before one is read
    overrides(runs.read_experiment(workdir).analyses)
    able = possible(its, names, workdir)
    wanted_of[workdir] = _with_first(its, able, workdir)
  code = 0
  for workdir, wanted in wanted_of.items():
    if wanted:
      run = runs.load(workdir, overrides, source=source)
      code = max(code, _analyse_all(run, wanted, command))
  for path in compare(its, workdirs, names, command):
    cli.say(f"wrote {path}")
  return code


def _analyse_all(run: study.Run, names: list[str], command: list[str]) -> int:
  """Returns the exit code; what goes wrong in one analysis does not cost the others."""
  code = 0
  for number, name in enumerate(names, start=1):
    began = time.monotonic()
    cli.say(f"[{number}/{len(names)}] {run.name}: {name} ...", end="", error=True)
    try:
      analyse(run, name, command)
    except Exception as error:
      cli.say("", error=True)  # an error gets a line of its own
      if isinstance(error, OSError) and error.errno in cli.FULL:
        raise
      code = max(code, cli.ended(error, f"{run.name}: {name}: "))
    else:
      cli.say(f" {time.monotonic() - began:.1f} s", error=True)
  return code


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code; the entry point of `primelens-analyze`."""
  return cli.run(_main, list(sys.argv if argv is None else argv))
