"""Does a masked teacher, whose mask is lifted, teach a student better?

The study planned, and never ran, a curriculum: the teacher's small weights are masked, most of them
at first and none at the end, while a student minimises a mix of the NLL and the KL divergence from
the teacher.

Here three students are taught so: a smaller transformer, an MLP and a Toeplitz filter. The
curriculum distils something of its own only where it beats the same student without a teacher, with
the whole teacher, and with an untrained one.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import anchors, divergences, masking, sweeps, trees
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.models import fit, spacing, students
from primelens.models import mixture as mixture_lib
from primelens.studies.zeros import program, scoring
from primelens.tasks import checks


@dataclasses.dataclass(kw_only=True)
class Settings(program.Retraining):
  """Students of a teacher whose mask is lifted while they learn."""

  ratio: checks.Share = 0.8  # of the teacher's weights removed at the first step
  alpha: checks.Share = 0.5  # weight of the NLL; the rest is the KL from the teacher
  shrink: checks.Order = 2  # how many times smaller the student transformer is
  taps: checks.Order = 64  # lags of the MLP and of the Toeplitz filter
  hidden: checks.Number = 64  # of the MLP
  nodes: checks.Number = 64  # of the quadrature on [0, 5]


obstacle = program.no_mixtures


# --- the students, and how they learn -------------------------------------------------------------

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


# --- the ways of teaching -------------------------------------------------------------------------

ARMS = ("no teacher", "curriculum", "whole teacher", "untrained teacher")


def _rows(settings) -> dict:
  """Returns the ways of teaching, stacked along R, in the order of ARMS."""
  return {
    "alpha": jnp.array([1.0, settings.alpha, settings.alpha, settings.alpha]),
    "ratio": jnp.array([0.0, settings.ratio, 0.0, 0.0]),
    "untrained": jnp.array([False, False, False, True]),
  }


def _member(run, student, its: fit.Program):
  """Returns `f(bundle, arm, data, test) -> NLL and KL by window`."""
  settings, evaluation = run.settings.curriculum, run.settings.evaluation
  optimizer = program.retraining_optimizer(run, settings, slow=False)
  context, batch = evaluation.min_context, evaluation.batch
  nll = scoring.window_score(student.apply, context, batch)
  taught = scoring.predict(run.apply, context, batch)
  guess = scoring.predict(student.apply, context, batch)
  grid = divergences.grid(LOW, HIGH, settings.nodes)

  def member(bundle, arm, data, test_NxT1):
    teacher = jax.tree.map(
      lambda fresh, trained: jnp.where(arm["untrained"], fresh, trained),
      bundle["fresh"],
      bundle["trained"],
    )
    taught_by = loss(student.apply, run.apply, settings, teacher, arm)
    start = student.init(data, bundle["key"])
    params, frozen = program.retrain(
      its._replace(loss=taught_by),
      optimizer,
      start,
      masking.everything(start),
      data,
      bundle["key"],
      settings.steps,
    )
    own, whole, _ = shared(
      guess(params, test_NxT1), taught(bundle["trained"], test_NxT1), test_NxT1[:, 1:]
    )
    return {
      "start_N": nll(start, test_NxT1),
      "nll_N": nll(params, test_NxT1),
      "kl_N": divergence(whole, own, grid).mean(1),
      "frozen": frozen,
    }

  return member


def _taught(run, student, its: fit.Program, data, test) -> dict:
  """Returns what one student makes of all ways of teaching, in one program."""
  settings = run.settings.curriculum
  bundle_S = {
    "trained": run.params_S,
    "fresh": run.untrained_S(),
    "key": program.retraining_keys(run, settings.seed),
  }
  found = sweeps.over(
    _member(run, student, its),
    bundle_S,
    _rows(settings),
    data=(data, test),
    batch_size=trees.length(run.params_S) * settings.arms_at_once,
  )
  return {name: np.asarray(leaf) for name, leaf in found.items()}


def _size(student, data) -> int:
  shapes = jax.eval_shape(student.init, data, jax.random.key(0))
  return trees.size(shapes)


# --- the result -----------------------------------------------------------------------------------

NATS = "nats per spacing"
LOSS = {
  "student": "student, or what it is set beside",
  "arm": "way of teaching",
  "nats": f"NLL on test [{NATS}]",
  "seeds": "networks",
}
CONTRAST = {
  "student": "student",
  "contrast": "difference",
  "nats": f"difference of the NLL on test [{NATS}]",
  "seeds": "networks",
}


def measure(run) -> xr.Dataset:
  """Returns what students learn from masked, whole and untrained teachers."""
  settings = run.settings.curriculum
  test, start_N = run.batches("test", settings.windows)
  kinds, its, data = all_students(run, settings)
  found = [_taught(run, s, its, data, test) for s in kinds]
  stacked = lambda name: np.stack([f[name] for f in found])
  nll_VxSxRxN = stacked("nll_N").astype(np.float64)
  teacher_SxN = scoring.nll(scoring.mixtures(run, test), test).mean(-1)
  names = tuple({"student": s.name} for s in kinds)
  variables = {
    "nll": results.variable("student seed arm", nll_VxSxRxN.mean(-1), "NLL on test", NATS),
    "kl": results.variable(
      "student seed arm",
      stacked("kl_N").astype(np.float64).mean(-1),
      "KL divergence from the whole teacher",
      NATS,
    ),
    "start_nll": results.variable(
      "student seed",
      stacked("start_N").astype(np.float64)[:, :, 0].mean(-1),
      "NLL on test of the fresh student",
      NATS,
    ),
    "teacher_nll": results.variable(
      "seed", teacher_SxN.mean(-1), "NLL on test of the teacher", NATS
    ),
    "frozen_step": results.variable(
      "student seed arm", stacked("frozen"), "step of a loss that was not finite, -1 for none"
    ),
    "parameters": results.variable(
      "student", [_size(s, data) for s in kinds], "parameters of the student"
    ),
    **results.rows("losses", _losses(run, names, nll_VxSxRxN, teacher_SxN, start_N), LOSS),
    **results.rows(
      "contrasts", _contrasts(run, names, nll_VxSxRxN, teacher_SxN, start_N), CONTRAST
    ),
  }
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the teacher"),
    "student": results.variable("student", [s.name for s in kinds], "student"),
    "arm": results.variable("arm", list(ARMS), "way of teaching"),
  }
  return results.dataset(
    variables,
    coords,
    steps=settings.steps,
    batch_size=settings.batch_size or run.experiment.fit.batch_size,
    windows=len(start_N),
  )


def _losses(run, names, nll_VxSxRxN, teacher_SxN, start_N) -> list[dict]:
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
  return rows


def _contrasts(run, names, nll_VxSxRxN, teacher_SxN, start_N) -> list[dict]:
  """Returns the curriculum beside each other way, and beside the teacher."""
  rows = []
  for v, name in enumerate(names):
    taught = nll_VxSxRxN[v][:, ARMS.index("curriculum")]
    others = {arm: nll_VxSxRxN[v][:, r] for r, arm in enumerate(ARMS) if arm != "curriculum"}
    for other, base in (others | {"the teacher itself": teacher_SxN}).items():
      label = f"curriculum minus {other}"
      rows.append(scoring.contrast(run, taught - base, start_N, **name, contrast=label))
  return rows


# --- figures and tables ---------------------------------------------------------------------------

DIFFERENCE = f"difference of the NLL ({NATS}; below 0: better)"


def _label(row) -> str:
  """Returns the name of a paired difference on an axis."""
  return f"{row['student']}: {row['contrast']}"


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares their paired differences."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  both = scoring.contrasts_of(runs, _label)
  panel = draw.rows(
    both,
    "contrasts_nats",
    x="contrasts",
    colour="run",
    title="The curriculum beside the other ways (bars: 95 %)",
    xlabel=DIFFERENCE,
  )
  return {"all runs": draw.page(panel, heights=[1.5 + 0.3 * both.sizes["contrasts"]])} | pages


def _page(run: str, found: xr.Dataset) -> draw.Page:
  labels = [_label(row) for row in tables_lib.rows(found, "contrasts")]
  differences = draw.rows(
    found,
    "contrasts_nats",
    x="contrasts",
    labels=labels,
    title="The curriculum beside the other ways (bars: 95 %)",
    xlabel=DIFFERENCE,
  )
  return draw.page(
    (_losses_panel(run, found), _kl_panel(found)),
    differences,
    heights=[4.2, 1.2 + 0.32 * len(labels)],
  )


def _places(axes, found: xr.Dataset):
  """Names the students below an axis, and returns where each way of teaching is drawn, VxR."""
  names = [name.replace(", ", "\n") for name in found.student.values]
  axes.set_xticks(range(len(names)), names)
  ways = found.sizes["arm"]
  return np.arange(len(names))[:, None] + 0.15 * (np.arange(ways) - (ways - 1) / 2)


def _losses_panel(run: str, found: xr.Dataset) -> draw.Panel:
  """Draws the NLL of each student and way, beside teacher and filter."""
  names = found.student.values.tolist()
  rows = {(row["student"], row["arm"]): row["nats"] for row in tables_lib.rows(found, "losses")}

  def panel(axes):
    place_VxR = _places(axes, found)
    for r, way in enumerate(found.arm.values.tolist()):
      each = [rows[name, way] for name in names]
      value = np.array([one.estimate for one in each])
      ends = [value - [one.low for one in each], [one.high for one in each] - value]
      axes.errorbar(
        place_VxR[:, r],
        value,
        yerr=np.maximum(ends, 0),
        fmt="o",
        ms=5,
        lw=1.5,
        capsize=2.5,
        color=draw.COLOURS[r],
        label=way,
      )
    beside = {student: value for (student, _), value in rows.items() if student not in names}
    for dashes, (student, value) in zip(draw.DASHES[1:], beside.items(), strict=False):
      axes.axhline(value.estimate, color="black", lw=1, ls=dashes, label=student)
    axes.set(
      title=f"{run}: students after {found.steps:,} steps (bars: 95 %)",
      ylabel=f"NLL on {found.windows:,} windows of test ({NATS})",
    )

  return panel


def _kl_panel(found: xr.Dataset) -> draw.Panel:
  """Draws how far each student is from the whole teacher, seeds as points."""

  def panel(axes):
    place_VxR = _places(axes, found)
    kl_VxRxS = found.kl.transpose("student", "arm", "seed").values
    for (v, r), place in np.ndenumerate(place_VxR):
      kl_S = kl_VxRxS[v, r]
      axes.plot(np.full(len(kl_S), place), kl_S, "o", color=draw.COLOURS[r], ms=4.5)
    axes.set_ylim(bottom=0)
    axes.set(title="KL from the whole teacher (a point per seed)", ylabel=f"KL ({NATS})")

  return panel


def tables(runs) -> list[tables_lib.Table]:
  """Returns the NLL of all students, the curriculum beside each other way, and who took part."""
  said = "; ".join(
    f"{run}: {found.steps:,} steps of {found.batch_size} windows, scored on {found.windows:,}"
    for run, found in runs.items()
  )
  losses, differences = [], []
  for run, found in runs.items():
    sizes = dict(zip(found.student.values.tolist(), found.parameters.values.tolist(), strict=True))
    for row in tables_lib.rows(found, "losses"):
      named = {"run": run, "student": row["student"], "taught by": row["arm"]}
      losses.append(named | {"parameters": sizes.get(row["student"]), "NLL": row["nats"]})
    for row in tables_lib.rows(found, "contrasts"):
      named = {"run": run, "student": row["student"], "difference": row["contrast"]}
      differences.append(named | {"change": row["nats"]})
  return [
    tables_lib.Table(
      f"NLL in nats on windows of test, after learning ({said}).",
      losses,
      {"NLL": ".4f"},
      "losses",
    ),
    tables_lib.Table(
      "The curriculum beside each other way: paired differences in nats on the same windows,"
      " interval over seeds and blocks; below 0 is better.",
      differences,
      {"change": "+.4f"},
      "contrasts",
    ),
    _networks(runs),
  ]


def _networks(runs) -> tables_lib.Table:
  """Returns each student and its teacher before learning, seed by seed."""
  rows = []
  for run, found in runs.items():
    for student in found.student.values.tolist():
      for seed in found.seed.values:
        one = found.sel(student=student, seed=seed)
        stopped = [
          f"{arm} at step {int(step)}"
          for arm, step in zip(found.arm.values.tolist(), one.frozen_step.values, strict=True)
          if step >= 0
        ]
        rows.append(
          {"run": run, "student": student, "parameters": int(one.parameters), "seed": int(seed)}
          | {"student before learning": float(one.start_nll)}
          | {"its teacher": float(one.teacher_nll)}
          | {"a loss was not finite": ", ".join(stopped) or "never"}
        )
  return tables_lib.Table(
    "Students before they learn and their teachers, by seed: NLL in nats per spacing on the same"
    " windows of test. Where a loss is not finite the student stays as it was.",
    rows,
    {"seed": "d", "student before learning": ".4f", "its teacher": ".4f"},
    "networks",
  )


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()


@CLAIMS.add(
  "curriculum.distils",
  "A curriculum of masked teachers, 0.8 to 0, distils the operator into a student.",
  reported="not implemented",
  source=f"{program.REPOSITORY}, docs/OPERATOR_EXTRACTION.md, a plan",
)
def distils(results):
  """Returns the verdict: the curriculum beside no teacher, the whole one and an untrained one."""
  found = program.on_published(results).of("curriculum")
  others = ("no teacher", "whole teacher", "untrained teacher")
  numbers: dict[str, float] = {}
  parts, rows = [], {}
  for name, result in found.items():
    student = result.student.values[0].item()
    contrasts = tables_lib.rows(result, "contrasts")
    rows[name] = {
      other: claims.row(contrasts, student=student, contrast=f"curriculum minus {other}")["nats"]
      for other in (*others, "the teacher itself")
    }
    numbers |= {f"{name}: minus {other}": its.estimate for other, its in rows[name].items()}
    parts.append(
      f"{name}, {student}, curriculum minus "
      + ", minus ".join(f"{other} {its:+.4f}" for other, its in rows[name].items())
      + " nats"
    )
  because = ". ".join(parts) + "."
  big = program.published_size(results, found)
  below = lambda other: all(rows[name][other].high < 0 for name in big)
  controls = all(below(other) for other in others[1:])
  return claims.verdict(
    below("no teacher"),
    because,
    numbers,
    artefact=not controls,
    undecided=program.undecided(big),
  )
