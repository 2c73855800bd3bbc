"""Reads trained runs: `python analyze.py --workdir=... --only=...`."""

import sys

from primelens.lens import analyze

if __name__ == "__main__":
  sys.exit(analyze.main())
