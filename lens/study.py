"""What a study and a slice are, how they are found, and a run with its card."""

import ast
import dataclasses
import functools
import importlib
import importlib.util
import inspect
import os
import pkgutil
import re
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from primelens.lens import claims as claims_lib
from primelens.lens import numbers as numbers_lib
from primelens.lens import plugins
from primelens.lens import results as results_lib
from primelens.models import checkpoints, fit
from primelens.tasks import checks, files


@dataclasses.dataclass(frozen=True)
class Run:
  """What an analysis gets: one population, its task, its forward pass."""

  workdir: Path
  experiment: Any
  data: Any  # what the task loads
  params_S: Any
  step: int
  apply: Any
  manifest: dict
  program: fit.Program | None = None
  inputs: dict | None = None  # the data of the program
  frozen: tuple[dict, ...] = ()  # seed and step of members that are left out

  @property
  def name(self) -> str:
    """The folder's name, by which results of several runs are told apart."""
    return files.name_of(self.workdir)

  @property
  def settings(self):
    """The study's analysis settings."""
    return self.experiment.analyses

  @property
  def seed_S(self) -> np.ndarray:
    """The seeds of the members, in order: the fit's, without those left out."""
    settings, left_out = self.experiment.fit, [row["seed"] for row in self.frozen]
    trained = settings.first_seed + np.arange(settings.seeds + len(left_out))
    return trained[~np.isin(trained, left_out)]

  @property
  def results(self) -> results_lib.Folder:
    """The stored results, by name: `run.results["masking"]` is an `xarray.Dataset`."""
    return results_lib.Folder(self.workdir / "results")

  def snapshot_steps(self) -> list[int]:
    """Returns the steps with a snapshot, in order."""
    return checkpoints.snapshot_steps(self.workdir / "snapshots")

  def snapshot(self, step: int):
    """Returns the members' parameters at a step; raises `ValueError` naming the
    steps there are, or the broken file."""
    params_S = checkpoints.read_snapshot(self.workdir / "snapshots", step, self.params_S)
    return jax.tree.map(lambda leaf_S: leaf_S[self._row_S], params_S)

  def metrics(self) -> list[dict]:
    """Returns the rows of metrics.jsonl; lists have a number for each member."""
    rows = fit.read_metrics(self.workdir / "metrics.jsonl")
    mine = lambda value: [value[s] for s in self._row_S] if isinstance(value, list) else value
    return [{name: mine(value) for name, value in row.items()} for row in rows]

  @property
  def _row_S(self) -> np.ndarray:
    """Where the members are in what the fit has written."""
    return self.seed_S - self.experiment.fit.first_seed

  def untrained_S(self):
    """Returns fresh parameters of the run's seeds: the untrained null.

    Raises `ValueError` for a run made without its training program.
    """
    return self._fresh_S

  @functools.cached_property
  def _fresh_S(self):  # several analyses ask for it, and it compiles slowly
    if self.program is None:
      raise ValueError(f"{self.workdir} came without its training program.")
    return fit.fresh(self.program, self.inputs, fit.keys_of(self.seed_S))


def fits_every_run(experiment) -> str:
  """Returns "": nothing keeps a run from being read."""
  return ""


def members(experiment, row_S):
  """Returns the experiment of some of its members, `row_S` counted from 0."""
  settings = dataclasses.replace(experiment.fit, seeds=len(row_S))
  return dataclasses.replace(experiment, fit=settings)


def stopped(frozen, trained: int) -> str:
  """Returns in words which of the trained seeds froze, as in "1 of 4 seeds
  stopped at a loss that was not finite (seed 2 at step 310)"."""
  said = ", ".join(f"seed {row['seed']} at step {row['step']}" for row in frozen)
  return f"{len(frozen)} of {trained} seeds stopped at a loss that was not finite ({said})"


class Cost(NamedTuple):
  """What one seed takes: parameters, and targets, FLOP and bytes of a step."""

  parameters: int
  targets: int
  flop: float
  memory_bytes: float


class Prepared(NamedTuple):
  """Arrays that a program is given and that take long to make, so that a run directory keeps them.

  They are the same for every seed. `make()` returns them by name; `may_be(arrays)` says whether
  arrays that were read have their names, types and shapes, and what else is known of them.
  """

  make: Callable[[], dict[str, np.ndarray]]
  may_be: Callable[[Mapping[str, np.ndarray]], bool]


