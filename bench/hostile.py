"""Hostile run directories and weights, and broken ones, as data.

    python bench/hostile.py

A case is a function that makes files in an empty folder and returns the command that reads them.
`attempt` runs one and returns what should not have happened: a secret beside the files that was
shown or copied, something outside that was changed, a payload that ran, a control character on the
terminal, a traceback, or more than one line where a line is due. Without arguments all cases are
run, and those that failed are named.
"""

import atexit
import base64
import contextlib
import functools
import io
import json
import os
import re
import shutil
import socket
import struct
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from primelens import tasks
from primelens.analyses import statistics
from primelens.lens import analyze, experiment, prepared, results, runs, study, train
from primelens.lens import sources as sources_lib
from primelens.models import fit, guided, spacing, transformer
from primelens.studies.zeros import prime_response, prime_waves, program
from primelens.tasks import arrays as arrays_lib
from primelens.tasks import files, surrogates
from primelens.tasks import zeros as zeros_task
from safetensors import numpy as safetensors_numpy

SECRET = "correct-horse-battery-staple"
ESCAPE = "\x1b]0;owned\x07\x1b[2J"
USER_ERROR, UNEXPECTED = 2, 70
Case = Callable[[Path], list[str]]

# --------------------------------------------------------------------------------------------------
# What is attacked


def payload(folder: Path) -> str:
  """Returns a text that makes the file `ran` where anything evaluates it."""
  return f"__import__('pathlib').Path({str(folder / 'ran')!r}).touch()"


def secret(folder: Path) -> Path:
  """Returns a file beside the hostile ones that nothing may show or copy."""
  path = folder / "secret.txt"
  path.write_text(f"{SECRET}\n{SECRET}-2\n")
  return path


def outside(folder: Path) -> Path:
  """Returns a folder beside the hostile files that nothing may change."""
  path = folder / "outside"
  path.mkdir()
  (path / "kept.txt").write_text("kept")
  return path


def small(**task: Any) -> experiment.Experiment:
  """Returns an experiment of a small network; `task` are fields of its zeros, else it has none."""
  window = 16
  made = surrogates.Config(ensemble="poisson", count=4000, window=window, gap=20)
  trunk = transformer.Config(
    width=8, layers=1, heads=2, hidden=16, max_positions=window, dropout=0.0, embed_dropout=0.0
  )
  return experiment.Experiment(
    task=zeros_task.Config(window=window, gap=20, **task) if task else made,
    model=spacing.Config(window=window, components=2, trunk=trunk),
    fit=fit.Config(steps=1, seeds=1, dispatch=1, batch_size=2, evaluate_windows=8),
  )


class _Unread:
  """What the manifest says of data that must not be read, or are not there."""

  data_hash = "0" * 64
  splits = {"train": (0, 10)}
  value_N = np.ones(10)


def run_directory(folder: Path, config: experiment.Experiment | None = None) -> Path:
  """Returns a run directory with stored results and a figure, without a checkpoint.

  Its report can be written; an analysis ends where the checkpoint is looked for.
  """
  if config is None:
    return Path(shutil.copytree(_ordinary(), folder / "run"))
  return _written(folder / "run", config, _Unread())


@functools.cache
def _ordinary() -> Path:
  """Returns the run directory of a small network, to be copied."""
  folder = tempfile.mkdtemp()
  atexit.register(shutil.rmtree, folder, ignore_errors=True)
  config = small()
  return _written(Path(folder, "run"), config, tasks.load(config.task))


