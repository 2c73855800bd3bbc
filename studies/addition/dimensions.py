"""How many dimensions do the activations of plain addition have?

The published notebook decomposed the activations and kept none of its outputs. The shares and
counts that are compared here were recomputed by an independent program for the same network.

Decomposed are, over all pairs, the residual stream before the MLP (r_mid), the MLP's input z and
activations h, the logits with and without their mean, and the weights W_in. A component counts as a
dimension where its share of the squared singular values is above a thousandth. The same is done in
untrained networks of the same seeds.
"""

import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import linear
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import results
from primelens.lens import tables as tables_lib
from primelens.studies.addition import network, program

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)

obstacle = program.plain

# --- one network ----------------------------------------------------------------------------------

COMPONENTS = 10  # shares kept
SMALLEST = 1e-3  # share of a component that counts as a dimension
SPACES = {
  "mid": "r_mid, centred",
  "pre": "z, centred",
  "post": "h, centred",
  "logit": "logits, centred",
  "logit_uncentred": "logits, not centred",
}


def ranks(params, read: network.Network) -> dict:
  """Returns shares of squared singular values, traced.

  `share_PxR` has a row per space: of the activations less their mean over
  inputs, but for the logits as they are; zero beyond what a space has.
  `up_R` are the singular values of W_in; `dimensions_P` counts the shares
  above SMALLEST.
  """
  every = (
    (read.mid_NxD, True),
    (read.pre_NxF, True),
    (read.post_NxF, True),
    (read.logit_NxV, True),
    (read.logit_NxV, False),
  )
  shares = [linear.pca(x, centre=centre).share_Q for x, centre in every]
  first = lambda x_Q: jnp.pad(x_Q, (0, COMPONENTS))[:COMPONENTS]
  up_DxF = params["blocks"]["mlp"]["up"]["kernel"][0]
  return {
    "share_PxR": jnp.stack([first(share_Q) for share_Q in shares]),
    "dimensions_P": jnp.stack([jnp.sum(x_Q > SMALLEST) for x_Q in shares]),
    "up_R": first(linear.svd(up_DxF).value_Q),
  }


def _member(model, params, member, token_Nx3) -> dict:
  return ranks(params, network.read(model, params, token_Nx3))


# --- the result -----------------------------------------------------------------------------------


def measure(run) -> xr.Dataset:
  """Returns shares and dimensions of every space, and the singular values of W_in."""
  pair = network.beside(_member, run)
  both = {name: np.stack([found[name] for found in pair]) for name in pair[0]}
  variables = {
    "share": results.variable(
      "network seed space component", both["share_PxR"], "share of squared singular values"
    ),
    "dimensions": results.variable(
      "network seed space", both["dimensions_P"], f"components with a share above {SMALLEST:g}"
    ),
    "up_value": results.variable("network seed component", both["up_R"], "singular value of W_in"),
  }
  coords = {
    "network": list(numbers_lib.NETWORKS),
    "space": results.variable("space", list(SPACES), "activations"),
    "component": results.variable("component", 1 + np.arange(COMPONENTS), "component"),
  }
  return program.dataset(run, variables, coords)


NAMED = 4  # components of a space whose shares are numbers of their own


def numbers(found: xr.Dataset) -> dict:
  """Returns the numbers of every network by key of published.csv."""
  values: dict[str, xr.DataArray] = {}
  for space in SPACES:
    one = found.sel(space=space)
    share = {k: one["share"].sel(component=k) for k in range(1, NAMED + 1)}
    values |= {f"{space}_share/{k}": each for k, each in share.items()}
    values[f"{space}_dimensions"] = one["dimensions"]
  values |= {f"up_value/{k}": found["up_value"].sel(component=k) for k in range(1, 4)}
  own = lambda value: numbers_lib.Own(
    *(value.sel(network=name).values.astype(float) for name in numbers_lib.NETWORKS)
  )
  return {key: own(value) for key, value in values.items() if key in PUBLISHED}


# --- figures and tables ---------------------------------------------------------------------------

_TINY = 1e-6  # shares are drawn down to ten times this


def figures(runs) -> dict:
  """Returns a page for each run of the source's setting, and one that compares all runs."""
  pages = {run: _page(run, found) for run, found in program.main(runs).items()}
  return pages | ({"all runs": _compared(runs)} if len(runs) > 1 else {})


def _compared(runs) -> draw.Page:
  every = results.across(runs, "dimensions").sel(network="trained")
  every = every.assign_coords(space=list(SPACES.values()))
  panel = draw.strips(
    every, "dimensions", y="space", colour="run", title="Dimensions of trained networks"
  )
  return draw.page(panel, heights=[1.6 + 0.16 * len(SPACES) * (2 + len(runs))])


def _page(run: str, found: xr.Dataset) -> draw.Page:
  """Returns the shares of every space, trained and untrained, and the singular values of W_in."""
  names = SPACES | {"mid": f"{run}: {SPACES['mid']}"}
  panels = [_shares(found, space, words) for space, words in names.items()]
  values = draw.curves(
    found,
    "up_value",
    x="component",
    colour="network",
    thin="seed",
    names=draw.NETWORKS,
    title="Weights W_in\n(thick: median)",
  )
  return draw.page(tuple(panels[:3]), (*panels[3:], values), heights=[3.5, 3.6])


def _shares(found: xr.Dataset, space: str, words: str) -> draw.Panel:
  """Returns the shares of the components of one space, and how many count as a dimension."""
  one = found.sel(space=space)
  one = one.assign(share=one["share"].clip(min=_TINY, keep_attrs=True))
  count = numbers_lib.median(one["dimensions"].sel(network="trained").values)
  shares = draw.curves(
    one,
    "share",
    x="component",
    colour="network",
    thin="seed",
    names=draw.NETWORKS,
    zero=False,
    yscale="log",
    ylim=(10 * _TINY, 1.5),
    ylabel="share of squared\nsingular values",
    title=f"{words}:\n{count:g} dimensions (median)",
  )
  return draw.together(shares, draw.level(SMALLEST, "above it: counts as a dimension"))


def tables(runs) -> list[tables_lib.Table]:
  """Returns dimensions and shares of every space, of the runs of the source's setting."""
  return [
    tables_lib.Table(
      f"Dimensions: components whose share of the squared singular values is above {SMALLEST:g}"
      " (of the source's own network; and the median and the range over seeds), and the first"
      " shares in the median over seeds.",
      tables_lib.by_run(program.main(runs), _rows),
      name="dimensions",
    )
  ]


def _rows(found: xr.Dataset):
  for space, words in SPACES.items():
    one = found.sel(space=space)
    count_S = one["dimensions"].sel(network="trained").values
    counted = numbers_lib.spread(count_S)
    share = one["share"].sel(network="trained").median("seed")
    yield {
      "activations": words,
      "dimensions, the source's network": program.own(found, count_S),
      "dimensions": counted["median"],
      "least": counted["minimum"],
      "largest": counted["maximum"],
      "untrained": numbers_lib.median(one["dimensions"].sel(network="untrained").values),
    } | {f"share {k}": share.sel(component=k).item() for k in range(1, NAMED + 1)}
