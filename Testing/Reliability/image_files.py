"""Damaged, unusual and hostile scans on the command line: one clear sentence, or a right result."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from Reliability.batches import run_in_children
from Reliability.surroundings import own_folder
from Reliability.tally import Tally, main

ROW, COUNT = "image_files", 4000


def check(count: int, seed: int) -> Tally:
    """count files and folders, 40 % of them DICOM series."""
    with own_folder() as folder:
        return run_in_children("Reliability.image_trial", count, seed, folder)


if __name__ == "__main__":
    sys.exit(main(ROW, check, COUNT))
