"""What do neurons write to the logits, by frequency and component?

The notebook on plain addition multiplied the last two weight matrices: column f of
W_L = (W_out W_U)^T is what neuron f adds to the logit of every class. It took Fourier transforms
of columns and logits over the classes, and read from a few inputs that low frequencies dominate
and that a few of them give the right answer. It also compared the first principal components of
W_L's columns with sine and cosine, by eye. Plain addition of P digits has 2P classes and no cycle,
so the wrap-around of the transform is an assumption.

Here the logits of all inputs are rebuilt from their largest frequencies. If few frequencies made
the logits, few would keep their largest logit where it is, and fewer than two controls need:
logits with the same spectra and random phases, and random planes in the place of frequencies. The
components of W_L are compared with sinusoids of a whole frequency and of any period, beside
random curves that are as smooth, and their shares of the variance with those of untrained
networks. "PC1 alone" is the network whose digits' vectors are replaced by their first principal
component. Items A36, A37, A39 to A45, A54 and A55 of docs/sources/addition.md.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import fourier, linear
from primelens.lens import claims, results
from primelens.lens import figures as draw
from primelens.lens import numbers as numbers_lib
from primelens.lens import tables as tables_lib
from primelens.studies.addition import network, program

# --- published ------------------------------------------------------------------------------------

PUBLISHED = numbers_lib.published(__file__)
PUBLISHED_COUNTS = (3, 6, 7)  # whose reconstructions were discussed (A41)
NEURONS = (184, 357)  # of the reference network (A42)
FREQUENCIES = (1, 1, 2, 2)  # those PCs 1-4 were compared with (A55)
TWO = f"{100 * float(PUBLISHED['pc12_share'].source):.1f} %"  # of the variance, two components


obstacle = program.plain


# --- one network ----------------------------------------------------------------------------------


def of_member(model, params, member, token_Nx3, settings) -> dict:
  """Returns the arrays of the result, and the numbers that were reported, of one network.

  The three pairs are (0, 0), (4, 4) and (9, 9) of ten digits.
  """
  full = network.read(model, params, token_Nx3)
  edit = {"embed": network.keep_first(full.embedding_PxD)}
  reduced = network.read(model, params, token_Nx3, edit)
  digits = len(full.embedding_PxD)
  pair_3 = jnp.array([a * digits + b for a, b in pairs(digits)])
  found = {
    "logits": logits(full, reduced, pair_3),
    "spectra": of_logits(full, reduced, pair_3),
    "neurons": of_neurons(full, reduced, member.label_N, pair_3),
    "sparsity": sparsity(full.logit_NxV, member.label_N, settings),
    "components": components(full.readout_VxF, jax.random.key(settings.seed)),
  }
  return found | {"value": _values(found)}


def pairs(digits: int) -> tuple[tuple[int, int], ...]:
  """Returns the three inputs that are looked at: the least, a middle and the largest digit twice.

  >>> pairs(10)
  ((0, 0), (4, 4), (9, 9))
  """
  return tuple((digit, digit) for digit in (0, digits // 2 - 1, digits - 1))


def logits(full, reduced, pair_3) -> dict:
  """Returns full and reduced logits at the pairs, and their change at the
  first through the MLP (A36, A37, A39)."""
  change_F = full.post_NxF[0] - reduced.post_NxF[0]
  return {
    "logit": full.logit_NxV[pair_3],
    "reduced_logit": reduced.logit_NxV[pair_3],
    "change": network.exact(full.readout_VxF, change_F),
    "rebuilt": jax.vmap(_rebuilt_as_published)(full.logit_NxV[pair_3]),
  }


def _values(found) -> dict:
  """Returns the numbers that were reported, by their keys."""
  its = found["components"]
  share_V, direction_4xV = its["share"], its["direction"]
  value = _logit_values(found["logits"]) | _spectrum_values(found)
  value |= {
    f"{name}_{at + 1}": its[name][at]
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
  return {key: value[key] for key in PUBLISHED if key in value}


def _logit_values(found) -> dict:
  low_V, high_V = found["logit"][0], found["logit"][2]
  change_V, classes = found["change"], len(low_V)
  free = fourier.free_wave(change_V, 1)
  best = fourier.best_period(change_V, PERIOD_K)
  ends = jnp.array([low_V[-1], found["reduced_logit"][0, -1]])
  return {
    **{f"change_{k}": change_V[k] for k in range(classes)},
    "change_period": best.period,
    "change_free": free.similarity,
    "change_similarity": best.similarity,
    "dip": jnp.argmin(low_V),
    "last_logit": jnp.abs(ends).max(),
    "shape_correlation": linear.pearson(low_V, high_V),
    # The last class is no sum: the others run from 0 to the largest sum.
    "mirror_correlation": linear.pearson(low_V[:-1], high_V[-2::-1]),
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
  rank_ExQ = ranks(jnp.stack(list(ranked.values())))
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
  value |= {f"peak_{neuron}": neurons["peak"][at] for at, neuron in enumerate(NEURONS)}
  needed = ("needed", "needed_shuffled", "needed_planes")
  value |= {name: sparse[name] for name in needed}
  return value | as_published(found["logits"]["logit"][0])


# --- frequencies of logits and of neurons ---------------------------------------------------------

ACTIVE = 30  # neurons averaged (A44)


def ranks(magnitude_ExQ) -> jax.Array:
  """Returns the frequencies of each spectrum, the largest first: ExQ."""
  return jnp.argsort(-magnitude_ExQ, axis=1)


def of_logits(full, reduced, pair_3) -> dict:
  """Returns |rfft| of the logits at the three pairs, full and reduced (A40)."""
  return {
    "logit": fourier.rfft_magnitude(full.logit_NxV[pair_3]),
    "reduced_logit": fourier.rfft_magnitude(reduced.logit_NxV[pair_3]),
  }


def of_neurons(full, reduced, label_N, pair_3) -> dict:
  """Returns spectra of W_L's columns: each, and means over groups (A42-A45).

  `active` of the 30 most active neurons at the pairs, `flipped` of those that
  at the first pair are on in the reduced network alone ("off"), then of those
  on in the full one alone. A group without neurons has a spectrum of zeros.
  """
  magnitude_QxF = fourier.rfft_magnitude(full.readout_VxF, axis=0)
  peak_F = jnp.argmax(magnitude_QxF, axis=0)
  most = min(ACTIVE, full.post_NxF.shape[1])
  _, active_3xE = jax.lax.top_k(full.post_NxF[pair_3], most)
  on_F, reduced_F = full.pre_NxF[0] > 0, reduced.pre_NxF[0] > 0
  flip_2xF = jnp.stack([~on_F & reduced_F, on_F & ~reduced_F])
  correlation_F = linear.pearson(full.post_NxF, label_N)
  norm = lambda weight: jnp.linalg.norm(fourier.rfft_magnitude(weight, axis=0), axis=1)
  return {
    "magnitude": magnitude_QxF,
    "order": jnp.argsort(-correlation_F),
    "peak_count": jnp.bincount(peak_F, length=len(magnitude_QxF)),
    "peak": jnp.take(peak_F, jnp.array(NEURONS), mode="clip"),
    "active": magnitude_QxF[:, active_3xE].mean(2).T,
    "flipped": _mean(magnitude_QxF, flip_2xF),
    "embedding_norm": norm(full.embedding_PxD),
    "readout_norm": norm(full.readout_VxF),
  }


def _mean(magnitude_QxF, group_2xF):
  """Returns the mean spectra 2xQ of the neurons in each group, 0 for an empty one."""
  group_2xF = group_2xF.astype(magnitude_QxF.dtype)
  size_2x1 = jnp.maximum(group_2xF.sum(1), 1)[:, None]
  return network.exact(group_2xF, magnitude_QxF.T) / size_2x1


# --- how many frequencies make an answer ----------------------------------------------------------


def sparsity(logit_NxV, label_N, settings) -> dict:
  """Returns what 1, 2, ... frequencies beside the constant are worth (A41).

  Accuracy and cross-entropy of the logits rebuilt from each input's largest
  frequencies, as published too (off by one), and agreement: how many inputs
  keep the argmax of their own logits. Its two nulls, means over
  `random_directions` draws: the same logits with every phase random (the same
  spectra and smoothness), and random planes instead of frequencies.
  `needed` is the least number with which all inputs agree.
  """
  classes, draws = logit_NxV.shape[1], settings.random_directions
  count_R = jnp.arange(1, classes // 2 + 1)
  shuffled_DxNxV = jax.vmap(fourier.shuffle_phases, (0, None))(
    jax.random.split(jax.random.key(settings.seed), draws), logit_NxV
  )
  # The first "draw" are the logits themselves.
  logit_DxNxV = jnp.concatenate([logit_NxV[None], shuffled_DxNxV])
  over = lambda rebuild, x: jax.vmap(rebuild, (None, 0))(x, count_R)
  rebuilt_RxDxNxV = over(fourier.top_frequencies_reconstruct, logit_DxNxV)
  published_RxNxV = over(fourier.top_frequencies_as_published, logit_NxV)
  basis_DxVxV = np.stack([fourier.random_basis(classes, [settings.seed, i]) for i in range(draws)])
  plane_RxDxNxV = jax.vmap(
    lambda basis_VxV: over(functools.partial(fourier.top_planes_reconstruct, basis_VxV), logit_NxV),
    out_axes=1,
  )(jnp.asarray(basis_DxVxV))
  exact_RxNxV = rebuilt_RxDxNxV[:, 0]
  agreement_DxR = _agreement(rebuilt_RxDxNxV, logit_DxNxV)
  plane_DxR = _agreement(plane_RxDxNxV, logit_NxV[None])
  accuracy = jax.vmap(lambda x_NxV: network.accuracy(x_NxV, label_N))
  nll = jax.vmap(lambda x_NxV: network.nll(x_NxV, label_N))
  needed_D = _needed(agreement_DxR)
  return {
    "count": count_R,
    "accuracy": accuracy(exact_RxNxV),
    "nll_nats": nll(exact_RxNxV),
    "accuracy_as_published": accuracy(published_RxNxV),
    "agreement": agreement_DxR[0],
    "shuffled_agreement": agreement_DxR[1:].mean(0),
    "plane_agreement": plane_DxR.mean(0),
    "needed": needed_D[0],
    "needed_shuffled": needed_D[1:].mean(),
    "needed_planes": _needed(plane_DxR).mean(),
  }


def _agreement(rebuilt_RxDxNxV, own_DxNxV):
  """Returns the share of inputs whose rebuilt logits have their own argmax: DxR."""
  own_DxN = jnp.argmax(own_DxNxV, axis=-1)
  same_RxDxN = jnp.argmax(rebuilt_RxDxNxV, axis=-1) == own_DxN[None]
  return same_RxDxN.mean(-1).T


def _needed(agreement_DxR):
  """Returns the first count with which all agree; the last one where none does."""
  whole_DxR = (agreement_DxR == 1).at[:, -1].set(True)
  return 1.0 + jnp.argmax(whole_DxR, axis=1)


def as_published(logit_V) -> dict:
  """Returns the published reconstructions of one input's logits (A41).

  For every "K" discussed: the variance explained, the argmax and how many
  frequencies beside the constant were kept.
  """
  rebuilt_RxV = _rebuilt_as_published(logit_V)
  variance_R = 1 - jnp.var(logit_V[None] - rebuilt_RxV, axis=1) / jnp.var(logit_V)
  size_RxQ = fourier.rfft_magnitude(rebuilt_RxV)[:, 1:]
  # What was not kept comes back as rounding.
  kept_RxQ = size_RxQ > 1e-4 * size_RxQ.max(1, keepdims=True)
  found: dict = {}
  for at, count in enumerate(PUBLISHED_COUNTS):
    found |= {
      f"published_variance_{count}": variance_R[at],
      f"published_argmax_{count}": jnp.argmax(rebuilt_RxV[at]),
      f"published_kept_{count}": kept_RxQ[at].sum(),
    }
  return found


def _rebuilt_as_published(logit_V):
  """Returns one input's logits rebuilt with each of the counts that were discussed, RxV."""
  counts_R = jnp.array(PUBLISHED_COUNTS)
  return jax.vmap(fourier.top_frequencies_as_published, (None, 0))(logit_V, counts_R)


