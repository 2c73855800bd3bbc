"""Runs of the addition study for the tests, made without training here."""

import dataclasses
import functools
import json
import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
from primelens import tasks
from primelens.analyses import trees
from primelens.configs import addition as addition_configs
from primelens.lens import numbers
from primelens.studies.addition import program

FIXTURES = Path(__file__).parent.parent / "fixtures"


def experiment(pairs=((598, 999), (1, 999))):
  """Returns the published experiment with other (split, start) pairs."""
  config = addition_configs.get_config("p10_published")
  splits, starts = zip(*pairs, strict=True)
  return dataclasses.replace(
    config,
    task=dataclasses.replace(config.task, split_seeds=splits),
    model=dataclasses.replace(config.model, torch_seeds=starts),
    fit=dataclasses.replace(config.fit, seeds=len(pairs)),
  )


@dataclasses.dataclass(frozen=True)
class HandmadeRun(program.Run):
  """A run whose untrained networks are made once, also for runs made of it."""

  fresh_S: Any = None

  def untrained_S(self):
    return super().untrained_S() if self.fresh_S is None else self.fresh_S


def handmade(config, params_S=None) -> program.Run:
  """Returns a run of a config with the given params, by default untrained."""
  data = tasks.load(config.task)
  made, inputs, _ = program.build(config, data)
  run = HandmadeRun(
    workdir=Path("handmade"),
    experiment=config,
    data=data,
    params_S=params_S,
    step=0,
    apply=program.bind(config),
    manifest={"seeds": []},
    program=made,
    inputs=inputs,
  )
  if params_S is not None:
    return run
  fresh_S = run.untrained_S()
  return dataclasses.replace(run, params_S=fresh_S, fresh_S=fresh_S)


@functools.cache
def trained() -> program.Run:
  """Returns a run of two members: the reference network 598/999, trained
  (`fixtures/make_adder_fixture.py`), and 1/999 as it started."""
  run = handmade(experiment())
  with np.load(FIXTURES / "adder_598_999.npz") as stored:
    member = jax.tree.unflatten(
      jax.tree.structure(run.params_S), [stored[name] for name in trees.names(run.params_S)]
    )
  start_S = jax.device_get(run.params_S)
  both = jax.tree.map(lambda leaf, own_S: np.stack([leaf, own_S[1]]), member, start_S)
  params_S = jax.device_put(both)
  return dataclasses.replace(run, params_S=params_S)


def unexplained(analysis: str, table) -> list[str]:
  """Returns the numbers of the reference member that neither agree with the
  recomputed one nor lie with it in the range of the twins.

  Counts and neurons' numbers, which no two programs share, are not asked.
  Raises `KeyError` for a recomputed number without a range.
  """
  twins = json.loads((FIXTURES / "adder_twins.json").read_text())[analysis]
  missed = []
  for row in table:
    if not math.isfinite(row["recomputed"]):
      continue
    low, high = twins[row["key"]]
    record = row | {"drift_low": low, "drift_high": high}
    if numbers.agreement(record, row["tolerance"]) == "differs":
      missed.append(f"{row['key']}: {row['here']} for {row['recomputed']}")
  return missed
