"""The addition study's training program: pair tables and token model meet."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from primelens.lens import study
from primelens.lens.study import Cost
from primelens.models import fit, pair_table, tokens, torch_init, transformer
from primelens.tasks import addition


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
      f"seed: write the number behind the config's name, as in --config=addition_p53:{seeds}, or "
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

  Full batch: every step sees all train pairs of its member, and the loss of
  its test pairs is measured beside it. Nothing is selected on either.
  `tables` is that of `losses`.
  """
  model = experiment.model
  data = {
    "token_Nx3": jnp.asarray(pairs.token_Nx3),
    "label_N": jnp.asarray(pairs.label_SxN),
    "train_N": jnp.asarray(pairs.train_SxN),
    "test_N": jnp.asarray(pairs.test_SxN),
  }
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
    return train, {"nll_nats": train, "test/nll_nats": test}

  program = fit.Program(
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
    torch_init.weights(
      seed,
      vocabulary=model.vocabulary,
      classes=model.classes,
      order=model.torch_order,
      layers=model.trunk.layers,
    )
    for seed in model.torch_seeds
  ]
  return jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *members)


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

  Products alone: W_in and W_U side by side and W_out W_U, forward for all
  pairs and twice more for the train pairs.
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
  return Cost(parameters, train, flop, 20.0 * parameters + kept)


class Run(study.Run):
  """A population trained on pair tables."""

  @property
  def pairs(self) -> addition.Pairs:
    """The pairs, their labels and each member's split."""
    return self.data
