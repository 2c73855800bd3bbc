"""Flags in, one clear line out: what both command lines share.

Every user error (a wrong flag, a wrong value, a missing or broken file) ends
as one line on stderr that names the valid choices, with exit code 2. Whatever
else goes wrong is one line, too, with an exit code of its own.
"""

import ast
import copy
import dataclasses
import errno
import importlib.util
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import primelens.configs
import rich.console
import rich.progress
from absl import flags
from primelens.tasks import files

USER_ERROR = 2
ALL_FROZEN = 3
NO_SPACE = 4  # the disk is full, or a quota is
UNEXPECTED = 70  # a fault of the program (EX_SOFTWARE)
INTERRUPTED = 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def say(text: object, *, end: str = "\n", error: bool = False) -> None:
  """Prints a text on stdout, or on stderr, with the control characters of names written out."""
  print(
    files.shown(text, keep="\n"), end=end, file=sys.stderr if error else sys.stdout, flush=error
  )


def fail(message: object, code: int = USER_ERROR) -> int:
  """Returns the exit code, having said why in one line on stderr."""
  say("error: " + " ".join(str(message).split()), error=True)
  return code


def run(main: Callable[[list[str]], int], argv: list[str]) -> int:
  """Returns the exit code of `main(argv)`; an exception becomes one line.

  PRIMELENS_TRACEBACK=1 shows the traceback instead.
  """
  try:
    return main(argv)
  except KeyboardInterrupt:
    return INTERRUPTED
  except Exception as error:
    return ended(error)


def ended(error: Exception, where: str = "") -> int:
  """Returns the exit code of what went wrong, said in one line that begins with `where`.

  PRIMELENS_TRACEBACK=1 raises the error instead.
  """
  if os.environ.get("PRIMELENS_TRACEBACK"):
    raise error
  if isinstance(error, OSError) and error.errno in FULL:
    name = error.filename or "the run directory"
    return fail(f"{where}{name}: {error.strerror}. Make room, then repeat the command.", NO_SPACE)
  if isinstance(error, flags.Error | ValueError | OSError):
    return fail(f"{where}{error}")
  return fail(
    f"{where}unexpected {type(error).__name__}: {error} (a fault of primelens: "
    "PRIMELENS_TRACEBACK=1 shows where)",
    UNEXPECTED,
  )


def parse(values: flags.FlagValues, argv: list[str], usage: str) -> bool:
  """Parses the flags; returns False when help was asked for and printed.

  Raises `ValueError` in one line for every kind of bad flag.
  """
  wanted = {"--help", "-help", "-h", "--helpfull"}
  if wanted & set(argv[1:]):
    say(usage.strip() + "\n" + values.get_help())
    return False
  try:
    rest = values(argv, known_only=False)
  except flags.Error as error:
    raise ValueError(f"{error}. See --help.") from error
  if len(rest) > 1:
    raise ValueError(f"Unexpected argument {rest[1]!r}. See --help.")
  return True


def shipped_configs() -> dict[str, Path]:
  """Returns the configs that come with the package, by name."""
  folders = [Path(folder) for folder in primelens.configs.__path__]
  files = [path for folder in folders for path in folder.glob("[a-z]*.py")]
  return {path.stem: path for path in sorted(files)}


def config_file(name: str) -> tuple[Path, list[str]]:
  """Returns a config's file and its argument, from "file[:argument]".

  The file may be the name of a shipped config. Raises `ValueError` listing
  those when there is no such file.
  """
  path, colon, argument = name.partition(":")
  shipped = shipped_configs()
  file = Path(path) if Path(path).is_file() else shipped.get(path)
  if file is None:
    raise ValueError(f"No config {name!r}; a file, or one of {', '.join(shipped)}.")
  return file, [argument] if colon else []


def load_config(name: str) -> Any:
  """Returns what `get_config` of a config file gives.

  Raises `ValueError` in one line when the file does not run or has none.
  """
  file, arguments = config_file(name)
  spec = importlib.util.spec_from_file_location(f"config_{file.stem}", file)
  if spec is None or spec.loader is None:
    raise ValueError(f"{file} is not a Python file.")
  module = importlib.util.module_from_spec(spec)
  try:
    spec.loader.exec_module(module)
    return module.get_config(*arguments)
  except ValueError:
    raise
  except Exception as error:  # whatever a user's file may raise
    raise ValueError(f"{file} cannot be read: {error!r}") from error


