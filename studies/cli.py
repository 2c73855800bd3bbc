"""Flags in, one clear line out: what both command lines share.

Every user error (a wrong flag, a wrong value, a missing or broken file) ends
as one line on stderr that names the valid choices, with exit code 2.
"""

from collections.abc import Callable
import dataclasses
import os
from pathlib import Path
import sys
from typing import Any

from absl import flags
from ml_collections import config_flags
import primelens.configs
import rich.console
import rich.progress

USER_ERROR = 2
ALL_FROZEN = 3
INTERRUPTED = 130


def fail(message: str) -> int:
  """Returns exit code 2, having said why in one line."""
  print("error: " + " ".join(str(message).split()), file=sys.stderr)
  return USER_ERROR


def run(main: Callable[[list[str]], int], argv: list[str]) -> int:
  """Returns the exit code of `main(argv)`; user errors become one line.

  PRIMELENS_TRACEBACK=1 shows the traceback instead.
  """
  try:
    return main(argv)
  except KeyboardInterrupt:
    return INTERRUPTED
  except (flags.Error, ValueError, OSError) as error:
    if os.environ.get("PRIMELENS_TRACEBACK"):
      raise
    return fail(str(error))


def parse(values: flags.FlagValues, argv: list[str], usage: str) -> bool:
  """Parses the flags; returns False when help was asked for and printed.

  Raises `ValueError` in one line for every kind of bad flag.
  """
  wanted = {"--help", "-help", "-h", "--helpfull"}
  if wanted & set(argv[1:]):
    print(usage.strip() + "\n" + values.get_help())
    return False
  try:
    rest = values(argv, known_only=False)
  except flags.Error as error:
    raise ValueError(f"{error}. See --help.") from error
  except (KeyError, AttributeError) as error:  # config_flags: unknown field
    raise ValueError(f"{str(error).strip(chr(34))}") from error
  except (TypeError, SyntaxError, ImportError) as error:
    raise ValueError(f"The config cannot be read: {error}") from error
  if len(rest) > 1:
    raise ValueError(f"Unexpected argument {rest[1]!r}. See --help.")
  return True


def shipped_configs() -> dict[str, Path]:
  """Returns the configs that come with the package, by name."""
  folders = [Path(folder) for folder in primelens.configs.__path__]
  files = [path for folder in folders for path in folder.glob("[a-z]*.py")]
  return {path.stem: path for path in sorted(files)}


def config_path(argv: list[str]) -> list[str]:
  """Returns argv with `--config=NAME` turned into the shipped file's path.

  Raises `ValueError` listing the shipped configs when there is no such file.
  """
  shipped = shipped_configs()

  def resolve(argument: str) -> str:
    flag, _, value = argument.partition("=")
    if flag not in ("--config", "-config"):
      return argument
    name = value.partition(":")[0]
    if Path(name).is_file():
      return argument
    if name in shipped:
      return f"{flag}={shipped[name]}{value[len(name) :]}"
    raise ValueError(
      f"No config {value!r}; a file, or one of {', '.join(shipped)}."
    )

  if "--config" in argv[:-1]:  # the two-word form
    at = argv.index("--config")
    argv = [*argv[:at], f"--config={argv[at + 1]}", *argv[at + 2 :]]
  return [argv[0], *map(resolve, argv[1:])]


def define_config(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines `--config` and its `--config.a.b=value` overrides."""
  config_flags.DEFINE_config_file(
    "config",
    None,
    "Experiment: a file with get_config(), or the name of a shipped one.",
    lock_config=False,
    flag_values=values,
    sys_argv=argv,
  )


def assign(config: Any, assignments: list[str]) -> Any:
  """Returns a dataclass tree with "a.b=value" assignments made.

  Values take the type of what they replace; tuples are comma-separated.
  Raises `ValueError` naming the valid fields or the expected type.
  """
  for assignment in assignments:
    name, equals, text = assignment.partition("=")
    if not equals:
      raise ValueError(f"--set {assignment!r} is not of the form a.b=value.")
    config = _assigned(config, name.split("."), text, name)
  return config


def _assigned(config, parts: list[str], text: str, name: str):
  names = [field.name for field in dataclasses.fields(config)]
  if parts[0] not in names:
    raise ValueError(f"No setting {name!r}; valid here: {', '.join(names)}.")
  old = getattr(config, parts[0])
  if dataclasses.is_dataclass(old) and len(parts) > 1:
    new = _assigned(old, parts[1:], text, name)
  elif dataclasses.is_dataclass(old) or len(parts) > 1:
    raise ValueError(f"{name!r} is not a single setting.")
  else:
    new = _value(old, text, name)
  return dataclasses.replace(config, **{parts[0]: new})


def _value(old, text: str, name: str):
  try:
    if isinstance(old, bool):
      return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    if isinstance(old, tuple):
      kind = type(old[0]) if old else int
      return tuple(kind(item) for item in text.split(",") if item)
    return type(old)(text)
  except (ValueError, KeyError) as error:
    kind = type(old).__name__
    raise ValueError(f"{name}={text!r} is not a {kind}.") from error


def progress() -> rich.progress.Progress | None:
  """Returns a progress bar on a terminal, None elsewhere."""
  console = rich.console.Console(stderr=True)
  if not console.is_terminal:
    return None
  return rich.progress.Progress(
    rich.progress.TextColumn("{task.description}"),
    rich.progress.BarColumn(),
    rich.progress.MofNCompleteColumn(),
    rich.progress.TimeRemainingColumn(),
    rich.progress.TextColumn("{task.fields[note]}"),
    console=console,
  )
