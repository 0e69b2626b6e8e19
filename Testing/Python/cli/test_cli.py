"""The command line: segmenting, exit codes and what it prints on errors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from model_factory import make_model
from paths import REPOSITORY
from patience import limit
from volumes_on_disk import dicom_series

from LightMedSegLib.cli import main
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.model.store import ModelStore

pytestmark = pytest.mark.usefixtures("nothing_shipped")


def test_segment_writes_labels_picture_and_report_and_prints_volumes_and_times(
    scan: Path, installed: str, no_leftovers: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output, picture, report = (no_leftovers / name for name in ("out.seg.nrrd", "out.png", "out.json"))
    words = ["segment", str(scan), str(output), "--montage", str(picture), "--json", str(report), "--threads", "1"]
    assert main(words) == 0
    printed = capfd.readouterr()
    assert printed.err == ""
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(output)))
    told = json.loads(report.read_text())
    assert told["model"] == "test-model@1.0.0"
    assert told["device"] == "cpu"
    for segment in told["segments"]:
        count = int((labels == segment["value"]).sum())
        assert segment["voxels"] == count
        assert segment["ml"] == pytest.approx(count / 1000)
        assert re.search(rf"^{segment['name']} +{count} +{count / 1000:.3f}$", printed.out, re.MULTILINE)
    assert list(told["seconds"]) == [
        "read",
        "load",
        "preprocess",
        "network",
        "restore",
        "postprocess",
        "write",
        "total",
    ]
    assert told["seconds"]["total"] == pytest.approx(sum(list(told["seconds"].values())[:-1]))
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert scan.name not in report.read_text()


def test_a_region_of_interest_leaves_everything_else_background(scan: Path, installed: str, tmp_path: Path) -> None:
    output = tmp_path / "out.nrrd"
    assert main(["segment", str(scan), str(output), "--roi", "4,12,2,9,5,11", "--model", installed]) == 0
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(output)))
    outside = labels.copy()
    outside[5:11, 2:9, 4:12] = 0
    assert labels.any()
    assert not outside.any()


def test_overlap_and_mirroring_reach_the_engine(
    scan: Path, installed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LightMedSegLib.inference import segmentation

    seen: list[object] = []
    real = segmentation.segment_with

    def spy(*arguments: object) -> object:
        seen.append(arguments[2])
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(segmentation, "segment_with", spy)
    words = ["segment", str(scan), str(tmp_path / "out.nrrd")]
    assert main([*words, "--overlap", "0.25", "--mirror", "x,z", "--threads", "1"]) == 0
    assert main([*words, "--mirror", "none", "--device", "cpu", "--roi", "0,9,0,9,0,9"]) == 0
    assert seen == [
        SegmentOptions(overlap=0.25, mirror=("x", "z"), threads=1),
        SegmentOptions("cpu", roi=((0, 9), (0, 9), (0, 9)), mirror=()),
    ]


def test_a_dicom_folder_is_segmented_on_its_own_grid(installed: str, tmp_path: Path) -> None:
    output = tmp_path / "out.nrrd"
    assert main(["segment", str(dicom_series(tmp_path / "series")), str(output)]) == 0
    found = sitk.ReadImage(str(output))
    assert found.GetSize() == (12, 10, 6)
    np.testing.assert_allclose(found.GetSpacing(), (0.8, 0.9, 2.0))


def test_two_volumes_go_to_a_model_with_two_channels(scan: Path, installed: str, tmp_path: Path) -> None:
    two = make_model(tmp_path / "two", channels=2, name="two-channels", input={"patch": [16, 16, 16]})
    ModelStore().add(two.folder)
    report = tmp_path / "out.json"
    assert main(["segment", str(scan), str(scan), str(tmp_path / "out.nrrd"), "--json", str(report)]) == 0
    assert json.loads(report.read_text())["model"] == "two-channels@1.0.0"


def test_the_newest_version_of_the_only_model_is_the_default(scan: Path, package: Path, tmp_path: Path) -> None:
    ModelStore().add(package)
    newer = make_model(tmp_path / "newer", version="1.10.0", input={"patch": [16, 16, 16]}, seed=1)
    ModelStore().add(newer.folder)
    report = tmp_path / "out.json"
    assert main(["segment", str(scan), str(tmp_path / "out.nrrd"), "--json", str(report)]) == 0
    assert json.loads(report.read_text())["model"] == "test-model@1.10.0"


def test_with_several_models_one_must_be_chosen(
    scan: Path, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ModelStore().add(make_model(tmp_path / "other", name="other-model").folder)
    assert main(["segment", str(scan), str(tmp_path / "out.nrrd")]) == 2
    assert "choose one with --model: other-model, test-model." in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["unknown"],
        ["segment"],
        ["segment", "a.nii.gz", "b.nii.gz", "--roi", "1,2,3"],
        ["segment", "a.nii.gz", "b.nii.gz", "--roi", "a,b,c,d,e,f"],
        ["segment", "a.nii.gz", "b.nii.gz", "--overlap", "1.5"],
        ["segment", "a.nii.gz", "b.nii.gz", "--overlap", "nan"],
        ["segment", "a.nii.gz", "b.nii.gz", "--mirror", "xw"],
        ["segment", "a.nii.gz", "b.nii.gz", "--threads", "0"],
        ["evaluate", "a.nii.gz", "b.nii.gz", "--tolerance", "-1"],
    ],
    ids=" ".join,
)
def test_wrong_arguments_end_with_code_2_and_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("lightmedseg")
    assert printed.err.count("\n") == 1


def test_help_and_version_end_with_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"], ["segment", "--help"], ["train", "--help"], ["--version"]):
        assert main(words) == 0
    assert "lightmedseg 0." in capsys.readouterr().out


def test_an_interrupt_ends_with_code_130(
    scan: Path, installed: str, no_leftovers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from LightMedSegLib.inference import segmentation

    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(segmentation, "segment_with", interrupted)
    assert main(["segment", str(scan), str(no_leftovers / "out.nrrd")]) == 130
    assert capsys.readouterr().err == "lightmedseg: interrupted; no file is half written.\n"
    assert not (no_leftovers / "out.nrrd").exists()


def test_a_defect_of_ours_keeps_its_traceback(scan: Path, installed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from LightMedSegLib.inference import segmentation

    def defective(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(segmentation, "segment_with", defective)
    with pytest.raises(ZeroDivisionError):
        main(["segment", str(scan), str(scan.with_name("out.nrrd"))])


def test_python_dash_m_is_the_same_command() -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-m", "LightMedSegLib", "segment", "/nowhere.nii", "out.nii"],
        capture_output=True,
        text=True,
        timeout=limit(60),
        env=environment,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
