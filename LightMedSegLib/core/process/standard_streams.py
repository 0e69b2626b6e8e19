"""Standard input, output and error that are closed, whose reader went away, or that lie on a full disk."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

from LightMedSegLib.core.errors import OutputError

CLOSED_PIPE = 141
"""The exit code that shells give programs whose reader went away."""


def open_missing() -> None:
    """Open those that are closed, on the place that swallows everything.

    Else the next file that is opened has the number of standard output, and what native code prints goes into it.
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
    """Print one line on standard error; nobody is there to be told where that fails."""
    with contextlib.suppress(OSError, ValueError):
        print(f"lightmedseg: {text}", file=sys.stderr, flush=True)


def flush() -> None:
    """Bring out what was printed; raises BrokenPipeError if the reader went away, OutputError for another trouble.

    What could not be brought out is thrown away, so that the interpreter does not try it again, loudly, at its end.
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
