"""What every study shares, written once: results, figures, tables, claims, runs, command lines."""
