"""A script that lets bash, and zsh with its bashcompinit, complete a program's words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from shlex import quote

from LightMedSegLib.cli.completing.words import CommandWords

_SCRIPT = """_{program}() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command="" words="" i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$command ${{COMP_WORDS[i]}}" in
            {commands}) command="$command ${{COMP_WORDS[i]}}" ;;
        esac
    done
    case "$command $before" in
{values}
    esac
    case "$command" in
{words}
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "${{words#*|}}" -- "$word"))
    else
        COMPREPLY=($(compgen -W "${{words%%|*}}" -- "$word"))
    fi
}}
complete -o default -F _{program} {program}
"""


def bash_script(program: str, commands: Sequence[CommandWords]) -> str:
    """Return the script; words that it does not know are completed as names of files."""
    values = [
        f"        {_patterns(f'{_name(one)} {text}' for text in option.spellings)}) {_reply(option.choices)}return ;;"
        for one in commands
        for option in one.options
        if option.takes_value
    ]
    words = [
        f"        {quote(_name(one))}) words={quote(f'{_spaced(one.first)}|{_spaced(_spellings(one))}')} ;;"
        for one in commands
    ]
    return _SCRIPT.format(
        program=program,
        commands=_patterns(_name(one) for one in commands if one.words),
        values="\n".join(values),
        words="\n".join(words),
    )


def _name(command: CommandWords) -> str:
    """The command as the script builds it, with a blank before each word."""
    return "".join(f" {word}" for word in command.words)


def _spellings(command: CommandWords) -> list[str]:
    return [text for option in command.options for text in option.spellings]


def _patterns(texts: Iterable[str]) -> str:
    return "|".join(map(quote, texts))


def _reply(choices: Sequence[str]) -> str:
    return f'COMPREPLY=($(compgen -W {quote(_spaced(choices))} -- "$word")); ' if choices else ""


def _spaced(words: Iterable[str]) -> str:
    return " ".join(words)
