"""Do two revisions give the same numbers, bit for bit?

  python bench/same_numbers.py BASE            # BASE and the working tree
  python bench/same_numbers.py BASE HEAD       # two revisions
  python bench/same_numbers.py BASE --only=text,weights

Each revision is built as a wheel into a folder of its own and runs in processes that see that
folder alone. BASE trains small runs of every study; both read copies of them, with the same
settings. Every array, record, row of the ledger and row of published numbers of BASE is looked
for in the other revision, and what differs is printed by name and size. Provenance (dates,
revisions, seconds) is not compared.

Where a field has moved, `bench/moved` says where it went: a function of what the new revision
stores.
Exit code 0: nothing differs. 1: something does. 2: a revision cannot be built or run.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import moved
import numpy as np
import xarray as xr

ROOT = Path(__file__).parent.parent
PLANTED = "PRIMELENS_SAME_NUMBERS_PLANTED"  # added to one number of the second, by the test


class Group(NamedTuple):
  """Runs of one study that are read together; `set` are the settings of the analyses."""

  train: Mapping[str, tuple[str, ...]]
  set: tuple[str, ...] = ()
  only: tuple[str, ...] = ()  # all by default


_ZEROS = (
  "--config.fit.steps=20",
  "--config.fit.seeds=2",
  "--config.fit.batch_size=16",
  "--config.fit.dispatch=10",
  "--config.fit.evaluate_every=10",
  "--config.fit.checkpoint_every=20",
  "--config.fit.snapshot_every=10",
)
GROUPS = {
  "zeros": Group(
    train={
      "e0": ("--config=zeros_demo:e0", *_ZEROS),
      "postfix": ("--config=zeros_demo:postfix", *_ZEROS),
    },
    set=(
      "evaluation.windows=64",
      "evaluation.select_windows=64",
      "evaluation.permutation_windows=32",
      "evaluation.permutations=4",
      "masking.windows=16",
      "masking.ratios=0,0.5,0.9",
      "heads.windows=16",
      "bootstrap.samples=100",
      "bootstrap.block=50",
      "formula.samples=2000",
      "formula.cue_matrices=8",
      "formula.cue_size=24",
      "symbolic.samples=100",
      "linear.samples=2000",
      "linear.jacobian_windows=8",
      "prime_waves.spacings=600",
      "prime_waves.part_spacings=300",
      "prime_waves.limit=50",
      "prime_waves.draws=20",
      "prime_waves.orders=3",
      "prime_waves.explicit=10",
      "prime_waves.response_windows=8",
      "prime_waves.response_limit=10",
      "prime_waves.symbolic=false",
      "pruned.steps=4",
      "pruned.windows=16",
      "pruned.kept=0.25",
      "pruned.draws=1",
      "curriculum.steps=4",
      "curriculum.windows=16",
      "slots.windows=16",
      "slots.draws=2",
      "slots.random_windows=8",
      "slots.remeasurements=20",
      "slots.blocks=2",
      "slots.block_windows=8",
      "slots.quarter_windows=2",
      "slots.gradient_batches=2",
      "slots.gradient_batch=4",
      "slots.attention_windows=4",
      "slots.rollouts=2",
      "slots.horizons=1,4",
      "leak.windows=16",
      "leak.pattern_windows=8",
      "rollout.starts=4",
      "rollout.horizon=20",
      "rollout.draws=2",
      "rollout.rows=3",
      "rollout.growing=4",
      "calibration.samples=500",
      "calibration.crps_draws=8",
      "calibration.quantile_draws=20",
      "gue.blocks=4",
      "gue.matrices=4",
      "gue.size=50",
      "gue.stretch=100",
      "gue.shuffles=4",
      "prime_lines.stretches=2",
      "prime_lines.spacings=500",
      "prime_lines.limit=50",
      "prime_lines.draws=20",
      "prime_lines.cue_draws=1",
      "prime_lines.cue_size=50",
      "predictors.samples=200",
      "predictors.lags=1,2",
      "predictors.orders=3",
      "predictors.cue_matrices=2",
      "predictors.cue_size=20",
      "yardstick.spacings=200",
      "yardstick.past=3000",
      "yardstick.errors=200",
      "yardstick.explicit=10",
      "yardstick.computed=",
      "form_factor.block=64",
      "form_factor.tau_step=0.0625",
      "form_factor.lengths=0.5,2.0",
      "form_factor.draws=2",
      "form_factor.offsets=2",
      "operators.size=60",
      "operators.draws=2",
      "operators.samples=4",
      "operators.sites=256",
      "operators.density=0.125",
      "kernels.windows=8",
      "kernels.published_windows=16",
      "kernels.restarts=4",
      "kernels.unfolded_bins=16",
      "hermiticity.draws=40",
      "hermiticity.slot_draws=100",
    ),
  ),
  "addition": Group(
    train={
      "published": (
        "--config=addition:p10_published",
        "--config.fit.steps=600",
        "--config.fit.snapshot_every=200",
      ),
      "modular": (
        "--config=addition:p53",
        "--config.fit.steps=200",
        "--config.fit.snapshot_every=100",
      ),
    }
  ),
  "text": Group(
    train={
      "sum": ("--config=text:sum", "--config.fit.steps=40", "--config.fit.seeds=2"),
      "modk": ("--config=text:modk", "--config.fit.steps=40", "--config.fit.seeds=2"),
      "valid": ("--config=text:valid", "--config.fit.steps=40", "--config.fit.seeds=2"),
      "imported": (
        "--config=text:imported",
        "--config.model.checkpoint={base}/{checkpoint}",
        "--config.model.trunk.width=16",
        "--config.model.trunk.hidden=24",
        "--config.model.trunk.max_positions=32",
      ),
    },
    set=("probe_rows=400", "batch=200", "permutations=19", "random_directions=3", "mlp_epochs=5"),
  ),
  "primes": Group(
    train={
      "a": ("--config=primes:small_a", "--config.fit.steps=40", "--config.fit.seeds=2"),
      "c": ("--config=primes:small_c", "--config.fit.steps=40", "--config.fit.seeds=2"),
    }
  ),
  "weights": Group(train={}),
}
# What configs are called in revisions in which none was a family.
EARLIER = {
  "zeros_demo:e0": "zeros_demo_e0",
  "zeros_demo:postfix": "zeros_demo_postfix",
  "addition:p10_published": "addition_p10:published",
  "addition:p53": "addition_p53",
  "text:sum": "text_sum",
  "text:modk": "text_sum:modk",
  "text:valid": "text_sum:valid",
  "text:imported": "text_imported",
  "primes:small_a": "primes_small:a",
  "primes:small_c": "primes_small:c",
}
CHECKPOINT = "tests/fixtures/encoder_state.npz"  # an encoder with PyTorch's names

# What a process of one revision does: a command line, whose modules all lie in `site`.
COMMAND = """
import sys
site, main, *argv = sys.argv[1:]
sys.meta_path = [f for f in sys.meta_path if "editable" not in repr(f).lower()]
sys.path.insert(0, site)
import importlib
code = importlib.import_module(f"primelens.{main}").main(["program", *argv])
strays = [m.__file__ for n, m in sys.modules.items() if n.startswith("primelens.")
          and getattr(m, "__file__", None) and not m.__file__.startswith(site)]
