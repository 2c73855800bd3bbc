"""Do heads copy the operands to the last character, and does the answer need it?

The published reading sorts the attention of the last character's query by what the characters
belong to: x, y, the plus, the modulus, all others. Attention on both operands is called copying.
But attention on classes of characters is a description. Beside it stand uniform attention, which a
class of many characters gets a large share of, and untrained networks. What a head does is asked of
the answer: what the loss becomes where the head says its mean, everywhere or at the last character
alone; and how far its output of another row moves the answer to that row's, by all paths or by the
direct one. By the direct path later heads say what they said before (docs/sources/text.md, sections
4.7, 5.6 and 6).
"""

import functools
from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import ablation, statistics, sweeps
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.models import encoder, tokens
from primelens.studies.text import program, states
from primelens.tasks import characters

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)
PUBLISHED_ROWS = 1000  # of select
PROMPTS = 3  # whose attention is shown, as published

# --- what a head reads ----------------------------------------------------------------------------

CLASSES = characters.CLASSES
_HEAD, _PATTERN = ("attention/head",), ("attention/pattern",)


def with_classes(token_NxT) -> np.ndarray:
  """Returns tokens and their classes together, NxTx2, as `reads` takes them."""
  return np.stack([token_NxT, characters.classes(token_NxT)], -1)


def reads(model: encoder.Config, params, both_BxTx2) -> dict:
  """Returns what the heads attend to in every row.

  `mass` at the last character: the attention on every class, BxLxHxV, and its
  `entropy` over positions in nats, BxLxH; `sweep`: the same masses at every
  query, mean over heads, BxLxTxV (of no meaning at padding).
  """
  token_BxT, class_BxT = both_BxTx2[..., 0], both_BxTx2[..., 1]
  _, record = encoder.states(model, params, token_BxT, sites=_PATTERN)
  pattern_LxBxHxTxT = record["attention/pattern"]
  kind_BxTxV = jax.nn.one_hot(class_BxT, len(characters.CLASSES))
  mass_BxLxHxTxV = jnp.einsum(
    "lbhqk,bkv->blhqv", pattern_LxBxHxTxT, kind_BxTxV, precision=jax.lax.Precision.HIGHEST
  )
  last_B = last(token_BxT).argmax(1)
  read_BxLxHxT = jnp.moveaxis(pattern_LxBxHxTxT, 1, 0)[jnp.arange(len(last_B)), :, :, last_B]
  log_BxLxHxT = jnp.log(jnp.where(read_BxLxHxT > 0, read_BxLxHxT, 1))
  return {
    "mass": mass_BxLxHxTxV[jnp.arange(len(last_B)), :, :, last_B],
    "entropy": -jnp.sum(read_BxLxHxT * log_BxLxHxT, -1),
    "sweep": mass_BxLxHxTxV.mean(2),
  }


def pattern(model: encoder.Config, params, token_BxT) -> jax.Array:
  """Returns the attention of every head, BxLxHxTxT."""
  _, record = encoder.states(model, params, token_BxT, sites=_PATTERN)
  return jnp.moveaxis(record["attention/pattern"], 1, 0)


def last(token_BxT) -> jax.Array:
  """Returns where the last character is, BxT bool."""
  length_B = jnp.sum(encoder.keep(token_BxT), axis=1)
  at_T = jnp.arange(token_BxT.shape[1])
  return at_T[None] == length_B[:, None] - 1


def reading(run, token_NxT, params_S) -> dict[str, np.ndarray]:
  """Returns what the heads of networks read, means over the rows.

  As published is over the first thousand; the sweep by position is of the rows
  that have it, for all of them.
  """
  found = states.over_members(reads, run, with_classes(token_NxT), params_S)
  found = {name: np.asarray(x, np.float64) for name, x in found.items()}
  few = slice(PUBLISHED_ROWS)
  sweep_SxNxTxLxV = np.moveaxis(found["sweep"], 3, 2)
  place_T = np.arange(token_NxT.shape[1])
  last_N = characters.lengths(token_NxT) - 1
  place_NxT = np.where(place_T <= last_N[:, None], place_T, -1)
  return {
    "mass": found["mass"].mean(1),
    "entropy": found["entropy"].mean(1),
    "mass_as_published": found["mass"][:, few].mean(1),
    "entropy_as_published": found["entropy"][:, few].mean(1),
    "sweep": _where(sweep_SxNxTxLxV, characters.roles(token_NxT)),
    "sweep_as_published": _where(sweep_SxNxTxLxV, place_NxT),
  }


