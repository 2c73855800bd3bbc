"""How do the digits lie in the embedding?

The notebook on plain addition plots the principal components of the digits' vectors of one network
and reads an arc off them: the first component a line in the digit, the second a parabola, and the
two nearly all of the variance.

Here the components of every network are taken (of W_E without "=", their signs fixed), the line and
the parabola are fitted, and so they are in untrained networks of the same seeds. The vectors of
one network, the source's own where it is among them, are also followed over training, in the plane
of its last two components. In the figures thin lines are networks.
"""

import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import linear
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.studies.addition import network, program

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)

obstacle = program.plain


# --- one network ----------------------------------------------------------------------------------

COMPONENTS = 4  # drawn; all of them have a share


def components(model, params, member, token_Nx3):
  """Returns the components and the reported numbers, of one network."""
  embedding_PxD = params["embedding"]["embedding"][:-1]
  found = linear.oriented(linear.pca(embedding_PxD))
  digits = len(embedding_PxD)
  step_P = jnp.arange(digits, dtype=jnp.float32)
  scaled_P = jnp.linspace(-1, 1, digits)
  line_Px2 = jnp.stack([jnp.ones(digits), step_P], 1)
  bow_Px3 = jnp.stack([jnp.ones(digits), scaled_P, scaled_P**2], 1)
  score_PxQ = found.score_NxQ[:, :COMPONENTS]
  line = linear.fit(line_Px2, score_PxQ[:, :1])
  bow = linear.fit(bow_Px3, score_PxQ[:, 1:2])
  value = {
    "pc1_share": found.share_Q[0],
    "pc12_share": found.share_Q[:2].sum(),
    "pc1_linear_r2": linear.r2_overall(score_PxQ[:, :1], line.prediction_NxF),
    "pc1_slope": line.coefficient_QxF[1, 0],
    "pc2_quadratic_r2": linear.r2_overall(score_PxQ[:, 1:2], bow.prediction_NxF),
    "pc3_largest": jnp.abs(score_PxQ[:, 2]).max(),
  }
  return {
    "score": score_PxQ,
    "share": found.share_Q,
    "embedding": embedding_PxD,
    "direction": found.direction_QxD[:2],
    "value": value,
  }


def plane(model, params, member, token_Nx3, direction_2xD):
  """Returns the centred digits' vectors in a given plane, Px2."""
  embedding_PxD = params["embedding"]["embedding"][:-1]
  centred_PxD = embedding_PxD - embedding_PxD.mean(0, keepdims=True)
  return network.exact(centred_PxD, direction_2xD.T)


# --- the result -----------------------------------------------------------------------------------


def measure(run) -> xr.Dataset:
  """Returns the geometry of the embedding of every network."""
  found, null = network.beside(components, run)
  shown = program.drawn(run.experiment)
  step_C, plane_CxPx2 = _over_training(run, found["direction"], shown)
  share_2xSxR = np.stack([found["share"], null["share"]])
  digits, width = found["embedding"].shape[1:]
  variables = {
    **numbers_lib.stored(found["value"], null["value"]),
    "score": results.variable("seed digit component", found["score"], "score of the component"),
    "share": results.variable("network seed place", share_2xSxR, "share of the variance"),
    "vector": results.variable(
      "digit width", found["embedding"][shown], "the digit's vector, of one network"
    ),
    "plane": results.variable(
      "step digit axis", plane_CxPx2, "the digit's vector in the plane of the last two components"
    ),
  }
  coords = {
    "digit": results.variable("digit", np.arange(digits), "digit"),
    "component": results.variable(
      "component", 1 + np.arange(found["score"].shape[2]), "principal component"
    ),
    "place": results.variable("place", 1 + np.arange(share_2xSxR.shape[2]), "components"),
    "width": results.variable("width", np.arange(width), "entry of the vector"),
    "axis": results.variable("axis", [1, 2], "component of the last network"),
    "step": results.variable("step", step_C, "training step"),
  }
  return program.dataset(run, variables, coords)


