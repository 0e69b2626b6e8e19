"""For the short forms of the rows in Testing/Reliability: their package, and the sentence of a failed row."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if str(Path(__file__).resolve().parents[1]) not in sys.path:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if TYPE_CHECKING:
    from Reliability.tally import Tally


def assert_passed(tally: Tally, at_least: int) -> None:
    """Nothing failed, and that many attempts were made."""
    assert not tally.failures, "\n\n".join(tally.failures)
    assert tally.tried >= at_least
