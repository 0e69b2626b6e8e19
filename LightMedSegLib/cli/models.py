"""``lightmedseg models``: list, show, choose versions of, import, export, verify and remove models."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from LightMedSegLib.cli.card_text import card_text
from LightMedSegLib.cli.parser import Commands, file_path
from LightMedSegLib.cli.tables import format_table
from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.finetuning.versions import adopt
from LightMedSegLib.model.store import ModelEntry, ModelStore, resolve_model


def add_command(commands: Commands[Any]) -> None:
    """Add the command and its actions."""
    parser = commands.add_parser(
        "models",
        help="list, show, choose, import, export or verify models",
        description="Look after the installed models.",
    )
    parser.set_defaults(run=run_list)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")

    actions.add_parser("list", help="list the installed models (default)").set_defaults(run=run_list)

    show = actions.add_parser("show", help="show a model's card and size")
    show.add_argument("model", help="name, name@version, folder or zip file")
    show.add_argument("--json", action="store_true", help="print the card itself")
    show.set_defaults(run=run_show)

    use = actions.add_parser("use", help="choose the version that a model's plain name means, or roll back")
    use.add_argument("model", help="name@version, or the plain name for the newest release again")
    use.add_argument("--force", action="store_true", help="also a version that its tests did not accept")
    use.set_defaults(run=run_use)

    add = actions.add_parser("import", help="install a model from a zip file or folder")
    add.add_argument("source", type=file_path)
    add.set_defaults(run=run_import)

    export = actions.add_parser("export", help="write an installed model as a zip file")
    export.add_argument("model", help="name or name@version")
    export.add_place("zip", "-o", "--output", type=file_path, metavar="ZIP", help="file to write")
    export.set_defaults(run=run_export)

    remove = actions.add_parser("remove", help="remove a model that you installed")
    remove.add_argument("model", help="name@version")
    remove.set_defaults(run=run_remove)

    actions.add_parser("verify", help="check every byte of the installed models").set_defaults(run=run_verify)


def run_list(arguments: argparse.Namespace) -> int:
    """Print one line for each installed model; a version that was chosen is "in use"."""
    store = ModelStore()
    entries = store.list()
    if not entries:
        print("No models are installed; add one with 'lightmedseg models import'.")
        return 0
    chosen = {entry.card.name: store.chosen(entry.card.name) for entry in entries if entry.card is not None}
    rows = [_row(entry, chosen) for entry in entries]
    print(format_table(["Model", "Version", "Kind", "Modality", "Segments", "From", "What it does"], rows))
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Print the card, with the network's parameters and multiply-adds."""
    model = resolve_model(arguments.model)
    print(json.dumps(model.card.to_json(), indent=2) if arguments.json else card_text(model))
    return 0


def run_use(arguments: argparse.Namespace) -> int:
    """Choose a version; the others stay."""
    store = ModelStore()
    name, _, version = arguments.model.partition("@")
    store.find(arguments.model)
    if version:
        adopt(store, arguments.model, against_the_gate=arguments.force)
    else:
        store.choose(name, None)
    print(f"{name} now means {store.find(name).card.identifier}.")
    return 0


def run_import(arguments: argparse.Namespace) -> int:
    """Add a model to the user's models."""
    print(f"Installed {ModelStore().add(arguments.source).card.identifier}.")
    return 0


def run_export(arguments: argparse.Namespace) -> int:
    """Write a model as a zip file."""
    ModelStore().export(arguments.model, arguments.zip)
    print(f"Wrote {arguments.zip}.")
    return 0


def run_remove(arguments: argparse.Namespace) -> int:
    """Remove one of the user's models."""
    ModelStore().remove(arguments.model)
    print(f"Removed {arguments.model}.")
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    """Check all models; raises ModelPackageError after the list if any is damaged."""
    entries = ModelStore().verify()
    for entry in entries:
        print(f"{entry.identifier}: {entry.problem or 'sound'}")
    damaged = [entry.identifier for entry in entries if entry.problem]
    if damaged:
        raise ModelPackageError(f"{len(damaged)} of {len(entries)} models cannot be used: {', '.join(damaged)}.")
    return 0


def _row(entry: ModelEntry, chosen: Mapping[str, str | None]) -> list[str]:
    source = "program" if entry.shipped else "user"
    if entry.card is None or entry.problem:
        return [entry.identifier, "", "", "", "", source, f"cannot be used: {entry.problem}"]
    card = entry.card
    if chosen[card.name] == card.version:
        source += ", in use"
    return [card.name, card.version, card.kind, card.modality, str(len(card.labels)), source, card.title]
