"""Random sessions: what the user marked is never changed, no edit is lost, Undo gives the bytes of before."""

from __future__ import annotations

import os

import pytest
from correct_bench import CorrectBench
from stroke_sessions import RandomSession

QUICK, BLOCK = 6, 25
MORE = int(os.environ.get("LIGHTMEDSEG_SESSIONS", "25"))
"""How many sessions the long test plays; a thousand take ten minutes."""


def test_random_sessions(correct: CorrectBench) -> None:
    for seed in range(QUICK):
        RandomSession(correct, seed).run()


@pytest.mark.slow
@pytest.mark.parametrize("first", range(QUICK, QUICK + MORE, BLOCK))
def test_more_random_sessions(correct: CorrectBench, first: int) -> None:
    for seed in range(first, min(first + BLOCK, QUICK + MORE)):
        RandomSession(correct, seed).run()
