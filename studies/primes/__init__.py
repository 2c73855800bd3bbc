"""Networks that remember prime gaps, on trial.

A small transformer was given the number of a prime gap as its one token, and the spectrum of one of
its weight matrices was taken for what it learned of the primes. This page repeats the training at
CPU size, with several members, beside shuffled, random and chaotic sequences and gaps left out, and
reads every matrix beside noise of its shape and scale, its own start, and a kernel with the
mismatch that makes the published fingerprint. Item numbers are sections of docs/sources/primes.md.
"""

ORDER = ("memory", "spectra")
