"""The log file, the remaining time, and the options of a cohort on the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from patience import wait_for

from LightMedSegLib.cli import main
from LightMedSegLib.cohorts.log_file import cohort_log
from LightMedSegLib.cohorts.report import ScanReport, counted
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.cohorts.time_left import CohortTimeLeft
from LightMedSegLib.core.errors import OutputError


def test_the_log_has_a_line_for_each_scan_and_one_every_so_often(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_text("2026-05-04 10:15:02 an earlier run\n")
    with cohort_log(path, 3, seconds=0.01) as log:
        log.report(ScanReport("a.nii.gz", "segmented", seconds={"network": 1.0, "load": 0.5}, warnings=("Dark.",)))
        log.report(ScanReport("b\n.nii.gz", "failed", "It is no volume."))
        wait_for(lambda: "2 of 3 scans: 1 segmented, 1 failed" in path.read_text(), what="a line on the progress")
    first, *lines = path.read_text().splitlines()
    assert first == "2026-05-04 10:15:02 an earlier run"
    assert all(re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in lines)
    assert any(line.endswith(" a.nii.gz: segmented in 1.5 s, with 1 warning(s)") for line in lines)
    assert any(line.endswith(r" b\n.nii.gz: failed: It is no volume.") for line in lines)


def test_a_log_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"run\.log cannot be written: the folder .* does not exist"),
        cohort_log(tmp_path / "nowhere" / "run.log", 1),
    ):
        pytest.fail("the work begins")


def test_a_file_that_is_no_log_is_not_added_to(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("notes of mine\n")
    with (
        pytest.raises(OutputError, match=r"notes\.txt exists and is no log of segmented scans"),
        cohort_log(path, 1),
    ):
        pytest.fail("the work begins")
    assert path.read_text() == "notes of mine\n"
    path.write_text("")
    with cohort_log(path, 1):
        pass
    assert "0 of 1 scans" in path.read_text()


def test_the_summary_of_several_results_that_exist_is_grammatical() -> None:
    assert [counted("exists already", count) for count in (1, 2)] == ["1 exists already", "2 exist already"]
    assert counted("failed", 2) == "2 failed"


def test_the_remaining_time_is_that_of_the_mean_pace() -> None:
    left = CohortTimeLeft()
    for done, now in ((0, 10.0), (50, 15.0)):
        left.report(done, 400, "", now)
        assert left.seconds is None
    left.report(100, 400, "", 20.0)
    assert left.seconds == 30.0
    left.report(100, 400, "", 25.0)
    assert left.seconds == 30.0
    left.report(200, 400, "", 50.0)
    assert left.seconds == 40.0


@pytest.mark.parametrize("words", [["--jobs", "2"], ["--dask", "tcp://127.0.0.1:9"], ["--log-file", "run.log"]])
def test_options_of_many_scans_are_refused_for_one(
    words: list[str], scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", str(scan), str(tmp_path / "one.nii.gz"), *words]) == 2
    assert f"{words[0]} is for a folder of scans and a folder for their results" in capsys.readouterr().err


def test_a_missing_folder_is_reported_before_anything_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--jobs", "2"]):
        assert main(["segment", str(tmp_path / "nowhere"), str(tmp_path / "results"), *words]) == 2
        assert capsys.readouterr().err == f"lightmedseg: {tmp_path / 'nowhere'} does not exist.\n"


def test_a_result_is_never_written_to_as_a_log(
    tasks: list[ScanTask], package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = tasks[0]
    task.path.parent.mkdir(exist_ok=True)
    task.path.write_bytes(b"a result")
    words = ["segment", str(task.scan.images[0].parent), str(task.output), "--model", str(package)]
    for outputs in (["--log-file", str(task.path)], ["--log-file", "one", "--json", "one"]):
        assert main([*words, *outputs]) == 2
        assert "Two outputs are named" in capsys.readouterr().err
    assert task.path.read_bytes() == b"a result"


def test_a_file_that_is_no_log_is_refused_before_anything_is_told(
    tasks: list[ScanTask], package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = tasks[0].output.parent / "notes.txt"
    notes.write_text("notes of mine\n")
    words = ["segment", str(tasks[0].scan.images[0].parent), str(tasks[0].output), "--model", str(package)]
    assert main([*words, "--log-file", str(notes)]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1


def test_jobs_and_dask_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", "a", "b", "--jobs", "2", "--dask", "tcp://127.0.0.1:9"]) == 2
    assert "not allowed with argument" in capsys.readouterr().err
