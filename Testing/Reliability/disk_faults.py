"""Faults of the disk and the clock during every action of a household; with count 0 during a few, at some moments.

Nothing here depends on chance: seed is there for the common form of a row's groups.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from unittest import mock

from Reliability import places
from Reliability.household import Household, Supplies
from Reliability.places import DONE, REFUSED
from Reliability.power_cut import Recorder, disks
from Reliability.tally import Tally

FREE_KILOBYTES = (0, 4, 8, 16, 32, 64, 128, 192, 256, 400)


def full_disk(folder: Path, supplies: Supplies, count: int, seed: int) -> Tally:
    """A disk with hardly any room: done, or refused in a sentence; then room is made and the same action works."""
    tally = Tally()
    with places.small_disk(folder / "disk", 16_000) as disk:
        if disk is None:
            tally.outcomes["full disk: not tried, mounting is not allowed"] += 1
            return tally
        furnished = Household(folder / "furnished", supplies).furnish()
        for name in furnished.actions(count):
            for free in FREE_KILOBYTES if count else FREE_KILOBYTES[1::4]:
                home = furnished.copy(disk / "home")
                with places.filled_up(disk, free):
                    outcome, text = places.in_a_process(home.actions()[name])
                    problem = home.problem()
                wrong = "" if outcome == DONE or (outcome == REFUSED and "disk is full" in text) else text or outcome
                _judge(tally, f"full disk, {name}, {free} kB free", wrong or problem, home, name)
                shutil.rmtree(disk / "home")
    return tally


def read_only_disk(folder: Path, supplies: Supplies, count: int, seed: int) -> Tally:
    """A read-only disk: every action is refused in a sentence."""
    tally = Tally()
    with places.small_disk(folder / "disk", 16_000) as disk:
        if disk is None:
            tally.outcomes["read-only disk: not tried, mounting is not allowed"] += 1
            return tally
        home = Household(disk / "home", supplies).furnish()
        for name, action in home.actions(count).items():
            with places.read_only(disk):
                outcome, text = places.in_a_process(action)
                problem = home.problem()
            _judge(
                tally, f"read-only disk, {name}", problem or ("" if outcome == REFUSED else text or outcome), home, name
            )
    return tally


def no_permission(folder: Path, supplies: Supplies, count: int, seed: int) -> Tally:
    """Another person's folder: readable, not writable."""
    tally = Tally()
    if os.geteuid() != 0:
        tally.outcomes["no permission: not tried, needs to become somebody else"] += 1
        return tally
    home = Household(folder / "home", supplies).furnish()
    for path in (folder, *folder.parents[:1], *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for name, action in home.actions(count).items():
        outcome, text = places.in_a_process(action, places.become_nobody)
        problem = home.problem()
        _judge(tally, f"no permission, {name}", problem or ("" if outcome == REFUSED else text or outcome), home, name)
    return tally


def death_at_any_change(folder: Path, supplies: Supplies, count: int, seed: int) -> Tally:
    """The process is killed at its first change of the disk, its second, and so on until it gets through."""
    return _at_any_change("killed", places.die_at, folder, supplies, count)


def interruption_at_any_change(folder: Path, supplies: Supplies, count: int, seed: int) -> Tally:
    """Ctrl+C at every change: as before, and nothing unfinished stays behind either."""
    return _at_any_change("interrupted", places.interrupt_at, folder, supplies, count)


def power_cut_at_any_change(folder: Path, supplies: Supplies, count: int, seed: int) -> Tally:
    """Every disk that a power cut may leave is whole; when the action has returned, its result is on the disk."""
    tally = Tally()
    home = Household(folder / "home", supplies).furnish()
    recorder = Recorder(home.folder)
    for name in home.actions(count):
        before = folder / "before"
        shutil.rmtree(before, ignore_errors=True)
        shutil.copytree(home.folder, before)
        recorder.changes.clear()
        with recorder.recording():
            home.actions()[name]()
        wanted = home.snapshot()
        cut = None
        for when, disk in disks(before, recorder.changes, folder / "after"):
            cut = Household(disk, supplies)
            problem = cut.problem()
            tally.expect(not problem, f"power cut, {name}: whole", f"{when}: {problem}")
        assert cut is not None
        tally.expect(cut.snapshot() == wanted, f"power cut, {name}: what was said to be done is on the disk")
    return tally


def clock_goes_back(folder: Path, supplies: Supplies, count: int, seed: int) -> Tally:
    """Ten days back, and files from the future: every action works, and others' fresh work is not taken for old."""
    tally = Tally()
    home = Household(folder / "home", supplies).furnish()
    fresh = home.store.user / ".lightmedseg-tmp-of-another-process"
    fresh.mkdir()
    real = time.time
    for path in home.folder.rglob("*"):
        os.utime(path, (real() + 86400, real() + 86400))
    with mock.patch.object(time, "time", lambda: real() - 864_000):
        for name, action in home.actions(count).items():
            action()
            tally.expect(home.problem() == "", f"clock goes back, {name}")
    tally.expect(fresh.is_dir(), "clock goes back: the unfinished work of another process is left alone")
    return tally


def _at_any_change(word: str, trap: object, folder: Path, supplies: Supplies, count: int) -> Tally:
    tally = Tally()
    furnished = Household(folder / "furnished", supplies).furnish()
    for name in furnished.actions(count):
        step, outcome = 0 if count else -2, ""
        while outcome != DONE:
            step += 1 if count else 4
            home = furnished.copy(folder / "home")
            outcome, text = places.in_a_process(home.actions()[name], trap(step, home.folder))  # type: ignore[operator]
            wrong = text if outcome == REFUSED or (outcome == places.WRONG and "KeyboardInterrupt" not in text) else ""
            if word == "interrupted" and home.leftovers() and outcome != DONE:
                # The very removal of what is unfinished may be interrupted; the next action of its kind clears it.
                tally.outcomes["interrupted: left for later removal"] += 1
            _judge(tally, f"{word}, {name}, change {step}", wrong or home.problem(), home, name)
            shutil.rmtree(folder / "home")
    return tally


def _judge(tally: Tally, what: str, problem: str, home: Household, name: str) -> None:
    """One attempt: no problem, and the same action works afterwards."""
    if not problem:
        try:
            home.actions()[name]()
            problem = home.problem()
        except Exception as error:
            problem = f"the next action fails: {type(error).__name__}: {error}"
    if problem:
        tally.failed(f"{what}: {problem}")
    else:
        tally.passed(what.split(",")[0])
