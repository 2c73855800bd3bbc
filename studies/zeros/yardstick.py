"""How predictable is the next zero by height, and who predicts it?

Stretches of zeros are read by height, up to some that are computed and that no network has seen.
Every predictor is scored on the same spacings of each stretch. Filters are fitted once, on the
run's train split, or again on the spacings just behind the stretch. The sine process is all that
random matrices know. The explicit formula with the primes up to X has no fitted parameter in its
mean, and its sigma is that of its errors just before the stretch.

A value with a circle (○) is of a predictor whose train or select split lies at these heights. The
other computed zeros no network has seen: they lie above all that it was trained on, so that a
network has to carry what it knows to other frequencies.

Source: docs/sources/zeros.md, sections 7 and 7.1.
"""

import dataclasses
from typing import Annotated, Any

import numpy as np
import xarray as xr
from primelens.analyses import linear, statistics
from primelens.lens import figures as draw
from primelens.lens import results
from primelens.lens import tables as tables_lib
from primelens.studies.zeros import program, stretches
from primelens.tasks import checks

BLOCKS = 20  # of an interval's data in a stretch, at least


@dataclasses.dataclass(kw_only=True)
class Settings:
  """How predictable the next zero is, by height."""

  stretches: Annotated[int, checks.Range(0, 100_000)] = (
    6  # of the run's sequence, evenly spread in ln(height)
  )
  spacings: Annotated[int, checks.Range(20, 100_000_000)] = 5_000  # scored in each, or a few more
  computed: tuple[Annotated[int, checks.Range(1, 1_000_000_000_000)], ...] = (
    21_136_125,
    248_008_025,
  )  # zeros, at 1e7 and 1e8
  past: checks.Count = 20_000  # spacings behind, on which adaptive filters are fitted
  refit: checks.Count = 5_000  # spacings from one fit to the next
  orders: Annotated[tuple[checks.Order, ...], checks.Items(1, 64)] = (
    24,
    64,
  )  # of filters fitted on train, and adaptive
  adaptive: checks.Order = 256  # the order of the largest adaptive filter
  kernel: checks.Order = 20  # lags of the best linear predictor of the sine process
  exact: Annotated[int, checks.Range(0, 64)] = 3  # lags of its exact predictor; 0: without
  explicit: tuple[Annotated[int, checks.Range(4, 10_000_000)], ...] = (
    100,
    1_000,
    10_000,
    100_000,
  )  # X of the formula
  errors: Annotated[int, checks.Range(20, 100_000_000)] = (
    5_000  # of the formula, just behind a stretch: their sigma
  )

  def __post_init__(self):
    checks.fields(self)
    largest = max(*self.orders, self.adaptive)
    checks.at_least(self, 2 * largest + 1, "past")
    before = max(self.past, self.errors)
    if min(self.computed, default=before + 1) <= before:
      raise checks.FieldError(
        f"computed={checks.brief(self.computed)}: zeros need {before:,} before them (past, errors)."
      )


def obstacle(experiment) -> str:
  """Returns why a run has no predicted means of zeros, or ""."""
  task = experiment.task
  if experiment.model.kind == "binned":
    return program.no_mixtures(experiment)
  if task.kind == "zeros":
    return ""
  return f"its spacings are {task.ensemble}, which have no height."


# --- the result -----------------------------------------------------------------------------------

NATS, SPACINGS = "nats per spacing", "mean spacings"
MEASURES = {
  "nll": ("NLL", NATS),
  "r2": ("R² of the next spacing", ""),
  "bias": ("mean error", SPACINGS),
  "rmse": ("root mean square error", SPACINGS),
  "excess": ("the network's NLL minus the predictor's", NATS),
  "excess_r2": ("the network's R² minus the predictor's", ""),
}


