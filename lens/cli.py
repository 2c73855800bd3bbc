"""Flags in, one clear line out: what both command lines share.

Every user error (a wrong flag, a wrong value, a missing or broken file) ends
as one line on stderr that names the valid choices, with exit code 2. Whatever
else goes wrong is one line, too, with an exit code of its own. Nothing here starts
jax: it is imported where it is used.
"""

import ast
import contextlib
import copy
import dataclasses
import errno
import math
import os
import signal
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import rich.console
import rich.progress
from absl import flags
from primelens.lens import plugins
from primelens.tasks import checks, files

USER_ERROR = 2
ALL_FROZEN = 3
NO_SPACE = 4  # the disk is full, or a quota is
UNEXPECTED = 70  # a fault of the program (EX_SOFTWARE)
INTERRUPTED = 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
AGAIN_SECONDS = 0.05  # until an interrupt that was dropped comes again
LONGEST = 4000  # characters of an error's line


def say(text: object, *, error: bool = False) -> None:
  """Prints a text at once, to stdout or to stderr, with control characters of names written out.

  Where nobody reads any more, as behind `| head`, the rest is dropped: work that has begun is
  done to its end.
  """
  stream = sys.stderr if error else sys.stdout
  try:
    print(files.shown(text, keep="\n"), file=stream, flush=True)
  except BrokenPipeError:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _encodable() -> None:
  """Lets characters that the terminal's encoding lacks be written out, as in \\u2212."""
  for stream in (sys.stdout, sys.stderr):
    if hasattr(stream, "reconfigure"):
      stream.reconfigure(errors="backslashreplace")


def fail(message: object, code: int = USER_ERROR) -> int:
  """Returns the exit code, having said why in one line on stderr."""
  line = " ".join(str(message).split())
  cut = "" if len(line) <= LONGEST else " ..."
  say(f"error: {line[:LONGEST]}{cut}", error=True)
  return code


def run(main: Callable[[list[str]], int], argv: list[str]) -> int:
  """Returns the exit code of `main(argv)`; an exception becomes one line.

  PRIMELENS_TRACEBACK=1 shows the traceback instead.
  """
  _encodable()
  try:
    with _interruptible():
      for argument in argv:
        if not files.is_text(argument):
          raise ValueError(f"The argument {argument!r} is not text in UTF-8.")
      return main(argv)
  except KeyboardInterrupt:
    return INTERRUPTED
  except Exception as error:
    return ended(error)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
  """Sends a Ctrl-C again that came inside a finalizer or a callback of the garbage collector.

  Python drops an exception there, behind a traceback: the command would go on as if nobody had
  asked it to end.
  """
  before = sys.unraisablehook

  def hook(dropped):
    if not issubclass(dropped.exc_type, KeyboardInterrupt):
      before(dropped)
      return
    # From another thread, and later: raised inside this hook it would be dropped, too.
    again = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT))
    again.daemon = True
    again.start()

  sys.unraisablehook = hook
  try:
    yield
  finally:
    if sys.unraisablehook is hook:  # not one that was put over it, for good
      sys.unraisablehook = before


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
  import jax

  exhausted = isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
  if exhausted or isinstance(error, MemoryError):
    reason = str(error).strip().partition("\n")[0]
    advice = "Ask for fewer seeds, a smaller batch or less data."
    return fail(f"{where}out of memory: {reason} {advice}")
  return fail(
    f"{where}unexpected {type(error).__name__}: {error} (a fault of primelens: "
    "PRIMELENS_TRACEBACK=1 shows where)",
    UNEXPECTED,
  )


def define_plugin(values: flags.FlagValues) -> None:
  """Defines --plugin."""
  flags.DEFINE_multi_string(
    "plugin",
    [],
    "A Python file or module of yours that brings a task, a model, a study or a question; it is "
    "run. A flag for each.",
    flag_values=values,
  )


def parse(values: flags.FlagValues, argv: list[str], usage: Callable[[], str]) -> bool:
  """Parses the flags; returns False when help was asked for and printed.

  Raises `ValueError` in one line for every kind of bad flag.
  """
  wanted = {"--help", "-help", "-h", "--helpfull"}
  if wanted & set(argv[1:]):
    say(usage().strip() + "\n" + values.get_help())
    return False
  try:
    rest = values(argv, known_only=False)
  except flags.Error as error:
    raise ValueError(f"{error}. See --help.") from error
  if len(rest) > 1:
    raise ValueError(f"Unexpected argument {rest[1]!r}. See --help.")
  return True


def folders(texts: list[str], flag: str = "--workdir") -> list[Path]:
  """Returns the folders that a flag names, comma-separated or one by one.

  A name may have commas of its own: the longest that is there comes first. Raises `ValueError`
  for an empty name, which would be the folder one is in.
  """
  found = []
  for text in texts:
    parts = text.split(",")
    while parts:
      joined = [",".join(parts[:count]) for count in range(len(parts), 0, -1)]
      name = next((name for name in joined[:-1] if os.path.lexists(files.home(name))), parts[0])
      if not name:
        raise ValueError(f"{flag}={text!r} has an empty name.")
      found.append(files.home(name))
      parts = parts[name.count(",") + 1 :]
  return found


