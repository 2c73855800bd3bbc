"""What becomes of a run that is killed, damaged, fed nonsense, or made by somebody hostile.

Every case is a child process that trains or reads a small population (the config is this file).
A case is lost if the same command does not end with the numbers of a run nobody touched; silent
if a damaged file changes a number and nothing is said; and it counts as a traceback or a hang if
there is one. All four counts should be 0.

  python bench/reliability.py --quick     # a few of each, a minute or two
  python bench/reliability.py             # the whole campaign, an hour on two cores
"""

import argparse
import collections
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import bad_inputs
import hostile
import jax
from primelens.lens import analyze, experiment, runs, train
from primelens.models import fit, optimizer, spacing, transformer
from primelens.tasks import surrogates

SEED = 0
STEPS = 24
DEADLINE = 300.0  # seconds; a case that takes longer hangs
WINDOW = 8
READ = "anchors"  # the analysis that reads damaged runs
BAD = ("lost", "silent", "tracebacks", "hangs")


def get_config() -> experiment.Experiment:
  """Returns a population of two small networks, whose compilation is most of the work."""
  trunk = transformer.Config(
    width=8, layers=1, heads=2, hidden=8, max_positions=WINDOW, dropout=0.1, embed_dropout=0.0
  )
  return experiment.Experiment(
    task=surrogates.Config(
      ensemble="poisson", count=4000, window=WINDOW, gap=20, split="published_tail"
    ),
    model=spacing.Config(window=WINDOW, components=2, trunk=trunk),
    fit=fit.Config(
      steps=STEPS,
      batch_size=4,
      seeds=2,
      dispatch=2,
      evaluate_every=4,
      evaluate_windows=4,
      checkpoint_every=4,
      snapshot_every=12,
      optimizer=optimizer.Config(rate=1e-2),
    ),
  )


class Ended(NamedTuple):
  """How a child ended: exit code (None where it hung; minus the signal), what it said, seconds."""

  code: int | None
  said: str
  seconds: float


class Child:
  """A command line in a process of its own, forked before any device is touched."""

  def __init__(self, main: Callable, *argv: str, limit: int = 0):
    self._began = time.monotonic()
    # A pipe: no limit on the size of files holds for it, and no child says as much as it holds.
    self._said, saying = os.pipe()
    self.process = os.fork()
    if not self.process:
      self._be(main, argv, limit, saying)
    os.close(saying)

  def _be(self, main, argv, limit: int, saying: int) -> None:
    """Becomes the command; a file of more than `limit` bytes cannot be written."""
    code = 1
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    try:
      for stream in (1, 2):
        os.dup2(saying, stream)
      sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
      if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
      code = main(["program", *argv])
    finally:
      with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
      os._exit(code)

  def ended(self) -> Ended | None:
    """Returns how the child ended, None while it is at work."""
    process, status = os.waitpid(self.process, os.WNOHANG)
    if not process:
      return None
    seconds = time.monotonic() - self._began
    with os.fdopen(self._said, "rb") as said:
      text = said.read().decode(errors="replace")
    return Ended(os.waitstatus_to_exitcode(status), text, seconds)

  def wait(self, seconds: float = DEADLINE) -> Ended:
    """Returns how the child ended; one that is still at work is killed and hung."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
      if found := self.ended():
        return found
      time.sleep(0.005)
    return self.kill()._replace(code=None)

  def kill(self, number: int = signal.SIGKILL) -> Ended:
    """Sends a signal and returns how the child ended."""
    with contextlib.suppress(ProcessLookupError):
      os.kill(self.process, number)
    while not (found := self.ended()):
      time.sleep(0.002)
    return found


def trained(folder: Path, *flags: str, limit: int = 0) -> Child:
  """Returns a child that trains the run in the folder, or goes on with it."""
  return Child(train.main, f"--config={__file__}", f"--workdir={folder}", *flags, limit=limit)


def read(folder: Path, only: str = f"{READ},report") -> Child:
  """Returns a child that reads the run."""
  settings = ("--set=evaluation.min_context=4", "--set=evaluation.select_windows=16")
  return Child(analyze.main, f"--workdir={folder}", f"--only={only}", *settings)


def outcome(folder: Path) -> dict:
  """Returns what a finished run's numbers are: parameters by snapshot, and every metric."""
  snapshots = {p.name: p.read_bytes() for p in (folder / "snapshots").glob("*.safetensors")}
  rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
  plain = [
    {name: value for name, value in row.items() if name not in ("seconds_per_step", "sha256")}
    for row in rows
  ]
  return {"snapshots": snapshots, "metrics": plain}


