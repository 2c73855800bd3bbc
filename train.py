"""Trains a population: `python train.py --config=... --workdir=...`."""

import sys

from primelens.lens import train

if __name__ == "__main__":
  sys.exit(train.main())