def check_kinds(experiment, **kinds: type) -> None:
  """Raises `ValueError` where a room's part is not of the study's one kind.

  A config class made from that one (a plugin's) is of its kind: its data have the same form.
  """
  for room, kind in kinds.items():
    its = getattr(experiment, room)
    if not isinstance(its, kind):
      known = {field.name: field.default for field in dataclasses.fields(kind)}["kind"]
      raise ValueError(
        f"{room}.kind={its.kind!r} is not {known!r}, the only one that "
        f"study={experiment.study!r} knows."
      )


# --- slices ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slice:
  """One question that a study asks of a run; a module that defines `measure` is one.

  `about` is the question and `text` the rest of the module's docstring. `figures` and `tables` take
  `{run: Dataset}`, of one run or several: `figures` gives pages by the name of the run that each is
  of, or of what it compares. `numbers(found)` gives values for keys of the study's published.csv,
  `line(runs)` a sentence of the summary.
  """

  name: str
  about: str
  measure: Callable[[Run], xr.Dataset]
  text: str = ""
  obstacle: Callable[[Any], str] = fits_every_run
  figures: Callable[[Mapping[str, xr.Dataset]], Mapping[str, Any]] | None = None
  tables: Callable[[Mapping[str, xr.Dataset]], list] | None = None
  numbers: Callable[[xr.Dataset], Mapping[str, Any]] | None = None
  line: Callable[[Mapping[str, xr.Dataset]], str] | None = None
  claims: tuple[claims_lib.Claim, ...] = ()
  settings: type | None = None


_OPTIONAL = ("obstacle", "figures", "tables", "numbers", "line")  # what else a slice may define


def slice_of(module: types.ModuleType, name: str) -> Slice:
  """Returns the slice that a module is."""
  about, text = _parts(module.__doc__ or "")
  # A function: a module of lens may be called `numbers` in a slice, too.
  found = {key: f for key in _OPTIONAL if callable(f := getattr(module, key, None))}
  return Slice(
    name=name,
    about=about,
    text=text,
    measure=module.measure,
    claims=tuple(getattr(module, "CLAIMS", ())),
    settings=getattr(module, "Settings", None),
    **found,
  )


def _parts(text: str) -> tuple[str, str]:
  """Returns the first line of a docstring, and the rest of it."""
  first, _, rest = inspect.cleandoc(text).partition("\n")
  return first, rest.strip()


def is_slice(path: Path) -> str | None:
  """Returns the question of a file that is a slice, None for any other; nothing is imported."""
  tree = _tree(path)
  return _parts(ast.get_docstring(tree) or "")[0] if "measure" in _functions(tree) else None


def is_trial(path: Path) -> bool:
  """Returns whether a file has claims and reads no run: no `measure`, but `CLAIMS`."""
  tree = _tree(path)
  targets = [node.targets for node in tree.body if isinstance(node, ast.Assign)]
  assigned = {name.id for names in targets for name in names if isinstance(name, ast.Name)}
  return "measure" not in _functions(tree) and "CLAIMS" in assigned


def _tree(path: Path) -> ast.Module:
  return ast.parse(files.read(path, limit=plugins.SOURCE_BYTES))


def _functions(tree: ast.Module) -> set[str]:
  return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def slice_from(path: str | os.PathLike) -> Slice:
  """Returns the slice in a file that the user names; the file is Python, and is run.

  Raises `ValueError` in one line for a file that does not run, or has no `measure`.
  """
  place = Path(path)
  module = plugins.load(place)
  if not callable(getattr(module, "measure", None)):
    raise ValueError(f"{files.shown(place)} is no slice: it has no function measure(run).")
  return slice_of(module, place.stem)