def measure(run) -> xr.Dataset:
  """Returns every predictor of every stretch, with intervals over seeds and blocks of spacings.

  Excesses are paired over the spacings. A predictor is `seen` at a height where the split that it
  was fitted on (of a network: or chosen on) has spacings there, and `excess_seen` where it is, or
  the network. Raises ValueError where no stretch fits into the run's sequence and none is to be
  computed.
  """
  settings = run.settings.yardstick
  found = stretches.by_height(run)
  fits = stretches.fit(run)
  scores, seen, excess_seen, nll_PxS = [], [], [], []
  for stretch in found:
    network, fresh = stretches.networks(run, stretch)
    guesses = [network, fresh, *stretches.everyone_else(stretch, fits, settings)]
    nll_PxS.append(network.nll_SxN.mean(1))
    truth_N = stretch.truth_N
    scores.append(
      [_scores(run, truth_N, each) | _excess(run, truth_N, network, each) for each in guesses]
    )
    seen.append([each.seen(stretch) for each in guesses])
    excess_seen.append([each.seen(stretch) or network.seen(stretch) for each in guesses])

  def measured(name: str) -> dict[str, xr.Variable]:
    ends_PxGxE = np.array([[row[name] for row in rows] for rows in scores])
    interval = statistics.Interval(*np.moveaxis(ends_PxGxE, -1, 0))
    return results.with_interval(name, "height predictor", interval, *MEASURES[name])

  of = lambda name: [getattr(stretch, name) for stretch in found]
  variables = {
    "kind": results.variable("predictor", [each.kind for each in guesses], "kind of predictor"),
    "seen": results.variable(
      "height predictor", seen, "its train or select split is at this height"
    ),
    "excess_seen": results.variable(
      "height predictor", excess_seen, "its train or select split, or the network's, is there"
    ),
    "network_nll": results.variable("seed height", np.array(nll_PxS).T, "NLL of a network", NATS),
    "zero": results.variable("height", of("number"), "number of the first zero that is scored"),
    "split": results.variable("height", of("split"), "split of the run"),
    "drawn": results.variable("height", of("drawn"), "training windows were drawn there"),
  }
  for name in MEASURES:
    variables |= measured(name)
  height_P = [float(stretch.height_N.mean()) for stretch in found]
  coords = {
    "seed": results.variable("seed", run.seed_S, "seed of the trained network"),
    "height": results.variable("height", height_P, "height of the zeros"),
    "predictor": results.variable("predictor", [each.name for each in guesses], "predictor"),
  }
  return results.dataset(
    variables,
    coords,
    scored=len(found[0].truth_N),
    block=_block(run, len(found[0].truth_N)),
    past=settings.past,
    errors=settings.errors,
  )


