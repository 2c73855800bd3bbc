"""Study `zeros`: spacings of the Riemann zeta zeros."""
