"""Everything the analyses read of one member: activations at "=", weights.

Over members, over snapshots, beside untrained networks; edits of digits and attention; and what
logits and fits are worth. Arrays are named as in docs/sources/addition.md, section 0: r_mid is
`mid_NxD`, z `pre_NxF`, h `post_NxF`, W_L `readout_VxF`, E `embedding_PxD`.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.analyses import fourier, linear
from primelens.lens import numbers as numbers_lib
from primelens.lens import results
from primelens.lens import tables as tables_lib
from primelens.models import tokens
from primelens.studies.addition import program

_SITES = ("residual/mid", "mlp/pre", "mlp/post", "attention/pattern")


class Network(NamedTuple):
  """One member on all pairs, a-major, at the last position.

  The pattern is what each head gives to a, b and "=". The logits are those of
  `mid` and `post`: mid W_U + post W_L^T + b_out W_U, which an edit may have
  changed. `bias_V` is b_out W_U, what the MLP's output adds to every input's
  logits; the published network has no biases, and it is 0.
  """

  embedding_PxD: jax.Array
  readout_VxF: jax.Array
  unembed_DxV: jax.Array
  bias_V: jax.Array
  mid_NxD: jax.Array
  pre_NxF: jax.Array
  post_NxF: jax.Array
  logit_NxV: jax.Array
  pattern_NxHxT: jax.Array


def read(model: tokens.Config, params, token_Nx3, edits=None) -> Network:
  """Returns a member on the given inputs, with edits of named sites.

  Raises `ValueError` for an unknown site or a network of several layers.
  """
  if model.trunk.layers != 1:
    raise ValueError(f"This analysis reads one layer; model.trunk.layers={model.trunk.layers}.")
  logit_NxV, site = tokens.apply(model, params, token_Nx3, edits=edits, sites=_SITES)
  last = {name: value[0][:, ..., -1, :] for name, value in site.items()}
  down = jax.tree.map(lambda leaf: leaf[0], params["blocks"]["mlp"]["down"])
  unembed_DxV = params["unembed"]["kernel"]
  bias_1xD = down.get("bias", jnp.zeros_like(unembed_DxV[:, 0]))[None]
  return Network(
    embedding_PxD=params["embedding"]["embedding"][:-1],
    readout_VxF=exact(down["kernel"], unembed_DxV).T,
    unembed_DxV=unembed_DxV,
    bias_V=exact(bias_1xD, unembed_DxV)[0],
    mid_NxD=last["residual/mid"],
    pre_NxF=last["mlp/pre"],
    post_NxF=last["mlp/post"],
    logit_NxV=logit_NxV,
    pattern_NxHxT=last["attention/pattern"],
  )


def exact(a, b) -> jax.Array:
  """Returns the matrix product in full float32 on every device."""
  return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def readout(network: Network, post_NxF, *, skip: bool = True) -> jax.Array:
  """Returns the logits NxV that MLP activations give, with or without the
  direct path: post W_L^T + b_out W_U, and r_mid W_U."""
  logit_NxV = exact(post_NxF, network.readout_VxF.T) + network.bias_V[None]
  return logit_NxV + direct(network) if skip else logit_NxV


def direct(network: Network) -> jax.Array:
  """Returns the logits NxV of the direct path alone, r_mid W_U."""
  return exact(network.mid_NxD, network.unembed_DxV)


def accuracy(logit_NxV, label_N) -> jax.Array:
  """Returns the share of rows whose largest logit is the label's."""
  return jnp.mean(jnp.argmax(logit_NxV, axis=-1) == label_N)


def nll(logit_NxV, label_N) -> jax.Array:
  """Returns the mean cross-entropy in nats, exact down to 1e-30."""
  return jnp.mean(tokens.margin_nll(logit_NxV, label_N))


class Member(NamedTuple):
  """A member's labels and the rows of its splits."""

  label_N: jax.Array
  train_N: jax.Array
  test_N: jax.Array


def members(pairs) -> Member:
  """Returns all members' labels and splits, a leading S on each."""
  return jax.device_put(Member(pairs.label_SxN, pairs.train_SxN, pairs.test_SxN))


