"""Holding Python's garbage collector back while a thread works that must not destroy widgets.

The collector runs in whichever thread happens to allocate. What it finds may be widgets of a closed dialog or panel,
and Qt waits for ever, or crashes, when a widget is destroyed outside the main thread.
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
    """Disable the collector for the with-block, in all threads; the last of several blocks enables it again."""
    global _holders, _was_enabled
    with _lock:
        if _holders == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0 and _was_enabled:
                gc.enable()
