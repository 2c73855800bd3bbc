"""What do single neurons do, and which are copies?

The published study ranked neurons by the correlation of their activation h with the sum a + b,
counted those above a threshold, and fitted the pre-activation z of single neurons on the digits'
first two principal components, on the pairs with a + b < P alone (A1, A11-A16 and A28 of
docs/sources/addition.md).

|r| ranks a neuron that hardly acts as high as any other. So every statistic is also weighted by
what a neuron contributes: the length of its column of the readout W_L times its mean activation.
Fits of z are made on all pairs, too. Neurons whose columns of W_in have a cosine above 0.99 form
blocks of copies: within one, z is the same up to scale (A62). Every block is merged into a single
ReLU unit, which says how many units still do what the network does. Untrained networks of the same
seeds are read in the same way. In the figures thin lines are networks and thick ones their median.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import fourier, linear, slots
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.addition import network, program

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)
CLAIMED = int(PUBLISHED["above_90"].source.removeprefix("> "))  # neurons with r above 0.9
NAMED = (408, 248, 240)  # neurons that the source or its recomputation names
ROWS = (0, 9)  # rows of W_L that are described
SIZED = 10  # blocks whose sizes are among the numbers

obstacle = program.plain


# --- neurons and the sum --------------------------------------------------------------------------

TOP, RANKED = 3, 100  # neurons drawn (A14), neurons of W_L's rows (A28)
SPARSE = 0.01  # of a row's largest weight
ROW_STATISTICS = {
  "positive": "share of weights above 0",
  "mean": "mean weight",
  "std": "standard deviation of the weights",
  "largest": "largest |weight|",
  "sparse": f"share of weights below {SPARSE:.0%} of the largest",
}


def sum_correlations(read: network.Network, member, token_Nx3) -> dict:
  """Returns correlations, contributions, rows of W_L and their numbers."""
  r_F = network.correlation(read, token_Nx3)
  weight_F = network.contributions(read)
  by_r_F = jnp.argsort(-jnp.abs(r_F), stable=True)
  statistics_Vx5 = row_statistics(read.readout_VxF[:, by_r_F[:RANKED]])
  value = _whole(read, member) | _counts(read, r_F, weight_F)
  value |= _rows(statistics_Vx5)
  return {
    "r": r_F,
    "contribution": weight_F,
    "top": by_r_F[:TOP],
    "busiest": jnp.argmax(weight_F),
    "row_statistics": statistics_Vx5,
    "value": value,
  }


FEATURES = ("a", "b", "PC1(a)", "PC1(b)", "PC2(a)", "PC2(b)")


def feature_correlations(embedding_PxD, post_NxF) -> np.ndarray:
  """Returns the correlation of every neuron's h with each of FEATURES, on all pairs."""
  digits = len(embedding_PxD)
  score_PxQ = linear.oriented(linear.pca(embedding_PxD)).score_NxQ[:, :2]
  value_Px3 = np.column_stack([np.arange(digits), score_PxQ])
  feature_Nx6 = np.asarray(fourier.pair_features(value_Px3))
  return np.stack([linear.pearson(post_NxF, feature_N) for feature_N in feature_Nx6.T])


def _whole(read, member) -> dict:
  """The network on all its pairs (A1)."""
  found = {"accuracy": network.accuracy(read.logit_NxV, member.label_N)}
  for name, row_N in (
    ("nll", slice(None)),
    ("train_nll", member.train_N),
    ("test_nll", member.test_N),
  ):
    logit_NxV, label_N = read.logit_NxV[row_N], member.label_N[row_N]
    found[name] = network.nll(logit_NxV, label_N)
  return found


def _counts(read, r_F, weight_F) -> dict:
  """Counts over neurons, and the same weighted by contribution (A11, A15)."""
  size_F, top = jnp.abs(r_F), jnp.argmax(jnp.abs(r_F))
  share_F = weight_F / weight_F.sum()
  norm_F = jnp.linalg.norm(read.readout_VxF, axis=0)
  return {
    "top_r": size_F[top],
    "top_neuron": top,
    "above_90": jnp.sum(r_F > 0.9),
    "absolute_above_90": jnp.sum(size_F > 0.9),
    "silent": jnp.sum(jnp.all(read.post_NxF == 0, axis=0)),
    "share_above_90": jnp.sum(jnp.where(r_F > 0.9, share_F, 0)),
    "share_absolute_above_90": jnp.sum(jnp.where(size_F > 0.9, share_F, 0)),
    "mean_r": size_F.mean(),
    "weighted_r": jnp.sum(share_F * size_F),
    "top_contribution": share_F[top] * len(share_F),
    "top_pre_largest": jnp.abs(read.pre_NxF[:, top]).max(),
    "top_readout_norm": norm_F[top],
    "median_readout_norm": jnp.median(norm_F),
  }