def _where(value_SxNxTxLxV, place_NxE) -> np.ndarray:
  """Returns the mean at given places over the rows that have them, SxLxExV;
  NaN where none has (-1)."""
  row_Nx1 = np.arange(len(place_NxE))[:, None]
  there_NxE = place_NxE >= 0
  value = value_SxNxTxLxV[:, row_Nx1, np.maximum(place_NxE, 0)]
  total_SxExLxV = np.einsum("snelv,ne->selv", value, there_NxE.astype(float))
  count_Ex1x1 = there_NxE.sum(0)[:, None, None]
  mean_SxExLxV = np.where(count_Ex1x1, total_SxExLxV / np.maximum(count_Ex1x1, 1), np.nan)
  return np.moveaxis(mean_SxExLxV, 1, 2)


def uniform(token_NxT) -> tuple[np.ndarray, float]:
  """Returns the masses V and the entropy of uniform attention."""
  class_NxT = characters.classes(token_NxT)
  length_N = characters.lengths(token_NxT)
  share_V = [np.mean((class_NxT == v).sum(1) / length_N) for v in range(len(CLASSES))]
  return np.array(share_V), float(np.log(length_N).mean())


def scores(mass_V, entropy) -> dict[str, np.ndarray]:
  """Returns the scores of mean masses ...xV, each without the V.

  copy = x + y, balance = |x - y|, class_entropy = -sum p ln p of the masses
  over their sum: of the mean, which is not the attention's own (entropy).
  """
  mass_V = np.asarray(mass_V, np.float64)
  p_V = mass_V / mass_V.sum(-1, keepdims=True)
  found = {name: mass_V[..., v] for v, name in enumerate(CLASSES)}
  return found | {
    "copy": found["x"] + found["y"],
    "balance": np.abs(found["x"] - found["y"]),
    "class_entropy": -np.sum(p_V * np.log(np.where(p_V > 0, p_V, 1)), -1),
    "entropy": np.asarray(entropy),
  }


# --- what a head's output does --------------------------------------------------------------------

ROWS = 250  # in one forward pass of a score
PATCHED = 500  # rows that get a donor's output; of untrained networks
EVERYWHERE, LAST = 0, 1  # where a head's output is replaced


def said(model: encoder.Config, params, token_BxT) -> dict:
  """Returns the heads' outputs at the last character, and their sum over all
  characters, BxLxHxDh each."""
  _, record = encoder.states(model, params, token_BxT, sites=_HEAD)
  head_BxLxTxHxDh = jnp.moveaxis(record["attention/head"], 1, 0)
  pick = lambda at_BxT: jnp.einsum(
    "blthd,bt->blhd",
    head_BxLxTxHxDh,
    at_BxT.astype(jnp.float32),
    precision=jax.lax.Precision.HIGHEST,
  )
  return {"last": pick(last(token_BxT)), "sum": pick(encoder.keep(token_BxT))}


def removals(layers: int, heads: int) -> dict[str, np.ndarray]:
  """Returns all removals, stacked along R: none, then every head everywhere,
  then every head at the last character alone."""
  each_RxLxH = ablation.each_head(layers, heads)
  none_1xLxH = np.ones((1, layers, heads), np.float32)
  at_R = np.repeat([EVERYWHERE, EVERYWHERE, LAST], [1, *2 * [layers * heads]])
  return {
    "keep_LxH": np.concatenate([none_1xLxH, each_RxLxH, each_RxLxH]),
    "at": at_R.astype(np.int32),
  }


@functools.cache
def loss_without(apply):
  """Returns `f(bundle, removal, token_NxT, target_N) -> loss`, the mean over
  rows with one head's output replaced by its mean.

  A bundle has the params and the `mean_PxLxHxDh` of every head's outputs,
  EVERYWHERE over all characters, LAST over the last ones.
  """

  def score(bundle, removal, token_NxT, target_N):
    def one(row):
      token_1xT = row["token_T"][None]
      edit = _replaced(removal, bundle["mean_PxLxHxDh"], token_1xT)
      output_1xV, _ = apply(bundle["params"], token_1xT, edits={"attention/head": edit})
      return losses(output_1xV, row["target"][None])[0]

    rows = {"token_T": token_NxT, "target": target_N}
    return jax.lax.map(one, rows, batch_size=ROWS).mean()

  return score


