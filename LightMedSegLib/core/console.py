"""Printing on any console."""

from __future__ import annotations

import io
import sys
import unicodedata


def print_every_character() -> None:
    """Make standard output and error escape characters that their encoding lacks, instead of raising an error.

    File names may contain any character, even bytes that are not text; consoles on Windows have 256 characters.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def printable(text: str) -> str:
    """Return the text with invalid Unicode (lone surrogates) escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(text: str) -> str:
    """Return the text with control characters escaped: file names may contain line breaks and terminal commands."""
    return "".join(repr(sign)[1:-1] if unicodedata.category(sign) == "Cc" else sign for sign in text)
