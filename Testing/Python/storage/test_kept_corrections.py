"""Corrections in progress on the disk: who may read them, when they are offered, and when they go."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import numpy as np
import pytest
from killed_session import STAY, run_session

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.storage import kept_corrections
from LightMedSegLib.storage.kept_corrections import OwnCorrections, corrections_folder, discard, left_behind
from LightMedSegLib.storage.safetensors_file import read_tensors

ARRAYS = {"bits": np.arange(10, dtype=np.uint8)}


def files() -> list[Path]:
    return sorted(corrections_folder().iterdir()) if corrections_folder().is_dir() else []


def test_what_a_killed_process_kept_is_offered_and_what_a_living_one_keeps_is_not() -> None:
    assert left_behind() == []
    run_session("{'bits': np.arange(10, dtype=np.uint8)}")
    living = run_session("{'bits': np.zeros(3, dtype=np.uint8)}", end=STAY)
    own = OwnCorrections()
    own.write(ARRAYS)
    (found,) = left_behind()
    assert read_tensors(found)["bits"].tolist() == list(range(10))
    living.communicate("\n")
    assert len(left_behind()) == 2, "it ended without deleting"
    own.forget()
    discard(left_behind())
    assert files() == []


def test_nothing_is_on_the_disk_before_the_first_write_and_after_forgetting() -> None:
    own = OwnCorrections()
    own.forget()
    assert not corrections_folder().exists()
    own.write(ARRAYS)
    own.write({"bits": np.ones(2, dtype=np.uint8)})
    assert len([path for path in files() if path.suffix == ".safetensors"]) == 1
    own.forget()
    own.forget()
    assert files() == []
    own.write(ARRAYS)
    assert len(files()) == 2, "the next scene has a file of its own"
    own.forget()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_only_the_user_can_read_them() -> None:
    own = OwnCorrections()
    own.write(ARRAYS)
    assert stat.S_IMODE(corrections_folder().stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files())
    own.forget()


def test_too_large_ones_are_refused_and_the_file_before_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_corrections, "LARGEST", 100)
    own = OwnCorrections()
    own.write(ARRAYS)
    with pytest.raises(OutputError, match="too large to be kept"):
        own.write({"bits": np.zeros(101, dtype=np.uint8)})
    assert [len(read_tensors(path)["bits"]) for path in files() if path.suffix == ".safetensors"] == [10]
    own.forget()


def test_old_ones_and_the_oldest_of_too_many_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_corrections, "MOST_FILES", 2)
    corrections_folder().mkdir(parents=True)
    now = time.time()
    for name, days in (("a", 1), ("b", 2), ("c", 3), ("d", 31)):
        path = corrections_folder() / f"{name}.safetensors"
        path.write_bytes(b"")
        os.utime(path, (now - days * 86400,) * 2)
    assert [path.stem for path in left_behind()] == ["a", "b"]
    assert sorted(path.stem for path in files() if path.suffix == ".safetensors") == ["a", "b"]
    os.utime(corrections_folder() / "a.safetensors", (now - 40 * 86400,) * 2)
    assert [path.stem for path in left_behind()] == ["b"]


def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        OwnCorrections(tmp_path / "file" / "below").write(ARRAYS)