def words(texts: list[str], flag: str) -> list[str]:
  """Returns the words of a flag, comma-separated or one by one; `ValueError` for an empty one."""
  found = [word.strip() for text in texts for word in text.split(",")]
  if not all(found):
    raise ValueError(f"{flag}={','.join(texts)!r} has an empty name.")
  return found


def devices() -> None:
  """Starts the devices; raises `ValueError` in one line where there are none."""
  import jax

  try:
    jax.devices()
  except RuntimeError as error:
    raise ValueError(f"JAX finds no device: {error}") from error


def shipped_configs() -> dict[str, Path]:
  """Returns the configs that come with the package, by name."""
  files = [path for folder in _config_folders() for path in folder.glob("[a-z]*.py")]
  return {path.stem: path for path in sorted(files)}


def _config_folders() -> list[Path]:
  return [Path(folder) for folder in plugins.places("primelens.configs")]


def families() -> dict[str, tuple[str, ...]]:
  """Returns the variants and the groups of every shipped config, by its name; none is imported."""
  return {
    name: (*_written(path, "VARIANTS"), *_written(path, "GROUPS"))
    for name, path in shipped_configs().items()
  }


def listed() -> str:
  """Returns the shipped configs in lines for `--help`."""
  wrapped = [
    textwrap.fill(
      ", ".join(names),
      width=80,
      initial_indent=f"  {name:<17}",
      subsequent_indent=" " * 19,
      break_long_words=False,
      break_on_hyphens=False,
    )
    for name, names in families().items()
  ]
  return "\n".join(wrapped)


def _written(path: Path, name: str) -> tuple:
  """Returns the strings of a tuple, or the keys of a dict, that a Python file gives a name.

  The file is not run: what it says may be made of others, as in `(*SMALL, "large")` and
  `SMALL | LARGE`.
  """
  said: dict[str, ast.expr] = {}
  for node in ast.parse(files.read(path, limit=plugins.SOURCE_BYTES)).body:
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
      targets = node.targets if isinstance(node, ast.Assign) else [node.target]
      said |= {target.id: node.value for target in targets if isinstance(target, ast.Name)}

  def strings(node: ast.expr | None) -> Iterator[str]:
    if isinstance(node, ast.Constant):
      yield str(node.value)
    elif isinstance(node, ast.Name):
      yield from strings(said.get(node.id))
    elif isinstance(node, ast.Starred):
      yield from strings(node.value)
    elif isinstance(node, ast.BinOp):
      yield from (*strings(node.left), *strings(node.right))
    elif isinstance(node, ast.Tuple | ast.Dict):
      for item in node.elts if isinstance(node, ast.Tuple) else node.keys:
        yield from strings(item)

  return tuple(strings(said.get(name)))


def _renamed(name: str) -> str:
  """Returns what a config of an earlier revision is called now, or "".

  The table is EARLIER of configs/__init__.py: what a name alone and what one with an argument is.
  """
  head, _, argument = name.partition(":")
  head = Path(head).name.removesuffix(".py")
  for folder in _config_folders():
    tree = ast.parse(files.read(folder / "__init__.py", limit=plugins.SOURCE_BYTES))
    for node in tree.body:
      if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EARLIER":
        earlier = ast.literal_eval(node.value)
        if argument and f"{head}:{argument}" in earlier:
          return earlier[f"{head}:{argument}"][0]
        alone, pattern = earlier.get(head, ("", ""))
        if pattern.endswith("_{}"):
          argument = argument.replace(",", "_")
        return pattern.format(argument) if argument and pattern else alone
  return ""


def config_file(name: str) -> tuple[Path, list[str]]:
  """Returns a config's file and its argument, from "file[:argument]".

  The file may be the name of a shipped config. Both may have colons: a file of the whole name
  comes first, then the longest name in front of a colon. Raises `ValueError` listing the shipped
  ones when there is no such file, or saying what a name of an earlier revision is now.
  """
  shipped = shipped_configs()
  path = name
  arguments: list[str] = []
  while True:
    file = files.home(path)
    if path in shipped and not file.is_file():
      break
    if path and os.path.lexists(file):  # a folder or a pipe is refused when it is read
      return file, arguments
    path, colon, _ = path.rpartition(":")
    if not colon:
      break
    arguments = [name[len(path) + 1 :]]
  if now := _renamed(name):
    raise ValueError(f"The config {name!r} of an earlier revision is called {now} now.")
  if not path:
    raise ValueError(f"No config {name!r}; a file, or one of {', '.join(shipped)}.")
  return shipped[path], arguments


ALL = "all"  # in place of an argument: every variant of a family of configs


