"""What can Toeplitz matrices of a kernel say?

The published test put kernels of the distance into a Toeplitz matrix, replaced the diagonal by
noise and found Poisson spacings, for the sine kernel too.

At whole distances the sine kernel is the identity, so that its matrix is noise alone. The other two
kernels have the same eigenvalues: cos(πd) changes the sign of every other basis vector. Any kernel
of short range with that diagonal is localised; with less disorder the same kernel is not Poisson. A
determinantal kernel is a projection, whose levels are drawn, not diagonalised. The matrices stand
beside ensembles of random matrices, and beside levels drawn from the sine kernel. No data and no
network are read, so that every run gives the same result.
"""

import dataclasses
from typing import Annotated

import numpy as np
import threadpoolctl
import xarray as xr
from primelens.analyses import sine_process, spacings, statistics, toeplitz
from primelens.analyses import spectra as spectra_lib
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import tables as tables_lib
from primelens.studies.zeros import program
from primelens.tasks import checks, surrogates

# --- published ------------------------------------------------------------------------------------

PUBLISHED_SIZE, PUBLISHED_DISORDER = 1000, 1.0
PUBLISHED_SEED = 42  # of the disorder


@dataclasses.dataclass(kw_only=True)
class Settings:
  """Matrices made of a kernel, and draws of the sine process."""

  size: Annotated[int, checks.Range(40, 20_000)] = PUBLISHED_SIZE  # of the matrices
  draws: checks.Several = 8  # of the disorder and of the ensembles
  disorders: Annotated[
    tuple[Annotated[float, checks.Range(0, 1e6, "(]")], ...], checks.Items(1, 100)
  ] = (PUBLISHED_DISORDER, 0.1, 0.01)
  samples: checks.Several = 60  # of the sine process
  sites: Annotated[int, checks.Range(16, 20_000)] = 2048
  density: Annotated[float, checks.Range(0, 0.5, "(]")] = 1 / 16  # points to a site
  seed: checks.Seed = 0

  def __post_init__(self):
    checks.fields(self)
    if self.density * self.sites < 8:
      raise checks.FieldError(
        f"density={self.density} must give 8 points on sites={self.sites}, or more."
      )


# --- levels of matrices, of ensembles, and drawn --------------------------------------------------

DENSITIES = (0.05, 0.25, 0.5, 1.0)
KERNEL = "published kernel"
# As published: off the diagonal, whole distances.
KERNELS = {
  KERNEL: toeplitz.stretched_as_published,
  "published kernel, times cos": toeplitz.alternating_as_published,
  "sine kernel, density 1": toeplitz.sine_kernel,
}
HALF = "sine kernel, density 1/2"
NONE = "no kernel: the disorder alone"
PROCESS = "sine process: levels drawn"
REFERENCES = ("Poisson", "GOE", "GUE")


def _eigenvalues(density: float, size: int) -> np.ndarray:
  matrix_NxN = toeplitz.matrix(_sine(density), size)
  return np.linalg.eigvalsh(matrix_NxN)[::-1]


def _sine(density: float):
  return lambda distance: toeplitz.sine_kernel(distance, density)


def _diagonal(size: int, seed: int) -> np.ndarray:
  """Returns the disorder; the first is the published one."""
  if seed == 0:
    return np.random.RandomState(PUBLISHED_SEED).normal(size=size)
  return np.random.default_rng(seed).normal(size=size)


def _kinds(settings):
  """Yields every kind of levels: name, disorder, and a draw by its seed."""
  size = settings.size
  kernels = KERNELS | {HALF: _sine(0.5)}
  for disorder in settings.disorders:
    for name, kernel in kernels.items():
      yield (
        name,
        disorder,
        lambda seed, kernel=kernel, disorder=disorder: toeplitz.levels(
          kernel, disorder * _diagonal(size, seed)
        ),
      )
  yield NONE, 1.0, lambda seed: np.sort(_diagonal(size, seed))
  rng = lambda seed: np.random.default_rng([settings.seed, seed])
  references = (
    lambda seed: np.sort(rng(seed).uniform(size=size)),
    lambda seed: spectra_lib.goe_null(size, 1, seed=seed)[0],
    lambda seed: surrogates.gue_eigenvalues(rng(seed), size),
  )
  for name, draw_levels in zip(REFERENCES, references, strict=True):
    yield name, np.nan, draw_levels


