"""Claims on symmetric forms and on memory vectors, beside Gaussian draws."""

import numpy as np
from primelens.lens import claims as trial
from primelens.lens.claims import Claim, Verdict, verdict
from primelens.studies.zeros import published

REPOSITORY = published.REPOSITORY


def hermitian(results) -> Verdict:
  """Symmetry of every head against Gaussian pairs; the source's own number."""
  found = published.results(results, "hermiticity")
  share = {name: float(np.mean(result.p_holm_SxLxH < 0.05)) for name, result in found.items()}
  numbers = {f"{k}: share of heads below the null": v for k, v in share.items()}
  numbers |= {
    f"{name}: mean asymmetry": float(result.asymmetry_SxLxH.mean())
    for name, result in found.items()
  }
  because = (
    "A symmetric form has 0; independent Gaussian factors of width 128 have"
    " 1 - 1/128 = 0.992 on average, and the source's network 0.994 (z = 0.19),"
    " which it counts as refuted. "
    + "; ".join(
      f"{name}: mean {result.asymmetry_SxLxH.mean():.3f} (Gaussian "
      f"{result.null_mean:.3f} ± {result.null_sd:.3f}), "
      f"{int((result.p_holm_SxLxH < 0.05).sum())} of "
      f"{result.p_holm_SxLxH.size} heads and seeds below it after correction,"
      f" the lowest at {result.asymmetry_SxLxH.min():.2f}"
      for name, result in found.items()
    )
    + "."
  )
  return verdict(max(share.values()) > 0.5, because, numbers)


def ln_primes(results) -> Verdict:
  """Fourier peaks of memory vectors beside as many Gaussian vectors."""
  found = {
    name: result.slots
    for name, result in published.results(results, "hermiticity").items()
    if result.slots
  }
  if not found:
    raise trial.Missing(f"memory vectors of a run on {published.DATA}", analysis="hermiticity")
  least = {
    network: {
      name: min(row["p_holm"] for row in rows if row["network"] == network)
      for name, rows in found.items()
    }
    for network in ("trained", "untrained")
  }
  numbers = {
    f"{name}: p, {network}": p for network, each in least.items() for name, p in each.items()
  }
  because = (
    "The Fourier axis is the width of a vector, whose order no network knows."
    " Published p 0.60 and 0.37, against single vectors where the statistic"
    " averages slots; with as many slots, corrected over seeds, "
    + "; ".join(f"{name} p = {p:.2f}" for name, p in least["trained"].items())
    + ". The match with ln p was of 100 and more candidates to frequencies"
    " scaled by 2 pi D / 10."
  )
  trained, fresh = (min(each.values()) < 0.05 for each in least.values())
  if trained and not fresh:  # a peak, of whatever frequency
    because += " There is a peak, and whether it is at ln p is not decided."
    return Verdict(status="needs more compute", because=because, numbers=numbers)
  return verdict(trained, because, numbers, artefact=fresh)


CLAIMS = (
  Claim(
    id="hermiticity.emerges",
    statement="A Hermitian operator emerges: the form of queries and keys becomes symmetric.",
    source=f"{REPOSITORY}, Hermiticity test (refuted there)",
    reported="asymmetry 0.994, z = 0.19 of one network",
    test=hermitian,
  ),
  Claim(
    id="hermiticity.ln_primes",
    statement="Memory vectors hold the logarithms of primes as frequencies.",
    source=f"{REPOSITORY}, null test of the memory (refuted there)",
    reported="p = 0.60 and 0.368; amplitude 0.408 against 0.427 +- 0.054",
    test=ln_primes,
  ),
)
