"""What does "=" attend to, and what is left where it is told what to attend to?

The published notebooks average the attention of "=" over inputs, find that both digits get the same
share of it, and conclude that attention takes their average.

Here the share of single inputs is measured, too, with the scores that it comes from, digit by
digit, and attention is replaced: by its mean over inputs, by halves, by thirds, and by that of
another input; for all heads, for one head, and for all heads but one. With attention that does not
depend on the input, z (what goes into the ReLU) is exactly f(a) + g(b), so that whatever curvature
it has comes from attention. Least-squares fits of z say how much. The items A59 and A60 of
docs/sources/addition.md are measured and, for modular addition, B1 to B3.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import fourier, linear
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.models import tokens
from primelens.studies.addition import network, program

# --- published ------------------------------------------------------------------------------------

# Keys of modular runs begin with MODULAR: nobody gave their scores, and nobody recomputed a number.
PUBLISHED = numbers_lib.published(__file__)
MODULAR = "modular/"

obstacle = program.one_layer

# --- attention as it is ---------------------------------------------------------------------------


def scores(model, params, token_Nx3):
  """Returns the scores of "=" to a and to b by their digit, Hx2xP (A59).

  The query is the same for every input, and a score depends on one digit: the
  inputs (d, d) have them all. On these P inputs alone.
  """
  digits = int(len(token_Nx3) ** 0.5)
  doubles_Px3 = token_Nx3[:: digits + 1]
  _, site = tokens.apply(model, params, doubles_Px3, sites=("attention/scores",))
  score_PxHx2 = site["attention/scores"][0][:, :, -1, :2]
  return jnp.transpose(score_PxHx2, (1, 2, 0))


def asymmetry(pattern_NxHxT):
  """Returns max |alpha_a(a, b) - alpha_b(b, a)| of every head (A59)."""
  digits = int(len(pattern_NxHxT) ** 0.5)
  pattern_PxPxHxT = fourier.pair_grid(pattern_NxHxT, digits)
  mirrored_PxPxH = pattern_PxPxHxT[..., 1].swapaxes(0, 1)
  return jnp.abs(pattern_PxPxHxT[..., 0] - mirrored_PxPxH).max((0, 1))


def largest_wave(score_SxHxP):
  """Returns the largest share of one frequency in the scores' variance."""
  basis_PxP = fourier.basis(score_SxHxP.shape[-1])
  coefficient = fourier.transform_1d(basis_PxP, score_SxHxP, axis=-1)
  norms = jax.vmap(jax.vmap(fourier.frequency_norms))
  energy_SxHxQ = norms(coefficient[..., None])[..., 1:] ** 2
  total_SxH = energy_SxHxQ.sum(-1)
  return energy_SxHxQ.max(-1) / jnp.where(total_SxH > 0, total_SxH, 1)


_largest_wave = jax.jit(largest_wave)


# --- attention replaced, and what fits z then -----------------------------------------------------

EDITS = {
  "intact": "as trained",
  "frozen": "mean over inputs",
  "half": "(1/2, 1/2, 0)",
  "uniform": "(1/3, 1/3, 1/3)",
  "resampled": "that of another input",
}
DESIGNS = {
  "all": "all components of a and b, linear",
  "additive": "f(a) + g(b), one-hot",
  "linear": "PC1 and PC2 of a and b, linear",
  "poly2": "Poly2",
  "quartic": "quartic in the raw a and b",
}
FITS = {
  f"{edit}/{design}": network.Fit("A60", f"z, attention {words}", DESIGNS[design])
  for edit, words in EDITS.items()
  for design in DESIGNS
}


def replacements(pattern_NxHxT, key):
  """Returns the pattern under each of EDITS, VxNxHxT (A60).

  Resampled patterns are those of the next input in a cycle drawn with `key`,
  so that no input keeps its own.
  """
  order_N = jax.random.permutation(key, len(pattern_NxHxT))
  other_N = jnp.zeros_like(order_N).at[order_N].set(jnp.roll(order_N, 1))
  found = {
    "intact": pattern_NxHxT,
    "frozen": network.freeze(pattern_NxHxT, None),
    "half": jnp.array([0.5, 0.5, 0.0])[None, None],
    "uniform": jnp.full(3, 1 / 3)[None, None],
    "resampled": pattern_NxHxT[other_N],
  }
  shape = pattern_NxHxT.shape
  return jnp.stack([jnp.broadcast_to(found[name], shape) for name in EDITS])