def _over_training(run, direction_Sx2xD, shown: int):
  """Returns the steps C and planes CxPx2 of a network; none without
  snapshots."""
  step_C = np.array(run.snapshot_steps(), int)
  if not step_C.size:
    return step_C, np.zeros((0, run.pairs.digits, 2))
  plane_SxCxPx2 = network.over_snapshots(plane, run, direction_Sx2xD)
  return step_C, plane_SxCxPx2[shown]


numbers = numbers_lib.of  # by the keys of published.csv


# --- figures --------------------------------------------------------------------------------------

PANELS = 5  # steps at which the plane is drawn
SHARES = 10  # components whose shares are drawn
LEVELS = (0.9, 0.95)  # shares of the variance that are marked
ONE = 7  # the digit whose vector is drawn by itself
COMPARED = {
  "pc12_share": "Two components",
  "pc1_linear_r2": "PC1 as a line",
  "pc2_quadratic_r2": "PC2 as a parabola",
}


def figures(runs) -> dict:
  """Returns two pages for each run of the source's setting and, of several, one that compares all.

  The second one of a run has the digits' vectors themselves.
  """
  pages = {run: _page(run, found) for run, found in program.main(runs).items()}
  pages |= {f"{run}, vectors": _vectors(run, found) for run, found in program.main(runs).items()}
  judged = {key: (title, PUBLISHED[key].quantity) for key, title in COMPARED.items()}
  return pages | ({"all runs": program.compared(runs, judged)} if len(runs) > 1 else {})


def _page(run: str, found: xr.Dataset) -> draw.Page:
  rows = [
    tuple(
      _score(found, *each) for each in ((1, f"{run}: PC1 of the digits"), (2, "PC2"), (3, "PC3"))
    ),
    (_plane(found), _shares(found)),
  ]
  if not found.sizes["step"]:
    return draw.page(*rows, heights=[2.8, 3.2])
  return draw.page(*rows, _training(found), heights=[2.8, 3.2, 2.3])


def _score(found: xr.Dataset, component: int, title: str) -> draw.Panel:
  if component not in found["component"].values:
    return draw.empty(f"{title}: fewer components")
  return draw.curves(
    found[["score"]].sel(component=component),
    "score",
    x="digit",
    thin="seed",
    names={None: "median of the networks"},
    title=title,
    ylabel="score",
  )


def _named(axes, plane_Px2, *, ends: bool = False) -> None:
  """Writes every digit; both `ends` alone where they are close, or many."""
  count = len(plane_Px2)
  for digit in (0, count - 1) if ends or count > 20 else range(count):
    place = {"xytext": (3, 3), "textcoords": "offset points", "fontsize": 8.5}
    axes.annotate(str(digit), plane_Px2[digit], **place)


def _plane(found: xr.Dataset) -> draw.Panel:
  score_SxPx2 = found["score"].sel(component=[1, 2]).values
  shown = program.shown(found)

  def panel(axes):
    others = [s for s in range(len(score_SxPx2)) if s != shown]
    for i, s in enumerate(others):
      label = None if i else "other seeds"
      axes.plot(*score_SxPx2[s].T, color=draw.GREY, lw=0.5, alpha=0.4, label=label)
    label = f"seed {found['seed'].values[shown]}"
    axes.plot(*score_SxPx2[shown].T, color=draw.BLUE, lw=1.2, label=label)
    _named(axes, score_SxPx2[shown])
    axes.set(title="PC1 and PC2, digits of one\nnetwork named", xlabel="PC1", ylabel="PC2")

  return panel


def _shares(found: xr.Dataset) -> draw.Panel:
  first = found[["share"]].isel(place=slice(SHARES)).cumsum("place")
  first = first.assign_coords(place=found["place"][:SHARES])
  first["share"].attrs = {"long_name": "share of the variance, cumulative"}
  text = {
    "title": "The first components together\n(thin: networks; thick: median)",
    "xlabel": "components, counted from the first",
    "ylabel": "share of the variance",
    "ylim": (0, 1.03),
  }
  look = {"colour": "network", "thin": "seed", "zero": False}
  marks = [draw.level(share, color=draw.GREY, lw=0.8, ls=":") for share in LEVELS]
  words = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 7.5}

  def named(axes):
    for share in LEVELS:
      axes.annotate(f"{share:.0%}", (1.01, share), color=draw.GREY, **words)

  return draw.together(*marks, named, draw.curves(first, "share", x="place", **look, **text))


