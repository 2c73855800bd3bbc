"""When is addition learned, and what grows in the network meanwhile?

The notebook on plain addition reads the last network alone. That on modular addition draws, over
the training of one network, the loss of the key frequencies alone (restricted) and the loss without
them (excluded), beside phases of training whose ends were set by eye.

Here losses, accuracies and measures of the mechanism are taken at every snapshot of every network,
and the ends of the phases follow from these curves. Modular addition: the logits of the MLP's waves
in a + b at the key frequencies alone, and the logits without these waves. The published waves are
averages over all pairs, train pairs among them, so that a memory of train pairs lowers the
restricted loss, too; the loss of waves that are averages over test pairs alone is shown as well.

Plain addition: the accuracy on test pairs whose mirror image (b, a) is a train pair, which
commutativity alone explains, and on the others; how well polynomials of the digits' first two
components (Poly2: of degree two) fit what enters the MLP (z), what its neurons give (h) and the
logits; the accuracy with the first component of the digits alone, and with attention frozen at its
mean over inputs. In the figures thin lines are networks and thick ones their median.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import fourier, linear
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.addition import network, program

# --- published ------------------------------------------------------------------------------------

BY_EYE = {"peak": 1500.0, "formed": 13300.0, "cleaned": 16600.0}  # epochs at which phases end

obstacle = program.one_layer


# --- one network at one snapshot ------------------------------------------------------------------


class Curve(NamedTuple):
  """A curve over training: its words, and whether it is a loss in nats."""

  title: str
  item: str
  loss: bool = False


LOSSES = {
  "train/nll_nats": Curve("train loss", "B30", True),
  "test/nll_nats": Curve("test loss", "B30", True),
  "train/accuracy": Curve("train accuracy", "B30"),
  "test/accuracy": Curve("test accuracy", "B30"),
}
PLAIN = {
  "test/mirrored_accuracy": Curve("accuracy, test pairs whose (b, a) is in train", "A63"),
  "test/lone_accuracy": Curve("accuracy, test pairs without it", "A63"),
  "pre_poly2_r2": Curve("z on Poly2, mean R2", "A46"),
  "pre_sums_r2": Curve("z on the published symmetric features", "A50"),
  "pre_additive_r2": Curve("z on f(a) + g(b), mean R2", "A63"),
  "post_poly2_r2": Curve("h on Poly2, mean R2", "A52"),
  "logit_poly2_r2": Curve("logits on Poly2, mean R2", "A56"),
  "readout_two_share": Curve("two components' share of W_L", "A54"),
  "keep_pc1_accuracy": Curve("accuracy with PC1 alone", "A17"),
  "frozen_accuracy": Curve("accuracy with frozen attention", "A60"),
}
MODULAR = {
  "test/restricted_nll_nats": Curve("restricted loss, test", "B28", True),
  "test/restricted_heldout_nll_nats": Curve("restricted loss, waves of test pairs", "B28", True),
  "train/excluded_nll_nats": Curve("excluded loss, train", "B29", True),
  "residual_fraction": Curve("logits outside all cosine cubes", "B25"),
  "key_similarity": Curve("cosine similarity, key frequencies together", "B25"),
}


def mirrored(read: network.Network, member) -> dict:
  """Returns the accuracy on test pairs whose mirror image (b, a) is a train
  pair, which commutativity alone explains, and on the others; NaN for none."""
  test_N, digits = member.test_N, len(read.embedding_PxD)
  a_N, b_N = test_N // digits, test_N % digits
  known_N = jnp.isin(b_N * digits + a_N, member.train_N)
  right_N = read.logit_NxV[test_N].argmax(-1) == member.label_N[test_N]
  mean = lambda where_N: jnp.sum(right_N & where_N) / jnp.sum(where_N)
  return {"test/mirrored_accuracy": mean(known_N), "test/lone_accuracy": mean(~known_N)}


def plain(model, params, member, token_Nx3, key_Q=()) -> dict:
  """Returns the curves of plain addition at one checkpoint, which has no key
  frequencies."""
  read = network.read(model, params, token_Nx3)
  score_PxQ = linear.pca(read.embedding_PxD).score_NxQ[:, :2]
  pair_NxQ = fourier.pair_features(score_PxQ)
  mean_r2 = lambda design_NxQ, target_NxF: (
    linear.summary(
      linear.r2_columns(target_NxF, linear.fit(design_NxQ, target_NxF).prediction_NxF)
    ).mean
  )
  poly_NxQ = fourier.monomials(pair_NxQ, 2)
  accuracies = {}
  for name, edits in (
    ("keep_pc1_accuracy", {"embed": network.keep_first(read.embedding_PxD)}),
    ("frozen_accuracy", {"attention/pattern": network.freeze}),
  ):
    edited = network.read(model, params, token_Nx3, edits)
    accuracies[name] = network.accuracy(edited.logit_NxV, member.label_N)
  return (
    network.losses(read, member)
    | mirrored(read, member)
    | {
      "pre_poly2_r2": mean_r2(poly_NxQ, read.pre_NxF),
      "pre_sums_r2": mean_r2(fourier.sum_features(pair_NxQ), read.pre_NxF),
      "pre_additive_r2": mean_r2(fourier.additive_design(len(score_PxQ)), read.pre_NxF),
      "post_poly2_r2": mean_r2(poly_NxQ, read.post_NxF),
      "logit_poly2_r2": mean_r2(poly_NxQ, read.logit_NxV),
      "readout_two_share": linear.pca(read.readout_VxF.T).share_Q[:2].sum(),
    }
    | accuracies
  )


def modular(model, params, member, token_Nx3, key_Q) -> dict:
  """Returns the curves of modular addition, given the key frequencies.

  Restricted (B27): logits of the MLP's key waves in a + b alone, no direct
  path, each class shifted to the mean of the true logits; on test pairs. Its
  waves are averages over train pairs too, so that memory of these helps it:
  held out, they are averages over test pairs alone.
  Excluded (B29): those waves removed, direct path kept; on train pairs.
  """
  read = network.read(model, params, token_Nx3)
  kept_NxV = network.restricted(read, key_Q, like=read.logit_NxV)
  without_NxV = network.excluded(read, key_Q)
  at = lambda logit_NxV, row_N: network.nll(logit_NxV[row_N], member.label_N[row_N])
  cube = fourier.cosine_cube_coefficients(read.logit_NxV)
  every_Q = jnp.ones_like(key_Q)
  _, outside = fourier.cosine_cube_approximation(read.logit_NxV, every_Q)
  together = jnp.sqrt(jnp.sum(jnp.where(key_Q, cube.similarity_Q, 0) ** 2))
  return network.losses(read, member) | {
    "test/restricted_nll_nats": at(kept_NxV, member.test_N),
    "test/restricted_heldout_nll_nats": network.restricted_heldout(read, member, key_Q),
    "train/excluded_nll_nats": at(without_NxV, member.train_N),
    "residual_fraction": outside,
    "key_similarity": together,
    "similarity_Q": cube.similarity_Q,
    "coefficient_Q": cube.coefficient_Q,
  }


def key_frequencies(params, threshold: float):
  """Returns which frequencies stand out in W_out W_U, as a mask Q.

  Those whose norm over neurons exceeds the threshold times the largest (B16).
  """
  down_FxD = params["blocks"]["mlp"]["down"]["kernel"][0]
  readout_FxV = network.exact(down_FxD, params["unembed"]["kernel"])
  basis_VxV = fourier.basis(readout_FxV.shape[1])
  coefficient = fourier.transform_1d(basis_VxV, readout_FxV, axis=1)
  norm_Q = fourier.frequency_norms(coefficient, axis=1)
  return fourier.key_frequencies(norm_Q, threshold)


# --- phases of training ---------------------------------------------------------------------------

BOUNDARIES = {
  "memorised": "train accuracy first at 1",
  "peak": "test loss at its largest: memorisation ends",
  "formed": "test loss below that of a guess, ln C, for good: the circuit is formed",
  "cleaned": "test loss below ten times its last value, for good: clean-up ends",
  "restricted": "restricted loss below half of ln C, for good",
  "lead": "steps by which the restricted loss gets below half of ln C before the test loss",
  "lead_heldout": "the same, its waves averaged over test pairs alone",
}


def for_good(step_C, below_SxC) -> np.ndarray:
  """Returns the step from which a condition holds to the end, S; NaN: never."""
  held_SxC = np.flip(np.cumprod(np.flip(below_SxC, 1), axis=1), 1)
  first_S = held_SxC.argmax(1)
  return np.where(held_SxC.any(1), step_C[first_S], np.nan)


def boundaries(step_C, curve, uniform: float) -> dict[str, np.ndarray]:
  """Returns the step of every boundary by network, S.

  `curve` has train/accuracy, test/nll_nats and, for modular addition,
  test/restricted_nll_nats, each SxC. A boundary that needs the test loss to
  fall is NaN for a network that ends above the loss of a guess.
  """
  test_SxC = curve["test/nll_nats"]
  learned_S = test_SxC[:, -1] < uniform
  full_SxC = curve["train/accuracy"] >= 1
  first = lambda at_SxC: np.where(at_SxC.any(1), step_C[at_SxC.argmax(1)], np.nan)
  value = {
    "memorised": first(full_SxC),
    "peak": step_C[test_SxC.argmax(1)].astype(float),
    "formed": for_good(step_C, test_SxC < uniform),
    "cleaned": np.where(learned_S, for_good(step_C, test_SxC < 10 * test_SxC[:, -1:]), np.nan),
  }
  if "test/restricted_nll_nats" in curve:
    half = lambda name: for_good(step_C, curve[name] < uniform / 2)
    value["restricted"] = half("test/restricted_nll_nats")
    reached_S = half("test/nll_nats")
    value["lead"] = reached_S - value["restricted"]
    heldout_S = half("test/restricted_heldout_nll_nats")
    value["lead_heldout"] = reached_S - heldout_S
  return value


# --- the result -----------------------------------------------------------------------------------


def measure(run) -> xr.Dataset:
  """Returns the curves of every network, and the steps at which its phases end.

  Raises `ValueError` for a run without snapshots.
  """
  step_C = network.snapshot_steps(run)
  task = run.experiment.task
  waves = task.modular and task.digits % 2 == 1
  curves = LOSSES | (MODULAR if waves else PLAIN)
  key_SxQ = _keys(run, waves)
  found = network.over_snapshots(modular if waves else plain, run, key_SxQ)
  uniform = float(np.log(task.classes))
  step_of = boundaries(step_C, found, uniform)
  # Plain addition has no frequencies.
  without_SxCx0 = np.zeros((len(key_SxQ), len(step_C), 0))
  described = list(curves.values())
  variables = {
    "value": results.variable(
      "curve seed step", np.stack([found[name] for name in curves]), "loss, share, R² or similarity"
    ),
    "curve_title": results.variable("curve", [c.title for c in described], "the curve in words"),
    "curve_item": results.variable("curve", [c.item for c in described], "item of the curve"),
    "curve_loss": results.variable(
      "curve", [c.loss for c in described], "the curve is a loss in nats"
    ),
    "boundary_step": results.variable(
      "boundary seed", np.stack(list(step_of.values())), "boundary between phases", "steps"
    ),
    "boundary_meaning": results.variable(
      "boundary", [BOUNDARIES[name] for name in step_of], "the boundary in words"
    ),
    "key": results.variable("seed frequency", key_SxQ, "key frequency of the last network"),
    "similarity": results.variable(
      "seed step frequency",
      found.get("similarity_Q", without_SxCx0),
      "cosine similarity of the logits with the cosine cube",
    ),
    "coefficient": results.variable(
      "seed step frequency",
      found.get("coefficient_Q", without_SxCx0),
      "coefficient of the cosine cube in the logits",
    ),
  }
  coords = {
    "curve": list(curves),
    "boundary": list(step_of),
    "step": results.variable("step", step_C, "training step"),
    "frequency": results.variable(
      "frequency", np.arange(key_SxQ.shape[1]), "frequency", "periods of the modulus"
    ),
  }
  return program.dataset(run, variables, coords, modular=waves, uniform_nll=uniform)


def _keys(run, waves: bool):
  """Returns the key frequencies of the last networks; none without waves."""
  if not waves:
    return jnp.zeros((len(run.pairs.label_SxN), 0), bool)
  threshold = run.settings.key_threshold
  find = functools.partial(key_frequencies, threshold=threshold)
  return jax.vmap(find)(run.params_S)


# --- figures, tables, the line of the summary -----------------------------------------------------

# Ends of phases that are drawn as vertical lines, in words.
PHASES = {
  "peak": "peak of the test loss",
  "formed": "circuit formed",
  "cleaned": "clean-up ended",
}
FEW = 7  # key frequencies that have a colour each


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares them."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  return pages | ({"all runs": _compared(runs)} if len(runs) > 1 else {})


def _compared(runs) -> draw.Page:
  """Returns accuracy and loss on test pairs of all runs, and when they have formed the circuit."""
  last = results.across({run: _on_test(found) for run, found in runs.items()}, "accuracy", "loss")
  formed = {run: found["boundary_step"].sel(boundary="formed") for run, found in runs.items()}
  return draw.page(
    (
      _lines(last, "accuracy", "run", title="Accuracy on test pairs", ylim=(-0.03, 1.05)),
      _lines(last, "loss", "run", title="Loss on test pairs", yscale="log"),
    ),
    draw.dots(
      formed,
      xlabel="training step",
      title="Test loss below that of a guess for good, by network (line: median)",
    ),
    heights=[4.2, 1.2 + 0.3 * len(runs)],
  )


def _on_test(found: xr.Dataset) -> xr.Dataset:
  """Returns the median accuracy and loss on test pairs."""
  middle = lambda name: np.median(program.curve(found, name), axis=0)
  return results.dataset(
    {
      "accuracy": results.variable("step", middle("test/accuracy"), "accuracy, median of networks"),
      "loss": results.variable("step", middle("test/nll_nats"), "loss, median of networks", "nats"),
    },
    {"step": found["step"]},
  )


def _page(run: str, found: xr.Dataset) -> draw.Page:
  losses = found["curve"].values[found["curve_loss"].values].tolist()
  others = [name for name in found["curve"].values.tolist() if name not in losses]
  right = [name for name in others if name.endswith("accuracy")]
  guess = draw.level(found.uniform_nll, "a guess, ln C", color=draw.GREY, lw=0.8, ls=":")
  share = {"ylim": (-0.03, 1.05)}
  below = (
    draw.together(
      _marks(found),
      _curves(
        found, right, title="Right answers over training", ylabel="share of the pairs", **share
      ),
    ),
    draw.together(
      _marks(found),
      _curves(
        found,
        [name for name in others if name not in right],
        title="Measures of the mechanism",
        ylabel="share, R² or similarity",
        **share,
      ),
    ),
  )
  title = f"{run}: losses (vertical lines: ends of phases, medians; thin lines: networks)"
  upper = draw.together(
    _marks(found, named=True),
    guess,
    _curves(found, losses, title=title, ylabel="nats", yscale="log"),
    _floor(found),
  )
  if not found.modular:
    return draw.page(upper, below, heights=[3.6, 4.6])
  cubes = (
    _cubes(found, "coefficient", "Cosine cubes in the logits"),
    _cubes(found, "similarity", "… as a share of all logits"),
  )
  return draw.page(upper, below, _ratio(found), cubes, heights=[4.0, 3.6, 2.8, 3.8])


def _curves(found: xr.Dataset, names: list[str], **text) -> draw.Panel:
  chosen = found.sel(curve=names)
  titles = dict(zip(names, chosen["curve_title"].values.tolist(), strict=True))
  return _lines(chosen, "value", "curve", titles, thin="seed", **text)


def _lines(found: xr.Dataset, name: str, dim: str, words=None, **options) -> draw.Panel:
  """Returns a line for each value along `dim`, with colours and, of more than seven, dashes."""
  panels = []
  for i, key in enumerate(found[dim].values.tolist()):
    shown = draw.look_of(dim, i, key)
    look = {"color": shown.colour, "ls": shown.dash, "marker": ""}
    label = {None: (words or {}).get(key, key)}
    panels.append(
      draw.curves(
        found[[name]].sel({dim: key}),
        name,
        x="step",
        names=label,
        style=look,
        zero=False,
        **options,
      )
    )
  return draw.together(*panels)


def _floor(found: xr.Dataset) -> draw.Panel:
  """Returns what keeps train and test loss in view, and losses of 1e-30 from using all of it."""
  loss = found["value"].sel(curve=["train/nll_nats", "test/nll_nats"]).values
  return lambda axes: axes.set_ylim(max(loss[loss > 0].min() / 3, 1e-12), None)


def _marks(found: xr.Dataset, *, named: bool = False) -> draw.Panel:
  """Returns the ends of phases that most networks reach, at their median."""
  median = {}
  for name in PHASES:
    step_S = program.boundary(found, name)
    if np.isfinite(step_S).mean() >= program.MOST:
      median[name] = numbers_lib.median(step_S)

  look = {"along": "x", "color": draw.GREY, "lw": 1.1}
  dash = dict(zip(PHASES, draw.DASHES[1:], strict=True))
  lines = [
    draw.level(step, PHASES[name] if named else None, ls=dash[name], **look)
    for name, step in median.items()
  ]
  return draw.together(*lines)


def _ratio(found: xr.Dataset) -> draw.Panel:
  """Returns the test loss over the restricted loss: 1 where the key waves are all there is."""
  test_SxC = program.curve(found, "test/nll_nats")
  its = {}
  for name, words in (
    ("test/restricted_nll_nats", "restricted, test pairs"),
    ("test/restricted_heldout_nll_nats", "restricted, waves of test pairs"),
  ):
    ratio = test_SxC / np.maximum(program.curve(found, name), np.finfo(np.float32).tiny)
    its[words] = xr.DataArray(ratio, dims=("seed", "step"))
  both = xr.concat(list(its.values()), xr.Variable("curve", list(its)))
  both.attrs = {"long_name": "test loss / restricted loss"}
  drawn = both.to_dataset(name="ratio").assign_coords(step=found["step"])
  title = "Test loss over restricted loss (1: the key waves do all that the network does)"
  return draw.together(
    _marks(found),
    draw.level(1, color=draw.GREY, lw=0.8, ls=":"),
    _lines(drawn, "ratio", "curve", thin="seed", title=title, yscale="log"),
  )


def _cubes(found: xr.Dataset, name: str, words: str) -> draw.Panel:
  """Returns how the logits of one network come to be cosine cubes of few frequencies."""
  one = found.isel(seed=program.shown(found))
  keys = one["frequency"].values[one["key"].values].tolist()
  panels, step_C = [], one["step"].values
  others = [k for k in one["frequency"].values.tolist() if k not in keys]
  thin = {"ls": "-", "lw": 0.5, "alpha": 0.6}
  for i, k in enumerate(others):
    label = None if i else "other frequencies"
    value_C = one[name].sel(frequency=k).values
    panels.append(draw.line(step_C, value_C, label, draw.GREY, **thin))
  for i, k in enumerate(keys):
    few = len(keys) <= FEW
    label = f"frequency {k}" if few else None if i else f"{len(keys)} key frequencies"
    colour = draw.COLOURS[i] if few and i < len(draw.COLOURS) - 1 else draw.BLUE
    value_C = one[name].sel(frequency=k).values
    panels.append(draw.line(step_C, value_C, label, colour, ls="-", lw=1.8))
  text = {
    "title": f"{words} (seed {one['seed'].item()})",
    "xlabel": results.label(found["step"]),
    "ylabel": {"coefficient": "coefficient", "similarity": "cosine similarity"}[name],
  }
  return draw.together(*panels, lambda axes: axes.set(**text))


def tables(runs) -> list[tables_lib.Table]:
  """Returns the boundaries of the phases, derived from the curves of all runs, and their ends."""
  first = " or ".join(dict.fromkeys(f"{int(found['step'][0]):,}" for found in runs.values()))
  return [
    tables_lib.Table(
      "Phases of training, in steps, from the curves of every network: median, range, and the mean"
      f" with its 95 % interval. Snapshots are {first} steps apart.",
      tables_lib.by_run(runs, _phases),
      {"mean": ",.0f"},
      "phases",
    ),
    tables_lib.Table(
      "Every curve at its first and its last snapshot: median of the networks, and the range at the"
      " last; losses are in nats.",
      tables_lib.by_run(runs, _ends),
      name="ends",
    ),
  ]


def _ends(found: xr.Dataset):
  for name in found["curve"].values.tolist():
    one = found.sel(curve=name)
    value_SxC = one["value"].transpose("seed", "step").values
    its = numbers_lib.spread(value_SxC[:, -1])
    yield {
      "item": one["curve_item"].item(),
      "curve": one["curve_title"].item(),
      "first": numbers_lib.median(value_SxC[:, 0]),
      "last": its["median"],
      "last, least": its["minimum"],
      "last, largest": its["maximum"],
    }


def _phases(found: xr.Dataset):
  for name in found["boundary"].values.tolist():
    step_S = program.boundary(found, name)
    its = numbers_lib.cells(step_S)
    yield {
      "boundary": name,
      "meaning": found["boundary_meaning"].sel(boundary=name).item(),
      "drawn by eye": BY_EYE.get(name) if found.modular else None,
      "median step": its["median"],
      "least": its["minimum"],
      "largest": its["maximum"],
      "mean": its["mean"],
      "networks": f"{np.isfinite(step_S).sum()} of {step_S.size}",
    }


def line(runs) -> str:
  """Returns who generalises and when, and what the mechanism is."""
  by_run = lambda say: "; ".join(f"{run} {say(found)}" for run, found in runs.items())
  mechanism = [
    f"{run}: {_waves(found) if found.modular else _additive(found)}"
    for run, found in runs.items()
    if program.is_setting(found.population)
  ]
  return (
    f"Networks that get all test pairs right: {by_run(_members)}."
    f" Test loss below a guess for good, median step (range): {by_run(_delay)}."
    f" Mechanism: {'; '.join(mechanism) or 'no run of the published setting'}."
  )


def _members(found: xr.Dataset) -> str:
  all_S = program.generalises(found)
  median = np.median(program.curve(found, "test/accuracy")[:, -1])
  return f"{int(all_S.sum())} of {len(all_S)} (median test accuracy {median:.3f})"


def _delay(found: xr.Dataset) -> str:
  step_S = program.boundary(found, "formed")
  its, reached = numbers_lib.spread(step_S), np.isfinite(step_S).sum()
  if not reached:
    return "never"
  median, least, largest = (
    tables_lib.shown(its[name]) for name in ("median", "minimum", "maximum")
  )
  return f"{median} ({least} … {largest}; {reached} of {step_S.size} members)"


def _additive(found: xr.Dataset) -> str:
  last = lambda name: np.median(program.curve(found, name)[:, -1])
  return (
    f"z is {last('pre_additive_r2'):.3f} additive in a and b, with frozen"
    f" attention wholly so, and accuracy falls to {last('frozen_accuracy'):.2f}"
  )


def _waves(found: xr.Dataset) -> str:
  keys = [", ".join(map(str, np.flatnonzero(key_Q))) for key_Q in found["key"].values[:3]]
  lead = numbers_lib.median(program.boundary(found, "lead_heldout"))
  return (
    f"key frequencies {' / '.join(keys)}; the held-out restricted loss gets"
    f" below half the loss of a guess {tables_lib.shown(lead)} steps before"
    " the test loss"
  )


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
SOON = 5  # a delay is one of at least so many times the time to memorise
SEVERAL = 3  # members of which an interval says something
RISEN = 10  # times its least: an excluded loss above it has risen
NEAR = 0.2  # of a step drawn by eye: steps this close are the same


@CLAIMS.add(
  "learning.all",
  "The network learns addition: from 72 of 100 pairs it gets all right.",
  reported="accuracy 1.00, one split and one start",
  source=f"{program.PLAIN_SOURCE} (docs/sources/addition.md, section 7)",
)
def learns(results):
  """Returns the verdict over splits and starts; a split of unordered pairs is shown with it."""
  progress = program.first(results, "progress")
  accuracy_S = program.curve(progress, "test/accuracy")[:, -1]
  mirrored_S, lone_S = (
    program.curve(progress, f"test/{name}_accuracy")[:, -1] for name in ("mirrored", "lone")
  )
  own = program.own(progress, accuracy_S)
  source = "" if own is None else f", of the source's network {own:.2f}"
  because = (
    "all test pairs have to be right after training; test accuracy is"
    f" {np.median(accuracy_S):.2f} in the median ({accuracy_S.min():.2f} to {accuracy_S.max():.2f})"
    f"{source}; on average it is {np.mean(mirrored_S):.2f} on pairs whose mirror image (b, a) is a"
    f" train pair, {np.mean(lone_S):.2f} on the others"
  )
  numbers = program.behind(
    test_accuracy_median=np.median(accuracy_S),
    mirrored_accuracy_mean=np.mean(mirrored_S),
    lone_accuracy_mean=np.mean(lone_S),
  )
  try:
    other = program.first(results, "progress", variant=program.UNORDERED)
    other_S = program.curve(other, "test/accuracy")[:, -1]
    numbers["unordered_test_accuracy_median"] = float(np.median(other_S))
    because += (
      "; where both orders of a pair are on one side of the split, test accuracy is"
      f" {np.median(other_S):.2f} in the median, and {(other_S > program.SURE).sum()} of"
      f" {other_S.size} networks get all right"
    )
  except LookupError:
    pass
  return program.by_members(program.generalises(progress), because, numbers)


@CLAIMS.add(
  "learning.delay",
  "It groks: test pairs are known long after the train pairs.",
  reported="train accuracy 1 by epoch 99, all pairs by about 4,100 (recomputed)",
  source=f"{program.PLAIN_SOURCE} (docs/sources/addition.md, section 7)",
)
def delay(results):
  """Returns the verdict on delayed generalisation of the source's network, its start shaken."""
  shaken = program.first(results, "progress", variant=program.DRIFT)
  memorised_S = program.boundary(shaken, "memorised")
  formed_S = program.boundary(shaken, "formed")
  delayed_S = formed_S >= SOON * memorised_S  # NaN: never, so no delay
  known, formed = numbers_lib.spread(memorised_S), numbers_lib.spread(formed_S)
  numbers = program.behind(
    memorised_median=known["median"],
    generalised_earliest=formed["minimum"],
    generalised_latest=formed["maximum"],
  )
  because = (
    "the step from which the test loss is below that of a guess for good has to be at least"
    f" {SOON} times the first step with all train pairs right; the source's network, its start"
    f" shaken by rounding alone, knows the train pairs by step {known['maximum']:,.0f} and has such"
    f" a test loss from step {formed['minimum']:,.0f} on at the earliest, from step"
    f" {formed['maximum']:,.0f} on at the latest: the length of a delay is not portable between"
    " programs"
  )
  return program.by_members(delayed_S, because, numbers)


