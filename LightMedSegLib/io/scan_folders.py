"""The scans of a folder that is segmented as a whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.cases.dataset_description import declared_channels
from LightMedSegLib.io.dicom.archive import ArchivedSeries, find_series
from LightMedSegLib.io.volume_files import VOLUME_SUFFIXES

IMAGES_FOLDER = "imagesTs"
BIDS_FILE = "dataset_description.json"
"""The file that every BIDS dataset has."""

_CHANNEL = re.compile(r"(.+)_([0-9]{4})")
_MOST_CHANNELS = 8
"""Most channels of a case; higher numbers count scans."""

_ANY_MODALITY = ("OT", "")
"""Modalities of a card that say nothing about its scans."""


@dataclass(frozen=True)
class Scan:
    """One case of a folder.

    name: of the result, relative to the folder of the results, without ending, with "/" between folders. images: one
    file or DICOM folder for each channel of the model. series: which one of a folder with several DICOM series, as
    read_volume numbers them. frame: which one of a file with several volumes, from 0.
    """

    name: str
    images: tuple[Path, ...]
    series: int | None = None
    frame: int | None = None


@dataclass(frozen=True)
class LeftOut:
    """What was found and is not segmented.

    name: of the result that it would have, or of its file. reason: a clause that says why.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class FoundScans:
    """The scans of a folder and what was left out, each sorted by name."""

    scans: tuple[Scan, ...]
    left_out: tuple[LeftOut, ...] = ()


def find_scans(folder: Path, channels: int, modality: str = "", derived: bool = False) -> FoundScans:
    """Return the scans in folder, sorted by name, and the DICOM series that are no scans for this model.

    They are in folder/imagesTs if that exists (the layout of nnU-Net and the Medical Segmentation Decathlon), else in
    folder itself: its volume files and, for models of one channel, the DICOM series of folders below it at any depth,
    one scan a series. nnU-Net's endings _0000, _0001, ... number the channels of a case; files without them are cases
    of one channel. Other endings of four digits, such as a year or a scan's own number, are a part of its name.

    Of DICOM, localizers, single slices, objects without slices (structure sets, reports) and series of another modality
    than the model's are left out, and series that were computed from other images unless derived is true.

    Raises InputImageError if there is none, if a case does not have the model's number of channels, or if two files are
    one case.
    """
    if not folder.is_dir():
        raise InputImageError(f"{folder} is not a folder.")
    images = folder / IMAGES_FOLDER if (folder / IMAGES_FOLDER).is_dir() else folder
    declared = declared_channels(images.parent if images.name == IMAGES_FOLDER else images)
    files = _named_files(images)
    found = _cases_of(files, channels, declared, images)
    series = find_series(images, "" if modality in _ANY_MODALITY else modality, derived)
    left_out = [LeftOut(one.name, one.reason) for one in series if one.reason]
    numbers: dict[str, int | None] = {}
    for one in (one for one in series if not one.reason):
        if one.name in found:
            raise InputImageError(f"{images} has two volumes for the case {one.name}, a file and a folder; keep one.")
        found[one.name] = {0: one.folder}
        numbers[one.name] = one.number
    _refuse_lone_series(images, found, series)
    if not found:
        raise InputImageError(_nothing(images, left_out))
    for case, parts in found.items():
        if sorted(parts) != list(range(channels)):
            raise InputImageError(
                f"The case {case} has {len(parts)} volume(s), but the model reads {channels}; {_advice(channels)}."
            )
    scans = (
        Scan(case, tuple(parts[channel] for channel in range(channels)), numbers.get(case))
        for case, parts in sorted(found.items())
    )
    return FoundScans(tuple(scans), tuple(sorted(left_out, key=lambda one: one.name)))


def _refuse_lone_series(images: Path, found: dict[str, dict[int, Path]], series: list[ArchivedSeries]) -> None:
    if len(found) <= 1 and any(one.folder == images and not one.reason for one in series):
        raise InputImageError(
            f"{images} holds one DICOM scan: let the output's name end in .seg.nrrd, or give the folder above."
        )


def _nothing(images: Path, left_out: list[LeftOut]) -> str:
    if (images / BIDS_FILE).is_file():
        return f"{images} is a BIDS dataset; segment it with lightmedseg bids."
    if left_out:
        reasons = "; ".join(dict.fromkeys(one.reason for one in left_out))
        return f"{images} holds no scan to segment; its {len(left_out)} DICOM series were left out: {reasons}."
    return (
        f"{images} holds no scan; give a folder with volumes ({', '.join(VOLUME_SUFFIXES)}) or with a folder of "
        "DICOM slices for each scan."
    )


def _named_files(images: Path) -> dict[str, Path]:
    """Return the volume files directly in a folder by their names without ending."""
    found: dict[str, Path] = {}
    for path in _inside(images):
        name = file_name(path)
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
    endings = {name: match for name in scans if (match := _CHANNEL.fullmatch(name))}
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


def file_name(path: Path) -> str | None:
    """The name of a volume file without its ending; None for anything else."""
    if path.name.startswith(".") or path.is_dir():
        return None
    suffix = max((end for end in VOLUME_SUFFIXES if path.name.lower().endswith(end)), key=len, default="")
    return path.name[: -len(suffix)] if suffix and len(path.name) > len(suffix) else None


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputImageError(f"{folder} cannot be read: {error.strerror or error}.") from error
