"""Bad inputs, and what the two commands say to each: one line, exit code 2, nothing written.

A case is a command line with places in braces: `{config}` is a config that is right, `{run}` a
trained run, `{folder}` what `prepare` fills with broken files and runs, `{new}` a folder that is
not there. The tests call the commands in one process; a campaign may start one for each.
"""

import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Case(NamedTuple):
  """A command, its arguments, and a regular expression of the line on stderr."""

  command: str  # train or analyze
  argv: tuple[str, ...]
  said: str


_LINES = "".join(f"{14.5 + i}\n" for i in range(40)).encode()
FILES: dict[str, bytes] = {
  "none.py": b"def get_config(): pass\n",
  "number.py": b"get_config = lambda: 3\n",
  "mapping.py": b"get_config = lambda: {'study': 'zeros'}\n",
  "kind.py": b"get_config = lambda: dict\n",
  "exit.py": b"import sys\ndef get_config(): sys.exit(0)\n",
  "exit_early.py": b"import sys\nsys.exit('enough')\n",
  "base.py": b"class Odd(BaseException): pass\ndef get_config(): raise Odd('odd')\n",
  "closing.py": b"def get_config(): raise GeneratorExit\n",
  "stop.py": b"def get_config(): raise StopIteration\n",
  "key.py": b"def get_config(): return {}['seeds']\n",
  "zero.py": b"x = 1 / 0\n",
  "value.py": b"x = int('two')\n",
  "file.py": b"open('/no/such/file')\n",
  "memory.py": b"def get_config(): raise MemoryError\n",
  "silent.py": b"class Odd(Exception):\n  def __str__(self): raise KeyError\n"
  b"def get_config(): raise Odd\n",
  "lines.py": b"def get_config(): raise OSError('two\\nlines\\x1b[2J')\n",
  "endless.py": b"def get_config(): return get_config()\n",
  "syntax.py": b"def get_config(:\n",
  "indent.py": b"def get_config():\nreturn 3\n",
  "import.py": b"import no_such_module\n",
  "relative.py": b"from . import sibling\n",
  "nothing.py": b"",
  "lacking.py": b"config = 3\n",
  "uncallable.py": b"get_config = 3\n",
  "argument.py": b"def get_config(memory): pass\n",
  "nul.py": b"x = 1\0\n",
  "latin.py": b"x = '\xff'\n",
  "elf.py": b"\x7fELF\x02\x01\x01" + bytes(range(256)),
  "deep.py": b"x = " + b"[" * 5000 + b"]" * 5000 + b"\n",
  "large.py": b"#" * (1 << 21),
  "words.txt": b"14.5\ntwo\n",
  "empty.txt": b"",
  "binary.txt": bytes(range(256)) * 20,
  "columns.txt": b"1 14.5\n2 21.0\n",
  "descending.txt": b"21.0\n14.5\n",
  "infinite.txt": b"14.5\ninf\n",
  "cut.txt": _LINES[:-3],
  "cut.gz": gzip.compress(_LINES)[:-9],
  "bad.gz": b"\x1f\x8b" + b"x" * 100,
  "short.dat": b"\1",
  "counts.dat": b"\xff" * 8,
  "platt/nameless.dat": b"",
}
# Configs that are Experiments with something odd in them: what is done to a right one.
ODD: dict[str, str] = {
  "task_none": "config.task = None",
  "task_text": "config.task = 'zeros'",
  "task_number": "config.task.count = 'many'",
  "model_none": "config.model = None",
  "model_task": "config.model = config.task",
  "fit_none": "config.fit = None",
  "fit_list": "config.fit = [1, 2]",
  "study_list": "config.study = ['zeros']",
  "study_none": "config.study = None",
  "kind_list": "config.task.kind = ['surrogate']",
  "settings_none": "config.analyses = None",
  "settings_other": "config.analyses = config.fit",
  "rate_nan": "config.fit.optimizer.rate = float('nan')",
  "rate_text": "config.fit.optimizer.rate = '1e-3'",
  "seeds_bool": "config.fit.seeds = True",
  "seeds_float": "config.fit.seeds = 2.0",
  "seeds_function": "config.fit.seeds = lambda: 3",
  "seeds_digits": "config.fit.seeds = 10**6000",
  "ratios_generator": "config.analyses.masking.ratios = (x for x in (0, 1))",
  "ratios_list": "config.analyses.masking.ratios = [[[[[[[[[[[[0]]]]]]]]]]]]",
  "ratios_many": "config.analyses.masking.ratios = (0.0,) * 1000000",
  "trunk_itself": "config.model.trunk = config",
  "trunk_lock": "import threading; config.model.trunk = threading.Lock()",
  "pattern": "config.fit.optimizer.slow_pattern = '('",
}


def _at(*names: str, to) -> Callable[[dict], None]:
  """Returns what sets a place of a JSON object."""

  def change(data: dict) -> None:
    for name in names[:-1]:
      data = data[name]
    data[names[-1]] = to

  return change


def _without(*names: str) -> Callable[[dict], None]:
  """Returns what deletes a place of a JSON object."""

  def change(data: dict) -> None:
    for name in names[:-1]:
      data = data[name]
    del data[names[-1]]

  return change


