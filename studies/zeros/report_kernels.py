"""Section of the report on attention by distance."""

import collections

import numpy as np
from primelens.analyses import kernel_fits
from primelens.lens import ledger as report_ledger
from primelens.lens import page

# What the source printed: object, distance, form, R2.
PUBLISHED = (
  ("K1, scores of one head", "index", "1.20 cos(0.357 d - 2.05) exp(-0.0024 d) - 0.96", 0.934),
  (
    "K2, weights of all layers and heads",
    "unfolded",
    "(0.127 d + 0.062) exp(-1.16 sqrt d) + 0.0017",
    0.9927,
  ),
  (
    "K3, scores of the head of the highest score",
    "index",
    "31.67 sin(-0.0145 d + phi) exp(.) - 17.99; a sinc fits as well",
    0.9999,
  ),
  ("Flash L1.H2, softmax over all keys", "index", "0.102 sinc^2(d / 2.533) + 0.939", 0.806),
)
_NETWORKS = ("trained", "untrained", "uniform")


def kernels(tables) -> page.Markup:
  """Returns the kernels of all runs in tables, then every run's curves."""
  note = page.tag(
    "p",
    "Published kernels are of different things: scores before the softmax, or"
    " weights after it, of one head or of all, with the form chosen on the"
    " points reported. A causal row of weights sums to 1, so its mean falls"
    " with distance even where attention looks at nothing: that control is"
    " uniform attention, 1 / (i + 1). Scores are free of it once the mean of"
    " each row is taken off, which the softmax ignores. A family means"
    " something only where it beats a constant on held-out distances, on"
    " trained networks and not on untrained ones, and where no other family"
    " does as well.",
  )
  caption = "scores by distance, the published kernel, and families."
  curves = report_ledger.each(tables, "kernels", caption, _heads)
  return page.join([note, _as_published(), _kernels(tables), _between(tables), curves])


def _results(tables, name: str) -> dict:
  return {run: table[name].result for run, table in tables.items() if name in table}


def _as_published() -> page.Markup:
  return page.table(
    ("published kernel", "distance", "form", "R²"),
    [(*row[:3], page.number(row[3])) for row in PUBLISHED],
    caption="Published kernels as reported: in sample, one network each, no null.",
    text=(0, 1, 2),
  )


def _kernels(tables) -> page.Markup:
  """Returns the published family fitted to each network's kernel."""
  rows = []
  for run, result in _results(tables, "kernels").items():
    for network in _NETWORKS:
      found = [row for row in result.fits if row["network"] == network]
      own = [r for r in found if r["family"] == kernel_fits.STRETCHED]
      if not own:
        continue
      a, b, e = np.mean([row["amplitudes"] for row in own], axis=0)
      c = float(np.mean([row["rates"][0] for row in own]))
      mean = lambda key, own=own: page.number(float(np.mean([row[key] for row in own])), digits=3)
      other = [r["r2"] for r in found if r["family"] == kernel_fits.MONOTONE]
      rows.append(
        (
          run,
          network,
          mean("r2"),
          mean("skill"),
          f"({a:.3f} d + {b:.3f}) exp(-{c:.2f} √d) + {e:.4f}",
          mean("dip"),
          page.number(float(np.mean(other)), digits=3),
        )
      )
  return page.table(
    (
      "run",
      "network",
      "R²",
      "held-out skill",
      "(a d + b) exp(-c √d) + e",
      "dip in the first bin",
      "R² of the best monotone curve",
    ),
    rows,
    caption="The published kernel, weights after the softmax by unfolded"
    " distance, fitted by the published family; mean over seeds. The dip is a"
    " share of the highest value.",
    text=(0, 1, 4),
  )


def _between(tables) -> page.Markup:
  """Returns how far the published kernels of runs are apart."""
  found = _results(tables, "kernels")
  if not found:
    return page.join([])
  rows = []
  for run, result in found.items():
    own = result.kernel_PxSx59[0]
    cells = [page.number(_apart(own, other.kernel_PxSx59[0]), digits=3) for other in found.values()]
    rest = (_apart(own, result.kernel_PxSx59[p]) for p in (1, 2))
    rows.append((run, *cells, *(page.number(x, digits=3) for x in rest)))
  return page.table(
    ("run", *found, "untrained", "uniform"),
    rows,
    caption="Distance between published kernels: root mean square difference"
    " over the spread of the row's own, mean over pairs of seeds (on the"
    " diagonal: of different seeds). Runs on shuffled or simulated spacings"
    " belong here: what they share with the zeros is not of the zeros.",
  )


