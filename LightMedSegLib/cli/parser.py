"""Parsing of arguments, with errors of one sentence."""

from __future__ import annotations

import argparse
from copy import copy
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

from LightMedSegLib.core.console import one_line
from LightMedSegLib.core.user_folders import expanded

Commands = argparse._SubParsersAction
"""What add_subparsers returns; argparse has no public name for it."""


class _MissingError(Exception):
    """Required arguments are missing, perhaps because an option took them."""


class SentenceParser(argparse.ArgumentParser):
    """An argument parser that says what is wrong without printing the whole usage."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._dashed = False
        self._places: list[tuple[argparse.Action, argparse.Action]] = []
        self._with_option: list[argparse.Action] = []
        self._several_words: list[argparse.Action] = []
        self._tries = False

    def add_place(self, name: str, *flags: str, help: str, metavar: str, **how: Any) -> None:
        """Add a required argument that is given by its position or with one of the flags."""
        place = self.add_argument(name, help=help, metavar=metavar, **how)
        instead = f"{metavar}, instead of by its position"
        option = self.add_argument(*flags, dest=name, help=instead, metavar=metavar, default=argparse.SUPPRESS, **how)
        self._places.append((place, option))

    def add_words(self, flag: str, **how: Any) -> None:
        """Add an option of one or more words; of one only where more would leave no words for required arguments."""
        self._several_words.append(self.add_argument(flag, nargs="+", **how))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as the base class does, but for places that are given with their option.

        It remembers whether a word looks like an option but is none.
        """
        options = takewhile(lambda word: word != "--", args or ())
        dashed = [word.partition("=")[0] for word in options if word.startswith("-")]
        self._dashed = not all(any(one.startswith(word) for one in self._option_string_actions) for word in dashed)
        for place, option in self._places:
            if any(self._means(word, option) for word in dashed):
                self._with_option.append(option)
                self._actions.remove(place)
        found, extra = self._parsed(args, namespace)
        if self._with_option and extra:
            self.error(f"unrecognized arguments: {' '.join(extra)}")
        self._refuse_two_meanings(found)
        return found, extra

    def error(self, message: str) -> NoReturn:
        """End the program with code 2 and one line."""
        if self._tries and "are required" in message:
            raise _MissingError
        unread = "are required" in message or "unrecognized" in message
        hint = "; write -- before names that begin with a dash" if self._dashed and unread else ""
        hint += self._hint_on_places(message)
        self.exit(2, f"{self.prog}: {one_line(message)}{hint}; see {self.prog} --help.\n")

    def _parsed(self, args: Any, namespace: Any) -> Any:
        if not self._several_words:
            return super().parse_known_args(args, namespace)
        self._tries = True
        try:
            return super().parse_known_args(args, copy(namespace))
        except _MissingError:
            for option in self._several_words:
                option.nargs = None
        finally:
            self._tries = False
        return super().parse_known_args(args, namespace)

    def _means(self, word: str, option: argparse.Action) -> bool:
        if not word.startswith("--"):
            return word[:2] in option.option_strings
        meant = [action for text, action in self._option_string_actions.items() if text.startswith(word)]
        return word in option.option_strings or (meant == [option] and word not in self._option_string_actions)

    def _refuse_two_meanings(self, found: argparse.Namespace) -> None:
        """Refuse IN OUT -o OUT, where OUT might be a second input or the output given twice."""
        for place, option in self._places:
            several = option not in self._with_option and isinstance(getattr(found, place.dest), list)
            if several and self._with_option and len(getattr(found, place.dest)) > 1:
                given, flag = self._with_option[0].metavar, option.option_strings[0]
                self.error(f"{given} is given with {_flag(self._with_option[0])}, so only one {place.metavar} can be "
                           f"given by its position; give several with {flag}")  # fmt: skip

    def _hint_on_places(self, message: str) -> str:
        if not self._with_option:
            return ""
        if "are required" in message:
            missing = [option for _, option in self._places if option not in self._with_option]
            return "".join(f"; give {option.metavar} with {_flag(option)}" for option in missing)
        if "unrecognized" in message or "invalid choice" in message:
            given = " and ".join(f"{option.metavar} with {_flag(option)}" for option in self._with_option)
            return f"; you give {given}, so not by position too"
        return ""


def _flag(option: argparse.Action) -> str:
    return option.option_strings[0]


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
