"""``lightmedseg train``: hands over to the training package, which is imported only then."""

from __future__ import annotations

from typing import Any

from LightMedSegLib.cli.parser import Commands
from LightMedSegLib.core.errors import DependencyError
from LightMedSegLib.core.torch_loading import import_torch

NAME = "train"


def add_command(commands: Commands[Any], chosen: bool) -> None:
    """Add the command; its own arguments only if it was chosen, because they need torch to be imported."""
    parser = commands.add_parser(
        NAME,
        help="train a model from a run file",
        description="Train a model as a run file (TOML or JSON) describes, and package it.",
    )
    if not chosen:
        return
    try:
        import_torch()
        from LightMedSegLib.training import command
    except ModuleNotFoundError as error:
        raise DependencyError(f"Training needs the Python package {error.name}; install it first.") from error
    command.add_arguments(parser)
    parser.set_defaults(run=command.run)
