"""Limits of tests are those of the computer that they run on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import patience
import pytest
from paths import REPOSITORY
from patience import Patience, limit, slowdown, wait_for


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which the test sets."""
    now = [0.0]
    monkeypatch.setattr(patience.time, "monotonic", lambda: now[0])
    return now


def slower(monkeypatch: pytest.MonkeyPatch, *times: float) -> None:
    """Measurements find the computer this many times slower, one after the other."""
    answers: Iterator[float] = iter(times)
    monkeypatch.setattr(patience, "slowdown", lambda: next(answers))


def test_a_computer_is_never_faster_than_a_quiet_one_and_its_load_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience.os, "getloadavg", lambda: (0.1, 0.1, 0.1), raising=False)
    monkeypatch.setattr(patience, "_ROUNDS", 0)
    assert slowdown() == 1.0
    monkeypatch.setattr(patience.os, "getloadavg", lambda: (10.0, 1.0, 1.0))
    assert slowdown() == 10.0 and limit(60.0) == 600.0
    monkeypatch.delattr(patience.os, "getloadavg")
    assert slowdown() == 1.0


def test_a_slow_processor_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_QUIET_SECONDS", 1e-9)
    assert slowdown() > 1000.0


def test_nothing_is_measured_before_the_time_is_up(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    slower(monkeypatch)
    waiting = Patience(5.0)
    clock[0] = 5.0
    assert not waiting.over()


def test_the_slowest_that_was_seen_decides(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    slower(monkeypatch, 4.0, 2.0)
    waiting = Patience(5.0, "the result")
    clock[0] = 19.0
    waiting.check()
    clock[0] = 21.0
    with pytest.raises(AssertionError, match=r"Waited 21\.0 s in vain for the result"):
        waiting.check()


def test_a_condition_is_looked_at_until_it_holds() -> None:
    looks: list[int] = []
    wait_for(lambda: looks.append(1) or len(looks) == 3)
    assert len(looks) == 3
    with pytest.raises(AssertionError, match="in vain for nothing"):
        wait_for(lambda: False, 0.01, "nothing")


def fixed_limits(path: Path) -> list[str]:
    """Calls that give up after a number of seconds that is written down; less than one is no limit, but a look."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        values = [keyword.value for keyword in node.keywords if keyword.arg == "timeout"]
        values += node.args[:1] if name in ("wait", "join") else []
        seconds = [value.value for value in values if isinstance(value, ast.Constant)]
        found += [f"{path.name}:{node.lineno}" for one in seconds if isinstance(one, (int, float)) and one >= 1]
    return found


def test_no_test_gives_up_after_a_fixed_time() -> None:
    folders = [REPOSITORY / "Testing" / name for name in ("Python", "Reliability", "Runtime")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    assert len(files) > 100
    assert [place for path in files for place in fixed_limits(path)] == []


def test_a_fixed_time_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text(
        "run(['a'], timeout=60)\nevent.wait(limit(20))\nthread.join(20)\nevent.wait(0.1)\n"
    )
    assert fixed_limits(tmp_path / "file.py") == ["file.py:1", "file.py:3"]
