"""A network of modular addition made of waves by hand."""

import numpy as np
from primelens.studies.addition import network

P, KEYS, SCALE = 11, (2, 5), {2: 30.0, 5: 40.0}


def angle(k):
  return 2 * np.pi * k / P


def waves(noise=0.0) -> tuple[network.Network, network.Member]:
  """Returns a network by hand and its labels.

  Neurons 2j and 2j + 1 are cos and sin of w_k (a + b), and W_L makes
  sum_k SCALE_k cos(w_k (a + b - c)) of them; the last neuron is dead. E has a
  cosine and a sine of each key frequency, twice as large for the second.
  `noise` is added to the direct path: a function of the input alone.
  """
  a_N, b_N = np.divmod(np.arange(P * P), P)
  c_V = np.arange(P)
  post, readout, digit = [], [], []
  for scale, k in enumerate(KEYS, 1):
    for wave in (np.cos, np.sin):
      post.append(wave(angle(k) * (a_N + b_N)))
      readout.append(SCALE[k] * wave(angle(k) * c_V))
      digit.append(scale * wave(angle(k) * c_V))
  post.append(np.zeros(P * P))
  readout.append(np.ones(P))
  digit.append(np.zeros(P))
  post_NxF, readout_VxF, embedding_PxD = (
    np.float32(np.stack(x, 1)) for x in (post, readout, digit)
  )
  mid_NxD = np.float32(noise * np.cos(np.outer(a_N * b_N, [1, 2, 3, 4, 5])))
  unembed_DxV = np.ones((5, P))
  read = network.Network(
    embedding_PxD=embedding_PxD,
    readout_VxF=readout_VxF,
    unembed_DxV=unembed_DxV,
    bias_V=np.zeros(P),
    mid_NxD=mid_NxD,
    pre_NxF=post_NxF,
    post_NxF=post_NxF,
    logit_NxV=post_NxF @ readout_VxF.T + mid_NxD @ unembed_DxV,
    pattern_NxHxT=np.full((P * P, 1, 3), 1 / 3),
  )
  row_N = np.random.default_rng(0).permutation(P * P)
  member = network.Member(
    label_N=(a_N + b_N) % P,
    train_N=row_N[:40],
    test_N=row_N[40:],
  )
  return read, member


def mask(keys):
  return np.isin(np.arange(P // 2 + 1), keys)


def basis():
  n = np.arange(P)
  rows = [np.full(P, P**-0.5)]
  for k in range(1, P // 2 + 1):
    rows += [(2 / P) ** 0.5 * wave(angle(k) * n) for wave in (np.sin, np.cos)]
  return np.stack(rows)