def load_configs(name: str, kind: type = object) -> dict[str, Any]:
  """Returns what `get_config` of a config file gives, by variant ("" for a single one).

  FILE:all gives every variant that the file's VARIANTS names, FILE:GROUP those of one of its
  GROUPS; `p10_all` gives `p10_drift` under the name `drift`. The file is Python, and is run.
  Raises `ValueError` in one line when it is no regular file, does not run, has no `get_config`,
  or gives something that is not of the kind.
  """
  file, arguments = config_file(name)
  module = plugins.run_file(file, f"primelens_config_{file.stem}")
  if not callable(getattr(module, "get_config", None)):
    raise ValueError(f"{file} cannot be read: it has no function get_config().")
  group = arguments[0] if arguments else ""
  groups = {ALL: getattr(module, "VARIANTS", ())} | dict(getattr(module, "GROUPS", {}))
  if group not in groups:
    return {"": _got(module, arguments, kind)}
  variants = tuple(map(str, groups[group]))
  if not variants:
    raise ValueError(f"{file} has no variants: it has no tuple VARIANTS of arguments.")
  short = group.removesuffix(ALL)
  return {variant.removeprefix(short): _got(module, [variant], kind) for variant in variants}


def _got(module, arguments: list[str], kind: type) -> Any:
  """Returns the config that a file gives for its arguments, of the kind wanted."""
  file = module.__file__
  try:
    config = module.get_config(*arguments)
  except KeyboardInterrupt:
    raise
  except BaseException as error:  # whatever a user's file may raise, sys.exit() too
    if isinstance(error, ValueError):  # the config's own words
      raise ValueError(plugins.said(error)) from error
    raise ValueError(
      f"{file} cannot be read: {type(error).__name__}: {plugins.said(error)}"
    ) from error
  if not isinstance(config, kind):
    found = type(config).__name__
    raise ValueError(f"{file}: get_config() gives a {found}; it must be a {kind.__name__}.")
  return config


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

  Values are of the type that the field is annotated with; tuples are comma-separated. The
  result is a copy and is not validated yet, as two fields may have to change
  together. Raises `ValueError` naming the valid fields or the expected type.
  """
  config = _copied(config)
  seen = set()
  for assignment in assignments:
    name, equals, text = assignment.partition("=")
    if not equals:
      raise ValueError(f"{assignment!r} is not of the form a.b=value.")
    if name in seen:
      raise ValueError(f"{name!r} is given twice.")
    seen.add(name)
    *parents, last = name.split(".")
    holder = config
    for part in parents:
      holder = getattr(holder, _field(holder, part, name).name)
      if not dataclasses.is_dataclass(holder):
        raise ValueError(f"{name!r}: {part} is a single value.")
    field = _field(holder, last, name)
    old = getattr(holder, last)
    if dataclasses.is_dataclass(old):
      inner = ", ".join(field.name for field in dataclasses.fields(old))
      raise ValueError(f"{name!r} has fields of its own: {inner}.")
    setattr(holder, last, _value(field.type, text, name))
  return config


def _copied(config: Any, levels: int = 8) -> Any:
  """Returns the dataclasses of a tree anew, with the values that they hold."""
  if not dataclasses.is_dataclass(config) or isinstance(config, type) or not levels:
    return config
  new = copy.copy(config)
  for field in dataclasses.fields(config):
    setattr(new, field.name, _copied(getattr(config, field.name), levels - 1))
  return new


def _field(holder, part: str, name: str) -> dataclasses.Field:
  by_name = {field.name: field for field in dataclasses.fields(holder)}
  if part not in by_name:
    raise ValueError(f"No field {part!r} in {name!r}; valid here: {', '.join(by_name)}.")
  return by_name[part]


def _value(annotation: Any, text: str, name: str) -> Any:
  """Returns the text as a value of an annotated type."""
  kind = checks.base(annotation)
  origin = get_origin(kind)
  if origin is Literal or kind is str:
    return text
  try:
    if kind is bool:
      return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    if origin is tuple:
      return _tuple(get_args(kind)[0], text)
    if kind in (int, float):
      return kind(text)
    raise ValueError(f"{kind} cannot be written as text.")
  except (ValueError, KeyError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
    wanted = (origin or kind).__name__
    raise ValueError(f"{name}={checks.brief(text)} is not a {wanted}.") from error


def _tuple(item: Any, text: str) -> tuple:
  """Returns the text as a tuple of items of an annotated type."""
  kind = checks.base(item)
  if kind is str:
    return tuple(filter(None, text.split(",")))  # no quotes needed
  with warnings.catch_warnings():  # of what only looks like Python
    warnings.simplefilter("ignore")
    value = ast.literal_eval(text or "()")
  items = value if isinstance(value, tuple) else (value,)
  pairs = get_origin(kind) is tuple
  if pairs and not any(isinstance(each, tuple) for each in items):
    items = (items,)  # a single pair
  kinds = (int, float) if kind is float else tuple if pairs else kind
  if not all(isinstance(each, kinds) for each in items):
    raise ValueError(f"{checks.brief(value)} holds another type.")
  return items


def use_cores(seeds: int) -> None:
  """Makes as many CPU devices as divide the seeds among the cores.

  On a CPU one device hardly uses a second core, while seeds on devices of
  their own do. Call it before anything touches a device; no other platform
  is affected.
  """
  import jax

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
