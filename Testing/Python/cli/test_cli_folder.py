"""``lightmedseg segment FOLDER OUTFOLDER``: every scan is segmented, what fails is told, what is done stays."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from engine_stubs import stub_card
from model_factory import LOCATED
from volumes_on_disk import dicom_series

from LightMedSegLib.cli import main
from LightMedSegLib.cohorts import task as tasks
from LightMedSegLib.cohorts.model_reference import ModelReference
from LightMedSegLib.cohorts.task import ScanTask, segment_scan
from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.inference.result import Segmentation
from LightMedSegLib.io.scan_folders import Scan
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.located_card import located_card

pytestmark = pytest.mark.usefixtures("nothing_shipped")


@pytest.fixture
def folder(scan: Path, tmp_path: Path) -> Path:
    """A dataset of nnU-Net's kind with three scans, the middle one damaged."""
    images = tmp_path / "Dataset" / "imagesTs"
    images.mkdir(parents=True)
    for case in ("a", "b", "c"):
        shutil.copy(scan, images / f"{case}_0000.nii.gz")
    (images / "b_0000.nii.gz").write_bytes(b"no volume")
    return images.parent


def test_every_scan_is_segmented_and_a_damaged_one_is_told_at_the_end(
    folder: Path, installed: str, no_leftovers: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output, report = no_leftovers / "results", no_leftovers / "report.json"
    assert main(["segment", str(folder), str(output), "--json", str(report), "--threads", "1"]) == 2
    printed = capfd.readouterr()
    assert sorted(path.name for path in output.iterdir()) == ["a.nii.gz", "c.nii.gz"]
    assert "a.nii.gz: segmented" in printed.out and "c.nii.gz: segmented" in printed.out
    assert re.search(r"b\.nii\.gz: failed: b_0000\.nii\.gz is not a NIfTI file", printed.out)
    assert printed.err == "lightmedseg: 1 of 3 scans could not be segmented; the lines above say why.\n"
    told = json.loads(report.read_text())
    assert [row["state"] for row in told["scans"]] == ["segmented", "failed", "segmented"]
    counts = np.bincount(sitk.GetArrayFromImage(sitk.ReadImage(str(output / "a.nii.gz"))).ravel(), minlength=3)
    assert [one["voxels"] for one in told["scans"][0]["segments"]] == counts[1:3].tolist()
    assert str(folder) not in report.read_text()


def test_the_result_is_that_of_the_single_scan(folder: Path, installed: str, scan: Path, tmp_path: Path) -> None:
    assert main(["segment", str(folder), str(tmp_path / "all"), "--suffix", ".seg.nrrd"]) == 2
    assert main(["segment", str(scan), str(tmp_path / "one.seg.nrrd")]) == 0
    one, all_of_them = (sitk.ReadImage(str(tmp_path / name)) for name in ("one.seg.nrrd", "all/c.seg.nrrd"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(all_of_them))
    assert all_of_them.GetMetaData("Segment0_Name") == "Structure 1"


def test_label_values_are_those_of_the_dataset(
    folder: Path, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, mapped = tmp_path / "plain", tmp_path / "mapped"
    (folder / "imagesTs" / "b_0000.nii.gz").unlink()
    assert main(["segment", str(folder), str(plain)]) == 0
    assert "Label values" not in capsys.readouterr().out
    (folder / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "structure_2": 7}}))
    assert main(["segment", str(folder), str(mapped)]) == 0
    told = capsys.readouterr().out
    assert "Label values are those of dataset.json: 7 Structure 2. Left out: Structure 1." in told
    before, after = (sitk.GetArrayFromImage(sitk.ReadImage(str(path / "a.nii.gz"))) for path in (plain, mapped))
    np.testing.assert_array_equal(after, np.where(before == 2, 7, 0))
    (folder / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "tumour": 1}}))
    assert main(["segment", str(folder), str(mapped)]) == 0
    assert "No label of dataset.json is named like one of the model's" in capsys.readouterr().out


