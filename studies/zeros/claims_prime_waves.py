"""Claims on primes in networks, decided by the waves in their predictions."""

import numpy as np
from primelens.analyses import statistics
from primelens.lens import claims as trial
from primelens.lens.claims import Claim, Verdict, verdict
from primelens.studies.zeros import prime_waves_law as law_lib
from primelens.studies.zeros import published
from primelens.studies.zeros import verdicts_networks as networks

SEVERAL = 3  # primes with a peak of their own


def _zeros(results) -> list:
  """Returns names and waves of networks trained on the published data.

  Without those that read their targets: they know what they were told.
  """
  return list(published.results(results, "prime_waves").items())


def _most(results, key: str, table: str = "table") -> tuple:
  """Returns the run with the largest mean, of published size if any is."""
  runs = dict(_zeros(results))
  big = networks.published_size(results, list(runs))
  name = max(big or runs, key=lambda name: _mean(runs[name], key, table))
  return name, runs[name]


def _control(results, kind: str) -> list:
  """Returns names and waves of networks trained on a control."""
  trained = lambda table: table["prime_waves"].trained_on == kind
  found = trial.need(results, "prime_waves", trained, f"trained on {kind}")
  return list(found.items())


def _counts(result, kind: str, key: str, table: str = "table") -> list[float]:
  return [float(row[key]) for row in getattr(result, table) if row["kind"] == kind]


def _mean(result, key: str, table: str = "table") -> float:
  """Returns the mean over a run's networks."""
  return float(np.mean(_counts(result, "network", key, table)))


def _of_networks(results, names, holds: bool, because: str, numbers):
  """Returns a verdict that rests on these runs: open unless all are of the
  published size."""
  if len(networks.published_size(results, names)) < len(names):
    return networks.undecided(because, numbers)
  return verdict(holds, because, numbers)


def learned(results) -> Verdict:
  """The network learned the primes: peaks of its own, and lines gone from its
  errors, by a tenth of all more than frequencies beside them and than others.
  """
  name, zeros = _most(results, "beyond")
  beyond = _counts(zeros, "network", "beyond")
  peaks = _counts(zeros, "network", "resolved", "peaks")
  chance = _mean(zeros, "chance", "peaks")
  others = {
    "fresh networks": _counts(zeros, "untrained", "beyond"),
    "filters fitted on train": _counts(zeros, "filter", "beyond"),
  }
  lines = _counts(zeros, "kernel", "found")
  which = next((row["which"] for row in zeros.peaks if row["kind"] == "network"), "")
  at_most = ", ".join(f"{name} {max(n):.0f}" for name, n in others.items())
  because = (
    f"less than a third of the wave is left in the errors of {name} at "
    f"{_mean(zeros, 'known'):.0f} of {_mean(zeros, 'stands'):.0f} primes whose "
    f"wave stands out and at {_mean(zeros, 'beside'):.0f} of as many "
    f"frequencies beside them, a difference of {np.mean(beyond):.0f} (of"
    f" others at most: {at_most}). As peaks of its own response it has "
    f"{np.mean(peaks):.1f} ({which or 'none'}; by chance {chance:.1f}); the "
    f"others are a band that "
    f"it does not tell apart. Lines in predictions are no evidence: a filter "
    f"that knows no primes has {np.mean(lines):.0f}, passed on from its inputs."
  )
  numbers = {"known": _mean(zeros, "known"), "resolved": float(np.mean(peaks))}
  numbers |= {"beyond those beside": float(np.mean(beyond))}
  numbers |= {f"beyond, {key}": max(value) for key, value in others.items()}
  numbers["lines of the sine kernel"] = float(np.mean(lines))
  most = max(0.0, *(max(value) for value in others.values()))
  ahead = min(beyond) > most + _mean(zeros, "stands") / 10
  holds = ahead and min(peaks) >= SEVERAL + chance
  return _of_networks(results, [name], bool(holds), because, numbers)


def controls(results) -> Verdict:
  """Networks trained on CUE or shuffled spacings know no primes."""
  said: list[str] = []
  numbers: dict[str, float] = {}
  # Of networks on zeros, and of controls.
  known: dict[bool, list] = {False: [], True: []}
  peaks: dict[bool, list] = {False: [], True: []}
  runs = [(*item, False) for item in _zeros(results)]
  for kind in ("cue", "shuffled"):
    runs += [(*item, True) for item in _control(results, kind)]
  for name, result, control in runs:
    knows, lines = _mean(result, "beyond"), _mean(result, "found")
    resolved, chance = (_mean(result, key, "peaks") for key in ("resolved", "chance"))
    said.append(
      f"{name} knows {_mean(result, 'known'):.0f} primes (of frequencies beside"
      f" them {_mean(result, 'beside'):.0f}) and resolves {resolved:.1f} (by"
      f" chance {chance:.1f}), with {lines:.0f} lines in its predictions"
    )
    numbers |= {f"beyond, {name}": knows, f"resolved, {name}": resolved}
    known[control].append(knows)
    peaks[control].append(resolved - chance)
  because = f"read on the same zeros, {'; '.join(said)}."
  clean = max(known[True]) < 5 and max(peaks[True]) < 1
  if clean and max(peaks[False]) < 1:
    text = f"{because} Nor does any network on zeros: nothing is shown."
    return Verdict(status="needs more compute", because=text, numbers=numbers)
  return verdict(clean, because, numbers)


