"""The addition study's trial: the claims of both notebooks, with their tests.

Statements are those of the source's text; items are of the addition spec.
"""

from primelens.lens.claims import Claim
from primelens.studies.addition import verdicts_fits as fits
from primelens.studies.addition import verdicts_learning as learning
from primelens.studies.addition import verdicts_mechanism as mechanism
from primelens.studies.addition import verdicts_modular as modular

PLAIN = "notebook on plain addition, P = 10"
MODULAR = "notebook on modular addition, P = 113"


def _plain(id, items, statement, reported, test) -> Claim:
  return _claim(id, f"{PLAIN} ({items})", statement, reported, test)


def _modular(id, items, statement, reported, test) -> Claim:
  return _claim(id, f"{MODULAR} ({items})", statement, reported, test)


def _claim(id, source, statement, reported, test) -> Claim:
  return Claim(id=id, source=source, statement=statement, reported=reported, test=test)


CLAIMS = (
  _plain(
    "learning.all",
    "section 7",
    "The network learns addition: from 72 of 100 pairs it gets all right.",
    "accuracy 1.00, one split and one start",
    learning.learns,
  ),
  _plain(
    "learning.delay",
    "section 7",
    "It groks: test pairs are known long after the train pairs.",
    "train accuracy 1 by epoch 99, all pairs by about 4,100 (recomputed)",
    learning.delay,
  ),
  _plain(
    "embedding.arc",
    "A4-A9",
    "The digits lie on an arc: PC1 is a line, PC2 a parabola, together 99.4 % of the variance.",
    "PC1 73 %, PC1 + PC2 99.4 %",
    learning.arc,
  ),
  _plain(
    "probe.sum",
    "A10",
    "A linear probe of the MLP reads the sum almost perfectly.",
    "R2 almost 1 on held-out rows, no control",
    learning.probe,
  ),
  _plain(
    "neurons.correlated",
    "A11",
    "More than 130 neurons follow the sum with r above 0.9.",
    "> 130 of 512",
    mechanism.correlated,
  ),
  _plain(
    "subspace.pc2",
    "A17",
    "Without PC2 accuracy falls to 0.42: PC2 is what addition needs beside PC1.",
    "1.00 -> 0.42; the edit kept PC1 alone, so that all others went",
    mechanism.second_component,
  ),
  _plain(
    "subspace.correction",
    "A24-A27",
    "PC2 is not a correction term: no polynomial of it explains the errors.",
    "linear and quadratic fits failed",
    mechanism.correction,
  ),
  _plain(
    "subspace.direct",
    "A19",
    "Without the direct path no accuracy is lost: the MLP does the work.",
    "accuracy unchanged, loss up a few orders, still small",
    mechanism.direct,
  ),
  _plain(
    "neurons.flips",
    "A35",
    "Neurons that flip on or off implement the correction at (0, 0).",
    "25 flips, 24 off, which raise logit 0 and lower logit 3",
    mechanism.flips,
  ),
  _plain(
    "polynomial.quadratic",
    "A46, A49, A60",
    "The MLP computes a quadratic polynomial of the digits' components.",
    "mean R2 0.998 over neurons, all above 0.99",
    fits.quadratic,
  ),
  _plain(
    "polynomial.symmetry",
    "A50",
    "The network learned the symmetry in a and b, but not all the way.",
    "mean R2 0.98 of five symmetric features, against 0.998",
    fits.symmetry,
  ),
  _plain(
    "polynomial.function",
    "A53, A56",
    "The logits are quadratic in the digits' components.",
    "mean R2 0.975 over logits, best 0.9906",
    fits.function,
  ),
  _plain(
    "polynomial.simulated",
    "A51",
    "The ReLU of the fitted quadratics gives the logits.",
    "R2 0.988",
    fits.simulated,
  ),
  _plain(
    "readout.sinusoids",
    "A55",
    "The first two components of W_L are sine and cosine of frequency 1.",
    "likely, by eye",
    fits.sinusoids,
  ),
  _plain(
    "readout.sparse",
    "A40, A41",
    "A few low frequencies of the output suffice for the answer.",
    "1, 2, 3 dominate; six give the right answer at (0, 0)",
    fits.sparse,
  ),
  _plain(
    "readout.two",
    "A54",
    "Neurons write along two directions: two components hold 98.3 % of W_L.",
    "98.3 %",
    fits.two_directions,
  ),
  _plain(
    "attention.average",
    "A59",
    "Attention treats a and b alike: it takes their average.",
    "equal to tenths of a percent, averaged over inputs",
    mechanism.average,
  ),
  _modular(
    "modular.constants",
    "B16, B24",
    "The key frequencies are 17, 25, 32 and 47.",
    "constants of the notebook; its stored run has 8, 19, 41, 54",
    modular.constants,
  ),
  _modular(
    "modular.clusters",
    "B14, B15",
    "Every neuron works at one key frequency.",
    "frac above 0.85; members of the stored cluster 0.974 to 0.976",
    modular.clusters,
  ),
  _modular(
    "modular.cubes",
    "B24",
    "The logits are a sum of cos(w (a + b - c)) over few key frequencies.",
    "expected: a small residual and a comparable loss",
    modular.cubes,
  ),
  _modular(
    "modular.lead",
    "B27, B28",
    "The restricted loss falls before the test loss: the circuit forms first.",
    "read off one run's curves",
    modular.lead,
  ),
  _modular(
    "modular.excluded",
    "B29",
    "The excluded loss rises while the network turns to the circuit.",
    "read off one run's curves",
    modular.excluded,
  ),
  _modular(
    "modular.phases",
    "B23",
    "Memorisation ends at epoch 1,500, circuit formation at 13,300, clean-up at 16,600.",
    "drawn by eye; 1,500, 9,900 and 12,000 in a stored figure",
    modular.boundaries,
  ),
)
