"""Analysis `curriculum`: students of a teacher whose mask is lifted.

Planned in the published study and never done: the teacher's small weights are
masked, 0.8 of them at first and none at the end, while a student learns from
the data (NLL) and from the teacher (KL). Beside it the same students learn
without a teacher, from the whole teacher, and from an untrained one.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import anchors, divergences, sweeps, trees, weight_masks
from primelens.studies.zeros import curriculum_students as students_lib
from primelens.studies.zeros import scoring

ARMS = ("no teacher", "curriculum", "whole teacher", "untrained teacher")


@dataclasses.dataclass(frozen=True)
class Result:
  """NLL in nats on test of students V taught in the ways R of `arms`.

  `start_VxS` is that of the fresh students, `teacher_S` that of the teacher
  and `kl_VxSxR` the KL from the whole teacher to the student at the end. The
  NLL by student and way is in `table` with intervals, beside the teacher and a
  linear filter; `contrasts` are paired differences, below 0 is better.
  """

  nll_VxSxR: np.ndarray
  kl_VxSxR: np.ndarray
  start_VxS: np.ndarray
  teacher_S: np.ndarray
  frozen_VxSxR: np.ndarray
  students: tuple[dict, ...]
  arms: tuple[dict, ...]
  table: tuple[dict, ...]
  contrasts: tuple[dict, ...]
  steps: int
  batch_size: int
  windows: int


def _rows(settings) -> dict:
  """Returns the ways of teaching, stacked along R, in the order of ARMS."""
  return {
    "alpha": jnp.array([1.0, settings.alpha, settings.alpha, settings.alpha]),
    "ratio": jnp.array([0.0, settings.ratio, 0.0, 0.0]),
    "untrained": jnp.array([False, False, False, True]),
  }


def _member(run, student, program):
  """Returns `f(bundle, arm, data, test) -> NLL and KL by window`."""
  settings, evaluation = run.settings.curriculum, run.settings.evaluation
  optimizer = program.retraining_optimizer(run, settings, slow=False)
  context, batch = evaluation.min_context, evaluation.batch
  nll = scoring.window_score(student.apply, context, batch)
  taught = scoring.predict(run.apply, context, batch)
  guess = scoring.predict(student.apply, context, batch)
  grid = divergences.grid(students_lib.LOW, students_lib.HIGH, settings.nodes)

  def member(bundle, arm, data, test_NxT1):
    teacher = jax.tree.map(
      lambda fresh, trained: jnp.where(arm["untrained"], fresh, trained),
      bundle["fresh"],
      bundle["trained"],
    )
    loss = students_lib.loss(student.apply, run.apply, settings, teacher, arm)
    start = student.init(data, bundle["key"])
    params, frozen = program.retrain(
      program._replace(loss=loss),
      optimizer,
      start,
      weight_masks.everything(start),
      data,
      bundle["key"],
      settings.steps,
    )
    ours, whole, _ = students_lib.shared(
      guess(params, test_NxT1), taught(bundle["trained"], test_NxT1), test_NxT1[:, 1:]
    )
    return {
      "start_N": nll(start, test_NxT1),
      "nll_N": nll(params, test_NxT1),
      "kl_N": students_lib.divergence(whole, ours, grid).mean(1),
      "frozen": frozen,
    }

  return member


def _taught(run, student, program, data, test) -> dict:
  """Returns what one student makes of all ways of teaching, in one program."""
  settings = run.settings.curriculum
  bundle_S = {
    "trained": run.params_S,
    "fresh": run.untrained_S(),
    "key": program.retraining_keys(run, settings.seed),
  }
  found = sweeps.over(
    _member(run, student, program),
    bundle_S,
    _rows(settings),
    data=(data, jnp.asarray(test)),
    batch_size=trees.length(run.params_S) * settings.arms_at_once,
  )
  return {name: np.asarray(leaf) for name, leaf in found.items()}


def _size(student, data) -> int:
  shapes = jax.eval_shape(student.init, data, jax.random.key(0))
  return trees.size(shapes)


def run(run) -> Result:
  """Returns what students learn from masked, whole and untrained teachers."""
  settings = run.settings.curriculum
  test, start_N = run.batches("test", settings.windows)
  students, program, data = students_lib.all_students(run, settings)
  found = [_taught(run, s, program, data, test) for s in students]
  stacked = lambda name: np.stack([f[name] for f in found])
  nll_VxSxRxN = stacked("nll_N").astype(np.float64)
  teacher_SxN = scoring.nll(scoring.mixtures(run, test), test).mean(-1)
  names = tuple({"student": s.name} for s in students)
  return Result(
    nll_VxSxR=nll_VxSxRxN.mean(-1),
    kl_VxSxR=stacked("kl_N").astype(np.float64).mean(-1),
    start_VxS=stacked("start_N").astype(np.float64)[:, :, 0].mean(-1),
    teacher_S=teacher_SxN.mean(-1),
    frozen_VxSxR=stacked("frozen"),
    students=tuple(
      name | {"parameters": _size(s, data)} for name, s in zip(names, students, strict=True)
    ),
    arms=tuple({"arm": arm} for arm in ARMS),
    table=_table(run, names, nll_VxSxRxN, teacher_SxN, start_N),
    contrasts=_contrasts(run, names, nll_VxSxRxN, teacher_SxN, start_N),
    steps=settings.steps,
    batch_size=settings.batch_size or run.experiment.fit.batch_size,
    windows=len(start_N),
  )


def _table(run, names, nll_VxSxRxN, teacher_SxN, start_N) -> tuple[dict, ...]:
  """Returns the NLL of every student, of the teacher and of a linear filter."""
  row = lambda nll_SxN, **said: scoring.contrast(run, nll_SxN, start_N, **said)
  rows = [
    row(nll_VxSxRxN[v][:, r], **name, arm=arm)
    for v, name in enumerate(names)
    for r, arm in enumerate(ARMS)
  ]
  taps = run.settings.curriculum.taps
  index_NxU = scoring.targets(run, start_N)
  (line,) = anchors.autoregressive(
    run.series.value_N, run.series.bounds("train"), index_NxU.ravel(), (taps,)
  )
  line_N = line.nll_N.reshape(index_NxU.shape).mean(1)
  rows.append(row(teacher_SxN, student="the teacher itself", arm="–"))
  rows.append(row(line_N[None], student=f"{line.name}, fitted", arm="–"))
  return tuple(rows)


def _contrasts(run, names, nll_VxSxRxN, teacher_SxN, start_N):
  """Returns the curriculum beside each other way, and beside the teacher."""
  rows = []
  for v, name in enumerate(names):
    ours = nll_VxSxRxN[v][:, ARMS.index("curriculum")]
    others = {arm: nll_VxSxRxN[v][:, r] for r, arm in enumerate(ARMS) if arm != "curriculum"}
    for other, base in (others | {"the teacher itself": teacher_SxN}).items():
      label = f"curriculum minus {other}"
      rows.append(scoring.contrast(run, ours - base, start_N, **name, contrast=label))
  return tuple(rows)