def losses(output_BxV, target_B) -> jax.Array:
  """Returns every row's squared error, or its NLL in nats."""
  if output_BxV.shape[-1] == 1:
    return (output_BxV[:, 0] - target_B) ** 2
  return tokens.margin_nll(output_BxV, target_B)


def _replaced(removal: Mapping, mean_PxLxHxDh, token_BxT):
  """Returns the edit that puts the mean in the place of a head's output."""
  fill = ablation.mean_heads(removal["keep_LxH"], mean_PxLxHxDh[removal["at"]])
  inside_BxT = last(token_BxT) | (removal["at"] == EVERYWHERE)

  def edit(x_BxTxHxDh, layer):
    filled = fill(x_BxTxHxDh, layer)
    return jnp.where(inside_BxT[..., None, None], filled, x_BxTxHxDh)

  return edit


def paths(layers: int, heads: int) -> dict[str, np.ndarray]:
  """Returns the patches, stacked along R: every head by all its paths, then
  every head but the last layer's, which have no other, by its direct one."""
  each_RxLxH = 1 - ablation.each_head(layers, heads)
  earlier = (layers - 1) * heads
  direct_R = np.repeat([0.0, 1.0], [layers * heads, earlier])
  return {
    "patch_LxH": np.concatenate([each_RxLxH, each_RxLxH[:earlier]]),
    "direct": direct_R.astype(np.float32),
  }


@functools.cache
def moved(apply):
  """Returns `f(params, patch, token_BxT) -> share` of the way from the rows'
  answers to their donors', the next rows.

  One head's output at the last character is that of the donor's. By its
  direct path the later heads, at every character, say what they said before,
  so that it goes through the residual stream and the MLPs alone. With c, d, p
  the outputs of row, donor and patched row (class scores about their mean):
  sum (p - c)(d - c) / sum (d - c)^2.
  """

  def score(params, patch, token_BxT):
    clean_BxV, record = apply(params, token_BxT, sites=_HEAD)
    edit = _patched(patch, record["attention/head"], last(token_BxT))
    found_BxV, _ = apply(params, token_BxT, edits={"attention/head": edit})
    way_BxV = _about(jnp.roll(clean_BxV, -1, axis=0) - clean_BxV)
    done_BxV = _about(found_BxV - clean_BxV)
    return jnp.sum(done_BxV * way_BxV) / jnp.sum(way_BxV**2)

  return score


def _about(score_BxV):
  """Returns class scores about their mean, which means nothing; a single
  output as it is."""
  if score_BxV.shape[-1] == 1:
    return score_BxV
  return score_BxV - score_BxV.mean(-1, keepdims=True)


def _patched(patch, clean_LxBxTxHxDh, last_BxT):
  """Returns the edit that brings one head's last output from the next row."""
  said_LxBxHxDh = jnp.einsum(
    "lbthd,bt->lbhd",
    clean_LxBxTxHxDh,
    last_BxT.astype(jnp.float32),
    precision=jax.lax.Precision.HIGHEST,
  )
  donor_LxBxHxDh = jnp.roll(said_LxBxHxDh, -1, axis=1)
  layer_of = jnp.argmax(patch["patch_LxH"].max(1))

  def edit(x_BxTxHxDh, layer):
    head_H = patch["patch_LxH"][layer] > 0
    x_BxTxHxDh = jnp.where(
      last_BxT[..., None, None] & head_H[None, None, :, None],
      donor_LxBxHxDh[layer][:, None],
      x_BxTxHxDh,
    )
    still = (patch["direct"] > 0) & (layer > layer_of)
    return jnp.where(still, clean_LxBxTxHxDh[layer], x_BxTxHxDh)

  return edit


