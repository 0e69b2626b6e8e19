"""Parsing of arguments, with errors of one sentence."""

from __future__ import annotations

import argparse
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

from LightMedSegLib.core.console import one_line
from LightMedSegLib.core.user_folders import expanded

Commands = argparse._SubParsersAction
"""What add_subparsers returns; argparse has no public name for it."""


class SentenceParser(argparse.ArgumentParser):
    """An argument parser that says what is wrong without printing the whole usage."""

    _dashed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as the base class does, and remember whether a word looks like an option but is none."""
        options = takewhile(lambda word: word != "--", args or ())
        dashed = [word.partition("=")[0] for word in options if word.startswith("-")]
        self._dashed = not all(any(one.startswith(word) for one in self._option_string_actions) for word in dashed)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """End the program with code 2 and one line."""
        unread = "are required" in message or "unrecognized" in message
        hint = "; write -- before names that begin with a dash" if self._dashed and unread else ""
        self.exit(2, f"{self.prog}: {one_line(message)}{hint}; see {self.prog} --help.\n")


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


def named(text: str) -> str:
    """An argument that is not empty: Path would take an empty one for the present folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the name is empty")
    return text


def file_path(text: str) -> Path:
    """A path with ~ expanded, where there is such a home folder."""
    return expanded(Path(named(text)))
