"""Nested DICOM archives: one scan a series, named by its folders, and a reason for each series that is none."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
import SimpleITK as sitk
from volumes_on_disk import dicom_series, plain_volume

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.dicom import series_header
from LightMedSegLib.io.dicom_series import read_dicom_folder
from LightMedSegLib.io.scan_folders import FoundScans, find_scans

IMAGE_TYPE, MODALITY, SOP_CLASS, PATIENT = "0008|0008", "0008|0060", "0008|0016", "0010|0010"
ORIGINAL = {IMAGE_TYPE: "ORIGINAL\\PRIMARY\\M"}


def names(found: FoundScans) -> list[str]:
    return [scan.name for scan in found.scans]


def reasons(found: FoundScans) -> dict[str, str]:
    return {one.name: one.reason for one in found.left_out}


def test_each_series_of_an_archive_of_any_depth_is_a_scan(tmp_path: Path) -> None:
    dicom_series(tmp_path / "P1" / "2020" / "T1", series=1, more_tags=ORIGINAL)
    dicom_series(tmp_path / "P1" / "2021" / "T1", series=2)
    dicom_series(tmp_path / "P2" / "T1", series=3)
    dicom_series(tmp_path / "P3", series=4)
    dicom_series(tmp_path / ".cache" / "T1", series=5)
    sitk.WriteImage(plain_volume(), str(tmp_path / "flat.nii.gz"))
    found = find_scans(tmp_path, 1)
    assert names(found) == ["P1/2020/T1", "P1/2021/T1", "P2/T1", "P3", "flat"]
    assert found.scans[0].images == (tmp_path / "P1" / "2020" / "T1",) and found.scans[0].series is None
    assert found.left_out == ()


@pytest.mark.parametrize(
    ("tags", "slices", "reason"),
    [
        ({IMAGE_TYPE: "DERIVED\\PRIMARY\\MPR"}, 6, "its values are derived from other images"),
        ({IMAGE_TYPE: "ORIGINAL\\PRIMARY\\LOCALIZER"}, 3, "it is a localizer"),
        (ORIGINAL, 1, "it is a single slice"),
        ({MODALITY: "RTSTRUCT"}, 1, "it is a structure set"),
        ({MODALITY: "SR"}, 1, "it is a report"),
        ({SOP_CLASS: "1.2.840.10008.5.1.4.1.1.7", MODALITY: "OT"}, 4, "it is a screen capture"),
        ({MODALITY: "PT", SOP_CLASS: "1.2.840.10008.5.1.4.1.1.128"}, 6, "its modality is PT, and the model is for MR"),
    ],
)
def test_a_series_that_is_no_scan_is_left_out_with_the_reason(
    tmp_path: Path, tags: dict[str, str], slices: int, reason: str
) -> None:
    dicom_series(tmp_path / "P" / "scan", series=1)
    dicom_series(tmp_path / "P" / "other", [(0.0, 0.0, float(n)) for n in range(slices)], series=2, more_tags=tags)
    found = find_scans(tmp_path, 1, "MR")
    assert names(found) == ["P/scan"]
    assert list(reasons(found)) == ["P/other"] and reasons(found)["P/other"].startswith(reason)


def test_a_multi_frame_object_that_is_no_stack_of_slices_is_left_out(tmp_path: Path) -> None:
    dicom_series(tmp_path / "P" / "scan", series=1)
    (file,) = dicom_series(tmp_path / "P" / "frames", [(0.0, 0.0, 0.0)], series=2).iterdir()
    one = pydicom.dcmread(file)
    one.NumberOfFrames = 8
    one.save_as(file)
    assert reasons(find_scans(tmp_path, 1)) == {
        "P/frames": "it is a multi-frame object that is no enhanced CT, MR or PET (load it in 3D Slicer and segment it "
        "there, or convert it with dcm2niix)"
    }


def test_derived_series_and_other_modalities_are_scans_on_request(tmp_path: Path) -> None:
    dicom_series(tmp_path / "P" / "derived", more_tags={IMAGE_TYPE: "DERIVED\\SECONDARY"})
    assert names(find_scans(tmp_path, 1, "MR", derived=True)) == ["P/derived"]
    dicom_series(tmp_path / "P" / "pet", series=2, more_tags={MODALITY: "PT"})
    assert names(find_scans(tmp_path, 1, "OT")) == ["P/pet"]


def test_of_several_series_in_one_folder_each_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "export" / "study"
    dicom_series(folder, series=1, more_tags={PATIENT: "Doe^Jane"})
    dicom_series(folder, [(0.0, 0.0, 3.0 * n) for n in range(9)], series=2)
    dicom_series(folder, [(0.0, 0.0, 5.0 * n) for n in range(3)], series=3, more_tags={IMAGE_TYPE: "A\\B\\LOCALIZER"})
    found = find_scans(tmp_path, 1)
    assert names(found) == ["export/study/series_1", "export/study/series_2"]
    depths = [read_dicom_folder(scan.images[0], scan.series).GetDepth() for scan in found.scans]
    assert depths == [9, 6]
    assert reasons(found) == {"export/study/series_3": "it is a localizer"}
    assert names(find_scans(folder, 1)) == ["series_1", "series_2"]


def test_a_scan_beside_a_localizer_is_called_as_the_folder(tmp_path: Path) -> None:
    dicom_series(tmp_path / "P", [(0.0, 0.0, 5.0 * n) for n in range(3)], series=1)
    dicom_series(tmp_path / "P", series=2, more_tags={IMAGE_TYPE: "ORIGINAL\\PRIMARY\\LOCALIZER"})
    (scan,) = find_scans(tmp_path, 1).scans
    assert scan.name == "P" and read_dicom_folder(scan.images[0], scan.series).GetDepth() == 3


def test_a_folder_with_nothing_to_segment_says_why(tmp_path: Path) -> None:
    dicom_series(tmp_path / "P" / "a", more_tags={IMAGE_TYPE: "DERIVED\\PRIMARY"})
    dicom_series(tmp_path / "P" / "b", [(0.0, 0.0, 0.0)], series=2)
    with pytest.raises(InputImageError, match=r"its 2 DICOM series were left out: .*--derived.*; it is a single slice"):
        find_scans(tmp_path, 1)


def test_what_cannot_be_read_stays_a_scan_so_that_reading_gives_the_reason(tmp_path: Path) -> None:
    dicom_series(tmp_path / "P" / "whole")
    (tmp_path / "P" / "damaged").mkdir()
    (tmp_path / "P" / "damaged" / "0.dcm").write_bytes(bytes(128) + b"DICM" + b"\xff" * 40)
    assert names(find_scans(tmp_path, 1)) == ["P/damaged", "P/whole"]


def test_links_that_lead_back_end(tmp_path: Path) -> None:
    dicom_series(tmp_path / "archive" / "P" / "scan")
    (tmp_path / "archive" / "P" / "again").symlink_to(tmp_path / "archive")
    assert names(find_scans(tmp_path / "archive", 1)) == ["P/scan"]


def test_one_header_of_a_series_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other files are recognised by their first bytes, which is what makes large archives quick to look through."""
    parsed: list[Path] = []
    real = series_header.header_of
    monkeypatch.setattr(series_header, "header_of", lambda file, tags: parsed.append(file) or real(file, tags))
    for number in (1, 2):
        dicom_series(tmp_path, series=number)
    found = series_header.folder_series(sorted(tmp_path.iterdir()))
    assert [one.files for one in found] == [6, 6] and len(parsed) == 2


def test_a_file_that_names_a_series_within_a_sequence_is_not_taken_for_its_slice(tmp_path: Path) -> None:
    dicom_series(tmp_path)
    first = pydicom.dcmread(tmp_path / "series1-000.dcm")
    other = pydicom.dcmread(tmp_path / "series1-001.dcm")
    reference = pydicom.Dataset()
    reference.SeriesInstanceUID = first.SeriesInstanceUID
    other.ReferencedSeriesSequence = [reference]
    other.SeriesInstanceUID, other.Modality = "1.2.3.4", "SEG"
    other.save_as(tmp_path / "segmentation.dcm")
    found = series_header.folder_series(sorted(tmp_path.iterdir(), reverse=True))
    assert {one.uid: one.files for one in found} == {first.SeriesInstanceUID: 6, "1.2.3.4": 1}