class Counts(collections.Counter):
  """Counts of outcomes; `examples` says of each bad one which case it was."""

  def __init__(self):
    super().__init__()
    self.examples: list[str] = []

  def add(self, kind: str, case: str = "") -> None:
    """Counts an outcome, and keeps the case where it is a bad one."""
    self[kind] += 1
    if kind in BAD:
      self.examples.append(f"{kind}: {case}")

  def check(self, ended: Ended, case: str) -> None:
    """Counts a traceback or a hang."""
    if ended.code is None:
      self.add("hangs", case)
    if "Traceback" in ended.said:
      self.add("tracebacks", f"{case}: {ended.said[-300:]}")


def leftovers(folder: Path) -> list[str]:
  """Returns temporary files of processes that are no more."""
  return [str(path.relative_to(folder)) for path in folder.rglob("*tmp*")]


def kills(whole: dict, folder: Path, count: int, rng: random.Random) -> Counts:
  """Kills runs at random moments, goes on with each, and compares how it ends.

  A kill comes at any moment of what an untouched run takes. That is timed again every tenth run,
  because the machine may have other work; the fastest seen counts, for a kill that comes after
  the end is none.
  """
  found = Counts()
  times: list[float] = []
  while found["kills"] < count:
    if found["runs"] % 10 == 0:
      place = folder / f"untouched{found['runs']}"
      ended = trained(place).wait()
      found.check(ended, "untouched")
      times = [*times[-2:], ended.seconds]
      if ended.code != 0 or outcome(place) != whole:
        found.add("lost", f"untouched: {ended.code} {ended.said[-300:]}")
      shutil.rmtree(place, ignore_errors=True)
    seconds = min(times)
    place = folder / f"killed{found['runs']}"
    history = []
    for _ in range(rng.randint(1, 8)):
      number = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
      child, moment = trained(place), rng.uniform(0, seconds)
      with contextlib.suppress(ChildProcessError):
        time.sleep(moment)
        ended = child.ended() or child.kill(number)
      history.append(f"{signal.Signals(number).name} after {moment:.2f} s: {ended.code}")
      found.check(ended, " / ".join(history))
      if ended.code not in (-number, 130, 0, -signal.SIGKILL):
        found.add("lost", f"{' / '.join(history)}: {ended.said[-300:]}")
      found["kills"] += ended.code != 0
    last = trained(place).wait()
    found.check(last, " / ".join(history))
    if last.code != 0 or outcome(place) != whole or leftovers(place):
      found.add("lost", f"{' / '.join(history)}: {last.code} {last.said[-300:]} {leftovers(place)}")
    found["runs"] += 1
    shutil.rmtree(place, ignore_errors=True)
    print(f"kills {dict(found)} {found.examples[-1:]}", end="\r", file=sys.stderr, flush=True)
  return found


def _flip(path: Path, rng: random.Random) -> None:
  content = bytearray(path.read_bytes())
  place = rng.randrange(len(content))
  content[place] ^= 1 << rng.randrange(8)
  path.write_bytes(content)


def _cut(path: Path, rng: random.Random) -> None:
  content = path.read_bytes()
  path.write_bytes(content[: rng.randrange(len(content))])


def _zero(path: Path, rng: random.Random) -> None:
  path.write_bytes(bytes(path.stat().st_size))


def _noise(path: Path, rng: random.Random) -> None:
  path.write_bytes(rng.randbytes(path.stat().st_size))


def _delete(path: Path, rng: random.Random) -> None:
  path.unlink()


DAMAGE = {"bit": _flip, "cut": _cut, "zeros": _zero, "noise": _noise, "deleted": _delete}


COMMANDS = {
  "train": trained,
  "read": read,
  "report": lambda place: read(place, "report"),
}


def victims(folder: Path) -> list[Path]:
  """Returns the files of a run whose content a number may come from."""
  return [
    path
    for path in sorted(folder.rglob("*"))
    if path.is_file()
    and path.stat().st_size
    and path.suffix not in (".png", ".csv", ".html")  # written for people, never read back
  ]


