"""Everything that two cores can train and read, in hours: bench/results and docs/results.

  make results                            # all of it; the same command goes on
  make results STUDIES=addition,primes    # a part
  python bench/results.py --dry_run       # what is to be done, and how long it takes
  python bench/results.py --write         # the tables and pages of what is stored; trains nothing

PLAN says which configs are trained and which questions are asked of them. The runs of a study lie
in one folder, runs/results/<study>, since its claims compare them. A run that is trained is not
trained again, and what is stored of its newest checkpoint is not read again. A part that fails is
named at the end, and the others are made. Ctrl-C saves.

Networks as small as these gain little from a second core, so two runs are made side by side, each
on half of the cores; what one of them says is in runs/results/<study>/<run>.log. --jobs=1 makes
one at a time and shows its progress; take it where the runs share an accelerator.

Written are, for each study, bench/results/<study>_claims.csv, <study>_numbers.csv where the study
has numbers of its source, a CSV of each table in SHOWN, <study>.json (what was run, with which
code, where and when), and the page docs/results/<study>.md; and README's table of verdicts.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import datetime
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import result_pages as pages
from primelens.configs import addition, primes, zeros_bank, zeros_binned, zeros_guided, zeros_small
from primelens.lens import analyze, cli, results, runs, study
from primelens.lens import experiment as experiment_lib
from primelens.lens import tables as tables_lib
from primelens.studies import zeros
from primelens.tasks import files

ROOT = Path(__file__).resolve().parent.parent
LOG = "made.json"  # in the folder of a study's runs: when, on what, and how long each run took
JOBS = 2  # runs that are made side by side
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
  """One run: its config, minutes on one core, and the questions that are asked of it (() : all).

  `changes` are further flags of train.py, `settings` those of questions. `file` is the field of the
  config that takes a file which is not part of the repository: --reference names it.
  """

  config: str
  train: float
  read: float
  only: tuple[str, ...] = ()
  changes: tuple[str, ...] = ()
  settings: tuple[str, ...] = ()
  file: str = ""


class Place(NamedTuple):
  """Where runs are trained, and where tables, pages and README are written."""

  runs: Path
  tables: Path
  pages: Path
  readme: Path
  checks: Path


HERE = Place(
  Path("runs/results"),  # relative: commands that a ledger names have no path of a machine
  ROOT / "bench" / "results",
  ROOT / "docs" / "results",
  ROOT / "README.md",
  ROOT / "docs" / "checks.md",
)

# --- the plan -------------------------------------------------------------------------------------
# Minutes are measured where a comment says so, else estimated; the JSON has those of the last time.

# Of the zeros alone, or mostly: asked once.
OF_DATA = ("form_factor", "operators", "gue", "prime_lines", "yardstick")
OF_BINNED = ("perplexity", "memory_effect")  # questions of binned networks
OF_NETWORKS = tuple(name for name in zeros.ORDER if name not in OF_DATA + OF_BINNED)
WAVES = ("anchors", "prime_waves", "prime_response", "prime_places")

PLAN: dict[str, tuple[Run, ...]] = {
  "zeros": (
    # Measured on one core each, 2026-11-30.
    Run(
      config="zeros_demo:e0",
      train=1,
      read=12,
      only=OF_NETWORKS + OF_DATA,
      settings=(
        "yardstick.computed=(21136125,248008025)",
        "yardstick.explicit=(100,1000,10000,100000)",
      ),
    ),
    Run(config="zeros_demo:postfix", train=1, read=11, only=OF_NETWORKS),
    *(
      Run(config=f"zeros_bank:{name}", train=2.5, read=0.5, only=("anchors", "leak"))
      for name in zeros_bank.GROUPS["leak_all"]
    ),
    *(
      Run(config=f"zeros_small:{name}", train=5, read=2, only=(*WAVES, "kernels"))
      for name in zeros_small.GROUPS["all"]
    ),
    *(
      Run(config=f"zeros_guided:{name}", train=1.5, read=0.5, only=("anchors",))
      for name in zeros_guided.GROUPS["all"]
    ),
    *(
      Run(
        config=f"zeros_binned:{name}",
        train=3.5,
        read=1.5,
        only=("anchors", *OF_BINNED),
      )
      for name in (*zeros_binned.CPU, *zeros_binned.CONTROLS)
    ),
    *(
      Run(config=f"zeros_small:{name}", train=30, read=8, only=(*WAVES, "rollout"))
      for name in zeros_small.GROUPS["long_all"]
    ),
  ),
  "addition": (
    # Measured on one core each, 2026-11-30.
    *(Run(config=f"addition:{name}", train=5, read=4) for name in addition.GROUPS["p10_all"]),
    Run(config="addition:p53", train=16, read=4),
    Run(config="addition:p113", train=32, read=6),
    Run(config="addition:p97", train=64, read=1),
  ),
  "text": (
    # Measured on one core each, 2026-11-30.
    Run(config="text:imported", train=0.1, read=6, file="model.checkpoint"),
    Run(config="text:sum", train=6, read=10),
    Run(config="text:modk", train=6, read=15),
    Run(config="text:valid", train=15, read=15),
    Run(config="text:untied", train=6, read=9),
    Run(config="text:scale_L2_D128", train=20, read=20),
    Run(config="text:learned", train=7, read=7),
    Run(config="text:learned,53,100,6000", train=7, read=7),
    Run(config="text:learned,113,100,6000", train=6, read=5),
    Run(config="text:learned,97,1000,12000", train=25, read=6),
  ),
  "primes": tuple(
    # Measured on one core each, 2026-11-30.
    Run(config=f"primes:{name}", train=4, read=1.5)
    for name in primes.GROUPS["small_all"]
  ),
}


class Shown(NamedTuple):
  """A table of the report that a study's page has, too: its question and its name.

  It is of all runs together, or of each of `apart` on its own. `rows` is a pattern of the rows
  that are shown, found in what they say; the CSV has all of them. Columns in which nothing is left
  are not shown. `caption` stands for that of the report; `picture` is a run whose figure of the
  question is shown with it.
  """

  question: str
  table: str
  apart: tuple[str, ...] = ()
  rows: str = ""
  caption: str = ""
  picture: str = ""


LONG = tuple(f"small_{name}" for name in zeros_small.GROUPS["long_all"])
SHOWN: dict[str, tuple[Shown, ...]] = {
  "zeros": (
    Shown("anchors", "predictors", ("demo_e0",)),
    Shown(
      "anchors",
      "predictors",
      rows=r"model \(|adaptive AR\(256\),",
      caption="NLL in nats per spacing of every network on test spacings of its own, and of the"
      " adaptive filter on the same; where the difference is below 0, the network is ahead.",
    ),
    Shown("leak", "modes"),
    Shown("prime_waves", "predictions", ("demo_e0", *LONG), picture=LONG[-1]),
    Shown("prime_waves", "law", ("demo_e0",)),
    Shown("prime_waves", "planted"),
    Shown("prime_response", "peaks", rows="network", picture=LONG[-1]),
    Shown("prime_places", "when", LONG, picture=LONG[-1]),
    Shown("yardstick", "nll", ("demo_e0",)),
  ),
  "text": (
    Shown("answers", "skills", rows=r" fresh "),
    Shown(
      "answers",
      "measures",
      rows=r" fresh (accuracy|exact|rmse) ",
      caption="Right answers and the root of the squared error on fresh pairs: the median over"
      " seeds, their range, and the mean with its 95 % interval.",
    ),
    Shown("scale", "sizes"),
    Shown(
      "probes",
      "as_published",
      rows="states as they are",
      caption="R² of probes of x + y at the last character of select rows, over five folds.",
    ),
    Shown(
      "fourier_probes",
      "frequencies",
      rows=" final ",
      picture="learned-97-1000-12000",
      caption="Frequencies of the residue in the final states of every network, on pairs that the"
      " probe was not fitted to. Significant are those with p of 0.05 or less, p of the largest of"
      " all frequencies.",
    ),
  ),
  "addition": (
    Shown("progress", "phases", picture="p113"),
    Shown("spectra", "training", ("p97",), picture="p97"),
  ),
  "primes": (
    Shown("memory", "published", picture="small_a"),
    Shown(
      "memory",
      "errors",
      rows="(last trained|held.*) network",
      caption="Errors of the networks in gap units, and mean squares of z-scores, with their 95 %"
      " interval over seeds.",
    ),
    Shown("spectra", "plans"),
    Shown(
      "spectra",
      "published",
      rows="(small_a|kernel).*(effective rank|largest singular)",
      picture="small_kernel",
      caption="The first layer's queries with a backward pass that does not fit the forward pass"
      " (kernel), and with exact gradients: medians over networks, and the range at the end.",
    ),
  ),
}


def name_of(run: Run) -> str:
  """Returns the name of a run's folder, made of its config's: `small_zeros` of zeros_small:zeros.

  >>> name_of(Run(config="text:learned,97,100,6000", train=0, read=0))
  'learned-97-100-6000'
  """
  family, _, variant = run.config.partition(":")
  rest = Path(family).stem.partition("_")[2] if variant else Path(family).stem
  return "_".join(filter(None, (rest, variant))).replace(",", "-")


# --- what is there --------------------------------------------------------------------------------


def wanted(run: Run, reference: str = "") -> experiment_lib.Experiment:
  """Returns the experiment that a run is; raises `ValueError` for a config that is none."""
  (config,) = cli.load_configs(run.config, experiment_lib.Experiment).values()
  changes = [flag.removeprefix("--config.") for flag in (*run.changes, *_named(run, reference))]
  return experiment_lib.check(cli.assign(config, changes))


def _named(run: Run, reference: str) -> list[str]:
  return [f"--config.{run.file}={reference}"] if run.file and reference else []


def is_trained(run: Run, folder: Path, reference: str = "") -> bool:
  """Returns whether a folder holds the run, trained to its end.

  A run of a file that was not named now is taken as it is.
  """
  if not (folder / "config.json").exists():
    return False
  held = runs.read_experiment(folder)
  if runs.latest_step(folder) < held.fit.steps:
    return False
  if run.file and not reference:
    return True
  return not experiment_lib.difference(held, wanted(run, reference))


def unread(run: Run, folder: Path) -> list[str]:
  """Returns the questions of a trained run whose results are not stored, or of another step."""
  experiment = runs.read_experiment(folder)
  slices = study.find(experiment.study).slices
  names = [name for name in run.only or slices if not slices[name].obstacle(experiment)]
  return analyze.missing(folder, names)


def readable(plan: Iterable[Run], folder: Path) -> dict[str, tuple[Run, Path]]:
  """Returns the runs of a study that can be read, by name, in the order of the plan."""
  found = {}
  for run in plan:
    place = folder / name_of(run)
    if (place / "config.json").exists() and runs.latest_step(place):
      found[name_of(run)] = (run, place)
  return found


# --- training and reading -------------------------------------------------------------------------

# A command line, its flags and a file for what it says (None: shown) in; its exit code out.
Call = Callable[[str, list[str], Path | None], int]


class Children:
  """train.py and analyze.py in processes of their own, each on its share of the cores.

  Within the context signals are passed on to all of them, those that came before they were there,
  too, and each ends as it does when it is called by hand.
  """

  def __init__(self, jobs: int = 1):
    self._shares: queue.SimpleQueue[set[int]] = queue.SimpleQueue()
    for share in shares(jobs):
      self._shares.put(share)
    self._children: list[subprocess.Popen] = []
    self._came: list[int] = []
    self._before: dict[int, Any] = {}

  def __enter__(self) -> "Children":
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    self._before = {number: signal.signal(number, self._pass_on) for number in heard}
    return self

  def __exit__(self, *_: object) -> None:
    for number, handler in self._before.items():
      signal.signal(number, handler)

  def call(self, command: str, flags: list[str], log: Path | None = None) -> int:
    """Returns the exit code of a command; waits for a share of the cores."""
    script = [sys.executable, str(ROOT / f"{command}.py"), *flags]
    share = self._shares.get()
    try:
      with contextlib.ExitStack() as stack:
        to = stack.enter_context(log.open("ab")) if log else None
        # A group of its own: a Ctrl-C comes once, from here.
        child = subprocess.Popen(script, process_group=0, stdout=to, stderr=to)
        if share:  # long before jax and linear algebra count them
          os.sched_setaffinity(child.pid, share)
        self.follow(child)
        code = child.wait()
    finally:
      self._shares.put(share)
    if code in (-number for number in SIGNALS):
      return cli.INTERRUPTED
    return code if code >= 0 else 128 - code  # killed, as for want of memory

  def follow(self, child: subprocess.Popen) -> None:
    """Sends signals on to a child from now on, and the last that has come."""
    self._children.append(child)
    if self._came:
      child.send_signal(self._came[-1])

  def _pass_on(self, number: int, _: object) -> None:
    self._came.append(number)
    for child in self._children:
      child.send_signal(number)


def shares(jobs: int) -> list[set[int]]:
  """Returns the cores of each of `jobs` processes; none are named where they share all of them."""
  if jobs == 1 or not hasattr(os, "sched_getaffinity"):
    return [set() for _ in range(jobs)]
  cores = sorted(os.sched_getaffinity(0))
  each = max(1, len(cores) // jobs)
  return [set(cores[(each * job) % len(cores) :][:each]) for job in range(jobs)]


class Stop(Exception):
  """The rest cannot be made now: the user has asked to end, or the disk is full."""

  def __init__(self, code: int):
    super().__init__(code)
    self.code = code


@dataclasses.dataclass
class Maker:
  """Trains and reads the runs of a plan, and keeps in `failed` what could not be made."""

  plan: Mapping[str, tuple[Run, ...]]
  call: Call
  place: Place = HERE
  reference: str = ""
  jobs: int = 1
  failed: list[str] = dataclasses.field(default_factory=list)
  # Held by who looks at runs and logs. Configs and studies are parsed, and the parser of Python
  # 3.11 counts its depth for all threads together: it fails where two of them parse.
  _looking: threading.Lock = dataclasses.field(default_factory=threading.Lock)
  _stop: Stop | None = None

  def run(self) -> int:
    """Returns the exit code: that of the worst failure."""
    code = 0
    try:
      for name, plan in self.plan.items():
        code = max(code, self._study(name, plan))
    except Stop as stop:
      cli.say("Stopped; the same command goes on.", error=True)
      return stop.code
    for line in self.failed:
      cli.say(f"not made: {line}", error=True)
    return code

  def _study(self, name: str, plan: tuple[Run, ...]) -> int:
    folder = self.place.runs / name
    folder.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
      waiting = []
      left = sum(run.train + run.read for run in plan)
      # The longest first: at the end it would have a core for itself, and the others none.
      ordered = sorted(plan, key=lambda run: run.train + run.read, reverse=True)
      for count, run in enumerate(ordered, start=1):
        said = f"{name} [{count}/{len(plan)}] {name_of(run)}"
        waiting.append(pool.submit(self._one, said, run, folder, left / self.jobs))
        left -= run.train + run.read
      try:
        code = max(future.result() for future in concurrent.futures.as_completed(waiting))
      except Stop:
        pool.shutdown(cancel_futures=True)
        raise
    there = readable(plan, folder)
    if there:
      cli.say(f"{name}: claims, numbers, report of {len(there)} runs")
      flags = [f"--workdir={place}" for _, place in there.values()]
      code = max(code, self._call(f"{name}: report", "analyze", [*flags, "--only=report"]))
    write(name, plan, self.place)
    return code

  def _one(self, said: str, run: Run, folder: Path, left: float) -> int:
    """Returns the exit code of one run, trained and read as far as that is not done."""
    if self._stop:  # another run has been stopped, and the pool took the next
      raise self._stop
    place = folder / name_of(run)
    try:
      with self._looking:
        trained = is_trained(run, place, self.reference)
    except (ValueError, OSError) as error:
      self.failed.append(f"{said}: {error}")
      return cli.USER_ERROR
    if run.file and not self.reference and not trained:
      cli.say(f"{said}: left out, {_lacking(run)}")
      return 0
    if not trained:
      cli.say(f"{said}: {run.config} is trained, about {run.train:g} min; {left:g} min to go")
      named = [f"--config={run.config}", f"--workdir={place}", *_named(run, self.reference)]
      code = self._call(f"{said}: training", "train", [*named, *run.changes], place)
      if code:
        return code
    with self._looking:
      missing = unread(run, place)
    if not missing:
      cli.say(f"{said}: is there")
      return 0
    cli.say(f"{said}: {', '.join(missing)}; about {run.read:g} min")
    flags = [f"--workdir={place}", f"--only={','.join(missing)}"]
    flags += [f"--set={each}" for each in run.settings if each.partition(".")[0] in missing]
    return self._call(f"{said}: reading", "analyze", flags, place)

  def _call(self, said: str, command: str, flags: list[str], place: Path | None = None) -> int:
    began = time.monotonic()
    log = place.with_name(f"{place.name}.log") if place and self.jobs > 1 else None
    code = self.call(command, flags, log)
    if place is not None and place.exists():
      with self._looking:
        _log(place, time.monotonic() - began, self.jobs)
    if code in (cli.INTERRUPTED, cli.NO_SPACE):
      self._stop = Stop(code)
      raise self._stop
    if code:
      again = " ".join([f"{command}.py", *flags])
      self.failed.append(f"{said} ended with exit code {code}: {again}")
    return code


def _lacking(run: Run) -> str:
  return f"{run.config} reads a file that is no part of the repository: --reference=FILE names it"


def _log(place: Path, seconds: float, jobs: int) -> None:
  """Adds to the study's log how long a run took, today, on what."""
  file = place.parent / LOG
  found = files.read_json(file) if file.exists() else {}
  taken = found.get("seconds", {})
  taken[place.name] = round(taken.get(place.name, 0) + seconds, 1)
  recorded = runs.read_manifest(place) if (place / "manifest.json").exists() else {}
  today = datetime.date.today().isoformat()
  device = device_of(recorded["devices"]) if "devices" in recorded else found.get("device", "")
  if jobs > 1 and device:
    device = f"{device}, {jobs} runs side by side"
  files.write_json(file, {"date": today, "device": device, "seconds": taken})


