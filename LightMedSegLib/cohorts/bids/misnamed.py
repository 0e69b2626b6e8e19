"""Volumes of a BIDS dataset that are not found as scans because their names or places do not follow BIDS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from LightMedSegLib.cohorts.bids.contrasts import Contrasts
from LightMedSegLib.cohorts.bids.names import parse_name
from LightMedSegLib.io.scan_folders import LeftOut
from LightMedSegLib.io.volume_files import VOLUME_SUFFIXES


def misnamed(
    dataset: Path, files: Iterable[Path], contrasts: Contrasts, is_ignored: Callable[[str], bool]
) -> Iterator[LeftOut]:
    """Say of each volume why its name hides it from a search for contrasts.

    Hidden files and those for which is_ignored is true, given the path relative to the dataset, are left out on
    purpose: nothing is said of them.
    """
    wanted = {suffix.lower(): suffix for one in contrasts for suffix in one}
    for path, place in _volumes(dataset, files, is_ignored):
        name = parse_name(path.name)
        if name is None:
            example = f"{place.partition('/')[0]}_{next(iter(wanted.values()))}.nii.gz"
            yield LeftOut(place, f"its name does not follow BIDS (rename it, as in {example})")
        elif name.suffix.lower() in wanted and name.suffix not in wanted.values():
            yield LeftOut(place, f"its name ends in _{name.suffix}, in BIDS that is _{wanted[name.suffix.lower()]}")


def misplaced(dataset: Path, files: Iterable[Path], is_ignored: Callable[[str], bool]) -> Iterator[LeftOut]:
    """Say of each volume in the folder of a participant or a session that it lies in none for a kind of data."""
    for _, place in _volumes(dataset, files, is_ignored):
        yield LeftOut(place, "it lies beside the folder anat, not in it")


def _volumes(dataset: Path, files: Iterable[Path], is_ignored: Callable[[str], bool]) -> Iterator[tuple[Path, str]]:
    for path in files:
        place = path.relative_to(dataset).as_posix()
        hidden = path.name.startswith(".") or is_ignored(place)
        if path.name.lower().endswith(VOLUME_SUFFIXES) and not hidden:
            yield path, place
