"""The addition study's training program: pair tables and token model meet.

Shared by its slices: a run and its card, the settings of all, which runs decide a claim, and the
numbers it is decided on.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.lens import claims, results, study
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens.study import Cost
from primelens.models import fit as fit_lib
from primelens.models import imports, optimizer, pair_table, tokens, transformer
from primelens.tasks import addition, checks


@dataclasses.dataclass(kw_only=True)
class Settings:
  """What the analyses of an addition run may vary."""

  parameters: Literal["last"] = "last"
  key_threshold: checks.Inside = 0.1  # of the largest frequency norm
  random_directions: checks.Number = 20
  snapshot_batch: checks.Count = 10  # snapshots in memory at a time
  member_batch: checks.Count = 32  # members in memory at a time
  draws: checks.Number = 99  # of every null of a matrix: no p is below 2 / (draws + 1)
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)


def check(experiment) -> None:
  """Raises `ValueError` where task, model and fit do not go together."""
  task, model, seeds = experiment.task, experiment.model, experiment.fit.seeds
  study.check_kinds(experiment, task=addition.Config, model=tokens.Config)
  for name, wanted in (("vocabulary", task.digits + 1), ("classes", task.classes)):
    if getattr(model, name) != wanted:
      raise ValueError(f"model.{name}={getattr(model, name)}, but the task has {wanted}.")
  if len(task.split_seeds) != seeds:
    raise ValueError(
      f"fit.seeds={seeds}, but task.split_seeds names {len(task.split_seeds)} splits, one for each "
      f"seed: write the number behind the config's name, as in --config=addition:p53,{seeds}, or "
      "name as many splits."
    )
  if model.torch_seeds and len(model.torch_seeds) != seeds:
    raise ValueError(
      f"model.torch_seeds names {len(model.torch_seeds)} starts, but "
      f"fit.seeds={seeds}: each member has its own, or none is named."
    )
  one_layer = dataclasses.replace(model.trunk, layers=1)
  if model.torch_seeds and one_layer != tokens.plain_trunk():
    raise ValueError(
      "model.torch_seeds are starts of the published trunk, without biases or norms;"
      " set --config.model.torch_seeds=() for another trunk."
    )


def members(experiment, row_S):
  """Returns the experiment of some of its members, with their splits and
  starts."""
  some = lambda seeds: tuple(seeds[s] for s in row_S) if seeds else seeds
  task, model = experiment.task, experiment.model
  fewer = dataclasses.replace(
    experiment,
    task=dataclasses.replace(task, split_seeds=some(task.split_seeds)),
    model=dataclasses.replace(model, torch_seeds=some(model.torch_seeds)),
  )
  return study.members(fewer, row_S)


def build(experiment, pairs: addition.Pairs, *, tables: bool = True):
  """Returns the fit's program, its data and its select batch.

  Full batch: every step sees all train pairs of its member. The loss of its
  test pairs is measured beside it where tables make that cheap, else at
  `fit.evaluate_every` alone: of two layers it would take 44 % of every step.
  Nothing is selected on either. `tables` is that of `losses`.
  """
  model = experiment.model
  cheap = pair_table.supports(model.trunk)
  arrays = {
    "token_Nx3": pairs.token_Nx3,
    "label_N": pairs.label_SxN,
    "train_N": pairs.train_SxN,
    "test_N": pairs.test_SxN,
  }
  data = jax.device_put(arrays)
  if model.torch_seeds:
    data["start"] = published_start(model)

  def init(data, key):
    if not model.torch_seeds:
      return tokens.init(model, key)
    if not model.torch_jitter:
      return data["start"]
    return tokens.shaken(data["start"], key, model.torch_jitter)

  score = losses(model, tables=tables)

  def loss(params, batch, key, step):
    train, test = score(params, batch)
    return train, {"nll_nats": train} | ({"test/nll_nats": test} if cheap else {})

  program = fit_lib.Program(
    init=init,
    draw=lambda data, key, step: {k: v for k, v in data.items() if k != "start"},
    loss=loss,
    evaluate=lambda params, select, key: score(params, select)[1],
    per_seed=("label_N", "train_N", "test_N", "start"),
  )
  return program, data, {k: v for k, v in data.items() if k != "start"}


def published_start(model: tokens.Config):
  """Returns the published initial weights of every member, stacked."""
  members = [
    imports.initial_adder(
      seed,
      vocabulary=model.vocabulary,
      classes=model.classes,
      order=model.torch_order,
      layers=model.trunk.layers,
    )
    for seed in model.torch_seeds
  ]
  return jax.device_put(jax.tree.map(lambda *leaves: np.stack(leaves), *members))


def losses(model: tokens.Config, *, tables: bool = True):
  """Returns `f(params, batch) -> (train, test)` losses in nats; only the
  train loss has a gradient.

  Through the tables where the trunk allows it, else, or where `tables` is
  false, through the sequence.
  """
  fast = tables and pair_table.supports(model.trunk)

  def by_table(params, batch):
    digits = model.vocabulary - 1
    pair_Nx2 = batch["token_Nx3"][batch["train_N"], :2]
    train = pair_table.logits(params, pair_table.one_hot(pair_Nx2, digits))
    fixed = jax.lax.stop_gradient(params)
    return train, pair_table.all_logits(fixed, batch["test_N"])

  def by_sequence(params, batch):
    run = lambda params, row_N: tokens.apply(model, params, batch["token_Nx3"][row_N])[0]
    fixed = jax.lax.stop_gradient(params)
    return run(params, batch["train_N"]), run(fixed, batch["test_N"])

  def both(params, batch):
    train_NxV, test_NxV = (by_table if fast else by_sequence)(params, batch)
    label_N = batch["label_N"]
    nll = lambda logit, row_N: jnp.mean(tokens.margin_nll(logit, label_N[row_N]))
    train = nll(train_NxV, batch["train_N"])
    return train, nll(test_NxV, batch["test_N"])

  return both


def bind(experiment):
  """Returns the forward pass of the analyses."""
  return tokens.bind(experiment.model)


def cost(experiment) -> Cost:
  """Returns the cost of one step of one member, as an estimate.

  Products alone. By tables W_in and W_U side by side and W_out W_U, forward
  for all pairs and twice more for the train pairs; else the blocks at every
  position of the train pairs.
  """
  task, trunk = experiment.task, experiment.model.trunk
  start = lambda key: tokens.init(experiment.model, key)
  shapes = jax.eval_shape(start, jax.random.key(0))
  parameters = transformer.parameter_count(shapes)
  pairs = task.digits**2
  train = int(pairs * task.train_fraction)
  width, hidden, classes = trunk.width, trunk.hidden, task.classes
  pre, out = width * (hidden + classes), hidden * classes
  flop = 2.0 * (train * 3 * (pre + out) + (pairs - train) * out)
  kept = 4.0 * pairs * (hidden + classes) * 3
  if not pair_table.supports(trunk):
    flop = 6.0 * transformer.parameter_count(shapes["blocks"]) * train * 3
    kept = 4.0 * train * 3 * trunk.layers * (10 * width + 2 * hidden)
  return Cost(parameters, train, flop, 20.0 * parameters + kept)


class Run(study.Run):
  """A population trained on pair tables."""

  @property
  def pairs(self) -> addition.Pairs:
    """The pairs, their labels and each member's split."""
    return self.data