assert not strays, strays
sys.exit(code)
"""


class Revision:
  """A revision, built: `source` is its tree, `site` the folder that its wheel was installed in."""

  def __init__(self, name: str, folder: Path):
    self.name, self.source, self.site = name, folder / "source", folder / "site"
    self.source.mkdir(parents=True)
    listed = _git("ls-files", "--cached", "--others", "--exclude-standard") if name == "." else ""
    for path in listed.splitlines():
      if (ROOT / path).is_file():
        (self.source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, self.source / path)
    if name != ".":
      archive = folder / "source.tar"
      _git("archive", f"--output={archive}", name)
      shutil.unpack_archive(archive, self.source, filter="data")
    wheel = folder / "wheel"
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", wheel]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", self.site]
    _run([*build, self.source])
    _run([*pip, *wheel.glob("*.whl")])

  def main(self, name: str) -> str:
    """Returns the module of a command line, wherever this revision has it."""
    rooms = [
      room for room in ("lens", "studies") if (self.site / f"primelens/{room}/{name}.py").exists()
    ]
    return f"{rooms[0]}.{name}"

  def call(self, name: str, *argv: str) -> None:
    """Runs a command line of this revision; raises `SystemExit` with what it said."""
    _run([sys.executable, "-c", COMMAND, self.site, self.main(name), *argv])


def _git(*argv: str) -> str:
  return _run(["git", "-C", ROOT, *argv])


def _run(command: list) -> str:
  done = subprocess.run(
    [str(part) for part in command], capture_output=True, text=True, cwd=tempfile.gettempdir()
  )
  if done.returncode:
    print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    print(f"ended with {done.returncode}: {command}", file=sys.stderr)
    raise SystemExit(2)
  return done.stdout


def train(base: Revision, name: str, folder: Path) -> None:
  """Trains a group's runs, or writes its weights, below a folder."""
  folder.mkdir(parents=True)
  if name == "weights":
    from safetensors import numpy as safetensors_numpy

    rng = np.random.default_rng(0)
    roles = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj")
    weights = {
      f"layers.{layer}.{role}.weight": rng.standard_t(5, (64, 64)).astype(np.float32)
      for layer in range(2)
      for role in roles
    }
    safetensors_numpy.save_file(weights, folder / "model.safetensors")
    return
  families = (base.source / "configs" / "zeros_published.py").is_file()
  for run, flags in GROUPS[name].train.items():
    given = flags if families else map(_earlier, flags)
    given = [flag.format(base=base.source, checkpoint=CHECKPOINT) for flag in given]
    base.call("train", *given, f"--workdir={folder / run}")


