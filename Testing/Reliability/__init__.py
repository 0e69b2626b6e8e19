"""Checks that are too long for every commit: many random inputs, faults, endurance. `run.py` runs them all.

Each file is one row of Documentation/reliability.md and runs alone; Testing/Python/reliability runs a short
form of each.
"""

import sys

from Reliability.surroundings import PYTHON_PATHS

# A script that was started by its path finds neither the library nor the tests' own factories.
sys.path[:0] = [path for path in PYTHON_PATHS if path not in sys.path]
