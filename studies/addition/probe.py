"""Does a linear probe of the MLP find the sum because the network computes it?

The notebook on plain addition fits the sum a + b to the activations of the MLP's neurons on 70 % of
the pairs, reads it almost perfectly on the others, and has no control.

With 512 activations and 70 pairs the probe interpolates what it is fitted on. Here the same probe,
on the same rows, is set beside probes of untrained networks, of the pairs alone (one indicator for
each a and each b), the mean of the sums, sums permuted over pairs (no relation is left) and sums
relabelled (another function of the sum). Directions of the activations that are no more than
rounding of float32 are left out; the last panel shows R² by the directions that are kept.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import fourier, linear, statistics
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.addition import network, program

# --- published ------------------------------------------------------------------------------------

HELD_OUT, SPLIT_SEED = 0.3, 42  # the published split

obstacle = program.plain


# --- probes of one network ------------------------------------------------------------------------

CONTROLS = 199  # targets of each control: p is at least 1 / 200
PROBES = {
  "hidden": ("h, all neurons", "published"),
  "hidden_own": ("h, all neurons", "the network's own"),
  "additive": ("one indicator per a and per b", "published"),
  "additive_own": ("one indicator per a and per b", "the network's own"),
  "mean": ("the mean of the fitted sums", "published"),
  "permuted": ("h, sums permuted over pairs, mean", "published"),
  "relabelled": ("h, values of the sum permuted, mean", "published"),
}
# Singular values below this share of the largest count as zero. Those of h
# end in the rounding of float32, near 1e-5. The last limit is LAPACK's own
# (scipy.linalg.lstsq), and lets all of it in: taken as the published one.
TOLERANCES_R = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1.2e-7)
MEASURES = ("mse", "r2", "accuracy")


def published_split(rows: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns train and test rows of the source, on the host.

  scikit-learn's `train_test_split(test_size=0.3, random_state=42)`: the first
  rows of one permutation are the test.
  """
  order_N = np.random.RandomState(SPLIT_SEED).permutation(rows)
  held_out = math.ceil(HELD_OUT * rows)
  return order_N[held_out:], order_N[:held_out]


