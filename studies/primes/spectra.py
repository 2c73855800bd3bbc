"""Does the spectrum of a weight matrix say what a network learned of the primes?

The source read one corner of 256 x 256 of the first layer's queries, and took a low effective rank,
one large singular value, a distance from noise and two clusters of rows for a fingerprint of the
primes. With one token, queries and keys have no effect on the answer, and a gradient of exactly 0.

Here every matrix of every network is set beside noise of its shape and scale and beside its own
start, at the end and over training, and the networks beside others: on shuffled gaps and on chaos,
with other starts, with hyper-connections, and with a kernel whose backward pass does not fit its
forward pass, which makes the published fingerprint out of any sequence. Source:
docs/sources/primes.md, sections 4, 6.2 to 6.5 and 7.3.
"""

import numpy as np
import xarray as xr
from primelens.analyses import spectra as spectra_lib
from primelens.lens import claims, page, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies import spectra
from primelens.studies.primes import program

PUBLISHED = numbers_lib.published(__file__)
DEAD = ("query", "key")  # without effect where there is one key
FIRST = "query/0"  # the matrix that the source read

# --- the result -----------------------------------------------------------------------------------


def measure(run) -> xr.Dataset:
  """Returns the spectra of a run beside its errors, trained and left out."""
  one_token = not run.experiment.task.context
  found = spectra.read(run, dead=DEAD if one_token else (), scores=_scores)
  return program.dataset(run, found.variables, found.coords, **found.attrs)


def _scores(run, step_C: np.ndarray) -> spectra.Scores:
  found = program.curves(run)
  return spectra.Scores(
    train_SxC=found["trained_SxC"], test_SxC=found["held_SxC"], unit="squared error, z-scores"
  )


def as_published(found: xr.Dataset, name: str, when: str = "end") -> float:
  """Returns the median over members of a number of the first query matrix."""
  return float(np.median(found[f"as_published_{name}"].sel(when=when).values))


def noise(found: xr.Dataset, name: str) -> float:
  """Returns the mean of a metric over noise of the first query matrix's shape."""
  return found[f"{name}_null"].sel(matrix=FIRST).values[0].item()


# Numbers of the first query matrix, by the null that they are a share of.
SHARES = {
  "effective_rank": "effective_rank",
  "max_to_mean": "max_to_mean",
  "ks": "",
  "inter_cluster": "symmetry_inter",
  "balance": "symmetry_balance",
  "quality": "symmetry_quality",
}


def numbers(found: xr.Dataset) -> dict[str, numbers_lib.Own]:
  """Returns the source's numbers of the first query matrix, each as a share of that of noise.

  Of a run with enough networks to decide a claim. Of one with a mismatched kernel also those that
  docs/sources/primes.md, section 6.2, gives of networks with such a kernel, as they are.
  """
  if found.sizes["seed"] < program.SEEDS:
    return {}
  plan, _, variant = found.population.partition(", ")
  values = {f"{plan}/{name}": _share(found, name, null) for name, null in SHARES.items()}
  if variant:
    values |= {f"{found.population}/{name}": own for name, own in _toy(found).items()}
  return {key: value for key, value in values.items() if key in PUBLISHED}


def _share(found: xr.Dataset, name: str, null: str) -> numbers_lib.Own:
  own_S, start_S = (found[f"as_published_{name}"].sel(when=w).values for w in ("end", "start"))
  over = noise(found, null) if null else 1.0
  return numbers_lib.Own(own_S / over, start_S / over)


def _toy(found: xr.Dataset) -> dict[str, numbers_lib.Own]:
  """Returns numbers of every network: of the first query matrix, and of the first value matrix."""
  last = found.sel(when="end")
  at = lambda matrix, place: found["singular"].sel(matrix=matrix).isel(place=place).values
  values = {
    "toy_effective_rank": last["as_published_effective_rank"].values,
    "toy_max_to_mean": last["as_published_max_to_mean"].values,
    "toy_s1": at(FIRST, 0),
    "toy_s2": at(FIRST, 1),
    "toy_value_s1": at("value/0", 0),
  }
  return {name: numbers_lib.Own(value_S) for name, value_S in values.items()}


