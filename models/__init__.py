"""Everything that makes parameters.

Axis glossary (suffixes of array names, outermost first in this order):
S seeds, C snapshots, R strengths, L layers, H heads, Q lags or frequencies,
N examples, B batch, T positions, D width, Dh head width, F hidden width,
K mixture components, M memory slots, V classes.
"""
