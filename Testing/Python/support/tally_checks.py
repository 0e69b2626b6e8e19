"""The verdict on a row of Testing/Reliability."""

from __future__ import annotations

from Reliability.tally import Tally


def assert_passed(tally: Tally, at_least: int) -> None:
    """Nothing failed, and that many attempts were made."""
    assert not tally.failures, "\n\n".join(tally.failures)
    assert tally.tried >= at_least