# --- components of W_L's columns, and sinusoids ---------------------------------------------------

PERIOD_K = np.arange(40, 301) / 10  # tried; longer ones are not seen to turn
DRAWS = 200  # random curves for each component
CHANCE = 0.95  # the quantile of their similarities
PERCENT = f"{100 * CHANCE:g} %"


def components(readout_VxF, key) -> dict:
  """Returns shares, components 1-4 and their sinusoids of one network (A54, A55).

  `similarity` is with the better of sin and cos of the frequency named
  (A55), `free` the same with free phase, `period` the best real period.
  `chance` are the 95 % quantiles that random curves as smooth as the component
  (`fourier.smooth_curves`) reach with the first and with the last.
  """
  found = linear.pca(readout_VxF.T)
  direction_4xV = _signed(found.direction_QxD[: len(FREQUENCIES)])
  key_4 = jax.random.split(key, len(FREQUENCIES))
  matches = jax.vmap(_matches)(direction_4xV, jnp.array(FREQUENCIES), key_4)
  return matches | {"share": found.share_Q, "direction": direction_4xV}


def _matches(curve_V, frequency, key) -> dict:
  whole = fourier.better_wave(curve_V, frequency)
  real = fourier.best_period(curve_V, PERIOD_K)
  curve_RxV = fourier.smooth_curves(
    key, DRAWS, len(curve_V), fourier.neighbour_correlation(curve_V)
  )
  chance_R, chance_period_R = jax.vmap(
    lambda x_V: (
      fourier.better_wave(x_V, frequency).similarity,
      fourier.best_period(x_V, PERIOD_K).similarity,
    )
  )(curve_RxV)
  return {
    "similarity": whole.similarity,
    "wave": whole.wave_V,
    "free": fourier.free_wave(curve_V, frequency).similarity,
    "period": real.period,
    "period_similarity": real.similarity,
    "period_wave": real.wave_V,
    "chance_similarity": jnp.quantile(chance_R, CHANCE),
    "chance_period": jnp.quantile(chance_period_R, CHANCE),
  }