def causal(run, row_N, params_S) -> dict[str, np.ndarray]:
  """Returns the loss and its changes where a head says its mean, and how far
  a donor's output moves the answer.

  `intact` S, `delta` and `path` PxSxLxH; losses in raw units or nats.
  """
  trunk, task = run.experiment.model.trunk, run.experiment.task
  grid = (trunk.layers, trunk.heads)
  token_NxT = run.prompts.token_NxT[row_N]
  target_N = program.targets(run.experiment.model, run.prompts)[row_N]
  bundle_S = {"params": params_S, "mean_PxLxHxDh": means(run, row_N, params_S)}
  loss = loss_without(run.apply)
  rows = (token_NxT, target_N)
  loss_SxR = _over(loss, bundle_S, removals(*grid), *rows)
  if run.regression:
    loss_SxR = loss_SxR * task.scale**2
  path_SxR = _over(moved(run.apply), params_S, paths(*grid), token_NxT[:PATCHED])
  every = trunk.layers * trunk.heads
  # The last layer's only path is the direct one.
  direct_SxR = np.concatenate(
    [path_SxR[:, every:], path_SxR[:, every - trunk.heads : every]], axis=1
  )
  delta_SxR = loss_SxR[:, 1:] - loss_SxR[:, :1]
  shape = lambda value_SxR: value_SxR.reshape(-1, *grid)
  return {
    "intact": loss_SxR[:, 0],
    "delta": np.stack([shape(delta_SxR[:, :every]), shape(delta_SxR[:, every:])]),
    "path": np.stack([shape(path_SxR[:, :every]), shape(direct_SxR)]),
  }


def _over(score, networks_S, cells_R, *data) -> np.ndarray:
  """Returns a score of every network and cell, one at a time, SxR."""
  found = sweeps.over(
    score,
    networks_S,
    cells_R,
    data=data,
    batch_size=1,
  )
  return np.asarray(found, np.float64)


def means(run, row_N, params_S) -> np.ndarray:
  """Returns the heads' mean outputs SxPxLxHxDh: over all characters, and over
  the last ones (P: everywhere, last)."""
  token_NxT = run.prompts.token_NxT[row_N]
  found = states.over_members(said, run, token_NxT, params_S)
  count = characters.lengths(token_NxT).sum()
  everywhere = found["sum"].sum(1, dtype=np.float64) / count
  last = found["last"].mean(1, dtype=np.float64)
  return np.stack([everywhere, last], 1).astype(np.float32)


def _constant(run, row_N) -> float:
  """Returns the loss of a constant answer."""
  text = run.prompts
  train_N, truth_N = text.answer_N[text.train_N], text.answer_N[row_N]
  if run.regression:
    return float(np.mean((truth_N - train_N.mean()) ** 2))
  blank_1xNxV = np.zeros((1, len(truth_N), run.experiment.model.outputs))
  found = states.classes(blank_1xNxV, truth_N, train_N)
  return float(found["constant_N"].mean())


# --- the result -----------------------------------------------------------------------------------

WAYS = ("everywhere", "last")  # where a head says its mean
PATHS = ("all", "direct")  # by which a donor's output gets to the answer
SCORES = {
  **{name: f"attention on {name}" for name in CLASSES},
  "copy": "attention on the operands",
  "balance": "difference of the attention on x and y",
  "class_entropy": "entropy of the classes [nats]",
  "entropy": "entropy over positions [nats]",
}
WORTH = {
  "delta_everywhere": "change of the loss, a head at its mean everywhere",
  "delta_last": "change of the loss, a head at its mean at the last character",
  "path_all": "share of the way to the donor's answer, all paths",
  "path_direct": "share of the way to the donor's answer, direct path",
}


