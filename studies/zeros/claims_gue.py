"""Claims on the zeros beside random matrices, on primes in them, on floors."""

from primelens.lens import claims as trial
from primelens.lens.claims import Claim, Verdict, verdict
from primelens.studies.zeros import published
from primelens.studies.zeros import verdicts_networks as networks

PUBLISHED_REFERENCE = -0.27  # the value of GOE
LEAST_EXCESS = 0.20  # published: 20 to 50 %
LEVEL = 0.05


def _sequence(result, name: str):
  return trial.row(result.references, sequence=name)


def stronger(results) -> Verdict:
  """The zeros' correlations over exact ones, and over the published -0.27."""
  found = published.first(results, "gue")
  zeros, wrong = (_sequence(found, name) for name in ("zeros", "GUE, unfolded as_published"))
  excess, error = zeros["lag1_excess"], zeros["lag1_excess_error"]
  over = zeros["lag1"] / PUBLISHED_REFERENCE - 1
  because = (
    f"against the published -0.27, the value of GOE, lag 1 of the zeros is "
    f"{100 * over:.0f} % stronger; against the sine process "
    f"({found.limit_Q[0]:.4f}, exact) {100 * excess:.1f} ± {100 * error:.1f} %,"
    f" lag 2 {100 * zeros['lag2_excess']:+.1f} ± "
    f"{100 * zeros['lag2_excess_error']:.1f} %, lag 3 "
    f"{100 * zeros['lag3_excess']:+.1f} ± "
    f"{100 * zeros['lag3_excess_error']:.1f} %. GUE matrices unfolded with the "
    f"published radius give {wrong['lag1']:.3f}."
  )
  numbers = {
    "lag 1": zeros["lag1"],
    "exact": float(found.limit_Q[0]),
    "excess": excess,
    "excess over -0.27": over,
  }
  return verdict(over > LEAST_EXCESS, because, numbers, artefact=excess + 2 * error < LEAST_EXCESS)


def variance(results) -> Verdict:
  """The zeros' variance against the exact one."""
  found = published.first(results, "gue")
  zeros, tail = (_sequence(found, name) for name in ("zeros", "zeros, last tenth"))
  excess = zeros["variance_excess"]
  error = zeros["variance_error"] / found.limit_variance
  because = (
    f"{zeros['variance']:.4f} against {found.limit_variance:.4f}: "
    f"{100 * excess:+.2f} ± {100 * error:.2f} % over all zeros and "
    f"{100 * tail['variance_excess']:+.1f} % in the last tenth, nearer to 0 "
    "the higher the zeros: the reported number belongs to a height of 8e7."
  )
  numbers = {"all": excess, "last tenth": tail["variance_excess"]}
  return verdict(-0.1 < excess < -3 * error, because, numbers)


def intrinsic(results) -> Verdict:
  """No dependence on height: decided by all heights there are."""
  found = published.first(results, "gue")
  fit = trial.row(found.fits, statistic="lag 1", form="a + b/ln^2")
  other = trial.row(found.fits, statistic="lag 1", form="a + b/ln")
  score = fit["second"] / fit["second_error"]
  first, last = found.correlation_PxQ[0, 0], found.correlation_PxQ[-1, 0]
  because = (
    f"lag 1 goes from {first:.3f} ± {found.error_PxQ[0, 0]:.3f} around height "
    f"{found.height_P[0]:,.0f} to {last:.4f} ± {found.error_PxQ[-1, 0]:.4f} "
    f"around {found.height_P[-1]:,.0f}; a slope on 1/ln²(γ/2π) is "
    f"{abs(score):.0f} standard errors from 0. Extrapolated, "
    f"{fit['first']:+.3f} ± {fit['first_error']:.3f} stays above the sine "
    f"process with this form and {other['first']:+.3f} ± "
    f"{other['first_error']:.3f} with 1/ln: these heights cannot tell whether "
    "it vanishes. The published test saw ln γ change by 0.1."
  )
  numbers = {
    "slope": fit["second"],
    "slope error": fit["second_error"],
    "lowest block": float(first),
    "highest block": float(last),
  }
  return verdict(abs(score) < 3, because, numbers)


def berry(results) -> Verdict:
  """The published regression on the last tenth, and on all zeros."""
  found = published.first(results, "gue")
  tail = trial.row(found.berry, sequence="zeros, last tenth")
  every = trial.row(found.berry, sequence="zeros")
  because = (
    f"on the last tenth of these zeros the published regression gives a slope "
    f"of {tail['slope']:+.3f} with p {tail['p']:.2f}: its ten values scatter "
    f"within {tail['high'] - tail['low']:.4f}, and one bin's own error is "
    f"{tail['bin_error']:.4f}. The abscissa is an index within the file. Over "
    f"all zeros the slope is {every['slope']:+.3f} (p {every['p']:.0e}): there "
    "is a drift with height, which a tail cannot show."
  )
  numbers = {"tail p": tail["p"], "tail slope": tail["slope"]}
  resolved = tail["high"] - tail["low"] > 4 * tail["bin_error"]
  return verdict(tail["supported"], because, numbers, artefact=not resolved)


def shuffled(results) -> Verdict:
  """What a z against shuffles says: CUE has it too."""
  found = published.first(results, "gue")
  zeros, cue = (trial.row(found.shuffles, sequence=name) for name in ("zeros", "CUE"))
  because = (
    f"z is {zeros['z']:.0f} for {zeros['spacings']:,} spacings of zeros and "
    f"{cue['z']:.0f} for as many of CUE, where no prime is: it is the "
    "correlation of neighbours times the root of their number."
  )
  numbers = {"zeros": zeros["z"], "CUE": cue["z"]}
  return verdict(zeros["z"] < -3, because, numbers, artefact=cue["z"] < -3)


