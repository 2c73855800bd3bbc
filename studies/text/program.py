"""The text study's training program: prompts and encoder meet here."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.lens import study
from primelens.lens.study import Cost
from primelens.models import encoder, fit, imports, tokens, transformer
from primelens.tasks import characters, text

EVALUATED = 500  # rows in one forward pass of an evaluation


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
  study.check_kinds(experiment, task="text", model="encoder")
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
  inputs = {name: jnp.asarray(value) for name, value in arrays.items()}
  if model.checkpoint:
    inputs["start"] = published(model)
  chosen_N = data.select_N[: settings.evaluate_windows]
  select = {
    "token_BxT": jnp.asarray(data.token_NxT[chosen_N]),
    "target_B": jnp.asarray(arrays["target_N"][chosen_N]),
  }

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
  return jax.tree.map(jnp.asarray, params)


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
