"""The short form of Testing/Reliability/soak.py: too short for memory, long enough for threads, files and sameness."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from tally_checks import assert_passed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")


@pytest.mark.reliability
def test_many_runs_leave_no_thread_and_no_file_open_and_give_the_same_result(slicer_runtime: Any) -> None:
    from Reliability import soak

    assert_passed(soak.check(14, 1), at_least=18)
