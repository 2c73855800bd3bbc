"""The studies there are, by name."""

from primelens.studies import addition, primes, study, text, zeros

STUDIES: dict[str, study.Study] = {
  "zeros": zeros.STUDY,
  "addition": addition.STUDY,
  "text": text.STUDY,
  "primes": primes.STUDY,
}