# --- which runs a slice can read ------------------------------------------------------------------

# Fewer digits have no four components beside their mean, and no held-out sums.
LEAST = 5
# Fewer residues have no eight singular vectors to show.
LEAST_MODULAR = 9


def one_layer(experiment) -> str:
  """Returns why a run is no network of one layer on sums, or ""."""
  if experiment.task.kind != "addition":
    return f"it is about sums, and task.kind is {experiment.task.kind!r}."
  layers = experiment.model.trunk.layers
  return "" if layers == 1 else f"it reads one layer, and here are {layers}."


def plain(experiment) -> str:
  """Returns why a run is no network of one layer on plain addition, or ""."""
  task = experiment.task
  if task.kind != "addition":
    return one_layer(experiment)
  if task.modular:
    return "it is about plain addition, and task.modular is true."
  if task.digits < LEAST:
    return f"it reads {LEAST} digits or more, and task.digits is {task.digits}."
  return one_layer(experiment)


def modular(experiment) -> str:
  """Returns why a run is no network of one layer on addition of an odd modulus, or ""."""
  task = experiment.task
  if task.kind != "addition":
    return one_layer(experiment)
  if not task.modular or task.digits % 2 == 0 or task.digits < LEAST_MODULAR:
    return f"it is about addition modulo an odd number of digits, {LEAST_MODULAR} or more."
  return one_layer(experiment)


# --- what a run is --------------------------------------------------------------------------------

