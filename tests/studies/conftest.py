"""Puts this folder on the path: the tests below it share `tiny_study`."""

from pathlib import Path
import sys

sys.path.insert(0, str(Path(__file__).parent))