# --- studies --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Numbers:
  """Every number of a source beside that of the networks here: a record each."""

  rows: tuple[dict, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
  """Everything the command lines need of a study.

  `build(experiment, data)` gives the fit's program, its data and its select
  batch, `bind(experiment)` the forward pass of the analyses, `check` raises
  `ValueError` where task, model and fit do not go together. `members(experiment, rows)` is
  the experiment of some of its members, `card(experiment)` what the study says of a run,
  `data_name(task, data)` what it is trained and scored on, `caution(card, {slice: Dataset})` why
  its network must not be read as it stands, or "". `prepared(experiment, data)` says what of a
  program's data takes long to make; of a study that has it, `build` takes these arrays by name as a
  third argument. `renamed` are the analysis settings of earlier revisions that have another name
  now, `{old: new}`. `lead` are the slices that say most, of whose figures the first leads the
  report and whose sentences come first; where there are many runs, they tell of those whose result
  of the first slice is `foremost`. `glossary` are the study's words, `{term: sentence}`.
  """

  name: str
  title: str
  about: str
  settings: type
  slices: Mapping[str, Slice]
  check: Callable[[Any], None]
  build: Callable[..., tuple[fit.Program, dict, dict]]
  bind: Callable[[Any], Callable]
  cost: Callable[[Any], Cost]
  run: type[Run] = Run
  members: Callable[[Any, np.ndarray], Any] = members
  card: Callable[[Any], Mapping[str, Any]] = lambda experiment: {}
  data_name: Callable[[Any, Any], str] = lambda task, data: data_name(task)
  caution: Callable[[Mapping, Mapping], str] = lambda card, table: ""
  prepared: Callable[[Any, Any], Prepared | None] = lambda experiment, data: None
  renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)
  claims: tuple[claims_lib.Claim, ...] = ()
  numbers: Callable[[claims_lib.Results], tuple[dict, ...]] | None = None
  number_columns: tuple[str, ...] = ()
  lead: tuple[str, ...] = ()
  foremost: Callable[[xr.Dataset], bool] = lambda found: True
  glossary: Mapping[str, str] = dataclasses.field(default_factory=dict)

  def leading(self) -> list[Slice]:
    """Returns the slices, those that say most first."""
    names = dict.fromkeys([*self.lead, *self.slices])
    return [self.slices[name] for name in names if name in self.slices]

  def built(self, experiment: Any, data: Any, arrays: Mapping[str, np.ndarray]):
    """Returns what `build` gives, of the arrays that `prepared` says where there are any."""
    return self.build(experiment, data, arrays) if arrays else self.build(experiment, data)

  def with_slices(self, more: Iterable[Slice]) -> "Study":
    """Returns the study with slices of the user's own behind its own.

    Raises `ValueError` for a name that the study has already.
    """
    slices = dict(self.slices)
    for each in more:
      if each.name in slices:
        raise ValueError(
          f"The study {self.name!r} has a slice {each.name!r} of its own; rename the file."
        )
      slices[each.name] = each
    added = [each for each in slices.values() if each.name not in self.slices]
    return dataclasses.replace(
      self,
      slices=slices,
      settings=_with_settings(self.settings, added),
      claims=self.claims + tuple(claim for each in added for claim in each.claims),
    )


def _with_settings(settings: type, slices: Iterable[Slice]) -> type:
  """Returns the study's settings with those of its slices, a field for each."""
  fields = [
    (each.name, each.settings, dataclasses.field(default_factory=each.settings))
    for each in slices
    if each.settings is not None
  ]
  if not fields:
    return settings
  return dataclasses.make_dataclass("Settings", fields, bases=(settings,), kw_only=True)


def figure_name(name: str, page: str = "") -> str:
  """Returns the file of a slice's page: `masking.png` of a run, `masking.all-runs.png` of all."""
  return f"{name}.{re.sub(r'[^A-Za-z0-9_-]+', '-', page)}.png" if page else f"{name}.png"


def names() -> tuple[str, ...]:
  """Returns the studies there are, found by the names of their packages and of plugins."""
  return (*_shipped(), *plugins.brought("study"))


@functools.cache
def _shipped() -> tuple[str, ...]:
  places = plugins.places("primelens.studies")
  shipped = [each.name for each in pkgutil.iter_modules(places) if each.ispkg]
  return tuple(sorted(shipped, key=_place))


_FIRST = ("zeros", "addition", "text", "primes")  # the order in which they are shown


def _place(name: str) -> tuple[int, str]:
  return (_FIRST.index(name) if name in _FIRST else len(_FIRST), name)


def find(name: str) -> Study:
  """Returns a study by its name; raises `ValueError` listing those there are."""
  known = names()  # what is not hashable is in no dict
  if name not in known:
    raise ValueError(f"study={checks.brief(name)} is not one of {', '.join(known)}.")
  return _found(name)


