"""A segmentation as a DICOM Segmentation object (SEG) of the series that it was made from.

Like any DICOM object of a patient, it names the patient and the study: highdicom copies both from the series, as the
standard asks for. It is meant for the archive that the series came from, and is the only output that names anyone.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from LightMedSegLib import __version__
from LightMedSegLib.core.errors import DependencyError, InputImageError, OutputError
from LightMedSegLib.core.labels import Code, Label
from LightMedSegLib.io.dicom_series import series_files
from LightMedSegLib.storage.atomic_files import atomic_write

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.model.card import ModelCard

DICOM_SUFFIX = ".dcm"
SERIES_NUMBER = 300
"""Of the new series; viewers sort by it, and scanners rarely count so far."""

_REQUIRED_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""What the standard wants to be present although it may be empty; series from research often lack some."""

_REQUIRED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
"""Without these no object can refer to a slice or lie in its space; converters to DICOM sometimes forget them."""


def check_dicom_seg(path: Path, source: Path) -> None:
    """Raise DependencyError or InputImageError unless a SEG of the DICOM folder source can be written to path."""
    if not source.is_dir():
        raise InputImageError(
            f"{path.name} would be a DICOM segmentation, but {source} is no DICOM folder; let the output's name end in "
            ".seg.nrrd or .nii.gz."
        )
    _packages()


def write_dicom_seg(
    path: str | Path, labelmap: sitk.Image, card: ModelCard, source: str | Path, series: int | None = None
) -> None:
    """Write labelmap, made by the card's model from the DICOM series in the folder source, as a SEG file.

    Segments that are empty are left out. Each has its name, colour, coded terminology, and the model as the algorithm.

    Raises DependencyError without the packages of the extra "dicomseg", InputImageError for an empty labelmap or a
    series that cannot be referred to, OutputError if path cannot be written.
    """
    highdicom, pydicom = _packages()
    path, source = Path(path), Path(source)
    frames, labels = _numbered(labelmap, card.labels)
    if not labels:
        raise InputImageError(f"{path.name} is not written: the segmentation is empty, and a DICOM SEG cannot be.")
    slices = [pydicom.dcmread(file, stop_before_pixels=True) for file in series_files(source, series)]
    for one in slices:
        missing = [name for name in _REQUIRED if not one.get(name)]
        if missing:
            raise InputImageError(_refusal(source, f"a slice has no {missing[0]}"))
        for name in _REQUIRED_EMPTY:
            if name not in one:
                setattr(one, name, "")
        if not one.get("SliceThickness"):
            one.SliceThickness = f"{labelmap.GetSpacing()[2]:.6g}"
    try:
        # Its warnings would show the patient's name.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = _segmentation(highdicom, slices, frames, labels, card)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputImageError(_refusal(source, str(error).rstrip("."))) from error
    with atomic_write(path) as temporary:
        try:
            made.save_as(temporary)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error


def _refusal(source: Path, reason: str) -> str:
    return f"{source} cannot be referred to by a DICOM segmentation: {reason}; let the output's name end in .seg.nrrd."


def _numbered(labelmap: sitk.Image, labels: tuple[Label, ...]) -> tuple[np.ndarray[Any, Any], list[Label]]:
    """Frames (k, j, i) with the segment numbers 1, 2, ... that a SEG wants, and their labels."""
    import SimpleITK as sitk

    array = sitk.GetArrayViewFromImage(labelmap)
    counts = np.bincount(array.ravel(), minlength=256)
    present = [label for label in labels if counts[label.value]]
    numbers = np.zeros(256, dtype=np.uint8)
    for number, label in enumerate(present, start=1):
        numbers[label.value] = number
    return numbers[array], present


def _segmentation(highdicom: Any, slices: list[Any], frames: Any, labels: list[Label], card: ModelCard) -> Any:
    return highdicom.seg.Segmentation(
        source_images=slices,
        pixel_array=frames,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(number, label, card) for number, label in enumerate(labels, start=1)],
        series_instance_uid=highdicom.UID(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="LightMedSeg",
        manufacturer_model_name="LightMedSeg",
        software_versions=__version__,
        device_serial_number="none",
        content_creator_name="LightMedSeg^",
        series_description=f"{card.title}, not for diagnosis"[:64],
    )


def _description(number: int, label: Label, card: ModelCard) -> Any:
    highdicom, _ = _packages()
    from pydicom.sr.codedict import codes

    terms = label.terminology
    made = highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=label.name[:64],
        segmented_property_category=_coded(terms.category),
        segmented_property_type=_coded(terms.type),
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name=card.name[:64], family=codes.DCM.ArtificialIntelligence, version=card.version
        ),
        anatomic_regions=[_coded(terms.region)] if terms.region else None,
        display_color=highdicom.color.CIELabColor.from_rgb(*label.color),
    )
    # highdicom has no arguments for the modifiers.
    if terms.modifier:
        kind = made.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = [_coded(terms.modifier)]
    if terms.region and terms.region_modifier:
        made.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [_coded(terms.region_modifier)]
    return made


def _coded(code: Code) -> Any:
    highdicom, _ = _packages()
    return highdicom.sr.CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning[:64])


def _packages() -> tuple[Any, Any]:
    """The packages highdicom and pydicom; raises DependencyError."""
    try:
        import highdicom
        import pydicom
    except ImportError as error:
        raise DependencyError(
            f"A DICOM segmentation needs the Python package {error.name}; pip install 'lightmedseg[dicomseg]', or let "
            "the output's name end in .seg.nrrd."
        ) from error
    return highdicom, pydicom