def _columns_of(names: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
  """Returns the columns of scores with their meanings: the median over seeds, then `more`."""
  found = {}
  for name, said in names.items():
    words, bracket, unit = said.partition(" [")
    found[name] = said
    found |= {f"{name}_{key}": f"{words}, {how}{bracket}{unit}" for key, how in more.items()}
  return found


_SPREAD = {"min": "smallest of the seeds", "max": "largest of the seeds"}
_NULLS = {"uniform": "uniform attention", "untrained": "untrained heads of the layer, median"}
HEADS = {
  "layer": "layer",
  "head": "head",
  **_columns_of(SCORES, _SPREAD | _NULLS),
  **_columns_of(WORTH, _SPREAD | {"untrained": _NULLS["untrained"]}),
}
LAYERS = {"layer": "layer", "copy_uniform": "attention on the operands, uniform attention"}
for _name, _words in (("", ""), ("untrained_", ", untrained networks")):
  LAYERS |= {
    f"{_name}copy_min": f"attention on the operands, smallest of all heads{_words}",
    f"{_name}copy_median": f"attention on the operands, median of all heads{_words}",
    f"{_name}copy_max": f"attention on the operands, largest of all heads{_words}",
    f"{_name}above_uniform": f"share of heads that are above uniform attention{_words}",
  }


def measure(run) -> xr.Dataset:
  """Returns what the heads of every network read and are worth, and those of fresh networks.

  Masses are over rows of select, as published over the first thousand. Untrained networks are
  measured on the first 500 rows. The pattern is of the first network, on the first three prompts.
  """
  text, fresh_S = run.prompts, program.untrained_S(run)
  row_N = text.select_N[: states.ROWS]
  token_NxT = text.token_NxT[row_N]
  mine = reading(run, token_NxT, run.params_S)
  theirs = reading(run, token_NxT, fresh_S)
  effect = causal(run, row_N, run.params_S)
  null = causal(run, row_N[:PATCHED], fresh_S)
  uniform_V, uniform_entropy = uniform(token_NxT)
  published_V, published_entropy = uniform(token_NxT[:PUBLISHED_ROWS])
  first = jax.tree.map(lambda leaf: leaf[:1], jax.device_get(run.params_S))
  pattern_BxLxHxTxT = states.over_members(pattern, run, token_NxT[:PROMPTS], first)[0]
  share = scores(mine["mass"], mine["entropy"])
  untrained = scores(theirs["mass"], theirs["entropy"])
  level = scores(uniform_V, uniform_entropy)
  of_heads = _of_heads(share, untrained, level, effect, null)
  of_layers = _of_layers(share["copy"], untrained["copy"], level["copy"])
  by_class, worth = "attention of the last character", "share of the way to the donor's answer"
  unit = "answers²" if run.regression else "nats"
  entropy, change = "entropy of the attention over positions", "change of the loss"
  both = results.with_untrained
  variables = {
    **both("mass", "seed layer head class", mine["mass"], theirs["mass"], by_class),
    "mass_as_published": results.variable(
      "seed layer head class", mine["mass_as_published"], f"{by_class}, as published"
    ),
    "uniform_mass": results.variable("class", uniform_V, "uniform attention"),
    "uniform_mass_as_published": results.variable(
      "class", published_V, "uniform attention, as published"
    ),
    **both("entropy", "seed layer head", mine["entropy"], theirs["entropy"], entropy, "nats"),
    "entropy_as_published": results.variable(
      "seed layer head", mine["entropy_as_published"], f"{entropy}, as published", "nats"
    ),
    "sweep": results.variable(
      "seed layer role class", mine["sweep"], "attention of a role's queries, mean of heads"
    ),
    "sweep_as_published": results.variable(
      "seed layer position class",
      mine["sweep_as_published"],
      "attention of a position's queries, mean of heads",
    ),
    **both("delta", "where seed layer head", effect["delta"], null["delta"], change, unit),
    **both("moved", "route seed layer head", effect["path"], null["path"], worth),
    "intact": results.variable("seed", effect["intact"], "loss", unit),
    "pattern": results.variable("prompt layer head query key", pattern_BxLxHxTxT, "attention"),
    "line": results.variable("prompt", characters.decode(token_NxT[:PROMPTS]), "prompt"),
    **results.rows("heads", of_heads, HEADS),
    **results.rows("layers", of_layers, LAYERS),
  }
  layers, heads = pattern_BxLxHxTxT.shape[1:3]
  position_T = np.arange(token_NxT.shape[1])
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "layer": results.variable("layer", np.arange(layers), "layer"),
    "head": results.variable("head", np.arange(heads), "head"),
    "class": results.variable("class", list(CLASSES), "what a character belongs to"),
    "role": results.variable("role", list(characters.ROLES), "query"),
    "position": results.variable("position", position_T, "position of the query"),
    "query": results.variable("query", position_T, "position of the query"),
    "key": results.variable("key", position_T, "position of the key"),
    "where": results.variable("where", list(WAYS), "where a head says its mean"),
    "route": results.variable("route", list(PATHS), "path of a donor's output"),
  }
  return results.dataset(
    variables,
    coords,
    question=run.experiment.task.question,
    regression=run.regression,
    as_published=program.as_published(run.experiment),
    imported=bool(run.experiment.model.checkpoint),
    constant=_constant(run, row_N),
    uniform_entropy=uniform_entropy,
    uniform_entropy_as_published=published_entropy,
  )


def _of_heads(share, untrained, level, effect, null) -> Iterator[dict]:
  """Yields a record per layer and head: its share of attention by class and
  its scores, beside uniform attention and untrained heads of the layer."""
  for layer, head in np.ndindex(share["copy"].shape[1:]):
    row: dict[str, float] = {"layer": layer, "head": head}
    for name in share:
      row |= _columns(name, share[name][:, layer, head])
      row[f"{name}_uniform"] = float(level[name])
      row[f"{name}_untrained"] = float(np.median(untrained[name][:, layer]))
    for kind, names in (("delta", WAYS), ("path", PATHS)):
      for p, name in enumerate(names):
        value_S = effect[kind][p, :, layer, head]
        row |= _columns(f"{kind}_{name}", value_S, interval=True)
        row[f"{kind}_{name}_untrained"] = float(np.median(null[kind][p, :, layer]))
    yield row


