"""A full, read-only or forbidden disk, death and power cuts at any moment, a clock that goes back, many processes at
once, a failing torch or graphics card: nothing of the user's is lost, and the next action works.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from Reliability import computing_faults, disk_faults, sharing_faults
from Reliability.household import Supplies
from Reliability.surroundings import own_folder
from Reliability.tally import Tally, main

ROW, COUNT = "faults", 4

GROUPS = (
    disk_faults.full_disk,
    disk_faults.read_only_disk,
    disk_faults.no_permission,
    disk_faults.death_at_any_change,
    disk_faults.interruption_at_any_change,
    disk_faults.power_cut_at_any_change,
    disk_faults.clock_goes_back,
    sharing_faults.processes_share_the_store,
    sharing_faults.finetuning_is_killed,
    computing_faults.torch_raises,
    computing_faults.graphics_card_fails,
    computing_faults.worker_thread_dies,
)


def check(count: int, seed: int) -> Tally:
    """Every fault; count: rounds of those that depend on chance."""
    tally = Tally()
    with own_folder() as folder:
        supplies = Supplies.make(folder / "supplies")
        for group in GROUPS:
            place = folder / group.__name__
            place.mkdir()
            tally.add(group(place, supplies, count, seed))
    return tally


if __name__ == "__main__":
    sys.exit(main(ROW, check, COUNT))
