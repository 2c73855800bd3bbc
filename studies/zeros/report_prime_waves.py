"""The section of the report on the primes' waves in networks."""

import numpy as np
from primelens.lens import ledger as report_ledger
from primelens.lens import page
from primelens.studies.zeros import prime_waves_known as known
from primelens.studies.zeros import prime_waves_reading as reading
from primelens.studies.zeros import report_prime_waves_parts as parts_lib

_ABOUT = page.tag(
  "p",
  "What can be predicted of a sequence of zeros is a sum of waves at the"
  " logarithms of primes, with amplitudes 2 |sin(δ ln p / 2)| / (π √p). They"
  " are read out of predictions in two ways. First, by the waves in where the"
  " next zero is put: Landau's theorem makes the law exact for the truth at"
  " every prime, large ones too, and what is left of a wave in the errors says"
  " what was predicted of it. A line in the predictions alone proves nothing: a"
  " filter that knows the sine kernel and no primes passes on the waves of its"
  " inputs, with max-T p-values as small as anyone's. A prime whose wave stands"
  " out in the truth counts as known where less than a third of it is left by"
  " predictions that explain more than the sine kernel's filter does: its line"
  " is gone from the errors. That says nothing of how: a filter too short to"
  " tell the prime from its neighbours can do it. As errors that are small"
  " everywhere leave little of any wave, the same is counted at frequencies"
  " beside the primes and off all lines. Second, by the response to waves in"
  " the input: 1/|1 − H|² is the spectrum of zeros that a predictor of white"
  " errors believes in, and a prime is resolved where its peak is higher than"
  " all between the primes.",
)


def prime_waves(tables) -> page.Markup:
  """Returns the waves of every run."""
  caption = "implied spectra, amplitudes with the law, and what is known."
  each = report_ledger.each(tables, "prime_waves", caption, _waves)
  return page.join([_ABOUT, each])


def _waves(result) -> page.Markup:
  parts = [_table(result), _peaks(result)]
  if len(result.context_T) or len(result.step_C):
    parts.append(page.details("By context and by training", parts_lib.when(result)))
  parts.append(page.details("Layers and heads", _where(result)))
  if result.formulas:
    parts.append(page.details("Short formulas for amplitudes", _law(result)))
  return page.join(parts)


def _table(result) -> page.Markup:
  count = lambda row, key: "–" if row[key] != row[key] else f"{row[key]:.0f}"
  rows = [row for row in result.table if row["kind"] != "planted"]
  table = page.table(
    (
      "predictions",
      "NLL, nats",
      "R²",
      "primes known",
      "beside them",
      "half known to",
      "lines found",
      "correlation with the law",
      "slope",
    ),
    [
      (
        row["name"],
        "–" if row["nll_nats"] != row["nll_nats"] else page.number(row["nll_nats"]),
        page.number(row["r2"], digits=3),
        count(row, "known"),
        count(row, "beside"),
        count(row, "cutoff"),
        count(row, "found"),
        page.number(row["correlation"], digits=3),
        page.number(row["slope"], digits=3),
      )
      for row in rows
    ],
    caption=f"{result.spacings:,} spacings from height {result.height:,.0f} on,"
    f" {len(result.prime_Q)} primes; networks trained on {result.trained_on}."
    f" Known are some of the {rows[0]['stands']:.0f} whose wave is more than"
    f" {known.STANDS:.0f} times those beside it; beside them, how many of as"
    " many frequencies off all lines would pass for known; half of the primes"
    " are known up to the prime given."
    f" Lines are counted among the {rows[0]['judged']:.0f} primes with room"
    " beside them for a null off all lines.",
    marked=[i for i, row in enumerate(rows) if row["kind"] == "network"],
  )
  planted = [row for row in result.table if row["kind"] == "planted"]
  notes = [
    page.tag(
      "p",
      f"Control: of {row['primes']} waves planted at composites"
      f" {row['found']:.0f} are found, and {row['elsewhere']:.0f} where none"
      " is.",
    )
    for row in planted
  ]
  return page.join([table, *notes])


def _peaks(result) -> page.Markup:
  return page.table(
    ("response of", "inputs", "resolution", "primes apart", "resolved", "by chance", "which"),
    [
      (
        row["name"],
        str(row["inputs"]),
        page.number(row["width"], digits=3),
        str(row["apart"]),
        str(row["resolved"]),
        page.number(row["chance"], digits=1),
        row["which"] or "–",
      )
      for row in result.peaks
    ],
    caption="Primes whose peak in the implied spectrum is higher than all"
    " between primes, of those that the span of heights in sight can tell from"
    " their neighbours; and how many would be if peaks fell anywhere.",
    text=(0, 6),
    marked=[i for i, row in enumerate(result.peaks) if row["kind"] == "network"],
  )


def _where(result) -> page.Markup:
  """Returns the primes with a line of their own, by layer and by head."""
  found = lambda p_SxQ: (p_SxQ < reading.LEVEL).sum(-1)
  counts = lambda n_S: ", ".join(str(n) for n in n_S)
  rows = [
    (name.format(layer), counts(found(p_SxLxQ[:, layer])), "–")
    for layer in range(result.state_max_t_SxLxQ.shape[1])
    for name, p_SxLxQ in (
      ("states after layer {}", result.state_max_t_SxLxQ),
      ("the same, untrained", result.untrained_max_t_SxLxQ),
    )
  ]
  layers, heads = result.head_max_t_SxLxHxQ.shape[1:3]
  for layer, head in np.ndindex(layers, heads):
    lost = result.head_SxLxHxQ[:, layer, head].mean()
    p_SxQ = result.head_max_t_SxLxHxQ[:, layer, head]
    rows.append(
      (f"change made by head {layer}.{head}", counts(found(p_SxQ)), page.number(lost, digits=3))
    )
  judged = int((~np.isnan(result.state_max_t_SxLxQ[0, 0])).sum())
  return page.table(
    ("what", "primes with a line, by seed", "gain that goes with it"),
    rows,
    caption=f"Lines above all of the frequencies beside the primes (max-T over"
    f" the {judged} primes with room for such), of {result.part_spacings:,}"
    " spacings; the gain is a mean over primes and seeds. A state or a head"
    " passes on waves of its inputs: a line is no knowledge. States are those"
    " that the head would read, of slots their weighted mean.",
  )


def _law(result) -> page.Markup:
  return page.table(
    ("amplitudes of", "lines", "power of p", "factor", "given", "formula", "R² elsewhere"),
    [
      (
        row["name"],
        str(row["found"]),
        f"{row['power']:.3f} ± {row['power_error']:.3f}",
        page.number(row["factor"], digits=3),
        row["given"],
        row["expression"],
        page.number(row["test_r2"], digits=3),
      )
      for row in result.formulas
    ],
    caption="Given p: of the amplitude over 2 |sin(δ ln p / 2)|, whose law is"
    " p^(-1/2) / π = 0.318 p^(-0.5). Given p and x = δ ln p: of the amplitude"
    " itself, whose law is 0.637 sin(x / 2) / sqrt(p). A search is shown every"
    " other line; R² is of all other primes, most of them larger.",
    text=(0, 4, 5),
  )