def row_statistics(readout_VxF):
  """Returns ROW_STATISTICS of every row of W_L: Vx5 (A28)."""
  size_VxF = jnp.abs(readout_VxF)
  largest_V = size_VxF.max(1)
  return jnp.stack(
    [
      jnp.mean(readout_VxF > 0, axis=1),
      readout_VxF.mean(1),
      readout_VxF.std(1),
      largest_V,
      jnp.mean(size_VxF < SPARSE * largest_V[:, None], axis=1),
    ],
    axis=1,
  )


def _rows(statistics_Vx5) -> dict:
  found = {"row_last_largest": statistics_Vx5[-1, 3]}
  for row in ROWS:
    if row < len(statistics_Vx5):
      for column, name in enumerate(list(ROW_STATISTICS)[:4]):
        found[f"row_{row}_{name}"] = statistics_Vx5[row, column]
  return found


# --- z of single neurons on the components of the two digits --------------------------------------

FITS = {
  "top_neuron": network.Fit("A16", "z, neuron with the largest |r|", "PC1, PC2 of a and of b"),
  "busiest_neuron": network.Fit("A16", "z, neuron that contributes most", "PC1, PC2 of a and of b"),
  "busiest_additive": network.Fit("A16", "z, neuron that contributes most", "f(a) + g(b)"),
}


def component_fits(read: network.Network, member, top, busiest) -> dict:
  """Returns the fits of two neurons, and R2 of those that were named (A16).

  `top` is the neuron with the largest |r|, `busiest` the one that contributes
  most. A fit's logits are those of the network with that one neuron's z
  replaced.
  """
  digits = len(read.embedding_PxD)
  score_PxQ = linear.oriented(linear.pca(read.embedding_PxD)).score_NxQ
  design_NxQ = fourier.monomials(fourier.pair_features(score_PxQ[:, :2]), 1)
  a_N, b_N = np.divmod(np.arange(digits**2), digits)
  row_N = np.flatnonzero(a_N + b_N < digits)
  part = linear.fit(design_NxQ, read.pre_NxF, row_N)
  every = linear.fit(design_NxQ, read.pre_NxF).prediction_NxF
  part_F = linear.r2_columns(read.pre_NxF[row_N], part.prediction_NxF[row_N])
  every_F = linear.r2_columns(read.pre_NxF, every)
  value = {"top_pc_r2_as_published": part_F[top], "top_pc_r2": every_F[top]}
  for neuron in (n for n in NAMED if n < len(part_F)):
    value[f"neuron_{neuron}_pc_r2_as_published"] = part_F[neuron]
    value[f"neuron_{neuron}_pc_r2"] = every_F[neuron]
  if NAMED[0] < len(part_F):
    for column, name in enumerate(("pc1_a", "pc1_b", "pc2_a", "pc2_b")):
      value[f"neuron_{NAMED[0]}_{name}"] = part.coefficient_QxF[1 + column, NAMED[0]]

  def one(design_NxQ, neuron):
    logits = lambda z_Nx1: network.readout(
      read, jnp.maximum(read.pre_NxF.at[:, neuron].set(z_Nx1[:, 0]), 0)
    )
    z_Nx1 = read.pre_NxF[:, neuron][:, None]
    return network.fit_scores(design_NxQ, z_Nx1, member, logits)

  designs = [
    ("top_neuron", design_NxQ),
    ("busiest_neuron", design_NxQ),
    ("busiest_additive", fourier.additive_design(digits)),
  ]
  fitted = network.score_all(one, designs, [top, busiest, busiest])
  return {"fits": fitted, "value": value}


# --- copies ---------------------------------------------------------------------------------------

