"""Random sessions: what the user marked is never changed, no edit is lost, Undo gives the bytes of before."""

from __future__ import annotations

import pytest
from correct_bench import CorrectBench
from stroke_sessions import RandomSession

QUICK, BLOCKS, BLOCK = 12, 10, 100


def test_random_sessions(correct: CorrectBench) -> None:
    for seed in range(QUICK):
        RandomSession(correct, seed).run()


@pytest.mark.slow
@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_thousand_random_sessions(correct: CorrectBench, block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        RandomSession(correct, seed).run()
