"""The primes study's trial: what the source said, with tests.

Decided by networks of CPU size where the mechanism does not depend on size:
dead queries and keys, one outlier, an unscaled distance, one vector per gap.
Source: primes spec, sections 4 to 7.
"""

from primelens.studies.primes import claims_memory, claims_spectra

CLAIMS = (*claims_memory.CLAIMS, *claims_spectra.CLAIMS)
