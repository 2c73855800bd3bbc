"""The studies there are, by name."""

from primelens.studies import addition
from primelens.studies import primes
from primelens.studies import study
from primelens.studies import text
from primelens.studies import zeros

STUDIES: dict[str, study.Study] = {
  "zeros": zeros.STUDY,
  "addition": addition.STUDY,
  "text": text.STUDY,
  "primes": primes.STUDY,
}
