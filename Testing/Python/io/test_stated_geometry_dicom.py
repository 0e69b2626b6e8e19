"""A DICOM series lies where its slices' own tags say, whatever its class is and whatever its other tags say."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from engine_stubs import stub_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from stated_files import assert_placed, positions, rotations
from stated_slices import (
    CLASSES,
    DETECTOR,
    PER_FRAME,
    SHARED,
    TOP,
    make_slice,
    place_slice,
    stored_values,
    write_series,
)

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.inference.segmentation import segment
from LightMedSegLib.io.dicom_series import series_files
from LightMedSegLib.io.scan_tags import ScanTags, tags_of
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.io.volume_notes import notes_of

often = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SLICES = 5
edges = st.tuples(st.floats(0.3, 4.0), st.floats(0.3, 4.0), st.floats(0.8, 8.0))
orders = st.permutations(range(SLICES))


def fresh(tmp_path: Path) -> Path:
    """An empty folder for one example of many."""
    shutil.rmtree(tmp_path / "series", ignore_errors=True)
    return tmp_path / "series"


def stack(axes: np.ndarray, origin: tuple[float, ...], spacing: tuple[float, ...], **more: Any) -> list[Dataset]:
    """SLICES slices along their normal."""
    return [make_slice(k, origin + axes[:, 2] * spacing[2] * k, axes, spacing[:2], **more) for k in range(SLICES)]


def matrix(axes: np.ndarray, origin: tuple[float, ...], spacing: tuple[float, ...]) -> np.ndarray:
    return np.column_stack([axes * spacing, origin])


@often
@given(axes=rotations, origin=positions, spacing=edges, order=orders, kind=st.sampled_from(sorted(CLASSES)),
       where=st.sampled_from((TOP, SHARED, PER_FRAME, DETECTOR)),
       factor=st.sampled_from((None, 1.0, -1.0, 0.0, 2.5, -0.3)),
       photometric=st.sampled_from(("MONOCHROME1", "MONOCHROME2")), signed=st.booleans(),
       bits=st.sampled_from((12, 16)), slope=st.sampled_from((1, 2, 0.5)),
       intercept=st.sampled_from((0, -1024, 7.5)))  # fmt: skip
def test_place_and_values_are_those_of_the_slices(
    tmp_path: Path, axes: np.ndarray, origin: tuple[float, ...], spacing: tuple[float, ...], order: list[int],
    kind: str, where: str, factor: float | None, photometric: str, signed: bool, bits: int, slope: float,
    intercept: float,
) -> None:  # fmt: skip
    distance = None if factor is None else f"{factor * spacing[2]:.6g}"
    slices = stack(
        axes, origin, spacing, kind=kind, where=where, signed=signed, bits=bits, SpacingBetweenSlices=distance,
        PhotometricInterpretation=photometric, RescaleSlope=slope, RescaleIntercept=intercept,
    )  # fmt: skip
    image = read_volume(write_series(fresh(tmp_path), slices, order))
    assert_placed(image, matrix(axes, origin, spacing))
    truth = np.stack([stored_values(k, signed, bits) * float(slope) + intercept for k in range(SLICES)])
    np.testing.assert_allclose(sitk.GetArrayFromImage(image), truth, atol=1e-6 * np.abs(truth).max())
    contradicts = factor is not None and abs(factor) != 1.0
    assert any("SpacingBetweenSlices" in note for note in notes_of(image)) == contradicts


def test_files_are_told_in_the_order_of_the_slices(tmp_path: Path) -> None:
    slices = stack(np.eye(3), (0.0, 0.0, 0.0), (1.0, 1.0, 2.0), kind="secondary capture")
    folder = write_series(tmp_path / "series", slices, (3, 0, 4, 1, 2))
    assert [Path(file).name for file in series_files(folder)] == ["IM0003", "IM0000", "IM0004", "IM0001", "IM0002"]


def test_a_distance_that_the_positions_contradict_is_named_in_the_notes_of_the_result(tmp_path: Path) -> None:
    slices = stack(np.eye(3), (0.0, 0.0, 0.0), (1.0, 1.0, 2.0), SpacingBetweenSlices="3.3")
    image = read_volume(write_series(tmp_path / "series", slices, range(SLICES)))
    note = (
        "The DICOM series gives a SpacingBetweenSlices of 3.3 mm, but its slices lie 2 mm apart by their positions, "
        "which were used."
    )
    assert note in segment(image, stub_model(), "cpu").notes


def test_a_spacing_on_the_detector_gives_way_to_that_in_the_patient_with_a_note(tmp_path: Path) -> None:
    slices = stack(np.eye(3), (0.0, 0.0, 0.0), (1.0, 0.8, 2.0), kind="computed radiography", ImagerPixelSpacing=[2, 2])
    image = read_volume(write_series(tmp_path / "series", slices, range(SLICES)))
    np.testing.assert_allclose(image.GetSpacing(), (1.0, 0.8, 2.0))
    assert "ImagerPixelSpacing of 2 x 2 mm and a PixelSpacing of 1 x 0.8 mm, which was used" in notes_of(image)[0]


def test_positions_in_several_frames_of_reference_have_a_note(tmp_path: Path) -> None:
    slices = stack(np.eye(3), (0.0, 0.0, 0.0), (1.0, 1.0, 2.0))
    slices[3].FrameOfReferenceUID += ".1"
    image = read_volume(write_series(tmp_path / "series", slices, range(SLICES)))
    assert ["several frames of reference" in note for note in notes_of(image)] == [True]


@pytest.mark.parametrize(("modality", "noted"), [("MR", True), ("OT", True), ("CT", False), ("PT", False)])
def test_an_inverted_display_has_a_note_where_values_are_not_measured(
    tmp_path: Path, modality: str, noted: bool
) -> None:
    slices = stack(
        np.eye(3), (0.0, 0.0, 0.0), (1.0, 1.0, 2.0), Modality=modality, PhotometricInterpretation="MONOCHROME1"
    )
    image = read_volume(write_series(tmp_path / "series", slices, range(SLICES)))
    assert ["MONOCHROME1" in note for note in notes_of(image)] == ([True] if noted else [])


@pytest.mark.parametrize(
    "why",
    [{"PhotometricInterpretation": "MONOCHROME1"}, {"SpacingBetweenSlices": -2}, {"kind": "secondary capture"}],
    ids=["inverted display", "negative distance", "secondary capture"],
)
@pytest.mark.parametrize(("modality", "part"), [("MR", "BRAIN"), ("PT", "LEG"), ("NM", "")])
def test_slices_that_are_read_from_copies_keep_their_modality_and_part_of_the_body(
    tmp_path: Path, why: dict[str, Any], modality: str, part: str
) -> None:
    slices = stack(
        np.eye(3), (0.0, 0.0, 0.0), (1.0, 1.0, 2.0), **{"kind": "MR", **why}, Modality=modality, BodyPartExamined=part
    )
    image = read_volume(write_series(tmp_path / "series", slices, range(SLICES)))
    assert tags_of(image) == ScanTags(modality, part)


@pytest.mark.parametrize("compressor", ["JPEG", "JPEG2000", "RLE"])
def test_inverted_display_does_not_invert_compressed_values(tmp_path: Path, compressor: str) -> None:
    import pydicom
    from pydicom.uid import RLELossless

    # GDCM cannot read very small compressed slices.
    values = np.add.outer(np.arange(32), np.arange(40)).astype("<i2")
    slices = stack(np.eye(3), (0.0,) * 3, (1.0, 1.0, 2.0), values=values)
    folder = write_series(tmp_path / "series", slices, range(SLICES))
    truth = sitk.GetArrayFromImage(read_volume(folder))
    for path in sorted(folder.iterdir()):
        if compressor != "RLE":
            reader, writer = sitk.ImageFileReader(), sitk.ImageFileWriter()
            reader.SetFileName(str(path))
            plane = reader.Execute()
            path.unlink()
            path = path.with_suffix(".dcm")
            writer.SetFileName(str(path))
            writer.KeepOriginalImageUIDOn()
            writer.SetUseCompression(True)
            writer.SetCompressor(compressor)
            writer.Execute(plane)
        one = pydicom.dcmread(path)
        if compressor == "RLE":
            one.compress(RLELossless, generate_instance_uid=False)
        one.PhotometricInterpretation = "MONOCHROME1"
        one.save_as(path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_volume(folder)), truth)


def test_nothing_of_an_inverted_series_is_left_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    seen: list[bytes] = []
    execute = sitk.ImageSeriesReader.Execute

    def look(reader: Any) -> Any:
        seen.extend(path.read_bytes() for path in (tmp_path / "temporary").rglob("*.dcm"))
        return execute(reader)

    monkeypatch.setattr(sitk.ImageSeriesReader, "Execute", look)
    slices = stack(np.eye(3), (0.0,) * 3, (1.0, 1.0, 2.0), PhotometricInterpretation="MONOCHROME1")
    read_volume(write_series(tmp_path / "series", slices, range(SLICES)))
    assert len(seen) == SLICES and not any(word in content for content in seen for word in (b"Doe", b"MRN123"))
    assert list((tmp_path / "temporary").iterdir()) == []


def refused(tmp_path: Path, slices: list[Dataset], reason: str) -> None:
    with pytest.raises(InputImageError, match=reason):
        read_volume(write_series(tmp_path / "series", slices, range(SLICES)))


@pytest.mark.parametrize("where", [SHARED, PER_FRAME, DETECTOR])
def test_a_slice_that_gives_two_places_is_refused(tmp_path: Path, where: str) -> None:
    slices = stack(np.eye(3), (0.0,) * 3, (1.0, 1.0, 2.0))
    place_slice(slices[2], where, (5.0, 0.0, 4.0), np.eye(3), (1.0, 1.0))
    place_slice(slices[2], TOP, (0.0, 0.0, 4.0), np.eye(3), (1.0, 1.0))
    refused(tmp_path, slices, "two different values of ImagePositionPatient")


@pytest.mark.parametrize(
    ("orientation", "reason"),
    [
        ([2, 0, 0, 0, 2, 0], "no direction cosines"),
        ([0, 0, 0, 0, 0, 0], "no direction cosines"),
        ([1, 0, 0, 0.6, 0.8, 0], "not at right angles"),
        ([1, 0, 0, 1, 0, 0], "not at right angles"),
    ],
)
def test_an_orientation_that_is_none_is_refused(tmp_path: Path, orientation: list[float], reason: str) -> None:
    slices = stack(np.eye(3), (0.0,) * 3, (1.0, 1.0, 2.0), ImageOrientationPatient=orientation)
    refused(tmp_path, slices, reason)


@pytest.mark.parametrize("spacing", [[0, 1], [-1, 1]])
def test_a_pixel_spacing_that_is_not_positive_is_refused(tmp_path: Path, spacing: list[float]) -> None:
    refused(tmp_path, stack(np.eye(3), (0.0,) * 3, (1.0, 1.0, 2.0), PixelSpacing=spacing), "without pixel spacing")


def test_files_of_several_frames_are_refused(tmp_path: Path) -> None:
    slices = stack(np.eye(3), (0.0,) * 3, (1.0, 1.0, 2.0), kind="enhanced CT", NumberOfFrames=2)
    for one in slices:
        one.PixelData *= 2
    refused(tmp_path, slices, "a DICOM file of several frames")


def test_the_class_in_the_header_of_the_file_counts_too(tmp_path: Path) -> None:
    """GDCM believes the file's header, where the object says CT."""
    slices = stack(np.eye(3), (1.0, 2.0, 3.0), (0.5, 0.5, 2.0))
    for one in slices:
        one.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    image = read_volume(write_series(tmp_path / "series", slices, range(SLICES)))
    assert_placed(image, matrix(np.eye(3), (1.0, 2.0, 3.0), (0.5, 0.5, 2.0)))