def device_of(names: list[str]) -> str:
  """Returns in words the devices that a manifest names.

  >>> device_of(["cuda:0"])
  '1 x cuda'
  """
  if all("cpu" in name.lower() for name in names):
    return f"{cli.cores()} CPU core{'s' if cli.cores() > 1 else ''}"
  return f"{len(names)} x {re.split('[:_]', names[0])[0]}"


# --- writing --------------------------------------------------------------------------------------


def write(name: str, plan: tuple[Run, ...], place: Place) -> None:
  """Writes the tables of a study of what is stored; they stay as they are where no run is there.

  Pages and README's table are made again of all tables.
  """
  there = readable(plan, place.runs / name)
  if there:
    its = study.find(name)
    found = analyze.judged(its, [folder for _, folder in there.values()])
    rows = [{key: row[key] for key in row if key != "command"} for row in found.ledger.rows]
    written = {f"{name}_claims.csv": results.table(rows)}
    if its.numbers:
      written[f"{name}_numbers.csv"] = results.table(its.numbers(found.results))
    shown, tables = _shown(its, found.tables, place.pages)
    written |= {f"{name}_{key}.csv": text for key, text in tables.items()}
    about = _about(its, plan, there, found, place.runs / name) | {"tables": shown}
    written[f"{name}.json"] = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
    _keep({place.tables / file: text for file, text in written.items()})
  _keep(made_of(place))