def _apart(one_Sx59, other_Sx59) -> float:
  """Returns the mean distance of two runs' kernels over their pairs of
  seeds; NaN where there is no pair."""
  found = []
  for s, one in enumerate(one_Sx59):
    for t, other in enumerate(other_Sx59):
      if one_Sx59 is other_Sx59 and s == t:
        continue
      known = np.isfinite(one) & np.isfinite(other)
      if known.any() and one[known].std() > 0:
        gap = np.sqrt(np.mean((one - other)[known] ** 2))
        found.append(gap / one[known].std())
  return float(np.mean(found)) if found else float("nan")


def _heads(result) -> page.Markup:
  winners = page.table(
    ("network", "criterion", "heads by family, most first", "median R²"),
    [
      _winners(result, network, by)
      for network in ("trained", "untrained")
      for by in ("aic", "bic", "held_out")
    ],
    caption="Families of the centred scores by index distance, all heads and"
    f" seeds, {result.windows:,} windows of test. AIC and BIC take distances"
    " for independent and give waves to untrained networks too.",
    text=(0, 1, 2),
  )
  rows = sorted(
    (row for row in result.heads if row["network"] == "trained"),
    key=lambda row: -row["physics_score_as_published"],
  )
  heads = page.table(
    (
      "head",
      "published score",
      "family by BIC",
      "R²",
      "held-out skill",
      "R² damped sinusoid",
      "R² sinc",
      "R² monotone",
      "correlation, positions alone",
      "content alone",
    ),
    [
      (
        f"seed {row['seed']}, L{row['layer']}.H{row['head']}",
        page.number(row["physics_score_as_published"], digits=1),
        row["bic"],
        *(
          page.number(row[key], digits=3)
          for key in (
            "r2",
            "skill",
            "r2_wave",
            "r2_sinc",
            "monotone_r2",
            "positions_correlation",
            "content_correlation",
          )
        ),
      )
      for row in rows[:16]
    ],
    caption="Heads in the order of the published score, which grows with scale"
    f" and with noise: untrained heads reach {_untrained_score(result):.1f}.",
    text=(0, 2),
  )
  details = page.details("Heads by the published score", heads)
  return page.join([winners, _ripples(result), details])


def _untrained_score(result) -> float:
  return max(
    row["physics_score_as_published"] for row in result.heads if row["network"] == "untrained"
  )


def _winners(result, network: str, by: str):
  rows = [row for row in result.heads if row["network"] == network]
  count = collections.Counter(row[by] for row in rows)
  said = "; ".join(f"{name} {number}" for name, number in count.most_common())
  known = [row["r2"] for row in rows if np.isfinite(row["r2"])]  # constant curves have none
  r2 = float(np.median(known)) if known else np.nan
  return network, by.replace("_", " "), said, page.number(r2, digits=3)


def _ripples(result) -> page.Markup:
  rows = []
  for network in ("trained", "untrained"):
    found = [row for row in result.ripples if row["network"] == network]
    best = max(found, key=lambda row: np.nan_to_num(row["r2"], nan=-np.inf))
    peaks = [row["peak"] / row["uniform"] for row in found]
    rows.append(
      (
        network,
        f"{min(peaks):.2f} … {max(peaks):.2f}",
        *(page.number(best[key], digits=3) for key in ("r2", "scale", "offset", "wavelength")),
      )
    )
  noise = float(np.median(result.noise_r2_R))
  return page.table(
    ("network", "peaks over 1 / keys", "R²", "scale", "offset", "wavelength"),
    rows,
    caption="The published Flash kernel: softmax over all"
    f" {result.keys} keys, no mask, and sinc² fitted to its first 16 distances;"
    f" the head of the highest R². Best of 16 curves of noise: {noise:.2f}.",
  )
