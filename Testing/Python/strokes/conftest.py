"""The panel's section Correct in the runtime."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from correct_bench import CorrectBench
from panel_bench import Bench


@pytest.fixture
def correct(bench: Bench) -> Iterator[CorrectBench]:
    """The panel's section Correct with a stub for the network."""
    yield CorrectBench(bench)
    bench.panel.correct.close()
