"""Claims that probes decide: what is read, and what of it is training's."""

import numpy as np
from primelens.lens.claims import Verdict, interval, row, verdict
from primelens.studies.text.claims_parts import named, of

WELL = 0.99  # R2 of a sum that is decoded
MUCH = 0.5  # R2 of untrained networks that makes a reading theirs
PROBE = "256x2"
LAST = {"level": "final", "role": "?"}


def sums(results) -> Verdict:
  """x + y at the last character, beside untrained networks and characters."""
  found = row(of(results, "probes", "sum").probes, target="x + y", **LAST)
  because = (
    f"on pairs not seen R2 is {interval(found)}; untrained networks have "
    f"{found['untrained']:.2f}, the characters alone {found['inputs']:.2f}, "
    f"random labels of the sums {found['median'] - found['selectivity']:.2f}. "
    "The answer is a linear readout of the same state, so that this follows "
    "from a good answer."
  )
  holds = found["mean_low"] > WELL
  numbers = {k: found[k] for k in ("mean", "untrained", "inputs", "error_ratio")}
  return verdict(holds, because, numbers, artefact=found["untrained"] > WELL)


def everywhere(results) -> Verdict:
  """x + y at every role of the final states."""
  rows = [
    row
    for row in of(results, "probes", "sum").probes
    if (row["target"], row["level"]) == ("x + y", "final")
  ]
  least = min(row["median"] for row in rows)
  fresh = float(np.median([row["untrained"] for row in rows]))
  inputs = float(np.median([row["inputs"] for row in rows]))
  because = (
    f"R2 on pairs not seen is at least {least:.2f} at every one of {len(rows)} "
    f"roles; untrained networks have {fresh:.2f} in the median over roles, the "
    f"characters alone {inputs:.2f}: attention in both directions mixes all "
    "characters without any training."
  )
  numbers = {"least": least, "untrained": fresh, "inputs": inputs}
  return verdict(least > MUCH, because, numbers, artefact=fresh > MUCH)


def residue(results) -> Verdict:
  """The residue's circle at the last character, beside x + y."""
  rows = of(results, "probes", "modk").probes
  found = row(rows, target="residue", **LAST)
  sum_ = row(rows, target="x + y", **LAST)
  because = (
    "the probed number was x + y, not the residue: cos and sin of the "
    f"residue's angle have R2 {interval(found)} on pairs not seen, x + y "
    f"{interval(sum_)} and in untrained networks {sum_['untrained']:.2f}."
  )
  holds = found["mean_low"] > 0 and found["p"] <= 0.05
  numbers = {"residue": found["mean"], "sum": sum_["mean"]}
  numbers |= {"sum_untrained": sum_["untrained"]}
  return verdict(holds, because, numbers)


def nonlinear(results) -> Verdict:
  """The residue by a probe of two hidden layers, beside untrained states."""
  found = of(results, "nonlinear_probes", "modk")
  reads = {
    name: row(found.probes, probe=PROBE, target="residue", reads=name)
    for name in ("states", "untrained", "shuffled", "digits")
  }
  u = {
    name: row(found.digit_sums, rows="fresh pairs", reads=name, target="u")
    for name in ("states", "untrained")
  }
  mine = reads["states"]
  because = (
    f"a {PROBE} probe has R2 {interval(mine)} on pairs not seen, of untrained "
    f"networks {reads['untrained']['minimum']:.3f} to "
    f"{reads['untrained']['maximum']:.3f}, of permuted labels "
    f"{reads['shuffled']['median']:.3f}, of the digits alone "
    f"{reads['digits']['median']:.3f}. u = {found.weights}, which wraps at "
    f"most twice, is read by a line with R2 {u['states']['median']:.2f}, "
    f"untrained {u['untrained']['median']:.2f}; the probe does the wrapping."
  )
  control = max(reads["untrained"]["maximum"], reads["digits"]["maximum"])
  numbers = {name: row["median"] for name, row in reads.items()}
  numbers |= {f"u_{name}": row["median"] for name, row in u.items()}
  low = mine["mean_low"]
  return verdict(low > 0, because, numbers, artefact=control > low)


def first_component(results) -> Verdict:
  """PC1 beside the sum and beside the length of the prompt."""
  found = of(results, "geometry", "sum").measures
  at = lambda measure: row(found, rows="fresh pairs", pooling="last", measure=measure)
  sum_, length, second = at("PC1_r2"), at("PC1_by_length"), at("PC2_r2")
  because = (
    f"PC1 shares {sum_['median']:.2f} of its variance with the sum and "
    f"{length['median']:.2f} with the number of characters, untrained networks "
    f"{sum_['untrained']:.2f} and {length['untrained']:.2f}; PC2 has "
    f"{second['median']:.2f} of the sum. PC1's scores in the place of the sum, "
    "as published, have a negative R2 whatever the network."
  )
  numbers = {"sum": sum_["median"], "length": length["median"]}
  return verdict(sum_["median"] > MUCH, because, numbers)


CLAIMS = (
  named(
    "probes.sum",
    "5.1, 6.1",
    "The sum is linearly decodable from the last character's state.",
    "R2 0.998, fitted and scored on the same rows",
    sums,
  ),
  named(
    "probes.everywhere",
    "5.1, 6.2",
    "The sum is at every position.",
    "R2 0.88 to 0.95, fitted and scored on the same rows",
    everywhere,
  ),
  named(
    "probes.residue",
    "0.3, 4.1",
    "The residue is linearly decodable where sums modulo 97 are asked for.",
    "a plot of R2 0.63 titled as the residue's",
    residue,
  ),
  named(
    "nonlinear.residue",
    "0.10, 5.4, 6.7",
    "A nonlinear probe reads the residue modulo 97 from the states.",
    "R2 0.41 of a 256x2 probe, one network, scored on the rows it stopped by",
    nonlinear,
  ),
  named(
    "geometry.pc1",
    "4.8",
    "The first principal component of the states is the sum's.",
    "drawn as 'PC1 R2'; no number was kept",
    first_component,
  ),
)
