"""The addition study's trial: the claims of both notebooks, with their tests.

Statements are those of the source's text; items are of the addition spec.
"""

from primelens.lens.claims import Claim
from primelens.studies.addition import verdicts_fits as fits
from primelens.studies.addition import verdicts_mechanism as mechanism
from primelens.studies.addition import verdicts_modular as modular
from primelens.studies.addition import verdicts_spectra
from primelens.studies.primes import evidence as primes_evidence

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
  ),
  _plain(
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
  _claim(
    "spectra.compression",
    f"{primes_evidence.REPOSITORY} (primes spec 7.4)",
    "Grokking compresses the weights to a low rank.",
    "effective rank 103 to 25-27 of 128, largest over mean 2.3 to 34-37; no "
    "accuracy shown beside them",
    verdicts_spectra.compression,
  ),
)