def _vectors(run: str, found: xr.Dataset) -> draw.Page:
  """Returns all vectors of one network as colours, and one of them as bars."""
  digit = min(ONE, found.sizes["digit"] - 1)
  seed = found["seed"].values[program.shown(found)]
  title = f"{run}: the vectors of all digits (the embedding W_E), seed {seed}"
  text = {"title": f"The vector of digit {digit}", "ylabel": "entry"}
  return draw.page(
    draw.heat(
      found,
      "vector",
      rows="digit",
      columns="width",
      written=None,
      centred=True,
      unit="entry",
      title=title,
    ),
    draw.stems(found.sel(digit=digit), "vector", x="width", **text),
    heights=[3.0, 2.4],
  )


def _training(found: xr.Dataset) -> tuple[draw.Panel, ...]:
  """Returns the plane at a few steps, evenly spaced in the logarithm."""
  step_C, seed = found["step"].values, found["seed"].values[program.shown(found)]
  wanted = np.geomspace(step_C[0], step_C[-1], PANELS)
  chosen = list(dict.fromkeys(int(np.abs(step_C - step).argmin()) for step in wanted))
  drawn_CxPx2 = found["plane"].values[chosen]
  low_2, high_2 = drawn_CxPx2.min((0, 1)), drawn_CxPx2.max((0, 1))
  room_2 = 0.1 * (high_2 - low_2)
  limits = np.stack([low_2 - room_2, high_2 + room_2], axis=1)

  def panel(at, plane_Px2):
    def inside(axes):
      axes.plot(*plane_Px2.T, color=draw.BLUE, lw=0.9, marker="o", ms=2)
      _named(axes, plane_Px2, ends=at != chosen[-1])
      whose = f"seed {seed}: " if at == chosen[0] else ""
      axes.set(title=f"{whose}step {step_C[at]:,}", xlim=limits[0], ylim=limits[1])
      axes.set(xlabel="last PC1", ylabel="last PC2" if whose else "")

    return inside

  return tuple(panel(at, each) for at, each in zip(chosen, drawn_CxPx2, strict=True))


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
FIRST = float(PUBLISHED["pc1_share"].source.partition(",")[0])
BOTH = float(PUBLISHED["pc12_share"].source)
ENOUGH, SHAPED = 0.95, 0.9  # share of the variance, R² of the line and of the parabola: above it


@CLAIMS.add(
  "embedding.arc",
  "The digits lie on an arc: PC1 is a line, PC2 a parabola, together"
  f" {100 * BOTH:.1f} % of the variance.",
  reported=f"PC1 {100 * FIRST:.0f} %, PC1 + PC2 {100 * BOTH:.1f} %",
  source=f"{program.PLAIN_SOURCE} (A4-A9)",
)
def arc(results):
  """Returns the verdict on networks that generalise."""
  embedding = program.first(results, "embedding")
  learned_S = program.generalises(program.first(results, "progress"))
  both, line, bow = program.numbers(embedding, "pc12_share", "pc1_linear_r2", "pc2_quadratic_r2")
  holds_S = (both.value_S > ENOUGH) & (line.value_S > SHAPED) & (bow.value_S > SHAPED)
  because = (
    f"wanted are a share of PC1 and PC2 above {ENOUGH:g} and both R2 above {SHAPED:g}; the share is"
    f" {both}, R2 of a line for PC1 {line}, of a parabola for PC2 {bow}, where medians and ranges"
    f" are over all {holds_S.size} members, generalising or not"
  )
  numbers = program.behind(share=both, line_r2=line, bow_r2=bow)
  return program.by_members(holds_S[learned_S], because, numbers, whom="members that generalise")
