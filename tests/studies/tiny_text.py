"""Small untrained populations of encoders as runs of the text study."""

import dataclasses
from pathlib import Path

from primelens import tasks
from primelens.configs import text as text_configs
from primelens.models import encoder
from primelens.studies.text import program


def experiment(question="sum", *, seeds=2, outputs=1, task=(), **sizes):
  """Returns the published experiment made small; `task` changes its task."""
  config = text_configs.get_config(question)
  size = dict(width=16, layers=2, heads=4, hidden=32, max_positions=32) | sizes
  changes = {"count": 400} | dict(task)
  return dataclasses.replace(
    config,
    task=dataclasses.replace(config.task, **changes),
    model=encoder.Config(
      outputs=2 if question == "valid" else outputs, trunk=encoder.encoder_trunk(**size)
    ),
    fit=dataclasses.replace(config.fit, seeds=seeds),
    analyses=program.Settings(
      probe_rows=400, batch=200, permutations=9, random_directions=3, untrained=2
    ),
  )


_STARTS: dict = {}  # fresh populations by the model and the fit, on which alone they depend


def run(config=None, params_S=None) -> program.Run:
  """Returns a run of a config with the given params, by default untrained."""
  config = config or experiment()
  data = tasks.load(config.task)
  made, inputs, _ = program.build(config, data)
  found = program.Run(
    workdir=Path("tiny"),
    experiment=config,
    data=data,
    params_S=params_S,
    step=0,
    apply=program.bind(config),
    manifest={"seeds": list(range(config.fit.seeds))},
    program=made,
    inputs=inputs,
  )
  if params_S is not None:
    return found
  key = repr((config.model, config.fit))
  if key not in _STARTS:
    _STARTS[key] = found.untrained_S()
  return dataclasses.replace(found, params_S=_STARTS[key])
