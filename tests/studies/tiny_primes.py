"""Small untrained populations on gaps as runs of the primes study."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
from primelens import tasks
from primelens.lens import experiment as experiment_lib
from primelens.models import fit, indices, optimizer
from primelens.studies.primes import program
from primelens.tasks import primes


def experiment(*, task=(), model=(), fit_options=(), **sizes):
  """Returns an experiment on the first 102 primes; dicts change its parts."""
  size = dict(width=8, layers=1, heads=2, hidden=12, dropout=0.0) | sizes
  gaps = primes.Config(**{"primes": 102} | dict(task))
  if gaps.context:
    size |= {"positions": "learned", "max_positions": gaps.context}
    model = {"embedding": "context", "features": 1 + sum(gaps.moduli)} | dict(model)
  return experiment_lib.Experiment(
    study="primes",
    task=gaps,
    model=indices.Config(
      trunk=indices.one_token_trunk(**size), **{"indices": gaps.primes, "head": (4,)} | dict(model)
    ),
    fit=fit.Config(
      optimizer=optimizer.Config(schedule="constant"),
      **{"seeds": 2, "batch_size": 32, "accumulation": 16} | dict(fit_options),
    ),
  )


_STARTS: dict = {}  # fresh populations by the model and the fit, on which alone they depend


class Run(program.Run):
  """A run that draws its fresh population once for all runs of a model and a fit."""

  def untrained_S(self):
    key = repr((self.experiment.model, self.experiment.fit))
    if key not in _STARTS:
      _STARTS[key] = super().untrained_S()
    return _STARTS[key]


def run(config=None, workdir="tiny") -> program.Run:
  """Returns an untrained run of a config, without files."""
  config = config or experiment()
  data = tasks.load(config.task)
  made, inputs, _ = program.build(config, data)
  found = Run(
    workdir=Path(workdir),
    experiment=config,
    data=data,
    params_S=None,
    step=0,
    apply=program.bind(config),
    manifest={"seeds": list(range(config.fit.seeds))},
    program=made,
    inputs=inputs,
  )
  return dataclasses.replace(found, params_S=found.untrained_S())


def member(run, index=0):
  """Returns one member's parameters."""
  return jax.tree.map(lambda x: np.asarray(x)[index], run.params_S)