# --- figures, tables, the line of the summary -----------------------------------------------------

NEAR = 0.1  # of the ratio of noise


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one with every run in a row."""
  pages = {run: spectra.page(run, found) for run, found in runs.items()}
  pages |= {f"{run}, levels": spectra.levels_page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  return {"all runs": _overview(runs)} | pages


def _overview(runs) -> draw.Page:
  rows = overview(runs)
  said = "effective rank over that of noise"
  names = {
    "query": "first queries, as the source read",
    "live": "least of the matrices that have an effect",
  }
  made = results.dataset(
    {"rank": results.variable("run which", [[row[key] for key in names] for row in rows], said)},
    {"run": [row["run"] for row in rows], "which": list(names.values())},
  )
  return draw.page(
    draw.together(
      draw.level(1, along="x"),
      draw.strips(made, "rank", y="run", colour="which", title="Effective rank (dashed: noise)"),
    ),
    heights=[1.8 + 0.26 * len(rows)],
  )


def overview(runs) -> list[dict]:
  """Returns each run's rank of the first query matrix over noise, the median over seeds, and the
  least one of the matrices of the layers that have an effect."""
  records = []
  for run, found in runs.items():
    share = spectra.over_noise(found)
    first = np.median(share.sel(matrix=FIRST).values)
    records.append({"run": run, "query": float(first), "live": float(live_ranks(found).min())})
  return records


def live_ranks(found: xr.Dataset) -> np.ndarray:
  """Returns the ranks over noise of those matrices of the layers that have an effect."""
  its = spectra.of_matrices(found, live=True)
  return spectra.over_noise(its).values[its["layer"].values >= 0]


def tables(runs) -> list[tables_lib.Table]:
  """Returns the published table beside all runs, every matrix of them, their levels, and the
  source's own numbers."""
  return [
    tables_lib.Table(
      "The published table: numbers of the first layer's queries, over those of noise, by plan."
      f" {program.SEEDS} networks decide a claim.",
      [row for plan in _plans() for row in _published_rows(plan, runs)],
      {"networks": "d"},
      name="plans",
    ),
    spectra.table(runs),
    spectra.level_table(runs),
    spectra.published_table(runs),
  ]


def _plans() -> list[str]:
  """Returns the source's plans that have a published spectrum."""
  return [plan for plan in program.PLANS if f"{plan}/effective_rank" in PUBLISHED]


def _published_rows(plan: str, runs) -> list[dict]:
  """Returns the source's numbers of a plan beside those of every run of it, and why there is none.

  Medians over networks, at the end of training and at the start.
  """
  rows = []
  for name, null in SHARES.items():
    entry = PUBLISHED[f"{plan}/{name}"]
    source = float(entry.source)
    first = {"plan": plan, "quantity": entry.quantity.partition(": ")[2], "source": source}
    first["source, share"] = source / (entry.null or 1)
    its = program.of_plan(plan, runs)
    for run, found in its.items():
      own = _share(found, name, null)
      rows.append(
        first
        | program.about(run, found)
        | {"share here": float(np.median(own.value_S))}
        | {"untrained": float(np.median(own.untrained_S))}
        | {"remark": program.why_undecided(found)}
      )
    rows += [] if its else [first | program.NO_RUN]
  return rows


def line(runs) -> str:
  """Returns a sentence on the runs whose largest singular value is not that of noise."""
  words = {run: _ratio(found) for run, found in runs.items()}
  said = [f"{run} {word}" for run, word in words.items() if word]
  return f"Largest singular value over the mean, where not as noise: {'; '.join(said) or 'none'}."


