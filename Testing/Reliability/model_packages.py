"""Spoiled and hostile model packages are refused in one sentence or work; nothing else ever happens."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from Reliability.batches import run_in_children
from Reliability.surroundings import own_folder
from Reliability.tally import Tally, main

ROW, COUNT = "model_packages", 5000


def check(count: int, seed: int) -> Tally:
    """count mutated packages."""
    with own_folder() as folder:
        return run_in_children("Reliability.package_trial", count, seed, folder, patience=300.0)


if __name__ == "__main__":
    sys.exit(main(ROW, check, COUNT))