PUBLISHED, DRIFT = "published", "shaken by rounding"
PERMUTED, UNORDERED = "permuted labels", "unordered pairs split"
NO_DECAY = "no weight decay"
KEEP = 0.03  # accuracies after removing components
BESIDE = numbers_lib.Beside(
  PUBLISHED, DRIFT, {"permuted": PERMUTED, "no_decay": NO_DECAY, "unordered": UNORDERED}
)

# The source's two settings: plain addition, modular addition.
_SETTING: dict[bool, dict[str, Any]] = {
  False: {"digits": 10, "train_fraction": 0.72, "steps": 10_000},
  True: {"digits": 113, "train_fraction": 0.3, "steps": 25_000},
}
_OPTIMIZER = optimizer.Config(rate=1e-3, schedule="constant", beta2=0.98, clip=0.0)
_OTHER = "other "  # than the source's, as in "other digits and steps"
DIGITS = _SETTING[False]["digits"]  # of plain addition, whose sums are one of so many classes:
CLASSES = 2 * DIGITS
NEURONS = tokens.plain_trunk().hidden  # of the source's network


def card(experiment) -> dict[str, Any]:
  """Returns the study's words of a run.

  `reference` is the place of the source's own network among the seeds, `setting` says whether the
  run is that of the source or differs in sizes alone, `waves` whether there are frequencies of an
  odd modulus.
  """
  its, task = population(experiment), experiment.task
  return {
    "population": its,
    "reference": reference(experiment),
    "setting": is_setting(its),
    "waves": task.modular and task.digits % 2 == 1,
  }


def reference(experiment) -> int | None:
  """Returns which member is the source's own network, None where none is.

  Split 598 and start 999 of the published setting; modulo 113 the start has
  the older order.
  """
  task, model = experiment.task, experiment.model
  order = "old" if task.modular else "new"
  own = not _differs(experiment) and model.torch_order == order
  pairs = zip(task.split_seeds, model.torch_seeds, strict=False)
  at = [i for i, pair in enumerate(pairs) if pair == (598, 999)]
  return at[0] if own and at else None


def population(experiment) -> str:
  """Returns what a run's members have in common, as in "P = 10, published".

  "published" is the source's setting in all but splits and starts: true labels,
  ordered pairs split, weight decay 1, unshaken starts, its digits, share of
  train pairs, steps, optimizer and network. Any other run says how it differs,
  as in "modulo 53, other digits, train fraction and steps".
  """
  task = experiment.task
  sums = "modulo " if task.modular else "P = "
  return f"{sums}{task.digits}, {', '.join(_differs(experiment)) or PUBLISHED}"


def foremost(found: xr.Dataset) -> bool:
  """Returns whether curves are those of networks trained as published."""
  return found.population.partition(", ")[2] == PUBLISHED


def is_setting(population: str) -> bool:
  """Returns whether a population is that of the source, or differs in sizes
  alone: no control, that is."""
  its = population.partition(", ")[2]
  return its == PUBLISHED or its.startswith(_OTHER)


def _differs(experiment) -> list[str]:
  """Returns how an experiment differs from the source's, controls first."""
  task, model, fit = experiment.task, experiment.model, experiment.fit
  decay = fit.optimizer.weight_decay
  controls = (
    (PERMUTED, task.labels == "permuted"),
    (UNORDERED, task.split == "unordered"),
    (NO_DECAY, decay == 0),
    (f"weight decay {decay:g}", decay not in (0, 1)),
    (DRIFT, model.torch_jitter > 0),
    (f"{model.trunk.layers} layers", model.trunk.layers > 1),
  )
  wanted = _SETTING[task.modular]
  one_layer = dataclasses.replace(model.trunk, layers=1)
  own_decay = dataclasses.replace(_OPTIMIZER, weight_decay=decay)
  sizes = (
    ("digits", task.digits != wanted["digits"]),
    ("train fraction", task.train_fraction != wanted["train_fraction"]),
    ("steps", fit.steps != wanted["steps"]),
    ("optimizer", fit.optimizer != own_decay),
    ("network", one_layer != tokens.plain_trunk()),
  )
  other = [name for name, differs in sizes if differs]
  said = [name for name, differs in controls if differs]
  if other:
    said.append(_OTHER + " and ".join(filter(None, [", ".join(other[:-1]), other[-1]])))
  return said


# --- what every result of the study has -----------------------------------------------------------