def _written(workdir: Path, config: experiment.Experiment, data: Any) -> Path:
  """Returns the run directory of a config, with all but what its network is."""
  with contextlib.ExitStack() as stack:
    # What config.json names is not there when the directory is made, or must not be read.
    stack.callback(setattr, sources_lib, "fingerprints", sources_lib.fingerprints)
    sources_lib.fingerprints = lambda config: []
    encoded = files.encoded(experiment.to_dict(config))
    origin = runs.manifest(config, data, ["train.py"], encoded)
  workdir.mkdir()
  (workdir / "config.json").write_bytes(encoded)
  files.write_json(workdir / "manifest.json", files.seal(origin))
  store(workdir, "linear", _linear())
  store(workdir, "anchors", _anchors())
  figures = workdir / "figures"
  figures.mkdir()
  (figures / "linear.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
  return workdir


def store(workdir: Path, name: str, result: xr.Dataset, **origin: Any) -> None:
  """Writes a result as the product does, so that its digests are right."""
  results.write(workdir / "results", name, result, provenance=origin)


def _linear(words: str = "OLS") -> xr.Dataset:
  """Returns a result of the slice `linear`; it writes `words` into a table."""
  lags, orders = np.arange(1, 5), [1, 3, 4]
  variable, interval = results.variable, statistics.Interval(*np.ones((3, 4)))
  score = {"predictor": words, "mse": 0.1, "r2": 0.1, "correlation": 0.3}
  variables = {
    **results.with_interval("truth", "lag", interval, "coefficient"),
    **results.with_interval("mean_model", "lag", interval, "coefficient"),
    "model": variable("seed lag", np.ones((2, 4)), "coefficient"),
    "jacobian": variable("seed lag", np.ones((2, 4)), "derivative"),
    "coefficient": variable("regressed order lag", np.full((2, 3, 4), -0.2), "coefficient"),
    "coefficient_sum": variable("regressed order", np.full((2, 3), -0.6), "sum"),
    "r2": variable("regressed order", np.full((2, 3), 0.2), "R2"),
    **results.rows("scores", [score], dict.fromkeys(score, words)),
  }
  coords = {"seed": [0, 1], "lag": lags, "order": orders, "regressed": ["truth", "model"]}
  return results.dataset(variables, coords, samples=7)


def _anchors(words: str = "AR(3)", **attrs: Any) -> xr.Dataset:
  losses = {"model (run)": 0.4, words: 0.3, "AR(24)": 0.4, "AR(64)": 0.4}
  value = np.array(list(losses.values()))
  ends = statistics.Interval(value, value - 0.1, value + 0.1)
  variables = {
    **results.with_interval("loss", "predictor", ends, words, words),
    **results.with_interval("model_minus", "predictor", ends, words, words),
    "parameters": results.variable("predictor", [4] * 4, words),
    "r2": results.variable("predictor", [0.1] * 4, words),
    "nll": results.variable("seed", [0.3, 0.5], words),
    "loss_by_height": results.variable("predictor height", np.zeros((4, 2)), words),
  }
  coords = {"predictor": list(losses), "seed": [0, 1], "height": [1.5, 2.5]}
  known = {"memory": "none", "told": False, "scored": 9, "min_context": 8, "split": "test"}
  return results.dataset(variables, coords, **known | attrs)


READS = ("anchors", "linear")  # what reads a network in seconds
QUICK = (
  "evaluation.select_windows=8",
  "evaluation.min_context=8",
  "evaluation.windows=8",
  "bootstrap.samples=20",
  "bootstrap.block=10",
  "linear.samples=200",
  "linear.jacobian_windows=4",
  "linear.long_order=4",
)


@functools.cache
def real_results() -> dict[str, xr.Dataset]:
  """Returns stored results of a network that was trained and read here."""
  with tempfile.TemporaryDirectory() as name:
    workdir, config = Path(name, "run"), Path(name, "config.py")
    config.write_text("import hostile\n\nget_config = hostile.small\n")
    settings = [f"--config.analyses.{each}" for each in QUICK]
    argv = ["program", f"--config={config}", f"--workdir={workdir}", *settings]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
      code = train.main(argv)
    if code:
      raise RuntimeError(f"{argv} ended with {code}")
    run, slices = runs.load(workdir), study.find("zeros").slices
    for each in READS:
      store(workdir, each, slices[each].measure(run))
    return {each: results.read(workdir / "results", each)[0] for each in READS}


def poisoned(found: xr.Dataset, text: str) -> xr.Dataset:
  """Returns a result whose words are all `text`: of variables, meanings, units and attributes.

  The names of rows and columns stay, lest nothing of it be read.
  """
  found = found.copy()
  found.attrs = _words(found.attrs, text)
  for name, each in found.variables.items():
    each.attrs = _words(each.attrs, text)
    if name not in found.coords and each.dtype.kind in "UO":
      each.values = np.full(each.shape, text)
  return found


def _words(value: Any, text: str) -> Any:
  """Returns a JSON value, all of whose words are `text`."""
  if isinstance(value, dict):
    return {name: _words(item, text) for name, item in value.items()}
  if isinstance(value, list):
    return [_words(item, text) for item in value]
  return text if isinstance(value, str) else value


def _edit(path: Path, change: Callable[[Any], Any]) -> None:
  """Changes the JSON of a run, and its digests with it: whoever is hostile knows how."""
  path.write_text(json.dumps(change(json.loads(path.read_text()))))
  manifest = path.with_name("manifest.json")
  origin = json.loads(manifest.read_text())
  del origin["sha256"]
  origin["config_sha256"] = files.sha256(path.with_name("config.json"))
  origin["schema"] = runs.SCHEMA
  files.write_json(manifest, files.seal(origin))


# --------------------------------------------------------------------------------------------------
# Hostile run directories


def _report(workdir: Path) -> list[str]:
  return [f"--workdir={workdir}", "--only=report"]


def _analysis(workdir: Path) -> list[str]:
  return [f"--workdir={workdir}", "--only=linear"]


def _code(argv) -> Case:
  """Returns a case in which every word of every result and of its metrics is code."""

  def make(folder: Path) -> list[str]:
    workdir, text = run_directory(folder), payload(folder)
    for name, found in real_results().items():
      store(workdir, name, poisoned(found, text), revision=text, command=[text])
    (workdir / "metrics.jsonl").write_text(json.dumps({"step": 1, text: text}) + "\n")
    return argv(workdir)

  return make


def formulas_that_are_code(folder: Path) -> list[str]:
  """Formulas of waves, whose result is otherwise one that the claims about them judge."""
  workdir = run_directory(folder)
  manifest = workdir / "manifest.json"
  origin = json.loads(manifest.read_text())
  del origin["sha256"]
  files.write_json(manifest, files.seal(origin | {"data": program.DATA}))
  words = dict.fromkeys(("expression", "exact", "sympy"), payload(folder))
  law = {"power": -0.5, "power_error": 0.01, "factor": 0.31, "found": 26, "train_mse": 1e-6}
  law |= {"complexity": 5, "test_r2": 0.99, "name": "network", "near": True} | words
  given = (("truth", "p"), ("truth", "p, x"), ("network", "p"))
  formulas = [{"kind": kind, "given": names} | law for kind, names in given]
  kinds = ("network", "kernel", "filter", "adaptive", "untrained", "formula")
  counts = {"r2": 1.0, "known": 1, "beside": 1.0, "beyond": 0.0, "found": 1}
  waves = {
    "kind": results.variable("prediction", kinds, ""),
    "stands_out": results.variable("prime", [True], ""),
    **results.rows("formula", formulas, prime_waves.FORMULA),
    **{key: results.variable("prediction", [n] * len(kinds), "") for key, n in counts.items()},
  }
  peak = {"kind": "network", "resolved": 4, "which": "2 3 5 7", "chance": 0.5, "apart": 9}
  peaks = results.rows("predictor", [peak], prime_response.PEAKS)
  of = {"trained_on": "zeros", "plan": "a plan", "spacings": 1}
  for name, found in (
    ("prime_waves", results.dataset(waves, {"prediction": list(kinds)}, **of)),
    ("prime_response", results.dataset(peaks)),
  ):
    results.write(workdir / "results", name, found, provenance={})
  return [f"--workdir={workdir}", "--only=claims"]


def config_that_is_code(folder: Path) -> list[str]:
  workdir = run_directory(folder)
  _edit(workdir / "config.json", lambda value: _words(value, payload(folder)))
  return _report(workdir)


def manifest_that_is_code(folder: Path) -> list[str]:
  workdir = run_directory(folder)
  _edit(workdir / "manifest.json", lambda value: _words(value, payload(folder)))
  return _report(workdir)


def settings_that_are_code(folder: Path) -> list[str]:
  config = small()
  config.fit.optimizer.slow_pattern = payload(folder)
  return _analysis(run_directory(folder, config))


def metrics_that_are_code(folder: Path) -> list[str]:
  workdir = run_directory(folder)
  (workdir / "metrics.jsonl").write_text(json.dumps({"step": payload(folder)}) + "\n")
  return _report(workdir)


def zeros_that_are_a_secret(folder: Path) -> list[str]:
  config = small(source="text", path=str(secret(folder)))
  return _analysis(run_directory(folder, config))


def zeros_that_are_binary_and_a_secret(folder: Path) -> list[str]:
  config = small(source="platt", path=str(secret(folder)))
  return _analysis(run_directory(folder, config))


def zeros_that_are_a_device(folder: Path) -> list[str]:
  return _analysis(run_directory(folder, small(source="text", path="/dev/zero")))


def zeros_that_are_a_pipe(folder: Path) -> list[str]:
  os.mkfifo(folder / "pipe")
  return _analysis(run_directory(folder, small(source="text", path=str(folder / "pipe"))))


def zeros_that_climb_out(folder: Path) -> list[str]:
  secret(folder)
  path = str(folder / "run" / ".." / "secret.txt")
  return _analysis(run_directory(folder, small(source="text", path=path)))


def a_manifest_that_knows_a_secret_by_size(folder: Path) -> list[str]:
  path = secret(folder)
  workdir = run_directory(folder, small(source="text", path=str(path)))
  known = [{"bytes": path.stat().st_size, "sha256": "0" * 64}]
  _edit(workdir / "manifest.json", lambda value: value | {"sources": known})
  return _analysis(workdir)


def a_network_that_is_a_secret(folder: Path) -> list[str]:
  from primelens.configs import text as text_configs

  config = text_configs.get_config("imported")
  config.task.count = 100
  config.model.checkpoint = str(secret(folder))
  workdir = folder / "run"
  workdir.mkdir()
  (workdir / "config.json").write_text(json.dumps(experiment.to_dict(config)))
  origin = {"revision": "r", "data_hash": "0", "seeds": [0], "schema": 1}
  (workdir / "manifest.json").write_text(json.dumps(origin))
  return [f"--workdir={workdir}", "--only=answers"]


def a_cache_elsewhere(folder: Path) -> list[str]:
  config = small(source="computed", limit=300, cache=str(outside(folder)))
  return _analysis(run_directory(folder, config))


def a_cache_in_the_base_of_a_control(folder: Path) -> list[str]:
  config = small()
  base = zeros_task.Config(source="computed", limit=900, cache=str(outside(folder)))
  config.task = surrogates.Config(ensemble="shuffled", count=800, window=16, gap=2, base=base)
  return _analysis(run_directory(folder, config))


def _linked(folder: Path, name: str, target: Path) -> Path:
  """Returns a run directory in which a name is a link to somewhere else."""
  workdir = run_directory(folder)
  path = workdir / name
  if path.is_dir():
    for inner in path.iterdir():
      inner.unlink()
    path.rmdir()
  path.unlink(missing_ok=True)
  path.parent.mkdir(exist_ok=True)
  path.symlink_to(target)
  return workdir


def _claims(workdir: Path) -> list[str]:
  return [f"--workdir={workdir}", "--only=claims,report"]


def _a_link(name: str, *, to_folder: bool = False, argv=_claims) -> Case:
  def make(folder: Path) -> list[str]:
    target = outside(folder) if to_folder else secret(folder)
    return argv(_linked(folder, name, target))

  return make


def a_figure_that_is_no_picture(folder: Path) -> list[str]:
  workdir = run_directory(folder)
  (workdir / "figures" / "linear.png").write_text(f"<script>{SECRET}</script>")
  return _report(workdir)


def a_figure_of_gigabytes(folder: Path) -> list[str]:
  workdir = run_directory(folder)
  with open(workdir / "figures" / "linear.png", "r+b") as file:
    file.truncate(1 << 36)
  return _report(workdir)


def links_where_files_are_written(folder: Path) -> list[str]:
  target = outside(folder) / "kept.txt"
  workdir = run_directory(folder)
  for name in ("report.html", "results/claims.json", "results/claims.csv", "results/claims.npz"):
    at = workdir / name
    at.symlink_to(target)
    at.with_name(f".{at.name}.{os.getpid()}.tmp").symlink_to(target)
  return _claims(workdir)


def links_in_the_folder_of_a_comparison(folder: Path) -> list[str]:
  target = outside(folder) / "kept.txt"
  both = []
  for name in ("one", "two"):
    (folder / name).mkdir()
    both.append(run_directory(folder / name).rename(folder / name / f"run_{name}"))
  for name in ("report.html", "claims.json", "claims.csv", "claims.npz"):
    (folder / name).symlink_to(target)
    (folder / f".{name}.{os.getpid()}.tmp").symlink_to(target)
  return [f"--workdir={both[0]},{both[1]}", "--only=claims,report"]


def a_circle_of_links(folder: Path) -> list[str]:
  workdir = run_directory(folder)
  (workdir / "manifest.json").unlink()
  (workdir / "manifest.json").symlink_to(workdir / "other.json")
  (workdir / "other.json").symlink_to(workdir / "manifest.json")
  return _report(workdir)


def _a_pipe(name: str, argv=_report) -> Case:
  def make(folder: Path) -> list[str]:
    workdir = run_directory(folder)
    path = workdir / name
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    return argv(workdir)

  return make


def a_socket(folder: Path) -> list[str]:
  workdir = run_directory(folder)
  here = os.getcwd()
  os.chdir(workdir)  # the path of a socket is short
  try:
    with socket.socket(socket.AF_UNIX) as its:
      its.bind("socket")
  finally:
    os.chdir(here)
  return _report(workdir)


def _npz(content: Callable[[], bytes]) -> Case:
  """Returns a case whose result has an NPZ of our making, with digests that are right."""

  def case(folder: Path) -> list[str]:
    workdir = run_directory(folder)
    kept = arrays_lib.pack
    arrays_lib.pack = lambda arrays: content()
    try:
      store(workdir, "linear", _linear())
    finally:
      arrays_lib.pack = kept
    return _report(workdir)

  return case


def _inputs(content: Callable[[], bytes]) -> Case:
  """Returns a case whose run keeps arrays of our making for its program, with right digests."""

  def case(folder: Path) -> list[str]:
    workdir, config = run_directory(folder), small()
    model = guided.Config(window=config.model.window, guides=("ar:1",), trunk=config.model.trunk)
    changed = experiment.to_dict(model)
    _edit(workdir / "config.json", lambda value: value | {"model": changed})
    files.write(workdir / prepared.ARRAYS, content())
    about = {
      "schema": prepared.SCHEMA,
      "config_sha256": files.sha256(workdir / "config.json"),
      "data_hash": runs.read_manifest(workdir)["data_hash"],
      "npz_sha256": files.sha256(workdir / prepared.ARRAYS),
    }
    files.write_json(workdir / prepared.ABOUT, files.seal(about))
    return [f"--workdir={workdir}", "--only=anchors"]

  return case


def array(shape: str, body: bytes = b"", kind: str = "<f8") -> bytes:
  """Returns an array of numpy whose header says what it is told to."""
  header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
  return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def names_with_markup_and_escapes(folder: Path) -> list[str]:
  words = f"<script src=x></script><img onerror='x'>\"'{ESCAPE}"
  workdir = run_directory(folder)
  store(workdir, "linear", _linear(words), revision=words, data_hash=words, seeds=[words])
  named = workdir.rename(folder / f"<img src=x onerror=alert(1)>{ESCAPE}")
  return _report(named)


def names_that_no_encoding_has(folder: Path) -> list[str]:
  workdir = run_directory(folder)
  store(workdir, "linear", _linear("\ud800 \u202e \x00"))
  return _report(workdir)


# --------------------------------------------------------------------------------------------------
# Hostile weights


def tensors(**shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
  """Returns matrices of noise by name."""
  rng = np.random.default_rng(0)
  return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def save(path: Path, arrays: dict | None = None) -> Path:
  """Returns a file of weights, of one matrix by default."""
  path.parent.mkdir(parents=True, exist_ok=True)
  safetensors_numpy.save_file(tensors(a=(20, 20)) if arrays is None else arrays, path)
  return path


def _weights(folder: Path, where: Path) -> list[str]:
  return [f"--weights={where}", f"--workdir={folder / 'out'}", "--set=draws=1"]


def index(folder: Path, places: Any, text: str | None = None) -> Path:
  """Returns a folder of weights with an index of shards."""
  path = folder / "weights"
  path.mkdir(exist_ok=True)
  whole = json.dumps({"weight_map": places}) if text is None else text
  (path / "model.safetensors.index.json").write_text(whole)
  return path


def a_shard_elsewhere(folder: Path) -> list[str]:
  save(folder / "elsewhere.safetensors")
  return _weights(folder, index(folder, {"a": "../elsewhere.safetensors"}))


def a_shard_by_its_whole_path(folder: Path) -> list[str]:
  path = save(folder / "elsewhere.safetensors")
  return _weights(folder, index(folder, {"a": str(path)}))


def a_shard_that_is_a_link(folder: Path) -> list[str]:
  path = save(folder / "elsewhere.safetensors")
  where = index(folder, {"a": "a.safetensors"})
  (where / "a.safetensors").symlink_to(path)
  return _weights(folder, where)


def weights_that_are_a_link(folder: Path) -> list[str]:
  path = save(folder / "elsewhere.safetensors")
  (folder / "weights").mkdir()
  (folder / "weights" / "model.safetensors").symlink_to(path)
  return _weights(folder, folder / "weights")


def heads_from_a_secret(folder: Path) -> list[str]:
  path = save(folder / "weights" / "model.safetensors")
  (path.parent / "config.json").symlink_to(secret(folder))
  return _weights(folder, path.parent)


def tensors_with_escapes_and_formulas(folder: Path) -> list[str]:
  names = (f"=HYPERLINK(1){ESCAPE}", "@SUM(1)[red]", "+1|cmd", "\t=1", "[/b]<script>", "$x^{$")
  path = save(folder / f"m{ESCAPE}.safetensors", tensors(**dict.fromkeys(names, (20, 20))))
  return _weights(folder, path)


def _weights_pipe(name: str) -> Case:
  def make(folder: Path) -> list[str]:
    path = save(folder / "weights" / "model.safetensors")
    (path.parent / name).unlink(missing_ok=True)
    os.mkfifo(path.parent / name)
    return _weights(folder, path.parent)

  return make


def results_of_weights_elsewhere(folder: Path) -> list[str]:
  path = save(folder / "weights" / "model.safetensors")
  (folder / "out").mkdir()
  (folder / "out" / "weights.json").write_text('{"files": {}}')
  (folder / "out" / "results").symlink_to(outside(folder))
  return _weights(folder, path)


READ = "it is read"  # in the place of an error: it must end in a result
# Every case with what its error must say; "": it may end in an error or in a result.
HOSTILE: dict[str, tuple[Case, str]] = {
  "results_that_are_code": (_code(_report), ""),
  "results_that_are_code_judged": (_code(_claims), ""),
  "results_that_are_code_read_anew": (_code(lambda workdir: [f"--workdir={workdir}"]), ""),
  "formulas_that_are_code": (formulas_that_are_code, ""),
  "config_that_is_code": (config_that_is_code, "is not one of zeros"),
  "manifest_that_is_code": (manifest_that_is_code, ""),
  "settings_that_are_code": (settings_that_are_code, ""),
  "metrics_that_are_code": (metrics_that_are_code, ""),
  "zeros_that_are_a_secret": (zeros_that_are_a_secret, "not known to be what it was"),
  "zeros_that_are_binary_and_a_secret": (
    zeros_that_are_binary_and_a_secret,
    "not known to be what it was",
  ),
  "zeros_that_are_a_device": (zeros_that_are_a_device, "not known to be what it was"),
  "zeros_that_are_a_pipe": (zeros_that_are_a_pipe, "not known to be what it was"),
  "zeros_that_climb_out": (zeros_that_climb_out, "not known to be what it was"),
  "a_manifest_that_knows_a_secret_by_size": (
    a_manifest_that_knows_a_secret_by_size,
    "not known to be what it was",
  ),
  "a_network_that_is_a_secret": (a_network_that_is_a_secret, "not known to be what it was"),
  "a_cache_elsewhere": (a_cache_elsewhere, ""),
  "a_cache_in_the_base_of_a_control": (a_cache_in_the_base_of_a_control, ""),
  "a_figure_that_is_no_picture": (a_figure_that_is_no_picture, READ),
  "a_figure_of_gigabytes": (a_figure_of_gigabytes, READ),
  "links_where_files_are_written": (links_where_files_are_written, "leads out of"),
  "links_in_the_folder_of_a_comparison": (links_in_the_folder_of_a_comparison, READ),
  "a_circle_of_links": (a_circle_of_links, "symbolic links"),
  "a_socket": (a_socket, "neither a file nor"),
  "names_with_markup_and_escapes": (names_with_markup_and_escapes, READ),
  "names_that_no_encoding_has": (names_that_no_encoding_has, READ),
  "a_shard_elsewhere": (a_shard_elsewhere, "lies outside"),
  "a_shard_by_its_whole_path": (a_shard_by_its_whole_path, "lies outside"),
  "a_shard_that_is_a_link": (a_shard_that_is_a_link, "lies outside"),
  "weights_that_are_a_link": (weights_that_are_a_link, "lies outside"),
  "heads_from_a_secret": (heads_from_a_secret, "lies outside"),
  "tensors_with_escapes_and_formulas": (tensors_with_escapes_and_formulas, READ),
  "results_of_weights_elsewhere": (results_of_weights_elsewhere, "leads out of"),
  "a_figure_that_is_a_link": (_a_link("figures/linear.png"), "leads out of"),
  "a_config_that_is_a_link": (_a_link("config.json"), "leads out of"),
  "a_manifest_that_is_a_link": (_a_link("manifest.json"), "leads out of"),
  "a_result_that_is_a_link": (_a_link("results/linear.json"), "leads out of"),
  "arrays_that_are_a_link": (_a_link("results/linear.npz"), "leads out of"),
  "figures_elsewhere": (_a_link("figures", to_folder=True), "leads out of"),
  "results_elsewhere": (_a_link("results", to_folder=True), "leads out of"),
  "checkpoints_elsewhere": (_a_link("checkpoints", to_folder=True, argv=_analysis), "leads out of"),
  "a_checkpoint_elsewhere": (
    _a_link("checkpoints/7", to_folder=True, argv=_analysis),
    "leads out of",
  ),
  "a_pipe_as_config": (_a_pipe("config.json"), "neither a file nor"),
  "a_pipe_as_manifest": (_a_pipe("manifest.json"), "neither a file nor"),
  "a_pipe_as_result": (_a_pipe("results/linear.json"), "neither a file nor"),
  "a_pipe_as_arrays": (_a_pipe("results/linear.npz"), "neither a file nor"),
  "a_pipe_as_figure": (_a_pipe("figures/linear.png"), "neither a file nor"),
  "a_pipe_as_metrics": (_a_pipe("metrics.jsonl", _analysis), "neither a file nor"),
  "a_pipe_in_a_checkpoint": (
    _a_pipe("checkpoints/7/default/_METADATA", _analysis),
    "neither a file nor",
  ),
  "a_pipe_as_weights": (_weights_pipe("model.safetensors"), "not a regular file"),
  "a_pipe_as_index": (_weights_pipe("model.safetensors.index.json"), "not a regular file"),
  "a_pipe_as_config_of_weights": (_weights_pipe("config.json"), "not a regular file"),
  "a_bomb_of_arrays": (_npz(lambda: declared(archive(a=_FLOATS), 0xFFFFFFF0)), "at most"),
  "arrays_larger_than_memory": (
    _npz(lambda: archive(truth_Q=array("(9999999999999,)"))),
    "not those of its shape",
  ),
  "arrays_that_are_pickles": (
    _npz(lambda: archive(truth_Q=array("(1,)", b"cos\nsystem\n", "|O"))),
    "no array of numbers",
  ),
  "a_bomb_of_inputs": (
    _inputs(lambda: declared(archive(a=_FLOATS), 0xFFFFFFF0)),
    "no checkpoint yet",
  ),
  "inputs_larger_than_memory": (
    _inputs(lambda: archive(column_NxJ1=array("(9999999999999,)"))),
    "no checkpoint yet",
  ),
  "inputs_that_are_pickles": (
    _inputs(lambda: archive(column_NxJ1=array("(1,)", b"cos\nsystem\n", "|O"))),
    "no checkpoint yet",
  ),
  "inputs_elsewhere": (_a_link("inputs.npz", argv=_analysis), "leads out of"),
  "a_pipe_as_inputs": (_a_pipe("inputs.npz", _analysis), "neither a file nor"),
  "a_header_of_brackets": (
    _npz(lambda: archive(truth_Q=array("(" * 9000))),
    "no array of numbers",
  ),
}

# --------------------------------------------------------------------------------------------------
# Broken weights and stored arrays: one line and exit code 2


def raw(header: Any, body: bytes = b"", length: int | None = None) -> bytes:
  """Returns a file of safetensors with a header of our making."""
  text = header if isinstance(header, bytes) else json.dumps(header).encode()
  return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(first: int = 0, last: int = 16, kind: str = "F32", shape: tuple = (2, 2)) -> dict:
  """Returns what a header says of a tensor."""
  return {"dtype": kind, "shape": list(shape), "data_offsets": [first, last]}


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
DEEP = b"[" * 100_000
FILES: dict[str, bytes] = {
  "empty": b"",
  "seven_bytes": b"1234567",
  "words": b"not weights at all",
  "a_header_of_exabytes": raw(b"{}", length=1 << 62),
  "a_header_of_gigabytes": raw(b"{}", length=1 << 31),
  "a_header_longer_than_the_file": raw(b"{}", length=1000),
  "no_tensor": raw({}),
  "metadata_alone": raw({"__metadata__": {"a": "b"}}),
  "a_list_as_header": raw([]),
  "words_as_header": raw(b"nothing"),
  "a_header_in_no_encoding": raw(b"\xff\xfe{}"),
  "a_deep_header": raw(DEEP),
  "a_tensor_that_is_a_number": raw({"a": 3}),
  "a_tensor_without_offsets": raw({"a": {"dtype": "F32", "shape": [2, 2]}}),
  "an_unknown_type": raw({"a": entry(kind="Q9")}, bytes(16)),
  "offsets_turned_round": raw({"a": entry(16, 0)}, bytes(16)),
  "offsets_below_zero": raw({"a": entry(-16, 0)}, bytes(16)),
  "offsets_beyond_the_end": raw({"a": entry(0, 1 << 40)}, bytes(16)),
  "overlapping_tensors": raw({"a": entry(), "b": entry(8, 24)}, bytes(24)),
  "a_hole": raw({"a": entry(), "b": entry(32, 48)}, bytes(48)),
  "bytes_behind_the_end": raw({"a": entry()}, bytes(32)),
  "another_shape": raw({"a": entry(shape=(3, 3))}, bytes(16)),
  "a_shape_that_overflows": raw({"a": entry(shape=(1 << 62, 1 << 62))}, bytes(16)),
  "a_shape_below_zero": raw({"a": entry(shape=(-2, -2))}, bytes(16)),
  "not_finite": raw({"a": entry()}, struct.pack("<4f", 1, 2, float("nan"), 4)),
  "vectors_alone": raw({"a": entry(shape=(4,))}, bytes(16)),
  "integers_alone": raw({"a": entry(kind="I32")}, bytes(16)),
  "a_pointer_of_git_lfs": POINTER,
}
INDICES: dict[str, str] = {
  "an_index_that_is_a_list": "[]",
  "an_index_that_is_a_number": "3",
  "an_index_that_is_cut": '{"weight_map": {',
  "an_index_without_a_map": "{}",
  "an_index_whose_map_is_a_list": '{"weight_map": ["a"]}',
  "an_index_whose_map_is_empty": '{"weight_map": {}}',
  "an_index_of_numbers": '{"weight_map": {"a": 3}}',
  "an_index_of_null": '{"weight_map": {"a": null}}',
  "an_index_of_lists": '{"weight_map": {"a": ["a.safetensors"]}}',
  "an_index_of_nothing": '{"weight_map": {"a": ""}}',
  "an_index_of_a_folder": '{"weight_map": {"a": "."}}',
  "an_index_of_what_is_not_there": '{"weight_map": {"a": "a.safetensors"}}',
  "an_index_of_a_zero_byte": '{"weight_map": {"a": "a\\u0000.safetensors"}}',
  "an_index_of_no_encoding": '{"weight_map": {"a": "\\ud800.safetensors"}}',
  "an_index_of_a_long_name": json.dumps({"weight_map": {"a": "a" * 5000 + ".safetensors"}}),
  "an_index_of_a_pickle": '{"weight_map": {"a": "model.bin"}}',
  "a_deep_index": '{"weight_map": ' + "[" * 100_000,
  "an_index_with_a_long_number": '{"weight_map": ' + "1" * 5000 + "}",
}
CONFIGS: dict[str, bytes] = {
  "a_config_that_is_a_list": b"[]",
  "a_config_that_is_cut": b"{",
  "a_config_in_no_encoding": b"\xff\xfe",
  "a_deep_config": DEEP,
  "a_config_with_a_long_number": b'{"n_head": ' + b"1" * 5000 + b"}",
}


def _file(content: bytes, name: str = "model.safetensors") -> Case:
  def make(folder: Path) -> list[str]:
    (folder / name).write_bytes(content)
    return _weights(folder, folder / name)

  return make


def _indexed(text: str) -> Case:
  return lambda folder: _weights(folder, index(folder, None, text))


def _configured(content: bytes) -> Case:
  def make(folder: Path) -> list[str]:
    path = save(folder / "weights" / "model.safetensors")
    (path.parent / "config.json").write_bytes(content)
    return _weights(folder, path.parent)

  return make


def shards_with_one_tensor(folder: Path) -> list[str]:
  where = index(folder, {"a": "one/m.safetensors", "b": "two/m.safetensors"})
  save(where / "one" / "m.safetensors")
  save(where / "two" / "m.safetensors", tensors(a=(20, 20), b=(20, 20)))
  return _weights(folder, where)


def one_shard_under_two_names(folder: Path) -> list[str]:
  where = index(folder, {"a": "one.safetensors", "b": "two.safetensors"})
  save(where / "one.safetensors", tensors(a=(20, 20), b=(20, 20)))
  (where / "two.safetensors").symlink_to("one.safetensors")
  return _weights(folder, where)


def several_precisions_and_no_usual_one(folder: Path) -> list[str]:
  for kind in ("fp16", "bf16"):
    save(folder / "weights" / f"model.{kind}.safetensors")
  return _weights(folder, folder / "weights")


def dot_files_alone(folder: Path) -> list[str]:
  (folder / "weights").mkdir()
  (folder / "weights" / "._model.safetensors").write_bytes(b"of another system")
  return _weights(folder, folder / "weights")


def a_corner_of_a_small_matrix(folder: Path) -> list[str]:
  path = save(folder / "model.safetensors", tensors(q_proj=(20, 20)))
  return [*_weights(folder, path), "--set=mode=corner_as_published"]


BAD: dict[str, Case] = (
  {name: _file(content) for name, content in FILES.items()}
  | {name: _indexed(text) for name, text in INDICES.items()}
  | {name: _configured(content) for name, content in CONFIGS.items()}
  | {
    case.__name__: case
    for case in (
      shards_with_one_tensor,
      one_shard_under_two_names,
      several_precisions_and_no_usual_one,
      dot_files_alone,
      a_corner_of_a_small_matrix,
    )
  }
  | {
    "a_pickle": _file(b"cos\nsystem\n", "model.bin"),
    "a_shard_alone_of_arrays": _file(b"PK\x03\x04", "model.npz"),
    "no_weights": lambda folder: _weights(folder, folder),
    "nothing": lambda folder: _weights(folder, folder / "model.safetensors"),
  }
)


def archive(way: int = zipfile.ZIP_DEFLATED, /, **members: bytes) -> bytes:
  """Returns an NPZ with members of our making."""
  packed = io.BytesIO()
  with zipfile.ZipFile(packed, "w", way) as its:
    for name, content in members.items():
      its.writestr(f"{name}.npy", content)
  return packed.getvalue()


def encrypted(content: bytes) -> bytes:
  """Returns an NPZ that says that its members are encrypted."""
  changed = bytearray(content)
  for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
    start = changed.find(mark)
    while start >= 0:
      changed[start + at] |= 1
      start = changed.find(mark, start + 1)
  return bytes(changed)


def declared(content: bytes, size: int) -> bytes:
  """Returns an NPZ that says that its first member has another size."""
  changed = bytearray(content)
  start = changed.find(b"PK\x01\x02")
  changed[start + 24 : start + 28] = struct.pack("<I", size)
  return bytes(changed)


_FLOATS = array("(2, 2)", bytes(32))
ARRAYS: dict[str, bytes] = {
  "no_bytes": b"",
  "no_archive": b"no archive at all",
  "a_single_array": _FLOATS,
  "a_cut_archive": archive(a=_FLOATS)[:60],
  "an_encrypted_archive": encrypted(archive(a=_FLOATS)),
  "an_oversized_archive": declared(archive(a=_FLOATS), 0xFFFFFFF0),
  "a_wrong_checksum": archive(zipfile.ZIP_STORED, a=_FLOATS).replace(_FLOATS[-8:], b"12345678"),
  "members_that_are_no_arrays": archive(a=b"words"),
  "an_array_of_objects": archive(a=array("(1,)", b"cos\nsystem\n", "|O")),
  "an_array_of_fields": archive(a=array("(1,)", bytes(8), "[('a', '<f8')]")),
  "an_array_longer_than_its_bytes": archive(a=array("(99999999999,)", bytes(32))),
  "an_array_below_zero": archive(a=array("(-1,)", bytes(32))),
  "a_deep_array": archive(a=array("(" * 9000)),
  "an_empty_archive": archive(),
  "other_arrays": archive(a=_FLOATS),
  "words_for_numbers": archive(
    **{"tok.weight": array("(2, 2)", bytes(16), "<U1")},
    **{"pos.weight": _FLOATS, "readout.weight": _FLOATS},
  ),
  "a_pointer": POINTER,
}


def published(content: bytes) -> Case:
  """Returns a case that trains from a published network in an NPZ; its flags are those of train."""

  def make(folder: Path) -> list[str]:
    (folder / "state.npz").write_bytes(content)
    return [
      "--config=text:imported",
      f"--config.model.checkpoint={folder / 'state.npz'}",
      "--config.task.count=100",
      f"--workdir={folder / 'out'}",
    ]

  return make


# --------------------------------------------------------------------------------------------------
# Trials


def attempt(
  case: Case, folder: Path, *, said: str = "", hostile: bool = False, main=analyze.main
) -> list[str]:
  """Returns what should not have happened when the files of a case were read.

  A broken file must end in exit code 2 with nothing written, a hostile one in any code of one line,
  or in a result. The error must match `said`.
  """
  argv = case(folder)
  before = _tree(folder / "outside")
  planted = _tree(folder)
  out, err = io.StringIO(), io.StringIO()
  with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    code = main(["program", *argv])
  shown, lines = out.getvalue() + err.getvalue(), err.getvalue().splitlines()
  after = _tree(folder)
  new = {name: content for name, content in after.items() if planted.get(name) != content}
  leaks = (SECRET.encode(), base64.b64encode(SECRET.encode())[:20])
  wrong = {
    f"exit code {code}": code not in ((0, USER_ERROR, UNEXPECTED) if hostile else (USER_ERROR,)),
    f"{lines[-3:]} is not one line": bool(code) and not _one_line(lines),
    f"{lines[-1:]}, not {said!r}": not _as_said(said, code, lines),
    "a traceback": "Traceback" in shown,
    "a payload ran": (folder / "ran").exists(),
    "a secret was shown": SECRET in shown,
    "a secret was copied": any(leak in content for leak in leaks for content in new.values()),
    "something outside was changed": _tree(folder / "outside") != before,
    "a control character": any(not c.isprintable() and c != "\n" for c in shown),
    "raw markup in the report": any(
      b"<script" in content or b"<img src=x" in content
      for name, content in new.items()
      if name.endswith(".html")
    ),
    f"{sorted(new)} was written": bool(code) and not hostile and bool(new),
  }
  return [what for what, happened in wrong.items() if happened]


def _as_said(said: str, code: int, lines: list[str]) -> bool:
  """Whether a trial ended as it should, in the words of its error."""
  if said == READ:
    return code == 0
  return bool(re.search(said, "".join(lines[-1:])))


def _one_line(lines: list[str]) -> bool:
  """Whether an error is one line, the last; lines of progress may come before."""
  errors = [line for line in lines if line.startswith("error: ")]
  return len(errors) == 1 and lines[-1] == errors[0]


def _tree(folder: Path) -> dict[str, bytes]:
  """Returns the small regular files below a folder; links are not followed."""
  return {
    path.relative_to(folder).as_posix(): path.read_bytes()
    for path in folder.rglob("*")
    if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 26
  }


def trials() -> dict[str, Callable[[Path], list[str]]]:
  """Returns every trial by name: it takes an empty folder and returns what went wrong."""
  found: dict[str, Callable[[Path], list[str]]] = {}
  for name, (case, said) in HOSTILE.items():
    found[name] = lambda folder, case=case, said=said: attempt(
      case, folder, said=said, hostile=True
    )
  for name, case in BAD.items():
    found[name] = lambda folder, case=case: attempt(case, folder)
  for name, content in ARRAYS.items():
    found[f"npz_{name}"] = lambda folder, content=content: attempt(
      published(content), folder, main=train.main
    )
  return found


def main() -> None:
  """Runs every trial and prints those in which something went wrong."""
  failed = 0
  for name, trial in trials().items():
    with tempfile.TemporaryDirectory() as folder:
      wrong = trial(Path(folder))
    if wrong:
      failed += 1
      print(f"{name}: {'; '.join(wrong)}")
  print(f"{len(trials())} trials of {len(study.names())} studies, {failed} went wrong")
  sys.exit(bool(failed))


if __name__ == "__main__":
  main()
