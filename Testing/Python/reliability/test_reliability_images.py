"""The short form of Testing/Reliability/image_files.py, and proof that a child that crashes or hangs is blamed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from tally_checks import assert_passed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.mark.reliability
def test_damaged_and_unusual_scans_end_in_a_sentence_or_a_right_result() -> None:
    from Reliability import image_files

    assert_passed(image_files.check(60, 1), at_least=60)


def faulty(number: int, seed: int) -> tuple[str, str, str]:
    """Attempts for the test below: this file is also the module that its children run."""
    if number == 2:
        os.abort()
    if number == 4:
        time.sleep(3600)
    return "thing", "done", "wrong" if number == 1 else ""


@pytest.mark.slow
def test_an_attempt_that_crashes_hangs_or_fails_is_named(tmp_path: Path) -> None:
    from Reliability.batches import run_in_children

    tally = run_in_children("test_reliability_images", 6, 1, tmp_path, patience=2.0)
    assert tally.tried == 6
    assert tally.outcomes == {"done": 3}
    words = [text.split("\n")[0] for text in tally.failures]
    assert words == [
        "attempt 1, thing: wrong",
        "attempt 2: the process died of signal 6",
        "attempt 4: nothing happened for 2 s",
    ]


if __name__ == "__main__":
    from Reliability.batches import child_main

    sys.exit(child_main(lambda folder: faulty))
