"""What tests of single neurons share: planted networks."""

import numpy as np
from primelens.studies.addition import network

P = 5
A_N, B_N = np.divmod(np.arange(P * P), P)
SUM_N = (A_N + B_N).astype(np.float32)
TOKEN_NX3 = np.stack([A_N, B_N, np.full_like(A_N, P)], 1)
MEMBER = network.Member(A_N + B_N, np.arange(0, 25, 2), np.arange(1, 25, 2))


def planted(pre_NxF, *, readout_VxF=None, mid_NxD=None, width=4):
  """A Network with the given z, no direct path unless `mid` is given."""
  rng = np.random.default_rng(0)
  rows, hidden = pre_NxF.shape
  if readout_VxF is None:
    readout_VxF = rng.normal(size=(2 * P, hidden))
  silent = mid_NxD is None
  mid_NxD = np.zeros((rows, width)) if silent else mid_NxD
  unembed_DxV = rng.normal(size=(mid_NxD.shape[1], 2 * P)) * 0.1
  post_NxF = np.maximum(pre_NxF, 0)
  digit_P = np.linspace(-1, 1, P)
  embedding_PxD = np.stack([3 * digit_P, digit_P**2, 0 * digit_P], 1)
  arrays = (
    embedding_PxD,
    readout_VxF,
    unembed_DxV,
    np.zeros(2 * P),
    mid_NxD,
    pre_NxF,
    post_NxF,
    mid_NxD @ unembed_DxV + post_NxF @ readout_VxF.T,
    np.zeros((rows, 1, 3)),
  )
  return network.Network(*(np.asarray(x, np.float32) for x in arrays))