ALIKE, SIZEABLE = 0.99, 5  # cosine of copies; neurons of a sizeable block
UNITS = 32  # merged units at most
KEPT = 20  # blocks whose sizes are kept
SAME = 0.99  # share of predictions that a merged network must repeat


class Merged(NamedTuple):
  """Functions of a network of the first 1, 2, ... R merged units."""

  accuracy_R: jnp.ndarray
  nll_R: jnp.ndarray
  same_R: jnp.ndarray


def copies(read: network.Network, params, member, r_F, weight_F) -> dict:
  """Returns a member's blocks by contribution, and what they can do (A62)."""
  up_DxF = params["blocks"]["mlp"]["up"]["kernel"][0]
  blocks = slots.copies(up_DxF, weight_F, ALIKE)
  found = merged(read, up_DxF, blocks.rank_F, weight_F, member.label_N)
  kept = min(KEPT, len(weight_F))
  by_size_F = jnp.sort(blocks.size_F, descending=True)
  largest = blocks.rank_F == jnp.argmax(blocks.size_F)
  enough = found.same_R >= SAME
  value = {
    "largest_block_r": jnp.sum(jnp.where(largest, jnp.abs(r_F), 0)) / jnp.sum(largest),
    "blocks": jnp.sum(blocks.size_F >= SIZEABLE),
    **{f"size_{rank}": by_size_F[rank] for rank in range(SIZED)},
    "lonely": jnp.sum(blocks.size_F == 1),
    **_readout_cosines(read.readout_VxF, blocks),
    "effective_neurons": slots.effective_number(weight_F),
    "effective_blocks": slots.effective_number(blocks.weight_F),
    "units_needed": jnp.where(enough.any(), jnp.argmax(enough) + 1, len(enough) + 1),
    "merged_accuracy": found.accuracy_R[-1],
    "merged_nll": found.nll_R[-1],
  }
  return {
    "rank": blocks.rank_F,
    "size": by_size_F[:kept],
    "share": blocks.weight_F[:kept] / blocks.weight_F.sum(),
    "merged": found._asdict(),
    "value": value,
  }


def _readout_cosines(readout_VxF, blocks) -> dict:
  """Cosines of W_L columns, of every two neurons of a sizeable block."""
  cosine_FxF = slots.cosines(readout_VxF)
  count = len(cosine_FxF)
  same_FxF = blocks.rank_F[:, None] == blocks.rank_F[None]
  large_F = blocks.size_F[blocks.rank_F] >= SIZEABLE
  pair_FxF = same_FxF & large_F[:, None] & ~jnp.eye(count, dtype=bool)
  least = jnp.min(cosine_FxF, where=pair_FxF, initial=jnp.inf)
  return {
    "readout_cosine_min": jnp.where(pair_FxF.any(), least, jnp.nan),
    "readout_cosine_alike": jnp.mean(cosine_FxF > ALIKE, where=pair_FxF),
  }


def merged(read: network.Network, up_DxF, rank_F, weight_F, label_N, units: int = UNITS) -> Merged:
  """Returns what the first 1, 2, ... blocks do, each as one ReLU unit.

  A unit looks along the mean of its neurons' columns of W_in (and has that of
  their biases), weighted by `weight_F`; its readout is the sum of theirs, each
  times the length of its column of W_in. The direct path stays. `same_R` is the
  share of inputs with the network's own prediction.
  """
  units = min(units, len(rank_F))
  of_FxR = rank_F[:, None] == jnp.arange(units)[None]
  of_FxR = of_FxR.astype(jnp.float32)
  length_F = jnp.linalg.norm(up_DxF, axis=0)
  # A block that never acts looks nowhere.
  mean_FxR = of_FxR * weight_F[:, None]
  norm_R = jnp.linalg.norm(network.exact(up_DxF, mean_FxR), axis=0)
  mean_FxR = mean_FxR / jnp.where(norm_R > 0, norm_R, 1)[None]
  readout_VxR = network.exact(read.readout_VxF * length_F[None], of_FxR)
  # Of z, which has the biases too.
  post_NxR = jnp.maximum(network.exact(read.pre_NxF, mean_FxR), 0)
  fixed_NxV = network.direct(read) + read.bias_V[None]
  part_NxRxV = post_NxR[:, :, None] * readout_VxR.T[None]
  logit_RxNxV = fixed_NxV[None] + part_NxRxV.cumsum(1).swapaxes(0, 1)
  guess_RxN = jnp.argmax(logit_RxNxV, axis=-1)
  own_N = jnp.argmax(read.logit_NxV, axis=-1)
  return Merged(
    accuracy_R=jnp.mean(guess_RxN == label_N[None], axis=1),
    nll_R=jax.vmap(network.nll, (0, None))(logit_RxNxV, label_N),
    same_R=jnp.mean(guess_RxN == own_N[None], axis=1),
  )


