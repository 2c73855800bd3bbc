"""Sections of the report on form factors and on operators made of kernels."""

import numpy as np
from primelens.lens import ledger as report_ledger
from primelens.lens import page

_MEANS = ("ramp_intercept", "ramp_slope", "window", "plateau")


def form_factor(tables) -> page.Markup:
  """Returns ramps, number variances, published plateaus and the peak."""
  note = page.tag(
    "p",
    "The published form factors were single values on a coarse grid of tau"
    " (Heisenberg time 2π there, 1 here), which scatter as much as their mean."
    " Here the sequence is cut into blocks and errors are over blocks. Rigidity"
    " is a form factor that starts at 0 with slope 1, and a number variance"
    " that hardly grows; spacings without correlations start at their variance"
    " and grow in proportion to L. Between tau 0.48 and 0.88, the published"
    " window, both lie near 0.65.",
  )
  caption = "form factor, number variance, and the peak at tau = 1."
  runs = report_ledger.each(tables, "form_factor", caption, _levels)
  return page.join([note, runs])


def _levels(result) -> page.Markup:
  return page.join(
    [
      _sequences(result),
      _jitter(result),
      _scaling(result),
      page.details("Number variance", _counts(result)),
      page.details("Published plateaus", _plateaus(result)),
    ]
  )


def _sequences(result) -> page.Markup:
  few = any(not row["enough_blocks"] for row in result.sequences)
  rows = []
  for row in result.sequences:
    cells = [
      page.bounded(row[key], row[f"{key}_low"], row[f"{key}_high"], digits=3, signed=False)
      for key in (*_MEANS, "squared_distance_gue")
    ]
    rows.append((row["sequence"], row["blocks"], f"{row['variance']:.4f}", *cells))
  said = " There are fewer than the 400 blocks asked for." if few else ""
  return page.table(
    (
      "sequence",
      "blocks",
      "variance",
      "ramp at tau 0",
      "ramp's slope",
      "tau 0.48 to 0.88",
      "tau 1.2 to 1.8",
      "squared distance, GUE",
    ),
    rows,
    caption=f"Form factor over blocks of {result.block} spacings, 95 %"
    " intervals over blocks. GUE: 0, 1, 0.68, 1, 0. At finite height zeros"
    f" have lines of the primes on top.{said}",
    marked=(0,),
  )


def _jitter(result) -> page.Markup:
  return page.table(
    (
      "jitter (bins)",
      "highest",
      "left",
      "left, exact",
      "published grid: left",
      "range over its offsets",
      "as published",
    ),
    [
      (
        f"{row['part_of_bin']:g}",
        page.short(row["peak"]),
        page.number(row["retention"], digits=3),
        page.number(row["expected_retention"], digits=3),
        page.number(row["retention_as_published"], digits=2),
        page.span(row["lowest_by_offset"], row["highest_by_offset"]),
        page.number(row["reported_retention"], digits=2),
      )
      for row in result.jitter
    ],
    caption="The peak at tau = 1 on a grid that resolves it, and on the"
    " published one, whose step is 150 widths of the peak; 'left' is the height"
    " over the height without jitter.",
    text=(),
  )


def _scaling(result) -> page.Markup:
  if not result.scaling:
    return page.join([])
  keys = ("binned_as_published", "binned_without_resonance", "resonance", "without_resonance")
  return page.table(
    (
      "spacings",
      "as published",
      "binned, this page",
      "without tau = 1",
      "not binned: K(1)",
      "without tau = 1",
    ),
    [
      (
        f"{row['spacings']:,}",
        page.number(row["reported"], digits=2),
        *(page.number(row[key], digits=2) for key in keys),
      )
      for row in result.scaling
    ],
    caption="The published plateau (28 points, published tau > 2) by number of"
    " spacings from the first: one of the points is the resonance.",
    text=(),
  )


def _counts(result) -> page.Markup:
  names = [row["sequence"] for row in result.sequences]
  rows = []
  for e, length in enumerate(result.length_E):
    cells = [
      f"{mean:.3f} ± {error:.3f}"
      for mean, error in zip(
        result.number_variance_VxE[:, e], result.number_variance_error_VxE[:, e], strict=True
      )
    ]
    exact = page.number(float(result.gue_number_variance_E[e]), digits=3)
    rows.append((f"{length:g}", *cells, exact))
  return page.table(
    ("L", *names, "GUE, exact"),
    rows,
    caption="Variance of the number of levels in a window of length L, with"
    " its standard error over stretches.",
    text=(),
  )


def _plateaus(result) -> page.Markup:
  return page.table(
    ("measure", "sequence", "value", "shuffled, mean", "spread"),
    [
      (
        row["measure"],
        row["sequence"],
        *(page.number(row[key], digits=3) for key in ("value", "shuffled_mean", "spread")),
      )
      for row in result.plateaus
    ],
    caption="Single values as published; spread: standard deviation over shuffles of the data.",
    text=(0, 1),
  )


def operators(tables) -> page.Markup:
  """Returns the level statistics of matrices made of kernels."""
  note = page.tag(
    "p",
    "The published test put kernels of the distance into a Toeplitz matrix,"
    " replaced the diagonal by noise and found Poisson spacings, for the sine"
    " kernel too. At whole distances the sine kernel is the identity, so that"
    " matrix was noise alone. The other two kernels have the same eigenvalues:"
    " cos(πd) changes the sign of every other basis vector. Any kernel of short"
    " range with that diagonal is localised; with less disorder the same kernel"
    " is not Poisson. A determinantal kernel is a projection, whose levels are"
    " drawn, not diagonalised.",
  )
  # Without data, every run gives the same: the first is enough.
  held = {run: table for run, table in tables.items() if "operators" in table}
  shown = dict(list(held.items())[:1]) or tables
  caption = "level statistics of operators made of kernels."
  runs = report_ledger.each(shown, "operators", caption, _operators)
  return page.join([note, runs])


def _operators(result) -> page.Markup:
  bounded = lambda row, key: page.bounded(
    row[key], row[f"{key}_low"], row[f"{key}_high"], digits=3, signed=False
  )
  rows = [
    (
      row["levels"],
      f"{row['disorder']:g}" if np.isfinite(row["disorder"]) else "–",
      page.number(row["small_share_as_published"], digits=3),
      page.number(row["variance_as_published"], digits=2),
      row["verdict_as_published"],
      bounded(row, "r_ratio"),
      bounded(row, "variance"),
    )
    for row in result.spectra
  ]
  spectra = page.table(
    (
      "levels",
      "disorder",
      "below 1/2",
      "variance",
      "published verdict",
      "r-ratio",
      "variance, unfolded",
    ),
    rows,
    caption=f"From rank 0.2 to 0.8 of {result.size:,} levels. As published: one"
    " matrix, not unfolded. r-ratio: 0.386 Poisson, 0.531 GOE, 0.600 GUE.",
    text=(0, 4),
  )
  process = page.table(
    ("levels", "spacings", "variance", "neighbours' correlation", "r-ratio"),
    [
      (
        row["levels"],
        row["spacings"],
        *(bounded(row, key) for key in ("variance", "neighbours", "r_ratio")),
      )
      for row in result.process
    ],
    caption="Levels drawn from the sine kernel. GUE: 0.180, -0.311, 0.600.",
  )
  return page.join([spectra, process])
