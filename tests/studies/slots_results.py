"""A result of the slot diagnostics written by hand, as claims, report and
figure read it."""

from types import SimpleNamespace

import numpy as np
from primelens.studies.zeros import slots_table


def rows(slots=8, window=256, seeds=2, **changed):
  """Every reading at 0.25, untrained 0.5; `changed` maps a row's letter to
  what its rows have instead."""
  table = []
  for reading in slots_table.readings(slots, window):
    row = {"letter": reading.letter, "reading": reading.name}
    row |= {"unit": reading.unit, "rule": reading.rule, "standing": "below"}
    row |= {"value": 0.25, "low": 0.125, "high": 0.375, "untrained": 0.5}
    met = seeds if reading.rule else -1
    row |= {"met": met, "untrained_met": met, "seeds": seeds}
    table.append(row | changed.get(reading.letter, {}))
  return tuple(table)


def slots(permuted=True, seeds=2, count=4, blocks=3, positions=16, **changed):
  """Slots of which the first `count` removed together cost 0.1 nats each."""
  grid = np.random.default_rng(0)
  keep_ExM = np.concatenate([np.ones((1, count)), 1 - np.eye(count)])
  joint_SxR = np.tile(0.1 * np.arange(count + 1), (seeds, 1))
  attention = np.full((seeds, count, positions), 1 / positions)
  return SimpleNamespace(
    keep_ExM=keep_ExM,
    delta_SxE=grid.normal(0, 0.01, (seeds, count + 1)),
    untrained_SxE=grid.normal(0, 0.02, (seeds, count + 1)),
    joint_SxR=joint_SxR,
    joint_low_R=joint_SxR[0] - 0.05,
    joint_high_R=joint_SxR[0] + 0.05,
    sum_as_published_SxR=0.5 * joint_SxR,
    remeasured_nll_SxN=np.linspace(0.1, 0.3, 201) + np.zeros((seeds, 1)),
    remeasured_single_SxN=np.linspace(0, 0.02, 201) + np.zeros((seeds, 1)),
    effect_SxM=np.tile(1.0 + np.arange(count), (seeds, 1)),
    attention_SxMxT=attention,
    untrained_attention_SxMxT=attention,
    block_nll_SxP=np.tile(0.1 * np.arange(blocks), (seeds, 1)),
    block_error_SxP=np.full((seeds, blocks), 0.05),
    quarter_nll_Sx4=np.full((seeds, 4), 0.2),
    table=rows(count, positions, seeds, **changed),
    permuted=permuted,
    windows=512,
    random_windows=500,
  )