# --- the result -----------------------------------------------------------------------------------


def of_member(model, params, member, token_Nx3) -> dict:
  """Returns all of one member."""
  read = network.read(model, params, token_Nx3)
  single = sum_correlations(read, member, token_Nx3)
  block = copies(read, params, member, single["r"], single["contribution"])
  fitted = component_fits(read, member, single["top"][0], single["busiest"])
  return {
    **single,
    **block,
    **fitted,
    "value": single["value"] | block["value"] | fitted["value"],
    "pre": read.pre_NxF,
    "post": read.post_NxF,
    "readout": read.readout_VxF,
  }


def measure(run) -> xr.Dataset:
  """Returns the neurons of every network, trained and untrained.

  `pre`, `post`, `readout` and `feature_r` are those of the network that is drawn: the source's own,
  else the first.
  """
  found, fresh = network.beside(of_member, run)
  at = program.drawn(run.experiment)
  token_Nx3, digits = np.asarray(run.pairs.token_Nx3), run.pairs.digits
  by_pair = lambda name: found[name][at].reshape(digits, digits, -1)
  both = lambda get: np.stack([get(found), get(fresh)])
  one, every = results.variable, "network seed"
  embedding_PxD = np.asarray(run.params_S["embedding"]["embedding"])[at, :-1]
  feature_r = feature_correlations(embedding_PxD, found["post"][at])
  said = "sum of |column of W_L| x mean h"
  variables = {
    **numbers_lib.stored(found["value"], fresh["value"]),
    **network.fits(FITS, found["fits"], fresh["fits"]),
    "r": one(f"{every} neuron", both(lambda its: its["r"]), "correlation of h with a + b"),
    "feature_r": one("feature neuron", feature_r, "correlation of h with a function of one digit"),
    "contribution": one(
      "seed neuron", found["contribution"], "|column of W_L| x mean h of a neuron", "logits"
    ),
    "top": one("seed place", found["top"], "neurons with the largest |r|"),
    "busiest": one("seed", found["busiest"], "neuron that contributes most"),
    "block": one("seed neuron", found["rank"], "block of a neuron, 0 contributes most"),
    "block_size": one("seed by_size", found["size"], "neurons of a block"),
    "block_share": one("seed by_contribution", found["share"], f"a block's share of the {said}"),
    "merged_accuracy": one(
      "seed units", found["merged"]["accuracy_R"], "accuracy of merged units, all pairs"
    ),
    "merged_same": one(
      f"{every} units",
      both(lambda its: its["merged"]["same_R"]),
      "share of predictions that merged units repeat",
    ),
    "merged_nll": one("seed units", found["merged"]["nll_R"], "loss of merged units", "nats"),
    "row_statistics": one(
      "seed logit statistic", found["row_statistics"], "of a row of W_L, most correlated neurons"
    ),
    "pre": one("a b neuron", by_pair("pre"), "z"),
    "post": one("a b neuron", by_pair("post"), "h"),
    "readout": one("logit neuron", found["readout"][at], "weight of W_L"),
  }
  counted = lambda dim, name, first=0: first + np.arange(variables[name].sizes[dim])
  coords = {
    "neuron": one("neuron", counted("neuron", "r"), "neuron"),
    "logit": one("logit", counted("logit", "readout"), "logit"),
    "feature": list(FEATURES),
    "a": one("a", token_Nx3[::digits, 0], "a"),
    "b": one("b", token_Nx3[:digits, 1], "b"),
    "place": one("place", counted("place", "top", 1), "place by |r|"),
    "by_size": one("by_size", counted("by_size", "block_size", 1), "block, by size"),
    "by_contribution": one(
      "by_contribution", counted("by_contribution", "block_share", 1), "block, by contribution"
    ),
    "units": one("units", counted("units", "merged_nll", 1), "merged units kept"),
    "statistic": list(ROW_STATISTICS),
  }
  return program.dataset(run, variables, coords)


