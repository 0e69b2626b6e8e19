"""The time points of a DICOM series are in the order that its tags give, whatever the names of its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
import SimpleITK as sitk
from volumes_on_disk import dicom_series, time_points

from LightMedSegLib.cli import main
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.io.volume_files import count_frames, read_volume
from LightMedSegLib.io.volume_notes import notes_of

pytestmark = pytest.mark.usefixtures("nothing_shipped")

Tags = Callable[[int, int], dict[str, object]]
"""The tags of a slice at a time, both from 0."""

ORDERED: dict[str, Tags] = {
    "instance number": lambda slice_, time: {"InstanceNumber": 3 * slice_ + time + 1},
    "instance number, one volume after the other": lambda slice_, time: {"InstanceNumber": 6 * time + slice_ + 1},
    "trigger time": lambda slice_, time: {"TriggerTime": 9.5 + 45 * time, "InstanceNumber": 1},
    "trigger time against the numbers": lambda _, time: {"TriggerTime": 9.5 + 45 * time, "InstanceNumber": 9 - time},
    "temporal position": lambda slice_, time: {"TemporalPositionIdentifier": 9 + time},
    "time of day": lambda slice_, time: {"AcquisitionTime": f"09595{8 + time}.5" if time < 2 else "100000"},
}

UNORDERED: dict[str, Tags] = {
    "no tag": lambda slice_, time: {},
    "one instance number": lambda slice_, time: {"InstanceNumber": 1},
    "a number for each slice": lambda slice_, time: {"InstanceNumber": slice_ + 1, "TriggerTime": 0},
    "one slice of which two are alike": lambda slice_, time: {
        "InstanceNumber": 3 * slice_ + (min(time, 1) if slice_ == 4 else time) + 1
    },
    "the time of reconstruction": lambda slice_, time: {"ContentTime": f"10150{time}"},
}

OTHER_IMAGES: dict[str, tuple[Tags, str]] = {
    "echo times": (lambda _, time: {"EchoTime": 2.46 * (time + 1)}, r"3 echoes at one position \(by EchoTime\)"),
    "an echo time that is missing": (lambda _, time: {"EchoTime": 2.46} if time else {}, r"2 echoes .* \(by \w+\)"),
    "echo numbers with a trigger time": (
        lambda _, time: {"EchoNumbers": time + 1, "TriggerTime": 9.5 * time}, r"3 echoes .* \(by EchoNumbers\)"
    ),
    "magnitude and phase": (
        lambda _, time: {"EchoTime": 2.46, "ImageType": ["ORIGINAL", "PRIMARY", "MP"[time % 2]]},
        r"2 kinds of image at one position \(by ImageType\)",
    ),
    "diffusion weightings": (lambda _, time: {"DiffusionBValue": 500.0 * time}, r"3 kinds .* \(by DiffusionBValue\)"),
}  # fmt: skip


def renamed_cine(folder: Path, tags: Tags) -> Path:
    """Six slices at three times with these tags; the names of files are not in the order of time."""
    for n, file in enumerate(sorted(time_points(folder).iterdir())):
        slice_, time = divmod(n, 3)
        one = pydicom.dcmread(file)
        del one.InstanceNumber
        for keyword, value in tags(slice_, time).items():
            setattr(one, keyword, value)
        file.unlink()
        # 2, 1, 0 at even slices, and 1, 0, 2 at odd ones.
        place = 2 - time if slice_ % 2 == 0 else (1, 0, 2)[time]
        one.save_as(folder / f"image-{place}-{slice_}.dcm")
    return folder


@pytest.mark.parametrize("tags", ORDERED.values(), ids=ORDERED)
def test_frames_are_in_the_order_of_time(tags, tmp_path):
    folder = renamed_cine(tmp_path / "cine", tags)
    assert count_frames(folder) == 3
    alone = read_volume(dicom_series(tmp_path / "still"))
    for frame in range(3):
        image = read_volume(folder, frame=frame)
        assert Grid.of(image).same_as(Grid.of(alone))
        # Image number n of the series holds n and up.
        assert sitk.GetArrayFromImage(image)[:, 0, 0].tolist() == [3 * slice_ + frame for slice_ in range(6)]


@pytest.mark.parametrize("tags", UNORDERED.values(), ids=UNORDERED)
def test_frames_without_an_order_of_time_are_refused(tags, tmp_path):
    folder = renamed_cine(tmp_path / "cine", tags)
    for read in (count_frames, lambda path: read_volume(path, frame=0)):
        with pytest.raises(InputImageError, match=r"cine has .* equal in .*InstanceNumber.* order in time is unknown"):
            read(folder)


@pytest.mark.parametrize(("tags", "message"), OTHER_IMAGES.values(), ids=OTHER_IMAGES)
def test_echoes_and_kinds_of_image_are_no_frames_and_are_named(tags, message, tmp_path):
    folder = renamed_cine(tmp_path / "scan", lambda slice_, time: {"InstanceNumber": time + 1, **tags(slice_, time)})
    for read in (count_frames, read_volume, lambda path: read_volume(path, frame=0)):
        with pytest.raises(InputImageError, match=rf"scan has {message}, which are no time points; put each into"):
            read(folder)


@pytest.mark.parametrize(
    ("name", "noted"), [("instance number", True), ("trigger time", False), ("time of day", False)]
)
def test_frames_that_only_their_number_orders_have_a_note_that_they_may_be_echoes(name, noted, tmp_path):
    folder = renamed_cine(tmp_path / "cine", lambda slice_, time: {"EchoTime": 1.1, **ORDERED[name](slice_, time)})
    (notes,) = {tuple(notes_of(read_volume(folder, frame=frame))) for frame in range(3)}
    assert any("InstanceNumber" in note and "may be echoes" in note for note in notes) == noted


@pytest.mark.parametrize(("given", "stream"), [("archive/cine", "err"), ("archive", "out")])
def test_such_a_series_is_not_segmented(given, stream, installed, tmp_path, capsys):
    renamed_cine(tmp_path / "archive" / "cine", UNORDERED["no tag"])
    assert main(["segment", str(tmp_path / given), str(tmp_path / "all"), "--all-frames"]) == 2
    assert "order in time is unknown" in getattr(capsys.readouterr(), stream)
    assert list(tmp_path.rglob("*.nii.gz")) == []


def test_a_single_volume_needs_no_order_of_time(tmp_path):
    folder = dicom_series(tmp_path / "still", more_tags={"0020|0013": "1"})
    assert count_frames(folder) == 1
    assert sitk.GetArrayFromImage(read_volume(folder, frame=0))[:, 0, 0].tolist() == list(range(6))
