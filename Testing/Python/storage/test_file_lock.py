"""Locks, and file systems that have none."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.model.active_versions import active_version, choose_version, remove_leftovers
from LightMedSegLib.storage import file_lock
from LightMedSegLib.storage.atomic_files import temporary_name
from LightMedSegLib.storage.file_lock import LockedError, exclusive

NO_LOCKS = ["ENOLCK", "ENOTSUP", "ENOSYS", "EOPNOTSUPP", "EINVAL"]


def locks_say(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(_handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(file_lock, "_lock", refuse)


@pytest.mark.parametrize("name", NO_LOCKS)
def test_a_file_system_without_locks_is_worked_on_without_waiting(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks_say(monkeypatch, getattr(errno, name))
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("it waits for a lock that nobody has"))
    with exclusive(tmp_path / "lock") as alone:
        assert alone is False
    choose_version(tmp_path, "model", "1.2.3")
    assert active_version(tmp_path, "model") == "1.2.3"


def test_without_locks_nobody_else_s_unfinished_work_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice, case = tmp_path / temporary_name(".active"), tmp_path / temporary_name()
    choice.touch()
    case.mkdir()
    with monkeypatch.context() as patch:
        locks_say(patch, errno.ENOLCK)
        choose_version(tmp_path, "model", "1.2.3")
        remove_leftovers(tmp_path)
        CaseStore(tmp_path).clean()
        assert choice.exists() and case.exists()
    remove_leftovers(tmp_path)
    CaseStore(tmp_path).clean()
    assert not choice.exists() and not case.exists()


@pytest.mark.parametrize("name", ["EIO", "EBADF", "ESTALE"])
def test_another_trouble_is_told_at_once_with_its_true_reason(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks_say(monkeypatch, getattr(errno, name))
    with pytest.raises(OutputError, match=f"cannot be locked: {os.strerror(getattr(errno, name))}") as caught:
        exclusive(tmp_path / "lock").__enter__()
    assert not isinstance(caught.value, LockedError)


def test_a_lock_that_somebody_holds_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def later_free(_handle: int) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise BlockingIOError(errno.EWOULDBLOCK, "Resource temporarily unavailable")

    monkeypatch.setattr(file_lock, "_lock", later_free)
    with exclusive(tmp_path / "lock") as alone:
        assert alone is True
    assert len(tries) == 3
