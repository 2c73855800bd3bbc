"""Claims on the form factor of the zeros: rigidity, and the peak at 2 pi."""

from primelens.lens import claims as trial
from primelens.lens.claims import Claim, Verdict, bounded, verdict
from primelens.studies.zeros import published


def suppression(results) -> Verdict:
  """A low form factor in the window; the marginal alone must not give it."""
  found = published.first(results, "form_factor")
  own, null = (trial.row(found.sequences, sequence=name) for name in ("test", "shuffled"))
  single = trial.row(found.plateaus, measure="null test", sequence="test")
  far = len(found.length_E) - 1
  counts = {
    row["sequence"]: found.number_variance_VxE[v, far] for v, row in enumerate(found.sequences)
  }
  length = found.length_E[far]
  because = (
    f"between tau 0.48 and 0.88 the zeros have {bounded(own, 'window')} over "
    f"{own['blocks']} blocks, the same spacings shuffled "
    f"{bounded(null, 'window')}: the low value comes with the distribution of "
    "single spacings. One unaveraged value, as published, is "
    f"{single['value']:.2f} here and scatters by {single['spread']:.2f}. "
    "Rigidity is seen elsewhere: the ramp starts at "
    f"{bounded(own, 'ramp_intercept')}, shuffled at "
    f"{bounded(null, 'ramp_intercept')}, and the variance of the count in "
    f"windows of {length:g} is {counts['test']:.2f} against "
    f"{counts['shuffled']:.2f}."
  )
  numbers = {
    "window": own["window"],
    "window, shuffled": null["window"],
    "published measure": single["value"],
    "its spread": single["spread"],
    "ramp intercept": own["ramp_intercept"],
    "ramp intercept, shuffled": null["ramp_intercept"],
    "number variance": float(counts["test"]),
    "number variance, shuffled": float(counts["shuffled"]),
  }
  return verdict(own["window_high"] < 1, because, numbers, artefact=null["window_high"] < 1)


def spike(results) -> Verdict:
  """The peak must stand far above that of shuffled spacings."""
  found = published.first(results, "form_factor")
  names = [row["sequence"] for row in found.sequences]
  own, null = (float(found.resonance_VxT[names.index(name)].max()) for name in ("test", "shuffled"))
  because = (
    f"on a grid that resolves it the peak is {own:,.0f}, with the spacings "
    f"shuffled {null:.1f}. Levels that stay near n add up in step there, and "
    "unfolded zeros do, as S is bounded in practice; the published 11.28 is "
    "what a grid met whose step is 150 widths of the peak, of spacings rounded "
    "to bins."
  )
  numbers = {"peak": own, "peak, shuffled": null}
  return verdict(own > 10 * null, because, numbers)


def retention(results) -> Verdict:
  """Jitter of the spacings must not raise what it puts out of step."""
  rows = published.first(results, "form_factor").jitter
  none, full = (trial.row(rows, part_of_bin=part) for part in (0.0, 1.0))
  because = (
    "with the spacings jittered by a whole bin the peak keeps "
    f"{full['retention']:.3f} of its height (exact mean at its place "
    f"{full['expected_retention']:.3f}): jitters add up along the sequence. "
    "The published grid, moved within one step, gives "
    f"{none['lowest_by_offset']:.2f} to {none['highest_by_offset']:.2f} times "
    "the published height without any jitter and "
    f"{full['lowest_by_offset']:.2f} to {full['highest_by_offset']:.2f} with "
    "it: 4.58 is where its points fell."
  )
  numbers = {
    "retention": full["retention"],
    "expected retention": full["expected_retention"],
    "published grid without jitter, highest": none["highest_by_offset"],
    "published grid, lowest": full["lowest_by_offset"],
    "published grid, highest": full["highest_by_offset"],
  }
  return verdict(full["retention"] > 0.7, because, numbers)


def scaling(results) -> Verdict:
  """Growth with N must be that of a plateau, not of one resonant point."""
  rows = published.first(results, "form_factor").scaling
  last, rest = rows[-1], [row["without_resonance"] for row in rows]
  binned = [row["binned_without_resonance"] for row in rows]
  repeated = [row["binned_as_published"] for row in rows]
  because = (
    "the published numbers come back ("
    + ", ".join(f"{value:.2f}" for value in repeated)
    + f"), but one of the 28 values of tau is the resonance: left out, "
    f"{min(binned):.2f} to {max(binned):.2f} remain, without growth, and of "
    f"spacings that are not rounded {min(rest):.2f} to {max(rest):.2f}, while "
    f"that one point reaches {last['resonance']:,.0f} at "
    f"{last['spacings']:,} spacings. The window lies in the ramp."
  )
  numbers = {f"{row['spacings']}": row["binned_as_published"] for row in rows}
  numbers |= {f"{row['spacings']}, without tau = 1": row["without_resonance"] for row in rows}
  close = [abs(row["binned_as_published"] - row["reported"]) < 0.02 for row in rows]
  return verdict(all(close), because, numbers, artefact=max(rest) < 2)


CLAIMS = (
  Claim(
    id="form_factor.suppression",
    statement="The form factor of the zeros is suppressed by 53 % below "
    "Poisson: spectral rigidity.",
    source=f"{published.REPOSITORY}, null test of the form factor",
    reported="3 < tau < 5.5: Poisson 1.04, zeros 0.49, shuffled 0.41",
    test=suppression,
  ),
  Claim(
    id="form_factor.spike",
    statement="The form factor of the zeros has a real spike at tau = 2 pi.",
    source=f"{published.REPOSITORY}, jitter test",
    reported="height 11.28, 17 times the background",
    test=spike,
  ),
  Claim(
    id="form_factor.jitter",
    statement="The spike withstands jitter of the spacings: 458 % of it is retained.",
    source=f"{published.REPOSITORY}, jitter test",
    reported="11.28 -> 12.65 -> 39.81 -> 51.67 at 0, 1/4, 1/2 and 1 bin",
    test=retention,
  ),
  Claim(
    id="form_factor.scaling",
    statement="The plateau of the form factor grows with the number of zeros.",
    source=f"{published.REPOSITORY}, scaling of the form factor",
    reported="1.58, 2.06, 3.71, 4.57, 2.16, 2.37 at 512 to 199,936 spacings",
    test=scaling,
  ),
)
