"""Waits inside Slicer's event loop, for the module's self test."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import slicer


def wait_until(test: Any, condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Process events until condition holds; fails the test after seconds."""
    end = time.monotonic() + seconds
    while not condition():
        test.assertLess(time.monotonic(), end, f"waited in vain for {what}")
        slicer.app.processEvents()
        time.sleep(0.005)