def over_members(measure, run, params_S=None):
  """Returns `measure(model, params, member, token_Nx3)` of every member.

  A pytree of numpy arrays with a leading S, from one program, vmapped over
  `member_batch` members at a time, which bounds the memory. `params_S` are by
  default the run's own; `run.untrained_S()` gives the untrained null.
  """
  params_S = run.params_S if params_S is None else params_S
  model, device = run.experiment.model, jax.devices()[0]

  @jax.jit
  def population(params_S, member_S, token_Nx3):
    each = lambda one: measure(model, *one, token_Nx3)
    size = run.settings.member_batch
    return jax.lax.map(each, (params_S, member_S), batch_size=size)

  data = (params_S, members(run.pairs), run.pairs.token_Nx3)
  # On one device: decompositions are not partitioned, and gathering their
  # operands from within a program can lock CPU devices up.
  return jax.device_get(population(*jax.device_put(data, device)))


def beside(measure, run):
  """Returns `measure` of the run's members, and of their untrained selves.

  Two pytrees of numpy arrays with a leading S, as `over_members` gives, from one compiled program.
  """
  pair_Sx2 = jax.tree.map(
    lambda *leaves: np.stack(jax.device_get(leaves), axis=1), run.params_S, run.untrained_S()
  )

  def each(model, params_2, member, token_Nx3):
    one = lambda params: measure(model, params, member, token_Nx3)
    return jax.lax.map(one, params_2)

  found = over_members(each, run, pair_Sx2)
  its = lambda at: jax.tree.map(lambda x: x[:, at], found)
  return its(0), its(1)


# --- over training --------------------------------------------------------------------------------


def snapshot_steps(run) -> np.ndarray:
  """Returns the steps with a snapshot, C; raises `ValueError` for none."""
  step_C = np.array(run.snapshot_steps(), int)
  if not step_C.size:
    raise ValueError(f"{run.workdir} has no snapshots; train with fit.snapshot_every=100.")
  return step_C


def over_snapshots(measure: Callable, run, extra_S=None):
  """Returns `measure(model, params, member, token_Nx3, extra)` over training.

  A pytree of numpy arrays SxC... from one vmapped program, called once per
  `snapshot_batch` snapshots, which bounds the memory. `extra_S` is a pytree
  of further data of each member. Raises `ValueError` for a run without
  snapshots.
  """
  model, device = run.experiment.model, jax.devices()[0]
  each = lambda params, member, token_Nx3, extra: measure(model, params, member, token_Nx3, extra)
  over_S = jax.vmap(each, (0, 0, None, 0))
  over_CxS = jax.jit(jax.vmap(over_S, (0, None, None, None)))
  data = (members(run.pairs), run.pairs.token_Nx3, extra_S)
  data = jax.device_put(data, device)
  chunks = [
    jax.device_get(over_CxS(jax.device_put(params_CxS, device), *data))
    for params_CxS in _chunks(run)
  ]
  return jax.tree.map(lambda *parts: np.concatenate(parts).swapaxes(0, 1), *chunks)


def _chunks(run):
  """Yields the params of `snapshot_batch` snapshots at a time, CxS."""
  size, step_C = run.settings.snapshot_batch, snapshot_steps(run).tolist()
  for start in range(0, len(step_C), size):
    chunk = [run.snapshot(step) for step in step_C[start : start + size]]
    yield jax.tree.map(lambda *leaves: np.stack(leaves), *chunk)


# --- what logits are worth ------------------------------------------------------------------------

# Item B21 of docs/sources/addition.md.
MEASURES = {
  f"{split}/{name}": f"{words}, {split} pairs"
  for name, words in (("accuracy", "accuracy"), ("nll_nats", "cross-entropy"))
  for split in ("all", "train", "test")
}


def losses(read: Network, member) -> dict:
  """Returns loss in nats and accuracy on train and test pairs."""
  found = {}
  for split, row_N in (("train", member.train_N), ("test", member.test_N)):
    logit_NxV, label_N = read.logit_NxV[row_N], member.label_N[row_N]
    found[f"{split}/nll_nats"] = nll(logit_NxV, label_N)
    found[f"{split}/accuracy"] = accuracy(logit_NxV, label_N)
  return found