def _ratio(found: xr.Dataset) -> str:
  own, null = as_published(found, "max_to_mean"), noise(found, "max_to_mean")
  if abs(own / null - 1) < NEAR:
    return ""
  return f"{page.short(own)} (noise {page.short(null)})"


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
FINGERPRINT = 0.75  # of noise: an effective rank below it is a fingerprint
SIZE = 256  # rows of the matrices in the source
NO_EFFECT = (
  "with one token, queries and keys have no effect on the answer, and a gradient of exactly 0"
)


def _said(plan: str, quantity: str, digits: int = 0) -> str:
  return f"{float(PUBLISHED[f'{plan}/{quantity}'].source):.{digits}f}"


def _rank(found) -> float:
  """Returns the first query matrix's effective rank over that of noise."""
  return as_published(found, "effective_rank") / noise(found, "effective_rank")


@CLAIMS.add(
  "spectra.rank",
  "Training on prime gaps compresses the network to a low rank.",
  reported=f"effective rank {_said('plan A', 'effective_rank')} (plan A) and"
  f" {_said('plan B', 'effective_rank')} (plan B) of {SIZE}",
  source=program.claimed("sections 4.1, 6.2"),
)
def rank(results):
  """Returns the verdict on the effective rank: of exact gradients, a kernel, shuffled gaps."""
  exact = _rank(program.of(results, "spectra"))
  kernel = _rank(program.of(results, "spectra", **program.KERNEL))
  shuffled = _rank(program.of(results, "spectra", **program.KERNEL, sequence="shuffled"))
  live = live_ranks(program.of(results, "spectra"))
  because = (
    f"{NO_EFFECT}: the first query matrix keeps {100 * exact:.0f} % of the effective"
    " rank of noise. A backward pass that does not fit its forward pass, with an assumed"
    f" mismatch, brings it to {100 * kernel:.0f} % for prime gaps and {100 * shuffled:.0f} % for"
    " the same gaps shuffled. With exact gradients, the layers' matrices that have an effect on the"
    f" answer keep {100 * live.min():.0f} to {100 * live.max():.0f} %, over all networks."
  )
  numbers = {"exact": exact, "mismatched": kernel, "shuffled": shuffled}
  return claims.verdict(kernel < FINGERPRINT, because, numbers, artefact=shuffled < FINGERPRINT)


@CLAIMS.add(
  "spectra.ratio",
  "One direction dominates: the largest singular value is many times the mean.",
  reported=f"{_said('plan A', 'max_to_mean')} (plan A) and"
  f" {_said('plan B', 'max_to_mean')} (plan B), random"
  f" {PUBLISHED['plan A/max_to_mean'].null:.1f}",
  source=program.claimed("sections 4.1, 6.2"),
)
def ratio(results):
  """Returns the verdict on the largest singular value over the mean: one outlier, and what is left
  without it."""
  found = program.of(results, "spectra", **program.KERNEL)
  singular_SxK = found["singular"].sel(matrix=FIRST).values
  singular_SxK = singular_SxK[:, np.isfinite(singular_SxK[0])]
  own = float(np.median(spectra_lib.max_to_mean(singular_SxK)))
  rest_rank = spectra_lib.effective_rank(singular_SxK[:, 1:])
  rest = float(np.median(rest_rank)) / noise(found, "effective_rank")
  null, size = noise(found, "max_to_mean"), singular_SxK.shape[1]
  exact = as_published(program.of(results, "spectra"), "max_to_mean")
  because = (
    "with a mismatched kernel the largest singular value of the first query matrix is"
    f" {own:.1f} times the mean (noise {null:.1f}; at most {size} in a matrix of this size);"
    f" without that one value the effective rank is {100 * rest:.0f} % of that of noise. Rank,"
    " ratio, two clusters and their balance are one number, the size of one outlier. With exact"
    f" gradients the largest is {exact:.1f} times the mean."
  )
  numbers = {"ratio": own, "noise": null, "rank_without": rest}
  return claims.verdict(own > 2 * null, because, numbers, artefact=rest > 0.9)


