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
    from Reliability.power_cut import Recorder, disks

    def sync(path: Path) -> None:
        if path.is_dir() is (forgotten == "files"):
            real(path)

    real = atomic_files.sync
    monkeypatch.setattr(atomic_files, "sync", sync)
    (tmp_path / "before").mkdir()
    (tmp_path / "now").mkdir()
    recorder = Recorder(tmp_path / "now")
    with recorder.recording(), atomic_files.atomic_write(tmp_path / "now" / "a.txt") as temporary:
        temporary.write_text("new")
    contents = [_content(disk) for _, disk in disks(tmp_path / "before", recorder.changes, tmp_path / "after")]
    assert ("" in contents) if forgotten == "files" else (contents[-1] is None), contents


def test_with_every_sync_a_power_cut_leaves_all_or_nothing(tmp_path: Path) -> None:
    from Reliability.power_cut import Recorder, disks

    (tmp_path / "before").mkdir()
    (tmp_path / "now").mkdir()
    recorder = Recorder(tmp_path / "now")
    with recorder.recording(), atomic_files.atomic_write(tmp_path / "now" / "a.txt") as temporary:
        temporary.write_text("new")
    contents = [_content(disk) for _, disk in disks(tmp_path / "before", recorder.changes, tmp_path / "after")]
    assert set(contents) == {None, "new"}
    assert contents[-1] == "new"


def _content(disk: Path) -> str | None:
    return (disk / "a.txt").read_text() if (disk / "a.txt").exists() else None