@CLAIMS.add(
  "modular.lead",
  "The restricted loss falls before the test loss: the circuit forms first.",
  reported="read off one run's curves",
  source=f"{program.MODULAR_SOURCE} (B27, B28)",
)
def lead(results):
  """Returns the verdict on waves averaged over all pairs, as published, and over test pairs."""
  progress = program.largest(results, "progress")
  published, heldout = (
    numbers_lib.spread(program.boundary(progress, name)) for name in ("lead", "lead_heldout")
  )
  known_S = program.boundary(progress, "lead_heldout")
  known = int(np.isfinite(known_S).sum())
  differs = progress.population.partition(", ")[2]
  other = f" (the source: {program.MODULAR}; here {differs})"
  where = "" if differs == program.PUBLISHED else other
  numbers = program.behind(
    published_median=published["median"],
    heldout_median=heldout["median"],
    heldout_mean_low=heldout["mean_low"],
    heldout_mean_high=heldout["mean_high"],
  )
  enough = known >= SEVERAL
  mean = lambda of: (
    f"; mean, 95 % interval: {of['mean_low']:,.0f} to {of['mean_high']:,.0f}" if enough else ""
  )
  because = (
    f"in {program.networks(progress)}{where}, the restricted loss gets below half the loss of a"
    f" guess ({progress.uniform_nll / 2:.2f} nats) for good {published['median']:,.0f} steps before"
    f" the test loss does (median{mean(published)}). Its waves are averages over train pairs too,"
    " which a memory of these pairs improves; with waves of test pairs alone it is"
    f" {heldout['median']:,.0f} steps (median of {known} of {known_S.size} members{mean(heldout)})"
  )
  if not enough:
    because += f"; an interval needs {SEVERAL} members"
    return program.verdict("needs more compute", because, numbers)
  status = program.held(published["mean_low"] > 0, artefact=heldout["mean_low"] <= 0)
  return program.verdict(status, because, numbers)