def of_logits(read: Network, logit_NxV, member: Member) -> dict:
  """Returns the MEASURES of logits put in the place of a network's own."""
  edited = read._replace(logit_NxV=logit_NxV)
  return {
    "all/accuracy": accuracy(logit_NxV, member.label_N),
    "all/nll_nats": nll(logit_NxV, member.label_N),
  } | losses(edited, member)


def shifted(logit_NxV, like_NxV):
  """Returns the logits, each class moved to its mean in `like_NxV`.

  The bias correction of B21 and of the restricted loss (B27).
  """
  return logit_NxV + (like_NxV - logit_NxV).mean(0, keepdims=True)


# --- least-squares fits, and what they are worth --------------------------------------------------

# A high R2 is not a function (docs/sources/addition.md, section 7): every fit carries the accuracy
# and the cross-entropy of the logits that its fitted values give, and is made twice, on all pairs
# and on the train pairs to be scored on the test pairs.
THRESHOLDS = ("above_90", "above_95", "above_99", "above_999")
FIT_MEASURES = {
  "r2_mean": "R2, mean over columns, all pairs",
  "r2_median": "R2, median over columns, all pairs",
  "r2_min": "R2, smallest of the columns, all pairs",
  "r2_max": "R2, largest of the columns, all pairs",
  **{
    name: f"columns with R2 above {value:g}"
    for name, value in zip(THRESHOLDS, linear.THRESHOLDS_V, strict=True)
  },
  "r2_overall": "one R2 of all entries about their global mean, all pairs",
  "heldout_mean": "R2, mean over columns: fitted on train, scored on test",
  "heldout_median": "R2, median over columns: fitted on train, scored on test",
  "accuracy": "accuracy of the fitted logits, all pairs",
  "nll_nats": "cross-entropy of the fitted logits, all pairs",
  "test_accuracy": "accuracy of the logits fitted on train, test pairs",
  "test_nll_nats": "cross-entropy of the logits fitted on train, test pairs",
}


class Fit(NamedTuple):
  """Which fit: its item in docs/sources/addition.md, what is fitted, and on what."""

  item: str
  target: str
  design: str


def fit_scores(design_NxQ, target_NxF, member: Member, logits: Callable | None = None) -> dict:
  """Returns the FIT_MEASURES of fitting a target of one member, traced.

  `logits(prediction_NxF) -> logit_NxV` says what the fitted values are worth;
  without it the four measures of function are absent. Columns that do not
  vary have no R2 and are left out.
  """
  everything = linear.fit(design_NxQ, target_NxF)
  outside = linear.fit(design_NxQ, target_NxF, member.train_N)
  test_N = member.test_N
  r2 = linear.summary(linear.r2_columns(target_NxF, everything.prediction_NxF))
  held = linear.summary(linear.r2_columns(target_NxF[test_N], outside.prediction_NxF[test_N]))
  found = {
    "r2_mean": r2.mean,
    "r2_median": r2.median,
    "r2_min": r2.minimum,
    "r2_max": r2.maximum,
    **dict(zip(THRESHOLDS, r2.above_V, strict=True)),
    "r2_overall": linear.r2_overall(target_NxF, everything.prediction_NxF),
    "heldout_mean": held.mean,
    "heldout_median": held.median,
  }
  if logits is None:
    return found
  label_N = member.label_N
  logit_NxV = logits(everything.prediction_NxF)
  outside_NxV = logits(outside.prediction_NxF)[test_N]
  return found | {
    "accuracy": accuracy(logit_NxV, label_N),
    "nll_nats": nll(logit_NxV, label_N),
    "test_accuracy": accuracy(outside_NxV, label_N[test_N]),
    "test_nll_nats": nll(outside_NxV, label_N[test_N]),
  }


