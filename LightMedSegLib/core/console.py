"""Printing on any console."""

from __future__ import annotations

import io
import sys


def print_every_character() -> None:
    """Let standard output and error show what their encoding lacks as an escape, instead of raising an error.

    File names may hold any character, also bytes that are no text at all; consoles on Windows know 256 characters.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def printable(text: str) -> str:
    """The text with whatever no Unicode text may hold (lone surrogates) as an escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
