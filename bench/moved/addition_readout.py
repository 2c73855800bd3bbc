"""Where the fields of the addition study's readout went."""

from moved import addition


def _of(name, network=None):
  def values(new):
    found = new["readout"][name]
    return (found if network is None else found.sel(network=network)).values

  return values


MAP = {
  "readout/table": addition.table("readout"),
  "readout/logit_Sx3xV": _of("logit"),
  "readout/reduced_logit_Sx3xV": _of("reduced_logit"),
  "readout/change_SxV": _of("change"),
  "readout/logit_spectrum_Sx3xQ": _of("logit_spectrum"),
  "readout/reduced_logit_spectrum_Sx3xQ": _of("reduced_logit_spectrum"),
  "readout/active_spectrum_Sx3xQ": _of("active_spectrum"),
  "readout/flipped_spectrum_Sx2xQ": _of("flipped_spectrum"),
  "readout/peak_count_SxQ": _of("peak_count"),
  "readout/embedding_norm_SxE": _of("embedding_norm"),
  "readout/readout_norm_SxQ": _of("readout_norm"),
  "readout/magnitude_QxF": _of("magnitude"),
  "readout/order_F": _of("order"),
  "readout/count_R": _of("kept"),
  "readout/accuracy_SxR": _of("accuracy"),
  "readout/accuracy_as_published_SxR": _of("accuracy_as_published"),
  "readout/nll_nats_SxR": _of("nll"),
  "readout/agreement_SxR": _of("agreement", "trained"),
  "readout/shuffled_agreement_SxR": _of("shuffled_agreement"),
  "readout/plane_agreement_SxR": _of("plane_agreement"),
  "readout/untrained_agreement_SxR": _of("agreement", "untrained"),
  "readout/share_SxV": _of("share", "trained"),
  "readout/untrained_share_SxV": _of("share", "untrained"),
  "readout/direction_Sx4xV": _of("direction"),
  "readout/wave_Sx4xV": _of("wave"),
  "readout/period_wave_Sx4xV": _of("period_wave"),
  "readout/similarity_Sx4": _of("similarity"),
  "readout/chance_similarity_Sx4": _of("chance_similarity"),
  "readout/period_Sx4": _of("period"),
  "readout/period_similarity_Sx4": _of("period_similarity"),
  "readout/chance_period_Sx4": _of("chance_period"),
}
