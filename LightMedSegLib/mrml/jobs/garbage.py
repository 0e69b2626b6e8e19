"""Holding Python's garbage collector back while a thread works that must not destroy widgets.

The collector runs in whichever thread happens to allocate. What it finds may be widgets of a closed dialog or panel,
and Qt waits for ever, or crashes, when a widget is destroyed outside the main thread.
So a thread holds the collector back, and only the main thread lets it run again.
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
    """Enable the collector again unless a thread still holds it back; for the main thread."""
    global _was_enabled
    with _lock:
        if _holders == 0 and _was_enabled:
            _was_enabled = False
            # What has become due meanwhile is collected here, not by the first thread that allocates.
            gc.collect(0)
            gc.enable()