def by_head(pattern_NxHxT):
  """Returns patterns with one head frozen, and with all others: HxNxHxT."""
  frozen_NxHxT = network.freeze(pattern_NxHxT, None)
  own_HxH = jnp.eye(pattern_NxHxT.shape[1], dtype=bool)[:, None, :, None]
  one, other = frozen_NxHxT[None], pattern_NxHxT[None]
  return jnp.where(own_HxH, one, other), jnp.where(own_HxH, other, one)


def replaced(model, params, token_Nx3, pattern_NxHxT) -> network.Network:
  """Returns a member whose "=" attends as told."""

  def edit(pattern_BxHxTxT, layer):
    return pattern_BxHxTxT.at[:, :, -1].set(pattern_NxHxT)

  return network.read(model, params, token_Nx3, {"attention/pattern": edit})


def designs(embedding_PxD) -> list[jax.Array]:
  """Returns the DESIGNS in their order, ExNxQ, the wide two and the others.

  All components are P - 1, the rank of P centred rows. Within a group they are
  filled up with columns of 0, which least squares does not see: one program
  then serves several designs, and narrow ones stay cheap.
  """
  digits = len(embedding_PxD)
  score_PxQ = linear.pca(embedding_PxD).score_NxQ[:, : digits - 1]
  two_NxQ = fourier.pair_features(score_PxQ[:, :2])
  raw_NxQ = fourier.pair_features(jnp.linspace(-1, 1, digits)[:, None])
  found = {
    "all": fourier.monomials(fourier.pair_features(score_PxQ), 1),
    "additive": fourier.additive_design(digits),
    "linear": fourier.monomials(two_NxQ, 1),
    "poly2": fourier.monomials(two_NxQ, 2),
    "quartic": fourier.monomials(raw_NxQ, 4),
  }
  every = [found[name] for name in DESIGNS]
  return [_stacked(every[:2]), _stacked(every[2:])]


def _stacked(designs) -> jax.Array:
  widest = max(x_NxQ.shape[1] for x_NxQ in designs)
  filled = lambda x: jnp.pad(x, ((0, 0), (0, widest - x.shape[1])))
  return jnp.stack([filled(x_NxQ) for x_NxQ in designs])


def fitted(read: network.Network, attended, member, pattern_VxNxHxT):
  """Returns how well each design fits z under each pattern, ExV (A60).

  `attended(pattern_NxHxT)` is the network that attends so; the fitted z go
  through its ReLU, W_L and direct path. One decomposition of a design serves
  all patterns.
  """

  def seen(pattern_NxHxT):
    found = attended(pattern_NxHxT)
    return found.pre_NxF, found.mid_NxD

  def one(design_NxQ, pre_NxF, mid_NxD):
    edited = read._replace(mid_NxD=mid_NxD)
    worth = lambda z_NxF: network.readout(edited, jax.nn.relu(z_NxF))
    return network.fit_scores(design_NxQ, pre_NxF, member, worth)

  seen_V = jax.lax.map(seen, pattern_VxNxHxT)
  over_V = jax.vmap(one, (None, 0, 0))
  each = lambda design_NxQ: over_V(design_NxQ, *seen_V)
  groups = [jax.lax.map(each, group_ExNxQ) for group_ExNxQ in designs(read.embedding_PxD)]
  return jax.tree.map(lambda *parts: jnp.concatenate(parts), *groups)


# --- the result -----------------------------------------------------------------------------------

OPERANDS = ("a", "b")
TARGETS = {"a": "a", "b": "b", "equal": "="}  # by the names of published numbers


