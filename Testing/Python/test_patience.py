"""Limits of tests are those of the computer that they run on."""

from __future__ import annotations

from collections.abc import Iterator

import patience
import pytest
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