def _block(run, count: int) -> int:
  """Returns the length of an interval's blocks: shorter in short stretches.

  The errors of a good predictor hardly depend on each other.
  """
  return max(1, min(run.settings.bootstrap.block, count // BLOCKS))


def _interval(run, value_SxVxN) -> statistics.Interval:
  """Returns the intervals of V means over seeds and blocks of spacings."""
  return statistics.seed_block_interval(value_SxVxN, block=_block(run, value_SxVxN.shape[-1]))


def _scores(run, truth_N, guess: stretches.Guess) -> dict[str, np.ndarray]:
  """Returns NLL, R2, bias and RMSE of a predictor: estimate, low, high of each."""
  error_SxN = truth_N - guess.mean_SxN
  found = _interval(run, np.stack([guess.nll_SxN, error_SxN, error_SxN**2], axis=1))
  nll_E, bias_E, square_E = np.stack(found[:3], 1)
  square_E, variance = np.maximum(square_E, 0), truth_N.var()
  r2_E = linear.explained(square_E[[0, 2, 1]], np.full(3, variance))
  return {"nll": nll_E, "r2": r2_E, "bias": bias_E, "rmse": np.sqrt(square_E)}


def _excess(run, truth_N, network: stretches.Guess, guess: stretches.Guess):
  """Returns how far the network's NLL and R2 are above a predictor's."""
  if guess is network:
    nothing = np.full(3, np.nan)
    return {"excess": nothing, "excess_r2": nothing}
  square = lambda one: (truth_N - one.mean_SxN) ** 2 / truth_N.var()
  pairs = [network.nll_SxN - guess.nll_SxN, square(guess) - square(network)]
  nll_E, r2_E = np.stack(_interval(run, np.stack(pairs, axis=1))[:3], 1)
  return {"excess": nll_E, "excess_r2": r2_E}


# --- figures --------------------------------------------------------------------------------------

# What is set beside the network, a row of panels each: kinds of predictor.
FAMILIES = {
  "the explicit formula of the primes": ("formula",),
  "filters fitted on the spacings just before": ("adaptive",),
  "filters fitted once, on train": ("filter",),
  "what knows no zeros": ("kernel", "constant", "untrained"),
}
# What is worse than these is drawn as an arrow at the edge.
LIMITS = {"r2": (-0.15, 1.0), "nll": (-2.5, 1.0), "excess": (-2.5, 2.5)}


def figures(runs) -> dict:
  """Returns a page for each run and, of several, the networks of all runs by height."""
  pages = {run: _page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  networks = {
    run: found.isel(predictor=found.kind.values == "network") for run, found in runs.items()
  }
  panels = []
  for name, title in (("r2", "Networks: how much is predicted"), ("nll", "Networks: likelihood")):
    lines = [
      _line(found, name, LIMITS[name], _network(draw.look_of("run", i, run)), label=run)
      for i, (run, found) in enumerate(networks.items())
    ]
    first = next(iter(networks.values()))
    heights = np.concatenate([found.height.values for found in networks.values()])
    panels.append(draw.together(*lines, _frame(first, name, title, heights), _marks(draw.GREY)))
  return pages | {"all runs": draw.page(tuple(panels), heights=[4.2])}


def _page(run: str, found: xr.Dataset) -> draw.Page:
  """Returns R², NLL and the network's excess by height, a row for each family of predictors."""
  kinds = found.kind.values.tolist()
  names = found.predictor.values.tolist()
  rows = []
  for family, its in FAMILIES.items():
    beside = [name for name, kind in zip(names, kinds, strict=True) if kind in its]
    if beside:
      rows.append(_row_of_panels(run, found, family, beside))
  marks = draw.together(_marks(draw.GREY), _key)
  return draw.page(*rows, marks, heights=[*[3.3] * len(rows), 0.5])


def _row_of_panels(run: str, found: xr.Dataset, family: str, beside: list[str]) -> tuple:
  own = found.predictor.values[found.kind.values == "network"][0].item()
  looks = _looks(found, beside)
  network = {own: _network(draw.look_of("network", 0, "trained"))}

  def panel(name: str, title: str):
    lines = [
      _line(
        found.sel(predictor=[one]),
        name,
        LIMITS[name],
        look,
        label=one,
        seen="excess_seen" if name == "excess" else "seen",
      )
      for one, look in (looks | ({} if name == "excess" else network)).items()
    ]
    seeds = _seeds(found) if name == "nll" else draw.together()
    return draw.together(*lines, seeds, _frame(found, name, title))

  above = draw.together(
    draw.level(0, ls="-"), panel("excess", "Network minus each\n(below 0: better)")
  )
  return (
    panel("r2", f"{run} and {family}:\nhow much is predicted"),
    panel("nll", "\nLikelihood"),
    above,
  )


def _seeds(found: xr.Dataset) -> draw.Panel:
  """Returns the NLL of every network as a stroke, where it is inside the panel."""

  def strokes(axes):
    nll_PxS = found.network_nll.transpose("height", "seed").values
    nll_PxS = np.where((nll_PxS > LIMITS["nll"][0]) & (nll_PxS < LIMITS["nll"][1]), nll_PxS, np.nan)
    axes.plot(found.height, nll_PxS, "_", color=draw.BLUE, ms=9, mew=1.2, zorder=5)

  return strokes


def _looks(found: xr.Dataset, names: list[str]) -> dict[str, dict]:
  """Returns how the predictors of one family are drawn; no two look alike."""
  kinds = dict(zip(found.predictor.values.tolist(), found.kind.values.tolist(), strict=True))
  shades = [draw.ORANGE, draw.GREEN, draw.PURPLE, draw.AMBER]
  looks: dict[str, Any] = {}
  for name in names:
    grey = kinds[name] == "untrained"
    place = len([other for other in looks if kinds[other] != "untrained"])
    dash = draw.DASHES[2] if grey else draw.DASHES[place // len(shades) % len(draw.DASHES)]
    colour = draw.GREY if grey else shades[place % len(shades)]
    looks[name] = {"color": colour, "lw": 1.3, "ls": dash, "ms": 4.5, "z": 3}
  return looks


def _network(shown: draw.Look) -> dict:
  return {"color": shown.colour, "lw": 2.4, "ls": shown.dash, "ms": 6, "z": 5}


APART = 0.14  # of the panel's width, from one number at an arrow to the next


def _line(found: xr.Dataset, name: str, limits, look, *, label=None, seen: str = "seen"):
  """Returns one predictor by height; hollow where it is seen, arrows at the limits."""
  one = found.isel(predictor=0).sortby("height")
  x_P, true_P = one.height.values, one[name].values
  y_P = np.clip(true_P, *limits)
  low_P, high_P = (
    np.clip(one[f"{name}_interval"].sel(end=end).values, *limits) for end in results.ENDS
  )
  beyond_P, seen_P = y_P != true_P, one[seen].values
  fill = lambda hollow: "white" if hollow else look["color"]

  def plot(axes):
    line = {"color": look["color"], "lw": look["lw"], "ls": look["ls"], "zorder": look["z"]}
    axes.plot(x_P, y_P, label=label, **line)
    for hollow in (False, True):
      here_P = ~beyond_P & (seen_P == hollow)
      if here_P.any():
        reach = np.maximum([y_P - low_P, high_P - y_P], 0)[:, here_P]
        axes.errorbar(
          x_P[here_P],
          y_P[here_P],
          yerr=reach,
          fmt="o",
          color=look["color"],
          mfc=fill(hollow),
          ms=look["ms"],
          lw=1.1,
          capsize=2.5,
          zorder=look["z"],
        )
    room = APART * np.log(x_P[-1] / x_P[0])
    said = 0.0
    for x, y, true, hollow in zip(*(v[beyond_P] for v in (x_P, y_P, true_P, seen_P)), strict=True):
      mark = {"marker": "v" if true < y else "^", "ms": look["ms"] + 2, "mfc": fill(hollow)}
      axes.plot([x], [y], color=look["color"], zorder=look["z"], **mark)
      if look["z"] == 5 and (not said or np.log(x / said) >= room):
        _say(axes, f"{true:.1f}", x, y, colour=look["color"], below=true < y)
        said = x

  return plot


def _say(axes, text: str, x: float, y: float, *, colour, below: bool) -> None:
  """Writes where the network is that left the panel, inside of its arrow."""
  axes.annotate(
    text,
    (x, y),
    (0, 8 if below else -8),
    textcoords="offset points",
    ha="center",
    va="bottom" if below else "top",
    fontsize=8,
    color=colour,
    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    zorder=6,
  )


def _frame(found: xr.Dataset, name: str, title: str, heights=None):
  """Returns what names the axes of a panel, for all `heights` that it shows."""
  heights = found.height.values if heights is None else heights

  def frame(axes):
    draw.log_x(heights)(axes)
    tens = [10.0**k for k in range(1, 16) if np.min(heights) <= 10.0**k <= np.max(heights)]
    if tens and axes.get_xscale() == "log":  # more would touch in a narrow panel
      written = "{:,.0f}".format if len(tens) < 3 else lambda ten: f"$10^{{{np.log10(ten):.0f}}}$"
      axes.set_xticks(tens, [written(ten) for ten in tens])
    axes.margins(x=0.08, y=0.06)
    label = results.label(found[name])
    if name == "excess":
      label = "nats per spacing"
    axes.set(xlabel=results.label(found.height), ylabel=label, title=title)

  return frame


def _marks(colour):
  """Returns the words of the legend for what a mark says."""

  def marks(axes):
    look = {"color": colour, "ls": "none"}
    axes.plot(
      [], [], "o", mfc="white", label="hollow: heights of its train or select split", **look
    )
    axes.plot([], [], "^", label="arrow: beyond the panel, see the table", **look)

  return marks


def _key(axes) -> None:
  axes.set_axis_off()
  axes.legend(loc="center", ncols=2)


# --- tables ---------------------------------------------------------------------------------------

SHOWN = ("nll", "r2", "excess")  # in a table of their own: a row per predictor


def tables(runs) -> list[tables_lib.Table]:
  """Returns predictors by height, run by run, then every measure with all of its digits."""
  wide = [_wide(run, found, name, len(runs)) for run, found in runs.items() for name in SHOWN]
  rows = [
    {"run": run, "height": float(height), "predictor": predictor}
    | {
      said: tables_lib.interval(found, name, height=height, predictor=predictor)
      for name, (said, _) in MEASURES.items()
    }
    | {"seen": bool(found.seen.sel(height=height, predictor=predictor))}
    for run, found in runs.items()
    for height in found.height.values
    for predictor in found.predictor.values.tolist()
  ]
  caption = "All measures by height; errors in mean spacings, NLL in nats per spacing."
  formats = {said: _form(name) for name, (said, _) in MEASURES.items()} | {"height": ",.0f"}
  return [*wide, tables_lib.Table(caption, rows, formats, "all")]


def _form(name: str) -> str:
  return "z.3f" if name in ("r2", "rmse") else "+z.3f"


def _wide(run: str, found: xr.Dataset, name: str, runs: int) -> tables_lib.Table:
  """Returns one measure: a row per predictor, a column per stretch."""
  seen = "excess_seen" if name == "excess" else "seen"
  heads = [_where(found.isel(height=p)) for p in range(found.sizes["height"])]
  rows = []
  for predictor in found.predictor.values.tolist():
    row = {"predictor": predictor}
    for head, height in zip(heads, found.height.values, strict=True):
      at = {"height": height, "predictor": predictor}
      shown = tables_lib.shown(tables_lib.interval(found, name, **at), _form(name))
      row[head] = f"{shown} ○" if bool(found[seen].sel(at)) else shown
    rows.append(row)
  paired = ", paired; over seeds too" if name == "excess" else ""
  caption = (
    f"{run}: {results.label(found[name])}{paired}, {found.scored:,} spacings per height, intervals"
    f" over blocks of {found.block:,} spacings. ○: fitted or chosen on data at these heights. Not"
    " drawn from: in train, but not among the spacings that training windows come from. Zero n: the"
    " first that is scored."
  )
  return tables_lib.Table(caption, rows, name=name if runs == 1 else f"{name} {run}")


def _where(place: xr.Dataset) -> str:
  """Returns which zeros a stretch has."""
  split = str(place.split.item())
  unread = split == "train" and not bool(place.drawn)
  where = "train, not drawn from" if unread else split
  return f"{float(place.height):,.0f} ({where}, zero {int(place.zero):,} …)"
