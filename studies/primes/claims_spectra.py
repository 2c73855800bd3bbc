"""Claims on the spectrum of one weight matrix, beside its controls."""

import numpy as np
from primelens.analyses import spectra as spectra_lib
from primelens.analyses import spectra_nulls
from primelens.lens.claims import Verdict, verdict
from primelens.studies.primes.evidence import KERNEL, claim, noise, of, published, records

FINGERPRINT = 0.75  # of noise: an effective rank below it is a fingerprint
SIZE = 256  # rows of the matrices in the source
DEAD = "with one token queries and keys have no effect on the answer and a gradient of exactly 0"


def _rank(found) -> float:
  """Returns the first query matrix's effective rank over that of noise."""
  return published(found, "effective_rank") / noise(found, "effective_rank")


def rank(results) -> Verdict:
  """The effective rank: exact gradients, a mismatched kernel, shuffled gaps."""
  exact = _rank(of(results, "spectra"))
  kernel = _rank(of(results, "spectra", **KERNEL))
  shuffled = _rank(of(results, "spectra", **KERNEL, sequence="shuffled"))
  live = [
    row["effective_rank"] / row["effective_rank_null"]
    for row in records(of(results, "spectra"), live=True)
    if row["layer"] >= 0
  ]
  because = (
    f"{DEAD}: the first query matrix keeps {100 * exact:.0f} % of the rank of "
    "noise. Only a backward pass that does not fit its forward pass moves it, "
    f"to {100 * kernel:.0f} % for prime gaps and {100 * shuffled:.0f} % for "
    "the same gaps shuffled. Matrices that do take part keep "
    f"{100 * min(live):.0f} to {100 * max(live):.0f} %."
  )
  numbers = {"exact": exact, "mismatched": kernel, "shuffled": shuffled}
  return verdict(kernel < FINGERPRINT, because, numbers, artefact=shuffled < FINGERPRINT)


def ratio(results) -> Verdict:
  """The largest singular value over the mean: one outlier, and what is left
  without it."""
  found = of(results, "spectra", **KERNEL)
  at = [row["matrix"] for row in found.matrix].index("query/0")
  singular_SxK = np.asarray(found.singular_SxExK)[:, at]
  singular_SxK = singular_SxK[:, np.isfinite(singular_SxK[0])]
  own = float(np.median(spectra_lib.max_to_mean(singular_SxK)))
  rest_rank = spectra_lib.effective_rank(singular_SxK[:, 1:])
  rest = float(np.median(rest_rank)) / noise(found, "effective_rank")
  null = noise(found, "max_to_mean")
  because = (
    f"with a mismatched kernel the largest value is {own:.1f} times the mean "
    f"(noise {null:.1f}); without that one value the effective rank is "
    f"{100 * rest:.0f} % of that of noise. Rank, ratio, two clusters and "
    "balance are one number, the size of one outlier; with exact gradients "
    f"there is none ({published(of(results, 'spectra'), 'max_to_mean'):.1f})."
  )
  numbers = {"ratio": own, "noise": null, "rank_without": rest}
  return verdict(own > 2 * null, because, numbers, artefact=rest > 0.9)


def distance(results) -> Verdict:
  """The distance from one matrix of unit variance, untrained and trained."""
  found = of(results, "spectra")
  before, after = (published(found, "ks", when) for when in ("start", "end"))
  matched = float(np.median([r["ks_matched"] for r in records(found, matrix="query/0")]))
  null = noise(found, "ks_matched")
  because = (
    f"an untrained network has {before:.3f}, a trained one {after:.3f}: the "
    "reference has unit variance, so the distance measures how small weights "
    f"are. Matched in scale it is {matched:.3f} (noise {null:.3f})."
  )
  numbers = {"start": before, "end": after, "matched": matched}
  return verdict(after > 0.8, because, numbers, artefact=abs(after - before) < 0.1)


def baseline(results) -> Verdict:
  """The effective rank of noise, which needs no network."""
  del results
  null_RxK = spectra_nulls.singular_null((SIZE, SIZE))
  rank_R = spectra_lib.effective_rank(null_RxK)
  because = (
    f"noise of {SIZE} x {SIZE} has {rank_R.mean():.1f} (s.d. "
    f"{rank_R.std():.1f}, at most {rank_R.max():.1f} in {len(rank_R)} draws): "
    "its singular values are not all alike, so that it cannot be near "
    f"{SIZE}."
  )
  numbers = {"rank": float(rank_R.mean()), "largest": float(rank_R.max())}
  return verdict(bool(rank_R.max() > 254), because, numbers)


