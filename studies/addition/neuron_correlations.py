"""Single neurons and the sum: A1, A11-A15 and A28 of the addition spec.

|r| ranks a neuron that hardly acts as high as any (spec, section 7), so every
statistic is also weighted by what a neuron contributes: |its column of W_L|
times its mean activation.
"""

import jax.numpy as jnp
import numpy as np
from primelens.analyses import regression
from primelens.lens.numbers import Reported
from primelens.studies.addition import network

TOP, RANKED = 3, 100  # neurons drawn (A14), neurons of W_L's rows (A28)
SPARSE = 0.01  # of a row's largest weight
_PORTABLE = np.inf  # counts and neuron numbers are not
_NOT_ASKED = "not asked"
_ROWS = {0: (0.64, 0.05, 0.30, 0.82), 9: (0.37, -0.24, 0.44, 1.85)}
ROW_STATISTICS = ("positive", "mean", "std", "largest", "sparse")
REPORTED = {
  "accuracy": Reported("A1", "accuracy, all pairs", "1.00", 1.0),
  "nll": Reported("A1", "loss, all pairs, nats", _NOT_ASKED, 3.3e-8, 3.3e-9),
  "train_nll": Reported("A1", "loss, train pairs, nats", _NOT_ASKED, 2.15e-8, 2.2e-9),
  "test_nll": Reported("A1", "loss, test pairs, nats", _NOT_ASKED, 6.19e-8, 6.2e-9),
  "top_r": Reported("A11", "largest |r| with the sum", _NOT_ASKED, 0.936),
  "top_neuron": Reported("A11", "neuron with the largest |r|", "408", 408, _PORTABLE),
  "above_90": Reported("A11", "neurons with r > 0.9", "> 130", 23, _PORTABLE),
  "absolute_above_90": Reported("A11", "neurons with |r| > 0.9", _NOT_ASKED, 23, _PORTABLE),
  "silent": Reported("A11", "neurons that never act", _NOT_ASKED, 2, _PORTABLE),
  "share_above_90": Reported(
    "A11", "share of the contribution, neurons with r > 0.9", _NOT_ASKED, None
  ),
  "share_absolute_above_90": Reported(
    "A11", "share of the contribution, |r| > 0.9", _NOT_ASKED, None
  ),
  "mean_r": Reported("A11", "mean |r| over neurons", _NOT_ASKED, None),
  "weighted_r": Reported("A11", "mean |r|, weighted by contribution", _NOT_ASKED, None),
  "top_contribution": Reported(
    "A11", "contribution of the neuron with the largest |r|, of an average one's", _NOT_ASKED, None
  ),
  "top_pre_largest": Reported(
    "A15",
    "largest |z| of the neuron with the largest |r|",
    "mostly 0.00",
    0.08,
    _PORTABLE,
    "It may be any of a block of copies, whose scales differ.",
  ),
  "top_readout_norm": Reported(
    "A15",
    "|column of W_L| of the neuron with the largest |r|",
    _NOT_ASKED,
    0.004,
    _PORTABLE,
    "It may be any of a block of copies, whose scales differ.",
  ),
  "median_readout_norm": Reported("A15", "|column of W_L|, median", _NOT_ASKED, 0.56, 0.056),
  **{
    f"row_{k}_{name}": Reported(
      "A28", f"W_L, row {k}, {RANKED} most correlated neurons: {name}", "described", number, 0.05
    )
    for k, numbers in _ROWS.items()
    for name, number in zip(ROW_STATISTICS, numbers, strict=False)
  },
  "row_last_largest": Reported(
    "A28", "W_L, the row of the sum that cannot be: largest |w|", "left out", 0.0, 0.001
  ),
}


def contributions(read: network.Network):
  """Returns |column of W_L| times the mean activation: F."""
  norm_F = jnp.linalg.norm(read.readout_VxF, axis=0)
  return norm_F * read.post_NxF.mean(0)


def sums(token_Nx3):
  """Returns a + b of every row, in float32."""
  return (token_Nx3[:, 0] + token_Nx3[:, 1]).astype(jnp.float32)


def measure(read: network.Network, member, token_Nx3) -> dict:
  """Returns correlations, contributions, rows of W_L and their numbers."""
  r_F = regression.pearson(read.post_NxF, sums(token_Nx3))
  weight_F = contributions(read)
  by_r_F = jnp.argsort(-jnp.abs(r_F), stable=True)
  statistics_Vx5 = row_statistics(read.readout_VxF[:, by_r_F[:RANKED]])
  value = _whole(read, member) | _correlated(read, r_F, weight_F)
  value |= _rows(statistics_Vx5)
  return {
    "r": r_F,
    "contribution": weight_F,
    "top": by_r_F[:TOP],
    "busiest": jnp.argmax(weight_F),
    "row_statistics": statistics_Vx5,
    "value": value,
  }


def _whole(read, member) -> dict:
  """The network on all its pairs (A1)."""
  found = {"accuracy": network.accuracy(read.logit_NxV, member.label_N)}
  for name, row_N in (
    ("nll", slice(None)),
    ("train_nll", member.train_N),
    ("test_nll", member.test_N),
  ):
    logit_NxV, label_N = read.logit_NxV[row_N], member.label_N[row_N]
    found[name] = network.nll(logit_NxV, label_N)
  return found


def _correlated(read, r_F, weight_F) -> dict:
  """Counts over neurons, and the same weighted by contribution (A11, A15)."""
  size_F, top = jnp.abs(r_F), jnp.argmax(jnp.abs(r_F))
  share_F = weight_F / weight_F.sum()
  norm_F = jnp.linalg.norm(read.readout_VxF, axis=0)
  return {
    "top_r": size_F[top],
    "top_neuron": top,
    "above_90": jnp.sum(r_F > 0.9),
    "absolute_above_90": jnp.sum(size_F > 0.9),
    "silent": jnp.sum(jnp.all(read.post_NxF == 0, axis=0)),
    "share_above_90": jnp.sum(jnp.where(r_F > 0.9, share_F, 0)),
    "share_absolute_above_90": jnp.sum(jnp.where(size_F > 0.9, share_F, 0)),
    "mean_r": size_F.mean(),
    "weighted_r": jnp.sum(share_F * size_F),
    "top_contribution": share_F[top] * len(share_F),
    "top_pre_largest": jnp.abs(read.pre_NxF[:, top]).max(),
    "top_readout_norm": norm_F[top],
    "median_readout_norm": jnp.median(norm_F),
  }


def row_statistics(readout_VxF):
  """Returns ROW_STATISTICS of every row of W_L: Vx5 (A28).

  The share of weights > 0, mean, standard deviation, largest |w|, and the
  share of weights below 1 % of that.
  """
  size_VxF = jnp.abs(readout_VxF)
  largest_V = size_VxF.max(1)
  return jnp.stack(
    [
      jnp.mean(readout_VxF > 0, axis=1),
      readout_VxF.mean(1),
      readout_VxF.std(1),
      largest_V,
      jnp.mean(size_VxF < SPARSE * largest_V[:, None], axis=1),
    ],
    axis=1,
  )


def _rows(statistics_Vx5) -> dict:
  found = {"row_last_largest": statistics_Vx5[-1, 3]}
  for row in _ROWS:
    if row < len(statistics_Vx5):
      for column, name in enumerate(ROW_STATISTICS[:4]):
        found[f"row_{row}_{name}"] = statistics_Vx5[row, column]
  return found