def _columns(name: str, value_S, *, interval: bool = False) -> dict:
  found = {
    name: float(np.median(value_S)),
    f"{name}_min": float(value_S.min()),
    f"{name}_max": float(value_S.max()),
  }
  if interval:
    mean = statistics.seed_interval(value_S)
    found[f"{name}_low"] = float(mean.low)
    found[f"{name}_high"] = float(mean.high)
  return found


def _of_layers(copy_SxLxH, untrained_RxLxH, uniform_copy) -> Iterator[dict]:
  """Yields a record per layer: attention on the operands over all heads and
  networks, since heads have no order, and over untrained ones."""
  for layer in range(copy_SxLxH.shape[1]):
    row = {"layer": layer, "copy_uniform": float(uniform_copy)}
    for name, copy in (("", copy_SxLxH), ("untrained_", untrained_RxLxH)):
      copy = copy[:, layer]
      row |= {
        f"{name}copy_min": float(copy.min()),
        f"{name}copy_median": float(np.median(copy)),
        f"{name}copy_max": float(copy.max()),
        f"{name}above_uniform": float(np.mean(copy > uniform_copy)),
      }
    yield row


def numbers(found) -> dict:
  """Returns the values by seed of the keys in published.csv, of runs as published alone.

  Heads by number are of the imported network: others have another order.
  """
  if not found.as_published or found.question == "valid":
    return {}
  each = scores(found.mass_as_published.values, found.entropy_as_published.values)
  copy_SxH = each["copy"][:, -1]
  values = {"least_copy": copy_SxH.min(1), "most_copy": copy_SxH.max(1)}
  level = scores(found.uniform_mass_as_published.values, found.uniform_entropy_as_published)
  values |= {f"uniform_{name}": np.repeat(value, len(copy_SxH)) for name, value in level.items()}
  if found.imported:
    for name, value_SxLxH in each.items():
      for layer, head in np.ndindex(value_SxLxH.shape[1:]):
        values[f"l{layer}h{head}_{name}"] = value_SxLxH[:, layer, head]
  named = {f"{found.question}_{key}": value for key, value in values.items()}
  return {key: value for key, value in named.items() if key in PUBLISHED}


# --- figures and tables ---------------------------------------------------------------------------

MAPS = 4  # heads side by side whose attention is drawn
WHERE = {"everywhere": "everywhere", "last": "at the last character"}
ROUTES = {"all": "all paths", "direct": "direct path"}
MAPPED = {  # scores of heads, by layer and head: their words
  **{name: f"attention on {name}" for name in CLASSES},
  "copy": "attention on the operands, x + y",
  "balance": "difference of x and y, |x - y|",
  "class_entropy": "entropy of the classes (nats)",
  "entropy": "entropy over positions (nats)",
}


def figures(runs) -> dict:
  """Returns the last layers of all runs on one page, and of each run a page, one of the scores of
  its heads and one of all their attention."""
  pages: dict[str, draw.Page] = {}
  for run, found in runs.items():
    pages |= {
      run: _page(run, found),
      f"{run}, scores of heads": _score_maps(run, found),
      f"{run}, attention": _attention(run, found),
    }
  if len(runs) < 2:
    return pages
  last = {run: _by_head(found).isel(layer=-1) for run, found in runs.items()}
  found = results.across(last, "copy", "untrained_copy", "moved", "untrained_moved").sel(
    route="all"
  )
  panels = (
    draw.strips(
      found,
      "copy",
      y="run",
      null="untrained_copy",
      title="What the last layer's heads read",
      xlim=(0, 1.02),
    ),
    draw.strips(
      found,
      "moved",
      y="run",
      null="untrained_moved",
      title="Each head gives its output of another row",
    ),
  )
  return {"all runs": draw.page(panels, heights=[1.8 + 0.4 * len(runs)])} | pages