def corruptions(folder: Path, whole: dict, half: Path, done: Path, count: int, rng) -> Counts:
  """Damages a file of a run that is half trained, or trained and read, and goes on.

  Training on must refuse, or end with the numbers of the run nobody touched. Reading must refuse,
  make the result anew, or give the numbers it had.
  """
  found = Counts()
  stored = lambda place: json.loads((place / "results" / f"{READ}.json").read_text())
  numbers = lambda place: [stored(place)[part] for part in ("attributes", "npz_sha256")]
  known = numbers(done)
  # Every kind of file as often as any: most files belong to checkpoints.
  kind = lambda path: path.suffix if "checkpoints" not in path.parts else path.name
  for number in range(count):
    source, main = rng.choice([(half, "train"), (done, "report"), (done, "read")])
    place = folder / source.name / f"damaged{number}" / source.name
    shutil.copytree(source, place)
    by_kind: dict[str, list[Path]] = {}
    for path in victims(place):
      by_kind.setdefault(kind(path), []).append(path)
    path = rng.choice(by_kind[rng.choice(sorted(by_kind))])
    how = rng.choice(sorted(DAMAGE))
    DAMAGE[how](path, rng)
    case = f"{main} {how} {path.relative_to(place)}"
    ended = COMMANDS[main](place).wait()
    found.check(ended, case)
    found.add("cases")
    if ended.code == 2:
      found.add("refused")
      if ended.said.count("error:") != 1:
        found.add("silent", f"{case}: {ended.said[-300:]}")
    elif ended.code != 0:
      found.add("lost", f"{case}: {ended.code} {ended.said[-300:]}")
    elif main == "train":
      same = outcome(place) == whole
      found.add("recovered" if same else "silent", f"{case}: {ended.said[-300:]}")
    elif main == "read":
      fell_back = "Unreadable checkpoint" in ended.said  # other numbers, and a line says why
      same = numbers(place) == known
      kind_of = "recovered" if same else "fell back and said so" if fell_back else "silent"
      found.add(kind_of, f"{case}: {ended.said[-300:]}")
    else:  # the page is written; what it shows was checked against its digest
      damaged = path.parent.name in ("results",)
      said = "damaged" in ended.said or READ in ended.said
      found.add("silent" if damaged and not said else "recovered", f"{case}: {ended.said[-300:]}")
    shutil.rmtree(place.parent, ignore_errors=True)
  return found


def full_disk(folder: Path, whole: dict, rng: random.Random, count: int) -> Counts:
  """Lets writes fail beyond a size, then makes room and repeats the command."""
  found = Counts()
  for number in range(count):
    place = folder / f"full{number}"
    limit = int(10 ** rng.uniform(1, 5))
    ended = trained(place, limit=limit).wait()
    case = f"no file of more than {limit} bytes"
    found.check(ended, case)
    found.add("cases")
    found.add({4: "said", 0: "fitted"}.get(ended.code, "lost"), f"{case}: {ended}")
    again = trained(place).wait()
    found.check(again, f"{case}, again")
    if again.code != 0 or outcome(place) != whole:
      found.add("lost", f"{case}, again: {again}")
    shutil.rmtree(place, ignore_errors=True)
  return found


def writers(folder: Path, whole: dict, rng: random.Random, count: int) -> Counts:
  """Starts two trainings of one directory, and readers beside them."""
  found = Counts()
  for number in range(count):
    place = folder / f"shared{number}"
    first = trained(place)
    time.sleep(rng.uniform(0, 1.0))
    second = trained(place)
    time.sleep(rng.uniform(0, 4.0))
    reader = read(place)
    ends = [child.wait() for child in (first, second)]
    beside = reader.wait()
    case = f"{[(e.code, e.said[-200:]) for e in ends]}"
    for ended in (*ends, beside):
      found.check(ended, case)
    found.add("cases")
    if beside.code not in (0, 2):
      found.add("lost", f"reader: {beside}")
    refused = sorted(e.code for e in ends if e.code is not None) == [0, 2]
    one_after_the_other = [e.code for e in ends] == [0, 0]
    if not (refused or one_after_the_other) or outcome(place) != whole:
      found.add("lost", case)
    found.add("refused" if refused else "one after the other")
    shutil.rmtree(place, ignore_errors=True)
  return found


