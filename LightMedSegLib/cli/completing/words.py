"""The words that a command line may have, taken from its argument parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from LightMedSegLib.cli.parser import Commands


@dataclass(frozen=True)
class Option:
    """An option: its spellings, whether a value follows, the values if they are few, and its help."""

    spellings: tuple[str, ...]
    takes_value: bool
    choices: tuple[str, ...]
    help: str


@dataclass(frozen=True)
class CommandWords:
    """What may follow a command.

    words: the command, () for the program itself. options: of the command. first: the words that may follow it where
    they are few, such as its subcommands, with their help.
    """

    words: tuple[str, ...]
    options: tuple[Option, ...]
    first: Mapping[str, str]


def command_words(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[CommandWords]:
    """Yield what may follow the parser's command, and the same for every command below it."""
    options = tuple(_option(action) for action in parser._actions if action.option_strings)
    place = next((action for action in parser._actions if not action.option_strings), None)
    first = dict.fromkeys((str(choice) for choice in place.choices or ()), "") if place is not None else {}
    if isinstance(place, Commands):
        first |= {one.dest: one.help or "" for one in place._choices_actions}
    yield CommandWords(words, options, first)
    if isinstance(place, Commands):
        for name, command in place.choices.items():
            yield from command_words(command, (*words, name))


def _option(action: argparse.Action) -> Option:
    choices = tuple(str(choice) for choice in action.choices or ())
    return Option(tuple(action.option_strings), action.nargs != 0, choices, (action.help or "").replace("%%", "%"))