def _signed(direction_4xV):
  """Returns the components: positive at class 0, the second one at the middle class."""
  middle = direction_4xV.shape[1] // 2 - 1
  anchor_4 = direction_4xV[:, 0].at[1].set(direction_4xV[1, middle])
  return direction_4xV * jnp.where(anchor_4 < 0, -1, 1)[:, None]


# --- the result -----------------------------------------------------------------------------------

FLIPS = ("turn off", "turn on")  # from PC1 alone to the full network


def measure(run) -> xr.Dataset:
  """Returns logits, spectra and components of every network, and what is known of untrained ones.

  The spectra of all columns (`magnitude`), and their order, are those of one network: the
  source's own, else the first.
  """
  own = functools.partial(of_member, settings=run.settings)
  found, null = network.beside(own, run)
  at = program.drawn(run.experiment)
  value, untrained = (
    {key: each["value"][key] for key in PUBLISHED if key in each["value"]} for each in (found, null)
  )
  variables = {
    **numbers_lib.stored(value, untrained),
    **_of_logits(found["logits"], found["spectra"]),
    **_of_neurons(found["neurons"], at),
    **_of_sparsity(found["sparsity"], null["sparsity"]),
    **_of_components(found["components"], null["components"]),
  }
  length = lambda name, axis: np.arange(variables[name].shape[axis])
  coords = {
    "pair": results.variable(
      "pair", [f"({a}, {b})" for a, b in pairs(run.experiment.task.digits)], "operands"
    ),
    "answer": results.variable("answer", length("change", 1), "class"),
    "published_count": results.variable("published_count", list(PUBLISHED_COUNTS), "K, published"),
    "frequency": results.variable("frequency", length("readout_norm", 1), "frequency"),
    "digit_frequency": results.variable(
      "digit_frequency", length("embedding_norm", 1), "frequency over the digits"
    ),
    "flip": results.variable("flip", list(FLIPS), "neurons that differ at (0, 0)"),
    "kept": results.variable(
      "kept", found["sparsity"]["count"][at], "frequencies beside the constant"
    ),
    "component": results.variable(
      "component", 1 + np.arange(len(FREQUENCIES)), "component of W_L's columns"
    ),
    "every_component": results.variable(
      "every_component", 1 + length("share", 2), "component of W_L's columns"
    ),
  }
  return program.dataset(run, variables, coords)


