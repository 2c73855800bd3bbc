"""Analysis `prime_waves`: which primes has a network found?

What can be predicted of zeros is a sum of waves at ln p. Here a network's
predicted means, those of filters and those of the explicit formula are
projected on these waves along the heights: amplitudes beside the law, beside
frequencies that are no prime's, and beside the waves of the truth itself, as a
filter that knows no primes passes on part of those it reads. Source: zeta spec,
section 7.1.
"""

import dataclasses
import hashlib
import json

import numpy as np
from primelens.analyses import prime_lines
from primelens.models import blocks
from primelens.studies.zeros import guides, program
from primelens.studies.zeros import prime_waves_law as law_lib
from primelens.studies.zeros import prime_waves_layers as layers
from primelens.studies.zeros import prime_waves_parts as parts
from primelens.studies.zeros import prime_waves_predictors as predictors
from primelens.studies.zeros import prime_waves_reading as reading
from primelens.studies.zeros import prime_waves_response as response
from primelens.tasks import primes

CONTROLS = ("cue", "shuffled", "prime_gaps")
# What a memory brings with it: its own fields, its places and losses; a mask
# for its slots and a rate of its own are undone.
_MEMORY = (
  "memory",
  "slots",
  "slot_ids",
  "eval_slot_ids",
  "slot_content",
  "permutation_warmup",
  "slot_keep",
  "diversity",
  "auxiliary",
  "auxiliary_ramp",
  "orthogonality_ramp",
  "mask_slots",
  "rotary_start",
  "max_positions",
)
# Seeds, and where and how often things are kept.
_BOOKS = ("seeds", "first_seed", "dispatch", "cache", "checkpoint_every", "snapshot_every")


@dataclasses.dataclass(frozen=True)
class Result:
  """Waves at ln p of E sequences of predictions, at the same spacings.

  `table` names them: the truth, the network of every seed, fresh networks,
  filters, the explicit formula, controls. `amplitude_ExQ` are moduli of the
  waves in where the next zeros are put, for which `law_Q` is exact; `gain_ExQ`
  is the share of the truth's wave predicted in phase (1: all) and `left_ExQ`
  the modulus of what is left, in those of the truth, which stand out from those
  beside them at `stands_Q`, the primes that are known or not. `line_ExQ` are
  amplitudes of the predicted spacings themselves, as spec 7.1 reads them, with
  max-T p-values `max_t_ExQ` against frequencies beside the primes and off all
  lines (NaN where the primes leave no room for one).

  `frequency_F` and `spectrum_PxF` are what networks and filters take for the
  spectrum of zeros, from their response to waves, in nats; `peaks` says which
  primes they resolve in it.

  Parts of the network: `context_T` spacings behind a prediction with the primes
  known `context_known_SxTxQ` of those that stand out, `context_stands_TxQ`, and
  those of filters of that order (`filter_known_TxQ`); `step_C` snapshots with
  `known_SxCxQ` and `first_SxQ`, the step from which on a prime stays known
  (NaN: never); `..._r2_...` is R2 and `..._beside_...` counts frequencies
  beside the primes that would pass for known. `head_SxLxHxQ` is the gain that
  goes with a head, `state_SxLxQ` the share of the variance of a layer's states
  at ln p, `untrained_LxQ` of fresh networks; with max-T p-values of the change
  that a head makes to the predictions' lines (`head_max_t_SxLxHxQ`) and of the
  states (`state_max_t_SxLxQ`, `untrained_max_t_SxLxQ`) against the same null.
  `formulas` are short ones for amplitudes. `plan` is the same for runs that
  differ in their memory alone.
  """

  prime_Q: np.ndarray
  law_Q: np.ndarray
  amplitude_ExQ: np.ndarray
  gain_ExQ: np.ndarray
  left_ExQ: np.ndarray
  stands_Q: np.ndarray
  line_ExQ: np.ndarray
  max_t_ExQ: np.ndarray
  table: tuple[dict, ...]
  frequency_F: np.ndarray
  spectrum_PxF: np.ndarray
  peaks: tuple[dict, ...]
  context_T: np.ndarray
  context_stands_TxQ: np.ndarray
  context_known_SxTxQ: np.ndarray
  context_beside_SxT: np.ndarray
  context_r2_SxT: np.ndarray
  filter_known_TxQ: np.ndarray
  filter_beside_T: np.ndarray
  filter_r2_T: np.ndarray
  step_C: np.ndarray
  known_SxCxQ: np.ndarray
  beside_SxC: np.ndarray
  r2_SxC: np.ndarray
  first_SxQ: np.ndarray
  head_SxLxHxQ: np.ndarray
  head_max_t_SxLxHxQ: np.ndarray
  state_SxLxQ: np.ndarray
  state_max_t_SxLxQ: np.ndarray
  untrained_LxQ: np.ndarray
  untrained_max_t_SxLxQ: np.ndarray
  formulas: tuple[dict, ...]
  trained_on: str
  memory: str
  plan: str
  height: float
  spacings: int
  part_spacings: int
  context_windows: int


def obstacle(experiment) -> str:
  """Returns why a run has no predicted means on zeros, or ""."""
  task = experiment.task
  if program.no_mixtures(experiment):
    return program.no_mixtures(experiment)
  if task.kind == "zeros" or task.ensemble in CONTROLS:
    return ""
  return f"{task.ensemble} spacings are neither zeros nor a control of them"