# Runs whose config.json or manifest.json is broken: what is in its place, or what is done to it.
CONFIGS: dict[str, tuple[bytes | Callable[[dict], None], str]] = {
  "empty": (b"", "config.json is not readable JSON"),
  "half": (b'{"study": "zeros", ', "config.json is not readable JSON"),
  "list": (b"[]", "config.json is not a JSON object"),
  "null": (b"null", "config.json is not a JSON object"),
  "object": (b"{}", "config.json: study=None is not one of zeros"),
  "latin": (b'{"study": "\xff"}', "config.json is not readable JSON"),
  "deep": (b'{"study": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not readable JSON"),
  "nested": (b'{"study": ' + b"[" * 500 + b"]" * 500 + b"}", "study=.* is not one of zeros"),
  "digits": (b'{"study": ' + b"9" * 6000 + b"}", "config.json is not readable JSON"),
  "study_list": (_at("study", to=["zeros"]), r"study=\['zeros'\] is not one of zeros"),
  "study_number": (_at("study", to=3), "study=3 is not one of zeros"),
  "study_null": (_at("study", to=None), "study=None is not one of zeros"),
  "study_object": (_at("study", to={"a": 1}), "study=.* is not one of zeros"),
  "study_unknown": (_at("study", to="poems"), "study='poems' is not one of zeros"),
  "study_other": (_at("study", to="primes"), "Unknown field analyses"),
  "task_gone": (_without("task"), "task.kind=None is not one of addition"),
  "task_null": (_at("task", to=None), "task.kind=None is not one of addition"),
  "task_list": (_at("task", to=[1]), "task.kind=None is not one of addition"),
  "kind_list": (_at("task", "kind", to=["zeros"]), r"task.kind=\['zeros'\] is not one of add"),
  "kind_object": (_at("model", "kind", to={}), "model.kind={} is not one of binned"),
  "kind_number": (_at("model", "kind", to=1), "model.kind=1 is not one of binned"),
  "kind_other": (_at("model", to={"kind": "tokens"}), "model.kind='tokens' is not one of spacing"),
  "model_gone": (_without("model"), "model.kind=None is not one of binned"),
  "window_other": (_at("task", "window", to=12), "task.window=12 and model.window=16 must agree"),
  "fit_null": (_at("fit", to=None), "fit must be a mapping, got None"),
  "fit_text": (_at("fit", to="fast"), "fit must be a mapping, got 'fast'"),
  "unknown": (_at("fit", "epochs", to=3), "Unknown field fit.epochs; valid: steps, batch_size"),
  "seeds_text": (_at("fit", "seeds", to="2"), "fit.seeds='2' is not of type int"),
  "seeds_float": (_at("fit", "seeds", to=2.5), "fit.seeds=2.5 is not of type int"),
  "seeds_true": (_at("fit", "seeds", to=True), "fit.seeds=True is not of type int"),
  "seeds_null": (_at("fit", "seeds", to=None), "fit.seeds=None is not of type int"),
  "seeds_many": (_at("fit", "seeds", to=10**9), "fit.seeds=1000000000 must be at least 1 and at"),
  "seeds_huge": (_at("fit", "seeds", to=10**30), "fit.seeds=10+ must be at least 1 and at most"),
  "rate_nan": (_at("fit", "optimizer", "rate", to=float("nan")), "fit.optimizer.rate=nan must be"),
  "rate_inf": (_at("fit", "optimizer", "rate", to=float("inf")), "fit.optimizer.rate=inf must be"),
  "rate_below": (_at("fit", "optimizer", "rate", to=-1), "fit.optimizer.rate=-1 must be at least"),
  "optimizer": (_at("fit", "optimizer", to=[]), r"fit.optimizer must be a mapping, got \[\]"),
  "trunk": (_at("model", "trunk", to=3), "model.trunk must be a mapping, got 3"),
  "dropout": (_at("model", "trunk", "dropout", to=2), "model.trunk.dropout=2 must be at least 0"),
  "settings": (_at("analyses", to=[]), r"analyses must be a mapping, got \[\]"),
  "ratios": (_at("analyses", "masking", "ratios", to=[[0]]), "which is not of type float"),
  "ratios_many": (_at("analyses", "masking", "ratios", to=[0] * 20_000), "has 20,000 items"),
}
MANIFESTS: dict[str, tuple[bytes | Callable[[dict], None], str]] = {
  "m_empty": (b"", "manifest.json is not readable JSON"),
  "m_half": (b'{"revision": ', "manifest.json is not readable JSON"),
  "m_list": (b"[]", "manifest.json is not a JSON object"),
  "m_object": (b"{}", "manifest.json has no 'revision': it is damaged"),
  "m_deep": (b"[" * 100_000, "manifest.json is not readable JSON"),
}


def _files(folder: Path) -> None:
  for name, content in FILES.items():
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
  os.mkfifo(folder / "pipe")
  os.mkfifo(folder / "platt_pipe.dat")
  (folder / "holds_nothing").mkdir()
  (folder / "loop").symlink_to(folder / "loop")
  (folder / "zeros_here").symlink_to("/dev/zero")


def _odd(folder: Path, config: Path) -> None:
  source = f"import runpy\nget = runpy.run_path({str(config)!r})['get_config']\n"
  for name, change in ODD.items():
    body = f"def get_config():\n  config = get()\n  {change}\n  return config\n"
    (folder / f"odd_{name}.py").write_text(source + body)


def _broken(folder: Path, run: Path) -> None:
  for table, changed in ((CONFIGS, "config.json"), (MANIFESTS, "manifest.json")):
    for name, (change, _) in table.items():
      copy = folder / f"run_{name}"
      copy.mkdir()
      for each in ("config.json", "manifest.json"):
        shutil.copy(run / each, copy)
      content = change
      if callable(change):
        data = json.loads((run / changed).read_bytes())
        change(data)
        content = json.dumps(data).encode()
      (copy / changed).write_bytes(content)
  for name in ("config.json", "manifest.json"):
    for kind in ("pipe", "folder", "device", "gone"):
      copy = folder / f"run_{kind}_{name}"
      shutil.copytree(folder / "run_empty", copy)
      for each in ("config.json", "manifest.json"):
        shutil.copy(run / each, copy)
      place = copy / name
      place.unlink()
      if kind == "pipe":
        os.mkfifo(place)
      elif kind == "folder":
        place.mkdir()
      elif kind == "device":
        place.symlink_to("/dev/zero")
  (folder / "bare").mkdir()
  for parent in ("one", "two"):
    (folder / parent / "same").mkdir(parents=True)
    for each in ("config.json", "manifest.json"):
      shutil.copy(run / each, folder / parent / "same")


def prepare(folder: Path, config: Path, run: Path) -> dict[str, str]:
  """Returns the places of the cases, having filled the empty folder with what they name."""
  _files(folder)
  _odd(folder, config)
  _broken(folder, run)
  new = folder / "new"
  return {"config": str(config), "run": str(run), "folder": str(folder), "new": str(new)}


def filled(case: Case, places: dict[str, str]) -> list[str]:
  """Returns a case's arguments with its places in them."""
  return [text.format(**places) for text in case.argv]


def _train(*argv: str, said: str) -> Case:
  return Case("train", ("--workdir={new}", *argv), said)


def _field(change: str, said: str) -> Case:
  return _train("--config={config}", f"--config.{change}", said=said)


def _zeros(source: str, path: str, said: str) -> Case:
  options = (f"--config.task.source={source}", f"--config.task.path={path}")
  return _train(
    "--config=zeros_published:e0", "--config.task.cache={folder}/cache", *options, said=said
  )


def _analyze(*argv: str, said: str) -> Case:
  return Case("analyze", argv, said)


def _set(change: str, said: str) -> Case:
  return _analyze("--workdir={run}", "--only=masking", f"--set={change}", said=said)


def _weights(*argv: str, said: str) -> Case:
  return _analyze("--weights={folder}/nothing.safetensors", *argv, said=said)


_KNOWN = "a file, or one of addition, "
_RUNS = "cannot be read: "
_NEST = "(" * 1000 + ")" * 1000
CONFIG_FILES = tuple(
  _train(f"--config={{folder}}/{name}.py", said=said)
  for name, said in {
    "none": r"none.py: get_config\(\) gives a NoneType; it must be a Experiment",
    "number": r"get_config\(\) gives a int; it must be a Experiment",
    "mapping": r"get_config\(\) gives a dict",
    "kind": r"get_config\(\) gives a type",
    "exit": _RUNS + "SystemExit: 0",
    "exit_early": _RUNS + "SystemExit: enough",
    "base": _RUNS + "Odd: odd",
    "closing": _RUNS + "GeneratorExit",
    "stop": _RUNS + "StopIteration",
    "key": _RUNS + "KeyError: 'seeds'",
    "zero": _RUNS + "ZeroDivisionError",
    "value": _RUNS + "ValueError: invalid literal",
    "file": _RUNS + "FileNotFoundError",
    "memory": _RUNS + "MemoryError",
    "silent": _RUNS + r"Odd: \(no text: KeyError\)",
    "lines": _RUNS + r"OSError: two lines\\x1b\[2J",
    "endless": _RUNS + "RecursionError",
    "syntax": _RUNS + "SyntaxError",
    "indent": _RUNS + "IndentationError",
    "import": _RUNS + "ModuleNotFoundError: No module named 'no_such_module'",
    "relative": _RUNS + "Import(Error|Warning)",
    "nothing": _RUNS + r"it has no function get_config\(\)",
    "lacking": _RUNS + r"it has no function get_config\(\)",
    "uncallable": _RUNS + r"it has no function get_config\(\)",
    "argument": _RUNS + "TypeError: .*memory",
    "nul": _RUNS + "(Syntax|Value)Error: source code .*null",
    "latin": _RUNS + "SyntaxError",
    "elf": _RUNS + "(Syntax|Value)Error",
    "deep": _RUNS + "(Syntax|Memory|Recursion)Error",
    "large": "large.py has 2,097,152 bytes; at most 1,048,576 are read",
    "odd_task_none": "task.kind=None is not one of addition, binned",
    "odd_task_text": "task.kind=None is not one of addition, binned",
    "odd_task_number": "task.count='many' is not of type int",
    "odd_model_none": "model.kind=None is not one of binned, encoder",
    "odd_model_task": "model.kind='surrogate' is not one of binned, encoder",
    "odd_fit_none": "fit must be a mapping, got None",
    "odd_fit_list": r"fit must be a mapping, got \[1, 2\]",
    "odd_study_list": r"study=\['zeros'\] is not one of zeros, addition",
    "odd_study_none": "study=None is not one of zeros, addition",
    "odd_kind_list": r"task.kind=\['surrogate'\] is not one of addition",
    "odd_settings_none": "analyses must be a mapping, got None",
    "odd_settings_other": "Unknown field analyses.accumulation; valid: parameters",
    "odd_rate_nan": "fit.optimizer.rate=nan must be at least 0",
    "odd_rate_text": "fit.optimizer.rate='1e-3' is not of type float",
    "odd_seeds_bool": "fit.seeds=True is not of type int",
    "odd_seeds_float": "fit.seeds=2.0 is not of type int",
    "odd_seeds_function": "fit.seeds=<function .* is not of type int",
    "odd_seeds_digits": "fit.seeds=<int without a text: ValueError> must be at least 1",
    "odd_ratios_generator": "analyses.masking.ratios=<generator .* is not of type tuple",
    "odd_ratios_list": "analyses.masking.ratios=.* which is not of type float",
    "odd_ratios_many": "analyses.masking.ratios=.* has 1,000,000 items",
    "odd_trunk_itself": "does it hold itself",
    "odd_trunk_lock": "model.trunk must be a mapping, got <",
    "odd_pattern": r"fit.optimizer.slow_pattern='\(' is not a regular expression",
  }.items()
)
CONFIG_PATHS = (
  Case("train", ("--workdir={new}",), "--config is missing; " + _KNOWN),
  _train("--config=", said="--config is missing; " + _KNOWN),
  _train("--config=nothing", said="No config 'nothing'; " + _KNOWN),
  _train("--config=nothing:a:b", said="No config 'nothing:a:b'; " + _KNOWN),
  _train("--config=:", said="No config ':'; " + _KNOWN),
  _train("--config={folder}/nothing_there.py", said="No config .*; " + _KNOWN),
  _train("--config={folder}/" + "n" * 300, said="No config .*; " + _KNOWN),
  _train("--config={folder}", said="is not a regular file"),
  _train("--config={folder}/holds_nothing", said="is not a regular file"),
  _train("--config={folder}/pipe", said="pipe is not a regular file"),
  _train("--config={folder}/pipe:argument", said="pipe is not a regular file"),
  _train("--config={folder}/zeros_here", said="zeros_here is not a regular file"),
  _train("--config=/dev/null", said="/dev/null is not a regular file"),
  _train("--config={folder}/loop", said="symbolic links"),
  _train("--config={config}/x", said="No config .*; " + _KNOWN),
  _train("--config=~nosuchuser/config.py", said="~nosuchuser/config.py: no such user"),
  _train("--config={config}:sideways", said="memory='sideways' is not one of none, prefix"),
  _train("--config=zeros_published:e9", said="'e9' is not one of e0, v0, v1"),
  _train("--config={folder}/\udcff.py", said="is not text in UTF-8"),
)
FLAGS = (
  _train("--config={config}", "--wrokdir=x", said="Unknown command line flag 'wrokdir'.*workdir"),
  _train("--config={config}", "-wrokdir", said="Unknown command line flag"),
  _train("--config={config}", "--dry_run=maybe", said="dry_run"),
  _train("--config={config}", "run", said="Unexpected argument 'run'"),
  _train("--config={config}", "--config", said="Missing value for flag --config"),
  _train("--config={config}", "--compilation_cache", said="Missing value for flag"),
  _train("--config={config}", "--config.fit.seeds", said="'fit.seeds' is not of the form a.b="),
  _train("--config={config}", "--config.fit.seeds", "8", said="Unexpected argument '8'"),
  Case("train", ("--config={config}",), "--workdir is missing"),
  Case("train", ("--config={config}", "--workdir="), "--workdir is missing"),
  Case("train", ("--config={config}", "--workdir"), "Missing value for flag"),
  Case("train", ("--config={config}", "--workdir={config}"), "is not empty|is a file"),
  Case("train", ("--config={config}", "--workdir={folder}"), "is not empty and has no config.json"),
  Case("train", ("--config={config}", "--workdir={folder}/pipe"), "pipe is not empty|is a file"),
  Case("train", ("--config={config}", "--workdir=/dev/null/run"), "/dev/null"),
  Case("train", ("--config={config}", "--workdir={folder}/loop"), "loop"),
  Case("train", ("--config={config}", "--workdir={folder}/" + "n" * 300), "File name too long"),
  Case("train", ("--config={config}", "--workdir=~nosuchuser/run"), "~nosuchuser/run: no such us"),
  Case("train", ("--config={config}", "--workdir={new}\udcff"), "is not text in UTF-8"),
  Case("train", ("--config={config}", "--workdir={run}", "--config.fit.seeds=1"), "another run"),
)
FIELDS = tuple(
  _field(change, said)
  for change, said in {
    "fit=3": "'fit' has fields of its own: steps, ",
    "=3": "No field '' in ''; valid here: study, task",
    ".=3": "No field '' in '.'; valid here",
    "fit..seeds=3": "No field '' in 'fit..seeds'; valid here",
    "__class__=3": "No field '__class__'",
    "fit.__dict__=3": "No field '__dict__' in 'fit.__dict__'; valid here: steps",
    "fit.seeds.real=3": "'fit.seeds.real': seeds is a single value",
    "task.kind.x=3": "'task.kind.x': kind is a single value",
    "study=poems": "study='poems' is not one of zeros, addition, text, primes",
    "study=primes": "Unknown field analyses",
    "task.kind=zeros": "Unknown field task.",
    "task.kind=gaps": "task.kind='gaps' is not one of addition, binned",
    "task.ensemble=goe": "task.ensemble='goe' is not one of cue, gue, poisson",
    "task.split=half": "task.split='half' is not one of contiguous, published_tail",
    "model.memory=both": "model.memory='both' is not one of none, prefix, postfix, bank",
    "model.auxiliary=mean": "auxiliary='mean' needs memory='postfix'",
    "model.trunk.dtype=int8": "model.trunk.dtype='int8' is not one of float32, bfloat16",
    "model.trunk.bias=maybe": "model.trunk.bias='maybe' is not a bool",
    "model.trunk.bias=": "model.trunk.bias='' is not a bool",
    "fit.seeds=": "fit.seeds='' is not a int",
    "fit.seeds=two": "fit.seeds='two' is not a int",
    "fit.seeds=2.5": "fit.seeds='2.5' is not a int",
    "fit.seeds=1e3": "fit.seeds='1e3' is not a int",
    "fit.seeds=0x10": "fit.seeds='0x10' is not a int",
    "fit.seeds=0": "fit.seeds=0 must be at least 1 and at most 100,000",
    "fit.seeds=-1": "fit.seeds=-1 must be at least 1",
    "fit.seeds=1000000000": "fit.seeds=1000000000 must be at least 1 and at most 100,000",
    "fit.seeds=1099511627776": "fit.seeds=1099511627776 must be",
    "fit.seeds=" + "1" + "0" * 30: "fit.seeds=10+ must be at least 1 and at most 100,000",
    "fit.seeds=" + "9" * 6000: "fit.seeds='9+'?.* is not a int",
    "fit.first_seed=-1": "fit.first_seed=-1 must be at least 0",
    "fit.first_seed=2147483648": "fit.first_seed=2147483648 must be at least 0 and at most 2,147,4",
    "fit.first_seed=2147483647": "first_seed=2147483647 and seeds=2 reach beyond seed 2147483647",
    "fit.steps=0": "fit.steps=0 must be at least 1",
    "fit.steps=1000000000000": "fit.steps=1000000000000 must be",
    "fit.batch_size=0": "fit.batch_size=0 must be at least 1",
    "fit.batch_size=1000000000": "fit.batch_size=1000000000 must be",
    "fit.batch_size=10000000": "This does not fit: .* GiB for each of 2 seeds",
    "fit.accumulation=3": "batch_size=8 does not divide into accumulation=3 parts",
    "fit.accumulation=0": "fit.accumulation=0 must be at least 1",
    "fit.dispatch=0": "fit.dispatch=0 must be at least 1",
    "fit.evaluate_every=-1": "fit.evaluate_every=-1 must be at least 0",
    "fit.evaluate_windows=0": "fit.evaluate_windows=0 must be at least 1",
    "fit.evaluate_windows=999": "has 22 disjoint windows, not 999",
    "fit.checkpoint_every=-1": "fit.checkpoint_every=-1 must be at least 0",
    "fit.snapshot_every=-1": "fit.snapshot_every=-1 must be at least 0",
    "fit.patience=-1": "fit.patience=-1 must be at least 0",
    "fit.optimizer.rate=fast": "fit.optimizer.rate='fast' is not a float",
    "fit.optimizer.rate=-1": "fit.optimizer.rate=-1.0 must be at least 0 and at most 1e",
    "fit.optimizer.rate=nan": "fit.optimizer.rate=nan must be at least 0",
    "fit.optimizer.rate=inf": "fit.optimizer.rate=inf must be at least 0",
    "fit.optimizer.rate=1e999": "fit.optimizer.rate=inf must be at least 0",
    "fit.optimizer.end_rate=-1": "fit.optimizer.end_rate=-1.0 must be at least 0",
    "fit.optimizer.floor_rate=-1": "fit.optimizer.floor_rate=-1.0 must be at least 0",
    "fit.optimizer.warmup=-1": "fit.optimizer.warmup=-1 must be at least 0",
    "fit.optimizer.cycle=-1": "fit.optimizer.cycle=-1 must be at least 0",
    "fit.optimizer.schedule=replay": "fit.optimizer.cycle=0: schedule='replay' counts epochs",
    "fit.optimizer.beta1=1": "fit.optimizer.beta1=1.0 must be at least 0 and below 1",
    "fit.optimizer.beta2=1.5": "fit.optimizer.beta2=1.5 must be at least 0 and below 1",
    "fit.optimizer.beta2=-0.1": "fit.optimizer.beta2=-0.1 must be at least 0 and below 1",
    "fit.optimizer.eps=-1e-8": "fit.optimizer.eps=-1e-08 must be above 0 and at most 1",
    "fit.optimizer.eps=0": "fit.optimizer.eps=0.0 must be above 0",
    "fit.optimizer.weight_decay=-1": "fit.optimizer.weight_decay=-1.0 must be at least 0",
    "fit.optimizer.clip=-1": "fit.optimizer.clip=-1.0 must be at least 0",
    "fit.optimizer.clip=nan": "fit.optimizer.clip=nan must be at least 0",
    "fit.optimizer.slow_factor=-1": "fit.optimizer.slow_factor=-1.0 must be at least 0",
    "fit.optimizer.events=5": r"has \(5,\), which has 1 items; it must have 2",
    "fit.optimizer.events=(5,1,2)": r"has \(5, 1, 2\), which has 3 items; it must have 2",
    "fit.optimizer.slow_pattern=[": r"slow_pattern='\[' is not a regular expression",
    "fit.optimizer.slow_pattern=(": r"slow_pattern='\(' is not a regular expression",
    "fit.optimizer.slow_pattern=*": r"slow_pattern='\*' is not a regular expression: nothing to",
    "fit.optimizer.slow_pattern=(?R)": "is not a regular expression: unknown extension",
    "fit.optimizer.slow_pattern=a{{1000000000}}": "is a regular expression that repeats over",
    "fit.optimizer.slow_pattern=((a{{999}}){{999}}){{999}}": "that repeats over 10,000 times",
    "fit.optimizer.slow_pattern=" + "(" * 400 + ")" * 400: "is longer than the 500 characters",
    "fit.optimizer.slow_pattern="
    + "(" * 240
    + ")" * 240: "is not a regular expression|matches none",
    "fit.optimizer.slow_pattern=(a+)+$": "matches none of: ",
    "fit.optimizer.slow_pattern=nothing": "slow_pattern='nothing' matches none of: ",
    "task.count=-1": "task.count=-1 must be at least 0",
    "task.count=0": "count 0: poisson needs a number of spacings",
    "task.count=100": "100 spacings are too few",
    "task.count=1099511627776": "task.count=1099511627776 must be at least 0 and at most 100,",
    "task.count=" + "1" + "0" * 30: "task.count=10+ must be",
    "task.size=0": "task.size=0 must be at least 1",
    "task.size=1000000000": "task.size=1000000000 must be at least 1 and at most 10,000",
    "task.gap=-1": "task.gap=-1 must be at least 0",
    "task.gap=100000000": "4000 spacings are too few",
    "task.window=0": "task.window=0 must be at least 1",
    "task.window=12": "task.window=12 and model.window=16 must agree",
    "task.stride=0": "task.stride=0 must be at least 1",
    "task.seed=-1": "task.seed=-1 must be at least 0",
    "task.seed=2147483648": "task.seed=2147483648 must be",
    "task.base.first=0": "task.base.first=0 must be at least 1",
    "model.window=0": "model.window=0 must be at least 1",
    "model.slots=-1": "model.slots=-1 must be at least 0",
    "model.components=0": "model.components=0 must be at least 1",
    "model.components=" + "1" + "0" * 30: "model.components=10+ must be",
    "model.slot_keep=2": "model.slot_keep=2.0 must be at least 0 and at most 1",
    "model.diversity=nan": "model.diversity=nan must be at least 0",
    "model.weight_floor=-1": "model.weight_floor=-1.0 must be at least 0",
    "model.head_scale=-1": "model.head_scale=-1.0 must be at least 0",
    "model.scale_max=-1": "model.scale_max=-1.0 must be at least 0",
    "model.entropy=inf": "model.entropy=inf must be at least 0",
    "model.skip_order=17": "skip_order=17 exceeds window=16",
    "model.skip_order=-1": "model.skip_order=-1 must be at least 0",
    "model.drift_weight=1": "drift_context=10 and drift_horizon=10 exceed the 17 spacings",
    "model.orthogonality_ramp=5,1": "orthogonality_ramp is of memory slots",
    "model.trunk.implementation=cudnn": "needs an NVIDIA GPU",
    "model.drift_every=0": "model.drift_every=0 must be at least 1",
    "model.auxiliary_ramp=5": r"has \(5,\), which has 1 items; it must have 2",
    "model.auxiliary_ramp=(5.5,1)": r"has \(5.5, 1\), which has 5.5, which is not of type int",
    "model.auxiliary_ramp=(5,-1)": "which has -1, which must be at least 0",
    "model.trunk.width=0": "model.trunk.width=0 must be at least 1",
    "model.trunk.width=100000000": "model.trunk.width=100000000 must be at least 1 and at most 100",
    "model.trunk.heads=3": "model.trunk.width=8 is not a multiple of heads=3",
    "model.trunk.heads=0": "model.trunk.heads=0 must be at least 1",
    "model.trunk.layers=0": "model.trunk.layers=0 must be at least 1",
    "model.trunk.layers=" + "1" + "0" * 30: "model.trunk.layers=10+ must be",
    "model.trunk.hidden=0": "model.trunk.hidden=0 must be at least 1",
    "model.trunk.max_positions=4": "16 positions do not fit max_positions",
    "model.trunk.dropout=2": "model.trunk.dropout=2.0 must be at least 0 and below 1",
    "model.trunk.dropout=1": "model.trunk.dropout=1.0 must be at least 0 and below 1",
    "model.trunk.embed_dropout=-0.1": "model.trunk.embed_dropout=-0.1 must be at least 0",
    "model.trunk.init_std=-1": "model.trunk.init_std=-1.0 must be at least 0",
    "model.trunk.norm_eps=-1": "model.trunk.norm_eps=-1.0 must be at least 0",
    "model.trunk.mask_slots=-1": "model.trunk.mask_slots=-1 must be at least 0",
    "analyses.masking.ratios=a,b": "analyses.masking.ratios='a,b' is not a tuple",
    "analyses.masking.ratios=0.5": r"masking.ratios=\(0.5,\) must hold 0, the intact model",
    "analyses.masking.ratios=()": "masking.ratios=.* has 0 items; it must have at least 1",
    "analyses.masking.ratios=0,1.5": "has 1.5, which must be at least 0 and at most 1",
    "analyses.masking.ratios=0,1e999": "has inf, which must be at least 0",
    "analyses.masking.ratios=0,True": "has True, which is not of type float",
    "analyses.masking.ratios=[0]": "is not a tuple",
    "analyses.masking.ratios={{0}}": "is not a tuple",
    "analyses.masking.ratios=0,nan": "is not a tuple",
    "analyses.masking.ratios=0if": "is not a tuple",
    "analyses.masking.ratios=" + _NEST: "is not a tuple",
    "analyses.masking.ratios=" + "-" * 50_000 + "1": "is not a tuple",
    "analyses.masking.ratios=" + "0," * 20_000: "has 20,000 items",
  }.items()
)
TOGETHER = (
  _train("--config={config}", "--config.fit.seeds=2", "--config.fit.seeds=3", said="given twice"),
  _train(
    "--config={config}",
    "--config.fit.batch_size=1000000000",
    "--config.fit.accumulation=3",
    said="fit.batch_size=1000000000 must be",
  ),
  _train(
    "--config={config}",
    "--config.model.trunk.width=100000",
    "--config.model.trunk.heads=1",
    "--config.model.trunk.layers=1000",
    said="This does not fit: .* parameters",
  ),
)
DATA = (
  _zeros("text", "", "source 'text' needs a file"),
  _zeros("text", "{folder}/nothing.txt", "nothing.txt is not a file"),
  _zeros("text", "{folder}", "is not a file"),
  _zeros("text", "{folder}/pipe", "pipe is not a file"),
  _zeros("text", "{folder}/zeros_here", "zeros_here is not a file"),
  _zeros("text", "~nosuchuser/zeros.txt", "~nosuchuser/zeros.txt: no such user"),
  _zeros("text", "{folder}/words.txt", "words.txt, line 2.* is not one ordinate"),
  _zeros("text", "{folder}/empty.txt", "empty.txt holds no ordinates"),
  _zeros("text", "{folder}/binary.txt", "binary.txt"),
  _zeros("text", "{folder}/columns.txt", "columns.txt, line 1.* is not one ordinate"),
  _zeros("text", "{folder}/descending.txt", "is below the one before"),
  _zeros("text", "{folder}/infinite.txt", "infinite.txt, line 2.* is not finite"),
  _zeros("text", "{folder}/cut.txt", "cut.txt is cut short"),
  _zeros("text", "{folder}/cut.gz", "cut.gz is no whole gzip file"),
  _zeros("text", "{folder}/bad.gz", "bad.gz is no whole gzip file"),
  _zeros("platt", "", "source 'platt' needs a file or a folder"),
  _zeros("platt", "{folder}/holds_nothing", "holds no .dat file"),
  _zeros("platt", "{folder}/platt", "nameless.dat has no integer in its name"),
  _zeros("platt", "{folder}/short.dat", "short.dat is truncated: 1 bytes"),
  _zeros("platt", "{folder}/counts.dat", "counts.dat.* is truncated"),
  _zeros("platt", "{folder}/platt_pipe.dat", "platt_pipe.dat is not a file"),
  _zeros("odlyzko", "{folder}/words.txt", "words.txt is not Odlyzko's table"),
  _zeros("wheel", "", "task.source='wheel' is not one of odlyzko, text, platt, computed"),
  _zeros("computed", "", "needs a number of zeros: --config.task.limit=N"),
)
ANALYZE = (
  _analyze(said="--workdir is missing: name one or more run directories"),
  _analyze("--only=masking", said="--workdir is missing"),
  _analyze("--workdir=", said="--workdir='' has an empty name"),
  _analyze("--workdir", said="Missing value for flag"),
  _analyze("--workdir={run},", said="has an empty name"),
  _analyze("--workdir={run},,{run}", said="has an empty name"),
  _analyze("--workdir={folder}/nothing", said="No run in .*nothing: train one with train.py"),
  _analyze("--workdir={folder}", said="config.json is a link that leads out of"),
  _analyze("--workdir={folder}/bare", said="No run in .*: train one with train.py"),
  _analyze("--workdir={config}", said="No run in|Not a directory"),
  _analyze("--workdir={folder}/pipe", said="No run in|Not a directory"),
  _analyze("--workdir={folder}/loop", said="loop"),
  _analyze("--workdir={folder}/" + "n" * 300, said="File name too long|No run in"),
  _analyze("--workdir=~nosuchuser/run", said="~nosuchuser/run: no such user"),
  _analyze("--workdir={folder}/\udcff", said="is not text in UTF-8"),
  _analyze("--workdir={run},{folder}/nothing", said="No run in .*nothing"),
  _analyze("--workdir={run},{run}", said="Two run directories are called"),
  _analyze("--workdir={run}", "--workdir={run}/", said="Two run directories are called"),
  _analyze("--workdir={folder}/one/same,{folder}/two/same", said="are called 'same'; rename one"),
  _analyze("--workdir={run}", "--only=", said="--only='' has an empty name"),
  _analyze("--workdir={run}", "--only=masking,", said="--only='masking,' has an empty name"),
  _analyze("--workdir={run}", "--only", said="Missing value for flag"),
  _analyze(
    "--workdir={run}", "--only=nothing", said="No analysis 'nothing'; valid: prime_waves, prime"
  ),
  _analyze(
    "--workdir={run}", "--only=masking,nothing", said="No analysis 'nothing'; valid: prime_wav"
  ),
  _analyze("--workdir={run}", "--only=Masking", said="No analysis 'Masking'; valid: prime_waves"),
  _analyze(
    "--workdir={run}", "--only=../masking", said="No analysis '../masking'; valid: prime_wa"
  ),
  _analyze("--workdir={run}", "--onyl=masking", said="Unknown command line flag 'onyl'"),
  _analyze("--workdir={run}", "masking", said="Unexpected argument 'masking'"),
  _analyze("--workdir={run}", "--list=maybe", said="list"),
  _analyze("--workdir={run}", "--set", said="Missing value for flag"),
  _analyze("--workdir={run}", "--only=memory_effect", said="its model has no tokens"),
)
SETTINGS = tuple(
  _set(change, said)
  for change, said in {
    "": "'' is not of the form a.b=value",
    "=": "No field '' in ''; valid here: parameters",
    "masking": "'masking' is not of the form a.b=value",
    "masking=3": "'masking' has fields of its own: ratios, windows, seed",
    "masking.windows": "'masking.windows' is not of the form a.b=value",
    "masking.window=3": "No field 'window' in 'masking.window'; valid here: ratios",
    "fft.size=3": "No field 'fft' in 'fft.size'; valid here: parameters",
    "fit.seeds=3": "No field 'fit'",
    "masking.windows=all": "masking.windows='all' is not a int",
    "masking.windows=0": "masking.windows=0 must be at least 1",
    "masking.windows=" + "1" + "0" * 30: "masking.windows=10+ must be at least 1",
    "masking.seed=-1": "masking.seed=-1 must be at least 0",
    "masking.ratios=0,2": "has 2, which must be at least 0 and at most 1",
    "masking.ratios=0.5": "must hold 0, the intact model",
    "parameters=worst": "parameters='worst' is not one of best, last",
    "symbolic.backend=gplearn": "symbolic.backend='gplearn' is not one of pyoperon, pysr",
    "symbolic.lags=3": "symbolic.lags=3 must be at least 5 and at most 8",
    "symbolic.seconds=-1": "symbolic.seconds=-1 must be at least 0",
    "evaluation.windows=-1": "evaluation.windows=-1 must be at least 0",
    "evaluation.batch=0": "evaluation.batch=0 must be at least 1",
    "evaluation.min_context=0": "evaluation.min_context=0 must be at least 1",
    "bootstrap.samples=0": "bootstrap.samples=0 must be at least 20",
    "bootstrap.samples=1099511627776": "bootstrap.samples=1099511627776 must be",
    "linear.long_order=2": "linear.long_order=2 must be at least 3",
    "formula.cue_size=1000000": "formula.cue_size=1000000 must be at least 9 and at most 10,000",
    "pruned.ratio=nan": "pruned.ratio=nan must be at least 0 and at most 1",
    "pruned.kept=2": "has 2, which must be at least 0 and at most 1",
    "pruned.rate=-1": "pruned.rate=-1.0 must be at least 0",
    "curriculum.alpha=2": "curriculum.alpha=2.0 must be at least 0 and at most 1",
    "calibration.alpha=0": "calibration.alpha=0.0 must be above 0 and below 1",
    "kernels.unfolded_width=0": "kernels.unfolded_width=0.0 must be above 0",
    "form_factor.tau_step=1": "form_factor.tau_step=1.0 must be at least 1e-06 and at most 0.125",
    "form_factor.lengths=1000": "must be at most 4, a quarter of a block",
    "operators.density=1": "operators.density=1.0 must be above 0 and at most 0.5",
    "operators.disorders=-1": "has -1, which must be above 0",
    "operators.size=1000000": "operators.size=1000000 must be at least 40 and at most 20,000",
    "rollout.growing=300": "has 300, which must be at least 1 and at most 255",
    "gue.lags=2": "gue.lags=2 must be at least 3",
    "gue.size=10": "gue.size=10 must be at least 50",
    "prime_lines.draws=3": "prime_lines.draws=3 must be at least 20",
    "predictors.lags=": "has 0 items; it must have at least 1",
    "predictors.lags=0": "has 0, which must be at least 1",
    "prime_waves.context_windows=1": "prime_waves.context_windows=1 must be 0, or 2 or more",
    "prime_waves.explicit=3": "has 3, which must be at least 4",
    "yardstick.past=10": "yardstick.past=10 must be at least 513",
    "slots.horizons=5": "has 1 items; it must have at least 2",
    "memory_effect.tokens=7": "memory_effect.tokens=7 must be at least 8",
    "perplexity.positions=0": "perplexity.positions=0 must be at least 1",
    "hermiticity.draws=1": "hermiticity.draws=1 must be at least 2",
    "leak.windows=0": "leak.windows=0 must be at least 1",
    "heads.sweep_batch=0": "heads.sweep_batch=0 must be at least 1",
  }.items()
)
WEIGHTS = (
  _analyze("--weights=", said="--weights is empty"),
  _analyze("--weights", said="Missing value for flag"),
  _weights("--only=masking", said="--weights is read by --only=spectra alone"),
  _weights("--workdir={new},{folder}/other", said="--weights writes to one --workdir"),
  _weights("--set=pattern=[", said=r"pattern='\[' is not a regular expression"),
  _weights("--set=pattern=a{{1000000000}}", said="that repeats over 10,000 times"),
  _weights("--set=draws=0", said="draws=0 must be at least 1"),
  _weights("--set=draws=" + "1" + "0" * 30, said="draws=10+ must be at least 1"),
  _weights("--set=seed=-1", said="seed=-1 must be at least 0"),
  _weights("--set=mode=part", said="mode='part' is not one of whole, corner_as_published"),
  _weights("--set=null=none", said="null='none' is not one of"),
  _weights("--set=levels=perhaps", said="levels='perhaps' is not a bool"),
  _weights("--set=draw=3", said="No field 'draw' in 'draw'; valid here: pattern, mode"),
  _weights("--set=draws=3", "--set=draws=4", said="'draws' is given twice"),
)
RUNS = (
  *(
    _analyze(f"--workdir={{folder}}/run_{name}", "--only=masking", said=said)
    for name, (_, said) in CONFIGS.items()
  ),
  *(
    _analyze(f"--workdir={{folder}}/run_{name}", "--only=masking", said=said)
    for name, (_, said) in MANIFESTS.items()
  ),
  *(
    Case("train", ("--config={config}", f"--workdir={{folder}}/run_{name}"), said)
    for name, (_, said) in (CONFIGS | MANIFESTS).items()
    if name in ("empty", "deep", "study_list", "kind_object", "fit_null", "m_empty", "m_object")
  ),
  *(
    _analyze(f"--workdir={{folder}}/run_{kind}_{name}", "--only=masking", said=said)
    for name in ("config.json", "manifest.json")
    for kind, said in {
      "pipe": f"{name} is (not a regular file|neither a file nor a folder)",
      "folder": f"{name} is not a regular file",
      "device": f"{name} is (not a regular file|a link that leads out)",
      "gone": "No run in|manifest.json",
    }.items()
  ),
)
CASES: tuple[Case, ...] = (
  *CONFIG_FILES,
  *CONFIG_PATHS,
  *FLAGS,
  *FIELDS,
  *TOGETHER,
  *DATA,
  *ANALYZE,
  *SETTINGS,
  *WEIGHTS,
  *RUNS,
)
