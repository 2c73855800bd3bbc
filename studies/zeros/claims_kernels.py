"""Claims on kernels of attention, beside attention to nothing and untrained
networks."""

import numpy as np
from primelens.analyses import kernel_fits
from primelens.lens import claims as trial
from primelens.lens.claims import Claim, Verdict, verdict
from primelens.studies.zeros import published
from primelens.studies.zeros import verdicts_networks as networks

REPOSITORY = published.REPOSITORY
CLOSE = 0.95  # R2 from which a family is called a good description
PHYSICS = 0.99  # of the published "physics head", .9999 reported
RIPPLE = 0.806  # R2 of the published sinc^2


def _stretched(result, network: str) -> list[dict]:
  """Returns the published family's fits, one for each seed."""
  rows = [
    row
    for row in result.fits
    if row["network"] == network and row["family"] == kernel_fits.STRETCHED
  ]
  if not rows:
    raise trial.Inapplicable(f"a kernel of the {network} network")
  return rows


def _least(result, network: str, key: str = "r2") -> float:
  return min(_explained(row[key]) for row in _stretched(result, network))


def _explained(r2: float) -> float:
  """Returns an R2 to decide on: 0 of a constant curve, which has none (NaN)."""
  return r2 if np.isfinite(r2) else 0.0


def stretched(results) -> Verdict:
  """The published procedure on trained, untrained and no attention at all."""
  found = published.results(results, "kernels")
  numbers = {
    f"{name}: R2, {network}": _least(result, network)
    for name, result in found.items()
    for network in ("trained", "untrained", "uniform")
  }
  trained = [_least(result, "trained") for result in found.values()]
  null = [
    max(_least(result, network) for network in ("untrained", "uniform"))
    for result in found.values()
  ]
  because = (
    "Weights after the softmax were averaged over layers and heads, so these"
    " are no logits, and a causal row that sums to 1 falls with distance"
    " whatever it looks at. The same family under the same sampling has an R2"
    " of "
    + "; ".join(
      f"{_least(result, 'trained'):.3f} for the network, "
      f"{_least(result, 'untrained'):.3f} untrained and "
      f"{_least(result, 'uniform'):.3f} for 1 / (i + 1), attention to nothing"
      f" ({name})"
      for name, result in found.items()
    )
    + ". The size of a network does not enter the last."
  )
  return verdict(min(trained) >= CLOSE, because, numbers, artefact=max(null) >= CLOSE)


def repulsion(results) -> Verdict:
  """The linear term of the published family, with attention to nothing."""
  found = published.results(results, "kernels")
  name, result = next(iter(found.items()))
  slopes = {
    network: [row["amplitudes"][0] for row in _stretched(result, network)]
    for network in ("trained", "untrained", "uniform")
  }
  numbers = {f"{name}: a, {k}": float(np.mean(v)) for k, v in slopes.items()}
  dips = {
    network: _dip(result.unfolded_K, curve)
    for network, curve in (
      ("trained", result.unfolded_SxLxHxK),
      ("untrained", result.untrained_unfolded_SxLxHxK),
    )
  }
  numbers |= {f"{name}: scores below 0.75, {k}": v for k, v in dips.items()}
  first = float(result.kernel_distance_59[0])
  because = (
    f"The term has a = {np.mean(slopes['trained']):.3f} on {name}, "
    f"{np.mean(slopes['untrained']):.3f} untrained and "
    f"{slopes['uniform'][0]:.3f} for uniform attention, whose kernel is flat up"
    " to a distance of 10 since queries are drawn from 10 on: a fall that is"
    " flat at first needs the term. The dip of the published curve lies below"
    f" d = 0.5 and the first bin is at {first:.2f}, where the curve is 5 %"
    " below its highest value. Scores before the softmax can say more: below a"
    f" distance of 0.75 they are {dips['trained']:+.2f} from those between 1"
    f" and 4 (mean over heads; untrained {dips['untrained']:+.2f}), where the"
    " distance to the last key is the query's own spacing."
  )
  holds = min(slopes["trained"]) > 0
  return verdict(holds, because, numbers, artefact=slopes["uniform"][0] > 0)


def _dip(unfolded_K, curve_SxLxHxK) -> float:
  """Returns the mean score at distances below 0.75 less that in 1 .. 4."""
  near_K = unfolded_K < 0.75
  far_K = (unfolded_K > 1) & (unfolded_K < 4)
  return float(np.nanmean(curve_SxLxHxK[..., near_K]) - np.nanmean(curve_SxLxHxK[..., far_K]))