numbers = numbers_lib.of  # by the keys of published.csv


# --- figures and tables ---------------------------------------------------------------------------

BINS = 50  # of the histogram of correlations
SHOWN = 12  # blocks by size; of merged units four more
ROW = 5  # the row of W_L drawn
# Numbers drawn for all runs: what they are, and their unit.
SHARED = {
  "above_90": ("Neurons with r above 0.9", "neurons"),
  "effective_blocks": (
    "Effective number of blocks, (sum c)² / sum c² of their contributions c",
    "blocks",
  ),
  "units_needed": (
    f"Merged units that repeat {SAME:.0%} of the predictions",
    f"units; {UNITS + 1}: more than {UNITS}",
  ),
}


def figures(runs) -> dict:
  """Returns two pages for each run of the source's setting and, of several runs, one of all.

  The second one of a run has what neurons correlate with, and what they and their blocks give.
  """
  pages = {run: _page(run, found) for run, found in program.main(runs).items()}
  pages |= {f"{run}, correlations": _ranks(run, found) for run, found in program.main(runs).items()}
  if len(runs) < 2:
    return pages
  return {"all runs": program.compared(runs, SHARED)} | pages


def _page(run: str, found: xr.Dataset) -> draw.Page:
  return draw.page(
    (_correlations(run, found), _activations(found), _readout(found)),
    _maps(found, "post"),
    _maps(found, "pre"),
    (_sizes(found), _merged(found), _row(found)),
    heights=[3.2, 2.2, 2.2, 3.2],
  )


def _ranks(run: str, found: xr.Dataset) -> draw.Page:
  its = found.isel(seed=program.shown(found)).sel(network="trained")
  seed = f"{run}, seed {its['seed'].item()}"
  title = f"{seed}: correlation of each neuron's h with digits and their components"
  look = {"written": None, "centred": True, "limits": (-1, 1), "title": title}
  look |= {"unit": "correlation", "ylabel": "h with …"}
  columns, first = _few_neurons(found.sizes["neuron"]), found["seed"].values[0]
  scatter = draw.scatter(
    its,
    x="r",
    y="contribution",
    title=f"What each neuron contributes\n(seed {its['seed'].item()})",
    ylabel="|column of W_L| x mean h (logits)",
    yscale="symlog",
  )
  return draw.page(
    draw.together(
      draw.heat(_by_r(found), "feature_r", rows="feature", columns="neuron", **look), columns
    ),
    (
      draw.histogram(
        found.sel(network="trained"),
        "r",
        each="seed",
        bins=BINS,
        ylabel="neurons",
        title=f"Correlations with a + b\n(a line for each network, seed {first} thick)",
      ),
      scatter,
    ),
    (_block_shares(found), _merged_accuracy(found), _merged_loss(found)),
    heights=[2.6, 3.0, 3.0],
  )


def _block_shares(found: xr.Dataset) -> draw.Panel:
  its = found[["block_share"]].isel(by_contribution=slice(SHOWN))
  text = {"title": "Blocks by contribution", "ylabel": "share of all contributions"}
  return draw.curves(its, "block_share", x="by_contribution", **_over_networks(), **text)


def _merged_accuracy(found: xr.Dataset) -> draw.Panel:
  its = found[["merged_accuracy"]].isel(units=slice(SHOWN + 4))
  text = {"title": "Each block as one unit", "ylabel": "accuracy, all pairs", "ylim": (-0.03, 1.05)}
  return draw.curves(its, "merged_accuracy", x="units", **_over_networks(), **text)


def _merged_loss(found: xr.Dataset) -> draw.Panel:
  its = found[["merged_nll"]].isel(units=slice(SHOWN + 4))
  text = {"title": "… and its loss", "ylabel": "loss, all pairs (nats)", "yscale": "log"}
  return draw.curves(its, "merged_nll", x="units", zero=False, **_over_networks(), **text)


def _over_networks() -> dict[str, Any]:
  return {"thin": "seed", "names": {None: "median of the networks"}}


