"""Parsing of arguments, with errors of one sentence."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from LightMedSegLib.core.user_folders import expanded

Commands = argparse._SubParsersAction
"""What add_subparsers returns; argparse has no public name for it."""


class SentenceParser(argparse.ArgumentParser):
    """An argument parser that says what is wrong without printing the whole usage."""

    def error(self, message: str) -> NoReturn:
        """End the program with code 2 and one line."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help.\n")


def positive_int(text: str) -> int:
    """An argument that is a whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def positive_float(text: str) -> float:
    """An argument that is a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def fraction(text: str) -> float:
    """An argument from 0 up to, not including, 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to below 1")
    return value


def file_path(text: str) -> Path:
    """A path with ~ expanded, where there is such a home folder."""
    return expanded(Path(text))
