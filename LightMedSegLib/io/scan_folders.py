"""The scans of a folder that is segmented as a whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.cases.dataset_description import declared_channels
from LightMedSegLib.io.dicom_series import is_dicom
from LightMedSegLib.io.volume_files import VOLUME_SUFFIXES

IMAGES_FOLDER = "imagesTs"
_OF_THE_SYSTEM = ("lost+found", "System Volume Information", "$RECYCLE.BIN")
"""System folders of a drive, which contain no scans and often cannot be read."""

_CHANNEL = re.compile(r"(.+)_([0-9]{4})")
_MOST_CHANNELS = 8
"""Most channels of a case; higher numbers count scans."""


@dataclass(frozen=True)
class Scan:
    """One scan.

    name: of the result, without ending, relative to the folder of results, with "/" between folders. images: one file
    or DICOM folder for each channel of the model. series: which one of a DICOM folder, from 1; None for its only one.
    """

    name: str
    images: tuple[Path, ...]
    series: int | None = None


@dataclass(frozen=True)
class LeftOut:
    """What was found and is not segmented, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class FoundScans:
    """The scans of a folder, sorted by name, and what is left out."""

    scans: tuple[Scan, ...]
    left_out: tuple[LeftOut, ...] = ()


def find_scans(folder: Path, channels: int) -> FoundScans:
    """Return the scans below folder.

    They are in folder/imagesTs if that exists (the layout of nnU-Net and the Medical Segmentation Decathlon), else in
    folder itself: its volume files and, for models of one channel, its folders of DICOM slices. nnU-Net's endings
    _0000, _0001, ... number the channels of a case; files without them are cases of one channel. Other endings of four
    digits, such as a year or a scan's own number, are a part of its name.

    Raises InputImageError if there is none, if a case does not have the model's number of channels, or if two files are
    one case.
    """
    if not folder.is_dir():
        raise InputImageError(f"{folder} is no folder.")
    images = folder / IMAGES_FOLDER if (folder / IMAGES_FOLDER).is_dir() else folder
    declared = declared_channels(images.parent if images.name == IMAGES_FOLDER else images)
    found = _cases_of(_named_scans(images), channels, declared, images)
    if not found and _holds_dicom(images):
        raise InputImageError(
            f"{images} holds one DICOM scan: let the output's name end in .seg.nrrd, or give the folder above."
        )
    if not found:
        raise InputImageError(
            f"{images} holds no scan; give a folder with volumes ({', '.join(VOLUME_SUFFIXES)}) or with a folder of "
            "DICOM slices for each scan."
        )
    for case, files in found.items():
        if sorted(files) != list(range(channels)):
            raise InputImageError(
                f"The case {case} has {len(files)} volume(s), but the model reads {channels}; {_advice(channels)}."
            )
    return FoundScans(
        tuple(Scan(case, tuple(files[channel] for channel in range(channels))) for case, files in sorted(found.items()))
    )


def _named_scans(images: Path) -> dict[str, Path]:
    """Return the scans directly in a folder by their names without ending."""
    found: dict[str, Path] = {}
    for path in _inside(images):
        name = _scan_name(path)
        if name is None:
            continue
        if name in found:
            raise InputImageError(
                f"{images} has two volumes for the case {name}, {found[name].name} and {path.name}; keep one."
            )
        found[name] = path
    return found


def _cases_of(scans: dict[str, Path], channels: int, declared: int | None, images: Path) -> dict[str, dict[int, Path]]:
    """The files of each case by channel."""
    numbers: dict[str, set[int]] = {}
    endings = {name: match for name in scans if scans[name].is_file() and (match := _CHANNEL.fullmatch(name))}
    for match in endings.values():
        numbers.setdefault(match[1], set()).add(int(match[2]))
    found: dict[str, dict[int, Path]] = {}
    for name, path in scans.items():
        case, channel = name, 0
        if name in endings and _number_channels(numbers[endings[name][1]], channels, declared):
            case, channel = endings[name][1], int(endings[name][2])
        files = found.setdefault(case, {})
        if channel in files:
            raise InputImageError(
                f"{images} has two volumes for the case {case}, {files[channel].name} and {path.name}; keep one."
            )
        files[channel] = path
    return found


def _number_channels(numbers: set[int], channels: int, declared: int | None) -> bool:
    """Return whether these endings of one name are the numbers of channels, not of scans.

    A dataset description decides; without one, channels count from 0 and are few.
    """
    if (declared or channels) > 1:
        return True
    return numbers == {0} if declared else 0 in numbers and max(numbers) < _MOST_CHANNELS


def _advice(channels: int) -> str:
    if channels > 1:
        return f"let their names end in _0000 to _{channels - 1:04d}"
    return "leave one of them, or let the names of scans not end in _0000, _0001, ..."


def _scan_name(path: Path) -> str | None:
    """The name of a scan without its ending; None for anything else."""
    if path.name.startswith(".") or path.name in _OF_THE_SYSTEM:
        return None
    if path.is_dir():
        return path.name if _holds_dicom(path) else None
    suffix = max((end for end in VOLUME_SUFFIXES if path.name.lower().endswith(end)), key=len, default="")
    return path.name[: -len(suffix)] if suffix and len(path.name) > len(suffix) else None


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputImageError(f"{folder} cannot be read: {error.strerror or error}.") from error


def _holds_dicom(folder: Path) -> bool:
    """Return whether a file directly in folder has the DICOM prefix; true if unreadable: reading gives the reason."""
    try:
        return any(path.is_file() and is_dicom(path) for path in folder.iterdir())
    except OSError:
        return True
