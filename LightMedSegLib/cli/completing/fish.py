"""A script that lets fish complete a program's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from LightMedSegLib.cli.completing.words import CommandWords, Option


def fish_script(program: str, commands: Sequence[CommandWords]) -> str:
    """Return the script; words that it does not know are completed as names of files."""
    return "".join(f"complete -c {program}{line}\n" for one in commands for line in _lines(one))


def _lines(command: CommandWords) -> Iterator[str]:
    there = " -n " + _quoted(_condition(command))
    for word, about in command.first.items():
        yield f"{there if not command.words else _before(command)} -f -a {_quoted(word)}{_about(about)}"
    for option in command.options:
        yield there + _option(option)


def _condition(command: CommandWords) -> str:
    if not command.words:
        return "__fish_use_subcommand"
    return "; and ".join(f"__fish_seen_subcommand_from {word}" for word in command.words)


def _before(command: CommandWords) -> str:
    """The condition that the command is there and none of the words that may follow it."""
    others = " ".join(command.first)
    return " -n " + _quoted(f"{_condition(command)}; and not __fish_seen_subcommand_from {others}")


def _option(option: Option) -> str:
    spellings = [
        f" -l {text[2:]}" if text.startswith("--") else f" -s {text[1:]}" for text in option.spellings
    ]  # fmt: skip
    value = f" -x -a {_quoted(' '.join(option.choices))}" if option.choices else " -r" if option.takes_value else ""
    return "".join(spellings) + value + _about(option.help)


def _about(text: str) -> str:
    return f" -d {_quoted(text)}" if text else ""


def _quoted(text: str) -> str:
    """In single quotes, where fish reads a backslash only before these two signs."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