@CLAIMS.add(
  "spectra.distance",
  "The spectra are far from random: their distance from a random matrix's is about 0.9.",
  reported=f"{_said('plan A', 'ks', 2)} (A), {_said('plan B', 'ks', 2)} (B),"
  f" {_said('plan C', 'ks', 2)} (C)",
  source=program.claimed("sections 4.1, 6.3"),
)
def distance(results):
  """Returns the verdict on the distance from one matrix of unit variance, untrained and trained."""
  found = program.of(results, "spectra")
  before, after = (as_published(found, "ks", when) for when in ("start", "end"))
  matched = float(np.median(found["ks_matched"].sel(matrix=FIRST).values))
  null = noise(found, "ks_matched")
  because = (
    "the Kolmogorov-Smirnov distance of the first query matrix's singular values from those of a"
    f" random matrix is {before:.3f} for untrained networks and {after:.3f} for trained ones"
    " (medians over networks): the random matrix has unit variance, so that the distance measures"
    f" how small the weights are. From the law of noise of their own scale it is {matched:.3f}"
    f" (noise itself {null:.3f})."
  )
  numbers = {"start": before, "end": after, "matched": matched}
  return claims.verdict(after > 0.8, because, numbers, artefact=abs(after - before) < 0.1)


@CLAIMS.add(
  "spectra.baseline",
  "An untrained network has an effective rank of 254.5.",
  reported="254.5 +- 0.9 of 256; later 205.9",
  source=program.claimed("section 4.2"),
)
def baseline(results):
  """Returns the verdict on the effective rank of noise, which needs no network."""
  del results
  null_RxK = spectra_lib.singular_null((SIZE, SIZE))
  rank_R = spectra_lib.effective_rank(null_RxK)
  because = (
    f"noise of {SIZE} x {SIZE} has an effective rank of {rank_R.mean():.1f} (s.d."
    f" {rank_R.std():.1f}, at most {rank_R.max():.1f} in {len(rank_R)} draws), as the source's"
    " later baseline has: singular values of noise are not all alike, so that the rank cannot be"
    f" near {SIZE}."
  )
  numbers = {"rank": float(rank_R.mean()), "largest": float(rank_R.max())}
  return claims.verdict(bool(rank_R.max() > 254), because, numbers)


@CLAIMS.add(
  "spectra.spacings",
  "Random-matrix (GOE) statistics emerge in networks trained on primes.",
  reported="distance from GOE 0.049 to 0.056",
  source=program.claimed("section 4.4"),
)
def spacings(results):
  """Returns the verdict on the distance of level spacings from GOE, untrained and trained."""
  found = program.of(results, "spectra")
  before, after = (
    {name: as_published(found, name, when) for name in ("ks_goe", "ks_poisson")}
    for when in ("start", "end")
  )
  live = spectra.of_matrices(found, live=True)
  # Small matrices have too few levels.
  ratios = live["r_ratio"].values[live["levels_of"].values != ""] if "r_ratio" in live else []
  because = (
    "the Kolmogorov-Smirnov distances of the first query matrix's level spacings, medians over"
    f" networks, are {before['ks_goe']:.3f} from GOE and {before['ks_poisson']:.3f} from Poisson"
    f" before training, {after['ks_goe']:.3f} and {after['ks_poisson']:.3f} after it: any"
    " symmetrised matrix of independent entries has GOE's spacings. Matrices that have an effect"
    f" on the answer have a mean ratio of neighbouring spacings of {np.mean(ratios):.3f}"
    " (GOE .531, Poisson .386)."
  )
  numbers = {f"{name}_end": value for name, value in after.items()}
  numbers |= {f"{name}_start": value for name, value in before.items()}
  return claims.verdict(
    after["ks_goe"] < after["ks_poisson"],
    because,
    numbers,
    artefact=before["ks_goe"] < before["ks_poisson"],
  )


