"""The short form of Testing/Reliability/faults.py, and proof that its power cuts would notice missing syncs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tally_checks import assert_passed

from LightMedSegLib.storage import atomic_files

pytestmark = [
    pytest.mark.slicer,
    pytest.mark.skipif(os.name == "nt", reason="fork, signals and mounts are those of POSIX"),
]


@pytest.mark.reliability
def test_nothing_is_lost_by_faults_of_the_disk_the_clock_torch_and_the_graphics_card() -> None:
    from Reliability import faults

    assert_passed(faults.check(0, 1), at_least=100)


@pytest.mark.parametrize("forgotten", ["files", "folders"])
def test_a_power_cut_shows_what_was_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: str) -> None:
    def sync(path: Path) -> None:
        if path.is_dir() is (forgotten == "files"):
            real(path)

    real = atomic_files.sync
    monkeypatch.setattr(atomic_files, "sync", sync)
    contents = _after_power_cuts(tmp_path)
    assert ("" in contents) if forgotten == "files" else (contents[-1] is None), contents


def test_with_every_sync_a_power_cut_leaves_all_or_nothing(tmp_path: Path) -> None:
    contents = _after_power_cuts(tmp_path)
    assert set(contents) == {None, "new"}
    assert contents[-1] == "new"


def _after_power_cuts(folder: Path) -> list[str | None]:
    """What a file that is written holds, where the power is cut after each of the changes."""
    from Reliability.power_cut import Recorder, disks

    (folder / "before").mkdir()
    (folder / "now").mkdir()
    recorder = Recorder(folder / "now")
    with recorder.recording(), atomic_files.atomic_write(folder / "now" / "a.txt") as temporary:
        temporary.write_text("new")
    return [_content(disk) for _, disk in disks(folder / "before", recorder.changes, folder / "after")]


def _content(disk: Path) -> str | None:
    return (disk / "a.txt").read_text() if (disk / "a.txt").exists() else None