def dataset(run, variables, coords=None, **attrs) -> xr.Dataset:
  """Returns a result with what the pages say of its run.

  population, and `reference`: the source's own network among the seeds, -1 where none is.
  """
  own = reference(run.experiment)
  seed = {"seed": results.variable("seed", run.seed_S, "seed of the trained network")}
  its = {
    "population": population(run.experiment),
    "reference": -1 if own is None else own,
  }
  return results.dataset(variables, seed | dict(coords or {}), **its | attrs)


def drawn(experiment) -> int:
  """Returns which member is drawn by itself: the source's own, else the first."""
  return reference(experiment) or 0


def shown(found: xr.Dataset) -> int:
  """Returns which member of a result is drawn by itself, as `drawn`."""
  return max(found.reference, 0)


def own(found: xr.Dataset, value_S) -> Any:
  """Returns the value of the source's own network, None where it is not here."""
  return value_S[found.reference] if found.reference >= 0 else None


def compared(runs: Mapping[str, xr.Dataset], words: Mapping[str, tuple[str, str]]) -> draw.Page:
  """Returns numbers of the networks of all runs, trained and untrained, a panel for each.

  `words` says by key what a number is, and its unit.
  """
  number = results.across(runs, "number")["number"]
  panels = []
  for key, (title, unit) in words.items():
    its = number.sel(quantity=key)
    values = {name: its.sel(network=name, drop=True) for name in numbers_lib.NETWORKS}
    text = {"xlabel": unit, "title": f"{title} (large: median of the trained)"}
    panels.append(draw.strips(xr.Dataset(values), "trained", y="run", null="untrained", **text))
  return draw.page(*panels, heights=[1.3 + 0.3 * len(runs)] * len(panels))


