"""A DICOM file of several frames is read where they are one stack of slices, and refused with what to do elsewhere."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless
from stated_files import assert_placed, positions, rotations
from stated_slices import PER_FRAME, as_frames, make_slice, stored_values, write_series
from volumes_on_disk import dicom_series

from LightMedSegLib.cli import main
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.dicom.tags import slices_of
from LightMedSegLib.io.scan_folders import find_scans
from LightMedSegLib.io.scan_tags import tags_of
from LightMedSegLib.io.volume_files import count_frames, read_volume

SLICES = 5
ORDER = (3, 0, 4, 1, 2)
UPRIGHT = np.eye(3)
KINDS = ("enhanced CT", "legacy converted CT", "enhanced MR", "enhanced PET")


def slices_at(
    heights: Any = range(0, 2 * SLICES, 2), kind: str = "enhanced MR", axes: Any = UPRIGHT, origin: Any = (0.0,) * 3,
    spacing: tuple[float, float] = (1.0, 1.0), **more: Any,
) -> list[Dataset]:  # fmt: skip
    """Slices at these distances along their normal, placed in their functional groups."""
    return [
        make_slice(k, origin + axes[:, 2] * height, axes, spacing, kind=kind, where=PER_FRAME, **more)
        for k, height in enumerate(heights)
    ]


def enhanced(folder: Path, slices: list[Dataset], order: Any = ORDER) -> Path:
    return write_series(folder, [as_frames(slices, order)], [0])


def rescaled(one: Dataset, slope: float, intercept: float) -> None:
    transformation = Dataset()
    transformation.RescaleSlope, transformation.RescaleIntercept = slope, intercept
    one.PerFrameFunctionalGroupsSequence[0].PixelValueTransformationSequence = [transformation]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(axes=rotations, origin=positions, order=st.permutations(range(SLICES)), kind=st.sampled_from(KINDS),
       spacing=st.tuples(st.floats(0.3, 4.0), st.floats(0.3, 4.0)), distance=st.floats(0.8, 8.0), signed=st.booleans(),
       photometric=st.sampled_from(("MONOCHROME1", "MONOCHROME2")),
       slopes=st.sampled_from(((1, 1, 1, 1, 1), (1, 0.25, 3.5, 20, 1))))  # fmt: skip
def test_the_frames_of_one_stack_are_a_volume_in_the_order_of_their_positions(
    tmp_path: Path, axes: np.ndarray, origin: tuple[float, ...], order: list[int], kind: str,
    spacing: tuple[float, float], distance: float, signed: bool, photometric: str, slopes: tuple[float, ...],
) -> None:  # fmt: skip
    heights = [distance * k for k in range(SLICES)]
    slices = slices_at(
        heights, kind, axes, np.array(origin), spacing, signed=signed, PhotometricInterpretation=photometric
    )
    for one, slope in zip(slices, slopes, strict=True):
        rescaled(one, slope, -7)
    shutil.rmtree(tmp_path / "scan", ignore_errors=True)
    image = read_volume(enhanced(tmp_path / "scan", slices, order))
    assert_placed(image, np.column_stack([axes * (*spacing, distance), origin]))
    truth = np.stack([stored_values(k, signed, 16) * float(slope) - 7 for k, slope in enumerate(slopes)])
    np.testing.assert_allclose(sitk.GetArrayFromImage(image), truth)


def test_compressed_frames_are_read_and_the_scan_has_its_modality(tmp_path: Path) -> None:
    slices = slices_at(Modality="MR")
    values = np.arange(64 * SLICES, dtype="<i2").reshape(SLICES, 8, 8)
    for one, plane in zip(slices, values, strict=True):
        one.Rows, one.Columns, one.PixelData = 8, 8, plane.tobytes()
    one = as_frames(slices, ORDER)
    one.compress(RLELossless)
    image = read_volume(write_series(tmp_path / "scan", [one], [0]))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), values)
    assert tags_of(image).modality == "MR"


def two_files(folder: Path, slices: list[Dataset]) -> Path:
    """Every other slice is a frame of the second file."""
    parts = [as_frames(slices, range(start, len(slices), 2)) for start in (0, 1)]
    parts[1].file_meta.MediaStorageSOPInstanceUID = parts[1].SOPInstanceUID = f"{parts[0].SOPInstanceUID}.2"
    return write_series(folder, parts, range(2))


def test_frames_in_several_files_are_one_stack_and_the_pixels_of_each_file_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, read, parse = two_files(tmp_path / "scan", slices_at()), [], pydicom.dcmread

    def counted(file: Any, **options: Any) -> Any:
        if not options.get("stop_before_pixels"):
            read.append(file)
        return parse(file, **options)

    monkeypatch.setattr(pydicom, "dcmread", counted)
    image = read_volume(folder)
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(image), np.stack([stored_values(k, True, 16) for k in range(SLICES)])
    )
    assert sorted(read) == sorted(str(file) for file in folder.iterdir())


def test_a_series_of_several_files_is_listed_by_the_count_of_its_frames(tmp_path: Path) -> None:
    folder = two_files(dicom_series(tmp_path / "scan"), slices_at(range(0, 16, 2)))
    with pytest.raises(InputImageError, match=r"1: series number 3, CT, 8 slices; 2: .*, 6 slices"):
        read_volume(folder)
    assert read_volume(folder, series=1).GetSize() == (6, 5, 8)


def test_frames_do_not_stay_in_memory(tmp_path: Path) -> None:
    (file,) = enhanced(tmp_path / "scan", slices_at()).iterdir()
    frames = [weakref.ref(one) for one in slices_of(str(file), file.parent)]
    gc.collect()
    assert [frame() for frame in frames] == [None] * SLICES


def test_it_is_a_scan_of_an_archive_and_is_segmented(installed: str, nothing_shipped: None, tmp_path: Path) -> None:
    slices = slices_at(range(0, 16, 2), values=np.arange(256, dtype="<i2").reshape(16, 16), Modality="MR")
    folder = enhanced(tmp_path / "archive" / "P" / "scan", slices, range(8))
    (scan,) = find_scans(tmp_path / "archive", 1, "MR").scans
    assert (scan.name, scan.images, count_frames(folder)) == ("P/scan", (folder,), 1)
    assert main(["segment", str(folder), str(tmp_path / "out.nii.gz")]) == 0
    assert sitk.ReadImage(str(tmp_path / "out.nii.gz")).GetSize() == (16, 16, 8)


@pytest.mark.parametrize(
    ("heights", "message"),
    [
        ((0, 2, 4, 7, 9), "slices at uneven distances"),
        (
            (0, 0, 2, 2, 4),
            r"several frames at one position \(time points, echoes or other kinds of image\); load it in 3D",
        ),
    ],
)
def test_frames_that_are_no_stack_are_refused(heights: tuple[int, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputImageError, match=message):
        read_volume(enhanced(tmp_path / "scan", slices_at(heights)))


def without_a_position(one: Dataset) -> None:
    del one.PerFrameFunctionalGroupsSequence[-1]


def of_another_class(one: Dataset) -> None:
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.13.1.1"


def in_colour(one: Dataset) -> None:
    one.PhotometricInterpretation, one.SamplesPerPixel, one.PlanarConfiguration = "RGB", 3, 0


@pytest.mark.parametrize("change", [without_a_position, of_another_class, in_colour])
def test_other_objects_of_several_frames_are_refused_with_what_to_do(change: Any, tmp_path: Path) -> None:
    one = as_frames(slices_at(), ORDER)
    change(one)
    folder = write_series(tmp_path / "scan", [one], [0])
    for read in (read_volume, count_frames):
        with pytest.raises(
            InputImageError, match=r"file of several frames that is no enhanced .* or convert it with dcm2"
        ):
            read(folder)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    (file,) = enhanced(tmp_path / "scan", slices_at()).iterdir()
    file.write_bytes(file.read_bytes()[:-60])
    with pytest.raises(InputImageError, match="damaged or incomplete; copy or export the series again"):
        read_volume(tmp_path / "scan")


def test_beside_a_series_of_slices_other_frames_are_left_out_and_a_stack_is_a_choice(tmp_path: Path) -> None:
    folder = dicom_series(tmp_path / "scan")
    of_another_class(one := as_frames(slices_at(), ORDER))
    write_series(folder, [one], [0])
    assert read_volume(folder).GetSize() == (12, 10, 6)
    enhanced(folder, slices_at())
    with pytest.raises(InputImageError, match=r"has 2 DICOM series; .*2: series number 3, CT, 5 slices"):
        read_volume(folder)
    assert read_volume(folder, series=2).GetSize() == (6, 5, 5)


def test_no_dicom_segmentation_refers_to_frames(
    installed: str, nothing_shipped: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("highdicom")
    folder = enhanced(tmp_path / "scan", slices_at())
    assert main(["segment", str(folder), str(tmp_path / "out.dcm")]) == 2
    assert "its slices are frames of one file; let the output's name end in .seg.nrrd" in capsys.readouterr().err