def _by_head(found: xr.Dataset) -> xr.Dataset:
  """Returns what heads do, with the attention on the operands and its entropy."""
  copies = {}
  for name in ("", "untrained_"):
    mass = found[f"{name}mass"]
    copy = mass.sel({"class": "x"}, drop=True) + mass.sel({"class": "y"}, drop=True)
    copies[f"{name}copy"] = copy.assign_attrs(long_name="attention on the operands, x + y")
  names = ["delta", "moved", "entropy"]
  names += [f"untrained_{name}" for name in names]
  return found[names].assign(copies)


def _stacked(found: xr.Dataset) -> xr.Dataset:
  """Returns all heads along one dimension."""
  one = found.stack({"which": ("layer", "head")})
  names = [f"L{layer} H{head}" for layer, head in one.which.values]
  return one.drop_vars(["which", "layer", "head"]).assign_coords(which=names)


def _page(run: str, found: xr.Dataset) -> draw.Page:
  each = _stacked(_by_head(found))
  level = float(found.uniform_mass.sel({"class": ["x", "y"]}).sum())
  copy = draw.together(
    draw.level(level, "uniform attention", along="x"),
    draw.strips(
      each,
      "copy",
      y="which",
      null="untrained_copy",
      title="Attention on the operands",
      xlim=(0, 1.02),
    ),
  )
  entropy = draw.together(
    draw.level(found.uniform_entropy, "uniform attention", along="x"),
    draw.strips(each, "entropy", y="which", null="untrained_entropy", title="How far it is spread"),
  )
  zero = draw.level(0, along="x", ls="-")
  delta = draw.strips(
    each.assign_coords({"where": [WHERE[key] for key in found["where"].values]}),
    "delta",
    y="which",
    colour="where",
    title="Each head gives its mean output",
  )
  untrained = each.untrained_moved.sel(route="all", drop=True)
  moved = draw.strips(
    each.assign(untrained_moved=untrained).assign_coords(
      route=[ROUTES[key] for key in found.route.values]
    ),
    "moved",
    y="which",
    colour="route",
    null="untrained_moved",
    title="Each head gives its output of another row",
    xlabel="share of the way to that row's answer",
  )
  height = 1.9 + 0.18 * each.sizes["which"]
  return draw.page(
    _maps(found, 0, -1, f"{run}, last layer"),
    (copy, entropy),
    (draw.together(zero, delta), draw.together(zero, moved)),
    _sweeps(found),
    heights=[2.8, height, height + 0.2, 3.6],
  )


def _maps(found: xr.Dataset, prompt: int, layer: int, named: str) -> tuple[draw.Panel, ...]:
  """Returns the first heads' attention of one layer on one prompt, head by head."""
  line = found.line.values[prompt].item()
  length = len(line)
  names = [character.replace(" ", "·") for character in line]
  its = found[["pattern"]].isel(prompt=prompt, layer=layer, head=slice(MAPS))
  its = its.isel(query=slice(length), key=slice(length)).assign_coords(query=names, key=names)
  panels = []
  for h in range(its.sizes["head"]):
    last = h == its.sizes["head"] - 1
    look = {"written": None, "limits": (0, float(its.pattern.max())), "bar": last}
    text = {"xlabel": "is read", "ylabel": "" if h else f"{named}\nreads"}
    panels.append(
      draw.heat(
        its.isel(head=h), "pattern", rows="query", columns="key", title=f"Head {h}", **look, **text
      )
    )
  return tuple(panels)


def _attention(run: str, found: xr.Dataset) -> draw.Page:
  """Returns the attention of every layer on each prompt, of the first network."""
  rows: list[draw.Panel | tuple[draw.Panel, ...]] = []
  heights = []
  for b, line in enumerate(found.line.values):
    rows.append(draw.heading(f"{run}, first network: attention on the prompt “{line}”"))
    heights.append(0.35)
    for layer in range(found.sizes["layer"]):
      rows.append(_maps(found, b, layer, f"layer {layer}"))
      heights.append(2.5)
  return draw.page(*rows, heights=heights)


def scores_of_first(found: xr.Dataset) -> xr.Dataset:
  """Returns the scores of the first network's heads, and of an untrained network's, layer by head.

  Heads of different networks have no common order: a median over networks would mix them.
  """
  variables: dict[str, xr.Variable] = {}
  for prefix in ("", "untrained_"):
    network = "untrained" if prefix else "seed"
    one = found[[f"{prefix}mass", f"{prefix}entropy"]].isel({network: 0})
    its = scores(one[f"{prefix}mass"].values, one[f"{prefix}entropy"].values)
    variables |= {
      f"{prefix}{name}": results.variable("layer head", value, MAPPED[name])
      for name, value in its.items()
    }
  return results.dataset(variables, {dim: found[dim] for dim in ("layer", "head")})


