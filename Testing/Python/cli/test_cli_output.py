"""Tables and the progress bar."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LightMedSegLib.cli import main
from LightMedSegLib.cli.progress_bar import ProgressBar, progress_line
from LightMedSegLib.cli.tables import format_number, format_table
from LightMedSegLib.core.progress import clock


@pytest.mark.slow
def test_a_scan_without_the_structures_of_a_located_model_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).uniform(0, 100, (60, 60, 60)).astype(np.float32)
    scan, output = sitk.GetImageFromArray(noise), tmp_path / "out.nrrd"
    scan.SetSpacing((3.0, 3.0, 3.0))
    sitk.WriteImage(scan, str(tmp_path / "scan.nrrd"))
    assert main(["segment", str(tmp_path / "scan.nrrd"), str(output), "--model", "hippocampus-t1-mr"]) == 2
    told = capsys.readouterr().err
    assert "finds no Left hippocampus and no Right hippocampus here" in told and told.count("\n") == 1
    assert not output.exists()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_progress_bar_shows_on_a_terminal_and_cleans_up_after_itself() -> None:
    stream = Terminal()
    with ProgressBar(stream) as progress:
        progress(1, 4, "Segmenting")
        progress(4, 4, "Done")
    drawn = stream.getvalue().split("\r")
    assert drawn[1].startswith("[########......................]  25% 0:00")
    assert drawn[1].rstrip().endswith("Segmenting")
    assert "100%" in drawn[2]
    assert drawn[3].strip() == ""
    assert drawn[-1] == ""


def test_the_progress_bar_is_silent_in_a_file() -> None:
    stream = io.StringIO()
    with ProgressBar(stream) as progress:
        progress(1, 1, "Done")
    assert stream.getvalue() == ""


def test_the_remaining_time_is_shown_where_it_is_known() -> None:
    assert "0:20, 1:00 left" in progress_line(25, 100, "Segmenting", 20.0, 60.0)
    assert "left" not in progress_line(25, 100, "Segmenting", 20.0)
    assert "left" not in progress_line(100, 100, "Done", 20.0, 0.0)
    assert progress_line(0, 0, "Starting", 0.0).startswith("[....")
    assert (clock(125.0), clock(7265.0)) == ("2:05", "2:01:05")


def test_the_remaining_time_on_a_terminal_never_rises(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("LightMedSegLib.cli.progress_bar.time.monotonic", lambda: now[0])
    stream = Terminal()
    with ProgressBar(stream) as progress:
        for percent in range(10, 90):
            progress(percent, 100, f"Segmenting, window {percent // 30 + 1} of 3")
            now[0] += 1.0 if percent < 40 else 1.5
    left = [int(m) * 60 + int(s) for m, s in re.findall(r", (\d+):(\d\d) left", stream.getvalue())]
    assert len(left) > 50 and left == sorted(left, reverse=True)


def test_numbers_line_up_on_the_right_and_words_on_the_left() -> None:
    table = format_table(["Name", "ml"], [["Left lung", "1.5"], ["Eye", "12.5"], ["Gland", "-"]])
    assert table.splitlines() == [
        "Name         ml",
        "---------  ----",
        "Left lung   1.5",
        "Eye        12.5",
        "Gland         -",
    ]
    assert format_number(float("nan"), 2) == "-"
