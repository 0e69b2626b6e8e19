"""Files of several frames: each frame is read as its own volume, and segmented where that is asked for."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from volumes_on_disk import dicom_series, time_points

from LightMedSegLib.cli import main
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.io.volume_files import count_frames, read_volume

pytestmark = pytest.mark.usefixtures("nothing_shipped")


@pytest.fixture
def frames(scan: Path) -> list[sitk.Image]:
    """The scan brighter and brighter."""
    image = sitk.ReadImage(str(scan), sitk.sitkFloat32)
    return [image * factor for factor in (1.0, 2.0, 3.0)]


def four_axes(frames: list[sitk.Image], path: Path) -> Path:
    sitk.WriteImage(sitk.JoinSeries(frames), str(path))
    return path


def slicer_sequence(frames: list[sitk.Image], path: Path) -> Path:
    """The file that 3D Slicer saves: the frames are a list, the first axis."""
    sitk.WriteImage(sitk.Compose(frames), str(path))
    header, mark, voxels = path.read_bytes().partition(b"\n\n")
    path.write_bytes(header.replace(b"kinds: vector", b"kinds: list") + mark + voxels)
    return path


FILES = pytest.mark.parametrize(
    ("name", "write"), [("cine.nii.gz", four_axes), ("cine.nrrd", four_axes), ("cine.seq.nrrd", slicer_sequence)]
)


@FILES
def test_each_frame_is_a_volume_of_its_own_with_the_geometry_of_the_file(name, write, frames, tmp_path):
    path = write(frames, tmp_path / name)
    assert count_frames(path) == 3
    for number, frame in enumerate(frames):
        image = read_volume(path, frame=number)
        assert Grid.of(image).same_as(Grid.of(frame))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(frame))


@FILES
@pytest.mark.parametrize("frame", [3, -1])
def test_a_frame_that_a_file_does_not_have_is_refused(name, write, frame, frames, tmp_path):
    with pytest.raises(InputImageError, match=rf"has 3 frame\(s\), counted from 0; there is no frame {frame}\.$"):
        read_volume(write(frames, tmp_path / name), frame=frame)


@pytest.mark.parametrize("frame", [3, -1])
def test_a_time_point_that_a_dicom_series_does_not_have_is_refused(frame, tmp_path):
    with pytest.raises(InputImageError, match=rf"has 3 frame\(s\), counted from 0; there is no frame {frame}\.$"):
        read_volume(time_points(tmp_path / "cine"), frame=frame)


def test_a_header_is_parsed_once_for_all_frames_and_again_when_its_file_has_changed(tmp_path, monkeypatch):
    folder, parsed, parse = time_points(tmp_path / "cine"), [], pydicom.dcmread

    def counted(file, **options):
        parsed.append(file.name)
        return parse(file, **options)

    monkeypatch.setattr(pydicom, "dcmread", counted)
    before = [read_volume(folder, frame=number) for number in range(count_frames(folder))]
    assert sorted(parsed) == sorted(str(file) for file in folder.iterdir())
    for file in folder.iterdir():
        one = parse(file)
        one.PixelSpacing = [3.25, 3.25]
        one.save_as(file)
    assert before[0].GetSpacing()[:2] != (3.25, 3.25) == read_volume(folder, frame=0).GetSpacing()[:2]


def test_the_only_frame_of_a_volume_is_the_volume(scan, tmp_path):
    for path in (scan, dicom_series(tmp_path / "still")):
        image, whole = read_volume(path, frame=0), read_volume(path)
        assert Grid.of(image).same_as(Grid.of(whole))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(whole))
        with pytest.raises(InputImageError, match=r"has 1 frame\(s\), counted from 0; there is no frame 1\.$"):
            read_volume(path, frame=1)


@FILES
def test_a_file_of_several_frames_is_no_volume_and_the_message_names_the_option(name, write, frames, tmp_path):
    with pytest.raises(InputImageError, match="--all-frames"):
        read_volume(write(frames, tmp_path / name))


def test_what_has_no_fourth_axis_has_one_frame(scan, frames, tmp_path):
    colour = tmp_path / "colour.nrrd"
    sitk.WriteImage(sitk.Compose(frames), str(colour))
    assert [count_frames(path) for path in (scan, dicom_series(tmp_path / "still"), colour)] == [1, 1, 1]


@FILES
def test_all_frames_of_a_file_are_segmented_as_if_each_were_a_scan(
    name, write, frames, installed, scan, tmp_path, capsys
):
    path, table = write(frames, tmp_path / name), tmp_path / "volumes.csv"
    assert main(["segment", str(path), str(tmp_path / "all"), "--all-frames", "--csv", str(table)]) == 0
    names = [f"cine-frame-{number}" for number in (1, 2, 3)]
    assert sorted(file.name for file in (tmp_path / "all").iterdir()) == [f"{name}.nii.gz" for name in names]
    rows = list(csv.reader(table.read_text(encoding="utf-8").splitlines()))
    assert list(dict.fromkeys(row[0] for row in rows if row[0] in names)) == names
    assert main(["segment", str(scan), str(tmp_path / "one.nii.gz")]) == 0
    one, first = (sitk.ReadImage(str(tmp_path / file)) for file in ("one.nii.gz", "all/cine-frame-1.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(first))


def test_in_a_folder_only_files_of_several_frames_are_taken_apart(frames, installed, tmp_path, capsys):
    folder = tmp_path / "scans"
    folder.mkdir()
    four_axes(frames, folder / "cine.nii.gz")
    sitk.WriteImage(frames[0], str(folder / "still.nii.gz"))
    (folder / "damaged.nii.gz").write_bytes(b"no volume")
    assert main(["segment", str(folder), str(tmp_path / "all"), "--all-frames"]) == 2
    assert "damaged.nii.gz: failed" in capsys.readouterr().out
    found = sorted(file.name for file in (tmp_path / "all").iterdir())
    assert found == [*(f"cine-frame-{number}.nii.gz" for number in (1, 2, 3)), "still.nii.gz"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["cine.nii.gz", "one.nii.gz"], "name a folder"),
        (["cine.nii.gz", "cine.nii.gz", "all"], "give one INPUT"),
        (["missing.nii.gz", "all"], "does not exist"),
        (["cine.nii.gz", "all", "--series", "2"], "--series is for one scan; leave it out to segment all frames of"),
    ],
)
def test_what_all_frames_cannot_mean_is_refused(given, message, frames, installed, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    four_axes(frames, tmp_path / "cine.nii.gz")
    assert main(["segment", *given, "--all-frames"]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(("one", "all"))] == []


def test_a_dicom_series_in_which_a_time_point_lacks_a_slice_is_refused(tmp_path):
    with pytest.raises(InputImageError, match="2 to 3 DICOM slices at a position"):
        count_frames(time_points(tmp_path / "cine", missing=1))
    with pytest.raises(InputImageError, match="--all-frames"):
        read_volume(time_points(tmp_path / "whole"))


@pytest.mark.parametrize("given", ["archive/cine", "archive"])
def test_all_time_points_of_a_dicom_series_are_segmented(given, installed, tmp_path):
    time_points(tmp_path / "archive" / "cine")
    assert main(["segment", str(tmp_path / given), str(tmp_path / "all"), "--all-frames"]) == 0
    found = sorted(file.name for file in (tmp_path / "all").rglob("*.nii.gz"))
    assert found == [f"cine-frame-{number}.nii.gz" for number in (1, 2, 3)]


@pytest.mark.parametrize(("series", "frames"), [(1, 3), (2, 2)])
def test_the_frames_of_one_of_several_dicom_series_are_segmented(series, frames, installed, tmp_path, capsys):
    folder = time_points(time_points(tmp_path / "cine"), count=2, series=2)
    given = ["segment", str(folder), str(tmp_path / "all"), "--all-frames"]
    assert main(given) == 2
    assert "choose one by its place in this list (--series)" in capsys.readouterr().err
    assert main([*given, "--series", str(series)]) == 0
    found = sorted(file.name for file in (tmp_path / "all").iterdir())
    assert found == [f"cine-series-{series}-frame-{number + 1}.nii.gz" for number in range(frames)]
    assert main([*given, "--series", "3"]) == 2
    assert "has 2 DICOM series; there is no series 3." in capsys.readouterr().err


def test_of_a_folder_of_scans_all_frames_takes_no_series_and_says_what_is_wrong_with_one(installed, tmp_path, capsys):
    time_points(tmp_path / "archive" / "cine", missing=1)
    given = ["segment", str(tmp_path / "archive"), str(tmp_path / "all"), "--all-frames"]
    assert main([*given, "--series", "1"]) == 2
    assert "--series is for one scan; leave it out to segment the folder" in capsys.readouterr().err
    assert main(given) == 2
    assert "2 to 3 DICOM slices at a position" in capsys.readouterr().out
