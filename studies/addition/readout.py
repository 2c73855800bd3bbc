"""Analysis `readout`: what W_L = (W_out W_U)^T writes, and how.

Items A36, A37 and A39 of the addition spec here, A40-A45 in
`readout_frequencies`, A54 and A55 in `readout_components`. The reduced network
has its digits' vectors replaced by their first principal component
(`variants.keep_first`, A17).
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import regression, sinusoids
from primelens.studies.addition import (
  network,
  readout_components,
  readout_frequencies,
  readout_reported,
  tables,
  untrained,
  variants,
)

REPORTED = readout_reported.REPORTED
PAIRS = ("low", "middle", "high")  # (0,0), (4,4) and (9,9) of ten digits


@dataclasses.dataclass(frozen=True)
class Result:
  """Logits, spectra and components of the readout, every member.

  The three pairs are (0,0), (4,4), (9,9) of ten digits. `change_SxV` is W_L
  (h - h of the reduced network) at the first. `count_R` frequencies beside
  the constant give `accuracy`, `nll_nats` and `agreement` (the share of inputs
  that keep their argmax, beside it the nulls of `sparsity`). Spectra are
  |rfft|: of logits, of W_L's columns on average over the 30 neurons most
  active at a pair, and over those that turn off (first) or on in the full
  network at (0,0). `magnitude_QxF` and `order_F` (columns by falling
  correlation of the neuron with a + b) are of the reference member, else the
  first. Components 1-4 of W_L's columns come with the sinusoids fitted, of
  whole frequency and fixed phase (`wave`) and of real period (`period_wave`).
  """

  table: tuple[dict, ...]
  logit_Sx3xV: np.ndarray
  reduced_logit_Sx3xV: np.ndarray
  change_SxV: np.ndarray
  logit_spectrum_Sx3xQ: np.ndarray
  reduced_logit_spectrum_Sx3xQ: np.ndarray
  active_spectrum_Sx3xQ: np.ndarray
  flipped_spectrum_Sx2xQ: np.ndarray
  peak_count_SxQ: np.ndarray
  embedding_norm_SxE: np.ndarray
  readout_norm_SxQ: np.ndarray
  magnitude_QxF: np.ndarray
  order_F: np.ndarray
  count_R: np.ndarray
  accuracy_SxR: np.ndarray
  accuracy_as_published_SxR: np.ndarray
  nll_nats_SxR: np.ndarray
  agreement_SxR: np.ndarray
  shuffled_agreement_SxR: np.ndarray
  plane_agreement_SxR: np.ndarray
  untrained_agreement_SxR: np.ndarray
  share_SxV: np.ndarray
  untrained_share_SxV: np.ndarray
  direction_Sx4xV: np.ndarray
  wave_Sx4xV: np.ndarray
  period_wave_Sx4xV: np.ndarray
  similarity_Sx4: np.ndarray
  chance_similarity_Sx4: np.ndarray
  period_Sx4: np.ndarray
  period_similarity_Sx4: np.ndarray
  chance_period_Sx4: np.ndarray


def measure(model, params, member, token_Nx3, settings) -> dict:
  """Returns the arrays of the result and the numbers of the table."""
  full = network.read(model, params, token_Nx3)
  edit = {"embed": variants.keep_first(full.embedding_PxD)}
  reduced = network.read(model, params, token_Nx3, edit)
  digits = len(full.embedding_PxD)
  pair_3 = jnp.array([0, (digits // 2 - 1) * (digits + 1), digits**2 - 1])
  found = {
    "logits": logits(full, reduced, pair_3),
    "spectra": readout_frequencies.of_logits(full, reduced, pair_3),
    "neurons": readout_frequencies.of_neurons(full, reduced, member.label_N, pair_3),
    "sparsity": readout_frequencies.sparsity(full.logit_NxV, member.label_N, settings),
    "components": readout_components.measure(full.readout_VxF, jax.random.key(settings.seed)),
  }
  return found | {"value": _values(found)}


def logits(full, reduced, pair_3) -> dict:
  """Returns full and reduced logits at the pairs, and their change at the
  first through the MLP (A36, A37, A39)."""
  change_F = full.post_NxF[0] - reduced.post_NxF[0]
  return {
    "logit": full.logit_NxV[pair_3],
    "reduced_logit": reduced.logit_NxV[pair_3],
    "change": network.exact(full.readout_VxF, change_F),
  }


def _values(found) -> dict:
  """The numbers of the table, by the keys of `REPORTED`."""
  components = found["components"]
  share_V, direction_4xV = components["share"], components["direction"]
  value = _logit_values(found["logits"]) | _spectrum_values(found)
  value |= {
    f"{name}_{at + 1}": components[name][at]
    for name in (
      "similarity",
      "chance_similarity",
      "free",
      "period",
      "period_similarity",
      "chance_period",
    )
    for at in range(len(direction_4xV))
  }
  value |= {
    "pc1_share": share_V[0],
    "pc2_share": share_V[1],
    "pc12_share": share_V[:2].sum(),
    "pc2_peak": jnp.argmax(jnp.abs(direction_4xV[1])),
  }
  return {key: value[key] for key in REPORTED if key in value}


def _logit_values(found) -> dict:
  low_V, high_V = found["logit"][0], found["logit"][2]
  change_V, classes = found["change"], len(low_V)
  free = sinusoids.free_wave(change_V, 1)
  best = sinusoids.best_period(change_V, readout_components.PERIOD_K)
  ends = jnp.array([low_V[-1], found["reduced_logit"][0, -1]])
  return {
    **{f"change_{k}": change_V[k] for k in range(classes)},
    "change_period": best.period,
    "change_free": free.similarity,
    "change_similarity": best.similarity,
    "dip": jnp.argmin(low_V),
    "last_logit": jnp.abs(ends).max(),
    "shape_correlation": regression.pearson(low_V, high_V),
    # The last class is no sum: the others run from 0 to the largest sum.
    "mirror_correlation": regression.pearson(low_V[:-1], high_V[-2::-1]),
  }


def _spectrum_values(found) -> dict:
  spectra, neurons = found["spectra"]["logit"], found["neurons"]
  sparse = found["sparsity"]
  ranked = {
    "logit_low_order": spectra[0],
    "logit_middle_order": spectra[1],
    "active_low_order": neurons["active"][0],
    "active_middle_order": neurons["active"][1],
    "off_order": neurons["flipped"][0],
    "on_order": neurons["flipped"][1],
  }
  rank_ExQ = readout_frequencies.ranks(jnp.stack(list(ranked.values())))
  value = {
    f"{name}_{rank + 1}": rank_ExQ[row, rank]
    for row, name in enumerate(ranked)
    for rank in range(rank_ExQ.shape[1])
  }
  falling_Q = spectra[0][rank_ExQ[0]]
  series = {
    ("logit_low_size", 1): falling_Q,
    ("accuracy", 1): sparse["accuracy"],
    ("nll_nats", 1): sparse["nll_nats"],
    ("peak_count", 0): neurons["peak_count"],
    ("embedding_norm", 0): neurons["embedding_norm"],
    ("readout_norm", 0): neurons["readout_norm"],
  }
  value |= {
    f"{name}_{first + at}": value_Q[at]
    for (name, first), value_Q in series.items()
    for at in range(len(value_Q))
  }
  value |= {
    f"peak_{neuron}": neurons["peak"][at] for at, neuron in enumerate(readout_frequencies.NEURONS)
  }
  needed = ("needed", "needed_shuffled", "needed_planes")
  value |= {name: sparse[name] for name in needed}
  return value | readout_frequencies.as_published(found["logits"]["logit"][0])


def run(run) -> Result:
  """Returns the readout of every member, with the untrained null."""
  own = functools.partial(measure, settings=run.settings)
  found, null = untrained.beside(own, run)
  at = tables.reference(run) or 0
  logit, spectra = found["logits"], found["spectra"]
  neurons, sparse = found["neurons"], found["sparsity"]
  components = found["components"]
  of = lambda found, names, ending: {f"{name}_{ending}": found[name] for name in names}
  return Result(
    table=tables.rows(run, REPORTED, found["value"], null["value"]),
    **of(logit, ("logit", "reduced_logit"), "Sx3xV"),
    change_SxV=logit["change"],
    logit_spectrum_Sx3xQ=spectra["logit"],
    reduced_logit_spectrum_Sx3xQ=spectra["reduced_logit"],
    active_spectrum_Sx3xQ=neurons["active"],
    flipped_spectrum_Sx2xQ=neurons["flipped"],
    peak_count_SxQ=neurons["peak_count"],
    embedding_norm_SxE=neurons["embedding_norm"],
    readout_norm_SxQ=neurons["readout_norm"],
    magnitude_QxF=neurons["magnitude"][at],
    order_F=neurons["order"][at],
    count_R=sparse["count"][at],
    **of(
      sparse,
      (
        "accuracy",
        "accuracy_as_published",
        "nll_nats",
        "agreement",
        "shuffled_agreement",
        "plane_agreement",
      ),
      "SxR",
    ),
    untrained_agreement_SxR=null["sparsity"]["agreement"],
    share_SxV=components["share"],
    untrained_share_SxV=null["components"]["share"],
    **of(components, ("direction", "wave", "period_wave"), "Sx4xV"),
    **of(
      components,
      ("similarity", "chance_similarity", "period", "period_similarity", "chance_period"),
      "Sx4",
    ),
  )