def trained_on(experiment) -> str:
  """Returns what a run's networks have learned from."""
  task = experiment.task
  return task.kind if task.kind == "zeros" else task.ensemble


def plan(run) -> str:
  """Returns what two runs have in common that differ in their memory alone.

  In words, and as a digest of all of the config, and of what is read, but the
  fields of memory, the seeds, and what changes no number.
  """
  dump = dataclasses.asdict(run.experiment)
  model, trunk, fit = dump["model"], dump["model"]["trunk"], dump["fit"]
  if trunk["mask"] in blocks.SLOT_MASKS:
    trunk["mask"] = "causal"
  if fit["optimizer"]["slow_pattern"].startswith("memory/"):
    fit["optimizer"] |= {"slow_pattern": "", "slow_factor": 1.0}
  read = run.settings.prime_waves
  parts = {key: dump[key] for key in ("task", "model", "fit")}
  parts["read"] = (read.spacings, read.limit, read.seed)
  parts["context"] = run.settings.evaluation.min_context
  without = json.dumps(_without(parts, _MEMORY + _BOOKS), sort_keys=True)
  digest = hashlib.sha256(without.encode()).hexdigest()[:12]
  inputs = "residuals" if model.get("residual") else "spacings"
  return (
    f"{model['kind']} network, {model['window']} {inputs}, "
    f"{trunk['positions']} positions, {trunk['layers']} layers of "
    f"{trunk['width']} with {trunk['heads']} heads, {fit['steps']:,} steps of "
    f"{fit['batch_size']} windows ({digest})"
  )


def _without(value, names):
  """Returns nested dicts without the fields of these names."""
  if not isinstance(value, dict):
    return value
  return {key: _without(each, names) for key, each in value.items() if key not in names}


def run(run) -> Result:
  """Returns the waves in a run's predictions, beside those of others."""
  settings = run.settings.prime_waves
  prime_Q = primes.below(settings.limit)
  stretch = predictors.stretch(run, settings.spacings)
  guesses = predictors.guesses(run, stretch)
  read = reading.read(
    np.stack([guess.mean_N for guess in guesses]),
    stretch.truth_N,
    stretch.height_N,
    prime_Q,
    line_A=guides.lines(settings.limit),
    floor=stretch.floor,
    draws=settings.draws,
    seed=settings.seed,
  )
  height = float(stretch.height_N.mean())
  law_Q = prime_lines.law(prime_Q, height)
  table = [
    guess.record | reading.record(read, e, guess.mean_N, law_Q, prime_Q)
    for e, guess in enumerate(guesses)
  ]
  table += _planted(stretch, settings)
  return Result(
    prime_Q=prime_Q,
    law_Q=law_Q,
    amplitude_ExQ=read.amplitude_ExQ,
    gain_ExQ=read.knowledge.gain_ExQ,
    left_ExQ=read.knowledge.left_ExQ,
    stands_Q=read.knowledge.stands_Q,
    line_ExQ=read.line_ExQ,
    max_t_ExQ=read.max_t_ExQ,
    table=_filled(table),
    **response.spectra(run, stretch),
    **parts.contexts(run, stretch, prime_Q),
    **parts.snapshots(run, stretch, prime_Q),
    **layers.heads(run, stretch, prime_Q),
    **layers.states(run, stretch, prime_Q),
    formulas=law_lib.formulas(read, table, prime_Q, height, settings),
    trained_on=trained_on(run.experiment),
    memory=program.memory_name(run.experiment.model),
    plan=plan(run),
    height=height,
    spacings=len(stretch.truth_N),
    part_spacings=min(settings.part_spacings, len(stretch.truth_N)),
    context_windows=settings.context_windows,
  )


def _filled(table) -> tuple[dict, ...]:
  """Returns records with the same keys, NaN where one has none."""
  keys = dict.fromkeys(key for row in table for key in row)
  return tuple({key: row.get(key, np.nan) for key in keys} for row in table)


def _planted(stretch, settings) -> list[dict]:
  """Returns the positive control: waves planted at composites' logarithms.

  Spacings in random order, at the same heights, with waves of the size that
  the law gives primes there; read as everything else is, at the frequencies of
  all composites that are no power.
  """
  if not settings.planted:
    return []
  prime_Q = primes.below(settings.limit)
  every_E = prime_lines.composites(prime_Q, settings.limit - 1)
  chosen_Q = every_E[: settings.planted]
  rng = np.random.default_rng(settings.seed)
  mean_N = prime_lines.planted(
    rng.permutation(stretch.truth_N),
    stretch.height_N,
    np.log(chosen_Q),
    prime_lines.law(chosen_Q, float(stretch.height_N.mean())),
    seed=settings.seed,
  )
  read = reading.read(
    mean_N[None],
    mean_N,
    stretch.height_N,
    every_E,
    line_A=np.log(chosen_Q),
    floor=stretch.floor,
    draws=settings.draws,
    seed=settings.seed,
  )
  found_E = read.max_t_ExQ[0] < reading.LEVEL
  return [
    {
      "name": f"{len(chosen_Q)} waves planted at composites",
      "kind": "planted",
      "primes": len(chosen_Q),
      "found": int(found_E[: len(chosen_Q)].sum()),
      "elsewhere": int(found_E[len(chosen_Q) :].sum()),
    }
  ]