@functools.cache
def _found(name: str) -> Study:
  module = plugins.brought("study").get(name)
  if isinstance(module, Study):
    return module
  module = module or importlib.import_module(f"primelens.studies.{name}")
  return _of_package(name, module)


# What else the `program` of a study's package may say of it.
_OF_PROGRAM = ("members", "card", "foremost", "data_name", "caution", "prepared", "renamed")


def _of_package(name: str, package: types.ModuleType) -> Study:
  """Returns the study that a package is: `program` trains, every module with `measure` reads."""
  program = importlib.import_module(f"{package.__name__}.program")
  slices = {
    key: slice_of(importlib.import_module(f"{package.__name__}.{key}"), key)
    for key in questions(package)
  }
  title, about = _parts(package.__doc__ or "")
  found = Study(
    name=name,
    title=title.rstrip("."),
    about=about,
    settings=_with_settings(program.Settings, slices.values()),
    slices=slices,
    check=program.check,
    build=program.build,
    bind=program.bind,
    cost=program.cost,
    run=getattr(program, "Run", Run),
    claims=tuple(claim for each in slices.values() for claim in each.claims)
    + _apart(package, slices),
    lead=tuple(getattr(package, "LEAD", ())),
    glossary=dict(getattr(package, "GLOSSARY", {})),
    **{key: getattr(program, key) for key in _OF_PROGRAM if hasattr(program, key)},
  )
  if not any(each.numbers for each in slices.values()):
    return found
  beside = getattr(program, "BESIDE", numbers_lib.Beside())
  joined = numbers_lib.Joined(Path(package.__path__[0]) / "published.csv", slices, beside)
  return dataclasses.replace(found, numbers=joined, number_columns=beside.columns())


def _apart(package: types.ModuleType, slices) -> tuple[claims_lib.Claim, ...]:
  """Returns the claims of those modules of a package that read no run."""
  others = [path for path in _modules(package) if path.stem not in slices]
  names = [path.stem for path in others if is_trial(path)]
  modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
  return tuple(claim for module in modules for claim in module.CLAIMS)


def _modules(package: types.ModuleType) -> list[Path]:
  (folder,) = package.__path__
  return sorted(Path(folder).glob("[a-z]*.py"))


def questions(package: types.ModuleType) -> dict[str, str]:
  """Returns `{slice: question}` of a package: those of its ORDER, then the others by name."""
  found = {path.stem: about for path in _modules(package) if (about := is_slice(path)) is not None}
  order = [key for key in getattr(package, "ORDER", ()) if key in found]
  return {key: found[key] for key in dict.fromkeys([*order, *found])}


def shared(name: str) -> types.ModuleType:
  """Returns a module that studies share, found by its name when it is called."""
  return importlib.import_module(f"primelens.studies.{name}")


# --- cards ----------------------------------------------------------------------------------------


def card(
  its: Study, experiment: Any, manifest: Mapping[str, Any], seeds: int, data: str = ""
) -> dict[str, Any]:
  """Returns what a run is, in words that claims choose runs by.

  `data` names what the run was trained on where its manifest, of an earlier revision, does not.

  study, kind (of model), data, memory, size (parameters of a network), seeds (that are read),
  population (what its networks have in common), the study's own words, and every field of its
  config ("model.window").
  """
  model = experiment.model
  return {
    "study": its.name,
    "kind": model.kind,
    "data": manifest.get("data") or data or data_name(experiment.task),
    "memory": getattr(model, "memory", "none"),
    "size": manifest.get("parameters") or its.cost(experiment).parameters,
    "seeds": seeds,
    "population": experiment.study,
    **its.card(experiment),
    **fields_of(experiment),
  }


def data_name(task: Any) -> str:
  """Returns the kind of a task's data; of a surrogate, which one."""
  return getattr(task, "ensemble", task.kind)


def fields_of(config: Any, prefix: str = "") -> dict[str, Any]:
  """Returns `{"model.window": 256, ...}` of a config's task, model and fit."""
  found: dict[str, Any] = {}
  for field in dataclasses.fields(config):
    value = getattr(config, field.name)
    if field.name == "analyses" or not prefix and field.name == "study":
      continue
    if dataclasses.is_dataclass(value):
      found |= fields_of(value, f"{prefix}{field.name}.")
    else:
      found[prefix + field.name] = value
  return found