def score_all(score, designs, *extra) -> dict:
  """Returns `score(design_NxQ, *extra)` of all designs, by name, traced once.

  `designs` are pairs of a name and NxQ, filled up with empty columns, which
  fit nothing; each of `extra` has an entry per design. Scores of designs with
  the same name are averaged.
  """
  names = [name for name, _ in designs]
  width = max(x_NxQ.shape[1] for _, x_NxQ in designs)
  fill = lambda x_NxQ: jnp.pad(x_NxQ, ((0, 0), (0, width - x_NxQ.shape[1])))
  stacked_RxNxQ = jnp.stack([fill(x_NxQ) for _, x_NxQ in designs])
  found = jax.vmap(score)(stacked_RxNxQ, *(jnp.stack(x) for x in extra))
  rows_of = {name: np.flatnonzero([other == name for other in names]) for name in names}
  mean = lambda x_R, row_R: x_R[row_R].astype(jnp.float32).mean(0)
  return {
    name: {measure: mean(x_R, row_R) for measure, x_R in found.items()}
    for name, row_R in rows_of.items()
  }


def fits(
  named: Mapping[str, Fit],
  value: Mapping[str, Mapping[str, np.ndarray]],
  untrained: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, xr.Variable]:
  """Returns all fits of trained and untrained members as variables of a result, by `named`.

  `fit_value` has dimensions network, fit, measure and seed; NaN where a fit has no such measure.
  Raises `KeyError` for a fit that has no name.
  """
  unknown = sorted(set(value) - set(named))
  if unknown:
    raise KeyError(f"{unknown[0]!r} is not among the named fits.")
  keys = [key for key in named if key in value]
  none_S = np.full(len(next(iter(value[keys[0]].values()))), np.nan)
  both = [
    [[np.asarray(its[key].get(name, none_S), float) for name in FIT_MEASURES] for key in keys]
    for its in (value, untrained)
  ]
  words = lambda name: xr.Variable("fit", [getattr(named[key], name) for key in keys])
  return {
    "fit_value": results.variable("network fit measure seed", both, "measure of a fit"),
    "fit_item": words("item"),
    "fit_target": words("target"),
    "fit_design": words("design"),
    "fit": xr.Variable("fit", keys),
    "measure": xr.Variable("measure", list(FIT_MEASURES)),
    "network": xr.Variable("network", list(numbers_lib.NETWORKS)),
  }


def fit_table(runs: Mapping[str, xr.Dataset]) -> tables_lib.Table:
  """Returns the fits of all runs: R2 in and out of sample, and what they are worth."""
  return tables_lib.Table(
    "Least-squares fits: mean R² over columns (of the source's own network, and the median and the"
    " range over members), fitted on all pairs; R² held out is fitted on train pairs and scored on"
    " test pairs; accuracy and loss (nats) are of the logits that the fitted values give.",
    tables_lib.by_run(runs, _fit_rows),
    name="fits",
  )


def _fit_rows(found: xr.Dataset):
  for key in found["fit"].values.tolist():
    one = found["fit_value"].sel(fit=key)
    get = lambda name, network="trained", one=one: one.sel(network=network, measure=name).values
    r2 = numbers_lib.spread(get("r2_mean"))
    middle = lambda name, get=get: numbers_lib.median(get(name))
    yield {
      "item": found["fit_item"].sel(fit=key).item(),
      "fit": f"{found['fit_target'].sel(fit=key).item()} on"
      f" {found['fit_design'].sel(fit=key).item()}",
      "R², the source's network": program.own(found, get("r2_mean")),
      "R²": r2["median"],
      "R² least": r2["minimum"],
      "R² largest": r2["maximum"],
      "R² held out": middle("heldout_mean"),
      "accuracy": middle("accuracy"),
      "loss": middle("nll_nats"),
      "test accuracy": middle("test_accuracy"),
      "R² untrained": numbers_lib.median(get("r2_mean", "untrained")),
    }


# --- edits ----------------------------------------------------------------------------------------


def edit_digits(directions_DxK, replacement, *, keep=False):
  """Returns the edit of "embed" that removes a subspace of both operands (A17).

  e - R (e - replacement), with R the projector onto the columns' span, or,
  with `keep` (which may be traced), onto what is orthogonal to it. The
  replacement, broadcast to Bx2xD, is the mean over digits, zero, or other
  digits' vectors: mean-, zero-, resample-ablation. "=" is left alone.
  """

  def edit(x_BxTxD, layer):
    digit_Bx2xD = x_BxTxD[:, :2]
    other_Bx2xD = jnp.broadcast_to(replacement, digit_Bx2xD.shape)
    gone_Bx2xD = removed(digit_Bx2xD - other_Bx2xD, directions_DxK, keep)
    return x_BxTxD.at[:, :2].set(digit_Bx2xD - gone_Bx2xD)

  return edit


