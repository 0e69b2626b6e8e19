"""Writing segmentations to files: labelmaps, and .seg.nrrd as 3D Slicer writes it; io.labelmaps reads both.

A .seg.nrrd file is a labelmap in NRRD with key/value fields that name each segment, its colour and its coded
terminology; Slicer opens it as a segmentation, other programs as a labelmap. Its fields are described in the
developer guide of 3D Slicer, "Segmentations file format". The doubt of a result is written like a labelmap.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.storage.atomic_files import atomic_write
from LightMedSegLib.storage.decimal_point import decimal_points
from LightMedSegLib.storage.file_names import check_readable_name

SEGMENTATION_SUFFIXES = (".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha")
_EMPTY_EXTENT = "0 -1 0 -1 0 -1"


@decimal_points
def write_segmentation(
    path: str | Path,
    labelmap: sitk.Image,
    labels: Sequence[Label],
    attributes: Mapping[str, str] | None = None,
) -> None:
    """Write a UInt8 labelmap, compressed; the file appears complete or not at all.

    The suffix decides: ``.seg.nrrd`` carries names, colours and terminology of labels; ``.nrrd``, ``.nii.gz``,
    ``.nii`` and ``.mha`` hold values only. attributes are further text fields for the formats that have them
    (NRRD and MetaImage), such as the model's name. Metadata that came with the labelmap is left out, because
    it may have been copied from a patient's scan.

    Raises OutputError: unknown suffix, missing folder, no permission, full disk.
    """
    path = Path(path)
    check_segmentation_path(path)
    fields = dict(attributes or {}) if path.suffix in (".nrrd", ".mha") else {}
    if path.name.endswith(".seg.nrrd"):
        fields.update(segment_fields(labelmap, labels))
    _write(path, labelmap, fields)


@decimal_points
def write_doubt(path: str | Path, doubt: sitk.Image) -> None:
    """Write the doubt of a result, a UInt8 image, as write_segmentation writes a labelmap of values only.

    Raises OutputError as check_doubt_path, and for a full disk.
    """
    check_doubt_path(Path(path))
    _write(Path(path), doubt, {})


def _write(path: Path, image: sitk.Image, fields: Mapping[str, str]) -> None:
    clean = sitk.Image(image)
    for key in clean.GetMetaDataKeys():
        clean.EraseMetaData(key)
    for key, text in fields.items():
        clean.SetMetaData(key, text)
    with atomic_write(path) as temporary:
        try:
            sitk.WriteImage(clean, str(temporary), useCompression=True)
        except RuntimeError as error:
            raise OutputError(f"{path} cannot be written: the disk is full or failing.") from error
        _verify(temporary, clean, path)


def check_segmentation_path(path: Path) -> None:
    """Raise OutputError unless path names a segmentation format and lies in an existing folder."""
    if not path.name.endswith(SEGMENTATION_SUFFIXES):
        known = ", ".join(SEGMENTATION_SUFFIXES)
        raise OutputError(f"{path} has no known segmentation format; let its name end in one of {known}.")
    # Written under a plain temporary name, so only the folder's counts.
    check_readable_name(path.parent, OutputError)
    check_output_path(path)


def check_doubt_path(path: Path) -> None:
    """Raise OutputError unless path names a format of volumes and lies in an existing folder."""
    if path.name.endswith(".seg.nrrd"):
        raise OutputError(f"{path} would be a segmentation, and doubt is a volume; let its name end in .nrrd.")
    check_segmentation_path(path)


def check_output_path(path: Path) -> None:
    """Raise OutputError unless a file can be written at path; leaves nothing there."""
    if os.path.isdir(path):  # noqa: PTH112 - pathlib's method raises an error for a name that is too long
        raise OutputError(f"{path} cannot be written: it is a folder.")
    try:
        with atomic_write(path):
            raise _OnlyTriedError
    except _OnlyTriedError:
        pass


def segment_fields(labelmap: sitk.Image, labels: Sequence[Label]) -> dict[str, str]:
    """The key/value fields of a .seg.nrrd file for a labelmap."""
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.ComputePerimeterOff()
    statistics.Execute(labelmap)
    fields = {
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    for index, label in enumerate(labels):
        extent = _EMPTY_EXTENT
        if statistics.HasLabel(label.value):
            start, size = np.array(statistics.GetBoundingBox(label.value)).reshape(2, -1)
            extent = " ".join(f"{a} {a + n - 1}" for a, n in zip(start, size, strict=True))
        fields.update(
            {
                f"Segment{index}_ID": label.segment_id,
                f"Segment{index}_Name": label.name,
                f"Segment{index}_NameAutoGenerated": "0",
                f"Segment{index}_Color": " ".join(f"{part / 255:.6g}" for part in label.color),
                f"Segment{index}_ColorAutoGenerated": "0",
                f"Segment{index}_LabelValue": str(label.value),
                f"Segment{index}_Layer": "0",
                f"Segment{index}_Extent": extent,
                f"Segment{index}_Tags": f"TerminologyEntry:{label.terminology.to_slicer()}|",
            }
        )
    return fields


def _verify(temporary: Path, written: sitk.Image, path: Path) -> None:
    """Raise OutputError unless the file holds what was written: on a full disk ITK does not always complain."""
    try:
        found = sitk.ReadImage(str(temporary))
        same = np.array_equal(sitk.GetArrayViewFromImage(found), sitk.GetArrayViewFromImage(written))
    except RuntimeError:
        same = False
    if not same:
        raise OutputError(f"{path} cannot be written: the disk is full or failing.")


class _OnlyTriedError(Exception):
    """Leaves atomic_write on its error path, which removes the temporary file."""