def _earlier(flag: str) -> str:
  """Returns a flag with the name that its config had before there were families."""
  name, _, config = flag.partition("=")
  return f"{name}={EARLIER[config]}" if name == "--config" else flag


def read(revision: Revision, name: str, folder: Path) -> None:
  """Reads a group's runs with a revision, which writes results into them."""
  if name == "weights":
    file, workdir = folder / "model.safetensors", folder / "spectra"
    revision.call("analyze", f"--weights={file}", f"--workdir={workdir}", "--set", "draws=39")
    return
  group = GROUPS[name]
  runs = ",".join(str(folder / run) for run in group.train)
  settings = [part for setting in group.set for part in ("--set", setting)]
  only = [f"--only={','.join(group.only)}"] if group.only else []
  revision.call("analyze", f"--workdir={runs}", *settings, *only)


class Stored(NamedTuple):
  """What one place holds: all numbers by name, and Datasets by slice, with the `config`."""

  fields: dict[str, Any]
  datasets: dict[str, Any]


def stored(folder: Path) -> dict[str, Stored]:
  """Returns `{place: Stored}` of all results below a folder, records taken apart."""
  found: dict[str, Stored] = {}
  for path in sorted(folder.rglob("*.json")):
    document = json.loads(path.read_text())
    if not isinstance(document, dict) or "analysis" not in document:
      continue
    inside = path.relative_to(folder).parts
    its = found.setdefault(inside[0] if len(inside) > 1 else "", Stored({}, {}))
    config = folder / inside[0] / "config.json"
    if config.is_file():
      its.datasets["config"] = json.loads(config.read_text())
    name = document["analysis"]
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
      array_of = {key: arrays[key] for key in arrays.files}
    its.fields.update({f"{name}/{key}": array for key, array in array_of.items()})
    attributes = document.get("attributes", document)  # of Datasets, and of results before them
    of_old = attributes.get("scalars", {}) | attributes.get("records", {})
    others = {k: v for k, v in attributes.items() if k not in ("scalars", "records")}
    its.fields.update(flat(name, keyed(of_old | (others if "attributes" in document else {}))))
    if "attributes" in document:
      its.datasets[name] = dataset(document, array_of)
  return found


def keyed(fields: Mapping[str, Any]) -> dict[str, Any]:
  """Returns rows of claims and of published numbers by what they are of, not by their place."""
  rows = fields.get("rows")
  if not isinstance(rows, list) or not rows:
    return dict(fields)
  if all("id" in row for row in rows):
    return dict(fields) | {"rows": {row["id"]: row for row in rows}}
  if all("quantity" in row for row in rows):
    named = {}
    for row in rows:
      row = dict(row)
      population = row.pop("question", None) or row.pop("population", "")
      row.pop("analysis", None)
      row.pop("slice", None)
      named[f"{population} {row.get('key')} {row['quantity']}"] = row
    return dict(fields) | {"rows": named}
  return dict(fields)


def dataset(document: Mapping, array_of: Mapping[str, np.ndarray]) -> xr.Dataset:
  """Returns a stored result as the Dataset that it is."""
  variables = {
    key: xr.Variable(each["dimensions"], array_of[key], each["attributes"])
    for key, each in document["variables"].items()
  }
  coords = {key: variables.pop(key) for key in document["coordinates"]}
  return xr.Dataset(variables, coords, document["attributes"])


def flat(name: str, value) -> Iterator[tuple[str, Any]]:
  """Yields the leaves of records; rows go by their number."""
  if isinstance(value, Mapping) and value.keys() != {"nonfinite"}:
    for key, inner in value.items():
      yield from flat(f"{name}/{key}", inner)
  elif isinstance(value, list):
    for i, inner in enumerate(value):
      yield from flat(f"{name}/{i}", inner)
  else:
    yield name, value


