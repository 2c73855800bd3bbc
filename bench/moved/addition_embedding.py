"""Where the fields of embedding went."""

from primelens.studies.addition import program

from moved import addition


def _share(network):
  return lambda new: new["embedding"]["share"].sel(network=network).values


MAP = {
  "embedding/table": addition.table("embedding"),
  "embedding/score_SxPxQ": lambda new: new["embedding"]["score"].values,
  "embedding/share_SxR": _share("trained"),
  "embedding/untrained_share_SxR": _share("untrained"),
  "embedding/embedding_PxD": lambda new: new["embedding"]["vector"].values,
  "embedding/step_C": lambda new: new["embedding"]["step"].values,
  "embedding/plane_CxPx2": lambda new: new["embedding"]["plane"].values,
  "embedding/shown": lambda new: program.shown(new["embedding"]),
}
