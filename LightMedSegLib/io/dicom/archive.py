"""The DICOM series of an archive: folders such as PATIENT/STUDY/SERIES, of any depth."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.dicom.series_header import DERIVED, FolderSeries, folder_series
from LightMedSegLib.io.dicom_series import is_dicom, list_series

SYSTEM_FOLDERS = ("lost+found", "System Volume Information", "$RECYCLE.BIN")
"""System folders of a drive, which contain no scans and often cannot be read."""


@dataclass(frozen=True)
class ArchivedSeries:
    """One series of an archive.

    name: its folder relative to the archive, with "/" between folders and, if the folder holds several, a number at the
    end; no value of a header is in it. folder: where its files are. number: of the series in read_volume, None if the
    folder holds one. reason: why it is not segmented, "" if it is.
    """

    name: str
    folder: Path
    number: int | None = None
    reason: str = ""


def find_series(archive: Path, modality: str = "", derived: bool = False) -> list[ArchivedSeries]:
    """Return the series of the DICOM files in archive and below it, sorted by folder.

    modality: DICOM's code of the scans that are wanted, "" for any. derived: whether series that were computed from
    other images are wanted too. A folder that cannot be read is returned as a series: reading it gives the reason.
    Links to folders are followed, each folder once.

    Raises InputImageError if archive itself cannot be read.
    """
    return [one for folder in _folders(archive) for one in _series_of(archive, folder, modality, derived)]


def _folders(archive: Path) -> Iterator[Path]:
    """The folder and those below it, each once."""

    def refuse(error: OSError) -> None:
        if Path(os.fsdecode(error.filename or "")) == archive:
            raise InputImageError(f"{archive} cannot be read: {error.strerror or error}.") from error
        unreadable.append(Path(os.fsdecode(error.filename)))

    seen: set[tuple[int, int]] = set()
    unreadable: list[Path] = []
    for place, below, _ in os.walk(archive, onerror=refuse, followlinks=True):
        about = os.stat(place)  # noqa: PTH116 - os.walk gives texts
        if (about.st_dev, about.st_ino) in seen:
            below.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        below[:] = sorted(name for name in below if not name.startswith(".") and name not in SYSTEM_FOLDERS)
        yield Path(place)
    yield from unreadable


def _series_of(archive: Path, folder: Path, modality: str, derived: bool) -> list[ArchivedSeries]:
    name = folder.relative_to(archive).as_posix() if folder != archive else ""
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
        found = folder_series(files)
        if not found:
            # Nothing but damaged files: reading gives the reason.
            return [ArchivedSeries(name, folder)] if name and any(is_dicom(path) for path in files) else []
    except OSError:
        return [ArchivedSeries(name, folder)]
    reasons = {one.uid: one.reason or _unwanted(one, modality, derived) for one in found}
    if len(found) == 1:
        return [ArchivedSeries(name, folder, None, reasons[found[0].uid])]
    return _of_several(name, folder, reasons)


def _of_several(name: str, folder: Path, reasons: dict[str, str]) -> list[ArchivedSeries]:
    """The series of a folder that holds several, numbered as read_volume numbers them.

    If only one of them can be segmented, it has the name of the folder.
    """
    try:
        numbers = {one.uid: number for number, one in enumerate(list_series(folder), start=1)}
    except InputImageError:
        return [ArchivedSeries(name, folder)]
    scans = [uid for uid, reason in reasons.items() if not reason]
    series = []
    for place, (uid, reason) in enumerate(reasons.items(), start=1):
        number = numbers.get(uid)
        own = "/".join(part for part in (name, f"series_{number}" if number else f"object_{place}") if part)
        series.append(ArchivedSeries(name if scans == [uid] and name else own, folder, number, reason))
    return sorted(series, key=lambda one: (one.number is None, one.number or 0))


def _unwanted(one: FolderSeries, modality: str, derived: bool) -> str:
    if modality and one.modality and one.modality != modality:
        return f"its modality is {one.modality}, and the model is for {modality}"
    return DERIVED if one.derived and not derived else ""
