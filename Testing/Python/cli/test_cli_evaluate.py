"""The command that compares segmentations."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import SimpleITK as sitk

from LightMedSegLib.cli import main

pytestmark = pytest.mark.usefixtures("nothing_shipped")


def test_evaluate_prints_and_stores_the_metrics(
    tmp_path: Path, labelmap: sitk.Image, capsys: pytest.CaptureFixture[str]
) -> None:
    array = sitk.GetArrayFromImage(labelmap)
    array[8] = 0
    prediction = sitk.GetImageFromArray(array)
    prediction.CopyInformation(labelmap)
    sitk.WriteImage(prediction, str(tmp_path / "prediction.nrrd"))
    sitk.WriteImage(labelmap, str(tmp_path / "reference.nrrd"))
    words = ["evaluate", str(tmp_path / "prediction.nrrd"), str(tmp_path / "reference.nrrd")]
    assert main([*words, "--json", str(tmp_path / "metrics.json"), "--tolerance", "2"]) == 0
    told = json.loads((tmp_path / "metrics.json").read_text())
    assert told["labels"][0]["dice"] == pytest.approx(2 * 5 / 11)
    assert told["labels"][0]["hd95_mm"] == pytest.approx(1.5)
    assert told["labels"][1]["nsd"] == 1.0
    assert told["mean"]["dice"] == pytest.approx((10 / 11 + 1) / 2)
    printed = capsys.readouterr().out
    assert "NSD 2 mm" in printed
    assert re.search(r"^Label 1 +0\.9091 +1\.50 +1\.0000 +0\.356 +0\.428 +-0\.071$", printed, re.MULTILINE)
    assert re.search(r"^Mean +0\.9545", printed, re.MULTILINE)


def test_evaluate_takes_names_from_the_model_and_writes_null_where_there_is_no_number(
    tmp_path: Path, labelmap: sitk.Image, package: Path
) -> None:
    sitk.WriteImage(labelmap * 0, str(tmp_path / "prediction.nrrd"))
    sitk.WriteImage(sitk.Cast(labelmap == 1, sitk.sitkUInt8), str(tmp_path / "reference.nrrd"))
    words = ["evaluate", str(tmp_path / "prediction.nrrd"), str(tmp_path / "reference.nrrd"), "--model", str(package)]
    assert main([*words, "--json", str(tmp_path / "metrics.json")]) == 0
    missed, absent = json.loads((tmp_path / "metrics.json").read_text())["labels"]
    assert (missed["name"], missed["dice"], missed["hd95_mm"], missed["nsd"]) == ("Structure 1", 0.0, None, 0.0)
    assert (absent["name"], absent["dice"], absent["nsd"]) == ("Structure 2", None, None)


def test_evaluate_notes_that_two_segmentations_have_no_value_in_common(
    tmp_path: Path, labelmap: sitk.Image, capsys: pytest.CaptureFixture[str]
) -> None:
    others = sitk.Cast((labelmap > 0) * 9, sitk.sitkUInt8)
    sitk.WriteImage(labelmap, str(tmp_path / "reference.nrrd"))
    for prediction, noted in ((others, True), (labelmap, False), (labelmap * 0, False)):
        sitk.WriteImage(prediction, str(tmp_path / "prediction.nrrd"))
        assert main(["evaluate", str(tmp_path / "prediction.nrrd"), str(tmp_path / "reference.nrrd")]) == 0
        assert ("no label value in common; check that both" in capsys.readouterr().out) == noted


def test_evaluate_refuses_one_value_with_two_names(
    scan: Path, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", str(scan), str(tmp_path / "one.seg.nrrd")]) == 0
    content = (tmp_path / "one.seg.nrrd").read_bytes().replace(b"Name:=Structure 1", b"Name:=Something 1")
    (tmp_path / "two.seg.nrrd").write_bytes(content)
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "one.seg.nrrd"), str(tmp_path / "two.seg.nrrd")]) == 2
    assert "Label 1 is 'Structure 1' in the prediction and 'Something 1' in the reference" in capsys.readouterr().err


def segments(path: Path, labelmap: sitk.Image, *names: str) -> Path:
    """A .seg.nrrd file whose segments have the values 1, 2, ... and these names."""
    image = sitk.Image(labelmap)
    for number, name in enumerate(names):
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_LabelValue", str(number + 1))
        image.SetMetaData(f"Segment{number}_Layer", "0")
    sitk.WriteImage(image, str(path))
    return path


def swapped(labelmap: sitk.Image) -> sitk.Image:
    return sitk.ChangeLabel(labelmap, {1: 2, 2: 1})


@pytest.mark.parametrize("with_model", [True, False])
def test_segments_are_compared_by_their_names(
    tmp_path: Path, labelmap: sitk.Image, package: Path, with_model: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """3D Slicer numbers segments in the order of the list; the scores were 0.0000."""
    one = segments(tmp_path / "one.seg.nrrd", labelmap, "Structure 1", "Structure 2")
    other = segments(tmp_path / "two.seg.nrrd", swapped(labelmap), "Structure 2", "Structure 1")
    words = ["evaluate", str(other), str(one), "--json", str(tmp_path / "figures.json")]
    assert main([*words, "--model", str(package)] if with_model else words) == 0
    told = json.loads((tmp_path / "figures.json").read_text())
    assert [(row["name"], row["dice"]) for row in told["labels"]] == [("Structure 1", 1.0), ("Structure 2", 1.0)]
    assert len(told["notes"]) == 1 and "1 to 2 (Structure 2)" in told["notes"][0]
    assert told["notes"][0] in capsys.readouterr().out


def test_segments_that_the_model_does_not_have_and_unknown_values_are_refused(
    tmp_path: Path, labelmap: sitk.Image, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = segments(tmp_path / "named.seg.nrrd", labelmap, "Liver", "Spleen")
    sitk.WriteImage(sitk.ChangeLabel(labelmap, {1: 5}), str(tmp_path / "five.nii.gz"))
    for path, reason in (
        (named, "has 'Liver' with the value 1, but no label"),
        (tmp_path / "five.nii.gz", "the value 5"),
    ):
        assert main(["evaluate", str(path), str(path), "--model", str(package)]) == 2
        assert reason in capsys.readouterr().err


def test_segmentations_that_were_cut_are_compared_where_they_lie(
    tmp_path: Path, labelmap: sitk.Image, capsys: pytest.CaptureFixture[str]
) -> None:
    """One is cut to the one structure, the other to both, the third is whole."""
    names = ("Structure 1", "Structure 2")
    whole = segments(tmp_path / "whole.seg.nrrd", labelmap, *names)
    cut = segments(tmp_path / "cut.seg.nrrd", labelmap[5:20, 4:15, 3:14], *names)
    less = segments(tmp_path / "less.seg.nrrd", labelmap[8:20, 6:15, 9:14], *names)
    sitk.WriteImage(labelmap, str(tmp_path / "plain.nii.gz"))
    figures = tmp_path / "figures.json"
    for one, other, wanted in (
        (cut, whole, [1.0, 1.0]),
        (whole, cut, [1.0, 1.0]),
        (cut, tmp_path / "plain.nii.gz", [1.0, 1.0]),
        (tmp_path / "plain.nii.gz", less, [0.0, 1.0]),
        (cut, less, [0.0, 1.0]),
    ):
        assert main(["evaluate", str(one), str(other), "--json", str(figures)]) == 0
        assert [row["dice"] for row in json.loads(figures.read_text())["labels"]] == wanted, (one, other)
    empty = segments(tmp_path / "empty.seg.nrrd", sitk.Image(1, 1, 1, sitk.sitkUInt8), *names)
    for one, other in ((empty, cut), (cut, empty)):
        assert main(["evaluate", str(one), str(other), "--json", str(figures)]) == 0
        assert [row["dice"] for row in json.loads(figures.read_text())["labels"]] == [0.0, 0.0]
    sitk.WriteImage(labelmap[8:20, 6:15, 9:14], str(tmp_path / "plain.nii.gz"))
    assert main(["evaluate", str(cut), str(tmp_path / "plain.nii.gz")]) == 2
    assert "labelled voxel(s) outside the grid" in capsys.readouterr().err