def controls(sum_N, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns `count` permuted and `count` relabelled sums, NxR each.

  Permuted: the sums of all pairs shuffled over pairs. Relabelled: a shuffle
  of the values that the sum can take.
  """
  rng = np.random.default_rng(seed)
  permuted = [rng.permutation(sum_N) for _ in range(count)]
  value_V, at_N = np.unique(sum_N, return_inverse=True)
  relabelled = [rng.permutation(value_V)[at_N] for _ in range(count)]
  return np.stack(permuted, 1), np.stack(relabelled, 1)


def probed(model, params, member, token_Nx3, *, permuted_NxR, relabelled_NxR):
  """Returns the scores of one network's probes, and what is drawn of them."""
  post_NxF = network.read(model, params, token_Nx3).post_NxF
  sum_N = (token_Nx3[:, 0] + token_Nx3[:, 1]).astype(jnp.float32)
  sum_Nx1 = sum_N[:, None]
  train_N, test_N = published_split(len(token_Nx3))
  pair_Nx2P = fourier.additive_design(math.isqrt(len(token_Nx3)))
  every_NxR = jnp.concatenate([sum_Nx1, permuted_NxR, relabelled_NxR], axis=1)
  published, own = (train_N, test_N), (member.train_N, member.test_N)
  score, prediction_NxR = _probe(post_NxF, every_NxR, *published)
  count = permuted_NxR.shape[1]
  part = lambda start, stop: {k: v[start:stop] for k, v in score.items()}
  of_pairs = lambda rows: _probe(pair_Nx2P, sum_Nx1, *rows)[0]
  found = {
    "hidden": part(0, 1),
    "hidden_own": _probe(post_NxF, sum_Nx1, *own)[0],
    "additive": of_pairs(published),
    "additive_own": of_pairs(own),
    "mean": _scores(sum_Nx1[test_N], jnp.broadcast_to(sum_Nx1[train_N].mean(), (len(test_N), 1))),
    "permuted": part(1, 1 + count),
    "relabelled": part(1 + count, None),
  }
  cut = lambda tolerance: _probe(post_NxF, sum_Nx1, *published, tolerance)[0]
  ladder = jax.vmap(cut)(jnp.array(TOLERANCES_R))
  return {
    "score": jax.tree.map(jnp.mean, found),
    "ladder": jax.tree.map(lambda x_Rx1: x_Rx1[:, 0], ladder),
    "permuted_r2": found["permuted"]["r2"],
    "prediction": prediction_NxR[:, 0],
  }


def _probe(design_NxQ, target_NxR, train_N, test_N, tolerance=None):
  """Returns the scores on held-out rows and the predictions of those rows."""
  fit = linear.fit_shortest(design_NxQ, target_NxR, train_N, tolerance)
  prediction_NxR = fit.prediction_NxF[test_N]
  return _scores(target_NxR[test_N], prediction_NxR), prediction_NxR


def _scores(truth_NxR, prediction_NxR) -> dict:
  right_NxR = jnp.round(prediction_NxR) == truth_NxR
  return {
    "mse": jnp.mean((truth_NxR - prediction_NxR) ** 2, axis=0),
    "r2": linear.r2_columns(truth_NxR, prediction_NxR),
    "accuracy": jnp.mean(right_NxR, axis=0),
  }


# --- the result -----------------------------------------------------------------------------------


def measure(run) -> xr.Dataset:
  """Returns the probe of every network beside its anchors and controls."""
  token_Nx3 = np.asarray(run.pairs.token_Nx3)
  sum_N = (token_Nx3[:, 0] + token_Nx3[:, 1]).astype(np.float32)
  permuted_NxR, relabelled_NxR = controls(sum_N, CONTROLS, run.settings.seed)
  probes = functools.partial(probed, permuted_NxR=permuted_NxR, relabelled_NxR=relabelled_NxR)
  found, null = network.beside(probes, run)
  both, test_N = (found, null), published_split(len(sum_N))[1]
  score = [[[each["score"][probe][m] for m in MEASURES] for probe in PROBES] for each in both]
  p_S = statistics.permutation_p(found["score"]["hidden"]["r2"], found["permuted_r2"].T)
  words = list(PROBES.values())
  variables = {
    **numbers_lib.stored(_values(found, null["score"]), _values(null, null["score"])),
    "score": results.variable(
      "network probe measure seed", score, "squared error, R² or accuracy on held-out pairs"
    ),
    "features": results.variable("probe", [each for each, _ in words], "what the probe reads"),
    "split": results.variable("probe", [each for _, each in words], "split of the pairs"),
    "truth": results.variable("pair", sum_N[test_N], "a + b"),
    "prediction": results.variable(
      "network seed pair", np.stack([each["prediction"] for each in both]), "a + b, by the probe"
    ),
    "permuted_r2": results.variable(
      "seed draw", found["permuted_r2"], "R² of sums permuted over pairs"
    ),
    "ladder_r2": results.variable(
      "seed tolerance", found["ladder"]["r2"], "R² with the directions of h above a limit alone"
    ),
    "p": results.variable("seed", p_S, "p of the R² among those of permuted sums"),
  }
  coords = {
    "probe": list(PROBES),
    "measure": list(MEASURES),
    "pair": results.variable("pair", test_N, "row of the pair (a times the digits, plus b)"),
    "draw": results.variable("draw", np.arange(CONTROLS), "draw"),
    "tolerance": results.variable(
      "tolerance", np.array(TOLERANCES_R), "smallest / largest singular value"
    ),
  }
  return program.dataset(run, variables, coords)


def _values(found, null) -> dict[str, np.ndarray]:
  """Returns the reported numbers, each of every network."""
  score, ladder = found["score"], found["ladder"]
  return {
    **score["hidden"],
    "mse_as_published": ladder["mse"][:, -1],
    "r2_as_published": ladder["r2"][:, -1],
    "untrained_r2": null["hidden"]["r2"],
    "own_r2": score["hidden_own"]["r2"],
    "mean_mse": score["mean"]["mse"],
    "permuted_r2": score["permuted"]["r2"],
    "relabelled_r2": score["relabelled"]["r2"],
    "selectivity": score["hidden"]["accuracy"] - score["relabelled"]["accuracy"],
  }


numbers = numbers_lib.of  # by the keys of published.csv


# --- figures and tables ---------------------------------------------------------------------------

WORDS = {
  "hidden": "neurons (h)",
  "hidden_own": "h, own split",
  "additive": "pairs alone",
  "additive_own": "pairs, own split",
  "mean": "mean of sums",
  "permuted": "h, permuted",
  "relabelled": "h, relabelled",
}


def figures(runs) -> dict:
  """Returns a page for each run of the source's setting and, of several, one that compares all."""
  pages = {run: _page(run, found) for run, found in program.main(runs).items()}
  return pages | ({"all runs": _compared(runs)} if len(runs) > 1 else {})


def _compared(runs) -> draw.Page:
  """Returns accuracy and R² of the probe of h, of all runs beside untrained networks."""
  both = results.across(runs, "score")["score"].sel(probe="hidden")
  accuracy = _apart(both.sel(measure="accuracy"), "accuracy of the rounded sum")
  look = {"y": "run", "null": "untrained"}
  missed = 1 - _apart(both.sel(measure="r2"), "")
  for each in missed.values():
    each.attrs = {"long_name": "1 - R², held-out pairs"}
  return draw.page(
    (
      draw.strips(accuracy, "trained", title="Probe of h, held-out pairs", **look),
      draw.strips(
        missed, "trained", title="What the probe leaves of the sum", xscale="log", **look
      ),
    ),
    heights=[1.5 + 0.3 * len(runs)],
  )


def _apart(both: xr.DataArray, words: str) -> xr.Dataset:
  """Returns what runs along `network` as a variable for each."""
  parts = {name: both.sel(network=name, drop=True) for name in numbers_lib.NETWORKS}
  for part in parts.values():
    part.attrs = {"long_name": words}
  return xr.Dataset(parts)


def _page(run: str, found: xr.Dataset) -> draw.Page:
  right = _apart(found["score"].sel(measure="accuracy"), "share of held-out pairs, rounded")
  right = right.assign_coords(probe=[WORDS[name] for name in found["probe"].values.tolist()])
  return draw.page(
    (
      _sums(run, found),
      draw.strips(
        right,
        "trained",
        y="probe",
        null="untrained",
        title="Accuracy (large: median)",
        xlim=(-0.04, 1.04),
      ),
      _ladder(found),
    ),
    _nulls(found),
    heights=[3.9, 2.2],
  )


def _nulls(found: xr.Dataset) -> draw.Panel:
  """Returns what the probe leaves of the sum, and of permuted sums, which is seldom as little."""
  r2 = found["score"].sel(probe="hidden", measure="r2")
  its = {
    "the sum": r2.sel(network="trained", drop=True),
    "the sum, untrained": r2.sel(network="untrained", drop=True),
    "permuted sums": found["permuted_r2"],
  }
  p = numbers_lib.median(found["p"].values)
  title = f"The sum beside {found.sizes['draw']} permutations of the sums: p = {p:.3g} (median)"
  words = "1 - R² on held-out pairs, each network and permutation (line: median)"
  left = {name: 1 - each for name, each in its.items()}
  return draw.dots(left, xlabel=words, title=title, xscale="log")


def _sums(run: str, found: xr.Dataset) -> draw.Panel:
  truth_N = found["truth"].values
  ends = np.array([truth_N.min() - 1, truth_N.max() + 1])
  looks = {"untrained": (draw.GREY, "x"), "trained": (draw.BLUE, ".")}

  def panel(axes):
    beyond = 0
    axes.plot(ends, ends, color="black", lw=0.8, label="a + b")
    for name, (colour, marker) in looks.items():
      prediction_SxN = found["prediction"].sel(network=name).values
      x_SxN = np.broadcast_to(truth_N, prediction_SxN.shape)
      # One that is far off would leave no room for the others.
      shown_SxN = np.clip(prediction_SxN, *(ends + [-1, 1]))
      beyond += np.sum(shown_SxN != prediction_SxN)
      axes.plot(x_SxN.ravel(), shown_SxN.ravel(), marker, color=colour, ms=5, alpha=0.7, label=name)
    axes.set(title=f"{run}: held-out pairs", xlabel="a + b", ylabel="a + b, by the probe")
    if beyond:
      axes.set_xlabel(f"a + b ({beyond} drawn at the edge)")

  return panel


def _ladder(found: xr.Dataset) -> draw.Panel:
  """Returns 1 - R², which tells .998 from .9998 and holds what is far off."""
  loss_SxR = np.maximum(1 - found["ladder_r2"].values, 1e-7)
  low, high = np.log10([loss_SxR.min(), loss_SxR.max()])
  loss = {"loss": results.variable("seed tolerance", loss_SxR, "1 - R², held-out pairs")}
  curve = draw.curves(
    results.dataset(loss, {"tolerance": found["tolerance"]}),
    "loss",
    x="tolerance",
    thin="seed",
    names={None: "median of the networks"},
    zero=False,
    title="Directions of h kept",
    xscale="log",
    yscale="log",
    # Whole decades: their ticks need no others between them.
    ylim=(10 ** np.floor(low), 10 ** np.ceil(high)),
  )

  def fewer_to_the_left(axes):
    axes.yaxis.set_minor_formatter("")
    axes.invert_xaxis()

  return draw.together(curve, fewer_to_the_left)


def tables(runs) -> list[tables_lib.Table]:
  """Returns every probe of all runs: the median over networks, their range, and untrained ones."""
  return [
    tables_lib.Table(
      "Probes of the sum on held-out pairs: the median over networks, and their range.",
      tables_lib.by_run(runs, _rows),
      name="probes",
    )
  ]


def _rows(found: xr.Dataset):
  for name in found["probe"].values.tolist():
    one = found.sel(probe=name)
    row = {"probe": name, "reads": one["features"].item(), "split": one["split"].item()}
    for measure, words in zip(MEASURES, ("squared error", "R²", "accuracy"), strict=True):
      trained_S, untrained_S = one["score"].sel(measure=measure).transpose("network", ...).values
      its = numbers_lib.spread(trained_S)
      row |= {words: its["median"], f"{words} least": its["minimum"]}
      row |= {f"{words} largest": its["maximum"]}
      row |= {f"{words} untrained": numbers_lib.median(untrained_S)}
    yield row


def line(runs) -> str:
  """Returns a sentence of what a probe reads, and what it reads of untrained networks."""
  said = []
  for run, found in runs.items():
    r2, untrained = program.numbers(found, "r2", "untrained_r2")
    said.append(f"{run} {np.median(r2.value_S):.4f}, untrained {np.median(untrained.value_S):.4f}")
  return (
    "R² of a linear probe of the MLP for the sum, on pairs held out, median over networks:"
    f" {'; '.join(said)}."
  )


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
ALMOST, AS_WELL = 0.99, 0.01  # R² that is almost perfect; untrained networks this close, or better


@CLAIMS.add(
  "probe.sum",
  "A linear probe of the MLP reads the sum almost perfectly.",
  reported="R2 almost 1 on held-out rows, no control",
  source=f"{program.PLAIN_SOURCE} (A10)",
)
def sums(results):
  """Returns the verdict: an artefact where an untrained network gives the sum as well."""
  found = program.first(results, "probe")
  r2, untrained = program.numbers(found, "r2", "untrained_r2")
  numbers = program.behind(r2=r2, untrained_r2=untrained)
  typical, null = np.median(r2.value_S), np.median(untrained.value_S)
  because = (
    f"a median R2 above {ALMOST:g} on pairs held out is wanted of {r2.value_S.size} networks; the"
    f" probe has R2 {r2}, on untrained networks {untrained.middle}"
  )
  artefact = null > typical - AS_WELL
  if artefact:
    rows = len(published_split(program.DIGITS**2)[0])
    because += (
      f": with {program.NEURONS} activations and {rows} rows to fit, a probe reads the sum from"
      " untrained networks as well"
    )
  status = program.held(typical > ALMOST, artefact=artefact)
  return program.verdict(status, because, numbers)
