"""The catalogue of models after a crash at any point, and with several processes at once."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
from stored_packages import identifiers, package

from LightMedSegLib.core.errors import LightMedSegError, ModelStoreError
from LightMedSegLib.model.package import Model, load_model
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.storage import atomic_files
from LightMedSegLib.storage.atomic_files import STALE_AFTER_SECONDS, is_temporary, temporary_name

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def _exit_code(child: Callable[[], None]) -> int:
    """Run child in a forked process; 3 if it raises one of our errors, 4 for any other."""
    pid = os.fork()
    if pid == 0:
        _end_after(child)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _end_after(child: Callable[[], Any]) -> NoReturn:
    """Run child and end this process with the exit code of _exit_code."""
    code = 4
    try:
        child()
        code = 0
    except LightMedSegError:
        code = 3
    finally:
        os._exit(code)


def _crash_at(step: int, folder: Path) -> None:
    """Let this process die at its step-th change below folder, without any clean-up."""
    changes = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.copyfile", "shutil.rmtree"}
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in changes and any(str(folder) in str(argument) for argument in arguments):
            seen += 1
            if seen == step:
                os._exit(9)

    sys.addaudithook(hook)


def _crash_everywhere(folder: Path, action: Callable[[], Any], check: Callable[[bool], None]) -> int:
    """Run action again and again, dying one step later each time, until it gets through; returns the steps."""
    step = 0
    code = 9
    while code == 9:
        step += 1

        def child(step: int = step) -> None:
            _crash_at(step, folder)
            action()

        code = _exit_code(child)
        assert code in (0, 9)
        check(code == 0)
    return step


@needs_fork
def test_a_crash_at_any_point_of_adding_leaves_a_valid_store(store: ModelStore, made: Path) -> None:
    source = package(made).folder
    store.user.mkdir(parents=True)
    outcomes = set()

    def check(finished: bool) -> None:
        entries = store.verify()
        assert [entry.problem for entry in entries] == [None] * len(entries)
        present = "liver-ct@1.0.0" in identifiers(store)
        assert present or not finished
        outcomes.add(present)
        store.add(source)
        assert store.find("liver-ct").weights().keys() == {"w"}
        if not finished:
            store.remove("liver-ct@1.0.0")

    steps = _crash_everywhere(store.user, lambda: store.add(source), check)
    assert steps > 10, "the crashes should reach between the files"
    assert outcomes == {True, False}
    assert any(map(is_temporary, store.user.iterdir())), "crashes leave something to clean up"

    for leftover in filter(is_temporary, store.user.iterdir()):
        for path in (*leftover.iterdir(), leftover):
            os.utime(path, (1e9, 1e9))
    store.add(package(made, "spleen-ct").folder)
    assert sorted(path.name for path in store.user.iterdir()) == ["liver-ct@1.0.0", "spleen-ct@1.0.0"]


@needs_fork
def test_a_crash_at_any_point_of_removing_leaves_a_valid_store(store: ModelStore, made: Path) -> None:
    source = package(made).folder
    store.add(source)

    def check(finished: bool) -> None:
        entries = store.verify()
        assert [entry.problem for entry in entries] == [None] * len(entries)
        if finished:
            assert identifiers(store) == ["brain-mr@1.0.0"]
        else:
            store.add(source)

    assert _crash_everywhere(store.user, lambda: store.remove("liver-ct@1.0.0"), check) > 3


@needs_fork
def test_processes_that_add_the_same_version_at_once_do_not_disturb_each_other(store: ModelStore, made: Path) -> None:
    source = package(made).folder
    codes = _all_at_once([lambda: store.add(source)] * 6)
    assert codes == [0] * 6
    assert [entry.problem for entry in store.verify()] == [None, None]
    assert [path.name for path in store.user.iterdir()] == ["liver-ct@1.0.0"]


@needs_fork
def test_of_processes_that_add_different_bytes_as_one_version_exactly_one_wins(store: ModelStore, made: Path) -> None:
    sources = [package(made, value=float(value)).folder for value in range(6)]
    codes = _all_at_once([lambda source=source: store.add(source) for source in sources])  # type: ignore[misc]
    assert sorted(codes) == [0, 3, 3, 3, 3, 3]
    winner = load_model(sources[codes.index(0)])
    assert store.find("liver-ct").card == winner.card
    assert [entry.problem for entry in store.verify()] == [None, None]


def _all_at_once(children: list[Callable[[], Any]]) -> list[int]:
    """Start one process each, hold them at a gate, open it, and return their exit codes."""
    gate_reader, gate_writer = os.pipe()

    def behind_the_gate(child: Callable[[], Any]) -> None:
        os.close(gate_writer)
        os.read(gate_reader, 1)
        child()

    pids = []
    for child in children:
        pid = os.fork()
        if pid == 0:
            _end_after(partial(behind_the_gate, child))
        pids.append(pid)
    os.close(gate_writer)
    os.close(gate_reader)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


@needs_fork
def test_a_process_that_fails_at_the_gate_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "read")
    assert _all_at_once([lambda: None]) == [4]


def test_a_version_that_another_process_added_during_the_copy_is_compared(
    store: ModelStore, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, same, other = package(made, value=1.0), package(made, value=1.0), package(made, value=2.0)
    real_sync = atomic_files.sync

    def race(winner: Model) -> Model:
        def sync(path: Path) -> None:
            if not (store.user / "liver-ct@1.0.0").exists():
                shutil.copytree(winner.folder, store.user / "liver-ct@1.0.0")
            real_sync(path)

        with monkeypatch.context() as patch:
            patch.setattr(atomic_files, "sync", sync)
            return store.add(mine.folder)

    assert race(same).card == mine.card
    store.remove("liver-ct@1.0.0")
    with pytest.raises(ModelStoreError, match="other content"):
        race(other)
    assert store.find("liver-ct").card == other.card
    assert not list(filter(is_temporary, store.user.iterdir()))


def test_unfinished_work_of_others_is_neither_listed_nor_removed_while_fresh(store: ModelStore, made: Path) -> None:
    fresh, stale = store.user / temporary_name(), store.user / temporary_name()
    for folder in (fresh, stale):
        shutil.copytree(package(made).folder, folder)
    for path in (*stale.iterdir(), stale):
        then = path.stat().st_mtime - STALE_AFTER_SECONDS - 60
        os.utime(path, (then, then))
    assert identifiers(store) == ["brain-mr@1.0.0"]
    store.add(package(made).folder)
    assert set(store.user.iterdir()) == {fresh, store.user / "liver-ct@1.0.0"}