def test_rescaling_in_a_functional_group_is_applied(tmp_path: Path) -> None:
    slices = stack(np.eye(3), (0.0,) * 3, (1.0, 1.0, 2.0), kind="enhanced CT", where=SHARED)
    for one in slices:
        transformation = Dataset()
        transformation.RescaleSlope, transformation.RescaleIntercept = 1, -1024
        one.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence = DicomSequence([transformation])
    image = read_volume(write_series(tmp_path / "series", slices, range(SLICES)))
    truth = np.stack([stored_values(k, True, 16).astype(float) - 1024 for k in range(SLICES)])
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), truth)


@pytest.mark.parametrize("kind", ["PET", "enhanced PET"])
def test_slices_of_different_rescaling_keep_their_values(tmp_path: Path, kind: str) -> None:
    slopes = (1, 0.25, 3.5, 20, 1)
    slices = stack(np.eye(3), (0.0,) * 3, (1.0, 1.0, 2.0), kind=kind, RescaleIntercept=0)
    for one, slope in zip(slices, slopes, strict=True):
        one.RescaleSlope = slope
    image = read_volume(write_series(tmp_path / "series", slices, range(SLICES)))
    truth = np.stack([stored_values(k, True, 16) * float(slope) for k, slope in enumerate(slopes)])
    np.testing.assert_allclose(sitk.GetArrayFromImage(image), truth)


def test_a_temporary_folder_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    slices = stack(np.eye(3), (0.0,) * 3, (1.0, 1.0, 2.0), PhotometricInterpretation="MONOCHROME1")
    refused(tmp_path, slices, "without a temporary folder, and none can be made: No such file or directory")


def test_a_message_about_damaged_tags_shows_no_value(tmp_path: Path) -> None:
    import pydicom

    folder = write_series(tmp_path / "series", stack(np.eye(3), (0.0,) * 3, (1.0, 1.0, 2.0)), range(SLICES))
    path = folder / "IM0002"
    one = pydicom.dcmread(path)
    content = path.read_bytes()
    old = "\\".join(str(value) for value in one.ImagePositionPatient).encode()
    assert old in content
    path.write_bytes(content.replace(old, b"Jane".ljust(len(old))))
    with pytest.raises(InputImageError) as caught:
        read_volume(folder)
    assert "ImagePositionPatient" in str(caught.value) and "Jane" not in str(caught.value)