def main(runs: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
  """Returns the runs that have a page: those of the source's setting, all where there are none."""
  its = {run: found for run, found in runs.items() if is_setting(found.population)}
  return its or dict(runs)


# --- what the claims are decided on ---------------------------------------------------------------

PLAIN_SOURCE = "notebook on plain addition, P = 10"
MODULAR_SOURCE = "notebook on modular addition, P = 113"
PLAIN, MODULAR = "P = 10", "modulo 113"
SURE = 0.9999  # test accuracy of a member that generalises fully
EARLY = 1000  # step: the train pairs are known, the test pairs are not
ENOUGH = 5  # members that decide a claim about any split and start
MOST = 0.9  # of the members: a claim that holds for so many holds


def first(results, name: str, *, of: str = PLAIN, variant: str = PUBLISHED) -> xr.Dataset:
  """Returns the result of a slice on one kind of population, whatever order runs are named in.

  Of several that with the source's own network, then that with the most members. Raises
  `claims.Missing` where no run has it.
  """
  wanted = f"{of}, {variant}"
  found = results.where(wanted, population=wanted).of(name)
  rank = lambda its: (its.attrs.get("reference", -1) >= 0, its.sizes.get("seed", 0))
  return max(found.values(), key=rank)


def largest(results, name: str) -> xr.Dataset:
  """Returns the result of the modular population with the most members, one with frequencies if
  there is any; raises `claims.Missing` where no run has it."""
  its = results.where(
    "of modular addition", population=lambda words: words.startswith("modulo"), setting=True
  )
  card = its.cards
  found = its.of(name)
  return found[max(found, key=lambda run: (card[run]["waves"], found[run].sizes["seed"]))]


def curve(progress: xr.Dataset, name: str) -> np.ndarray:
  """Returns a curve of a result of `progress`, SxC; raises as `_at` does."""
  return _at(progress, "curve", name).transpose("seed", "step").values


def at(progress: xr.Dataset, name: str, step: int) -> np.ndarray:
  """Returns a curve at the snapshot next to a step, S."""
  nearest = int(np.abs(progress["step"].values - step).argmin())
  return curve(progress, name)[:, nearest]


def generalises(progress: xr.Dataset) -> np.ndarray:
  """Returns which members get all test pairs right at the end, S."""
  return curve(progress, "test/accuracy")[:, -1] > SURE


def boundary(progress: xr.Dataset, name: str) -> np.ndarray:
  """Returns the steps of a boundary by member, S; NaN: never reached. Raises as
  `_at` does."""
  return _at(progress, "boundary", name).values


def _at(progress: xr.Dataset, kind: str, name: str) -> xr.DataArray:
  """Returns one of the curves or boundaries of a result of `progress`.

  Raises `claims.Inapplicable` for none, with the reason: networks without
  frequencies, of plain addition and modulo an even number, have other curves.
  """
  named = {"curve": ("value", "curve"), "boundary": ("boundary_step", "boundary")}
  variable, dim = named[kind]
  if name not in progress[dim].values.tolist():
    waves = "has" if progress.modular else "has no"
    raise claims.Inapplicable(
      f"a record of {kind} {name} ({progress.population} {waves} frequencies of an odd modulus)"
    )
  return progress[variable].sel({dim: name})


def networks(found: xr.Dataset) -> str:
  """Returns how many networks a result is of, and what they add: "1 network modulo 113"."""
  count, sums = found.sizes["seed"], found.population.partition(", ")[0]
  return f"{count} network{'s' * (count > 1)} {sums}"


_MEDIAN = " (median "


class Number:
  """A number of a slice: that of the source's own network, and its value for every member.

  In a sentence that of the source's network stands first, as in "0.989 (median 0.979, 0.907 to
  0.991)"; `verdict` says so.
  """

  def __init__(self, found: xr.Dataset, key: str):
    pair = found["number"].sel(quantity=key)
    self.value_S = pair.sel(network="trained").values
    self.here = float(self.value_S[found.reference]) if found.reference >= 0 else np.nan
    self.untrained = numbers_lib.median(pair.sel(network="untrained").values)

  def __str__(self) -> str:
    known_S = self.value_S[np.isfinite(self.value_S)]
    if known_S.size == 1 or not np.isfinite(self.here):
      return self.middle
    range_ = f"{known_S.min():.3g} to {known_S.max():.3g}"
    return f"{self.here:.3g}{_MEDIAN}{np.median(known_S):.3g}, {range_})"

  @property
  def middle(self) -> str:
    """The median of all members and their range, as in "0.979 in the median (0.907 to 0.991)"."""
    known_S = self.value_S[np.isfinite(self.value_S)]
    if known_S.size == 1:
      return f"{known_S[0]:.3g}"
    return f"{np.median(known_S):.3g} in the median ({known_S.min():.3g} to {known_S.max():.3g})"


def numbers(found: xr.Dataset, *keys: str) -> list[Number]:
  """Returns numbers of a result by key; raises `claims.Inapplicable` for none."""
  known = found["quantity"].values.tolist()
  for key in keys:
    if key not in known:
      raise claims.Inapplicable(f"the number {key!r}")
  return [Number(found, key) for key in keys]


def behind(**named) -> dict:
  """Returns what stands behind a verdict as plain numbers: of a `Number` that of the
  source's own network as trained here, and the median of the members."""
  plain: dict[str, float] = {}
  for name, value in named.items():
    if isinstance(value, Number):
      plain[f"{name}, here"] = float(value.here)
      plain[f"{name}, median"] = float(np.nanmedian(value.value_S))
    else:
      plain[name] = float(value)
  return plain


def verdict(status: claims.Status, because: str, numbers: Mapping) -> claims.Verdict:
  """Returns the verdict; its sentence ends with a full stop, and a second one says whose the
  numbers before a median are."""
  if re.search(rf"{re.escape(_MEDIAN)}[-\d]", because):
    because += ". Numbers before a median are of the source's network, trained again here"
  return claims.Verdict(status=status, because=f"{because}.", numbers=numbers)


def held(holds: bool, *, artefact: bool = False) -> claims.Status:
  """Returns whether a claim is reproduced, and if, whether by an artefact."""
  if not holds:
    return "not reproduced"
  return "reproduced, but an artefact" if artefact else "reproduced"


def by_members(
  holds_S, because: str, numbers: Mapping, *, artefact: bool = False, whom: str = "members"
) -> claims.Verdict:
  """Returns the verdict on what should hold for members of any split and
  start: for MOST of them it is reproduced; fewer than ENOUGH decide nothing.

  `because` begins with what is wanted of a member; `whom` says which ones are asked.
  """
  holds_S = np.asarray(holds_S, bool)
  few = f" of {ENOUGH} or more" if holds_S.size < ENOUGH else ""
  must = f"{100 * MOST:.0f} %{few} must"
  said = f"{holds_S.sum()} of {holds_S.size} {whom} meet the claim ({must}): {because}"
  if holds_S.size < ENOUGH:
    return verdict("needs more compute", said, numbers)
  status = held(bool(holds_S.mean() >= MOST), artefact=artefact)
  return verdict(status, said, numbers)