def measure(run) -> xr.Dataset:
  """Returns attention and its replacements, of every member; patterns of the one that is shown."""
  each = functools.partial(readings, seed=run.settings.seed)
  found, null = network.beside(each, run)
  prefix = MODULAR if run.experiment.task.modular else ""
  keyed = lambda one: {
    prefix + key: value_S for key, value_S in values(one).items() if prefix + key in PUBLISHED
  }
  digits = run.pairs.digits
  pattern_NxHxT = found["pattern"][program.drawn(run.experiment)]
  pattern_Hx3xPxP = np.moveaxis(pattern_NxHxT, 0, 2).reshape(-1, len(TARGETS), digits, digits)
  effect, additive = found["effect"], list(DESIGNS).index("additive")
  variables = {
    "mean_attention": results.variable(
      "seed head target", found["mean"], "attention, mean over inputs"
    ),
    "deviation": results.variable(
      "seed head target", found["deviation"], "standard deviation of attention over inputs"
    ),
    "asymmetry": results.variable(
      "seed head", found["asymmetry"], "largest |attention to a - attention to b of (b, a)|"
    ),
    "score": results.variable("seed head operand digit", found["score"], "score"),
    "accuracy": results.variable("seed edit", effect["all/accuracy"], "accuracy, all pairs"),
    "nll": results.variable(
      "seed edit", effect["all/nll_nats"], "cross-entropy, all pairs", "nats"
    ),
    "additive_r2": results.variable(
      "seed edit", found["fit"]["r2_mean"][:, additive], "R² of z on f(a) + g(b)"
    ),
    "fixed_accuracy": results.variable(
      "seed head", found["fixed"], "accuracy of all pairs, this head frozen"
    ),
    "moving_accuracy": results.variable(
      "seed head", found["moving"], "accuracy of all pairs, all other heads frozen"
    ),
    "pattern": results.variable("head target a b", pattern_Hx3xPxP, "attention"),
    **numbers_lib.stored(keyed(found), keyed(null)),
    **network.fits(FITS, _fits(found), _fits(null)),
  }
  digit = lambda name: results.variable(name, np.arange(digits), name)
  coords = {
    "head": results.variable("head", np.arange(len(pattern_Hx3xPxP)), "head"),
    "target": results.variable("target", list(TARGETS.values()), "attention to"),
    "operand": list(OPERANDS),
    "digit": digit("digit"),
    "a": digit("a"),
    "b": digit("b"),
    "edit": results.variable("edit", list(EDITS), "what attention is replaced by"),
  }
  return program.dataset(run, variables, coords)


def readings(model, params, member, token_Nx3, seed: int = 0):
  """Returns patterns, scores, and edits with their fits, of one member.

  `seed` draws whose pattern an input gets when patterns are resampled.
  """
  read = network.read(model, params, token_Nx3)
  pattern_NxHxT = read.pattern_NxHxT
  attended = functools.partial(replaced, model, params, token_Nx3)
  edit_VxNxHxT = replacements(pattern_NxHxT, jax.random.key(seed))
  head = by_head(pattern_NxHxT)
  effect_R = jax.lax.map(
    lambda x: network.of_logits(read, attended(x).logit_NxV, member),
    jnp.concatenate([edit_VxNxHxT, *head]),
  )
  edits, heads = len(EDITS), len(head[0])
  fixed, moving = jnp.split(effect_R["all/accuracy"][edits:], [heads])
  return {
    "mean": pattern_NxHxT.mean(0),
    "deviation": pattern_NxHxT.std(0),
    "asymmetry": asymmetry(pattern_NxHxT),
    "score": scores(model, params, token_Nx3),
    "effect": {name: value[:edits] for name, value in effect_R.items()},
    "fit": fitted(read, attended, member, edit_VxNxHxT),
    "fixed": fixed,
    "moving": moving,
    "pattern": pattern_NxHxT,
  }


def values(found) -> dict:
  """Returns the numbers of the table, of every member."""
  score_SxHx2xP = found["score"]
  value = {
    "asymmetry": found["asymmetry"].max(1),
    "score_gap": np.abs(np.diff(score_SxHx2xP, axis=2)).max((1, 2, 3)),
    "frozen_all_r2_min": found["fit"]["r2_min"][:, 0, 1],
  }
  wave_SxH = np.asarray(_largest_wave(score_SxHx2xP[:, :, 0]))
  for head in range(score_SxHx2xP.shape[1]):
    own_SxP = score_SxHx2xP[:, head, 0]
    value |= {f"head{head}_{name}": found["mean"][:, head, at] for at, name in enumerate(TARGETS)}
    value |= {
      f"head{head}_deviation": found["deviation"][:, head, 0],
      f"head{head}_score_first": own_SxP[:, 0],
      f"head{head}_score_last": own_SxP[:, -1],
      f"head{head}_score_least": own_SxP.min(1),
      f"head{head}_wave": wave_SxH[:, head],
      f"head{head}_fixed_accuracy": found["fixed"][:, head],
      f"head{head}_moving_accuracy": found["moving"][:, head],
    }
  for at, edit in enumerate(EDITS):
    for name in network.MEASURES:
      value[f"{edit}_{name}"] = found["effect"][name][:, at]
  return value


def _fits(found) -> dict:
  """Returns the measures of every fit and member, by the names of FITS."""
  return {
    f"{edit}/{name}": {k: v[:, e, at] for k, v in found["fit"].items()}
    for at, edit in enumerate(EDITS)
    for e, name in enumerate(DESIGNS)
  }


numbers = numbers_lib.of  # by the keys of published.csv


# --- figures and tables ---------------------------------------------------------------------------