def _shown(
  its: study.Study, stored: Mapping[str, Mapping[str, results.Stored]], pictures: Path
) -> tuple[list[dict[str, Any]], dict[str, str]]:
  """Returns the tables of a study's page as they are shown there, and with all digits as CSV.

  Their pictures are copied.
  """
  shown: list[dict[str, Any]] = []
  texts: dict[str, str] = {}
  for each in SHOWN.get(its.name, ()):
    asked = {
      run: held[each.question].result for run, held in stored.items() if each.question in held
    }
    groups = [{run: asked[run]} for run in each.apart if run in asked] if each.apart else [asked]
    for group in filter(None, groups):
      made = its.slices[each.question].tables(group)
      table = {table.name: table for table in made}[each.table]
      name = "_".join((each.question, each.table, *(group if each.apart else ())))
      texts[name] = table.csv()
      told = {"csv": f"{its.name}_{name}.csv", "caption": each.caption or table.caption}
      if each.picture in group:
        figure = stored[each.picture][each.question].figure_path
        told["picture"] = f"{its.name}_{each.question}.png"
        told["alt"] = f"{its.slices[each.question].about} The run is {each.picture}."
        pictures.mkdir(parents=True, exist_ok=True)
        files.write(pictures / told["picture"], figure.read_bytes())
      shown.append(told | _part(table, each.rows))
  return shown, texts


