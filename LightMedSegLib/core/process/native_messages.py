"""Keeping the terminal free of messages that C++ libraries print about damaged files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_native_messages() -> Iterator[None]:
    """Send what native code writes to standard error nowhere; the error that we raise says it in one sentence.

    Only for a program of its own such as the command line: the file descriptor belongs to the whole process.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # Standard error is closed: there is nothing to silence.
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)
