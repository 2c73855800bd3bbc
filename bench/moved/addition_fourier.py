"""Where the fields of the slice fourier of the addition study went."""

import numpy as np
from primelens.studies.addition import program

from moved import addition


def _value(name: str, **where):
  return lambda new: new["fourier"][name].sel(where).values


def _singular(matrix: str):
  return _value("singular", matrix=matrix)


def _frequencies(new) -> list[dict]:
  """Returns a record per network and key frequency."""
  found = new["fourier"]
  rows = []
  for s, k in np.argwhere(found["key"].values):
    one = found.isel(seed=s, frequency=k)
    row = {"member": int(s), "frequency": int(k)}
    for name in ("readout", "embedding"):
      norm_P = one[f"{name}_row"].values
      row |= {f"{name}_sine": float(norm_P[2 * k - 1]), f"{name}_cosine": float(norm_P[2 * k])}
    row |= {
      "in_embedding": bool(one["embedding_key"]),
      "cluster": int(one["cluster_size"]),
      "input_share": float(one["input_share"]),
      "coefficient": float(one["coefficient"]),
      "similarity": float(one["similarity"]),
    }
    rows.append(row)
  return rows


MAP = {
  "fourier/table": addition.table("fourier"),
  "fourier/frequencies": _frequencies,
  "fourier/key_SxQ": _value("key"),
  "fourier/embedding_key_SxQ": _value("embedding_key"),
  "fourier/embedding_norm_SxQ": _value("embedding_norm", network="trained"),
  "fourier/readout_norm_SxQ": _value("readout_norm", network="trained"),
  "fourier/untrained_embedding_norm_SxQ": _value("embedding_norm", network="untrained"),
  "fourier/untrained_readout_norm_SxQ": _value("readout_norm", network="untrained"),
  "fourier/embedding_row_SxP": _value("embedding_row"),
  "fourier/readout_row_SxP": _value("readout_row"),
  "fourier/singular_SxR": _singular("embedding"),
  "fourier/gaussian_SxR": _singular("Gaussian"),
  "fourier/cosine_SxP": _value("interference"),
  "fourier/share_SxQxF": _value("share"),
  "fourier/cluster_readout_SxQxQ": _value("cluster_readout"),
  "fourier/coefficient_SxQ": _value("coefficient"),
  "fourier/similarity_SxQ": _value("similarity"),
  "fourier/gram_PxP": _value("gram"),
  "fourier/left_Px8": _value("left"),
  "fourier/neuron_6xPxP": _value("activation"),
  "fourier/spectrum_3xPxP": _value("spectrum"),
  "fourier/direction_QxF": lambda new: new["fourier"]["direction"].values[0],
  "fourier/direction_published_QxF": lambda new: new["fourier"]["direction"].values[1],
  "fourier/input_PxP": _value("input"),
  "fourier/input_spectrum_PxP": _value("input_spectrum"),
  "fourier/energy_PxP": _value("energy"),
  "fourier/shown": lambda new: program.shown(new["fourier"]),
}