def spacings(results) -> Verdict:
  """The distance of level spacings from GOE, untrained and trained."""
  found = of(results, "spectra")
  before, after = (
    {name: published(found, name, when) for name in ("ks_goe", "ks_poisson")}
    for when in ("start", "end")
  )
  ratios = [r["r_ratio"] for r in records(found, live=True) if "r_ratio" in r]
  because = (
    f"untrained networks have {before['ks_goe']:.3f} to GOE and "
    f"{before['ks_poisson']:.3f} to Poisson, trained ones "
    f"{after['ks_goe']:.3f} and {after['ks_poisson']:.3f}: any symmetrised "
    "matrix of independent entries has GOE's spacings. Matrices that take part "
    f"have a mean ratio of neighbouring spacings of {np.mean(ratios):.3f} "
    "(GOE .531, Poisson .386)."
  )
  numbers = {f"{name}_end": value for name, value in after.items()}
  numbers |= {f"{name}_start": value for name, value in before.items()}
  return verdict(
    after["ks_goe"] < after["ks_poisson"],
    because,
    numbers,
    artefact=before["ks_goe"] < before["ks_poisson"],
  )


def symmetry(results) -> Verdict:
  """Two clusters of rows: in the kernel's matrix, shuffled, and in noise."""
  at = lambda **where: published(of(results, "spectra", **where), "quality")
  exact, kernel = at(), at(**KERNEL)
  shuffled = at(**KERNEL, sequence="shuffled")
  null = noise(of(results, "spectra"), "symmetry_quality")
  because = (
    f"two means split any cloud with a quality of {null:.2f}; exact gradients "
    f"give {exact:.2f}, a mismatched kernel {kernel:.1f} for prime gaps and "
    f"{shuffled:.1f} for shuffled ones: the two clusters are the signs of one "
    "outlier."
  )
  numbers = {"exact": exact, "mismatched": kernel, "shuffled": shuffled}
  return verdict(kernel > 3 * null, because, numbers, artefact=shuffled > 3 * null)


def chaos(results) -> Verdict:
  """The chaotic control with the start, order and schedule of the primes."""
  where = {"primes": {}, "chaos": {"sequence": "logistic"}}
  rank_of = {
    (name, std): _rank(of(results, "spectra", **KERNEL, **change, embedding_std=std))
    for name, change in where.items()
    for std in (0.02, 1.0)
  }
  wide, narrow = rank_of["primes", 1.0], rank_of["primes", 0.02]
  because = (
    "in the source the control started from embeddings fifty times as large. "
    f"Started alike, primes keep {100 * narrow:.0f} % of the rank of noise "
    f"and chaos {100 * rank_of['chaos', 0.02]:.0f} %; from the control's "
    f"start {100 * wide:.0f} and {100 * rank_of['chaos', 1.0]:.0f} %: the "
    "start alone makes the fingerprint go."
  )
  numbers = {f"{name}_{std}": value for (name, std), value in rank_of.items()}
  holds = narrow < FINGERPRINT < rank_of["chaos", 1.0]
  return verdict(holds, because, numbers, artefact=wide > FINGERPRINT)


def flows(results) -> Verdict:
  """Hyper-connections: unmoved queries, as in the plain encoder."""
  own, plain = (
    [row["distance"] for row in records(of(results, "spectra", **w), role="query")]
    for w in ({"flows": 4}, {})
  )
  because = (
    f"their query matrices move by at most {100 * max(own):.2f} % of their "
    f"size, those of the plain encoder by {100 * max(plain):.2f} %: {DEAD} in "
    "both, and weight decay alone acts."
  )
  numbers = {"flows": max(own), "plain": max(plain)}
  return verdict(max(own) < 0.05, because, numbers, artefact=max(plain) < 0.05)


CLAIMS = (
  claim(
    "spectra.rank",
    "4.1, 6.2",
    "Training on prime gaps compresses the network to a low rank.",
    "effective rank 44 (plan A) and 27 (plan B) of 256",
    rank,
  ),
  claim(
    "spectra.ratio",
    "4.1, 6.2",
    "One direction dominates: the largest singular value is a hundred times the mean.",
    "106 (plan A) and 128 (plan B), random 2.3",
    ratio,
  ),
  claim(
    "spectra.distance",
    "4.1, 6.3",
    "The spectra are far from random: their distance from a random matrix's is about 0.9.",
    "0.93 (A), 0.91 (B), 0.81 (C)",
    distance,
  ),
  claim(
    "spectra.baseline",
    "4.2",
    "An untrained network has an effective rank of 254.5.",
    "254.5 +- 0.9 of 256; later 205.9",
    baseline,
  ),
  claim(
    "spectra.spacings",
    "4.4",
    "Random-matrix (GOE) statistics emerge in networks trained on primes.",
    "distance from GOE 0.049 to 0.056",
    spacings,
  ),
  claim(
    "spectra.symmetry",
    "7.3",
    "Training on primes breaks a symmetry: rows fall into two clusters.",
    "quality 60 (A) and 44 (B), others 1.7",
    symmetry,
  ),
  claim(
    "spectra.chaos",
    "6.2, 7.1",
    "A chaotic sequence, trained alike, leaves no such fingerprint.",
    "effective rank 203 of 256, largest over mean 2.5",
    chaos,
  ),
  claim(
    "spectra.flows",
    "6.2, 7.2",
    "The fingerprint needs learnable mixing: hyper-connections leave spectra"
    " unchanged by training.",
    "effective rank about 51 of 64, as untrained",
    flows,
  ),
)
