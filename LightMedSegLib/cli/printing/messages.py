"""What a command prints for people."""

from __future__ import annotations

import argparse
import sys
from typing import TextIO

from LightMedSegLib.cli.printing.text_output import STANDARD_OUTPUT
from LightMedSegLib.cli.progress_bar import ProgressBar
from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.progress import TimeLeftEstimate

_FOR_PROGRAMS = ("json", "csv")
"""Arguments that may be STANDARD_OUTPUT."""


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Add --quiet."""
    parser.add_argument("-q", "--quiet", action="store_true", help="print only warnings and errors, on standard error")


class Messages:
    """Prints for people.

    It goes to standard output, or to standard error where that is taken by a file for programs. A quiet command prints
    nothing but warnings, on standard error. Raises OutputError if two files are to go to standard output.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        taken = [name for name in _FOR_PROGRAMS if getattr(arguments, name, None) == STANDARD_OUTPUT]
        if len(taken) > 1:
            names = " and ".join(f"--{name}" for name in taken)
            raise OutputError(f"{names} cannot both go to standard output; name a file for one of them.")
        self.quiet: bool = arguments.quiet
        self._taken = bool(taken)

    def tell(self, text: str) -> None:
        """Print text, unless the command is quiet."""
        if not self.quiet:
            print(text, file=self._stream, flush=True)

    def warn(self, text: str) -> None:
        """Print a warning."""
        print(text, file=self._stream, flush=True)

    def progress_bar(self, left: TimeLeftEstimate | None = None) -> ProgressBar:
        """A progress bar on standard error, which a quiet command does not show."""
        return ProgressBar(sys.stderr, left, hidden=self.quiet)

    @property
    def _stream(self) -> TextIO:
        return sys.stderr if self.quiet or self._taken else sys.stdout
