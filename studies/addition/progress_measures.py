"""What is measured of one member at one checkpoint, plain and modular.

`PLAIN` and `MODULAR` say what each curve is; the functions return the same
keys. Everything is traced, so checkpoints and members are vmapped axes.
"""

from typing import NamedTuple

import jax.numpy as jnp
from primelens.analyses import features, fourier, least_squares, principal
from primelens.studies.addition import effects, network, variants


class Curve(NamedTuple):
  """A curve over training: its words, and whether it is a loss in nats."""

  title: str
  item: str
  loss: bool = False


LOSSES = {
  "train/nll_nats": Curve("train loss", "B30", True),
  "test/nll_nats": Curve("test loss", "B30", True),
  "train/accuracy": Curve("train accuracy", "B30"),
  "test/accuracy": Curve("test accuracy", "B30"),
}
PLAIN = {
  "test/mirrored_accuracy": Curve("accuracy, test pairs whose (b, a) is in train", "A63"),
  "test/lone_accuracy": Curve("accuracy, test pairs without it", "A63"),
  "pre_poly2_r2": Curve("z on Poly2, mean R2", "A46"),
  "pre_sums_r2": Curve("z on the published symmetric features", "A50"),
  "pre_additive_r2": Curve("z on f(a) + g(b), mean R2", "A63"),
  "post_poly2_r2": Curve("h on Poly2, mean R2", "A52"),
  "logit_poly2_r2": Curve("logits on Poly2, mean R2", "A56"),
  "readout_two_share": Curve("two components' share of W_L", "A54"),
  "keep_pc1_accuracy": Curve("accuracy with PC1 alone", "A17"),
  "frozen_accuracy": Curve("accuracy with frozen attention", "A60"),
}
MODULAR = {
  "test/restricted_nll_nats": Curve("restricted loss, test", "B28", True),
  "test/restricted_heldout_nll_nats": Curve("restricted loss, waves of test pairs", "B28", True),
  "train/excluded_nll_nats": Curve("excluded loss, train", "B29", True),
  "residual_fraction": Curve("logits outside all cosine cubes", "B25"),
  "key_similarity": Curve("cosine similarity, key frequencies together", "B25"),
}


def freeze(pattern, layer):
  """Returns the pattern averaged over inputs: an edit of its site (A60)."""
  mean = pattern.mean(0, keepdims=True)
  return jnp.broadcast_to(mean, pattern.shape)


def mirrored(read: network.Network, member) -> dict:
  """Returns the accuracy on test pairs whose mirror image (b, a) is a train
  pair, which commutativity alone explains, and on the others; NaN for none."""
  test_N, digits = member.test_N, len(read.embedding_PxD)
  a_N, b_N = test_N // digits, test_N % digits
  known_N = jnp.isin(b_N * digits + a_N, member.train_N)
  right_N = read.logit_NxV[test_N].argmax(-1) == member.label_N[test_N]
  mean = lambda where_N: jnp.sum(right_N & where_N) / jnp.sum(where_N)
  return {"test/mirrored_accuracy": mean(known_N), "test/lone_accuracy": mean(~known_N)}


def plain(model, params, member, token_Nx3, key_Q=()) -> dict:
  """Returns the curves of plain addition at one checkpoint, which has no key
  frequencies."""
  read = network.read(model, params, token_Nx3)
  score_PxQ = principal.pca(read.embedding_PxD).score_NxQ[:, :2]
  pair_NxQ = features.pairs(score_PxQ)
  mean_r2 = lambda design_NxQ, target_NxF: (
    least_squares.summary(
      least_squares.r2_columns(target_NxF, least_squares.fit(design_NxQ, target_NxF).prediction_NxF)
    ).mean
  )
  poly_NxQ = features.monomials(pair_NxQ, 2)
  accuracies = {}
  for name, edits in (
    ("keep_pc1_accuracy", {"embed": variants.keep_first(read.embedding_PxD)}),
    ("frozen_accuracy", {"attention/pattern": freeze}),
  ):
    edited = network.read(model, params, token_Nx3, edits)
    accuracies[name] = network.accuracy(edited.logit_NxV, member.label_N)
  return (
    effects.losses(read, member)
    | mirrored(read, member)
    | {
      "pre_poly2_r2": mean_r2(poly_NxQ, read.pre_NxF),
      "pre_sums_r2": mean_r2(features.sums(pair_NxQ), read.pre_NxF),
      "pre_additive_r2": mean_r2(features.additive(len(score_PxQ)), read.pre_NxF),
      "post_poly2_r2": mean_r2(poly_NxQ, read.post_NxF),
      "logit_poly2_r2": mean_r2(poly_NxQ, read.logit_NxV),
      "readout_two_share": principal.pca(read.readout_VxF.T).share_Q[:2].sum(),
    }
    | accuracies
  )


def modular(model, params, member, token_Nx3, key_Q) -> dict:
  """Returns the curves of modular addition, given the key frequencies.

  Restricted (B27): logits of the MLP's key waves in a + b alone, no direct
  path, each class shifted to the mean of the true logits; on test pairs. Its
  waves are averages over train pairs too, so that memory of these helps it:
  held out, they are averages over test pairs alone.
  Excluded (B29): those waves removed, direct path kept; on train pairs.
  """
  read = network.read(model, params, token_Nx3)
  kept_NxV = network.restricted(read, key_Q, like=read.logit_NxV)
  without_NxV = network.excluded(read, key_Q)
  at = lambda logit_NxV, row_N: network.nll(logit_NxV[row_N], member.label_N[row_N])
  cube = fourier.cosine_cube_coefficients(read.logit_NxV)
  every_Q = jnp.ones_like(key_Q)
  _, outside = fourier.cosine_cube_approximation(read.logit_NxV, every_Q)
  together = jnp.sqrt(jnp.sum(jnp.where(key_Q, cube.similarity_Q, 0) ** 2))
  return effects.losses(read, member) | {
    "test/restricted_nll_nats": at(kept_NxV, member.test_N),
    "test/restricted_heldout_nll_nats": network.restricted_heldout(read, member, key_Q),
    "train/excluded_nll_nats": at(without_NxV, member.train_N),
    "residual_fraction": outside,
    "key_similarity": together,
    "similarity_Q": cube.similarity_Q,
  }


def key_frequencies(params, threshold: float):
  """Returns which frequencies stand out in W_out W_U, as a mask Q.

  Those whose norm over neurons exceeds the threshold times the largest (B16).
  """
  down_FxD = params["blocks"]["mlp"]["down"]["kernel"][0]
  readout_FxV = network.exact(down_FxD, params["unembed"]["kernel"])
  basis_VxV = fourier.basis(readout_FxV.shape[1])
  coefficient = fourier.transform_1d(basis_VxV, readout_FxV, axis=1)
  norm_Q = fourier.frequency_norms(coefficient, axis=1)
  return fourier.key_frequencies(norm_Q, threshold)
