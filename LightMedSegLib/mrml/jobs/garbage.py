"""Suspension of Python's garbage collector while a worker thread runs.

The collector runs in any thread that allocates. It can find widgets of a closed dialog or panel, and Qt hangs or
crashes if a widget is destroyed outside the main thread. So a worker thread disables the collector, and only the main
thread enables it again.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_holders = 0
_was_enabled = False


@contextlib.contextmanager
def collection_held() -> Iterator[None]:
    """Disable the collector, in all threads, from the with-block on until allow_collection is called after it."""
    global _holders, _was_enabled
    with _lock:
        if _holders == 0:
            _was_enabled = _was_enabled or gc.isenabled()
            gc.disable()
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1


def allow_collection() -> None:
    """Enable the collector again unless a thread still suspends it; for the main thread."""
    global _was_enabled
    with _lock:
        if _holders == 0 and _was_enabled:
            _was_enabled = False
            # Collect here what is due, so that no other thread does at its next allocation.
            gc.collect(0)
            gc.enable()