def physics_head(results) -> Verdict:
  """The head of the highest published score, and what else describes it."""
  found = published.results(results, "kernels")
  best = {name: _highest(result) for name, result in found.items()}
  numbers: dict[str, float] = {}
  for name, (head, fresh) in best.items():
    numbers |= {
      f"{name}: R2, damped sinusoid": head["r2_wave"],
      f"{name}: R2, sinc": head["r2_sinc"],
      f"{name}: R2, monotone": head["monotone_r2"],
      f"{name}: score": head["physics_score_as_published"],
      f"{name}: score, untrained": fresh["physics_score_as_published"],
    }
  parts = (
    f"{name}: the published score chooses L{head['layer']}.H{head['head']} "
    f"({head['physics_score_as_published']:.1f}; untrained heads reach "
    f"{fresh['physics_score_as_published']:.1f}), R2 {head['r2_wave']:.3f} of a"
    f" damped sinusoid, {head['r2_sinc']:.3f} of a sinc, "
    f"{head['monotone_r2']:.3f} of any monotone curve, held-out skill "
    f"{head['skill']:.2f} of {head['bic']}"
    for name, (head, fresh) in best.items()
  )
  because = (
    "The source lists a damped sine, a sinc and an exponential at R2 .998 or"
    " more for one curve of 127 points: the form is not identified. " + "; ".join(parts) + "."
  )
  big = networks.published_size(results, found)
  if not big:
    return networks.undecided(because, numbers)
  heads = [best[name][0] for name in big]
  others = [_explained(row[key]) for row in heads for key in ("monotone_r2", "r2_stretched")]
  return verdict(
    min(_explained(row["r2_wave"]) for row in heads) >= PHYSICS,
    because,
    numbers,
    artefact=max(others) >= PHYSICS,
  )


def _highest(result) -> tuple[dict, ...]:
  """Returns the head of the highest score, trained and untrained."""
  of = lambda network: [r for r in result.heads if r["network"] == network]
  score = lambda row: row["physics_score_as_published"]
  return tuple(max(of(name), key=score) for name in ("trained", "untrained"))


def flash(results) -> Verdict:
  """sinc^2 on a softmax over all keys, which averages 1 / keys."""
  found = published.results(results, "kernels")
  numbers: dict[str, float] = {}
  parts = []
  for name, result in found.items():
    own, fresh = (_ripple(result, of) for of in ("trained", "untrained"))
    peaks = [r["peak"] for r in result.ripples if r["network"] == "trained"]
    peak, noise = max(peaks) * result.keys, float(np.median(result.noise_r2_R))
    numbers |= {
      f"{name}: R2": own,
      f"{name}: R2, untrained": fresh,
      f"{name}: R2, noise": noise,
      f"{name}: highest peak over 1 / keys": peak,
    }
    parts.append(
      f"{name}: the highest of all weights is {peak:.2f} of 1 / {result.keys},"
      f" the best R2 of sinc^2 {own:.2f} (untrained {fresh:.2f}; best of 16"
      f" curves of noise {noise:.2f})"
    )
  because = (
    "The published kernel is a softmax over all 264 keys without mask or rotary"
    " turn: no attention that the network computes, and 1 / 264 = 0.0038 on"
    " average whatever the weights; all reported peaks lie between 0.0034 and"
    " 0.0052. The sinc^2 is a ripple of 0.102 on 0.939. " + "; ".join(parts) + "."
  )
  big = networks.published_size(results, found)
  if not big:
    return networks.undecided(because, numbers)
  least = min(numbers[f"{name}: R2"] for name in big)
  return verdict(least >= RIPPLE, because, numbers, artefact=True)


def _ripple(result, network: str) -> float:
  """Returns the best R2 of a sinc^2 that stands upright, NaN for none."""
  upright = [row["r2"] for row in result.ripples if row["network"] == network and row["scale"] > 0]
  return max(filter(np.isfinite, upright), default=float("nan"))


CLAIMS = (
  Claim(
    id="kernels.stretched",
    statement="The attention logits have the kernel (0.127 d + 0.062)"
    " exp(-1.16 sqrt d) + 0.0017 of unfolded distance: it is the operator.",
    source=f"{REPOSITORY}, symbolic regression of the kernel",
    reported="R2 0.9927 on 59 bins, form chosen on the same points",
    test=stretched,
  ),
  Claim(
    id="kernels.repulsion",
    statement="Its linear term is the repulsion of levels.",
    source=f"{REPOSITORY}, symbolic regression of the kernel",
    reported="a = 0.127; 0.0637 at d = 0, 0.0570 at 0.5, 0.0630 at 2",
    test=repulsion,
  ),
  Claim(
    id="kernels.physics_head",
    statement="A physics head computes a damped sine or sinc of distance, the"
    " kernel of random matrices.",
    source=f"{REPOSITORY}, kernel of the 100M network",
    reported="R2 0.9999 (damped sine), 0.9999 (sinc), 0.9979 (exponential)",
    test=physics_head,
  ),
  Claim(
    id="kernels.flash",
    statement="Layer 1 of the Flash network attends by sinc squared.",
    source=f"{REPOSITORY}, results/L1_analysis",
    reported="scale 0.102, offset 0.939, wavelength 2.533, R2 0.806 (L1.H2)",
    test=flash,
  ),
)
