"""Pure functions of parameters, activations and numbers; no models, no flags.

Importing this package imports neither flax, matplotlib, sklearn nor pysr.
"""
