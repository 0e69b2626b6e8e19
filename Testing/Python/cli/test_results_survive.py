"""What cannot be written is refused before the computing, and what was computed is not lost."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from hostile_surroundings import is_one_sentence
from volumes_on_disk import dicom_series

from LightMedSegLib.cli import main
from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.export.dicom_seg import DicomSegWriter
from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.io.labelmaps.reading import read_labelmap
from LightMedSegLib.io.results import output_checks, result_rescue

FRAME_OF_REFERENCE = {"0020|0052": "1.2.826.0.1.3680043.2.1125.7"}


@pytest.fixture
def no_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test fails as soon as a network would run."""
    monkeypatch.setattr(Engine, "segment", lambda *_, **__: pytest.fail("it computes before it refuses"))


@pytest.fixture
def series(tmp_path: Path) -> Path:
    return dicom_series(tmp_path / "series", more_tags=FRAME_OF_REFERENCE)


def failing(error: Exception) -> Any:
    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    return fail


FAILURES = [
    OutputError("x cannot be written: the disk is full or failing."),
    OSError(errno.EIO, "Input/output error"),
    ValueError("Doe^Jane"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
@pytest.mark.parametrize("output", ["out.nii.gz", "out.dcm"])
def test_a_result_that_cannot_be_written_lies_beside_where_it_should_be(
    failure: Exception, output: str, series: Path, package: Path, no_leftovers: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    words = ["segment", str(series), "--model", str(package), "--threads", "1"]
    assert main([*words, str(no_leftovers / "good.nii.gz")]) == 0
    (no_leftovers / "out.seg.nrrd").write_text("an older result")
    monkeypatch.setattr("LightMedSegLib.cli.segment.write_segmentation", failing(failure))
    monkeypatch.setattr(DicomSegWriter, "write", failing(failure))
    capsys.readouterr()
    assert main([*words, str(no_leftovers / output)]) == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told) and "Doe" not in told
    assert told.endswith(f"; the labelmap is saved as {no_leftovers / 'out-2.seg.nrrd'}.\n")
    assert not (no_leftovers / output).exists()
    assert (no_leftovers / "out.seg.nrrd").read_text() == "an older result"
    kept = read_labelmap(no_leftovers / "out-2.seg.nrrd")
    good = sitk.GetArrayFromImage(sitk.ReadImage(str(no_leftovers / "good.nii.gz")))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(kept.image), good)
    assert kept.names == {1: "Structure 1", 2: "Structure 2"}


def test_a_folder_that_vanished_meanwhile_does_not_take_the_result_along(
    scan: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, gone = Engine.segment, tmp_path / "gone"
    gone.mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    def vanishing(self: Engine, *arguments: Any, **options: Any) -> Any:
        shutil.rmtree(gone)
        return real(self, *arguments, **options)

    monkeypatch.setattr(Engine, "segment", vanishing)
    assert main(["segment", str(scan), str(gone / "out.nii.gz"), "--model", str(package), "--threads", "1"]) == 2
    told = capsys.readouterr().err
    (kept,) = (tmp_path / "temporary").glob("lightmedseg-*/out.seg.nrrd")
    assert is_one_sentence(told) and told.endswith(f"the labelmap is saved as {kept}.\n")
    assert kept.parent.stat().st_mode & 0o077 == 0 or os.name == "nt"
    assert read_labelmap(kept).image.GetSize() == (20, 18, 16)


def test_where_nothing_at_all_can_be_written_the_sentence_says_so(
    scan: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    full = OutputError("out.nii.gz cannot be written: the disk is full.")
    monkeypatch.setattr("LightMedSegLib.cli.segment.write_segmentation", failing(full))
    monkeypatch.setattr(result_rescue, "write_segmentation", failing(full))
    assert main(["segment", str(scan), str(tmp_path / "out.nii.gz"), "--model", str(package), "--threads", "1"]) == 2
    told = capsys.readouterr().err
    assert told == (
        "lightmedseg: out.nii.gz cannot be written: the disk is full; "
        "the labelmap could not be saved elsewhere either.\n"
    )
    assert not list((tmp_path / "temporary").iterdir())


def test_in_a_folder_run_a_result_survives_too(
    scan: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "LightMedSegLib.cohorts.task.write_segmentation", failing(OSError(errno.EIO, "Input/output error"))
    )
    (tmp_path / "scans").mkdir()
    scan.rename(tmp_path / "scans" / "a.nii.gz")
    words = ["segment", str(tmp_path / "scans"), str(tmp_path / "out"), "--model", str(package), "--threads", "1"]
    assert main(words) == 2
    assert "a.nii.gz: failed: a.nii.gz cannot be written: Input/output error; the labelmap is saved as" in (
        capsys.readouterr().out
    )
    assert (tmp_path / "out" / "a.seg.nrrd").exists()


@pytest.mark.parametrize("option", ["--montage", "--json"])
def test_a_picture_or_report_that_fails_leaves_the_segmentation_and_says_so(
    option: str, scan: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    name = {"--montage": "write_montage", "--json": "write_json"}[option]
    monkeypatch.setattr(f"LightMedSegLib.cli.segment.{name}", failing(OutputError("more cannot be written: full.")))
    output, more = tmp_path / "out.nii.gz", tmp_path / ("more.png" if option == "--montage" else "more.json")
    words = ["segment", str(scan), str(output), "--model", str(package), "--threads", "1", option, str(more)]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert told == f"lightmedseg: more cannot be written: full; the segmentation is complete: {output}.\n"
    assert output.exists()


@pytest.mark.usefixtures("no_computing")
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".seg.nrrd", ".dcm"])
def test_a_disk_without_room_is_refused_before_the_computing(
    suffix: str, series: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(total=10**9, free=0))
    assert main(["segment", str(series), str(tmp_path / f"out{suffix}"), "--model", str(package)]) == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told) and "the disk is full" in told


@pytest.mark.parametrize(
    ("name", "size", "free", "fits"),
    [
        ("a.nii", (100, 100, 100), 999_999, False),
        ("a.nii", (100, 100, 100), 2_000_000, True),
        ("a.nii.gz", (100, 100, 100), 2_000_000, True),
        ("a.nii.gz", (1000, 1000, 1000), 900_000, False),
        ("a.seg.nrrd", (1000, 1000, 1000), 1_100_000, True),
        ("a.nii.gz", (2**15, 10, 10), 10**12, False),
        ("a.nii", (10, 10, 2**15 - 1), 10**12, True),
        ("a.seg.nrrd", (2**15, 10, 10), 10**12, True),
    ],
)
def test_only_what_cannot_fit_is_refused(
    name: str, size: tuple[int, int, int], free: int, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(total=10**13, free=free))
    if fits:
        output_checks.check_can_hold(tmp_path / name, size)
    else:
        with pytest.raises(OutputError, match=r"cannot be written: (the disk is full|NIfTI holds at most 32767)"):
            output_checks.check_can_hold(tmp_path / name, size)


def test_little_room_is_told_in_kilobytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(total=10**6, free=2000))
    with pytest.raises(OutputError, match="it has 2 kB left, and the labelmap takes at least 4 kB"):
        output_checks.check_can_hold(tmp_path / "a.nii.gz", (10, 10, 10))