FEW, MANY = 10, 20  # digits that are all named below an axis, and beyond which lines are thin
SHARES = {"accuracy": "accuracy, all pairs", "additive_r2": "R² of z on f(a) + g(b)"}
SAMPLE = (0, 5)  # the input whose pattern is drawn by itself: the source's "row 5"
HEADS = {"fixed_accuracy": "this head frozen", "moving_accuracy": "all others frozen"}


def figures(runs) -> dict:
  """Returns two pages for each run of the source's setting and, of several runs, one of them all.

  The second one of a run has means and deviations of its heads, and the loss of every edit.
  """
  pages = {run: _page(run, found) for run, found in program.main(runs).items()}
  pages |= {f"{run}, heads": _heads(run, found) for run, found in program.main(runs).items()}
  if len(runs) < 2:
    return pages
  together = _in_words(results.across(runs, *SHARES))
  look = {"y": "edit", "colour": "run", "xlim": (-0.03, 1.03)}
  shared = (
    draw.strips(together, "accuracy", title="Accuracy with attention replaced by …", **look),
    draw.strips(together, "additive_r2", title="How additive z is then", **look),
  )
  return {"all runs": draw.page(shared, heights=[2.2 + 0.4 * len(runs)])} | pages


def _in_words(found: xr.Dataset) -> xr.Dataset:
  return found.assign_coords(edit=[EDITS[name] for name in found["edit"].values.tolist()])


def _page(run: str, found: xr.Dataset) -> draw.Page:
  own = found.isel(seed=program.shown(found))
  heads = found["head"].values.tolist()
  maps = lambda target: tuple(
    draw.together(
      draw.heat(
        own.sel(target=target, head=head),
        "pattern",
        rows="a",
        columns="b",
        written=None,
        limits=(0, 1),
        bar=head == heads[-1],
        unit="share",
        title=f"To {target}, head {head}",
      ),
      _few_ticks(found.sizes["b"]),
    )
    for head in heads
  )
  return draw.page(
    tuple(_scores(found, head) for head in heads),
    maps("a"),
    maps("b"),
    (
      _shares(_in_words(found), SHARES, y="edit", title=f"{run}:\nattention replaced by …"),
      _shares(found, HEADS, y="head", title="Heads replaced\nby their mean"),
    ),
    heights=[2.6, 2.2, 2.2, 3.4],
  )


def _heads(run: str, found: xr.Dataset) -> draw.Page:
  """Returns attention of one network, over inputs and of one input, and what edits of it cost."""
  own = found.isel(seed=program.shown(found))
  a, b = SAMPLE
  sample = own.assign(sample=own["pattern"].sel(a=a, b=b))
  look = {"rows": "head", "columns": "target", "limits": (0, 1), "written": ".3f"}
  spread = {**look, "limits": None}
  loss = _in_words(found)
  return draw.page(
    (
      draw.heat(
        own,
        "mean_attention",
        title=f"{run}, seed {own.seed.item()}:\nmean over inputs",
        **look,
      ),
      draw.heat(own, "deviation", title="Standard deviation\nover inputs", **spread),
      draw.heat(sample, "sample", title=f"One input: a = {a}, b = {b}", **look),
    ),
    (
      draw.strips(
        loss,
        "nll",
        y="edit",
        xscale="log",
        title="Loss, attention replaced by …",
        ylabel="",
      ),
      _asymmetry(found),
    ),
    heights=[2.9, 2.9],
  )


def _asymmetry(found: xr.Dataset) -> draw.Panel:
  """Returns how far attention to a is from that to b of the mirror image, of every network."""
  words = "largest |attention to a at (a, b)\nless that to b at (b, a)|"
  text = {"title": "Attention mirrors a and b", "ylabel": "head", "xlabel": words}
  return draw.strips(found, "asymmetry", y="head", xlim=(0, None), **text)


