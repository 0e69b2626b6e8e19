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


def test_evaluate_refuses_one_value_with_two_names(
    scan: Path, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", str(scan), str(tmp_path / "one.seg.nrrd")]) == 0
    content = (tmp_path / "one.seg.nrrd").read_bytes().replace(b"Name:=Structure 1", b"Name:=Something 1")
    (tmp_path / "two.seg.nrrd").write_bytes(content)
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "one.seg.nrrd"), str(tmp_path / "two.seg.nrrd")]) == 2
    assert "Label 1 is 'Structure 1' in the prediction and 'Something 1' in the reference" in capsys.readouterr().err
