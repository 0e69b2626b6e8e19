"""Fine-tuned versions in the user's store: writing candidates, adopting one, rolling back.

A candidate is a prerelease such as 1.1.0-tuned.3, so that a model's plain name never refers to it until the user adopts
it. Adopting and rolling back write one small file; they never change or delete a version.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import ModelStoreError, OutputError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.core.semver import Version
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.package import Model, load_model, save_model
from LightMedSegLib.model.package_folder import RECIPE_FILE, REFERENCE_FILE
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.storage.atomic_files import remove_folder, sync
from LightMedSegLib.storage.file_lock import exclusive

_WORD = "tuned"
_LOCK_FILE = ".tuned.lock"
_LICENSE_FILE = "LICENSE.txt"


@dataclass(frozen=True)
class TunedVersion:
    """One line of the list of versions. accepted: the gate's verdict; None for versions that were not fine-tuned."""

    card: ModelCard
    shipped: bool
    active: bool
    accepted: bool | None
    reasons: tuple[str, ...]


def list_versions(store: ModelStore, name: str) -> list[TunedVersion]:
    """Return all undamaged versions of the model called name, newest last."""
    entries = [entry for entry in store.list() if entry.card and not entry.problem and entry.card.name == name]
    in_use = store.version_in_use(name)
    lines = []
    for entry in sorted(entries, key=lambda entry: Version.parse(entry.identifier.split("@")[1])):
        assert entry.card is not None
        report = gate_report(entry.card)
        lines.append(
            TunedVersion(
                entry.card,
                entry.shipped,
                entry.card.version == in_use,
                None if report is None else bool(report.get("accepted")),
                tuple(report.get("reasons", ())) if report else (),
            )
        )
    return lines


def gate_report(card: ModelCard) -> Mapping[str, Any] | None:
    """Return the gate's report on a fine-tuned version; None for any other version."""
    report = card.metrics.get("fine_tuning")
    return report if isinstance(report, Mapping) else None


def adopt(store: ModelStore, identifier: str, against_the_gate: bool = False) -> Model:
    """Make name@version the version that the plain name refers to; takes milliseconds.

    Raises ModelStoreError for a version that the gate rejected, unless against_the_gate: the user insists.
    """
    model = store.find(identifier)
    report = gate_report(model.card)
    if report is not None and not report.get("accepted") and not against_the_gate:
        reasons = " ".join(str(reason) for reason in report.get("reasons", ()))
        raise ModelStoreError(f"{identifier} was not adopted. {reasons}")
    store.choose(model.card.name, model.card.version)
    return model


def roll_back(store: ModelStore, name: str) -> Model:
    """Roll back to the parent of the version in use, or to the newest release if the parent no longer exists."""
    parent = store.find(name).card.parent
    known = {entry.identifier for entry in store.list() if not entry.problem}
    if parent is not None and f"{parent.name}@{parent.version}" in known and parent.name == name:
        store.choose(name, parent.version)
    else:
        store.choose(name, None)
    return store.find(name)


def next_version(store: ModelStore, parent: ModelCard) -> str:
    """Return the next free version after the parent: 1.0.0 and 1.1.0-tuned.1 both give 1.1.0-tuned.N."""
    version = Version.parse(parent.version)
    minor = version.minor if version.prerelease else version.minor + 1
    base = f"{version.major}.{minor}.0-{_WORD}."
    # A damaged version and a chosen one that was removed keep their number.
    taken = [
        entry.identifier.split("@")[-1] for entry in store.list() if entry.identifier.startswith(f"{parent.name}@")
    ]
    taken.append(store.chosen(parent.name) or "")
    numbers = [int(text[len(base) :]) for text in taken if text.startswith(base) and text[len(base) :].isdigit()]
    return f"{base}{max(numbers, default=0) + 1}"


def candidate_card(
    parent: Model,
    version: str,
    labels: Sequence[Label],
    cases: int,
    report: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the card of a fine-tuned version: the parent's card with the changes.

    With labels that the parent does not have, no mirror images are averaged: of new structures nobody says which are
    left and right, and the mean would exchange neither.
    """
    card = parent.card
    content = card.to_json()
    if len(labels) > len(card.labels):
        content["test_time_mirroring"] = []
    notice = card.licenses.get("data_notice", "")
    own = "Fine-tuned on the user's own cases, which are not part of this package."
    if own not in notice:
        content["licenses"]["data_notice"] = f"{notice} {own}".strip()
    plural = "s" if cases != 1 else ""
    content.update(
        version=version,
        parent={"name": card.name, "version": card.version, "weights_sha256": card.weights.sha256},
        created=datetime.date.today().isoformat(),
        labels=[label.to_json() for label in labels],
        training={
            "data": f"{card.identifier}, fine-tuned on {cases} corrected case{plural} of the user.",
            "cases": {"train": cases, "validation": 0, "test": 0},
            "split_sha256": None,
            "configuration": {"fine_tuning": dict(settings)},
        },
        metrics={"fine_tuning": dict(report), "parent": card.metrics.get("parent", card.metrics)},
    )
    return content


def write_candidate(
    folder: Path, parent: Model, card: Mapping[str, Any], tensors: Mapping[str, NDArray[np.float16]]
) -> Model:
    """Write the candidate's package into the new folder, with the parent's licence, reference set and its recipe."""
    names = (REFERENCE_FILE, RECIPE_FILE, _LICENSE_FILE)
    kept = {name: parent.folder / name for name in names if (parent.folder / name).is_file()}
    return save_model(folder, card, tensors, kept)


def install(folder: Path, store: ModelStore) -> Model:
    """Move a written package into the store by one rename, so that a crash leaves no incomplete version.

    Installing the same package again changes nothing. Raises ModelStoreError if another one has its name and version.
    """
    model = load_model(folder)
    with exclusive(store.user / _LOCK_FILE):
        target = store.user / model.card.identifier
        if not target.exists() and _moved(folder, target):
            return load_model(target)
        if target.exists() and load_model(target).card.weights == model.card.weights:
            installed = load_model(target)
        else:
            installed = store.add(folder)
    with contextlib.suppress(OutputError):  # The version is installed whether or not its first copy goes.
        remove_folder(folder)
    return installed


def _moved(folder: Path, target: Path) -> bool:
    try:
        folder.rename(target)
    except OSError:  # Another file system: the store has to copy.
        return False
    sync(target.parent)
    return True
