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
  _claim(
    "spectra.compression",
    f"{primes_evidence.REPOSITORY} (primes spec 7.4)",
    "Grokking compresses the weights to a low rank.",
    "effective rank 103 to 25-27 of 128, largest over mean 2.3 to 34-37; no "
    "accuracy shown beside them",
    verdicts_spectra.compression,
  ),
)
