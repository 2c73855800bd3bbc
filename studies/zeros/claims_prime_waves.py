"""Claims on primes in networks, decided by the waves in their predictions."""

import numpy as np
from primelens.studies import trial
from primelens.studies.trial import Claim
from primelens.studies.trial import Verdict
from primelens.studies.trial import verdict
from primelens.studies.zeros import published
from primelens.studies.zeros import verdicts_networks as networks

SEVERAL = 3  # primes with a peak of their own


def _zeros(results) -> list:
  """Returns names and waves of networks trained on the published data."""
  return list(published.results(results, "prime_waves").items())


def _control(results, kind: str) -> list:
  """Returns names and waves of networks trained on a control."""
  trained = lambda table: table["prime_waves"].trained_on == kind
  found = trial.need(results, "prime_waves", trained, f"trained on {kind}")
  return list(found.items())


def _counts(result, kind: str, key: str, table: str = "table") -> list[float]:
  return [
    float(row[key]) for row in getattr(result, table) if row["kind"] == kind
  ]


def _of_networks(results, holds: bool, because: str, numbers) -> Verdict:
  """Returns the verdict of a claim about networks of the published size."""
  names = [name for name, _ in _zeros(results)]
  if not networks.published_size(results, names):
    return networks.undecided(because, numbers)
  return verdict(holds, because, numbers)


def learned(results) -> Verdict:
  """The network learned the primes: peaks of its own, beside a control's."""
  name, zeros = max(
    _zeros(results),
    key=lambda item: np.mean(_counts(item[1], "network", "known")),
  )
  known = _counts(zeros, "network", "known")
  echo = _counts(zeros, "kernel", "known")
  lines = _counts(zeros, "kernel", "found")
  peaks = _counts(zeros, "network", "resolved", "peaks")
  fresh = _counts(zeros, "untrained", "known")
  filters = {
    row["name"]: row["known"] for row in zeros.table if row["kind"] == "filter"
  }
  best = max(filters, key=lambda key: filters[key])
  which = next(
    (row["which"] for row in zeros.peaks if row["kind"] == "network"), ""
  )
  because = (
    f"less than a third of the wave is left in the errors of {name} at "
    f"{np.mean(known):.0f} of {len(zeros.prime_Q)} primes (fresh "
    f"{np.mean(fresh):.0f}, {best} {filters[best]:.0f}, the sine kernel "
    f"{np.mean(echo):.0f}). As peaks of its own response it has "
    f"{np.mean(peaks):.1f} ({which or 'none'}); the others are a band that it "
    f"does not tell apart. Lines in predictions are no evidence: a filter that "
    f"knows no primes has {np.mean(lines):.0f}, passed on from its inputs."
  )
  numbers = {
    "known": float(np.mean(known)),
    "resolved": float(np.mean(peaks)),
    "known to the sine kernel": float(np.mean(echo)),
    "lines of the sine kernel": float(np.mean(lines)),
  }
  chance = np.mean(_counts(zeros, "network", "chance", "peaks"))
  holds = min(peaks) >= SEVERAL + chance and min(known) > 2 * max(echo) + 5
  return _of_networks(results, bool(holds), because, numbers)


def controls(results) -> Verdict:
  """Networks trained on CUE or shuffled spacings know no primes."""
  trained = _zeros(results)
  said: list[str] = []
  numbers: dict[str, float] = {}
  known, peaks = [], []
  runs = [(name, result, False) for name, result in trained]
  for kind in ("cue", "shuffled"):
    runs += [(name, its, True) for name, its in _control(results, kind)]
  for name, result, control in runs:
    mean = lambda key, table="table", result=result: float(
      np.mean(_counts(result, "network", key, table))
    )
    resolved, chance = mean("resolved", "peaks"), mean("chance", "peaks")
    said.append(
      f"{name} knows {mean('known'):.0f} and resolves {resolved:.1f} (by chance"
      f" {chance:.1f}), with {mean('found'):.0f} lines in its predictions"
    )
    numbers |= {f"known, {name}": mean("known"), f"resolved, {name}": resolved}
    if control:
      known.append(mean("known"))
      peaks.append(resolved - chance)
  best = max(
    np.mean(_counts(result, "network", "resolved", "peaks"))
    - np.mean(_counts(result, "network", "chance", "peaks"))
    for _, result in trained
  )
  because = f"read on the same zeros, {'; '.join(said)}."
  return verdict(
    bool(max(known) < 5 and max(peaks) < 1 <= best), because, numbers
  )