def _of_logits(logit, spectra) -> dict[str, xr.Variable]:
  dims = "seed pair answer"
  return {
    "logit": results.variable(dims, logit["logit"], "logit"),
    "reduced_logit": results.variable(dims, logit["reduced_logit"], "logit with PC1 alone"),
    "change": results.variable(
      "seed answer", logit["change"], "W_L (h - h of PC1 alone), logits at the first pair"
    ),
    "rebuilt": results.variable(
      "seed pair published_count answer", logit["rebuilt"], "logit rebuilt as published"
    ),
    "logit_spectrum": results.variable(
      "seed pair frequency", spectra["logit"], "|rfft| of the logits"
    ),
    "reduced_logit_spectrum": results.variable(
      "seed pair frequency", spectra["reduced_logit"], "|rfft| of the logits with PC1 alone"
    ),
  }


def _of_neurons(found, at: int) -> dict[str, xr.Variable]:
  mean = "mean |rfft| of W_L's columns"
  return {
    "active_spectrum": results.variable(
      "seed pair frequency", found["active"], f"{mean}, the {ACTIVE} most active neurons"
    ),
    "flipped_spectrum": results.variable(
      "seed flip frequency", found["flipped"], f"{mean}, neurons that turn off or on at (0, 0)"
    ),
    "peak_count": results.variable(
      "seed frequency",
      found["peak_count"],
      "columns of W_L that peak here",
      "neurons",
    ),
    "embedding_norm": results.variable(
      "seed digit_frequency", found["embedding_norm"], "norm of W_E's |rfft|"
    ),
    "readout_norm": results.variable(
      "seed frequency", found["readout_norm"], "norm of W_L's |rfft|"
    ),
    "magnitude": results.variable(
      "frequency neuron", found["magnitude"][at], "|rfft| of W_L's columns, one network"
    ),
    "order": results.variable(
      "place", found["order"][at], "neurons by falling correlation with a + b, one network"
    ),
  }