@CLAIMS.add(
  "spectra.symmetry",
  "Training on primes breaks a symmetry: rows fall into two clusters.",
  reported=f"quality {_said('plan A', 'quality')} (A) and {_said('plan B', 'quality')} (B),"
  " others 1.7",
  source=program.claimed("section 7.3"),
)
def symmetry(results):
  """Returns the verdict on two clusters of rows: in the kernel's matrix, shuffled, and in noise."""
  at = lambda **where: as_published(program.of(results, "spectra", **where), "quality")
  exact, kernel = at(), at(**program.KERNEL)
  shuffled = at(**program.KERNEL, sequence="shuffled")
  null = noise(program.of(results, "spectra"), "symmetry_quality")
  because = (
    "two clusters (k-means) split any cloud of points. Their quality, the distance of the centres"
    f" over the mean distance of the points from them, is {null:.2f} for noise, {exact:.2f} with"
    f" exact gradients, and with a mismatched kernel {kernel:.1f} for prime gaps and"
    f" {shuffled:.1f} for shuffled ones: the two clusters are the signs of one outlier."
  )
  numbers = {"exact": exact, "mismatched": kernel, "shuffled": shuffled}
  return claims.verdict(kernel > 3 * null, because, numbers, artefact=shuffled > 3 * null)


@CLAIMS.add(
  "spectra.chaos",
  "A chaotic sequence, trained alike, does not give the weights the low rank that prime gaps give"
  " them.",
  reported=f"effective rank {_said('chaos with a table', 'effective_rank')} of {SIZE}, largest over"
  f" mean {_said('chaos with a table', 'max_to_mean', 1)}",
  source=program.claimed("sections 6.2, 7.1"),
)
def chaos(results):
  """Returns the verdict on the chaotic control with the start, order and schedule of the primes."""
  small = program.PLAN_A["embedding_std"]
  large = program.PLANS["chaos with a table"]["embedding_std"]
  where = {"primes": {}, "chaos": {"sequence": "logistic"}}
  rank_of = {
    (name, std): _rank(
      program.of(results, "spectra", **program.KERNEL, **change, embedding_std=std)
    )
    for name, change in where.items()
    for std in (small, large)
  }
  wide, narrow = rank_of["primes", large], rank_of["primes", small]
  artefact = wide > FINGERPRINT
  because = (
    f"in the source the chaotic control started from embeddings {large / small:.0f} times as large"
    " as those of the primes. With a mismatched kernel and from the start of the primes (standard"
    f" deviation {small}) the first query matrix keeps {100 * narrow:.0f} % of the effective rank"
    f" of noise for prime gaps and {100 * rank_of['chaos', small]:.0f} % for chaos; from the"
    f" control's start ({large}) {100 * wide:.0f} % for prime gaps and"
    f" {100 * rank_of['chaos', large]:.0f} % for chaos."
  )
  if artefact:
    because += (
      " From that start prime gaps leave no fingerprint either, so that the published comparison,"
      " of two sequences from two starts, does not show which of both made the difference."
    )
  numbers = {f"{name}_{std}": value for (name, std), value in rank_of.items()}
  holds = narrow < FINGERPRINT < rank_of["chaos", large]
  return claims.verdict(holds, because, numbers, artefact=artefact)


@CLAIMS.add(
  "spectra.flows",
  "The fingerprint needs learned mixing of residual streams: with identity hyper-connections, which"
  " do not mix theirs, training leaves spectra unchanged.",
  reported="effective rank about 51 of 64, as untrained",
  source=program.claimed("sections 6.2, 7.2"),
)
def flows(results):
  """Returns the verdict on hyper-connections: unmoved queries, as in the plain encoder."""
  own, plain = (
    spectra.of_matrices(program.of(results, "spectra", **where), role="query")["distance"].values
    for where in ({"flows": 4}, {})
  )
  because = (
    "the query matrices of networks with identity hyper-connections (several residual streams; the"
    " matrix that would mix them is the identity) move by at most"
    f" {100 * own.max():.2f} % of their size, those of the plain encoder by at most"
    f" {100 * plain.max():.2f} %. In both, {NO_EFFECT}: weight decay alone acts."
  )
  numbers = {"flows": own.max(), "plain": plain.max()}
  return claims.verdict(own.max() < 0.05, because, numbers, artefact=plain.max() < 0.05)