def _part(table: tables_lib.Table, pattern: str) -> dict[str, list]:
  """Returns head and cells of the rows that a pattern is found in, without empty columns."""
  rows = [row for row in table.cells() if re.search(pattern, " ".join(row))]
  columns = table.columns()
  kept = [at for at in range(len(columns)) if any(row[at] != tables_lib.NONE for row in rows)]
  return {
    "head": [columns[at].replace("_", " ") for at in kept],
    "rows": [[row[at] for at in kept] for row in rows],
  }


def _about(
  its: study.Study,
  plan: tuple[Run, ...],
  there: Mapping[str, tuple[Run, Path]],
  found: analyze.Judged,
  folder: Path,
) -> dict[str, Any]:
  """Returns what was run, with which code, where and when; no path of this machine."""
  log = files.read_json(folder / LOG) if (folder / LOG).exists() else {}
  recorded = {run: runs.read_manifest(place) for run, (_, place) in there.items()}
  newest = max(its["created"][:10] for its in recorded.values())
  devices = sorted({device_of(its["devices"]) for its in recorded.values()})
  described = []
  for run, (planned, place) in there.items():
    origins = [item.provenance for item in found.tables[run].values()]
    seconds = log.get("seconds", {}).get(run)
    described.append(
      {
        "run": run,
        "config": _config_of(planned),
        "seeds": sorted({seed for origin in origins for seed in origin["seeds"]})
        or recorded[run]["seeds"],
        "step": runs.latest_step(place),
        "minutes": None if seconds is None else round(seconds / 60, 1),
        "trained_at": recorded[run]["revision"],
        "read_at": sorted({origin["revision"] for origin in origins}),
        "questions": sorted(found.tables[run]),
      }
    )
  absent = [run for run in plan if name_of(run) not in there]
  return {
    "study": its.name,
    "title": its.title,
    "date": log.get("date", newest),
    "device": log.get("device") or ", ".join(devices),
    "revision": runs.revision(),
    "versions": runs.versions(),
    "words": dict(its.glossary),
    "runs": described,
    "left_out": [
      {"config": _config_of(run), "why": "its file was not named" if run.file else "not made"}
      for run in absent
    ],
  }


