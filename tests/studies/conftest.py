"""Puts this folder on the path: the tests below it share `tiny_study`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
