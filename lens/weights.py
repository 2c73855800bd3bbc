"""Spectra of published weights: `analyze.py --weights=PATH_OR_ID`.

Their folder is like that of a run: results/ and figures/, with weights.json,
the sha256 of every file, in place of config.json.
"""

import dataclasses
import importlib.metadata
import re
import time
from pathlib import Path
from typing import Any

from primelens.lens import cli, runs, study
from primelens.lens import results as results_lib
from primelens.models import weights
from primelens.tasks import files as files_lib

NAME = "spectra"
ABOUT = "Spectra of published weights beside noise of their shape and scale"
HOW = (
  ": a .safetensors file, a folder, an index of shards, a Hugging Face id"
  " owner/name[@revision], or published (the models of the source); --set"
  " pattern=REGEX, mode=corner_as_published, draws=N, ..."
)
PUBLISHED = "published"  # in place of a path: the source's eleven models
MODELS = "models"  # the result and the figure of them all
MARK = "weights.json"
LOG_SECONDS = 5.0
LIBRARIES = ("scipy", "safetensors")


class Progress:
  """A bar on a terminal, a line every few seconds else."""

  def __init__(self, about: str, total: int):
    self._about, self._total, self._done = about, total, 0
    self._bar, self._last = cli.progress(), time.monotonic()
    if self._bar is not None:
      self._task = self._bar.add_task(about, total=total, note="")

  def __call__(self, count: int, note: str = "") -> None:
    """Adds to what is done."""
    self._done += count
    now = time.monotonic()
    if self._bar is not None:
      self._bar.update(self._task, completed=self._done, note=files_lib.shown(note))
    elif now - self._last >= LOG_SECONDS:
      self._last = now
      line = f"{self._about} {self._done:,}/{self._total:,}  {note}".rstrip()
      cli.say(line, error=True)

  def __enter__(self):
    if self._bar is not None:
      self._bar.start()
    return self

  def __exit__(self, *error):
    if self._bar is not None:
      self._bar.stop()


def _spectra() -> Any:
  """Returns the module that measures, found by its name: no study is imported for --help."""
  return study.shared("published_weights")


def settings(assignments: list[str]) -> Any:
  """Returns the settings after "field=value" assignments, checked."""
  found = cli.assign(_spectra().Settings(), assignments)
  return dataclasses.replace(found)


def default_workdir(name: str) -> Path:
  """Returns `runs/weights-<name>`, by the file, the folder or the id."""
  path, plain = Path(name), name
  if path.exists():
    path = path.resolve()
    named = path if path.is_dir() else path.with_name(path.name.split(".")[0])
    # Most files are called "model".
    plain = named.parent.name if named.name == "model" else named.name
  return Path("runs") / f"weights-{re.sub(r'[^A-Za-z0-9._]+', '-', plain)}"


def check_folder(workdir: Path, files: dict) -> None:
  """Raises `ValueError` when a folder holds other weights, a run, or other files."""
  files_lib.check_folder(workdir)
  mark = workdir / MARK
  if mark.exists():
    if files_lib.read_json(mark) != {"files": files}:
      raise ValueError(f"{workdir} holds the spectra of other weights; choose another --workdir.")
  elif workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
    raise ValueError(f"{workdir} is not empty and has no {MARK}; choose another --workdir.")


def analyse(name: str, workdir: Path | None, chosen: Any, command: list[str]) -> Any:
  """Returns the spectra of one model, its results and figure written.

  Raises `ValueError` or `OSError` in one line for weights that cannot be had
  or read, or a folder that is not theirs.
  """
  from primelens.lens import figures  # starts matplotlib: not for --help

  spectra = _spectra()
  began = time.monotonic()
  source = weights.find(name, _say)
  plan = weights.plan(source, chosen.pattern)
  spectra.check(name, source, chosen)
  _say(spectra.sizes(name, source, plan))
  with Progress("reading", source.bytes) as advance:
    of_file, of_tensor = weights.digests(source, advance)
  workdir = default_workdir(name) if workdir is None else workdir
  files = {
    source.name(path): {"bytes": path.stat().st_size, "sha256": of_file[source.name(path)]}
    for path in source.files
  }
  check_folder(workdir, files)
  with Progress("spectra", len(plan.parts)) as advance:
    found = spectra.measure(name, source, plan, chosen, of_tensor, advance)
  origin = {
    "weights": name,
    "commit": source.commit,
    "files": files,
    "revision": runs.revision(),
    "versions": runs.versions() | _versions(),
    "settings": dataclasses.asdict(chosen),
    "command": command,
    "seconds": round(time.monotonic() - began, 2),
  }
  workdir.mkdir(parents=True, exist_ok=True)
  files_lib.write_json(workdir / MARK, {"files": files})
  (table,) = spectra.tables({name: found})
  path = results_lib.write(
    workdir / "results", NAME, found, provenance=origin, tables={NAME: table.csv()}
  )
  figure = workdir / "figures" / f"{NAME}.png"
  (drawn,) = spectra.figures({name: found}).values()
  results_lib.write_figure(figure, figures.png(drawn))
  cli.say("\n".join(spectra.lines(found)))
  cli.say(f"wrote {path}\nwrote {figure}")
  return found


def main(
  name: str, only: list[str], workdirs: list[Path], assignments: list[str], command: list[str]
) -> None:
  """Measures the weights of `--weights=name`, and writes and prints it all.

  "published" stands for the models of the source: those that cannot be had
  are named, and the others' numbers are shown beside the published ones.
  Raises `ValueError` for flags that do not go with it.
  """
  if not name:
    raise ValueError("--weights is empty: name a file, a folder or an id.")
  if set(only) - {NAME}:
    raise ValueError(f"--weights is read by --only={NAME} alone.")
  chosen = settings(assignments)
  if len(workdirs) > 1:
    raise ValueError("--weights writes to one --workdir.")
  workdir = workdirs[0] if workdirs else None
  if name != PUBLISHED:
    analyse(name, workdir, chosen, command)
    return
  found = {}
  for its in _spectra().MODELS:
    default = default_workdir(its.model)
    place = default if workdir is None else workdir / default.name
    try:
      found[its.model] = analyse(its.model, place, chosen, command)
    except (ValueError, OSError) as error:
      _say(f"left out: {error}")
  if not found:
    raise ValueError("None of the models of the source can be had.")
  _compare(found, default_workdir(PUBLISHED) if workdir is None else workdir, command)


def _compare(found: dict[str, Any], folder: Path, command: list[str]) -> None:
  """Prints and writes the numbers of all models of the source beside those read here, drawn."""
  from primelens.lens import figures

  spectra = _spectra()
  rows = [
    row
    for its in spectra.MODELS
    if its.model in found
    for row in spectra.beside(its, found[its.model])
  ]
  cli.say(spectra.table(rows))
  models = spectra.models(found)
  origin = {"weights": list(found), "revision": runs.revision(), "command": command}
  written = [
    results_lib.write(folder / "results", MODELS, models, provenance=origin),
    results_lib.write_figure(
      folder / "figures" / f"{MODELS}.png", figures.png(spectra.of_models(models))
    ),
  ]
  cli.say("\n".join(f"wrote {path}" for path in written))


def _versions() -> dict[str, str]:
  """The libraries that make these numbers, beside those of every run."""
  return {name: importlib.metadata.version(name) for name in LIBRARIES}


def _say(text: str) -> None:
  cli.say(text, error=True)