def split_overrides(argv: list[str]) -> tuple[list[str], list[str]]:
  """Returns argv without its `--config.a.b=value` flags, and these as
  "a.b=value".

  We parse them ourselves: config_flags of ml_collections knows neither
  Literal fields nor nested tuples, and its messages do not name the choices.
  """
  mine = [arg for arg in argv[1:] if arg.startswith("--config.")]
  rest = [argv[0], *(arg for arg in argv[1:] if arg not in mine)]
  return rest, [arg.removeprefix("--config.") for arg in mine]


def assign(config: Any, assignments: list[str]) -> Any:
  """Returns a dataclass tree with "a.b=value" assignments made.

  Values take the type of what they replace; tuples are comma-separated. The
  result is a copy and is not validated yet, as two fields may have to change
  together. Raises `ValueError` naming the valid fields or the expected type.
  """
  config = copy.deepcopy(config)
  for assignment in assignments:
    name, equals, text = assignment.partition("=")
    if not equals:
      raise ValueError(f"{assignment!r} is not of the form a.b=value.")
    *parents, last = name.split(".")
    holder = config
    for part in parents:
      holder = _field(holder, part, name)
      if not dataclasses.is_dataclass(holder):
        raise ValueError(f"{name!r}: {part} is a single value.")
    old = _field(holder, last, name)
    if dataclasses.is_dataclass(old):
      inner = ", ".join(field.name for field in dataclasses.fields(old))
      raise ValueError(f"{name!r} has fields of its own: {inner}.")
    setattr(holder, last, _value(old, text, name))
  return config


def _field(holder, part: str, name: str):
  names = [field.name for field in dataclasses.fields(holder)]
  if part not in names:
    raise ValueError(f"No field {part!r} in {name!r}; valid here: {', '.join(names)}.")
  return getattr(holder, part)


def _value(old, text: str, name: str):
  """Returns the text as a value of the old one's type."""
  kind = type(old).__name__
  try:
    if isinstance(old, bool):
      return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    if isinstance(old, tuple) and old and isinstance(old[0], str):
      return tuple(filter(None, text.split(",")))  # no quotes needed
    if isinstance(old, tuple):
      return _tuple(old, ast.literal_eval(text or "()"))
    return type(old)(text)
  except (ValueError, KeyError, SyntaxError) as error:
    raise ValueError(f"{name}={text!r} is not a {kind}.") from error


def _tuple(old: tuple, value) -> tuple:
  """Returns the value as a tuple, its items of the type of the old ones."""
  items = value if isinstance(value, tuple) else (value,)
  kind = type(old[0]) if old else object
  if kind is tuple and not any(isinstance(item, tuple) for item in items):
    items = (items,)  # a single pair
  kinds = (int, float) if kind is float else kind
  if not all(isinstance(item, kinds) for item in items):
    raise ValueError(f"{value!r} holds another type than {kind.__name__}.")
  return items


def use_cores(seeds: int) -> None:
  """Makes as many CPU devices as divide the seeds among the cores.

  On a CPU one device hardly uses a second core, while seeds on devices of
  their own do. Call it before anything touches a device; no other platform
  is affected.
  """
  try:
    jax.config.update("jax_num_cpu_devices", math.gcd(seeds, cores()))
  except RuntimeError:  # called from a program that has its devices already
    pass


def cores() -> int:
  """Returns how many cores this process may use."""
  if hasattr(os, "sched_getaffinity"):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def progress() -> rich.progress.Progress | None:
  """Returns a progress bar on a terminal, None elsewhere."""
  console = rich.console.Console(stderr=True)
  if not console.is_terminal:
    return None
  # Notes hold names of tensors, in which brackets are no markup.
  words = lambda text: rich.progress.TextColumn(text, markup=False)
  return rich.progress.Progress(
    words("{task.description}"),
    rich.progress.BarColumn(),
    rich.progress.MofNCompleteColumn(),
    rich.progress.TimeRemainingColumn(),
    words("{task.fields[note]}"),
    console=console,
  )