def law(results) -> Verdict:
  """A search that is given p alone finds 1 / sqrt(p)."""
  _, zeros = _zeros(results)[0]
  given = lambda names: [
    row for row in zeros.formulas if row["kind"] == "truth" and row["given"] == names
  ]
  alone, whole = given("p"), given("p, x")
  if not alone or not whole:
    because = "Too few primes are found for a search: it takes more spacings."
    return Verdict(status="needs more compute", because=because)
  row, best, all_of_it = alone[0], law_lib.best(alone), law_lib.best(whole)
  nets = [r for r in zeros.formulas if r["kind"] == "network"]
  said = f" Networks': power {nets[0]['power']:.2f} ± {nets[0]['power_error']:.2f}." if nets else ""
  because = (
    f"the waves of {zeros.spacings:,} true spacings at {row['found']} primes "
    f"follow {row['factor']:.3f} p^({row['power']:.3f} ± "
    f"{row['power_error']:.3f}) 2 sin(x / 2), x = δ ln p, the law being "
    f"0.318 p^(-0.5); with the sine divided out and p alone given the search "
    f"answers {best['expression']} (R2 {best['test_r2']:.3f} on all primes "
    f"that it was not shown), for the amplitudes themselves, given p and x, "
    f"{all_of_it['expression']} ({all_of_it['test_r2']:.3f}).{said}"
  )
  numbers = {"power": row["power"], "factor": row["factor"]}
  good = min(best["test_r2"], all_of_it["test_r2"]) > 0.9
  return verdict(law_lib.near(row) and law_lib.falls(best) and good, because, numbers)


def operator(results) -> Verdict:
  """An operator read off the network has the zeros' own spectrum.

  Which are lines at ln p with powers p^(-1/2): its response must resolve half
  or more of those that its window can tell apart, beyond chance, and the waves
  of every seed must follow the power.
  """
  name, zeros = _most(results, "resolved", "peaks")
  resolved, chance, apart = (_mean(zeros, key, "peaks") for key in ("resolved", "chance", "apart"))
  fits = [row for row in zeros.formulas if row["kind"] == "network"]
  if not fits or not apart:
    because = f"{name} has too few lines, or inputs too short to tell primes apart."
    return Verdict(status="needs more compute", because=because)
  follows = all(law_lib.near(row) for row in fits)
  r2 = _mean(zeros, "r2")
  formulas = ", ".join(
    f"{row['r2']:.3f} ({row['name'].rpartition(' ')[2]})"
    for row in zeros.table
    if row["kind"] == "formula"
  )
  because = (
    f"the response of {name} resolves {resolved:.1f} (by chance {chance:.1f}) "
    f"of the {apart:.0f} primes that its inputs can tell apart, "
    f"{_power(fits[0])}and it explains R2 {r2:.3f} of the next "
    f"spacing; the explicit formula, which has no parameter, {formulas} with "
    "primes up to the number in brackets: what can be known of the next zero "
    "is waves of primes, not a short list of coefficients."
  )
  numbers = {"resolved": resolved, "apart": apart, "by chance": chance}
  holds = follows and resolved - chance >= apart / 2
  numbers["R2"] = r2
  return _of_networks(results, [name], bool(holds), because, numbers)


def _power(row) -> str:
  return f"its waves follow p^({row['power']:.2f} ± {row['power_error']:.2f}) (the law: -0.5), "


def memory(results) -> Verdict:
  """Memory holds ln p: primes known with slots and without, all else equal.

  More than frequencies beside them. Of the plans that were run both ways, the
  one whose networks know most. Holds where the seeds' intervals are disjoint in
  its favour; where they overlap nothing is decided.
  """
  # By plan and kind of memory: the runs, and what their networks know.
  plans: dict[str, dict[str, tuple]] = {}
  for name, result in _zeros(results):
    known = _counts(result, "network", "beyond")
    kinds = plans.setdefault(result.plan, {})
    names, every = kinds.get(result.memory, ((), []))
    kinds[result.memory] = (*names, name), [*every, *known]
  pairs = [
    {True: kinds[kind], False: kinds["none"]}
    for kinds in plans.values()
    for kind in kinds
    if kind != "none" and "none" in kinds
  ]
  if not pairs:
    what = "prime_waves of a run with memory and of the same one without"
    raise trial.Missing(what, analysis="prime_waves")
  pair = max(pairs, key=lambda pair: max(np.mean(n) for _, n in pair.values()))
  spread = {held: statistics.seed_interval(known) for held, (_, known) in pair.items()}
  said = "; ".join(
    f"{', '.join(pair[held][0])} ({'with' if held else 'without'} slots) knows"
    f" {spread[held].estimate:.0f} "
    f"[{spread[held].low:.0f}, {spread[held].high:.0f}]"
    for held in (True, False)
  )
  because = (
    f"of runs that differ in the memory alone, {said} more primes than frequencies beside them."
  )
  numbers = {"with memory": float(spread[True].estimate), "without": float(spread[False].estimate)}
  more = spread[True].low > spread[False].high
  less = spread[True].high < spread[False].low
  if not more and not less:
    text = f"{because} Their intervals do not tell them apart."
    return Verdict(status="needs more compute", because=text, numbers=numbers)
  names = [name for names, _ in pair.values() for name in names]
  return _of_networks(results, names, bool(more), because, numbers)


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
    statement="Networks trained on CUE or shuffled spacings know no primes (a control of ours).",
    source=_OURS,
    reported="not reported",
    test=controls,
  ),
  Claim(
    id="waves.law",
    statement="Symbolic regression of the waves' amplitudes finds 1/sqrt(p) (a control of ours).",
    source=_OURS,
    reported="not reported",
    test=law,
  ),
)
