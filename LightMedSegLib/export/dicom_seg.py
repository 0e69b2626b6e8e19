"""A segmentation as a DICOM Segmentation object (SEG) of the series that it was made from.

Like any DICOM object of a patient, it names the patient and the study: highdicom copies both from the series, as the
standard asks for. It is meant for the archive that the series came from, and is the only output that names anyone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from LightMedSegLib import __version__
from LightMedSegLib.core.errors import DependencyError, InputImageError, OutputError
from LightMedSegLib.core.label_volumes import voxels_per_value
from LightMedSegLib.core.labels import Code, Label
from LightMedSegLib.export.dicom_header import discreet, missing_attribute, tidy
from LightMedSegLib.io.dicom_series import series_files
from LightMedSegLib.io.labelmaps.values import as_labelmap, check_known
from LightMedSegLib.model.located_card import located_card
from LightMedSegLib.storage.atomic_files import atomic_write

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.model.card import ModelCard

DICOM_SUFFIX = ".dcm"
SERIES_NUMBER = 300
"""Of the new series; viewers sort by it, and scanners rarely count so far."""

_TRIED_SLICES = 4


class DicomSegWriter:
    """Writes the SEG file of a DICOM series; what its header does not allow shows when it is made.

    path: of the file. card: of the model. source: folder of the series. series: which one of several, from 1.
    note: a sentence for the user about what had to be changed in the header; "" where nothing had.

    Raises DependencyError without the packages of the extra "dicomseg", InputImageError for a source that is no DICOM
    folder and for a series that cannot be referred to.
    """

    def __init__(self, path: str | Path, card: ModelCard, source: str | Path, series: int | None = None) -> None:
        self._path, self._card, self._source = Path(path), card, Path(source)
        if not self._source.is_dir():
            raise InputImageError(
                f"{self._path.name} would be a DICOM segmentation, but {source} is no DICOM folder; let the output's "
                "name end in .seg.nrrd or .nii.gz."
            )
        _packages()
        with _refusing(self._source):
            self._slices = self._read(series)
            self.note = tidy(self._slices[0])
            self._try()

    def write(self, labelmap: sitk.Image, labels: Sequence[Label] = ()) -> None:
        """Write labelmap, made by the model from the series: name, colour, terminology and algorithm of each segment.

        labels: of the labelmap; the card's if there are none.

        Segments that are empty are left out. Raises InputImageError for an empty labelmap, OutputError if the file
        cannot be written.
        """
        frames, present = _numbered(labelmap, labels or self._card.labels)
        if not present:
            raise InputImageError(
                f"{self._path.name} is not written: the segmentation is empty, and a DICOM SEG cannot be."
            )
        with _refusing(self._source):
            made = _segmentation(self._slices, frames, present, self._card)
        with atomic_write(self._path) as temporary:
            try:
                made.save_as(temporary)
            except OSError as error:
                raise OutputError(f"{self._path} cannot be written: {error.strerror or error}.") from error

    def _read(self, series: int | None) -> list[Any]:
        _, pydicom = _packages()
        files = series_files(self._source, series)
        if len(set(files)) < len(files):
            raise InputImageError(_refusal(self._source, "its slices are frames of one file"))
        slices = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
        for one in slices:
            missing = missing_attribute(one)
            if missing:
                raise InputImageError(_refusal(self._source, missing))
            if not one.get("SliceThickness"):
                one.SliceThickness = f"{_distance(slices):.6g}"
        return slices

    def _try(self) -> None:
        """Make the object of a few slices, with every segment, and throw it away."""
        slices = self._slices[:_TRIED_SLICES]
        frames = np.zeros((len(slices), int(slices[0].Rows), int(slices[0].Columns)), dtype=np.uint8)
        labels = list(located_card(self._card).labels[: frames.size])
        frames.reshape(-1)[: len(labels)] = np.arange(1, len(labels) + 1)
        _segmentation(slices, frames, labels, self._card).save_as(BytesIO())


def write_dicom_seg(
    path: str | Path, labelmap: sitk.Image, card: ModelCard, source: str | Path, series: int | None = None
) -> None:
    """Write labelmap as the SEG file path at once; raises what :class:`DicomSegWriter` raises."""
    DicomSegWriter(path, card, source, series).write(labelmap)


@contextmanager
def _refusing(source: Path) -> Iterator[None]:
    """Turn what pydicom and highdicom complain about in the block into an InputImageError without any value."""
    try:
        with discreet():
            yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputImageError(_refusal(source, _wrong_attribute(error))) from None


def _distance(slices: list[Any]) -> float:
    """Distance in mm between the first two slices."""
    first, second = (np.array([float(x) for x in one.ImagePositionPatient]) for one in slices[:2])
    return float(np.linalg.norm(second - first))


def _wrong_attribute(error: Exception) -> str:
    """What highdicom complains about, by the attribute's name only: the rest may hold the patient's data."""
    from pydicom.datadict import tag_for_keyword

    words = re.findall(r"[A-Z]\w+", str(error))
    name = next((word for word in words if tag_for_keyword(word) is not None), "")
    return f"its {name} is missing or not as DICOM asks for" if name else "its header is not as DICOM asks for"


def _refusal(source: Path, reason: str) -> str:
    return f"{source} cannot be referred to by a DICOM segmentation: {reason}; let the output's name end in .seg.nrrd."


def _numbered(labelmap: sitk.Image, labels: Sequence[Label]) -> tuple[np.ndarray[Any, Any], list[Label]]:
    """Frames (k, j, i) with the segment numbers 1, 2, ... that a SEG wants, and their labels."""
    import SimpleITK as sitk

    labelmap = as_labelmap(labelmap, "The segmentation")
    check_known(labelmap, [label.value for label in labels], "The segmentation")
    array = sitk.GetArrayViewFromImage(labelmap)
    counts = voxels_per_value(array)
    present = [label for label in labels if counts[label.value]]
    numbers = np.zeros(256, dtype=np.uint8)
    for number, label in enumerate(present, start=1):
        numbers[label.value] = number
    return numbers[array], present


def _segmentation(slices: list[Any], frames: Any, labels: list[Label], card: ModelCard) -> Any:
    highdicom, _ = _packages()
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