def spikes(results) -> Verdict:
  """Lines of primes, corrected, in every stretch."""
  found = published.first(results, "prime_lines")
  rows = found.summary
  least = min(row["max_t"] for row in rows)
  share = [row["share_above_composites"] for row in rows]
  heights = [f"{row['max_t']} of {row['primes']}" for row in rows]
  slope = trial.row(found.overall, quantity="slope")
  match = trial.row(found.overall, quantity="correlation")
  cue = [row["largest"] for row in found.nulls if row["null"].startswith("CUE")]
  because = (
    f"corrected over all primes below {int(found.prime_Q[-1]) + 1:,}, "
    f"{', '.join(heights)} stand out in {len(rows)} stretches of "
    f"{found.spacings:,} spacings; amplitudes correlate with the explicit "
    f"formula's law at {match['mean']:.3f} (slope {slope['mean']:.2f}), up to "
    f"{found.amplitude_PxQ.max():.3f}, where CUE at the same heights reaches "
    f"{max(cue):.3f}. They are waves along the heights, not at multiples of an "
    "index or in slots."
  )
  numbers = {
    "least found": least,
    "above all composites, mean share": sum(share) / len(share),
    "correlation with the law": match["mean"],
  }
  lawful = min(row["correlation"] for row in rows) > 0.9
  return verdict(least > 0 and lawful, because, numbers)


def floor(results) -> Verdict:
  """The entropy of the marginal bounds nothing that sees the past."""
  found = published.first(results, "predictors")
  marginal = trial.row(found.table, name="marginal (KDE)")
  model = found.table[0]
  sine = [r for r in found.table if r["name"].startswith("sine process")][-1]
  because = (
    f"the marginal's entropy, {marginal['nll_nats']:.3f} nats here, is the "
    "least loss of one who does not look at the past. The exact law of random "
    f"matrices, which knows no zero, already has {sine['nll_nats']:.3f} "
    f"[{sine['low']:.3f}, {sine['high']:.3f}] from "
    f"{sine['name'].split(', ')[1]}; {model['name']} {model['nll_nats']:.3f}."
  )
  numbers = {
    "marginal": marginal["nll_nats"],
    "sine process": sine["nll_nats"],
    "model": model["nll_nats"],
  }
  below = min(model["high"], sine["high"]) < marginal["low"]
  return verdict(below, because, numbers, artefact=sine["high"] < marginal["low"])


def sine_kernel(results) -> Verdict:
  """Is the learned predictor the sine kernel's?"""
  found = published.results(results, "predictors")
  big = networks.published_size(results, found)
  numbers: dict[str, float] = {}
  said, like = [], []
  for name, result in found.items():
    model, *_ = result.table
    sine = [r for r in result.table if r["name"].startswith("sine process")]
    best = max(sine, key=lambda row: row["explains"])
    fitted = trial.row(result.table, name="AR(64)")
    said.append(
      f"{name} explains R² {model['r2']:.3f} [{model['r2_low']:.3f}, "
      f"{model['r2_high']:.3f}] of the truth, the {best['name']} "
      f"{best['r2']:.3f} [{best['r2_low']:.3f}, {best['r2_high']:.3f}]; of the "
      f"network's mean that explains {best['explains']:.3f} and AR(64) fitted "
      f"on zeros {fitted['explains']:.3f}"
    )
    numbers |= {
      f"{name}: of the mean, sine process": best["explains"],
      f"{name}: of the mean, AR(64)": fitted["explains"],
      f"{name}: R2 of the truth": model["r2"],
    }
    if name in big:
      like.append(best["explains"] > 0.9 and best["explains_low"] > 0.8)
  because = "; ".join(said) + "."
  if not big:
    return networks.undecided(because, numbers)
  return verdict(all(like), because, numbers)


def _claim(id: str, statement: str, source: str, reported: str, test) -> Claim:
  return Claim(
    id=id,
    statement=statement,
    source=f"{published.REPOSITORY}, {source}",
    reported=reported,
    test=test,
  )


_WHY = "results/why_stronger_than_gue.json"
CLAIMS = (
  _claim(
    "gue.stronger",
    "Correlations of the zeros are 20 to 50 % stronger than those of GUE.",
    "results/gue_comparison.json",
    "-0.34, -0.08, -0.03 against -0.27, -0.06, -0.025",
    stronger,
  ),
  _claim(
    "gue.variance",
    "The variance of spacings is 6.6 % below that of GUE.",
    "roadmap",
    "6.6 % at a height of 8e7",
    variance,
  ),
  _claim(
    "gue.height",
    "The excess is intrinsic: it does not depend on the height.",
    _WHY,
    "thirds of one file: -0.33908, -0.33894, -0.33897",
    intrinsic,
  ),
  _claim(
    "gue.berry",
    "Berry's correction at finite height is supported.",
    _WHY,
    "slope -0.0167, p 0.018, ten bins of one file",
    berry,
  ),
  _claim(
    "gue.shuffled",
    "The order of the spacings is arithmetic: shuffling destroys it.",
    _WHY,
    "z -102.85 over 100 shuffles",
    shuffled,
  ),
  _claim(
    "primes.spikes",
    "There are spikes at m ln p.",
    "project notes",
    "over 100 candidates, not corrected for their number",
    spikes,
  ),
  _claim(
    "losses.floor",
    "The perplexity is below its theoretical minimum.",
    "README and paper draft",
    "83.3 against a floor of 105.2",
    floor,
  ),
  _claim(
    "predictors.sine",
    "What the network learned is the predictor of the sine kernel (a comparison that was planned).",
    "operator-extraction plan",
    "not reported",
    sine_kernel,
  ),
)