def _config_of(run: Run) -> str:
  """Returns the name of a run's config, without a folder of this machine."""
  return Path(run.config).name


def made_of(place: Place) -> dict[Path, str]:
  """Returns what the tables say, by file: the page of every study, and the pages with tables."""
  found = [pages.read(place.tables, name) for name in PLAN]
  texts = {place.pages / f"{its.study}.md": pages.page(its) for its in found if its.about}
  readme = pages.within(place.readme.read_text("utf-8"), "verdicts", pages.verdicts(found))
  texts[place.readme] = readme
  checks = place.checks.read_text("utf-8")
  for name, its in (("speed", pages.speed), ("reliability", pages.reliability)):
    checks = pages.within(checks, name, its(place.tables))
  return texts | {place.checks: checks}


def _keep(texts: Mapping[Path, str]) -> None:
  """Writes files whose content is another; each is replaced whole."""
  for path, text in texts.items():
    if path.exists() and path.read_text(encoding="utf-8") == text:
      continue
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, text.encode())
    cli.say(f"wrote {files.name_of(path)}")


# --- the command ----------------------------------------------------------------------------------


def listing(
  plan: Mapping[str, tuple[Run, ...]], place: Place, reference: str = "", jobs: int = 1
) -> str:
  """Returns the plan in lines: what is there, and about how many minutes the rest takes."""
  lines, total = [], 0.0
  for name, its in plan.items():
    lines.append(f"{name}:")
    for run in its:
      folder = place.runs / name / name_of(run)
      trained = is_trained(run, folder, reference)
      train, read = (0.0 if trained else run.train), run.read
      state = "trained" if trained else ""
      if trained and not unread(run, folder):
        read, state = 0.0, "is there"
      elif run.file and not reference and not trained:
        train, read, state = 0.0, 0.0, f"left out: {_lacking(run)}"
      total += train + read
      lines.append(f"  {name_of(run):<38}{train:>6.1f}{read:>6.1f}  {state}".rstrip())
  head = f"{'run':<40}{'train':>6}{'read':>6}  minutes on one core"
  return "\n".join([head, *lines, f"{total / jobs / 60:.1f} hours"])


