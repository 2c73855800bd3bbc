"""Analysis `yardstick`: how predictable is the next zero, and who predicts it?

Stretches of zeros by height, up to some that are computed and that no network
has seen. On each of them the network stands beside filters fitted on train,
filters refitted on what lies just behind, what random matrices know, and the
explicit formula with the primes up to X. Source: zeta spec, sections 7 and 7.1.
"""

import dataclasses

import numpy as np
from primelens.analyses import regression, statistics
from primelens.studies.zeros import program
from primelens.studies.zeros import yardstick_anchors as anchors
from primelens.studies.zeros import yardstick_stretches as stretches

BLOCKS = 20  # of an interval's data in a stretch, at least


@dataclasses.dataclass(frozen=True)
class Result:
  """Predictors of the next spacing by height, all at the same spacings.

  `table` has a row per stretch and predictor: R2, mean error `bias`, `rmse` and
  the NLL in nats (`nll_nats`, `low`, `high`) with intervals over blocks of
  `block` spacings, of networks over seeds too. `excess_nats` is the network's
  NLL minus the predictor's, `excess_r2` the same of R2, paired. A row is `seen`
  where the split the predictor was fitted on (for a network: or chosen on) has
  spacings at these heights, and `excess_seen` where the network or the other
  is. The formula's sigma is that of its `errors` errors just before a stretch.

  `stretches` says where they are, and whether training windows were `drawn`
  there; `nll_SxP` has the network by seed.
  """

  table: tuple[dict, ...]
  stretches: tuple[dict, ...]
  nll_SxP: np.ndarray
  height_P: np.ndarray
  scored: int
  block: int
  past: int
  errors: int


def obstacle(experiment) -> str:
  """Returns why a run has no predicted means of zeros, or ""."""
  task = experiment.task
  if experiment.model.kind == "binned":
    return program.no_mixtures(experiment)
  if task.kind == "zeros":
    return ""
  return f"its spacings are {task.ensemble}, which have no height."


def run(run) -> Result:
  """Returns every predictor of every stretch.

  Raises ValueError where no stretch fits into the run's sequence and none is to
  be computed.
  """
  settings = run.settings.yardstick
  found = stretches.of(run)
  fits = anchors.fit(run)
  table, nll_PxS, places = [], [], []
  for number, stretch in enumerate(found):
    network, fresh = anchors.networks(run, stretch)
    others = [fresh, *anchors.everyone_else(stretch, fits, settings)]
    place = _place(number, stretch)
    places.append(place)
    nll_PxS.append(network.nll_SxN.mean(1))
    truth_N = stretch.truth_N
    for guess in (network, *others):
      row = place | {"name": guess.name, "kind": guess.kind}
      seen = guess.seen(stretch)
      row |= {"seen": seen, "excess_seen": seen or network.seen(stretch)}
      row |= _scores(run, truth_N, guess)
      table.append(row | _excess(run, truth_N, network, guess))
  return Result(
    table=tuple(table),
    stretches=tuple(places),
    nll_SxP=np.array(nll_PxS).T,
    height_P=np.array([place["height"] for place in places]),
    scored=len(found[0].truth_N),
    block=_block(run, len(found[0].truth_N)),
    past=settings.past,
    errors=settings.errors,
  )


def _place(number: int, stretch: stretches.Stretch) -> dict:
  return {
    "stretch": number,
    "height": float(stretch.height_N.mean()),
    "zero": stretch.number,
    "split": stretch.split,
    "drawn": stretch.drawn,
  }


def _block(run, count: int) -> int:
  """Returns the length of an interval's blocks: shorter in short stretches.

  The errors of a good predictor hardly depend on each other.
  """
  return max(1, min(run.settings.bootstrap.block, count // BLOCKS))


def _interval(run, value_SxVxN) -> statistics.Interval:
  """Returns the intervals of V means over seeds and blocks of spacings."""
  return statistics.seed_block_interval(value_SxVxN, block=_block(run, value_SxVxN.shape[-1]))


def _scores(run, truth_N, guess: anchors.Guess) -> dict:
  """Returns NLL, R2, bias and RMSE of a predictor with their intervals."""
  error_SxN = truth_N - guess.mean_SxN
  found = _interval(run, np.stack([guess.nll_SxN, error_SxN, error_SxN**2], axis=1))
  nll_E, bias_E, square_E = np.stack(found[:3], 1)
  square_E, variance = np.maximum(square_E, 0), truth_N.var()
  root_E = np.sqrt(square_E)
  r2_E = regression.explained(square_E[[0, 2, 1]], np.full(3, variance))
  return (
    _named("nll_nats", "", nll_E)
    | _named("r2", "r2_", r2_E)
    | _named("bias", "bias_", bias_E)
    | _named("rmse", "rmse_", root_E)
  )


def _excess(run, truth_N, network: anchors.Guess, guess: anchors.Guess):
  """Returns how far the network's NLL and R2 are above a predictor's."""
  if guess is network:
    nothing = np.full(3, np.nan)
    nll_E, r2_E = nothing, nothing
  else:
    square = lambda one: (truth_N - one.mean_SxN) ** 2 / truth_N.var()
    pairs = [network.nll_SxN - guess.nll_SxN, square(guess) - square(network)]
    nll_E, r2_E = np.stack(_interval(run, np.stack(pairs, axis=1))[:3], 1)
  return _named("excess_nats", "excess_", nll_E) | _named("excess_r2", "excess_r2_", r2_E)


def _named(key: str, start: str, value_E) -> dict:
  """Returns an estimate and the ends of its interval as entries of a row."""
  keys = (key, f"{start}low", f"{start}high")
  return dict(zip(keys, (float(x) for x in value_E), strict=True))