def _score_maps(run: str, found: xr.Dataset) -> draw.Page:
  """Returns every score by layer and head, of one trained and of one untrained network."""
  its = scores_of_first(found)
  level = scores(found.uniform_mass.values, found.uniform_entropy)
  there = [name for name in MAPPED if float(level[name]) > 0 or name == "balance"]
  title = (
    f"{run}: what the last character's heads read. Left the first network, right an untrained one"
  )
  rows: list[draw.Panel | tuple[draw.Panel, ...]] = [draw.heading(title)]
  for name in there:
    both = its[[name, f"untrained_{name}"]]
    most = max(float(value.max()) for value in both.data_vars.values())
    words = f"{MAPPED[name]} (uniform: {float(level[name]):.2f})"
    look = {"rows": "layer", "columns": "head", "limits": (0, most)}
    rows.append(
      (
        draw.heat(both, name, title=words[:1].upper() + words[1:], **look),
        draw.heat(both, f"untrained_{name}", title="Untrained", ylabel="", **look),
      )
    )
  height = 1.0 + 0.3 * found.sizes["layer"]
  return draw.page(*rows, heights=[0.35] + [height] * (len(rows) - 1))


def _sweeps(found: xr.Dataset) -> tuple[draw.Panel, ...]:
  """Returns the classes read by the queries of every role, layer by layer."""
  mean = found[["sweep"]].mean("seed")
  there = np.isfinite(mean.sweep).all(["layer", "class"])
  mean = mean.isel(role=there.values)
  most = float(mean.sweep.max())
  panels: list[draw.Panel] = []
  for kind in found["class"].values[found.uniform_mass.values > 0]:
    text = {"yticklabels": [], "ylabel": ""} if panels else {"ylabel": "query"}
    panels.append(
      draw.heat(
        mean.sel({"class": kind}),
        "sweep",
        rows="role",
        columns="layer",
        limits=(0, most),
        title=f"Attention on {kind}",
        **text,
      )
    )
  return tuple(panels)


def tables(runs) -> list[tables_lib.Table]:
  """Returns what heads, and layers, read and are worth, of all runs."""
  return [
    tables_lib.of_runs(
      runs,
      "layers",
      "Attention from the last character on the operands, over all heads and networks of a layer,"
      " beside uniform attention and untrained networks.",
      {"layer": "d"},
    ),
    tables_lib.of_runs(
      runs,
      "heads",
      "Every head: shares of attention by class and their scores, medians over seeds; changes of"
      " the loss (answers² or nats), and the share of the way to a donor's answer, medians with the"
      " 95 % interval of the mean.",
      {"layer": "d", "head": "d"},
    ),
  ]


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
WANTED = 0.9  # share of the last layer's heads, above uniform attention, that is too little
_least, _most = (float(PUBLISHED[f"sum_{name}_copy"].source) for name in ("least", "most"))


@CLAIMS.add(
  "heads.copy",
  "Heads of the last layer copy the operands to the last character.",
  reported=f"copy scores of {_least:.2f} to {_most:.2f}",
  source=program.claimed("sections 5.6, 6.8"),
)
def copying(results):
  """Returns the verdict: attention to the operands beside uniform, and what it is worth."""
  found = program.published_runs(results, "sum").first("heads")
  last = tables_lib.rows(found, "layers")[-1]
  share = last["above_uniform"]
  worth = found.delta.sel({"where": "everywhere"}).isel(layer=-1).max("head")
  harm = float(np.median(worth))
  because = (
    f"{100 * share:.0f} % of the last layer's heads, of all networks, attend to the operands more"
    f" than uniform attention does ({last['copy_uniform']:.3f}); the claim needs more than"
    f" {100 * WANTED:.0f} %, and a head that the answer needs. The median head has"
    f" {last['copy_median']:.3f}, that of untrained networks {last['untrained_copy_median']:.3f}."
    " With its mean output in place of its own, the head that matters most raises the squared error"
    f" by {harm:,.0f} answers² (median of the networks). Attention alone does not show what a head"
    " contributes."
  )
  names = ("above_uniform", "copy_median", "untrained_copy_median")
  values = {name: last[name] for name in names} | {"harm": harm}
  return claims.verdict(share > WANTED and harm > 0, because, values)
