"""Puts the studies' folder on the path: tests of what they share use their small runs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "studies"))
