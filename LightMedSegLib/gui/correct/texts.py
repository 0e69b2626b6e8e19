"""What the section Correct says."""

from __future__ import annotations

import numpy as np
from slicer.i18n import tr as _

from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.interaction.strokes import Change


def volume_text(voxels: int, grid: Grid) -> str:
    """A number of voxels, and their volume."""
    milliliters = voxels * float(np.prod(grid.spacing)) / 1000
    return _("{voxels} voxels ({volume} ml)").format(voxels=f"{voxels:,}", volume=f"{milliliters:.2f}")


def completion_text(change: Change, grid: Grid) -> str:
    """What a completion did to the segment, and how long it took."""
    added = int(np.count_nonzero(change.after & ~change.before))
    removed = int(np.count_nonzero(change.before & ~change.after))
    seconds = f"{change.seconds:.1f}"
    if added and removed:
        text = _("{added} added and {removed} removed in {seconds} s.")
    elif added:
        text = _("{added} added in {seconds} s.")
    elif removed:
        text = _("{removed} removed in {seconds} s.")
    else:
        text = _("The network left everything as you made it ({seconds} s).")
    filled = text.format(added=volume_text(added, grid), removed=volume_text(removed, grid), seconds=seconds)
    return f"{filled} {change.note}".strip()
