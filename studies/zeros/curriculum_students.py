"""The students of analysis `curriculum`: what they are and how they learn."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from primelens.analyses import divergences
from primelens.models import fit, spacing, students
from primelens.models import mixture as mixture_lib
from primelens.studies.zeros import program, scoring

LOW, HIGH = 0.0, 5.0  # spacings: no zeros are nearer, hardly any further apart


class Student(NamedTuple):
  """A name, `init(data, key) -> params` and a forward pass as the teacher's."""

  name: str
  init: Callable
  apply: Callable


def smaller(model: spacing.Config, shrink: int) -> spacing.Config:
  """Returns the same kind of model with 1 / shrink of layers, width, heads
  and hidden width, rounded down; its only loss is the NLL and ids are fixed."""
  trunk = model.trunk
  part = lambda size: max(1, size // shrink)
  heads = part(trunk.heads)
  its = dataclasses.replace(
    trunk,
    layers=part(trunk.layers),
    heads=heads,
    width=heads * trunk.head_width,
    hidden=part(trunk.hidden),
  )
  ids: Literal["off", "fixed"] = "off" if model.slot_ids == "off" else "fixed"
  return dataclasses.replace(
    model,
    trunk=its,
    slot_ids=ids,
    eval_slot_ids=ids,
    auxiliary="none",
    orthogonality_ramp=(),
    drift_weight=0.0,
    entropy=0.0,
  )


def all_students(run, settings) -> tuple[list[Student], fit.Program, Any]:
  """Returns the three students, the program that draws their windows, and its
  data."""
  model = smaller(run.experiment.model, settings.shrink)
  its, data = program.retraining(run, settings, model)
  components = model.components
  mlp = lambda data, key: students.mlp_init(
    key, inputs=settings.taps, hidden=settings.hidden, components=components
  )
  toeplitz = lambda data, key: students.toeplitz_init(
    key, taps=settings.taps, components=components
  )
  kinds = [
    Student("smaller transformer", its.init, spacing.bind(model)),
    Student(f"MLP, {settings.taps} lags", mlp, students.mlp),
    Student(f"Toeplitz, {settings.taps} lags", toeplitz, students.toeplitz),
  ]
  return kinds, its, data


def schedule(ratio, step, steps: int):
  """Returns the removed fraction of the teacher's weights: from `ratio` at the
  first step straight to 0 at the last."""
  return ratio * (1 - step / max(steps - 1, 1))


def shared(student, teacher, y_BxT):
  """Returns both mixtures and the truth at the last positions both predict."""
  read = min(student.mean.shape[1], teacher.mean.shape[1])
  last = lambda tree: jax.tree.map(lambda leaf: leaf[:, -read:], tree)
  return last(student), last(teacher), y_BxT[:, -read:]


def divergence(teacher, student, grid: divergences.Grid):
  """Returns KL(teacher || student) in nats of mixtures BxUxK, as BxU."""
  node_G = jnp.asarray(grid.node_G)

  def log_density(mixture):
    at = jax.tree.map(lambda leaf: leaf[..., None, :], mixture)
    y = jnp.broadcast_to(node_G[None, None], (*mixture.mean.shape[:-1], len(node_G)))
    return mixture_lib.log_density(at, y)

  return divergences.kullback_leibler(log_density(teacher), log_density(student), grid.weight_G)


def loss(student_apply, teacher_apply, settings, teacher, arm):
  """Returns the loss of a fit: alpha NLL + (1 - alpha) KL(teacher || student).

  `arm` holds alpha and the ratio of the teacher's mask at the first step.
  """
  grid = divergences.grid(LOW, HIGH, settings.nodes)

  def value(params, window_BxT1, key, step):
    x_BxT, y_BxT = window_BxT1[:, :-1], window_BxT1[:, 1:]
    ratio = schedule(arm["ratio"], step, settings.steps)
    masked = scoring.magnitude(teacher, {"ratio": ratio})
    taught, _ = teacher_apply(masked, x_BxT)
    guess, _ = student_apply(params, x_BxT, dropout_key=key)
    guess, taught, y_BxU = shared(guess, taught, y_BxT)
    nll = -mixture_lib.log_density(guess, y_BxU).mean()
    kl = divergence(taught, guess, grid).mean()
    total = arm["alpha"] * nll + (1 - arm["alpha"]) * kl
    return total, {"nll_nats": nll, "kl_nats": kl}

  return value