def difference(old, new) -> str:
  """Returns in words how two values differ, "" where they are the same bits."""
  if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
    if (old.shape, old.dtype) != (new.shape, new.dtype):
      return f"{old.dtype}{old.shape} there, {new.dtype}{new.shape} here"
    if old.tobytes() == new.tobytes():
      return ""
    if old.dtype.kind not in "fc":
      return f"{np.sum(old != new)} of {old.size} values"
    apart = np.abs(old.astype(complex) - new.astype(complex))
    size = np.nanmax(apart) if np.isfinite(apart).any() else np.nan
    differ = ~((old == new) | (np.isnan(old) & np.isnan(new)))
    return f"{differ.sum()} of {old.size}, by up to {size:.3g}"
  number = lambda value: isinstance(value, int | float) and not isinstance(value, bool)
  if number(old) and number(new):  # 7037 and 7037.0 are one number of a record
    return "" if old == new else f"by {new - old:.3g} ({old!r} there, {new!r} here)"
  same = type(old) is type(new) and old == new
  return "" if same else f"{old!r} there, {new!r} here"


def compare(old: Mapping[str, Stored], new: Mapping[str, Stored]) -> list[str]:
  """Returns a line for every field of the first that is not the same in the second."""
  lines = []
  for place, was in old.items():
    its = new.get(place, Stored({}, {}))
    here = its.fields | went(was, its)
    for name, value in was.fields.items():
      where = f"{place}: {name}" if place else name
      if name not in here:
        lines.append(f"{where}: absent")
      elif said := difference(value, here[name]):
        lines.append(f"{where}: {said}")
  return lines


def went(was: Stored, its: Stored) -> dict[str, Any]:
  """Returns the old fields that `moved.MOVED` makes of the new results."""
  found: dict[str, Any] = {}
  for name, make in moved.MOVED.items():
    if not any(key == name or key.startswith(f"{name}/") for key in was.fields):
      continue
    try:
      value = make(its.datasets)
    except (KeyError, ValueError, AttributeError, TypeError) as error:
      print(f"{name} cannot be made: {type(error).__name__}: {error}", file=sys.stderr)
      continue
    found |= dict(flat(name, plain(value)))
  return found


def plain(value: Any) -> Any:
  """Returns records as they were stored: numbers of Python, NaN and infinities by name."""
  if isinstance(value, Mapping):
    return {key: plain(inner) for key, inner in value.items()}
  if isinstance(value, (list, tuple)):
    return [plain(inner) for inner in value]
  value = value.item() if isinstance(value, np.generic) else value
  if isinstance(value, float) and not np.isfinite(value):
    return {"nonfinite": str(value)}
  return value


def plant(found: Mapping[str, Stored], size: float) -> None:
  """Adds a little to the first number of the first array: what a test wants to see."""
  for its in found.values():
    for name, value in its.fields.items():
      if isinstance(value, np.ndarray) and value.dtype == np.float64 and value.size:
        changed = value.copy()
        changed.flat[0] += size
        its.fields[name] = changed
        return


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code, having printed what differs."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("base", help="a git revision")
  parser.add_argument("head", nargs="?", default=".", help="another; the working tree by default")
  parser.add_argument("--only", default=",".join(GROUPS), help=f"of {', '.join(GROUPS)}")
  options = parser.parse_args(argv)
  wanted = options.only.split(",")
  if unknown := sorted(set(wanted) - set(GROUPS)):
    parser.error(f"{unknown[0]!r} is not one of {', '.join(GROUPS)}")
  lines, count = [], 0
  with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    base = Revision(options.base, folder / "base")
    head = Revision(options.head, folder / "head")
    for group in wanted:
      train(base, group, folder / "runs" / group)
      sides = []
      for revision, side in ((base, "old"), (head, "new")):
        # One path for both: it is part of a run's name, and stands in results.
        place = folder / "read" / group
        shutil.copytree(folder / "runs" / group, place)
        read(revision, group, place)
        sides.append(stored(place))
        shutil.move(place, folder / side / group)
      old, new = sides
      plant(new, float(os.environ.get(PLANTED, 0)))
      fields = sum(len(its.fields) for its in old.values())
      count += fields
      apart = [f"{group}: {line}" for line in compare(old, new)]
      lines += apart
      print(f"{group}: {len(apart)} of {fields} fields differ", file=sys.stderr, flush=True)
  print(*lines, sep="\n")
  print(f"{len(lines)} of {count} fields differ", file=sys.stderr)
  return int(bool(lines))


if __name__ == "__main__":
  sys.exit(main())
