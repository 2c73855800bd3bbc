"""Where the fields of `neurons` went: single neurons are one slice, what PC1 alone changes another.

Fits and numbers of both were in one table, those of `neurons` in front.
"""

import numpy as np
from primelens.studies.addition import neurons

from moved import addition

NAME, CHANGES = "neurons", "neuron_changes"


def _of(name, variable, **where):
  return lambda new: new[name][variable].sel(where).values


def _both(make):
  return lambda new: make(NAME)(new) + make(CHANGES)(new)


def _by_pair(variable):
  """Returns what gives an array of pairs and neurons, NxF."""
  return lambda new: (lambda x: x.reshape(-1, x.shape[-1]))(new[NAME][variable].values)


_OF_TRAINED = {"network": "trained"}
_OF_UNTRAINED = {"network": "untrained"}

MAP = {
  "neurons/table": _both(addition.table),
  "neurons/fits": _both(addition.fits),
  "neurons/rows": lambda new: neurons.logit_rows(new[NAME]),
  "neurons/member": lambda new: max(new[NAME].reference, 0),
  "neurons/r_SxF": _of(NAME, "r", **_OF_TRAINED),
  "neurons/contribution_SxF": _of(NAME, "contribution"),
  "neurons/top_Sx3": _of(NAME, "top"),
  "neurons/busiest_S": _of(NAME, "busiest"),
  "neurons/rank_SxF": _of(NAME, "block"),
  "neurons/size_SxE": _of(NAME, "block_size"),
  "neurons/share_SxE": _of(NAME, "block_share"),
  "neurons/merged_accuracy_SxR": _of(NAME, "merged_accuracy"),
  "neurons/merged_same_SxR": _of(NAME, "merged_same", **_OF_TRAINED),
  "neurons/merged_nll_SxR": _of(NAME, "merged_nll"),
  "neurons/row_statistics_SxVx5": _of(NAME, "row_statistics"),
  "neurons/change_Sx2x3xF": _of(CHANGES, "change"),
  "neurons/sum_r2_Sx4xF": _of(CHANGES, "sum_r2"),
  "neurons/change_r2_Sx2xF": _of(CHANGES, "change_r2"),
  "neurons/untrained_r_SxF": _of(NAME, "r", **_OF_UNTRAINED),
  "neurons/untrained_same_SxR": _of(NAME, "merged_same", **_OF_UNTRAINED),
  "neurons/pre_NxF": _by_pair("pre"),
  "neurons/post_NxF": _by_pair("post"),
  "neurons/readout_VxF": _of(NAME, "readout"),
  "neurons/sum_N": lambda new: np.add.outer(new[NAME].a.values, new[NAME].b.values).ravel(),
}