# --- their statistics -----------------------------------------------------------------------------


def _unfolded(level_N) -> np.ndarray:
  return toeplitz.central_spacings(level_N)


def _spectrum(name: str, disorder: float, draws) -> dict:
  raw_N = toeplitz.central_spacings_as_published(draws[0])
  share = toeplitz.small_share(raw_N)
  row = {
    "levels": name,
    "disorder": float(disorder),
    "small_share_as_published": share,
    "variance_as_published": float(raw_N.var()),
    "verdict_as_published": toeplitz.verdict_as_published(share),
  }
  central = [spacings.central(level_N, toeplitz.CENTRAL) for level_N in draws]
  ratio_R = np.array([spacings.r_ratio(level_N) for level_N in central])
  variance_R = np.array([_unfolded(level_N).var() for level_N in draws])
  return row | _bounded("r_ratio", ratio_R) | _bounded("variance", variance_R)


def _bounded(name: str, value_R) -> dict:
  found = statistics.seed_interval(value_R)
  return {
    name: float(found.estimate),
    f"{name}_low": float(found.low),
    f"{name}_high": float(found.high),
  }


def _process(draws) -> dict:
  """Returns the statistics of the sine process's spacings, over draws."""
  gaps = [np.diff(level_N) - 1 for level_N in draws]
  variance_R = np.array([np.mean(gap_N**2) for gap_N in gaps])
  beside_R = np.array([np.mean(g[1:] * g[:-1]) for g in gaps])
  ratio_R = np.array([spacings.r_ratio(level_N) for level_N in draws])
  scale = variance_R.mean()
  return (
    {"levels": PROCESS, "spacings": sum(map(len, gaps))}
    | _bounded("variance", variance_R)
    | _bounded("neighbours", beside_R / scale)
    | _bounded("r_ratio", ratio_R)
  )


# --- the result -----------------------------------------------------------------------------------

R_RATIO = "mean of smaller over larger spacing"
SPECTRUM = {
  "levels": "kind of levels",
  "disorder": "standard deviation of the diagonal",
  "small_share_as_published": "share of spacings below 1/2, one matrix, not unfolded",
  "variance_as_published": "variance of spacings, one matrix, not unfolded",
  "verdict_as_published": "published verdict",
  "r_ratio": R_RATIO,
  "variance": "variance of locally unfolded spacings",
}
DRAWN = {
  "levels": "kind of levels",
  "spacings": "number of spacings",
  "variance": "variance of spacings",
  "neighbours": "correlation of neighbouring spacings",
  "r_ratio": R_RATIO,
}
LAWS = ("GUE", "independent")


def measure(run) -> xr.Dataset:
  """Returns the level statistics of operators made of kernels."""
  settings = run.settings.operators
  with threadpoolctl.threadpool_limits(1, user_api="blas"):
    return _measured(settings)


def _measured(settings) -> xr.Dataset:
  size = settings.size
  spectra = []
  gaps: dict[str, np.ndarray] = {}
  for name, disorder, draw_levels in _kinds(settings):
    found = [draw_levels(seed) for seed in range(settings.draws)]
    spectra.append(_spectrum(name, disorder, found))
    gaps.setdefault(name, np.concatenate(list(map(_unfolded, found))))
  draws = toeplitz.sine_process(
    settings.seed, samples=settings.samples, size=settings.sites, density=settings.density
  )
  gaps[PROCESS] = np.concatenate([np.diff(level_N) for level_N in draws])
  # Drawn spacings are multiples of the density: edges between them.
  width = max(1, round(0.125 / settings.density))
  edge_B = settings.density * (0.5 + np.arange(0, 3 / settings.density + width, width))
  middle_Q = (edge_B[1:] + edge_B[:-1]) / 2
  shown = (gaps[PROCESS], gaps[KERNEL])
  laws = [np.diff(sine_process.spacing_cdf(edge_B, e)) for e in ("gue", "poisson")]
  density_VxQ = np.stack(
    [
      *(np.histogram(g, edge_B)[0] / len(g) / np.diff(edge_B) for g in shown),
      *(share_Q / np.diff(edge_B) for share_Q in laws),
    ]
  )
  identity_NxN = toeplitz.matrix(toeplitz.sine_kernel, size)
  variables = {
    **results.rows("spectra", spectra, SPECTRUM),
    **results.rows("process", [_process(draws)], DRAWN),
    "eigenvalue": results.variable(
      "density rank",
      np.stack([_eigenvalues(rho, size) for rho in DENSITIES]),
      "eigenvalue of the sine kernel alone",
    ),
    "spacing_density": results.variable("law spacing", density_VxQ, "density of spacings"),
  }
  names = ["sine process", f"{KERNEL}, disorder {settings.disorders[0]:g}", *LAWS]
  coords = {
    "density": results.variable("density", np.array(DENSITIES), "points to a site"),
    "rank": results.variable("rank", (1 + np.arange(size)) / size, "rank / size"),
    "law": results.variable("law", names, "whose spacings"),
    "spacing": results.variable("spacing", middle_Q, "spacing (mean 1)"),
  }
  return results.dataset(
    variables,
    coords,
    matrix_size=size,
    largest_off_diagonal=float(np.abs(identity_NxN - np.eye(size)).max()),
  )


