"""Small untrained populations of encoders as runs of the text study."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
from primelens import tasks
from primelens.configs import text as text_configs
from primelens.models import encoder, fit
from primelens.studies.text import program


def experiment(question="sum", *, seeds=2, outputs=1, task=(), **sizes):
  """Returns the published experiment made small; `task` changes its task."""
  config = text_configs.get_config(question)
  size = dict(width=16, layers=2, heads=4, hidden=24, max_positions=32) | sizes
  changes = {"count": 400} | dict(task)
  return dataclasses.replace(
    config,
    task=dataclasses.replace(config.task, **changes),
    model=encoder.Config(
      outputs=2 if question == "valid" else outputs, trunk=encoder.encoder_trunk(**size)
    ),
    fit=dataclasses.replace(config.fit, seeds=seeds),
    # All parts of 400 rows are multiples of a batch: one program reads them all.
    analyses=program.Settings(
      probe_rows=400, batch=40, permutations=9, random_directions=3, untrained=2
    ),
  )


_RUNS: dict = {}  # untrained runs by all that is asked of them, for tests that only read them


def run(config=None, params_S=None) -> program.Run:
  """Returns a run of a config with the given params, by default untrained."""
  config = config or experiment()
  key = repr(config)
  if params_S is not None:
    return dataclasses.replace(_made(config), params_S=params_S)
  if key not in _RUNS:
    made = _made(config)
    starts = made.untrained_S if config.model.checkpoint else lambda: _fresh_S(config)
    _RUNS[key] = dataclasses.replace(made, params_S=starts())
  return _RUNS[key]


def _made(config) -> program.Run:
  """Returns a run without parameters."""
  data = tasks.load(config.task)
  made, inputs, _ = program.build(config, data)
  return program.Run(
    workdir=Path("tiny"),
    experiment=config,
    data=data,
    params_S=None,
    step=0,
    apply=program.bind(config),
    manifest={"seeds": list(range(config.fit.seeds))},
    program=made,
    inputs=inputs,
  )


def _fresh_S(config):
  """Returns parameters as a fit starts from them.

  Two networks at least are made, by the program that makes the untrained ones of the analyses.
  """
  seeds = config.fit.seeds
  keys_S = fit.keys_of(config.fit.first_seed + np.arange(max(2, seeds)))
  made_S = program.fresh_S(config.model, jax.vmap(jax.random.fold_in, (0, None))(keys_S, 0))
  return jax.device_put(jax.tree.map(lambda leaf_S: np.asarray(leaf_S)[:seeds], made_S))