def _of_sparsity(found, null) -> dict[str, xr.Variable]:
  kept = "share of inputs that keep their argmax"
  words = {
    "accuracy": "accuracy of the rebuilt logits",
    "accuracy_as_published": "accuracy of the logits rebuilt as published, off by one",
    "shuffled_agreement": f"{kept}, logits with random phases",
    "plane_agreement": f"{kept}, random planes instead of frequencies",
  }
  both = np.stack([each["agreement"] for each in (found, null)])
  return {
    **{name: results.variable("seed kept", found[name], said) for name, said in words.items()},
    "nll": results.variable(
      "seed kept", found["nll_nats"], "cross-entropy of the rebuilt logits", "nats"
    ),
    "agreement": results.variable("network seed kept", both, kept),
  }


def _of_components(found, null) -> dict[str, xr.Variable]:
  curves = {
    "direction": "entry of the component",
    "wave": "sine or cosine of the frequency that was named, fitted",
    "period_wave": "sinusoid of the best period, fitted",
  }
  chance = f"{PERCENT} of random curves as smooth reach at most"
  values = {
    "similarity": ("similarity with the better of sine and cosine", ""),
    "chance_similarity": (f"{chance}, sine or cosine", ""),
    "period": ("best period", "classes"),
    "period_similarity": ("similarity with the sinusoid of the best period", ""),
    "chance_period": (f"{chance}, best period", ""),
  }
  both = np.stack([each["share"] for each in (found, null)])
  dims = "seed component answer"
  return {
    "share": results.variable("network seed every_component", both, "share of W_L's variance"),
    **{name: results.variable(dims, found[name], said) for name, said in curves.items()},
    **{
      name: results.variable("seed component", found[name], said, unit)
      for name, (said, unit) in values.items()
    },
  }


numbers = numbers_lib.of  # by the keys of published.csv


# --- figures, tables ------------------------------------------------------------------------------


def figures(runs) -> dict:
  """Returns two pages for each run of the source's setting, and one that compares all runs.

  The second one of a run has what the notebook looked at by itself: logits rebuilt at two inputs,
  two neurons, the third and fourth component.
  """
  main = program.main(runs)
  pages = {run: _page(run, found) for run, found in main.items()}
  pages |= {f"{run}, details": _details(run, found) for run, found in main.items()}
  return {"all runs": _compared(runs)} | pages if len(runs) > 1 else pages


def _page(run: str, found: xr.Dataset) -> draw.Page:
  """Returns a run's page: one network where a panel says so, else all of them and their median."""
  one = found.isel(seed=program.shown(found))
  whose = f"seed {one['seed'].item()}"
  return draw.page(
    (_columns(one, f"{run}, {whose}: spectra of W_L's columns"), _logits(one, whose)),
    (_logit_spectra(one, whose), _group_spectra(one, whose)),
    (_argmax(found), _loss(found)),
    (_component(one, 1, whose), _component(one, 2, whose)),
    (_shares(found), _norms(found)),
    heights=[3.4, 3.7, 3.7, 3.5, 3.4],
  )


def _details(run: str, found: xr.Dataset) -> draw.Page:
  """Returns the second page of a run, of the same network."""
  one = found.isel(seed=program.shown(found))
  whose = f"seed {one['seed'].item()}"
  first, middle, _ = one["pair"].values
  return draw.page(
    (_shapes(one, f"{run}, {whose}: logits at three inputs"), _as_published(found)),
    (_rebuilt(one, first, whose), _rebuilt(one, middle, whose)),
    (_two_neurons(one, whose), _peaks(found)),
    (_component(one, 3, whose), _component(one, 4, whose)),
    _cumulative(found),
    heights=[3.5, 3.5, 3.2, 3.5, 3.2],
  )


def _named(series: dict, meaning: str) -> xr.Dataset:
  """Returns arrays of the same dimensions as one variable `value` along `series`."""
  first = next(iter(series.values()))
  value = np.stack([each.transpose(*first.dims).values for each in series.values()])
  coords = {dim: first.coords[dim].variable for dim in first.dims if dim in first.coords}
  dims = f"series {' '.join(map(str, first.dims))}"
  return results.dataset(
    {"value": results.variable(dims, value, meaning)}, coords | {"series": list(series)}
  )