# --- figures and tables ---------------------------------------------------------------------------

LIMITS = {"Poisson": 0.3863, "GOE": 0.5307, "GUE": 0.5996}


def _different(runs) -> dict[str, xr.Dataset]:
  """Returns the runs without those whose result is that of an earlier one, as without data it is.

  Only other settings give another.
  """
  kept: dict[str, xr.Dataset] = {}
  for run, found in runs.items():
    if not any(found.equals(other) for other in kept.values()):
      kept[run] = found
  return kept


def figures(runs) -> dict:
  """Returns a page for each run whose result is another than that of those before it."""
  return {run: _page(found) for run, found in _different(runs).items()}


def _page(found: xr.Dataset) -> draw.Page:
  count = found.sizes["spectra"] + found.sizes["process"]
  step = draw.curves(
    found.assign_coords(density=[f"density {value:g}" for value in found.density.values]),
    "eigenvalue",
    x="rank",
    colour="density",
    style={"marker": "", "lw": 1.4},
    zero=False,
    title="Eigenvalues of the sine kernel alone",
    ylabel="eigenvalue",
  )
  return draw.page(_ratios(found), (_spacings(found), step), heights=[1.6 + 0.17 * count, 4.0])


def _ratios(found: xr.Dataset) -> draw.Panel:
  """Returns the r-ratio of every kind of levels with its interval, and those of the ensembles."""
  rows = [*tables_lib.rows(found, "spectra"), *tables_lib.rows(found, "process")]

  def panel(axes):
    names, seen = [], set()
    for at, row in enumerate(rows):
      disorder = row.get("disorder", np.nan)
      shown = f", disorder {disorder:g}" if np.isfinite(disorder) else ""
      names.append(row["levels"] + shown)
      kind = "matrices with disorder" if shown else "drawn, without disorder"
      its = row["r_ratio"]
      look = {"color": draw.ORANGE if shown else draw.BLUE}
      label = None if kind in seen else kind
      axes.plot([its.low, its.high], [at, at], lw=1.5, label=label, **look)
      axes.plot(its.estimate, at, "o", ms=4, **look)
      seen.add(kind)
    for name, value in LIMITS.items():
      axes.axvline(value, color="black", lw=0.9, ls=":")
      place = {"xycoords": ("data", "axes fraction"), "ha": "center", "va": "bottom"}
      axes.annotate(name, (value, 1), fontsize=7.5, **place)
    axes.set_yticks(range(len(rows)), names, fontsize=7.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set(
      title="Ratio of neighbouring spacings, central 60 % of levels (bars: 95 %)\n",
      xlabel=f"{R_RATIO} (no unfolding)",
    )

  return panel


def _spacings(found: xr.Dataset) -> draw.Panel:
  """Returns the densities of spacings, of the two laws as dotted lines."""

  def panel(axes):
    for i, name in enumerate(found["law"].values):
      style = ":" if name in LAWS else "o"
      look = {"color": draw.COLOURS[i % 2], "ms": 3.5, "lw": 1.2, "label": name}
      axes.plot(found.spacing, found.spacing_density.sel(law=name), style, **look)
    axes.set(
      title="Spacings, locally unfolded",
      xlabel=results.label(found.spacing),
      ylabel=results.label(found.spacing_density),
    )

  return panel


def tables(runs) -> list[tables_lib.Table]:
  """Returns the statistics of matrices, and those of the sine process."""
  shown = _different(runs)
  sizes = tables_lib.distinct(f"{found.matrix_size:,}" for found in shown.values())
  limits = ", ".join(f"{value:.3f} {name}" for name, value in LIMITS.items())
  return [
    tables_lib.Table(
      f"From rank 0.2 to 0.8 of {sizes} levels. As published: one matrix, not unfolded. r-ratio:"
      f" {limits}.",
      [
        {
          "run": run,
          "levels": row["levels"],
          "disorder": row["disorder"] if np.isfinite(row["disorder"]) else None,
          "below 1/2": row["small_share_as_published"],
          "variance": row["variance_as_published"],
          "published verdict": row["verdict_as_published"],
          "r-ratio": row["r_ratio"],
          "variance, unfolded": row["variance"],
        }
        for run, found in shown.items()
        for row in tables_lib.rows(found, "spectra")
      ],
      {"disorder": "g", "variance": ".2f"}
      | dict.fromkeys(("below 1/2", "r-ratio", "variance, unfolded"), ".3f"),
      "spectra",
    ),
    tables_lib.of_runs(
      shown,
      "process",
      "Levels drawn from the sine kernel. GUE: variance 0.180, neighbours -0.311, r-ratio 0.600.",
      dict.fromkeys(("variance", "neighbours' correlation", "r-ratio"), ".3f"),
      {
        "levels": "levels",
        "spacings": "spacings",
        "variance": "variance",
        "neighbours' correlation": "neighbours",
        "r-ratio": "r_ratio",
      },
    ),
  ]


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()


@CLAIMS.add(
  "operators.toeplitz",
  "Toeplitz operators built from the kernel have Poisson spacings, and even the sine kernel does: "
  "the kernel is not the operator.",
  reported=f"Poisson for all three kernels, N = {PUBLISHED_SIZE}, disorder {PUBLISHED_DISORDER:g}",
  source=f"{program.REPOSITORY}, Toeplitz spectrum tests",
)
def poisson(results):
  """Returns the verdict: Poisson by the disorder, whatever the kernel, is an artefact."""
  found = program.on_published(results, told=True).first("operators")
  spectra = tables_lib.rows(found, "spectra")
  row = lambda name, disorder: claims.row(spectra, levels=name, disorder=disorder)
  strong, noise = row(KERNEL, PUBLISHED_DISORDER), row(NONE, 1.0)
  least = min(r["disorder"] for r in spectra if r["levels"] == KERNEL)
  weak = row(KERNEL, least)
  (process,) = tables_lib.rows(found, "process")
  said = lambda its, name: format(its[name], ".3f")
  because = (
    f"at whole distances the sine kernel is the identity (beside the diagonal "
    f"at most {found.largest_off_diagonal:.1e}), so that its matrix is the "
    "disorder alone, and the kernel with and without cos(pi d) has the same "
    f"levels. With the published disorder the r-ratio is "
    f"{said(strong, 'r_ratio')}, without any kernel "
    f"{said(noise, 'r_ratio')}; with a disorder of {least:g} the same "
    f"kernel has {said(weak, 'r_ratio')}. Levels drawn from the sine "
    f"kernel have the spacings of the GUE: variance "
    f"{said(process, 'variance')}, r-ratio "
    f"{said(process, 'r_ratio')}. The test says nothing of the kernel."
  )
  values = {
    "largest off-diagonal of the sine kernel": found.largest_off_diagonal,
    "r-ratio, published kernel": strong["r_ratio"].estimate,
    "r-ratio, disorder alone": noise["r_ratio"].estimate,
    f"r-ratio, disorder {least:g}": weak["r_ratio"].estimate,
    "r-ratio, sine process": process["r_ratio"].estimate,
    "variance, sine process": process["variance"].estimate,
  }
  return claims.verdict(
    strong["verdict_as_published"] == "Poisson",
    because,
    values,
    artefact=noise["verdict_as_published"] == "Poisson",
  )
