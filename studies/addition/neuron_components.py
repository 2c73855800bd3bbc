"""z of single neurons on the components of the two digits: A16 of the spec.

The source fitted the pairs with a + b < P alone (`as_published`), and tested
on none.
"""

import jax.numpy as jnp
import numpy as np
from primelens.analyses import features, least_squares, principal
from primelens.lens.numbers import Reported
from primelens.studies.addition import fits, network, neuron_fits

NAMED = (408, 248, 240)  # neurons that the source or its recomputation names
_NOT_ASKED = "not asked"
REPORTED = {
  "top_pc_r2_as_published": Reported(
    "A16", "R2, z of the most correlated neuron on the PCs, pairs a + b < P", "excellent", 0.9897
  ),
  "top_pc_r2": Reported(
    "A16", "R2, z of the most correlated neuron on the PCs, all pairs", _NOT_ASKED, 0.948
  ),
  **{
    f"neuron_{neuron}_pc_r2{suffix}": Reported(
      "A16",
      f"R2, z of neuron {neuron} on the PCs, {words}",
      source if suffix else _NOT_ASKED,
      number,
      remark="Neuron numbers mean nothing in other members.",
    )
    for neuron, source, numbers in (
      (408, "excellent", (0.9897, 0.948)),
      (248, _NOT_ASKED, (0.9895, 0.9445)),
      (240, "excellent (prose)", (0.978, 0.780)),
    )
    for suffix, words, number in zip(
      ("_as_published", ""), ("pairs a + b < P", "all pairs"), numbers, strict=True
    )
  },
  **{
    f"neuron_408_{name}": Reported(
      "A16",
      f"coefficient of {words}, neuron 408, pairs a + b < P",
      source,
      number,
      0.002,
      "In the scale of a neuron that hardly acts.",
    )
    for name, words, source, number in (
      ("pc1_a", "PC1(a)", "near that of b, dominant", 0.023),
      ("pc2_a", "PC2(a)", "small", -0.002),
      ("pc1_b", "PC1(b)", "near that of a, dominant", 0.023),
      ("pc2_b", "PC2(b)", "small", -0.002),
    )
  },
}
FITS = {
  "top_neuron": fits.Fit("A16", "z, neuron with the largest |r|", "PC1, PC2 of a and of b"),
  "busiest_neuron": fits.Fit("A16", "z, neuron that contributes most", "PC1, PC2 of a and of b"),
  "busiest_additive": fits.Fit("A16", "z, neuron that contributes most", "f(a) + g(b)"),
}


def measure(read: network.Network, member, top, busiest) -> dict:
  """Returns the fits of two neurons, and R2 of those that were named.

  `top` is the neuron with the largest |r|, `busiest` the one that contributes
  most. A fit's logits are those of the network with that one neuron's z
  replaced.
  """
  digits = len(read.embedding_PxD)
  score_PxQ = principal.oriented(principal.pca(read.embedding_PxD)).score_NxQ
  design_NxQ = features.monomials(features.pairs(score_PxQ[:, :2]), 1)
  a_N, b_N = np.divmod(np.arange(digits**2), digits)
  row_N = np.flatnonzero(a_N + b_N < digits)
  part = least_squares.fit(design_NxQ, read.pre_NxF, row_N)
  every = least_squares.fit(design_NxQ, read.pre_NxF).prediction_NxF
  part_F = least_squares.r2_columns(read.pre_NxF[row_N], part.prediction_NxF[row_N])
  every_F = least_squares.r2_columns(read.pre_NxF, every)
  value = {"top_pc_r2_as_published": part_F[top], "top_pc_r2": every_F[top]}
  for neuron in (n for n in NAMED if n < len(part_F)):
    value[f"neuron_{neuron}_pc_r2_as_published"] = part_F[neuron]
    value[f"neuron_{neuron}_pc_r2"] = every_F[neuron]
  if NAMED[0] < len(part_F):
    for column, name in enumerate(("pc1_a", "pc1_b", "pc2_a", "pc2_b")):
      value[f"neuron_408_{name}"] = part.coefficient_QxF[1 + column, NAMED[0]]

  def one(design_NxQ, neuron):
    logits = lambda z_Nx1: network.readout(
      read, jnp.maximum(read.pre_NxF.at[:, neuron].set(z_Nx1[:, 0]), 0)
    )
    z_Nx1 = read.pre_NxF[:, neuron][:, None]
    return fits.score(design_NxQ, z_Nx1, member, logits)

  designs = [
    ("top_neuron", design_NxQ),
    ("busiest_neuron", design_NxQ),
    ("busiest_additive", features.additive(digits)),
  ]
  fitted = neuron_fits.score_all(one, designs, [top, busiest, busiest])
  return {"fits": fitted, "value": value}