def law(results) -> Verdict:
  """A search that is given p alone finds 1 / sqrt(p)."""
  _, zeros = _zeros(results)[0]
  truth = [row for row in zeros.formulas if row["kind"] == "truth"]
  if not truth:
    raise trial.Missing("`prime_waves` with more primes found")
  best = max(truth, key=lambda row: row["test_r2"])
  row = truth[0]
  nets = [r for r in zeros.formulas if r["kind"] == "network"]
  said = (
    f" Networks': power {nets[0]['power']:.2f} ± {nets[0]['power_error']:.2f}."
    if nets
    else ""
  )
  because = (
    f"the waves of {zeros.spacings:,} true spacings at {row['found']} primes "
    f"follow {row['factor']:.3f} p^({row['power']:.3f} ± "
    f"{row['power_error']:.3f}), the law being 0.318 p^(-0.5); the search's "
    f"best formula is {best['expression']} (R2 {best['test_r2']:.3f} on primes "
    f"held out).{said}"
  )
  numbers = {"power": row["power"], "factor": row["factor"]}
  near = abs(row["power"] + 0.5) < max(0.02, 3 * row["power_error"])
  return verdict(near and best["test_r2"] > 0.9, because, numbers)


def operator(results) -> Verdict:
  """One operator behind the spacings, as compared with the explicit formula."""
  _, zeros = _zeros(results)[0]
  formulas = [row for row in zeros.table if row["kind"] == "formula"]
  network = float(np.mean(_counts(zeros, "network", "r2")))
  text = ", ".join(
    f"{row['r2']:.3f} ({row['name'].rpartition(' ')[2]})" for row in formulas
  )
  best = max(row["r2"] for row in formulas)
  because = (
    f"the explicit formula, which has no parameter, explains R2 {text} of the "
    f"next spacing with primes up to the number in brackets, this network "
    f"{network:.3f}: what can be known of the next zero is waves of primes, not"
    " a short list of coefficients."
  )
  numbers = {"formula": best, "network": network}
  return _of_networks(results, network > best, because, numbers)


def memory(results) -> Verdict:
  """Memory holds ln p: primes known and resolved with slots and without."""
  runs = _zeros(results)
  rows = {
    held: [
      (
        name,
        np.mean(_counts(result, "network", "known")),
        np.mean(_counts(result, "network", "resolved", "peaks")),
      )
      for name, result in runs
      if (result.memory != "none") == held
    ]
    for held in (True, False)
  }
  if not rows[True] or not rows[False]:
    raise trial.Missing("`prime_waves` of a run with memory and of one without")
  said = "; ".join(
    f"{name} knows {known:.0f} and resolves {peaks:.1f}"
    for held in (True, False)
    for name, known, peaks in rows[held]
  )
  best = lambda held, k: max(row[k] for row in rows[held])
  because = (
    f"{said}: of the runs with memory slots the best knows {best(True, 1):.0f}"
    f" primes, of those without {best(False, 1):.0f}."
  )
  numbers = {"with memory": best(True, 1), "without": best(False, 1)}
  holds = best(True, 1) > best(False, 1) and best(True, 2) > best(False, 2)
  numbers = {key: float(value) for key, value in numbers.items()}
  return _of_networks(results, bool(holds), because, numbers)


_OURS = "primelens, zeta spec 7.1"
CLAIMS = (
  Claim(
    id="waves.primes",
    statement="The network has learned the primes.",
    source=f"{published.REPOSITORY}, project notes",
    reported="Fourier peaks of memory vectors at multiples of ln p",
    test=learned,
  ),
  Claim(
    id="waves.memory",
    statement="Memory is where the primes' frequencies are kept.",
    source=f"{published.REPOSITORY}, memory to ln p",
    reported="later tested against noise: p 0.60",
    test=memory,
  ),
  Claim(
    id="waves.operator",
    statement="The operator behind the zeros can be read off the network.",
    source=f"{published.REPOSITORY}, operator-extraction results",
    reported="linear (-0.45, -0.28, -0.16); pi over three spacings",
    test=operator,
  ),
  Claim(
    id="waves.controls",
    statement="Networks trained on CUE or shuffled spacings know no primes (a"
    " control of ours).",
    source=_OURS,
    reported="not reported",
    test=controls,
  ),
  Claim(
    id="waves.law",
    statement="Symbolic regression of the waves' amplitudes finds 1/sqrt(p) (a"
    " control of ours).",
    source=_OURS,
    reported="not reported",
    test=law,
  ),
)