def test_what_has_a_result_is_not_segmented_again_unless_asked(
    folder: Path, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.nii.gz").write_text("corrected by hand")
    (folder / "imagesTs" / "b_0000.nii.gz").unlink()
    assert main(["segment", str(folder / "imagesTs"), str(tmp_path / "results")]) == 0
    assert "a.nii.gz: exists already" in capsys.readouterr().out
    assert (tmp_path / "results" / "a.nii.gz").read_text() == "corrected by hand"
    assert main(["segment", str(folder / "imagesTs"), str(tmp_path / "results"), "--overwrite"]) == 0
    assert sitk.ReadImage(str(tmp_path / "results" / "a.nii.gz")).GetDimension() == 3


def test_ctrl_c_ends_the_scan_in_work_and_keeps_what_is_finished(
    folder: Path,
    installed: str,
    no_leftovers: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real, calls = Engine.segment, list[int]()

    def interrupted(self: Engine, *arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return real(self, *arguments, **options)

    monkeypatch.setattr(Engine, "segment", interrupted)
    shutil.copy(folder / "imagesTs" / "a_0000.nii.gz", folder / "imagesTs" / "d_0000.nii.gz")
    # Tests that run in the background ignore the signal from the start.
    outside = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert main(["segment", str(folder), str(no_leftovers / "results")]) == 130
        assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, outside)
    printed = capsys.readouterr()
    assert "Interrupted: finished results stay" in printed.err
    assert [path.name for path in (no_leftovers / "results").iterdir()] == ["a.nii.gz"]
    assert "c.nii.gz: not started" in printed.out and "d.nii.gz: not started" in printed.out


def test_a_folder_of_dicom_folders_is_segmented(installed: str, tmp_path: Path) -> None:
    for number, case in enumerate(("first", "second"), start=1):
        dicom_series(tmp_path / "scans" / case, series=number)
    assert main(["segment", str(tmp_path / "scans"), str(tmp_path / "results")]) == 0
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["first.nii.gz", "second.nii.gz"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--json", "one", "--csv", "one"], "Two outputs are named one"),
        (["--series", "2"], "--series is for one scan; leave it out"),
        (["--device", "cuda:99"], "cuda"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    folder: Path, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    assert main(["segment", str(folder), str(tmp_path / "results"), *words]) == 2
    assert reason in capsys.readouterr().err


def test_results_never_go_among_the_scans(folder: Path, installed: str, capsys: pytest.CaptureFixture[str]) -> None:
    for output in (folder, folder / "imagesTs"):
        assert main(["segment", str(folder), str(output)]) == 2
        assert "holds the scans; choose another folder" in capsys.readouterr().err


def test_the_values_of_a_dataset_go_by_the_names_of_each_result(
    scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan of a located model has a label for each side."""
    (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "Left structure 2": 7, "Structure 1": 9}}')
    own = stub_card(**LOCATED)

    class Answer:
        card = own

        def __init__(self, card: ModelCard) -> None:
            self._card = card

        def segment(self, images: list[sitk.Image], *rest: Any) -> Segmentation:
            array = np.full(images[0].GetSize()[::-1], 2, dtype=np.uint8)
            array[0] = 1
            labelmap = sitk.GetImageFromArray(array)
            labelmap.CopyInformation(images[0])
            return Segmentation(labelmap, self._card, {}, "cpu")

    found = []
    for name, card in (("crop", own), ("head", located_card(own))):
        monkeypatch.setattr(tasks, "_engine", lambda *_, card=card: Answer(card))
        task = ScanTask(Scan(name, (scan,)), tmp_path, ModelReference("", tmp_path, ""), dataset=tmp_path)
        assert segment_scan(task).state == "segmented"
        found.append(np.unique(sitk.GetArrayFromImage(sitk.ReadImage(str(task.path)))).tolist())
    assert found == [[0, 9], [0, 7]]