@CLAIMS.add(
  "modular.excluded",
  "The excluded loss rises while the network turns to the circuit.",
  reported="read off one run's curves",
  source=f"{program.MODULAR_SOURCE} (B29)",
)
def excluded(results):
  """Returns the verdict on the excluded loss of those that generalise."""
  progress = program.first(results, "progress", of=program.MODULAR)
  excluded_SxC = program.curve(progress, "train/excluded_nll_nats")
  learned_S = program.generalises(progress)
  train_S = program.curve(progress, "train/nll_nats")[:, -1]
  low_S, end_S = excluded_SxC.min(1), excluded_SxC[:, -1]
  least_S = progress["step"].values[excluded_SxC.argmin(1)]
  because = (
    f"in {program.networks(progress)}, the least excluded loss is {np.median(low_S):.3g} nats, at"
    f" step {np.median(least_S):,.0f}, and it ends at {np.median(end_S):.3g} nats, where the train"
    f" loss is {np.median(train_S):.2g} nats{', in the median' if learned_S.size > 1 else ''};"
    f" more than {RISEN} times the least is wanted at the end, of all that generalise"
    f" ({learned_S.sum()} of {learned_S.size} networks)"
  )
  numbers = program.behind(least=np.median(low_S), end=np.median(end_S))
  holds = bool((end_S > RISEN * low_S)[learned_S].all() and learned_S.any())
  status = program.held(holds)
  return program.verdict(status, because, numbers)


