"""Where numbers come from: sequences, splits and batches; no networks."""