def test_a_disk_that_says_nothing_of_its_room_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(total=0, free=0))
    output_checks.check_can_hold(tmp_path / "a.nii", (10, 10, 10))
    monkeypatch.setattr(shutil, "disk_usage", failing(OSError(errno.ENOSYS, "Function not implemented")))
    output_checks.check_can_hold(tmp_path / "a.nii", (10, 10, 10))


@pytest.mark.usefixtures("no_computing")
@pytest.mark.parametrize("how", ["same", "link", "relative", "slice", "report is a slice", "report"])
def test_an_output_that_is_an_input_is_refused(
    how: str, series: Path, scan: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.nii.gz").symlink_to(scan)
    one = str(sorted(series.iterdir())[2])
    words = {
        "same": [str(scan), str(scan)],
        "link": [str(scan), "link.nii.gz"],
        "relative": [str(scan), f"../{tmp_path.name}/scan.nii.gz"],
        "slice": [str(series), one],
        "report is a slice": [str(series), "out.nii.gz", "--json", one],
        "report": [str(scan), "out.nii.gz", "--json", str(scan)],
    }[how]
    before = {path: path.read_bytes() for path in (scan, Path(one))}
    assert main(["segment", *words, "--model", str(package)]) == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told) and "would be overwritten; choose another output" in told
    assert before == {path: path.read_bytes() for path in before}


def test_evaluate_does_not_overwrite_what_it_compares(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = scan.read_bytes()
    assert main(["evaluate", str(scan), str(scan), "--json", str(scan)]) == 2
    assert "would be overwritten" in capsys.readouterr().err
    assert scan.read_bytes() == content


def test_fine_tuning_does_not_replace_the_folder_that_its_cases_lie_in(
    scan: Path, package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("images", "labels"):
        (tmp_path / "run" / "cases" / part).mkdir(parents=True)
        shutil.copy(scan, tmp_path / "run" / "cases" / part / "a.nii.gz")
    words = ["finetune", "--model", str(package), "--cases", str(tmp_path / "run" / "cases")]
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told) and "holds the cases, and this run would replace it" in told
    assert (tmp_path / "run" / "cases" / "labels" / "a.nii.gz").read_bytes() == scan.read_bytes()