def _columns(one: xr.Dataset, title: str) -> draw.Panel:
  """Returns every column's |rfft|, its largest 1, by falling correlation; frequency 0 is below."""
  magnitude_QxF = one["magnitude"].values[:, one["order"].values]
  largest_1xF = magnitude_QxF.max(0, keepdims=True)
  relative_QxF = magnitude_QxF / np.where(largest_1xF > 0, largest_1xF, 1)
  falling_Q = one["frequency"].values[::-1]
  shown = results.dataset(
    {
      "relative": results.variable(
        "frequency place", relative_QxF[::-1], "spectrum", "|rfft|, largest 1"
      )
    },
    {
      "frequency": results.variable("frequency", falling_Q, "frequency"),
      "place": results.variable(
        "place", np.arange(relative_QxF.shape[1]), "neuron, by falling correlation with a + b"
      ),
    },
  )
  look = {"rows": "frequency", "columns": "place", "written": "", "limits": (0, 1)}
  tick_K = np.arange(0, relative_QxF.shape[1], max(1, relative_QxF.shape[1] // 8))
  return draw.together(
    draw.heat(shown, "relative", title=title, **look),
    lambda axes: axes.set_xticks(tick_K, tick_K),
  )


def _logits(one: xr.Dataset, whose: str) -> draw.Panel:
  lines = {
    "full network": one["logit"][0],
    "PC1 alone": one["reduced_logit"][0],
    "W_L (h - h of PC1 alone)": one["change"],
  }
  look = {"color": draw.GREY, "ls": ":"}
  return draw.together(
    draw.level(0, "classes 0 and 3", along="x", **look),
    draw.level(3, along="x", **look),
    draw.curves(
      _named(lines, "logit"),
      "value",
      x="answer",
      colour="series",
      style={"marker": ""},
      title=f"Logits at (0, 0), {whose}",
    ),
  )


def _logit_spectra(one: xr.Dataset, whose: str) -> draw.Panel:
  both = {"full network": one["logit_spectrum"], "PC1 alone": one["reduced_logit_spectrum"]}
  return draw.curves(
    _named(both, "|rfft| of the logits"),
    "value",
    x="frequency",
    colour="pair",
    dash="series",
    title=f"Spectra of the logits, {whose}",
  )


def _group_spectra(one: xr.Dataset, whose: str) -> draw.Panel:
  active, flipped = one["active_spectrum"], one["flipped_spectrum"]
  lines = {f"most active at {pair}": active.sel(pair=pair) for pair in active["pair"].values}
  lines |= {f"{flip} at (0, 0)": flipped.sel(flip=flip) for flip in FLIPS}
  return draw.curves(
    _named(lines, "mean |rfft| of W_L's columns"),
    "value",
    x="frequency",
    colour="series",
    title=f"Groups of neurons, {whose}",
  )


def _argmax(found: xr.Dataset) -> draw.Panel:
  own = {key: found["agreement"].sel(network=key) for key in ("trained", "untrained")}
  shade, solid, dashed = draw.COLOUR_OF, draw.DASHES[0], draw.DASHES[1]
  lines = (
    (found["accuracy"], "right sum", shade["trained"], dashed),
    (own["trained"], "same answer as all frequencies give", shade["trained"], solid),
    (own["untrained"], "the same, untrained network", shade["untrained"], solid),
    (found["shuffled_agreement"], "the same, phases random", shade["permuted"], solid),
    (found["plane_agreement"], "the same, random planes", shade["random"], solid),
  )
  panels = []
  for value, said, colour, dash in lines:
    median = value.median("seed").rename("value").to_dataset()
    look = {"color": colour, "ls": dash}
    text = {"ylabel": "share of inputs", "ylim": (0, 1.04)}
    text |= {"xlabel": results.label(found["kept"])}
    text |= {"title": "Answers from the largest frequencies (medians)"}
    panels.append(draw.curves(median, "value", x="kept", names={None: said}, style=look, **text))
  return draw.together(*panels)


def _loss(found: xr.Dataset) -> draw.Panel:
  return draw.together(
    draw.level(np.log(found.sizes["answer"]), "all classes alike", color=draw.GREY),
    draw.curves(
      found,
      "nll",
      x="kept",
      thin="seed",
      names={None: "median (thin: single networks)"},
      zero=False,
      yscale="log",
      ylabel="nats",
      title="Cross-entropy of the rebuilt logits",
    ),
  )


def _component(one: xr.Dataset, component: int, whose: str) -> draw.Panel:
  """Returns a component and the sinusoids that were fitted to it."""
  its = one.sel(component=component)
  value = lambda name: float(its[name])
  share = float(one["share"].sel(network="trained", every_component=component))
  wave = (
    f"sin or cos k = {FREQUENCIES[component - 1]}: {value('similarity'):.2f} (chance, {PERCENT}:"
    f" {value('chance_similarity'):.2f})"
  )
  period = (
    f"period {value('period'):.1f}: {value('period_similarity'):.2f} (chance, {PERCENT}:"
    f" {value('chance_period'):.2f})"
  )
  place_V, look = np.arange(its.sizes["answer"]), {"ls": "-", "lw": 1.6}
  return draw.together(
    draw.line(place_V, its["wave"].values, wave, draw.ORANGE, **look),
    draw.line(place_V, its["period_wave"].values, period, draw.BLUE, **look),
    draw.bars(
      its[["direction"]],
      "direction",
      x="answer",
      title=f"PC{component} of W_L, {share:.0%}, {whose}",
    ),
  )


def _shapes(one: xr.Dataset, title: str) -> draw.Panel:
  """Returns the logits of the full network at the three inputs (A39)."""
  return draw.curves(one, "logit", x="answer", colour="pair", style={"marker": ""}, title=title)


def _rebuilt(one: xr.Dataset, pair: str, whose: str) -> draw.Panel:
  """Returns the logits of an input, and rebuilt from the largest frequencies as published."""
  its = one.sel(pair=pair)
  lines = {f"K = {k}": its["rebuilt"].sel(published_count=k) for k in PUBLISHED_COUNTS}
  look = {"x": "answer", "title": f"Logits at {pair} rebuilt as published, {whose}"}
  return draw.together(
    draw.line(one["answer"].values, its["logit"].values, "all frequencies", "black", ls="-", lw=2),
    draw.curves(
      _named(lines, "logit"), "value", colour="series", style={"marker": "", "lw": 1.3}, **look
    ),
  )


def _as_published(found: xr.Dataset) -> draw.Panel:
  """Returns how many answers are right with K frequencies, and with K as published."""
  median = found[["accuracy", "accuracy_as_published"]].median("seed", keep_attrs=True)
  lines = {"K frequencies": median["accuracy"], "K as published": median["accuracy_as_published"]}
  return draw.curves(
    _named(lines, "share of right sums, all inputs"),
    "value",
    x="kept",
    colour="series",
    xlabel="K",
    ylim=(0, 1.04),
    title="Published K keeps one more (medians)",
  )


def _two_neurons(one: xr.Dataset, whose: str) -> draw.Panel:
  """Returns the spectra of the columns of two neurons (A42)."""
  last = one.sizes["neuron"] - 1
  columns = {f"neuron {i}": one["magnitude"].isel(neuron=min(i, last)) for i in NEURONS}
  title = f"W_L of two neurons, {whose}"
  return draw.bars(_named(columns, "|rfft|"), "value", x="frequency", colour="series", title=title)


def _peaks(found: xr.Dataset) -> draw.Panel:
  title = f"Where the {found.sizes['neuron']} columns peak (dots: networks)"
  return draw.bars(found, "peak_count", x="frequency", ylabel="columns of W_L", title=title)


def _cumulative(found: xr.Dataset) -> draw.Panel:
  """Returns what the first components hold together of the variance of W_L's columns (A54)."""
  total = found["share"].cumsum("every_component", keep_attrs=True)
  shown = total.rename("held").to_dataset().assign_coords(every_component=found.every_component)
  return draw.together(
    draw.level(0.95, "95 %", color="black"),
    draw.curves(
      shown,
      "held",
      x="every_component",
      colour="network",
      thin="seed",
      names=draw.NETWORKS,
      ylim=(0, 1.04),
      ylabel="share of W_L's variance",
      xlabel="first components of W_L's columns, together",
      title="How many components hold 95 % (thin: networks, thick: median)",
    ),
  )


def _shares(found: xr.Dataset) -> draw.Panel:
  return draw.curves(
    found,
    "share",
    x="every_component",
    colour="network",
    thin="seed",
    names=draw.NETWORKS,
    title="Variance of W_L's columns (thick: median)",
  )


def _norms(found: xr.Dataset) -> draw.Panel:
  """Returns the norms of the readout and of the digits' vectors by frequency."""
  named = {"digit_frequency": "frequency"}
  digits = found[["embedding_norm"]].rename(named)
  look = {"x": "frequency", "thin": "seed"}
  return draw.together(
    draw.curves(
      digits, "embedding_norm", names={None: "W_E, over the digits"}, style=_shade(1), **look
    ),
    draw.curves(
      found,
      "readout_norm",
      names={None: "W_L, over the classes"},
      ylabel="norm of |rfft|",
      title="Norms of the weights (thick: median)",
      **look,
    ),
  )


def _shade(at: int) -> dict:
  return {"color": draw.COLOURS[at]}


def _compared(runs) -> draw.Page:
  """Returns how many frequencies answer, and how sinusoidal the components are, of all runs."""
  kept = results.across(runs, "accuracy")
  names = ("pc12_share", "untrained_share", "similarity", "chance_similarity")
  two = results.across({run: _first_two(found) for run, found in runs.items()}, *names)
  each = {f"PC{k}": two["similarity"].sel(component=k) for k in (1, 2)}
  each |= {
    f"PC{k}, {PERCENT} of random curves": two["chance_similarity"].sel(component=k) for k in (1, 2)
  }
  look = {"y": "run", "xlim": (-0.02, 1.04)}
  return draw.page(
    draw.curves(
      kept,
      "accuracy",
      x="kept",
      colour="run",
      thin="seed",
      ylim=(0, 1.04),
      title="Right sums from the largest frequencies (thin: seeds, thick: median)",
    ),
    (
      draw.strips(two, "pc12_share", null="untrained_share", title="Two components of W_L", **look),
      draw.strips(
        _named(each, "similarity with sine or cosine"),
        "value",
        colour="series",
        title="Components and frequency 1",
        **look,
      ),
    ),
    heights=[3.6, 1.9 + 0.35 * len(runs)],
  )


def _first_two(found: xr.Dataset) -> xr.Dataset:
  """Returns the share of two components by network, and what the comparison shows beside it."""
  pair = found["share"].isel(every_component=slice(2)).sum("every_component")
  own, fresh = (pair.sel(network=name, drop=True) for name in numbers_lib.NETWORKS)
  own.attrs = fresh.attrs = {"long_name": "share of W_L's variance"}
  return found[["similarity", "chance_similarity"]].assign(pc12_share=own, untrained_share=fresh)


def tables(runs) -> list[tables_lib.Table]:
  """Returns the components of W_L's columns of all runs, medians over the networks."""
  return [
    tables_lib.Table(
      "Components of W_L's columns, medians over the networks of a run: the share of the variance,"
      " also of untrained networks, and the similarity with the better of sine and cosine of the"
      f" frequency k that was named and with the best period. Chance is what {PERCENT} of random"
      " curves as smooth reach at most.",
      [row for run, found in runs.items() for row in _component_rows(run, found)],
      name="components",
    )
  ]


def _component_rows(run: str, found: xr.Dataset):
  for component, frequency in zip(found["component"].values, FREQUENCIES, strict=True):
    its = found.sel(component=component, every_component=component)
    median = lambda each: numbers_lib.median(each.values)
    share = {name: median(its["share"].sel(network=name)) for name in numbers_lib.NETWORKS}
    yield {
      "run": run,
      "networks": found.population,
      "component": int(component),
      "share": share["trained"],
      "share untrained": share["untrained"],
      "k": frequency,
      "similarity": median(its["similarity"]),
      "chance": median(its["chance_similarity"]),
      "best period": median(its["period"]),
      "its similarity": median(its["period_similarity"]),
      "its chance": median(its["chance_period"]),
    }


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
ALIKE = 0.9  # a cosine similarity above it: the same curve
FEW = 6  # frequencies, as many as gave the right answer at (0, 0)
NEARLY_ALL = 0.95  # of the variance: two components that hold more are all there is


@CLAIMS.add(
  "readout.sinusoids",
  "The first two components of W_L are sine and cosine of frequency 1.",
  reported="likely, by eye",
  source=f"{program.PLAIN_SOURCE} (A55)",
)
def waves(results):
  """Returns the verdict: the components beside sine and cosine of frequency 1."""
  found = program.first(results, "readout")
  first, second, chance, period = program.numbers(
    found, "similarity_1", "similarity_2", "chance_similarity_1", "period_1"
  )
  because = (
    "the cosine similarity with the better of sine and cosine has to be above"
    f" {ALIKE:g} for both components of W_L; it is {first} for the first and {second} for the"
    f" second, where {PERCENT} of random curves as smooth as the first reach at most {chance}; the"
    f" best period of the first is {period} classes, where frequency 1 has {program.CLASSES}"
  )
  holds_S = (first.value_S > ALIKE) & (second.value_S > ALIKE)
  behind = program.behind(pc1=first, pc2=second, chance=chance)
  return program.by_members(holds_S, because, behind)


@CLAIMS.add(
  "readout.sparse",
  "A few low frequencies of the output suffice for the answer.",
  reported="1, 2, 3 dominate; six give the right answer at (0, 0)",
  source=f"{program.PLAIN_SOURCE} (A40, A41)",
)
def sparse(results):
  """Returns the verdict: how many of the ten frequencies all answers need."""
  found = program.first(results, "readout")
  (needed,) = program.numbers(found, "needed")
  because = (
    f"{FEW} frequencies or fewer have to give all {program.DIGITS**2} answers of the network;"
    f" {needed} of {program.CLASSES // 2} are needed, where the source looked at (0, 0) alone"
  )
  return program.by_members(needed.value_S <= FEW, because, program.behind(needed=needed))


@CLAIMS.add(
  "readout.two",
  f"Neurons write along two directions: two components hold {TWO} of W_L.",
  reported=TWO,
  source=f"{program.PLAIN_SOURCE} (A54)",
)
def two_directions(results):
  """Returns the verdict: what two components of W_L hold of its variance."""
  found = program.first(results, "readout")
  (share,) = program.numbers(found, "pc12_share")
  because = (
    f"two components have to hold a share above {NEARLY_ALL:g} of the variance of W_L; they hold"
    f" {share}, those of untrained networks {share.untrained:.2f} in the median"
  )
  return program.by_members(share.value_S > NEARLY_ALL, because, program.behind(share=share))