@CLAIMS.add(
  "modular.phases",
  f"Memorisation ends at epoch {BY_EYE['peak']:,.0f}, circuit formation at"
  f" {BY_EYE['formed']:,.0f}, clean-up at {BY_EYE['cleaned']:,.0f}.",
  reported="drawn by eye; 1,500, 9,900 and 12,000 in a stored figure",
  source=f"{program.MODULAR_SOURCE} (B23)",
)
def phases(results):
  """Returns the verdict on the phase lines drawn by eye, beside those of the curves."""
  progress = program.first(results, "progress", of=program.MODULAR)
  found = {name: program.boundary(progress, name) for name in BY_EYE}
  said = "; ".join(
    f"{BOUNDARIES[name].replace(': ', ' (')}) at step {np.nanmedian(step_S):,.0f}"
    f" (by eye {BY_EYE[name]:,.0f})"
    for name, step_S in found.items()
    if np.isfinite(step_S).any()
  )
  members = len(next(iter(found.values())))
  of = "medians of" if members > 1 else "in"
  because = (
    f"{of} {program.networks(progress)}: {said}; within {100 * NEAR:.0f} % of the steps drawn by"
    f" eye is wanted, of {SEVERAL} networks or more"
  )
  numbers = program.behind(**{name: np.median(step_S) for name, step_S in found.items()})
  if members < SEVERAL:
    return program.verdict("needs more compute", because, numbers)
  near = [abs(np.nanmedian(step_S) / BY_EYE[name] - 1) < NEAR for name, step_S in found.items()]
  status = program.held(all(near))
  return program.verdict(status, because, numbers)