def inputs(folder: Path, run: Path, every: int) -> Counts:
  """Gives the commands every `every`-th bad input; nothing may be written."""
  found = Counts()
  (folder / "inputs").mkdir()
  copy, made = folder / "inputs" / "run", folder / "inputs" / "made"
  shutil.copytree(run, copy)
  made.mkdir()
  places = bad_inputs.prepare(made, Path(__file__), copy)
  listing = lambda: {str(p): p.lstat().st_mtime_ns for p in (folder / "inputs").rglob("*")}
  mains = {"train": train.main, "analyze": analyze.main}
  for case in bad_inputs.CASES[::every]:
    argv = bad_inputs.filled(case, places)
    before = listing()
    ended = Child(mains[case.command], *argv).wait()
    name = f"{case.command} {argv}"
    found.check(ended, name)
    found.add("cases")
    if ended.code is not None:
      right = ended.code == 2 and ended.said.count("\n") == 1 and listing() == before
      found.add("refused" if right else "lost", f"{name}: {ended.code} {ended.said[-300:]}")
  return found


def hostilities(folder: Path, every: int) -> Counts:
  """Reads run directories, weights and archives that somebody hostile made."""
  found = Counts()
  for number, (name, trial) in enumerate(list(hostile.trials().items())[::every]):
    place = folder / f"hostile{number}"
    place.mkdir()

    def main(argv, trial=trial, place=place) -> int:
      wrong = trial(place)
      print("; ".join(wrong))
      return int(bool(wrong))

    ended = Child(main).wait()
    found.check(ended, name)
    found.add("cases")
    if ended.code is not None:
      found.add("harmless" if ended.code == 0 else "lost", f"{name}: {ended.said[-300:]}")
    shutil.rmtree(place, ignore_errors=True)
  return found


PARTS = ("kills", "corruptions", "full disk", "two writers", "bad inputs", "hostile files")


def campaign(
  folder: Path, quick: bool, wanted: Sequence[str], count: int
) -> Iterator[tuple[str, Counts]]:
  """Yields the counts of each part that is wanted; `count` processes are killed."""
  few = lambda number: max(2, number // 40) if quick else number
  reference, half, done = folder / "whole", folder / "half", folder / "done"
  trained(folder / "first").wait()  # fills the compilation cache
  ended = trained(reference).wait()
  if ended.code != 0:
    raise SystemExit(ended.said)
  whole = outcome(reference)
  child = trained(half)
  metrics = half / "metrics.jsonl"
  while child.ended() is None and not (metrics.exists() and metrics.read_text().count("\n") > 5):
    time.sleep(0.002)
  child.kill()
  shutil.copytree(reference, done)
  ended = read(done).wait()
  if ended.code != 0:
    raise SystemExit(ended.said)
  random_of = {part: random.Random(f"{SEED} {part}") for part in PARTS}
  parts: dict[str, Callable[[random.Random], Counts]] = {
    "kills": lambda rng: kills(whole, folder, few(count), rng),
    "corruptions": lambda rng: corruptions(folder, whole, half, done, few(60), rng),
    "full disk": lambda rng: full_disk(folder, whole, rng, few(16)),
    "two writers": lambda rng: writers(folder, whole, rng, few(16)),
    "bad inputs": lambda rng: inputs(folder, done, 20 if quick else 1),
    "hostile files": lambda rng: hostilities(folder, 20 if quick else 3),
  }
  for part in PARTS:
    if part in wanted:
      yield part, parts[part](random_of[part])


def main() -> None:
  """Runs the campaign and prints a JSON line with its counts."""
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
  )
  parser.add_argument("--quick", action="store_true", help="a few of each")
  parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
  parser.add_argument("--kills", type=int, default=200, help="how many processes are killed")
  parser.add_argument("--out", type=Path, help="also write the counts to this JSON file")
  options = parser.parse_args()
  threading.excepthook = lambda args: None
  rows = {}
  with tempfile.TemporaryDirectory() as name:
    jax.config.update("jax_compilation_cache_dir", str(Path(name, "cache")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    for part, counts in campaign(Path(name), options.quick, options.only.split(","), options.kills):
      rows[part] = {kind: counts[kind] for kind in (*sorted(set(counts) - set(BAD)), *BAD)}
      print(part, rows[part], file=sys.stderr, flush=True)
      examples = [example.replace(name, "FOLDER") for example in counts.examples]
      if examples:
        rows[part]["examples"] = examples
      for example in examples:
        print(f"  {example}", file=sys.stderr, flush=True)
  row = {"bench": "reliability", "revision": runs.revision(), "versions": runs.versions()} | rows
  print(json.dumps(row))
  if options.out:
    options.out.write_text(json.dumps(row, indent=1) + "\n")


if __name__ == "__main__":
  main()
