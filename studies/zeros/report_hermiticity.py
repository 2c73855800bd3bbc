"""Section of the report on symmetric forms and memory vectors."""

import numpy as np
from primelens.lens import ledger as report_ledger
from primelens.lens import page


def hermiticity(tables) -> page.Markup:
  """Returns the symmetry of the heads and the test of the memory vectors."""
  note = page.tag(
    "p",
    "H = W_q W_kᵀ of a head is symmetric at 0, antisymmetric without bound, and"
    " near 1 where queries and keys are independent (1 - 1 / D on average)."
    " Scale cancels, so Gaussian pairs of the same shape are the whole null."
    " Memory vectors were said to hold ln p as frequencies along their width,"
    " an axis whose order no network knows.",
  )
  found = {
    run: table["hermiticity"].result for run, table in tables.items() if "hermiticity" in table
  }
  rows = [
    (
      run,
      page.number(float(r.asymmetry_SxLxH.mean()), digits=3),
      f"{r.asymmetry_SxLxH.min():.3f} … {r.asymmetry_SxLxH.max():.3f}",
      page.number(float(r.untrained_SxLxH.mean()), digits=3),
      f"{r.null_mean:.3f} ± {r.null_sd:.3f}",
      f"{int((r.p_holm_SxLxH < 0.05).sum())} of {r.p_holm_SxLxH.size}",
      f"{float(np.median(r.rotation_SxLxH)):.2f} ({r.null_rotation:.2f})",
    )
    for run, r in found.items()
  ]
  forms = page.table(
    (
      "run",
      "mean asymmetry",
      "range",
      "untrained",
      "Gaussian pairs",
      "symmetric after Holm",
      "median rotation (Gaussian)",
    ),
    [("published, 1 network, D = 128", "0.994", "–", "–", "z = 0.19", "0 of 1", "2.78"), *rows],
    caption="Asymmetry of all heads and seeds; rotation is max |Im| over mean"
    " |Re| of the eigenvalues.",
  )
  caption = "asymmetry of every head, and memory vectors beside their null."
  runs = report_ledger.each(tables, "hermiticity", caption, _slots)
  return page.join([note, forms, runs])


def _slots(result) -> page.Markup:
  if not result.slots:
    text = result.slot_obstacle or "no memory vectors."
    return page.tag("p", text[:1].upper() + text[1:], class_="none")
  return page.table(
    (
      "memory vectors",
      "slots",
      "mean peak |FFT|",
      "null of as many slots",
      "p",
      "p, Holm",
      "p as published",
    ),
    [
      (
        f"{row['network']}, seed {row['seed']}",
        page.number(row["slots"]),
        page.number(row["statistic"], digits=3),
        f"{row['null']:.3f} ± {row['null_sd']:.3f}",
        *(page.number(row[key], digits=3) for key in ("p", "p_holm", "p_as_published")),
      )
      for row in result.slots
    ],
    caption="Published: 0.408 against 0.427 ± 0.054 (p 0.60), 0.606 against"
    " 0.591 ± 0.066 (p 0.368), both beside single vectors.",
  )
