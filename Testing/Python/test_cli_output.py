"""Tables and the progress bar."""

from __future__ import annotations

import io

from LightMedSegLib.cli.progress_bar import ProgressBar, clock, progress_line
from LightMedSegLib.cli.tables import format_number, format_table


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


def test_the_remaining_time_is_that_of_the_work_so_far() -> None:
    assert "0:20, 1:00 left" in progress_line(25, 100, "Segmenting", 20.0)
    assert "left" not in progress_line(100, 100, "Done", 20.0)
    assert progress_line(0, 0, "Starting", 0.0).startswith("[....")
    assert clock(125.0) == "2:05"


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
