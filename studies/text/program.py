"""The text study's training program: prompts and encoder meet here.

Shared by its slices: a run and its card, fresh networks, the settings of all.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.lens import study
from primelens.lens.study import Cost
from primelens.models import encoder, fit, imports, tokens, transformer
from primelens.tasks import characters, checks, text

EVALUATED = 500  # rows in one forward pass of an evaluation
REPOSITORY = "liuzhimei/symmetry_circuit at 25883a5"
SEEDS = 5  # members that decide a claim about the published setting


@dataclasses.dataclass(kw_only=True)
class Settings:
  """What the analyses of a text run may vary."""

  parameters: Literal["best", "last"] = "best"
  probe_rows: Annotated[int, checks.Range(200, 10_000_000)] = (
    20_000  # fresh pairs, half to fit, half to score
  )
  batch: checks.Count = 2000  # rows in one forward pass
  permutations: checks.Number = 100
  random_directions: checks.Number = 50
  untrained: checks.Order = 5  # fresh networks, at least, as a null
  mlp_epochs: checks.Number = 200
  mlp_patience: checks.Number = 20  # epochs
  mlp_sizes: Annotated[tuple[str, ...], checks.Items(0, 100)] = (
    "128x1",
    "128x2",
    "256x2",
  )  # width x depth
  tsne: bool = False  # of the first member's states
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
    for size in self.mlp_sizes:
      width, _, depth = size.partition("x")
      if not (width.isdigit() and depth.isdigit() and int(width) * int(depth)):
        raise ValueError(f"mlp_sizes has {size!r}, which is not as 128x2.")


class Run(study.Run):
  """A population of encoders on prompts."""

  @property
  def prompts(self) -> text.Text:
    """The prompts, their answers and parts."""
    return self.data

  @property
  def regression(self) -> bool:
    """Whether the networks answer with a number."""
    return self.experiment.model.outputs == 1

  def probes(self) -> text.Text:
    """Returns prompts of pairs that no member was trained or chosen on: the
    train part to fit probes, the test part to score them."""
    return text.fresh(self.prompts, self.settings.probe_rows, self.settings.seed + 1000)


def check(experiment) -> None:
  """Raises `ValueError` where task and model do not go together."""
  task, model = experiment.task, experiment.model
  study.check_kinds(experiment, task=text.Config, model=encoder.Config)
  if model.vocabulary != characters.VOCABULARY:
    raise ValueError(
      f"model.vocabulary={model.vocabulary}, but there are {characters.VOCABULARY} characters."
    )
  wanted = text.classes(task)
  allowed = (wanted,) if task.question == "valid" else (1, wanted)
  if model.outputs not in allowed:
    names = " or ".join(map(str, allowed))
    raise ValueError(
      f"model.outputs={model.outputs}, but task.question={task.question!r} is "
      f"answered with {names}."
    )


def build(experiment, data: text.Text):
  """Returns the fit's program, its data and its select batch.

  A step draws rows of train with replacement; the source went through them in
  shuffled epochs. The best parameters are those with the lowest select loss.
  """
  model, settings = experiment.model, experiment.fit
  arrays = {"token_NxT": data.token_NxT, "target_N": targets(model, data), "train_N": data.train_N}
  inputs = jax.device_put(arrays)
  if model.checkpoint:
    inputs["start"] = published(model)
  chosen_N = data.select_N[: settings.evaluate_windows]
  select = jax.device_put(
    {"token_BxT": data.token_NxT[chosen_N], "target_B": arrays["target_N"][chosen_N]}
  )

  def init(data, key):
    return data["start"] if model.checkpoint else encoder.init(model, key)

  def draw(data, key, step):
    shape = (settings.batch_size,)
    at_B = jax.random.randint(key, shape, 0, len(data["train_N"]))
    row_B = data["train_N"][at_B]
    token_BxT, target_N = data["token_NxT"][row_B], data["target_N"]
    return {"token_BxT": token_BxT, "target_B": target_N[row_B]}

  def loss(params, batch, key, step):
    output_BxV, _ = encoder.apply(model, params, batch["token_BxT"], dropout_key=key)
    return _loss(output_BxV, batch["target_B"])

  program = fit.Program(
    init=init,
    draw=draw,
    loss=loss,
    evaluate=functools.partial(_evaluate, model),
    unit="mse" if model.outputs == 1 else "nll_nats",
  )
  return program, inputs, select


def targets(model: encoder.Config, data: text.Text) -> np.ndarray:
  """Returns what the network is to answer: answers over the task's scale, or
  classes."""
  if model.outputs == 1:
    return (data.answer_N / data.config.scale).astype(np.float32)
  return data.answer_N.astype(np.int32)


def published(model: encoder.Config):
  """Returns the params of a published checkpoint; `ValueError` where it is of
  another size than the config."""
  state = imports.read(model.checkpoint)
  config, params = imports.text_encoder(state, model.trunk.heads)
  for name in ("width", "layers", "hidden", "max_positions"):
    its, ours = getattr(config.trunk, name), getattr(model.trunk, name)
    if its != ours:
      raise ValueError(f"{model.checkpoint} has {name}={its}, but model.trunk.{name}={ours}.")
  if (config.vocabulary, config.outputs) != (model.vocabulary, model.outputs):
    raise ValueError(
      f"{model.checkpoint} has {config.vocabulary} characters and {config.outputs} outputs."
    )
  return jax.device_put(params)


def _loss(output_BxV, target_B):
  """Returns the loss of a batch, and what is told of it."""
  if output_BxV.shape[-1] == 1:
    error = jnp.mean((output_BxV[:, 0] - target_B) ** 2)
    return error, {"mse": error}
  nll_B = tokens.margin_nll(output_BxV, target_B)
  hit_B = jnp.argmax(output_BxV, axis=-1) == target_B
  return nll_B.mean(), {"nll_nats": nll_B.mean(), "accuracy": hit_B.mean()}


def _evaluate(model, params, select, key):
  """Returns the select loss, without dropout, some rows at a time."""
  one = lambda row: _loss(
    encoder.apply(model, params, row["token_BxT"][None])[0], row["target_B"][None]
  )[0]
  return jnp.mean(jax.lax.map(one, select, batch_size=EVALUATED))


def bind(experiment):
  """Returns the forward pass of the analyses."""
  return encoder.bind(experiment.model)


def cost(experiment) -> Cost:
  """Returns the cost of one step of one seed, as an estimate."""
  model, task = experiment.model, experiment.task
  start = lambda key: encoder.init(model, key)
  shapes = jax.eval_shape(start, jax.random.key(0))
  parameters = transformer.parameter_count(shapes)
  blocks = transformer.parameter_count(shapes["blocks"])
  length = characters.longest(
    task.operands,
    modulus=task.modulus if task.question == "modk" else 0,
    aligned=task.layout == "aligned",
  )
  rows, trunk = experiment.fit.batch_size, model.trunk
  flop = 6.0 * blocks * rows * length
  states = 4.0 * (rows // experiment.fit.accumulation) * length * trunk.layers
  kept = states * (10 * trunk.width + 2 * trunk.hidden)
  return Cost(parameters, rows, flop, 20.0 * parameters + kept)


def untrained_S(run):
  """Returns fresh parameters of at least `untrained` networks.

  Drawn from the settings' seed: members of an imported network start from it,
  so that `run.untrained_S()` would be no null there.
  """
  count = max(run.settings.untrained, run.experiment.fit.seeds)
  return fresh_S(run.experiment.model, jax.random.split(jax.random.key(run.settings.seed), count))


def fresh_S(model: encoder.Config, keys_S):
  """Returns the parameters of a fresh network for each key."""
  model = dataclasses.replace(model, checkpoint="")  # which they do not start from
  return _population(transformer.bind(encoder.init, model))(keys_S)


@functools.cache
def _population(start: Callable) -> Callable:
  """Returns `start` for many keys, compiled once for all slices."""
  return jax.jit(jax.vmap(start))


def card(experiment) -> dict[str, Any]:
  """Returns the study's words of a run.

  `imported` is the source's own network, `reference` its place among the seeds, `as_published`
  one with its prompts and its size, so that its numbers belong beside the reported ones.
  """
  task, model = experiment.task, experiment.model
  size = f"L{model.trunk.layers} D{model.trunk.width}"
  own = f"{size}, {task.layout}, {task.split} split"
  return {
    "question": task.question,
    "imported": bool(model.checkpoint),
    "reference": 0 if model.checkpoint else None,
    "as_published": as_published(experiment),
    "regression": model.outputs == 1,
    "population": f"{task.question}, {'imported' if model.checkpoint else own}",
  }


def as_published(experiment) -> bool:
  """Returns whether a run has the source's prompts and one of its networks of
  two layers, so that its numbers belong beside the reported ones."""
  task, trunk = experiment.task, experiment.model.trunk
  width = 256 if task.question == "valid" else 128
  sizes = (trunk.layers, trunk.width, trunk.heads, trunk.hidden)
  plain = text.Config(question=task.question)
  return task == plain and sizes == (2, width, 4, 256)


def without_residues(experiment) -> str:
  """Returns why a run is no cell of the grid, or ""."""
  if experiment.task.question != "modk":
    return f"question={experiment.task.question!r} has no residues"
  return ""


def published_runs(results, question: str):
  """Returns the results of populations trained as published, with SEEDS members or more."""
  return results.where(
    f"of {question!r} with {SEEDS} members",
    question=question,
    as_published=True,
    seeds=lambda count: count >= SEEDS,
  )


def foremost(found: xr.Dataset) -> bool:
  """Returns whether answers are those of networks trained as published."""
  return bool(found.as_published)


def claimed(item: str) -> str:
  """Returns the source of a claim; `item` names sections of docs/sources/text.md."""
  return f"{REPOSITORY} (docs/sources/text.md, {item})"
