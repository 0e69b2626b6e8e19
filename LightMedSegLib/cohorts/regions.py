"""The region of interest of each scan of a cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Box, Grid
from LightMedSegLib.core.process.native_messages import without_native_messages
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.storage.csv_table import read_table

_CASE, _ENDS = "case", ("i0", "i1", "j0", "j1", "k0", "k1")


def with_regions(tasks: Sequence[ScanTask], table: Path) -> list[ScanTask]:
    """Return the tasks with the regions of a CSV file: case (the scan's name), i0, i1, j0, j1, k0 and k1 in voxels.

    Raises InputImageError for a table that cannot be read, and for a scan without a region.
    """
    try:
        rows = read_table(table, (_CASE, *_ENDS))
        boxes = {values.get(_CASE, ""): _box(line, values) for line, values in rows}
    except OSError as error:
        raise InputImageError(f"{table} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise InputImageError(f"{table} cannot be used: {error}.") from error
    missing = [task.scan.name for task in tasks if task.scan.name not in boxes]
    if missing:
        raise InputImageError(
            f"{table} has no region for {missing[0]}{f' and {len(missing) - 1} other scans' if missing[1:] else ''}; "
            f"give a line to each, with the columns {_CASE}, {', '.join(_ENDS)}."
        )
    return [replace(task, options=replace(task.options, roi=boxes[task.scan.name])) for task in tasks]


def with_one_grid(tasks: Sequence[ScanTask]) -> list[ScanTask]:
    """Return the tasks of scans with one region in voxels, which must have the grid of the first that can be read."""
    for task in tasks:
        try:
            with without_native_messages():
                grid = Grid.of(read_volume(task.scan.images[0], task.scan.series, task.scan.frame))
        except InputImageError:
            continue
        return [replace(task, grid=grid) for task in tasks]
    return list(tasks)


def _box(line: int, values: dict[str, str]) -> Box:
    ends = [values.get(name, "") for name in _ENDS]
    if not all(text.isdecimal() for text in ends):
        raise ValueError(f"line {line} needs whole numbers in the columns {', '.join(_ENDS)}")
    i0, i1, j0, j1, k0, k1 = map(int, ends)
    return (i0, i1), (j0, j1), (k0, k1)
