"""Scans with planted identifiers, and the search for them in whatever the program wrote."""

from __future__ import annotations

import contextlib
import gzip
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from finetuning_factory import slabs
from volumes_on_disk import dicom_series

IN_HEADERS = ("ZQXHEADNAME", "ZQXHEADID", "ZQXHEADSITE", "ZQXHEADTEXT", "19330517", "ZQXHEADKEY")
IN_PATHS = ("ZQXPATHFOLDER", "ZQXPATHFILE", "ZQXPATHNODE")


def plant(folder: Path) -> Path:
    """Scans of every format below a folder whose name identifies, too; returns that folder."""
    # Not above: importing it asks for a socket where the package requests is installed.
    import pydicom

    place = folder / IN_PATHS[0]
    series = dicom_series(place / "series")
    for path in series.iterdir():
        one = pydicom.dcmread(path)
        one.PatientName, one.PatientID, one.PatientBirthDate = f"{IN_HEADERS[0]}^X", IN_HEADERS[1], IN_HEADERS[4]
        one.InstitutionName, one.StudyDescription = IN_HEADERS[2], IN_HEADERS[3]
        one.AccessionNumber, one.ReferringPhysicianName = IN_HEADERS[1], IN_HEADERS[0]
        one.PixelData = np.random.default_rng(one.InstanceNumber).integers(0, 900, 120).astype(np.int16).tobytes()
        one.save_as(path)
    image, labels = slabs()
    _identified(image, place / f"{IN_PATHS[1]}.nrrd")
    _identified(image, place / f"{IN_PATHS[1]}.mha")
    for number in range(3):
        one, truth = slabs(number)
        for part, picture in (("images", one), ("labels", truth)):
            (place / "cases" / part).mkdir(parents=True, exist_ok=True)
            path = place / "cases" / part / f"{IN_PATHS[1]}{number}.nii.gz"
            sitk.WriteImage(picture, str(path))
            content = bytearray(gzip.decompress(path.read_bytes()))
            content[148 : 148 + len(IN_HEADERS[3])] = IN_HEADERS[3].encode()  # descrip
            content[14 : 14 + len(IN_HEADERS[0])] = IN_HEADERS[0].encode()  # db_name
            path.write_bytes(gzip.compress(bytes(content)))
    sitk.WriteImage(labels, str(place / "truth.nrrd"))
    (place / f"{IN_PATHS[1]}broken.nrrd").write_bytes((place / f"{IN_PATHS[1]}.nrrd").read_bytes()[:-4000])
    return place


def _identified(image: sitk.Image, path: Path) -> None:
    marked = sitk.Image(image)
    marked.SetMetaData(IN_HEADERS[5], IN_HEADERS[3])
    marked.SetMetaData("PatientName", IN_HEADERS[0])
    sitk.WriteImage(marked, str(path))


def found_in(path: Path, words: tuple[str, ...]) -> list[str]:
    """Which words are in a file, also inside gzip streams and zip entries, whatever their case."""
    found = set()
    for content in _contents(path):
        lower = content.lower()
        for word in words:
            plain = word.lower()
            if plain.encode() in lower or plain.encode("utf-16-le") in lower:
                found.add(word)
    return sorted(found)


def _contents(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    yield content
    at = content.find(b"\x1f\x8b\x08")
    if at >= 0:
        with contextlib.suppress(OSError, EOFError, ValueError, zlib.error):
            yield gzip.decompress(content[at:])
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield archive.read(name)