def removed(x, directions_DxK, keep):
  """Returns the part of `x` (...xD) that an intervention takes away."""
  inside = linear.project(x, directions_DxK)
  return jnp.where(keep, x - inside, inside)


def keep_first(embedding_PxD):
  """Returns the edit that leaves the digits their first component alone.

  mean + ((e - mean) . v1) v1 at both operands (A17).
  """
  found = linear.pca(embedding_PxD)
  return edit_digits(found.direction_QxD[:1].T, found.mean_D, keep=True)


def freeze(pattern, layer):
  """Returns the pattern averaged over inputs: an edit of its site (A60)."""
  mean = pattern.mean(0, keepdims=True)
  return jnp.broadcast_to(mean, pattern.shape)


class Pair(NamedTuple):
  """The network in full and with PC1 alone, and the inputs that then fail."""

  full: Network
  reduced: Network
  failing_N: jax.Array


def pair(model, params, member, token_Nx3) -> Pair:
  """Returns the network in full and with PC1 alone of each digit."""
  full = read(model, params, token_Nx3)
  reduced = read(model, params, token_Nx3, {"embed": keep_first(full.embedding_PxD)})
  return Pair(full, reduced, jnp.argmax(reduced.logit_NxV, axis=-1) != member.label_N)


# --- neurons --------------------------------------------------------------------------------------


def contributions(read: Network):
  """Returns |column of W_L| times the mean activation: F."""
  norm_F = jnp.linalg.norm(read.readout_VxF, axis=0)
  return norm_F * read.post_NxF.mean(0)


def sums(token_Nx3):
  """Returns a + b of every row, in float32."""
  return (token_Nx3[:, 0] + token_Nx3[:, 1]).astype(jnp.float32)


def correlation(read: Network, token_Nx3):
  """Returns the correlation of every neuron's h with the sum, F (A11)."""
  return linear.pearson(read.post_NxF, sums(token_Nx3))


# --- waves in a + b -------------------------------------------------------------------------------


def restricted(read: Network, mask_Q, *, skip=False, like=None):
  """Returns the logits of the masked waves in a + b alone (B27).

  `skip` adds the direct path, which the source leaves out; `like` (logits)
  shifts every class to its mean there, as the source does over checkpoints
  and not in its one-off version.
  """
  kept_NxF = fourier.keep_sum_waves(read.post_NxF, mask_Q)
  logit_NxV = readout(read, kept_NxF, skip=skip)
  return logit_NxV if like is None else shifted(logit_NxV, like)


def excluded(read: Network, mask_Q, *, skip=True):
  """Returns the logits without the masked waves in a + b (B29).

  The source's one-off version has no `skip`, that over checkpoints has it.
  """
  without_NxF = fourier.remove_sum_waves(read.post_NxF, mask_Q)
  return readout(read, without_NxF, skip=skip)


def seen_on(post_NxF, row_N):
  """Returns the activations averaged over the given rows of equal sum, NxF.

  A sum without such a row gets zeros.
  """
  P = int(len(post_NxF) ** 0.5)
  sum_N = np.add.outer(np.arange(P), np.arange(P)).ravel() % P
  sum_R = jnp.asarray(sum_N)[row_N]
  total_PxF = jnp.zeros((P, post_NxF.shape[1])).at[sum_R].add(post_NxF[row_N])
  count_P = jnp.zeros(P).at[sum_R].add(1)
  return (total_PxF / jnp.maximum(count_P, 1)[:, None])[sum_N]


def restricted_heldout(read: Network, member, mask_Q):
  """Returns the restricted loss of waves that only test pairs make.

  The published waves are averages over all inputs, train pairs among them:
  those of a network that knows its train pairs alone tell the right class too.
  """
  test_N = member.test_N
  seen = read._replace(post_NxF=seen_on(read.post_NxF, test_N))
  logit_NxV = shifted(restricted(seen, mask_Q)[test_N], read.logit_NxV[test_N])
  return nll(logit_NxV, member.label_N[test_N])