def _few_ticks(digits: int) -> draw.Panel:
  """Returns what names few of many columns, lest the names touch."""
  step = 1 if digits <= FEW else -(-digits // 6)

  def tick(axes):
    axes.set_xticks(range(0, digits, step), [f"{b}" for b in range(0, digits, step)], fontsize=8)

  return tick


def _scores(found: xr.Dataset, head: int) -> draw.Panel:
  """Returns the scores of all members thin, and those of the member shown thick.

  Heads of different members are different heads: no median over them.
  """
  at, digits = program.shown(found), found["digit"].values
  own = found.isel(seed=at).sel(head=head)
  others_SxP = np.delete(found.score.sel(head=head, operand="a").values, at, axis=0)
  thick = {"lw": 1.8 if len(digits) <= MANY else 0.9}
  equal = float(own.mean_attention.sel(target="="))

  def draw_all(axes):
    if len(others_SxP):
      axes.plot(digits, others_SxP.T, color=draw.GREY, lw=0.4, alpha=0.45)
      axes.plot([], [], color=draw.GREY, lw=0.8, label="to a, other seeds")
    for operand, colour, dashes in (("a", draw.BLUE, "-"), ("b", draw.ORANGE, (0, (2, 2)))):
      label = f"to {operand}, seed {own.seed.item()}"
      score_P = own.score.sel(operand=operand)
      axes.plot(digits, score_P, color=colour, ls=dashes, label=label, **thick)
    title = f"Head {head} ({100 * equal:.1f} % to =)"
    axes.set(title=title, xlabel="digit", ylabel="score" if head == 0 else "")
    axes.xaxis.get_major_locator().set_params(integer=True)

  return draw_all


def _shares(found: xr.Dataset, names, *, y: str, title: str) -> draw.Panel:
  """Returns several shares of every member on one axis, their medians larger."""
  stacked = xr.concat([found[name] for name in names], xr.Variable("share", list(names.values())))
  stacked.attrs = {"long_name": "accuracy, all pairs" if y == "head" else "share"}
  look = {"colour": "share", "xlim": (-0.03, 1.03), "ylabel": y if y == "head" else ""}
  return draw.strips(stacked.to_dataset(name="value"), "value", y=y, title=title, **look)


def tables(runs) -> list[tables_lib.Table]:
  """Returns heads, edits, and fits of z under each pattern, of runs of the source's setting."""
  main = program.main(runs)
  rows = functools.partial(tables_lib.by_run, main)
  return [
    network.fit_table(main),
    tables_lib.Table(
      "Heads of the network that is drawn: attention from = as mean and standard deviation over"
      " inputs, and the accuracy on all pairs where this head, or all others, attend as on"
      " average.",
      rows(_head_rows),
      name="heads",
    ),
    tables_lib.Table(
      "What attention is replaced by: accuracy and loss (nats) on all pairs, and how well f(a) +"
      " g(b) fits z then, as mean R² over neurons. Medians over networks, and their range.",
      rows(_edit_rows),
      name="edits",
    ),
  ]


def _head_rows(found: xr.Dataset):
  own = found.isel(seed=program.shown(found))
  for head in own["head"].values.tolist():
    one = own.sel(head=head)
    row = {"seed": int(own["seed"]), "head": head}
    for target in one["target"].values.tolist():
      its = one.sel(target=target)
      row |= {f"to {target}": float(its["mean_attention"])}
      row |= {f"to {target}, deviation": float(its["deviation"])}
    row["asymmetry"] = float(one["asymmetry"])
    row["accuracy, this one frozen"] = float(one["fixed_accuracy"])
    row["accuracy, all others frozen"] = float(one["moving_accuracy"])
    yield row


def _edit_rows(found: xr.Dataset):
  for edit in found["edit"].values.tolist():
    one = found.sel(edit=edit)
    accuracy = numbers_lib.spread(one["accuracy"].values)
    loss = numbers_lib.spread(one["nll"].values)
    yield {
      "attention": EDITS[edit],
      "accuracy": accuracy["median"],
      "accuracy, least": accuracy["minimum"],
      "accuracy, largest": accuracy["maximum"],
      "loss": loss["median"],
      "loss, least": loss["minimum"],
      "loss, largest": loss["maximum"],
      "R² on f(a) + g(b)": numbers_lib.median(one["additive_r2"].values),
    }


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
COSTS = 0.05  # of accuracy: an edit that costs less changes nothing


@CLAIMS.add(
  "attention.average",
  "Attention treats a and b alike: it takes their average.",
  reported="equal to tenths of a percent, averaged over inputs",
  source=f"{program.PLAIN_SOURCE} (A59)",
)
def average(results) -> claims.Verdict:
  """Returns the verdict on attention as a plain average: what freezing it costs."""
  found = program.first(results, "attention")
  frozen, half = program.numbers(found, "frozen_all/accuracy", "half_all/accuracy")
  intact = program.numbers(found, "intact_all/accuracy")[0]
  because = (
    f"frozen attention has to cost less than {COSTS:g} of accuracy; accuracy is {intact}, with"
    f" every pattern replaced by its mean over inputs {frozen}, by one half for a and one for b"
    f" {half}: a and b get equal attention on average only"
  )
  holds_S = frozen.value_S > intact.value_S - COSTS
  values = program.behind(intact=intact, frozen=frozen, half=half)
  return program.by_members(holds_S, because, values)