def _by_r(found: xr.Dataset) -> xr.Dataset:
  """Returns the network that is drawn, its neurons by rising correlation."""
  its = found.isel(seed=program.shown(found)).sel(network="trained")
  order_F = np.argsort(its["r"].values, kind="stable")
  place = results.variable("neuron", np.arange(len(order_F)), "neuron, by rising r")
  return its.isel(neuron=order_F).assign_coords(neuron=place)


def _correlations(run: str, found: xr.Dataset) -> draw.Panel:
  r = np.sort(found["r"].values, axis=-1)
  its = found[["r"]].assign(r=(found["r"].dims, r, found["r"].attrs))
  look = {"ylim": (-1.03, 1.03), "xlabel": "neuron, sorted by r", "style": {"marker": ""}}
  threshold: dict[str, Any] = {"color": draw.ORANGE, "lw": 0.8}
  return draw.together(
    draw.level(0.9, "|r| = 0.9", **threshold),
    draw.level(-0.9, **threshold),
    draw.curves(
      its, "r", x="neuron", colour="network", thin="seed", title=f"{run}:\nr of all neurons", **look
    ),
  )


def _activations(found: xr.Dataset) -> draw.Panel:
  """Inputs by sum, neurons by r; the scale ends at the 98th percentile."""
  its = _by_r(found)
  total_N = np.add.outer(its["a"].values, its["b"].values).ravel()
  row_N = np.argsort(total_N, kind="stable")
  post_NxF = its["post"].values.reshape(len(total_N), -1)[row_N]
  high = max(np.percentile(post_NxF, 98), 1e-6)
  drawn = results.dataset(
    {"post": results.variable("input neuron", post_NxF, "h")},
    {
      "input": results.variable("input", total_N[row_N], "a + b of the input"),
      "neuron": its["neuron"],
    },
  )
  value_V, first_V = np.unique(total_N[row_N], return_index=True)
  step = max(1, len(value_V) // 6)

  def sums(axes):
    axes.set_yticks(first_V[::step], value_V[::step])

  look = {"written": None, "limits": (0, high), "title": "Activations h,\nto the 98th percentile"}
  look |= {"unit": "h"}
  heat = draw.heat(drawn, "post", rows="input", columns="neuron", **look)
  return draw.together(heat, sums, _few_neurons(its.sizes["neuron"]))


def _few_neurons(count: int) -> draw.Panel:
  """Returns what leaves four numbers of neurons below a map."""

  def ticks(axes):
    at = np.arange(0, count, max(1, count // 4))
    axes.set_xticks(at, at)
    for image in axes.images:
      image.set_interpolation("nearest")  # rows are few: they would run into each other

  return ticks


def _readout(found: xr.Dataset) -> draw.Panel:
  its = _by_r(found)
  high = max(np.percentile(np.abs(its["readout"].values), 98), 1e-6)
  look = {"written": None, "centred": True, "limits": (-high, high), "unit": "weight"}
  title = "Weights to the logits, W_L,\nto the 98th percentile"
  heat = draw.heat(its, "readout", rows="logit", columns="neuron", title=title, **look)
  return draw.together(heat, _few_neurons(its.sizes["neuron"]))


def _maps(found: xr.Dataset, name: str) -> tuple[draw.Panel, ...]:
  """Returns h (from 0) or z (centred at 0) of the most correlated and the busiest neuron."""
  its = found.isel(seed=program.shown(found)).sel(network="trained")
  panels = []
  for place, neuron in enumerate([*its["top"].values.tolist(), its["busiest"].item()]):
    one = its.sel(neuron=neuron)
    look = {"title": f"z of neuron {neuron}", "centred": True, "unit": "z"}
    if name == "post":
      words = f"no. {one['place'].values[place]} by |r|" if place < TOP else "contributes most"
      title = f"h of {neuron}: r = {one['r'].item():.2f},\n{words}"
      high = max(float(one[name].max()), 1e-12)
      look = {"title": title, "limits": (0, high), "unit": "h"}
    panels.append(draw.heat(one, name, rows="a", columns="b", written=None, **look))
  return tuple(panels)


def _sizes(found: xr.Dataset) -> draw.Panel:
  its = found[["block_size"]].isel(by_size=slice(SHOWN))
  its = its.where(its["block_size"] > 0)
  look = {"thin": "seed", "names": {None: "trained"}, "zero": False, "yscale": "log"}
  title = f"Blocks of copies\n(cosine > {ALIKE})"
  return draw.curves(its, "block_size", x="by_size", title=title, **look)


def _merged(found: xr.Dataset) -> draw.Panel:
  its = found[["merged_same"]].isel(units=slice(SHOWN + 4))
  look = {"thin": "seed", "ylim": (-0.03, 1.05)}
  look |= {"title": "Each block as one unit", "ylabel": "share of predictions repeated"}
  return draw.curves(its, "merged_same", x="units", colour="network", **look)


def row_weights(found: xr.Dataset) -> xr.Dataset:
  """Returns the weights of one logit from the neurons most correlated with a + b (A28)."""
  its = found.isel(seed=program.shown(found)).sel(network="trained")
  ranked_F = np.argsort(-np.abs(its["r"].values), kind="stable")[:RANKED]
  row = min(ROW, found.sizes["logit"] - 1)
  return its[["readout"]].isel(neuron=ranked_F, logit=row)


def _row(found: xr.Dataset) -> draw.Panel:
  its = row_weights(found)
  text = {
    "title": f"Weights W_L to logit {its['logit'].item()}",
    "xlabel": "weight",
    "ylabel": f"neurons, the {its.sizes['neuron']} with most |r|",
  }
  return draw.histogram(its, "readout", bins=25, **text)


def tables(runs) -> list[tables_lib.Table]:
  """Returns the fits, and statistics of the readout's rows, of runs of the source's setting."""
  main = program.main(runs)
  said = ", ".join(f"{name}: {words}" for name, words in ROW_STATISTICS.items())
  rows = tables_lib.Table(
    f"Rows of W_L, of the {RANKED} neurons most correlated with the sum, of the network that is"
    f" drawn; {said}.",
    tables_lib.by_run(main, logit_rows),
    name="rows",
  )
  ranked = tables_lib.Table(
    f"The {RANKED} neurons most correlated with the sum, of the network that is drawn: correlations"
    " of h on all pairs, what a neuron contributes to the logits, and its block of copies (0"
    " contributes most).",
    tables_lib.by_run(main, neuron_rows),
    name="ranked",
  )
  return [network.fit_table(main), rows, ranked]


def neuron_rows(found: xr.Dataset) -> list[dict]:
  """Returns a record for each of the neurons most correlated with a + b (A11)."""
  its = found.isel(seed=program.shown(found)).sel(network="trained")
  order_F = np.argsort(-np.abs(its["r"].values), kind="stable")[:RANKED]
  rows = []
  for place, neuron in enumerate(order_F.tolist(), start=1):
    one = its.isel(neuron=neuron)
    row = {"place": place, "neuron": neuron, "r with a + b": float(one["r"])}
    for feature in found["feature"].values.tolist():
      row[f"with {feature}"] = float(one["feature_r"].sel(feature=feature))
    row |= {"contribution": float(one["contribution"]), "block": int(one["block"])}
    rows.append(row)
  return rows


def logit_rows(found: xr.Dataset) -> list[dict]:
  """Returns a record per row of W_L (A28); the source covered the first half."""
  its = found["row_statistics"].isel(seed=program.shown(found))
  return [
    {"logit": k} | dict(zip(ROW_STATISTICS, map(float, row), strict=True))
    for k, row in enumerate(its.values)
  ]


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()


@CLAIMS.add(
  "neurons.correlated",
  f"More than {CLAIMED} neurons follow the sum with r above 0.9.",
  reported=f"> {CLAIMED} of 512",
  source=f"{program.PLAIN_SOURCE} (A11)",
)
def correlated(results):
  """Returns the verdict on a count at a threshold."""
  found = program.first(results, "neurons")
  count, units = program.numbers(found, "above_90", "effective_blocks")
  holds_S = count.value_S > CLAIMED
  because = (
    f"more than {CLAIMED} neurons are wanted; the number with r, the correlation with a + b, above"
    f" 0.9 is {count}. Neurons come in blocks of copies, and a block just above or below the"
    " threshold moves the count by its size; weighted by what blocks contribute to the logits, the"
    f" network has an effective number of {units} blocks"
  )
  return program.by_members(holds_S, because, program.behind(count=count, units=units))
