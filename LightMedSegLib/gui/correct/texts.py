"""What the section Correct says."""

from __future__ import annotations

import numpy as np
from slicer.i18n import tr as _

from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.interaction.strokes import Change


def volume_text(voxels: int, grid: Grid) -> str:
    """A number of voxels, and their volume."""
    volume = f"{voxels * float(np.prod(grid.spacing)) / 1000:.2f}"
    if voxels == 1:
        return _("1 voxel ({volume} ml)").format(volume=volume)
    return _("{voxels} voxels ({volume} ml)").format(voxels=f"{voxels:,}", volume=volume)


def completion_text(change: Change, grid: Grid) -> str:
    """What a completion did to the segment, and how long it took."""
    added = int(np.count_nonzero(change.after & ~change.before))
    removed = int(np.count_nonzero(change.before & ~change.after))
    more, less, seconds = volume_text(added, grid), volume_text(removed, grid), f"{change.seconds:.1f}"
    if added and removed:
        text = _("{added} added and {removed} removed in {seconds} s.").format(
            added=more, removed=less, seconds=seconds
        )
    elif added:
        text = _("{added} added in {seconds} s.").format(added=more, seconds=seconds)
    elif removed:
        text = _("{removed} removed in {seconds} s.").format(removed=less, seconds=seconds)
    elif change.passes:
        text = _("The network left everything as you made it ({seconds} s).").format(seconds=seconds)
    else:
        text = _("The border stays as you made it.")
    return f"{text} {change.note}".strip()