def _flags(argv: list[str]) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("--studies", default="", help=f"of {', '.join(PLAN)}, comma-separated")
  parser.add_argument("--reference", default="", help="the published network of `text`, an NPZ")
  parser.add_argument("--dry_run", action="store_true", help="list the plan, do nothing")
  parser.add_argument("--write", action="store_true", help="write tables and pages, train nothing")
  parser.add_argument("--jobs", type=int, default=JOBS, help=f"runs made side by side ({JOBS})")
  return parser.parse_args(argv)


def _main(argv: list[str]) -> int:
  values = _flags(argv[1:])
  asked = [word for word in values.studies.split(",") if word] or list(PLAN)
  unknown = sorted(set(asked) - set(PLAN))
  if unknown:
    raise ValueError(f"No study {unknown[0]!r} in the plan; valid: {', '.join(PLAN)}.")
  if values.jobs < 1:
    raise ValueError(f"--jobs={values.jobs}: at least one run is made at a time.")
  reference = str(Path(values.reference).absolute()) if values.reference else ""
  os.chdir(ROOT)
  plan = {name: PLAN[name] for name in asked}
  if values.dry_run:
    cli.say(listing(plan, HERE, reference, values.jobs))
    return 0
  if values.write:
    for name, its in plan.items():
      write(name, its, HERE)
    return 0
  with Children(values.jobs) as children:
    return Maker(plan, children.call, reference=reference, jobs=values.jobs).run()


if __name__ == "__main__":
  sys.exit(cli.run(_main, sys.argv))
