"""``lightmedseg completion``: a script for a shell, which completes commands, options and their values."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from LightMedSegLib.cli.completing.bash import bash_script
from LightMedSegLib.cli.completing.fish import fish_script
from LightMedSegLib.cli.completing.words import command_words
from LightMedSegLib.cli.parser import Commands

NAME = "completion"
_ZSH = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"


def add_command(commands: Commands[Any], program: argparse.ArgumentParser) -> None:
    """Add the command; the script is for the commands of program."""
    parser = commands.add_parser(
        NAME,
        help="print a script for the shell that completes words",
        description="Print a script that lets a shell complete commands, options and names of files. For bash: source "
        '<(lightmedseg completion bash), in ~/.bashrc. For zsh: eval "$(lightmedseg completion zsh)", in ~/.zshrc. For '
        "fish: lightmedseg completion fish > ~/.config/fish/completions/lightmedseg.fish.",
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="which shell")
    parser.set_defaults(run=partial(_run, program))


def _run(program: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    found = list(command_words(program))
    script = fish_script(program.prog, found) if arguments.shell == "fish" else bash_script(program.prog, found)
    print((_ZSH if arguments.shell == "zsh" else "") + script, end="")
    return 0
