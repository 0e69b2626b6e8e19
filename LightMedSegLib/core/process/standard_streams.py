"""Standard input, output and error that are closed, have no reader any more, or are on a full disk."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

from LightMedSegLib.core.console import one_line
from LightMedSegLib.core.errors import OutputError

CLOSED_PIPE = 141
"""The exit code that shells report for a broken pipe (128 and SIGPIPE)."""


def open_missing() -> None:
    """Open closed standard streams on the null device.

    Otherwise the next file that is opened gets the number of standard output, and native code prints into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # which takes the lowest free number
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115


def complain(text: str) -> None:
    """Print the text as one line on standard error; a failure is ignored."""
    with contextlib.suppress(OSError, ValueError):
        print(f"lightmedseg: {one_line(text)}", file=sys.stderr, flush=True)


def flush() -> None:
    """Flush standard output; raises BrokenPipeError if the reader has ended, OutputError for any other failure.

    Text that cannot be written is discarded, so that the interpreter does not report it again when it ends.
    """
    try:
        sys.stderr.flush()
    except OSError:
        _throw_away(sys.stderr)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _throw_away(sys.stdout)
        raise
    except OSError as error:
        _throw_away(sys.stdout)
        raise OutputError(f"Standard output cannot be written: {error.strerror or error}.") from None


def _throw_away(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
